//! `dumpctl import`: takes over the history that another program made.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::policies::Policies;
use dumpcli::settings::Sources;
use dumpcli::{figures, json, screen};
use dumpcore::{
    Chain, DumpId, Error, Import, ImportCopy, ImportFrom, ImportState, Printable, Prune, Report,
};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::dumps;
use crate::program::PROGRAM;

const WORD: &str = "import";

/// How many faults of a copy are named one by one.
const NAMED: usize = 10;

const STOPPED: &str = "stopped; the same command continues with this copy";

const HELP: &str = "\
FROM is one of:
  rsnapshot          daily.0 and the like, dated by their modification time
  rsync-time-backup  2026-11-22-233100
  backintime         20261122-233100-123; DIR is the one that holds these
  linux-timemachine  2026-11-22__23-31-00
  dump               another dump root

Each copy becomes a dump under its own date, the oldest first; what did not
change is linked, so that the history takes the room of one copy and the
changes. What is a dump already is not imported again: stop it at any time, and
type the same again. The copies are only read; delete them when you have looked
at the dumps. `current` never moves back, and nothing is removed.

Examples:
  dumpctl import --init --within localhost/home rsnapshot /backup
  dumpctl import --root-name home rsync-time-backup /backup
  dumpctl import --within home/anna backintime /backup/backintime/host/anna/1
  dumpctl import -n dump /mnt/old-dump     what would be imported

Exit codes:
  0         done
  1         failed: of the copy that is named nothing was imported
  2         wrong usage
  23        done in part: some entries, or copies, could not be read; each is named
  75        another run is using this dump root
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143)";

/// Import the dated copies that another program made.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// The program that made the copies
    #[arg(value_name = "FROM")]
    from: Option<ImportFrom>,
    /// The directory that holds the copies
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// The tree in each copy [default: the whole copy; of dumps all trees]
    #[arg(long, value_name = "PATH")]
    within: Option<PathBuf>,
    /// Name of the tree in the dumps [default: the last part of its path in a
    /// copy, or else of DIR]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    root_name: Option<OsString>,
    /// Compare the contents of every file, instead of taking one of the same size
    /// and modification time for unchanged
    #[arg(long)]
    checksum: bool,
    /// The dump root has no dump yet
    #[arg(long)]
    init: bool,
    /// Only print what would be imported
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What was done with a copy.
struct Done<'c> {
    copy: &'c ImportCopy,
    report: Option<Report>,
    /// Why it was not imported.
    error: Option<String>,
}

/// What came of all of them.
struct All<'c> {
    done: Vec<Done<'c>>,
    exit: Exit,
    /// What ended it.
    failure: Option<Failure>,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match imported(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn imported(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let (Some(from), Some(dir)) = (options.from, &options.dir) else {
        let text = "name the program that made the copies, and their directory (see 'dumpctl \
                    import --help')";
        return Err(Failure::Usage(text.to_owned()));
    };
    let leads_out = |part: Component<'_>| !matches!(part, Component::Normal(_));
    if let Some(within) = &options.within
        && within.components().any(leads_out)
    {
        let text = "--within is a path below each copy, without '..'";
        return Err(Failure::Usage(text.to_owned()));
    }
    let import = options.order(from, dir, &settings.dump.value);
    let copies = import.plan().map_err(|e| settings.explained(e))?;
    if copies.is_empty() {
        let dir = Printable::path(dir);
        let text = format!("{dir} holds no copy of {from}; name the directory with the copies");
        return Err(Failure::Failed(text));
    }
    if options.dry_run {
        let mut done = Vec::new();
        for copy in &copies {
            done.push(Done::nothing(copy));
            tell(settings, &done[done.len() - 1], true)?;
        }
        return ended(options, settings, &done, Exit::Done);
    }
    let desk = Desk::open(&settings.session);
    let All {
        done,
        exit,
        failure,
    } = each(&import, &copies, &desk, settings)?;
    match failure {
        None => ended(options, settings, &done, exit),
        Some(failure) => {
            let object = object(options, &done, None, exit);
            desk.fail_with(object, &failure, STOPPED)
        }
    }
}

/// Imports all copies, also those behind one that cannot be read.
fn each<'c>(
    import: &Import,
    copies: &'c [ImportCopy],
    desk: &Desk,
    settings: &Settings,
) -> Result<All<'c>, Failure> {
    let mut all = All {
        done: Vec::new(),
        exit: Exit::Done,
        failure: None,
    };
    for copy in copies {
        let mut done = Done::nothing(copy);
        match one(import, copy, desk) {
            Ok(report) => done.report = report,
            Err(error) => {
                let is_bad = is_of_copy(&error);
                let failure = settings.explained(error);
                let path = Printable::path(&copy.path);
                screen::remark(PROGRAM.name, &format!("{path} was not imported"));
                done.error = Some(failure.to_string());
                all.exit = Exit::Partial;
                if !is_bad {
                    all.done.push(done);
                    all.failure = Some(failure);
                    return Ok(all);
                }
                screen::complain(PROGRAM.name, &failure.to_string());
                all.done.push(done);
                continue;
            }
        }
        let there = matches!(copy.state, ImportState::There(_)) && copy.lacks.is_some();
        if there || done.report.as_ref().is_some_and(|r| !r.is_complete()) {
            all.exit = Exit::Partial;
        }
        tell(settings, &done, false)?;
        all.done.push(done);
    }
    Ok(all)
}

