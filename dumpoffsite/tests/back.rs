//! What comes back from the repository, and what is removed in it.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use common::{LINKED_SPECIALS, Place, differences, files_of};
use predicates::str::contains;

#[test]
fn a_tree_comes_back_as_it_was() {
    let place = Place::new();

    place.odd_tree(false);
    place.dump();
    place.word("init").assert().success();
    place.word("push").assert().success();
    let tree = place.path("tree");
    place
        .word("restore")
        .arg(&tree)
        .args(["--to", "back"])
        .assert()
        .success();
    let back = place.path("back/tree");
    assert_eq!(differences(&tree, &back, &LINKED_SPECIALS), [""; 0]);
    let mode = fs::metadata(place.path("back"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_older_version_comes_back_and_nothing_is_replaced() {
    let place = Place::with_dump();
    let first = place.dump();
    place.word("push").assert().success();
    place.write("tree/a", "changed\n");
    place.dump();
    place.word("push").assert().success();
    let file = place.path("tree/a");
    let restore = |to: &str, more: &[&str]| {
        let mut restore = place.word("restore");
        restore.arg(&file).args(["--to", to]).args(more);
        restore.assert()
    };
    restore("new", &[]).success();
    restore("old", &["--at", &first])
        .success()
        .stdout(contains(&first));
    let read = |path: &str| fs::read_to_string(place.path(path)).expect("read");
    assert_eq!(
        (read("new/a"), read("old/a")),
        ("changed\n".into(), "first\n".into())
    );
    restore("old", &[]).code(1).stderr(contains("not empty"));
    assert_eq!(read("old/a"), "first\n");
    restore("dry", &["-n"])
        .success()
        .stdout(contains("would restore"));
    assert!(!place.path("dry").exists());
    restore("no", &["--at", "1999-01-01"])
        .code(1)
        .stderr(contains("is of 1999-01-01"));
    restore("no", &["--host", "nobody"])
        .code(1)
        .stderr(contains("no snapshot of nobody"));
    restore("no", &["--at", "sometime"]).code(2);
    place
        .word("restore")
        .arg("/nowhere")
        .args(["--to", "no"])
        .assert()
        .code(1);
    let missing = place
        .word("restore")
        .arg(place.path("tree/no"))
        .args(["--to", "no"])
        .assert();
    missing.code(1).stderr(contains("does not have"));
}

#[test]
fn damage_is_found() {
    let place = Place::with_dump();
    place.word("push").assert().success();
    place
        .word("check")
        .assert()
        .success()
        .stdout(contains("is whole"));
    place
        .word("check")
        .args(["--read-data-subset", "100%"])
        .assert()
        .success();
    place
        .word("check")
        .args(["--read-data-subset", "lots"])
        .assert()
        .code(2);
    for part in ["1/0", "0/7", "8/7", "0%", "0B"] {
        let refused = place
            .word("check")
            .args(["--read-data-subset", part])
            .assert();
        refused.code(2).stderr(contains("--read-data-subset"));
    }
    let data = files_of(&place.path("repo/data"));
    let pack = data.first().expect("a pack").clone();
    let mut bytes = fs::read(&pack).expect("read");
    bytes[10] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&pack, bytes).expect("written");
    let (value, code) = place.json(&["check", "--read-data"]);
    assert_eq!((&value["status"], code), (&"attention".into(), 3));
    let found = &value["findings"][0];
    assert_eq!(found["severity"], "error");
    let message = found["message"].as_str().expect("a message");
    assert!(!message.contains(['\n', '`']), "{message}");
    fs::remove_file(&pack).expect("removed");
    place
        .word("check")
        .assert()
        .code(3)
        .stdout(contains("damaged"));
}

#[test]
fn data_that_is_gone_fails_a_restore() {
    let place = Place::new();
    place.noise(1);
    place.dump();
    place.word("init").assert().success();
    place.word("push").assert().success();
    let size = |path: &PathBuf| fs::metadata(path).expect("looked at").len();
    let packs = files_of(&place.path("repo/data")).into_iter();
    let data = packs.max_by_key(size).expect("a pack");
    fs::remove_file(data).expect("removed");
    let tree = place.path("tree");
    let words = ["restore", tree.to_str().expect("UTF-8"), "--to", "back"];
    let (value, code) = place.json(&words);
    assert_eq!((&value["status"], code), (&"failed".into(), 1), "{value}");
    let ran = place
        .plain()
        .args(["restore", "--to", "other"])
        .arg(&tree)
        .output();
    let ran = ran.expect("runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(said.contains("dumpoffsite check"), "{said}");
    // Nor does a push count on it.
    place.dump();
    let push = place.word("push").assert().code(1);
    push.stderr(contains("lacks 1 of the packs"));
    assert_eq!(place.snapshots().len(), 1);
}

#[test]
fn what_no_rule_keeps_is_forgotten() {
    let place = Place::with_dump();
    let names = [place.dump(), place.dump(), place.dump()];
    place.word("push").arg("--all").assert().success();
    assert_eq!(place.snapshots().len(), 4);
    place
        .word("prune")
        .assert()
        .code(2)
        .stderr(contains("[offsite.keep]"));
    place.config("[offsite.keep]\nlast = 2\nfree = \"10%\"\n");
    place
        .word("prune")
        .assert()
        .code(2)
        .stderr(contains("no 'free'"));
    place.config("[offsite.keep]\nlast = 0\n");
    place.word("prune").assert().code(2);
    place.config("[offsite.keep]\nlast = 2\n");
    let (plan, code) = place.json(&["prune", "-n"]);
    assert_eq!(code, 0, "{plan}");
    assert_eq!(plan["remove"].as_array().map(Vec::len), Some(2), "{plan}");
    assert_eq!(plan["keep"][0]["reasons"], serde_json::json!(["last"]));
    assert_eq!(place.snapshots().len(), 4);
    place
        .word("prune")
        .assert()
        .success()
        .stdout(contains("forgot 2 snapshots, kept 2"));
    let left = place.snapshots();
    let left: Vec<_> = left
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(left, [&names[1], &names[2]]);
    place.word("check").arg("--read-data").assert().success();
    // The dumps themselves are as they were, and what was forgotten can come back.
    place.word("push").arg("--all").assert().success();
    assert_eq!(place.snapshots().len(), 4);
}

#[test]
fn what_others_have_stored_is_left_alone() {
    let place = Place::with_dump();
    place.dump();
    place.word("push").arg("--all").assert().success();
    let dir = place.dir.path().display();
    fs::create_dir(place.path("other")).expect("made");
    // None of the trees of this set.
    let keep = "[offsite.keep]\nlast = 1\n";
    place.config(&format!("{keep}[set.other]\nmain = \"{dir}/other\"\n"));
    place
        .word("prune")
        .args(["--set", "other"])
        .assert()
        .success();
    assert_eq!(place.snapshots().len(), 2);
    place.word("prune").assert().success();
    assert_eq!(place.snapshots().len(), 1);
}

/// A push that could not read something is done again, and its copy is then one of
/// two of the same dump.
fn twice(place: &Place) {
    let mark = |name: &str, value: &[u8]| {
        let dump = fs::read_link(place.path("dump/current")).expect("read");
        xattr::set(place.path("dump").join(dump).join("tree/a"), name, value).expect("set");
    };
    mark("user.mark", b"first");
    place.word("push").assert().success();
    let stored = place.snapshots();
    let newest = stored.last().expect("pushed");
    let id = newest["snapshot"].as_str().expect("an id");
    place.restic_says(&["tag", "--add", "incomplete", id]);
    mark("user.mark", b"second");
    place.word("push").assert().success();
}

#[test]
#[ignore = "needs restic"]
fn copies_of_a_dump_count_as_one_and_the_complete_one_comes_back() {
    let place = Place::with_dump();
    place.config("[offsite.keep]\nlast = 2\n");
    twice(&place);
    place.write("tree/a", "changed\n");
    place.dump();
    twice(&place);
    assert_eq!(place.snapshots().len(), 4);
    let file = place.path("tree/a");
    let restore = |to: &str| {
        let mut restore = place.word("restore");
        restore.arg(&file).args(["--to", to]).assert()
    };
    restore("complete").success();
    let mark = xattr::get(place.path("complete/a"), "user.mark").expect("read");
    assert_eq!(mark.as_deref(), Some(&b"second"[..]));
    // Two dumps are kept, each in its complete copy.
    let (plan, code) = place.json(&["prune", "-n"]);
    assert_eq!(code, 0, "{plan}");
    let of = |key: &str| plan[key].as_array().expect("a list").clone();
    assert_eq!((of("keep").len(), of("remove").len()), (2, 2), "{plan}");
    assert!(of("remove").iter().all(|one| one["duplicate"] == true));
    place.word("prune").assert().success();
    let left = place.snapshots();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|one| one["partial"] == false), "{left:?}");
    // Where there is no other, it is restored, and said.
    let newest = left[1]["snapshot"].as_str().expect("an id");
    place.restic_says(&["tag", "--add", "incomplete", newest]);
    restore("incomplete")
        .code(23)
        .stderr(contains("lacks entries"));
    assert!(place.path("incomplete/a").exists());
}

#[test]
fn a_dump_to_restore_from_is_named_in_many_ways() {
    let place = Place::with_dump();
    let first = place.dump();
    place.write("tree/a", "changed\n");
    place.dump();
    place.word("push").arg("--all").assert().success();
    symlink(&first, place.path("dump/pin")).expect("linked");
    let dump = place.path("dump").join(&first);
    let restore = |to: &str, at: &std::path::Path| {
        let mut restore = place.word("restore");
        restore.arg("--at").arg(at).arg(place.path("tree/sub/../a"));
        restore.args(["--to", to]).assert()
    };
    for (to, at) in [
        ("1", "pin".as_ref()),
        ("2", &*dump),
        ("3", &*dump.join("tree")),
    ] {
        restore(to, at).success();
        let file = place.path(to).join("a");
        assert_eq!(fs::read_to_string(file).expect("read"), "first\n", "{at:?}");
    }
    restore("4", "2999-01-01".as_ref())
        .code(1)
        .stderr(contains("is in the future"));
    // The dump root need not be there any more.
    fs::rename(place.path("dump"), place.path("gone")).expect("renamed");
    restore("5", &dump).success();
    restore("6", "pin".as_ref()).code(2);
}

#[test]
fn a_restore_that_fails_leaves_no_empty_directory() {
    let place = Place::with_dump();
    place.word("push").assert().success();
    let restore = || {
        let mut restore = place.word("restore");
        restore.arg(place.path("tree/none")).args(["--to", "back"]);
        restore.assert()
    };
    restore().code(1).stderr(contains("does not have"));
    assert!(!place.path("back").exists());
    fs::create_dir(place.path("back")).expect("made");
    restore().code(1).stderr(contains("does not have"));
    assert!(place.path("back").exists(), "it was there before");
}

/// As `setpriv` starts it: with no right to give files away.
#[test]
#[ignore = "needs root"]
fn a_plain_user_restores_what_is_of_others_as_his_own() {
    let place = Place::with_dump();
    place.word("push").assert().success();
    for path in files_of(&place.path("repo")) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("set");
    }
    let own = "chown 4711 password && mkdir -m 700 back && chown 4711 back && chmod 755 .";
    let mut script = fixtures::shield::command("sh", place.dir.path());
    let made = script.args(["-c", own]).status().expect("runs");
    assert!(made.success());
    let program = env!("CARGO_BIN_EXE_dumpoffsite");
    let mut user = fixtures::shield::command("setpriv", place.dir.path());
    user.args([
        "--reuid=4711",
        "--clear-groups",
        program,
        "restore",
        "--to",
        "back",
    ]);
    let ran = user.arg(place.path("tree")).output().expect("runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert_eq!(said.matches("will be yours").count(), 1, "{said}");
    let back = fs::metadata(place.path("back/tree/a")).expect("there");
    assert_eq!(back.uid(), 4711);
}
