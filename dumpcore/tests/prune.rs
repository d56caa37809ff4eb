//! Pruning: what goes and what stays of real dump roots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use assert_fs::TempDir;
use dumpcore::chrono::{Datelike as _, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _};
use dumpcore::{
    CatalogTools, DumpRoot, Error, GoesFor, KeepPeriod, KeepPolicy, KeepReason, KeepRules, Lacking,
    Prune, PrunePlan, Reason,
};
use fixtures::Fingerprint;
use fixtures::mounts::{Fs, Mount};

/// A dump root with dumps made by hand.
struct Place {
    _dir: TempDir,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory for the test");
        let root = dir.path().join("dump");
        fs::create_dir(&root).expect("made");
        Self { _dir: dir, root }
    }

    fn names(&self) -> BTreeSet<String> {
        let root = DumpRoot::open(&self.root).expect("opened");
        let names = root.list().expect("listed").into_iter();
        names.map(|name| name.to_string()).collect()
    }
}

/// Adds a dump in which each tree has a file that all share, and one that is its
/// own.
fn add(root: &Path, name: &str, trees: &[&str]) {
    for tree in trees {
        let dir = root.join(name).join(tree);
        fs::create_dir_all(&dir).expect("made");
        let shared = root.join(format!(".shared-{tree}"));
        if !shared.exists() {
            fs::write(&shared, vec![1; 10_000]).expect("written");
        }
        fs::hard_link(&shared, dir.join("same")).expect("linked");
        fs::write(dir.join("own"), name).expect("written");
    }
}

/// The space that everything in a dump root takes but for the runner's own state,
/// each inode counted once, in bytes.
fn space(root: &Path) -> u64 {
    let (mut met, mut bytes) = (BTreeSet::new(), 0);
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = path.symlink_metadata().expect("there");
        if met.insert(meta.ino()) {
            bytes += meta.blocks() * 512;
        }
        if meta.is_dir() && path != root.join(".dump") {
            let below = fs::read_dir(&path).expect("listed");
            left.extend(below.map(|entry| entry.expect("listed").path()));
        }
    }
    bytes
}

fn point(root: &Path, link: &str, name: &str) {
    let _ = fs::remove_file(root.join(link));
    symlink(name, root.join(link)).expect("linked");
}

fn name(at: &NaiveDateTime) -> String {
    at.format("%Y/%m%d/%H%M").to_string()
}

fn policy(rules: &[(KeepPeriod, &str)]) -> KeepPolicy {
    rules
        .iter()
        .fold(KeepPolicy::new(), |policy, (period, amount)| {
            policy.keep(*period, amount.parse().expect(amount))
        })
}

fn going(plan: &PrunePlan) -> Vec<String> {
    let going = plan.remove.iter();
    going.map(|goes| goes.dump.to_string()).collect()
}

/// The minutes of a thousand dumps of three years: far apart at first, hourly in
/// the end.
fn minutes() -> Vec<NaiveDateTime> {
    let end = NaiveDate::from_ymd_opt(2026, 5, 20).and_then(|day| day.and_hms_opt(21, 30, 0));
    let mut at = end.expect("a minute");
    let mut minutes = Vec::new();
    for number in 0..1000 {
        minutes.push(at);
        at -= TimeDelta::minutes(match number {
            0..200 => 60,
            200..500 => 60 * 9,
            _ => 60 * 47,
        });
    }
    minutes.reverse();
    minutes
}

/// The last of each period, as somebody would find them by hand: `key` tells in which
/// period a dump is.
fn last_of<K: Ord>(
    minutes: &[NaiveDateTime],
    since: Option<NaiveDateTime>,
    key: impl Fn(&NaiveDateTime) -> K,
) -> BTreeSet<String> {
    let mut last = BTreeMap::new();
    for at in minutes {
        last.insert(key(at), at);
    }
    let new = last
        .into_values()
        .filter(|at| since.is_none_or(|since| **at > since));
    new.map(name).collect()
}

