//! Replicating a dump to another dump root, on another disk.
//!
//! A published dump never changes, so the dump root that is read is not locked;
//! only that dump is protected from being removed meanwhile. The replica has the
//! same name: in both dump roots one name means the same dump.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Local, NaiveDate, Utc};

use crate::model::chain::Chain;
use crate::model::error::{Error, Wanted};
use crate::model::event::{Event, Phase, Warning};
use crate::model::fault::Fault;
use crate::model::report::Report;
use crate::model::tree::Tree;
use crate::policy::filter::Filter;
use crate::policy::layout::{self, DumpName, LinkTarget, Sort};
use crate::policy::link::LinkPolicy;
use crate::root::DumpRoot;
use crate::run::{
    CheckOrder, Order, Published, Run, RunOptions, Source, roots_of_dump, takes_run_options,
};
use crate::sys::{errno, stat};
use crate::tend::scrub::good_copies::{CopiesElsewhere, named};

/// Copies the last dump before today to another dump root, as a dump there that
/// is linked to the one before it.
///
/// ```no_run
/// use dumpcore::{Replica, Replicated};
///
/// match Replica::of("/dump").to("/dumpslave").run()? {
///     Replicated::Made(report) => println!("{}", report.dump.display()),
///     Replicated::There(path) => println!("{} is there already", path.display()),
///     _ => {}
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a replica is not made until it is run"]
pub struct Replica {
    from: PathBuf,
    dump: PathBuf,
    filter: Filter,
    policy: LinkPolicy,
    latest: bool,
    today: Option<NaiveDate>,
    wait: bool,
    init: bool,
    trees: Vec<Tree>,
    heal: bool,
    options: RunOptions,
}

/// A [`Replica`] whose destination is still to be set.
#[derive(Clone, Debug)]
#[must_use = "a replica needs a dump root that it is written to"]
pub struct ReplicaOf {
    from: PathBuf,
}

impl ReplicaOf {
    /// To this dump root, which is written.
    pub fn to(self, dump: impl Into<PathBuf>) -> Replica {
        Replica::new(self.from, dump.into())
    }
}

/// How a replication ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Replicated {
    /// The dump was replicated.
    Made(Box<Report>),
    /// The replica already existed and was complete: nothing was done.
    There(PathBuf),
    /// The first dumps are from today, and a day is replicated when it is over:
    /// nothing was done. Holds the newest dump of the second dump root.
    NotYet(PathBuf),
}

