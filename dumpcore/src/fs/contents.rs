//! What files hold: copying it, lending it, comparing it.
//!
//! A hash is that of the bytes which the copy was given. Where all blocks are
//! lent, no bytes pass through here, and there is none. Where an older version
//! lends those that are the same, all bytes of the source do.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::fs::store::{Contents, DataFrom, EntryWriter, Lender, NameAt, StoreError};
use crate::model::fault::{Op, OpError};
use crate::model::metadata::{Kind, Meta};
use crate::sys::delta::{self, Versions};
use crate::sys::file::{self, CompareError, CopyError, CopyHow};
use crate::sys::stat;

impl EntryWriter<'_> {
    /// Do two files hold the same bytes? They are this many, and the files
    /// end there; or, for `None`, the files are read to their ends.
    pub(crate) fn same_contents(
        &mut self,
        a: BorrowedFd<'_>,
        b: BorrowedFd<'_>,
        size: Option<u64>,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<bool, CompareError> {
        let buffers = (ready(&mut self.buffer), ready(&mut self.second));
        match size {
            Some(size) => file::same_contents(a, b, size, self.pages, buffers, keep_going),
            None => file::same_to_end(a, b, self.pages, buffers, keep_going),
        }
    }

    fn same_data(
        &mut self,
        source: &OwnedFd,
        lender: &OwnedFd,
        size: u64,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool, StoreError> {
        let mut keep_going = || keep_going(0);
        match self.same_contents(source.as_fd(), lender.as_fd(), Some(size), &mut keep_going) {
            Ok(same) => Ok(same),
            Err(CompareError::First(e)) => Err(OpError::source(Op::Read, e).into()),
            // It is read from the source then.
            Err(CompareError::Second(_)) => Ok(false),
            Err(CompareError::Stopped) => Err(StoreError::Stopped),
        }
    }

    /// Lets the target share all blocks of the lender, where that holds the same and the
    /// filesystem can; else the target is empty.
    fn lent(
        &mut self,
        source: &OwnedFd,
        target: &OwnedFd,
        meta: &Meta,
        lender: Lender<'_>,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool, StoreError> {
        let Lender { at, doubted } = lender;
        if let Ok(lender) = file::open_file(at.dir, at.name)
            && stat::look_at(&lender).is_ok_and(|t| t.size == meta.size && t.mtime == meta.mtime)
            && cloned(&lender, target)?
        {
            // Compared only where that spares a copy.
            if !doubted || self.same_data(source, &lender, meta.size, keep_going)? {
                return Ok(true);
            }
            file::empty(target).map_err(|e| OpError::target(Op::Write, e))?;
        }
        Ok(false)
    }

    /// The data: blocks of another file where they can be shared, else a copy.
    pub(super) fn contents(
        &mut self,
        source: &OwnedFd,
        target: &OwnedFd,
        meta: &Meta,
        true_size: bool,
        data: DataFrom<'_>,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Contents, StoreError> {
        if let DataFrom::Lender(lender) = data
            && self.lent(source, target, meta, lender, keep_going)?
        {
            return Ok(Contents {
                bytes: meta.size,
                hash: None,
            });
        }
        let old = match data {
            DataFrom::OlderVersion(at) if true_size => cloned_version(at, target, meta.size)?,
            _ => None,
        };
        let how = CopyHow {
            sparse: meta.blocks.saturating_mul(512) < meta.size,
            to_end: !true_size,
            pages: self.pages,
        };
        let (from, to) = (source.as_fd(), target.as_fd());
        let buffer = ready(&mut self.buffer);
        let step = self.step.clamp(1, buffer.len());
        let buffer = &mut buffer[..step];
        if let Some(hasher) = &mut self.hasher {
            hasher.begin();
        }
        let hasher = self.hasher.as_mut();
        let copied = match &old {
            None => file::copy(from, to, meta.size, how, buffer, hasher, keep_going),
            Some(old) => {
                let versions = Versions {
                    source: from,
                    old: old.as_fd(),
                    new: to,
                };
                let buffers = (buffer, ready(&mut self.second));
                delta::rewrite(versions, meta.size, how, buffers, hasher, keep_going)
            }
        };
        match copied {
            Ok(bytes) => Ok(Contents {
                bytes,
                hash: self.hasher.as_mut().map(|hasher| hasher.finish(bytes)),
            }),
            Err(CopyError::Read(e)) => Err(OpError::source(Op::Read, e).into()),
            Err(CopyError::Write(e)) => Err(OpError::target(Op::Write, e).into()),
            Err(CopyError::Stopped) => Err(StoreError::Stopped),
        }
    }
}

/// Smaller files are stored whole: looking for blocks costs more than it spares.
const WORTH_SHARING: u64 = 1 << 20;

/// In more extents than one for so much, an older version lends nothing: with each
/// version the file would be in more.
const AN_EXTENT: u64 = 256 << 10;

/// The older version at this spot, where a new file of this size is worth sharing
/// blocks with it.
fn older_version(at: NameAt<'_>, size: u64) -> Option<OwnedFd> {
    let old = file::open_file(at.dir, at.name).ok()?;
    let meta = stat::look_at(&old).ok()?;
    let is_file = meta.kind == Kind::File;
    if !is_file || size < WORTH_SHARING || meta.size < WORTH_SHARING {
        return None;
    }
    let extents = file::extents(old.as_fd()).ok()?;
    (u64::from(extents) <= meta.size.div_ceil(AN_EXTENT)).then_some(old)
}

/// The same, if the target is a clone of it now; if not, it is empty.
fn cloned_version(
    at: NameAt<'_>,
    target: &OwnedFd,
    size: u64,
) -> Result<Option<OwnedFd>, StoreError> {
    match older_version(at, size) {
        Some(old) if cloned(&old, target)? => Ok(Some(old)),
        _ => Ok(None),
    }
}

/// Is the target a clone of this file now? If not, it is empty.
fn cloned(of: &OwnedFd, target: &OwnedFd) -> Result<bool, StoreError> {
    let cloned = file::reflink(of.as_fd(), target.as_fd());
    Ok(cloned.map_err(|e| OpError::target(Op::Write, e))?)
}

/// A buffer, made when it is first needed.
fn ready(buffer: &mut Vec<u8>) -> &mut [u8] {
    const SIZE: usize = 256 * 1024;
    if buffer.is_empty() {
        buffer.resize(SIZE, 0);
    }
    buffer
}
