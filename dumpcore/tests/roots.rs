//! Dump roots that are used in other ways than they were made for.

mod common;

use std::fs;

use common::Stage;
use dumpcore::{Checkpoint, Error, Replica, Snapshot, Warning};

/// Anyone who lost `current` makes a first dump once more: the checkpoint is
/// what it was, and nobody is led to remove it.
#[test]
fn a_first_dump_leaves_a_checkpoint_that_is_there() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    stage.run(stage.snapshot());
    let link = |name: &str| fs::read_link(stage.dump.join(name)).expect("a link");
    assert_eq!(link("current"), link("current_chk"));
    Checkpoint::new(&stage.dump).run().expect("a checkpoint");
    let checkpoint = link("current_chk");
    assert!(checkpoint.to_string_lossy().ends_with("_chk"));
    fs::remove_file(stage.dump.join("current")).expect("removed");
    stage.run(stage.snapshot());
    assert_eq!(link("current_chk"), checkpoint);
    assert_ne!(link("current"), checkpoint);

    // One that names nothing is not a checkpoint.
    for name in ["current", "current_chk"] {
        fs::remove_file(stage.dump.join(name)).expect("removed");
    }
    std::os::unix::fs::symlink("2001/0101/0000_chk", stage.dump.join("current_chk"))
        .expect("linked");
    stage.run(stage.snapshot());
    assert_eq!(link("current_chk"), link("current"));
}

/// Anyone who names one tree of two is told what the new dump lacks, once; what is
/// brought in from elsewhere lacks nothing.
#[test]
fn a_tree_that_is_left_out_is_told() {
    let stage = Stage::new();
    let other = stage.source.with_file_name("other");
    fs::create_dir(&other).expect("made");
    for tree in [&stage.source, &other] {
        fs::write(tree.join("file"), "text").expect("written");
    }
    let lacking = |snapshot: Snapshot| {
        let report = snapshot.run().expect("published");
        let lacking = |warning: &Warning| match warning {
            Warning::MissingTree { reference } => Some(reference.clone()),
            _ => None,
        };
        let lacking: Vec<_> = report.warnings.iter().filter_map(lacking).collect();
        (report.dump, lacking)
    };
    let root = || Snapshot::new(&stage.dump);
    let (both, none) = lacking(root().main(&stage.source).main(&other).init(true));
    assert_eq!(none, Vec::<std::path::PathBuf>::new());
    let dry = root().main(&stage.source).dry_run(true);
    assert_eq!(lacking(dry).1, [both.join("other")]);
    let old = "2020-02-29T12:34".parse().expect("a minute");
    assert_eq!(lacking(root().main(&stage.source).at(old)).1.len(), 0);
    let (one, told) = lacking(root().main(&stage.source));
    assert_eq!(told, [both.join("other")]);
    assert!(!one.join("other").exists());
    assert_eq!(lacking(root().main(&stage.source)).1.len(), 0);
    let checkpoint = Checkpoint::new(&stage.dump).run().expect("a checkpoint");
    assert_eq!(checkpoint.warnings, []);
}

