//! What a run is named, and what earlier runs left behind.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::trees::{Source, again, all_names};
use super::{Order, Run};
use crate::engine::{self, Budget, Pair, Totals, Wanted};
use crate::fs::dir_handle::DirHandle;
use crate::fs::{marks, remove_tree};
use crate::model::error::Error;
use crate::model::event::Warning;
use crate::model::fault::{Fault, Op};
use crate::model::metadata::Time;
use crate::model::minute::Stamp;
use crate::policy::layout::{self, DumpId, DumpName};
use crate::policy::next_name;
use crate::root::lock::Hold;
use crate::root::staging::{Leftover, Staging};
use crate::sys::dir::{self, For};
use crate::sys::{errno, stat};

/// Why a leftover stays as it is.
#[derive(Clone, Copy, Debug)]
enum Stays {
    /// It is of other trees, or of another user.
    Foreign,
    /// Another program holds it.
    Held,
    /// It is immutable or append-only.
    Fixed,
}

/// The names a run may take: its own, and whether an earlier run's leftover
/// is resumed.
pub(super) struct Named {
    pub(super) name: DumpName,
    pub(super) leftover: Option<Leftover>,
}

impl Run {
    /// Chooses the name, and which leftover is resumed.
    pub(super) fn name(
        &self,
        order: &Order<'_>,
        sources: &[Source],
        now: Stamp,
        totals: &Totals<'_>,
    ) -> Result<Named, Error> {
        let listing = self.dump.listing();
        let refused = |fault| self.dump.refuses(fault, None);
        let mut leftovers = listing.incompletes().map_err(refused)?;
        leftovers.retain(|found| found.name.sort == order.sort);
        let (mut ours, mut linked, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        for name in leftovers.into_iter().map(|found| found.name) {
            match self.take(name, sources) {
                // Its links are to what nothing else may share.
                Ok((leftover, true)) if order.linked.is_none() => linked.push(leftover),
                Ok((leftover, _)) => ours.push(leftover),
                Err(why) => foreign.push((name, why)),
            }
        }
        let taken = |stamp| {
            let foreign = foreign.iter().any(|(name, _)| name.stamp == stamp);
            // A replica has the name of its dump. A checkpoint that was made here in
            // the minute of another dump is not in its way.
            let there = match order.merge.source_is_dump && order.at.is_some() {
                true => listing.is_taken(DumpName::dump(stamp)),
                false => listing.taken(stamp),
            };
            Ok::<_, Error>(foreign || there.map_err(refused)?)
        };
        let (stamp, warning) = match order.at {
            Some(at) if taken(at)? => {
                let path = self.dump.path().join(DumpName::dump(at).path());
                return Err(Error::NameTaken { path });
            }
            Some(at) => (at, None),
            None => {
                let current = self.current.as_ref().and_then(|current| current.name);
                next_name::next(now, current.map(|name| name.stamp), taken)?
            }
        };
        if let Some(warning) = warning {
            totals.warn(warning);
        }
        self.tell_foreign(&foreign, totals);
        let name = DumpName {
            stamp,
            sort: order.sort,
        };
        if self.options.dry_run {
            let leftover = None;
            return Ok(Named { name, leftover });
        }
        let leftover = ours.pop();
        ours.append(&mut linked);
        self.remove_leftovers(ours, totals)?;
        Ok(Named { name, leftover })
    }

    /// Tells of the leftovers that stay, and why.
    fn tell_foreign(&self, foreign: &[(DumpName, Stays)], totals: &Totals<'_>) {
        for (name, why) in foreign {
            let path = self.dump.path().join(name.incomplete_path());
            totals.warn(match why {
                Stays::Foreign => Warning::ForeignLeftover { path },
                Stays::Held => Warning::HeldLeftover { path },
                Stays::Fixed => Warning::FixedLeftover { path },
            });
        }
    }

    /// Takes hold of a leftover that was made of (some of) the same roots, and
    /// that this user may fill; says whether it is of a linked checkpoint. An empty
    /// one serves all roots. Else: why it stays.
    fn take(&self, name: DumpName, sources: &[Source]) -> Result<(Leftover, bool), Stays> {
        let path = DumpId::Incomplete(name).rel_path();
        let dir = self.dump.open_dump(&path).map_err(|_| Stays::Foreign)?;
        if stat::is_immutable(dir.as_fd(), c".").unwrap_or(false) {
            return Err(Stays::Fixed);
        }
        // Another user's can neither be resumed nor removed. Its owner's
        // number does not tell: a server may show our own under another.
        let names = dir::may_fill(dir.as_fd()).and_then(|()| all_names(&dir));
        let names = names.map_err(|_| Stays::Foreign)?;
        let ours = names.is_empty()
            || names.iter().any(|name| {
                layout::is_trial(name.to_bytes())
                    || sources.iter().any(|source| source.name == *name)
            });
        if !ours {
            return Err(Stays::Foreign);
        }
        let hold = match self.options.dry_run {
            true => None,
            false => Some(
                Hold::alone(dir.as_fd()).map_err(|e| match errno::is_locked(&e) {
                    true => Stays::Held,
                    false => Stays::Foreign,
                })?,
            ),
        };
        let newest = None;
        let linked = marks::is_linked(&dir);
        Ok((Leftover { name, hold, newest }, linked))
    }

    /// Of several leftovers the newest is resumed; the others are removed.
    pub(super) fn remove_leftovers(
        &self,
        leftovers: Vec<Leftover>,
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        for leftover in leftovers {
            let staging = Staging::open(&self.dump, leftover.name, Some(leftover))?;
            self.remove_all(staging.handle(), &staging.path(), &[], totals)?;
            staging.abandon();
        }
        Ok(())
    }

    /// Removes from a resumed leftover what is no longer needed:
    /// before anything is made, since the disk may be full. The latest ctime of a
    /// file in it, if that is known then.
    pub(super) fn trim_leftover(
        &self,
        leftover: DumpName,
        order: &Order<'_>,
        sources: &[Source],
        budget: Budget,
        totals: &Totals<'_>,
    ) -> Result<Option<Time>, Error> {
        let path = DumpId::Incomplete(leftover).rel_path();
        let failed = |e| self.dump.failed(Op::Open, path.as_path(), e);
        let there = self.dump.open_dump(&path).map_err(failed)?;
        self.remove_all(&there, &path.below(self.dump.path()), sources, totals)?;
        let slots = budget.slots();
        let mut pairs = Vec::new();
        let mut missed = false;
        for source in again(sources)? {
            // What cannot be entered, or is not a directory, is left to the
            // merge.
            let target = dir::open_dir(there.as_fd(), &source.name, For::Filling);
            let is_missing = target.as_ref().is_err_and(errno::is_missing);
            let target = target.and_then(|dir| DirHandle::top(dir, For::Filling, &slots));
            let entered = DirHandle::top(source.handle, For::Reading, &slots);
            if let (Ok(target), Ok(entered)) = (target, entered) {
                pairs.push(Pair {
                    name: source.name,
                    main: source.path,
                    source: entered,
                    target,
                });
            } else {
                missed |= !is_missing;
            }
        }
        let wanted = Wanted {
            filter: order.merge.filter,
            one_file_system: order.merge.one_file_system,
        };
        let newest = engine::trim_target(wanted, budget.jobs(), totals, pairs);
        totals.verdict()?;
        Ok(newest.filter(|_| !missed))
    }

    /// Removes from what a run left behind what is not one of the trees.
    pub(super) fn remove_all(
        &self,
        of: &OwnedFd,
        path: &Path,
        but: &[Source],
        totals: &Totals<'_>,
    ) -> Result<(), Error> {
        let failed = |op| {
            move |e| {
                self.dump
                    .refuses(Fault::new(op, path.to_path_buf(), e), None)
            }
        };
        for name in all_names(of).map_err(failed(Op::List))? {
            if but.iter().any(|source| source.name == name) {
                continue;
            }
            let keep_going = || totals.keep_going();
            match remove_tree::remove_tree(of.as_fd(), &name, &keep_going) {
                Ok(true) => {}
                Ok(false) => return Err(Error::Interrupted),
                Err(op_error) => {
                    let lasting = !errno::is_disk_refusal(&op_error.cause);
                    let entry = path.join(OsStr::from_bytes(name.to_bytes()));
                    let fault = op_error.at(entry);
                    let error = self.dump.refuses(fault.clone(), None);
                    if lasting {
                        totals.obstructed(error, fault);
                        return totals.verdict();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
