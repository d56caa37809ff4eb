//! Erasing a path from random histories: no dump has it any more, nothing else of
//! any dump changes, and the catalog is as if it had never been.

mod common;

use std::path::{Path, PathBuf};

use common::Stage;
use dumpcore::{
    CatalogAfter, CatalogTools, Checkpoint, DumpId, DumpRoot, Erase, RelPath, Snapshot, Stamp,
};
use fixtures::fingerprint::Fingerprint;
use fixtures::is_root;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::Tree;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

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
        let check = || CatalogTools::new(&stage.dump).all(true).check().expect("checked");
        prop_assert_eq!(check(), Vec::new());
        let after = told(&stage.dump);
        CatalogTools::new(&stage.dump).rebuild().expect("made");
        prop_assert_eq!(after, told(&stage.dump));
    }
}
