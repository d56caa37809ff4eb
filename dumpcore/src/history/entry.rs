//! An entry of a dump, for a program that shows dumps to other people: reached
//! by handles from the dump root down, one name after the other.
//!
//! No symlink is followed, whatever somebody renames meanwhile: each directory on
//! the way is opened by its own name in the one above. What is opened is what was
//! looked at: a file that has taken its place is refused. Nothing is written, not
//! even the access time of a symlink, which the system moves where it keeps one.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read::DirEntry;
use crate::fs::inspect;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::file::{File, open_file};
use crate::sys::{errno, link, stat};

/// An entry of a dump: [`DumpRoot::entry`].
#[derive(Clone, Debug)]
pub struct EntryAt {
    /// The directory that it is in; of the dump itself, that.
    above: Arc<OwnedFd>,
    /// `.` of the dump itself.
    name: CString,
    path: PathBuf,
    meta: Meta,
}

/// A directory of a dump that was listed: [`EntryAt::list`].
#[derive(Debug)]
pub struct EntryDir {
    handle: Arc<OwnedFd>,
    path: PathBuf,
    names: Chunk,
}

impl DumpRoot {
    /// The entry at a path inside a dump, which begins with the name of a tree;
    /// the dump itself where it is empty. `None` where there is none, or a name on
    /// the way is not a directory; also of a path that no entry can have.
    ///
    /// # Errors
    /// A name that cannot be looked at, for another reason than its absence: this
    /// user may not.
    pub fn entry(&self, dump: DumpId, within: &RelPath) -> Result<Option<EntryAt>, Fault> {
        let mut path = self.path().join(dump.path());
        let Some(names) = names(within) else {
            return Ok(None);
        };
        let mut above = match self.open_dump(&dump.rel_path()) {
            Ok(handle) => Arc::new(handle),
            Err(cause) if errno::has_changed(&cause) => return Ok(None),
            Err(cause) => return Err(Fault::new(Op::Open, path, cause)),
        };
        let Some((last, way)) = names.split_last() else {
            return EntryAt::look(above, c".".into(), path);
        };
        for name in way {
            path.push(OsStr::from_bytes(name.to_bytes()));
            above = match dir::open_dir(above.as_fd(), name, For::Passing) {
                Ok(below) => Arc::new(below),
                Err(cause) if errno::has_changed(&cause) || errno::is_too_long(&cause) => {
                    return Ok(None);
                }
                Err(cause) => return Err(Fault::new(Op::Open, path, cause)),
            };
        }
        path.push(OsStr::from_bytes(last.to_bytes()));
        EntryAt::look(above, last.clone(), path)
    }
}

/// The names of a path; `None` where one of them cannot be that of an entry.
fn names(within: &RelPath) -> Option<Vec<CString>> {
    if within.is_root() {
        return Some(Vec::new());
    }
    within.as_bytes().split(|b| *b == b'/').map(name).collect()
}

/// A name as the kernel takes it; `None` of what cannot be one.
fn name(bytes: &[u8]) -> Option<CString> {
    let is_name = !matches!(bytes, b"" | b"." | b"..") && !bytes.contains(&b'/');
    CString::new(bytes).ok().filter(|_| is_name)
}

impl EntryAt {
    fn look(above: Arc<OwnedFd>, name: CString, path: PathBuf) -> Result<Option<Self>, Fault> {
        match inspect::look_in_dump(above.as_fd(), &name) {
            Ok(meta) => Ok(Some(Self {
                above,
                name,
                path,
                meta,
            })),
            Err(cause) if errno::has_changed(&cause) || errno::is_too_long(&cause) => Ok(None),
            Err(cause) => Err(Fault::new(Op::Stat, path, cause)),
        }
    }

    /// Its metadata; of a symlink its own.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its path, for people: it is not needed to read it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file for reading; its access time stays where that is
    /// allowed.
    ///
    /// # Errors
    /// What is not a regular file, or cannot be opened; also when another file has
    /// taken its place.
    pub fn open(&self) -> Result<File, Fault> {
        let open = || -> io::Result<File> {
            if self.meta.kind != Kind::File {
                return Err(io::Error::other("not a regular file"));
            }
            let opened = open_file(self.above.as_fd(), &self.name)?;
            match stat::look_at(&opened)?.id() == self.meta.id() {
                true => Ok(opened.into()),
                false => Err(io::Error::other("it was replaced by another file")),
            }
        };
        open().map_err(Fault::at(Op::Open, &self.path))
    }

    /// Where a symlink points.
    ///
    /// # Errors
    /// What is not a symlink, or cannot be read.
    pub fn target(&self) -> Result<PathBuf, Fault> {
        let target = link::read_symlink(self.above.as_fd(), &self.name);
        let target = target.map_err(Fault::at(Op::ReadLink, &self.path))?;
        Ok(PathBuf::from(OsStr::from_bytes(target.to_bytes())))
    }

