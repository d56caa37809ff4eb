//! Regular files: opening, copying with holes, sharing blocks, comparing.
//!
//! Reading and writing are separate calls, not `copy_file_range`: a failure
//! then belongs to one side, and no filesystem shares blocks unasked.

use rustix::fs::{
    Gid, Mode, OFlags, SeekFrom, Timestamps, UTIME_NOW, Uid, fchmod, fchown, ftruncate, futimens,
    ioctl_ficlone, openat, seek,
};
use rustix::io::Errno;
use std::ffi::CStr;
pub(crate) use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::link::timestamps;
use super::pages::{Pages, Reader, Writer};
use super::raw;
use crate::model::metadata::Time;
use crate::policy::content_hash::Hasher;

/// How long an open waits for somebody's lease to be given back, as file
/// servers hold: the kernel breaks a lease after 45 s unless set otherwise.
const LEASE_WAIT: Duration = Duration::from_secs(50);

/// Opens a file for reading: not through a symlink, without waiting on what
/// may have taken its place (a FIFO, a device), its access time untouched
/// where that is allowed (EPERM says that it is not).
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let plain =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut flags = plain | OFlags::NOATIME;
    let mut waited = Duration::ZERO;
    loop {
        match openat(dir, name, flags, Mode::empty()) {
            Err(Errno::PERM) if flags != plain => flags = plain,
            Err(Errno::WOULDBLOCK) if waited < LEASE_WAIT => {
                let pause = Duration::from_millis(100);
                std::thread::sleep(pause);
                waited += pause;
            }
            other => return Ok(other?),
        }
    }
}

/// Makes a new file that only its owner may use.
pub(crate) fn create_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(openat(dir, name, flags, mode)?)
}

/// Why a copy ended early.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The source could not be read.
    Read(io::Error),
    /// The copy could not be written.
    Write(io::Error),
    /// It was asked to stop.
    Stopped,
}

/// How a file is copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyHow {
    /// It may have holes.
    pub(crate) sparse: bool,
    /// Its size is only a hint: it is read to its end, wherever that is.
    pub(crate) to_end: bool,
    pub(crate) pages: Pages,
}

/// Copies the first `size` bytes of a file, or all of it, its holes as holes,
/// and gives `hasher` what it copies. `keep_going` is called after each piece
/// written and says whether to continue. Returns how many bytes there were:
/// fewer than `size` when the file has shrunk.
pub(crate) fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    how: CopyHow,
    buffer: &mut [u8],
    hasher: Option<&mut Hasher>,
    keep_going: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, CopyError> {
    let CopyHow {
        sparse,
        to_end,
        pages,
    } = how;
    let mut copying = Copying {
        reader: Reader::new(from, size, pages),
        writer: Writer::new(to, size, pages),
        hasher,
        keep_going,
    };
    let set_size = |size| ftruncate(to, size).map_err(|e| CopyError::Write(e.into()));
    if sparse {
        // Before the data: xfs puts blocks behind what is written at the end
        // of a file, and holes would be lost.
        set_size(size)?;
    }
    let mut at = 0;
    while at < size {
        let data = if sparse {
            next_data(from, at, size).map_err(CopyError::Read)?
        } else {
            at..size
        };
        at = data.start;
        while at < data.end {
            let want = usize::try_from(data.end - at).unwrap_or(usize::MAX);
            let want = want.min(buffer.len());
            let got = copying.piece(&mut buffer[..want], at)?;
            if got == 0 {
                if sparse {
                    set_size(at)?;
                }
                return Ok(at);
            }
            at += got;
        }
    }
    if !to_end {
        return Ok(at);
    }
    loop {
        match copying.piece(buffer, at)? {
            0 => return Ok(at),
            got => at += got,
        }
    }
}

/// A copy that is being made.
struct Copying<'c> {
    reader: Reader<'c>,
    writer: Writer<'c>,
    hasher: Option<&'c mut Hasher>,
    keep_going: &'c mut dyn FnMut(u64) -> bool,
}

impl Copying<'_> {
    /// Copies what one read gives, at most a buffer full; 0 at the end of the
    /// file.
    fn piece(&mut self, buffer: &mut [u8], at: u64) -> Result<u64, CopyError> {
        let got = self.reader.read_at(buffer, at).map_err(CopyError::Read)?;
        if got == 0 {
            return Ok(0);
        }
        let bytes = &buffer[..got];
        let written = self.writer.write_all_at(bytes, at);
        written.map_err(CopyError::Write)?;
        if let Some(hasher) = &mut self.hasher {
            // While the processor's cache has it.
            hasher.write_at(at, bytes);
        }
        if (self.keep_going)(got as u64) {
            Ok(got as u64)
        } else {
            Err(CopyError::Stopped)
        }
    }
}

/// The next stretch of data at or after `at`; empty at `size` when only a
/// hole is left. A filesystem that does not know holes (EINVAL) has only
/// data.
pub(super) fn next_data(
    file: BorrowedFd<'_>,
    at: u64,
    size: u64,
) -> io::Result<std::ops::Range<u64>> {
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start.min(size),
        Err(Errno::NXIO) => return Ok(size..size),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(at..size),
        Err(error) => return Err(error.into()),
    };
    let end = match seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(size),
        Err(Errno::NXIO) => size,
        Err(error) => return Err(error.into()),
    };
    Ok(start..end.max(start))
}

/// Waits for what is being written of a file, and fails if some of that
/// failed, now or earlier, unless this was reported to someone who flushed this
/// very file. Writes nothing, and does not make the disk flush.
pub(crate) fn written(file: BorrowedFd<'_>) -> io::Result<()> {
    raw::wait_for_writes(file)
}

