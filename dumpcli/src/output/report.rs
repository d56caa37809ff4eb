//! The report at a run's end, for people.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use dumpcore::{Count, Counts, Fault, Op, Printable, Report, RestoreReport, Warning};
use indicatif::{HumanBytes, HumanCount, HumanDuration};

use crate::program::Program;

/// How many faults are listed; all of them are in the log.
const LISTED: usize = 20;

/// The whole report, several lines.
#[must_use]
pub fn text(program: Program, report: &Report) -> String {
    let mut text = String::new();
    let dump = Printable::path(&report.dump);
    let dry = if report.dry_run {
        ", if this were no dry run"
    } else {
        ""
    };
    let _ = writeln!(text, "{dump} in {}{dry}", duration(report.seconds()));
    if let Some(source) = &report.source {
        let _ = writeln!(text, "a copy of {}", Printable::path(source));
    }
    match &report.reference {
        Some(reference) => {
            let _ = writeln!(text, "linked to {}", Printable::path(reference));
        }
        None => {
            let _ = writeln!(text, "{}", program.unlinked);
        }
    }
    let _ = writeln!(text, "{}", report.jobs);
    if report.resumed {
        text.push_str("going on with what an earlier run left\n");
    }
    if let Some(same) = report.verified {
        let files = match same.number {
            1 => "1 file".to_owned(),
            n => format!("{} files", HumanCount(n)),
        };
        let size = bytes(same.bytes);
        let _ = writeln!(
            text,
            "read back from the disk and compared: {files}, {size}"
        );
    }
    text.push('\n');
    let hooks = hooks(report).count() as u64;
    let mut counts = report.counts.clone();
    counts.faults = counts.faults.saturating_sub(hooks);
    text.push_str(&table(&counts));
    if let Some(free) = report.free_bytes {
        text.push_str(&row("still free", "", &bytes(free)));
    }
    faults(report, counts.faults, &mut text);
    hook_failures(report, counts.faults, &mut text);
    damaged(report, &mut text);
    text
}

/// What a restoration brought back: `3 files, 1 directory, 12.00 KiB in 0.1 s`.
#[must_use]
pub fn restored(report: &RestoreReport) -> String {
    let counts = &report.counts;
    let some = [
        (counts.files.number, "file", "files"),
        (counts.directories, "directory", "directories"),
        (counts.symlinks, "symlink", "symlinks"),
        (counts.specials, "special file", "special files"),
    ];
    let some = some.into_iter().filter(|(number, ..)| *number > 0);
    let mut parts: Vec<String> = some
        .map(|(number, one, many)| match number {
            1 => format!("1 {one}"),
            n => format!("{} {many}", HumanCount(n)),
        })
        .collect();
    parts.push(bytes(counts.files.bytes));
    format!("{} in {}", parts.join(", "), duration(report.seconds()))
}

/// The line of a run that found its work done.
#[must_use]
pub fn present(dump: &Path) -> String {
    format!(
        "{} is there already: nothing to do\n",
        Printable::path(dump)
    )
}

/// Why a replica is not due yet, and what there is meanwhile.
#[must_use]
pub fn not_yet(newest: &Path) -> String {
    format!(
        "no day before today has a dump yet, and {} is there already",
        Printable::path(newest)
    )
}

/// Where good versions are of what could not be read.
fn damaged(report: &Report, text: &mut String) {
    let good = report.warnings.iter().filter_map(|warning| match warning {
        Warning::Damaged { path, good } => Some((path, good)),
        _ => None,
    });
    for (number, (path, good)) in good.enumerate().take(LISTED) {
        if number == 0 {
            text.push_str("\ngood versions of what cannot be read:\n");
        }
        let path = Printable::path(path);
        let _ = match good {
            Some(good) => writeln!(text, "  {path}: {}", Printable::path(good)),
            None => writeln!(text, "  {path}: none found"),
        };
    }
}

