//! `--check-age` and `--prometheus`: what monitoring is told.

mod common;

use std::fs;

use assert_fs::prelude::*;
use chrono::{TimeDelta, Utc};
use common::Place;
use predicates::prelude::*;
use predicates::str::{contains, is_match};
use serde_json::Value;

/// A dump made just now, and one of long ago.
fn places() -> (Place, Place) {
    let made = |more: &[&str]| {
        let place = Place::with_tree();
        place
            .dumpme()
            .args(["--main", "tree", "--dump", "dump", "--init", "-q"])
            .args(more)
            .assert()
            .success();
        place
    };
    (made(&[]), made(&["--at", "2020-02-29T12:34"]))
}

#[test]
fn a_recent_dump_is_told_with_age_and_path() {
    let (recent, _) = places();
    let line =
        is_match(r"\A\d+(s|m|min|h|m.*) old: dump/\d{4}/\d{4}/\d{4}\n\z").expect("a pattern");
    recent
        .dumpme()
        .args(["--dump", "dump", "--check-age", "26h"])
        .assert()
        .code(0)
        .stdout(line)
        .stderr("");
    recent
        .dumpme()
        .args(["--dump", "dump", "--check-age", "1day 2h", "-q"])
        .assert()
        .code(0)
        .stdout("")
        .stderr("");
}

#[test]
fn an_old_one_is_a_failure_also_for_cron() {
    let (_, old) = places();
    for more in [&[][..], &["-q"], &["--json"]] {
        old.dumpme()
            .args(["--dump", "dump", "--check-age", "26h"])
            .args(more)
            .assert()
            .code(1)
            .stderr(contains("the newest dump, dump/2020/0229/1234, is "))
            .stderr(contains("old, more than 1day 2h"));
    }
    let told = old
        .dumpme()
        .args(["--dump", "dump", "--check-age", "26h", "--json"])
        .assert();
    let object: Value = serde_json::from_slice(&told.get_output().stdout).expect("one object");
    assert_eq!(object["program"], "dumpme");
    assert_eq!(object["status"], "failed");
    assert_eq!(object["exit"], 1);
    let error = object["error"].as_str().expect("a sentence");
    assert!(error.starts_with("the newest dump, "), "{error}");
    assert_eq!(object["too_old"], true);
    assert_eq!(object["limit_seconds"], 26 * 3600);
    let dump = old.dir.path().join("dump/2020/0229/1234");
    assert_eq!(object["dump"], dump.to_str().expect("text"));
    assert!(
        object["age_seconds"]
            .as_i64()
            .is_some_and(|s| s > 26 * 3600)
    );
}

