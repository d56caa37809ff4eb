//! The program as a person meets it: usage, whole runs, signals, faults.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use assert_fs::prelude::*;
use common::Place;
use dumpcore::{DumpRoot, Snapshot};
use fixtures::mounts::{Fs, Mount};
use fixtures::run_lock;
use fixtures::strace::{Inject, inject, output_with, trace};
use fixtures::usage::{assert_helps, assert_refused};
use fixtures::{Fingerprint, diff_trees};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use rustix::process::Signal;
use serde_json::Value;

const PLACES: [&str; 6] = ["--main", "tree", "--dump", "dump", "--log", "stderr"];

fn run(place: &Place, args: &[&str]) -> Command {
    let mut command = place.chkptme();
    command.args(PLACES).args(args);
    command
}

fn leftovers(place: &Place) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("listed").path()).collect()
    };
    let days = list(&place.dir.path().join("dump"));
    let days = days.into_iter().flat_map(|year| list(&year));
    let mut all: Vec<_> = days.flat_map(|day| list(&day)).collect();
    all.retain(|path| path.display().to_string().ends_with("_incomplete"));
    all
}

#[test]
fn wrong_usage_exits_2_with_one_sentence() {
    let place = Place::new();
    let calls: &[(&[&str], &str)] = &[
        (&["--exclude=x"], "'--exclude'"),
        (&["--init"], "'--init'"),
        (&["dump"], "'dump'"),
        (&["--jobs", "0"], "'0' for '--jobs"),
        (&["-q", "-v"], "cannot be used with"),
        (&["--set", "photos"], "[set.photos]"),
        (&["--config", "/no/such/file"], "/no/such/file"),
    ];
    assert_refused("chkptme", || place.plain_chkptme(), calls);
}

#[test]
fn help_names_options_examples_and_exit_codes() {
    let place = Place::new();
    let words = [
        "--main",
        "--dump",
        "--config",
        "--set",
        "--dry-run",
        "--verify",
        "--linked",
        "--no-space-check",
        "--heal",
        "--from",
        "--jobs",
        "--bwlimit",
        "--idle",
        "--progress",
        "--no-progress",
        "--log",
        "--json",
        "--print-config",
        "MAINROOT",
        "DUMPROOT",
        "Examples:",
        "Exit codes:",
    ];
    assert_helps(|| place.plain_chkptme(), &words);
}

#[test]
fn what_is_in_force_can_be_seen() {
    let place = Place::new();
    place.config("main = \"/home\"\ndump = \"/backup\"\njobs = 3\nidle = true\n");
    place
        .chkptme()
        .args([
            "--print-config",
            "--dump",
            "/elsewhere",
            "--bwlimit",
            "1.5m",
        ])
        .env("MAINROOT", "/somewhere")
        .assert()
        .code(0)
        .stdout(contains("dump = \"/elsewhere\"").and(contains("# flag")))
        .stdout(contains("main = \"/somewhere\"").and(contains("environment: MAINROOT")))
        .stdout(contains("jobs = 3").and(contains("idle = true")))
        .stdout(contains("linked_checkpoints = false"))
        .stdout(contains("bwlimit = \"1536K\""));
}

#[test]
fn a_checkpoint_is_made_and_told() {
    let place = Place::begun();
    let before = place.current();
    run(&place, &["--verify", "-v"])
        .assert()
        .code(0)
        .stderr(contains("chkptme: starting checkpoint of dump to dump/"))
        .stderr(contains("chkptme: reading the copy back from the disk"))
        .stderr(contains("chkptme: finished checkpoint of dump to dump/"))
        .stdout(contains("\nread back from the disk and compared: "))
        .stdout(contains("_chk, a copy of dump/").and(contains(" copied and read back in ")))
        .stdout(contains("a checkpoint: shares nothing"));
    let checkpoint = place.current();
    assert!(checkpoint.display().to_string().ends_with("_chk"));
    let options = fixtures::Options {
        root: false,
        ..fixtures::Options::default()
    };
    assert_eq!(
        diff_trees(&before, &checkpoint, &options),
        Vec::<String>::new()
    );
    run(&place, &["-q"]).assert().code(0).stdout("").stderr("");
    // Of the next dump all is linked to it.
    let dump = place.snapshot();
    assert!(dump > checkpoint);
}

