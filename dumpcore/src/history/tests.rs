//! Old versions and histories, against naive searches and replays.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use assert_fs::TempDir;
use proptest::prelude::*;

use super::test_dumps::{Ground, State, Step, at, steps};
use super::*;
use crate::model::minute::Stamp;
use crate::policy::layout::{DumpName, Sort};

fn dump(text: &str) -> DumpName {
    DumpName::parse(text.as_bytes()).expect(text)
}

/// What is compared of an event: kind, path told, and for a deletion the
/// dump that has it no more.
type Told = (String, PathBuf, Option<PathBuf>);

fn told(past: &Changes) -> Vec<Told> {
    assert!(past.faults.is_empty(), "{:?}", past.faults);
    let missing = |change: &Change| match change {
        Change::Delete { missing } => Some(missing.clone()),
        _ => None,
    };
    past.events
        .iter()
        .map(|e| {
            let kind = e.change.as_str().to_owned();
            (kind, e.version.path.clone(), missing(&e.change))
        })
        .collect()
}

/// Replays the dumps one by one, with no notion of runs or inodes.
fn replay(ground: &Ground, dumps: &[(DumpName, State)]) -> Vec<Told> {
    let mut events = Vec::new();
    let mut before = (None, State::Absent);
    for (name, state) in dumps {
        if let Some(kind) = state.change_from(&before.1) {
            events.push(match (kind, before.0) {
                ("delete", Some(last)) => (
                    kind.to_owned(),
                    ground.path(last),
                    Some(ground.dir.path().join(name.path())),
                ),
                _ => (kind.to_owned(), ground.path(*name), None),
            });
        }
        before = (Some(*name), state.clone());
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_history_is_a_naive_replay(steps in steps(), skip in 0..8usize, take in 1..50usize) {
        let ground = Ground::build(&steps);
        let (navigator, place) = (ground.navigator(), Ground::place());
        let past = navigator.history(&place).run();
        prop_assert_eq!(past.dumps, ground.dumps.len());
        prop_assert_eq!(told(&past), replay(&ground, &ground.dumps));

        let some = &ground.dumps[skip.min(ground.dumps.len() - 1)..];
        let some = &some[..take.min(some.len())];
        let past = navigator
            .history(&place)
            .from(some[0].0.stamp.first_moment())
            .until(some[some.len() - 1].0.stamp.last_moment())
            .run();
        prop_assert_eq!(told(&past), replay(&ground, some));
        // A path in a dump ends with it.
        let place = Location { located_in: LocatedIn::Dump(some[some.len() - 1].0), ..place };
        let past = navigator.history(&place).from(some[0].0.stamp.first_moment()).run();
        prop_assert_eq!(told(&past), replay(&ground, some));
    }

    #[test]
    fn of_each_span_the_last_version_is_kept(steps in steps()) {
        let ground = Ground::build(&steps);
        let spans: [(Keep, &str); 4] = [
            (Keep::Year, "%Y"),
            (Keep::Month, "%Y-%m"),
            (Keep::Day, "%Y-%m-%d"),
            (Keep::Hour, "%Y-%m-%d %H"),
        ];
        for (every, format) in spans {
            let past = ground.navigator().history(&Ground::place()).every(every).run();
            let kinds: Vec<_> = told(&past).into_iter().map(|(kind, ..)| kind).collect();
            prop_assert_eq!(kinds, naive_spans(&ground, format), "{:?}", every);
        }
    }

    #[test]
    fn an_old_version_is_the_one_a_naive_search_finds(
        steps in steps(), minutes in 0..3_000_000i64,
    ) {
        let ground = Ground::build(&steps);
        let asked = at("2019-12-30T00:00").civil() + chrono::TimeDelta::minutes(minutes);
        let asked = Stamp::from_civil(asked);
        let found = ground.navigator().version_at(&Ground::place(), asked.last_moment());
        let early: Vec<_> = ground.dumps.iter().filter(|(n, _)| n.stamp <= asked).collect();
        let has = |(_, state): &&&(DumpName, State)| *state != State::Absent;
        match early.last() {
            None => {
                let none = matches!(found, Err(FindError::NoneThen { .. }));
                prop_assert!(none, "there is no dump so old");
            }
            Some((name, State::Absent)) => match found {
                Err(FindError::NotThere { dump, older, .. }) => {
                    prop_assert_eq!(dump, ground.dir.path().join(name.path()));
                    let nearest = early.iter().rev().find(has);
                    prop_assert_eq!(older, nearest.map(|(n, _)| ground.path(*n)));
                }
                other => prop_assert!(false, "{:?}", other),
            },
            Some((name, _)) => prop_assert_eq!(found.unwrap().path, ground.path(*name)),
        }
    }
}

/// The changes between what each span leaves: its last version, and its
/// absence when it ends with one.
fn naive_spans(ground: &Ground, format: &str) -> Vec<String> {
    // Versions and absences where they begin, each with its span.
    let mut begun: Vec<(String, State)> = Vec::new();
    for (name, state) in &ground.dumps {
        if begun.last().is_none_or(|(_, last)| last != state) {
            begun.push((name.stamp.civil().format(format).to_string(), state.clone()));
        }
    }
    let mut left: Vec<State> = Vec::new();
    for span in begun.chunk_by(|a, b| a.0 == b.0) {
        let states: Vec<_> = span.iter().map(|(_, state)| state.clone()).collect();
        left.extend(states.iter().rfind(|s| **s != State::Absent).cloned());
        left.extend(states.last().filter(|s| **s == State::Absent).cloned());
    }
    let mut before = State::Absent;
    let mut kinds = Vec::new();
    for state in left {
        kinds.extend(state.change_from(&before).map(String::from));
        before = state;
    }
    kinds
}

#[test]
fn ten_o_clock_on_two_days_are_two_hours() {
    let file = |content| State::File {
        content,
        mode: 0o644,
        mtime: 1,
    };
    let step = |content, minutes| Step {
        state: file(content),
        minutes,
        anew: true,
    };
    // 22:11 and 22:31, then 22:21 of the day after.
    let ground = Ground::build(&[step(1, 0), step(2, 20), step(3, 24 * 60 - 10)]);
    let past = ground
        .navigator()
        .history(&Ground::place())
        .every(Keep::Hour)
        .run();
    let (second, third) = (ground.dumps[1].0, ground.dumps[2].0);
    assert_eq!(
        told(&past),
        [
            ("create".into(), ground.path(second), None),
            ("write".into(), ground.path(third), None),
        ]
    );
}

#[test]
fn a_dump_in_the_future_is_no_answer() {
    let file = State::File {
        content: 1,
        mode: 0o644,
        mtime: 1,
    };
    let ground = Ground::build(&[Step {
        state: file,
        minutes: 60,
        anew: false,
    }]);
    let (name, now) = (ground.dumps[0].0, at("2019-12-30T23:00"));
    assert!(name.stamp > now);
    let now = now.last_moment();
    let navigator = ground.navigator();
    let found = navigator.version_at(&Ground::place(), now);
    assert!(
        matches!(found, Err(FindError::NoneThen { .. })),
        "{found:?}"
    );
    let past = navigator.history(&Ground::place()).until(now).run();
    assert_eq!((past.events.len(), past.dumps), (0, 0));
}

#[test]
fn the_checkpoint_of_a_minute_comes_after_its_dump() {
    let dir = TempDir::new().unwrap();
    for (leaf, text) in [("1000", "a"), ("1000_chk", "b"), ("1001_incomplete", "c")] {
        let top = dir.path().join("2026/0101").join(leaf).join("NEWAGE/a");
        fs::create_dir_all(&top).unwrap();
        fs::write(top.join("path"), text).unwrap();
    }
    let navigator = Navigator::new(dir.path());
    let found = navigator
        .version_at(&Ground::place(), at("2026-01-01T10:05").last_moment())
        .unwrap();
    assert_eq!(found.dump.map(|d| d.sort), Some(Sort::Checkpoint));
    let in_dump = Location {
        located_in: LocatedIn::Dump(dump("2026/0101/1000")),
        ..Ground::place()
    };
    assert_eq!(navigator.history(&in_dump).run().dumps, 1);
    assert_eq!(navigator.history(&Ground::place()).run().events.len(), 2);
}

#[test]
fn a_symlink_on_the_way_leads_nowhere() {
    let dir = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("path"), "secret").unwrap();
    let old = dir.path().join("2026/0101/1000/NEWAGE");
    let new = dir.path().join("2026/0102/1000/NEWAGE");
    fs::create_dir_all(old.join("a")).unwrap();
    fs::create_dir_all(&new).unwrap();
    fs::write(old.join("a/path"), "text").unwrap();
    symlink(outside.path(), new.join("a")).unwrap();
    let navigator = Navigator::new(dir.path());
    let found = navigator.version_at(&Ground::place(), at("2026-01-03T00:00").last_moment());
    let Err(FindError::NotThere { older, .. }) = found else {
        panic!("{found:?}");
    };
    assert_eq!(older, Some(old.join("a/path")));
    let past = navigator.history(&Ground::place()).run();
    let kinds: Vec<_> = past.events.iter().map(|e| e.change.as_str()).collect();
    assert_eq!(kinds, ["create", "delete"]);
}

