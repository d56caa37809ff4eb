//! A dump root on another machine, seen through a real sshd and sshfs.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use assert_fs::prelude::*;
use common::Place;
use fixtures::far::Sshd;
use predicates::str::contains;

#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn dumps_are_made_over_sshfs_and_a_read_only_one_is_refused() {
    let place = Place::new();
    let tree = place.dir.child("tree");
    tree.child("file").write_str("text\n").expect("written");
    let file = tree.path().join("file");
    fs::set_permissions(&file, Permissions::from_mode(0o4755)).expect("set");
    place.dir.child("dump").create_dir_all().expect("made");
    let sshd = Sshd::up(place.dir.path());
    let [there, far] = ["dump", "far"].map(|name| place.dir.path().join(name));
    let run = |args: &[&str]| {
        let mut run = place.dumpme();
        run.args(["--main", "tree", "--dump", "far", "--log", "stderr"])
            .args(args);
        run.assert()
    };
    {
        let _far = sshd.mount(&there, &far, "");
        run(&["--init", "-q", "--at", "2026-01-01T00:00"]).code(0);
        run(&["-q"]).code(0);
    }
    // Seen from the other machine: linked, with its mode.
    let old = place.dir.path().join("dump/2026/0101/0000/tree/file");
    let new = place.dir.path().join("dump/current/tree/file");
    let [old, new] = [old, new].map(|path| fs::metadata(path).expect("dumped"));
    assert_eq!(old.ino(), new.ino());
    assert_eq!(new.mode() & 0o7777, 0o4755);

    let _far = sshd.mount(&there, &far, "ro");
    let current = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    run(&[]).code(1).stderr(contains("Read-only file system"));
    run(&["--check-age", "26h"]).code(0);
    let after = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    assert_eq!(current, after);
}
