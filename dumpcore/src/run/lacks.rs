//! Telling what a dump's filesystem cannot keep: once a run, whether the tree
//! has any of it or not.

use super::Run;
use crate::engine::Totals;
use crate::fs::capabilities::Lacks;
use crate::model::event::Warning;

impl Run<'_> {
    /// Tells what the filesystem cannot keep, whoever the runner is.
    pub(super) fn tell_what_is_lacking(&self, lacks: &Lacks, totals: &Totals<'_>) {
        let path = self.dump.path();
        totals.said_to_be_lost(lacks.told);
        if !lacks.things.is_empty() {
            let lacking = lacks.things.join(", ");
            totals.warn(Warning::NotPreserved {
                path: path.to_path_buf(),
                what: format!("{lacking} (its filesystem, {}, has no such)", self.fs()),
            });
        }
        if let Some(permissions) = lacks.permissions {
            totals.warn(Warning::PermissionsNotKept {
                path: path.to_path_buf(),
                filesystem: self.fs(),
                lost: permissions.lost,
                shown: permissions.shown,
                by_ntfs_3g: permissions.by_ntfs_3g,
            });
        }
    }
}
