//! An opened dump root: its lock, its links, what its filesystem can do.
//!
//! A dump root is opened once, by the path that a person gave; everything in
//! it is reached from that handle by single names. No symlink but `current` and
//! `current_chk` is read, and none is followed: a user who may write in the dump
//! root cannot lead a run out of it.
//!
//! It is locked by a file in a directory of the runner's own, see [`lock`].

pub(crate) mod damaged;
pub(crate) mod erasing;
pub(crate) mod exclude_file;
pub(crate) mod find;
pub(crate) mod first_dump;
pub(crate) mod links;
pub(crate) mod listing;
pub(crate) mod lock;
pub(crate) mod lost;
pub(crate) mod modes;
mod names;
pub(crate) mod pins;
pub(crate) mod removing;
pub(crate) mod staging;
pub(crate) mod stuck;
pub(crate) mod watermark;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use crate::fs::marks;
use crate::model::error::{BadLink, Error};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpId, DumpName, LinkTarget, Sort};
use crate::root::listing::{Dumps, Listing};
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, link, path};

/// An opened dump root.
///
/// ```no_run
/// use dumpcore::DumpRoot;
///
/// let dump = DumpRoot::open("/dump")?;
/// for name in dump.list()? {
///     println!("{}", dump.listing().path(name).display());
/// }
/// // Nobody else writes here until the lock is dropped.
/// let lock = dump.lock()?;
/// assert!(dump.current_name()?.is_some());
/// # drop(lock);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Debug)]
pub struct DumpRoot {
    path: PathBuf,
    handle: OwnedFd,
    local_state: Option<PathBuf>,
}

