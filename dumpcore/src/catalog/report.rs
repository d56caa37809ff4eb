//! What is reported of the catalog: its state, what differs from the disk, what a
//! rebuild has done.

use std::fmt;
use std::path::PathBuf;

use super::error::CatalogError;
use crate::policy::layout::DumpId;

/// What the catalog of a dump root knows, and what it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogStatus {
    /// Its file.
    pub path: PathBuf,
    /// The size of the file, in bytes.
    pub size_bytes: u64,
    /// Dumps that are recorded as being there.
    pub dumps: u64,
    /// Names in the newest dumps of all trees.
    pub names: u64,
    /// Names, or earlier versions of names, in older dumps only.
    pub past_names: u64,
    /// Inodes of the dumps.
    pub inodes: u64,
    /// Inodes of whose contents a hash is known.
    pub hashes: u64,
    /// Inodes of which the source file is known that they are copies of.
    pub sources: u64,
    /// The trees, by name.
    pub trees: Vec<CatalogTree>,
    /// Dumps on disk that are not recorded, the oldest first.
    pub not_recorded: Vec<DumpId>,
    /// Dumps that are recorded, but not on disk.
    pub not_on_disk: Vec<DumpId>,
}

impl CatalogStatus {
    /// Does it record exactly the dumps that are on disk?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.not_recorded.is_empty() && self.not_on_disk.is_empty()
    }
}

/// A tree that the catalog knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogTree {
    /// Its name in the dumps.
    pub name: PathBuf,
    /// Dumps that have it.
    pub dumps: u64,
    /// The newest of them; `None` when none is left.
    pub head: Option<DumpId>,
    /// Entries of the tree in that dump, each name counted.
    pub entries: u64,
    /// The sizes of its files together, in bytes, each name counted.
    pub bytes: u64,
}

/// How the catalog and the disk differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Differs {
    /// It is on disk, and the catalog does not have it.
    NotRecorded,
    /// The catalog has it, and it is not on disk.
    NotOnDisk,
    /// It is another inode, or its metadata is not what was recorded.
    Otherwise,
}

impl Differs {
    /// The difference as one word in snake_case, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Differs::NotRecorded => "not_recorded",
            Differs::NotOnDisk => "not_on_disk",
            Differs::Otherwise => "changed",
        }
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Differs::NotRecorded => "not in the catalog",
            Differs::NotOnDisk => "not on disk",
            Differs::Otherwise => "not what was recorded",
        })
    }
}

/// One thing in which the catalog and the disk differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogDifference {
    /// The dump.
    pub dump: DumpId,
    /// The path in that dump; `None` when the dump as such is meant.
    pub path: Option<PathBuf>,
    /// How they differ.
    pub how: Differs,
}

/// What a rebuild of the catalog has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CatalogRebuilt {
    /// Was it a dry run?
    pub dry_run: bool,
    /// Dumps that are recorded.
    pub dumps: u64,
    /// Dumps that could not be read to the end, and are not recorded; with why.
    pub left_out: Vec<(DumpId, CatalogError)>,
    /// Was there an old catalog whose hashes were taken over? In a dry run: one
    /// that can be read.
    pub kept_old: bool,
}
