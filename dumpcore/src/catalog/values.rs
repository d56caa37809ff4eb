//! What goes into the catalog and comes out of it.

use chrono::{DateTime, Utc};

use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::time::Time;
use crate::policy::layout::DumpId;

/// BLAKE3 of a file's contents as stored.
pub(crate) use crate::policy::content_hash::ContentHash as Hash;

/// A tree of the dump root, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TreeId(pub(crate) i64);

/// The path of a directory in a tree, whether the head has one there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DirId(pub(crate) i64);

/// An inode in the dumps; of a directory what is known of it, since each dump
/// has inodes of its own for those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InodeId(pub(crate) i64);

/// Which inode of a source: number and birth together are never used again on
/// one filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SourceId {
    /// The number that the catalog has given to the filesystem.
    pub(crate) fs: i64,
    pub(crate) ino: u64,
    pub(crate) born: Time,
}

/// What is recorded of an inode itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    /// The inode's number in the dumps; `None` of a directory.
    pub(crate) ino: Option<u64>,
    /// `None` of a directory, and where the dump filesystem does not tell.
    pub(crate) born: Option<Time>,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// In bytes; 0 of a directory.
    pub(crate) size: u64,
    /// Space taken, in bytes; 0 of a directory.
    pub(crate) bytes: u64,
    /// A time that nanoseconds in 64 bits cannot tell (before 1677, after 2262)
    /// is recorded as the nearest that they can.
    pub(crate) mtime: Time,
    /// Of a directory the digest of its attributes.
    pub(crate) rdev: u64,
}

impl Facts {
    /// What is recorded of an entry of a dump; of a directory without its
    /// attributes.
    pub(crate) fn of(meta: &Meta) -> Self {
        let is_dir = meta.kind == Kind::Dir;
        Self {
            kind: meta.kind,
            ino: (!is_dir).then_some(meta.ino),
            born: meta.born.filter(|_| !is_dir),
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            size: if is_dir { 0 } else { meta.size },
            bytes: if is_dir {
                0
            } else {
                meta.blocks.saturating_mul(512)
            },
            mtime: meta.mtime,
            rdev: if is_dir { 0 } else { meta.rdev },
        }
    }

    /// The same of a directory, with what stands for its attributes.
    pub(crate) fn with_digest(self, digest: u64) -> Self {
        Self {
            rdev: digest,
            ..self
        }
    }

    /// Are these of one inode, as exactly as times are recorded? The space that
    /// it takes may be known only later.
    pub(crate) fn is_same_inode(&self, other: &Self) -> bool {
        let rest = |facts: &Self| Self {
            bytes: 0,
            mtime: Time::default(),
            ..*facts
        };
        let times = (self.mtime, other.mtime);
        let same_time = times.0 == times.1 || recorded_nanos(times.0) == recorded_nanos(times.1);
        same_time && rest(self) == rest(other)
    }

    /// Is the time known? One before 1677 or after 2262 is not.
    pub(crate) fn has_time(&self) -> bool {
        let nanos = self.mtime.as_nanos();
        nanos > i128::from(i64::MIN) && nanos < i128::from(i64::MAX)
    }

    /// As a look at it would have it, as far as is known.
    pub(crate) fn meta(&self) -> Meta {
        Meta {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            blocks: self.bytes / 512,
            mtime: self.mtime,
            rdev: if self.kind == Kind::Dir { 0 } else { self.rdev },
            ..Meta::new(self.kind)
        }
    }
}

/// Nanoseconds since 1970, as near as 64 bits can tell.
pub(super) fn recorded_nanos(time: Time) -> i128 {
    time.as_nanos().clamp(i64::MIN.into(), i64::MAX.into())
}

/// Recorded in the place of a time of change that proves nothing: it is that of
/// no file.
pub(crate) const UNSETTLED: Time = Time {
    secs: -1,
    nanos: 999_999_999,
};

/// What the head of a tree has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) inode: InodeId,
    pub(crate) facts: Facts,
    /// The source inode that held the same, and its time of change then.
    pub(crate) source: Option<(SourceId, Time)>,
}

/// An inode as it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredInode {
    pub(crate) facts: Facts,
    /// Kept only of an inode whose birth is known: a number alone may be used
    /// again for something else.
    pub(crate) hash: Option<Hash>,
    /// What stands for its attributes, unless it is a directory. `None`: not known.
    pub(crate) xattrs: Option<u64>,
    /// The source inode that holds the same, and its time of change. `None`:
    /// not known, and what was known of this inode before stays.
    pub(crate) source: Option<(SourceId, Time)>,
}

