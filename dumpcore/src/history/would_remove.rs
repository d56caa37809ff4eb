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
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FindError;
use super::read::above;
use super::version::{Version, look};
use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::sys::dir::{self, Chunk, For, Listed, Lister};
use crate::sys::{errno, stat};

/// What a place in the main tree has and a version of it has not, by name or
/// by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WouldRemove {
    /// How many entries, those below them included.
    pub entries: u64,
    /// The first of them, nearest to the place and then by name,
    /// [`WouldRemove::NAMED`] at most: paths in the main tree. Of what lies in a directory that is such an entry itself,
    /// only that directory is named.
    pub first: Vec<PathBuf>,
}

impl WouldRemove {
    /// How many are named.
    pub const NAMED: usize = 3;
}

/// How many directories stay open at most, however deep it goes.
const OPEN: usize = 64;

/// What goes when `version` takes the place of what is called `to`.
pub(super) fn would_remove(version: &Version, to: &Path) -> Result<WouldRemove, FindError> {
    let mut walk = Walk::default();
    let Some(now) = look(to)? else {
        return Ok(walk.found);
    };
    let same = now.kind == version.meta.kind;
    if !same {
        walk.count(to, true);
    }
    if now.kind != Kind::Dir {
        return Ok(walk.found);
    }
    let (dir, _) = above(to).map_err(fault(Op::Open, to))?;
    walk.mount = stat::mount_id(&dir).map_err(fault(Op::Stat, to))?;
    let slots = HandleCache::new(OPEN);
    let Some(now) = Side::top(to, &slots)? else {
        walk.closed(to, same);
        return Ok(walk.found);
    };
    let old = same.then(|| Side::top(&version.path, &slots)).transpose()?;
    let mut left = vec![(now, old.flatten())];
    while let Some((now, old)) = left.pop() {
        let below = walk.directory(&now, old.as_ref())?;
        left.extend(below.into_iter().rev());
    }
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    /// The mount that all of it must lie on.
    mount: u64,
    found: WouldRemove,
}

impl Walk {
    fn count(&mut self, path: &Path, named: bool) {
        self.found.entries += 1;
        if named && self.found.first.len() < WouldRemove::NAMED {
            self.found.first.push(path.to_path_buf());
        }
    }

    /// A directory that may not be listed goes with all that is in it, unseen:
    /// it counts as one entry, also where the version has it.
    fn closed(&mut self, path: &Path, in_version: bool) {
        if in_version {
            self.count(path, true);
        }
    }

    fn is_here(&self, handle: impl AsFd, path: &Path) -> Result<(), FindError> {
        let mount = stat::mount_id(handle).map_err(fault(Op::Stat, path))?;
        if mount == self.mount {
            return Ok(());
        }
        let path = path.to_path_buf();
        Err(FindError::Mounted { path })
    }

    /// A directory of the main tree, and the same in the version, if that has
    /// it; else all that is in it is counted. What is to be walked below.
    fn directory(
        &mut self,
        now: &Side,
        old: Option<&Side>,
    ) -> Result<Vec<(Side, Option<Side>)>, FindError> {
        let (handle, names) = now.list()?;
        self.is_here(&handle, &now.path)?;
        let old = old.map(|old| Ok::<_, Fault>((old, old.list()?)));
        let old = old.transpose()?;
        let mut below = Vec::new();
        for entry in names.iter() {
            let Some(kind) = now.kind(&handle, entry)? else {
                continue;
            };
            let same = match &old {
                Some((side, (handle, names))) => match names.find(entry.name) {
                    Some(at) if side.kind(handle, names.get(at))? == Some(kind) => Some(*side),
                    _ => None,
                },
                None => None,
            };
            let path = now.below(entry.name);
            if same.is_none() {
                self.count(&path, old.is_some());
            }
            if kind != Kind::Dir {
                continue;
            }
            match now.enter(entry.name) {
                Ok(side) => {
                    let old = same.map(|old| old.enter(entry.name));
                    // What may not be listed of the version counts as nothing.
                    let old = match old {
                        Some(Err(fault)) if !errno::is_not_permitted(&fault.cause) => {
                            return Err(fault.into());
                        }
                        old => old.and_then(Result::ok),
                    };
                    below.push((side, old));
                }
                // Removed since it was listed: nothing of it can go any more.
                Err(fault) if errno::is_missing(&fault.cause) => {}
                Err(fault) if errno::is_not_permitted(&fault.cause) => {
                    if let Ok(closed) = dir::open_dir(handle.as_fd(), entry.name, For::Passing) {
                        self.is_here(&closed, &path)?;
                    }
                    self.closed(&path, same.is_some());
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(below)
    }
}

/// A directory of one side.
struct Side {
    place: Arc<DirHandle>,
    path: PathBuf,
}

impl Side {
    /// The first one; `None` when it may not be listed.
    fn top(path: &Path, slots: &Arc<HandleCache>) -> Result<Option<Self>, Fault> {
        let (above, name) = above(path).map_err(fault(Op::Open, path))?;
        let opened = dir::open_dir(above.as_fd(), &name, For::Reading);
        match opened.and_then(|dir| DirHandle::top(dir, For::Reading, slots)) {
            Ok(entered) => Ok(Some(Self {
                place: entered.place,
                path: path.to_path_buf(),
            })),
            Err(error) if errno::is_not_permitted(&error) => Ok(None),
            Err(error) => Err(fault(Op::Open, path)(error)),
        }
    }

    fn enter(&self, name: &CStr) -> Result<Self, Fault> {
        let path = self.below(name);
        match self.place.enter(name, For::Reading) {
            Ok(entered) => Ok(Self {
                place: entered.place,
                path,
            }),
            Err(error) => Err(fault(Op::Open, &path)(error)),
        }
    }

    /// Its handle, and what it holds, ordered by name.
    fn list(&self) -> Result<(Arc<OwnedFd>, Chunk), Fault> {
        let handle = self.place.open().map_err(fault(Op::Open, &self.path))?;
        let mut names = Chunk::default();
        dir::reopen(handle.as_fd(), For::Reading)
            .and_then(|dir| Lister::new(dir).rest(&mut names))
            .map_err(fault(Op::List, &self.path))?;
        names.sort_by_name();
        Ok((handle, names))
    }

    /// The type of an entry; `None` when it is gone since it was listed.
    fn kind(&self, handle: &OwnedFd, entry: Listed<'_>) -> Result<Option<Kind>, Fault> {
        if entry.kind.is_some() {
            return Ok(entry.kind);
        }
        match stat::look(handle.as_fd(), entry.name, stat::Fresh::AsStat) {
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
