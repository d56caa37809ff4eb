//! `dumpslave`: replicates the last dump before today to a second dump root.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod advice;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, ValueHint};
use dumpcli::Program;
use dumpcli::command_line;
use dumpcli::ending::{Ended, Tended};
use dumpcli::excludes;
use dumpcli::exit::{self, Exit};
use dumpcli::failure::Failure;
use dumpcli::keep::KeepTable;
use dumpcli::keys::Rule;
use dumpcli::options::{Configuration, Excludes, Load, Output, Progress, either};
use dumpcli::origin::Origin;
use dumpcli::origin::Value;
use dumpcli::policies::Policies;
use dumpcli::print_config::Listing;
use dumpcli::pruning::AfterRun;
use dumpcli::session::{Session, Task};
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::{Sources, of_slave};
use dumpcli::trees::trees;
use dumpcore::{Filter, Replica, Replicated, Report, RunOptions, Tree};

const PROGRAM: Program = Program {
    name: "dumpslave",
    version: env!("CARGO_PKG_VERSION"),
    makes: "replica",
    unlinked: "the first dump: linked to nothing",
    advice: advice::ADVICE,
};

const EXAMPLES: &str = "\
Examples:
  dumpslave --init --latest      make the first replica of /dump in /dumpslave
  dumpslave                      copy the last dump before today
  dumpslave --dump /mnt/usb      copy to another disk
  dumpslave --wait               wait for a dump disk that appears late
  dumpslave --latest             copy the newest dump, even if made today

If the dump was copied before, the run says so and exits with 0. The same holds
on the day of the first dumps, when there is none from before today yet, provided
that the first replica was made.";

/// Copy the last dump before today to a second dump root, as a complete dump
/// in which unchanged files are hard links to the previous one there.
#[derive(Debug, Parser)]
#[command(name = "dumpslave", version)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
struct Options {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    kind: KindOfRun,
    #[command(flatten)]
    excludes: Excludes,
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
    /// Dump root to copy from [env: DUMPROOT, the first directory of a
    /// colon-separated list that exists] [default: /dump]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    from: Option<PathBuf>,
    /// Dump root to copy to (not set by DUMPROOT) [default: /dumpslave]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dump: Option<PathBuf>,
    #[command(flatten)]
    configuration: Configuration,
    /// Print the settings in force and where each comes from, then exit
    #[arg(long)]
    print_config: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What kind of run")]
struct KindOfRun {
    /// Make the first dump in a dump root that has no `current` link.
    /// `current_chk` points to it until the first checkpoint
    #[arg(long)]
    init: bool,
    /// Copy the newest dump (`current`) instead of the last one before today
    #[arg(long)]
    latest: bool,
    /// Wait until the dump root to copy from exists and has a `current` link
    /// (--no-wait overrides the configuration)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    #[arg(long, hide = true, overrides_with = "wait")]
    no_wait: bool,
    /// Store a good version in the place of a damaged file, if there is one: with the
    /// hash that the catalog has of it (--no-heal overrides the configuration)
    #[arg(long, overrides_with = "no_heal")]
    heal: bool,
    #[arg(long, hide = true, overrides_with = "heal")]
    no_heal: bool,
    /// Store a changed file as a whole, where xfs or btrfs could share what is the
    /// same with its version in the dump before
    #[arg(long)]
    whole_file: bool,
    /// Change nothing; list what would be copied, and why
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What is in force.
struct Settings {
    from: Value<PathBuf>,
    dump: Value<PathBuf>,
    excludes: Vec<Value<Rule>>,
    wait: Value<bool>,
    /// Trees that may have good versions of what is damaged.
    trees: Vec<Tree>,
    heal: Value<bool>,
    /// Which dumps stay in the dump root that is written.
    keep: Option<Value<KeepTable>>,
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
    let mut filter = excludes::given(&settings.excludes)?;
    let (from, dump) = (&settings.from.value, &settings.dump.value);
    let task = Task {
        what: vec![from.clone()],
        dump: dump.clone(),
        dry_run: options.kind.dry_run,
        lists_dry_run: true,
        origins: vec![
            Origin::of("--from", &settings.from),
            Origin::of("--dump", &settings.dump),
        ],
    };
    let session = Session::start(PROGRAM, settings.session.clone(), task);
    Ok(session.run(|watch, run| {
        excludes::add_files_of(&mut filter, &[], dump, watch)?;
        let replica = settings.replica(&options.kind, filter);
        let run = run.whole_files(options.kind.whole_file);
        Ok(match replica.options(run.clone()).run()? {
            Replicated::Made(report) => match settings.prune(options, &sources, &report, run) {
                Some(pruned) => {
                    let tended = Tended {
                        pruned: Some(pruned),
                        shadow: None,
                    };
                    Ended::Tended(report, Box::new(tended))
                }
                None => Ended::Made(report),
            },
            Replicated::There(path) => Ended::There(path),
            Replicated::NotYet(newest) => Ended::NotYet(newest),
            other => return Err(Failure::Failed(format!("unknown outcome: {other:?}"))),
        })
    }))
}

impl Settings {
    fn resolve(options: &Options, sources: &Sources) -> Self {
        let Options { places, kind, .. } = options;
        let wait = either(kind.wait, kind.no_wait);
        let main = sources.main(&[]);
        let one = main.value.len() == 1;
        let name = sources.root_name(None, &main).filter(|_| one);
        Self {
            trees: trees(&main.value, name.as_ref()).collect(),
            heal: sources.heal(either(kind.heal, kind.no_heal)),
            from: sources.slave_from(places.from.clone()),
            dump: sources.slave_dump(places.dump.clone()),
            excludes: sources.excludes(
                &options.excludes,
                |s| of_slave(s, |slave| slave.exclude.as_ref()),
                |s| of_slave(s, |slave| slave.exclude_from.as_ref()),
            ),
            wait: sources.pick(
                wait,
                None,
                |s| of_slave(s, |slave| slave.wait.as_ref()),
                |v| *v,
                false,
            ),
            keep: sources.slave_keep(),
            session: sources.session(options.output, options.progress, options.load),
        }
    }

