//! The options of `dumpctl restore`.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::{fs, io};

use clap::{Args, ValueEnum, ValueHint};
use dumpcli::failure::Failure;
use dumpcore::{Overwrite, Printable};

const HELP: &str = "\
Examples:
  dumpctl restore --in-place ~/letters           the newest version, to its place
  dumpctl restore --at 3d --to /tmp ~/letters    that of 3 days ago, to /tmp/letters
  dumpctl restore -n --in-place --delete ~/src   show what that would change
  dumpctl restore --to /mnt /dump/2026/1122/2331/home
                                                 a whole tree, to /mnt/home
  dumpctl restore --force --in-place --backup ~/.old --files-from list

What is restored to a directory gets its own last name there, a whole tree the
name of the tree. In a directory that exists, entries are made and replaced one
by one; each is old or new at every instant. The files are copies, so that
writing to them later does not change a dump. What is one file in the dump under
several of the paths (a hard link) is one file again where that is possible.
Where something is mounted inside, nothing is made, replaced or deleted: restore
it by its own path.

A file that is not what was stored, by its recorded hash, is named with a good copy
of it. It is restored as it is where nothing is, and replaces nothing.

Exit codes:
  0         done, everything is as in the dump; or the answer was no
  1         failed: nothing was changed
  2         wrong usage
  23        partly done: each entry that could not be restored, or is damaged, is
            named
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the same command
            continues";

/// Restore paths from a dump, with owners, ACLs, extended attributes, hard links
/// and devices.
///
/// Without --at it takes the newest dump that has the path. Nothing is deleted
/// without --delete; with it, what is excluded from dumps stays. When something would be replaced or deleted, or a directory would get
/// another owner or mode, it asks first; without a terminal it needs --force. What
/// exists and is the same stays untouched.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// What to restore: a path in a tree, also one that is gone, or in a dump
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// From which dump: its name, path or pin; or the newest one of a date, or of
    /// how long ago (12h, 3d, 2w, 1y6mo)
    #[arg(long, value_name = "WHEN")]
    pub(super) at: Option<OsString>,
    /// Restore into this directory, which is made if it is missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(conflicts_with = "in_place")]
    to: Option<PathBuf>,
    /// Restore to where it was
    #[arg(long)]
    in_place: bool,
    /// What to replace of what exists and differs: always, if-newer (only what was
    /// modified before the version was), or never
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "always",
        hide_possible_values = true
    )]
    pub(super) overwrite: Which,
    /// In directories that are restored, delete what the dump does not have, but
    /// not what the exclude rules leave out of dumps
    #[arg(long)]
    delete: bool,
    /// Delete also what is excluded from dumps
    #[arg(long)]
    pub(super) delete_excluded: bool,
    /// Move what is replaced or deleted to this directory of your own, on the same
    /// filesystem
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) backup: Option<PathBuf>,
    /// Read more paths from this file, one a line; - for stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files_from: Option<PathBuf>,
    /// Compare everything with the dump again afterwards
    #[arg(long)]
    pub(super) verify: bool,
    /// Change nothing; show what would be made, replaced and deleted
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Replace and delete without asking
    #[arg(long)]
    pub(super) force: bool,
}

/// Which existing entries are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Which {
    Always,
    IfNewer,
    Never,
}

impl From<Which> for Overwrite {
    fn from(which: Which) -> Self {
        match which {
            Which::Always => Overwrite::Always,
            Which::IfNewer => Overwrite::IfNewer,
            Which::Never => Overwrite::Never,
        }
    }
}

/// Where to.
pub(super) enum Target {
    Directory(PathBuf),
    InPlace,
}

impl Options {
    pub(super) fn target(&self) -> Result<Target, Failure> {
        match (&self.to, self.in_place) {
            (Some(directory), _) => Ok(Target::Directory(directory.clone())),
            (None, true) => Ok(Target::InPlace),
            (None, false) => Err(Failure::Usage(
                "say where to restore: --to DIR, or --in-place".to_owned(),
            )),
        }
    }

    /// Is anything deleted that the dump does not have?
    pub(super) fn deletes(&self) -> bool {
        self.delete || self.delete_excluded
    }

    /// The paths, also those of the file.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = self.paths.clone();
        if let Some(file) = &self.files_from {
            let mut text = Vec::new();
            let read = match file.as_os_str() == "-" {
                true => io::stdin().lock().read_to_end(&mut text).map(drop),
                false => fs::read(file).map(|read| text = read),
            };
            read.map_err(|error| {
                let path = Printable::path(file);
                Failure::Failed(format!("cannot read {path}: {error}"))
            })?;
            let lines = text.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty());
            paths.extend(lines.map(|line| PathBuf::from(OsStr::from_bytes(line))));
        }
        match paths.is_empty() {
            true => Err(Failure::Usage(
                "name the path to restore (see 'dumpctl restore --help')".to_owned(),
            )),
            false => Ok(paths),
        }
    }
}
