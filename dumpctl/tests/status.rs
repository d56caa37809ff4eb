//! `dumpctl status`: what it prints, and how it ends.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use common::{Ground, ends};
use dumpcore::{DumpRoot, Snapshot};
use fixtures::terminal;
use serde_json::Value;

/// Two dumps of a tree, made just now.
fn ground() -> Ground {
    let ground = Ground::empty();
    fs::write(ground.at("tree/file"), "text").expect("written");
    for init in [true, false] {
        let snapshot = Snapshot::new(ground.root()).main(ground.at("tree"));
        snapshot.init(init).run().expect("dumped");
    }
    ground
}

fn status(ground: &Ground, words: &[&str]) -> Command {
    let mut command = ground.dumpctl(words);
    command.env("MAINROOT", ground.at("tree"));
    command
}

fn json(ground: &Ground, code: i32) -> Value {
    let (printed, _) = ends(status(ground, &["status", "--json"]), code);
    serde_json::from_str(&printed).expect("one object")
}

fn attention(ground: &Ground) -> Vec<String> {
    let object = json(ground, 3);
    let all = object["attention"].as_array().expect("a list");
    let what = all.iter().map(|one| one["what"].as_str().expect("a word"));
    what.map(str::to_owned).collect()
}

#[test]
fn nothing_needs_attention() {
    let ground = ground();
    for words in [&["status"][..], &[]] {
        let (printed, said) = ends(status(&ground, words), 0);
        assert_eq!(said, "");
        assert!(
            printed.starts_with("nothing needs attention\n"),
            "{printed}"
        );
        let row: Vec<&str> = printed
            .lines()
            .last()
            .expect("a row")
            .split_whitespace()
            .collect();
        let root = DumpRoot::open(ground.root()).expect("opened");
        let newest = root
            .current_name()
            .expect("read")
            .expect("a dump")
            .to_string();
        assert_eq!(row[..2], ["tree", &*newest], "{printed}");
        assert!(row.contains(&"2"), "{printed}");
        assert!(printed.contains("more dumps"), "{printed}");
    }
    let (printed, said) = ends(status(&ground, &["status", "-q"]), 0);
    assert_eq!((printed.as_str(), said.as_str()), ("", ""));
    let object = json(&ground, 0);
    assert_eq!(object["attention"], serde_json::json!([]));
    let root = &object["roots"][0];
    assert_eq!(root["trees"][0]["tree"], "tree");
    assert_eq!(root["trees"][0]["dumps"], 2);
    assert!(
        root["more_dumps"].as_u64().is_some_and(|more| more > 0),
        "{root}"
    );
}

#[test]
fn what_needs_attention_comes_first_and_alone_with_q() {
    let ground = ground();
    symlink("2020/0101", ground.root().join("a-day")).expect("linked");
    fs::create_dir_all(ground.root().join("2020/0101/0000_incomplete")).expect("made");
    let (quiet, said) = ends(status(&ground, &["-q"]), 3);
    assert_eq!(said, "");
    let lines: Vec<&str> = quiet.lines().collect();
    assert_eq!(lines.len(), 2, "{quiet}");
    assert!(
        lines[0].starts_with("2020/0101/0000_incomplete was left"),
        "{quiet}"
    );
    assert!(
        lines[0].ends_with("or 'dumpctl remove 2020/0101/0000_incomplete'"),
        "{quiet}"
    );
    assert!(lines[1].contains("a-day looks like a pin"), "{quiet}");
    let (whole, _) = ends(status(&ground, &[]), 3);
    assert!(whole.starts_with(&quiet), "{whole}");
    assert_eq!(attention(&ground), ["leftover", "not_a_pin"]);
}

/// `ln -sfn` over a directory would make the link inside it.
#[test]
fn what_is_to_be_typed_fits_what_is_there() {
    let ground = ground();
    let current = ground.root().join("current");
    let newest = fs::read_link(&current).expect("a link");
    let newest = newest.to_str().expect("it is UTF-8");
    fs::rename(ground.root().join(newest), ground.root().join("2020")).expect("moved");
    let (said, _) = ends(status(&ground, &["-q"]), 3);
    assert!(
        said.contains(": if only the link was lost: 'ln -sfn"),
        "{said}"
    );
    fs::rename(ground.root().join("2020"), ground.root().join(newest)).expect("moved");
    symlink("2020/0101/0000", ground.root().join("kept")).expect("linked");
    fs::remove_file(&current).expect("removed");
    fs::create_dir(&current).expect("made");
    let (said, _) = ends(status(&ground, &["-q"]), 3);
    let lines: Vec<&str> = said.lines().collect();
    let typed = format!(
        ": move that away, then: 'ln -s {newest} {}'",
        current.display()
    );
    assert!(lines[0].ends_with(&typed), "{said}");
    let kept = "kept names 2020/0101/0000, which does not exist: 'dumpctl unpin kept', if \
                it was removed on purpose";
    assert!(lines[1].ends_with(kept), "{said}");
    assert_eq!(attention(&ground), ["bad_current", "lost_dump"]);
}

