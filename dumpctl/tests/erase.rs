//! `dumpctl erase`: what goes, what stays as it was, and what is told.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use common::{Ground, ends};
use dumpcore::{CatalogTools, DumpRoot};
use fixtures::chattr::chattr;
use fixtures::plain_user::PlainUser;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

/// Three dumps, of which the last has the key with other contents, a pin, and
/// what a run has left behind.
fn ground() -> Ground {
    let ground = Ground::empty();
    let write = |name: &str, text: &str| fs::write(ground.at(name), text).expect("written");
    write("tree/dir/private-key", "secret");
    write("tree/dir/keep", "kept");
    fs::hard_link(ground.at("tree/dir/keep"), ground.at("tree/dir/twin")).expect("linked");
    fs::create_dir(ground.at("tree/dir/vault")).expect("made");
    write("tree/dir/vault/one", "secret");
    for minute in ["2030-01-01T01:00", "2030-01-01T02:00"] {
        ground.dump(minute);
    }
    write("tree/dir/private-key", "another secret");
    write("tree/dir/new", "new");
    ground.dump("2030-01-02T01:00");
    symlink("2030/0101/0200", ground.root().join("kept")).expect("linked");
    let left = ground.root().join("2030/0103/0100_incomplete/tree/dir");
    fs::create_dir_all(&left).expect("made");
    fs::write(left.join("private-key"), "secret").expect("written");
    ground
}

fn command(ground: &Ground, words: &[&str]) -> Command {
    let mut command = ground.dumpctl(&["erase"]);
    command
        .args(words)
        .env("MAINROOT", ground.at("tree"))
        .current_dir(ground.at("."))
        .stdin(Stdio::null());
    command
}

fn erase(ground: &Ground, words: &[&str], code: i32) -> (String, String) {
    ends(command(ground, words), code)
}

/// Inode, links, mode, size and modification time.
type Facts = (u64, u64, u32, u64, i64, i64);

/// What is in the dump root, without the runner's own, by path.
fn all(ground: &Ground) -> BTreeMap<PathBuf, Facts> {
    let root = ground.root();
    let mut found = BTreeMap::new();
    let mut left = vec![root.clone()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).expect("listed") {
            let path = entry.expect("listed").path();
            if path.ends_with(".dump") {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("there");
            let times = (meta.mtime(), meta.mtime_nsec());
            let size = if meta.is_dir() { 0 } else { meta.size() };
            let links = if meta.is_dir() { 0 } else { meta.nlink() };
            let what = (meta.ino(), links, meta.mode(), size, times.0, times.1);
            if meta.is_dir() {
                left.push(path.clone());
            }
            let path = path.strip_prefix(&root).expect("below").to_path_buf();
            found.insert(path, what);
        }
    }
    found
}

fn check(ground: &Ground) {
    let found = CatalogTools::new(ground.root()).all(true).check();
    assert_eq!(found.expect("checked"), Vec::new());
}

#[test]
fn a_path_leaves_all_dumps_and_nothing_else_changes() {
    let ground = ground();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let mut before = all(&ground);
    let (printed, said) = erase(&ground, &["--force", "tree/dir/private-key"], 0);
    assert_eq!(said, "");
    assert!(printed.starts_with("erased 4 entries, "), "{printed}");
    assert!(
        printed.contains("dir/private-key: in 4 dumps, 2030/0101/0100 to "),
        "{printed}"
    );
    assert!(
        printed.contains("exclude it with the line /tree/dir/private-key\n"),
        "{printed}"
    );
    assert!(
        printed.contains("the freed blocks are not overwritten"),
        "{printed}"
    );
    before.retain(|path, _| !path.ends_with("dir/private-key"));
    assert_eq!(all(&ground), before);
    let state = ground.root().join(".dump");
    for name in ["removing", "erasing"] {
        assert!(!state.join(name).exists(), "{name}");
    }
    let catalog = fs::read(state.join("catalog.db")).expect("read");
    assert!(
        !catalog.windows(11).any(|name| name == b"private-key"),
        "the name is gone"
    );
    check(&ground);
    // A dump is not taken for half of one, and the next one is as always.
    let dump = DumpRoot::open(ground.root()).expect("opened");
    let names = dump
        .listing()
        .noted_names("2030/0102/0100".parse().expect("a name"));
    assert_eq!(names, Some(7));
    ground.dump("2030-01-04T01:00");
    assert!(
        ground.has("2030/0104/0100/tree/dir/private-key"),
        "the tree still has it"
    );
    let (_, said) = erase(&ground, &["--force", "tree/dir/none"], 1);
    assert!(
        said.contains("no dump in ") && said.contains("dir/none"),
        "{said}"
    );
}

