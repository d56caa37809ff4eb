//! Renaming a dump into `.dump/removing`, the directory of dumps that are being
//! removed.
//!
//! That one rename is flushed before anything of the dump is removed: so there is
//! never half a dump under the name of a dump. The next run removes what a
//! process that was killed left there.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::fs::fixed::Fixed;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpId, DumpName, Sort};
use crate::root::DumpRoot;
use crate::root::lock::Hold;
use crate::root::staging;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, file, link, mounts, stat};

/// Why a dump was not renamed.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A program reads it.
    Read,
    /// A pin keeps it, made since that was last looked at.
    Pinned(PathBuf),
    /// Something is mounted below it.
    Mounted(PathBuf),
    /// The disk refuses.
    Fault(Fault),
    /// The disk did not confirm that it was renamed: it has its name again.
    Unflushed(Fault),
    /// The same, and it could not get its name again: it is on its way out.
    Stranded(Fault),
}

/// An expired dump that the next run of its trees may recycle.
#[derive(Debug)]
pub(crate) struct Spare {
    /// Its name in that directory.
    pub(crate) leaf: CString,
    /// The name that it had.
    pub(crate) dump: DumpName,
    /// The names in it.
    pub(crate) trees: Vec<CString>,
}

/// What becomes of a dump that is taken from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is removed.
    Removed,
    /// It is kept for the next run, to be recycled.
    Spared,
}

/// The directory of dumps that are being removed.
#[derive(Debug)]
pub(crate) struct Removing {
    pub(crate) handle: OwnedFd,
    path: PathBuf,
    /// On a disk too full to make that directory, the name that it would have:
    /// `handle` is then the directory above, and a dump gets that name itself.
    instead: Option<CString>,
}

impl Removing {
    /// The path of a name in it.
    pub(crate) fn path_of(&self, leaf: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(leaf.to_bytes()))
    }

    /// What earlier runs left in it. A directory that could not be made holds
    /// nothing.
    pub(crate) fn rests(&self) -> Result<Vec<CString>, Fault> {
        match self.instead {
            Some(_) => Ok(Vec::new()),
            None => self.leaves(),
        }
    }

    /// The dumps in it that a run may recycle. One that no run has taken for two weeks
    /// is like anything else on its way out. `tell` is called with what could not be
    /// looked at, which is like anything else, too.
    pub(crate) fn spares(&self, tell: &mut dyn FnMut(Fault)) -> Vec<Spare> {
        let leaves = self.rests().unwrap_or_else(|fault| {
            tell(fault);
            Vec::new()
        });
        let mut spares = Vec::new();
        for leaf in leaves {
            let Some(dump) = layout::spare_of(leaf.to_bytes()) else {
                continue;
            };
            match self.trees_of_spare(&leaf) {
                Ok(Some(trees)) => spares.push(Spare { leaf, dump, trees }),
                Ok(None) => {}
                Err(fault) => tell(fault),
            }
        }
        spares
    }

    /// The names in a dump that may be recycled; `None` when its time is over.
    fn trees_of_spare(&self, leaf: &CStr) -> Result<Option<Vec<CString>>, Fault> {
        let path = self.path_of(leaf);
        let opened = dir::open_dir(self.handle.as_fd(), leaf, For::Reading);
        let opened = opened.map_err(Fault::at(Op::Open, &path))?;
        // Its rename set it.
        let since = stat::look_at(&opened).map_err(Fault::at(Op::Stat, &path))?;
        if !layout::is_still_spared(since.ctime.secs, Utc::now().timestamp()) {
            return Ok(None);
        }
        let listed = dir::list_all(opened.as_fd(), For::Reading);
        let listed = listed.map_err(Fault::at(Op::List, &path))?;
        Ok(Some(
            listed.iter().map(|entry| entry.name.to_owned()).collect(),
        ))
    }

    /// Has no run take a dump again that cannot be recycled. One that does not even get
    /// another name is tried again.
    pub(crate) fn spare_no_more(&self, spare: &Spare) {
        for again in 0.. {
            let leaf = layout::removing_leaf(&spare.dump.path(), again);
            let (dir, leaf) = (self.handle.as_fd(), c_name(leaf.as_bytes()));
            match link::rename_new(dir, &spare.leaf, dir, &leaf) {
                Err(e) if errno::is_taken(&e) => {}
                _ => return,
            }
        }
    }

    /// Locks one of them to remove it. An error: a program that opened it when it
    /// was a dump still reads it, and it is left for another time. What cannot be
    /// opened or locked at all is not read.
    pub(crate) fn hold(&self, leaf: &CStr) -> io::Result<Option<Hold>> {
        let Ok(dir) = dir::open_dir(self.handle.as_fd(), leaf, For::Reading) else {
            return Ok(None);
        };
        match Hold::alone(dir.as_fd()) {
            Err(e) if errno::is_locked(&e) => Err(e),
            hold => Ok(hold.ok()),
        }
    }

    /// Those that a program still reads.
    pub(crate) fn still_read(&self) -> Vec<CString> {
        let mut leaves = self.rests().unwrap_or_default();
        leaves.retain(|leaf| self.hold(leaf).is_err());
        leaves
    }

    /// The names in it.
    pub(crate) fn leaves(&self) -> Result<Vec<CString>, Fault> {
        let listed = dir::list_all(self.handle.as_fd(), For::Reading);
        let mut chunk = listed.map_err(Fault::at(Op::List, &self.path))?;
        chunk.sort_by_name();
        Ok(chunk.iter().map(|entry| entry.name.to_owned()).collect())
    }
}