/// How often a waiting run checks whether the disk is there.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Replica {
    /// Of a dump in this dump root, which is only read.
    pub fn of(from: impl Into<PathBuf>) -> ReplicaOf {
        ReplicaOf { from: from.into() }
    }

    fn new(from: PathBuf, dump: PathBuf) -> Self {
        Self {
            from,
            dump,
            filter: Filter::new(),
            policy: LinkPolicy::new(),
            latest: false,
            today: None,
            wait: false,
            init: false,
            trees: Vec::new(),
            heal: false,
            options: RunOptions::new(),
        }
    }

    /// Rules that leave entries out. None by default.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Decides what is linked.
    pub fn policy(mut self, policy: LinkPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The newest dump, even if it is from today: the one that `current` names.
    /// A later date comes from a clock that was wrong.
    pub fn latest(mut self, yes: bool) -> Self {
        self.latest = yes;
        self
    }

    /// Only dumps from before this day are replicated. By default today, in
    /// local time, when the run begins.
    pub fn today(mut self, day: NaiveDate) -> Self {
        self.today = Some(day);
        self
    }

    /// Wait until the dump root that is read has a `current`: for a disk
    /// that appears late. Any other problem with it is an error at once.
    pub fn wait(mut self, yes: bool) -> Self {
        self.wait = yes;
        self
    }

    /// The first dump into a dump root that has no `current`.
    pub fn init(mut self, yes: bool) -> Self {
        self.init = yes;
        self
    }

    /// A tree that is dumped there: one of the places that may have a good version
    /// of what is damaged. Call it for each.
    pub fn tree(mut self, tree: impl Into<Tree>) -> Self {
        self.trees.push(tree.into());
        self
    }

    /// Stores a good version, where there is one, in the place of a damaged file:
    /// one with the hash that was recorded. The dump that is read stays as it is.
    pub fn heal(mut self, yes: bool) -> Self {
        self.heal = yes;
        self
    }

    takes_run_options!();

    /// Replicates.
    ///
    /// A file that is copied and whose contents are not those that were stored, as
    /// the catalog of the dump root that is read knows, is a fault; it is copied as
    /// it is, and a warning names a good version of it, if there is one.
    ///
    /// # Errors
    /// See [`Error`]: nothing was published. [`Error::NoSuchDump`] when there is
    /// no dump from before today and either none from today or none in the dump
    /// root that is written; [`Error::SameRoot`] when both dump roots are the
    /// same directory.
    pub fn run(self) -> Result<Replicated, Error> {
        let (from, current) = self.source()?;
        let now = Local::now();
        let today = self.today.unwrap_or_else(|| now.date_naive());
        let now = now.to_utc();
        let Some(name) = self.choose(&from, &current, now, today)? else {
            return self.not_yet(&from, today);
        };
        let mut run = Run::open(self.dump.clone(), self.init, self.options.clone())?;
        let of_current = current.name.map(|name| from.listing().moment(name));
        run.latest = Some(of_current.map_or(now, |moment| moment.max(now)));
        if let Some(existing) = existing(&run, name, from.listing().moment(name))? {
            return match self.is_of_other_trees(&from, name, &run, existing) {
                true => Err(Error::NameTaken {
                    path: run.dump.listing().path(existing),
                }),
                false => Ok(Replicated::There(run.dump.listing().path(existing))),
            };
        }
        let report = self.bring_over(&from, name, &run)?;
        Ok(Replicated::Made(Box::new(report)))
    }

    /// Has the dump that is there none of the trees of the one that is wanted?
    /// Then it is a replica of another dump root's, made in the same minute.
    fn is_of_other_trees(
        &self,
        from: &DumpRoot,
        name: DumpName,
        run: &Run,
        existing: DumpName,
    ) -> bool {
        let trees = |root: &DumpRoot, name: DumpName| {
            let path = name.rel_path();
            let handle = root.open_dump(&path).ok()?;
            roots_of_dump(&handle, &path.below(root.path())).ok()
        };
        let (Some(wanted), Some(there)) = (trees(from, name), trees(&run.dump, existing)) else {
            return false;
        };
        let there: Vec<_> = there.iter().map(|tree| &tree.name).collect();
        !self
            .wanted(wanted)
            .iter()
            .any(|tree| there.contains(&&tree.name))
    }

    /// Copies a dump, and publishes it under its name.
    fn bring_over(&self, from: &DumpRoot, name: DumpName, run: &Run) -> Result<Report, Error> {
        let path = name.rel_path();
        let base = path.below(from.path());
        // Held to the end, so that nobody removes it meanwhile.
        let (handle, _hold) = match from.hold_dump(&path) {
            Ok(held) => held,
            Err(cause) => return Err(Error::MainUnusable { path: base, cause }),
        };
        let keep_going = || self.options.keep_going();
        let published = Published::look(&handle, &base, &keep_going)?;
        let sources = self.wanted(roots_of_dump(&handle, &base)?);
        let (listing, merge) = (
            from.listing(),
            self.options.merge(&self.policy, &self.filter),
        );
        let trees = named(&self.trees);
        let copies = CopiesElsewhere::new(from, &self.options, trees, vec![self.dump.clone()]);
        let order = Order {
            check: Some(CheckOrder {
                root: from,
                copies: &copies,
                heal: self.heal,
            }),
            at: Some(name.stamp),
            moment: Some(listing.moment(name)),
            lacks: listing.lacks(name),
            ..Order::copy_of(&handle, Sort::Dump, merge)
        };
        let warning = self.warn_of_one_filesystem(from);
        let mut report = run.make(&order, sources, &mut |made| {
            published.is_still_whole(made.totals.counts().vanished, &keep_going)
        })?;
        if self.options.dry_run {
            published.is_still_whole(report.counts.vanished, &keep_going)?;
        }
        report.source = Some(base);
        report.warnings_total += u64::from(warning.is_some());
        report.warnings.extend(warning);
        Ok(report)
    }

    /// The trees of a dump that are not left out. Nobody named them one by one:
    /// the rules may leave out some of them, but not all.
    fn wanted(&self, mut sources: Vec<Source>) -> Vec<Source> {
        let leaves_out = |source: &Source| self.filter.excludes(source.name.to_bytes(), true);
        if !sources.iter().all(leaves_out) {
            sources.retain(|source| !leaves_out(source));
        }
        sources
    }

    /// Tells that both dump roots are on one filesystem: once, when the second
    /// is set up. Each day it would only annoy.
    fn warn_of_one_filesystem(&self, from: &DumpRoot) -> Option<Warning> {
        let near = self.init && self.distance(from) == Some(Distance::SameFilesystem);
        let warning = near.then(|| Warning::SameFilesystem {
            from: self.from.clone(),
            dump: self.dump.clone(),
        });
        if let Some(warning) = &warning {
            self.options.observer.event(Event::Warning(warning));
        }
        warning
    }

    /// There is no dump from before today. When the root that is read has one of
    /// today, it is the first day of that root: not a failure for a timer whose
    /// replica has that dump already. The next day there will be one.
    fn not_yet(&self, from: &DumpRoot, today: NaiveDate) -> Result<Replicated, Error> {
        let none = Error::NoSuchDump {
            dump: self.from.clone(),
            wanted: Wanted::BeforeToday,
        };
        let tomorrow = today.succ_opt().unwrap_or(today);
        let of_today = from.listing().newest_before_day(tomorrow);
        if self.init || of_today.map_err(unreadable)?.is_none() {
            return Err(none);
        }
        match DumpRoot::open(&self.dump)?.current()? {
            Some(newest) => Ok(Replicated::NotYet(newest)),
            None => Err(none),
        }
    }

    /// The dump root that is read and its `current`, once it has one: that
    /// link also shows that its disk is mounted.
    fn source(&self) -> Result<(DumpRoot, LinkTarget), Error> {
        let mut told = None;
        loop {
            let missing = match self.look() {
                Err(error) if self.wait && may_appear(&error) => error,
                found => return found,
            };
            if told.is_none() {
                self.options.observer.event(Event::Phase(Phase::Waiting));
            }
            let reason = Chain(&missing).to_string();
            if told.as_ref() != Some(&reason) {
                self.options.observer.event(Event::Waiting(&missing));
                told = Some(reason);
            }
            self.pause()?;
        }
    }

    fn look(&self) -> Result<(DumpRoot, LinkTarget), Error> {
        let from = DumpRoot::open(&self.from)?;
        let from = from.with_local_state(self.options.local_state.clone());
        if self.distance(&from) == Some(Distance::None) {
            return Err(Error::SameRoot {
                from: self.from.clone(),
                dump: self.dump.clone(),
            });
        }
        match from.link(layout::CURRENT)? {
            Some(current) => Ok((from, current)),
            None => Err(Error::NoCurrent {
                dump: self.from.clone(),
            }),
        }
    }

    /// How far the two dump roots are from each other, as far as is known:
    /// what is wrong with the one to be written is for its opening to say.
    fn distance(&self, from: &DumpRoot) -> Option<Distance> {
        let dump = DumpRoot::open(&self.dump).ok()?;
        let from = stat::look_at(from.handle()).ok()?.id();
        let dump = stat::look_at(dump.handle()).ok()?.id();
        Some(match (from == dump, from.dev == dump.dev) {
            (true, _) => Distance::None,
            (_, true) => Distance::SameFilesystem,
            _ => Distance::Apart,
        })
    }

    /// Waits a little; returns early when asked to stop.
    fn pause(&self) -> Result<(), Error> {
        let step = Duration::from_millis(100);
        for _ in 0..LOOK_EVERY.as_millis() / step.as_millis() {
            if !self.options.keep_going() {
                return Err(Error::Interrupted);
            }
            std::thread::sleep(step);
        }
        Ok(())
    }

    /// The dump to replicate; `None` when there is none from before today.
    fn choose(
        &self,
        from: &DumpRoot,
        current: &LinkTarget,
        now: DateTime<Utc>,
        today: NaiveDate,
    ) -> Result<Option<DumpName>, Error> {
        let listing = from.listing();
        match (self.latest, current.name) {
            (true, Some(name)) => Ok(Some(name)),
            // A first copy made by hand has no date.
            (true, None) => {
                let found = listing.newest_not_later(now).map_err(unreadable)?;
                let none = || Error::NoSuchDump {
                    dump: self.from.clone(),
                    wanted: Wanted::Dated,
                };
                found.map(Some).ok_or_else(none)
            }
            (false, _) => listing.newest_before_day(today).map_err(unreadable),
        }
    }
}

