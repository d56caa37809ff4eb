//! Restoring: killed at every call that changes something, stopped by a signal,
//! refused by a disk. What was there or what is restored stands, whole; nothing
//! half made is ever dumped, and the next restoration clears it up.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fixtures::plain_user;
use fixtures::strace::{Inject, inject, watch};
use fixtures::{Options, diff_trees};
use rustix::process::{Pid, Signal, kill_process};

use crate::calls::{copy_tree, points};
use crate::sample_trees;
use crate::setup::{History, ROOT, Stage, assert_code, end_well, end_with, said};

/// What is restored: the whole tree; a file over a file, over a directory, with
/// the directory above it; a directory over nothing, and over itself.
const PATHS: &[&str] = &["", "changes", "becomes a dir", "gone/file", "gone", "dir"];

/// A tree of which there is a dump, and which has changed since.
fn changed() -> Stage {
    let stage = Stage::new();
    stage.write(&sample_trees::before());
    end_well(stage.dumpme().args(["--at", "2020-01-01T10:00"]));
    stage.write(&sample_trees::after());
    fs::write(stage.source.join("dir/gained"), "since").expect("written");
    stage
}

/// Restores from the newest dump without a question, with one worker.
fn yest(stage: &Stage, path: &str) -> Command {
    yest_of(stage, path, "29991231")
}

fn yest_of(stage: &Stage, path: &str, date: &str) -> Command {
    let yest = stage.program("yest");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 40; exec \"$@\"", "sh"])
        .arg(yest.get_program())
        .args(["-q", "--date", date, "--copy", "--force", "--main"])
        .arg(&stage.source)
        .arg("--dump")
        .arg(&stage.dump)
        .arg(stage.source.join(path))
        .current_dir(stage.beside("."));
    for (name, value) in yest.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn is_half_made(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().contains(".dump-restoring-")
}

/// Everything that a restoration has left beside places, anywhere.
fn half_made(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![below.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).expect("listed") {
            let entry = entry.expect("listed");
            let path = entry.path();
            if is_half_made(&path) {
                found.push(path);
            } else if entry.file_type().expect("known").is_dir() {
                left.push(path);
            }
        }
    }
    found
}

/// Everything but the times of directories, which move where something is made.
fn options() -> Options {
    Options {
        dir_times: false,
        root: false,
        ..Options::of_runner()
    }
}

