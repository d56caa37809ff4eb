//! Directories: opening, listing, making.
//!
//! A listing comes in chunks of bounded size, so that a directory of a
//! million names costs no more memory than one of a thousand.

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, RawDir, accessat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use super::stat::kind_of;
use crate::model::metadata::Kind;

const DIR: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// What a directory is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Listing it, its access time untouched where that is allowed: only its
    /// owner and root may, others get EPERM and read it plainly.
    Reading,
    /// Reaching what is in it; needs no permission to list it.
    Passing,
    /// Filling it.
    Filling,
}

fn open(dir: BorrowedFd<'_>, name: &CStr, purpose: For, follow: OFlags) -> io::Result<OwnedFd> {
    let flags = DIR | follow;
    let opened = match purpose {
        For::Passing => openat(dir, name, flags | OFlags::PATH, Mode::empty()),
        For::Filling => openat(dir, name, flags | OFlags::RDONLY, Mode::empty()),
        For::Reading => {
            let quiet = flags | OFlags::RDONLY | OFlags::NOATIME;
            match openat(dir, name, quiet, Mode::empty()) {
                Err(Errno::PERM) => openat(dir, name, flags | OFlags::RDONLY, Mode::empty()),
                other => other,
            }
        }
    };
    Ok(opened?)
}

/// Opens a directory by its name in another; a symlink is not followed.
pub(crate) fn open_dir(dir: BorrowedFd<'_>, name: &CStr, purpose: For) -> io::Result<OwnedFd> {
    open(dir, name, purpose, OFlags::NOFOLLOW)
}

/// Opens the directory that a name leads to, through symlinks too, to be passed
/// through.
pub(crate) fn open_followed(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    open(dir, name, For::Passing, OFlags::empty())
}

/// Opens the directory above.
pub(crate) fn open_parent(dir: BorrowedFd<'_>, purpose: For) -> io::Result<OwnedFd> {
    open(dir, c"..", purpose, OFlags::empty())
}

/// The kernel takes paths of as many bytes.
const LONGEST: usize = 4095;

/// Is this path longer than the kernel takes it?
pub(crate) fn is_long(path: &Path) -> bool {
    path.as_os_str().len() > LONGEST
}

/// Opens a directory that a person named: symlinks are followed here only. The
/// path may be of any length, and none at all is the working directory.
pub(crate) fn open_root(path: &Path, purpose: For) -> io::Result<OwnedFd> {
    let (above, rest) = way_to(path)?;
    let rest = if rest.is_empty() { b"." } else { rest };
    let above = above.as_ref().map_or(CWD, OwnedFd::as_fd);
    open(above, &CString::new(rest)?, purpose, OFlags::empty())
}

/// Opens the directory that a path names, and not what it leads to if it is a
/// symlink.
pub(crate) fn open_named(path: &Path, purpose: For) -> io::Result<OwnedFd> {
    let (above, rest) = way_to(path)?;
    let above = above.as_ref().map_or(CWD, OwnedFd::as_fd);
    open(above, &CString::new(rest)?, purpose, OFlags::NOFOLLOW)
}

/// As much of a path as the kernel takes at once, and a handle of the directory
/// that it starts in, if that is not the one that the whole path starts in.
fn way_to(path: &Path) -> io::Result<(Option<OwnedFd>, &[u8])> {
    let (mut above, mut rest) = (None::<OwnedFd>, path.as_os_str().as_bytes());
    while rest.len() > LONGEST {
        let end = rest[..=LONGEST].iter().rposition(|b| *b == b'/');
        // What has no slash in it is a name, and that is too long for any disk.
        let Some(end) = end.filter(|end| *end > 0) else {
            return Err(Errno::NAMETOOLONG.into());
        };
        let from = above.as_ref().map_or(CWD, OwnedFd::as_fd);
        let piece = CString::new(&rest[..end])?;
        above = Some(open(from, &piece, For::Passing, OFlags::empty())?);
        let slashes = rest[end..].iter().take_while(|b| **b == b'/').count();
        rest = &rest[end + slashes..];
    }
    Ok((above, rest))
}

