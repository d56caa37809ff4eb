//! What a history tells: changes, and what could not be read of them.

use std::path::PathBuf;

use super::version::Version;
use crate::model::cause::Cause;
use crate::model::fault::Fault;

/// What a history is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The changes, the oldest first.
    pub events: Vec<Event>,
    /// What could not be read. A dump in which the path cannot be looked at
    /// is passed over; contents that cannot be read are judged by size and
    /// modification time.
    pub faults: Vec<Fault>,
    /// In how many dumps the path was looked for.
    pub dumps: usize,
    /// How many times two dumps were walked for an earlier name, because there
    /// was no catalog that could be asked.
    pub walked: usize,
    /// Why the catalog that was to be asked gave no answer.
    pub catalog_failed: Option<Cause>,
}

/// A change of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// The version that it led to; for [`Change::Delete`] the last one, in
    /// the last dump that had it.
    pub version: Version,
    /// The version before, when there was one.
    pub before: Option<Version>,
    /// Does it speak of the main tree as it is now?
    pub main: bool,
}

/// What happened to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It is there, and was not before.
    Create,
    /// Its content is another: see [`Difference::Content`](super::Difference::Content).
    Write,
    /// Its metadata is another, and its content the same.
    Wstat,
    /// It is no longer there.
    Delete {
        /// The first dump that has it no more, or its path in the main tree.
        missing: PathBuf,
    },
    /// It is there, and the dump before had it under another name. When it
    /// has changed as well, another event says so.
    Rename {
        /// That name, in the dump before.
        from: PathBuf,
    },
    /// Nothing: only said of the main tree.
    Same,
}

impl Change {
    /// The name that Plan 9 has for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Write => "write",
            Change::Wstat => "wstat",
            Change::Delete { .. } => "delete",
            Change::Rename { .. } => "rename",
            Change::Same => "same",
        }
    }
}

/// Several changes that led to the same version.
pub(super) fn told(
    changes: Vec<Change>,
    new: &Version,
    old: Option<&Version>,
    main: bool,
) -> Vec<Event> {
    let event = |change| Event {
        change,
        version: new.clone(),
        before: old.cloned(),
        main,
    };
    changes.into_iter().map(event).collect()
}
