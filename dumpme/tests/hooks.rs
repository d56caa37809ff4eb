//! The commands around a run, as far as no dump is needed to see them.

mod common;

use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_fs::prelude::*;
use common::Place;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

#[test]
fn a_failing_pre_stops_the_run_and_post_hears_of_it() {
    let place = Place::new();
    place.config(
        "[hooks]\npre = [\"false\"]\n\
         post = \"env | grep ^DUMP_ | sort > told; exit 7\"\n",
    );
    let main = place.dir.child("main");
    main.create_dir_all().expect("made");
    place
        .dumpme()
        .args([
            "--log", "stderr", "--main", "main", "--dump", "dump", "--init",
        ])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("dump of main failed: the pre hook 'false' failed"))
        .stderr(contains("the post hook 'env | grep"))
        .stderr(contains("finished").not());
    place.dir.child("dump").assert(predicate::path::missing());
    let told = std::fs::read_to_string(place.dir.path().join("told")).expect("post ran");
    let root = place.dir.path().join("dump");
    for line in [
        "DUMP_PROGRAM=dumpme",
        "DUMP_HOOK=post",
        &format!("DUMP_ROOT={}", root.display()),
        "DUMP_STATUS=failed",
        "DUMP_EXIT=1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(!told.contains("DUMP_PATH="), "{told}");
}

#[test]
fn a_set_can_do_without_the_hooks_of_the_top_level() {
    let place = Place::new();
    place.config("hooks.pre = \"exit 3\"\n[set.plain]\nhooks.pre = []\n");
    place
        .dumpme()
        .args([
            "--log", "stderr", "--set", "plain", "--main", "none", "--dump", "none",
        ])
        .assert()
        .failure()
        .stderr(contains("the pre hook").not());
}

#[test]
fn json_stays_one_object_whatever_a_hook_prints() {
    let place = Place::new();
    place.config("hooks.pre = \"echo noise; exit 3\"\n");
    let run = place
        .dumpme()
        .args(["--json", "--log", "stderr", "--main", "a", "--dump", "b"])
        .assert()
        .code(1)
        .stderr(contains("noise"));
    let object: Value = serde_json::from_slice(&run.get_output().stdout).expect("one object");
    assert_eq!(object["program"], "dumpme");
    assert_eq!(object["status"], "failed");
    assert_eq!(object["exit"], 1);
    let error = object["error"].as_str().expect("a sentence");
    assert!(error.contains("echo noise"), "{error}");
}

/// A hook that sends its program signals stands for a person who does.
fn signalled(line: &str) -> Place {
    let place = Place::new();
    place.config(&format!("hooks.pre = \"{line}\"\n"));
    place
}

#[test]
fn a_signal_stops_the_run_with_its_own_code() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let place = signalled(&format!("kill -{signal} $PPID; exec sleep 60"));
        let begun = Instant::now();
        let run = place.plain_dumpme();
        // The test itself may have been started with SIGHUP ignored.
        let mut outer = Command::new("env");
        outer.arg("--default-signal=HUP").arg(run.get_program());
        outer.args(["--log", "stderr", "--main", "a", "--dump", "b"]);
        for (name, value) in run.get_envs() {
            outer.env(name, value.expect("only set"));
        }
        outer
            .current_dir(place.dir.path())
            .assert()
            .code(code)
            .stderr(contains("stopping"))
            .stderr(contains("warning: dump of a: stopped"));
        assert!(begun.elapsed() < Duration::from_secs(30), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // The hook will not be stopped, and nobody waits for it.
    // Two that come too soon one after the other are one.
    let place = signalled(
        "exec > said 2>&1; trap '' TERM; while kill -TERM $PPID; do sleep 0.3; done; sleep 60",
    );
    let begun = Instant::now();
    place
        .dumpme()
        .args(["--log", "stderr", "--main", "a", "--dump", "b"])
        .assert()
        .code(143)
        .stderr(contains("Stopped").not());
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_hangup_that_was_ignored_stays_so() {
    let place = signalled("kill -HUP $PPID; sleep 0.3; exit 3");
    let run = place.plain_dumpme();
    let mut outer = Command::new("sh");
    outer
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(run.get_program());
    outer.args(["--log", "stderr", "--main", "a", "--dump", "b"]);
    for (name, value) in run.get_envs() {
        outer.env(name, value.expect("only set"));
    }
    outer
        .assert()
        .code(1)
        .stderr(contains("the pre hook").and(contains("exit status: 3")));
}

#[test]
fn a_run_that_finds_another_at_work_leaves_its_hooks_alone() {
    let place = Place::new();
    place.config("[hooks]\npre = \"echo pre >> told\"\npost = \"echo post >> told\"\n");
    place.dir.child("dump").create_dir_all().expect("made");
    place
        .dir
        .child("tree/file")
        .write_str("text")
        .expect("written");
    let mut run = place.dumpme();
    run.args([
        "--init", "--main", "tree", "--dump", "dump", "--log", "stderr",
    ]);
    let held = fixtures::run_lock::hold(&place.dir.path().join("dump"));
    run.assert()
        .code(75)
        .stderr(contains("no dump of tree: another run holds"));
    place.dir.child("told").assert(predicate::path::missing());
    drop(held);
    run.assert().code(0);
    place.dir.child("told").assert("pre\npost\n");
}

#[test]
fn a_hook_that_says_not_now_is_no_failure() {
    let place = Place::new();
    place.config("[hooks]\npre = \"exit 75\"\npost = \"echo $DUMP_STATUS $DUMP_EXIT >> told\"\n");
    place.dir.child("dump").create_dir_all().expect("made");
    place.dir.child("tree").create_dir_all().expect("made");
    let run = |options: &[&str]| {
        let mut run = place.dumpme();
        run.args(["--init", "--main", "tree", "--dump", "dump"]);
        run.args(["--log", "stderr"]).args(options).assert()
    };
    run(&[])
        .code(75)
        .stderr(contains("no dump of tree: the pre hook 'exit 75'").and(contains("not now")));
    place.dir.child("told").assert("not_now 75\n");
    run(&["-q"]).code(75).stderr("");
    let said = run(&["-q", "--json"]).code(75);
    let said = String::from_utf8_lossy(&said.get_output().stdout).into_owned();
    assert!(
        said.contains("\"status\":\"not_now\",\"exit\":75"),
        "{said}"
    );
    place
        .dir
        .child("dump/.dump")
        .assert(predicate::path::missing());
    // Only that code says so, and only of this hook.
    place.config("[hooks]\npre = \"exit 74\"\n");
    run(&[]).code(1).stderr(contains("dump of tree failed"));
    place.config("[hooks]\npost = \"exit 75\"\n");
    run(&[]).code(23);
}
