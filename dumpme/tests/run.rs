//! Whole runs: what is printed, what is logged, and the exit code.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{self, Stdio};

use assert_cmd::Command;
use assert_fs::prelude::*;
use common::Place;
use fixtures::run_lock;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

/// A small tree and an empty dump root.
fn place() -> Place {
    let place = Place::new();
    let tree = place.dir.child("tree");
    tree.child("sub/file")
        .write_str("some text\n")
        .expect("written");
    tree.child("other.o")
        .write_str("object\n")
        .expect("written");
    place.dir.child("dump").create_dir_all().expect("made");
    place
}

fn run(place: &Place, args: &[&str]) -> Command {
    let mut command = place.dumpme();
    command.args(["--main", "tree", "--dump", "dump", "--log", "stderr"]);
    command.args(args);
    command
}

/// The same with the first dump made.
fn begun() -> Place {
    let place = place();
    run(&place, &["--init", "-q"]).assert().success();
    place
}

fn names(place: &Place, below: &str) -> Vec<String> {
    let entries = fs::read_dir(place.dir.path().join(below)).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn a_run_says_where_it_begins_and_ends() {
    let place = place();
    run(&place, &["--init"])
        .assert()
        .code(0)
        .stderr(contains("dumpme: starting dump of tree to dump/"))
        .stderr(contains("dumpme: finished dump of tree to dump/"))
        .stdout(contains(": 2 entries in 2 directories; ").and(contains(" copied in ")));
    let ran = run(&place, &[]).assert().code(0);
    let report = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    let first = report.lines().next().expect("a line");
    assert!(first.starts_with("dump/"), "{report}");
    assert!(first.contains(": nothing new, 2 unchanged; "), "{report}");
    assert!(first.ends_with(" free"), "{report}");
    // The figures are for programs, and for those who ask.
    assert!(
        report.contains("\nlinked                     2"),
        "{report}"
    );
    run(&place, &["-v"])
        .assert()
        .code(0)
        .stdout(contains("\nlinked to dump/").and(contains("\nlinked                     2")))
        .stdout(contains("copied").not().and(contains("excluded").not()));
    assert_eq!(names(&place, "dump/current/tree"), ["other.o", "sub"]);
}

#[test]
fn quiet_success_is_silent() {
    let place = begun();
    run(&place, &["-q"]).assert().code(0).stdout("").stderr("");
    // What cron starts has no options: its mail is the report alone.
    place
        .dumpme()
        .args(["-q", "--main", "tree", "--dump", "dump"])
        .assert()
        .code(0)
        .stdout("");
}

#[test]
fn json_has_every_figure() {
    let place = begun();
    let ran = run(&place, &["--json", "-v", "--exclude", "*.o"])
        .assert()
        .code(0);
    // The list makes way for the object.
    let ran = ran.stderr(contains("exclude           tree/other.o"));
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    for (key, value) in [
        ("program", "dumpme".into()),
        ("status", "complete".into()),
        ("exit", Value::from(0)),
        ("dry_run", false.into()),
        ("resumed", false.into()),
        ("directories", 2.into()),
        ("symlinks", 0.into()),
        ("specials", 0.into()),
        ("hard_links", 0.into()),
        ("excluded", 1.into()),
        ("vanished", 0.into()),
        ("removed", 0.into()),
        ("faults_total", 0.into()),
        ("faults", Value::Array(Vec::new())),
    ] {
        assert_eq!(object[key], value, "{key} of {object}");
    }
    assert_eq!(object["linked"]["number"], 1, "{object}");
    assert_eq!(object["linked"]["bytes"], 10, "{object}");
    assert_eq!(object["files"], object["linked"], "{object}");
    assert!(object["jobs"].as_u64() >= Some(4), "{object}");
    let medium = object["jobs_chosen_for"].as_str().expect("a word");
    let media = ["flash", "rotating", "network", "unknown"];
    assert!(media.contains(&medium), "{object}");
    for kind in ["new", "changed", "attributes"] {
        assert_eq!(object["copied"][kind]["number"], 0, "{object}");
    }
    let dump = object["dump"].as_str().expect("a path");
    assert!(place.dir.path().join(dump).join("tree/sub/file").exists());
    for time in ["start", "end"] {
        let text = object[time].as_str().expect("a time");
        assert!(text.len() >= "2026-11-22T23:31:00+00:00".len(), "{text}");
    }
}

#[test]
fn a_dry_run_lists_what_would_be_copied_and_why() {
    let place = begun();
    let tree = place.dir.child("tree");
    tree.child("new").write_str("new\n").expect("written");
    tree.child("other.o")
        .write_str("longer than before\n")
        .expect("written");
    let before = names(&place, "dump");
    run(&place, &["-n"])
        .assert()
        .code(0)
        .stdout(contains("copy     new      tree/new\n"))
        .stdout(contains("copy     size     tree/other.o\n"))
        .stdout(contains("tree/sub/file").not());
    run(&place, &["-n", "-vv"])
        .assert()
        .code(0)
        .stdout(contains("link              tree/sub/file\n"));
    assert_eq!(names(&place, "dump"), before);
    let current = place.dir.path().join("dump/current/tree");
    assert!(!current.join("new").exists());
}

#[test]
fn excludes_come_from_options_and_from_beside_the_trees() {
    let place = begun();
    for name in ["a", "b", "c", "d"] {
        place.dir.child("tree").child(name).touch().expect("made");
    }
    place
        .dir
        .child("tree/.rsync/exclude")
        .write_str("/tree/a\n.rsync\n")
        .expect("written");
    place
        .dir
        .child("dump/.rsync/exclude")
        .write_str("b\n")
        .expect("written");
    place.dir.child("rules").write_str("c\n").expect("written");
    run(&place, &["--exclude=d", "--exclude-from=rules"])
        .assert()
        .code(0);
    assert_eq!(names(&place, "dump/current/tree"), ["other.o", "sub"]);
    // The first rule that matches wins, and those of the options come first.
    run(&place, &["--exclude=+ b", "-c"]).assert().code(0);
    assert_eq!(
        names(&place, "dump/current/tree"),
        ["b", "c", "d", "other.o", "sub"]
    );
}

#[test]
fn rules_may_be_written_on_windows() {
    let place = begun();
    let text = b"\xef\xbb\xbf*.o\r\n# both\r\n\r\nsub/\r\n";
    let file = place.dir.child("tree/.rsync/exclude");
    file.write_binary(text).expect("written");
    run(&place, &["--exclude=.rsync"]).assert().code(0);
    assert!(names(&place, "dump/current/tree").is_empty());
}

#[test]
fn what_is_refused_is_one_sentence_and_exit_1() {
    let place = place();
    for (args, what) in [
        (&[][..], "--init"),
        (&["--init", "--main", "missing"], "missing"),
        (&["--init", "--main", "rules"], "rules"),
        (&["--init", "--dump", "nowhere"], "nowhere"),
    ] {
        place.dir.child("rules").write_str("x\n").expect("written");
        place
            .dumpme()
            .args(["--log", "stderr"])
            .args(if args.contains(&"--main") {
                &[][..]
            } else {
                &["--main", "tree"]
            })
            .args(if args.contains(&"--dump") {
                &[][..]
            } else {
                &["--dump", "dump"]
            })
            .args(args)
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("dump of ").and(contains(what)))
            .stderr(contains("finished").not());
    }
    assert!(names(&place, "dump").is_empty());
    place
        .dir
        .child("nowhere")
        .assert(predicate::path::missing());
}

