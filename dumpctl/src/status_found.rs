//! What is found out about a dump root, its second disks and its policies, and
//! what can be done about what needs attention.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dumpcli::failure::Failure;
use dumpcli::local_state::local_state;
use dumpcli::origin::Source;
use dumpcli::policies::{Policies, is_same, names};
use dumpcli::settings::Sources;
use dumpcli::{Lookup, figures};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{
    Attention, AttentionLimits, Dated, DumpId, DumpRoot, NoCatalog, NotRemoved, Printable,
    RootStatus, WatchedTree,
};

use crate::common::Settings;
use crate::dumps;
use crate::program::PROGRAM;

pub(crate) const WORD: &str = "status";

/// A dump root, and what was found out about it.
pub(crate) struct Found<'a> {
    pub(crate) lookup: &'a Lookup,
    pub(crate) status: RootStatus,
    pub(crate) attention: Vec<Attention>,
    /// Why there is no telling for how many more dumps there is room.
    pub(crate) no_catalog: Option<NoCatalog>,
    pub(crate) replicas: Vec<Replica>,
}

/// A dump root that cannot be looked at.
pub(crate) struct Away {
    pub(crate) root: PathBuf,
    attention: Attention,
}

impl Away {
    pub(crate) fn of(lookup: &Lookup, failure: &Failure) -> Self {
        let root = dumpcli::absolute(&lookup.dump);
        let attention = Attention::NoRoot {
            root: root.clone(),
            why: failure.to_string(),
        };
        Self { root, attention }
    }
}

/// All that needs attention, each with its dump root. What dump roots share, such as
/// a second disk, is named once.
pub(crate) fn needing_attention<'f>(
    all: &'f [Found<'_>],
    away: &'f [Away],
) -> impl Iterator<Item = (&'f Attention, PathBuf)> {
    let away = away.iter().map(|away| (&away.attention, away.root.clone()));
    let all = all.iter().flat_map(|found| {
        let root = found.root();
        let attention = found.attention.iter();
        attention.map(move |attention| (attention, root.clone()))
    });
    let mut named = HashSet::new();
    away.chain(all.filter(move |(attention, _)| {
        let path = match attention {
            Attention::NotRemoved { path, .. } | Attention::NoReplica { root: path } => path,
            _ => return true,
        };
        // The same by two names, too.
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        named.insert((attention.as_str(), path))
    }))
}

/// The second disk of a dump root.
pub(crate) struct Replica {
    pub(crate) root: PathBuf,
    /// Can it be looked at?
    is_there: bool,
    /// The newest dump on it that has a tree of the dump root: others may have
    /// their replicas there, too.
    pub(crate) newest: Option<Dated>,
    /// What is left on it of removed dumps.
    not_removed: Vec<NotRemoved>,
}

impl Replica {
    fn at(root: PathBuf, status: &RootStatus) -> Self {
        let opened = DumpRoot::open(&root).ok();
        let not_removed = opened.as_ref().map(DumpRoot::not_removed);
        let found = opened.map(|root| {
            let listing = root.listing();
            let has = |dated: &Dated| {
                let mut trees = status.trees.iter();
                trees.any(|tree| listing.has_tree(dated.name, &tree.name))
            };
            let mut dumps = listing.newest_first(..=status.now);
            let found = dumps.find(|dated| dated.as_ref().map_or(true, has));
            found.transpose()
        });
        let found = found.and_then(Result::ok);
        Self {
            root,
            is_there: found.is_some(),
            newest: found.flatten(),
            not_removed: not_removed.unwrap_or_default(),
        }
    }

    fn attention(&self, now: DateTime<Utc>, limits: &AttentionLimits) -> Vec<Attention> {
        let root = self.root.clone();
        let age = self.newest.as_ref().map(|newest| now - newest.moment);
        let of_newest = match age {
            _ if !self.is_there => Some(Attention::NoReplica { root }),
            Some(age) if age <= limits.replica_age => None,
            age => Some(Attention::OldReplica { root, age }),
        };
        let left = self.not_removed.iter();
        let left = left.filter_map(|left| left.attention(now, limits));
        of_newest.into_iter().chain(left).collect()
    }
}

