//! The log's entry of a run that made a dump: one line, with fields for the
//! journal.

use std::path::PathBuf;

use dumpcore::{Printable, Report};
use tracing::Level;

use crate::exit::Exit;
use crate::failure::HookFault;
use crate::output::{figures, logging};
use crate::paths::{What, absolute};

/// `hook`: the one that failed after the run.
pub(crate) fn log_report(
    noun: &str,
    what: &What,
    report: &Report,
    hook: Option<&HookFault>,
    exit: Exit,
) {
    let counts = &report.counts;
    let dump = Printable::path(&report.dump);
    let shown = |path: &PathBuf| Printable::path(&absolute(path)).to_string();
    let [source, reference] = [&report.source, &report.reference].map(|p| p.as_ref().map(shown));
    let copied = counts.copied();
    let dry = if report.dry_run { " (dry run)" } else { "" };
    let faults = match counts.faults {
        0 => String::new(),
        1 => ", but for 1 fault".to_owned(),
        n => format!(", but for {n} faults"),
    };
    let all_faults = counts.faults + u64::from(hook.is_some());
    let hook = match hook {
        None => "",
        Some(_) => ", but the post hook failed",
    };
    let figures = format!(
        "{} linked, {} copied ({}), {}",
        counts.linked.number,
        copied.number,
        figures::bytes(copied.bytes),
        figures::duration(report.seconds())
    );
    macro_rules! log {
        ($level:expr) => {
            tracing::event!(
                target: logging::REPORTED,
                $level,
                DUMP_PATH = shown(&report.dump),
                DUMP_SOURCE = source.as_deref(),
                DUMP_REFERENCE = reference.as_deref(),
                DUMP_MAIN = what.absolute(),
                DUMP_STATUS = exit.status(),
                DUMP_EXIT = exit.code(),
                DUMP_LINKED = counts.linked.number,
                DUMP_COPIED = copied.number,
                DUMP_BYTES = copied.bytes,
                DUMP_EXCLUDED = counts.excluded,
                DUMP_OTHER_FILESYSTEMS = counts.other_filesystems,
                DUMP_VANISHED = counts.vanished,
                DUMP_FAULTS = all_faults,
                DUMP_WARNINGS = report.warnings_total,
                DUMP_SECONDS = report.seconds(),
                "finished {noun} of {what} to {dump}{dry}{faults}{hook}: {figures}"
            )
        };
    }
    if exit == Exit::Done {
        log!(Level::INFO);
    } else {
        log!(Level::WARN);
    }
}
