//! What is left out by rules, and what the kernel makes up.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::totals::Totals;
use crate::model::event::Warning;

/// What was left out since the kernel makes it up, and its type.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<Vec<(PathBuf, &'static str)>>);

impl LeftOut {
    pub(super) fn add(&self, path: PathBuf, kind: &'static str) {
        let mut left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.push((path, kind));
    }

    /// One warning for all.
    pub(super) fn tell(&self, totals: &Totals<'_>) {
        let mut left_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left_out = std::mem::take(&mut *left_out);
        left_out.sort();
        if !left_out.is_empty() {
            totals.warn(Warning::KernelFilesystems { left_out });
        }
    }
}
