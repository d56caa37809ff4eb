//! Tests of the listing: against a naive search over random names with noise.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::symlink;

fn at(text: &str) -> Stamp {
    text.parse().expect(text)
}

fn dump(text: &str) -> DumpName {
    DumpName::parse(text.as_bytes()).expect(text)
}

fn with_directories(paths: &[&str]) -> assert_fs::TempDir {
    let root = assert_fs::TempDir::new().unwrap();
    for path in paths {
        fs::create_dir_all(root.path().join(path)).unwrap();
    }
    root
}

#[test]
fn finds_the_newest_over_days_and_years() {
    let root = with_directories(&[
        "2024/0229/1200",
        "2025/1231/2300",
        "2025/1231/2300_chk",
        "2025/1231/2359_incomplete",
        "2026/0302/0800",
        "2026/0302/0900",
        "2026/0303",
    ]);
    let listing = Listing::new(root.path());
    let cases = [
        ("2026-03-02T09:00", Some("2026/0302/0900")),
        ("2026-03-02T08:59", Some("2026/0302/0800")),
        ("2026-03-02T07:59", Some("2025/1231/2300_chk")),
        ("2025-12-31T22:59", Some("2024/0229/1200")),
        ("2024-02-29T11:59", None),
        ("2099-01-01T00:00", Some("2026/0302/0900")),
    ];
    for (moment, expected) in cases {
        let found = listing.newest_not_later(at(moment).last_moment()).unwrap();
        assert_eq!(found, expected.map(dump), "{moment}");
    }
    let days = [
        ((2026, 3, 3), Some("2026/0302/0900")),
        ((2026, 3, 2), Some("2025/1231/2300_chk")),
        ((2026, 1, 1), Some("2025/1231/2300_chk")),
        ((2024, 2, 29), None),
    ];
    for ((y, m, d), expected) in days {
        let day = NaiveDate::from_ymd_opt(y, m, d).unwrap();
        let found = listing.newest_before_day(day).unwrap();
        assert_eq!(found, expected.map(dump), "{day}");
    }
    assert_eq!(listing.newest().unwrap(), Some(dump("2026/0302/0900")));
}

#[test]
fn passes_over_what_is_no_directory() {
    let root = with_directories(&["2025/0101/1000", "2026/0201"]);
    symlink("2025", root.path().join("2027")).unwrap();
    symlink("../2025/0101", root.path().join("2026/0202")).unwrap();
    fs::write(root.path().join("2026/0203"), "").unwrap();
    fs::write(root.path().join("2026/0201/0900"), "").unwrap();
    symlink(
        "../../2025/0101/1000",
        root.path().join("2026/0201/1000_chk"),
    )
    .unwrap();
    let listing = Listing::new(root.path());
    assert_eq!(listing.newest().unwrap(), Some(dump("2025/0101/1000")));
    // What is in the way of a name takes it anyway.
    for (moment, taken) in [
        ("2026-02-01T09:00", true),
        ("2026-02-01T10:00", true),
        ("2026-02-01T11:00", false),
        ("2026-02-03T11:00", false),
        ("2030-02-03T11:00", false),
        ("2025-01-01T10:00", true),
    ] {
        assert_eq!(listing.taken(at(moment)).unwrap(), taken, "{moment}");
    }
}

#[test]
fn lists_what_is_being_made() {
    let root = with_directories(&[
        "2026/1122/2331_incomplete",
        "2026/1122/2330",
        "2025/0101/0000_chk_incomplete",
        "2025/0101/junk_incomplete",
    ]);
    let found = Listing::new(root.path()).incompletes().unwrap();
    let leaves: Vec<_> = found
        .iter()
        .map(|f| (f.name.year(), f.name.incomplete_leaf()))
        .collect();
    assert_eq!(
        leaves,
        [
            ("2025".into(), "0000_chk_incomplete".into()),
            ("2026".into(), "2331_incomplete".into()),
        ]
    );
}

#[test]
fn a_missing_root_is_told_of_once_and_by_name() {
    let root = assert_fs::TempDir::new().unwrap();
    let missing = root.path().join("no/dump");
    let listing = Listing::new(&missing);
    let mut dumps = listing.oldest_first(..);
    let fault = dumps.next().unwrap().unwrap_err();
    assert_eq!(fault.path, missing);
    assert!(dumps.next().is_none());
    assert!(listing.newest().is_err());
    assert!(listing.incompletes().is_err());
}

