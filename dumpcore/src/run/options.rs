//! The options that all operations share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::{MergeOptions, Purpose, Sharing};
use crate::model::event::{Observer, Silent};
use crate::policy::filter::Filter;
use crate::policy::link::LinkPolicy;
use crate::policy::rate_limit::Rate;

/// The options that all operations share: who observes the run, what stops it,
/// and how much of the machine it may use.
///
/// All operations take it by their `options` method, and each of its settings
/// by a method of the same name. It is cheap to clone, so one value can serve
/// several operations.
///
/// ```no_run
/// use dumpcore::{Checkpoint, Rate, RunOptions, Snapshot};
/// use std::sync::Arc;
/// use std::sync::atomic::AtomicBool;
///
/// let stop = Arc::new(AtomicBool::new(false));
/// let options = RunOptions::new()
///     .stop(Arc::clone(&stop))
///     .bwlimit("20M".parse::<Rate>()?);
/// Snapshot::new("/dump").main("/home").options(options.clone()).run()?;
/// // Nothing has a lifetime, so it can be moved to another thread.
/// std::thread::spawn(move || Checkpoint::new("/dump").options(options).jobs(2).run());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[doc(alias = "async")]
#[doc(alias = "tokio")]
#[must_use = "an operation has to be given them"]
pub struct RunOptions {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) dry_run: bool,
    pub(crate) jobs: Option<usize>,
    pub(crate) bwlimit: Rate,
    pub(crate) catalog: bool,
    pub(crate) moves: bool,
    pub(crate) whole_files: bool,
    pub(crate) settle: Duration,
    pub(crate) catch_up: Duration,
    pub(crate) local_state: Option<PathBuf>,
}

impl RunOptions {
    /// No observer, no stop flag, no limits; with the catalog.
    pub fn new() -> Self {
        Self {
            observer: Arc::new(Silent),
            stop: Arc::default(),
            dry_run: false,
            jobs: None,
            bwlimit: Rate::UNLIMITED,
            catalog: true,
            moves: true,
            whole_files: false,
            settle: Duration::from_secs(60),
            catch_up: Duration::from_secs(5),
            local_state: None,
        }
    }

