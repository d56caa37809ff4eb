//! Reading a version: bytes of a file, names in a directory, target of a
//! symlink, extended attributes.
//!
//! All by the handle of the directory above and the last name, directories by
//! a path whose last name is not followed: a name in the main tree that turns
//! into a symlink or a FIFO between look and open is not followed and not
//! waited on. Access times are left alone where that is
//! allowed: showing the history of a file does not count as reading it.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::compare_options::CompareOptions;
use super::version::Version;
use crate::fs::inspect;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::{Capabilities, Xattrs};
use crate::sys::dir::{Chunk, For, Lister, open_named, open_root};
use crate::sys::file::{CompareError, File, open_file, same_contents};
use crate::sys::fstype::may_be_in_user_space;
use crate::sys::pages::{Pages, Reader};
pub(super) use crate::sys::path::above;
use crate::sys::{link, xattr};

/// Large enough that a network filesystem is not asked bit by bit.
const BUFFER: usize = 128 * 1024;

/// One name in a directory's listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DirEntry {
    /// The bytes of the name.
    pub name: Vec<u8>,
    /// Is it a directory? `false` also where the filesystem does not tell.
    pub is_dir: bool,
    /// Is it a symlink? `false` also where the filesystem does not tell.
    pub is_symlink: bool,
}

impl Version {
    /// Opens a file for reading, through no symlink, without moving its access
    /// time where the system allows that.
    ///
    /// ```no_run
    /// # use dumpcore::{DumpName, Navigator};
    /// # let navigator = Navigator::new("/dump").main("/home");
    /// let place = navigator.locate("/home/glenda/lib/profile")?;
    /// let mut old = navigator.version_at(&place, chrono::Utc::now())?.open()?;
    /// std::io::copy(&mut old, &mut std::io::stdout())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is not a regular file, or cannot be opened.
    pub fn open(&self) -> Result<File, Fault> {
        if self.meta.kind != Kind::File {
            let cause = io::Error::other("not a regular file");
            return Err(Fault::new(Op::Open, &self.path, cause));
        }
        file(&self.path).map(File::from)
    }

    /// The bytes of a file; `None` when there are more than `most`.
    ///
    /// # Errors
    /// A file that cannot be opened or read.
    pub fn bytes(&self, most: usize) -> Result<Option<Vec<u8>>, Fault> {
        let file = file(&self.path)?;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; BUFFER];
        let mut reader = Reader::new(file.as_fd(), self.meta.size, Pages::Keep);
        loop {
            let at = bytes.len() as u64;
            let got = reader
                .read_full_at(&mut buffer, at)
                .map_err(Fault::at(Op::Read, &self.path))?;
            if bytes.len() + got > most {
                return Ok(None);
            }
            bytes.extend_from_slice(&buffer[..got]);
            if got < buffer.len() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The names in a directory, ordered by their bytes.
    ///
    /// # Errors
    /// A directory that cannot be opened or listed.
    pub fn names(&self) -> Result<Vec<DirEntry>, Fault> {
        let chunk = list(&self.path).map_err(Fault::at(Op::List, &self.path))?;
        let names = chunk.iter().map(|entry| DirEntry {
            name: entry.name.to_bytes().to_vec(),
            is_dir: entry.kind == Some(Kind::Dir),
            is_symlink: entry.kind == Some(Kind::Symlink),
        });
        Ok(names.collect())
    }

    /// What a symlink holds.
    ///
    /// # Errors
    /// A symlink that cannot be read.
    pub fn target(&self) -> Result<PathBuf, Fault> {
        let read = || -> io::Result<CString> {
            let (above, name) = above(&self.path)?;
            if self.dump.is_some() {
                return inspect::symlink_in_some_dump(above.as_fd(), &name, &self.meta);
            }
            link::read_symlink(above.as_fd(), &name)
        };
        let text = read().map_err(Fault::at(Op::ReadLink, &self.path))?;
        Ok(PathBuf::from(OsStr::from_bytes(text.to_bytes())))
    }

    /// The extended attributes that a dump preserves, ACLs among them.
    ///
    /// # Errors
    /// Attributes that cannot be read.
    pub fn xattrs(&self) -> Result<Xattrs, Fault> {
        let all = Capabilities::everything();
        let read = || -> io::Result<Xattrs> {
            let (above, name) = above(&self.path)?;
            let subject = xattr::Subject::Named(above.as_fd(), &name);
            xattr::read(subject, |name| all.keeps_xattr(name))
        };
        read().map_err(Fault::at(Op::ReadXattr, &self.path))
    }
}

/// What a directory holds, ordered by name.
pub(super) fn list(path: &Path) -> io::Result<Chunk> {
    let mut chunk = Lister::all(open_named(path, For::Reading)?)?;
    chunk.sort_by_name();
    Ok(chunk)
}

/// Do two files of this size hold the same bytes?
pub(super) fn same_bytes(
    old: &Path,
    new: &Path,
    size: u64,
    options: &CompareOptions,
) -> Result<bool, Fault> {
    let (old_file, new_file) = (file(old)?, file(new)?);
    let (mut for_old, mut for_new) = (vec![0; BUFFER], vec![0; BUFFER]);
    let same = same_contents(
        old_file.as_fd(),
        new_file.as_fd(),
        size,
        Pages::Keep,
        (&mut for_old, &mut for_new),
        &mut || !options.is_stopped(),
    );
    match same {
        Ok(same) => Ok(same),
        Err(CompareError::First(cause)) => Err(Fault::at(Op::Read, old)(cause)),
        Err(CompareError::Second(cause)) => Err(Fault::at(Op::Read, new)(cause)),
        // Nobody waits for the answer any more.
        Err(CompareError::Stopped) => Ok(false),
    }
}

/// Does a filesystem make its inode numbers up as it goes? Those in user
/// space (sshfs) do: there no two names have the same number.
pub(super) fn makes_up_inodes(path: &Path) -> bool {
    open_root(path, For::Passing).is_ok_and(may_be_in_user_space)
}

fn file(path: &Path) -> Result<OwnedFd, Fault> {
    let open = || -> io::Result<OwnedFd> {
        let (above, name) = above(path)?;
        open_file(above.as_fd(), &name)
    };
    open().map_err(Fault::at(Op::Open, path))
}
