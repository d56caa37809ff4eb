//! What `yest` and `hist` share: the roots in force, where a relative path
//! starts, and how long ago is meant.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, DurationRound as _, Local, TimeDelta, Utc};
use clap::Args;
use dumpcore::{
    Ago, Brief, Date, DumpName, Error, FindError, LocatedIn, Location, Navigator, Root, Stamp,
};

use crate::Program;
use crate::advice::{About, Origin};
use crate::exit::Failure;
use crate::notices::{NoticeOptions, Notices};
use crate::options::Places;
use crate::print_config::Listing;
use crate::settings::{Sources, Value};

/// The roots in force, and from where relative paths start.
#[derive(Debug)]
pub struct Lookup {
    /// Finds old versions. Its roots are absolute, so that they can be
    /// compared with what a person names, wherever that is.
    pub navigator: Navigator,
    /// The dump root, absolute.
    pub dump: PathBuf,
    /// Where warnings and failures are told.
    pub aside: Notices,
    /// The working directory.
    pub from: PathBuf,
    /// The same as the shell has it, through symlinks.
    typed_from: PathBuf,
    /// The moment at which the program started.
    pub now: DateTime<Local>,
}

/// The keys of the configuration that count here.
struct Settings {
    main: Value<Vec<PathBuf>>,
    dump: Value<PathBuf>,
    root_name: Option<Value<OsString>>,
}

impl Lookup {
    /// From options, environment and configuration. `None` when these were
    /// only to be printed. `verbose`: what is done is told as well.
    ///
    /// # Errors
    /// A configuration that is wrong, and a dump root that is not there.
    pub fn find(
        program: Program,
        places: &Places,
        aside: NoticeOptions,
        verbose: bool,
    ) -> Result<Option<Self>, Failure> {
        let sources = Sources::load(places)?;
        let main = sources.main(places);
        let settings = Settings {
            root_name: sources.root_name(None, &main),
            main,
            dump: sources.dump(places),
        };
        if places.print_config {
            let listing = Listing::new(program, &sources);
            crate::screen::print(&settings.listed(listing))?;
            return Ok(None);
        }
        settings.has_dumps(program)?;
        let (from, typed_from) = working_directory();
        Ok(Some(Self {
            typed_from,
            navigator: settings.navigator(&from),
            dump: rooted(&from, &settings.dump.value),
            aside: Notices::open(program, &sources, aside, verbose),
            from,
            now: Local::now(),
        }))
    }

    /// The minute that it is.
    #[must_use]
    pub fn minute(&self) -> Stamp {
        Stamp::of(&self.now)
    }

    /// When a dump was made, on this clock.
    #[must_use]
    pub fn moment(&self, dump: DumpName) -> DateTime<Local> {
        let moment = self.navigator.listing().moment(dump);
        moment.with_timezone(&Local)
    }

    /// A path for machines.
    #[must_use]
    pub fn absolute(&self, path: &Path) -> PathBuf {
        rooted(&self.from, path)
    }

    /// Does it lie in the future as a whole?
    #[must_use]
    pub fn is_future(&self, date: &Date) -> bool {
        date.first() > self.minute()
    }

    /// The tree that a path lies in. When it lies in none, but did before a
    /// symlink took the place of a directory, that is told.
    ///
    /// # Errors
    /// See [`Navigator::locate`].
    pub fn locate(&self, path: &Path) -> Result<Location, FindError> {
        let found = match self.navigator.locate(&self.from, path) {
            Err(error @ FindError::InNeither { .. }) => {
                let typed = self.navigator.locate_as_typed(&self.typed_from, path);
                typed.ok_or(error)
            }
            found => found,
        };
        found.inspect(|place| self.tell_typed(place))
    }

