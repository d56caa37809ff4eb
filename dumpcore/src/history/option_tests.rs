//! What a search and a history are told besides what they look for.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use assert_fs::TempDir;

use super::*;
use crate::policy::layout::{DumpId, DumpName};
use crate::policy::name_test::NameTest;
use crate::snapshot::Snapshot;

#[test]
fn a_search_ends_when_it_is_told_to() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("2026/0101/1000/NEWAGE/a/b")).unwrap();
    let navigator = Navigator::new(dir.path());
    let found = |stopped: bool| {
        let any = NameTest::of_name(|_| true);
        let find = navigator.find().test(any);
        let find = find.stop(Arc::new(AtomicBool::new(stopped)));
        let report = find.run(None, &mut |_| ControlFlow::Continue(()));
        report.expect("looked through").found
    };
    assert_eq!((found(false), found(true)), (2, 0));
}

/// Only what is below a path counts, and that path is in the dump.
#[test]
fn a_path_that_leads_out_of_a_dump_has_no_differences() {
    let dir = TempDir::new().unwrap();
    let (one, two) = ("2026/0101/1000", "2026/0101/1100");
    for dump in [one, two] {
        fs::create_dir_all(dir.path().join(dump).join("tree")).unwrap();
    }
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/secret"), "outside").unwrap();
    symlink(
        dir.path().join("outside"),
        dir.path().join(one).join("tree/x"),
    )
    .unwrap();
    fs::create_dir(dir.path().join(two).join("tree/x")).unwrap();
    fs::write(dir.path().join(two).join("tree/x/secret"), "inside").unwrap();
    let navigator = Navigator::new(dir.path());
    let state = |dump: &str| State::Dump(DumpId::parse(dump.as_bytes()).expect("a name"));
    let compared = navigator.compare(state(one), state(two));
    for (path, was, is) in [
        ("tree/x/secret", false, true),
        ("tree/x", true, true),
        ("tree/../../../../outside/secret", false, false),
        ("..", false, false),
    ] {
        let version = |old| compared.version(old, &path.into()).expect("looked");
        assert_eq!(
            (version(true).is_some(), version(false).is_some()),
            (was, is),
            "{path}"
        );
        let below = compared.clone().below(path.into());
        let found = below.run(None).expect("compared").changes;
        let kinds: Vec<_> = found.iter().map(|one| one.change).collect();
        let expected = match path {
            "tree/x/secret" => &[ChangeKind::Create][..],
            "tree/x" => &[ChangeKind::Write, ChangeKind::Create],
            _ => &[],
        };
        assert_eq!(kinds, expected, "{path}");
    }
    for below in ["..", "tree/..", "tree/../../../../outside"] {
        let any = NameTest::of_name(|_| true);
        let find = navigator.find().test(any).below(below.into());
        let report = find.run(None, &mut |path| panic!("{below}: {:?}", path.path));
        assert_eq!(report.expect("looked").found, 0);
    }
}

/// Somebody removed a part of a dump: a fault says so, unless it was not asked for.
#[test]
fn entries_are_counted_only_where_that_is_wanted() {
    let dir = TempDir::new().unwrap();
    let (tree, root) = (dir.path().join("tree"), dir.path().join("dump"));
    fs::create_dir(&tree).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(tree.join("path"), "text").unwrap();
    for minute in ["2026-01-01T10:00", "2026-01-01T11:00", "2026-01-01T12:00"] {
        let snapshot = Snapshot::new(&root)
            .main(&tree)
            .init(minute.ends_with("10:00"));
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.run().expect("published");
    }
    fs::remove_file(root.join("2026/0101/1100/tree/path")).unwrap();
    let navigator = Navigator::new(&root);
    let dump = DumpName::parse(b"2026/0101/1200").expect("a name");
    let place = Location::in_dump(dump, "tree/path".into());
    let faults = |counts| {
        let past = navigator.history(&place).count_entries(counts).run();
        assert_eq!(past.events.len(), 3, "created, deleted, created");
        past.faults.len()
    };
    assert_eq!((faults(true), faults(false)), (1, 0));
}

#[test]
fn a_directory_of_the_same_time_counts_as_the_same_where_that_is_wanted() {
    let dir = TempDir::new().unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for (hour, names) in [
        ("1000", &["a"][..]),
        ("1100", &["a", "b"]),
        ("1200", &["a"]),
    ] {
        let path = dir.path().join(format!("2026/0101/{hour}/tree/path"));
        fs::create_dir_all(&path).unwrap();
        for name in names {
            fs::write(path.join(name), "").unwrap();
        }
        let moment = match hour {
            "1200" => time + std::time::Duration::from_secs(5),
            _ => time,
        };
        fs::File::open(&path).unwrap().set_modified(moment).unwrap();
    }
    let navigator = Navigator::new(dir.path());
    let dump = DumpName::parse(b"2026/0101/1200").expect("a name");
    let place = Location::in_dump(dump, "tree/path".into());
    let words = |history: History<'_>| -> Vec<&str> {
        let events = history.run().events;
        events.iter().map(|event| event.change.as_str()).collect()
    };
    let history = || navigator.history(&place);
    assert_eq!(words(history()), ["create", "write", "write"]);
    let trusting = words(history().trust_times());
    assert_eq!(
        trusting,
        ["create", "wstat"],
        "the names of the second were not looked at"
    );
}

#[test]
fn a_file_of_the_same_size_and_time_is_not_read_where_that_is_wanted() {
    let dir = TempDir::new().unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for (hour, text) in [("1000", "one"), ("1100", "two"), ("1200", "three")] {
        let path = dir.path().join(format!("2026/0101/{hour}/tree/path"));
        fs::create_dir_all(path.parent().expect("below")).unwrap();
        fs::write(&path, text).unwrap();
        fs::File::open(&path).unwrap().set_modified(time).unwrap();
    }
    let navigator = Navigator::new(dir.path());
    let dump = DumpName::parse(b"2026/0101/1200").expect("a name");
    let place = Location::in_dump(dump, "tree/path".into());
    let words = |history: History<'_>| -> Vec<&str> {
        let events = history.run().events;
        events.iter().map(|event| event.change.as_str()).collect()
    };
    let history = || navigator.history(&place);
    assert_eq!(words(history()), ["create", "write", "write"]);
    assert_eq!(words(history().trust_times()), ["create", "write"]);
}
