//! Bad input: one clear sentence with the path, the right exit code, and
//! nothing left behind.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use assert_fs::prelude::*;
use common::Place;
use fixtures::mounts::{Fs, Mount};
use fixtures::run_lock;
use fixtures::walk::{Place as At, Side, Visit, walk};
use rustix::io::Errno;

/// Names, types and inodes of all that is below a directory; what is not a
/// directory also by size and time.
fn listing(top: &Path) -> BTreeMap<String, String> {
    struct List(BTreeMap<String, String>);
    impl Visit for List {
        fn enter(&mut self, path: &[u8], a: Option<At<'_>>, _: Option<At<'_>>) -> bool {
            let Some(at) = a else { return false };
            let stat = at.stat;
            let mut what = format!("{:o} {}", stat.st_mode, stat.st_ino);
            if !at.is_dir() {
                let time = (stat.st_mtime, stat.st_mtime_nsec);
                what += &format!(" {} {time:?} {}", stat.st_size, stat.st_nlink);
            }
            self.0.insert(fixtures::show(path), what);
            at.is_dir()
        }
        fn fault(&mut self, path: &[u8], _: Side, act: &str, error: Errno) {
            panic!("{act} {}: {error}", fixtures::show(path));
        }
    }
    let mut list = List(BTreeMap::new());
    walk(top, &mut list);
    list.0
}

/// A tree, a dump root with a dump of it, and an empty directory.
fn place() -> Place {
    let place = Place::new();
    for (file, text) in [
        ("tree/f", "file"),
        ("tree/sub/g", "other"),
        ("other/tree/h", "h"),
    ] {
        place.dir.child(file).write_str(text).expect("written");
    }
    for dir in ["dump", "fresh", "empty"] {
        place.dir.child(dir).create_dir_all().expect("made");
    }
    run(&place, &["--main", "tree", "--dump", "dump", "--init"]).code(0);
    place
}

fn run(place: &Place, args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = place.dumpme();
    command.args(["-q", "--log", "stderr"]).args(args).assert()
}

/// Runs, and checks that it is refused: with this code, one sentence that
/// names all of these, and nothing in the place other than before.
#[track_caller]
fn refused(place: &Place, args: &[&str], code: i32, names: &[&str]) {
    let before = listing(place.dir.path());
    let ran = run(place, args).code(code).stdout("");
    let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{args:?} said:\n{said}");
    assert!(said.starts_with("dumpme: ") && said.len() > 30, "{said}");
    for name in names {
        assert!(said.contains(name), "{args:?} does not name {name}: {said}");
    }
    for no in ["finished dump", "panicked", "os error", "Os {"] {
        assert!(!said.contains(no), "{said}");
    }
    assert_eq!(
        listing(place.dir.path()),
        before,
        "{args:?} left something behind"
    );
}

const TREE: [&str; 2] = ["--main", "tree"];
const DUMP: [&str; 2] = ["--dump", "dump"];

fn with<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<&'a str> {
    [first, second].concat()
}

#[test]
fn a_dump_root_that_is_none() {
    let place = place();
    for init in [&["--init"][..], &[]] {
        let args = with(&with(&TREE, &["--dump", "nowhere"]), init);
        refused(&place, &args, 1, &["nowhere", "No such file"]);
        let args = with(&with(&TREE, &["--dump", "tree/f"]), init);
        refused(&place, &args, 1, &["tree/f", "Not a directory"]);
    }
    refused(
        &place,
        &with(&TREE, &["--dump", "fresh"]),
        1,
        &["fresh", "current", "--init"],
    );
    refused(
        &place,
        &with(&with(&TREE, &DUMP), &["--init"]),
        1,
        &["dump", "--init"],
    );
    refused(&place, &["--main", "dump", "--dump", "dump"], 1, &["dump"]);
    refused(
        &place,
        &["--main", "fresh", "--dump", "fresh", "--init"],
        1,
        &["fresh"],
    );
}

