//! What a person can do about an error, in the words of the program that says
//! it.
//!
//! The library says what is wrong and knows no option. Every option that an
//! error's sentence names is named here, in one table.

use std::path::PathBuf;

use dumpcore::Error;

/// What is to be added to the sentence of an error; empty when it says all.
/// `read` are the trees, or the dump root, that the program reads.
#[must_use]
pub fn of(program: &str, read: &[PathBuf], error: &Error) -> &'static str {
    match (program, error) {
        ("dumpme", Error::NoCurrent { .. }) => "; make the first one with --init",
        ("dumpslave", Error::NoCurrent { dump }) if !read.contains(dump) => {
            "; bring the first one over with --init"
        }
        ("dumpslave", Error::NoCurrent { .. }) => {
            "; make the first one with 'dumpme --init', or wait for a disk that \
             appears late with --wait"
        }
        (_, Error::NoCurrent { .. }) => "; make the first one with 'dumpme --init'",
        (_, Error::AlreadyInitialised { .. }) => "; leave out --init",
        (_, Error::SameRoot { .. }) => "; name the other one with --dump",
        (_, Error::NoSuchDump { .. }) => "; the newest is taken with --latest",
        ("dumpme", Error::BadRootName { .. }) => ", with --root-name",
        ("dumpme", Error::SameName { .. }) => ", as that of a symlink to it",
        ("dumpme", Error::MainEmpty { .. }) => "; dump it all the same with --allow-empty",
        ("dumpme", Error::NameTaken { .. }) => "; give another minute with --at",
        ("chkptme", Error::NoSpace { .. }) => "; begin all the same with --no-space-check",
        (_, Error::Shortage { .. }) => " (--jobs)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::{Fault, Op};
    use std::io;

    fn errors() -> Vec<(&'static str, Error)> {
        let path = |text: &str| PathBuf::from(text);
        let fault = Fault::new(Op::Open, path("/a"), io::Error::from_raw_os_error(24));
        vec![
            (
                "read",
                Error::NoCurrent {
                    dump: path("/dump"),
                },
            ),
            (
                "written",
                Error::NoCurrent {
                    dump: path("/slave"),
                },
            ),
            (
                "initialised",
                Error::AlreadyInitialised {
                    dump: path("/slave"),
                    target: path("2026/1122/2331"),
                },
            ),
            (
                "same",
                Error::SameRoot {
                    from: path("/dump"),
                    dump: path("/dump"),
                },
            ),
            (
                "none",
                Error::NoSuchDump {
                    dump: path("/dump"),
                    what: "of a day before today".to_owned(),
                },
            ),
            (
                "nameless",
                Error::BadRootName {
                    path: path("/"),
                    name: String::new(),
                },
            ),
            (
                "double",
                Error::SameName {
                    name: "a".to_owned(),
                    first: path("/a"),
                    second: path("/b/a"),
                },
            ),
            (
                "empty",
                Error::MainEmpty {
                    path: path("/a"),
                    reference: path("/dump/2026/1122/2331/a"),
                },
            ),
            (
                "taken",
                Error::NameTaken {
                    path: path("/dump/2026/1122/2331"),
                },
            ),
            (
                "room",
                Error::NoSpace {
                    dump: path("/dump"),
                    needed: 2,
                    free: 1,
                },
            ),
            ("shortage", Error::Shortage { fault }),
            (
                "busy",
                Error::Busy {
                    dump: path("/dump"),
                },
            ),
        ]
    }

    #[test]
    fn an_error_names_the_option_that_helps() {
        // Of each error: what the three programs name, if they can meet it.
        let table = [
            ("read", ["--init", "'dumpme --init'", "'dumpme --init'"]),
            ("written", ["--init", "'dumpme --init'", "--init"]),
            ("initialised", ["--init", "", "--init"]),
            ("same", ["", "", "--dump"]),
            ("none", ["", "", "--latest"]),
            ("nameless", ["--root-name", "", ""]),
            ("double", ["symlink", "", ""]),
            ("empty", ["--allow-empty", "", ""]),
            ("taken", ["--at", "", ""]),
            ("room", ["", "--no-space-check", ""]),
            ("shortage", ["--jobs", "--jobs", "--jobs"]),
            ("busy", ["", "", ""]),
        ];
        let errors = errors();
        assert_eq!(errors.len(), table.len());
        for ((name, error), (row, words)) in errors.iter().zip(table) {
            assert_eq!(*name, row);
            assert!(!error.to_string().contains("--"), "{error}");
            for (program, word) in ["dumpme", "chkptme", "dumpslave"].into_iter().zip(words) {
                let hint = of(program, &[PathBuf::from("/dump")], error);
                assert!(hint.contains(word), "{program}, {name}: {hint}");
                assert_eq!(hint.contains("dumpme"), word.contains("dumpme"), "{hint}");
            }
        }
    }
}
