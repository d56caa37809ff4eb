//! A civil minute: what a dump is named after.
//!
//! A [`Stamp`] is a minute on the wall clock, without a zone: names on disk
//! are local time, and two minutes an hour apart may have the same name when
//! the clocks go back. It knows how to step and to measure, never what time
//! it is now: `now` is always an argument.

use chrono::{
    DateTime, Datelike, Local, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
    Timelike, Utc,
};
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::model::time::{OutOfRange, Time};

/// A minute of the local calendar; ordered as the calendar is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(NaiveDateTime);

impl Stamp {
    /// The minute of these parts; `None` when there is no such day or minute.
    /// Years from 0 on.
    #[must_use]
    pub fn new(year: i32, month: u32, day: u32, hour: u32, minute: u32) -> Option<Self> {
        if year < 0 {
            return None;
        }
        NaiveDate::from_ymd_opt(year, month, day)?
            .and_hms_opt(hour, minute, 0)
            .map(Self)
    }

    /// The minute that a local moment is in.
    #[must_use]
    pub fn of(moment: &DateTime<Local>) -> Self {
        Self::from_civil(moment.naive_local())
    }

    /// The minute that a civil time is in: seconds are dropped.
    #[must_use]
    pub fn from_civil(time: NaiveDateTime) -> Self {
        let time = time.with_second(0).and_then(|t| t.with_nanosecond(0));
        Self(time.unwrap_or_default())
    }

    /// The same as a civil time of the calendar library, seconds zero.
    #[must_use]
    pub fn civil(&self) -> NaiveDateTime {
        self.0
    }

    /// The calendar year.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.0.year()
    }

    /// 1 to 12.
    #[must_use]
    pub fn month(&self) -> u32 {
        self.0.month()
    }

    /// 1 to 31.
    #[must_use]
    pub fn day(&self) -> u32 {
        self.0.day()
    }

    /// 0 to 23.
    #[must_use]
    pub fn hour(&self) -> u32 {
        self.0.hour()
    }

    /// 0 to 59.
    #[must_use]
    pub fn minute(&self) -> u32 {
        self.0.minute()
    }

    /// The earliest moment that has this name here: of an hour that the
    /// clocks repeat the first; `None` for one that they leave out.
    #[must_use]
    pub fn earliest(&self) -> Option<DateTime<Local>> {
        self.0.and_local_timezone(Local).earliest()
    }

    /// When this minute began here. Of an hour that the clocks repeat the
    /// first counts; of one that they leave out, the moment at which they did.
    #[must_use]
    pub fn first_moment(&self) -> DateTime<Utc> {
        self.first_moment_in(&Local)
    }

    /// The last nanosecond of this minute here. Of an hour that the clocks
    /// repeat the second counts; of one that they leave out, the moment at
    /// which they did.
    #[must_use]
    pub fn last_moment(&self) -> DateTime<Utc> {
        self.last_moment_in(&Local)
    }

    pub(crate) fn first_moment_in<Z: TimeZone>(&self, zone: &Z) -> DateTime<Utc> {
        match zone.from_local_datetime(&self.0) {
            LocalResult::Single(at) => at.to_utc(),
            // Zones do not agree on the order in which they name the two.
            LocalResult::Ambiguous(a, b) => a.min(b).to_utc(),
            LocalResult::None => self.gap_in(zone),
        }
    }

    pub(crate) fn last_moment_in<Z: TimeZone>(&self, zone: &Z) -> DateTime<Utc> {
        let first = match zone.from_local_datetime(&self.0) {
            LocalResult::Single(at) => at.to_utc(),
            LocalResult::Ambiguous(a, b) => a.max(b).to_utc(),
            LocalResult::None => return self.gap_in(zone),
        };
        let rest = TimeDelta::minutes(1) - TimeDelta::nanoseconds(1);
        first.checked_add_signed(rest).unwrap_or(first)
    }

    /// The end of the hour, or day, that the clocks leave out around it.
    fn gap_in<Z: TimeZone>(&self, zone: &Z) -> DateTime<Utc> {
        const DAY: usize = 24 * 60;
        let minutes = std::iter::successors(Some(*self), |stamp| Some(stamp.next()));
        let mut there = minutes
            .take(DAY)
            .filter_map(|stamp| zone.from_local_datetime(&stamp.0).earliest());
        there
            .next()
            .map_or_else(|| self.0.and_utc(), |at| at.to_utc())
    }

    /// One minute later; stands still at the end of the calendar.
    #[must_use]
    pub fn next(&self) -> Self {
        Self(
            self.0
                .checked_add_signed(TimeDelta::minutes(1))
                .unwrap_or(self.0),
        )
    }

    /// Whole minutes from `earlier` to this one; negative when it is later.
    #[must_use]
    pub fn minutes_since(&self, earlier: &Self) -> i64 {
        (self.0 - earlier.0).num_minutes()
    }
}

