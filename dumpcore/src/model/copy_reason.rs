//! Why an entry is copied, and not linked to what the last dump has of it.

use std::fmt;

/// Why an entry was copied instead of linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CopyReason {
    /// The reference has no such entry.
    New,
    /// Its type differs.
    Kind,
    /// The sizes differ.
    Size,
    /// The modification times differ.
    Mtime,
    /// A symlink points elsewhere.
    Target,
    /// A device has another number.
    Device,
    /// The contents differ (seen only when contents are compared).
    Contents,
    /// The reference no longer holds what was stored in it.
    Damaged,
    /// Only permission bits differ.
    Mode,
    /// Only owner or group differ.
    Owner,
    /// Only extended attributes or ACLs differ.
    Xattrs,
    /// Its names are hard-linked otherwise than those of the reference.
    Links,
    /// The same, but a link is refused: its inode has as many links as the
    /// filesystem allows.
    NoLink,
    /// The same, but a link is refused: it is immutable (`chattr +i`), or can
    /// only be appended to.
    Immutable,
    /// The same, but a link is refused: it belongs to another user, and the
    /// system protects hard links.
    LinkNotPermitted,
    /// The same, but a link is refused: it is on another filesystem, or
    /// subvolume.
    OtherFilesystem,
    /// The same, but it is no longer in the reference.
    ReferenceGone,
    /// The same by the rules, but the program asked for a copy: see
    /// [`LinkPolicy::also`](crate::LinkPolicy::also).
    Asked,
}

impl CopyReason {
    /// Is the data the same, and only attributes differ?
    #[must_use]
    pub fn attributes_only(self) -> bool {
        matches!(
            self,
            CopyReason::Mode | CopyReason::Owner | CopyReason::Xattrs
        )
    }

    /// Is it unchanged, and was a link to its reference refused?
    #[must_use]
    pub fn link_refused(self) -> bool {
        matches!(
            self,
            CopyReason::NoLink
                | CopyReason::Immutable
                | CopyReason::LinkNotPermitted
                | CopyReason::OtherFilesystem
                | CopyReason::ReferenceGone
        )
    }

    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CopyReason::New => "new",
            CopyReason::Kind => "type",
            CopyReason::Size => "size",
            CopyReason::Mtime => "mtime",
            CopyReason::Target => "target",
            CopyReason::Device => "device",
            CopyReason::Contents => "contents",
            CopyReason::Damaged => "damaged",
            CopyReason::Mode => "mode",
            CopyReason::Owner => "owner",
            CopyReason::Xattrs => "xattrs",
            CopyReason::Links => "links",
            CopyReason::NoLink => "no_link",
            CopyReason::Immutable => "immutable",
            CopyReason::LinkNotPermitted => "link_not_permitted",
            CopyReason::OtherFilesystem => "other_filesystem",
            CopyReason::ReferenceGone => "reference_gone",
            CopyReason::Asked => "asked",
        }
    }
}

impl fmt::Display for CopyReason {
    /// What is the matter, as a clause: `the size differs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CopyReason::New => "it is new",
            CopyReason::Kind => "the type differs",
            CopyReason::Size => "the size differs",
            CopyReason::Mtime => "the modification time differs",
            CopyReason::Target => "the symlink points elsewhere",
            CopyReason::Device => "the device number differs",
            CopyReason::Contents => "the contents differ",
            CopyReason::Damaged => "the reference is damaged",
            CopyReason::Mode => "the permissions differ",
            CopyReason::Owner => "the owner or group differs",
            CopyReason::Xattrs => "the extended attributes or ACLs differ",
            CopyReason::Links => "its names are linked in another way",
            CopyReason::NoLink => "the reference can take no more links",
            CopyReason::Immutable => "the reference is immutable or append-only",
            CopyReason::LinkNotPermitted => "the reference belongs to another user",
            CopyReason::OtherFilesystem => "the reference is on another filesystem",
            CopyReason::ReferenceGone => "the reference is gone",
            CopyReason::Asked => "the program asked for it",
        })
    }
}
