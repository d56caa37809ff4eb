//! What exists at a place, held against a version of it entry by entry: what is
//! missing, what differs, and what the version does not have.
//!
//! Both are walked in step, by handles and last names, and no symlink is
//! followed. Contents are read on both sides where nothing else differs. Nothing
//! is written. Directories of the place on which something is mounted are counted
//! and not entered: a restoration leaves them alone.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use super::request::Named;
use super::same::Comparer;
use super::survey::{OPEN, Side, Wanted, going, named};
use crate::fs::dir_handle::HandleCache;
use crate::fs::mount::MountOf;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Meta};
use crate::model::report::Report;
use crate::model::restore::{Merging, Overwrite, RestoreError, RestorePlan, WouldRemove};
use crate::policy::layout;
use crate::sys::errno;
use crate::sys::stat::{self, Fresh};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Against {
    pub(super) makes: u64,
    pub(super) overwrites: WouldRemove,
    pub(super) removes: WouldRemove,
    pub(super) stays: u64,
    pub(super) sets: u64,
    /// Directories on which something is mounted.
    pub(super) mounted: WouldRemove,
    /// Those of them in which the version has something.
    pub(super) unfilled: u64,
    /// The first of what differs.
    pub(super) differing: Vec<PathBuf>,
}

impl Against {
    /// Is all as in the version, but for what it does not have?
    pub(super) fn is_same(&self) -> bool {
        self.makes + self.overwrites.entries + self.stays + self.sets + self.unfilled == 0
    }

    pub(super) fn tell(self, plan: &mut RestorePlan) {
        plan.replaces = self.overwrites.entries + self.removes.entries > 0;
        plan.makes = self.makes;
        plan.overwrites = self.overwrites;
        plan.removes = self.removes;
        plan.stays = self.stays;
        plan.sets = self.sets;
        plan.mounted = self.mounted;
    }

    fn differs(&mut self, path: &Path) {
        if self.differing.len() < Report::MAX_LISTED {
            self.differing.push(path.to_path_buf());
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
            }
        }
        while let Some((now, old)) = left.pop() {
            if !(self.wanted.keep_going)() {
                let path = old.path.clone();
                return Err(RestoreError::Interrupted { path });
            }
            match now {
                Some(now) => left.extend(self.directory(&now, &old)?),
                None => left.extend(self.new_directory(&old)?),
            }
        }
        Ok(self.found)
    }

    /// Two entries of one name; are both directories?
    fn pair(&mut self, now: Named<'_>, old: Named<'_>) -> Result<bool, RestoreError> {
        let (here, there) = (look(now)?, look(old)?);
        if here.kind == there.kind
            && self
                .comparer
                .same((now, &here), (old, &there), self.wanted.keep_going)?
        {
            return Ok(here.kind == Kind::Dir);
        }
        self.found.differs(now.path);
        if here.kind == Kind::Dir && there.kind == Kind::Dir {
            self.found.sets += u64::from(self.merging.overwrite != Overwrite::Never);
            return Ok(true);
        }
        let clears = here.kind != Kind::Dir || self.merging.clears();
        if !clears || !self.merging.replaces(&here, &there) {
            self.found.stays += 1;
        } else {
            self.found.overwrites.count(now.path, true);
            if here.kind == Kind::Dir {
                let below = going(now, self.wanted, self.mount)?.entries - 1;
                self.found.removes.entries += below;
            }
        }
        Ok(false)
    }

    fn goes(&mut self, now: Named<'_>) -> Result<(), RestoreError> {
        let going = going(now, self.wanted, self.mount)?;
        let removes = &mut self.found.removes;
        removes.entries += going.entries;
        let free = WouldRemove::NAMED.saturating_sub(removes.first.len());
        removes
            .first
            .extend(going.first.into_iter().take(free.min(1)));
        Ok(())
    }

    fn directory(
        &mut self,
        now: &Side,
        old: &Side,
    ) -> Result<Vec<(Option<Side>, Side)>, RestoreError> {
        let ((here, names), (there, in_old)) = (now.list()?, old.list()?);
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
                self.found.makes += 1;
                if look(old_named)?.kind == Kind::Dir {
                    below.extend(open(old.enter(entry.name))?.map(|old| (None, old)));
                }
                continue;
            };
            if self.is_mounted(here, old_named, names.get(at).kind)? {
                self.mounted(&path, old, entry.name);
            } else if self.pair(here, old_named)? {
                let sides = (open(now.enter(entry.name))?, open(old.enter(entry.name))?);
                if let (Some(now), Some(old)) = sides {
                    below.push((Some(now), old));
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
    fn is_mounted(
        &self,
        now: Named<'_>,
        old: Named<'_>,
        listed: Option<Kind>,
    ) -> Result<bool, Fault> {
        if listed.is_some_and(|kind| kind != Kind::Dir) {
            return Ok(false);
        }
        let details = stat::details(now.at.dir, now.at.name);
        let details = details.map_err(Fault::at(Op::Stat, now.path))?;
        let is_other = details.meta.kind == Kind::Dir && !self.mount.has_entry(&details);
        Ok(is_other && look(old)?.kind == Kind::Dir)
    }

    fn mounted(&mut self, path: &Path, old: &Side, name: &CStr) {
        self.found.mounted.count(path, true);
        // What cannot be looked into may have something in it.
        let listed = old.enter(name).and_then(|below| below.list());
        let is_empty = listed.is_ok_and(|(_, names)| names.is_empty());
        self.found.unfilled += u64::from(!is_empty);
    }

    /// A directory that the place does not have.
    fn new_directory(&mut self, old: &Side) -> Result<Vec<(Option<Side>, Side)>, RestoreError> {
        let (there, names) = old.list()?;
        let mut below = Vec::new();
        for entry in names.iter() {
            self.found.makes += 1;
            let path = old.below(entry.name);
            if look(named(&there, entry.name, &path))?.kind == Kind::Dir {
                below.extend(open(old.enter(entry.name))?.map(|old| (None, old)));
            }
        }
        Ok(below)
    }
}

fn look(named: Named<'_>) -> Result<Meta, Fault> {
    stat::look(named.at.dir, named.at.name, Fresh::AsStat).map_err(Fault::at(Op::Stat, named.path))
}

/// What may not be entered is passed over here: the restoration tells of it.
fn open(entered: Result<Side, Fault>) -> Result<Option<Side>, Fault> {
    match entered {
        Err(fault) if errno::is_not_permitted(&fault.cause) => Ok(None),
        entered => entered.map(Some),
    }
}
