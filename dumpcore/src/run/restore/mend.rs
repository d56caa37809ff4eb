//! Bringing what exists to a version, entry by entry.
//!
//! What the place lacks, or has otherwise, is first made whole in a private
//! directory in it (the engine's merge, with the place as the reference, makes
//! only that), and flushed. Then it is moved to where it belongs. A failure
//! before that leaves all as it was; a kill in between leaves each entry old or
//! new, and the next restoration does the rest.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use chrono::{DateTime, Local};

use super::against::{Against, Walk};
use super::backup::{Backup, below};
use super::level::{self, Level, OpenedUp};
use super::make::{self, Made};
use super::place::{Origin, Place};
use super::request::{Named, Request};
use super::restoration::{Confirm, Restoration};
use super::settle::Settling;
use super::spared::Spared;
use super::survey::{OPEN, Wanted};
use super::temporary::{clearing, sweep};
use crate::fs::capabilities;
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::mount::MountOf;
use crate::fs::store::{EntryWriter, NameAt};
use crate::model::chain::Chain;
use crate::model::event::{Event, Phase};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Meta};
use crate::model::report::Report;
use crate::model::restore::{Merging, RestoreError, RestorePlan, RestoreReport, Restored};
use crate::run::RunOptions;
use crate::sys::dir::{self, For};
use crate::sys::pages::Pages;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file};

/// A place that exists, and how it becomes the version.
pub(super) struct Mending<'r> {
    pub(super) this: &'r Restoration<'r>,
    pub(super) merging: &'r Merging,
    /// What the place is.
    pub(super) there: Meta,
    pub(super) start: DateTime<Local>,
}

