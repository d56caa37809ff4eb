//! `dumpctl scrub --source`: what it says of a tree, and how it ends.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Ground, ends};
use dumpcore::Snapshot;
use fixtures::fiemap::extents;
use fixtures::mounts::{Fs, Mount};
use serde_json::{Value, json};

fn source(ground: &Ground, tree: &Path, words: &[&str]) -> Command {
    let mut command = ground.dumpctl(&["scrub", "--source"]);
    command.args(words).env("MAINROOT", tree);
    command
}

/// A dump of a tree with its hashes; what is a moment old counts as settled.
fn dump(ground: &Ground, tree: &Path) -> String {
    fixtures::clock::tick();
    let init = !ground.has("current");
    let snapshot = Snapshot::new(ground.root()).main(tree).init(init);
    let report = snapshot.hash(true).settle(Duration::ZERO).run();
    let dump = report.expect("published").dump;
    let below = dump.strip_prefix(ground.root()).expect("below");
    below.display().to_string()
}

fn object(printed: &str) -> Value {
    serde_json::from_str(printed).expect("one object")
}

#[test]
fn a_tree_in_which_nothing_changed_ends_well() {
    let ground = Ground::empty();
    let tree = ground.at("tree");
    fs::write(tree.join("dir/file"), "a letter").expect("written");
    dump(&ground, &tree);
    let (printed, said) = ends(source(&ground, &tree, &[]), 0);
    assert_eq!(said, "");
    assert!(
        printed.ends_with(": nothing changed without a trace\n"),
        "{printed}"
    );
    let (printed, _) = ends(source(&ground, &tree, &["-n"]), 0);
    assert!(printed.starts_with("dry run: would read "), "{printed}");
    let (printed, _) = ends(source(&ground, &tree, &["--json", "--time", "1h"]), 0);
    let told = object(&printed);
    for (key, value) in [
        ("command", json!("scrub")),
        ("status", json!("complete")),
        ("source", json!(true)),
        ("changed", json!([])),
        ("unread", json!(0)),
        ("faults_total", json!(0)),
    ] {
        assert_eq!(told[key], value, "{key}: {told}");
    }
    let sum = ["files", "touched", "unsettled", "unknown"].map(|key| told[key].as_u64());
    assert_eq!(sum.into_iter().flatten().sum::<u64>(), 1, "{told}");
}

#[test]
fn a_tree_that_is_not_compared_needs_attention() {
    let ground = Ground::empty();
    let tree = ground.at("tree");
    fs::write(tree.join("dir/file"), "a letter").expect("written");
    dump(&ground, &tree);
    // One of two has never been dumped.
    let other = ground.at("other");
    fs::create_dir(&other).expect("made");
    ground.config(&format!("main = [{tree:?}, {other:?}]\n"));
    let both = |words: &[&str]| {
        let mut command = ground.dumpctl(&["scrub", "--source"]);
        command.args(words);
        command
    };
    let (printed, said) = ends(both(&[]), 3);
    assert!(printed.contains("nothing changed without"), "{printed}");
    assert!(said.contains("/other is not compared: "), "{said}");
    let (printed, said) = ends(both(&["-q"]), 3);
    assert_eq!(printed, "");
    assert!(said.contains("/other is not compared: "), "{said}");
    let (printed, _) = ends(both(&["--json"]), 3);
    let told = object(&printed);
    assert_eq!(told["status"], "attention", "{told}");
    assert_eq!(told["undumped"], json!([other]), "{told}");
    assert_eq!(told["uncompared"], json!([]), "{told}");
    // And of the only one nothing could be compared: its disk is not mounted.
    fs::rename(&tree, ground.at("old")).expect("moved");
    fs::create_dir(&tree).expect("made");
    let (printed, said) = ends(source(&ground, &tree, &["-q"]), 3);
    assert_eq!(printed, "");
    let nothing = format!("nothing of {} could be compared: ", tree.display());
    assert!(said.contains(&nothing), "{said}");
    let (printed, _) = ends(source(&ground, &tree, &[]), 3);
    assert!(
        printed.starts_with("nothing was compared; 1 file "),
        "{printed}"
    );
    let (printed, _) = ends(source(&ground, &tree, &["--json"]), 3);
    let told = object(&printed);
    assert_eq!(told["uncompared"], json!([tree]), "{told}");
}

