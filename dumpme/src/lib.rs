//! `dumpme`: takes a dump of one or several file trees.
//!
//! The program as a library, so that manual pages and completions are made
//! from the same definitions as its `--help`: see [`command`].

#![forbid(unsafe_code)]

mod advice;
mod after;
mod age;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Local;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser};
use dumpcli::Program;
use dumpcli::advice::{About, explain};
use dumpcli::command_line;
use dumpcli::ending::Ended;
use dumpcli::excludes;
use dumpcli::exit::{self, Exit};
use dumpcli::failure::Failure;
use dumpcli::json;
use dumpcli::keep::KeepTable;
use dumpcli::keys::Rule;
use dumpcli::options::{Excludes, Load, Output, Places, Progress, either};
use dumpcli::origin::Origin;
use dumpcli::origin::{Source, Value};
use dumpcli::print_config::Listing;
use dumpcli::screen;
use dumpcli::session::{Session, Task};
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcli::trees::trees;
use dumpcore::{Filter, LinkPolicy, PinName, Printable, Snapshot, Stamp, Tree};

use after::After;
use age::Ages;

const PROGRAM: Program = Program {
    name: "dumpme",
    version: env!("CARGO_PKG_VERSION"),
    makes: "dump",
    unlinked: "the first dump: linked to nothing",
    advice: advice::ADVICE,
};

const EXAMPLES: &str = "\
Examples:
  dumpme --main /home --dump /dump --init     make the first dump of /home
  dumpme --main /home --dump /dump            make the next one
  dumpme -n                                   show what would be copied, and why
  dumpme -q                                   for crontab: silent unless it fails
  dumpme --set photos --exclude '*.tmp'       dump a set of the configuration
  dumpme -q --check-age 26h                   fail if there is no recent dump";

/// Make a dump: a complete, browsable copy of a file tree in which unchanged
/// files are hard links to the previous dump.
#[derive(Debug, Parser)]
#[command(name = "dumpme", version)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
struct Options {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    kind: KindOfRun,
    #[command(flatten)]
    monitoring: Monitoring,
    #[command(flatten)]
    excludes: Excludes,
    #[command(flatten)]
    tree: TreeOptions,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    progress: Progress,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What kind of run")]
struct KindOfRun {
    /// Make the first dump in a dump root that has no `current` link.
    /// `current_chk` points to it until the first checkpoint
    #[arg(long)]
    init: bool,
    /// Change nothing; list what would be copied, and why
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Date the dump at this minute instead of now; imports an older copy, and
    /// prunes nothing when there is a newer dump
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM")]
    at: Option<Stamp>,
    /// Keep the dump under this name: a pin, which retention and `dumpctl remove`
    /// leave until `dumpctl unpin NAME`
    #[arg(long, value_name = "NAME", value_parser = pin_name())]
    pin: Option<PinName>,
    /// Dump a tree that is empty even if its last dump is not
    #[arg(long)]
    allow_empty: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Monitoring (no dump is made)")]
struct Monitoring {
    /// Print the age and path of the newest dump; exit with 1 if it is older
    /// than AGE (26h, 1day 2h) or there is none. When trees are given, each
    /// has its own newest dump, and the oldest of these counts
    #[arg(long, value_name = "AGE", value_parser = age_limit)]
    #[arg(conflicts_with_all = ["init", "dry_run", "at", "pin"])]
    check_age: Option<Duration>,
    /// Print the age of the newest dump, or of each given tree's, as
    /// Prometheus metrics for node_exporter's textfile collector
    #[arg(long, conflicts_with_all = ["init", "dry_run", "at", "pin", "json"])]
    prometheus: bool,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "What is dumped")]
struct TreeOptions {
    /// Compare contents too, not only size, times and attributes
    /// (--no-checksum overrides the configuration)
    #[arg(short, long, overrides_with = "no_checksum")]
    checksum: bool,
    #[arg(long, hide = true, overrides_with = "checksum")]
    no_checksum: bool,
    /// Do not compare the contents of files of which only ctime has changed;
    /// for trees in which another program makes hard links (--no-ignore-ctime
    /// overrides the configuration)
    #[arg(long, overrides_with = "no_ignore_ctime")]
    ignore_ctime: bool,
    #[arg(long, hide = true, overrides_with = "ignore_ctime")]
    no_ignore_ctime: bool,
    /// Do not enter other filesystems below a tree; store an empty directory
    /// in place of each, and name it with -v (--no-one-file-system overrides
    /// the configuration)
    #[arg(short = 'x', long, overrides_with = "no_one_file_system")]
    one_file_system: bool,
    #[arg(long, hide = true, overrides_with = "one_file_system")]
    no_one_file_system: bool,
    /// Neither use nor update the catalog of the dump root: compare every
    /// entry with the dump before (--catalog overrides the configuration)
    #[arg(long, overrides_with = "catalog")]
    no_catalog: bool,
    #[arg(long, hide = true, overrides_with = "no_catalog")]
    catalog: bool,
    /// Copy what was moved or renamed within a tree since its last dump,
    /// instead of linking it to where it was
    #[arg(long)]
    no_moves: bool,
    /// Store a changed file as a whole, where xfs or btrfs could share what is the
    /// same with its version in the dump before
    #[arg(long)]
    whole_file: bool,
    /// Name of the tree in the dump [default: the last part of its path]
    #[arg(long, value_name = "NAME")]
    root_name: Option<OsString>,
}

/// What is in force.
struct Settings {
    main: Value<Vec<PathBuf>>,
    dump: Value<PathBuf>,
    excludes: Vec<Value<Rule>>,
    one_file_system: Value<bool>,
    checksum: Value<bool>,
    ignore_ctime: Value<bool>,
    catalog: Value<bool>,
    hash: Value<bool>,
    root_name: Option<Value<OsString>>,
    /// Which dumps stay.
    keep: Option<Value<KeepTable>>,
    /// Is a set in force?
    in_set: bool,
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
    let settings = Settings::resolve(options, &sources)?;
    if options.places.print_config {
        let listing = Listing::new(PROGRAM, &sources);
        screen::print(&settings.listed(listing))?;
        return Ok(Exit::Done);
    }
    if options.monitoring.is_wanted() {
        return options.monitoring.tell(&settings);
    }
    let mut filter = excludes::given(&settings.excludes)?;
    let (main, dump) = (&settings.main.value, &settings.dump.value);
    let task = Task {
        what: main.clone(),
        dump: dump.clone(),
        dry_run: options.kind.dry_run,
        lists_dry_run: true,
        origins: settings.origins(),
    };
    let session = Session::start(PROGRAM, settings.session.clone(), task);
    Ok(session.run(|watch, run| -> Result<Ended, Failure> {
        excludes::add_files_of(&mut filter, main, dump, watch)?;
        for text in settings.rules_of_no_tree(&filter) {
            watch.warn(&text);
        }
        let snapshot = settings.snapshot(&options.kind, filter);
        let run = run
            .moves(!options.tree.no_moves)
            .whole_files(options.tree.whole_file)
            .catalog(settings.catalog.value);
        let report = snapshot.options(run.clone()).run()?;
        let after = After {
            program: PROGRAM,
            places: &options.places,
            sources: &sources,
            root: dump,
            trees: settings.trees().collect(),
            is_auto: settings.prunes(),
            recycles: settings.catalog.value,
            is_import: options.kind.at.is_some(),
        };
        let tended = after.tend(&report, run);
        Ok(Ended::Tended(Box::new(report), Box::new(tended)))
    }))
}

impl Monitoring {
    fn is_wanted(&self) -> bool {
        self.prometheus || self.check_age.is_some()
    }

