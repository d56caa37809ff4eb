//! How fast may be copied: a rate as people write it, and the bucket of
//! tokens that holds many workers to it together.
//!
//! Values alone. The caller that takes from the bucket passes the time and does
//! the waiting: no more than the rate allows has ever been taken, but for
//! what may be taken ahead ([`Bucket::AHEAD`]), however many take.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

/// How many bytes a second may be copied, at most.
///
/// Written as rsync's `--bwlimit` takes it: a number, with decimals if need
/// be, and a unit: `K`, `M`, `G`, `T`, `P` or `KiB`, `MiB` … for powers of
/// 1024, `KB`, `MB` … for powers of 1000, `B` for bytes, in any case; none is
/// KiB. It is rounded to whole KiB, and 0 means no limit.
///
/// ```
/// use dumpcore::Rate;
///
/// let rate: Rate = "1.5m".parse()?;
/// assert_eq!(rate.bytes_per_second(), 1_572_864);
/// assert_eq!("500".parse(), Ok(Rate::per_second(500 * 1024)));
/// assert_eq!("0".parse(), Ok(Rate::UNLIMITED));
/// # Ok::<(), dumpcore::BadRate>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self(0);

    /// This many bytes per second; 0 means no limit.
    #[must_use]
    pub fn per_second(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes per second; 0 means no limit.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        self.0
    }
}

/// As it would be written, in the largest unit that is exact.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
        let exact = UNITS.iter().find(|(unit, _)| self.0.is_multiple_of(*unit));
        match exact {
            _ if self.0 == 0 => f.write_str("0"),
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Why a text is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRate {
    /// It is not written like a rate.
    #[error("not a rate; write 500 (KiB per second), 1.5m or 20MB, or 0 for no limit")]
    Unknown,
    /// Copying would never finish.
    #[error("too small; the minimum is 512 bytes per second, or 0 for no limit")]
    TooSmall,
    /// More than can be counted.
    #[error("too large for a rate; use 0 for no limit")]
    TooLarge,
}

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + part.len() == 0 || part.contains('.') {
            return Err(BadRate::Unknown);
        }
        let unit = u128::from(bytes_of_unit(unit).ok_or(BadRate::Unknown)?);
        let digits = format!("{whole}{part}");
        let digits: u128 = digits.parse().map_err(|_| BadRate::TooLarge)?;
        let decimals = u32::try_from(part.len()).map_err(|_| BadRate::TooLarge)?;
        let scale = 10u128.checked_pow(decimals).ok_or(BadRate::TooLarge)?;
        let bytes = digits.checked_mul(unit).ok_or(BadRate::TooLarge)? / scale;
        if bytes < 512 {
            let none = digits == 0;
            return none.then_some(Self::UNLIMITED).ok_or(BadRate::TooSmall);
        }
        let kib = (bytes + 512) / 1024;
        let bytes = u64::try_from(kib * 1024).map_err(|_| BadRate::TooLarge)?;
        Ok(Self(bytes))
    }
}

fn bytes_of_unit(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let power = |letter: &str| Some(1 + "kmgtp".find(letter)? as u32);
    if unit.is_empty() {
        return Some(1024);
    }
    match unit.split_at_checked(1)? {
        ("b", "") => Some(1),
        (letter, "" | "ib") => Some(1024u64.pow(power(letter)?)),
        (letter, "b") => Some(1000u64.pow(power(letter)?)),
        _ => None,
    }
}

/// Tells everybody who copies how long to wait, so that all of them together
/// keep to a rate.
///
/// It remembers until when what was taken so far takes at that rate; times
/// count from any moment, the same for all who take.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: NonZeroU64,
    paid_until: Duration,
}

impl Bucket {
    /// So much may be taken at once by who took nothing for as long.
    const AHEAD: Duration = Duration::from_millis(125);
    /// Shorter waits stay owed: a sleep of its own for each small file would
    /// cost more than it is worth.
    const SHORTEST: Duration = Duration::from_millis(10);

