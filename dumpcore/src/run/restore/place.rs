//! The two sides of a restoration: the place that it is made in, and the version
//! that is read. Both are reached from a root by names, once, and these handles
//! serve to the end.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::from::From;
use super::request::{Named, Request};
use crate::fs::beneath::{Beneath, open_below};
use crate::fs::folding::{self, Folding};
use crate::fs::kept::{Private, kept};
use crate::fs::store::NameAt;
use crate::model::fault::{Fault, Op};
use crate::model::metadata::{Capabilities, Id, Meta};
use crate::model::path::Printable;
use crate::model::restore::RestoreError;
use crate::policy::layout;
use crate::root::DumpRoot;
use crate::root::lock::Hold;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{errno, stat};

/// Where something is restored.
pub(super) struct Place {
    above: Beneath,
    /// Directories above it that are gone, which are restored with it.
    pub(super) missing: Vec<CString>,
    /// Its own name.
    pub(super) name: CString,
    pub(super) path: PathBuf,
}

impl Place {
    pub(super) fn open(request: &Request) -> Result<Self, RestoreError> {
        let (root_path, path) = (&request.root, &request.path);
        let root = match dir::open_root(root_path, For::Passing) {
            Ok(root) => root,
            Err(e) if errno::has_changed(&e) => {
                let path = root_path.clone();
                return Err(RestoreError::NoTree { path });
            }
            Err(e) => return Err(Fault::at(Op::Open, root_path)(e).into()),
        };
        if DumpRoot::around(root_path).is_some() || DumpRoot::is_in_dumps(path) {
            return Err(RestoreError::InDump { path: path.clone() });
        }
        let mut names = request.below.clone();
        let Some(name) = names.pop() else {
            let cause = errno::invalid();
            return Err(Fault::at(Op::Open, path)(cause).into());
        };
        let levels = names.len();
        let (above, missing) = Beneath::open(root, names).map_err(|(found, cause)| {
            let at = path.ancestors().nth(levels + 1 - found.min(levels));
            Fault::at(Op::Open, at.unwrap_or(path))(cause)
        })?;
        Ok(Self {
            above,
            missing,
            name,
            path: path.clone(),
        })
    }

    /// The lowest directory that there is above it.
    pub(super) fn dir(&self) -> &OwnedFd {
        &self.above.dir
    }

    /// The name that is made in that directory.
    pub(super) fn made(&self) -> &CStr {
        self.missing.first().unwrap_or(&self.name)
    }

    /// The path of what is made.
    pub(super) fn made_path(&self) -> &Path {
        let made = self.path.ancestors().nth(self.missing.len());
        made.unwrap_or(&self.path)
    }

    pub(super) fn named(&self) -> Named<'_> {
        Named {
            at: NameAt {
                dir: self.dir().as_fd(),
                name: self.made(),
            },
            path: self.made_path(),
        }
    }

    /// Is it still what was looked at, and does the way still lead there?
    pub(super) fn is_as_it_was(&self, looked: Option<Id>) -> Result<(), RestoreError> {
        let path = self.made_path();
        let moved = |path: &Path| Err(RestoreError::Moved { path: path.into() });
        match self.above.is_there() {
            Ok(true) => {}
            Ok(false) => return moved(path.parent().unwrap_or(path)),
            Err(e) => return Err(Fault::at(Op::Open, path.parent().unwrap_or(path))(e).into()),
        }
        if self.id_of(self.made())? == looked {
            return Ok(());
        }
        moved(path)
    }

    /// Where different names may be one: is what has the name not another's?
    /// To replace that would lose it under a name that nobody gave. An empty
    /// directory on the same filesystem serves to try how it spells names.
    pub(super) fn is_not_anothers(
        &self,
        folding: Folding,
        empty: BorrowedFd<'_>,
    ) -> Result<(), RestoreError> {
        let path = self.made_path();
        let there = self.id_of(self.made())?;
        if !folding.folds() || there.is_none() {
            return Ok(());
        }
        let spelled = match folding.respells {
            true => folding::spelling(empty, self.made()).map_err(Fault::at(Op::Create, path))?,
            false => self.made().to_owned(),
        };
        let names = dir::list_all(self.dir().as_fd(), For::Reading)
            .map_err(Fault::at(Op::List, path.parent().unwrap_or(path)))?;
        let is_ours = |name: &CStr| name == self.made() || *name == *spelled;
        if names.iter().any(|entry| is_ours(entry.name)) {
            return Ok(());
        }
        let mut others = names.iter().map(|entry| entry.name);
        let other = others.find(|name| self.id_of(name).is_ok_and(|id| id == there));
        let other = other.map_or_else(
            || "another entry".to_owned(),
            |other| Printable(other.to_bytes()).to_string(),
        );
        let cause =
            format!("its filesystem takes that for the same name as {other}; rename that first");
        Err(Fault::at(Op::Create, path)(std::io::Error::other(cause)).into())
    }

    /// What there is at the place; `None` where a directory on the way is gone.
    pub(super) fn entry(&self) -> Result<Option<Meta>, Fault> {
        if !self.missing.is_empty() {
            return Ok(None);
        }
        match stat::look(self.dir().as_fd(), self.made(), stat::Fresh::AsStat) {
            Ok(meta) => Ok(Some(meta)),
            Err(e) if errno::is_missing(&e) => Ok(None),
            Err(e) => Err(Fault::at(Op::Stat, self.made_path())(e)),
        }
    }

    /// The inode of a name in the directory above.
    pub(super) fn id_of(&self, name: &CStr) -> Result<Option<Id>, Fault> {
        match stat::look(self.dir().as_fd(), name, stat::Fresh::AsStat) {
            Ok(meta) => Ok(Some(meta.id())),
            Err(e) if errno::is_missing(&e) => Ok(None),
            Err(e) => Err(Fault::at(Op::Stat, self.made_path())(e)),
        }
    }
}

