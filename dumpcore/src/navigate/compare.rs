//! Do two versions differ, and if so in content or only in metadata?
//!
//! The cheap questions come first: type, size, and for a directory its
//! modification time, which says whether names came or went. Contents are
//! read only when two different inodes agree on all of these.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::version::Version;
use crate::event::Kind;
use crate::fault::{Fault, Op};
use crate::meta::{Abilities, Xattrs};

/// In what two versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// Of a directory its own names count, not what lies below them; with equal
/// modification times it is taken to be the same.
///
/// # Errors
/// What could not be read of either.
pub fn difference(old: &Version, new: &Version) -> Result<Difference, Fault> {
    if old.meta.id() == new.meta.id() {
        return Ok(Difference::Nothing);
    }
    if !same_content(old, new)? {
        return Ok(Difference::Content);
    }
    let same = old.meta.mode == new.meta.mode
        && old.meta.uid == new.meta.uid
        && old.meta.gid == new.meta.gid
        && old.meta.mtime == new.meta.mtime
        && xattrs(&old.path)? == xattrs(&new.path)?;
    Ok(if same {
        Difference::Nothing
    } else {
        Difference::Metadata
    })
}

fn same_content(old: &Version, new: &Version) -> Result<bool, Fault> {
    if old.meta.kind != new.meta.kind {
        return Ok(false);
    }
    match old.meta.kind {
        Kind::File => Ok(old.meta.size == new.meta.size && same_bytes(&old.path, &new.path)?),
        Kind::Dir => Ok(old.meta.mtime == new.meta.mtime || names(&old.path)? == names(&new.path)?),
        Kind::Symlink => Ok(target(&old.path)? == target(&new.path)?),
        Kind::Char | Kind::Block => Ok(old.meta.rdev == new.meta.rdev),
        Kind::Fifo | Kind::Socket => Ok(true),
    }
}

fn same_bytes(old: &Path, new: &Path) -> Result<bool, Fault> {
    let (mut old_file, mut new_file) = (open(old)?, open(new)?);
    let (mut old_bytes, mut new_bytes) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let n = fill(&mut old_file, &mut old_bytes).map_err(fault(Op::Read, old))?;
        let m = fill(&mut new_file, &mut new_bytes).map_err(fault(Op::Read, new))?;
        if old_bytes[..n] != new_bytes[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

/// Large enough that a network filesystem is not asked byte by byte.
const BUFFER: usize = 128 * 1024;

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(filled)
}

fn open(path: &Path) -> Result<File, Fault> {
    File::open(path).map_err(fault(Op::Open, path))
}

/// Names in a directory, and whether each is a directory, symlink or file.
fn names(path: &Path) -> Result<BTreeSet<(OsString, bool, bool)>, Fault> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(fault(Op::List, path))? {
        let entry = entry.map_err(fault(Op::List, path))?;
        let kind = entry.file_type().map_err(fault(Op::Stat, &entry.path()))?;
        names.insert((entry.file_name(), kind.is_dir(), kind.is_symlink()));
    }
    Ok(names)
}

fn target(path: &Path) -> Result<std::path::PathBuf, Fault> {
    fs::read_link(path).map_err(fault(Op::ReadLink, path))
}

/// The extended attributes that a dump preserves; none where the filesystem
/// has none.
fn xattrs(path: &Path) -> Result<Xattrs, Fault> {
    let failed = fault(Op::ReadXattr, path);
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(cause) if cause.kind() == io::ErrorKind::Unsupported => return Ok(Xattrs::default()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut list = Vec::new();
    for name in names {
        // Gone since it was listed: then it is not there.
        if let Some(value) = xattr::get(path, &name).map_err(&failed)? {
            list.push((name.into_encoded_bytes(), value));
        }
    }
    let all = Abilities::everything();
    Ok(Xattrs::new(list).filtered(|name| all.keeps_xattr(name)))
}

fn fault(op: Op, path: &Path) -> impl Fn(io::Error) -> Fault {
    move |cause| Fault::new(op, path.to_path_buf(), cause)
}
