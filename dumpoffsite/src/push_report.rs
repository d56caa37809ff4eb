//! What became of a push, for people and for machines.

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::{figures, json, logging};
use dumpcore::{Chain, DumpName, Printable};
use serde_json::{Map, Value};

use crate::choose::SetTree;
use crate::desk::{Desk, Done, SoFar};
use crate::repository::{Address, Pushed};

/// A tree of a dump, and what became of it.
pub(crate) struct Line {
    pub(crate) dump: DumpName,
    pub(crate) tree: SetTree,
    pub(crate) outcome: Outcome,
}

/// What became of it.
pub(crate) enum Outcome {
    /// It was pushed before, as this snapshot.
    There(String),
    Pushed(Box<Pushed>),
    Failed(String),
    /// It was not tried, since the push ended before.
    NotPushed,
}

/// Logs what was pushed, and names each fault.
pub(crate) fn log(dump: DumpName, tree: &SetTree, pushed: &Pushed) {
    for fault in &pushed.faults {
        tracing::error!(
            DUMP_FILE = %Printable::path(&fault.path),
            DUMP_OPERATION = fault.op.as_str(),
            "{}", Chain(fault)
        );
    }
    for text in &pushed.left_out {
        tracing::error!("left out: {text}");
    }
    if let Some(snapshot) = &pushed.snapshot {
        tracing::info!(
            target: logging::REPORTED,
            DUMP_BYTES = pushed.bytes_sent,
            DUMP_FAULTS = pushed.faults.len() + pushed.left_out.len(),
            "finished pushing {} of {dump} as {}", tree.path.display(), short(snapshot)
        );
    }
}

/// Tells all of it, and gives the exit code.
pub(crate) fn tell(
    desk: &Desk,
    address: &Address,
    (lines, failures): (&[Line], Vec<(DumpName, Failure)>),
    dry_run: bool,
) -> Done {
    let mut object = Map::new();
    object.insert("repository".into(), address.shown.as_str().into());
    object.insert("dry_run".into(), dry_run.into());
    let dumps = lines.iter().map(|line| Value::Object(line.object()));
    object.insert("dumps".into(), dumps.collect());
    let text: String = lines.iter().map(|line| line.text(dry_run) + "\n").collect();
    let text = match lines.is_empty() {
        true => "there is no dump to push\n".to_owned(),
        false => text,
    };
    let is_pushed = |line: &Line| matches!(line.outcome, Outcome::There(_) | Outcome::Pushed(_));
    let mut failures = failures.into_iter();
    let is_failed = desk.control().is_stopped() || !lines.iter().any(is_pushed);
    if is_failed && let Some((_, first)) = failures.next() {
        log_failures(failures);
        // What failed alone is told where it ends.
        let text = if lines.len() == 1 {
            String::new()
        } else {
            text
        };
        let stopped = stopped(lines);
        desk.so_far(SoFar {
            object,
            text,
            stopped,
        });
        return Err(first);
    }
    log_failures(failures);
    let exit = exit(lines);
    let mut whole = desk.head(exit);
    whole.extend(object);
    desk.tell(whole, &text)?;
    Ok(exit)
}

fn log_failures(failures: impl Iterator<Item = (DumpName, Failure)>) {
    for (dump, failure) in failures {
        tracing::error!("cannot push {dump}: {failure}");
    }
}

fn stopped(lines: &[Line]) -> String {
    let stored = lines.iter().filter(|line| match &line.outcome {
        Outcome::Pushed(pushed) => pushed.snapshot.is_some(),
        _ => false,
    });
    let stored = match stored.count() {
        0 => "no snapshot was stored".to_owned(),
        1 => "1 snapshot was stored before".to_owned(),
        more => format!("{more} snapshots were stored before"),
    };
    format!("stopped; {stored}, and the next push continues")
}

fn exit(lines: &[Line]) -> Exit {
    let is_good = |line: &Line| match &line.outcome {
        Outcome::There(_) => true,
        Outcome::Pushed(pushed) => pushed.is_complete(),
        Outcome::Failed(_) | Outcome::NotPushed => false,
    };
    match lines.iter().all(is_good) {
        true => Exit::Done,
        false => Exit::Partial,
    }
}

fn short(snapshot: &str) -> &str {
    snapshot.get(..8).unwrap_or(snapshot)
}

impl Line {
    fn text(&self, dry_run: bool) -> String {
        let (dump, path) = (self.dump, Printable::path(&self.tree.path));
        match &self.outcome {
            Outcome::There(snapshot) => {
                format!("{dump} {path}: pushed before, as {}", short(snapshot))
            }
            Outcome::Failed(why) => format!("{dump} {path}: not pushed: {why}"),
            Outcome::NotPushed => format!("{dump} {path}: not pushed"),
            Outcome::Pushed(pushed) => {
                let entries = figures::number(pushed.entries);
                let size = figures::bytes(pushed.bytes);
                let read = figures::number(pushed.files_read);
                let read_bytes = figures::bytes(pushed.bytes_read);
                let what = format!("{entries} entries, {size}; {read} files read, {read_bytes}");
                let sent = figures::bytes(pushed.bytes_sent);
                let end = match pushed.faults.len() + pushed.left_out.len() {
                    0 => String::new(),
                    1 => "; 1 entry is missing".to_owned(),
                    more => format!("; {more} entries are missing"),
                };
                match &pushed.snapshot {
                    Some(snapshot) => {
                        let snapshot = short(snapshot);
                        format!("{dump} {path}: pushed as {snapshot}: {what}; {sent} sent{end}")
                    }
                    None if dry_run => format!("dry run: would push {dump} {path}: {what}{end}"),
                    None => format!("{dump} {path}: {what}{end}"),
                }
            }
        }
    }

    fn object(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("name", self.dump.to_string().into());
        let (status, snapshot) = match &self.outcome {
            Outcome::There(snapshot) => ("present", Some(snapshot)),
            Outcome::Pushed(pushed) if pushed.is_complete() => {
                ("complete", pushed.snapshot.as_ref())
            }
            Outcome::Pushed(pushed) => ("partial", pushed.snapshot.as_ref()),
            Outcome::Failed(_) => ("failed", None),
            Outcome::NotPushed => ("not_pushed", None),
        };
        put("status", status.into());
        put("snapshot", snapshot.map(String::as_str).into());
        match &self.outcome {
            Outcome::There(_) | Outcome::NotPushed => {}
            Outcome::Failed(why) => {
                put("error", why.as_str().into());
            }
            Outcome::Pushed(pushed) => {
                put("entries", pushed.entries.into());
                put("total_bytes", pushed.bytes.into());
                put("files_read", pushed.files_read.into());
                put("read_bytes", pushed.bytes_read.into());
                put("sent_bytes", pushed.bytes_sent.into());
                put("faults", json::value(&pushed.faults));
                put("left_out", pushed.left_out.clone().into());
            }
        }
        json::put_path(&mut object, "path", Some(&self.tree.path));
        object
    }
}
