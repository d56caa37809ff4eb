//! `dumpctl catalog`: its state, making it again, comparing it with the dumps.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ground, ends, traced};
use dumpcore::{DumpRoot, Snapshot};
use fixtures::plain_user::PlainUser;
use fixtures::strace::{Inject, inject};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

#[track_caller]
fn object(ground: &Ground, words: &[&str], code: i32) -> Value {
    let words = [&["catalog", "--json"], words].concat();
    let (printed, _) = ends(ground.dumpctl(&words), code);
    serde_json::from_str(&printed).expect("one object")
}

/// Dumps, of which nothing is remembered.
fn forgotten() -> Ground {
    let ground = Ground::new();
    let _ = fs::remove_file(ground.root().join(".dump/catalog.db"));
    ground
}

#[test]
fn one_that_is_not_there_is_made_from_the_dumps() {
    let ground = forgotten();
    let (printed, said) = ends(ground.dumpctl(&["catalog"]), 1);
    assert!(
        said.contains("has no catalog; the next 'dumpme' begins one"),
        "{said}"
    );
    assert_eq!(printed, "");
    let (printed, _) = ends(ground.dumpctl(&["catalog", "rebuild", "-n"]), 0);
    assert_eq!(printed, "dry run: would record 4 dumps\n");
    assert!(!ground.has(".dump/catalog.db"));
    let (printed, _) = ends(ground.dumpctl(&["catalog", "rebuild"]), 0);
    let words = "recorded 4 dumps; there was no old catalog to take hashes from\n";
    assert_eq!(printed, words);
    let (printed, _) = ends(ground.dumpctl(&["catalog", "rebuild"]), 0);
    assert!(printed.contains("hashes were taken over"), "{printed}");

    let (printed, said) = ends(ground.dumpctl(&["catalog", "status"]), 0);
    let file = ground.root().join(".dump/catalog.db");
    assert!(
        printed.starts_with(&format!("{}: ", file.display())),
        "{printed}"
    );
    for words in [
        &format!("\n{:<42}{:>12}\n", "dumps", 4),
        "tree tree: the newest of 4 dumps is 2030/0102/0400: 3 entries, ",
        "it knows all dumps, and no others\n",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert_eq!(said, "");
    let (printed, _) = ends(ground.dumpctl(&["catalog", "check", "--all"]), 0);
    assert_eq!(printed, "the catalog is as all dumps\n");
    let (printed, _) = ends(ground.dumpctl(&["catalog", "check"]), 0);
    assert_eq!(printed, "the catalog is as the newest dump of each tree\n");
}

#[test]
fn machines_are_told_the_same() {
    let ground = forgotten();
    let root = ground.root();
    let failed = object(&ground, &[], 1);
    assert_eq!(
        (&failed["status"], &failed["command"]),
        (&json!("failed"), &json!("catalog"))
    );
    let planned = object(&ground, &["rebuild", "-n"], 0);
    let done = object(&ground, &["rebuild"], 0);
    for (object, dry_run) in [(&planned, true), (&done, false)] {
        assert_eq!(object["dry_run"], dry_run);
        assert_eq!(
            (&object["dumps"], &object["what"]),
            (&json!(4), &json!("rebuild"))
        );
        assert_eq!(object["dump_root"], json!(root));
    }
    assert_eq!(
        (&done["left_out"], &done["hashes_kept"]),
        (&json!([]), &json!(false))
    );
    let status = object(&ground, &["status"], 0);
    let expected = json!({
        "schema": 1, "program": "dumpctl", "command": "catalog", "what": "status",
        "status": "complete", "exit": 0, "path": root.join(".dump/catalog.db"),
        "dumps": 4, "whole": true, "not_recorded": [], "not_on_disk": [], "hashes": 0,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&status[key], value, "{key}");
    }
    let size = fs::metadata(root.join(".dump/catalog.db"))
        .expect("there")
        .len();
    assert_eq!(status["size_bytes"], size);
    let tree = &status["trees"][0];
    assert_eq!(
        (&tree["name"], &tree["head"], &tree["dumps"]),
        (&json!("tree"), &json!("2030/0102/0400"), &json!(4))
    );
    assert_eq!(tree["apparent_bytes"], 150_000);
    let checked = object(&ground, &["check", "--all"], 0);
    assert_eq!(
        (&checked["differences"], &checked["all"]),
        (&json!([]), &json!(true))
    );
}

#[test]
fn what_differs_is_named_and_is_exit_3() {
    let ground = forgotten();
    ends(ground.dumpctl(&["catalog", "rebuild", "-q"]), 0);
    let newest = ground.root().join("2030/0102/0400/tree");
    fs::write(newest.join("smuggled"), "in").expect("written");
    fs::remove_file(newest.join("dir/same")).expect("removed");
    fs::remove_dir_all(ground.root().join("2030/0101/0200")).expect("removed");
    let (printed, _) = ends(ground.dumpctl(&["catalog", "check"]), 3);
    for words in [
        "2030/0102/0400/tree/smuggled: not in the catalog\n",
        "2030/0102/0400/tree/dir/same: not on disk\n",
        "2030/0101/0200: not on disk\n",
        "'dumpctl catalog rebuild' makes the catalog again\n",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let (quiet, _) = ends(ground.dumpctl(&["catalog", "check", "-q"]), 3);
    assert!(
        !quiet.contains("rebuild") && quiet.contains("smuggled"),
        "{quiet}"
    );
    let checked = object(&ground, &["check"], 3);
    assert_eq!(checked["status"], "attention");
    let path = newest.join("smuggled");
    let smuggled = json!({
        "name": "2030/0102/0400", "path": path, "difference": "not_recorded",
    });
    let differences = checked["differences"].as_array().expect("a list");
    assert!(differences.contains(&smuggled), "{checked}");
    let gone = json!({"name": "2030/0101/0200", "path": null, "difference": "not_on_disk"});
    assert!(differences.contains(&gone), "{checked}");
    let (printed, _) = ends(ground.dumpctl(&["catalog"]), 0);
    let words = "1 dump in the catalog, and not on disk: 2030/0101/0200\n";
    assert!(printed.contains(words), "{printed}");
    assert_eq!(object(&ground, &[], 0)["whole"], false);
    ends(ground.dumpctl(&["catalog", "rebuild", "-q"]), 0);
    ends(ground.dumpctl(&["catalog", "check", "--all", "-q"]), 0);
}

#[test]
fn a_root_that_a_run_holds_is_left_and_words_that_do_not_fit_are_refused() {
    let ground = forgotten();
    ends(ground.dumpctl(&["catalog", "rebuild", "-q"]), 0);
    let root = DumpRoot::open(ground.root()).expect("opened");
    let lock = root.lock().expect("locked");
    for what in ["rebuild", "check"] {
        ends(ground.dumpctl(&["catalog", what]), 75);
    }
    ends(ground.dumpctl(&["catalog", "status"]), 0);
    drop(lock);
    for words in [["rebuild", "--all"], ["check", "-n"], ["status", "-n"]] {
        let (_, said) = ends(ground.dumpctl(&[&["catalog"], &words[..]].concat()), 2);
        assert!(said.contains("is for 'dumpctl catalog "), "{said}");
    }
    ends(ground.dumpctl(&["catalog", "mend"]), 2);
    fs::write(ground.root().join(".dump/catalog.db"), vec![7; 30_000]).expect("written");
    let (_, said) = ends(ground.dumpctl(&["catalog"]), 1);
    assert!(said.contains("catalog.db"), "{said}");
}

#[test]
#[ignore = "needs root to become another user"]
fn a_dump_that_cannot_be_read_is_left_out_and_named() {
    let user = PlainUser::new();
    let (tree, root) = (user.home().join("tree"), user.home().join("dump"));
    for dir in [&tree, &root] {
        fs::create_dir(dir).expect("made");
    }
    fs::write(tree.join("file"), "text").expect("written");
    for minute in common::MINUTES {
        let init = fs::symlink_metadata(root.join("current")).is_err();
        let snapshot = Snapshot::new(&root).main(&tree).init(init);
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }
    let chown = |options: &[&str], path: &Path| {
        let status = Command::new("chown").args(options).arg(path).status();
        assert!(status.expect("it runs").success(), "{path:?}");
    };
    chown(&["-R", "12345:12345"], &root);
    let closed = root.join("2030/0101/0200/tree");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closed");
    chown(&["0"], &closed);
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpctl"));
    command.args(["catalog", "rebuild", "--json", "--dump"]);
    command.arg(&root);
    let (printed, said) = ends(command, 23);
    let done: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(
        (&done["dumps"], &done["status"]),
        (&json!(3), &json!("partial"))
    );
    assert_eq!(done["left_out"][0]["name"], "2030/0101/0200");
    assert!(
        said.contains("2030/0101/0200 is not in the catalog"),
        "{said}"
    );
    assert!(root.join(".dump/catalog.db").exists());
}

#[test]
#[ignore = "needs strace"]
fn a_signal_stops_a_rebuild_and_the_catalog_stays() {
    let ground = forgotten();
    ends(ground.dumpctl(&["catalog", "rebuild", "-q"]), 0);
    let dump = ground.root().join("2030/0101/0200/tree/dir");
    for number in 0..500 {
        fs::create_dir(dump.join(number.to_string())).expect("made");
    }
    let file = ground.root().join(".dump/catalog.db");
    let before = fs::read(&file).expect("read");
    let command = ground.dumpctl(&["catalog", "rebuild", "--json", "-j1"]);
    let slow = Inject::delay("getdents64", 20_000);
    let mut traced_run = inject(&command, &[slow]);
    let traced_run = traced_run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = traced_run.spawn().expect("it runs");
    while !ground.has(".dump/catalog.rebuild") {
        assert!(child.try_wait().expect("asked").is_none(), "too soon");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(traced(&child), Signal::TERM).expect("sent");
    let sent = Instant::now();
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143));
    // To read all dumps takes twice that.
    assert!(
        sent.elapsed() < Duration::from_secs(10),
        "{:?}",
        sent.elapsed()
    );
    assert!(fs::read(&file).expect("read") == before);
    assert!(!ground.has(".dump/catalog.rebuild"));
    let object: Value = serde_json::from_slice(&ended.stdout).expect("an object");
    assert_eq!(object["error"], "stopped; the catalog is as it was");
}

#[test]
fn the_hint_to_make_one_names_a_dump_root_that_is_not_the_usual_one() {
    let ground = forgotten();
    let other = ground.at("other root");
    fs::rename(ground.root(), &other).expect("renamed");
    let rebuild = format!("dumpctl catalog rebuild --dump {}", dumpcli::quoted(&other));
    let dump = other.to_str().expect("UTF-8");
    for (words, code) in [
        (&["list"][..], 0),
        (&["du"], 1),
        (&["catalog"], 1),
        (&["scrub"], 1),
    ] {
        let (_, said) = ends(ground.dumpctl(&[words, &["--dump", dump]].concat()), code);
        assert!(said.contains(&rebuild), "{words:?}: {said}");
    }
}