/// A dump root in a dump would write into what is published: no name of it
/// leads there, whichever program is to write.
#[test]
fn a_dump_root_inside_a_dump_is_refused() {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("sub")).expect("made");
    stage.run(stage.snapshot());
    let half = "2001/0101/0000_incomplete/tree";
    for dir in ["first/tree", half, "2001/0101/notes"] {
        fs::create_dir_all(stage.dump.join(dir)).expect("made");
    }
    let link = stage.dump.with_file_name("link");
    std::os::unix::fs::symlink(stage.newest(), &link).expect("linked");
    let slave = stage.dump.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    let history = common::History::of(&stage.dump);
    let in_dump = stage.newest();
    for root in [
        in_dump.parent().expect("the dump").to_path_buf(),
        in_dump.join("sub"),
        in_dump,
        stage.dump.join("first"),
        stage.dump.join("first/tree"),
        stage.dump.join(half),
        link.join("sub"),
    ] {
        let first = || Snapshot::new(&root).main(&stage.source).init(true);
        let replica = Replica::of(&stage.dump).to(&root).init(true).latest(true);
        for error in [
            first().run().err(),
            first().dry_run(true).run().err(),
            Checkpoint::new(&root).run().err(),
            replica.run().err(),
        ] {
            let error = error.expect("refused");
            assert!(matches!(error, Error::InsideDump { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(&*root.to_string_lossy()), "{said}");
        }
    }
    history.assert_unchanged(&stage.dump);
    // Where no dump is, a dump root may be.
    let beside = stage.dump.join("2001/0101/notes");
    let report = Snapshot::new(&beside).main(&stage.source).init(true).run();
    assert!(report.is_ok(), "{report:?}");
    // A root that has only a checkpoint is one as well.
    fs::remove_file(stage.dump.join("current")).expect("removed");
    let refused = Snapshot::new(link).main(&stage.source).init(true).run();
    assert!(
        matches!(refused, Err(Error::InsideDump { .. })),
        "{refused:?}"
    );
}

/// Sets that take turns in one dump root: each links to its own last dump,
/// and what that costs the first time is reported that once.
#[test]
fn trees_that_take_turns_link_to_their_own_last_dump() {
    let stage = Stage::new();
    let other = stage.source.with_file_name("other");
    fs::create_dir(&other).expect("made");
    for tree in [&stage.source, &other] {
        fs::write(tree.join("file"), "text").expect("written");
    }
    stage.run(stage.snapshot());
    let of = |trees: &[&std::path::PathBuf], dry_run| {
        let snapshot = Snapshot::new(&stage.dump).dry_run(dry_run);
        let snapshot = trees.iter().fold(snapshot, |s, tree| s.main(*tree));
        snapshot.run().expect("published")
    };
    let told = |report: &dumpcore::Report| {
        let told = |warning: &Warning| match warning {
            Warning::NewTree { path, .. } => Some(path.clone()),
            Warning::MissingTree { reference } => Some(reference.clone()),
            _ => None,
        };
        report.warnings.iter().filter_map(told).collect::<Vec<_>>()
    };
    let first = stage.newest().parent().expect("a dump").to_owned();
    for dry_run in [true, false] {
        let report = of(&[&other], dry_run);
        assert_eq!(told(&report), [first.join("tree"), other.clone()]);
        assert_eq!(report.counts.copied_new.number, 1);
    }
    let turns = [&stage.source, &other, &stage.source, &other];
    for tree in turns {
        for dry_run in [true, false] {
            let report = of(&[tree], dry_run);
            assert!(told(&report).is_empty(), "{:?}", report.warnings);
            assert_eq!(report.counts.linked.number, 1);
            assert_eq!(report.counts.copied().number, 0);
        }
    }
    // Both in one: each from where it is.
    let report = of(&[&stage.source, &other], false);
    assert!(told(&report).is_empty(), "{:?}", report.warnings);
    assert_eq!(report.counts.linked.number, 2);
    // And each alone afterwards loses the other, which is reported once.
    for tree in [&stage.source, &other] {
        assert_eq!(told(&of(&[tree], false)).len(), 1);
        assert!(told(&of(&[tree], false)).is_empty());
    }
}

/// What was made by a clock that was wrong is nothing to link to, unless
/// `current` names it.
#[test]
fn a_dump_of_the_future_is_no_reference() {
    let stage = Stage::new();
    let other = stage.source.with_file_name("other");
    fs::create_dir(&other).expect("made");
    fs::write(stage.source.join("file"), "text").expect("written");
    fs::write(other.join("file"), "text").expect("written");
    let run = |tree: &std::path::Path| Snapshot::new(&stage.dump).main(tree);
    run(&stage.source).init(true).run().expect("published");
    let future = "2099-01-01T00:00".parse().expect("a minute");
    run(&other).at(future).run().expect("published");
    let now = run(&stage.source).run().expect("published");
    assert_eq!(now.counts.linked.number, 1);
    let now = run(&other).run().expect("published");
    assert_eq!(now.counts.linked.number, 0, "{:?}", now.reference);
    assert_eq!(now.counts.copied_new.number, 1);
}
