//! Removing the dumps that no policy keeps.
//!
//! First it is decided which dumps go, with a reason for each that stays;
//! nothing is locked or written for that. Then these are removed, as [`Remove`]
//! does, which looks again at what must not go. Where time has passed between
//! the two, it is decided again under the lock, and only what goes both times is
//! removed.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

use chrono::{DateTime, Local};

use super::plan::{Goes, GoesFor, Kept, PrunePlan, Pruned};
use super::removal::{Left, Reason, Removal};
use super::remove::Remove;
use super::room::{self, Walk};
use crate::history::CatalogView;
use crate::model::error::Error;
use crate::policy::layout::{self, DumpId};
use crate::policy::retention::{FreeGoal, KeepCandidate, KeepPolicy, KeepRules, KeepVerdict};
use crate::root::DumpRoot;
use crate::root::lock::DumpLock;
use crate::run::{RunOptions, takes_run_options};

/// Up to this number of dumps are looked through to tell what removing them frees,
/// where the catalog cannot tell.
const LOOKED_THROUGH: usize = 24;

/// Removes the dumps of a dump root that no policy keeps.
///
/// ```no_run
/// use dumpcore::{KeepPeriod, KeepPolicy, KeepRules, Prune};
///
/// let policy = KeepPolicy::new()
///     .keep(KeepPeriod::Daily, "5w".parse()?)
///     .keep(KeepPeriod::Monthly, "all".parse()?);
/// let prune = Prune::new("/dump").rules(KeepRules::new().tree("home", policy));
/// for kept in &prune.plan()?.keep {
///     println!("{}: {:?}", kept.dump, kept.reasons);
/// }
/// let pruned = prune.brake(true).run()?;
/// assert!(pruned.is_complete() || pruned.is_braked());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "forget")]
#[doc(alias = "retention")]
#[must_use = "nothing is removed until it is run"]
pub struct Prune {
    root: PathBuf,
    rules: KeepRules,
    brake: bool,
    measure: bool,
    recycle: bool,
    behind: bool,
    options: RunOptions,
}

