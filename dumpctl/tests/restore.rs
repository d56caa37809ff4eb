//! `dumpctl restore`: what it brings back, what it leaves, what it asks, and how
//! it ends.

mod common;

use std::fs;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use common::{Disk, Ground, ends};
use dumpcore::Snapshot;
use fixtures::{Options, assert_same_tree};
use rustix::fs::XattrFlags;
use serde_json::{Value, json};

/// A tree of which there are two dumps, and which has changed since:
/// `2030/0101/0100` and `2030/0102/0100`.
fn changed() -> Ground {
    let ground = Ground::empty();
    let write = |name: &str, text: &str| fs::write(ground.at(name), text).expect("written");
    for name in ["tree/dir/same", "tree/dir/other", "tree/dir/gone"] {
        write(name, "first");
    }
    fs::create_dir(ground.at("tree/dir/sub")).expect("made");
    write("tree/dir/sub/deep", "first");
    fs::hard_link(ground.at("tree/dir/same"), ground.at("tree/dir/twin")).expect("linked");
    ground.dump("2030-01-01T01:00");
    write("tree/dir/other", "second");
    ground.dump("2030-01-02T01:00");
    write("tree/dir/other", "third, and longer");
    fs::remove_file(ground.at("tree/dir/gone")).expect("removed");
    fs::remove_file(ground.at("tree/dir/twin")).expect("removed");
    fs::remove_dir_all(ground.at("tree/dir/sub")).expect("removed");
    write("tree/dir/extra", "since");
    ground
}

fn restore(ground: &Ground, words: &[&str], code: i32) -> (String, String) {
    let mut command = ground.dumpctl(&["restore"]);
    command
        .args(words)
        .env("MAINROOT", ground.at("tree"))
        .current_dir(ground.at("."))
        .stdin(Stdio::null());
    ends(command, code)
}

fn text(ground: &Ground, name: &str) -> String {
    fs::read_to_string(ground.at(name)).unwrap_or_default()
}

#[test]
fn entries_are_made_and_replaced_and_none_is_deleted() {
    let ground = changed();
    let inode = |name: &str| fs::metadata(ground.at(name)).expect("there").ino();
    let same = inode("tree/dir/same");
    let (printed, said) = restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    assert_eq!(said, "");
    assert!(
        printed.contains("/dump/2030/0102/0100/tree/dir: 3 made, 1 replaced, "),
        "{printed}"
    );
    assert_eq!(text(&ground, "tree/dir/other"), "second");
    assert_eq!(text(&ground, "tree/dir/gone"), "first");
    assert_eq!(text(&ground, "tree/dir/sub/deep"), "first");
    assert_eq!(
        text(&ground, "tree/dir/extra"),
        "since",
        "nothing is deleted"
    );
    assert_eq!(
        inode("tree/dir/same"),
        same,
        "what is the same is not touched"
    );
    assert_eq!(
        inode("tree/dir/twin"),
        same,
        "names of one file are that again"
    );
    let (printed, _) = restore(&ground, &["--in-place", "tree/dir"], 0);
    assert!(
        printed.contains("dir: nothing was missing or different, 0 B in "),
        "{printed}"
    );
}

#[test]
fn a_file_that_is_the_same_stays_and_another_is_asked_for() {
    let ground = changed();
    fs::hard_link(ground.at("tree/dir/same"), ground.at("tree/dir/twin")).expect("linked");
    let inode = |name: &str| fs::metadata(ground.at(name)).expect("there").ino();
    let same = inode("tree/dir/same");
    for force in [&[][..], &["--force"]] {
        let words = [&["--in-place", "tree/dir/same"], force].concat();
        let (printed, _) = restore(&ground, &words, 0);
        assert!(
            printed.contains("it is the same as in the dump"),
            "{printed}"
        );
        assert_eq!(inode("tree/dir/same"), same);
        assert_eq!(inode("tree/dir/twin"), same);
    }
    let (_, said) = restore(&ground, &["--in-place", "tree/dir/other"], 1);
    assert!(said.contains("would replace 1 entry"), "{said}");
    assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
    restore(&ground, &["--in-place", "--force", "tree/dir/other"], 0);
    assert_eq!(text(&ground, "tree/dir/other"), "second");
}

