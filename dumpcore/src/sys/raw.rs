//! The system calls that rustix does not offer yet: extended attributes by
//! directory handle and name (Linux 6.13), and waiting for a file's writes.
//! The only file with unsafe code: each function hands the kernel descriptors
//! and pointers to borrowed buffers, with their lengths, for the duration of
//! one call.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_long};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

// The same on every architecture but alpha.
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

pub(super) fn wait_for_writes(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open, and no memory is handed over.
    let returned =
        unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WAIT_BEFORE) };
    outcome(returned.into()).map(drop)
}
