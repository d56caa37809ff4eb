//! Holding the names of a dump against the catalog: which there are, which inodes
//! they stand for, and what its directories are like.
//!
//! No entry is looked at where a listing tells its inode. What is found here may
//! be because the dump, or the numbers of its series, changed meanwhile: it
//! counts only when it is found again while the dump root is locked.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::params;

use super::absorb::{Base, look};
use super::apply::THERE;
use super::columns::is_digest_of;
use super::error::CatalogError;
use super::opened::OpenedDump;
use super::query::View;
use super::query_values::{NameDiffers, NameFault};
use super::rows::Rows;
use super::values::{Children, DirId, Facts, Known};
use super::walk::{Directory, Visit};
use super::walk_options::WalkOptions;
use crate::model::kind::Kind;
use crate::model::metadata::Capabilities;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::dir::Listed;
use crate::sys::errno;
use crate::sys::fstype::FsType;
use crate::sys::lock::lock;
use crate::sys::xattr::{self, Subject};

/// Has a directory of a dump the attributes and ACLs that this digest stands for?
/// `true` where they cannot be read.
pub(crate) fn has_attributes(of: Subject<'_>, digest: u64) -> bool {
    let all = Capabilities::everything();
    let read = xattr::read(of, |name| all.keeps_xattr(name));
    read.map_or(true, |xattrs| is_digest_of(digest, &xattrs))
}

/// How many names of a directory are read from the catalog at once.
const PAGE: usize = 1 << 14;

/// The names that are recorded of a directory, in order, some at a time: it may have a
/// million.
struct Recorded {
    base: Base,
    dir: DirId,
    page: Children,
    /// The next one in the page.
    at: usize,
    /// Were there no more behind the page?
    is_last: bool,
}

impl Recorded {
    fn new(base: Base, dir: DirId) -> Self {
        Self {
            base,
            dir,
            page: Children::default(),
            at: 0,
            is_last: matches!(base, Base::Nothing),
        }
    }

    /// Reads the next page, if there is one, when all of this one was seen.
    fn fill(&mut self, rows: &mut Rows) -> Result<bool, CatalogError> {
        if self.at < self.page.len() {
            return Ok(true);
        }
        if self.is_last {
            return Ok(false);
        }
        let last = self.page.len().checked_sub(1);
        let after = last.map_or_else(Vec::new, |last| self.page.get(last).0.to_vec());
        let seq = match self.base {
            Base::At(seq) => Some(seq),
            Base::Last | Base::Nothing => None,
        };
        self.page = rows.children_after(self.dir, seq, &after, PAGE)?;
        (self.at, self.is_last) = (0, self.page.len() < PAGE);
        Ok(self.page.len() > 0)
    }

    /// What is recorded under a name; those before it are gone.
    fn up_to(
        &mut self,
        rows: &mut Rows,
        name: &[u8],
        gone: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Known>, CatalogError> {
        while self.fill(rows)? {
            let (recorded, known) = self.page.get(self.at);
            if recorded > name {
                return Ok(None);
            }
            self.at += 1;
            if recorded == name {
                return Ok(Some(*known));
            }
            gone(recorded);
        }
        Ok(None)
    }

    /// All others are gone.
    fn rest(&mut self, rows: &mut Rows, gone: &mut dyn FnMut(&[u8])) -> Result<(), CatalogError> {
        while self.fill(rows)? {
            gone(self.page.get(self.at).0);
            self.at += 1;
        }
        Ok(())
    }
}

/// A tree of a dump that is compared.
struct Names<'n> {
    catalog: &'n Path,
    base: Base,
    /// The path of the dump.
    top: &'n Path,
    lists_inodes: bool,
    found: &'n Mutex<Vec<NameDiffers>>,
}

/// A directory that is compared: its number in the catalog, and what it records of
/// it; nothing of the top of a tree.
struct At(DirId, Option<Known>);

