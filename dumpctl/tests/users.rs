//! A server on which root makes the dumps, and everybody uses them: two accounts,
//! each of which sees and restores its own files, and nothing of the other's.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::ends;
use dumpcore::{CatalogTools, Snapshot};
use fixtures::plain_user::{PLAIN, PlainUser, open_dir};
use fixtures::strace::trace_with;
use serde_json::Value;

const ALICE: u32 = PLAIN;
const BOB: u32 = PLAIN + 1;

struct Server {
    /// Gone when it is dropped.
    top: Box<dyn AsRef<Path>>,
    user: PlainUser,
}

impl Server {
    /// Two homes, closed to others, of which there are two dumps with a catalog.
    fn new() -> Self {
        let server = Self {
            top: Box::new(open_dir()),
            user: PlainUser::new(),
        };
        for (name, uid) in [("alice", ALICE), ("bob", BOB)] {
            let home = server.at("home").join(name);
            fs::create_dir_all(&home).expect("made");
            fs::write(home.join(format!("{name}-letter")), "first").expect("written");
            chown(home.join(format!("{name}-letter")), Some(uid), Some(uid)).expect("given");
            chown(&home, Some(uid), Some(uid)).expect("given");
            fs::set_permissions(&home, Permissions::from_mode(0o700)).expect("closed");
        }
        for path in ["", "home"] {
            let open = Permissions::from_mode(0o755);
            fs::set_permissions(server.at(path), open).expect("opened");
        }
        fs::create_dir(server.at("dump")).expect("made");
        fs::set_permissions(server.at("dump"), Permissions::from_mode(0o755)).expect("opened");
        for minute in ["2030-01-01T01:00", "2030-01-02T01:00"] {
            let snapshot = Snapshot::new(server.at("dump")).main(server.at("home"));
            let snapshot = snapshot.init(minute.contains("01-01"));
            let snapshot = snapshot.at(minute.parse().expect("a minute"));
            snapshot.run().expect("published");
            let letter = server.at("home/alice/alice-letter");
            fs::write(letter, "second").expect("written");
        }
        let tools = CatalogTools::new(server.at("dump"));
        tools.rebuild().expect("made");
        server
    }

    fn at(&self, path: &str) -> PathBuf {
        (*self.top).as_ref().join(path)
    }

    /// `dumpctl` as one of the two.
    fn dumpctl(&self, uid: u32, words: &[&str]) -> Command {
        let mut command = self.user.command(env!("CARGO_BIN_EXE_dumpctl"));
        command.uid(uid).gid(uid);
        command
            .args(words)
            .env("MAINROOT", self.at("home"))
            .env("DUMPROOT", self.at("dump"));
        command
    }
}

/// One entry that may not be read does not keep a user from restoring the rest.
#[test]
#[ignore = "needs root to become another user"]
fn what_cannot_be_compared_is_told_and_taken_for_different() {
    let server = Server::new();
    let home = server.at("home/alice");
    let tree = home.to_str().expect("text").to_owned();
    let letter = home.join("alice-letter");
    let restore = |words: &[&str], code| {
        let all = [&["restore", "--in-place"], words, &[&tree]].concat();
        ends(server.dumpctl(ALICE, &all), code)
    };
    // The same as in the dump, but closed to its reader.
    let at = ["--at", "2030/0102/0100"];
    restore(&[&at[..], &["--force"]].concat(), 0);
    chown(&letter, Some(0), Some(0)).expect("taken");
    fs::set_permissions(&letter, Permissions::from_mode(0o600)).expect("closed");
    let (printed, _) = restore(&[&at[..], &["-n"]].concat(), 0);
    assert!(printed.contains("take 1 entry ("), "{printed}");
    assert!(printed.contains("replace 1 entry ("), "{printed}");
    let (_, said) = restore(&at, 1);
    assert!(said.contains("there is no terminal to ask on"), "{said}");
    restore(&[&at[..], &["--force", "--verify"]].concat(), 0);
    assert_eq!(fs::read_to_string(&letter).expect("read"), "second");
    // What cannot be entered was not verified.
    let closed = home.join("closed");
    fs::create_dir(&closed).expect("made");
    chown(&closed, Some(ALICE), Some(ALICE)).expect("given");
    let snapshot = Snapshot::new(server.at("dump")).main(server.at("home"));
    let snapshot = snapshot.at("2030-01-03T01:00".parse().expect("a minute"));
    snapshot.run().expect("published");
    chown(&closed, Some(0), Some(0)).expect("taken");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("closed");
    let (printed, said) = restore(&["--force", "--verify"], 23);
    assert!(printed.contains("could not all be compared"), "{printed}");
    assert!(said.contains("alice/closed"), "{said}");
}

#[test]
#[ignore = "needs root to become another user"]
fn each_account_sees_its_own_files_only() {
    let server = Server::new();
    for (uid, own, other) in [(ALICE, "alice", "bob"), (BOB, "bob", "alice")] {
        let run = |words: &[&str]| ends(server.dumpctl(uid, words), 0);
        let (listed, said) = run(&["list"]);
        assert_eq!(listed.lines().count(), 3, "{listed}");
        assert!(listed.contains("2030/0102/0100"), "{listed}");
        assert_eq!(said.lines().count(), 1, "one line says why: {said}");
        let (found, _) = run(&["find", "*-letter"]);
        assert!(found.contains(&format!("{own}-letter")), "{found}");
        assert!(!found.contains(&format!("{other}-letter")), "{found}");
        let (changed, _) = run(&["diff", "2030/0101/0100", "2030/0102/0100"]);
        assert!(!changed.contains(other), "{changed}");
        assert_eq!(
            changed.contains("alice-letter"),
            own == "alice",
            "{changed}"
        );
    }
    let catalog = server.at("dump/.dump/catalog.db");
    assert_eq!(fs::metadata(catalog).expect("there").mode() & 0o777, 0o600);
}

