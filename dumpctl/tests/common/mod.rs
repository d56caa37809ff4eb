//! A dump root with dumps in it, and `dumpctl` over it, shielded from the
//! machine's own settings.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output};

use assert_fs::TempDir;
use dumpcore::Snapshot;
use rustix::process::Pid;

/// The minutes of the dumps. The first is what `current_chk` names until there
/// is a checkpoint, the last is `current`.
pub(crate) const MINUTES: [&str; 4] = [
    "2030-01-01T01:00",
    "2030-01-01T02:00",
    "2030-01-02T03:00",
    "2030-01-02T04:00",
];

/// Ends with this code; what was printed, and what was said beside it.
#[track_caller]
pub(crate) fn ends(mut command: Command, code: i32) -> (String, String) {
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Output { stdout, stderr, .. } = &output;
    let said = text(stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    (text(stdout), said)
}

pub(crate) struct Ground {
    dir: TempDir,
}

impl Ground {
    /// An empty tree beside an empty dump root.
    pub(crate) fn empty() -> Self {
        Self::within(TempDir::new())
    }

    /// The same where every file that is not young can be compared.
    pub(crate) fn telling() -> Self {
        Self::within(TempDir::new_in(fixtures::place::born_place()))
    }

    fn within(dir: Result<TempDir, assert_fs::fixture::FixtureError>) -> Self {
        let dir = dir.expect("a directory");
        let ground = Self { dir };
        for name in ["tree/dir", "dump"] {
            fs::create_dir_all(ground.at(name)).expect("made");
        }
        fixtures::shield::configure(ground.dir.path(), "");
        ground
    }

    pub(crate) fn new() -> Self {
        let ground = Self::empty();
        fs::write(ground.at("tree/dir/same"), vec![1; 100_000]).expect("written");
        for minute in MINUTES {
            fs::write(ground.at("tree/own"), vec![2; 50_000]).expect("written");
            ground.dump(minute);
        }
        ground
    }

    /// Writes the user's configuration file.
    pub(crate) fn config(&self, text: &str) {
        fixtures::shield::configure(self.dir.path(), text);
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.at("dump")
    }

    pub(crate) fn has(&self, dump: &str) -> bool {
        self.root().join(dump).exists()
    }

    /// Takes a dump of this minute.
    pub(crate) fn dump(&self, minute: &str) {
        let init = fs::symlink_metadata(self.root().join("current")).is_err();
        let snapshot = Snapshot::new(self.root()).main(self.at("tree")).init(init);
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn dumpctl(&self, words: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_dumpctl");
        let mut command = fixtures::shield::command(program, self.dir.path());
        command.env("DUMPROOT", self.root()).args(words);
        command
    }
}

/// The one process that strace runs.
pub(crate) fn traced(strace: &Child) -> Pid {
    let id = strace.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let child = children.expect("it runs").trim().parse();
    Pid::from_raw(child.expect("one number")).expect("a process")
}

/// What is mounted until it goes out of scope: an empty disk. Needs root.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn at(path: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "mode=1777", "none"]);
        assert!(mount.arg(&path).status().expect("it runs").success());
        Self(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
