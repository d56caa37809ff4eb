//! Which paths ever had a name: one pass over all that any dump on disk has. What
//! else is known of them is looked up for as many as are asked for.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::{Connection, Row};

use super::paths::Paths;
use super::rows::{RECORDED, recorded};
use super::series::Series;
use super::sizes::tree_indices;

use crate::catalog::columns::bytes;
use crate::catalog::query_values::{FoundRow, Wanted};
use crate::model::path::RelPath;
use crate::policy::name_test::NameTest;

/// A run of dumps: the inode, the first and the last number.
type NameRun = (i64, i64, Option<i64>);

/// By path. Of no more than is wanted the inodes are looked up.
pub(super) fn find(
    connection: &Connection,
    series: &Series,
    wanted: &Wanted<'_>,
) -> rusqlite::Result<Vec<FoundRow>> {
    let mut look = connection.prepare_cached(RECORDED)?;
    let mut found = Vec::new();
    for Hit { path, tree, life } in hits(connection, series, wanted)? {
        if wanted.most.is_some_and(|most| found.len() >= most) {
            break;
        }
        let inode = recorded(&mut look, life.inode)?;
        if wanted.larger.is_none_or(|than| inode.facts.bytes > than) {
            found.push(FoundRow {
                path,
                first: series.dump_of(tree, life.first),
                last: series.dump_of(tree, life.last),
                deleted: life.deleted,
                versions: life.versions,
                inode,
            });
        }
    }
    Ok(found)
}

/// A path that is wanted, as far as names and dumps tell.
struct Hit {
    path: RelPath,
    tree: usize,
    life: Life,
}

/// By path.
fn hits(
    connection: &Connection,
    series: &Series,
    wanted: &Wanted<'_>,
) -> rusqlite::Result<Vec<Hit>> {
    let trees = tree_indices(series);
    let mut paths = Paths::new(connection);
    let mut tree_of = connection.prepare_cached("SELECT tree FROM dir WHERE id=?1")?;
    // Names come directory by directory.
    let mut known: Option<(i64, Option<usize>)> = None;
    let mut hits = Vec::new();
    each_path(connection, |dir, name, runs| {
        if !NameTest::any(wanted.tests, name, || {
            paths.of(dir).map(|dir| dir.join(name))
        })? {
            return Ok(());
        }
        let tree = match known {
            Some((same, tree)) if same == dir => tree,
            _ => {
                let tree = tree_of.query_row([dir], |row| row.get::<_, i64>(0))?;
                let tree = trees.get(&tree).map(|tree| *tree as usize);
                known = Some((dir, tree));
                tree
            }
        };
        let Some(tree) = tree else {
            return Ok(());
        };
        let Some(life) = Life::of(series, tree, runs) else {
            return Ok(());
        };
        if wanted.deleted && !life.deleted || !life.is_since(series, tree, wanted.since) {
            return Ok(());
        }
        let path = paths.of(dir)?.join(name);
        let below = wanted.below;
        if below.is_none_or(|below| path.is_at_or_below(below)) {
            hits.push(Hit { path, tree, life });
        }
        Ok(())
    })?;
    hits.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(hits)
}

/// From when to when dumps on disk have a path.
struct Life {
    first: u32,
    last: u32,
    /// The last one.
    inode: i64,
    versions: u64,
    deleted: bool,
}

impl Life {
    /// `None`: only dumps had it that are not there any longer.
    fn of(series: &Series, tree: usize, runs: &[NameRun]) -> Option<Self> {
        let tree = &series.trees[tree];
        let mut life: Option<Self> = None;
        let mut inodes = Vec::new();
        for (inode, first, last) in runs {
            let Some(span) = tree.span(*first, *last) else {
                continue;
            };
            inodes.push(*inode);
            let before = life.map_or(span.0, |life| life.first);
            life = Some(Self {
                first: before,
                last: span.1,
                inode: *inode,
                versions: 0,
                deleted: tree.newest() != Some(span.1),
            });
        }
        inodes.sort_unstable();
        inodes.dedup();
        let versions = u64::try_from(inodes.len()).unwrap_or(u64::MAX);
        life.map(|life| Self { versions, ..life })
    }

    fn is_since(&self, series: &Series, tree: usize, since: Option<i64>) -> bool {
        let last = series.trees[tree].dumps[self.last as usize];
        since.is_none_or(|since| series.dumps[last].moment >= since)
    }
}

/// Calls for each path with its runs, in order of the directories' numbers.
fn each_path(
    connection: &Connection,
    mut each: impl FnMut(i64, &[u8], &[NameRun]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let sql = "SELECT dir, name, inode, first, NULL FROM live ORDER BY dir, name";
    let mut live = connection.prepare_cached(sql)?;
    let sql = "SELECT dir, name, inode, first, last FROM past ORDER BY dir, name, first";
    let mut past = connection.prepare_cached(sql)?;
    let (mut live, mut past) = (live.query([])?, past.query([])?);
    live.advance()?;
    past.advance()?;
    let (mut name, mut runs) = (Vec::new(), Vec::new());
    loop {
        let first = match (live.get(), past.get()) {
            (None, None) => return Ok(()),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(other)) if key(one)? < key(other)? => one,
            (Some(_), Some(other)) => other,
        };
        let (dir, bytes) = key(first)?;
        name.clear();
        name.extend_from_slice(bytes);
        runs.clear();
        // The live run is the last one.
        for rows in [&mut past, &mut live] {
            while let Some(row) = rows.get()
                && key(row)? == (dir, &*name)
            {
                runs.push((row.get(2)?, row.get(3)?, row.get(4)?));
                rows.advance()?;
            }
        }
        each(dir, &name, &runs)?;
    }
}

fn key<'a>(row: &'a Row<'_>) -> rusqlite::Result<(i64, &'a [u8])> {
    Ok((row.get(0)?, bytes(row, 1)?))
}