/// Entries and bytes, by what became of them and by what they are.
#[must_use]
pub fn table(counts: &Counts) -> String {
    let all = counts.files.number + counts.directories + counts.symlinks + counts.specials;
    let whole = Count {
        number: all,
        bytes: counts.files.bytes,
    };
    let mut rows = vec![row("", "entries", "bytes")];
    let mut sized = |name: &str, count: Count| rows.push(sized_row(name, count));
    sized("linked", counts.linked);
    sized("copied", counts.copied());
    sized("  new", counts.copied_new);
    sized("  changed", counts.copied_changed);
    sized("  attributes", counts.copied_attributes);
    if counts.copied_refused.number > 0 {
        sized("  no link", counts.copied_refused);
    }
    if counts.kept.number > 0 {
        sized("kept", counts.kept);
    }
    if counts.compared.number > 0 {
        rows.push(sized_row("compared", counts.compared));
    }
    rows.push(plain_row("excluded", counts.excluded));
    if counts.other_filesystems > 0 {
        rows.push(plain_row("not entered", counts.other_filesystems));
    }
    rows.push(plain_row("vanished", counts.vanished));
    rows.push(plain_row("faults", counts.faults));
    rows.push(sized_row("in all", whole));
    rows.push(plain_row("  files", counts.files.number));
    rows.push(plain_row("  directories", counts.directories));
    rows.push(plain_row("  symlinks", counts.symlinks));
    rows.push(plain_row("  specials", counts.specials));
    rows.push(plain_row("hard links", counts.hard_links));
    rows.concat()
}

fn sized_row(name: &str, count: Count) -> String {
    let number = HumanCount(count.number).to_string();
    row(name, &number, &bytes(count.bytes))
}

fn plain_row(name: &str, number: u64) -> String {
    row(name, &HumanCount(number).to_string(), "")
}

fn row(name: &str, number: &str, size: &str) -> String {
    let line = format!("{name:<14}{number:>14}{size:>14}");
    format!("{}\n", line.trim_end())
}

/// What failed of the hooks: nothing that the dump lacks.
pub(crate) fn hooks(report: &Report) -> impl Iterator<Item = &Fault> {
    report.faults.iter().filter(|fault| fault.op == Op::Hook)
}

fn hook_failures(report: &Report, lacking: u64, text: &mut String) {
    for fault in hooks(report) {
        let hook = Printable::path(&fault.path);
        let dump = match lacking {
            0 => "the dump itself is complete",
            _ => "the dump is there all the same",
        };
        let _ = writeln!(
            text,
            "\nthe post hook '{hook}' failed: {}; {dump}",
            fault.cause
        );
    }
}

fn faults(report: &Report, number: u64, text: &mut String) {
    if number == 0 {
        return;
    }
    text.push_str("\nnot dumped as they are:\n");
    let entries = report.faults.iter().filter(|fault| fault.op != Op::Hook);
    let mut listed = 0;
    for fault in entries.take(LISTED) {
        let _ = writeln!(text, "  {fault}");
        listed += 1;
    }
    let more = number.saturating_sub(listed);
    if more > 0 {
        let _ = writeln!(text, "  … and {} more, see the log", HumanCount(more));
    }
}

/// A size as a person reads it.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A time as a person reads it.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        return format!("{seconds:.1} s");
    }
    HumanDuration(Duration::from_secs_f64(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_rows_left_out() {
        let mut counts = Counts::default();
        counts.linked = Count {
            number: 119_812,
            bytes: 3 << 30,
        };
        counts.copied_new = Count {
            number: 8,
            bytes: 1536,
        };
        counts.copied_changed = Count {
            number: 4,
            bytes: 512,
        };
        let text = table(&counts);
        let line = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            line.unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        assert_eq!(line("linked"), "linked               119,812      3.00 GiB");
        assert_eq!(line("copied"), "copied                    12      2.00 KiB");
        assert_eq!(line("excluded"), "excluded                   0");
        assert!(!text.contains("kept"));
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(7200.0), "2 hours");
    }
}
