//! What a restoration reports: what it would delete, what it did, and why it
//! failed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Local};

use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::path::Brief;
use crate::model::report::Counts;
use crate::model::warning::Warning;

/// What exists at a path but not in a version of it, by name or by type: what is
/// deleted when that version replaces it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WouldRemove {
    /// How many entries, those below them included.
    pub entries: u64,
    /// The first of them, nearest to the place and then by name,
    /// [`WouldRemove::NAMED`] at most: absolute paths. Of what is in a
    /// directory that is such an entry itself, only that directory is named.
    pub first: Vec<PathBuf>,
}

impl WouldRemove {
    /// How many are named.
    pub const NAMED: usize = 3;

    /// Counts an entry, and names it if it is one of the first that are to be.
    pub(crate) fn count(&mut self, path: &Path, named: bool) {
        self.entries += 1;
        if named && self.first.len() < Self::NAMED {
            self.first.push(path.to_path_buf());
        }
    }
}

/// Which existing entries a restoration replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overwrite {
    /// All that differ.
    #[default]
    Always,
    /// Those that were modified before the version was.
    IfNewer,
    /// None.
    Never,
}

/// How what exists at a place becomes a version of it, entry by entry: what is
/// missing is made, what differs is replaced, and what the version does not have
/// stays, unless that is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merging {
    /// Which entries are replaced.
    pub overwrite: Overwrite,
    /// Is what the version does not have deleted?
    pub delete: bool,
    /// Where what is replaced or deleted is moved to: a directory on the same
    /// filesystem, which is made if it is missing.
    pub backup: Option<PathBuf>,
}

impl Merging {
    /// Replaces what differs, deletes nothing, keeps no backup.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which entries are replaced.
    #[must_use]
    pub fn overwrite(mut self, which: Overwrite) -> Self {
        self.overwrite = which;
        self
    }

    /// Delete what the version does not have.
    #[must_use]
    pub fn delete(mut self, yes: bool) -> Self {
        self.delete = yes;
        self
    }

    /// Move what is replaced or deleted to this directory.
    #[must_use]
    pub fn backup(mut self, directory: impl Into<Option<PathBuf>>) -> Self {
        self.backup = directory.into();
        self
    }
}

/// What a restoration is about to do; nothing is changed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestorePlan {
    /// What will be restored.
    pub path: PathBuf,
    /// The version in the dump.
    pub version: PathBuf,
    /// Does something exist there that is replaced?
    pub replaces: bool,
    /// What is deleted for good; with a backup, what is moved there.
    pub removes: WouldRemove,
    /// What is replaced by the version's, when entries are brought to it one by
    /// one ([`Merging`]).
    pub overwrites: WouldRemove,
    /// How many entries are made that are missing, then.
    pub makes: u64,
    /// How many existing entries differ and stay, then.
    pub stays: u64,
    /// How many directories get another owner or mode, or other extended attributes,
    /// then.
    pub sets: u64,
    /// The first of them, [`WouldRemove::NAMED`] at most.
    pub sets_first: Vec<PathBuf>,
    /// How many directories get only another modification time, then.
    pub times: u64,
    /// What cannot be compared with the version, then: it counts as different.
    pub uncompared: WouldRemove,
    /// Directories below the place on which something is mounted, then: nothing in
    /// them is made, replaced, deleted or set.
    pub mounted: WouldRemove,
    /// What the version does not have, and stays although entries are deleted then:
    /// exclude rules leave it out of dumps. A directory counts as one.
    pub excluded: WouldRemove,
    /// What cannot be deleted or make room, then: something is mounted in it, it is
    /// immutable, or holds what exclude rules leave out of dumps.
    pub stuck: WouldRemove,
}