impl Mending<'_> {
    /// Plans, asks, and does it.
    pub(super) fn run(&self, confirm: Option<&mut Confirm<'_>>) -> Result<Restored, RestoreError> {
        let Restoration {
            request, options, ..
        } = self.this;
        let mut plan = RestorePlan::new(request.path.clone(), request.from.path.clone());
        let mut waited = Duration::ZERO;
        // Of a directory, only what differs is made anyway.
        let is_one = request.from.meta.kind == self.there.kind && self.there.kind != Kind::Dir;
        if options.dry_run || !request.may_replace || is_one {
            let sides = (self.this.place, self.this.origin);
            let against = against((request, options), sides, self.merging)?;
            let is_same = against.is_same() && against.removes.entries == 0;
            against.tell(&mut plan);
            if options.dry_run {
                return Ok(Restored::Planned(Box::new(plan)));
            }
            if is_same {
                return Ok(Restored::Same);
            }
            if !plan.only_adds() {
                let Some(asked) = self.this.ask(&plan, confirm)? else {
                    return Ok(Restored::Declined);
                };
                waited = asked;
            }
        }
        let open = |path| Backup::open(path, self.this.place, request);
        let backup = self.merging.backup.as_deref().map(open).transpose()?;
        let mut report = match (request.from.meta.kind, self.there.kind) {
            (Kind::Dir, Kind::Dir) => self.tree(plan, backup)?,
            _ => self.entry(plan, backup)?,
        };
        report.waited = waited;
        Ok(Restored::Done(Box::new(report)))
    }

    fn wanted<'w>(&'w self, keep_going: &'w dyn Fn() -> bool) -> Wanted<'w> {
        Wanted {
            dump_root: self.this.origin.dump_root,
            compare: None,
            spared: Some(spared(self.this.request)),
            keep_going,
        }
    }

    /// A directory that is a directory in the version.
    fn tree(
        &self,
        plan: RestorePlan,
        backup: Option<Backup>,
    ) -> Result<RestoreReport, RestoreError> {
        let place = self.this.place;
        let opened = level::open_own(place.dir().as_fd(), place.made());
        let (live, had) = opened.map_err(Fault::at(Op::Open, &place.path))?;
        let restored = self.tree_in((&live, had), plan, backup);
        if let (Err(_), Some(mode)) = (&restored, had) {
            // Nothing in it was changed. That it stays open is less than the error.
            let _ = file::set_mode(&live, mode);
        }
        restored
    }

    /// The same, opened; `had` is the mode that it had, where it was not open.
    fn tree_in(
        &self,
        (live, had): (&OwnedFd, Option<u16>),
        plan: RestorePlan,
        backup: Option<Backup>,
    ) -> Result<RestoreReport, RestoreError> {
        let (place, origin, options) = (self.this.place, self.this.origin, self.this.options);
        let failed = |e| Fault::at(Op::Open, &place.path)(e);
        let wanted = (self.this.request, self.this.against);
        let made = make::mend(wanted, place, origin, options, live.as_fd())?;
        if let Err(error) = self.before(&made) {
            let leaves = self.this.leaves(&error);
            made.temporary.give_up(leaves, &clearing(options));
            return Err(error);
        }
        let slots = HandleCache::new(OPEN);
        let top = |handle, purpose| DirHandle::top(handle, purpose, &slots);
        let (above, name) = origin.above(0)?;
        let version = dir::open_dir(above.as_fd(), &name, For::Reading);
        let reopened = dir::reopen(made.temporary.handle.as_fd(), For::Filling);
        let level = Level {
            made: reopened
                .and_then(|it| top(it, For::Filling))
                .map_err(failed)?
                .place,
            version: version
                .and_then(|it| top(it, For::Reading))
                .map_err(failed)?
                .place,
            live: dir::reopen(live.as_fd(), For::Filling)
                .and_then(|it| top(it, For::Filling))
                .map_err(failed)?
                .place,
            path: place.path.clone(),
            below: below(place),
            had,
        };
        let (keep_going, capabilities) = (|| options.keep_going(), made.capabilities.clone());
        let (wanted, writer) = (
            self.wanted(&keep_going),
            writer(&capabilities, &made.temporary.handle),
        );
        let mount = MountOf::of(live).map_err(failed)?;
        let mut settling = self.settling((backup, mount), &wanted, &capabilities, &writer);
        settling.tree(&level);
        Ok(self.end(made, plan, settling, |settling| settling.finish(&level)))
    }

    /// Anything else: one name.
    fn entry(
        &self,
        plan: RestorePlan,
        backup: Option<Backup>,
    ) -> Result<RestoreReport, RestoreError> {
        let Restoration {
            request,
            place,
            origin,
            options,
            against,
        } = self.this;
        let _opened = OpenedUp::of(place.dir());
        let made = make::make((request, *against), place, origin, options)?;
        let made = made.unless_lacking(
            &RestorePlan {
                replaces: true,
                ..plan.clone()
            },
            options,
        )?;
        if let Err(error) = self.before(&made) {
            made.temporary.discard(&clearing(options));
            return Err(error);
        }
        let (keep_going, capabilities) = (|| options.keep_going(), made.capabilities.clone());
        let (wanted, writer) = (
            self.wanted(&keep_going),
            writer(&capabilities, &made.temporary.handle),
        );
        let mount = MountOf::of(place.dir()).map_err(Fault::at(Op::Stat, &place.path))?;
        let mut settling = self.settling((backup, mount), &wanted, &capabilities, &writer);
        let from = match made.room {
            true => NameAt {
                dir: made.temporary.handle.as_fd(),
                name: place.made(),
            },
            false => NameAt {
                dir: made.temporary.dir,
                name: &made.temporary.name,
            },
        };
        let looked = stat::look(from.dir, from.name, Fresh::AsStat);
        let looked = looked.map_err(Fault::at(Op::Stat, &place.path))?;
        if let Err(fault) = settling.put(from, &looked, place.named(), &below(place)) {
            settling.fault(fault);
        }
        Ok(self.end(made, plan, settling, |_| {}))
    }

    /// What was made is flushed, and the place is still what was looked at.
    fn before(&self, made: &Made<'_>) -> Result<(), RestoreError> {
        let (place, options) = (self.this.place, self.this.options);
        let path = &place.path;
        options.observer.event(Event::Phase(Phase::Syncing));
        disk::sync_filesystem(&made.temporary.handle).map_err(Fault::at(Op::Sync, path))?;
        place.is_as_it_was(Some(self.there.id()))?;
        if made.room || !made.in_place {
            made.is_still_there(path)?;
        } else {
            let closed = made.temporary.close();
            closed.map_err(|op_error| op_error.at(path.clone()))?;
        }
        match options.keep_going() {
            true => Ok(()),
            false => Err(RestoreError::Interrupted { path: path.clone() }),
        }
    }

    fn settling<'s>(
        &'s self,
        (backup, mount): (Option<Backup>, MountOf),
        wanted: &'s Wanted<'s>,
        capabilities: &'s Capabilities,
        writer: &'s EntryWriter<'s>,
    ) -> Settling<'s> {
        Settling {
            merging: self.merging,
            backup,
            wanted,
            mount,
            observer: &*self.this.options.observer,
            capabilities,
            writer,
            done: Default::default(),
            faults: Vec::new(),
            faults_total: 0,
        }
    }

    /// Removes what is not needed any more, and reports.
    fn end(
        &self,
        made: Made<'_>,
        plan: RestorePlan,
        mut settling: Settling<'_>,
        finish: impl FnOnce(&mut Settling<'_>),
    ) -> RestoreReport {
        let (place, options) = (self.this.place, self.this.options);
        options.observer.event(Event::Phase(Phase::Removing));
        // A directory that was made as a whole is the place itself by now; where that
        // cannot be told, it must not be emptied.
        let is_placed = match place.id_of(place.made()) {
            Ok(id) => id == Some(made.temporary.id),
            Err(_) => true,
        };
        let Made { temporary, sum, .. } = made;
        let (dir, stopped) = (temporary.dir, settling.done.stopped);
        if !is_placed {
            temporary.give_up(stopped && self.this.request.resumes, &clearing(options));
        }
        if !stopped {
            sweep(dir, place.made(), true, &|| options.keep_going());
        }
        // The private directory was in it.
        finish(&mut settling);
        // What is done is done: that it may not be on the disk yet is a fault of it.
        if let Err(e) = disk::sync_filesystem(place.dir()) {
            settling.fault(Fault::at(Op::Sync, &place.path)(e));
        }
        let mut counts = sum.counts;
        counts.faults += settling.faults_total;
        settling.done.mounted = counts.other_filesystems;
        let mut faults = sum.faults;
        faults.extend(settling.faults);
        faults.truncate(Report::MAX_LISTED);
        RestoreReport {
            plan,
            start: self.start,
            end: Local::now(),
            waited: Duration::ZERO,
            counts,
            faults,
            warnings: sum.warnings,
            left: None,
            merged: Some(settling.done),
            verified: None,
        }
    }
}

