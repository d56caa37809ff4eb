//! What exists at a place, held against a version of it entry by entry: what is
//! missing, what differs, and what the version does not have.
//!
//! Both are walked in step, by handles and last names, and no symlink is
//! followed. Contents are read on both sides where nothing else differs. Nothing
//! is written. Directories of the place on which something is mounted are counted
//! and not entered: a restoration leaves them alone. What cannot be looked at or
//! read is counted as that, and as different: it does not hold up the rest.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use super::extra::{Extra, extra};
use super::request::Named;
use super::same::Comparer;
use super::survey::{Going, OPEN, Side, Wanted, going, named};
use crate::fs::dir_handle::HandleCache;
use crate::fs::mount::MountOf;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Meta};
use crate::model::report::Report;
use crate::model::restore::{Merging, Overwrite, RestoreError, RestorePlan, WouldRemove};
use crate::policy::layout;
use crate::sys::stat::{self, Fresh};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Against {
    pub(super) makes: u64,
    pub(super) overwrites: WouldRemove,
    pub(super) removes: WouldRemove,
    pub(super) stays: u64,
    /// Directories whose owner, mode or extended attributes differ.
    pub(super) sets: WouldRemove,
    /// How many of which only the time differs.
    pub(super) times: u64,
    /// What cannot be compared, which counts as different.
    pub(super) uncompared: WouldRemove,
    /// What the version does not have, and exclude rules spare.
    pub(super) excluded: WouldRemove,
    /// What the version does not have, and cannot be deleted.
    pub(super) stuck: WouldRemove,
    /// Directories on which something is mounted.
    pub(super) mounted: WouldRemove,
    /// Those of them in which the version has something.
    pub(super) unfilled: u64,
    /// The first of what differs, and what is to be said of each.
    pub(super) differing: Vec<(PathBuf, &'static str)>,
}

impl Against {
    /// Is all as in the version, but for what it does not have?
    pub(super) fn is_same(&self) -> bool {
        self.stays == 0 && self.is_restored()
    }

    /// The same, and what was to stay may differ.
    pub(super) fn is_restored(&self) -> bool {
        let attributes = self.sets.entries + self.times;
        let unknown = self.uncompared.entries + self.unfilled;
        self.makes + self.overwrites.entries + attributes + unknown == 0
    }

    pub(super) fn tell(self, plan: &mut RestorePlan) {
        plan.replaces = self.overwrites.entries + self.removes.entries + self.sets.entries > 0;
        plan.makes = self.makes;
        plan.overwrites = self.overwrites;
        plan.removes = self.removes;
        plan.stays = self.stays;
        plan.sets = self.sets.entries;
        plan.sets_first = self.sets.first;
        plan.times = self.times;
        plan.uncompared = self.uncompared;
        plan.mounted = self.mounted;
        plan.excluded = self.excluded;
        plan.stuck = self.stuck;
    }

    fn differs(&mut self, path: &Path) {
        self.note(path, "it differs from the dump");
    }

    fn uncompared(&mut self, path: &Path) {
        self.uncompared.count(path, true);
        self.note(path, "it could not be compared with the dump");
    }

    fn note(&mut self, path: &Path, what: &'static str) {
        if self.differing.len() < Report::MAX_LISTED {
            self.differing.push((path.to_path_buf(), what));
        }
    }
}

impl Merging {
    /// Is this entry replaced by one that was last modified at that time?
    pub(super) fn replaces(&self, now: &Meta, version: &Meta) -> bool {
        match self.overwrite {
            Overwrite::Always => true,
            Overwrite::IfNewer => now.mtime < version.mtime,
            Overwrite::Never => false,
        }
    }

    /// May a directory, with what is in it, make room for something else?
    pub(super) fn clears(&self) -> bool {
        self.delete || self.backup.is_some()
    }
}

/// Walks a place and a version.
pub(super) struct Walk<'a> {
    pub(super) merging: &'a Merging,
    pub(super) wanted: &'a Wanted<'a>,
    comparer: Comparer<'a>,
    /// The mount of the place.
    mount: MountOf,
    found: Against,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        merging: &'a Merging,
        wanted: &'a Wanted<'a>,
        capabilities: &'a Capabilities,
        mount: MountOf,
    ) -> Self {
        Self {
            merging,
            wanted,
            comparer: Comparer::new(capabilities),
            mount,
            found: Against::default(),
        }
    }

    /// Holds a place, which exists, against a version.
    pub(super) fn run(mut self, now: Named<'_>, old: Named<'_>) -> Result<Against, RestoreError> {
        let slots = HandleCache::new(OPEN);
        let mut left = Vec::new();
        if self.pair(now, old)? {
            let sides = (Side::top(now, &slots)?, Side::top(old, &slots)?);
            if let (Some(now), Some(old)) = sides {
                let handle = now.place.open().map_err(Fault::at(Op::Open, &now.path))?;
                // Something may be mounted on the place itself.
                self.mount = MountOf::of(&*handle).map_err(Fault::at(Op::Stat, &now.path))?;
                left.push((Some(now), old));
            } else {
                self.found.uncompared(now.path);
            }
        }
        while let Some((now, old)) = left.pop() {
            if !(self.wanted.keep_going)() {
                let path = old.path.clone();
                return Err(RestoreError::Interrupted { path });
            }
            match now {
                Some(now) => left.extend(self.directory(&now, &old)?),
                None => left.extend(self.new_directory(&old)),
            }
        }
        Ok(self.found)
    }

    /// Two entries of one name; are both directories?
    fn pair(&mut self, now: Named<'_>, old: Named<'_>) -> Result<bool, RestoreError> {
        let (Ok(here), Ok(there)) = (look(now), look(old)) else {
            self.found.uncompared(now.path);
            match self.merging.overwrite {
                Overwrite::Never => self.found.stays += 1,
                _ => self.found.overwrites.count(now.path, true),
            }
            return Ok(false);
        };
        if here.kind == there.kind && self.same((now, &here), (old, &there)) == Some(true) {
            return Ok(here.kind == Kind::Dir);
        }
        if here.kind == Kind::Dir && there.kind == Kind::Dir {
            if self.merging.overwrite != Overwrite::Never {
                self.sets((now, &here), (old, &there));
            }
            return Ok(true);
        }
        if here.kind != there.kind {
            self.found.differs(now.path);
        }
        let clears = here.kind != Kind::Dir || self.merging.clears();
        if !clears || !self.merging.replaces(&here, &there) {
            self.found.stays += 1;
        } else if here.kind == Kind::Dir {
            self.makes_room(now)?;
        } else {
            self.found.overwrites.count(now.path, true);
        }
        Ok(false)
    }

    /// A directory that is to make room for something else.
    fn makes_room(&mut self, now: Named<'_>) -> Result<(), RestoreError> {
        match going(now, self.wanted, self.mount) {
            Ok(Going { removes, spared }) if spared.entries == 0 => {
                self.found.overwrites.count(now.path, true);
                self.found.removes.entries += removes.entries - 1;
            }
            Err(error @ RestoreError::Interrupted { .. }) => return Err(error),
            _ => self.found.stuck.count(now.path, true),
        }
        Ok(())
    }

    /// Are two entries of one type the same? `None`: they cannot be compared,
    /// which is as good as not.
    fn same(
        &mut self,
        (now, here): (Named<'_>, &Meta),
        (old, there): (Named<'_>, &Meta),
    ) -> Option<bool> {
        let keep_going = self.wanted.keep_going;
        match self.comparer.same((now, here), (old, there), keep_going) {
            Ok(same) => {
                if !same {
                    self.found.differs(now.path);
                }
                Some(same)
            }
            Err(_) => {
                self.found.uncompared(now.path);
                None
            }
        }
    }

    /// A directory gets other attributes. Its time alone is moved by whatever is
    /// made in it, and takes nothing from anyone.
    fn sets(&mut self, (now, here): (Named<'_>, &Meta), (old, there): (Named<'_>, &Meta)) {
        let timed = Meta {
            mtime: there.mtime,
            ..*here
        };
        let keep_going = self.wanted.keep_going;
        match self.comparer.same((now, &timed), (old, there), keep_going) {
            Ok(true) => self.found.times += 1,
            _ => self.found.sets.count(now.path, true),
        }
    }

    /// An entry that the version does not have.
    fn goes(&mut self, now: Named<'_>) -> Result<(), RestoreError> {
        let (wanted, mount, found) = (self.wanted, self.mount, &mut self.found);
        extra(now, (wanted, mount), &mut |now, what| {
            match what {
                Extra::Goes(going) => {
                    let removes = &mut found.removes;
                    removes.entries += going.removes.entries;
                    let free = WouldRemove::NAMED.saturating_sub(removes.first.len());
                    let first = going.removes.first.into_iter();
                    removes.first.extend(first.take(free.min(1)));
                }
                Extra::Spared => found.excluded.count(now.path, true),
                Extra::Stuck(RestoreError::HoldsDumps { path, of }) => {
                    return Err(RestoreError::HoldsDumps { path, of });
                }
                Extra::Stuck(_) => found.stuck.count(now.path, true),
            }
            Ok(())
        })
    }

    fn directory(
        &mut self,
        now: &Side,
        old: &Side,
    ) -> Result<Vec<(Option<Side>, Side)>, RestoreError> {
        let (Ok((here, names)), Ok((there, in_old))) = (now.list(), old.list()) else {
            self.found.uncompared(&now.path);
            return Ok(Vec::new());
        };
        let mut below = Vec::new();
        if self.wanted.is_dump_root(&here, &names) {
            // It is left as it is, and the restoration tells of it.
            self.found.stays += 1;
            return Ok(below);
        }
        for entry in in_old.iter() {
            let (path, old_path) = (now.below(entry.name), old.below(entry.name));
            let old_named = named(&there, entry.name, &old_path);
            let here = named(&here, entry.name, &path);
            let Some(at) = names.find(entry.name) else {
                self.found.differs(&path);
                below.extend(self.made(old_named, old, entry.name).map(|old| (None, old)));
                continue;
            };
            if self.is_mounted(here, old_named, names.get(at).kind) {
                self.mounted(&path, old, entry.name);
            } else if self.pair(here, old_named)? {
                match (now.enter(entry.name), old.enter(entry.name)) {
                    (Ok(now), Ok(old)) => below.push((Some(now), old)),
                    _ => self.found.uncompared(&path),
                }
            }
        }
        let extra = names.iter().filter(|entry| {
            self.merging.delete
                && in_old.find(entry.name).is_none()
                && !layout::is_restoring(entry.name.to_bytes())
        });
        for entry in extra {
            let path = now.below(entry.name);
            self.goes(named(&here, entry.name, &path))?;
        }
        Ok(below)
    }

    /// Is something mounted on a directory that both have? `listed` is the type
    /// that the place's listing tells.
    fn is_mounted(&self, now: Named<'_>, old: Named<'_>, listed: Option<Kind>) -> bool {
        if listed.is_some_and(|kind| kind != Kind::Dir) {
            return false;
        }
        let is_other = stat::details(now.at.dir, now.at.name)
            .is_ok_and(|there| there.meta.kind == Kind::Dir && !self.mount.has_entry(&there));
        is_other && look(old).is_ok_and(|old| old.kind == Kind::Dir)
    }

    fn mounted(&mut self, path: &Path, old: &Side, name: &CStr) {
        self.found.mounted.count(path, true);
        // What cannot be looked into may have something in it.
        let listed = old.enter(name).and_then(|below| below.list());
        let is_empty = listed.is_ok_and(|(_, names)| names.is_empty());
        self.found.unfilled += u64::from(!is_empty);
    }

    /// A directory that the place does not have.
    fn new_directory(&mut self, old: &Side) -> Vec<(Option<Side>, Side)> {
        let Ok((there, names)) = old.list() else {
            self.found.uncompared(&old.path);
            return Vec::new();
        };
        let mut below = Vec::new();
        for entry in names.iter() {
            let path = old.below(entry.name);
            let made = self.made(named(&there, entry.name, &path), old, entry.name);
            below.extend(made.map(|old| (None, old)));
        }
        below
    }

    /// An entry that the place does not have. A directory is next.
    fn made(&mut self, named: Named<'_>, above: &Side, name: &CStr) -> Option<Side> {
        self.found.makes += 1;
        match look(named) {
            Ok(old) if old.kind != Kind::Dir => return None,
            Ok(_) => {
                if let Ok(entered) = above.enter(name) {
                    return Some(entered);
                }
            }
            Err(_) => {}
        }
        self.found.uncompared(named.path);
        None
    }
}

fn look(named: Named<'_>) -> Result<Meta, Fault> {
    stat::look(named.at.dir, named.at.name, Fresh::AsStat).map_err(Fault::at(Op::Stat, named.path))
}
