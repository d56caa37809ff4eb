//! Retention: which dumps stay, and why.
//!
//! A policy is of a tree: rules that each keep a dump per period of time, for a
//! number of periods, for a span of time, or for good. What one rule keeps
//! stays. Nothing here looks at a disk or a clock: the dumps, the time and its
//! zone are given.

mod brake;
mod error;
mod goal;
mod judge;
mod settle;
mod verdict;

use std::num::NonZeroU32;
use std::str::FromStr;

use super::date::Ago;

pub use error::BadKeep;
pub use goal::FreeGoal;
pub use judge::KeepRules;
pub use verdict::{BrakeReason, KeepBrake, KeepCandidate, KeepReason, KeepVerdict};

/// A period of time of which a rule keeps one dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeepPeriod {
    /// No period: each dump counts.
    Last,
    /// An hour of the clock.
    Hourly,
    /// A day.
    Daily,
    /// A week as ISO 8601 counts them, from Monday.
    Weekly,
    /// A month.
    Monthly,
    /// A year.
    Yearly,
}

impl KeepPeriod {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] = [
        Self::Last,
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Yearly,
    ];

    /// The word for it in the configuration and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

/// Of how many periods a rule keeps a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepAmount {
    /// Of this number of periods, the newest that have a dump.
    Number(NonZeroU32),
    /// Of those in this span of time before the newest dump.
    Within(Ago),
    /// Of each.
    All,
}

impl KeepAmount {
    /// A span of time, of which `m` is months.
    ///
    /// # Errors
    /// It is not a span, or one of no length.
    pub fn within(text: &str) -> Result<Self, BadKeep> {
        span(text).map(Self::Within)
    }
}

impl FromStr for KeepAmount {
    type Err = BadKeep;

    /// Reads a number from 1, a span of time such as `2w`, or `all`.
    ///
    /// ```
    /// use dumpcore::KeepAmount;
    ///
    /// assert_eq!("all".parse(), Ok(KeepAmount::All));
    /// assert!("2w".parse::<KeepAmount>().is_ok());
    /// assert!("0".parse::<KeepAmount>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, BadKeep> {
        if text == "all" {
            return Ok(Self::All);
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::within(text).map_err(|error| error.or_amount());
        }
        number(text).map(Self::Number)
    }
}

/// A number from 1.
fn number(text: &str) -> Result<NonZeroU32, BadKeep> {
    match text.parse::<i64>() {
        Ok(..=0) => Err(BadKeep::Nothing(text.to_owned())),
        Ok(number) => {
            let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
            number.ok_or_else(|| BadKeep::TooLarge(text.to_owned()))
        }
        Err(_) => Err(BadKeep::TooLarge(text.to_owned())),
    }
}

fn span(text: &str) -> Result<Ago, BadKeep> {
    let span = Ago::parse_for_keeping(text)?;
    if span == Ago::default() {
        return Err(BadKeep::Nothing(text.to_owned()));
    }
    Ok(span)
}

/// Which dumps of a tree stay: a dump stays when one of the rules keeps it.
///
/// ```
/// use dumpcore::{KeepPeriod, KeepPolicy};
///
/// let policy = KeepPolicy::new()
///     .keep(KeepPeriod::Hourly, "2d".parse()?)
///     .keep(KeepPeriod::Daily, "5w".parse()?)
///     .keep(KeepPeriod::Yearly, "all".parse()?);
/// assert!(policy.check().is_ok());
/// assert!(KeepPolicy::new().check().is_err());
/// # Ok::<(), dumpcore::BadKeep>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct KeepPolicy {
    rules: Vec<(KeepPeriod, KeepAmount)>,
    checkpoints: Option<NonZeroU32>,
    free: Option<FreeGoal>,
    at_least: Ago,
}

impl Default for KeepPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl KeepPolicy {
    /// Without a rule, which [`KeepPolicy::check`] refuses.
    pub fn new() -> Self {
        Self {
            rules: Vec::new(),
            checkpoints: None,
            free: None,
            at_least: Ago {
                days: 7,
                ..Ago::default()
            },
        }
    }

    /// In each of these periods keep the newest complete dump, and a partial one
    /// only where there is no other.
    pub fn keep(mut self, period: KeepPeriod, amount: KeepAmount) -> Self {
        self.rules.push((period, amount));
        self
    }

