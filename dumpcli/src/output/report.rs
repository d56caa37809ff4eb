//! The report at a run's end, for people: one line, and what a person must
//! know beside it. `-v` adds the figures.

use std::fmt::Write as _;
use std::path::Path;

use dumpcore::{Counts, Printable, Report, RestoreReport, Warning};
use indicatif::HumanCount;

use crate::output::figures::{bytes, duration, entries, some};
use crate::output::report_table;
use crate::program::Program;

/// How many good versions of damaged files are listed; all of them are in the
/// log.
const LISTED: usize = 20;

/// The whole report: one line when nothing failed and it need not be `verbose`.
/// `hook`: did the one fail that comes after the run? What failed was told when
/// it was met; here it is said how much that was, and where to look: `errors`.
#[must_use]
pub fn text(program: Program, report: &Report, hook: bool, verbose: bool, errors: &str) -> String {
    let lacking = report.counts.lacking();
    let mut text = Summary::of(report, lacking).line();
    text.push('\n');
    if verbose {
        report_table::details(program, report, &mut text);
    }
    text.push_str(&failed(lacking, hook, errors));
    text.push_str(&damaged_before(report.counts.reference_faults, errors));
    damaged(report, &mut text);
    text
}

/// What the one line is made of.
#[derive(Clone, Debug)]
struct Summary<'a> {
    dump: &'a Path,
    source: Option<&'a Path>,
    /// Is there a dump that unchanged entries are linked to?
    linked: bool,
    dry_run: bool,
    /// Was what was copied read back and compared?
    verified: bool,
    counts: &'a Counts,
    /// How many entries are not dumped.
    lacking: u64,
    seconds: f64,
    free_bytes: Option<u64>,
}

impl<'a> Summary<'a> {
    fn of(report: &'a Report, lacking: u64) -> Self {
        Self {
            dump: &report.dump,
            source: report.source.as_deref(),
            linked: report.reference.is_some(),
            dry_run: report.dry_run,
            verified: report.verified.is_some(),
            counts: &report.counts,
            lacking,
            seconds: report.seconds(),
            free_bytes: report.free_bytes,
        }
    }

    /// What changed, bytes, time, room left.
    fn line(&self) -> String {
        let mut line = Printable::path(self.dump).to_string();
        if self.dry_run {
            line.insert_str(0, "dry run: would create ");
        }
        if let Some(source) = self.source {
            let _ = write!(line, ", a copy of {}", Printable::path(source));
        }
        let _ = write!(line, ": {}; ", self.what_changed());
        let (copied, time) = (self.counts.copied().bytes, duration(self.seconds));
        let _ = match (copied, self.dry_run) {
            (0, false) => write!(line, "{time}"),
            (0, true) => write!(line, "nothing to copy ({time})"),
            (size, false) if self.verified => {
                write!(line, "{} copied and read back in {time}", bytes(size))
            }
            (size, false) => write!(line, "{} copied in {time}", bytes(size)),
            (size, true) => write!(line, "{} to copy ({time})", bytes(size)),
        };
        if let Some(free) = self.free_bytes {
            let _ = write!(line, ", {} free", bytes(free));
        }
        line
    }