/// The note of an erasure that was killed stays until all is done, although no dump
/// has the path any more.
#[test]
fn an_erasure_that_was_cut_off_is_finished_and_said_so() {
    let ground = ground();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let note = ground.root().join(".dump/erasing");
    // `tree/dir/gone`, which was taken out of all dumps before.
    let cut_off = || fs::write(&note, "path 747265652f6469722f676f6e65\nend\n").expect("written");
    cut_off();
    let (printed, _) = ends(ground.dumpctl(&["status", "-q"]), 3);
    let told = "an erasure of 1 path is not finished: 'dumpctl erase -n' names them";
    assert!(printed.contains(told), "{printed}");
    let (printed, _) = erase(&ground, &["-n"], 0);
    assert!(printed.contains("dir/gone: in no dump"), "{printed}");
    let (printed, _) = erase(&ground, &["-n", "tree/dir/gone"], 0);
    let begin = "dry run: would continue an earlier erasure, and erase 0 entries, 0 B freed\n";
    assert!(printed.starts_with(begin), "{printed}");
    assert!(note.exists());
    // Nothing is left that has to be asked about.
    for words in [&["tree/dir/gone"][..], &["--force", "tree/dir/gone"], &[]] {
        cut_off();
        let (printed, _) = erase(&ground, words, 0);
        let begin = "finished an earlier erasure; no dump had any of it left\n";
        assert!(printed.starts_with(begin), "{words:?}: {printed}");
        assert!(
            printed.contains("dir/gone: in no dump any more\n"),
            "{printed}"
        );
        assert!(!note.exists());
    }
    // Where a dump still has one of the paths, it is asked as always.
    cut_off();
    let (_, said) = erase(&ground, &["tree/dir/private-key"], 1);
    assert!(said.contains("--force erases without asking"), "{said}");
    let (printed, _) = erase(&ground, &["--force", "tree/dir/private-key"], 0);
    assert!(printed.contains("dir/private-key: in 4 dumps"), "{printed}");
    assert!(
        printed.contains("dir/gone: in no dump any more"),
        "{printed}"
    );
    erase(&ground, &["-n"], 2);
    check(&ground);
}

#[test]
fn a_directory_goes_with_all_in_it() {
    let ground = ground();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let mut before = all(&ground);
    let path = ground.root().join("2030/0101/0100/tree/dir/vault");
    let (printed, _) = erase(&ground, &["--force", path.to_str().expect("text")], 0);
    assert!(printed.starts_with("erased 6 entries, "), "{printed}");
    before.retain(|path, _| !path.to_string_lossy().contains("vault"));
    assert_eq!(all(&ground), before);
    check(&ground);
}

#[test]
fn what_only_an_expired_dump_has_is_told_and_goes_with_it() {
    let ground = ground();
    let spare = ground.root().join(".dump/removing/2029-1231-2300.spare");
    let dir = spare.join("tree/dir");
    fs::create_dir_all(&dir).expect("made");
    fs::write(dir.join("key"), "a key").expect("written");
    let (printed, _) = erase(&ground, &["-n", "tree/dir/key"], 0);
    assert!(
        printed.contains(": in a dump that has expired"),
        "{printed}"
    );
    assert!(dir.join("key").exists());
    let (printed, _) = erase(&ground, &["--force", "tree/dir/key"], 0);
    assert!(
        printed.contains(": in a dump that has expired"),
        "{printed}"
    );
    assert!(!spare.exists());
    erase(&ground, &["--force", "tree/dir/key"], 1);
}

#[test]
fn a_dry_run_changes_nothing_and_machines_are_told() {
    let ground = ground();
    let before = all(&ground);
    let (printed, _) = erase(&ground, &["-n", "--json", "tree/dir/keep"], 0);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    let expected = json!({
        "schema": 1, "program": "dumpctl", "command": "erase", "version": object["version"],
        "status": "complete", "exit": 0, "dry_run": true, "dump_root": ground.root(),
        "paths": [{
            "path": ground.at("tree/dir/keep"), "in_tree": true, "exclude": "/tree/dir/keep",
            "dumps": ["2030/0101/0100", "2030/0101/0200", "2030/0102/0100"],
            "remaining": [], "expired": false,
        }],
        "left": [], "entries": 3, "freed_bytes": 0, "other_names": 1, "catalog": "none",
        "finished": false, "faults": [], "faults_total": 0,
    });
    assert_eq!(object, expected);
    assert_eq!(all(&ground), before);
    let (printed, _) = erase(&ground, &["-n", "tree/dir/keep"], 0);
    assert!(
        printed.contains("1 file has other names in the dumps (hard links)"),
        "{printed}"
    );
}

