//! The result of erasing paths.

use crate::model::fault::Fault;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::tend::removal::Left;

/// A path that was taken out of dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasedPath {
    /// The path in the dumps, which begins with the name of its tree.
    pub path: RelPath,
    /// The dumps that had it, oldest first; also what was left behind by runs that
    /// stopped.
    pub dumps: Vec<DumpId>,
    /// The dumps that still have it because the erasure was stopped before it came to
    /// them, oldest first. The next one takes it out of these.
    pub remaining: Vec<DumpId>,
    /// Did a dump have it that had left its name, to be removed or recycled? That is
    /// removed with all that is in it, unless a program still reads it.
    pub expired: bool,
}

/// What became of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogAfter {
    /// There is none.
    None,
    /// It knows the paths no more, but for the dumps that still have them.
    Erased,
    /// It may still hold them: why, in one sentence. It is to be made again from
    /// the dumps.
    Failed(String),
}

/// What was erased, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erasure {
    /// The paths, in the order in which they were given.
    pub paths: Vec<ErasedPath>,
    /// Dumps in which a path was left, with the path, and why.
    pub left: Vec<Left>,
    /// How many names went, with all below the paths.
    pub names: u64,
    /// How many bytes that freed: the blocks of inodes whose last name went.
    pub freed_bytes: u64,
    /// Files of these paths that still have other names in the dump root.
    pub other_names: u64,
    /// The catalog.
    pub catalog: CatalogAfter,
    /// What could not be removed, up to
    /// [`Report::MAX_LISTED`](crate::Report::MAX_LISTED). It is in no dump any more,
    /// but may be in one that has expired and that a program still reads.
    pub faults: Vec<Fault>,
    /// How many such faults there were.
    pub faults_total: u64,
    /// Was an earlier erasure continued, which had been cut off or had left
    /// something? In a dry run: would it be? Its paths are among these.
    pub finished: bool,
    /// Was it a dry run?
    pub dry_run: bool,
    /// Was it stopped? The next one finishes; no dump has half of a path.
    pub stopped: bool,
}

impl Erasure {
    /// Is nothing left of the paths, in dumps and in the catalog?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
            && self.faults_total == 0
            && !self.stopped
            && !matches!(self.catalog, CatalogAfter::Failed(_))
    }
}
