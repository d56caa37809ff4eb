//! The commands around a run, as far as no dump is needed to see them.

mod common;

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
        .stderr(contains("Failed dumping main: the hook 'false' failed"))
        .stderr(contains("cannot run env | grep"))
        .stderr(contains("Done").not());
    place.dir.child("dump").assert(predicate::path::missing());
    let told = std::fs::read_to_string(place.dir.path().join("told")).expect("post ran");
    for line in [
        "DUMP_PROGRAM=dumpme",
        "DUMP_HOOK=post",
        "DUMP_ROOT=dump",
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
        .stderr(contains("the hook").not());
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
