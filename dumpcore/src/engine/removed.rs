//! Counting what the reference has and the source no longer has.
//!
//! Only directories are listed whose names have changed since the reference,
//! which their modification time says: an unchanged tree costs nothing. It is
//! a figure for the report, and what cannot be listed for it does not count:
//! nothing is stored or left out because of that.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::node::Node;
use super::rules::Purpose;
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::model::kind::Kind;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::errno;
use crate::sys::stat::{self, Fresh};

impl Worker<'_> {
    /// Counts what is gone of a directory of which all is done.
    pub(super) fn count_removed(&mut self, node: &Node) {
        let options = &self.run.rules.options;
        let counts = matches!(options.purpose, Purpose::Store | Purpose::DryRun);
        let whole = node.only(self.run.rules.only).is_none();
        let Some(reference) = node.reference.as_ref().filter(|_| counts && whole) else {
            return;
        };
        if !node.renamed {
            return;
        }
        let Ok(source) = node.source.open() else {
            return;
        };
        let mut removed = 0;
        let mut below = Vec::new();
        let listed = self.list_reference(reference, |handle, name, kind| {
            let looked = stat::look(source.as_fd(), name, Fresh::Cached);
            if looked.is_err_and(|error| errno::is_missing(&error)) {
                removed += 1;
                if is_dir(handle, name, kind) {
                    below.push((Arc::clone(reference), name.to_owned()));
                }
            }
        });
        if listed.is_ok() {
            self.counter.removed(removed + self.count_below(below));
        }
    }

    /// How many entries are below some directories of the reference.
    fn count_below(&self, mut directories: Vec<(Arc<DirHandle>, CString)>) -> u64 {
        let mut number = 0;
        while let Some((above, name)) = directories.pop() {
            let Ok(entered) = above.enter(&name, For::Passing) else {
                continue;
            };
            let place = entered.place;
            // What was listed before an error counts.
            let _ = self.list_reference(&place, |handle, name, kind| {
                number += 1;
                if is_dir(handle, name, kind) {
                    directories.push((Arc::clone(&place), name.to_owned()));
                }
            });
        }
        number
    }

    fn list_reference(
        &self,
        place: &Arc<DirHandle>,
        mut each: impl FnMut(&Arc<OwnedFd>, &CStr, Option<Kind>),
    ) -> io::Result<()> {
        let handle = place.open()?;
        let handle = Arc::new(dir::reopen(handle.as_fd(), For::Reading)?);
        let mut lister = Lister::new(Arc::clone(&handle));
        let mut chunk = Chunk::default();
        while !lister.is_done() && self.run.totals.keep_going() {
            lister.next(&mut chunk)?;
            for entry in chunk.iter() {
                each(&handle, entry.name, entry.kind);
            }
        }
        Ok(())
    }
}

/// Is it a directory? Not every filesystem says so in its listings.
fn is_dir(handle: &Arc<OwnedFd>, name: &CStr, kind: Option<Kind>) -> bool {
    let looked = || stat::look(handle.as_fd(), name, Fresh::Cached).ok();
    kind.or_else(|| looked().map(|meta| meta.kind)) == Some(Kind::Dir)
}
