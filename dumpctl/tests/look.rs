//! `dumpctl list`, `diff`, `find` and `du`, with a catalog and without: what they
//! print, and how they end.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ground, ends};
use dumpcore::{CatalogTools, Snapshot};
use fixtures::plain_user::{PlainUser, open_dir};
use rustix::fs::XattrFlags;
use serde_json::{Value, json};

/// Four dumps of a tree that changes, with a catalog or without.
struct Dumps {
    ground: Ground,
    catalog: bool,
}

/// Without a catalog, and with one.
const BOTH: [bool; 2] = [false, true];

const NO_CATALOG: &str = " has no catalog; make one with 'dumpctl catalog rebuild': ";

const FIRST: &str = "2020/0101/0100";
const NEWEST: &str = "2020/0103/0100";

impl Dumps {
    fn new(catalog: bool) -> Self {
        let ground = Ground::empty();
        let write = |name: &str, text: &str| fs::write(ground.at(name), text).expect("written");
        write("tree/same", "same");
        write("tree/dir/letter.tex", "one\n");
        write("tree/dir/gone.tex", "gone");
        ground.dump("2020-01-01T01:00");
        write("tree/dir/letter.tex", "one\ntwo\n");
        fs::remove_file(ground.at("tree/dir/gone.tex")).expect("removed");
        ground.dump("2020-01-02T01:00");
        fs::set_permissions(ground.at("tree/same"), Permissions::from_mode(0o600)).expect("set");
        ground.dump("2020-01-02T02:00");
        write("tree/new.TEX", "new");
        ground.dump("2020-01-03T01:00");
        let pin = ground.root().join("before-upgrade");
        symlink("2020/0102/0100", pin).expect("linked");
        let _ = fs::remove_file(ground.root().join(".dump/catalog.db"));
        if catalog {
            CatalogTools::new(ground.root()).rebuild().expect("made");
        }
        Self { ground, catalog }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.ground.dumpctl(words);
        command.env("MAINROOT", self.ground.at("tree"));
        command
    }

    /// What is printed, and what is said beside it; that there is no catalog is
    /// said exactly when there is none.
    #[track_caller]
    fn run(&self, words: &[&str]) -> String {
        let (printed, said) = ends(self.command(words), 0);
        assert_eq!(
            said.contains(NO_CATALOG),
            !self.catalog,
            "{words:?}: {said}"
        );
        assert_eq!(said.lines().count(), usize::from(!self.catalog), "{said}");
        printed
    }

    /// The words of each line.
    #[track_caller]
    fn words(&self, words: &[&str]) -> Vec<Vec<String>> {
        let of_line = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        self.run(words).lines().map(of_line).collect()
    }

    #[track_caller]
    fn objects(&self, words: &[&str]) -> Vec<Value> {
        objects(&self.run(words))
    }

    #[track_caller]
    fn refuses(&self, words: &[&str], code: i32, expected: &str) {
        let (_, said) = ends(self.command(words), code);
        assert!(said.contains(expected), "{words:?}: {said}");
    }

    fn path(&self, dump: &str, name: &str) -> PathBuf {
        self.ground.root().join(dump).join("tree").join(name)
    }

    fn main(&self, name: &str) -> String {
        self.ground.at("tree").join(name).display().to_string()
    }
}

fn objects(text: &str) -> Vec<Value> {
    let object = |line| serde_json::from_str(line).expect(line);
    text.lines().map(object).collect()
}

#[test]
fn dumps_are_listed_oldest_first_with_what_keeps_them() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let lines = dumps.run(&["list"]);
        let cells = |line: &str| -> Vec<String> {
            let cells = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty());
            cells.map(str::to_owned).collect()
        };
        let lines: Vec<Vec<String>> = lines.lines().map(cells).collect();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert_eq!(
            lines[0],
            ["NAME", "AGE", "KIND", "ADDED", "ALONE", "KEPT BY"]
        );
        for (at, name, kept) in [
            (1, FIRST, "current_chk"),
            (2, "2020/0102/0100", "before-upgrade"),
            (4, NEWEST, "current"),
        ] {
            let line = &lines[at];
            assert_eq!([&*line[0], &*line[2], &*line[5]], [name, "dump", kept]);
            assert!(line[1].ends_with(" y"), "{line:?}");
            for size in &line[3..5] {
                assert_eq!(size.ends_with("KiB"), catalog, "{line:?}");
                assert_eq!(size == "-", !catalog, "{line:?}");
            }
        }
    }
}

