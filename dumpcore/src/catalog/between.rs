//! Recording a dump that is older than others of its tree which are known: an
//! import, or one of a clock that went back.
//!
//! The dumps behind it move on by one in the series, and runs that it does not
//! continue are split. That touches all rows of the tree; it is rare.

use rusqlite::{Connection, params};

use super::values::TreeId;

/// The inode that an entry `e` of the stage stands for, in the catalog's own
/// numbers; `?1` is what the stage's own are moved by.
pub(super) const INODE: &str = "coalesce((SELECT main FROM s.same WHERE id=e.inode), ?1+e.inode)";

/// Notes what the dump has that the findings differ from; inodes of directories
/// that are equal keep their rows.
pub(super) fn fill(db: &Connection, tree: TreeId, base: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO s.full SELECT v.dir, v.name, v.inode FROM version v JOIN dir d ON d.id=v.dir
         WHERE d.tree=?1 AND v.first<=?2 AND (v.last IS NULL OR v.last>=?2)",
        params![tree.0, base],
    )?;
    db.execute(
        "INSERT OR IGNORE INTO s.same SELECT e.inode, m.id FROM s.entry e
           CROSS JOIN s.inode x ON x.id=e.inode CROSS JOIN s.full l ON l.dir=e.dir AND l.name=e.name
           CROSS JOIN inode m ON m.id=l.inode CROSS JOIN dir d ON d.id=e.dir
           WHERE d.tree=?1 AND x.kind=1 AND m.kind=1 AND x.mode=m.mode AND x.uid=m.uid
           AND x.gid=m.gid AND x.mtime=m.mtime AND x.rdev=m.rdev",
        [tree.0],
    )?;
    Ok(())
}

/// Makes a dump the one with this number in the series of a tree.
pub(super) fn insert(
    db: &Connection,
    tree: TreeId,
    seq: i64,
    moved_by: i64,
) -> rusqlite::Result<()> {
    overlay(db, tree, moved_by)?;
    shift(db, tree, seq)?;
    split(db, tree, seq)?;
    join(db, tree, seq)?;
    let sql = "INSERT INTO past SELECT f.dir, f.name, ?2, ?2, f.inode FROM s.full f
               JOIN dir d ON d.id=f.dir WHERE d.tree=?1";
    db.execute(sql, params![tree.0, seq])?;
    for table in ["full", "entry"] {
        let sql = format!("DELETE FROM s.{table} WHERE dir IN (SELECT id FROM dir WHERE tree=?1)");
        db.execute(&sql, [tree.0])?;
    }
    Ok(())
}

/// Brings the findings into what the other dump has: now it is what this one
/// has.
fn overlay(db: &Connection, tree: TreeId, moved_by: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO s.closed WITH RECURSIVE below(id) AS (
           SELECT d.id FROM s.entry e CROSS JOIN s.full l ON l.dir=e.dir AND l.name=e.name
             CROSS JOIN inode m ON m.id=l.inode
             CROSS JOIN dir d ON d.parent=e.dir AND d.name=e.name
             LEFT JOIN s.inode x ON x.id=e.inode WHERE d.tree=?1 AND m.kind=1 AND x.kind IS NOT 1
           UNION SELECT d.id FROM below b CROSS JOIN dir d ON d.parent=b.id)
         SELECT id FROM below",
        [tree.0],
    )?;
    for sql in [
        "DELETE FROM s.entry WHERE dir IN (SELECT dir FROM s.closed)",
        "DELETE FROM s.full WHERE dir IN (SELECT dir FROM s.closed)",
        "DELETE FROM s.closed",
    ] {
        db.execute(sql, [])?;
    }
    // Not those of another tree, of which nothing is closed yet.
    db.execute(
        "DELETE FROM s.full WHERE (dir, name) IN (SELECT e.dir, e.name FROM s.entry e
           CROSS JOIN dir d ON d.id=e.dir WHERE e.inode IS NULL AND d.tree=?1)",
        [tree.0],
    )?;
    let sql = format!(
        "INSERT OR REPLACE INTO s.full SELECT e.dir, e.name, {INODE} FROM s.entry e
           CROSS JOIN dir d ON d.id=e.dir WHERE d.tree=?2 AND e.inode IS NOT NULL"
    );
    db.execute(&sql, params![moved_by, tree.0])?;
    Ok(())
}

