//! Names: hard links, symlinks, special files, removing and renaming.

use rustix::fs::{
    Access, AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, accessat,
    chmodat, chownat, linkat, mknodat, openat, readlinkat, renameat, renameat_with, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::{dir, errno, raw, stat};
use crate::model::metadata::{Kind, Time};

/// Gives the inode of `from` another name; a symlink is linked itself.
pub(crate) fn hard_link(
    from_dir: BorrowedFd<'_>,
    from: &CStr,
    to_dir: BorrowedFd<'_>,
    to: &CStr,
) -> io::Result<()> {
    Ok(linkat(from_dir, from, to_dir, to, AtFlags::empty())?)
}

/// Does the system keep people from linking to what belongs to others
/// (`fs.protected_hardlinks`)?
pub(crate) fn are_protected() -> bool {
    let setting = std::fs::read("/proc/sys/fs/protected_hardlinks");
    setting.is_ok_and(|setting| setting.first() == Some(&b'1'))
}

/// May this process read and write what has this name? A symlink itself.
pub(crate) fn may_read_and_write(dir: BorrowedFd<'_>, name: &CStr) -> bool {
    let both = Access::READ_OK | Access::WRITE_OK;
    accessat(dir, name, both, AtFlags::EACCESS).is_ok()
}

/// Makes a symlink.
pub(crate) fn symlink(target: &CStr, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Ok(symlinkat(target, dir, name)?)
}

/// Where a symlink points.
pub(crate) fn read_symlink(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<CString> {
    Ok(readlinkat(dir, name, Vec::with_capacity(256))?)
}

/// Makes a FIFO, a socket or a device that only its owner may use.
pub(crate) fn make_special(
    dir: BorrowedFd<'_>,
    name: &CStr,
    kind: Kind,
    rdev: u64,
) -> io::Result<()> {
    let file_type = match kind {
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
        Kind::Char => FileType::CharacterDevice,
        Kind::Block => FileType::BlockDevice,
        Kind::File | Kind::Dir | Kind::Symlink => {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
    };
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(mknodat(dir, name, file_type, mode, rdev)?)
}

/// Removes a name that is not a directory.
pub(crate) fn remove(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Ok(unlinkat(dir, name, AtFlags::empty())?)
}

/// Renames; what has the new name is replaced.
pub(crate) fn rename_over(
    from_dir: BorrowedFd<'_>,
    from: &CStr,
    to_dir: BorrowedFd<'_>,
    to: &CStr,
) -> io::Result<()> {
    Ok(renameat(from_dir, from, to_dir, to)?)
}

/// Renames, unless the new name is taken.
///
/// A filesystem that does not know the flag says EINVAL, an old kernel
/// ENOSYS: then the name is looked for first, which is as good as long as
/// the dump root's lock is held.
pub(crate) fn rename_new(
    from_dir: BorrowedFd<'_>,
    from: &CStr,
    to_dir: BorrowedFd<'_>,
    to: &CStr,
) -> io::Result<()> {
    match renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match stat::look(to_dir, to, stat::Fresh::AsStat) {
                Ok(_) => Err(Errno::EXIST.into()),
                Err(error) if errno::is_missing(&error) => rename_over(from_dir, from, to_dir, to),
                Err(error) => Err(error),
            }
        }
        other => Ok(other?),
    }
}

/// Lets two names change places at once.
///
/// Where the filesystem (EINVAL) or the kernel (ENOSYS) cannot, they do so
/// one after the other, by way of a `third` name beside `from`: then `to` is
/// missing for a moment.
pub(crate) fn exchange(
    from_dir: BorrowedFd<'_>,
    from: &CStr,
    to_dir: BorrowedFd<'_>,
    to: &CStr,
    third: &CStr,
) -> io::Result<()> {
    match renameat_with(from_dir, from, to_dir, to, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename_new(to_dir, to, from_dir, third)?;
            let moved = rename_new(from_dir, from, to_dir, to);
            match moved {
                Ok(()) => rename_new(from_dir, third, from_dir, from),
                Err(error) => rename_new(from_dir, third, to_dir, to).and(Err(error)),
            }
        }
        other => Ok(other?),
    }
}

fn timespec(time: Time) -> Timespec {
    Timespec {
        tv_sec: time.secs,
        tv_nsec: time.nanos.into(),
    }
}

pub(super) fn timestamps(atime: Time, mtime: Time) -> Timestamps {
    Timestamps {
        last_access: timespec(atime),
        last_modification: timespec(mtime),
    }
}

