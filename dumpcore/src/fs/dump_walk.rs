//! Walks one tree of a published dump in the order of names, for a program that
//! stores it elsewhere.
//!
//! Every entry is reached by an open directory and one name; no symlink is
//! followed. The owner of a directory in a dump may still rename what is in it: a
//! name that turns into something else between look and open is noticed, since
//! the inode is compared, and when it was made: numbers are used again.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::inspect;
use crate::model::chain::about;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Xattrs};
use crate::model::path::RelPath;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::file::File;
use crate::sys::xattr::{self, Subject};
use crate::sys::{file, stat};

/// Directories that are kept open on the way.
const OPEN: usize = 64;

/// What is found at one name.
pub(crate) struct Walked {
    /// Below the tree; the root path is the tree itself.
    pub(crate) path: RelPath,
    pub(crate) meta: Meta,
    pub(crate) xattrs: Xattrs,
    /// Where a symlink points.
    pub(crate) target: Option<CString>,
    /// Opens a regular file.
    pub(crate) file: Option<FileAt>,
}

/// A regular file that can be opened.
#[derive(Clone, Debug)]
pub(crate) struct FileAt {
    dir: Arc<DirHandle>,
    name: CString,
    looked: Meta,
}

impl FileAt {
    /// Opens it for reading.
    pub(crate) fn open(&self) -> io::Result<File> {
        let opened = file::open_file(self.dir.open()?.as_fd(), &self.name)?;
        let (now, then) = (stat::look_born(&opened)?, &self.looked);
        let is_same = now.id() == then.id()
            && (now.size, now.mtime) == (then.size, then.mtime)
            && (now.born == then.born || then.born.is_none());
        match is_same {
            true => Ok(opened.into()),
            false => Err(io::Error::other("it was replaced by another file")),
        }
    }
}

/// How much is read of each entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What it looks like.
    Looks,
    /// Also its attributes, and where a symlink points.
    All,
}

/// The entries of a tree: a directory before what is in it, names in the order of
/// their bytes.
pub(crate) struct Walk {
    base: PathBuf,
    depth: Depth,
    top: Option<DirHandleOf>,
    levels: Vec<Level>,
    faults: VecDeque<Fault>,
}

type DirHandleOf = (Arc<DirHandle>, Arc<OwnedFd>);

struct Level {
    dir: Arc<DirHandle>,
    path: RelPath,
    names: Chunk,
    next: usize,
}

impl Walk {
    /// Of the tree that this handle holds and this path names.
    pub(crate) fn new(tree: &OwnedFd, base: PathBuf, depth: Depth) -> Self {
        let cache = HandleCache::new(OPEN);
        let top = dir::reopen(tree.as_fd(), For::Reading)
            .and_then(|handle| DirHandle::top(handle, For::Reading, &cache));
        let mut walk = Self {
            base,
            depth,
            top: None,
            levels: Vec::new(),
            faults: VecDeque::new(),
        };
        match top {
            Ok(entered) => walk.top = Some((entered.place, entered.handle)),
            Err(cause) => walk.fault(Op::Open, &RelPath::root(), cause),
        }
        walk
    }

    fn fault(&mut self, op: Op, path: &RelPath, cause: io::Error) {
        let path = path.below(&self.base);
        self.faults.push_back(Fault::new(op, path, cause));
    }

    fn top(&mut self, (dir, handle): DirHandleOf) -> Option<Walked> {
        let path = RelPath::root();
        let meta = match stat::look_born(&*handle) {
            Ok(meta) => meta,
            Err(cause) => {
                self.fault(Op::Stat, &path, cause);
                return None;
            }
        };
        let xattrs = self.xattrs(Subject::Open(handle.as_fd()), &path);
        self.list(dir, path.clone());
        Some(Walked {
            path,
            meta,
            xattrs,
            target: None,
            file: None,
        })
    }

    fn list(&mut self, dir: Arc<DirHandle>, path: RelPath) {
        // The place's own handle stays where its listing began.
        let listed = dir
            .open()
            .and_then(|handle| dir::reopen(handle.as_fd(), For::Reading))
            .and_then(Lister::all);
        match listed {
            Ok(mut names) => {
                names.sort_by_name();
                let next = 0;
                self.levels.push(Level {
                    dir,
                    path,
                    names,
                    next,
                });
            }
            Err(cause) => self.fault(Op::List, &path, cause),
        }
    }

    fn entry(&mut self, dir: &Arc<DirHandle>, path: RelPath, name: &CStr) -> Option<Walked> {
        let looked = dir.open().and_then(|handle| {
            let meta = inspect::look_in_source_dump(handle.as_fd(), name);
            Ok((meta.map_err(|error| error.cause)?, handle))
        });
        let (meta, handle) = match looked {
            Ok(looked) => looked,
            Err(cause) => {
                self.fault(Op::Stat, &path, cause);
                return None;
            }
        };
        let xattrs = self.xattrs(Subject::Named(handle.as_fd(), name), &path);
        let mut walked = Walked {
            path,
            meta,
            xattrs,
            target: None,
            file: None,
        };
        match meta.kind {
            Kind::Dir => match dir.enter(name, For::Reading) {
                Ok(entered) => self.list(entered.place, walked.path.clone()),
                Err(cause) => self.fault(Op::Open, &walked.path, cause),
            },
            Kind::Symlink if self.depth == Depth::All => {
                let target = inspect::symlink_in_some_dump(handle.as_fd(), name, &meta);
                match target {
                    Ok(target) => walked.target = Some(target),
                    Err(cause) => {
                        self.fault(Op::ReadLink, &walked.path, cause);
                        return None;
                    }
                }
            }
            Kind::File => {
                walked.file = Some(FileAt {
                    dir: Arc::clone(dir),
                    name: name.to_owned(),
                    looked: meta,
                });
            }
            _ => {}
        }
        Some(walked)
    }

    fn xattrs(&mut self, subject: Subject<'_>, path: &RelPath) -> Xattrs {
        if self.depth == Depth::Looks {
            return Xattrs::default();
        }
        let mut withheld = Vec::new();
        let read = xattr::read_most(
            subject,
            |_| true,
            |name, cause| {
                withheld.push(match name {
                    Some(name) => about(name.to_string_lossy(), cause),
                    None => about("they cannot be listed", cause),
                });
            },
        );
        let xattrs = read.unwrap_or_else(|cause| {
            withheld.push(cause);
            Xattrs::default()
        });
        for cause in withheld {
            self.fault(Op::ReadXattr, path, cause);
        }
        xattrs
    }
}

impl Iterator for Walk {
    type Item = Result<Walked, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(fault) = self.faults.pop_front() {
                return Some(Err(fault));
            }
            let found = if let Some(top) = self.top.take() {
                self.top(top)
            } else {
                let level = self.levels.last_mut()?;
                if level.next == level.names.len() {
                    self.levels.pop();
                    continue;
                }
                let name = level.names.get(level.next).name.to_owned();
                level.next += 1;
                let path = level.path.join(name.to_bytes());
                let dir = Arc::clone(&level.dir);
                self.entry(&dir, path, &name)
            };
            if let Some(walked) = found {
                return Some(Ok(walked));
            }
        }
    }
}
