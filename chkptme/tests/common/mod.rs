//! A place to run the program in, shielded from the machine's own settings.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process;
use std::time::Duration;

use assert_cmd::Command;
use assert_fs::TempDir;
use assert_fs::prelude::*;
use dumpcore::{DumpRoot, Error, Snapshot};

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

    /// With a small tree and one dump of it.
    pub(crate) fn begun() -> Self {
        let place = Self::new();
        let tree = place.dir.child("tree");
        for (name, text) in [("sub/file", "some text\n"), ("other.o", "object\n")] {
            tree.child(name).write_str(text).expect("written");
        }
        place.dir.child("dump").create_dir_all().expect("made");
        place.snapshot();
        place
    }

    /// Takes a dump of the tree.
    pub(crate) fn snapshot(&self) -> PathBuf {
        let dump = self.dir.path().join("dump");
        let init = dump.join("current").symlink_metadata().is_err();
        let tree = self.dir.path().join("tree");
        loop {
            match Snapshot::new(&dump).main(&tree).init(init).run() {
                Ok(report) => return report.dump,
                // A child of another test holds its parent's descriptors, and
                // with them the lock, between fork and exec.
                Err(Error::Busy { .. }) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn current(&self) -> PathBuf {
        let dump = DumpRoot::open(self.dir.path().join("dump")).expect("opened");
        dump.current().expect("read").expect("there is one")
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        fixtures::shield::configure(self.dir.path(), text);
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn chkptme(&self) -> Command {
        Command::from_std(self.plain_chkptme())
    }

    /// The same as a command of the standard library.
    pub(crate) fn plain_chkptme(&self) -> process::Command {
        fixtures::shield::command(env!("CARGO_BIN_EXE_chkptme"), self.dir.path())
    }
}
