//! All differences between two entries, where the first is not enough.

use std::io;

use super::candidate::Candidate;
use super::link::{LinkPolicy, size_or_device};
use crate::model::event::CopyReason;
use crate::model::metadata::{Capabilities, Kind, Xattrs};

impl LinkPolicy {
    /// All that differs, in the order in which [`LinkPolicy::decide`] looks:
    /// what that answers is the first of them, or to link when there are none.
    /// `same_contents` is asked for files of the same size, as there.
    ///
    /// # Errors
    /// Those of `same_contents`.
    pub fn differences(
        &self,
        capabilities: &Capabilities,
        reference: &Candidate,
        source: &Candidate,
        same_contents: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<Vec<CopyReason>> {
        let (old, new) = (&reference.meta, &source.meta);
        let mut found = Vec::new();
        let same_kind = old.kind == new.kind;
        if !same_kind {
            found.push(CopyReason::Kind);
        }
        found.extend(same_kind.then(|| size_or_device(old, new)).flatten());
        if self.time_differs(capabilities, old, new) {
            found.push(CopyReason::Mtime);
        }
        if same_kind && new.kind == Kind::Symlink && reference.target != source.target {
            found.push(CopyReason::Target);
        }
        let both_files = same_kind && new.kind == Kind::File && old.size == new.size;
        let by_contents = self.compares_contents() || self.time_in_doubt(capabilities, old, new);
        if both_files && by_contents && !same_contents()? {
            found.push(CopyReason::Contents);
        }
        if self.owner_differs(capabilities, old, new) {
            found.push(CopyReason::Owner);
        }
        let none = Xattrs::default();
        let of = |candidate: &'_ Candidate| match self.compares_xattrs() {
            true => candidate.xattrs.clone(),
            false => none.clone(),
        };
        let (of_old, of_new) = (of(reference), of(source));
        let access = self.access_differs(capabilities, (old, &of_old), (new, &of_new));
        found.extend(access);
        // Of mode and attributes, the first that differs hides the other.
        if access == Some(CopyReason::Mode) {
            let without = self.clone().mode(false);
            found.extend(without.access_differs(capabilities, (old, &of_old), (new, &of_new)));
        }
        if found.is_empty() {
            found.extend(self.asked(old, new));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metadata::{Meta, Time};
    use crate::policy::link::Verdict;
    use proptest::prelude::*;

    fn candidate() -> impl Strategy<Value = Candidate> {
        let kinds = prop::sample::select(vec![Kind::File, Kind::Dir, Kind::Symlink, Kind::Char]);
        let numbers = (0..2u16, 0..2u32, 0..2u64, 0..2i64, 0..2u64);
        (kinds, numbers, 0..2u8, 0..2u8).prop_map(|(kind, numbers, note, target)| {
            let (mode, uid, size, mtime, rdev) = numbers;
            let time = Time::new(mtime, 0);
            let meta = Meta {
                kind,
                mode: 0o644 | mode,
                uid,
                gid: 0,
                size,
                blocks: 8,
                mtime: time,
                atime: time,
                ctime: time,
                born: None,
                ino: 1,
                dev: 1,
                nlink: 1,
                rdev,
            };
            let notes = vec![(b"user.note".to_vec(), vec![note])];
            Candidate::new(meta)
                .with_xattrs(Xattrs::new(notes))
                .with_target(vec![target])
        })
    }

    proptest! {
        /// The first difference is what decides, whatever is switched off.
        #[test]
        fn the_first_is_what_decides(
            old in candidate(),
            new in candidate(),
            switches in any::<[bool; 5]>(),
            same in any::<bool>(),
        ) {
            let [contents, mtime, mode, owner, xattrs] = switches;
            let policy = LinkPolicy::new().contents(contents).mtime(mtime).mode(mode);
            let policy = policy.owner(owner).xattrs(xattrs);
            let all = Capabilities::everything();
            let verdict = policy.decide(&all, &old, &new, || Ok(same)).expect("no I/O");
            let found = policy.differences(&all, &old, &new, || Ok(same)).expect("no I/O");
            let first = found.first().map_or(Verdict::Link, |why| Verdict::Copy(*why));
            prop_assert_eq!(first, verdict, "{:?}", found);
            let mut once = found.clone();
            once.dedup();
            prop_assert_eq!(once, found);
        }
    }
}
