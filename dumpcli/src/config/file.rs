//! The configuration file: TOML, one for all programs.
//!
//! An unknown key, a value of the wrong type or a file that is not TOML is an
//! error that names file, line and column; in the tables of other programs, and
//! in sets that this run has nothing to do with, it is a warning. Every value
//! remembers its line, so that a person can be shown where it is from. Relative
//! paths count from the directory of the file; `~` and `~/` are the home.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dumpcore::{Chain, Fault, Op};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::config::keep::KeepTable;
use crate::config::keys::Section;
use crate::config::shadow::ShadowTable;
use crate::config::{plain, tables};

/// Why a configuration file will not do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot use the configuration")]
    Unreadable(#[source] Fault),
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
    #[error("no set '{name}': no [set.{name}] in {place}{}", those(.others))]
    NoSuchSet {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
        /// The sets that there are.
        others: Vec<String>,
    },
    /// A set stands in two places.
    #[error("{} and [set.{name}] in {} are both the set {name}; keep only one",
        .own.display(), .file.display())]
    Twice {
        /// Its name.
        name: String,
        /// The file that has its name.
        own: PathBuf,
        /// The file with that table.
        file: PathBuf,
    },
}

fn those(others: &[String]) -> String {
    if others.is_empty() {
        return String::new();
    }
    format!("; the sets are: {}", others.join(", "))
}

/// What a program wants of a file.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    /// The program, by whose tables it is judged.
    pub program: &'a str,
    /// The sets that it uses.
    pub sets: Sets<'a>,
}

/// Which sets of a file are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sets<'a> {
    /// None, the top level alone.
    Top,
    /// This one.
    One(&'a str),
    /// Each.
    All,
    /// None: the file is a set itself, and has no sets of its own.
    Own,
}

impl Sets<'_> {
    fn has(self, name: &str) -> bool {
        self == Sets::All || self == Sets::One(name)
    }
}

/// What `--set` calls the top level.
pub const TOP: &str = "dump";

/// A configuration file as read.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Its top level.
    pub top: Section,
    /// The sets that are used.
    pub sets: BTreeMap<String, Section>,
    /// The names of all sets in it.
    pub names: Vec<String>,
    /// What is wrong where it does no harm.
    pub warnings: Vec<String>,
    text: String,
}

impl File {
    /// Reads a file. `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is wrong where it is used.
    pub fn read(path: &Path, usage: Usage<'_>) -> Result<Option<Self>, ConfigError> {
        match fs::read(path) {
            Ok(bytes) => Self::parse(path, bytes, usage).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => {
                let fault = Fault::new(Op::Read, path.to_owned(), cause);
                Err(ConfigError::Unreadable(fault))
            }
        }
    }

    fn parse(path: &Path, bytes: Vec<u8>, usage: Usage<'_>) -> Result<Self, ConfigError> {
        let text = decoded(path, bytes)?;
        let mut file = Self {
            path: path.to_owned(),
            top: Section::default(),
            sets: BTreeMap::new(),
            names: Vec::new(),
            warnings: Vec::new(),
            text: String::new(),
        };
        let mut reader = Reader {
            path,
            text: &text,
            program: usage.program,
            warnings: &mut file.warnings,
        };
        let table = DeTable::parse(&text).map_err(|error| reader.refused(&error, ""))?;
        let (span, mut table) = (table.span(), table.into_inner());
        let sets = table.remove("set");
        file.top = reader.section(Spanned::new(span, table), "")?;
        let sets = match sets.map(|sets| (sets.span().start, sets.into_inner())) {
            None => DeTable::new(),
            Some((at, _)) if usage.sets == Sets::Own => {
                return Err(reader.wrong(at, OWN_SETS));
            }
            Some((_, DeValue::Table(sets))) => sets,
            Some((at, _)) => return Err(reader.wrong(at, "`set` should be a table of sets")),
        };
        for (name, set) in sets {
            let (at, name) = (name.span().start, name.into_inner().into_owned());
            if name == TOP {
                return Err(reader.wrong(at, "`dump` is the top level, and not a set"));
            }
            match reader.set(&name, set) {
                Ok(section) if usage.sets.has(&name) => {
                    file.sets.insert(name.clone(), section);
                }
                Ok(_) => {}
                Err(error) if usage.sets.has(&name) => return Err(error),
                Err(error) => reader.warnings.push(Chain(&error).to_string()),
            }
            file.names.push(name);
        }
        file.text = text;
        Ok(file)
    }

    /// The line, from 1, that a value is on.
    #[must_use]
    pub fn line<T>(&self, value: &Spanned<T>) -> usize {
        position(&self.text, value.span().start).0
    }
}

/// A path as a file in this directory means it: see the head of this page.
#[must_use]
pub fn resolve(folder: &Path, path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        (None, Some(home)) if path == "~" => home.to_path_buf(),
        _ => folder.join(path),
    }
}

/// The programs for which what is wrong in `[keep]` is an error, which they say
/// themselves.
const PRUNE: [&str; 2] = ["dumpctl", "dumpoffsite"];

