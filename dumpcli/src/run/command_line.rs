//! From the command line to the exit code: what every program begins and ends
//! with.

use std::env;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{help, screen};
use crate::program::Program;

/// A program from its command line to its exit code. `run` gets the options,
/// and does the work.
pub fn main<P: CommandFactory + FromArgMatches>(
    program: Program,
    run: impl FnOnce(&P) -> Result<Exit, Failure>,
) -> ExitCode {
    let exit = match parse::<P>(program.name) {
        Ok(options) => run(&options).unwrap_or_else(|failure| give_up(program, &failure)),
        Err(exit) => exit,
    };
    exit.into()
}

/// Says what went wrong before there was a session.
fn give_up(program: Program, failure: &Failure) -> Exit {
    screen::complain(program.name, &failure.to_string());
    Exit::of_failure(failure, None)
}

/// Parses the command line. `--help` and `--version` are printed; wrong usage
/// gets one sentence on stderr. `Err` is then how the program ends.
fn parse<P: CommandFactory + FromArgMatches>(program: &str) -> Result<P, Exit> {
    let mut command = help::fitted(P::command());
    let parsed = command.try_get_matches_from_mut(env::args_os());
    let parsed = parsed.and_then(|mut matches| {
        P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    });
    parsed.map_err(|error| match error.kind() {
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
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            screen::complain(program, &no_command(&command));
            Exit::Usage
        }
        _ => {
            screen::complain(program, &sentence(&error));
            Exit::Usage
        }
    })
}

/// Which commands there are, for somebody who named none: clap would say what the
/// program is for.
fn no_command(command: &Command) -> String {
    let commands = command.get_subcommands().filter(|it| !it.is_hide_set());
    let names: Vec<&str> = commands.map(Command::get_name).collect();
    format!("no command is named: {} (see --help)", names.join(", "))
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
    use crate::config::keys::LogTarget;
    use crate::config::options::{Excludes, Output};
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Probe {
        #[command(flatten)]
        excludes: Excludes,
        #[command(flatten)]
        output: Output,
    }

    fn wrong<P: Parser + std::fmt::Debug>(args: &[&str]) -> clap::Error {
        let words = std::iter::once(&"probe").chain(args);
        P::try_parse_from(words).expect_err("wrong")
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
            let text = sentence(&wrong::<Probe>(args));
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
            let error = wrong::<Words>(args);
            assert_eq!(sentence(&error), format!("{wanted} (see --help)"));
        }
    }

    #[test]
    fn who_names_no_command_is_told_which_there_are() {
        let command = Command::new("program").subcommands([
            Command::new("push"),
            Command::new("list"),
            Command::new("internal").hide(true),
        ]);
        assert_eq!(
            no_command(&command),
            "no command is named: push, list (see --help)"
        );
    }
}
