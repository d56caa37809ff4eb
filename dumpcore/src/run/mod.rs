//! One run that publishes: the order of its steps, the same for all that runs
//! make.
//!
//! A dump, a checkpoint and a replica differ in what they read, what they link
//! to and which links they move; everything else is here, once: guards before
//! anything is made, the lock, the name, what an earlier run left behind, the
//! merge, the flush, and making it visible. Anything that fails before the last
//! of these leaves all that was published as it was.

mod budget;
mod evidence;
mod flush;
mod lacks;
mod leftover;
mod merge;
pub(crate) mod mount_memory;
mod options;
mod parents;
mod published;
mod reference;
pub(crate) mod removing;
pub(crate) mod restore;
mod space;
mod target;
mod trees;
mod vanished;

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use chrono::{DateTime, Local, Utc};

use self::evidence::Evidence;
use self::merge::Work;
pub use self::options::RunOptions;
pub(crate) use self::options::takes_run_options;
pub(crate) use self::published::Published;
pub(crate) use self::trees::{Source, roots_of_dump};
use self::vanished::Vanished;
use crate::engine::{self, Budget, MountsMet, Totals};
use crate::fs::{capabilities, folding};
use crate::model::error::Error;
use crate::model::event::{Event, Phase, Warning};
use crate::model::metadata::{Capabilities, Time};
use crate::model::minute::Stamp;
use crate::model::report::Report;
use crate::policy::filter::Filter;
use crate::policy::layout::{self, DumpName, LinkTarget, Sort};
use crate::policy::link::LinkPolicy;
use crate::policy::mounts::MountNote;
use crate::policy::touched::ReadMark;
use crate::root::DumpRoot;
use crate::root::listing::Dated;
use crate::root::lock::DumpLock;
use crate::root::staging::{self, Staging, Tells};
use crate::sys::clock;
use crate::sys::dir::{self, For};
use crate::sys::pages::Pages;

/// What is to be made.
pub(crate) struct Order<'a> {
    pub(crate) sources: Vec<Source>,
    pub(crate) sort: Sort,
    pub(crate) policy: &'a LinkPolicy,
    pub(crate) filter: &'a Filter,
    /// The minute it is of, when that is not now.
    pub(crate) at: Option<Stamp>,
    /// When what it is a copy of was made, when that is not now.
    pub(crate) moment: Option<DateTime<Utc>>,
    /// How many entries what it is a copy of lacks.
    pub(crate) lacks: u64,
    /// When the trees were read of which it is a copy.
    pub(crate) read: Vec<ReadMark>,
    /// What it says, as a replica, of when the newest inode was born.
    pub(crate) newest_birth: Option<Time>,
    /// What was mounted below the trees of which it is a copy.
    pub(crate) mounted: Vec<MountNote>,
    pub(crate) allow_empty: bool,
    pub(crate) one_file_system: bool,
    /// Is a published dump what is read?
    pub(crate) source_is_dump: bool,
    /// Add up first what is needed, and stop when that is not free.
    pub(crate) space_check: bool,
}

