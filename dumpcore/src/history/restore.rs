//! Bringing an old version back into its main tree, with all its metadata.
//!
//! What is brought back is made whole beside the name, and then takes its
//! place by one rename: whoever looks sees the old or the new, and a failure
//! leaves what was there. It is made in a directory of its own, which nobody
//! else may enter and which hands no default ACL down. A directory comes
//! back as it was: what it has gained since goes. Directories above it that
//! are gone come back as the dump has them, but with nothing else in them: all
//! together, by the same rename.
//!
//! Nothing in a dump is written to; files are copied, never linked out of
//! it, or a later write in the main tree would change history.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::compare::{Difference, difference};
use super::read::above;
use super::version::{Version, look};
use crate::fs::inspect;
use crate::fs::remove_tree::remove_tree;
use crate::fs::store::{EntryWriter, Lender, NameAt, StoreError, Stored};
use crate::model::fault::{Fault, Op, OpError, Side};
use crate::model::metadata::{Capabilities, Id, Kind, Meta};
use crate::policy::layout;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::pages::Pages;

use crate::fs::capabilities;
use crate::sys::xattr::Subject;
use crate::sys::{disk, errno, link, stat};

/// Puts a version in the place of `to`, of whose names `depth` lie below the
/// main root. What could not be preserved of it comes back.
pub(super) fn restore(version: &Version, to: &Path, depth: usize) -> Result<Vec<Fault>, Fault> {
    let only = missing_above(version, to, depth)?;
    let source = ancestor(&version.path, only.len());
    let at_source = |cause| Fault::new(Op::Open, source.to_path_buf(), cause);
    let (from_dir, from_name) = above(source).map_err(at_source)?;
    let at_target = |op: Op| move |cause| Fault::new(op, to.to_path_buf(), cause);
    let (parent, name) = parent_of(ancestor(to, only.len())).map_err(at_target(Op::Open))?;
    let beside = free_name(parent.as_fd(), &name).map_err(at_target(Op::Create))?;

    let capabilities = capabilities::guess(&parent);
    let mut restorer = Restorer {
        writer: EntryWriter::new(&capabilities, Pages::Keep),
        capabilities: &capabilities,
        top: parent.as_fd(),
        to,
        linked: HashMap::new(),
        losses: Vec::new(),
        lost_symlinks: false,
    };
    let from = NameAt {
        dir: from_dir.as_fd(),
        name: &from_name,
    };
    let is_dir = version.meta.kind == Kind::Dir || !only.is_empty();
    let made = if is_dir {
        // The same directory all the way: moving one to another parent asks
        // for more permissions than renaming it.
        let to = NameAt {
            dir: parent.as_fd(),
            name: &beside,
        };
        restorer.entry(from, source, to, (beside.as_bytes(), &only))
    } else {
        restorer.in_a_room(from, &version.path, &beside, &name)
    };
    let placed = made.and_then(|()| {
        disk::sync_filesystem(&parent).map_err(at_target(Op::Sync))?;
        let parent = parent.as_fd();
        let moved = if only.is_empty() {
            take_the_place(parent, &beside, &name, is_dir)
        } else {
            // What somebody has made meanwhile is not replaced.
            link::rename_new(parent, &beside, parent, &name)
        };
        moved.map_err(at_target(Op::Rename))
    });
    let losses = restorer.losses;
    // Now it holds what was replaced, or what did not become whole.
    let removed = remove_tree(parent.as_fd(), &beside, &|| true);
    placed?;
    removed.map_err(|op_error| op_error.at(to.with_file_name(os(&beside))))?;
    disk::sync(&parent).map_err(at_target(Op::Sync))?;
    Ok(losses)
}

