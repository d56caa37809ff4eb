//! First dumps and the ones after them, as people make them: on from what
//! the original's scripts left, of several trees, of older copies.

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_fs::prelude::*;
use common::Place;
use fixtures::mounts::{Fs, Mount};
use fixtures::{Fingerprint, Options, assert_same_tree};
use serde_json::Value;

fn ran(output: &Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

fn json(place: &Place, args: &[&str], code: i32) -> Value {
    let mut command = place.plain_dumpme();
    command.args(["--json", "--log", "stderr"]).args(args);
    ran(&command.output().expect("dumpme runs"), code)
}

fn write(place: &Place, files: &[(&str, &str)]) {
    for (path, text) in files {
        place.dir.child(path).write_str(text).expect("written");
    }
}

fn make(place: &Place, dirs: &[&str]) {
    for dir in dirs {
        place.dir.child(dir).create_dir_all().expect("made");
    }
}

fn ino(path: PathBuf) -> u64 {
    path.symlink_metadata()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .ino()
}

/// What the original's set-up steps and scripts leave.
fn original(place: &Place, current: &Path) {
    write(
        place,
        &[
            ("NEWAGE/kept", "kept"),
            ("NEWAGE/sub/changed", "old"),
            ("NEWAGE/gone", "g"),
        ],
    );
    make(place, &["dump/.rsync", "dump/lost+found", "dump/first"]);
    write(
        place,
        &[("dump/note", "mine"), ("dump/.rsync/exclude", "*.tmp\n")],
    );
    let copied = Command::new("cp")
        .args(["-a", "NEWAGE", "dump/first"])
        .current_dir(place.dir.path())
        .status();
    assert!(copied.expect("cp runs").success());
    for name in ["current", "current_chk"] {
        symlink(current, place.dir.path().join("dump").join(name)).expect("linked");
    }
    write(
        place,
        &[
            ("NEWAGE/sub/changed", "new text"),
            ("NEWAGE/a.tmp", "t"),
            ("NEWAGE/b.o", "o"),
        ],
    );
    write(place, &[("NEWAGE/.rsync/exclude", "/NEWAGE/b.o\n.rsync\n")]);
    fs::remove_file(place.dir.path().join("NEWAGE/gone")).expect("removed");
}

#[test]
fn goes_on_from_what_the_original_left() {
    for absolute in [false, true] {
        let place = Place::new();
        let top = place.dir.path().to_path_buf();
        let first = Path::new("first/NEWAGE");
        let whole = top.join("dump/first/NEWAGE");
        original(&place, if absolute { &whole } else { first });
        let history = Fingerprint::of(&top.join("dump"));
        let report = json(&place, &["--main", "NEWAGE", "--dump", "dump"], 0);
        history.assert_unchanged(&top.join("dump"));
        assert_eq!(report["linked"]["number"], 1, "{report:#}");
        assert_eq!(report["copied"]["changed"]["number"], 1, "{report:#}");
        let current = top.join("dump/current");
        let target = fs::read_link(&current).expect("a link");
        assert!(target.is_relative() && target.starts_with("20".to_owned() + &year()[2..]));
        assert_eq!(
            fs::read_link(top.join("dump/current_chk")).expect("a link"),
            if absolute {
                whole.clone()
            } else {
                first.to_path_buf()
            }
        );
        let new = current.join("NEWAGE");
        assert_eq!(ino(new.join("kept")), ino(whole.join("kept")));
        let mut names: Vec<_> = fs::read_dir(&new)
            .expect("listed")
            .map(|e| e.expect("listed").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["kept", "sub"]);

        // The original made absolute links to its dumps, without the root.
        fs::remove_file(&current).expect("removed");
        symlink(top.join("dump").join(&target), &current).expect("linked");
        let report = json(&place, &["--main", "NEWAGE", "--dump", "dump"], 0);
        assert_eq!(report["copied"]["new"]["number"], 0, "{report:#}");
        assert_eq!(report["linked"]["number"], 2, "{report:#}");
    }
}

fn year() -> String {
    let year = Command::new("date").arg("+%Y").output().expect("date runs");
    String::from_utf8(year.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

#[test]
fn two_trees_go_into_one_dump() {
    let place = Place::new();
    write(&place, &[("one/f", "1"), ("two/deep/f", "2")]);
    make(&place, &["dump"]);
    let args = ["--main", "one", "--main", "two", "--dump", "dump"];
    json(&place, &[&args[..], &["--init"]].concat(), 0);
    let report = json(&place, &args, 0);
    assert_eq!(report["linked"]["number"], 2, "{report:#}");
    let current = place.dir.path().join("dump/current");
    for tree in ["one", "two"] {
        let source = place.dir.path().join(tree);
        assert_same_tree(&source, &current.join(tree), &Options::unprivileged());
    }
    // A tree that comes later is new, one that stays away is not in it.
    write(&place, &[("three/f", "3")]);
    let args = ["--main", "two", "--main", "three", "--dump", "dump"];
    let report = json(&place, &args, 0);
    assert_eq!(report["linked"]["number"], 1, "{report:#}");
    assert!(current.join("three/f").exists() && !current.join("one").exists());
}

#[test]
fn a_dry_run_writes_nothing() {
    let place = Place::new();
    write(&place, &[("tree/f", "f")]);
    make(&place, &["dump"]);
    let args = ["--main", "tree", "--dump", "dump"];
    let dump = place.dir.path().join("dump");
    let state = |path: &Path| {
        let meta = path.metadata().expect("stat");
        (
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime_nsec(),
            meta.nlink(),
        )
    };
    let before = state(&dump);
    json(&place, &[&args[..], &["--init", "-n"]].concat(), 0);
    assert_eq!(state(&dump), before);
    json(&place, &[&args[..], &["--init"]].concat(), 0);
    write(&place, &[("tree/g", "g")]);
    let (before, print) = (state(&dump), Fingerprint::with_atime(&dump));
    let file = dump.join("current/tree/f");
    let of_file = state(&file);
    let report = json(&place, &[&args[..], &["-n"]].concat(), 0);
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["copied"]["new"]["number"], 1, "{report:#}");
    assert_eq!(report["linked"]["number"], 1, "{report:#}");
    assert_eq!((state(&dump), state(&file)), (before, of_file));
    print.assert_unchanged(&dump);
}

#[test]
fn checksums_find_an_edit_that_hides_from_the_time_of_change_too() {
    let place = Place::new();
    write(&place, &[("tree/f", "before"), ("tree/g", "steady")]);
    make(&place, &["dump"]);
    let args = ["--main", "tree", "--dump", "dump"];
    json(&place, &[&args[..], &["--init"]].concat(), 0);
    let path = place.dir.path().join("tree/f");
    let mtime = path.metadata().and_then(|m| m.modified()).expect("mtime");
    fs::write(&path, "behind").expect("written");
    let file = File::options().write(true).open(&path).expect("opened");
    file.set_modified(mtime).expect("dated");
    let stored = place.dir.path().join("dump/current/tree/f");
    json(&place, &[&args[..], &["--ignore-ctime"]].concat(), 0);
    assert_eq!(fs::read(&stored).expect("read"), b"before");
    let report = json(&place, &[&args[..], &["-c"]].concat(), 0);
    assert_eq!(fs::read(&stored).expect("read"), b"behind");
    assert_eq!(report["copied"]["changed"]["number"], 1, "{report:#}");
    assert_eq!(report["linked"]["number"], 1, "{report:#}");
}

#[test]
fn older_copies_are_taken_in_between() {
    let place = Place::new();
    write(
        &place,
        &[
            ("tree/f", "same"),
            ("old/f", "same"),
            ("old/only then", "o"),
        ],
    );
    make(&place, &["dump"]);
    for tree in ["tree", "old"] {
        let file = File::open(place.dir.path().join(tree).join("f")).expect("opened");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(7))
            .expect("dated");
    }
    let import = |at: &str, args: &[&str]| {
        let all = [
            "--main",
            "old",
            "--root-name",
            "tree",
            "--dump",
            "dump",
            "--at",
            at,
        ];
        json(&place, &[&all[..], args].concat(), 0)
    };
    import("2020-05-05T05:05", &["--init"]);
    json(&place, &["--main", "tree", "--dump", "dump"], 0);
    let dump = place.dir.path().join("dump");
    let current = fs::read_link(dump.join("current")).expect("a link");
    let history = Fingerprint::of(&dump);
    let report = import("2021-06-06T06:06", &[]);
    history.assert_unchanged(&dump);
    let reference = dump.join("2020/0505/0505");
    assert_eq!(report["reference"], reference.to_str().expect("text"));
    assert_eq!(
        fs::read_link(dump.join("current")).expect("a link"),
        current
    );
    let all = ["2020/0505/0505", "2021/0606/0606", "current"];
    let inodes = all.map(|dump_of| ino(dump.join(dump_of).join("tree/f")));
    assert_eq!(inodes, [inodes[0]; 3], "one inode in all of them");
    assert!(dump.join("2021/0606/0606/tree/only then").exists());
}

#[test]
#[ignore = "needs root and a mount"]
fn other_filesystems_are_left_empty_when_told() {
    let place = Place::new();
    write(&place, &[("tree/f", "f")]);
    make(&place, &["tree/mnt", "dump"]);
    let inner = Mount::new(Fs::Tmpfs, 2);
    fs::write(inner.path().join("inner"), "inner").expect("written");
    fs::set_permissions(inner.path(), Permissions::from_mode(0o750)).expect("chmod");
    chown(inner.path(), Some(12), Some(34)).expect("chown");
    let mnt = place.dir.path().join("tree/mnt");
    let bind = |args: &[&str]| {
        let done = Command::new(args[0]).args(&args[1..]).arg(&mnt).status();
        assert!(done.expect("mount runs").success());
    };
    bind(&["mount", "--bind", inner.path().to_str().expect("text")]);
    let args = ["--main", "tree", "--dump", "dump"];
    let run = |more: &[&str]| json(&place, &[&args[..], more].concat(), 0);
    let first = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let stored = place.dir.path().join("dump/current/tree/mnt");
        run(&["--init", "-x"]);
        assert!(stored.is_dir() && !stored.join("inner").exists());
        let meta = stored.metadata().expect("stat");
        assert_eq!(
            (meta.mode() & 0o777, meta.uid(), meta.gid()),
            (0o750, 12, 34)
        );
        run(&[]);
        assert!(
            stored.join("inner").exists(),
            "mount points are crossed unless told"
        );
        run(&["-x"]);
        assert!(!stored.join("inner").exists());
    }));
    bind(&["umount"]);
    if let Err(panic) = first {
        std::panic::resume_unwind(panic);
    }
}
