//! Faults of the source, and of the dump disk, while a dump is made from an expired
//! one: nothing that only the expired dump had may be published.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{NaiveDateTime, TimeDelta};
use fixtures::strace::{Inject, inject};
use fixtures::tree::{Node, Tree};

use crate::setup::{ROOT, Stage, assert_done_but_removing, end_well, said};

/// Where the faults are: deep enough that with few descriptors the directory is
/// opened again before it is listed.
const DEEP: &str = "a/b/c/deepest";

/// A tree whose directories have the same times and modes in each round.
fn tree(round: u8) -> Tree {
    let mut tree = Tree::new();
    for dir in ["a", "a/b", "a/b/c", DEEP, "a/b/c/deepest/e"] {
        tree.add(dir, Node::dir().mode(0o755).mtime(1_600_000_000, 0));
        let file = |name: &str| format!("{dir}/{name}");
        let text = |text: String| Node::file(text).mtime(1_600_000_000 + i64::from(round), 0);
        tree.add(file("same"), Node::file("same").mtime(1_600_000_000, 0));
        tree.add(file("changes"), text(format!("in round {round}")));
        tree.add(file(&format!("only in {round}")), text("text".into()));
    }
    tree
}

/// A dump root with an expired dump, which the next run takes if `recycles`; the
/// source is another since.
fn changed(recycles: bool) -> Stage {
    let stage = Stage::new();
    stage.write(&tree(0));
    stage.dump_now();
    stage.spare();
    if !recycles {
        end_well(&mut stage.prune(&["--keep-last", "1"]));
    }
    stage.write(&tree(1));
    stage
}

/// A run with so few descriptors that directories are closed and opened again.
fn run(stage: &Stage) -> Command {
    let of = stage.recycling(100);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=48:48").arg(of.get_program());
    command.args(of.get_args()).args(["-j1", "--json"]);
    for (name, value) in of.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.current_dir(of.get_current_dir().expect("one is set"));
    command
}

/// All that was published: what each file has in it, and the mode of each directory.
fn published(stage: &Stage) -> BTreeMap<PathBuf, String> {
    let top = stage.dump.join("current").join(ROOT);
    let (mut all, mut todo) = (BTreeMap::new(), vec![top.clone()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("listed").path();
            let meta = path.symlink_metadata().expect("there");
            let below = path.strip_prefix(&top).expect("below").to_path_buf();
            if meta.is_dir() {
                all.insert(below, format!("{:o}", meta.permissions().mode()));
                todo.push(path);
            } else {
                all.insert(below, fs::read_to_string(&path).expect("read"));
            }
        }
    }
    all
}

/// What was published is of the source as it is now, also where something lacks.
#[track_caller]
fn assert_nothing_old(stage: &Stage, context: &str) {
    for (path, text) in published(stage) {
        let now = stage.source.join(&path);
        if !now.is_dir() {
            let now = fs::read_to_string(&now).ok();
            assert_eq!(
                now.as_deref(),
                Some(&*text),
                "{context}: {}",
                path.display()
            );
        }
    }
}

/// Where the next run makes its dump: those before it had the minutes up to
/// `current`, which is ahead of the clock.
fn staging(stage: &Stage) -> PathBuf {
    let current = fs::read_link(stage.dump.join("current")).expect("a link");
    let current = current.to_str().expect("text");
    let minute = NaiveDateTime::parse_from_str(current, "%Y/%m%d/%H%M").expect("a minute");
    let next = minute + TimeDelta::minutes(1);
    let name = next.format("%Y/%m%d/%H%M_incomplete").to_string();
    stage.dump.join(name).join(ROOT)
}

/// Was the dump of this output made from an expired one?
fn is_recycled(stdout: &[u8]) -> bool {
    String::from_utf8_lossy(stdout).contains("\"recycled_from\":\"")
}

