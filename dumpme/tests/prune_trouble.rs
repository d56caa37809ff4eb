//! What cannot be removed behind a dump: one warning says so, and the dump is as good.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::Place;
use fixtures::chattr::{Freed, chattr, free};
use fixtures::strace::{Inject, output_with};

const CONFIGURATION: &str = "main = \"../../tree\"\ndump = \"../../dump\"\nlog = \"stderr\"\n\
                             catalog = false\n[keep]\nauto = true\nlast = 1\n";

/// Takes a dump of that minute of a tree in which all is new. It must be whole.
fn dump_at(place: &Place, day: usize) -> Output {
    let tree = place.dir.path().join("tree");
    fs::create_dir_all(tree.join("dir/sub")).expect("made");
    for path in ["dir/a", "dir/b", "dir/sub/c", "file"] {
        fs::write(tree.join(path), format!("{path} of day {day}")).expect("written");
    }
    let mut dumpme = place.plain_dumpme();
    if day == 1 {
        dumpme.arg("--init");
    }
    let ran = dumpme.args(["--at", &format!("2020-01-{day:02}T00:00")]);
    let ran = ran.output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "day {day}: {said}");
    let newest = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    assert_eq!(newest, Path::new(&format!("2020/01{day:02}/0000")));
    ran
}

/// The warnings of a run, none of which may be an error.
fn told(ran: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&ran.stderr);
    let is_report = |line: &str| {
        let report = [": starting ", ": finished ", ": pruned "];
        report.iter().any(|words| line.contains(words))
    };
    let lines = said.lines().filter(|line| !is_report(line));
    assert!(
        lines.clone().all(|line| line.contains("warning: ")),
        "{said}"
    );
    lines.map(str::to_owned).collect()
}

/// The dump of the second day is the first that goes: `current_chk` names that of the
/// first.
#[test]
#[ignore = "needs root, for chattr(1) on the filesystem of temporary files"]
fn what_cannot_be_removed_is_a_warning_of_each_run_and_told_once() {
    // What is given the attribute, what is named, and what is left.
    for (path, how, named, left) in [
        ("file", "+i", "file", &["file"][..]),
        ("dir", "+a", "dir", &["dir/a", "dir/b", "dir/sub"]),
        ("dir/sub", "+i", "dir/sub", &["dir/sub/c"]),
        ("dir/sub", "+a", "dir/sub", &["dir/sub/c"]),
        ("dir/sub/c", "+a", "dir/sub/c", &["dir/sub/c"]),
    ] {
        let place = Place::with_tree();
        place.config(CONFIGURATION);
        let root = place.dir.path().join("dump");
        let _freed = Freed(root.clone());
        for day in [1, 2] {
            assert_eq!(told(&dump_at(&place, day)), [""; 0]);
        }
        chattr(how, &root.join("2020/0102/0000/tree").join(path));
        let away = root.join(".dump/removing/2020-0102-0000");
        for day in [3, 4, 5] {
            let told = told(&dump_at(&place, day));
            assert_eq!(told.len(), 1, "{path} {how}, day {day}: {told:#?}");
            let named = format!("/.dump/removing/2020-0102-0000/tree/{named}: Operation not");
            assert!(told[0].contains(&named), "{told:?} {named}");
            assert!(told[0].contains("run 'chattr -ia' on it first"), "{told:?}");
            let gone = root.join(format!("2020/01{:02}", day - 1));
            assert!(!gone.exists(), "the others go: {gone:?}");
            assert!(!root.join("2020/0102").exists());
        }
        for left in left {
            assert!(away.join("tree").join(left).exists(), "{left}");
        }
        assert_eq!(away.join("tree/file").exists(), path == "file");
        free(&away);
        assert_eq!(told(&dump_at(&place, 6)), [""; 0]);
        assert!(!root.join(".dump/removing").exists());
    }
}

/// A dump whose own directory is immutable, or that above it, keeps its name.
#[test]
#[ignore = "needs root, for chattr(1) on the filesystem of temporary files"]
fn what_cannot_leave_its_name_is_a_warning_as_well() {
    for (path, why) in [
        ("2020/0102/0000", "since it is immutable or append-only"),
        (
            "2020/0102",
            "since the directory that contains it is immutable",
        ),
    ] {
        let place = Place::with_tree();
        place.config(CONFIGURATION);
        let root = place.dir.path().join("dump");
        let _freed = Freed(root.clone());
        dump_at(&place, 1);
        dump_at(&place, 2);
        chattr("+i", &root.join(path));
        for day in [3, 4] {
            let told = told(&dump_at(&place, day));
            assert_eq!(told.len(), 1, "{told:#?}");
            let kept = told[0].contains("kept 2020/0102/0000: cannot rename ");
            assert!(kept && told[0].contains(why), "{told:?}");
            assert!(told[0].contains("'chattr -ia'"), "{told:?}");
            assert!(root.join("2020/0102/0000/tree/dir/sub/c").exists());
        }
        chattr("-i", &root.join(path));
        assert_eq!(told(&dump_at(&place, 5)), [""; 0]);
        assert!(!root.join("2020/0102").exists());
    }
}

/// Where what is on its way out lies cannot be made.
#[test]
fn that_nothing_can_be_removed_at_all_is_a_warning_too() {
    let place = Place::with_tree();
    place.config(CONFIGURATION);
    let root = place.dir.path().join("dump");
    dump_at(&place, 1);
    dump_at(&place, 2);
    let removing = root.join(".dump/removing");
    fs::write(&removing, "a file").expect("written");
    let told = told(&dump_at(&place, 3));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("cannot prune: "), "{told:?}");
    assert!(root.join("2020/0102/0000").exists());
    fs::remove_file(removing).expect("removed");
    dump_at(&place, 4);
    assert!(!root.join("2020/0102").exists());
}

/// A disk that fails is not one that refuses: the dump is published, and the run says by
/// its exit code that somebody has to look.
#[test]
#[ignore = "needs strace"]
fn a_disk_that_fails_is_told_by_the_exit_code() {
    let place = Place::with_tree();
    place.config(CONFIGURATION);
    let root = place.dir.path().join("dump");
    dump_at(&place, 1);
    dump_at(&place, 2);
    let mut third = place.plain_dumpme();
    third.args(["--at", "2020-01-03T00:00"]);
    let gone = root.join(".dump/removing/2020-0102-0000/tree/dir/sub");
    let faults = [Inject::error("unlinkat", "EIO").on(&gone)];
    let ran = output_with(&third, &faults);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(23), "{said}");
    assert!(said.contains("Input/output error"), "{said}");
    let newest = fs::read_link(root.join("current")).expect("a link");
    assert_eq!(newest, Path::new("2020/0103/0000"));
    assert!(gone.join("c").exists(), "it was refused");
    assert_eq!(told(&dump_at(&place, 4)), [""; 0]);
    assert!(!root.join(".dump/removing").exists());
}
