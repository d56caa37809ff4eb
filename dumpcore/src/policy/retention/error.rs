//! Why a rule of retention is refused.

use crate::policy::span::BadSpan;

/// A rule or a policy of retention that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadKeep {
    /// It would keep nothing.
    #[error("'{0}' would keep nothing: use a number from 1, a span of time such as 2w, or all")]
    Nothing(String),
    /// The number is too large.
    #[error("'{0}' is too large; use all")]
    TooLarge(String),
    /// It is not a number.
    #[error("'{0}' is not a number from 1")]
    NoNumber(String),
    /// It is not a span of time.
    #[error(transparent)]
    Span(#[from] BadSpan),
    /// It is neither a span of time nor anything else that is meant here.
    #[error("{0}; or use a number from 1, or all")]
    Amount(BadSpan),
    /// It is not a size.
    #[error(
        "'{0}' is not an amount of space: use a part of the disk such as 10%, or a size such as 50GiB"
    )]
    Goal(String),
    /// The policy has no rule.
    #[error(
        "no rule says which dumps stay: give at least one of last, hourly, daily, weekly, \
         monthly and yearly"
    )]
    Empty,
}

impl BadKeep {
    /// The same where more than a span of time could be meant.
    pub(super) fn or_amount(self) -> Self {
        match self {
            Self::Span(bad) => Self::Amount(bad),
            other => other,
        }
    }
}
