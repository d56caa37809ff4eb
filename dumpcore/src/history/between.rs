//! What differs between two dumps, or between a dump and the trees as they are
//! now.
//!
//! Equal inodes are equal entries: between dumps that share them a listing of
//! each directory is enough, and with the catalog not even that. What has two
//! inodes is compared as `hist` does. Nothing is said of a directory of which
//! only the names, or the time, are others: its names are told one by one.

use std::path::{Path, PathBuf};

use super::catalog::CatalogView;
use super::changed::{Found, Judge, PathChange, renamed};
use super::compare_options::CompareOptions;
use super::navigator::{Navigator, tree_of};
use super::read::makes_up_inodes;
use super::version::{Version, is_inside, look};
use super::walk_both::Walk;
use crate::catalog::{Facts, Pair, Recorded};
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Id;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::sys::dir::{For, open_root};
use crate::sys::fstype::FsType;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// A dump.
    Dump(DumpId),
    /// The trees as they are now.
    Main,
}

/// Two states of the trees, about to be compared: [`Navigator::compare`].
#[derive(Clone, Debug)]
#[must_use = "nothing is compared until it is run"]
pub struct Comparison<'a> {
    navigator: &'a Navigator,
    old: State,
    new: State,
    below: Vec<RelPath>,
    options: CompareOptions,
}

/// What two states of the trees differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differences {
    /// The changes, by path.
    pub changes: Vec<PathChange>,
    /// Trees that only one of the two has. They are reported as created or
    /// deleted, without what is in them.
    pub lone_trees: Vec<RelPath>,
    /// What could not be compared.
    pub faults: Vec<Fault>,
    /// How many directories this user may not read; what is in them is not told
    /// of.
    pub closed: u64,
}

impl Navigator {
    /// Compares two states of the trees. Of the trees as they are now only those
    /// count that this navigator knows.
    pub fn compare(&self, old: State, new: State) -> Comparison<'_> {
        Comparison {
            navigator: self,
            old,
            new,
            below: Vec::new(),
            options: CompareOptions::new(),
        }
    }
}

