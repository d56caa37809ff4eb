//! Reading and writing files without taking the page cache from others.
//!
//! What was not cached before it was read does not stay, and what was cached
//! does; what is written leaves the cache when it is on the disk. From Linux
//! 6.14 on the kernel does that by itself, where the filesystem knows how
//! (`RWF_DONTCACHE`). Elsewhere, stretch by stretch, it is asked what is
//! cached before reading begins, and told afterwards what is not needed.

use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2, pwrite, pwritev2};
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use super::{errno, raw};

/// What becomes of the pages that are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// They stay cached, as any others.
    Keep,
    /// They leave the cache again, but for those that others had there.
    Spare,
}

/// Smaller files are written as usual: an uncached write begins to write to
/// the disk at once, and thousands of small files are better written together
/// (the figures are in `docs/PERFORMANCE.md`). Their pages, which nobody has
/// read, are the first that the kernel takes back.
const SMALL: u64 = 1 << 20;

/// Where the kernel must be asked what is cached, it is not for files whose
/// reading costs less than the asking.
const NOT_WORTH_ASKING: u64 = 64 << 10;

/// How far apart the kernel is asked and told, where it must be.
const STRETCH: u64 = 8 << 20;

/// Read or write without leaving pages behind: Linux 6.14 and later.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// The kernel or the filesystem does not know that: it says EOPNOTSUPP, or
/// EINVAL for a flag it has never heard of, or ENOSYS for all of the call.
fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS)
}

/// How a file is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As usual.
    Plain,
    /// By calls that leave nothing behind.
    Uncached,
    /// As usual, and then told what is not needed.
    Advised,
}

/// A file that is read from.
pub(crate) struct Reader<'f> {
    file: BorrowedFd<'f>,
    size: u64,
    way: Way,
    stretches: Stretches,
}

/// Of which stretches the kernel knows that somebody else has them cached.
/// Reading ahead fills a stretch before it is read itself, so it is asked
/// about while the one before is read.
#[derive(Default)]
struct Stretches {
    now: Option<(u64, bool)>,
    next: Option<(u64, bool)>,
}

impl<'f> Reader<'f> {
    /// Reads a file of about this many bytes.
    pub(crate) fn new(file: BorrowedFd<'f>, size: u64, pages: Pages) -> Self {
        let way = match pages {
            Pages::Keep => Way::Plain,
            Pages::Spare => Way::Uncached,
        };
        Self {
            file,
            size,
            way,
            stretches: Stretches::default(),
        }
    }

    /// Reads what one call gives.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            if self.way == Way::Advised {
                self.look_ahead(at);
            }
            let done = match self.way {
                Way::Uncached => preadv2(self.file, &mut [IoSliceMut::new(buffer)], at, DONTCACHE),
                Way::Plain | Way::Advised => pread(self.file, &mut *buffer, at),
            };
            match done {
                Err(Errno::INTR) => {}
                Err(error) if self.way == Way::Uncached && is_unknown(error) => {
                    self.way = if self.size < NOT_WORTH_ASKING {
                        Way::Plain
                    } else {
                        Way::Advised
                    };
                }
                other => return Ok(other?),
            }
        }
    }

    /// Reads until the buffer is full or the file ends.
    pub(crate) fn read_full_at(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], at + filled as u64)? {
                0 => break,
                got => filled += got,
            }
        }
        Ok(filled)
    }

    /// A stretch begins: lets the one before go, and asks about the next.
    fn look_ahead(&mut self, at: u64) {
        let number = at / STRETCH;
        if self.stretches.now.is_some_and(|(now, _)| now == number) {
            return;
        }
        self.leave();
        let known = self.stretches.next.filter(|(next, _)| *next == number);
        self.stretches.now = known.or_else(|| Some((number, self.is_cached(number))));
        let next = number + 1;
        self.stretches.next = (next * STRETCH < self.size).then(|| (next, self.is_cached(next)));
    }

    fn is_cached(&self, number: u64) -> bool {
        let at = number * STRETCH;
        let length = STRETCH.min(self.size.saturating_sub(at));
        // What cannot be found out may be somebody's.
        raw::is_cached(self.file, at, length).unwrap_or(true)
    }

    /// Lets the stretch in hand go, unless somebody else had it cached.
    fn leave(&mut self) {
        if let Some((number, false)) = self.stretches.now.take() {
            // And a little before: a page may extend across its beginning.
            let from = (number * STRETCH).saturating_sub(STRETCH / 8);
            let from = if number == 0 { 0 } else { from };
            not_needed(self.file, from..(number + 1) * STRETCH);
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A new file that is written to.
pub(crate) struct Writer<'f> {
    file: BorrowedFd<'f>,
    way: Way,
    /// The stretch before, which is being written to the disk; what is
    /// behind it has only just been written.
    behind: Range<u64>,
}

impl<'f> Writer<'f> {
    /// Writes a file that will have about this many bytes.
    pub(crate) fn new(file: BorrowedFd<'f>, size: u64, pages: Pages) -> Self {
        let way = match pages {
            Pages::Spare if size >= SMALL => Way::Uncached,
            _ => Way::Plain,
        };
        Self {
            file,
            way,
            behind: 0..0,
        }
    }

    /// Writes all of it.
    pub(crate) fn write_all_at(&mut self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, at)? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                written => {
                    bytes = &bytes[written..];
                    at += written as u64;
                }
            }
        }
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
        loop {
            let done = match self.way {
                Way::Uncached => pwritev2(self.file, &[IoSlice::new(bytes)], at, DONTCACHE),
                Way::Plain | Way::Advised => pwrite(self.file, bytes, at),
            };
            match done {
                Err(Errno::INTR) => {}
                Err(error) if self.way == Way::Uncached && is_unknown(error) => {
                    self.way = Way::Advised;
                }
                other => {
                    let written = other?;
                    if self.way == Way::Advised {
                        self.let_go(at + written as u64)?;
                    }
                    return Ok(written);
                }
            }
        }
    }

    /// Written up to here: the disk begins with the last stretch, and what
    /// was before it can go. Only pages that are on the disk can, so the end
    /// of each file stays: to wait for it would be a flush for each file.
    fn let_go(&mut self, end: u64) -> io::Result<()> {
        let Range { start, end: before } = self.behind.clone();
        if end < before + STRETCH {
            return Ok(());
        }
        self.write_out(before..end, false)?;
        if before > start {
            self.write_out(start..before, true)?;
            not_needed(self.file, start..before);
        }
        self.behind = before..end;
        Ok(())
    }

    /// A filesystem that does not know that writes when it likes.
    fn write_out(&self, range: Range<u64>, wait: bool) -> io::Result<()> {
        match raw::write_out(self.file, range.start, range.end - range.start, wait) {
            Err(error) if errno::is_unsupported(&error) => Ok(()),
            other => other,
        }
    }
}

