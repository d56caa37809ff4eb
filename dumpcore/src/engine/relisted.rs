//! The names in a directory that was listed again because one was missing.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::name_hashes::NameHashes;
use crate::fs::dir_handle::DirHandle;
use crate::model::metadata::{Id, Time};
use crate::sys::dir::{self, For, Lister};
use crate::sys::stat;

/// What a directory listed after its first listing: hashes of names, so that
/// many missing names of a large directory cost one more listing, not one
/// each.
#[derive(Debug)]
pub(super) struct Relisted {
    dir: Id,
    times: (Time, Time),
    names: NameHashes,
}

impl Relisted {
    pub(super) fn of(place: &DirHandle, handle: &OwnedFd) -> io::Result<Self> {
        let handle = dir::reopen(handle.as_fd(), For::Reading)?;
        let times = times(&handle)?;
        Ok(Self {
            dir: place.id(),
            times,
            names: NameHashes::list(Lister::new(handle))?,
        })
    }

    pub(super) fn is_of(&self, place: &DirHandle) -> bool {
        self.dir == place.id()
    }

    /// The directory's times, before it was listed.
    pub(super) fn times(&self) -> (Time, Time) {
        self.times
    }

    pub(super) fn has(&self, name: &CStr) -> bool {
        self.names.has(name)
    }
}

/// When a directory was changed last: its contents, and its inode.
pub(super) fn times(handle: &OwnedFd) -> io::Result<(Time, Time)> {
    let meta = stat::look_at(handle)?;
    Ok((meta.mtime, meta.ctime))
}
