//! The program as a person meets it: usage, whole runs, waiting, signals.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use assert_cmd::Command;
use assert_fs::prelude::*;
use chrono::Local;
use common::Place;
use fixtures::strace::{Inject, inject};
use fixtures::usage::{assert_helps, assert_refused};
use predicates::prelude::*;
use predicates::str::{contains, starts_with};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PLACES: [&str; 6] = ["--from", "dump", "--dump", "slave", "--log", "stderr"];

fn run(place: &Place, args: &[&str]) -> Command {
    let mut command = place.dumpslave();
    command.args(PLACES).args(args);
    command
}

fn today() -> String {
    Local::now().format("%Y/%m%d/0000").to_string()
}

#[test]
fn wrong_usage_exits_2_with_one_sentence() {
    let place = Place::new();
    let calls: &[(&[&str], &str)] = &[
        (&["--main=x"], "'--main'"),
        (&["dump"], "'dump'"),
        (&["--exclude", "- "], "bad rule"),
        (&["--exclude-from", "/no/such/rules"], "/no/such/rules"),
        (&["-q", "-v"], "cannot be used with"),
        (&["--set", "photos"], "[set.photos]"),
    ];
    assert_refused("dumpslave", || place.plain_dumpslave(), calls);
}

#[test]
fn help_names_options_examples_and_exit_codes() {
    let place = Place::new();
    let words = [
        "--from",
        "--dump",
        "--config",
        "--set",
        "--init",
        "--latest",
        "--wait",
        "--exclude",
        "--exclude-from",
        "--dry-run",
        "--jobs",
        "--bwlimit",
        "--idle",
        "--progress",
        "--json",
        "--print-config",
        "not set by DUMPROOT",
        "Examples:",
        "Exit codes:",
    ];
    assert_helps(|| place.plain_dumpslave(), &words);
}

#[test]
fn dumproot_is_what_is_read_and_never_what_is_written() {
    let place = Place::new();
    place
        .dumpslave()
        .arg("--print-config")
        .env("DUMPROOT", "/backup")
        .assert()
        .code(0)
        .stdout(contains("from = \"/backup\"").and(contains("environment: DUMPROOT")))
        .stdout(contains("dump = \"/dumpslave\"").and(contains("default")));
    place.config(
        "dump = \"/of-dumpme\"\nbwlimit = 500\nidle = true\n[slave]\ndump = \"/other\"\nwait = true\n\
         [set.far]\nslave.from = \"/far\"\nslave.dump = \"/beyond\"\nslave.exclude = [\"*.o\"]\n",
    );
    place
        .dumpslave()
        .arg("--print-config")
        .assert()
        .code(0)
        .stdout(contains("from = \"/of-dumpme\"").and(contains("dump = \"/other\"")))
        .stdout(contains("wait = true"));
    let ran = place
        .dumpslave()
        .args(["--print-config", "--set", "far", "--no-wait", "--no-idle"])
        .env("DUMPROOT", "/backup")
        .assert()
        .code(0)
        .stdout(contains("from = \"/far\"").and(contains("*.o")))
        .stdout(contains("wait = false"))
        .stdout(contains("bwlimit = \"500K\"").and(contains("idle = false")));
    // What is printed would bring the same about.
    let printed = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    place.config(&printed);
    place
        .dumpslave()
        .arg("--print-config")
        .assert()
        .code(0)
        .stdout(contains("from = \"/far\"").and(contains("dump = \"/beyond\"")));
}