impl RestorePlan {
    /// One of which nothing more is known.
    pub(crate) fn new(path: PathBuf, version: PathBuf) -> Self {
        Self {
            path,
            version,
            replaces: false,
            removes: WouldRemove::default(),
            overwrites: WouldRemove::default(),
            makes: 0,
            stays: 0,
            sets: 0,
            sets_first: Vec::new(),
            times: 0,
            uncompared: WouldRemove::default(),
            mounted: WouldRemove::default(),
            excluded: WouldRemove::default(),
            stuck: WouldRemove::default(),
        }
    }

    /// Is nothing replaced and nothing deleted, and does no directory that exists get
    /// another owner or mode, or other extended attributes?
    #[must_use]
    pub fn only_adds(&self) -> bool {
        self.removes.entries + self.overwrites.entries + self.sets == 0
    }
}

/// What a restoration did: the version is in its place.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// What was restored, and what went.
    pub plan: RestorePlan,
    /// When reading began.
    pub start: DateTime<Local>,
    /// When all was done.
    pub end: DateTime<Local>,
    /// How long it waited for the answer to [its question](crate::Restore::run_asking).
    pub waited: Duration,
    /// Entry and byte counts of what was restored.
    pub counts: Counts,
    /// What could not be restored of it: attributes that the runner or the
    /// filesystem cannot keep; entries, only where nothing was replaced. Up to
    /// [`Report::MAX_LISTED`](crate::Report::MAX_LISTED).
    pub faults: Vec<Fault>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
    /// What was replaced could not be removed, or not all of it, because of
    /// this: it is at the fault's path. The next restoration of the same
    /// place removes it, and no dump takes it.
    pub left: Option<Fault>,
    /// What was done to entries one by one; `None` where the version was put in
    /// its place as a whole.
    pub merged: Option<Merged>,
    /// Was it compared with the dump again, and found to be the same? `false` also
    /// where something could not be compared; `None` where that was not asked for.
    pub verified: Option<bool>,
}

/// What was done to what existed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// Entries made that were missing; of a directory only itself.
    pub made: u64,
    /// Entries replaced.
    pub replaced: u64,
    /// Entries deleted, or moved to the backup, with all below them.
    pub deleted: u64,
    /// Entries that differ and stayed.
    pub stayed: u64,
    /// Directories that existed and got another owner or mode, or other extended
    /// attributes.
    pub set: u64,
    /// Directories below the place on which something is mounted, and in which
    /// nothing was done. Where the version has something in one, that is a fault.
    pub mounted: u64,
    /// What the version does not have, and stayed although entries were deleted:
    /// exclude rules leave it out of dumps. A directory counts as one.
    pub excluded: u64,
    /// Was it stopped before all was done? What is done stays, and the next
    /// restoration does the rest.
    pub stopped: bool,
}

impl RestoreReport {
    /// Was all of it restored, and all that it replaced removed?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let stopped = self.merged.is_some_and(|merged| merged.stopped);
        self.counts.faults == 0 && self.left.is_none() && !stopped && self.verified != Some(false)
    }

    /// Duration in seconds, without the time that it waited for an answer.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let all = (self.end - self.start).as_seconds_f64();
        (all - self.waited.as_secs_f64()).max(0.0)
    }
}

/// How a restoration ended that did not fail.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Restored {
    /// The version is in its place.
    Done(Box<RestoreReport>),
    /// It was already, so that nothing was done.
    Same,
    /// The question was answered with no, and nothing was done.
    Declined,
    /// It was a dry run: this would be done.
    Planned(Box<RestorePlan>),
}