#[test]
fn json_has_every_figure() {
    let place = Place::begun();
    let ran = run(&place, &["--json"]).assert().code(0);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    for (key, value) in [
        ("program", "chkptme".into()),
        ("status", "complete".into()),
        ("exit", Value::from(0)),
        ("reference", Value::Null),
        ("dry_run", false.into()),
        ("damaged", Value::Array(Vec::new())),
        ("faults_total", 0.into()),
    ] {
        assert_eq!(object[key], value, "{key} of {object}");
    }
    assert_eq!(object["copied"]["new"]["number"], 2, "{object}");
    let dump = Path::new(object["dump"].as_str().expect("a path"));
    assert!(dump.is_absolute() && dump.join("tree/sub/file").exists());
    let source = Path::new(object["source"].as_str().expect("a path"));
    assert!(source.is_absolute() && source != dump, "{object}");
    assert!(source.join("tree/sub/file").exists(), "{object}");
}

#[test]
fn a_linked_checkpoint_leaves_current_and_names_what_is_damaged() {
    let place = Place::begun();
    let dump = place.current();
    let link =
        |name: &str| fs::read_link(place.dir.path().join("dump").join(name)).expect("a link");
    run(&place, &["--linked", "-v"])
        .assert()
        .code(0)
        .stdout(contains("a checkpoint: shares nothing"));
    assert_eq!(place.current(), dump);
    let first = place.dir.path().join("dump").join(link("current_chk"));
    assert!(first.display().to_string().ends_with("_chk"));
    // The configuration says so for all, and an option otherwise.
    place.config("linked_checkpoints = true\n");
    fixtures::rot(&first.join("tree/sub/file"), 2);
    let dry = run(&place, &["-n"]).assert().code(0);
    dry.stdout(contains("nothing new, 2 unchanged").and(contains("nothing to copy")));
    let ran = run(&place, &["--json", "-q"]).assert().code(23);
    let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
    assert!(
        said.contains("cannot verify ") && said.contains("_chk/tree/sub/file: it no longer has"),
        "{said}"
    );
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["linked"]["number"], 1, "{object}");
    assert_eq!(object["copied"]["damaged"]["number"], 1, "{object}");
    assert_eq!(object["faults_total"], 1, "{object}");
    assert_eq!(object["reference_faults"], 1, "{object}");
    assert_eq!(
        (&object["partial"], &object["missing"]),
        (&false.into(), &0.into()),
        "{object}"
    );
    assert_eq!(object["copied"]["changed"]["number"], 0, "{object}");
    assert_eq!(object["compared"]["number"], 2, "{object}");
    assert_eq!(
        Path::new(object["reference"].as_str().expect("a path")),
        first
    );
    assert_eq!(place.current(), dump);
    run(&place, &["--print-config", "--no-linked"])
        .assert()
        .code(0)
        .stdout(contains("linked_checkpoints = false").and(contains("# flag")));
    run(&place, &["--no-linked", "-q"]).assert().code(0);
    assert_eq!(
        place.dir.path().join("dump").join(link("current")),
        place.current()
    );
    assert_ne!(place.current(), dump);
    assert_eq!(link("current"), link("current_chk"));
}

#[test]
fn damage_in_the_chain_without_a_hash_is_a_fault() {
    let place = Place::begun();
    let root = place.dir.path().join("dump");
    fs::remove_dir_all(root.join(".dump")).expect("removed");
    run(&place, &["--linked"]).assert().code(0);
    let chain = || root.join(fs::read_link(root.join("current_chk")).expect("a link"));
    fixtures::rot(&chain().join("tree/sub/file"), 2);
    let ran = run(&place, &["--linked", "-q"]).assert();
    ran.code(23).stdout("").stderr(contains(
        "_chk/tree/sub/file: it differs from the dump, although",
    ));
    run(&place, &["--linked", "-q"]).assert().code(0).stderr("");
    fixtures::rot(&chain().join("tree/sub/file"), 2);
    run(&place, &["--linked"])
        .assert()
        .code(23)
        .stdout(contains(
            "1 entry of the checkpoint before is not as it was stored: see the error on stderr; \
             the new one has what the dump has\n",
        ));
}