#[test]
fn the_last_dump_before_today_is_brought_over_once() {
    let place = Place::with(&["2025/1230/1200", "2025/1231/2355", &today()]);
    for name in ["2025/1231/2359_incomplete", "2025/1231/notes"] {
        place
            .dir
            .child(format!("dump/{name}/tree"))
            .create_dir_all()
            .expect("made");
    }
    run(&place, &["--init"])
        .assert()
        .code(0)
        .stderr(contains("starting replica of dump to slave/2025/1231/2355"))
        .stderr(contains("finished replica of dump to slave/2025/1231/2355"))
        .stdout(starts_with(
            "slave/2025/1231/2355, a copy of dump/2025/1231/2355: 2 entries in 2 directories; 21 B copied in ",
        ));
    assert_eq!(place.read("slave/current/tree/sub/file"), "2025/1231/2355");
    run(&place, &[])
        .assert()
        .code(0)
        .stderr(contains("slave/2025/1231/2355 exists already"))
        .stderr(contains("finished").not())
        .stdout("slave/2025/1231/2355 is there already: nothing to do\n");
    run(&place, &["-q"]).assert().code(0).stdout("").stderr("");
    let ran = run(&place, &["--json"]).assert().code(0);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["status"], "present", "{object}");
    assert_eq!(object["exit"], 0);
    assert_eq!(object["dump"], place.whole("slave/2025/1231/2355"));
    let ran = run(&place, &["--latest", "--json"]).assert().code(0);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["reference"], place.whole("slave/2025/1231/2355"));
    assert_eq!(object["source"], place.whole(&format!("dump/{}", today())));
    assert_eq!(place.read("slave/current/tree/sub/file"), today());
}

#[test]
fn a_post_hook_hears_that_it_is_there_already() {
    let place = Place::with(&["2025/1231/2355"]);
    run(&place, &["--init"]).assert().code(0);
    place.config("hooks.post = 'echo \"$DUMP_STATUS $DUMP_EXIT $DUMP_PATH\" > told'\n");
    run(&place, &[]).assert().code(0);
    let there = place.whole("slave/2025/1231/2355");
    assert_eq!(place.read("told"), format!("present 0 {there}\n"));
}

#[test]
fn what_is_refused_is_one_sentence_and_exit_1() {
    let place = Place::with(&[&today()]);
    run(&place, &["--init"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("no dump from before today").and(contains("--latest")))
        .stderr(contains("finished").not());
    run(&place, &["--latest"])
        .assert()
        .code(1)
        .stderr(contains("slave has no link 'current'").and(contains("--init")));
    run(&place, &["--latest", "--init"]).assert().code(0);
    run(&place, &["--latest", "--init"])
        .assert()
        .code(1)
        .stderr(contains("already has dumps").and(contains("run without --init")));
    // Of the root that is read, another program makes the first dump.
    fs::remove_file(place.dir.path().join("dump/current")).expect("removed");
    for args in [&[][..], &["--init"]] {
        run(&place, args)
            .assert()
            .code(1)
            .stderr(contains("dump has no link 'current'"))
            .stderr(contains("ln -sfn"));
    }
}

/// What is run by a timer on the first day fails only where it has nothing.
#[test]
fn the_first_day_is_no_failure_for_a_replica_that_has_begun() {
    let place = Place::with(&[&today()]);
    run(&place, &[])
        .assert()
        .code(1)
        .stderr(contains("no dump from before today"))
        .stderr(contains("--init --latest"));
    run(&place, &["--init", "--latest", "-q"]).assert().code(0);
    let newest = format!("slave/{}", today());
    run(&place, &[])
        .assert()
        .code(0)
        .stderr(contains(
            "nothing to do for the replica of dump: no day before",
        ))
        .stderr(contains("finished").not())
        .stdout(format!(
            "nothing to do: no day before today has a dump yet, and {newest} is there already\n"
        ));
    run(&place, &["-q"]).assert().code(0).stdout("").stderr("");
    let ran = run(&place, &["--json"]).assert().code(0);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["status"], "not_yet", "{object}");
    assert_eq!(object["exit"], 0);
    place.config("hooks.post = 'echo \"$DUMP_STATUS $DUMP_EXIT\" > told'\n");
    run(&place, &[]).assert().code(0);
    assert_eq!(place.read("told"), "not_yet 0\n");
}

#[test]
fn a_dump_root_is_no_second_disk_of_itself() {
    let place = Place::with(&["2025/1231/2355"]);
    for args in [&["--dump", "dump"][..], &["--dump", "./dump", "--latest"]] {
        place
            .dumpslave()
            .args(["--log", "stderr", "--from", "dump"])
            .args(args)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("are the same directory").and(contains("with --dump")))
            .stderr(contains("there already").not());
    }
}

