//! `dumpctl catalog`: what is remembered between runs, made again, and compared
//! with the dumps.

use std::path::Path;

use clap::{Args, ValueEnum};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{CatalogDifference, CatalogRebuilt, CatalogStatus, CatalogTools, Chain, Printable};
use serde_json::{Map, Value};

use crate::common::{Settings, typed_rebuild};
use crate::desk::{self, Desk};

const WORD: &str = "catalog";
const STOPPED: &str = "stopped; the catalog is as it was";

const HELP: &str = "\
The catalog is what `dumpme` remembers between runs: which file each dump has under
which name. It makes dumps fast, and answers questions over all dumps at once. It is
never needed: without it dumps are complete, and it can be made again from them.

What to do:
  status   its size, what it knows, and whether it knows all dumps
  rebuild  make it again from the dumps; hashes of contents are taken over from the
           old one where that can be read
  check    compare it with the newest dump of each tree, or with --all with all dumps

Examples:
  dumpctl catalog                  show its state
  dumpctl catalog rebuild          make it again, after it was damaged
  dumpctl catalog check --all      compare every name in every dump with it

Exit codes:
  0         done; check: it is as the dumps are
  1         failed: there is no catalog, say
  2         wrong usage: options or configuration
  3         check: it differs from the dumps; each difference is named
  23        rebuild: partly done; each dump that could not be read is named
  75        a run is using this dump root
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): nothing was changed";

/// Show what is remembered between runs, make it again, or compare it with the
/// dumps.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// What to do: status, rebuild or check [default: status]
    #[arg(value_name = "WHAT", value_enum, hide_possible_values = true)]
    what: Option<What>,
    /// With check: all dumps, not only the newest of each tree
    #[arg(long)]
    all: bool,
    /// With rebuild: change nothing; show which dumps would be recorded
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Its size, what it knows, and whether it knows all dumps
    Status,
    /// Make it again from the dumps
    Rebuild,
    /// Compare it with the dumps
    Check,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    let what = options.what.unwrap_or(What::Status);
    let done = match what {
        _ if options.all && what != What::Check => wrong("--all is for 'dumpctl catalog check'"),
        _ if options.dry_run && what != What::Rebuild => {
            wrong("--dry-run is for 'dumpctl catalog rebuild'")
        }
        What::Status => status(settings),
        What::Rebuild => rebuild(options.dry_run, settings),
        What::Check => check(options.all, settings),
    };
    done.or_else(|failure| desk::fail(WORD, &failure, settings.session.json))
}

fn wrong(text: &str) -> Result<Exit, Failure> {
    Err(Failure::Usage(text.to_owned()))
}

fn tools(settings: &Settings) -> CatalogTools {
    CatalogTools::new(&settings.dump.value).options(settings.session.run_options())
}

/// What every object of this word begins with.
fn head(settings: &Settings, what: What, exit: Exit) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    let what = what.to_possible_value().map(|what| what.get_name().into());
    object.insert("what".into(), what.unwrap_or(Value::Null));
    let root = dumpcli::absolute(&settings.dump.value);
    json::put_path(&mut object, "dump_root", Some(&root));
    object
}

fn print(object: Map<String, Value>) -> Result<(), Failure> {
    screen::print(&format!("{}\n", Value::Object(object)))
}

fn status(settings: &Settings) -> Result<Exit, Failure> {
    let found = tools(settings).status();
    let found = found.map_err(|e| settings.explained(e))?;
    let mut status = found.ok_or_else(|| {
        let root = Printable::path(&settings.dump.value);
        let rebuild = typed_rebuild(&settings.dump.value);
        let text = format!(
            "{root} has no catalog; the next 'dumpme' begins one, and '{rebuild}' makes one \
             from the dumps that there are"
        );
        Failure::Failed(text)
    })?;
    if settings.session.json {
        let mut object = head(settings, What::Status, Exit::Done);
        status.path = dumpcli::absolute(&status.path);
        object.extend(json::object(&status));
        print(object)?;
    } else if !settings.session.quiet {
        screen::print(&status_text(&status, &typed_rebuild(&settings.dump.value)))?;
    }
    Ok(Exit::Done)
}

fn status_text(status: &CatalogStatus, rebuild: &str) -> String {
    let size = figures::bytes(status.size_bytes);
    let mut text = format!("{}: {size}\n", Printable::path(&status.path));
    for (number, what) in [
        (status.dumps, "dumps"),
        (status.names, "names in the newest dumps"),
        (status.past_names, "older versions of names"),
        (status.inodes, "files and other inodes in the dumps"),
        (status.hashes, "of them with a hash of their contents"),
        (status.sources, "of them with a known source"),
    ] {
        text.push_str(&format!("{what:<42}{number:>12}\n"));
    }
    for tree in &status.trees {
        let name = Printable::path(&tree.name);
        let head = match tree.head {
            Some(head) => format!(
                "the newest of {} is {head}: {} entries, {}",
                dumps(tree.dumps),
                tree.entries,
                figures::bytes(tree.bytes)
            ),
            None => "no dump has it any more".to_owned(),
        };
        text.push_str(&format!("tree {name}: {head}\n"));
    }
    if status.is_whole() {
        text.push_str("it knows all dumps, and no others\n");
    }
    for (which, said) in [
        (&status.not_recorded, "on disk, and not in the catalog"),
        (&status.not_on_disk, "in the catalog, and not on disk"),
    ] {
        if let [first, ..] = which.as_slice() {
            let number = dumps(which.len() as u64);
            let more = if which.len() > 1 { ", the first" } else { "" };
            text.push_str(&format!("{number} {said}{more}: {first}\n"));
        }
    }
    if !status.is_whole() {
        text.push_str(&format!("the next dump mends that, or '{rebuild}'\n"));
    }
    text
}