impl DumpRoot {
    /// Opens the directory of dumps that are being removed, and makes it if it is
    /// missing.
    pub(crate) fn removing(&self) -> Result<Removing, Error> {
        let below = Path::new(layout::STATE_DIR).join(layout::REMOVING);
        let (state, name) = (self.state_dir()?, c_name(layout::REMOVING.as_bytes()));
        match dir::make_private(state.as_fd(), &name) {
            Err(e) if errno::is_full(&e) => {
                return Ok(Removing {
                    handle: state,
                    path: self.path().join(layout::STATE_DIR),
                    instead: Some(name),
                });
            }
            Err(e) if !errno::is_taken(&e) => return Err(self.failed(Op::Create, &below, e)),
            _ => {}
        }
        let handle = dir::open_dir(state.as_fd(), &name, For::Reading);
        Ok(Removing {
            handle: handle.map_err(|e| self.failed(Op::Open, &below, e))?,
            path: self.path().join(below),
            instead: None,
        })
    }

    /// The same, if there is one.
    pub(crate) fn removing_if_any(&self) -> Option<Removing> {
        let open = |dir: &OwnedFd, name: &str| {
            dir::open_dir(dir.as_fd(), &c_name(name.as_bytes()), For::Reading)
        };
        let state = open(self.handle(), layout::STATE_DIR).ok()?;
        Some(Removing {
            handle: open(&state, layout::REMOVING).ok()?,
            path: self.path().join(layout::STATE_DIR).join(layout::REMOVING),
            instead: None,
        })
    }

    /// May a newer dump share files with this one? Not when the newest checkpoint was
    /// made in between: what came after that is linked to it, unless it is one of the
    /// chain of linked ones.
    pub(crate) fn is_of_this_generation(&self, dump: DumpName) -> bool {
        let checkpoint = self.link(layout::CURRENT_CHECKPOINT).ok().flatten();
        let checkpoint = checkpoint.and_then(|target| target.name);
        let mut checkpoint = checkpoint.filter(|name| name.sort == Sort::Checkpoint);
        if checkpoint.is_some_and(|name| self.is_linked(name)) {
            let Ok(names) = self.listing().names() else {
                return false;
            };
            let begins = |name: &DumpName| name.sort == Sort::Checkpoint && !self.is_linked(*name);
            checkpoint = names.into_iter().rev().find(begins);
        }
        checkpoint.is_none_or(|checkpoint| dump.stamp > checkpoint.stamp)
    }

    /// Removes that directory if it is empty.
    pub(crate) fn tidy_removing(&self) {
        let name = |name: &str| c_name(name.as_bytes());
        let state = dir::open_dir(
            self.handle().as_fd(),
            &name(layout::STATE_DIR),
            For::Passing,
        );
        if let Ok(state) = state {
            let _ = dir::remove_empty(state.as_fd(), &name(layout::REMOVING));
        }
    }

