//! Pushing dumps to a repository on this machine: what is read, what is stored,
//! and what is refused.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Place, size_of};
use predicates::str::contains;
use rustix::fs::{CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn the_newest_dump_is_pushed_once() {
    let place = Place::with_dump();
    let name = place.dump();
    let pushed = place.pushed(&[]);
    assert_eq!(
        (&pushed["name"], &pushed["status"]),
        (&name.as_str().into(), &"complete".into())
    );
    assert_eq!(
        (&pushed["entries"], &pushed["files_read"]),
        (&4.into(), &2.into())
    );
    let id = pushed["snapshot"].as_str().expect("an id");
    assert_eq!(id.len(), 64, "{id}");
    assert!(place.path("repo/snapshots").join(id).exists());
    let before = size_of(&place.path("repo"));
    let again = place.pushed(&[]);
    assert_eq!(
        (&again["status"], &again["snapshot"]),
        (&"present".into(), &pushed["snapshot"])
    );
    assert_eq!(size_of(&place.path("repo")), before, "nothing was written");
    let [snapshot] = &place.snapshots()[..] else {
        panic!("one snapshot")
    };
    let tree = place.path("tree");
    assert_eq!(snapshot["path"], tree.to_str().expect("UTF-8"));
    assert_eq!(
        (&snapshot["name"], &snapshot["partial"]),
        (&name.as_str().into(), &false.into())
    );
}

#[test]
fn dumps_are_named_or_chosen_by_time() {
    let place = Place::with_dump();
    let names = [place.dump(), place.dump(), place.dump()];
    place.word("push").arg(&names[1]).assert().success();
    let pushed = || -> Vec<String> {
        let all = place.snapshots().into_iter();
        all.map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(pushed(), [names[1].clone()]);
    place
        .word("push")
        .args(["--since", &names[1]])
        .assert()
        .success();
    assert_eq!(pushed(), names[1..]);
    place
        .word("push")
        .args(["-n", "--all"])
        .assert()
        .success()
        .stdout(contains("would push"));
    assert_eq!(pushed().len(), 2);
    place.word("push").arg("--all").assert().success();
    assert_eq!(pushed().len(), 4);
    place.word("push").arg("1999/0101/0000").assert().code(1);
    place
        .word("push")
        .args(["--since", "1d", "--all"])
        .assert()
        .code(2);
}

#[test]
fn only_what_changed_is_read_and_an_unchanged_tree_costs_nothing() {
    let place = Place::new();
    for file in 0..2000 {
        place.write(
            &format!("tree/{}/{file}", file % 50),
            &format!("contents of {file}\n"),
        );
    }
    place.dump();
    place.word("init").assert().success();
    assert_eq!(place.pushed(&[])["files_read"], 2000);
    // Each dump links to the inodes, and moves their ctimes and link counts.
    let file = place.path("dump/current/tree/7/7");
    let ctime = fs::metadata(&file).expect("there").ctime_nsec();
    place.dump();
    assert_ne!(fs::metadata(&file).expect("there").ctime_nsec(), ctime);
    let before = size_of(&place.path("repo"));
    let pushed = place.pushed(&[]);
    assert_eq!(
        (&pushed["files_read"], &pushed["read_bytes"]),
        (&0.into(), &0.into())
    );
    let grown = size_of(&place.path("repo")) - before;
    assert!(grown < 20_000, "{grown} bytes were added");
    place.write("tree/3/3", "another\n");
    place.dump();
    assert_eq!(place.pushed(&[])["files_read"], 1);
}

/// Neither size nor mtime tell, but the dump has noticed.
#[test]
fn a_change_that_restores_size_and_mtime_is_pushed() {
    let place = Place::with_dump();
    place.word("push").assert().success();
    let path = place.path("tree/a");
    let meta = fs::metadata(&path).expect("there");
    fs::write(&path, "FIRST\n").expect("written");
    let mtime = Timespec {
        tv_sec: meta.mtime(),
        tv_nsec: meta.mtime_nsec(),
    };
    let atime = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let times = Timestamps {
        last_access: atime,
        last_modification: mtime,
    };
    utimensat(CWD, &path, &times, rustix::fs::AtFlags::empty()).expect("set");
    place.dump();
    let dumped = fs::read(place.path("dump/current/tree/a")).expect("read");
    assert_eq!(dumped, b"FIRST\n", "the dump has it");
    assert_eq!(place.pushed(&[])["files_read"], 1);
    place
        .word("restore")
        .arg(&path)
        .args(["--to", "back"])
        .assert()
        .success();
    assert_eq!(fs::read(place.path("back/a")).expect("read"), b"FIRST\n");
}

#[test]
fn a_set_pushes_its_own_trees() {
    let place = Place::with_dump();
    let dir = place.dir.path().display();
    fs::create_dir(place.path("other")).expect("made");
    place.config(&format!("[set.other]\nmain = \"{dir}/other\"\n"));
    place
        .word("push")
        .args(["--set", "other"])
        .assert()
        .code(1)
        .stderr(contains("no dump in"));
    let newest = place.dump();
    let named = place
        .word("push")
        .args(["--set", "other", &newest])
        .assert()
        .code(1);
    named.stderr(contains("none of the trees other"));
    place.word("push").assert().success();
}

#[test]
fn a_stopped_push_stores_no_snapshot_and_the_next_one_continues() {
    let place = Place::new();
    place.noise(24);
    place.dump();
    place.word("init").assert().success();
    let mut push = place.plain();
    push.args(["push", "-v", "--log", "stderr", "--bwlimit", "2m"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = push.spawn().expect("runs");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = said.lines().map(|line| line.expect("read"));
    assert!(said.any(|line| line.contains("starting to push")));
    place.wait_for_data(6 << 20);
    let id = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .expect("an id");
    kill_process(id, Signal::TERM).expect("sent");
    let began = Instant::now();
    assert_eq!(child.wait().expect("ended").code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(place.snapshots().len(), 0);
    let pushed = place.pushed(&[]);
    assert_eq!(pushed["status"], "complete");
    let sent = pushed["sent_bytes"].as_u64().expect("a number");
    assert!(sent < 20 << 20, "{sent} bytes were sent again");
    assert_eq!(place.snapshots().len(), 1);
    place.word("check").arg("--read-data").assert().success();
}

#[test]
fn hooks_run_around_a_push() {
    let place = Place::with_dump();
    let dir = place.dir.path().display();
    let hooks = |pre: &str, post: &str| {
        place.config(&format!("[hooks]\npre = \"{pre}\"\npost = \"{post}\"\n"));
    };
    let told = format!("echo $DUMP_PROGRAM $DUMP_HOOK $DUMP_STATUS $DUMP_EXIT >{dir}/told");
    hooks(&format!("echo before >{dir}/before"), &told);
    place.word("push").assert().success();
    let read = |name| fs::read_to_string(place.path(name)).expect("read");
    assert_eq!(read("before"), "before\n");
    assert_eq!(read("told"), "dumpoffsite post complete 0\n");
    hooks("exit 75", &told);
    place
        .word("push")
        .assert()
        .code(75)
        .stderr(contains("not now"));
    hooks("false", &told);
    place.word("push").assert().code(1);
    hooks("true", "false");
    place.word("push").assert().code(23);
}

#[test]
fn a_dump_that_is_half_removed_is_not_pushed() {
    let place = Place::with_dump();
    fs::remove_file(place.path("dump/current/tree/a")).expect("removed");
    place.word("push").assert().code(1);
    assert_eq!(place.snapshots().len(), 0);
    let (value, code) = place.json(&["push", "--all"]);
    assert_eq!((&value["status"], code), (&"failed".into(), 1), "{value}");
    assert_eq!(value["dumps"][0]["status"], "failed", "{value}");
    // The others are pushed, and this one is named.
    let good = place.dump();
    let (value, code) = place.json(&["push", "--all"]);
    assert_eq!((&value["status"], code), (&"partial".into(), 23), "{value}");
    assert_eq!(value["dumps"][0]["status"], "failed", "{value}");
    assert_eq!(place.snapshots()[0]["name"], good.as_str());
}

#[test]
fn a_push_that_is_stopped_tells_what_it_has_stored() {
    let place = Place::with_dump();
    place.noise(24);
    let second = place.dump();
    let third = place.dump();
    let mut push = place.plain();
    push.args([
        "push",
        "--all",
        "-v",
        "--json",
        "--log",
        "stderr",
        "--bwlimit",
        "512",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped());
    let mut child = push.spawn().expect("runs");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = said.lines().map(|line| line.expect("read"));
    let starts = format!("of {second}");
    assert!(said.any(|line| line.contains("starting") && line.contains(&starts)));
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("an id"), Signal::TERM).expect("sent");
    let rest: Vec<String> = said.collect();
    let ended = child.wait_with_output().expect("ended");
    assert_eq!(ended.status.code(), Some(143), "{rest:?}");
    let value: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let error = value["error"].as_str().expect("an error");
    assert!(error.contains("1 snapshot was stored before"), "{error}");
    let dumps = value["dumps"].as_array().expect("a list");
    let of = |key: &str| dumps.iter().map(|one| one[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["complete", "not_pushed", "not_pushed"]);
    assert_eq!(of("name")[1..], [second, third]);
    assert_eq!(place.snapshots().len(), 1);
}

/// A repository cannot store them, so another push would not help.
#[test]
fn an_attribute_that_cannot_be_stored_is_named_once() {
    let place = Place::with_dump();
    let name = OsStr::from_bytes(b"user.\xff");
    xattr::set(place.path("tree/a"), name, b"x").expect("set");
    place.dump();
    let (value, code) = place.json(&["push"]);
    assert_eq!(code, 23, "{value}");
    let faults = value["dumps"][0]["faults"].as_array().map(Vec::len);
    assert_eq!(faults, Some(1), "{value}");
    assert_eq!(place.pushed(&[])["status"], "present");
    assert_eq!(place.snapshots()[0]["partial"], false);
}

#[test]
fn what_a_dump_lacks_is_said_of_its_snapshot() {
    let place = Place::with_dump();
    let name = place.dump();
    let dump = place.path("dump").join(&name);
    xattr::set(&dump, "user.dump.partial", b"1").expect("set");
    place.word("push").assert().success();
    assert_eq!(place.snapshots()[0]["partial"], true);
}