impl From<Facts> for StoredInode {
    /// Without what only the run that stored it knows.
    fn from(facts: Facts) -> Self {
        Self {
            facts,
            hash: None,
            xattrs: None,
            source: None,
        }
    }
}

/// What a worker found in a directory: only what differs from the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// This name is (now) this inode.
    Entry { name: Vec<u8>, stored: StoredInode },
    /// The name is not in the dump. Of a directory, nothing below it is either.
    Gone { name: Vec<u8> },
    /// The name stands for the same inode, of whose source this is known now.
    Source {
        inode: InodeId,
        source: Option<(SourceId, Time)>,
    },
    /// The source directory that this directory is a copy of.
    DirSource { source: Option<SourceId> },
}

/// What one directory of the head holds, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Children {
    names: Vec<u8>,
    /// Where each name ends in `names`.
    entries: Vec<(usize, Known)>,
}

impl Children {
    /// Adds a name; they come sorted.
    pub(super) fn push(&mut self, name: &[u8], known: Known) {
        self.names.extend_from_slice(name);
        self.entries.push((self.names.len(), known));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn name(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |i| self.entries[i].0);
        &self.names[start..self.entries[index].0]
    }

    /// The place of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.name(middle).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    pub(crate) fn get(&self, index: usize) -> (&[u8], &Known) {
        (self.name(index), &self.entries[index].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Known)> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// A tree, and the dump that its rows describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeState {
    pub(crate) id: TreeId,
    pub(crate) top: DirId,
    /// `None` of a tree that no dump on disk is known to have.
    pub(crate) head: Option<Head>,
    /// With which capabilities and which filter the head was made; `None` when
    /// that is not known.
    pub(crate) fingerprint: Option<Vec<u8>>,
    /// Which directories are compared in full next.
    pub(crate) turn: u32,
}

/// The newest dump that is known of a tree, as it was found on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) dump: DumpId,
    pub(crate) ino: u64,
    pub(crate) token: Option<Vec<u8>>,
    /// The time of change of the dump's own directory when it was published: a
    /// directory in it that was changed later was touched since.
    pub(crate) sealed: Option<Time>,
    /// How many entries of this tree it has, each name counted.
    pub(crate) entries: u64,
    /// The sizes of this tree's files together, each name counted.
    pub(crate) bytes: u64,
}

/// A dump that is about to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewDump {
    pub(crate) name: DumpId,
    /// `None` of a first copy, which is older than all others.
    pub(crate) moment: Option<DateTime<Utc>>,
    /// The number of its own directory's inode.
    pub(crate) ino: u64,
    /// The mark of that name on its directory.
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) trees: Vec<NewTree>,
    pub(crate) partial: bool,
    /// Space taken by the inodes that no other dump has, in bytes; `None` when
    /// the catalog is to count them.
    pub(crate) added_bytes: Option<u64>,
    /// Space taken by its directories, in bytes.
    pub(crate) dir_bytes: u64,
}

/// A tree in a dump that is about to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewTree {
    pub(crate) id: TreeId,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) fingerprint: Option<Vec<u8>>,
    pub(crate) turn: u32,
    /// Which dump of its series the findings differ from; `None`: the last.
    pub(crate) base: Option<i64>,
}

/// A dump that is recorded, but not yet known to be published.
#[derive(Debug)]
#[must_use = "it has to be confirmed when the dump is published"]
pub(crate) struct Pending {
    pub(super) dump: i64,
}

/// What was done to bring the catalog up to the dumps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CaughtUp {
    /// Dumps that were brought in, the oldest first.
    pub(crate) absorbed: Vec<DumpId>,
    /// Dumps that there was no time for, the oldest first.
    pub(crate) left: Vec<DumpId>,
    /// Dumps that are not there any longer.
    pub(crate) gone: Vec<DumpId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(inode: i64) -> Known {
        Known {
            inode: InodeId(inode),
            facts: Facts::of(&Meta::new(Kind::File)),
            source: None,
        }
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        for number in [0, 1, 2, 7, 100] {
            let mut children = Children::default();
            let mut names: Vec<Vec<u8>> = (0..number)
                .map(|i| format!("name {}", i * 2).into_bytes())
                .collect();
            names.sort();
            for (i, name) in names.iter().enumerate() {
                children.push(name, known(i.try_into().expect("few")));
            }
            assert_eq!(children.len(), names.len());
            for (i, name) in names.iter().enumerate() {
                assert_eq!(children.find(name), Some(i));
                let (found, known) = children.get(i);
                assert_eq!(found, name);
                assert_eq!(known.inode.0, i64::try_from(i).expect("few"));
            }
            for absent in ["", "name 1", "name", "zzz"] {
                assert_eq!(children.find(absent.as_bytes()), None, "{absent}");
            }
        }
    }
}