/// Kills a restoration of this path at every point, each time from the same
/// beginning.
fn kill_everywhere(path: &str) {
    let base = changed();
    copy_tree(&base.source, &base.beside("new"));
    let done = base.copy();
    end_well(&mut yest(&done, path));
    let points = points(&yest(&base.copy(), path));
    assert!(points.len() > 15, "{path}: too few calls seen: {points:?}");
    let mut killed = 0;
    for (name, nth) in &points {
        println!("{path:?} at {name} {nth}");
        let stage = base.copy();
        let history = History::of(&stage.dump);
        let seen = watch(&yest(&stage, path), &[Inject::kill(name).when(*nth)]);
        killed += usize::from(seen.status.signal() == Some(9));
        let half = half_made(&stage.beside("."));
        assert_old_or_new(&stage, &half, &done);
        history.assert_unchanged(&stage.dump);
        end_well(&mut stage.dumpme());
        let newest = fs::canonicalize(stage.dump.join("current")).expect("a dump");
        assert_eq!(half_made(&newest), Vec::<PathBuf>::new());
        // There is a newer dump by now.
        end_well(&mut yest_of(&stage, path, "20200101"));
        assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
        let differ = diff_trees(&done.source, &stage.source, &options());
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
    println!("{killed} kills at {} calls of {path:?}", points.len());
    assert_eq!(killed, points.len());
}

/// The tree is as it was or as it is restored, but for what is half made.
fn assert_old_or_new(stage: &Stage, half: &[PathBuf], done: &Stage) {
    let seen = stage.beside("seen");
    copy_tree(&stage.source, &seen);
    for path in half {
        let Ok(below) = path.strip_prefix(&stage.source) else {
            continue;
        };
        let path = seen.join(below);
        if path.is_dir() && !path.is_symlink() {
            fixtures::tree::remove_deep(&path);
        } else {
            fs::remove_file(&path).expect("removed");
        }
    }
    let mut all = Vec::new();
    for tree in [&stage.beside("new"), &done.source] {
        let lines = diff_trees(tree, &seen, &options());
        if lines.is_empty() {
            fixtures::tree::remove_deep(&seen);
            return;
        }
        all.extend(lines);
    }
    panic!(
        "neither as it was nor as it is restored:\n{}",
        all.join("\n")
    );
}

#[test]
#[ignore = "needs strace, and time"]
fn killed_at_every_call_it_leaves_the_old_or_the_new() {
    for path in PATHS {
        kill_everywhere(path);
    }
}

/// The one process that strace runs.
fn traced(strace: &Child) -> Option<Pid> {
    let id = strace.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let children = fs::read_to_string(children).unwrap_or_default();
    Pid::from_raw(children.trim().parse().ok()?)
}

/// Makes every call of these slow, and sends a signal when something half made
/// is seen. On a busy machine the restore may be done before the signal comes:
/// then the calls are made slower.
#[test]
#[ignore = "needs strace"]
fn stopped_by_a_signal_it_clears_up() {
    for (path, signal, code) in [
        ("", Signal::TERM, 143),
        ("dir", Signal::INT, 130),
        ("changes", Signal::HUP, 143),
    ] {
        let in_time = |delay: &u64| stop(path, signal, code, *delay);
        let delays = [45_000, 200_000, 1_000_000];
        assert!(delays.iter().any(in_time), "{path}: never in time");
    }
}

/// Was it stopped before it was done? Each slow call takes this many
/// microseconds.
fn stop(path: &str, signal: Signal, code: i32, delay: u64) -> bool {
    let stage = changed();
    let base = stage.copy();
    let slow = Inject::delay("openat,linkat,fsync,syncfs", delay);
    let slowed = inject(&yest(&stage, path), &[slow]);
    // Under nohup, SIGHUP is ignored by all that is started.
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP");
    command.arg(slowed.get_program()).args(slowed.get_args());
    for (name, value) in slowed.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
    while half_made(&stage.beside(".")).is_empty() {
        if child.try_wait().expect("asked").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    if let Some(pid) = traced(&child) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() {
        return false;
    }
    assert_code(&output, code);
    let said = said(&output);
    assert!(said.contains("was not changed"), "{said}");
    assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
    let differ = diff_trees(&base.source, &stage.source, &options());
    assert!(differ.is_empty(), "{path}: {}", differ.join("\n"));
    true
}

/// An entry that cannot be read: over something that is there nothing is put;
/// where nothing is, the rest is better than nothing.
#[test]
#[ignore = "needs strace"]
fn what_lacks_an_entry_replaces_nothing() {
    let stage = changed();
    let base = stage.copy();
    let dump = fs::canonicalize(stage.dump.join("current")).expect("a dump");
    let refused = [Inject::error("statx", "EIO").on(dump.join(ROOT).join("dir/same"))];
    let refused = || inject(&yest(&stage, "dir"), &refused);
    let text = end_with(&mut refused(), 1);
    assert!(text.contains("1 entry of"), "{text}");
    assert!(text.contains("dir/same: Input/output error"), "{text}");
    assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
    let differ = diff_trees(&base.source, &stage.source, &options());
    assert!(differ.is_empty(), "{}", differ.join("\n"));

    fs::rename(stage.source.join("dir"), stage.beside("dir")).expect("moved away");
    let text = end_with(&mut refused(), 23);
    assert!(text.contains("dir/same: Input/output error"), "{text}");
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir)
            .expect("listed")
            .map(|entry| entry.expect("listed").file_name())
            .collect();
        names.sort();
        names
    };
    let dir = stage.source.join("dir");
    assert_eq!(names(&dir), ["link", "twin a", "twin b"]);
    assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
}

/// A disk that takes no more: what was there stands, and nothing is left.
#[test]
#[ignore = "needs strace"]
fn a_disk_that_refuses_changes_nothing() {
    for (call, errno) in [
        ("mkdirat", "ENOSPC"),
        ("copy_file_range", "ENOSPC"),
        ("syncfs", "EIO"),
        ("renameat2", "EROFS"),
        ("fchown", "EIO"),
    ] {
        for path in ["", "dir", "changes"] {
            let stage = changed();
            let base = stage.copy();
            let refuse = Inject::error(call, errno);
            let output = inject(&yest(&stage, path), &[refuse]).output();
            let output = output.expect("it runs");
            if output.status.code() == Some(0) {
                // Not every file is copied by that call.
                assert!(["copy_file_range", "renameat2", "fchown"].contains(&call));
                continue;
            }
            assert_code(&output, 1);
            assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
            let differ = diff_trees(&base.source, &stage.source, &options());
            assert!(differ.is_empty(), "{path} {call}: {}", differ.join("\n"));
        }
    }
}

/// Brings the whole tree to the dump entry by entry, with one worker.
fn merging(stage: &Stage) -> Command {
    let mut command = stage.program("dumpctl");
    command
        .args([
            "restore",
            "-q",
            "--log",
            "stderr",
            "-j1",
            "--in-place",
            "--force",
        ])
        .args([
            "--delete",
            "--backup",
            "old",
            "--at",
            "2020/0101/1000",
            "--main",
        ])
        .arg(&stage.source)
        .arg("--dump")
        .arg(&stage.dump)
        .arg(&stage.source)
        .current_dir(stage.beside("."));
    command
}

