//! What `dumpctl prune` shows: the plan, the question, what was done.

use std::path::Path;

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::paging::Out;
use dumpcli::{figures, json, pruning, screen};
use dumpcore::chrono::{DateTime, Utc};
use dumpcore::{DumpId, Goes, GoesFor, KeepBrake, KeepReason, PrunePlan, Pruned};
use serde_json::{Map, Value, json};

use crate::common::Settings;
use crate::desk;
use crate::dumps::{self, dumps_of};
use crate::program::PROGRAM;
use crate::removal_report;
use crate::table::{Set, Table};

pub(crate) const WORD: &str = "prune";
/// How many dumps are named in a question, at most.
const NAMED: usize = 20;

/// The plan of a dry run: each dump with its reasons.
pub(crate) fn tell_plan(root: &Path, plan: &PrunePlan, settings: &Settings) -> Result<(), Failure> {
    if settings.session.json {
        let mut object = head(root, plan, Exit::Done);
        object.insert("dry_run".into(), true.into());
        object.insert("freed_bytes".into(), json::value(&plan.freed_bytes));
        return screen::print(&format!("{}\n", Value::Object(object)));
    }
    if settings.session.quiet {
        return Ok(());
    }
    let mut table = Table::new(
        &[Set::Left, Set::Left, Set::Right, Set::Left],
        &["", "NAME", "AGE", "KEPT BY"],
    );
    for (dump, moment, fate, why) in all(plan) {
        let age = dumps::age(moment, Utc::now());
        table.row(vec![fate.to_owned(), dump.to_string(), age, why]);
    }
    let mut out = Out::open();
    if !dumps::table(&mut out, &table)? {
        return dumps::close(out);
    }
    let mut end = format!("dry run: {}", would(plan));
    if let Some(brake) = &plan.brake {
        end.push_str(&unwatched(brake));
    }
    dumps::line(&mut out, &end)?;
    dumps::close(out)
}

/// All dumps, the oldest first, what becomes of each, and why.
fn all(plan: &PrunePlan) -> Vec<(DumpId, Option<DateTime<Utc>>, &'static str, String)> {
    let keep = plan.keep.iter().map(|kept| {
        let why = reasons(&kept.reasons);
        (kept.dump, kept.moment, "keep", why)
    });
    let goes = |goes: &Goes| (goes.dump, goes.moment, "remove", why(goes).to_owned());
    let mut all: Vec<_> = keep.chain(plan.remove.iter().map(goes)).collect();
    all.sort_by_key(|(dump, moment, ..)| (*moment, dump.name()));
    all
}

fn why(goes: &Goes) -> &'static str {
    match goes.why {
        GoesFor::Room => "(lack of room)",
        _ => "-",
    }
}

