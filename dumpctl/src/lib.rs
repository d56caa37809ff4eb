//! `dumpctl`: looks after the dumps of a dump root.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`]. Each of its
//! words is a file; what they share is in `common` and `desk`.

#![forbid(unsafe_code)]

mod catalog;
mod common;
mod desk;
mod diff;
mod du;
mod dumps;
mod erase;
mod erase_report;
mod find;
mod import;
mod list;
mod patterns;
mod pin;
mod program;
mod prune;
mod prune_report;
mod prune_rules;
mod removal_report;
mod remove;
mod restore;
mod scrub;
mod scrub_report;
mod scrub_source;
mod shadow_copies;
mod status;
mod status_found;
mod status_json;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use dumpcli::command_line;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;

use common::{Common, Settings};
use program::PROGRAM;

/// Manage the dumps of a dump root.
#[derive(Debug, Parser)]
#[command(name = "dumpctl", version)]
#[command(disable_help_subcommand = true, mut_args = |arg| arg.global(true))]
#[command(after_help = "See 'dumpctl COMMAND --help' for more about a command.")]
struct Options {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    word: Option<Word>,
}

#[derive(Debug, Subcommand)]
enum Word {
    Status(status::Options),
    List(list::Options),
    Diff(diff::Options),
    Find(find::Options),
    Du(du::Options),
    Restore(restore::Options),
    Prune(Box<prune::Options>),
    Remove(remove::Options),
    Pin(pin::Options),
    Unpin(pin::UnpinOptions),
    Import(import::Options),
    ShadowCopies(shadow_copies::Options),
    Erase(erase::Options),
    Scrub(scrub::Options),
    Catalog(catalog::Options),
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
    match &options.word {
        Some(Word::List(options)) => list::run(options, &settings),
        Some(Word::Diff(options)) => diff::run(options, &settings),
        Some(Word::Find(options)) => find::run(options, &settings),
        Some(Word::Du(options)) => du::run(options, &settings),
        Some(Word::Restore(options)) => restore::run(options, &settings),
        Some(Word::Prune(options)) => prune::run(options, &settings),
        Some(Word::Remove(options)) => remove::run(options, &settings),
        Some(Word::Pin(options)) => pin::run(options, &settings),
        Some(Word::Unpin(options)) => pin::run_unpin(options, &settings),
        Some(Word::Import(options)) => import::run(options, &settings),
        Some(Word::ShadowCopies(options)) => shadow_copies::run(options, &settings),
        Some(Word::Erase(options)) => erase::run(options, &settings),
        Some(Word::Scrub(options)) => scrub::run(options, &settings),
        Some(Word::Catalog(options)) => catalog::run(options, &settings),
        Some(Word::Status(options)) => status::run(options, &settings),
        None => status::run(&status::Options::default(), &settings),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
