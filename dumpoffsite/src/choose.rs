//! Which dumps of which trees are pushed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use chrono::Local;
use dumpcli::advice::no_dumps;
use dumpcli::failure::Failure;
use dumpcli::{absolute, policies};
use dumpcore::{Chain, DumpId, DumpName, DumpRoot, Error, Printable};

use crate::common::Settings;

/// A tree that dumps are pushed of.
#[derive(Clone, Debug)]
pub(crate) struct SetTree {
    /// Its name in the dumps.
    pub(crate) name: OsString,
    /// Where it is dumped from, absolute.
    pub(crate) path: PathBuf,
}

/// The trees of the set.
pub(crate) fn trees(settings: &Settings) -> Vec<SetTree> {
    let named = policies::named_trees(&settings.sources, &settings.main);
    let tree = |(name, path): (OsString, PathBuf)| SetTree {
        name,
        path: absolute(&path),
    };
    named.into_iter().map(tree).collect()
}

/// What was asked for.
pub(crate) enum Asked<'a> {
    /// The newest dump of every tree.
    Newest,
    /// These.
    These(&'a [OsString]),
    /// Those from a moment on.
    Since(&'a OsStr),
    All,
}

/// The dumps that are meant, the oldest first, each with the trees of the set that
/// it has.
pub(crate) fn dumps(
    asked: &Asked<'_>,
    settings: &Settings,
    root: &DumpRoot,
) -> Result<Vec<(DumpName, Vec<SetTree>)>, Failure> {
    let trees = trees(settings);
    let listing = root.listing();
    let fault = |fault| settings.explained(Error::from(fault));
    let names: Vec<DumpName> = match asked {
        Asked::Newest => {
            let newest = trees.iter().map(|tree| {
                let newest = listing.newest_with(&tree.name, ..=Local::now().to_utc());
                newest.map_err(fault)
            });
            let newest: BTreeSet<_> = newest.collect::<Result<_, _>>()?;
            newest.into_iter().flatten().collect()
        }
        Asked::These(named) => {
            let named = named.iter().map(|what| one(root, what, settings));
            let named: BTreeSet<_> = named.collect::<Result<_, _>>()?;
            named.into_iter().collect()
        }
        Asked::Since(when) => since(root, when, settings)?,
        Asked::All => root.list().map_err(fault)?,
    };
    let of = |name: DumpName| {
        let has = trees
            .iter()
            .filter(|tree| listing.has_tree(name, &tree.name));
        (name, has.cloned().collect::<Vec<_>>())
    };
    let mut found: Vec<_> = names.into_iter().map(of).collect();
    if let (Asked::These(_), Some((name, _))) =
        (asked, found.iter().find(|(_, trees)| trees.is_empty()))
    {
        return Err(Failure::Failed(format!(
            "{name} has none of the trees {}: name its tree with --main or --set",
            shown(&trees)
        )));
    }
    found.retain(|(_, trees)| !trees.is_empty());
    found.sort_by_key(|(name, _)| (listing.moment(*name), *name));
    match found.is_empty() && !matches!(asked, Asked::Since(_)) {
        true => Err(none(settings, root, &trees)),
        false => Ok(found),
    }
}

fn none(settings: &Settings, root: &DumpRoot, trees: &[SetTree]) -> Failure {
    if let Some(error) = no_dumps(root.path()) {
        return settings.explained(error);
    }
    Failure::Failed(format!(
        "no dump in {} has a tree {}: name the tree with --main or --set",
        Printable::path(root.path()),
        shown(trees)
    ))
}

fn shown(trees: &[SetTree]) -> String {
    let names = trees
        .iter()
        .map(|tree| Printable::path(tree.name.as_ref()).to_string());
    names.collect::<Vec<_>>().join(", ")
}

fn one(root: &DumpRoot, what: &OsStr, settings: &Settings) -> Result<DumpName, Failure> {
    match root.find(what) {
        Ok(DumpId::Dump(name)) => Ok(name),
        Ok(other) => Err(Failure::Usage(format!(
            "{other} has no date, or is not finished: only dumps and checkpoints are pushed"
        ))),
        Err(error) => Err(match no_dumps(&settings.dump.value) {
            Some(error) => settings.explained(error),
            None => Failure::Failed(Chain(&error).to_string()),
        }),
    }
}

fn since(root: &DumpRoot, when: &OsStr, settings: &Settings) -> Result<Vec<DumpName>, Failure> {
    let now = Local::now();
    let found = root.when(when, now.date_naive(), &now.timezone());
    let found = found.map_err(|error| Failure::Usage(Chain(&error).to_string()))?;
    let listing = root.listing();
    let dumps = match found.since(&now, &listing) {
        Some(moment) => listing.oldest_first(moment..),
        None => listing.oldest_first(..),
    };
    let names = dumps.map(|dump| Ok(dump?.name));
    let names: Result<_, dumpcore::Fault> = names.collect();
    names.map_err(|fault| settings.explained(Error::from(fault)))
}
