//! Debian's restic as the judge: it reads what was pushed, and works beside it.

mod common;

use common::{LINKED_SPECIALS, Place, differences, size_of};
use predicates::str::contains;

/// What restic 0.14 does not restore: sockets, targets of symlinks that are not
/// UTF-8, attributes of symlinks, times after 2262.
const OF_RESTIC: [&str; 6] = [
    "links/socket",
    "links/b/socket",
    "types/socket",
    " -> ",
    "root/trusted link",
    "times/10000000000",
];

/// A path below a directory, as restic restores it there.
fn below(dir: &std::path::Path, path: &std::path::Path) -> std::path::PathBuf {
    dir.join(path.strip_prefix("/").expect("absolute"))
}

#[test]
#[ignore = "needs root, restic and rsync"]
fn restic_restores_what_was_dumped() {
    let place = Place::new();

    place.odd_tree(true);
    place.dump();
    place.word("init").assert().success();
    place.word("push").assert().success();
    place.restic_says(&["check", "--read-data"]);
    let back = place.path("back");
    let target = back.to_str().expect("UTF-8");
    place.restic_says(&["restore", "latest", "--target", target]);
    let dumped = place.path("dump/current/tree");
    let restored = below(&back, &place.path("tree"));
    let known = [&LINKED_SPECIALS[..], &OF_RESTIC].concat();
    assert_eq!(differences(&dumped, &restored, &known), [""; 0]);
    // And so does the program itself.
    place
        .word("restore")
        .arg(place.path("tree"))
        .args(["--to", "own"])
        .assert()
        .success();
    let own = place.path("own/tree");
    assert_eq!(differences(&dumped, &own, &LINKED_SPECIALS), [""; 0]);
}

