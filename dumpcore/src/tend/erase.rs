//! Erasing paths: out of all dumps, and out of the catalog.
//!
//! It is noted first what is to go, and what the directories around it are to
//! have again; then each dump loses its paths by renames; when that is flushed,
//! they are removed and forgotten. After a kill at any moment the next erasure
//! finishes, by the note; so it does where a dump could not be written to, or was
//! being read, and the catalog knows what that one still has. Nothing but the paths
//! changes: no other inode, and of the directories around them no time.
//!
//! Asked to stop, it does so between two renames. What has left the dumps, and how
//! many names they have, is noted and flushed as ever; the rest is for the next one.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::erase_plan::Plan;
use super::erased_files::Files;
use super::erasure::{CatalogAfter, ErasedPath, Erasure};
use super::forget::forget;
use super::removal::{Left, Reason};
use crate::catalog::Catalog;
use crate::engine::{self, Act, Budget, Measured, Totals};
use crate::model::error::Error;
use crate::model::event::{Event, Phase, Silent};
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::policy::erase_note::{DirWas, EraseNote};
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::root::erasing::Spot;
use crate::root::lock::Hold;
use crate::root::removing::Removing;
use crate::run::removing::{self, Total};
use crate::run::{RunOptions, takes_run_options};
use crate::sys::dir::{self, For};
use crate::sys::{disk, errno};

/// Takes paths out of all dumps of a dump root, and out of its catalog.
///
/// ```no_run
/// use dumpcore::{Erase, RelPath};
///
/// let erasure = Erase::new("/dump")
///     .path(RelPath::from_bytes(b"home/alice/secret"))
///     .run()?;
/// println!("{} bytes freed", erasure.freed_bytes);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is erased until it is run"]
pub struct Erase {
    root: PathBuf,
    paths: Vec<RelPath>,
    options: RunOptions,
}

