//! What `chkptme` alone can advise: its own options.

use dumpcli::{Advice, Root};
use dumpcore::{Error, Sort};

pub(crate) const ADVICE: Advice = Advice {
    of,
    resumes: Sort::Checkpoint,
};

fn of(error: &Error, _: Root) -> Option<&'static str> {
    Some(match error {
        Error::NoSpace { .. } => "; make room first, or start anyway with --no-space-check",
        Error::HalfDump { .. } => {
            "; take a new dump, then remove what is left of this one with 'dumpctl remove'"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_option_that_helps() {
        let dump = || "/dump".into();
        let full = Error::NoSpace {
            dump: dump(),
            needed: 2,
            free: 1,
        };
        let hint = of(&full, Root::Written);
        assert!(hint.is_some_and(|hint| hint.contains("--no-space-check")));
        assert_eq!(of(&Error::Busy { dump: dump() }, Root::Written), None);
    }
}
