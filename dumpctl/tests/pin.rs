//! `dumpctl pin` and `dumpctl unpin`, and what a pin keeps.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Ground, ends};
use dumpcore::{DumpRoot, PinName, Snapshot};
use fixtures::plain_user::PlainUser;
use fixtures::strace::{Inject, inject};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

#[test]
fn a_pin_keeps_a_dump_until_it_is_removed() {
    let ground = Ground::new();
    let pin = ["pin", "2030/0101/0200", "before-upgrade"];
    let (printed, _) = ends(ground.dumpctl(&["pin", "-n", pin[1], pin[2]]), 0);
    assert_eq!(
        printed,
        "dry run: would pin 2030/0101/0200 as before-upgrade\n"
    );
    assert!(!ground.has("before-upgrade"));
    let (printed, said) = ends(ground.dumpctl(&pin), 0);
    assert_eq!(printed, "pinned 2030/0101/0200 as before-upgrade\n");
    assert_eq!(said, "");
    let target = fs::read_link(ground.root().join("before-upgrade")).expect("a link");
    assert_eq!(target, Path::new("2030/0101/0200"));
    let (printed, _) = ends(ground.dumpctl(&pin), 0);
    assert!(printed.contains("is already pinned"), "{printed}");
    let (_, said) = ends(ground.dumpctl(&["remove", "--force", "before-upgrade"]), 1);
    assert!(
        said.contains("with 'dumpctl unpin before-upgrade'"),
        "{said}"
    );
    let (listed, _) = ends(ground.dumpctl(&["list", "-q"]), 0);
    let line = listed.lines().find(|line| line.contains("before-upgrade"));
    assert!(
        line.is_some_and(|line| line.starts_with("2030/0101/0200")),
        "{listed}"
    );
    // As Tab completes it.
    let path = ground.root().join("before-upgrade");
    let (printed, _) = ends(ground.dumpctl(&["unpin", path.to_str().expect("text")]), 0);
    assert_eq!(
        printed,
        "removed the pin before-upgrade of 2030/0101/0200\n"
    );
    ends(ground.dumpctl(&["remove", "--force", "2030/0101/0200"]), 0);
}

#[test]
fn without_a_dump_the_newest_is_pinned_and_machines_are_told() {
    let ground = Ground::new();
    let read = |words: &[&str]| -> Value {
        let (printed, _) = ends(ground.dumpctl(words), 0);
        serde_json::from_str(&printed).expect("an object")
    };
    for word in ["pin", "unpin"] {
        let told = read(&[word, "--json", "newest"]);
        let expected = json!({
            "schema": 1, "program": "dumpctl", "command": word, "version": told["version"],
            "status": "complete", "exit": 0, "dry_run": false, "dump_root": ground.root(),
            "name": "2030/0102/0400", "path": ground.root().join("2030/0102/0400"),
            "pin": "newest",
        });
        assert_eq!(told, expected);
    }
    assert!(!ground.has("newest"));
}

/// With a file, two links that keep no dump, and two pins, of which one has lost
/// its dump.
fn ground_with_names() -> Ground {
    let ground = Ground::new();
    let root = ground.root();
    fs::write(root.join("notes"), "").expect("written");
    symlink("2030/0101/0200/tree", root.join("almost")).expect("linked");
    symlink("2030/0101/0300", root.join("gone")).expect("linked");
    ends(ground.dumpctl(&["pin", "2030/0101/0200", "kept"]), 0);
    ground
}

#[track_caller]
fn refuses(ground: &Ground, words: &str, code: i32, text: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let (printed, said) = ends(ground.dumpctl(&words), code);
    assert!(said.contains(text), "{words:?}: {said}");
    assert_eq!(printed, "");
}

#[test]
fn what_cannot_be_pinned_is_told() {
    let ground = ground_with_names();
    for (words, code, text) in [
        ("pin", 2, "name the pin"),
        (
            "pin currently",
            2,
            "currently cannot be the name of a pin: names that",
        ),
        ("pin 3d", 2, "names that begin with a digit"),
        ("pin yesterday", 2, "it names a moment"),
        ("pin a/b", 2, "a pin is one name in the dump root"),
        ("pin notes", 1, "notes already exists and is not a pin"),
        ("pin almost", 1, "almost already exists and is not a pin"),
        (
            "pin kept",
            1,
            "kept already exists and keeps 2030/0101/0200; remove it first",
        ),
        (
            "pin gone",
            1,
            "gone already exists and keeps 2030/0101/0300",
        ),
        (
            "pin 2030/0101 day",
            2,
            "2030/0101 is a day with 2 dumps; name the ones",
        ),
        (
            "pin 2030/0101/0300 x",
            1,
            "no dump 2030/0101/0300; the nearest are",
        ),
    ] {
        refuses(&ground, words, code, text);
    }
    let (printed, _) = ends(ground.dumpctl(&["pin", "--json", "kept"]), 1);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    let told = (&object["status"], &object["command"]);
    assert_eq!(told, (&json!("failed"), &json!("pin")));
}

