//! The watermark of a leftover: which part of it has surely reached the disk.
//!
//! The directory that is being filled is touched, which shows the clock of the
//! dump's filesystem; then everything is flushed; then that time is stored as an
//! attribute of the directory. So an entry whose last change is before that time
//! is on the disk, after a kill, a lost mount, a power cut or a reboot. Everything
//! else in a leftover is kept only if it compares equal when read from the disk.
//!
//! This relies on a clock that does not go back. Before a file is made the clock
//! must not be before the last of these times, and when the file is complete its
//! own time must not be before it either. Otherwise the attribute is removed, that
//! is flushed, and this run takes no further watermark. A run that takes over a
//! leftover takes watermarks only for what it makes itself: what is younger than
//! everything it found there.
//!
//! Without `user.*` attributes, and where flushing may not reach the disk
//! (filesystems in user space), nothing is trusted.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::fault::{Op, OpError};
use crate::model::metadata::Time;
use crate::policy::flushed::Flushed;
use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::fstype::may_be_in_user_space;
use crate::sys::lock::lock;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, errno, file, stat};

/// What is known of the directory that is being filled.
#[derive(Debug)]
pub(crate) struct Watermark {
    target: OwnedFd,
    /// The watermark of the runs before this one.
    believed: Flushed,
    state: Mutex<State>,
    /// No file is made before this: nanoseconds since 1970 by the clock of the
    /// dump's filesystem, and by that of this machine.
    floor: AtomicI64,
    floor_here: AtomicI64,
    /// Was a file stored since the last watermark?
    stored: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Is a further watermark taken? Not after a failed flush, not when the clock
    /// went back, and not when it is unknown what this run has made.
    takes: bool,
    /// Is it certain that there is no watermark on the disk?
    gone: bool,
    /// What is younger than this was made by this run; `None`: everything was.
    from: Option<Time>,
    flushed: Flushed,
}

/// A file that is complete must not be older than this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor(i64);

impl Watermark {
    /// The watermark of a new directory.
    ///
    /// # Errors
    /// When the directory cannot be opened once more.
    pub(crate) fn of_new(target: &OwnedFd) -> io::Result<Self> {
        let takes = !may_be_in_user_space(target.as_fd());
        Self::new(target, Flushed::default(), None, takes)
    }

    /// The watermark of what an earlier run left behind, in which no file is
    /// younger than `newest`, if that is known.
    ///
    /// # Errors
    /// When a watermark that cannot be trusted cannot be removed.
    pub(crate) fn of_leftover(target: &OwnedFd, newest: Option<Time>) -> io::Result<Self> {
        let name = c_name(layout::FLUSHED_XATTR.as_bytes());
        let found = match xattr::get(Subject::Open(target.as_fd()), &name) {
            Ok(Some(text)) => Flushed::parse(&text),
            _ => Flushed::default(),
        };
        let last = found.last();
        let from = younger_than(target, newest.max(last));
        let is_younger = |than: Option<Time>| match (&from, than) {
            (Ok(from), Some(than)) => *from > than,
            _ => false,
        };
        // New files must not be taken for what was flushed then.
        let went_back = last.is_some() && !is_younger(last);
        let reaches = !may_be_in_user_space(target.as_fd());
        let takes = is_younger(newest) && !went_back && reaches;
        let believed = match reaches {
            true => found,
            false => Flushed::default(),
        };
        let from = from.ok();
        let new = Self::new(target, believed, from, takes)?;
        if went_back || !reaches {
            new.clock_went_back().map_err(|op_error| op_error.cause)?;
        }
        Ok(new)
    }

    fn new(
        target: &OwnedFd,
        believed: Flushed,
        from: Option<Time>,
        takes: bool,
    ) -> io::Result<Self> {
        let now = from.map_or(i64::MIN, |_| here());
        Ok(Self {
            target: dir::reopen(target.as_fd(), For::Filling)?,
            state: Mutex::new(State {
                takes,
                gone: false,
                from,
                flushed: believed.clone(),
            }),
            believed,
            floor: AtomicI64::new(from.map_or(i64::MIN, nanos)),
            floor_here: AtomicI64::new(now),
            stored: AtomicBool::new(false),
        })
    }

    /// Had a file with this time of last change surely reached the disk when this
    /// run began? `born` is when it was made.
    pub(crate) fn covers(&self, ctime: Time, born: impl FnOnce() -> Option<Time>) -> bool {
        self.believed.covers(ctime, born)
    }

    /// Had anything surely reached the disk?
    pub(crate) fn is_trusted(&self) -> bool {
        !self.believed.is_empty()
    }

    /// Was anything stored since the last watermark?
    pub(crate) fn is_due(&self) -> bool {
        self.stored.load(Ordering::Relaxed) && self.state().takes
    }

