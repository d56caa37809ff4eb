//! Extended attributes and ACLs, by directory handle and name.
//!
//! Linux 6.13 and later: `listxattrat` and its like, which open nothing and
//! take one name. Before that the kernel says ENOSYS: then, for the rest of
//! the process, the same through the path `/proc/self/fd/N/name`, which starts
//! at the handle and does not follow the last name either. So it is asked when
//! the answer is EPERM, which may be a sandbox's. Where `/proc` is not mounted,
//! as in a rescue system, a thread is started for each call that makes the
//! handle its own working directory: slow, and right. A filesystem without
//! attributes (EOPNOTSUPP) has none.

use rustix::fs::{
    XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr, fstat, lgetxattr, llistxattr,
    lremovexattr, lsetxattr, stat,
};
use rustix::io::Errno;
use rustix::process::fchdir;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::{errno, raw};
use crate::model::chain::about;
use crate::model::metadata::Xattrs;

/// The largest value and the largest list of names that Linux has.
const LARGEST: usize = 64 * 1024;

/// The kernel does not know the calls by handle and name.
static BY_PATH: AtomicBool = AtomicBool::new(false);

/// Is `/proc` there, and this process's own?
static PROC: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const PRESENT: u8 = 1;
const ABSENT: u8 = 2;

/// What attributes are read from or written to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A name in a directory; a symlink itself.
    Named(BorrowedFd<'a>, &'a CStr),
    /// What a handle holds.
    Open(BorrowedFd<'a>),
}

fn proc_path(dir: BorrowedFd<'_>, name: &CStr) -> PathBuf {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    path.push(OsStr::from_bytes(name.to_bytes()));
    path
}

