//! Which dumps may be removed.
//!
//! Never what a link of the dump root names, nor the last complete dump of a
//! tree; a first copy, which was made by hand, only when asked for explicitly.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::removal::{Left, Reason};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::policy::layout::{self, DumpId, LinkTarget};
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};

/// What is to become of the dumps.
pub(super) struct Plan {
    pub(super) go: Vec<DumpId>,
    pub(super) left: Vec<Left>,
}

impl Plan {
    /// Which of these dumps may go; the first copy only when `first` says so.
    pub(super) fn of(root: &DumpRoot, dumps: &[DumpId], first: bool) -> Result<Self, Error> {
        let links = links(root)?;
        // That link is also the mark that the dump disk is mounted.
        let has_current = links
            .iter()
            .any(|(link, _)| link == Path::new(layout::CURRENT));
        if !has_current && dumps.iter().any(is_published) {
            let dump = root.path().to_path_buf();
            return Err(Error::NoCurrent { dump });
        }
        let mut plan = Self {
            go: Vec::new(),
            left: Vec::new(),
        };
        for &id in dumps {
            let linked = links.iter().find(|(_, dump)| *dump == id);
            let reason = match linked {
                Some((link, _)) => Some(Reason::Linked { link: link.clone() }),
                None if id == DumpId::First && !first => Some(Reason::FirstCopy),
                None => None,
            };
            plan.decide(root, id, reason);
        }
        plan.keep_last_of_trees(root)?;
        Ok(plan)
    }

    /// Of each tree a complete dump stays: the newest of those that were to go.
    fn keep_last_of_trees(&mut self, root: &DumpRoot) -> Result<(), Error> {
        let unreadable = |fault: Fault| root.refuses(fault, None);
        let trees_of = |id: &DumpId| trees(root, *id).map_err(unreadable);
        let mut left: BTreeSet<CString> = BTreeSet::new();
        for id in self.go.iter().filter(|id| is_published(id)) {
            left.extend(trees_of(id)?);
        }
        let listing = root.listing();
        let mut others = listing.newest_first(..);
        while !left.is_empty()
            && let Some(name) = others.next()
        {
            let id = DumpId::Dump(name.map_err(unreadable)?.name);
            if !self.go.contains(&id) {
                left.retain(|tree| !has_complete(root, id, tree));
            }
        }
        if !self.go.contains(&DumpId::First) {
            left.retain(|tree| !has_complete(root, DumpId::First, tree));
        }
        let mut newest = self.go.clone();
        newest.retain(is_published);
        newest.sort_by_key(|id| id.name().map(|name| listing.dated(name)));
        for tree in left {
            // Where none is complete, the newest of the others is kept.
            let of = |complete: bool| {
                let has = |id: &&DumpId| match complete {
                    true => has_complete(root, **id, &tree),
                    false => has_tree(root, **id, &tree),
                };
                newest.iter().rev().find(has).copied()
            };
            if let Some(id) = of(true).or_else(|| of(false)) {
                self.go.retain(|other| *other != id);
                let tree = PathBuf::from(OsStr::from_bytes(tree.to_bytes()));
                self.leave(root, id, Reason::LastOfTree { tree });
            }
        }
        Ok(())
    }

    fn decide(&mut self, root: &DumpRoot, id: DumpId, reason: Option<Reason>) {
        let missing = || {
            let path = root.path().join(id.path());
            match root.open_dump(&id.rel_path()) {
                Ok(_) => None,
                Err(e) => Some(Reason::Failed(Fault::new(Op::Open, path, e))),
            }
        };
        match reason.or_else(missing) {
            Some(reason) => self.leave(root, id, reason),
            None => self.go.push(id),
        }
    }

    pub(super) fn leave(&mut self, root: &DumpRoot, dump: DumpId, reason: Reason) {
        self.left.push(Left {
            dump,
            path: root.path().join(dump.path()),
            reason,
        });
    }
}

/// The links of a dump root and the dumps that they name.
fn links(root: &DumpRoot) -> Result<Vec<(PathBuf, DumpId)>, Error> {
    let id = |target: LinkTarget| target.name.map_or(DumpId::First, DumpId::Dump);
    let mut links = Vec::new();
    if let Some(target) = root.link(layout::CURRENT)? {
        links.push((PathBuf::from(layout::CURRENT), id(target)));
    }
    match root.link(layout::CURRENT_CHECKPOINT) {
        Ok(None) | Err(Error::BadCurrent { .. }) => {}
        target => {
            let target = target?.map(id);
            links.extend(target.map(|id| (PathBuf::from(layout::CURRENT_CHECKPOINT), id)));
        }
    }
    let pins = root.pins().map_err(|fault| root.refuses(fault, None))?;
    links.extend(pins.into_iter().map(|pin| (pin.name, pin.dump)));
    Ok(links)
}

/// The names of the trees in a dump.
fn trees(root: &DumpRoot, id: DumpId) -> Result<Vec<CString>, Fault> {
    let listed = root
        .open_dump(&id.rel_path())
        .and_then(|handle| dir::list_all(handle.as_fd(), For::Reading));
    let chunk = listed.map_err(Fault::at(Op::List, &root.path().join(id.path())))?;
    let names = chunk.iter().map(|entry| entry.name.to_owned());
    Ok(names.filter(|name| has_tree(root, id, name)).collect())
}

fn has_tree(root: &DumpRoot, id: DumpId, tree: &CStr) -> bool {
    root.open_dump(&id.rel_path().join(tree.to_bytes())).is_ok()
}

/// Has a dump this tree, and is it not known to lack entries?
fn has_complete(root: &DumpRoot, id: DumpId, tree: &CStr) -> bool {
    has_tree(root, id, tree) && !is_partial(root, id)
}

/// Did it lack entries when it was published?
fn is_partial(root: &DumpRoot, id: DumpId) -> bool {
    id.name()
        .is_some_and(|name| root.listing().lacks(name).is_some())
}

fn is_published(id: &DumpId) -> bool {
    !matches!(id, DumpId::Incomplete(_))
}