const OWN_SETS: &str = "a set cannot have sets of its own";

/// Reads the sections of one file.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    program: &'a str,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// `before`: what stands before the names of its tables.
    fn section(
        &mut self,
        section: Spanned<DeTable<'_>>,
        before: &str,
    ) -> Result<Section, ConfigError> {
        let (span, mut table) = (section.span(), section.into_inner());
        let (path, text, program) = (self.path, self.text, self.program);
        let has_slave = table.contains_key("slave");
        let warnings = &mut *self.warnings;
        tables::take_unused(
            &mut table,
            before,
            &tables::TABLES,
            program,
            &mut |at, what, meant| {
                let what = format!("{what}, which {program} does not use{meant}");
                warnings.push(wrong(path, text, at, &what).to_string());
            },
        );
        let keep = self.keep(&mut table, before);
        let shadow_copies = self.shadow_copies(&mut table, before);
        let mut keep_of = |name: &str| match table.get_mut(name).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => self.keep(inner, before),
            _ => None,
        };
        let (slave_keep, offsite_keep) = (keep_of("slave"), keep_of("offsite"));
        let mut section = Section::deserialize(Deserializer::from(Spanned::new(span, table)))
            .map_err(|error| self.refused(&error, before))?;
        section.keep = keep;
        section.shadow_copies = shadow_copies;
        section.has_slave = has_slave;
        if let Some(slave) = &mut section.slave {
            slave.keep = slave_keep;
        }
        if let Some(offsite) = &mut section.offsite {
            offsite.keep = offsite_keep;
        }
        match section.nonsense() {
            Some((at, message)) => Err(self.wrong(at, message)),
            None => Ok(section),
        }
    }

    /// The table of what stays, taken out of the one that it is in. What is wrong
    /// in it stops only the program that prunes, which says so itself.
    fn keep(&mut self, table: &mut DeTable<'_>, before: &str) -> Option<Spanned<KeepTable>> {
        let value = table.remove("keep")?;
        let span = value.span();
        let keep = KeepTable::read(
            value,
            |error| self.refused(error, before).to_string(),
            |at, message| self.wrong(at, message).to_string(),
        );
        if let (Err(wrong), true) = (&keep.policy, !PRUNE.contains(&self.program)) {
            let text = format!("{wrong}; nothing is pruned");
            self.warnings.push(text);
        }
        Some(Spanned::new(span, keep))
    }

    /// The table of shadow copies, likewise.
    fn shadow_copies(
        &mut self,
        table: &mut DeTable<'_>,
        before: &str,
    ) -> Option<Spanned<ShadowTable>> {
        let value = table.remove("shadow_copies")?;
        let span = value.span();
        let shadow = ShadowTable::read(
            value,
            |error| self.refused(error, before).to_string(),
            |at, message| self.wrong(at, message).to_string(),
        );
        if let Err(wrong) = &shadow.0 {
            let text = format!("{wrong}; shadow copies are not updated");
            self.warnings.push(text);
        }
        Some(Spanned::new(span, shadow))
    }

    fn set(&mut self, name: &str, set: Spanned<DeValue<'_>>) -> Result<Section, ConfigError> {
        let span = set.span();
        let DeValue::Table(set) = set.into_inner() else {
            return Err(self.wrong(span.start, "a set should be a table"));
        };
        if let Some(inner) = set.get("set") {
            return Err(self.wrong(inner.span().start, OWN_SETS));
        }
        self.section(Spanned::new(span, set), &format!("set.{name}."))
    }

    /// `before` as in [`Reader::section`].
    fn refused(&self, error: &toml::de::Error, before: &str) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        let mut message = plain::message(error.message());
        // Sets, `keep` and `shadow_copies` are read apart, so that the parser does
        // not know these keys. It lists the keys of a table inside the section without `main`.
        if message.contains("he keys are `main`") {
            message.push_str(", `shadow_copies`, `keep`");
            if before.is_empty() {
                message.push_str(", `set`");
            }
        }
        self.wrong(at, &message)
    }

    fn wrong(&self, at: usize, message: &str) -> ConfigError {
        wrong(self.path, self.text, at, message)
    }
}

fn wrong(path: &Path, text: &str, at: usize, message: &str) -> ConfigError {
    let (line, column) = position(text, at);
    ConfigError::Wrong {
        path: path.to_owned(),
        line,
        column,
        message: message.to_owned(),
    }
}

/// UTF-8, which some editors begin with a byte order mark.
fn decoded(path: &Path, bytes: Vec<u8>) -> Result<String, ConfigError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let text = String::from_utf8_lossy(bytes);
        let marks: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
        let message = if marks.iter().any(|mark| bytes.starts_with(mark)) {
            "this is UTF-16: save the file as UTF-8"
        } else {
            "this is not UTF-8"
        };
        wrong(path, &text, valid, message)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// Line and column, from 1, of a byte of a text.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "keep_tests.rs"]
mod keep_tests;
