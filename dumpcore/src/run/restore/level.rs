//! A directory that a place and a version have, opened to be filled.
//!
//! What its permissions forbid its owner is allowed for the time; the mode that
//! it had is remembered, so that it can be given back.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fs::dir_handle::DirHandle;
use crate::fs::mount::{MountOf, mounted};
use crate::model::fault::{Fault, Op};
use crate::sys::dir::{self, For};
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file, link};

/// A directory that the place and the version have, and what was made of it.
#[derive(Clone)]
pub(super) struct Level {
    pub(super) made: Arc<DirHandle>,
    pub(super) live: Arc<DirHandle>,
    pub(super) version: Arc<DirHandle>,
    pub(super) path: PathBuf,
    /// Its path in the backup.
    pub(super) below: PathBuf,
    /// The mode that it had, where its owner was allowed more for the time.
    pub(super) had: Option<u16>,
}

impl Level {
    pub(super) fn enter(&self, name: &CStr, mount: MountOf) -> Result<Self, Fault> {
        let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
        let failed = |e| Fault::at(Op::Open, &path)(e);
        let version = self.version.enter(name, For::Reading).map_err(failed)?;
        let (made, _) = enter_own(&self.made, name, mount).map_err(failed)?;
        // The last, since nobody would put its mode back.
        let (live, had) = enter_own(&self.live, name, mount).map_err(failed)?;
        Ok(Self {
            made,
            live,
            version: version.place,
            below: self.below.join(OsStr::from_bytes(name.to_bytes())),
            had,
            path,
        })
    }
}

/// Opens the directory that is restored, as [`Level::enter`] does those below it;
/// the mode is told that it had until then. Source: the open call.
pub(super) fn open_own(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<(OwnedFd, Option<u16>)> {
    let mut had = None;
    let handle = match dir::open_dir(dir, name, For::Filling) {
        Err(e) if errno::is_not_permitted(&e) => {
            let mode = stat::look(dir, name, Fresh::AsStat)?.mode;
            link::set_mode_of_dir(dir, name, mode | OWN)?;
            had = Some(mode);
            dir::open_dir(dir, name, For::Filling).inspect_err(|_| {
                let _ = link::set_mode_of_dir(dir, name, mode);
            })
        }
        opened => opened,
    }?;
    let mode = stat::look_at(&handle)?.mode;
    let had = allow_own(&handle, mode, had);
    Ok((handle, had))
}

/// Allows its owner all in a directory of this mode. The mode that it had before.
fn allow_own(handle: &OwnedFd, mode: u16, had: Option<u16>) -> Option<u16> {
    if mode & OWN == OWN {
        return had;
    }
    // As root that is not in the way.
    let set = file::set_mode(handle, mode | OWN);
    had.or(set.is_ok().then_some(mode))
}

/// A directory that its owner may change for the time, where its mode forbids that.
pub(super) struct OpenedUp<'d> {
    dir: &'d OwnedFd,
    had: Option<u16>,
}

impl<'d> OpenedUp<'d> {
    /// Allows that, of a directory of the runner's. Root needs no leave.
    pub(super) fn of(dir: &'d OwnedFd) -> Self {
        let runner = disk::whoami().0;
        let own = stat::look_at(dir).ok();
        let own = own.filter(|meta| runner != 0 && meta.uid == runner);
        let had = own.and_then(|meta| allow_own(dir, meta.mode, None));
        Self { dir, had }
    }
}

impl Drop for OpenedUp<'_> {
    fn drop(&mut self) {
        if let Some(mode) = self.had {
            let _ = file::set_mode(self.dir, mode);
        }
    }
}

/// Enters a directory on this mount to change it; what its permissions forbid its
/// owner is allowed first, and the mode is told that it had until then.
fn enter_own(
    above: &Arc<DirHandle>,
    name: &CStr,
    mount: MountOf,
) -> io::Result<(Arc<DirHandle>, Option<u16>)> {
    let mut had = None;
    let opened = match above.enter(name, For::Filling) {
        Err(e) if errno::is_not_permitted(&e) => {
            let dir = above.open()?;
            let there = stat::details(dir.as_fd(), name)?;
            if !mount.has_entry(&there) {
                return Err(mounted());
            }
            link::set_mode_of_dir(dir.as_fd(), name, OWN)?;
            had = Some(there.meta.mode);
            above.enter(name, For::Filling).inspect_err(|_| {
                let _ = link::set_mode_of_dir(dir.as_fd(), name, there.meta.mode);
            })
        }
        opened => opened,
    }?;
    if !mount.has(&*opened.handle, &opened.meta)? {
        return Err(mounted());
    }
    let had = allow_own(&opened.handle, opened.meta.mode, had);
    Ok((opened.place, had))
}

/// What an owner needs to fill a directory.
pub(super) const OWN: u16 = 0o700;
