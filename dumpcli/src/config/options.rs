//! The options that programs share, as groups for `#[command(flatten)]`.
//!
//! Every option here is absent unless it was given: what holds otherwise is
//! for [`settings`](crate::config::settings) to find out, which also knows the
//! environment and the configuration file.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use dumpcore::Rate;

use crate::config::keys::{LogTarget, Rule};

/// Where the trees and the dumps are, and which configuration applies.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Places")]
pub struct Places {
    /// Tree that is dumped; can be given several times [env: MAINROOT, the first
    /// directory of a colon-separated list that exists] [default:
    /// /newage/NEWAGE]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub main: Vec<PathBuf>,
    /// Dump root: the directory that holds the dumps [env: DUMPROOT, a list
    /// like MAINROOT] [default: /dump]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dump: Option<PathBuf>,
    /// Which configuration applies.
    #[command(flatten)]
    pub configuration: Configuration,
    /// Print the settings in force and where each comes from, then exit
    #[arg(long)]
    pub print_config: bool,
}

/// Which configuration applies.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Places")]
pub struct Configuration {
    /// Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then
    /// /etc/dump/dump.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use a set: [set.NAME] in the configuration file, or the file NAME.toml
    /// beside it; 'dump' is the top level
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
}

/// What is said, and where.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// List what is copied and why, and what is excluded; -vv also lists what
    /// is linked
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print only errors and what needs attention; suits cron mail
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Where to log: auto, journal, syslog or stderr [default: auto: to the
    /// journal when there is one and stderr is not a terminal, else to stderr]
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    pub log: Option<LogTarget>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What is said, and where, by a program of several commands.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Telling {
    /// Also log the start and the end to stderr
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Print only errors and what needs attention; suits cron mail
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Where to log: auto, journal, syslog or stderr [default: auto: to the
    /// journal when there is one and stderr is not a terminal, else to stderr]
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    log: Option<LogTarget>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    /// Whether progress is shown.
    #[command(flatten)]
    pub progress: Progress,
}

impl Telling {
    /// The same without the progress.
    #[must_use]
    pub fn output(&self) -> Output {
        Output {
            verbose: self.verbose,
            quiet: self.quiet,
            log: self.log,
            json: self.json,
        }
    }
}

/// Whether a run's progress is shown.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Progress {
    /// Show progress on stderr [default: when stderr is a terminal]
    #[arg(long, overrides_with = "no_progress")]
    progress: bool,
    /// Show no progress
    #[arg(long, overrides_with = "progress")]
    no_progress: bool,
}

impl Progress {
    /// What was asked for, if anything was.
    #[must_use]
    pub fn wanted(self) -> Option<bool> {
        either(self.progress, self.no_progress)
    }
}

/// A number of workers.
///
/// # Errors
/// With the range, for what is not in it.
pub fn jobs(text: &str) -> Result<NonZeroU16, String> {
    text.parse()
        .map_err(|_| format!("give a number from 1 to {}", NonZeroU16::MAX))
}

/// How much a run asks of the machine.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Load on the machine")]
pub struct Load {
    /// Number of workers [default: chosen by disks and processors]
    #[arg(short, long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub jobs: Option<NonZeroU16>,
    /// Limit the rate at which contents are copied, per second and in rsync's
    /// syntax: 500 (KiB), 1.5m, 20MB [default: 0, no limit]
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<Rate>,
    /// Use disks and processors only when they are idle (--no-idle overrides
    /// the configuration)
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,
    #[arg(long, hide = true, overrides_with = "idle")]
    no_idle: bool,
}

impl Load {
    /// What a program was asked that has other switches beside these.
    #[must_use]
    pub fn of(jobs: Option<NonZeroU16>, idle: Option<bool>) -> Self {
        Self {
            jobs,
            idle: idle == Some(true),
            no_idle: idle == Some(false),
            ..Self::default()
        }
    }

    /// What was asked for, if anything was.
    #[must_use]
    pub fn idle(self) -> Option<bool> {
        either(self.idle, self.no_idle)
    }
}

/// What a switch and its opposite say together; clap lets the last one win.
#[must_use]
pub fn either(yes: bool, no: bool) -> Option<bool> {
    (yes || no).then_some(yes)
}

/// `--exclude` and `--exclude-from`, in the order in which they were given:
/// the first rule that matches wins, so the order between the two counts.
#[derive(Clone, Debug, Default)]
pub struct Excludes(pub Vec<Rule>);

impl Args for Excludes {
    fn augment_args(command: Command) -> Command {
        command
            .next_help_heading("What is dumped")
            .arg(
                Arg::new("exclude")
                    .long("exclude")
                    .value_name("PATTERN")
                    // A rule may begin with "- ".
                    .allow_hyphen_values(true)
                    .value_parser(ValueParser::os_string())
                    .action(ArgAction::Append)
                    .help(
                        "Leave out what matches this rule (rsync's syntax; the first \
                         rule that matches wins)",
                    ),
            )
            .arg(
                Arg::new("exclude_from")
                    .long("exclude-from")
                    .value_name("FILE")
                    .value_hint(ValueHint::FilePath)
                    .value_parser(ValueParser::path_buf())
                    .action(ArgAction::Append)
                    .help("Read exclude rules from a file, one per line ('-' for standard input)"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Excludes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut rules: Vec<(usize, Rule)> = Vec::new();
        if let Some(patterns) = matches.get_many::<OsString>("exclude") {
            let at = matches.indices_of("exclude").into_iter().flatten();
            rules.extend(at.zip(patterns.cloned().map(Rule::Pattern)));
        }
        if let Some(files) = matches.get_many::<PathBuf>("exclude_from") {
            let at = matches.indices_of("exclude_from").into_iter().flatten();
            rules.extend(at.zip(files.cloned().map(Rule::File)));
        }
        rules.sort_by_key(|(at, _)| *at);
        Ok(Self(rules.into_iter().map(|(_, rule)| rule).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Probe {
        #[command(flatten)]
        excludes: Excludes,
        #[command(flatten)]
        progress: Progress,
    }

    fn parsed(args: &[&str]) -> Result<Probe, clap::Error> {
        Probe::try_parse_from(std::iter::once(&"probe").chain(args))
    }

    #[test]
    fn rules_keep_the_order_in_which_they_were_given() {
        let args = ["--exclude", "- a", "--exclude-from=f", "--exclude", "+ b"];
        let rules = parsed(&args).expect("valid").excludes.0;
        let pattern = |text: &str| Rule::Pattern(text.into());
        assert_eq!(
            rules,
            [pattern("- a"), Rule::File("f".into()), pattern("+ b")]
        );
    }

    #[test]
    fn the_last_of_two_opposites_wins() {
        let cases: [(&[&str], Option<bool>); 4] = [
            (&[], None),
            (&["--progress"], Some(true)),
            (&["--progress", "--no-progress"], Some(false)),
            (&["--no-progress", "--progress"], Some(true)),
        ];
        for (args, wanted) in cases {
            let progress = parsed(args).expect("valid").progress;
            assert_eq!(progress.wanted(), wanted, "{args:?}");
        }
    }
}