#[test]
fn what_cannot_be_opened_says_who_named_it_and_what_to_do() {
    let place = place();
    refused(
        &place,
        &with(&TREE, &["--dump", "nowhere"]),
        1,
        &["cannot open dump root nowhere (from --dump): No such file or directory; mount"],
    );
    place.config("main = 'gone'\ndump = '../../dump'\n");
    refused(&place, &[], 1, &["gone", "dump.toml:1)"]);
    place
        .dumpme()
        .args(["-q", "--log", "stderr"])
        .env("MAINROOT", "/no/such/tree")
        .assert()
        .code(1)
        .stderr(predicates::str::contains("MAINROOT in the environment"));
}

#[test]
fn a_dump_root_that_lies_in_a_dump() {
    let place = place();
    let current = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    let inside = format!("dump/{}/tree/sub", current.display());
    let args = with(&TREE, &["--dump", &inside, "--init"]);
    refused(
        &place,
        &args,
        1,
        &[&inside, "a dump of", "itself, or a directory outside"],
    );
}

#[test]
fn a_tree_that_is_left_out_is_told() {
    let place = place();
    let both = ["--main", "tree", "--main", "other", "--dump", "dump"];
    run(&place, &both).code(0);
    let mut command = place.dumpme();
    command.args(["--main", "tree", "--dump", "dump", "--log", "stderr"]);
    let ran = command.assert().code(0);
    let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
    let told = said
        .lines()
        .filter(|line| line.contains("is not in this dump"));
    let told: Vec<&str> = told.collect();
    assert!(
        matches!(told[..], [one] if one.contains("/other is not in this dump")),
        "{said}"
    );
}

#[test]
fn a_current_that_names_no_dump() {
    let place = place();
    let current = place.dir.path().join("fresh/current");
    fs::create_dir_all(place.dir.path().join("elsewhere/2026/0101/0000")).expect("made");
    let away = place.dir.path().join("elsewhere/2026/0101/0000");
    for target in [
        Path::new("2026/0101/0000"),
        Path::new("/2026/0101/0000"),
        Path::new("../dump/current"),
        Path::new("current"),
        Path::new("."),
        Path::new("2026/0101/0000_incomplete"),
        &away,
    ] {
        symlink(target, &current).expect("linked");
        refused(
            &place,
            &with(&TREE, &["--dump", "fresh"]),
            1,
            &["fresh/current"],
        );
        let args = with(&with(&TREE, &["--dump", "fresh"]), &["--init"]);
        refused(&place, &args, 1, &["fresh"]);
        fs::remove_file(&current).expect("removed");
    }
    fs::create_dir(&current).expect("made");
    refused(
        &place,
        &with(&TREE, &["--dump", "fresh"]),
        1,
        &["fresh/current is not a symlink"],
    );
}

#[test]
fn a_main_tree_that_is_none() {
    let place = place();
    refused(
        &place,
        &with(&DUMP, &["--main", "gone"]),
        1,
        &["gone", "No such file"],
    );
    refused(
        &place,
        &with(&DUMP, &["--main", "tree/f"]),
        1,
        &["tree/f", "Not a directory"],
    );
    let gone = ["--dump", "fresh", "--main", "gone", "--init"];
    refused(&place, &gone, 1, &["gone", "No such file"]);
    // One of two is enough.
    let both = ["--main", "tree", "--main", "gone", "--dump", "dump"];
    refused(&place, &both, 1, &["gone"]);
    refused(
        &place,
        &with(&DUMP, &["--main", "/"]),
        2,
        &["/", "could use; give it a name, with --root-name"],
    );
    fs::remove_dir_all(place.dir.path().join("tree")).expect("removed");
    fs::create_dir(place.dir.path().join("tree")).expect("made");
    let said = ["tree is empty", "not mounted", "with --allow-empty"];
    refused(&place, &with(&TREE, &DUMP), 1, &said);
    run(&place, &with(&with(&TREE, &DUMP), &["--allow-empty"])).code(0);
    // Now it was empty the last time, too.
    run(&place, &with(&TREE, &DUMP)).code(0);
}

