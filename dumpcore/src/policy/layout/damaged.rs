//! The names of what a scrub replaces.

/// In the runner's own directory: inodes that a scrub replaced.
pub(crate) const DAMAGED: &str = "damaged";

/// A name in there. All of one inode begin with its number and the second of its
/// birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DamagedLeaf {
    /// The damaged inode itself.
    Old,
    /// The good one, as long as it takes the place of the other.
    New,
    /// Another name of it, which is about to replace one.
    Link,
    /// What is about to be done.
    Healing,
    /// The same while it is written.
    FreshNote,
    /// What was done.
    Note,
}

impl DamagedLeaf {
    const ALL: [Self; 6] = [
        Self::Old,
        Self::New,
        Self::Link,
        Self::Healing,
        Self::FreshNote,
        Self::Note,
    ];

    fn suffix(self) -> &'static str {
        match self {
            Self::Old => "",
            Self::New => ".new",
            Self::Link => ".link",
            Self::Healing => ".healing",
            Self::FreshNote => ".fresh",
            Self::Note => ".note",
        }
    }

    /// The name of one inode's.
    #[must_use]
    pub(crate) fn of(self, base: &str) -> String {
        format!("{base}{}", self.suffix())
    }

    /// With what the names of an inode begin.
    #[must_use]
    pub(crate) fn base(ino: u64, born: i64) -> String {
        format!("{ino}.{born}")
    }

    /// Reads such a name.
    #[must_use]
    pub(crate) fn parse(name: &[u8]) -> Option<(&str, Self)> {
        let name = std::str::from_utf8(name).ok()?;
        let is_base = |base: &str| {
            let parts = base.split_once('.');
            parts.is_some_and(|(ino, born)| {
                ino.parse::<u64>().is_ok() && born.parse::<i64>().is_ok()
            })
        };
        let all = Self::ALL.iter();
        let found = all.filter_map(|leaf| Some((name.strip_suffix(leaf.suffix())?, *leaf)));
        found.into_iter().find(|(base, _)| is_base(base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made() {
        for leaf in DamagedLeaf::ALL {
            for (ino, born) in [(0, 0), (u64::MAX, i64::MIN), (123, 1_700_000_000)] {
                let base = DamagedLeaf::base(ino, born);
                let name = leaf.of(&base);
                assert_eq!(DamagedLeaf::parse(name.as_bytes()), Some((&*base, leaf)));
            }
        }
        for other in ["", ".new", "12", "a.5", "12.5.old", "12.", "lost"] {
            assert_eq!(DamagedLeaf::parse(other.as_bytes()), None, "{other}");
        }
    }
}
