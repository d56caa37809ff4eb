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
        minutes: 0,
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
        ("03-29T03:30:00+02:00", ago(0, 0, 0, 1), "03-29T01:30"),
        ("03-29T12:00:00+02:00", ago(0, 0, 0, 12), "03-28T23:00"),
        ("03-29T12:00:00+02:00", ago(0, 0, 1, 0), "03-28T12:00"),
        ("03-30T02:30:00+02:00", ago(0, 0, 1, 0), "03-29T03:00"),
        ("03-30T02:30:00+02:00", ago(0, 0, 1, 1), "03-29T01:30"),
        // Autumn 2026: 03:00 is followed by 02:00 on 25 October.
        ("10-25T02:30:59+01:00", ago(0, 0, 0, 1), "10-25T02:30"),
        ("10-25T02:30:00+02:00", ago(0, 0, 0, 1), "10-25T01:30"),
        ("10-25T03:30:00+01:00", ago(0, 0, 0, 2), "10-25T02:30"),
        ("10-25T12:00:00+01:00", ago(0, 0, 0, 12), "10-25T01:00"),
        ("10-25T12:00:00+01:00", ago(0, 0, 1, 0), "10-24T12:00"),
        ("10-26T02:30:00+01:00", ago(0, 0, 1, 0), "10-25T02:30"),
    ];
    for (from, ago, expected) in table {
        let (from, expected) = (format!("2026-{from}"), format!("2026-{expected}"));
        let found = ago
            .before(&moment(&from))
            .map(|found| shown(found, &Berlin));
        assert_eq!(found, Some(at(&expected)), "{ago:?} before {from}");
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
        ("22", "2026-11-22T00:00", "2026-11-22T23:59"),
        // The last such day, never a future one.
        ("23", "2026-10-23T00:00", "2026-10-23T23:59"),
        ("31", "2026-10-31T00:00", "2026-10-31T23:59"),
        ("1122", "2026-11-22T00:00", "2026-11-22T23:59"),
        ("1123", "2025-11-23T00:00", "2025-11-23T23:59"),
        ("1231", "2025-12-31T00:00", "2025-12-31T23:59"),
        ("0229", "2024-02-29T00:00", "2024-02-29T23:59"),
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
}

#[test]
fn other_texts_are_not_dates() {
    let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    for text in [
        "",
        "0",
        "32",
        "1301",
        "0230",
        "0100",
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
        ("32", "'32' is not a date: days are 01 to 31, not 32"),
        ("0", "'0' is not a date: days are 01 to 31, not 00"),
        (
            "0230",
            "'0230' is not a date: month 02 has days 01 to 29, not 30",
        ),
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
