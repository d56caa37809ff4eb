//! The dumps of each tree in order, and which of them are on disk.
//!
//! Rows name dumps by their numbers in the series of a tree. Dumps that were
//! removed keep theirs: of a run of dumps only those count that are there.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::catalog::values::TreeId;
use crate::policy::layout::DumpId;

/// The state of a dump that is on disk.
const THERE: i64 = 1;

/// A dump that the catalog knows.
#[derive(Clone, Debug)]
pub(super) struct DumpRow {
    pub(super) id: DumpId,
    /// Nanoseconds since 1970.
    pub(super) moment: i64,
    pub(super) is_there: bool,
    pub(super) added: u64,
    /// Space taken by its directories, in bytes.
    pub(super) dirs: u64,
    pub(super) entries: u64,
    /// Indices of its trees.
    pub(super) trees: Vec<usize>,
}

/// A tree, and the dumps that have it.
#[derive(Clone, Debug)]
pub(super) struct TreeSeries {
    pub(super) id: TreeId,
    pub(super) name: Vec<u8>,
    /// By number: the index of the dump.
    pub(super) dumps: Vec<usize>,
    /// By number: the first one that is on disk, from there on.
    next: Vec<u32>,
    /// By number: the last one that is on disk, up to there.
    prev: Vec<u32>,
}

/// No number of a dump.
const NONE: u32 = u32::MAX;

/// All dumps and trees.
#[derive(Clone, Debug)]
pub(in crate::catalog) struct Series {
    pub(super) dumps: Vec<DumpRow>,
    pub(super) trees: Vec<TreeSeries>,
    by_id: HashMap<DumpId, usize>,
}

impl Series {
    pub(in crate::catalog) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut by_row = HashMap::new();
        let mut dumps = Vec::new();
        let sql = "SELECT id, name, moment, state, added_bytes, dir_bytes FROM dump";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            // The name of one that was removed may have been given to another.
            let own = name.split(' ').next().unwrap_or_default();
            let id = DumpId::parse(own.as_bytes()).unwrap_or(DumpId::First);
            by_row.insert(row.get::<_, i64>(0)?, dumps.len());
            dumps.push(DumpRow {
                id,
                moment: row.get(2)?,
                is_there: row.get::<_, i64>(3)? == THERE,
                added: row.get::<_, i64>(4)?.cast_unsigned(),
                dirs: row.get::<_, i64>(5)?.cast_unsigned(),
                entries: 0,
                trees: Vec::new(),
            });
        }
        drop(rows);
        let there = dumps.iter().enumerate().filter(|(_, dump)| dump.is_there);
        let mut series = Self {
            by_id: there.map(|(at, dump)| (dump.id, at)).collect(),
            dumps,
            trees: trees(connection)?,
        };
        series.read_numbers(connection, &by_row)?;
        for tree in &mut series.trees {
            tree.count(&series.dumps);
        }
        Ok(series)
    }

    fn read_numbers(
        &mut self,
        connection: &Connection,
        by_row: &HashMap<i64, usize>,
    ) -> rusqlite::Result<()> {
        let by_tree: HashMap<i64, usize> =
            self.trees.iter().map(|tree| tree.id.0).zip(0..).collect();
        let sql = "SELECT tree, seq, dump, entries FROM series ORDER BY tree, seq";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let tree = by_tree.get(&row.get(0)?);
            let dump = by_row.get(&row.get(2)?);
            let (Some(&tree), Some(&dump)) = (tree, dump) else {
                continue;
            };
            let numbers = &mut self.trees[tree].dumps;
            // They are dense from 0 on; anything else is damage.
            if row.get::<_, i64>(1)? != i64::try_from(numbers.len()).unwrap_or(-1) {
                return Err(rusqlite::Error::IntegralValueOutOfRange(1, row.get(1)?));
            }
            numbers.push(dump);
            self.dumps[dump].entries += row.get::<_, i64>(3)?.cast_unsigned();
            self.dumps[dump].trees.push(tree);
        }
        Ok(())
    }

    /// The place of a dump that is on disk.
    pub(super) fn find(&self, id: DumpId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The tree of this name.
    pub(super) fn tree(&self, name: &[u8]) -> Option<usize> {
        self.trees.iter().position(|tree| tree.name == name)
    }

    /// The dumps on disk, the oldest first.
    pub(super) fn there(&self) -> Vec<usize> {
        let mut there: Vec<usize> = (0..self.dumps.len())
            .filter(|at| self.dumps[*at].is_there)
            .collect();
        there.sort_by_key(|at| (self.dumps[*at].moment, self.dumps[*at].id));
        there
    }

    /// The names of a dump's trees, in the order of their bytes.
    pub(super) fn tree_names(&self, dump: usize) -> Vec<Vec<u8>> {
        let trees = self.dumps[dump].trees.iter();
        let mut names: Vec<_> = trees.map(|tree| self.trees[*tree].name.clone()).collect();
        names.sort();
        names
    }

    /// The numbers of the trees in the tables, in the order of [`Series::trees`].
    pub(in crate::catalog) fn tree_ids(&self) -> impl Iterator<Item = i64> {
        self.trees.iter().map(|tree| tree.id.0)
    }

    /// The dumps of a tree by number, and whether they are on disk.
    pub(in crate::catalog) fn on_disk(&self, tree: usize) -> Vec<(DumpId, bool)> {
        let dumps = self.trees[tree].dumps.iter().map(|at| &self.dumps[*at]);
        dumps.map(|dump| (dump.id, dump.is_there)).collect()
    }

    /// The dumps on disk between two numbers of a tree, both included.
    pub(super) fn dumps_between(&self, tree: usize, first: i64, last: Option<i64>) -> Vec<DumpId> {
        let Some((first, last)) = self.trees[tree].clamped(first, last) else {
            return Vec::new();
        };
        let dumps = &self.trees[tree].dumps[first as usize..=last as usize];
        let dumps = dumps.iter().map(|at| &self.dumps[*at]);
        dumps
            .filter(|dump| dump.is_there)
            .map(|dump| dump.id)
            .collect()
    }

    /// By what dumps on disk are ordered, the oldest first.
    pub(super) fn age_order(&self, dump: DumpId) -> Option<(i64, DumpId)> {
        let at = self.find(dump)?;
        Some((self.dumps[at].moment, dump))
    }

    pub(super) fn dump_of(&self, tree: usize, number: u32) -> DumpId {
        self.dumps[self.trees[tree].dumps[number as usize]].id
    }
}

