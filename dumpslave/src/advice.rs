//! What `dumpslave` alone can advise: its own options. It reads one dump root
//! and writes another, and what helps depends on which of them it is.

use dumpcli::{Advice, Root};
use dumpcore::{Error, Sort};

pub(crate) const ADVICE: Advice = Advice {
    of,
    resumes: Sort::Dump,
};

fn of(error: &Error, root: Root) -> Option<&'static str> {
    Some(match (error, root) {
        (Error::NoCurrent { .. }, Root::Written) => {
            "; make the first replica with --init, or with --init --latest to copy the newest dump"
        }
        (Error::NoCurrent { .. }, Root::Read) => {
            "; make the first dump with 'dumpme --init', or use --wait to wait for a \
             disk that appears late"
        }
        (Error::DumpUnusable { .. }, Root::Written) => {
            "; mount its disk, or create it and run with --init"
        }
        (Error::DumpUnusable { .. }, Root::Read) => {
            "; mount its disk, or use --wait to wait for it"
        }
        (Error::NameTaken { .. }, Root::Written) => {
            "; a dump root takes the replicas of one other: give each set a 'dump' of its own \
             in its [slave] table"
        }
        (Error::SameRoot { .. }, _) => "; give the other one with --dump",
        (Error::NoSuchDump { .. }, _) => {
            "; copy the newest dump with --latest (for a first replica: --init --latest)"
        }
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
        let wanted = dumpcore::Wanted::BeforeToday;
        let (from, dump) = (path(), path());
        for (error, root, word) in [
            (
                Error::NoCurrent { dump: path() },
                Root::Read,
                "'dumpme --init'",
            ),
            (
                Error::NoCurrent { dump: path() },
                Root::Written,
                "--init --latest",
            ),
            (Error::SameRoot { from, dump }, Root::Written, "--dump"),
            (
                Error::NoSuchDump {
                    dump: path(),
                    wanted,
                },
                Root::Read,
                "--init --latest",
            ),
        ] {
            let hint = of(&error, root).expect("advice");
            assert!(hint.contains(word), "{error}: {hint}");
        }
        assert_eq!(of(&Error::NoRoots, Root::Written), None);
    }
}
