//! The lock of a dump root, and the directory that holds its file.
//!
//! Only the runner may enter `.dump`, so nobody else can hold the lock in it and
//! keep all runs out. The owner of the dump root may remove it, though, and then
//! two runs could hold two locks. So the lock counts only while its path leads to
//! the file that is locked: that is checked after it was taken, and again before
//! anything is published.
//!
//! A dump's own directory is locked in the same way: shared by programs that
//! read it for long, exclusively by those that would remove or refill it. On a
//! filesystem without such locks these always succeed.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::model::error::Error;
use crate::model::fault::Op;
use crate::model::metadata::{Id, Kind, Meta, Time};
use crate::model::path::RelPath;
use crate::policy::layout;
use crate::root::{DumpRoot, modes};
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file, link};

/// How many times the lock is tried again when its file was replaced meanwhile.
const TRIES: u32 = 10;

/// After runs have found the lock held for this many seconds, one of them fails
/// and says so: most likely the holder hangs.
const STUCK: i64 = 12 * 60 * 60;

/// How long a reader waits for a dump that somebody holds exclusively.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Holds the lock of a dump root until it is dropped.
#[derive(Debug)]
#[must_use = "the lock is let go when this is dropped"]
pub struct DumpLock {
    handle: OwnedFd,
    id: Id,
}

impl Drop for DumpLock {
    fn drop(&mut self) {
        // When that fails, closing the handle unlocks it.
        let _ = disk::unlock(self.handle.as_fd());
    }
}

/// The lock of a directory, held until this is dropped.
#[derive(Debug)]
#[must_use = "the directory is let go when this is dropped"]
pub(crate) struct Hold {
    handle: OwnedFd,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = disk::unlock(self.handle.as_fd());
    }
}

impl Hold {
    /// Locks a directory for reading, which others may do as well.
    /// [`errno::is_locked`] knows the error when somebody holds it exclusively.
    pub(crate) fn shared(dir: BorrowedFd<'_>) -> io::Result<Self> {
        Self::take(dir, disk::lock_shared)
    }

    /// Locks a directory exclusively. [`errno::is_locked`] knows the error when
    /// somebody else holds it.
    pub(crate) fn alone(dir: BorrowedFd<'_>) -> io::Result<Self> {
        Self::take(dir, disk::lock)
    }

    /// From now on others may read it as well.
    pub(crate) fn share(&self) {
        // An exclusive lock is safe, too.
        let _ = disk::lock_shared(self.handle.as_fd());
    }

    /// A lock that could not be taken, and does not lock anything.
    fn without(dir: BorrowedFd<'_>) -> io::Result<Self> {
        let handle = dir::reopen(dir, For::Reading)?;
        Ok(Self { handle })
    }

    fn take(dir: BorrowedFd<'_>, lock: fn(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<Self> {
        let handle = dir::reopen(dir, For::Reading)?;
        match lock(handle.as_fd()) {
            Err(e) if !errno::is_lockless(&e) => Err(e),
            _ => Ok(Self { handle }),
        }
    }
}

impl DumpRoot {
    /// Opens the runner's own directory in the dump root, and makes it if it is
    /// missing.
    ///
    /// # Errors
    /// [`Error::StateUnusable`] when it is a symlink, not a directory or somebody
    /// else's, [`Error::DumpDisk`] when the disk refuses to make it.
    pub(crate) fn state_dir(&self) -> Result<OwnedFd, Error> {
        let (root, name) = (self.handle().as_fd(), c_name(layout::STATE_DIR.as_bytes()));
        match dir::make_private(root, &name) {
            Err(e) if !errno::is_taken(&e) => {
                return Err(self.failed(Op::Create, Path::new(layout::STATE_DIR), e));
            }
            _ => {}
        }
        let opened = dir::open_dir(root, &name, For::Reading).and_then(|handle| {
            self.is_own(&handle, Kind::Dir)?;
            modes::narrow(&handle, 0o700)?;
            Ok(handle)
        });
        opened.map_err(|cause| self.unusable(Path::new(layout::STATE_DIR), cause))
    }

