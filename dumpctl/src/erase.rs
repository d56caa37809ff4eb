//! `dumpctl erase`: takes paths out of all dumps.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::question::can_ask;
use dumpcli::session::warn_if_closed;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{CatalogAfter, Chain, Erase, ErasedPath, Erasure, Printable, RelPath};
use serde_json::{Map, Value};

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::dumps::{self, Dumps, Looking};
use crate::patterns::{self, Style};
use crate::program::PROGRAM;

const WORD: &str = "erase";
const STOPPED: &str = "stopped; run 'dumpctl erase' again, which finishes what was begun";
/// How many paths are named one by one where somebody is asked.
const NAMED: usize = 20;

const HELP: &str = "\
Examples:
  dumpctl erase -n ~/secret.key         show which dumps have it, and what else
  dumpctl erase ~/secret.key            take it out of all dumps, after a question
  dumpctl erase --glob '*.pst'          all paths of that name, each listed first
  dumpctl erase                         finish an erasure that was cut off or left some

Other names of the same file, and copies that you made of it, stay. The freed
blocks are not overwritten; on an encrypted disk nobody else can read them.

Exit codes:
  0         done: no dump of this dump root has it any more; or the answer was
            no
  1         failed: nothing was erased, or no dump has it
  2         wrong usage
  23        partly done: each dump that still has it is named; the next
            'dumpctl erase' tries again
  75        a run is using this dump root
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the next
            'dumpctl erase' finishes what was begun";