#[test]
fn what_is_not_a_pin_is_not_removed() {
    let ground = ground_with_names();
    for (words, code, text) in [
        ("unpin", 2, "name the pin"),
        ("unpin current", 2, "current cannot be the name of a pin"),
        ("unpin other", 1, "has no pin other; there are gone, kept"),
        ("unpin notes", 1, "notes is not a pin"),
        (
            "unpin almost",
            1,
            "its target 2030/0101/0200/tree is not exactly a dump",
        ),
    ] {
        refuses(&ground, words, code, text);
    }
    for name in ["current", "notes", "almost", "kept"] {
        assert!(
            fs::symlink_metadata(ground.root().join(name)).is_ok(),
            "{name}"
        );
    }
    // A pin whose dump somebody removed can go.
    ends(ground.dumpctl(&["unpin", "gone"]), 0);
}

#[test]
fn a_running_dump_is_not_in_the_way_of_a_pin() {
    let ground = Ground::new();
    let lock = DumpRoot::open(ground.root()).expect("opened").lock();
    let _lock = lock.expect("locked");
    ends(ground.dumpctl(&["pin", "kept"]), 0);
    ends(ground.dumpctl(&["unpin", "kept"]), 0);
}

#[test]
fn a_dump_gets_its_pin_when_it_is_published() {
    let ground = Ground::new();
    let name = |name| PinName::new(name).expect("a name");
    let take = |at: &str, pin| {
        let snapshot = Snapshot::new(ground.root()).main(ground.at("tree"));
        let snapshot = snapshot.at(at.parse().expect("a minute")).pin(name(pin));
        snapshot.run()
    };
    take("2030-01-03T00:00", "made").expect("published");
    let target = fs::read_link(ground.root().join("made")).expect("a link");
    assert_eq!(target, Path::new("2030/0103/0000"));
    let error = take("2030-01-03T01:00", "made").expect_err("taken");
    assert!(error.to_string().contains("already exists"), "{error}");
    assert!(!ground.has("2030/0103/0100") && !ground.has("2030/0103/0100_incomplete"));
}

/// The moment between what a removal has looked at and its rename.
#[test]
#[ignore = "needs strace"]
fn a_dump_that_is_pinned_while_it_is_being_removed_stays() {
    let ground = Ground::new();
    let command = ground.dumpctl(&["remove", "--force", "2030/0101/0200"]);
    // Its plan is made under the lock; then it takes the dump alone.
    let slow = Inject::delay("flock", 4_000_000).when(2);
    let mut child = inject(&command, &[slow]).spawn().expect("it runs");
    while !ground.has(".dump/removing") {
        assert!(child.try_wait().expect("asked").is_none(), "too soon");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    ends(ground.dumpctl(&["pin", "2030/0101/0200", "kept"]), 0);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert!(ground.has("2030/0101/0200/tree/own") && ground.has("kept/tree/own"));
}

#[test]
#[ignore = "needs root to become another user"]
fn another_users_root_is_told_as_such() {
    let (ground, user) = (Ground::empty(), PlainUser::new());
    let root = fixtures::plain_user::open_dir();
    let snapshot = Snapshot::new(root.path())
        .main(ground.at("tree"))
        .init(true);
    snapshot.run().expect("published");
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpctl"));
    command.args(["pin", "kept", "--dump"]).arg(root.path());
    let (_, said) = ends(command, 1);
    assert!(said.contains("the dump root belongs to root"), "{said}");
}

#[test]
fn a_reader_is_not_disturbed() {
    let ground = Ground::new();
    let reader = File::open(ground.root().join("2030/0101/0200")).expect("opened");
    flock(&reader, FlockOperation::LockShared).expect("held");
    ends(ground.dumpctl(&["pin", "2030/0101/0200", "kept"]), 0);
}