#[test]
fn a_tree_in_which_all_is_newer_ends_well() {
    let ground = Ground::telling();
    let tree = ground.at("tree");
    fs::write(tree.join("dir/file"), "a letter").expect("written");
    dump(&ground, &tree);
    fs::write(tree.join("dir/file"), "the letter of today").expect("written");
    let (printed, _) = ends(source(&ground, &tree, &["--json"]), 0);
    let told = object(&printed);
    let numbers = ["files", "touched", "unknown"].map(|key| told[key].as_u64());
    assert_eq!(numbers, [Some(0), Some(1), Some(0)], "{told}");
    let (printed, said) = ends(source(&ground, &tree, &[]), 0);
    let nothing = "nothing to compare; 1 file written to since the last dump\n";
    assert_eq!((printed.as_str(), said.as_str()), (nothing, ""));
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let ground = Ground::empty();
    let tree = ground.at("tree");
    fs::write(tree.join("dir/file"), "a letter").expect("written");
    let init = Snapshot::new(ground.root()).main(&tree).init(true);
    init.catalog(false).run().expect("published");
    let (_, said) = ends(source(&ground, &tree, &[]), 1);
    assert!(said.contains("dumpctl catalog rebuild"), "{said}");
    dump(&ground, &tree);
    let other = ground.at("other");
    fs::create_dir(&other).expect("made");
    let (_, said) = ends(source(&ground, &other, &[]), 1);
    assert!(
        said.contains("has no dump of ") && said.contains("/other"),
        "{said}"
    );
    for words in [
        &["--heal"][..],
        &["--since", "1d"],
        &["--from", "/x"],
        &["current"],
    ] {
        let (_, said) = ends(source(&ground, &tree, words), 2);
        assert!(said.contains("--source"), "{said}");
    }
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn what_changed_without_a_trace_is_named_and_restored() {
    let ground = Ground::empty();
    let mut mount = Mount::new(Fs::Ext4, 100);
    let tree = mount.path().join("tree");
    fs::create_dir(&tree).expect("made");
    let letter = vec![b'a'; 100_000];
    fs::write(tree.join("a letter"), &letter).expect("written");
    fs::write(tree.join("other"), "other").expect("written");
    let link = tree.join("the same letter");
    fs::hard_link(tree.join("a letter"), &link).expect("linked");
    let name = dump(&ground, &tree);
    let extent = extents(&tree.join("a letter"))[0];
    mount.unmount();
    let image = File::options().write(true).open(mount.image());
    let image = image.expect("opened");
    image
        .write_all_at(b"b", extent.physical + 50_000)
        .expect("written");
    drop(image);
    mount.mount();
    let (printed, said) = ends(source(&ground, &tree, &[]), 3);
    assert!(
        printed.ends_with(": 1 changed without a trace\n"),
        "{printed}"
    );
    let path = tree.join("a letter").display().to_string();
    let link = link.display().to_string();
    let typed =
        format!("dumpctl restore --at {name} --in-place '{path}' && ln -f '{path}' '{link}'\n");
    assert!(
        said.ends_with(&typed)
            && said.contains(&format!("{path} (also {link}): "))
            && said.contains(&format!("which {name} has")),
        "{said}"
    );
    let (printed, _) = ends(source(&ground, &tree, &["--json"]), 3);
    let told = object(&printed);
    let expected = json!([{
        "path": path, "links": [link], "first": name, "last": name, "dump_is_good": true
    }]);
    assert_eq!(
        (&told["changed"], &told["files"]),
        (&expected, &json!(2)),
        "{told}"
    );
    // What is to be typed brings it back, under both names.
    let mut restore = ground.dumpctl(&["restore", "--at", &name, "--force"]);
    restore.args(["--in-place", &path]).env("MAINROOT", &tree);
    let output = restore.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let linked = Command::new("ln").args(["-f", &path, &link]).status();
    assert!(linked.expect("it runs").success());
    let inode = |path: &str| fs::metadata(path).expect("there").ino();
    assert_eq!(inode(&path), inode(&link));
    assert_eq!(fs::read(&link).expect("read"), letter, "{said}");
}
