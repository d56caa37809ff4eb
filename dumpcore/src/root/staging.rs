//! The directory where a dump is built, and making it visible.
//!
//! A dump is built under a name that no reader takes for a dump. It becomes
//! visible by one rename, after everything in it has been flushed, and
//! `current` moves to it by another rename, after the first has been flushed:
//! at every instant, power loss included, `current` names a complete dump.
//!
//! The next run can take over what a run left behind. Its watermark tells which
//! part of it has surely reached the disk.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::fs::folding::Folding;
use crate::fs::{marks, size_marks};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::lacking::Lacking;
use crate::model::metadata::{ACL_DEFAULT, Time};
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpId, DumpName, PinName};
use crate::policy::moment;
use crate::root::DumpRoot;
use crate::root::links::{Links, Unpointed};
use crate::root::lock::Hold;
use crate::root::modes::{self, enter_or_make};
use crate::root::watermark::Watermark;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, errno, file, link, stat};

/// What an earlier run left behind, locked exclusively except in a dry run.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) name: DumpName,
    pub(crate) hold: Option<Hold>,
    /// The latest ctime of a file in it, if that is known.
    pub(crate) newest: Option<Time>,
}

/// What is noted about a published dump, on its own directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tells {
    /// When its run began, or the run of the dump that it is a copy of.
    pub(crate) moment: DateTime<Utc>,
    /// What it lacks.
    pub(crate) lacks: Option<Lacking>,
}

/// The directory in which a dump is built. No other run can take it over
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Staging<'a> {
    dump: &'a DumpRoot,
    name: DumpName,
    year: OwnedFd,
    day: OwnedFd,
    handle: OwnedFd,
    hold: Hold,
    /// Was it left behind by an earlier run?
    pub(crate) resumed: bool,
    /// Which dump that expired it was made from.
    pub(crate) recycled: Option<DumpName>,
    /// Which names are one there.
    pub(crate) folding: Folding,
    /// Which part of it has surely reached the disk.
    pub(crate) watermark: Watermark,
}

impl<'a> Staging<'a> {
    /// Makes the directory for a dump, or takes over what a run left behind.
    pub(crate) fn open(
        dump: &'a DumpRoot,
        name: DumpName,
        leftover: Option<Leftover>,
    ) -> Result<Self, Error> {
        let root = dump.handle().as_fd();
        let year_path = PathBuf::from(name.year());
        let year = enter_or_make(root, &name.year())
            .map_err(|e| dump.failed(Op::Create, &year_path, e))?;
        let day_path = year_path.join(name.day());
        let day = enter_or_make(year.as_fd(), &name.day())
            .map_err(|e| dump.failed(Op::Create, &day_path, e))?;
        let path = name.incomplete_path();
        let leaf = c_name(name.incomplete_leaf().as_bytes());
        match &leftover {
            None => {
                let made = dir::make_private(day.as_fd(), &leaf);
                made.map_err(|e| dump.failed(Op::Create, &path, e))?;
            }
            Some(old) if old.name != name => move_here(dump, old.name, day.as_fd(), &leaf)?,
            Some(_) => {}
        }
        let resumed = leftover.is_some();
        let newest = leftover.as_ref().and_then(|leftover| leftover.newest);
        let handle = dir::open_dir(day.as_fd(), &leaf, For::Filling)
            .map_err(|e| dump.failed(Op::Open, &path, e))?;
        let hold = match leftover.and_then(|leftover| leftover.hold) {
            Some(hold) => hold,
            None => Hold::alone(handle.as_fd()).map_err(|e| dump.failed(Op::Open, &path, e))?,
        };
        // The run that was about to publish it may have been killed.
        modes::close(&handle).map_err(|e| dump.failed(Op::SetMode, &path, e))?;
        // Entries in it must not inherit ACLs from the dump root.
        xattr::remove(Subject::Open(handle.as_fd()), ACL_DEFAULT)
            .map_err(|e| dump.failed(Op::SetXattr, &path, e))?;
        let watermark = match resumed {
            true => Watermark::of_leftover(&handle, newest),
            false => Watermark::of_new(&handle),
        };
        let watermark = watermark.map_err(|e| dump.failed(Op::SetXattr, &path, e))?;
        Ok(Self {
            dump,
            name,
            year,
            day,
            handle,
            hold,
            folding: Folding::default(),
            resumed,
            recycled: None,
            watermark,
        })
    }

    /// Says that trees of an expired dump are in it. What a run finds there that
    /// takes it over is not of this run, and is compared.
    pub(crate) fn recycle(&mut self, dump: DumpName) {
        self.recycled = Some(dump);
        self.watermark.take_none();
    }

    /// Did this run find anything in it?
    pub(crate) fn was_filled(&self) -> bool {
        self.resumed || self.recycled.is_some()
    }