/// The policies of two trees, and what stays by them as somebody would find it by
/// hand.
fn two_policies(all: &[NaiveDateTime], mail: &[NaiveDateTime]) -> (KeepRules, BTreeSet<String>) {
    let newest = all[999];
    let rules = KeepRules::new()
        .tree(
            "home",
            policy(&[
                (KeepPeriod::Hourly, "2d"),
                (KeepPeriod::Daily, "5w"),
                (KeepPeriod::Monthly, "all"),
            ]),
        )
        .tree(
            "mail",
            policy(&[(KeepPeriod::Weekly, "6mo"), (KeepPeriod::Last, "3")]),
        );
    let days = |days| Some(newest - TimeDelta::days(days));
    let mut expected = last_of(all, days(2), |at| (at.date(), at.hour()));
    expected.extend(last_of(all, days(35), |at| at.date()));
    expected.extend(last_of(all, None, |at| (at.year(), at.month())));
    let newest_mail = mail[mail.len() - 1];
    let half_a_year = newest_mail.checked_sub_months(Months::new(6));
    expected.extend(last_of(mail, half_a_year, |at| {
        (at.iso_week().year(), at.iso_week().week())
    }));
    expected.extend(mail[mail.len() - 3..].iter().map(name));
    expected.insert(name(&all[7]));

    (rules, expected)
}

#[test]
fn a_thousand_dumps_of_three_years_in_two_trees_are_thinned_by_two_policies() {
    let place = Place::new();
    let all = minutes();
    assert!((all[999] - all[0]).num_days() > 3 * 365);
    let mail: Vec<NaiveDateTime> = all.iter().copied().step_by(3).collect();
    for at in &all {
        let trees: &[&str] = if mail.contains(at) {
            &["home", "mail"]
        } else {
            &["home"]
        };
        add(&place.root, &name(at), trees);
    }
    let newest = all[999];
    point(&place.root, "current", &name(&newest));
    point(&place.root, "before-upgrade", &name(&all[7]));
    let (rules, expected) = two_policies(&all, &mail);
    let prune = Prune::new(&place.root).rules(rules);
    let braked = prune.clone().brake(true).run().expect("run");
    assert!(braked.is_braked() && !braked.is_complete());
    let brake = braked.plan.brake.expect("too many");
    assert_eq!((brake.tree, brake.of), (Some("home".into()), 1000));
    assert_eq!(place.names().len(), 1000, "nothing was removed");

    let prints: Vec<(Fingerprint, PathBuf)> = expected
        .iter()
        .map(|name| place.root.join(name))
        .map(|dump| (Fingerprint::of(&dump), dump))
        .collect();
    let pruned = prune.clone().run().expect("run");
    assert!(pruned.is_complete());
    assert_eq!(place.names(), expected);
    for (print, dump) in &prints {
        print.assert_unchanged(dump);
    }
    let removal = pruned.removal.expect("removed");
    assert_eq!(removal.removed.len(), 1000 - expected.len());
    assert!(removal.freed_bytes >= 4096 * removal.removed.len() as u64);
    // A second run finds nothing more.
    let plan = prune.plan().expect("planned");
    assert_eq!(going(&plan), Vec::<String>::new());
    assert_eq!(plan.freed_bytes, Some(0));
    assert!(plan.keep.iter().all(|kept| !kept.reasons.is_empty()));
}

