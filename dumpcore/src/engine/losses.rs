//! What a dump lacks of an entry: judged, counted and reported.
//!
//! An attribute that could not be stored with a copy is a fault, with its path,
//! the first time. In later dumps it does not make the entry count as changed:
//! an entry that differs from its reference only in what would be refused again
//! is linked to it, and what it lacks is counted and reported once per run.
//! Whether it would be refused is found out by trying, on an entry without
//! contents that is made beside the trees and removed again. Only entries whose
//! attributes differ cost that.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use super::entry::{Item, changed_or};
use super::node::Node;
use super::worker::Worker;
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect::{self, Attributes};
use crate::fs::store::{self, NameAt, StoreError};
use crate::model::chain::Chain;
use crate::model::event::CopyReason;
use crate::model::fault::{Op, OpError, Side};
use crate::model::loss::{Loss, Losses};
use crate::model::metadata::{Kind, Meta, Time, Xattrs};
use crate::policy::layout;
use crate::sys::name::c_name;
use crate::sys::xattr::Subject;
use crate::sys::{file, link};

/// No filesystem stores times in longer steps, in nanoseconds.
const COARSEST_STEP: u128 = 2_000_000_000;

impl Worker<'_> {
    /// Does an entry differ from what a dump has only in attributes that would
    /// be refused again?
    pub(super) fn would_be_refused(
        &mut self,
        why: CopyReason,
        item: Item<'_>,
        other: NameAt<'_>,
        looked: &Meta,
    ) -> Result<bool, StoreError> {
        let Some(scratch) = self.run.rules.scratch else {
            return Ok(false);
        };
        if !self.may_be_refused(why, item.meta, looked) {
            return Ok(false);
        }
        let made = {
            let _alone = self.run.scratch.lock();
            let name = c_name(layout::TRIALS[0].as_bytes());
            let to = NameAt {
                dir: scratch.as_fd(),
                name: &name,
            };
            let made = self.try_attributes(item, to);
            // If it stayed, it would be published.
            store::discard_trial(to)?;
            made?
        };
        let is = self.attributes_of(other.dir, other.name)?;
        let would_be = (made.meta, made.xattrs);
        if made.refused.is_empty() {
            if why == CopyReason::Owner {
                self.settable_owner = Some((item.meta.uid, item.meta.gid));
            }
            return Ok(false);
        }
        let same = self.are_same(&is, &would_be);
        if same {
            self.lacking.refused = made.refused;
            self.lacking.left_out.add_all(made.left_out);
        }
        Ok(same)
    }

    /// What the filesystem makes of a modification time that it may not be able
    /// to store: found out by trying.
    pub(super) fn stored_time(&mut self, mtime: Time) -> Result<Option<Time>, StoreError> {
        let Some(scratch) = self.run.rules.scratch.filter(|_| mtime.is_rare()) else {
            return Ok(None);
        };
        let _alone = self.run.scratch.lock();
        let name = c_name(layout::TRIALS[0].as_bytes());
        let to = NameAt {
            dir: scratch.as_fd(),
            name: &name,
        };
        let stored = store::try_time(to, mtime);
        store::discard_trial(to)?;
        Ok(Some(stored?).filter(|stored| *stored != mtime))
    }

    /// Can this difference be the result of a refusal? Changes that somebody
    /// made seldom look like that.
    fn may_be_refused(&self, why: CopyReason, source: &Meta, looked: &Meta) -> bool {
        let capabilities = self.run.rules.capabilities;
        match why {
            CopyReason::Owner => {
                let is_ours = looked.uid == capabilities.uid || looked.uid == source.uid;
                let is_our_groups = looked.gid == capabilities.gid || looked.gid == source.gid;
                is_ours && is_our_groups && self.settable_owner != Some((source.uid, source.gid))
            }
            CopyReason::Mode => looked.mode & !source.mode == 0,
            CopyReason::Xattrs => self.lacking.is_less,
            _ => false,
        }
    }

    /// Makes an entry without contents, with all attributes.
    fn try_attributes(&mut self, item: Item<'_>, to: NameAt<'_>) -> Result<Made, StoreError> {
        let create = |e| OpError::target(Op::Create, e);
        match item.meta.kind {
            Kind::File => drop(file::create_file(to.dir, to.name).map_err(create)?),
            Kind::Symlink => {
                let text = self.read_symlink(item)?;
                link::symlink(&text, to.dir, to.name).map_err(create)?;
            }
            kind => {
                link::make_special(to.dir, to.name, kind, item.meta.rdev).map_err(create)?;
            }
        }
        let source = Subject::Named(item.hands.source.as_fd(), item.name);
        let read = inspect::attributes(source, self.run.rules.capabilities).map_err(changed_or)?;
        let subject = Subject::Named(to.dir, to.name);
        let given = self.writer.attributes(subject, item.meta, &read.xattrs)?;
        let mut refused = given.losses;
        refused.extend(read.unread);
        let (meta, xattrs) = self.attributes_of(to.dir, to.name)?;
        Ok(Made {
            meta,
            xattrs,
            refused,
            left_out: read.left_out,
        })
    }

    /// The attributes that count of an entry of a dump.
    fn attributes_of(&self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(Meta, Xattrs), OpError> {
        let meta = inspect::look_in_dump(dir, name).map_err(|e| OpError::target(Op::Stat, e))?;
        let subject = Subject::Named(dir, name);
        let xattrs = inspect::xattrs(subject, Side::Target, self.run.rules.capabilities)?;
        Ok((meta, xattrs))
    }

    fn are_same(&self, (a, of_a): &(Meta, Xattrs), (b, of_b): &(Meta, Xattrs)) -> bool {
        let kept = match a.kind {
            Kind::Symlink => 0,
            kind => self.run.rules.capabilities.kept_modes(kind),
        };
        let owner = |meta: &Meta| (meta.kind, meta.uid, meta.gid, meta.mode & kept);
        owner(a) == owner(b) && of_a == of_b
    }

    /// An entry was stored without an attribute. That is a fault, unless the
    /// reference lacks the same. An empty name is the directory itself.
    pub(super) fn tell_losses(&mut self, node: &Node, name: &CStr, losses: Vec<OpError>) {
        if losses.is_empty() {
            return;
        }
        if self.reference_lacks_the_same(node, name) {
            return self.count_losses(node, name, Losses::of_all(&losses));
        }
        for loss in losses {
            self.lost(node, name, loss);
        }
    }

    /// The attributes of a directory of the source, as far as they can be read.
    pub(super) fn directory_xattrs(
        &mut self,
        above: &Node,
        name: &CStr,
        subject: Subject<'_>,
        reference: Option<&Arc<DirHandle>>,
    ) -> Xattrs {
        let capabilities = self.run.rules.capabilities;
        match inspect::attributes(subject, capabilities) {
            Ok(read) => {
                self.tell_unread(above, name, reference, &read);
                read.xattrs
            }
            Err(op_error) => {
                self.fault(above, name, op_error);
                Xattrs::default()
            }
        }
    }

    /// Reports attributes of a directory that could not be read, unless the
    /// reference lacks them, too.
    pub(super) fn tell_unread(
        &mut self,
        node: &Node,
        name: &CStr,
        reference: Option<&Arc<DirHandle>>,
        read: &Attributes,
    ) {
        self.count_losses(node, name, read.left_out);
        if read.unread.is_empty() {
            return;
        }
        let capabilities = self.run.rules.capabilities;
        let is = reference.and_then(|place| {
            let dir = place.open().ok()?;
            Some(self.attributes_of(dir.as_fd(), c".").ok()?.1)
        });
        let kept = read.xattrs.filtered(|name| capabilities.keeps_xattr(name));
        if is.is_some_and(|is| is == kept) {
            return self.count_losses(node, name, Losses::of_all(&read.unread));
        }
        for unread in &read.unread {
            let cause = io::Error::other(Chain(&unread.cause).to_string());
            self.lost(node, name, OpError::source(unread.op, cause));
        }
    }

    fn reference_lacks_the_same(&self, node: &Node, name: &CStr) -> bool {
        let name = if name.is_empty() { c"." } else { name };
        let (Some(reference), Some(target)) = (&node.reference, &node.target) else {
            return false;
        };
        let of = |place: &Arc<DirHandle>| {
            let dir = place.open().ok()?;
            self.attributes_of(dir.as_fd(), name).ok()
        };
        let both = of(reference).zip(of(target));
        both.is_some_and(|(is, made)| self.are_same(&is, &made))
    }

    /// What an entry of the dump lacks of its original, by the metadata of
    /// both.
    pub(super) fn lacks(&self, made: &Meta, source: &Meta) -> Losses {
        let mut lacks = Losses::default();
        let capabilities = self.run.rules.capabilities;
        let is_symlink = source.kind == Kind::Symlink;
        if is_symlink && !capabilities.symlinks {
            return lacks;
        }
        let same_owner = (made.uid, made.gid) == (source.uid, source.gid);
        lacks.add_if(!same_owner, Loss::Owner);
        let bits = (made.mode ^ source.mode) & capabilities.kept_modes(source.kind);
        lacks.add_if(bits != 0 && !is_symlink, Loss::Permissions);
        let apart = made.mtime.as_nanos() - source.mtime.as_nanos();
        let other_time = source.mtime.is_rare() && apart.unsigned_abs() > COARSEST_STEP;
        lacks.add_if(other_time, Loss::Times);
        lacks
    }

    /// What a fresh copy would lack, in general.
    pub(super) fn would_lack(&self, source: &Meta) -> Losses {
        let capabilities = self.run.rules.capabilities;
        let copy = Meta {
            mode: capabilities.storable_mode(source),
            ..capabilities.storable(source)
        };
        self.lacks(&copy, source)
    }

    /// Counts what an entry lacks, to be reported at the end of the run.
    pub(super) fn count_losses(&mut self, node: &Node, name: &CStr, losses: Losses) {
        if !losses.is_empty() {
            let path = || node.full_path(Side::Source, name);
            self.counter.losses(losses, path);
        }
    }

    /// Counts what a link, or what was kept, lacks.
    pub(super) fn count_lacking(&mut self, item: Item<'_>, there: &Meta) {
        let mut losses = self.lacks(there, item.meta);
        losses.add_all(self.lacking.left_out);
        losses.add_all(Losses::of_all(&self.lacking.refused));
        self.count_losses(item.node, item.name, losses);
    }
}

/// The result of a trial.
struct Made {
    meta: Meta,
    xattrs: Xattrs,
    refused: Vec<OpError>,
    left_out: Losses,
}
