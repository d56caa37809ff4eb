//! Where the space goes: what a set of dumps holds alone, what a path costs over
//! all of history, and which full copies there are.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::paths::{Belongs, Place, place};
use super::rows::{Run, each_run};
use super::series::{DumpRow, Series, TreeSeries};
use super::sizes::{Chosen, Held, PerInode, each_space, held, tree_indices};
use crate::catalog::query_values::{GenerationRow, UsageOf, UsageRow};
use crate::model::path::RelPath;
use crate::policy::layout::{DumpId, Sort};

/// `None`: no dump ever had the path.
pub(super) fn usage(
    connection: &Connection,
    series: &Series,
    of: &UsageOf,
) -> rusqlite::Result<Option<UsageRow>> {
    let place = match &of.below {
        None => None,
        Some(path) => match place(connection, path)? {
            Some(place) => Some((path.clone(), place)),
            None => return Ok(None),
        },
    };
    let mut parts = Parts::default();
    let belongs = Belongs::read(connection, &tree_indices(series), |parent, name| {
        parts.of_dir(place.as_ref().map(|(_, place)| place), parent, name)
    })?;
    let chosen = Chosen::of(series, of.dumps.as_deref());
    let held = held(connection, series, &belongs, &chosen)?;
    let mut counted = Counted::new(connection, series, &of.linked)?;
    each_run(connection, |run| {
        let Some(here) = belongs.of(run.dir) else {
            return;
        };
        let meets = chosen.meets(series, here.tree, run.first, run.last);
        if !meets.chosen || held.get(run.inode) != Held::Only {
            return;
        }
        let part = here
            .part
            .or_else(|| parts.of_name(place.as_ref().map(|(_, p)| p), run));
        let on_disk = series.trees[here.tree as usize].span(run.first, run.last);
        if let Some((part, (first, _))) = part.zip(on_disk) {
            counted.count(run.inode, part, here.tree, first);
        }
    })?;
    let whole = of.below.is_none();
    counted
        .sum(
            connection,
            whole.then_some(chosen.dirs),
            series,
            &parts,
            place.map(|(path, _)| path),
        )
        .map(Some)
}

/// What is reported one by one: the trees, the names of a directory, or the one
/// path that was asked for.
#[derive(Debug, Default)]
struct Parts {
    names: Vec<Vec<u8>>,
    by_name: HashMap<Vec<u8>, u32>,
}

impl Parts {
    fn part(&mut self, name: &[u8]) -> u32 {
        if let Some(part) = self.by_name.get(name) {
            return *part;
        }
        let part = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_vec());
        self.by_name.insert(name.to_vec(), part);
        part
    }

    /// The part that a directory begins.
    fn of_dir(&mut self, place: Option<&Place>, parent: i64, name: &[u8]) -> Option<u32> {
        let begins = match place {
            None => parent == 0,
            Some(place) => place.dir == Some(parent),
        };
        begins.then(|| self.part(name))
    }

    /// The part of a name that is not a directory: of one in the directory asked
    /// for, or of the path itself.
    fn of_name(&mut self, place: Option<&Place>, run: &Run<'_>) -> Option<u32> {
        let place = place?;
        if place.dir == Some(run.dir) {
            return Some(self.part(run.name));
        }
        let (dir, name) = place.entry.as_ref()?;
        (*dir == run.dir && name == run.name).then(|| self.part(b""))
    }
}

/// Which inodes were met in which part.
struct Counted {
    /// The first part, and the generation, both plus one.
    first: PerInode<(u32, u32)>,
    /// Further parts of an inode that has names in several.
    others: HashSet<(i64, u32)>,
    copies: Copies,
}

impl Counted {
    fn new(connection: &Connection, series: &Series, linked: &[DumpId]) -> rusqlite::Result<Self> {
        Ok(Self {
            first: PerInode::new(connection)?,
            others: HashSet::new(),
            copies: Copies::read(connection, series, linked)?,
        })
    }

    fn count(&mut self, inode: i64, part: u32, tree: u32, first: u32) {
        let copy = self.copies.begins[tree as usize].copy_of(first);
        let generation = copy.map_or(0, |copy| copy + 1);
        let generation = u32::try_from(generation).unwrap_or_default();
        let Some(found) = self.first.get_mut(inode) else {
            return;
        };
        if found.0 == 0 {
            *found = (part + 1, generation);
        } else if found.0 != part + 1 {
            self.others.insert((inode, part));
        }
    }

