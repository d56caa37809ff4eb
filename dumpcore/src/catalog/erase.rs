//! Taking paths out of the catalog, with all that stood below them.
//!
//! The file is then written again as a whole, since its pages may hold copies of
//! names that were moved: nobody finds a name in it that was erased.

use std::os::fd::AsFd as _;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::within;
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::open;
use super::place::Place;
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::sys::name::c_name;
use crate::sys::{disk, file, link};

impl Catalog {
    /// Forgets these paths in all dumps. `dir_bytes`: what the directories that
    /// went took themselves, by dump. The dump root is locked.
    ///
    /// # Errors
    /// The catalog may still hold them.
    pub(crate) fn erase(
        self,
        paths: &[RelPath],
        dir_bytes: &[(DumpId, u64)],
    ) -> Result<(), CatalogError> {
        let forget = |db: &Connection| {
            for (dump, bytes) in dir_bytes {
                let sql = "UPDATE dump SET dir_bytes=max(0, dir_bytes-?2) WHERE name=?1";
                db.execute(sql, params![dump.to_string(), bytes.cast_signed()])?;
            }
            paths.iter().try_for_each(|path| erase(db, path))?;
            // Their numbers may be given to others.
            let sql = "DELETE FROM scrubbed WHERE inode NOT IN (SELECT id FROM inode)";
            db.execute(sql, []).map(drop)
        };
        match within(self.connection(), forget) {
            Ok(()) => self.write_again(),
            Err(e) => {
                let error = CatalogError::sqlite(self.path(), CatalogOp::Write, e);
                Err(self.give_up(error))
            }
        }
    }

    /// Removes a catalog that was set aside: it is of no use, and may hold what is
    /// erased.
    pub(crate) fn remove_bad(root: &DumpRoot) {
        if let Ok(Some(place)) = Place::existing(root) {
            let _ = link::remove(place.dir.as_fd(), &c_name(layout::CATALOG_BAD.as_bytes()));
        }
    }

    /// Puts a copy without free space in the place of the file.
    fn write_again(self) -> Result<(), CatalogError> {
        let path = self.path().to_path_buf();
        let new = path.with_file_name(layout::CATALOG_REBUILD);
        let sqlite = |e| CatalogError::sqlite(&path, CatalogOp::Write, e);
        let io = |e| CatalogError::io(&path, CatalogOp::Write, e);
        let odd = || io(std::io::Error::other("its path is not UTF-8"));
        let into = new.to_str().ok_or_else(odd)?;
        open::remove_leftovers(&self.place().dir);
        open::make_empty(&self.place().dir, &new, layout::CATALOG_REBUILD)?;
        self.connection()
            .execute("VACUUM INTO ?1", [into])
            .map_err(sqlite)?;
        let state = self.close()?.dir;
        let name = |name: &str| c_name(name.as_bytes());
        let place = || {
            let (new, old) = (name(layout::CATALOG_REBUILD), name(layout::CATALOG));
            disk::sync(file::open_file(state.as_fd(), &new)?)?;
            link::rename_over(state.as_fd(), &new, state.as_fd(), &old)?;
            disk::sync(&state)
        };
        place().map_err(io)
    }
}

