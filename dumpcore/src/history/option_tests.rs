//! What a search and a history are told besides what they look for.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

#[test]
fn a_search_ends_when_there_is_enough() {
    let dir = TempDir::new().unwrap();
    for dump in ["2026/0101/1000", "2026/0101/1100"] {
        fs::create_dir_all(dir.path().join(dump).join("NEWAGE/a/b/c/d")).unwrap();
    }
    let navigator = Navigator::new(dir.path());
    let found = |most: Option<usize>| {
        let find = navigator.find().test(NameTest::of_name(|_| true));
        let find = match most {
            Some(most) => find.most(most),
            None => find,
        };
        let mut paths = Vec::new();
        let report = find.run(None, &mut |path| {
            paths.push(path.path);
            ControlFlow::Continue(())
        });
        let report = report.expect("looked through");
        assert_eq!(report.found, paths.len() as u64);
        paths
    };
    let all = found(None);
    assert_eq!(all.len(), 4);
    for most in 0..6 {
        assert_eq!(found(Some(most)), all[..most.min(4)]);
    }
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
    let trusting = words(history().options(CompareOptions::new().trust_times()));
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
    assert_eq!(
        words(history().options(CompareOptions::new().trust_times())),
        ["create", "write"]
    );
}

/// Two dumps that have a hole of this size each, with different inodes.
fn holes(dir: &TempDir, size: u64) -> (Navigator, Location, [State; 2]) {
    let mut time = std::time::SystemTime::UNIX_EPOCH;
    for hour in ["1000", "1100"] {
        let path = dir.path().join(format!("2026/0101/{hour}/tree/path"));
        fs::create_dir_all(path.parent().expect("below")).unwrap();
        let file = fs::File::create(&path).unwrap();
        file.set_len(size).unwrap();
        time += std::time::Duration::from_secs(1_000_000);
        file.set_modified(time).unwrap();
    }
    let dump = DumpName::parse(b"2026/0101/1100").expect("a name");
    let state = |name: &[u8]| State::Dump(DumpId::parse(name).expect("a name"));
    (
        Navigator::new(dir.path()),
        Location::in_dump(dump, "tree/path".into()),
        [state(b"2026/0101/1000"), state(b"2026/0101/1100")],
    )
}

/// More than can be read while a test waits, and no room on the disk.
const TOO_MUCH: u64 = 1 << 40;

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let dir = TempDir::new().unwrap();
    let (navigator, place, [old, new]) = holes(&dir, TOO_MUCH);
    let options = CompareOptions::new().read_at_most(1 << 20);
    let past = navigator.history(&place).options(options.clone()).run();
    let words: Vec<&str> = past.events.iter().map(|one| one.change.as_str()).collect();
    assert_eq!(words, ["create", "write"]);
    assert!(past.faults.is_empty());
    let found = navigator.compare(old, new).options(options).run(None);
    let found = found.expect("compared").changes;
    assert_eq!((found.len(), found[0].change), (1, ChangeKind::Write));
}

#[test]
fn what_is_told_to_stop_compares_nothing() {
    let dir = TempDir::new().unwrap();
    let (navigator, place, [old, new]) = holes(&dir, 3);
    for (stopped, expected) in [(false, (2, 1)), (true, (0, 0))] {
        let options = CompareOptions::new().stop(Arc::new(AtomicBool::new(stopped)));
        let past = navigator.history(&place).options(options.clone()).run();
        let found = navigator.compare(old, new).options(options).run(None);
        let changes = found.expect("compared").changes;
        assert_eq!((past.events.len(), changes.len()), expected);
    }
}

/// Also while it reads two files.
#[test]
fn reading_ends_when_it_is_told_to() {
    let dir = TempDir::new().unwrap();
    let (navigator, place, [old, new]) = holes(&dir, TOO_MUCH);
    let stop = Arc::new(AtomicBool::new(false));
    let options = CompareOptions::new().stop(Arc::clone(&stop));
    std::thread::scope(|scope| {
        let past = scope.spawn(|| navigator.history(&place).options(options.clone()).run());
        let found = scope.spawn(|| {
            navigator
                .compare(old, new)
                .options(options.clone())
                .run(None)
        });
        std::thread::sleep(std::time::Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        past.join().expect("it ended");
        found.join().expect("it ended").expect("compared");
    });
}
