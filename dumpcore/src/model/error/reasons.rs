//! Values that say why, in place of a sentence: for a caller to match.

use std::fmt;

/// What is wrong with a link that should lead to a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadLink {
    /// It is not a symlink.
    NotASymlink,
    /// What it holds is not the name of a dump in this dump root.
    NotADump,
    /// The dump that it names does not exist.
    Missing,
    /// The way there leads through a symlink, or something else that is not a
    /// directory.
    NotADirectory,
}

/// Which dump was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wanted {
    /// The last one of a day before today.
    BeforeToday,
    /// One whose name is a date.
    Dated,
}

impl fmt::Display for Wanted {
    /// As it reads after "has no dump".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeToday => "from before today",
            Self::Dated => "whose name is a date",
        })
    }
}
