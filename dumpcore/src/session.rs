//! One run that publishes: the order of its acts, whatever it makes.
//!
//! A dump, a checkpoint and a replica differ in what they read, what they
//! link to and which links they move; everything else is here, once: guards
//! before anything is made, the lock, the name, what an earlier run left
//! behind, the merge, the flush, and making it visible. Whatever fails before
//! the last of these leaves all that was published as it was.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Local};

use crate::engine::{self, Budget, Root, Rules, Tally};
use crate::error::Error;
use crate::event::{Event, Observer, Phase, Warning};
use crate::fault::{Fault, Op};
use crate::filter::Filter;
use crate::layout::{self, DumpName, LinkTarget, Sort};
use crate::link::LinkPolicy;
use crate::meta::{Abilities, Time};
use crate::naming;
use crate::publish::Site;
use crate::raze;
use crate::relpath::RelPath;
use crate::report::Report;
use crate::stamp::Stamp;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::{disk, errno, stat};
use crate::trial::{self, Trial};
use crate::vault::{Dump, DumpLock};
use crate::walk::{Place, Slots};

/// A tree that is read: its name in the dump, its path, its opened top.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: CString,
    pub(crate) path: PathBuf,
    pub(crate) handle: OwnedFd,
}

/// What a run is told by its caller.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) stop: Option<&'a AtomicBool>,
    pub(crate) dry_run: bool,
    pub(crate) jobs: Option<usize>,
}

/// What is to be made.
pub(crate) struct Order<'a> {
    pub(crate) sources: Vec<Source>,
    pub(crate) sort: Sort,
    pub(crate) policy: &'a LinkPolicy,
    pub(crate) filter: &'a Filter,
    /// The minute it is of, when that is not now.
    pub(crate) at: Option<Stamp>,
    pub(crate) allow_empty: bool,
    pub(crate) one_file_system: bool,
}

/// What is done to a dump that is whole and flushed, before it is published.
pub(crate) type Check<'c> = dyn FnMut(&Site<'_>, &Tally<'_>) -> Result<(), Error> + 'c;

/// A dump root held for one run.
pub(crate) struct Session<'a> {
    pub(crate) dump: Dump,
    _lock: Option<DumpLock>,
    pub(crate) current: Option<LinkTarget>,
    init: bool,
    caller: Caller<'a>,
    budget: Budget,
}

/// The dump that is linked to.
struct Reference {
    path: RelPath,
    handle: OwnedFd,
}

/// The names a run may take: its own, and whether an earlier run's leftover
/// is gone on with.
struct Named {
    name: DumpName,
    leftover: Option<DumpName>,
}

impl<'a> Session<'a> {
    /// Opens a dump root and takes its lock (not for a dry run, which writes
    /// nothing); `init` says that it must not have a `current` yet.
    pub(crate) fn open(path: PathBuf, init: bool, caller: Caller<'a>) -> Result<Self, Error> {
        caller.observer.event(Event::Phase(Phase::Preparing));
        let dump = Dump::open(path)?;
        let lock = if caller.dry_run {
            None
        } else {
            Some(dump.lock()?)
        };
        let current = dump.link(layout::CURRENT)?;
        match &current {
            None if !init => {
                let dump = dump.path().to_path_buf();
                return Err(Error::NoCurrent { dump });
            }
            Some(current) if init => {
                return Err(Error::AlreadyInitialised {
                    target: current.dir.as_path().to_path_buf(),
                    dump: dump.path().to_path_buf(),
                });
            }
            _ => {}
        }
        let budget = Budget::new(caller.jobs.unwrap_or_else(default_jobs));
        Ok(Self {
            dump,
            _lock: lock,
            current,
            init,
            caller,
            budget,
        })
    }

