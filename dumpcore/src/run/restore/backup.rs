//! Where what a restoration replaces or deletes is kept: a directory on the same
//! filesystem, in which it has the path that it had.
//!
//! What is kept gets its name there before it loses the other, so that a kill at
//! any instant loses nothing. Nothing in the backup is ever replaced: a
//! name that is taken gets a number. Nobody else could take what is kept there:
//! the directory is the runner's, or root's and closed to the writing of others.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::place::Place;
use super::request::Request;
use crate::fs::store::NameAt;
use crate::model::fault::{Fault, Op};
use crate::model::restore::RestoreError;
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, link, path};

/// How many backups of one name there can be.
const MOST: u32 = 10_000;

/// The directory.
pub(super) struct Backup {
    dir: OwnedFd,
}

impl Backup {
    /// Opens it, and makes it if it is missing.
    pub(super) fn open(
        given: &Path,
        place: &Place,
        request: &Request,
    ) -> Result<Self, RestoreError> {
        let bad = |why| bad(given, why);
        let failed = |op| Fault::at(op, given);
        let (above, name) = path::above(given).map_err(failed(Op::Open))?;
        let parent = given.parent().filter(|it| !it.as_os_str().is_empty());
        let whole = dir::real_path(parent.unwrap_or(Path::new(".")));
        let whole = whole.map(|above| above.join(OsStr::from_bytes(name.to_bytes())));
        if whole.is_some_and(|whole| DumpRoot::is_in_dumps(&whole)) {
            return Err(bad("it is in a dump, and dumps are never changed"));
        }
        let made = match dir::make_private(above.as_fd(), &name) {
            Err(e) if !errno::is_taken(&e) => return Err(failed(Op::Create)(e).into()),
            made => made.is_ok(),
        };
        let opened = Self::checked(given, place, request);
        if made && opened.is_err() {
            // Nobody asked for an empty directory.
            let _ = dir::remove_empty(above.as_fd(), &name);
        }
        opened
    }

    fn checked(given: &Path, place: &Place, request: &Request) -> Result<Self, RestoreError> {
        let bad = |why| bad(given, why);
        let failed = |op| Fault::at(op, given);
        let dir = dir::open_root(given, For::Filling).map_err(failed(Op::Open))?;
        let dev = |of: &OwnedFd| stat::look_at(of).map(|meta| meta.dev);
        let same = dev(&dir).and_then(|here| Ok(here == dev(place.dir())?));
        if !same.map_err(failed(Op::Stat))? {
            return Err(bad("it is on another filesystem than what is restored"));
        }
        let meta = stat::look_at(&dir).map_err(failed(Op::Stat))?;
        let runner = disk::whoami().0;
        let is_safe = meta.uid == runner || meta.uid == 0 && meta.mode & 0o022 == 0;
        if !is_safe && FsType::of(&dir).map_err(failed(Op::Stat))?.keeps_owners() {
            return Err(bad(
                "it belongs to another user, or others may write to it; give a directory of your own",
            ));
        }
        let real = dir::real_path(given).unwrap_or_else(|| given.to_path_buf());
        let is_in = |path: &Path| dir::real_path(path).is_some_and(|path| real.starts_with(path));
        if is_in(&request.path) {
            return Err(bad("it is in what is restored"));
        }
        if DumpRoot::around(given).is_some() {
            return Err(bad("it is in a dump, and dumps are never changed"));
        }
        Ok(Self { dir })
    }

    /// Moves an entry there; `below` is the path that it has there.
    pub(super) fn keep(&self, from: NameAt<'_>, below: &Path) -> io::Result<()> {
        self.free(below, |dir, name| {
            link::rename_new(from.dir, from.name, dir, name)
        })
    }

    /// Gives what is not a directory a name there too, so that its own can then be
    /// given to another; moves it where links are refused.
    pub(super) fn keep_too(&self, from: NameAt<'_>, below: &Path) -> io::Result<()> {
        let id = stat::look(from.dir, from.name, Fresh::AsStat)?.id();
        let linked = self.free(below, |dir, name| {
            match link::hard_link(from.dir, from.name, dir, name) {
                Err(e) if errno::is_taken(&e) => match stat::look(dir, name, Fresh::AsStat) {
                    // A restoration that was killed had come so far.
                    Ok(there) if there.id() == id => Ok(()),
                    _ => Err(e),
                },
                linked => linked,
            }
        });
        match linked {
            Err(e) if errno::is_link_refused(&e) => self.keep(from, below),
            linked => linked,
        }
    }

    /// Puts something under the first name that is free.
    fn free(
        &self,
        below: &Path,
        put: impl Fn(BorrowedFd<'_>, &CStr) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut dir = dir::reopen(self.dir.as_fd(), For::Filling)?;
        for name in below.parent().into_iter().flat_map(Path::iter) {
            dir = enter_or_make(dir.as_fd(), &c_name(name.as_bytes()))?;
        }
        let name = below.file_name().unwrap_or_default();
        for again in 0..MOST {
            match put(dir.as_fd(), &numbered(name, again)) {
                Err(e) if errno::is_taken(&e) => {}
                done => return done,
            }
        }
        Err(errno::taken())
    }
}

fn bad(given: &Path, why: &'static str) -> RestoreError {
    RestoreError::BadBackup {
        path: given.to_path_buf(),
        why,
    }
}

/// A directory of the backup. Something else of its name, of an earlier backup,
/// is not replaced.
fn enter_or_make(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    for again in 0..MOST {
        let name = numbered(OsStr::from_bytes(name.to_bytes()), again);
        match dir::make_private(dir, &name) {
            Err(e) if !errno::is_taken(&e) => return Err(e),
            _ => {}
        }
        match dir::open_dir(dir, &name, For::Filling) {
            Err(e) if errno::has_changed(&e) => {}
            opened => return opened,
        }
    }
    Err(errno::taken())
}

/// As other programs number their backups.
fn numbered(name: &OsStr, again: u32) -> std::ffi::CString {
    match again {
        0 => c_name(name.as_bytes()),
        again => {
            let end = format!(".~{again}~");
            let keep = name.len().min(255 - end.len());
            c_name(&[&name.as_bytes()[..keep], end.as_bytes()].concat())
        }
    }
}

/// The path of an entry in the backup: it begins with the name of what is
/// restored.
pub(super) fn below(place: &Place) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(place.name.to_bytes()))
}
