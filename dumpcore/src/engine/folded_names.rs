//! A target filesystem that treats different names as one: of `README` and
//! `readme` in one directory it can hold one, and the other is a fault that
//! names both.
//!
//! The first of them gets the name. It is the same in every dump, since entries
//! are processed in the order of their inodes. In the reference only the entry
//! with exactly this name counts: that of another name may have the same size
//! and time.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::job::Found;
use super::node::Node;
use super::worker::Worker;
use crate::fs::inspect;
use crate::model::fault::{Op, OpError, Side};
use crate::model::path::Printable;
use crate::sys::errno;
use crate::sys::lock::lock;

impl Worker<'_> {
    /// Reserves a name for an entry of any type. When another entry has it
    /// already, that is reported as a fault, and the entry is not stored.
    pub(super) fn takes_name(&mut self, node: &Arc<Node>, name: &CStr) -> bool {
        let Some(key) = self.run.rules.folding.key(name) else {
            return true;
        };
        let folded = node.folded.get_or_init(Box::default);
        let other = {
            let mut met = lock(&folded.met);
            let taken = met.entry(key).or_insert_with(|| name.to_owned());
            (taken.as_c_str() != name).then(|| taken.clone())
        };
        match other {
            None => true,
            Some(other) => {
                self.collide(node, name, &other);
                false
            }
        }
    }

    fn collide(&mut self, node: &Node, name: &CStr, other: &CStr) {
        let other = Printable(other.to_bytes());
        let cause = format!("its filesystem takes that for the same name as {other}");
        let op_error = OpError::target(Op::Create, io::Error::other(cause));
        self.fault(node, name, op_error);
    }

    /// Was this name stored already? A listing may contain a name twice when it
    /// was removed and made again meanwhile. The listed name must be the same
    /// byte by byte, since the filesystem may treat two names as one, and have
    /// the type that it has in the source: otherwise the entry is missing from
    /// the dump, which is a fault.
    pub(super) fn was_listed_twice(&self, node: &Node, name: &CStr, op_error: &OpError) -> bool {
        let makes = matches!(op_error.op, Op::Create | Op::Link);
        if op_error.side != Side::Target || !makes || !errno::exists(&op_error.cause) {
            return false;
        }
        let Some(target) = &node.target else {
            return false;
        };
        let stored = target.open().and_then(|handle| {
            let listed = Found::list(&handle)?.take(name).is_some();
            let existing = inspect::look_in_dump(handle.as_fd(), name)?;
            Ok(listed.then_some(existing.kind))
        });
        let source = Self::look(node, name).map(|meta| meta.kind);
        stored.is_ok_and(|stored| stored.is_some() && stored == source)
    }

    /// Another entry has the name of one that was to be made. Adds that entry's
    /// name to the error, if it can be found.
    pub(super) fn named(&self, node: &Node, name: &CStr, op_error: OpError) -> OpError {
        let other = || -> Option<CString> {
            let target = node.target.as_ref()?.open().ok()?;
            let there = inspect::look_in_dump(target.as_fd(), name).ok()?;
            let listed = Found::list(&target).ok()?;
            let mut others = listed.chunk.iter().filter(|entry| entry.name != name);
            others
                .find(|entry| {
                    let looked = inspect::look_in_dump(target.as_fd(), entry.name);
                    looked.is_ok_and(|looked| looked.ino == there.ino)
                })
                .map(|entry| entry.name.to_owned())
        };
        match other() {
            Some(other) if self.run.rules.folding.folds() => {
                let other = Printable(other.to_bytes());
                let cause = format!("its filesystem takes that for the same name as {other}");
                let cause = io::Error::other(cause);
                OpError { cause, ..op_error }
            }
            _ => op_error,
        }
    }

    /// Removes what an earlier run left under another spelling of a name.
    pub(super) fn clear_respelled(&mut self, node: &Node, name: &CStr, found: &Found) {
        let folding = self.run.rules.folding;
        let Some(key) = folding.key(name) else { return };
        let others = found.chunk.iter().zip(&found.done);
        let mut others = others.filter(|(_, done)| !**done);
        if others.any(|(other, _)| folding.key(other.name).as_ref() == Some(&key)) {
            self.clear(node, name);
        }
    }

    /// May the directory that is found under this name be taken over? Not when
    /// listings show it under another name.
    pub(super) fn has_this_name(&self, dir: &Arc<OwnedFd>, name: &CStr) -> bool {
        let folding = self.run.rules.folding;
        let listed = || Found::list(dir).is_ok_and(|found| found.chunk.find(name).is_some());
        !folding.folds() || folding.respells || listed()
    }

    /// Does a name of the target that was not processed lead to an entry that
    /// was stored under another name?
    pub(super) fn is_anothers(&self, node: &Node, name: &CStr) -> bool {
        let Some(key) = self.run.rules.folding.key(name) else {
            return false;
        };
        let folded = node.folded.get_or_init(Box::default);
        let met = lock(&folded.met);
        met.contains_key(&key)
    }

    /// Does the reference have an entry with exactly this name, and not only
    /// one that its filesystem treats as the same? Where listings show names in
    /// another form, that cannot be found out.
    pub(super) fn is_in_reference(&self, node: &Node, name: &CStr) -> bool {
        let folding = self.run.rules.folding;
        if !folding.folds() || folding.respells {
            return true;
        }
        let folded = node.folded.get_or_init(Box::default);
        let listed = folded.reference.get_or_init(|| {
            let handle = node.reference.as_ref()?.open().ok()?;
            Some(Found::list(&handle).ok()?.chunk)
        });
        let listed = listed.as_ref();
        listed.is_none_or(|names| names.find(name).is_some())
    }
}
