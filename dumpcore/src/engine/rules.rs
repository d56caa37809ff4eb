//! What holds for a whole merge: what the run that orders it says, and what
//! was found out about its target.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use super::MountsMet;
use super::catalogued::Catalogued;
use super::checked::Checked;
use super::earlier_name::EarlierName;
use super::link_checks::LinkChecks;
use crate::fs::folding::Folding;
use crate::fs::link_counts::LinkCounts;
use crate::fs::xattr_map::Marks;
use crate::model::metadata::{Capabilities, Id, Time};
use crate::policy::filter::Filter;
use crate::policy::link::LinkPolicy;
use crate::policy::rate_limit::Rate;
use crate::root::watermark::Watermark;
use crate::sys::pages::Pages;

/// What a merge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To make a dump.
    Store,
    /// To tell what a dump would do.
    DryRun,
    /// To add up what a dump would copy.
    Estimate,
    /// To compare a copy with what it was made of: the reference is that copy,
    /// and what would be copied again differs.
    Verify,
    /// To make a version of a path once more.
    Restore,
    /// To make what a place lacks of a version, or has otherwise: the reference is
    /// that place, and what is the same there is made nowhere.
    Mend,
}

impl Purpose {
    /// Is something made?
    pub(crate) fn makes(self) -> bool {
        matches!(self, Purpose::Store | Purpose::Restore | Purpose::Mend)
    }

    /// Does somebody get back what a dump has?
    pub(super) fn restores(self) -> bool {
        matches!(self, Purpose::Restore | Purpose::Mend)
    }

    /// What becomes of the pages of what is read and written.
    pub(super) fn pages(self) -> Pages {
        match self {
            Purpose::Store | Purpose::DryRun | Purpose::Verify => Pages::Spare,
            // An estimate is followed by the copying, and what is restored is
            // wanted soon.
            Purpose::Estimate | Purpose::Restore | Purpose::Mend => Pages::Keep,
        }
    }
}

/// With what a copy may share blocks, where the filesystem can do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With nothing.
    Nothing,
    /// With the reference, when that has the same contents.
    SameFiles,
    /// With the reference, whatever blocks are the same in it.
    SameBlocks,
    /// With the source.
    Source,
}

/// What the run that orders a merge says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeOptions<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) policy: &'a LinkPolicy,
    pub(crate) filter: &'a Filter,
    /// Leave what is mounted below empty.
    pub(crate) one_file_system: bool,
    /// Is the source a published dump, whose access times are to be kept?
    pub(crate) source_is_dump: bool,
    pub(crate) sharing: Sharing,
    /// Link what was moved or renamed to where it was, as the catalog knows it.
    pub(crate) follow_moves: bool,
    /// How old a time of change must be to prove that nothing came after it.
    pub(crate) settle: Duration,
    /// How fast contents may be copied, by all workers together.
    pub(crate) bwlimit: Rate,
    /// Take the hash of the contents that are copied.
    pub(crate) hash: bool,
}

/// What holds for a whole run.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) options: MergeOptions<'a>,
    /// What the target can keep.
    pub(crate) capabilities: &'a Capabilities,
    /// How many names each inode has in what is read, where its link count
    /// does not tell: in a published dump.
    pub(crate) names: Option<&'a LinkCounts>,
    /// Of the first directories only these names, one of each level: the way
    /// from the top to what is needed. Below them all of it.
    pub(crate) only: &'a [CString],
    /// What is to be remembered of those that are stored.
    pub(crate) marks: Option<&'a Marks>,
    /// The dump root, when setuid bits count there.
    pub(crate) honours_setuid: Option<&'a Path>,
    /// Is each file and directory flushed by itself, since a flush of all does not
    /// reach the disk?
    pub(crate) flush_each: bool,
    /// What in the target has surely reached the disk.
    pub(crate) watermark: Option<&'a Watermark>,
    /// When the directory was born in which the dump is made, if an expired dump was
    /// moved into it: what was born before is of that one.
    pub(crate) recycled_at: Option<Time>,
    /// Where attributes may be tried out; nowhere in a dry run.
    pub(crate) scratch: Option<&'a OwnedFd>,
    /// Directories that are left out wherever they are met: the dump root,
    /// and what is being made in it.
    pub(crate) leave_out: Vec<Id>,
    /// The filesystem that links would be made on, for a dry run to foresee which
    /// are refused.
    pub(crate) link_dev: Option<u64>,
    /// What is met of mounts.
    pub(crate) mounts: Option<&'a MountsMet>,
    /// Which names are one in the target.
    pub(crate) folding: Folding,
    /// How many names an inode of the dump can have.
    pub(crate) most_links: Option<u32>,
    /// Files of the reference are read before they are linked to, and held
    /// against this.
    pub(crate) link_checks: Option<&'a LinkChecks>,
    /// What is remembered of the trees, where that is of use.
    pub(crate) catalogued: Option<&'a Catalogued>,
    /// What is known of the contents of the dump that is copied.
    pub(crate) checked: Option<&'a Checked<'a>>,
    /// Inodes of the source that have names already, which earlier merges made.
    pub(crate) earlier: Option<&'a HashMap<Id, EarlierName>>,
}

impl<'a> Rules<'a> {
    /// Those of a merge into a target of which nothing more is known.
    pub(crate) fn new(options: MergeOptions<'a>, capabilities: &'a Capabilities) -> Self {
        Self {
            options,
            capabilities,
            names: None,
            only: &[],
            marks: None,
            honours_setuid: None,
            flush_each: false,
            watermark: None,
            recycled_at: None,
            scratch: None,
            leave_out: Vec::new(),
            link_dev: None,
            mounts: None,
            folding: Folding::default(),
            most_links: None,
            link_checks: None,
            catalogued: None,
            checked: None,
            earlier: None,
        }
    }

    /// Is an entry linked when the catalog says that it is unchanged? Not when
    /// more is asked for than that.
    pub(super) fn links_by_catalog(&self) -> bool {
        self.options.purpose == Purpose::Store && self.options.policy.is_plain()
    }

    /// Is a copy compared with what it was made of? Contents are read then from
    /// the disk, not from what is cached.
    pub(super) fn verifies(&self) -> bool {
        self.options.purpose == Purpose::Verify
    }

    /// Is what is the same as the reference left there, and made nowhere?
    pub(super) fn leaves_what_is_same(&self) -> bool {
        self.options.purpose == Purpose::Mend
    }
}
