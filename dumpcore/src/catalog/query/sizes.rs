//! What dumps hold: what each added, what each holds alone, and what would be
//! free without some of them.
//!
//! An inode is freed when no dump that remains has it under any name. Names are
//! gone through once; of each inode it is noted which dumps were met.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::thread::{self, Builder};

use rusqlite::Connection;

use super::paths::Belongs;
use super::rows::each_run;
use super::series::{Members, Series};
use crate::catalog::query_values::DumpSizes;
use crate::catalog::schema;
use crate::policy::layout::DumpId;

/// A larger number of an inode can only be damage.
const MOST: usize = 1 << 31;

/// Something for each inode, by its number.
#[derive(Debug)]
pub(super) struct PerInode<T>(Vec<T>);

impl<T: Clone + Default> PerInode<T> {
    pub(super) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT coalesce(max(id),0) FROM inode";
        let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        match usize::try_from(last) {
            Ok(last) if last < MOST => Ok(Self(vec![T::default(); last + 1])),
            _ => Err(rusqlite::Error::IntegralValueOutOfRange(0, last)),
        }
    }

    pub(super) fn get_mut(&mut self, inode: i64) -> Option<&mut T> {
        self.0.get_mut(usize::try_from(inode).ok()?)
    }

    pub(super) fn get(&self, inode: i64) -> T {
        let at = usize::try_from(inode).ok();
        at.and_then(|at| self.0.get(at))
            .cloned()
            .unwrap_or_default()
    }
}

/// Which index each tree has.
pub(super) fn tree_indices(series: &Series) -> HashMap<i64, u32> {
    series.trees.iter().map(|tree| tree.id.0).zip(0..).collect()
}

/// Calls for each inode that is not a directory, with its space in bytes.
pub(super) fn each_space(
    connection: &Connection,
    mut each: impl FnMut(i64, u64),
) -> rusqlite::Result<()> {
    let sql = "SELECT id, bytes FROM inode WHERE kind<>1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
    }
    Ok(())
}

/// The space of each inode that is not a directory, in bytes.
fn spaces(connection: &Connection) -> rusqlite::Result<PerInode<u64>> {
    let mut spaces = PerInode::<u64>::new(connection)?;
    each_space(connection, |inode, bytes| {
        if let Some(space) = spaces.get_mut(inode) {
            *space = bytes;
        }
    })?;
    Ok(spaces)
}

/// In which dumps an inode was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Holder {
    #[default]
    None,
    One(u32),
    Several,
}

/// Which inodes are directories: each dump has inodes of its own for those.
fn directories(connection: &Connection) -> rusqlite::Result<PerInode<bool>> {
    let mut directories = PerInode::<bool>::new(connection)?;
    let mut statement = connection.prepare_cached("SELECT id FROM inode WHERE kind=1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(is_one) = directories.get_mut(row.get(0)?) {
            *is_one = true;
        }
    }
    Ok(directories)
}

/// How many inodes each dump has that no older one had.
struct AddedInodes {
    /// By dump: its place among those on disk, the oldest first.
    ranks: Vec<u32>,
    /// By tree and number of the dump: how many directories more it has than
    /// the one before.
    more_dirs: Vec<Vec<i64>>,
    /// The rank of the oldest dump that has it, counted from 1; 0: none.
    oldest: PerInode<u32>,
}

impl AddedInodes {
    fn new(connection: &Connection, series: &Series) -> rusqlite::Result<Self> {
        let mut ranks = vec![0; series.dumps.len()];
        for (rank, dump) in (1..).zip(series.there()) {
            ranks[dump] = rank;
        }
        let trees = series.trees.iter();
        Ok(Self {
            ranks,
            more_dirs: trees.map(|tree| vec![0; tree.dumps.len() + 1]).collect(),
            oldest: PerInode::new(connection)?,
        })
    }

    fn directory(&mut self, tree: u32, (first, last): (u32, u32)) {
        let more = &mut self.more_dirs[tree as usize];
        more[first as usize] += 1;
        more[last as usize + 1] -= 1;
    }

    fn other(&mut self, inode: i64, dump: usize) {
        let rank = self.ranks[dump];
        if let Some(oldest) = self.oldest.get_mut(inode) {
            *oldest = match *oldest {
                0 => rank,
                other => other.min(rank),
            };
        }
    }

    /// By dump.
    fn finish(self, series: &Series) -> Vec<u64> {
        let mut by_rank = vec![0_u64; series.dumps.len() + 1];
        for rank in &self.oldest.0 {
            by_rank[*rank as usize] += 1;
        }
        let mut added: Vec<u64> = (self.ranks.iter())
            .map(|rank| {
                if *rank == 0 {
                    0
                } else {
                    by_rank[*rank as usize]
                }
            })
            .collect();
        for (tree, more) in series.trees.iter().zip(&self.more_dirs) {
            let mut directories = 0_i64;
            for (dump, more) in tree.dumps.iter().zip(more) {
                directories += more;
                // The tree's own directory is none of its entries.
                added[*dump] += directories.unsigned_abs() + 1;
            }
        }
        added
    }
}

/// All dumps on disk, the oldest first.
pub(super) fn sizes(connection: &Connection, series: &Series) -> rusqlite::Result<Vec<DumpSizes>> {
    let (spaces, (holders, added)) = beside(connection, spaces, || met(connection, series))?;
    let mut unique: Vec<u64> = series.dumps.iter().map(|dump| dump.dirs).collect();
    for (holder, space) in holders.0.iter().zip(spaces.0) {
        if let Holder::One(dump) = holder {
            unique[*dump as usize] += space;
        }
    }
    let added_inodes = added.finish(series);
    let there = series.there().into_iter();
    let sizes = there.map(|at| {
        let dump = &series.dumps[at];
        DumpSizes {
            dump: dump.id,
            trees: series.tree_names(at),
            // The trees themselves are not counted in their series.
            entries: dump.entries + dump.trees.len() as u64,
            added: dump.added + dump.dirs,
            unique: unique[at],
            added_inodes: added_inodes[at],
        }
    });
    Ok(sizes.collect())
}

