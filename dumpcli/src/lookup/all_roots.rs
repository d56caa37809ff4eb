//! The trees and dump roots of all sets, of which a path chooses one.
//!
//! A person who looks for an old letter does not think of the set that it is
//! dumped by: unless `--set` or `--main` name them, all trees are looked at,
//! and the innermost that holds the path counts.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::Local;
use dumpcore::{Brief, Chain, Error, FindError, Location, Navigator, Tree};

use crate::config::options::{Configuration, Places};
use crate::config::origin::Origin;
use crate::config::origin::{Source, Value};
use crate::config::print_config::Listing;
use crate::config::settings::Sources;
use crate::config::trees::trees;
use crate::failure::Failure;
use crate::lookup::notices::{NoticeOptions, Notices};
use crate::lookup::one_root::{Lookup, rooted};
use crate::program::Program;
use crate::run::advice::{About, explain};

/// All that is looked at, a [`Lookup`] for each dump root.
#[derive(Debug)]
pub struct Lookups {
    program: Program,
    all: Vec<(Lookup, Settings)>,
    /// Does the first of them come from the top level of the configuration, or
    /// from options?
    has_top: bool,
    /// May dump roots be missing?
    may_be_missing: bool,
    /// The configuration file that was named.
    config: Option<PathBuf>,
    /// Where warnings and failures are reported.
    pub aside: Notices,
}

/// The keys of the configuration that count here.
#[derive(Debug)]
struct Settings {
    main: Value<Vec<PathBuf>>,
    dump: Value<PathBuf>,
    root_name: Option<Value<OsString>>,
}

impl Lookups {
    /// From options, environment and configuration. `None` when these were
    /// only to be printed. `verbose`: what is done is reported as well.
    ///
    /// # Errors
    /// A configuration that is wrong; a dump root that is not there, when it is
    /// the only one.
    pub fn find(
        program: Program,
        places: &Places,
        aside: NoticeOptions,
        verbose: bool,
    ) -> Result<Option<Self>, Failure> {
        let found = Self::find_missing(program, places, aside, verbose)?;
        let Some(mut lookups) = found else {
            return Ok(None);
        };
        lookups.may_be_missing = false;
        if let [(_, settings)] = lookups.all.as_slice() {
            settings.has_dumps(program)?;
        }
        Ok(Some(lookups))
    }

