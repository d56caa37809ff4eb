//! Taking one path out of a dump, and the note by which an erasure that was cut
//! off is finished.
//!
//! An entry leaves a dump by one rename, into the directory of what is being
//! removed: a dump has all of it or nothing. The directory that loses a name gets
//! back the times and the mode that it had. These are noted, durably, before the
//! first name goes.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use crate::fs::dir_handle::{DirHandle, HandleCache};
use crate::fs::{marks, size_marks};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::erase_note::{DirWas, EraseNote};
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::root::removing::Removing;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file, link};

/// How large a note may be.
const MOST: u64 = 1 << 30;
/// What an owner needs to rename something out of a directory.
const OWN: u16 = 0o700;
/// How many directories stay open at most, however deep it goes.
const OPEN: usize = 64;

/// A path in a dump.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) dump: DumpId,
    /// Its directory, below the dump root.
    pub(crate) dir: RelPath,
    pub(crate) name: CString,
    pub(crate) dir_was: DirWas,
    pub(crate) meta: Meta,
    /// 0 until it is asked for, by [`DumpRoot::size_of`].
    pub(crate) size: SpotSize,
}

/// How much is at a spot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpotSize {
    pub(crate) names: u64,
    /// What its directories take themselves.
    pub(crate) dir_bytes: u64,
}

impl Spot {
    /// Its path below the dump root.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(self.name.to_bytes()).as_path().to_path_buf()
    }
}

