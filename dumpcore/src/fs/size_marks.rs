//! The marks, on a dump's own directory, that say how much was in it when it was
//! published: for those who copy it, and for how long the next run may take.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::fs::marks;
use crate::policy::layout;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};

/// How many names were below it, where that was noted.
pub(crate) fn names(dump: &OwnedFd) -> Option<u64> {
    number(dump, layout::NAMES_XATTR)
}

/// The sum of the sizes of its files, of each name, where that was noted.
pub(crate) fn bytes(dump: &OwnedFd) -> Option<u64> {
    number(dump, layout::BYTES_XATTR)
}

/// Puts both on a dump that is being made, or takes away those of an earlier
/// run. Where the filesystem has no attributes, nobody will know.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn put(dump: &OwnedFd, names: Option<u64>, bytes: Option<u64>) -> io::Result<()> {
    for (name, number) in [(layout::NAMES_XATTR, names), (layout::BYTES_XATTR, bytes)] {
        let text = number.map(|number| number.to_string());
        marks::put(dump, name, text.as_deref().map(str::as_bytes))?;
    }
    Ok(())
}

fn number(dump: &OwnedFd, mark: &str) -> Option<u64> {
    let subject = Subject::Named(dump.as_fd(), c".");
    let found = xattr::get(subject, &c_name(mark.as_bytes())).ok()??;
    std::str::from_utf8(&found).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dir::{self, For};

    #[test]
    fn says_what_it_was_told_and_nothing_else() {
        let on = assert_fs::TempDir::new_in(".").expect("a directory");
        let dump = dir::open_root(on.path(), For::Filling).expect("opened");
        for (put_names, put_bytes) in [(Some(7), Some(1 << 40)), (Some(0), None), (None, None)] {
            put(&dump, put_names, put_bytes).expect("put");
            assert_eq!((names(&dump), bytes(&dump)), (put_names, put_bytes));
            let passing = dir::open_root(on.path(), For::Passing).expect("opened");
            assert_eq!(names(&passing), put_names);
        }
    }
}