impl Comparison<'_> {
    /// Only what is at or below this path, which begins with the name of a
    /// tree; call it for each.
    pub fn below(mut self, path: RelPath) -> Self {
        self.below.push(path);
        self
    }

    /// How far entries are compared.
    pub fn options(mut self, options: CompareOptions) -> Self {
        self.options = options;
        self
    }

    /// Compares. With the catalog, which both dumps must be known to, only what
    /// changed is looked at.
    ///
    /// # Errors
    /// A dump that cannot be listed, or the catalog that cannot be read.
    pub fn run(&self, catalog: Option<&CatalogView>) -> Result<Differences, Error> {
        let mut found = Found::default();
        let tops = self.tops(&mut found)?;
        let recorded = match (catalog, self.old, self.new) {
            (Some(catalog), State::Dump(old), State::Dump(new)) => {
                let pairs = catalog.view.diff(old, new);
                pairs.map_err(|e| Error::Other(Box::new(e)))?
            }
            _ => None,
        };
        let judge = Judge::new(self.options.clone(), self.by_inode());
        match recorded {
            Some(pairs) => {
                for top in tops {
                    // Of them nothing is recorded.
                    if let (Some(old), Some(new)) = (&top.1, &top.2) {
                        judge.pair(&top.0, old, new, None, &mut found);
                    }
                }
                self.judge_recorded(&judge, pairs, &mut found);
            }
            None => {
                let mut walk = Walk::new(&judge, self.lists_inodes(), &mut found);
                for (within, old, new) in tops {
                    walk.run(within, old, new);
                }
            }
        }
        found.raw.sort_by(|one, other| one.path.cmp(&other.path));
        found
            .raw
            .dedup_by(|one, other| one.path == other.path && one.change == other.change);
        Ok(Differences {
            changes: renamed(found.raw),
            lone_trees: found.lone_trees,
            faults: found.faults,
            closed: found.closed,
        })
    }

    /// A path as one of the states has it; `old`: as the older one has it. `None`
    /// also of a path that leads out of a dump, by `..` or a symlink.
    ///
    /// # Errors
    /// What cannot be looked at.
    pub fn version(&self, old: bool, within: &RelPath) -> Result<Option<Version>, Fault> {
        let state = if old { self.old } else { self.new };
        let Some(path) = self.path(old, within) else {
            return Ok(None);
        };
        let dump = match state {
            State::Dump(dump) => {
                let top = self.navigator.listing.root().join(dump.path());
                if !is_inside(&top, &path)? {
                    return Ok(None);
                }
                dump.name()
            }
            State::Main => None,
        };
        Ok(look(&path)?.map(|meta| Version { path, dump, meta }))
    }

    /// where a path is in one of the states, whether it exists or not; `old`:
    /// in the older one. `None`: its tree is not among those that are known.
    #[must_use]
    pub fn path(&self, old: bool, within: &RelPath) -> Option<PathBuf> {
        match if old { self.old } else { self.new } {
            State::Dump(dump) => {
                let root = self.navigator.listing.root();
                Some(within.below(&root.join(dump.path())))
            }
            State::Main => self.navigator.trees.main_path(within),
        }
    }

    /// The paths at which it begins, as both have them: trees that both have,
    /// or what was asked for. A tree that only one has is reported here.
    fn tops(&self, found: &mut Found) -> Result<Vec<Top>, Fault> {
        let (old, new) = (self.trees(self.old)?, self.trees(self.new)?);
        let mut tops = Vec::new();
        let wanted = match self.below.as_slice() {
            [] => {
                let mut all: Vec<RelPath> = old.iter().chain(&new).cloned().collect();
                all.sort();
                all.dedup();
                all
            }
            below => below.to_vec(),
        };
        for within in wanted {
            let tree = RelPath::from(tree_of(&within));
            if [self.old, self.new].contains(&State::Main)
                && self.navigator.trees.main_path(&within).is_none()
            {
                continue;
            }
            let versions = (self.version(true, &within)?, self.version(false, &within)?);
            let lone = old.contains(&tree) != new.contains(&tree);
            if lone && self.below.is_empty() {
                found.lone_trees.push(tree);
                found.one_side(&within, versions.0.as_ref(), versions.1.as_ref());
            } else {
                tops.push((within, versions.0, versions.1));
            }
        }
        Ok(tops)
    }

    /// The trees that a state has.
    fn trees(&self, state: State) -> Result<Vec<RelPath>, Fault> {
        let names: Vec<_> = match state {
            State::Dump(dump) => {
                let root = self.navigator.listing.root().join(dump.path());
                let listed = super::read::list(&root).map_err(Fault::at(Op::List, &root))?;
                let dirs = listed.iter().filter(|entry| {
                    let kind = entry.kind.unwrap_or(Kind::Dir);
                    kind == Kind::Dir
                });
                dirs.map(|entry| RelPath::from_bytes(entry.name.to_bytes()))
                    .collect()
            }
            State::Main => {
                let roots = self.navigator.trees.roots.iter();
                let names = roots.filter_map(|tree| tree.name_in_dump());
                names.map(|name| RelPath::from(Path::new(&name))).collect()
            }
        };
        Ok(names)
    }

    /// Do inodes tell that two entries are the same? Where numbers are made up, and
    /// of the tree as it is now, size and time count.
    fn by_inode(&self) -> bool {
        let main = [self.old, self.new].contains(&State::Main);
        !main && !makes_up_inodes(self.navigator.listing.root())
    }

    /// Do listings tell which entries are one inode?
    fn lists_inodes(&self) -> bool {
        let main = [self.old, self.new].contains(&State::Main);
        let root = open_root(self.navigator.listing.root(), For::Passing);
        !main
            && root
                .and_then(FsType::of)
                .is_ok_and(FsType::lists_true_inodes)
    }

    /// A path as the catalog has it, or as it is on disk where that is not known.
    fn recorded(&self, old: bool, within: &RelPath, facts: &Facts) -> Version {
        let state = if old { self.old } else { self.new };
        let path = self.path(old, within).unwrap_or_default();
        let looked = (!facts.has_time()).then(|| look(&path).ok().flatten());
        Version {
            dump: match state {
                State::Dump(dump) => dump.name(),
                State::Main => None,
            },
            meta: looked.flatten().unwrap_or_else(|| facts.meta()),
            path,
        }
    }

    /// What the catalog says of two dumps; what it cannot tell is looked at.
    fn judge_recorded(&self, judge: &Judge, pairs: Vec<Pair>, found: &mut Found) {
        for Pair { path, old, new } in pairs {
            if judge.is_stopped() {
                break;
            }
            let asked = |below: &RelPath| path.is_at_or_below(below);
            if !self.below.is_empty() && !self.below.iter().any(asked) {
                continue;
            }
            let key = |inode: &Recorded| Id {
                dev: 0,
                ino: inode.id.0.cast_unsigned(),
            };
            match (&old, &new) {
                (Some(before), Some(after)) => {
                    let same = match (before.hash, after.hash) {
                        (Some(before), Some(after)) => Some(before == after),
                        _ => None,
                    };
                    let before = self.recorded(true, &path, &before.facts);
                    let after = self.recorded(false, &path, &after.facts);
                    judge.pair(&path, &before, &after, same, found);
                }
                (Some(inode), None) => {
                    found.gone(&path, &inode.facts.meta(), key(inode));
                }
                (None, Some(inode)) => {
                    found.came(&path, &inode.facts.meta(), key(inode));
                }
                (None, None) => {}
            }
        }
    }
}

/// A path at which a comparison begins, as both states have it.
type Top = (RelPath, Option<Version>, Option<Version>);