    /// Call this before a file is made: it checks whether the clock went back.
    pub(crate) fn before_file(&self) -> Result<Floor, OpError> {
        let floor = Floor(self.floor.load(Ordering::Acquire));
        let floor_here = self.floor_here.load(Ordering::Acquire);
        if here() < floor_here {
            self.clock_went_back()?;
        }
        self.stored.store(true, Ordering::Relaxed);
        Ok(floor)
    }

    /// Call this when a file is complete, with its ctime: it checks again.
    pub(crate) fn after_file(&self, floor: Floor, ctime: Time) -> Result<(), OpError> {
        match nanos(ctime) < floor.0 {
            true => self.clock_went_back(),
            false => Ok(()),
        }
    }

    /// Flushes the whole filesystem, and stores the time from before the flush.
    ///
    /// The kernel reports a failed write once, and keeps the data in its cache as
    /// if they had been written: the next flush succeeds, and what is cached looks
    /// right. So after a failed flush nothing is trusted any more.
    pub(crate) fn flush(&self) -> Result<(), OpError> {
        self.stored.store(false, Ordering::Relaxed);
        let until = self.raise_floor()?;
        if let Err(cause) = disk::sync_filesystem(&self.target) {
            self.distrust();
            return Err(OpError::target(Op::Sync, cause));
        }
        let mut state = self.state();
        if let Some(until) = until
            && state.takes
        {
            let from = state.from;
            state.flushed.add(from, until);
            let text = state.flushed.to_string();
            let name = layout::FLUSHED_XATTR.as_bytes();
            // Where it cannot be stored, an earlier one still holds.
            let _ = xattr::set(Subject::Open(self.target.as_fd()), name, text.as_bytes());
        }
        Ok(())
    }

    /// Nothing in it is trusted any more: the next run compares it byte by byte.
    pub(crate) fn distrust(&self) {
        let mut state = self.state();
        (state.takes, state.gone) = (false, true);
        // A disk that refuses even this cannot be read either.
        let _ = forget(&self.target);
    }

    /// No watermark is taken, before there is one: not all that is in the directory
    /// was stored for it.
    pub(crate) fn take_none(&self) {
        self.state().takes = false;
    }

    /// The dump is about to be published, and will not be a leftover.
    pub(crate) fn remove(&self) {
        self.state().takes = false;
        let name = layout::FLUSHED_XATTR.as_bytes();
        let _ = xattr::remove(Subject::Open(self.target.as_fd()), name);
    }

    /// The time by the filesystem's clock before the next flush: what is older
    /// will have been flushed. `None` when no watermark is taken.
    fn raise_floor(&self) -> Result<Option<Time>, OpError> {
        if !self.state().takes {
            return Ok(None);
        }
        let here = here();
        let Ok(now) = touch(&self.target) else {
            return Ok(None);
        };
        if nanos(now) < self.floor.load(Ordering::Acquire) {
            self.clock_went_back()?;
            return Ok(None);
        }
        // Set before the flush: a file made from now on may miss it, so its time
        // must not be earlier than this, which is checked.
        self.floor.store(nanos(now), Ordering::Release);
        self.floor_here.store(here, Ordering::Release);
        Ok(Some(now))
    }

    fn clock_went_back(&self) -> Result<(), OpError> {
        let mut state = self.state();
        if state.gone {
            return Ok(());
        }
        (state.takes, state.gone) = (false, true);
        forget(&self.target).map_err(|e| OpError::target(Op::SetXattr, e))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Removes a watermark, durably.
fn forget(target: &OwnedFd) -> io::Result<()> {
    let name = layout::FLUSHED_XATTR.as_bytes();
    match xattr::remove(Subject::Open(target.as_fd()), name) {
        Err(e) if !errno::is_unsupported(&e) => return Err(e),
        _ => {}
    }
    disk::sync(target)
}

/// The time by the filesystem's clock, later than `newest` unless that would
/// mean waiting for more than some ticks.
fn younger_than(target: &OwnedFd, newest: Option<Time>) -> io::Result<Time> {
    const TICK: Duration = Duration::from_millis(10);
    for _ in 0..5 {
        let now = touch(target)?;
        if newest.is_none_or(|newest| newest < now) {
            return Ok(now);
        }
        std::thread::sleep(TICK);
    }
    touch(target)
}

/// Touches a directory. Returns its ctime.
fn touch(target: &OwnedFd) -> io::Result<Time> {
    file::touch(target)?;
    Ok(stat::look_at(target)?.ctime)
}

/// This machine's clock.
fn here() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(i64::MIN, |now| {
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Nanoseconds since 1970, within what the number can hold.
fn nanos(time: Time) -> i64 {
    let nanos = time.as_nanos();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
#[path = "watermark_tests.rs"]
mod tests;
