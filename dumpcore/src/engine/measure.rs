//! What removing frees: an inode is freed with its last name.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::model::metadata::Meta;
use crate::sys::lock::lock;

/// What is done with each name.
#[derive(Debug)]
pub(crate) enum Act<'a> {
    /// It is removed.
    Remove,
    /// What would be freed is only added up, together with earlier sums.
    Measure(&'a Measured),
}

impl Act<'_> {
    pub(super) fn removes(&self) -> bool {
        matches!(self, Act::Remove)
    }
}

/// Names that were met of inodes that have several, by inode number.
#[derive(Debug, Default)]
pub(crate) struct Measured([Mutex<HashMap<u64, u32>>; 16]);

impl Measured {
    /// Counts one more name of an inode. Returns whether it was the last one.
    pub(super) fn meet(&self, meta: &Meta) -> bool {
        let shard = &self.0[(meta.ino / 64 % 16) as usize];
        let mut met = lock(shard);
        let names = met.entry(meta.ino).or_insert(0);
        *names += 1;
        *names >= meta.nlink
    }
}

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Names, directories included.
    pub(crate) names: u64,
    /// Allocated bytes of the inodes whose last name went.
    pub(crate) freed: u64,
    /// How many inodes that are.
    pub(crate) inodes: u64,
    /// Is nothing left of the tree?
    pub(crate) all: bool,
}

impl Gone {
    /// Something that was not a directory; what it freed is unknown.
    pub(super) const ONE: Self = Self {
        names: 1,
        freed: 0,
        inodes: 0,
        all: true,
    };
    /// There was nothing.
    pub(super) const WAS_GONE: Self = Self {
        names: 0,
        freed: 0,
        inodes: 0,
        all: true,
    };
}

/// What an inode takes on the disk, in bytes.
pub(super) fn allocated(meta: &Meta) -> u64 {
    meta.blocks.saturating_mul(512)
}
