//! The programs that are run: ours, and by way of the shell everybody's.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ours, each under its own name in one directory.
#[derive(Debug)]
pub struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// Gives the program `measured` its names in `dir`, which is made.
    ///
    /// # Errors
    /// What making them reports.
    pub fn link(measured: &Path, dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        for name in ["dumpme", "chkptme", "dumpctl", "dumpweb"] {
            symlink(measured, dir.join(name))?;
        }
        Ok(Self::installed(dir))
    }

    /// Those that are in `dir`.
    #[must_use]
    pub fn installed(dir: &Path) -> Self {
        let dir = dir.to_path_buf();
        Self { dir }
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// `dumpme` of a tree into a dump root, of whose surroundings nothing
    /// counts.
    #[must_use]
    pub fn dumpme(&self, tree: &Path, root: &Path) -> Command {
        let mut command = Command::new(self.path("dumpme"));
        fixtures::shield(&mut command, &self.dir)
            .args(["-q", "--log", "stderr", "--main"])
            .arg(tree)
            .arg("--dump")
            .arg(root)
            .stdin(Stdio::null());
        command
    }

    /// `dumpctl` of a dump root, of whose surroundings nothing counts.
    #[must_use]
    pub fn dumpctl(&self, root: &Path) -> Command {
        let mut command = Command::new(self.path("dumpctl"));
        fixtures::shield(&mut command, &self.dir)
            .arg("--dump")
            .arg(root)
            .stdin(Stdio::null());
        command
    }

    /// `dumpweb` of a tree and a dump root, of whose surroundings nothing counts.
    #[must_use]
    pub fn dumpweb(&self, tree: &Path, root: &Path) -> Command {
        let mut command = Command::new(self.path("dumpweb"));
        fixtures::shield(&mut command, &self.dir)
            .arg("--main")
            .arg(tree)
            .arg("--dump")
            .arg(root)
            .stdin(Stdio::null());
        command
    }
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be run, or fails.
#[track_caller]
pub fn must_run(command: &mut Command) {
    match command.status() {
        Ok(status) => assert!(status.success(), "{command:?}: {status}"),
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// What a program prints first, or nothing where there is none.
#[must_use]
pub fn first_line(program: &str, args: &[&str]) -> Option<String> {
    let ran = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    text.lines().next().map(|line| line.trim().to_owned())
}

/// A path as one word of the shell.
#[must_use]
pub fn word(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