/// A path without symlinks and dots; `None` when it cannot be had.
pub(crate) fn real_path(path: &Path) -> Option<std::path::PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// A handle of its own on the same directory, with a position of its own.
pub(crate) fn reopen(dir: BorrowedFd<'_>, purpose: For) -> io::Result<OwnedFd> {
    open(dir, c".", purpose, OFlags::empty())
}

/// Makes a directory that only its owner may enter.
pub(crate) fn make_private(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Ok(mkdirat(dir, name, Mode::RWXU)?)
}

/// Makes a directory that only its owner may enter, with those above it that are
/// missing.
#[cfg(feature = "catalog")]
pub(crate) fn make_private_path(path: &Path) -> io::Result<()> {
    let mut made = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
    made.recursive(true).create(path)
}

/// Makes a directory that everybody may list, whatever the umask.
pub(crate) fn make_public_path(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode)
}

/// May this process make names in a directory? The system's answer when not.
pub(crate) fn may_fill(dir: BorrowedFd<'_>) -> io::Result<()> {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    Ok(accessat(dir, c".", access, AtFlags::EACCESS)?)
}

/// Removes an empty directory.
pub(crate) fn remove_empty(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

/// Some entries of a directory: inode numbers, types where the filesystem
/// tells them, and names.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    entries: Vec<Entry>,
    names: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    ino: u64,
    at: u32,
    len: u16,
    kind: Option<Kind>,
}

/// One entry of a [`Chunk`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    /// Inode number; that of the mount point, where something is mounted.
    pub(crate) ino: u64,
    /// Its type, where the filesystem tells.
    pub(crate) kind: Option<Kind>,
    /// Its name.
    pub(crate) name: &'a CStr,
}

impl Chunk {
    /// A chunk is full with this many names: enough to put inodes into the
    /// order of the disk, few enough to be nothing in memory.
    const FULL: usize = 4096;

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.names.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn push(&mut self, ino: u64, kind: Option<Kind>, name: &CStr) -> io::Result<()> {
        let bytes = name.to_bytes_with_nul();
        let at = u32::try_from(self.names.len()).map_err(io::Error::other)?;
        let len = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        self.names.extend_from_slice(bytes);
        self.entries.push(Entry { ino, at, len, kind });
        Ok(())
    }

    /// Inodes that are beside each other on disk come one after the other.
    pub(crate) fn sort_by_inode(&mut self) {
        self.entries.sort_unstable_by_key(|e| e.ino);
    }

    pub(crate) fn sort_by_name(&mut self) {
        let names = &self.names;
        self.entries
            .sort_unstable_by(|a, b| Self::bytes(names, a).cmp(Self::bytes(names, b)));
    }

    /// The place of a name, in a chunk that is sorted by name.
    pub(crate) fn find(&self, name: &CStr) -> Option<usize> {
        let wanted = name.to_bytes_with_nul();
        self.entries
            .binary_search_by(|e| Self::bytes(&self.names, e).cmp(wanted))
            .ok()
    }

    fn bytes<'a>(names: &'a [u8], entry: &Entry) -> &'a [u8] {
        &names[entry.at as usize..][..usize::from(entry.len)]
    }

    pub(crate) fn get(&self, index: usize) -> Listed<'_> {
        let entry = &self.entries[index];
        let bytes = Self::bytes(&self.names, entry);
        Listed {
            ino: entry.ino,
            kind: entry.kind,
            // The names were stored with their NUL.
            name: CStr::from_bytes_with_nul(bytes).unwrap_or(c""),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }
}

/// Reads the listing of an open directory, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Lister {
    dir: Arc<OwnedFd>,
    done: bool,
    removed: Option<io::Error>,
    /// The one name that is asked for, instead of all.
    only: Option<CString>,
}

impl Lister {
    /// Lists from where the handle stands; nobody else may list with it.
    pub(crate) fn new(dir: impl Into<Arc<OwnedFd>>) -> Self {
        Self {
            dir: dir.into(),
            done: false,
            removed: None,
            only: None,
        }
    }

    /// All entries of an open directory at once, for one that has few; nobody
    /// else may list with the handle.
    pub(crate) fn all(dir: impl Into<Arc<OwnedFd>>) -> io::Result<Chunk> {
        let mut chunk = Chunk::default();
        Self::new(dir).rest(&mut chunk)?;
        Ok(chunk)
    }

