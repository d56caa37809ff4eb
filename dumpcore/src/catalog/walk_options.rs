//! How dumps are gone through to be recorded or compared.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::event::Observer;

/// How dumps are gone through: who is told, what stops it, how many workers.
#[derive(Clone, Copy)]
pub(crate) struct WalkOptions<'w> {
    pub(crate) observer: &'w dyn Observer,
    pub(crate) stop: &'w AtomicBool,
    pub(crate) jobs: usize,
}

impl WalkOptions<'_> {
    pub(super) fn keep_going(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}
