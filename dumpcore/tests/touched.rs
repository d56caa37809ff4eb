//! Changes that leave size and time of modification as they were: seen by the
//! time of change, as far as the dump before tells when it was read.

mod common;

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use common::{Stage, dump_apart as dump, tick};
use dumpcore::{Action, Checkpoint, Error, Event, LinkPolicy, Report, Snapshot, Warning};
use fixtures::mounts::{Fs, Mount};

const MARK: &str = "user.dump.read";

fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// Writes a file with a time that is always the same.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    let file = File::options().write(true).open(path).expect("opened");
    file.set_modified(then()).expect("set");
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("read")
}

/// A tree of which all files have one time, and a dump of it.
fn stage() -> Stage {
    filled(Stage::new())
}

fn filled(stage: Stage) -> Stage {
    for (dir, text) in [("left", "AAAA"), ("right", "BBBB"), ("other", "CCCC")] {
        let dir = stage.source.join(dir);
        fs::create_dir(&dir).expect("made");
        for name in ["one", "two"] {
            write(&dir.join(name), text);
        }
    }
    dump(&stage);
    stage
}

fn unknown(report: &Report) -> usize {
    let is = |w: &&Warning| matches!(w, Warning::ReadingUnknown { .. });
    report.warnings.iter().filter(is).count()
}

fn in_vain(report: &Report) -> bool {
    let is = |w: &Warning| matches!(w, Warning::ComparedInVain { .. });
    report.warnings.iter().any(is)
}

/// A run without the catalog: the marks of the dump before say what was touched.
fn by_marks(stage: &Stage) -> Snapshot {
    stage.snapshot().catalog(false)
}

#[test]
fn an_unchanged_tree_is_not_compared() {
    let stage = stage();
    for _ in 0..2 {
        let report = dump(&stage);
        assert_eq!(report.counts.compared.number, 0, "{:?}", report.counts);
        assert_eq!(report.counts.linked.number, 6);
        assert_eq!(unknown(&report), 0);
    }
}

#[test]
fn contents_that_were_written_over_are_seen() {
    let stage = stage();
    write(&stage.source.join("left/one"), "DDDD");
    let report = dump(&stage);
    assert_eq!(read(stage.newest().join("left/one")), "DDDD");
    let counts = &report.counts;
    assert_eq!(
        (counts.compared.number, counts.compared_same.number),
        (1, 0)
    );
    assert_eq!((counts.copied_changed.number, counts.linked.number), (1, 5));
    // Once it is stored it is as any other.
    assert_eq!(dump(&stage).counts.compared.number, 0);
}

#[test]
fn files_that_changed_places_are_seen() {
    let stage = stage();
    let at = |name: &str| stage.source.join(name);
    for (from, to) in [
        ("left/one", "x"),
        ("right/one", "left/one"),
        ("x", "right/one"),
    ] {
        fs::rename(at(from), at(to)).expect("renamed");
    }
    dump(&stage);
    stage.assert_same();
    assert_eq!(read(stage.newest().join("left/one")), "BBBB");
}

/// Of their files nothing moves, not even the time of change.
#[test]
fn directories_that_changed_places_are_seen() {
    let stage = stage();
    let at = |name: &str| stage.source.join(name);
    for (from, to) in [("left", "x"), ("right", "left"), ("x", "right")] {
        fs::rename(at(from), at(to)).expect("renamed");
    }
    let report = dump(&stage);
    stage.assert_same();
    assert_eq!(read(stage.newest().join("left/two")), "BBBB");
    assert_eq!(report.counts.compared.number, 4, "{:?}", report.counts);
}

#[test]
fn another_tree_in_the_place_of_the_tree_is_seen() {
    let stage = stage();
    let other = stage.source.with_file_name("prepared");
    for dir in ["left", "right", "other"] {
        fs::create_dir_all(other.join(dir)).expect("made");
        for name in ["one", "two"] {
            write(&other.join(dir).join(name), "OOOO");
        }
    }
    dump(&stage);
    fs::rename(&stage.source, stage.source.with_file_name("old")).expect("renamed");
    fs::rename(&other, &stage.source).expect("renamed");
    dump(&stage);
    assert_eq!(read(stage.newest().join("right/two")), "OOOO");
}

