//! What happened so far: counts, faults, warnings, and whether to continue.
//!
//! Every fault passes through [`Totals::fault`]: it is counted, kept for the
//! report and passed to the observer, and so changes the exit code. None can be
//! dropped on the way, since there is no other way to report one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watch;
use crate::model::error::Error;
use crate::model::event::{Action, CopyReason, Event, Locate, Observer, Warning};
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::loss::{Loss, Losses};
use crate::model::metadata::Time;
use crate::model::report::{Count, Counts, Report};
use crate::sys::lock::lock;

pub(crate) struct Totals<'a> {
    observer: &'a dyn Observer,
    stop: Option<&'a AtomicBool>,
    halted: AtomicBool,
    faults: AtomicU64,
    /// Of those: of the reference.
    reference_faults: AtomicU64,
    warnings: AtomicU64,
    /// Bytes that were compared only because their files had been touched, and
    /// were equal.
    in_vain: AtomicU64,
    /// The birth time of the newest inode met in a published dump.
    newest_birth: Mutex<Option<Time>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    error: Option<Error>,
    obstacle: Option<Fault>,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
    counts: Counts,
    moved_directories: u64,
    losses: BTreeMap<Loss, (u64, PathBuf)>,
    refusals: BTreeMap<CopyReason, (Count, PathBuf)>,
    /// What was reported as lost for all entries.
    told: Losses,
}

/// All that the totals hold, at the end.
pub(crate) struct Sum {
    pub(crate) counts: Counts,
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) warnings_total: u64,
}

impl<'a> Totals<'a> {
    pub(crate) fn new(observer: &'a dyn Observer, stop: Option<&'a AtomicBool>) -> Self {
        Self {
            observer,
            stop,
            halted: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            reference_faults: AtomicU64::new(0),
            warnings: AtomicU64::new(0),
            in_vain: AtomicU64::new(0),
            newest_birth: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// May the run continue? Not after a failure that ends it, nor when it was
    /// asked to stop.
    pub(crate) fn keep_going(&self) -> bool {
        watch::count();
        !self.halted.load(Ordering::Relaxed)
            && !self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Ends the run; the first reason is the one that is reported.
    pub(crate) fn halt(&self, error: Error) {
        self.kept().error.get_or_insert(error);
        self.halted.store(true, Ordering::Relaxed);
    }

    /// The same where something in the target can be neither removed nor changed, so
    /// that only another target will do.
    pub(crate) fn obstructed(&self, error: Error, fault: Fault) {
        let mut kept = self.kept();
        if kept.error.is_none() {
            (kept.error, kept.obstacle) = (Some(error), Some(fault));
        }
        drop(kept);
        self.halted.store(true, Ordering::Relaxed);
    }

    /// That thing, where it is why the run ends.
    pub(crate) fn take_obstacle(&self) -> Option<Fault> {
        self.kept().obstacle.take()
    }

    /// Who receives every event.
    pub(super) fn observer(&self) -> &'a dyn Observer {
        self.observer
    }

    pub(crate) fn event(&self, event: Event<'_>) {
        self.observer.event(event);
    }

    /// An entry could not be stored, or not wholly.
    pub(crate) fn fault(&self, fault: Fault) {
        self.observer.event(Event::Fault(&fault));
        self.faults.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept();
        if kept.faults.len() < Report::MAX_LISTED {
            kept.faults.push(fault);
        }
    }

    /// An entry of the reference is damaged, of which this dump has a good one: a fault,
    /// although nothing is lacking.
    pub(crate) fn reference_fault(&self, fault: Fault) {
        self.reference_faults.fetch_add(1, Ordering::Relaxed);
        self.fault(fault);
    }

    /// Was there any fault?
    pub(crate) fn has_faults(&self) -> bool {
        self.faults.load(Ordering::Relaxed) > 0
    }

    /// Something that a person should know.
    pub(crate) fn warn(&self, warning: Warning) {
        self.observer.event(Event::Warning(&warning));
        self.warnings.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept();
        if kept.warnings.len() < Report::MAX_LISTED {
            kept.warnings.push(warning);
        }
    }

    /// Reports that this is kept for no entry.
    pub(crate) fn said_to_be_lost(&self, losses: Losses) {
        self.kept().told.add_all(losses);
    }

    /// Tells what entries of the dump lack, and which links were refused, as far
    /// as workers that are done have counted; what was said of all entries is
    /// not said again.
    pub(crate) fn tell_losses(&self) {
        let (losses, refusals, told) = {
            let mut kept = self.kept();
            let losses = std::mem::take(&mut kept.losses);
            (losses, std::mem::take(&mut kept.refusals), kept.told)
        };
        for (why, (Count { number, bytes }, first)) in refusals {
            self.warn(Warning::LinksRefused {
                why,
                number,
                bytes,
                first,
            });
        }
        for (what, (number, first)) in losses {
            if !told.has(what) {
                self.warn(Warning::NotKept {
                    what,
                    number,
                    first,
                });
            }
        }
    }

    fn add_losses(&self, losses: &mut BTreeMap<Loss, (u64, PathBuf)>) {
        let mut kept = self.kept();
        for (loss, (number, first)) in std::mem::take(losses) {
            kept.losses.entry(loss).or_insert((0, first)).0 += number;
        }
    }

    /// Bytes that were compared, and equal: their files had been touched.
    pub(crate) fn compared_in_vain(&self) -> u64 {
        self.in_vain.load(Ordering::Relaxed)
    }

    /// The birth time of the newest inode met in a published dump, by workers
    /// that are done.
    pub(crate) fn newest_birth(&self) -> Option<Time> {
        *self.births()
    }

    fn births(&self) -> MutexGuard<'_, Option<Time>> {
        self.newest_birth
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn add_refusals(&self, refusals: &mut BTreeMap<CopyReason, (Count, PathBuf)>) {
        let mut kept = self.kept();
        for (why, (count, first)) in std::mem::take(refusals) {
            let sum = kept.refusals.entry(why);
            let (sum, _) = sum.or_insert((Count::default(), first));
            sum.number += count.number;
            sum.bytes = sum.bytes.saturating_add(count.bytes);
        }
    }

    /// Calls this with the faults so far.
    pub(crate) fn with_faults<T>(&self, look: impl FnOnce(&[Fault]) -> T) -> T {
        look(&self.kept().faults)
    }

    /// What was counted so far, by workers that are done.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            faults: self.faults.load(Ordering::Relaxed),
            reference_faults: self.reference_faults.load(Ordering::Relaxed),
            ..self.kept().counts.clone()
        }
    }

