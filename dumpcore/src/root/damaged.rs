//! Giving the names of a damaged inode to a good one, and the note by which that is
//! finished when it was cut off.
//!
//! Each name changes by one rename: it is the bad inode or the good one at every
//! instant. The good one has a name in the runner's own directory until all names
//! are its, and the bad one keeps one there. The directories get back the times and
//! the modes that they had; these are noted, durably, before the first rename.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::erase_note::DirWas;
use crate::policy::heal_note::{HealNote, InodeKey};
use crate::policy::layout::{self, DamagedLeaf, DumpId};
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file, link};

/// How large a note may be.
const MOST: u64 = 1 << 30;
/// How many directories stay open at most, however deep it goes.
const OPEN: usize = 64;

/// The directory of what was replaced, in a dump root that is locked.
#[derive(Debug)]
pub(crate) struct DamagedDir {
    pub(crate) handle: OwnedFd,
    path: PathBuf,
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renamed {
    /// It is the good inode now.
    Now,
    /// It was already.
    Before,
    /// It is neither of the two.
    Other,
}

impl DamagedDir {
    /// The name of something of an inode in it.
    pub(crate) fn leaf(base: &str, leaf: DamagedLeaf) -> CString {
        c_name(leaf.of(base).as_bytes())
    }

    pub(crate) fn failed(&self, op: Op, base: &str, cause: io::Error) -> Fault {
        Fault::new(op, self.path.join(base), cause)
    }

    /// Removes something of an inode, if it is there.
    pub(crate) fn remove(&self, base: &str, leaf: DamagedLeaf) -> Result<(), Fault> {
        match link::remove(self.handle.as_fd(), &Self::leaf(base, leaf)) {
            Err(e) if !errno::is_missing(&e) => Err(self.failed(Op::Remove, base, e)),
            _ => Ok(()),
        }
    }

    /// Looks at something of an inode.
    pub(crate) fn look(&self, base: &str, leaf: DamagedLeaf) -> Option<Meta> {
        let name = Self::leaf(base, leaf);
        stat::look(self.handle.as_fd(), &name, Fresh::WithBirth).ok()
    }

    /// Notes what is about to be done, durably.
    pub(crate) fn put_note(&self, base: &str, note: &HealNote) -> Result<(), Fault> {
        let dir = self.handle.as_fd();
        let [fresh, name] =
            [DamagedLeaf::FreshNote, DamagedLeaf::Healing].map(|leaf| Self::leaf(base, leaf));
        self.remove(base, DamagedLeaf::FreshNote)?;
        let put = || {
            let made = file::create_file(dir, &fresh)?;
            file::write_all(made.as_fd(), note.text().as_bytes())?;
            disk::sync(&made)?;
            link::rename_over(dir, &fresh, dir, &name)?;
            disk::sync(&self.handle)
        };
        put().map_err(|e| self.failed(Op::Write, base, e))
    }

    /// All that was noted is done, and flushed: the note stays beside the inode that
    /// was replaced, or goes with it.
    pub(crate) fn end(&self, base: &str, keep: bool) -> Result<(), Fault> {
        let dir = self.handle.as_fd();
        if keep {
            let [from, to] =
                [DamagedLeaf::Healing, DamagedLeaf::Note].map(|leaf| Self::leaf(base, leaf));
            link::rename_over(dir, &from, dir, &to)
                .map_err(|e| self.failed(Op::Rename, base, e))?;
        } else {
            self.remove(base, DamagedLeaf::Old)?;
            self.remove(base, DamagedLeaf::Healing)?;
        }
        self.remove(base, DamagedLeaf::New)?;
        disk::sync(&self.handle).map_err(|e| self.failed(Op::Sync, base, e))
    }