    /// What is found of a place, or else of the path as it was typed, when that
    /// leads through a symlink to this place: there it lay before the symlink
    /// was. That is told.
    ///
    /// # Errors
    /// What `find` has against the place.
    pub fn find_typed<T, E>(
        &self,
        path: &Path,
        place: &Location,
        find: impl Fn(&Location) -> Result<T, E>,
    ) -> Result<(Location, T), E> {
        let error = match find(place) {
            Ok(found) => return Ok((place.clone(), found)),
            Err(error) => error,
        };
        let typed = self.navigator.locate_as_typed(&self.typed_from, path);
        let found = typed.filter(|typed| typed.within != place.within);
        let found = found.and_then(|typed| find(&typed).ok().map(|found| (typed, found)));
        match found {
            Some((typed, found)) => {
                self.tell_typed(&typed);
                Ok((typed, found))
            }
            None => Err(error),
        }
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

    /// Why there is no answer. A dump that is named as an older one while its
    /// name lies in the future needs a word: it was made in another zone.
    #[must_use]
    pub fn failure(&self, error: &FindError) -> Failure {
        let mut text = error.to_string();
        if let FindError::NotThere { older, .. } = error
            && let Some(Ok(place)) = older.as_ref().map(|path| self.locate(path))
            && let LocatedIn::Dump(dump) = place.located_in
            && dump.stamp > self.minute()
        {
            let made = self.moment(dump).format("%Y-%m-%dT%H:%M");
            let why = format!(", made at {made} by this clock, though its name lies in the future");
            text.push_str(&why);
        }
        Failure::Failed(text)
    }

    /// A date as typed, where what is missing is taken from the day of the
    /// place: today, or the day of the dump it lies in.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it is no date.
    pub fn date(&self, text: &str, place: &Location) -> Result<Date, Failure> {
        let today = match place.located_in {
            LocatedIn::Main(_) => self.now.date_naive(),
            LocatedIn::Dump(dump) => self.moment(dump).date_naive(),
        };
        Date::parse(text, today, &Local).map_err(|bad| Failure::Usage(bad.to_string()))
    }

    /// So long before now, or before the dump that the place lies in. Seconds
    /// do not count: what was made in that minute is not later.
    ///
    /// # Errors
    /// [`Failure::Usage`] when that is before the calendar.
    pub fn ago(&self, ago: Ago, place: &Location) -> Result<DateTime<Utc>, Failure> {
        let found = match place.located_in {
            LocatedIn::Main(_) => ago.before(&self.now),
            LocatedIn::Dump(dump) => ago.before(&self.moment(dump)),
        };
        found
            .map(end_of_minute)
            .ok_or_else(|| Failure::Usage("that is before the year 0".to_owned()))
    }
}

/// The last nanosecond of the minute that a moment lies in.
fn end_of_minute(moment: DateTime<Utc>) -> DateTime<Utc> {
    let minute = moment.duration_trunc(TimeDelta::minutes(1));
    let rest = TimeDelta::minutes(1) - TimeDelta::nanoseconds(1);
    minute.map_or(moment, |minute| minute + rest)
}

impl Settings {
    /// A dump root that is not there is told here, with who named it: later it
    /// would only be one more directory that cannot be listed.
    fn has_dumps(&self, program: Program) -> Result<(), Failure> {
        let path = &self.dump.value;
        match path.metadata() {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let path = path.clone();
                let failure = Failure::from(Error::DumpUnusable { path, cause });
                Err(failure.explained(About {
                    program: program.name,
                    read: &[],
                    dump: &self.dump.value,
                    origins: &[Origin::of("--dump", &self.dump)],
                }))
            }
            _ => Ok(()),
        }
    }

    fn navigator(&self, from: &Path) -> Navigator {
        let mut navigator = Navigator::new(rooted(from, &self.dump.value));
        // A name of its own is for one tree.
        let one = self.main.value.len() == 1;
        for path in &self.main.value {
            let name = self.root_name.as_ref().filter(|_| one);
            navigator = navigator.root(Root {
                path: rooted(from, path),
                name: name.map(|name| name.value.clone()),
            });
        }
        navigator
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

/// A path as it is found from anywhere. The working directory leads through no
/// symlink, so that `..` at the start goes up from there by name; whatever
/// else the path holds stays.
fn rooted(from: &Path, path: &Path) -> PathBuf {
    let mut whole = from.to_path_buf();
    let mut names = path.components().peekable();
    while let Some(Component::ParentDir | Component::CurDir) = names.peek() {
        if names.next() == Some(Component::ParentDir) {
            whole.pop();
        }
    }
    whole.extend(names);
    whole
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

/// How long ago, as options of `yest`.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "When")]
pub struct AgoOptions {
    /// So many years ago
    #[arg(short, long, value_name = "N", overrides_with = "years")]
    pub years: Option<u32>,
    /// So many months ago
    #[arg(short, long, value_name = "N", overrides_with = "months")]
    pub months: Option<u32>,
    /// So many days ago [default: 1, when nothing else is said]
    #[arg(short, long, value_name = "N", overrides_with = "days")]
    pub days: Option<u32>,
    /// So many hours ago
    #[arg(short = 'h', long, value_name = "N", overrides_with = "hours")]
    pub hours: Option<u32>,
}

impl AgoOptions {
    /// What they say together; yesterday when none was given.
    #[must_use]
    pub fn ago(self) -> Ago {
        let given = [self.years, self.months, self.days, self.hours];
        if given.iter().all(Option::is_none) {
            return Ago::YESTERDAY;
        }
        let [years, months, days, hours] = given.map(Option::unwrap_or_default);
        Ago {
            years,
            months,
            days,
            hours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            doing: "looking",
            unlinked: "",
        };
        let mut places = Places {
            config: Some(config.path().to_owned()),
            dump: Some(dir.path().join("gone")),
            ..Places::default()
        };
        let failure =
            Lookup::find(program, &places, NoticeOptions::default(), false).expect_err("refused");
        let said = failure.to_string();
        for words in [
            "gone cannot be opened",
            "(named by --dump)",
            "'dumpme --init'",
        ] {
            assert!(said.contains(words), "{said}");
        }
        places.dump = Some(dir.path().to_owned());
        assert!(Lookup::find(program, &places, NoticeOptions::default(), false).is_ok());
    }

    #[test]
    fn a_path_is_found_from_anywhere() {
        for (path, expected) in [
            ("/a/../b", "/a/../b"),
            ("/a/", "/a"),
            ("", "/x/y"),
            (".", "/x/y"),
            ("./a", "/x/y/a"),
            ("..", "/x"),
            ("../a/../b", "/x/a/../b"),
            ("../../../../a", "/a"),
        ] {
            let found = rooted(Path::new("/x/y"), Path::new(path));
            assert_eq!(found.as_os_str(), expected, "{path}");
        }
    }
}
