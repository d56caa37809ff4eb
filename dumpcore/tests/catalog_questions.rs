//! What the catalog answers about generated histories, against the dumps
//! themselves: every name of every dump is looked at.
#![cfg(feature = "catalog")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{Stage, each};
use dumpcore::{
    Aspect, CatalogTools, CatalogView, Change as HistoryChange, Checkpoint, DumpId, DumpInfo,
    DumpRoot, HistoryEvent, NameTest, Navigator, RelPath, Remove, RunOptions, Snapshot, Stamp,
    State,
};
use fixtures::is_root;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::{Time, Tree};
use proptest::collection::vec;
use proptest::prelude::*;

/// What leads to a dump.
#[derive(Clone, Debug)]
struct Round {
    changes: Vec<Change>,
    kind: Made,
    /// Is a dump removed afterwards?
    removed: Option<prop::sample::Index>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Of the one tree.
    Dump,
    /// With another tree beside it.
    WithOther,
    /// Of the other tree alone.
    Other,
    Checkpoint,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let kind = prop_oneof![
        5 => Just(Made::Dump),
        2 => Just(Made::WithOther),
        1 => Just(Made::Other),
        1 => Just(Made::Checkpoint),
    ];
    let removed = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let round = (changes(is_root(), 5), kind, removed);
    let round = round.prop_map(|(changes, kind, removed)| Round {
        changes,
        kind,
        removed,
    });
    vec(round, 2..=6)
}

fn write(stage: &Stage, model: &Tree) {
    let mut dated = Tree::new();
    for (i, (path, node)) in (1..).zip(model.nodes()) {
        let mut node = node.clone();
        node.meta.mtime.get_or_insert(Time::new(1_600_000_000, i));
        dated.add(path, node);
    }
    dated.write(&stage.source);
}

/// Makes the dumps, and the catalog from them.
fn history(stage: &Stage, rounds: &[Round]) {
    let other = stage.dump.with_file_name("other");
    fs::create_dir_all(&other).expect("made");
    fs::write(other.join("first"), "same").expect("written");
    for (minute, round) in (0..).zip(rounds) {
        for change in &round.changes {
            change.apply(&stage.source);
        }
        fs::write(other.join(format!("new {minute}")), "new").expect("written");
        let at = Stamp::new(2026, 1, 1, 0, minute).expect("a minute");
        let init = stage.dump.join("current").symlink_metadata().is_err();
        let snapshot = Snapshot::new(&stage.dump)
            .init(init)
            .at(at)
            .allow_empty(true);
        match round.kind {
            _ if init => drop(snapshot.main(&stage.source).run().expect("published")),
            Made::Dump => drop(snapshot.main(&stage.source).run().expect("published")),
            Made::Other => drop(snapshot.main(&other).run().expect("published")),
            Made::WithOther => {
                let both = snapshot.main(&stage.source).main(&other);
                both.run().expect("published");
            }
            Made::Checkpoint => {
                Checkpoint::new(&stage.dump).run().expect("published");
            }
        }
        if let Some(index) = round.removed {
            let root = DumpRoot::open(&stage.dump).expect("opened");
            let dumps = root.list().expect("listed");
            let dump = dumps[index.index(dumps.len())];
            // What may not go stays.
            Remove::new(&stage.dump)
                .dump(dump.into())
                .run()
                .expect("run");
        }
    }
    CatalogTools::new(&stage.dump).rebuild().expect("made");
}

/// A name in a dump: inode, space, and whether it is a directory.
type Name = (u64, u64, bool);

/// All names of a dump.
fn names(stage: &Stage, dump: DumpId) -> BTreeMap<Vec<u8>, Name> {
    let mut names = BTreeMap::new();
    each(&stage.dump.join(dump.path()), |path, stat| {
        let is_dir = stat.st_mode & 0o170_000 == 0o040_000;
        let space = u64::try_from(stat.st_blocks).expect("blocks") * 512;
        names.insert(path.to_vec(), (stat.st_ino, space, is_dir));
    });
    names
}

fn space<'a>(names: impl Iterator<Item = &'a Name>) -> u64 {
    let distinct: BTreeSet<&Name> = names.collect();
    distinct.iter().map(|(_, space, _)| space).sum()
}

fn check_sizes(stage: &Stage, root: &DumpRoot, catalog: &CatalogView) {
    let dumps = root.dumps(Some(catalog)).expect("asked");
    let plain: Vec<_> = root.dumps(None).expect("listed");
    let all: BTreeMap<DumpId, _> = dumps
        .iter()
        .map(|one| (one.dump, names(stage, one.dump)))
        .collect();
    for (one, plain) in dumps.iter().zip(&plain) {
        assert_eq!(
            (one.dump, one.moment, &one.trees),
            (plain.dump, plain.moment, &plain.trees)
        );
        assert_eq!(
            one.entries,
            Some(all[&one.dump].len() as u64),
            "{}",
            one.dump
        );
        let others = all.iter().filter(|(dump, _)| **dump != one.dump);
        let others: BTreeSet<u64> = others
            .flat_map(|(_, names)| names.values().map(|name| name.0))
            .collect();
        let alone = all[&one.dump]
            .values()
            .filter(|name| !others.contains(&name.0));
        let alone = space(alone) + own(&one.path);
        assert_eq!(one.unique_bytes, Some(alone), "{}", one.dump);
        assert_eq!(
            catalog.freed_bytes(&[one.dump]).expect("asked"),
            one.unique_bytes.unwrap_or(0)
        );
    }
    check_usage(root, catalog, &dumps, &all);
}