#[test]
fn what_is_linked_elsewhere_is_compared_and_linked() {
    let stage = stage();
    let elsewhere = stage.source.with_file_name("elsewhere");
    fs::hard_link(stage.source.join("left/one"), &elsewhere).expect("linked");
    let report = dump(&stage);
    let counts = &report.counts;
    assert_eq!((counts.compared_same.number, counts.linked.number), (1, 6));
    assert_eq!(counts.compared_same.bytes, 4);
    // So little is not worth a word.
    assert!(!in_vain(&report), "{:?}", report.warnings);
    let large = stage.source.join("left/large");
    File::create(&large)
        .and_then(|file| file.set_len(17 << 20))
        .expect("made");
    dump(&stage);
    fs::remove_file(&elsewhere).expect("removed");
    fs::hard_link(&large, &elsewhere).expect("linked");
    let report = dump(&stage);
    assert!(in_vain(&report), "{:?}", report.warnings);
    fs::remove_file(&elsewhere).expect("removed");
    tick();
    let ignoring = by_marks(&stage).policy(LinkPolicy::new().ctime(false));
    let report = stage.run(ignoring);
    assert_eq!(report.counts.compared.number, 0);
    assert!(!in_vain(&report));
}

#[test]
fn who_ignores_it_goes_by_size_and_time() {
    let stage = stage();
    write(&stage.source.join("left/one"), "DDDD");
    tick();
    let ignoring = by_marks(&stage).policy(LinkPolicy::new().ctime(false));
    ignoring.run().expect("published");
    assert_eq!(read(stage.newest().join("left/one")), "AAAA");
}

#[test]
fn a_dry_run_finds_the_same() {
    let stage = stage();
    write(&stage.source.join("left/one"), "DDDD");
    tick();
    let dry = by_marks(&stage).dry_run(true).run().expect("dry");
    assert_eq!(
        (dry.counts.copied_changed.number, dry.counts.linked.number),
        (1, 5)
    );
}

/// The data of what only has other attributes is shared where the filesystem
/// can: not when it is other data.
fn both_changed(fs: Fs) {
    let mount = Mount::new(fs, 300);
    let stage = filled(Stage::within(&mount.path().join("stage")));
    for name in ["left/one", "left/two"] {
        fs::set_permissions(stage.source.join(name), fs::Permissions::from_mode(0o600))
            .expect("set");
    }
    write(&stage.source.join("left/one"), "DDDD");
    let report = dump(&stage);
    assert_eq!(read(stage.newest().join("left/one")), "DDDD");
    assert_eq!(
        report.counts.copied_attributes.number, 2,
        "{:?}",
        report.counts
    );
}

#[test]
#[ignore = "needs root, btrfs and xfs"]
fn other_data_behind_other_attributes_is_not_shared() {
    for fs in [Fs::Btrfs, Fs::Xfs, Fs::Ext4] {
        both_changed(fs);
    }
}

/// The checkpoint says nothing of what was changed before it was made.
#[test]
fn a_checkpoint_inherits_when_its_tree_was_read() {
    let stage = stage();
    let mark = xattr::get(stage.newest().parent().expect("a dump"), MARK);
    write(&stage.source.join("left/one"), "DDDD");
    tick();
    let made = Checkpoint::new(&stage.dump).run().expect("made");
    assert_eq!(
        xattr::get(&made.dump, MARK).expect("read"),
        mark.expect("read")
    );
    tick();
    // Two runs in one minute have names of their own.
    by_marks(&stage).run().expect("published");
    assert_eq!(read(stage.newest().join("left/one")), "DDDD");
}

#[test]
fn what_was_imported_says_nothing_and_that_is_told() {
    let stage = Stage::new();
    write(&stage.source.join("file"), "AAAA");
    tick();
    let at = "2020-01-01T00:00".parse().expect("a minute");
    by_marks(&stage).at(at).run().expect("imported");
    tick();
    write(&stage.source.join("file"), "BBBB");
    tick();
    let report = by_marks(&stage).run().expect("published");
    assert_eq!(unknown(&report), 1, "{:?}", report.warnings);
    assert_eq!(read(stage.newest().join("file")), "AAAA");
    tick();
    write(&stage.source.join("file"), "CCCC");
    let report = dump(&stage);
    assert_eq!(unknown(&report), 0);
    assert_eq!(read(stage.newest().join("file")), "CCCC");
}

/// Rewrites a word of the mark that the newest dump has.
fn forge(stage: &Stage, word: usize, value: impl Fn(&str) -> String) {
    let newest = stage.newest();
    let dump = newest.parent().expect("a dump");
    let mark = xattr::get(dump, MARK).expect("read").expect("a mark");
    let mark = String::from_utf8(mark).expect("text");
    let (head, line) = mark.split_once('\n').expect("two lines");
    let mut words: Vec<String> = line.trim().split(' ').map(ToOwned::to_owned).collect();
    words[word] = value(&words[word]);
    let forged = format!("{head}\n{}\n", words.join(" "));
    xattr::set(dump, MARK, forged.as_bytes()).expect("set");
}