    /// As [`find`](Self::find), also of dump roots that are not there: their disk may
    /// be mounted later.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub fn find_missing(
        program: Program,
        places: &Places,
        aside: NoticeOptions,
        verbose: bool,
    ) -> Result<Option<Self>, Failure> {
        // Trees that a person names are of no set.
        let sources = if places.print_config || !places.main.is_empty() {
            vec![Sources::load(program, &places.configuration)?]
        } else {
            Sources::load_all(program, &places.configuration)?
        };
        let Some(first) = sources.first() else {
            return Ok(None);
        };
        if places.print_config {
            let listing = Listing::new(program, first);
            let settings = Settings::of(first, places);
            crate::output::screen::print(&settings.listed(listing))?;
            return Ok(None);
        }
        let aside = Notices::open(program, first, aside, verbose);
        for source in &sources {
            // All of them have read the same files.
            let new = source
                .warnings()
                .iter()
                .filter(|text| std::ptr::eq(source, first) || !first.warnings().contains(text));
            new.for_each(|text| aside.warning(text));
        }
        let mut lookups = Self {
            program,
            all: Vec::new(),
            has_top: false,
            may_be_missing: true,
            config: places.configuration.config.clone(),
            aside,
        };
        for source in &sources {
            let settings = Settings::of(source, places);
            if sources.len() == 1 || !settings.is_default() {
                lookups.has_top |= source.set().is_none();
                lookups.add(settings);
            }
        }
        Ok(Some(lookups))
    }

    /// The trees of a set; those with one dump root are looked at together.
    fn add(&mut self, settings: Settings) {
        let (from, typed_from) = working_directory();
        let dump = rooted(&from, &settings.dump.value);
        let trees = settings.trees(&from);
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let same = |(lookup, _): &&mut (Lookup, Settings)| real(&lookup.dump) == real(&dump);
        if let Some((lookup, _)) = self.all.iter_mut().find(same) {
            let navigator = std::mem::replace(&mut lookup.navigator, Navigator::new(&dump));
            lookup.navigator = trees.into_iter().fold(navigator, Navigator::main);
            return;
        }
        let lookup = Lookup {
            navigator: trees
                .into_iter()
                .fold(Navigator::new(&dump), Navigator::main),
            dump,
            aside: self.aside,
            from,
            typed_from,
            now: Local::now(),
        };
        self.all.push((lookup, settings));
    }

    /// The trees and dumps that are meant where no path chooses: the only ones, or
    /// those of the top level of the configuration.
    ///
    /// # Errors
    /// Several sets have dump roots of their own, or the dump root is not there.
    pub fn chosen(&self) -> Result<&Lookup, Failure> {
        match self.all.as_slice() {
            [(lookup, settings), rest @ ..] if self.has_top || rest.is_empty() => {
                if !self.may_be_missing {
                    settings.has_dumps(self.program)?;
                }
                Ok(lookup)
            }
            several => {
                let dumps = several.iter().map(|(lookup, _)| &lookup.dump);
                let dumps: Vec<_> = dumps.map(|dump| Brief::path(dump).to_string()).collect();
                Err(Failure::Usage(format!(
                    "there are several dump roots: choose one with --set or --dump ({})",
                    dumps.join(", ")
                )))
            }
        }
    }

    /// All dump roots, each with its trees; also those that are not there.
    pub fn all(&self) -> impl Iterator<Item = &Lookup> {
        self.all.iter().map(|(lookup, _)| lookup)
    }

    /// The paths of all dump roots that the configuration names, whichever set is
    /// chosen, also those that are not there, and of their replicas.
    ///
    /// # Errors
    /// A configuration that is wrong.
    pub fn known_roots(&self) -> Result<Vec<PathBuf>, Failure> {
        let (from, _) = working_directory();
        let all = self.sources()?;
        let roots = all.iter().flat_map(|sources| {
            let slave = sources.has_slave().then(|| sources.slave_dump(None).value);
            [Some(sources.dump(None).value), slave]
        });
        let configured = roots.flatten().map(|root| rooted(&from, &root));
        let chosen = self.all.iter().map(|(lookup, _)| lookup.dump.clone());
        Ok(configured.chain(chosen).collect())
    }

    /// All sets of the configuration, whichever is chosen.
    pub(crate) fn sources(&self) -> Result<Vec<Sources>, Failure> {
        let all = Configuration {
            config: self.config.clone(),
            set: None,
        };
        Sources::load_all(self.program, &all)
    }

    /// A path for machines.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match self.all.first() {
            Some((lookup, _)) => lookup.absolute(path),
            None => path.to_path_buf(),
        }
    }

    /// The tree that a path is in, the innermost of all. When it is in none,
    /// but did before a symlink took the place of a directory, that is reported.
    ///
    /// # Errors
    /// A path that is in none, or in a dump root that is not there; see
    /// [`Navigator::locate`].
    pub fn locate(&self, path: &Path) -> Result<(&Lookup, Location), Failure> {
        let mut found: Option<(&(Lookup, Settings), Location)> = None;
        let mut refusals = Vec::new();
        let rank = |place: &Location| (place.typed_through.is_some(), place.depth());
        for one in &self.all {
            match one.0.locate(path) {
                Ok(place) => {
                    if found
                        .as_ref()
                        .is_none_or(|(_, best)| rank(&place) < rank(best))
                    {
                        found = Some((one, place));
                    }
                }
                Err(error) => refusals.push(error),
            }
        }
        let typed = || {
            let mut all = self.all.iter();
            all.find_map(|one| Some((one, one.0.locate_as_typed(path)?)))
        };
        let Some(((lookup, settings), place)) = found.or_else(typed) else {
            return Err(self.outside(refusals));
        };
        settings.has_dumps(self.program)?;
        self.tell_typed(&place);
        Ok((lookup, place))
    }

    fn main_is_default(&self) -> bool {
        let mut all = self.all.iter();
        all.all(|(_, settings)| settings.main.source == Source::Default)
    }

    /// Why a path is in none of the trees.
    fn outside(&self, refusals: Vec<FindError>) -> Failure {
        let (mut trees, mut outside) = (Vec::new(), None);
        for error in refusals {
            match error {
                FindError::InNeither { path, main, .. } if self.all.len() > 1 => {
                    trees.extend(main.iter().map(|path| Brief::path(path).to_string()));
                    outside = Some(path);
                }
                // It is in one, or what leads to it cannot be looked at.
                FindError::InNeither { .. } if self.main_is_default() => {
                    let hint = "the default: name your tree with --main";
                    return Failure::Failed(format!("{error} ({hint})"));
                }
                error => return Failure::Failed(Chain(&error).to_string()),
            }
        }
        let dumps = self.all.iter().map(|(lookup, _)| &lookup.dump);
        let dumps: Vec<String> = dumps.map(|dump| Brief::path(dump).to_string()).collect();
        trees.dedup();
        Failure::Failed(format!(
            "{} lies in none of the trees {}, nor in a dump root of {}",
            Brief::path(&outside.unwrap_or_default()),
            trees.join(", "),
            dumps.join(", ")
        ))
    }

    /// What is found of a place, or else of the path as it was typed, when that
    /// leads through a symlink to this place: there it lay before the symlink
    /// was. That is reported.
    ///
    /// # Errors
    /// What `find` has against the place.
    pub fn find_typed<'a, T, E>(
        &'a self,
        path: &Path,
        (lookup, place): (&'a Lookup, Location),
        find: impl Fn(&Lookup, &Location) -> Result<T, E>,
    ) -> Result<(&'a Lookup, Location, T), E> {
        let error = match find(lookup, &place) {
            Ok(found) => return Ok((lookup, place, found)),
            Err(error) => error,
        };
        for (lookup, _) in &self.all {
            let typed = lookup.locate_as_typed(path);
            if let Some(typed) = typed.filter(|typed| typed.within != place.within)
                && let Ok(found) = find(lookup, &typed)
            {
                self.tell_typed(&typed);
                return Ok((lookup, typed, found));
            }
        }
        Err(error)
    }

    fn tell_typed(&self, place: &Location) {
        if let Some(link) = &place.typed_through {
            let link = Brief::path(link);
            self.aside.remark(&format!(
                "{link} is a symlink now: looking for what was {} before",
                Brief(place.within.as_bytes())
            ));
        }
    }
}

