//! Numbers, sizes and times as a person reads them.

use std::time::Duration;

use dumpcore::Counts;
use indicatif::{HumanBytes, HumanCount, HumanDuration};

/// How many entries a dump has besides directories.
pub(super) fn entries(counts: &Counts) -> u64 {
    counts.files.number + counts.symlinks + counts.specials
}

/// A number of something: `1 file`, `1,234 files`.
pub(super) fn some(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{} {many}", HumanCount(n)),
    }
}

/// A size as a person reads it.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A size in three digits, where there is little room: `31.5 GiB`.
#[must_use]
pub fn short(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to four digits is the next unit's.
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = match size {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{size:.digits$} {}", UNITS[unit])
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
    fn sizes_have_three_digits() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_230, "9.99 KiB"),
            (10_239, "10.0 KiB"),
            (1_022_976, "999 KiB"),
            (1_023_500, "0.98 MiB"),
            (33_823_000_000, "31.5 GiB"),
            (210 << 30, "210 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(short(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(7200.0), "2 hours");
    }
}
