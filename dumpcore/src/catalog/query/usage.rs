//! Where the space goes: what a set of dumps holds alone, what a path costs over
//! all of history, and which full copies there are.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::paths::{Belongs, Place, place};
use super::rows::{Run, each_run};
use super::series::Series;
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
    let mut counted = Counted::new(connection, series)?;
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
        if let Some(part) = part {
            counted.count(run.inode, part, here.tree, run.first);
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
    generations: Vec<GenerationRow>,
    /// By tree: the numbers with which generations begin, and their indices.
    begins: Vec<Vec<(i64, usize)>>,
}

impl Counted {
    fn new(connection: &Connection, series: &Series) -> rusqlite::Result<Self> {
        let (generations, begins) = generations(series);
        Ok(Self {
            first: PerInode::new(connection)?,
            others: HashSet::new(),
            generations,
            begins,
        })
    }

    fn count(&mut self, inode: i64, part: u32, tree: u32, first: i64) {
        let begins = &self.begins[tree as usize];
        let at = begins.partition_point(|(begin, _)| *begin <= first);
        let generation = at.checked_sub(1).map_or(0, |at| begins[at].1 + 1);
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
                self.generations[generation as usize].bytes += space;
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
        self.generations.retain(|generation| {
            let of_tree = only.as_ref().is_none_or(|tree| *tree == generation.tree);
            of_tree && (generation.dumps > 0 || generation.bytes > 0)
        });
        Ok(UsageRow {
            bytes,
            paths,
            generations: self.generations,
        })
    }
}

fn tree_of(path: &RelPath) -> Option<&[u8]> {
    let name = path.as_bytes().split(|b| *b == b'/').next()?;
    (!name.is_empty()).then_some(name)
}

/// The full copies of all trees: each begins with the first dump, or with a
/// checkpoint. Also, by tree, where they begin.
fn generations(series: &Series) -> (Vec<GenerationRow>, Vec<Vec<(i64, usize)>>) {
    let (mut all, mut begins) = (Vec::new(), Vec::new());
    for tree in &series.trees {
        let mut of_tree = Vec::new();
        for (number, dump) in (0..).zip(&tree.dumps) {
            let dump = &series.dumps[*dump];
            let is_checkpoint =
                matches!(dump.id, DumpId::Dump(name) if name.sort == Sort::Checkpoint);
            if number == 0 || is_checkpoint {
                of_tree.push((number, all.len()));
                all.push(GenerationRow {
                    tree: tree.name.clone(),
                    name: dump.id,
                    moment: dump.moment,
                    dumps: 0,
                    bytes: 0,
                });
            }
            if let Some(generation) = all.last_mut() {
                generation.dumps += u64::from(dump.is_there);
            }
        }
        begins.push(of_tree);
    }
    (all, begins)
}
