//! How many dumps there will be when as many go as come.
//!
//! Computed by the rules themselves: as if dumps had always come as often as
//! the last ones, they judge what would be there now.

use std::collections::BTreeMap;
use std::ffi::OsString;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::{KeepAmount, KeepCandidate, KeepPeriod, KeepPolicy, KeepReason, KeepRules};
use crate::model::minute::Stamp;
use crate::policy::date::Ago;
use crate::policy::layout::{DumpId, DumpName};

/// This many of the last dumps of the same trees say how often they come: of older
/// ones most are gone, if dumps are pruned.
const LAST: usize = 9;
/// Fewer say nothing.
const LEAST: usize = 3;
/// More are not made up.
const MOST: usize = 50_000;

impl KeepRules {
    /// How many dumps there will be when the rules let as many go as come, if those
    /// of each tree keep coming as often as the last ones did; those that are
    /// pinned, and the first copy, counted. One a year that stays for ever counts as
    /// if this was the first of them.
    ///
    /// `None`: there is no end to it, since a tree has no policy, or its rules let
    /// nothing go, or keep more than one a year for ever; or there are too few dumps
    /// to judge by.
    #[must_use]
    pub fn settles<Z: TimeZone>(&self, dumps: &[KeepCandidate], now: &DateTime<Z>) -> Option<u64> {
        let mut series: BTreeMap<&[OsString], Vec<DateTime<Utc>>> = BTreeMap::new();
        for dump in dumps.iter().filter(|dump| !dump.is_checkpoint()) {
            if let Some(moment) = dump.moment.filter(|moment| *moment <= now.to_utc()) {
                series.entry(&dump.trees).or_default().push(moment);
            }
        }
        let mut made_up = Vec::new();
        for (trees, moments) in &mut series {
            moments.sort_unstable();
            self.make_up(trees, moments, now, &mut made_up)?;
        }
        if made_up.is_empty() {
            return None;
        }
        let stays = |verdicts: Vec<super::KeepVerdict>, why: &dyn Fn(&KeepReason) -> bool| {
            let stays = verdicts.iter().filter(|it| it.reasons.iter().any(why));
            u64::try_from(stays.count()).unwrap_or(u64::MAX)
        };
        let for_ever = |reason: &KeepReason| {
            matches!(
                reason,
                KeepReason::Pin(_)
                    | KeepReason::First
                    | KeepReason::Checkpoint
                    | KeepReason::CurrentCheckpoint
            )
        };
        let kept = stays(self.judge(dumps, now), &for_ever);
        Some(kept + stays(self.judge(&made_up, now), &|_| true))
    }

    /// Adds dumps of these trees as if they had always come as often as lately.
    fn make_up<Z: TimeZone>(
        &self,
        trees: &[OsString],
        moments: &[DateTime<Utc>],
        now: &DateTime<Z>,
        made_up: &mut Vec<KeepCandidate>,
    ) -> Option<()> {
        let policies: Vec<&KeepPolicy> = trees.iter().flat_map(|it| self.policies(it)).collect();
        let is_kept = |tree: &OsString| !self.policies(tree).is_empty();
        if policies.is_empty() || !trees.iter().all(is_kept) {
            return None;
        }
        let newest = moments.last()?;
        let step = step(moments)?;
        let (fine, whole) = reach(&policies, step)?;
        let mut age = TimeDelta::zero();
        while age <= whole {
            if made_up.len() == MOST {
                return None;
            }
            let moment = newest.checked_sub_signed(age)?;
            let local = moment.with_timezone(&now.timezone()).naive_local();
            let name = DumpName::dump(Stamp::from_civil(local));
            let candidate = KeepCandidate::new(DumpId::Dump(name), Some(moment), trees.to_vec());
            made_up.push(candidate);
            // Of older days only the last dump of each counts.
            age += match age > fine {
                true => step.max(TimeDelta::days(1)),
                false => step,
            };
        }
        Some(())
    }
}

