//! How much a partial dump lacks.

use std::fmt;

/// How many entries a partial dump lacks: what could not be read when it, or the
/// dump that it is a copy of, was made.
///
/// ```
/// assert_eq!(dumpcore::Lacking::Entries(2).to_string(), "2 entries");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lacking {
    /// This many, at least one.
    Entries(u64),
    /// Nobody knows how many: its mark cannot be read, or has no number.
    Unknown,
}

impl Lacking {
    /// How many; `None` where nobody knows.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Entries(number) => Some(number),
            Self::Unknown => None,
        }
    }

    /// How many there are for sure.
    pub(crate) fn at_least(self) -> u64 {
        self.number().unwrap_or(1)
    }

    /// With this many more; `None` where nothing is lacking.
    pub(crate) fn and(lacking: Option<Self>, more: u64) -> Option<Self> {
        match lacking {
            Some(Self::Unknown) => Some(Self::Unknown),
            Some(Self::Entries(number)) => Some(Self::Entries(number.saturating_add(more))),
            None => (more > 0).then_some(Self::Entries(more)),
        }
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(1) => f.write_str("1 entry"),
            Self::Entries(number) => write!(f, "{number} entries"),
            Self::Unknown => f.write_str("an unknown number of entries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_stays_unknown() {
        let (two, unknown) = (Some(Lacking::Entries(2)), Some(Lacking::Unknown));
        assert_eq!(Lacking::and(None, 0), None);
        assert_eq!(Lacking::and(None, 2), two);
        assert_eq!(Lacking::and(two, 3), Some(Lacking::Entries(5)));
        assert_eq!(Lacking::and(unknown, 3), unknown);
        assert_eq!(Lacking::Unknown.at_least(), 1);
        assert_eq!(Lacking::Entries(1).to_string(), "1 entry");
    }
}