/// Tells the kernel that pages are not needed. It is advice: that it was not
/// taken is not a failure.
fn not_needed(file: BorrowedFd<'_>, range: Range<u64>) {
    if let Some(length) = NonZeroU64::new(range.end - range.start) {
        let _ = fadvise(file, range.start, Some(length), Advice::DontNeed);
    }
}

/// Takes what is cached of a file from the cache, so that it is read from
/// the disk next; only what has been flushed can go.
pub(crate) fn forget(file: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd as _;

    fn file(dir: &assert_fs::TempDir, name: &str) -> File {
        let mut options = File::options();
        options.read(true).write(true).create(true);
        options.open(dir.path().join(name)).expect("opened")
    }

    fn text(size: u64) -> Vec<u8> {
        (0..size).map(|at| (at / 7) as u8).collect()
    }

    const WAYS: [Way; 3] = [Way::Plain, Way::Uncached, Way::Advised];

    #[test]
    fn whichever_way_the_bytes_are_the_same() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        for size in [0, 1, 100_000, 3 * STRETCH + 77] {
            for (write, read) in WAYS
                .map(|way| (way, Way::Plain))
                .into_iter()
                .chain([(Way::Plain, Way::Uncached), (Way::Plain, Way::Advised)])
            {
                let (file, text) = (file(&dir, "file"), text(size));
                file.set_len(0).expect("emptied");
                let mut writer = Writer::new(file.as_fd(), size, Pages::Keep);
                writer.way = write;
                for (number, part) in text.chunks(300_000).enumerate() {
                    let written = writer.write_all_at(part, number as u64 * 300_000);
                    written.expect("written");
                }
                let mut reader = Reader::new(file.as_fd(), size, Pages::Keep);
                reader.way = read;
                let mut found = vec![0; text.len() + 1];
                let got = reader.read_full_at(&mut found, 0).expect("read");
                found.truncate(got);
                assert!(found == text, "{size} bytes, {write:?} and {read:?}");
            }
        }
    }

    #[test]
    fn a_large_file_is_spared_and_a_small_one_written_as_usual() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let file = file(&dir, "file");
        let fd = file.as_fd();
        for (size, pages, read, write) in [
            (SMALL, Pages::Spare, Way::Uncached, Way::Uncached),
            (SMALL - 1, Pages::Spare, Way::Uncached, Way::Plain),
            (SMALL, Pages::Keep, Way::Plain, Way::Plain),
        ] {
            assert_eq!(Reader::new(fd, size, pages).way, read);
            assert_eq!(Writer::new(fd, size, pages).way, write);
        }
    }

    #[test]
    fn the_next_stretch_is_asked_about_before_it_is_read() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let file = file(&dir, "file");
        file.set_len(3 * STRETCH).expect("sized");
        let mut reader = Reader::new(file.as_fd(), 3 * STRETCH, Pages::Spare);
        reader.way = Way::Advised;
        let numbers = |reader: &Reader<'_>| {
            let number = |known: &Option<(u64, bool)>| known.map(|(number, _)| number);
            let Stretches { now, next } = &reader.stretches;
            (number(now), number(next))
        };
        for (at, now, next) in [
            (0, 0, Some(1)),
            (STRETCH - 1, 0, Some(1)),
            (STRETCH, 1, Some(2)),
            (2 * STRETCH + 9, 2, None),
            // Back, as a comparison of holes may go.
            (5, 0, Some(1)),
            (2 * STRETCH, 2, None),
        ] {
            reader.look_ahead(at);
            assert_eq!(numbers(&reader), (Some(now), next), "at {at}");
        }
        // A hole is not in the cache, unless it was read.
        assert_eq!(reader.stretches.now, Some((2, false)));
    }
}