/// The dump of that minute which is there already, or the checkpoint of it, and
/// then has its links. A checkpoint that was made there of another dump, or that no
/// dump is linked to, is not it.
fn existing(run: &Run, name: DumpName, moment: DateTime<Utc>) -> Result<Option<DumpName>, Error> {
    let checkpoint = DumpName::checkpoint(name.stamp);
    let is_it = |there: DumpName| {
        let own = there != checkpoint
            || run.dump.listing().moment(there) == moment && !run.dump.is_linked(there);
        own && run.dump.open_dump(&there.rel_path()).is_ok()
    };
    for there in [DumpName::dump(name.stamp), checkpoint] {
        if is_it(there) {
            run.catch_up(there)?;
            return Ok(Some(there));
        }
    }
    Ok(None)
}

fn unreadable(fault: Fault) -> Error {
    Error::MainUnusable {
        path: fault.path,
        cause: fault.cause.into(),
    }
}

/// Of two directories.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Distance {
    /// They are one.
    None,
    /// Two on one filesystem; subvolumes count as filesystems.
    SameFilesystem,
    /// On two.
    Apart,
}

/// Is that what a dump root looks like whose disk is not mounted yet?
fn may_appear(error: &Error) -> bool {
    match error {
        // An empty mount point has none.
        Error::NoCurrent { .. } => true,
        Error::DumpUnusable { cause, .. } => errno::is_yet_to_appear(cause),
        _ => false,
    }
}