impl DumpRoot {
    /// Opens a dump root; the path may lead through symlinks.
    ///
    /// # Errors
    /// [`Error::DumpUnusable`] when it is missing or not a directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match dir::open_root(&path, For::Reading) {
            Ok(handle) => Ok(Self {
                path,
                handle,
                local_state: None,
            }),
            Err(cause) => Err(Error::DumpUnusable { path, cause }),
        }
    }

    /// Where this machine keeps what it remembers of dump roots that cannot hold
    /// it themselves, on a network or in user space; see
    /// [`RunOptions::local_state`](crate::RunOptions::local_state).
    #[must_use]
    pub fn with_local_state(mut self, directory: impl Into<Option<PathBuf>>) -> Self {
        self.local_state = directory.into();
        self
    }

    #[cfg(feature = "catalog")]
    pub(crate) fn local_state(&self) -> Option<&Path> {
        self.local_state.as_deref()
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its dumps and checkpoints.
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing::new(&self.path)
    }

    /// Its published dumps and checkpoints, the oldest first.
    ///
    /// # Errors
    /// A [`Fault`] when a directory of it cannot be listed.
    pub fn list(&self) -> Result<Vec<DumpName>, Fault> {
        let listing = self.listing();
        let dumps: Dumps<'_> = listing.oldest_first(..);
        dumps.map(|dump| Ok(dump?.name)).collect()
    }

    /// The dump that `current` names, as a path; `None` when there is no
    /// such link.
    ///
    /// # Errors
    /// [`Error::BadCurrent`] when it does not name a dump,
    /// [`Error::DumpUnusable`] when it cannot be read.
    pub fn current(&self) -> Result<Option<PathBuf>, Error> {
        Ok(self
            .link(layout::CURRENT)?
            .map(|current| current.dir.below(&self.path)))
    }

    /// The dump that `current` names; `None` when there is no such link.
    ///
    /// # Errors
    /// As for [`DumpRoot::current`].
    pub fn current_name(&self) -> Result<Option<DumpId>, Error> {
        let current = self.link(layout::CURRENT)?;
        Ok(current.map(|current| current.name.map_or(DumpId::First, DumpId::Dump)))
    }

    /// How old the dump is that `current` names: the time from its moment to
    /// `now`, negative when its moment is later. `None` when there is no such
    /// link, or it names a first copy, whose age is unknown.
    ///
    /// ```no_run
    /// use dumpcore::{DumpRoot, chrono::TimeDelta};
    /// use std::time::SystemTime;
    ///
    /// let age = DumpRoot::open("/dump")?.age(SystemTime::now())?;
    /// if age.is_none_or(|age| age > TimeDelta::hours(25)) {
    ///     println!("no dump since yesterday");
    /// }
    /// # Ok::<(), dumpcore::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`DumpRoot::current`].
    pub fn age(&self, now: impl Into<DateTime<Utc>>) -> Result<Option<TimeDelta>, Error> {
        let named = self.current_name()?.and_then(|dump| dump.name());
        Ok(named.map(|name| now.into() - self.listing().moment(name)))
    }

    /// The checkpoint that `current_chk` names, as a path; `None` when there
    /// is no such link.
    ///
    /// # Errors
    /// As for [`DumpRoot::current`].
    pub fn current_checkpoint(&self) -> Result<Option<PathBuf>, Error> {
        Ok(self
            .link(layout::CURRENT_CHECKPOINT)?
            .map(|checkpoint| checkpoint.dir.below(&self.path)))
    }

    /// Is it a checkpoint that is [linked](crate::Checkpoint::linked) to others of its
    /// chain, and to which no dump is linked?
    #[must_use]
    pub fn is_linked(&self, dump: impl Into<DumpId>) -> bool {
        let dump: DumpId = dump.into();
        let is_checkpoint = dump
            .name()
            .is_some_and(|name| name.sort == Sort::Checkpoint);
        let opened = || self.open_dump(&dump.rel_path());
        is_checkpoint && opened().is_ok_and(|dump| marks::is_linked(&dump))
    }

    /// Fails when it is inside a dump of any dump root, and so must not be
    /// written.
    ///
    /// Checked upwards from the real path: a dump root is recognised by its
    /// links. A bind mount of it elsewhere is not noticed.
    pub(crate) fn outside_of_dumps(&self) -> Result<(), Error> {
        match Self::around(&self.path) {
            Some((root, dump)) => Err(Error::InsideDump {
                path: self.path.clone(),
                dump: root.join(dump),
                root,
            }),
            None => Ok(()),
        }
    }

    /// The dump root and the dump in it that a directory is in.
    pub(crate) fn around(directory: &Path) -> Option<(PathBuf, PathBuf)> {
        let real = dir::real_path(directory)?;
        real.ancestors().skip(1).find_map(|root| {
            let below = real.strip_prefix(root).unwrap_or(&real);
            let dump = layout::dump_around(below).filter(|_| Self::has_links(root))?;
            Some((root.to_path_buf(), dump))
        })
    }

    /// Is an absolute path, which need not exist, in the dumps of any dump root, or
    /// what they are found by there, such as `current`? What the last name leads to
    /// does not count.
    #[must_use]
    pub fn is_in_dumps(path: &Path) -> bool {
        let is_dir = |path: PathBuf| path::look(&path).is_ok_and(|meta| meta.kind == Kind::Dir);
        let real = path.ancestors().skip(1).find_map(|above| {
            let rest = path.strip_prefix(above).ok()?;
            Some(dir::real_path(above)?.join(rest))
        });
        let real = real.as_deref().unwrap_or(path);
        real.ancestors().skip(1).any(|root| {
            let below = real.strip_prefix(root).unwrap_or(real);
            let is_own = || layout::is_own(below) && is_dir(root.join(layout::STATE_DIR));
            (layout::dump_around(below).is_some() || is_own()) && Self::has_links(root)
        })
    }

    /// Does a directory look like a dump root?
    pub(crate) fn has_links(path: &Path) -> bool {
        let is_link = |path: &Path| path::look(path).is_ok_and(|meta| meta.kind == Kind::Symlink);
        let links = [layout::CURRENT, layout::CURRENT_CHECKPOINT];
        links.iter().any(|link| is_link(&path.join(link)))
    }

    /// The same dump root with a handle of its own.
    #[cfg(feature = "catalog")]
    pub(crate) fn reopened(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.clone(),
            handle: dir::reopen(self.handle.as_fd(), For::Reading)?,
            local_state: self.local_state.clone(),
        })
    }

    pub(crate) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Where one of its links points; `None` when there is no such link.
    pub(crate) fn link(&self, name: &str) -> Result<Option<LinkTarget>, Error> {
        let path = self.path.join(name);
        let text = match link::read_symlink(self.handle.as_fd(), &c_name(name.as_bytes())) {
            Ok(text) => text,
            Err(e) if errno::is_missing(&e) => return Ok(None),
            Err(e) if errno::is_no_symlink(&e) => {
                return Err(Error::BadCurrent {
                    target: None,
                    link: path,
                    reason: BadLink::NotASymlink,
                });
            }
            // In a directory that may not be entered no name can be looked up:
            // the error is about the root.
            Err(cause) if errno::is_not_permitted(&cause) => {
                let path = self.path.clone();
                return Err(Error::DumpUnusable { path, cause });
            }
            Err(cause) => return Err(Error::DumpUnusable { path, cause }),
        };
        let bad = |reason| Error::BadCurrent {
            link: path.clone(),
            target: Some(PathBuf::from(OsStr::from_bytes(text.to_bytes()))),
            reason,
        };
        let target = LinkTarget::parse(text.to_bytes());
        let target = target.ok_or_else(|| bad(BadLink::NotADump))?;
        match self.open_dump(&target.dir) {
            Ok(_) => Ok(Some(target)),
            Err(e) if errno::is_missing(&e) => Err(bad(BadLink::Missing)),
            Err(e) if errno::has_changed(&e) => Err(bad(BadLink::NotADirectory)),
            Err(cause) => Err(Error::DumpUnusable {
                path: target.dir.below(&self.path),
                cause,
            }),
        }
    }

    /// Opens a dump of this root, name by name, following no symlink.
    pub(crate) fn open_dump(&self, path: &RelPath) -> io::Result<OwnedFd> {
        let mut handle = dir::reopen(self.handle.as_fd(), For::Passing)?;
        for name in path.as_bytes().split(|b| *b == b'/') {
            handle = dir::open_dir(handle.as_fd(), &c_name(name), For::Passing)?;
        }
        Ok(handle)
    }

    /// What is free for this user.
    pub(crate) fn free(&self) -> Option<disk::Free> {
        disk::free(&self.handle).ok()
    }

    /// Is there room for what a dump adds, before what another had alone goes: a
    /// gibibyte, and 100,000 inodes, or of a small disk a twentieth? What is not known
    /// counts as enough.
    pub(crate) fn is_roomy(&self) -> bool {
        const PART: u64 = 20;
        let (Some(free), Some(total)) = (self.free(), self.total()) else {
            return true;
        };
        let inodes = (total.inodes / PART).min(100_000);
        let has_inodes = free.inodes.is_none_or(|free| free >= inodes);
        free.bytes >= (total.bytes / PART).min(1 << 30) && has_inodes
    }

    /// How much the dump's filesystem has in all.
    pub(crate) fn total(&self) -> Option<disk::Total> {
        disk::total(&self.handle).ok()
    }

    /// The error for a call that the dump's disk refused.
    pub(crate) fn refuses(&self, fault: Fault, needed: Option<u64>) -> Error {
        let full = errno::is_full(&fault.cause);
        Error::DumpDisk {
            free: disk::room_after(&self.handle, &fault.cause),
            needed: needed.filter(|_| full),
            fault,
        }
    }

    /// The error for a failed call on one of its own directories.
    pub(crate) fn failed(&self, op: Op, below: &Path, cause: io::Error) -> Error {
        self.refuses(Fault::new(op, self.path.join(below), cause), None)
    }
}
