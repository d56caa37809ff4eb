//! Removing dumps.
//!
//! A dump is first renamed to where no program looks for dumps, and removed
//! there: after a kill at any moment there is never half a dump under a dump's
//! name, and the next run finishes the removal.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::path::PathBuf;

use super::protect::Plan;
use super::removal::{Reason, Removal, Removed};
use crate::catalog::Catalog;
use crate::engine::{self, Act, Budget, Measured, Totals};
use crate::model::error::Error;
use crate::model::event::{Event, Observer, Phase, Silent};
use crate::model::fault::{Fault, Op};
use crate::policy::layout::{DumpId, Sort};
use crate::root::DumpRoot;
use crate::root::lock::DumpLock;
use crate::root::removing::{Kept, Removing, Then};
use crate::run::expected::Expected;
use crate::run::removing::{self, Quiet, Total};
use crate::run::{RunOptions, takes_run_options};

/// Removes dumps of a dump root.
///
/// ```no_run
/// use dumpcore::{DumpRoot, Remove};
///
/// let dump = DumpRoot::open("/dump")?.find("2025/0101/0000")?;
/// let removal = Remove::new("/dump").dump(dump).run()?;
/// println!("{} bytes freed", removal.freed_bytes);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "expire")]
#[must_use = "nothing is removed until it is run"]
pub struct Remove {
    root: PathBuf,
    dumps: Vec<DumpId>,
    first: bool,
    users: bool,
    recycle: bool,
    behind: bool,
    options: RunOptions,
}

/// How many dumps that stay use the files of those that go.
type Users = HashMap<DumpId, u64>;

impl DumpRoot {
    /// Removes one dump, or says in the [`Removal`] why it was left: as
    /// [`Remove`] does, which can be told more.
    ///
    /// # Errors
    /// As for [`Remove::run`].
    pub fn remove(&self, dump: impl Into<DumpId>) -> Result<Removal, Error> {
        Remove::new(self.path()).dump(dump.into()).run()
    }
}

