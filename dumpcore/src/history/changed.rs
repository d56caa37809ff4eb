//! A path that is not the same in two states of the trees: what it is told as.

use std::collections::HashMap;

use super::compare::same_content;
use super::compare_options::CompareOptions;
use super::version::Version;
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::model::path::RelPath;
use crate::sys::errno;

/// A path that is not the same in two states of the trees.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathChange {
    /// What happened.
    pub change: ChangeKind,
    /// The name of its tree, then the path in it: as the newer state has it, or
    /// the older one what was deleted.
    pub path: RelPath,
    /// The path that it had, of what was renamed.
    pub from: Option<RelPath>,
    /// What it is; of what was deleted, what it was.
    pub kind: Kind,
    /// The space that it took, in bytes; `None` of a directory, and of what did
    /// not exist.
    pub bytes_before: Option<u64>,
    /// The space that it takes, in bytes.
    pub bytes_after: Option<u64>,
    /// In what it differs; nothing where it exists in one state only.
    pub what: Vec<Aspect>,
}

/// What happened to a path, in the words of Plan 9's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It exists, and did not.
    Create,
    /// Its content is another: bytes, target, device number, or its type.
    Write,
    /// It does not exist any more.
    Delete,
    /// The same inode had another path, which does not exist any more.
    Rename,
    /// Its mode, owner, time or attributes are others, its content is not.
    Wstat,
}

impl ChangeKind {
    /// `create`, `write`, `delete`, `rename` or `wstat`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::Wstat => "wstat",
        }
    }
}

/// Something in which two versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// The type of the entry.
    Type,
    /// Bytes, target or device number.
    Content,
    /// Permission bits, with setuid, setgid and sticky.
    Mode,
    /// The owner.
    Uid,
    /// The group.
    Gid,
    /// The modification time.
    Mtime,
    /// Extended attributes or ACLs. Not looked at where the content differs.
    Xattrs,
}

impl Aspect {
    /// One word, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Content => "content",
            Self::Mode => "mode",
            Self::Uid => "uid",
            Self::Gid => "gid",
            Self::Mtime => "mtime",
            Self::Xattrs => "xattrs",
        }
    }
}

/// A change, before it is known what was renamed.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) path: RelPath,
    pub(super) change: ChangeKind,
    pub(super) kind: Kind,
    pub(super) old: Option<u64>,
    pub(super) new: Option<u64>,
    pub(super) what: Vec<Aspect>,
    /// The inode of what came or went.
    pub(super) key: Option<Id>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) raw: Vec<Raw>,
    pub(super) lone_trees: Vec<RelPath>,
    pub(super) faults: Vec<Fault>,
    pub(super) closed: u64,
}

impl Found {
    /// Something that only one state has, without what is below it.
    pub(super) fn one_side(
        &mut self,
        path: &RelPath,
        old: Option<&Version>,
        new: Option<&Version>,
    ) {
        if let Some(old) = old {
            self.gone(path, &old.meta, old.meta.id());
        }
        if let Some(new) = new {
            self.came(path, &new.meta, new.meta.id());
        }
    }

    pub(super) fn gone(&mut self, path: &RelPath, meta: &Meta, key: Id) {
        self.raw.push(Raw {
            path: path.clone(),
            change: ChangeKind::Delete,
            kind: meta.kind,
            old: space(meta),
            new: None,
            what: Vec::new(),
            key: Some(key),
        });
    }

    pub(super) fn came(&mut self, path: &RelPath, meta: &Meta, key: Id) {
        self.raw.push(Raw {
            path: path.clone(),
            change: ChangeKind::Create,
            kind: meta.kind,
            old: None,
            new: space(meta),
            what: Vec::new(),
            key: Some(key),
        });
    }

    pub(super) fn changed(
        &mut self,
        path: &RelPath,
        change: ChangeKind,
        (old, new): (&Version, &Version),
        what: Vec<Aspect>,
    ) {
        self.raw.push(Raw {
            path: path.clone(),
            change,
            kind: new.meta.kind,
            old: space(&old.meta),
            new: space(&new.meta),
            what,
            key: None,
        });
    }
}

/// The space that an entry takes; that of a directory says nothing.
fn space(meta: &Meta) -> Option<u64> {
    (meta.kind != Kind::Dir).then_some(meta.blocks * 512)
}

/// Tells in what two versions differ.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    options: CompareOptions,
    /// Does one inode mean one entry?
    by_inode: bool,
}

