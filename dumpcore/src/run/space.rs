//! Whether a copy will fit, before it is begun: what is to be copied is added
//! up first. For a first copy only where the filesystems that are read hold
//! more than is free: otherwise it fits whatever the rules leave out, and
//! adding up costs nothing.

use std::os::fd::AsFd as _;

use super::expected::Expected;
use super::merge::Merge;
use super::trees::{Source, again, roots_of_dump};
use super::{Order, Run};
use crate::engine::{Budget, MergeOptions, Purpose, Totals};
use crate::fs::capabilities;
use crate::model::error::Error;
use crate::model::event::{Event, Phase, Silent};
use crate::policy::layout::{DumpId, DumpName, Sort};
use crate::policy::link::LinkPolicy;
use crate::root::staging::Leftover;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::{disk, mounts, stat};

impl Run {
    /// Stops a run that cannot fit, where that is asked for or it is a first
    /// copy. Returns what there is to copy, where it was added up.
    pub(super) fn check_space_before(
        &self,
        order: &Order<'_>,
        sources: &[Source],
        leftover: Option<&Leftover>,
        budget: Budget,
        totals: &Totals<'_>,
    ) -> Result<Option<Expected>, Error> {
        // A checkpoint is asked for with a check of room, or without.
        let first =
            order.sort == Sort::Dump && !self.options.dry_run && self.may_not_fit(order, sources);
        if !first && !order.space_check {
            return Ok(None);
        }
        totals.event(Event::Phase(Phase::Estimating));
        let leftover = leftover.map(|leftover| leftover.name);
        match self.check_space(order, sources, leftover, (budget, totals)) {
            // Anything else that is wrong with a tree is reported while it is copied.
            Err(error) if !order.space_check && !matches!(error, Error::NoSpace { .. }) => Ok(None),
            checked => checked.map(Some),
        }
    }

    /// Is it possible that a first copy does not fit? Unknown for a disk that
    /// compresses what it stores.
    fn may_not_fit(&self, order: &Order<'_>, sources: &[Source]) -> bool {
        let compresses = FsType::of(self.dump.handle()).is_ok_and(FsType::may_compress);
        let first = sources.iter().all(|source| source.reference.is_none());
        let (true, false, Some(free)) = (first, compresses, self.dump.free()) else {
            return false;
        };
        let (mut seen, mut used) = (Vec::new(), 0_u64);
        for source in sources {
            let real = dir::real_path(&source.path).unwrap_or_default();
            let below = match order.merge.one_file_system {
                true => Vec::new(),
                false => mounts::on_disks_below(&real),
            };
            let below = below.iter().map(|path| dir::open_root(path, For::Passing));
            let top = dir::reopen(source.handle.as_fd(), For::Passing);
            for handle in below.chain([top]).flatten() {
                let Ok(meta) = stat::look_at(&handle) else {
                    continue;
                };
                if !seen.contains(&meta.dev) {
                    seen.push(meta.dev);
                    used = used.saturating_add(disk::used(&handle).unwrap_or(0));
                }
            }
        }
        used > free.bytes
    }

    /// Stops when what is to be copied clearly is more than what is free.
    fn check_space(
        &self,
        order: &Order<'_>,
        sources: &[Source],
        leftover: Option<DumpName>,
        (budget, totals): (Budget, &Totals<'_>),
    ) -> Result<Expected, Error> {
        let linked = |mut trees: Vec<Source>| {
            // What is linked takes no room; only a checkpoint of a chain links.
            for tree in trees.iter_mut().filter(|_| order.linked.is_some()) {
                let source = sources.iter().find(|source| source.name == tree.name);
                tree.reference = source.and_then(|source| source.reference.clone());
            }
            trees
        };
        let (mut needed, expected) = self.space_of(order, linked(again(sources)?), budget)?;
        if let Some(leftover) = leftover {
            let path = DumpId::Incomplete(leftover).rel_path();
            let open = self.dump.open_dump(&path);
            let handle = open.and_then(|handle| dir::reopen(handle.as_fd(), For::Reading));
            if let Ok(handle) = handle {
                // An empty one saves nothing.
                if let Ok(there) = roots_of_dump(&handle, &path.below(self.dump.path())) {
                    let (there, _) = self.space_of(order, linked(there), budget)?;
                    needed = needed.saturating_sub(there);
                }
            }
        }
        match self.free_for(needed, budget, totals) {
            Some(free) if needed > free.bytes => Err(Error::NoSpace {
                dump: self.dump.path().to_path_buf(),
                needed,
                free: free.bytes,
            }),
            _ => Ok(expected),
        }
    }

    /// What is free. Where that is less than is needed, what is on its way out goes
    /// first.
    fn free_for(&self, needed: u64, budget: Budget, totals: &Totals<'_>) -> Option<disk::Free> {
        let free = self.dump.free()?;
        if needed <= free.bytes || self.options.dry_run {
            return Some(free);
        }
        self.finish_removing(budget, &[], &|warning| totals.warn(warning));
        self.dump.free()
    }

    /// What a copy of trees takes on disk, and what there is of it; a directory
    /// is a block.
    fn space_of(
        &self,
        order: &Order<'_>,
        sources: Vec<Source>,
        budget: Budget,
    ) -> Result<(u64, Expected), Error> {
        const BLOCK: u64 = 4096;
        let totals = Totals::new(&Silent, Some(&self.options.stop));
        // Contents are not read to add up what they take.
        let plain = LinkPolicy::new().ctime(false);
        let options = MergeOptions {
            purpose: Purpose::Estimate,
            policy: match order.linked {
                Some(_) => &plain,
                None => order.merge.policy,
            },
            ..order.merge
        };
        let capabilities = capabilities::guess(self.dump.handle());
        let merge = Merge::new(options, budget, &totals, &capabilities);
        self.merge(&merge, sources)?;
        let counts = totals.counts();
        let space = counts.allocated + counts.directories * BLOCK;
        Ok((space, Expected::counted(&counts)))
    }
}
