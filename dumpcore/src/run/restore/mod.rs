//! One restoration: the order of its steps.
//!
//! Looked at first, with the handles that serve to the end: what would go, what
//! is in the way, whether anything differs. Then somebody may be asked. Then
//! the version is made whole in a private directory beside its place, flushed,
//! and takes that place by one rename, after a last look whether the place is
//! still what was looked at. What it replaced is removed. Anything that fails
//! before the rename leaves what was there as it was.

mod judge;
mod make;
mod place;
mod same;
mod survey;
mod swap;
mod temporary;

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};

use self::make::{Made, make};
use self::place::{Origin, Place, os};
use self::survey::{Found, Wanted, survey};
use self::temporary::sweep;
use crate::fs::store::NameAt;
use crate::model::event::{Event, Phase};
use crate::model::fault::{Fault, Op, OpError};
use crate::model::metadata::Meta;
use crate::model::restore::{RestoreError, RestorePlan, RestoreReport, Restored};
use crate::policy::layout::DumpName;
use crate::run::RunOptions;
use crate::sys::{disk, errno};

/// A version: what leads to it.
#[derive(Clone, Debug)]
pub(crate) struct From {
    /// The dump root; or, where no dump is named, any directory.
    pub(crate) root: PathBuf,
    pub(crate) dump: Option<DumpName>,
    /// The names below that.
    pub(crate) below: Vec<CString>,
    /// The whole path, for people.
    pub(crate) path: PathBuf,
    pub(crate) meta: Meta,
}

/// What is to be restored, and where to.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) from: From,
    /// The main root, or another directory; symlinks lead there.
    pub(crate) root: PathBuf,
    /// The names below it; the last is the place's own.
    pub(crate) below: Vec<CString>,
    /// The whole path, for people.
    pub(crate) path: PathBuf,
    /// Do nothing where nothing differs.
    pub(crate) only_if_differs: bool,
}

/// Is asked whether a plan is to be carried out.
pub(crate) type Confirm<'c> = dyn FnMut(&RestorePlan) -> bool + 'c;

/// A name, and its path for people.
#[derive(Clone, Copy)]
struct Named<'a> {
    at: NameAt<'a>,
    path: &'a Path,
}

/// How long a restoration that is stopped takes away what it made: a second
/// after a signal a program has ended.
const CLEARING: Duration = Duration::from_millis(700);

/// Restores.
pub(crate) fn restore(
    request: &Request,
    options: &RunOptions,
    confirm: Option<&mut Confirm<'_>>,
) -> Result<Restored, RestoreError> {
    options.observer.event(Event::Phase(Phase::Preparing));
    let start = Local::now();
    let place = Place::open(request)?;
    let origin = Origin::open(request)?;
    let found = look(request, &place, &origin, options)?;
    if request.only_if_differs && !found.differs {
        return Ok(Restored::Same);
    }
    let plan = RestorePlan {
        path: request.path.clone(),
        version: request.from.path.clone(),
        replaces: found.there.is_some(),
        removes: found.removes,
    };
    if options.dry_run {
        return Ok(Restored::Planned(plan));
    }
    let yes = match confirm {
        Some(confirm) => confirm(&plan),
        None if plan.replaces => return Err(RestoreError::Exists { path: plan.path }),
        None => true,
    };
    if !options.keep_going() {
        return Err(RestoreError::Interrupted { path: plan.path });
    }
    if !yes {
        return Ok(Restored::Declined);
    }
    let looked = found.there.as_ref();
    place.is_as_it_was(looked.map(Meta::id))?;
    let running = || options.keep_going();
    sweep(place.dir().as_fd(), place.made(), false, &running);
    let made = make(request, &place, &origin, options)?;
    let made = made.unless_lacking(&plan, options)?;
    finish(&place, made, (plan, looked.copied()), (options, start))
}

/// Looks at what there is.
fn look(
    request: &Request,
    place: &Place,
    origin: &Origin,
    options: &RunOptions,
) -> Result<Found, RestoreError> {
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
    let kept = request
        .only_if_differs
        .then(|| origin.kept(&request.from.meta));
    let kept = kept.transpose()?;
    let wanted = Wanted {
        dump_root: origin.dump_root,
        compare: kept.as_ref(),
        keep_going: &|| options.keep_going(),
    };
    survey(place.named(), old, &wanted)
}

/// What was made takes its place, and what it replaced goes.
fn finish(
    place: &Place,
    made: Made<'_>,
    (plan, there): (RestorePlan, Option<Meta>),
    (options, start): (&RunOptions, DateTime<Local>),
) -> Result<Restored, RestoreError> {
    let path = place.made_path();
    let put = || -> Result<_, RestoreError> {
        options.observer.event(Event::Phase(Phase::Syncing));
        disk::sync_filesystem(place.dir()).map_err(Fault::at(Op::Sync, path))?;
        made.is_still_there(path)?;
        place.is_as_it_was(there.as_ref().map(Meta::id))?;
        if !options.keep_going() {
            let path = plan.path.clone();
            return Err(RestoreError::Interrupted { path });
        }
        let put = swap::put(&made.temporary, place.made(), there, made.room);
        let replaced = put.map_err(Fault::at(Op::Rename, path))?;
        if place.id_of(place.made())? != Some(made.id) {
            return Err(RestoreError::Moved { path: path.into() });
        }
        Ok(replaced)
    };
    let replaced = match put() {
        Ok(replaced) => replaced,
        Err(error) => {
            made.temporary.discard(&clearing(options));
            return Err(error);
        }
    };
    let running = || options.keep_going();
    options.observer.event(Event::Phase(Phase::Removing));
    let removed = match &replaced {
        Some(replaced) => replaced.remove(&running),
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
    disk::sync(place.dir()).map_err(Fault::at(Op::Sync, path))?;
    if left.is_none() {
        sweep(place.dir().as_fd(), place.made(), true, &running);
    }
    let sum = made.sum;
    Ok(Restored::Done(Box::new(RestoreReport {
        plan,
        start,
        end: Local::now(),
        counts: sum.counts,
        faults: sum.faults,
        warnings: sum.warnings,
        left,
    })))
}

/// Goes on clearing up for a while after a stop, and as long as it takes
/// otherwise.
fn clearing(options: &RunOptions) -> impl Fn() -> bool + use<> {
    let until = (!options.keep_going()).then(|| Instant::now() + CLEARING);
    move || until.is_none_or(|until| Instant::now() < until)
}