/// Is it this copy that is at fault? Then others can still be imported.
fn is_of_copy(error: &Error) -> bool {
    matches!(
        error,
        Error::MainUnusable { .. }
            | Error::MainEmpty { .. }
            | Error::SourceGone { .. }
            | Error::SameName { .. }
            | Error::SameTree { .. }
            | Error::FoldedTrees { .. }
            | Error::BadRootName { .. }
    )
}

/// What is told in the end.
fn ended(
    options: &Options,
    settings: &Settings,
    all: &[Done<'_>],
    exit: Exit,
) -> Result<Exit, Failure> {
    let would_go = would_go(settings, all)?;
    if settings.session.json {
        let object = object(options, all, would_go, exit);
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        tell_what_would_go(settings, would_go)?;
    }
    Ok(exit)
}

impl<'c> Done<'c> {
    fn nothing(copy: &'c ImportCopy) -> Self {
        Self {
            copy,
            report: None,
            error: None,
        }
    }
}

impl Options {
    fn order(&self, from: ImportFrom, dir: &Path, dump: &Path) -> Import {
        let mut import = Import::new(from, dir, dump)
            .init(self.init)
            .contents(self.checksum);
        if let Some(within) = &self.within {
            import = import.within(within);
        }
        if let Some(name) = &self.root_name {
            import = import.root_name(name);
        }
        import
    }
}

/// Imports a copy, if it is a new one.
fn one(import: &Import, copy: &ImportCopy, desk: &Desk) -> Result<Option<Report>, Error> {
    if !matches!(copy.state, ImportState::New(_)) {
        return Ok(None);
    }
    let done = desk.work(&copy.path, |run| import.clone().options(run).copy(copy));
    done.map(Some)
}

/// A line for each copy; what is left out is said also with -q.
fn tell(settings: &Settings, done: &Done<'_>, would: bool) -> Result<(), Failure> {
    let path = Printable::path(&done.copy.path);
    let text = match (done.copy.state, &done.report) {
        (ImportState::New(name), None) if would => format!("{name}: would import {path}"),
        (ImportState::New(name), Some(report)) => {
            let (counts, copied) = (&report.counts, report.counts.copied());
            let entries = figures::number(counts.entries());
            let bytes = figures::bytes(copied.bytes);
            let copied = figures::number(copied.number);
            format!("{name}: imported {path}: {entries} entries, {copied} copied ({bytes})")
        }
        (ImportState::There(name), _) if done.copy.lacks.is_some() => {
            let text = format!(
                "{name} has {path} already, but lacks entries; to import it again: 'dumpctl remove \
                 {name}' first"
            );
            screen::complain(PROGRAM.name, &text);
            return Ok(());
        }
        (ImportState::There(name), _) => format!("{name}: has {path} already"),
        (state, _) => {
            let why = match state {
                ImportState::Unfinished => "it is not finished",
                ImportState::Removed => "it is being removed",
                ImportState::Future => "it is dated in the future",
                _ => "it has no such tree",
            };
            let text = format!("{path} is left out: {why}");
            if !settings.session.json {
                screen::remark(PROGRAM.name, &text);
            }
            return Ok(());
        }
    };
    if let Some(report) = &done.report {
        for fault in report.faults.iter().take(NAMED) {
            screen::complain(PROGRAM.name, &Chain(fault).to_string());
        }
        if let more @ 1.. = report.faults.len().saturating_sub(NAMED) {
            screen::complain(PROGRAM.name, &format!("{more} more could not be read"));
        }
    }
    match settings.session.json || settings.session.quiet {
        true => Ok(()),
        false => screen::print(&format!("{text}\n")),
    }
}

/// How many of the imported dumps the policy would let go, when there is one.
fn would_go(settings: &Settings, all: &[Done<'_>]) -> Result<Option<usize>, Failure> {
    let imported: Vec<DumpId> = all
        .iter()
        .filter(|done| done.report.is_some())
        .filter_map(|done| match done.copy.state {
            ImportState::New(name) => Some(DumpId::Dump(name)),
            _ => None,
        })
        .collect();
    let places = &settings.places;
    let sources = Sources::load(PROGRAM, &places.configuration)?;
    let chosen = (&sources, places.main.as_slice());
    let root = &settings.dump.value;
    let policies = Policies::of_dump_root(PROGRAM, &places.configuration, chosen, root)?;
    if imported.is_empty() || policies.is_empty() {
        return Ok(None);
    }
    let prune = Prune::new(root).rules(policies.rules()).measure(false);
    let plan = prune.plan().map_err(|e| settings.explained(e))?;
    let goes = plan
        .remove
        .iter()
        .filter(|one| imported.contains(&one.dump));
    Ok(Some(goes.count()))
}

fn tell_what_would_go(settings: &Settings, would_go: Option<usize>) -> Result<(), Failure> {
    let Some(number) = would_go.filter(|_| !settings.session.quiet) else {
        return Ok(());
    };
    let dumps = match number {
        0 => "none of them".to_owned(),
        1 => "1 of them".to_owned(),
        number => format!("{number} of them"),
    };
    screen::print(&format!(
        "by [keep] the next prune removes {dumps}: 'dumpctl prune -n' says which\n"
    ))
}

fn object(
    options: &Options,
    all: &[Done<'_>],
    would_go: Option<usize>,
    exit: Exit,
) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    object.insert("dry_run".into(), options.dry_run.into());
    let copies = all.iter().map(|done| {
        let mut object = Map::new();
        let path = dumpcli::absolute(&done.copy.path);
        json::put_path(&mut object, "path", Some(&path));
        let name = match done.copy.state {
            ImportState::New(name) | ImportState::There(name) => Some(name.to_string()),
            _ => None,
        };
        object.insert("name".into(), name.into());
        let time = done.copy.moment.map_or(Value::Null, dumps::time);
        object.insert("time".into(), time);
        object.insert("state".into(), done.copy.state.as_str().into());
        let report = done.report.as_ref();
        let entries = report.map(|report| report.counts.entries());
        object.insert("entries".into(), entries.into());
        let copied = report.map(|report| report.counts.copied());
        object.insert("copied".into(), copied.map(|copied| copied.number).into());
        object.insert(
            "copied_bytes".into(),
            copied.map(|copied| copied.bytes).into(),
        );
        let faults = report.map(|report| report.faults.len());
        object.insert("faults".into(), faults.into());
        if let Some(error) = &done.error {
            object.insert("error".into(), error.as_str().into());
        }
        Value::Object(object)
    });
    object.insert("copies".into(), copies.collect());
    object.insert("keep_would_remove".into(), would_go.into());
    object
}
