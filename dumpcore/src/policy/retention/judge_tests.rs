//! The rules that are ours, in tables. What restic has as well is held against
//! it in `tests/retention_restic.rs`.

use chrono_tz::Europe::Berlin;
use chrono_tz::Tz;
use std::path::PathBuf;

use super::*;

const NOW: &str = "2026-11-22 23:45";

fn moment(text: &str) -> DateTime<Utc> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect(text);
    Stamp::from_civil(local).first_moment_in(&Berlin)
}

fn now() -> DateTime<Tz> {
    moment(NOW).with_timezone(&Berlin)
}

/// A dump of `home` from a line such as `2026-11-22 23:31`, with what stands
/// behind: `chk`, `partial`, `pin`, `current`, `tree:NAME` instead of `home`.
fn dump(line: &str) -> KeepCandidate {
    let (time, words) = line.split_at(16);
    let digits: String = time.chars().filter(char::is_ascii_digit).collect();
    let is = |word: &str| words.split_whitespace().any(|other| other == word);
    let mut name = format!("{}/{}/{}", &digits[..4], &digits[4..8], &digits[8..]);
    if is("chk") {
        name.push_str("_chk");
    }
    let mut trees: Vec<OsString> = words
        .split_whitespace()
        .filter_map(|word| Some(word.strip_prefix("tree:")?.into()))
        .collect();
    if trees.is_empty() {
        trees.push("home".into());
    }
    let mut dump = KeepCandidate::new(name.parse().expect(&name), Some(moment(time)), trees);
    dump.is_partial = is("partial");
    for link in ["current", "current_chk", "pin"] {
        dump.links.extend(is(link).then(|| PathBuf::from(link)));
    }
    dump
}

/// A policy from `daily=3 weekly=2w checkpoints=1`.
fn policy(text: &str) -> KeepPolicy {
    let mut policy = KeepPolicy::new();
    for rule in text.split_whitespace() {
        let (key, value) = rule.split_once('=').expect(rule);
        policy = match key {
            "checkpoints" => policy.checkpoints_text(value).expect(rule),
            "at_least" => policy.at_least_text(value).expect(rule),
            "free" => policy.free(value.parse().expect(rule)),
            _ => {
                let period = KeepPeriod::ALL.into_iter().find(|p| p.as_str() == key);
                policy.keep(period.expect(rule), value.parse().expect(rule))
            }
        };
    }
    policy
}

/// The words of the reasons for each dump; empty for one that goes.
fn reasons(rules: &KeepRules, lines: &[&str]) -> Vec<String> {
    let dumps: Vec<KeepCandidate> = lines.iter().map(|line| dump(line)).collect();
    let words = |verdict: &KeepVerdict| {
        let words: Vec<_> = verdict.reasons.iter().map(KeepReason::as_str).collect();
        words.join(" ")
    };
    rules.judge(&dumps, &now()).iter().map(words).collect()
}

fn assert_kept(policy_text: &str, table: &[(&str, &str)]) {
    let lines: Vec<&str> = table.iter().map(|(line, _)| *line).collect();
    let expected: Vec<&str> = table.iter().map(|(_, words)| *words).collect();
    let rules = KeepRules::new().tree("home", policy(policy_text));
    assert_eq!(reasons(&rules, &lines), expected, "{policy_text}");
}

#[test]
fn of_each_period_the_newest_stays() {
    assert_kept(
        "hourly=2 daily=2 monthly=2",
        &[
            ("2026-10-31 22:00", "monthly"),
            ("2026-11-20 22:00", ""),
            ("2026-11-21 21:00", ""),
            ("2026-11-21 22:00", "daily"),
            ("2026-11-22 22:10", ""),
            ("2026-11-22 22:40", "hourly"),
            ("2026-11-22 23:10", "newest hourly daily monthly"),
        ],
    );
}