impl DumpRoot {
    /// A path in a dump; `None` when it does not have it.
    pub(crate) fn spot(&self, dump: DumpId, within: &RelPath) -> Result<Option<Spot>, Fault> {
        let path = within.below(&self.path().join(dump.path()));
        let name = path.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes);
        let name = c_name(name.unwrap_or_default());
        let above = within.as_path().parent().unwrap_or(Path::new(""));
        let mut below = dump.rel_path();
        for step in above {
            below = below.join(std::os::unix::ffi::OsStrExt::as_bytes(step));
        }
        let looked = self.open_dump(&below).and_then(|dir| {
            let meta = stat::look(dir.as_fd(), &name, Fresh::AsStat)?;
            Ok((stat::look_at(&dir)?, meta))
        });
        match looked {
            Ok((dir, meta)) => Ok(Some(Spot {
                dump,
                dir: below,
                name,
                dir_was: DirWas {
                    atime: dir.atime,
                    mtime: dir.mtime,
                    mode: dir.mode,
                },
                meta,
                size: SpotSize::default(),
            })),
            Err(e) if errno::has_changed(&e) || errno::is_missing(&e) => Ok(None),
            Err(e) => Err(Fault::new(Op::Open, path, e)),
        }
    }

    /// Has a dump this path that has left its name? What cannot be looked at may.
    pub(crate) fn is_on_its_way_out(&self, within: &RelPath) -> bool {
        let Some(removing) = self.removing_if_any() else {
            return false;
        };
        let Ok(leaves) = removing.rests() else {
            return true;
        };
        let path = within.as_bytes();
        let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        let has = |leaf: &CString| {
            let below = [layout::STATE_DIR, layout::REMOVING].map(str::as_bytes);
            let below = below.into_iter().chain([leaf.to_bytes(), above]);
            let below = below.fold(RelPath::root(), |path, step| path.join(step));
            let dir = self.open_dump(&below);
            let looked = dir.and_then(|dir| stat::look(dir.as_fd(), &c_name(name), Fresh::AsStat));
            !looked.is_err_and(|e| errno::has_changed(&e) || errno::is_missing(&e))
        };
        leaves.iter().any(has)
    }

    /// How much a spot is, with all below it. What cannot be listed does not count.
    pub(crate) fn size_of(&self, spot: &Spot, keep_going: &dyn Fn() -> bool) -> SpotSize {
        let mut size = SpotSize {
            names: 1,
            dir_bytes: 0,
        };
        let mut left = Vec::new();
        if spot.meta.kind == Kind::Dir {
            let opened = self
                .open_dump(&spot.dir.join(spot.name.to_bytes()))
                .and_then(|top| dir::reopen(top.as_fd(), For::Reading))
                .and_then(|top| DirHandle::top(top, For::Reading, &HandleCache::new(OPEN)));
            left.extend(opened.map(|top| top.place));
        }
        while let Some(place) = left.pop() {
            let Ok(handle) = place.open() else { continue };
            let meta = stat::look_at(&handle);
            size.dir_bytes += meta.map_or(0, |meta| meta.blocks.saturating_mul(512));
            let names = dir::list_all(handle.as_fd(), For::Reading).unwrap_or_default();
            for entry in names.iter() {
                size.names += 1;
                let is_dir = entry.kind.is_none_or(|kind| kind == Kind::Dir);
                if is_dir && keep_going() {
                    let below = place.enter(entry.name, For::Reading);
                    left.extend(below.map(|below| below.place));
                }
            }
        }
        size
    }

    /// What is mounted at a spot, or below it.
    pub(crate) fn mounted_at(&self, spot: &Spot) -> io::Result<Option<PathBuf>> {
        self.mounted_in(&self.path().join(spot.path()))
    }

    /// How many names a dump says that it has.
    pub(crate) fn noted_names(&self, dump: DumpId) -> Option<u64> {
        size_marks::names(&self.open_dump(&dump.rel_path()).ok()?)
    }

    /// Lets a dump say how many names it has.
    pub(crate) fn note_names(&self, dump: DumpId, names: u64) -> Result<(), Fault> {
        let noted = self.open_dump(&dump.rel_path()).and_then(|handle| {
            let handle = dir::reopen(handle.as_fd(), For::Reading)?;
            marks::put(
                &handle,
                layout::NAMES_XATTR,
                Some(names.to_string().as_bytes()),
            )?;
            // With another number than it has, it would count as half a dump.
            match size_marks::names(&handle).is_none_or(|noted| noted == names) {
                true => disk::sync_alone(&handle),
                false => Err(io::Error::other("its number of entries cannot be noted")),
            }
        });
        noted.map_err(|e| Fault::new(Op::SetXattr, self.path().join(dump.path()), e))
    }

    /// Renames a spot into the directory of what is being removed. Returns its
    /// name there. `before`: how many of the same dump went there just before, whose
    /// names are taken.
    pub(crate) fn take_out(
        &self,
        spot: &Spot,
        before: u32,
        to: &Removing,
    ) -> Result<CString, Fault> {
        let path = self.path().join(spot.path());
        let failed = |op| Fault::at(op, &path);
        let dir = self.open_to_change(&spot.dir).map_err(failed(Op::Open))?;
        let mut again = before;
        loop {
            let leaf = c_name(layout::removing_leaf(&spot.dump.path(), again).as_bytes());
            let from = (dir.as_fd(), spot.name.as_c_str());
            match link::rename_new(from.0, from.1, to.handle.as_fd(), &leaf) {
                Ok(()) => return Ok(leaf),
                Err(e) if errno::is_taken(&e) => again += 1,
                // Moving a directory needs write permission on it.
                Err(e) if errno::is_not_permitted(&e) && spot.meta.mode & OWN != OWN => {
                    if spot.meta.kind != Kind::Dir {
                        return Err(failed(Op::Rename)(e));
                    }
                    link::set_mode_of_dir(from.0, from.1, OWN).map_err(failed(Op::SetMode))?;
                    let moved = link::rename_new(from.0, from.1, to.handle.as_fd(), &leaf);
                    if moved.is_err() {
                        // It stays in the dump, and as it was.
                        let _ = link::set_mode_of_dir(from.0, from.1, spot.meta.mode);
                    }
                    return moved.map(|()| leaf).map_err(failed(Op::Rename));
                }
                Err(e) => return Err(failed(Op::Rename)(e)),
            }
        }
    }

    /// Gives a directory back the times and the mode that it had, and flushes what
    /// was renamed in it where a flush of all does not.
    pub(crate) fn put_back(&self, below: &[u8], was: &DirWas) -> Result<(), Fault> {
        let path = RelPath::from_bytes(below);
        let put = self.open_dump(&path).and_then(|dir| {
            let dir = dir::reopen(dir.as_fd(), For::Reading)?;
            let is = stat::look_at(&dir)?;
            if is.mode != was.mode {
                file::set_mode(&dir, was.mode)?;
            }
            // Where nothing could be renamed, no times can be set either.
            if (is.atime, is.mtime) != (was.atime, was.mtime) {
                file::set_times(&dir, was.atime, was.mtime)?;
            }
            Ok(dir)
        });
        let failed = |op| {
            let path = path.below(self.path());
            move |e| Fault::new(op, path, e)
        };
        match put {
            // The dump was removed since.
            Err(e) if errno::has_changed(&e) || errno::is_missing(&e) => Ok(()),
            put => disk::sync_alone(put.map_err(failed(Op::SetTimes))?).map_err(failed(Op::Sync)),
        }
    }

    /// Opens a directory of a dump to rename a name out of it; one that its owner
    /// may not write to is opened to them, since directories are never shared.
    pub(crate) fn open_to_change(&self, below: &RelPath) -> io::Result<OwnedFd> {
        let dir = self.open_dump(below)?;
        let dir = dir::reopen(dir.as_fd(), For::Reading)?;
        let mode = stat::look_at(&dir)?.mode;
        if mode & OWN != OWN && disk::whoami().0 != 0 {
            let _ = file::set_mode(&dir, mode | OWN);
        }
        Ok(dir)
    }

    /// The note of an erasure that was cut off.
    pub(crate) fn erase_note(&self) -> Result<Option<EraseNote>, Error> {
        let path = Path::new(layout::STATE_DIR).join(layout::ERASING);
        let failed = |e| self.failed(Op::Read, &path, e);
        let name = c_name(layout::STATE_DIR.as_bytes());
        let state = match dir::open_dir(self.handle().as_fd(), &name, For::Reading) {
            Err(e) if errno::is_missing(&e) => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let note = c_name(layout::ERASING.as_bytes());
        let text = match file::open_file(state.as_fd(), &note) {
            Err(e) if errno::is_missing(&e) => return Ok(None),
            opened => opened
                .and_then(|opened| file::read_all(opened, MOST))
                .map_err(failed)?,
        };
        let text = String::from_utf8(text).ok();
        let note = text.and_then(|text| EraseNote::parse(&text));
        let odd = || {
            failed(io::Error::other(
                "it is not a note of an erasure; remove it",
            ))
        };
        note.ok_or_else(odd).map(Some)
    }

    /// Notes what is about to be erased, durably.
    pub(crate) fn put_erase_note(&self, note: &EraseNote) -> Result<(), Error> {
        let path = Path::new(layout::STATE_DIR).join(layout::ERASING);
        let state = self.state_dir()?;
        let (new, name) = (
            c_name(layout::fresh_link(layout::ERASING).as_bytes()),
            c_name(layout::ERASING.as_bytes()),
        );
        let put = || {
            let _ = link::remove(state.as_fd(), &new);
            let made = file::create_file(state.as_fd(), &new)?;
            file::write_all(made.as_fd(), note.text().as_bytes())?;
            disk::sync(&made)?;
            link::rename_over(state.as_fd(), &new, state.as_fd(), &name)?;
            disk::sync(&state)
        };
        put().map_err(|e| self.failed(Op::Write, &path, e))
    }

    /// All that was noted is done, and flushed.
    pub(crate) fn end_erase_note(&self) -> Result<(), Error> {
        let path = Path::new(layout::STATE_DIR).join(layout::ERASING);
        let state = self.state_dir()?;
        let name = c_name(layout::ERASING.as_bytes());
        let ended = match link::remove(state.as_fd(), &name) {
            Err(e) if !errno::is_missing(&e) => Err(e),
            _ => disk::sync(&state),
        };
        ended.map_err(|e| self.failed(Op::Remove, &path, e))
    }
}
