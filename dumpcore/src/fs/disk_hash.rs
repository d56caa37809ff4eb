//! The hash of what a disk holds of a file.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::policy::content_hash::{ContentHash, Hasher};
use crate::sys::direct::{self, DiskBuffer};

/// What came of reading a file.
#[derive(Debug)]
pub(crate) enum DiskRead {
    /// All of it was read; the hash is that of as many bytes as were asked for.
    Whole(ContentHash),
    /// It ended before.
    Short,
    /// It was asked to stop.
    Stopped,
}

/// Reads files from the disk, one after the other.
#[derive(Debug)]
pub(crate) struct DiskHasher {
    buffer: DiskBuffer,
    hasher: Option<Hasher>,
}

impl DiskHasher {
    pub(crate) fn new() -> Self {
        Self {
            buffer: DiskBuffer::new(),
            hasher: Hasher::new(),
        }
    }

    /// Reads a file of this size. `keep_going` is called with the bytes read.
    pub(crate) fn hash(
        &mut self,
        file: &OwnedFd,
        size: u64,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<DiskRead> {
        let Some(hasher) = &mut self.hasher else {
            return Ok(DiskRead::Stopped);
        };
        hasher.begin();
        let end =
            direct::read_from_disk(file.as_fd(), size, &mut self.buffer, &mut |at, bytes| {
                hasher.write_at(at, bytes);
                keep_going(bytes.len() as u64)
            })?;
        Ok(match end {
            None => DiskRead::Stopped,
            Some(end) if end < size => DiskRead::Short,
            Some(_) => DiskRead::Whole(hasher.finish(size)),
        })
    }
}

#[cfg(all(test, feature = "catalog"))]
mod tests {
    use super::*;
    use crate::sys::dir::{self, For};
    use crate::sys::file;
    use assert_fs::prelude::*;

    #[test]
    fn it_is_the_hash_of_the_contents() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        let top = dir::open_root(dir.path(), For::Passing).expect("opened");
        let mut reader = DiskHasher::new();
        for length in [0_usize, 5, 70_000, 2_500_000] {
            let text: Vec<u8> = (0..length).map(|at| (at / 3) as u8).collect();
            dir.child("file").write_binary(&text).expect("written");
            let file = file::open_file(top.as_fd(), c"file").expect("opened");
            let mut hasher = Hasher::new().expect("the feature is on");
            hasher.write_at(0, &text);
            let expected = hasher.finish(length as u64);
            let mut sum = 0;
            let read = reader.hash(&file, length as u64, &mut |bytes| {
                sum += bytes;
                true
            });
            let read = read.expect("read");
            assert!(
                matches!(read, DiskRead::Whole(hash) if hash == expected),
                "{read:?}"
            );
            assert_eq!(sum, length as u64);
            let longer = reader.hash(&file, length as u64 + 1, &mut |_| true);
            assert!(matches!(longer.expect("read"), DiskRead::Short));
        }
    }
}