fn check_usage(
    root: &DumpRoot,
    catalog: &CatalogView,
    dumps: &[DumpInfo],
    all: &BTreeMap<DumpId, BTreeMap<Vec<u8>, Name>>,
) {
    let whole = space(all.values().flat_map(BTreeMap::values));
    let whole = whole + dumps.iter().map(|one| own(&one.path)).sum::<u64>();
    let usage = catalog.usage(None, None).expect("asked").expect("there");
    assert_eq!(usage.unique_bytes, whole);
    let added: Option<u64> = dumps.iter().map(|one| one.added_bytes).sum();
    assert!(
        added.is_some_and(|added| added >= whole),
        "{added:?}: {whole}"
    );
    // What a dry run of the removal measures is that as well.
    for one in dumps {
        let options = RunOptions::new().dry_run(true);
        let plan = Remove::new(root.path())
            .dump(one.dump)
            .options(options)
            .run();
        for removed in plan.expect("measured").removed {
            assert_eq!(Some(removed.freed_bytes), one.unique_bytes);
        }
    }
    for tree in ["tree", "other"] {
        let below = |path: &Vec<u8>| RelPath::from_bytes(path).is_at_or_below(&RelPath::from(tree));
        let found = catalog
            .usage(None, Some(RelPath::from(tree)))
            .expect("asked");
        let files = all.values().flat_map(BTreeMap::iter);
        let files = files
            .filter(|(path, name)| below(path) && !name.2)
            .map(|(_, name)| name);
        assert_eq!(
            found.map_or(0, |found| found.unique_bytes),
            space(files),
            "{tree}"
        );
    }
}

/// The space that a dump's own directory takes.
fn own(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).expect("there").blocks() * 512
}

fn check_changes(navigator: &Navigator, root: &DumpRoot, catalog: &CatalogView) {
    let dumps: Vec<DumpId> = root
        .list()
        .expect("listed")
        .into_iter()
        .map(DumpId::Dump)
        .collect();
    for old in &dumps {
        for new in &dumps {
            let comparison = navigator.compare(State::Dump(*old), State::Dump(*new));
            let walked = comparison.run(None).expect("walked");
            let asked = comparison.run(Some(catalog)).expect("asked");
            assert_eq!(asked, walked, "{old} and {new}");
            if old == new {
                assert_eq!(walked.changes, []);
            }
        }
    }
}

fn check_names(navigator: &Navigator, root: &DumpRoot, catalog: &CatalogView) {
    // By their moments: a checkpoint's name may be a later one.
    let order = root.dumps(None).expect("listed");
    let order: Vec<DumpId> = order.iter().map(|one| one.dump).collect();
    for deleted in [false, true] {
        let find = || {
            let find = navigator.find().deleted(deleted);
            find.test(NameTest::of_name(|name| {
                name.first().is_some_and(|b| b % 2 == 0)
            }))
        };
        let found = |catalog| {
            let mut all = BTreeMap::new();
            let report = find().run(catalog, &mut |found| {
                let twice = all.insert(found.path.clone(), found);
                assert_eq!(twice, None);
                ControlFlow::Continue(())
            });
            let report = report.expect("looked for");
            assert_eq!((report.found, report.faults.len()), (all.len() as u64, 0));
            all
        };
        let (walked, mut asked) = (found(None), found(Some(catalog)));
        for one in asked.values_mut() {
            let versions = catalog.versions(&one.path).expect("asked");
            assert_eq!(one.first, versions.first().map(|version| version.first));
            assert_eq!(Some(one.last), versions.last().map(|version| version.last));
            let first = one.first.take().expect("known");
            let there = |dump: DumpId| {
                one.path
                    .below(&root.path().join(dump.path()))
                    .symlink_metadata()
            };
            assert!(there(first).is_ok() && there(one.last).is_ok());
            for dump in order.iter().take_while(|dump| **dump != first) {
                assert!(there(*dump).is_err(), "{dump} has {}", one.path);
            }
            assert!(one.versions.take().is_some_and(|versions| versions >= 1));
        }
        assert_eq!(asked, walked);
        let mut first = Vec::new();
        let few = find().most(2).run(Some(catalog), &mut |found| {
            first.push(found.path);
            ControlFlow::Continue(())
        });
        assert_eq!(few.expect("looked for").found, first.len() as u64);
        assert!(first.iter().eq(asked.keys().take(2)), "{first:?}");
    }
}

/// What happened, which path it led to, and the one before. Metadata are left
/// out: to compare symlinks moves their times of change.
type Told = (HistoryChange, PathBuf, Option<PathBuf>);

