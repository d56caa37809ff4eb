//! `dumpctl scrub`: what it says of damage, and how it ends.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::{Ground, MINUTES, ends};
use dumpcore::{CatalogTools, Replica, RunOptions, Scrub, Snapshot};
use fixtures::bindfs::Bindfs;
use fixtures::plain_user::PlainUser;
use fixtures::rot;
use fixtures::strace::{Inject, inject};
use serde_json::{Value, json};

/// Four dumps, of which the catalog has all hashes.
fn ground() -> Ground {
    let ground = Ground::new();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let scrubbed = Scrub::new(ground.root()).run().expect("scrubbed");
    assert_eq!(scrubbed.hashed, 5);
    ground
}

fn scrub(ground: &Ground, words: &[&str]) -> Command {
    let mut command = ground.dumpctl(&["scrub"]);
    command.args(words).env("MAINROOT", ground.at("tree"));
    command
}

fn object(printed: &str) -> Value {
    serde_json::from_str(printed).expect("one object")
}

#[test]
fn sound_dumps_end_well() {
    let ground = ground();
    let (printed, said) = ends(scrub(&ground, &[]), 0);
    assert_eq!(said, "");
    assert!(printed.starts_with("read 5 files, "), "{printed}");
    assert!(printed.ends_with(": nothing is damaged\n"), "{printed}");
    let (printed, said) = ends(scrub(&ground, &["-q"]), 0);
    assert_eq!((printed.as_str(), said.as_str()), ("", ""));
    let (printed, _) = ends(scrub(&ground, &["--json"]), 0);
    let told = object(&printed);
    assert_eq!(
        (&told["command"], &told["status"]),
        (&json!("scrub"), &json!("complete"))
    );
    let numbers = ["files", "healed", "unread", "hashed", "unhashed"];
    let numbers = numbers.map(|key| told[key].as_u64());
    assert_eq!(numbers, [Some(5), Some(0), Some(0), Some(0), Some(0)]);
    assert_eq!(told["damaged"], json!([]));
    assert!(told["bytes"].as_u64() > Some(300_000), "{told}");
    let (printed, _) = ends(scrub(&ground, &["-n"]), 0);
    assert!(
        printed.starts_with("dry run: would read 5 files, "),
        "{printed}"
    );
}

/// Where a filesystem does not tell when files were made, none has a hash: that nothing
/// was found there means nothing.
#[test]
#[ignore = "needs root and bindfs"]
fn what_cannot_be_compared_is_not_called_sound() {
    let view = Bindfs::new(&[]);
    let ground = Ground::empty();
    let dump = |more: &[&str]| {
        let mut command = scrub(&ground, more);
        let state = ground.at("state");
        command.env("DUMPROOT", view.path());
        command.env("STATE_DIRECTORY", state);
        command
    };
    fs::write(ground.at("tree/dir/file"), "a letter").expect("written");
    let options = RunOptions::new().local_state(ground.at("state"));
    let snapshot = Snapshot::new(view.path()).main(ground.at("tree"));
    let snapshot = snapshot.options(options).init(true);
    snapshot.run().expect("published");
    let (printed, said) = ends(dump(&[]), 0);
    let end = ": no damage was found; 1 file not compared, without a hash\n";
    assert!(printed.ends_with(end), "{printed}");
    assert!(
        said.contains("damage to the contents of 1 file in "),
        "{said}"
    );
    let (printed, _) = ends(dump(&["--json"]), 0);
    let told = object(&printed);
    let numbers = ["files", "hashed", "unhashed"].map(|key| told[key].as_u64());
    assert_eq!(numbers, [Some(1), Some(0), Some(1)]);
}

/// An ACL or a capability that is none on the disk any more is refused when it is asked
/// for, and not passed over. Files whose attributes this user may not read are.
#[test]
#[ignore = "needs strace, and user xattrs on the filesystem of temporary files"]
fn what_the_disk_has_that_is_no_attribute_is_damage() {
    for (errno, code) in [("EINVAL", 3), ("EIO", 3), ("EPERM", 0)] {
        let ground = Ground::empty();
        let noted = ground.at("tree/dir/noted");
        fs::write(&noted, "a letter").expect("written");
        xattr::set(&noted, "user.note", b"kept").expect("set");
        let snapshot = Snapshot::new(ground.root()).main(ground.at("tree"));
        snapshot.init(true).run().expect("published");
        let current = fs::canonicalize(ground.root().join("current")).expect("there");
        let of = current.join("tree/dir/noted");
        let faults = [Inject::error("fgetxattr", errno).on(&of)];
        let (printed, _) = ends(inject(&scrub(&ground, &["--json"]), &faults), code);
        let told = object(&printed);
        let damaged = told["damaged"].as_array().expect("a list");
        let why: Vec<&Value> = damaged.iter().map(|one| &one["why"]).collect();
        let expected = json!("read_error");
        let expected = (code == 3).then_some(&expected);
        assert_eq!(why, Vec::from_iter(expected), "{errno}: {told}");
        ends(scrub(&ground, &[]), 0);
    }
}

