//! Which dumps the policies keep, and by which of their rules.
//!
//! The dumps that hold a tree are its series, and each series has the policy of
//! its tree. A dump that holds several trees stays if the policy of any of them
//! keeps it, or if one of them has no policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use chrono::{DateTime, Datelike as _, NaiveDateTime, NaiveTime, TimeZone, Timelike as _, Utc};

use super::{FreeGoal, KeepAmount, KeepCandidate, KeepPeriod, KeepPolicy, KeepReason, KeepVerdict};
use crate::model::minute::Stamp;
use crate::policy::date::Ago;
use crate::policy::layout::{self, DumpId};

/// The policies of the trees in a dump root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct KeepRules {
    policies: BTreeMap<OsString, Vec<KeepPolicy>>,
    others: Vec<KeepPolicy>,
    only: Option<BTreeSet<OsString>>,
    replicated: bool,
}

impl KeepRules {
    /// No tree has a policy: every dump stays.
    pub fn new() -> Self {
        Self::default()
    }

    /// The policy of a tree, by its name in the dumps. Of a tree with several
    /// policies what any of them keeps stays.
    pub fn tree(mut self, name: impl Into<OsString>, policy: KeepPolicy) -> Self {
        self.policies.entry(name.into()).or_default().push(policy);
        self
    }

    /// The one policy of a tree, instead of all others.
    pub fn only_policy(mut self, name: impl Into<OsString>, policy: KeepPolicy) -> Self {
        self.policies.insert(name.into(), vec![policy]);
        self
    }

    /// All dumps of this tree stay, whatever was said of it before.
    pub fn without_policy(mut self, name: impl Into<OsString>) -> Self {
        self.policies.insert(name.into(), Vec::new());
        self
    }

    /// The policies of a tree with this goal for free space; without a policy it
    /// gets one that has nothing else.
    pub fn make_room(
        mut self,
        name: impl Into<OsString>,
        goal: FreeGoal,
        at_least: Option<Ago>,
    ) -> Self {
        let name = name.into();
        let mut policies = self.policies(&name).to_vec();
        if policies.is_empty() {
            policies.push(KeepPolicy::new());
        }
        let with_goal = |policy: KeepPolicy| {
            let policy = policy.free(goal);
            match at_least {
                Some(span) => policy.at_least(span),
                None => policy,
            }
        };
        let policies = policies.into_iter().map(with_goal).collect();
        self.policies.insert(name, policies);
        self
    }

    /// The policy of all trees that have none of their own.
    pub fn other_trees(mut self, policy: KeepPolicy) -> Self {
        self.others.push(policy);
        self
    }

    /// Only dumps that hold one of these trees may go.
    pub fn only(mut self, trees: impl IntoIterator<Item = OsString>) -> Self {
        self.only = Some(trees.into_iter().collect());
        self
    }

    /// Keep the dump that [`Replica`](crate::Replica) would take now: the last
    /// one before today.
    pub fn replicated(mut self, yes: bool) -> Self {
        self.replicated = yes;
        self
    }

    /// The policies of a tree; none: it is left alone.
    pub fn policies(&self, tree: &OsStr) -> &[KeepPolicy] {
        self.policies.get(tree).unwrap_or(&self.others)
    }

    /// Is it a tree that was asked for?
    #[must_use]
    pub fn asks_for(&self, tree: &OsStr) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(tree))
    }

    /// The policies of the trees that were asked for.
    pub fn asked(&self) -> impl Iterator<Item = &KeepPolicy> {
        let asked = self.policies.iter().filter(|(tree, _)| self.asks_for(tree));
        asked.flat_map(|(_, policies)| policies).chain(&self.others)
    }

    /// What becomes of each of all dumps of a dump root, in the order in which
    /// they are given. Periods are those of the zone of `now`.
    #[must_use]
    pub fn judge<Z: TimeZone>(
        &self,
        dumps: &[KeepCandidate],
        now: &DateTime<Z>,
    ) -> Vec<KeepVerdict> {
        let mut verdicts = vec![KeepVerdict::default(); dumps.len()];
        let mut firm = vec![false; dumps.len()];
        let mut series: BTreeMap<&OsStr, Vec<Member>> = BTreeMap::new();
        for (at, dump) in dumps.iter().enumerate() {
            always(dump, now, &mut verdicts[at]);
            if dump.trees.is_empty() {
                verdicts[at].because(KeepReason::NoPolicy);
            }
            if !dump.trees.is_empty() && !dump.trees.iter().any(|tree| self.asks_for(tree)) {
                verdicts[at].because(KeepReason::NotAsked);
            }
            let past = dump.moment.filter(|moment| *moment <= now.to_utc());
            for tree in &dump.trees {
                let members = series.entry(tree).or_default();
                if let Some(moment) = past {
                    members.push(Member::new(at, dump, moment, &now.timezone()));
                } else if self.policies(tree).is_empty() {
                    verdicts[at].because(KeepReason::NoPolicy);
                }
            }
        }
        if self.replicated
            && let Some(at) = next_replica(dumps, now)
        {
            verdicts[at].because(KeepReason::Replica);
        }
        for (tree, mut members) in series {
            members.sort_unstable_by_key(|member| Reverse(member.order()));
            let policies = self.policies(tree);
            if policies.is_empty() {
                for member in &members {
                    verdicts[member.at].because(KeepReason::NoPolicy);
                }
            }
            for policy in policies {
                policy.judge(&members, now, &mut verdicts, &mut firm);
            }
        }
        for (verdict, firm) in verdicts.iter_mut().zip(firm) {
            let kept = !verdict.reasons.is_empty();
            verdict.may_make_room =
                kept && !firm && !verdict.reasons.iter().any(KeepReason::is_firm);
            verdict.reasons.sort();
        }
        verdicts
    }
}