/// Calls by handle and name, or by path once that is known to be needed.
fn by_handle_or_path<B: ?Sized + Send, T: Send>(
    (dir, name): (BorrowedFd<'_>, &CStr),
    buffer: &mut B,
    by_handle: impl FnOnce(&mut B) -> io::Result<T>,
    by_path: impl Fn(&mut B, &Path) -> rustix::io::Result<T> + Send + Sync,
) -> io::Result<T> {
    if !BY_PATH.load(Ordering::Relaxed) {
        match by_handle(buffer) {
            Err(error) if is(&error, Errno::NOSYS) => {
                BY_PATH.store(true, Ordering::Relaxed);
            }
            // Of a sandbox, or of the filesystem: the other way tells which.
            Err(error) if is(&error, Errno::PERM) => {
                return through_path(dir, name, buffer, by_path).map_err(|_| error);
            }
            other => return other,
        }
    }
    through_path(dir, name, buffer, by_path)
}

/// Calls by a path that starts at the handle: through `/proc`, or by the name
/// alone, in a thread whose working directory is the handle's.
fn through_path<B: ?Sized + Send, T: Send>(
    dir: BorrowedFd<'_>,
    name: &CStr,
    buffer: &mut B,
    call: impl Fn(&mut B, &Path) -> rustix::io::Result<T> + Send + Sync,
) -> io::Result<T> {
    if leads_there(dir, &PROC) {
        match call(buffer, &proc_path(dir, name)) {
            // Of the entry, or of /proc?
            Err(Errno::NOENT | Errno::NOTDIR) if !leads_there(dir, &AtomicU8::new(UNKNOWN)) => {
                PROC.store(ABSENT, Ordering::Relaxed);
            }
            other => return Ok(other?),
        }
    }
    let there = move || {
        raw::own_working_directory().map_err(|cause| {
            about(
                "extended attributes need Linux 6.13 or a mounted /proc",
                cause,
            )
        })?;
        fchdir(dir)?;
        Ok(call(buffer, Path::new(OsStr::from_bytes(name.to_bytes())))?)
    };
    let done = std::thread::scope(|scope| {
        let named = std::thread::Builder::new().name("attributes".into());
        Ok::<_, io::Error>(named.spawn_scoped(scope, there)?.join())
    });
    done?.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Does a path through `/proc` lead to what this handle holds? Asked once: what
/// stands there may be nothing, or of another machine or namespace.
fn leads_there(dir: BorrowedFd<'_>, known: &AtomicU8) -> bool {
    match known.load(Ordering::Relaxed) {
        UNKNOWN => {
            let id = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
            let by_path = stat(proc_path(dir, c"")).map(id);
            let leads = by_path.is_ok_and(|by_path| fstat(dir).map(id) == Ok(by_path));
            known.store(if leads { PRESENT } else { ABSENT }, Ordering::Relaxed);
            leads
        }
        known => known == PRESENT,
    }
}

/// Fills `list` with names, each ending in NUL; returns their length.
fn list_into(subject: Subject<'_>, list: &mut [u8]) -> io::Result<usize> {
    match subject {
        Subject::Open(fd) => Ok(flistxattr(fd, list)?),
        Subject::Named(dir, name) => by_handle_or_path(
            (dir, name),
            list,
            |list| raw::listxattrat(dir, name, list),
            |list, path| llistxattr(path, list),
        ),
    }
}

fn get_into(subject: Subject<'_>, xattr: &CStr, value: &mut [u8]) -> io::Result<usize> {
    match subject {
        Subject::Open(fd) => Ok(fgetxattr(fd, xattr, value)?),
        Subject::Named(dir, name) => by_handle_or_path(
            (dir, name),
            value,
            |value| raw::getxattrat(dir, name, xattr, value),
            |value, path| lgetxattr(path, xattr, value),
        ),
    }
}

/// The names of all attributes, each ending in NUL. Most entries have none:
/// that costs one call and no memory.
fn names(subject: Subject<'_>) -> io::Result<Vec<u8>> {
    let mut small = [0; 512];
    match list_into(subject, &mut small) {
        Ok(length) => Ok(small[..length].to_vec()),
        Err(error) if is(&error, Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) if is(&error, Errno::RANGE) => {
            let mut large = vec![0; LARGEST];
            let length = list_into(subject, &mut large)?;
            large.truncate(length);
            Ok(large)
        }
        Err(error) => Err(error),
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// The value of one attribute; `None` when there is none of that name, or
/// none that this runner may see.
pub(crate) fn get(subject: Subject<'_>, xattr: &CStr) -> io::Result<Option<Vec<u8>>> {
    let mut small = [0; 1024];
    let absent = [Errno::NODATA, Errno::OPNOTSUPP];
    match get_into(subject, xattr, &mut small) {
        Ok(length) => Ok(Some(small[..length].to_vec())),
        Err(error) if absent.iter().any(|e| is(&error, *e)) => Ok(None),
        Err(error) if is(&error, Errno::RANGE) => {
            let mut large = vec![0; LARGEST];
            let length = get_into(subject, xattr, &mut large)?;
            large.truncate(length);
            Ok(Some(large))
        }
        Err(error) => Err(error),
    }
}

/// The same by path, whose last name is not followed.
pub(crate) fn get_at(path: &Path, xattr: &CStr) -> io::Result<Option<Vec<u8>>> {
    let mut small = [0; 256];
    match lgetxattr(path, xattr, &mut small) {
        Ok(length) => Ok(Some(small[..length].to_vec())),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Does the filesystem know attributes of this kind, as far as this runner may
/// ask? Whether the subject has this one does not matter.
pub(crate) fn is_known(subject: Subject<'_>, xattr: &CStr) -> bool {
    let asked = get_into(subject, xattr, &mut [0; 1]);
    !asked.is_err_and(|error| is(&error, Errno::OPNOTSUPP))
}

/// All attributes whose name `keep` wants.
pub(crate) fn read(subject: Subject<'_>, keep: impl Fn(&[u8]) -> bool) -> io::Result<Xattrs> {
    let names = names(subject)?;
    values(subject, &names, keep, |_, error| Err(error))
}

/// The same, as far as they are handed out: `withheld` hears of the others, by
/// their names where these are known.
pub(crate) fn read_most(
    subject: Subject<'_>,
    keep: impl FnMut(&[u8]) -> bool,
    mut withheld: impl FnMut(Option<&CStr>, io::Error),
) -> io::Result<Xattrs> {
    // Those that decide who may do what are asked for by name.
    const VITAL: &[u8] =
        b"system.posix_acl_access\0system.posix_acl_default\0security.capability\0";
    let names = match names(subject) {
        Err(error) if errno::is_attribute_withheld(&error) => {
            withheld(None, error);
            VITAL.to_vec()
        }
        other => other?,
    };
    values(subject, &names, keep, |name, error| {
        if !errno::is_attribute_withheld(&error) {
            return Err(error);
        }
        withheld(Some(name), error);
        Ok(())
    })
}

fn values(
    subject: Subject<'_>,
    names: &[u8],
    mut keep: impl FnMut(&[u8]) -> bool,
    mut failed: impl FnMut(&CStr, io::Error) -> io::Result<()>,
) -> io::Result<Xattrs> {
    if names.is_empty() {
        return Ok(Xattrs::default());
    }
    let mut list = Vec::new();
    for name in names.split_inclusive(|b| *b == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        if !keep(name.to_bytes()) {
            continue;
        }
        match get(subject, name) {
            Ok(None) => {}
            Ok(Some(value)) => list.push((name.to_bytes().to_vec(), value)),
            Err(error) => failed(name, error)?,
        }
    }
    Ok(Xattrs::new(list))
}

/// Sets one attribute.
pub(crate) fn set(subject: Subject<'_>, xattr: &[u8], value: &[u8]) -> io::Result<()> {
    let xattr = CString::new(xattr)?;
    match subject {
        Subject::Open(fd) => Ok(fsetxattr(fd, &xattr, value, XattrFlags::empty())?),
        Subject::Named(dir, name) => by_handle_or_path(
            (dir, name),
            &mut (),
            |()| raw::setxattrat(dir, name, &xattr, value),
            |(), path| lsetxattr(path, &xattr, value, XattrFlags::empty()),
        ),
    }
}

/// Removes one attribute; that it does not exist is not an error.
pub(crate) fn remove(subject: Subject<'_>, xattr: &[u8]) -> io::Result<()> {
    let xattr = CString::new(xattr)?;
    let removed = match subject {
        Subject::Open(fd) => fremovexattr(fd, &xattr).map_err(io::Error::from),
        Subject::Named(dir, name) => by_handle_or_path(
            (dir, name),
            &mut (),
            |()| raw::removexattrat(dir, name, &xattr),
            |(), path| lremovexattr(path, &xattr),
        ),
    };
    match removed {
        Err(error) if is(&error, Errno::NODATA) || is(&error, Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    /// What a sandbox refuses is asked for the other way; what the filesystem
    /// refuses stays refused, and later calls are as before.
    #[test]
    fn a_refusal_is_tried_the_other_way() {
        let refused = |(): &mut ()| Err(io::Error::from(Errno::PERM));
        let root = super::super::dir::open_root(Path::new("/"), super::super::dir::For::Passing);
        let root = root.expect("opened");
        let at = (root.as_fd(), c".");
        let missing = |(): &mut (), _: &Path| Err::<i32, _>(Errno::NOENT);
        let before = BY_PATH.swap(false, Ordering::Relaxed);
        let by_path = by_handle_or_path(at, &mut (), refused, |(), _| Ok(7));
        let neither = by_handle_or_path(at, &mut (), refused, missing);
        BY_PATH.store(before, Ordering::Relaxed);
        assert_eq!(by_path.expect("the other way"), 7);
        let neither = neither.expect_err("refused");
        // In a test beside this one the process may have gone over to paths.
        assert!(is(&neither, Errno::PERM) || is(&neither, Errno::NOENT));
    }

    /// Both ways must give the same; the switch is the process's, and either
    /// way is right for tests that run beside this one.
    #[test]
    fn by_handle_and_by_path_agree() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        std::fs::write(dir.path().join("file"), b"").expect("written");
        std::os::unix::fs::symlink("file", dir.path().join("link")).expect("linked");
        let root = super::super::dir::open_root(dir.path(), super::super::dir::For::Passing);
        let root = root.expect("opened");
        let large = vec![b'x'; 3000];
        for (by_path, without_proc) in [(false, false), (true, false), (true, true)] {
            BY_PATH.store(by_path, Ordering::Relaxed);
            PROC.store(
                if without_proc { ABSENT } else { UNKNOWN },
                Ordering::Relaxed,
            );
            let file = Subject::Named(root.as_fd(), c"file");
            set(file, b"user.small", b"1").expect("set");
            set(file, b"user.large", &large).expect("set");
            let all = read(file, |_| true).expect("read");
            let wanted = [
                (b"user.small".to_vec(), b"1".to_vec()),
                (b"user.large".to_vec(), large.clone()),
            ];
            let seen = all.filtered(|name| name.starts_with(b"user."));
            let way = format!("by path: {by_path}, without /proc: {without_proc}");
            assert_eq!(seen, Xattrs::new(wanted.to_vec()), "{way}");
            let gone = read(Subject::Named(root.as_fd(), c"gone"), |_| true);
            assert!(is(&gone.expect_err("missing"), Errno::NOENT), "{way}");
            let link = Subject::Named(root.as_fd(), c"link");
            let link = read(link, |name| name.starts_with(b"user.")).expect("read");
            assert!(link.is_empty(), "the symlink was followed");
            remove(file, b"user.small").expect("removed");
            remove(file, b"user.small").expect("no error");
            remove(file, b"user.large").expect("removed");
            let left = read(file, |name| name.starts_with(b"user.")).expect("read");
            assert!(left.is_empty());
        }
        BY_PATH.store(false, Ordering::Relaxed);
        PROC.store(UNKNOWN, Ordering::Relaxed);
    }

    #[test]
    fn many_names_and_a_missing_one() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        std::fs::write(dir.path().join("file"), b"").expect("written");
        let root = super::super::dir::open_root(dir.path(), super::super::dir::For::Passing);
        let root = root.expect("opened");
        let file = Subject::Named(root.as_fd(), c"file");
        for i in 0..40 {
            let name = format!("user.a-rather-long-name-{i:04}");
            set(file, name.as_bytes(), b"").expect("set");
        }
        let all = read(file, |name| name.starts_with(b"user.")).expect("read");
        assert_eq!(all.iter().count(), 40);
        assert_eq!(get(file, c"user.none").expect("no error"), None);
        let missing = Subject::Named(root.as_fd(), c"missing");
        assert!(read(missing, |_| true).is_err());
    }
}