/// Why nothing was restored: what was there is as it was.
///
/// Displayed as one sentence with the path; the cause is only in `source()`,
/// and [`Chain`](crate::Chain) prints both.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The path is in a dump, and dumps are never written to.
    #[error("{} is in a dump, and dumps are never changed", Brief::path(.path))]
    InDump {
        /// The path.
        path: PathBuf,
    },
    /// Nothing is restored through a symlink.
    #[error("cannot restore {}, because {} is a symlink now; copy the old version to where it belongs",
        Brief::path(.path), Brief::path(.link))]
    LeadsElsewhere {
        /// The path in the main tree.
        path: PathBuf,
        /// The symlink on the way to it.
        link: PathBuf,
    },
    /// The main tree does not exist.
    #[error("the main tree {} does not exist; is its disk mounted?", Brief::path(.path))]
    NoTree {
        /// The main tree.
        path: PathBuf,
    },
    /// Something exists under this name, and nobody was asked whether it may be
    /// replaced.
    #[error("{} already exists", Brief::path(.path))]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// What is mounted there would be removed with the rest.
    #[error("something is mounted on {} and would be removed with the rest; unmount it first",
        Brief::path(.path))]
    Mounted {
        /// What it is mounted on.
        path: PathBuf,
    },
    /// Something in the way may not be removed.
    #[error("{} is immutable or append-only and could not be removed with the rest; nothing was changed, \
             run 'chattr -ia' on it first", Brief::path(.path))]
    Immutable {
        /// The entry.
        path: PathBuf,
    },
    /// Dumps would be removed with the rest.
    #[error("{} is a dump root and would be removed with the rest; restore what you need of {} \
             separately", Brief::path(.path), Brief::path(.of))]
    HoldsDumps {
        /// The dump root.
        path: PathBuf,
        /// What was to be restored.
        of: PathBuf,
    },
    /// The path is a dump root, whose dumps would get what they had long ago.
    #[error("{} is a dump root, and dumps are never changed", Brief::path(.path))]
    IsDumpRoot {
        /// The path.
        path: PathBuf,
    },
    /// Something was moved or replaced while the restoration ran.
    #[error("{} was moved or replaced in the meantime; nothing was restored, check it and try again", Brief::path(.path))]
    Moved {
        /// What is no longer what it was.
        path: PathBuf,
    },
    /// The version lost something since its dump was published.
    #[error("{} is being removed or was damaged; nothing was restored", Brief::path(.version))]
    VersionGone {
        /// The version in the dump.
        version: PathBuf,
    },
    /// Some of it cannot be restored, so that it does not replace what is there.
    #[error("{} was not changed, because {} of {} cannot be restored",
        Brief::path(.path), number(*.entries), Brief::path(.version))]
    Lacking {
        /// What was to be restored.
        path: PathBuf,
        /// The version in the dump.
        version: PathBuf,
        /// How many entries.
        entries: u64,
        /// The first of them.
        #[source]
        first: Fault,
    },
    /// The restoration was asked to stop.
    #[error("stopped; {} was not changed", Brief::path(.path))]
    Interrupted {
        /// What was to be restored.
        path: PathBuf,
    },
    /// The directory for the backup cannot be used.
    #[error("{} cannot take the backup: {why}", Brief::path(.path))]
    BadBackup {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Something failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<RestoreError> for Error {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Fault(fault) => Error::Fault(fault),
            RestoreError::Interrupted { .. } => Error::Interrupted,
            other => Error::Other(Box::new(other)),
        }
    }
}

fn number(of: u64) -> String {
    match of {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::Chain;
    use crate::model::fault::Op;

    #[test]
    fn what_is_lacking_is_a_sentence() {
        let lacking = |entries| RestoreError::Lacking {
            path: "/home/a".into(),
            version: "/dump/2026/1122/2331/home/a".into(),
            entries,
            first: Fault::new(
                Op::Read,
                "/dump/2026/1122/2331/home/a/f",
                std::io::Error::from_raw_os_error(5),
            ),
        };
        let of_one = "/home/a was not changed, because 1 entry of /dump/2026/1122/2331/home/a \
                      cannot be restored: cannot read /dump/2026/1122/2331/home/a/f: \
                      Input/output error";
        assert_eq!(Chain(&lacking(1)).to_string(), of_one);
        assert!(lacking(2).to_string().contains("because 2 entries of"));
    }
}