/// Where something else has the name of a directory, the directory takes its place
/// with all that is in it.
#[test]
fn a_directory_takes_the_place_of_anything_else() {
    let become_link = |path: &Path, to: &str| {
        fs::remove_dir_all(path).expect("removed");
        symlink(to, path).expect("linked");
    };
    let others: [&dyn Fn(&Path); 4] = [
        &|path| become_link(path, "../elsewhere"),
        &|path| become_link(path, "nowhere"),
        &|path| {
            fs::remove_dir_all(path).expect("removed");
            fs::write(path, "a file").expect("written");
        },
        &|path| {
            fs::remove_dir_all(path).expect("removed");
            let made = Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo").success());
        },
    ];
    for (at, other) in others.iter().enumerate() {
        for more in [&[][..], &["--delete"], &["--backup", "kept"], &["--verify"]] {
            for name in ["tree/dir", "tree"] {
                let ground = changed();
                fs::create_dir(ground.at("elsewhere")).expect("made");
                fs::write(ground.at("elsewhere/mine"), "mine").expect("written");
                let path = ground.at(name);
                other(&path);
                let words = [&["--in-place", "--force"], more, &[name]].concat();
                restore(&ground, &words, 0);
                let version = ground.root().join("2030/0102/0100").join(name);
                let differences = fixtures::diff_trees(&version, &path, &Options::default());
                assert_eq!(differences, Vec::<String>::new(), "{at}, {more:?}, {name}");
                assert_eq!(text(&ground, "elsewhere/mine"), "mine");
                let entries = fs::read_dir(path.parent().expect("above")).expect("listed");
                let names = entries.map(|entry| entry.expect("listed").file_name());
                let left: Vec<_> = names
                    .filter(|name| name.to_string_lossy().contains("restoring"))
                    .collect();
                assert!(left.is_empty(), "{left:?}");
            }
        }
    }
}

#[test]
fn extra_entries_are_deleted_only_when_told() {
    let ground = changed();
    let words = ["--in-place", "--delete", "--force", "--verify", "tree/dir"];
    let (printed, _) = restore(&ground, &words, 0);
    assert!(printed.contains("1 deleted"), "{printed}");
    assert!(
        printed.ends_with("compared again, and the same\n"),
        "{printed}"
    );
    let dumped = ground.root().join("2030/0102/0100/tree/dir");
    assert_same_tree(&dumped, &ground.at("tree/dir"), &Options::of_runner());
}

/// That no dump has it says nothing of what no dump may have.
#[test]
fn what_is_excluded_from_dumps_is_deleted_only_when_told() {
    let ground = changed();
    fs::create_dir_all(ground.at("tree/.rsync")).expect("made");
    fs::write(ground.at("tree/.rsync/exclude"), "*.o\n").expect("written");
    ground.config("exclude = [\"cache/\"]\n");
    for name in ["cache", "new/deep/cache", "new/only"] {
        fs::create_dir_all(ground.at("tree/dir").join(name)).expect("made");
    }
    for name in [
        "cache/big",
        "main.o",
        "new/deep/cache/big",
        "new/deep/x",
        "new/only/y",
    ] {
        fs::write(ground.at("tree/dir").join(name), "mine").expect("written");
    }
    // A file of the dump, where now a directory holds what is excluded.
    fs::remove_file(ground.at("tree/dir/other")).expect("removed");
    fs::create_dir(ground.at("tree/dir/other")).expect("made");
    fs::write(ground.at("tree/dir/other/lib.o"), "mine").expect("written");

    plan_spares(&ground);
    for backup in [&[][..], &["--backup", "old"]] {
        let words = ["--in-place", "--delete", "--force", "tree/dir"];
        let (printed, said) = restore(&ground, &[&words[..], backup].concat(), 23);
        assert!(
            printed.contains("3 left since excluded from dumps"),
            "{printed}"
        );
        assert!(
            said.contains("other: it is a directory now, and holds what is excluded"),
            "{said}"
        );
        for name in ["cache/big", "main.o", "new/deep/cache/big", "other/lib.o"] {
            assert_eq!(text(&ground, &format!("tree/dir/{name}")), "mine");
        }
        for name in ["extra", "new/deep/x", "new/only"] {
            assert!(!ground.at("tree/dir").join(name).exists(), "{name}");
        }
        fs::create_dir(ground.at("tree/dir/new/only")).expect("made");
        fs::write(ground.at("tree/dir/new/deep/x"), "mine").expect("written");
    }
    assert_eq!(text(&ground, "old/dir/new/deep/x"), "mine");
    assert!(ground.at("old/dir/new/only").exists());

    let words = ["--in-place", "--delete-excluded", "--force", "tree/dir"];
    let (printed, _) = restore(&ground, &words, 0);
    assert!(!printed.contains("left since"), "{printed}");
    let dumped = ground.root().join("2030/0102/0100/tree/dir");
    assert_same_tree(&dumped, &ground.at("tree/dir"), &Options::of_runner());
}

fn plan_spares(ground: &Ground) {
    let words = ["-n", "--json", "--in-place", "--delete", "tree/dir"];
    let (printed, _) = restore(ground, &words, 0);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    let plan = &object["restored"][0];
    // extra, new/deep/x, and new/only with y.
    assert_eq!(plan["deletes"], 4, "{plan}");
    assert_eq!(plan["excluded"], 3, "{plan}");
    assert_eq!(plan["stuck"], 1, "{plan}");
    let words = ["-n", "--in-place", "--delete", "tree/dir"];
    let (printed, _) = restore(ground, &words, 0);
    assert!(printed.contains("leave 3 entries ("), "{printed}");
    assert!(printed.contains("), excluded from dumps"), "{printed}");
    assert!(printed.contains("fail to remove 1 entry ("), "{printed}");
}