/// A dump that is whole and flushed, but not yet published.
pub(crate) struct Made<'m> {
    pub(crate) staging: &'m Staging<'m>,
    pub(crate) capabilities: &'m Capabilities,
    pub(crate) totals: &'m Totals<'m>,
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

    /// Makes what is ordered, has it checked, and publishes it.
    fn publish(&self, mut order: Order<'_>, check: &mut Check<'_>) -> Result<Report, Error> {
        // Before anything is read.
        let clock = clock::look();
        let start = Local::now();
        let vanished = Vanished::new(&*self.options.observer);
        let totals = Totals::new(&vanished, Some(&self.options.stop));
        let moment = order.moment.unwrap_or_else(|| start.to_utc());
        let reference = self.choose_references(&mut order, start.to_utc())?;
        for source in &order.sources {
            self.guard(source, &order)?;
        }
        let trees = order.sources.iter().map(|source| source.handle.as_fd());
        let (budget, jobs) = budget::budget(self.options.jobs, trees, self.dump.handle(), &totals);
        let mut named = self.name(&order, Stamp::of(&start), &totals)?;
        let published = self.dump.path().join(named.name.path());
        let reference_path = reference.as_ref().map(|r| r.path.below(self.dump.path()));
        totals.event(Event::Started {
            dump: &published,
            reference: reference_path.as_deref(),
        });
        // What is copied of a dump, or brought in from elsewhere, is what it is.
        if !order.source_is_dump && order.at.is_none() {
            for reference in trees::missing(&self.dump, &order.sources) {
                totals.warn(Warning::MissingTree { reference });
            }
        }
        if self.init && !order.source_is_dump {
            self.tell_of_closed_parents(&order.sources, &totals);
        }
        let made = Dated {
            moment,
            name: named.name,
        };
        let links = match order.at {
            // Of an import that is older than what `current` names, none.
            Some(_) if self.is_older(made) => Vec::new(),
            _ => self.links(order.sort),
        };
        let mut resumed = named.leftover.is_some();
        let evidence = Evidence::of(&order, clock);
        let mut sources = std::mem::take(&mut order.sources);
        self.check_space_before(&order, &sources, named.leftover.as_ref(), (budget, &totals))?;
        let met = MountsMet::default();
        let work = Work {
            policy: order.policy,
            filter: Some(order.filter),
            one_file_system: order.one_file_system,
            may_share: order.sort == Sort::Dump,
            source_is_dump: order.source_is_dump,
            pages: Pages::Spare,
            from_disk: false,
            scratch: None,
            budget,
            met: Some(&met),
            mounted: &order.mounted,
            folding: folding::guess(self.dump.handle().as_fd()),
        };
        totals.event(Event::Phase(Phase::Storing));
        if self.options.dry_run {
            self.tell_of_folding(work.folding, &sources, &totals)?;
            evidence.weigh(&mut sources, None);
            let expected = self.recall_mounts(&mut sources, |s, dump| evidence.since(s, dump));
            self.merge(
                &work,
                sources,
                None,
                &capabilities::guess(self.dump.handle()),
                &totals,
            )?;
            self.note_mounts(&order, (met, expected), None, &totals)?;
        } else {
            if let Some(leftover) = &mut named.leftover {
                let of = leftover.name;
                leftover.newest = self.trim_leftover(of, &order, &sources, (budget, &totals))?;
            }
            let (staging, capabilities) =
                self.staging(named.name, named.leftover.take(), &sources, &totals)?;
            resumed = staging.resumed;
            evidence.begin(&staging)?;
            evidence.weigh(&mut sources, resumed.then(|| staging.handle()));
            let expected = self.recall_mounts(&mut sources, |s, dump| evidence.since(s, dump));
            if capabilities.user_xattrs {
                self.tell_of_missing_marks(&evidence, &sources, &totals);
            }
            let merged = flush::meanwhile(&staging, &totals, || {
                let target = Some(&staging);
                self.merge(&work, sources, target, &capabilities, &totals)
            });
            merged.inspect_err(|_| flush::keep(&staging, &totals))?;
            evidence.end(&staging, &totals)?;
            self.note_mounts(&order, (met, expected), Some(&staging), &totals)?;
            totals.event(Event::Phase(Phase::Syncing));
            staging.sync()?;
            check(&Made {
                staging: &staging,
                capabilities: &capabilities,
                totals: &totals,
                budget,
            })?;
            // Told before the last look: what comes after it is too late.
            totals.event(Event::Phase(Phase::Publishing));
            totals.verdict()?;
            staging.remember_names(published::names(&staging, &totals.counts(), &totals))?;
            if let Some(lock) = &self.lock {
                self.dump.still_holds(lock)?;
            }
            let lacks = order.lacks + totals.counts().faults;
            staging.publish(&Tells { moment, lacks }, &links)?;
            self.finish_removing(budget, &|warning| totals.warn(warning));
        }
        evidence::tell_of_vain_comparisons(&order, &totals);
        let sum = totals.sum();
        Ok(Report {
            dump: published,
            reference: reference_path,
            source: None,
            start,
            end: Local::now(),
            dry_run: self.options.dry_run,
            resumed,
            jobs,
            warnings_total: sum.warnings_total + sum.counts.vanished,
            missing: order.lacks + sum.counts.faults,
            counts: sum.counts,
            verified: None,
            faults: sum.faults,
            warnings: vanished.behind(sum.warnings),
            free_bytes: self.dump.free().map(|free| free.bytes),
        })
    }

    /// A tree that is empty, while its reference is not, is most likely a
    /// disk that is not mounted.
    fn guard(&self, source: &Source, order: &Order<'_>) -> Result<(), Error> {
        let name = source.name.to_bytes();
        if order.filter.excludes(name, true) {
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
        let links = self.links(name.sort);
        staging::point(&self.dump, name, &links)
    }

    /// Which links are moved to a new dump. A root that has lost its `current`
    /// may still know its checkpoint.
    fn links(&self, sort: Sort) -> Vec<&'static str> {
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
