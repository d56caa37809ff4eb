//! The marks that a dump has on its own directory.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::policy::layout;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, errno};

/// Puts a mark on a dump that is being made, in the place of an earlier run's.
/// Without a value, and where the filesystem takes none or not this one, the
/// dump has none of that name.
///
/// # Errors
/// When the disk is full, failing or gone.
pub(crate) fn put(dump: &OwnedFd, name: &str, value: Option<&[u8]>) -> io::Result<()> {
    let (subject, name) = (Subject::Open(dump.as_fd()), name.as_bytes());
    if let Some(value) = value {
        match xattr::set(subject, name, value) {
            Ok(()) => return Ok(()),
            Err(e) if is_of_the_disk(&e, dump) => return Err(e),
            Err(_) => {}
        }
    }
    match xattr::remove(subject, name) {
        Err(e) if errno::is_disk_refusal(&e) => Err(e),
        _ => Ok(()),
    }
}

/// The token of a dump, which distinguishes it from every other dump that had or
/// will have its name.
pub(crate) fn token(dump: &OwnedFd) -> Option<Vec<u8>> {
    let name = c_name(layout::TOKEN_XATTR.as_bytes());
    xattr::get(Subject::Named(dump.as_fd(), c"."), &name).ok()?
}

/// Says of a checkpoint that is being made, or of what was left behind of one, that
/// it is linked to others of its chain.
///
/// # Errors
/// When the disk refuses, or stores no such mark.
pub(crate) fn put_linked(dump: &OwnedFd) -> io::Result<()> {
    let name = layout::LINKED_XATTR.as_bytes();
    xattr::set(Subject::Open(dump.as_fd()), name, b"1")
}

/// Is it a checkpoint that is linked to others of its chain?
pub(crate) fn is_linked(dump: &OwnedFd) -> bool {
    let name = c_name(layout::LINKED_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name);
    matches!(found, Ok(Some(_)))
}

/// May trees of an expired dump be in what is being made, or was left behind? Where
/// no mark can be read, they may.
pub(crate) fn may_be_recycled(dump: &OwnedFd) -> bool {
    let name = c_name(layout::RECYCLED_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name);
    !matches!(found, Ok(None))
}

/// A token that no other dump has: the standard library's random keys.
pub(crate) fn fresh_token() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// A mark too large for its filesystem may be answered as if the disk were full.
fn is_of_the_disk(error: &io::Error, dump: &OwnedFd) -> bool {
    let has_room = || disk::free(dump).is_ok_and(|free| free.bytes > 1 << 20);
    errno::is_disk_refusal(error) && !(errno::is_no_room(error) && has_room())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::dir::{self, For};

    #[test]
    fn what_cannot_be_put_leaves_nothing_of_an_earlier_run() {
        let on = assert_fs::TempDir::new_in(".").expect("a directory");
        let dump = dir::open_root(on.path(), For::Filling).expect("opened");
        let found = || xattr::get(Subject::Open(dump.as_fd()), c"user.dump.names");
        let put = |value| put(&dump, "user.dump.names", value);
        put(Some(b"1")).expect("put");
        assert_eq!(found().expect("read").as_deref(), Some(&b"1"[..]));
        put(None).expect("removed");
        assert_eq!(found().expect("read"), None);
        put(Some(b"1")).expect("put");
        // Larger than Linux takes any.
        put(Some(&vec![b'x'; 70_000])).expect("the disk is well");
        assert_eq!(found().expect("read"), None);
    }

    #[test]
    fn a_failing_disk_is_an_error() {
        let on = assert_fs::TempDir::new_in(".").expect("a directory");
        let dump = dir::open_root(on.path(), For::Filling).expect("opened");
        let refused = |raw| is_of_the_disk(&io::Error::from_raw_os_error(raw), &dump);
        assert!(refused(libc::EIO) && refused(libc::EROFS) && refused(libc::EDQUOT));
        assert!(!refused(libc::EOPNOTSUPP) && !refused(libc::EPERM));
        assert!(!refused(libc::ENOSPC), "there is room");
    }
}