    /// `None` for no limit.
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        Some(Self {
            rate: NonZeroU64::new(rate.0)?,
            paid_until: Duration::ZERO,
        })
    }

    /// How much to copy between two asks, at most: an eighth of a second's,
    /// so that a slow copy flows instead of coming in gushes, and a page.
    pub(crate) fn step(&self) -> usize {
        usize::try_from(self.rate.get() / 8)
            .unwrap_or(usize::MAX)
            .max(4096)
    }

    /// Takes what was just copied, and tells how long to wait with the next.
    pub(crate) fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let from = self.paid_until.max(now.saturating_sub(Self::AHEAD));
        self.paid_until = from.saturating_add(self.time_for(bytes));
        let wait = self.paid_until.saturating_sub(now);
        if wait < Self::SHORTEST {
            Duration::ZERO
        } else {
            wait
        }
    }

    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000;
        let nanos = nanos.div_ceil(u128::from(self.rate.get()));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn rates_are_written_as_for_rsync() {
        for (text, bytes) in [
            ("0", 0),
            ("0.0m", 0),
            ("1", 1024),
            ("500", 512_000),
            ("1.5m", 1_572_864),
            (".5M", 524_288),
            ("2.", 2048),
            ("20MB", 19_999_744),
            ("1kb", 1024),
            ("3KiB", 3072),
            ("1G", 1 << 30),
            ("2gib", 2 << 30),
            ("1t", 1 << 40),
            ("1P", 1 << 50),
            ("512b", 1024),
            ("1535B", 1024),
            ("1536B", 2048),
        ] {
            assert_eq!(text.parse(), Ok(Rate(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for (text, why) in [
            ("", BadRate::Unknown),
            (".", BadRate::Unknown),
            ("m", BadRate::Unknown),
            ("-1", BadRate::Unknown),
            ("1.2.3", BadRate::Unknown),
            ("1 m", BadRate::Unknown),
            ("1x", BadRate::Unknown),
            ("1kbit", BadRate::Unknown),
            ("1bb", BadRate::Unknown),
            ("1\u{e9}", BadRate::Unknown),
            ("511b", BadRate::TooSmall),
            ("0.1", BadRate::TooSmall),
            ("99999999999p", BadRate::TooLarge),
            (
                "0.00000000000000000000000000000000000000001",
                BadRate::TooLarge,
            ),
        ] {
            assert_eq!(text.parse::<Rate>(), Err(why), "{text}");
        }
    }

    #[test]
    fn a_rate_is_shown_as_it_can_be_written() {
        for (bytes, shown) in [
            (0, "0"),
            (1024, "1K"),
            (1_572_864, "1536K"),
            (20 << 20, "20M"),
            (3 << 30, "3G"),
            (1000, "1000B"),
        ] {
            assert_eq!(Rate(bytes).to_string(), shown);
        }
    }

    #[test]
    fn waits_are_told() {
        // 1,000,000 bytes a second: a byte is a microsecond.
        let mut bucket = Bucket::new(Rate(1_000_000)).expect("a limit");
        for (bytes, now, wait) in [
            (125_000, 1000, 0),   // what may be taken ahead
            (5_000, 1000, 0),     // too short, and owed
            (5_000, 1000, 10),    // together long enough
            (100_000, 1000, 110), // behind what others took
            (100_000, 1110, 100), // waited as told
            (0, 1110, 100),       // nothing more, but all is not paid
            (50_000, 1300, 0),    // late: that was not wasted
            (500_000, 9000, 375), // but no more than a little is saved up
        ] {
            assert_eq!(bucket.take(bytes, MS(now)), MS(wait), "{bytes} at {now}");
        }
    }

    #[test]
    fn steps_are_an_eighth_of_a_second_and_a_page_at_least() {
        for (rate, step) in [(1024, 4096), (1 << 20, 1 << 17), (u64::MAX, 1 << 61)] {
            let bucket = Bucket::new(Rate(rate)).expect("a limit");
            assert!(bucket.step() <= step && bucket.step() + 1 >= step, "{rate}");
        }
        assert!(Bucket::new(Rate::UNLIMITED).is_none());
    }

    /// However many take, and however much: never more than the rate allows,
    /// and not less than it either when all of them wait as told.
    #[test]
    fn many_keep_to_a_rate_together() {
        for (workers, rate) in [(1, 1 << 10), (3, 1 << 20), (16, 1 << 30), (7, 100_003)] {
            let mut bucket = Bucket::new(Rate(rate)).expect("a limit");
            let step = bucket.step() as u64;
            let mut ready = vec![Duration::ZERO; workers];
            let (mut taken, mut now) = (0, Duration::ZERO);
            for turn in 0..1000 {
                let next = (0..workers).min_by_key(|i| ready[*i]).expect("a worker");
                now = now.max(ready[next]);
                let bytes = 1 + (turn * 7919) % step;
                ready[next] = now + bucket.take(bytes, now);
                taken += bytes;
                let ahead = Bucket::AHEAD + Bucket::SHORTEST;
                let most = (now + ahead).as_secs_f64() * rate as f64;
                let in_hand = step * workers as u64;
                assert!(taken <= most as u64 + in_hand, "{taken} at {now:?}");
            }
            let least = now.as_secs_f64() * rate as f64;
            assert!(taken as f64 >= least, "{taken} of {least}");
        }
    }
}
