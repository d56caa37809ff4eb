//! Why something could not be done with a repository.

use rustic_core::RusticError;

use super::secrets::told;

/// Why something could not be done with a repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    #[error("there is no repository at {0}; make one with 'dumpoffsite init'")]
    Missing(String),
    #[error("there is a repository at {0} already")]
    Exists(String),
    #[error("the password does not open the repository {0}")]
    WrongPassword(String),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
    /// The dump cannot be read.
    #[error(transparent)]
    Dump(#[from] dumpcore::Error),
    #[error("{0}")]
    Other(String),
}

/// What the library says, in one sentence: without its frame, and without a
/// password.
pub(super) fn message(error: &RusticError) -> String {
    let text = error.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    // " (kind: related to the backend): caused by: …"
    let text = match text.split_once(" (kind: ") {
        Some((said, rest)) => match rest.split_once("): caused by: ") {
            Some((_, cause)) => format!("{}: {cause}", said.trim_end_matches(['.', ' '])),
            None => said.trim_end_matches(['.', ' ']).to_owned(),
        },
        None => text.to_owned(),
    };
    told(&text)
}