#[test]
fn patterns_are_listed_path_by_path() {
    let ground = ground();
    let (printed, _) = erase(
        &ground,
        &["--glob", "--force", "keep", "p*", "vault", "one"],
        0,
    );
    for path in [
        "dir/keep: in 3 dumps",
        "dir/private-key: in 4 dumps",
        "dir/vault: in 3 dumps",
    ] {
        assert!(printed.contains(path), "{path}: {printed}");
    }
    assert!(
        !printed.contains("vault/one"),
        "it went with the directory: {printed}"
    );
    assert!(!ground.has("2030/0101/0100/tree/dir/vault"));
    assert!(
        ground.has("2030/0101/0100/tree/dir/twin"),
        "another name stays"
    );
    let (_, said) = erase(&ground, &["--glob", "--force", "none*"], 1);
    assert!(said.contains("no dump has a path that matches"), "{said}");
}

#[test]
fn what_is_wrong_is_told_and_nothing_is_changed() {
    let ground = ground();
    let before = all(&ground);
    for (words, code, text) in [
        (&[][..], 2, "name the path to erase"),
        (&["--glob"], 2, "name a pattern"),
        (&["tree"], 2, "is a whole tree"),
        (
            &["tree/dir/private-key"],
            1,
            "--force erases without asking",
        ),
        (&["elsewhere/key"], 1, "elsewhere/key"),
    ] {
        let (_, said) = erase(&ground, words, code);
        assert!(said.contains(text), "{words:?}: {said}");
    }
    let lock = DumpRoot::open(ground.root())
        .expect("opened")
        .lock()
        .expect("locked");
    erase(&ground, &["--force", "tree/dir/private-key"], 75);
    drop(lock);
    assert_eq!(all(&ground), before);
}

#[test]
fn a_dump_that_is_read_keeps_it_until_the_next_time() {
    let ground = ground();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let reader = File::open(ground.root().join("2030/0101/0200")).expect("opened");
    flock(&reader, FlockOperation::LockShared).expect("held");
    let (_, said) = erase(&ground, &["--force", "tree/dir/private-key"], 23);
    assert!(said.contains("another program is reading it"), "{said}");
    assert!(!said.contains("catalog"), "{said}");
    assert!(ground.has("2030/0101/0200/tree/dir/private-key"));
    assert!(!ground.has("2030/0101/0100/tree/dir/private-key"));
    check(&ground);
    let (printed, _) = erase(&ground, &["--json"], 1);
    let object: Value = serde_json::from_str(&printed).expect("an object");
    assert_eq!(object["left"][0]["name"], "2030/0101/0200");
    assert_eq!(object["finished"], true);
    drop(reader);
    let (printed, said) = erase(&ground, &[], 0);
    assert!(
        printed.starts_with("finished an earlier erasure, and erased 1 entry, "),
        "{printed}"
    );
    assert_eq!(said, "");
    assert!(!ground.has("2030/0101/0200/tree/dir/private-key"));
    check(&ground);
    erase(&ground, &[], 2);
}

/// What the catalog tells of the dumps, as a catalog made again would.
fn assert_told_as_made_again(ground: &Ground) {
    let told = || {
        let (listed, _) = ends(ground.dumpctl(&["list", "--json"]), 0);
        let (used, _) = ends(ground.dumpctl(&["du", "--json"]), 0);
        (listed, used)
    };
    let before = told();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    assert_eq!(before, told());
}

/// Each dump says how many names it has.
fn assert_names_noted(ground: &Ground) {
    let root = DumpRoot::open(ground.root()).expect("opened");
    for dump in root.list().expect("listed") {
        let noted = root.listing().noted_names(dump).expect("noted");
        let (there, name) = (all(ground), dump.path());
        let below = there.keys().filter(|path| path.starts_with(&name));
        assert_eq!(noted, below.count() as u64 - 1, "{dump}");
    }
}

