//! What the configuration leaves out of the dumps of a tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dumpcore::{Filter, RelPath, Silent};

use crate::config::excludes::{add_files_of, given};
use crate::config::options::Excludes;
use crate::config::settings::Sources;
use crate::config::trees::trees;
use crate::failure::Failure;
use crate::lookup::all_roots::Lookups;
use crate::lookup::one_root::{Lookup, rooted};

/// The exclude rules of all sets that dump a tree of this name into this dump
/// root, and of the files that are with the trees and the dumps. Where no set
/// does, those of the top level, which count for trees that are named by hand.
/// `copy`: the tree as a dump has it, whose file of rules counts as well, since the
/// tree may have lost its own.
///
/// # Errors
/// A configuration, or a file of rules, that is wrong or cannot be read.
pub fn excluded(
    lookups: &Lookups,
    lookup: &Lookup,
    tree: &OsStr,
    copy: &Path,
) -> Result<Filter, Failure> {
    let all = lookups.sources()?;
    let mut sets = Vec::new();
    let mut mains = Vec::new();
    for sources in &all {
        let paths = dumped(sources, lookup, tree);
        if !paths.is_empty() {
            sets.push(sources);
            mains.extend(paths);
        }
    }
    if sets.is_empty() {
        sets.extend(all.first());
        let tree = RelPath::from_bytes(tree.as_bytes());
        mains.extend(lookup.navigator.main_path(&tree));
    }
    let rules: Vec<_> = sets
        .iter()
        .flat_map(|sources| {
            let none = Excludes::default();
            sources.excludes(&none, |s| s.exclude.as_ref(), |s| s.exclude_from.as_ref())
        })
        .collect();
    mains.push(copy.to_path_buf());
    let mut filter = given(&rules)?;
    add_files_of(&mut filter, &mains, &lookup.dump, &Silent)?;
    Ok(filter)
}

/// The paths of the trees of this name that a set dumps into this dump root.
fn dumped(sources: &Sources, lookup: &Lookup, tree: &OsStr) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let root = rooted(&lookup.from, &sources.dump(None).value);
    if real(&root) != real(&lookup.dump) {
        return Vec::new();
    }
    let main = sources.main(&[]);
    // A name of its own is for one tree.
    let name = sources.root_name(None, &main);
    let name = name.as_ref().filter(|_| main.value.len() == 1);
    let named = trees(&main.value, name)
        .filter(|it| it.name.as_deref().or(it.path.file_name()) == Some(tree));
    named.map(|it| rooted(&lookup.from, &it.path)).collect()
}
