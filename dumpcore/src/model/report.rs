//! What a run did: the figures that are printed at its end.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::path::PathBuf;

use chrono::{DateTime, Local};

use crate::model::event::Warning;
use crate::model::fault::Fault;
use crate::model::storage::Jobs;

/// A number of entries and the bytes of their contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// The sum of their sizes in bytes; symlinks and specials count 0.
    pub bytes: u64,
}

impl Count {
    /// A number of entries, and their bytes.
    #[must_use]
    pub const fn new(number: u64, bytes: u64) -> Self {
        Self { number, bytes }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.number += other.number;
        self.bytes += other.bytes;
    }
}

impl Add for Count {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

impl<'a> Sum<&'a Count> for Count {
    fn sum<I: Iterator<Item = &'a Count>>(counts: I) -> Self {
        counts.copied().sum()
    }
}

/// The counts of a run. Those of several runs can be added.
///
/// ```
/// use dumpcore::{Count, Counts};
///
/// let mut week = Counts::default();
/// week.copied_new = Count::new(2, 300);
/// let total: Counts = [week.clone(), week].iter().sum();
/// assert_eq!(total.copied(), Count::new(4, 600));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Regular files in the dump; each name counts.
    pub files: Count,
    /// Directories in the dump, roots included.
    pub directories: u64,
    /// Symlinks in the dump.
    pub symlinks: u64,
    /// FIFOs, sockets and devices in the dump.
    pub specials: u64,
    /// Names that are hard links to another name of the same dump.
    pub hard_links: u64,
    /// Linked to the reference.
    pub linked: Count,
    /// Of those: which have another path in the reference, since they were moved
    /// or renamed, or a directory above them was.
    pub moved: Count,
    /// Copied: not in the reference.
    pub copied_new: Count,
    /// Copied: the contents changed, or may have.
    pub copied_changed: Count,
    /// Copied: only attributes differ.
    pub copied_attributes: Count,
    /// Copied although they are unchanged, because links to the reference were
    /// refused.
    pub copied_refused: Count,
    /// Copied although they are unchanged, because the reference no longer holds
    /// what was stored in it: only in a
    /// [linked checkpoint](crate::Checkpoint::linked).
    pub copied_damaged: Count,
    /// Bytes that all copies take on disk, without holes; those of directories are
    /// not among them.
    pub allocated: u64,
    /// Bytes that directories take beyond a block of 4 KiB each, as in the tree.
    pub large_directories: u64,
    /// Found in place, left there by a run that stopped.
    pub kept: Count,
    /// Files whose contents were compared with what was stored of them, since
    /// they may have been touched, or since that was asked for.
    pub compared: Count,
    /// Of those: which hold what was stored.
    pub compared_same: Count,
    /// Files of a dump that were copied, and had the hash that was recorded of them.
    pub checked: Count,
    /// Files of a dump that were damaged, and of which a good copy was stored
    /// instead.
    pub healed: Count,
    /// Left out by rules; what is below an excluded directory is not counted.
    pub excluded: u64,
    /// Other filesystems that were left out: all with
    /// [`one_file_system`](crate::Snapshot::one_file_system), else what the
    /// kernel itself makes up (proc, sysfs, …).
    pub other_filesystems: u64,
    /// Gone before they could be read.
    pub vanished: u64,
    /// In the reference, and no longer in the tree; all that was below a removed
    /// directory counts. Not known of a directory whose modification time was
    /// set back to what it was.
    pub removed: u64,
    /// Entries that could not be stored, or not as they are, and those of
    /// `reference_faults`.
    pub faults: u64,
    /// Of those: entries that are damaged in the reference and whole in this dump, or
    /// that differ from the source although nothing says that they changed. Only in a
    /// [linked checkpoint](crate::Checkpoint::linked).
    pub reference_faults: u64,
}

