//! Dump roots inside a place, which a restoration that deletes must not meet.
//!
//! A dump root does not belong to a tree: whether its directory is in the version or
//! not, what is in it is missing there, and would go. So the names of the place
//! are looked at first, and one dump root is enough to refuse.

use std::os::fd::AsFd as _;

use super::request::Named;
use super::survey::{OPEN, Side, Wanted, is_dump_root};
use crate::fs::dir_handle::HandleCache;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::restore::RestoreError;
use crate::sys::errno;
use crate::sys::stat::{self, Fresh};

/// Refuses a place that is a dump root or has one in it.
pub(super) fn guard(now: Named<'_>, wanted: &Wanted<'_>) -> Result<(), RestoreError> {
    let mut left = Vec::new();
    left.extend(Side::top(now, &HandleCache::new(OPEN))?);
    while let Some(side) = left.pop() {
        if !(wanted.keep_going)() {
            let path = now.path.to_path_buf();
            return Err(RestoreError::Interrupted { path });
        }
        let (handle, names) = match side.list() {
            Ok(listed) => listed,
            Err(fault) if is_passed_over(&fault) => continue,
            Err(fault) => return Err(fault.into()),
        };
        let top = stat::look_at(&handle).map_err(Fault::at(Op::Stat, &side.path))?;
        if wanted.dump_root == Some(top.id()) || is_dump_root(&handle, &names) {
            return Err(RestoreError::HoldsDumps {
                path: side.path,
                of: now.path.to_path_buf(),
            });
        }
        for entry in names.iter() {
            let is_dir = |kind| kind == Kind::Dir;
            let looked = || stat::look(handle.as_fd(), entry.name, Fresh::Cached);
            let kind = entry.kind.or_else(|| looked().ok().map(|meta| meta.kind));
            if !kind.is_some_and(is_dir) {
                continue;
            }
            match side.enter(entry.name) {
                Ok(below) => left.push(below),
                Err(fault) if is_passed_over(&fault) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    Ok(())
}

/// What cannot be entered cannot be deleted either.
fn is_passed_over(fault: &Fault) -> bool {
    errno::is_missing(&fault.cause) || errno::is_not_permitted(&fault.cause)
}
