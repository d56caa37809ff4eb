//! Bringing what exists to a version entry by entry, over random trees: with
//! deletion it is the version, by rsync's judgement too; without, what the version
//! does not have stays; and nothing in the dump changes.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::restoring::Ground;
use dumpcore::{Merging, Overwrite, Restore, RestoreReport, Restored};
use fixtures::compare::{Options, assert_same_tree};
use fixtures::fingerprint::Fingerprint;
use fixtures::rsync_differences;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::Tree;
use proptest::collection::vec;
use proptest::prelude::*;

const MINUTE: &str = "2020/0101/1000/NEWAGE/up";

fn restored(ground: &Ground, merging: Merging) -> RestoreReport {
    let navigator = ground.navigator();
    let place = navigator.locate(ground.main("up")).expect("in the tree");
    let dump = "2020/0101/1000".parse().expect("a name");
    let version = navigator.version_in(&place, dump).expect("there");
    let restore = Restore::new(&navigator, &version, &place).expect("in the tree");
    let restore = restore.merging(merging).resume(true).verify(true);
    match restore.run_replacing() {
        Ok(Restored::Done(report)) => *report,
        other => panic!("{other:?}"),
    }
}

/// Everything below a directory, by path.
fn names(below: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![below.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).expect("listed") {
            let entry = entry.expect("listed");
            if entry.file_type().expect("known").is_dir() {
                left.push(entry.path());
            }
            let path = entry.path();
            found.insert(path.strip_prefix(below).expect("below").to_path_buf());
        }
    }
    found
}

/// The dump of one tree, and another tree where it was: either made on its own,
/// or what became of the first.
fn ground(old: &Tree, now: &Tree, since: Option<&[Change]>) -> Ground {
    let ground = Ground::new();
    let (dump, live) = (ground.dump("up"), ground.main("up"));
    for path in [&dump, &live] {
        fs::remove_dir(path).expect("removed");
        fs::create_dir(path).expect("made");
    }
    old.write(&dump);
    match since {
        None => now.write(&live),
        Some(changes) => {
            old.write(&live);
            for change in changes {
                change.apply(&live);
            }
        }
    }
    ground
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn with_deletion_it_is_the_version(
        old in tree(fixtures::is_root()),
        now in tree(fixtures::is_root()),
        since in proptest::option::weighted(0.7, changes(fixtures::is_root(), 8)),
    ) {
        let ground = ground(&old, &now, since.as_deref());
        let before = Fingerprint::of(&ground.beside("dump").join(MINUTE));
        let report = restored(&ground, Merging::new().delete(true));
        prop_assert!(report.is_complete(), "{report:?}");
        prop_assert_eq!(report.verified, Some(true));
        assert_same_tree(&ground.dump("up"), &ground.main("up"), &Options::of_runner());
        prop_assert_eq!(
            rsync_differences(&ground.dump("up"), &ground.main("up")),
            Vec::<String>::new()
        );
        let after = Fingerprint::of(&ground.beside("dump").join(MINUTE));
        prop_assert_eq!(before, after);
        let again = restored(&ground, Merging::new().delete(true));
        let merged = again.merged.expect("merged");
        prop_assert_eq!((merged.made, merged.replaced, merged.deleted), (0, 0, 0));
    }

    #[test]
    fn without_deletion_nothing_goes(
        old in tree(fixtures::is_root()),
        since in changes(fixtures::is_root(), 8),
        which in vec(any::<bool>(), 1),
    ) {
        let ground = ground(&old, &Tree::new(), Some(&since));
        let (live, dump) = (ground.main("up"), ground.dump("up"));
        let had = names(&live);
        let merging = match which[0] {
            true => Merging::new(),
            false => Merging::new().overwrite(Overwrite::Never),
        };
        let report = restored(&ground, merging);
        let has = names(&live);
        prop_assert!(has.is_superset(&had), "{report:?}");
        let clashes = report.counts.faults + report.merged.expect("merged").stayed;
        if clashes == 0 {
            prop_assert!(has.is_superset(&names(&dump)), "{report:?}");
        }
    }
}
