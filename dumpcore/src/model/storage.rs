//! What trees lie on, and how many workers that asks for.

use std::fmt;

/// What a tree lies on, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Medium {
    /// Nobody tells: a virtual disk, or a filesystem of its own kind.
    Unknown,
    /// Memory, or a disk without moving parts.
    Flash,
    /// A disk whose heads must move, also below a volume or an array.
    Rotating,
    /// Another machine: what takes time is asking.
    Network,
}

impl Medium {
    /// One word, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Medium::Unknown => "unknown",
            Medium::Flash => "flash",
            Medium::Rotating => "rotating",
            Medium::Network => "network",
        }
    }
}

/// How many workers a run has, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// How many, the thread that called among them.
    pub number: usize,
    /// What they were chosen for; `None` when the caller gave their number.
    pub chosen_for: Option<Medium>,
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = if self.number == 1 {
            "worker"
        } else {
            "workers"
        };
        write!(f, "{} {workers}, ", self.number)?;
        f.write_str(match self.chosen_for {
            None => "as asked",
            Some(Medium::Unknown) => "chosen for a disk of unknown kind",
            Some(Medium::Flash) => "chosen for flash",
            Some(Medium::Rotating) => "chosen for a rotating disk",
            Some(Medium::Network) => "chosen for a network mount",
        })
    }
}
