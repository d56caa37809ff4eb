//! Directories of dumps, one after the other: what two of them have in common stays
//! open. A dump is held while one of its directories is open, so that it cannot be
//! removed meanwhile.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::root::lock::Hold;
use crate::sys::dir::{self, For};
use crate::sys::errno;
use crate::sys::name::c_name;

/// The directories of dumps that were opened last.
pub(super) struct DumpDirs<'r> {
    root: &'r DumpRoot,
    dump: Option<(DumpId, OwnedFd, Hold)>,
    /// In that dump.
    dir: Option<(RelPath, OwnedFd)>,
}

impl<'r> DumpDirs<'r> {
    pub(super) fn new(root: &'r DumpRoot) -> Self {
        Self {
            root,
            dump: None,
            dir: None,
        }
    }

    /// Lets go of what is held.
    pub(super) fn leave(&mut self) {
        (self.dump, self.dir) = (None, None);
    }

    /// The directory of this path in a dump.
    pub(super) fn open(&mut self, dump: DumpId, path: &[u8]) -> io::Result<&OwnedFd> {
        if self.dump.as_ref().is_none_or(|(held, ..)| *held != dump) {
            self.leave();
            let (handle, hold) = self.root.hold_dump(&dump.rel_path())?;
            self.dump = Some((dump, handle, hold));
        }
        let is_open = |dir: &(RelPath, OwnedFd)| dir.0.as_bytes() == path;
        if !self.dir.as_ref().is_some_and(is_open) {
            self.dir = None;
        }
        match (&mut self.dir, &self.dump) {
            (Some((_, dir)), _) => Ok(dir),
            (none, Some((_, top, _))) => {
                let opened = below(top, path)?;
                Ok(&none.insert((RelPath::from_bytes(path), opened)).1)
            }
            (None, None) => Err(errno::missing()),
        }
    }
}

/// A path as that of a directory, and the name in it.
pub(super) fn split(path: &RelPath) -> (&[u8], &[u8]) {
    let bytes = path.as_bytes();
    match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&[], bytes),
    }
}

/// Opens a directory below another, name by name, following no symlink.
pub(super) fn below(top: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let mut dir = dir::reopen(top.as_fd(), For::Passing)?;
    for name in path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
    {
        dir = dir::open_dir(dir.as_fd(), &c_name(name), For::Passing)?;
    }
    Ok(dir)
}
