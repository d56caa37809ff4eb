//! What was made of a version moves from its private directory to where it
//! belongs, entry by entry.
//!
//! Each entry comes by one rename: at every instant a name leads to what was
//! there or to the version, whole; only where a directory goes to the backup its
//! name is free for a moment. What is replaced goes there, or with the private
//! directory. Directories that both have stay, and get the version's
//! attributes when all in them is done. Where something is mounted below the
//! place, nothing is entered, changed or deleted.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::backup::Backup;
use super::extra::{Extra, extra};
use super::level::Level;
use super::moved::moved;
use super::request::Named;
use super::survey::{Going, Wanted, going, named};
use crate::fs::inspect;
use crate::fs::mount::{MountOf, mounted};
use crate::fs::remove_tree::remove_tree_of;
use crate::fs::store::{EntryWriter, NameAt};
use crate::model::chain::{Chain, about};
use crate::model::event::{Event, Observer};
use crate::model::fault::{Fault, Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::{ACL_ACCESS, Capabilities, Meta};
use crate::model::path::Brief;
use crate::model::report::Report;
use crate::model::restore::{Merged, Merging, Overwrite, RestoreError};
use crate::policy::layout;
use crate::sys::dir::{self, Chunk, For};
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::{self, Subject};
use crate::sys::{errno, file, link};

fn os(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// What is done to a place.
pub(super) struct Settling<'a> {
    pub(super) merging: &'a Merging,
    pub(super) backup: Option<Backup>,
    pub(super) wanted: &'a Wanted<'a>,
    /// The mount of the place.
    pub(super) mount: MountOf,
    pub(super) observer: &'a dyn Observer,
    pub(super) capabilities: &'a Capabilities,
    pub(super) writer: &'a EntryWriter<'a>,
    pub(super) done: Merged,
    pub(super) faults: Vec<Fault>,
    pub(super) faults_total: u64,
}

enum Visit {
    Enter(Level),
    Leave(Level),
}

impl Settling<'_> {
    /// A directory and all below it. Its own attributes are the caller's to set.
    pub(super) fn tree(&mut self, top: &Level) {
        let mut left = self.directory(top);
        while let Some(visit) = left.pop() {
            if !(self.wanted.keep_going)() {
                self.done.stopped = true;
            }
            match visit {
                Visit::Enter(level) if self.done.stopped || self.is_dump_root(&level) => {
                    self.close(&level);
                }
                Visit::Enter(level) => {
                    let below = self.directory(&level);
                    left.push(Visit::Leave(level));
                    left.extend(below);
                }
                Visit::Leave(level) => self.finish(&level),
            }
        }
    }

    /// Is a directory a dump root now? What the version has of it are dumps of long
    /// ago: those that there are now stay as they are.
    fn is_dump_root(&mut self, level: &Level) -> bool {
        let is_one = level.live.open().and_then(|live| {
            let mut names = dir::list_all(live.as_fd(), For::Reading)?;
            names.sort_by_name();
            Ok(self.wanted.is_dump_root(&live, &names))
        });
        let cause = match is_one {
            Ok(false) => return false,
            Ok(true) => io::Error::other(
                "it is a dump root, and stays as it is; restore what you need of it to another \
                 directory",
            ),
            Err(cause) => cause,
        };
        self.fault(Fault::at(Op::Create, &level.path)(cause));
        true
    }

    /// The entries of a directory. What is to be done below it.
    fn directory(&mut self, level: &Level) -> Vec<Visit> {
        let failed = Fault::at(Op::List, &level.path);
        let listed = level.made.open().and_then(|made| {
            let live = level.live.open()?;
            let names = dir::list_all(made.as_fd(), For::Reading)?;
            Ok((made, live, names))
        });
        let (made, live, names) = match listed {
            Ok(listed) => listed,
            Err(e) => {
                self.fault(failed(e));
                return Vec::new();
            }
        };
        let mut below = Vec::new();
        for entry in names.iter() {
            if !(self.wanted.keep_going)() {
                self.done.stopped = true;
                return below;
            }
            match self.entry(level, (&made, &live), entry.name) {
                Ok(Some(level)) => below.push(Visit::Enter(level)),
                Ok(None) => {}
                Err(fault) => self.fault(fault),
            }
        }
        if self.merging.delete {
            self.delete_extra(level, &live);
        }
        below
    }

    /// One entry that was made. A directory that is there too is next.
    fn entry(
        &mut self,
        level: &Level,
        (made, live): (&OwnedFd, &OwnedFd),
        name: &CStr,
    ) -> Result<Option<Level>, Fault> {
        let path = level.path.join(os(name));
        let from = NameAt {
            dir: made.as_fd(),
            name,
        };
        let to = Named {
            at: NameAt {
                dir: live.as_fd(),
                name,
            },
            path: &path,
        };
        let both = |kind| {
            let looked = stat::look(live.as_fd(), name, Fresh::AsStat);
            kind == Kind::Dir && looked.is_ok_and(|there| there.kind == Kind::Dir)
        };
        let made = stat::look(from.dir, name, Fresh::AsStat).map_err(Fault::at(Op::Stat, &path))?;
        if both(made.kind) {
            return level.enter(name, self.mount).map(Some);
        }
        self.put(from, &made, to, &level.below.join(os(name)))?;
        Ok(None)
    }

    /// Puts what was made in its place; `below` is its path in the backup.
    pub(super) fn put(
        &mut self,
        from: NameAt<'_>,
        made: &Meta,
        to: Named<'_>,
        below: &Path,
    ) -> Result<(), Fault> {
        let failed = |op| Fault::at(op, to.path);
        let there = match stat::look(to.at.dir, to.at.name, Fresh::AsStat) {
            Ok(there) => there,
            Err(e) if errno::is_missing(&e) => {
                let put = || link::rename_new(from.dir, from.name, to.at.dir, to.at.name);
                self.telling(to.path, |it, tell| moved(&[from], it.mount, put, tell))?;
                self.done.made += 1;
                return Ok(());
            }
            Err(e) => return Err(failed(Op::Stat)(e)),
        };
        if there.id() == made.id() {
            return Ok(());
        }
        if !self.merging.replaces(&there, made) {
            self.done.stayed += 1;
            return Ok(());
        }
        let going = match there.kind {
            Kind::Dir => self.may_go(to)?,
            _ => 1,
        };
        self.telling(to.path, |it, tell| {
            it.replace(from, made, (to, &there), below, tell)
        })?;
        self.done.replaced += 1;
        self.done.deleted += going - 1;
        Ok(())
    }

    /// Moves something to or from this path. A directory that was moved and could not
    /// get its mode back is a fault, and is where it was moved.
    fn telling(
        &mut self,
        path: &Path,
        act: impl FnOnce(&Self, &mut dyn FnMut(io::Error)) -> io::Result<()>,
    ) -> Result<(), Fault> {
        let mut unclosed = Vec::new();
        let done = act(self, &mut |e| unclosed.push(e));
        for e in unclosed {
            let text = "a directory that was moved is open to its owner, and should not be";
            self.fault(Fault::at(Op::SetMode, path)(about(text, e)));
        }
        done.map_err(|e| Fault::at(Op::Rename, path)(about_mounts(e)))
    }

    fn replace(
        &self,
        from: NameAt<'_>,
        made: &Meta,
        (to, there): (Named<'_>, &Meta),
        below: &Path,
        tell: &mut dyn FnMut(io::Error),
    ) -> io::Result<()> {
        let put = |over: bool| match over {
            true => link::rename_over(from.dir, from.name, to.at.dir, to.at.name),
            false => link::rename_new(from.dir, from.name, to.at.dir, to.at.name),
        };
        let plain = made.kind != Kind::Dir && there.kind != Kind::Dir;
        match (&self.backup, plain) {
            (None, true) => put(true),
            (Some(backup), true) => {
                backup.keep_too(to.at, below)?;
                put(true)
            }
            (Some(backup), false) => {
                let keep = || backup.keep(to.at, below);
                moved(&[to.at], self.mount, keep, tell)?;
                moved(&[from], self.mount, || put(false), tell)
            }
            (None, false) => {
                let third = layout::restoring(from.name.to_bytes(), std::process::id());
                let third = c_name(&layout::replaced(&third));
                let (old, new) = (to.at, from);
                let exchange = || link::exchange(new.dir, new.name, old.dir, old.name, &third);
                moved(&[old, new], self.mount, exchange, tell)
            }
        }
    }

    /// May a directory go with all that is in it? How many entries that is.
    fn may_go(&self, to: Named<'_>) -> Result<u64, Fault> {
        if !self.merging.clears() {
            let text = "it is a directory now, and nothing is deleted without --delete or --backup";
            return Err(Fault::at(Op::Create, to.path)(io::Error::other(text)));
        }
        match going(to, self.wanted, self.mount) {
            Ok(Going { removes, spared }) => match spared.first.first() {
                None => Ok(removes.entries),
                Some(first) => {
                    let text = format!(
                        "it is a directory now, and holds what is excluded from dumps ({})",
                        Brief::path(first)
                    );
                    Err(Fault::at(Op::Create, to.path)(io::Error::other(text)))
                }
            },
            Err(error) => Err(stuck(to.path, error)),
        }
    }

    /// Deletes what the version does not have.
    fn delete_extra(&mut self, level: &Level, live: &OwnedFd) {
        let failed = Fault::at(Op::List, &level.path);
        let list = |handle: &OwnedFd| dir::list_all(handle.as_fd(), For::Reading);
        let listed = level.version.open().and_then(|version| {
            let mut names = list(&version)?;
            names.sort_by_name();
            Ok((names, list(live)?))
        });
        let (names, there): (Chunk, Chunk) = match listed {
            Ok(listed) => listed,
            Err(e) => return self.fault(failed(e)),
        };
        for entry in there.iter() {
            let is_ours = layout::is_restoring(entry.name.to_bytes());
            if is_ours || names.find(entry.name).is_some() || !(self.wanted.keep_going)() {
                continue;
            }
            let path = level.path.join(os(entry.name));
            let (wanted, mount) = (self.wanted, self.mount);
            let to = named(live, entry.name, &path);
            let told = extra(to, (wanted, mount), &mut |to, what| {
                self.extra(to, what, level);
                Ok(())
            });
            match told {
                Ok(()) => {}
                Err(RestoreError::Interrupted { .. }) => self.done.stopped = true,
                Err(error) => self.fault(stuck(&path, error)),
            }
        }
    }

    /// What is to become of an entry below a directory that the version does not have.
    fn extra(&mut self, to: Named<'_>, what: Extra, level: &Level) {
        match what {
            Extra::Goes(going) => {
                let in_level = to.path.strip_prefix(&level.path).unwrap_or(to.path);
                match self.delete(to, &level.below.join(in_level)) {
                    Ok(()) => self.done.deleted += going.removes.entries,
                    Err(fault) => self.fault(fault),
                }
            }
            Extra::Spared => self.done.excluded += 1,
            Extra::Stuck(error) => self.fault(stuck(to.path, error)),
        }
    }

    fn delete(&mut self, to: Named<'_>, below: &Path) -> Result<(), Fault> {
        let there = match stat::look(to.at.dir, to.at.name, Fresh::AsStat) {
            Ok(there) => there,
            Err(e) if errno::is_missing(&e) => return Ok(()),
            Err(e) => return Err(Fault::at(Op::Stat, to.path)(e)),
        };
        if self.backup.is_some() {
            self.telling(to.path, |it, tell| {
                let keep = || match &it.backup {
                    Some(backup) => backup.keep(to.at, below),
                    None => Ok(()),
                };
                moved(&[to.at], it.mount, keep, tell)
            })?;
        } else {
            let removed = remove_tree_of(to.at.dir, to.at.name, there.id(), self.wanted.keep_going);
            let whole = removed.map_err(|op_error| op_error.at(to.path.to_path_buf()))?;
            self.done.stopped |= !whole;
        }
        Ok(())
    }

    /// Gives a directory the attributes that it has in the version, unless it
    /// has them.
    pub(super) fn finish(&mut self, level: &Level) {
        if self.merging.overwrite == Overwrite::Never {
            return self.close(level);
        }
        let at = |op_error: OpError| op_error.at(level.path.clone());
        match self.set(level) {
            Ok(losses) => losses.into_iter().for_each(|loss| self.fault(at(loss))),
            Err(op_error) => {
                self.fault(at(op_error));
                self.close(level);
            }
        }
    }

    fn set(&mut self, level: &Level) -> Result<Vec<OpError>, OpError> {
        let failed = |op| move |e| OpError::target(op, e);
        let version = level
            .version
            .open()
            .map_err(|e| OpError::source(Op::Open, e))?;
        let live = level.live.open().map_err(failed(Op::Open))?;
        let meta = stat::look_at(&version).map_err(|e| OpError::source(Op::Stat, e))?;
        let now = stat::look_at(&live).map_err(failed(Op::Stat))?;
        let read = |handle: &OwnedFd| {
            let subject = Subject::Open(handle.as_fd());
            inspect::attributes(subject, self.capabilities).map(|read| read.xattrs)
        };
        let (xattrs, there) = (read(&version)?, read(&live)?);
        let wanted = self.capabilities.storable(&meta);
        let is = |meta: &Meta, mode| (meta.uid, meta.gid, mode);
        let was = is(&now, level.had.unwrap_or(now.mode));
        let is_same = is(&wanted, wanted.mode) == was && xattrs == there;
        if is_same && wanted.mtime == now.mtime && level.had.is_none() {
            return Ok(Vec::new());
        }
        self.done.set += u64::from(!is_same);
        let subject = Subject::Open(live.as_fd());
        // Without its ACL, the mode alone would give the group the ACL's mask.
        if there.get(ACL_ACCESS).is_some() && there.get(ACL_ACCESS) != xattrs.get(ACL_ACCESS) {
            file::set_mode(&live, now.mode & 0o700).map_err(failed(Op::SetMode))?;
        }
        for (name, _) in there.iter().filter(|(name, _)| xattrs.get(name).is_none()) {
            xattr::remove(subject, name).map_err(failed(Op::SetXattr))?;
        }
        let losses = self.writer.attributes(subject, &meta, &xattrs)?.losses;
        self.writer.flush(&*live)?;
        Ok(losses)
    }

    /// What was opened up to be changed gets the mode back that it had.
    fn close(&mut self, level: &Level) {
        let Some(mode) = level.had else { return };
        let closed = level
            .live
            .open()
            .and_then(|live| file::set_mode(&live, mode));
        if let Err(e) = closed {
            self.fault(Fault::at(Op::SetMode, &level.path)(e));
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.observer.event(Event::Fault(&fault));
        self.faults_total += 1;
        if self.faults.len() < Report::MAX_LISTED {
            self.faults.push(fault);
        }
    }
}

/// Why an entry did not go.
fn stuck(path: &Path, error: RestoreError) -> Fault {
    match error {
        RestoreError::Fault(fault) => fault,
        error => {
            let text = Chain(&error).to_string();
            Fault::at(Op::Remove, path)(io::Error::other(text))
        }
    }
}

/// What is made beside a place cannot be moved into what is mounted there.
fn about_mounts(cause: io::Error) -> io::Error {
    match errno::is_other_filesystem(&cause) {
        true => mounted(),
        false => cause,
    }
}
