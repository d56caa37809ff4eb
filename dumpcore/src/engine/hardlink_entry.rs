//! One name of an inode that has several: it is stored first, waits for the
//! first, or is linked to it.
//!
//! The source's names of one inode become names of one inode of the dump, also
//! where the filesystem refuses some links, or the inode number is used again
//! for another file during the run. Where several files may have one number at
//! once, because a FUSE program or a server makes the numbers up, two names are
//! one file only if their contents are equal.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::earlier_name::EarlierName;
use super::entry::{Item, Outcome};
use super::hardlinks::{FirstName, Role, SourceState};
use super::job::{Found, Job};
use super::judged::Judged;
use super::rules::Rules;
use super::worker::Worker;
use crate::fs::inspect;
use crate::fs::store::StoreError;
use crate::model::event::{Action, CopyReason, Warning};
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::sys::{errno, link};

impl Worker<'_> {
    /// One name of an inode that has several.
    pub(super) fn hardlinked(
        &mut self,
        item: Item<'_>,
        mut existing: Option<u64>,
    ) -> Result<Option<Outcome>, StoreError> {
        let id = item.meta.id();
        if existing == Some(Found::ANOTHERS) {
            // It may be a whole directory, for which nobody is to wait below.
            self.clear_after(item.node, item.name, existing.take());
        }
        let next = self.run.count_names();
        if !next.is_empty() {
            self.run.queue.add(next);
        }
        let job = Job::Store {
            node: Arc::clone(item.node),
            name: item.name.to_owned(),
        };
        // Counted before others can see the job.
        item.node.expect(1);
        let names = self.run.names_of(item.meta);
        let make_way = || self.clear_after(item.node, item.name, existing);
        let (job, others) = match self.run.groups.meet(id, names, job, make_way) {
            Role::Wait => return Ok(None),
            Role::Lead(job, others) => (job, others),
            Role::Follow(first, _) => {
                item.node.tick_off();
                return self.follow(item, existing, &first);
            }
        };
        let can_wait = self.run.can_wait(&item.node.tree, others);
        let led = self.lead(item, existing, can_wait);
        let next = match &led {
            Ok(Some(outcome)) => self.run.groups.settle(id, self.first(item, outcome)),
            // The job still belongs to the node.
            Ok(None) => {
                let next = self.run.groups.seek(id, job);
                self.run.queue.add(next);
                return Ok(None);
            }
            Err(_) => self.run.groups.give_up(id),
        };
        item.node.tick_off();
        self.run.queue.add(next);
        led
    }

    /// Stores the first name of an inode, for which the others wait. `None`
    /// when this name is not in the reference and another one may be.
    fn lead(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
        can_wait: bool,
    ) -> Result<Option<Outcome>, StoreError> {
        let why = match self.judge(item)? {
            Judged::Copy(why) => why,
            Judged::Link(found) if !self.run.has_room_for_links(&found.meta, item.meta) => {
                CopyReason::NoLink
            }
            Judged::Link(found) if self.run.groups.claim(found.meta.id(), item.meta.id()) => {
                match self.link(item, &found, existing)? {
                    Ok(outcome) => return Ok(Some(outcome)),
                    Err(refused) => refused,
                }
            }
            Judged::Link(_) => CopyReason::Links,
        };
        if let Some(kept) = self.keep(item, existing)? {
            return Ok(Some(kept));
        }
        let is_settled = [CopyReason::Links, CopyReason::Damaged].contains(&why)
            || why.link_refused()
            || why.attributes_only();
        if can_wait && !is_settled {
            return Ok(None);
        }
        self.copy(item, why).map(Some)
    }

    /// Links a name to the one that was stored first.
    fn follow(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
        first_name: &FirstName,
    ) -> Result<Option<Outcome>, StoreError> {
        if first_name.was != SourceState::of(item.meta) {
            // It was written to since, or another file has its number now.
            self.run.inodes_collide();
            let stored = self.single(item.at_once(), existing)?;
            if let Some(stored) = &stored
                && item.has_true_inode()
            {
                let replacement = self.first(item, stored);
                self.run.groups.replace(item.meta.id(), replacement);
            }
            return Ok(stored);
        }
        if earlier(self.run.rules, item, first_name).is_some()
            && let Some(stays) = self.stay(item, existing)?
        {
            return Ok(Some(stays));
        }
        let doubted = !item.has_true_inode() || self.run.do_inodes_collide();
        if doubted && !self.agrees(item, first_name)? {
            return self.single(item, existing);
        }
        self.link_to_first(item, existing, first_name).map(Some)
    }

    /// Leaves an entry as it is where that is right.
    fn stay(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
    ) -> Result<Option<Outcome>, StoreError> {
        if !self.run.rules.leaves_what_is_same() {
            return Ok(None);
        }
        match self.judge(item)? {
            Judged::Link(found) if self.run.groups.claim(found.meta.id(), item.meta.id()) => {
                Ok(self.link(item, &found, existing)?.ok())
            }
            _ => Ok(None),
        }
    }

    /// Does a name have the contents that were stored for the first name with
    /// its number?
    fn agrees(&mut self, item: Item<'_>, first_name: &FirstName) -> Result<bool, StoreError> {
        let place = first_name.place.as_ref().unwrap_or(&first_name.source);
        let Ok(handle) = place.open() else {
            return Ok(false);
        };
        match item.meta.kind {
            Kind::File => self.same_file(item, handle.as_fd(), &first_name.name),
            Kind::Symlink => {
                let there = link::read_symlink(handle.as_fd(), &first_name.name);
                let here = self.read_symlink(item)?;
                Ok(there.is_ok_and(|there| there == here))
            }
            _ => Ok(false),
        }
    }

    fn link_to_first(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
        first_name: &FirstName,
    ) -> Result<Outcome, StoreError> {
        let outcome = |did, ino| Outcome {
            did,
            size: item.meta.size,
            id: Id { dev: 0, ino },
            was: SourceState::of(item.meta),
            // It was the first name that was read.
            as_read: None,
            made: None,
            hash: None,
            xattrs: None,
        };
        let (Some(target), Some(place)) = (&item.hands.target, &first_name.place) else {
            if self.run.rules.verifies() && !self.is_reference(item, first_name.ino) {
                return Ok(outcome(Action::Copied(CopyReason::New), first_name.ino));
            }
            return Ok(outcome(Action::HardLinked, first_name.ino));
        };
        if self.run.rules.marks.is_some_and(|m| m.has(place.id().ino)) {
            self.mark(item.node);
        }
        let earlier = earlier(self.run.rules, item, first_name);
        let is_right = || earlier.is_none_or(|earlier| earlier.is_at(target, item.name));
        if existing == Some(first_name.ino) && is_right() {
            return Ok(outcome(Action::HardLinked, first_name.ino));
        }
        self.clear_after(item.node, item.name, existing);
        let leaves = self.run.rules.leaves_what_is_same();
        if leaves && self.is_reference(item, first_name.ino) {
            return Ok(outcome(Action::Linked, first_name.ino));
        }
        self.begin_changing(item.node)?;
        let from = match place.open() {
            // It was moved in the tree meanwhile.
            Err(_) if earlier.is_some() => return self.split(item),
            from => from.map_err(|e| OpError::target(Op::Open, e))?,
        };
        let (from, to) = (from.as_fd(), target.as_fd());
        match link::hard_link(from, &first_name.name, to, item.name) {
            Ok(()) if is_right() => Ok(outcome(Action::HardLinked, first_name.ino)),
            Ok(()) => {
                let removed = link::remove(to, item.name);
                removed.map_err(|e| StoreError::HalfMade(OpError::target(Op::Remove, e)))?;
                self.split(item)
            }
            Err(e) if errno::is_link_refused(&e) => self.split(item),
            Err(e) => Err(OpError::target(Op::Link, e).into()),
        }
    }

    /// Stores a name that cannot be linked to the first one as a file of its own.
    /// Names that are met later are linked to it.
    fn split(&mut self, item: Item<'_>) -> Result<Outcome, StoreError> {
        let copied = self.copy(item, CopyReason::NoLink)?;
        let path = item.node.full_path(Side::Source, item.name);
        self.run.totals.warn(Warning::GroupSplit { path });
        let replacement = self.first(item, &copied);
        self.run.groups.replace(item.meta.id(), replacement);
        Ok(copied)
    }

    /// Where the dump has the first name of a group; what was left where it is
    /// the same stays in the reference.
    fn first(&self, item: Item<'_>, outcome: &Outcome) -> FirstName {
        let stays = self.run.rules.leaves_what_is_same() && outcome.did == Action::Linked;
        let place = match stays {
            true => &item.node.reference,
            false => &item.node.target,
        };
        FirstName {
            was: outcome.was,
            ino: outcome.id.ino,
            place: place.clone(),
            source: Arc::clone(&item.node.source),
            name: item.name.to_owned(),
        }
    }

    /// Does the reference have this inode under the entry's name?
    fn is_reference(&self, item: Item<'_>, ino: u64) -> bool {
        self.reference_of(item).is_some_and(|reference| {
            let looked = inspect::look_in_dump(reference.as_fd(), item.name);
            looked.is_ok_and(|looked| looked.ino == ino)
        })
    }
}

/// The earlier name that the first name of an entry's inode is, if it is one.
fn earlier<'r>(rules: &'r Rules<'_>, item: Item<'_>, first: &FirstName) -> Option<&'r EarlierName> {
    let earlier = rules.earlier?.get(&item.meta.id())?;
    earlier.is(first).then_some(earlier)
}
