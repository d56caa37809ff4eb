//! What a person can do about an error, in the words of the program that says
//! it.
//!
//! The library says what is wrong and knows no option. Every option that an
//! error's sentence names is named here, in one table.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dumpcore::{DumpRoot, Error, Printable, Sort};

use crate::config::settings::{Source, Value};

/// A path that somebody named: by which option it can be named, and who did.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The path.
    pub path: PathBuf,
    /// Its option: `--dump`.
    pub option: &'static str,
    /// Who named it.
    pub source: Source,
}

impl Origin {
    /// Of one path.
    #[must_use]
    pub fn of(option: &'static str, path: &Value<PathBuf>) -> Self {
        Self {
            path: path.value.clone(),
            option,
            source: path.source.clone(),
        }
    }

    /// Of each of these paths.
    pub fn of_all(option: &'static str, paths: &Value<Vec<PathBuf>>) -> impl Iterator<Item = Self> {
        paths.value.iter().map(move |path| Self {
            path: path.clone(),
            option,
            source: paths.source.clone(),
        })
    }

    fn words(&self) -> String {
        let option = self.option;
        match &self.source {
            Source::Flag => format!(" (named by {option})"),
            Source::Env(name) => format!(" (named by {name} in the environment)"),
            Source::Default => format!(" (the default: name yours with {option})"),
            file => format!(" ({file})"),
        }
    }
}

/// What a program is about when it meets an error.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// `dumpme`
    pub program: &'a str,
    /// The trees, or the dump root, that it reads.
    pub read: &'a [PathBuf],
    /// The dump root that it writes.
    pub dump: &'a Path,
    /// Who named these.
    pub origins: &'a [Origin],
}

/// What is to be added to the sentence of an error; empty when it says all.
#[must_use]
pub fn of(about: About<'_>, error: &Error) -> String {
    match error {
        Error::MainUnusable { path, .. } => about.origin(path),
        Error::DumpUnusable { path, cause } => {
            let missing = cause.kind() == ErrorKind::NotFound;
            let act = if missing { about.missing(path) } else { "" };
            format!("{}{act}", about.origin(path))
        }
        Error::DumpDisk { free: Some(_), .. } => about.leftovers(),
        Error::NoSpace { .. } => format!("{}{}", about.option(error), about.leftovers()),
        _ => about.option(error).to_owned(),
    }
}

