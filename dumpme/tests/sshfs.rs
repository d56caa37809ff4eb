//! A dump root on another machine, seen through a real sshd and sshfs.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

use assert_fs::prelude::*;
use common::Place;
use fixtures::sshfs_server::Sshd;
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
        let lost = "warning: far does not keep fractions of a second in times, ACLs, attributes user.*, attributes trusted.*, \
                    attributes security.*, owners and times of symlinks \
                    (its filesystem is fuse)";
        run(&["--init", "--at", "2026-01-01T00:00"])
            .code(0)
            .stderr(contains(lost));
        let second = run(&["-v"]).code(0);
        second.stdout(contains("16 workers, chosen for a network mount\n"));
        run(&["-q"]).code(0).stderr("");
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

/// The server sets owner and times of what a symlink points to instead of its
/// own; a link that leads nowhere would stop the run.
#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn nothing_is_changed_through_a_symlink_on_the_server() {
    let place = Place::new();
    let outside = place.dir.child("outside");
    outside.write_str("not dumped\n").expect("written");
    let tree = place.dir.child("tree");
    tree.create_dir_all().expect("made");
    for (name, target) in [("out", outside.path()), ("nowhere", Path::new("/no/such"))] {
        let link = tree.path().join(name);
        symlink(target, &link).expect("made");
        lchown(&link, Some(1234), Some(1234)).expect("root gives it away");
    }
    place.dir.child("dump").create_dir_all().expect("made");
    let before = fs::metadata(outside.path()).expect("there");
    let sshd = Sshd::up(place.dir.path());
    let [there, far] = ["dump", "far"].map(|name| place.dir.path().join(name));
    // Newer versions of sshfs do not show where such symlinks point, unless
    // told; others would not know the word.
    let help = Command::new("sshfs").arg("--help").output();
    let help = String::from_utf8_lossy(&help.expect("sshfs runs").stdout).into_owned();
    let show = if help.contains("no_contain_symlinks") {
        "no_contain_symlinks"
    } else {
        ""
    };
    let _far = sshd.mount(&there, &far, show);
    let run = |args: &[&str]| {
        let mut run = place.dumpme();
        run.args(["--main", "tree", "--dump", "far", "--log", "stderr"])
            .args(args);
        run.assert().code(0)
    };
    run(&["--init", "--at", "2026-01-01T00:00"]).stderr(contains("owners and times of symlinks"));
    run(&[]).stderr(contains("2 linked, 0 copied"));
    run(&["--at", "2026-01-01T00:30"]).stderr(contains("2 linked, 0 copied"));
    let after = fs::metadata(outside.path()).expect("there");
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_eq!(
        after.modified().expect("a time"),
        before.modified().expect("a time")
    );
    let text = fs::read_link(place.dir.path().join("dump/current/tree/out"));
    assert_eq!(text.expect("dumped"), outside.path());
}

/// Servers that are not OpenSSH's may lack its extensions.
#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn a_server_without_what_dumps_need_is_refused_with_the_reason() {
    for (lacking, reason) in [
        ("hardlink", "is on a filesystem without hard links (fuse)"),
        (
            "posix-rename",
            "is on a filesystem that cannot replace a name (fuse)",
        ),
    ] {
        let place = Place::new();
        let tree = place.dir.child("tree");
        tree.child("file").write_str("text\n").expect("written");
        place.dir.child("dump").create_dir_all().expect("made");
        let sshd = Sshd::without(place.dir.path(), lacking);
        let [there, far] = ["dump", "far"].map(|name| place.dir.path().join(name));
        let _far = sshd.mount(&there, &far, "");
        let mut run = place.dumpme();
        run.args(["--main", "tree", "--dump", "far", "--init"])
            .args(["--log", "stderr"]);
        run.assert().code(1).stderr(contains(reason));
        let left = fs::read_dir(place.dir.path().join("dump")).expect("listed");
        let mut left = left.map(|entry| entry.expect("listed").file_name());
        // FUSE keeps a lock that is held until it is closed, and so its directory.
        assert!(left.all(|name| name == ".dump"), "{lacking}");
    }
}