/// Runs while one file gives read errors, on calls of every sort.
fn run_with_bad_sectors(place: &Place, bad: &Path, words: &[&str]) -> std::process::Output {
    let mut command = place.plain_chkptme();
    command.args(PLACES).args(words);
    let bad = fs::canonicalize(bad).expect("there");
    let errors = Inject::error(
        "read,pread64,preadv,preadv2,copy_file_range,sendfile",
        "EIO",
    );
    output_with(&command, &[errors.on(bad)])
}

#[test]
#[ignore = "needs strace"]
fn what_cannot_be_read_in_the_chain_is_a_fault() {
    for catalog in [true, false] {
        let place = Place::begun();
        let root = place.dir.path().join("dump");
        if !catalog {
            fs::remove_dir_all(root.join(".dump")).expect("removed");
        }
        run(&place, &["--linked"]).assert().code(0);
        let first = root.join(fs::read_link(root.join("current_chk")).expect("a link"));
        let bad = first.join("tree/sub/file");
        let output = run_with_bad_sectors(&place, &bad, &["--linked", "-q", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(23), "{catalog}: {said}");
        assert!(
            said.contains("_chk/tree/sub/file: Input/output error"),
            "{catalog}: {said}"
        );
        let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(object["faults_total"], 1, "{catalog}: {object}");
        assert_eq!(object["missing"], 0, "{catalog}: {object}");
        let copied = |why: &str| object["copied"][why]["number"].clone();
        assert_eq!((copied("damaged"), copied("changed")), (1.into(), 0.into()));
        let second = root.join(fs::read_link(root.join("current_chk")).expect("a link"));
        assert_ne!(first, second);
        let text = fs::read_to_string(second.join("tree/sub/file"));
        assert_eq!(text.expect("read"), "some text\n", "{catalog}");
        if catalog {
            assert_eq!(known_damage(&root), 1, "only a recorded hash proves it");
        }
    }
}

#[test]
fn a_dry_run_lists_only_when_asked_to() {
    let place = Place::begun();
    let before = place.current();
    run(&place, &["-n"])
        .assert()
        .code(0)
        .stdout(starts_with("dry run: would create dump/").and(contains(" to copy (")))
        .stdout(contains("tree/sub/file").not());
    run(&place, &["-n", "-v"])
        .assert()
        .code(0)
        .stdout(contains("copy     new      tree/sub/file\n"));
    assert_eq!(place.current(), before);
}

#[test]
fn without_a_dump_it_fails_and_says_what_to_do() {
    let place = Place::new();
    place.dir.child("dump").create_dir_all().expect("made");
    run(&place, &[])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("checkpoint of dump failed").and(contains("'current'")))
        .stderr(contains("make the first dump with 'dumpme --init'"))
        .stderr(contains("finished").not());
}

#[test]
fn another_run_holds_the_dump_root() {
    let place = Place::begun();
    let _held = run_lock::hold(&place.dir.path().join("dump"));
    run(&place, &["--json"])
        .assert()
        .code(75)
        .stdout(contains("\"status\":\"busy\""))
        .stderr(contains("another run holds"));
}

#[test]
#[ignore = "needs strace"]
fn a_filesystem_without_locks_is_told_as_that() {
    let place = Place::begun();
    let mut command = place.plain_chkptme();
    command.args(PLACES);
    for (errno, advice) in [("ENOLCK", true), ("EOPNOTSUPP", true), ("EIO", false)] {
        let mut refused = inject(&command, &[Inject::error("flock", errno)]);
        let output = refused.output().expect("ran");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot lock dump root dump"), "{said}");
        assert_eq!(said.contains("'nolock'"), advice, "{said}");
    }
}

