//! Which dumps have an inode, and under which names.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::paths::{Paths, place};
use super::rows::{RECORDED, hash_in, recorded, xattrs_column, xattrs_in};
use super::series::Series;
use crate::catalog::columns::{bytes, facts, nanos, time};
use crate::catalog::query_values::{
    HashState, Holder, Recorded, ScrubRow, ScrubStatus, StoredFrom,
};
use crate::catalog::schema;
use crate::catalog::scrub_record::key;
use crate::catalog::values::{Facts, InodeId};
use crate::model::path::RelPath;
use crate::policy::heal_note::InodeKey;
use crate::policy::layout::DumpId;

/// All names of each of these inodes in the dumps on disk, by path.
pub(super) fn holders(
    db: &Connection,
    series: &Series,
    inodes: &[InodeId],
) -> rusqlite::Result<HashMap<InodeId, Vec<Holder>>> {
    db.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS sought(inode INTEGER PRIMARY KEY);
         DELETE FROM temp.sought;",
    )?;
    let mut seek = db.prepare("INSERT OR IGNORE INTO temp.sought VALUES(?1)")?;
    for inode in inodes {
        seek.execute([inode.0])?;
    }
    let trees: HashMap<i64, usize> = series.tree_ids().zip(0..).collect();
    let mut paths = Paths::new(db);
    let mut found: HashMap<InodeId, Vec<Holder>> = HashMap::new();
    for (table, last) in [("live", "NULL"), ("past", "l.last")] {
        let sql = format!(
            "SELECT l.inode, d.tree, l.first, {last}, l.dir, l.name FROM {table} l
             CROSS JOIN dir d ON d.id=l.dir WHERE l.inode IN (SELECT inode FROM temp.sought)"
        );
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(&tree) = trees.get(&row.get(1)?) else {
                continue;
            };
            let dumps = series.dumps_between(tree, row.get(2)?, row.get(3)?);
            if dumps.is_empty() {
                continue;
            }
            let path = paths.of(row.get(4)?)?.join(bytes(row, 5)?);
            let holders = found.entry(InodeId(row.get(0)?)).or_default();
            match holders.iter_mut().find(|holder| holder.path == path) {
                Some(holder) => holder.dumps.extend(dumps),
                None => holders.push(Holder { path, dumps }),
            }
        }
    }
    for holders in found.values_mut() {
        holders.sort_by(|a, b| a.path.cmp(&b.path));
        for holder in holders {
            holder
                .dumps
                .sort_by_cached_key(|dump| series.age_order(*dump));
        }
    }
    Ok(found)
}

/// All names of an inode in the dumps on disk, by path.
pub(super) fn holders_of(
    db: &Connection,
    series: &Series,
    (ino, born): InodeKey,
) -> rusqlite::Result<Vec<Holder>> {
    let sql = "SELECT id FROM inode WHERE ino=?1 AND born=?2";
    let key = params![ino.cast_signed(), born.map_or(0, nanos)];
    let id: Option<i64> = db.query_row(sql, key, |row| row.get(0)).optional()?;
    let Some(id) = id.map(InodeId) else {
        return Ok(Vec::new());
    };
    let mut found = holders(db, series, &[id])?;
    Ok(found.remove(&id).unwrap_or_default())
}

/// What a dump has under a path; `None`: nothing, or it is not known.
pub(super) fn at(
    db: &Connection,
    series: &Series,
    dump: DumpId,
    path: &RelPath,
) -> rusqlite::Result<Option<Recorded>> {
    let tree = path.as_bytes().split(|b| *b == b'/').next();
    let tree = tree.and_then(|name| series.tree(name));
    let Some((tree, dump)) = tree.zip(series.find(dump)) else {
        return Ok(None);
    };
    let Some(seq) = series.trees[tree].number(dump) else {
        return Ok(None);
    };
    let Some((dir, name)) = place(db, path)?.and_then(|place| place.entry) else {
        return Ok(None);
    };
    let sql = "SELECT inode FROM version WHERE dir=?1 AND name=?2 AND first<=?3
               AND (last IS NULL OR last>=?3)";
    let inode = db.query_row(sql, params![dir, name, seq], |row| row.get(0));
    let inode: Option<i64> = inode.optional()?;
    let mut look = db.prepare_cached(RECORDED)?;
    inode.map(|inode| recorded(&mut look, inode)).transpose()
}