fn erase(db: &Connection, path: &RelPath) -> rusqlite::Result<()> {
    let mut names = path.as_bytes().split(|byte| *byte == b'/');
    let tree = names.next().unwrap_or_default();
    let top = "SELECT dir, id FROM tree WHERE name=?1";
    let top = db.query_row(top, [tree], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((mut dir, tree)): Option<(i64, i64)> = top.optional()? else {
        return Ok(());
    };
    let names: Vec<&[u8]> = names.collect();
    let Some((last, above)) = names.split_last() else {
        return Ok(());
    };
    for name in above {
        match below(db, dir, name)? {
            Some(found) => dir = found,
            None => return Ok(()),
        }
    }
    db.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS gone_dir(id INTEGER PRIMARY KEY);
         CREATE TEMP TABLE IF NOT EXISTS gone(inode INTEGER NOT NULL, first INTEGER NOT NULL,
           last INTEGER);
         CREATE TEMP TABLE IF NOT EXISTS came(inode INTEGER NOT NULL, first INTEGER NOT NULL,
           sign INTEGER NOT NULL);
         DELETE FROM gone_dir; DELETE FROM gone; DELETE FROM came;",
    )?;
    if let Some(own) = below(db, dir, last)? {
        db.execute(
            "WITH RECURSIVE b(id) AS (SELECT ?1 UNION ALL
               SELECT d.id FROM b CROSS JOIN dir d ON d.parent=b.id)
             INSERT INTO gone_dir SELECT id FROM b",
            [own],
        )?;
    }
    db.execute(
        "INSERT INTO gone SELECT inode, first, last FROM version WHERE dir=?1 AND name=?2",
        params![dir, last],
    )?;
    db.execute_batch(
        "INSERT INTO gone SELECT inode, first, NULL FROM live WHERE dir IN (SELECT id FROM gone_dir);
         INSERT INTO gone SELECT inode, first, last FROM past WHERE dir IN (SELECT id FROM gone_dir);",
    )?;
    count_down(db, tree)?;
    note_first(db, tree, -1)?;
    for table in ["live", "past"] {
        let sql = format!("DELETE FROM {table} WHERE dir=?1 AND name=?2");
        db.execute(&sql, params![dir, last])?;
        let sql = format!("DELETE FROM {table} WHERE dir IN (SELECT id FROM gone_dir)");
        db.execute(&sql, [])?;
    }
    note_first(db, tree, 1)?;
    move_added(db, tree)?;
    db.execute_batch(
        "DELETE FROM inode WHERE id IN (SELECT inode FROM gone)
           AND id NOT IN (SELECT inode FROM live) AND id NOT IN (SELECT inode FROM past);
         UPDATE inode SET src_dir=NULL WHERE src_dir IN (SELECT id FROM gone_dir);
         DELETE FROM dir WHERE id IN (SELECT id FROM gone_dir);
         DELETE FROM gone_dir; DELETE FROM gone; DELETE FROM came;",
    )
}

fn below(db: &Connection, dir: i64, name: &[u8]) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM dir WHERE parent=?1 AND name=?2";
    let found = db.query_row(sql, params![dir, name], |row| row.get(0));
    found.optional()
}

/// The dumps of a tree have fewer entries and bytes.
fn count_down(db: &Connection, tree: i64) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE series AS s SET
           entries=max(0, entries-(SELECT count(*) FROM gone g
             WHERE s.seq>=g.first AND (g.last IS NULL OR s.seq<=g.last))),
           bytes=max(0, bytes-(SELECT coalesce(sum(CASE WHEN i.kind=0 THEN i.size ELSE 0 END), 0)
             FROM gone g JOIN inode i ON i.id=g.inode
             WHERE s.seq>=g.first AND (g.last IS NULL OR s.seq<=g.last)))
         WHERE s.tree=?1",
        [tree],
    )?;
    Ok(())
}

/// Notes with which dump of the tree each inode came that lost a name.
fn note_first(db: &Connection, tree: i64, sign: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO came SELECT v.inode, min(v.first), ?2 FROM version v
           JOIN dir d ON d.id=v.dir AND d.tree=?1
           WHERE v.inode IN (SELECT inode FROM gone) GROUP BY v.inode",
        [tree, sign],
    )?;
    Ok(())
}

/// What a dump has added that is gone, or came only with a later one, is that
/// one's.
fn move_added(db: &Connection, tree: i64) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE dump AS d SET added_bytes=max(0, added_bytes+(
           SELECT coalesce(sum(c.sign*i.bytes), 0) FROM came c
             JOIN inode i ON i.id=c.inode AND i.kind<>1
             JOIN series s ON s.tree=?1 AND s.seq=c.first
             WHERE s.dump=d.id))
         WHERE d.id IN (SELECT dump FROM series WHERE tree=?1)",
        [tree],
    )?;
    Ok(())
}
