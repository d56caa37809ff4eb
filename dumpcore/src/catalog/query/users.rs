//! How many dumps use the files of another: those that have an inode of it,
//! under any name, so that removing it frees no more than what they do not have.
//!
//! All names are gone through twice for up to 64 dumps: once for the inodes of
//! these dumps, once for the dumps that have these inodes.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::paths::Belongs;
use super::rows::{Run, each_run};
use super::series::Series;
use super::sizes::{PerInode, tree_indices};
use crate::policy::layout::DumpId;

/// How many dumps one number can tell apart.
const AT_ONCE: usize = u64::BITS as usize;

/// By dump: how many others have files of it, those that are `going` not counted;
/// `None` of one that is not on disk.
pub(super) fn users(
    connection: &Connection,
    series: &Series,
    dumps: &[DumpId],
    going: &[DumpId],
) -> rusqlite::Result<Vec<Option<u64>>> {
    let belongs = Belongs::read(connection, &tree_indices(series), |_, _| None)?;
    let going: HashSet<usize> = going.iter().filter_map(|id| series.find(*id)).collect();
    let mut users = Vec::with_capacity(dumps.len());
    for some in dumps.chunks(AT_ONCE) {
        let asked = Asked::new(connection, series, some)?;
        users.extend(asked.count(connection, &belongs, &going)?);
    }
    Ok(users)
}

/// Up to 64 dumps, each with a bit of its own.
struct Asked<'a> {
    series: &'a Series,
    /// By bit: its index.
    dumps: Vec<Option<usize>>,
    /// By tree: the numbers of those that have it, in order, with their bits.
    numbers: Vec<Vec<(u32, u64)>>,
    /// Which of them have an inode.
    holders: PerInode<u64>,
}

impl<'a> Asked<'a> {
    fn new(
        connection: &Connection,
        series: &'a Series,
        dumps: &[DumpId],
    ) -> rusqlite::Result<Self> {
        let dumps: Vec<Option<usize>> = dumps.iter().map(|id| series.find(*id)).collect();
        let mut bits: HashMap<usize, u64> = HashMap::new();
        for (bit, dump) in dumps.iter().enumerate() {
            if let Some(dump) = dump {
                *bits.entry(*dump).or_default() |= 1 << bit;
            }
        }
        let numbers = series.trees.iter().map(|tree| {
            let all = (0..).zip(&tree.dumps);
            all.filter_map(|(number, dump)| Some((number, *bits.get(dump)?)))
                .collect()
        });
        Ok(Self {
            series,
            numbers: numbers.collect(),
            dumps,
            holders: PerInode::new(connection)?,
        })
    }

    fn count(
        mut self,
        connection: &Connection,
        belongs: &Belongs,
        going: &HashSet<usize>,
    ) -> rusqlite::Result<Vec<Option<u64>>> {
        each_run(connection, |run| self.mark(run, belongs))?;
        // Each dump has directories of its own, though a row may serve several.
        let mut statement = connection.prepare_cached("SELECT id FROM inode WHERE kind=1")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(holders) = self.holders.get_mut(row.get(0)?) {
                *holders = 0;
            }
        }
        let mut begun = Begun::new(self.series, self.dumps.len());
        each_run(connection, |run| {
            let holders = self.holders.get(run.inode);
            if holders != 0
                && let Some((tree, first, last)) = self.place(run, belongs)
            {
                begun.count(holders, tree, first, last);
            }
        })?;
        let users = self.dumps.iter().enumerate().map(|(bit, dump)| {
            let dump = (*dump)?;
            let mut users = begun.of(bit, self.series);
            users.retain(|user| *user != dump && !going.contains(user));
            u64::try_from(users.len()).ok()
        });
        Ok(users.collect())
    }

    /// Notes which of the dumps have the inode of a run.
    fn mark(&mut self, run: &Run<'_>, belongs: &Belongs) {
        let Some((tree, first, last)) = self.place(run, belongs) else {
            return;
        };
        let numbers = &self.numbers[tree];
        let from = numbers.partition_point(|(number, _)| *number < first);
        let within = numbers[from..].iter();
        let within = within.take_while(|(number, _)| *number <= last);
        let bits = within.fold(0, |bits, (_, own)| bits | own);
        if let Some(holders) = self.holders.get_mut(run.inode) {
            *holders |= bits;
        }
    }

    /// The tree of a run, and the numbers of its dumps there.
    fn place(&self, run: &Run<'_>, belongs: &Belongs) -> Option<(usize, u32, u32)> {
        let tree = belongs.of(run.dir)?.tree as usize;
        let (first, last) = self.series.trees[tree].clamped(run.first, run.last)?;
        Some((tree, first, last))
    }
}

/// By bit and tree: at each number, how many more runs begin there than ended
/// before it.
struct Begun(Vec<Vec<Vec<i64>>>);

impl Begun {
    fn new(series: &Series, bits: usize) -> Self {
        let trees = series.trees.iter();
        let of_trees: Vec<Vec<i64>> = trees.map(|tree| vec![0; tree.dumps.len() + 1]).collect();
        Self(vec![of_trees; bits])
    }

    fn count(&mut self, mut bits: u64, tree: usize, first: u32, last: u32) {
        while bits != 0 {
            let more = &mut self.0[bits.trailing_zeros() as usize][tree];
            more[first as usize] += 1;
            more[last as usize + 1] -= 1;
            bits &= bits - 1;
        }
    }

    /// The dumps on disk that have runs.
    fn of(&self, bit: usize, series: &Series) -> HashSet<usize> {
        let mut dumps = HashSet::new();
        for (tree, more) in series.trees.iter().zip(&self.0[bit]) {
            let mut runs = 0;
            for (dump, more) in tree.dumps.iter().zip(more) {
                runs += more;
                if runs > 0 && series.dumps[*dump].is_there {
                    dumps.insert(*dump);
                }
            }
        }
        dumps
    }
}
