//! `hist`: the history of a file, directory or symlink through its dumps.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod changes;
mod columns;
mod object;
mod plain;
mod tell;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{ArgAction, Args, CommandFactory, Parser, ValueHint};
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;
use dumpcli::paging::{Color, Out};
use dumpcli::{Advice, Program};
use dumpcli::{Lookup, Lookups};
use dumpcore::{Brief, Chain, Changes, History, Keep, LocatedIn, Location, Printable, When};

use tell::Teller;

const PROGRAM: Program = Program {
    name: "hist",
    version: env!("CARGO_PKG_VERSION"),
    makes: "",
    unlinked: "",
    advice: Advice::COMMON,
};

const EXAMPLES: &str = "\
Examples:
  hist profile                   all versions, with what changed
  hist -c -d profile             one line for the last version of each day
  hist -s 0101 profile           since the last 1 January
  hist --with-main profile       up to the current version
  hist --follow profile          also under earlier names

Each line has: the event, a tab, the path in the dump, size in bytes, mode in
octal, modification time, and the type: f for a file, d for a directory, l for a
symlink (p for a FIFO, s for a socket, c and b for devices). Some lines end with
another tab and a remark. A #write of a text file or symlink is followed by what
changed; with -v, a directory by its listing.

On a terminal the lines are columns with short local times, followed by what a
#wstat changed and which names a directory gained and lost (-c leaves that out).
Output that does not fit the screen goes through $PAGER, or less.

Events:
  #create  it exists, and did not in the dump before
  #write   its content changed: bytes of a file, names in a directory, target
           of a symlink; or its type
  #wstat   its mode, owner, modification time, ACL or attributes changed, and
           its content did not
  #delete  it no longer exists; the rest of the line is its last version
  #rename  it had another name in the dump before (--follow)
  #same    unchanged: the tree has what the last dump has (--with-main)

Remarks:
  not in PATH  for #delete: the first dump without it, or its path in the tree
  from PATH    for #rename: its name in the dump before
  main         the line is about the current version in the tree (--with-main)

Exit codes:
  0  done
  1  no dump has the path, or something failed
  2  wrong usage";

/// Print the history of a file, directory or symlink through all dumps, oldest
/// first, with a diff for each change of a text file.
#[derive(Debug, Parser)]
#[command(name = "hist", version, disable_help_flag = true)]
#[command(after_help = EXAMPLES)]
struct Options {
    /// A path in a tree, or in a dump (its history then ends there); it need
    /// not exist any more
    #[arg(required_unless_present = "print_config", value_name = "PATH")]
    #[arg(value_hint = ValueHint::AnyPath)]
    path: Option<PathBuf>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    aside: NoticeOptions,
    #[command(flatten)]
    output: Output,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Which versions")]
struct Choice {
    /// Only the last version of each year
    #[arg(short = 'y', long, group = "every")]
    yearly: bool,
    /// Only the last version of each month
    #[arg(short = 'm', long, group = "every")]
    monthly: bool,
    /// Only the last version of each day
    #[arg(short = 'd', long, group = "every")]
    daily: bool,
    /// Only the last version of each hour
    #[arg(short = 'h', long, group = "every")]
    hourly: bool,
    /// Start at this dump (its name, path or pin), at a date (today, yesterday,
    /// d, dd, mmdd, yymmdd, yyyymmdd, yyyy-mm-dd, 2026-11-22T23:31), or so long
    /// ago (12h, 3d, 2w, 1y6mo). Without a year or a month it is the last such
    /// day: for a path in a dump, the last before that dump
    #[arg(short, long, value_name = "WHEN")]
    since: Option<OsString>,
    /// Include the current version in the tree, marked as such
    #[arg(long)]
    with_main: bool,
    /// Follow renames: when the path first appears, look in the dump before
    /// for the name it had, and continue there. That is a name of the same
    /// inode, or one that has disappeared and has the same type, size,
    /// modification time and contents (for a directory: names in it). A path
    /// that was also changed, or for which there are two candidates, is not
    /// found. Lists both dumps completely each time
    #[arg(long)]
    follow: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct Output {
    /// List the contents of directories; with --json as `names`
    #[arg(short, long)]
    verbose: bool,
    /// Print no diffs, and on a terminal not what changed: one line per event
    #[arg(short = 'c', long)]
    no_diff: bool,
    /// Print diffs also of files that are not text
    #[arg(short = 't', long)]
    text: bool,
    /// Use colours: auto, always or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true
    )]
    color: Color,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Taken for the sake of old habits: it showed how the answer came about
    #[arg(short = 'D', hide = true)]
    debug: bool,
}