impl From<NaiveDateTime> for Stamp {
    /// As [`Stamp::from_civil`].
    fn from(time: NaiveDateTime) -> Self {
        Self::from_civil(time)
    }
}

impl From<Stamp> for NaiveDateTime {
    /// As [`Stamp::civil`].
    fn from(stamp: Stamp) -> Self {
        stamp.civil()
    }
}

impl From<DateTime<Local>> for Stamp {
    /// As [`Stamp::of`].
    fn from(moment: DateTime<Local>) -> Self {
        Self::of(&moment)
    }
}

impl TryFrom<SystemTime> for Stamp {
    type Error = OutOfRange;

    /// The minute that it is in, on the local clock.
    fn try_from(moment: SystemTime) -> Result<Self, OutOfRange> {
        let moment = DateTime::<Utc>::try_from(Time::from(moment))?;
        Ok(Self::of(&moment.with_timezone(&Local)))
    }
}

impl From<Stamp> for SystemTime {
    /// When the minute began here: as [`Stamp::first_moment`].
    fn from(stamp: Stamp) -> Self {
        Time::from(stamp.first_moment()).into()
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}",
            self.year(),
            self.month(),
            self.day(),
            self.hour(),
            self.minute()
        )
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a civil minute of the form `YYYY-MM-DDTHH:MM`, or one that
/// the calendar does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a minute of the form YYYY-MM-DDTHH:MM{why}")]
pub struct BadStamp {
    text: String,
    /// Empty, or which part is out of its range, and the range.
    why: String,
}

/// Which part is out of its range, and the range.
fn out_of_range(year: i32, [month, day, hour, minute]: [u32; 4]) -> String {
    let first = |year, month| NaiveDate::from_ymd_opt(year, month, 1);
    let next = match month {
        12 => first(year.saturating_add(1), 1),
        month => first(year, month.saturating_add(1)),
    };
    let last = next.and_then(|day| day.pred_opt());
    let days = last.map_or(31, |day| day.day());
    let in_month = format!("day of {year:04}-{month:02}");
    let parts = [
        ("month", month, 1, 12),
        (in_month.as_str(), day, 1, days),
        ("hour", hour, 0, 23),
        ("minute", minute, 0, 59),
    ];
    let wrong = parts
        .into_iter()
        .find(|(_, part, first, last)| part < first || part > last);
    wrong.map_or_else(String::new, |(name, _, first, last)| {
        format!(": the {name} is from {first:02} to {last:02}")
    })
}

impl FromStr for Stamp {
    type Err = BadStamp;