/// Moves the dumps from this number on by one. By way of numbers below zero,
/// since two runs of a name may not begin at one number even for a moment.
fn shift(db: &Connection, tree: TreeId, seq: i64) -> rusqlite::Result<()> {
    let of_tree = "dir IN (SELECT id FROM dir WHERE tree=?1)";
    for sql in [
        "UPDATE series SET seq=-seq-2 WHERE tree=?1 AND seq>=?2".to_owned(),
        "UPDATE series SET seq=-seq-1 WHERE tree=?1 AND seq<-1 AND ?2>=0".to_owned(),
        format!("UPDATE live SET first=first+1 WHERE first>=?2 AND {of_tree}"),
        format!("UPDATE past SET last=last+1 WHERE last>=?2 AND {of_tree}"),
        format!("UPDATE past SET first=-first-2 WHERE first>=?2 AND {of_tree}"),
        format!("UPDATE past SET first=-first-1 WHERE first<-1 AND ?2>=0 AND {of_tree}"),
    ] {
        db.execute(&sql, params![tree.0, seq])?;
    }
    Ok(())
}

/// Splits the runs that go past a dump which they do not hold for; the names
/// that it has in common with those that do hold are dealt with.
fn split(db: &Connection, tree: TreeId, seq: i64) -> rusqlite::Result<()> {
    let of_tree = "dir IN (SELECT id FROM dir WHERE tree=?1)";
    let differs = |run: &str| {
        format!(
            "NOT EXISTS(SELECT 1 FROM s.full f WHERE f.dir={run}.dir AND f.name={run}.name
               AND f.inode={run}.inode)"
        )
    };
    let held = |table: &str, past: &str| {
        format!(
            "DELETE FROM s.full AS f WHERE EXISTS(SELECT 1 FROM {table} r WHERE r.dir=f.dir
               AND r.name=f.name AND r.inode=f.inode AND r.first<?2 {past})
               AND f.dir IN (SELECT id FROM dir WHERE tree=?1)"
        )
    };
    let (live, past) = (differs("live"), differs("past"));
    for sql in [
        // What is found first is not found by the statements behind it.
        format!(
            "INSERT INTO past SELECT dir, name, ?2+1, last, inode FROM past
               WHERE first<?2 AND last>?2 AND {of_tree} AND {past}"
        ),
        format!("UPDATE past SET last=?2-1 WHERE first<?2 AND last>?2 AND {of_tree} AND {past}"),
        format!(
            "INSERT INTO past SELECT dir, name, first, ?2-1, inode FROM live
               WHERE first<?2 AND {of_tree} AND {live}"
        ),
        format!("UPDATE live SET first=?2+1 WHERE first<?2 AND {of_tree} AND {live}"),
        held("live", ""),
        held("past", "AND r.last>?2"),
    ] {
        db.execute(&sql, params![tree.0, seq])?;
    }
    Ok(())
}

/// Lengthens the runs that end just before a dump, or begin just behind it, and
/// hold for it.
fn join(db: &Connection, tree: TreeId, seq: i64) -> rusqlite::Result<()> {
    let of_tree = "dir IN (SELECT id FROM dir WHERE tree=?1)";
    let equal = |run: &str| {
        format!(
            "EXISTS(SELECT 1 FROM s.full f WHERE f.dir={run}.dir AND f.name={run}.name
               AND f.inode={run}.inode)"
        )
    };
    let held = |table: &str, edge: &str| {
        format!(
            "DELETE FROM s.full AS f WHERE EXISTS(SELECT 1 FROM {table} r WHERE r.dir=f.dir
               AND r.name=f.name AND r.inode=f.inode AND {edge}=?2)
               AND f.dir IN (SELECT id FROM dir WHERE tree=?1)"
        )
    };
    let (live, past) = (equal("live"), equal("past"));
    for sql in [
        format!("UPDATE past SET last=?2 WHERE last=?2-1 AND {of_tree} AND {past}"),
        held("past", "r.last"),
        format!("UPDATE past SET first=?2 WHERE first=?2+1 AND {of_tree} AND {past}"),
        held("past", "r.first"),
        format!("UPDATE live SET first=?2 WHERE first=?2+1 AND {of_tree} AND {live}"),
        held("live", "r.first"),
    ] {
        db.execute(&sql, params![tree.0, seq])?;
    }
    Ok(())
}