#[test]
fn a_dump_root_without_current_is_left_alone() {
    let place = Place::new();
    add(&place.root, "2026/0101/0000", &["home"]);
    let prune = Prune::new(&place.root);
    let error = prune.plan().expect_err("refused");
    assert!(matches!(error, Error::NoCurrent { .. }), "{error}");
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_be_freed() {
    let place = Place::new();
    for day in 1..=4 {
        add(&place.root, &format!("2026/010{day}/0000"), &["home"]);
    }
    point(&place.root, "current", "2026/0104/0000");
    let rules = KeepRules::new().tree("home", policy(&[(KeepPeriod::Last, "2")]));
    let prune = Prune::new(&place.root).rules(rules);
    let before = Fingerprint::of(&place.root);
    let pruned = prune.clone().dry_run(true).run().expect("run");
    before.assert_unchanged(&place.root);
    assert_eq!(pruned.removal, None);
    assert_eq!(going(&pruned.plan), ["2026/0101/0000", "2026/0102/0000"]);
    assert!(
        pruned
            .plan
            .remove
            .iter()
            .all(|goes| goes.why == GoesFor::Rules)
    );
    let removal = prune.run().expect("run").removal.expect("removed");
    assert_eq!(pruned.plan.freed_bytes, Some(removal.freed_bytes));
}

/// A dump of which nobody knows whether it lacks something is not better than
/// one that is complete.
#[test]
fn a_mark_that_cannot_be_read_is_one_of_a_partial_dump() {
    let place = Place::new();
    for hour in ["0000", "0600", "1200", "1800"] {
        add(&place.root, &format!("2026/0101/{hour}"), &["home"]);
    }
    add(&place.root, "2026/0102/0000", &["home"]);
    point(&place.root, "current", "2026/0102/0000");
    let marked = [
        ("0600", "?".to_owned()),
        ("1200", "1".repeat(300)),
        ("1800", "2".to_owned()),
    ];
    for (hour, mark) in marked {
        let dump = place.root.join("2026/0101").join(hour);
        xattr::set(dump, "user.dump.partial", mark.as_bytes()).expect("marked");
    }
    let rules = KeepRules::new().tree("home", policy(&[(KeepPeriod::Daily, "all")]));
    let prune = Prune::new(&place.root).rules(rules);
    let partial = ["2026/0101/0600", "2026/0101/1200", "2026/0101/1800"];
    assert_eq!(going(&prune.plan().expect("planned")), partial);
    // As the programs that list dumps see it.
    let root = DumpRoot::open(&place.root).expect("opened");
    let lacks = root.dumps(None).expect("listed").into_iter();
    let lacks: Vec<_> = lacks.map(|dump| dump.lacks).collect();
    let unknown = Some(Lacking::Unknown);
    let expected = [None, unknown, unknown, Some(Lacking::Entries(2)), None];
    assert_eq!(lacks, expected);
}

#[test]
fn a_tree_without_a_policy_is_left_alone_and_named() {
    let place = Place::new();
    for day in 1..=3 {
        add(&place.root, &format!("2026/010{day}/0000"), &["home"]);
        add(&place.root, &format!("2026/010{day}/1200"), &["photos"]);
    }
    point(&place.root, "current", "2026/0103/1200");
    let rules = KeepRules::new().tree("home", policy(&[(KeepPeriod::Last, "1")]));
    let plan = Prune::new(&place.root)
        .rules(rules)
        .plan()
        .expect("planned");
    assert_eq!(going(&plan), ["2026/0101/0000", "2026/0102/0000"]);
    assert_eq!(plan.left_alone, [("photos".into(), 3)]);
    let photos = &plan.keep[0];
    assert_eq!(photos.dump.to_string(), "2026/0101/1200");
    assert_eq!(photos.reasons, [KeepReason::NoPolicy]);
}

#[test]
fn the_catalog_tells_what_many_dumps_free() {
    let place = Place::new();
    for day in 1..=30 {
        add(&place.root, &format!("2026/01{day:02}/0000"), &["home"]);
    }
    point(&place.root, "current", "2026/0130/0000");
    let rules = KeepRules::new().tree("home", policy(&[(KeepPeriod::Last, "2")]));
    let prune = Prune::new(&place.root).rules(rules);
    assert_eq!(prune.plan().expect("planned").freed_bytes, None);
    CatalogTools::new(&place.root).rebuild().expect("rebuilt");
    let freed = prune.plan().expect("planned").freed_bytes.expect("known");
    let taken = space(&place.root);
    let removal = prune.run().expect("run").removal.expect("removed");
    assert_eq!(removal.removed.len(), 28);
    assert_eq!(freed, removal.freed_bytes);
    // The directories of days go with their last dump.
    let day = fs::metadata(place.root.join("2026/0130")).expect("there");
    let days = 28 * day.blocks() * 512;
    assert_eq!(space(&place.root), taken - freed - days);
}

/// A small disk with six dumps that have two MiB each.
fn small_disk(mkfs: &[&str]) -> (Mount, PathBuf) {
    let mount = Mount::with(Fs::Ext4, 64, mkfs, "");
    let root = mount.path().join("dump");
    for day in 1..=6 {
        let dir = root.join(format!("2026/010{day}/0000/home"));
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join("own"), vec![1; 2 << 20]).expect("written");
        for number in 0..10 {
            fs::write(dir.join(format!("small {number}")), "").expect("written");
        }
    }
    point(&root, "current", "2026/0106/0000");
    (mount, root)
}

fn rules_with_goal(goal: &str) -> KeepRules {
    let policy = policy(&[(KeepPeriod::Daily, "all")])
        .free(goal.parse().expect(goal))
        .at_least_text("2d")
        .expect("a span");
    KeepRules::new().tree("home", policy)
}

