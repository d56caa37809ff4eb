//! Which files there are, and what of them is in force.
//!
//! A set NAME is `[set.NAME]` in the configuration file, or a file NAME.toml
//! beside it. `dump` is the top level, so that units can always name a set.

use dumpcore::Chain;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::environment::Env;
use crate::config::file::{ConfigError, File, Sets, TOP, Usage};
use crate::config::keys::Section;
use crate::config::options::Configuration;
use crate::failure::Failure;
use crate::program::Program;

/// A section that is in force.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) file: Rc<File>,
    pub(super) section: Section,
    /// The set that it is.
    pub(super) name: Option<String>,
}

/// The sections in force together: what the set does not say, the top level
/// does.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) set: Option<Layer>,
    pub(super) top: Option<Layer>,
    /// Was the top level asked for by its name?
    pub(super) top_is_named: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// What relative paths count from.
    pub(super) folder: PathBuf,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
    /// The names of all sets.
    pub(super) names: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// One, or all that there are; never none.
    pub(super) ways: Vec<Way>,
}

impl Env {
    /// What can be done when nobody named the file that may not be read: as
    /// root by way of su or sudo, or the other way round, `HOME` is easily that
    /// of another user.
    pub(super) fn closed(&self, error: &ConfigError) -> String {
        match error {
            ConfigError::Unreadable(fault) if fault.cause.kind() == ErrorKind::PermissionDenied => {
                let variable = match &self.config_home {
                    Some(home) if fault.path.starts_with(home) => "XDG_CONFIG_HOME",
                    _ => "HOME",
                };
                format!(
                    "; does {variable} belong to another user? Set it, or give a file with --config"
                )
            }
            _ => String::new(),
        }
    }
}

/// Reads what is asked for; with `all`, and no set named, each set as well.
pub(super) fn find(
    program: Program,
    asked: &Configuration,
    env: &Env,
    all: bool,
) -> Result<Found, Failure> {
    let set = asked.set.as_deref();
    let search = Search {
        program: program.name,
        set: set.filter(|name| *name != TOP),
        all: all && set.is_none(),
        env,
    };
    let wrong =
        |error: &ConfigError| Failure::Usage(format!("{}{}", Chain(error), env.closed(error)));
    let (path, file) = match &asked.config {
        Some(path) => (path.clone(), search.named(path)?),
        None => search.look().map_err(|error| wrong(&error))?,
    };
    let folder = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let mut found = Found {
        folder,
        files: Vec::new(),
        names: Vec::new(),
        warnings: Vec::new(),
        ways: Vec::new(),
    };
    search
        .take(file.map(Rc::new), &path, &mut found)
        .map_err(|error| wrong(&error))?;
    found
        .ways
        .iter_mut()
        .for_each(|way| way.top_is_named = set == Some(TOP));
    Ok(found)
}

struct Search<'a> {
    program: &'a str,
    set: Option<&'a str>,
    /// Is each set asked for?
    all: bool,
    env: &'a Env,
}

