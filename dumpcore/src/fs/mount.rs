//! Which mount a directory is on, so that work on a tree stays on it.
//!
//! What is mounted below a directory is on a disk that nobody named: it is not
//! filled, changed or removed with the tree around it. Devices alone do not
//! tell that, since a bind mount has the device of what it shows.

use std::io;
use std::os::fd::AsFd;

use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::sys::stat::{self, Details};

/// The mount of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountOf {
    /// 0 where the kernel does not tell (before Linux 5.8): then the device
    /// decides.
    id: u64,
    dev: u64,
}

impl MountOf {
    /// That of an open directory.
    pub(crate) fn of(handle: impl AsFd) -> io::Result<Self> {
        let handle = handle.as_fd();
        Ok(Self {
            id: stat::mount_id(handle)?,
            dev: stat::look_at(handle)?.dev,
        })
    }

    /// Is a directory that was opened, and is this, on it?
    pub(crate) fn has(self, handle: impl AsFd, meta: &Meta) -> io::Result<bool> {
        match self.id {
            0 => Ok(meta.dev == self.dev),
            id => Ok(stat::mount_id(handle)? == id),
        }
    }

    /// Is an entry on it, and not the top of another?
    pub(crate) fn has_entry(self, entry: &Details) -> bool {
        // On overlayfs only directories have the device of what is around them.
        let alike = entry.meta.kind != Kind::Dir || entry.meta.dev == self.dev;
        !entry.is_mounted && entry.mount == self.id && (self.id != 0 || alike)
    }
}

/// Why nothing is made in what is mounted below a place.
pub(crate) fn mounted() -> io::Error {
    io::Error::other("something else is mounted there; restore it by its own path")
}