fn dumps(number: u64) -> String {
    match number {
        1 => "1 dump".to_owned(),
        number => format!("{number} dumps"),
    }
}

fn rebuild(dry_run: bool, settings: &Settings) -> Result<Exit, Failure> {
    let desk = Desk::open(&settings.session);
    let dump = &settings.dump.value;
    let tools = |run| tools(settings).options(run).dry_run(dry_run);
    let rebuilt = desk.work(dump, |run| tools(run).rebuild());
    let rebuilt = match rebuilt {
        Ok(rebuilt) => rebuilt,
        Err(error) => return desk.fail(WORD, &settings.explained(error), STOPPED),
    };
    let exit = match rebuilt.left_out.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    };
    log_rebuilt(dump, &rebuilt, exit);
    if settings.session.json {
        let mut object = head(settings, What::Rebuild, exit);
        object.extend(json::object(&rebuilt));
        print(object)?;
    } else if !settings.session.quiet {
        let recorded = dumps(rebuilt.dumps);
        let hashes = match rebuilt.kept_old {
            true => "hashes were taken over from the old catalog",
            false => "there was no old catalog to take hashes from",
        };
        let text = match dry_run {
            true => format!("dry run: would record {recorded}\n"),
            false => format!("recorded {recorded}; {hashes}\n"),
        };
        screen::print(&text)?;
    }
    Ok(exit)
}

fn log_rebuilt(dump: &Path, rebuilt: &CatalogRebuilt, exit: Exit) {
    let root = dumpcli::absolute(dump);
    for (left_out, error) in &rebuilt.left_out {
        tracing::error!(
            DUMP_PATH = %Printable::path(&root.join(left_out.path())),
            "{left_out} is not in the catalog: {}", Chain(error)
        );
    }
    if !rebuilt.dry_run {
        tracing::info!(
            target: logging::REPORTED,
            DUMP_PATH = %Printable::path(&root),
            DUMP_STATUS = exit.status(),
            DUMP_EXIT = exit.code(),
            "finished rebuilding the catalog of {}: {}",
            Printable::path(&root),
            dumps(rebuilt.dumps)
        );
    }
}

fn check(all: bool, settings: &Settings) -> Result<Exit, Failure> {
    let desk = Desk::open(&settings.session);
    let dump = &settings.dump.value;
    let checked = desk.work(dump, |run| tools(settings).options(run).all(all).check());
    let differences = match checked {
        Ok(differences) => differences,
        Err(error) => return desk.fail(WORD, &settings.explained(error), STOPPED),
    };
    let exit = match differences.is_empty() {
        true => Exit::Done,
        false => Exit::Attention,
    };
    if settings.session.json {
        print(checked_object(settings, all, &differences, exit))?;
        return Ok(exit);
    }
    for difference in &differences {
        screen::print(&format!("{}: {}\n", place(difference), difference.how))?;
    }
    if settings.session.quiet {
        return Ok(exit);
    }
    let compared = match all {
        true => "all dumps",
        false => "the newest dump of each tree",
    };
    let text = match differences.len() {
        0 => format!("the catalog is as {compared}\n"),
        number => {
            let rebuild = typed_rebuild(&settings.dump.value);
            let things = if number == 1 {
                "difference"
            } else {
                "differences"
            };
            format!("{number} {things}; '{rebuild}' makes the catalog again\n")
        }
    };
    screen::print(&text)?;
    Ok(exit)
}

/// Where in the dump root a difference is.
fn place(difference: &CatalogDifference) -> String {
    let dump = difference.dump.path();
    let path = match &difference.path {
        Some(path) => Path::new(&dump).join(path),
        None => dump,
    };
    Printable::path(&path).to_string()
}

fn checked_object(
    settings: &Settings,
    all: bool,
    differences: &[CatalogDifference],
    exit: Exit,
) -> Map<String, Value> {
    let mut object = head(settings, What::Check, exit);
    object.insert("all".into(), all.into());
    let each = differences.iter().map(|difference| {
        let mut difference = difference.clone();
        if let Some(path) = &mut difference.path {
            let dump = settings.dump.value.join(difference.dump.path());
            *path = dumpcli::absolute(&dump.join(&path));
        }
        json::value(&difference)
    });
    object.insert("differences".into(), each.collect());
    object
}
