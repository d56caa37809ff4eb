//! A main tree and its dumps, and `yest` over them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_fs::TempDir;

/// A main tree and a dump root in a directory of their own.
pub(crate) struct Ground {
    pub(crate) dir: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub(crate) fn within(top: &Path) -> Self {
        let ground = Self {
            dir: TempDir::new_in(top).unwrap(),
        };
        fs::create_dir_all(ground.main("a")).unwrap();
        fs::create_dir_all(ground.at("dump")).unwrap();
        fs::create_dir_all(ground.at("home")).unwrap();
        ground
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(path)
    }

    pub(crate) fn main(&self, path: &str) -> PathBuf {
        self.at("NEWAGE").join(path)
    }

    pub(crate) fn old(&self, dump: &str, path: &str) -> PathBuf {
        self.at("dump").join(dump).join("NEWAGE").join(path)
    }

    /// Writes a file into a dump.
    pub(crate) fn dump(&self, dump: &str, path: &str, text: &str) {
        let file = self.old(dump, path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn yest(&self) -> Command {
        let mut command = Command::cargo_bin("yest").unwrap();
        command
            .env_clear()
            .envs(fixtures::shield::looking(&self.at("")))
            .env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
            .current_dir(self.main(""));
        command
    }

    /// Runs with these words and expects one name.
    pub(crate) fn names(&self, words: &[&str], expected: &Path) {
        let line = format!("{}\n", expected.display());
        self.yest()
            .args(words)
            .assert()
            .success()
            .stdout(line)
            .stderr("");
    }
}
