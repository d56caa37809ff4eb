//! A file of a published dump is copied: has it the mode, the owner and the attributes
//! that were stored at first?
//!
//! If not, that is a fault, and it is copied as it is: they do not keep a file from being
//! copied, or restored.

use std::io;
use std::os::fd::AsFd as _;

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
    pub(super) fn name_other_metadata(&self, item: Item<'_>, meta: &Meta, file: &RecordedFile) {
        if !file.has_metadata(meta, attributes_of(item).as_ref()) {
            let differs = OpError::source(Op::Verify, io::Error::other(OTHER_METADATA));
            self.lost(item.node, item.name, differs);
        }
    }
}

/// Records what stands for the attributes of a copy. Of a file that has others than were
/// stored at first these are recorded, so that a scrub knows its copy as damaged as well.
pub(super) fn note_attributes(
    checked: &Checked<'_>,
    item: Item<'_>,
    stored: &Stored,
    file: Option<RecordedFile>,
) {
    let Some(kept) = &stored.kept else {
        return;
    };
    let recorded = file.and_then(|file| file.xattrs).filter(|recorded| {
        attributes_of(item).is_some_and(|there| !is_inode_digest_of(*recorded, &there))
    });
    checked.has_attributes(&stored.made, recorded.unwrap_or_else(|| inode_digest(kept)));
}

/// All that a dump keeps of a file's attributes, whatever of it can be stored here.
pub(super) fn attributes_of(item: Item<'_>) -> Option<Xattrs> {
    let all = Capabilities::everything();
    let source = Subject::Named(item.hands.source.as_fd(), item.name);
    xattr::read(source, |name| all.keeps_xattr(name)).ok()
}