impl Settings {
    fn of(sources: &Sources, places: &Places) -> Self {
        let main = sources.main(&places.main);
        Self {
            root_name: sources.root_name(None, &main),
            main,
            dump: sources.dump(places.dump.clone()),
        }
    }

    /// Did nobody say anything?
    fn is_default(&self) -> bool {
        self.main.source == Source::Default && self.dump.source == Source::Default
    }

    /// A dump root that is not there is reported here, with who named it: later it
    /// would only be one more directory that cannot be listed.
    fn has_dumps(&self, program: Program) -> Result<(), Failure> {
        let path = &self.dump.value;
        match path.metadata() {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let path = path.clone();
                let failure = Failure::from(Error::DumpUnusable { path, cause });
                Err(explain(
                    failure,
                    About {
                        advice: program.advice,
                        read: &[],
                        dump: &self.dump.value,
                        origins: &[Origin::of("--dump", &self.dump)],
                    },
                ))
            }
            _ => Ok(()),
        }
    }

    fn trees(&self, from: &Path) -> Vec<Tree> {
        // A name of its own is for one tree.
        let name = self
            .root_name
            .as_ref()
            .filter(|_| self.main.value.len() == 1);
        let trees = trees(&self.main.value, name).map(|mut tree| {
            tree.path = rooted(from, &tree.path);
            tree
        });
        trees.collect()
    }

    fn listed(&self, mut listing: Listing) -> String {
        listing.paths("main", &self.main);
        listing.path("dump", &self.dump);
        let name = self.root_name.as_ref().map(|name| Value {
            value: name.value.to_string_lossy().into_owned(),
            source: name.source.clone(),
        });
        listing.maybe("root_name", name.as_ref(), "the last name of the tree");
        // No run: neither log nor hooks.
        listing.end()
    }
}

/// The working directory, and the way that the shell came to it. One that was
/// removed has no path any more, but the shell still knows what it was.
fn working_directory() -> (PathBuf, PathBuf) {
    let shell = env::var_os("PWD").map(PathBuf::from);
    let shell = shell.filter(|dir| dir.is_absolute());
    match (dumpcore::working_directory(), shell) {
        (Ok(here), Some(shell)) => {
            let is_here = shell.canonicalize().is_ok_and(|dir| dir == here);
            (here.clone(), if is_here { shell } else { here })
        }
        (Ok(here), None) => (here.clone(), here),
        (Err(_), shell) => {
            let shell = shell.unwrap_or_else(|| PathBuf::from("/"));
            (shell.clone(), shell)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Advice;
    use assert_fs::TempDir;
    use assert_fs::prelude::*;

    #[test]
    fn a_dump_root_that_is_not_there_says_who_named_it_and_what_to_do() {
        let dir = TempDir::new().expect("a directory for the test");
        let config = dir.child("dump.toml");
        config
            .write_str("main = \".\"\ndump = \"none\"\n")
            .expect("written");
        let program = Program {
            name: "yest",
            version: "1",
            makes: "dump",
            unlinked: "",
            advice: Advice::COMMON,
        };
        let mut places = Places {
            dump: Some(dir.path().join("gone")),
            ..Places::default()
        };
        places.configuration.config = Some(config.path().to_owned());
        let failure =
            Lookups::find(program, &places, NoticeOptions::default(), false).expect_err("refused");
        let said = failure.to_string();
        for words in ["cannot open dump root ", "(from --dump)", "'dumpme --init'"] {
            assert!(said.contains(words), "{said}");
        }
        places.dump = Some(dir.path().to_owned());
        assert!(Lookups::find(program, &places, NoticeOptions::default(), false).is_ok());
    }
}
