//! Which minute a person means: calendar arithmetic, and dates as typed.
//!
//! Years, months and days are counted on the calendar and keep the time of
//! day: 31 March minus one month is the last day of February. Hours are
//! counted on the clock, so that on the day the clocks change `one hour ago`
//! is sixty minutes ago. `now` and the zone are always arguments.

use std::fmt;

use chrono::{
    DateTime, Datelike, Days, FixedOffset, LocalResult, Months, NaiveDate, NaiveDateTime,
    NaiveTime, TimeDelta, TimeZone, Utc,
};

use crate::model::minute::Stamp;

/// How long ago; the parts add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ago {
    /// Calendar years.
    pub years: u32,
    /// Calendar months.
    pub months: u32,
    /// Calendar days.
    pub days: u32,
    /// Hours of sixty minutes.
    pub hours: u32,
}

impl Ago {
    /// What is meant when nothing is said.
    pub const YESTERDAY: Self = Self {
        years: 0,
        months: 0,
        days: 1,
        hours: 0,
    };

    /// The moment so long before another, on whose calendar it is counted;
    /// `None` before the year 0.
    ///
    /// Where the calendar leads to a minute that the clock showed twice, the
    /// second counts, unless hours are to be counted from there: then the
    /// first. To one that the clock skipped: the moment at which it did.
    #[must_use]
    pub fn before<Z: TimeZone>(&self, now: &DateTime<Z>) -> Option<DateTime<Utc>> {
        let hours = TimeDelta::hours(self.hours.into());
        let found = if self.on_the_clock_only() {
            now.to_utc().checked_sub_signed(hours)?
        } else {
            self.before_civil(now.naive_local(), &now.timezone(), hours)?
        };
        let civil = found.with_timezone(&now.timezone()).naive_local();
        (civil.year() >= 0).then_some(found)
    }

    fn on_the_clock_only(&self) -> bool {
        (self.years, self.months, self.days) == (0, 0, 0)
    }

    fn before_civil<Z: TimeZone>(
        &self,
        civil: NaiveDateTime,
        zone: &Z,
        hours: TimeDelta,
    ) -> Option<DateTime<Utc>> {
        let months = self.years.checked_mul(12)?.checked_add(self.months)?;
        let civil = civil
            .checked_sub_months(Months::new(months))?
            .checked_sub_days(Days::new(self.days.into()))?;
        match zone.from_local_datetime(&civil) {
            LocalResult::Single(at) => at.to_utc().checked_sub_signed(hours),
            // Zones do not agree on the order in which they name the two.
            LocalResult::Ambiguous(a, b) if hours.is_zero() => Some(a.max(b).to_utc()),
            LocalResult::Ambiguous(a, b) => a.min(b).to_utc().checked_sub_signed(hours),
            // A minute that the clocks skipped: as if they had not yet.
            LocalResult::None => {
                let civil = civil.checked_sub_signed(hours)?;
                Some(Stamp::from_civil(civil).first_moment_in(zone))
            }
        }
    }
}

fn minute(civil: NaiveDateTime) -> Option<Stamp> {
    (civil.year() >= 0).then(|| Stamp::from_civil(civil))
}

/// A date as a person types it: a whole day, or a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    /// Any minute of this day.
    Day(NaiveDate),
    /// This very minute.
    Minute(Stamp),
}

/// The text is not a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a date: {why}")]
pub struct BadDate {
    text: String,
    why: NoDate,
}

/// Why a text is not a date, with what would be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoDate {
    #[error(
        "use today, yesterday, d or dd (a day of this month), mmdd, yymmdd, yyyymmdd, \
         yyyy-mm-dd, yyyy-mm-ddThh:mm, or a moment such as 2026-11-22T23:31:00Z"
    )]
    Form,
    #[error("months are 01 to 12, not {0:02}")]
    Month(u32),
    #[error("{year}-{month:02} has days 01 to {last}, not {day:02}")]
    Day {
        year: i32,
        month: u32,
        last: u32,
        day: u32,
    },
}

