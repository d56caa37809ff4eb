//! The hashes and attributes of what a run copied of a dump, until its copy is recorded.
//!
//! A checkpoint or a replica is brought into the catalog when it is published,
//! by a look at its names; which hashes and attributes its files have is known to the
//! run that copied them alone. They are kept in a file of their own meanwhile, so that memory
//! does not grow with them; it is not flushed, and the next run removes it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Mutex;

use rusqlite::{Connection, ToSql, params};

use super::apply::{with_stage, within};
use super::columns::{closed_hash, nanos};
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::query_values::CONTENTS_DIFFER;
use super::scrub_record::key;
use super::values::{Facts, Hash};
use super::{open, schema};
use crate::policy::layout;
use crate::sys::dir::{self, For};
use crate::sys::lock::lock;

const TABLES: &str = "CREATE TABLE hashes(ino INTEGER NOT NULL, born INTEGER NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, hash BLOB NOT NULL);
  CREATE TABLE attributes(ino INTEGER NOT NULL, born INTEGER NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, xattrs INTEGER NOT NULL);";

/// Collects what is known of copies. Its file is removed with it.
#[derive(Debug)]
pub(crate) struct CopiedFiles {
    connection: Mutex<Option<Connection>>,
    dir: OwnedFd,
    path: PathBuf,
}

impl Drop for CopiedFiles {
    fn drop(&mut self) {
        drop(lock(&self.connection).take());
        open::remove_copied(&self.dir);
    }
}

impl CopiedFiles {
    /// A copy holds what has this hash.
    pub(crate) fn add_hash(&self, made: &Facts, hash: &Hash) -> Result<(), CatalogError> {
        self.add("hashes", made, |ino, born| closed_hash(ino, born, hash))
    }

    /// A copy is to have the attributes that this stands for.
    pub(crate) fn add_xattrs(&self, made: &Facts, xattrs: u64) -> Result<(), CatalogError> {
        self.add("attributes", made, |_, _| xattrs.cast_signed())
    }

    fn add<T: ToSql>(
        &self,
        table: &str,
        made: &Facts,
        what: impl FnOnce(i64, i64) -> T,
    ) -> Result<(), CatalogError> {
        let (Some(ino), born) = key(made) else {
            return Ok(());
        };
        // A number alone may be used again for something else.
        if born == 0 {
            return Ok(());
        }
        let what = what(ino, born);
        let (size, mtime) = (made.size.cast_signed(), nanos(made.mtime));
        let connection = lock(&self.connection);
        let Some(connection) = connection.as_ref() else {
            return Ok(());
        };
        let added = || {
            let sql = format!("INSERT INTO {table} VALUES(?1, ?2, ?3, ?4, ?5)");
            let mut add = connection.prepare_cached(&sql)?;
            add.execute(params![ino, born, size, mtime, what])
        };
        match added() {
            Ok(_) => Ok(()),
            Err(e) => Err(CatalogError::sqlite(&self.path, CatalogOp::Write, e)),
        }
    }
}

impl Catalog {
    /// Where it is kept for now what is known of copies.
    pub(crate) fn copied_files(&self) -> Result<CopiedFiles, CatalogError> {
        let path = self.place().file(layout::CATALOG_COPIED);
        let dir = dir::reopen(self.place().dir.as_fd(), For::Passing);
        let dir = dir.map_err(|e| CatalogError::io(&path, CatalogOp::Open, e))?;
        open::make_empty(&dir, &path, layout::CATALOG_COPIED)?;
        let connect = || {
            let connection = schema::connect(&path, true)?;
            schema::set_fleeting(&connection)?;
            connection.execute_batch(&format!("BEGIN; {TABLES}"))?;
            Ok(connection)
        };
        let connection = connect().map_err(|e| CatalogError::sqlite(&path, CatalogOp::Open, e))?;
        Ok(CopiedFiles {
            connection: Mutex::new(Some(connection)),
            dir,
            path,
        })
    }

    /// Records what is known of copies, of which the catalog knows the dump now.
    pub(crate) fn note_copied(&mut self, copied: CopiedFiles) -> Result<(), CatalogError> {
        let connection = lock(&copied.connection).take();
        let Some(connection) = connection else {
            return Ok(());
        };
        let ended = connection.execute_batch("COMMIT");
        // Its locks end before the catalog's own connection opens the file.
        drop(connection);
        let noted = ended.and_then(|()| with_stage(self.connection(), &copied.path, note));
        noted.map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Write, e))
    }

    /// Records files as damaged, with the hash of what was stored at first.
    pub(crate) fn note_damaged(
        &mut self,
        now: i64,
        damaged: &[(Facts, Hash)],
    ) -> Result<(), CatalogError> {
        let note = |db: &Connection| -> rusqlite::Result<()> {
            let mut each = damaged.iter();
            each.try_for_each(|(facts, hash)| note_one(db, now, facts, hash))
        };
        within(self.connection(), note)
            .map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Write, e))
    }
}

fn note(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "UPDATE inode SET hash=c.hash FROM s.hashes c WHERE inode.ino=c.ino
           AND inode.born=c.born AND inode.size=c.size AND inode.mtime=c.mtime;
         UPDATE inode SET xattrs=c.xattrs FROM s.attributes c WHERE inode.ino=c.ino
           AND inode.born=c.born AND inode.size=c.size AND inode.mtime=c.mtime",
    )
}

fn note_one(db: &Connection, now: i64, facts: &Facts, hash: &Hash) -> rusqlite::Result<()> {
    let (Some(ino), born) = key(facts) else {
        return Ok(());
    };
    let closed = closed_hash(ino, born, hash);
    let sql = "UPDATE inode SET hash=?5 WHERE ino=?1 AND born=?2 AND size=?3 AND mtime=?4
               AND born<>0";
    let (size, mtime) = (facts.size.cast_signed(), nanos(facts.mtime));
    let known = db.execute(sql, params![ino, born, size, mtime, closed.as_slice()])?;
    if known > 0 {
        let sql =
            "INSERT INTO scrubbed(inode, at, hashed, fault) SELECT id, ?3, NULL, ?4 FROM inode
                     WHERE ino=?1 AND born=?2
                   ON CONFLICT(inode) DO UPDATE SET at=?3, fault=?4";
        db.execute(sql, params![ino, born, now, CONTENTS_DIFFER])?;
    }
    Ok(())
}
