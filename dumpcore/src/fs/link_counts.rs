//! Which inodes have several names within some trees.
//!
//! The link count of a file counts its names wherever they are: of a file in
//! a dump those in all dumps, of a file that another tool links elsewhere
//! those that are never met. It says nothing about the trees that are read.
//! Listing them does, and listings have inode numbers, so that no entry needs
//! to be looked at where those are the inodes' own. Memory is a bit for each
//! inode while this is done, and afterwards only what is there more than once.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::model::metadata::{Id, Kind};
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::fstype::FsType;

/// Inodes that were met more than once, and how often.
#[derive(Debug, Default)]
pub(crate) struct LinkCounts {
    several: HashMap<Id, u32>,
    /// How many names there are, those of directories included.
    pub(crate) names: u64,
    /// The filesystems on which names were counted.
    counted: Vec<u64>,
}

/// What is counted of some trees.
pub(crate) trait Counting {
    /// May it continue?
    fn keep_going(&self) -> bool;

    /// May a directory be entered? Nothing of it has been opened.
    fn enters(&self, above: &Arc<DirHandle>, name: &CStr) -> bool;

    /// Is a directory read, which has been entered?
    fn reads(&mut self, directory: &Arc<DirHandle>) -> bool;

    /// Is an entry left out of the directory that was asked about last?
    fn leaves_out(&mut self, name: &CStr, is_dir: bool) -> bool;

    /// Are entries looked at where listings do not have the inodes' own
    /// numbers? Else names there are not counted.
    fn looks(&self) -> bool;
}

/// All names count, as long as it may continue.
pub(crate) struct AllNames<'k>(pub(crate) &'k dyn Fn() -> bool);

impl Counting for AllNames<'_> {
    fn keep_going(&self) -> bool {
        (self.0)()
    }

    fn enters(&self, _: &Arc<DirHandle>, _: &CStr) -> bool {
        true
    }

    fn reads(&mut self, _: &Arc<DirHandle>) -> bool {
        true
    }

    fn leaves_out(&mut self, _: &CStr, _: bool) -> bool {
        false
    }

    fn looks(&self) -> bool {
        true
    }
}

impl LinkCounts {
    /// Counts the names below these directories. What cannot be listed has
    /// none: processing its entries will fail in the same way.
    pub(crate) fn within(tops: &[Arc<DirHandle>], how: &mut dyn Counting) -> Self {
        Self::among(tops, &[], how)
    }

    /// The same with names that are in none of them, by their inodes.
    pub(crate) fn among(tops: &[Arc<DirHandle>], ids: &[Id], how: &mut dyn Counting) -> Self {
        let mut count = Count::new(how);
        for id in ids {
            if !count.names.counted.contains(&id.dev) {
                count.names.counted.push(id.dev);
            }
            count.meet(*id);
        }
        let mut chunk = Chunk::default();
        for top in tops {
            count.list(top, &mut chunk);
            while let Some((above, name)) = count.directories.pop() {
                if !count.how.keep_going() {
                    return count.names;
                }
                if count.how.enters(&above, &name)
                    && let Ok(entered) = above.enter(&name, For::Reading)
                {
                    count.list(&entered.place, &mut chunk);
                }
            }
        }
        count.names
    }

    /// Has any inode several names?
    pub(crate) fn has_several(&self) -> bool {
        !self.several.is_empty()
    }

    /// How many names an inode has there; `None` where that was not counted.
    pub(crate) fn of(&self, id: Id) -> Option<u32> {
        let counted = self.counted.contains(&id.dev);
        counted.then(|| self.several.get(&id).copied().unwrap_or(1))
    }
}

struct Count<'c> {
    how: &'c mut dyn Counting,
    /// A bit for each inode number, in words of neighbours.
    seen: HashMap<Id, u64>,
    names: LinkCounts,
    directories: Vec<(Arc<DirHandle>, CString)>,
}

/// Where the numbers of inodes come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Listed,
    LookedAt,
    NotCounted,
}

impl<'c> Count<'c> {
    fn new(how: &'c mut dyn Counting) -> Self {
        Self {
            how,
            seen: HashMap::new(),
            names: LinkCounts::default(),
            directories: Vec::new(),
        }
    }

