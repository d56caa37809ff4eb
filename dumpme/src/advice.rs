//! What `dumpme` alone can advise: its own options.

use dumpcli::{Advice, Root};
use dumpcore::{Error, Sort};

pub(crate) const ADVICE: Advice = Advice {
    of,
    resumes: Sort::Dump,
};

fn of(error: &Error, _: Root) -> Option<&'static str> {
    Some(match error {
        Error::NoCurrent { .. } => "; make the first dump with --init",
        Error::DumpUnusable { .. } => "; mount its disk, or create it and run with --init",
        Error::BadRootName { .. } => ", with --root-name",
        Error::SameName { .. } | Error::FoldedTrees { .. } => ", as that of a symlink to it",
        Error::MainEmpty { .. } => "; dump it anyway with --allow-empty",
        Error::NameTaken { .. } => "; give another minute with --at",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn an_error_names_the_option_that_helps() {
        let path = || PathBuf::from("/dump");
        let name = || "a".to_owned();
        let (first, second) = (path(), path());
        let reference = path();
        for (error, word) in [
            (Error::NoCurrent { dump: path() }, "--init"),
            (
                Error::BadRootName {
                    path: path(),
                    name: name(),
                },
                "--root-name",
            ),
            (
                Error::SameName {
                    name: name(),
                    first,
                    second,
                },
                "symlink",
            ),
            (
                Error::MainEmpty {
                    path: path(),
                    reference,
                },
                "--allow-empty",
            ),
            (Error::NameTaken { path: path() }, "--at"),
        ] {
            let hint = of(&error, Root::Written).expect("advice");
            assert!(hint.contains(word), "{error}: {hint}");
        }
        assert_eq!(of(&Error::NoRoots, Root::Written), None);
    }
}