impl Choice {
    fn every(&self) -> Option<Keep> {
        [
            (self.yearly, Keep::Year),
            (self.monthly, Keep::Month),
            (self.daily, Keep::Day),
            (self.hourly, Keep::Hour),
        ]
        .into_iter()
        .find_map(|(given, every)| given.then_some(every))
    }
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
    let grounds = Lookups::find(PROGRAM, &options.places, options.aside, false)?;
    let (Some(grounds), Some(path)) = (grounds, &options.path) else {
        return Ok(Exit::Done);
    };
    tell(options, &grounds, path).or_else(|failure| match failure {
        Failure::Usage(_) => Err(failure),
        failure => {
            grounds.aside.failure(&failure.to_string());
            Ok(Exit::Failed)
        }
    })
}

fn tell(options: &Options, grounds: &Lookups, path: &Path) -> Result<Exit, Failure> {
    let (ground, place) = grounds.locate(path)?;
    let found = grounds.find_typed(path, (ground, place.clone()), |ground, place| {
        past(options, ground, place)
    });
    let past = match found {
        Ok((_, _, past)) | Err(Nothing::Past(past)) => past,
        Err(Nothing::Failure(failure)) => return Err(failure),
    };

    let mut out = Out::open();
    let mut teller = Teller::new(&options.output, &mut out);
    let told = teller.tell_all(&past.events);
    let faults = teller.faults();
    out.close()
        .map_err(|error| Failure::Failed(Chain(&error).to_string()))?;
    told?;

    let mut exit = Exit::Done;
    for fault in past.faults.iter().chain(&faults) {
        ground.aside.failure(&Chain(fault).to_string());
        exit = Exit::Failed;
    }
    if past.events.is_empty() && exit == Exit::Done {
        if let Some(failure) = ground.no_dumps() {
            return Err(failure);
        }
        return Err(Failure::Failed(format!(
            "no dump in {} has {} ({} looked at)",
            Printable::path(&ground.dump),
            Brief(place.within.as_bytes()),
            past.dumps
        )));
    }
    Ok(exit)
}

/// Why there is nothing to be told.
enum Nothing {
    Failure(Failure),
    /// The path has none.
    Past(Changes),
}

fn past(options: &Options, ground: &Lookup, place: &Location) -> Result<Changes, Nothing> {
    let history = history(options, ground, place).map_err(Nothing::Failure)?;
    let past = history.run();
    if past.events.is_empty() {
        return Err(Nothing::Past(past));
    }
    Ok(past)
}

fn history<'a>(
    options: &Options,
    ground: &'a Lookup,
    place: &'a Location,
) -> Result<History<'a>, Failure> {
    let choice = &options.choice;
    let mut history = ground
        .navigator
        .history(place)
        .with_main(choice.with_main)
        .follow(choice.follow);
    if let Some(every) = choice.every() {
        history = history.every(every);
    }
    if let Some(since) = &choice.since
        && let Some(start) = earliest(ground, place, since)?
    {
        history = history.from(start);
    }
    Ok(history)
}

/// When the history begins; `None` with all dumps.
fn earliest(
    ground: &Lookup,
    place: &Location,
    since: &OsStr,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let when = ground.when(since, place)?;
    match (when, &place.located_in) {
        // A dump of the future has a name, and a path in it a history up to it.
        (When::Date(date), LocatedIn::Main(_)) if ground.is_future(&date) => {
            let start = date.first();
            let now = ground.minute();
            let text = format!("the history cannot begin at {start}: it is {now} now");
            Err(Failure::Failed(text))
        }
        (when, LocatedIn::Main(_)) => Ok(when.since(&ground.now, ground.navigator.listing())),
        (when, LocatedIn::Dump(dump)) => {
            Ok(when.since(&ground.moment(*dump), ground.navigator.listing()))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
