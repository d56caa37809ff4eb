//! What `dumpctl restore` says: the plan, the question, and what was done.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{figures, json, report, screen};
use dumpcore::{
    Brief, Chain, Merged, Printable, RestoreError, RestorePlan, RestoreReport, Restored,
    WouldRemove,
};
use serde_json::{Map, Value};

use super::options::Options;
use super::version::Item;
use crate::common::Settings;
use crate::desk;
use crate::program::PROGRAM;

pub(super) const WORD: &str = "restore";

/// What becomes of what goes.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    backup: Option<&'a Path>,
    /// Are exclude rules passed over?
    excluded: bool,
}

impl<'a> Words<'a> {
    pub(super) fn of(options: &'a Options) -> Self {
        Self {
            backup: options.backup.as_deref(),
            excluded: options.delete_excluded,
        }
    }
}

/// What would be replaced and deleted, in one sentence; `None`: nothing.
/// `between`: what stands between its parts.
pub(super) fn question(
    items: &[Item<'_>],
    plans: &[Option<RestorePlan>],
    words: Words<'_>,
    between: &str,
) -> Option<String> {
    let plans: Vec<(&Item<'_>, &RestorePlan)> = items
        .iter()
        .zip(plans)
        .filter_map(|(item, plan)| Some((item, plan.as_ref()?)))
        .filter(|(_, plan)| !plan.only_adds())
        .collect();
    let one = |(item, plan): &(&Item<'_>, &RestorePlan)| {
        let (to, version) = (Brief::path(&item.to), Brief::path(&plan.version));
        let changes = changes(plan, words, between);
        format!("restoring {to}{between}from {version}{between}would {changes}")
    };
    match plans.as_slice() {
        [] => None,
        [only] => Some(one(only)),
        several => {
            let lines: Vec<String> = several.iter().map(one).collect();
            Some(lines.join(";\n  "))
        }
    }
}

/// What is replaced and deleted, in words.
fn changes(plan: &RestorePlan, words: Words<'_>, between: &str) -> String {
    let mut parts = Vec::new();
    let goes = match words.backup {
        None => "delete",
        Some(_) => "move away",
    };
    for (word, what) in [("replace", &plan.overwrites), (goes, &plan.removes)] {
        if what.entries > 0 {
            parts.push(format!("{word} {}", named(what)));
        }
    }
    if let Some(last) = parts.last_mut() {
        // The dump does not tell why it lacks something.
        if words.excluded && plan.removes.entries > 0 {
            last.push_str(", also what is excluded from dumps");
        }
        if let Some(backup) = words.backup {
            let _ = write!(last, ", keeping all of it in {}", Brief::path(backup));
        }
    }
    if plan.sets > 0 {
        let sets = listed(directories(plan.sets), plan.sets, &plan.sets_first);
        parts.push(format!("set the attributes of {sets}"));
    }
    parts.join(&format!("{between}and "))
}

/// How many entries, and the first of them.
fn named(what: &WouldRemove) -> String {
    listed(entries(what.entries), what.entries, &what.first)
}

fn listed(number: String, all: u64, first: &[PathBuf]) -> String {
    let paths = first.iter();
    let mut names: Vec<String> = paths.map(|path| Brief::path(path).to_string()).collect();
    if all > names.len() as u64 {
        names.push("…".to_owned());
    }
    format!("{number} ({})", names.join(", "))
}

fn directories(number: u64) -> String {
    match number {
        1 => "1 directory".to_owned(),
        number => format!("{number} directories"),
    }
}

pub(super) fn entries(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        number => format!("{number} entries"),
    }
}

/// Tells what would be done.
pub(super) fn plans(
    items: &[Item<'_>],
    plans: &[Option<RestorePlan>],
    words: Words<'_>,
    settings: &Settings,
) -> Result<Exit, Failure> {
    if settings.session.json {
        let each = items.iter().zip(plans).map(|(item, plan)| {
            let mut object = head(item);
            object.insert("exists".into(), plan.is_some().into());
            let number = |of: fn(&RestorePlan) -> u64| plan.as_ref().map(of);
            object.insert("makes".into(), number(|plan| plan.makes).into());
            let replaces = number(|plan| plan.overwrites.entries);
            object.insert("replaces".into(), replaces.into());
            object.insert("deletes".into(), number(|plan| plan.removes.entries).into());
            object.insert("stays".into(), number(|plan| plan.stays).into());
            object.insert("sets".into(), number(|plan| plan.sets).into());
            let uncompared = number(|plan| plan.uncompared.entries);
            object.insert("uncompared".into(), uncompared.into());
            let mounted = number(|plan| plan.mounted.entries);
            object.insert("mounted".into(), mounted.into());
            let excluded = number(|plan| plan.excluded.entries);
            object.insert("excluded".into(), excluded.into());
            object.insert("stuck".into(), number(|plan| plan.stuck.entries).into());
            Value::Object(object)
        });
        let mut object = desk::head(WORD, Exit::Done);
        object.insert("dry_run".into(), true.into());
        object.insert("restored".into(), each.collect());
        screen::print(&format!("{}\n", Value::Object(object)))?;
    } else if !settings.session.quiet {
        let lines = items.iter().zip(plans).map(|(item, plan)| {
            let (to, version) = (
                Printable::path(&item.to),
                Printable::path(&item.version.path),
            );
            let what = plan.as_ref().map_or_else(
                || "make it, since nothing is there".to_owned(),
                |plan| planned(plan, words),
            );
            format!("dry run: restoring {to} from {version} would {what}\n")
        });
        screen::print(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}

fn planned(plan: &RestorePlan, words: Words<'_>) -> String {
    let mut parts = Vec::new();
    if plan.makes > 0 {
        parts.push(format!("make {}", entries(plan.makes)));
    }
    if !plan.only_adds() {
        parts.push(changes(plan, words, " "));
    }
    if plan.times > 0 {
        parts.push(format!("set the time of {}", directories(plan.times)));
    }
    if plan.uncompared.entries > 0 {
        let uncompared = named(&plan.uncompared);
        parts.push(format!(
            "take {uncompared} as different, since it cannot be compared"
        ));
    }
    if plan.stays > 0 {
        parts.push(format!("leave {} that differ", entries(plan.stays)));
    }
    if plan.mounted.entries > 0 {
        let mounted = named(&plan.mounted);
        parts.push(format!("leave {mounted}, since something is mounted there"));
    }
    if plan.excluded.entries > 0 {
        let excluded = named(&plan.excluded);
        parts.push(format!("leave {excluded}, excluded from dumps"));
    }
    if plan.stuck.entries > 0 {
        let stuck = named(&plan.stuck);
        parts.push(format!(
            "fail to remove {stuck}: something is mounted in it, or it is immutable, or holds \
             what is excluded from dumps"
        ));
    }
    match parts.is_empty() {
        true => "change nothing: all is as in the dump".to_owned(),
        false => parts.join(", "),
    }
}

fn head(item: &Item<'_>) -> Map<String, Value> {
    let mut object = Map::new();
    json::put_path(&mut object, "path", Some(&dumpcli::absolute(&item.to)));
    let version = item.lookup.absolute(&item.version.path);
    json::put_path(&mut object, "version", Some(&version));
    let dump = item.version.dump.map(|dump| dump.to_string());
    object.insert("name".into(), dump.into());
    object
}

/// What was done so far.
pub(super) struct Told<'a> {
    settings: &'a Settings,
    objects: Vec<Value>,
    done: usize,
    failed: usize,
    partial: bool,
}

impl<'a> Told<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            objects: Vec::new(),
            done: 0,
            failed: 0,
            partial: false,
        }
    }

    /// Was all of it done before a signal came?
    pub(super) fn is_whole(&self, items: usize) -> bool {
        self.done == items && !self.partial
    }

    pub(super) fn exit(&self) -> Exit {
        match (self.done, self.failed, self.partial) {
            (_, 0, false) => Exit::Done,
            (0, _, _) => Exit::Failed,
            _ => Exit::Partial,
        }
    }

    pub(super) fn done(&mut self, item: &Item<'_>, done: &Restored) -> Result<(), Failure> {
        self.done += 1;
        match done {
            Restored::Done(report) => self.report(item, report),
            _ => self.say(
                item,
                "same",
                |object| object,
                "it is the same as in the dump",
            ),
        }
    }

    pub(super) fn failed(&mut self, item: &Item<'_>, error: &RestoreError) {
        self.failed += 1;
        let text = explained(error);
        screen::complain(PROGRAM.name, &text);
        let mut object = head(item);
        object.insert("status".into(), Exit::Failed.status().into());
        object.insert("error".into(), text.into());
        self.objects.push(Value::Object(object));
    }

    fn report(&mut self, item: &Item<'_>, report: &RestoreReport) -> Result<(), Failure> {
        self.partial |= !report.is_complete();
        if let Some(left) = &report.left {
            let text = format!(
                "what {} replaced could not all be removed: {}; the rest is in {}",
                Brief::path(&item.to),
                Chain(left),
                Brief::path(&left.path)
            );
            screen::complain(PROGRAM.name, &text);
        }
        let status = match report.is_complete() {
            true => "restored",
            false => Exit::Partial.status(),
        };
        let text = match &report.merged {
            None => report::restored(report),
            Some(merged) => merged_text(merged, report),
        };
        self.say(item, status, |object| put(object, report), &text)
    }

    fn say(
        &mut self,
        item: &Item<'_>,
        status: &str,
        put: impl FnOnce(Map<String, Value>) -> Map<String, Value>,
        text: &str,
    ) -> Result<(), Failure> {
        let mut object = head(item);
        object.insert("status".into(), status.into());
        self.objects.push(Value::Object(put(object)));
        if self.settings.session.json || self.settings.session.quiet {
            return Ok(());
        }
        let (to, version) = (
            Printable::path(&item.to),
            Printable::path(&item.version.path),
        );
        screen::print(&format!("{to} from {version}: {text}\n"))
    }

    /// Nothing more will come.
    pub(super) fn end(self, exit: Exit) -> Result<(), Failure> {
        if !self.settings.session.json {
            return Ok(());
        }
        let mut object = desk::head(WORD, exit);
        object.insert("dry_run".into(), false.into());
        object.insert("restored".into(), self.objects.into());
        screen::print(&format!("{}\n", Value::Object(object)))
    }
}

