//! `dumpctl remove`: removes dumps.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::question::can_ask;
use dumpcli::session::warn_if_closed;
use dumpcli::{figures, json, screen};
use dumpcore::{DumpId, DumpRoot, Removal, Remove, Removed};
use serde_json::Value;

use crate::common::Settings;
use crate::desk::{self, Desk};
use crate::program::PROGRAM;
use crate::removal_report::{self as report, STOPPED, entries, stays};

const WORD: &str = "remove";

const HELP: &str = "\
Examples:
  dumpctl remove 2025/0101/0000            remove one dump, after a question
  dumpctl remove -n /dump/2025/0101/*      show what that would remove and free
  dumpctl remove --force 2025/0101/0000    remove without asking, from a script

Exit codes:
  0         done, all of them were removed; or the answer was no
  1         failed: nothing was removed
  2         wrong usage: options, configuration, or a day instead of a dump
  23        partly done: each dump or file that was left is named
  75        a run is using this dump root
  130, 143  stopped by SIGINT (130), SIGTERM or SIGHUP (143): the next run
            finishes what was begun; the dumps that it did not come to are named";

/// Remove dumps. No other dump needs them.
///
/// Each dump is first moved to `.dump/removing` by one rename and then removed
/// there, so there is never half a dump under a dump's name. If a removal is
/// interrupted, the next run of any program finishes it. The dumps that
/// `current`, `current_chk` or a pin (a symlink in the dump root to a dump)
/// point to are never removed, nor is the last complete dump of a tree. A dump
/// that a running `chkptme` or `dumpslave` is reading is not removed either.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Options {
    /// Dump to remove: its name (2025/0101/0000, first), its path, or a pin
    #[arg(value_name = "DUMP", value_hint = ValueHint::DirPath)]
    dumps: Vec<OsString>,
    /// Change nothing; show what would be removed and how much that would free
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Remove without asking, and also remove `first`, a copy made by hand
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    match decided(options, settings) {
        Ok(exit) => Ok(exit),
        Err(failure) => desk::fail(WORD, &failure, settings.session.json),
    }
}

/// What is to go, asked about where somebody can be asked.
fn decided(options: &Options, settings: &Settings) -> Result<Exit, Failure> {
    // Not for the parser to say, which does not see a --print-config before
    // the word.
    if options.dumps.is_empty() {
        let text = "name the dump to remove (see 'dumpctl remove --help')";
        return Err(Failure::Usage(text.to_owned()));
    }
    let root = DumpRoot::open(&settings.dump.value).map_err(|e| settings.explained(e))?;
    let dumps = options.dumps.iter();
    let dumps = dumps.map(|what| settings.find(&root, what));
    let dumps = dumps.collect::<Result<Vec<DumpId>, _>>()?;
    let order = || {
        let remove = Remove::new(&settings.dump.value).first_copy(options.force);
        let remove = remove.count_users(true);
        dumps.iter().fold(remove, |remove, dump| remove.dump(*dump))
    };
    let desk = Desk::open(&settings.session);
    let mut told = Vec::new();
    if !options.dry_run && !options.force {
        if !can_ask() {
            return Err(Failure::Failed(
                "there is no terminal to ask on; --force removes without asking".into(),
            ));
        }
        let planned = desk.work(&settings.dump.value, |run| {
            order().options(run).dry_run(true).run()
        });
        let plan = match planned {
            Ok(plan) => plan,
            Err(error) => return desk.fail(WORD, &settings.explained(error), desk::UNCHANGED),
        };
        if !plan.removed.is_empty() {
            if let Some(exit) = desk.unless_agreed(WORD, &question(&plan))? {
                return Ok(exit);
            }
            told.extend(plan.left.iter().map(stays));
        }
    }
    if settings.session.verbose > 0 {
        tell_of_links(&root)?;
    }
    let done = desk.work(&settings.dump.value, |run| {
        if options.dry_run {
            warn_if_closed(&settings.dump.value);
        }
        order().options(run).dry_run(options.dry_run).run()
    });
    let removal = match done {
        Ok(removal) => removal,
        Err(error) => return desk.fail(WORD, &settings.explained(error), STOPPED),
    };
    let exit = exit_of(&removal, &desk);
    tell(&removal, &told, settings, exit)?;
    Ok(exit)
}

/// Says which links look like pins and keep no dump.
fn tell_of_links(root: &DumpRoot) -> Result<(), Failure> {
    let links = root.links_that_are_not_pins();
    for link in links.map_err(dumpcore::Error::from)? {
        tracing::info!("{link}");
    }
    Ok(())
}

/// The plan, and whether to carry it out.
fn question(plan: &Removal) -> String {
    let mut text = String::new();
    for left in &plan.left {
        text.push_str(&format!("{}\n{}: ", stays(left), PROGRAM.name));
    }
    let freed = figures::bytes(plan.freed_bytes);
    match plan.removed.as_slice() {
        [one] => {
            let dump = one.dump;
            text.push_str(&match uses(one) {
                Some(uses) => format!("{dump} frees {freed}: {uses}; remove it?"),
                None => format!("remove {dump}, and free {freed}?"),
            });
        }
        several => {
            let number = several.len();
            text.push_str(&format!("{number} dumps:\n"));
            for removed in several {
                let (dump, names) = (removed.dump, removed.names);
                let freed = figures::bytes(removed.freed_bytes);
                let line = format!("  {dump}: {}, {freed} to free", entries(names));
                text.push_str(&with_uses(line, removed));
                text.push('\n');
            }
            let name = PROGRAM.name;
            text.push_str(&format!(
                "{name}: remove these {number} dumps, and free {freed}?"
            ));
        }
    }
    text
}

fn exit_of(removal: &Removal, desk: &Desk) -> Exit {
    let protected = removal.left.iter().all(|left| left.reason.is_protection());
    if removal.stopped || desk.is_stopped() && !removal.is_complete() {
        desk.stopped_by()
    } else if removal.is_complete() {
        Exit::Done
    } else if removal.removed.is_empty() && removal.faults_total == 0 && protected {
        Exit::Failed
    } else {
        Exit::Partial
    }
}

/// What became of it, in the log and on the screen. What the question has
/// `told` already is not repeated.
fn tell(
    removal: &Removal,
    told: &[String],
    settings: &Settings,
    exit: Exit,
) -> Result<(), Failure> {
    let left = removal.left.iter();
    report::tell_left(left.filter(|left| !told.contains(&stays(left))));
    if !removal.dry_run {
        report::log(&removal.removed, exit);
    }
    if settings.session.json {
        return screen::print(&format!("{}\n", object(removal, settings, exit)));
    }
    if settings.session.quiet {
        return Ok(());
    }
    let mut text = String::new();
    for removed in &removal.removed {
        text.push_str(&line(removed, removal.dry_run));
        text.push('\n');
    }
    text.push_str(&report::remaining(removal));
    text.push_str(&report::finished(removal));
    screen::print(&text)
}

fn line(removed: &Removed, dry_run: bool) -> String {
    let (dump, names) = (removed.dump, removed.names);
    let freed = figures::bytes(removed.freed_bytes);
    match (dry_run, removed.whole) {
        (true, _) => with_uses(
            format!(
                "dry run: would remove {dump}: {}, {freed} freed",
                entries(names)
            ),
            removed,
        ),
        (false, true) => {
            let line = report::removed(dump, names, removed.freed_bytes);
            with_uses(line, removed)
        }
        (false, false) => format!(
            "{dump} is not a dump any more, but not all of it could be removed: \
             {}, {freed} freed; the next run tries again",
            entries(names)
        ),
    }
}

/// Why no more is freed: `212 dumps use its files`.
fn uses(removed: &Removed) -> Option<String> {
    // Only others of its chain use the files of a linked checkpoint.
    let what = match removed.is_linked {
        true => "checkpoint",
        false => "dump",
    };
    match removed.used_by? {
        0 => None,
        1 => Some(format!("1 {what} uses its files")),
        more => Some(format!("{} {what}s use its files", figures::number(more))),
    }
}

fn with_uses(line: String, removed: &Removed) -> String {
    match uses(removed) {
        Some(uses) => format!("{line}: {uses}"),
        None => line,
    }
}

/// What the library writes of it, with absolute paths.
fn object(removal: &Removal, settings: &Settings, exit: Exit) -> Value {
    let mut object = desk::head(WORD, exit);
    let root = dumpcli::absolute(&settings.dump.value);
    json::put_path(&mut object, "dump_root", Some(&root));
    object.extend(report::object(removal));
    Value::Object(object)
}
