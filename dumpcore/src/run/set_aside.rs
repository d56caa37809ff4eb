//! Beginning again without a target that cannot become what is to be made.
//!
//! What an earlier run left behind, or an expired dump, may hold something that can be
//! neither removed nor changed: it is immutable or append-only, say. A dump that was
//! made of it would show, under that name, what its tree does not have. So that target
//! is moved, as a whole, to what is on its way out, where no run takes it up again, and
//! this run begins again with an empty directory. A warning says where it is and what
//! was in the way. Each time there is one target less, so this ends.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::trees::{Source, again};
use super::{Check, Order, Run};
use crate::engine::Totals;
use crate::fs::fixed::Fixed;
use crate::model::error::Error;
use crate::model::event::Warning;
use crate::model::fault::Fault;
use crate::model::report::Report;
use crate::policy::layout::{DumpId, DumpName};
use crate::root::removing::Then;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;

/// What attempts leave to the next one.
#[derive(Default)]
pub(super) struct Attempts {
    /// What was set aside, to be told by the next.
    told: Vec<SetAside>,
    /// Why the last one ended, when that was something in its target.
    pub(super) obstacle: Option<Fault>,
}

/// A target that was set aside.
struct SetAside {
    warning: Warning,
    /// What was in the way, where it is immutable or append-only: it cannot be removed
    /// either, for the same reason.
    fixed: Option<PathBuf>,
}

impl Attempts {
    /// Tells what was set aside. The paths of what was in the way and cannot be removed
    /// for the same reason.
    pub(super) fn tell(&self, totals: &Totals<'_>) -> Vec<PathBuf> {
        let tell = |aside: &SetAside| {
            totals.warn(aside.warning.clone());
            aside.fixed.clone()
        };
        self.told.iter().filter_map(tell).collect()
    }
}

impl Run {
    /// Makes what is ordered of these trees, has it checked, and publishes it; where a
    /// target is of no use, without that.
    pub(super) fn publish(
        &self,
        order: &Order<'_>,
        mut sources: Vec<Source>,
        check: &mut Check<'_>,
    ) -> Result<Report, Error> {
        let mut attempts = Attempts::default();
        loop {
            // Without descriptors for a second attempt the first is the last.
            let next = duplicates(&sources);
            let error = match self.attempt(order, sources, &mut attempts, check) {
                Ok(report) => return Ok(report),
                Err(error) => error,
            };
            let (Some(obstacle), Some(next)) = (attempts.obstacle.take(), next) else {
                return Err(error);
            };
            let Some(warning) = self.set_aside(&obstacle) else {
                return Err(error);
            };
            attempts.told.push(warning);
            sources = again(&next)?;
        }
    }

    /// Moves the target in which something was in the way to what is on its way out.
    /// `None` where that cannot be.
    fn set_aside(&self, obstacle: &Fault) -> Option<SetAside> {
        let below = obstacle.path.strip_prefix(self.dump.path()).ok()?;
        let mut names = below.iter().map(OsStr::as_bytes);
        let found = DumpName::from_names(names.next()?, names.next()?, names.next()?)?;
        let id = DumpId::Incomplete(found.name);
        let removing = self.dump.removing().ok().filter(|_| found.incomplete)?;
        let leaf = self.dump.take_away(id, &removing, Then::Removed).ok()?;
        self.dump.sweep(id);
        let path = removing.path_of(&leaf);
        let within = below.strip_prefix(id.path()).ok()?;
        let held = fixed(&obstacle.cause, &path.join(within));
        let fixed = held.as_ref().map(|_| path.join(within));
        let cause = held.map_or_else(
            || obstacle.cause.clone(),
            |fixed| fixed.answer(false).into(),
        );
        let fault = Fault::new(obstacle.op, path.join(within), cause);
        let warning = Warning::SetAside { path, fault };
        Some(SetAside { warning, fixed })
    }
}

/// The same trees by other descriptors.
fn duplicates(sources: &[Source]) -> Option<Vec<Source>> {
    let same = |source: &Source| {
        let handle = source.handle.try_clone().ok()?;
        Some(Source::new(
            source.name.clone(),
            source.path.clone(),
            handle,
        ))
    };
    sources.iter().map(same).collect()
}

/// Is what is at a path immutable or append-only, or the directory that it is in?
fn fixed(cause: &io::Error, path: &Path) -> Option<Fixed> {
    let dir = dir::open_root(path.parent()?, For::Passing).ok()?;
    Fixed::behind(cause, dir.as_fd(), &c_name(path.file_name()?.as_bytes()))
}