/// Take paths out of all dumps of a dump root, for good.
///
/// Everything at and below each path leaves every dump, also `current`, pinned
/// ones, checkpoints, `first` and what a run that was stopped has left, and the
/// catalog. Nothing else in the dumps changes: the directories around it keep
/// their times. A path cannot be brought back from these dumps afterwards.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// What to erase: a path in a tree, also one that is gone, or in a dump
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// The paths are patterns, as for `dumpctl find`
    #[arg(long)]
    glob: bool,
    /// Change nothing; show what would be erased, and from which dumps
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Erase without asking
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match erased(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

fn erased(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let looking = Looking::new(settings)?;
    let (dumps, paths) = match options.glob {
        true => {
            let dumps = looking.dumps()?;
            let paths = matching(&dumps, &options.paths)?;
            (dumps, paths)
        }
        false => looking.of_paths(&options.paths)?,
    };
    if let Some(tree) = paths.iter().find(|path| !path.as_bytes().contains(&b'/')) {
        let text = format!(
            "{tree} is a whole tree: erase paths in it, or remove dumps with 'dumpctl remove'"
        );
        return Err(Failure::Usage(text));
    }
    let erase = Erase::new(&dumps.lookup.dump);
    let order = paths
        .iter()
        .fold(erase, |erase, path| erase.path(path.clone()));
    let desk = Desk::open(&settings.session);
    let telling = Telling {
        dumps: &dumps,
        settings,
    };
    if options.dry_run || !options.force && !paths.is_empty() {
        let ended = match unless_agreed(options, &order, &desk, &telling) {
            Ok(ended) => ended,
            Err(failure) => return desk.fail(WORD, &failure, desk::UNCHANGED),
        };
        if let Some(exit) = ended {
            return Ok(exit);
        }
    }
    let done = desk.work(&dumps.lookup.dump, |run| order.options(run).run());
    let erasure = match done {
        Ok(erasure) => erasure,
        Err(error) => return desk.fail(WORD, &dumps::failed(error, dumps.lookup), STOPPED),
    };
    if paths.is_empty() && !erasure.finished {
        return Err(unnamed());
    }
    if !is_found(&erasure) && !erasure.finished && !erasure.stopped {
        return Err(telling.none(&erasure));
    }
    let exit = exit_of(&erasure, &desk);
    telling.tell(&erasure, exit)?;
    Ok(exit)
}

/// Plans, and asks whether that is to be done. How it ends otherwise: a dry run
/// with the plan.
fn unless_agreed(
    options: &Options,
    order: &Erase,
    desk: &Desk,
    telling: &Telling<'_>,
) -> Result<Option<Exit>, Failure> {
    let lookup = telling.dumps.lookup;
    let plan = desk.work(&lookup.dump, |run| {
        order.clone().options(run).dry_run(true).run()
    });
    let plan = plan.map_err(|error| dumps::failed(error, lookup))?;
    if !is_found(&plan) && !plan.finished {
        return Err(match plan.paths.is_empty() {
            true => unnamed(),
            false => telling.none(&plan),
        });
    }
    if options.dry_run {
        warn_if_closed(&lookup.dump);
        telling.tell(&plan, Exit::Done)?;
        return Ok(Some(Exit::Done));
    }
    if !is_found(&plan) {
        // What is left to do was agreed to before it was cut off.
        return Ok(None);
    }
    if !can_ask() {
        let text = "there is no terminal to ask on; --force erases without asking";
        return Err(Failure::Failed(text.to_owned()));
    }
    desk.unless_agreed(WORD, &telling.question(&plan))
}

fn unnamed() -> Failure {
    Failure::Usage("name the path to erase (see 'dumpctl erase --help')".to_owned())
}

/// Has, or had, a dump one of the paths?
fn is_found(erasure: &Erasure) -> bool {
    let has = |path: &ErasedPath| path.expired || !path.dumps.is_empty();
    !erasure.left.is_empty() || erasure.paths.iter().any(has)
}

fn exit_of(erasure: &Erasure, desk: &Desk) -> Exit {
    match (erasure.stopped, erasure.is_complete()) {
        (true, _) => desk.stopped_by(),
        (_, true) => Exit::Done,
        _ if erasure.names == 0 && !erasure.left.is_empty() => Exit::Failed,
        _ => Exit::Partial,
    }
}

/// The distinct paths that the patterns match; of what is in one that matches, not
/// each.
fn matching(dumps: &Dumps<'_>, given: &[PathBuf]) -> Result<Vec<RelPath>, Failure> {
    if given.is_empty() {
        let text = "name a pattern, such as '*.pst' (see 'dumpctl erase --help')";
        return Err(Failure::Usage(text.to_owned()));
    }
    let trees = dumps::trees(dumps.lookup);
    let mut find = dumps.lookup.navigator.find();
    for pattern in given {
        let test = patterns::test(pattern.as_os_str(), Style::default(), &trees);
        let test = test.map_err(|why| {
            let pattern = Printable::path(pattern);
            Failure::Usage(format!("'{pattern}': {why}"))
        })?;
        find = find.test(test);
    }
    let catalog = dumps.catalog("looking through the dumps");
    let mut found: Vec<RelPath> = Vec::new();
    let report = find.run(catalog.as_ref(), &mut |path| {
        found.push(path.path);
        ControlFlow::Continue(())
    });
    let report = report.map_err(|error| dumps::failed(error, dumps.lookup))?;
    if let Some(fault) = report.faults.first() {
        return Err(Failure::Failed(format!(
            "nothing was erased, since not all dumps could be searched: {}",
            Chain(fault)
        )));
    }
    found.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    found.dedup();
    let all = found.clone();
    found.retain(|path| {
        let above = path.as_path().ancestors().skip(1);
        let mut above = above.map(|above| above.as_os_str().as_encoded_bytes());
        !above.any(|above| all.iter().any(|other| other.as_bytes() == above))
    });
    match found.is_empty() {
        true => Err(Failure::Failed(
            "no dump has a path that matches".to_owned(),
        )),
        false => Ok(found),
    }
}

/// Says what is erased, and what still has it.
struct Telling<'a> {
    dumps: &'a Dumps<'a>,
    settings: &'a Settings,
}