impl Visit for Names<'_> {
    type At = At;
    type Worker = Rows;

    fn worker(&self) -> Result<Rows, CatalogError> {
        Rows::open_shared(self.catalog)
    }

    fn unreadable(&self, path: PathBuf, cause: io::Error) -> Result<(), CatalogError> {
        if errno::is_mount_gone(&cause) {
            return Err(CatalogError::io(
                &path,
                super::error::CatalogOp::List,
                cause,
            ));
        }
        let path = path.strip_prefix(self.top).unwrap_or(&path).to_path_buf();
        self.note(RelPath::from(&*path), NameFault::Unread(cause.to_string()));
        Ok(())
    }

    fn visit(
        &self,
        rows: &mut Rows,
        directory: &Directory<'_>,
        at: At,
    ) -> Result<Vec<(CString, At)>, CatalogError> {
        let At(id, known) = at;
        let there = Facts::of(&directory.entered.meta);
        if let Some(known) = known {
            let digest = known.facts.rdev;
            let handle = directory.entered.handle.as_fd();
            if !known.facts.is_same_inode(&there.with_digest(digest)) {
                self.note(self.path(directory, c""), NameFault::Metadata);
            } else if !has_attributes(Subject::Open(handle), digest) {
                self.note(self.path(directory, c""), NameFault::Attributes);
            }
        }
        let mut below = Vec::new();
        let mut recorded = Recorded::new(self.base, id);
        for entry in directory.chunk.iter() {
            let name = entry.name.to_bytes();
            let known = recorded.up_to(rows, name, &mut |gone| self.gone(directory, gone))?;
            let Some(known) = known else {
                self.note(self.path(directory, entry.name), NameFault::Extra);
                continue;
            };
            if !self.is_it(directory, &entry, &known.facts)? {
                self.note(self.path(directory, entry.name), NameFault::Missing);
            } else if known.facts.kind == Kind::Dir
                && let Some((id, _)) = rows.subdir(id, name)?
            {
                below.push((entry.name.to_owned(), At(id, Some(known))));
            }
        }
        recorded.rest(rows, &mut |gone| self.gone(directory, gone))?;
        Ok(below)
    }
}

impl Names<'_> {
    /// A name that is recorded is not there.
    fn gone(&self, directory: &Directory<'_>, name: &[u8]) {
        let name = CString::new(name).unwrap_or_default();
        self.note(self.path(directory, &name), NameFault::Missing);
    }

    /// Does a name stand for what is recorded?
    fn is_it(
        &self,
        directory: &Directory<'_>,
        entry: &Listed<'_>,
        known: &Facts,
    ) -> Result<bool, CatalogError> {
        if let Some(kind) = entry
            .kind
            .filter(|kind| self.lists_inodes || *kind == Kind::Dir)
        {
            let same = kind == Kind::Dir || known.ino == Some(entry.ino);
            return Ok(kind == known.kind && same);
        }
        let meta = look(directory, entry.name)?;
        Ok(meta.kind == known.kind && (meta.kind == Kind::Dir || known.ino == Some(meta.ino)))
    }

    fn path(&self, directory: &Directory<'_>, name: &CStr) -> RelPath {
        let path = directory.path_of(name);
        RelPath::from(path.strip_prefix(self.top).unwrap_or(&path))
    }

    fn note(&self, path: RelPath, fault: NameFault) {
        lock(self.found).push(NameDiffers { path, fault });
    }
}

/// A tree of a dump: its name, its top, its number in the series.
type TreeAt = (Vec<u8>, DirId, i64);

impl View {
    /// Compares the names of a dump on disk with what is recorded.
    ///
    /// # Errors
    /// When the dump cannot be opened or the catalog cannot be read.
    pub(crate) fn compare_names(
        &self,
        root: &DumpRoot,
        dump: DumpId,
        options: &WalkOptions<'_>,
    ) -> Result<Vec<NameDiffers>, CatalogError> {
        let recorded = self.trees_in(dump)?;
        let mut opened = OpenedDump::of(root, dump)?;
        let found = Mutex::new(Vec::new());
        for (name, top, seq) in recorded {
            let Some(tree) = opened.take(&name) else {
                let (path, fault) = (RelPath::from_bytes(&name), NameFault::Missing);
                lock(&found).push(NameDiffers { path, fault });
                continue;
            };
            let names = Names {
                catalog: self.path(),
                base: Base::At(seq),
                top: &opened.path,
                lists_inodes: FsType::of(&opened.handle).is_ok_and(FsType::lists_true_inodes),
                found: &found,
            };
            let (name, handle) = tree;
            opened.walk((&name, handle), At(top, None), &names, options)?;
        }
        for (name, _) in &opened.trees {
            let (path, fault) = (RelPath::from_bytes(name.to_bytes()), NameFault::Extra);
            lock(&found).push(NameDiffers { path, fault });
        }
        Ok(found
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The trees that are recorded of a dump: name, top, number in the series.
    pub(crate) fn trees_in(&self, dump: DumpId) -> Result<Vec<TreeAt>, CatalogError> {
        let sql = "SELECT t.name, t.dir, s.seq FROM dump d JOIN series s ON s.dump=d.id
                   JOIN tree t ON t.id=s.tree WHERE d.name=?1 AND d.state=?2";
        self.ask(|connection, _| {
            let mut statement = connection.prepare_cached(sql)?;
            let found = statement.query_map(params![dump.to_string(), THERE], |row| {
                Ok((row.get(0)?, DirId(row.get(1)?), row.get(2)?))
            })?;
            found.collect()
        })
    }
}
