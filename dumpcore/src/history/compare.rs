//! Do two versions differ, and if so in content or only in metadata?
//!
//! The cheap questions come first. Contents are read only when two different
//! inodes agree on type and size; equal times prove nothing, since programs
//! set them back.

use super::compare_options::CompareOptions;
use super::read::same_bytes;
use super::version::Version;
use crate::model::fault::Fault;
use crate::model::kind::Kind;

/// In what two versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// In nothing that dumps preserve.
    Nothing,
    /// In mode, owner, modification time, extended attributes or ACLs.
    Metadata,
    /// In content: bytes of a file, names in a directory, target of a
    /// symlink, number of a device; or in type.
    Content,
}

/// Compares two versions.
///
/// Of a directory its own names count, not what is below them.
///
/// # Errors
/// What could not be read of either.
pub fn difference(old: &Version, new: &Version) -> Result<Difference, Fault> {
    compare(old, new, &CompareOptions::new())
}

pub(super) fn compare(
    old: &Version,
    new: &Version,
    options: &CompareOptions,
) -> Result<Difference, Fault> {
    if old.meta.id() == new.meta.id() {
        return Ok(Difference::Nothing);
    }
    if !same_content(old, new, options)? {
        return Ok(Difference::Content);
    }
    let same = old.meta.mode == new.meta.mode
        && old.meta.uid == new.meta.uid
        && old.meta.gid == new.meta.gid
        && old.has_time_of(new)
        && old.xattrs()? == new.xattrs()?;
    Ok(if same {
        Difference::Nothing
    } else {
        Difference::Metadata
    })
}

/// The difference; what cannot be read is judged by size and time.
pub(super) fn judged(
    old: &Version,
    new: &Version,
    options: &CompareOptions,
    faults: &mut Vec<Fault>,
) -> Difference {
    compare(old, new, options).unwrap_or_else(|fault| {
        faults.push(fault);
        let same_time = old.has_time_of(new);
        let (old, new) = (&old.meta, &new.meta);
        if !same_time || (old.kind, old.size) != (new.kind, new.size) {
            Difference::Content
        } else if (old.mode, old.uid, old.gid) != (new.mode, new.uid, new.gid) {
            Difference::Metadata
        } else {
            Difference::Nothing
        }
    })
}

/// The same bytes, names, target or number?
pub(super) fn same_content(
    old: &Version,
    new: &Version,
    options: &CompareOptions,
) -> Result<bool, Fault> {
    if old.meta.kind != new.meta.kind {
        return Ok(false);
    }
    let same_time = old.has_time_of(new);
    match old.meta.kind {
        Kind::File if old.meta.size != new.meta.size => Ok(false),
        Kind::File | Kind::Dir if options.trusts_times() && same_time => Ok(true),
        Kind::File if !options.reads(old.meta.size) => Ok(false),
        Kind::File => same_bytes(&old.path, &new.path, old.meta.size, options),
        Kind::Dir => Ok(old.names()? == new.names()?),
        Kind::Symlink => Ok(old.target()? == new.target()?),
        Kind::Char | Kind::Block => Ok(old.meta.rdev == new.meta.rdev),
        Kind::Fifo | Kind::Socket => Ok(true),
    }
}
