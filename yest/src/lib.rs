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
use dumpcli::Lookups;
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;
use dumpcli::paging::Color;
use dumpcli::{Advice, Program};
use dumpcore::Date;

use act::Act;

const PROGRAM: Program = Program {
    name: "yest",
    version: env!("CARGO_PKG_VERSION"),
    doing: "looking",
    unlinked: "",
    advice: Advice::COMMON,
};

const EXAMPLES: &str = "\
Examples:
  yest profile                       its name in the last dump of yesterday or before
  yest -d7 -h 12 profile             seven days and twelve hours ago
  yest --date yesterday profile      at the end of yesterday
  yest --date 0131 profile           on 31 January of this year
  yest --last profile                the newest that any dump has, also of
                                     what was deleted since
  yest --diff profile                what has changed since yesterday
  yest --copy profile                bring yesterday's back
  cp \"$(yest -m1 profile)\" old       any program can read a dump
  yest -d1 \"$(yest -d1 profile)\"     a day before that dump

With --copy a directory becomes as it was: what it has gained since goes, also
what no dump has because it is excluded. Before it is replaced, yest says how
many entries that are and names the first; with --force it says so afterwards.
Where something is mounted on or below the path, nothing is replaced.

Exit codes:
  0         done
  1         a path has no such version, or something failed: nothing was
            replaced there
  2         wrong usage
  23        --copy: restored, but some attributes or entries could not be, or
            what was replaced could not be removed: each is named
  130, 143  --copy: stopped by SIGINT; by SIGTERM or SIGHUP: what was there is
            as it was, unless it is said to be restored";

/// Print a path's name in the newest dump not later than a moment in the
/// past; or show what changed since, or restore it.
#[derive(Debug, Parser)]
#[command(name = "yest", version, max_term_width = 100, disable_help_flag = true)]
#[command(after_help = EXAMPLES)]
struct Options {
    /// Files, directories or symlinks, in a main tree or in a dump; they need
    /// not exist any more
    #[arg(required_unless_present = "print_config", value_name = "PATH")]
    #[arg(value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    ago: AgoOptions,
    #[command(flatten)]
    when: When,
    #[command(flatten)]
    acts: Acts,
    #[command(flatten)]
    aside: NoticeOptions,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "When")]
struct When {
    /// At the end of a day (today, yesterday, d or dd of this month, mmdd of
    /// this year, yymmdd, yyyymmdd, yyyy-mm-dd), or at a moment (2026-11-22T23:31,
    /// 2026-11-22T23:31:00Z); of a path in a dump, d, dd and mmdd are of that
    /// dump's month and year. In the future it means the newest dump
    #[arg(long, value_name = "DATE", conflicts_with_all = ["years", "months", "days", "hours"])]
    date: Option<String>,
    /// The newest version that any dump has, also if it was deleted since
    #[arg(long, conflicts_with_all = ["years", "months", "days", "hours", "date", "no_check"])]
    last: bool,
    /// Print the name even if there is nothing of that name
    #[arg(short, long, conflicts_with = "act")]
    no_check: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What to do with it")]
#[group(id = "act", multiple = false)]
struct Acts {
    /// Show what has changed since, as a unified diff
    #[arg(long)]
    diff: bool,
    /// Restore it over the path, with all its metadata and the directories
    /// above it that are gone. A directory becomes as it was: what it has
    /// gained since goes. Asks before it replaces something, and says what
    /// would go: without a terminal that takes --force
    #[arg(long)]
    copy: bool,
    /// The same, but only where it differs
    #[arg(long)]
    copy_if_differs: bool,
    /// Run a shell command on the old name and the path: --exec 'cmp -l'
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    exec: Option<OsString>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct Output {
    /// Replace what is there without asking
    #[arg(long)]
    force: bool,
    /// Say what was restored, and from where, also where no terminal is
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// With --diff: also of what is not text
    #[arg(short, long, requires = "diff")]
    text: bool,
    /// Colours in diffs
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    color: Color,
    /// Print one JSON object a path
    #[arg(long, conflicts_with = "act")]
    json: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
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
    let failed = |error: dumpcore::FindError| ground.failure(&error);
    let date = match &options.when.date {
        Some(text) => Some(ground.date(text, &place)?),
        None => None,
    };
    let at = match date {
        Some(date) => date.last().last_moment(),
        None => ground.ago(options.ago.ago(), &place)?,
    };
    let mut warn = || {
        if let Some(date) = date.filter(|date| ground.is_future(date))
            && future.replace(date) != Some(date)
        {
            let text = format!("{date} is in the future; this is the newest dump");
            ground.aside.warning(&text);
        }
    };
    if options.when.no_check {
        let dump = ground.navigator.dump_at(&place, at).map_err(failed)?;
        warn();
        let old = ground.navigator.path_in(dump, &place);
        return act.name(ground, path, &old, dump).map(|()| Exit::Done);
    }
    let found = grounds.find_typed(path, (ground, place), |ground, place| {
        ground.navigator.version_at(place, at)
    });
    let (ground, place, old) = found.map_err(failed)?;
    warn();
    act.run(ground, path, &place, &old)
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
