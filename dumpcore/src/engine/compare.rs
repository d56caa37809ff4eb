//! Asking the policy about an entry. Facts are gathered only as far as they are
//! needed, since each costs a system call or more.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::entry::{Item, changed_or};
use super::judged::{Judged, Reference};
use super::known_dir::Says;
use super::node::Node;
use super::worker::Worker;
use crate::fs::inspect;
use crate::fs::store::{NameAt, StoreError};
use crate::fs::xattr_map::Bare;
use crate::model::event::CopyReason;
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::loss::Lacking;
use crate::model::metadata::{Meta, Xattrs};
use crate::policy::link::{Doubt, Evidence, LinkPolicy, Verdict};
use crate::policy::touched::{Sure, Touched};
use crate::sys::errno;
use crate::sys::file::{self, CompareError};
use crate::sys::name::c_name;
use crate::sys::pages;
use crate::sys::stat;
use crate::sys::xattr::Subject;

impl Item<'_> {
    /// Opens the file that `stat` described, to read it. Its name may lead to
    /// another file by now, or to something that is not a file.
    fn open_file(&self) -> Result<OwnedFd, StoreError> {
        let opened = file::open_file(self.hands.source.as_fd(), self.name);
        let opened = opened.map_err(|e| changed_or(OpError::source(Op::Open, e)))?;
        let now = stat::look_at(&opened).map_err(|e| OpError::source(Op::Stat, e))?;
        if now.id() == self.meta.id() && now.kind == Kind::File {
            Ok(opened)
        } else {
            Err(StoreError::Changed)
        }
    }
}