    fn tell(&self, settings: &Settings) -> Result<Exit, Failure> {
        let dump = &settings.dump.value;
        let found = settings.named_trees();
        let found = found.and_then(|trees| Ages::find(dump, &trees, Local::now()));
        let ages = match found {
            Ok(ages) => ages,
            Err(failure) => {
                let failure = explain(
                    failure,
                    About {
                        advice: PROGRAM.advice,
                        read: &settings.main.value,
                        dump,
                        origins: &settings.origins(),
                    },
                );
                if settings.session.json {
                    let object =
                        json::of_failure(PROGRAM, &failure, Exit::of_failure(&failure, None));
                    screen::print(&format!("{object}\n"))?;
                }
                return Err(failure);
            }
        };
        let newest = ages.oldest();
        let late = self.check_age.filter(|limit| newest.is_older_than(*limit));
        if self.prometheus {
            screen::print(&ages.metrics())?;
        } else if settings.session.json {
            screen::print(&newest.json(PROGRAM, self.check_age))?;
        } else if !settings.session.quiet && late.is_none() {
            screen::print(&newest.text())?;
        }
        match late {
            None => Ok(Exit::Done),
            Some(limit) => Err(Failure::Failed(newest.complaint(limit))),
        }
    }
}

/// The name of a pin.
fn pin_name() -> impl TypedValueParser<Value = PinName> {
    OsStringValueParser::new().try_map(PinName::new)
}

/// An age as people write it.
fn age_limit(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "give a number with a unit: 90min, 26h or 2d".to_owned())
}

