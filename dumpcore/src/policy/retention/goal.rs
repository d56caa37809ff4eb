//! How much of a disk is to be free.

use std::fmt;
use std::str::FromStr;

use super::BadKeep;
use crate::model::size::Size;

/// How much of a disk is to be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeGoal(Amount);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    /// In ten-thousandths of its blocks, and of its inodes.
    Part(u32),
    Bytes(u64),
}

/// A whole, in ten-thousandths.
const WHOLE: u32 = 10_000;

impl FreeGoal {
    /// How many bytes are to be free of a disk of this size.
    #[must_use]
    pub fn bytes_of(self, total: u64) -> u64 {
        match self.0 {
            Amount::Part(part) => part_of(total, part),
            Amount::Bytes(bytes) => bytes,
        }
    }

    /// How many inodes are to be free of a disk with this number of them. A size says
    /// nothing of them.
    #[must_use]
    pub fn inodes_of(self, total: u64) -> u64 {
        match self.0 {
            Amount::Part(part) => part_of(total, part),
            Amount::Bytes(_) => 0,
        }
    }
}

fn part_of(total: u64, part: u32) -> u64 {
    let part = u128::from(total) * u128::from(part) / u128::from(WHOLE);
    u64::try_from(part).unwrap_or(u64::MAX)
}

impl FromStr for FreeGoal {
    type Err = BadKeep;

    /// Reads a part of the disk (`10%`) or a size: a number with a unit, `50GiB`
    /// or `50G` for 2^30 bytes each, `50GB` for 10^9.
    fn from_str(text: &str) -> Result<Self, BadKeep> {
        let bad = || BadKeep::Goal(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(digits.ok_or_else(bad)?);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let unit = unit.trim_start();
        if unit == "%" {
            let part = (number * f64::from(WHOLE) / 100.0).round();
            return match part {
                part if part >= 1.0 && part < f64::from(WHOLE) => {
                    Ok(Self(Amount::Part(part as u32)))
                }
                _ => Err(bad()),
            };
        }
        let bytes = number * factor(unit).ok_or_else(bad)?;
        match bytes {
            bytes if bytes >= 1.0 && bytes < u64::MAX as f64 => {
                Ok(Self(Amount::Bytes(bytes as u64)))
            }
            _ => Err(bad()),
        }
    }
}

fn factor(unit: &str) -> Option<f64> {
    let power = ["K", "M", "G", "T", "P"].iter().position(|prefix| {
        unit.get(..1)
            .is_some_and(|c| c.eq_ignore_ascii_case(prefix))
    })?;
    let power = i32::try_from(power).ok()? + 1;
    match unit.get(1..)? {
        "" | "iB" => Some(1024_f64.powi(power)),
        "B" => Some(1000_f64.powi(power)),
        _ => None,
    }
}

impl fmt::Display for FreeGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Amount::Part(part) => write!(f, "{}%", f64::from(part) / 100.0),
            Amount::Bytes(bytes) => Size(bytes).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_parts_or_sizes() {
        for (text, bytes, inodes) in [
            ("10%", 100_000_000_000, 100_000),
            ("12.5%", 125_000_000_000, 125_000),
            ("50GiB", 50 << 30, 0),
            ("50G", 50 << 30, 0),
            ("50 GiB", 50 << 30, 0),
            ("50GB", 50_000_000_000, 0),
            ("1.5T", 3 << 39, 0),
            ("500m", 500 << 20, 0),
        ] {
            let goal: FreeGoal = text.parse().expect(text);
            assert_eq!(goal.bytes_of(1_000_000_000_000), bytes, "{text}");
            assert_eq!(goal.inodes_of(1_000_000), inodes, "{text}");
        }
        let shown = |text: &str| text.parse::<FreeGoal>().expect(text).to_string();
        assert_eq!(shown("12.5%"), "12.5%");
        assert_eq!(shown("50G"), "50.0 GiB");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            "10",
            "%",
            "0%",
            "100%",
            "-5%",
            "5 percent",
            "0G",
            "50X",
            "50GiBs",
            "1.2.3G",
        ] {
            let said = text.parse::<FreeGoal>().expect_err(text).to_string();
            assert!(said.ends_with("such as 50GiB"), "{said}");
        }
    }
}