    /// What was noted and is not finished. What is left of what was not even noted is
    /// removed.
    pub(crate) fn unfinished(&self) -> Result<Vec<(String, HealNote)>, Fault> {
        let listed = dir::list_all(self.handle.as_fd(), For::Reading);
        let listed = listed.map_err(Fault::at(Op::List, &self.path))?;
        let leaves: Vec<(String, DamagedLeaf)> = listed
            .iter()
            .filter_map(|entry| DamagedLeaf::parse(entry.name.to_bytes()))
            .map(|(base, leaf)| (base.to_owned(), leaf))
            .collect();
        let has = |base: &str, leaf| leaves.iter().any(|one| one.0 == base && one.1 == leaf);
        let bases: BTreeSet<&String> = leaves.iter().map(|(base, _)| base).collect();
        let mut notes = Vec::new();
        for base in bases {
            self.remove(base, DamagedLeaf::FreshNote)?;
            self.remove(base, DamagedLeaf::Link)?;
            let note = match has(base, DamagedLeaf::Healing) {
                true => self.read_note(base, DamagedLeaf::Healing),
                false => None,
            };
            match note {
                Some(note) => notes.push((base.clone(), note)),
                None => {
                    self.remove(base, DamagedLeaf::New)?;
                    if !has(base, DamagedLeaf::Note) && !has(base, DamagedLeaf::Healing) {
                        self.remove(base, DamagedLeaf::Old)?;
                    }
                }
            }
        }
        Ok(notes)
    }

    fn read_note(&self, base: &str, leaf: DamagedLeaf) -> Option<HealNote> {
        let opened = file::open_file(self.handle.as_fd(), &Self::leaf(base, leaf)).ok()?;
        let text = String::from_utf8(file::read_all(opened, MOST).ok()?).ok()?;
        HealNote::parse(&text)
    }
}

/// Is it this inode?
pub(crate) fn is_inode(meta: &Meta, key: InodeKey) -> bool {
    meta.kind == Kind::File && meta.ino == key.0 && meta.born == key.1
}

/// A path in a dump as that of its directory below the dump root, and the name.
fn place(dump: DumpId, path: &RelPath) -> (RelPath, CString) {
    let mut names = path.as_bytes().split(|byte| *byte == b'/');
    let last = names.next_back().unwrap_or_default();
    let dir = names.fold(dump.rel_path(), |dir, name| dir.join(name));
    (dir, c_name(last))
}

impl DumpRoot {
    /// The directory of what was replaced, made if it is missing.
    pub(crate) fn damaged_dir(&self) -> Result<DamagedDir, Error> {
        let below = Path::new(layout::STATE_DIR).join(layout::DAMAGED);
        let (state, name) = (self.state_dir()?, c_name(layout::DAMAGED.as_bytes()));
        match dir::make_private(state.as_fd(), &name) {
            Err(e) if !errno::is_taken(&e) => return Err(self.failed(Op::Create, &below, e)),
            made => {
                if made.is_ok() {
                    disk::sync(&state).map_err(|e| self.failed(Op::Sync, &below, e))?;
                }
            }
        }
        let handle = dir::open_dir(state.as_fd(), &name, For::Reading);
        Ok(DamagedDir {
            handle: handle.map_err(|e| self.failed(Op::Open, &below, e))?,
            path: self.path().join(below),
        })
    }

    /// The same, if there is one.
    pub(crate) fn damaged_dir_if_any(&self) -> Option<DamagedDir> {
        let state = c_name(layout::STATE_DIR.as_bytes());
        let state = dir::open_dir(self.handle().as_fd(), &state, For::Passing).ok()?;
        let name = c_name(layout::DAMAGED.as_bytes());
        Some(DamagedDir {
            handle: dir::open_dir(state.as_fd(), &name, For::Reading).ok()?,
            path: self.path().join(layout::STATE_DIR).join(layout::DAMAGED),
        })
    }

    /// What the directory of a path has now, by its own path.
    pub(crate) fn dir_was(&self, dump: DumpId, path: &RelPath) -> io::Result<(Vec<u8>, DirWas)> {
        let (dir, _) = place(dump, path);
        let meta = stat::look_at(self.open_dump(&dir)?)?;
        let was = DirWas {
            atime: meta.atime,
            mtime: meta.mtime,
            mode: meta.mode,
        };
        Ok((dir.as_bytes().to_vec(), was))
    }

    /// Looks at a path of a dump.
    pub(crate) fn look_in(
        &self,
        dump: DumpId,
        path: &RelPath,
    ) -> io::Result<(OwnedFd, CString, Meta)> {
        let (dir, name) = place(dump, path);
        let dir = self.open_dump(&dir)?;
        let meta = stat::look(dir.as_fd(), &name, Fresh::WithBirth)?;
        Ok((dir, name, meta))
    }

