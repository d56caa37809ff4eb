//! Erasing that is killed or stopped, or that the disk refuses: what is in no dump stays
//! out, nothing else changes, and the next erasure finishes.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dumpcore::{CatalogTools, DumpRoot, Navigator};
use fixtures::Fingerprint;
use fixtures::strace::{Inject, output_with, watch};
use rustix::process::Signal;

use crate::calls::{Point, points};
use crate::sample_trees;
use crate::setup::{ROOT, Stage, assert_code, assert_one_of, end_well, leftovers, said};

/// What is erased: a file that all dumps have, one of two names, and a directory.
const PATHS: [&str; 3] = ["changes", "dir/twin a", "gone"];

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

/// A copy; a catalog is believed only where it was made.
fn copy(base: &Stage) -> Stage {
    let stage = base.copy();
    CatalogTools::new(&stage.dump).rebuild().expect("made");
    stage
}

fn erase(stage: &Stage, paths: &[&str]) -> Command {
    let mut command = told(stage, paths);
    command.arg("-q");
    command
}

fn told(stage: &Stage, paths: &[&str]) -> Command {
    let mut command = stage.program("dumpctl");
    command
        .args(["erase", "--log", "stderr", "-j1", "--force", "--main"])
        .arg(&stage.source)
        .arg("--dump")
        .arg(&stage.dump)
        .args(paths.iter().map(|path| stage.source.join(path)));
    command
}

fn print(tree: &Path) -> Fingerprint {
    let mut print = Fingerprint::of(tree);
    PATHS.iter().for_each(|path| print.forget(path));
    print
}

/// No tree has any of it, and nothing else in them has changed.
fn assert_erased(before: &[(Fingerprint, PathBuf)]) {
    for (print, tree) in before {
        for path in PATHS {
            assert!(
                tree.join(path).symlink_metadata().is_err(),
                "{path} is there"
            );
        }
        // Some filesystems count the names of a directory as its size.
        let is_size = |line: &String| [": size changed", "dir: size changed"].contains(&&**line);
        let mut changes = print.changes(tree);
        changes.retain(|line| !is_size(line));
        assert_eq!(changes, Vec::<String>::new(), "{tree:?}");
    }
}

/// Strikes it there, and looks at what is left; was it struck?
fn strike(base: &Stage, (name, nth): &Point, how: fn(&str) -> Inject) -> bool {
    println!("at {name} {nth}");
    let stage = copy(base);
    let before: Vec<_> = stage
        .trees()
        .into_iter()
        .map(|tree| (print(&tree), tree))
        .collect();
    let seen = watch(&erase(&stage, &PATHS), &[how(name).when(*nth)]);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    assert!(root.current().expect("read").is_some());
    drop(root);
    // A run in between is as always.
    if nth % 3 == 0 {
        stage.dump_now();
        let newest = fs::canonicalize(stage.dump.join("current")).expect("there");
        assert_one_of(&newest.join(ROOT), &[&stage.source]);
        fs::remove_file(stage.source.join("changes")).expect("removed");
        assert!(newest.join(ROOT).join("changes").exists());
    }
    // By the note, or by its paths when it was struck before that.
    let noted = stage.dump.join(".dump/erasing").exists();
    let again: &[&str] = if noted { &[] } else { &PATHS };
    let ended = erase(&stage, again).output().expect("it runs");
    let done_before = !noted && ended.status.code() == Some(1);
    assert!(ended.status.success() || done_before, "{ended:?}");
    assert_erased(&before);
    assert!(leftovers(&stage.dump).is_empty());
    assert!(!stage.dump.join(".dump/erasing").exists());
    let checked = CatalogTools::new(&stage.dump).all(true).check();
    let mut differ = checked.expect("checked");
    // The run in between does without the catalog.
    differ.retain(|one| one.path.is_some());
    assert_eq!(differ, Vec::new());
    seen.status.signal() == Some(9) || seen.status.code() != Some(0)
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_an_erasure() {
    let base = dumped();
    let points = points(&erase(&copy(&base), &PATHS));
    assert!(points.len() > 40, "too few calls seen: {points:?}");
    let killed = points.iter().filter(|at| strike(&base, at, Inject::kill));
    let killed = killed.count();
    println!("{killed} kills at {} calls", points.len());
    assert_eq!(killed, points.len());
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_an_erasure() {
    let base = dumped();
    let mut points = points(&erase(&copy(&base), &PATHS));
    points.retain(|(name, _)| name != "exit_group");
    let refused = |at: &&Point| strike(&base, at, |name| Inject::error(name, "EIO"));
    let refused = points.iter().filter(refused).count();
    println!("{refused} refusals at {} calls", points.len());
    assert!(refused > 25, "only {refused} of {} were told", points.len());
}

/// Sends a signal at the nth rename, and gives it this time (µs) before the next
/// one. In how many dumps each path still is; none when it was done before it stopped.
fn stop(base: &Stage, nth: usize, pause: u64) -> Option<Vec<usize>> {
    let stage = copy(base);
    let before = stage.trees().into_iter();
    let before: Vec<_> = before.map(|tree| (print(&tree), tree)).collect();
    let signal = Inject::signal("renameat2", Signal::INT).when(nth);
    let faults = [signal, Inject::delay("flock", pause)];
    let stopped = output_with(&told(&stage, &PATHS), &faults);
    if stopped.status.success() {
        return None;
    }
    assert_code(&stopped, 130);
    let said = said(&stopped);
    assert!(said.contains("run 'dumpctl erase' again"), "{said}");
    let navigator = Navigator::new(&stage.dump);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    for dump in root.list().expect("listed") {
        assert_eq!(navigator.lost_entries(dump), None, "{dump}");
    }
    let printed = String::from_utf8_lossy(&stopped.stdout);
    let stays = PATHS.map(|path| {
        let has = |tree: &Path| tree.join(path).symlink_metadata().is_ok();
        let stays = before.iter().filter(|(_, tree)| has(tree)).count();
        let is_it = |line: &&str| line.contains(&format!("/{path}: "));
        let line = printed.lines().find(is_it);
        let line = line.unwrap_or_else(|| panic!("{path}: {printed}"));
        let told = match stays {
            0 => !line.contains("still in"),
            stays => line.contains(&format!("still in {stays} dump")),
        };
        assert!(told, "{stays}: {printed}");
        stays
    });
    end_well(&mut erase(&stage, &[]));
    assert_erased(&before);
    let checked = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(checked.expect("checked"), Vec::new());
    Some(stays.to_vec())
}

/// Between two dumps, and between two paths of one.
#[test]
#[ignore = "needs strace"]
fn stopped_at_renames_of_an_erasure_it_tells_what_remains() {
    let base = dumped();
    // Eight names go; at the last ones it may be done before it can stop.
    let stays = (2..7).map(|nth| {
        // On a busy machine nobody hears of it in a short time.
        let pauses = [60_000, 500_000, 2_000_000];
        let stopped = pauses.into_iter().find_map(|pause| stop(&base, nth, pause));
        stopped.unwrap_or_else(|| panic!("at rename {nth}: never in time"))
    });
    let stays: Vec<Vec<usize>> = stays.collect();
    println!("{stays:?}");
    assert!(stays.iter().any(|stays| stays.contains(&1)), "{stays:?}");
}