/// A tree that has lost its files of rules is what is restored most.
#[test]
fn the_rules_that_the_dump_has_count_as_well() {
    let ground = Ground::empty();
    fs::create_dir_all(ground.at("tree/.rsync")).expect("made");
    fs::write(ground.at("tree/.rsync/exclude"), "- /tree/vm\n").expect("written");
    fs::create_dir_all(ground.at("tree/dir/vm")).expect("made");
    for name in ["tree/vm/image", "tree/file", "tree/dir/vm/file"] {
        fs::create_dir_all(ground.at(name).parent().expect("in one")).expect("made");
        fs::write(ground.at(name), "mine").expect("written");
    }
    let root = ground.root();
    let filter = "- /tree/vm".parse().expect("a rule");
    let dumped = Snapshot::new(&root).main(ground.at("tree")).filter(filter);
    dumped.init(true).run().expect("published");
    fs::remove_dir_all(ground.at("tree/.rsync")).expect("removed");
    for name in ["tree/extra", "tree/dir/extra"] {
        fs::write(ground.at(name), "since").expect("written");
    }
    for path in ["tree/dir", "tree"] {
        restore(&ground, &["--in-place", "--delete", "--force", path], 0);
    }
    assert_eq!(text(&ground, "tree/vm/image"), "mine");
    assert!(ground.at("tree/.rsync/exclude").exists());
    for name in ["tree/extra", "tree/dir/extra"] {
        assert!(!ground.at(name).exists(), "{name}");
    }
}

/// Rules that cannot be read might have spared something.
#[test]
fn nothing_is_deleted_where_the_rules_are_wrong() {
    let ground = changed();
    ground.config("exclude = [\"- \"]\n");
    let words = ["--in-place", "--delete", "--force", "tree/dir"];
    let (_, said) = restore(&ground, &words, 2);
    assert!(said.contains("no pattern follows the sign"), "{said}");
    assert!(ground.at("tree/dir/extra").exists());
    restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
}

/// A dump root is in no dump, so that all history would be deleted.
#[test]
fn no_dump_root_is_deleted() {
    let ground = changed();
    let all = |target: &[&str]| -> Vec<String> {
        let ways = [&["--delete", "--force"][..], &["--delete", "-n"]];
        let each = ways.map(|way| {
            let words = [way, target, &["tree/dir/same", "tree/dir"]].concat();
            let (_, said) = restore(&ground, &words, 1);
            assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
            assert_eq!(text(&ground, "tree/dir/extra"), "since");
            said
        });
        each.to_vec()
    };
    let config = ground.at("sets.toml");
    let sets = "[set.other]\nmain = \"sub\"\ndump = \"tree/dir/by/set\"\n\
                [set.third.slave]\ndump = \"tree/dir/by/slave\"\n";
    fs::write(&config, sets).expect("written");
    let config = ["--config", config.to_str().expect("text"), "--in-place"];
    for name in ["set", "slave"] {
        let root = format!("tree/dir/by/{name}");
        fs::create_dir_all(ground.at(&root)).expect("made");
        for said in all(&config) {
            let is = format!("{root} is a dump root and would be removed");
            assert!(said.contains(&is), "{said}");
        }
        fs::remove_dir(ground.at(&root)).expect("removed");
    }
    // One that nobody has configured.
    let foreign = ground.at("tree/dir/by/foreign");
    fs::create_dir_all(foreign.join(".dump")).expect("made");
    symlink("2030/0101/0100", foreign.join("current")).expect("linked");
    for said in all(&["--in-place"]).iter().chain(&all(&["--to", "tree"])) {
        assert!(said.contains("by/foreign is a dump root"), "{said}");
    }
    // Without --delete it is in nobody's way.
    restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    assert!(foreign.join(".dump").exists());
}

#[test]
fn the_dump_root_in_use_is_not_deleted() {
    let ground = changed();
    fs::rename(ground.root(), ground.at("tree/dir/dump")).expect("moved");
    for way in ["--force", "-n"] {
        let mut command = ground.dumpctl(&["restore", "--in-place", "--delete", way]);
        command
            .arg(ground.at("tree/dir"))
            .env("DUMPROOT", ground.at("tree/dir/dump"))
            .env("MAINROOT", ground.at("tree"));
        let (_, said) = ends(command, 1);
        assert!(said.contains("tree/dir/dump is a dump root"), "{said}");
        assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
        assert_eq!(
            text(&ground, "tree/dir/dump/2030/0101/0100/tree/dir/other"),
            "first"
        );
    }
}

