//! Which policy each tree of a dump root has: those of all sets that dump into
//! it, since several sets may share one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use dumpcore::{KeepPolicy, KeepRules, Printable, Tree};

use crate::config::keep::KeepTable;
use crate::config::options::Configuration;
use crate::config::origin::{Source, Value};
use crate::config::settings::Sources;
use crate::config::trees::trees;
use crate::failure::Failure;
use crate::program::Program;

/// The policies for the trees of one dump root.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    sets: Vec<OfSet>,
}

/// What a set says of its trees in that dump root.
#[derive(Clone, Debug)]
struct OfSet {
    name: Option<String>,
    /// Is it the set that was asked for, or the top level?
    is_chosen: bool,
    /// Is the dump root one that this set dumps or replicates into?
    counts: bool,
    /// The names of its trees in the dumps; `None` for all trees that no other
    /// set names.
    trees: Option<Vec<OsString>>,
    /// The trees that it dumps, and those that it would dump without options:
    /// their names in the dumps, and their paths.
    sources: Vec<(OsString, PathBuf)>,
    keep: Option<Value<KeepTable>>,
    /// The dump root that `keep` is for.
    root: PathBuf,
    /// Are its dumps replicated from here?
    is_replicated: bool,
}

/// Different trees that are dumped under one name into one dump root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Their name in the dumps.
    pub tree: OsString,
    paths: Vec<(String, PathBuf)>,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = Printable::path(self.tree.as_ref());
        let paths = self.paths.iter();
        let paths = paths.map(|(set, path)| format!("{} ({set})", Printable::path(path)));
        let paths: Vec<String> = paths.collect();
        write!(
            f,
            "different trees are dumped under the name {tree}: {}; no dump of {tree} is pruned: \
             set root_name or another dump root for one of them",
            paths.join(", ")
        )
    }
}

impl Policies {
    /// Of the dump root of a set: the one that was `chosen`, whose trees and dump
    /// root may also be given by options. A policy counts only in the dump root
    /// that its set names.
    ///
    /// # Errors
    /// The configuration of another set is wrong.
    pub fn of_dump_root(
        program: Program,
        asked: &Configuration,
        (chosen, main): (&Sources, &[PathBuf]),
        root: &Path,
    ) -> Result<Self, Failure> {
        let others = others(program, asked, chosen)?;
        let place = Place::of(root, chosen, &others);
        let mut all = Self::default();
        let is_slave = place.role(chosen) == Some(Role::Replicas);
        all.sets.push(match is_slave {
            true => OfSet::of_replicas(chosen, &place, true),
            false => OfSet::of_dumps(chosen, main, &place, true),
        });
        all.add(&others, &place);
        Ok(all)
    }

    /// Of the dump root that the set `chosen` makes its replicas in.
    ///
    /// # Errors
    /// The configuration of another set is wrong.
    pub fn of_replicas(
        program: Program,
        asked: &Configuration,
        chosen: &Sources,
        root: &Path,
    ) -> Result<Self, Failure> {
        let others = others(program, asked, chosen)?;
        let place = Place::of(root, chosen, &others);
        let mut all = Self::default();
        all.sets.push(OfSet::of_replicas(chosen, &place, true));
        all.add(&others, &place);
        Ok(all)
    }

    fn add(&mut self, others: &[Sources], place: &Place<'_>) {
        let sets = others.iter().filter_map(|other| match place.role(other)? {
            Role::Dumps => Some(OfSet::of_dumps(other, &[], place, false)),
            Role::Replicas => Some(OfSet::of_replicas(other, place, false)),
        });
        self.sets.extend(sets);
    }

    /// The set that was asked for dumps these trees, whatever the configuration
    /// says.
    #[must_use]
    pub fn dumping(mut self, trees: impl Iterator<Item = Tree>) -> Self {
        if let Some(set) = self.sets.iter_mut().find(|set| set.is_chosen) {
            let dumped: Vec<_> = trees.filter_map(named).collect();
            set.trees = Some(dumped.iter().map(|(name, _)| name.clone()).collect());
            set.sources.extend(dumped);
        }
        self
    }

