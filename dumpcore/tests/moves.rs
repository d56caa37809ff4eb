//! What was moved or renamed is linked to where it was, as the catalog knows it.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use common::{ROOT, Stage, inodes, tick};
use dumpcore::{Checkpoint, Replica, Report, Snapshot};
use fixtures::{Options, diff_trees};
use rusqlite::Connection;

/// A run that takes every time of change for settled that is older than a tick.
fn snapshot(stage: &Stage) -> Snapshot {
    stage.snapshot().catalog(true).settle(Duration::ZERO)
}

/// A dry run forecasts what the run behind it does, and changes nothing.
fn run(stage: &Stage) -> Report {
    tick();
    let before = fixtures::Fingerprint::of(&stage.dump);
    let forecast = snapshot(stage).dry_run(true).run().expect("looked at");
    before.assert_unchanged(&stage.dump);
    let report = stage.run(snapshot(stage));
    let told = |report: &Report| {
        let counts = &report.counts;
        let copied = (counts.copied(), counts.copied_new, counts.copied_changed);
        // Of several names of one file any may be the first.
        let moved = (counts.hard_links == 0).then_some(counts.moved);
        let links = (counts.linked, moved, counts.hard_links);
        (links, copied, counts.removed, counts.directories)
    };
    assert_eq!(told(&forecast), told(&report));
    tick();
    report
}

fn contents(dir: &str, file: usize) -> String {
    format!("{dir} {file}").repeat(file + 10 * dir.len() + usize::from(dir.starts_with('a')) * 5)
}

/// A stage with a dump of twelve files in four directories, each of another size:
/// those of one size and time are told apart by their contents alone.
fn stage() -> Stage {
    let stage = Stage::new();
    for dir in ["a", "a/b", "c", "c/d"] {
        fs::create_dir_all(stage.source.join(dir)).expect("made");
        for file in 1..=3 {
            let path = stage.source.join(dir).join(format!("{file}"));
            fs::write(path, contents(dir, file)).expect("written");
        }
    }
    run(&stage);
    stage
}

#[test]
fn a_moved_directory_takes_all_below_it_along() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    fs::rename(at("a"), at("c/d/e")).expect("renamed");
    let before = inodes(&stage.newest());
    let report = run(&stage);
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
    assert_eq!(report.counts.moved.number, 6);
    assert_eq!(report.counts.linked.number, 12);
    assert_eq!(report.counts.removed, 0);
    let after = inodes(&stage.newest());
    assert_eq!(before[&b"a/b/1"[..]], after[&b"c/d/e/b/1"[..]]);
    // And back, with one file changed on the way.
    fs::rename(at("c/d/e"), at("a")).expect("renamed");
    fs::write(at("a/b/2"), "other contents").expect("written");
    let report = run(&stage);
    assert_eq!(report.counts.copied().number, 1, "{:?}", report.counts);
    assert_eq!(report.counts.moved.number, 5);
}

#[test]
fn a_moved_file_is_linked_whatever_took_its_name() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    // A new name and a new place; two that swap names; one that gives its name to
    // a directory, and one whose name a new file takes.
    fs::rename(at("a/1"), at("c/d/first")).expect("renamed");
    fs::rename(at("a/2"), at("spare")).expect("renamed");
    fs::rename(at("c/2"), at("a/2")).expect("renamed");
    fs::rename(at("spare"), at("c/2")).expect("renamed");
    fs::rename(at("a/3"), at("a/third")).expect("renamed");
    fs::create_dir(at("a/3")).expect("made");
    fs::rename(at("c/3"), at("c/third")).expect("renamed");
    fs::write(at("c/3"), "new").expect("written");
    let before = inodes(&stage.newest());
    let report = run(&stage);
    let after = inodes(&stage.newest());
    for (from, to) in [
        ("a/1", "c/d/first"),
        ("a/2", "c/2"),
        ("c/2", "a/2"),
        ("a/3", "a/third"),
        ("c/3", "c/third"),
    ] {
        let (from, to) = (from.as_bytes(), to.as_bytes());
        assert_eq!(before[from], after[to], "{from:?}");
    }
    assert_eq!(report.counts.moved.number, 5);
    assert_eq!(report.counts.copied().number, 1);
}

#[test]
fn swapped_directories_are_linked_crosswise() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    fs::rename(at("a"), at("x")).expect("renamed");
    fs::rename(at("c"), at("a")).expect("renamed");
    fs::rename(at("x"), at("c")).expect("renamed");
    let before = inodes(&stage.newest());
    let report = run(&stage);
    let after = inodes(&stage.newest());
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
    assert_eq!(before[&b"a/b/1"[..]], after[&b"c/b/1"[..]]);
    assert_eq!(before[&b"c/d/2"[..]], after[&b"a/d/2"[..]]);
    // Nothing is moved any more.
    assert_eq!(run(&stage).counts.moved.number, 0);
}

#[test]
fn names_of_one_file_stay_one_file_when_they_move() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    fs::hard_link(at("a/1"), at("c/link")).expect("linked");
    run(&stage);
    fs::rename(at("a/1"), at("c/d/one")).expect("renamed");
    fs::rename(at("c/link"), at("two")).expect("renamed");
    let before = inodes(&stage.newest());
    let report = run(&stage);
    let after = inodes(&stage.newest());
    assert_eq!(after[&b"two"[..]], after[&b"c/d/one"[..]]);
    assert_eq!(before[&b"a/1"[..]], after[&b"two"[..]]);
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
}