impl Worker<'_> {
    /// What an entry is to be linked to, or why it is to be copied. The catalog
    /// is asked first; the reference, under the entry's name, is next; then the
    /// reference wherever the same file was before it was moved.
    pub(super) fn judge(&mut self, item: Item<'_>) -> Result<Judged, StoreError> {
        match self.judge_wherever(item)? {
            Judged::Link(found) if self.was_alike(item, &found) => {
                Ok(Judged::Copy(CopyReason::Contents))
            }
            judged => Ok(judged),
        }
    }

    fn judge_wherever(&mut self, item: Item<'_>) -> Result<Judged, StoreError> {
        if let Some(linked) = item.linked {
            self.lacking = Lacking::default();
            self.inherit_mark(item.node);
            return Ok(Judged::Link(Reference::in_place(*linked)));
        }
        let judged = self.judge_in_place(item)?;
        match judged {
            Judged::Copy(why) if may_be_moved(why) && item.meta.kind == Kind::File => Ok(self
                .judge_moved(item)?
                .map_or(Judged::Copy(why), Judged::Link)),
            judged => Ok(judged),
        }
    }

    /// Asks the policy about an entry and what the reference has under its name,
    /// as far as it needs to know.
    fn judge_in_place(&mut self, item: Item<'_>) -> Result<Judged, StoreError> {
        let new = Judged::Copy(CopyReason::New);
        let Some(reference) = self.reference_of(item) else {
            return Ok(new);
        };
        let looked = match inspect::look_in_dump(reference.as_fd(), item.name) {
            Ok(_) if !self.is_in_reference(item.node, item.name) => return Ok(new),
            Ok(looked) => looked,
            Err(e) if errno::has_changed(&e) => return Ok(new),
            Err(e) => {
                self.unreadable_reference(item.node, item.name, &e);
                return Ok(new);
            }
        };
        // What is written to it later would change the dump.
        if self.run.rules.options.purpose.restores() && looked.id() == item.meta.id() {
            return Ok(Judged::Copy(CopyReason::Links));
        }
        let policy = self.run.rules.options.policy;
        let other = Self::name_at(reference, item.name);
        Ok(
            match self.weigh(
                policy,
                item.against(&looked),
                other,
                &looked,
                Side::Reference,
            )? {
                Verdict::Copy(why) => Judged::Copy(self.or_damaged(item, &looked, why)),
                Verdict::Link => Judged::Link(Reference::in_place(looked)),
            },
        )
    }

    /// Looks where the same file was in the reference, and compares it with what
    /// is there: by contents unless nothing of the file itself has changed.
    fn judge_moved(&mut self, item: Item<'_>) -> Result<Option<Reference>, StoreError> {
        for (dir, name, known) in self.moved_file(item) {
            let Some(handle) = self.open_moved_from(item.node, dir) else {
                continue;
            };
            let name = c_name(&name);
            let looked = inspect::look_in_dump(handle.as_fd(), &name);
            let is_it = |looked: &Meta| Some(looked.ino) == known.facts.ino;
            let Some(looked) = looked.ok().filter(is_it) else {
                continue;
            };
            let is_same = known
                .source
                .is_some_and(|(_, ctime)| ctime == item.meta.ctime);
            let by_contents = self.run.rules.options.policy.clone().contents(true);
            let policy = match is_same {
                true => self.run.rules.options.policy,
                false => &by_contents,
            };
            let item = Item {
                says: match is_same {
                    true => Says::Same(looked.ino),
                    false => Says::Changed(Sure::Yes),
                },
                ..item
            };
            let other = Self::name_at(&handle, &name);
            let verdict = self.weigh(policy, item, other, &looked, Side::Reference)?;
            if verdict == Verdict::Link {
                return Ok(Some(Reference {
                    meta: looked,
                    moved_from: Some((handle, name)),
                }));
            }
        }
        Ok(None)
    }

    /// An entry that is linked without a look may have attributes where those of
    /// the reference's directory may.
    fn inherit_mark(&self, node: &Node) {
        let dir = node.reference.as_ref().map(|place| place.id().ino);
        let bare = node.tree.bare.as_ref().zip(dir);
        if bare.is_none_or(|(bare, dir)| bare.may_have(dir)) {
            self.mark(node);
        }
    }

    pub(super) fn weigh(
        &mut self,
        policy: &LinkPolicy,
        item: Item<'_>,
        other: NameAt<'_>,
        looked: &Meta,
        side: Side,
    ) -> Result<Verdict, StoreError> {
        let verdict = self.weigh_as_it_is(policy, item, other, looked, side)?;
        if verdict != Verdict::Copy(CopyReason::Mtime) {
            return Ok(verdict);
        }
        let Some(stored) = self.stored_time(item.meta.mtime)? else {
            return Ok(verdict);
        };
        let foreseen = self.run.rules.capabilities.storable_time(item.meta.mtime);
        if stored == foreseen {
            // The policy has already compared that: a copy would have another
            // time.
            return Ok(verdict);
        }
        // A copy would have the time that is stored, or one that tells nothing.
        let by_contents = policy.clone().contents(true);
        let policy = if stored == looked.mtime {
            policy
        } else {
            &by_contents
        };
        let meta = Meta {
            mtime: looked.mtime,
            ..*item.meta
        };
        let item = Item {
            meta: &meta,
            ..item
        };
        self.weigh_as_it_is(policy, item, other, looked, side)
    }

    fn weigh_as_it_is(
        &mut self,
        policy: &LinkPolicy,
        item: Item<'_>,
        other: NameAt<'_>,
        looked: &Meta,
        side: Side,
    ) -> Result<Verdict, StoreError> {
        self.lacking = Lacking::default();
        self.is_damaged = false;
        let rules = &self.run.rules;
        let mut pair = Pair {
            worker: self,
            item,
            other,
            looked,
            side,
        };
        match policy.weigh(rules.capabilities, looked, item.meta, &mut pair)? {
            Verdict::Copy(_) if self.is_damaged => Ok(Verdict::Copy(CopyReason::Damaged)),
            Verdict::Copy(why)
                if why.attributes_only() && self.would_be_refused(why, item, other, looked)? =>
            {
                Ok(Verdict::Link)
            }
            verdict => Ok(verdict),
        }
    }

    /// Does a file have the contents of another one elsewhere in the dump?
    /// `false` when that one cannot be read.
    pub(super) fn same_file(
        &mut self,
        item: Item<'_>,
        dir: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<bool, StoreError> {
        let here = item.open_file()?;
        let Ok(there) = file::open_file(dir, name) else {
            return Ok(false);
        };
        let totals = self.run.totals;
        let mut keep_going = || totals.keep_going();
        let size = item.has_true_size().then_some(item.meta.size);
        let (a, b) = (here.as_fd(), there.as_fd());
        match self.writer.same_contents(a, b, size, &mut keep_going) {
            Ok(same) => Ok(same),
            Err(CompareError::First(e)) => Err(OpError::source(Op::Read, e).into()),
            Err(CompareError::Second(_)) => Ok(false),
            Err(CompareError::Stopped) => Err(StoreError::Stopped),
        }
    }
}

/// May another file be the one that an entry was before it was moved? Not when
/// the reference has this one with other attributes or contents.
fn may_be_moved(why: CopyReason) -> bool {
    let told = [CopyReason::Contents, CopyReason::Damaged];
    !why.attributes_only() && !told.contains(&why)
}

/// An entry and what a dump has under its name, or under its former one.
struct Pair<'p, 'w, 'r> {
    worker: &'p mut Worker<'r>,
    item: Item<'w>,
    /// What is compared with: a name of a dump.
    other: NameAt<'w>,
    looked: &'w Meta,
    side: Side,
}