/// What could not be read then may exist now.
#[test]
fn nothing_is_deleted_by_a_partial_dump() {
    let ground = changed();
    let dump = ground.root().join("2030/0102/0100");
    let mark = |text: &[u8]| {
        rustix::fs::setxattr(&dump, "user.dump.partial", text, XattrFlags::empty())
            .expect("marked");
    };
    mark(b"?");
    let (_, said) = restore(&ground, &["--in-place", "--delete", "-n", "tree/dir"], 1);
    let part = "partial: it lacks an unknown number of entries that could not be read";
    assert!(said.contains(part), "{said}");
    mark(b"2");
    for words in [
        &["--in-place", "--delete", "--force", "tree/dir"][..],
        &["--in-place", "--delete", "-n", "tree/dir"],
        &["--to", "tree", "--delete", "--force", "tree/dir"],
    ] {
        let (_, said) = restore(&ground, words, 1);
        for part in [
            "/dump/2030/0102/0100 is partial: it lacks 2 entries that could not be read",
            "without --delete it can be restored",
        ] {
            assert!(said.contains(part), "{words:?}: {said}");
        }
        assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
        assert_eq!(text(&ground, "tree/dir/extra"), "since");
    }
    restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    assert_eq!(text(&ground, "tree/dir/other"), "second");
    assert_eq!(text(&ground, "tree/dir/extra"), "since");
    let of_the_whole = [
        "--at",
        "2030/0101/0100",
        "--in-place",
        "--delete",
        "--force",
    ];
    restore(&ground, &[&of_the_whole[..], &["tree/dir"]].concat(), 0);
    assert!(!ground.at("tree/dir/extra").exists());
}

#[test]
fn what_is_replaced_or_deleted_can_be_kept() {
    let ground = changed();
    let words = [
        "--in-place",
        "--delete",
        "--force",
        "--backup",
        "old",
        "tree/dir",
    ];
    restore(&ground, &words, 0);
    assert_eq!(text(&ground, "old/dir/other"), "third, and longer");
    assert_eq!(text(&ground, "old/dir/extra"), "since");
    fs::write(ground.at("tree/dir/other"), "again").expect("written");
    restore(&ground, &words, 0);
    assert_eq!(text(&ground, "old/dir/other"), "third, and longer");
    assert_eq!(text(&ground, "old/dir/other.~1~"), "again");
    for bad in ["tree/dir/old", "dump/2030/0101/0100/old"] {
        let words = ["--in-place", "--force", "--backup", bad, "tree/dir"];
        fs::write(ground.at("tree/dir/other"), "more").expect("written");
        let (_, said) = restore(&ground, &words, 1);
        assert!(said.contains("cannot take the backup"), "{said}");
        assert!(!ground.at(bad).exists(), "{bad} was left");
        assert_eq!(text(&ground, "tree/dir/other"), "more");
    }
}

#[test]
fn which_entries_are_replaced_can_be_told() {
    let ground = changed();
    let words = |which| ["--in-place", "--force", "--overwrite", which, "tree/dir"];
    let (printed, _) = restore(&ground, &words("never"), 0);
    assert!(
        printed.contains("3 made, 1 left though they differ"),
        "{printed}"
    );
    let (printed, _) = restore(&ground, &words("if-newer"), 0);
    assert!(printed.contains("1 left though they differ"), "{printed}");
    assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
    let old = fs::File::options()
        .write(true)
        .open(ground.at("tree/dir/other"));
    let old = old.expect("opened");
    old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
    let (printed, _) = restore(&ground, &words("if-newer"), 0);
    assert!(printed.contains("1 replaced"), "{printed}");
    assert_eq!(text(&ground, "tree/dir/other"), "second");
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let ground = changed();
    let before = fs::metadata(ground.at("tree/dir")).expect("there");
    let words = ["-n", "--in-place", "--delete", "tree/dir", "tree/dir/gone"];
    let (printed, _) = restore(&ground, &words, 0);
    let lines: Vec<&str> = printed.lines().collect();
    let first = "would make 4 entries, replace 1 entry (";
    assert!(lines[0].contains(first), "{printed}");
    assert!(lines[0].contains(" and delete 1 entry ("), "{printed}");
    assert!(
        lines[1].ends_with("would make it, since nothing is there"),
        "{printed}"
    );
    let (printed, _) = restore(&ground, &["-n", "--json", "--in-place", "tree/dir"], 0);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["dry_run"], true);
    let plan = &object["restored"][0];
    let expected = json!({
        "path": ground.at("tree/dir"), "version": ground.root().join("2030/0102/0100/tree/dir"),
        "name": "2030/0102/0100", "exists": true,
        "makes": 4, "replaces": 1, "deletes": 0, "stays": 0, "mounted": 0,
        "sets": 0, "uncompared": 0, "excluded": 0, "stuck": 0,
    });
    assert_eq!(*plan, expected);
    assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
    let after = fs::metadata(ground.at("tree/dir")).expect("there");
    assert_eq!(
        (before.ctime(), before.ctime_nsec()),
        (after.ctime(), after.ctime_nsec())
    );
}