    /// May something in it be of an expired dump, taken by this run or by the one
    /// that left it behind?
    pub(crate) fn holds_expired(&self) -> bool {
        self.recycled.is_some() || self.resumed && marks::may_be_recycled(&self.handle)
    }

    /// The directory that is being filled.
    pub(crate) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Its path as long as it is being filled.
    pub(crate) fn path(&self) -> PathBuf {
        self.dump.path().join(self.name.incomplete_path())
    }

    /// Its path when it is published.
    pub(crate) fn published_path(&self) -> PathBuf {
        self.dump.path().join(self.name.path())
    }

    fn day_path(&self) -> PathBuf {
        let below = [self.name.year(), self.name.day()];
        self.dump.path().join(below.iter().collect::<PathBuf>())
    }

    /// Removes that directory again if it is empty, with the day and year
    /// directories: for a run that fails before it stored anything.
    pub(crate) fn abandon(self) {
        let leaf = c_name(self.name.incomplete_leaf().as_bytes());
        drop(self.handle);
        // A directory that is not empty stays: it is not this run's to remove.
        let _ = dir::remove_empty(self.day.as_fd(), &leaf);
        sweep(self.dump, self.name);
    }

    /// Nothing in it is trusted any more: the next run compares it byte by byte.
    pub(crate) fn distrust(&self) {
        self.watermark.distrust();
    }

    /// Flushes all of the dump's filesystem.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let flushed = self.watermark.flush();
        flushed.map_err(|op_error| self.failed(op_error.op, self.path(), op_error.cause))
    }

    /// Notes on the dump how many names it is published with, and how many bytes.
    pub(crate) fn remember_size(&self, names: Option<u64>, bytes: u64) -> Result<(), Error> {
        self.marked(size_marks::put(&self.handle, names, Some(bytes)))
    }

    /// Puts a mark on the dump, or without a value removes that of an earlier run.
    pub(crate) fn mark(&self, name: &str, value: Option<&[u8]>) -> Result<(), Error> {
        self.marked(marks::put(&self.handle, name, value))
    }

    /// The outcome of putting a mark, whose error is the disk's.
    pub(crate) fn marked(&self, outcome: io::Result<()>) -> Result<(), Error> {
        outcome.map_err(|e| self.failed(Op::SetXattr, self.path(), e))
    }

    /// Makes the dump visible, pins it, and points these links at it. It must have
    /// been flushed before. Its directory first gets its marks, the moment as its
    /// modification time (for filesystems that store no marks), and a mode that
    /// is open to all.
    pub(crate) fn publish(
        self,
        tells: &Tells,
        links: &[&str],
        pin: Option<&PinName>,
    ) -> Result<PathBuf, Error> {
        let published = self.make_visible(tells, links, pin);
        if published.is_err() && !self.is_published() {
            // A failure to close it must not hide why it is not published.
            let _ = modes::close(&self.handle);
        }
        published
    }

    fn make_visible(
        &self,
        tells: &Tells,
        links: &[&str],
        pin: Option<&PinName>,
    ) -> Result<PathBuf, Error> {
        let published = self.published_path();
        self.watermark.remove();
        if self.was_filled() {
            self.mark(layout::RECYCLED_XATTR, None)?;
        }
        let sync =
            |what: &OwnedFd, path| disk::sync(what).map_err(|e| self.failed(Op::Sync, path, e));
        self.mark_published(tells)?;
        modes::open_to_all(&self.handle).map_err(|e| self.failed(Op::SetMode, self.path(), e))?;
        let moment = Time::new(
            tells.moment.timestamp(),
            tells.moment.timestamp_subsec_nanos(),
        );
        file::set_times(&self.handle, moment, moment)
            .map_err(|e| self.failed(Op::SetTimes, self.path(), e))?;
        sync(&self.handle, self.path())?;
        // Everything that needs space is made before anything becomes visible.
        Links::new(self.dump, self.name).make(links)?;
        let incomplete = c_name(self.name.incomplete_leaf().as_bytes());
        let leaf = c_name(self.name.leaf().as_bytes());
        let day = self.day.as_fd();
        self.hold.share();
        match link::rename_new(day, &incomplete, day, &leaf) {
            Ok(()) => {}
            Err(e) if errno::is_taken(&e) => return Err(Error::NameTaken { path: published }),
            Err(e) => return Err(self.failed(Op::Rename, self.path(), e)),
        }
        let pointed = self.is_in_place().and_then(|()| self.sync_names());
        let pointed = pointed.and_then(|()| self.pin(pin));
        let pointed = pointed.map_err(Unpointed::as_before);
        let pointed = pointed.and_then(|()| {
            let put = Links::new(self.dump, self.name).put(links);
            put.inspect_err(|_| self.take_back(pin))
        });
        match pointed {
            Ok(()) => Ok(published),
            Err(Unpointed { error, as_before }) => {
                // A dump that no link names must not look published.
                if as_before {
                    let _ = link::rename_new(day, &leaf, day, &incomplete);
                }
                Err(error)
            }
        }
    }

    /// Keeps the dump under a name.
    fn pin(&self, name: Option<&PinName>) -> Result<(), Error> {
        match name {
            Some(name) => Ok(self.dump.put_pin(DumpId::Dump(self.name), name)?),
            None => Ok(()),
        }
    }

    /// Removes the pin of a dump that is not published after all.
    fn take_back(&self, name: Option<&PinName>) {
        if let Some(name) = name {
            let _ = self.dump.unpin(name);
        }
    }

    /// Gives the dump a token of its own.
    pub(crate) fn mark_token(&self) -> Result<(), Error> {
        self.mark(layout::TOKEN_XATTR, Some(marks::fresh_token().as_bytes()))
    }

    /// Says of which copy it was imported, or that it was not.
    pub(crate) fn mark_origin(&self, origin: Option<&[u8]>) -> Result<(), Error> {
        self.mark(layout::ORIGIN_XATTR, origin)
    }

    /// Writes the marks of a published dump.
    fn mark_published(&self, tells: &Tells) -> Result<(), Error> {
        // Without marks, the directory's time tells nearly as much.
        let moment = moment::text(&tells.moment);
        self.mark(layout::MOMENT_XATTR, Some(moment.as_bytes()))?;
        let subject = Subject::Open(self.handle.as_fd());
        let partial = layout::PARTIAL_XATTR.as_bytes();
        let marked = match tells.lacks.map(layout::partial_mark) {
            None => xattr::remove(subject, partial),
            Some(mark) => xattr::set(subject, partial, mark.as_bytes()),
        };
        match marked {
            Err(e) if errno::is_disk_refusal(&e) => Err(self.failed(Op::SetXattr, self.path(), e)),
            // The filesystem stores no marks.
            _ => Ok(()),
        }
    }

    fn is_published(&self) -> bool {
        self.is_in_place().is_ok()
    }

    /// Does its name still lead to what was made? Somebody may have moved it, or
    /// a directory above it, and put another in its place.
    fn is_in_place(&self) -> Result<(), Error> {
        let path = self.name.path();
        let below = RelPath::from_bytes(path.as_os_str().as_bytes());
        let id = |handle: &OwnedFd| stat::look_at(handle).map(|meta| meta.id());
        let there = self.dump.open_dump(&below);
        let cause = match there.and_then(|there| Ok(id(&there)? == id(&self.handle)?)) {
            Ok(true) => return Ok(()),
            Ok(false) => {
                io::Error::other("it was replaced by another directory while it was being made")
            }
            Err(cause) => cause,
        };
        Err(self.failed(Op::Open, self.dump.path().join(path), cause))
    }

    /// Flushes the directories that lead to the dump.
    fn sync_names(&self) -> Result<(), Error> {
        let day = self.day_path();
        disk::sync(&self.day).map_err(|e| self.failed(Op::Sync, day.clone(), e))?;
        disk::sync(&self.year).map_err(|e| self.failed(Op::Sync, day, e))?;
        disk::sync(self.dump.handle())
            .map_err(|e| self.failed(Op::Sync, self.dump.path().to_path_buf(), e))
    }

    fn failed(&self, op: Op, path: PathBuf, cause: io::Error) -> Error {
        self.dump.refuses(Fault::new(op, path, cause), None)
    }
}