#[test]
fn it_answers_while_a_dump_is_made_and_changes_nothing() {
    let (recent, _) = places();
    let dump = fs::File::open(recent.dir.path().join("dump")).expect("opened");
    rustix::fs::flock(&dump, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    let before = fs::read_dir(recent.dir.path().join("dump"))
        .expect("listed")
        .count();
    recent
        .dumpme()
        .args(["--dump", "dump", "--check-age", "1h"])
        .assert()
        .code(0);
    let after = fs::read_dir(recent.dir.path().join("dump"))
        .expect("listed")
        .count();
    assert_eq!(before, after);
}

#[test]
fn a_missing_disk_is_a_failure() {
    let place = Place::new();
    place.dir.child("empty").create_dir_all().expect("made");
    for (root, what) in [("empty", "is the dump disk mounted?"), ("none", "none")] {
        for option in [&["--check-age", "26h"][..], &["--prometheus"]] {
            place
                .dumpme()
                .args(["--dump", root])
                .args(option)
                .assert()
                .code(1)
                .stdout("")
                .stderr(contains(what));
        }
    }
}

#[test]
fn an_answer_in_json_is_an_object_as_of_a_run() {
    let (recent, _) = places();
    let asked = |root: &str, code: i32| -> Value {
        let mut command = recent.dumpme();
        command.args(["--dump", root, "--check-age", "26h", "--json"]);
        let told = command.assert().code(code);
        serde_json::from_slice(&told.get_output().stdout).expect("one object")
    };
    let object = asked("dump", 0);
    assert_eq!(object["status"], "complete", "{object}");
    assert_eq!(object["exit"], 0);
    assert_eq!(object["too_old"], false);
    assert!(object.get("error").is_none(), "{object}");
    recent.dir.child("empty").create_dir_all().expect("made");
    for (root, what) in [("none", "No such file"), ("empty", "has no dump")] {
        let object = asked(root, 1);
        assert_eq!(object["program"], "dumpme", "{object}");
        assert_eq!(object["status"], "failed");
        assert_eq!(object["exit"], 1);
        let error = object["error"].as_str().expect("a sentence");
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn metrics_are_in_the_text_format() {
    let (_, old) = places();
    let wanted = old
        .dumpme()
        .env("TZ", "UTC")
        .args(["--dump", "dump", "--prometheus"])
        .assert()
        .code(0)
        .stderr("");
    let text = String::from_utf8_lossy(&wanted.get_output().stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    for (at, name) in [
        (0, "dump_newest_timestamp_seconds"),
        (3, "dump_newest_age_seconds"),
    ] {
        assert!(lines[at].starts_with(&format!("# HELP {name} ")), "{text}");
        assert_eq!(lines[at + 1], format!("# TYPE {name} gauge"));
    }
    // 2020-02-29T12:34Z
    assert_eq!(
        lines[2],
        "dump_newest_timestamp_seconds{dump=\"dump\"} 1582979640"
    );
    let age = lines[5].strip_prefix("dump_newest_age_seconds{dump=\"dump\"} ");
    let age: i64 = age.and_then(|text| text.parse().ok()).expect("a number");
    assert!(age > 26 * 3600, "{age}");
    // With a limit the metrics come too, and the exit code tells.
    old.dumpme()
        .args(["--dump", "dump", "--prometheus", "--check-age", "26h"])
        .assert()
        .code(1)
        .stdout(contains("dump_newest_age_seconds"));
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let place = Place::new();
    for args in [
        &["--check-age", "soon"][..],
        &["--check-age", "26h", "--init"],
        &["--prometheus", "--json"],
        &["--prometheus", "-n"],
    ] {
        place
            .dumpme()
            .args(args)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains("dumpme: ").and(contains("(see --help)")));
    }
}

/// What goes into a file for monitoring is whole, or a failure.
#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let (recent, _) = places();
    for asked in [
        &["--prometheus"][..],
        &["--check-age", "26h"],
        &["--check-age", "26h", "--json"],
        &["--print-config"],
        &["--help"],
    ] {
        let full = fs::File::create("/dev/full").expect("opened");
        let output = recent
            .plain_dumpme()
            .args(["--dump", "dump"])
            .args(asked)
            .stdout(full)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{asked:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            said, "dumpme: cannot write standard output: No space left on device\n",
            "{asked:?}"
        );
    }
}

/// A dump's name is local time, and says something else to who reads it in
/// another zone: the age does not.
#[test]
fn the_age_is_the_same_in_every_zone() {
    const ZONES: [&str; 4] = ["JST-9", "PST8", "UTC", "XYZ-14"];
    for made_in in ZONES {
        let place = Place::new();
        let tree = place.dir.child("tree/file");
        tree.write_str("text").expect("written");
        place.dir.child("dump").create_dir_all().expect("made");
        let made = ["--main", "tree", "--dump", "dump", "--init", "-q"];
        place
            .dumpme()
            .env("TZ", made_in)
            .args(made)
            .assert()
            .success();
        for read_in in ZONES {
            let asked = ["--dump", "dump", "--check-age", "1h", "--prometheus"];
            let told = place.dumpme().env("TZ", read_in).args(asked).assert();
            let told = told.success().get_output().stdout.clone();
            let told = String::from_utf8(told).expect("text");
            let age = told
                .lines()
                .find_map(|line| line.strip_prefix("dump_newest_age_seconds"));
            let age = age.and_then(|rest| rest.split(' ').nth(1)?.parse::<i64>().ok());
            assert!(
                age.is_some_and(|age| (0..600).contains(&age)),
                "{made_in} {read_in}: {told}"
            );
        }
    }
}

/// Two sets that take turns: `t` was dumped three days ago, `u` just now, so
/// that `current` is that of `u`.
fn taking_turns() -> Place {
    let place = Place::new();
    place.dir.child("dump").create_dir_all().expect("made");
    for tree in ["t", "u"] {
        let file = place.dir.child(tree).child("file");
        file.write_str("text").expect("written");
    }
    let three_days_ago = Utc::now() - TimeDelta::days(3);
    let at = three_days_ago.format("%Y-%m-%dT%H:%M").to_string();
    for args in [
        &["--main", "t", "--init", "--at", &at][..],
        &["--main", "u"],
    ] {
        let mut run = place.dumpme();
        run.args(["--dump", "dump", "-q"]).args(args);
        run.env("TZ", "UTC").assert().success();
    }
    place.config(
        "dump = '../../dump'\n[set.t]\nmain = '../../t'\n[set.u]\nmain = '../../u'\n\
         [set.both]\nmain = ['../../u', '../../t']\n[set.never]\nmain = '../../v'\n",
    );
    place
}

#[test]
fn each_tree_that_is_named_has_an_age_of_its_own() {
    let place = taking_turns();
    let asked = |args: &[&str], code: i32| {
        let mut command = place.dumpme();
        command.args(["--dump", "dump", "--check-age", "26h"]);
        command.args(args).assert().code(code)
    };
    let late = || contains("the newest dump of t, dump/20").and(contains(" is 3days "));
    asked(&["--main", "t"], 1).stdout("").stderr(late());
    asked(&["--main", "u"], 0).stderr("");
    asked(&["--main", "u", "--main", "t"], 1).stderr(late());
    asked(&["--main", "t", "--main", "u", "-q"], 1).stderr(late());
    asked(&["--main", "elsewhere", "--root-name", "t"], 1).stderr(late());
    asked(&["--set", "t"], 1).stderr(late());
    asked(&["--set", "u"], 0).stderr("");
    asked(&["--set", "both"], 1).stderr(late());
    let mut from_environment = place.dumpme();
    from_environment.env("MAINROOT", place.dir.path().join("t"));
    from_environment.args(["--dump", "dump", "--check-age", "26h"]);
    from_environment.assert().code(1).stderr(late());
    // Nobody names a tree: the last dump of any.
    asked(&[], 0).stderr("");
}

#[test]
fn a_tree_that_no_dump_has_is_a_failure() {
    let place = taking_turns();
    for args in [
        &["--main", "v"][..],
        &["--main", "u", "--main", "v"],
        &["--set", "never"],
    ] {
        for option in [&["--check-age", "26h"][..], &["--prometheus"]] {
            place
                .dumpme()
                .args(["--dump", "dump"])
                .args(args)
                .args(option)
                .assert()
                .code(1)
                .stdout("")
                .stderr(contains("no dump with a date in dump has the tree v; "));
        }
    }
}

#[test]
fn objects_and_metrics_name_the_tree() {
    let place = taking_turns();
    let told = |args: &[&str], code: i32| {
        let mut command = place.dumpme();
        command.args(["--dump", "dump", "--check-age", "26h"]);
        let told = command.args(args).assert().code(code);
        String::from_utf8(told.get_output().stdout.clone()).expect("text")
    };
    let object: Value =
        serde_json::from_str(&told(&["--set", "both", "--json"], 1)).expect("one object");
    assert_eq!(object["tree"], "t", "{object}");
    assert_eq!(object["too_old"], true);
    let days = 3 * 24 * 3600;
    let age = object["age_seconds"].as_i64().expect("seconds");
    assert!((days..days + 600).contains(&age), "{object}");
    let object: Value = serde_json::from_str(&told(&["--json"], 0)).expect("one object");
    assert!(object.get("tree").is_none(), "{object}");

    let metrics = told(&["--set", "both", "--prometheus"], 1);
    let age = |tree: &str| {
        let start = format!("dump_newest_age_seconds{{dump=\"dump\",tree=\"{tree}\"}} ");
        let age = metrics.lines().find_map(|line| line.strip_prefix(&start));
        age.and_then(|age| age.parse::<i64>().ok())
    };
    let of_t = age("t").expect("a number");
    assert!((days..days + 600).contains(&of_t), "{metrics}");
    assert!(
        age("u").is_some_and(|age| (0..600).contains(&age)),
        "{metrics}"
    );
    assert_eq!(metrics.lines().count(), 8, "{metrics}");
}

/// The age of a tree that `current` lacks goes by the moment, too, wherever
/// the dumps were made.
#[test]
fn the_age_of_a_tree_is_the_same_in_every_zone() {
    const ZONES: [&str; 4] = ["JST-9", "PST8", "UTC", "XYZ-14"];
    for made_in in ZONES {
        let place = Place::new();
        place.dir.child("dump").create_dir_all().expect("made");
        for (tree, zone, init) in [("t", made_in, true), ("u", "UTC", false)] {
            let file = place.dir.child(tree).child("file");
            file.write_str("text").expect("written");
            let mut run = place.dumpme();
            run.env("TZ", zone);
            run.args(["--main", tree, "--dump", "dump", "-q"]);
            run.args(init.then_some("--init")).assert().success();
        }
        for read_in in ZONES {
            let asked = [
                "--main",
                "t",
                "--dump",
                "dump",
                "--check-age",
                "1h",
                "--json",
            ];
            let told = place.dumpme().env("TZ", read_in).args(asked).assert();
            let told = told.success().get_output().stdout.clone();
            let object: Value = serde_json::from_slice(&told).expect("one object");
            assert_eq!(object["tree"], "t", "{object}");
            let age = object["age_seconds"].as_i64();
            assert!(
                age.is_some_and(|age| (0..600).contains(&age)),
                "{made_in} {read_in}: {object}"
            );
        }
    }
}
