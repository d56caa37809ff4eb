//! A dump that is gone through: opened, held against its removal, with the
//! trees in it.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use super::dumps::{self, OnDisk};
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::walk::{Tree, Visit, walk};
use super::walk_options::WalkOptions;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::root::lock::Hold;
use crate::sys::dir::{self, For};
use crate::sys::errno;

/// An opened dump, which cannot be removed meanwhile.
pub(super) struct OpenedDump {
    pub(super) path: PathBuf,
    pub(super) handle: OwnedFd,
    pub(super) on_disk: OnDisk,
    /// The names and the tops of its trees.
    pub(super) trees: Vec<(CString, OwnedFd)>,
    _hold: Hold,
}

impl Catalog {
    pub(super) fn open_dump(&self, dump: DumpId) -> Result<OpenedDump, CatalogError> {
        OpenedDump::of(self.root(), dump)
    }
}

impl OpenedDump {
    pub(super) fn of(root: &DumpRoot, dump: DumpId) -> Result<Self, CatalogError> {
        let path = root.path().join(dump.path());
        let opened = || -> io::Result<_> {
            let (handle, hold) = root.hold_dump(&dump.rel_path())?;
            Ok((dumps::of(&handle)?, trees(&handle)?, handle, hold))
        };
        match opened() {
            Ok((on_disk, trees, handle, hold)) => Ok(Self {
                path,
                handle,
                on_disk,
                trees,
                _hold: hold,
            }),
            Err(cause) => Err(CatalogError::io(&path, CatalogOp::List, cause)),
        }
    }

    /// Takes a tree out of those that are still to be gone through.
    pub(super) fn take(&mut self, name: &[u8]) -> Option<(CString, OwnedFd)> {
        let mut trees = self.trees.iter();
        let at = trees.position(|(tree, _)| tree.to_bytes() == name)?;
        Some(self.trees.swap_remove(at))
    }

    /// Goes through a tree of it.
    pub(super) fn walk<V: Visit>(
        &self,
        (name, top): (&CStr, OwnedFd),
        at: V::At,
        visit: &V,
        options: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let tree = Tree {
            dump: self.path.clone(),
            name,
            observer: options.observer,
        };
        walk(top, &tree, at, visit, options)
    }
}

/// The trees in a dump.
fn trees(dump: &OwnedFd) -> io::Result<Vec<(CString, OwnedFd)>> {
    let mut chunk = dir::list_all(dump.as_fd(), For::Reading)?;
    chunk.sort_by_name();
    let mut trees = Vec::new();
    for entry in chunk
        .iter()
        .filter(|entry| layout::is_root_name(entry.name.to_bytes()))
    {
        match dir::open_dir(dump.as_fd(), entry.name, For::Reading) {
            Ok(handle) => trees.push((entry.name.to_owned(), handle)),
            Err(e) if errno::has_changed(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(trees)
}
