//! The result of removing dumps.

use std::fmt;
use std::path::PathBuf;

use crate::model::chain::Chain;
use crate::model::fault::Fault;
use crate::model::path::Printable;
use crate::policy::layout::{self, DumpId};

/// Why a dump was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A link of the dump root names it: `current`, `current_chk` or a pin.
    Linked {
        /// The name of the link.
        link: PathBuf,
    },
    /// It is the last complete dump of this tree.
    LastOfTree {
        /// The name of the tree.
        tree: PathBuf,
    },
    /// It is the first copy, which was made by hand; see
    /// [`Remove::first_copy`](crate::Remove::first_copy).
    FirstCopy,
    /// The rules keep it now, since the dumps are not those that were planned
    /// for.
    Rules,
    /// A program is reading it.
    Read,
    /// Something is mounted there.
    Mounted {
        /// Where.
        point: PathBuf,
    },
    /// It does not exist, or could not be moved from its name.
    Failed(Fault),
}

impl Reason {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Reason::Linked { .. } => "linked",
            Reason::LastOfTree { .. } => "last_of_tree",
            Reason::FirstCopy => "first_copy",
            Reason::Rules => "rules",
            Reason::Read => "read",
            Reason::Mounted { .. } => "mounted",
            Reason::Failed(_) => "failed",
        }
    }

    /// Is it protected, so that trying again later would not help?
    #[must_use]
    pub fn is_protection(&self) -> bool {
        matches!(
            self,
            Reason::Linked { .. } | Reason::LastOfTree { .. } | Reason::FirstCopy | Reason::Rules
        )
    }
}

impl fmt::Display for Reason {
    /// As it reads after the name of the dump and a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Linked { link } => {
                let name = Printable::path(link);
                match link.to_str() {
                    Some(layout::CURRENT) => {
                        write!(f, "the link '{name}' names it; take another dump first")
                    }
                    Some(layout::CURRENT_CHECKPOINT) => write!(
                        f,
                        "the link '{name}' names it; make a checkpoint first, with chkptme"
                    ),
                    _ => write!(
                        f,
                        "the pin '{name}' keeps it; remove that first, with 'dumpctl unpin {name}'"
                    ),
                }
            }
            Reason::LastOfTree { tree } => write!(
                f,
                "it is the last complete dump of '{}'",
                Printable::path(tree)
            ),
            Reason::FirstCopy => f.write_str("it is the first copy, which was made by hand"),
            Reason::Rules => f.write_str(
                "the dumps have changed since the plan was made, and the rules keep it now; \
                 look at the plan again",
            ),
            Reason::Read => {
                f.write_str("another program is reading it; try again when it has finished")
            }
            Reason::Mounted { point } => write!(
                f,
                "something is mounted at {}; unmount it first",
                Printable::path(point)
            ),
            Reason::Failed(fault) => Chain(fault).fmt(f),
        }
    }
}

/// A dump that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// Its name in the dump root.
    pub dump: DumpId,
    /// Its path.
    pub path: PathBuf,
    /// How many names were removed, directories included.
    pub names: u64,
    /// How many bytes that freed: the blocks of inodes whose last name was
    /// removed.
    pub freed_bytes: u64,
    /// How many dumps that stay use its files, so that removing it frees no more.
    /// `None` where that was not [asked for](crate::Remove::count_users), or is
    /// not known without the catalog.
    pub used_by: Option<u64>,
    /// Was it a [linked checkpoint](crate::Checkpoint::linked)? What uses its files are
    /// checkpoints, too.
    pub is_linked: bool,
    /// Is nothing left of it? What is left is no longer a dump, and is removed by
    /// the next run.
    pub whole: bool,
    /// Is it kept for the next run, to be recycled? See
    /// [`Prune::recycle`](crate::Prune::recycle).
    pub recyclable: bool,
}

/// A dump that was not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// Its name in the dump root.
    pub dump: DumpId,
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// What was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// Dumps that were removed, in the order in which they were given.
    pub removed: Vec<Removed>,
    /// Dumps that were not removed.
    pub left: Vec<Left>,
    /// Dumps that are still there because it was stopped before it came to them.
    pub remaining: Vec<DumpId>,
    /// What could not be removed of these dumps, up to
    /// [`Report::MAX_LISTED`](crate::Report::MAX_LISTED).
    pub faults: Vec<Fault>,
    /// How many such faults there were.
    pub faults_total: u64,
    /// All bytes that were freed, also of what earlier runs had left.
    pub freed_bytes: u64,
    /// Names removed of what earlier runs had left.
    pub finished_names: u64,
    /// Was it a dry run?
    pub dry_run: bool,
    /// Was it stopped before all was removed? The next run finishes.
    pub stopped: bool,
}

impl Removal {
    /// Was everything removed that was to be?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.faults_total == 0 && !self.stopped
    }
}
