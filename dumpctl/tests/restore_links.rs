//! `dumpctl restore` of several paths: what is one file in the dump becomes one file
//! again, whichever of the paths its names are below.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Ground, ends};
use fixtures::fingerprint::Fingerprint;
use fixtures::{Options, assert_same_tree};

const PATHS: [&str; 3] = ["tree/one", "tree/two", "tree/single"];

/// A tree in which names below three paths are one file, of which there is a dump,
/// `2030/0101/0100`.
fn linked() -> Ground {
    let ground = Ground::empty();
    let at = |name: &str| ground.at(&format!("tree/{name}"));
    fs::remove_dir(at("dir")).expect("removed");
    for dir in ["one/deep", "two/deep/er"] {
        fs::create_dir_all(at(dir)).expect("made");
    }
    for name in ["one/a", "one/within", "one/alone", "two/alone"] {
        fs::write(at(name), "the same").expect("written");
    }
    let now = fs::metadata(at("one/a")).expect("there").modified();
    for name in ["one/within", "one/alone", "two/alone"] {
        let file = fs::File::options().write(true).open(at(name));
        let set = file.and_then(|file| file.set_modified(*now.as_ref().expect("told")));
        set.expect("set");
    }
    std::os::unix::fs::symlink("nowhere", at("one/deep/link")).expect("linked");
    for (old, new) in [
        ("one/a", "two/b"),
        ("one/a", "two/deep/er/c"),
        ("one/a", "single"),
        ("one/within", "one/deep/within"),
        ("one/deep/link", "two/link"),
    ] {
        fs::hard_link(at(old), at(new)).expect("linked");
    }
    ground.dump("2030-01-01T01:00");
    ground
}

#[track_caller]
fn restore(ground: &Ground, words: &[&str], code: i32) -> (String, String) {
    let mut command = ground.dumpctl(&["restore", "--force"]);
    command
        .args(words)
        .args(PATHS)
        .env("MAINROOT", ground.at("tree"))
        .current_dir(ground.at("."))
        .stdin(Stdio::null());
    let before = Fingerprint::of(&ground.root().join("2030"));
    let ended = ends(command, code);
    before.assert_unchanged(&ground.root().join("2030"));
    ended
}

fn in_dump(ground: &Ground) -> PathBuf {
    ground.root().join("2030/0101/0100/tree")
}

#[track_caller]
fn assert_restored(ground: &Ground, to: &Path) {
    let options = Options {
        root: false,
        ..Options::of_runner()
    };
    assert_same_tree(&in_dump(ground), to, &options);
}

/// The same, whichever names are one file.
#[track_caller]
fn assert_contents(ground: &Ground, to: &Path) {
    let options = Options {
        root: false,
        links: false,
        ..Options::of_runner()
    };
    assert_same_tree(&in_dump(ground), to, &options);
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("there").ino()
}

#[test]
fn names_below_several_paths_are_one_file_again() {
    let ground = linked();
    let out = ground.at("out");
    let (printed, said) = restore(&ground, &["--to", "out", "--verify"], 0);
    assert_eq!(said, "");
    assert_restored(&ground, &out);
    assert!(printed.contains("tree/two: "), "{printed}");
    let before = Fingerprint::of(&out);
    restore(&ground, &["--to", "out"], 0);
    before.assert_unchanged(&out);
}

#[test]
fn what_is_gone_becomes_a_link_to_what_is_still_there() {
    let ground = linked();
    let tree = ground.at("tree");
    let kept = inode(&tree.join("single"));
    fs::remove_dir_all(tree.join("two")).expect("removed");
    restore(&ground, &["--in-place"], 0);
    assert_eq!(inode(&tree.join("single")), kept);
    assert_restored(&ground, &tree);
    // Only what an earlier path has can be linked to.
    fs::remove_dir_all(tree.join("one")).expect("removed");
    restore(&ground, &["--in-place"], 0);
    assert_eq!(inode(&tree.join("two/b")), kept);
    assert_ne!(inode(&tree.join("one/a")), kept);
    assert_contents(&ground, &tree);
}

/// What is the same is not touched, neither is it asked for.
#[test]
fn right_copies_stay_as_they_are() {
    let ground = linked();
    let tree = ground.at("tree");
    for name in ["two/b", "single"] {
        let (path, copy) = (tree.join(name), tree.join("copy"));
        let copied = Command::new("cp").arg("-a").args([&path, &copy]).status();
        assert!(copied.expect("it runs").success());
        fs::rename(&copy, &path).expect("renamed");
    }
    // Its names, one after the other: a directory on the way would get its time back.
    restore(&ground, &["--in-place"], 0);
    let before = Fingerprint::of(&tree);
    let (printed, _) = restore(&ground, &["--in-place"], 0);
    before.assert_unchanged(&tree);
    assert!(!printed.contains("replaced"), "{printed}");
    let inodes = ["one/a", "two/b", "single"].map(|name| inode(&tree.join(name)));
    let different: std::collections::BTreeSet<u64> = inodes.into_iter().collect();
    assert_eq!(different.len(), 3);
    assert_contents(&ground, &tree);
}