    /// Receives every event, from several threads at once. Keep a clone of
    /// the `Arc` to ask the observer afterwards what it received.
    #[doc(alias = "progress")]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Stops the operation when it becomes true, from any thread or a signal
    /// handler: within a second or so, unless a filesystem does not answer.
    #[doc(alias = "cancel")]
    #[doc(alias = "abort")]
    pub fn stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = flag;
        self
    }

    /// Only reports what would be done: nothing is written, no lock is taken.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// The number of workers, the calling thread among them; 0 counts as 1.
    /// `None`, the default, chooses it by the disks, the network and the
    /// processors. There are fewer where file descriptors are short, and a
    /// warning says so.
    pub fn jobs(mut self, jobs: impl Into<Option<usize>>) -> Self {
        self.jobs = jobs.into();
        self
    }

    /// Limits how fast contents are copied, by all workers together. Looking,
    /// linking, comparing and removing do not count. Unlimited by default.
    pub fn bwlimit(mut self, rate: Rate) -> Self {
        self.bwlimit = rate;
        self
    }

    /// Uses what the catalog of the dump root remembers, and adds to it: the
    /// default. Without it every entry is compared with the dump before. It has
    /// no effect without the crate's feature `catalog`.
    pub fn catalog(mut self, yes: bool) -> Self {
        self.catalog = yes;
        self
    }

    /// Links what was moved or renamed since the last dump to where it was
    /// there: the default. It takes the catalog.
    pub fn moves(mut self, yes: bool) -> Self {
        self.moves = yes;
        self
    }

    /// Stores each file that has changed as a whole. By default one of 1 MiB or
    /// more shares the blocks that are the same with its version in the dump
    /// before, where the filesystem can (xfs, btrfs): they take space once, and a
    /// block that the disk loses is lost in both.
    pub fn whole_files(mut self, yes: bool) -> Self {
        self.whole_files = yes;
        self
    }

    /// How old a file's time of change must be before it proves that the file
    /// was not changed again: 60 s by default, at least a tick of the clock. The
    /// contents of a file that changed later than that before it was read are
    /// compared in the next dump. One long write(2) moves the time of change at
    /// its beginning only.
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = time;
        self
    }

    /// How long a run may take to enter dumps that the catalog does not know,
    /// because they were made without it: 5 s by default. What is left is for
    /// the next runs; until the newest dump is known, entries are compared as
    /// without the catalog.
    pub fn catch_up(mut self, time: Duration) -> Self {
        self.catch_up = time;
        self
    }

    /// A directory of this machine, made if it is missing, for the catalogs of
    /// dump roots on filesystems where SQLite's locks cannot be relied on: on a
    /// network or in user space. Each has a directory of its own in there, named
    /// by the dump root's id. Without it, which is the default, such a dump root
    /// has no catalog.
    pub fn local_state(mut self, directory: impl Into<Option<PathBuf>>) -> Self {
        self.local_state = directory.into();
        self
    }

    /// What a merge is told for an operation that writes, or would.
    pub(crate) fn merge<'a>(&self, policy: &'a LinkPolicy, filter: &'a Filter) -> MergeOptions<'a> {
        MergeOptions {
            purpose: if self.dry_run {
                Purpose::DryRun
            } else {
                Purpose::Store
            },
            policy,
            filter,
            one_file_system: false,
            source_is_dump: false,
            sharing: match self.whole_files {
                true => Sharing::SameFiles,
                false => Sharing::SameBlocks,
            },
            bwlimit: self.bwlimit,
            hash: false,
            follow_moves: self.moves,
            settle: self.settle,
        }
    }

    /// Was the operation not asked to stop?
    pub(crate) fn keep_going(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("stop", &self.stop)
            .field("dry_run", &self.dry_run)
            .field("jobs", &self.jobs)
            .field("bwlimit", &self.bwlimit)
            .field("catalog", &self.catalog)
            .field("moves", &self.moves)
            .field("whole_files", &self.whole_files)
            .field("settle", &self.settle)
            .field("catch_up", &self.catch_up)
            .field("local_state", &self.local_state)
            .finish_non_exhaustive()
    }
}

/// The methods of a builder, in its `impl`, that set its field `options`.
/// Methods of a trait would have to be imported by the code that calls them.
macro_rules! takes_run_options {
    () => {
        /// All shared options in one value. It replaces what was set before by
        /// this method and by those of single options.
        pub fn options(mut self, options: $crate::run::RunOptions) -> Self {
            self.options = options;
            self
        }

        /// Receives every event; see
        /// [`RunOptions::observer`](crate::RunOptions::observer).
        pub fn observer(
            mut self,
            observer: std::sync::Arc<dyn $crate::model::event::Observer>,
        ) -> Self {
            self.options = self.options.observer(observer);
            self
        }

        /// Stops the run when it becomes true; see
        /// [`RunOptions::stop`](crate::RunOptions::stop).
        pub fn stop(mut self, flag: std::sync::Arc<std::sync::atomic::AtomicBool>) -> Self {
            self.options = self.options.stop(flag);
            self
        }

        /// Only reports what would be done; see
        /// [`RunOptions::dry_run`](crate::RunOptions::dry_run).
        pub fn dry_run(mut self, yes: bool) -> Self {
            self.options = self.options.dry_run(yes);
            self
        }

        /// The number of workers; see
        /// [`RunOptions::jobs`](crate::RunOptions::jobs).
        pub fn jobs(mut self, jobs: impl Into<Option<usize>>) -> Self {
            self.options = self.options.jobs(jobs);
            self
        }

        /// Limits how fast contents are copied; see
        /// [`RunOptions::bwlimit`](crate::RunOptions::bwlimit).
        pub fn bwlimit(mut self, rate: $crate::policy::rate_limit::Rate) -> Self {
            self.options = self.options.bwlimit(rate);
            self
        }
    };
}
pub(crate) use takes_run_options;
