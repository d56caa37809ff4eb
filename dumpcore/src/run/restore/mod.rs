//! One restoration: the order of its steps.
//!
//! Looked at first, with the handles that serve to the end: what would go, what
//! is in the way, whether anything differs. Then somebody may be asked. Then
//! the version is made whole in a private directory beside its place, flushed,
//! and takes that place by one rename, after a last look whether the place is
//! still what was looked at. What it replaced is removed. Anything that fails
//! before the rename leaves what was there as it was.

mod against;
mod among;
mod backup;
mod extra;
mod from;
mod guard;
mod judge;
mod level;
mod make;
mod mend;
mod moved;
mod place;
mod remember;
mod request;
mod restoration;
mod same;
mod settle;
mod spared;
mod survey;
mod swap;
mod temporary;

use std::os::fd::AsFd as _;

use chrono::{DateTime, Local};

pub use self::among::LinksAmong;
pub(crate) use self::from::From;
use self::guard::guard;
use self::level::OpenedUp;
use self::make::{Made, make};
use self::mend::Mending;
use self::place::{Origin, Place, os};
use self::remember::remember;
use self::request::Named;
pub(crate) use self::request::Request;
pub(crate) use self::restoration::Confirm;
use self::restoration::Restoration;
use self::survey::{Found, Side, Wanted, survey};
use self::temporary::clearing;
use crate::fs::dir_handle::HandleCache;
use crate::fs::store::NameAt;
use crate::model::event::{Event, Phase};
use crate::model::fault::{Fault, Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::restore::{Merging, RestoreError, RestorePlan, RestoreReport, Restored};
use crate::run::{CheckOrder, RunOptions};
use crate::sys::{disk, errno};

/// Restores, and compares what was restored where that is asked for. `against`: what is
/// known of the contents of the dump.
pub(crate) fn restore(
    request: &Request,
    options: &RunOptions,
    against: Option<CheckOrder<'_>>,
    confirm: Option<&mut Confirm<'_>>,
) -> Result<Restored, RestoreError> {
    let mut restored = put_back(request, options, against, confirm)?;
    remember(request, options, &restored);
    if let Restored::Done(report) = &mut restored
        && request.verifies
        && options.keep_going()
    {
        mend::verify(request, options, report);
        report.end = Local::now();
    }
    Ok(restored)
}

fn put_back(
    request: &Request,
    options: &RunOptions,
    against: Option<CheckOrder<'_>>,
    confirm: Option<&mut Confirm<'_>>,
) -> Result<Restored, RestoreError> {
    options.observer.event(Event::Phase(Phase::Preparing));
    let start = Local::now();
    let (place, origin) = (Place::open(request)?, Origin::open(&request.from)?);
    let this = Restoration {
        request,
        place: &place,
        origin: &origin,
        options,
        against,
    };
    if let Some(merging) = &request.merging
        && let Some(there) = place.entry()?
    {
        this.keeps_dumps(merging, &there)?;
        let mending = Mending {
            this: &this,
            merging,
            there,
            start,
        };
        return mending.run(confirm);
    }
    whole(&this, start, confirm)
}

/// Refuses what cannot be restored because dumps would be deleted.
pub(crate) fn check(request: &Request, options: &RunOptions) -> Result<(), RestoreError> {
    let (place, origin) = (Place::open(request)?, Origin::open(&request.from)?);
    let this = Restoration {
        request,
        place: &place,
        origin: &origin,
        options,
        against: None,
    };
    match (&request.merging, place.entry()?) {
        (Some(merging), Some(there)) => this.keeps_dumps(merging, &there),
        _ => Ok(()),
    }
}

/// Puts the version in its place as a whole.
fn whole(
    this: &Restoration<'_>,
    start: DateTime<Local>,
    confirm: Option<&mut Confirm<'_>>,
) -> Result<Restored, RestoreError> {
    let Restoration {
        request,
        place,
        options,
        ..
    } = this;
    let found = this.look()?;
    let looked = found.there;
    if request.only_if_differs && !found.differs {
        return Ok(Restored::Same);
    }
    let plan = RestorePlan {
        replaces: looked.is_some(),
        removes: found.removes,
        ..RestorePlan::new(request.path.clone(), request.from.path.clone())
    };
    if options.dry_run {
        return Ok(Restored::Planned(Box::new(plan)));
    }
    let Some(waited) = this.ask(&plan, confirm)? else {
        return Ok(Restored::Declined);
    };
    place.is_as_it_was(looked.as_ref().map(Meta::id))?;
    let _opened = OpenedUp::of(place.dir());
    if !request.resumes {
        this.sweep(false);
    }
    let made = make((request, this.against), place, this.origin, options)?;
    let made = made.unless_lacking(&plan, options)?;
    let replaced = match this.put(&made, looked) {
        Ok(replaced) => replaced,
        Err(error) => {
            let leaves = !made.room && this.leaves(&error);
            made.temporary.give_up(leaves, &clearing(options));
            return Err(error);
        }
    };
    let (left, unflushed) = this.remove_replaced(&made, replaced.as_ref());
    let mut report = RestoreReport {
        plan,
        start,
        end: Local::now(),
        waited,
        counts: made.sum.counts,
        faults: made.sum.faults,
        warnings: made.sum.warnings,
        left,
        merged: None,
        verified: None,
    };
    let add = |fault| mend::add_fault(&mut report, options, fault);
    unflushed.into_iter().for_each(add);
    Ok(Restored::Done(Box::new(report)))
}

impl Restoration<'_> {
    /// Refuses a directory that is a dump root, and to delete in one that has a
    /// dump root in it.
    fn keeps_dumps(&self, merging: &Merging, there: &Meta) -> Result<(), RestoreError> {
        if there.kind != Kind::Dir {
            return Ok(());
        }
        let wanted = Wanted {
            dump_root: self.origin.dump_root,
            compare: None,
            spared: None,
            keep_going: &|| self.options.keep_going(),
        };
        let makes_room = self.request.from.meta.kind != Kind::Dir && merging.clears();
        if merging.delete || makes_room {
            return guard(self.place.named(), &wanted);
        }
        let top = Side::top(self.place.named(), &HandleCache::new(1))?;
        match top.map(|top| top.list()).transpose()? {
            Some((handle, names)) if wanted.is_dump_root(&handle, &names) => {
                let path = self.request.path.clone();
                Err(RestoreError::IsDumpRoot { path })
            }
            _ => Ok(()),
        }
    }

    /// Looks at what there is.
    fn look(&self) -> Result<Found, RestoreError> {
        let (place, origin) = (self.place, self.origin);
        let up = place.missing.len();
        let (dir, name) = origin.above(up)?;
        // A directory is restored from the same name, when it was gone.
        if up > 0 && *name != *place.made() {
            let path = place.path.parent().unwrap_or(&place.path);
            return Err(Fault::at(Op::Open, path)(errno::missing()).into());
        }
        let old = Named {
            at: NameAt {
                dir: dir.as_fd(),
                name: &name,
            },
            path: origin.path_above(up),
        };
        let compares = self.request.only_if_differs;
        let kept = compares.then(|| origin.kept(&self.request.from.meta));
        let kept = kept.transpose()?;
        let wanted = Wanted {
            dump_root: origin.dump_root,
            compare: kept.as_ref(),
            spared: None,
            keep_going: &|| self.options.keep_going(),
        };
        survey(place.named(), old, &wanted)
    }

    /// What was made takes its place, if that is still what was looked at. What
    /// it replaced, where there was something.
    fn put<'m>(
        &'m self,
        made: &'m Made<'_>,
        there: Option<Meta>,
    ) -> Result<Option<swap::Replaced<'m>>, RestoreError> {
        let (place, path) = (self.place, self.place.made_path());
        self.options.observer.event(Event::Phase(Phase::Syncing));
        disk::sync_filesystem(place.dir()).map_err(Fault::at(Op::Sync, path))?;
        made.is_still_there(path)?;
        place.is_as_it_was(there.as_ref().map(Meta::id))?;
        if !self.options.keep_going() {
            let path = self.request.path.clone();
            return Err(RestoreError::Interrupted { path });
        }
        let put = swap::put(&made.temporary, place.made(), there, made.room);
        let replaced = put.map_err(Fault::at(Op::Rename, path))?;
        if place.id_of(place.made())? != Some(made.id) {
            return Err(RestoreError::Moved { path: path.into() });
        }
        Ok(replaced)
    }

    /// Removes what was replaced, and what it was made in. What is left of it,
    /// and why; and why it may not be on the disk yet.
    fn remove_replaced(
        &self,
        made: &Made<'_>,
        replaced: Option<&swap::Replaced<'_>>,
    ) -> (Option<Fault>, Option<Fault>) {
        let (place, path) = (self.place, self.place.made_path());
        self.options.observer.event(Event::Phase(Phase::Removing));
        let removed = match replaced {
            Some(replaced) => replaced.remove(&|| self.options.keep_going()),
            None => Ok(true),
        };
        let removed = match removed {
            Ok(true) if made.room => swap::leave(&made.temporary).map(|()| true),
            other => other,
        };
        let stopped = || errno::interrupted();
        let left = match removed {
            Ok(true) => None,
            Ok(false) => Some(OpError::target(Op::Remove, stopped())),
            Err(op_error) => Some(op_error),
        };
        let lies = path.with_file_name(os(&made.temporary.name));
        let left = left.map(|op_error| op_error.at(lies));
        let flushed = disk::sync(place.dir()).map_err(Fault::at(Op::Sync, path));
        if left.is_none() {
            self.sweep(true);
        }
        (left, flushed.err())
    }
}
