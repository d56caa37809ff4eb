//! What is recorded of a file of a dump.

use super::is_inode_digest_of;
use super::values::Facts;
use crate::model::metadata::{Meta, Xattrs};
use crate::policy::content_hash::ContentHash;

/// What is recorded of a file of a dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordedFile {
    pub(crate) facts: Facts,
    /// `None`: none was taken, or it does not fit its own checksum.
    pub(crate) hash: Option<ContentHash>,
    /// What stands for its extended attributes and ACLs, where they are known.
    pub(crate) xattrs: Option<u64>,
}

impl RecordedFile {
    /// Has it the size and the time of modification that were recorded? Its mode and
    /// owner do not matter for what it holds.
    pub(crate) fn is_it(&self, meta: &Meta) -> bool {
        let contents = Facts {
            mode: self.facts.mode,
            uid: self.facts.uid,
            gid: self.facts.gid,
            ..Facts::of(meta)
        };
        contents.is_same_inode(&self.facts)
    }

    /// Has it the mode, the owner, the extended attributes and ACLs that were recorded,
    /// as far as its own are known?
    pub(crate) fn has_metadata(&self, meta: &Meta, xattrs: Option<&Xattrs>) -> bool {
        let now = Facts::of(meta);
        let same =
            (now.mode, now.uid, now.gid) == (self.facts.mode, self.facts.uid, self.facts.gid);
        let known = self.xattrs.zip(xattrs);
        same && known.is_none_or(|(digest, there)| is_inode_digest_of(digest, there))
    }
}
