//! Names: hard links, symlinks, special files, removing and renaming.

use rustix::fs::{
    Access, AtFlags, FileType, Gid, Mode, RenameFlags, Timespec, Timestamps, Uid, accessat,
    chmodat, chownat, linkat, mknodat, readlinkat, renameat, renameat_with, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;

use super::{dir, errno, stat};
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

/// Removes a name that is no directory.
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
    let handle = dir::open_dir(dir, name, dir::For::Passing)?;
    match chmodat(
        &handle,
        c".",
        Mode::from_raw_mode(u32::from(mode)),
        AtFlags::empty(),
    ) {
        // What may not be searched has no `.` for its owner, only a number.
        Err(Errno::ACCESS) => {
            let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
            let mode = std::fs::Permissions::from_mode(u32::from(mode));
            std::fs::set_permissions(path, mode)
        }
        other => Ok(other?),
    }
}

/// Sets the permission bits of a name that is known to be no symlink: the
/// system call would follow one.
pub(crate) fn set_mode(dir: BorrowedFd<'_>, name: &CStr, mode: u16) -> io::Result<()> {
    let mode = Mode::from_raw_mode(u32::from(mode));
    Ok(chmodat(dir, name, mode, AtFlags::empty())?)
}
