//! What is in force: a flag beats the environment, which beats the file,
//! which beats the default.
//!
//! What a set says replaces the top level's key or table as a whole. `--set` is
//! a flag, so what the set that it names says beats the environment too. Anyone
//! who has `MAINROOT` exported for `yest` and asks for `--set photos` does not want
//! NEWAGE in the dumps of the photos.

use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;

use toml::Spanned;

use crate::config::environment::{DUMPROOT, Env, MAINROOT, first_directory};
use crate::config::file::resolve;
use crate::config::keep::KeepTable;
use crate::config::keys::{OneOrMany, Rule, Section, Slave};
use crate::config::options::{Configuration, Excludes};
use crate::config::origin::{Source, Value};
use crate::config::search::{self, Layer};
use crate::config::shadow::ShadowTable;
use crate::failure::Failure;
use crate::program::Program;

const DEFAULT_MAIN: &str = "/newage/NEWAGE";
const DEFAULT_DUMP: &str = "/dump";
const DEFAULT_SLAVE: &str = "/dumpslave";

/// The environment and the files, ready to be asked.
#[derive(Debug)]
pub struct Sources {
    env: Rc<Env>,
    /// What relative paths in the files count from.
    folder: PathBuf,
    files: Vec<PathBuf>,
    names: Vec<String>,
    warnings: Vec<String>,
    way: search::Way,
}

impl Sources {
    /// Finds and reads the configuration: the top level, and the set that
    /// `--set` names.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it is wrong, or what was named is missing.
    pub fn load(program: Program, asked: &Configuration) -> Result<Self, Failure> {
        Self::load_with(program, asked, Env::of_process())
    }

    /// The same in a given environment.
    ///
    /// # Errors
    /// See [`Sources::load`].
    pub fn load_with(program: Program, asked: &Configuration, env: Env) -> Result<Self, Failure> {
        let mut found = search::find(program, asked, &env, false)?;
        let first = found.ways.swap_remove(0);
        Ok(Self::of(&Rc::new(env), &found, first))
    }

    /// The top level and each set, unless `--set` names one: for who looks for a
    /// path in all of them.
    ///
    /// # Errors
    /// See [`Sources::load`].
    pub fn load_all(program: Program, asked: &Configuration) -> Result<Vec<Self>, Failure> {
        Self::load_all_with(program, asked, Env::of_process())
    }

    /// The same in a given environment.
    ///
    /// # Errors
    /// See [`Sources::load`].
    pub fn load_all_with(
        program: Program,
        asked: &Configuration,
        env: Env,
    ) -> Result<Vec<Self>, Failure> {
        let mut found = search::find(program, asked, &env, true)?;
        let env = Rc::new(env);
        let ways = std::mem::take(&mut found.ways);
        let each = ways.into_iter();
        Ok(each.map(|way| Self::of(&env, &found, way)).collect())
    }

    fn of(env: &Rc<Env>, found: &search::Found, way: search::Way) -> Self {
        Self {
            env: Rc::clone(env),
            folder: found.folder.clone(),
            files: found.files.clone(),
            names: found.names.clone(),
            warnings: found.warnings.clone(),
            way,
        }
    }

    /// The configuration files in force.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The set that is in force.
    #[must_use]
    pub fn set(&self) -> Option<&str> {
        let set = self.way.set.as_ref()?;
        set.name.as_deref()
    }

    /// All sets that there are.
    #[must_use]
    pub fn sets(&self) -> &[String] {
        &self.names
    }

