//! `dumpoffsite`: stores dumps in a restic repository.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`]. Each of its
//! words is a file. What they do with a repository is in `repository`, the only
//! folder that knows the library behind it.

#![forbid(unsafe_code)]

mod broken;
mod check;
mod choose;
mod common;
mod desk;
mod init;
mod list;
mod place;
mod program;
mod prune;
mod push;
mod push_report;
mod repository;
mod restore;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;

use common::{Common, Settings};
use program::PROGRAM;

const HELP: &str = "\
The repository and its password are named in the configuration, or in the
environment as for restic.

Configuration:
  [offsite]
  repository = \"rest:https://nas.example.org:8000/dumps\"
  password_file = \"/etc/dump/offsite.password\"  a file of mode 0600

See 'dumpoffsite COMMAND --help' for more about a command.";

/// Store dumps off site: as encrypted snapshots of a restic repository, which
/// `restic` itself can read.
#[derive(Debug, Parser)]
#[command(name = "dumpoffsite", version, after_help = HELP)]
#[command(disable_help_subcommand = true, mut_args = |arg| arg.global(true))]
#[command(arg_required_else_help = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    word: Option<Word>,
}

#[derive(Debug, Subcommand)]
enum Word {
    Init(init::Options),
    Push(push::Options),
    List(list::Options),
    Check(check::Options),
    Restore(restore::Options),
    Prune(prune::Options),
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
    let Some(settings) = Settings::resolve(&options.common)? else {
        return Ok(Exit::Done);
    };
    let Some(word) = &options.word else {
        let text = "name a command (see 'dumpoffsite --help')";
        return Err(Failure::Usage(text.to_owned()));
    };
    match word {
        Word::Init(options) => init::run(options, &settings),
        Word::Push(options) => push::run(options, &settings),
        Word::List(options) => list::run(options, &settings),
        Word::Check(options) => check::run(options, &settings),
        Word::Restore(options) => restore::run(options, &settings),
        Word::Prune(options) => prune::run(options, &settings),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
