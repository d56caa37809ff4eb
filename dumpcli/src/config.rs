//! The configuration file: TOML, one for all programs.
//!
//! An unknown key, a value of the wrong type or a file that is not TOML is an
//! error that names file, line and column; nothing is ever ignored. Every
//! value remembers its line, so that a person can be shown where it is from.
//! Relative paths count from the directory of the file; `~` and `~/` are the home.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use dumpcore::{Fault, Op, Rate};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use crate::options::LogTarget;

/// The keys of the top level, and of each `[set.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Trees to dump.
    pub main: Option<Spanned<OneOrMany>>,
    /// Dump root.
    pub dump: Option<Spanned<String>>,
    /// Exclude rules.
    pub exclude: Option<Spanned<Vec<String>>>,
    /// Files of exclude rules.
    pub exclude_from: Option<Spanned<OneOrMany>>,
    /// Do not enter other filesystems.
    pub one_file_system: Option<Spanned<bool>>,
    /// Number of workers.
    pub jobs: Option<Spanned<NonZeroU16>>,
    /// How fast contents may be copied.
    pub bwlimit: Option<Spanned<Limit>>,
    /// Give way to everybody else on the machine.
    pub idle: Option<Spanned<bool>>,
    /// Compare contents.
    pub checksum: Option<Spanned<bool>>,
    /// Do not compare contents since a file had been touched.
    pub ignore_ctime: Option<Spanned<bool>>,
    /// Where the log goes.
    pub log: Option<Spanned<LogTarget>>,
    /// Show progress.
    pub progress: Option<Spanned<bool>>,
    /// The name of the tree in the dump.
    pub root_name: Option<Spanned<String>>,
    /// For `dumpslave`.
    #[serde(default)]
    pub slave: Slave,
    /// Commands to run before and after.
    #[serde(default)]
    pub hooks: Hooks,
    /// Named sets; only at the top level.
    #[serde(default)]
    pub set: BTreeMap<String, Spanned<Section>>,
}

impl Section {
    /// What is of the right type and cannot be meant all the same, with the
    /// byte where it stands: an empty path, say, would be the directory of the
    /// file.
    fn nonsense(&self) -> Option<(usize, &'static str)> {
        let main = self.main.iter().find_map(|main| {
            let names = main.get_ref().as_slice();
            let none = names.is_empty() || names.iter().any(String::is_empty);
            none.then_some((main.span().start, "this names no tree"))
        });
        let files = [&self.exclude_from, &self.slave.exclude_from];
        let file = files.into_iter().flatten().find_map(|files| {
            let none = files.get_ref().as_slice().iter().any(String::is_empty);
            none.then_some((files.span().start, "this names no file"))
        });
        let dirs = [&self.dump, &self.slave.from, &self.slave.dump];
        let dir = dirs.into_iter().flatten().find_map(|dir| {
            let none = dir.get_ref().is_empty();
            none.then_some((dir.span().start, "this names no directory"))
        });
        let name = self.root_name.as_ref().and_then(|name| {
            let bad = ["", ".", ".."].contains(&name.get_ref().as_str())
                || name.get_ref().contains(['/', '\0']);
            bad.then_some((name.span().start, "this cannot be a name in a dump"))
        });
        main.or(file).or(dir).or(name)
    }
}

/// `[slave]`: the keys of `dumpslave`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slave {
    /// The dump root to replicate from.
    pub from: Option<Spanned<String>>,
    /// The dump root to replicate to.
    pub dump: Option<Spanned<String>>,
    /// Exclude rules.
    pub exclude: Option<Spanned<Vec<String>>>,
    /// Files of exclude rules.
    pub exclude_from: Option<Spanned<OneOrMany>>,
    /// Wait until the dump root to replicate from is there.
    pub wait: Option<Spanned<bool>>,
}

/// `[hooks]`: commands around a run. A string is for the shell, a list is a
/// program and its arguments; an empty one is none, so that a set can do
/// without.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    /// Before the run; its failure stops the run.
    pub pre: Option<Spanned<OneOrMany>>,
    /// After the run, however it ended; its failure is a fault.
    pub post: Option<Spanned<OneOrMany>>,
}

/// A string, or a list of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMany {
    /// A string.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// Does it say nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().iter().all(String::is_empty)
    }

    /// As a list in either case.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut many = Vec::new();
                while let Some(text) = list.next_element()? {
                    many.push(text);
                }
                Ok(OneOrMany::Many(many))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A rate as the option takes it, or a whole number of KiB a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub Rate);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate as \"1.5m\", or a number of KiB a second")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                text.parse().map(Limit).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Limit, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Why a configuration file will not do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration: {0}")]
    Unreadable(Fault),
    /// Something in it is wrong.
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The set that was asked for is in no file.
    #[error("there is no [set.{name}] in {place}")]
    NoSuchSet {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
    },
}

/// A configuration file as read.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Its top level, sets included.
    pub top: Section,
    text: String,
}

impl File {
    /// Reads a file. `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is wrong.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        match fs::read(path) {
            Ok(bytes) => Self::parse(path, bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => {
                let fault = Fault::new(Op::Read, path.to_owned(), cause);
                Err(ConfigError::Unreadable(fault))
            }
        }
    }

    fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, ConfigError> {
        let wrong = |text: &str, at: usize, message: &str| {
            let (line, column) = position(text, at);
            ConfigError::Wrong {
                path: path.to_owned(),
                line,
                column,
                message: message.to_owned(),
            }
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let text = String::from_utf8_lossy(bytes);
            let wide = [b"\xff\xfe", b"\xfe\xff"]
                .iter()
                .any(|mark| bytes.starts_with(*mark));
            wrong(
                &text,
                valid,
                if wide {
                    "this is UTF-16: save the file as UTF-8"
                } else {
                    "this is not UTF-8"
                },
            )
        })?;
        // Some editors begin with a byte order mark: it is not part of the text.
        let text = match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        };
        let top: Section = toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(&text, at, &one_line(error.message()))
        })?;
        for section in top.set.values().map(Spanned::get_ref).chain([&top]) {
            if let Some((at, message)) = section.nonsense() {
                return Err(wrong(&text, at, message));
            }
        }
        for section in top.set.values() {
            if let Some(inner) = section.get_ref().set.values().next() {
                let message = "a set cannot have sets of its own";
                return Err(wrong(&text, inner.span().start, message));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            top,
            text,
        })
    }

    /// The line, from 1, that a value is on.
    #[must_use]
    pub fn line<T>(&self, value: &Spanned<T>) -> usize {
        position(&self.text, value.span().start).0
    }

    /// A path as the file means it: see the head of this page.
    #[must_use]
    pub fn resolve(&self, path: &str, home: Option<&Path>) -> PathBuf {
        match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => return home.join(rest),
            (None, Some(home)) if path == "~" => return home.to_path_buf(),
            _ => {}
        }
        match self.path.parent() {
            Some(base) => base.join(path),
            None => PathBuf::from(path),
        }
    }
}

fn one_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    lines.join("; ")
}

/// Line and column, from 1, of a byte of a text.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