/// The history of each path that any dump has, through its renames: by the
/// catalog as by walking the dumps.
fn check_renames(stage: &Stage, navigator: &Navigator, root: &DumpRoot, catalog: &CatalogView) {
    let mut paths = BTreeSet::new();
    for dump in root.dumps(None).expect("listed") {
        paths.extend(names(stage, dump.dump).into_keys());
    }
    for within in paths {
        let path = RelPath::from_bytes(&within).below(stage.source.parent().expect("above"));
        // A symlink may have taken the place of a directory above it.
        let Ok(place) = navigator.locate(&path) else {
            continue;
        };
        for with_main in [false, true] {
            let told = |catalog| -> Vec<Told> {
                let history = navigator.history(&place).follow(true).catalog(catalog);
                let past = history.with_main(with_main).run();
                assert_eq!((past.faults, past.catalog_failed), (vec![], None));
                assert!(catalog.is_none() || past.walked == 0, "{}", path.display());
                let event = |event: HistoryEvent| {
                    let before = event.before.map(|before| before.path);
                    (event.change, event.version.path, before)
                };
                past.events.into_iter().map(event).collect()
            };
            assert_eq!(told(Some(catalog)), told(None), "{}", path.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_catalog_says_what_the_dumps_hold(
        model in tree(is_root()), rounds in rounds(), last in changes(is_root(), 5),
    ) {
        let stage = Stage::new();
        write(&stage, &model);
        history(&stage, &rounds);
        let root = DumpRoot::open(&stage.dump).expect("opened");
        let catalog = root.catalog().expect("up to date");
        let navigator = Navigator::new(&stage.dump).main(&stage.source);
        check_sizes(&stage, &root, &catalog);
        check_changes(&navigator, &root, &catalog);
        check_names(&navigator, &root, &catalog);
        for change in &last {
            change.apply(&stage.source);
        }
        check_renames(&stage, &navigator, &root, &catalog);
    }
}

/// A time after 2262 is more nanoseconds than the catalog can note: it is read
/// from the dumps.
#[test]
fn a_time_that_the_catalog_cannot_tell_is_looked_up() {
    let stage = Stage::new();
    let touch = |sec: i64| {
        let _ = fs::remove_file(stage.source.join("far"));
        let mut model = Tree::new();
        let mut node = fixtures::tree::Node::file("text");
        node.meta.mtime = Some(Time::new(sec, 0));
        model.add("far", node);
        model.write(&stage.source);
    };
    for (minute, sec) in [(0, 11_672_514_333), (1, 11_672_514_334)] {
        touch(sec);
        let at = Stamp::new(2026, 1, 1, 0, minute).expect("a minute");
        stage.snapshot().at(at).run().expect("published");
    }
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let dumps = root.list().expect("listed");
    let navigator = Navigator::new(&stage.dump);
    let comparison = navigator.compare(State::Dump(dumps[0].into()), State::Dump(dumps[1].into()));
    let catalog = root.catalog().expect("up to date");
    let changes = comparison.run(Some(&catalog)).expect("asked").changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].what, [Aspect::Mtime]);
}

/// Only attributes of a directory changed: a run with the catalog records that,
/// and so does one that brings in a dump which was made without.
#[test]
#[ignore = "needs a filesystem with user xattrs"]
fn attributes_of_a_directory_are_told_of() {
    let stage = Stage::new();
    let dir = stage.source.join("above/dir");
    fs::create_dir_all(&dir).expect("made");
    fs::write(dir.join("file"), "text").expect("written");
    let set = |value: &str| xattr::set(&dir, "user.note", value.as_bytes()).expect("set");
    let run = |catalog| {
        let run = stage.snapshot().catalog(catalog).run();
        DumpId::Dump(run.expect("published").name().expect("a name"))
    };
    let mut dumps = vec![run(true)];
    for (value, catalog) in [("1", true), ("2", false), ("2", true), ("3", true)] {
        set(value);
        dumps.push(run(catalog));
    }
    xattr::remove(&dir, "user.note").expect("removed");
    dumps.push(run(true));
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().expect("up to date");
    let navigator = Navigator::new(&stage.dump);
    let told = dumps.windows(2).map(|two| {
        let comparison = navigator.compare(State::Dump(two[0]), State::Dump(two[1]));
        let [walked, asked] = [None, Some(&catalog)].map(|c| comparison.run(c).expect("run"));
        assert_eq!(walked, asked);
        asked
            .changes
            .iter()
            .map(|change| change.what.clone())
            .collect()
    });
    let told: Vec<Vec<Vec<Aspect>>> = told.collect();
    let changed = || vec![vec![Aspect::Xattrs]];
    assert_eq!(told, [changed(), changed(), vec![], changed(), changed()]);
    // Rows are made for what changed, not for each dump.
    let versions = catalog
        .versions(&RelPath::from("tree/above/dir"))
        .expect("asked");
    assert_eq!(versions.len(), 5);
    assert!(
        CatalogTools::new(&stage.dump)
            .all(true)
            .check()
            .expect("compared")
            .is_empty()
    );
}
