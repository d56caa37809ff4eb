//! The state of a dump root at a glance: what no run can tell of, since none
//! took place, or each of them saw itself only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use chrono::{DateTime, Local, TimeDelta, Utc};

use super::scrub_status::{ScrubStatus, scrubbed};
use crate::history::{CatalogView, DumpInfo};
use crate::model::error::Error;
use crate::model::lacking::Lacking;
use crate::model::path::Printable;
use crate::policy::attention::{Attention, AttentionLimits, MoreDumps};
use crate::policy::layout::{self, DumpId};
use crate::policy::retention::{KeepCandidate, KeepRules};
use crate::root::DumpRoot;
use crate::root::lost::LostDump;
use crate::root::pins::NotAPin;
use crate::root::stuck::NotRemoved;

/// How many of the newest dumps say what one takes.
const LAST: usize = 30;

/// Names may run ahead of the clock so far.
const AHEAD: TimeDelta = TimeDelta::hours(2);

/// A tree, and the dumps that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeStatus {
    /// Its name in dumps.
    pub name: OsString,
    /// How many dumps hold it.
    pub dumps: u64,
    /// When the oldest dump was made; `None`: only a first copy holds it, or
    /// also one.
    pub since: Option<DateTime<Utc>>,
    /// The newest dump that is not dated in the future.
    pub newest: Option<DumpId>,
    /// When that was made.
    pub moment: Option<DateTime<Utc>>,
    /// What it lacks; `None` where it is complete.
    pub lacks: Option<Lacking>,
    /// How many of the newest dumps in a row lack some.
    pub partial_in_a_row: u64,
}

/// A checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointStatus {
    /// Which one.
    pub dump: DumpId,
    /// When what it copies was made.
    pub moment: DateTime<Utc>,
    /// Is it [linked](crate::Checkpoint::linked) to others of its chain?
    pub is_linked: bool,
}

/// What a run left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftoverStatus {
    /// Which one.
    pub dump: DumpId,
    /// When that run began.
    pub since: DateTime<Utc>,
}

impl LeftoverStatus {
    fn attention(self, now: DateTime<Utc>, limits: &AttentionLimits) -> Option<Attention> {
        let Self { dump, since } = self;
        let age = now - since;
        (age > limits.leftover_age).then_some(Attention::Leftover { dump, age })
    }
}

/// What is free on the dump disk, and for what that is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStatus {
    /// Bytes that are free for this user.
    pub free_bytes: Option<u64>,
    /// Bytes that the filesystem has in all.
    pub total_bytes: Option<u64>,
    /// Inodes that are free; `None` where they are made as they are needed.
    pub free_inodes: Option<u64>,
    /// Bytes that one dump takes, judging by the last ones. `None` without the
    /// catalog, and where there are too few dumps to judge by.
    pub dump_bytes: Option<u64>,
    /// Inodes that one dump takes; `None` as for bytes.
    pub dump_inodes: Option<u64>,
    /// How many more there is room for; `None` as for bytes, unless nothing is free.
    pub more: Option<MoreDumps>,
    /// How many dumps there will be when retention lets as many go as come: see
    /// [`KeepRules::settles`].
    pub settled_dumps: Option<u64>,
    /// About how many bytes are used then; `None` as for the bytes of a dump.
    pub settled_bytes: Option<u64>,
    /// Is there room for all of them, in bytes and inodes? `None` as for the bytes of
    /// a dump.
    pub suffices: Option<bool>,
    /// Bytes that the newest checkpoint took, and the next one is likely to take.
    pub checkpoint_bytes: Option<u64>,
}

