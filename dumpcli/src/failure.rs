//! Why a program ends without having done its work, or a part of it.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use dumpcore::{Chain, Error, Printable};

/// Why a program ends without having done its work: one clear sentence each.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The options, the configuration or a rule in them are wrong.
    #[error("{0}")]
    Usage(String),
    /// Anything else that the program itself met.
    #[error("{0}")]
    Failed(String),
    /// The `pre` hook said that it is not the time for it.
    #[error("{0}")]
    NotNow(String),
    /// A signal came before the work had begun.
    #[error("stopped; nothing was published")]
    Stopped,
    /// A signal came, and what the work waited for did not answer.
    #[error("stopped while {} did not answer; nothing was published", Printable::path(.0))]
    StoppedAt(PathBuf),
    /// The library gave up.
    #[error("{}{hint}", with_origin(.error, .origin))]
    Core {
        /// Why.
        error: Error,
        /// Where the path that it names comes from, in parentheses; stands
        /// between the error and its cause. Empty where that is not said.
        origin: Box<str>,
        /// What can be done about it, see [`advice`](crate::advice).
        hint: Box<str>,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Core {
            error,
            origin: Box::default(),
            hint: Box::default(),
        }
    }
}

/// An error, the origin of the path that it names, then its causes.
fn with_origin(error: &Error, origin: &str) -> String {
    let cause = error.source().map(|cause| format!(": {}", Chain(cause)));
    format!("{error}{origin}{}", cause.unwrap_or_default())
}

/// The hook after a run failed. Nothing is missing from a dump because of it,
/// and it is a fault of the run anyway: no fault is silent.
#[derive(Debug, thiserror::Error)]
#[error("the post hook '{}' failed: {cause}", Printable(.command.as_bytes()))]
pub struct HookFault {
    /// The command, as messages show it.
    pub command: String,
    /// Why it could not be started, or how it ended.
    pub cause: io::Error,
}

impl HookFault {
    /// The word for what failed, for machines.
    pub const OPERATION: &'static str = "hook";
}