#[test]
#[ignore = "needs strace"]
fn a_signal_that_comes_too_late_to_stop_it_is_told_so() {
    let place = Place::begun();
    let before = place.current();
    let mut command = place.plain_chkptme();
    command.args(PLACES);
    // The first flush of a directory comes when the name is about to change;
    // what follows is slow enough for the signal to be answered.
    let signal = Inject::signal("fsync", Signal::TERM).when(1);
    let slow = Inject::delay("renameat2", 3_000_000).when(1);
    let output = output_with(&command, &[signal, slow]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("too late to stop"), "{said}");
    assert!(!said.contains("stopping"), "{said}");
    assert_ne!(place.current(), before);
    // One before that stops it.
    let before = place.current();
    let signal = Inject::signal("utimensat", Signal::TERM).when(1);
    let slow = Inject::delay("syncfs", 3_000_000).when(1);
    let output = output_with(&command, &[signal, slow]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(!said.contains("too late"), "{said}");
    assert_eq!(place.current(), before);
}

/// An attribute that the disk would not take is a fault of the checkpoint, and
/// no reason to doubt the disk.
#[test]
#[ignore = "needs strace"]
fn what_was_lost_is_not_held_against_the_copy_when_it_is_read_back() {
    let place = Place::begun();
    let file = place.dir.path().join("tree/lost");
    fs::write(&file, "text").expect("written");
    xattr::set(&file, "user.color", b"red").expect("set");
    place.snapshot();
    let mut command = place.plain_chkptme();
    command.args(PLACES).args(["-q", "-j", "1", "--verify"]);
    let calls = trace(&command, "fsetxattr");
    // A call that another thread interrupted has two lines.
    let mut calls = calls.iter().filter(|call| call.contains("fsetxattr("));
    let nth = calls.position(|call| call.contains("user.color"));
    let nth = nth.expect("it is set") + 1;
    let before = place.current();
    let refused = Inject::error("fsetxattr", "EPERM").when(nth);
    let output = inject(&command, &[refused]).output().expect("ran");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(23), "{said}");
    assert!(
        said.contains("lost: user.color: Operation not permitted"),
        "{said}"
    );
    assert_ne!(place.current(), before);
}

/// The program slowed down, so that it can be interrupted.
fn slow(place: &Place) -> std::process::Command {
    let mut command = place.plain_chkptme();
    command.args(PLACES).args(["-j", "1"]);
    let mut slow = inject(&command, &[Inject::delay("fchmod", 50_000)]);
    slow.stdout(Stdio::null()).stderr(Stdio::null());
    slow
}

fn with_many_files() -> Place {
    let place = Place::begun();
    for i in 0..100 {
        let file = place.dir.child(format!("tree/sub/{i:02}"));
        file.write_str(&format!("{i}")).expect("written");
    }
    place.snapshot();
    place
}

/// The program itself, which strace watches.
fn child_of(tracer: u32) -> i32 {
    let children = format!("/proc/{tracer}/task/{tracer}/children");
    let text = fs::read_to_string(children).expect("children");
    text.split_whitespace()
        .next()
        .expect("one")
        .parse()
        .expect("an id")
}