    /// Lists a directory.
    ///
    /// # Errors
    /// What is not a directory, or may not be listed.
    pub fn list(&self) -> Result<EntryDir, Fault> {
        let list = || -> io::Result<(OwnedFd, Chunk)> {
            let handle = dir::open_dir(self.above.as_fd(), &self.name, For::Reading)?;
            let mut names = Lister::all(dir::reopen(handle.as_fd(), For::Reading)?)?;
            names.sort_by_name();
            Ok((handle, names))
        };
        let (handle, names) = list().map_err(Fault::at(Op::List, &self.path))?;
        Ok(EntryDir {
            handle: Arc::new(handle),
            path: self.path.clone(),
            names,
        })
    }
}

impl EntryDir {
    /// The names in it, in the order of their bytes.
    #[must_use]
    pub fn names(&self) -> Vec<DirEntry> {
        let names = self.names.iter().map(|entry| DirEntry {
            name: entry.name.to_bytes().to_vec(),
            is_dir: entry.kind == Some(Kind::Dir),
            is_symlink: entry.kind == Some(Kind::Symlink),
        });
        names.collect()
    }

    /// The entry of this name; `None` where there is none.
    ///
    /// # Errors
    /// As [`DumpRoot::entry`].
    pub fn entry(&self, bytes: &[u8]) -> Result<Option<EntryAt>, Fault> {
        let Some(name) = name(bytes) else {
            return Ok(None);
        };
        let path = self.path.join(OsStr::from_bytes(bytes));
        EntryAt::look(Arc::clone(&self.handle), name, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn ground() -> (assert_fs::TempDir, DumpRoot) {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let tree = dir.path().join("dump/2026/1122/2331/tree");
        fs::create_dir_all(tree.join("a/b")).expect("made");
        fs::create_dir_all(dir.path().join("outside")).expect("made");
        fs::write(tree.join("a/file"), "inside").expect("written");
        fs::write(dir.path().join("outside/secret"), "outside").expect("written");
        symlink(dir.path().join("outside"), tree.join("out")).expect("linked");
        symlink("a/file", tree.join("link")).expect("linked");
        let root = DumpRoot::open(dir.path().join("dump")).expect("opened");
        (dir, root)
    }

    fn dump() -> DumpId {
        DumpId::parse(b"2026/1122/2331").expect("a name")
    }

    #[test]
    fn what_is_in_a_dump_is_read_by_its_names() {
        let (_dir, root) = ground();
        let at = |path: &str| root.entry(dump(), &path.into()).expect("looked");
        let mut text = String::new();
        let file = at("tree/a/file").expect("it exists");
        let read = file.open().expect("opened").read_to_string(&mut text);
        assert_eq!((read.expect("read"), text.as_str()), (6, "inside"));
        assert!(file.path().ends_with("2026/1122/2331/tree/a/file"));
        let link = at("tree/link").expect("it exists");
        assert_eq!(link.target().expect("read"), Path::new("a/file"));
        assert!(link.open().is_err() && link.list().is_err() && file.list().is_err());

        let listed = at("tree").expect("it exists").list().expect("listed");
        let names = listed.names();
        let shown: Vec<_> = names.iter().map(|n| (&n.name[..], n.is_dir)).collect();
        assert_eq!(
            shown,
            [(&b"a"[..], true), (b"link", false), (b"out", false)]
        );
        let below = listed.entry(b"a").expect("looked").expect("it exists");
        assert_eq!(below.list().expect("listed").names().len(), 2);
        let top = at("").expect("the dump itself").list().expect("listed");
        assert_eq!(top.names().len(), 1);
        for name in [&b".."[..], b".", b"", b"a/file", b"no\0name", b"gone"] {
            assert!(listed.entry(name).expect("looked").is_none(), "{name:?}");
        }
    }

    #[test]
    fn nothing_outside_is_reached() {
        let (_dir, root) = ground();
        for path in [
            "tree/out/secret",
            "tree/link/x",
            "tree/a/file/x",
            "..",
            "../2331/tree",
            "tree/../tree",
            "tree/./a",
            "tree//a",
            "tree/gone/x",
            "tree/a\0b",
        ] {
            let path = RelPath::from_bytes(path.as_bytes());
            assert!(
                root.entry(dump(), &path).expect("looked").is_none(),
                "{path}"
            );
        }
        let long = "x".repeat(256);
        for path in [
            "x".repeat(5000),
            format!("tree/{long}"),
            format!("tree/{long}/x"),
            format!("{long}/tree"),
        ] {
            let path = RelPath::from_bytes(path.as_bytes());
            assert!(root.entry(dump(), &path).expect("looked").is_none());
        }
        let other = DumpId::parse(b"2026/1122/2332").expect("a name");
        let none = root.entry(other, &RelPath::root()).expect("looked");
        assert!(none.is_none());
    }

    #[test]
    fn a_file_that_was_swapped_is_refused() {
        let (dir, root) = ground();
        let file = root.entry(dump(), &"tree/a/file".into());
        let file = file.expect("looked").expect("it exists");
        let path = file.path().to_path_buf();
        fs::rename(&path, path.with_file_name("kept")).expect("moved");
        symlink(dir.path().join("outside/secret"), &path).expect("linked");
        assert!(file.open().is_err(), "a symlink");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "other").expect("written");
        assert!(file.open().is_err(), "another file");
    }
}
