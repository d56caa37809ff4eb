//! `yest`: how a file was yesterday, or at any moment that has a dump.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod act;
mod options;
mod restore;

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{Lookup, Lookups};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{Date, DumpId, DumpName, FindError, Location, When};

use act::Act;
use options::{Options, PROGRAM};

/// The definition of the command line.
#[must_use]
pub fn command() -> clap::Command {
    Options::command()
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    command_line::main(PROGRAM, run)
}

fn run(options: &Options) -> Result<Exit, Failure> {
    let verbose = options.output.verbose > 0;
    let Some(grounds) = Lookups::find(PROGRAM, &options.places, options.aside, verbose)? else {
        return Ok(Exit::Done);
    };
    let mut act = Act::of(options);
    let mut exit = Exit::Done;
    let mut future = None;
    for path in &options.paths {
        match one(options, &grounds, path, &mut act, &mut future) {
            Ok(Exit::Done) => {}
            Ok(stopped @ Exit::Stopped(_)) => {
                exit = stopped;
                break;
            }
            // A failure is the worse of the two.
            Ok(partial) if exit == Exit::Done => exit = partial,
            Ok(_) => {}
            Err(usage @ Failure::Usage(_)) => return Err(usage),
            Err(failure) => {
                exit = Exit::Failed;
                act.none(&grounds.absolute(path), &failure)?;
                grounds.aside.failure(&failure.to_string());
            }
        }
    }
    act.finish()?;
    Ok(exit)
}

/// Looks for one path and does with it what was asked for. `future` is the
/// date in the future that was told of.
fn one(
    options: &Options,
    grounds: &Lookups,
    path: &Path,
    act: &mut Act,
    future: &mut Option<Date>,
) -> Result<Exit, Failure> {
    let (ground, place) = grounds.locate(path)?;
    if options.when.last {
        let found = grounds.find_typed(path, (ground, place), |ground, place| {
            ground.navigator.newest_version(place)
        });
        let (ground, place, old) = found.map_err(|error| ground.failure(&error))?;
        return act.run(ground, path, &place, &old);
    }
    let failed = |error: FindError| ground.failure(&error);
    let when = match &options.when.date {
        Some(text) => ground.when(text, &place)?,
        None => When::Ago(options.ago.ago()),
    };
    let at = Moment::of(when, ground, &place).map_err(|failure| match &options.when.date {
        Some(text) if matches!(when, When::Ago(_)) => {
            let text = text.to_string_lossy();
            Failure::Usage(format!("'{text}' leads back before the year 0: give less"))
        }
        _ => failure,
    })?;
    let mut warn = || {
        if let When::Date(date) = when
            && ground.is_future(&date)
            && future.replace(date) != Some(date)
        {
            let text = format!("{date} is in the future; this is the newest dump");
            ground.aside.warning(&text);
        }
    };
    if options.when.no_check {
        let dump = at.dump(ground, &place).map_err(failed)?;
        warn();
        let old = ground.navigator.path_in(dump, &place);
        return act.name(ground, path, &old, dump).map(|()| Exit::Done);
    }
    let found = grounds.find_typed(path, (ground, place), |ground, place| {
        ground.navigator.version_in(place, at.dump(ground, place)?)
    });
    let (ground, place, old) = found.map_err(failed)?;
    warn();
    act.run(ground, path, &place, &old)
}

/// What decides which dump is meant.
#[derive(Clone, Copy)]
enum Moment {
    /// It is named.
    In(DumpName),
    /// The newest not later than this.
    Until(DateTime<Utc>),
}

impl Moment {
    fn of(when: When, ground: &Lookup, place: &Location) -> Result<Self, Failure> {
        Ok(match when {
            When::Dump(DumpId::Dump(name)) => Self::In(name),
            When::Date(date) => Self::Until(date.last().last_moment()),
            When::Ago(ago) => Self::Until(ground.ago(ago, place)?),
            _ => {
                let text = "only a published dump counts here; use the path in it";
                return Err(Failure::Usage(text.to_owned()));
            }
        })
    }

    fn dump(self, ground: &Lookup, place: &Location) -> Result<DumpName, FindError> {
        match self {
            Self::In(name) => Ok(name),
            Self::Until(at) => ground.navigator.dump_at(place, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn all_ways_to_write_a_number_work() {
        for args in [
            ["-d1", "-h=2", "-m3", "x"].as_slice(),
            &["-d", "1", "-h", "2", "-m", "3", "x"],
            &["-d=9", "-d=1", "--hours", "2", "--months=3", "x"],
        ] {
            let args = std::iter::once(&"yest").chain(args);
            let ago = Options::try_parse_from(args).expect("valid").ago.ago();
            assert_eq!((ago.years, ago.months, ago.days, ago.hours), (0, 3, 1, 2));
        }
    }
}
