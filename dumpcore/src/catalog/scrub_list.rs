//! What a scrub looks at: each inode that some dump on disk has, once.
//!
//! The list is in a temporary file of SQLite's, so that memory does not grow with
//! the number of inodes. It is made in one pass over all names; after that each
//! question is short, and no run that writes the catalog waits for a scrub.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::columns::{bytes, facts};
use super::error::{CatalogError, CatalogOp};
use super::file::{Catalog, Reading};
use super::query::{Paths, Series, hash_in, xattrs_column, xattrs_in};
use super::query_values::{ScrubChoice, ScrubRow, ScrubTotal};
use super::schema;
use super::values::InodeId;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

/// How much of the file is kept in memory, in KiB as a negative number.
const CACHE: i64 = -2 * 1024;

/// The inodes that are to be looked at.
#[derive(Debug)]
pub(crate) struct ScrubList {
    reading: Reading,
    last: i64,
}

impl ScrubList {
    /// Makes the list. `None`: there is no catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn open(
        root: &DumpRoot,
        choice: ScrubChoice<'_>,
    ) -> Result<Option<Self>, CatalogError> {
        let Some(reading) = Catalog::read(root)? else {
            return Ok(None);
        };
        let made = || -> rusqlite::Result<()> {
            let db = reading.connection();
            db.busy_timeout(schema::LONG_PATIENCE)?;
            db.pragma_update(None, "cache_size", CACHE)?;
            let state = db.unchecked_transaction()?;
            pick(db, choice)?;
            order(db, choice)?;
            state.commit()
        };
        made().map_err(|e| CatalogError::sqlite(reading.path(), CatalogOp::Read, e))?;
        Ok(Some(Self { reading, last: 0 }))
    }

    /// How much there is to be looked at.
    pub(crate) fn total(&self) -> Result<ScrubTotal, CatalogError> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE i.kind=0),
                     coalesce(sum(i.bytes) FILTER (WHERE i.kind=0), 0)
                   FROM temp.todo t CROSS JOIN main.inode i ON i.id=t.inode";
        let db = self.reading.connection();
        let total = db.query_row(sql, [], |row| {
            Ok(ScrubTotal {
                inodes: row.get::<_, i64>(0)?.cast_unsigned(),
                files: row.get::<_, i64>(1)?.cast_unsigned(),
                bytes: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        });
        total.map_err(|e| self.failed(e))
    }

    /// The next ones, `most` of them; none when all were given.
    pub(crate) fn next(&mut self, most: usize) -> Result<Vec<ScrubRow>, CatalogError> {
        let rows = read(self.reading.connection(), self.last, most);
        let rows = rows.map_err(|e| self.failed(e))?;
        if let Some((ord, _)) = rows.last() {
            self.last = *ord;
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn failed(&self, error: rusqlite::Error) -> CatalogError {
        CatalogError::sqlite(self.reading.path(), CatalogOp::Read, error)
    }
}

/// Finds a name for each inode in one of the dumps.
fn pick(db: &Connection, choice: ScrubChoice<'_>) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE pick(inode INTEGER PRIMARY KEY, dump TEXT NOT NULL,
           dir INTEGER NOT NULL, name BLOB NOT NULL);
         CREATE TEMP TABLE todo(ord INTEGER PRIMARY KEY, inode INTEGER NOT NULL,
           dump TEXT NOT NULL, dir INTEGER NOT NULL, name BLOB NOT NULL);",
    )?;
    let series = Series::read(db)?;
    let trees: HashMap<i64, usize> = series.tree_ids().zip(0..).collect();
    let is_chosen = |dump: DumpId| choice.dumps.is_none_or(|dumps| dumps.contains(&dump));
    let last_chosen: Vec<Vec<Option<usize>>> = (0..trees.len())
        .map(|tree| last_chosen(&series.on_disk(tree), is_chosen))
        .collect();
    let names: Vec<Vec<String>> = (0..trees.len())
        .map(|tree| {
            let dumps = series.on_disk(tree).into_iter();
            dumps.map(|(dump, _)| dump.to_string()).collect()
        })
        .collect();
    let mut add = db.prepare("INSERT OR IGNORE INTO temp.pick VALUES(?1, ?2, ?3, ?4)")?;
    for table in ["live", "past"] {
        let last = if table == "live" { "NULL" } else { "l.last" };
        let sql = format!(
            "SELECT l.inode, d.tree, l.first, {last}, l.dir, l.name FROM {table} l
             CROSS JOIN dir d ON d.id=l.dir"
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(&tree) = trees.get(&row.get(1)?) else {
                continue;
            };
            let chosen = &last_chosen[tree];
            let first = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX);
            let last = row.get::<_, Option<i64>>(3)?;
            let last = last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(0));
            let last = last.min(chosen.len().saturating_sub(1));
            let at = chosen
                .get(last)
                .copied()
                .flatten()
                .filter(|at| *at >= first);
            if let Some(at) = at {
                let inode: i64 = row.get(0)?;
                let (dir, name) = (row.get::<_, i64>(4)?, bytes(row, 5)?);
                add.execute(params![inode, names[tree][at], dir, name])?;
            }
        }
    }
    Ok(())
}