/// What stays whatever the policies say.
fn always<Z: TimeZone>(dump: &KeepCandidate, now: &DateTime<Z>, verdict: &mut KeepVerdict) {
    for link in &dump.links {
        verdict.because(match link.to_str() {
            Some(layout::CURRENT) => KeepReason::Current,
            Some(layout::CURRENT_CHECKPOINT) => KeepReason::CurrentCheckpoint,
            _ => KeepReason::Pin(link.clone()),
        });
    }
    if dump.dump.name().is_none() {
        verdict.because(KeepReason::First);
    }
    if dump.moment.is_some_and(|moment| moment > now.to_utc()) {
        verdict.because(KeepReason::Future);
    }
}

/// The last dump before today.
fn next_replica<Z: TimeZone>(dumps: &[KeepCandidate], now: &DateTime<Z>) -> Option<usize> {
    let midnight = now.naive_local().date().and_time(NaiveTime::MIN);
    let midnight = Stamp::from_civil(midnight).first_moment_in(&now.timezone());
    let dated = dumps
        .iter()
        .enumerate()
        .filter_map(|(at, dump)| Some(((dump.moment?, dump.dump.name()), at)));
    let before = dated.filter(|((moment, _), _)| *moment < midnight);
    before.max().map(|(_, at)| at)
}

/// A dump of a series that is not in the future.
#[derive(Clone, Copy)]
struct Member {
    /// Its index among all dumps.
    at: usize,
    dump: DumpId,
    moment: DateTime<Utc>,
    local: NaiveDateTime,
    is_partial: bool,
    is_checkpoint: bool,
}

impl Member {
    fn new<Z: TimeZone>(at: usize, dump: &KeepCandidate, moment: DateTime<Utc>, zone: &Z) -> Self {
        Self {
            at,
            dump: dump.dump,
            moment,
            local: moment.with_timezone(zone).naive_local(),
            is_partial: dump.is_partial,
            is_checkpoint: dump.is_checkpoint(),
        }
    }

    fn order(&self) -> (DateTime<Utc>, Option<layout::DumpName>) {
        (self.moment, self.dump.name())
    }

    /// The number of its period.
    fn period(&self, period: KeepPeriod) -> (i32, u32) {
        let local = self.local;
        match period {
            KeepPeriod::Last => (0, u32::try_from(self.at).unwrap_or(u32::MAX)),
            KeepPeriod::Hourly => (local.num_days_from_ce(), local.hour()),
            KeepPeriod::Daily => (local.num_days_from_ce(), 0),
            KeepPeriod::Weekly => {
                let week = local.iso_week();
                (week.year(), week.week())
            }
            KeepPeriod::Monthly => (local.year(), local.month()),
            KeepPeriod::Yearly => (local.year(), 0),
        }
    }
}

impl KeepPolicy {
    /// Of a series, the newest first.
    fn judge<Z: TimeZone>(
        &self,
        members: &[Member],
        now: &DateTime<Z>,
        verdicts: &mut [KeepVerdict],
        firm: &mut [bool],
    ) {
        let Some(newest) = members.first() else {
            return;
        };
        let complete = members.iter().find(|member| !member.is_partial);
        verdicts[complete.unwrap_or(newest).at].because(KeepReason::Newest);
        let checkpoints = self.checkpoints.map_or(0, |number| number.get() as usize);
        let newest_checkpoints = members.iter().filter(|member| member.is_checkpoint);
        for member in newest_checkpoints.take(checkpoints) {
            verdicts[member.at].because(KeepReason::Checkpoint);
        }
        let local = newest.moment.with_timezone(&now.timezone());
        for (period, amount) in &self.rules {
            for member in chosen(members, *period, *amount, &local) {
                verdicts[member.at].because(KeepReason::Rule(*period));
                // Without a goal for free space no dump makes room.
                firm[member.at] |= self.free.is_none();
            }
        }
        if self.rules.is_empty() {
            for member in members {
                verdicts[member.at].because(KeepReason::Room);
            }
        }
        let days = KeepAmount::Within(self.at_least);
        for member in chosen(members, KeepPeriod::Daily, days, &local) {
            firm[member.at] = true;
        }
    }
}

/// Those that a rule keeps of a series, the newest first: of each period the
/// newest complete one, and a partial one where there is no other. A period is
/// in a span of time if its newest dump is.
fn chosen<Z: TimeZone>(
    members: &[Member],
    period: KeepPeriod,
    amount: KeepAmount,
    newest: &DateTime<Z>,
) -> Vec<Member> {
    let periods = members.chunk_by(|a, b| a.period(period) == b.period(period));
    let after = match amount {
        KeepAmount::Within(span) => span.before(newest),
        _ => None,
    };
    let most = match amount {
        KeepAmount::Number(number) => number.get() as usize,
        _ => usize::MAX,
    };
    let in_span = |dumps: &&[Member]| after.is_none_or(|after| dumps[0].moment > after);
    let of_period = |dumps: &[Member]| {
        let complete = dumps.iter().find(|member| !member.is_partial);
        *complete.unwrap_or(&dumps[0])
    };
    periods
        .take(most)
        .take_while(in_span)
        .map(of_period)
        .collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