    /// Removes what no policy keeps in the dump root that is written.
    fn prune(
        &self,
        options: &Options,
        sources: &Sources,
        report: &Report,
        run: RunOptions,
    ) -> Option<AfterRun> {
        let keep = self.keep.as_ref()?;
        let is_off = keep.value.auto == Some(false);
        if is_off || report.dry_run || !report.is_complete() {
            return None;
        }
        if let Err(wrong) = &keep.value.policy {
            return Some(AfterRun::failed(wrong.clone()));
        }
        let (asked, root) = (&options.places.configuration, &self.dump.value);
        let policies = match Policies::of_replicas(PROGRAM, asked, sources, root) {
            Ok(policies) => policies,
            Err(failure) => return Some(AfterRun::failed(failure.to_string())),
        };
        if let Some(other) = policies.elsewhere() {
            return Some(AfterRun::elsewhere("[slave.keep]", other));
        }
        let clashes = policies.clashes();
        let pruned = AfterRun::prune((root, report), policies.rules(), false, run);
        pruned.map(|pruned| pruned.and(clashes.iter().map(ToString::to_string)))
    }

    fn replica(&self, kind: &KindOfRun, filter: Filter) -> Replica {
        let replica = Replica::of(&self.from.value)
            .to(&self.dump.value)
            .filter(filter)
            .latest(kind.latest)
            .wait(self.wait.value)
            .init(kind.init)
            .heal(self.heal.value);
        let trees = self.trees.iter().cloned();
        trees.fold(replica, Replica::tree)
    }

    fn listed(&self, mut listing: Listing) -> String {
        listing.value("heal", self.heal.value, &self.heal.source);
        listing.load(&self.session);
        listing.session(&self.session);
        listing.table("slave");
        listing.path("from", &self.from);
        listing.path("dump", &self.dump);
        listing.excludes(&self.excludes);
        listing.value("wait", self.wait.value, &self.wait.source);
        listing.keep("slave.keep", self.keep.as_ref());
        listing.hooks(&self.session)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
