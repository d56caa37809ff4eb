//! What workers find, until it is applied: a file of its own, so that memory
//! does not grow with the tree.
//!
//! It is not flushed, and worth nothing after a crash; the next run removes it.
//! What is reported twice of a name counts as reported last.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{closed_hash, kind_number, nanos};
use super::error::{CatalogError, CatalogOp};
use super::schema;
use super::values::{DirId, Finding, SourceId, StoredInode, TreeId};
use crate::model::time::Time;
use crate::sys::lock::lock;

/// Collects what workers find.
#[derive(Debug)]
pub(crate) struct Stage {
    inner: Mutex<Inner>,
    path: PathBuf,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// The catalog itself, for reading.
    catalog: Connection,
    /// Does the catalog know any directory below the top of a tree?
    knows_dirs: bool,
    next_dir: i64,
}

impl Stage {
    /// In a file that SQLite makes when it has to, and that has no name.
    pub(super) fn aside(catalog: &Path) -> Result<Self, CatalogError> {
        Self::new(Path::new(""), catalog)
    }

    /// In an empty file that exists.
    pub(super) fn new(path: &Path, catalog: &Path) -> Result<Self, CatalogError> {
        let open = || {
            let connection = schema::connect(path, true)?;
            connection.pragma_update(None, "page_size", 8192)?;
            schema::set_fleeting(&connection)?;
            connection.pragma_update(None, "cache_size", -3072)?;
            connection.execute_batch("BEGIN")?;
            connection.execute_batch(schema::STAGING)?;
            let catalog = schema::connect(catalog, false)?;
            let last = catalog.query_row("SELECT coalesce(max(id),0) FROM dir", [], |row| {
                row.get::<_, i64>(0)
            })?;
            Ok(Inner {
                connection,
                catalog,
                knows_dirs: last > 0,
                next_dir: last.max(0) + 1,
            })
        };
        let inner = open().map_err(|e| CatalogError::sqlite(path, CatalogOp::Open, e))?;
        Ok(Self {
            inner: Mutex::new(inner),
            path: path.to_path_buf(),
        })
    }

    /// A directory of a tree by its path: the one that is `known`, one that some
    /// dump had there, or a new one. The top has the parent 0.
    pub(crate) fn dir(
        &self,
        tree: TreeId,
        parent: DirId,
        name: &[u8],
        known: Option<DirId>,
    ) -> Result<DirId, CatalogError> {
        match known {
            Some(known) => Ok(known),
            None => lock(&self.inner)
                .dir(tree, parent, name)
                .map_err(|e| self.failed(e)),
        }
    }

