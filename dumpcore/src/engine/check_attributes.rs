//! A file of a published dump is copied: has it the mode, the owner and the attributes
//! that were stored at first?
//!
//! If not, that is a fault, and it is copied as it is: they do not keep a file from being
//! copied, or restored.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::checked::Checked;
use super::entry::Item;
use super::worker::Worker;
use crate::catalog::{RecordedFile, inode_digest, is_inode_digest_of};
use crate::fs::store::Stored;
use crate::model::fault::{Op, OpError};
use crate::model::metadata::{Capabilities, Meta, Xattrs};
use crate::sys::xattr::{self, Subject};

const OTHER_METADATA: &str = "its mode, owner, extended attributes or ACLs are not what was stored, \
                              and are copied as they are; run 'dumpctl scrub --heal'";

impl Worker<'_> {
    /// What its mode, owner and attributes are does not keep a file from being copied,
    /// or restored.
    pub(super) fn name_other_metadata(&self, item: Item<'_>, meta: &Meta, recorded: &Recorded) {
        if !recorded.is_met_by(meta) {
            let differs = OpError::source(Op::VerifyMetadata, io::Error::other(OTHER_METADATA));
            self.lost(item.node, item.name, differs);
        }
    }
}

/// What is recorded of a file that is copied, and the attributes that it has, where any
/// are recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) file: RecordedFile,
    there: Option<Xattrs>,
}

impl Recorded {
    pub(super) fn of(item: Item<'_>, file: RecordedFile) -> Self {
        let source = || Subject::Named(item.hands.source.as_fd(), item.name);
        let there = file.xattrs.and_then(|_| attributes_of(source()));
        Self { file, there }
    }

    /// Has the file, which looks like this, the mode, owner and attributes that were
    /// stored at first, as far as they are known?
    pub(super) fn is_met_by(&self, meta: &Meta) -> bool {
        self.file.has_metadata(meta, self.there.as_ref())
    }

    /// What was stored at first, where the file has other attributes now.
    fn others(&self) -> Option<u64> {
        let (recorded, there) = (self.file.xattrs?, self.there.as_ref()?);
        (!is_inode_digest_of(recorded, there)).then_some(recorded)
    }
}

/// Records what stands for the attributes of a copy. Of a file that has others than were
/// stored at first these are recorded, so that a scrub knows its copy as damaged as well.
pub(super) fn note_attributes(checked: &Checked<'_>, stored: &Stored, recorded: Option<&Recorded>) {
    if let Some(kept) = &stored.kept {
        let others = recorded.and_then(Recorded::others);
        checked.has_attributes(&stored.made, others.unwrap_or_else(|| inode_digest(kept)));
    }
}

/// The same of a copy that an earlier run made, which is sound.
pub(super) fn note_kept_attributes(checked: &Checked<'_>, copy: &OwnedFd, made: &Meta) {
    if let Some(kept) = attributes_of(Subject::Open(copy.as_fd())) {
        checked.has_attributes(made, inode_digest(&kept));
    }
}

/// All that a dump keeps of a file's attributes, whatever of it can be stored here.
fn attributes_of(file: Subject<'_>) -> Option<Xattrs> {
    let all = Capabilities::everything();
    xattr::read(file, |name| all.keeps_xattr(name)).ok()
}
