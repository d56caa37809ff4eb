//! What all parts of a scrub share.

use std::io;
use std::time::{Instant, SystemTime};

use crate::catalog::{ScrubRow, WalkOptions};
use crate::engine::{Budget, Throttle};
use crate::model::error::Error;
use crate::model::event::Event;
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::model::storage::Storage;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::run::{RunOptions, removing};
use crate::sys::{errno, medium};

/// How many workers there are at most where the caller says nothing: a disk has enough
/// to do with them, and each has a buffer of a megabyte.
const MOST_JOBS: usize = 8;

pub(super) struct Worksite<'s> {
    pub(super) root: &'s DumpRoot,
    options: &'s RunOptions,
    pub(super) throttle: Throttle,
    pub(super) deadline: Option<Instant>,
    pub(super) jobs: usize,
}

impl<'s> Worksite<'s> {
    pub(super) fn new(
        root: &'s DumpRoot,
        options: &'s RunOptions,
        deadline: Option<Instant>,
    ) -> Self {
        let jobs = options
            .jobs
            .unwrap_or_else(|| removing::removing_jobs(root).min(MOST_JOBS));
        Self {
            root,
            options,
            throttle: Throttle::new(options.bwlimit),
            deadline,
            jobs: Budget::new(jobs).jobs(),
        }
    }

    /// Is the dump root on a disk whose heads must move?
    pub(super) fn has_heads(&self) -> bool {
        medium::of(self.root.handle()) == Storage::Rotating
    }

    pub(super) fn event(&self, event: Event<'_>) {
        self.options.observer.event(event);
    }

    pub(super) fn is_stopped(&self) -> bool {
        !self.options.keep_going()
    }

    /// May something more be begun?
    pub(super) fn may_begin(&self) -> bool {
        let in_time = |deadline| Instant::now() < deadline;
        !self.is_stopped() && self.deadline.is_none_or(in_time)
    }

    /// Bytes were read: waits as long as the rate asks for. Says whether to
    /// continue.
    pub(super) fn was_read(&self, bytes: u64) -> bool {
        self.event(Event::Copied(bytes));
        self.throttle.hold_up(bytes, || !self.is_stopped());
        !self.is_stopped()
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
    }

    pub(super) fn walk_options<'w>(
        &'w self,
        in_time: Option<&'w (dyn Fn() -> bool + Sync)>,
    ) -> WalkOptions<'w> {
        WalkOptions {
            observer: &*self.options.observer,
            stop: &self.options.stop,
            in_time,
            jobs: self.jobs,
        }
    }

    /// Nothing more can be read: the disk is gone, or this process lacks something.
    pub(super) fn gone(&self, row: &ScrubRow, cause: io::Error) -> Error {
        self.unseen(row.dump, &row.path, cause)
    }

    /// The same of a path of a dump.
    pub(super) fn unseen(&self, dump: DumpId, path: &RelPath, cause: io::Error) -> Error {
        let path = path.below(&self.root.path().join(dump.path()));
        let shortage = errno::is_shortage(&cause);
        let fault = Fault::new(Op::Read, path, cause);
        match shortage {
            true => Error::Shortage { fault },
            false => fault.into(),
        }
    }
}
