//! `yest`: how a file was yesterday, or at any moment that has a dump.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod act;
mod restore;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory, Parser, ValueHint};
use dumpcli::AgoOptions;
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;
use dumpcli::paging::Color;
use dumpcli::{Advice, Program};
use dumpcli::{Lookup, Lookups};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{Date, DumpId, DumpName, FindError, Location, When};

use act::Act;

const PROGRAM: Program = Program {
    name: "yest",
    version: env!("CARGO_PKG_VERSION"),
    makes: "",
    unlinked: "",
    advice: Advice::COMMON,
};

const EXAMPLES: &str = "\
Examples:
  yest profile                       its name in the newest dump a day old or older
  yest -d7 -h 12 profile             seven days and twelve hours ago
  yest --date yesterday profile      at the end of yesterday
  yest --date 0131 profile           on the last 31 January
  yest --date 3d profile             three days ago
  yest --last profile                its newest version in any dump, even if it
                                     was deleted since
  yest --diff profile                show what has changed since yesterday
  yest --copy profile                restore yesterday's version
  cp \"$(yest -m1 profile)\" old       any program can read a dump
  yest -d1 \"$(yest -d1 profile)\"     a day before that dump

--copy restores a directory exactly: anything added since is deleted, including
files that are excluded from dumps. yest first says how many entries that is and
names some of them (with --force, afterwards). If something is mounted on or
below the path, nothing is replaced.

Exit codes:
  0         done
  1         a path has no such version, or something failed; that path was not
            replaced
  2         wrong usage
  23        --copy: restored, but some attributes or entries could not be, or
            what was replaced could not be removed; each is named
  130, 143  --copy: stopped by SIGINT (130), SIGTERM or SIGHUP (143); a path is
            unchanged unless yest says that it was restored";

/// Find a path in the newest dump not later than a given time: print its name
/// there, show what has changed since, or restore it.
#[derive(Debug, Parser)]
#[command(name = "yest", version, disable_help_flag = true)]
#[command(after_help = EXAMPLES)]
struct Options {
    /// Files, directories or symlinks, in a tree or in a dump; they need not
    /// exist any more
    #[arg(required_unless_present = "print_config", value_name = "PATH")]
    #[arg(value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    ago: AgoOptions,
    #[command(flatten)]
    when: WhenOptions,
    #[command(flatten)]
    acts: Acts,
    #[command(flatten)]
    aside: NoticeOptions,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "When")]
struct WhenOptions {
    /// At the end of a day (today, yesterday, d, dd, mmdd, yymmdd, yyyymmdd,
    /// yyyy-mm-dd), at a time (2026-11-22T23:31, 2026-11-22T23:31:00Z), so long
    /// ago (12h, 3d, 2w, 1y6mo), or in a dump, by its name, path or pin. Without
    /// a year or a month it is the last such day: of a path in a dump, the last
    /// before that dump. A date in the future means the newest dump
    #[arg(long, visible_alias = "at", value_name = "WHEN")]
    #[arg(conflicts_with_all = ["years", "months", "days", "hours"])]
    date: Option<OsString>,
    /// The newest version in any dump, even if the path was deleted since
    #[arg(long, conflicts_with_all = ["years", "months", "days", "hours", "date", "no_check"])]
    last: bool,
    /// Print the name even if it does not exist
    #[arg(short, long, conflicts_with = "act")]
    no_check: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What to do with it")]
#[group(id = "act", multiple = false)]
struct Acts {
    /// Show what has changed since as a unified diff
    #[arg(long)]
    diff: bool,
    /// Restore the path with all its metadata, and missing directories above
    /// it. Restores a directory exactly; anything added since is deleted. Asks
    /// before it replaces anything, and says what would be deleted; without a
    /// terminal, --force is needed
    #[arg(long)]
    copy: bool,
    /// Like --copy, but leave the path alone if it does not differ
    #[arg(long)]
    copy_if_differs: bool,
    /// Run a shell command with the old name and the path as arguments: --exec
    /// 'cmp -l'
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    exec: Option<OsString>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Replace without asking
    #[arg(long)]
    force: bool,
    /// Say what was restored and from where, even if stderr is not a terminal
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// With --diff: also compare files that are not text
    #[arg(short, long, requires = "diff")]
    text: bool,
    /// Use colours in diffs: auto, always or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true
    )]
    color: Color,
    /// Print one JSON object per path
    #[arg(long, conflicts_with = "act")]
    json: bool,
    /// Taken for the sake of old habits: it showed how the answer came about
    #[arg(short = 'D', hide = true)]
    debug: bool,
}

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
