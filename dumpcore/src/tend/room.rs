//! Which dumps have to go beyond the rules so that there is enough room.
//!
//! It is computed before anything goes: from the catalog, or where there is
//! none, or inodes are short, by looking through the dumps. What has expired
//! before and is still there goes with them, and counts. When not even all that may
//! go would be enough, none goes.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::plan::Shortage;
use crate::engine::{self, Act, Budget, Measured, Totals};
use crate::history::CatalogView;
use crate::model::error::Error;
use crate::model::event::Silent;
use crate::policy::layout::DumpId;
use crate::policy::retention::FreeGoal;
use crate::root::DumpRoot;
use crate::run::{RunOptions, removing};

/// Bytes and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    bytes: u64,
    inodes: u64,
}

impl Room {
    fn covers(self, other: Self) -> bool {
        self.bytes >= other.bytes && self.inodes >= other.inodes
    }
}

/// Looks through dumps and adds up what removing them would free.
pub(super) struct Walk<'a> {
    root: &'a DumpRoot,
    measured: Measured,
    budget: Budget,
    options: &'a RunOptions,
    sum: Room,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a DumpRoot, options: &'a RunOptions) -> Self {
        let jobs = options.jobs;
        Self {
            root,
            measured: Measured::default(),
            budget: Budget::new(jobs.unwrap_or_else(|| removing::removing_jobs(root))),
            options,
            sum: Room::default(),
        }
    }

    /// Adds a dump. What cannot be looked at frees nothing.
    pub(super) fn add(&mut self, id: DumpId) -> Result<(), Error> {
        match self.root.open_above(id) {
            Ok((above, name)) => {
                let path = self.root.path().join(id.path());
                self.add_named(&above, &name, &path)
            }
            Err(_) => Ok(()),
        }
    }

    /// Adds all that is on its way out.
    fn add_rests(&mut self) -> Result<(), Error> {
        let Some(removing) = self.root.removing_if_any() else {
            return Ok(());
        };
        for leaf in removing.rests().unwrap_or_default() {
            self.add_named(&removing.handle, &leaf, &removing.path_of(&leaf))?;
        }
        Ok(())
    }

    fn add_named(&mut self, above: &OwnedFd, name: &CStr, path: &Path) -> Result<(), Error> {
        let totals = Totals::new(&Silent, Some(&self.options.stop));
        let act = Act::Measure(&self.measured);
        let gone = engine::remove(above, name, path, &act, self.budget, &totals);
        self.sum.bytes += gone.freed;
        self.sum.inodes += gone.inodes;
        match totals.keep_going() {
            true => Ok(()),
            false => Err(Error::Interrupted),
        }
    }

    /// How many bytes all that was added would free.
    pub(super) fn bytes(&self) -> u64 {
        self.sum.bytes
    }
}

/// Which dumps go for lack of room.
pub(super) struct Making {
    pub(super) shortage: Shortage,
    /// How many of the candidates go, from the first.
    pub(super) goes: usize,
}

/// What has to go so that the goals are met, besides those that go by the rules;
/// `None` where there is room enough now. `candidates`: those that may go, the
/// oldest first.
pub(super) fn make(
    root: &DumpRoot,
    goals: &[FreeGoal],
    (by_rules, candidates): (&[DumpId], &[DumpId]),
    catalog: Option<&CatalogView>,
    options: &RunOptions,
) -> Result<Option<Making>, Error> {
    let (Some(free), Some(total)) = (root.free(), root.total()) else {
        return Ok(None);
    };
    let most = |of: &dyn Fn(FreeGoal) -> u64| goals.iter().map(|goal| of(*goal)).max();
    let wanted = Room {
        bytes: most(&|goal| goal.bytes_of(total.bytes)).unwrap_or(0),
        inodes: most(&|goal| goal.inodes_of(total.inodes)).unwrap_or(0),
    };
    let there = Room {
        bytes: free.bytes,
        // Where inodes are made as they are needed, none are wanted.
        inodes: free.inodes.unwrap_or(u64::MAX),
    };
    if there.covers(wanted) {
        return Ok(None);
    }
    let short = Room {
        bytes: wanted.bytes.saturating_sub(there.bytes),
        inodes: wanted.inodes.saturating_sub(there.inodes),
    };
    let mut rests = Walk::new(root, options);
    rests.add_rests()?;
    let (goes, could) = match catalog.filter(|_| short.inodes == 0) {
        Some(catalog) => by_catalog(catalog, (short, rests.bytes()), by_rules, candidates)?,
        None => by_walk(rests, short, by_rules, candidates)?,
    };
    let shortage = Shortage {
        wanted_bytes: wanted.bytes,
        free_bytes: there.bytes,
        wanted_inodes: wanted.inodes,
        free_inodes: free.inodes.unwrap_or(0),
        could_free_bytes: could,
        is_met: goes.is_some(),
    };
    let goes = goes.unwrap_or(0);
    Ok(Some(Making { shortage, goes }))
}

/// How many have to go, if that is enough, and how many bytes are freed then, or
/// by all of them.
type Enough = (Option<usize>, u64);

fn by_catalog(
    catalog: &CatalogView,
    (short, rests): (Room, u64),
    by_rules: &[DumpId],
    candidates: &[DumpId],
) -> Result<Enough, Error> {
    let freed = |number: usize| -> Result<u64, Error> {
        let dumps = [by_rules, &candidates[..number]].concat();
        let freed = catalog.freed_bytes(&dumps)?;
        Ok(freed + rests)
    };
    let least = freed(0)?;
    if least >= short.bytes {
        return Ok((Some(0), least));
    }
    let all = freed(candidates.len())?;
    if all < short.bytes {
        return Ok((None, all));
    }
    // Too few, and enough.
    let (mut low, mut high, mut bytes) = (0, candidates.len(), all);
    while high - low > 1 {
        let middle = low.midpoint(high);
        match freed(middle)? {
            freed if freed >= short.bytes => (high, bytes) = (middle, freed),
            _ => low = middle,
        }
    }
    Ok((Some(high), bytes))
}

fn by_walk(
    mut walk: Walk<'_>,
    short: Room,
    by_rules: &[DumpId],
    candidates: &[DumpId],
) -> Result<Enough, Error> {
    for id in by_rules {
        walk.add(*id)?;
    }
    for (number, id) in candidates.iter().enumerate() {
        if walk.sum.covers(short) {
            return Ok((Some(number), walk.bytes()));
        }
        walk.add(*id)?;
    }
    let enough = walk.sum.covers(short).then_some(candidates.len());
    Ok((enough, walk.bytes()))
}