#[test]
fn to_a_directory_it_comes_under_its_own_name() {
    let ground = changed();
    let words = ["--to", "new/place", "--verify", "tree/dir/gone", "tree"];
    let (printed, _) = restore(&ground, &words, 0);
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert_eq!(text(&ground, "new/place/gone"), "first");
    let dumped = ground.root().join("2030/0102/0100/tree");
    let made = ground.at("new/place/tree");
    assert_same_tree(&dumped, &made, &Options::of_runner());
    let inode = |path: &Path| fs::metadata(path).expect("there").ino();
    assert_ne!(
        inode(&dumped.join("dir/gone")),
        inode(&made.join("dir/gone")),
        "a copy"
    );
    // A whole tree of a dump that is named.
    let path = ground.root().join("2030/0101/0100/tree");
    restore(&ground, &["--to", "other", path.to_str().expect("text")], 0);
    assert_eq!(text(&ground, "other/tree/dir/other"), "first");
    let words = ["--to", "new", "tree/dir", "new/../tree/dir"];
    let (_, said) = restore(&ground, &words, 2);
    assert!(said.contains("would both be restored to"), "{said}");
}

#[test]
fn which_dump_is_meant_is_told_by_a_moment() {
    let ground = changed();
    let to = |at: &str, code| {
        let _ = fs::remove_dir_all(ground.at("out"));
        let words = ["--to", "out", "--at", at, "tree/dir/other"];
        let said = restore(&ground, &words, code).1;
        (text(&ground, "out/other"), said)
    };
    assert_eq!(to("2030/0101/0100", 0).0, "first");
    assert_eq!(to("2030/0102/0100", 0).0, "second");
    symlink("2030/0101/0100", ground.root().join("kept")).expect("linked");
    assert_eq!(to("kept", 0).0, "first");
    fs::create_dir_all(ground.root().join("first/tree/dir")).expect("made");
    fs::write(ground.root().join("first/tree/dir/other"), "zeroth").expect("written");
    assert_eq!(to("first", 0).0, "zeroth");
    for (at, code, text) in [
        ("2030/0101/0200", 1, "the nearest are 2030/0101/0100"),
        ("2030/0101", 2, "2030/0101 is a day with 1 dump; name it"),
        ("2999-01-01", 1, "is in the future"),
        (
            "2020-01-01",
            1,
            "(give a later --at, or none for the newest)",
        ),
        ("6m", 2, "6min or 6mo?"),
    ] {
        let said = to(at, code).1;
        assert!(said.contains(text), "{at}: {said}");
    }
}

#[test]
fn a_later_version_is_named_with_how_to_restore_it() {
    let ground = changed();
    fs::write(ground.at("tree/dir/late"), "late").expect("written");
    ground.dump("2030-01-03T01:00");
    let words = ["--to", "out", "--at", "2030/0102/0100", "tree/dir/late"];
    let (_, said) = restore(&ground, &words, 1);
    let later = "a later one has it, which can be restored by its path: ";
    assert!(said.contains(later), "{said}");
    assert!(!said.contains("--last"), "{said}");
    let path = ground.root().join("2030/0103/0100/tree/dir/late");
    restore(&ground, &["--to", "out", path.to_str().expect("text")], 0);
    assert_eq!(text(&ground, "out/late"), "late");
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_changed() {
    let ground = changed();
    let dump = ground.root().join("2030/0101/0100");
    let dump = dump.to_str().expect("text");
    for (words, code, text) in [
        (
            &["tree/dir"][..],
            2,
            "say where to restore: --to DIR, or --in-place",
        ),
        (&["--in-place"], 2, "name the path to restore"),
        (
            &["--in-place", "--to", "x", "tree/dir"],
            2,
            "cannot be used with",
        ),
        (&["--in-place", "tree/never"], 1, "never"),
        (&["--in-place", dump], 2, "not a dump or a dump root"),
        (
            &["--in-place", "tree/dir"],
            1,
            "there is no terminal to ask on; --force",
        ),
        (
            &["--to", dump, "--force", "tree/dir"],
            1,
            "dumps are never changed",
        ),
        (
            &["--files-from", "none", "--in-place"],
            1,
            "cannot read none",
        ),
    ] {
        let (_, said) = restore(&ground, words, code);
        assert!(said.contains(text), "{words:?}: {said}");
        assert_eq!(self::text(&ground, "tree/dir/other"), "third, and longer");
    }
    assert!(!ground.has("2030/0101/0100/dir"));
    let (printed, _) = restore(&ground, &["--json", "--in-place", "tree/never"], 1);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(
        (&object["status"], &object["command"]),
        (&json!("failed"), &json!("restore"))
    );
}

#[test]
fn paths_can_come_from_a_file() {
    let ground = changed();
    fs::write(ground.at("list"), "tree/dir/gone\n\ntree/dir/sub\n").expect("written");
    restore(&ground, &["--in-place", "--files-from", "list"], 0);
    assert_eq!(
        text(&ground, "tree/dir/gone") + &text(&ground, "tree/dir/sub/deep"),
        "firstfirst"
    );
    let mut command = ground.dumpctl(&["restore", "--to", "out", "--files-from", "-"]);
    command
        .env("MAINROOT", ground.at("tree"))
        .current_dir(ground.at("."))
        .stdin(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"tree/dir/gone\n").expect("written");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(text(&ground, "out/gone"), "first");
}

/// What somebody made a directory of a file is not lost for that file.
#[test]
fn a_directory_makes_room_only_when_told() {
    let ground = changed();
    let other = ground.at("tree/dir/other");
    fs::remove_file(&other).expect("removed");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("work"), "mine").expect("written");
    let (_, said) = restore(&ground, &["--in-place", "--force", "tree/dir"], 23);
    assert!(said.contains("it is a directory now"), "{said}");
    assert_eq!(text(&ground, "tree/dir/other/work"), "mine");
    assert_eq!(
        text(&ground, "tree/dir/gone"),
        "first",
        "the rest is restored"
    );
    let (printed, _) = restore(&ground, &["--in-place", "--force", "tree/dir"], 23);
    assert!(printed.contains("dir: 1 failed, "), "{printed}");
    let words = ["--in-place", "--force", "--backup", "old", "tree/dir"];
    restore(&ground, &words, 0);
    assert_eq!(text(&ground, "tree/dir/other"), "second");
    assert_eq!(text(&ground, "old/dir/other/work"), "mine");
}

