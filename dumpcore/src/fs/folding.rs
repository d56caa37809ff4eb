//! Which names a filesystem takes for one, found out by trying: it may not tell
//! upper case from lower, or one way to write `é` from the other.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{file, link, stat};

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
    use std::os::fd::AsFd as _;

    #[test]
    fn most_filesystems_tell_names_apart() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let root = dir::open_root(dir.path(), For::Passing).expect("opened");
        assert_eq!(try_out(root.as_fd()), Folding::default());
        assert_eq!(guess(root.as_fd()), Folding::default());
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
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
