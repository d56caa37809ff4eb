//! The result of comparing trees with what dumps have of them.

use std::path::PathBuf;

use crate::model::fault::Fault;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;

/// A file of a tree whose contents are not those that were dumped, although its
/// inode, size and times say that nobody wrote to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedFile {
    /// The file.
    pub file: PathBuf,
    /// Its other names in the trees: hard links.
    pub links: Vec<PathBuf>,
    /// Its path in the dumps, which begins with the name of its tree.
    pub path: RelPath,
    /// The first and the last of the dumps that have what was stored of it; `None`: no
    /// dump has it any more.
    pub first: Option<DumpId>,
    /// See `first`.
    pub last: Option<DumpId>,
    /// Does the last one still hold what was stored?
    pub dump_is_good: bool,
}

/// What a comparison of trees with their dumps has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SourceScrubbed {
    /// Files whose contents were read and compared; of a dry run those that would
    /// be.
    pub files: u64,
    /// The space that these take in the dumps, in bytes.
    pub bytes: u64,
    /// Files that changed without a trace.
    pub changed: Vec<ChangedFile>,
    /// Files that were written to, replaced or moved since the last dump, or went.
    pub touched: u64,
    /// Files that were written to shortly before they were dumped: their time of
    /// change proves nothing.
    pub unsettled: u64,
    /// Files of which no hash or no source is recorded.
    pub unknown: u64,
    /// Files that there was no time for.
    pub unread: u64,
    /// Trees of which no dump is recorded.
    pub undumped: Vec<PathBuf>,
    /// Trees with files of which none could be compared, though some are not newer
    /// than the dump: these are `unsettled`, `unknown`, on another filesystem, or all
    /// are gone, as where a disk is not mounted. Not known while there are `unread`
    /// files.
    pub uncompared: Vec<PathBuf>,
    /// Files that could not be read: the first hundred of them.
    pub faults: Vec<Fault>,
    /// How many these are.
    pub faults_total: u64,
    /// Nothing was read.
    pub dry_run: bool,
    /// It was asked to stop.
    pub stopped: bool,
}

impl SourceScrubbed {
    /// Is all that could be compared as it was dumped, and could something of each tree
    /// be compared in which not all was written to since?
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let was_looked_at = self.undumped.is_empty() && self.uncompared.is_empty();
        self.changed.is_empty() && self.faults_total == 0 && was_looked_at
    }
}
