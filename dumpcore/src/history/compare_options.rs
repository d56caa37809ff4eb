//! How far two versions are compared: what counts as the same unread, up to which
//! size files are read, and whether anybody still waits for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far two versions are compared, in a [`History`](super::History) and a
/// [`Comparison`](super::Comparison). Unless told otherwise files of different
/// inodes are read, however large they are.
#[derive(Clone, Debug)]
pub struct CompareOptions {
    /// Do size and modification time (of a directory, time) tell that two versions
    /// are the same, as their inode does? Where inode numbers mean nothing, reading
    /// would bring every version over a network.
    trusts_times: bool,
    largest: u64,
    stop: Option<Arc<AtomicBool>>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CompareOptions {
    /// By inode, or by every byte.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            trusts_times: false,
            largest: u64::MAX,
            stop: None,
        }
    }

    /// Files of equal size and modification time are taken to be the same, unread,
    /// and directories of equal modification time to have the same names, unlisted:
    /// what changed while somebody set the time back is missed.
    #[must_use]
    pub fn trust_times(mut self) -> Self {
        self.trusts_times = true;
        self
    }

    /// Files of more bytes than these are not read: those of different inodes count as
    /// changed, unless [`trust_times`](Self::trust_times) says that they are the same.
    #[must_use]
    pub fn read_at_most(mut self, bytes: u64) -> Self {
        self.largest = bytes;
        self
    }

    /// Ends soon after the flag is set; what was found until then is returned.
    #[must_use]
    pub fn stop(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    pub(super) fn trusts_times(&self) -> bool {
        self.trusts_times
    }

    pub(super) fn reads(&self, size: u64) -> bool {
        size <= self.largest
    }

    pub(super) fn is_stopped(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