/// Somebody linked a file of the dump into the tree (`cp -al`): what is written to it
/// later would change the dump, and so would what is written to names that a restore
/// links to it.
#[test]
fn no_file_of_the_dump_is_in_what_was_restored() {
    for name in ["one/a", "two/b", "single"] {
        let ground = linked();
        let (tree, dump) = (ground.at("tree"), in_dump(&ground));
        for gone in ["two/deep/er/c", name] {
            fs::remove_file(tree.join(gone)).expect("removed");
        }
        fs::hard_link(dump.join(name), tree.join(name)).expect("linked");
        let (printed, _) = restore(&ground, &["--in-place", "-n"], 0);
        assert!(printed.contains("replace 1 entry"), "{name}: {printed}");
        restore(&ground, &["--in-place"], 0);
        for of in ["one/a", "two/b", "two/deep/er/c", "single"] {
            assert_ne!(
                inode(&tree.join(of)),
                inode(&dump.join(name)),
                "{name}: {of}"
            );
        }
        assert_contents(&ground, &tree);
    }
}

#[test]
fn what_has_a_name_outside_is_not_changed_through_it() {
    for text in ["the same", "another"] {
        let ground = linked();
        let (tree, outside) = (ground.at("tree"), ground.at("outside"));
        for path in ["two", "single"] {
            let path = tree.join(path);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        fs::hard_link(tree.join("one/a"), &outside).expect("linked");
        if text == "another" {
            fs::write(&outside, text).expect("written");
        }
        let look = || {
            let meta = fs::metadata(&outside).expect("there");
            (meta.ino(), meta.mode(), meta.modified().expect("told"))
        };
        let before = look();
        restore(&ground, &["--in-place"], 0);
        assert_eq!(look(), before);
        assert_eq!(fs::read_to_string(&outside).expect("read"), text);
        assert_restored(&ground, &tree);
    }
}

/// A path within another has no names of its own.
#[test]
fn a_path_may_be_within_another() {
    let ground = linked();
    let tree = ground.at("tree");
    for gone in ["one", "two/deep"] {
        fs::remove_dir_all(tree.join(gone)).expect("removed");
    }
    let mut command = ground.dumpctl(&["restore", "--force", "--in-place"]);
    command.args(["tree/two/deep/er", "tree", "tree/one/a"]);
    command.env("MAINROOT", &tree).current_dir(ground.at("."));
    let (_, said) = ends(command, 0);
    assert_eq!(said, "");
    assert_restored(&ground, &tree);
}

/// What stays as it is, is not what the dump has: nothing is linked to it.
#[test]
fn what_stays_is_not_linked_to() {
    let ground = linked();
    let tree = ground.at("tree");
    fs::remove_dir_all(tree.join("two")).expect("removed");
    fs::remove_file(tree.join("single")).expect("removed");
    let newer = fs::metadata(tree.join("one/a")).expect("there").modified();
    fs::write(tree.join("one/a"), "not same").expect("written");
    // Of one size and time with that of the dump.
    let file = fs::File::options().write(true).open(tree.join("one/a"));
    let set = file.and_then(|file| file.set_modified(newer.expect("told")));
    set.expect("set");
    restore(&ground, &["--in-place", "--overwrite", "if-newer"], 0);
    let read = |name: &str| fs::read_to_string(tree.join(name)).expect("read");
    assert_eq!(read("one/a"), "not same");
    assert_eq!([read("two/b"), read("single")], ["the same", "the same"]);
    assert_eq!(inode(&tree.join("two/b")), inode(&tree.join("single")));
}

#[test]
#[ignore = "runs rsync"]
fn rsync_finds_nothing_to_link() {
    let ground = linked();
    restore(&ground, &["--to", "out"], 0);
    let by_rsync = || {
        let mut rsync = Command::new("rsync");
        rsync.args(["-aHAXni", "--checksum", "--relative"]);
        rsync.args(["one", "two", "single"]).arg(ground.at("out"));
        rsync.current_dir(in_dump(&ground));
        ends(rsync, 0).0
    };
    assert_eq!(by_rsync(), "");
    // It would tell.
    let (path, copy) = (ground.at("out/two/b"), ground.at("out/copy"));
    let copied = Command::new("cp").arg("-a").args([&path, &copy]).status();
    assert!(copied.expect("it runs").success());
    fs::rename(&copy, &path).expect("renamed");
    assert!(by_rsync().contains("two/b => "), "{}", by_rsync());
}