#[test]
fn the_configuration_says_what_is_expected() {
    let ground = ground();
    let slave = ground.at("slave");
    fs::create_dir(&slave).expect("made");
    let (tree, root) = (ground.at("tree"), ground.root().to_path_buf());
    let text = format!(
        "main = [{tree:?}, \"/nowhere/photos\"]\ndump = {root:?}\n\
         [keep]\ndaily = \"0w\"\n[slave]\ndump = {slave:?}\n"
    );
    let file = ground.at("dump.toml");
    fs::write(&file, text).expect("written");
    let mut command = ground.dumpctl(&["status", "--json", "--config"]);
    command.env_remove("DUMPROOT").arg(&file);
    let (printed, _) = ends(command, 3);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    let all = object["attention"].as_array().expect("a list");
    let what: Vec<&str> = all.iter().filter_map(|one| one["what"].as_str()).collect();
    assert_eq!(what, ["no_dump", "old_replica", "bad_policy"]);
    assert_eq!(all[0]["text"], "no dump of photos");
    let why = all[2]["text"].as_str().expect("a reason");
    assert!(why.contains("dump.toml:4:"), "{why}");
    assert!(
        object["roots"][0]["replicas"][0]["name"].is_null(),
        "{object}"
    );
    // What others have there is no replica of these dumps.
    fs::create_dir(ground.at("others")).expect("made");
    let replicated = |tree: &str| {
        let init = !slave.join("current").exists();
        let others = Snapshot::new(&slave).main(ground.at(tree)).init(init);
        others.run().expect("published");
        let mut command = ground.dumpctl(&["status", "--json", "--config"]);
        command.env_remove("DUMPROOT").arg(&file);
        let (printed, _) = ends(command, 3);
        let object: Value = serde_json::from_str(&printed).expect("one object");
        let is_old = printed.contains("\"old_replica\"");
        (
            object["roots"][0]["replicas"][0]["name"].is_string(),
            is_old,
        )
    };
    assert_eq!(replicated("others"), (false, true));
    assert_eq!(replicated("tree"), (true, false));
}

#[test]
fn where_it_settles_is_told_with_a_policy() {
    let ground = ground();
    for _ in 0..2 {
        let more = Snapshot::new(ground.root()).main(ground.at("tree"));
        more.run().expect("published");
    }
    let (tree, root) = (ground.at("tree"), ground.root().to_path_buf());
    let text = format!("main = {tree:?}\ndump = {root:?}\n[keep]\nlast = 30\n");
    let file = ground.at("dump.toml");
    fs::write(&file, text).expect("written");
    let run = |words: &[&str]| {
        let mut command = ground.dumpctl(words);
        command.env_remove("DUMPROOT").arg("--config").arg(&file);
        ends(command, 0).0
    };
    let printed = run(&["status"]);
    // `current_chk` names the first dump, which stays besides the last 30.
    assert!(
        printed.contains(", settles at about 31 dumps, "),
        "{printed}"
    );
    assert!(printed.contains("% of the disk"), "{printed}");
    assert!(!printed.contains("room for about"), "{printed}");
    let object: Value = serde_json::from_str(&run(&["status", "--json"])).expect("one object");
    assert_eq!(object["roots"][0]["settled_dumps"], 31);
    assert!(object["roots"][0]["settled_bytes"].is_u64(), "{object}");
}

#[test]
#[ignore = "needs script(1), for a terminal"]
fn a_terminal_gets_colours_unless_they_are_refused() {
    let ground = ground();
    symlink("2030/0101/0100/tree", ground.root().join("release")).expect("linked");
    let (tree, root) = (ground.at("tree"), ground.root().to_path_buf());
    let [tree, root] = [&tree, &root].map(|path| path.to_str().expect("plain"));
    let shown = |refused: &str| {
        let words = ["status", "--main", tree, "--dump", root];
        let mut command = terminal::command(env!("CARGO_BIN_EXE_dumpctl"), &words, 60);
        fixtures::shield::shield(&mut command, &ground.at("home"));
        command.env("PAGER", "cat").env("NO_COLOR", refused);
        terminal::shown(&command.output().expect("it runs"))
    };
    let (painted, plain) = (shown(""), shown("1"));
    assert!(painted.contains("\x1b[33m"), "{painted}");
    assert!(painted.contains("\x1b[1mTREE"), "{painted}");
    assert!(!plain.contains('\x1b'), "{plain}");
    // What is free differs by the moment, and so the figures.
    let lines = |text: &str| text.lines().count();
    assert_eq!(lines(&painted), lines(&plain));
}