impl Judge {
    /// `by_inode`: inode numbers tell which entries are the same.
    pub(super) fn new(options: CompareOptions, by_inode: bool) -> Self {
        let options = match by_inode {
            true => options,
            false => options.trust_times(),
        };
        Self { options, by_inode }
    }

    /// Does nobody wait for the answer any more?
    pub(super) fn is_stopped(&self) -> bool {
        self.options.is_stopped()
    }

    /// Are these surely one inode?
    pub(super) fn is_same(&self, old: &Version, new: &Version) -> bool {
        self.by_inode && old.meta.id() == new.meta.id()
    }

    /// Notes the difference of two versions, if there is one. `same`: are their
    /// contents known to be equal, or not to be?
    pub(super) fn pair(
        &self,
        path: &RelPath,
        old: &Version,
        new: &Version,
        same: Option<bool>,
        found: &mut Found,
    ) {
        match self.judged(old, new, same) {
            Ok(Some((change, what))) => found.changed(path, change, (old, new), what),
            Ok(None) => {}
            Err(fault) if errno::is_not_permitted(&fault.cause) => found.closed += 1,
            Err(fault) => found.faults.push(fault),
        }
    }

    fn judged(
        &self,
        old: &Version,
        new: &Version,
        same: Option<bool>,
    ) -> Result<Option<(ChangeKind, Vec<Aspect>)>, Fault> {
        if old.meta.kind != new.meta.kind {
            return Ok(Some((ChangeKind::Write, vec![Aspect::Type])));
        }
        let is_dir = new.meta.kind == Kind::Dir;
        let same = match same {
            _ if is_dir => true,
            // It would have to be read: another size is enough.
            _ if old.meta.kind == Kind::File && old.meta.size != new.meta.size => false,
            Some(same) => same,
            None => absent_is(false, same_content(old, new, &self.options))?,
        };
        let mut what = Vec::new();
        let differs = [
            (Aspect::Content, !same),
            (Aspect::Mode, old.meta.mode != new.meta.mode),
            (Aspect::Uid, old.meta.uid != new.meta.uid),
            (Aspect::Gid, old.meta.gid != new.meta.gid),
            (Aspect::Mtime, !is_dir && !old.has_time_of(new)),
        ];
        what.extend(
            differs
                .iter()
                .filter(|(_, is)| *is)
                .map(|(aspect, _)| *aspect),
        );
        if !same {
            return Ok(Some((ChangeKind::Write, what)));
        }
        let xattrs = || -> Result<bool, Fault> { Ok(old.xattrs()? == new.xattrs()?) };
        if !absent_is(true, xattrs())? {
            what.push(Aspect::Xattrs);
        }
        Ok((!what.is_empty()).then_some((ChangeKind::Wstat, what)))
    }
}

/// What is taken for the answer about something that went away meanwhile.
fn absent_is<T>(answer: T, asked: Result<T, Fault>) -> Result<T, Fault> {
    match asked {
        Err(fault) if errno::has_changed(&fault.cause) => Ok(answer),
        other => other,
    }
}

/// The changes, of which those are one in which an inode went from one path and
/// came to another. They come sorted by path, and stay so.
pub(super) fn renamed(raw: Vec<Raw>) -> Vec<PathChange> {
    let mut gone: HashMap<Id, Vec<usize>> = HashMap::new();
    for (at, one) in raw.iter().enumerate().rev() {
        if one.change == ChangeKind::Delete && one.kind != Kind::Dir {
            gone.entry(one.key.unwrap_or(NOWHERE)).or_default().push(at);
        }
    }
    let mut from = vec![None; raw.len()];
    let mut is_told = vec![true; raw.len()];
    for (at, one) in raw.iter().enumerate() {
        if one.change == ChangeKind::Create
            && one.kind != Kind::Dir
            && let Some(key) = one.key
            && let Some(old) = gone.get_mut(&key).and_then(Vec::pop)
        {
            from[at] = Some(old);
            is_told[old] = false;
        }
    }
    let changes = (0..raw.len()).filter(|at| is_told[*at]).map(|at| {
        let one = &raw[at];
        let old = from[at].map(|old: usize| &raw[old]);
        PathChange {
            change: old.map_or(one.change, |_| ChangeKind::Rename),
            path: one.path.clone(),
            from: old.map(|old| old.path.clone()),
            kind: one.kind,
            bytes_before: old.map_or(one.old, |old| old.old),
            bytes_after: one.new,
            what: one.what.clone(),
        }
    });
    changes.collect()
}

/// No inode.
const NOWHERE: Id = Id {
    dev: u64::MAX,
    ino: u64::MAX,
};