impl About<'_> {
    /// The option that helps.
    fn option(&self, error: &Error) -> &'static str {
        match (self.program, error) {
            ("dumpme", Error::NoCurrent { .. }) => "; make the first one with --init",
            ("dumpslave", Error::NoCurrent { dump }) if !self.read.contains(dump) => {
                "; bring the first one over with --init, or the newest with --init --latest"
            }
            ("dumpslave", Error::NoCurrent { .. }) => {
                "; make the first one with 'dumpme --init', or wait for a disk that \
                 appears late with --wait"
            }
            (_, Error::NoCurrent { .. }) => "; make the first one with 'dumpme --init'",
            (_, Error::AlreadyInitialised { .. }) => "; leave out --init",
            (_, Error::SameRoot { .. }) => "; name the other one with --dump",
            (_, Error::NoSuchDump { .. }) => {
                "; the newest is taken with --latest, for a first replica with --init --latest"
            }
            ("dumpme", Error::BadRootName { .. }) => ", with --root-name",
            ("dumpme", Error::SameName { .. } | Error::FoldedTrees { .. }) => {
                ", as that of a symlink to it"
            }
            ("dumpme", Error::MainEmpty { .. }) => "; dump it all the same with --allow-empty",
            ("dumpme", Error::NameTaken { .. }) => "; give another minute with --at",
            ("chkptme", Error::NoSpace { .. }) => "; begin all the same with --no-space-check",
            ("chkptme", Error::HalfDump { .. }) => {
                "; take a new dump, then remove what is left of this one with 'dumpctl remove'"
            }
            (_, Error::HalfDump { .. }) => "; remove what is left of it with 'dumpctl remove'",
            (_, Error::Shortage { .. }) => " (--jobs)",
            _ => "",
        }
    }

    fn origin(&self, path: &Path) -> String {
        let origin = self.origins.iter().find(|origin| origin.path == path);
        origin.map(Origin::words).unwrap_or_default()
    }

    /// Of a dump root that is not there.
    fn missing(&self, path: &Path) -> &'static str {
        match self.program {
            "dumpslave" if self.read.iter().any(|read| read == path) => {
                "; mount its disk, or wait for one that appears late with --wait"
            }
            "dumpme" | "dumpslave" => {
                "; mount its disk, or make it with mkdir and begin with --init"
            }
            _ => "; mount its disk, or make it with mkdir and begin with 'dumpme --init'",
        }
    }

    /// What takes room on a full disk, and this program would not go on with:
    /// each goes on only with its own.
    fn leftovers(&self) -> String {
        let own = match self.program {
            "chkptme" => Sort::Checkpoint,
            _ => Sort::Dump,
        };
        let listed = DumpRoot::open(self.dump).map(|dump| dump.listing().incompletes());
        // The disk is full: whatever else is wrong with it is said next time.
        let Ok(Ok(found)) = listed else {
            return String::new();
        };
        let mut text = String::new();
        for name in found.iter().map(|found| found.name) {
            if name.sort == own {
                continue;
            }
            let day = self.dump.join(name.path());
            let path = day.with_file_name(name.incomplete_leaf());
            let path = Printable::path(&path);
            let who = match name.sort {
                Sort::Checkpoint => "chkptme",
                _ => "dumpme",
            };
            text.push_str(&format!(
                "; {path}, left by a run that stopped, takes room too: \
                 {who} goes on with it, or remove it with 'dumpctl remove'"
            ));
        }
        text
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
                "folded",
                Error::FoldedTrees {
                    dump: path("/dump"),
                    names: [path("Photos"), path("photos")],
                    trees: [path("/a/Photos"), path("/b/photos")],
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
            ("written", ["--init", "'dumpme --init'", "--init --latest"]),
            ("initialised", ["--init", "", "--init"]),
            ("same", ["", "", "--dump"]),
            ("none", ["", "", "--init --latest"]),
            ("nameless", ["--root-name", "", ""]),
            ("double", ["symlink", "", ""]),
            ("folded", ["symlink", "", ""]),
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
                let read = [PathBuf::from("/dump")];
                let about = About {
                    program,
                    read: &read,
                    dump: Path::new("/no/such/dump"),
                    origins: &[],
                };
                let hint = of(about, error);
                assert!(hint.contains(word), "{program}, {name}: {hint}");
                assert_eq!(hint.contains("dumpme"), word.contains("dumpme"), "{hint}");
            }
        }
    }

    fn about<'a>(program: &'a str, dump: &'a Path, origins: &'a [Origin]) -> About<'a> {
        About {
            program,
            read: &[],
            dump,
            origins,
        }
    }

    #[test]
    fn what_cannot_be_opened_says_who_named_it_and_what_to_do() {
        let cause = |errno| io::Error::from_raw_os_error(errno);
        let dump = PathBuf::from("/dump");
        let tree = PathBuf::from("/home");
        let file = Source::File {
            path: "/etc/dump/dump.toml".into(),
            line: 2,
            set: None,
        };
        let origin = |option, path: &PathBuf, source| Origin {
            path: path.clone(),
            option,
            source,
        };
        for (source, words) in [
            (Source::Flag, " (named by --main)"),
            (
                Source::Env("MAINROOT"),
                " (named by MAINROOT in the environment)",
            ),
            (file, " (file: /etc/dump/dump.toml:2)"),
            (Source::Default, " (the default: name yours with --main)"),
        ] {
            let origins = [origin("--main", &tree, source)];
            let error = Error::MainUnusable {
                path: tree.clone(),
                cause: cause(2),
            };
            assert_eq!(of(about("dumpme", &dump, &origins), &error), words);
        }
        let origins = [origin("--dump", &dump, Source::Default)];
        let unusable = |errno| Error::DumpUnusable {
            path: dump.clone(),
            cause: cause(errno),
        };
        let hint = of(about("dumpme", &dump, &origins), &unusable(2));
        assert_eq!(
            hint,
            " (the default: name yours with --dump); mount its disk, or make it \
             with mkdir and begin with --init"
        );
        let hint = of(about("yest", &dump, &[]), &unusable(2));
        assert!(hint.contains("'dumpme --init'"), "{hint}");
        let hint = of(about("dumpme", &dump, &[]), &unusable(13));
        assert_eq!(hint, "");
    }

    #[test]
    fn a_full_disk_names_what_the_other_program_left() {
        let dir = assert_fs::TempDir::new().expect("a directory for the test");
        let root = dir.path();
        let checkpoint = root.join("2026/1101/0500_chk_incomplete");
        let dump = root.join("2026/1122/2331_incomplete");
        for path in [&checkpoint, &dump, &root.join("2026/1122/2231")] {
            std::fs::create_dir_all(path).expect("made");
        }
        let full = |free| Error::DumpDisk {
            fault: Fault::new(Op::Write, root.join("f"), io::Error::from_raw_os_error(28)),
            free,
            needed: None,
        };
        let none = Error::NoSpace {
            dump: root.to_path_buf(),
            needed: 2,
            free: 1,
        };
        let full_disk = full(Some((0, 0)));
        for (program, error, left, who) in [
            ("dumpme", &full_disk, &checkpoint, "chkptme goes on"),
            ("dumpslave", &full_disk, &checkpoint, "chkptme goes on"),
            ("chkptme", &full_disk, &dump, "dumpme goes on"),
            ("chkptme", &none, &dump, "dumpme goes on"),
        ] {
            let hint = of(about(program, root, &[]), error);
            let named = left.display().to_string();
            assert!(hint.contains(&named) && hint.contains(who), "{hint}");
            assert_eq!(hint.matches("left by a run").count(), 1, "{hint}");
        }
        assert_eq!(of(about("dumpme", root, &[]), &full(None)), "");
    }
}
