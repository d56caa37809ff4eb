//! One directory: entering it, merging its listings, finishing it.
//!
//! Source entries are processed as they are listed. Each name is looked up in
//! the reference; the target is listed only when something can be in it, and
//! what the source does not have is removed from it at the end. The directory's
//! own attributes are set when its last entry is done, since every entry made
//! in it changes its times.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::entry::{Item, KeptBeingReplaced};
use super::held::Held;
use super::job::{Entering, Found, Job, Rest};
use super::known_dir::{KnownDir, Referred};
use super::node::{At, Node, OpenDirs, Sides};
use super::recall::MovedDir;
use super::worker::Worker;
use crate::catalog::DirId;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::fs::store::NameAt;
use crate::model::event::{Action, CopyReason};
use crate::model::fault::{Op, OpError};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::errno;
use crate::sys::xattr::Subject;

/// A directory of a dump.
struct InDump {
    place: Arc<DirHandle>,
    meta: Meta,
}

impl InDump {
    fn moved(moved: MovedDir) -> (DirId, Self) {
        let MovedDir { from, entered } = moved;
        let Entered { place, meta, .. } = entered;
        (from, Self { place, meta })
    }
}

/// How many times a name is entered again that `stat` calls a directory, when
/// opening it found something else. What is replaced more often is given up, and
/// told once.
const TRIES: u8 = 5;

