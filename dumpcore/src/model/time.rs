//! A moment, as exact as filesystems store it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeZone, Utc};

/// A moment as filesystems store it: seconds since 1970 (negative before)
/// and nanoseconds 0 to 999,999,999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub secs: i64,
    /// Nanoseconds behind them.
    pub nanos: u32,
}

impl Time {
    /// A moment of these parts.
    #[must_use]
    pub fn new(secs: i64, nanos: u32) -> Self {
        Self { secs, nanos }
    }

    /// Is it one that a filesystem may be unable to store: before 1970, later
    /// than 31 bits of seconds reach, in January 2038, or the second 0, which
    /// some take for none?
    pub(crate) fn is_rare(self) -> bool {
        !(1..i64::from(i32::MAX)).contains(&self.secs)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        i128::from(self.secs) * 1_000_000_000 + i128::from(self.nanos)
    }

    /// The moment this many nanoseconds after 1970, within what `secs` can hold.
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Self {
        let secs = nanos.div_euclid(1_000_000_000);
        let secs = secs.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Self {
            secs: i64::try_from(secs).unwrap_or(i64::MAX),
            nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
        }
    }
}

impl From<SystemTime> for Time {
    /// Exact.
    fn from(time: SystemTime) -> Self {
        let nanos = |apart: Duration| i128::try_from(apart.as_nanos()).unwrap_or(i128::MAX);
        Self::from_nanos(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        })
    }
}

impl From<Time> for SystemTime {
    /// Exact.
    ///
    /// ```
    /// use dumpcore::Time;
    /// use std::time::{Duration, SystemTime, UNIX_EPOCH};
    ///
    /// let moment = Time::new(-1, 999_999_999);
    /// assert_eq!(SystemTime::from(moment), UNIX_EPOCH - Duration::from_nanos(1));
    /// assert_eq!(Time::from(SystemTime::from(moment)), moment);
    /// ```
    fn from(time: Time) -> Self {
        let seconds = Duration::from_secs(time.secs.unsigned_abs());
        let whole = match time.secs < 0 {
            true => UNIX_EPOCH.checked_sub(seconds),
            false => UNIX_EPOCH.checked_add(seconds),
        };
        // The system's own time has 64 bits of seconds as well.
        let whole = whole.unwrap_or(UNIX_EPOCH);
        let rest = Duration::from_nanos(time.nanos.into());
        whole.checked_add(rest).unwrap_or(whole)
    }
}

impl<Z: TimeZone> From<DateTime<Z>> for Time {
    /// Exact; of a leap second the one before.
    fn from(moment: DateTime<Z>) -> Self {
        let nanos = moment.timestamp_subsec_nanos().min(999_999_999);
        Self::new(moment.timestamp(), nanos)
    }
}

impl TryFrom<Time> for DateTime<Utc> {
    type Error = OutOfRange;

    fn try_from(time: Time) -> Result<Self, OutOfRange> {
        DateTime::from_timestamp(time.secs, time.nanos).ok_or(OutOfRange(time))
    }
}

/// The calendar does not reach to this moment: it ends about 262,000 years from
/// now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} seconds from 1970 is out of the range of the calendar", .0.secs)]
pub struct OutOfRange(Time);

/// The longest step, in nanoseconds, that explains all of these times, which the
/// kernel gave to inodes of one filesystem. One that is seen by chance hides
/// nothing: such steps are shorter than the time between two writes.
pub(crate) fn time_step(seen: impl IntoIterator<Item = Time>) -> u32 {
    let nanos: Vec<i128> = seen.into_iter().map(Time::as_nanos).collect();
    let steps = [1_000_000_000, 1_000_000, 1_000, 100];
    let fits = |step: &u32| nanos.iter().all(|nanos| nanos % i128::from(*step) == 0);
    let found = steps.into_iter().find(fits);
    found.filter(|_| !nanos.is_empty()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_exact_both_ways() {
        let cases = [(0, 0), (1, 1), (-1, 999_999_999), (-5, 0), (1 << 40, 7)];
        for time in cases.map(|(secs, nanos)| Time::new(secs, nanos)) {
            assert_eq!(Time::from(SystemTime::from(time)), time);
            let moment = DateTime::<Utc>::try_from(time).expect("within the calendar");
            assert_eq!(Time::from(moment), time);
        }
        for far in [i64::MIN, i64::MAX] {
            let far = Time::new(far, 1);
            assert_eq!(Time::from(SystemTime::from(far)), far);
            assert_eq!(DateTime::<Utc>::try_from(far), Err(OutOfRange(far)));
        }
    }
}
