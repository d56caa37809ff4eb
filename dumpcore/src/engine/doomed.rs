//! A directory that is being emptied: what is known of it until it goes.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::measure::allocated;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::sys::stat;

/// A directory that is being emptied.
#[derive(Debug)]
pub(super) struct Doomed {
    pub(super) above: Option<Arc<Doomed>>,
    pub(super) place: Arc<DirHandle>,
    pub(super) name: CString,
    /// What its own blocks are in bytes.
    pub(super) bytes: u64,
    /// Its listing and the directories below it that are not done.
    pub(super) left: AtomicUsize,
    /// Something below it stays.
    pub(super) stays: AtomicBool,
    /// It was told that it loses no names, being immutable or append-only.
    pub(super) fixed: AtomicBool,
    pub(super) tries: AtomicUsize,
}

impl Drop for Doomed {
    /// A chain of a hundred thousand must not be dropped by recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(doomed) = above {
            above = Arc::into_inner(doomed).and_then(|mut doomed| doomed.above.take());
        }
    }
}

impl Doomed {
    pub(super) fn new(above: Option<Arc<Doomed>>, entered: Entered, name: CString) -> Self {
        Self {
            above,
            bytes: allocated(&entered.meta),
            place: entered.place,
            name,
            left: AtomicUsize::new(1),
            stays: AtomicBool::new(false),
            fixed: AtomicBool::new(false),
            tries: AtomicUsize::new(0),
        }
    }

    /// Is it immutable or append-only, so that it loses no names?
    pub(super) fn is_fixed(self: &Arc<Self>) -> bool {
        let is = |dir: Arc<OwnedFd>| stat::is_immutable(dir.as_fd(), c".").unwrap_or(false);
        self.fixed.load(Ordering::Relaxed) || self.place.open().is_ok_and(is)
    }
}