impl Remove {
    /// Removes dumps from this dump root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            dumps: Vec::new(),
            first: false,
            users: false,
            recycle: false,
            behind: false,
            options: RunOptions::new(),
        }
    }

    /// A dump to remove; call it for each. See [`DumpRoot::find`].
    pub fn dump(mut self, dump: DumpId) -> Self {
        if !self.dumps.contains(&dump) {
            self.dumps.push(dump);
        }
        self
    }

    /// Dumps to remove, none of them twice.
    pub(super) fn dumps(mut self, dumps: impl IntoIterator<Item = DumpId>) -> Self {
        self.dumps.extend(dumps);
        self
    }

    /// May the first copy be removed, which was made by hand?
    pub fn first_copy(mut self, yes: bool) -> Self {
        self.first = yes;
        self
    }

    /// Find out from the catalog, if there is one, how many dumps that stay use
    /// the files of each: [`Removed::used_by`].
    pub fn count_users(mut self, yes: bool) -> Self {
        self.users = yes;
        self
    }

    /// Keep the newest of them for the next run.
    pub(super) fn recycle(mut self, yes: bool) -> Self {
        self.recycle = yes;
        self
    }

    /// Is this behind a run? See [`Prune::behind_a_run`](crate::Prune::behind_a_run).
    pub(super) fn behind_a_run(mut self, yes: bool) -> Self {
        self.behind = yes;
        self
    }

    takes_run_options!();

    /// Removes, and finishes what earlier runs left.
    ///
    /// # Errors
    /// [`Error::Busy`] when a run holds the dump root, and others when it cannot
    /// be opened or read, or has no `current`: nothing was removed then. What
    /// keeps a single dump is in the [`Removal`].
    pub fn run(self) -> Result<Removal, Error> {
        let root = DumpRoot::open(&self.root)?;
        let root = root.with_local_state(self.options.local_state.clone());
        root.outside_of_dumps()?;
        let lock = match self.options.dry_run {
            true => None,
            false => Some(root.lock()?),
        };
        self.run_in(&root, lock.as_ref())
    }

    /// The same in a dump root that is locked; without a lock it is a dry run.
    pub(super) fn run_in(self, root: &DumpRoot, lock: Option<&DumpLock>) -> Result<Removal, Error> {
        let plan = Plan::of(root, &self.dumps, self.first)?;
        let users = self.users(root, &plan.go);
        let linked: Vec<DumpId> = plan
            .go
            .iter()
            .copied()
            .filter(|dump| root.is_linked(*dump))
            .collect();
        let observer: &dyn Observer = &*self.options.observer;
        let quiet = Quiet(observer);
        let observer = if self.behind { &quiet } else { observer };
        let totals = Totals::new(observer, Some(&self.options.stop));
        let budget = {
            let jobs = self.options.jobs;
            Budget::new(jobs.unwrap_or_else(|| removing::removing_jobs(root)))
        };
        let mut removal = match lock {
            None => self.measured(root, plan, budget),
            Some(_) => self.removed(root, plan, budget, &totals)?,
        };
        for removed in &mut removal.removed {
            removed.used_by = users.get(&removed.dump).copied();
            removed.is_linked = linked.contains(&removed.dump);
        }
        let stopped = !totals.keep_going();
        let sum = totals.sum();
        Ok(Removal {
            faults_total: sum.counts.faults,
            faults: sum.faults,
            stopped,
            ..removal
        })
    }

    /// Asked before anything is removed, while the catalog knows what is there.
    /// What is wrong with it is for others to report.
    fn users(&self, root: &DumpRoot, go: &[DumpId]) -> Users {
        if !self.users || go.is_empty() {
            return Users::new();
        }
        let catalog = root.catalog().ok();
        let users = catalog.and_then(|catalog| catalog.users_of(go, go).ok());
        let each = go.iter().zip(users.unwrap_or_default());
        each.filter_map(|(dump, users)| Some((*dump, users?)))
            .collect()
    }

    /// What removing them would free.
    fn measured(&self, root: &DumpRoot, mut plan: Plan, budget: Budget) -> Removal {
        let totals = Totals::new(&Silent, Some(&self.options.stop));
        let measured = Measured::default();
        let mut removed = Vec::new();
        for id in std::mem::take(&mut plan.go) {
            if !totals.keep_going() {
                plan.go.push(id);
                continue;
            }
            let path = root.path().join(id.path());
            let mounted = match root.mounted_below(id) {
                Ok(None) => None,
                Ok(Some(point)) => Some(Reason::Mounted { point }),
                Err(e) => Some(Reason::Failed(Fault::new(Op::Open, path.clone(), e))),
            };
            if let Some(reason) = mounted {
                plan.leave(root, id, reason);
                continue;
            }
            let act = Act::Measure(&measured);
            let gone = match root.open_above(id) {
                Ok((above, name)) => engine::remove(&above, &name, &path, &act, budget, &totals),
                Err(e) => {
                    let fault = Fault::new(Op::Open, path, e);
                    plan.leave(root, id, Reason::Failed(fault));
                    continue;
                }
            };
            removed.push(Removed {
                dump: id,
                path,
                names: gone.names,
                freed_bytes: gone.freed,
                used_by: None,
                is_linked: false,
                whole: gone.all,
                recyclable: false,
            });
        }
        self.summed(removed, plan)
    }

    /// Renames all of them away, then removes them one by one.
    fn removed(
        &self,
        root: &DumpRoot,
        mut plan: Plan,
        budget: Budget,
        totals: &Totals<'_>,
    ) -> Result<Removal, Error> {
        let to = root.removing()?;
        // What cannot be listed is a fault when it is to be removed.
        let mut rests = to.rests().unwrap_or_default();
        rests.retain(|leaf| to.hold(leaf).is_ok());
        let mut stay = Vec::new();
        let recycles = self.recycle && root.is_roomy() && Catalog::existing(root).is_ok();
        if recycles {
            // What cannot be looked at is a fault when it cannot be removed.
            let spares = to.spares(&mut |_| {});
            stay.extend(spares.into_iter().map(|spare| spare.leaf));
            rests.retain(|leaf| !stay.contains(leaf));
        }
        let spare = self.newest(root, &plan.go).filter(|_| recycles);
        let Away {
            dumps: away,
            stranded: mut removed,
            is_flushed,
        } = take_all_away(root, &mut plan, spare, &to, totals);
        if !is_flushed {
            rests.clear();
        }
        let gone: Vec<DumpId> = away.iter().map(|(id, _)| *id).collect();
        tell_catalog(root, &gone);
        totals.event(Event::Phase(Phase::Removing));
        let is_spare = |(id, _): &&(DumpId, CString)| spare == Some(*id);
        let goes = away.iter().filter(|one| !is_spare(one));
        let tried: Vec<CString> = goes.map(|(_, leaf)| leaf.clone()).collect();
        stay.extend(away.iter().map(|(_, leaf)| leaf.clone()));
        let names = removing::names_of_dumps(&to, &tried, totals)
            + removing::names_of_rests(&to, &rests, totals);
        if names > 0 {
            totals.event(Expected::listed(names).event());
        }
        for (id, leaf) in &away {
            removed.push(match spare == Some(*id) {
                true => {
                    root.sweep(*id);
                    nameless(root, *id, true)
                }
                false => self.one(root, *id, leaf, &to, budget, totals),
            });
        }
        // What the disk did not confirm may have its name again after a crash: it
        // must be whole then.
        let finished = match totals.keep_going() && is_flushed {
            true => removing::finish(root, &stay, Total::Told, budget, totals),
            false => engine::Gone::default(),
        };
        let mut removal = self.summed(removed, plan);
        removal.finished_names = finished.names;
        removal.freed_bytes += finished.freed;
        Ok(removal)
    }

    fn one(
        &self,
        root: &DumpRoot,
        dump: DumpId,
        leaf: &CStr,
        to: &Removing,
        budget: Budget,
        totals: &Totals<'_>,
    ) -> Removed {
        root.sweep(dump);
        let path = to.path_of(leaf);
        let gone = engine::remove(&to.handle, leaf, &path, &Act::Remove, budget, totals);
        Removed {
            dump,
            path: root.path().join(dump.path()),
            names: gone.names,
            freed_bytes: gone.freed,
            used_by: None,
            is_linked: false,
            whole: gone.all,
            recyclable: false,
        }
    }

    /// The newest of these dumps, if the next run may share files with it.
    fn newest(&self, root: &DumpRoot, dumps: &[DumpId]) -> Option<DumpId> {
        let names = dumps.iter().filter_map(|id| match id {
            DumpId::Dump(name) if name.sort == Sort::Dump => Some(*name),
            _ => None,
        });
        let listing = root.listing();
        names
            .max_by_key(|name| listing.dated(*name))
            .filter(|name| root.is_of_this_generation(*name))
            .map(DumpId::Dump)
    }

    /// What stands in the plan was not come to.
    fn summed(&self, removed: Vec<Removed>, plan: Plan) -> Removal {
        Removal {
            freed_bytes: removed.iter().map(|removed| removed.freed_bytes).sum(),
            removed,
            left: plan.left,
            remaining: plan.go,
            faults: Vec::new(),
            faults_total: 0,
            finished_names: 0,
            dry_run: self.options.dry_run,
            stopped: false,
        }
    }
}

