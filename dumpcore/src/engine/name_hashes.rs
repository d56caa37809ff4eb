//! The names in a directory as hashes: 8 bytes a name, however long it is.
//!
//! Two of n names share a hash of 63 bits with a chance of n² in 2⁶⁴: for a
//! million names, one in 18 million directories. The hashes are keyed by chance
//! in each process, so that nobody can choose names that collide, and another
//! run tells apart what one run did not.

use std::ffi::CStr;
use std::hash::{BuildHasher as _, RandomState};
use std::io;

use crate::sys::dir::{Chunk, Lister};

/// The names of one directory, and which of them were met.
#[derive(Debug)]
pub(super) struct NameHashes {
    key: RandomState,
    /// Sorted. The lowest bit of each tells that the name was met.
    hashes: Vec<u64>,
}

const MET: u64 = 1;

impl NameHashes {
    /// Reads the listing to its end, in chunks: the names are never in memory
    /// together.
    pub(super) fn list(mut lister: Lister) -> io::Result<Self> {
        let (key, mut hashes) = (RandomState::new(), Vec::new());
        let mut chunk = Chunk::default();
        while !lister.is_done() {
            lister.next(&mut chunk)?;
            hashes.extend(chunk.iter().map(|entry| hash(&key, entry.name)));
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Self { key, hashes })
    }

    pub(super) fn has(&self, name: &CStr) -> bool {
        self.find(name).is_some()
    }

    /// Is the name in the directory? It then counts as met.
    pub(super) fn meet(&mut self, name: &CStr) -> bool {
        let found = self.find(name);
        found.is_some_and(|index| {
            self.hashes[index] |= MET;
            true
        })
    }

    /// Were all names met?
    pub(super) fn all_met(&self) -> bool {
        self.hashes.iter().all(|hash| hash & MET != 0)
    }

    fn find(&self, name: &CStr) -> Option<usize> {
        let wanted = hash(&self.key, name);
        let found = self.hashes.binary_search_by_key(&wanted, |h| h & !MET);
        found.ok()
    }
}

fn hash(key: &RandomState, name: &CStr) -> u64 {
    key.hash_one(name) & !MET
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dir::{For, open_root};

    #[test]
    fn names_that_were_not_met_are_noticed() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        for name in ["a", "b", "c"] {
            std::fs::write(dir.path().join(name), b"").expect("written");
        }
        let root = open_root(dir.path(), For::Reading).expect("opened");
        let mut names = NameHashes::list(Lister::new(root)).expect("listed");
        assert!(names.has(c"a") && !names.has(c"d"));
        assert!(!names.all_met());
        // A listing may give a name twice.
        for (name, is_there) in [(c"a", true), (c"c", true), (c"c", true), (c"d", false)] {
            assert_eq!(names.meet(name), is_there, "{name:?}");
        }
        assert!(!names.all_met(), "b was not met");
        assert!(names.meet(c"b") && names.all_met());
    }
}
