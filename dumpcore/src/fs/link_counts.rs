//! Which inodes have several names within some trees.
//!
//! The link count of a file in a dump counts its names in all dumps, so that
//! nearly every file seems to be one of several: it says nothing about the
//! one dump that is read. Listing it does, and listings bear inode numbers,
//! so that no entry needs to be looked at. Memory is a bit for each inode
//! while this goes on, and afterwards only what is there more than once.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use crate::fs::dir_handle::DirHandle;
use crate::model::metadata::Kind;
use crate::sys::dir::{self, Chunk, For, Lister};

/// Inode numbers that were met more than once, and how often.
#[derive(Debug, Default)]
pub(crate) struct LinkCounts {
    several: HashMap<u64, u32>,
}

impl LinkCounts {
    /// Counts the names below these directories. What cannot be listed has
    /// none: whoever deals with its entries will meet with the same.
    pub(crate) fn within(tops: &[Arc<DirHandle>], keep_going: &dyn Fn() -> bool) -> Self {
        let mut count = Count::default();
        let mut chunk = Chunk::default();
        for top in tops {
            count.list(top, &mut chunk);
            while let Some((above, name)) = count.directories.pop() {
                if !keep_going() {
                    return count.names;
                }
                if let Ok(entered) = above.enter(&name, For::Reading) {
                    count.list(&entered.place, &mut chunk);
                }
            }
        }
        count.names
    }

    /// How many names an inode has there.
    pub(crate) fn of(&self, ino: u64) -> u32 {
        self.several.get(&ino).copied().unwrap_or(1)
    }
}

#[derive(Default)]
struct Count {
    /// A bit for each inode number, in words of neighbours.
    seen: HashMap<u64, u64>,
    names: LinkCounts,
    directories: Vec<(Arc<DirHandle>, CString)>,
}

impl Count {
    fn list(&mut self, place: &Arc<DirHandle>, chunk: &mut Chunk) {
        // The place's own handle is another's to list with.
        let opened = place
            .open()
            .and_then(|handle| dir::reopen(handle.as_fd(), For::Reading));
        let Ok(handle) = opened else { return };
        let mut lister = Lister::new(handle);
        while !lister.is_done() {
            if lister.next(chunk).is_err() {
                return;
            }
            for entry in chunk.iter() {
                if entry.kind != Some(Kind::Dir) {
                    self.meet(entry.ino);
                }
                // What is no directory is not entered, where types are not told.
                if entry.kind.is_none_or(|kind| kind == Kind::Dir) {
                    let name = entry.name.to_owned();
                    self.directories.push((Arc::clone(place), name));
                }
            }
        }
    }

    fn meet(&mut self, ino: u64) {
        let bits = self.seen.entry(ino / 64).or_insert(0);
        let bit = 1 << (ino % 64);
        if *bits & bit != 0 {
            *self.names.several.entry(ino).or_insert(1) += 1;
        }
        *bits |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::dir_handle::HandleCache;
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    fn top(path: &Path) -> Arc<DirHandle> {
        let handle = dir::open_root(path, For::Reading).expect("opened");
        let entered = DirHandle::top(handle, For::Reading, &HandleCache::new(3));
        entered.expect("a directory").place
    }

    #[test]
    fn only_names_within_the_trees_count() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        for below in ["one/a/b", "two/c", "other"] {
            fs::create_dir_all(at(below)).expect("made");
        }
        for name in ["one/alone", "one/twice", "one/a/thrice"] {
            fs::write(at(name), name).expect("written");
        }
        let link = |old: &str, new: &str| fs::hard_link(at(old), at(new)).expect("linked");
        link("one/alone", "other/alone");
        link("one/twice", "one/a/b/twice");
        link("one/a/thrice", "two/thrice");
        link("one/a/thrice", "two/c/thrice");
        let tops = [top(&at("one")), top(&at("two"))];
        let names = LinkCounts::within(&tops, &|| true);
        let of = |path: &str| names.of(fs::metadata(at(path)).expect("stat").ino());
        assert_eq!(
            [of("one/alone"), of("one/twice"), of("two/thrice")],
            [1, 2, 3]
        );
        assert_eq!(names.several.len(), 2);
    }
}
