//! Dumps of one file, and `hist` over them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use assert_fs::TempDir;

pub(crate) struct Ground {
    pub(crate) dir: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self {
            dir: TempDir::new().unwrap(),
        };
        fs::create_dir_all(ground.at("NEWAGE/a")).unwrap();
        fs::create_dir_all(ground.at("dump")).unwrap();
        fs::create_dir_all(ground.at("home")).unwrap();
        ground
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    pub(crate) fn old(&self, dump: &str, path: &str) -> PathBuf {
        self.at("dump").join(dump).join("NEWAGE").join(path)
    }

    pub(crate) fn empty(&self, dump: &str) {
        fs::create_dir_all(self.old(dump, "a")).unwrap();
    }

    /// A new file, last modified this many seconds after 2020 began.
    pub(crate) fn write(&self, dump: &str, bytes: &[u8], mode: u32, seconds: u64) {
        self.empty(dump);
        let path = self.old(dump, "a/f");
        fs::write(&path, bytes).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800 + seconds);
        let file = File::open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(modified))
            .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    /// The same file as in another dump.
    pub(crate) fn link(&self, from: &str, to: &str) {
        self.empty(to);
        fs::hard_link(self.old(from, "a/f"), self.old(to, "a/f")).unwrap();
    }

    pub(crate) fn hist(&self) -> Command {
        let mut command = Command::cargo_bin("hist").unwrap();
        command
            .env_clear()
            .envs(fixtures::shield::looking(&self.at("")))
            .env("TZ", "UTC")
            .current_dir(self.at("NEWAGE"));
        command
    }

    /// What `hist` writes to a terminal of this many columns, without colours.
    pub(crate) fn on_terminal(&self, columns: u16, words: &[&str]) -> String {
        let mut command = self.terminal(columns, words);
        command.env("PAGER", "cat").env("NO_COLOR", "1");
        let ran = command.output().unwrap();
        let shown = fixtures::terminal::shown(&ran);
        assert!(ran.status.success(), "{shown}");
        shown
    }

    pub(crate) fn terminal(&self, columns: u16, words: &[&str]) -> std::process::Command {
        let hist = self.hist();
        let program = hist.get_program().to_str().unwrap();
        let mut command = fixtures::terminal::command(program, words, columns);
        command
            .envs(fixtures::shield::looking(&self.at("")))
            .env("TZ", "UTC")
            .current_dir(self.at("NEWAGE"));
        command
    }

    pub(crate) fn tells(&self, words: &[&str], expected: &[String]) {
        let text: String = expected.iter().map(|line| format!("{line}\n")).collect();
        self.hist()
            .args(words)
            .assert()
            .success()
            .stdout(text)
            .stderr("");
    }

    /// A line of the history of `a/f`.
    pub(crate) fn line(&self, change: &str, dump: &str, rest: &str) -> String {
        format!("#{change}\t{} {rest}", self.old(dump, "a/f").display())
    }
}

/// Created, unchanged, written, changed in mode, deleted, made again.
pub(crate) fn a_life() -> Ground {
    let ground = Ground::new();
    ground.empty("2020/0101/0000");
    ground.write("2020/0101/1000", b"one\n", 0o644, 1);
    ground.link("2020/0101/1000", "2020/0101/1030");
    ground.write("2020/0102/1000", b"one\ntwo\n", 0o644, 2);
    ground.write("2020/0102/1015_chk", b"one\ntwo\n", 0o600, 2);
    ground.link("2020/0102/1015_chk", "2020/0102/1100");
    ground.empty("2020/0201/1000");
    ground.write("2021/0101/0000", b"three\n", 0o644, 3);
    ground.write("2021/0101/0030_incomplete", b"never\n", 0o644, 4);
    ground.write("2999/0101/0000", b"future\n", 0o644, 5);
    ground
}