#[test]
#[ignore = "needs root and loop mounts"]
fn short_of_room_the_oldest_go_until_there_is_enough() {
    let (mount, root) = small_disk(&[]);
    let free = {
        let found = rustix::fs::statvfs(mount.path()).expect("asked");
        found.f_bavail * found.f_frsize
    };
    let mib = |more: u64| format!("{}K", (free + (more << 20)) / 1024);
    // What is free already needs nothing.
    let plan = |goal: &str| {
        let prune = Prune::new(&root).rules(rules_with_goal(goal));
        prune.plan().expect("planned")
    };
    assert_eq!(plan("1M").shortage, None);
    // Three MiB more take two dumps of two.
    let some = plan(&mib(3));
    assert_eq!(going(&some), ["2026/0101/0000", "2026/0102/0000"]);
    assert!(some.remove.iter().all(|goes| goes.why == GoesFor::Room));
    assert!(some.shortage.is_some_and(|shortage| shortage.is_met));
    assert!(some.freed_bytes.is_some_and(|freed| freed > 4 << 20));
    // The last dumps of two days stay, so that nine cannot be had: then nothing
    // goes.
    let none = plan(&mib(9));
    assert_eq!(going(&none), Vec::<String>::new());
    let shortage = none.shortage.expect("short");
    assert!(!shortage.is_met && shortage.could_free_bytes < 9 << 20);
    let prune = Prune::new(&root).rules(rules_with_goal(&mib(3)));
    let pruned = prune.run().expect("run");
    assert!(pruned.is_complete());
    assert_eq!(plan(&mib(3)).shortage, None, "it is met now");
}

/// What has expired and waits to be recycled goes first, and counts.
#[test]
#[ignore = "needs root and loop mounts"]
fn short_of_room_what_has_expired_goes_before_any_dump() {
    let (mount, root) = small_disk(&[]);
    let spare = root.join(".dump/removing/2025-0101-0000.spare/home");
    fs::create_dir_all(&spare).expect("made");
    fs::write(spare.join("own"), vec![1; 4 << 20]).expect("written");
    // What a dump has as well frees nothing before that goes.
    let shared = root.join("2026/0101/0000/home/own");
    fs::hard_link(shared, spare.join("shared")).expect("linked");
    let free = || {
        let found = rustix::fs::statvfs(mount.path()).expect("asked");
        found.f_bavail * found.f_frsize
    };
    let goal = |more: u64| format!("{}K", (free() + (more << 20)) / 1024);
    let prune = |goal: &str| Prune::new(&root).rules(rules_with_goal(goal)).recycle(true);
    let (three, five) = (goal(3), goal(5));
    let plan = prune(&five).plan().expect("planned");
    assert_eq!(going(&plan), ["2026/0101/0000"]);
    assert!(plan.shortage.is_some_and(|shortage| shortage.is_met));
    let pruned = prune(&three).run().expect("run");
    assert_eq!(going(&pruned.plan), Vec::<String>::new());
    assert!(pruned.is_complete() && !spare.exists());
    assert_eq!(prune(&three).plan().expect("planned").shortage, None);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn inodes_run_short_as_well() {
    let (mount, root) = small_disk(&["-N", "256"]);
    let total = rustix::fs::statvfs(mount.path()).expect("asked").f_files;
    let free = rustix::fs::statvfs(mount.path()).expect("asked").f_ffree;
    assert!(fs::metadata(&root).expect("there").ino() > 0);
    // A dump has thirteen inodes, and the file of its own another.
    let part = (free + 20) * 100 / total + 1;
    let prune = Prune::new(&root).rules(rules_with_goal(&format!("{part}%")));
    let plan = prune.plan().expect("planned");
    let shortage = plan.shortage.expect("short of inodes");
    assert!(shortage.wanted_inodes > shortage.free_inodes && shortage.is_met);
    assert!((2..=3).contains(&plan.remove.len()), "{plan:?}");
    assert!(prune.run().expect("run").is_complete());
    let now = rustix::fs::statvfs(mount.path()).expect("asked").f_ffree;
    assert!(now >= shortage.wanted_inodes);
}

#[test]
fn a_plan_is_looked_at_again_before_it_is_carried_out() {
    let place = Place::new();
    for day in 1..=5 {
        add(&place.root, &format!("2026/010{day}/0000"), &["home"]);
    }
    point(&place.root, "current", "2026/0105/0000");
    let rules = KeepRules::new().tree("home", policy(&[(KeepPeriod::Last, "2")]));
    let prune = Prune::new(&place.root).rules(rules);
    let plan = prune.plan().expect("planned");
    assert_eq!(going(&plan).len(), 3);
    // Meanwhile another one goes, which was to stay.
    let root = DumpRoot::open(&place.root).expect("opened");
    let other = root.find("2026/0104/0000").expect("there");
    root.remove(other).expect("removed");
    let pruned = prune.carry_out(plan).expect("run");
    let removal = pruned.removal.as_ref().expect("removed");
    assert_eq!(removal.removed.len(), 2);
    let left = &removal.left[0];
    assert_eq!(left.dump.to_string(), "2026/0103/0000");
    assert!(matches!(left.reason, Reason::Rules), "{:?}", left.reason);
    let stay = ["2026/0103/0000", "2026/0105/0000"];
    assert_eq!(place.names(), BTreeSet::from(stay.map(str::to_owned)));
}
