//! A tree that is dumped.

use std::ffi::OsString;
use std::path::PathBuf;

/// A tree to dump, and its name in the dump.
///
/// A path alone will do where a tree is asked for.
///
/// ```
/// use dumpcore::{Snapshot, Tree};
///
/// let snapshot = Snapshot::new("/dump")
///     .main("/newage/NEWAGE")
///     .main(Tree::new("/mnt/old/home").named("home-2019"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tree {
    /// The tree; the path may lead through symlinks.
    pub path: PathBuf,
    /// Its name in the dump; `None` for the last name of `path`.
    pub name: Option<OsString>,
}

impl Tree {
    /// A tree under the last name of its path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
        }
    }

    /// The same tree, under this name in the dump.
    #[must_use]
    pub fn named(mut self, name: impl Into<OsString>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<P: Into<PathBuf>> From<P> for Tree {
    fn from(path: P) -> Self {
        Self::new(path)
    }
}
