//! One version of a path: where it is, and its metadata.
//!
//! A path in a dump is looked at with one `statx`. A symlink further up in that
//! path would lead out of the dump, so for something new the names above it are
//! checked as well; what has the inode of a version that was seen before needs
//! no second look.

use std::ffi::{CString, OsStr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::model::fault::{Fault, Op};
use crate::model::metadata::{Capabilities, Meta, time_step};
use crate::model::path::RelPath;
use crate::policy::layout::DumpName;
use crate::root::listing::Listing;
use crate::sys::dir::{For, open_dir, open_root};
use crate::sys::{errno, path};

/// A path as one dump has it, or as the main tree has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version {
    /// Where it can be read.
    pub path: PathBuf,
    /// The dump; `None` for what is in none, as the main tree. What reading
    /// a dump moves in it is set back.
    pub dump: Option<DumpName>,
    /// Its metadata. A symlink's are its own.
    pub meta: Meta,
}

impl Version {
    /// In a dump. `None` when the dump, or the path in it, does not exist.
    pub(super) fn look(
        listing: &Listing,
        dump: DumpName,
        within: &RelPath,
    ) -> Result<Option<Self>, Fault> {
        let top = listing.path(dump);
        let path = within.below(&top);
        let Some(meta) = look(&path)? else {
            return Ok(None);
        };
        Ok(is_inside(&top, &path)?.then_some(Self {
            path,
            dump: Some(dump),
            meta,
        }))
    }

    /// The entry of this name in this directory.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn child(&self, name: &[u8]) -> Result<Option<Self>, Fault> {
        let path = self.path.join(OsStr::from_bytes(name));
        Ok(look(&path)?.map(|meta| Self {
            path,
            dump: self.dump,
            meta,
        }))
    }

    /// What a path outside of all dumps leads to now; `None` when it does not
    /// exist.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn at(path: impl AsRef<Path>) -> Result<Option<Self>, Fault> {
        let path = path.as_ref();
        Ok(look(path)?.map(|meta| Self {
            path: path.to_path_buf(),
            dump: None,
            meta,
        }))
    }

    /// Was it modified when another version was, as far as its filesystem can
    /// tell? The other one may be where times are finer: that is so of a main
    /// tree whose dumps are on a disk which keeps whole seconds.
    #[must_use]
    pub fn has_time_of(&self, other: &Self) -> bool {
        let (kept, other_time) = (self.meta.mtime, other.meta.mtime);
        if kept == other_time || self.dump.is_none() || other.dump.is_some() {
            return kept == other_time;
        }
        // The kernel gave it these by its own clock.
        let time_step = time_step([self.meta.ctime, kept]);
        let disk = Capabilities {
            time_step,
            ..Capabilities::everything()
        };
        disk.storable_time(other_time) == kept
    }
}

/// One `statx`; `None` for what does not exist.
pub(super) fn look(path: &Path) -> Result<Option<Meta>, Fault> {
    match path::look(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(cause) if errno::has_changed(&cause) => Ok(None),
        Err(cause) => Err(Fault::new(Op::Stat, path.to_path_buf(), cause)),
    }
}

/// Is `path` below `top`, all names between `top` and its last one directories, and
/// none a symlink that leads elsewhere? A path with `..` is not.
pub(super) fn is_inside(top: &Path, path: &Path) -> Result<bool, Fault> {
    let Ok(within) = path.strip_prefix(top) else {
        return Ok(false);
    };
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !within.components().all(is_name) {
        return Ok(false);
    }
    let above = within.parent();
    let mut reached = top.to_path_buf();
    let mut dir = match open_root(top, For::Passing) {
        Ok(dir) => dir,
        Err(cause) if errno::is_absent(&cause) => return Ok(false),
        Err(cause) => return Err(Fault::new(Op::Open, reached, cause)),
    };
    for name in above.into_iter().flatten() {
        reached.push(name);
        let fault = |cause| Fault::new(Op::Open, reached.clone(), cause);
        let c_name = CString::new(name.as_bytes()).map_err(|e| fault(e.into()))?;
        dir = match open_dir(dir.as_fd(), &c_name, For::Passing) {
            Ok(below) => below,
            Err(cause) if errno::has_changed(&cause) => return Ok(false),
            Err(cause) => return Err(fault(cause)),
        };
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::Kind;
    use crate::model::metadata::Time;

    #[test]
    fn what_leads_out_is_not_inside() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let top = dir.path().join("dump/tree");
        std::fs::create_dir_all(top.join("a/b")).expect("made");
        std::fs::create_dir(dir.path().join("outside")).expect("made");
        std::os::unix::fs::symlink(dir.path().join("outside"), top.join("out")).expect("linked");
        for (path, inside) in [
            ("", true),
            ("a", true),
            ("a/b", true),
            ("a/b/none", true),
            ("out", true),
            ("out/x", false),
            ("none/x", false),
            ("..", false),
            ("a/..", false),
            ("a/../a", false),
            ("../../outside", false),
            ("a/b/../../../..", false),
        ] {
            let found = is_inside(&top, &RelPath::from(path).below(&top));
            assert_eq!(found.expect("looked"), inside, "{path}");
        }
        assert!(!is_inside(&top, dir.path()).expect("looked"), "above");
    }

    #[test]
    fn a_time_that_the_dump_disk_cut_is_the_same() {
        let of = |dump: Option<&str>, mtime, ctime| Version {
            path: PathBuf::new(),
            dump: dump.map(|name| DumpName::parse(name.as_bytes()).expect("a name")),
            meta: Meta {
                kind: Kind::File,
                mode: 0o644,
                uid: 0,
                gid: 0,
                size: 0,
                blocks: 0,
                mtime,
                atime: Time::default(),
                born: None,
                ctime,
                ino: 0,
                dev: 0,
                nlink: 1,
                rdev: 0,
            },
        };
        let dump = Some("2026/1122/2331");
        let coarse = of(dump, Time::new(5, 0), Time::new(9, 0));
        let fine = of(dump, Time::new(5, 0), Time::new(9, 1));
        let now = |secs, nanos| of(None, Time::new(secs, nanos), Time::new(9, 1));
        assert!(coarse.has_time_of(&now(5, 0)) && fine.has_time_of(&now(5, 0)));
        assert!(coarse.has_time_of(&now(5, 999_999_999)));
        assert!(!fine.has_time_of(&now(5, 999_999_999)));
        assert!(!coarse.has_time_of(&now(6, 0)) && !coarse.has_time_of(&now(4, 999_999_999)));
        // Of two in dumps both are as their disk keeps them.
        assert!(!coarse.has_time_of(&of(dump, Time::new(5, 7), Time::new(9, 1))));
    }
}