#[test]
#[ignore = "needs restic"]
fn restic_understands_the_snapshots() {
    let place = Place::with_dump();
    let first = place.dump();
    place.word("push").assert().success();
    place.write("tree/a", "changed\n");
    let second = place.dump();
    place.word("push").assert().success();
    let listed = place.restic_says(&["snapshots", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let listed = listed.as_array().expect("a list");
    let tree = place.path("tree");
    for (snapshot, name) in listed.iter().zip([&first, &second]) {
        assert_eq!(snapshot["tags"], serde_json::json!([name]));
        assert_eq!(snapshot["paths"], serde_json::json!([tree]));
        let moment = xattr::get(place.path("dump").join(name), "user.dump.moment");
        let moment = moment.expect("read").expect("a mark");
        let moment = String::from_utf8(moment).expect("UTF-8");
        assert_eq!(
            seconds(snapshot["time"].as_str().expect("a time")),
            seconds(&moment)
        );
    }
    let ids: Vec<&str> = listed
        .iter()
        .map(|one| one["id"].as_str().expect("an id"))
        .collect();
    let diff = place.restic_says(&["diff", ids[0], ids[1]]);
    let changed: Vec<&str> = diff
        .lines()
        .filter(|line| line.get(1..5) == Some("    "))
        .collect();
    let path = tree.join("a").display().to_string();
    assert_eq!(changed, [format!("M    {path}")], "{diff}");
}

/// Seconds of a time as `date` reads it.
fn seconds(time: &str) -> i64 {
    let ran = std::process::Command::new("date")
        .args(["+%s", "-d", time])
        .output();
    let said = String::from_utf8(ran.expect("date runs").stdout).expect("UTF-8");
    said.trim()
        .parse()
        .unwrap_or_else(|error| panic!("{time}: {error}"))
}

#[test]
#[ignore = "needs restic"]
fn restic_works_beside_it() {
    let place = Place::new();
    let made = place.restic(&["init", "--repository-version", "2"]);
    assert!(made.status.success(), "{made:?}");
    place.write("tree/a", "first\n");
    place.write("tree/b", &"second\n".repeat(10_000));
    place.dump();
    place.word("push").assert().success();
    place.write("elsewhere/c", "of restic\n");
    let elsewhere = place.path("elsewhere");
    place.restic_says(&["backup", elsewhere.to_str().expect("UTF-8")]);
    place
        .word("list")
        .assert()
        .success()
        .stdout(contains("other"));
    // Somebody forgets all, and reclaims the data that the next push counts on.
    let all = place.snapshots();
    let own = all
        .iter()
        .find(|one| !one["name"].is_null())
        .expect("pushed");
    let id = own["snapshot"].as_str().expect("an id");
    place.restic_says(&["forget", "--prune", id]);
    place.dump();
    let pushed = place.pushed(&[]);
    assert_eq!(
        (&pushed["status"], &pushed["files_read"]),
        (&"complete".into(), &2.into())
    );
    place.restic_says(&["check", "--read-data"]);
    place.word("check").arg("--read-data").assert().success();
    // What prune marks or removes, restic finds good as well.
    place.write("tree/b", "short\n");
    place.dump();
    place.word("push").assert().success();
    place.config("[offsite.keep]\nlast = 1\n");
    place.word("prune").assert().success();
    place.restic_says(&["check", "--read-data"]);
    assert!(size_of(&place.path("repo")) > 0);
}

#[test]
#[ignore = "needs restic"]
fn a_password_that_is_wrong_opens_it_for_neither() {
    let place = Place::with_dump();
    place.word("push").assert().success();
    place.secret("password", "wrong\n", 0o600);
    let refused = place.restic(&["snapshots"]);
    assert!(!refused.status.success());
    for word in ["list", "push", "check"] {
        place
            .word(word)
            .assert()
            .code(1)
            .stderr(contains("does not open"));
    }
}

/// What `restic prune` removes while a push is under way: packs that no index names
/// yet. On a first push there is no index at all.
#[test]
#[ignore = "needs restic"]
fn a_push_whose_data_is_pruned_meanwhile_stores_no_snapshot() {
    let place = Place::new();
    place.noise(100);
    place.dump();
    place.word("init").assert().success();
    let push = place.slow_push();
    place.wait_for_data(10 << 20);
    place.restic_says(&["prune"]);
    let ended = push.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("push again, which sends"), "{said}");
    assert_eq!(place.snapshots().len(), 0);
    assert_eq!(place.pushed(&[])["status"], "complete");
    place.restic_says(&["check", "--read-data"]);
}

/// Another machine has pushed the same dump, at the same path: its snapshot differs
/// in the name of the machine alone.
#[test]
#[ignore = "needs root"]
fn a_push_tells_the_snapshot_that_it_stored() {
    let place = Place::with_dump();
    let first = place.pushed(&[]);
    let mut there = fixtures::shield::command("unshare", place.dir.path());
    let program = env!("CARGO_BIN_EXE_dumpoffsite");
    let script = "hostname another && exec \"$@\"";
    there.args(["--uts", "sh", "-c", script, "sh", program]);
    let ran = there.args(["push", "--json"]).output().expect("runs");
    assert!(ran.status.success(), "{ran:?}");
    let pushed: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let second = &pushed["dumps"][0];
    assert_ne!(first["snapshot"], second["snapshot"]);
    let all = place.snapshots();
    let other = all.iter().find(|one| one["host"] == "another");
    let other = other.expect("the other machine's");
    assert_eq!(other["snapshot"], second["snapshot"]);
}

#[test]
#[ignore = "needs restic"]
fn the_own_prune_may_run_beside_a_push() {
    let place = Place::new();
    place.config("[offsite.keep]\nlast = 1\n");
    place.write("tree/a", "first\n");
    place.dump();
    place.word("init").assert().success();
    place.word("push").assert().success();
    place.write("tree/a", "second\n");
    place.dump();
    place.word("push").assert().success();
    place.noise(60);
    place.dump();
    let push = place.slow_push();
    place.wait_for_data(10 << 20);
    place.word("prune").assert().success();
    let ended = push.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    place.restic_says(&["check", "--read-data"]);
    assert_eq!(place.snapshots().len(), 2);
}
