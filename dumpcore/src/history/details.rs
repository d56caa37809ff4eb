//! What two versions of a path differ in, one by one: which attributes, which
//! names.
//!
//! [`difference`](super::difference) answers whether there is something to
//! tell, as cheaply as it can; what is here is read only when somebody asks
//! what it is.

use super::read::DirEntry;
use super::version::Version;
use crate::model::fault::Fault;
use crate::model::metadata::{Time, Xattrs};

/// A value before and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<T> {
    /// What it was.
    pub before: T,
    /// What it became.
    pub after: T,
}

impl<T: PartialEq> Changed<T> {
    /// `None` when both are equal.
    fn of(before: T, after: T) -> Option<Self> {
        (before != after).then_some(Self { before, after })
    }
}

/// What happened to an extended attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XattrAction {
    /// It was not there before.
    Added,
    /// It has another value.
    Changed,
    /// It is no longer there.
    Removed,
}

impl XattrAction {
    /// `added`, `changed` or `removed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// In which attributes two versions of a path differ: `None` is the same in
/// both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeChanges {
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: Option<Changed<u16>>,
    /// The owner's number.
    pub uid: Option<Changed<u32>>,
    /// The group's number.
    pub gid: Option<Changed<u32>>,
    /// The modification time, as far as both filesystems can store it.
    pub mtime: Option<Changed<Time>>,
    /// Extended attributes by name, in the order of their bytes. ACLs are
    /// `system.posix_acl_access` and `system.posix_acl_default`.
    pub xattrs: Vec<(Vec<u8>, XattrAction)>,
}

impl AttributeChanges {
    /// Of the second version against the first.
    ///
    /// # Errors
    /// Extended attributes that cannot be read.
    pub fn between(old: &Version, new: &Version) -> Result<Self, Fault> {
        let (was, is) = (&old.meta, &new.meta);
        let same_time = old.has_time_of(new);
        Ok(Self {
            mode: Changed::of(was.mode, is.mode),
            uid: Changed::of(was.uid, is.uid),
            gid: Changed::of(was.gid, is.gid),
            mtime: Changed::of(was.mtime, is.mtime).filter(|_| !same_time),
            xattrs: xattrs(&old.xattrs()?, &new.xattrs()?),
        })
    }

    /// Do they differ in nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn xattrs(old: &Xattrs, new: &Xattrs) -> Vec<(Vec<u8>, XattrAction)> {
    let gone = old.iter().filter(|(name, _)| new.get(name).is_none());
    let gone = gone.map(|(name, _)| (name.to_vec(), XattrAction::Removed));
    let other = new.iter().filter_map(|(name, value)| {
        let action = match old.get(name) {
            None => XattrAction::Added,
            Some(before) if before != value => XattrAction::Changed,
            Some(_) => return None,
        };
        Some((name.to_vec(), action))
    });
    let mut all: Vec<_> = gone.chain(other).collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// Which names two versions of a directory do not share. A name that is of
/// another type now (a directory, a symlink, or neither) is in both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameChanges {
    /// In the second only, in the order of their bytes.
    pub added: Vec<DirEntry>,
    /// In the first only, in the order of their bytes.
    pub removed: Vec<DirEntry>,
}

impl NameChanges {
    /// Of the second version of a directory against the first. What is below
    /// its names does not count.
    ///
    /// # Errors
    /// A directory that cannot be listed.
    pub fn between(old: &Version, new: &Version) -> Result<Self, Fault> {
        let (was, is) = (old.names()?, new.names()?);
        let only_in = |one: &[DirEntry], other: &[DirEntry]| -> Vec<DirEntry> {
            let only = |entry: &&DirEntry| other.binary_search(entry).is_err();
            one.iter().filter(only).cloned().collect()
        };
        Ok(Self {
            added: only_in(&is, &was),
            removed: only_in(&was, &is),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_told_apart_by_name() {
        let list = |pairs: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| {
                (name.as_bytes().to_vec(), value.as_bytes().to_vec())
            };
            Xattrs::new(pairs.iter().map(pair).collect())
        };
        let old = list(&[("user.a", "1"), ("user.b", "1"), ("user.d", "1")]);
        let new = list(&[("user.b", "2"), ("user.c", "1"), ("user.d", "1")]);
        let expected = [
            (b"user.a".to_vec(), XattrAction::Removed),
            (b"user.b".to_vec(), XattrAction::Changed),
            (b"user.c".to_vec(), XattrAction::Added),
        ];
        assert_eq!(xattrs(&old, &new), expected);
        assert_eq!(xattrs(&old, &old), []);
    }

    #[test]
    fn names_are_told_apart_with_their_type() {
        let dir = assert_fs::TempDir::new().expect("a directory for the test");
        for path in ["old/a", "old/b", "old/same", "new/b", "new/c", "new/same"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("one")).expect("made");
            if path.ends_with("new/b") || path.ends_with("new/c") {
                std::fs::create_dir(path).expect("made");
            } else {
                std::fs::write(path, "").expect("written");
            }
        }
        let version = |name: &str| {
            let found = Version::at(dir.path().join(name)).expect("looked at");
            found.expect("there")
        };
        let changes = NameChanges::between(&version("old"), &version("new")).expect("listed");
        let names = |entries: &[DirEntry]| -> Vec<(String, bool)> {
            let name = |entry: &DirEntry| {
                (
                    String::from_utf8_lossy(&entry.name).into_owned(),
                    entry.is_dir,
                )
            };
            entries.iter().map(name).collect()
        };
        assert_eq!(
            names(&changes.added),
            [("b".into(), true), ("c".into(), true)]
        );
        assert_eq!(
            names(&changes.removed),
            [("a".into(), false), ("b".into(), false)]
        );
    }
}
