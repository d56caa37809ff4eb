//! Healing that is killed, or that the disk refuses: each name is the damaged file
//! or the good one, nothing else changes, and the next heal finishes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dumpcore::{CatalogTools, DumpRoot, Scrub};
use fixtures::strace::{Inject, watch};
use fixtures::{Fingerprint, rot};

use crate::calls::{Point, points};
use crate::sample_trees;
use crate::setup::{ROOT, Stage, end_well};

/// Two names of one inode, which all dumps have, and what another file holds.
const PATHS: [&str; 3] = ["dir/twin a", "dir/twin b", "same"];

/// Three dumps of two states.
fn dumped() -> Stage {
    let base = Stage::new();
    base.write(&sample_trees::before());
    for minute in ["2020-01-01T01:00", "2020-01-01T02:00"] {
        end_well(base.dumpme().args(["--at", minute]));
    }
    base.write(&sample_trees::after());
    end_well(base.dumpme().args(["--at", "2020-01-02T03:00"]));
    base
}

/// A copy whose catalog has all hashes; then two files rot.
fn damaged(base: &Stage) -> Stage {
    let stage = base.copy();
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound() && scrubbed.hashed > 5, "{scrubbed:?}");
    for path in [PATHS[0], PATHS[2]] {
        rot(&stage.trees()[0].join(path), 50);
    }
    stage
}

fn heal(stage: &Stage) -> Command {
    let mut command = stage.program("dumpctl");
    command
        .args([
            "scrub",
            "--heal",
            "-q",
            "--log",
            "stderr",
            "-j1",
            "--no-idle",
            "--main",
        ])
        .arg(&stage.source)
        .arg("--dump")
        .arg(&stage.dump);
    command
}

fn print(tree: &Path) -> Fingerprint {
    let mut print = Fingerprint::of(tree);
    PATHS.iter().for_each(|path| print.forget(path));
    print
}

/// What a path holds is what the source has, or that with one other byte.
fn assert_bad_or_good(stage: &Stage) {
    for (tree, path) in stage
        .trees()
        .iter()
        .flat_map(|tree| PATHS.map(|path| (tree, path)))
    {
        let good = fs::read(stage.source.join(path)).expect("read");
        let mut bad = good.clone();
        bad[50] = !bad[50];
        let found = fs::read(tree.join(path)).expect("read");
        assert!(found == good || found == bad, "{tree:?} {path}");
    }
}

/// All is as it was stored, and hard links are such.
fn assert_put_back(stage: &Stage, before: &[(Fingerprint, PathBuf)]) {
    for tree in stage.trees() {
        for path in PATHS {
            let [now, was] = [tree.join(path), stage.source.join(path)].map(|path| {
                let meta = fs::metadata(&path).expect("there");
                let times = (meta.mtime(), meta.mtime_nsec());
                (
                    fs::read(&path).expect("read"),
                    meta.mode(),
                    meta.uid(),
                    meta.gid(),
                    times,
                )
            });
            assert!(now == was, "{tree:?} {path}");
        }
        let [a, b] = ["dir/twin a", "dir/twin b"].map(|path| fs::metadata(tree.join(path)));
        assert_eq!(a.expect("there").ino(), b.expect("there").ino());
    }
    for (print, tree) in before {
        let mut changes = print.changes(tree);
        let healed = PATHS.iter().chain(&["new/twin c"]);
        let healed: Vec<String> = healed.map(|path| format!("{path}: ")).collect();
        changes.retain(|line| !healed.iter().any(|path| line.starts_with(path)));
        assert_eq!(changes, Vec::<String>::new(), "{tree:?}");
    }
}

/// Strikes it there, and looks at what is left; was it struck?
fn strike(base: &Stage, (name, nth): &Point, how: fn(&str) -> Inject) -> bool {
    println!("at {name} {nth}");
    let stage = damaged(base);
    let before: Vec<_> = stage
        .trees()
        .into_iter()
        .map(|tree| (print(&tree), tree))
        .collect();
    let seen = watch(&heal(&stage), &[how(name).when(*nth)]);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    assert!(root.current().expect("read").is_some());
    drop(root);
    assert_bad_or_good(&stage);
    // A run in between is as always.
    if nth % 3 == 0 {
        end_well(&mut stage.dumpme());
        let newest = fs::canonicalize(stage.dump.join("current")).expect("there");
        if fs::read(newest.join(ROOT).join("same")).expect("read")
            == fs::read(stage.source.join("same")).expect("read")
        {
            let [a, b] = ["dir/twin a", "same"].map(|path| newest.join(ROOT).join(path));
            assert!(a.exists() && b.exists());
        } else {
            assert_bad_or_good(&stage);
        }
    }
    let ended = heal(&stage).output().expect("it runs");
    assert!(ended.status.success(), "{ended:?}");
    assert_put_back(&stage, &before);
    let kept = fs::read_dir(stage.dump.join(".dump/damaged")).expect("listed");
    let kept: Vec<_> = kept
        .map(|entry| entry.expect("listed").file_name())
        .collect();
    assert_eq!(kept.len(), 4, "two files and their notes: {kept:?}");
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:?}");
    let checked = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(checked.expect("checked"), Vec::new());
    seen.status.signal() == Some(9) || seen.status.code() != Some(0)
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_a_heal() {
    let base = dumped();
    let points = points(&heal(&damaged(&base)));
    assert!(points.len() > 60, "too few calls seen: {points:?}");
    let killed = points.iter().filter(|at| strike(&base, at, Inject::kill));
    let killed = killed.count();
    println!("{killed} kills at {} calls", points.len());
    assert_eq!(killed, points.len());
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_heal() {
    let base = dumped();
    let mut points = points(&heal(&damaged(&base)));
    points.retain(|(name, _)| name != "exit_group");
    let refused = |at: &&Point| strike(&base, at, |name| Inject::error(name, "EIO"));
    let refused = points.iter().filter(refused).count();
    println!("{refused} refusals at {} calls", points.len());
    assert!(refused > 25, "only {refused} of {} were told", points.len());
}
