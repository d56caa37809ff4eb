//! What can be believed of the filesystem that a directory of the source is
//! on.

use std::os::fd::AsFd;

use crate::model::metadata::Meta;
use crate::sys::fstype::FsType;

/// A filesystem of the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceFs {
    dev: u64,
    /// `None` where that cannot be asked.
    kind: Option<FsType>,
}

impl SourceFs {
    /// That of an opened directory.
    pub(crate) fn of(directory: impl AsFd, meta: &Meta) -> Self {
        Self {
            dev: meta.dev,
            kind: FsType::of(directory).ok(),
        }
    }

    /// That of a directory below one on this filesystem.
    pub(crate) fn below(self, directory: impl AsFd, meta: &Meta) -> Self {
        if meta.dev == self.dev {
            self
        } else {
            Self::of(directory, meta)
        }
    }

    /// Is an entry's inode number that of one file? What is mounted on a file
    /// is on another filesystem, of which nothing is known.
    pub(crate) fn has_true_inode(self, entry: &Meta) -> bool {
        self.holds(entry, FsType::has_true_inodes)
    }

    /// Is a file as long as is said of it?
    pub(crate) fn has_true_size(self, entry: &Meta) -> bool {
        self.holds(entry, FsType::has_true_sizes)
    }

    /// Is an entry's time of change this machine's own?
    pub(crate) fn is_stamped_here(self, entry: &Meta) -> bool {
        self.holds(entry, FsType::is_stamped_here)
    }

    fn holds(self, entry: &Meta, what: fn(FsType) -> bool) -> bool {
        // On overlayfs files are on other devices than their directories.
        let within = entry.dev == self.dev || self.kind == Some(FsType::Overlay);
        within && self.kind.is_some_and(what)
    }
}