    fn list(&mut self, place: &Arc<DirHandle>, chunk: &mut Chunk) {
        if !self.how.reads(place) {
            return;
        }
        // The place's own handle is another's to list with.
        let opened = place
            .open()
            .and_then(|handle| dir::reopen(handle.as_fd(), For::Reading));
        let Ok(handle) = opened else { return };
        let handle = Arc::new(handle);
        let dev = place.id().dev;
        let numbers = match FsType::of(&handle).map(FsType::lists_true_inodes) {
            Ok(true) => Numbers::Listed,
            _ if self.how.looks() => Numbers::LookedAt,
            _ => Numbers::NotCounted,
        };
        if numbers != Numbers::NotCounted && !self.names.counted.contains(&dev) {
            self.names.counted.push(dev);
        }
        let mut lister = Lister::new(Arc::clone(&handle));
        while !lister.is_done() {
            if lister.next(chunk).is_err() {
                return;
            }
            for entry in chunk.iter() {
                if self
                    .how
                    .leaves_out(entry.name, entry.kind == Some(Kind::Dir))
                {
                    continue;
                }
                self.names.names += 1;
                if entry.kind != Some(Kind::Dir) {
                    match numbers {
                        Numbers::Listed => self.meet(Id {
                            dev,
                            ino: entry.ino,
                        }),
                        Numbers::LookedAt => {
                            if let Ok(meta) = inspect::look(handle.as_fd(), entry.name) {
                                self.meet(meta.id());
                            }
                        }
                        Numbers::NotCounted => {}
                    }
                }
                // Only directories are entered, where types are not known.
                if entry.kind.is_none_or(|kind| kind == Kind::Dir) {
                    let name = entry.name.to_owned();
                    self.directories.push((Arc::clone(place), name));
                }
            }
        }
    }

    fn meet(&mut self, id: Id) {
        let word = Id {
            ino: id.ino / 64,
            ..id
        };
        let bits = self.seen.entry(word).or_insert(0);
        let bit = 1 << (id.ino % 64);
        if *bits & bit != 0 {
            *self.names.several.entry(id).or_insert(1) += 1;
        }
        *bits |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::dir_handle::HandleCache;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    /// Leaves out what has this name; without one, all directories below.
    struct Test<'t> {
        all: Option<&'t OsStr>,
        looks: bool,
    }

    impl Counting for Test<'_> {
        fn keep_going(&self) -> bool {
            true
        }
        fn enters(&self, _: &Arc<DirHandle>, _: &CStr) -> bool {
            true
        }
        fn reads(&mut self, directory: &Arc<DirHandle>) -> bool {
            self.all.is_some() || directory.above().is_none()
        }
        fn leaves_out(&mut self, name: &CStr, _: bool) -> bool {
            self.all
                .is_some_and(|all| all.as_bytes() == name.to_bytes())
        }
        fn looks(&self) -> bool {
            self.looks
        }
    }

    fn id(path: &Path) -> Id {
        let meta = fs::metadata(path).expect("stat");
        let (dev, ino) = (meta.dev(), meta.ino());
        Id { dev, ino }
    }

    fn top(path: &Path) -> Arc<DirHandle> {
        let handle = dir::open_root(path, For::Reading).expect("opened");
        let entered = DirHandle::top(handle, For::Reading, &HandleCache::new(3));
        entered.expect("a directory").place
    }

    #[test]
    fn only_names_within_the_trees_count() {
        // On overlayfs inode numbers are those of the layers below.
        let dir = assert_fs::TempDir::new_in("/dev/shm").expect("a directory");
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
        let all = Some(OsStr::new("none"));
        for looks in [true, false] {
            let names = LinkCounts::within(&tops, &mut Test { all, looks });
            let of = |path: &str| names.of(id(&at(path)));
            assert_eq!(
                [of("one/alone"), of("one/twice"), of("two/thrice")],
                [Some(1), Some(2), Some(3)]
            );
            assert_eq!(names.several.len(), 2);
            // Three directories; a, one, two of the files twice, one once more.
            assert_eq!(names.names, 3 + 6);
            assert_eq!(names.of(Id { dev: 0, ino: 1 }), None);
        }
        // Names that are left out are never met.
        let all = Some(OsStr::new("b"));
        let names = LinkCounts::within(&tops, &mut Test { all, looks: false });
        assert_eq!(names.of(id(&at("one/twice"))), Some(1));
        // Nor are those below what is not read.
        let names = LinkCounts::within(
            &tops,
            &mut Test {
                all: None,
                looks: false,
            },
        );
        assert_eq!(names.of(id(&at("two/thrice"))), Some(1));
    }
}