impl Prune {
    /// In this dump root. Without rules every dump stays.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            rules: KeepRules::new(),
            brake: false,
            measure: true,
            recycle: false,
            behind: false,
            options: RunOptions::new(),
        }
    }

    /// The policies of its trees.
    pub fn rules(mut self, rules: KeepRules) -> Self {
        self.rules = rules;
        self
    }

    /// Remove nothing when too many would go at once (see [`KeepRules::brake`] and
    /// [`KeepRules::gap`]): for runs that nobody watches.
    pub fn brake(mut self, yes: bool) -> Self {
        self.brake = yes;
        self
    }

    /// Find out before what is freed, if need be by looking through a few dumps:
    /// the default. Without it only what a goal for free space needs is found
    /// out.
    pub fn measure(mut self, yes: bool) -> Self {
        self.measure = yes;
        self
    }

    /// Keep the newest of the dumps that go, for the next run to be made from; see
    /// [`Snapshot::recycle`](crate::Snapshot::recycle). It has left its name, and
    /// is no longer a dump. None is kept where room is short, and without a catalog.
    pub fn recycle(mut self, yes: bool) -> Self {
        self.recycle = yes;
        self
    }

    /// Follow a run that published. What cannot be removed is not a fault of that run:
    /// it is in the [`Removal`] alone, and no observer is told.
    pub fn behind_a_run(mut self, yes: bool) -> Self {
        self.behind = yes;
        self
    }

    takes_run_options!();

    /// Which dumps would go, and why the others stay. Takes no lock.
    ///
    /// # Errors
    /// [`Error::NoCurrent`] where the dump root has no `current`, which may mean
    /// that its disk is not mounted, and others when it cannot be read.
    pub fn plan(&self) -> Result<PrunePlan, Error> {
        let root = self.open()?;
        self.planned_of(&root, &root.keep_candidates()?)
    }

    /// The same of dumps that [`DumpRoot::keep_candidates`] has found.
    ///
    /// # Errors
    /// As for [`Prune::plan`].
    pub fn plan_of(&self, dumps: &[KeepCandidate]) -> Result<PrunePlan, Error> {
        self.planned_of(&self.open()?, dumps)
    }

    fn open(&self) -> Result<DumpRoot, Error> {
        let root = DumpRoot::open(&self.root)?;
        let root = root.with_local_state(self.options.local_state.clone());
        root.outside_of_dumps()?;
        if root.link(layout::CURRENT)?.is_none() {
            let dump = root.path().to_path_buf();
            return Err(Error::NoCurrent { dump });
        }
        Ok(root)
    }

    fn planned_of(&self, root: &DumpRoot, dumps: &[KeepCandidate]) -> Result<PrunePlan, Error> {
        let now = Local::now();
        let verdicts = self.rules.judge(dumps, &now);
        let goals: Vec<FreeGoal> = {
            let asked = self.rules.asked();
            asked.filter_map(KeepPolicy::free_goal).collect()
        };
        let catalog = match self.measure || !goals.is_empty() {
            true => root.catalog().ok(),
            false => None,
        };
        let making = match goals.as_slice() {
            [] => None,
            goals => {
                let may = chosen(dumps, &verdicts, |verdict| verdict.may_make_room);
                let goes = chosen(dumps, &verdicts, |verdict| verdict.reasons.is_empty());
                let dumps = (goes.as_slice(), may.as_slice());
                let making = room::make(root, goals, dumps, catalog.as_ref(), &self.options)?;
                making.map(|making| (making, may))
            }
        };
        let for_room: HashSet<DumpId> = match &making {
            Some((making, may)) => may[..making.goes].iter().copied().collect(),
            None => HashSet::new(),
        };
        let mut plan = self.planned(dumps, &verdicts, &for_room, &now);
        plan.shortage = making.map(|(making, _)| making.shortage);
        if self.measure {
            plan.freed_bytes = self.freed(root, &plan, catalog.as_ref())?;
        }
        Ok(plan)
    }

    /// Removes what a plan lets go, as far as the rules let it go now: the dumps
    /// may have changed since it was made. What the rules keep now is among
    /// [`Removal::left`].
    ///
    /// # Errors
    /// As for [`Remove::run`]: nothing was removed then.
    pub fn carry_out(&self, plan: PrunePlan) -> Result<Pruned, Error> {
        if self.is_held_by(&plan) {
            return Ok(Pruned::not(plan));
        }
        let root = self.open()?;
        let lock = root.lock()?;
        let again = self.clone().measure(false);
        let now = again.planned_of(&root, &root.keep_candidates()?)?;
        if self.is_held_by(&now) {
            return Ok(Pruned::not(now));
        }
        let kept: HashSet<DumpId> = now.keep.iter().map(|kept| kept.dump).collect();
        let planned = plan.remove.iter().map(|goes| goes.dump);
        let (spared, goes): (Vec<DumpId>, _) = planned.partition(|dump| kept.contains(dump));
        let recycle = self.recycle && now.shortage.is_none();
        let mut removal = self.remove((&root, &lock), goes, recycle)?;
        removal.left.extend(spared.into_iter().map(|dump| Left {
            dump,
            path: root.path().join(dump.path()),
            reason: Reason::Rules,
        }));
        let removal = Some(removal);
        Ok(Pruned { plan, removal })
    }

    fn remove(
        &self,
        (root, lock): (&DumpRoot, &DumpLock),
        dumps: Vec<DumpId>,
        recycle: bool,
    ) -> Result<Removal, Error> {
        let remove = Remove::new(&self.root).dumps(dumps).recycle(recycle);
        let remove = remove.behind_a_run(self.behind);
        remove
            .options(self.options.clone())
            .run_in(root, Some(lock))
    }

    /// Is nothing to be removed of a plan?
    fn is_held_by(&self, plan: &PrunePlan) -> bool {
        self.options.dry_run || self.brake && plan.brake.is_some()
    }

    /// Removes what no policy keeps, and finishes what earlier runs left.
    ///
    /// # Errors
    /// As for [`Prune::plan`] and [`Remove::run`]: nothing was removed then.
    pub fn run(self) -> Result<Pruned, Error> {
        if self.options.dry_run {
            return self.plan().map(Pruned::not);
        }
        let root = self.open()?;
        let lock = root.lock()?;
        let plan = self.planned_of(&root, &root.keep_candidates()?)?;
        if self.is_held_by(&plan) {
            return Ok(Pruned::not(plan));
        }
        let dumps = plan.remove.iter().map(|goes| goes.dump).collect();
        let recycle = self.recycle && plan.shortage.is_none();
        let removal = Some(self.remove((&root, &lock), dumps, recycle)?);
        Ok(Pruned { plan, removal })
    }

    /// `for_room`: what goes besides those that no rule keeps.
    fn planned(
        &self,
        dumps: &[KeepCandidate],
        verdicts: &[KeepVerdict],
        for_room: &HashSet<DumpId>,
        now: &DateTime<Local>,
    ) -> PrunePlan {
        let mut plan = PrunePlan::default();
        let mut alone: BTreeMap<&OsString, usize> = BTreeMap::new();
        let mut goes = Vec::with_capacity(dumps.len());
        for (dump, verdict) in dumps.iter().zip(verdicts) {
            let alone_trees = dump
                .trees
                .iter()
                .filter(|tree| self.rules.policies(tree).is_empty() && self.rules.asks_for(tree));
            alone_trees.for_each(|tree| *alone.entry(tree).or_default() += 1);
            let why = match verdict.reasons.is_empty() {
                true => Some(GoesFor::Rules),
                false => for_room.contains(&dump.dump).then_some(GoesFor::Room),
            };
            goes.push(why.is_some());
            let (dump, moment) = (dump.dump, dump.moment);
            match why {
                Some(why) => plan.remove.push(Goes { dump, moment, why }),
                None => plan.keep.push(Kept {
                    dump,
                    moment,
                    reasons: verdict.reasons.clone(),
                }),
            }
        }
        let brake = self.rules.gap(dumps, verdicts, &goes, now);
        plan.brake = brake.or_else(|| self.rules.brake(dumps, &goes));
        let alone = alone.into_iter();
        plan.left_alone = alone.map(|(tree, dumps)| (tree.clone(), dumps)).collect();
        plan
    }

    /// How many bytes are freed, if that can be told.
    fn freed(
        &self,
        root: &DumpRoot,
        plan: &PrunePlan,
        catalog: Option<&CatalogView>,
    ) -> Result<Option<u64>, Error> {
        let dumps: Vec<DumpId> = plan.remove.iter().map(|goes| goes.dump).collect();
        // A catalog that cannot be read is for others to report.
        let known = catalog.and_then(|catalog| catalog.freed_bytes(&dumps).ok());
        if known.is_some() || dumps.len() > LOOKED_THROUGH {
            return Ok(known);
        }
        let mut walk = Walk::new(root, &self.options);
        for dump in dumps {
            walk.add(dump)?;
        }
        Ok(Some(walk.bytes()))
    }
}

/// Those with such a verdict.
fn chosen(
    dumps: &[KeepCandidate],
    verdicts: &[KeepVerdict],
    is: impl Fn(&KeepVerdict) -> bool,
) -> Vec<DumpId> {
    let chosen = dumps.iter().zip(verdicts);
    let chosen = chosen.filter(|(_, verdict)| is(verdict));
    chosen.map(|(dump, _)| dump.dump).collect()
}