/// How often dumps come. Where the rules have let some go, the short gaps are those
/// between neighbours; the shortest may be that of somebody who typed a command.
fn step(moments: &[DateTime<Utc>]) -> Option<TimeDelta> {
    if moments.len() < LEAST {
        return None;
    }
    let last = &moments[moments.len().saturating_sub(LAST)..];
    let mut gaps: Vec<TimeDelta> = last.windows(2).map(|two| two[1] - two[0]).collect();
    gaps.sort_unstable();
    let gap = gaps.get(1).or(gaps.first())?;
    Some((*gap).max(TimeDelta::minutes(1)))
}

/// How far back the rules look at single dumps, and how far at all. `None`: some
/// let nothing go.
fn reach(policies: &[&KeepPolicy], step: TimeDelta) -> Option<(TimeDelta, TimeDelta)> {
    let (mut fine, mut whole) = (TimeDelta::days(1), TimeDelta::days(1));
    for policy in policies {
        // Without rules only the lack of room lets dumps go.
        if policy.rules.is_empty() {
            return None;
        }
        for (period, amount) in &policy.rules {
            let length = match period {
                KeepPeriod::Last => step,
                KeepPeriod::Hourly => TimeDelta::hours(1),
                KeepPeriod::Daily => TimeDelta::days(1),
                KeepPeriod::Weekly => TimeDelta::weeks(1),
                KeepPeriod::Monthly => TimeDelta::days(31),
                KeepPeriod::Yearly => TimeDelta::days(366),
            };
            let back = match amount {
                KeepAmount::All if *period == KeepPeriod::Yearly => TimeDelta::zero(),
                KeepAmount::All => return None,
                KeepAmount::Number(number) => {
                    let number = i32::try_from(number.get()).ok()?;
                    length.max(step).checked_mul(number)?
                }
                KeepAmount::Within(span) => about(*span) + length,
            };
            whole = whole.max(back);
            if matches!(period, KeepPeriod::Last | KeepPeriod::Hourly) {
                fine = fine.max(back);
            }
        }
    }
    Some((fine, whole))
}