    fn sum(
        mut self,
        connection: &Connection,
        dirs: Option<u64>,
        series: &Series,
        parts: &Parts,
        below: Option<RelPath>,
    ) -> rusqlite::Result<UsageRow> {
        let mut sums = vec![0; parts.names.len()];
        let mut others: HashMap<i64, Vec<u32>> = HashMap::new();
        for (inode, part) in self.others {
            others.entry(inode).or_default().push(part);
        }
        let mut bytes = dirs.unwrap_or_default();
        each_space(connection, |inode, space| {
            let (part, generation) = self.first.get(inode);
            let Some(part) = part.checked_sub(1) else {
                return;
            };
            bytes += space;
            for part in others.get(&inode).into_iter().flatten().chain([&part]) {
                sums[*part as usize] += space;
            }
            if let Some(generation) = generation.checked_sub(1) {
                self.copies.all[generation as usize].bytes += space;
            }
        })?;
        let below = below.unwrap_or_default();
        let paths = parts.names.iter().zip(sums);
        let mut paths: Vec<(RelPath, u64)> = paths
            .map(|(name, bytes)| (below.join(name), bytes))
            .collect();
        paths.retain(|(_, bytes)| *bytes > 0);
        paths.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let only = tree_of(&below).and_then(|tree| series.tree(tree));
        let only = only.map(|at| series.trees[at].name.clone());
        self.copies.all.retain(|generation| {
            let of_tree = only.as_ref().is_none_or(|tree| *tree == generation.tree);
            of_tree && (generation.dumps > 0 || generation.bytes > 0)
        });
        Ok(UsageRow {
            bytes,
            paths,
            generations: self.copies.all,
        })
    }
}

fn tree_of(path: &RelPath) -> Option<&[u8]> {
    let name = path.as_bytes().split(|b| *b == b'/').next()?;
    (!name.is_empty()).then_some(name)
}

/// The full copies of all trees: each begins with the first dump, or with a
/// checkpoint; one more are the linked checkpoints.
#[derive(Debug, Default)]
struct Copies {
    all: Vec<GenerationRow>,
    /// By tree: where they begin.
    begins: Vec<Begins>,
}

/// Where the full copies of a tree begin: the numbers of dumps, and the places of
/// the copies in [`Copies::all`].
#[derive(Debug, Default)]
struct Begins {
    ordinary: Vec<(u32, usize)>,
    linked: Vec<u32>,
    chain: Option<usize>,
}

impl Begins {
    /// To which copy does a dump belong?
    fn copy_of(&self, number: u32) -> Option<usize> {
        if self.linked.binary_search(&number).is_ok() {
            return self.chain;
        }
        let begun = |(begin, _): &(u32, usize)| *begin <= number;
        let at = self.ordinary.partition_point(begun).checked_sub(1)?;
        Some(self.ordinary[at].1)
    }
}

impl Copies {
    fn read(connection: &Connection, series: &Series, linked: &[DumpId]) -> rusqlite::Result<Self> {
        let mut copies = Self::default();
        for tree in &series.trees {
            let mut begins = Begins::default();
            for (number, dump) in (0..).zip(&tree.dumps) {
                let dump = &series.dumps[*dump];
                if dump.is_there && linked.contains(&dump.id) {
                    begins.linked.push(number);
                    if begins.chain.is_none() {
                        begins.chain = Some(copies.begin(tree, dump, true));
                    }
                } else if begins.ordinary.is_empty()
                    || is_checkpoint(dump) && (dump.is_there || is_used(connection, tree, number)?)
                {
                    let copy = copies.begin(tree, dump, false);
                    begins.ordinary.push((number, copy));
                }
                if let Some(copy) = begins.copy_of(number) {
                    copies.all[copy].dumps += u64::from(dump.is_there);
                }
            }
            copies.begins.push(begins);
        }
        Ok(copies)
    }

    /// Returns the place of the copy that begins with a dump.
    fn begin(&mut self, tree: &TreeSeries, dump: &DumpRow, is_linked: bool) -> usize {
        self.all.push(GenerationRow {
            tree: tree.name.clone(),
            name: dump.id,
            moment: dump.moment,
            is_linked,
            dumps: 0,
            bytes: 0,
        });
        self.all.len() - 1
    }
}

fn is_checkpoint(dump: &DumpRow) -> bool {
    matches!(dump.id, DumpId::Dump(name) if name.sort == Sort::Checkpoint)
}

/// Have dumps after a checkpoint that is gone files of it? Of one that was linked
/// they have none.
fn is_used(connection: &Connection, tree: &TreeSeries, number: u32) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS(SELECT 1 FROM live l CROSS JOIN dir d ON d.id=l.dir
                 CROSS JOIN inode i ON i.id=l.inode
                 WHERE l.first<=?2 AND d.tree=?1 AND i.kind<>1)
               OR EXISTS(SELECT 1 FROM past l CROSS JOIN dir d ON d.id=l.dir
                 CROSS JOIN inode i ON i.id=l.inode
                 WHERE l.first<=?2 AND l.last>?2 AND d.tree=?1 AND i.kind<>1)";
    connection.query_row(sql, params![tree.id.0, number], |row| row.get(0))
}
