//! The private directory beside a place, in which what is restored is made.
//!
//! Nobody else may enter it, and nothing is inherited in it; it is held as long
//! as it is worked on, so that another restoration of the same place knows one
//! that was left behind by its name and by nobody holding it. It is filled by
//! its handle, wherever somebody moves it meanwhile.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::fs::capabilities;
use crate::fs::remove_tree::{remove_tree, remove_tree_of};
use crate::fs::store::EntryWriter;
use crate::model::fault::{Op, OpError};
use crate::model::metadata::{Id, Meta};
use crate::policy::layout;
use crate::root::lock::Hold;
use crate::run::RunOptions;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::name::c_name;
use crate::sys::pages::Pages;
use crate::sys::{disk, errno, file, stat};

/// A private directory that is being filled.
pub(super) struct Temporary<'a> {
    pub(super) dir: BorrowedFd<'a>,
    pub(super) name: CString,
    pub(super) handle: OwnedFd,
    pub(super) id: Id,
    /// Was it left by an earlier restoration?
    pub(super) is_taken_over: bool,
    hold: Option<Hold>,
}

impl<'a> Temporary<'a> {
    /// Makes one for this name.
    pub(super) fn make(dir: BorrowedFd<'a>, name: &CStr) -> Result<Self, OpError> {
        let failed = |op| move |e| OpError::target(op, e);
        let name = make_free(dir, name).map_err(failed(Op::Create))?;
        let handle = dir::open_dir(dir, &name, For::Filling).map_err(failed(Op::Open))?;
        let meta = stat::look_at(&handle).map_err(failed(Op::Stat))?;
        let private = is_private(&handle, &meta).map_err(failed(Op::Stat))?;
        let made = Self {
            dir,
            name,
            handle,
            id: meta.id(),
            is_taken_over: false,
            hold: None,
        };
        // Somebody may have put another in its place at once.
        if !private {
            let cause = io::Error::other("it was replaced right after it was made");
            return Err(OpError::target(Op::Create, cause));
        }
        let capabilities = capabilities::guess(&made.handle);
        let writer = EntryWriter::new(&capabilities, Pages::Keep);
        match writer
            .take_over(made.handle.as_fd())
            .and_then(|()| Hold::alone(made.handle.as_fd()).map_err(failed(Op::Lock)))
        {
            Ok(hold) => Ok(Self {
                hold: Some(hold),
                ..made
            }),
            Err(op_error) => {
                let _ = dir::remove_empty(dir, &made.name);
                Err(op_error)
            }
        }
    }

    /// Takes over what an earlier restoration of this name left, which nobody
    /// works on, and which nobody else could enter.
    pub(super) fn take_over(dir: BorrowedFd<'a>, name: &CStr) -> Option<Self> {
        let names = dir::list_all(dir, For::Filling).ok()?;
        let left = |found: &CStr| layout::is_left_beside(name.to_bytes(), found.to_bytes());
        let mut left = names.iter().filter(|entry| left(entry.name));
        left.find_map(|entry| {
            let handle = dir::open_dir(dir, entry.name, For::Filling).ok()?;
            let meta = stat::look_at(&handle).ok()?;
            let ours = meta.uid == disk::whoami().0 && meta.mode & 0o077 == 0;
            if !ours || !FsType::of(&handle).ok()?.keeps_owners() {
                return None;
            }
            let hold = Hold::alone(handle.as_fd()).ok()?;
            Some(Self {
                dir,
                name: entry.name.to_owned(),
                handle,
                id: meta.id(),
                is_taken_over: true,
                hold: Some(hold),
            })
        })
    }

    /// Makes it private again: it may have got the attributes of the version.
    pub(super) fn close(&self) -> Result<(), OpError> {
        let capabilities = capabilities::guess(&self.handle);
        EntryWriter::new(&capabilities, Pages::Keep).take_over(self.handle.as_fd())
    }

    /// It is not put in its place: left for the next restoration to take over, or
    /// removed.
    pub(super) fn give_up(self, leaves: bool, keep_going: &dyn Fn() -> bool) {
        if !(leaves && self.close().is_ok()) {
            self.discard(keep_going);
        }
    }