#[test]
fn a_bad_rule_beside_a_tree_is_named_with_its_line() {
    let place = begun();
    place
        .dir
        .child("tree/.rsync/exclude")
        .write_str("good\n- \n")
        .expect("written");
    let before = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    run(&place, &[])
        .assert()
        .code(2)
        .stderr(contains("tree/.rsync/exclude line 2"));
    let after = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    assert_eq!(before, after);
}

#[test]
fn another_run_holds_the_dump_root() {
    let place = begun();
    let _held = run_lock::hold(&place.dir.path().join("dump"));
    run(&place, &["--json"])
        .assert()
        .code(75)
        .stdout(contains("\"status\":\"busy\""))
        .stderr(contains("no dump of tree: another run holds"));
}

#[test]
fn an_older_copy_is_taken_in_under_its_own_date_and_name() {
    let place = place();
    let args = [
        "--init",
        "--at",
        "2020-02-29T12:34",
        "--root-name",
        "NEWAGE",
        "-q",
    ];
    run(&place, &args).assert().code(0);
    assert_eq!(
        names(&place, "dump/2020/0229/1234/NEWAGE"),
        ["other.o", "sub"]
    );
}

#[test]
fn a_failing_post_is_a_fault_of_a_dump_that_is_there() {
    let place = begun();
    place.config("hooks.post = 'echo \"$DUMP_STATUS $DUMP_PATH\" > told; exit 9'\n");
    run(&place, &[])
        .assert()
        .code(23)
        .stderr(contains("the post hook 'echo").and(contains("failed: exit status")))
        .stderr(contains("finished").and(contains(", but the post hook failed: ")))
        .stderr(contains("fault").not())
        .stdout(contains(
            "the post hook failed: see the error on stderr; the dump itself is complete\n",
        ))
        .stdout(contains("not dumped").not());
    let ran = run(&place, &["--json"]).assert().code(23);
    let object: Value = serde_json::from_slice(&ran.get_output().stdout).expect("one object");
    assert_eq!(object["faults_total"], 1, "{object}");
    assert_eq!(object["faults"][0]["operation"], "hook", "{object}");
    assert_eq!(object["faults"][0]["error"], "exit status: 9");
    let told = fs::read_to_string(place.dir.path().join("told")).expect("post ran");
    let (status, path) = told.trim_end().split_once(' ').expect("two words");
    assert_eq!(status, "complete");
    assert!(place.dir.path().join(path).join("tree/sub/file").exists());
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_dump() {
    let place = begun();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = place
        .plain_dumpme()
        .args(["-vv", "--main", "tree", "--dump", "dump"])
        .stdout(writer)
        .stderr(Stdio::null())
        .status()
        .expect("dumpme runs");
    assert_eq!(status.code(), Some(0));
    assert_eq!(names(&place, "dump/current/tree"), ["other.o", "sub"]);
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_terminal_has_a_progress_line_and_is_left_clean() {
    let place = place();
    let program = env!("CARGO_BIN_EXE_dumpme");
    let line = format!("{program} --main tree --dump dump --init --log stderr");
    let shown = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(place.dir.path())
        .env("TERM", "xterm")
        .env("XDG_CONFIG_HOME", place.dir.path().join("config"))
        .assert()
        .code(0);
    let text = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    let report = text.rfind(" directories; ").expect("the report");
    // The last thing done to the line is to clear it; the report stands below.
    let clear = text.rfind("\u{1b}[2K").expect("a progress line was drawn");
    assert!(clear < report, "{text:?}");
}

/// A plain user over a tree with 25 files that only root may read.
fn unreadable() -> (Place, Command) {
    const NOBODY: u32 = 65534;
    let place = place();
    let at = place.dir.path();
    for number in 0..25 {
        let secret = at.join(format!("tree/secret{number:02}"));
        fs::write(&secret, "x").expect("written");
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("root");
    }
    fs::set_permissions(at, Permissions::from_mode(0o755)).expect("set");
    chown(at.join("dump"), Some(NOBODY), Some(NOBODY)).expect("root gives it away");
    // Where the program was built may be closed to others.
    let program = at.join("dumpme");
    fixtures::plain_user::copy_program(env!("CARGO_BIN_EXE_dumpme"), &program);
    let mut command = process::Command::new(program);
    command.uid(NOBODY).gid(NOBODY).env_clear().current_dir(at);
    command.args(["--main", "tree", "--dump", "dump", "--init"]);
    (place, Command::from_std(command))
}

#[test]
#[ignore = "needs root, to become another user"]
fn every_fault_is_named_and_the_rest_is_dumped() {
    let (place, mut command) = unreadable();
    let ran = command.args(["--log", "stderr"]).assert().code(23);
    let output = ran.get_output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    for number in 0..25 {
        let line = format!("tree/secret{number:02}: Permission denied");
        assert!(stderr.contains(&line), "{line} in {stderr}");
    }
    assert!(stderr.contains("but for 25 faults"), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    // Each is named once, where it was met.
    assert_eq!(stdout.matches("Permission denied").count(), 0, "{stdout}");
    let end = "25 entries were not dumped as they are: see the errors on stderr\n";
    assert!(stdout.contains(end), "{stdout}");
    assert_eq!(names(&place, "dump/current/tree"), ["other.o", "sub"]);
}

#[test]
#[ignore = "needs root, to become another user"]
fn a_dry_run_says_that_the_run_itself_could_not_write() {
    let (place, mut command) = unreadable();
    command.arg("-n");
    let said = "this user cannot write to the dump root dump";
    let ran = command.assert().code(23);
    ran.stderr(contains(said).not());
    chown(place.dir.path().join("dump"), Some(0), Some(0)).expect("root takes it");
    command.assert().code(23).stderr(contains(said));
    assert!(names(&place, "dump").is_empty(), "nothing was made");
}

#[test]
#[ignore = "needs root, to become another user"]
fn cron_is_told_of_faults_and_of_nothing_else() {
    let (_place, mut command) = unreadable();
    let ran = command.args(["-q", "--json"]).assert().code(23);
    let output = ran.get_output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let others: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.contains("cannot") && !line.contains("but for 25 faults"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(object["status"], "partial");
    assert_eq!(object["faults_total"], 25);
    let faults = object["faults"].as_array().expect("a list");
    assert_eq!(faults.len(), 25);
    for fault in faults {
        assert_eq!(fault["error"], "Permission denied (os error 13)");
        let path = fault["path"].as_str().expect("a path");
        assert!(path.contains("tree/secret"), "{path}");
    }
}

#[test]
fn a_dump_can_be_made_with_a_pin() {
    let place = place();
    let root = place.dir.path().join("dump");
    run(&place, &["--init", "-n", "--pin", "start"])
        .assert()
        .success();
    assert!(fs::symlink_metadata(root.join("start")).is_err());
    run(&place, &["--init", "--pin", "start"])
        .assert()
        .success();
    let target = |link: &str| fs::read_link(root.join(link)).expect("a link");
    let newest = target("current");
    assert_eq!(target("start"), newest);
    let taken = run(&place, &["--pin", "start"]).assert().code(1);
    taken.stderr(contains("start already exists and keeps "));
    assert_eq!(target("current"), newest, "nothing was published");
    run(&place, &["--pin", "today"]).assert().code(2);
}
