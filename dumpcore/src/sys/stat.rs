//! Looking at entries: `statx` → [`Meta`].

use rustix::fs::{AtFlags, Statx, StatxAttributes, StatxFlags, makedev, statx};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::model::metadata::{Kind, Meta, Time};

/// Whether attributes may come from a cache, on filesystems that ask a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// As `stat` would: what the filesystem takes for up to date.
    AsStat,
    /// From the cache, and when the inode was made: for trees that only we
    /// write.
    Cached,
    /// As `stat` would, and when the inode was made.
    WithBirth,
}

/// Looks at a name in a directory; never follows a symlink and never mounts.
pub(crate) fn look(dir: BorrowedFd<'_>, name: &CStr, fresh: Fresh) -> io::Result<Meta> {
    let mut flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let mut wanted = StatxFlags::BASIC_STATS;
    match fresh {
        Fresh::AsStat => {}
        Fresh::Cached => {
            flags |= AtFlags::STATX_DONT_SYNC;
            wanted |= StatxFlags::BTIME;
        }
        Fresh::WithBirth => wanted |= StatxFlags::BTIME,
    }
    let found = statx(dir, name, flags, wanted)?;
    let born = birth(&found).filter(|_| fresh != Fresh::AsStat);
    Ok(Meta {
        born,
        ..meta(&found)?
    })
}

/// Looks at what a handle holds, also one that is no more than a path.
pub(crate) fn look_at(handle: impl AsFd) -> io::Result<Meta> {
    let found = statx(handle, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    meta(&found)
}

/// The same, and when the inode was made: for a filesystem on a disk.
pub(crate) fn look_born(handle: impl AsFd) -> io::Result<Meta> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(handle, c"", AtFlags::EMPTY_PATH, wanted)?;
    Ok(Meta {
        born: birth(&found),
        ..meta(&found)?
    })
}

/// What stands in the way of removing or renaming an entry, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Details {
    pub(crate) meta: Meta,
    /// The number of the mount that it is on; 0 before Linux 5.8.
    pub(crate) mount: u64,
    /// Is it itself the top of a mount?
    pub(crate) is_mounted: bool,
    /// Is it immutable or append-only, so that not even root may remove it?
    pub(crate) is_fixed: bool,
}

/// Looks at a name in a directory, with what is not in its [`Meta`]. Numbers of
/// mounts are those of [`mount_id`].
pub(crate) fn details(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Details> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let wanted = StatxFlags::from_bits_retain(MNT_ID_UNIQUE) | StatxFlags::MNT_ID;
    let found = statx(dir, name, flags, wanted | StatxFlags::BASIC_STATS)?;
    let is = |attribute| found.stx_attributes.intersects(attribute);
    Ok(Details {
        meta: meta(&found)?,
        mount: found.stx_mnt_id,
        is_mounted: is(StatxAttributes::MOUNT_ROOT),
        is_fixed: is(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
    })
}

const MNT_ID_UNIQUE: u32 = 0x4000;

/// The number of the mount that a handle is on: never used again while the
/// machine runs where the kernel can tell (Linux 6.8), else its plain number.
pub(crate) fn mount_id(handle: impl AsFd) -> io::Result<u64> {
    let wanted = StatxFlags::from_bits_retain(MNT_ID_UNIQUE) | StatxFlags::MNT_ID;
    Ok(statx(handle, c"", AtFlags::EMPTY_PATH, wanted)?.stx_mnt_id)
}

/// What a handle holds, and what else the same call tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Top {
    pub(crate) meta: Meta,
    /// Is it the top of a mount? Unknown, and no, before Linux 5.8.
    pub(crate) is_mount: bool,
    /// Is it immutable or append-only?
    pub(crate) is_fixed: bool,
}

/// Looks at what a handle holds, with what is not in its [`Meta`].
pub(crate) fn look_at_top(handle: impl AsFd) -> io::Result<Top> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(handle, c"", AtFlags::EMPTY_PATH, wanted)?;
    let is = |attribute| found.stx_attributes.intersects(attribute);
    Ok(Top {
        meta: Meta {
            born: birth(&found),
            ..meta(&found)?
        },
        is_mount: is(StatxAttributes::MOUNT_ROOT),
        is_fixed: is(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND),
    })
}

/// What is at a name, as far as the filesystem itself need not be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MountPoint {
    /// The number of the filesystem.
    pub(crate) dev: u64,
    /// Is it the top of a mount? Unknown, and no, before Linux 5.8.
    pub(crate) is_root: bool,
}

/// On which filesystem a name is. Nothing is mounted for that, and no server
/// is asked: a mount answers that hangs, or that this user may not look at.
pub(crate) fn look_at_mount(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<MountPoint> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let found = statx(dir, name, flags, StatxFlags::empty())?;
    Ok(MountPoint {
        dev: makedev(found.stx_dev_major, found.stx_dev_minor),
        is_root: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

/// When the entry of a name was made, where its filesystem keeps that.
pub(crate) fn born(dir: BorrowedFd<'_>, name: &CStr) -> Option<Time> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    birth(&statx(dir, name, flags, StatxFlags::BTIME).ok()?)
}

fn birth(found: &Statx) -> Option<Time> {
    let known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    known.then(|| Time::new(found.stx_btime.tv_sec, found.stx_btime.tv_nsec))
}

/// Is a name immutable, or can it only be appended to, so that nobody may link
/// to it? Not every filesystem knows such.
pub(crate) fn is_immutable(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let found = statx(dir, name, flags, StatxFlags::empty())?;
    let either = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    Ok(found.stx_attributes.intersects(either))
}

fn meta(found: &Statx) -> io::Result<Meta> {
    let time = |t: rustix::fs::StatxTimestamp| Time::new(t.tv_sec, t.tv_nsec);
    let raw = u32::from(found.stx_mode);
    let kind = kind_of(rustix::fs::FileType::from_raw_mode(raw))
        .ok_or_else(|| io::Error::other(format!("a file of unknown type (mode {raw:o})")))?;
    let device = matches!(kind, Kind::Char | Kind::Block);
    Ok(Meta {
        kind,
        mode: found.stx_mode & 0o7777,
        uid: found.stx_uid,
        gid: found.stx_gid,
        size: found.stx_size,
        blocks: found.stx_blocks,
        mtime: time(found.stx_mtime),
        atime: time(found.stx_atime),
        ctime: time(found.stx_ctime),
        born: None,
        ino: found.stx_ino,
        dev: makedev(found.stx_dev_major, found.stx_dev_minor),
        nlink: found.stx_nlink,
        rdev: if device {
            makedev(found.stx_rdev_major, found.stx_rdev_minor)
        } else {
            0
        },
    })
}

/// Our name for the system's; `None` for types that Linux does not have.
pub(super) fn kind_of(file_type: rustix::fs::FileType) -> Option<Kind> {
    use rustix::fs::FileType;
    match file_type {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Dir),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Fifo => Some(Kind::Fifo),
        FileType::Socket => Some(Kind::Socket),
        FileType::CharacterDevice => Some(Kind::Char),
        FileType::BlockDevice => Some(Kind::Block),
        FileType::Unknown => None,
    }
}
