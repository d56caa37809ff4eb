//! Erasing a path from random histories: no dump has it any more, nothing else of
//! any dump changes, and the catalog is as if it had never been; and of dumps that
//! are being read; and stopped.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::Stage;
use dumpcore::{
    CatalogAfter, CatalogTools, Checkpoint, DumpId, DumpRoot, Erase, Event, Phase, RelPath,
    Snapshot, Stamp,
};
use fixtures::fingerprint::Fingerprint;
use fixtures::is_root;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::Tree;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::{FlockOperation, flock};

/// Makes dumps, and the catalog of them.
fn history(model: &Tree, rounds: &[Vec<Change>], checkpoint: bool) -> Stage {
    let stage = Stage::new();
    model.write(&stage.source);
    for (minute, round) in (0..).zip(rounds) {
        for change in round {
            change.apply(&stage.source);
        }
        let at = Stamp::new(2026, 1, 1, 0, minute).expect("a minute");
        let init = stage.dump.join("current").symlink_metadata().is_err();
        let snapshot = Snapshot::new(&stage.dump).main(&stage.source);
        let snapshot = snapshot.init(init).at(at).allow_empty(true);
        snapshot.run().expect("published");
    }
    if checkpoint {
        Checkpoint::new(&stage.dump).run().expect("published");
    }
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    stage
}

/// The trees of all dumps, and all paths in them.
fn trees(stage: &Stage) -> Vec<(DumpId, PathBuf)> {
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let name = stage.source.file_name().expect("a name").to_owned();
    let dumps = root.list().expect("listed").into_iter();
    dumps
        .map(|dump| (DumpId::Dump(dump), stage.dump.join(dump.path()).join(&name)))
        .collect()
}

fn paths(trees: &[(DumpId, PathBuf)]) -> Vec<RelPath> {
    let mut found = Vec::new();
    for (_, tree) in trees {
        let above = tree.parent().expect("a dump");
        common::each(tree, |path, _| {
            if !path.is_empty() {
                let name = tree.strip_prefix(above).expect("below");
                found.push(RelPath::from_bytes(name.as_os_str().as_encoded_bytes()).join(path));
            }
        });
    }
    found
}

/// How many entries a dump has, what it holds alone, what it added.
type Told = (DumpId, [Option<u64>; 3]);

/// What the catalog tells of each dump.
fn told(dump: &Path) -> Vec<Told> {
    let root = DumpRoot::open(dump).expect("opened");
    let catalog = root.catalog().expect("there");
    let dumps = root.dumps(Some(&catalog)).expect("listed").into_iter();
    dumps
        .map(|dump| {
            (
                dump.dump,
                [dump.entries, dump.unique_bytes, dump.added_bytes],
            )
        })
        .collect()
}

/// Another program that reads a dump for long.
fn reader(stage: &Stage, dump: DumpId) -> File {
    let reader = File::open(stage.dump.join(dump.to_string())).expect("opened");
    flock(&reader, FlockOperation::LockShared).expect("held");
    reader
}

