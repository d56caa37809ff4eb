//! Who may restore, and what it takes.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use assert_cmd::prelude::*;
use common::Ground;
use fixtures::memory::peak_kib;
use fixtures::plain_user::{PLAIN, PlainUser, give, open_dir};
use predicates::prelude::*;

const FIRST: &str = "2020/0101/0000";

/// Of a home directory among others a plain user may restore what is theirs,
/// although the directory above may not be listed, and nothing of another's.
#[test]
#[ignore = "needs root to become another user"]
fn a_plain_user_restores_what_is_theirs() {
    let dir = open_dir();
    let ground = Ground::within(dir.path());
    let user = PlainUser::new();
    for (name, text) in [("home/me/f", "old\n"), ("home/other/f", "secret\n")] {
        ground.dump(FIRST, name, text);
        fs::create_dir_all(ground.main(name).parent().unwrap()).unwrap();
        fs::write(ground.main(name), "new\n").unwrap();
    }
    for top in [ground.old(FIRST, "home"), ground.main("home")] {
        fs::set_permissions(&top, fs::Permissions::from_mode(0o711)).unwrap();
        give(&top.join("me"));
        give(&top.join("me/f"));
        for name in ["other", "other/f"] {
            let closed = fs::Permissions::from_mode(0o700);
            fs::set_permissions(top.join(name), closed).unwrap();
        }
    }
    for above in dir.path().read_dir().unwrap() {
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(above.unwrap().path(), open).unwrap();
    }
    let yest = |path: &str| {
        let mut command = user.command(ground.yest().get_program());
        command
            .env("MAINROOT", ground.at("NEWAGE"))
            .env("DUMPROOT", ground.at("dump"))
            .args(["--copy", "--force"])
            .arg(ground.main(path));
        command
    };
    yest("home/me/f").assert().success();
    let file = ground.main("home/me/f");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old\n");
    assert_eq!(fs::metadata(&file).unwrap().uid(), PLAIN);
    // Beside a home nobody but root makes anything.
    let above = ground.main("home");
    let refused = format!("cannot open {}: Permission denied", above.display());
    let refused = predicate::str::contains(refused);
    yest("home/me").assert().code(1).stderr(refused);
    yest("home/other/f").assert().code(1);
    let text = fs::read_to_string(ground.main("home/other/f")).unwrap();
    assert_eq!(text, "new\n");
}

/// Nearly every file of a dump has names in other dumps as well: none of them
/// is waited for.
#[test]
#[ignore = "needs time: measures memory"]
fn names_in_other_dumps_cost_no_memory() {
    const FILES: usize = 20_000;
    let ground = Ground::new();
    ground.dump(FIRST, "a/0/0", "");
    let (old, other) = (ground.old(FIRST, "a"), ground.at("dump/other"));
    for at in 0..FILES {
        let name = old.join(format!("{}/a file of usual length {at}", at / 100));
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::write(name, "").unwrap();
    }
    let restored = || {
        let _ = fs::remove_dir_all(ground.main("a"));
        let mut command = Command::new(ground.yest().get_program());
        command
            .env("MAINROOT", ground.at("NEWAGE"))
            .env("DUMPROOT", ground.at("dump"))
            .env("HOME", ground.at("home"))
            .args(["-q", "--copy"])
            .arg(ground.main("a"));
        peak_kib(&mut command)
    };
    let alone = restored();
    fs::create_dir(&other).unwrap();
    for at in 0..FILES {
        let name = old.join(format!("{}/a file of usual length {at}", at / 100));
        fs::hard_link(name, other.join(at.to_string())).unwrap();
    }
    let linked = restored();
    assert!(linked < alone + 1_000, "{alone} and {linked} KiB");
}

/// The tree is in memory, so that it shares no blocks with its dump.
#[test]
fn what_is_damaged_is_named_and_replaces_nothing() {
    let ground = Ground::new();
    let memory = assert_fs::TempDir::new_in("/dev/shm").unwrap();
    let tree = memory.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("letter"), "a letter").unwrap();
    fs::remove_dir(ground.at("dump")).unwrap();
    fs::create_dir(ground.at("dump")).unwrap();
    let snapshot = dumpcore::Snapshot::new(ground.at("dump")).main(&tree);
    let report = snapshot.init(true).run().unwrap();
    fixtures::rot(&report.dump.join("tree/letter"), 3);
    let yest = || {
        let mut command = ground.yest();
        command
            .env("MAINROOT", &tree)
            .env("DUMPROOT", ground.at("dump"))
            .args(["--last", "--copy", "--force"])
            .arg(tree.join("letter"));
        command
    };
    fs::write(tree.join("letter"), "mine").unwrap();
    let damaged = predicate::str::contains("it is not what was stored; no good copy was found");
    yest().assert().code(1).stderr(damaged.clone());
    assert_eq!(fs::read(tree.join("letter")).unwrap(), b"mine");
    fs::remove_file(tree.join("letter")).unwrap();
    yest().assert().code(23).stderr(damaged);
    assert_eq!(fs::read(tree.join("letter")).unwrap().len(), 8);
}