/// As a clock that was set back by two hours since: everything is compared.
#[test]
fn a_clock_that_went_back_voids_the_mark() {
    const AHEAD: usize = 2;
    let stage = stage();
    forge(&stage, AHEAD, |ahead| {
        (ahead.parse::<i128>().expect("a number") + 7_200_000_000_000).to_string()
    });
    let report = dump(&stage);
    assert_eq!(report.counts.compared_same.number, 6, "{:?}", report.counts);
    assert_eq!(dump(&stage).counts.compared.number, 0);
}

/// As a dump that was made when the clock was far ahead.
#[test]
fn a_mark_in_the_future_is_voided() {
    const BEGAN: usize = 1;
    let stage = stage();
    forge(&stage, BEGAN, |began| {
        (began.parse::<i128>().expect("a number") + 3_600_000_000_000).to_string()
    });
    assert_eq!(dump(&stage).counts.compared_same.number, 6);
}

/// Two sets take turns: each tree goes by its own last dump.
#[test]
fn trees_that_take_turns_have_marks_of_their_own() {
    let stage = stage();
    let other = stage.source.with_file_name("photos");
    fs::create_dir(&other).expect("made");
    write(&other.join("photo"), "PPPP");
    let turn = || {
        Snapshot::new(&stage.dump)
            .main(&other)
            .run()
            .expect("published")
    };
    turn();
    tick();
    write(&stage.source.join("left/one"), "DDDD");
    write(&other.join("photo"), "QQQQ");
    tick();
    turn();
    by_marks(&stage).run().expect("published");
    assert_eq!(read(stage.newest().join("left/one")), "DDDD");
    turn();
    let newest = stage.newest();
    let newest = newest.parent().expect("a dump").join("photos/photo");
    assert_eq!(read(newest), "QQQQ");
}

/// Stops the run when this many files are stored, the last 50 of them a tick later.
fn stopped_after(stage: &Stage, files: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let stored = std::sync::atomic::AtomicUsize::new(0);
    let watch = move |event: Event<'_>| {
        if let Event::Entry {
            did: Action::Copied(_),
            ..
        } = event
        {
            match stored.fetch_add(1, Ordering::Relaxed) + 1 {
                at if at >= files => flag.store(true, Ordering::Relaxed),
                at if at == files - 50 => tick(),
                _ => {}
            }
        }
    };
    let run = by_marks(stage).jobs(1).observer(Arc::new(watch)).stop(stop);
    let stopped = run.run().expect_err("stopped");
    assert!(matches!(stopped, Error::Interrupted), "{stopped}");
}

/// What a run stored that stopped may be older than the next run's beginning.
#[test]
fn what_a_stopped_run_stored_is_looked_at_again() {
    for forget in [false, true] {
        let stage = Stage::new();
        let many = stage.source.join("many");
        fs::create_dir(&many).expect("made");
        for number in 0..200 {
            write(&many.join(number.to_string()), "AAAA");
        }
        tick();
        stopped_after(&stage, 150);
        let left = common::leftovers(&stage.dump).pop().expect("a leftover");
        if forget {
            xattr::remove(&left, MARK).expect("removed");
        }
        tick();
        for number in 0..200 {
            let mut file = File::options()
                .write(true)
                .open(many.join(number.to_string()))
                .expect("opened");
            file.seek(std::io::SeekFrom::Start(0)).expect("there");
            file.write_all(b"BBBB").expect("written");
            file.set_modified(then()).expect("set");
        }
        let report = dump(&stage);
        assert!(report.resumed);
        for number in 0..200 {
            assert_eq!(
                read(stage.newest().join("many").join(number.to_string())),
                "BBBB"
            );
        }
        // And the one that is published has the mark of the run that made it.
        write(&many.join("7"), "CCCC");
        dump(&stage);
        assert_eq!(read(stage.newest().join("many/7")), "CCCC");
    }
}

/// What is not touched is kept without being compared.
#[test]
fn what_a_stopped_run_stored_is_kept_untouched() {
    let stage = Stage::new();
    let many = stage.source.join("many");
    fs::create_dir(&many).expect("made");
    for number in 0..200 {
        write(&many.join(number.to_string()), "AAAA");
    }
    tick();
    stopped_after(&stage, 150);
    let report = dump(&stage);
    assert!(report.counts.kept.number >= 100, "{:?}", report.counts);
    // Only what may not have reached the disk, as the last that was stored: at most what
    // was stored within one tick of the clock.
    assert!(report.counts.compared.number <= 50, "{:?}", report.counts);
}