impl<'a> Found<'a> {
    pub(crate) fn of(
        lookup: &'a Lookup,
        settings: &Settings,
        sources: &[Sources],
    ) -> Result<Self, Failure> {
        let root = DumpRoot::open(&lookup.dump)?.with_local_state(local_state());
        let catalog = root.catalog();
        let policies = policies(lookup, settings, sources)?;
        let status = root
            .status_by(catalog.as_ref().ok(), &policies.rules(), &lookup.now)
            .map_err(|error| dumps::failed(error, lookup))?;
        if status.trees.is_empty()
            && let Some(failure) = lookup.no_dumps()
        {
            return Err(failure);
        }
        let limits = AttentionLimits::default();
        let (mut watched, wrong) = watched(lookup, &policies);
        let unnamed = unnamed_trees(settings, sources);
        let has_dumps = |tree: &WatchedTree| status.trees.iter().any(|one| one.name == tree.name);
        watched.retain(|tree| !unnamed.contains(&tree.name) || has_dumps(tree));
        let mut attention = status.attention(&watched, &limits);
        let mut replicas = Vec::new();
        for sources in sources.iter().filter(|one| has_replicas_of(one, lookup)) {
            let root = lookup.absolute(&sources.slave_dump(None).value);
            if replicas.iter().any(|other: &Replica| other.root == root) {
                continue;
            }
            let replica = Replica::at(root, &status);
            attention.extend(replica.attention(status.now, &limits));
            replicas.push(replica);
        }
        attention.extend(wrong.into_iter().map(|why| Attention::BadPolicy { why }));
        Ok(Self {
            lookup,
            status,
            attention,
            no_catalog: catalog.err(),
            replicas,
        })
    }

    pub(crate) fn root(&self) -> PathBuf {
        dumpcli::absolute(&self.lookup.dump)
    }

    pub(crate) fn age(&self, moment: DateTime<Utc>) -> String {
        figures::age(self.status.now - moment)
    }
}

/// Is the dump root of a set this one, and are its dumps replicated?
pub(crate) fn has_replicas_of(sources: &Sources, lookup: &Lookup) -> bool {
    sources.has_slave() && is_same(&lookup.absolute(&sources.dump(None).value), &lookup.dump)
}

/// Which dumps of a dump root stay, by the configuration.
fn policies(
    lookup: &Lookup,
    settings: &Settings,
    sources: &[Sources],
) -> Result<Policies, Failure> {
    let places = &settings.places;
    Ok(match sources.first() {
        Some(first) => {
            let chosen = (first, places.main.as_slice());
            Policies::of_dump_root(PROGRAM, &places.configuration, chosen, &lookup.dump)?
        }
        None => Policies::default(),
    })
}

/// The trees that are dumped into a dump root, by the configuration, and what
/// is wrong with their policies.
fn watched(lookup: &Lookup, policies: &Policies) -> (Vec<WatchedTree>, Vec<String>) {
    let rules = policies.rules();
    let trees = dumps::trees(lookup).into_iter().map(|(_, name)| {
        let has_policy = !rules.policies(&name).is_empty();
        WatchedTree::new(name, has_policy)
    });
    let wrong = policies.wrong().map(str::to_owned);
    let clashes = policies.clashes().into_iter();
    let wrong = wrong.chain(clashes.map(|clash| clash.to_string()));
    (trees.collect(), wrong.collect())
}

/// The names of the built-in default tree where sets name the trees: the top level
/// need not dump anything then.
fn unnamed_trees(settings: &Settings, sources: &[Sources]) -> Vec<OsString> {
    let main = settings.places.main.as_slice();
    let (unnamed, named): (Vec<&Sources>, Vec<&Sources>) = sources
        .iter()
        .partition(|one| one.set().is_none() && one.main(main).source == Source::Default);
    if named.is_empty() {
        return Vec::new();
    }
    let names_of = |all: Vec<&Sources>| -> Vec<OsString> {
        all.into_iter().flat_map(|one| names(one, main)).collect()
    };
    let named = names_of(named);
    let mut unnamed = names_of(unnamed);
    unnamed.retain(|name| !named.contains(name));
    unnamed
}

