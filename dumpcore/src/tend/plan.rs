//! What a prune would do, and what it did.

use std::ffi::OsString;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::removal::Removal;
use crate::policy::layout::DumpId;
use crate::policy::retention::{KeepBrake, KeepReason};

/// A dump that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// Which one.
    pub dump: DumpId,
    /// When it was made; `None` of a first copy.
    pub moment: Option<DateTime<Utc>>,
    /// Why it stays.
    pub reasons: Vec<KeepReason>,
}

/// Why a dump goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GoesFor {
    /// No rule keeps it.
    Rules,
    /// There is not enough room.
    Room,
}

impl GoesFor {
    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Room => "room",
        }
    }
}

/// A dump that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goes {
    /// Which one.
    pub dump: DumpId,
    /// When it was made.
    pub moment: Option<DateTime<Utc>>,
    /// Why.
    pub why: GoesFor,
}

/// That there is less room than a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shortage {
    /// How many bytes are to be free.
    pub wanted_bytes: u64,
    /// How many bytes are free.
    pub free_bytes: u64,
    /// How many inodes are to be free; 0 where that does not matter.
    pub wanted_inodes: u64,
    /// How many inodes are free.
    pub free_inodes: u64,
    /// How many bytes removing all that may go would free.
    pub could_free_bytes: u64,
    /// Does what goes free enough? Else nothing goes beyond the rules.
    pub is_met: bool,
}

/// Which dumps stay and which go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePlan {
    /// Those that stay, the oldest first.
    pub keep: Vec<Kept>,
    /// Those that go, the oldest first.
    pub remove: Vec<Goes>,
    /// How many bytes that frees; `None` where it is not known: without the
    /// catalog, and of more than a few dumps.
    pub freed_bytes: Option<u64>,
    /// Too many would go at once: somebody should look first.
    pub brake: Option<KeepBrake>,
    /// There is less room than a policy asks for.
    pub shortage: Option<Shortage>,
    /// The trees that have no policy, with the number of their dumps.
    pub left_alone: Vec<(OsString, usize)>,
}

/// What a prune did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// What it was to do.
    pub plan: PrunePlan,
    /// What was removed; `None` of a dry run, and where the brake held.
    pub removal: Option<Removal>,
}

impl Pruned {
    /// Nothing was removed.
    pub(super) fn not(plan: PrunePlan) -> Self {
        Self {
            plan,
            removal: None,
        }
    }

    /// Did the brake hold, so that nothing was removed?
    #[must_use]
    pub fn is_braked(&self) -> bool {
        self.removal.is_none() && self.plan.brake.is_some()
    }

    /// Was all done that was to be?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let met = self.plan.shortage.is_none_or(|shortage| shortage.is_met);
        let removed = self.removal.as_ref().is_none_or(Removal::is_complete);
        met && removed && !self.is_braked()
    }

    /// The paths of what was removed.
    #[must_use]
    pub fn removed(&self) -> Vec<PathBuf> {
        let removed = self.removal.iter().flat_map(|removal| &removal.removed);
        removed.map(|removed| removed.path.clone()).collect()
    }
}
