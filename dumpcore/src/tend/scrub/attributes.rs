//! The extended attributes and ACLs of one inode, held against what is recorded of
//! them.

use std::io;

use crate::catalog::{composed, inode_digest, is_inode_digest_of, is_whole};
use crate::model::fault::OpError;
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
        None => Attributes::First(inode_digest(&there)),
        Some(digest) if is_inode_digest_of(digest, &there) => Attributes::Sound,
        Some(_) => Attributes::Others,
    })
}

/// Can what was recorded, if anything was, be given to a file by a copy? `own`: what it
/// has itself, where that can be read.
pub(super) fn can_give(of: Subject<'_>, recorded: Option<u64>, own: Option<&Xattrs>) -> bool {
    let can = |digest| read(of).is_ok_and(|copy| composed(digest, own, &copy).is_some());
    recorded.is_none_or(can)
}

/// What a file is given: what was recorded, or else its own as they are; those of the
/// copy where these cannot be read.
pub(super) fn to_give(
    recorded: Option<u64>,
    own: Result<Xattrs, OpError>,
    copy: Result<Xattrs, OpError>,
) -> Result<Xattrs, OpError> {
    let given = recorded.and_then(|digest| {
        let of_copy = copy.as_ref().or(own.as_ref()).ok()?;
        composed(digest, own.as_ref().ok(), of_copy)
    });
    given.map_or_else(|| own.or(copy), Ok)
}

/// Has what was made in the place of a file all that was recorded?
pub(super) fn are_whole(made: Subject<'_>, recorded: Option<u64>, own: Option<&Xattrs>) -> bool {
    let is = |digest| read(made).is_ok_and(|made| is_whole(digest, &made, own));
    recorded.is_none_or(is)
}

/// All that dumps keep.
pub(super) fn read(of: Subject<'_>) -> io::Result<Xattrs> {
    let all = Capabilities::everything();
    xattr::read(of, |name| all.keeps_xattr(name))
}