    /// Makes what is ordered, has it checked, and publishes it.
    pub(crate) fn make(&self, order: Order<'_>, check: &mut Check<'_>) -> Result<Report, Error> {
        let start = Local::now();
        let tally = Tally::new(self.caller.observer, self.caller.stop);
        let reference = self.reference(&order)?;
        for source in &order.sources {
            self.guard(source, reference.as_ref(), &order)?;
        }
        let named = self.name(&order, Stamp::of(&start), &tally)?;
        let published = self.dump.path().join(named.name.path());
        let reference_path = reference.as_ref().map(|r| r.path.below(self.dump.path()));
        tally.event(Event::Started {
            dump: &published,
            reference: reference_path.as_deref(),
        });
        let links = self.links(&order, named.name);
        let resumed = named.leftover.is_some();
        if self.caller.dry_run {
            self.merge(order, reference, None, trial::guess(), &tally)?;
        } else {
            let (site, abilities) = self.site(&named, &order, &tally)?;
            self.merge(order, reference, Some(&site), abilities, &tally)?;
            tally.event(Event::Phase(Phase::Syncing));
            site.sync()?;
            check(&site, &tally)?;
            tally.verdict()?;
            tally.event(Event::Phase(Phase::Publishing));
            site.publish(time_of(&start), &links)?;
        }
        let sum = tally.sum();
        Ok(Report {
            dump: published,
            reference: reference_path,
            start,
            end: Local::now(),
            dry_run: self.caller.dry_run,
            resumed,
            counts: sum.counts,
            faults: sum.faults,
            warnings: sum.warnings,
            warnings_total: sum.warnings_total,
            free_bytes: self.dump.free().map(|(bytes, _)| bytes),
        })
    }

    /// The dump to link to: `current`; for an import the newest that is not
    /// later; in a dump root that lost its `current`, its newest. A
    /// checkpoint has none.
    fn reference(&self, order: &Order<'_>) -> Result<Option<Reference>, Error> {
        if order.sort == Sort::Checkpoint {
            return Ok(None);
        }
        let listing = self.dump.listing();
        let listed = |found: Result<Option<DumpName>, Fault>| {
            let found = found.map_err(|fault| self.dump.refuses(fault, None))?;
            Ok::<_, Error>(found.map(|name| relative(&name)))
        };
        let current = self.current.as_ref().map(|current| current.dir.clone());
        let path = match order.at {
            Some(at) => listed(listing.newest_not_later(at))?.or(current),
            None if self.init => listed(listing.newest())?,
            None => current,
        };
        let Some(path) = path else { return Ok(None) };
        match self.dump.open_dump(&path) {
            Ok(handle) => Ok(Some(Reference { path, handle })),
            Err(e) => Err(self.dump.failed(Op::Open, path.as_path(), e)),
        }
    }

