//! A tree that is dumped.

use std::ffi::OsString;
use std::path::PathBuf;

/// A tree to dump, and its name in the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The tree; the path may lead through symlinks.
    pub path: PathBuf,
    /// Its name in the dump; `None` for the last name of `path`.
    pub name: Option<OsString>,
}
