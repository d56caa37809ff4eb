//! Goes through two states of a tree in step.
//!
//! A directory that this user may not read is passed over on both sides: what is
//! in it is neither created nor deleted.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::changed::{Found, Judge};
use super::read::list;
use super::version::{Version, look};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::sys::dir::{Chunk, Listed};
use crate::sys::errno;

/// The walk, with what is still to be listed.
pub(super) struct Walk<'a> {
    judge: &'a Judge,
    /// Do listings tell which entries are one inode?
    lists_inodes: bool,
    found: &'a mut Found,
    left: Vec<Both>,
}

/// A path as both states have it: at least one of them as a directory.
struct Both {
    within: RelPath,
    old: Option<Version>,
    new: Option<Version>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(judge: &'a Judge, lists_inodes: bool, found: &'a mut Found) -> Self {
        Self {
            judge,
            lists_inodes,
            found,
            left: Vec::new(),
        }
    }

    /// Compares what is at and below a path.
    pub(super) fn run(&mut self, within: RelPath, old: Option<Version>, new: Option<Version>) {
        self.entry(within, old, new);
        while let Some(both) = self.left.pop() {
            if self.judge.is_stopped() {
                break;
            }
            if let Err(fault) = self.directory(&both) {
                self.note(fault);
            }
        }
    }

    fn note(&mut self, fault: Fault) {
        if errno::is_not_permitted(&fault.cause) {
            self.found.closed += 1;
        } else {
            self.found.faults.push(fault);
        }
    }

    fn entry(&mut self, within: RelPath, old: Option<Version>, new: Option<Version>) {
        match (&old, &new) {
            (Some(old), Some(new)) if self.judge.is_same(old, new) => return,
            (Some(one), Some(other)) => self.judge.pair(&within, one, other, None, self.found),
            _ => self.found.one_side(&within, old.as_ref(), new.as_ref()),
        }
        let dir = |version: Option<Version>| version.filter(|one| one.meta.kind == Kind::Dir);
        let (old, new) = (dir(old), dir(new));
        if old.is_some() || new.is_some() {
            self.left.push(Both { within, old, new });
        }
    }

    fn directory(&mut self, both: &Both) -> Result<(), Fault> {
        let listed = |version: &Option<Version>| match version {
            None => Ok(Chunk::default()),
            Some(version) => names_in(&version.path),
        };
        let (old, new) = (listed(&both.old)?, listed(&both.new)?);
        let dev = |version: &Option<Version>| version.as_ref().map(|one| one.meta.dev);
        let one_disk = self.lists_inodes && dev(&both.old) == dev(&both.new);
        let (mut at, mut other) = (0, 0);
        while at < old.len() || other < new.len() {
            let before = (at < old.len()).then(|| old.get(at));
            let after = (other < new.len()).then(|| new.get(other));
            let (before, after) = match (before, after) {
                (Some(a), Some(b)) if a.name < b.name => (Some(a), None),
                (Some(a), Some(b)) if a.name > b.name => (None, Some(b)),
                both => both,
            };
            at += usize::from(before.is_some());
            other += usize::from(after.is_some());
            if one_disk && is_one_inode(before, after) {
                continue;
            }
            let Some(listed) = before.or(after) else {
                break;
            };
            let name = listed.name.to_bytes();
            let child = |side: &Option<Version>, is: bool| match side {
                Some(side) if is => child(side, name),
                _ => Ok(None),
            };
            let versions = (
                child(&both.old, before.is_some()),
                child(&both.new, after.is_some()),
            );
            match versions {
                (Ok(old), Ok(new)) => self.entry(both.within.join(name), old, new),
                (Err(fault), _) | (_, Err(fault)) => self.note(fault),
            }
        }
        Ok(())
    }
}

/// Are both the same, by what listings say of them? A directory has an inode of
/// its own in each dump.
fn is_one_inode(old: Option<Listed<'_>>, new: Option<Listed<'_>>) -> bool {
    let (Some(old), Some(new)) = (old, new) else {
        return false;
    };
    old.ino == new.ino && old.kind == new.kind && old.kind.is_some_and(|kind| kind != Kind::Dir)
}

fn child(above: &Version, name: &[u8]) -> Result<Option<Version>, Fault> {
    let path = above.path.join(OsStr::from_bytes(name));
    Ok(look(&path)?.map(|meta| Version {
        path,
        dump: above.dump,
        meta,
    }))
}

/// The names in a directory; none, when it went away.
pub(super) fn names_in(path: &Path) -> Result<Chunk, Fault> {
    match list(path) {
        Err(cause) if errno::has_changed(&cause) => Ok(Chunk::default()),
        other => other.map_err(Fault::at(Op::List, path)),
    }
}