    /// Adds what one worker counted.
    pub(crate) fn add(&self, counts: &Counts) {
        let mut kept = self.kept();
        let sum = &mut kept.counts;
        for (sum, more) in [
            (&mut sum.files, counts.files),
            (&mut sum.linked, counts.linked),
            (&mut sum.moved, counts.moved),
            (&mut sum.copied_new, counts.copied_new),
            (&mut sum.copied_changed, counts.copied_changed),
            (&mut sum.copied_attributes, counts.copied_attributes),
            (&mut sum.copied_refused, counts.copied_refused),
            (&mut sum.copied_damaged, counts.copied_damaged),
            (&mut sum.kept, counts.kept),
            (&mut sum.compared, counts.compared),
            (&mut sum.compared_same, counts.compared_same),
            (&mut sum.checked, counts.checked),
            (&mut sum.healed, counts.healed),
        ] {
            sum.number += more.number;
            // Holes make files that are larger than any disk.
            sum.bytes = sum.bytes.saturating_add(more.bytes);
        }
        sum.allocated = sum.allocated.saturating_add(counts.allocated);
        sum.directories += counts.directories;
        sum.large_directories += counts.large_directories;
        sum.symlinks += counts.symlinks;
        sum.specials += counts.specials;
        sum.hard_links += counts.hard_links;
        sum.excluded += counts.excluded;
        sum.vanished += counts.vanished;
        sum.removed += counts.removed;
        sum.other_filesystems += counts.other_filesystems;
    }

    /// Why the run must end, if it must.
    pub(crate) fn verdict(&self) -> Result<(), Error> {
        if let Some(error) = self.kept().error.take() {
            return Err(error);
        }
        if self.keep_going() {
            Ok(())
        } else {
            Err(Error::Interrupted)
        }
    }

    /// All of it, for the report.
    pub(crate) fn sum(self) -> Sum {
        let kept = self
            .kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut counts = kept.counts;
        // What was moved left its name behind, and is not gone.
        let moved = counts.moved.number + kept.moved_directories;
        counts.removed = counts.removed.saturating_sub(moved);
        counts.faults = self.faults.into_inner();
        counts.reference_faults = self.reference_faults.into_inner();
        Sum {
            counts,
            faults: kept.faults,
            warnings: kept.warnings,
            warnings_total: self.warnings.into_inner(),
        }
    }
}

