//! The trees that are compared with dumps, and their files that are those which the
//! catalog knows.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use super::dump_dirs::{below, split};
use crate::catalog::{SourceRow, StoredFrom};
use crate::model::error::Error;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file};

/// A tree that is read.
pub(super) struct OpenTree {
    /// Its place among them.
    pub(super) number: usize,
    pub(super) path: PathBuf,
    name: Vec<u8>,
    top: OwnedFd,
}

/// What stands under the name of a file that is recorded.
pub(super) enum Standing {
    /// The file, opened.
    Itself(OwnedFd),
    /// One that was written to or replaced since: it is newer than the dump.
    Newer,
    /// One on another filesystem: a copy, or what was mounted there since.
    Elsewhere,
    /// No file.
    Gone,
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
        matches!(opened, Ok(Standing::Itself(_))).then_some(file)
    }
}

impl OpenTree {
    /// Opens a file of a tree, if it is the one that is recorded.
    ///
    /// # Errors
    /// When it cannot be looked at, but not when nothing is there.
    pub(super) fn open(
        &self,
        within: &RelPath,
        row: &SourceRow,
        source: &StoredFrom,
    ) -> io::Result<Standing> {
        match self.opened(within, row, source) {
            Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => Ok(Standing::Gone),
            opened => opened,
        }
    }

    fn opened(
        &self,
        within: &RelPath,
        row: &SourceRow,
        source: &StoredFrom,
    ) -> io::Result<Standing> {
        let (above, name) = split(within);
        let above = below(&self.top, above)?;
        let name = c_name(name);
        let looked = stat::look(above.as_fd(), &name, Fresh::WithBirth)?;
        if looked.kind != Kind::File {
            return Ok(Standing::Gone);
        }
        let is_it = is_as_recorded(&looked, row, source);
        let opened = match file::open_file(above.as_fd(), &name) {
            // Another one that may not be read is not asked for its contents.
            Err(e) if !is_it && errno::is_not_permitted(&e) => return Ok(Standing::Newer),
            opened => opened?,
        };
        if disk::inode_space(opened.as_fd()).as_deref() != Some(&*source.space) {
            return Ok(Standing::Elsewhere);
        }
        Ok(
            match is_it && is_as_recorded(&stat::look_born(&opened)?, row, source) {
                true => Standing::Itself(opened),
                false => Standing::Newer,
            },
        )
    }
}

/// Does all that is recorded of a file still hold, but for its contents?
pub(super) fn is_as_recorded(meta: &Meta, row: &SourceRow, source: &StoredFrom) -> bool {
    let id = (meta.ino, meta.born, meta.ctime);
    meta.kind == Kind::File
        && id == (source.ino, Some(source.born), source.ctime)
        && (meta.size, meta.mtime) == (row.facts.size, row.facts.mtime)
}