    /// `12 new, 4 changed, 3 removed, 119,812 unchanged`; of what is linked to
    /// nothing, how much there is. Directories count as such only, as in the
    /// table.
    fn what_changed(&self) -> String {
        let counts = self.counts;
        let number = |number: u64, what: &str| match number {
            0 => None,
            n => Some(format!("{} {what}", HumanCount(n))),
        };
        let mut parts = Vec::new();
        if self.linked {
            let refused = "copied because links were refused";
            parts.extend(number(counts.copied_new.number, "new"));
            parts.extend(number(counts.copied_changed.number, "changed"));
            parts.extend(number(
                counts.copied_attributes.number,
                "with other attributes",
            ));
            parts.extend(number(counts.copied_refused.number, refused));
            let damaged = "damaged in the checkpoint before";
            parts.extend(number(counts.copied_damaged.number, damaged));
            if parts.is_empty() {
                parts.push("nothing new".to_owned());
            }
            parts.extend(number(counts.moved.number, "moved"));
            parts.extend(number(counts.removed, "removed"));
            let stayed = counts.linked.number.saturating_sub(counts.moved.number);
            parts.extend(number(stayed, "unchanged"));
            let links = ("more hard link", "more hard links");
            if let links_made @ 1.. = counts.hard_links {
                parts.push(some(links_made, links.0, links.1));
            }
        } else {
            parts.push(format!(
                "{} in {}",
                some(entries(counts), "entry", "entries"),
                some(counts.directories, "directory", "directories")
            ));
        }
        parts.extend(number(counts.healed.number, "healed"));
        parts.extend(number(counts.kept.number, "kept from a stopped run"));
        parts.extend(number(self.lacking, "not dumped"));
        parts.join(", ")
    }
}

