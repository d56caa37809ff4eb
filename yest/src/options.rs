//! The definition of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, ValueHint};
use dumpcli::notices::NoticeOptions;
use dumpcli::options::Places;
use dumpcli::paging::Color;
use dumpcli::{Advice, AgoOptions, Program};

pub(crate) const PROGRAM: Program = Program {
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
below the path, or if a partial dump would delete something, nothing is
replaced; nor by a file that is not what was stored, by its recorded hash.

Exit codes:
  0         done; or the answer was no
  1         a path has no such version, or something failed; that path was not
            replaced
  2         wrong usage
  23        --copy: restored, but some attributes or entries could not be, or are
            damaged, or what was replaced could not be removed; each is named
  130, 143  --copy: stopped by SIGINT (130), SIGTERM or SIGHUP (143); a path is
            unchanged unless yest says that it was restored";

/// Find a path in the newest dump not later than a given time: print its name
/// there, show what has changed since, or restore it.
#[derive(Debug, Parser)]
#[command(name = "yest", version, disable_help_flag = true)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Files, directories or symlinks, in a tree or in a dump; they need not
    /// exist any more
    #[arg(required_unless_present = "print_config", value_name = "PATH")]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,
    #[command(flatten)]
    pub(crate) places: Places,
    #[command(flatten)]
    pub(crate) ago: AgoOptions,
    #[command(flatten)]
    pub(crate) when: WhenOptions,
    #[command(flatten)]
    pub(crate) acts: Acts,
    #[command(flatten)]
    pub(crate) aside: NoticeOptions,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "When")]
pub(crate) struct WhenOptions {
    /// At the end of a day (today, yesterday, d, dd, mmdd, yymmdd, yyyymmdd,
    /// yyyy-mm-dd), at a time (2026-11-22T23:31, 2026-11-22T23:31:00Z), so long
    /// ago (12h, 3d, 2w, 1y6mo), or in a dump, by its name, path or pin. Without
    /// a year or a month it is the last such day: of a path in a dump, the last
    /// before that dump. A date in the future means the newest dump
    #[arg(long, visible_alias = "at", value_name = "WHEN")]
    #[arg(conflicts_with_all = ["years", "months", "days", "hours"])]
    pub(crate) date: Option<OsString>,
    /// The newest version in any dump, even if the path was deleted since
    #[arg(long, conflicts_with_all = ["years", "months", "days", "hours", "date", "no_check"])]
    pub(crate) last: bool,
    /// Print the name even if it does not exist
    #[arg(short, long, conflicts_with = "act")]
    pub(crate) no_check: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What to do with it")]
#[group(id = "act", multiple = false)]
pub(crate) struct Acts {
    /// Show what has changed since as a unified diff
    #[arg(long)]
    pub(crate) diff: bool,
    /// Restore the path with all its metadata, and missing directories above
    /// it. Restores a directory exactly; anything added since is deleted. Asks
    /// before it replaces anything, and says what would be deleted; without a
    /// terminal, --force is needed
    #[arg(long)]
    pub(crate) copy: bool,
    /// Like --copy, but leave the path alone if it does not differ
    #[arg(long)]
    pub(crate) copy_if_differs: bool,
    /// Run a shell command with the old name and the path as arguments: --exec
    /// 'cmp -l'
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub(crate) exec: Option<OsString>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Replace without asking
    #[arg(long)]
    pub(crate) force: bool,
    /// Say what was restored and from where, even if stderr is not a terminal
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// With --diff: also compare files that are not text
    #[arg(short, long, requires = "diff")]
    pub(crate) text: bool,
    /// Use colours in diffs: auto, always or never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true
    )]
    pub(crate) color: Color,
    /// Print one JSON object per path
    #[arg(long, conflicts_with = "act")]
    pub(crate) json: bool,
    /// Taken for the sake of old habits: it showed how the answer came about
    #[arg(short = 'D', hide = true)]
    pub(crate) debug: bool,
}
