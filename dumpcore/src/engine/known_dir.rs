//! One directory as the catalog knows it, and what is found out of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::catalog::{Children, DirId, Finding, SourceId, UNSETTLED};
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Time};
use crate::policy::touched::Sure;
use crate::sys::lock::lock;

/// A directory with more names is looked up name by name, so that it needs no
/// more memory than others.
pub(super) const WIDE: usize = 16_384;

/// How many findings of a directory are kept before they are put aside.
pub(super) const BATCH: usize = 4096;

/// The kernel stamps inodes with the time of its last tick, at most 10 ms ago.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// What the catalog has under the names of a directory.
#[derive(Debug)]
pub(super) enum Own {
    Rows {
        children: Children,
        met: Vec<AtomicBool>,
    },
    /// More than are kept in memory; how many names were met.
    Wide { met: AtomicU64 },
}

/// Which directory of the reference stands for a directory.
#[derive(Debug)]
pub(super) enum Refers {
    /// The one at its own path.
    Own,
    /// One at another path, which has these names in the catalog.
    Moved(Children),
    /// One of which the catalog's names are not at hand: nothing is known of it.
    Other,
}

/// A directory whose entries are being dealt with.
#[derive(Debug)]
pub(super) struct KnownDir {
    pub(super) dir: DirId,
    pub(super) own: Own,
    /// Whose names its reference has.
    pub(super) refers: Refers,
    /// Was there a directory at its path in some dump?
    pub(super) is_old_path: bool,
    /// May its names be linked by what the catalog says of them?
    pub(super) believed: bool,
    /// The catalog's number of the filesystem that it is on in the source.
    pub(super) filesystem: Option<i64>,
    /// Is it dealt with once more, for what came since?
    pub(super) again: bool,
    pub(super) found: Mutex<Vec<Finding>>,
    /// How many names in it are in the dump, and the sizes of its files together.
    pub(super) entries: AtomicU64,
    pub(super) bytes: AtomicU64,
}

impl KnownDir {
    /// Is its reference at another path, as it was moved?
    pub(super) fn is_moved(&self) -> bool {
        !matches!(self.refers, Refers::Own)
    }

    /// By what the catalog knows a file or a directory of the source.
    pub(super) fn source_id(&self, node_dev: u64, meta: &Meta) -> Option<SourceId> {
        let fs = self.filesystem.filter(|_| meta.dev == node_dev)?;
        Some(SourceId {
            fs,
            ino: meta.ino,
            born: meta.born?,
        })
    }

    /// What is known of the source of an inode that was stored, or linked to,
    /// when all of it is as in the source.
    pub(super) fn source_of(
        &self,
        dev: u64,
        read: &Meta,
        made: &Meta,
        settled: Time,
    ) -> Option<(SourceId, Time)> {
        let id = self.source_id(dev, read)?;
        let facts = |meta: &Meta| (meta.kind, meta.mode, meta.uid, meta.gid, meta.rdev);
        let size = read.kind != Kind::File || read.size == made.size;
        if facts(read) != facts(made) || !size || read.mtime != made.mtime {
            return None;
        }
        let is_settled = read.ctime < settled;
        Some((id, if is_settled { read.ctime } else { UNSETTLED }))
    }

    /// Keeps a finding; comes back with those that are to be put aside.
    pub(super) fn hold(&self, finding: Finding) -> Option<Vec<Finding>> {
        let mut found = lock(&self.found);
        found.push(finding);
        (found.len() >= BATCH).then(|| std::mem::take(&mut *found))
    }
}

/// What the catalog says of the source of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing: its time of change decides.
    Nothing,
    /// It is what this inode of the reference holds, by its number.
    Same(u64),
    /// It was changed, or may have been.
    Changed(Sure),
}

/// A path of a directory in the catalog, and which directory of the source had
/// it last.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownPath {
    pub(super) dir: DirId,
    pub(super) source: Option<SourceId>,
}

/// What stands for a directory in the reference.
#[derive(Clone, Copy)]
pub(super) struct Referred<'a> {
    pub(super) reference: Option<&'a Meta>,
    /// Where it is there, when it was moved since.
    pub(super) moved: Option<DirId>,
}
