//! A new version of a file that shares with an old one what is the same.
//!
//! The new file begins as a clone of the old one, and becomes equal to the source
//! by its bytes: what the two have in common is read of both and not written.
//! The source is read once, from its beginning to its end, so that the hash of
//! what was read is that of what the new file holds.

use rustix::fs::{FallocateFlags, fallocate, ftruncate};
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use super::file::{CopyError, CopyHow, next_data};
use super::pages::{Reader, Writer};
use crate::policy::content_hash::Hasher;

/// What is compared and written at once. The kernel shares no less, and where a
/// block of the filesystem is larger, it copies the rest of it by itself.
const BLOCK: u64 = 4096;

/// The three sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions<'f> {
    /// What the new file is to hold.
    pub(crate) source: BorrowedFd<'f>,
    /// The old version.
    pub(crate) old: BorrowedFd<'f>,
    /// A clone of the old version that nobody else uses.
    pub(crate) new: BorrowedFd<'f>,
}

/// Makes `new` hold the first `size` bytes of `source`. What of `old` cannot be
/// read counts as different. `keep_going` is called after each piece read, and
/// says whether to continue. Returns how many bytes there were: fewer than `size`
/// when the source has shrunk.
pub(crate) fn rewrite(
    versions: Versions<'_>,
    size: u64,
    how: CopyHow,
    buffers: (&mut [u8], &mut [u8]),
    mut hasher: Option<&mut Hasher>,
    keep_going: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, CopyError> {
    let Versions { source, old, new } = versions;
    let (here, there) = buffers;
    let step = here.len().min(there.len());
    let mut reader = Reader::new(source, size, how.pages);
    let mut old = Reader::new(old, size, how.pages);
    let mut writer = Writer::new(new, size, how.pages);
    set_size(new, size)?;
    let mut at = 0;
    while at < size {
        let data = match how.sparse {
            true => next_data(source, at, size).map_err(CopyError::Read)?,
            false => at..size,
        };
        punch(new, at..data.start).map_err(CopyError::Write)?;
        at = data.start;
        while at < data.end {
            let want = usize::try_from(data.end - at).unwrap_or(step).min(step);
            let got = reader.read_at(&mut here[..want], at);
            let got = got.map_err(CopyError::Read)?;
            if got == 0 {
                set_size(new, at)?;
                return Ok(at);
            }
            let here = &here[..got];
            let known = old.read_full_at(&mut there[..got], at).unwrap_or(0);
            for part in differing(here, &there[..known], at) {
                let written = writer.write_all_at(&here[part.clone()], at + part.start as u64);
                written.map_err(CopyError::Write)?;
            }
            if let Some(hasher) = &mut hasher {
                hasher.write_at(at, here);
            }
            at += got as u64;
            if !keep_going(got as u64) {
                return Err(CopyError::Stopped);
            }
        }
    }
    Ok(at)
}

/// The stretches of `here` in which a block differs from `there`, or is not in it;
/// both begin at this offset of their files.
fn differing(here: &[u8], there: &[u8], at: u64) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while from < here.len() {
        let left = BLOCK - (at + from as u64) % BLOCK;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let to = from.saturating_add(left).min(here.len());
        if there.get(from..to) != Some(&here[from..to]) {
            match parts.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ => parts.push(from..to),
            }
        }
        from = to;
    }
    parts
}

fn set_size(file: BorrowedFd<'_>, size: u64) -> Result<(), CopyError> {
    ftruncate(file, size).map_err(|e| CopyError::Write(e.into()))
}

/// Makes a hole of a stretch.
fn punch(file: BorrowedFd<'_>, stretch: Range<u64>) -> io::Result<()> {
    let length = stretch.end - stretch.start;
    if length == 0 {
        return Ok(());
    }
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, stretch.start, length)?)
}

#[cfg(test)]
#[path = "delta_tests.rs"]
mod tests;