fn wait_for_leftover(place: &Place) {
    for _ in 0..6000 {
        if leftovers(place)
            .iter()
            .any(|site| site.join("tree/sub").exists())
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the program made nothing");
}

#[test]
#[ignore = "needs strace"]
fn killed_or_stopped_in_the_middle_it_goes_on_next_time() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [
        (Signal::KILL, None),
        (Signal::TERM, Some(143)),
        (Signal::INT, Some(130)),
    ] {
        let place = with_many_files();
        let before = place.current();
        let history = Fingerprint::of(&place.dir.path().join("dump"));
        let mut child = slow(&place).spawn().expect("started");
        wait_for_leftover(&place);
        let id = Pid::from_raw(child_of(child.id())).expect("an id");
        kill_process(id, signal).expect("sent");
        let status = child.wait().expect("ended");
        match code {
            Some(code) => assert_eq!(status.code(), Some(code), "{status}"),
            None => assert_eq!(status.signal(), Some(9), "{status}"),
        }
        assert_eq!(place.current(), before);
        history.assert_unchanged(&place.dir.path().join("dump"));
        assert_eq!(leftovers(&place).len(), 1);
        run(&place, &["--verify", "--json"])
            .assert()
            .code(0)
            .stdout(contains("\"resumed\":true"))
            .stdout(contains("\"verified\":{"));
        assert!(leftovers(&place).is_empty());
        let options = fixtures::Options {
            root: false,
            ..fixtures::Options::default()
        };
        let lines = diff_trees(&before, &place.current(), &options);
        assert_eq!(lines, Vec::<String>::new());
        history.assert_unchanged(&place.dir.path().join("dump"));
    }
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_cannot_fit_is_said_in_bytes_and_for_people() {
    let mount = Mount::new(Fs::Ext4, 32);
    let place = Place::new();
    let (tree, dump) = (mount.path().join("tree"), mount.path().join("dump"));
    fs::create_dir(&tree).expect("made");
    fs::create_dir(&dump).expect("made");
    fs::write(tree.join("file"), vec![1; 11 << 20]).expect("written");
    Snapshot::new(&dump)
        .main(&tree)
        .init(true)
        .run()
        .expect("dumped");
    let mut command = place.chkptme();
    command.args(["--log", "stderr", "--dump"]).arg(&dump);
    command
        .assert()
        .code(1)
        .stderr(contains("does not have enough space: ").and(contains(" MiB missing")));
    command
        .arg("--no-space-check")
        .assert()
        .code(1)
        .stderr(contains("No space left on device").and(contains("make room and run again")));
    fs::remove_dir_all(&tree).expect("removed");
    command
        .assert()
        .code(0)
        .stderr(contains("warning: resuming "))
        .stdout(contains(": 1 entry in 1 directory; 11.0 MiB copied in "));
}

/// A dump with the hash of a file that has rotted since, and of which the tree does
/// not have the same any more.
fn rotten() -> (Place, PathBuf) {
    let place = Place::new();
    let tree = place.dir.child("tree");
    tree.child("sub/file")
        .write_str("a letter")
        .expect("written");
    fs::create_dir(place.dir.path().join("dump")).expect("made");
    fixtures::clock::tick();
    let snapshot = Snapshot::new(place.dir.path().join("dump")).main(tree.path());
    let report = snapshot.init(true).hash(true).run().expect("dumped");
    fixtures::clock::tick();
    tree.child("sub/file")
        .write_str("another")
        .expect("written");
    fixtures::rot(&report.dump.join("tree/sub/file"), 3);
    (place, report.dump)
}

#[test]
fn what_is_not_what_was_stored_is_named() {
    let (place, dump) = rotten();
    run(&place, &["--json"])
        .assert()
        .code(23)
        .stderr(contains("cannot verify dump/").and(contains("dumpctl scrub --heal")));
    let copy = place.current().join("tree/sub/file");
    assert_eq!(
        fs::read(copy).expect("read"),
        fs::read(dump.join("tree/sub/file")).expect("read")
    );
}

#[test]
fn the_second_disk_has_what_the_dump_has_lost() {
    let (place, dump) = rotten();
    // A replica from before.
    let mut letter = fs::read(dump.join("tree/sub/file")).expect("read");
    letter[3] = !letter[3];
    let slave = place.dir.child("slave");
    let replica = slave.child(
        dump.strip_prefix(place.dir.path().join("dump"))
            .expect("below"),
    );
    let file = replica.child("tree/sub/file");
    file.write_binary(&letter).expect("written");
    let touched = std::process::Command::new("touch")
        .arg("-r")
        .arg(dump.join("tree/sub/file"))
        .arg(file.path())
        .status();
    assert!(touched.expect("it runs").success());
    let table = "[slave]\nfrom = \"DUMP\"\ndump = \"SLAVE\"\n";
    let whole = |name: &str| place.dir.path().join(name).display().to_string();
    let config = table
        .replace("DUMP", &whole("dump"))
        .replace("SLAVE", &whole("slave"));
    place.config(&config);
    let root = whole("dump");
    let places = ["--main", "tree", "--dump", &root, "--log", "stderr"];
    place
        .chkptme()
        .args(places)
        .assert()
        .code(23)
        .stdout(contains("good versions of what is damaged:"))
        .stdout(contains("slave/").and(contains("/tree/sub/file\n")));
    place.config(&format!("heal = true\n{config}"));
    place
        .chkptme()
        .args(places)
        .args(["--no-heal", "--print-config"])
        .assert()
        .code(0)
        .stdout(contains("heal = false"));
    // The checkpoint that was made first has what is damaged.
    let ran = place.chkptme().args(places).arg("--json").assert().code(0);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["healed"]["number"], 1);
    let good = file.path().display().to_string();
    assert_eq!(object["healed_files"][0]["good"], good);
    let copy = place.current().join("tree/sub/file");
    assert_eq!(fs::read_to_string(copy).expect("read"), "a letter");
}

