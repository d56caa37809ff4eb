//! Hard links that come and go: a new name of an old inode costs no copy.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use common::Stage;
use fixtures::diff_trees;

fn ino(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("it is there").ino()
}

fn dump(stage: &Stage, jobs: usize) -> dumpcore::Report {
    let report = stage.run(stage.snapshot().jobs(jobs));
    stage.assert_same();
    report
}

/// The new name is met first: files of a directory come before what is in
/// the directories below it.
#[test]
fn a_new_name_that_is_met_first_is_linked_to_what_was_there() {
    for jobs in [1, 4] {
        let stage = Stage::new();
        let old = stage.source.join("d/deeper/old");
        fs::create_dir_all(old.parent().expect("a directory")).expect("made");
        fs::write(&old, vec![7; 3 << 20]).expect("written");
        let before = {
            dump(&stage, jobs);
            ino(&stage.newest().join("d/deeper/old"))
        };
        for new in ["new", "newer", "d/newest"] {
            fs::hard_link(&old, stage.source.join(new)).expect("linked");
        }
        let report = dump(&stage, jobs);
        assert_eq!(report.counts.copied().number, 0, "{:#?}", report.counts);
        assert_eq!(report.counts.hard_links, 3);
        for name in ["new", "newer", "d/newest", "d/deeper/old"] {
            assert_eq!(ino(&stage.newest().join(name)), before, "{name}");
        }
    }
}

/// Names outside the tree are never met: what waited for them is copied, once.
#[test]
fn names_that_never_come_hold_nothing_up() {
    for jobs in [1, 4] {
        let stage = Stage::new();
        fs::write(stage.source.join("first"), "first").expect("written");
        dump(&stage, jobs);
        let outside = stage.source.parent().expect("a directory").join("outside");
        fs::write(&outside, vec![7; 3 << 20]).expect("written");
        fs::create_dir(stage.source.join("d")).expect("made");
        for name in ["a", "d/b"] {
            fs::hard_link(&outside, stage.source.join(name)).expect("linked");
        }
        let report = dump(&stage, jobs);
        assert_eq!(report.counts.copied().number, 1, "{:#?}", report.counts);
        let [a, b] = ["a", "d/b"].map(|name| ino(&stage.newest().join(name)));
        assert_eq!(a, b);
        fs::write(&outside, "changed in place").expect("written");
        let report = dump(&stage, jobs);
        assert_eq!(report.counts.copied().number, 1, "{:#?}", report.counts);
        assert_eq!(report.counts.linked.number, 1);
        fs::remove_file(&outside).expect("removed");
    }
}

/// The same names are met by way of both trees, in any order.
#[test]
fn a_tree_within_another_keeps_the_links_of_both() {
    for jobs in [1, 3, 4] {
        let stage = Stage::new();
        let inner = stage.source.join("inner");
        for n in 0..8 {
            let [x, y] = ["x", "y"].map(|dir| inner.join(format!("{dir}{n}")));
            fs::create_dir_all(&x).expect("made");
            fs::create_dir_all(&y).expect("made");
            for name in ["a", "b"] {
                fs::write(x.join(name), format!("{n}")).expect("written");
                fs::hard_link(x.join(name), y.join(name)).expect("linked");
            }
        }
        for _ in 0..2 {
            stage.run(stage.snapshot().main(&inner).jobs(jobs));
            let copy = stage.newest().with_file_name("inner");
            let lines = diff_trees(&inner, &copy, &fixtures::Options::of_runner());
            assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
        }
    }
}
