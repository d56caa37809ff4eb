//! One transaction that records a dump, and what undoes it.
//!
//! The findings are attached as `s`, and brought in by a few statements over
//! whole tables. A dump is recorded as pending before it is published; what is
//! found pending by the next run is settled by looking at the disk.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::between::{self, INODE};
use super::columns::nanos;
use super::values::{NewDump, NewTree, TreeId};
use crate::model::time::Time;
use crate::policy::layout::DumpId;

/// What became of a dump: its column `state`.
pub(super) const PENDING: i64 = 0;
pub(super) const THERE: i64 = 1;
pub(super) const REMOVED: i64 = 2;

/// Are an inode `x` of the stage and one `m` of the catalog, of equal number,
/// one inode? What a published dump holds never changes.
const EQUAL: &str = "x.kind=m.kind AND x.mode=m.mode AND x.uid=m.uid AND x.gid=m.gid
    AND x.size=m.size AND x.mtime=m.mtime AND x.rdev=m.rdev";

/// The columns of what is known of an inode's source.
const SOURCE: &str = "src_fs, src_ino, src_born, src_ctime, src_dir";

/// Runs `work` in a transaction with the staging file attached; all of it
/// counts, or nothing.
pub(super) fn with_stage<T>(
    connection: &Connection,
    stage: &Path,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    // As bytes, since a path need not be text.
    connection.execute("ATTACH ?1 AS s", [stage.as_os_str().as_bytes()])?;
    let set = "PRAGMA s.journal_mode=OFF; PRAGMA s.synchronous=OFF; PRAGMA s.cache_size=-1024;
               PRAGMA cache_size=-3072";
    let done = connection
        .execute_batch(set)
        .and_then(|()| within(connection, work));
    connection.flush_prepared_statement_cache();
    let _ = connection.execute_batch("DETACH s; PRAGMA cache_size=-1024");
    done
}

/// Runs `work` in a transaction.
pub(super) fn within<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = work(connection).and_then(|done| {
        connection.execute_batch("COMMIT")?;
        Ok(done)
    });
    if done.is_err() && !connection.is_autocommit() {
        // Where that fails, the next one who opens the file does it.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// When a dump was made, as a number; a first copy comes before all others.
pub(super) fn moment_number(moment: Option<DateTime<Utc>>) -> i64 {
    moment.map_or(i64::MIN, |moment| nanos(Time::from(moment)))
}

/// Records a dump as pending, with all that the stage holds.
pub(super) fn record(db: &Connection, new: &NewDump) -> rusqlite::Result<i64> {
    let dump = add_dump(db, new)?;
    add_dirs(db)?;
    let (mut inserted, mut is_first) = (Vec::new(), true);
    for tree in &new.trees {
        let place = place(db, new, tree)?;
        if place.seq <= place.last {
            between::fill(db, tree.id, place.base)?;
            inserted.push((tree, place.seq));
        }
        is_first &= place.last < 0;
        note_place(db, tree, &place)?;
    }
    let moved_by = add_inodes(db)?;
    if new.added_bytes.is_none() {
        let sql = "UPDATE dump SET added_bytes=(SELECT coalesce(sum(bytes),0) FROM inode
                   WHERE id>?2 AND kind<>1) WHERE id=?1";
        db.execute(sql, params![dump, moved_by])?;
    }
    for (tree, seq) in inserted {
        between::insert(db, tree.id, seq, moved_by)?;
    }
    for tree in &new.trees {
        add_series(db, dump, tree)?;
    }
    // Nothing ends where nothing has begun.
    if !is_first {
        close_dirs(db)?;
        end_runs(db, moved_by)?;
    }
    begin_runs(db, moved_by)?;
    note_sources(db)?;
    Ok(dump)
}

/// Where a dump stands among those of a tree.
struct Place {
    /// Its own number.
    seq: i64,
    /// The number of the last one so far; -1 when there is none.
    last: i64,
    /// The number of the dump that the findings differ from.
    base: i64,
}

fn place(db: &Connection, new: &NewDump, tree: &NewTree) -> rusqlite::Result<Place> {
    let (seq, last) = numbers(db, tree.id, moment_number(new.moment), new.name)?;
    Ok(Place {
        seq,
        last,
        base: tree.base.unwrap_or(last),
    })
}

/// The number that a dump gets in the series of a tree, and that of the last
/// one so far.
pub(super) fn numbers(
    db: &Connection,
    tree: TreeId,
    moment: i64,
    name: DumpId,
) -> rusqlite::Result<(i64, i64)> {
    let sql = "SELECT count(*) FROM series s JOIN dump d ON d.id=s.dump
               WHERE s.tree=?1 AND (d.moment, d.name) < (?2, ?3)";
    let seq = db.query_row(sql, params![tree.0, moment, name.to_string()], |row| {
        row.get(0)
    })?;
    let sql = "SELECT coalesce(max(seq),-1) FROM series WHERE tree=?1";
    Ok((seq, db.query_row(sql, [tree.0], |row| row.get(0))?))
}