/// For each number of a series: the last one up to there that is chosen and on
/// disk.
fn last_chosen(dumps: &[(DumpId, bool)], is_chosen: impl Fn(DumpId) -> bool) -> Vec<Option<usize>> {
    let mut last = None;
    let each = dumps.iter().enumerate().map(|(at, (dump, is_there))| {
        if *is_there && is_chosen(*dump) {
            last = Some(at);
        }
        last
    });
    each.collect()
}

/// Puts those into the list that are to be looked at.
fn order(db: &Connection, choice: ScrubChoice<'_>) -> rusqlite::Result<()> {
    let (join, when, at) = match schema::has_scrub(db)? {
        true => (
            "LEFT JOIN main.scrubbed s ON s.inode=i.id",
            "(s.at IS NULL OR s.at<?1 OR s.fault<>0)",
            "coalesce(s.at, 0)",
        ),
        false => ("", "?1 IS NOT NULL", "0"),
    };
    let by = match choice.oldest_first {
        true => format!("{at}, i.ino"),
        false => "i.ino".to_owned(),
    };
    let sql = format!(
        "INSERT INTO temp.todo(inode, dump, dir, name)
         SELECT p.inode, p.dump, p.dir, p.name FROM temp.pick p
         CROSS JOIN main.inode i ON i.id=p.inode {join}
         WHERE i.kind<>1 AND i.ino IS NOT NULL AND {when} ORDER BY {by}"
    );
    db.execute(&sql, [choice.before])?;
    db.execute_batch("DROP TABLE temp.pick")
}

fn read(db: &Connection, after: i64, most: usize) -> rusqlite::Result<Vec<(i64, ScrubRow)>> {
    let sql = format!(
        "SELECT t.ord, t.inode, t.dump, t.dir, t.name, i.ino, i.born, i.kind, i.mode, i.uid,
           i.gid, i.size, i.bytes, i.mtime, i.rdev, i.hash, {}
         FROM temp.todo t CROSS JOIN main.inode i ON i.id=t.inode
         WHERE t.ord>?1 ORDER BY t.ord LIMIT ?2",
        xattrs_column(db)?
    );
    let mut paths = Paths::new(db);
    let mut statement = db.prepare_cached(&sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let dump: String = row.get(2)?;
        // One that was replaced meanwhile has no number any longer.
        let (Some(dump), Some(_)) = (
            DumpId::parse(dump.as_bytes()),
            row.get::<_, Option<i64>>(5)?,
        ) else {
            continue;
        };
        let path = paths.of(row.get(3)?)?.join(bytes(row, 4)?);
        let read = ScrubRow {
            inode: InodeId(row.get(1)?),
            facts: facts(row, 5)?,
            hash: hash_in(row, 5, 15)?,
            xattrs: xattrs_in(row, 16)?,
            dump,
            path,
        };
        found.push((row.get(0)?, read));
    }
    Ok(found)
}
