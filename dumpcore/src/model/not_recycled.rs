//! Why a run does not make its dump from an expired one.

use std::fmt;
use std::path::PathBuf;

use crate::model::path::Printable;

/// Why a run leaves an expired dump as it is, although it was asked to recycle. The
/// dump is linked and copied as without recycling.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRecycled {
    /// The run resumes what an earlier one left behind.
    Resumed,
    /// The disk has little room: the expired dump was removed first.
    LittleRoom,
    /// All contents are compared, or times of change are ignored.
    Compares,
    /// A checkpoint was made since: newer dumps share no file with it.
    Checkpoint,
    /// There is no catalog, or it does not describe the dumps that are linked to.
    Catalog,
    /// Listings on this filesystem do not tell the inode numbers that files have.
    Listings,
    /// Something is mounted in it.
    Mounted {
        /// The mount point.
        path: PathBuf,
    },
    /// Another program is reading it.
    Read,
}

impl fmt::Display for NotRecycled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resumed => "the run resumes what an earlier one left behind",
            Self::LittleRoom => "the disk has little room",
            Self::Compares => "the options for comparing files do not allow it",
            Self::Checkpoint => "a checkpoint was made since",
            Self::Catalog => "the catalog does not describe the dumps that are linked to",
            Self::Listings => "its filesystem does not list the inode numbers of files",
            Self::Mounted { path } => {
                return write!(f, "{} is mounted in it", Printable::path(path));
            }
            Self::Read => "another program is reading it",
        })
    }
}