/// The state of a dump root.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootStatus {
    /// The moment that ages are counted to.
    pub now: DateTime<Utc>,
    /// The trees in it, by name.
    pub trees: Vec<TreeStatus>,
    /// The newest checkpoint.
    pub checkpoint: Option<CheckpointStatus>,
    /// The room on its disk.
    pub room: RoomStatus,
    /// What runs left behind, the oldest first.
    pub leftovers: Vec<LeftoverStatus>,
    /// What is left of removed dumps, except what may be recycled or is read; nothing
    /// also where this user may not look. With policies also the dumps that they let go
    /// and in which something is mounted.
    pub not_removed: Vec<NotRemoved>,
    /// Dumps that are dated in the future.
    pub future: Vec<DumpId>,
    /// What is wrong with `current`: it names no dump, or is missing while there
    /// are dumps.
    pub bad_current: Option<String>,
    /// The newest dump that is neither a checkpoint nor dated in the future.
    pub newest: Option<DumpId>,
    /// Links that look like pins and keep no dump.
    pub not_pins: Vec<NotAPin>,
    /// Pins and `current_chk` whose dumps are not there.
    pub lost: Vec<LostDump>,
    /// How many paths an erasure is of that is not finished; 0 also where this user
    /// may not look.
    pub erasing: u64,
    /// What scrubs have found; `None` without the catalog, and where there was none.
    pub scrub: Option<ScrubStatus>,
}

/// A tree that is dumped into a dump root, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchedTree {
    /// Its name in dumps.
    pub name: OsString,
    /// Does a policy say which of its dumps stay?
    pub has_policy: bool,
}

impl WatchedTree {
    /// A tree by its name in dumps.
    #[must_use]
    pub fn new(name: impl Into<OsString>, has_policy: bool) -> Self {
        Self {
            name: name.into(),
            has_policy,
        }
    }
}

impl DumpRoot {
    /// Its state now. With the catalog it is also told for how many more dumps
    /// there is room. Takes no lock, and changes nothing.
    ///
    /// # Errors
    /// The dump root, or the catalog, cannot be read.
    pub fn status(
        &self,
        catalog: Option<&CatalogView>,
        now: impl Into<DateTime<Utc>>,
    ) -> Result<RootStatus, Error> {
        let dumps = self.dumps(catalog)?;
        self.status_of(&dumps, catalog, now.into())
    }

    /// The same, and where these policies let the number of dumps settle.
    ///
    /// # Errors
    /// As [`DumpRoot::status`].
    pub fn status_by(
        &self,
        catalog: Option<&CatalogView>,
        rules: &KeepRules,
        now: &DateTime<Local>,
    ) -> Result<RootStatus, Error> {
        self.status_from(&self.dumps(catalog)?, catalog, rules, now)
    }

    /// The same from what [`DumpRoot::dumps`] told, which takes most of the time where
    /// there are years of dumps.
    ///
    /// # Errors
    /// As [`DumpRoot::status_by`].
    pub fn status_from(
        &self,
        dumps: &[DumpInfo],
        catalog: Option<&CatalogView>,
        rules: &KeepRules,
        now: &DateTime<Local>,
    ) -> Result<RootStatus, Error> {
        let mut status = self.status_of(dumps, catalog, now.to_utc())?;
        let candidates: Vec<KeepCandidate> = dumps.iter().map(Into::into).collect();
        let goes = || {
            let verdicts = rules.judge(&candidates, now).into_iter();
            verdicts.map(|verdict| verdict.reasons.is_empty()).collect()
        };
        let held = self.held_by_mounts(&candidates, &goes);
        status.not_removed.extend(held);
        let room = &mut status.room;
        room.settled_dumps = rules.settles(&candidates, now);
        let now = dumps.len() as u64;
        room.settled_bytes = settled_bytes(room, now);
        room.suffices = room
            .settled_dumps
            .zip(room.more)
            .map(|(settled, more)| settled.saturating_sub(now) <= more.number);
        Ok(status)
    }