    /// Lists one name, as if there were no other.
    pub(crate) fn of(dir: impl Into<Arc<OwnedFd>>, name: &CStr) -> Self {
        Self {
            only: Some(name.to_owned()),
            ..Self::new(dir)
        }
    }

    /// Was the last chunk the last?
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The system's answer, when it ended the listing by saying that there is
    /// no such directory.
    pub(crate) fn removed(&mut self) -> Option<io::Error> {
        self.removed.take()
    }

    /// Lists no more.
    pub(crate) fn end(&mut self) {
        self.done = true;
    }

    /// Reads the next entries into `chunk`, at least `FULL` of them unless
    /// the end comes first; `.` and `..` are passed over.
    pub(crate) fn next(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        chunk.clear();
        while !self.done && chunk.len() < Chunk::FULL {
            self.fill(chunk)?;
        }
        Ok(())
    }

    /// Reads all the rest into `chunk`.
    pub(crate) fn rest(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        while !self.done {
            self.fill(chunk)?;
        }
        Ok(())
    }

    /// One call's worth of entries.
    fn fill(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        if let Some(name) = self.only.take() {
            self.done = true;
            return chunk.push(0, None, &name);
        }
        let mut buffer = [MaybeUninit::<u8>::uninit(); 32 * 1024];
        let mut entries = RawDir::new(&*self.dir, &mut buffer);
        loop {
            match entries.next() {
                None => {
                    self.done = true;
                    return Ok(());
                }
                // A directory that was removed under our feet has no entries.
                Some(Err(Errno::NOENT)) => {
                    self.done = true;
                    self.removed = Some(Errno::NOENT.into());
                    return Ok(());
                }
                Some(entry) => {
                    let entry = entry?;
                    let name = entry.file_name();
                    if name != c"." && name != c".." {
                        chunk.push(entry.ino(), kind_of(entry.file_type()), name)?;
                    }
                }
            }
            if entries.is_buffer_empty() {
                return Ok(());
            }
        }
    }
}

/// All entries of a directory at once, for one that has few, by a handle of its
/// own.
pub(crate) fn list_all(dir: BorrowedFd<'_>, purpose: For) -> io::Result<Chunk> {
    Lister::all(reopen(dir, purpose)?)
}

/// Has the directory no entry at all?
pub(crate) fn is_empty(dir: BorrowedFd<'_>) -> io::Result<bool> {
    let mut lister = Lister::new(reopen(dir, For::Reading)?);
    let mut chunk = Chunk::default();
    lister.next(&mut chunk)?;
    Ok(chunk.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lists_everything_in_bounded_chunks() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let names: BTreeSet<CString> = (0..10_000)
            .map(|i| {
                CString::new(format!("a name that is rather long, number {i}")).expect("no NUL")
            })
            .collect();
        for name in &names {
            std::fs::write(dir.path().join(name.to_str().expect("text")), b"").expect("written");
        }
        let root = open_root(dir.path(), For::Reading).expect("opened");
        let mut lister = Lister::new(root);
        let (mut chunk, mut seen, mut chunks) = (Chunk::default(), BTreeSet::new(), 0);
        while !lister.is_done() {
            lister.next(&mut chunk).expect("listed");
            assert!(chunk.len() < 2 * Chunk::FULL);
            chunk.sort_by_name();
            for (i, entry) in chunk.iter().enumerate() {
                assert_eq!(chunk.find(entry.name), Some(i));
                assert!(seen.insert(entry.name.to_owned()), "{:?} twice", entry.name);
            }
            chunks += 1;
        }
        assert_eq!(seen, names);
        assert!(chunks >= 2);
        assert_eq!(chunk.find(c"absent"), None);
    }

    #[test]
    fn follows_no_symlink_below_a_root() {
        let dir = assert_fs::TempDir::new().expect("a directory");
        std::os::unix::fs::symlink("/", dir.path().join("away")).expect("linked");
        let root = open_root(dir.path(), For::Passing).expect("opened");
        for purpose in [For::Reading, For::Passing, For::Filling] {
            let error = open_dir(root.as_fd(), c"away", purpose).expect_err("followed");
            assert!(super::super::errno::has_changed(&error), "{error}");
        }
        assert!(open_root(&dir.path().join("away"), For::Reading).is_ok());
    }
}