impl Search<'_> {
    fn usage(&self) -> Usage<'_> {
        let sets = match self.set {
            Some(name) => Sets::One(name),
            None if self.all => Sets::All,
            None => Sets::Top,
        };
        let program = self.program;
        Usage { program, sets }
    }

    /// A file that a person named. It may be missing where the set does not.
    fn named(&self, path: &Path) -> Result<Option<File>, Failure> {
        let file = File::read(path, self.usage());
        let file = file.map_err(|error| Failure::Usage(Chain(&error).to_string()))?;
        let of_set = self.set.and_then(|name| beside(path, name));
        if file.is_none() && of_set.is_none() {
            let text = format!("configuration file {} does not exist", path.display());
            return Err(Failure::Usage(text));
        }
        Ok(file)
    }

    /// The first file that there is, or the first place that has the set.
    fn look(&self) -> Result<(PathBuf, Option<File>), ConfigError> {
        let looked = self.env.config_paths();
        for path in &looked {
            let file = File::read(path, self.usage())?;
            let of_set = self.set.and_then(|name| beside(path, name));
            if file.is_some() || of_set.is_some() {
                return Ok((path.clone(), file));
            }
        }
        let with_sets = looked
            .iter()
            .find(|path| (self.all || self.set.is_some()) && !all_beside(path).is_empty());
        let path = with_sets.or(looked.last()).cloned().unwrap_or_default();
        Ok((path, None))
    }

    /// The top level of a file, and the sets in it and beside it.
    fn take(
        &self,
        file: Option<Rc<File>>,
        path: &Path,
        found: &mut Found,
    ) -> Result<(), ConfigError> {
        let mut top = None;
        if let Some(file) = &file {
            found.files.push(file.path.clone());
            found.names.clone_from(&file.names);
            found.warnings.extend_from_slice(&file.warnings);
            top = Some(Layer {
                file: Rc::clone(file),
                section: file.top.clone(),
                name: None,
            });
        }
        let own: Vec<(String, PathBuf)> = all_beside(path);
        let own_names = own.iter().map(|(name, _)| name.clone());
        found.names.extend(own_names);
        found.names.sort();
        found.names.dedup();
        if let Some(name) = self.set {
            let set = self.one(name, file.as_ref(), path, found)?;
            let Some(set) = set else {
                return Err(self.none(name, path, file.is_some(), found));
            };
            found.ways.push(Way::of(set, top));
            return Ok(());
        }
        found.ways.push(Way {
            top: top.clone(),
            ..Way::default()
        });
        if self.all {
            for name in found.names.clone() {
                if let Some(set) = self.one(&name, file.as_ref(), path, found)? {
                    found.ways.push(Way::of(set, top.clone()));
                }
            }
        }
        Ok(())
    }

    /// A set, from the one place where it is.
    fn one(
        &self,
        name: &str,
        file: Option<&Rc<File>>,
        path: &Path,
        found: &mut Found,
    ) -> Result<Option<Layer>, ConfigError> {
        let in_file = file.filter(|file| file.names.iter().any(|known| known == name));
        let own = beside(path, name);
        let layer = |file: &Rc<File>, section: &Section| Layer {
            file: Rc::clone(file),
            section: section.clone(),
            name: Some(name.to_owned()),
        };
        let own = match (in_file, own) {
            (Some(file), Some(own)) => {
                return Err(ConfigError::Twice {
                    name: name.to_owned(),
                    own,
                    file: file.path.clone(),
                });
            }
            (Some(file), None) => {
                let section = file.sets.get(name);
                return Ok(section.map(|section| layer(file, section)));
            }
            (None, None) => return Ok(None),
            (None, Some(own)) => own,
        };
        let usage = Usage {
            program: self.program,
            sets: Sets::Own,
        };
        match File::read(&own, usage) {
            Ok(Some(file)) => {
                found.files.push(file.path.clone());
                found.warnings.extend_from_slice(&file.warnings);
                let file = Rc::new(file);
                Ok(Some(layer(&file, &file.top)))
            }
            Ok(None) => Ok(None),
            // Of another user: it is reported, and does not keep this one from theirs.
            Err(error @ ConfigError::Unreadable(_)) if self.all => {
                found.warnings.push(Chain(&error).to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn none(&self, name: &str, path: &Path, is_there: bool, found: &Found) -> ConfigError {
        let place = if is_there {
            format!("{} and no file {name}.toml beside it", path.display())
        } else {
            let looked = self.env.config_paths();
            let looked: Vec<_> = looked.iter().map(|p| p.display().to_string()).collect();
            format!("any file (looked for {})", looked.join(", "))
        };
        ConfigError::NoSuchSet {
            name: name.to_owned(),
            place,
            others: found.names.clone(),
        }
    }
}

impl Way {
    /// A table that the set has replaces the one of the top level as a whole.
    fn of(set: Layer, mut top: Option<Layer>) -> Self {
        if let Some(top) = &mut top {
            if set.section.hooks.is_some() {
                top.section.hooks = None;
            }
            if set.section.slave.is_some() {
                top.section.slave = None;
            }
            if set.section.shadow_copies.is_some() {
                top.section.shadow_copies = None;
            }
        }
        Self {
            set: Some(set),
            top,
            top_is_named: false,
        }
    }
}

/// The file beside a configuration file that a set may be in.
fn beside(path: &Path, name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
    let own = path.with_file_name(format!("{name}.toml"));
    (plain && own != path && own.is_file()).then_some(own)
}

/// All files beside `dump.toml` that are sets. What is beside a file of another
/// name is anything.
fn all_beside(path: &Path) -> Vec<(String, PathBuf)> {
    let is_main = path.file_stem().is_some_and(|stem| stem == TOP);
    let folder = path.parent().filter(|_| is_main);
    let folder = folder.map(|dir| {
        if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        }
    });
    let entries = folder.and_then(|dir| fs::read_dir(dir).ok());
    let names = entries.into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let name = name.strip_suffix(".toml")?.to_owned();
        let own = beside(path, &name)?;
        Some((name, own))
    });
    names.collect()
}