    fn status_of(
        &self,
        dumps: &[DumpInfo],
        catalog: Option<&CatalogView>,
        now: DateTime<Utc>,
    ) -> Result<RootStatus, Error> {
        let is_future = |dump: &&DumpInfo| dump.moment.is_some_and(|moment| moment > now + AHEAD);
        let checkpoints = dumps.iter().filter(|dump| dump.is_checkpoint());
        let checkpoints = checkpoints.filter(|dump| !is_future(dump));
        let newest = checkpoints.filter_map(|dump| {
            Some(CheckpointStatus {
                dump: dump.dump,
                moment: dump.moment?,
                is_linked: dump.is_linked,
            })
        });
        let listing = self.listing();
        let leftovers = listing.incompletes()?.into_iter().map(|found| {
            let since = listing.moment(found.name);
            let dump = DumpId::Incomplete(found.name);
            LeftoverStatus { dump, since }
        });
        let ordinary = dumps.iter().rev().filter(|dump| !dump.is_checkpoint());
        let mut ordinary = ordinary.filter(|dump| dump.dump.name().is_some());
        Ok(RootStatus {
            now,
            bad_current: self.wrong_with_current(ordinary.clone().next().is_some()),
            newest: ordinary.find(|dump| !is_future(dump)).map(|one| one.dump),
            trees: trees(dumps.iter().filter(|dump| !is_future(dump))),
            checkpoint: newest.max_by_key(|checkpoint| checkpoint.moment),
            room: self.room(dumps),
            leftovers: leftovers.collect(),
            not_removed: self.not_removed(),
            future: dumps.iter().filter(is_future).map(|one| one.dump).collect(),
            not_pins: self.links_that_are_not_pins()?,
            lost: self.links_to_lost_dumps()?,
            erasing: match self.erase_note() {
                Ok(Some(note)) => note.paths.len() as u64,
                _ => 0,
            },
            scrub: catalog.map(scrubbed).transpose()?.flatten(),
        })
    }

    /// `None` also where this user may not look.
    fn wrong_with_current(&self, has_dumps: bool) -> Option<String> {
        match self.current_name() {
            Ok(None) if has_dumps => {
                let link = self.path().join(layout::CURRENT);
                let link = Printable::path(&link);
                Some(format!("{link} is missing, and there are dumps"))
            }
            Err(error @ Error::BadCurrent { .. }) => Some(error.to_string()),
            _ => None,
        }
    }

    fn room(&self, dumps: &[DumpInfo]) -> RoomStatus {
        let free = self.free();
        let one = mean(dumps);
        let space = free.map(|free| (free.bytes, free.inodes));
        // What any dump takes is not there, however much that is.
        let is_full = space.is_some_and(|(bytes, inodes)| bytes == 0 || inodes == Some(0));
        RoomStatus {
            free_bytes: free.map(|free| free.bytes),
            total_bytes: self.total().map(|total| total.bytes),
            free_inodes: free.and_then(|free| free.inodes),
            dump_bytes: one.map(|one| one.0),
            dump_inodes: one.map(|one| one.1),
            more: space
                .zip(one.or(is_full.then_some((1, 1))))
                .map(|(space, one)| MoreDumps::of(space, one)),
            checkpoint_bytes: dumps
                .iter()
                .rfind(|dump| dump.is_checkpoint())
                .and_then(|dump| dump.added_bytes),
            ..RoomStatus::default()
        }
    }
}

/// What is used now, and what is used by the dumps that come or go until then.
fn settled_bytes(room: &RoomStatus, dumps: u64) -> Option<u64> {
    let used = room.total_bytes?.checked_sub(room.free_bytes?)?;
    let (settled, one) = (room.settled_dumps?, room.dump_bytes?);
    Some(match settled.checked_sub(dumps) {
        Some(more) => used.saturating_add(more.saturating_mul(one)),
        None => used.saturating_sub((dumps - settled).saturating_mul(one)),
    })
}

/// The trees of dumps, which are in order: the oldest first.
fn trees<'d>(dumps: impl Iterator<Item = &'d DumpInfo>) -> Vec<TreeStatus> {
    let mut trees: BTreeMap<&OsString, TreeStatus> = BTreeMap::new();
    for dump in dumps {
        for name in &dump.trees {
            let tree = trees.entry(name).or_insert_with(|| TreeStatus {
                name: name.clone(),
                dumps: 0,
                since: dump.moment,
                newest: None,
                moment: None,
                lacks: None,
                partial_in_a_row: 0,
            });
            tree.dumps += 1;
            tree.newest = Some(dump.dump);
            tree.moment = dump.moment;
            tree.lacks = dump.lacks;
            tree.partial_in_a_row = match dump.lacks {
                Some(_) => tree.partial_in_a_row + 1,
                None => 0,
            };
        }
    }
    trees.into_values().collect()
}