/// Also when nobody knows how much that is.
#[test]
fn what_lacks_something_is_listed_as_partial() {
    let dumps = Dumps::new(true);
    let dump = dumps.ground.root().join(FIRST);
    for mark in ["2", "?", &"1".repeat(300)] {
        let flags = XattrFlags::empty();
        rustix::fs::setxattr(&dump, "user.dump.partial", mark.as_bytes(), flags).expect("marked");
        assert_eq!(dumps.words(&["list"])[1][3], "partial", "{mark}");
        let object = dumps.objects(&["list", "--json"]).remove(0);
        assert_eq!(object["dumps"][0]["partial"], true, "{mark}");
    }
}

#[test]
fn a_part_of_the_dumps_is_listed() {
    let dumps = Dumps::new(true);
    let names = |words: &[&str]| -> Vec<String> {
        let lines = dumps.words(&[&["list"], words].concat());
        lines[1..].iter().map(|words| words[0].clone()).collect()
    };
    assert_eq!(names(&["--last", "1"]), [NEWEST]);
    for when in ["2020/0102/0200", "2020-01-02T02:00"] {
        assert_eq!(
            names(&["--since", when]),
            ["2020/0102/0200", NEWEST],
            "{when}"
        );
    }
    assert_eq!(names(&["--since", "before-upgrade"]).len(), 3);
    assert_eq!(names(&["--tree", "tree"]).len(), 4);
    assert_eq!(dumps.run(&["list", "--since", "1h"]), "");
    let said = "no dump holds a tree photos; there are tree\n";
    dumps.refuses(&["list", "--tree", "photos"], 1, said);
    dumps.refuses(&["list", "--since", "6m"], 2, "6min or 6mo?");
}

#[test]
fn the_object_of_a_list_has_the_documented_fields() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let object = dumps.objects(&["list", "--json"]).remove(0);
        let head = json!({
            "schema": 1, "program": "dumpctl", "command": "list", "status": "complete",
            "exit": 0, "dump_root": dumps.ground.root(),
        });
        for (key, value) in head.as_object().expect("an object") {
            assert_eq!(&object[key], value, "{key}");
        }
        let listed = object["dumps"].as_array().expect("a list");
        assert_eq!(listed.len(), 4);
        assert_eq!(listed[3]["keep"], json!(["current"]));
        let mut second = listed[1].clone();
        let time = second["time"].take();
        let time = time.as_str().expect("a time");
        assert!(time.starts_with("2020-01-02T01:00:00.000"), "{time}");
        for key in ["added_bytes", "unique_bytes"] {
            let size = second[key].take();
            assert_eq!(
                size.as_u64().is_some_and(|size| size >= 8192),
                catalog,
                "{size}"
            );
            assert_eq!(size.is_null(), !catalog);
        }
        let expected = json!({
            "name": "2020/0102/0100", "path": dumps.ground.root().join("2020/0102/0100"),
            "time": null, "kind": "dump", "linked": false, "partial": false, "trees": ["tree"],
            "pins": ["before-upgrade"], "entries": 4, "added_bytes": null,
            "unique_bytes": null, "used_by": null, "keep": ["pin"],
        });
        assert_eq!(second, expected);
    }
}

