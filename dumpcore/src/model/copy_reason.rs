//! Why an entry is copied, and not linked to what the last dump has of it.

/// Why an entry was stored anew instead of being linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CopyReason {
    /// The reference has no such entry.
    New,
    /// It was of another type.
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
    /// Only permission bits differ.
    Mode,
    /// Only owner or group differ.
    Owner,
    /// Only extended attributes or ACLs differ.
    Xattrs,
    /// Its names are not linked as those of the reference are.
    Links,
    /// The same, but a link is refused: its inode has none left to give.
    NoLink,
    /// The same, but a link is refused: it is immutable (`chattr +i`), or can
    /// only be appended to.
    Immutable,
    /// The same, but a link is refused: it belongs to somebody else, and the
    /// system protects hard links.
    LinkNotPermitted,
    /// The same, but a link is refused: it lies on another filesystem, or
    /// subvolume.
    OtherFilesystem,
    /// The same, but it is no longer in the reference.
    ReferenceGone,
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
            CopyReason::Mode => "mode",
            CopyReason::Owner => "owner",
            CopyReason::Xattrs => "xattrs",
            CopyReason::Links => "links",
            CopyReason::NoLink => "no_link",
            CopyReason::Immutable => "immutable",
            CopyReason::LinkNotPermitted => "link_not_permitted",
            CopyReason::OtherFilesystem => "other_filesystem",
            CopyReason::ReferenceGone => "reference_gone",
        }
    }
}
