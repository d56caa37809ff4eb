//! Why a path, or a version of it, was not found.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Local, Utc};

use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::path::{Brief, RelPath};
use crate::root::listing::Dated;

/// Why no version was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The path is neither in a main tree nor in the dump root.
    #[error("{} is neither in {} nor in the dump root {}",
        Brief::path(.path), trees(.main), Brief::path(.dump))]
    InNeither {
        /// The path, absolute.
        path: PathBuf,
        /// The main trees.
        main: Vec<PathBuf>,
        /// The dump root.
        dump: PathBuf,
    },
    /// The path is in the dump root, but not in a dump.
    #[error("{} is in the dump root {}, but not in any of its dumps; name one as in \
             2026/1122/2331", Brief::path(.path), Brief::path(.dump))]
    NoDump {
        /// The path, absolute.
        path: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// No dump is that old.
    #[error("{} has no dump from {} or earlier{}", Brief::path(.dump), minute_of(*.at),
        which_oldest(*.oldest))]
    NoneThen {
        /// The dump root.
        dump: PathBuf,
        /// The moment asked for.
        at: DateTime<Utc>,
        /// The oldest dump that there is.
        oldest: Option<Dated>,
    },
    /// The dump does not have it.
    #[error("{} has no {}{}", Brief::path(.dump), Brief(.within.as_bytes()), nearest(.older))]
    NotThere {
        /// The path looked for, inside the dump.
        within: RelPath,
        /// The dump.
        dump: PathBuf,
        /// The same in the nearest older dump that has it.
        older: Option<PathBuf>,
    },
    /// No dump has it.
    #[error("no dump in {} has {} ({dumps} looked at)",
        Brief::path(.dump), Brief(.within.as_bytes()))]
    Never {
        /// The path looked for, inside a dump.
        within: RelPath,
        /// The dump root.
        dump: PathBuf,
        /// How many dumps were looked at.
        dumps: usize,
    },
    /// Something could not be read.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<FindError> for Error {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Fault(fault) => Error::Fault(fault),
            other => Error::Other(Box::new(other)),
        }
    }
}

fn trees(main: &[PathBuf]) -> String {
    let names: Vec<String> = main
        .iter()
        .map(|path| Brief::path(path).to_string())
        .collect();
    if names.is_empty() {
        return "a main tree (none was given)".to_owned();
    }
    names.join(" nor in ")
}

fn minute_of(moment: DateTime<Utc>) -> impl fmt::Display {
    moment.with_timezone(&Local).format("%Y-%m-%dT%H:%M")
}

fn which_oldest(dump: Option<Dated>) -> String {
    match dump {
        Some(dump) => format!(
            "; its oldest is {}, of {}",
            dump.name,
            minute_of(dump.moment)
        ),
        None => ": it has no dump at all".to_owned(),
    }
}

fn nearest(older: &Option<PathBuf>) -> String {
    match older {
        Some(path) => format!("; the nearest older one is {}", Brief::path(path)),
        None => ", and neither has an older dump".to_owned(),
    }
}