    /// Gives a name of the bad inode to the good one.
    pub(crate) fn give_name(
        &self,
        damaged: &DamagedDir,
        base: &str,
        note: &HealNote,
        (dump, path): (DumpId, &RelPath),
    ) -> Result<Renamed, Fault> {
        let full = || path.below(&self.path().join(dump.path()));
        let (below, name) = place(dump, path);
        let meta = match self.look_in(dump, path) {
            Ok((_, _, meta)) => meta,
            Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => return Ok(Renamed::Other),
            Err(e) => return Err(Fault::new(Op::Stat, full(), e)),
        };
        if is_inode(&meta, note.new) {
            return Ok(Renamed::Before);
        }
        if !is_inode(&meta, note.old) {
            return Ok(Renamed::Other);
        }
        let from = damaged.handle.as_fd();
        let [new, by] =
            [DamagedLeaf::New, DamagedLeaf::Link].map(|leaf| DamagedDir::leaf(base, leaf));
        damaged.remove(base, DamagedLeaf::Link)?;
        link::hard_link(from, &new, from, &by).map_err(|e| damaged.failed(Op::Link, base, e))?;
        let renamed = self
            .open_to_change(&below)
            .and_then(|dir| link::rename_over(from, &by, dir.as_fd(), &name));
        if renamed.is_err() {
            let _ = damaged.remove(base, DamagedLeaf::Link);
        }
        renamed.map_err(|e| Fault::new(Op::Rename, full(), e))?;
        Ok(Renamed::Now)
    }

    /// The names of an inode in what runs have left behind.
    pub(crate) fn names_in_leftovers(&self, key: InodeKey) -> Vec<(DumpId, RelPath)> {
        let left = self.listing().incompletes().unwrap_or_default();
        let mut found = Vec::new();
        for dump in left.into_iter().map(|left| DumpId::Incomplete(left.name)) {
            let top = self
                .open_dump(&dump.rel_path())
                .and_then(|top| dir::reopen(top.as_fd(), For::Reading))
                .and_then(|top| DirHandle::top(top, For::Reading, &HandleCache::new(OPEN)));
            let mut dirs = Vec::new();
            dirs.extend(top.map(|top| top.place));
            while let Some(place) = dirs.pop() {
                let Ok(handle) = place.open() else { continue };
                let names = dir::list_all(handle.as_fd(), For::Reading).unwrap_or_default();
                for entry in names.iter() {
                    if entry.kind.is_none_or(|kind| kind == Kind::Dir) {
                        let below = place.enter(entry.name, For::Reading);
                        dirs.extend(below.map(|below| below.place));
                    }
                    let is_it = entry.ino == key.0
                        && stat::look(handle.as_fd(), entry.name, Fresh::WithBirth)
                            .is_ok_and(|meta| is_inode(&meta, key));
                    if is_it {
                        found.push((dump, place.path().join(entry.name.to_bytes())));
                    }
                }
            }
        }
        found
    }

    /// Removes inodes that were replaced, if one of their names is at or below one
    /// of these paths.
    pub(crate) fn forget_damaged(&self, paths: &[RelPath]) -> Result<(), Fault> {
        let Some(damaged) = self.damaged_dir_if_any() else {
            return Ok(());
        };
        let listed = dir::list_all(damaged.handle.as_fd(), For::Reading);
        let listed = listed.map_err(Fault::at(Op::List, &damaged.path))?;
        for entry in listed.iter() {
            let Some((base, leaf)) = DamagedLeaf::parse(entry.name.to_bytes()) else {
                continue;
            };
            if !matches!(leaf, DamagedLeaf::Note | DamagedLeaf::Healing) {
                continue;
            }
            let note = damaged.read_note(base, leaf);
            let goes = note.is_none_or(|note| {
                let mut names = note.names.iter();
                names.any(|(_, name)| paths.iter().any(|path| name.is_at_or_below(path)))
            });
            if goes {
                for leaf in [DamagedLeaf::Old, DamagedLeaf::New, DamagedLeaf::Link, leaf] {
                    damaged.remove(base, leaf)?;
                }
            }
        }
        disk::sync(&damaged.handle).map_err(Fault::at(Op::Sync, &damaged.path))
    }
}