#[test]
fn continues_behind_a_day_that_vanishes() {
    let root = with_directories(&[
        "2026/0101/0000",
        "2026/0601/0000",
        "2026/0610/0000",
        "2027/0101/0000",
    ]);
    let listing = Listing::new(root.path());
    let mut dumps = listing.newest_first(..).map(|dump| dump.unwrap().name);
    assert_eq!(dumps.next(), Some(dump("2027/0101/0000")));
    fs::remove_dir_all(root.path().join("2026/0601")).unwrap();
    assert_eq!(dumps.next(), Some(dump("2026/0610/0000")));
    assert_eq!(dumps.next(), Some(dump("2026/0101/0000")));
    assert!(dumps.next().is_none());
}

/// Names that mean something and names that do not, few enough to meet often.
fn entry() -> impl Strategy<Value = (String, String, String)> {
    let year = prop_oneof![
        4 => (2024..2028i32).prop_map(|y| y.to_string()),
        1 => prop::sample::select(vec![
            "first", ".rsync", "lost+found", "26", "20266", "02026", "year", "+026",
        ]).prop_map(String::from),
    ];
    let day = prop_oneof![
        4 => (0..14u32, 26..33u32).prop_map(|(m, d)| format!("{m:02}{d:02}")),
        1 => prop::sample::select(vec!["notes", "122", "0230", "01015", "-101"])
            .prop_map(String::from),
    ];
    let leaf = prop_oneof![
        6 => (0..25u32, prop::sample::select(vec![0, 30, 59, 60]))
            .prop_map(|(h, m)| format!("{h:02}{m:02}")),
        2 => (0..24u32).prop_map(|h| format!("{h:02}00_chk")),
        2 => (0..24u32).prop_map(|h| format!("{h:02}30_incomplete")),
        1 => (0..24u32).prop_map(|h| format!("{h:02}30_chk_incomplete")),
        1 => prop::sample::select(vec!["1031_ck", "now", "1030~", "_chk"])
            .prop_map(String::from),
    ];
    (year, day, leaf)
}

fn minute() -> impl Strategy<Value = Stamp> {
    (2023..2029i32, 1..13u32, 25..32u32, 0..24u32, 0..60u32)
        .prop_filter_map("a real day", |(y, mo, d, h, mi)| {
            Stamp::new(y, mo, d, h, mi)
        })
}

