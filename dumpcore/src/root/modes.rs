//! The modes of the directories of a dump root, independent of the umask.
//!
//! Directories of years, days and published dumps are open to all: what is in
//! them has permissions of its own. A dump that is being made, and what a run
//! keeps for itself, is open to its runner only.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, file, stat};

const OPEN: u16 = 0o755;
const CLOSED: u16 = 0o700;

/// Opens a year or day directory, and makes it if it is missing; a symlink in
/// its place is not followed. A new one is opened to all, and so is one that is
/// still empty: a run may have been killed right after it had made it.
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

/// Lets all users enter a directory. Changes nothing on a disk without modes.
pub(crate) fn open_to_all(handle: &OwnedFd) -> io::Result<()> {
    // The setgid bit gives new entries the directory's group.
    let special = stat::look_at(handle)?.mode & 0o7000;
    set(handle, special | OPEN)
}

/// Shuts others out of a directory.
pub(crate) fn close(handle: &OwnedFd) -> io::Result<()> {
    let special = stat::look_at(handle)?.mode & 0o7000;
    narrow(handle, special | CLOSED)
}

/// Removes permissions that are not in this mode.
pub(crate) fn narrow(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    match stat::look_at(handle)?.mode & !mode {
        0 => Ok(()),
        _ => set(handle, mode),
    }
}

/// A directory of somebody else (the runner may be root), and one on a disk
/// without modes, stays as it is.
fn set(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    match file::set_mode(handle, mode) {
        Err(e) if !errno::is_not_permitted(&e) && !errno::is_unsupported(&e) => Err(e),
        _ => Ok(()),
    }
}