impl Settings {
    fn resolve(options: &Options, sources: &Sources) -> Result<Self, Failure> {
        let Options { places, tree, .. } = options;
        let checksum = either(tree.checksum, tree.no_checksum);
        let ctime = either(tree.ignore_ctime, tree.no_ignore_ctime);
        let one = either(tree.one_file_system, tree.no_one_file_system);
        let catalog = either(tree.catalog, tree.no_catalog);
        let name = tree.root_name.clone();
        let main = sources.main(&places.main);
        let settings = Self {
            root_name: sources.root_name(name, &main),
            main,
            dump: sources.dump(places.dump.clone()),
            excludes: sources.excludes(
                &options.excludes,
                |s| s.exclude.as_ref(),
                |s| s.exclude_from.as_ref(),
            ),
            one_file_system: sources.pick(one, None, |s| s.one_file_system.as_ref(), |v| *v, false),
            ignore_ctime: sources.pick(ctime, None, |s| s.ignore_ctime.as_ref(), |v| *v, false),
            checksum: sources.pick(checksum, None, |s| s.checksum.as_ref(), |v| *v, false),
            catalog: sources.pick(catalog, None, |s| s.catalog.as_ref(), |v| *v, true),
            hash: sources.pick(None, None, |s| s.hash.as_ref(), |v| *v, true),
            keep: sources.keep(),
            in_set: sources.set().is_some(),
            session: sources.session(options.output, options.progress, options.load),
        };
        match (settings.main.value.len(), &settings.root_name) {
            (0 | 1, _) | (_, None) => Ok(settings),
            (trees, Some(name)) => Err(Failure::Usage(format!(
                "a root name is for one tree, but there are {trees}: '{}' ({})",
                name.value.display(),
                name.source
            ))),
        }
    }

    fn origins(&self) -> Vec<Origin> {
        let dump = Origin::of("--dump", &self.dump);
        Origin::of_all("--main", &self.main).chain([dump]).collect()
    }

    /// The trees in force, and their names in the dump.
    fn trees(&self) -> impl Iterator<Item = Tree> {
        trees(&self.main.value, self.root_name.as_ref())
    }

    /// The names in the dump of the trees that somebody named; none where the
    /// main tree is the default.
    fn named_trees(&self) -> Result<Vec<OsString>, Failure> {
        if self.main.source == Source::Default && self.root_name.is_none() {
            return Ok(Vec::new());
        }
        let name = |tree: Tree| {
            let unknown = || {
                let path = Printable::path(&tree.path);
                Failure::Failed(format!("cannot tell the name of {path} in the dumps"))
            };
            tree.name_in_dump().ok_or_else(unknown)
        };
        self.trees().map(name).collect()
    }

    /// What is to be told of rules that are about no tree of these.
    fn rules_of_no_tree(&self, filter: &Filter) -> Vec<String> {
        let names: Option<Vec<OsString>> = self.trees().map(|t| t.name_in_dump()).collect();
        // A tree without a name is for the run to refuse.
        let Some(names) = names else {
            return Vec::new();
        };
        let is_shared = |source: &Source| matches!(source, Source::File { set: None, .. });
        let shared = self.excludes.iter().filter(|rule| is_shared(&rule.source));
        let inherited: Vec<&Rule> = shared.filter(|_| self.in_set).map(|r| &r.value).collect();
        excludes::of_no_tree(filter, &names, &self.dump.value, &inherited)
    }

    fn snapshot(&self, kind: &KindOfRun, filter: Filter) -> Snapshot {
        let mut snapshot = Snapshot::new(&self.dump.value)
            .filter(filter)
            .policy(
                LinkPolicy::new()
                    .contents(self.checksum.value)
                    .ctime(!self.ignore_ctime.value),
            )
            .init(kind.init)
            .allow_empty(kind.allow_empty)
            .one_file_system(self.one_file_system.value)
            .hash(self.hash.value)
            .recycle(self.catalog.value && self.prunes());
        for tree in self.trees() {
            snapshot = snapshot.main(tree);
        }
        if let Some(pin) = &kind.pin {
            snapshot = snapshot.pin(pin.clone());
        }
        if let Some(at) = kind.at {
            snapshot = snapshot.at(at);
        }
        snapshot
    }

    /// Does a run prune behind its dump, and recycle what expired before?
    fn prunes(&self) -> bool {
        self.keep.as_ref().and_then(|keep| keep.value.auto) == Some(true)
    }

    fn listed(&self, mut listing: Listing) -> String {
        listing.paths("main", &self.main);
        listing.path("dump", &self.dump);
        listing.excludes(&self.excludes);
        let one = &self.one_file_system;
        listing.value("one_file_system", one.value, &one.source);
        listing.value("checksum", self.checksum.value, &self.checksum.source);
        let ctime = &self.ignore_ctime;
        listing.value("ignore_ctime", ctime.value, &ctime.source);
        listing.value("catalog", self.catalog.value, &self.catalog.source);
        listing.value("hash", self.hash.value, &self.hash.source);
        let name = self.root_name.as_ref().map(|name| Value {
            value: name.value.to_string_lossy().into_owned(),
            source: name.source.clone(),
        });
        listing.maybe("root_name", name.as_ref(), "the last name of the tree");
        listing.load(&self.session);
        listing.session(&self.session);
        listing.keep("keep", self.keep.as_ref());
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
