//! Stores a tree of a dump as a snapshot.
//!
//! The order of its acts: everything but the snapshot is stored; then what was
//! read is checked: nobody has removed the dump meanwhile, nor data from the
//! repository, and each entry that was handed over was stored or is a named
//! fault; only then the snapshot is stored. A push that is stopped or fails before
//! leaves nothing but data that the next one finds and need not send again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use chrono::{DateTime, Utc};
use dumpcore::{DumpName, DumpTree, Fault, HeldDump};
use rustic_core::jiff::tz::TimeZone;
use rustic_core::jiff::{Timestamp, Zoned};
use rustic_core::repofile::SnapshotFile;
use rustic_core::{BackupOptions, IndexedIdsStatus, SnapshotOptions};

use super::packs::Named;
use super::snapshots::{INCOMPLETE, PARTIAL};
use super::source::{Met, TreeSource};
use super::{Repository, RepositoryError, remarks};

/// A tree of a dump, and how it is to be stored.
pub(crate) struct Tree<'a> {
    pub(crate) dump: &'a HeldDump,
    pub(crate) tree: &'a DumpTree,
    /// The path of the tree that was dumped.
    pub(crate) path: &'a Path,
    pub(crate) host: &'a str,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) snapshot: Option<String>,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// Files whose contents were read, and their bytes.
    pub(crate) files_read: u64,
    pub(crate) bytes_read: u64,
    /// What was stored in the repository for it.
    pub(crate) bytes_sent: u64,
    pub(crate) faults: Vec<Fault>,
    /// What the library left out for a reason of its own.
    pub(crate) left_out: Vec<String>,
}

impl Pushed {
    pub(crate) fn is_complete(&self) -> bool {
        self.faults.is_empty() && self.left_out.is_empty()
    }
}

type Indexed = rustic_core::Repository<IndexedIdsStatus>;

impl Repository {
    /// Stores a tree. `dry_run`: reads what would be read, and stores nothing.
    ///
    /// # Errors
    /// No snapshot was stored.
    pub(crate) fn push(
        &mut self,
        what: &Tree<'_>,
        dry_run: bool,
    ) -> Result<Pushed, RepositoryError> {
        let mut named = Named::default();
        named.add(self, self.opened()?)?;
        self.control.forget_packs();
        // Each push needs the index of what the one before it has stored.
        let indexed = self.taken()?.to_indexed_ids();
        let indexed = indexed.map_err(|error| self.failed(error))?;
        // Some index files may have come while the index was read.
        let pushed = named
            .add(self, &indexed)
            .and_then(|()| self.has_named(&named))
            .and_then(|()| self.push_with(&indexed, what, &named, dry_run));
        self.opened = Some(indexed.drop_index());
        pushed
    }

    fn push_with(
        &self,
        indexed: &Indexed,
        what: &Tree<'_>,
        named: &Named,
        dry_run: bool,
    ) -> Result<Pushed, RepositoryError> {
        let sent = self.control.sent();
        remarks::take();
        let met = Arc::new(Met::default());
        let source = TreeSource {
            tree: what.tree.clone(),
            at: what.path.to_path_buf(),
            met: Arc::clone(&met),
            control: Arc::clone(&self.control),
        };
        let snapshot = self.blank(what)?;
        self.control.hold_snapshots(true);
        let options = BackupOptions::default().dry_run(dry_run);
        let paths = [PathBuf::from(what.path)];
        let stored = indexed.archive(&options, &source, snapshot, &paths);
        self.control.hold_snapshots(false);
        let mut snapshot = stored.map_err(|error| match self.control.is_pruned() {
            true if !self.control.is_stopped() => self.pruned(),
            _ => self.failed(error),
        })?;
        if self.control.is_stopped() {
            return Err(RepositoryError::Stopped);
        }
        what.dump.check_whole()?;
        let mut pushed = Pushed {
            entries: what.tree.entries_total(),
            bytes: what.tree.bytes(),
            files_read: met.opened.load(Relaxed),
            bytes_read: met.bytes.load(Relaxed),
            faults: met.take_faults(),
            ..Pushed::default()
        };
        pushed.left_out = left_out(&met, &snapshot);
        if !dry_run {
            self.is_not_pruned(named)?;
            // Another push would not store more of what a repository cannot store.
            let lost = met.lost.load(Relaxed);
            if pushed.faults.len() as u64 > lost || !pushed.left_out.is_empty() {
                tag(&mut snapshot, INCOMPLETE);
            }
            pushed.snapshot = Some(self.store(indexed, snapshot)?);
        }
        pushed.bytes_sent = self.control.sent() - sent;
        Ok(pushed)
    }

    /// A snapshot that has no tree yet.
    fn blank(&self, what: &Tree<'_>) -> Result<SnapshotFile, RepositoryError> {
        let options = SnapshotOptions::default()
            .host(what.host.to_owned())
            .time(zoned(what.dump.moment()))
            .command("dumpoffsite push".to_owned());
        let snapshot = options.to_snapshot();
        let mut snapshot = snapshot.map_err(|error| self.failed(error))?;
        snapshot.program_version = format!("dumpoffsite {}", env!("CARGO_PKG_VERSION"));
        tag(&mut snapshot, &name_of(what.dump.name()));
        if what.dump.lacks().is_some() {
            tag(&mut snapshot, PARTIAL);
        }
        Ok(snapshot)
    }

    /// Stores a snapshot, and gives its id.
    fn store(&self, indexed: &Indexed, snapshot: SnapshotFile) -> Result<String, RepositoryError> {
        let failed = |error| self.failed(error);
        // The library does not tell it, and others may have stored the same tree.
        self.control.take_snapshot();
        indexed.save_snapshots(vec![snapshot]).map_err(failed)?;
        let stored = self.control.take_snapshot();
        let stored = stored.ok_or_else(|| {
            let shown = &self.shown;
            RepositoryError::Other(format!("the repository {shown} did not take the snapshot"))
        })?;
        Ok(stored.to_hex().to_string())
    }
}

/// What is missing in a snapshot beyond what could not be read.
fn left_out(met: &Met, snapshot: &SnapshotFile) -> Vec<String> {
    let said = remarks::take();
    let stored = snapshot.summary.as_ref();
    let stored = stored.map_or(0, |summary| summary.total_files_processed);
    let handed = met.files.load(Relaxed) - met.unread.load(Relaxed);
    match handed.checked_sub(stored) {
        Some(0) => Vec::new(),
        _ if !said.is_empty() => said,
        _ => vec![format!("{handed} entries were read, and {stored} stored")],
    }
}

fn tag(snapshot: &mut SnapshotFile, tag: &str) {
    if let Ok(tags) = tag.parse() {
        snapshot.add_tags(vec![tags]);
    }
}

fn name_of(dump: DumpName) -> String {
    dump.path().display().to_string()
}

fn zoned(at: DateTime<Utc>) -> Zoned {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0);
    let at = Timestamp::new(at.timestamp(), nanos).unwrap_or_default();
    at.to_zoned(TimeZone::system())
}