/// Moves what a run of another minute left behind to the place of this dump.
fn move_here(
    dump: &DumpRoot,
    old: DumpName,
    day: BorrowedFd<'_>,
    leaf: &CString,
) -> Result<(), Error> {
    let failed = |e| dump.failed(Op::Rename, &old.incomplete_path(), e);
    let old_day = dir::open_dir(
        dump.handle().as_fd(),
        &c_name(old.year().as_bytes()),
        For::Passing,
    );
    let old_day = old_day
        .and_then(|year| dir::open_dir(year.as_fd(), &c_name(old.day().as_bytes()), For::Passing))
        .map_err(failed)?;
    let old_leaf = c_name(old.incomplete_leaf().as_bytes());
    link::rename_new(old_day.as_fd(), &old_leaf, day, leaf).map_err(failed)?;
    sweep(dump, old);
    Ok(())
}

/// Removes the day and year directories of a dump that is not there, if
/// nothing else is in them.
pub(crate) fn sweep(dump: &DumpRoot, name: DumpName) {
    let root = dump.handle().as_fd();
    let (year, day) = (
        c_name(name.year().as_bytes()),
        c_name(name.day().as_bytes()),
    );
    // Each call fails, as intended, when something is left in the directory.
    if let Ok(handle) = dir::open_dir(root, &year, For::Passing) {
        let _ = dir::remove_empty(handle.as_fd(), &day);
    }
    let _ = dir::remove_empty(root, &year);
}
