//! How large the catalog is, what it knows, and what it lacks.

use rusqlite::Connection;

use super::catch_up::{in_order, missing, on_disk_at, recorded};
use super::error::{CatalogError, CatalogOp};
use super::file::Reading;
use super::report::{CatalogStatus, CatalogTree};
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

impl Reading {
    /// What is in it, and what it lacks.
    pub(crate) fn status(&self, root: &DumpRoot) -> Result<CatalogStatus, CatalogError> {
        let failed = |e| CatalogError::sqlite(self.path(), CatalogOp::Read, e);
        let mut status = counts(self.connection()).map_err(failed)?;
        status.path = self.path().to_path_buf();
        status.trees = trees(self.connection()).map_err(failed)?;
        let listing = root.listing();
        let there = on_disk_at(self.path(), root, &listing)?;
        let recorded = recorded(self.connection()).map_err(failed)?;
        status.not_recorded = in_order(missing(&there, &recorded), &listing);
        status.not_on_disk = missing(&recorded, &there);
        Ok(status)
    }
}

fn counts(db: &Connection) -> rusqlite::Result<CatalogStatus> {
    let number = |sql: &str| {
        let number = db.query_row(sql, [], |row| row.get::<_, i64>(0))?;
        Ok::<u64, rusqlite::Error>(number.cast_unsigned())
    };
    Ok(CatalogStatus {
        size_bytes: number("SELECT page_count*page_size FROM pragma_page_count, pragma_page_size")?,
        dumps: number("SELECT count(*) FROM dump WHERE state<>2")?,
        names: number("SELECT count(*) FROM live")?,
        past_names: number("SELECT count(*) FROM past")?,
        inodes: number("SELECT count(*) FROM inode WHERE ino IS NOT NULL")?,
        hashes: number("SELECT count(*) FROM inode WHERE hash IS NOT NULL AND ino IS NOT NULL")?,
        sources: number("SELECT count(*) FROM inode WHERE src_ino IS NOT NULL")?,
        ..CatalogStatus::default()
    })
}

fn trees(db: &Connection) -> rusqlite::Result<Vec<CatalogTree>> {
    let sql = "SELECT t.name, (SELECT count(*) FROM series s JOIN dump d ON d.id=s.dump
                   WHERE s.tree=t.id AND d.state<>2), d.name, s.entries, s.bytes
               FROM tree t LEFT JOIN series s ON s.tree=t.id
                 AND s.seq=(SELECT max(seq) FROM series WHERE tree=t.id)
               LEFT JOIN dump d ON d.id=s.dump ORDER BY t.name";
    let mut statement = db.prepare(sql)?;
    let trees = statement.query_map([], |row| {
        let head: Option<String> = row.get(2)?;
        Ok(CatalogTree {
            name: RelPath::from_bytes(&row.get::<_, Vec<u8>>(0)?).into(),
            dumps: row.get::<_, i64>(1)?.cast_unsigned(),
            head: head.and_then(|head| DumpId::parse(head.as_bytes())),
            entries: row
                .get::<_, Option<i64>>(3)?
                .unwrap_or_default()
                .cast_unsigned(),
            bytes: row
                .get::<_, Option<i64>>(4)?
                .unwrap_or_default()
                .cast_unsigned(),
        })
    })?;
    trees.collect()
}
