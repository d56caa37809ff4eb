//! `chkptme`: makes a checkpoint of the newest dump.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod advice;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, ValueHint};
use dumpcli::Program;
use dumpcli::command_line;
use dumpcli::exit::{self, Exit};
use dumpcli::failure::Failure;
use dumpcli::options::{Configuration, Load, Output, Progress, either};
use dumpcli::origin::Origin;
use dumpcli::origin::Value;
use dumpcli::print_config::Listing;
use dumpcli::session::{Session, Task};
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcli::trees::trees;
use dumpcore::Checkpoint;

const PROGRAM: Program = Program {
    name: "chkptme",
    version: env!("CARGO_PKG_VERSION"),
    makes: "checkpoint",
    unlinked: "a checkpoint: shares nothing with other dumps",
    advice: advice::ADVICE,
};

const EXAMPLES: &str = "\
Examples:
  chkptme                        copy the newest dump in /dump
  chkptme --verify               the same, then read it back and compare
  chkptme --heal                 take good versions of what is damaged in the dump
  chkptme -n                     show how much would be copied
  chkptme --linked               link to the checkpoint before what did not change
  chkptme -q --dump /backup      for crontab, once a month";

/// Make a checkpoint: a copy of the newest dump that shares no data with any
/// other. Later dumps are linked to it.
///
/// With --linked it shares what did not change with the linked checkpoint before,
/// and nothing with the dumps, which are not linked to it: a second copy of all
/// history for the room of one copy and the changes.
///
/// Because of the hard links one bad sector damages a file in all dumps at
/// once. A checkpoint is a second copy, and reading the whole dump finds bad
/// sectors while another good version may still exist. What is read is compared
/// with the hashes in the catalog.
#[derive(Debug, Parser)]
#[command(name = "chkptme", version)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP_WITHOUT_RULES))]
struct Options {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    kind: KindOfRun,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    progress: Progress,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Places")]
struct Places {
    /// Dump root whose newest dump is copied [env: DUMPROOT, the first
    /// directory of a colon-separated list that exists] [default: /dump]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dump: Option<PathBuf>,
    /// Tree in which to look for a good version of a damaged file; can be
    /// given several times [env: MAINROOT, a list like DUMPROOT] [default:
    /// /newage/NEWAGE]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    main: Vec<PathBuf>,
    /// Another dump root in which to look for a good version of a damaged file,
    /// besides the one of [slave]; can be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    from: Vec<PathBuf>,
    #[command(flatten)]
    configuration: Configuration,
    /// Print the settings in force and where each comes from, then exit
    #[arg(long)]
    print_config: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What kind of run")]
struct KindOfRun {
    /// Change nothing; say how much would be copied (-v lists it)
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Link what did not change to the linked checkpoint before, after reading it and
    /// comparing it with its recorded hash, and share nothing with dumps; `current`
    /// stays where it is (--no-linked overrides the configuration)
    #[arg(long, overrides_with = "no_linked")]
    linked: bool,
    #[arg(long, hide = true, overrides_with = "linked")]
    no_linked: bool,
    /// Read the copy back from the disk, bypassing the cache, and compare it
    /// with the dump; a checkpoint that differs is not published
    #[arg(long)]
    verify: bool,
    /// Store a good version in the place of a damaged file, if there is one: with the
    /// hash that the catalog has of it (--no-heal overrides the configuration)
    #[arg(long, overrides_with = "no_heal")]
    heal: bool,
    #[arg(long, hide = true, overrides_with = "heal")]
    no_heal: bool,
    /// Start even if the dump disk is clearly too small for the copy
    #[arg(long)]
    no_space_check: bool,
}

/// What is in force.
struct Settings {
    main: Value<Vec<PathBuf>>,
    dump: Value<PathBuf>,
    root_name: Option<Value<OsString>>,
    /// Another dump root with replicas of this one.
    slave: Option<PathBuf>,
    from: Vec<PathBuf>,
    heal: Value<bool>,
    linked: Value<bool>,
    session: SessionSettings,
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
    let sources = Sources::load(PROGRAM, &options.places.configuration)?;
    let settings = Settings::resolve(options, &sources);
    if options.places.print_config {
        let listing = Listing::new(PROGRAM, &sources);
        dumpcli::screen::print(&settings.listed(listing))?;
        return Ok(Exit::Done);
    }
    let dump = &settings.dump.value;
    let task = Task {
        what: vec![dump.clone()],
        dump: dump.clone(),
        dry_run: options.kind.dry_run,
        // All of a dump would be listed, and none of it is a surprise.
        lists_dry_run: false,
        origins: vec![Origin::of("--dump", &settings.dump)],
    };
    let session = Session::start(PROGRAM, settings.session.clone(), task);
    Ok(session.run(|_, run| {
        let checkpoint = settings.checkpoint(&options.kind);
        Ok(checkpoint.options(run).run()?)
    }))
}

impl Settings {
    fn resolve(options: &Options, sources: &Sources) -> Self {
        let places = &options.places;
        let main = sources.main(&places.main);
        // A name is for one tree.
        let one = main.value.len() == 1;
        let named = sources.root_name(None, &main);
        let dump = sources.dump(places.dump.clone());
        let is_of_it = dump.value == sources.slave_from(None).value;
        let kind = &options.kind;
        Self {
            slave: (sources.has_slave() && is_of_it).then(|| sources.slave_dump(None).value),
            from: places.from.clone(),
            heal: sources.heal(either(kind.heal, kind.no_heal)),
            dump,
            root_name: named.filter(|_| one),
            linked: sources.pick(
                either(options.kind.linked, options.kind.no_linked),
                None,
                |section| section.linked_checkpoints.as_ref(),
                |yes| *yes,
                false,
            ),
            session: sources.session(options.output, options.progress, options.load),
            main,
        }
    }

    fn checkpoint(&self, kind: &KindOfRun) -> Checkpoint {
        let mut checkpoint = Checkpoint::new(&self.dump.value)
            .heal(self.heal.value)
            .verify(kind.verify)
            .linked(self.linked.value)
            .space_check(!kind.no_space_check);
        for tree in trees(&self.main.value, self.root_name.as_ref()) {
            checkpoint = checkpoint.main(tree);
        }
        let roots = self.from.iter().chain(&self.slave);
        roots.fold(checkpoint, Checkpoint::from)
    }

    fn listed(&self, mut listing: Listing) -> String {
        listing.path("dump", &self.dump);
        listing.paths("main", &self.main);
        listing.value("heal", self.heal.value, &self.heal.source);
        listing.value("linked_checkpoints", self.linked.value, &self.linked.source);
        listing.load(&self.session);
        listing.finish(&self.session)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