#[test]
fn damage_is_named_and_status_knows_of_it() {
    let ground = ground();
    let other = ground.at("other");
    fs::create_dir(&other).expect("made");
    let replica = Replica::of(ground.root())
        .to(&other)
        .latest(true)
        .init(true);
    replica.run().expect("replicated");
    rot(&ground.root().join("2030/0101/0200/tree/dir/same"), 7);
    let from = other.to_str().expect("UTF-8");
    let (printed, said) = ends(scrub(&ground, &["--from", from]), 3);
    assert!(printed.ends_with(": 1 damaged\n"), "{printed}");
    let path = ground.at("tree/dir/same");
    let expected = format!(
        "damaged: {} (in 4 dumps, 2030/0101/0100 to 2030/0102/0400): its contents are not what \
         was stored; a good copy is ",
        path.display()
    );
    assert!(said.contains(&expected), "{said}");

    let (printed, _) = ends(scrub(&ground, &["--json", "--from", from]), 3);
    let told = object(&printed);
    assert_eq!(
        (&told["status"], &told["exit"]),
        (&json!("attention"), &json!(3))
    );
    let damaged = &told["damaged"][0];
    let paths = json!([{
        "path": path, "first": "2030/0101/0100", "last": "2030/0102/0400", "dumps": 4
    }]);
    assert_eq!(
        (&damaged["why"], &damaged["paths"]),
        (&json!("contents"), &paths)
    );
    // The tree has it as it was, and so has the replica.
    let good: Vec<&str> = damaged["good"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|good| good.as_str().expect("a path"))
        .collect();
    assert!(good.contains(&path.to_str().expect("UTF-8")), "{good:?}");
    assert!(good.iter().any(|good| good.starts_with(from)), "{good:?}");

    assert_status_knows_of_one(&ground);
    assert_heals(&ground, from);
}

#[track_caller]
fn assert_heals(ground: &Ground, from: &str) {
    let (printed, said) = ends(scrub(ground, &["--heal", "--from", from]), 0);
    assert!(
        printed.ends_with(": nothing is damaged; 1 healed\n"),
        "{printed}"
    );
    let path = ground.at("tree/dir/same");
    let expected = format!("healed: {} (in 4 dumps, ", path.display());
    assert!(said.contains(&expected), "{said}");
    let same = |dump: &str| fs::read(ground.root().join(dump).join("tree/dir/same"));
    for minute in ["2030/0101/0100", "2030/0102/0400"] {
        assert!(same(minute).expect("read") == vec![1; 100_000], "{minute}");
    }
    assert_eq!(
        fs::read_dir(ground.root().join(".dump/damaged"))
            .expect("listed")
            .count(),
        2
    );
    let (printed, _) = ends(scrub(ground, &["--json", "--heal", "--discard"]), 0);
    let told = object(&printed);
    assert_eq!((&told["healed"], &told["damaged"]), (&json!(0), &json!([])));
    ends(scrub(ground, &["--discard"]), 2);
}

#[track_caller]
fn assert_status_knows_of_one(ground: &Ground) {
    let status = |words: &[&str]| {
        let mut command = ground.dumpctl(words);
        command.env("MAINROOT", ground.at("tree"));
        ends(command, 3).0
    };
    let printed = status(&["status"]);
    assert!(
        printed.starts_with("1 damaged file: 'dumpctl scrub --heal'; where 'dumpctl scrub' names"),
        "{printed}"
    );
    assert!(printed.contains("\nlast scrub: "), "{printed}");
    let told = object(&status(&["status", "--json"]));
    let scrubbed = &told["roots"][0]["scrub"];
    assert_eq!(
        (&scrubbed["damaged"], &scrubbed["names"]),
        (&json!(1), &json!(0))
    );
    assert!(scrubbed["time"].is_string() && scrubbed["whole"].is_string());
    let metrics = status(&["status", "--prometheus"]);
    assert!(metrics.contains("dump_damaged{"), "{metrics}");
}

#[test]
fn one_dump_or_the_last_ones_are_read() {
    let ground = ground();
    let read = |words: &[&str]| {
        let words = [&["--json"], words].concat();
        object(&ends(scrub(&ground, &words), 0).0)["files"].clone()
    };
    assert_eq!(read(&["2030/0102/0400"]), 2);
    assert_eq!(read(&["2030/0102/0300", "2030/0102/0400"]), 3);
    assert_eq!(read(&["--since", "2030/0102/0300"]), 3);
    assert_eq!(read(&["--time", "1h"]), 5);
    ends(scrub(&ground, &["--time", "6m"]), 2);
    ends(scrub(&ground, &["--since", "3d", MINUTES[0]]), 2);
    ends(scrub(&ground, &["2029/0101/0000"]), 1);
}

