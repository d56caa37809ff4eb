//! The extended attributes and ACLs of one inode, held against what is recorded of
//! them.

use std::io;

use crate::catalog::{is_inode_digest_of, seen_digest};
use crate::model::metadata::{Capabilities, Xattrs};
use crate::sys::errno;
use crate::sys::xattr::{self, Subject};

/// What is said of what has other ones.
pub(super) const OTHERS: &str = "extended attributes or ACLs";

/// What a look at attributes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attributes {
    /// They are as they were recorded, or may not be read by this user.
    Sound,
    /// They are others.
    Others,
    /// None were recorded: what stands for these.
    First(u64),
}

impl Attributes {
    /// What is to be recorded of them.
    pub(super) fn taken(self) -> Option<u64> {
        match self {
            Self::First(digest) => Some(digest),
            Self::Sound | Self::Others => None,
        }
    }
}

/// Looks at the attributes of an inode of a dump.
///
/// # Errors
/// When the disk does not give them.
pub(super) fn look(of: Subject<'_>, recorded: Option<u64>) -> io::Result<Attributes> {
    let there = match read(of) {
        Ok(there) => there,
        Err(e) if errno::is_attribute_withheld(&e) || errno::is_shortage(&e) => {
            return Ok(Attributes::Sound);
        }
        // EINVAL, too: what the disk has is not an ACL, or not a capability.
        Err(e) => return Err(e),
    };
    Ok(match recorded {
        None => Attributes::First(seen_digest(&there)),
        Some(digest) if is_inode_digest_of(digest, &there) => Attributes::Sound,
        Some(_) => Attributes::Others,
    })
}

/// Has an inode those that were recorded, if any were? Not where they cannot be read.
pub(super) fn are_recorded(of: Subject<'_>, recorded: Option<u64>) -> bool {
    let is_of = |digest| read(of).is_ok_and(|there| is_inode_digest_of(digest, &there));
    recorded.is_none_or(is_of)
}

/// All that dumps keep.
pub(super) fn read(of: Subject<'_>) -> io::Result<Xattrs> {
    let all = Capabilities::everything();
    xattr::read(of, |name| all.keeps_xattr(name))
}