#[test]
fn what_an_rm_has_left_of_a_dump_is_told_as_such() {
    let ground = changed();
    fs::remove_dir_all(ground.root().join("2030/0102/0100/tree/dir/sub")).expect("removed");
    let (_, said) = restore(&ground, &["--to", "out", "tree"], 0);
    assert!(
        said.contains("because somebody removed the others"),
        "{said}"
    );
    let words = ["--to", "other", "--at", "2030/0101/0100", "tree"];
    assert_eq!(restore(&ground, &words, 0).1, "");
}

/// A mode is somebody's decision, and may keep others out.
#[test]
fn attributes_of_directories_are_asked_for() {
    let ground = changed();
    restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    let sub = ground.at("tree/dir/sub");
    let mode = || fs::metadata(&sub).expect("there").mode() & 0o7777;
    let dumped = mode();
    fs::set_permissions(&sub, Permissions::from_mode(0o700)).expect("closed");
    let (_, said) = restore(&ground, &["--in-place", "tree/dir"], 1);
    let asked = "would set the attributes of 1 directory (";
    assert!(said.contains(asked), "{said}");
    assert_eq!(mode(), 0o700);
    let (printed, _) = restore(&ground, &["-n", "--json", "--in-place", "tree/dir"], 0);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["restored"][0]["sets"], 1);
    let words = ["--in-place", "--overwrite", "never", "tree/dir"];
    restore(&ground, &words, 0);
    assert_eq!(mode(), 0o700);
    let (printed, _) = restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    assert!(
        printed.contains("1 with other attributes set, 0 B in"),
        "{printed}"
    );
    assert_eq!(mode(), dumped);
    // A time that moved because something was deleted is not asked for.
    fs::remove_file(ground.at("tree/dir/sub/deep")).expect("removed");
    let (printed, _) = restore(&ground, &["-n", "--in-place", "tree/dir"], 0);
    let plan = "would make 1 entry, set the time of 1 directory\n";
    assert!(printed.ends_with(plan), "{printed}");
    let (printed, _) = restore(&ground, &["--in-place", "tree/dir"], 0);
    assert!(printed.contains("dir: 1 made, "), "{printed}");
}

/// What was opened up to be changed is closed again.
#[test]
fn a_directory_that_its_owner_may_not_change_stays_so() {
    let ground = changed();
    restore(&ground, &["--in-place", "--force", "tree/dir"], 0);
    let sub = ground.at("tree/dir/sub");
    fs::remove_file(sub.join("deep")).expect("removed");
    fs::set_permissions(&sub, Permissions::from_mode(0o500)).expect("closed");
    let words = ["--in-place", "--overwrite", "never", "tree/dir"];
    restore(&ground, &words, 0);
    assert_eq!(text(&ground, "tree/dir/sub/deep"), "first");
    let mode = fs::metadata(&sub).expect("there").mode() & 0o7777;
    assert_eq!(mode, 0o500);
    fs::set_permissions(&sub, Permissions::from_mode(0o700)).expect("opened");
}

/// Anyone who may rename in a directory could give the name of a leftover to what
/// they may not delete, or take what is kept in a backup.
#[test]
#[ignore = "needs root: gives entries to another user"]
fn what_is_another_users_is_neither_swept_nor_a_backup() {
    let ground = changed();
    let give = |name: &str| {
        let user = Some(fixtures::plain_user::PLAIN);
        chown(ground.at(name), user, user).expect("given");
    };
    give("tree/dir");
    let kept = ground.at("tree/dir/.dir.dump-restoring-7");
    fs::create_dir(&kept).expect("made");
    fs::write(kept.join("mine"), "root's").expect("written");
    let left = ground.at("tree/dir/.dir.dump-restoring-8");
    fs::create_dir(&left).expect("made");
    give("tree/dir/.dir.dump-restoring-8");
    for name in ["old", "open"] {
        fs::create_dir(ground.at(name)).expect("made");
    }
    give("old");
    let words = |backup| ["--in-place", "--force", "--backup", backup, "tree/dir"];
    let (_, said) = restore(&ground, &words("old"), 1);
    assert!(said.contains("it belongs to another user"), "{said}");
    assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
    restore(&ground, &words("open"), 0);
    assert_eq!(text(&ground, "tree/dir/other"), "second");
    assert_eq!(text(&ground, "open/dir/other"), "third, and longer");
    let mine = fs::read_to_string(kept.join("mine")).expect("still there");
    assert_eq!(mine, "root's");
    assert!(!left.exists());
}

