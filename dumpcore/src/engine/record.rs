//! What a worker notes for the catalog.
//!
//! Whatever is stored is noted as it is in the dump. Names of a directory that
//! were not met by the time that all of its jobs are done are gone.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Outcome;
use super::known_dir::{BATCH, KnownDir, Own, TICK};
use super::node::Node;
use super::worker::Worker;
use crate::catalog::{CatalogError, Facts, Finding, StoredInode, attributes_digest};
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::model::event::Action;
use crate::model::fault::Side;
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Xattrs};
use crate::sys::errno;
use crate::sys::lock::lock;
use crate::sys::name::c_name;
use crate::sys::xattr::Subject;

impl Worker<'_> {
    /// Notes what the dump has under a name.
    pub(super) fn note_stored(&mut self, node: &Node, name: &CStr, outcome: &Outcome) {
        let Some(known) = &node.known else { return };
        let Some(target) = &node.target else { return };
        let look = || inspect::look_in_dump(target.open()?.as_fd(), name);
        let made = match outcome.made.map_or_else(look, Ok) {
            Ok(made) => made,
            Err(cause) => return self.unseen(node, name, cause),
        };
        let options = &self.run.rules.options;
        // Without a look at attributes an equal time of change proves less.
        let looked = options.policy.compares_xattrs();
        let settled = self.run.rules.catalogued.filter(|_| looked);
        let settled = settled.map(|c| c.settled(options.settle.max(TICK)));
        let source = outcome
            .as_read
            .zip(settled)
            .and_then(|(read, settled)| known.source_of(node.meta.dev, &read, &made, settled));
        let stored = StoredInode {
            facts: Facts::of(&made),
            hash: outcome.hash,
            xattrs: outcome.xattrs,
            source,
        };
        let follows = outcome.did == Action::HardLinked;
        self.note(known, name, stored, follows);
    }

    /// What the dump has cannot be looked at. It is not known then, and not gone:
    /// the dump is not recorded, and the next run enters it.
    fn unseen(&self, node: &Node, name: &CStr, cause: io::Error) {
        if let Some(catalogued) = self.run.rules.catalogued {
            let path = node.full_path(Side::Target, name);
            catalogued.fail(CatalogError::unseen(&path, cause));
        }
    }

    /// Notes a directory that is finished, or stands empty.
    pub(super) fn note_directory(
        &mut self,
        above: &Node,
        name: &CStr,
        meta: &Meta,
        xattrs: &Xattrs,
    ) {
        let capabilities = self.run.rules.capabilities;
        let stored = Meta {
            mode: capabilities.storable_mode(meta),
            ..capabilities.storable(meta)
        };
        self.note_as(above, name, &stored, xattrs);
    }

    /// The same of one that did not get all of its attributes: it is noted with
    /// those that it has, or a scrub would take it for damaged.
    pub(super) fn note_as_made(&mut self, above: &Node, name: &CStr) {
        let Some(target) = above.target.as_ref().filter(|_| above.known.is_some()) else {
            return;
        };
        let handle = match target.open() {
            Ok(handle) => handle,
            Err(cause) => return self.unseen(above, name, cause),
        };
        match inspect::look_in_dump(handle.as_fd(), name) {
            Ok(made) => {
                let subject = Subject::Named(handle.as_fd(), name);
                let read = inspect::xattrs(subject, Side::Target, self.run.rules.capabilities);
                // As it is where a dump is read: what cannot be read is not there.
                self.note_as(above, name, &made, &read.unwrap_or_default());
            }
            Err(e) if errno::is_missing(&e) => {}
            Err(cause) => self.unseen(above, name, cause),
        }
    }

    fn note_as(&mut self, above: &Node, name: &CStr, stored: &Meta, xattrs: &Xattrs) {
        let Some(known) = &above.known else { return };
        let capabilities = self.run.rules.capabilities;
        let kept = xattrs.filtered(|name| capabilities.keeps_xattr(name));
        let inode = Facts::of(stored).with_digest(attributes_digest(&kept));
        self.note(known, name, inode.into(), false);
    }

    /// `follows`: it is one more name of an inode that was noted.
    fn note(&mut self, known: &KnownDir, name: &CStr, stored: StoredInode, follows: bool) {
        known.entries.fetch_add(1, Ordering::Relaxed);
        let bytes = if stored.facts.kind == Kind::File {
            stored.facts.size
        } else {
            0
        };
        known.bytes.fetch_add(bytes, Ordering::Relaxed);
        let bytes = name.to_bytes();
        let row = match &known.own {
            Own::Rows { children, met } => children.find(bytes).map(|at| {
                met[at].store(true, Ordering::Relaxed);
                *children.get(at).1
            }),
            Own::Wide { met } => {
                let dir = known.dir;
                let row = self.recall(|rows| rows.child(dir, bytes)).flatten();
                met.fetch_add(u64::from(row.is_some()), Ordering::Relaxed);
                row
            }
        };
        let finding = match row {
            // The first look may have found the name gone.
            Some(row) if !known.again && row.facts.is_same_inode(&stored.facts) => {
                // What is known of the inode's first name counts.
                if row.source == stored.source || follows {
                    return;
                }
                Finding::Source {
                    inode: row.inode,
                    source: stored.source,
                }
            }
            _ => Finding::Entry {
                name: bytes.to_vec(),
                stored,
            },
        };
        if let Some(batch) = known.hold(finding) {
            self.put_aside(known, batch);
        }
    }

    fn put_aside(&self, known: &KnownDir, batch: Vec<Finding>) {
        if let Some(catalogued) = self.run.rules.catalogued {
            catalogued.add(known.dir, batch);
        }
    }

    /// All jobs of a directory are done: names that were not met are gone.
    pub(super) fn finish_known(&mut self, node: &Node) {
        let Some(known) = &node.known else { return };
        let batch = std::mem::take(&mut *lock(&known.found));
        self.put_aside(known, batch);
        let catalogued = self.run.rules.catalogued;
        if let Some(tree) = catalogued.and_then(|c| c.tree(&node.tree.name)) {
            let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
            tree.entries
                .fetch_add(of(&known.entries), Ordering::Relaxed);
            tree.bytes.fetch_add(of(&known.bytes), Ordering::Relaxed);
        }
        if known.again {
            return;
        }
        match &known.own {
            Own::Rows { children, met } => {
                let gone = (0..children.len())
                    .filter(|at| !met[*at].load(Ordering::Relaxed))
                    .map(|at| Finding::Gone {
                        name: children.get(at).0.to_vec(),
                    });
                self.put_aside(known, gone.collect());
            }
            Own::Wide { met } => self.finish_wide(node, known, met.load(Ordering::Relaxed)),
        }
    }

    /// Of a wide directory the names that are gone are found by looking at each,
    /// when there are any.
    fn finish_wide(&mut self, node: &Node, known: &KnownDir, met: u64) {
        let dir = known.dir;
        if self.recall(|rows| rows.count(dir)) == Some(met) {
            return;
        }
        let target = match node.target.as_ref().map(DirHandle::open) {
            Some(Ok(target)) => target,
            Some(Err(cause)) => return self.unseen(node, c"", cause),
            None => return,
        };
        let mut after = Vec::new();
        loop {
            let page = self.recall(|rows| rows.names_after(dir, &after, BATCH));
            let Some(page) = page.filter(|page| !page.is_empty()) else {
                return;
            };
            let mut gone = Vec::new();
            for name in &page {
                match inspect::look_in_dump(target.as_fd(), &c_name(name)) {
                    Ok(_) => {}
                    Err(e) if errno::is_missing(&e) => {
                        gone.push(Finding::Gone { name: name.clone() });
                    }
                    Err(cause) => return self.unseen(node, &c_name(name), cause),
                }
            }
            self.put_aside(known, gone);
            after = page.last().cloned().unwrap_or_default();
        }
    }

    /// A directory stands empty in the dump: all that the catalog has in it is
    /// gone.
    pub(super) fn note_empty(&mut self, above: &Node, name: &CStr) {
        let Some(known) = &above.known else { return };
        let (parent, bytes) = (known.dir, name.to_bytes());
        if let Some(Some((dir, _))) = self.recall(|rows| rows.subdir(parent, bytes)) {
            let mut after = Vec::new();
            while let Some(page) = self.recall(|rows| rows.names_after(dir, &after, BATCH)) {
                let Some(last) = page.last().cloned() else {
                    break;
                };
                let gone = page
                    .into_iter()
                    .map(|name| Finding::Gone { name })
                    .collect();
                if let Some(catalogued) = self.run.rules.catalogued {
                    catalogued.add(dir, gone);
                }
                after = last;
            }
        }
    }
}
