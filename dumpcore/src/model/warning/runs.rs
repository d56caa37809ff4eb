//! Warnings about the run itself: its clock, its workers, and what earlier runs
//! left behind.

use std::fmt;
use std::path::Path;

use crate::model::cause::Cause;
use crate::model::chain::Chain;
use crate::model::fault::Fault;
use crate::model::minute::Stamp;
use crate::model::path::Printable;

pub(super) fn clock_behind(f: &mut fmt::Formatter<'_>, now: Stamp, newest: Stamp) -> fmt::Result {
    write!(
        f,
        "the clock says {now}, but the newest dump is from {newest}; check the clock. This dump \
         is named by the clock anyway"
    )
}

pub(super) fn fewer_jobs(
    f: &mut fmt::Formatter<'_>,
    asked: usize,
    jobs: usize,
    cause: &Cause,
) -> fmt::Result {
    write!(f, "only {jobs} of {asked} workers: {}", Chain(&**cause))
}

pub(super) fn catalog_unused(f: &mut fmt::Formatter<'_>, cause: &Cause) -> fmt::Result {
    write!(f, "{}; dumps are made without it", Chain(&**cause))
}

pub(super) fn foreign_leftover(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} was left by a run over other trees and is not touched; if that run will not be \
         resumed, remove it with 'dumpctl remove'",
        Printable::path(path)
    )
}

pub(super) fn held_leftover(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    let path = Printable::path(path);
    write!(f, "{path} is in use by another program and is not touched")
}

pub(super) fn fixed_leftover(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} was left by a run that stopped, and is immutable or append-only: it is not touched; \
         run 'chattr -ia' on it",
        Printable::path(path)
    )
}

pub(super) fn leftover_removed(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} had used the last inode of its disk and was removed; this run starts from the \
         beginning",
        Printable::path(path)
    )
}

pub(super) fn set_aside(f: &mut fmt::Formatter<'_>, path: &Path, fault: &Fault) -> fmt::Result {
    write!(
        f,
        "{}; so this dump is made without what was there, which is now in {} and is removed when \
         that can be done",
        Chain(fault),
        Printable::path(path)
    )
}

pub(super) fn not_removed(f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
    write!(
        f,
        "part of a removed dump still takes space; the next run tries again: {}",
        Chain(fault)
    )
}

pub(super) fn not_recycled(f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
    write!(f, "an expired dump cannot be recycled: {}", Chain(fault))
}

pub(super) fn resuming(f: &mut fmt::Formatter<'_>, path: &Path, trusted: bool) -> fmt::Result {
    write!(
        f,
        "resuming {}, left by a run that stopped",
        Printable::path(path)
    )?;
    match trusted {
        true => Ok(()),
        false => {
            f.write_str("; its contents are compared, because they may not have reached the disk")
        }
    }
}
