//! What is decided about dumps: those that may have to go, why one stays, and
//! that too many would go.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::KeepPeriod;
use crate::model::path::Printable;
use crate::policy::layout::{self, DumpId, Sort};

/// A dump that may have to go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepCandidate {
    /// Which one.
    pub dump: DumpId,
    /// When it was made; `None` of a first copy.
    pub moment: Option<DateTime<Utc>>,
    /// Does it lack entries that could not be read?
    pub is_partial: bool,
    /// The names of its trees.
    pub trees: Vec<OsString>,
    /// The links of the dump root that name it: `current`, `current_chk`, pins.
    pub links: Vec<PathBuf>,
}

impl KeepCandidate {
    /// A complete dump of these trees, which no link names.
    #[must_use]
    pub fn new(dump: DumpId, moment: Option<DateTime<Utc>>, trees: Vec<OsString>) -> Self {
        Self {
            dump,
            moment,
            is_partial: false,
            trees,
            links: Vec::new(),
        }
    }

    pub(super) fn is_checkpoint(&self) -> bool {
        self.dump
            .name()
            .is_some_and(|name| name.sort == Sort::Checkpoint)
    }
}

/// Why a dump stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeepReason {
    /// The link `current` names it.
    Current,
    /// The link `current_chk` names it.
    CurrentCheckpoint,
    /// A pin of this name keeps it.
    Pin(PathBuf),
    /// It is the first copy, which was made by hand.
    First,
    /// It is dated in the future.
    Future,
    /// It is the newest complete dump of a tree.
    Newest,
    /// It is the one that would be replicated now.
    Replica,
    /// It holds a tree that has no policy.
    NoPolicy,
    /// It holds none of the trees that were asked for.
    NotAsked,
    /// A rule for this period keeps it.
    Rule(KeepPeriod),
    /// It is one of the newest checkpoints.
    Checkpoint,
    /// There is room for it, and no rule lets it go.
    Room,
}

impl KeepReason {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Current => layout::CURRENT,
            Self::CurrentCheckpoint => layout::CURRENT_CHECKPOINT,
            Self::Pin(_) => "pin",
            Self::First => layout::FIRST,
            Self::Future => "future",
            Self::Newest => "newest",
            Self::Replica => "slave",
            Self::NoPolicy => "no_policy",
            Self::NotAsked => "not_asked",
            Self::Rule(period) => period.as_str(),
            Self::Checkpoint => "checkpoint",
            Self::Room => "room",
        }
    }

    /// Does it keep a dump also when there is no room?
    pub(super) fn is_firm(&self) -> bool {
        match self {
            Self::Rule(period) => *period == KeepPeriod::Last,
            Self::Room => false,
            _ => true,
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(name) => Printable::path(name).fmt(f),
            Self::NoPolicy => f.write_str("no policy"),
            Self::NotAsked => f.write_str("not asked for"),
            other => f.write_str(other.as_str()),
        }
    }
}

/// What becomes of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepVerdict {
    /// Why it stays, each reason once; none when it goes.
    pub reasons: Vec<KeepReason>,
    /// May it go nevertheless when there is no room?
    pub may_make_room: bool,
}

impl KeepVerdict {
    pub(super) fn because(&mut self, reason: KeepReason) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

/// Why somebody should look first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrakeReason {
    /// Too many would go at once.
    Many,
    /// All would go that are older than a gap between two dumps, which is longer
    /// than each span of the policy.
    Gap,
}

impl BrakeReason {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Many => "many",
            Self::Gap => "gap",
        }
    }
}

/// Too many dumps of a tree, or of all trees together, would go at once: somebody
/// should look first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepBrake {
    /// The name of the tree; `None`: no tree alone loses too many, all trees
    /// together do.
    pub tree: Option<OsString>,
    /// How many of these dumps would go.
    pub goes: usize,
    /// How many there are.
    pub of: usize,
    /// Why they are too many.
    pub why: BrakeReason,
}
