//! What a filesystem cannot store of any entry, whichever user asks.

use std::fmt;

/// Something that a dump's filesystem does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unsupported {
    /// Modification times, so that every dump copies every file.
    Times,
    /// Fractions of a second in times.
    FineTimes,
    /// ACLs.
    Acls,
    /// Attributes `user.*`.
    UserAttributes,
    /// Attributes `trusted.*`.
    TrustedAttributes,
    /// Attributes `security.*`.
    SecurityAttributes,
    /// `security.capability`, while it keeps other attributes `security.*`.
    FileCapabilities,
    /// Owners: each file belongs to this user.
    Owners {
        /// The number of the user.
        shown: u32,
    },
    /// Groups: each file belongs to this group.
    Groups {
        /// The number of the group.
        shown: u32,
    },
    /// The user who runs the program is another one there.
    OwnOwner {
        /// The number of the user here.
        own: u32,
        /// The number of the user there.
        shown: u32,
    },
    /// Owners and times of symlinks.
    Symlinks,
}

impl fmt::Display for Unsupported {
    /// As it reads after "does not keep".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Times => "modification times (so every dump copies every file)",
            Self::FineTimes => "fractions of a second in times",
            Self::Acls => "ACLs",
            Self::UserAttributes => "attributes user.*",
            Self::TrustedAttributes => "attributes trusted.*",
            Self::SecurityAttributes => "attributes security.*",
            Self::FileCapabilities => "file capabilities",
            Self::Owners { shown } => {
                return write!(f, "owners (every file belongs to user {shown})");
            }
            Self::Groups { shown } => {
                return write!(f, "groups (every file belongs to group {shown})");
            }
            Self::OwnOwner { own, shown } => {
                return write!(f, "owners (user {own} is user {shown} there)");
            }
            Self::Symlinks => "owners and times of symlinks",
        })
    }
}