    /// What is wrong with policies that count here.
    pub fn wrong(&self) -> impl Iterator<Item = &str> {
        let keep = self.counting().filter_map(|set| set.keep.as_ref());
        keep.filter_map(|keep| keep.value.policy.as_ref().err())
            .map(String::as_str)
    }

    /// The different trees that are dumped here under one name. No policy is for
    /// such a name.
    #[must_use]
    pub fn clashes(&self) -> Vec<Clash> {
        let mut all: BTreeMap<&OsString, Vec<(String, PathBuf)>> = BTreeMap::new();
        for set in self.counting() {
            for (tree, path) in &set.sources {
                let paths = all.entry(tree).or_default();
                if !paths.iter().any(|(_, other)| is_same(other, path)) {
                    paths.push((set.label(), path.clone()));
                }
            }
        }
        let all = all.into_iter().filter(|(_, paths)| paths.len() > 1);
        let clash = |(tree, paths): (&OsString, _)| Clash {
            tree: tree.clone(),
            paths,
        };
        all.map(clash).collect()
    }

    /// The policies, without those that are wrong. A tree that a set without a
    /// policy dumps too has none.
    pub fn rules(&self) -> KeepRules {
        let mut rules = KeepRules::new();
        for set in self.counting() {
            if let Some(policy) = set.policy() {
                rules = match &set.trees {
                    None => rules.other_trees(policy.clone()),
                    Some(trees) => trees.iter().fold(rules, |rules, tree| {
                        rules.tree(tree.clone(), policy.clone())
                    }),
                };
            }
        }
        let kept = self.counting().filter(|set| set.policy().is_none());
        let kept = kept.flat_map(|set| &set.sources);
        for (tree, _) in kept {
            rules = rules.without_policy(tree.clone());
        }
        for clash in self.clashes() {
            rules = rules.without_policy(clash.tree);
        }
        rules.replicated(self.counting().any(|set| set.is_replicated))
    }

    /// The names of the trees of the set that was asked for; `None` for all that
    /// no other set names.
    #[must_use]
    pub fn chosen_trees(&self) -> Option<&[OsString]> {
        let mut chosen = self.sets.iter().filter(|set| set.is_chosen);
        chosen.next().and_then(|set| set.trees.as_deref())
    }

    /// The dump root that the policy of the set that was asked for is for, where
    /// that is not this one.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&Path> {
        let mut chosen = self.sets.iter().filter(|set| set.is_chosen);
        let chosen = chosen.find(|set| !set.counts && set.keep.is_some());
        chosen.map(|set| set.root.as_path())
    }

    /// Has any tree a policy?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(|set| set.policy().is_none())
    }

    fn counting(&self) -> impl Iterator<Item = &OfSet> {
        self.sets.iter().filter(|set| set.counts)
    }
}

impl OfSet {
    fn of_dumps(sources: &Sources, main: &[PathBuf], place: &Place<'_>, is_chosen: bool) -> Self {
        Self {
            name: sources.set().map(str::to_owned),
            is_chosen,
            counts: place.role(sources) == Some(Role::Dumps),
            trees: Some(names(sources, main)),
            sources: dumped(sources, main),
            keep: sources.keep(),
            root: sources
                .dump_of_files()
                .unwrap_or_else(|| sources.dump(None))
                .value,
            is_replicated: sources.has_slave(),
        }
    }

    fn of_replicas(sources: &Sources, place: &Place<'_>, is_chosen: bool) -> Self {
        let main = sources.main(&[]);
        Self {
            name: sources.set().map(str::to_owned),
            is_chosen,
            counts: place.has_replicas_of(sources),
            // Where the dumps come from another machine, nobody says what is in
            // them.
            trees: (main.source != Source::Default).then(|| names(sources, &[])),
            sources: dumped(sources, &[]),
            keep: sources.slave_keep(),
            root: sources.slave_dump(None).value,
            is_replicated: false,
        }
    }

