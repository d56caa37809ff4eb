//! One version of a path: where it lies, and its metadata.
//!
//! A path in a dump is looked at with one `lstat`. A symlink further up in
//! that path would lead out of the dump, so whoever finds something new asks
//! for the names above it as well; what has the inode of a version that was
//! seen before needs no second look.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Time};
use crate::model::path::RelPath;
use crate::policy::layout::DumpName;
use crate::root::listing::{Listing, is_absent};

/// A path as one dump has it, or as the main tree has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Where it can be read.
    pub path: PathBuf,
    /// The dump; `None` for what lies in none, as the main tree. What reading
    /// a dump moves in it is set back.
    pub dump: Option<DumpName>,
    /// Its metadata. A symlink's are its own.
    pub meta: Meta,
}

impl Version {
    /// In a dump. `None` when the dump, or the path in it, does not exist.
    pub(super) fn look(
        listing: &Listing,
        dump: DumpName,
        within: &RelPath,
    ) -> Result<Option<Self>, Fault> {
        let top = listing.path(dump);
        let path = within.below(&top);
        let Some(meta) = look(&path)? else {
            return Ok(None);
        };
        Ok(is_inside(&top, &path)?.then_some(Self {
            path,
            dump: Some(dump),
            meta,
        }))
    }

    /// What bears a name in this directory.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn child(&self, name: &[u8]) -> Result<Option<Self>, Fault> {
        let path = self.path.join(OsStr::from_bytes(name));
        Ok(look(&path)?.map(|meta| Self {
            path,
            dump: self.dump,
            meta,
        }))
    }

    /// What bears a name now, in whatever tree that is no dump; `None` when nothing does.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence.
    pub fn at(path: &Path) -> Result<Option<Self>, Fault> {
        Ok(look(path)?.map(|meta| Self {
            path: path.to_path_buf(),
            dump: None,
            meta,
        }))
    }
}

/// One `lstat`; `None` for what does not exist.
pub(super) fn look(path: &Path) -> Result<Option<Meta>, Fault> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(meta(&found))),
        Err(cause) if is_absent(&cause) => Ok(None),
        Err(cause) => Err(Fault::new(Op::Stat, path.to_path_buf(), cause)),
    }
}

/// Are all names between `top` and the last one of `path` directories, and
/// none a symlink that leads elsewhere?
pub(super) fn is_inside(top: &Path, path: &Path) -> Result<bool, Fault> {
    let above = path.ancestors().skip(1).take_while(|p| *p != top);
    for directory in above.take_while(|p| p.starts_with(top)) {
        if look(directory)?.is_none_or(|meta| meta.kind != Kind::Dir) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn meta(found: &fs::Metadata) -> Meta {
    Meta {
        kind: kind(found.file_type()),
        mode: u16::try_from(found.mode() & 0o7777).unwrap_or(0),
        uid: found.uid(),
        gid: found.gid(),
        size: found.size(),
        blocks: found.blocks(),
        mtime: time(found.mtime(), found.mtime_nsec()),
        atime: time(found.atime(), found.atime_nsec()),
        ctime: time(found.ctime(), found.ctime_nsec()),
        ino: found.ino(),
        dev: found.dev(),
        nlink: u32::try_from(found.nlink()).unwrap_or(u32::MAX),
        rdev: found.rdev(),
    }
}

fn time(secs: i64, nanos: i64) -> Time {
    Time::new(secs, u32::try_from(nanos).unwrap_or(0))
}

fn kind(found: fs::FileType) -> Kind {
    if found.is_dir() {
        Kind::Dir
    } else if found.is_symlink() {
        Kind::Symlink
    } else if found.is_fifo() {
        Kind::Fifo
    } else if found.is_socket() {
        Kind::Socket
    } else if found.is_char_device() {
        Kind::Char
    } else if found.is_block_device() {
        Kind::Block
    } else {
        Kind::File
    }
}
