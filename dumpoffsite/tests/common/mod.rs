//! A tree, its dumps and a repository to push them to.

// Each file of tests takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_fs::TempDir;
use dumpcore::Snapshot;
use serde_json::Value;

pub(crate) const PASSWORD: &str = "a secret of the tests";

/// A directory with a tree `tree`, a dump root `dump` and a repository `repo`.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new_in(fixtures::plain_place()).expect("a directory for the test");
        let place = Self { dir };
        fs::create_dir(place.path("tree")).expect("made");
        fs::create_dir(place.path("dump")).expect("made");
        place.secret("password", &format!("{PASSWORD}\n"), 0o600);
        place.config("");
        place
    }

    /// With a repository, and a first dump of a small tree.
    pub(crate) fn with_dump() -> Self {
        let place = Self::new();
        place.write("tree/a", "first\n");
        place.write("tree/sub/b", "second\n");
        place.dump();
        place.word("init").assert().success();
        place
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn secret(&self, path: &str, text: &str, mode: u32) {
        self.write(path, text);
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(path), mode).expect("set");
    }

    /// Everything odd in the tree, but paths that are longer than the kernel takes
    /// them: nobody restores these.
    pub(crate) fn odd_tree(&self, as_root: bool) {
        fixtures::tree::odd_tree(&self.path("tree"), as_root);
        fs::remove_dir_all(self.path("tree/long")).expect("removed");
        // Holes are read as zeros, which takes long in a test.
        for file in files_of(&self.path("tree")) {
            if fs::symlink_metadata(&file).expect("looked at").len() > 64 << 20 {
                fs::remove_file(file).expect("removed");
            }
        }
    }

    /// Files of a MiB each that cannot be compressed, in the tree.
    pub(crate) fn noise(&self, files: u32) {
        let mut state = 1_u64;
        for number in 0..files {
            let noise: Vec<u8> = (0..1 << 20)
                .map(|_| {
                    state = state
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    (state >> 56) as u8
                })
                .collect();
            fs::write(self.path(&format!("tree/{number}")), noise).expect("written");
        }
    }

    /// A push that takes some seconds, under way.
    pub(crate) fn slow_push(&self) -> process::Child {
        let mut push = self.plain();
        push.args(["push", "--bwlimit", "8m"])
            .stdout(process::Stdio::piped())
            .stderr(process::Stdio::piped());
        push.spawn().expect("runs")
    }

    /// Waits until the push that is under way has stored data: at least this many bytes.
    pub(crate) fn wait_for_data(&self, bytes: u64) {
        let began = Instant::now();
        while size_of(&self.path("repo/data")) < bytes {
            assert!(began.elapsed() < Duration::from_secs(120), "no pack came");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Writes the configuration: that of the repository, and more.
    pub(crate) fn config(&self, more: &str) {
        self.config_of(self.path("repo").to_str().expect("UTF-8"), more);
    }

    /// The same with another repository.
    pub(crate) fn config_of(&self, repository: &str, more: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "main = \"{dir}/tree\"\ndump = \"{dir}/dump\"\n[offsite]\n\
             repository = \"{repository}\"\npassword_file = \"{dir}/password\"\n{more}"
        );
        fixtures::shield::configure(self.dir.path(), &text);
    }

    /// Takes a dump of the tree; gives its name.
    pub(crate) fn dump(&self) -> String {
        let root = self.path("dump");
        let is_first = fs::read_dir(&root).expect("listed").next().is_none();
        let snapshot = Snapshot::new(&root).main(self.path("tree")).init(is_first);
        let report = snapshot.run().expect("a dump");
        let dump = report.dump.strip_prefix(&root).expect("below");
        dump.to_str().expect("UTF-8").to_owned()
    }

    /// The program, with nothing of the surrounding environment.
    pub(crate) fn plain(&self) -> process::Command {
        fixtures::shield::command(env!("CARGO_BIN_EXE_dumpoffsite"), self.dir.path())
    }

    pub(crate) fn word(&self, word: &str) -> Command {
        let mut command = Command::from_std(self.plain());
        command.arg(word);
        command
    }

    /// What it prints of a word as an object, and its exit code.
    pub(crate) fn json(&self, words: &[&str]) -> (Value, i32) {
        let ran = self
            .plain()
            .args(words)
            .arg("--json")
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        let value = serde_json::from_slice(&ran.stdout);
        let value = value.unwrap_or_else(|error| panic!("{error}: {said}"));
        (value, ran.status.code().expect("a code"))
    }

    /// The first dump of what a push says that it did.
    pub(crate) fn pushed(&self, words: &[&str]) -> Value {
        let all: Vec<&str> = [&["push"], words].concat();
        let (value, code) = self.json(&all);
        assert_eq!(code, 0, "{value}");
        value["dumps"][0].clone()
    }

    /// The snapshots in the repository.
    pub(crate) fn snapshots(&self) -> Vec<Value> {
        let (value, code) = self.json(&["list"]);
        assert_eq!(code, 0, "{value}");
        value["snapshots"].as_array().expect("a list").clone()
    }

    /// Debian's restic, with the same repository and password.
    pub(crate) fn restic(&self, words: &[&str]) -> process::Output {
        let mut restic = fixtures::shield::command("restic", self.dir.path());
        restic
            .arg("--no-cache")
            .args(words)
            .env("RESTIC_REPOSITORY", self.path("repo"))
            .env("RESTIC_PASSWORD_FILE", self.path("password"));
        restic.output().expect("restic runs")
    }

    /// The same, which must succeed; gives what it prints.
    pub(crate) fn restic_says(&self, words: &[&str]) -> String {
        let ran = self.restic(words);
        let (out, err) = (
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr),
        );
        assert!(ran.status.success(), "restic {words:?}: {out}{err}");
        assert!(!err.contains("error"), "restic {words:?}: {err}");
        out.into_owned()
    }
}

/// What rsync would change, beyond what is known not to be restored.
pub(crate) fn differences(src: &Path, dst: &Path, known: &[&str]) -> Vec<String> {
    let mut found = fixtures::rsync_differences(src, dst);
    found.retain(|line| !known.iter().any(|known| line.contains(known)));
    found
}

/// All that is not a directory below a directory.
pub(crate) fn files_of(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed");
    let entries = entries.map(|entry| entry.expect("an entry"));
    let files = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files_of(&entry.path()),
        _ => vec![entry.path()],
    });
    files.collect()
}

/// Hard links of anything but files, which no snapshot can hold.
pub(crate) const LINKED_SPECIALS: [&str; 4] = [
    "links/b/fifo => ",
    "links/b/socket => ",
    "links/b/symlink => ",
    "root/linked block => ",
];

/// The sum of the sizes of all files below a directory.
pub(crate) fn size_of(dir: &Path) -> u64 {
    let sizes = files_of(dir).into_iter();
    // What is renamed or removed meanwhile counts for nothing.
    let sizes = sizes.map(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
    sizes.sum()
}
