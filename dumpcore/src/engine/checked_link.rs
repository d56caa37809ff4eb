//! Reading a file of the reference before it is linked to: for a checkpoint that
//! links to the checkpoint before.
//!
//! A second copy of all history is worth something only while it is whole. So a
//! file is linked to when the disk returns what was stored: it has its recorded
//! hash, or that of the file that is copied, or where neither was recorded the
//! same contents; and with its recorded mode, owner and attributes. Any other file is copied again from the source, and is a fault with
//! its path: the new dump has all that it should, and the one before is damaged.

use std::io;
use std::os::fd::OwnedFd;

use super::checked::CopyDamage;
use super::entry::Item;
use super::worker::Worker;
use crate::catalog::Facts;
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::fs::store::StoreError;
use crate::model::event::CopyReason;
use crate::model::fault::Op;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::sys::stat;

const DAMAGED: &str = "it no longer has its recorded hash; it is stored again from the dump, and \
                       'dumpctl scrub --heal' replaces the damaged one";
const CHANGED: &str = "it no longer has its recorded size and modification time; it is stored \
                       again from the dump, and 'dumpctl scrub --heal' replaces the damaged one";
const OTHER_METADATA: &str = "its mode, owner, extended attributes or ACLs are not what was stored; \
                              it is stored again from the dump, and 'dumpctl scrub --heal' heals \
                              it";
const DIFFERS: &str = "it differs from the dump, although size and modification time are the \
                       same, and no hash tells which of them changed; it is stored again from the \
                       dump";

/// What hashes say of a file of the reference.
enum Says {
    /// It has this one, or none that can be compared with the source's.
    Nothing,
    Same,
    /// It is whole, and the source holds something else.
    Other,
    /// It is not what was stored; the system's answer when it cannot be read.
    Damaged(Option<io::Error>),
    /// It holds what was stored, with another mode, owner or other attributes.
    OtherMetadata,
}

impl Worker<'_> {
    /// Does a file of the reference hold what the source holds, by what was
    /// recorded of them? `None`: that takes a comparison.
    pub(super) fn same_by_hash(
        &mut self,
        item: Item<'_>,
        looked: &Meta,
        source: &OwnedFd,
        other: &OwnedFd,
    ) -> Result<Option<bool>, StoreError> {
        let says = match self.hashes_say(source, other)? {
            Says::Nothing | Says::Same if !self.has_metadata(other) => Says::OtherMetadata,
            says => says,
        };
        match says {
            Says::Nothing => Ok(None),
            Says::Same => Ok(Some(true)),
            Says::Other => Ok(Some(false)),
            Says::Damaged(cause) => {
                self.is_damaged = true;
                self.record_damaged(other);
                let (op, cause) = match cause {
                    Some(cause) => (Op::Read, cause),
                    None => (Op::Verify, io::Error::other(DAMAGED)),
                };
                self.damaged_reference(item, looked, op, cause);
                Ok(Some(false))
            }
            Says::OtherMetadata => {
                self.is_damaged = true;
                // What is copied names it, where it is the same inode.
                if looked.id() != item.meta.id() {
                    let cause = io::Error::other(OTHER_METADATA);
                    self.damaged_reference(item, looked, Op::VerifyMetadata, cause);
                }
                Ok(Some(false))
            }
        }
    }

    /// Has a file of the reference its recorded mode, owner and attributes?
    fn has_metadata(&self, other: &OwnedFd) -> bool {
        let checks = self.run.rules.link_checks;
        checks.is_none_or(|checks| checks.has_metadata(other))
    }

    /// Records a file of the reference as damaged, where its hash is known.
    fn record_damaged(&self, other: &OwnedFd) {
        let looked = stat::look_born(other).ok();
        if let Some((checked, meta)) = self.run.rules.checked.zip(looked)
            && let Some(recorded) = checked.recorded(&meta)
        {
            checked.damaged(CopyDamage {
                source: Facts::of(&meta),
                made: None,
                recorded,
            });
        }
    }

    fn hashes_say(&mut self, source: &OwnedFd, other: &OwnedFd) -> Result<Says, StoreError> {
        let Some(checks) = self.run.rules.link_checks else {
            return Ok(Says::Nothing);
        };
        let (of_source, own) = (checks.of(source), checks.of(other));
        let stored = match (own, of_source) {
            (None, None) => return Ok(Says::Nothing),
            (Some(own), Some(of_source)) if own != of_source => return Ok(Says::Other),
            (Some(hash), _) | (None, Some(hash)) => hash,
        };
        let size = stat::look_at(other).map_or(0, |meta| meta.size);
        let totals = self.run.totals;
        let hasher = self.disk.get_or_insert_with(DiskHasher::new);
        match hasher.hash(other, size, &mut |_| totals.keep_going()) {
            Ok(DiskRead::Whole(hash)) if hash == stored => Ok(match of_source {
                Some(_) => Says::Same,
                None => Says::Nothing,
            }),
            // Without a hash of its own it may never have held that.
            Ok(DiskRead::Whole(_)) if own.is_none() => Ok(Says::Nothing),
            Ok(DiskRead::Whole(_) | DiskRead::Short) => Ok(Says::Damaged(None)),
            Ok(DiskRead::Stopped) => Err(StoreError::Stopped),
            Err(cause) => Ok(Says::Damaged(Some(cause))),
        }
    }

    /// A file that looks the same holds something else than the source: which of
    /// them changed is not known.
    pub(super) fn differs_unexplained(&self, item: Item<'_>, looked: &Meta) {
        if self.run.rules.link_checks.is_some() {
            let cause = io::Error::other(DIFFERS);
            self.damaged_reference(item, looked, Op::Verify, cause);
        }
    }

    /// Why a file is copied whose size or time is not that of the reference: it is the
    /// reference that changed, where it is not what was recorded of it. Nobody changes a
    /// published file.
    pub(super) fn or_damaged(
        &mut self,
        item: Item<'_>,
        looked: &Meta,
        why: CopyReason,
    ) -> CopyReason {
        let may_be = [CopyReason::Size, CopyReason::Mtime].contains(&why)
            && looked.kind == Kind::File
            && !self.run.rules.verifies();
        let checks = self.run.rules.link_checks.filter(|_| may_be);
        let Some(stored) = checks.and_then(|checks| checks.before_it_changed(looked)) else {
            return why;
        };
        if let (Some(checked), Some(recorded)) = (self.run.rules.checked, stored.hash) {
            checked.damaged(CopyDamage {
                source: stored.facts,
                made: None,
                recorded,
            });
        }
        self.damaged_reference(item, looked, Op::Verify, io::Error::other(CHANGED));
        CopyReason::Damaged
    }
}
