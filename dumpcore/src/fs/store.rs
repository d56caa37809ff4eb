//! Storing one entry: its data, then its attributes.
//!
//! A regular file has its times only when it is whole: that is how a later run
//! knows one that was left half-written.
//!
//! An entry is made under a name that is free, as somebody's own private
//! one. Nothing that exists is ever written to.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

use crate::fs::given::Given;
use crate::fs::inspect::{self, Attributes};
use crate::model::chain::about;
use crate::model::fault::{Op, OpError, Side};
use crate::model::loss::Losses;
use crate::model::metadata::{ACL_ACCESS, ACL_DEFAULT, Capabilities, Kind, Meta, Time, Xattrs};
use crate::policy::content_hash::{ContentHash, Hasher};
use crate::sys::pages::Pages;
use crate::sys::xattr::Subject;
use crate::sys::{disk, errno, file, link, stat, xattr};

/// A name in an open directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameAt<'a> {
    pub(crate) dir: BorrowedFd<'a>,
    pub(crate) name: &'a CStr,
}

/// A file of the reference that holds the same data, and lends its blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lender<'a> {
    pub(crate) at: NameAt<'a>,
    /// Its data may be another, though size and time are the same.
    pub(crate) doubted: bool,
}

/// From where the data of a copy are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DataFrom<'a> {
    /// The source itself.
    Source,
    /// This file's blocks, where the filesystem can share them; else the source.
    Lender(Lender<'a>),
    /// The source; blocks that are the same in this file, an older version, are
    /// shared with it where the filesystem can.
    OlderVersion(NameAt<'a>),
    /// Another file, which holds what the source held when it was stored.
    GoodCopy(&'a OwnedFd),
}

/// What storing an entry came to.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The source as it was when it was read.
    pub(crate) meta: Meta,
    /// How many bytes were stored; the size seen before may differ.
    pub(crate) bytes: u64,
    /// What was made, when it was whole.
    pub(crate) made: Meta,
    /// Attributes that could not be read or stored; the entry itself is.
    pub(crate) losses: Vec<OpError>,
    /// Attributes that this runner cannot keep of any entry.
    pub(crate) left_out: Losses,
    /// It kept changing while it was read.
    pub(crate) unstable: bool,
    /// It has no extended attributes.
    pub(crate) bare: bool,
    /// Its extended attributes and ACLs, where they are known.
    pub(crate) kept: Option<Xattrs>,
    /// The hash of a file's contents, where it was asked for, they were copied
    /// by this process, and the file held still.
    pub(crate) hash: Option<ContentHash>,
}

impl Stored {
    fn of(meta: Meta, made: Meta, given: Given, read: Attributes) -> Self {
        let mut losses = given.losses;
        losses.extend(read.unread);
        Self {
            meta,
            bytes: meta.size,
            made,
            losses,
            left_out: read.left_out,
            unstable: false,
            bare: read.xattrs.is_empty(),
            kept: given.xattrs,
            hash: None,
        }
    }
}

/// What a file held, when it was stored.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) bytes: u64,
    pub(super) hash: Option<ContentHash>,
}

/// Why an entry was not stored.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// It is not what it was when it was looked at: look again.
    Changed,
    /// An act failed.
    Op(OpError),
    /// What was half made could not be removed: it must not be published.
    HalfMade(OpError),
    /// The run was asked to stop.
    Stopped,
}

impl From<OpError> for StoreError {
    fn from(op_error: OpError) -> Self {
        StoreError::Op(op_error)
    }
}

/// How many times a file is read that changes while it is read.
const TRIES: u32 = 3;

/// Stores entries: what a run knows, and buffers that are used again.
#[derive(Debug)]
pub(crate) struct EntryWriter<'a> {
    pub(super) capabilities: &'a Capabilities,
    pub(super) pages: Pages,
    /// How much is copied at once, at most.
    pub(super) step: usize,
    /// Is the source a published dump?
    from_dump: bool,
    /// Is each file and directory flushed by itself?
    flushing: bool,
    /// Takes the hashes, where they are asked for.
    pub(super) hasher: Option<Hasher>,
    pub(super) buffer: Vec<u8>,
    pub(super) second: Vec<u8>,
}

