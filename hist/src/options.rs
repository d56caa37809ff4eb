//! The definition of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, ValueHint};
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;
use dumpcli::paging::Color;
use dumpcore::Keep;

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

ksh93 has a builtin of this name: there, run `builtin -d hist` once, or type the
path of this program.

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
pub(crate) struct Options {
    /// A path in a tree, or in a dump (its history then ends there); it need
    /// not exist any more
    #[arg(required_unless_present = "print_config", value_name = "PATH")]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: Option<PathBuf>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) aside: NoticeOptions,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Which versions")]
pub(crate) struct Choice {
    /// Only the last version of each year
    #[arg(short = 'y', long, group = "every")]
    pub(crate) yearly: bool,
    /// Only the last version of each month
    #[arg(short = 'm', long, group = "every")]
    pub(crate) monthly: bool,
    /// Only the last version of each day
    #[arg(short = 'd', long, group = "every")]
    pub(crate) daily: bool,
    /// Only the last version of each hour
    #[arg(short = 'h', long, group = "every")]
    pub(crate) hourly: bool,
    /// Start at this dump (its name, path or pin), at a date (today, yesterday,
    /// d, dd, mmdd, yymmdd, yyyymmdd, yyyy-mm-dd, 2026-11-22T23:31), or so long
    /// ago (12h, 3d, 2w, 1y6mo). Without a year or a month it is the last such
    /// day: for a path in a dump, the last before that dump
    #[arg(short, long, value_name = "WHEN")]
    pub(crate) since: Option<OsString>,
    /// Include the current version in the tree, marked as such
    #[arg(long)]
    pub(crate) with_main: bool,
    /// Follow renames: when the path first appears, look in the dump before
    /// for the name it had, and continue there. That is a name of the same
    /// inode, or one that has disappeared and has the same type, size,
    /// modification time and contents (for a directory: names in it). A path
    /// that was also changed, or for which there are two candidates, is not
    /// found. The catalog is asked where there is one; without it both dumps are
    /// listed completely each time
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// List the contents of directories; with --json as `names`
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print no diffs, and on a terminal not what changed: one line per event
    #[arg(short = 'c', long)]
    pub(crate) no_diff: bool,
    /// Print diffs also of files that are not text
    #[arg(short = 't', long)]
    pub(crate) text: bool,
    /// Use colours: auto, always or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true
    )]
    pub(crate) color: Color,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Taken for the sake of old habits: it showed how the answer came about
    #[arg(short = 'D', hide = true)]
    pub(crate) debug: bool,
}

impl Choice {
    pub(crate) fn every(&self) -> Option<Keep> {
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
