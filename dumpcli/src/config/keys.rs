//! The keys of a configuration, and the types of their values.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;

use dumpcore::Rate;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, SeqAccess, Visitor};
use toml::Spanned;

use crate::config::keep::KeepTable;
use crate::config::shadow::ShadowTable;

/// The keys of the top level, and of each `[set.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Trees to dump.
    pub main: Option<Spanned<OneOrMany>>,
    /// Dump root.
    pub dump: Option<Spanned<String>>,
    /// Exclude rules.
    pub exclude: Option<Spanned<OneOrMany>>,
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
    /// Use and update the catalog.
    pub catalog: Option<Spanned<bool>>,
    /// Take the hash of what is copied.
    pub hash: Option<Spanned<bool>>,
    /// Store good copies in the place of what is damaged in a dump that is copied.
    pub heal: Option<Spanned<bool>>,
    /// Checkpoints link to the checkpoint before.
    pub linked_checkpoints: Option<Spanned<bool>>,
    /// Where the log goes.
    pub log: Option<Spanned<LogTarget>>,
    /// Show progress.
    pub progress: Option<Spanned<bool>>,
    /// The name of the tree in the dump.
    pub root_name: Option<Spanned<String>>,
    /// For `dumpslave`.
    pub slave: Option<Slave>,
    /// For `dumpoffsite`.
    pub offsite: Option<Offsite>,
    /// Which dumps stay; read apart.
    #[serde(default, deserialize_with = "read_apart")]
    pub keep: Option<Spanned<KeepTable>>,
    /// Where Samba finds dumps as previous versions; read apart.
    #[serde(default, deserialize_with = "read_apart")]
    pub shadow_copies: Option<Spanned<ShadowTable>>,
    /// Is there a table for `dumpslave`, which this program need not use?
    #[serde(skip)]
    pub has_slave: bool,
    /// Commands to run before and after.
    pub hooks: Option<Hooks>,
}

impl Section {
    /// What is of the right type and yet cannot be meant, with the
    /// byte where it stands: an empty path, say, would be the directory of the
    /// file.
    pub(super) fn nonsense(&self) -> Option<(usize, &'static str)> {
        let main = self.main.iter().find_map(|main| {
            let names = main.get_ref().as_slice();
            let none = names.is_empty() || names.iter().any(String::is_empty);
            none.then_some((main.span().start, "this names no tree"))
        });
        let slave = self.slave.as_ref();
        let of_slave = slave.and_then(|slave| slave.exclude_from.as_ref());
        let files = self.exclude_from.iter().chain(of_slave);
        let file = files.into_iter().find_map(|files| {
            let none = files.get_ref().as_slice().iter().any(String::is_empty);
            none.then_some((files.span().start, "this names no file"))
        });
        let of_slave = slave
            .into_iter()
            .flat_map(|slave| [&slave.from, &slave.dump]);
        let dirs = [&self.dump].into_iter().chain(of_slave);
        let dir = dirs.flatten().find_map(|dir| {
            let none = dir.get_ref().is_empty();
            none.then_some((dir.span().start, "this names no directory"))
        });
        let offsite = self.offsite.as_ref();
        let of_offsite = offsite.into_iter().flat_map(|offsite| {
            let repository = (&offsite.repository, "this names no repository");
            let files = [&offsite.password_file, &offsite.environment_file];
            [repository]
                .into_iter()
                .chain(files.map(|file| (file, "this names no file")))
        });
        let offsite = of_offsite.into_iter().find_map(|(value, wrong)| {
            let value = value.as_ref()?;
            let none = value.get_ref().is_empty();
            none.then_some((value.span().start, wrong))
        });
        let name = self.root_name.as_ref().and_then(|name| {
            let bad = ["", ".", ".."].contains(&name.get_ref().as_str())
                || name.get_ref().contains(['/', '\0']);
            bad.then_some((name.span().start, "this cannot be a name in a dump"))
        });
        main.or(file).or(dir).or(offsite).or(name)
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
    pub exclude: Option<Spanned<OneOrMany>>,
    /// Files of exclude rules.
    pub exclude_from: Option<Spanned<OneOrMany>>,
    /// Wait until the dump root to replicate from is there.
    pub wait: Option<Spanned<bool>>,
    /// Which dumps stay in that dump root; read apart.
    #[serde(default, deserialize_with = "read_apart")]
    pub keep: Option<Spanned<KeepTable>>,
}

/// `[offsite]`: the keys of `dumpoffsite`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offsite {
    /// The repository, as restic writes it.
    pub repository: Option<Spanned<String>>,
    /// The file that holds its password.
    pub password_file: Option<Spanned<String>>,
    /// A file of variables for the environment.
    pub environment_file: Option<Spanned<String>>,
    /// Which dumps stay in the repository; read apart.
    #[serde(default, deserialize_with = "read_apart")]
    pub keep: Option<Spanned<KeepTable>>,
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

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    /// Chosen by what is there
    #[default]
    Auto,
    /// The systemd journal
    Journal,
    /// The system log
    Syslog,
    /// Standard error
    Stderr,
}

impl LogTarget {
    /// The word for it in options and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LogTarget::Auto => "auto",
            LogTarget::Journal => "journal",
            LogTarget::Syslog => "syslog",
            LogTarget::Stderr => "stderr",
        }
    }
}

/// One `--exclude` or `--exclude-from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A rule itself.
    Pattern(OsString),
    /// A file of rules; `-` for standard input.
    File(PathBuf),
}

/// A table that was taken out and read before. Its name is still a key, so that a
/// sentence about an unknown one lists it.
fn read_apart<'de, D: Deserializer<'de>, T>(table: D) -> Result<Option<T>, D::Error> {
    IgnoredAny::deserialize(table).map(|_| None)
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
                f.write_str("a rate such as \"1.5m\", or a number of KiB per second")
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