#[test]
fn a_moved_file_that_was_written_to_unseen_is_copied() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    let time = fs::metadata(at("a/1"))
        .expect("stat")
        .modified()
        .expect("mtime");
    fs::rename(at("a/1"), at("moved")).expect("renamed");
    let other = contents("a", 1).replace('a', "A");
    fs::write(at("moved"), other).expect("written");
    let file = fs::File::open(at("moved")).expect("opened");
    file.set_modified(time).expect("dated");
    let report = run(&stage);
    assert_eq!(report.counts.copied().number, 1);
    assert_eq!(report.counts.moved.number, 0);
}

/// Of two files of one size and time that change places, a replica sees only what
/// was stored again.
#[test]
fn what_looks_like_what_was_at_its_path_is_copied() {
    let stage = Stage::new();
    let at = |path: &str| stage.source.join(path);
    for (dir, text) in [("left", "one"), ("right", "two")] {
        fs::create_dir(at(dir)).expect("made");
        fs::write(at(dir).join("file"), text).expect("written");
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for path in [at(dir).join("file"), at(dir)] {
            let opened = fs::File::open(path).expect("opened");
            opened.set_modified(time).expect("dated");
        }
    }
    run(&stage);
    rename_exchange(&at("left"), &at("right"));
    let report = run(&stage);
    assert_eq!(report.counts.moved.number, 0);
    assert_eq!(report.counts.copied_changed.number, 2);
}

/// An older dump may have had another inode at a path, of the same contents: a
/// checkpoint has inodes of its own.
#[test]
fn what_held_the_same_at_its_path_is_linked() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    tick();
    Checkpoint::new(&stage.dump).run().expect("made");
    assert_eq!(run(&stage).counts.copied().number, 0);
    let second = Stage::new();
    for (turn, [from, to]) in [["a", "b"], ["b", "a"]].into_iter().enumerate() {
        fs::rename(at(from), at(to)).expect("renamed");
        let report = run(&stage);
        assert_eq!(report.counts.copied().number, 0, "{to}");
        assert_eq!(report.counts.moved.number, 6, "{to}");
        let replica = Replica::of(&stage.dump).to(&second.dump);
        let replica = replica.latest(true).init(turn == 0);
        replica.run().expect("replicated");
        let lines = diff_trees(&stage.source, &second.newest(), &Options::of_runner());
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
    // Without a hash it may have held something else.
    fs::rename(at("a/1"), at("spare")).expect("renamed");
    run(&stage);
    let catalog = stage.dump.join(".dump/catalog.db");
    let catalog = Connection::open(catalog).expect("opened");
    let forget = "UPDATE inode SET hash=NULL";
    catalog.execute(forget, []).expect("forgotten");
    drop(catalog);
    fs::rename(at("spare"), at("a/1")).expect("renamed");
    let report = run(&stage);
    assert_eq!(report.counts.copied_changed.number, 1);
}

fn rename_exchange(a: &Path, b: &Path) {
    let spare = a.with_file_name("spare");
    for (from, to) in [(a, &*spare), (b, a), (&*spare, b)] {
        fs::rename(from, to).expect("renamed");
    }
}

/// Two directories change places, and what is in one of them stays at its path.
#[test]
fn what_stays_at_its_path_in_a_directory_that_moved_keeps_its_contents() {
    let stage = Stage::new();
    let at = |path: &str| stage.source.join(path);
    for dir in ["app", "new"] {
        fs::create_dir_all(at(dir).join("data/deep")).expect("made");
        for file in ["data/f", "data/deep/g"] {
            fs::write(at(dir).join(file), format!("{dir} {file}")).expect("written");
        }
    }
    for _ in 0..3 {
        run(&stage);
    }
    fs::remove_dir_all(at("new/data")).expect("removed");
    for (from, to) in [("app/data", "new/data"), ("app", "old"), ("new", "app")] {
        fs::rename(at(from), at(to)).expect("renamed");
    }
    for _ in 0..3 {
        run(&stage);
    }
}

#[test]
fn a_moved_file_keeps_no_attribute_that_it_has_lost() {
    let stage = stage();
    let at = |path: &str| stage.source.join(path);
    xattr::set(at("a/1"), "user.note", b"secret").expect("set");
    run(&stage);
    xattr::remove(at("a/1"), "user.note").expect("removed");
    fs::rename(at("a/1"), at("c/d/bare")).expect("renamed");
    run(&stage);
    // And one that keeps it is linked.
    xattr::set(at("a/2"), "user.note", b"kept").expect("set");
    run(&stage);
    fs::rename(at("a/2"), at("c/d/noted")).expect("renamed");
    assert_eq!(run(&stage).counts.moved.number, 1);
}

#[test]
fn moves_can_be_turned_off() {
    let stage = stage();
    fs::rename(stage.source.join("a"), stage.source.join("b")).expect("renamed");
    tick();
    let report = stage.run(snapshot(&stage).moves(false));
    assert_eq!(report.counts.copied().number, 6);
    assert_eq!(report.counts.moved.number, 0);
    fs::rename(stage.source.join("b"), stage.source.join("c/b")).expect("renamed");
    tick();
    let report = stage.run(snapshot(&stage).catalog(false));
    assert_eq!(report.counts.copied().number, 6);
    assert!(stage.newest().ends_with(ROOT));
}

/// The owner of a file may write into a dump in place: nothing that a run can see
/// at a glance tells. Within 24 runs each directory is compared in full.
#[test]
fn what_was_changed_in_a_dump_is_noticed_in_time() {
    let stage = stage();
    let victim = stage.newest().join("c/d/1");
    fs::write(&victim, "damaged, and longer").expect("written");
    for round in 0..24 {
        tick();
        let report = snapshot(&stage).run().expect("published");
        if report.counts.copied().number == 1 {
            stage.assert_same();
            assert!(round < 24);
            return;
        }
    }
    panic!("never compared");
}