    /// What is wrong in the files where it does no harm here.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What a layer says for a key.
    fn said<T, R>(
        layer: Option<&Layer>,
        key: impl Fn(&Section) -> Option<&Spanned<T>>,
        read: impl Fn(&T) -> R,
    ) -> Option<Value<R>> {
        let layer = layer?;
        let found = key(&layer.section)?;
        Some(Value {
            value: read(found.get_ref()),
            source: Source::File {
                path: layer.file.path.clone(),
                line: layer.file.line(found),
                set: layer.name.clone(),
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
        let top = || Self::said(self.way.top.as_ref(), &key, &read);
        flag.map(|value| given(value, Source::Flag))
            .or_else(|| Self::said(self.way.set.as_ref(), &key, &read))
            .or_else(|| top().filter(|_| self.way.top_is_named))
            .or_else(|| env.map(|(name, value)| given(value, Source::Env(name))))
            .or_else(top)
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
        resolve(&self.folder, text, self.env.home.as_deref())
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
    pub fn main(&self, flags: &[PathBuf]) -> Value<Vec<PathBuf>> {
        let flag = (!flags.is_empty()).then(|| flags.to_vec());
        let env = self.env.mainroot.as_deref().and_then(first_directory);
        self.pick(
            flag,
            env.map(|dir| (MAINROOT, vec![dir])),
            |section| section.main.as_ref(),
            |texts| self.paths(texts),
            vec![PathBuf::from(DEFAULT_MAIN)],
        )
    }

    /// The main trees that the files name.
    pub(crate) fn main_of_files(&self) -> Option<Value<Vec<PathBuf>>> {
        self.find(None, None, |s| s.main.as_ref(), |texts| self.paths(texts))
    }

    /// The dump root that the files name.
    pub(crate) fn dump_of_files(&self) -> Option<Value<PathBuf>> {
        self.find(None, None, |s| s.dump.as_ref(), |text| self.path(text))
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
    pub fn dump(&self, flag: Option<PathBuf>) -> Value<PathBuf> {
        let env = self.env.dumproot.as_deref().and_then(first_directory);
        self.pick(
            flag,
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
            |section| of_slave(section, |slave| slave.from.as_ref()).or(section.dump.as_ref()),
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
            |section| of_slave(section, |slave| slave.dump.as_ref()),
            |text| self.path(text),
            PathBuf::from(DEFAULT_SLAVE),
        )
    }

    /// Is there a table `[slave]`?
    #[must_use]
    pub fn has_slave(&self) -> bool {
        let mut layers = self.way.set.iter().chain(&self.way.top);
        layers.any(|layer| layer.section.has_slave)
    }

    /// Is a good copy stored in the place of what is damaged in a dump that is
    /// copied?
    #[must_use]
    pub fn heal(&self, flag: Option<bool>) -> Value<bool> {
        self.pick(flag, None, |s| s.heal.as_ref(), |v| *v, false)
    }

    /// Which dumps stay in the dump root.
    #[must_use]
    pub fn keep(&self) -> Option<Value<KeepTable>> {
        self.find(None, None, |s| s.keep.as_ref(), KeepTable::clone)
    }

    /// Which dumps stay in the dump root that replicas are made in.
    #[must_use]
    pub fn slave_keep(&self) -> Option<Value<KeepTable>> {
        self.find(
            None,
            None,
            |s| s.slave.as_ref()?.keep.as_ref(),
            KeepTable::clone,
        )
    }

    /// The repository that dumps are stored in; `env`: what the environment says.
    #[must_use]
    pub fn offsite_repository(&self, env: Option<(&'static str, String)>) -> Option<Value<String>> {
        self.find(
            None,
            env,
            |s| s.offsite.as_ref()?.repository.as_ref(),
            String::clone,
        )
    }

    /// The file that holds the password of the repository; `env`: what the
    /// environment says.
    #[must_use]
    pub fn offsite_password_file(
        &self,
        env: Option<(&'static str, PathBuf)>,
    ) -> Option<Value<PathBuf>> {
        self.find(
            None,
            env,
            |s| s.offsite.as_ref()?.password_file.as_ref(),
            |text| self.path(text),
        )
    }

    /// A file of variables for the environment of `dumpoffsite`.
    #[must_use]
    pub fn offsite_environment_file(&self) -> Option<Value<PathBuf>> {
        self.find(
            None,
            None,
            |s| s.offsite.as_ref()?.environment_file.as_ref(),
            |text| self.path(text),
        )
    }

    /// Which dumps stay in the repository.
    #[must_use]
    pub fn offsite_keep(&self) -> Option<Value<KeepTable>> {
        self.find(
            None,
            None,
            |s| s.offsite.as_ref()?.keep.as_ref(),
            KeepTable::clone,
        )
    }

    /// Where Samba finds dumps as previous versions. A set does not inherit it: a
    /// directory of links is for one tree of one dump root.
    #[must_use]
    pub fn shadow_copies(&self) -> Option<Value<ShadowTable>> {
        let table = self.find(None, None, |s| s.shadow_copies.as_ref(), ShadowTable::clone);
        table.filter(|table| match &table.source {
            Source::File { set, .. } => set.as_deref() == self.set(),
            _ => true,
        })
    }

    /// The exclude rules: those of the command line first, so that they win,
    /// then those of the file.
    pub fn excludes(
        &self,
        flags: &Excludes,
        rules: impl Fn(&Section) -> Option<&Spanned<OneOrMany>>,
        files: impl Fn(&Section) -> Option<&Spanned<OneOrMany>>,
    ) -> Vec<Value<Rule>> {
        let given = flags.0.iter().map(|rule| Value {
            value: rule.clone(),
            source: Source::Flag,
        });
        let pattern = |text: &String| Rule::Pattern(text.into());
        let rules = self.find(None, None, rules, |texts| {
            texts.as_slice().iter().map(pattern).collect::<Vec<_>>()
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
}

/// What `[slave]` of a section says for a key.
pub fn of_slave<T>(section: &Section, key: impl Fn(&Slave) -> Option<&T>) -> Option<&T> {
    key(section.slave.as_ref()?)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