/// Do two versions, or anything below them, differ? What lies too deep to be
/// compared by its path counts as different: bringing it back is never wrong.
/// What [`restore`] would leave out of a symlink is not held against it, or it
/// would be brought back each time.
pub(super) fn differ(old: &Version, new: &Version) -> Result<bool, Fault> {
    let at_target = |cause| Fault::new(Op::Open, new.path.clone(), cause);
    let (parent, _) = above(&new.path).map_err(at_target)?;
    match compare_all(old, new, capabilities::guess(&parent).symlinks) {
        Err(fault) if fault.cause.kind() == io::ErrorKind::InvalidFilename => Ok(true),
        other => other,
    }
}

/// `symlinks`: can owner and times of symlinks be kept?
fn compare_all(old: &Version, new: &Version, symlinks: bool) -> Result<bool, Fault> {
    match difference(old, new)? {
        Difference::Nothing => {}
        Difference::Metadata if old.meta.kind == Kind::Symlink && !symlinks => {}
        Difference::Metadata | Difference::Content => return Ok(true),
    }
    if old.meta.kind != Kind::Dir {
        return Ok(false);
    }
    for entry in old.names()? {
        match (old.child(&entry.name)?, new.child(&entry.name)?) {
            (Some(old), Some(new)) if !compare_all(&old, &new, symlinks)? => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// The names below the lowest directory above `to` that there is; none when it
/// is the one that `to` lies in.
fn missing_above(version: &Version, to: &Path, depth: usize) -> Result<Vec<CString>, Fault> {
    let mut names = Vec::new();
    // The main root itself is not made: most likely its disk is not mounted.
    for parent in to.ancestors().skip(1).take(depth.saturating_sub(1)) {
        let fault = |cause: io::Error| Fault::new(Op::Open, parent.to_path_buf(), cause);
        match look(parent)? {
            Some(meta) if meta.kind == Kind::Dir => break,
            Some(_) => return Err(fault(io::ErrorKind::NotADirectory.into())),
            None => {}
        }
        let (old, new) = (
            ancestor(&version.path, names.len()),
            ancestor(to, names.len()),
        );
        let name = new.file_name().filter(|new| old.file_name() == Some(new));
        let name = name.ok_or_else(|| fault(io::ErrorKind::NotFound.into()))?;
        names.push(CString::new(name.as_bytes()).map_err(|error| fault(error.into()))?);
    }
    names.reverse();
    Ok(names)
}

fn ancestor(path: &Path, up: usize) -> &Path {
    path.ancestors().nth(up).unwrap_or(path)
}

/// The directory of a name, opened so that it can be flushed.
fn parent_of(path: &Path) -> io::Result<(OwnedFd, CString)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let name = CString::new(name.as_bytes())?;
    Ok((dir::open_root(parent, For::Filling)?, name))
}

/// A name beside `name` that nobody has.
fn free_name(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    let first = std::process::id();
    for id in first..first.saturating_add(1000) {
        let beside = CString::new(layout::restoring(name.to_bytes(), id))?;
        match stat::look(dir, &beside, stat::Fresh::AsStat) {
            Err(error) if errno::is_missing(&error) => return Ok(beside),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// Gives what was made its name; what had it is left under the other one.
fn take_the_place(
    parent: BorrowedFd<'_>,
    beside: &CStr,
    name: &CStr,
    is_dir: bool,
) -> io::Result<()> {
    let room = if is_dir {
        dir::reopen(parent, For::Passing)?
    } else {
        dir::open_dir(parent, beside, For::Passing)?
    };
    let made = if is_dir { beside } else { name };
    let replaces_dir = match stat::look(parent, name, stat::Fresh::AsStat) {
        Ok(old) => is_dir || old.kind == Kind::Dir,
        Err(error) if errno::is_missing(&error) => {
            return link::rename_new(room.as_fd(), made, parent, name);
        }
        Err(error) => return Err(error),
    };
    if replaces_dir {
        link::exchange(room.as_fd(), made, parent, name)
    } else {
        link::rename_over(room.as_fd(), made, parent, name)
    }
}

struct Restorer<'a> {
    writer: EntryWriter<'a>,
    capabilities: &'a Capabilities,
    /// What the names in `linked` start at.
    top: BorrowedFd<'a>,
    /// What is restored, for what is said of it.
    to: &'a Path,
    /// Where the inodes with several names were made first.
    linked: HashMap<Id, Vec<u8>>,
    losses: Vec<Fault>,
    /// Were owners and times of symlinks left out, and is that told?
    lost_symlinks: bool,
}

impl Restorer<'_> {
    /// Makes what is no directory, in a private directory.
    fn in_a_room(
        &mut self,
        from: NameAt<'_>,
        path: &Path,
        room: &CStr,
        name: &CStr,
    ) -> Result<(), Fault> {
        let name_at = NameAt {
            dir: self.top,
            name: room,
        };
        let room_fd = self.directory(name_at)?;
        let to = NameAt {
            dir: room_fd.as_fd(),
            name,
        };
        let below = [room.to_bytes(), b"/", name.to_bytes()].concat();
        self.entry(from, path, to, (&below, &[]))
    }

    /// Makes an entry, and all that is below it; when there are names in
    /// `only`, just what they lead to. `path` is where it is read, `below`
    /// where it is made, seen from the top.
    fn entry(
        &mut self,
        from: NameAt<'_>,
        path: &Path,
        to: NameAt<'_>,
        (below, only): (&[u8], &[CString]),
    ) -> Result<(), Fault> {
        let meta =
            inspect::look(from.dir, from.name).map_err(|op_error| self.fault(op_error, path))?;
        if meta.kind == Kind::Dir {
            let made = self.tree(from, path, to, (below, only))?;
            return self.finish(made, path, &meta);
        }
        if !only.is_empty() {
            let cause = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(self.fault(OpError::source(Op::Open, cause), path));
        }
        if let Some(first) = self.linked.get(&meta.id()) {
            return link_from(self.top, first, to)
                .map_err(|cause| self.fault(OpError::target(Op::Link, cause), path));
        }
        let stored = self.single(from, to, &meta);
        let stored = stored.map_err(|missed| self.missed(missed, path))?;
        let losses = stored.losses.into_iter();
        self.losses
            .extend(losses.map(|loss| loss.at(self.to.to_path_buf())));
        if meta.nlink > 1 {
            self.linked.insert(meta.id(), below.to_vec());
        }
        Ok(())
    }

    fn single(
        &mut self,
        from: NameAt<'_>,
        to: NameAt<'_>,
        meta: &Meta,
    ) -> Result<Stored, StoreError> {
        match meta.kind {
            // A filesystem that can share blocks shares them, until written.
            Kind::File => {
                let lender = Lender {
                    at: from,
                    doubted: false,
                };
                self.writer
                    .file(from, to, (meta, true), Some(lender), &mut |_| true)
            }
            Kind::Symlink => {
                let target = inspect::symlink_in_some_dump(from.dir, from.name, meta)
                    .map_err(|cause| OpError::source(Op::ReadLink, cause))?;
                if !self.capabilities.symlinks && !self.lost_symlinks {
                    self.lost_symlinks = true;
                    let cause = "not of symlinks, on a filesystem in user space";
                    let loss = Fault::new(Op::SetTimes, self.to.into(), io::Error::other(cause));
                    self.losses.push(loss);
                }
                self.writer.symlink(from, to, &target, meta)
            }
            _ => self.writer.special(from, to, meta),
        }
    }

    /// Makes a directory and what is below it. From its source and the one
    /// made, its attributes are to be taken and given.
    fn tree(
        &mut self,
        from: NameAt<'_>,
        path: &Path,
        to: NameAt<'_>,
        (below, only): (&[u8], &[CString]),
    ) -> Result<[OwnedFd; 2], Fault> {
        let opened = dir::open_dir(from.dir, from.name, For::Reading);
        let source = opened.map_err(|cause| self.fault(OpError::source(Op::Open, cause), path))?;
        let listed = || -> io::Result<Vec<CString>> {
            let mut chunk = Chunk::default();
            Lister::new(dir::reopen(source.as_fd(), For::Reading)?).rest(&mut chunk)?;
            Ok(chunk.iter().map(|entry| entry.name.to_owned()).collect())
        };
        let (names, only) = match only {
            [name, rest @ ..] => (vec![name.clone()], rest),
            [] => {
                let fault = |cause| self.fault(OpError::source(Op::List, cause), path);
                (listed().map_err(fault)?, only)
            }
        };
        let target = self.directory(to)?;
        for name in &names {
            let child = |dir| NameAt { dir, name };
            let below = [below, b"/", name.to_bytes()].concat();
            let (from, to) = (child(source.as_fd()), child(target.as_fd()));
            self.entry(from, &path.join(os(name)), to, (&below, only))?;
        }
        Ok([source, target])
    }

    /// Gives a directory its attributes, once all is in it.
    fn finish(
        &mut self,
        [source, target]: [OwnedFd; 2],
        path: &Path,
        meta: &Meta,
    ) -> Result<(), Fault> {
        let finish = || {
            let subject = Subject::Open(source.as_fd());
            let xattrs = inspect::xattrs(subject, Side::Source, self.capabilities)?;
            self.writer
                .attributes(Subject::Open(target.as_fd()), meta, &xattrs)
        };
        let losses = finish().map_err(|op_error| self.fault(op_error, path))?;
        let losses = losses.into_iter();
        self.losses
            .extend(losses.map(|loss| loss.at(self.to.to_path_buf())));
        Ok(())
    }

    /// Makes a private directory without anything inherited.
    fn directory(&self, name_at: NameAt<'_>) -> Result<OwnedFd, Fault> {
        let make = || {
            dir::make_private(name_at.dir, name_at.name)
                .map_err(|cause| OpError::target(Op::Create, cause))?;
            let opened = dir::open_dir(name_at.dir, name_at.name, For::Filling);
            let opened = opened.map_err(|cause| OpError::target(Op::Open, cause))?;
            self.writer.take_over(opened.as_fd())?;
            Ok(opened)
        };
        make().map_err(|op_error: OpError| self.fault(op_error, self.to))
    }

    /// What failed on the side of the dump is told with the path in it.
    fn fault(&self, op_error: OpError, path: &Path) -> Fault {
        match op_error.side {
            Side::Target => op_error.at(self.to.to_path_buf()),
            _ => op_error.at(path.to_path_buf()),
        }
    }

    fn missed(&self, missed: StoreError, path: &Path) -> Fault {
        match missed {
            StoreError::Op(op_error) => self.fault(op_error, path),
            // A dump does not change, unless it is being removed.
            StoreError::Changed | StoreError::Stopped => {
                let cause = io::Error::from(io::ErrorKind::NotFound);
                Fault::new(Op::Read, path.to_path_buf(), cause)
            }
        }
    }
}

/// Links to what lies `below` a directory, however deep: a path longer than
/// the system takes is walked in stretches. It is private, and ours.
fn link_from(top: BorrowedFd<'_>, mut below: &[u8], to: NameAt<'_>) -> io::Result<()> {
    // Half of PATH_MAX, so that a whole name more always fits.
    const STRETCH: usize = 2048;
    let mut at = dir::reopen(top, For::Passing)?;
    while below.len() > STRETCH {
        let end = below[..STRETCH].iter().rposition(|b| *b == b'/');
        let end = end.ok_or(io::ErrorKind::InvalidFilename)?;
        at = dir::open_dir(at.as_fd(), &CString::new(&below[..end])?, For::Passing)?;
        below = &below[end + 1..];
    }
    link::hard_link(at.as_fd(), &CString::new(below)?, to.dir, to.name)
}

fn os(name: &CStr) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
