//! A directory below a root, reached name by name: no symlink is followed, and
//! it can be asked whether the names still lead there.
//!
//! The race it closes: the owner of a directory on the way may put a symlink,
//! or another directory, in its place. What was opened stays the directory that
//! it was; that its name leads elsewhere is seen by going the way once more.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::sys::dir::{self, For};
use crate::sys::{errno, stat};

/// A directory below a root, and the names that lead to it.
#[derive(Debug)]
pub(crate) struct Beneath {
    root: OwnedFd,
    names: Vec<CString>,
    pub(crate) dir: OwnedFd,
}

impl Beneath {
    /// Goes down by these names as far as there are any; the rest of them comes
    /// back. One that is not a directory is an error, returned with how many
    /// names lead there.
    pub(crate) fn open(
        root: OwnedFd,
        mut names: Vec<CString>,
    ) -> Result<(Self, Vec<CString>), (usize, io::Error)> {
        let mut dir = dir::reopen(root.as_fd(), For::Passing).map_err(|e| (0, e))?;
        let mut found = 0;
        for name in &names {
            match dir::open_dir(dir.as_fd(), name, For::Passing) {
                Ok(below) => dir = below,
                Err(e) if errno::is_missing(&e) => break,
                Err(e) if errno::has_changed(&e) => {
                    return Err((found + 1, errno::no_directory()));
                }
                Err(e) => return Err((found + 1, e)),
            }
            found += 1;
        }
        let missing = names.split_off(found);
        // That it can be flushed.
        let dir = dir::reopen(dir.as_fd(), For::Filling).map_err(|e| (found, e))?;
        Ok((Self { root, names, dir }, missing))
    }

    /// Do the names still lead to this directory?
    pub(crate) fn is_there(&self) -> io::Result<bool> {
        match open_below(self.root.as_fd(), &self.names, For::Passing) {
            Ok(there) => Ok(stat::look_at(there)?.id() == stat::look_at(&self.dir)?.id()),
            Err(e) if errno::has_changed(&e) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Opens what these names lead to, one after the other.
pub(crate) fn open_below<N: AsRef<CStr>>(
    root: BorrowedFd<'_>,
    names: &[N],
    purpose: For,
) -> io::Result<OwnedFd> {
    let Some((last, above)) = names.split_last() else {
        return dir::reopen(root, purpose);
    };
    let mut dir = dir::reopen(root, For::Passing)?;
    for name in above {
        dir = dir::open_dir(dir.as_fd(), name.as_ref(), For::Passing)?;
    }
    dir::open_dir(dir.as_fd(), last.as_ref(), purpose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(path: &str) -> Vec<CString> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.map(|n| CString::new(n).expect("no NUL")).collect()
    }

    #[test]
    fn a_directory_that_was_swapped_is_noticed() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("a/b")).expect("made");
        fs::write(at("a/file"), "").expect("written");
        let open = |path: &str| {
            let root = dir::open_root(dir.path(), For::Passing).expect("opened");
            Beneath::open(root, names(path))
        };
        let (there, missing) = open("a/b").expect("opened");
        assert!(missing.is_empty() && there.is_there().expect("looked"));
        let (above, missing) = open("a/c/d").expect("opened");
        assert_eq!(missing, names("c/d"));
        let (far, error) = open("a/file/d").expect_err("no directory");
        assert_eq!((far, error.kind()), (2, io::ErrorKind::NotADirectory));

        fs::rename(at("a"), at("moved")).expect("moved");
        assert!(!there.is_there().expect("looked"), "gone");
        std::os::unix::fs::symlink("moved", at("a")).expect("linked");
        assert!(!there.is_there().expect("looked"), "through a symlink");
        assert!(!above.is_there().expect("looked"));
        let (far, error) = open("a/b").expect_err("a symlink");
        assert_eq!((far, error.kind()), (1, io::ErrorKind::NotADirectory));
        fs::remove_file(at("a")).expect("removed");
        fs::create_dir_all(at("a/b")).expect("made");
        assert!(!there.is_there().expect("looked"), "another");
        fs::remove_dir_all(at("a")).expect("removed");
        fs::rename(at("moved"), at("a")).expect("moved");
        assert!(there.is_there().expect("looked"));
    }
}