    /// A tree that is empty, while its reference is not, is most likely a
    /// disk that is not mounted.
    fn guard(
        &self,
        source: &Source,
        reference: Option<&Reference>,
        order: &Order<'_>,
    ) -> Result<(), Error> {
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
        let id = stat::look_at(&source.handle).map_err(unusable)?.id();
        let root = stat::look_at(self.dump.handle()).map_err(unusable)?.id();
        if id == root {
            return Err(unusable(std::io::Error::other(
                "it is the dump root itself",
            )));
        }
        if order.allow_empty || !dir::is_empty(source.handle.as_fd()).map_err(unusable)? {
            return Ok(());
        }
        let Some(reference) = reference else {
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

    /// Chooses the name, and what is gone on with.
    fn name(&self, order: &Order<'_>, now: Stamp, tally: &Tally<'_>) -> Result<Named, Error> {
        let listing = self.dump.listing();
        let refused = |fault| self.dump.refuses(fault, None);
        let mut leftovers = listing.incompletes().map_err(refused)?;
        leftovers.retain(|found| found.name.sort == order.sort);
        let (ours, foreign): (Vec<_>, Vec<_>) = leftovers
            .into_iter()
            .map(|found| found.name)
            .partition(|name| self.is_ours(*name, order));
        let taken = |stamp| {
            let foreign = foreign.iter().any(|name| name.stamp == stamp);
            Ok(foreign || listing.taken(stamp).map_err(refused)?)
        };
        let (stamp, warning) = match order.at {
            Some(at) if taken(at)? => {
                let path = self.dump.path().join(DumpName::dump(at).path());
                return Err(Error::NameTaken { path });
            }
            Some(at) => (at, None),
            None => {
                let current = self.current.as_ref().and_then(|current| current.name);
                naming::next(now, current.map(|name| name.stamp), taken)?
            }
        };
        if let Some(warning) = warning {
            tally.warn(warning);
        }
        for name in &foreign {
            let path = self.dump.path().join(incomplete(name).as_path());
            tally.warn(Warning::ForeignLeftover { path });
        }
        let name = DumpName {
            stamp,
            sort: order.sort,
        };
        let mut ours = ours;
        let leftover = if self.caller.dry_run {
            None
        } else {
            ours.pop()
        };
        if leftover.is_some() {
            self.remove_leftovers(&ours, tally)?;
        }
        Ok(Named { name, leftover })
    }

    /// Was a leftover made of (some of) the same roots? An empty one serves
    /// everybody.
    fn is_ours(&self, name: DumpName, order: &Order<'_>) -> bool {
        let names = self
            .dump
            .open_dump(&incomplete(&name))
            .and_then(|dir| all_names(&dir));
        let Ok(names) = names else { return false };
        names.is_empty()
            || names.iter().any(|name| {
                name.to_bytes() == layout::TRIAL.as_bytes()
                    || order.sources.iter().any(|source| source.name == *name)
            })
    }

    /// Of several leftovers the newest is gone on with; the others go.
    fn remove_leftovers(&self, names: &[DumpName], tally: &Tally<'_>) -> Result<(), Error> {
        for name in names {
            let site = Site::open(&self.dump, *name, Some(*name))?;
            self.remove_all(&site, &[], tally)?;
            site.abandon();
        }
        Ok(())
    }

    /// Removes from a site what is not one of the trees.
    fn remove_all(&self, site: &Site<'_>, but: &[Source], tally: &Tally<'_>) -> Result<(), Error> {
        let failed = |op| move |e| self.dump.refuses(Fault::new(op, site.path(), e), None);
        for name in all_names(site.handle()).map_err(failed(Op::List))? {
            if but.iter().any(|source| source.name == name) {
                continue;
            }
            let goes_on = || tally.goes_on();
            match raze::raze(site.handle().as_fd(), &name, &goes_on) {
                Ok(true) => {}
                Ok(false) => return Err(Error::Interrupted),
                Err(snag) => return Err(self.dump.refuses(snag.at(site.path()), None)),
            }
        }
        Ok(())
    }

    /// Opens the site, and finds out what can be preserved there.
    fn site(
        &self,
        named: &Named,
        order: &Order<'_>,
        tally: &Tally<'_>,
    ) -> Result<(Site<'_>, Abilities), Error> {
        let site = Site::open(&self.dump, named.name, named.leftover)?;
        if site.resumed {
            tally.warn(Warning::Resuming {
                path: site.path(),
                trusted: site.trusted,
            });
            self.remove_all(&site, &order.sources, tally)?;
        }
        let error = match trial::run(site.handle().as_fd()) {
            Ok(Trial::Passed(abilities)) => return Ok((site, abilities)),
            Ok(Trial::NoHardLinks) => Error::NoHardLinks {
                dump: self.dump.path().to_path_buf(),
                fs: disk::filesystem_type(self.dump.handle()).unwrap_or_default(),
            },
            Err(snag) => self.dump.refuses(snag.at(site.path()), None),
        };
        site.abandon();
        Err(error)
    }

    /// Merges all trees; without a site, only to see what would be done.
    fn merge(
        &self,
        order: Order<'_>,
        reference: Option<Reference>,
        site: Option<&Site<'_>>,
        abilities: Abilities,
        tally: &Tally<'_>,
    ) -> Result<(), Error> {
        tally.event(Event::Phase(Phase::Storing));
        let slots = self.budget.slots();
        let top = |handle: &OwnedFd, purpose| {
            let handle = dir::reopen(handle.as_fd(), purpose)?;
            Ok::<_, std::io::Error>(Place::top(handle, purpose, &slots)?.place)
        };
        let failed = |e| self.dump.failed(Op::Open, "".as_ref(), e);
        let reference_path = reference.as_ref().map(|r| r.path.below(self.dump.path()));
        let reference = reference.map(|reference| top(&reference.handle, For::Passing));
        let reference = reference.transpose().map_err(failed)?;
        let target = site.map(|site| top(site.handle(), For::Filling));
        let target = target.transpose().map_err(failed)?;
        let mut leave_out = vec![stat::look_at(self.dump.handle()).map_err(failed)?.id()];
        leave_out.extend(target.as_ref().map(|target| target.id()));
        let shape = Shape {
            slots: &slots,
            reference,
            reference_path: reference_path.unwrap_or_default(),
            target,
            target_path: site.map(Site::path).unwrap_or_default(),
            resumed: site.is_some_and(|site| site.resumed),
        };
        let mut tops: Vec<(PathBuf, Arc<Place>)> = Vec::new();
        let mut roots = Vec::new();
        for source in order.sources {
            let root = shape.root(source)?;
            tops.push((root.main.clone(), Arc::clone(&root.entered.place)));
            roots.push(root);
        }
        let rules = Rules {
            policy: order.policy,
            abilities: &abilities,
            filter: order.filter,
            jobs: self.budget.jobs,
            one_file_system: order.one_file_system,
            may_share: order.sort == Sort::Dump,
            trusted: site.is_none_or(|site| site.trusted),
            leave_out,
            most_links: disk::most_links(self.dump.handle()),
        };
        engine::merge(&rules, self.budget, tally, roots);
        tally.verdict()?;
        still_there(tops)
    }

    /// Which links are moved to the new dump: none for an import that is
    /// older than what `current` names.
    fn links(&self, order: &Order<'_>, name: DumpName) -> Vec<&'static str> {
        let current = self.current.as_ref().and_then(|current| current.name);
        if order.at.is_some() && current.is_some_and(|current| current > name) {
            return Vec::new();
        }
        if self.init || order.sort == Sort::Checkpoint {
            vec![layout::CURRENT_CHECKPOINT, layout::CURRENT]
        } else {
            vec![layout::CURRENT]
        }
    }
}

/// What all trees of a run have in common.
struct Shape<'s> {
    slots: &'s Arc<Slots>,
    reference: Option<Arc<Place>>,
    reference_path: PathBuf,
    target: Option<Arc<Place>>,
    target_path: PathBuf,
    resumed: bool,
}

impl Shape<'_> {
    fn root(&self, source: Source) -> Result<Root, Error> {
        let Source { name, path, handle } = source;
        let entered = Place::top(handle, For::Reading, self.slots);
        Ok(Root {
            entered: entered.map_err(|cause| Error::MainUnusable {
                path: path.clone(),
                cause,
            })?,
            name,
            main: path,
            reference: self.reference.clone(),
            reference_path: self.reference_path.clone(),
            target: self.target.clone(),
            target_path: self.target_path.clone(),
            target_is_new: !self.resumed,
        })
    }
}

/// A tree that cannot be listed any more at the end has gone on the way.
fn still_there(tops: Vec<(PathBuf, Arc<Place>)>) -> Result<(), Error> {
    for (path, top) in tops {
        let listed = top.open().and_then(|top| dir::is_empty(top.as_fd()));
        if let Err(cause) = listed {
            // One that may not be listed was a fault from the beginning.
            if !errno::is_not_permitted(&cause) {
                let fault = Fault::new(Op::List, path, cause);
                return Err(Error::SourceGone { fault });
            }
        }
    }
    Ok(())
}

fn time_of(moment: &DateTime<Local>) -> Time {
    Time::new(moment.timestamp(), moment.timestamp_subsec_nanos())
}

fn relative(name: &DumpName) -> RelPath {
    RelPath::from_bytes(name.to_string().as_bytes())
}

fn incomplete(name: &DumpName) -> RelPath {
    let day = format!("{}/{}", name.year(), name.day());
    RelPath::from_bytes(day.as_bytes()).join(name.incomplete_leaf().as_bytes())
}

/// All names in a directory; for those of which there are few.
fn all_names(handle: &OwnedFd) -> std::io::Result<Vec<CString>> {
    let mut chunk = Chunk::default();
    Lister::new(dir::reopen(handle.as_fd(), For::Reading)?).rest(&mut chunk)?;
    Ok(chunk.iter().map(|entry| entry.name.to_owned()).collect())
}

/// Twice as many workers as processors, and four at least: while some wait
/// for the disk, others go on.
fn default_jobs() -> usize {
    let processors = std::thread::available_parallelism();
    processors.map_or(4, |n| (2 * n.get()).clamp(4, 32))
}