impl Date {
    /// Reads a date.
    ///
    /// `today` and `yesterday` are days; as in Plan 9, one or two digits are a day of this month, four a month
    /// and day of this year, six and eight add the year; two digits of a year
    /// count from 1969 to 2068, as POSIX has it. `yyyy-mm-dd`,
    /// `yyyy-mm-ddThh:mm` and an RFC 3339 moment, which is moved into `zone`,
    /// are read as well. What is missing is taken from `today`.
    ///
    /// # Errors
    /// The text has no such form, or the calendar no such day.
    pub fn parse<Z: TimeZone>(text: &str, today: NaiveDate, zone: &Z) -> Result<Self, BadDate> {
        let because = |why| BadDate {
            text: text.to_owned(),
            why,
        };
        let bad = || because(NoDate::Form);
        match text {
            "today" => return Ok(Self::Day(today)),
            "yesterday" => return today.pred_opt().map(Self::Day).ok_or_else(bad),
            _ => {}
        }
        if let Ok(moment) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
            let local = moment.with_timezone(zone).naive_local();
            return minute(local).map(Self::Minute).ok_or_else(bad);
        }
        if let Ok(stamp) = text.parse() {
            return Ok(Self::Minute(stamp));
        }
        let digits: String = match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
            _ => text.to_owned(),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let pair = |from_end: usize| -> Option<u32> {
            let end = digits.len().checked_sub(from_end)?;
            digits[end.saturating_sub(2)..end].parse().ok()
        };
        let (year, month) = match digits.len() {
            1 | 2 => (Some(today.year()), Some(today.month())),
            4 => (Some(today.year()), pair(2)),
            6 => (pair(4).map(century), pair(2)),
            8 => (digits[..4].parse().ok(), pair(2)),
            _ => return Err(bad()),
        };
        let ((year, month), day) = year.zip(month).zip(pair(0)).ok_or_else(bad)?;
        let date = NaiveDate::from_ymd_opt(year, month, day);
        date.map(Self::Day)
            .ok_or_else(|| because(NoDate::of(year, month, day)))
    }

    /// Its first minute.
    #[must_use]
    pub fn first(&self) -> Stamp {
        match self {
            Self::Day(day) => Stamp::from_civil(day.and_time(NaiveTime::MIN)),
            Self::Minute(stamp) => *stamp,
        }
    }

    /// Its last minute.
    #[must_use]
    pub fn last(&self) -> Stamp {
        match self {
            Self::Day(day) => {
                let midnight = day.and_time(NaiveTime::MIN);
                Stamp::from_civil(midnight + TimeDelta::minutes(24 * 60 - 1))
            }
            Self::Minute(stamp) => *stamp,
        }
    }
}

impl NoDate {
    /// Of numbers that the calendar does not have.
    fn of(year: i32, month: u32, day: u32) -> Self {
        match NaiveDate::from_ymd_opt(year, month, 1) {
            Some(first) => Self::Day {
                year,
                month,
                last: first.num_days_in_month().into(),
                day,
            },
            None => Self::Month(month),
        }
    }
}

impl fmt::Display for Date {
    /// `yyyy-mm-dd`, or with the minute `yyyy-mm-ddThh:mm`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{}", day.format("%Y-%m-%d")),
            Self::Minute(stamp) => fmt::Display::fmt(stamp, f),
        }
    }
}