    fn policy(&self) -> Option<&KeepPolicy> {
        let keep = self.keep.as_ref().filter(|_| self.counts)?;
        keep.value.policy.as_ref().ok()
    }

    fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("set {name}"),
            None => "top level".to_owned(),
        }
    }
}

/// The dump root in hand, among those of the configuration.
struct Place<'a> {
    root: &'a Path,
    /// Does the configuration name no dump root at all? Then the one in hand is
    /// that of each set.
    is_free: bool,
}

/// What a dump root is to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Dumps,
    Replicas,
}

impl<'a> Place<'a> {
    fn of(root: &'a Path, chosen: &Sources, others: &[Sources]) -> Self {
        let mut place = Self {
            root,
            is_free: false,
        };
        let mut all = others.iter().chain([chosen]);
        place.is_free =
            all.all(|sources| sources.dump_of_files().is_none() && !place.has_replicas_of(sources));
        place
    }

    fn role(&self, sources: &Sources) -> Option<Role> {
        let is_dump = match sources.dump_of_files() {
            Some(dump) => is_same(&dump.value, self.root),
            None => self.is_free || is_same(&sources.dump(None).value, self.root),
        };
        match is_dump {
            true => Some(Role::Dumps),
            false => self.has_replicas_of(sources).then_some(Role::Replicas),
        }
    }

    fn has_replicas_of(&self, sources: &Sources) -> bool {
        sources.has_slave() && is_same(&sources.slave_dump(None).value, self.root)
    }
}

/// The trees that a set dumps: those that options give, those of the environment
/// and those of the files.
fn dumped(sources: &Sources, main: &[PathBuf]) -> Vec<(OsString, PathBuf)> {
    let all = [
        Some(sources.main(main)),
        Some(sources.main(&[])),
        sources.main_of_files(),
    ];
    // The top level need not dump anything.
    let is_named = |main: &Value<_>| sources.set().is_some() || main.source != Source::Default;
    let all = all.into_iter().flatten().filter(is_named);
    all.flat_map(|main| trees_of(sources, &main)).collect()
}

/// The names in the dumps of the trees of a set; `main`: those of options.
#[must_use]
pub fn names(sources: &Sources, main: &[PathBuf]) -> Vec<OsString> {
    let trees = trees_of(sources, &sources.main(main));
    trees.into_iter().map(|(name, _)| name).collect()
}

/// The trees that a set dumps: their names in the dumps, and their paths; `main`:
/// those of options.
#[must_use]
pub fn named_trees(sources: &Sources, main: &[PathBuf]) -> Vec<(OsString, PathBuf)> {
    trees_of(sources, &sources.main(main))
}

/// The trees of a set: their names in the dumps, and their paths.
fn trees_of(sources: &Sources, main: &Value<Vec<PathBuf>>) -> Vec<(OsString, PathBuf)> {
    let name = sources.root_name(None, main);
    let name = name.as_ref().filter(|_| main.value.len() == 1);
    trees(&main.value, name).filter_map(named).collect()
}

fn named(tree: Tree) -> Option<(OsString, PathBuf)> {
    Some((tree.name_in_dump()?, tree.path))
}

/// All sets but that one, and the top level.
fn others(
    program: Program,
    asked: &Configuration,
    chosen: &Sources,
) -> Result<Vec<Sources>, Failure> {
    let asked = Configuration {
        config: asked.config.clone(),
        set: None,
    };
    let mut all = Sources::load_all(program, &asked)?;
    all.retain(|other| other.set() != chosen.set());
    Ok(all)
}

/// Do two paths lead to one directory?
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    one == other || real(one) == real(other)
}
