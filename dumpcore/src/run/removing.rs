//! Removing what is on its way out: dumps that left their names, and that a
//! process which was killed did not remove to the end.

use std::ffi::CString;
use std::num::NonZero;
use std::os::fd::{AsFd as _, OwnedFd};

use super::expected::Expected;
use super::trees::Source;
use super::{Check, Order, Run};
use crate::engine::{self, Act, Budget, Gone, Totals};
use crate::fs::name_count::NameCount;
use crate::fs::size_marks;
use crate::model::error::Error;
use crate::model::event::{Event, Observer, Phase, Warning};
use crate::model::report::Report;
use crate::policy::workers::default_jobs;
use crate::root::DumpRoot;
use crate::root::removing::Removing;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::medium;

/// How many workers remove in a dump root whose caller says nothing: as many as
/// its disk and the processors ask for.
pub(crate) fn removing_jobs(dump: &DumpRoot) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, NonZero::get);
    let contended = FsType::of(dump.handle()).is_ok_and(FsType::is_contended);
    default_jobs([medium::of(dump.handle())], processors, contended).number
}

/// How many names dumps have that are on their way out: as many as each was
/// published with, and its own.
pub(crate) fn names_of_dumps(removing: &Removing, dumps: &[CString], totals: &Totals<'_>) -> u64 {
    let names = |handle: &OwnedFd| match size_marks::names(handle) {
        Some(names) => names,
        None => NameCount::below(handle, &|| totals.keep_going()).names,
    };
    sum_of(removing, dumps, &names)
}

/// How many names there are in what is left of dumps, which has to be listed.
pub(crate) fn names_of_rests(removing: &Removing, rests: &[CString], totals: &Totals<'_>) -> u64 {
    let names = |handle: &OwnedFd| NameCount::below(handle, &|| totals.keep_going()).names;
    sum_of(removing, rests, &names)
}

/// What cannot be opened is one name.
fn sum_of(removing: &Removing, leaves: &[CString], names: &dyn Fn(&OwnedFd) -> u64) -> u64 {
    let below = |leaf: &CString| {
        let opened = dir::open_dir(removing.handle.as_fd(), leaf, For::Reading);
        opened.map_or(0, |handle| names(&handle))
    };
    leaves.iter().map(|leaf| 1 + below(leaf)).sum()
}

/// Who is told how much there is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    /// The observer, before anything is removed.
    Tell,
    /// It knows.
    Told,
}

/// Removes all that is on its way out in a dump root, which must be locked.
/// What cannot be removed is a fault, and stays for the next time. What a program
/// still reads stays as well, and is not a fault. Those in `stay` are left: they
/// have been tried already, or are to be recycled.
pub(crate) fn finish(
    dump: &DumpRoot,
    stay: &[CString],
    total: Total,
    budget: Budget,
    totals: &Totals<'_>,
) -> Gone {
    let mut sum = Gone::default();
    let Some(removing) = dump.removing_if_any() else {
        return sum;
    };
    let mut leaves = removing.leaves().unwrap_or_else(|fault| {
        totals.fault(fault);
        Vec::new()
    });
    leaves.retain(|leaf| !stay.contains(leaf) && removing.hold(leaf).is_ok());
    if !leaves.is_empty() {
        totals.event(Event::Phase(Phase::Removing));
        if total == Total::Tell {
            let names = names_of_rests(&removing, &leaves, totals);
            totals.event(Expected::listed(names).event());
        }
    }
    for leaf in leaves {
        let Ok(hold) = removing.hold(&leaf) else {
            continue;
        };
        let path = removing.path_of(&leaf);
        let gone = engine::remove(&removing.handle, &leaf, &path, &Act::Remove, budget, totals);
        sum.names += gone.names;
        sum.freed += gone.freed;
        drop(hold);
    }
    dump.tidy_removing();
    sum
}

/// Passes on how much was removed, and no fault: what is left of a removed dump
/// is not a fault of the run that finds it.
pub(crate) struct Quiet<'a>(pub(crate) &'a dyn Observer);

impl Observer for Quiet<'_> {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::Fault(_)) {
            self.0.event(event);
        }
    }
}

impl Run {
    /// Makes what is ordered of trees, has it checked, and publishes it. Behind it, or
    /// when there was no room for it, what is on its way out goes.
    pub(crate) fn make(
        &self,
        order: &Order<'_>,
        sources: Vec<Source>,
        check: &mut Check<'_>,
    ) -> Result<Report, Error> {
        let made = self.publish(order, sources, check);
        let full = matches!(
            made,
            Err(Error::DumpDisk { free: Some(_), .. } | Error::NoSpace { .. })
        );
        if full && !self.options.dry_run {
            let jobs = self.options.jobs;
            let jobs = jobs.unwrap_or_else(|| removing_jobs(&self.dump));
            let tell = |warning| self.options.observer.event(Event::Warning(&warning));
            self.finish_removing(Budget::new(jobs), &[], &tell);
        }
        made
    }

    /// The same after a run, separate from it: what cannot be removed is a
    /// warning. Those in `stay` are left.
    pub(super) fn finish_removing(&self, budget: Budget, stay: &[CString], warn: &dyn Fn(Warning)) {
        let quiet = Quiet(&*self.options.observer);
        let totals = Totals::new(&quiet, Some(&self.options.stop));
        finish(&self.dump, stay, Total::Tell, budget, &totals);
        for fault in totals.sum().faults {
            warn(Warning::NotRemoved { fault });
        }
    }
}