impl Erase {
    /// Erases in this dump root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            paths: Vec::new(),
            options: RunOptions::new(),
        }
    }

    /// A path to erase, which begins with the name of its tree; call it for each.
    /// A whole tree is not erased: it is left out.
    pub fn path(mut self, path: RelPath) -> Self {
        let is_below_a_tree = path.as_bytes().contains(&b'/');
        if is_below_a_tree && !self.paths.contains(&path) {
            self.paths.push(path);
        }
        self
    }

    takes_run_options!();

    /// Erases, and finishes an earlier erasure that was cut off or left something.
    ///
    /// # Errors
    /// [`Error::Busy`] when a run holds the dump root, and others when it cannot
    /// be opened or read, or nothing can be noted in it: nothing was erased then. So
    /// it is with [`Error::Interrupted`]: it was stopped while it looked at the dumps.
    /// What keeps a path in a single dump is in the [`Erasure`].
    pub fn run(self) -> Result<Erasure, Error> {
        let root = DumpRoot::open(&self.root)?;
        let root = root.with_local_state(self.options.local_state.clone());
        root.outside_of_dumps()?;
        let totals = Totals::new(&*self.options.observer, Some(&self.options.stop));
        let jobs = self.options.jobs;
        let budget = Budget::new(jobs.unwrap_or_else(|| removing::removing_jobs(&root)));
        let lock = match self.options.dry_run {
            true => None,
            false => Some(root.lock()?),
        };
        let before = match &lock {
            // Not everybody who may look at a dump root may read its note.
            None => root.erase_note().unwrap_or_default(),
            Some(_) => root.erase_note()?,
        };
        let finished = before.is_some();
        let before = before.unwrap_or_default();
        let mut plan = self.plan(&root, &before)?;
        // What was noted first is what there was.
        plan.note.dirs.extend(before.dirs);
        let erasure = match &lock {
            None => self.measured(&root, plan, budget)?,
            Some(_) => self.erased(&root, plan, finished, budget, &totals)?,
        };
        drop(lock);
        let stopped = !totals.keep_going();
        let sum = totals.sum();
        Ok(Erasure {
            finished,
            faults_total: sum.counts.faults,
            faults: sum.faults,
            stopped,
            ..erasure
        })
    }

    /// Where the paths are, and those of an erasure that was cut off.
    fn plan(&self, root: &DumpRoot, before: &EraseNote) -> Result<Plan, Error> {
        let paths = outermost(self.paths.iter().chain(&before.paths));
        let mut plan = Plan::default();
        for dump in dumps(root)? {
            self.unless_stopped()?;
            let mut names = 0;
            for path in &paths {
                match root.spot(dump, path) {
                    Ok(None) => {}
                    Ok(Some(mut spot)) => match root.mounted_at(&spot) {
                        Ok(Some(point)) => plan.leave(root, &spot, Reason::Mounted { point }),
                        Err(e) => {
                            let fault = Fault::new(Op::Open, root.path().join(spot.path()), e);
                            plan.leave(root, &spot, Reason::Failed(fault));
                        }
                        Ok(None) => {
                            let keep_going = || self.options.keep_going();
                            spot.size = root.size_of(&spot, &keep_going);
                            names += spot.size.names;
                            let dir = spot.dir.as_bytes().to_vec();
                            plan.note.dirs.insert(dir, spot.dir_was);
                            plan.spots.push(spot);
                        }
                    },
                    Err(fault) => plan.left.push(Left {
                        dump,
                        path: path.below(&root.path().join(dump.path())),
                        reason: Reason::Failed(fault),
                    }),
                }
            }
            // A dump whose number was noted may say it already, although some of
            // those names are still there.
            let noted = match before.names.get(&dump) {
                Some(noted) => Some(noted + self.names_of(root, dump, &before.paths)),
                None if names > 0 => root.noted_names(dump),
                None => None,
            };
            if let Some(noted) = noted {
                plan.note.names.insert(dump, noted.saturating_sub(names));
            }
        }
        // Then not all was counted that is noted.
        self.unless_stopped()?;
        let is_expired = |path: &&RelPath| root.is_on_its_way_out(path);
        plan.expired = paths.iter().filter(is_expired).cloned().collect();
        plan.note.paths = paths;
        Ok(plan)
    }

    fn unless_stopped(&self) -> Result<(), Error> {
        match self.options.keep_going() {
            true => Ok(()),
            false => Err(Error::Interrupted),
        }
    }

    /// How many names of a dump are in these paths.
    fn names_of(&self, root: &DumpRoot, dump: DumpId, paths: &[RelPath]) -> u64 {
        let keep_going = || self.options.keep_going();
        let spots = paths.iter().filter_map(|path| root.spot(dump, path).ok()?);
        let spots = spots.filter(|spot| matches!(root.mounted_at(spot), Ok(None)));
        spots
            .map(|spot| root.size_of(&spot, &keep_going).names)
            .sum()
    }

    /// What erasing them would free.
    fn measured(&self, root: &DumpRoot, plan: Plan, budget: Budget) -> Result<Erasure, Error> {
        let totals = Totals::new(&Silent, Some(&self.options.stop));
        let (measured, files) = (Measured::default(), Files::of(&plan.spots, &[]));
        let mut sum = engine::Gone::default();
        for spot in &plan.spots {
            self.unless_stopped()?;
            let path = root.path().join(spot.path());
            let Ok(dir) = root.open_dump(&spot.dir) else {
                continue;
            };
            let act = Act::Measure(&measured);
            let gone = engine::remove(&dir, &spot.name, &path, &act, budget, &totals);
            sum.names += gone.names;
            sum.freed += gone.freed;
        }
        self.unless_stopped()?;
        let catalog = match Catalog::read(root) {
            Ok(Some(_)) => CatalogAfter::Erased,
            _ => CatalogAfter::None,
        };
        Ok(self.told(plan, sum, files, catalog))
    }

    fn erased(
        &self,
        root: &DumpRoot,
        mut plan: Plan,
        is_begun: bool,
        budget: Budget,
        totals: &Totals<'_>,
    ) -> Result<Erasure, Error> {
        if plan.note.is_empty() {
            return Ok(self.told(
                plan,
                engine::Gone::default(),
                Files::default(),
                CatalogAfter::None,
            ));
        }
        root.put_erase_note(&plan.note)?;
        totals.event(Event::Phase(Phase::Removing));
        let to = root.removing()?;
        let out = self.take_all_out(root, &mut plan, &to, totals);
        let not_put_back = put_all_back(root, &plan.note, totals);
        let flushed =
            disk::sync_filesystem(root.handle()).and_then(|()| disk::sync_alone(&to.handle));
        flushed.map_err(|e| root.failed(Op::Sync, "".as_ref(), e))?;
        // Before the files, since these hold their names.
        let catalog = match totals.keep_going() {
            true => {
                root.forget_damaged(&plan.note.paths)?;
                forget(root, &plan.where_it_stays(root), &plan.dir_bytes())
            }
            false => CatalogAfter::Failed("it was stopped; the next erasure does it".to_owned()),
        };
        let mut sum = engine::Gone::default();
        for leaf in &out {
            let path = to.path_of(leaf);
            let gone = engine::remove(&to.handle, leaf, &path, &Act::Remove, budget, totals);
            sum.names += gone.names;
            sum.freed += gone.freed;
        }
        if totals.keep_going() {
            // What was on its way out may hold them, too.
            let rest = removing::finish(root, &out, Total::Told, budget, totals);
            sum.freed += rest.freed;
            let stays = plan.still_on_their_way_out(root, &to, totals);
            let is_begun = is_begun || !out.is_empty() || !stays.is_empty();
            let rest = plan.rest(root, stays, not_put_back);
            match !rest.is_empty() && is_begun {
                true => root.put_erase_note(&rest)?,
                false => root.end_erase_note()?,
            }
        }
        let files = Files::of(&plan.spots, &plan.remaining);
        Ok(self.told(plan, sum, files, catalog))
    }

    /// Renames all of it out of the dumps, until it is stopped. Returns the names that
    /// it has now; of the spots those stay that are gone. A dump that keeps some of it
    /// says how many names it has now.
    fn take_all_out(
        &self,
        root: &DumpRoot,
        plan: &mut Plan,
        to: &Removing,
        totals: &Totals<'_>,
    ) -> Vec<CString> {
        let (mut out, mut kept) = (Vec::new(), BTreeMap::<DumpId, u64>::new());
        // The dump that was come to last, and how many of its spots were.
        let mut begun = (None, 0);
        for spot in std::mem::take(&mut plan.spots) {
            if !totals.keep_going() {
                if begun.0 == Some(spot.dump) {
                    *kept.entry(spot.dump).or_default() += spot.size.names;
                }
                plan.remaining.push(spot);
                continue;
            }
            begun = match begun {
                (Some(dump), before) if dump == spot.dump => (Some(dump), before + 1),
                _ => (Some(spot.dump), 0),
            };
            match self.take_out(root, &spot, begun.1, &plan.note, to) {
                Ok(leaf) => {
                    out.push(leaf);
                    plan.spots.push(spot);
                }
                Err(reason) => {
                    *kept.entry(spot.dump).or_default() += spot.size.names;
                    plan.leave(root, &spot, reason);
                }
            }
        }
        for (dump, names) in kept {
            let names = plan.note.names.get(&dump).map(|without| without + names);
            let names = names.filter(|names| root.noted_names(dump) != Some(*names));
            let noted = names.map_or(Ok(()), |names| root.note_names(dump, names));
            noted.unwrap_or_else(|fault| totals.fault(fault));
        }
        out
    }

    /// Takes a path out of a dump that nobody reads.
    fn take_out(
        &self,
        root: &DumpRoot,
        spot: &Spot,
        before: u32,
        note: &EraseNote,
        to: &Removing,
    ) -> Result<CString, Reason> {
        let path = root.path().join(spot.dump.path());
        let opened = root
            .open_dump(&spot.dump.rel_path())
            .and_then(|dump| dir::reopen(dump.as_fd(), For::Reading));
        let dump = opened.map_err(|e| Reason::Failed(Fault::new(Op::Open, path.clone(), e)))?;
        let hold = Hold::alone(dump.as_fd()).map_err(|e| match errno::is_locked(&e) {
            true => Reason::Read,
            false => Reason::Failed(Fault::new(Op::Lock, path, e)),
        })?;
        if let Some(names) = note.names.get(&spot.dump) {
            root.note_names(spot.dump, *names).map_err(Reason::Failed)?;
        }
        let leaf = root.take_out(spot, before, to);
        let leaf = leaf.map_err(Reason::Failed)?;
        drop(hold);
        Ok(leaf)
    }

    fn told(&self, plan: Plan, sum: engine::Gone, files: Files, catalog: CatalogAfter) -> Erasure {
        let mut paths = Vec::new();
        for path in plan.note.paths {
            let is_it = |spot: &&Spot| {
                let below = spot.dump.path();
                spot.path() == below.join(path.as_path())
            };
            let of = |spots: &[Spot]| {
                let dumps = spots.iter().filter(is_it).map(|spot| spot.dump);
                dumps.collect()
            };
            let (dumps, remaining) = (of(&plan.spots), of(&plan.remaining));
            let expired = plan.expired.contains(&path);
            paths.push(ErasedPath {
                path,
                dumps,
                remaining,
                expired,
            });
        }
        Erasure {
            paths,
            left: plan.left,
            names: sum.names,
            freed_bytes: sum.freed + files.freed,
            other_names: files.other_names,
            catalog,
            faults: Vec::new(),
            faults_total: 0,
            finished: false,
            dry_run: self.options.dry_run,
            stopped: false,
        }
    }
}