#[test]
fn the_main_tree_is_told_of_as_such() {
    let file = |content| State::File {
        content,
        mode: 0o644,
        mtime: 1,
    };
    let cases = [
        (file(1), Some(file(1)), Some("same")),
        (file(1), Some(file(2)), Some("write")),
        (
            file(1),
            Some(State::File {
                content: 1,
                mode: 0o600,
                mtime: 1,
            }),
            Some("wstat"),
        ),
        (file(1), None, Some("delete")),
        (State::Absent, Some(file(1)), Some("create")),
        (State::Absent, None, None),
    ];
    for (dumped, now, expected) in cases {
        let step = Step {
            state: dumped,
            minutes: 1,
            anew: false,
        };
        let ground = Ground::build(&[step]);
        let main = TempDir::new().unwrap();
        let path = main.path().join("NEWAGE/a/path");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if let Some(now) = &now {
            now.make(&path);
        }
        let navigator = Navigator::new(ground.dir.path()).main(main.path().join("NEWAGE"));
        let place = navigator.locate(&path).unwrap();
        let past = navigator.history(&place).with_main(true).run();
        assert!(past.faults.is_empty());
        let last = past.events.last().filter(|e| e.main);
        assert_eq!(last.map(|e| e.change.as_str()), expected);
        // The same of a path in a dump.
        let name = ground.path(ground.dumps[0].0);
        let in_dump = navigator.locate(&name).unwrap();
        let again = navigator.history(&in_dump).with_main(true).run();
        assert_eq!(again.events, past.events);
    }
}