fn spared(request: &Request) -> Spared<'_> {
    Spared {
        filter: &request.spared,
        top: &request.path,
        within: &request.within,
    }
}

/// What exists at a place, held against the version.
fn against(
    (request, options): (&Request, &RunOptions),
    (place, origin): (&Place, &Origin),
    merging: &Merging,
) -> Result<Against, RestoreError> {
    let (dir, name) = origin.above(0)?;
    let old = Named {
        at: NameAt {
            dir: dir.as_fd(),
            name: &name,
        },
        path: &request.from.path,
    };
    let wanted = Wanted {
        dump_root: origin.dump_root,
        compare: None,
        spared: Some(spared(request)),
        keep_going: &|| options.keep_going(),
    };
    let capabilities = capabilities::guess(place.dir());
    let mount = MountOf::of(place.dir()).map_err(Fault::at(Op::Stat, &place.path))?;
    Walk::new(merging, &wanted, &capabilities, mount).run(place.named(), old)
}

/// Compares what was restored with the version once more. That it cannot be
/// compared is a fault of what was restored.
pub(super) fn verify(request: &Request, options: &RunOptions, report: &mut RestoreReport) {
    let cause = match compare_again(request, options, report) {
        Ok(()) => return,
        Err(RestoreError::Interrupted { .. }) => errno::interrupted(),
        Err(error) => std::io::Error::other(Chain(&error).to_string()),
    };
    report.verified = Some(false);
    add_fault(report, options, Fault::at(Op::Verify, &request.path)(cause));
}

/// A fault that came after the version was in its place.
pub(super) fn add_fault(report: &mut RestoreReport, options: &RunOptions, fault: Fault) {
    options.observer.event(Event::Fault(&fault));
    report.counts.faults += 1;
    if report.faults.len() < Report::MAX_LISTED {
        report.faults.push(fault);
    }
}

fn compare_again(
    request: &Request,
    options: &RunOptions,
    report: &mut RestoreReport,
) -> Result<(), RestoreError> {
    // What was put there as a whole had no extra entries.
    let whole = Merging::new().delete(true);
    let merging = request.merging.as_ref().filter(|_| report.merged.is_some());
    let merging = merging.unwrap_or(&whole);
    let (place, origin) = (Place::open(request)?, Origin::open(&request.from)?);
    let against = against((request, options), (&place, &origin), merging)?;
    // What was to stay differs.
    let verified = against.is_restored() && against.removes.entries == 0;
    report.verified = Some(verified);
    if !verified {
        let differs = |(path, what)| {
            let other = std::io::Error::other(what);
            Fault::new(Op::Verify, path, other)
        };
        let free = Report::MAX_LISTED.saturating_sub(report.faults.len());
        let differing = against.differing.into_iter().take(free).map(differs);
        for fault in differing {
            options.observer.event(Event::Fault(&fault));
            report.faults.push(fault);
        }
    }
    Ok(())
}

fn writer<'c>(capabilities: &'c Capabilities, on: impl AsFd) -> EntryWriter<'c> {
    EntryWriter::new(capabilities, Pages::Keep).flushing(disk::flushes_one_by_one(on))
}
