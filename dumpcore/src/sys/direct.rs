//! Reading a file from the disk, past what is cached of it.
//!
//! Where the filesystem takes it, the kernel moves the bytes from the disk into
//! our buffer (`O_DIRECT`). Some filesystems take it and read part of their files
//! through the cache anyway, and some do not take it at all: so what is
//! cached is dropped before and after. Pages that another process has mapped, or
//! that are not written yet, stay; nobody writes to the files of a published dump.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use super::errno;
use super::file::next_data;
use super::pages::forget;

/// What offsets, lengths and addresses are multiples of: every disk's sectors
/// divide it.
const ALIGN: usize = 4096;
/// How much is read at once, in bytes.
const STEP: usize = 1 << 20;

/// A buffer whose address suits a disk.
#[derive(Debug)]
pub(crate) struct DiskBuffer {
    bytes: Vec<u8>,
}

impl DiskBuffer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; STEP + ALIGN],
        }
    }

    fn aligned(&mut self) -> &mut [u8] {
        let from = self.bytes.as_ptr().align_offset(ALIGN);
        let from = if from < ALIGN { from } else { 0 };
        &mut self.bytes[from..from + STEP]
    }
}

/// Reads the data of a file from the disk, its holes left out, and gives each
/// piece to `each` with its offset, which says whether to continue. Returns where
/// the file ended, or `None` when `each` ended it.
pub(crate) fn read_from_disk(
    file: BorrowedFd<'_>,
    size: u64,
    buffer: &mut DiskBuffer,
    each: &mut dyn FnMut(u64, &[u8]) -> bool,
) -> io::Result<Option<u64>> {
    // Advice that is not taken leaves what O_DIRECT promises.
    let _ = forget(file);
    let mut direct = set_direct(file, true).is_ok();
    let mut read = || -> io::Result<Option<u64>> {
        let buffer = buffer.aligned();
        let mut at = 0;
        while at < size {
            let data = next_data(file, at, size)?;
            at = at.max(data.start - data.start % ALIGN as u64);
            while at < data.end {
                let got = match read_full(file, buffer, at, direct) {
                    Err(e) if direct && errno::is_invalid(&e) => {
                        set_direct(file, false)?;
                        direct = false;
                        continue;
                    }
                    got => got?,
                };
                let known = got.min(usize::try_from(size - at).unwrap_or(usize::MAX));
                if !each(at, &buffer[..known]) {
                    return Ok(None);
                }
                at += got as u64;
                if got < STEP {
                    // It ends here, whatever its size says.
                    return Ok(Some(at.min(size)));
                }
            }
        }
        Ok(Some(size))
    };
    let end = read();
    let _ = set_direct(file, false);
    let _ = forget(file);
    end
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: BorrowedFd<'_>, buffer: &mut [u8], at: u64, direct: bool) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::pread(file, &mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // A direct read can only begin where a sector does.
        if direct && !filled.is_multiple_of(ALIGN) {
            break;
        }
    }
    Ok(filled)
}

fn set_direct(file: BorrowedFd<'_>, yes: bool) -> io::Result<()> {
    let flags = fcntl_getfl(file.as_fd())?;
    Ok(fcntl_setfl(
        file,
        match yes {
            true => flags | OFlags::DIRECT,
            false => flags - OFlags::DIRECT,
        },
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    fn read(file: &File, size: u64) -> (Vec<u8>, Option<u64>) {
        let mut found = vec![0; usize::try_from(size).expect("small")];
        let mut buffer = DiskBuffer::new();
        let end = read_from_disk(file.as_fd(), size, &mut buffer, &mut |at, bytes| {
            let at = usize::try_from(at).expect("small");
            found[at..at + bytes.len()].copy_from_slice(bytes);
            true
        });
        (found, end.expect("read"))
    }

    #[test]
    fn all_bytes_come_whatever_the_length_and_the_holes() {
        let dirs = [
            assert_fs::TempDir::new_in("."),
            assert_fs::TempDir::new_in("/dev/shm"),
        ];
        for dir in dirs.into_iter().flatten() {
            for length in [0, 1, 511, 4096, 4097, STEP, STEP + 1, 3 * STEP + 77] {
                let path = dir.path().join("file");
                let mut options = File::options();
                options.read(true).write(true).create(true).truncate(true);
                let file = options.open(&path).expect("opened");
                let text: Vec<u8> = (0..length).map(|at| (at / 3) as u8).collect();
                file.write_all_at(&text, 0).expect("written");
                file.sync_all().expect("flushed");
                let (found, end) = read(&file, length as u64);
                assert!(found == text, "{length} bytes");
                assert_eq!(end, Some(length as u64));
                // A hole, then data that begins within a page.
                let far = 5 * STEP as u64 + 4096;
                file.write_all_at(b"end", far).expect("written");
                file.sync_all().expect("flushed");
                let (found, end) = read(&file, far + 3);
                let mut expected = text;
                expected.resize(usize::try_from(far).expect("small"), 0);
                expected.extend(b"end");
                assert!(found == expected, "{length} bytes and a hole");
                assert_eq!(end, Some(far + 3));
            }
        }
    }

    #[test]
    fn a_file_that_is_shorter_than_it_was_ends_where_it_ends() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 10_000]).expect("written");
        let file = File::open(&path).expect("opened");
        let (found, end) = read(&file, 9_999);
        assert!(found == vec![7; 9_999]);
        assert_eq!(end, Some(9_999));
        let (found, end) = read(&file, 12_000);
        assert_eq!(end, Some(10_000));
        assert!(found[..10_000].iter().all(|byte| *byte == 7));
    }

    #[test]
    fn it_ends_when_it_is_asked_to() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 3 * STEP]).expect("written");
        let file = File::open(&path).expect("opened");
        let (mut pieces, mut buffer) = (0, DiskBuffer::new());
        let end = read_from_disk(file.as_fd(), 3 * STEP as u64, &mut buffer, &mut |_, _| {
            pieces += 1;
            pieces < 2
        });
        assert_eq!((end.expect("read"), pieces), (None, 2));
    }
}
