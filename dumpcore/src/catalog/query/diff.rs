//! What differs between two dumps: only what changed between them is read.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::paths::Paths;
use super::rows::{FACTS, facts, run};
use super::series::Series;
use crate::catalog::query_values::{Facts, Pair};
use crate::catalog::values::TreeId;
use crate::policy::layout::DumpId;

/// Runs that the older dump is in, and the newer one is not.
const ENDED: &str = "SELECT p.dir, p.name, p.inode, p.first, p.last
    FROM past p INDEXED BY past_last CROSS JOIN dir d ON d.id=p.dir AND d.tree=?3
    WHERE p.last>=?1 AND p.last<?2 AND p.first<=?1";
/// Runs that the newer dump is in, and the older one is not.
const BEGUN: [&str; 2] = [
    "SELECT l.dir, l.name, l.inode, l.first, NULL
     FROM live l INDEXED BY live_first CROSS JOIN dir d ON d.id=l.dir AND d.tree=?3
     WHERE l.first>0 AND l.first>?1 AND l.first<=?2",
    "SELECT p.dir, p.name, p.inode, p.first, p.last
     FROM past p INDEXED BY past_first CROSS JOIN dir d ON d.id=p.dir AND d.tree=?3
     WHERE p.first>0 AND p.first>?1 AND p.first<=?2 AND p.last>=?2",
];
/// The second of them, where most runs lie between: in one go through all.
const BEGUN_OF_ALL: &str = "SELECT p.dir, p.name, p.inode, p.first, p.last
    FROM past p NOT INDEXED CROSS JOIN dir d ON d.id=p.dir AND d.tree=?3
    WHERE +p.first>?1 AND +p.first<=?2 AND +p.last>=?2";

/// The paths that are not the same inode in two dumps, of the trees that both
/// have, by path; `None` when one of the dumps is not known.
pub(super) fn diff(
    connection: &Connection,
    series: &Series,
    old: DumpId,
    new: DumpId,
) -> rusqlite::Result<Option<Vec<Pair>>> {
    let (Some(old), Some(new)) = (series.find(old), series.find(new)) else {
        return Ok(None);
    };
    let mut paths = Paths::new(connection);
    let mut pairs = Vec::new();
    for tree in &series.trees {
        let (Some(from), Some(to)) = (tree.number(old), tree.number(new)) else {
            continue;
        };
        let wide = from.abs_diff(to) * 3 > tree.dumps.len() as u64;
        let span = Span {
            tree: tree.id,
            from: from.min(to),
            to: from.max(to),
            wide,
        };
        for ((dir, name), (before, after)) in span.changes(connection)? {
            let path = paths.of(dir)?.join(&name);
            let (old, new) = match from <= to {
                true => (before, after),
                false => (after, before),
            };
            pairs.push(Pair { path, old, new });
        }
    }
    pairs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Some(pairs))
}

/// Two dumps of a tree, by their numbers.
struct Span {
    tree: TreeId,
    from: i64,
    to: i64,
    /// Do they have most dumps between them?
    wide: bool,
}

/// What the older and the newer one have, by directory and name.
type Changes<T> = BTreeMap<(i64, Vec<u8>), (Option<T>, Option<T>)>;

impl Span {
    fn changes(&self, connection: &Connection) -> rusqlite::Result<Changes<Facts>> {
        let mut inodes = Changes::<i64>::new();
        self.each(connection, ENDED, |key, inode| {
            inodes.entry(key).or_default().0 = Some(inode);
        })?;
        let past = if self.wide { BEGUN_OF_ALL } else { BEGUN[1] };
        for sql in [BEGUN[0], past] {
            self.each(connection, sql, |key, inode| {
                inodes.entry(key).or_default().1 = Some(inode);
            })?;
        }
        // It was away in between.
        inodes.retain(|_, (old, new)| old != new);
        let mut look = connection.prepare_cached(FACTS)?;
        let mut of = |inode: Option<i64>| inode.map(|id| facts(&mut look, id)).transpose();
        let changes = inodes
            .into_iter()
            .map(|(key, (old, new))| Ok((key, (of(old)?, of(new)?))));
        changes.collect()
    }

    fn each(
        &self,
        connection: &Connection,
        sql: &str,
        mut each: impl FnMut((i64, Vec<u8>), i64),
    ) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.from, self.to, self.tree.0])?;
        while let Some(row) = rows.next()? {
            let run = run(row)?;
            each((run.dir, run.name.to_vec()), run.inode);
        }
        Ok(())
    }
}
