//! The modes of the directories of a dump root, independent of the umask.
//!
//! Those of years and days, and published dumps, are open to all: what is in
//! them has permissions of its own. What is being made is its runner's alone,
//! and so is what a run keeps for itself.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, file, stat};

const OPEN: u16 = 0o755;
const CLOSED: u16 = 0o700;

/// Opens a directory of the dump root's own, made if it is missing; a symlink in
/// its place is not followed. One that was made is open to all. So is one that
/// is still empty: a run was killed that had only just made it.
pub(crate) fn enter_or_make(dir: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let name = c_name(name.as_bytes());
    let made = match dir::make_private(dir, &name) {
        Err(e) if !errno::is_taken(&e) => return Err(e),
        made => made.is_ok(),
    };
    let handle = dir::open_dir(dir, &name, For::Reading)?;
    let meta = stat::look_at(&handle)?;
    let ours = || meta.uid == disk::whoami().0 && dir::is_empty(handle.as_fd()).unwrap_or(false);
    if made || meta.mode & 0o777 != OPEN && ours() {
        open_to_all(&handle)?;
    }
    Ok(handle)
}

/// Lets all enter a directory. What a disk without modes shows stays.
pub(crate) fn open_to_all(handle: &OwnedFd) -> io::Result<()> {
    // A directory's setgid bit gives what is made in it its group.
    let special = stat::look_at(handle)?.mode & 0o7000;
    set(handle, special | OPEN)
}

/// Shuts others out of a directory.
pub(crate) fn close(handle: &OwnedFd) -> io::Result<()> {
    let special = stat::look_at(handle)?.mode & 0o7000;
    narrow(handle, special | CLOSED)
}

/// Takes permissions away that are not in this mode.
pub(crate) fn narrow(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    match stat::look_at(handle)?.mode & !mode {
        0 => Ok(()),
        _ => set(handle, mode),
    }
}

/// Somebody else's (root may be the runner), and what is on a disk without
/// modes, stays as it is.
fn set(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    match file::set_mode(handle, mode) {
        Err(e) if !errno::is_not_permitted(&e) && !errno::is_unsupported(&e) => Err(e),
        _ => Ok(()),
    }
}
