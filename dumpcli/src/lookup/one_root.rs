//! What `yest` and `hist` share: the trees with one dump root, where a relative
//! path starts, and how long ago is meant.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, DurationRound, Local, TimeDelta, Utc};
use clap::Args;
use dumpcore::{
    Ago, BadWhen, Brief, Chain, Date, DumpName, DumpRoot, FindError, LocatedIn, Location,
    Navigator, NotADump, NotAWhen, Stamp, When,
};

use crate::failure::Failure;
use crate::lookup::notices::Notices;
use crate::program::Advice;
use crate::run::advice::{About, explain, no_dumps};

/// The trees with one dump root, and from where relative paths start.
#[derive(Debug)]
pub struct Lookup {
    /// Finds old versions. Its roots are absolute, so that they can be
    /// compared with what a person names, wherever that is.
    pub navigator: Navigator,
    /// The dump root, absolute.
    pub dump: PathBuf,
    /// Where warnings and failures are reported.
    pub aside: Notices,
    /// The working directory.
    pub from: PathBuf,
    /// The same as the shell has it, through symlinks.
    pub(crate) typed_from: PathBuf,
    /// The moment at which the program started.
    pub now: DateTime<Local>,
}

impl Lookup {
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

    /// Is it in the future as a whole?
    #[must_use]
    pub fn is_future(&self, date: &Date) -> bool {
        date.first() > self.minute()
    }

    /// The tree that a path is in.
    ///
    /// # Errors
    /// See [`Navigator::locate`].
    pub fn locate(&self, path: &Path) -> Result<Location, FindError> {
        self.navigator.locate(self.from.join(path))
    }

    /// The same by the names as they are typed, through a symlink: see
    /// [`Navigator::locate_as_typed`].
    pub(crate) fn locate_as_typed(&self, path: &Path) -> Option<Location> {
        self.navigator.locate_as_typed(self.typed_from.join(path))
    }

    /// Why there is no answer from a dump root that has no dump; `None` when it
    /// has one.
    #[must_use]
    pub fn no_dumps(&self) -> Option<Failure> {
        let about = About {
            advice: Advice::COMMON,
            read: &[],
            dump: &self.dump,
            origins: &[],
        };
        let error = no_dumps(&self.dump)?;
        Some(explain(Failure::from(error), about))
    }

    /// Why there is no answer. A dump that is named as an older one while its
    /// name is in the future needs a word: it was made in another zone.
    #[must_use]
    pub fn failure(&self, error: &FindError) -> Failure {
        self.failure_with(error, &Hints::YEST)
    }

    /// The same with hints in the words of another program.
    #[must_use]
    pub fn failure_with(&self, error: &FindError, hints: &Hints) -> Failure {
        let none = matches!(
            error,
            FindError::NoneThen { oldest: None, .. } | FindError::Never { dumps: 0, .. }
        );
        if let Some(failure) = none.then(|| self.no_dumps()).flatten() {
            return failure;
        }
        let mut text = Chain(error).to_string();
        if let FindError::NoneThen {
            oldest: Some(_), ..
        } = error
        {
            text.push_str(hints.too_old);
        }
        if let FindError::NotThere { older, .. } = error
            && let Some(Ok(place)) = older.as_ref().map(|path| self.locate(path))
            && let LocatedIn::Dump(dump) = place.located_in
            && dump.stamp > self.minute()
        {
            let made = self.moment(dump).format("%Y-%m-%dT%H:%M");
            let why = format!(", made at {made} by this clock, though its name lies in the future");
            text.push_str(&why);
        }
        // Found by looking for it, it is not a guess.
        if let FindError::NotThere {
            within,
            older: None,
            ..
        } = error
            && let Ok(newer) = self.navigator.newest_of(within)
        {
            let newer = Brief::path(&newer.path).to_string();
            text.push_str(&format!("; a later one has it{}: {newer}", hints.later));
        }
        Failure::Failed(text)
    }