pub(crate) fn reasons(reasons: &[KeepReason]) -> String {
    let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn nothing_to_remove(stay: usize) -> String {
    let verb = if stay == 1 { "stays" } else { "stay" };
    format!("nothing to remove; {} {verb}", dumps_of(stay as u64))
}

/// `would remove 3 of 10 dumps and free 1.2 GiB; 7 stay`
fn would(plan: &PrunePlan) -> String {
    let (goes, stay) = (plan.remove.len(), plan.keep.len());
    let all = goes + stay;
    if goes == 0 {
        return nothing_to_remove(all);
    }
    let freed = match plan.freed_bytes {
        Some(freed) => format!(" and free {}", figures::bytes(freed)),
        None => String::new(),
    };
    format!(
        "would remove {goes} of {}{freed}; {stay} stay",
        dumps_of(all as u64)
    )
}

/// What a run does that nobody watches.
fn unwatched(brake: &KeepBrake) -> String {
    format!(
        "\n{} would go at once: without a terminal nothing is removed then, unless --force is \
         given",
        pruning::too_many(brake)
    )
}

/// What goes, and whether to remove it.
pub(crate) fn question(plan: &PrunePlan) -> String {
    let goes = plan.remove.len();
    let mut table = Table::new(&[Set::Left, Set::Right, Set::Left], &["", "", ""]);
    for one in plan.remove.iter().take(NAMED) {
        let why = match one.why {
            GoesFor::Room => why(one),
            _ => "",
        };
        let name = format!("  {}", one.dump);
        let age = dumps::age(one.moment, Utc::now());
        table.row(vec![name, age, why.to_owned()]);
    }
    let mut text = String::from("no policy keeps:\n");
    for line in table.lines(None) {
        text.push_str(&line);
        text.push('\n');
    }
    if let more @ 1.. = goes.saturating_sub(NAMED) {
        text.push_str(&format!(
            "  and {more} more; 'dumpctl prune -n' shows all\n"
        ));
    }
    let freed = match plan.freed_bytes {
        Some(freed) => format!(", and free {}", figures::bytes(freed)),
        None => String::new(),
    };
    let all = goes + plan.keep.len();
    let which = if goes == 1 { "this one" } else { "these" };
    text.push_str(&format!(
        "{}: remove {which} {of}{all} dumps{freed}?",
        PROGRAM.name,
        of = if goes == 1 {
            "of ".to_owned()
        } else {
            format!("{goes} of ")
        },
    ));
    text
}

/// What became of it, in the log and on the screen.
pub(crate) fn tell(
    root: &Path,
    pruned: &Pruned,
    settings: &Settings,
    exit: Exit,
) -> Result<(), Failure> {
    if pruned.is_braked()
        && let Some(brake) = &pruned.plan.brake
    {
        tracing::error!(DUMP_STATUS = exit.status(), "{}", pruning::braked(brake));
    }
    if let Some(removal) = &pruned.removal {
        removal_report::tell_left(&removal.left);
        removal_report::log(&removal.removed, exit);
    }
    if settings.session.json {
        return screen::print(&format!("{}\n", object(root, pruned, exit)));
    }
    let Some(removal) = pruned.removal.as_ref().filter(|_| !settings.session.quiet) else {
        return Ok(());
    };
    let mut text = String::new();
    if settings.verbose {
        for removed in &removal.removed {
            let (dump, names) = (removed.dump, removed.names);
            text.push_str(&removal_report::removed(dump, names, removed.freed_bytes));
            text.push('\n');
        }
    }
    text.push_str(&removal_report::finished(removal));
    text.push_str(&removal_report::remaining(removal));
    let stay = pruned.plan.keep.len() + removal.left.len() + removal.remaining.len();
    text.push_str(&match removal.removed.len() {
        0 => nothing_to_remove(stay) + "\n",
        removed => format!(
            "removed {}, {} freed; {stay} stay\n",
            dumps_of(removed as u64),
            figures::bytes(removal.freed_bytes)
        ),
    });
    screen::print(&text)
}

/// What was done, for machines.
fn object(root: &Path, pruned: &Pruned, exit: Exit) -> Value {
    let mut object = head(root, &pruned.plan, exit);
    object.insert("dry_run".into(), false.into());
    let freed = pruned
        .removal
        .as_ref()
        .map_or(0, |removal| removal.freed_bytes);
    object.insert("freed_bytes".into(), freed.into());
    if let Some(removal) = &pruned.removal {
        object.extend(removal_report::object(removal));
    }
    Value::Object(object)
}

/// The plan.
fn head(root: &Path, plan: &PrunePlan, exit: Exit) -> Map<String, Value> {
    let mut object = desk::head(WORD, exit);
    json::put_path(&mut object, "dump_root", Some(&dumpcli::absolute(root)));
    let keep = plan.keep.iter().map(|kept| {
        let reasons: Vec<&str> = kept.reasons.iter().map(KeepReason::as_str).collect();
        json!({ "name": kept.dump.to_string(), "reasons": reasons })
    });
    object.insert("keep".into(), keep.collect());
    let remove = plan.remove.iter();
    let remove =
        remove.map(|goes| json!({ "name": goes.dump.to_string(), "why": goes.why.as_str() }));
    object.insert("remove".into(), remove.collect());
    let brake = plan.brake.as_ref().map(|brake| {
        let tree = brake.tree.as_ref().map(|tree| tree.to_string_lossy());
        json!({ "tree": tree, "remove": brake.goes, "of": brake.of, "why": brake.why.as_str() })
    });
    object.insert("brake".into(), json::value(&brake));
    let shortage = plan.shortage.map(|shortage| {
        json!({
            "wanted_bytes": shortage.wanted_bytes,
            "free_bytes": shortage.free_bytes,
            "wanted_inodes": shortage.wanted_inodes,
            "free_inodes": shortage.free_inodes,
            "could_free_bytes": shortage.could_free_bytes,
            "met": shortage.is_met,
        })
    });
    object.insert("shortage".into(), json::value(&shortage));
    let alone = plan.left_alone.iter().map(|(tree, dumps)| {
        let tree = tree.to_string_lossy();
        json!({ "tree": tree, "dumps": dumps })
    });
    object.insert("without_policy".into(), alone.collect());
    object
}
