//! The options that programs share, as groups for `#[command(flatten)]`.
//!
//! Every option here is absent unless it was given: what holds otherwise is
//! for [`settings`](crate::config::settings) to find out, which also knows the
//! environment and the configuration file.

use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Parser, ValueHint};
use dumpcore::Rate;
use serde::Deserialize;

use crate::exit::Exit;
use crate::output::screen;

/// Where the trees and the dumps are, and which configuration applies.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Places")]
pub struct Places {
    /// Tree to read; give it again for several [env: MAINROOT, the first
    /// existing of a colon-separated list] [default: /newage/NEWAGE]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub main: Vec<PathBuf>,
    /// Dump root, where dumps are kept [env: DUMPROOT, likewise]
    /// [default: /dump]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dump: Option<PathBuf>,
    /// Configuration file [default: $XDG_CONFIG_HOME/dump/dump.toml, then
    /// /etc/dump/dump.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use a set: [set.NAME] in the configuration file, or NAME.toml beside it;
    /// 'dump' is the top level
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// Print what is in force and where it comes from, and do nothing
    #[arg(long)]
    pub print_config: bool,
}

/// What is said, and where.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// List what is stored anew and why, and what is excluded; twice: also
    /// what is linked
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// No report, no warnings: only what went wrong, as cron should mail it
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Where the log goes: auto, journal, syslog or stderr [default: auto: the
    /// journal under systemd, or where there is one and stderr is no terminal;
    /// else stderr]
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    pub log: Option<LogTarget>,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
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

/// How much a run asks of the machine.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Load on the machine")]
pub struct Load {
    /// Number of workers [default: chosen from the disks and processors]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<NonZeroU16>,
    /// Copy contents no faster than this a second, in rsync's syntax: 500 for
    /// 500 KiB, 1.5m, 20MB; 0 for no limit, the default
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<Rate>,
    /// Use disks and processors only when nobody else wants them (--no-idle:
    /// do not, whatever the configuration says)
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,
    #[arg(long, hide = true, overrides_with = "idle")]
    no_idle: bool,
}

impl Load {
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

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    /// Chosen by what is there
    #[default]
    Auto,
    /// The systemd journal
    Journal,
    /// The system log
    Syslog,
    /// Standard error
    Stderr,
}

impl LogTarget {
    /// The word for it in options and configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LogTarget::Auto => "auto",
            LogTarget::Journal => "journal",
            LogTarget::Syslog => "syslog",
            LogTarget::Stderr => "stderr",
        }
    }
}

/// One `--exclude` or `--exclude-from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A rule itself.
    Pattern(OsString),
    /// A file of rules; `-` for standard input.
    File(PathBuf),
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
                        "Leave out what matches this rule, in rsync's syntax; \
                         the first rule that matches wins",
                    ),
            )
            .arg(
                Arg::new("exclude_from")
                    .long("exclude-from")
                    .value_name("FILE")
                    .value_hint(ValueHint::FilePath)
                    .value_parser(ValueParser::path_buf())
                    .action(ArgAction::Append)
                    .help("Read such rules from a file, one a line ('-': standard input)"),
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

/// Parses the command line. `--help` and `--version` are printed; wrong usage
/// gets one sentence on stderr. `Err` is then how the program ends.
///
/// # Errors
/// The exit of a program that has nothing to do any more.
pub fn parse<P: Parser>(program: &str) -> Result<P, Exit> {
    P::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render();
            let printed = if screen::stdout_is_terminal() {
                screen::print(&text.ansi().to_string())
            } else {
                screen::print(&text.to_string())
            };
            match printed {
                Ok(()) => Exit::Done,
                Err(failure) => {
                    screen::complain(program, &failure.to_string());
                    Exit::Failed
                }
            }
        }
        _ => {
            screen::complain(program, &sentence(&error));
            Exit::Usage
        }
    })
}

/// clap's message without its paragraphs of usage: what is wrong, and what
/// may have been meant.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min();
    let lines = text[..end.unwrap_or(text.len())].lines();
    let mut words = String::new();
    // What follows a colon is a list, a name a line.
    let mut in_list = false;
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        let aside = line.starts_with('[') || line.starts_with("tip: ");
        words.push_str(match words.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) if line.starts_with('[') => " ",
            Some(_) if in_list && !aside => ", ",
            Some(_) => "; ",
        });
        words.push_str(line);
        in_list = !aside && (in_list || line.ends_with(':'));
    }
    words.push_str(" (see --help)");
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser, Debug)]
    struct Probe {
        #[command(flatten)]
        excludes: Excludes,
        #[command(flatten)]
        progress: Progress,
        #[command(flatten)]
        output: Output,
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

    #[test]
    fn wrong_usage_is_one_sentence() {
        let cases: [(&[&str], &str); 4] = [
            (&["--exclud"], "unexpected argument '--exclud' found"),
            (&["--log", "paper"], "invalid value 'paper' for '--log"),
            (&["-q", "-v"], "cannot be used with"),
            (&["--exclude"], "a value is required for '--exclude"),
        ];
        for (args, start) in cases {
            let text = sentence(&parsed(args).expect_err("wrong"));
            assert!(text.contains(start), "{text}");
            assert!(!text.contains('\n') && !text.contains("Usage"), "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_message_are_joined_as_one_would_write_them() {
        #[derive(Parser, Debug)]
        struct Words {
            #[arg(required = true)]
            path: String,
            #[arg(required = true)]
            other: String,
            #[arg(long, conflicts_with_all = ["day", "hour"])]
            year: bool,
            #[arg(long)]
            day: bool,
            #[arg(long)]
            hour: bool,
            #[arg(long)]
            log: Option<LogTarget>,
        }
        let cases: [(&[&str], &str); 6] = [
            (
                &[],
                "the following required arguments were not provided: <PATH>, <OTHER>",
            ),
            (
                &["a"],
                "the following required arguments were not provided: <OTHER>",
            ),
            (
                &["a", "b", "--year", "--day", "--hour"],
                "the argument '--year' cannot be used with: --day, --hour",
            ),
            (
                &["a", "b", "--year", "--day"],
                "the argument '--year' cannot be used with '--day'",
            ),
            (
                &["a", "b", "--log", "journel"],
                "invalid value 'journel' for '--log <LOG>' \
                 [possible values: auto, journal, syslog, stderr]; \
                 tip: a similar value exists: 'journal'",
            ),
            (
                &["a", "b", "--yeer"],
                "unexpected argument '--yeer' found; \
                 tip: a similar argument exists: '--year'",
            ),
        ];
        for (args, wanted) in cases {
            let words = std::iter::once(&"probe").chain(args);
            let error = Words::try_parse_from(words).expect_err("wrong");
            assert_eq!(sentence(&error), format!("{wanted} (see --help)"));
        }
    }
}
