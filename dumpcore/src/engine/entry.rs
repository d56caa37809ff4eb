//! One entry other than a directory: link it, keep it, or copy it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use super::hardlinks::SourceState;
use super::job::{Copying, Found, Job};
use super::judged::{Judged, Reference};
use super::known_dir::{KnownDir, Says};
use super::node::{Node, OpenDirs};
use super::worker::Worker;
use crate::fs::inspect;
use crate::fs::refusal::{self, Destination};
use crate::fs::store::StoreError;
use crate::model::event::{Action, CopyReason};
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::policy::content_hash::ContentHash;
use crate::policy::touched::{Sure, Touched};
use crate::sys::dir::Listed;
use crate::sys::{errno, link};

/// Files from this size on are copied as jobs of their own.
const LARGE: u64 = 1 << 20;

/// How many times an entry that keeps being replaced is tried again.
const LOOKS: u32 = 5;

/// An entry that is being processed: its place and its metadata.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) hands: &'a OpenDirs,
    pub(super) name: &'a CStr,
    pub(super) meta: &'a Meta,
    /// May copying it be a job of its own?
    pub(super) may_defer: bool,
    /// What the catalog says of it, and the inode of the reference that it can
    /// be linked to by that alone.
    pub(super) says: Says,
    pub(super) linked: Option<&'a Meta>,
}

impl Item<'_> {
    /// The same, held against this inode of the reference: what the catalog says
    /// of another one does not count.
    pub(super) fn against(self, reference: &Meta) -> Self {
        let says = match self.says {
            Says::Same(ino) if ino != reference.ino => Says::Nothing,
            says => says,
        };
        Self { says, ..self }
    }

    /// The same, not to be put off.
    pub(super) fn at_once(self) -> Self {
        Self {
            may_defer: false,
            ..self
        }
    }

    /// May it have been touched since it was stored on this side? Unknown, and
    /// `Sure::No`, where its ctime is from another machine's clock.
    pub(super) fn touched(&self, side: Side) -> Sure {
        match self.says {
            Says::Same(_) if side == Side::Reference => return Sure::No,
            Says::Changed(sure) if side == Side::Reference => return sure,
            _ => {}
        }
        match self.node.touched.on(side) {
            Touched::Unknown => Sure::No,
            touched @ Touched::StoredSince(_) => touched.is_stored(self.meta.born),
            touched if self.node.fs.is_stamped_here(self.meta) => touched.is(self.meta.ctime),
            _ => Sure::No,
        }
    }

    /// Is its size reported correctly?
    pub(super) fn has_true_size(&self) -> bool {
        self.node.fs.has_true_size(self.meta)
    }

    /// Is its inode number its own?
    pub(super) fn has_true_inode(&self) -> bool {
        self.node.fs.has_true_inode(self.meta)
    }
}

/// What became of an entry, and its inode in the dump.
pub(super) struct Outcome {
    pub(super) did: Action,
    pub(super) size: u64,
    pub(super) id: Id,
    /// What was stored, or linked to.
    pub(super) was: SourceState,
    /// The source as it was when it was read, if the dump lacks nothing of it.
    pub(super) as_read: Option<Meta>,
    /// Its inode in the dump; `None`: it was not looked at.
    pub(super) made: Option<Meta>,
    /// The hash of its contents, if they were copied.
    pub(super) hash: Option<ContentHash>,
    /// What stands for its attributes, if they were given to it.
    pub(super) xattrs: Option<u64>,
}