/// What a restoration brought back, and what went for it: `3 files, 1 directory,
/// 12.0 KiB in 0.1 s; replaced what was there`.
#[must_use]
pub fn restored(report: &RestoreReport) -> String {
    let counts = &report.counts;
    let kinds = [
        (counts.files.number, "file", "files"),
        (counts.directories, "directory", "directories"),
        (counts.symlinks, "symlink", "symlinks"),
        (counts.specials, "special file", "special files"),
    ];
    let there = kinds.into_iter().filter(|(number, ..)| *number > 0);
    let mut parts: Vec<String> = there
        .map(|(number, one, many)| some(number, one, many))
        .collect();
    parts.push(bytes(counts.files.bytes));
    let mut text = format!("{} in {}", parts.join(", "), duration(report.seconds()));
    if report.plan.replaces {
        text.push_str("; replaced what was there");
        if let removed @ 1.. = report.plan.removes.entries {
            let entries = some(removed, "entry", "entries");
            let _ = write!(text, ", removed {entries} that the dump does not have");
        }
    }
    text
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

/// Where good versions are of what is damaged.
fn damaged(report: &Report, text: &mut String) {
    let good = report.warnings.iter().filter_map(|warning| match warning {
        Warning::Damaged { path, good } => Some((path, good)),
        _ => None,
    });
    for (number, (path, good)) in good.enumerate().take(LISTED) {
        if number == 0 {
            text.push_str("\ngood versions of what is damaged:\n");
        }
        let path = Printable::path(path);
        let _ = match good {
            Some(good) => writeln!(text, "  {path}: {}", Printable::path(good)),
            None => writeln!(text, "  {path}: none found"),
        };
    }
}

/// How much of the checkpoint before is not what was stored; empty when all is.
fn damaged_before(number: u64, errors: &str) -> String {
    let what = match number {
        0 => return String::new(),
        1 => format!(
            "1 entry of the checkpoint before is not as it was stored: see the error {errors}"
        ),
        n => format!(
            "{} entries of the checkpoint before are not as they were stored: see the errors \
             {errors}",
            HumanCount(n)
        ),
    };
    format!("{what}; the new one has what the dump has\n")
}

/// How much failed, and where that is said; empty when nothing did.
fn failed(lacking: u64, hook: bool, errors: &str) -> String {
    let mut text = match lacking {
        0 => String::new(),
        1 => format!("1 entry was not dumped as it is: see the error {errors}\n"),
        n => format!(
            "{} entries were not dumped as they are: see the errors {errors}\n",
            HumanCount(n)
        ),
    };
    if hook {
        // Nothing is missing from the dump because of it.
        let dump = match lacking {
            0 => "the dump itself is complete",
            _ => "the dump was published anyway",
        };
        let _ = writeln!(text, "the post hook failed: see the error {errors}; {dump}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::Count;

    fn count(number: u64, bytes: u64) -> Count {
        Count { number, bytes }
    }

    fn line(
        counts: &Counts,
        linked: bool,
        dry_run: bool,
        source: Option<&str>,
        lacking: u64,
    ) -> String {
        let summary = Summary {
            dump: Path::new("/dump/2026/1125/1742"),
            source: source.map(Path::new),
            linked,
            dry_run,
            verified: source.is_some(),
            counts,
            lacking,
            seconds: 3.21,
            free_bytes: Some(210 << 30),
        };
        summary.line()
    }

    #[test]
    fn the_end_says_how_much_failed_and_where_to_look() {
        for (lacking, hook, expected) in [
            (0, false, ""),
            (
                1,
                false,
                "1 entry was not dumped as it is: see the error above\n",
            ),
            (
                1025,
                false,
                "1,025 entries were not dumped as they are: see the errors above\n",
            ),
            (
                0,
                true,
                "the post hook failed: see the error above; the dump itself is complete\n",
            ),
        ] {
            assert_eq!(failed(lacking, hook, "above"), expected);
        }
        assert_eq!(damaged_before(0, "above"), "");
        assert_eq!(
            damaged_before(1, "above"),
            "1 entry of the checkpoint before is not as it was stored: see the error above; the \
             new one has what the dump has\n"
        );
        let many = damaged_before(1025, "on stderr");
        assert!(many.starts_with("1,025 entries of the "), "{many}");
        let both = failed(2, true, "on stderr");
        assert!(
            both.contains("2 entries") && both.contains("anyway"),
            "{both}"
        );
    }

    #[test]
    fn a_line_says_what_changed() {
        let mut counts = Counts::default();
        counts.files = count(119_828, 3 << 30);
        counts.directories = 6000;
        counts.symlinks = 1;
        let nothing = counts.clone();
        counts.linked = count(119_812, 3 << 30);
        let same = counts.clone();
        counts.copied_new = count(12, 1 << 20);
        counts.copied_changed = count(4, 1 << 20);
        let some = counts.clone();
        counts.removed = 3;
        counts.hard_links = 1;
        counts.copied_attributes = count(2, 0);
        counts.copied_refused = count(1, 0);
        counts.kept = count(7, 0);
        counts.healed = count(1, 1 << 20);
        let all = counts;
        let source = Some("/dump/2026/1125/1700");
        let table = [
            (
                line(&some, true, false, None, 0),
                "/dump/2026/1125/1742: 12 new, 4 changed, 119,812 unchanged; \
                 2.00 MiB copied in 3.2 s, 210 GiB free",
            ),
            (
                line(&same, true, false, None, 0),
                "/dump/2026/1125/1742: nothing new, 119,812 unchanged; \
                 3.2 s, 210 GiB free",
            ),
            (
                line(&some, true, true, None, 0),
                "dry run: would create /dump/2026/1125/1742: 12 new, 4 changed, \
                 119,812 unchanged; 2.00 MiB to copy (3.2 s), 210 GiB free",
            ),
            (
                line(&some, false, false, source, 0),
                "/dump/2026/1125/1742, a copy of /dump/2026/1125/1700: 119,829 entries in 6,000 \
                 directories; \
                 2.00 MiB copied and read back in 3.2 s, 210 GiB free",
            ),
            (
                line(&nothing, false, true, None, 0),
                "dry run: would create /dump/2026/1125/1742: 119,829 entries in 6,000 \
                 directories; \
                 nothing to copy (3.2 s), 210 GiB free",
            ),
            (
                line(&all, true, false, None, 25),
                "/dump/2026/1125/1742: 12 new, 4 changed, 2 with other attributes, \
                 1 copied because links were refused, 3 removed, 119,812 unchanged, \
                 1 more hard link, 1 healed, 7 kept from a stopped run, 25 not dumped; \
                 2.00 MiB copied in 3.2 s, 210 GiB free",
            ),
        ];
        for (found, expected) in table {
            assert_eq!(found, expected);
        }
    }
}
