//! What kind of storage a tree is on, and how many workers it can use.

use std::fmt;

/// What kind of storage a tree is on, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Storage {
    /// Unknown: a virtual disk, or an unusual filesystem.
    Unknown,
    /// Memory, or a disk without moving parts.
    Flash,
    /// A disk whose heads must move, also below a volume or an array.
    Rotating,
    /// Another machine: most time is spent waiting for answers.
    Network,
}

impl Storage {
    /// One word, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Storage::Unknown => "unknown",
            Storage::Flash => "flash",
            Storage::Rotating => "rotating",
            Storage::Network => "network",
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is free for this user on a filesystem that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Free bytes.
    pub bytes: u64,
    /// Free inodes; `None` where the filesystem makes them as needed.
    pub inodes: Option<u64>,
    /// Is it a quota that is used up? What is left of one is not known: the
    /// numbers are the filesystem's.
    pub quota_is_used_up: bool,
}

/// How many workers a run has, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Jobs {
    /// How many, the thread that called among them.
    pub number: usize,
    /// What they were chosen for; `None` when the caller gave their number.
    pub chosen_for: Option<Storage>,
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
            Some(Storage::Unknown) => "chosen for a disk of unknown kind",
            Some(Storage::Flash) => "chosen for flash",
            Some(Storage::Rotating) => "chosen for a rotating disk",
            Some(Storage::Network) => "chosen for a network mount",
        })
    }
}