/// The same as a run that makes all of the dump by itself.
#[test]
#[ignore = "needs strace"]
fn a_directory_of_the_source_that_cannot_be_read_is_as_in_a_new_dump() {
    for (calls, errno) in [
        ("openat,openat2", "EACCES"),
        ("openat,openat2", "EIO"),
        ("openat,openat2", "ENOENT"),
        ("getdents64", "EACCES"),
        ("getdents64", "EIO"),
        ("statx,newfstatat", "EACCES"),
    ] {
        let context = format!("{calls} {errno}");
        let [recycled, fresh] = [true, false].map(|recycles| {
            let stage = changed(recycles);
            let fault = [Inject::error(calls, errno).on(stage.source.join(DEEP))];
            let output = inject(&run(&stage), &fault).output().expect("run");
            let said = said(&output);
            assert_eq!(output.status.code(), Some(23), "{context}: {said}");
            assert!(said.contains(DEEP), "{context}: {said}");
            assert_eq!(is_recycled(&output.stdout), recycles, "{context}");
            let all = published(&stage);
            // What lacks something is recycled like any other.
            let partial = stage.dump.join("current").canonicalize().expect("a dump");
            end_well(&mut stage.recycling(1));
            assert_done_but_removing(&stage.dump, &stage.source);
            let last = stage.recycling(1).arg("--json").output().expect("run");
            let from = format!("\"recycled_from\":\"{}\"", partial.display());
            let stdout = String::from_utf8_lossy(&last.stdout);
            assert!(stdout.contains(&from), "{context}: {stdout}");
            assert_done_but_removing(&stage.dump, &stage.source);
            end_well(&mut stage.catalog("check"));
            all
        });
        assert_eq!(recycled, fresh, "{context}");
    }
}

/// Each call by itself, on both sides: also the one that opens a directory again
/// after it was entered, and the one that lists it where the dump is made.
#[test]
#[ignore = "needs strace"]
fn nothing_old_is_published_whichever_call_for_a_directory_fails() {
    let mut ends = BTreeMap::new();
    for (calls, errno) in [
        ("openat,openat2", "EACCES"),
        ("openat,openat2", "ENOENT"),
        ("getdents64", "EACCES"),
        ("fchmod,fchmodat", "EPERM"),
    ] {
        for place in 0..5 {
            for nth in 1..=6 {
                let stage = changed(true);
                let made = staging(&stage);
                let above = Path::new(DEEP).parent().expect("a directory");
                let on = match place {
                    0 => stage.source.join(DEEP),
                    1 => stage.source.join(above),
                    2 => made.join(DEEP),
                    3 => made.join(above),
                    // By its name, on either side.
                    _ => Path::new(DEEP).file_name().expect("a name").into(),
                };
                let fault = [Inject::error(calls, errno).when(nth).on(&on)];
                let output = inject(&run(&stage), &fault).output().expect("run");
                let code = output.status.code();
                let said = said(&output);
                let context = format!("{calls} {nth} {errno} {on:?}: {said}");
                match code {
                    Some(0) => {
                        assert_done_but_removing(&stage.dump, &stage.source);
                    }
                    Some(23) => assert_nothing_old(&stage, &context),
                    Some(1) => assert!(made.exists(), "{context}"),
                    _ => panic!("{code:?} {context}"),
                }
                let stdout = String::from_utf8_lossy(&output.stdout);
                let without = stdout.contains("is made without what was there");
                let is_known = without || is_recycled(&output.stdout);
                assert!(code == Some(1) || is_known, "{context}");
                *ends.entry(code).or_insert(0) += 1;
            }
        }
    }
    println!("{ends:?}");
    assert!(ends[&Some(23)] > 8, "{ends:?}");
}

/// A run that cannot take an expired dump says so, and makes its dump without it.
#[test]
#[ignore = "needs strace"]
fn an_expired_dump_that_cannot_be_taken_is_a_warning() {
    let stage = changed(true);
    let mut spares = fs::read_dir(stage.dump.join(".dump/removing")).expect("listed");
    let spare = spares.next().expect("there is one").expect("listed");
    let fault = [Inject::error("renameat2", "EACCES").on(spare.path())];
    let output = inject(&run(&stage), &fault).output().expect("run");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let object = String::from_utf8_lossy(&output.stdout);
    let warning = format!(
        "\"warnings\":[\"an expired dump cannot be recycled: cannot rename {}/{ROOT}: Permission denied\"]",
        spare.path().display()
    );
    assert!(object.contains(&warning), "{object}");
    assert!(!is_recycled(&output.stdout), "{said}");
    assert!(assert_done_but_removing(&stage.dump, &stage.source));
    let dump = stage.dump.join("current");
    let mark = rustix::fs::getxattr(dump, "user.dump.recycled", &mut [0_u8; 8]);
    assert_eq!(mark.err(), Some(rustix::io::Errno::NODATA));
}

/// Its owner may only rename it when it is opened up for that.
#[test]
#[ignore = "needs root: another user"]
fn a_tree_that_is_read_only_is_recycled_for_a_plain_user() {
    let stage = Stage::new().of_plain_user();
    stage.write(&tree(0));
    let closed = fs::Permissions::from_mode(0o555);
    fs::set_permissions(&stage.source, closed).expect("closed");
    stage.dump_now();
    stage.spare();
    let output = stage.recycling(1).arg("--json").output().expect("run");
    assert_eq!(said(&output), "");
    assert!(is_recycled(&output.stdout));
    assert_done_but_removing(&stage.dump, &stage.source);
}
