//! The figures of a run, for `-v`.

use std::fmt::Write as _;

use dumpcore::{Count, Counts, Printable, Report};
use indicatif::HumanCount;

use crate::output::figures::{bytes, entries, some};
use crate::program::Program;

/// What the run linked to, how it went about it, and a table.
pub(super) fn details(program: Program, report: &Report, text: &mut String) {
    let _ = match &report.reference {
        Some(reference) => writeln!(text, "linked to {}", Printable::path(reference)),
        None => writeln!(text, "{}", program.unlinked),
    };
    let _ = writeln!(text, "{}", report.jobs);
    if report.resumed {
        text.push_str("continued what a stopped run left\n");
    }
    if let Some(expired) = &report.recycled_from {
        let expired = Printable::path(expired);
        let _ = writeln!(text, "made from {expired}, which had expired");
    }
    if let Some(same) = report.verified {
        let files = some(same.number, "file", "files");
        let size = bytes(same.bytes);
        let _ = writeln!(
            text,
            "read back from the disk and compared: {files}, {size}"
        );
    }
    let _ = write!(text, "\n{}", table(&report.counts));
    if let Some(free) = report.free_bytes {
        text.push_str(&row("still free", "", &bytes(free)));
    }
}

/// Entries and bytes, by what became of them and by what they are; what there
/// is none of has no row. Down to "in all" each entry is in one row (what was
/// copied is divided further), so that these add up.
#[must_use]
fn table(counts: &Counts) -> String {
    let whole = Count {
        number: entries(counts) + counts.directories,
        bytes: counts.files.bytes,
    };
    let plain = |number| Count { number, bytes: 0 };
    let rows = [
        ("linked", counts.linked, true),
        ("  moved", counts.moved, true),
        ("copied", counts.copied(), true),
        ("  new", counts.copied_new, true),
        ("  changed", counts.copied_changed, true),
        ("  attributes", counts.copied_attributes, true),
        ("  no link", counts.copied_refused, true),
        ("  damaged", counts.copied_damaged, true),
        ("kept", counts.kept, true),
        ("hard links", plain(counts.hard_links), false),
        ("directories", plain(counts.directories), false),
        ("in all", whole, true),
        ("  files", plain(counts.files.number), false),
        ("  symlinks", plain(counts.symlinks), false),
        ("  specials", plain(counts.specials), false),
        ("removed", plain(counts.removed), false),
        ("compared", counts.compared, true),
        ("with its hash", counts.checked, true),
        ("healed", counts.healed, true),
        ("excluded", plain(counts.excluded), false),
        ("not entered", plain(counts.other_filesystems), false),
        ("vanished", plain(counts.vanished), false),
        ("faults", plain(counts.faults), false),
    ];
    let mut text = row("", "entries", "bytes");
    for (name, count, sized) in rows {
        if count.number > 0 {
            let size = if sized {
                bytes(count.bytes)
            } else {
                String::new()
            };
            text.push_str(&row(name, &HumanCount(count.number).to_string(), &size));
        }
    }
    text
}

fn row(name: &str, number: &str, size: &str) -> String {
    let line = format!("{name:<14}{number:>14}{size:>14}");
    format!("{}\n", line.trim_end())
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
        counts.excluded = 7;
        counts.removed = 5;
        counts.directories = 2;
        counts.files = Count {
            number: 119_824,
            bytes: 3 << 30,
        };
        let expected = "                     entries         bytes
linked               119,812      3.00 GiB
copied                    12      2.00 KiB
  new                      8      1.50 KiB
  changed                  4         512 B
directories                2
in all               119,826      3.00 GiB
  files              119,824
removed                    5
excluded                   7
";
        assert_eq!(table(&counts), expected);
    }
}
