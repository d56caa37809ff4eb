//! Copying an entry: at once, or alongside other work when it is large.

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;

use super::entry::{Item, Outcome, changed_or};
use super::hardlinks::SourceState;
use super::job::Copying;
use super::known_dir::Says;
use super::node::At;
use super::rules::Sharing;
use super::worker::{Shared, Worker};
use crate::catalog::inode_digest;
use crate::fs::inspect;
use crate::fs::store::{DataFrom, Lender, NameAt, StoreError, Stored};
use crate::model::event::{Action, CopyReason, Event, Warning};
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::loss::Losses;
use crate::model::metadata::Meta;
use crate::policy::touched::Sure;
use crate::root::watermark::Watermark;
use crate::sys::{errno, file};

impl Worker<'_> {
    /// Copies a large file that was put off.
    pub(super) fn deferred_copy(&mut self, copying: Copying) {
        let Copying {
            node,
            name,
            meta,
            why,
        } = copying;
        self.run.deferred_copy_ended();
        match self.hands(&node) {
            Err(op_error) => self.fault(&node, &name, op_error),
            Ok(hands) => {
                let item = Item {
                    node: &node,
                    hands: &hands,
                    name: &name,
                    meta: &meta,
                    may_defer: false,
                    says: Says::Nothing,
                    linked: None,
                };
                match self.copy(item, why) {
                    Ok(outcome) => {
                        self.account_for(item, &outcome);
                    }
                    Err(StoreError::Stopped) => {}
                    Err(StoreError::HalfMade(op_error)) => self.halt(&node, &name, op_error),
                    Err(StoreError::Op(op_error)) if !Self::is_replaced(item, &op_error) => {
                        self.fault(&node, &name, op_error);
                    }
                    Err(StoreError::Changed | StoreError::Op(_)) => {
                        self.store_again(&node, &name, 1);
                    }
                }
            }
        }
        self.release(node);
    }

    /// Copies an entry.
    pub(super) fn copy(&mut self, item: Item<'_>, why: CopyReason) -> Result<Outcome, StoreError> {
        self.begin_changing(item.node)?;
        let outcome = self.copy_now(item, why)?;
        self.counter.allocate(item.meta.blocks.saturating_mul(512));
        Ok(outcome)
    }

    fn copy_now(&mut self, item: Item<'_>, why: CopyReason) -> Result<Outcome, StoreError> {
        let Some(target) = &item.hands.target else {
            if item.meta.kind == Kind::File && !self.run.rules.options.source_is_dump {
                Self::try_to_open(item)?;
            }
            let lacks = self.would_lack(item.meta);
            self.count_losses(item.node, item.name, lacks);
            return Ok(Outcome {
                did: Action::Copied(why),
                size: item.meta.size,
                id: item.meta.id(),
                was: SourceState::of(item.meta),
                as_read: None,
                made: None,
                hash: None,
                xattrs: None,
            });
        };
        let from = Self::name_at(&item.hands.source, item.name);
        let to = Self::name_at(target, item.name);
        let stored = match item.meta.kind {
            Kind::File => self.copy_file(item, why)?,
            Kind::Symlink => {
                let text = self.read_symlink(item)?;
                self.writer.symlink(from, to, &text, item.meta)?
            }
            _ => self.writer.special(from, to, item.meta)?,
        };
        Ok(self.stored(item, why, stored))
    }

    /// Stores a file with these data.
    pub(super) fn store_file(
        &mut self,
        item: Item<'_>,
        data: DataFrom<'_>,
    ) -> Result<Stored, StoreError> {
        let Some(target) = &item.hands.target else {
            return Err(OpError::target(Op::Create, errno::missing()).into());
        };
        let from = Self::name_at(&item.hands.source, item.name);
        let to = Self::name_at(target, item.name);
        let Shared {
            totals, throttle, ..
        } = self.run;
        totals.event(Event::Copying {
            at: &At(item.node, item.name),
            bytes: item.meta.size,
        });
        let mut keep_going = |bytes| {
            if bytes > 0 {
                totals.event(Event::Copied(bytes));
                throttle.hold_up(bytes, || totals.keep_going());
            }
            totals.keep_going()
        };
        let watermark = self.run.rules.watermark;
        let floor = watermark.map(Watermark::before_file).transpose()?;
        let true_size = item.has_true_size();
        let stored = self
            .writer
            .file(from, to, item.meta, true_size, data, &mut keep_going)?;
        if let (Some(watermark), Some(floor)) = (watermark, floor) {
            watermark.after_file(floor, stored.made.ctime)?;
        }
        Ok(stored)
    }

    /// From where the data of a copy are: blocks are shared where that is allowed.
    pub(super) fn data_of<'i>(&self, item: Item<'i>, why: CopyReason) -> DataFrom<'i> {
        if let Some(lender) = self.lender(item, why) {
            return DataFrom::Lender(lender);
        }
        let old = self.older_version(item, why);
        old.map_or(DataFrom::Source, DataFrom::OlderVersion)
    }

    /// The file that a copy may share blocks with, where sharing is allowed.
    fn lender<'i>(&self, item: Item<'i>, why: CopyReason) -> Option<Lender<'i>> {
        match self.run.rules.options.sharing {
            Sharing::SameFiles | Sharing::SameBlocks if why.attributes_only() => Some(Lender {
                at: Self::name_at(self.reference_of(item)?, item.name),
                doubted: item.touched(Side::Reference) != Sure::No,
            }),
            Sharing::Source => Some(Lender {
                at: Self::name_at(&item.hands.source, item.name),
                doubted: false,
            }),
            Sharing::SameFiles | Sharing::SameBlocks | Sharing::Nothing => None,
        }
    }

    /// The file that a changed one was before, where the two may share blocks.
    fn older_version<'i>(&self, item: Item<'i>, why: CopyReason) -> Option<NameAt<'i>> {
        let is_another = matches!(
            why,
            CopyReason::Size | CopyReason::Mtime | CopyReason::Contents
        );
        if !is_another || self.run.rules.options.sharing != Sharing::SameBlocks {
            return None;
        }
        Some(Self::name_at(self.reference_of(item)?, item.name))
    }

    /// A dry run opens the file, to find what may not be read as the run itself
    /// would.
    fn try_to_open(item: Item<'_>) -> Result<(), StoreError> {
        match file::open_file(item.hands.source.as_fd(), item.name) {
            Ok(_) => Ok(()),
            Err(e) if errno::has_changed(&e) => Err(StoreError::Changed),
            Err(e) => Err(OpError::source(Op::Open, e).into()),
        }
    }

    /// Where a symlink of the source points.
    pub(super) fn read_symlink(&self, item: Item<'_>) -> Result<CString, StoreError> {
        let (dir, name) = (item.hands.source.as_fd(), item.name);
        let text = if self.run.rules.options.source_is_dump {
            let text = inspect::symlink_in_some_dump(dir, name, item.meta);
            text.map_err(|e| OpError::source(Op::ReadLink, e))
        } else {
            inspect::symlink(dir, name)
        };
        text.map_err(changed_or)
    }

    fn stored(&mut self, item: Item<'_>, why: CopyReason, stored: Stored) -> Outcome {
        if !stored.bare {
            self.mark(item.node);
        }
        let mut left_out = self.lacks(&stored.made, item.meta);
        left_out.add_all(stored.left_out);
        let refused = Losses::of_all(&stored.losses);
        let whole = !stored.unstable && left_out.is_empty() && stored.losses.is_empty();
        self.count_losses(item.node, item.name, left_out.without(refused));
        self.tell_losses(item.node, item.name, stored.losses);
        self.tell_of_setuid(item, &stored.made);
        if stored.unstable {
            let path = item.node.full_path(Side::Source, item.name);
            self.run.totals.warn(Warning::Unstable { path });
        }
        Outcome {
            did: Action::Copied(why),
            size: stored.bytes,
            id: stored.made.id(),
            was: SourceState::of(&stored.meta),
            as_read: whole.then_some(stored.meta),
            made: Some(stored.made),
            hash: stored.hash,
            xattrs: stored.kept.as_ref().map(inode_digest),
        }
    }

    /// Warns, once a run, of a file with a setuid or setgid bit.
    fn tell_of_setuid(&self, item: Item<'_>, made: &Meta) {
        let counts = made.mode & 0o4000 != 0 || made.mode & 0o2010 == 0o2010;
        let Some(dump) = self.run.rules.honours_setuid else {
            return;
        };
        if counts && made.kind == Kind::File && !self.run.told_setuid.swap(true, Ordering::Relaxed)
        {
            self.run.totals.warn(Warning::Setuid {
                path: item.node.path_later(Side::Target, item.name),
                dump: dump.to_path_buf(),
            });
        }
    }
}