#[test]
fn follows_a_file_through_its_names() {
    let dir = TempDir::new().unwrap();
    let top = |day: u32| dir.path().join(format!("2026/01{day:02}/1000/NEWAGE"));
    for day in 1..=6 {
        fs::create_dir_all(top(day).join("x/y")).unwrap();
    }
    // Another file had the newest name before: not its history.
    fs::write(top(1).join("new"), "another").unwrap();
    fs::write(top(1).join("x/y/old"), "1").unwrap();
    fs::write(top(2).join("x/y/old"), "2").unwrap();
    fs::hard_link(top(2).join("x/y/old"), top(3).join("x/mid")).unwrap();
    fs::hard_link(top(3).join("x/mid"), top(4).join("x/mid")).unwrap();
    fs::hard_link(top(4).join("x/mid"), top(5).join("new")).unwrap();
    fs::write(top(6).join("new"), "3").unwrap();
    let navigator = Navigator::new(dir.path()).main("/nowhere/NEWAGE");
    let place = navigator.locate(top(6).join("new")).unwrap();
    let past = navigator.history(&place).follow(true).run();
    assert!(past.faults.is_empty());
    let told: Vec<_> = past
        .events
        .iter()
        .map(|e| match &e.change {
            Change::Rename { from } => ("rename", e.version.path.clone(), Some(from.clone())),
            change => (change.as_str(), e.version.path.clone(), None),
        })
        .collect();
    assert_eq!(
        told,
        [
            ("create", top(1).join("x/y/old"), None),
            ("write", top(2).join("x/y/old"), None),
            ("rename", top(3).join("x/mid"), Some(top(2).join("x/y/old"))),
            ("rename", top(5).join("new"), Some(top(4).join("x/mid"))),
            ("write", top(6).join("new"), None),
        ]
    );
    let plain = navigator.history(&place).run();
    let kinds: Vec<_> = plain.events.iter().map(|e| e.change.as_str()).collect();
    assert_eq!(kinds, ["create", "delete", "create", "write"]);
}

#[test]
#[ignore = "needs a filesystem with user xattrs"]
fn an_xattr_is_metadata() {
    let file = State::File {
        content: 1,
        mode: 0o644,
        mtime: 1,
    };
    let step = Step {
        state: file,
        minutes: 60,
        anew: true,
    };
    let ground = Ground::build(&[step.clone(), step.clone(), step]);
    xattr::set(ground.path(ground.dumps[1].0), "user.note", b"1").unwrap();
    xattr::set(ground.path(ground.dumps[2].0), "user.note", b"1").unwrap();
    let past = ground.navigator().history(&Ground::place()).run();
    let kinds: Vec<_> = told(&past).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["create", "wstat"]);
}

#[test]
fn a_version_carries_its_metadata() {
    let file = State::File {
        content: 1,
        mode: 0o640,
        mtime: 1_600_000_000,
    };
    let ground = Ground::build(&[Step {
        state: file,
        minutes: 60,
        anew: false,
    }]);
    let past = ground.navigator().history(&Ground::place()).run();
    let meta = past.events[0].version.meta;
    let plain = fs::metadata(ground.path(ground.dumps[0].0)).unwrap();
    assert_eq!((meta.mode, meta.size), (0o640, 10));
    assert_eq!(
        (meta.mtime.secs, meta.mtime.nanos),
        (1_600_000_000, 123_456_789)
    );
    assert_eq!((meta.ino, meta.uid), (plain.ino(), plain.uid()));
}

#[test]
fn where_inode_numbers_mean_nothing_size_and_time_count() {
    use super::compare::compare;
    let dir = TempDir::new().unwrap();
    let make = |name: &str, content, mtime| {
        let path = dir.path().join(name);
        let mode = 0o644;
        State::File {
            content,
            mode,
            mtime,
        }
        .make(&path);
        Version::at(&path).unwrap().unwrap()
    };
    let (a, b, c) = (make("a", 1, 1), make("b", 2, 1), make("c", 1, 2));
    let table = [
        (&a, &b, Difference::Content, Difference::Nothing),
        (&a, &c, Difference::Metadata, Difference::Metadata),
        (&b, &c, Difference::Content, Difference::Content),
    ];
    for (old, new, by_inode, by_time) in table {
        assert_eq!(compare(old, new, &CompareOptions::new()).unwrap(), by_inode);
        let trusting = CompareOptions::new().trust_times();
        assert_eq!(compare(old, new, &trusting).unwrap(), by_time);
    }
}