fn merged_text(merged: &Merged, report: &RestoreReport) -> String {
    let numbers = [
        (merged.made, "made"),
        (merged.replaced, "replaced"),
        (merged.deleted, "deleted"),
        (merged.stayed, "left though they differ"),
        (merged.set, "with other attributes set"),
        (merged.mounted, "left since something is mounted there"),
        (merged.excluded, "left since excluded from dumps"),
        (report.counts.faults, "failed"),
    ];
    let mut parts: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if parts.is_empty() {
        let text = match report.is_complete() {
            true => "nothing was missing or different",
            false => "nothing was changed",
        };
        parts.push(text.to_owned());
    }
    parts.push(figures::bytes(report.counts.copied().bytes));
    let verified = match report.verified {
        Some(true) => "; compared again, and the same",
        Some(false) => "; it differs from the dump, or could not all be compared",
        None => "",
    };
    let duration = figures::duration(report.seconds());
    format!("{} in {duration}{verified}", parts.join(", "))
}

fn put(mut object: Map<String, Value>, report: &RestoreReport) -> Map<String, Value> {
    let counts = &report.counts;
    let merged = report.merged.unwrap_or_default();
    for (key, value) in [
        ("files", counts.files.number),
        ("directories", counts.directories),
        ("symlinks", counts.symlinks),
        ("specials", counts.specials),
        ("copied_bytes", counts.copied().bytes),
        ("made", merged.made),
        ("replaced", merged.replaced),
        ("deleted", merged.deleted),
        ("stayed", merged.stayed),
        ("set", merged.set),
        ("mounted", merged.mounted),
        ("excluded", merged.excluded),
        ("faults_total", counts.faults),
    ] {
        object.insert(key.into(), value.into());
    }
    object.insert("seconds".into(), report.seconds().into());
    object.insert("verified".into(), report.verified.into());
    let mut faults = report.faults.clone();
    faults.iter_mut().for_each(json::fault_absolute);
    object.insert("faults".into(), json::value(&faults));
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    object.insert("warnings".into(), warnings.into());
    let left: Option<PathBuf> = report.left.as_ref().map(|left| left.path.clone());
    json::put_path(&mut object, "left", left.as_deref());
    object
}

/// An error in one sentence, with what helps.
pub(super) fn explained(error: &RestoreError) -> String {
    let text = Chain(error).to_string();
    match error {
        RestoreError::InDump { .. } | RestoreError::IsDumpRoot { .. } => {
            format!("{text}; restore to another directory")
        }
        RestoreError::NoTree { path } => {
            format!("the directory {} does not exist", Brief::path(path))
        }
        _ => text,
    }
}
