//! Retention against the real `restic forget`: random dates under random
//! policies, and the same must stay.
//!
//! One repository holds the dates of several hosts, each with tags that make it
//! part of random sets; one call of restic then applies a policy to a set of each
//! host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use assert_fs::TempDir;
use chrono_tz::Europe::Berlin;
use dumpcore::chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use dumpcore::{
    DumpId, DumpName, KeepAmount, KeepCandidate, KeepPeriod, KeepPolicy, KeepRules, Stamp,
};

const HOSTS: usize = 8;
const DATES: usize = 24;
/// Sets of each host.
const TAGS: usize = 36;
/// Policies that are applied to each set.
const POLICIES: usize = 2;
const THREADS: usize = 3;

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// A date of a host, and the sets that it is in.
struct Dated {
    host: usize,
    at: DateTime<Utc>,
    tags: Vec<usize>,
}

impl Dated {
    fn local(&self) -> NaiveDateTime {
        self.at.with_timezone(&Berlin).naive_local()
    }
}

/// A policy, as we take it and as restic does.
#[derive(Default)]
struct Both {
    ours: KeepPolicy,
    theirs: Vec<String>,
    /// Has it spans with months or years?
    counts_months: bool,
}

fn dates(numbers: &mut Numbers) -> Vec<Dated> {
    let mut all = Vec::new();
    for host in 0..HOSTS {
        let mut met = BTreeSet::new();
        let mut at = Utc.with_ymd_and_hms(2024, 6, 1, 0, 0, 0).unwrap()
            + TimeDelta::minutes(numbers.below(500_000).cast_signed());
        while met.len() < DATES {
            // Gaps of some minutes to some weeks.
            let scale = [20, 90, 700, 2_000, 9_000, 40_000][numbers.below(6) as usize];
            at -= TimeDelta::minutes(1 + numbers.below(scale).cast_signed());
            let local = at.with_timezone(&Berlin).naive_local();
            // What the clock showed twice cannot be told to restic.
            if Berlin.from_local_datetime(&local).single().is_some() && met.insert(at) {
                let tags = (0..TAGS).filter(|_| numbers.below(3) > 0).collect();
                all.push(Dated { host, at, tags });
            }
        }
    }
    all
}

fn policy(numbers: &mut Numbers) -> Both {
    let mut both = Both::default();
    while both.theirs.is_empty() {
        for period in KeepPeriod::ALL {
            match numbers.below(6) {
                0 => {
                    let number = (1 + numbers.below(12)).to_string();
                    both.add(period, &number, &number, "");
                }
                1 => {
                    let span = span(numbers);
                    both.counts_months |= span.contains(['y', 'm']);
                    both.add(period, &span, &span, "within");
                }
                2 if numbers.below(4) == 0 => both.add(period, "all", "9999", ""),
                _ => {}
            }
        }
    }
    both
}

fn span(numbers: &mut Numbers) -> String {
    let mut text = String::new();
    while text.is_empty() {
        for (unit, most) in [("y", 2), ("m", 8), ("d", 40), ("h", 100)] {
            if numbers.below(3) == 0 {
                text.push_str(&format!("{}{unit}", 1 + numbers.below(most)));
            }
        }
    }
    text
}

impl Both {
    fn add(&mut self, period: KeepPeriod, ours: &str, theirs: &str, kind: &str) {
        let amount: KeepAmount = ours.parse().expect(ours);
        self.ours = std::mem::take(&mut self.ours).keep(period, amount);
        let option = match (kind, period) {
            ("", _) => format!("--keep-{}", period.as_str()),
            (kind, KeepPeriod::Last) => format!("--keep-{kind}"),
            (kind, _) => format!("--keep-{kind}-{}", period.as_str()),
        };
        self.theirs.extend([option, theirs.to_owned()]);
    }

    /// What of a set is kept.
    fn kept(&self, dates: &[&Dated]) -> BTreeSet<DateTime<Utc>> {
        let dumps: Vec<KeepCandidate> = dates
            .iter()
            .map(|dated| {
                let name = DumpName::dump(stamp(&dated.local()));
                KeepCandidate::new(DumpId::Dump(name), Some(dated.at), vec!["home".into()])
            })
            .collect();
        let rules = KeepRules::new().tree("home", self.ours.clone());
        let now = Utc::now().with_timezone(&Berlin);
        let verdicts = rules.judge(&dumps, &now);
        let kept = dates.iter().zip(verdicts);
        let kept = kept.filter(|(_, verdict)| !verdict.reasons.is_empty());
        kept.map(|(dated, _)| dated.at).collect()
    }
}

