//! What a worker asks of the heads of trees.
//!
//! Each worker has a connection of its own, which only reads. It keeps the
//! file's shared lock until it is dropped, so that a look-up takes no calls for
//! locks: all are dropped before anything is applied. No statement stays open
//! when a call returns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row, params};

use super::columns::{bytes, inode_columns, known, nanos, open_hash, time};
use super::error::{CatalogError, CatalogOp};
use super::schema;
use super::values::{Children, DirId, Hash, InodeId, Known, SourceId, TreeId};
use crate::model::metadata::Meta;
use crate::model::path::RelPath;

/// The heads of trees, for one worker.
#[derive(Debug)]
pub(crate) struct Rows {
    connection: Connection,
    path: PathBuf,
    names: Option<NamesOfDir>,
}

/// The names of the directory that was asked for last, by inode.
#[derive(Debug)]
struct NamesOfDir {
    dir: DirId,
    by_inode: HashMap<i64, Vec<Vec<u8>>>,
}

impl NamesOfDir {
    /// More names than these would take more than some MiB.
    const MOST: usize = 20_000;
}

impl Rows {
    /// On a catalog that is open for writing in this process, too.
    pub(super) fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::open_so(path, |connection| {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
        })
    }

    /// The same for who looks for long while others write: no look-up holds a lock
    /// when it has been answered.
    pub(super) fn open_shared(path: &Path) -> Result<Self, CatalogError> {
        Self::open_so(path, |connection| {
            // Directories are come to one by one, and what one has lies together.
            connection.pragma_update(None, "cache_size", -256)?;
            connection.busy_timeout(schema::LONG_PATIENCE)
        })
    }

    fn open_so(
        path: &Path,
        set: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Self, CatalogError> {
        let open = || {
            let connection = schema::connect(path, false)?;
            set(&connection)?;
            Ok(connection)
        };
        let connection = open().map_err(|e| CatalogError::sqlite(path, CatalogOp::Open, e))?;
        Ok(Self {
            connection,
            path: path.to_path_buf(),
            names: None,
        })
    }

    /// All names of a directory in the head of its tree, or `None` when there
    /// are more than `most`.
    pub(crate) fn children(
        &mut self,
        dir: DirId,
        most: usize,
    ) -> Result<Option<Children>, CatalogError> {
        let sql = concat!(
            "SELECT l.name, ",
            inode_columns!(),
            " FROM live l CROSS JOIN inode i ON i.id=l.inode WHERE l.dir=?1 ORDER BY l.name LIMIT ?2"
        );
        let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
        self.ask(sql, |statement| {
            let mut children = Children::default();
            let mut rows = statement.query(params![dir.0, limit])?;
            while let Some(row) = rows.next()? {
                if children.len() == most {
                    return Ok(None);
                }
                children.push(bytes(row, 0)?, known(row, 1)?);
            }
            Ok(Some(children))
        })
    }

    /// All names of a directory in the dump of this number in the series of its
    /// tree.
    pub(super) fn children_at(&mut self, dir: DirId, seq: i64) -> Result<Children, CatalogError> {
        let sql = concat!(
            "SELECT l.name, ",
            inode_columns!(),
            " FROM (SELECT name, inode FROM live WHERE dir=?1 AND first<=?2",
            " UNION ALL SELECT name, inode FROM past WHERE dir=?1 AND first<=?2 AND last>=?2) l",
            " CROSS JOIN inode i ON i.id=l.inode ORDER BY l.name"
        );
        self.ask(sql, |statement| {
            let mut children = Children::default();
            let mut rows = statement.query(params![dir.0, seq])?;
            while let Some(row) = rows.next()? {
                children.push(bytes(row, 0)?, known(row, 1)?);
            }
            Ok(children)
        })
    }

    /// The next names of a directory behind this one, `most` of them, as the head has
    /// them, or the dump of this number in the series of its tree.
    pub(super) fn children_after(
        &mut self,
        dir: DirId,
        seq: Option<i64>,
        after: &[u8],
        most: usize,
    ) -> Result<Children, CatalogError> {
        let now = concat!(
            "SELECT l.name, ",
            inode_columns!(),
            " FROM live l CROSS JOIN inode i ON i.id=l.inode WHERE l.dir=?1 AND l.name>?2",
            " AND ?4 IS NULL ORDER BY l.name LIMIT ?3"
        );
        let then = concat!(
            "SELECT l.name, ",
            inode_columns!(),
            " FROM (SELECT name, inode FROM live WHERE dir=?1 AND name>?2 AND first<=?4",
            " UNION ALL SELECT name, inode FROM past",
            " WHERE dir=?1 AND name>?2 AND first<=?4 AND last>=?4) l",
            " CROSS JOIN inode i ON i.id=l.inode ORDER BY l.name LIMIT ?3"
        );
        let sql = if seq.is_some() { then } else { now };
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(sql, |statement| {
            let mut children = Children::default();
            let mut rows = statement.query(params![dir.0, after, limit, seq])?;
            while let Some(row) = rows.next()? {
                children.push(bytes(row, 0)?, known(row, 1)?);
            }
            Ok(children)
        })
    }

    /// What the head has under a name.
    pub(crate) fn child(&mut self, dir: DirId, name: &[u8]) -> Result<Option<Known>, CatalogError> {
        let sql = concat!(
            "SELECT ",
            inode_columns!(),
            " FROM live l CROSS JOIN inode i ON i.id=l.inode WHERE l.dir=?1 AND l.name=?2"
        );
        self.one(sql, params![dir.0, name], |row| known(row, 0))
    }

    /// The next names of a directory in the head behind this one, `most` of
    /// them; the first ones behind an empty name.
    pub(crate) fn names_after(
        &mut self,
        dir: DirId,
        after: &[u8],
        most: usize,
    ) -> Result<Vec<Vec<u8>>, CatalogError> {
        let sql = "SELECT name FROM live WHERE dir=?1 AND name>?2 ORDER BY name LIMIT ?3";
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(sql, |statement| {
            let names = statement.query_map(params![dir.0, after, limit], |row| {
                Ok(bytes(row, 0)?.to_vec())
            })?;
            names.collect()
        })
    }

    /// Had a path, in any dump, another file of this size and time than this
    /// inode of a dump, which may have held something else?
    pub(crate) fn had_alike(
        &mut self,
        dir: DirId,
        name: &[u8],
        now: &Meta,
    ) -> Result<bool, CatalogError> {
        let of = (now.size.cast_signed(), nanos(now.mtime));
        let ino = now.ino.cast_signed();
        let sql = "SELECT i.ino, i.born, i.hash
                   FROM (SELECT inode FROM live WHERE dir=?1 AND name=?2
                     UNION ALL SELECT inode FROM past WHERE dir=?1 AND name=?2) v
                   CROSS JOIN inode i ON i.id=v.inode
                   WHERE i.kind=0 AND i.size=?3 AND i.mtime=?4 AND i.ino IS NOT ?5";
        let alike = self.hashes(sql, params![dir.0, name, of.0, of.1, ino])?;
        if alike.is_empty() {
            return Ok(false);
        }
        let sql = "SELECT ino, born, hash FROM inode
                   WHERE ino=?1 AND kind=0 AND size=?2 AND mtime=?3";
        let own = self.hashes(sql, params![ino, of.0, of.1])?;
        // One number may have been that of several files, one after the other.
        let first = own.first().copied().flatten();
        let is_own = |hash: &Option<Hash>| hash.is_some() && *hash == first;
        Ok(!own.iter().chain(&alike).all(is_own))
    }

    /// The hashes of some inodes, where they are known: number, birth and hash of each
    /// are asked for.
    fn hashes(
        &mut self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<Option<Hash>>, CatalogError> {
        self.ask(sql, |statement| {
            let each = statement.query_map(params, |row| {
                let (ino, born) = (row.get::<_, Option<i64>>(0)?, row.get(1)?);
                let closed = row.get_ref(2)?.as_blob_or_null()?;
                let known = ino.zip(closed);
                Ok(known.and_then(|(ino, closed)| open_hash(ino, born, closed)))
            })?;
            each.collect()
        })
    }

    /// How many names a directory has.
    pub(crate) fn count(&mut self, dir: DirId) -> Result<u64, CatalogError> {
        let sql = "SELECT count(*) FROM live WHERE dir=?1";
        let count = self.one(sql, [dir.0], |row| row.get::<_, i64>(0))?;
        Ok(count.map_or(0, i64::cast_unsigned))
    }

    /// The directory of this path, whether the head has one there or not, and
    /// the source directory that it was a copy of last; `None` when no dump ever
    /// had one.
    pub(crate) fn subdir(
        &mut self,
        dir: DirId,
        name: &[u8],
    ) -> Result<Option<(DirId, Option<SourceId>)>, CatalogError> {
        let sql = "SELECT id, src_fs, src_ino, src_born FROM dir WHERE parent=?1 AND name=?2";
        self.one(sql, params![dir.0, name], |row| {
            let source = match row.get::<_, Option<i64>>(1)? {
                None => None,
                Some(fs) => Some(SourceId {
                    fs,
                    ino: row.get::<_, i64>(2)?.cast_unsigned(),
                    born: time(row.get(3)?),
                }),
            };
            Ok((DirId(row.get(0)?), source))
        })
    }

    /// Under which names the head of a tree has what is known to be the copy of
    /// a source file: in one directory of those in which it has names.
    pub(crate) fn of_source(
        &mut self,
        tree: TreeId,
        source: SourceId,
    ) -> Result<Vec<(DirId, Vec<u8>, Known)>, CatalogError> {
        let sql = concat!(
            "SELECT d.id, ",
            inode_columns!(),
            " FROM inode i CROSS JOIN dir d ON d.id=i.src_dir",
            " WHERE i.src_ino=?1 AND i.src_fs=?2 AND i.src_born=?3 AND d.tree=?4"
        );
        let copies: Vec<(DirId, Known)> = self.ask(sql, |statement| {
            let (ino, born) = (source.ino.cast_signed(), nanos(source.born));
            let found = statement.query_map(params![ino, source.fs, born, tree.0], |row| {
                Ok((DirId(row.get(0)?), known(row, 1)?))
            })?;
            found.collect()
        })?;
        let mut found = Vec::new();
        for (dir, known) in copies {
            let names = self.names_of(dir, known.inode)?;
            found.extend(names.into_iter().map(|name| (dir, name, known)));
        }
        Ok(found)
    }

    /// The names of an inode in a directory of the head. Those who ask for one
    /// often ask for the others next, when all files of a directory were moved:
    /// so its names are kept.
    fn names_of(&mut self, dir: DirId, inode: InodeId) -> Result<Vec<Vec<u8>>, CatalogError> {
        if self.names.as_ref().is_none_or(|names| names.dir != dir) {
            self.names = self.all_names(dir)?;
        }
        if let Some(names) = &self.names {
            return Ok(names.by_inode.get(&inode.0).cloned().unwrap_or_default());
        }
        let sql = "SELECT name FROM live WHERE dir=?1 AND inode=?2";
        self.ask(sql, |statement| {
            let names = statement.query_map([dir.0, inode.0], |row| Ok(bytes(row, 0)?.to_vec()))?;
            names.collect()
        })
    }

    /// All names of a directory, unless it has too many to be kept.
    fn all_names(&mut self, dir: DirId) -> Result<Option<NamesOfDir>, CatalogError> {
        let sql = "SELECT inode, name FROM live WHERE dir=?1 LIMIT ?2";
        let most = i64::try_from(NamesOfDir::MOST).unwrap_or(i64::MAX);
        self.ask(sql, |statement| {
            let mut by_inode = HashMap::<i64, Vec<Vec<u8>>>::new();
            let (mut rows, mut number) = (statement.query([dir.0, most + 1])?, 0);
            while let Some(row) = rows.next()? {
                number += 1;
                let names = by_inode.entry(row.get(0)?).or_default();
                names.push(bytes(row, 1)?.to_vec());
            }
            Ok((number <= most).then_some(NamesOfDir { dir, by_inode }))
        })
    }

    /// The directory of the head that is the copy of a source directory.
    pub(crate) fn dir_of_source(
        &mut self,
        tree: TreeId,
        source: SourceId,
    ) -> Result<Option<DirId>, CatalogError> {
        // One that the head lacks has a row as well.
        let sql = "SELECT d.id FROM dir d CROSS JOIN live l ON l.dir=d.parent AND l.name=d.name
                   CROSS JOIN inode i ON i.id=l.inode
                   WHERE d.src_ino=?1 AND d.src_fs=?2 AND d.src_born=?3 AND d.tree=?4 AND i.kind=1
                   LIMIT 1";
        let (ino, born) = (source.ino.cast_signed(), nanos(source.born));
        self.one(sql, params![ino, source.fs, born, tree.0], |row| {
            row.get(0).map(DirId)
        })
    }

    /// The path of a directory below the top of its tree.
    pub(crate) fn path(&mut self, dir: DirId) -> Result<RelPath, CatalogError> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut at = dir.0;
        loop {
            let sql = "SELECT parent, name FROM dir WHERE id=?1";
            let found = self.one(sql, [at], |row| {
                Ok((row.get::<_, i64>(0)?, bytes(row, 1)?.to_vec()))
            })?;
            // A circle in a damaged file is deeper than any tree.
            let Some((parent, name)) = found.filter(|_| names.len() < 1 << 20) else {
                return Err(CatalogError::damaged(&self.path, CatalogOp::Read, None));
            };
            if parent == 0 {
                let names = names.iter().map(Vec::as_slice);
                return Ok(RelPath::from_names_upwards(names));
            }
            names.push(name);
            at = parent;
        }
    }

    fn ask<T>(
        &mut self,
        sql: &str,
        ask: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let statement = self.connection.prepare_cached(sql);
        let answer = statement.and_then(|mut statement| ask(&mut statement));
        answer.map_err(|e| CatalogError::sqlite(&self.path, CatalogOp::Read, e))
    }

    fn one<T>(
        &mut self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, CatalogError> {
        self.ask(sql, |statement| {
            statement.query_row(params, read).optional()
        })
    }
}