impl Worker<'_> {
    /// Enters a directory of the source, and lists it.
    pub(super) fn enter(&mut self, above: &Arc<Node>, name: &CStr, tries: u8) {
        let way = match self.ends_before(above, name) {
            Some(way) => way,
            None => match above.source.enter(name, For::Reading) {
                Ok(entered) => self.may_enter(above, name, entered),
                Err(e) if errno::has_changed(&e) && tries < TRIES => Entering::Gone,
                Err(e) => self.closed(above, name, e),
            },
        };
        let way = match way {
            Entering::Gone if tries >= TRIES => {
                self.fault(
                    above,
                    name,
                    OpError::source(Op::Open, KeptBeingReplaced(None)),
                );
                Entering::Lost
            }
            way => way,
        };
        match way {
            Entering::In(entered) if self.is_mounted_in_place(above, name, &entered) => {}
            Entering::In(entered) => {
                if let Some(node) = self.open_node(above, name, entered) {
                    self.list(&node);
                    return;
                }
            }
            Entering::Closed(meta, told) => self.empty_directory(above, name, &meta, told),
            Entering::Elsewhere(meta) => {
                self.leave_out(above, name, Kind::Dir);
                self.bare_directory(above, name, &meta);
            }
            Entering::LeftOut(meta) => {
                self.clear(above, name);
                self.count(above, name, meta.kind, 0, Action::Excluded);
            }
            Entering::Lost => self.clear(above, name),
            Entering::Gone => {
                self.clear(above, name);
                self.store_again(above, name, tries + 1);
            }
        }
        self.release(Arc::clone(above));
    }

    /// Opens the other sides of a directory that was entered.
    fn open_node(&mut self, above: &Arc<Node>, name: &CStr, entered: Entered) -> Option<Arc<Node>> {
        let swapped = self.at_mount_point(above, name, &entered);
        let touched = match &swapped {
            Some(swapped) => swapped.touched,
            None if entered.is_mount => above.touched,
            None => above.touched.below(&above.meta, &entered.meta),
        };
        let swapped = swapped.and_then(|swapped| swapped.reference);
        let is_swapped = swapped.is_some() || above.swapped;
        let own = self.known_path(above, name);
        let moved = match is_swapped {
            true => None,
            false => self.moved_directory(above, own, &entered),
        };
        let (from, moved) = moved.map(InDump::moved).unzip();
        // What is mounted there has its reference in another dump.
        let place = above.reference.as_ref().filter(|_| swapped.is_none());
        let same_path = |place| self.enter_reference(place, above, name);
        let found = moved.or_else(|| place.and_then(same_path));
        let are_other = |found: &InDump| self.are_names_other(&found.meta, &entered.meta);
        let renamed = found.as_ref().is_none_or(are_other);
        let seen = &self.run.seen;
        let number = seen.note(above.number, name.to_bytes(), &entered.meta);
        let referred = Referred {
            reference: found.as_ref().map(|found| &found.meta),
            moved: from,
        };
        let known = self.known_below(above, name, own, number, &entered, referred);
        let reference = swapped.or(found.map(|found| found.place));
        let place = above.target.as_ref();
        let made = match self.make_target(place, above.held(), name, Some(above)) {
            Ok(made) => made,
            Err(op_error) => {
                self.fault(above, name, op_error);
                self.clear(above, name);
                return None;
            }
        };
        let subject = Subject::Open(entered.handle.as_fd());
        let xattrs = self.directory_xattrs(above, name, subject, reference.as_ref());
        let sides = Sides {
            fs: above.fs.below(&entered.handle, &entered.meta),
            touched,
            swapped: is_swapped,
            renamed,
            source: entered.place,
            reference,
            target: made.place,
            fresh: made.fresh,
            intact: made.intact,
            number,
            known,
            again: false,
        };
        let tree = Arc::clone(&above.tree);
        let above = Some(Arc::clone(above));
        let entered = (entered.meta, xattrs);
        Some(Node::new(above, tree, sides, entered))
    }

    fn enter_reference(&self, place: &Arc<DirHandle>, above: &Node, name: &CStr) -> Option<InDump> {
        // Where all may stand already, it is most often not needed.
        let found = match above.held() {
            Held::Expired => place.look(name, For::Passing),
            _ => {
                let entered = place.enter(name, For::Passing);
                entered.map(|entered| Some((entered.place, entered.meta)))
            }
        };
        match found {
            Ok(_) if !self.is_in_reference(above, name) => None,
            Ok(found) => found.map(|(place, meta)| InDump { place, meta }),
            Err(e) if errno::has_changed(&e) => None,
            Err(e) => {
                self.unreadable_reference(above, name, &e);
                None
            }
        }
    }

    /// Were names made, removed or replaced in a directory since the reference?
    pub(super) fn are_names_other(&self, reference: &Meta, source: &Meta) -> bool {
        let capabilities = self.run.rules.capabilities;
        ![source.mtime, capabilities.storable_time(source.mtime)].contains(&reference.mtime)
    }

    /// Lists a directory just entered, from its beginning.
    pub(super) fn list(&mut self, node: &Arc<Node>) {
        let (lister, found) = match self.open_listing(node) {
            Ok(opened) => opened,
            Err(op_error) => {
                self.fault(node, c"", op_error);
                self.empty_unmerged(node);
                self.release(Arc::clone(node));
                return;
            }
        };
        self.go_on(Rest {
            node: Arc::clone(node),
            lister,
            found,
            held: false,
        });
    }

    pub(super) fn open_listing(
        &self,
        node: &Arc<Node>,
    ) -> Result<(Lister, Option<Found>), OpError> {
        let source = node.source.open();
        let mut source = source.map_err(|e| OpError::source(Op::Open, e))?;
        let only = node.only(self.run.rules.only);
        if node.above.is_none() && only.is_none() {
            // It was opened when the run began, and btrfs would not list newer
            // entries.
            let again = dir::reopen(source.as_fd(), For::Reading);
            source = Arc::new(again.map_err(|e| OpError::source(Op::Open, e))?);
        }
        let found = match &node.target {
            Some(target) if !node.fresh => {
                let listed = target.open().and_then(|handle| match node.intact {
                    Some(_) => Found::list_with(handle),
                    None => Found::list(&handle),
                });
                Some(listed.map_err(|e| OpError::target(Op::List, e))?)
            }
            _ => None,
        };
        let lister = match only {
            Some(name) => Lister::of(source, name),
            None => Lister::new(source),
        };
        Ok((lister, found))
    }

    /// Processes the next part of a listing.
    pub(super) fn go_on(&mut self, mut rest: Rest) {
        let node = Arc::clone(&rest.node);
        let mut chunk = std::mem::take(&mut self.chunk);
        let listed = rest.lister.next(&mut chunk).and_then(|()| {
            if rest.lister.is_done() {
                return Ok(());
            }
            rest.held = rest.held || self.run.hold_listing();
            if rest.held {
                return Ok(());
            }
            rest.lister.rest(&mut chunk)
        });
        if let Err(e) = listed {
            // What was listed before that is still processed.
            self.fault(&node, c"", OpError::source(Op::List, e));
            rest.lister.end();
        }
        if let Some(e) = rest.lister.removed() {
            self.fault(&node, c"", OpError::source(Op::List, e));
        }
        self.deal_with(&node, &mut chunk, rest);
        self.chunk = chunk;
    }

    fn deal_with(&mut self, node: &Arc<Node>, chunk: &mut Chunk, mut rest: Rest) {
        let hands = match self.hands(node) {
            Ok(hands) => hands,
            Err(op_error) => {
                self.fault(node, c"", op_error);
                self.finish_listing(rest, &[]);
                return;
            }
        };
        chunk.sort_by_inode();
        self.set_filter_path(node);
        let mut directories = Vec::new();
        for entry in chunk.iter() {
            if !self.run.totals.keep_going() {
                return;
            }
            let done = node.again.then_some(rest.found.as_mut()).flatten();
            if done.is_some_and(|found| self.is_done(node, entry, found)) {
                continue;
            }
            let found = rest.found.as_mut().filter(|_| !node.again);
            if self.entry(node, &hands, entry, found) == Kind::Dir {
                directories.push(entry.name.to_owned());
            }
        }
        drop(hands);
        if rest.lister.is_done() {
            self.finish_listing(rest, &directories);
        } else {
            // The rest waits in the queue below the directories, so that few
            // jobs wait.
            self.run.queue.add([Job::Rest(Box::new(rest))]);
            self.add_directories(node, &directories);
        }
    }

    /// The listing is complete: removes what is left over in the target. The
    /// directories that were found are next.
    fn finish_listing(&mut self, mut rest: Rest, directories: &[std::ffi::CString]) {
        let node = Arc::clone(&rest.node);
        if let Some(found) = rest.found.take().filter(|_| !node.again) {
            for (entry, done) in found.chunk.iter().zip(&found.done) {
                if !done && !self.is_anothers(&node, entry.name) {
                    self.clear(&node, entry.name);
                }
            }
        }
        if rest.held {
            self.run.let_listing_go();
        }
        drop(rest);
        self.add_directories(&node, directories);
        self.release(node);
    }

    fn add_directories(&self, node: &Arc<Node>, directories: &[std::ffi::CString]) {
        node.expect(directories.len());
        self.run
            .queue
            .add(directories.iter().map(|name| Job::Enter {
                above: Arc::clone(node),
                name: name.clone(),
                tries: 0,
            }));
    }

    /// The handles of a node's sides.
    pub(super) fn hands(&self, node: &Node) -> Result<OpenDirs, OpError> {
        let source = node.source.open();
        let target = node.target.as_ref().map(DirHandle::open).transpose();
        Ok(OpenDirs {
            source: source.map_err(|e| OpError::source(Op::Open, e))?,
            reference: OnceCell::new(),
            target: target.map_err(|e| OpError::target(Op::Open, e))?,
        })
    }

    /// The reference's handle of an entry's directory, opened where it is needed.
    pub(super) fn reference_of<'i>(&self, item: Item<'i>) -> Option<&'i Arc<OwnedFd>> {
        let open = || {
            let opened = item.node.reference.as_ref()?.open();
            let told = opened.inspect_err(|e| self.unreadable_reference(item.node, c"", e));
            told.ok()
        };
        item.hands.reference.get_or_init(open).as_ref()
    }

    /// One job of a node is done; with the last, its attributes are set, and
    /// one job of the node above is done.
    pub(super) fn release(&mut self, node: Arc<Node>) {
        let mut at = Some(node);
        while let Some(node) = at.take() {
            if !node.tick_off() || !self.run.totals.keep_going() {
                return;
            }
            self.finish_known(&node);
            if node.is_room() {
                return;
            }
            let outcome = self.finish(&node);
            if node.again {
                // It was counted, and its losses were reported.
                if let Err(op_error) = outcome {
                    self.fault(&node, c"", op_error);
                }
                return;
            }
            let is_whole = outcome.as_ref().is_ok_and(Vec::is_empty);
            self.settle_attributes(&node, c"", outcome);
            if node.known.as_ref().is_some_and(KnownDir::is_moved) {
                self.counter.moved_directory();
            }
            self.count_removed(&node);
            let lacks = self.would_lack(&node.meta);
            self.count_losses(&node, c"", lacks);
            let missing = self.run.rules.verifies() && node.reference.is_none();
            let did = if missing {
                Action::Copied(CopyReason::New)
            } else {
                Action::Filled
            };
            self.count(&node, c"", Kind::Dir, 0, did);
            // As the tree has it: to look at each target once more would cost a call.
            let large = node.meta.blocks.saturating_mul(512).saturating_sub(4096);
            self.counter.counts.large_directories += large;
            match (&node.above, node.source.above()) {
                (Some(above), Some((_, name))) if is_whole => {
                    self.note_directory(above, name, &node.meta, &node.xattrs);
                }
                (Some(above), Some((_, name))) => self.note_as_made(above, name),
                _ => {}
            }
            at = node.above.clone();
        }
    }

    fn finish(&self, node: &Arc<Node>) -> Result<Vec<OpError>, OpError> {
        // While it may still be searched, it is the shortest way up.
        if let Ok(source) = node.source.open() {
            node.source.open_above(source.as_fd());
        }
        let Some(target) = &node.target else {
            return Ok(Vec::new());
        };
        let handle = target.open().map_err(|e| OpError::target(Op::Open, e))?;
        target.open_above(handle.as_fd());
        if self.stands(node, &handle) {
            return Ok(Vec::new());
        }
        self.begin_changing(node)?;
        let subject = Subject::Open(handle.as_fd());
        let losses = self
            .writer
            .attributes(subject, &node.meta, &node.xattrs)?
            .losses;
        self.writer.flush(&*handle)?;
        Ok(losses)
    }

    /// Reports which of an entry's attributes were lost.
    pub(super) fn settle_attributes(
        &mut self,
        node: &Node,
        name: &CStr,
        outcome: Result<Vec<OpError>, OpError>,
    ) {
        match outcome {
            Ok(losses) => self.tell_losses(node, name, losses),
            Err(op_error) => self.fault(node, name, op_error),
        }
    }

    pub(super) fn count(&mut self, node: &Node, name: &CStr, kind: Kind, size: u64, did: Action) {
        self.counter.entry(&At(node, name), kind, size, did);
    }

    /// A name in a directory's three sides.
    pub(super) fn name_at<'h>(handle: &'h Arc<OwnedFd>, name: &'h CStr) -> NameAt<'h> {
        NameAt {
            dir: handle.as_fd(),
            name,
        }
    }
}