impl Telling<'_> {
    fn none(&self, erasure: &Erasure) -> Failure {
        let paths = erasure.paths.iter().map(|path| self.shown(&path.path));
        let paths = paths.collect::<Vec<_>>().join(", ");
        let root = Printable::path(&self.dumps.lookup.dump);
        Failure::Failed(format!("no dump in {root} has {paths}"))
    }

    fn shown(&self, path: &RelPath) -> String {
        Printable::path(&self.dumps.shown(path)).to_string()
    }

    /// The plan, and whether to carry it out.
    fn question(&self, plan: &Erasure) -> String {
        let mut text = String::new();
        for line in self.lines(plan) {
            text.push_str(&format!("{line}\n"));
        }
        for line in self.still(plan) {
            text.push_str(&format!("{line}\n"));
        }
        let freed = figures::bytes(plan.freed_bytes);
        let them = match plan.paths.len() {
            1 => "it".to_owned(),
            number => format!("these {number} paths"),
        };
        let name = PROGRAM.name;
        format!("\n{text}{name}: erase {them} for good, and free {freed}?")
    }

    fn lines(&self, plan: &Erasure) -> Vec<String> {
        let line = |path: &ErasedPath| {
            let shown = self.shown(&path.path);
            match path.dumps.as_slice() {
                [] if plan.finished => format!("  {shown}: in no dump any more"),
                [] if path.expired => format!("  {shown}: in a dump that has expired"),
                [] => format!("  {shown}: in no dump"),
                [one] => format!("  {shown}: in 1 dump, {one}"),
                [first, .., last] => {
                    format!(
                        "  {shown}: in {} dumps, {first} to {last}",
                        path.dumps.len()
                    )
                }
            }
        };
        let mut lines: Vec<String> = plan.paths.iter().take(NAMED).map(line).collect();
        // With patterns each is listed, however many there are.
        lines.extend(plan.paths.iter().skip(NAMED).map(line));
        lines
    }

    /// What still has it afterwards.
    fn still(&self, erasure: &Erasure) -> Vec<String> {
        let mut lines = Vec::new();
        for path in &erasure.paths {
            let now = self.dumps.lookup.navigator.main_path(&path.path);
            if let Some(now) = now.filter(|now| now.symlink_metadata().is_ok()) {
                let rule = exclude_rule(&path.path);
                let now = Printable::path(&now);
                lines.push(format!(
                    "{now} is still there, and the next dump has it again: remove it, or \
                     exclude it with the line {rule}"
                ));
            }
        }
        if erasure.other_names > 0 {
            let files = match erasure.other_names {
                1 => "1 file has".to_owned(),
                number => format!("{number} files have"),
            };
            lines.push(format!(
                "{files} other names in the dumps (hard links), which stay: erase these, too"
            ));
        }
        lines.push(
            "replicas and off-site copies still have it: erase it there, too (--dump DIR)"
                .to_owned(),
        );
        lines.push("the freed blocks are not overwritten".to_owned());
        lines
    }

    fn tell(&self, erasure: &Erasure, exit: Exit) -> Result<(), Failure> {
        for left in &erasure.left {
            let path = dumpcli::absolute(&left.path);
            tracing::error!(
                DUMP_PATH = %Printable::path(&path),
                DUMP_STATUS = left.reason.as_str(),
                "kept {}: {}", Printable::path(&path), left.reason
            );
        }
        // What was stopped, the next erasure finishes, and the catalog with it.
        if let CatalogAfter::Failed(why) = &erasure.catalog
            && !erasure.stopped
        {
            tracing::error!(
                "the catalog may still know what was erased: {why}; then run \
                 'dumpctl catalog rebuild'"
            );
        }
        if !erasure.dry_run {
            let root = Printable::path(&self.dumps.lookup.dump);
            for path in erasure.paths.iter().filter(|path| !path.dumps.is_empty()) {
                tracing::info!(
                    target: logging::REPORTED,
                    "erased {} from {} dumps of {root}", path.path, path.dumps.len()
                );
            }
        }
        if self.settings.session.json {
            return screen::print(&format!("{}\n", Value::Object(self.object(erasure, exit))));
        }
        if self.settings.session.quiet {
            return Ok(());
        }
        let (names, freed) = (erasure.names, figures::bytes(erasure.freed_bytes));
        let entries = format!("{names} entries, {freed} freed");
        let mut text = match (erasure.dry_run, erasure.finished) {
            (true, false) => format!("dry run: would erase {entries}\n"),
            (true, true) => {
                format!("dry run: would continue an earlier erasure, and erase {entries}\n")
            }
            (false, false) => format!("erased {entries}\n"),
            (false, true) if !erasure.left.is_empty() => {
                format!("continued an earlier erasure, and erased {entries}\n")
            }
            (false, true) if names == 0 => {
                "finished an earlier erasure; no dump had any of it left\n".to_owned()
            }
            (false, true) => format!("finished an earlier erasure, and erased {entries}\n"),
        };
        if !erasure.left.is_empty() && exit != Exit::Failed {
            text.push_str("what was left goes with the next 'dumpctl erase'\n");
        }
        for line in self.lines(erasure).into_iter().chain(self.still(erasure)) {
            text.push_str(&line);
            text.push('\n');
        }
        screen::print(&text)
    }

    fn object(&self, erasure: &Erasure, exit: Exit) -> Map<String, Value> {
        let mut object = desk::head(WORD, exit);
        let root = self.dumps.lookup.absolute(&self.dumps.lookup.dump);
        json::put_path(&mut object, "dump_root", Some(&root));
        object.insert("dry_run".into(), erasure.dry_run.into());
        let paths = erasure.paths.iter().map(|path| {
            let mut object = Map::new();
            let shown = self.dumps.shown(&path.path);
            json::put_path(&mut object, "path", Some(&shown));
            let names = path.dumps.iter().map(ToString::to_string);
            object.insert("dumps".into(), names.collect());
            object.insert("expired".into(), path.expired.into());
            let now = self.dumps.lookup.navigator.main_path(&path.path);
            let is_there = now.is_some_and(|now| now.symlink_metadata().is_ok());
            object.insert("in_tree".into(), is_there.into());
            let rule = is_there.then(|| exclude_rule(&path.path));
            object.insert("exclude".into(), rule.into());
            Value::Object(object)
        });
        object.insert("paths".into(), paths.collect());
        let left = erasure.left.iter().map(|left| {
            let mut object = Map::new();
            object.insert("name".into(), left.dump.to_string().into());
            json::put_path(&mut object, "path", Some(&dumpcli::absolute(&left.path)));
            object.insert("reason".into(), left.reason.as_str().into());
            Value::Object(object)
        });
        object.insert("left".into(), left.collect());
        object.insert("entries".into(), erasure.names.into());
        object.insert("freed_bytes".into(), erasure.freed_bytes.into());
        object.insert("other_names".into(), erasure.other_names.into());
        let catalog = match &erasure.catalog {
            CatalogAfter::Erased => "erased",
            CatalogAfter::Failed(_) => "failed",
            _ => "none",
        };
        object.insert("catalog".into(), catalog.into());
        object.insert("finished".into(), erasure.finished.into());
        let mut faults = erasure.faults.clone();
        faults.iter_mut().for_each(json::fault_absolute);
        object.insert("faults".into(), json::value(&faults));
        object.insert("faults_total".into(), erasure.faults_total.into());
        object
    }
}

/// The rule that keeps a path out of dumps.
fn exclude_rule(path: &RelPath) -> String {
    let special = |byte: u8| b"*?[\\".contains(&byte);
    let bytes = path.as_bytes().iter();
    let bytes = bytes.flat_map(|byte| special(*byte).then_some(b'\\').into_iter().chain([*byte]));
    let bytes: Vec<u8> = bytes.collect();
    format!("/{}", String::from_utf8_lossy(&bytes))
}