impl<'a> EntryWriter<'a> {
    pub(crate) fn new(capabilities: &'a Capabilities, pages: Pages) -> Self {
        Self {
            capabilities,
            pages,
            step: usize::MAX,
            from_dump: false,
            flushing: false,
            hasher: None,
            buffer: Vec::new(),
            second: Vec::new(),
        }
    }

    /// Copies no more than this at once.
    pub(crate) fn by(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// Says that the source is a published dump. Nobody writes to its files,
    /// but other dumps link to them and are removed, which moves their ctime.
    pub(crate) fn reading_a_dump(self, from_dump: bool) -> Self {
        Self { from_dump, ..self }
    }

    /// Flushes each file and directory by itself, when it is whole.
    pub(crate) fn flushing(self, flushing: bool) -> Self {
        Self { flushing, ..self }
    }

    /// Flushes a file or directory that is whole, where nothing else does.
    pub(crate) fn flush(&self, made: impl AsFd) -> Result<(), OpError> {
        if !self.flushing {
            return Ok(());
        }
        match disk::sync(made) {
            // Some servers have nothing to flush, and say so.
            Err(e) if !errno::is_unsupported(&e) => Err(OpError::target(Op::Sync, e)),
            _ => Ok(()),
        }
    }

    /// The same of a file that an earlier run stored.
    pub(crate) fn flush_kept(&self, at: NameAt<'_>) -> Result<(), OpError> {
        if !self.flushing {
            return Ok(());
        }
        let file = file::open_file(at.dir, at.name).map_err(|e| OpError::target(Op::Open, e))?;
        self.flush(&file)
    }

    /// Takes the hash of contents while they are copied.
    pub(crate) fn hashing(self, yes: bool) -> Self {
        let hasher = if yes { Hasher::new() } else { None };
        Self { hasher, ..self }
    }

    /// Copies a regular file. `looked` is what it was when it was looked at,
    /// and its size is only a hint unless it is a `true_size`.
    ///
    /// `keep_going` is called with the bytes copied, and says whether to
    /// continue.
    pub(crate) fn file(
        &mut self,
        from: NameAt<'_>,
        to: NameAt<'_>,
        looked: &Meta,
        true_size: bool,
        data: DataFrom<'_>,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Stored, StoreError> {
        let source = match file::open_file(from.dir, from.name) {
            Err(e) if errno::has_changed(&e) => return Err(StoreError::Changed),
            other => other.map_err(|e| OpError::source(Op::Open, e))?,
        };
        for attempt in 1..=TRIES {
            let before = self.settled(&source, keep_going)?;
            if before.id() != looked.id() || before.kind != Kind::File {
                return Err(StoreError::Changed);
            }
            let read = inspect::attributes(Subject::Open(source.as_fd()), self.capabilities)?;
            let target = file::create_file(to.dir, to.name);
            let target = target.map_err(|e| OpError::target(Op::Create, e))?;
            let data_of = match data {
                DataFrom::GoodCopy(copy) => copy,
                DataFrom::Source | DataFrom::Lender(_) | DataFrom::OlderVersion(_) => &source,
            };
            let copied = self.contents(data_of, &target, &before, true_size, data, keep_going);
            let outcome = copied.and_then(|Contents { bytes, hash }| {
                let after = stat::look_at(&source).map_err(|e| OpError::source(Op::Stat, e))?;
                let whole = !true_size || bytes == before.size;
                let steady = whole && self.unchanged(&before, &after);
                if !steady && attempt < TRIES {
                    return Ok(None);
                }
                let mut as_read = before;
                let stored = |meta: &Meta| self.capabilities.storable_time(meta.mtime);
                if !steady && stored(&after) == stored(&before) {
                    // The next run must not take it for unchanged.
                    as_read.mtime = earlier(before.mtime, self.capabilities);
                }
                let subject = Subject::Open(target.as_fd());
                let given = self.attributes(subject, &as_read, &read.xattrs)?;
                self.flush(&target)?;
                let made = made_whole(&target, bytes)?;
                Ok(Some(Stored {
                    bytes,
                    unstable: !steady,
                    hash: hash.filter(|_| steady),
                    ..Stored::of(before, made, given, read)
                }))
            });
            match outcome {
                Ok(Some(stored)) => return Ok(stored),
                Ok(None) => discard(to).map_err(half_made)?,
                Err(missed) => return Err(undo(to, missed)),
            }
        }
        Err(StoreError::Changed)
    }

    /// Waits until the file's time is settled, and looks at it.
    fn settled(
        &self,
        source: &OwnedFd,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Meta, StoreError> {
        let look = || stat::look_born(source).map_err(|e| OpError::source(Op::Stat, e));
        let meta = look()?;
        if self.from_dump {
            return Ok(meta);
        }
        let step = self.capabilities.time_step;
        let Some(wait) = inspect::racy_for(meta.mtime, step, SystemTime::now()) else {
            return Ok(meta);
        };
        std::thread::sleep(wait);
        if !keep_going(0) {
            return Err(StoreError::Stopped);
        }
        // One that is written all the time is never settled: it is read as
        // it is, and found to change.
        Ok(look()?)
    }

    /// Nothing that a reader could notice happened between two looks.
    fn unchanged(&self, before: &Meta, after: &Meta) -> bool {
        let same = before.mtime == after.mtime && before.size == after.size;
        same && (self.from_dump || before.ctime == after.ctime)
    }

    /// Makes a symlink like the one at `from`.
    pub(crate) fn symlink(
        &self,
        from: NameAt<'_>,
        to: NameAt<'_>,
        target: &CString,
        meta: &Meta,
    ) -> Result<Stored, StoreError> {
        link::symlink(target, to.dir, to.name).map_err(|e| OpError::target(Op::Create, e))?;
        self.made(from, to, meta)
    }

    /// Makes a FIFO, socket or device like the one at `from`.
    pub(crate) fn special(
        &self,
        from: NameAt<'_>,
        to: NameAt<'_>,
        meta: &Meta,
    ) -> Result<Stored, StoreError> {
        link::make_special(to.dir, to.name, meta.kind, meta.rdev)
            .map_err(|e| OpError::target(Op::Create, e))?;
        self.made(from, to, meta)
    }

    /// Gives what was just made at `to` the attributes of what is at `from`.
    fn made(&self, from: NameAt<'_>, to: NameAt<'_>, meta: &Meta) -> Result<Stored, StoreError> {
        let outcome = || {
            let source = Subject::Named(from.dir, from.name);
            let read = inspect::attributes(source, self.capabilities)?;
            let given = self.attributes(Subject::Named(to.dir, to.name), meta, &read.xattrs)?;
            let made = inspect::look_in_dump(to.dir, to.name);
            let made = made.map_err(|e| OpError::target(Op::Stat, e))?;
            Ok(Stored::of(*meta, made, given, read))
        };
        outcome().map_err(|missed| undo(to, missed))
    }

    /// Makes a directory that a run left behind private again: its owner's
    /// alone, and without a default ACL that new entries would inherit.
    ///
    /// The permission bits are the first to go, so that at no instant anyone may
    /// do more in it than before. With an ACL they take its mask away, which
    /// would else become the group's. The owner may write after that, which
    /// attributes `user.*` need.
    pub(crate) fn take_over(&self, directory: BorrowedFd<'_>) -> Result<(), OpError> {
        let uid = self.capabilities.uid;
        let gid = self.capabilities.gid;
        let set_mode = |mode| {
            let set = file::set_mode(directory, mode);
            set.map_err(|e| OpError::target(Op::SetMode, e))
        };
        let meta = stat::look_at(directory).map_err(|e| OpError::target(Op::Stat, e))?;
        if meta.uid != uid || meta.gid != gid {
            // Its owner until now gets nothing that it did not have.
            set_mode(meta.mode & PRIVATE)?;
            file::set_owner(directory, uid, gid).map_err(|e| OpError::target(Op::SetOwner, e))?;
        }
        set_mode(PRIVATE)?;
        let subject = Subject::Open(directory);
        let all = xattr::read(subject, |_| true).map_err(|e| OpError::target(Op::ReadXattr, e))?;
        for (name, _) in all.iter().filter(|(name, _)| removable(name)) {
            xattr::remove(subject, name).map_err(|e| OpError::target(Op::SetXattr, e))?;
        }
        // A security module may keep its label; then the source has one, too.
        for (name, _) in all.iter().filter(|(name, _)| is_label(name)) {
            let _ = xattr::remove(subject, name);
        }
        // Some filesystems make permission bits of an ACL that is removed.
        match all.get(ACL_ACCESS) {
            Some(_) => set_mode(PRIVATE),
            None => Ok(()),
        }
    }
}

/// The permission bits of a directory that is being filled.
const PRIVATE: u16 = 0o700;

/// Attributes that a directory does not need while it is filled.
fn removable(name: &[u8]) -> bool {
    name == ACL_ACCESS
        || name == ACL_DEFAULT
        || name.starts_with(b"user.")
        || name.starts_with(b"trusted.") && !name.starts_with(b"trusted.SGI_ACL_")
}

fn is_label(name: &[u8]) -> bool {
    name.starts_with(b"security.")
}

/// A file that was made, if it has this many bytes: else it is not what was read,
/// whatever the disk did with it.
fn made_whole(made: &OwnedFd, bytes: u64) -> Result<Meta, OpError> {
    let made = stat::look_born(made).map_err(|e| OpError::target(Op::Stat, e))?;
    if made.size == bytes {
        return Ok(made);
    }
    Err(OpError::target(Op::Write, errno::cut_short()))
}

/// Removes what was made at a spot.
pub(crate) fn discard(name_at: NameAt<'_>) -> Result<(), OpError> {
    link::remove(name_at.dir, name_at.name).map_err(|e| OpError::target(Op::Remove, e))
}

/// Removes what was only tried, if it was made: where it stays, nothing may be
/// published.
pub(crate) fn discard_trial(name_at: NameAt<'_>) -> Result<(), StoreError> {
    match discard(name_at) {
        Err(stays) if !errno::is_missing(&stays.cause) => Err(half_made(stays)),
        _ => Ok(()),
    }
}

/// What a file shows that was given this modification time; it stays there.
pub(crate) fn try_time(to: NameAt<'_>, mtime: Time) -> Result<Time, OpError> {
    let file = file::create_file(to.dir, to.name).map_err(|e| OpError::target(Op::Create, e))?;
    // One that refuses a time leaves the present, which is the time of no entry.
    if let Err(e) = file::set_times(&file, mtime, mtime)
        && errno::is_disk_refusal(&e)
    {
        return Err(OpError::target(Op::SetTimes, e));
    }
    let made = stat::look_at(&file).map_err(|e| OpError::target(Op::Stat, e))?;
    Ok(made.mtime)
}

/// Removes what is half made, and must not stand. The first failure is the one
/// to tell of, unless it would let the run continue and publish half.
fn undo(to: NameAt<'_>, missed: StoreError) -> StoreError {
    match (discard(to), missed) {
        (Ok(()), missed) | (_, missed @ StoreError::Stopped) => missed,
        (Err(stays), missed) if errno::is_missing(&stays.cause) => missed,
        (Err(_), StoreError::Op(first))
            if first.side == Side::Target && errno::is_disk_refusal(&first.cause) =>
        {
            StoreError::HalfMade(first)
        }
        (Err(stays), _) => half_made(stays),
    }
}

/// What stays, since it could not be removed.
fn half_made(stays: OpError) -> StoreError {
    let OpError { side, op, cause } = stays;
    let cause = about("it is incomplete and would be published", cause);
    StoreError::HalfMade(OpError { side, op, cause })
}

/// The time one step of the dump's filesystem before.
fn earlier(time: Time, capabilities: &Capabilities) -> Time {
    Time::from_nanos(time.as_nanos() - i128::from(capabilities.time_step.max(1)))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