/// A dump that was about to lose a path may say already how many names it has
/// without it.
#[test]
fn dumps_say_how_many_names_they_have_after_two_erasures_that_meet() {
    for words in [
        &["tree/dir/vault"][..],
        &["tree/dir/vault", "tree/dir/vault/one"],
        &["tree/dir"],
        &["tree/dir/private-key"],
    ] {
        let ground = ground();
        CatalogTools::new(ground.root()).rebuild().expect("made");
        let root = DumpRoot::open(ground.root()).expect("opened");
        let (mut note, hex) = (String::from("path "), "747265652f6469722f70726976617465");
        note.push_str(&format!("{hex}2d6b6579\n"));
        for (at, dump) in root.list().expect("listed").into_iter().enumerate() {
            let names = root.listing().noted_names(dump).expect("noted") - 1;
            note.push_str(&format!("names {dump} {names}\n"));
            // One was not reached, one says it and still has the path, of one it
            // is taken out.
            let path = ground.root().join(dump.path());
            if at > 0 {
                let text = names.to_string();
                xattr::set(&path, "user.dump.names", text.as_bytes()).expect("set");
            }
            if at > 1 {
                let dir = File::open(path.join("tree/dir")).expect("opened");
                let modified = dir.metadata().and_then(|was| was.modified());
                fs::remove_file(path.join("tree/dir/private-key")).expect("removed");
                let times = FileTimes::new().set_modified(modified.expect("a time"));
                dir.set_times(times).expect("set");
            }
        }
        fs::write(ground.root().join(".dump/erasing"), note + "end\n").expect("written");
        erase(&ground, &[&["--force"], words].concat(), 0);
        assert_names_noted(&ground);
        check(&ground);
        let left = all(&ground).into_keys();
        let left: Vec<_> = left.filter(|path| path.ends_with("private-key")).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{words:?}");
    }
}

/// A path below another goes with it, and is not looked for again.
#[test]
fn a_path_in_a_directory_that_goes_is_no_fault() {
    let ground = ground();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let words = ["--force", "tree/dir/vault/one", "tree/dir/vault"];
    let (printed, said) = erase(&ground, &words, 0);
    assert!(printed.contains("dir/vault: in 3 dumps"), "{printed}");
    assert_eq!(said, "");
    assert_names_noted(&ground);
    check(&ground);
}

#[test]
#[ignore = "needs root, for chattr(1) on a filesystem that has it"]
fn what_cannot_be_changed_keeps_it_until_it_can() {
    // The directory cannot lose a name, or the directory that is erased cannot go,
    // or a file that is erased; the dump itself cannot be marked.
    let refused = "Operation not permitted";
    for (held, path, code, why) in [
        (
            "2030/0101/0200/tree/dir",
            "tree/dir/private-key",
            23,
            refused,
        ),
        (
            "2030/0101/0200/tree/dir/vault",
            "tree/dir/vault",
            23,
            refused,
        ),
        ("2030/0102/0100/tree/dir/new", "tree/dir/new", 1, refused),
        (
            "2030/0101/0200",
            "tree/dir/private-key",
            23,
            "cannot be noted",
        ),
    ] {
        let ground = ground();
        CatalogTools::new(ground.root()).rebuild().expect("made");
        let mut before = all(&ground);
        let held = ground.root().join(held);
        chattr("+i", &held);
        let ended = command(&ground, &["--force", path]).output();
        chattr("-i", &held);
        let ended = ended.expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{said}");
        assert!(said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let still = |path: &&PathBuf| held.starts_with(ground.root().join(path));
        assert!(all(&ground).keys().filter(still).count() > 2, "it stays");
        assert_names_noted(&ground);
        check(&ground);
        assert_told_as_made_again(&ground);
        // Where nothing had gone, nothing was begun that could be finished.
        let again = ["--force", path];
        erase(&ground, if code == 23 { &[] } else { &again }, 0);
        let erased = Path::new(path);
        before.retain(|path, _| !path.iter().skip(3).collect::<PathBuf>().starts_with(erased));
        assert_eq!(all(&ground), before);
        check(&ground);
        assert_told_as_made_again(&ground);
        assert!(!ground.root().join(".dump/erasing").exists());
    }
}

#[test]
#[ignore = "needs root to become another user"]
fn a_plain_user_erases_from_read_only_directories() {
    let user = PlainUser::new();
    let ground = ground();
    let dump = user.home().join("dump");
    let copied = Command::new("cp")
        .args(["-a", "--"])
        .args([ground.root(), dump.clone()])
        .status();
    assert!(copied.expect("it runs").success());
    let dir = dump.join("2030/0101/0100/tree/dir");
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let times = FileTimes::new().set_modified(old);
    File::open(&dir)
        .expect("opened")
        .set_times(times)
        .expect("set");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).expect("closed");
    let given = Command::new("chown")
        .args(["-R", "12345:12345"])
        .arg(&dump)
        .status();
    assert!(given.expect("it runs").success());
    let mut command = user.command(env!("CARGO_BIN_EXE_dumpctl"));
    command.args([
        "erase",
        "--force",
        "--main",
        "tree",
        "--dump",
        "dump",
        "tree/dir/private-key",
    ]);
    ends(command, 0);
    let meta = fs::metadata(&dir).expect("there");
    assert_eq!(meta.mode() & 0o777, 0o555);
    assert_eq!(meta.modified().expect("known"), old);
    assert!(!Path::new(&dir).join("private-key").exists());
}