#[test]
fn two_dumps_are_compared_by_names_moments_and_pins() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let path = |name: &str| dumps.main(name);
        let shown = |words: &[&str]| -> Vec<String> {
            let lines = dumps.words(&[&["diff"], words].concat());
            lines.iter().map(|words| words.join(" ")).collect()
        };
        // The last two.
        assert_eq!(shown(&[]), [format!("A 4.00 KiB {}", path("new.TEX"))]);
        let first = [
            format!("D 4.00 KiB {}", path("dir/gone.tex")),
            format!("M 4.00 KiB {}", path("dir/letter.tex")),
        ];
        assert_eq!(shown(&[FIRST, "before-upgrade"]), first);
        assert_eq!(shown(&["20200101", "2020-01-02T01:30"]), first);
        let mode = format!("T mode {}", path("same"));
        let to_newest = [format!("A 4.00 KiB {}", path("new.TEX")), mode.clone()];
        assert_eq!(shown(&["before-upgrade"]), to_newest);
        assert_eq!(shown(&["before-upgrade", "--", &path("same")]), [mode]);
        assert_eq!(dumps.run(&["diff", FIRST, FIRST]), "");
        let stat = shown(&["--stat", FIRST, NEWEST]);
        assert_eq!(stat[0], "added 1 4.00 KiB");
        assert_eq!(stat[3], "attributes only 1");
    }
}

#[test]
fn a_dump_is_compared_with_the_tree_as_it_is_now() {
    // There the catalog does not help, and is not missed.
    let dumps = Dumps::new(true);
    fs::write(dumps.ground.at("tree/dir/letter.tex"), "three\n").expect("written");
    let expected = format!("M  4.00 KiB  {}\n", dumps.main("dir/letter.tex"));
    assert_eq!(dumps.run(&["diff", "main"]), expected);
    assert_eq!(dumps.run(&["diff", NEWEST, "main"]), expected);
    let printed = dumps.run(&["diff", "-p", NEWEST, "main"]);
    assert!(printed.contains("\n-one\n-two\n+three\n"), "{printed}");
    let path = dumps.main("dir/letter.tex");
    let object = dumps.objects(&["diff", "--json", NEWEST, "main"]).remove(0);
    assert_eq!(
        (&object["path"], &object["change"]),
        (&json!(path), &json!("write"))
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let dumps = Dumps::new(true);
    ends(dumps.command(&["diff", "--exit-code"]), 1);
    ends(dumps.command(&["diff", "--exit-code", FIRST, FIRST]), 0);
    let day = "2020/0102 is a day with 2 dumps";
    let none = "there is no dump from 2019-12-31T23:59 or earlier";
    for (words, code, expected) in [
        (
            &["2020/0104/0100"][..],
            1,
            "has no dump 2020/0104/0100; the nearest",
        ),
        (&["2020/0102"], 2, day),
        (&["2099-01-01"], 1, "2099-01-01 is in the future: it is "),
        (&["20191231"], 1, none),
        (&["6m"], 2, "6min or 6mo?"),
        (&["soon"], 2, "is neither a dump nor a time"),
        (&["1d", "--", "/etc"], 1, "/etc is neither in "),
        (
            &["--stat", "--json"],
            2,
            "it has neither --stat nor --patch",
        ),
    ] {
        dumps.refuses(&[&["diff"], words].concat(), code, expected);
    }
    let missing = dumps.main("none/such");
    for words in [[FIRST, NEWEST], [NEWEST, "main"]] {
        let words = [&["diff"], &words[..], &["--", &missing]].concat();
        dumps.refuses(&words, 1, &format!("neither of the two has {missing}"));
    }
}

#[test]
fn changes_are_objects_a_line() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let path = |dump: &str, name: &str| dumps.path(dump, name);
        let expected = [
            json!({"change": "delete", "path": path(FIRST, "dir/gone.tex"), "from": null,
                "bytes_before": 4096, "bytes_after": null, "what": []}),
            json!({"change": "write", "path": path(NEWEST, "dir/letter.tex"), "from": null,
                "bytes_before": 4096, "bytes_after": 4096, "what": ["content", "mtime"]}),
            json!({"change": "create", "path": path(NEWEST, "new.TEX"), "from": null,
                "bytes_before": null, "bytes_after": 4096, "what": []}),
            json!({"change": "wstat", "path": path(NEWEST, "same"), "from": null,
                "bytes_before": 4096, "bytes_after": 4096, "what": ["mode"]}),
        ];
        assert_eq!(dumps.objects(&["diff", "--json", FIRST, NEWEST]), expected);
    }
}

