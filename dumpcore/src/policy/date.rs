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
    /// Minutes.
    pub minutes: u32,
}

impl Ago {
    /// What is meant when nothing is said.
    pub const YESTERDAY: Self = Self {
        years: 0,
        months: 0,
        days: 1,
        hours: 0,
        minutes: 0,
    };

    /// The moment so long before another, on whose calendar it is counted;
    /// `None` before the year 0.
    ///
    /// Where the calendar leads to a minute that the clock showed twice, the
    /// second counts, unless hours are to be counted from there: then the
    /// first. To one that the clock skipped: the moment at which it did.
    #[must_use]
    pub fn before<Z: TimeZone>(&self, now: &DateTime<Z>) -> Option<DateTime<Utc>> {
        let hours = TimeDelta::hours(self.hours.into()) + TimeDelta::minutes(self.minutes.into());
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
#[non_exhaustive]
pub enum Date {
    /// Any minute of this day.
    Day(NaiveDate),
    /// This very minute.
    Minute(Stamp),
}

/// The ways to write a date, for messages.
pub(crate) const FORMS: &str = "today, yesterday, d or dd (the last such day), mmdd, yymmdd, yyyymmdd, \
     yyyy-mm-dd, yyyy-mm-ddThh:mm, or a moment such as 2026-11-22T23:31:00Z";

/// The text is not a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a date: {why}")]
pub struct BadDate {
    text: String,
    why: NoDate,
}

impl BadDate {
    /// Does the text look like a date, which no calendar has?
    pub(crate) fn has_form(&self) -> bool {
        self.why != NoDate::Form
    }
}

/// Why a text is not a date, with what would be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoDate {
    #[error("use {}", FORMS)]
    Form,
    #[error("months are 01 to 12, not {0:02}")]
    Month(u32),
    #[error("days are 01 to 31, not {0:02}")]
    DayOfMonth(u32),
    #[error("month {month:02} has days 01 to {last}, not {day:02}")]
    DayOfYear { month: u32, last: u32, day: u32 },
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
    /// `today` and `yesterday` are days; as in Plan 9, one or two digits are a
    /// day, four a month and a day, six and eight add the year. Where month or
    /// year are missing it is the last such day up to `today`, never one of the
    /// future. Two digits of a year count from 1969 to 2068, as POSIX has it.
    /// `yyyy-mm-dd`, `yyyy-mm-ddThh:mm` and an RFC 3339 moment, which is moved
    /// into `zone`, are read as well.
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
        let day = pair(0).ok_or_else(bad)?;
        let (year, month) = match digits.len() {
            1 | 2 => return last_day(today, None, day).map_err(because),
            4 => return last_day(today, pair(2), day).map_err(because),
            6 => (pair(4).map(century), pair(2)),
            8 => (digits[..4].parse().ok(), pair(2)),
            _ => return Err(bad()),
        };
        let (year, month) = year.zip(month).ok_or_else(bad)?;
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

/// The last such day up to this one. A day that all months lack is not looked
/// for, nor one that its month never has.
fn last_day(today: NaiveDate, month: Option<u32>, day: u32) -> Result<Date, NoDate> {
    // Of a leap year: it has all days.
    let last = month.map(|month| NaiveDate::from_ymd_opt(2024, month, 1).ok_or(month));
    match last.transpose().map_err(NoDate::Month)? {
        None if !(1..=31).contains(&day) => return Err(NoDate::DayOfMonth(day)),
        Some(first) if !(1..=first.num_days_in_month().into()).contains(&day) => {
            return Err(NoDate::DayOfYear {
                month: first.month(),
                last: first.num_days_in_month().into(),
                day,
            });
        }
        _ => {}
    }
    let mut first = today.with_day(1);
    while let Some(of_month) = first {
        let found = of_month.with_day(day).filter(|found| *found <= today);
        if let Some(found) = found
            && month.is_none_or(|month| found.month() == month)
        {
            return Ok(Date::Day(found));
        }
        first = of_month.checked_sub_months(Months::new(1));
    }
    Err(NoDate::Form)
}

fn century(two_digits: u32) -> i32 {
    let year = i32::try_from(two_digits).unwrap_or_default();
    if year < 69 { 2000 + year } else { 1900 + year }
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;