#[test]
fn two_trees_of_one_name() {
    let place = place();
    let args = ["--main", "tree", "--main", "other/tree", "--dump", "dump"];
    refused(
        &place,
        &args,
        2,
        &["tree", "other/tree", "another name, as that of a symlink"],
    );
    let args = [
        "--main",
        "tree",
        "--main",
        "empty",
        "--dump",
        "dump",
        "--root-name",
        "x",
    ];
    refused(&place, &args, 2, &["root name"]);
    for twice in ["tree", "./tree", "tree/sub/../../tree"] {
        let args = ["--main", "tree", "--main", twice, "--dump", "dump"];
        refused(
            &place,
            &args,
            2,
            &[twice, "are the same tree; name it only once"],
        );
    }
    for name in ["a/b", "..", ".", ""] {
        let args = with(&with(&TREE, &DUMP), &["--root-name", name]);
        refused(&place, &args, 2, &["tree"]);
    }
}

#[test]
fn exclude_rules_that_are_none() {
    let place = place();
    let file = place.dir.child("rules");
    let args = with(&with(&TREE, &DUMP), &["--exclude-from", "rules"]);
    refused(&place, &args, 2, &["rules", "No such file"]);
    for rule in [": merge", "dir-merge x", "- "] {
        file.write_str(&format!("good\n\n# comment\n{rule}\n"))
            .expect("written");
        refused(&place, &args, 2, &["rules line 4"]);
        let args = with(&with(&TREE, &DUMP), &["--exclude", rule]);
        refused(&place, &args, 2, &["--exclude"]);
        for beside in ["tree/.rsync/exclude", "dump/.rsync/exclude"] {
            let beside = place.dir.child(beside);
            beside.write_str(&format!("{rule}\n")).expect("written");
            let path = beside.path().strip_prefix(place.dir.path()).expect("below");
            let named = format!("{} line 1", path.display());
            refused(&place, &with(&TREE, &DUMP), 2, &[&named]);
            fs::remove_dir_all(beside.path().parent().expect("above")).expect("removed");
        }
    }
    let wide: Vec<u8> = "\u{feff}*.o\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    file.write_binary(&wide).expect("written");
    let args = with(&with(&TREE, &DUMP), &["--exclude-from", "rules"]);
    refused(&place, &args, 2, &["rules line 1", "save it as UTF-8"]);
    let args = with(&with(&TREE, &DUMP), &["--exclude", "/tree"]);
    refused(&place, &args, 1, &["tree", "exclude"]);
}

#[test]
fn options_and_settings_that_are_none() {
    let place = place();
    let all = with(&TREE, &DUMP);
    refused(&place, &with(&all, &["--bogus"]), 2, &["--bogus"]);
    refused(&place, &with(&all, &["stray"]), 2, &["stray"]);
    refused(&place, &with(&all, &["--jobs", "0"]), 2, &["--jobs"]);
    refused(
        &place,
        &with(&all, &["--at", "yesterday"]),
        2,
        &["yesterday"],
    );
    refused(
        &place,
        &with(&all, &["--at", "2026-02-30T10:00"]),
        2,
        &["2026-02-30T10:00"],
    );
    refused(
        &place,
        &with(&all, &["--config", "no.toml"]),
        2,
        &["no.toml"],
    );
    for (text, named) in [
        ("mian = 'x'\n", "mian"),
        ("\njobs = 'many'\n", "many"),
        ("main = [\n", "dump.toml:"),
        ("[hooks]\nprae = 'true'\n", "prae"),
    ] {
        place.config(text);
        refused(&place, &all, 2, &["dump.toml:", named]);
    }
}

#[test]
fn a_dump_root_that_another_run_holds() {
    let place = place();
    let held = run_lock::hold(&place.dir.path().join("dump"));
    // The first that is turned away notes when that was, and no more.
    run(&place, &with(&TREE, &DUMP)).code(75);
    refused(&place, &with(&TREE, &DUMP), 75, &["dump", "another run"]);
    // Who only looks takes no lock.
    run(&place, &with(&with(&TREE, &DUMP), &["-n"])).code(0);
    drop(held);
    run(&place, &with(&TREE, &DUMP)).code(0);
}

