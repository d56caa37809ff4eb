//! A value in force, and where it comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// This variable of the environment.
    Env(&'static str),
    /// The configuration file.
    File {
        /// Which.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// The set it stands in.
        set: Option<String>,
    },
    /// Nobody said anything.
    Default,
}

impl Source {
    /// What has the greater one beats the other.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Source::Flag => 4,
            Source::File { set: Some(_), .. } => 3,
            Source::Env(_) => 2,
            Source::File { set: None, .. } => 1,
            Source::Default => 0,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => f.write_str("flag"),
            Source::Env(name) => write!(f, "environment: {name}"),
            Source::File { path, line, set } => {
                write!(f, "file: {}:{line}", path.display())?;
                match set {
                    Some(set) => write!(f, " [set.{set}]"),
                    None => Ok(()),
                }
            }
            Source::Default => f.write_str("default"),
        }
    }
}

/// A value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<T> {
    /// The value.
    pub value: T,
    /// Its source.
    pub source: Source,
}

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
}
