//! Which moment a person means: by a dump, by a date, or by how long ago.
//!
//! What is read here is read from the text alone. A pin, and the path of a dump,
//! only the dump root knows: [`DumpRoot::when`](crate::DumpRoot::when).

use chrono::{DateTime, NaiveDate, TimeZone, Utc};

use super::date::{Ago, Date};
use super::layout::DumpId;
use super::span::begins_as_span;

/// A moment as a person names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// When this dump was made.
    Dump(DumpId),
    /// A day, or a minute.
    Date(Date),
    /// So long before now.
    Ago(Ago),
}

impl When {
    /// Reads a date, a span of time (`3d`, `3d ago`), or the name of a dump
    /// (`2026/1122/2331`, `first`), which need not exist. What a date leaves out
    /// is taken from `today`.
    ///
    /// # Errors
    /// The text has no such form, or the calendar no such day.
    pub fn parse<Z: TimeZone>(text: &str, today: NaiveDate, zone: &Z) -> Result<Self, BadWhen> {
        if let Some(id) = DumpId::parse(text.as_bytes()) {
            return Ok(Self::Dump(id));
        }
        let (span, is_ago) = match text.strip_suffix(" ago") {
            Some(span) => (span.trim_end(), true),
            None => (text, false),
        };
        if is_ago || begins_as_span(text) {
            return Ok(Self::Ago(Ago::parse(span)?));
        }
        match Date::parse(text, today, zone) {
            Ok(date) => Ok(Self::Date(date)),
            Err(bad) if bad.has_form() => Err(bad.into()),
            Err(_) => Err(BadWhen::Form {
                text: text.to_owned(),
            }),
        }
    }

    /// The moment at which it begins, of what names no dump; `None` before the
    /// year 0.
    #[must_use]
    pub fn begins<Z: TimeZone>(&self, now: &DateTime<Z>) -> Option<DateTime<Utc>> {
        match self {
            Self::Dump(_) => None,
            Self::Date(date) => Some(date.first().first_moment_in(&now.timezone())),
            Self::Ago(ago) => ago.before(now),
        }
    }
}

/// The text names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadWhen {
    /// It looks like nothing that names one.
    #[error(
        "'{text}' is neither a dump nor a time: use {}, {}, or the name, path or pin of a dump",
        super::date::FORMS,
        "how long ago (3d, 12h, 1y6mo)"
    )]
    Form {
        /// What was named.
        text: String,
    },
    /// The calendar has no such day.
    #[error(transparent)]
    Date(#[from] super::date::BadDate),
    /// It is not a span of time.
    #[error(transparent)]
    Span(#[from] super::span::BadSpan),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::layout::PinName;
    use chrono_tz::Europe::Berlin;

    fn read(text: &str) -> Result<When, BadWhen> {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
        When::parse(text, today, &Berlin)
    }

    #[test]
    fn dumps_dates_and_spans_are_told_apart() {
        let dump = |name: &str| When::Dump(name.parse().expect(name));
        let ago = |text| When::Ago(Ago::parse(text).expect(text));
        let date = |text| {
            let today = NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day");
            When::Date(Date::parse(text, today, &Berlin).expect(text))
        };
        for (text, expected) in [
            ("2026/1122/2331", dump("2026/1122/2331")),
            ("2026/1101/0500_chk", dump("2026/1101/0500_chk")),
            ("first", dump("first")),
            ("3d", ago("3d")),
            ("3d ago", ago("3d")),
            ("1y6mo ago", ago("1y6mo")),
            ("today", date("today")),
            ("yesterday", date("yesterday")),
            ("5", date("5")),
            ("1231", date("1231")),
            ("2026-11-22T23:31", date("2026-11-22T23:31")),
            ("2026-11-22T23:31:00Z", date("2026-11-22T23:31:00Z")),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
            assert!(PinName::new(text).is_err(), "{text} names no pin");
        }
    }

    #[test]
    fn what_names_no_moment_says_what_would() {
        for (text, expected) in [
            ("6m", "'6m' is not a span of time: 6min or 6mo?"),
            ("6m ago", "'6m' is not a span of time: 6min or 6mo?"),
            ("1301", "'1301' is not a date: months are 01 to 12, not 13"),
        ] {
            assert_eq!(read(text).expect_err(text).to_string(), expected);
        }
        for text in ["tomorrow", "2026/1122", "", "ago", "before-upgrade"] {
            let said = read(text).expect_err(text).to_string();
            let start = format!("'{text}' is neither a dump nor a time: use today, yesterday, ");
            assert!(said.starts_with(&start), "{said}");
            assert!(said.ends_with("or pin of a dump"), "{said}");
        }
    }
}