#[test]
fn one_inode_under_another_path_is_a_rename() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let (from, to) = (dumps.path(NEWEST, "same"), dumps.path(NEWEST, "dir/moved"));
        // As a dump would have done that knew.
        fs::rename(&from, &to).expect("renamed");
        if catalog {
            CatalogTools::new(dumps.ground.root())
                .rebuild()
                .expect("made");
        }
        let changes = dumps.objects(&["diff", "--json"]);
        let expected = json!({"change": "rename", "path": to, "what": [],
            "from": dumps.path("2020/0102/0200", "same"),
            "bytes_before": 4096, "bytes_after": 4096});
        assert_eq!((changes.len(), &changes[0]), (2, &expected));
        let line = &dumps.words(&["diff"])[0];
        let (from, to) = (dumps.main("same"), dumps.main("dir/moved"));
        assert_eq!(line.join(" "), format!("R 4.00 KiB {from} → {to}"));
    }
}

#[test]
fn names_are_found_in_all_dumps() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let names = |words: &[&str]| -> Vec<PathBuf> {
            let objects = dumps.objects(&[&["find", "--json"], words].concat());
            let path = |object: &Value| object["path"].as_str().map(PathBuf::from);
            let mut names: Vec<_> = objects.iter().filter_map(path).collect();
            names.sort();
            names
        };
        let letter = dumps.path(NEWEST, "dir/letter.tex");
        let (gone, new) = (
            dumps.path(FIRST, "dir/gone.tex"),
            dumps.path(NEWEST, "new.TEX"),
        );
        let (gone, letter, new) = (&gone, &letter, &new);
        for (words, expected) in [
            (&["*.tex"][..], vec![gone, letter]),
            (&["-i", "*.tex"], vec![gone, letter, new]),
            (&["--deleted", "*"], vec![gone]),
            (&["tree/*.TEX"], vec![new]),
            (&["tree/**/*.tex"], vec![gone, letter]),
            (&[&dumps.main("*.TEX")], vec![new]),
            (&["--regex", "^(new|gone)"], vec![gone, new]),
            (&["--path", &dumps.main("dir"), "*.tex"], vec![gone, letter]),
            (&["--since", "before-upgrade", "*.tex"], vec![letter]),
            (&["new*", "gone*"], vec![gone, new]),
        ] {
            let found = names(words);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{words:?}");
        }
    }
}

#[test]
fn a_path_that_is_found_has_its_dumps_beside_it() {
    for catalog in BOTH {
        let dumps = Dumps::new(catalog);
        let known = |value: Value| if catalog { value } else { Value::Null };
        let letter = json!({"path": dumps.path(NEWEST, "dir/letter.tex"), "type": "file",
            "first": known(json!(FIRST)), "last": NEWEST, "versions": known(json!(2)),
            "bytes": 4096, "deleted": false});
        assert_eq!(dumps.objects(&["find", "--json", "letter.*"]), [letter]);
        let gone = json!({"path": dumps.path(FIRST, "dir/gone.tex"), "type": "file",
            "first": known(json!(FIRST)), "last": FIRST, "versions": known(json!(1)),
            "bytes": 4096, "deleted": true});
        assert_eq!(dumps.objects(&["find", "--json", "gone.*"]), [gone]);
        let lines = dumps.words(&["find", "letter.tex"]);
        assert_eq!(lines[0], ["FIRST", "LAST", "VERS", "SIZE", "PATH"]);
        let (first, versions) = if catalog { (FIRST, "2") } else { ("-", "-") };
        let path = dumps.main("dir/letter.tex");
        assert_eq!(lines[1], [first, "now", versions, "4.00", "KiB", &path]);
    }
}

#[test]
fn what_is_not_found_says_why() {
    let dumps = Dumps::new(true);
    let (printed, said) = ends(dumps.command(&["find", "--larger", "1M", "*"]), 1);
    assert_eq!((printed, said), (String::new(), String::new()));
    for (words, expected) in [
        (&[][..], "name what to look for"),
        (
            &["--regex", "a("],
            "'a(': not a regular expression: unclosed group",
        ),
        (&["/elsewhere/*"], "has to begin with the path of a tree"),
        (&["--larger", "x", "*"], "give a size such as 500K"),
    ] {
        dumps.refuses(&[&["find"], words].concat(), 2, expected);
    }
}