/// The version that is restored.
pub(super) struct Origin {
    dump: OwnedFd,
    names: Vec<CString>,
    path: PathBuf,
    /// Which directory the dump root is.
    pub(super) dump_root: Option<Id>,
    private: Private,
    _hold: Option<Hold>,
}

impl Origin {
    pub(super) fn open(from: &From) -> Result<Self, RestoreError> {
        let failed = |cause| RestoreError::from(Fault::at(Op::Open, &from.path)(cause));
        let mut private = Private::default();
        let (dump, dump_root, hold) = match from.dump {
            Some(name) => {
                let root = DumpRoot::open(&from.root).map_err(|_| RestoreError::VersionGone {
                    version: from.path.clone(),
                })?;
                private = private_in(root.handle());
                let id = stat::look_at(root.handle()).map_err(failed)?.id();
                let below = name.rel_path();
                let (dump, hold) = root.hold_dump(&below).map_err(failed)?;
                (dump, Some(id), Some(hold))
            }
            None => {
                let dump = dir::open_root(&from.root, For::Reading).map_err(failed)?;
                (dump, None, None)
            }
        };
        Ok(Self {
            dump,
            names: from.below.clone(),
            path: from.path.clone(),
            dump_root,
            private,
            _hold: hold,
        })
    }

    /// The directory that is `up` levels above the version, and the name in it
    /// that leads there.
    pub(super) fn above(&self, up: usize) -> Result<(OwnedFd, CString), Fault> {
        let failed = |e| Fault::at(Op::Open, self.path_above(up))(e);
        let at = self.names.len().checked_sub(up + 1);
        let (at, name) = at
            .and_then(|at| Some((at, self.names.get(at)?)))
            .ok_or_else(|| failed(errno::missing()))?;
        let dir = open_below(self.dump.as_fd(), &self.names[..at], For::Passing);
        Ok((dir.map_err(failed)?, name.clone()))
    }

    /// The path of what is `up` levels above the version.
    pub(super) fn path_above(&self, up: usize) -> &Path {
        self.path.ancestors().nth(up).unwrap_or(&self.path)
    }

    /// The names that lead from the directory `up` levels above to the version.
    pub(super) fn way(&self, up: usize) -> &[CString] {
        &self.names[self.names.len().saturating_sub(up)..]
    }

    /// What the dump's filesystem could keep, as far as can be seen.
    pub(super) fn kept(&self, meta: &Meta) -> Result<Capabilities, Fault> {
        let top = stat::look_at(&self.dump).map_err(Fault::at(Op::Stat, &self.path))?;
        let (above, _) = self.above(0)?;
        let above = stat::look_at(&above).map_err(Fault::at(Op::Stat, &self.path))?;
        Ok(kept(&self.dump, &[top, above, *meta], self.private))
    }
}

/// What only the runner of a dump root may read there.
fn private_in(root: &OwnedFd) -> Private {
    let [dir, file] = [layout::STATE_DIR, layout::LOCK].map(|name| c_name(name.as_bytes()));
    let look = |at: BorrowedFd<'_>, name| stat::look(at, name, stat::Fresh::AsStat).ok();
    let opened = dir::open_dir(root.as_fd(), &dir, For::Passing);
    Private {
        dir: look(root.as_fd(), &dir),
        file: opened.ok().and_then(|own| look(own.as_fd(), &file)),
    }
}

/// A name as a path.
pub(super) fn os(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}
