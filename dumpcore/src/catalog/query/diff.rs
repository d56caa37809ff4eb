//! What differs between two dumps: only what changed between them is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, Rows, params};

use super::paths::Paths;
use super::rows::{RECORDED, recorded, run};
use super::series::Series;
use crate::catalog::query_values::{Pair, Recorded};
use crate::catalog::values::TreeId;
use crate::policy::layout::DumpId;

/// Runs that the older dump is in, and the newer one is not.
const ENDED: Question = Question {
    by_index: "SELECT p.dir, p.name, p.inode, p.first, p.last
        FROM past p INDEXED BY past_last CROSS JOIN dir d ON d.id=p.dir AND d.tree=?3
        WHERE p.last>=?1 AND p.last<?2 AND p.first<=?1",
    of_all: "SELECT p.dir, p.name, p.inode, p.first, p.last
        FROM past p WHERE +p.last>=?1 AND +p.last<?2 AND +p.first<=?1",
};

/// Runs that the newer dump is in, and the older one is not. Of two lower bounds
/// SQLite searches by the first one; the second is what the index asks for.
const BEGUN: [Question; 2] = [
    Question {
        by_index: "SELECT l.dir, l.name, l.inode, l.first, NULL
            FROM live l INDEXED BY live_first CROSS JOIN dir d ON d.id=l.dir AND d.tree=?3
            WHERE l.first BETWEEN ?1+1 AND ?2 AND l.first>0",
        of_all: "SELECT l.dir, l.name, l.inode, l.first, NULL
            FROM live l WHERE +l.first>?1 AND +l.first<=?2",
    },
    Question {
        by_index: "SELECT p.dir, p.name, p.inode, p.first, p.last
            FROM past p INDEXED BY past_first CROSS JOIN dir d ON d.id=p.dir AND d.tree=?3
            WHERE p.first BETWEEN ?1+1 AND ?2 AND p.first>0 AND p.last>=?2",
        of_all: "SELECT p.dir, p.name, p.inode, p.first, p.last
            FROM past p WHERE +p.first>?1 AND +p.first<=?2 AND +p.last>=?2",
    },
];

/// A question in two forms: what changed is looked up by an index or, where that
/// is most of all there is, found in one pass over the table: a column behind a
/// plus is not searched by, and with a second table SQLite would take the detour
/// by an index anyway. So the latter is of all trees.
struct Question {
    by_index: &'static str,
    of_all: &'static str,
}

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
    fn changes(&self, connection: &Connection) -> rusqlite::Result<Changes<Recorded>> {
        let mut inodes = Changes::<i64>::new();
        self.each(connection, &ENDED, |key, inode| {
            inodes.entry(key).or_default().0 = Some(inode);
        })?;
        for question in &BEGUN {
            self.each(connection, question, |key, inode| {
                inodes.entry(key).or_default().1 = Some(inode);
            })?;
        }
        // It was away in between.
        inodes.retain(|_, (old, new)| old != new);
        let inodes_of = all_recorded(connection, &inodes)?;
        let of = |inode: Option<i64>| inode.and_then(|id| inodes_of.get(&id).copied());
        let changes = inodes.into_iter();
        Ok(changes
            .map(|(key, (old, new))| (key, (of(old), of(new))))
            .collect())
    }

    fn each(
        &self,
        connection: &Connection,
        question: &Question,
        mut each: impl FnMut((i64, Vec<u8>), i64),
    ) -> rusqlite::Result<()> {
        let mut each_of = |rows: &mut Rows<'_>, dirs: Option<&HashSet<i64>>| {
            while let Some(row) = rows.next()? {
                let run = run(row)?;
                if dirs.is_none_or(|dirs| dirs.contains(&run.dir)) {
                    each((run.dir, run.name.to_vec()), run.inode);
                }
            }
            Ok(())
        };
        if !self.wide {
            let mut statement = connection.prepare_cached(question.by_index)?;
            let mut rows = statement.query(params![self.from, self.to, self.tree.0])?;
            return each_of(&mut rows, None);
        }
        let mut dirs = connection.prepare_cached("SELECT id FROM dir WHERE tree=?1")?;
        let dirs = dirs.query_map([self.tree.0], |row| row.get(0))?;
        let dirs: HashSet<i64> = dirs.collect::<rusqlite::Result<_>>()?;
        let mut statement = connection.prepare_cached(question.of_all)?;
        each_of(&mut statement.query([self.from, self.to])?, Some(&dirs))
    }
}

/// What is known of all these inodes, read in the order in which they are stored.
fn all_recorded(
    connection: &Connection,
    inodes: &Changes<i64>,
) -> rusqlite::Result<HashMap<i64, Recorded>> {
    let both = inodes.values().flat_map(|(old, new)| [*old, *new]);
    let mut ids: Vec<i64> = both.flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut look = connection.prepare_cached(RECORDED)?;
    let all = ids.into_iter().map(|id| Ok((id, recorded(&mut look, id)?)));
    all.collect()
}
