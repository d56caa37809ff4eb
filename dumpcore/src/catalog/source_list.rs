//! Which files of the trees are as they were when their heads were made, for all
//! that is recorded of them: what a comparison of the trees with the dumps reads.
//!
//! The list is in a temporary file of SQLite's, in the order of the source's inode
//! numbers, each inode under one of its names. A checkpoint has inodes of which no
//! source is recorded until the next dump; then the version before stands for the
//! name, if it has the same size and time.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::columns::{bytes, facts, time};
use super::error::{CatalogError, CatalogOp};
use super::file::{Catalog, Reading};
use super::query::{Paths, hash_in};
use super::query_values::{HashState, SourceRow, SourceTotal, StoredFrom};
use super::schema;
use super::values::InodeId;
use crate::root::DumpRoot;

/// How much of the file is kept in memory, in KiB as a negative number.
const CACHE: i64 = -8 * 1024;

/// The files that are to be compared.
#[derive(Debug)]
pub(crate) struct SourceList {
    reading: Reading,
    /// Names of the trees that have a head.
    trees: Vec<Vec<u8>>,
    /// The last one that was given, with which it began, and whether it is behind
    /// the end of the list.
    last: i64,
    start: i64,
    again: bool,
}

impl SourceList {
    /// Makes the list of these trees. `None`: there is no catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn open(root: &DumpRoot, trees: &[&[u8]]) -> Result<Option<Self>, CatalogError> {
        let Some(reading) = Catalog::read(root)? else {
            return Ok(None);
        };
        let made = || -> rusqlite::Result<Vec<Vec<u8>>> {
            let db = reading.connection();
            db.busy_timeout(schema::LONG_PATIENCE)?;
            db.pragma_update(None, "cache_size", CACHE)?;
            let state = db.unchecked_transaction()?;
            let listed = list(db, trees)?;
            state.commit()?;
            Ok(listed)
        };
        let trees = made();
        let trees = trees.map_err(|e| CatalogError::sqlite(reading.path(), CatalogOp::Read, e))?;
        Ok(Some(Self {
            reading,
            trees,
            last: 0,
            start: 0,
            again: true,
        }))
    }

    /// The names of those of the trees that some dump is known to have.
    pub(crate) fn trees(&self) -> &[Vec<u8>] {
        &self.trees
    }

    /// Begins somewhere, and ends there: `seed` says where.
    pub(crate) fn begin_at(&mut self, seed: u64) -> Result<(), CatalogError> {
        let all = self.number("SELECT coalesce(max(ord), 0) FROM temp.todo")?;
        let start = seed.checked_rem(all.cast_unsigned()).unwrap_or(0);
        (self.start, self.again) = (start.cast_signed(), start == 0);
        self.last = self.start;
        Ok(())
    }

    /// How much there is to be compared, and of how many files nothing is known.
    pub(crate) fn total(&self) -> Result<SourceTotal, CatalogError> {
        let of = |what: &str| {
            let sql = format!(
                "SELECT {what} FROM temp.todo t CROSS JOIN main.inode i ON i.id=t.inode
                 WHERE i.src_ino IS NOT NULL AND i.src_ctime<>-1 AND i.hash IS NOT NULL"
            );
            self.number(&sql).map(i64::cast_unsigned)
        };
        Ok(SourceTotal {
            files: of("count(*)")?,
            bytes: of("coalesce(sum(i.bytes), 0)")?,
        })
    }

    fn number(&self, sql: &str) -> Result<i64, CatalogError> {
        let number = self
            .reading
            .connection()
            .query_row(sql, [], |row| row.get(0));
        number.map_err(|e| self.failed(e))
    }

    /// The next ones, `most` of them; none when all were given.
    pub(crate) fn next(&mut self, most: usize) -> Result<Vec<SourceRow>, CatalogError> {
        loop {
            let end = if self.again && self.start > 0 {
                self.start
            } else {
                i64::MAX
            };
            let rows = read(self.reading.connection(), (self.last, end), most);
            let rows = rows.map_err(|e| self.failed(e))?;
            if let Some((ord, _)) = rows.last() {
                self.last = *ord;
                return Ok(rows.into_iter().map(|(_, row)| row).collect());
            }
            if self.again {
                return Ok(Vec::new());
            }
            (self.last, self.again) = (0, true);
        }
    }

    fn failed(&self, error: rusqlite::Error) -> CatalogError {
        CatalogError::sqlite(self.reading.path(), CatalogOp::Read, error)
    }
}