fn trees(connection: &Connection) -> rusqlite::Result<Vec<TreeSeries>> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM tree ORDER BY id")?;
    let trees = statement.query_map([], |row| {
        Ok(TreeSeries {
            id: TreeId(row.get(0)?),
            name: row.get_ref(1)?.as_blob()?.to_vec(),
            dumps: Vec::new(),
            next: Vec::new(),
            prev: Vec::new(),
        })
    })?;
    trees.collect()
}

impl TreeSeries {
    fn count(&mut self, dumps: &[DumpRow]) {
        let there: Vec<bool> = self.dumps.iter().map(|at| dumps[*at].is_there).collect();
        (self.next, self.prev) = around(&there);
    }

    /// The first and the last number of dumps on disk between two numbers, both
    /// included; `None` when there is none. Without a last one: to the end.
    pub(super) fn span(&self, first: i64, last: Option<i64>) -> Option<(u32, u32)> {
        let (first, last) = self.clamped(first, last)?;
        let (from, to) = (self.next[first as usize], self.prev[last as usize]);
        (from != NONE && to != NONE && from <= to).then_some((from, to))
    }

    /// The same with numbers that the series has.
    pub(super) fn clamped(&self, first: i64, last: Option<i64>) -> Option<(u32, u32)> {
        let end = u32::try_from(self.dumps.len()).ok()?.checked_sub(1)?;
        let first = u32::try_from(first).ok()?;
        let last = last.map_or(Some(end), |last| u32::try_from(last).ok())?;
        (first <= last && first <= end).then_some((first, last.min(end)))
    }

    /// The number of a dump.
    pub(super) fn number(&self, dump: usize) -> Option<i64> {
        let at = self.dumps.iter().position(|other| *other == dump)?;
        i64::try_from(at).ok()
    }

    /// The number of the newest dump on disk.
    pub(super) fn newest(&self) -> Option<u32> {
        self.span(0, None).map(|(_, last)| last)
    }
}

/// For each number the next one that counts, and the one before, itself
/// included.
fn around(counts: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let (mut next, mut prev) = (vec![NONE; counts.len()], vec![NONE; counts.len()]);
    let (mut after, mut before) = (NONE, NONE);
    for (number, at) in (0..).zip(0..counts.len()) {
        before = if counts[at] { number } else { before };
        prev[at] = before;
    }
    for (number, at) in (0..)
        .zip(0..counts.len())
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        after = if counts[at] { number } else { after };
        next[at] = after;
    }
    (next, prev)
}

/// Which dumps of a tree are in a set, asked for runs of them.
#[derive(Clone, Debug)]
pub(super) struct Members {
    /// By number: how many before it are; one more than there are numbers.
    before: Vec<u32>,
}

impl Members {
    pub(super) fn of(tree: &TreeSeries, is: impl Fn(usize) -> bool) -> Self {
        let mut before = vec![0];
        let mut sum = 0;
        for dump in &tree.dumps {
            sum += u32::from(is(*dump));
            before.push(sum);
        }
        Self { before }
    }

    /// Is one of them between two numbers, both included?
    pub(super) fn any(&self, first: u32, last: u32) -> bool {
        self.before[last as usize + 1] > self.before[first as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spans_are_what_a_plain_search_finds(
            there in prop::collection::vec(any::<bool>(), 0..12), first in 0..14_i64,
            last in prop::option::of(0..14_i64),
        ) {
            let (next, prev) = around(&there);
            let tree = TreeSeries {
                id: TreeId(1),
                name: b"tree".to_vec(),
                dumps: (0..there.len()).collect(),
                next,
                prev,
            };
            let end = last.unwrap_or(i64::MAX);
            let plain: Vec<u32> = (0..).zip(&there)
                .filter(|(number, is)| **is && (first..=end).contains(&i64::from(*number)))
                .map(|(number, _)| number)
                .collect();
            let expected = plain.first().copied().zip(plain.last().copied());
            prop_assert_eq!(tree.span(first, last), expected);
            if let Some((first, last)) = tree.clamped(first, last) {
                let members = Members::of(&tree, |dump| there[dump]);
                prop_assert_eq!(members.any(first, last), expected.is_some());
            }
        }
    }
}
