//! Numbers, sizes and times as a person reads them.

use std::time::Duration;

use dumpcore::{Counts, Size};
use indicatif::{HumanCount, HumanDuration};

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

/// A size as a person reads it: `31.5 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    Size(bytes).to_string()
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
    fn times_are_for_people() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(7200.0), "2 hours");
    }
}
