//! The system calls that rustix does not offer yet: extended attributes by
//! directory handle and name (Linux 6.13), permissions without following
//! symlinks (Linux 6.6), priorities, signal masks, and what
//! becomes of a file's pages. The only file with unsafe code: each function hands the
//! kernel numbers, and pointers to borrowed buffers with their lengths, for
//! the duration of one call.
#![allow(unsafe_code)]

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::{CStr, c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};

// The same on every architecture but alpha.
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const GETXATTRAT: c_long = 464;
const LISTXATTRAT: c_long = 465;
const REMOVEXATTRAT: c_long = 466;

/// `struct xattr_args` of the kernel's interface.
#[repr(C, align(8))]
struct XattrArgs {
    value: u64,
    size: u32,
    flags: u32,
}

fn outcome(returned: c_long) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Sets permission bits; these flags hold, other than those of `fchmodat`.
pub(super) fn fchmodat2(
    dir: BorrowedFd<'_>,
    name: &CStr,
    mode: u16,
    flags: c_int,
) -> io::Result<()> {
    // SAFETY: `name` is NUL-terminated and outlives the call.
    outcome(unsafe {
        libc::syscall(
            FCHMODAT2,
            dir.as_raw_fd(),
            name.as_ptr(),
            c_long::from(mode),
            flags,
        )
    })
    .map(drop)
}

pub(super) fn listxattrat(dir: BorrowedFd<'_>, name: &CStr, list: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `name` is NUL-terminated and `list` is writable for its length;
    // both outlive the call, and the kernel keeps neither.
    outcome(unsafe {
        libc::syscall(
            LISTXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            list.as_mut_ptr(),
            list.len(),
        )
    })
}

pub(super) fn getxattrat(
    dir: BorrowedFd<'_>,
    name: &CStr,
    xattr: &CStr,
    value: &mut [u8],
) -> io::Result<usize> {
    let mut args = XattrArgs {
        value: value.as_mut_ptr() as u64,
        size: u32::try_from(value.len()).unwrap_or(u32::MAX),
        flags: 0,
    };
    // SAFETY: both names are NUL-terminated, `args` has the layout that the
    // kernel expects and points to `value`, writable for `size` bytes; all
    // outlive the call.
    outcome(unsafe {
        libc::syscall(
            GETXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            xattr.as_ptr(),
            &raw mut args,
            size_of::<XattrArgs>(),
        )
    })
}

pub(super) fn setxattrat(
    dir: BorrowedFd<'_>,
    name: &CStr,
    xattr: &CStr,
    value: &[u8],
) -> io::Result<()> {
    let args = XattrArgs {
        value: value.as_ptr() as u64,
        size: u32::try_from(value.len()).map_err(io::Error::other)?,
        flags: 0,
    };
    // SAFETY: both names are NUL-terminated, `args` has the layout that the
    // kernel expects and points to `value`, readable for `size` bytes, which
    // the kernel only reads; all outlive the call.
    outcome(unsafe {
        libc::syscall(
            SETXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            xattr.as_ptr(),
            &raw const args,
            size_of::<XattrArgs>(),
        )
    })
    .map(drop)
}

pub(super) fn removexattrat(dir: BorrowedFd<'_>, name: &CStr, xattr: &CStr) -> io::Result<()> {
    // SAFETY: both names are NUL-terminated and outlive the call.
    outcome(unsafe {
        libc::syscall(
            REMOVEXATTRAT,
            dir.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            xattr.as_ptr(),
        )
    })
    .map(drop)
}

/// A descriptor on which the signals of these numbers are read that wait for the
/// process, or for the reading thread: `signalfd`.
pub(super) fn signal_descriptor(numbers: &[i32]) -> io::Result<OwnedFd> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is writable, and outlives the call, which fills it.
    outcome(unsafe { libc::sigemptyset(set.as_mut_ptr()) }.into())?;
    for number in numbers {
        // SAFETY: the set was filled above.
        outcome(unsafe { libc::sigaddset(set.as_mut_ptr(), *number) }.into())?;
    }
    // SAFETY: the set was filled above, and the kernel only reads it.
    let made = unsafe { libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC) };
    outcome(made.into())?;
    // SAFETY: a descriptor just made, which nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

/// Gives the calling thread a working directory of its own, which it shares
/// with no other thread any more: `unshare`.
pub(super) fn own_working_directory() -> io::Result<()> {
    // SAFETY: a number; no memory is involved.
    outcome(unsafe { libc::unshare(libc::CLONE_FS) }.into()).map(drop)
}

/// Gives the calling thread the idle class of disk access: `ioprio_set`.
pub(super) fn set_idle_disk_class() -> io::Result<()> {
    const WHO_PROCESS: c_long = 1;
    const CLASS_IDLE: c_long = 3;
    const CLASS_SHIFT: u32 = 13;
    // SAFETY: three numbers; no memory is involved.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_ioprio_set,
            WHO_PROCESS,
            0 as c_long,
            CLASS_IDLE << CLASS_SHIFT,
        )
    })
    .map(drop)
}