#[test]
fn du_says_what_dumps_trees_and_paths_cost() {
    let dumps = Dumps::new(true);
    let unique = |words: &[&str]| -> (u64, Value) {
        let object = dumps
            .objects(&[&["du", "--json"], words].concat())
            .remove(0);
        (object["unique_bytes"].as_u64().expect("a size"), object)
    };
    let (all, object) = unique(&[]);
    // Six inodes of files: two of one name, two of another.
    let files = 6 * 4096;
    let tree = dumps.ground.at("tree");
    assert_eq!(object["paths"], json!([{"path": tree, "bytes": files}]));
    let copies = object["generations"].as_array().expect("a list");
    assert_eq!(copies.len(), 1);
    let copy = ["tree", "name", "dumps", "bytes"].map(|key| &copies[0][key]);
    assert_eq!(
        copy,
        [&json!("tree"), &json!(FIRST), &json!(4), &json!(files)]
    );
    assert!(all > files, "with the directories");

    let (first, _) = unique(&[FIRST]);
    let listed = dumps.objects(&["list", "--json"]).remove(0);
    assert_eq!(listed["dumps"][0]["unique_bytes"], json!(first));
    let (both, _) = unique(&[FIRST, "before-upgrade"]);
    assert!(both > first && both < all);
    let (dir, object) = unique(&["--path", &dumps.main("dir")]);
    assert_eq!(dir, 3 * 4096);
    let letter = json!({"path": dumps.main("dir/letter.tex"), "bytes": 2 * 4096});
    assert_eq!(object["paths"][0], letter);
    assert_eq!(unique(&["--tree", "tree"]).0, files);
    let printed = dumps.run(&["du", FIRST]);
    assert!(
        printed.starts_with("removing this dump would free "),
        "{printed}"
    );
    let printed = dumps.run(&["du"]);
    assert!(
        printed.contains("\n1 full copy of tree: since 2020-01 (24.0 KiB)\n"),
        "{printed}"
    );
    dumps.refuses(
        &["du", "--path", &dumps.main("none/such")],
        1,
        "no dump ever had tree/none/such",
    );
    dumps.refuses(&["du", "2020/0101/0200"], 1, "has no dump 2020/0101/0200");
}

#[test]
fn what_only_the_catalog_knows_is_not_guessed() {
    let dumps = Dumps::new(false);
    let (printed, said) = ends(dumps.command(&["du"]), 1);
    assert_eq!(printed, "");
    let expected = "only the catalog knows that, and ";
    assert!(
        said.contains(expected) && said.contains("has no catalog"),
        "{said}"
    );
    let (printed, _) = ends(dumps.command(&["du", "--json"]), 1);
    let object = &objects(&printed)[0];
    assert_eq!(
        (&object["status"], &object["command"]),
        (&json!("failed"), &json!("du"))
    );
}

/// What the catalog does not know is not taken for what is not there.
#[test]
fn a_catalog_that_is_behind_is_not_asked() {
    let dumps = Dumps::new(true);
    let removed = dumps.ground.root().join("2020/0102/0200");
    fs::remove_dir_all(removed).expect("removed");
    let (printed, said) = ends(dumps.command(&["list"]), 0);
    assert!(
        said.contains("is not up to date: it lacks 1 removal; "),
        "{said}"
    );
    assert_eq!(printed.lines().count(), 4);
}

#[test]
fn a_root_without_dumps_says_so() {
    let ground = Ground::empty();
    for words in [&["list"][..], &["diff"], &["find", "*"]] {
        let (_, said) = ends(ground.dumpctl(words), 1);
        assert!(said.contains("has no link 'current'"), "{words:?}: {said}");
    }
}

