//! Which names a filesystem takes for one, found out by trying: it may not tell
//! upper case from lower, or one way to write `é` from the other.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{errno, file, link, stat};

/// What a filesystem does to names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folding {
    /// Upper and lower case are one: of the letters of ASCII at least.
    pub(crate) case: bool,
    /// Also of other letters.
    pub(crate) all_case: bool,
    /// Two ways to write an accented letter are one.
    pub(crate) accents: bool,
    /// Listings show names otherwise than they were given.
    pub(crate) respells: bool,
}

impl Folding {
    /// Are some different names one?
    pub(crate) fn folds(self) -> bool {
        self.case || self.accents
    }

    /// The first two names that differ only in case, where that is one.
    pub(crate) fn first_pair(self, names: &[&CStr]) -> Option<(usize, usize)> {
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        let first = |second: usize| keys[..second].iter().position(|key| *key == keys[second]);
        let mut pairs = (0..keys.len()).filter(|second| keys[*second].is_some());
        pairs.find_map(|second| Some((first(second)?, second)))
    }

    /// What names have in common that differ only in case, where that is one.
    pub(crate) fn key(self, name: &CStr) -> Option<Vec<u8>> {
        match (self.case, self.all_case) {
            (false, _) => None,
            (true, false) => Some(name.to_bytes().to_ascii_lowercase()),
            (true, true) => {
                let name = String::from_utf8_lossy(name.to_bytes());
                Some(name.to_lowercase().into_bytes())
            }
        }
    }
}

/// Tries in a directory that only this run uses. What cannot be tried is not
/// known to fold.
pub(crate) fn try_out(dir: BorrowedFd<'_>) -> Folding {
    let trial = c_name(layout::FOLDED_TRIAL.as_bytes());
    let _ = link::remove(dir, &trial);
    let Ok(file) = file::create_file(dir, &trial) else {
        return Folding::default();
    };
    drop(file);
    let is = |variant: &str| {
        let variant = c_name(variant.as_bytes());
        stat::look(dir, &variant, stat::Fresh::AsStat).is_ok()
    };
    let [ascii, all, accents] = layout::FOLDED_VARIANTS.map(is);
    let found = Folding {
        case: ascii,
        all_case: all,
        accents,
        respells: false,
    };
    let respells = || !is_listed(dir, &trial).unwrap_or(true);
    let found = Folding {
        respells: found.folds() && respells(),
        ..found
    };
    let _ = link::remove(dir, &trial);
    found
}

/// Can a filesystem take two of these for one? Plain ones only when they differ
/// in nothing but case; of other letters each filesystem has its own table.
pub(crate) fn may_be_one(names: &[&CStr]) -> bool {
    let alike = |a: &CStr, b: &CStr| {
        let (a, b) = (a.to_bytes(), b.to_bytes());
        !a.is_ascii() || !b.is_ascii() || a.eq_ignore_ascii_case(b)
    };
    let after = |at: usize| names[at + 1..].iter();
    let mut first = names.iter().enumerate();
    first.any(|(at, name)| after(at).any(|other| alike(name, other)))
}

/// The first two names that are one, by their places; tried in a directory that
/// only this run uses, in one of its own. What cannot be tried is not known to
/// be one.
pub(crate) fn first_pair(dir: BorrowedFd<'_>, names: &[&CStr]) -> Option<(usize, usize)> {
    let trial = c_name(layout::FOLDED_TRIAL.as_bytes());
    let made = dir::make_private(dir, &trial);
    // A run that was killed left its own.
    made.or_else(|e| errno::is_taken(&e).then_some(()).ok_or(e))
        .ok()?;
    let opened = dir::open_dir(dir, &trial, For::Filling).ok()?;
    for name in names {
        let _ = link::remove(opened.as_fd(), name);
    }
    let mut pair = None;
    for (second, name) in names.iter().enumerate() {
        match file::create_file(opened.as_fd(), name) {
            Ok(_) => {}
            Err(e) if errno::is_taken(&e) => {
                let id = |name: &CStr| {
                    let looked = stat::look(opened.as_fd(), name, stat::Fresh::AsStat);
                    looked.ok().map(|meta| meta.id())
                };
                let there = id(name);
                let first = names[..second].iter().position(|name| id(name) == there);
                pair = first.map(|first| (first, second));
                break;
            }
            Err(_) => break,
        }
    }
    for name in names {
        let _ = link::remove(opened.as_fd(), name);
    }
    let _ = dir::remove_empty(dir, &trial);
    pair
}

/// How listings show a name that is given; tried in an empty directory that only
/// this run uses.
pub(crate) fn spelling(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    drop(file::create_file(dir, name)?);
    let listed = dir::list_all(dir, For::Reading);
    link::remove(dir, name)?;
    let listed = listed?;
    let shown = listed.iter().next().map(|entry| entry.name.to_owned());
    Ok(shown.unwrap_or_else(|| name.to_owned()))
}

/// What is known without writing, in a dump root: by the link that it has.
pub(crate) fn guess(root: BorrowedFd<'_>) -> Folding {
    let other = c_name(layout::CURRENT.to_ascii_uppercase().as_bytes());
    Folding {
        case: stat::look(root, &other, stat::Fresh::AsStat).is_ok(),
        ..Folding::default()
    }
}

fn is_listed(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    let chunk = dir::list_all(dir, For::Reading)?;
    Ok(chunk.iter().any(|entry| entry.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_filesystems_tell_names_apart() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let root = dir::open_root(dir.path(), For::Passing).expect("opened");
        assert_eq!(try_out(root.as_fd()), Folding::default());
        assert_eq!(guess(root.as_fd()), Folding::default());
        let names = [c"Photos", c"photos", c"caf\xc3\xa9", c"cafe\xcc\x81"];
        assert_eq!(first_pair(root.as_fd(), &names), None);
        assert_eq!(
            spelling(root.as_fd(), names[2]).expect("tried").as_c_str(),
            names[2]
        );
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
    }

    #[test]
    fn only_names_that_are_alike_have_to_be_tried() {
        for (names, may) in [
            (&[c"home"][..], false),
            (&[c"home", c"etc", c"home2"], false),
            (&[c"home", c"etc", c"Home"], true),
            (&[c"home", c"Stra\xc3\x9fe", c"strasse"], true),
        ] {
            assert_eq!(may_be_one(names), may, "{names:?}");
        }
    }

    #[test]
    fn names_that_differ_only_in_case_have_one_key() {
        let ascii = Folding {
            case: true,
            ..Folding::default()
        };
        let all = Folding {
            all_case: true,
            ..ascii
        };
        assert_eq!(Folding::default().key(c"README"), None);
        assert_eq!(ascii.key(c"README"), ascii.key(c"readMe"));
        assert_ne!(ascii.key(c"\xc3\x84"), ascii.key(c"\xc3\xa4"));
        assert_eq!(all.key(c"\xc3\x84"), all.key(c"\xc3\xa4"));
        assert_ne!(all.key(c"a"), all.key(c"b"));
    }
}