/// What can be done about a second disk. Where it has no dump, dumpslave asks for
/// --init, since the disk may only be away.
fn of_replica(has_dump: bool) -> String {
    let command = match has_dump {
        true => "'dumpslave' copies the last dump to it",
        false => "if it never had a dump, 'dumpslave --init --latest' makes the first",
    };
    format!("is that disk mounted? {command}")
}

/// What can be done about it.
pub(crate) fn advice(attention: &Attention, root: &Path) -> Option<String> {
    let typed = |words: &str| Some(format!("'{words}'"));
    match attention {
        Attention::BadCurrent { newest, .. } => Some(link_again(*newest, root)),
        Attention::Damaged { .. } => {
            Some("'dumpctl scrub --heal'; where 'dumpctl scrub' names fsck, that first".to_owned())
        }
        Attention::Erasing { .. } => {
            Some("'dumpctl erase -n' names them, 'dumpctl erase' finishes it".to_owned())
        }
        Attention::NoDump { .. } | Attention::OldDump { .. } => {
            Some("do its timer and its disk work? 'systemctl list-timers'".to_owned())
        }
        Attention::Partial { .. } => Some("the journal names what it lacks".to_owned()),
        Attention::OldCheckpoint { .. } => typed("chkptme"),
        Attention::OldReplica { age, .. } => Some(of_replica(age.is_some())),
        Attention::NoReplica { .. } => Some(of_replica(false)),
        Attention::LittleRoom { .. } => typed("dumpctl prune -n"),
        Attention::Leftover { dump, .. } => {
            let words = format!("dumpctl remove {dump}");
            Some(format!(
                "the next run of its trees takes it over, or '{words}'"
            ))
        }
        Attention::NotRemoved {
            path,
            fixed,
            mounted,
            ..
        } => Some(removable(path, fixed.is_some(), mounted.as_deref())),
        Attention::NoRoot { .. } => Some("is its disk mounted?".to_owned()),
        Attention::NoPolicy { .. } => {
            Some("[keep] in the configuration says which dumps stay".to_owned())
        }
        Attention::BadPolicy { .. } => Some("until then nothing is removed by it".to_owned()),
        Attention::LostDump { link, .. } | Attention::NotAPin { link } => {
            Some(of_link(attention, link, root))
        }
        _ => None,
    }
}

/// What makes `current` again.
fn link_again(newest: Option<DumpId>, root: &Path) -> String {
    let Some(newest) = newest else {
        return "are the dumps where they were?".to_owned();
    };
    let link = root.join("current");
    let in_the_way = link.symlink_metadata().is_ok_and(|it| !it.is_symlink());
    let link = Printable::path(&link);
    match in_the_way {
        // Over a directory, 'ln -sfn' would make the link inside it.
        true => format!("move that away, then: 'ln -s {newest} {link}'"),
        false => format!("if only the link was lost: 'ln -sfn {newest} {link}'"),
    }
}

/// What can be done about a link that keeps no dump.
fn of_link(attention: &Attention, link: &Path, root: &Path) -> String {
    let name = link.file_name().map_or(link, Path::new);
    match attention {
        Attention::LostDump { .. } if name == Path::new("current_chk") => "'chkptme'".to_owned(),
        Attention::LostDump { .. } => {
            let words = format!("dumpctl unpin {}", Printable::path(name));
            format!("'{words}', if it was removed on purpose")
        }
        _ => {
            let words = format!("rm {}", Printable::path(&root.join(name)));
            format!("'{words}', if it is not needed")
        }
    }
}

/// When what is left of a dump, or one that is to go, can be removed.
fn removable(path: &Path, is_fixed: bool, mounted: Option<&Path>) -> String {
    match mounted {
        _ if is_fixed => {
            let path = Printable::path(&dumpcli::absolute(path)).to_string();
            format!("the next run removes it after 'chattr -R -ia {path}'")
        }
        Some(point) => {
            let point = Printable::path(point);
            format!("after 'umount {point}' the next run or 'dumpctl prune' removes it")
        }
        None => "the next run removes it, or its warnings say why not".to_owned(),
    }
}