/// Gives all directories back what they had; those of which that failed.
fn put_all_back(
    root: &DumpRoot,
    note: &EraseNote,
    totals: &Totals<'_>,
) -> BTreeMap<Vec<u8>, DirWas> {
    let mut left = BTreeMap::new();
    for (dir, was) in &note.dirs {
        if let Err(fault) = root.put_back(dir, was) {
            totals.fault(fault);
            left.insert(dir.clone(), *was);
        }
    }
    left
}

/// These paths without those that are below another of them.
fn outermost<'p>(paths: impl Iterator<Item = &'p RelPath> + Clone) -> Vec<RelPath> {
    let mut outermost: Vec<RelPath> = Vec::new();
    for path in paths.clone() {
        let is_below = |above: &RelPath| {
            let rest = path.as_bytes().strip_prefix(above.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        if !outermost.contains(path) && !paths.clone().any(is_below) {
            outermost.push(path.clone());
        }
    }
    outermost
}

/// Everything that may hold a path: a first copy, the dumps, what runs that
/// stopped have left.
fn dumps(root: &DumpRoot) -> Result<Vec<DumpId>, Error> {
    let mut dumps = Vec::new();
    if root.has(DumpId::First)? {
        dumps.push(DumpId::First);
    }
    dumps.extend(root.list()?.into_iter().map(DumpId::Dump));
    let left = root.listing().incompletes()?;
    dumps.extend(left.into_iter().map(|found| DumpId::Incomplete(found.name)));
    Ok(dumps)
}