#[test]
fn spans_count_back_from_the_newest_that_is_not_in_the_future() {
    assert_kept(
        "daily=3d",
        &[
            ("2026-11-16 22:00", ""),
            ("2026-11-17 10:00", ""),
            // Just 3 days before the newest.
            ("2026-11-17 12:00", ""),
            ("2026-11-18 13:00", "daily"),
            ("2026-11-19 11:00", ""),
            ("2026-11-19 12:30", "daily"),
            ("2026-11-20 12:00", "newest daily"),
            ("2026-11-23 12:00", "future"),
            ("2027-11-23 12:00", "future"),
        ],
    );
    assert_kept(
        "monthly=1y6mo yearly=all",
        &[
            ("2023-03-01 00:00", ""),
            ("2023-12-31 00:00", "yearly"),
            ("2025-05-20 12:00", ""),
            ("2025-06-20 12:00", "monthly"),
            ("2025-06-20 11:00", ""),
            ("2025-12-20 12:00", "monthly yearly"),
            ("2026-11-20 12:00", "newest monthly yearly"),
        ],
    );
}

#[test]
fn a_partial_dump_stays_only_where_its_period_has_no_other() {
    assert_kept(
        "daily=3",
        &[
            ("2026-11-18 12:00", ""),
            ("2026-11-19 12:00", ""),
            ("2026-11-20 11:00 partial", ""),
            ("2026-11-20 12:00 partial", "daily"),
            ("2026-11-21 10:00", "daily"),
            ("2026-11-21 12:00 partial", ""),
            ("2026-11-22 10:00", "newest daily"),
            ("2026-11-22 12:00 partial", ""),
        ],
    );
    // The newest complete one stays also where no rule reaches back to it.
    assert_kept(
        "last=1",
        &[
            ("2026-11-20 12:00", "newest"),
            ("2026-11-21 12:00 partial", ""),
            ("2026-11-22 12:00 partial", "last"),
        ],
    );
    assert_kept("last=1", &[("2026-11-22 12:00 partial", "newest last")]);
}

#[test]
fn a_period_counts_whose_newest_dump_is_partial_and_in_the_span() {
    assert_kept(
        "daily=1d",
        &[
            ("2026-11-21 10:00", "daily"),
            ("2026-11-21 20:00 partial", ""),
            ("2026-11-22 12:00", "newest daily"),
        ],
    );
}

#[test]
fn so_many_checkpoints_stay_and_older_ones_are_dumps_like_others() {
    assert_kept(
        "daily=2 checkpoints=2",
        &[
            ("2026-01-01 05:00 chk", ""),
            ("2026-03-01 05:00 chk", "checkpoint"),
            ("2026-11-21 12:00", "daily"),
            ("2026-11-22 05:00 chk", "checkpoint"),
            ("2026-11-22 12:00", "newest daily"),
        ],
    );
    assert_kept(
        "yearly=all",
        &[
            ("2025-01-01 05:00 chk", "yearly"),
            ("2026-03-01 05:00 chk", ""),
            ("2026-11-21 12:00", "newest yearly"),
        ],
    );
}

#[test]
fn what_links_name_stays() {
    assert_kept(
        "last=1",
        &[
            ("2024-01-01 05:00 pin", "pin"),
            ("2025-01-01 05:00 chk current_chk", "current_chk"),
            ("2026-11-20 12:00 current", "current"),
            ("2026-11-21 12:00", "newest last"),
        ],
    );
}

#[test]
fn a_first_copy_stays_and_counts_for_no_rule() {
    let rules = KeepRules::new().tree("home", policy("last=1"));
    let first = KeepCandidate::new(DumpId::First, None, vec!["home".into()]);
    let others = [first, dump("2026-11-20 12:00"), dump("2026-11-21 12:00")];
    let verdicts = rules.judge(&others, &now());
    assert_eq!(verdicts[0].reasons, [KeepReason::First]);
    assert!(verdicts[1].reasons.is_empty());
    assert!(!verdicts[2].reasons.is_empty());
}