fn note_place(db: &Connection, tree: &NewTree, place: &Place) -> rusqlite::Result<()> {
    let sql = "INSERT INTO s.now VALUES(?1, ?2, ?3, ?4)";
    db.execute(sql, params![tree.id.0, place.seq, place.base, place.last])?;
    Ok(())
}

fn add_dump(db: &Connection, new: &NewDump) -> rusqlite::Result<i64> {
    let name = new.name.to_string();
    // A dump of that name was removed, or the catalog is not of this root.
    forget(db, &name)?;
    let sql = "INSERT INTO dump(name, moment, ino, token, state, partial, added_bytes, dir_bytes)
               VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    db.execute(
        sql,
        params![
            name,
            moment_number(new.moment),
            new.ino.cast_signed(),
            new.token,
            PENDING,
            new.partial,
            new.added_bytes.unwrap_or_default().cast_signed(),
            new.dir_bytes.cast_signed(),
        ],
    )?;
    Ok(db.last_insert_rowid())
}

/// Gives the name of a dump that is recorded free for another one.
fn forget(db: &Connection, name: &str) -> rusqlite::Result<()> {
    let sql = "SELECT id FROM dump WHERE name=?1";
    let Some(old) = db.query_row(sql, [name], |row| row.get(0)).optional()? else {
        return Ok(());
    };
    remove(db, &[old])?;
    // Its place in the series stays, where later ones follow.
    let sql = "UPDATE dump SET name=name||' (removed '||id||')' WHERE id=?1";
    db.execute(sql, [old])?;
    Ok(())
}

fn add_series(db: &Connection, dump: i64, tree: &NewTree) -> rusqlite::Result<()> {
    let sql = "INSERT INTO series SELECT tree, seq, ?2, ?3, ?4 FROM s.now WHERE tree=?1";
    let (entries, bytes) = (tree.entries.cast_signed(), tree.bytes.cast_signed());
    db.execute(sql, params![tree.id.0, dump, entries, bytes])?;
    // Of a dump between others, the head's stay.
    let sql = "UPDATE tree SET fingerprint=?2, turn=?3 WHERE id=?1
               AND EXISTS(SELECT 1 FROM s.now n WHERE n.tree=?1 AND n.seq>n.last)";
    db.execute(sql, params![tree.id.0, tree.fingerprint, tree.turn])?;
    Ok(())
}

fn add_dirs(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "INSERT INTO dir(id, parent, name, tree) SELECT id, parent, name, tree FROM s.dir;
         UPDATE dir SET (src_fs, src_ino, src_born) =
           (SELECT x.src_fs, x.src_ino, x.src_born FROM s.dir_source x WHERE x.dir=dir.id)
         WHERE id IN (SELECT dir FROM s.dir_source);",
    )
}

/// Brings in the inodes that are not known yet. Returns by how much their
/// numbers in the stage are moved.
fn add_inodes(db: &Connection) -> rusqlite::Result<i64> {
    let moved_by = db.query_row("SELECT coalesce(max(id),0) FROM inode", [], |row| {
        row.get(0)
    })?;
    if moved_by > 0 {
        recognise_inodes(db)?;
    }
    let sql = format!(
        "INSERT INTO inode(id, ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev, hash,
           xattrs, {SOURCE}) SELECT ?1+id, ino, born, kind, mode, uid, gid, size, bytes, mtime,
           rdev, hash, xattrs, {SOURCE} FROM s.inode WHERE id NOT IN (SELECT id FROM s.same)"
    );
    db.execute(&sql, [moved_by])?;
    Ok(moved_by)
}