/// A span with months and years of a mean length.
fn about(span: Ago) -> TimeDelta {
    let days = i64::from(span.years) * 366 + i64::from(span.months) * 31 + i64::from(span.days);
    TimeDelta::days(days)
        + TimeDelta::hours(span.hours.into())
        + TimeDelta::minutes(span.minutes.into())
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    fn now() -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339("2026-11-22T23:45:00+01:00").expect("a moment")
    }

    /// Dumps of a tree, the newest some minutes ago.
    fn dumps(tree: &str, step: TimeDelta, number: i32) -> Vec<KeepCandidate> {
        let moments = (0..number).rev().map(|ago| now() - step * ago);
        let each = moments.map(|moment| {
            let name = DumpName::dump(Stamp::from_civil(moment.naive_local()));
            KeepCandidate::new(DumpId::Dump(name), Some(moment.to_utc()), vec![tree.into()])
        });
        each.collect()
    }

    fn policy(rules: &[(KeepPeriod, &str)]) -> KeepPolicy {
        let add = |policy: KeepPolicy, (period, text): &(KeepPeriod, &str)| {
            policy.keep(*period, text.parse().expect(text))
        };
        rules.iter().fold(KeepPolicy::new(), add)
    }

    fn settles(step: TimeDelta, number: i32, rules: &[(KeepPeriod, &str)]) -> Option<u64> {
        let rules = KeepRules::new().tree("home", policy(rules));
        rules.settles(&dumps("home", step, number), &now())
    }

    use KeepPeriod::{Daily, Hourly, Last, Monthly, Weekly, Yearly};

    #[test]
    fn as_many_as_the_rules_keep_of_dumps_that_come_so_often() {
        let hour = TimeDelta::hours(1);
        let day = TimeDelta::days(1);
        for (step, rules, expected) in [
            (hour, &[(Last, "7")][..], 7),
            (hour, &[(Hourly, "24")], 24),
            (hour, &[(Daily, "30")], 30),
            // Rules that keep the same dumps do not add up.
            (hour, &[(Hourly, "24"), (Last, "24")], 24),
            (hour, &[(Daily, "7"), (Weekly, "4")], 11),
            (day, &[(Hourly, "24")], 24),
            // Of a day with four dumps each hour's is kept.
            (TimeDelta::hours(6), &[(Hourly, "2d")], 9),
            (hour, &[(Monthly, "12")], 12),
            (hour, &[(Yearly, "3")], 3),
        ] {
            let settled = settles(step, 10, rules).expect("an end");
            assert!(
                settled.abs_diff(expected) <= 1,
                "{rules:?}: {settled}, not {expected}"
            );
        }
    }

    #[test]
    fn it_is_what_is_there_after_years_of_dumps_and_prunes() {
        let rules = [
            (Hourly, "2d"),
            (Daily, "5w"),
            (Weekly, "6mo"),
            (Monthly, "2y"),
        ];
        let settled = settles(TimeDelta::hours(1), 50, &rules).expect("an end");
        let rules = KeepRules::new().tree("home", policy(&rules));
        let all = dumps("home", TimeDelta::hours(1), 3 * 366 * 24);
        let verdicts = rules.judge(&all, &now());
        let stay = verdicts.iter().filter(|it| !it.reasons.is_empty());
        let stay = u64::try_from(stay.count()).expect("few");
        assert!(settled.abs_diff(stay) <= 2, "{settled}, not {stay}");
    }

    /// What was pruned does not come less often.
    #[test]
    fn it_is_the_same_where_prunes_have_left_what_the_rules_keep() {
        for (hours, rules) in [
            (
                1,
                &[
                    (Hourly, "2d"),
                    (Daily, "5w"),
                    (Weekly, "6mo"),
                    (Monthly, "2y"),
                ][..],
            ),
            (11, &[(Hourly, "6"), (Daily, "4"), (Weekly, "2")]),
            (1, &[(Last, "3"), (Daily, "30")]),
            (24, &[(Daily, "7"), (Monthly, "12")]),
        ] {
            let all = dumps("home", TimeDelta::hours(hours), 3 * 366 * 24 / 11);
            let rules = KeepRules::new().tree("home", policy(rules));
            let verdicts = rules.judge(&all, &now());
            let kept = all.into_iter().zip(verdicts);
            let kept = kept.filter(|(_, verdict)| !verdict.reasons.is_empty());
            let kept: Vec<_> = kept.map(|(dump, _)| dump).collect();
            let settled = rules.settles(&kept, &now()).expect("an end");
            let there = kept.len() as u64;
            assert!(
                settled.abs_diff(there) <= 2 || settled > there && hours == 1,
                "{hours} h: {settled}, not {there}"
            );
        }
    }

    #[test]
    fn there_may_be_no_end_to_it() {
        let hour = TimeDelta::hours(1);
        assert_eq!(settles(hour, 10, &[(Daily, "all")]), None);
        assert_eq!(settles(hour, 2, &[(Daily, "30")]), None, "too few");
        assert!(settles(hour, 10, &[(Daily, "30"), (Yearly, "all")]).is_some());
        let free = KeepPolicy::new().free("10%".parse().expect("a goal"));
        let rules = KeepRules::new().tree("home", free);
        assert_eq!(rules.settles(&dumps("home", hour, 10), &now()), None);
        // One of two trees without a policy.
        let rules = KeepRules::new().tree("home", policy(&[(Daily, "30")]));
        let both = [dumps("home", hour, 10), dumps("photos", hour, 10)].concat();
        assert_eq!(rules.settles(&both, &now()), None);
        assert_eq!(rules.settles(&[], &now()), None);
    }

    #[test]
    fn what_is_pinned_stays_besides() {
        let hour = TimeDelta::hours(1);
        let rules = KeepRules::new().tree("home", policy(&[(Last, "7")]));
        let mut some = dumps("home", hour, 20);
        some[3].links.push("release".into());
        let first = KeepCandidate::new(DumpId::First, None, vec!["home".into()]);
        some.push(first);
        assert_eq!(rules.settles(&some, &now()), Some(9));
        // Trees that take turns each have theirs.
        let rules = rules.tree("photos", policy(&[(Last, "3")]));
        let both = [some, dumps("photos", hour * 24, 10)].concat();
        assert_eq!(rules.settles(&both, &now()), Some(12));
    }
}
