//! Numbers, sizes and times as a person reads them.

use std::time::Duration;

use chrono::TimeDelta;
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

/// A number as a person reads it: `1,234`.
#[must_use]
pub fn number(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A size as a person reads it: `31.5 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    Size(bytes).to_string()
}

/// A size as a person types it: a number with K, M, G, T or P behind it (powers
/// of 1024, also KiB), or KB (powers of 1000).
///
/// # Errors
/// What is not one, with the form that it should have.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || "give a size such as 500K, 10MiB, 1.5G or 2GB".to_owned();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| bad())?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix("ib") {
        Some(letter) => (letter, 1024.0_f64),
        None => match unit.strip_suffix('b') {
            Some(letter) if !letter.is_empty() => (letter, 1000.0),
            Some(letter) => (letter, 1.0),
            None => (unit.as_str(), 1024.0),
        },
    };
    let power = match letter {
        "" => 0,
        letter => {
            let powers = ["k", "m", "g", "t", "p"].iter().zip(1..);
            let power = powers.clone().find(|(one, _)| **one == letter);
            power.ok_or_else(bad)?.1
        }
    };
    let bytes = number * base.powi(power);
    // No file is larger.
    if bytes >= 9e18 || letter.is_empty() && unit.len() > 1 {
        return Err(bad());
    }
    Ok(bytes as u64)
}

/// How old something is, in one word and a unit: `17 h`, `3 d`.
#[must_use]
pub fn age(age: TimeDelta) -> String {
    let (sign, minutes) = match age.num_minutes() {
        minutes @ ..0 => ("in ", minutes.unsigned_abs()),
        minutes => ("", minutes.unsigned_abs()),
    };
    let (hours, days) = (minutes / 60, minutes / 60 / 24);
    let text = match days {
        _ if minutes < 60 => format!("{minutes} min"),
        0..2 => format!("{hours} h"),
        2..15 => format!("{days} d"),
        15..70 => format!("{} w", days / 7),
        70..730 => format!("{} mo", days * 12 / 365),
        _ => format!("{} y", days / 365),
    };
    format!("{sign}{text}")
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
    fn sizes_are_read_as_people_type_them() {
        for (text, expected) in [
            ("0", 0),
            ("1000", 1000),
            ("7B", 7),
            ("500K", 500 << 10),
            ("500k", 500 << 10),
            ("10MiB", 10 << 20),
            ("1.5G", 3 << 29),
            ("2GB", 2_000_000_000),
            ("1 TiB", 1 << 40),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in [
            "", "K", "10X", "10ib", "-1", "1e3", "1.2.3", "9999999P", "10 m b",
        ] {
            let said = parse_bytes(text).expect_err(text);
            assert_eq!(said, "give a size such as 500K, 10MiB, 1.5G or 2GB");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (minutes, expected) in [
            (0, "0 min"),
            (59, "59 min"),
            (60, "1 h"),
            (47 * 60 + 59, "47 h"),
            (48 * 60, "2 d"),
            (14 * 1440, "14 d"),
            (15 * 1440, "2 w"),
            (69 * 1440, "9 w"),
            (70 * 1440, "2 mo"),
            (729 * 1440, "23 mo"),
            (730 * 1440, "2 y"),
            (-90, "in 1 h"),
        ] {
            assert_eq!(age(TimeDelta::minutes(minutes)), expected, "{minutes}");
        }
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(7200.0), "2 hours");
    }
}