/// Two dumps by root of a tree in which a plain user has a directory.
fn dumps_of_root(tree: &Path, root: &Path) {
    let (own, other) = (tree.join("own"), tree.join("other"));
    for path in [&own, &other, &root.to_path_buf()] {
        fs::create_dir_all(path).expect("made");
    }
    let owner = Command::new("chown").arg("12345").arg(&own).status();
    assert!(owner.expect("it runs").success());
    for private in [&own, &other] {
        fs::set_permissions(private, Permissions::from_mode(0o700)).expect("set");
    }
    for (minute, name) in [
        ("2020-01-01T01:00", "one.tex"),
        ("2020-01-02T01:00", "two.tex"),
    ] {
        for dir in [&own, &other] {
            fs::write(dir.join(name), name).expect("written");
        }
        let init = fs::symlink_metadata(root.join("current")).is_err();
        let snapshot = Snapshot::new(root).main(tree).init(init);
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }
    CatalogTools::new(root).rebuild().expect("made");
}

/// Root makes the dumps, everybody uses them: another user's private directory
/// is passed over, and so is all that is in it.
#[test]
#[ignore = "needs root to become another user"]
fn a_plain_user_sees_what_is_theirs() {
    let user = PlainUser::new();
    let dir = open_dir();
    let (tree, root) = (dir.path().join("tree"), dir.path().join("dump"));
    dumps_of_root(&tree, &root);
    let dumpctl = |words: &[&str]| {
        let mut command = user.command(env!("CARGO_BIN_EXE_dumpctl"));
        command
            .env_clear()
            .env("MAINROOT", &tree)
            .env("DUMPROOT", &root);
        command.args(words);
        ends(command, 0)
    };
    let (printed, said) = dumpctl(&["list", "--json"]);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["dumps"].as_array().map(Vec::len), Some(2));
    assert_eq!(said.lines().count(), 1, "{said}");
    let (printed, said) = dumpctl(&["find", "--json", "*.tex"]);
    let names: Vec<Value> = objects(&printed)
        .iter()
        .map(|one| one["path"].clone())
        .collect();
    let at = |dump: &str, name: &str| json!(root.join(dump).join("tree/own").join(name));
    let expected = ["one.tex", "two.tex"].map(|name| at("2020/0102/0100", name));
    assert_eq!(names, expected);
    assert!(
        said.ends_with("2 paths passed over that you may not read\n"),
        "{said}"
    );
    let (printed, said) = dumpctl(&["diff", "--json"]);
    let changes: Vec<Value> = objects(&printed)
        .iter()
        .map(|one| one["path"].clone())
        .collect();
    assert_eq!(changes, [at("2020/0102/0100", "two.tex")]);
    assert!(
        said.ends_with("1 path passed over that you may not read\n"),
        "{said}"
    );
}

#[test]
fn of_several_sets_a_path_chooses_or_the_person_does() {
    let dumps = Dumps::new(true);
    let dir = dumps.ground.at("");
    let photos = dir.join("photos");
    fs::create_dir(&photos).expect("made");
    let sets = format!(
        "[set.tree]\nmain = \"{0}tree\"\ndump = \"{0}dump\"\n\
         [set.photos]\nmain = \"{0}photos\"\ndump = \"{0}dump2\"\n",
        dir.display()
    );
    fixtures::shield::configure(&dir, &sets);
    let dumpctl = |words: &[&str]| {
        let mut command = dumps.ground.dumpctl(words);
        command.env_remove("DUMPROOT");
        command
    };
    let (_, said) = ends(dumpctl(&["list"]), 2);
    let expected = "there are several dump roots: choose one with --set or --dump (";
    assert!(said.contains(expected), "{said}");
    for words in [
        &["list", "--set", "tree"][..],
        &["find", "--path", &dumps.main("dir"), "*.tex"],
        &["diff", FIRST, NEWEST, "--", &dumps.main("dir")],
    ] {
        let (printed, said) = ends(dumpctl(words), 0);
        assert!(!printed.is_empty() && said.is_empty(), "{words:?}: {said}");
    }
    let (_, said) = ends(dumpctl(&["list", "--set", "photos"]), 1);
    assert!(said.contains("dump2"), "{said}");
}