/// Finds the inodes that are known, and notes what is new of them. A directory
/// whose metadata did not change keeps its row.
fn recognise_inodes(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "INSERT INTO s.same SELECT x.id, m.id FROM s.inode x CROSS JOIN inode m
           ON m.ino=x.ino AND m.born=x.born WHERE x.ino IS NOT NULL AND {EQUAL};
         INSERT OR IGNORE INTO s.same SELECT e.inode, m.id FROM s.entry e
           CROSS JOIN s.inode x ON x.id=e.inode CROSS JOIN live l ON l.dir=e.dir AND l.name=e.name
           CROSS JOIN inode m ON m.id=l.inode
           WHERE x.kind=1 AND m.kind=1 AND x.mode=m.mode AND x.uid=m.uid AND x.gid=m.gid
           AND x.mtime=m.mtime AND x.rdev=m.rdev;
         UPDATE inode SET ino=NULL WHERE id IN (SELECT m.id FROM s.inode x CROSS JOIN inode m
           ON m.ino=x.ino AND m.born=x.born WHERE x.ino IS NOT NULL AND NOT ({EQUAL}));
         UPDATE inode AS m SET (bytes, hash, xattrs, {SOURCE}) = (SELECT x.bytes,
             coalesce(x.hash, m.hash), coalesce(x.xattrs, m.xattrs), iif(x.src_fs IS NULL, m.src_fs, x.src_fs),
             iif(x.src_fs IS NULL, m.src_ino, x.src_ino),
             iif(x.src_fs IS NULL, m.src_born, x.src_born),
             iif(x.src_fs IS NULL, m.src_ctime, x.src_ctime),
             iif(x.src_fs IS NULL, m.src_dir, x.src_dir)
             FROM s.same y CROSS JOIN s.inode x ON x.id=y.id WHERE y.main=m.id)
           WHERE id IN (SELECT y.main FROM s.same y CROSS JOIN s.inode x ON x.id=y.id
             WHERE x.kind<>1);"
    ))
}

/// Ends the runs of all names below directories that are gone, or became
/// something else.
fn close_dirs(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "INSERT INTO s.closed WITH RECURSIVE below(id) AS (
           SELECT d.id FROM s.entry e CROSS JOIN live l ON l.dir=e.dir AND l.name=e.name
             CROSS JOIN inode m ON m.id=l.inode
             CROSS JOIN dir d ON d.parent=e.dir AND d.name=e.name
             LEFT JOIN s.inode x ON x.id=e.inode WHERE m.kind=1 AND x.kind IS NOT 1
           UNION SELECT d.id FROM below b CROSS JOIN dir d ON d.parent=b.id)
         SELECT id FROM below;
         DELETE FROM s.entry WHERE dir IN (SELECT dir FROM s.closed);
         INSERT INTO past SELECT l.dir, l.name, l.first, n.seq-1, l.inode FROM s.closed c
           CROSS JOIN live l ON l.dir=c.dir CROSS JOIN dir d ON d.id=c.dir
           CROSS JOIN s.now n ON n.tree=d.tree WHERE l.first<n.seq;
         DELETE FROM live WHERE dir IN (SELECT dir FROM s.closed);",
    )
}

/// Ends the runs of names that are gone or changed, and leaves out what did not
/// change.
fn end_runs(db: &Connection, moved_by: i64) -> rusqlite::Result<()> {
    let unchanged = format!(
        "DELETE FROM s.entry AS e WHERE e.inode IS NOT NULL AND EXISTS(SELECT 1 FROM live l
           WHERE l.dir=e.dir AND l.name=e.name AND l.inode={INODE})"
    );
    db.execute(&unchanged, [moved_by])?;
    db.execute_batch(
        "INSERT INTO past SELECT e.dir, e.name, l.first, n.seq-1, l.inode FROM s.entry e
           CROSS JOIN live l ON l.dir=e.dir AND l.name=e.name CROSS JOIN dir d ON d.id=e.dir
           CROSS JOIN s.now n ON n.tree=d.tree WHERE l.first<n.seq;
         DELETE FROM live WHERE (dir, name) IN (SELECT dir, name FROM s.entry WHERE inode IS NULL);",
    )
}

/// Begins the runs of what is new or changed.
fn begin_runs(db: &Connection, moved_by: i64) -> rusqlite::Result<()> {
    let new = format!(
        "INSERT OR REPLACE INTO live SELECT e.dir, e.name, {INODE}, n.seq FROM s.entry e
           CROSS JOIN dir d ON d.id=e.dir CROSS JOIN s.now n ON n.tree=d.tree
           WHERE e.inode IS NOT NULL"
    );
    db.execute(&new, [moved_by])?;
    Ok(())
}

/// Notes what is known of the sources of inodes that did not change.
fn note_sources(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "UPDATE inode SET ({SOURCE}) = (SELECT x.src_fs, x.src_ino, x.src_born, x.src_ctime,
             x.src_dir FROM s.source x WHERE x.inode=inode.id)
         WHERE id IN (SELECT inode FROM s.source);"
    ))
}

/// Records that a dump was published; `sealed`: the time of change of its own
/// directory since.
pub(super) fn confirm(db: &Connection, dump: i64, sealed: Option<Time>) -> rusqlite::Result<()> {
    let sql = "UPDATE dump SET state=?2, sealed=?3 WHERE id=?1";
    db.execute(sql, params![dump, THERE, sealed.map(nanos)])?;
    Ok(())
}

