//! A place to run the program in, shielded from the machine's own settings.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::process;

use assert_cmd::Command;
use assert_fs::TempDir;
use assert_fs::prelude::*;

/// A directory with a configuration of its own, empty at first.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a directory for the test");
        let place = Self { dir };
        place.config("");
        place
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        let file = self.dir.child("config/dump/dump.toml");
        file.write_str(text).expect("the configuration is written");
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn dumpme(&self) -> Command {
        Command::from_std(self.plain_dumpme())
    }

    /// The same as a command of the standard library.
    pub(crate) fn plain_dumpme(&self) -> process::Command {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_dumpme"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .current_dir(self.dir.path());
        command
    }
}