/// What stands for the contents and for the attributes of an inode.
type Hashes = (HashState, Option<u64>);

/// Is the row of an inode what it was? Returns its number now.
pub(super) fn stands(db: &Connection, row: &ScrubRow) -> rusqlite::Result<Option<InodeId>> {
    let (ino, born) = key(&row.facts);
    let sql = format!(
        "SELECT id, ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev, hash, {}
         FROM inode WHERE ino=?1 AND born=?2",
        xattrs_column(db)?
    );
    let now = db.query_row(&sql, params![ino, born], |found| {
        let hash = (hash_in(found, 1, 11)?, xattrs_in(found, 12)?);
        Ok((InodeId(found.get(0)?), (facts(found, 1)?, hash)))
    });
    let now = now.optional()?;
    let is_it = |(_, (facts, hashes)): &(InodeId, (Facts, Hashes))| {
        facts.is_same_inode(&row.facts) && *hashes == (row.hash, row.xattrs)
    };
    Ok(now.filter(is_it).map(|(id, _)| id))
}

/// What an inode is a copy of; `None`: that is not known.
pub(super) fn stored_from(db: &Connection, key: InodeKey) -> rusqlite::Result<Option<StoredFrom>> {
    let sql = "SELECT f.uuid, i.src_ino, i.src_born, i.src_ctime FROM inode i
               CROSS JOIN filesystem f ON f.id=i.src_fs WHERE i.ino=?1 AND i.born=?2";
    let key = params![key.0.cast_signed(), key.1.map_or(0, nanos)];
    let found = db.query_row(sql, key, |row| {
        Ok(StoredFrom {
            space: row.get(0)?,
            ino: row.get::<_, i64>(1)?.cast_unsigned(),
            born: time(row.get(2)?),
            ctime: time(row.get(3)?),
        })
    });
    found.optional()
}

/// When dumps were scrubbed last, and what is wrong with them.
pub(super) fn scrub_status(db: &Connection, series: &Series) -> rusqlite::Result<ScrubStatus> {
    if !schema::has_scrub(db)? {
        return Ok(ScrubStatus::default());
    }
    let sql = "SELECT nullif(last, 0), whole, iif(ended IS NULL, began, NULL) FROM scrub";
    let times = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (last, whole, round) = times.optional()?.unwrap_or_default();
    let mut faulty = db.prepare("SELECT inode FROM scrubbed WHERE fault<>0 ORDER BY inode")?;
    let faulty = faulty.query_map([], |row| row.get(0).map(InodeId))?;
    let faulty: Vec<InodeId> = faulty.collect::<rusqlite::Result<_>>()?;
    let damaged = match faulty.is_empty() {
        true => 0,
        false => holders(db, series, &faulty)?.len() as u64,
    };
    let sql = "SELECT coalesce(sum(s.faults), 0) FROM scrubbed_dump s
               JOIN dump d ON d.id=s.dump WHERE d.state=1";
    let names = db.query_row(sql, [], |row| row.get::<_, i64>(0))?;
    Ok(ScrubStatus {
        last,
        whole,
        round,
        damaged,
        names: names.cast_unsigned(),
    })
}

/// When the names of each dump on disk were looked at last, the longest ago
/// first.
pub(super) fn dumps_by_scrub(
    db: &Connection,
    series: &Series,
) -> rusqlite::Result<Vec<(DumpId, Option<i64>)>> {
    let mut at: HashMap<DumpId, i64> = HashMap::new();
    if schema::has_scrub(db)? {
        let sql = "SELECT d.name, s.at FROM scrubbed_dump s JOIN dump d ON d.id=s.dump";
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if let Some(dump) = DumpId::parse(name.as_bytes()) {
                at.insert(dump, row.get(1)?);
            }
        }
    }
    let there = series.there().into_iter().map(|at| series.dumps[at].id);
    let mut dumps: Vec<_> = there.map(|dump| (dump, at.get(&dump).copied())).collect();
    dumps.sort_by_key(|(_, at)| *at);
    Ok(dumps)
}
