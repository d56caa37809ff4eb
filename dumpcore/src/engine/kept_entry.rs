//! An entry that an earlier run stored, and that is kept when a fresh copy would
//! be the same.
//!
//! The watermark tells what has surely reached the disk; the contents of the
//! rest are compared, read from the disk.

use std::ffi::CStr;
use std::os::fd::{AsFd as _, OwnedFd};

use super::entry::{Item, Outcome};
use super::hardlinks::SourceState;
use super::worker::Worker;
use crate::fs::inspect;
use crate::fs::store::StoreError;
use crate::model::event::Action;
use crate::model::fault::{Op, OpError, Side};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::policy::link::{LinkPolicy, Verdict};
use crate::sys::{errno, file, stat};

impl Worker<'_> {
    /// Keeps what an earlier run stored, when a fresh copy would be the same;
    /// otherwise removes it.
    pub(super) fn keep(
        &mut self,
        item: Item<'_>,
        existing: Option<u64>,
    ) -> Result<Option<Outcome>, StoreError> {
        let (Some(_), Some(target)) = (existing, &item.hands.target) else {
            return Ok(None);
        };
        let looked = match inspect::look_in_dump(target.as_fd(), item.name) {
            Ok(looked) => looked,
            // It was removed for a link, which was then refused.
            Err(e) if errno::is_missing(&e) => return Ok(None),
            Err(e) => return Err(OpError::target(Op::Stat, e).into()),
        };
        // An expired dump had it. A replica would take it for something that was
        // copied long ago, since it goes by when inodes were born.
        let recycled = self.run.rules.recycled_at.zip(looked.born);
        if recycled.is_some_and(|(at, born)| born < at) {
            self.clear(item.node, item.name);
            return Ok(None);
        }
        let alone = looked.nlink == 1
            || self.run.names_of(item.meta) > 1
                && self.run.groups.claim(looked.id(), item.meta.id());
        if looked.kind == item.meta.kind && alone {
            let sure = self.is_on_disk(target, item.name, &looked);
            let policy = self.run.rules.options.policy;
            // What is linked to is read for its own sake, and not what is kept.
            let all = policy.compares_contents() && self.run.rules.link_checks.is_none();
            let strict = LinkPolicy::new().contents(!sure || all);
            let strict = strict.ctime(policy.heeds_ctime());
            let other = Self::name_at(target, item.name);
            let verdict = self.weigh(&strict, item, other, &looked, Side::Target)?;
            let is_whole = verdict == Verdict::Link
                && (!sure || was_written(target, item.name, &looked))
                && self.is_kept_sound(item, &looked)?;
            if is_whole {
                if looked.kind == Kind::File {
                    // That run may have been killed before it flushed it.
                    self.writer.flush_kept(Self::name_at(target, item.name))?;
                }
                let as_read = self.lacking.is_nothing().then_some(*item.meta);
                let refused = std::mem::take(&mut self.lacking.refused);
                self.count_lacking(item, &looked);
                self.tell_losses(item.node, item.name, refused);
                return Ok(Some(Outcome {
                    did: Action::Kept,
                    size: item.meta.size,
                    id: looked.id(),
                    was: SourceState::of(item.meta),
                    as_read,
                    made: Some(looked),
                    hash: None,
                    xattrs: None,
                }));
            }
        }
        self.clear(item.node, item.name);
        Ok(None)
    }

    /// Has what an earlier run stored here surely reached the disk? If not, its
    /// contents are compared, as they are on the disk.
    fn is_on_disk(&self, target: &OwnedFd, name: &CStr, looked: &Meta) -> bool {
        let born = || stat::born(target.as_fd(), name);
        let watermark = self.run.rules.watermark;
        looked.kind != Kind::File || watermark.is_some_and(|w| w.covers(looked.ctime, born))
    }
}

/// Did everything that an earlier run wrote to a file reach the disk? Another
/// process that flushed the filesystem since may have received the error, and
/// the flush before publishing would not report it again; `fsync` of the file
/// does.
fn was_written(target: &OwnedFd, name: &CStr, looked: &Meta) -> bool {
    if looked.kind != Kind::File {
        return true;
    }
    let opened = file::open_file(target.as_fd(), name);
    match opened.and_then(|file| file::written(file.as_fd())) {
        Err(e) => errno::is_unsupported(&e),
        Ok(()) => true,
    }
}