    /// Does its name still lead to it?
    pub(super) fn is_there(&self) -> bool {
        let there = stat::look(self.dir, &self.name, stat::Fresh::AsStat);
        there.is_ok_and(|there| there.id() == self.id)
    }

    /// It is not wanted: removes it, as far as `keep_going` lets it.
    pub(super) fn discard(self, keep_going: &dyn Fn() -> bool) {
        // What it was given may keep its own owner out.
        let _ = file::set_mode(&self.handle, 0o700);
        let _ = empty(self.handle.as_fd(), keep_going);
        if self.is_there() {
            let _ = dir::remove_empty(self.dir, &self.name);
        }
        drop(self.hold);
    }
}

/// Removes all that is in a directory.
pub(super) fn empty(dir: BorrowedFd<'_>, keep_going: &dyn Fn() -> bool) -> Result<bool, OpError> {
    let names = dir::list_all(dir, For::Filling).map_err(|e| OpError::target(Op::List, e))?;
    for entry in names.iter() {
        if !remove_tree(dir, entry.name, keep_going)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Is it as it was made: ours alone, and empty? A filesystem that makes up
/// owners and permissions shows what it likes.
fn is_private(handle: &OwnedFd, meta: &Meta) -> io::Result<bool> {
    let (uid, ..) = disk::whoami();
    let ours = meta.uid == uid && meta.mode & 0o077 == 0;
    Ok((ours || !FsType::of(handle)?.keeps_owners()) && dir::is_empty(handle.as_fd())?)
}

/// Makes a private directory under a name that nobody has.
fn make_free(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    let first = std::process::id();
    for id in first..first.saturating_add(1000) {
        let beside = c_name(&layout::restoring(name.to_bytes(), id));
        match dir::make_private(dir, &beside) {
            Err(e) if errno::is_taken(&e) => {}
            made => return made.map(|()| beside),
        }
    }
    Err(errno::taken())
}

/// Removes what earlier restorations of this name left behind, unless one is at
/// work on it, or somebody else may have put it there: who may rename in a
/// directory can give that name to what is another's. `and_replaced`: also what was moved aside while names could not
/// be exchanged, which is only sure to be of no use when the name is whole.
pub(super) fn sweep(
    dir: BorrowedFd<'_>,
    name: &CStr,
    and_replaced: bool,
    keep_going: &dyn Fn() -> bool,
) {
    let (Ok(names), Ok(above)) = (dir::list_all(dir, For::Filling), stat::look_at(dir)) else {
        return;
    };
    let runner = disk::whoami().0;
    // Made by the runner, and not finished; else with the owner of a version.
    let is_left =
        |there: &Meta| there.uid == above.uid || there.uid == runner && there.mode & 0o077 == 0;
    for entry in names.iter() {
        let found = entry.name.to_bytes();
        let name = name.to_bytes();
        let replaced = and_replaced && layout::is_replaced(name, found);
        if !replaced && !layout::is_left_beside(name, found) {
            continue;
        }
        let looked = stat::look(dir, entry.name, stat::Fresh::AsStat);
        let Some(there) = looked.ok().filter(is_left) else {
            continue;
        };
        let held = match dir::open_dir(dir, entry.name, For::Filling) {
            Ok(left) => Hold::alone(left.as_fd()).is_err_and(|e| errno::is_locked(&e)),
            Err(_) => false,
        };
        if !held {
            // What cannot be removed now is tried by the next.
            let _ = remove_tree_of(dir, entry.name, there.id(), keep_going);
        }
    }
}

/// How long a restoration that is stopped takes away what it made: a second
/// after a signal a program has ended.
const CLEARING: Duration = Duration::from_millis(700);

/// Continues clearing up for a while after a stop, and as long as it takes
/// otherwise.
pub(super) fn clearing(options: &RunOptions) -> impl Fn() -> bool + use<> {
    let until = (!options.keep_going()).then(|| Instant::now() + CLEARING);
    move || until.is_none_or(|until| Instant::now() < until)
}