/// What fails when the version is in its place is a fault of what was done.
#[test]
#[ignore = "needs strace"]
fn a_failure_after_the_change_is_not_told_as_nothing() {
    use fixtures::strace::{Inject, output_with};

    let ground = changed();
    let words = ["restore", "-j1", "--in-place", "--force"];
    let mut command = ground.dumpctl(&words);
    command
        .arg(ground.at("tree/dir"))
        .env("MAINROOT", ground.at("tree"));
    let fault = Inject::error("syncfs", "EIO").when(2);
    let output = output_with(&command, &[fault]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(23), "{said}");
    assert!(said.contains("cannot flush"), "{said}");
    assert_eq!(text(&ground, "tree/dir/other"), "second");
}

/// A disk that is mounted inside is not what the dump lacks, even if that was
/// made when it was away.
#[test]
#[ignore = "needs root: mounts a tmpfs"]
fn what_is_mounted_inside_is_left_alone() {
    let ground = changed();
    for name in ["mnt", "dir/sub/none"] {
        fs::create_dir_all(ground.at("tree").join(name)).expect("made");
    }
    fs::write(ground.at("tree/dir/other"), "fourth").expect("written");
    ground.dump("2030-01-03T01:00");
    let disk = Disk::at(ground.at("tree/mnt"));
    fs::create_dir(ground.at("tree/mnt/photos")).expect("made");
    fs::write(ground.at("tree/mnt/photos/one"), "only here").expect("written");
    fs::write(ground.at("tree/dir/new"), "since").expect("written");
    let delete = ["--in-place", "--delete", "--force", "--verify", "tree"];
    let whole = || {
        assert_eq!(text(&ground, "tree/mnt/photos/one"), "only here");
        let mode = fs::metadata(ground.at("tree/mnt")).expect("there").mode();
        assert_eq!(mode & 0o7777, 0o1777);
    };
    let (printed, _) = restore(&ground, &["-n", "--in-place", "--delete", "tree"], 0);
    assert!(printed.contains(" delete 1 entry ("), "{printed}");
    let left = "leave 1 entry (";
    assert!(printed.contains(left), "{printed}");
    let (printed, said) = restore(&ground, &delete, 0);
    assert_eq!(said, "");
    assert!(
        printed.contains("1 deleted, 1 left since something is mounted there"),
        "{printed}"
    );
    assert!(
        printed.contains("compared again, and the same"),
        "{printed}"
    );
    assert!(!ground.at("tree/dir/new").exists());
    whole();
    // The disk itself can be restored by its own path.
    restore(&ground, &["--in-place", "--delete", "-n", "tree/mnt"], 0);
    whole();
    // What the version has there is not restored, and that is reported.
    drop(disk);
    fs::write(ground.at("tree/mnt/covered"), "covered").expect("written");
    ground.dump("2030-01-04T01:00");
    let _disk = Disk::at(ground.at("tree/mnt"));
    fs::write(ground.at("tree/mnt/mine"), "only here").expect("written");
    let (printed, said) = restore(&ground, &delete, 23);
    let own = "tree/mnt: something is mounted there; restore it by its own path";
    assert!(said.contains(own), "{said}");
    assert!(printed.contains("it differs from the dump"), "{printed}");
    assert_eq!(text(&ground, "tree/mnt/mine"), "only here");
    assert!(!ground.at("tree/mnt/covered").exists());
    // Nor is it deleted with a directory that the dump does not have.
    let at = "2030/0101/0100";
    let words = ["-n", "--in-place", "--delete", "--at", at, "tree"];
    let (printed, _) = restore(&ground, &words, 0);
    assert!(printed.contains("fail to remove 1 entry ("), "{printed}");
    let words = ["--in-place", "--delete", "--at", at, "--force", "tree"];
    let (_, said) = restore(&ground, &words, 23);
    assert!(said.contains("would be removed with the rest"), "{said}");
    assert_eq!(text(&ground, "tree/mnt/mine"), "only here");
}

