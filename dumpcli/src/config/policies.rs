//! Which policy each tree of a dump root has: those of all sets that dump into
//! it, since several sets may share one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dumpcore::{KeepPolicy, KeepRules, Tree};

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
    /// Is it the set that was asked for, or the top level?
    is_chosen: bool,
    /// The names of its trees in the dumps; `None` for all trees that no other
    /// set names.
    trees: Option<Vec<OsString>>,
    keep: Option<Value<KeepTable>>,
    /// Are its dumps replicated from here?
    is_replicated: bool,
}

impl Policies {
    /// Of the dump root of a set: the one that was `chosen`, whose trees and dump
    /// root may also be given by options.
    ///
    /// # Errors
    /// The configuration of another set is wrong.
    pub fn of_dump_root(
        program: Program,
        asked: &Configuration,
        (chosen, main): (&Sources, &[PathBuf]),
        root: &Path,
    ) -> Result<Self, Failure> {
        let mut all = Self::default();
        all.sets.extend(OfSet::at(chosen, main, root, true));
        for other in others(program, asked, chosen)? {
            all.sets.extend(OfSet::at(&other, &[], root, false));
        }
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
        let mut all = Self::default();
        all.sets.push(OfSet::of_replicas(chosen, true));
        for other in others(program, asked, chosen)? {
            if other.has_slave() && is_same(&other.slave_dump(None).value, root) {
                all.sets.push(OfSet::of_replicas(&other, false));
            }
        }
        Ok(all)
    }

    /// What is wrong with policies that count here.
    pub fn wrong(&self) -> impl Iterator<Item = &str> {
        let keep = self.sets.iter().filter_map(|set| set.keep.as_ref());
        keep.filter_map(|keep| keep.value.policy.as_ref().err())
            .map(String::as_str)
    }

    /// The policies, without those that are wrong.
    pub fn rules(&self) -> KeepRules {
        let mut rules = KeepRules::new();
        for set in &self.sets {
            if let Some(policy) = set.policy() {
                rules = match &set.trees {
                    None => rules.other_trees(policy.clone()),
                    Some(trees) => trees.iter().fold(rules, |rules, tree| {
                        rules.tree(tree.clone(), policy.clone())
                    }),
                };
            }
        }
        rules.replicated(self.sets.iter().any(|set| set.is_replicated))
    }

    /// The names of the trees of the set that was asked for; `None` for all that
    /// no other set names.
    #[must_use]
    pub fn chosen_trees(&self) -> Option<&[OsString]> {
        let mut chosen = self.sets.iter().filter(|set| set.is_chosen);
        chosen.next().and_then(|set| set.trees.as_deref())
    }

    /// The policy of the set that was asked for.
    #[must_use]
    pub fn chosen(&self) -> Option<&KeepPolicy> {
        let mut chosen = self.sets.iter().filter(|set| set.is_chosen);
        chosen.next().and_then(OfSet::policy)
    }

    /// Has any tree a policy?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(|set| set.policy().is_none())
    }
}

impl OfSet {
    /// What a set says of this dump root; `None` when it has nothing to do with
    /// it.
    fn at(sources: &Sources, main: &[PathBuf], root: &Path, is_chosen: bool) -> Option<Self> {
        let dump = sources.dump(None);
        let is_dump = is_same(&dump.value, root);
        let of_replicas = sources.has_slave() && is_same(&sources.slave_dump(None).value, root);
        match (is_dump, of_replicas) {
            (false, true) => Some(Self::of_replicas(sources, is_chosen)),
            (false, false) if !is_chosen => None,
            _ => Some(Self {
                is_chosen,
                trees: Some(names(sources, main)),
                keep: sources.keep(),
                is_replicated: sources.has_slave(),
            }),
        }
    }

    fn of_replicas(sources: &Sources, is_chosen: bool) -> Self {
        let main = sources.main(&[]);
        Self {
            is_chosen,
            // Where the dumps come from another machine, nobody says what is in
            // them.
            trees: (main.source != Source::Default).then(|| names(sources, &[])),
            keep: sources.slave_keep(),
            is_replicated: false,
        }
    }

    fn policy(&self) -> Option<&KeepPolicy> {
        self.keep.as_ref()?.value.policy.as_ref().ok()
    }
}

/// The names in the dumps of the trees of a set; `main`: those of options.
#[must_use]
pub fn names(sources: &Sources, main: &[PathBuf]) -> Vec<OsString> {
    let main = sources.main(main);
    let name = sources.root_name(None, &main);
    let name = name.as_ref().filter(|_| main.value.len() == 1);
    let names = trees(&main.value, name).filter_map(|tree: Tree| tree.name_in_dump());
    names.collect()
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