    /// What was found in a directory.
    pub(crate) fn add(
        &self,
        dir: DirId,
        findings: impl IntoIterator<Item = Finding>,
    ) -> Result<(), CatalogError> {
        let inner = lock(&self.inner);
        for finding in findings {
            inner.add(dir, finding).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// Writes what is still in memory, and gives the file free for the catalog's
    /// own connection.
    pub(super) fn finish(self) -> Result<PathBuf, CatalogError> {
        let inner = self.inner.into_inner();
        let inner = inner.unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = inner.connection.execute_batch("COMMIT");
        drop(inner);
        match done {
            Ok(()) => Ok(self.path),
            Err(e) => Err(CatalogError::sqlite(&self.path, CatalogOp::Write, e)),
        }
    }

    fn failed(&self, error: rusqlite::Error) -> CatalogError {
        CatalogError::sqlite(&self.path, CatalogOp::Write, error)
    }
}

impl Inner {
    fn dir(&mut self, tree: TreeId, parent: DirId, name: &[u8]) -> rusqlite::Result<DirId> {
        let sql = "SELECT id FROM dir WHERE parent=?1 AND name=?2";
        let places = [(self.knows_dirs, &self.catalog), (true, &self.connection)];
        for (_, place) in places.into_iter().filter(|(asked, _)| *asked) {
            let mut statement = place.prepare_cached(sql)?;
            let found = statement.query_row(params![parent.0, name], |row| row.get(0));
            if let Some(id) = found.optional()? {
                return Ok(DirId(id));
            }
        }
        let id = self.next_dir;
        let sql = "INSERT INTO dir(id, parent, name, tree) VALUES(?1, ?2, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(params![id, parent.0, name, tree.0])?;
        self.next_dir += 1;
        Ok(DirId(id))
    }

    fn add(&self, dir: DirId, finding: Finding) -> rusqlite::Result<()> {
        match finding {
            Finding::Entry { name, stored } => {
                let inode = self.inode(dir, &stored)?;
                self.entry(dir, &name, Some(inode))
            }
            Finding::Gone { name } => self.entry(dir, &name, None),
            Finding::Source { inode, source } => {
                let sql = "INSERT OR REPLACE INTO source VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
                let (fs, ino, born, ctime) = columns(source);
                let in_dir = source.map(|_| dir.0);
                let mut statement = self.connection.prepare_cached(sql)?;
                statement.execute(params![inode.0, fs, ino, born, ctime, in_dir])?;
                Ok(())
            }
            Finding::DirSource { source } => {
                let sql = "INSERT OR REPLACE INTO dir_source VALUES(?1, ?2, ?3, ?4)";
                let (fs, ino, born, _) = columns(source.map(|source| (source, Time::default())));
                let mut statement = self.connection.prepare_cached(sql)?;
                statement.execute(params![dir.0, fs, ino, born])?;
                Ok(())
            }
        }
    }

    fn entry(&self, dir: DirId, name: &[u8], inode: Option<i64>) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO entry VALUES(?1, ?2, ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(params![dir.0, name, inode])?;
        Ok(())
    }

    /// Its number in the stage: one for all names of an inode.
    fn inode(&self, dir: DirId, stored: &StoredInode) -> rusqlite::Result<i64> {
        let facts = &stored.facts;
        let ino = facts.ino.map(u64::cast_signed);
        let born = facts.born.map_or(0, nanos);
        let hash = stored.hash.filter(|_| born != 0);
        // A number alone may be used again for something else.
        let xattrs = stored.xattrs.filter(|_| born != 0).map(u64::cast_signed);
        let hash = ino
            .zip(hash)
            .map(|(ino, hash)| closed_hash(ino, born, &hash));
        let (src_fs, src_ino, src_born, src_ctime) = columns(stored.source);
        let src_dir = stored.source.map(|_| dir.0);
        let sql = "INSERT INTO inode(ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev,
                     hash, src_fs, src_ino, src_born, src_ctime, src_dir, xattrs)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                   ON CONFLICT(ino, born) WHERE ino IS NOT NULL DO UPDATE SET kind=excluded.kind,
                     mode=excluded.mode, uid=excluded.uid, gid=excluded.gid, size=excluded.size,
                     bytes=excluded.bytes, mtime=excluded.mtime, rdev=excluded.rdev,
                     hash=coalesce(excluded.hash, hash), src_fs=coalesce(excluded.src_fs, src_fs),
                     src_ino=coalesce(excluded.src_ino, src_ino),
                     src_born=coalesce(excluded.src_born, src_born),
                     src_ctime=coalesce(excluded.src_ctime, src_ctime),
                     src_dir=coalesce(excluded.src_dir, src_dir),
                     xattrs=coalesce(excluded.xattrs, xattrs)
                   RETURNING id";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_row(
            params![
                ino,
                born,
                kind_number(facts.kind),
                facts.mode,
                facts.uid,
                facts.gid,
                facts.size.cast_signed(),
                facts.bytes.cast_signed(),
                nanos(facts.mtime),
                facts.rdev.cast_signed(),
                hash,
                src_fs,
                src_ino,
                src_born,
                src_ctime,
                src_dir,
                xattrs,
            ],
            |row| row.get(0),
        )
    }
}

type SourceColumns = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);

fn columns(source: Option<(SourceId, Time)>) -> SourceColumns {
    match source {
        None => (None, None, None, None),
        Some((id, ctime)) => (
            Some(id.fs),
            Some(id.ino.cast_signed()),
            Some(nanos(id.born)),
            Some(nanos(ctime)),
        ),
    }
}
