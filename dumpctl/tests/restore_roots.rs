//! `dumpctl restore` where a dump root is now: its dumps stay as they are, also
//! where the version has what was in that directory before.

mod common;

use std::fs;
use std::path::Path;

use common::{Ground, ends};
use dumpcore::Snapshot;
use fixtures::Fingerprint;

/// A dump of a tree in which `backups` has what looks like a dump; since then it
/// is the dump root of another tree, with a dump of that name.
fn ground(is_ours: bool) -> Ground {
    let ground = Ground::empty();
    let write = |name: &str, text: &str| {
        let path = ground.at(name);
        fs::create_dir_all(path.parent().expect("above")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("tree/own", "as dumped");
    write("tree/backups/2020/0101/0100/src/file", "before");
    write("tree/backups/2020/0101/0100/src/gone", "before");
    write("tree/backups/2020/0101/0200/src/file", "before");
    write("tree/backups/current", "before");
    ground.dump("2030-01-01T01:00");
    fs::remove_dir_all(ground.at("tree/backups")).expect("removed");
    fs::create_dir(ground.at("tree/backups")).expect("made");
    write("tree/own", "changed since");
    write("src/file", "live");
    write("src/new", "live");
    for minute in ["2020-01-01T01:00", "2020-01-03T01:00"] {
        let init = minute.starts_with("2020-01-01");
        let snapshot = Snapshot::new(ground.at("tree/backups")).main(ground.at("src"));
        let snapshot = snapshot.init(init).at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }
    if is_ours {
        fixtures::shield::configure(
            &ground.at("."),
            &format!(
                "[set.src]\nmain = {:?}\ndump = {:?}\n",
                ground.at("src"),
                ground.at("tree/backups")
            ),
        );
    }
    ground
}

/// All of a dump root: its dumps, and what is in it beside them.
fn whole(root: &Path) -> (Fingerprint, Vec<String>) {
    let listed = fs::read_dir(root).expect("listed");
    let mut beside: Vec<String> = listed
        .map(|entry| {
            let path = entry.expect("listed").path();
            let leads = fs::read_link(&path).unwrap_or_default();
            format!("{} {}", path.display(), leads.display())
        })
        .collect();
    beside.sort();
    (Fingerprint::of(root), beside)
}

fn restore(ground: &Ground, words: &[&str], code: i32) -> (String, String) {
    let mut command = ground.dumpctl(&["restore", "--force", "--main"]);
    command.arg(ground.at("tree")).args(words);
    ends(command, code)
}

#[test]
fn a_dump_root_in_the_tree_stays_as_it_is() {
    for is_ours in [false, true] {
        for words in [
            &["--in-place", "tree"][..],
            &["--in-place", "--backup", "old", "tree"],
            &["--in-place", "--overwrite", "if-newer", "tree"],
        ] {
            let ground = ground(is_ours);
            fs::create_dir(ground.at("old")).expect("made");
            let root = ground.at("tree/backups");
            let before = whole(&root);
            let (_, said) = restore(&ground, words, 23);
            let told = "tree/backups: it is a dump root, and stays as it is; restore what";
            assert!(said.contains(told), "{words:?}: {said}");
            assert_eq!(whole(&root), before, "{words:?}");
            let replaced = !words.contains(&"if-newer");
            let own = fs::read_to_string(ground.at("tree/own")).expect("read");
            assert_eq!(own == "as dumped", replaced, "the rest is restored");
            let (printed, _) = restore(&ground, &[words, &["-n"]].concat(), 0);
            assert!(printed.contains("leave "), "{printed}");
            // Elsewhere all of it can be had.
            let (_, said) = restore(&ground, &["--to", "other", "tree/backups"], 0);
            assert_eq!(said, "");
            assert!(ground.at("other/backups/2020/0101/0100/src/gone").exists());
        }
    }
}

#[test]
fn nothing_is_restored_into_dumps() {
    let ground = ground(false);
    let root = ground.at("tree/backups");
    let before = whole(&root);
    for path in [
        "",
        "/current",
        "/2020",
        "/2020/0101",
        "/2020/0101/0100",
        // One that was removed since.
        "/2020/0101/0200",
        "/2020/0101/0100/src",
        "/2020/0101/0100/src/file",
        "/2020/0101/0100/src/gone",
    ] {
        let path = format!("tree/backups{path}");
        let words = ["--at", "2030/0101/0100", "--in-place", &path];
        let (_, said) = restore(&ground, &words, 1);
        assert!(said.contains("dumps are never changed"), "{path}: {said}");
        assert_eq!(whole(&root), before, "{path}");
    }
    for (to, path) in [
        ("", "tree/backups/2020"),
        ("/2020", "tree/backups/2020/0101"),
        ("/2020/0101", "tree/backups/2020/0101/0200"),
        ("/2020/0101/0100/src", "tree/own"),
        ("/2020/0101/0100/src/made/for/it", "tree/own"),
        ("/2020/0101/0200", "tree/own"),
    ] {
        let to = format!("tree/backups{to}");
        let words = ["--at", "2030/0101/0100", "--to", &to, path];
        let (_, said) = restore(&ground, &words, 1);
        assert!(said.contains("dumps are never changed"), "{to}: {said}");
        assert_eq!(whole(&root), before, "{to}");
    }
    for backup in ["/2020/0101/0100/kept", "/2020/0101/0100", "/2020", "/.dump"] {
        let backup = format!("tree/backups{backup}");
        let words = ["--in-place", "--backup", &backup, "tree/own"];
        let (_, said) = restore(&ground, &words, 1);
        assert!(said.contains("dumps are never changed"), "{backup}: {said}");
        assert_eq!(whole(&root), before, "{backup}");
    }
}
