//! Where the catalog of a dump root is: in the runner's own directory there, or
//! on this machine, where the dump root is on a network or in user space.
//!
//! SQLite relies on locks and flushes that such filesystems often do not keep.
//! Then the file is in a directory of this machine, named by an id that is
//! stored in the dump root: a program on the machine that writes finds it, however the dump root is mounted.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use super::error::{CatalogError, CatalogOp};
use crate::fs::marks;
use crate::policy::layout;
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::name::c_name;
use crate::sys::pages::Pages;
use crate::sys::{disk, errno, file, link, pages};

/// The directory of the catalog.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: OwnedFd,
    /// Its path, without symlinks.
    path: PathBuf,
    /// The dump root's id, when it is not in there.
    pub(super) id: Option<String>,
}

impl Place {
    /// For a dump root that is locked; `None` where there can be no catalog.
    pub(super) fn of(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let state = root.state_dir().map_err(|error| {
            let path = path_in(root, layout::CATALOG);
            CatalogError::new(&path, CatalogOp::Open, Some(error.into()))
        })?;
        let elsewhere = |base: &Path| -> io::Result<Option<Self>> {
            let id = match id(&state)? {
                Some(id) => id,
                None => make_id(&state)?,
            };
            dir::make_private_path(&base.join(&id))?;
            Self::on_this_machine(base, id)
        };
        match (may_hold_a_catalog(&state), root.local_state()) {
            (true, _) => Ok(Some(Self::in_root(root, state))),
            (false, Some(base)) => {
                elsewhere(base).map_err(|e| CatalogError::io(base, CatalogOp::Open, e))
            }
            (false, None) => Ok(None),
        }
    }

    /// For a question; `None` where there is no catalog.
    pub(super) fn existing(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let name = c_name(layout::STATE_DIR.as_bytes());
        let find = || -> io::Result<Option<Self>> {
            let state = match dir::open_dir(root.handle().as_fd(), &name, For::Passing) {
                Ok(state) => state,
                Err(e) if errno::is_missing(&e) => return Ok(None),
                Err(e) => return Err(e),
            };
            let base = match (may_hold_a_catalog(&state), root.local_state()) {
                (true, _) => return Ok(Some(Self::in_root(root, state))),
                (false, Some(base)) => base,
                (false, None) => return Ok(None),
            };
            match id(&state)? {
                Some(id) => Self::on_this_machine(base, id),
                None => Ok(None),
            }
        };
        find().map_err(|e| CatalogError::io(&path_in(root, layout::CATALOG), CatalogOp::Open, e))
    }

    fn in_root(root: &DumpRoot, dir: OwnedFd) -> Self {
        let path = path_in(root, "");
        Self {
            dir,
            path,
            id: None,
        }
    }

    /// `None` where there is no such directory, or it can hold no catalog either.
    fn on_this_machine(base: &Path, id: String) -> io::Result<Option<Self>> {
        let named = base.join(&id);
        let path = dir::real_path(&named).unwrap_or(named);
        let dir = match dir::open_root(&path, For::Reading) {
            Ok(dir) => dir,
            Err(e) if errno::is_missing(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        Ok(may_hold_a_catalog(&dir).then_some(Self {
            dir,
            path,
            id: Some(id),
        }))
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Where a file of the runner's directory in a dump root is, without symlinks.
pub(super) fn path_in(root: &DumpRoot, name: &str) -> PathBuf {
    let real = dir::real_path(root.path());
    let real = real.unwrap_or_else(|| root.path().to_path_buf());
    real.join(layout::STATE_DIR).join(name)
}

/// Can SQLite's locks and flushes be relied on there? Over a network they often
/// cannot.
fn may_hold_a_catalog(state: &OwnedFd) -> bool {
    FsType::of(state).is_ok_and(FsType::is_stamped_here)
}

/// The id that a dump root has. It names a directory, so that anything else in
/// its place is not one.
fn id(state: &OwnedFd) -> io::Result<Option<String>> {
    let text = match file::open_file(state.as_fd(), &c_name(layout::ROOT_ID.as_bytes())) {
        Ok(file) => file::read_all(file, 64)?,
        Err(e) if errno::is_missing(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    let text = String::from_utf8(text).unwrap_or_default();
    let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    Ok(is_id.then_some(text))
}

/// Gives a dump root an id.
fn make_id(state: &OwnedFd) -> io::Result<String> {
    let (name, id) = (c_name(layout::ROOT_ID.as_bytes()), marks::fresh_token());
    let _ = link::remove(state.as_fd(), &name);
    let made = file::create_file(state.as_fd(), &name)?;
    let size = id.len() as u64;
    pages::Writer::new(made.as_fd(), size, Pages::Keep).write_all_at(id.as_bytes(), 0)?;
    disk::sync(&made)?;
    disk::sync(state)?;
    Ok(id)
}
