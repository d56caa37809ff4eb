//! What a dump remembers for the next spares calls, and hides nothing: as far
//! as somebody has touched what it is about, it says nothing.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::Stage;
use dumpcore::{Counts, DumpRoot, Error, Event, LinkPolicy, Phase};
use fixtures::tree::remove_deep;

const NAME: &str = "user.color";

fn set(path: &Path, value: &str) {
    xattr::set(path, NAME, value.as_bytes()).expect("set");
}

fn get(path: &Path) -> Option<Vec<u8>> {
    xattr::get(path, NAME).expect("read")
}

fn ino(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("it is there").ino()
}

/// A tree in which some have attributes, and dumps of it.
fn stage() -> Stage {
    let stage = Stage::new();
    for dir in ["bare", "mixed"] {
        let dir = stage.source.join(dir);
        fs::create_dir(&dir).expect("made");
        for name in ["a", "b"] {
            fs::write(dir.join(name), name).expect("written");
        }
    }
    set(&stage.source.join("mixed/a"), "red");
    for _ in 0..2 {
        stage.run(stage.snapshot());
    }
    stage
}

/// Dumps, and says how many files were linked and how many were stored.
fn dump(stage: &Stage) -> (u64, u64) {
    let Counts { linked, .. } = &stage.run(stage.snapshot()).counts;
    let linked = linked.number;
    (linked, 4 - linked)
}

/// Written by hand into the newest dump, and not in the source: the next dump
/// must not take it over.
#[test]
fn an_attribute_that_a_dump_got_later_is_noticed() {
    let stage = stage();
    let stained = stage.newest().join("bare/a");
    set(&stained, "blue");
    assert_eq!(dump(&stage), (3, 1));
    let clean = stage.newest().join("bare/a");
    assert_eq!(get(&clean), None);
    assert_ne!(ino(&clean), ino(&stained));
    assert_eq!(dump(&stage), (4, 0));
}

#[test]
fn an_attribute_comes_and_goes() {
    let stage = stage();
    let [bare, mixed] = ["bare/a", "mixed/a"].map(|name| stage.source.join(name));
    set(&bare, "blue");
    assert_eq!(dump(&stage), (3, 1));
    assert_eq!(
        get(&stage.newest().join("bare/a")).as_deref(),
        Some(&b"blue"[..])
    );
    for path in [&bare, &mixed] {
        xattr::remove(path, NAME).expect("removed");
    }
    assert_eq!(dump(&stage), (2, 2));
    assert_eq!(dump(&stage), (4, 0));
    set(&mixed, "red");
    assert_eq!(dump(&stage), (3, 1));
}

/// One inode with names in several directories: each of them is known to hold
/// something with attributes, whichever name was met first.
#[test]
fn every_directory_with_a_name_of_it_is_known() {
    for jobs in [1, 4] {
        let stage = stage();
        let one = stage.source.join("mixed/a");
        let [top, bare] = ["0", "bare/0"].map(|name| stage.source.join(name));
        for name in [&top, &bare] {
            fs::hard_link(&one, name).expect("linked");
        }
        stage.run(stage.snapshot().jobs(jobs));
        stage.run(stage.snapshot().jobs(jobs));
        for name in [&top, &one] {
            fs::remove_file(name).expect("removed");
        }
        xattr::remove(&bare, NAME).expect("removed");
        let report = stage.run(stage.snapshot().jobs(jobs));
        assert_eq!(report.counts.copied().number, 1, "{:#?}", report.counts);
        assert_eq!(get(&stage.newest().join("bare/0")), None);
    }
}

/// Removing an older dump changes every inode that it shares with the newest.
#[test]
fn removing_an_older_dump_costs_nothing_but_calls() {
    let stage = stage();
    let dumps = DumpRoot::open(&stage.dump).expect("opened").list();
    let oldest = dumps.expect("listed")[0].path();
    remove_deep(&stage.dump.join(oldest));
    set(&stage.newest().join("bare/b"), "blue");
    assert_eq!(dump(&stage), (3, 1));
    assert_eq!(dump(&stage), (4, 0));
}

/// A run that is stopped leaves entries that it linked before the next one's
/// note begins.
#[test]
fn what_a_stopped_run_left_is_looked_at() {
    let stage = stage();
    let newest = stage.newest();
    let dump = newest.parent().expect("a dump");
    let minute = dump.file_name().expect("a name").to_string_lossy();
    let left = dump.with_file_name(format!("{minute}_incomplete"));
    fs::create_dir_all(left.join(common::ROOT).join("bare")).expect("made");
    let name = left.join(common::ROOT).join("bare/a");
    fs::hard_link(newest.join("bare/a"), &name).expect("linked");
    set(&name, "blue");
    let report = stage.run(stage.snapshot());
    assert!(report.resumed);
    assert_eq!(report.counts.copied().number, 1, "{:#?}", report.counts);
    assert_eq!(get(&stage.newest().join("bare/a")), None);
}

/// A run that is stopped when it has noted what is bare leaves that note to the
/// next run, which removes it even when it compares no attributes.
#[test]
fn a_note_that_was_left_behind_does_not_stay() {
    const NOTE: &str = "user.dump.bare";
    let stage = stage();
    let note = |dump: &Path| xattr::get(dump, NOTE).expect("read");
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if let Event::Phase(Phase::Publishing) = event {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let stopped = stage.snapshot().observer(Arc::new(watch)).stop(stop).run();
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let left = common::leftovers(&stage.dump);
    assert!(note(&left[0]).is_some(), "{left:?}");
    let policy = LinkPolicy::new().xattrs(false);
    let report = stage.snapshot().policy(policy).run().expect("published");
    assert!(report.resumed);
    assert_eq!(note(&report.dump), None);
}

/// Anyone who moves a directory in a dump, as its source was moved, moves what is
/// known of it.
#[test]
fn a_directory_that_is_moved_in_a_dump_is_still_known() {
    let stage = stage();
    for top in [&stage.newest(), &stage.source] {
        fs::rename(top.join("mixed"), top.join("moved")).expect("renamed");
    }
    xattr::remove(stage.source.join("moved/a"), NAME).expect("removed");
    assert_eq!(dump(&stage), (3, 1));
    assert_eq!(get(&stage.newest().join("moved/a")), None);
}