/// The contents of all files below a directory, each once, without what is half
/// made.
fn contents(below: &Path) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let mut left = vec![below.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("there");
        if meta.is_dir() {
            let listed = fs::read_dir(&path).expect("listed");
            let paths = listed.map(|entry| entry.expect("listed").path());
            left.extend(paths.filter(|path| !is_half_made(path)));
        } else if meta.is_file() {
            found.insert(fs::read(&path).expect("read"));
        }
    }
    found
}

/// Killed between any two calls, nothing of what was there is lost, no file is
/// half, and the same command does the rest.
#[test]
#[ignore = "needs strace, and time"]
fn killed_at_every_call_of_a_merge_nothing_is_lost() {
    let base = changed();
    let had = contents(&base.source);
    let done = base.copy();
    end_well(&mut merging(&done));
    let points = points(&merging(&base.copy()));
    assert!(points.len() > 60, "too few calls seen: {points:?}");
    let mut killed = 0;
    for (name, nth) in &points {
        println!("at {name} {nth}");
        let stage = base.copy();
        let history = History::of(&stage.dump);
        let dumped = contents(&stage.dump.join("2020/0101/1000"));
        let whole: BTreeSet<Vec<u8>> = had.union(&dumped).cloned().collect();
        let seen = watch(&merging(&stage), &[Inject::kill(name).when(*nth)]);
        killed += usize::from(seen.status.signal() == Some(9));
        history.assert_unchanged(&stage.dump);
        let mut kept = BTreeSet::new();
        for place in [stage.source.clone(), stage.beside("old")] {
            if place.exists() {
                kept.extend(contents(&place));
            }
        }
        assert!(kept.is_superset(&had), "something is lost");
        let now = contents(&stage.source);
        assert!(now.is_subset(&whole), "a file is half");
        end_well(&mut merging(&stage));
        assert_eq!(half_made(&stage.beside(".")), Vec::<PathBuf>::new());
        let differ = diff_trees(&done.source, &stage.source, &options());
        assert!(differ.is_empty(), "{}", differ.join("\n"));
    }
    println!("{killed} kills at {} calls", points.len());
    assert_eq!(killed, points.len());
}

/// A plain user's tree in which directories that are read-only come, go, and take the
/// place of a file or give theirs to one, with where the old is kept.
fn closed() -> Stage {
    let stage = Stage::new().of_plain_user();
    let at = |path: &str| stage.source.join(path);
    let closed = |path: &str| {
        fs::create_dir(at(path)).expect("made");
        fs::write(at(path).join("f"), path).expect("written");
        plain_user::give(&at(path));
        fs::set_permissions(at(path), fs::Permissions::from_mode(0o555)).expect("closed");
    };
    let file = |path: &str| fs::write(at(path), path).expect("written");
    let clear = |path: &str| fs::remove_dir_all(at(path)).expect("removed");
    closed("comes");
    closed("was a directory");
    file("was a file");
    end_well(stage.dumpme().args(["--at", "2020-01-01T10:00"]));
    clear("comes");
    clear("was a directory");
    fs::remove_file(at("was a file")).expect("removed");
    closed("was a file");
    file("was a directory");
    closed("goes");
    fs::create_dir(stage.beside("old")).expect("made");
    for dir in ["old", "."] {
        plain_user::give(&stage.beside(dir));
    }
    stage
}

/// A directory that was opened to be moved, and cannot get its mode back, is where it
/// was moved, and is named; the rest is restored.
#[test]
#[ignore = "needs strace, and root to become another user"]
fn a_mode_that_cannot_be_given_back_stops_nothing() {
    for (below, place) in [
        (ROOT, "comes"),
        (ROOT, "was a directory"),
        ("old/tree", "was a file"),
        ("old/tree", "goes"),
    ] {
        let stage = closed();
        let version = fs::canonicalize(stage.dump.join("current")).expect("a dump");
        let had = contents(&stage.source);
        let refused = stage.beside(below).join(place);
        let refuse = Inject::error("fchmod", "EIO").on(&refused);
        let mut command = inject(&merging(&stage), &[refuse]);
        command.uid(plain_user::PLAIN).gid(plain_user::PLAIN);
        let said = end_with(&mut command, 23);
        assert!(said.contains("is open to its owner"), "{place}: {said}");
        assert!(said.contains("Input/output error"), "{place}: {said}");
        let mode = fs::metadata(&refused).expect("moved").permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{place}");
        let mut kept = contents(&stage.source);
        kept.extend(contents(&stage.beside("old")));
        assert!(kept.is_superset(&had), "{place}: something is lost");
        let mut differ = diff_trees(&version.join(ROOT), &stage.source, &options());
        differ.retain(|line| !line.contains(place));
        assert_eq!(differ, Vec::<String>::new(), "{place}");
    }
}
