//! One run that publishes: the order of its steps, the same for all that runs
//! make.
//!
//! A dump, a checkpoint and a replica differ in what they read, what they link
//! to and which links they move; everything else is here, once: guards before
//! anything is made, the lock, the name, what an earlier run left behind, the
//! merge, the flush, and making it visible. Anything that fails before the last
//! of these leaves all that was published as it was.

mod budget;
mod checking;
mod evidence;
pub(crate) mod expected;
mod flush;
mod forecast;
mod lacks;
mod leftover;
mod merge;
pub(crate) mod mount_memory;
mod options;
mod order;
mod parents;
mod publication;
mod published;
mod recycle;
mod reference;
mod remember;
pub(crate) mod removing;
pub(crate) mod restore;
mod set_aside;
mod space;
mod target;
mod trees;
mod vanished;

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

pub use self::options::RunOptions;
pub(crate) use self::options::takes_run_options;
pub(crate) use self::order::{CheckOrder, Order};
pub(crate) use self::published::Published;
pub(crate) use self::trees::{Source, roots_of_dump};
use crate::engine::{self, Budget, Checked, Totals};
use crate::model::error::Error;
use crate::model::event::{Event, Phase};
use crate::model::metadata::Capabilities;
use crate::policy::layout::{self, DumpName, LinkTarget, Sort};
use crate::root::DumpRoot;
use crate::root::links;
use crate::root::listing::Dated;
use crate::root::lock::DumpLock;
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};

/// A dump that is whole and flushed, but not yet published.
pub(crate) struct Made<'m> {
    pub(crate) staging: &'m Staging<'m>,
    pub(crate) capabilities: &'m Capabilities,
    pub(crate) totals: &'m Totals<'m>,
    /// What it was compared with while it was copied.
    pub(crate) checked: Option<&'m Checked<'m>>,
    budget: Budget,
}

/// What is done to a dump before it is published.
pub(crate) type Check<'c> = dyn FnMut(&Made<'_>) -> Result<(), Error> + 'c;

/// A dump root held for one run.
pub(crate) struct Run {
    pub(crate) dump: DumpRoot,
    lock: Option<DumpLock>,
    pub(crate) current: Option<LinkTarget>,
    init: bool,
    /// A `current` that is later than this is of a clock that was wrong, and
    /// keeps no other from becoming `current`.
    pub(crate) latest: Option<DateTime<Utc>>,
    pub(crate) options: RunOptions,
}

impl Run {
    /// Opens a dump root and takes its lock (not for a dry run, which writes
    /// nothing); `init` says that it must not have a `current` yet.
    pub(crate) fn open(path: PathBuf, init: bool, options: RunOptions) -> Result<Self, Error> {
        options.observer.event(Event::Phase(Phase::Preparing));
        let dump = engine::watched(&*options.observer, &path, || DumpRoot::open(&path))?;
        let dump = dump.with_local_state(options.local_state.clone());
        dump.outside_of_dumps()?;
        if init {
            dump.may_begin()?;
        }
        // Before a lock is made: what is not a dump root, or the empty mount
        // point of one, stays as it is.
        let mut current = match guard_current(&dump, init) {
            Ok(current) => current,
            Err(error) => {
                dump.is_free()?;
                return Err(error);
            }
        };
        let mut lock = None;
        if !options.dry_run {
            lock = Some(dump.lock()?);
            current = guard_current(&dump, init)?;
        }
        Ok(Self {
            dump,
            lock,
            current,
            init,
            latest: None,
            options,
        })
    }

    /// A tree that is empty, while its reference is not, is most likely a
    /// disk that is not mounted.
    fn guard(&self, source: &Source, order: &Order<'_>) -> Result<(), Error> {
        let name = source.name.to_bytes();
        if order.merge.filter.excludes(name, true) {
            return Err(Error::MainExcluded {
                path: source.path.clone(),
            });
        }
        let unusable = |cause| Error::MainUnusable {
            path: source.path.clone(),
            cause,
        };
        if order.allow_empty || !dir::is_empty(source.handle.as_fd()).map_err(unusable)? {
            return Ok(());
        }
        let Some(reference) = &source.reference else {
            return Ok(());
        };
        let copy = dir::open_dir(reference.handle.as_fd(), &source.name, For::Reading);
        match copy.and_then(|copy| dir::is_empty(copy.as_fd())) {
            Ok(false) => Err(Error::MainEmpty {
                path: source.path.clone(),
                reference: reference.path.join(name).below(self.dump.path()),
            }),
            _ => Ok(()),
        }
    }

    /// Points the links at a dump that is there, if they point to none or to
    /// an older one: a run that ended between making it visible and pointing
    /// to it left them so.
    pub(crate) fn catch_up(&self, name: DumpName) -> Result<(), Error> {
        let current = self.current.as_ref().and_then(|current| current.name);
        let is_there = self.dump.open_dump(&name.rel_path()).is_ok();
        let there = self.dump.listing().dated(name);
        let named = current == Some(name) || self.is_older(there);
        if self.options.dry_run || named || !is_there {
            return Ok(());
        }
        let links = match self.dump.is_linked(name) {
            true => vec![layout::CURRENT_CHECKPOINT],
            false => self.links_of(name.sort),
        };
        links::point(&self.dump, name, &links)
    }

    /// Which links are moved to what is ordered. Dumps are never linked to a linked
    /// checkpoint, so `current` stays.
    fn links(&self, order: &Order<'_>) -> Vec<&'static str> {
        match order.linked {
            Some(_) => vec![layout::CURRENT_CHECKPOINT],
            None => self.links_of(order.sort),
        }
    }

    /// Which links are moved to a new dump. A root that has lost its `current`
    /// may still know its checkpoint.
    fn links_of(&self, sort: Sort) -> Vec<&'static str> {
        let knows_checkpoint = || matches!(self.dump.link(layout::CURRENT_CHECKPOINT), Ok(Some(_)));
        if sort == Sort::Checkpoint || self.init && !knows_checkpoint() {
            vec![layout::CURRENT_CHECKPOINT, layout::CURRENT]
        } else {
            vec![layout::CURRENT]
        }
    }

    /// Does `current` name a dump that is newer than this one?
    fn is_older(&self, made: Dated) -> bool {
        let current = self.current.as_ref().and_then(|current| current.name);
        let current = current.map(|name| self.dump.listing().dated(name));
        let is_real = |current: &Dated| self.latest.is_none_or(|at| current.moment <= at);
        current
            .filter(is_real)
            .is_some_and(|current| current > made)
    }
}

/// What `current` names: nothing only when it is the first dump that is made.
fn guard_current(dump: &DumpRoot, init: bool) -> Result<Option<LinkTarget>, Error> {
    match dump.link(layout::CURRENT)? {
        None if !init => Err(Error::NoCurrent {
            dump: dump.path().to_path_buf(),
        }),
        Some(current) if init => Err(Error::AlreadyInitialised {
            target: current.dir.as_path().to_path_buf(),
            dump: dump.path().to_path_buf(),
        }),
        current => Ok(current),
    }
}
