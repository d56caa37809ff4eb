//! How dumps are gone through to be recorded or compared.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::event::Observer;

/// How dumps are gone through: who is told, what stops it, how many workers.
#[derive(Clone, Copy)]
pub(crate) struct WalkOptions<'w> {
    pub(crate) observer: &'w dyn Observer,
    pub(crate) stop: &'w AtomicBool,
    /// Is there time left? `None`: it takes as long as it takes.
    pub(crate) in_time: Option<&'w (dyn Fn() -> bool + Sync)>,
    pub(crate) jobs: usize,
}

impl WalkOptions<'_> {
    pub(super) fn keep_going(&self) -> bool {
        !self.is_stopped() && self.is_in_time()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn is_in_time(&self) -> bool {
        self.in_time.is_none_or(|in_time| in_time())
    }
}