impl Worker<'_> {
    /// Processes an entry of a listing. Directories are only recognised: the
    /// result is what the entry is.
    pub(super) fn entry(
        &mut self,
        node: &Arc<Node>,
        hands: &OpenDirs,
        entry: Listed<'_>,
        found: Option<&mut Found>,
    ) -> Kind {
        let name = entry.name;
        let mut meta = None;
        let kind = match entry.kind {
            Some(kind) => kind,
            None if self.is_excluded(name, true) && self.is_excluded(name, false) => {
                self.count(node, name, Kind::File, 0, Action::Excluded);
                return Kind::File;
            }
            // What it is becomes known when it is entered.
            None if self.ends_before(node, name).is_some() => Kind::Dir,
            None => match self.look_by(node, hands, name) {
                Some(looked) => meta.insert(looked).kind,
                None => return Kind::File,
            },
        };
        if self.is_excluded(name, kind == Kind::Dir) || self.is_restoring(node, name) {
            self.count(node, name, kind, 0, Action::Excluded);
            return Kind::File;
        }
        if !self.takes_name(node, name) {
            return Kind::File;
        }
        if kind != Kind::Dir {
            let Some(looked) = meta.or_else(|| self.look_by(node, hands, name)) else {
                return Kind::File;
            };
            let elsewhere = looked.dev != node.tree.dev && self.run.rules.options.one_file_system;
            if elsewhere && self.is_mounted_file(node, hands, name) {
                self.leave_out(node, name, looked.kind);
                return Kind::File;
            }
            if looked.kind != Kind::Dir {
                let existing = found.and_then(|found| {
                    let existing = found.take_as(name, looked.kind);
                    if existing.is_none() {
                        self.clear_respelled(node, name, found);
                    }
                    existing
                });
                return self.store(node, hands, name, looked, true, existing);
            }
        }
        if let Some(found) = found {
            // Entering it will show what it is.
            if found.take(name).is_none() {
                self.clear_respelled(node, name, found);
            }
        }
        Kind::Dir
    }

    /// Processes a name apart from its listing; the target has nothing under
    /// it. The job belongs to the node, and the caller counts it as done.
    pub(super) fn store_again(&mut self, node: &Arc<Node>, name: &CStr, tries: u8) {
        let hands = match self.hands(node) {
            Ok(hands) => hands,
            Err(op_error) => return self.fault(node, name, op_error),
        };
        let Some(meta) = self.look_by(node, &hands, name) else {
            return;
        };
        let is_directory = meta.kind == Kind::Dir
            || self.store(node, &hands, name, meta, tries == 0, None) == Kind::Dir;
        if is_directory {
            node.expect(1);
            self.run.queue.add([Job::Enter {
                above: Arc::clone(node),
                name: name.to_owned(),
                tries,
            }]);
        }
    }

    /// Stores an entry. `existing` is the inode number that the target has under
    /// its name. Says so when it has become a directory in the meantime.
    fn store(
        &mut self,
        node: &Arc<Node>,
        hands: &OpenDirs,
        name: &CStr,
        looked: Meta,
        may_defer: bool,
        existing: Option<u64>,
    ) -> Kind {
        self.counter.born(looked.born);
        let (mut meta, mut existing) = (looked, existing);
        for _ in 0..LOOKS {
            let (says, linked) = self.by_catalog(node, name, &meta);
            let item = Item {
                node,
                hands,
                name,
                meta: &meta,
                may_defer,
                says,
                linked: linked.as_ref(),
            };
            let stored = if self.run.names_of(&meta) > 1 {
                self.hardlinked(item, existing)
            } else {
                self.single(item, existing)
            };
            match stored {
                Ok(None) | Err(StoreError::Stopped) => return Kind::File,
                Ok(Some(outcome)) => {
                    self.account_for(item, &outcome);
                    return Kind::File;
                }
                Err(StoreError::HalfMade(op_error)) => {
                    self.halt(node, name, op_error);
                    return Kind::File;
                }
                Err(StoreError::Op(op_error)) if !Self::is_replaced(item, &op_error) => {
                    self.give_up(item, existing, op_error);
                    return Kind::File;
                }
                Err(StoreError::Changed | StoreError::Op(_)) => {
                    self.clear_after(node, name, existing.take());
                    let Some(again) = self.look_by(node, hands, name) else {
                        return Kind::File;
                    };
                    if again.kind == Kind::Dir {
                        return Kind::Dir;
                    }
                    meta = again;
                }
            }
        }
        self.fault(
            node,
            name,
            OpError::source(Op::Read, KeptBeingReplaced(None)),
        );
        Kind::File
    }

    /// An entry cannot be stored.
    fn give_up(&mut self, item: Item<'_>, existing: Option<u64>, op_error: OpError) {
        self.clear_after(item.node, item.name, existing);
        if !self.is_kernel_file(item, &op_error) {
            self.fault(item.node, item.name, op_error);
        }
    }

    /// An entry is in the dump.
    pub(super) fn account_for(&mut self, item: Item<'_>, outcome: &Outcome) {
        self.note_stored(item.node, item.name, outcome);
        let (size, did) = (outcome.size, outcome.did);
        self.count(item.node, item.name, item.meta.kind, size, did);
    }

    /// Has another file replaced the one with this name? A server then reports
    /// the one that was open as stale.
    pub(super) fn is_replaced(item: Item<'_>, op_error: &OpError) -> bool {
        let stale = op_error.side == Side::Source && errno::is_stale(&op_error.cause);
        let look = || inspect::look(item.hands.source.as_fd(), item.name);
        stale && look().is_ok_and(|existing| existing.id() != item.meta.id())
    }

    pub(super) fn clear_after(&self, node: &Node, name: &CStr, existing: Option<u64>) {
        if existing.is_some() {
            self.clear(node, name);
        }
    }

    /// An entry with one name.
    pub(super) fn single(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
    ) -> Result<Option<Outcome>, StoreError> {
        let why = match self.judge(item)? {
            Judged::Copy(why) => why,
            Judged::Link(found) if !self.run.groups.claim_alone(found.meta.id()) => {
                CopyReason::Links
            }
            Judged::Link(found) => match self.link(item, &found, existing)? {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(refused) => refused,
            },
        };
        if let Some(kept) = self.keep(item, existing)? {
            return Ok(Some(kept));
        }
        if item.meta.kind == Kind::File
            && item.meta.size >= LARGE
            && item.hands.target.is_some()
            && item.may_defer
            && self.run.may_defer_copy()
        {
            item.node.expect(1);
            self.run.queue.add([Job::Copy(Box::new(Copying {
                node: Arc::clone(item.node),
                name: item.name.to_owned(),
                meta: *item.meta,
                why,
            }))]);
            return Ok(None);
        }
        self.copy(item, why).map(Some)
    }

    /// Makes an entry a link to its reference, or returns why that is refused.
    pub(super) fn link(
        &mut self,
        item: Item<'_>,
        found: &Reference,
        existing: Option<u64>,
    ) -> Result<Result<Outcome, CopyReason>, StoreError> {
        let reference = &found.meta;
        let moved = found.moved_from.as_ref();
        let is_moved = item.node.known.as_ref().is_some_and(KnownDir::is_moved);
        let outcome = Outcome {
            did: match moved.is_some() || is_moved {
                true => Action::Moved,
                false => Action::Linked,
            },
            size: reference.size,
            id: reference.id(),
            was: SourceState::of(item.meta),
            as_read: self.lacking.is_nothing().then_some(*item.meta),
            made: Some(*reference),
            hash: None,
            xattrs: None,
        };
        if existing == Some(reference.ino) {
            self.count_lacking(item, reference);
            return Ok(Ok(outcome));
        }
        let in_place = (self.reference_of(item), item.name);
        let (from, name) = moved.map_or(in_place, |(dir, name)| (Some(dir), name));
        let (Some(from), Some(to)) = (from, &item.hands.target) else {
            let at = from.map(|from| (from.as_fd(), name));
            if let Some(refused) = self.foresee_refusal(at, reference) {
                return Ok(Err(refused));
            }
            self.count_lacking(item, reference);
            return Ok(Ok(outcome));
        };
        self.clear_after(item.node, item.name, existing);
        if self.run.rules.leaves_what_is_same() {
            self.count_lacking(item, reference);
            return Ok(Ok(outcome));
        }
        self.begin_changing(item.node)?;
        match link::hard_link(from.as_fd(), name, to.as_fd(), item.name) {
            Ok(()) => {
                self.count_lacking(item, reference);
                Ok(Ok(outcome))
            }
            Err(e) => match refusal::of_error(&e, from.as_fd(), name) {
                Some(refused) => Ok(Err(refused)),
                None => Err(OpError::target(Op::Link, e).into()),
            },
        }
    }

    /// Why a dry run's link would be refused. What is there already, and only
    /// compared, is not linked.
    fn foresee_refusal(
        &self,
        at: Option<(BorrowedFd<'_>, &CStr)>,
        reference: &Meta,
    ) -> Option<CopyReason> {
        let rules = self.run.rules;
        let (from, name) = at?;
        let destination = Destination {
            dev: rules.link_dev?,
            most_links: rules.most_links,
            runner: rules.capabilities,
        };
        refusal::foreseen(destination, from, name, reference)
    }
}

/// A name that is something else now is processed again.
pub(super) fn changed_or(op_error: OpError) -> StoreError {
    if errno::has_changed(&op_error.cause) || errno::is_no_symlink(&op_error.cause) {
        StoreError::Changed
    } else {
        StoreError::Op(op_error)
    }
}

/// A name was something else each time that it was tried; with the last answer that
/// said so.
#[derive(Debug, thiserror::Error)]
#[error("it kept being replaced while it was read")]
pub(super) struct KeptBeingReplaced(#[source] pub(super) Option<io::Error>);

impl From<KeptBeingReplaced> for io::Error {
    fn from(replaced: KeptBeingReplaced) -> Self {
        Self::other(replaced)
    }
}
