//! The snapshots of a repository, and which dump each of them is of.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use dumpcore::{DumpId, DumpName};
use rustic_core::repofile::SnapshotFile;

use super::{Repository, RepositoryError};

/// Marks the snapshot of a dump that lacks entries.
pub(super) const PARTIAL: &str = "partial";
/// Marks a snapshot that lacks entries of its dump: they could not be read when
/// it was pushed.
pub(super) const INCOMPLETE: &str = "incomplete";

/// A snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// As restic shows it in full.
    pub(crate) id: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) host: String,
    /// The path of the tree that was dumped; of another program's, the first.
    pub(crate) path: PathBuf,
    /// The dump that it is of; `None` of what another program stored.
    pub(crate) dump: Option<DumpName>,
    pub(crate) is_partial: bool,
    pub(crate) is_incomplete: bool,
    pub(super) file: SnapshotFile,
}

impl Snapshot {
    fn new(file: SnapshotFile) -> Self {
        let time = file.time.timestamp();
        let time =
            DateTime::from_timestamp(time.as_second(), time.subsec_nanosecond().unsigned_abs());
        let paths: Vec<&String> = (&file.paths).into_iter().collect();
        let dump = match paths.as_slice() {
            [_] => (&file.tags).into_iter().find_map(|tag| dump_of(tag)),
            _ => None,
        };
        Self {
            id: file.id.to_hex().to_string(),
            time: time.unwrap_or_default(),
            host: file.hostname.clone(),
            path: paths.first().map(PathBuf::from).unwrap_or_default(),
            dump,
            is_partial: file.tags.contains(PARTIAL),
            is_incomplete: file.tags.contains(INCOMPLETE),
            file,
        }
    }

    /// Is it the whole of this dump's tree?
    pub(crate) fn is_of(&self, dump: DumpName, at: DateTime<Utc>, path: &Path) -> bool {
        self.dump == Some(dump)
            && self.time.timestamp() == at.timestamp()
            && self.path == path
            && !self.is_incomplete
    }

    /// What two copies of the same contents have in common.
    pub(crate) fn contents(&self) -> String {
        self.file.tree.to_hex().to_string()
    }

    /// Its id as people type it.
    pub(crate) fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

/// The dump that a tag names.
fn dump_of(tag: &str) -> Option<DumpName> {
    match DumpId::parse(tag.as_bytes())? {
        DumpId::Dump(name) => Some(name),
        _ => None,
    }
}

impl Repository {
    /// All snapshots, the oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn snapshots(&self) -> Result<Vec<Snapshot>, RepositoryError> {
        let found = self.opened()?.get_all_snapshots();
        let found = found.map_err(|error| self.failed(error))?;
        let mut found: Vec<Snapshot> = found.into_iter().map(Snapshot::new).collect();
        found.sort_by(|a, b| (a.time, &a.path, &a.id).cmp(&(b.time, &b.path, &b.id)));
        Ok(found)
    }
}