/// Records that dumps are not there, or not any longer. Those at the end of a
/// series leave it, so that the names of its last one are those of a dump that
/// is there.
pub(super) fn remove(db: &Connection, dumps: &[i64]) -> rusqlite::Result<()> {
    let mut trees = Vec::new();
    for dump in dumps {
        db.execute(
            "UPDATE dump SET state=?2 WHERE id=?1",
            params![dump, REMOVED],
        )?;
        let mut of = db.prepare_cached("SELECT tree, seq FROM series WHERE dump=?1")?;
        let of = of.query_map([dump], |row| Ok((row.get(0)?, row.get(1)?)))?;
        trees.extend(of.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?);
    }
    trees.sort_unstable();
    // A whole block of removed dumps is dealt with at its first one.
    let mut done = (0, -1);
    for (tree, seq) in trees {
        trim(db, tree)?;
        if (tree, seq) > done {
            done = (tree, drop_dead_runs(db, tree, seq)?);
        }
    }
    let sql = "DELETE FROM dump AS d WHERE d.state=?1
               AND NOT EXISTS(SELECT 1 FROM series s WHERE s.dump=d.id)";
    db.execute(sql, [REMOVED])?;
    // The number may be given to another dump.
    let sql = "DELETE FROM scrubbed_dump WHERE dump NOT IN (SELECT id FROM dump WHERE state<>?1)";
    db.execute(sql, [REMOVED])?;
    Ok(())
}

/// Takes removed dumps from the end of a series.
fn trim(db: &Connection, tree: i64) -> rusqlite::Result<()> {
    let sql = "SELECT s.seq, d.state FROM series s LEFT JOIN dump d ON d.id=s.dump
               WHERE s.tree=?1 ORDER BY s.seq DESC LIMIT 1";
    loop {
        let last = db.prepare_cached(sql)?.query_row([tree], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        match last.optional()? {
            Some((seq, None | Some(REMOVED))) => take_back(db, tree, seq)?,
            _ => return Ok(()),
        }
    }
}

/// Brings back the names of a tree as they were before its last dump.
fn take_back(db: &Connection, tree: i64, seq: i64) -> rusqlite::Result<()> {
    let of_tree = "(SELECT tree FROM dir WHERE id=dir)=?1";
    if seq == 0 {
        let sql = "DELETE FROM live WHERE dir IN (SELECT id FROM dir WHERE tree=?1)";
        db.execute(sql, [tree])?;
    } else {
        let sql = format!("DELETE FROM live WHERE first=?2 AND first>0 AND {of_tree}");
        db.execute(&sql, [tree, seq])?;
        let sql = format!(
            "INSERT INTO live SELECT dir, name, inode, first FROM past WHERE last=?2-1 AND {of_tree}"
        );
        db.execute(&sql, [tree, seq])?;
        let sql = format!("DELETE FROM past WHERE last=?2-1 AND {of_tree}");
        db.execute(&sql, [tree, seq])?;
    }
    let sql = "DELETE FROM series WHERE tree=?1 AND seq=?2";
    db.execute(sql, [tree, seq])?;
    // With what the dump before was made is not known any longer.
    db.execute("UPDATE tree SET fingerprint=NULL WHERE id=?1", [tree])?;
    Ok(())
}

/// Forgets runs in which there is no dump any longer, around one that was
/// removed. Returns the number of the next dump that is there.
fn drop_dead_runs(db: &Connection, tree: i64, seq: i64) -> rusqlite::Result<i64> {
    let edge = |sql: &str| -> rusqlite::Result<Option<i64>> {
        let mut statement = db.prepare_cached(sql)?;
        let found = statement.query_row(params![tree, seq], |row| row.get(0));
        found.optional()
    };
    let before = edge(
        "SELECT s.seq FROM series s CROSS JOIN dump d ON d.id=s.dump
         WHERE s.tree=?1 AND s.seq<?2 AND d.state<>2 ORDER BY s.seq DESC LIMIT 1",
    )?;
    let after = edge(
        "SELECT s.seq FROM series s CROSS JOIN dump d ON d.id=s.dump
         WHERE s.tree=?1 AND s.seq>?2 AND d.state<>2 ORDER BY s.seq LIMIT 1",
    )?;
    let Some(after) = after else {
        return Ok(i64::MAX);
    };
    let sql = "DELETE FROM past WHERE last>?2 AND last<?3 AND first>?2
               AND (SELECT tree FROM dir WHERE id=dir)=?1";
    db.execute(sql, params![tree, before.unwrap_or(-1), after])?;
    Ok(after)
}