    /// Renames a dump into that directory, durably. Returns its name there. The
    /// dump root must be locked.
    pub(crate) fn take_away(&self, id: DumpId, to: &Removing, then: Then) -> Result<CString, Kept> {
        let path = self.path().join(id.path());
        let failed = |op| {
            let path = path.clone();
            move |e| Kept::Fault(Fault::new(op, path, e))
        };
        if let Some(point) = self.mounted_below(id).map_err(failed(Op::Open))? {
            return Err(Kept::Mounted(point));
        }
        let (above, name) = self.open_above(id).map_err(failed(Op::Open))?;
        let handle = open_own(&above, &name).map_err(failed(Op::Open))?;
        let hold = Hold::alone(handle.as_fd()).map_err(|e| match errno::is_locked(&e) {
            true => Kept::Read,
            false => failed(Op::Lock)(e),
        })?;
        // Nobody can pin it any more.
        let pins = self.pins().map_err(Kept::Fault)?;
        if let Some(pin) = pins.into_iter().find(|pin| pin.dump == id) {
            return Err(Kept::Pinned(pin.name));
        }
        let leaf = rename_away(&above, &name, &handle, (id, to, then)).map_err(|e| {
            let fixed = Fixed::behind(&e, above.as_fd(), &name);
            failed(Op::Rename)(fixed.map_or(e, |fixed| fixed.answer(false)))
        })?;
        drop(hold);
        // Somebody has moved something else to this name meanwhile: it goes
        // back.
        let id_of = |handle: &OwnedFd| stat::look_at(handle).map(|meta| meta.id());
        let moved = dir::open_dir(to.handle.as_fd(), &leaf, For::Passing);
        let same = moved.and_then(|moved| Ok(id_of(&moved)? == id_of(&handle)?));
        if !same.map_err(failed(Op::Open))? {
            let _ = link::rename_new(to.handle.as_fd(), &leaf, above.as_fd(), &name);
            let other = io::Error::other("it was replaced by another directory in the meantime");
            return Err(failed(Op::Rename)(other));
        }
        let flushed = disk::sync(&to.handle).and_then(|()| disk::sync(&above));
        if let Err(error) = flushed {
            let fault = Fault::new(Op::Sync, path.clone(), error);
            let back = link::rename_new(to.handle.as_fd(), &leaf, above.as_fd(), &name);
            return Err(match back {
                Ok(()) => Kept::Unflushed(fault),
                Err(_) => Kept::Stranded(fault),
            });
        }
        Ok(leaf)
    }

    /// Removes the directories of the day and the year, if they are empty.
    pub(crate) fn sweep(&self, id: DumpId) {
        if let Some(name) = id.name() {
            staging::sweep(self, name);
        }
    }

    /// What is mounted at a dump, or below it.
    pub(crate) fn mounted_below(&self, id: DumpId) -> io::Result<Option<PathBuf>> {
        self.mounted_in(&self.path().join(id.path()))
    }

    /// The same of a path in the dump root. An error: it cannot be found out, and
    /// something may be mounted.
    pub(crate) fn mounted_in(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let below = path.strip_prefix(self.path()).unwrap_or(path);
        let unknown = || io::Error::other("the way to the dump root cannot be followed");
        let real = dir::real_path(self.path()).ok_or_else(unknown)?;
        Ok(mounts::at_or_below(&real.join(below)).into_iter().next())
    }

    /// The directory that contains a dump, and the dump's name in it.
    pub(crate) fn open_above(&self, id: DumpId) -> io::Result<(OwnedFd, CString)> {
        let path = id.path();
        let name = c_name(path.file_name().unwrap_or_default().as_bytes());
        let handle = match path.parent().map(|above| above.as_os_str().as_bytes()) {
            None | Some([]) => dir::reopen(self.handle().as_fd(), For::Passing)?,
            Some(above) => self.open_dump(&RelPath::from_bytes(above))?,
        };
        Ok((dir::reopen(handle.as_fd(), For::Reading)?, name))
    }
}

/// Opens a dump's directory, also one whose mode keeps its owner out.
fn open_own(above: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    match dir::open_dir(above.as_fd(), name, For::Reading) {
        Err(e) if errno::is_not_permitted(&e) => {
            link::set_mode_of_dir(above.as_fd(), name, OWN)?;
            dir::open_dir(above.as_fd(), name, For::Reading)
        }
        opened => opened,
    }
}

/// What an owner needs to empty a directory, and to move it elsewhere.
const OWN: u16 = 0o700;

/// Renames a dump, to a name that is free.
fn rename_away(
    above: &OwnedFd,
    name: &CStr,
    handle: &OwnedFd,
    (id, to, then): (DumpId, &Removing, Then),
) -> io::Result<CString> {
    let (mut again, mut opened) = (0, None);
    loop {
        let leaf = match &to.instead {
            None => c_name(
                match (id, then) {
                    (DumpId::Dump(dump), Then::Spared) => layout::spare_leaf(dump, again),
                    _ => layout::removing_leaf(&id.path(), again),
                }
                .as_bytes(),
            ),
            Some(name) if again == 0 => name.clone(),
            Some(_) => {
                let text = "the disk is full, and another dump has to be removed first; run again";
                return Err(io::Error::other(text));
            }
        };
        match link::rename_new(above.as_fd(), name, to.handle.as_fd(), &leaf) {
            Ok(()) => return Ok(leaf),
            Err(e) if errno::is_taken(&e) => again += 1,
            // Moving a directory needs write permission on it.
            Err(e) if errno::is_not_permitted(&e) && opened.is_none() => {
                let mode = stat::look_at(handle)?.mode;
                if mode & OWN == OWN || file::set_mode(handle, mode | OWN).is_err() {
                    return Err(e);
                }
                opened = Some(mode);
            }
            Err(e) => {
                if let Some(mode) = opened {
                    let _ = file::set_mode(handle, mode);
                }
                return Err(e);
            }
        }
    }
}