    /// Locks the dump root for this process alone.
    ///
    /// # Errors
    /// [`Error::Busy`] at once when another run holds it, [`Error::Stuck`] when
    /// that has lasted for many hours, [`Error::Unlockable`] when the system
    /// cannot lock there, [`Error::StateUnusable`] or [`Error::DumpDisk`] when
    /// the file to lock cannot be made.
    pub fn lock(&self) -> Result<DumpLock, Error> {
        for _ in 0..TRIES {
            let state = self.state_dir()?;
            let Some(lock) = self.lock_in(&state)? else {
                continue;
            };
            if self.leads_to(lock.id)? {
                // Left by runs that found the lock held meanwhile.
                let _ = link::remove(state.as_fd(), &c_name(layout::BUSY.as_bytes()));
                return Ok(lock);
            }
        }
        let cause = io::Error::other("it keeps being replaced by another one");
        Err(self.unusable(&lock_path(), cause))
    }

    /// Fails when another run holds the dump root. Makes nothing, and succeeds
    /// where that cannot be found out.
    ///
    /// # Errors
    /// As for [`DumpRoot::lock`] when the lock is held.
    pub fn is_free(&self) -> Result<(), Error> {
        let name = c_name(layout::STATE_DIR.as_bytes());
        let state = dir::open_dir(self.handle().as_fd(), &name, For::Reading);
        let Ok(state) = state else { return Ok(()) };
        let name = c_name(layout::LOCK.as_bytes());
        let Ok(handle) = disk::open_lock(state.as_fd(), &name, false) else {
            return Ok(());
        };
        match disk::lock(handle.as_fd()) {
            Err(e) if errno::is_locked(&e) => Err(self.busy(&state)),
            _ => Ok(()),
        }
    }

    /// Removes the lock's file and its directory, if nothing else is in it: for
    /// a first run that is refused while it holds the lock. A run that opened
    /// the file before sees that its path no longer leads to it.
    pub(crate) fn leave_no_state(&self) {
        let Ok(state) = self.state_dir() else { return };
        let _ = link::remove(state.as_fd(), &c_name(layout::LOCK.as_bytes()));
        let name = c_name(layout::STATE_DIR.as_bytes());
        let _ = dir::remove_empty(self.handle().as_fd(), &name);
    }

    /// Is the lock still the one that other runs would find?
    pub(crate) fn still_holds(&self, lock: &DumpLock) -> Result<(), Error> {
        if self.leads_to(lock.id)? {
            return Ok(());
        }
        Err(Error::LockLost {
            lock: self.path().join(lock_path()),
        })
    }

    /// Opens a published dump and locks it for reading.
    ///
    /// Anyone who may read the dump may also lock its directory exclusively, and
    /// must not keep checkpoints, replicas and restorations out that way. A
    /// removal renames the dump as soon as it holds the lock. So a dump that
    /// still has its name a second later is read without a lock: as long as
    /// somebody else holds it, it cannot be removed either.
    pub(crate) fn hold_dump(&self, path: &RelPath) -> io::Result<(OwnedFd, Hold)> {
        let handle = self.open_dump(path)?;
        let handle = dir::reopen(handle.as_fd(), For::Reading)?;
        let id = stat::look_at(&handle)?.id();
        let is_there = || is_found(self.open_dump(path).and_then(stat::look_at), id);
        let until = Instant::now() + PATIENCE;
        let hold = loop {
            match Hold::shared(handle.as_fd()) {
                Ok(hold) => break hold,
                Err(e) if !errno::is_locked(&e) => return Err(e),
                Err(_) if !is_there()? => {
                    return Err(io::Error::other("another program is removing it"));
                }
                Err(_) if Instant::now() >= until => break Hold::without(handle.as_fd())?,
                Err(_) => thread::sleep(PAUSE),
            }
        };
        // It may have been renamed away before it was held.
        match is_there()? {
            true => Ok((handle, hold)),
            false => Err(io::Error::other("it was replaced while it was opened")),
        }
    }

    /// Locks the file in the runner's directory; `None` when it went meanwhile.
    fn lock_in(&self, state: &OwnedFd) -> Result<Option<DumpLock>, Error> {
        let path = lock_path();
        let opened = disk::open_lock(state.as_fd(), &c_name(layout::LOCK.as_bytes()), true);
        let handle = match opened {
            Ok(handle) => handle,
            Err(e) if errno::is_missing(&e) => return Ok(None),
            Err(e) if errno::is_disk_refusal(&e) => {
                return Err(self.failed(Op::Create, &path, e));
            }
            Err(cause) => return Err(self.unusable(&path, cause)),
        };
        let own = self.is_own(&handle, Kind::File);
        let own = own.and_then(|meta| modes::narrow(&handle, 0o600).map(|()| meta));
        let id = own.map_err(|cause| self.unusable(&path, cause))?.id();
        match disk::lock(handle.as_fd()) {
            Ok(()) => Ok(Some(DumpLock { handle, id })),
            Err(e) if errno::is_locked(&e) => Err(self.busy(state)),
            Err(cause) => Err(Error::Unlockable {
                path: self.path().to_path_buf(),
                unsupported: errno::is_lockless(&cause),
                cause,
            }),
        }
    }