/// What one worker counts, without synchronising with the others.
pub(super) struct Counter<'a> {
    totals: &'a Totals<'a>,
    pub(super) counts: Counts,
    /// How many entries lack this, and the first of them.
    losses: BTreeMap<Loss, (u64, PathBuf)>,
    /// Why links were refused, to how many entries, and to which first.
    refusals: BTreeMap<CopyReason, (Count, PathBuf)>,
    newest_birth: Option<Time>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(totals: &'a Totals<'a>) -> Self {
        Self {
            totals,
            counts: Counts::default(),
            losses: BTreeMap::new(),
            refusals: BTreeMap::new(),
            newest_birth: None,
        }
    }

    /// An inode of a published dump with this birth time was met.
    pub(super) fn born(&mut self, born: Option<Time>) {
        self.newest_birth = self.newest_birth.max(born);
    }

    /// An entry lacks this; its path is asked for only if it is the first.
    pub(super) fn losses(&mut self, losses: Losses, path: impl Fn() -> PathBuf) {
        for loss in losses.iter() {
            self.losses.entry(loss).or_insert_with(|| (0, path())).0 += 1;
        }
    }

    /// This many bytes were, or would be, written.
    pub(super) fn allocate(&mut self, bytes: u64) {
        self.counts.allocated = self.counts.allocated.saturating_add(bytes);
    }

    /// The contents of a file were compared with the stored ones. Were they
    /// equal, and was the only reason that it had been touched?
    pub(super) fn compared(&mut self, bytes: u64, same: bool, in_vain: bool) {
        let counts = &mut self.counts;
        let add = |sum: &mut Count| {
            sum.number += 1;
            sum.bytes = sum.bytes.saturating_add(bytes);
        };
        add(&mut counts.compared);
        if same {
            add(&mut counts.compared_same);
        }
        if in_vain {
            self.totals.in_vain.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// A file has the hash that was recorded of it.
    pub(super) fn checked(&mut self, bytes: u64) {
        self.counts.checked += Count::new(1, bytes);
    }

    /// A good copy was stored in the place of a damaged file.
    pub(super) fn healed(&mut self, bytes: u64) {
        self.counts.healed += Count::new(1, bytes);
    }

    /// The reference has this many names that the source no longer has.
    pub(super) fn removed(&mut self, number: u64) {
        self.counts.removed += number;
    }

    /// A directory has another path in the reference.
    pub(super) fn moved_directory(&mut self) {
        self.totals.kept().moved_directories += 1;
    }

    /// An entry is done: counts it and calls the observer.
    pub(super) fn entry(&mut self, at: &dyn Locate, kind: Kind, size: u64, did: Action) {
        let bytes = if kind == Kind::File { size } else { 0 };
        self.count(kind, bytes, did);
        if let Action::Copied(why) = did
            && why.link_refused()
        {
            let refused = self.refusals.entry(why);
            let (count, _) = refused.or_insert_with(|| (Count::default(), at.source()));
            count.number += 1;
            count.bytes = count.bytes.saturating_add(bytes);
        }
        self.totals.event(Event::Entry {
            at,
            kind,
            bytes,
            did,
        });
    }

    fn count(&mut self, kind: Kind, bytes: u64, did: Action) {
        let counts = &mut self.counts;
        match did {
            Action::Excluded => counts.excluded += 1,
            Action::Vanished => counts.vanished += 1,
            Action::OtherFilesystem => counts.other_filesystems += 1,
            _ => match kind {
                Kind::File => {
                    counts.files.number += 1;
                    counts.files.bytes = counts.files.bytes.saturating_add(bytes);
                }
                Kind::Dir => counts.directories += 1,
                Kind::Symlink => counts.symlinks += 1,
                Kind::Fifo | Kind::Socket | Kind::Char | Kind::Block => counts.specials += 1,
            },
        }
        let sum = match did {
            Action::Linked => &mut counts.linked,
            Action::Moved => {
                counts.moved.number += 1;
                counts.moved.bytes = counts.moved.bytes.saturating_add(bytes);
                &mut counts.linked
            }
            Action::Kept => &mut counts.kept,
            Action::Copied(CopyReason::New) => &mut counts.copied_new,
            Action::Copied(CopyReason::Damaged) => &mut counts.copied_damaged,
            Action::Copied(why) if why.attributes_only() => &mut counts.copied_attributes,
            Action::Copied(why) if why.link_refused() => &mut counts.copied_refused,
            Action::Copied(_) => &mut counts.copied_changed,
            Action::HardLinked => {
                counts.hard_links += 1;
                return;
            }
            Action::Filled
            | Action::Excluded
            | Action::Vanished
            | Action::OtherFilesystem
            | Action::Recorded
            | Action::Scrubbed => {
                return;
            }
        };
        sum.number += 1;
        sum.bytes = sum.bytes.saturating_add(bytes);
    }
}

impl Drop for Counter<'_> {
    fn drop(&mut self) {
        self.totals.add(&self.counts);
        self.totals.add_losses(&mut self.losses);
        self.totals.add_refusals(&mut self.refusals);
        let mut newest = self.totals.births();
        *newest = newest.max(self.newest_birth);
    }
}