/// What became of dumps that were to leave their names.
struct Away {
    /// Those that did, with the names that they have now.
    dumps: Vec<(DumpId, CString)>,
    stranded: Vec<Removed>,
    /// Did the disk confirm all that was renamed?
    is_flushed: bool,
}

/// Renames what a plan lets go. What stays is left in the plan, and also what it did not
/// come to before it was stopped.
fn take_all_away(
    root: &DumpRoot,
    plan: &mut Plan,
    spare: Option<DumpId>,
    to: &Removing,
    totals: &Totals<'_>,
) -> Away {
    let mut away = Away {
        dumps: Vec::new(),
        stranded: Vec::new(),
        is_flushed: true,
    };
    for id in std::mem::take(&mut plan.go) {
        if !totals.keep_going() {
            plan.go.push(id);
            continue;
        }
        let then = match spare == Some(id) {
            true => Then::Spared,
            false => Then::Removed,
        };
        match root.take_away(id, to, then) {
            Ok(leaf) => away.dumps.push((id, leaf)),
            Err(Kept::Stranded(fault)) => {
                away.is_flushed = false;
                totals.fault(fault);
                away.stranded.push(nameless(root, id, false));
            }
            Err(kept) => {
                away.is_flushed &= !matches!(kept, Kept::Unflushed(_));
                plan.leave(root, id, reason(kept));
            }
        }
    }
    away
}

/// Records in the catalog that dumps are gone: when that is flushed, since a dump
/// that keeps its name after all would have to be read again. Where it fails, or a
/// kill comes before, the next run finds out by itself before it recycles one, and
/// reports what is wrong with the catalog.
fn tell_catalog(root: &DumpRoot, gone: &[DumpId]) {
    if !gone.is_empty()
        && let Ok(mut catalog) = Catalog::existing(root)
    {
        let _ = catalog.removed(gone);
    }
}

fn reason(kept: Kept) -> Reason {
    match kept {
        Kept::Read => Reason::Read,
        Kept::Pinned(link) => Reason::Linked { link },
        Kept::Mounted(point) => Reason::Mounted { point },
        Kept::Fault(fault) | Kept::Unflushed(fault) | Kept::Stranded(fault) => {
            Reason::Failed(fault)
        }
    }
}

/// A dump that left its name, and of which nothing was removed yet. `recyclable`:
/// the next run may make its dump of it.
fn nameless(root: &DumpRoot, dump: DumpId, recyclable: bool) -> Removed {
    Removed {
        dump,
        path: root.path().join(dump.path()),
        names: 0,
        freed_bytes: 0,
        used_by: None,
        is_linked: false,
        whole: false,
        recyclable,
    }
}
