//! Putting the files that are read next into the order in which the disk has them.
//!
//! The catalog gives them by inode number. In dumps of many years that says little of
//! where contents are: a file that was copied today has the number of one that was
//! removed yesterday. So a disk whose heads must move is first asked where each of a
//! few thousand files begins, for which it reads inodes, in their own order; then
//! contents are read in one sweep.
//!
//! What it promises: each file is there once, as before; where the filesystem does not
//! tell, the order stays as it was.

use std::os::fd::AsFd as _;

use super::dump_dirs::{DumpDirs, split};
use crate::catalog::ScrubRow;
use crate::model::kind::Kind;
use crate::root::DumpRoot;
use crate::sys::file;
use crate::sys::name::c_name;

/// How many inodes are put in order at once: their paths take a megabyte.
pub(super) const SWEEP: usize = 4096;

/// Orders them.
pub(super) struct DiskOrder<'r> {
    dirs: DumpDirs<'r>,
}

impl<'r> DiskOrder<'r> {
    pub(super) fn new(root: &'r DumpRoot) -> Self {
        Self {
            dirs: DumpDirs::new(root),
        }
    }

    /// Orders these by where their contents begin; what has none is first. Nothing is
    /// asked any more when it is not to continue.
    pub(super) fn sort(&mut self, rows: &mut [ScrubRow], keep_going: &dyn Fn() -> bool) {
        rows.sort_by_cached_key(|row| keep_going().then(|| self.begins(row)).flatten());
        // A dump that is held longer than it is looked at could not be removed.
        self.dirs.leave();
    }

    /// Where a file begins on the disk. What cannot be opened is told when it is read.
    fn begins(&mut self, row: &ScrubRow) -> Option<u64> {
        if row.facts.kind != Kind::File || row.facts.bytes == 0 {
            return None;
        }
        let (above, name) = split(&row.path);
        let dir = self.dirs.open(row.dump, above).ok()?;
        let opened = file::open_file(dir.as_fd(), &c_name(name)).ok()?;
        file::begins(opened.as_fd()).ok().flatten()
    }
}
