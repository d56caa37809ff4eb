//! A published dump as the source: that it is whole, and stays so until it is
//! copied.
//!
//! A published dump never changes, unless somebody removes it: by hand, since
//! our own removal takes it from its name first, and not while it is held. What
//! is gone then need not show where the merge looks: a directory that went as a
//! whole before the one above it was listed is nowhere missed. So the names are
//! counted, as listings tell them, before the merge and after it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::engine::Totals;
use crate::fs::name_count::NameCount;
use crate::fs::size_marks;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::report::Counts;
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// A published dump that is being read.
pub(crate) struct Published<'a> {
    handle: &'a OwnedFd,
    path: &'a Path,
    before: NameCount,
}

impl<'a> Published<'a> {
    /// Counts what it holds.
    ///
    /// # Errors
    /// [`Error::HalfDump`] when that is less than it was published with.
    pub(crate) fn look(
        handle: &'a OwnedFd,
        path: &'a Path,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let before = NameCount::below(handle, keep_going);
        match size_marks::names(handle) {
            Some(published) if before.complete && before.names < published => {
                Err(Error::HalfDump {
                    path: path.to_path_buf(),
                    entries: before.names,
                    published,
                })
            }
            _ => Ok(Self {
                handle,
                path,
                before,
            }),
        }
    }

    /// One whose names were counted before.
    pub(crate) fn counted(handle: &'a OwnedFd, path: &'a Path, before: NameCount) -> Self {
        Self {
            handle,
            path,
            before,
        }
    }

    /// The names that it had when it was opened.
    pub(crate) fn names(&self) -> NameCount {
        self.before
    }

    /// Is all still there, and was nothing missed while it was read?
    ///
    /// # Errors
    /// [`Error::SourceGone`] when not: what was copied of it is not a dump.
    pub(crate) fn is_still_whole(
        &self,
        vanished: u64,
        keep_going: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let id = |handle: &OwnedFd| stat::look_at(handle).map(|meta| meta.id());
        let there = dir::open_root(self.path, For::Passing);
        let cause = match there.and_then(|there| Ok(id(&there)? == id(self.handle)?)) {
            Ok(true) if vanished == 0 && !self.has_lost_names(keep_going) => return Ok(()),
            Ok(_) => io::Error::other("it was removed while it was being read"),
            Err(cause) => cause,
        };
        let fault = Fault::new(Op::Open, self.path.to_path_buf(), cause);
        Err(Error::SourceGone { fault })
    }

    fn has_lost_names(&self, keep_going: &dyn Fn() -> bool) -> bool {
        let now = NameCount::below(self.handle, keep_going);
        // A run that was stopped has not counted to the end, and publishes
        // nothing.
        keep_going() && now.complete == self.before.complete && now.names < self.before.names
    }
}

/// With how many names a dump is published: as the workers counted them, or by
/// a listing where something was met that they may have counted twice or not
/// at all. `None` when that is unknown.
pub(super) fn names(staging: &Staging<'_>, counts: &Counts, totals: &Totals<'_>) -> Option<u64> {
    let plain = !staging.resumed && counts.vanished == 0 && !totals.has_faults();
    if plain {
        return Some(counts.entries());
    }
    let counted = NameCount::below(staging.handle(), &|| totals.keep_going());
    counted.complete.then_some(counted.names)
}
