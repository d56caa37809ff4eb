//! What is in force: a flag beats the environment, which beats the file,
//! which beats the default.
//!
//! With one addition: `--set` is a flag, so what the set that it names says
//! beats the environment too. Whoever has `MAINROOT` exported for `yest` and
//! asks for `--set photos` does not want NEWAGE in the dumps of the photos.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dumpcore::Rate;
use toml::Spanned;

use crate::config::{ConfigError, File, OneOrMany, Section};
use crate::exit::Failure;
use crate::options::{Excludes, Load, LogTarget, Output, Places, Progress, Rule};

/// The variable that names the main tree.
pub const MAINROOT: &str = "MAINROOT";
/// The variable that names the dump root.
pub const DUMPROOT: &str = "DUMPROOT";
const DEFAULT_MAIN: &str = "/newage/NEWAGE";
const DEFAULT_DUMP: &str = "/dump";
const DEFAULT_SLAVE: &str = "/dumpslave";
const SYSTEM_CONFIG: &str = "/etc/dump/dump.toml";

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
    fn weight(&self) -> u8 {
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

/// The environment and the file, ready to be asked.
#[derive(Debug)]
pub struct Sources {
    env: Env,
    file: Option<File>,
    set: Option<String>,
}

/// The variables of the environment that count.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// `MAINROOT`.
    pub mainroot: Option<OsString>,
    /// `DUMPROOT`.
    pub dumproot: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Env {
    /// That of this process; what is empty counts as unset.
    #[must_use]
    pub fn of_process() -> Self {
        let get = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| get(name).map(PathBuf::from).filter(|p| p.is_absolute());
        Self {
            mainroot: get(MAINROOT),
            dumproot: get(DUMPROOT),
            config_home: absolute("XDG_CONFIG_HOME"),
            home: absolute("HOME"),
        }
    }

    /// Where a configuration file is looked for, in order.
    #[must_use]
    pub fn config_paths(&self) -> Vec<PathBuf> {
        let home = self.home.as_ref().map(|home| home.join(".config"));
        let own = self.config_home.clone().or(home);
        own.map(|dir| dir.join("dump/dump.toml"))
            .into_iter()
            .chain([PathBuf::from(SYSTEM_CONFIG)])
            .collect()
    }
}

impl Env {
    /// What can be done when nobody named the file that may not be read: as
    /// root by way of su or sudo, or the other way round, `HOME` is easily that
    /// of another user.
    fn closed(&self, error: &ConfigError) -> String {
        match error {
            ConfigError::Unreadable(fault) if fault.cause.kind() == ErrorKind::PermissionDenied => {
                let variable = match &self.config_home {
                    Some(home) if fault.path.starts_with(home) => "XDG_CONFIG_HOME",
                    _ => "HOME",
                };
                format!(
                    "; is {variable} that of another user? Set it, or name a file with --config"
                )
            }
            _ => String::new(),
        }
    }
}

impl Sources {
    /// Finds and reads the configuration file.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it is wrong, or one that was named is missing.
    pub fn load(places: &Places) -> Result<Self, Failure> {
        Self::load_with(places, Env::of_process())
    }

    /// The same in a given environment.
    ///
    /// # Errors
    /// See [`Sources::load`].
    pub fn load_with(places: &Places, env: Env) -> Result<Self, Failure> {
        let wrong = |error: ConfigError| Failure::Usage(error.to_string());
        let mut looked = env.config_paths();
        let mut file = None;
        if let Some(path) = &places.config {
            looked = vec![path.clone()];
            file = File::read(path).map_err(wrong)?;
            if file.is_none() {
                let text = format!("there is no configuration file {}", path.display());
                return Err(Failure::Usage(text));
            }
        } else {
            for path in &looked {
                file = File::read(path).map_err(|error| {
                    let hint = env.closed(&error);
                    Failure::Usage(format!("{error}{hint}"))
                })?;
                if file.is_some() {
                    break;
                }
            }
        }
        if let Some(name) = &places.set
            && !file.as_ref().is_some_and(|f| f.top.set.contains_key(name))
        {
            let place = match &file {
                Some(file) => file.path.display().to_string(),
                None => {
                    let looked: Vec<_> = looked.iter().map(|p| p.display().to_string()).collect();
                    format!("any file: there is neither {}", looked.join(" nor "))
                }
            };
            let name = name.clone();
            return Err(wrong(ConfigError::NoSuchSet { name, place }));
        }
        Ok(Self {
            env,
            file,
            set: places.set.clone(),
        })
    }

    /// The configuration file in force.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// What the file says for a key, in the chosen set or at the top level.
    fn in_file<T, R>(
        &self,
        of_set: bool,
        key: impl Fn(&Section) -> Option<&Spanned<T>>,
        read: impl Fn(&T) -> R,
    ) -> Option<Value<R>> {
        let file = self.file.as_ref()?;
        let (section, set) = if of_set {
            let name = self.set.as_ref()?;
            (file.top.set.get(name)?.get_ref(), Some(name.clone()))
        } else {
            (&file.top, None)
        };
        let found = key(section)?;
        Some(Value {
            value: read(found.get_ref()),
            source: Source::File {
                path: file.path.clone(),
                line: file.line(found),
                set,
            },
        })
    }

    /// The value in force of a key; `None` when nobody says anything.
    pub fn find<T, R>(
        &self,
        flag: Option<R>,
        env: Option<(&'static str, R)>,
        key: impl Fn(&Section) -> Option<&Spanned<T>>,
        read: impl Fn(&T) -> R,
    ) -> Option<Value<R>> {
        let given = |value, source| Value { value, source };
        flag.map(|value| given(value, Source::Flag))
            .or_else(|| self.in_file(true, &key, &read))
            .or_else(|| env.map(|(name, value)| given(value, Source::Env(name))))
            .or_else(|| self.in_file(false, &key, &read))
    }

    /// The same, with a default.
    pub fn pick<T, R>(
        &self,
        flag: Option<R>,
        env: Option<(&'static str, R)>,
        key: impl Fn(&Section) -> Option<&Spanned<T>>,
        read: impl Fn(&T) -> R,
        default: R,
    ) -> Value<R> {
        self.find(flag, env, key, read).unwrap_or(Value {
            value: default,
            source: Source::Default,
        })
    }

    /// A path as the configuration file means it.
    #[must_use]
    pub fn path(&self, text: &str) -> PathBuf {
        match &self.file {
            Some(file) => file.resolve(text, self.env.home.as_deref()),
            None => PathBuf::from(text),
        }
    }

    fn paths(&self, texts: &OneOrMany) -> Vec<PathBuf> {
        texts
            .as_slice()
            .iter()
            .map(|text| self.path(text))
            .collect()
    }

    /// The main trees.
    #[must_use]
    pub fn main(&self, places: &Places) -> Value<Vec<PathBuf>> {
        let flag = (!places.main.is_empty()).then(|| places.main.clone());
        let env = self.env.mainroot.as_deref().and_then(first_directory);
        self.pick(
            flag,
            env.map(|dir| (MAINROOT, vec![dir])),
            |section| section.main.as_ref(),
            |texts| self.paths(texts),
            vec![PathBuf::from(DEFAULT_MAIN)],
        )
    }

    /// A name of its own for the tree. One that stands in the configuration
    /// is of the tree that stands there, not of one that is named by what
    /// beats that.
    #[must_use]
    pub fn root_name(
        &self,
        flag: Option<OsString>,
        main: &Value<Vec<PathBuf>>,
    ) -> Option<Value<OsString>> {
        let name = self.find(flag, None, |s| s.root_name.as_ref(), |v| v.into())?;
        (name.source.weight() >= main.source.weight()).then_some(name)
    }

    /// The dump root.
    #[must_use]
    pub fn dump(&self, places: &Places) -> Value<PathBuf> {
        let env = self.env.dumproot.as_deref().and_then(first_directory);
        self.pick(
            places.dump.clone(),
            env.map(|dir| (DUMPROOT, dir)),
            |section| section.dump.as_ref(),
            |text| self.path(text),
            PathBuf::from(DEFAULT_DUMP),
        )
    }

    /// The dump root that a replica is of: the one that other programs dump
    /// into, unless `[slave]` names another.
    #[must_use]
    pub fn slave_from(&self, flag: Option<PathBuf>) -> Value<PathBuf> {
        let env = self.env.dumproot.as_deref().and_then(first_directory);
        self.pick(
            flag,
            env.map(|dir| (DUMPROOT, dir)),
            |section| section.slave.from.as_ref().or(section.dump.as_ref()),
            |text| self.path(text),
            PathBuf::from(DEFAULT_DUMP),
        )
    }

    /// The dump root that a replica is made in. `DUMPROOT` is not it: a
    /// replica beside the original would be none.
    #[must_use]
    pub fn slave_dump(&self, flag: Option<PathBuf>) -> Value<PathBuf> {
        self.pick(
            flag,
            None,
            |section| section.slave.dump.as_ref(),
            |text| self.path(text),
            PathBuf::from(DEFAULT_SLAVE),
        )
    }

    /// The exclude rules: those of the command line first, so that they win,
    /// then those of the file.
    pub fn excludes(
        &self,
        flags: &Excludes,
        rules: impl Fn(&Section) -> Option<&Spanned<Vec<String>>>,
        files: impl Fn(&Section) -> Option<&Spanned<OneOrMany>>,
    ) -> Vec<Value<Rule>> {
        let given = flags.0.iter().map(|rule| Value {
            value: rule.clone(),
            source: Source::Flag,
        });
        let pattern = |text: &String| Rule::Pattern(text.into());
        let rules = self.find(None, None, rules, |texts| {
            texts.iter().map(pattern).collect::<Vec<_>>()
        });
        let files = self.find(None, None, files, |texts| {
            self.paths(texts).into_iter().map(Rule::File).collect()
        });
        let written = rules.into_iter().chain(files).flat_map(|list| {
            let source = list.source;
            list.value.into_iter().map(move |value| Value {
                value,
                source: source.clone(),
            })
        });
        given.chain(written).collect()
    }

    /// What a session needs to know.
    #[must_use]
    pub fn session(&self, output: Output, progress: Progress, load: Load) -> SessionSettings {
        let hook = |command: &OneOrMany| command.clone();
        SessionSettings {
            verbose: output.verbose,
            quiet: output.quiet,
            json: output.json,
            log: self.pick(
                output.log,
                None,
                |s| s.log.as_ref(),
                |v| *v,
                LogTarget::Auto,
            ),
            progress: self.find(progress.wanted(), None, |s| s.progress.as_ref(), |v| *v),
            jobs: self.find(load.jobs, None, |s| s.jobs.as_ref(), |v| *v),
            bwlimit: self.pick(
                load.bwlimit,
                None,
                |s| s.bwlimit.as_ref(),
                |limit| limit.0,
                Rate::UNLIMITED,
            ),
            idle: self.pick(load.idle(), None, |s| s.idle.as_ref(), |v| *v, false),
            pre: self.find(None, None, |s| s.hooks.pre.as_ref(), hook),
            post: self.find(None, None, |s| s.hooks.post.as_ref(), hook),
        }
    }
}

/// What a [`Session`](crate::session::Session) needs to know.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// How often `-v` was given.
    pub verbose: u8,
    /// `-q`
    pub quiet: bool,
    /// `--json`
    pub json: bool,
    /// Where the log goes.
    pub log: Value<LogTarget>,
    /// Show progress; unset: when stderr is a terminal.
    pub progress: Option<Value<bool>>,
    /// How many workers; unset: chosen by the library.
    pub jobs: Option<Value<NonZeroU16>>,
    /// How fast contents may be copied.
    pub bwlimit: Value<Rate>,
    /// Give way to everybody else on the machine.
    pub idle: Value<bool>,
    /// The command to run before.
    pub pre: Option<Value<OneOrMany>>,
    /// The command to run after.
    pub post: Option<Value<OneOrMany>>,
}

impl SessionSettings {
    /// How many workers were asked for.
    #[must_use]
    pub fn jobs(&self) -> Option<usize> {
        self.jobs.as_ref().map(|jobs| jobs.value.get().into())
    }
}

/// The first existing directory of a colon-separated list. When there is
/// none the first entry: so an error names what was meant. `None` for a list
/// without entries.
#[must_use]
pub fn first_directory(list: &OsStr) -> Option<PathBuf> {
    let entries = list.as_bytes().split(|byte| *byte == b':');
    let mut paths = entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| PathBuf::from(OsStr::from_bytes(entry)));
    let first = paths.next()?;
    if first.is_dir() {
        return Some(first);
    }
    Some(paths.find(|path| path.is_dir()).unwrap_or(first))
}

#[cfg(test)]
mod tests;
