//! Directories above a tree that shut others out, who may enter its copy.

use std::path::{Path, PathBuf};

use super::Run;
use super::trees::Source;
use crate::engine::Totals;
use crate::model::event::Warning;
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// May others enter a directory?
const ENTER: u16 = 0o001;

impl Run {
    /// Reports each tree that others cannot reach where it is, while they can
    /// reach its copy.
    pub(super) fn tell_of_closed_parents(&self, sources: &[Source], totals: &Totals<'_>) {
        let real = |path: &Path| dir::real_path(path).unwrap_or_default();
        if shuts_out(&real(self.dump.path())).is_some() {
            return;
        }
        for source in sources {
            let tree = real(&source.path);
            let is_open = stat::look_at(&source.handle).is_ok_and(|meta| meta.mode & ENTER != 0);
            let parent = tree.parent().and_then(shuts_out);
            if let (true, Some(parent)) = (is_open, parent) {
                totals.warn(Warning::LetsIn {
                    tree: source.path.clone(),
                    parent,
                    dump: self.dump.path().to_path_buf(),
                });
            }
        }
    }
}

/// The first directory on the way to a path, or itself, that others may not enter.
fn shuts_out(path: &Path) -> Option<PathBuf> {
    let closed = |path: &&Path| {
        let meta = dir::open_root(path, For::Passing).and_then(stat::look_at);
        meta.is_ok_and(|meta| meta.mode & ENTER == 0)
    };
    path.ancestors().find(closed).map(Path::to_path_buf)
}
