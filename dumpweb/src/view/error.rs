//! Why there is nothing to show.

use std::fmt;
use std::io;

use dumpcore::{Brief, Chain, Error, Fault};

/// Why there is nothing to show, in a sentence for the one who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewError {
    /// What was asked for is not something that there can be.
    Bad(String),
    /// It does not exist.
    Missing(String),
    /// This user may not read it.
    Refused(String),
    /// Too much is being read at once.
    Busy,
    /// It could not be read.
    Failed(String),
}

impl ViewError {
    /// What does not exist.
    #[must_use]
    pub fn missing(what: &str) -> Self {
        Self::Missing(what.to_owned())
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(text) | Self::Missing(text) | Self::Refused(text) | Self::Failed(text) => {
                f.write_str(text)
            }
            Self::Busy => f.write_str("too much is being read at once: try again in a moment"),
        }
    }
}

impl From<Fault> for ViewError {
    fn from(fault: Fault) -> Self {
        match fault.cause.kind() {
            io::ErrorKind::PermissionDenied => {
                let path = Brief::path(&fault.path).to_string();
                Self::Refused(format!("you may not read {path}"))
            }
            io::ErrorKind::NotFound => Self::Missing(Chain(&fault).to_string()),
            _ => Self::Failed(Chain(&fault).to_string()),
        }
    }
}

impl From<Error> for ViewError {
    fn from(error: Error) -> Self {
        match error {
            Error::Fault(fault) => fault.into(),
            other => Self::Failed(Chain(&other).to_string()),
        }
    }
}