    /// A moment as typed: a date, how long ago, or a dump. What a date leaves out
    /// is taken from the day of the place: today, or the day of the dump it is
    /// in.
    ///
    /// # Errors
    /// [`Failure::Usage`] when it names no moment, [`Failure::Failed`] when it
    /// names a dump that is not there.
    pub fn when(&self, text: &OsStr, place: &Location) -> Result<When, Failure> {
        let today = match place.located_in {
            LocatedIn::Main(_) => self.now.date_naive(),
            LocatedIn::Dump(dump) => self.moment(dump).date_naive(),
        };
        let root = DumpRoot::open(&self.dump)?;
        let bad = match root.when(text, today, &Local) {
            Ok(when) => return Ok(when),
            Err(bad) => bad,
        };
        // Also a path that leads into a dump by a symlink, or is gone.
        if let NotAWhen::Bad(BadWhen::Form { .. }) = bad
            && let Ok(found) = self.locate(Path::new(text))
            && let LocatedIn::Dump(dump) = found.located_in
        {
            return Ok(When::Dump(dump.into()));
        }
        Err(no_moment(&bad))
    }

    /// So long before now, or before the dump that the place is in. Seconds
    /// do not count: what was made in that minute is not later.
    ///
    /// # Errors
    /// [`Failure::Usage`] when that is before the calendar.
    pub fn ago(&self, ago: Ago, place: &Location) -> Result<DateTime<Utc>, Failure> {
        let found = match place.located_in {
            LocatedIn::Main(_) => ago.before(&self.now),
            LocatedIn::Dump(dump) => ago.before(&self.moment(dump)),
        };
        found.map(end_of_minute).ok_or_else(|| {
            Failure::Usage(
                "-y, -m, -d and -h together lead back before the year 0: give less".to_owned(),
            )
        })
    }
}

/// What a program adds to an error, in its own options.
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    /// After a moment before the oldest dump.
    pub too_old: &'static str,
    /// Before the path of a later version.
    pub later: &'static str,
}

impl Hints {
    /// Those of `yest`.
    pub const YEST: Self = Self {
        too_old: " (see --last, or -h 0)",
        later: ", see --last",
    };
}

/// What names no moment is wrong usage; a dump that is not there is not.
#[must_use]
pub fn no_moment(bad: &NotAWhen) -> Failure {
    let text = Chain(bad).to_string();
    match bad {
        NotAWhen::Dump(NotADump::Missing { .. } | NotADump::Unreadable(_)) => Failure::Failed(text),
        _ => Failure::Usage(text),
    }
}

/// The last nanosecond of the minute that a moment is in.
fn end_of_minute(moment: DateTime<Utc>) -> DateTime<Utc> {
    let minute = moment.duration_trunc(TimeDelta::minutes(1));
    let rest = TimeDelta::minutes(1) - TimeDelta::nanoseconds(1);
    minute.map_or(moment, |minute| minute + rest)
}

/// A path as it is found from anywhere. The working directory leads through no
/// symlink, so that `..` at the start goes up from there by name; whatever
/// else the path holds stays.
pub(crate) fn rooted(from: &Path, path: &Path) -> PathBuf {
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

/// How long ago, as options of `yest`.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "When")]
pub struct AgoOptions {
    /// Number of years ago
    #[arg(
        short,
        long,
        value_name = "N",
        overrides_with = "years",
        allow_negative_numbers = true,
        value_parser = number
    )]
    pub years: Option<u32>,
    /// Number of months ago
    #[arg(
        short,
        long,
        value_name = "N",
        overrides_with = "months",
        allow_negative_numbers = true,
        value_parser = number
    )]
    pub months: Option<u32>,
    /// Number of days ago [default: 1, if no other time is given]
    #[arg(
        short,
        long,
        value_name = "N",
        overrides_with = "days",
        allow_negative_numbers = true,
        value_parser = number
    )]
    pub days: Option<u32>,
    /// Number of hours ago
    #[arg(
        short = 'h',
        long,
        value_name = "N",
        overrides_with = "hours",
        allow_negative_numbers = true,
        value_parser = number
    )]
    pub hours: Option<u32>,
}

fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("give a whole number from 0 to {}", u32::MAX))
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
            ..Ago::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
