//! The mounts that a run met, for its dump's notes.

use std::sync::{Mutex, PoisonError};

use crate::policy::mounts::MountNote;
use crate::sys::lock::lock;

/// What a run met of mounts, from all workers.
#[derive(Debug, Default)]
pub(crate) struct MountsMet(Mutex<Vec<MountNote>>);

impl MountsMet {
    pub(super) fn add(&self, note: MountNote) {
        let mut notes = lock(&self.0);
        notes.push(note);
    }

    /// All of them.
    pub(crate) fn into_notes(self) -> Vec<MountNote> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
