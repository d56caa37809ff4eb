//! What stands for the extended attributes and ACLs of one inode, without a catalog:
//! nothing.

use crate::model::metadata::Xattrs;

/// What is recorded of an inode's attributes: nothing.
pub(crate) fn inode_digest(_: &Xattrs) -> u64 {
    0
}

/// Are an inode's attributes those that were recorded? None were.
pub(crate) fn is_inode_digest_of(_: u64, _: &Xattrs) -> bool {
    true
}

/// What an inode is to be given: nothing says what was recorded.
pub(crate) fn composed(_: u64, _: Option<&Xattrs>, _: &Xattrs) -> Option<Xattrs> {
    None
}

/// Has it all that was recorded? Nothing was.
pub(crate) fn is_whole(_: u64, _: &Xattrs, _: Option<&Xattrs>) -> bool {
    true
}
