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

    /// With a tree of one file, and an empty dump root.
    pub(crate) fn with_tree() -> Self {
        let place = Self::new();
        let file = place.dir.child("tree/file");
        file.write_str("text").expect("written");
        place.dir.child("dump").create_dir_all().expect("made");
        place
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        fixtures::shield::configure(self.dir.path(), text);
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn dumpme(&self) -> Command {
        Command::from_std(self.plain_dumpme())
    }

    /// The same as a command of the standard library.
    pub(crate) fn plain_dumpme(&self) -> process::Command {
        fixtures::shield::command(env!("CARGO_BIN_EXE_dumpme"), self.dir.path())
    }
}