fn century(two_digits: u32) -> i32 {
    let year = i32::try_from(two_digits).unwrap_or_default();
    if year < 69 { 2000 + year } else { 1900 + year }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Europe::Berlin, Tz};
    use proptest::prelude::*;

    fn at(text: &str) -> Stamp {
        text.parse().expect(text)
    }

    fn moment(text: &str) -> DateTime<Tz> {
        let moment = DateTime::parse_from_rfc3339(text).expect(text);
        moment.with_timezone(&Berlin)
    }

    fn ago(y: u32, m: u32, d: u32, h: u32) -> Ago {
        Ago {
            years: y,
            months: m,
            days: d,
            hours: h,
        }
    }

    fn shown<Z: TimeZone>(moment: DateTime<Utc>, zone: &Z) -> Stamp {
        Stamp::from_civil(moment.with_timezone(zone).naive_local())
    }

    /// The minute, as the clock shows it, so long before another.
    fn before<Z: TimeZone>(ago: Ago, from: Stamp, zone: &Z) -> Option<Stamp> {
        let from = from.first_moment_in(zone).with_timezone(zone);
        ago.before(&from).map(|found| shown(found, zone))
    }

    #[test]
    fn counts_on_the_calendar() {
        let table = [
            // The days that months do not have.
            ("2026-03-31T12:00", ago(0, 1, 0, 0), "2026-02-28T12:00"),
            ("2024-03-31T12:00", ago(0, 1, 0, 0), "2024-02-29T12:00"),
            ("2024-02-29T12:00", ago(1, 0, 0, 0), "2023-02-28T12:00"),
            ("2024-02-29T12:00", ago(4, 0, 0, 0), "2020-02-29T12:00"),
            ("2026-05-31T12:00", ago(0, 3, 0, 0), "2026-02-28T12:00"),
            ("2026-12-31T23:59", ago(0, 1, 0, 0), "2026-11-30T23:59"),
            // Leap days.
            ("2024-03-01T00:00", ago(0, 0, 1, 0), "2024-02-29T00:00"),
            ("2025-03-01T00:00", ago(0, 0, 1, 0), "2025-02-28T00:00"),
            ("2100-03-01T00:00", ago(0, 0, 1, 0), "2100-02-28T00:00"),
            ("2025-03-01T00:00", ago(0, 0, 366, 0), "2024-02-29T00:00"),
            // New Year.
            ("2026-01-01T00:00", ago(0, 0, 1, 0), "2025-12-31T00:00"),
            ("2026-01-01T00:30", ago(0, 0, 0, 1), "2025-12-31T23:30"),
            ("2026-01-31T08:00", ago(0, 2, 0, 0), "2025-11-30T08:00"),
            // The parts add up: months first, then days, then hours.
            ("2026-03-31T12:00", ago(1, 1, 1, 1), "2025-02-27T11:00"),
            ("2026-03-31T12:00", ago(0, 0, 0, 0), "2026-03-31T12:00"),
            ("2026-03-31T12:00", ago(0, 0, 0, 36), "2026-03-30T00:00"),
        ];
        for (from, ago, expected) in table {
            let found = before(ago, at(from), &Berlin);
            assert_eq!(found, Some(at(expected)), "{ago:?} before {from}");
        }
    }

    #[test]
    fn counts_hours_on_the_clock() {
        let table = [
            // Spring 2026: 02:00 is followed by 03:00 on 29 March.
            (
                "2026-03-29T03:30:00+02:00",
                ago(0, 0, 0, 1),
                "2026-03-29T01:30",
            ),
            (
                "2026-03-29T12:00:00+02:00",
                ago(0, 0, 0, 12),
                "2026-03-28T23:00",
            ),
            (
                "2026-03-29T12:00:00+02:00",
                ago(0, 0, 1, 0),
                "2026-03-28T12:00",
            ),
            (
                "2026-03-30T02:30:00+02:00",
                ago(0, 0, 1, 0),
                "2026-03-29T03:00",
            ),
            (
                "2026-03-30T02:30:00+02:00",
                ago(0, 0, 1, 1),
                "2026-03-29T01:30",
            ),
            // Autumn 2026: 03:00 is followed by 02:00 on 25 October.
            (
                "2026-10-25T02:30:59+01:00",
                ago(0, 0, 0, 1),
                "2026-10-25T02:30",
            ),
            (
                "2026-10-25T02:30:00+02:00",
                ago(0, 0, 0, 1),
                "2026-10-25T01:30",
            ),
            (
                "2026-10-25T03:30:00+01:00",
                ago(0, 0, 0, 2),
                "2026-10-25T02:30",
            ),
            (
                "2026-10-25T12:00:00+01:00",
                ago(0, 0, 0, 12),
                "2026-10-25T01:00",
            ),
            (
                "2026-10-25T12:00:00+01:00",
                ago(0, 0, 1, 0),
                "2026-10-24T12:00",
            ),
            (
                "2026-10-26T02:30:00+01:00",
                ago(0, 0, 1, 0),
                "2026-10-25T02:30",
            ),
        ];
        for (from, ago, expected) in table {
            let found = ago.before(&moment(from)).map(|found| shown(found, &Berlin));
            assert_eq!(found, Some(at(expected)), "{ago:?} before {from}");
        }
        let twice = at("2026-10-25T02:30");
        let hour = ago(0, 0, 0, 1);
        assert_eq!(before(hour, twice, &Berlin), Some(at("2026-10-25T01:30")));
        // Which of the two is known of a moment, and kept.
        let second = moment("2026-10-25T02:30:59+01:00");
        let first = moment("2026-10-25T02:30:59+02:00");
        assert_eq!(hour.before(&second), Some(first.to_utc()));
    }

    #[test]
    fn before_the_calendar_is_nothing() {
        let from = at("2026-01-01T00:00");
        for ago in [
            ago(2027, 0, 0, 0),
            ago(u32::MAX, u32::MAX, 0, 0),
            ago(0, u32::MAX, 0, 0),
            ago(0, 0, u32::MAX, 0),
            ago(0, 0, 0, u32::MAX),
        ] {
            assert_eq!(before(ago, from, &Berlin), None, "{ago:?}");
        }
    }

    #[test]
    fn reads_dates() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let table = [
            ("5", "2026-11-05T00:00", "2026-11-05T23:59"),
            ("05", "2026-11-05T00:00", "2026-11-05T23:59"),
            ("30", "2026-11-30T00:00", "2026-11-30T23:59"),
            ("1231", "2026-12-31T00:00", "2026-12-31T23:59"),
            ("240229", "2024-02-29T00:00", "2024-02-29T23:59"),
            ("690101", "1969-01-01T00:00", "1969-01-01T23:59"),
            ("680101", "2068-01-01T00:00", "2068-01-01T23:59"),
            ("20240229", "2024-02-29T00:00", "2024-02-29T23:59"),
            ("2024-02-29", "2024-02-29T00:00", "2024-02-29T23:59"),
            ("2024-02-29T10:30", "2024-02-29T10:30", "2024-02-29T10:30"),
            ("today", "2026-11-22T00:00", "2026-11-22T23:59"),
            ("yesterday", "2026-11-21T00:00", "2026-11-21T23:59"),
            (
                "2026-07-01T23:31:59Z",
                "2026-07-02T01:31",
                "2026-07-02T01:31",
            ),
            (
                "2026-01-01T00:00:00+01:00",
                "2026-01-01T00:00",
                "2026-01-01T00:00",
            ),
        ];
        for (text, first, last) in table {
            let date = Date::parse(text, today, &Berlin).expect(text);
            assert_eq!((date.first(), date.last()), (at(first), at(last)), "{text}");
            let shown = date.to_string();
            assert!(first.starts_with(&shown), "{text}: {shown}");
            assert_eq!(Date::parse(&shown, today, &Berlin), Ok(date), "{text}");
        }
        for text in [
            "",
            "0",
            "31",
            "1301",
            "0229",
            "250229",
            "123",
            "12345",
            "1234567",
            "123456789",
            "+1",
            "-1",
            "1a",
            "tomorrow",
            "2026-1-2",
            "20-6-11-22",
            "\u{0663}",
        ] {
            assert!(Date::parse(text, today, &Berlin).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_date_says_what_would_be() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        for (text, expected) in [
            (
                "31",
                "'31' is not a date: 2026-11 has days 01 to 30, not 31",
            ),
            ("0", "'0' is not a date: 2026-11 has days 01 to 30, not 00"),
            (
                "250229",
                "'250229' is not a date: 2025-02 has days 01 to 28, not 29",
            ),
            ("1301", "'1301' is not a date: months are 01 to 12, not 13"),
        ] {
            let bad = Date::parse(text, today, &Berlin).unwrap_err();
            assert_eq!(bad.to_string(), expected);
        }
        let bad = Date::parse("soon", today, &Berlin).unwrap_err().to_string();
        assert!(
            bad.starts_with("'soon' is not a date: use today, yesterday, "),
            "{bad}"
        );
    }

    proptest! {
        #[test]
        fn days_and_hours_agree_with_plain_counting(
            minutes in 0i64..200 * 365 * 24 * 60, days in 0u32..4000, hours in 0u32..100_000,
        ) {
            let start = at("1900-01-01T00:00").civil();
            let from = Stamp::from_civil(start + TimeDelta::minutes(minutes));
            let utc = Utc;
            let plain = from.civil()
                - TimeDelta::minutes(24 * 60 * i64::from(days) + 60 * i64::from(hours));
            prop_assert_eq!(before(ago(0, 0, days, hours), from, &utc), minute(plain));
        }

        #[test]
        fn months_keep_the_day_or_end_on_the_last(
            minutes in 0i64..200 * 365 * 24 * 60, years in 0u32..50, months in 0u32..50,
        ) {
            let start = at("1900-01-01T00:00").civil();
            let from = Stamp::from_civil(start + TimeDelta::minutes(minutes));
            let found = before(ago(years, months, 0, 0), from, &Berlin).unwrap();
            let count = |s: &Stamp| i64::from(s.year()) * 12 + i64::from(s.month());
            prop_assert_eq!(count(&from) - count(&found), i64::from(years * 12 + months));
            let day_after = found.civil().date().succ_opt().unwrap();
            prop_assert!(found.day() == from.day()
                || (found.day() < from.day() && day_after.day() == 1));
        }
    }
}
