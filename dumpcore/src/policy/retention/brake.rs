//! Whether too much would go at once, so that somebody should look first.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use chrono::{DateTime, TimeZone, Utc};

use super::{
    BrakeReason, KeepAmount, KeepBrake, KeepCandidate, KeepReason, KeepRules, KeepVerdict,
};
use crate::policy::date::Ago;

/// As many may always go, a gap aside.
const UNBRAKED: usize = 50;

/// As many may go that are older than a gap.
const BEFORE_GAP: usize = 10;

impl KeepRules {
    /// Would too many dumps go at once, so that somebody should look first: more
    /// than 50 dumps and more than a third of those of a tree, or of all in the
    /// dump root? `goes`: of each dump, in the order of `dumps`.
    #[must_use]
    pub fn brake(&self, dumps: &[KeepCandidate], goes: &[bool]) -> Option<KeepBrake> {
        let mut counts: BTreeMap<&OsStr, (usize, usize)> = BTreeMap::new();
        for (dump, goes) in dumps.iter().zip(goes) {
            for tree in &dump.trees {
                let (gone, of) = counts.entry(tree).or_default();
                *gone += usize::from(*goes);
                *of += 1;
            }
        }
        let all = goes.iter().filter(|goes| **goes).count();
        let of_trees = counts
            .into_iter()
            .map(|(tree, counts)| (Some(tree), counts));
        let mut counts = of_trees.chain([(None, (all, dumps.len()))]);
        let too_many = |gone: usize, of: usize| gone > UNBRAKED && gone.saturating_mul(3) > of;
        let (tree, (goes, of)) = counts.find(|(_, (gone, of))| too_many(*gone, *of))?;
        Some(KeepBrake {
            tree: tree.map(OsStr::to_owned),
            goes,
            of,
            why: BrakeReason::Many,
        })
    }

    /// Would all dumps of a tree go that are older than a gap which is longer than
    /// each span of its policy, and are they more than 10? A clock that is wrong
    /// once makes such a gap. What links and the like keep does not count. `verdicts` and `goes`: of each
    /// dump, in the order of `dumps`.
    #[must_use]
    pub fn gap<Z: TimeZone>(
        &self,
        dumps: &[KeepCandidate],
        verdicts: &[KeepVerdict],
        goes: &[bool],
        now: &DateTime<Z>,
    ) -> Option<KeepBrake> {
        let mut series: BTreeMap<&OsStr, Vec<(DateTime<Utc>, Fate)>> = BTreeMap::new();
        for ((dump, verdict), goes) in dumps.iter().zip(verdicts).zip(goes) {
            let past = dump.moment.filter(|moment| *moment <= now.to_utc());
            let Some(moment) = past else { continue };
            for tree in &dump.trees {
                let fate = Fate::of(verdict, *goes);
                series.entry(tree).or_default().push((moment, fate));
            }
        }
        series.into_iter().find_map(|(tree, mut dumps)| {
            dumps.sort_unstable_by_key(|(moment, _)| *moment);
            let goes = gone_before_gap(&dumps, &self.spans(tree), now)?;
            Some(KeepBrake {
                tree: Some(tree.to_owned()),
                goes,
                of: dumps.len(),
                why: BrakeReason::Gap,
            })
        })
    }

    /// The spans of the policies of a tree.
    fn spans(&self, tree: &OsStr) -> Vec<Ago> {
        let rules = self.policies(tree).iter().flat_map(|policy| &policy.rules);
        let spans = rules.filter_map(|(_, amount)| match amount {
            KeepAmount::Within(span) => Some(*span),
            _ => None,
        });
        spans.collect()
    }
}

/// What becomes of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Goes,
    /// A rule keeps it.
    Kept,
    /// It would stay whatever the rules say.
    Spared,
}

impl Fate {
    fn of(verdict: &KeepVerdict, goes: bool) -> Self {
        let is_rule = |reason: &KeepReason| {
            !matches!(
                reason,
                KeepReason::Current
                    | KeepReason::CurrentCheckpoint
                    | KeepReason::Pin(_)
                    | KeepReason::First
                    | KeepReason::Newest
                    | KeepReason::Replica
            )
        };
        match goes {
            true => Self::Goes,
            false if verdict.reasons.iter().any(is_rule) => Self::Kept,
            false => Self::Spared,
        }
    }
}

/// How many dumps go before a gap that is longer than all spans, when no rule
/// keeps one of them. The oldest dump comes first.
fn gone_before_gap<Z: TimeZone>(
    dumps: &[(DateTime<Utc>, Fate)],
    spans: &[Ago],
    now: &DateTime<Z>,
) -> Option<usize> {
    if spans.is_empty() {
        return None;
    }
    let mut gone = 0;
    for pair in dumps.windows(2) {
        let ((older, fate), (newer, _)) = (pair[0], pair[1]);
        match fate {
            Fate::Goes => gone += 1,
            Fate::Kept => return None,
            Fate::Spared => {}
        }
        let newer = newer.with_timezone(&now.timezone());
        let is_before = |span: &Ago| span.before(&newer).is_some_and(|at| older <= at);
        if gone > BEFORE_GAP && spans.iter().all(is_before) {
            return Some(gone);
        }
    }
    None
}
