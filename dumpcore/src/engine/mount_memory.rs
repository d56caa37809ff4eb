//! Mounts below a tree that the previous dump had: where one is missing this is
//! reported, and where one has returned, its files are linked to the newest dump
//! that had them.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::node::{Doubts, Node, Remembered};
use super::worker::Worker;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::model::path::RelPath;
use crate::model::warning::Warning;
use crate::policy::mounts::MountNote;
use crate::sys::dir::For;
use crate::sys::disk;

/// A directory of a dump, by its path.
fn reach(dump: &Arc<DirHandle>, path: &RelPath) -> Option<Arc<DirHandle>> {
    let mut names = path.as_bytes().split(|byte| *byte == b'/');
    names.try_fold(Arc::clone(dump), |place, name| {
        let name = CString::new(name).ok()?;
        Some(place.enter(&name, For::Passing).ok()?.place)
    })
}

/// What a directory with something mounted on it is compared with.
pub(super) struct Swapped {
    /// The same directory in another dump than the tree's reference, if it is
    /// there.
    pub(super) reference: Option<Arc<DirHandle>>,
    pub(super) touched: Doubts,
}

impl Worker<'_> {
    /// Processes a directory that may be a mount point. Returns another
    /// reference for it, if the mount has returned.
    pub(super) fn at_mount_point(
        &self,
        above: &Node,
        name: &CStr,
        entered: &Entered,
    ) -> Option<Swapped> {
        let met = self.run.rules.mounts?;
        let mounts = &above.tree.mounts;
        let may_be = |path: &[u8]| path.ends_with(name.to_bytes());
        let known = mounts
            .remembered
            .iter()
            .any(|known| may_be(known.path.as_bytes()));
        let of_source = || mounts.of_source.iter().any(|note| may_be(&note.path));
        if !known && !entered.is_mount && !of_source() {
            return None;
        }
        let path = above.path_of(name);
        let known = mounts
            .remembered
            .iter()
            .find(|known| known.note.path == path.as_bytes());
        match self.mounted(above, &path, entered) {
            Some(filesystem) => {
                let (is, was) = (&filesystem, known.map(|known| &known.note.filesystem));
                let other = was.is_some_and(|was| !is.is_empty() && !was.is_empty() && was != is);
                met.add(MountNote {
                    path: path.as_bytes().to_vec(),
                    filesystem,
                    last: None,
                });
                let back = known?.dump.as_ref();
                let touched = back.map_or(above.touched.reference, |(_, touched)| *touched);
                let reference = if other {
                    touched.below_another()
                } else {
                    touched
                };
                let touched = Doubts {
                    reference,
                    ..above.touched
                };
                let reference = match back {
                    Some((dump, _)) => Some(reach(dump, &path)?),
                    None => None,
                };
                Some(Swapped { reference, touched })
            }
            None => {
                met.add(known?.note.clone());
                self.tell_away(&above.tree.source, known?);
                None
            }
        }
    }

    /// The type of the filesystem that is mounted on a directory, or was when
    /// the dump that is read was made.
    fn mounted(&self, above: &Node, path: &RelPath, entered: &Entered) -> Option<String> {
        if self.run.rules.options.source_is_dump {
            let notes = &above.tree.mounts.of_source;
            let note = notes.iter().find(|note| note.path == path.as_bytes())?;
            return note.last.is_none().then(|| note.filesystem.clone());
        }
        let name = || disk::filesystem_name(entered.handle.as_fd());
        entered.is_mount.then(name)
    }

    /// Nothing is mounted where the last dump had a mount.
    fn tell_away(&self, source: &Path, known: &Remembered) {
        if !known.was_away && !self.run.rules.options.source_is_dump {
            let last = known.note.last.clone().unwrap_or_default();
            self.run.totals.warn(Warning::MountAway {
                path: known.path.below(source),
                last: PathBuf::from(OsStr::from_bytes(&last)),
            });
        }
    }
}