/// Sets the times of a name; of a symlink itself.
pub(crate) fn set_times(
    dir: BorrowedFd<'_>,
    name: &CStr,
    atime: Time,
    mtime: Time,
) -> io::Result<()> {
    let times = timestamps(atime, mtime);
    Ok(utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets the access time of a name alone; of a symlink itself.
pub(crate) fn set_access_time(dir: BorrowedFd<'_>, name: &CStr, atime: Time) -> io::Result<()> {
    let times = Timestamps {
        last_access: timespec(atime),
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
    };
    Ok(utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Sets owner and group of a name; of a symlink itself.
pub(crate) fn set_owner(dir: BorrowedFd<'_>, name: &CStr, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    Ok(chownat(
        dir,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// Sets the permission bits of a directory by its name; of nothing else, should
/// the name be another's by now.
pub(crate) fn set_mode_of_dir(dir: BorrowedFd<'_>, name: &CStr, mode: u16) -> io::Result<()> {
    set_mode_by_dot(&dir::open_dir(dir, name, dir::For::Passing)?, mode)
}

/// Sets the permission bits of a name. A symlink has none, and is not followed:
/// of one it is an error.
pub(crate) fn set_mode(dir: BorrowedFd<'_>, name: &CStr, mode: u16) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = openat(dir, name, flags, Mode::empty())?;
    match stat::look_at(&handle)?.kind {
        Kind::Symlink => Err(Errno::LOOP.into()),
        Kind::Dir => set_mode_by_dot(&handle, mode),
        _ => match set_mode_by_number(&handle, mode) {
            Err(error) if is_too_old(&error) => set_mode_by_name(dir, name, &handle, mode),
            other => other,
        },
    }
}

/// On a kernel before Linux 6.6 without `/proc`, as in a rescue system, only the
/// name is left: it is looked at before, and what it led to after.
fn set_mode_by_name(
    dir: BorrowedFd<'_>,
    name: &CStr,
    handle: &OwnedFd,
    mode: u16,
) -> io::Result<()> {
    let bits = Mode::from_raw_mode(u32::from(mode));
    chmodat(dir, name, bits, AtFlags::empty())?;
    match stat::look_at(handle)?.mode == mode {
        true => Ok(()),
        false => Err(io::Error::other("the name was replaced by another")),
    }
}

fn set_mode_by_dot(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    let bits = Mode::from_raw_mode(u32::from(mode));
    match chmodat(handle, c".", bits, AtFlags::empty()) {
        // What may not be searched has no `.` for its owner, only a number.
        Err(Errno::ACCESS) => set_mode_by_number(handle, mode),
        other => Ok(other?),
    }
}

/// Of what a handle holds that was not opened to be read: through `/proc`, and
/// where that is not mounted by a call that only newer kernels have.
fn set_mode_by_number(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    match set_mode_through_proc(handle, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match raw::fchmodat2(handle.as_fd(), c"", mode, libc::AT_EMPTY_PATH) {
        Err(error) if may_be_unknown(&error) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "needs Linux 6.6 or a mounted /proc",
        )),
        other => other,
    }
}

/// Has this kernel no way to set a mode by a handle?
fn is_too_old(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

fn set_mode_through_proc(handle: &OwnedFd, mode: u16) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Another system's `/proc` may stand there, or a plain directory.
    let there = std::fs::metadata(&path)?;
    let own = stat::look_at(handle)?;
    if (there.ino(), there.mode()) != (own.ino, u32::from(own.mode) | (there.mode() & !0o7777)) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let bits = std::fs::Permissions::from_mode(u32::from(mode));
    std::fs::set_permissions(path, bits)
}

/// Does the kernel perhaps not know the call, or a sandbox (EPERM) not let it
/// through?
fn may_be_unknown(error: &io::Error) -> bool {
    errno::is_unsupported(error) || errno::is_not_permitted(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    type SetMode = fn(BorrowedFd<'_>, &CStr, u16) -> io::Result<()>;

    #[test]
    fn permissions_are_set_of_what_is_there_and_never_through_a_symlink() {
        let on = assert_fs::TempDir::new().expect("a directory");
        let root = dir::open_root(on.path(), dir::For::Passing).expect("opened");
        let at = |name: &str| on.path().join(name);
        fs::create_dir(at("dir")).expect("made");
        fs::write(at("file"), "foreign").expect("written");
        make_special(root.as_fd(), c"fifo", Kind::Fifo, 0).expect("made");
        symlink("dir", at("to-dir")).expect("linked");
        symlink("file", at("to-file")).expect("linked");
        let mode =
            |name: &str| fs::metadata(at(name)).expect("there").permissions().mode() & 0o7777;
        let by_the_newer_call: SetMode = |dir, name, mode| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW;
            let handle = openat(dir, name, flags, Mode::empty())?;
            raw::fchmodat2(handle.as_fd(), c"", mode, libc::AT_EMPTY_PATH)
        };
        let mut ways: Vec<(SetMode, &[&str])> = vec![
            (set_mode, &["dir", "file", "fifo"]),
            (set_mode_of_dir, &["dir"]),
        ];
        let tried = by_the_newer_call(root.as_fd(), c"fifo", 0);
        if !tried.is_err_and(|error| may_be_unknown(&error)) {
            ways.push((by_the_newer_call, &["dir", "file", "fifo"]));
        }
        for (way, (set, known)) in ways.into_iter().enumerate() {
            for name in ["dir", "file", "fifo"] {
                fs::set_permissions(at(name), fs::Permissions::from_mode(0o000)).expect("closed");
                let done = set(root.as_fd(), &CString::new(name).expect("a name"), 0o1751);
                let expected = if known.contains(&name) { 0o1751 } else { 0 };
                assert_eq!(mode(name), expected, "{name} by way {way}: {done:?}");
                assert_eq!(done.is_ok(), known.contains(&name), "{name} by way {way}");
            }
            for (link, name) in [(c"to-dir", "dir"), (c"to-file", "file")] {
                let before = mode(name);
                set(root.as_fd(), link, 0o700).expect_err("a symlink");
                assert_eq!(mode(name), before, "{name} was reached by way {way}");
            }
        }
    }
}
