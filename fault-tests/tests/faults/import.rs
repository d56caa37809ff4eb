//! An import, and a dump that is pinned, that are killed at every call: what is
//! there stays, nothing half counts as a dump, and the next run finishes.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use dumpcore::DumpRoot;
use fixtures::strace::{Inject, watch};

use crate::calls::{Point, changed, copy_tree, points};
use crate::sample_trees;
use crate::setup::{
    History, ROOT, Stage, assert_done, assert_one_of, assert_stands, end_well, leftovers,
};

/// Copies as rsync-time-backup makes them, and the dumps that they become.
const COPIES: [(&str, &str); 2] = [
    ("2020-02-02-101005", "2020/0202/1010"),
    ("2020-02-03-101005", "2020/0203/1010"),
];

/// Two copies of two states, and a dump root with a later dump.
fn with_copies() -> Stage {
    let base = Stage::new();
    let trees = [sample_trees::before(), sample_trees::after()];
    for (tree, (copy, _)) in trees.iter().zip(COPIES) {
        base.write(tree);
        fs::create_dir_all(base.beside("copies")).expect("made");
        copy_tree(&base.source, &base.beside("copies").join(copy));
    }
    end_well(base.dumpme().args(["--at", "2020-03-01T01:00"]));
    base
}

fn import(stage: &Stage) -> Command {
    let mut command = stage.program("dumpctl");
    command
        .args([
            "import",
            "-q",
            "--log",
            "stderr",
            "-j1",
            "--root-name",
            ROOT,
        ])
        .args(["rsync-time-backup", "copies", "--dump"])
        .arg(&stage.dump);
    command
}

/// Kills the import there, and looks at what is left; was it killed?
fn kill_import(base: &Stage, (name, nth): &Point) -> bool {
    println!("at {name} {nth}");
    let stage = base.copy();
    let history = History::of(&stage.dump);
    let copies = COPIES.map(|(copy, _)| stage.beside("copies").join(copy));
    let seen = watch(&import(&stage), &[Inject::kill(name).when(*nth)]);
    assert_stands(&stage.dump, true, &[&copies[0], &copies[1], &stage.source]);
    history.assert_unchanged(&stage.dump);
    // A run in between is as always.
    if nth % 3 == 0 {
        stage.dump_now();
        let current = fs::canonicalize(stage.dump.join("current")).expect("there");
        assert_one_of(&current.join(ROOT), &[&stage.source]);
    }
    let current = fs::read_link(stage.dump.join("current")).expect("there");
    end_well(&mut import(&stage));
    for ((_, dump), copy) in COPIES.iter().zip(&copies) {
        assert_one_of(&stage.dump.join(dump).join(ROOT), &[copy]);
    }
    let after = fs::read_link(stage.dump.join("current")).expect("there");
    assert_eq!(after, current, "an import never moves it back");
    let left = leftovers(&stage.dump);
    assert!(left.is_empty(), "left behind: {left:?}");
    history.assert_unchanged(&stage.dump);
    let dumps = DumpRoot::open(&stage.dump).expect("opened").list();
    let there = 3 + usize::from(nth % 3 == 0);
    assert_eq!(dumps.expect("listed").len(), there, "each once");
    seen.status.signal() == Some(9)
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_an_import() {
    let base = with_copies();
    let points = points(&import(&base.copy()));
    assert!(points.len() > 50, "too few calls seen: {points:?}");
    let killed = points.iter().filter(|at| kill_import(&base, at)).count();
    println!("{killed} kills at {} calls", points.len());
    assert_eq!(killed, points.len());
}

fn pinned(stage: &Stage) -> Command {
    let mut command = stage.dumpme();
    command.args(["-j1", "--pin", "keep"]);
    command
}

/// Kills a dump that is to be pinned there; was it killed?
fn kill_pinned(base: &Stage, (name, nth): &Point) -> bool {
    println!("at {name} {nth}");
    let stage = base.copy();
    let history = History::of(&stage.dump);
    let pin = stage.dump.join("keep");
    let before = fs::read_link(stage.dump.join("current")).expect("there");
    let seen = watch(&pinned(&stage), &[Inject::kill(name).when(*nth)]);
    let (was, now) = (stage.beside("was"), stage.source.as_path());
    assert_stands(&stage.dump, true, &[&was, now]);
    history.assert_unchanged(&stage.dump);
    let names_a_dump = |pin: &Path| assert_one_of(&pin.join(ROOT), &[now]);
    // It is pinned before `current` names it, and never without its dump.
    let current = || fs::read_link(stage.dump.join("current")).expect("there");
    let is_pinned = pin.is_symlink();
    assert!(
        is_pinned || current() == before,
        "published without its pin"
    );
    match is_pinned {
        true => {
            names_a_dump(&pin);
            stage.dump_now();
        }
        false => end_well(&mut pinned(&stage)),
    }
    names_a_dump(&pin);
    fs::remove_file(&pin).expect("removed");
    assert_done(&stage.dump, now);
    history.assert_unchanged(&stage.dump);
    seen.status.signal() == Some(9)
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_a_dump_that_is_pinned() {
    let base = changed();
    let points = points(&pinned(&base.copy()));
    assert!(points.len() > 25, "too few calls seen: {points:?}");
    let killed = points.iter().filter(|at| kill_pinned(&base, at)).count();
    println!("{killed} kills at {} calls", points.len());
    assert_eq!(killed, points.len());
}