/// Lists the files of the heads of trees. Returns the names of those that have one.
fn list(db: &Connection, trees: &[&[u8]]) -> rusqlite::Result<Vec<Vec<u8>>> {
    db.execute_batch(
        "CREATE TEMP TABLE pick(inode INTEGER PRIMARY KEY, dir INTEGER NOT NULL,
           name BLOB NOT NULL);
         CREATE TEMP TABLE todo(ord INTEGER PRIMARY KEY, inode INTEGER NOT NULL,
           dir INTEGER NOT NULL, name BLOB NOT NULL);",
    )?;
    let mut listed = Vec::new();
    for name in trees {
        let sql = "SELECT id FROM tree t WHERE name=?1
                   AND EXISTS(SELECT 1 FROM series s WHERE s.tree=t.id)";
        let id: Option<i64> = db.query_row(sql, [name], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            db.execute(PICK, [id])?;
            listed.push(name.to_vec());
        }
    }
    db.execute_batch(
        "INSERT INTO temp.todo(inode, dir, name) SELECT p.inode, p.dir, p.name FROM temp.pick p
           CROSS JOIN main.inode i ON i.id=p.inode ORDER BY i.src_ino;
         DROP TABLE temp.pick;",
    )?;
    Ok(listed)
}

/// For each name of a file in a head: the inode of which the source is known.
const PICK: &str = "
INSERT OR IGNORE INTO temp.pick
  SELECT iif(i.src_ino IS NOT NULL AND i.hash IS NOT NULL, i.id, coalesce(
      (SELECT j.id FROM past p CROSS JOIN inode j ON j.id=p.inode
       WHERE p.dir=l.dir AND p.name=l.name AND j.src_ino IS NOT NULL AND j.hash IS NOT NULL
       AND j.kind=0 AND j.size=i.size AND j.mtime=i.mtime ORDER BY p.last DESC LIMIT 1), i.id)),
    l.dir, l.name
  FROM live l CROSS JOIN dir d ON d.id=l.dir CROSS JOIN inode i ON i.id=l.inode
  WHERE d.tree=?1 AND i.kind=0";

fn read(
    db: &Connection,
    (after, end): (i64, i64),
    most: usize,
) -> rusqlite::Result<Vec<(i64, SourceRow)>> {
    let sql = "SELECT t.ord, t.inode, t.dir, t.name, i.ino, i.born, i.kind, i.mode, i.uid, i.gid,
                 i.size, i.bytes, i.mtime, i.rdev, i.hash, f.uuid, i.src_ino, i.src_born,
                 i.src_ctime
               FROM temp.todo t CROSS JOIN main.inode i ON i.id=t.inode
               LEFT JOIN main.filesystem f ON f.id=i.src_fs
               WHERE t.ord>?1 AND t.ord<=?2 ORDER BY t.ord LIMIT ?3";
    let mut paths = Paths::new(db);
    let mut statement = db.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, end, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let hash = match hash_in(row, 4, 14)? {
            HashState::Recorded(hash) => Some(hash),
            HashState::Missing | HashState::Broken => None,
        };
        let source = match row.get::<_, Option<String>>(15)? {
            None => None,
            Some(space) => Some(StoredFrom {
                space,
                ino: row.get::<_, i64>(16)?.cast_unsigned(),
                born: time(row.get(17)?),
                ctime: time(row.get(18)?),
            }),
        };
        let read = SourceRow {
            inode: InodeId(row.get(1)?),
            facts: facts(row, 4)?,
            hash,
            source,
            path: paths.of(row.get(2)?)?.join(bytes(row, 3)?),
        };
        found.push((row.get(0)?, read));
    }
    Ok(found)
}