impl Pair<'_, '_, '_> {
    /// In a published dump, may a name be a hard link to an inode that had
    /// another name in the dump before? Then its birth time tells nothing.
    fn may_be_relinked(&self) -> bool {
        let Item { node, meta, .. } = self.item;
        let by_birth = matches!(node.touched.on(self.side), Touched::StoredSince(_));
        by_birth && node.renamed && self.worker.run.names_of(meta) > 1
    }

    fn unreadable(&mut self, cause: &io::Error) {
        if self.side == Side::Reference {
            self.worker.unreadable_file(self.item, self.looked, cause);
        }
    }
}

impl Evidence<StoreError> for Pair<'_, '_, '_> {
    /// A file whose size differs from the stored one, or that claims to be
    /// empty, may still have the stored contents.
    fn doubt(&self) -> Doubt {
        let size = self.item.meta.size;
        let told = size != 0 && size == self.looked.size;
        Doubt {
            size: !told && !self.item.has_true_size(),
            touched: self.item.touched(self.side) != Sure::No || self.may_be_relinked(),
        }
    }

    fn same_target(&mut self) -> Result<bool, StoreError> {
        let here = self.worker.read_symlink(self.item)?;
        let NameAt { dir, name } = self.other;
        let settable = self.worker.run.rules.capabilities.symlinks;
        match inspect::symlink_in_dump(dir, name, self.looked, settable) {
            Ok(there) => Ok(here == there),
            Err(e) => {
                self.unreadable(&e);
                Ok(false)
            }
        }
    }

    fn xattrs(&mut self) -> Result<Option<(Xattrs, Xattrs)>, StoreError> {
        let Item {
            node, hands, name, ..
        } = self.item;
        let capabilities = self.worker.run.rules.capabilities;
        let source = Subject::Named(hands.source.as_fd(), name);
        let read = inspect::attributes(source, capabilities).map_err(changed_or)?;
        let source = read.xattrs;
        self.worker.lacking.left_out = read.left_out;
        self.worker.lacking.refused = read.unread;
        if !source.is_empty() {
            self.worker.mark(node);
        }
        let dir = node.reference.as_ref().map(|place| place.id().ino);
        // The note is of the directory of the entry's own name.
        let in_place = |open: &Arc<OwnedFd>| open.as_raw_fd() == self.other.dir.as_raw_fd();
        let dir = dir.filter(|_| {
            hands
                .reference
                .get()
                .and_then(Option::as_ref)
                .is_some_and(in_place)
        });
        let is_bare = |(bare, dir): (&Bare, u64)| bare.says_so(dir, self.looked.ctime);
        if self.side == Side::Reference
            && !node.swapped
            && node.tree.bare.as_ref().zip(dir).is_some_and(is_bare)
        {
            self.worker.lacking.is_less = true;
            return Ok(Some((Xattrs::default(), source)));
        }
        let other = Subject::Named(self.other.dir, self.other.name);
        match inspect::xattrs(other, self.side, capabilities) {
            Ok(other) => {
                self.worker.lacking.is_less = source.has_all_of(&other);
                Ok(Some((other, source)))
            }
            Err(op_error) => {
                self.unreadable(&op_error.cause);
                Ok(None)
            }
        }
    }

    fn same_contents(&mut self) -> Result<bool, StoreError> {
        let Item { meta, .. } = self.item;
        let source = self.item.open_file()?;
        let other = match file::open_file(self.other.dir, self.other.name) {
            Ok(other) => other,
            Err(e) => {
                self.unreadable(&e);
                return Ok(false);
            }
        };
        let rules = self.worker.run.rules;
        if self.side == Side::Reference
            && let Some(same) = self
                .worker
                .same_by_hash(self.item, self.looked, &source, &other)?
        {
            self.worker.counter.compared(meta.size, same, false);
            return Ok(same);
        }
        // Of a leftover that is not trusted, what is cached may be what the
        // disk refused.
        let from_disk =
            rules.verifies() || rules.link_checks.is_some() || self.side == Side::Target;
        if from_disk && let Err(e) = pages::forget(other.as_fd()) {
            return Err(OpError::target(Op::Verify, e).into());
        }
        let totals = self.worker.run.totals;
        let mut keep_going = || totals.keep_going();
        let (a, b) = (source.as_fd(), other.as_fd());
        let size = self.item.has_true_size().then_some(meta.size);
        let same = self
            .worker
            .writer
            .same_contents(a, b, size, &mut keep_going);
        match same {
            Ok(same) => {
                let vain = same && self.item.touched(self.side) == Sure::Yes;
                self.worker.counter.compared(meta.size, same, vain);
                if !same && self.side == Side::Reference {
                    self.worker.differs_unexplained(self.item, self.looked);
                }
                Ok(same)
            }
            Err(CompareError::First(e)) => Err(OpError::source(Op::Read, e).into()),
            Err(CompareError::Second(e)) => {
                self.unreadable(&e);
                Ok(false)
            }
            Err(CompareError::Stopped) => Err(StoreError::Stopped),
        }
    }
}