    /// Reads `YYYY-MM-DDTHH:MM`; a space may stand for the `T`.
    fn from_str(text: &str) -> Result<Self, BadStamp> {
        let bad = || BadStamp {
            text: text.to_owned(),
            why: String::new(),
        };
        let (date, time) = text.split_once(['T', ' ']).ok_or_else(bad)?;
        let parts = |text: &str, mark: char| -> Option<Vec<u32>> {
            let number = |s: &str| {
                let plain = s.len() >= 2 && s.bytes().all(|b| b.is_ascii_digit());
                plain.then(|| s.parse().ok()).flatten()
            };
            text.split(mark).map(number).collect()
        };
        let (Some([y, m, d]), Some([h, min])) = (
            parts(date, '-').and_then(|p| <[u32; 3]>::try_from(p).ok()),
            parts(time, ':').and_then(|p| <[u32; 2]>::try_from(p).ok()),
        ) else {
            return Err(bad());
        };
        if date.find('-').is_none_or(|year_digits| year_digits < 4) {
            return Err(bad());
        }
        let y = i32::try_from(y).map_err(|_| bad())?;
        Self::new(y, m, d, h, min).ok_or_else(|| BadStamp {
            why: out_of_range(y, [m, d, h, min]),
            ..bad()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Stamp {
        text.parse().expect(text)
    }

    #[test]
    fn a_part_out_of_its_range_is_told_with_the_range() {
        for (text, why) in [
            ("2026-13-01T00:00", ": the month is from 01 to 12"),
            ("2026-00-01T00:00", ": the month is from 01 to 12"),
            ("2026-02-29T00:00", ": the day of 2026-02 is from 01 to 28"),
            ("2028-02-30T00:00", ": the day of 2028-02 is from 01 to 29"),
            ("2026-12-32T00:00", ": the day of 2026-12 is from 01 to 31"),
            ("2026-11-01T24:00", ": the hour is from 00 to 23"),
            ("2026-11-01T23:60", ": the minute is from 00 to 59"),
            ("2026-11", ""),
        ] {
            let bad = text.parse::<Stamp>().expect_err(text).to_string();
            assert!(bad.ends_with(&format!("HH:MM{why}")), "{bad}");
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "2026-11-22T23:31",
            "0987-01-01T00:00",
            "12026-02-28T12:00",
            "2024-02-29T05:05",
        ] {
            assert_eq!(at(text).to_string(), text);
        }
        assert_eq!(at("2026-11-22 23:31"), at("2026-11-22T23:31"));
    }

    #[test]
    fn converts_from_and_to_other_times() {
        let minute = at("2026-11-22T23:31");
        let civil = NaiveDateTime::from(minute);
        assert_eq!(civil.to_string(), "2026-11-22 23:31:00");
        assert_eq!(Stamp::from(civil + TimeDelta::seconds(59)), minute);
        let moment = SystemTime::from(minute);
        assert_eq!(Stamp::try_from(moment), Ok(minute));
        let far = SystemTime::from(Time::new(i64::MAX, 0));
        assert!(Stamp::try_from(far).is_err());
    }

    #[test]
    fn refuses_what_is_no_minute() {
        for text in [
            "",
            "2026-11-22",
            "2026-11-22T24:00",
            "2025-02-29T00:00",
            "2026-11-22T23:31:00",
            "26-11-22T23:31",
            "2026-1-2T3:4",
            "2026-11-22T+1:31",
            "99999999-01-01T00:00",
            "-2026-11-22T23:31",
        ] {
            assert!(text.parse::<Stamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_minute_that_comes_twice_or_never_has_a_first_and_a_last_moment() {
        let zone = chrono_tz::Europe::Berlin;
        for (minute, first, last) in [
            (
                "2026-06-10T12:00",
                "2026-06-10T10:00:00",
                "2026-06-10T10:00:59.999999999",
            ),
            // Autumn: 02:30 comes twice; spring: never.
            (
                "2026-10-25T02:30",
                "2026-10-25T00:30:00",
                "2026-10-25T01:30:59.999999999",
            ),
            (
                "2026-03-29T02:30",
                "2026-03-29T01:00:00",
                "2026-03-29T01:00:00",
            ),
        ] {
            let minute = at(minute);
            let utc = |text: &str| text.parse::<NaiveDateTime>().expect(text).and_utc();
            assert_eq!(minute.first_moment_in(&zone), utc(first), "{minute}");
            assert_eq!(minute.last_moment_in(&zone), utc(last), "{minute}");
        }
    }

    #[test]
    fn steps_over_midnight_and_new_year() {
        assert_eq!(at("2026-12-31T23:59").next(), at("2027-01-01T00:00"));
        let (a, b) = (at("2026-03-01T00:10"), at("2026-02-28T23:50"));
        assert_eq!(a.minutes_since(&b), 20);
        assert_eq!(b.minutes_since(&a), -20);
    }
}