/// Lets `to`, a new file, share all blocks of `from`, where the filesystem can. A
/// later write to either parts them.
///
/// The kernel may have shared a part when it refuses the rest, as where a quota ends;
/// xfs called such a part a success before Linux 6.13. So only a clone that is as long
/// as what it is of counts; after anything else `to` is empty. An error says that it
/// could not be emptied.
pub(crate) fn reflink(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let size = |file| super::stat::look_at(file).map(|meta| meta.size);
    let cloned = ioctl_ficlone(to, from).is_ok();
    if cloned && size(from).is_ok_and(|all| size(to).is_ok_and(|there| there == all)) {
        return Ok(true);
    }
    empty(to)?;
    Ok(false)
}

/// In how many extents a file is on the disk, where the filesystem tells.
pub(crate) fn extents(file: BorrowedFd<'_>) -> io::Result<u32> {
    raw::extents(file)
}

/// Where the contents of a file begin on the disk, in bytes, where the filesystem
/// tells. `None`: it has none there.
pub(crate) fn begins(file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    raw::first_extent(file)
}

/// Takes all contents from a file that was just made.
pub(crate) fn empty(file: impl AsFd) -> io::Result<()> {
    Ok(ftruncate(file, 0)?)
}

/// Do two files hold the same `size` bytes, and end there?
///
/// Stretches that are holes in both are equal without being read. Errors
/// tell which of the two could not be read.
pub(crate) fn same_contents(
    a: BorrowedFd<'_>,
    b: BorrowedFd<'_>,
    size: u64,
    pages: Pages,
    buffers: (&mut [u8], &mut [u8]),
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<bool, CompareError> {
    let (for_a, for_b) = buffers;
    let step = for_a.len().min(for_b.len());
    let mut reader_a = Reader::new(a, size, pages);
    let mut reader_b = Reader::new(b, size, pages);
    let mut at = 0;
    while at < size {
        let in_a = next_data(a, at, size).map_err(CompareError::First)?;
        let in_b = next_data(b, at, size).map_err(CompareError::Second)?;
        at = in_a.start.min(in_b.start);
        let end = if in_a.start == in_b.start {
            in_a.end.min(in_b.end)
        } else {
            // Data against a hole, which reads as zeros: read both.
            in_a.start.max(in_b.start).min(if in_a.start < in_b.start {
                in_a.end
            } else {
                in_b.end
            })
        };
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(step).min(step);
            let got_a = reader_a.read_full_at(&mut for_a[..want], at);
            let got_a = got_a.map_err(CompareError::First)?;
            let got_b = reader_b.read_full_at(&mut for_b[..want], at);
            let got_b = got_b.map_err(CompareError::Second)?;
            if got_a != want || got_b != want || for_a[..want] != for_b[..want] {
                return Ok(false);
            }
            at += want as u64;
            if !keep_going() {
                return Err(CompareError::Stopped);
            }
        }
    }
    let end_of = |file| super::stat::look_at(file).map(|meta| meta.size);
    let a = end_of(a).map_err(CompareError::First)?;
    let b = end_of(b).map_err(CompareError::Second)?;
    Ok(a == size && b == size)
}

/// Do two files hold the same, read to their ends, whatever sizes they
/// said to be?
pub(crate) fn same_to_end(
    a: BorrowedFd<'_>,
    b: BorrowedFd<'_>,
    pages: Pages,
    buffers: (&mut [u8], &mut [u8]),
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<bool, CompareError> {
    let (for_a, for_b) = buffers;
    let step = for_a.len().min(for_b.len());
    let mut reader_a = Reader::new(a, step as u64, pages);
    let mut reader_b = Reader::new(b, step as u64, pages);
    let mut at = 0;
    loop {
        let got_a = reader_a.read_full_at(&mut for_a[..step], at);
        let got_a = got_a.map_err(CompareError::First)?;
        let got_b = reader_b.read_full_at(&mut for_b[..step], at);
        let got_b = got_b.map_err(CompareError::Second)?;
        if got_a != got_b || for_a[..got_a] != for_b[..got_b] {
            return Ok(false);
        }
        if got_a < step {
            return Ok(true);
        }
        at += got_a as u64;
        if !keep_going() {
            return Err(CompareError::Stopped);
        }
    }
}

/// Why a comparison ended early.
#[derive(Debug)]
pub(crate) enum CompareError {
    /// The first file could not be read.
    First(io::Error),
    /// The second file could not be read.
    Second(io::Error),
    /// It was asked to stop.
    Stopped,
}

/// Sets owner and group of an open file.
pub(crate) fn set_owner(file: impl AsFd, uid: u32, gid: u32) -> io::Result<()> {
    Ok(fchown(
        file,
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
    )?)
}

/// Sets the permission bits of an open file.
pub(crate) fn set_mode(file: impl AsFd, mode: u16) -> io::Result<()> {
    Ok(fchmod(file, Mode::from_raw_mode(u32::from(mode)))?)
}

/// Sets the times of an open file.
pub(crate) fn set_times(file: impl AsFd, atime: Time, mtime: Time) -> io::Result<()> {
    Ok(futimens(file, &timestamps(atime, mtime))?)
}

/// Sets the times of an open file or directory to now, by the clock of its
/// filesystem.
pub(crate) fn touch(file: impl AsFd) -> io::Result<()> {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let both = Timestamps {
        last_access: now,
        last_modification: now,
    };
    Ok(futimens(file, &both)?)
}

/// Writes all of this to a file.
pub(crate) fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads a file to its end, or as many bytes of it.
pub(crate) fn read_all(file: OwnedFd, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(file).take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