#[test]
fn metrics_are_those_of_dumpme_and_more() {
    let ground = ground();
    let (printed, _) = ends(status(&ground, &["status", "--prometheus"]), 0);
    let root = ground.root().display().to_string();
    for name in [
        "dump_newest_timestamp_seconds",
        "dump_newest_age_seconds",
        "dump_dumps",
    ] {
        let labels = format!("\n{name}{{dump=\"{root}\",tree=\"tree\"}} ");
        assert!(printed.contains(&labels), "{printed}");
    }
    let none = format!("\ndump_attention{{dump=\"{root}\"}} 0\n");
    assert!(printed.contains(&none), "{printed}");
}

#[test]
fn a_dump_root_without_dumps_is_a_failure() {
    let ground = Ground::empty();
    let (_, said) = ends(status(&ground, &["status"]), 1);
    assert!(
        said.contains("no dump") || said.contains("no 'current'"),
        "{said}"
    );
}

#[test]
fn a_dump_root_that_is_away_hides_no_other() {
    let ground = ground();
    let text = "[set.here]\nmain = \"../../tree\"\ndump = \"../../dump\"\n\
                [set.usb]\nmain = \"../../tree\"\ndump = \"../../usb\"\n";
    fixtures::shield::configure(&ground.at(""), text);
    let status = |words: &[&str]| {
        let mut command = ground.dumpctl(words);
        command.env_remove("DUMPROOT");
        command
    };
    let (printed, said) = ends(status(&["status"]), 3);
    assert_eq!(said, "");
    let first = printed.lines().next().expect("a line");
    assert!(
        first.starts_with("no dump root at ") && first.contains("/usb: "),
        "{printed}"
    );
    assert!(
        printed.contains("\nTREE") && !printed.contains("NEWAGE"),
        "{printed}"
    );
    let (printed, _) = ends(status(&["status", "--json"]), 3);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    assert_eq!(object["attention"][0]["what"], "no_root");
    assert_eq!(
        object["attention"].as_array().map(Vec::len),
        Some(1),
        "{printed}"
    );
    assert_eq!(object["roots"].as_array().map(Vec::len), Some(1));
    let (printed, _) = ends(status(&["status", "--prometheus"]), 3);
    assert!(printed.contains("/usb\"} 1\n"), "{printed}");
    // All of them: that is a failure.
    fs::rename(ground.root(), ground.at("away")).expect("renamed");
    ends(status(&["status"]), 1);
}

/// Two dump roots with one second disk.
#[test]
fn what_dump_roots_share_is_named_once() {
    let ground = ground();
    fs::create_dir(ground.at("usb")).expect("made");
    let usb = Snapshot::new(ground.at("usb")).main(ground.at("tree"));
    usb.init(true).run().expect("published");
    let text = "[set.here]\nmain = \"../../tree\"\ndump = \"../../dump\"\n\
                slave.dump = \"../../away\"\n\
                [set.usb]\nmain = \"../../tree\"\ndump = \"../../usb\"\n\
                slave.dump = \"../../away\"\n";
    fixtures::shield::configure(&ground.at(""), text);
    let mut status = ground.dumpctl(&["status", "--json"]);
    status.env_remove("DUMPROOT");
    let (printed, _) = ends(status, 3);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    let all = object["attention"].as_array().expect("a list");
    let is = |one: &&Value| one["what"] == "no_replica";
    assert_eq!(all.iter().filter(is).count(), 1, "{printed}");
    assert_eq!(object["roots"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_default_tree_is_not_missed_where_sets_name_the_trees() {
    let ground = ground();
    let text = "dump = \"../../dump\"\n[set.here]\nmain = \"../../tree\"\n";
    fixtures::shield::configure(&ground.at(""), text);
    let (printed, _) = ends(ground.dumpctl(&["status"]), 0);
    assert!(
        printed.starts_with("nothing needs attention\n"),
        "{printed}"
    );
}