    /// Does the path of the lock lead to this file?
    fn leads_to(&self, id: Id) -> Result<bool, Error> {
        let name = c_name(layout::STATE_DIR.as_bytes());
        let state = dir::open_dir(self.handle().as_fd(), &name, For::Passing);
        let lock = c_name(layout::LOCK.as_bytes());
        let there = state.and_then(|state| stat::look(state.as_fd(), &lock, Fresh::AsStat));
        is_found(there, id).map_err(|cause| self.unusable(&lock_path(), cause))
    }

    /// The error for a lock that is held. A file, made by the first run that
    /// found it held, tells since when; the run that reports that this is too
    /// long starts the count again.
    fn busy(&self, state: &OwnedFd) -> Error {
        let name = c_name(layout::BUSY.as_bytes());
        let busy = || Error::Busy {
            dump: self.path().to_path_buf(),
        };
        let Ok(handle) = disk::open_lock(state.as_fd(), &name, true) else {
            return busy();
        };
        let Ok(since) = stat::look_at(&handle) else {
            return busy();
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0));
        let age = now.saturating_sub(since.mtime.secs);
        if (0..STUCK).contains(&age) {
            return busy();
        }
        let now = Time::new(now, 0);
        let _ = file::set_times(&handle, now, now);
        // The clock may also have gone back.
        if age < 0 {
            return busy();
        }
        Error::Stuck {
            dump: self.path().to_path_buf(),
            lock: self.path().join(lock_path()),
            hours: age / 3600,
        }
    }

    /// Is it of this kind, and owned by this user, by root, or by the owner of
    /// the dump root? Then nobody else can put another in its place.
    fn is_own(&self, handle: &OwnedFd, kind: Kind) -> io::Result<Meta> {
        let meta = stat::look_at(handle)?;
        if meta.kind != kind {
            return Err(io::Error::other("it is not what it should be: remove it"));
        }
        let (uid, ..) = disk::whoami();
        let root = stat::look_at(self.handle())?;
        // A server may show our own files as somebody else's. A new file shows
        // whether it does.
        let known = [uid, 0, root.uid].contains(&meta.uid);
        if known || kind == Kind::Dir && self.makes_as(handle, meta.uid) {
            return Ok(meta);
        }
        if kind == Kind::File && self.owner_of_state() == Some(meta.uid) {
            return Ok(meta);
        }
        let text = format!(
            "it belongs to user {}: see who made it, and remove it",
            meta.uid
        );
        Err(io::Error::other(text))
    }

    /// Does a new file in a directory belong to this user?
    fn makes_as(&self, dir: &OwnedFd, uid: u32) -> bool {
        let name = c_name(layout::TRIALS[0].as_bytes());
        let _ = link::remove(dir.as_fd(), &name);
        let made = file::create_file(dir.as_fd(), &name).and_then(|made| stat::look_at(&made));
        let _ = link::remove(dir.as_fd(), &name);
        made.is_ok_and(|made| made.uid == uid)
    }

    /// Whose directory the lock is in. It was checked before.
    fn owner_of_state(&self) -> Option<u32> {
        let name = c_name(layout::STATE_DIR.as_bytes());
        let found = stat::look(self.handle().as_fd(), &name, Fresh::AsStat);
        found.ok().map(|meta| meta.uid)
    }

    fn unusable(&self, below: &Path, cause: io::Error) -> Error {
        let path = self.path().join(below);
        let cause = match errno::has_changed(&cause) {
            true => io::Error::other("it is a symlink, or not what it should be: remove it"),
            false => cause,
        };
        Error::StateUnusable { path, cause }
    }
}

/// Is what a name leads to this inode? Where the system cannot say, as without
/// file descriptors, nothing is said of the name.
fn is_found(there: io::Result<Meta>, id: Id) -> io::Result<bool> {
    match there {
        Ok(there) => Ok(there.id() == id),
        Err(e) if errno::has_changed(&e) || errno::is_stale(&e) => Ok(false),
        Err(e) => Err(e),
    }
}

fn lock_path() -> PathBuf {
    Path::new(layout::STATE_DIR).join(layout::LOCK)
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
