//! `dumpctl erase`: takes paths out of all dumps.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::question::can_ask;
use dumpcli::screen;
use dumpcli::session::warn_if_closed;
use dumpcore::{Chain, Erase, ErasedPath, Erasure, Printable, RelPath};

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::dumps::{self, Dumps, Looking};
use crate::erase_report::{Telling, WORD};
use crate::patterns::{self, Style};
use crate::program::PROGRAM;

const STOPPED: &str = "stopped; run 'dumpctl erase' again, which finishes what was begun";

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
        // Stopped before anything was noted; later it says what it did.
        Err(error) => {
            let failure = dumps::failed(error, dumps.lookup);
            return desk.fail(WORD, &failure, desk::UNCHANGED);
        }
    };
    if paths.is_empty() && !erasure.finished {
        return Err(unnamed());
    }
    if !is_found(&erasure) && !erasure.finished && !erasure.stopped {
        return Err(telling.none(&erasure));
    }
    let exit = exit_of(&erasure, &desk);
    telling.tell(&erasure, exit)?;
    if erasure.stopped {
        screen::complain(PROGRAM.name, STOPPED);
    }
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
    let has =
        |path: &ErasedPath| path.expired || !path.dumps.is_empty() || !path.remaining.is_empty();
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
