//! What a run knows of changes that leave size and time as they were: when
//! what the reference, and a leftover, hold was read of its tree.
//!
//! A dump has a mark for each tree of when this run began to read it. It
//! is on a leftover from its beginning on. A run that takes that over looks
//! at what it keeps by the leftover's own mark, as at what it links by that of
//! the reference; when all is looked at, the dump is as new as if this run had
//! stored all of it, and has its mark.
//!
//! A copy of a dump inherits the marks of that: it says nothing of changes
//! since. What it reads is published, and its times of change say nothing; a
//! replica goes by when inodes were born, and says of the newest that it met
//! when that was.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::trees::{Reference, Source};
use super::{Order, Run};
use crate::engine::{Doubts, Totals};
use crate::fs::read_marks;
use crate::model::error::Error;
use crate::model::metadata::Time;
use crate::model::warning::Warning;
use crate::policy::layout::Sort;
use crate::policy::touched::{Clock, ReadMark, Touched};
use crate::root::staging::Staging;
use crate::sys::fstype::FsType;

/// The marks of a run.
pub(super) struct Evidence {
    clock: Clock,
    marks: Vec<ReadMark>,
    /// Does the policy ask whether files may have been touched?
    heeded: bool,
    /// Is what is read a published dump?
    inherited: bool,
    /// What a checkpoint inherits of when the newest inode was born.
    newest_birth: Option<Option<Time>>,
}

impl Evidence {
    /// That of a run which looked at this clock before it read anything.
    pub(super) fn of(order: &Order<'_>, sources: &[Source], clock: Clock) -> Self {
        let one = |source: &Source| {
            let top = read_marks::top_id(&source.handle)?;
            Some(read_marks::of(source.name.to_bytes(), top, &clock))
        };
        let marks = match (order.merge.source_is_dump, order.at) {
            (true, _) => order.read.clone(),
            // What is brought in was read who knows when.
            (false, Some(_)) => Vec::new(),
            (false, None) => sources.iter().filter_map(one).collect(),
        };
        Self {
            marks,
            clock,
            heeded: order.merge.policy.heeds_ctime(),
            inherited: order.merge.source_is_dump,
            newest_birth: (order.sort == Sort::Checkpoint).then_some(order.newest_birth),
        }
    }

    /// A new dump has the marks from its beginning on.
    pub(super) fn begin(&self, staging: &Staging<'_>) -> Result<(), Error> {
        if staging.was_filled() || self.marks.is_empty() {
            return Ok(());
        }
        staging.marked(read_marks::put(staging.handle(), &self.marks))
    }

    /// All has been looked at, also what was kept.
    pub(super) fn end(&self, staging: &Staging<'_>, totals: &Totals<'_>) -> Result<(), Error> {
        if self.inherited {
            let born = self.newest_birth.unwrap_or_else(|| totals.newest_birth());
            staging.marked(read_marks::put_newest_birth(staging.handle(), born))?;
        }
        if !staging.was_filled() {
            return Ok(());
        }
        if !self.inherited {
            // Of a replica that the leftover was begun as.
            staging.marked(read_marks::put_newest_birth(staging.handle(), None))?;
        }
        staging.marked(read_marks::put(staging.handle(), &self.marks))
    }

    /// Which files of the trees may have been touched, `target` being what an
    /// earlier run left behind.
    pub(super) fn weigh(&self, sources: &mut [Source], target: Option<&OwnedFd>) {
        let left = target.map(read_marks::read);
        for source in sources {
            let reference = source.reference.as_ref();
            let since = |reference: &Arc<Reference>| self.since(source, &reference.handle);
            source.touched = Doubts {
                reference: reference.map_or(Touched::Unknown, since),
                target: match &left {
                    None => Touched::Unknown,
                    Some(left) => self.of_leftover(source, left),
                },
            };
        }
    }

    /// Which files of a tree may have been touched since a dump was made.
    pub(super) fn since(&self, source: &Source, dump: &OwnedFd) -> Touched {
        let marks = read_marks::read(dump);
        if self.inherited && self.heeded {
            let tree = source.name.to_bytes();
            let [reference, own] =
                [&marks, &self.marks].map(|marks| marks.iter().find(|mark| mark.tree == tree));
            let both = (reference, own);
            return Touched::stored(both, read_marks::newest_birth(dump));
        }
        self.by(source, Some(&marks)).unwrap_or(Touched::Unknown)
    }

    /// What a dump's marks say of a tree.
    fn by(&self, source: &Source, marks: Option<&[ReadMark]>) -> Option<Touched> {
        let tree = source.name.to_bytes();
        let of_tree = |marks: &[ReadMark]| marks.iter().find(|mark| mark.tree == tree).cloned();
        let mark = of_tree(marks?)?;
        let now = of_tree(&self.marks).filter(|_| self.heeded && !self.inherited)?;
        Some(Touched::by(&mark, &self.clock, &now.top))
    }

    fn of_leftover(&self, source: &Source, left: &[ReadMark]) -> Touched {
        if self.inherited {
            // Of another dump it may hold other contents.
            return if left == self.marks {
                Touched::Unknown
            } else {
                Touched::All
            };
        }
        match self.by(source, Some(left)) {
            Some(touched) => touched,
            None if self.heeded => Touched::All,
            None => Touched::Unknown,
        }
    }
}

/// Less than this is compared in no time.
const TRIVIAL: u64 = 16 << 20;

/// Are these too many bytes of all to be compared in vain?
fn is_much_in_vain(bytes: u64, of: u64) -> bool {
    bytes >= TRIVIAL && bytes > of / 10
}

/// Tells when much was compared that had only been touched.
pub(super) fn tell_of_vain_comparisons(order: &Order<'_>, totals: &Totals<'_>) {
    let (bytes, of) = (totals.compared_in_vain(), totals.counts().files.bytes);
    if !order.merge.source_is_dump && is_much_in_vain(bytes, of) {
        totals.warn(Warning::ComparedInVain { bytes, of });
    }
}

impl Run {
    /// Tells once of each dump that is linked to without being able to say
    /// when its trees were read, where that would matter.
    pub(super) fn tell_of_missing_marks(
        &self,
        evidence: &Evidence,
        sources: &[Source],
        totals: &Totals<'_>,
    ) {
        let mut told = Vec::new();
        for source in sources {
            let stamped = || FsType::of(&source.handle).is_ok_and(FsType::is_stamped_here);
            let Some(reference) = &source.reference else {
                continue;
            };
            let marked = source.touched.reference != Touched::Unknown;
            let known = told.iter().any(|other| Arc::ptr_eq(other, reference));
            let asked = evidence.heeded && !evidence.marks.is_empty() && !evidence.inherited;
            if asked && !marked && !known && reference.has(&source.name) && stamped() {
                told.push(Arc::clone(reference));
                let reference = reference.path.below(self.dump.path());
                totals.warn(Warning::ReadingUnknown { reference });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_that_was_compared_is_not_worth_a_word() {
        for (bytes, of, much) in [
            (0, 0, false),
            (4, 10, false),
            (TRIVIAL - 1, TRIVIAL - 1, false),
            (TRIVIAL, TRIVIAL, true),
            (TRIVIAL, 10 * TRIVIAL, false),
            (TRIVIAL + 1, 10 * TRIVIAL, true),
        ] {
            assert_eq!(is_much_in_vain(bytes, of), much, "{bytes} of {of}");
        }
    }
}
