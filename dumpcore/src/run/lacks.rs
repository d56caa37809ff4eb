//! Telling what the filesystem that is written cannot keep: once a run, whether
//! the tree has any of it or not.

use std::path::Path;

use crate::engine::Totals;
use crate::fs::capabilities::Lacks;
use crate::model::event::Warning;

/// Reports what the filesystem at `path`, of this type, cannot keep for any user.
pub(super) fn tell_what_is_lacking(lacks: &Lacks, path: &Path, fs: &str, totals: &Totals<'_>) {
    totals.said_to_be_lost(lacks.told);
    if !lacks.things.is_empty() {
        totals.warn(Warning::NotPreserved {
            path: path.to_path_buf(),
            filesystem: fs.to_owned(),
            lost: lacks.things.clone(),
        });
    }
    if let Some(permissions) = lacks.permissions {
        totals.warn(Warning::PermissionsNotKept {
            path: path.to_path_buf(),
            filesystem: fs.to_owned(),
            lost: permissions.lost,
            shown: permissions.shown,
            by_ntfs_3g: permissions.by_ntfs_3g,
        });
    }
}
