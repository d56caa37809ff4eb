//! A place to run the program in, shielded from the machine's own settings.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::symlink;
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
        place.dir.child("slave").create_dir_all().expect("made");
        place
    }

    /// With dumps made by hand, the last of which is `current`.
    pub(crate) fn with(dumps: &[&str]) -> Self {
        let place = Self::new();
        for dump in dumps {
            let tree = place.dir.child(format!("dump/{dump}/tree"));
            tree.child("sub/file").write_str(dump).expect("written");
            tree.child("other.o")
                .write_str("object\n")
                .expect("written");
        }
        let current = place.dir.path().join("dump/current");
        symlink(dumps[dumps.len() - 1], current).expect("linked");
        place
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        fixtures::shield::configure(self.dir.path(), text);
    }

    /// What a file below the directory holds.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).expect("read")
    }

    /// A path below the directory, as it is written for machines.
    pub(crate) fn whole(&self, path: &str) -> String {
        self.dir.path().join(path).display().to_string()
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn dumpslave(&self) -> Command {
        Command::from_std(self.plain_dumpslave())
    }

    /// The same as a command of the standard library.
    pub(crate) fn plain_dumpslave(&self) -> process::Command {
        fixtures::shield::command(env!("CARGO_BIN_EXE_dumpslave"), self.dir.path())
    }
}