#[test]
fn a_dump_stays_if_the_policy_of_any_of_its_trees_keeps_it() {
    let rules = KeepRules::new()
        .tree("home", policy("daily=1"))
        .tree("mail", policy("daily=2"));
    let lines = [
        "2026-11-19 12:00 tree:home tree:mail",
        "2026-11-20 12:00 tree:home tree:mail",
        "2026-11-20 13:00 tree:home",
        "2026-11-21 12:00 tree:home",
        "2026-11-22 12:00 tree:mail",
    ];
    assert_eq!(
        reasons(&rules, &lines),
        ["", "daily", "", "newest daily", "newest daily"]
    );
    // A tree without a policy is left alone.
    let home = KeepRules::new().tree("home", policy("daily=1"));
    assert_eq!(
        reasons(&home, &lines),
        ["no_policy", "no_policy", "", "newest daily", "no_policy"]
    );
    // The others' policies hold also when one tree is asked for.
    let only = rules.only(["home".into()]);
    assert_eq!(
        reasons(&only, &lines),
        ["", "daily", "", "newest daily", "newest not_asked daily"]
    );
}

#[test]
fn the_dump_that_would_be_replicated_now_stays() {
    let lines = [
        "2026-11-20 12:00",
        "2026-11-21 12:00",
        "2026-11-22 00:00",
        "2026-11-22 12:00",
    ];
    let rules = KeepRules::new().tree("home", policy("last=1"));
    assert_eq!(reasons(&rules, &lines), ["", "", "", "newest last"]);
    let rules = rules.replicated(true);
    assert_eq!(reasons(&rules, &lines), ["", "slave", "", "newest last"]);
}

#[test]
fn without_rules_everything_stays_while_there_is_room() {
    let lines = [
        "2026-11-12 12:00",
        "2026-11-20 11:00",
        "2026-11-20 12:00",
        "2026-11-22 12:00",
    ];
    let rules = KeepRules::new().tree("home", policy("free=10% at_least=3d"));
    assert_eq!(
        reasons(&rules, &lines),
        ["room", "room", "room", "newest room"]
    );
    let dumps: Vec<_> = lines.iter().map(|line| dump(line)).collect();
    let room = |rules: &KeepRules| -> Vec<bool> {
        let verdicts = rules.judge(&dumps, &now());
        verdicts.iter().map(|v| v.may_make_room).collect()
    };
    assert_eq!(room(&rules), [true, true, false, false]);
}

#[test]
fn short_of_room_rules_give_way_but_not_the_last_nor_the_newest_days() {
    let lines = [
        "2025-11-12 12:00",
        "2026-01-12 12:00 pin",
        "2026-02-01 05:00 chk",
        "2026-11-12 12:00",
        "2026-11-21 12:00",
        "2026-11-22 11:30",
        "2026-11-22 12:00",
        "2026-11-22 12:01",
    ];
    let dumps: Vec<_> = lines.iter().map(|line| dump(line)).collect();
    let room = |text: &str| -> Vec<usize> {
        let rules = KeepRules::new().tree("home", policy(text));
        let verdicts = rules.judge(&dumps, &now()).into_iter().enumerate();
        let of = verdicts.filter(|(_, verdict)| verdict.may_make_room);
        of.map(|(at, _)| at).collect()
    };
    let all = "hourly=all checkpoints=1";
    assert_eq!(room(all), Vec::<usize>::new());
    assert_eq!(room(&format!("{all} free=10%")), [0, 3, 5]);
    assert_eq!(room(&format!("{all} free=10% at_least=1y1mo")), [5]);
    assert_eq!(room("hourly=all last=3 free=10%"), [0, 2, 3]);
}

#[test]
fn the_brake_holds_where_many_of_a_tree_would_go_at_once() {
    let rules = KeepRules::new().tree("home", policy("last=1"));
    let many: Vec<KeepCandidate> = (0..150)
        .map(|at| dump(&format!("2026-10-{:02} {:02}:00", at / 24 + 1, at % 24)))
        .collect();
    for (goes, expected) in [(50, false), (51, true), (150, true), (0, false)] {
        let which: Vec<bool> = (0..150).map(|at| at < goes).collect();
        let braked = rules.brake(&many, &which);
        assert_eq!(braked.is_some(), expected, "{goes}");
        if let Some(brake) = braked {
            assert_eq!((brake.goes, brake.of), (goes, 150));
            assert_eq!(brake.tree.as_deref(), Some(OsStr::new("home")));
        }
    }
    // 51 of 153 are not more than a third.
    let more: Vec<KeepCandidate> = (0..153)
        .map(|at| dump(&format!("2026-10-{:02} {:02}:00", at / 24 + 1, at % 24)))
        .collect();
    let which: Vec<bool> = (0..153).map(|at| at < 51).collect();
    assert_eq!(rules.brake(&more, &which), None);
}

