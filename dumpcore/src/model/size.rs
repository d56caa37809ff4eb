//! Sizes for people.

use std::fmt;

/// A number of bytes as people read it: in three digits, `31.5 GiB`.
///
/// ```
/// assert_eq!(dumpcore::Size(1536).to_string(), "1.50 KiB");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let Self(bytes) = *self;
        if bytes < 1024 {
            return write!(f, "{bytes} B");
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
        write!(f, "{size:.digits$} {}", UNITS[unit])
    }
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
            assert_eq!(Size(bytes).to_string(), expected, "{bytes}");
        }
    }
}