#[test]
fn two_roots_on_one_filesystem_are_told_once() {
    let place = Place::with(&["2025/1230/1200", &today()]);
    let told = "warning: slave is on the same filesystem as dump";
    run(&place, &["--init"])
        .assert()
        .code(0)
        .stderr(contains(told));
    run(&place, &["--latest"])
        .assert()
        .code(0)
        .stderr(contains(told).not());
}

#[test]
fn excludes_come_from_options_configuration_and_the_slave() {
    let place = Place::with(&["2025/1231/2355"]);
    for name in ["a", "b", "c"] {
        place
            .dir
            .child(format!("dump/2025/1231/2355/tree/{name}"))
            .touch()
            .expect("made");
    }
    place.config("[slave]\nexclude = [\"/tree/b\"]\n");
    place
        .dir
        .child("slave/.rsync/exclude")
        .write_str("/tree/c\n")
        .expect("written");
    // That of the root that is read is for what is dumped there.
    place
        .dir
        .child("dump/.rsync/exclude")
        .write_str("/tree/sub\n")
        .expect("written");
    run(&place, &["--init", "--exclude", "*.o"])
        .assert()
        .code(0);
    let names = fs::read_dir(place.dir.path().join("slave/current/tree")).expect("listed");
    let mut names: Vec<_> = names.map(|e| e.expect("listed").file_name()).collect();
    names.sort();
    assert_eq!(names, ["a", "sub"]);
}

/// Waits for a dump root that is not there, its log in a file.
fn waiting(place: &Place) -> (Child, std::path::PathBuf) {
    let log = place.dir.path().join("log");
    let mut child = place
        .plain_dumpslave()
        .args(PLACES)
        .args(["--init", "--wait"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).expect("made"))
        .spawn()
        .expect("started");
    for _ in 0..6000 {
        if fs::read_to_string(&log).expect("read").contains("waiting") {
            return (child, log);
        }
        sleep(Duration::from_millis(10));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    panic!("it does not say that it waits");
}

#[test]
fn it_waits_for_a_disk_that_appears_late() {
    let place = Place::with(&["2025/1231/2355"]);
    let current = place.dir.path().join("dump/current");
    fs::remove_file(&current).expect("removed");
    let (mut child, log) = waiting(&place);
    symlink("2025/1231/2355", &current).expect("linked");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    let log = fs::read_to_string(log).expect("read");
    assert_eq!(log.matches("waiting for dump").count(), 1, "{log}");
    assert_eq!(place.read("slave/current/tree/sub/file"), "2025/1231/2355");
}

#[test]
fn it_tells_what_it_waits_for() {
    let place = Place::new();
    let (mut child, log) = waiting(&place);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let log = fs::read_to_string(log).expect("read");
    assert!(
        log.contains("waiting for dump: cannot open dump root dump: No such file"),
        "{log}"
    );
    // What is there and wrong is not waited for.
    place.dir.child("dump").create_dir_all().expect("made");
    symlink("/etc", place.dir.path().join("dump/current")).expect("linked");
    run(&place, &["--wait", "--init", "--latest"])
        .assert()
        .code(1)
        .stderr(contains("points to /etc").and(contains("waiting").not()));
}

#[test]
#[ignore = "needs strace"]
fn a_mount_that_comes_back_is_waited_for_and_a_closed_door_is_not() {
    for (errno, waits) in [("ENOTCONN", true), ("EHOSTDOWN", true), ("EACCES", false)] {
        let place = Place::with(&["2025/1231/2355"]);
        let mut command = place.plain_dumpslave();
        command.args(PLACES).args(["--init", "--wait"]);
        let once = Inject::error("openat", errno).when(1);
        let once = once.on(place.dir.path().join("dump"));
        let output = inject(&command, &[once]).output().expect("ran");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said.contains("waiting for dump: "),
            waits,
            "{errno}: {said}"
        );
        let code = if waits { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{errno}: {said}");
    }
}

#[test]
fn signals_end_the_waiting() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new();
        let (mut child, log) = waiting(&place);
        let id = Pid::from_child(&child);
        kill_process(id, signal).expect("sent");
        assert_eq!(child.wait().expect("ended").code(), Some(code));
        let log = fs::read_to_string(log).expect("read");
        assert!(log.contains("replica of dump: stopped"), "{log}");
        let slave = fs::read_dir(place.dir.path().join("slave")).expect("listed");
        assert_eq!(slave.count(), 0);
    }
}