/// The slow and plain way: every three names in the root, judged as text.
fn naive(entries: &[(String, String, String)]) -> Vec<DumpName> {
    let mut all: Vec<DumpName> = entries
        .iter()
        .filter_map(|(y, d, l)| DumpName::parse(format!("{y}/{d}/{l}").as_bytes()))
        .collect();
    all.sort();
    all.dedup();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_a_naive_search(
        entries in prop::collection::vec(entry(), 0..40),
        moments in prop::collection::vec(minute(), 4),
    ) {
        let root = assert_fs::TempDir::new().unwrap();
        for (y, d, l) in &entries {
            let dump = root.path().join(y).join(d).join(l);
            fs::create_dir_all(dump.join("NEWAGE")).unwrap();
            // Of a dump of today, the time of its directory would be its moment.
            let dump = fs::File::open(dump).unwrap();
            dump.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let listing = Listing::new(root.path());
        let all = naive(&entries);
        let listed: Vec<_> = listing.oldest_first(..).map(|d| d.unwrap().name).collect();
        prop_assert_eq!(&listed, &all);
        let mut backwards: Vec<_> = listing.newest_first(..).map(|d| d.unwrap().name).collect();
        backwards.reverse();
        prop_assert_eq!(&backwards, &all);
        prop_assert_eq!(listing.newest().unwrap(), all.last().copied());

        for at in &moments {
            let expected = all.iter().rfind(|n| n.stamp <= *at).copied();
            prop_assert_eq!(listing.newest_not_later(at.last_moment()).unwrap(), expected);
            let day = at.civil().date();
            let expected = all.iter().rfind(|n| n.stamp.civil().date() < day).copied();
            prop_assert_eq!(listing.newest_before_day(day).unwrap(), expected);
            let taken = all.iter().any(|n| n.stamp == *at);
            prop_assert_eq!(listing.taken(*at).unwrap(), taken);
        }
        let (from, to) = (moments[0].min(moments[1]), moments[0].max(moments[1]));
        let between: Vec<_> = listing
            .oldest_first(from.first_moment()..to.first_moment())
            .map(|d| d.unwrap().name)
            .collect();
        let expected: Vec<_> = all
            .iter()
            .filter(|n| (from..to).contains(&n.stamp))
            .copied()
            .collect();
        prop_assert_eq!(between, expected);
    }
}

/// Gives a dump a moment, as its run would have.
fn mark(root: &assert_fs::TempDir, name: &str, moment: &str) {
    let dump = root.path().join(name);
    ::xattr::set(dump, layout::MOMENT_XATTR, moment.as_bytes()).expect("a mark");
}

fn marked(dumps: &[(&str, &str)]) -> assert_fs::TempDir {
    // Beside the build, where a filesystem has attributes.
    let root = assert_fs::TempDir::new_in(".").unwrap();
    for (name, moment) in dumps {
        fs::create_dir_all(root.path().join(name)).unwrap();
        mark(&root, name, moment);
    }
    root
}

fn names(dumps: Dumps<'_>) -> Vec<String> {
    dumps.map(|d| d.unwrap().name.to_string()).collect()
}

#[test]
fn moments_decide_whatever_the_names_say() {
    // Tokyo, then Los Angeles, and back; a checkpoint of long after; a clock
    // that was wrong by ten years.
    let dumps = [
        ("2026/0610/1200", "2026-06-10T03:00:00Z"),
        ("2026/0609/2100", "2026-06-10T04:00:00Z"),
        ("2026/0609/2200", "2026-06-10T05:00:00Z"),
        ("2026/0610/1500", "2026-06-10T06:00:00Z"),
        ("2026/0624/0500_chk", "2026-06-10T06:00:00Z"),
        ("2026/0611/1500", "2026-06-11T06:00:00Z"),
        ("2036/0611/1500", "2036-06-11T06:00:00Z"),
    ];
    let root = marked(&dumps);
    let listing = Listing::new(root.path());
    let mut expected: Vec<_> = dumps.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(listing.oldest_first(..)), expected);
    expected.reverse();
    assert_eq!(names(listing.newest_first(..)), expected);
    let utc = |text: &str| text.parse::<DateTime<Utc>>().expect(text);
    for (at, name) in [
        ("2026-06-10T02:59:59Z", None),
        ("2026-06-10T03:00:00Z", Some("2026/0610/1200")),
        ("2026-06-10T05:30:00Z", Some("2026/0609/2200")),
        ("2026-06-10T07:00:00Z", Some("2026/0624/0500_chk")),
        ("2026-07-10T07:00:00Z", Some("2026/0611/1500")),
        ("2036-07-10T07:00:00Z", Some("2036/0611/1500")),
    ] {
        let found = listing.newest_not_later(utc(at)).unwrap();
        assert_eq!(found, name.map(dump), "{at}");
    }
    // Moved by somebody to where no zone has it.
    fs::create_dir_all(root.path().join("2999/0101/0000")).unwrap();
    mark(&root, "2999/0101/0000", "2026-06-10T03:30:00Z");
    for at in ["2026-06-10T03:30:00Z", "2026-06-10T03:59:59Z"] {
        let found = listing.newest_not_later(utc(at)).unwrap();
        assert_eq!(found, Some(dump("2999/0101/0000")), "{at}");
    }
    let moved = names(listing.newest_first(utc("2026-06-10T03:00:00Z")..));
    assert_eq!(moved[moved.len() - 2], "2999/0101/0000");
    assert_eq!(names(listing.oldest_first(..))[1], "2999/0101/0000");
    let some = utc("2026-06-10T04:00:00Z")..utc("2026-06-10T06:00:00Z");
    let expected = ["2026/0609/2100", "2026/0609/2200"];
    assert_eq!(names(listing.oldest_first(some.clone())), expected);
    assert_eq!(
        names(listing.newest_first(some)),
        ["2026/0609/2200", "2026/0609/2100"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Runs of a machine that is carried about: moments an hour or days apart,
    /// each named in some zone of the earth.
    #[test]
    fn the_order_is_that_of_moments(
        runs in prop::collection::vec((1..60u32, -12..15i64), 1..30),
        asked in 0..1000u32,
    ) {
        let start = "2026-06-10T03:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let root = assert_fs::TempDir::new_in(".").unwrap();
        let (mut now, mut made) = (start, Vec::new());
        for (hours, zone) in runs {
            now += TimeDelta::hours(hours.into()) + TimeDelta::minutes(1);
            let civil = (now + TimeDelta::hours(zone)).naive_utc();
            let name = DumpName::dump(Stamp::from_civil(civil));
            if made.iter().any(|dump: &Dated| dump.name == name) {
                continue;
            }
            fs::create_dir_all(root.path().join(name.path())).unwrap();
            mark(&root, &name.to_string(), &moment::text(&now));
            made.push(Dated { moment: now, name });
        }
        let listing = Listing::new(root.path());
        let found: Vec<_> = listing.oldest_first(..).map(Result::unwrap).collect();
        prop_assert_eq!(&found, &made);
        let mut found: Vec<_> = listing.newest_first(..).map(Result::unwrap).collect();
        found.reverse();
        prop_assert_eq!(&found, &made);
        let at = start + TimeDelta::hours(asked.into());
        let expected = made.iter().rfind(|dump| dump.moment <= at).map(|dump| dump.name);
        prop_assert_eq!(listing.newest_not_later(at).unwrap(), expected);
    }
}
