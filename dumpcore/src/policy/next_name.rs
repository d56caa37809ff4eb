//! Which minute a dump is named after: names never go backwards.
//!
//! The clock may stand where it stood before: the same minute twice, the
//! hour that autumn repeats, a small step back. Then the next dump is named
//! one minute after the newest. Where the clock is further back than that,
//! it is believed anyway, since a newest dump from the far future must
//! not name all dumps to come; a warning says so.

use crate::model::event::Warning;
use crate::model::minute::Stamp;

/// How far back the clock may be while names continue from the newest dump:
/// the hour of autumn, and another for a step.
const CLOSE_BY: i64 = 120;

/// The name for a dump of now. `current` is the newest dump's; `taken` says
/// whether a minute's name is in use.
pub(crate) fn next<E>(
    now: Stamp,
    current: Option<Stamp>,
    mut taken: impl FnMut(Stamp) -> Result<bool, E>,
) -> Result<(Stamp, Option<Warning>), E> {
    let (mut stamp, mut warning) = (now, None);
    if let Some(current) = current.filter(|current| now <= *current) {
        if current.minutes_since(&now) <= CLOSE_BY {
            stamp = current.next();
        } else {
            warning = Some(Warning::ClockBehind { now, current });
        }
    }
    while taken(stamp)? {
        let next = stamp.next();
        if next == stamp {
            break;
        }
        stamp = next;
    }
    Ok((stamp, warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn at(text: &str) -> Stamp {
        text.parse().expect(text)
    }

    fn named(now: &str, current: Option<&str>, taken: &[&str]) -> (String, bool) {
        let taken: Vec<Stamp> = taken.iter().map(|t| at(t)).collect();
        let is_taken = |stamp| Ok::<_, Infallible>(taken.contains(&stamp));
        let (stamp, warning) = next(at(now), current.map(at), is_taken).expect("infallible");
        (stamp.to_string(), warning.is_some())
    }

    /// Now, `current`, the names that are taken; the name, and is it warned of?
    type Case = (
        &'static str,
        Option<&'static str>,
        &'static [&'static str],
        &'static str,
        bool,
    );

    #[track_caller]
    fn check(cases: &[Case]) {
        for (now, current, taken, wanted, warned) in cases {
            let got = named(now, *current, taken);
            assert_eq!(
                got,
                ((*wanted).to_owned(), *warned),
                "{now} after {current:?}"
            );
        }
    }

    #[test]
    fn names_never_go_backwards() {
        check(&[
            ("2026-11-22T23:31", None, &[], "2026-11-22T23:31", false),
            (
                "2026-11-22T23:31",
                Some("2026-11-22T22:31"),
                &[],
                "2026-11-22T23:31",
                false,
            ),
            // The same minute again.
            (
                "2026-11-22T23:31",
                Some("2026-11-22T23:31"),
                &["2026-11-22T23:31"],
                "2026-11-22T23:32",
                false,
            ),
            // Autumn: 02:59 is followed by 02:00.
            (
                "2026-10-25T02:00",
                Some("2026-10-25T02:59"),
                &[],
                "2026-10-25T03:00",
                false,
            ),
            // Over New Year.
            (
                "2026-12-31T23:59",
                Some("2026-12-31T23:59"),
                &[],
                "2027-01-01T00:00",
                false,
            ),
        ]);
    }

    #[test]
    fn a_taken_name_is_passed_and_a_clock_far_behind_is_warned_of() {
        check(&[
            // Exactly two hours, and more.
            (
                "2026-11-22T10:00",
                Some("2026-11-22T12:00"),
                &[],
                "2026-11-22T12:01",
                false,
            ),
            (
                "2026-11-22T10:00",
                Some("2026-11-22T12:01"),
                &["2026-11-22T10:00"],
                "2026-11-22T10:01",
                true,
            ),
            (
                "2026-11-22T23:31",
                None,
                &["2026-11-22T23:31", "2026-11-22T23:32"],
                "2026-11-22T23:33",
                false,
            ),
        ]);
    }
}