/// What one dump took on average, in bytes and inodes, of the last ones that
/// are not full copies: neither checkpoints nor the first dump of a tree.
fn mean(dumps: &[DumpInfo]) -> Option<(u64, u64)> {
    let mut met = BTreeSet::new();
    let mut taken = Vec::new();
    for dump in dumps {
        let news = dump.trees.iter().filter(|tree| met.insert(*tree)).count();
        if news == 0 && !dump.is_checkpoint() {
            taken.push((dump.added_bytes?, dump.added_inodes?));
        }
    }
    let last = &taken[taken.len().saturating_sub(LAST)..];
    let number = u64::try_from(last.len()).ok().filter(|n| *n > 0)?;
    let (bytes, inodes) = last.iter().fold((0, 0), |sum: (u64, u64), one| {
        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
    });
    Some((bytes / number, inodes / number))
}

impl RootStatus {
    /// What needs attention, the most urgent first. `watched`: the trees that
    /// are dumped into it; without any, all that it holds. Other trees may be
    /// as old as they like.
    #[must_use]
    pub fn attention(&self, watched: &[WatchedTree], limits: &AttentionLimits) -> Vec<Attention> {
        let mut all = Vec::new();
        if let Some(why) = self.bad_current.clone() {
            let newest = self.newest;
            all.push(Attention::BadCurrent { why, newest });
        }
        if let Some(ScrubStatus { damaged, names, .. }) = self.scrub
            && damaged + names > 0
        {
            all.push(Attention::Damaged { damaged, names });
        }
        if self.erasing > 0 {
            let paths = self.erasing;
            all.push(Attention::Erasing { paths });
        }
        for tree in watched {
            if !self.trees.iter().any(|other| other.name == tree.name) {
                let tree = tree.name.clone();
                all.push(Attention::NoDump { tree });
            }
        }
        let of = |tree: &TreeStatus| watched.iter().find(|one| one.name == tree.name);
        let are_watched = |tree: &&TreeStatus| watched.is_empty() || of(tree).is_some();
        for tree in self.trees.iter().filter(are_watched) {
            self.of_tree(tree, limits, &mut all);
        }
        let ends = self.room.suffices != Some(true);
        if let Some(more) = self.room.more.filter(|m| m.number < limits.more_dumps)
            && ends
        {
            all.push(Attention::LittleRoom { more });
        }
        if let Some(CheckpointStatus { dump, moment, .. }) = self.checkpoint {
            let age = self.now - moment;
            if age > limits.checkpoint_age {
                all.push(Attention::OldCheckpoint { dump, age });
            }
        }
        let leftovers = self.leftovers.iter();
        all.extend(leftovers.filter_map(|left| left.attention(self.now, limits)));
        let not_removed = self.not_removed.iter();
        all.extend(not_removed.filter_map(|left| left.attention(self.now, limits)));
        let some_have = watched.iter().any(|tree| tree.has_policy);
        for tree in &self.trees {
            let has_policy = of(tree).is_some_and(|tree| tree.has_policy);
            let many = tree.dumps >= limits.dumps_without_policy;
            if !has_policy && (some_have || many) {
                let (tree, dumps) = (tree.name.clone(), tree.dumps);
                all.push(Attention::NoPolicy { tree, dumps });
            }
        }
        let future = self.future.iter().copied();
        all.extend(future.map(|dump| Attention::Future { dump }));
        all.extend(self.lost.iter().cloned().map(Attention::from));
        let links = self.not_pins.iter().map(|link| link.path.clone());
        all.extend(links.map(|link| Attention::NotAPin { link }));
        all
    }

    fn of_tree(&self, tree: &TreeStatus, limits: &AttentionLimits, all: &mut Vec<Attention>) {
        let Some(dump) = tree.newest else { return };
        let name = &tree.name;
        let age = tree.moment.map(|moment| self.now - moment);
        if let Some(age) = age.filter(|age| *age > limits.dump_age) {
            let tree = name.clone();
            all.push(Attention::OldDump { tree, dump, age });
        }
        if let Some(lacks) = tree.lacks {
            all.push(Attention::Partial {
                tree: name.clone(),
                dump,
                lacks,
                dumps: tree.partial_in_a_row,
            });
        }
    }
}