/// In which dumps each inode was met, and how many inodes each dump added.
fn met(
    connection: &Connection,
    series: &Series,
) -> rusqlite::Result<(PerInode<Holder>, AddedInodes)> {
    let belongs = Belongs::read(connection, &tree_indices(series), |_, _| None)?;
    let directories = directories(connection)?;
    let mut added = AddedInodes::new(connection, series)?;
    let mut holders = PerInode::<Holder>::new(connection)?;
    each_run(connection, |run| {
        let Some(tree) = belongs.of(run.dir) else {
            return;
        };
        let number = tree.tree;
        let tree = &series.trees[number as usize];
        let Some(span) = tree.span(run.first, run.last) else {
            return;
        };
        if directories.get(run.inode) {
            return added.directory(number, span);
        }
        added.other(run.inode, tree.dumps[span.0 as usize]);
        let Some(holder) = holders.get_mut(run.inode) else {
            return;
        };
        let dump = u32::try_from(tree.dumps[span.0 as usize]).unwrap_or(u32::MAX);
        *holder = match *holder {
            Holder::None if span.0 == span.1 => Holder::One(dump),
            Holder::One(other) if span.0 == span.1 && other == dump => Holder::One(dump),
            _ => Holder::Several,
        };
    })?;
    Ok((holders, added))
}

/// A set of dumps on disk, asked for runs of a tree's.
pub(super) struct Chosen {
    /// By index of the tree: those of the set, and those that remain.
    members: Vec<(Members, Members)>,
    /// Space taken by their directories, in bytes.
    pub(super) dirs: u64,
}

/// What a run has to do with a set of dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meets {
    pub(super) chosen: bool,
    pub(super) others: bool,
}

impl Chosen {
    /// These, or all.
    pub(super) fn of(series: &Series, dumps: Option<&[DumpId]>) -> Self {
        let set: Option<HashSet<usize>> =
            dumps.map(|dumps| dumps.iter().filter_map(|id| series.find(*id)).collect());
        let is_in = |dump: usize| {
            series.dumps[dump].is_there && set.as_ref().is_none_or(|set| set.contains(&dump))
        };
        let members = series.trees.iter().map(|tree| {
            let others = |dump: usize| series.dumps[dump].is_there && !is_in(dump);
            (Members::of(tree, is_in), Members::of(tree, others))
        });
        let of_set = series.dumps.iter().enumerate().filter(|(at, _)| is_in(*at));
        Self {
            members: members.collect(),
            dirs: of_set.map(|(_, dump)| dump.dirs).sum(),
        }
    }

    /// What has the run of a tree, by its index, to do with them?
    pub(super) fn meets(&self, series: &Series, tree: u32, first: i64, last: Option<i64>) -> Meets {
        let tree = tree as usize;
        let (chosen, others) = &self.members[tree];
        match series.trees[tree].clamped(first, last) {
            Some((first, last)) => Meets {
                chosen: chosen.any(first, last),
                others: others.any(first, last),
            },
            None => Meets {
                chosen: false,
                others: false,
            },
        }
    }
}

/// Which inodes only the dumps of a set have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    #[default]
    Unmet,
    Only,
    Also,
}

/// Notes of each inode whether only the set has it.
pub(super) fn held(
    connection: &Connection,
    series: &Series,
    belongs: &Belongs,
    chosen: &Chosen,
) -> rusqlite::Result<PerInode<Held>> {
    let mut held = PerInode::<Held>::new(connection)?;
    each_run(connection, |run| {
        let Some(tree) = belongs.of(run.dir) else {
            return;
        };
        let meets = chosen.meets(series, tree.tree, run.first, run.last);
        if let Some(held) = held.get_mut(run.inode) {
            *held = match *held {
                _ if meets.others => Held::Also,
                Held::Unmet if meets.chosen => Held::Only,
                same => same,
            };
        }
    })?;
    Ok(held)
}

/// The space that removing these dumps together would free, in bytes.
pub(super) fn freed(
    connection: &Connection,
    series: &Series,
    dumps: &[DumpId],
) -> rusqlite::Result<u64> {
    let belongs = Belongs::read(connection, &tree_indices(series), |_, _| None)?;
    let chosen = Chosen::of(series, Some(dumps));
    let held = || held(connection, series, &belongs, &chosen);
    let (spaces, held) = beside(connection, spaces, held)?;
    let each = held.0.iter().zip(spaces.0);
    let only = each.filter(|(held, _)| **held == Held::Only);
    Ok(chosen.dirs + only.map(|(_, space)| space).sum::<u64>())
}

/// Asks two questions at once, the first by a connection of its own. Both see one
/// state: the caller has begun to read, and as long as somebody reads nobody writes.
fn beside<A: Send, B>(
    connection: &Connection,
    first: impl Fn(&Connection) -> rusqlite::Result<A> + Sync,
    second: impl FnOnce() -> rusqlite::Result<B>,
) -> rusqlite::Result<(A, B)> {
    // There is none while somebody waits to write.
    let Ok(own) = schema::connect_again(connection) else {
        return Ok((first(connection)?, second()?));
    };
    thread::scope(|scope| {
        let first = &first;
        let asked = Builder::new().spawn_scoped(scope, move || first(&own));
        let second = second()?;
        let first = match asked {
            Ok(asked) => asked.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // No more threads are allowed.
            Err(_) => first(connection),
        };
        Ok((first?, second))
    })
}