fn stamp(local: &NaiveDateTime) -> Stamp {
    let text = local.format("%Y-%m-%dT%H:%M").to_string();
    text.parse().expect("a minute")
}

fn restic(repository: &Path) -> Command {
    let mut command = Command::new("restic");
    command
        .args(["--no-cache", "--repo"])
        .arg(repository)
        .env("RESTIC_PASSWORD", "x")
        .env("TZ", "Europe/Berlin");
    command
}

fn output(command: &mut Command) -> Vec<u8> {
    let ran = command.output().expect("restic can be run");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
    ran.stdout
}

/// By host: what restic would keep of a set.
fn forget(repository: &Path, tag: usize, both: &Both) -> BTreeMap<usize, BTreeSet<DateTime<Utc>>> {
    let mut command = restic(repository);
    command
        .args([
            "forget",
            "--no-lock",
            "--dry-run",
            "--json",
            "--group-by=host",
        ])
        .arg(format!("--tag=s{tag}"))
        .args(&both.theirs);
    let answer: serde_json::Value =
        serde_json::from_slice(&output(&mut command)).expect("an object");
    let groups = answer.as_array().expect("groups");
    let time = |snapshot: &serde_json::Value| -> DateTime<Utc> {
        let text = snapshot["time"].as_str().expect("a time");
        text.parse().expect(text)
    };
    let of_group = |group: &serde_json::Value| {
        let host = group["host"].as_str().expect("a host")[1..].parse();
        let kept = group["keep"].as_array().expect("a list");
        (host.expect("a number"), kept.iter().map(time).collect())
    };
    groups.iter().map(of_group).collect()
}

/// Does something with each, on some threads.
fn each<T: Sync>(all: &[T], act: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    act(one);
                }
            });
        }
    });
}

#[test]
#[ignore = "needs restic"]
fn the_same_dumps_stay_as_restic_keeps_snapshots() {
    let dir = TempDir::new().expect("a directory for the test");
    let (repository, file) = (dir.path().join("repository"), dir.path().join("file"));
    std::fs::write(&file, "").expect("written");
    output(restic(&repository).arg("init"));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let dates = dates(&mut numbers);
    each(&dates, |dated| {
        let mut command = restic(&repository);
        let time = dated.local().format("%Y-%m-%d %H:%M:%S").to_string();
        command.args(["backup", "--quiet", "--force", "--time", &time]);
        command.arg(format!("--host=h{}", dated.host)).arg(&file);
        command.args(dated.tags.iter().map(|tag| format!("--tag=s{tag}")));
        output(&mut command);
    });
    let calls = (0..TAGS).flat_map(|tag| [tag; POLICIES]);
    let calls: Vec<(usize, Both)> = calls.map(|tag| (tag, policy(&mut numbers))).collect();
    let (compared, removed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each(&calls, |(tag, both)| {
        let kept = forget(&repository, *tag, both);
        for host in 0..HOSTS {
            let set = dates
                .iter()
                .filter(|d| d.host == host && d.tags.contains(tag));
            let set: Vec<&Dated> = set.collect();
            let newest = set.iter().map(|dated| dated.local()).max();
            // Where the calendar lacks a day, ours is the last one of the month,
            // and theirs in the next month.
            if both.counts_months && newest.is_some_and(|newest| newest.day() > 28) {
                continue;
            }
            let theirs = kept.get(&host).cloned().unwrap_or_default();
            assert_eq!(both.kept(&set), theirs, "host {host}, {:?}", both.theirs);
            compared.fetch_add(1, Ordering::Relaxed);
            removed.fetch_add(set.len() - theirs.len(), Ordering::Relaxed);
        }
    });
    let (compared, removed) = (compared.into_inner(), removed.into_inner());
    assert!(compared > 400, "only {compared} sets were compared");
    assert!(removed > compared, "policies that keep all show nothing");
}