#[test]
#[ignore = "needs root to become another user"]
fn each_account_restores_its_own_files_only() {
    let server = Server::new();
    let letter = server.at("home/alice/alice-letter");
    let text = || fs::read_to_string(&letter).expect("read");
    let path = letter.to_str().expect("text");
    let words = [
        "restore",
        "--in-place",
        "--force",
        "--at",
        "2030/0101/0100",
        path,
    ];
    ends(server.dumpctl(ALICE, &words), 0);
    assert_eq!(text(), "first");
    let meta = fs::metadata(&letter).expect("there");
    assert_eq!((meta.uid(), meta.gid()), (ALICE, ALICE));
    // The other account gets nothing of it, in place or elsewhere.
    let (_, said) = ends(server.dumpctl(BOB, &words), 1);
    assert!(said.contains("Permission denied"), "{said}");
    let out = open_dir();
    fs::set_permissions(out.path(), Permissions::from_mode(0o777)).expect("opened");
    let to = out.path().to_str().expect("text");
    let dumped = server.at("dump/current/home");
    let dumped = dumped.to_str().expect("text");
    let (_, said) = ends(server.dumpctl(BOB, &["restore", "--to", to, dumped]), 23);
    assert!(said.contains("home/alice"), "{said}");
    let made = |path: &str| out.path().join("home").join(path);
    assert_eq!(
        fs::read_to_string(made("bob/bob-letter")).expect("read"),
        "first"
    );
    assert!(!made("alice/alice-letter").exists());
}

#[test]
#[ignore = "needs root to become another user"]
fn what_writes_says_whose_dump_root_it_is() {
    let server = Server::new();
    for words in [
        &["remove", "--force", "2030/0101/0100"][..],
        &["pin", "kept"],
        &["erase", "--force", "home/bob/bob-letter"],
        &["catalog", "rebuild"],
    ] {
        let mut command = server.dumpctl(BOB, words);
        command.current_dir(server.at(""));
        let (_, said) = ends(command, 1);
        assert!(said.contains("belongs to root"), "{words:?}: {said}");
        let mut command = server.dumpctl(BOB, words);
        command.current_dir(server.at("")).arg("--json");
        let (printed, _) = ends(command, 1);
        let object: Value = serde_json::from_str(&printed).expect("an object");
        assert_eq!(object["status"], "failed");
    }
    let current = server.at("dump/current/home/bob/bob-letter");
    assert!(Path::new(&current).exists());
}

/// A file in a directory that its owner may not write to is restored in its place:
/// replaced, and made again.
#[test]
#[ignore = "needs root to become another user"]
fn a_file_in_a_read_only_directory_is_restored_in_place() {
    let server = Server::new();
    let (home, letter) = (
        server.at("home/alice"),
        server.at("home/alice/alice-letter"),
    );
    let close = || fs::set_permissions(&home, Permissions::from_mode(0o500)).expect("closed");
    let given = letter.to_str().expect("text");
    for is_gone in [false, true] {
        match is_gone {
            true => fs::remove_file(&letter).expect("removed"),
            false => fs::write(&letter, "third, and longer").expect("written"),
        }
        close();
        let words = ["restore", "--in-place", "--force", given];
        ends(server.dumpctl(ALICE, &words), 0);
        assert_eq!(fs::read_to_string(&letter).expect("read"), "second");
        let meta = fs::metadata(&home).expect("there");
        assert_eq!(meta.mode() & 0o7777, 0o500);
        assert_eq!(fs::read_dir(&home).expect("listed").count(), 1);
    }
}

/// Somebody else's directory is not opened up: it is not even tried, and root needs no
/// leave.
#[test]
#[ignore = "needs root to become another user, and strace"]
fn a_directory_of_somebody_else_is_not_opened_up() {
    let server = Server::new();
    let home = server.at("home/alice");
    // What may be read by all, here and in the dump, is restored in vain.
    let kept = server.at("dump/current/home/alice");
    fs::set_permissions(&kept, Permissions::from_mode(0o555)).expect("opened");
    for path in [&home, &kept] {
        let letter = path.join("alice-letter");
        fs::set_permissions(letter, Permissions::from_mode(0o644)).expect("opened");
    }
    let letter = home.join("alice-letter");
    fs::write(&letter, "third, and longer").expect("written");
    fs::set_permissions(&home, Permissions::from_mode(0o555)).expect("closed");
    let words = ["restore", "--in-place", "--force"];
    for (uid, succeeds) in [(BOB, false), (0, true)] {
        let mut dumpctl = server.dumpctl(uid, &words);
        dumpctl.arg(&letter);
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={uid}"), format!("--regid={uid}")]);
        command.arg("--clear-groups").arg(dumpctl.get_program());
        command.args(dumpctl.get_args());
        for (name, value) in dumpctl.get_envs() {
            command.env(name, value.expect("set"));
        }
        let (status, calls) = trace_with(&command, "chmod,fchmod,fchmodat,exit_group", &[]);
        assert_eq!(status.success(), succeeds, "{calls:?}");
        assert!(calls.iter().any(|call| call.contains("exit_group(")));
        let opened = calls.iter().filter(|call| call.contains(" 0755)"));
        assert_eq!(opened.collect::<Vec<_>>(), [""; 0], "{calls:?}");
        let meta = fs::metadata(&home).expect("there");
        assert_eq!(meta.mode() & 0o7777, 0o555);
        let text = fs::read_to_string(&letter).expect("read");
        assert_eq!(text == "second", succeeds);
    }
}