#[test]
fn a_name_that_is_taken() {
    let place = place();
    let at = ["--at", "2020-01-01T10:00"];
    let args = with(&with(&TREE, &DUMP), &at);
    run(&place, &args).code(0);
    refused(&place, &args, 1, &["dump/2020/0101/1000", "already"]);
}

/// No bad input: left out, with a warning.
#[test]
fn a_dump_root_inside_the_tree_is_left_out() {
    let place = place();
    place
        .dir
        .child("tree/sub/dump")
        .create_dir_all()
        .expect("made");
    let args = [
        "--main",
        "tree",
        "--dump",
        "tree/sub/dump",
        "--log",
        "stderr",
        "--init",
    ];
    for args in [&args[..], &args[..6]] {
        let ran = place.dumpme().args(args).assert().code(0);
        let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        let warned = said
            .lines()
            .filter(|line| line.contains("tree/sub/dump is the dump root"));
        assert_eq!(warned.count(), 1, "{said}");
    }
    let current = place.dir.path().join("tree/sub/dump/current/tree");
    assert!(current.join("sub/g").exists() && !current.join("sub/dump").exists());
}

fn on(mount: &Mount) -> (Place, PathBuf) {
    let place = place();
    let dump = mount.path().join("dump");
    fs::create_dir(&dump).expect("made");
    (place, dump)
}

#[test]
#[ignore = "needs root, and vfat or exfat by the kernel or by FUSE"]
fn a_filesystem_without_hard_links() {
    let mount = Mount::new(Fs::Vfat, 64);
    let (place, dump) = on(&mount);
    let before = listing(mount.path());
    let dump = dump.to_str().expect("text");
    let args = with(&TREE, &["--dump", dump, "--init"]);
    refused(&place, &args, 1, &[dump, "without hard links", "("]);
    // FUSE keeps a lock that is held until it is closed, and so its directory.
    let mut left = listing(mount.path());
    left.remove("dump/.dump");
    assert_eq!(left, before);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_dump_disk_that_is_read_only() {
    for fs in [Fs::Ext4, Fs::Xfs] {
        let mount = Mount::new(fs, 64);
        let (place, dump) = on(&mount);
        let dump = dump.to_str().expect("text");
        let args = with(&TREE, &["--dump", dump]);
        let first = with(&args, &["--init"]);
        mount.set_read_only(true);
        refused(&place, &first, 1, &[dump, "Read-only"]);
        mount.set_read_only(false);
        run(&place, &first).code(0);
        mount.set_read_only(true);
        let before = listing(mount.path());
        refused(&place, &args, 1, &[dump, "Read-only"]);
        assert_eq!(listing(mount.path()), before);
        run(&place, &with(&args, &["-n"])).code(0);
        mount.set_read_only(false);
    }
}

#[test]
#[ignore = "needs root and a mount"]
fn a_full_dump_disk_says_how_much_is_missing() {
    let mount = Mount::new(Fs::Tmpfs, 2);
    let (place, dump) = on(&mount);
    let large = place.dir.child("tree/large");
    fs::write(large.path(), vec![b'x'; 8 << 20]).expect("written");
    let dump = dump.to_str().expect("text");
    let args = with(&TREE, &["--dump", dump, "--init"]);
    refused(
        &place,
        &args,
        1,
        &[dump, "does not have enough space", "free"],
    );
    assert!(!Path::new(dump).join("current").exists());
    // What the other program left is named: this one cannot continue it.
    let chk = Path::new(dump).join("2020/0101/0500_chk_incomplete");
    fs::create_dir_all(&chk).expect("made");
    let left = chk.to_str().expect("text");
    refused(
        &place,
        &args,
        1,
        &[
            dump,
            "does not have enough space",
            left,
            "chkptme continues",
        ],
    );
    // What was done is kept: it is continued when there is room.
    fs::remove_file(large.path()).expect("removed");
    run(&place, &args).code(0);
    assert_eq!(
        fs::metadata(Path::new(dump).join("current/tree/f"))
            .expect("stat")
            .size(),
        4
    );
}
