//! Regular files: opening, copying with holes, sharing blocks, comparing.
//!
//! Reading and writing are separate calls, not `copy_file_range`: a failure
//! then belongs to one side, and no filesystem shares blocks unasked.

use rustix::fs::{
    Advice, Gid, Mode, OFlags, SeekFrom, Uid, fadvise, fchmod, fchown, ftruncate, futimens,
    ioctl_ficlone, openat, seek,
};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, pwrite, pwritev2};
use std::ffi::CStr;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::link::timestamps;
use super::raw;
use crate::meta::Time;

/// How long an open waits for somebody's lease to be given back, as file
/// servers hold: the kernel breaks a lease after 45 s unless told otherwise.
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

/// What becomes of the pages that a copy reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// They stay cached, as any others.
    Keep,
    /// They leave the cache as soon as they are written, so that a large
    /// copy does not push out what the machine works with.
    Drop,
}

/// How a file is copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyHow {
    /// It may have holes.
    pub(crate) sparse: bool,
    pub(crate) pages: Pages,
}

/// Copies the first `size` bytes of a file, its holes as holes. `goes_on` hears of every so many
/// bytes written and says whether to go on. Returns how many bytes there
/// were: fewer than `size` when the file has shrunk.
pub(crate) fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    how: CopyHow,
    buffer: &mut [u8],
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, CopyError> {
    let CopyHow { sparse, pages } = how;
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
            let got = read_at(from, &mut buffer[..want], at, pages).map_err(CopyError::Read)?;
            if got == 0 {
                if sparse {
                    set_size(at)?;
                }
                return Ok(at);
            }
            write_all_at(to, &buffer[..got], at, pages).map_err(CopyError::Write)?;
            at += got as u64;
            if !goes_on(got as u64) {
                return Err(CopyError::Stopped);
            }
        }
    }
    Ok(size)
}

/// The next stretch of data at or after `at`; empty at `size` when only a
/// hole is left. A filesystem that does not know holes (EINVAL) has only
/// data.
fn next_data(file: BorrowedFd<'_>, at: u64, size: u64) -> io::Result<std::ops::Range<u64>> {
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

/// Read or write without leaving pages behind: Linux 6.14 and later.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// The kernel or a filesystem does not know that: it says EOPNOTSUPP, or
/// EINVAL for a flag it has never heard of.
static NO_DONTCACHE: AtomicBool = AtomicBool::new(false);

/// Does one call uncached where that is asked for and known, plainly
/// otherwise; and then advises the kernel to drop the pages, which begins to
/// write those that are not written yet.
fn with_pages<B: ?Sized>(
    file: BorrowedFd<'_>,
    buffer: &mut B,
    (at, length): (u64, usize),
    pages: Pages,
    uncached: impl Fn(&mut B) -> rustix::io::Result<usize>,
    plain: impl Fn(&mut B) -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    loop {
        let flagged = pages == Pages::Drop && !NO_DONTCACHE.load(Ordering::Relaxed);
        let done = if flagged {
            uncached(buffer)
        } else {
            plain(buffer)
        };
        match done {
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) if flagged => {
                NO_DONTCACHE.store(true, Ordering::Relaxed);
            }
            other => {
                let done = other?;
                if pages == Pages::Drop && !flagged {
                    // The stretch before is written by now, and can go.
                    let behind = at.saturating_sub(8 << 20);
                    let all = NonZeroU64::new(at - behind + length as u64);
                    let _ = fadvise(file, behind, all, Advice::DontNeed);
                }
                return Ok(done);
            }
        }
    }
}

fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], at: u64, pages: Pages) -> io::Result<usize> {
    let length = buffer.len();
    with_pages(
        file,
        buffer,
        (at, length),
        pages,
        |buffer| preadv2(file, &mut [IoSliceMut::new(buffer)], at, DONTCACHE),
        |buffer| pread(file, buffer, at),
    )
}

/// Takes what is cached of a file from the cache, so that it is read from
/// the disk next; only what has been flushed can go.
pub(crate) fn forget(file: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Waits for what is being written of a file, and fails if some of that
/// failed, now or earlier, unless this was told to someone who flushed this
/// very file. Writes nothing, and does not make the disk flush.
pub(crate) fn written(file: BorrowedFd<'_>) -> io::Result<()> {
    raw::wait_for_writes(file)
}

/// Reads until the buffer is full or the file ends.
pub(crate) fn read_full_at(
    file: BorrowedFd<'_>,
    buffer: &mut [u8],
    at: u64,
    pages: Pages,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], at + filled as u64, pages)? {
            0 => break,
            got => filled += got,
        }
    }
    Ok(filled)
}

fn write_all_at(
    file: BorrowedFd<'_>,
    mut bytes: &[u8],
    mut at: u64,
    pages: Pages,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let length = bytes.len();
        let written = with_pages(
            file,
            &mut bytes,
            (at, length),
            pages,
            |bytes| pwritev2(file, &[IoSlice::new(bytes)], at, DONTCACHE),
            |bytes| pwrite(file, bytes, at),
        )?;
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero));
        }
        bytes = &bytes[written..];
        at += written as u64;
    }
    Ok(())
}

