//! What came of judging an entry.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::model::event::CopyReason;
use crate::model::metadata::Meta;

/// What is to become of an entry.
#[derive(Debug)]
pub(super) enum Judged {
    /// It is linked to this.
    Link(Reference),
    /// It is copied.
    Copy(CopyReason),
}

/// An inode of the reference that an entry is the same as.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) meta: Meta,
    /// Its directory and name there, when it is not the entry's own: it was
    /// moved or renamed.
    pub(super) moved_from: Option<(Arc<OwnedFd>, CString)>,
}

impl Reference {
    pub(super) fn in_place(meta: Meta) -> Self {
        let moved_from = None;
        Self { meta, moved_from }
    }
}
