//! Hard links that come and go: a new name of an old inode costs no copy.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{ROOT, Stage};
use dumpcore::{Error, Event};
use fixtures::{Options, diff_trees};

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
            let lines = diff_trees(&inner, &copy, &Options::of_runner());
            assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
        }
    }
}

/// Many names wait for others at once, and a stopped run has left some of them.
#[test]
fn no_name_is_lost_when_a_stopped_run_is_resumed() {
    let stage = Stage::new();
    let dirs = ["x", "y", "z"].map(|dir| stage.source.join(dir));
    dirs.iter()
        .for_each(|dir| fs::create_dir(dir).expect("made"));
    for at in 0..1_500 {
        let first = dirs[0].join(format!("{at}"));
        fs::write(&first, at.to_string()).expect("written");
        for dir in &dirs[1..] {
            // In another order there.
            let name = format!("{}", at * 7_919 % 1_500);
            fs::hard_link(&first, dir.join(name)).expect("linked");
        }
    }
    for round in 1..=8 {
        let (stop, stored) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let flag = Arc::clone(&stop);
        let watch = move |event: Event<'_>| {
            if let Event::Entry { .. } = event
                && stored.fetch_add(1, Ordering::Relaxed) >= round * 500
            {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let run = stage
            .snapshot()
            .jobs(4)
            .observer(Arc::new(watch))
            .stop(stop);
        let stopped = run.run().expect_err("stopped");
        assert!(matches!(stopped, Error::Interrupted), "{stopped}");
        let report = stage.run(stage.snapshot().jobs(4));
        assert!(report.resumed, "{round}");
        let lines = diff_trees(
            &stage.source,
            &report.dump.join(ROOT),
            &Options::of_runner(),
        );
        assert!(lines.is_empty(), "{round}: {}", lines.join("\n"));
        fs::remove_dir_all(&stage.dump).expect("removed");
        fs::create_dir(&stage.dump).expect("made");
    }
}
