//! Whole filesystems: locks, flushes, free space.
//! Their types are in `fstype`.

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, StatVfsMountFlags, StatxFlags, flock, fstatfs, fstatvfs,
    fsync, openat, statx, syncfs,
};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::fstype::{FsType, may_be_in_user_space};
use super::{errno, raw};
use crate::model::storage::FreeSpace;

/// Opens a file to lock it, made if it is missing and `make` says so; nobody
/// else may open one that was made. A symlink is not followed. It is opened for
/// writing, without which NFS gives no lock for one process alone.
pub(crate) fn open_lock(dir: BorrowedFd<'_>, name: &CStr, make: bool) -> io::Result<OwnedFd> {
    let mut flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    if make {
        flags |= OFlags::CREATE;
    }
    Ok(openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?)
}

/// Takes the lock of a file or directory for this process alone, or fails at
/// once. It is let go when the handle is closed, also by the end of the process.
pub(crate) fn lock(handle: BorrowedFd<'_>) -> io::Result<()> {
    Ok(flock(handle, FlockOperation::NonBlockingLockExclusive)?)
}

/// Takes the lock of a file or directory together with others that take it so,
/// or fails at once. One that this handle held alone becomes such a one.
pub(crate) fn lock_shared(handle: BorrowedFd<'_>) -> io::Result<()> {
    Ok(flock(handle, FlockOperation::NonBlockingLockShared)?)
}

/// Releases the lock at once, even if others still have the handle: a child that
/// another thread is just starting has it until it runs its program.
pub(crate) fn unlock(dir: BorrowedFd<'_>) -> io::Result<()> {
    Ok(flock(dir, FlockOperation::Unlock)?)
}

/// Flushes the whole filesystem that a handle is on.
pub(crate) fn sync_filesystem(on: impl AsFd) -> io::Result<()> {
    Ok(syncfs(on)?)
}

/// Flushes one file or directory.
pub(crate) fn sync(handle: impl AsFd) -> io::Result<()> {
    Ok(fsync(handle)?)
}

/// Flushes one file or directory where [`sync_filesystem`] does not: see
/// [`flushes_one_by_one`].
pub(crate) fn sync_alone(handle: impl AsFd) -> io::Result<()> {
    if !flushes_one_by_one(&handle) {
        return Ok(());
    }
    match sync(handle) {
        // Some servers have nothing to flush, and say so.
        Err(e) if errno::is_unsupported(&e) => Ok(()),
        flushed => flushed,
    }
}

/// Must each file and directory be flushed by itself? A server in user space is not
/// told of [`sync_filesystem`]; what it has on a disk of this machine, the kernel
/// flushes anyway.
pub(crate) fn flushes_one_by_one(on: impl AsFd) -> bool {
    if !may_be_in_user_space(&on) {
        return false;
    }
    let found = statx(&on, c"", AtFlags::EMPTY_PATH, StatxFlags::empty());
    found.map_or(true, |found| found.stx_dev_major == 0)
}

/// Free space for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) bytes: u64,
    /// `None` where the filesystem makes inodes as it needs them.
    pub(crate) inodes: Option<u64>,
}

/// How much a filesystem has in all, free or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) bytes: u64,
    /// 0 where the filesystem makes inodes as it needs them.
    pub(crate) inodes: u64,
}

/// How much the filesystem of a handle has in all.
pub(crate) fn total(on: impl AsFd) -> io::Result<Total> {
    let found = fstatvfs(on)?;
    Ok(Total {
        bytes: found.f_blocks.saturating_mul(found.f_frsize),
        inodes: found.f_files,
    })
}