impl Counts {
    /// All names that the dump has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.files.number + self.directories + self.symlinks + self.specials
    }

    /// Faults of entries that the dump lacks, or does not have as they are.
    #[must_use]
    pub fn lacking(&self) -> u64 {
        self.faults.saturating_sub(self.reference_faults)
    }

    /// Everything that was copied.
    #[must_use]
    pub fn copied(&self) -> Count {
        let refused = self.copied_refused + self.copied_damaged;
        self.copied_new + self.copied_changed + self.copied_attributes + refused
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        // Named one by one, so that a count that is added later is not forgotten.
        let Counts {
            files,
            directories,
            symlinks,
            specials,
            hard_links,
            linked,
            moved,
            copied_new,
            copied_changed,
            copied_attributes,
            copied_refused,
            copied_damaged,
            allocated,
            large_directories,
            kept,
            compared,
            compared_same,
            checked,
            healed,
            excluded,
            other_filesystems,
            vanished,
            removed,
            faults,
            reference_faults,
        } = *other;
        self.files += files;
        self.directories += directories;
        self.symlinks += symlinks;
        self.specials += specials;
        self.hard_links += hard_links;
        self.linked += linked;
        self.moved += moved;
        self.copied_new += copied_new;
        self.copied_changed += copied_changed;
        self.copied_attributes += copied_attributes;
        self.copied_refused += copied_refused;
        self.copied_damaged += copied_damaged;
        self.allocated += allocated;
        self.large_directories += large_directories;
        self.kept += kept;
        self.compared += compared;
        self.compared_same += compared_same;
        self.checked += checked;
        self.healed += healed;
        self.excluded += excluded;
        self.other_filesystems += other_filesystems;
        self.vanished += vanished;
        self.removed += removed;
        self.faults += faults;
        self.reference_faults += reference_faults;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += &other;
        self
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

impl<'a> Sum<&'a Counts> for Counts {
    fn sum<I: Iterator<Item = &'a Counts>>(counts: I) -> Self {
        let mut total = Self::default();
        counts.for_each(|counts| total += counts);
        total
    }
}

/// What a run did.
///
/// Made only by a run that published (or, for a dry run, would have): a run
/// that failed ends in an [`Error`](crate::Error) instead. Counts are of names
/// as they were met, sizes in bytes as the source's metadata says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The dump, as published: `DUMP/2026/1122/2331`.
    pub dump: PathBuf,
    /// The dump that unchanged entries were linked to; of several (trees that
    /// took turns in the dump root) `current` if it is among them, else that of
    /// the first tree.
    pub reference: Option<PathBuf>,
    /// The dump that this is a copy of; `None` for a dump of trees.
    pub source: Option<PathBuf>,
    /// When reading began.
    pub start: DateTime<Local>,
    /// When the dump was published.
    pub end: DateTime<Local>,
    /// Was it a dry run?
    pub dry_run: bool,
    /// Was a leftover of an earlier run taken over?
    pub resumed: bool,
    /// The path that the expired dump had which this one was made from, since little
    /// differed; see [`Snapshot::recycle`](crate::Snapshot::recycle). What it had in
    /// place already counts as linked.
    pub recycled_from: Option<PathBuf>,
    /// How many workers there were, and why that many.
    pub jobs: Jobs,
    /// Entry and byte counts.
    pub counts: Counts,
    /// Files that were read back from the disk and found to be what was read;
    /// each name counts. `None` where that was not asked for.
    pub verified: Option<Count>,
    /// How many entries the dump lacks, for which it is marked as partial:
    /// those that are faults ([`Counts::lacking`]), and those that the dump lacked
    /// already which it is a copy of.
    pub missing: u64,
    /// Every fault, up to [`Report::MAX_LISTED`]; `counts.faults` has the
    /// whole number.
    pub faults: Vec<Fault>,
    /// Every warning, up to [`Report::MAX_LISTED`]; last what vanished.
    pub warnings: Vec<Warning>,
    /// How many warnings there were.
    pub warnings_total: u64,
    /// Free bytes for the runner on the dump's filesystem, at the end.
    pub free_bytes: Option<u64>,
}

impl Report {
    /// How many faults and warnings a report holds at most, so that a tree
    /// full of them does not fill the memory; observers hear of all.
    pub const MAX_LISTED: usize = 10_000;

    /// Duration of the run in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.end - self.start).as_seconds_f64()
    }

    /// Was everything dumped, and whole what was linked to? Vanished files do not count
    /// against it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.counts.faults == 0
    }
}