    /// Keep this number of checkpoints, the newest. Others are dumps like any other.
    pub fn checkpoints(mut self, number: NonZeroU32) -> Self {
        self.checkpoints = Some(number);
        self
    }

    /// Remove the oldest dumps beyond the rules until this much is free.
    pub fn free(mut self, goal: FreeGoal) -> Self {
        self.free = Some(goal);
        self
    }

    /// But then keep the last dump of each day of this span before the newest
    /// dump. Seven days by default.
    pub fn at_least(mut self, span: Ago) -> Self {
        self.at_least = span;
        self
    }

    /// A span for it, from a text such as `7d`.
    ///
    /// # Errors
    /// It is not a span of time, or one of no length.
    pub fn read_span(text: &str) -> Result<Ago, BadKeep> {
        span(text)
    }

    /// The same from a text such as `7d`.
    ///
    /// # Errors
    /// It is not a span of time, or one of no length.
    pub fn at_least_text(self, text: &str) -> Result<Self, BadKeep> {
        span(text).map(|span| self.at_least(span))
    }

    /// A number of checkpoints from a text.
    ///
    /// # Errors
    /// It is not a number from 1.
    pub fn checkpoints_text(self, text: &str) -> Result<Self, BadKeep> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadKeep::NoNumber(text.to_owned()));
        }
        number(text).map(|number| self.checkpoints(number))
    }

    /// Does it say which dumps stay?
    ///
    /// # Errors
    /// [`BadKeep::Empty`] where it has neither a rule nor a goal for free space.
    pub fn check(&self) -> Result<(), BadKeep> {
        match self.rules.is_empty() && self.free.is_none() {
            true => Err(BadKeep::Empty),
            false => Ok(()),
        }
    }

    /// How much is to be free.
    #[must_use]
    pub fn free_goal(&self) -> Option<FreeGoal> {
        self.free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_spans_or_all() {
        let days = |days| Ago {
            days,
            ..Ago::default()
        };
        let months = |months| Ago {
            months,
            ..Ago::default()
        };
        let number = |number| KeepAmount::Number(NonZeroU32::new(number).expect("not 0"));
        for (text, expected) in [
            ("1", number(1)),
            ("24", number(24)),
            ("all", KeepAmount::All),
            ("2w", KeepAmount::Within(days(14))),
            ("6m", KeepAmount::Within(months(6))),
            ("6mo", KeepAmount::Within(months(6))),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_keeps_nothing_or_has_no_unit_is_refused() {
        for (text, expected) in [
            ("0", "'0' would keep nothing: use a number from 1"),
            ("-3", "'-3' would keep nothing: use a number from 1"),
            ("0d", "'0d' would keep nothing"),
            (
                "2w3",
                "'2w3' is not a span of time: use numbers with min, h, d, w, mo or y",
            ),
            ("6M", "'6M' is not a span of time: 6min or 6mo?"),
            ("many", "; or use a number from 1, or all"),
            ("", "; or use a number from 1, or all"),
            ("99999999999", "'99999999999' is too large"),
        ] {
            let said = text.parse::<KeepAmount>().expect_err(text).to_string();
            assert!(said.contains(expected), "{text}: {said}");
        }
        let policy = KeepPolicy::new;
        let said = policy()
            .at_least_text("7")
            .expect_err("no unit")
            .to_string();
        assert!(
            said.starts_with("'7' is not a span of time: use numbers with"),
            "{said}"
        );
        for (text, expected) in [
            ("0", "'0' would keep nothing"),
            ("2w", "'2w' is not a number from 1"),
        ] {
            let said = policy().checkpoints_text(text).expect_err(text).to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn a_policy_without_a_rule_is_refused() {
        let said = KeepPolicy::new().check().expect_err("empty").to_string();
        assert!(said.contains("no rule"), "{said}");
        let checkpoints = KeepPolicy::new().checkpoints(NonZeroU32::MIN);
        assert_eq!(checkpoints.check(), Err(BadKeep::Empty));
        let free = KeepPolicy::new().free("10%".parse().expect("a goal"));
        assert_eq!(free.check(), Ok(()));
        let daily = KeepPolicy::new().keep(KeepPeriod::Daily, KeepAmount::All);
        assert_eq!(daily.check(), Ok(()));
    }
}