#[test]
fn the_brake_holds_where_many_of_all_trees_would_go_at_once() {
    let rules = KeepRules::new().other_trees(policy("last=1"));
    let hour = |at: usize| dump(&format!("2026-10-{:02} {:02}:00", at / 24 + 1, at % 24));
    let mut all: Vec<KeepCandidate> = (0..120).map(hour).collect();
    for one in all.iter_mut().skip(1).step_by(2) {
        one.trees = vec!["mail".into()];
    }
    for (goes, expected) in [(50, None), (51, Some((None, 51, 120)))] {
        let which: Vec<bool> = (0..120).map(|at| at < goes).collect();
        let brake = rules.brake(&all, &which);
        let brake = brake.map(|brake| (brake.tree, brake.goes, brake.of));
        assert_eq!(brake, expected, "{goes}");
    }
    // A dump of both trees counts once.
    for one in &mut all {
        one.trees = vec!["home".into(), "mail".into()];
    }
    let which: Vec<bool> = (0..120).map(|at| at < 50).collect();
    assert_eq!(rules.brake(&all, &which), None);
}

#[test]
fn the_brake_holds_where_a_gap_lets_all_of_the_past_go() {
    use crate::policy::retention::BrakeReason;
    let of = |rules: &str, dumps: &[&str]| {
        let rules = KeepRules::new()
            .tree("home", policy(rules))
            .replicated(true);
        let dumps: Vec<KeepCandidate> = dumps.iter().map(|line| dump(line)).collect();
        let verdicts = rules.judge(&dumps, &now());
        let goes: Vec<bool> = verdicts.iter().map(|one| one.reasons.is_empty()).collect();
        let brake = rules.gap(&dumps, &verdicts, &goes, &now());
        brake.map(|brake| {
            assert_eq!(brake.why, BrakeReason::Gap);
            (brake.goes, brake.of)
        })
    };
    let before: Vec<String> = (2..=13)
        .map(|day| format!("2021-11-{day:02} 10:00"))
        .collect();
    let mut wrong = vec!["2021-11-01 10:00 current_chk"];
    wrong.extend(before.iter().map(String::as_str));
    wrong.extend(["2026-11-22 10:00", "2026-11-22 11:00 current"]);
    // The last one from before is what would be replicated now.
    assert_eq!(of("hourly=2d weekly=1y", &wrong), Some((11, 15)));
    // One less may go.
    let fewer = [&wrong[..1], &wrong[2..]].concat();
    assert_eq!(of("hourly=2d weekly=1y", &fewer), None);
    // A rule keeps some of them, or there is no span.
    assert_eq!(of("hourly=2d weekly=1y yearly=all", &wrong), None);
    assert_eq!(of("hourly=2d daily=4", &wrong), None);
    assert_eq!(of("last=1", &wrong), None);
    // The longest span reaches over it.
    assert_eq!(of("hourly=2d weekly=6y", &wrong), None);
    // What expires one by one does so without a gap.
    let days: Vec<String> = (1..=22)
        .map(|day| format!("2026-11-{day:02} 10:00"))
        .collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    assert_eq!(of("daily=1w", &days), None);
}

#[test]
fn the_hour_that_the_clocks_repeat_is_one() {
    let berlin = |text: &str| text.parse::<DateTime<Utc>>().expect(text);
    let at = |name: &str, text: &str| {
        let name = name.parse().expect(name);
        KeepCandidate::new(name, Some(berlin(text)), vec!["home".into()])
    };
    let dumps = [
        at("2026/1025/0210", "2026-10-25T00:10:00Z"),
        at("2026/1025/0250", "2026-10-25T01:10:00Z"),
        at("2026/1025/0310", "2026-10-25T02:10:00Z"),
    ];
    let rules = KeepRules::new().tree("home", policy("hourly=all"));
    let kept: Vec<bool> = rules
        .judge(&dumps, &now())
        .iter()
        .map(|verdict| !verdict.reasons.is_empty())
        .collect();
    assert_eq!(kept, [false, true, true]);
}
