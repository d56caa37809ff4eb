//! The trees that are compared with dumps, and their files that are those which the
//! catalog knows.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use super::look::{below, split};
use crate::catalog::{SourceRow, StoredFrom};
use crate::model::error::Error;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, file};

/// A tree that is read.
pub(super) struct OpenTree {
    /// Its place among them.
    pub(super) number: usize,
    pub(super) path: PathBuf,
    name: Vec<u8>,
    top: OwnedFd,
}

/// All that are read.
pub(super) struct Trees(Vec<OpenTree>);

impl Trees {
    /// Opens trees, which are given by their names in the dumps and their paths.
    pub(super) fn open(mains: &[(RelPath, PathBuf)]) -> Result<Self, Error> {
        let open = |(number, (name, path)): (usize, &(RelPath, PathBuf))| {
            let top = dir::open_root(path, For::Passing);
            let top = top.map_err(|cause| Error::MainUnusable {
                path: path.clone(),
                cause,
            })?;
            Ok(OpenTree {
                number,
                path: path.clone(),
                name: name.as_bytes().to_vec(),
                top,
            })
        };
        mains
            .iter()
            .enumerate()
            .map(open)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenTree> {
        self.0.iter()
    }

    /// The path of a file, its tree, and its path in there.
    pub(super) fn place(&self, path: &RelPath) -> Option<(PathBuf, &OpenTree, RelPath)> {
        let bytes = path.as_bytes();
        let end = bytes.iter().position(|byte| *byte == b'/')?;
        let tree = self.iter().find(|tree| tree.name == bytes[..end])?;
        let within = RelPath::from_bytes(&bytes[end + 1..]);
        Some((within.below(&tree.path), tree, within))
    }

    /// Where a path leads in its tree, if that is a name of this file.
    pub(super) fn name_of(&self, path: &RelPath, row: &SourceRow) -> Option<PathBuf> {
        let (file, tree, within) = self.place(path)?;
        let opened = tree.open(&within, row, row.source.as_ref()?);
        matches!(opened, Ok(Some(_))).then_some(file)
    }
}

impl OpenTree {
    /// Opens a file of a tree, if it is the one that is recorded.
    pub(super) fn open(
        &self,
        within: &RelPath,
        row: &SourceRow,
        source: &StoredFrom,
    ) -> io::Result<Option<OwnedFd>> {
        let (above, name) = split(within);
        let above = below(&self.top, above)?;
        let name = c_name(name);
        let looked = stat::look(above.as_fd(), &name, Fresh::WithBirth)?;
        if !is_as_recorded(&looked, row, source) {
            return Ok(None);
        }
        let opened = file::open_file(above.as_fd(), &name)?;
        let is_it = is_as_recorded(&stat::look_born(&opened)?, row, source);
        let space = disk::inode_space(opened.as_fd());
        Ok(Some(opened).filter(|_| is_it && space.as_deref() == Some(&*source.space)))
    }
}

/// Does all that is recorded of a file still hold, but for its contents?
pub(super) fn is_as_recorded(meta: &Meta, row: &SourceRow, source: &StoredFrom) -> bool {
    let id = (meta.ino, meta.born, meta.ctime);
    meta.kind == Kind::File
        && id == (source.ino, Some(source.born), source.ctime)
        && (meta.size, meta.mtime) == (row.facts.size, row.facts.mtime)
}
