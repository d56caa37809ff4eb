//! What was reported of the reference, so that it is reported once.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::model::metadata::Id;
use crate::sys::lock::lock;

/// How many are remembered: more may be reported twice.
const MOST: usize = 100_000;

/// The inodes, and the paths.
#[derive(Debug, Default)]
pub(super) struct Reported {
    inodes: Mutex<HashSet<Id>>,
    paths: Mutex<HashSet<PathBuf>>,
}

impl Reported {
    /// Was this inode not reported before?
    pub(super) fn is_first(&self, inode: Id) -> bool {
        is_first(&self.inodes, inode)
    }

    /// Was this path not reported before?
    pub(super) fn is_first_of(&self, path: &Path) -> bool {
        is_first(&self.paths, path.to_path_buf())
    }
}

fn is_first<T: Eq + Hash>(of: &Mutex<HashSet<T>>, one: T) -> bool {
    let mut reported = lock(of);
    match reported.len() < MOST {
        true => reported.insert(one),
        false => !reported.contains(&one),
    }
}