#[test]
#[ignore = "needs script"]
fn on_a_terminal_it_asks() {
    let ground = changed();
    let answer = |answer: &str, backup: &str| {
        let program = env!("CARGO_BIN_EXE_dumpctl");
        let tree = ground.at("tree");
        let line = format!(
            "printf '{answer}\\n' | script -qec '{program} restore --main {tree} --dump {dump} \
             --in-place --delete {backup} {tree}/dir' /dev/null",
            tree = tree.display(),
            dump = ground.root().display(),
        );
        let mut command = Command::new("sh");
        command.args(["-c", &line]).env("HOME", ground.at("."));
        ends(command, 0).0
    };
    let asked = answer("n", "");
    assert!(asked.contains("would replace 1 entry ("), "{asked}");
    assert!(asked.contains("  and delete 1 entry ("), "{asked}");
    assert_eq!(text(&ground, "tree/dir/other"), "third, and longer");
    let asked = answer("n", "--backup old");
    assert!(asked.contains("  and move away 1 entry ("), "{asked}");
    assert!(asked.contains("), keeping all of it in old"), "{asked}");
    answer("y", "");
    assert_eq!(text(&ground, "tree/dir/other"), "second");
    assert!(!ground.at("tree/dir/extra").exists());
}

/// A restore of many files that is stopped leaves what it has copied, and the
/// next one takes it over.
#[test]
#[ignore = "needs strace"]
fn it_is_stopped_and_continues() {
    use common::traced;
    use fixtures::strace::{Inject, inject};
    use rustix::process::{Signal, kill_process};

    let ground = Ground::empty();
    for number in 0..200 {
        fs::write(ground.at(&format!("tree/dir/{number}")), "text").expect("written");
    }
    ground.dump("2030-01-01T01:00");
    for exists in [false, true] {
        fs::remove_dir_all(ground.at("tree/dir")).expect("removed");
        if exists {
            fs::create_dir(ground.at("tree/dir")).expect("made");
        }
        let words = ["restore", "-j1", "--in-place", "--force"];
        let mut command = ground.dumpctl(&words);
        command
            .arg(ground.at("tree/dir"))
            .env("MAINROOT", ground.at("tree"));
        let mut child = inject(&command, &[Inject::delay("fchmod", 40_000)])
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let half = |at: &str| {
            let names = fs::read_dir(ground.at(at)).into_iter().flatten();
            let mut names = names.map(|name| name.expect("listed").path());
            names.find(|path| path.to_string_lossy().contains(".dump-restoring-"))
        };
        let half = || half("tree").or_else(|| half("tree/dir"));
        let copied = || half().map_or(0, |half| fs::read_dir(half).map_or(0, Iterator::count));
        while copied() < 20 {
            assert!(child.try_wait().expect("asked").is_none(), "too soon");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(traced(&child), Signal::TERM).expect("sent");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(143));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("the same command restores the rest"),
            "{said}"
        );
        // Without the one that was being copied.
        assert!(copied() >= 19, "what was copied is left");
        let inode = |path: &Path| fs::metadata(path).expect("there").ino();
        let one = fs::read_dir(half().expect("left")).expect("listed").next();
        let one = one.expect("one").expect("listed");
        let (name, before) = (one.file_name(), inode(&one.path()));
        let (_, said) = ends(command, 0);
        assert_eq!(said, "");
        assert_eq!(half(), None);
        let dumped = ground.root().join("2030/0101/0100/tree/dir");
        assert_same_tree(&dumped, &ground.at("tree/dir"), &Options::of_runner());
        let now = inode(&ground.at("tree/dir").join(name));
        assert_eq!(now, before, "it was taken over");
    }
}

/// What is restored goes to memory, so that it shares no blocks with its dump.
#[test]
fn what_is_damaged_is_named_with_a_good_copy() {
    let ground = Ground::empty();
    for name in ["tree/dir/one", "tree/dir/two"] {
        fs::write(ground.at(name), "first").expect("written");
    }
    let other = ground.at("other");
    fs::create_dir(&other).expect("made");
    let dumps = [ground.root(), other.clone()].map(|root| {
        let init = Snapshot::new(root).main(ground.at("tree")).init(true);
        init.run().expect("published").dump
    });
    fixtures::rot(&dumps[0].join("tree/dir/one"), 2);
    fs::remove_file(ground.at("tree/dir/one")).expect("removed");
    let memory = assert_fs::TempDir::new_in("/dev/shm").expect("a directory");
    let to = memory.path().join("to");
    let version = dumps[0].join("tree/dir");
    let [to_text, version] = [&to, &version].map(|path| path.display().to_string());
    let words = ["--to", &to_text, &version];
    let (_, said) = restore(&ground, &words, 23);
    let told = format!("{version}/one: it is not what was stored; no good copy was found");
    assert!(said.contains(&told), "{said}");
    assert_eq!(fs::read(to.join("dir/two")).expect("read"), b"first");
    assert_ne!(fs::read(to.join("dir/one")).expect("read"), b"first");
    // The second disk has a good copy.
    let root = ground.root();
    ground.config(&format!("dump = {root:?}\n[slave]\ndump = {other:?}\n"));
    fs::remove_dir_all(&to).expect("removed");
    let (_, said) = restore(&ground, &words, 23);
    let good = format!("a good copy is {}/", other.display());
    assert!(said.contains(&good), "{said}");
}