/// Lets `to` share all blocks of `from`, where the filesystem can. A later
/// write to either parts them.
pub(crate) fn reflink(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    Ok(ioctl_ficlone(to, from)?)
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
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<bool, CompareError> {
    let (for_a, for_b) = buffers;
    let step = for_a.len().min(for_b.len());
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
            let got_a = read_full_at(a, &mut for_a[..want], at, pages);
            let got_a = got_a.map_err(CompareError::First)?;
            let got_b = read_full_at(b, &mut for_b[..want], at, pages);
            let got_b = got_b.map_err(CompareError::Second)?;
            if got_a != want || got_b != want || for_a[..want] != for_b[..want] {
                return Ok(false);
            }
            at += want as u64;
            if !goes_on() {
                return Err(CompareError::Stopped);
            }
        }
    }
    let end_of = |file| super::stat::look_at(file).map(|meta| meta.size);
    let a = end_of(a).map_err(CompareError::First)?;
    let b = end_of(b).map_err(CompareError::Second)?;
    Ok(a == size && b == size)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    fn pair() -> (assert_fs::TempDir, File, File) {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let open = |name: &str| {
            let mut options = File::options();
            let options = options.read(true).write(true).create(true);
            options.open(dir.path().join(name)).expect("opened")
        };
        let (a, b) = (open("a"), open("b"));
        (dir, a, b)
    }

    fn copied(from: &File, to: &File, size: u64, sparse: bool) -> u64 {
        let pages = Pages::Keep;
        let mut buffer = vec![0; 4096];
        let copied = copy(
            from.as_fd(),
            to.as_fd(),
            size,
            CopyHow { sparse, pages },
            &mut buffer,
            &mut |_| true,
        );
        copied.expect("copied")
    }

    fn same(a: &File, b: &File, size: u64) -> bool {
        let (mut x, mut y) = (vec![0; 1000], vec![0; 1000]);
        let buffers = (x.as_mut_slice(), y.as_mut_slice());
        same_contents(
            a.as_fd(),
            b.as_fd(),
            size,
            Pages::Keep,
            buffers,
            &mut || true,
        )
        .expect("compared")
    }

    #[test]
    fn holes_stay_holes_and_data_stays_data() {
        let (_dir, a, b) = pair();
        let size = (8 << 30) + 5;
        a.set_len(size).expect("sized");
        a.write_all_at(b"first", 1 << 20).expect("written");
        a.write_all_at(b"second", 5 << 30).expect("written");
        assert_eq!(copied(&a, &b, size, true), size);
        assert_eq!(b.metadata().expect("stat").len(), size);
        assert!(b.metadata().expect("stat").blocks() <= a.metadata().expect("stat").blocks());
        assert!(same(&a, &b, size));
        b.write_all_at(b"X", (5 << 30) + 5).expect("written");
        assert!(!same(&a, &b, size));
    }

    #[test]
    fn data_equals_a_hole_only_when_it_is_zero() {
        let (_dir, a, b) = pair();
        let size = 1 << 20;
        a.set_len(size).expect("sized");
        b.write_all_at(&vec![0; 1 << 20], 0).expect("written");
        assert!(same(&a, &b, size) && same(&b, &a, size));
        b.write_all_at(b"X", size - 1).expect("written");
        assert!(!same(&a, &b, size) && !same(&b, &a, size));
    }

    #[test]
    fn a_file_that_shrank_tells_so() {
        let (_dir, a, b) = pair();
        a.write_all_at(b"short", 0).expect("written");
        assert_eq!(copied(&a, &b, 100, false), 5);
        assert!(!same(&a, &b, 100));
    }

    #[test]
    fn uncached_copies_are_the_same() {
        for refused in [false, true] {
            NO_DONTCACHE.store(refused, Ordering::Relaxed);
            let (_dir, a, b) = pair();
            let text = b"some text that is not a page long".repeat(10_000);
            a.write_all_at(&text, 0).expect("written");
            let how = CopyHow {
                sparse: false,
                pages: Pages::Drop,
            };
            let (size, mut buffer) = (text.len() as u64, vec![0; 4096]);
            let copied = copy(a.as_fd(), b.as_fd(), size, how, &mut buffer, &mut |_| true);
            assert_eq!(copied.expect("copied"), size);
            forget(b.as_fd()).expect("forgotten");
            assert!(same(&a, &b, size));
        }
        NO_DONTCACHE.store(false, Ordering::Relaxed);
    }

    #[test]
    fn a_fifo_in_a_files_place_does_not_block() {
        let (dir, ..) = pair();
        let root = super::super::dir::open_root(dir.path(), super::super::dir::For::Passing);
        let root = root.expect("opened");
        super::super::link::make_special(root.as_fd(), c"pipe", crate::meta::Kind::Fifo, 0)
            .expect("made");
        assert!(open_file(root.as_fd(), c"pipe").is_ok());
    }
}
