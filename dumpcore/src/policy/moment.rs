//! When a dump was made: its mark, and what counts where it has none.
//!
//! A dump's name is local time, and names the wrong hour to who reads it in
//! another zone. So each dump has its moment, in UTC, as RFC 3339 with
//! nanoseconds: `2026-11-22T22:31:04.123456789Z`. Dumps of other programs,
//! and those on a filesystem without attributes, have none: of these the
//! directory's time of modification counts, which is when the dump was begun,
//! unless it says something that the name cannot mean; else the name.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::model::metadata::Time;
use crate::model::minute::Stamp;

/// How far the same minute's names in two time zones are apart, at most.
const ZONES: TimeDelta = TimeDelta::hours(26);
/// How far a directory's time may be from its name, zones aside.
const SLACK: TimeDelta = TimeDelta::minutes(2);
/// How far a moment can be from its name, read as local time: as far as two
/// zones, and as far as names run ahead when the clock goes back.
pub(crate) const FARTHEST: TimeDelta = TimeDelta::hours(26 + 3);

/// The mark, as it is written.
#[must_use]
pub(crate) fn text(moment: &DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Reads a mark; `None` for what is not one.
#[must_use]
pub(crate) fn parse(mark: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(mark).ok()?;
    let moment = DateTime::parse_from_rfc3339(text.trim_end()).ok()?;
    Some(moment.to_utc())
}

/// What a dump without a mark is taken to be of: its directory's time of
/// modification, if that is within two minutes of the name, give or take
/// whole quarter hours up to 26 hours (a time zone); else its name.
#[must_use]
pub(crate) fn unmarked(modified: Option<Time>, name: Stamp) -> DateTime<Utc> {
    let named = name.first_moment();
    modified
        .and_then(|time| DateTime::from_timestamp(time.secs, time.nanos))
        .filter(|modified| is_of(*modified - named))
        .unwrap_or(named)
}

/// Can a directory's time be this far from its name in some time zone?
fn is_of(apart: TimeDelta) -> bool {
    const QUARTER: i64 = 15 * 60;
    let secs = apart.num_seconds();
    let zone = (secs + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
    let rest = (apart - TimeDelta::seconds(zone)).abs();
    zone.abs() <= ZONES.num_seconds() && rest <= SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> DateTime<Utc> {
        parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn reads_what_it_writes() {
        for shown in [
            "2026-11-22T22:31:04.123456789Z",
            "0987-01-01T00:00:00.000000000Z",
            "1969-12-31T23:59:59.999999999Z",
        ] {
            assert_eq!(text(&moment(shown)), shown);
        }
        let other_zone = moment("2026-11-23T07:31:04.5+09:00");
        assert_eq!(text(&other_zone), "2026-11-22T22:31:04.500000000Z");
        for bad in [
            &b""[..],
            b"2026",
            b"2026-11-22T23:31",
            b"\xff",
            b"yesterday",
        ] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    fn a_time_of_modification_counts_within_two_minutes_of_a_zone() {
        let name: Stamp = "2026-06-10T12:00".parse().expect("a minute");
        let named = name.first_moment();
        let cases = [
            (0, true),
            (59, true),
            (120, true),
            (121, false),
            (-120, true),
            (-121, false),
            // Quarter hours, as zones have them.
            (15 * 60, true),
            (-(5 * 3600 + 45 * 60) + 30, true),
            (7 * 60, false),
            (16 * 3600 + 90, true),
            (16 * 3600 + 300, false),
            (26 * 3600 + 120, true),
            (-26 * 3600 - 120, true),
            (26 * 3600 + 15 * 60, false),
            (-26 * 3600 - 15 * 60, false),
            (86_400 * 365, false),
        ];
        for (secs, counts) in cases {
            let modified = named + TimeDelta::seconds(secs);
            let time = Time::new(modified.timestamp(), 0);
            let expected = if counts { modified } else { named };
            assert_eq!(unmarked(Some(time), name), expected, "{secs} s");
        }
        assert_eq!(unmarked(None, name), named);
        assert_eq!(unmarked(Some(Time::new(i64::MAX, 0)), name), named);
    }
}
