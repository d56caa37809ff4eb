//! What was made takes its place, and what it replaced is removed.
//!
//! One rename does it: anyone who looks sees the old or the new, and a kill at
//! any instant leaves one of them whole under the name. What is removed after
//! that is known by its inode, and nothing else is.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use super::temporary::Temporary;
use crate::fs::remove_tree::remove_tree_of;
use crate::fs::store::NameAt;
use crate::model::fault::{Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::policy::layout;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{dir, link};

/// What was replaced, by another name.
pub(super) struct Replaced<'a> {
    at: NameAt<'a>,
    id: Id,
}

impl Replaced<'_> {
    /// Removes it, and only it; says whether all of it is gone.
    pub(super) fn remove(&self, keep_going: &dyn Fn() -> bool) -> Result<bool, OpError> {
        remove_tree_of(self.at.dir, self.at.name, self.id, keep_going)
    }
}

/// Gives what was made its name. What had it, if anything did, comes back.
///
/// `room`: what was made is in the private directory, under its own name;
/// else that directory is what was made.
pub(super) fn put<'a>(
    temporary: &'a Temporary<'_>,
    name: &'a CStr,
    there: Option<Meta>,
    room: bool,
) -> io::Result<Option<Replaced<'a>>> {
    let place: BorrowedFd<'_> = temporary.dir;
    let (from_dir, from) = if room {
        (temporary.handle.as_fd(), name)
    } else {
        (temporary.dir, temporary.name.as_c_str())
    };
    let Some(there) = there else {
        // What somebody has made meanwhile is not replaced.
        link::rename_new(from_dir, from, place, name)?;
        return Ok(None);
    };
    if room && there.kind != Kind::Dir {
        link::rename_over(from_dir, from, place, name)?;
        if stat::look(from_dir, from, Fresh::AsStat).is_ok_and(|it| it.id() == there.id()) {
            // Both were names of one inode, of which a rename leaves both.
            link::remove(from_dir, from)?;
        }
        return Ok(None);
    }
    let third = c_name(&layout::replaced(temporary.name.to_bytes()));
    link::exchange(from_dir, from, place, name, &third)?;
    Ok(Some(Replaced {
        at: NameAt {
            dir: from_dir,
            name: from,
        },
        id: there.id(),
    }))
}

/// Takes the private directory away when it was only a room, and nothing is
/// left in it.
pub(super) fn leave(temporary: &Temporary<'_>) -> Result<(), OpError> {
    if !temporary.is_there() {
        return Ok(());
    }
    let removed = dir::remove_empty(temporary.dir, &temporary.name);
    removed.map_err(|e| OpError::target(Op::Remove, e))
}
