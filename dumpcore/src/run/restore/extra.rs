//! What a place has and a version does not: what of it goes.
//!
//! An entry goes as a whole, with all below it. Where exclude rules spare
//! something in it, the directories that lead there stay, and the rest goes
//! entry by entry.

use super::request::Named;
use super::survey::{Going, OPEN, Side, Wanted, going, named};
use crate::fs::dir_handle::HandleCache;
use crate::fs::mount::MountOf;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::restore::RestoreError;
use crate::sys::errno;
use crate::sys::stat::{self, Fresh};

/// What is to become of an entry that the version does not have.
pub(super) enum Extra {
    /// It goes, and this with it.
    Goes(Going),
    /// Exclude rules spare it.
    Spared,
    /// It cannot be looked at, or may not go.
    Stuck(RestoreError),
}

/// Tells of an entry, or of those in it, what is to become of them, each time
/// before the next is looked at.
///
/// # Errors
/// What `tell` returns; [`RestoreError::Interrupted`].
pub(super) fn extra(
    now: Named<'_>,
    (wanted, mount): (&Wanted<'_>, MountOf),
    tell: &mut dyn FnMut(Named<'_>, Extra) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    let mut left = Vec::new();
    if judge(now, (wanted, mount), tell)? {
        left.extend(Side::top(now, &HandleCache::new(OPEN))?);
    }
    while let Some(side) = left.pop() {
        let (handle, names) = side.list()?;
        for entry in names.iter() {
            let path = side.below(entry.name);
            let now = named(&handle, entry.name, &path);
            if judge(now, (wanted, mount), tell)? {
                left.push(side.enter(entry.name)?);
            }
        }
    }
    Ok(())
}

/// Tells of an entry, unless it is a directory in which something is spared: is
/// it, so that its entries are judged one by one?
fn judge(
    now: Named<'_>,
    (wanted, mount): (&Wanted<'_>, MountOf),
    tell: &mut dyn FnMut(Named<'_>, Extra) -> Result<(), RestoreError>,
) -> Result<bool, RestoreError> {
    let there = match stat::look(now.at.dir, now.at.name, Fresh::AsStat) {
        Ok(there) => there,
        Err(e) if errno::is_missing(&e) => return Ok(false),
        Err(e) => {
            let fault = Fault::at(Op::Stat, now.path)(e);
            return tell(now, Extra::Stuck(fault.into())).map(|()| false);
        }
    };
    if wanted.spares(now.path, there.kind == Kind::Dir) {
        return tell(now, Extra::Spared).map(|()| false);
    }
    match going(now, wanted, mount) {
        Ok(going) if going.spared.entries > 0 => Ok(true),
        Ok(going) => tell(now, Extra::Goes(going)).map(|()| false),
        Err(error @ RestoreError::Interrupted { .. }) => Err(error),
        Err(error) => tell(now, Extra::Stuck(error)).map(|()| false),
    }
}
