//! The result of a scrub.

use std::fmt;
use std::path::PathBuf;

use crate::catalog::{CONTENTS_DIFFER, METADATA_DIFFERS};
use crate::model::fault::Fault;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;

/// What is wrong with something in the dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DamageKind {
    /// The disk does not give its contents, or the names in it.
    ReadError,
    /// Its contents are not those that were stored.
    Contents,
    /// It is longer or shorter than what was stored.
    Size,
    /// Its mode, owner or time of modification is not what was stored, or its extended
    /// attributes or ACLs.
    Metadata,
    /// The name is gone, or stands for something else.
    Missing,
    /// The name was not stored.
    NotRecorded,
}

impl DamageKind {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadError => "read_error",
            Self::Contents => "contents",
            Self::Size => "size",
            Self::Metadata => "metadata",
            Self::Missing => "missing",
            Self::NotRecorded => "not_recorded",
        }
    }

    /// The number that the catalog has for it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::ReadError => 1,
            Self::Contents => CONTENTS_DIFFER,
            Self::Size => 3,
            Self::Metadata => METADATA_DIFFERS,
            Self::Missing => 5,
            Self::NotRecorded => 6,
        }
    }
}

impl fmt::Display for DamageKind {
    /// What is wrong, as it reads after a path and a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadError => "it cannot be read",
            Self::Contents => "its contents are not what was stored",
            Self::Size => "its size is not what was stored",
            Self::Metadata => "its mode, owner, time or attributes are not what was stored",
            Self::Missing => "it is missing, or something else is in its place",
            Self::NotRecorded => "it is not among what was stored",
        })
    }
}

/// A path under which dumps have what is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedPath {
    /// The path in the dumps, which begins with the name of its tree.
    pub path: RelPath,
    /// The oldest dump that has it.
    pub first: DumpId,
    /// The newest dump that has it.
    pub last: DumpId,
    /// How many dumps have it.
    pub dumps: u64,
}

/// Something in the dumps that is damaged: one inode, or one path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// What is wrong with it.
    pub kind: DamageKind,
    /// The answer of the system, of what cannot be read; of metadata what of it is
    /// wrong, where that is more than mode, owner or time.
    pub cause: Option<String>,
    /// Where it is.
    pub paths: Vec<DamagedPath>,
    /// Does the filesystem itself have to be checked and mended (`fsck`), before
    /// anything can be healed?
    pub needs_fsck: bool,
    /// Where contents are as they were stored.
    pub good: Vec<PathBuf>,
}

/// A link of the dump root that does not name a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedLink {
    /// Its path.
    pub link: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// What a scrub has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Scrubbed {
    /// Files whose contents were read; of a dry run those that would be.
    pub files: u64,
    /// The space that these take, in bytes.
    pub bytes: u64,
    /// Files of which no hash had been recorded: it is now.
    pub hashed: u64,
    /// Files that were read and held against nothing: no hash had been recorded of them,
    /// nor is it now, since their filesystem does not tell when they were made, or since
    /// nothing can be recorded.
    pub unhashed: u64,
    /// What is damaged and was not healed.
    pub damaged: Vec<Damaged>,
    /// What was damaged and is healed: it is as it was stored again, in all dumps.
    pub healed: Vec<Damaged>,
    /// Files that were to be read, and were not: there was no time left, it was
    /// stopped, or they may not be read.
    pub unread: u64,
    /// Paths of files of which not the contents were wrong, but what the catalog had
    /// recorded of them: it is put right.
    pub catalog: Vec<RelPath>,
    /// Links that do not name a dump.
    pub links: Vec<DamagedLink>,
    /// What runs that were stopped have left behind, which is not scrubbed.
    pub leftovers: Vec<DumpId>,
    /// What kept files from being read that are not damaged for all that is known,
    /// the first of them.
    pub faults: Vec<Fault>,
    /// Nothing was recorded, since the dump root is read-only: the next one reads all of
    /// it again, and dumps that the catalog does not know were not looked at.
    pub read_only: bool,
    /// Nothing was read or recorded.
    pub dry_run: bool,
    /// It was asked to stop.
    pub stopped: bool,
}

impl Scrubbed {
    /// Is all that was looked at as it was stored, or again so?
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.links.is_empty() && self.faults.is_empty()
    }
}