fn leftover(place: &Place) -> std::path::PathBuf {
    place.dir.path().join("slave/2025/1231/2355_incomplete")
}

#[test]
#[ignore = "needs strace"]
fn killed_in_the_middle_it_goes_on_next_time() {
    let place = Place::with(&["2025/1230/1200", "2025/1231/2355"]);
    let sub = place.dir.child("dump/2025/1231/2355/tree/sub");
    for i in 0..100 {
        sub.child(format!("{i:02}"))
            .write_str("text")
            .expect("written");
    }
    let mut command = place.plain_dumpslave();
    command.args(PLACES).args(["--init", "-j", "1"]);
    let mut slow = inject(&command, &[Inject::delay("fchmod", 50_000)]);
    let mut tracer = slow
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut tries = 0;
    while !leftover(&place).join("tree/sub").exists() {
        sleep(Duration::from_millis(10));
        tries += 1;
        assert!(tries < 6000, "the program made nothing");
    }
    let children = format!("/proc/{0}/task/{0}/children", tracer.id());
    let text = fs::read_to_string(children).expect("children");
    let id = text.split_whitespace().next().expect("one");
    let id = Pid::from_raw(id.parse().expect("an id")).expect("an id");
    kill_process(id, Signal::KILL).expect("sent");
    tracer.wait().expect("ended");
    let current = place.dir.path().join("slave/current");
    assert!(current.symlink_metadata().is_err());
    assert!(leftover(&place).exists());
    run(&place, &["--init", "--json"])
        .assert()
        .code(0)
        .stdout(contains("\"resumed\":true"));
    assert!(!leftover(&place).exists());
    let trees = [
        place.dir.path().join("dump/2025/1231/2355/tree"),
        place.dir.path().join("slave/current/tree"),
    ];
    let options = fixtures::Options::default();
    fixtures::assert_same_tree(&trees[0], &trees[1], &options);
    assert_eq!(
        fs::read_link(current).expect("a link"),
        Path::new("2025/1231/2355")
    );
}

#[test]
fn what_is_damaged_is_named_and_the_tree_has_it() {
    let place = Place::new();
    let at = |name: &str| place.dir.path().join(name);
    for dir in ["dump", "tree"] {
        fs::create_dir(at(dir)).expect("made");
    }
    fs::write(at("tree/letter"), "a letter").expect("written");
    fixtures::clock::tick();
    let snapshot = dumpcore::Snapshot::new(at("dump")).main(at("tree"));
    let report = snapshot.init(true).hash(true).run().expect("dumped");
    let letter = report.dump.join("tree/letter");
    fixtures::rot(&letter, 3);
    place.config(&format!("main = \"{}\"\n", at("tree").display()));
    let run = |slave: &str, words: &[&str]| {
        fs::create_dir(at(slave)).expect("made");
        let mut command = place.dumpslave();
        command.args(["--from", "dump", "--dump", slave, "--init", "--latest"]);
        command.args(["--log", "stderr"]).args(words).assert()
    };
    run("damaged", &[])
        .code(23)
        .stderr(contains("cannot verify dump/").and(contains("dumpctl scrub --heal")))
        .stdout(contains("good versions of what is damaged:").and(contains("tree/letter\n")));
    let copy = |slave: &str| {
        let dump = report.dump.strip_prefix(at("dump")).expect("below");
        fs::read(at(slave).join(dump).join("tree/letter")).expect("read")
    };
    assert_eq!(copy("damaged"), fs::read(&letter).expect("read"));
    run("healed", &["--heal"])
        .code(0)
        .stderr(contains("is damaged; its copy has the contents of "))
        .stdout(contains("1 healed"));
    assert_eq!(copy("healed"), b"a letter");
}
