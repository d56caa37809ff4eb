//! What a run is to make.

use std::os::fd::OwnedFd;

use chrono::{DateTime, Utc};

use super::expected::Expected;
use crate::engine::{GoodCopies, LinkChecks, MergeOptions};
use crate::fs::{mount_notes, read_marks};
use crate::model::lacking::Lacking;
use crate::model::metadata::Time;
use crate::model::minute::Stamp;
use crate::policy::layout::{PinName, Sort};
use crate::policy::mounts::MountNote;
use crate::policy::touched::ReadMark;
use crate::root::DumpRoot;

/// What the dump that is copied is held against.
#[derive(Clone, Copy)]
pub(crate) struct CheckOrder<'a> {
    /// The dump root that is read.
    pub(crate) root: &'a DumpRoot,
    pub(crate) copies: &'a dyn GoodCopies,
    /// Is a good copy stored in the place of what is damaged?
    pub(crate) heal: bool,
}

/// What is to be made of the trees that a run reads.
pub(crate) struct Order<'a> {
    pub(crate) sort: Sort,
    pub(crate) merge: MergeOptions<'a>,
    /// The minute it is of, when that is not now.
    pub(crate) at: Option<Stamp>,
    /// When what it is a copy of was made, when that is not now.
    pub(crate) moment: Option<DateTime<Utc>>,
    /// What the dump lacks that it is a copy of.
    pub(crate) lacks: Option<Lacking>,
    /// Of which copy of another program it is an import.
    pub(crate) origin: Option<Vec<u8>>,
    /// How much there is in what it is a copy of.
    pub(crate) expected: Option<Expected>,
    /// When the trees were read of which it is a copy.
    pub(crate) read: Vec<ReadMark>,
    /// What it says, as a replica, of when the newest inode was born.
    pub(crate) newest_birth: Option<Time>,
    /// What was mounted below the trees of which it is a copy.
    pub(crate) mounted: Vec<MountNote>,
    /// The pin that it gets.
    pub(crate) pin: Option<PinName>,
    /// Is a tree meant that is empty, though its reference is not?
    pub(crate) allow_empty: bool,
    /// May an expired dump be recycled?
    pub(crate) recycle: bool,
    /// Of a checkpoint that links to the checkpoint before: what its files are
    /// held against before they are linked to.
    pub(crate) linked: Option<&'a LinkChecks>,
    /// Add up first what is needed, and stop when that is not free.
    pub(crate) space_check: bool,
    /// What a published dump is compared with while it is copied.
    pub(crate) check: Option<CheckOrder<'a>>,
}

impl<'a> Order<'a> {
    /// A dump of trees as they are now.
    pub(crate) fn new(sort: Sort, merge: MergeOptions<'a>) -> Self {
        Self {
            sort,
            merge,
            at: None,
            moment: None,
            lacks: None,
            origin: None,
            expected: None,
            read: Vec::new(),
            newest_birth: None,
            mounted: Vec::new(),
            pin: None,
            allow_empty: false,
            recycle: false,
            linked: None,
            space_check: false,
            check: None,
        }
    }

    /// A copy of a published dump, with the marks of that. What is
    /// published was meant, and its disk is there.
    pub(crate) fn copy_of(dump: &OwnedFd, sort: Sort, merge: MergeOptions<'a>) -> Self {
        let merge = MergeOptions {
            source_is_dump: true,
            ..merge
        };
        Self {
            expected: Expected::of(dump),
            read: read_marks::read(dump),
            newest_birth: read_marks::newest_birth(dump).filter(|_| sort == Sort::Checkpoint),
            mounted: mount_notes::read(dump),
            allow_empty: true,
            ..Self::new(sort, merge)
        }
    }
}
