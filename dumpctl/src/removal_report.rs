//! What `prune` and `remove` say of dumps that were removed, and of those that were
//! not.

use dumpcli::exit::Exit;
use dumpcli::{figures, json, logging};
use dumpcore::{DumpId, Left, Printable, Removal, Removed};
use serde_json::{Map, Value};

/// What is said when a signal came.
pub(crate) const STOPPED: &str = "stopped; the next run finishes what was begun";

/// Why a dump stays.
pub(crate) fn stays(left: &Left) -> String {
    format!("kept {}: {}", left.dump, left.reason)
}

/// Says which dumps stay, and why.
pub(crate) fn tell_left<'l>(left: impl IntoIterator<Item = &'l Left>) {
    for left in left {
        let path = dumpcli::absolute(&left.path);
        tracing::error!(
            DUMP_PATH = %Printable::path(&path),
            DUMP_STATUS = left.reason.as_str(),
            "{}", stays(left)
        );
    }
}

/// Logs what was removed.
pub(crate) fn log(removed: &[Removed], exit: Exit) {
    for removed in removed {
        let path = dumpcli::absolute(&removed.path);
        tracing::info!(
            target: logging::REPORTED,
            DUMP_PATH = %Printable::path(&path),
            DUMP_STATUS = exit.status(),
            DUMP_EXIT = exit.code(),
            DUMP_BYTES = removed.freed_bytes,
            "finished removing {}", Printable::path(&path)
        );
    }
}

/// `removed 2025/0101/0000: 12 entries, 4.00 KiB freed`
pub(crate) fn removed(dump: DumpId, names: u64, freed_bytes: u64) -> String {
    let freed = figures::bytes(freed_bytes);
    format!("removed {dump}: {}, {freed} freed", entries(names))
}

/// `1 entry`, `12 entries`
pub(crate) fn entries(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        number => format!("{number} entries"),
    }
}

/// What it did not come to before it was stopped, a line each.
pub(crate) fn remaining(removal: &Removal) -> String {
    let lines = removal.remaining.iter();
    lines.map(|dump| format!("still there: {dump}\n")).collect()
}

/// What was left by an earlier removal, or was kept to become the next dump, which
/// is not counted apart; nothing where nothing was.
pub(crate) fn finished(removal: &Removal) -> String {
    match removal.finished_names {
        0 => String::new(),
        names => format!(
            "removed {} left by an earlier removal, or kept for dumpme to recycle\n",
            entries(names)
        ),
    }
}

/// What the library writes of it, with absolute paths.
pub(crate) fn object(removal: &Removal) -> Map<String, Value> {
    let mut whole = removal.clone();
    let removed = whole.removed.iter_mut().map(|removed| &mut removed.path);
    let left = whole.left.iter_mut().map(|left| &mut left.path);
    for path in removed.chain(left) {
        *path = dumpcli::absolute(path);
    }
    whole.faults.iter_mut().for_each(json::fault_absolute);
    json::object(&whole)
}