/// The catalog is as the dumps are, and tells what one made again would.
fn assert_catalog_follows(stage: &Stage) {
    let found = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(found.expect("checked"), Vec::new());
    let after = told(&stage.dump);
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    assert_eq!(after, told(&stage.dump));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_of_it_is_left_and_nothing_else_is_touched(
        model in tree(is_root()),
        rounds in vec(changes(is_root(), 5), 2..5),
        checkpoint in any::<bool>(),
        which in any::<Index>(),
    ) {
        let stage = history(&model, &rounds, checkpoint);
        let trees = trees(&stage);
        let paths = paths(&trees);
        prop_assume!(!paths.is_empty());
        let path = which.get(&paths).clone();
        let within = path.as_path().iter().skip(1).collect::<PathBuf>();
        let before: Vec<Fingerprint> = trees
            .iter()
            .map(|(_, tree)| {
                let mut print = Fingerprint::of(tree);
                print.forget(&within);
                print
            })
            .collect();
        let had = trees.iter().filter(|(_, tree)| tree.join(&within).symlink_metadata().is_ok());
        let had: Vec<DumpId> = had.map(|(dump, _)| *dump).collect();
        let erasure = Erase::new(&stage.dump).path(path).run().expect("run");
        prop_assert!(erasure.is_complete(), "{erasure:?}");
        prop_assert_eq!(&erasure.paths[0].dumps, &had);
        prop_assert_eq!(&erasure.catalog, &CatalogAfter::Erased);
        for ((_, tree), print) in trees.iter().zip(&before) {
            prop_assert!(tree.join(&within).symlink_metadata().is_err());
            print.assert_unchanged(tree);
            common::assert_names_noted(tree.parent().expect("a dump"));
        }
        assert_catalog_follows(&stage);
    }

    /// Of dumps that are being read the path stays, and the catalog knows that;
    /// an erasure without a path finishes it.
    #[test]
    fn dumps_that_are_read_keep_it_until_the_next_time(
        model in tree(is_root()),
        rounds in vec(changes(is_root(), 5), 2..6),
        checkpoint in any::<bool>(),
        which in any::<Index>(),
        read in vec(any::<bool>(), 6),
        looks_between in any::<bool>(),
    ) {
        let stage = history(&model, &rounds, checkpoint);
        let trees = trees(&stage);
        let paths = paths(&trees);
        prop_assume!(!paths.is_empty());
        let path = which.get(&paths).clone();
        let within = path.as_path().iter().skip(1).collect::<PathBuf>();
        let has = |tree: &Path| tree.join(&within).symlink_metadata().is_ok();
        let had = trees.iter().filter(|(_, tree)| has(tree));
        let had: Vec<DumpId> = had.map(|(dump, _)| *dump).collect();
        let held = trees.iter().zip(&read).filter(|(_, read)| **read);
        let readers: Vec<(DumpId, File)> = held.map(|((dump, _), _)| (*dump, reader(&stage, *dump))).collect();
        let is_held = |dump: &DumpId| readers.iter().any(|(held, _)| held == dump);
        let before: Vec<Fingerprint> = trees.iter().map(|(dump, tree)| {
            let mut print = Fingerprint::of(tree);
            if !is_held(dump) {
                print.forget(&within);
            }
            print
        }).collect();

        let erasure = Erase::new(&stage.dump).path(path.clone()).run().expect("run");
        let left: Vec<DumpId> = erasure.left.iter().map(|left| left.dump).collect();
        let stays: Vec<DumpId> = had.iter().copied().filter(is_held).collect();
        prop_assert_eq!(&left, &stays);
        prop_assert_eq!(&erasure.catalog, &CatalogAfter::Erased);
        prop_assert_eq!(erasure.is_complete(), stays.is_empty());
        for ((dump, tree), print) in trees.iter().zip(&before) {
            prop_assert_eq!(has(tree), stays.contains(dump));
            print.assert_unchanged(tree);
            common::assert_names_noted(tree.parent().expect("a dump"));
        }
        // That makes the catalog again, which the second erasure shall not need.
        if looks_between {
            assert_catalog_follows(&stage);
        }
        drop(readers);

        // Where nothing had gone, nothing was begun that could be finished.
        let is_begun = !stays.is_empty() && stays != had;
        let again = Erase::new(&stage.dump);
        let again = if is_begun { again } else { again.path(path) };
        let again = again.run().expect("run");
        prop_assert_eq!(again.finished, is_begun);
        prop_assert!(again.is_complete(), "{again:?}");
        for (_, tree) in &trees {
            prop_assert!(!has(tree));
            common::assert_names_noted(tree.parent().expect("a dump"));
        }
        prop_assert!(!stage.dump.join(".dump/erasing").exists());
        assert_catalog_follows(&stage);
    }
}

/// Takes both files out of the dumps of [`three_dumps`].
fn erasing(stage: &Stage) -> Erase {
    let path = |name: &str| RelPath::from_bytes(format!("{}/{name}", common::ROOT).as_bytes());
    let erase = Erase::new(&stage.dump);
    erase.path(path("dir/key")).path(path("other"))
}

fn three_dumps() -> Stage {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("dir")).expect("made");
    for name in ["dir/key", "dir/kept", "other"] {
        fs::write(stage.source.join(name), name).expect("written");
    }
    for minute in 0..3 {
        let at = Stamp::new(2026, 1, 1, 0, minute).expect("a minute");
        stage.snapshot().at(at).run().expect("published");
    }
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    stage
}

#[test]
fn stopped_while_it_looks_nothing_is_begun() {
    let stage = three_dumps();
    for dry_run in [false, true] {
        let stop = Arc::new(AtomicBool::new(true));
        let erase = erasing(&stage).dry_run(dry_run).stop(stop);
        let error = erase.run().expect_err("stopped");
        assert!(matches!(error, dumpcore::Error::Interrupted), "{error:?}");
        assert!(!stage.dump.join(".dump/erasing").exists());
    }
    assert_catalog_follows(&stage);
}

#[test]
fn stopped_before_the_first_dump_it_tells_which_remain_and_the_next_one_finishes() {
    let stage = three_dumps();
    let trees = trees(&stage);
    let prints: Vec<_> = trees
        .iter()
        .map(|(_, tree)| Fingerprint::of(tree))
        .collect();
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Phase(Phase::Removing)) {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let erase = erasing(&stage).observer(Arc::new(watch)).stop(stop);
    let erasure = erase.run().expect("run");
    assert!(erasure.stopped && !erasure.is_complete());
    let all: Vec<DumpId> = trees.iter().map(|(dump, _)| *dump).collect();
    for path in &erasure.paths {
        assert_eq!((&path.dumps, &path.remaining), (&Vec::new(), &all));
    }
    assert_eq!(
        (erasure.names, erasure.freed_bytes, erasure.other_names),
        (0, 0, 0)
    );
    for ((_, tree), print) in trees.iter().zip(&prints) {
        print.assert_unchanged(tree);
        common::assert_names_noted(tree.parent().expect("a dump"));
    }
    let again = Erase::new(&stage.dump).run().expect("run");
    assert!(again.finished && again.is_complete(), "{again:?}");
    for path in &again.paths {
        assert_eq!((&path.dumps, &path.remaining), (&all, &Vec::new()));
    }
    assert_catalog_follows(&stage);
}
