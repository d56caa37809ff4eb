//! What the main tree has beyond an old version of it: what goes when that
//! version takes its place.
//!
//! Both are walked in step, by handles and last names, and no symlink is
//! followed. Names and types count, not contents: that a file becomes the
//! older one is what was asked for. What is made after the look is not
//! counted, and goes as well.
//!
//! Where something is mounted inside, what lies there would be removed with
//! the rest, on a disk that nobody named: that is refused, not counted.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::FindError;
use super::read::above;
use super::version::{Version, look};
use crate::event::Kind;
use crate::fault::{Fault, Op};
use crate::sys::dir::{self, Chunk, For, Listed, Lister};
use crate::sys::{errno, stat};

/// What a place in the main tree has and a version of it has not, by name or
/// by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gained {
    /// How many entries, those below them included.
    pub entries: u64,
    /// The first of them by name, [`Gained::NAMED`] at most: paths in the
    /// main tree. Of what lies in a directory that is such an entry itself,
    /// only that directory is named.
    pub first: Vec<PathBuf>,
}

impl Gained {
    /// How many are named.
    pub const NAMED: usize = 3;
}

/// What goes when `version` takes the place of what is called `to`.
pub(super) fn gained(version: &Version, to: &Path) -> Result<Gained, FindError> {
    let mut walk = Walk::default();
    let Some(now) = look(to)? else {
        return Ok(walk.found);
    };
    let same = now.kind == version.meta.kind;
    if !same {
        walk.count(to, true);
    }
    if now.kind == Kind::Dir {
        let (dir, name) = above(to).map_err(fault(Op::Open, to))?;
        walk.mount = stat::mount_id(&dir).map_err(fault(Op::Stat, to))?;
        let now = Opened::new(dir.as_fd(), &name, to)?;
        let old = &version.path;
        let (dir, name) = above(old).map_err(fault(Op::Open, old))?;
        let old = same.then(|| Opened::new(dir.as_fd(), &name, old));
        walk.directory(&now, old.transpose()?.as_ref())?;
    }
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    /// The mount that all of it must lie on.
    mount: u64,
    found: Gained,
}

impl Walk {
    fn count(&mut self, path: &Path, named: bool) {
        self.found.entries += 1;
        if named && self.found.first.len() < Gained::NAMED {
            self.found.first.push(path.to_path_buf());
        }
    }

    /// A directory of the main tree, and the same in the version, if that has
    /// it; else all that is in it is counted.
    fn directory(&mut self, now: &Opened, old: Option<&Opened>) -> Result<(), FindError> {
        let mount = stat::mount_id(&now.dir).map_err(fault(Op::Stat, &now.path))?;
        if mount != self.mount {
            let path = now.path.clone();
            return Err(FindError::Mounted { path });
        }
        for entry in now.names.iter() {
            let Some(kind) = now.kind(entry)? else {
                continue;
            };
            let same = match old.and_then(|old| Some((old, old.names.find(entry.name)?))) {
                Some((old, at)) => (old.kind(old.names.get(at))? == Some(kind)).then_some(old),
                None => None,
            };
            if same.is_none() {
                self.count(&now.below(entry.name), old.is_some());
            }
            if kind == Kind::Dir
                && let Some(below) = now.enter(entry.name)?
            {
                let old = same.map(|old| {
                    let path = old.below(entry.name);
                    Opened::new(old.dir.as_fd(), entry.name, &path)
                });
                self.directory(&below, old.transpose()?.as_ref())?;
            }
        }
        Ok(())
    }
}

/// A directory, and what it holds, ordered by name.
struct Opened {
    dir: OwnedFd,
    names: Chunk,
    path: PathBuf,
}

impl Opened {
    fn new(above: BorrowedFd<'_>, name: &CStr, path: &Path) -> Result<Self, Fault> {
        let dir = dir::open_dir(above, name, For::Reading).map_err(fault(Op::Open, path))?;
        let mut names = Chunk::default();
        dir::reopen(dir.as_fd(), For::Reading)
            .and_then(|dir| Lister::new(dir).rest(&mut names))
            .map_err(fault(Op::List, path))?;
        names.sort_by_name();
        let path = path.to_path_buf();
        Ok(Self { dir, names, path })
    }

    /// One below it; `None` when it was removed since it was listed: nothing
    /// of it can go any more.
    fn enter(&self, name: &CStr) -> Result<Option<Self>, Fault> {
        match Self::new(self.dir.as_fd(), name, &self.below(name)) {
            Err(fault) if errno::is_missing(&fault.cause) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The type of an entry; `None` when it is gone since it was listed.
    fn kind(&self, entry: Listed<'_>) -> Result<Option<Kind>, Fault> {
        if entry.kind.is_some() {
            return Ok(entry.kind);
        }
        match stat::look(self.dir.as_fd(), entry.name, stat::Fresh::AsStat) {
            Ok(meta) => Ok(Some(meta.kind)),
            Err(error) if errno::is_missing(&error) => Ok(None),
            Err(error) => Err(fault(Op::Stat, &self.below(entry.name))(error)),
        }
    }

    fn below(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }
}

fn fault(op: Op, path: &Path) -> impl Fn(io::Error) -> Fault {
    move |cause| Fault::new(op, path.to_path_buf(), cause)
}
