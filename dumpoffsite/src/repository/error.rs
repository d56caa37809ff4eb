//! Why something could not be done with a repository.

use rustic_core::RusticError;

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
    without_password(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Addresses without the user and the password in them: `https://user:secret@host`.
pub(crate) fn without_password(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(['/', ' ', '`', '\'', '"', ')']);
        let (host, behind) = after.split_at(end.unwrap_or(after.len()));
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        shown.push_str(before);
        shown.push_str("://");
        shown.push_str(host);
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (text, shown) in [
            ("/srv/restic", "/srv/restic"),
            ("rest:https://u:p@h:8000/r", "rest:https://h:8000/r"),
            ("rest:https://h/r", "rest:https://h/r"),
            ("rest:http://u:p%2F@h", "rest:http://h"),
            (
                "at `http://u:p@h/` and http://v:q@i",
                "at `http://h/` and http://i",
            ),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