/// Does nobody write through this mount?
pub(crate) fn is_read_only(on: impl AsFd) -> io::Result<bool> {
    Ok(fstatvfs(on)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// What is free on the filesystem of a handle, when this answer says that there
/// is no room left.
pub(crate) fn room_after(on: impl AsFd, answer: &io::Error) -> Option<FreeSpace> {
    if !errno::is_full(answer) {
        return None;
    }
    let free = free(on).ok()?;
    Some(FreeSpace {
        bytes: free.bytes,
        inodes: free.inodes,
        quota_is_used_up: errno::is_quota(answer),
    })
}

/// How much is free on the filesystem of a handle.
pub(crate) fn free(on: impl AsFd) -> io::Result<Free> {
    let found = fstatfs(on)?;
    let unit = u64::try_from(found.f_frsize.max(found.f_bsize)).unwrap_or(4096);
    let unit = u64::try_from(found.f_frsize)
        .ok()
        .filter(|u| *u > 0)
        .unwrap_or(unit);
    Ok(Free {
        bytes: found.f_bavail.saturating_mul(unit),
        inodes: (found.f_files > 0).then_some(found.f_ffree),
    })
}

/// A name of the filesystem that a handle is on, which it keeps however and
/// wherever it is mounted; empty where it has none. Snapshots may share it.
pub(crate) fn filesystem_name(on: BorrowedFd<'_>) -> String {
    if let Ok(uuid) = raw::filesystem_uuid(on) {
        let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("uuid:{digits}");
    }
    // Of older kernels: of ext4 made from its UUID, of others from a device.
    match (FsType::of(on), fstatvfs(on)) {
        (Ok(FsType::Ext), Ok(found)) => format!("fsid:{:x}", found.f_fsid),
        _ => String::new(),
    }
}

/// How many bytes the filesystem of a handle holds.
pub(crate) fn used(on: impl AsFd) -> io::Result<u64> {
    let found = fstatvfs(on)?;
    Ok(found
        .f_blocks
        .saturating_sub(found.f_bfree)
        .saturating_mul(found.f_frsize))
}

/// What a small directory takes on the filesystem of a handle, in bytes: a block. A
/// cluster has units of megabytes, of which a directory takes none.
pub(crate) fn block_size(on: impl AsFd) -> u64 {
    let block = fstatvfs(on).map_or(LARGEST_BLOCK, |found| found.f_frsize);
    if block > LARGEST_BLOCK { 0 } else { block }
}

/// No filesystem of one machine has larger blocks.
const LARGEST_BLOCK: u64 = 65_536;

/// A name of the space of inode numbers that a handle is in, which it keeps
/// however and wherever it is mounted, also after a restart; `None` where numbers
/// are made up, or inodes do not say when they were made. On btrfs each subvolume
/// has a space of its own, and a snapshot a new one.
pub(crate) fn inode_space(on: BorrowedFd<'_>) -> Option<String> {
    let kind = FsType::of(on).ok().filter(|kind| kind.keeps_inodes())?;
    let name = match kind {
        FsType::Btrfs => format!("btrfs:{:x}", fstatvfs(on).ok()?.f_fsid),
        _ => filesystem_name(on),
    };
    Some(name).filter(|name| !name.is_empty())
}

/// Do setuid and setgid bits count on the mount of a handle?
pub(crate) fn honours_setuid(on: impl AsFd) -> bool {
    fstatvfs(on).is_ok_and(|found| !found.f_flag.contains(StatVfsMountFlags::NOSUID))
}

/// How many descriptors this process may have open.
pub(crate) fn descriptor_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit
        .current
        .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

/// The user and the groups that this process makes files as.
pub(crate) fn whoami() -> (u32, u32, Vec<u32>) {
    let groups = rustix::process::getgroups().unwrap_or_default();
    (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
        groups.into_iter().map(|g| g.as_raw()).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::dir::{For, open_root};
    use super::*;

    #[test]
    fn a_lock_is_one_handles_and_ends_with_it() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let open = || open_root(dir.path(), For::Reading).expect("opened");
        let (first, second) = (open(), open());
        lock(first.as_fd()).expect("locked");
        let error = lock(second.as_fd()).expect_err("locked twice");
        assert!(errno::is_locked(&error));
        drop(first);
        lock(second.as_fd()).expect("locked after the first is gone");
        let copy = second
            .try_clone()
            .expect("another descriptor of the same handle");
        unlock(second.as_fd()).expect("unlocked");
        lock(open().as_fd()).expect("locked although the handle is still open");
        drop(copy);
    }
}
