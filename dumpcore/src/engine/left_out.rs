//! What is left out by rules, and what the kernel makes up.

use std::path::PathBuf;
use std::sync::Mutex;

use super::totals::Totals;
use crate::model::event::Warning;
use crate::sys::lock::lock;

/// What was left out since the kernel makes it up, and its type.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<Vec<(PathBuf, &'static str)>>);

impl LeftOut {
    pub(super) fn add(&self, path: PathBuf, kind: &'static str) {
        let mut left_out = lock(&self.0);
        left_out.push((path, kind));
    }

    /// One warning for all.
    pub(super) fn tell(&self, totals: &Totals<'_>) {
        let mut left_out = lock(&self.0);
        let mut left_out = std::mem::take(&mut *left_out);
        left_out.sort();
        if !left_out.is_empty() {
            totals.warn(Warning::KernelFilesystems { left_out });
        }
    }
}