#[test]
#[ignore = "needs root, loop mounts and btrfs-progs"]
fn a_damaged_file_is_told_with_its_good_version() {
    let needle = b"a text that no other block of this filesystem holds";
    let mut mount = Mount::new(Fs::Btrfs, 256);
    let place = Place::new();
    let tree = place.dir.child("tree");
    let mut bytes = vec![b'x'; 100_000];
    bytes[9_000..9_000 + needle.len()].copy_from_slice(needle);
    tree.child("bad").write_binary(&bytes).expect("written");
    tree.child("good").write_str("good").expect("written");
    let dump = mount.path().join("dump");
    fs::create_dir(&dump).expect("made");
    Snapshot::new(&dump)
        .main(tree.path())
        .init(true)
        .run()
        .expect("dumped");
    assert_eq!(mount.damage(needle), 1);
    let mut command = place.chkptme();
    command
        .args(["--log", "stderr", "--main", "tree", "--dump"])
        .arg(&dump);
    let ran = command
        .assert()
        .code(23)
        .stderr(contains("bad: Input/output error"))
        .stderr(contains("but for 1 fault"))
        .stdout(contains("good versions of what is damaged:"))
        .stdout(contains("tree/bad: tree/bad\n"));
    drop(ran);
    let copy = dump.join("current/tree");
    assert_eq!(fs::read_to_string(copy.join("good")).expect("read"), "good");
    assert!(!copy.join("bad").exists());
}

#[test]
#[ignore = "needs root, loop mounts and btrfs-progs"]
fn what_cannot_be_read_is_taken_from_the_tree() {
    let needle = b"a text that no other block of this filesystem holds";
    let mut mount = Mount::new(Fs::Btrfs, 256);
    let place = Place::new();
    let mut bytes = vec![b'x'; 100_000];
    bytes[9_000..9_000 + needle.len()].copy_from_slice(needle);
    let tree = place.dir.child("tree");
    tree.child("bad").write_binary(&bytes).expect("written");
    let dump = mount.path().join("dump");
    fs::create_dir(&dump).expect("made");
    fixtures::clock::tick();
    let snapshot = Snapshot::new(&dump).main(tree.path()).init(true);
    snapshot.hash(true).run().expect("dumped");
    assert_eq!(mount.damage(needle), 1);
    let heal = |extra: &[&str]| {
        let mut command = place.chkptme();
        command.args(["--log", "stderr", "--main", "tree", "--dump"]);
        command.arg(&dump).args(["--heal", "--verify"]).args(extra);
        command.assert()
    };
    heal(&[])
        .code(0)
        .stderr(contains(
            "is damaged; its copy has the contents of tree/bad",
        ))
        .stdout(contains("1 healed"));
    let copy = dump.join("current/tree/bad");
    assert_eq!(fs::read(copy).expect("read"), bytes);
    // The dump is as damaged as it was, and that is known.
    assert_eq!(known_damage(&dump), 1);
}

/// How many damaged files the catalog knows of.
fn known_damage(root: &Path) -> u64 {
    let root = DumpRoot::open(root).expect("opened");
    let catalog = root.catalog().expect("read");
    let status = root.status(Some(&catalog), SystemTime::now());
    status.expect("read").scrub.map_or(0, |scrub| scrub.damaged)
}

#[test]
#[ignore = "needs strace"]
fn what_cannot_be_read_is_recorded_as_damaged_healed_or_not() {
    for heals in [true, false] {
        let place = Place::new();
        let root = place.dir.path().join("dump");
        let tree = place.dir.child("tree");
        let file = tree.child("sub/file");
        file.write_str("a letter").expect("written");
        fs::create_dir(&root).expect("made");
        fixtures::clock::tick();
        let snapshot = Snapshot::new(&root).main(tree.path()).init(true);
        let dump = snapshot.hash(true).run().expect("dumped").dump;
        fixtures::clock::tick();
        assert_eq!(known_damage(&root), 0);
        let (words, code): (&[&str], i32) = match heals {
            true => (&["--heal"], 0),
            false => {
                // Nor is there a good copy.
                file.write_str("another").expect("written");
                (&[], 23)
            }
        };
        let output = run_with_bad_sectors(&place, &dump.join("tree/sub/file"), words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{heals}: {said}");
        let copy = fs::read_to_string(place.current().join("tree/sub/file"));
        assert_eq!(copy.is_ok_and(|text| text == "a letter"), heals, "{said}");
        assert_eq!(known_damage(&root), 1, "{heals}: {said}");
    }
}
