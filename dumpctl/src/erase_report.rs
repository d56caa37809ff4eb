//! What `dumpctl erase` shows: the plan, the question, what was done, and what still
//! has the paths.

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{figures, json, logging, screen};
use dumpcore::{CatalogAfter, DumpId, ErasedPath, Erasure, Printable, RelPath};
use serde_json::{Map, Value};

use crate::common::{Settings, typed_rebuild};
use crate::desk;
use crate::dumps::{Dumps, dumps_of};
use crate::program::PROGRAM;
use crate::removal_report;

pub(crate) const WORD: &str = "erase";

/// Says what is erased, and what still has it.
pub(crate) struct Telling<'a> {
    pub(crate) dumps: &'a Dumps<'a>,
    pub(crate) settings: &'a Settings,
}

impl Telling<'_> {
    pub(crate) fn none(&self, erasure: &Erasure) -> Failure {
        let paths = erasure.paths.iter().map(|path| self.shown(&path.path));
        let paths = paths.collect::<Vec<_>>().join(", ");
        let root = Printable::path(&self.dumps.lookup.dump);
        Failure::Failed(format!("no dump in {root} has {paths}"))
    }

    fn shown(&self, path: &RelPath) -> String {
        Printable::path(&self.dumps.shown(path)).to_string()
    }

    /// The plan, and whether to carry it out.
    pub(crate) fn question(&self, plan: &Erasure) -> String {
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
            let was = number_of(&path.dumps);
            match (was, number_of(&path.remaining)) {
                (Some(was), Some(is)) => format!("  {shown}: gone from {was}; still in {is}"),
                (None, Some(is)) => format!("  {shown}: still in {is}"),
                (Some(was), None) => format!("  {shown}: in {was}"),
                _ if plan.finished => format!("  {shown}: in no dump any more"),
                _ if path.expired => format!("  {shown}: in a dump that has expired"),
                _ => format!("  {shown}: in no dump"),
            }
        };
        // With patterns each is listed, however many there are.
        plan.paths.iter().map(line).collect()
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

    pub(crate) fn tell(&self, erasure: &Erasure, exit: Exit) -> Result<(), Failure> {
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
                "the catalog may still know what was erased: {why}; then run '{}'",
                typed_rebuild(&self.dumps.lookup.dump)
            );
        }
        if !erasure.dry_run {
            let root = Printable::path(&self.dumps.lookup.dump);
            for path in erasure.paths.iter().filter(|path| !path.dumps.is_empty()) {
                tracing::info!(
                    target: logging::REPORTED,
                    "erased {} from {} of {root}", path.path, dumps_of(path.dumps.len() as u64)
                );
            }
        }
        if self.settings.session.json {
            return screen::print(&format!("{}\n", Value::Object(self.object(erasure, exit))));
        }
        if self.settings.session.quiet {
            return Ok(());
        }
        let mut text = headline(erasure);
        if !erasure.left.is_empty() && !erasure.stopped && exit != Exit::Failed {
            text.push_str("what was left goes with the next 'dumpctl erase'\n");
        }
        let still = match erasure.stopped {
            true => Vec::new(),
            false => self.still(erasure),
        };
        for line in self.lines(erasure).into_iter().chain(still) {
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
            let names = path.remaining.iter().map(ToString::to_string);
            object.insert("remaining".into(), names.collect());
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

/// What was done, in one line.
fn headline(erasure: &Erasure) -> String {
    let (names, freed) = (erasure.names, figures::bytes(erasure.freed_bytes));
    let entries = format!("{}, {freed} freed", removal_report::entries(names));
    match (erasure.dry_run, erasure.finished) {
        _ if erasure.stopped => format!("stopped: erased {entries} so far\n"),
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
    }
}

/// `4 dumps, 2026/1122/2331 to 2026/1123/0131`; `None` of none.
fn number_of(dumps: &[DumpId]) -> Option<String> {
    match dumps {
        [] => None,
        [one] => Some(format!("1 dump, {one}")),
        [first, .., last] => {
            let number = dumps_of(dumps.len() as u64);
            Some(format!("{number}, {first} to {last}"))
        }
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