#[test]
fn copies_are_looked_for_in_dump_roots_alone() {
    let ground = ground();
    rot(&ground.root().join("2030/0101/0200/tree/dir/same"), 7);
    let empty = ground.at("empty");
    fs::create_dir(&empty).expect("made");
    for (from, why) in [
        (ground.at("nowhere"), "No such file or directory"),
        (empty, "there are no dumps in it"),
    ] {
        let from = from.to_str().expect("UTF-8");
        let (printed, said) = ends(scrub(&ground, &["--from", from]), 1);
        assert_eq!(printed, "");
        assert!(
            said.contains(&format!("--from {from} has no copies: ")),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("damaged"), "nothing was read: {said}");
    }
    // A second disk may be away.
    let text = format!(
        "main = {:?}\ndump = {:?}\n[slave]\ndump = {:?}\n",
        ground.at("tree"),
        ground.root(),
        ground.at("away")
    );
    let file = ground.at("dump.toml");
    fs::write(&file, text).expect("written");
    let mut command = ground.dumpctl(&["scrub", "--config"]);
    command.env_remove("DUMPROOT").arg(&file);
    let (printed, said) = ends(command, 3);
    assert!(printed.ends_with(": 1 damaged\n"), "{printed}");
    let away = ground.at("away");
    let expected = format!("no copies are looked for in {}, ", away.display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
#[ignore = "needs root to become another user"]
fn a_file_that_may_not_be_read_is_told_in_each_round_and_keeps_none_from_ending() {
    let user = PlainUser::new();
    let home = user.home();
    let run = |program: &str, words: &[&str]| {
        let mut command = user.command(program);
        command.args(words);
        command
    };
    let script = "mkdir -p tree dump/2030/0101/0100 && echo one >tree/one && \
                  echo two >tree/two && cp -a tree dump/2030/0101/0100 && \
                  ln -s 2030/0101/0100 dump/current";
    ends(run("sh", &["-c", script]), 0);
    let dumpctl = |words: &[&str]| {
        let mut command = run(env!("CARGO_BIN_EXE_dumpctl"), words);
        command.env("MAINROOT", home.join("tree"));
        command.env("DUMPROOT", home.join("dump"));
        command
    };
    ends(dumpctl(&["catalog", "rebuild"]), 0);
    ends(dumpctl(&["scrub"]), 0);
    let closed = home.join("dump/2030/0101/0100/tree/one");
    fs::set_permissions(closed, fs::Permissions::from_mode(0o000)).expect("set");
    for _ in 0..3 {
        let (printed, said) = ends(dumpctl(&["scrub", "--json"]), 3);
        let told = object(&printed);
        assert_eq!(
            (&told["files"], &told["unread"]),
            (&json!(1), &json!(1)),
            "{told}"
        );
        assert!(said.contains("not read: "), "{said}");
        assert!(said.contains("tree/one"), "{said}");
    }
}

#[test]
fn without_a_catalog_it_fails_and_says_what_to_do() {
    let ground = Ground::new();
    let (_, said) = ends(scrub(&ground, &[]), 1);
    assert!(said.contains("dumpctl catalog rebuild"), "{said}");
    CatalogTools::new(ground.root()).rebuild().expect("made");
    // No hash was taken when they were made.
    let (printed, _) = ends(scrub(&ground, &[]), 0);
    assert!(
        printed.ends_with("5 files had no hash, and have one from now on\n"),
        "{printed}"
    );
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_dump_root_that_is_read_only_is_said_to_be() {
    let ground = ground();
    let mount = fixtures::mounts::Mount::new(fixtures::mounts::Fs::Ext4, 100);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(ground.root())
        .arg(mount.path())
        .status();
    assert!(copied.expect("it runs").success());
    let root = mount.path().join("dump");
    let dumpctl = |words: &[&str]| {
        let mut command = ground.dumpctl(words);
        command
            .env("DUMPROOT", &root)
            .env("MAINROOT", ground.at("tree"));
        command
    };
    // It is another dump root, as the catalog sees it.
    fs::remove_file(root.join(".dump/catalog.db")).expect("removed");
    ends(dumpctl(&["catalog", "rebuild"]), 0);
    let remount = |how: &str| {
        let mut mounting = Command::new("mount");
        mounting
            .args(["-o", &format!("remount,{how}")])
            .arg(mount.path());
        assert!(mounting.status().expect("it runs").success());
    };
    remount("ro");
    let (_, said) = ends(dumpctl(&["scrub", "--heal"]), 1);
    assert!(said.contains("is read-only, and nothing can be"), "{said}");
    let (_, said) = ends(dumpctl(&["scrub"]), 0);
    assert!(
        said.contains("is read-only: what was read is not"),
        "{said}"
    );
    ends(dumpctl(&["scrub", "-n"]), 0);
    remount("rw");
    ends(dumpctl(&["scrub"]), 0);
    rot(&root.join("current/tree/dir/same"), 5_000);
    remount("ro");
    // Each time again, as nothing is remembered.
    for words in [
        &["scrub", "--json"][..],
        &["scrub", "--json", "--time", "1h"],
    ] {
        let (printed, said) = ends(dumpctl(words), 3);
        let told = object(&printed);
        assert_eq!(told["read_only"], true, "{told}");
        assert_eq!(told["damaged"][0]["why"], "contents", "{told}");
        assert!(said.contains("damaged: "), "{said}");
    }
    remount("rw");
    ends(dumpctl(&["scrub", "--heal"]), 0);
}
