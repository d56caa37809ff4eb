//! Taking paths out of the catalog, with all that stood below them; of dumps that
//! still have one, what they have of it stays.
//!
//! The file is then written again as a whole, since its pages may hold copies of
//! names that were moved: nobody finds a name in it that was erased.

use std::os::fd::AsFd as _;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::{REMOVED, within};
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
    /// Forgets these paths in all dumps but those named with them, which still
    /// have them. `dir_bytes`: what the directories that went took themselves, by
    /// dump. The dump root is locked.
    ///
    /// # Errors
    /// The catalog may still hold them.
    pub(crate) fn erase(
        self,
        paths: &[(RelPath, Vec<DumpId>)],
        dir_bytes: &[(DumpId, u64)],
    ) -> Result<(), CatalogError> {
        let forget = |db: &Connection| {
            for (dump, bytes) in dir_bytes {
                let sql = "UPDATE dump SET dir_bytes=max(0, dir_bytes-?2) WHERE name=?1";
                db.execute(sql, params![dump.to_string(), bytes.cast_signed()])?;
            }
            let mut each = paths.iter();
            each.try_for_each(|(path, stays)| erase(db, path, stays))?;
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

/// Where the names of a path are.
struct Spot<'a> {
    tree: i64,
    dir: i64,
    name: &'a [u8],
}

/// `None`: no dump has had it.
fn spot<'a>(db: &Connection, path: &'a RelPath) -> rusqlite::Result<Option<Spot<'a>>> {
    let mut names = path.as_bytes().split(|byte| *byte == b'/');
    let tree = names.next().unwrap_or_default();
    let top = "SELECT dir, id FROM tree WHERE name=?1";
    let top = db.query_row(top, [tree], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((mut dir, tree)): Option<(i64, i64)> = top.optional()? else {
        return Ok(None);
    };
    let names: Vec<&[u8]> = names.collect();
    let Some((name, above)) = names.split_last() else {
        return Ok(None);
    };
    for name in above {
        match below(db, dir, name)? {
            Some(found) => dir = found,
            None => return Ok(None),
        }
    }
    Ok(Some(Spot { tree, dir, name }))
}

/// Notes which directories and runs a path has, and in which dumps it stays.
fn find(db: &Connection, spot: &Spot<'_>, stays: &[DumpId]) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS gone_dir(id INTEGER PRIMARY KEY);
         CREATE TEMP TABLE IF NOT EXISTS gone(dir INTEGER NOT NULL, name BLOB NOT NULL,
           inode INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER);
         CREATE TEMP TABLE IF NOT EXISTS came(inode INTEGER NOT NULL, first INTEGER NOT NULL,
           sign INTEGER NOT NULL);
         CREATE TEMP TABLE IF NOT EXISTS stays(seq INTEGER PRIMARY KEY);
         DELETE FROM gone_dir; DELETE FROM gone; DELETE FROM came; DELETE FROM stays;",
    )?;
    for dump in stays {
        let sql = "INSERT INTO stays SELECT s.seq FROM series s JOIN dump d ON d.id=s.dump
                   WHERE s.tree=?1 AND d.name=?2";
        db.execute(sql, params![spot.tree, dump.to_string()])?;
    }
    if let Some(own) = below(db, spot.dir, spot.name)? {
        db.execute(
            "WITH RECURSIVE b(id) AS (SELECT ?1 UNION ALL
               SELECT d.id FROM b CROSS JOIN dir d ON d.parent=b.id)
             INSERT INTO gone_dir SELECT id FROM b",
            [own],
        )?;
    }
    db.execute(
        "INSERT INTO gone SELECT dir, name, inode, first, last FROM version
         WHERE dir=?1 AND name=?2",
        params![spot.dir, spot.name],
    )?;
    db.execute_batch(
        "INSERT INTO gone SELECT dir, name, inode, first, NULL FROM live
           WHERE dir IN (SELECT id FROM gone_dir);
         INSERT INTO gone SELECT dir, name, inode, first, last FROM past
           WHERE dir IN (SELECT id FROM gone_dir);",
    )
}

fn erase(db: &Connection, path: &RelPath, stays: &[DumpId]) -> rusqlite::Result<()> {
    let Some(spot) = spot(db, path)? else {
        return Ok(());
    };
    find(db, &spot, stays)?;
    let tree = spot.tree;
    count_down(db, tree)?;
    note_first(db, tree, -1)?;
    for table in ["live", "past"] {
        let sql = format!("DELETE FROM {table} WHERE dir=?1 AND name=?2");
        db.execute(&sql, params![spot.dir, spot.name])?;
        let sql = format!("DELETE FROM {table} WHERE dir IN (SELECT id FROM gone_dir)");
        db.execute(&sql, [])?;
    }
    if !stays.is_empty() {
        keep_where_it_stays(db, tree)?;
    }
    note_first(db, tree, 1)?;
    move_added(db, tree)?;
    db.execute_batch(
        "DELETE FROM inode WHERE id IN (SELECT inode FROM gone)
           AND id NOT IN (SELECT inode FROM live) AND id NOT IN (SELECT inode FROM past);
         DELETE FROM dir WHERE id IN (SELECT id FROM gone_dir) AND NOT EXISTS(
           SELECT 1 FROM version v WHERE v.dir=dir.parent AND v.name=dir.name);
         UPDATE inode SET src_dir=NULL WHERE src_dir IN (SELECT id FROM gone_dir)
           AND src_dir NOT IN (SELECT id FROM dir);
         DELETE FROM gone_dir; DELETE FROM gone; DELETE FROM came; DELETE FROM stays;",
    )
}

/// Writes the parts of the runs again that are in dumps which still have the
/// path. A run is cut where a dump lost it; one that was removed cuts nothing.
fn keep_where_it_stays(db: &Connection, tree: i64) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS part(dir INTEGER NOT NULL, name BLOB NOT NULL,
           inode INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
         DELETE FROM part;",
    )?;
    db.execute(
        "WITH lost(seq) AS (SELECT s.seq FROM series s JOIN dump d ON d.id=s.dump
             WHERE s.tree=?1 AND d.state<>?2 AND s.seq NOT IN (SELECT seq FROM stays)),
           block(first, last) AS (SELECT min(seq), max(seq) FROM stays
             GROUP BY (SELECT count(*) FROM lost WHERE lost.seq<stays.seq)),
           run AS (SELECT dir, name, inode, first,
             coalesce(last, (SELECT max(seq) FROM series WHERE tree=?1)) AS last FROM gone)
         INSERT INTO part SELECT r.dir, r.name, r.inode, max(r.first, b.first),
           min(r.last, b.last) FROM run r JOIN block b ON r.first<=b.last AND b.first<=r.last",
        params![tree, REMOVED],
    )?;
    let newest = "(SELECT max(seq) FROM series WHERE tree=?1)";
    let live = format!(
        "INSERT INTO live(dir, name, inode, first) SELECT dir, name, inode, first FROM part
         WHERE last={newest}"
    );
    let past = format!(
        "INSERT INTO past(dir, name, first, last, inode) SELECT dir, name, first, last, inode
         FROM part WHERE last<{newest}"
    );
    db.execute(&live, [tree])?;
    db.execute(&past, [tree])?;
    db.execute_batch("DELETE FROM part")
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
         WHERE s.tree=?1 AND s.seq NOT IN (SELECT seq FROM stays)",
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