/// Gives the calling thread the scheduling policy SCHED_IDLE.
pub(super) fn set_idle_scheduling() -> io::Result<()> {
    // The kernel's `struct sched_param`, which is one number; that of musl is
    // larger, and its function does nothing.
    let priority: c_int = 0;
    // SAFETY: `priority` outlives the call, and the kernel only reads it.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0 as c_long,
            c_long::from(libc::SCHED_IDLE),
            &raw const priority,
        )
    })
    .map(drop)
}

/// Is any page of a stretch of a file in the page cache? Says yes of a file
/// that is neither this user's nor writable for them: the kernel does not
/// tell of those. `at` must be a multiple of the page size.
pub(super) fn is_cached(file: BorrowedFd<'_>, at: u64, length: u64) -> io::Result<bool> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut pages = vec![0u8; length.div_ceil(rustix::param::page_size())];
    // SAFETY: a new mapping, at an address that the kernel chooses, which
    // nothing ever reads: a file that shrinks meanwhile does no harm.
    // By rustix: it takes 64 bits of an offset also where `off_t` has 32.
    let start = unsafe {
        let (nowhere, read, shared) = (std::ptr::null_mut(), ProtFlags::READ, MapFlags::SHARED);
        mmap(nowhere, length, read, shared, file, at)?
    };
    // SAFETY: the mapping just made, and a byte for each of its pages.
    let told = unsafe { libc::mincore(start, length, pages.as_mut_ptr()) };
    let told = outcome(told.into());
    // SAFETY: the same mapping, which nobody else knows of.
    unsafe { munmap(start, length)? };
    told.map(|_| pages.iter().any(|page| page & 1 != 0))
}

/// Begins to write a stretch of a file to the disk; and waits until it is
/// there, too, when `wait` says so.
pub(super) fn write_out(file: BorrowedFd<'_>, at: u64, length: u64, wait: bool) -> io::Result<()> {
    let waits = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    let flags = libc::SYNC_FILE_RANGE_WRITE | if wait { waits } else { 0 };
    sync_range(file, at, length, flags)
}

/// Waits for what is being written of a file already, and begins nothing.
pub(super) fn wait_for_writes(file: BorrowedFd<'_>) -> io::Result<()> {
    sync_range(file, 0, 0, libc::SYNC_FILE_RANGE_WAIT_BEFORE)
}

fn sync_range(file: BorrowedFd<'_>, at: u64, length: u64, flags: u32) -> io::Result<()> {
    let offset = libc::off64_t::try_from(at).map_err(io::Error::other)?;
    let length = libc::off64_t::try_from(length).map_err(io::Error::other)?;
    // SAFETY: numbers; no memory is involved.
    let done = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, flags) };
    outcome(done.into()).map(drop)
}

/// The name that a filesystem was given when it was made (Linux 6.9).
pub(super) fn filesystem_uuid(on: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // `struct fsuuid2`: a length, and as many bytes of these.
    const FS_IOC_GETFSUUID: u32 = 0x8011_1500;
    let mut uuid = [0_u8; 17];
    // SAFETY: the kernel writes no more than the 17 bytes whose size is part
    // of the number, and keeps nothing.
    let done = unsafe { libc::ioctl(on.as_raw_fd(), FS_IOC_GETFSUUID as _, uuid.as_mut_ptr()) };
    outcome(done.into())?;
    let length = usize::from(uuid[0]).min(16);
    Ok(uuid[1..=length].to_vec())
}

/// `struct fiemap` of the kernel's interface, without room for extents.
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    room: u32,
    reserved: u32,
}

const FS_IOC_FIEMAP: u32 = 0xc020_660b;

impl Fiemap {
    /// Asks for a whole file, with room for as many extents.
    const fn with_room(room: u32) -> Self {
        Self {
            start: 0,
            length: u64::MAX,
            flags: 0,
            mapped: 0,
            room,
            reserved: 0,
        }
    }
}

/// `struct fiemap_extent` of the kernel's interface.
#[repr(C)]
#[derive(Default)]
struct FiemapExtent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved64: [u64; 2],
    flags: u32,
    reserved: [u32; 3],
}

/// In how many extents a file is.
pub(super) fn extents(file: BorrowedFd<'_>) -> io::Result<u32> {
    let mut map = Fiemap::with_room(0);
    // SAFETY: the kernel reads and writes the 32 bytes whose size is part of the
    // number; there is no room for extents, so it only counts them.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP as _, &raw mut map) };
    outcome(done.into())?;
    Ok(map.mapped)
}

/// Where the first extent of a file begins, in bytes of its filesystem's device; on
/// btrfs of its own address space. `None`: it has none, or none that is on the disk.
pub(super) fn first_extent(file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    /// FIEMAP_EXTENT_UNKNOWN: it has no place yet, or not on one device.
    const UNKNOWN: u32 = 2;
    #[repr(C)]
    struct WithOne(Fiemap, FiemapExtent);
    let mut map = WithOne(Fiemap::with_room(1), FiemapExtent::default());
    // SAFETY: the kernel reads and writes the 32 bytes whose size is part of the
    // number, and the one extent behind them that they say there is room for.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP as _, &raw mut map) };
    outcome(done.into())?;
    let is_placed = map.0.mapped == 1 && map.1.flags & UNKNOWN == 0;
    Ok(is_placed.then_some(map.1.physical))
}
