//! A published dump as the source: other dumps link to its files and are
//! removed while it is read, and that changes nothing that counts.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{ROOT, Stage};
use dumpcore::{
    Checkpoint, Error, Event, Observer, Phase, Replica, Replicated, Report, Silent, Warning,
};
use fixtures::tree::{Node, Tree};

/// A published dump with a file that takes several reads, which an older dump
/// shares.
fn shared() -> Stage {
    let stage = Stage::new();
    Tree::new()
        .with("large", Node::file(vec![7; 2 << 20]).mtime(1_000, 123))
        .with("dir/small", Node::file(*b"small").mtime(2_000, 456))
        .dated()
        .write(&stage.source);
    stage.run(stage.snapshot());
    stage.run(stage.snapshot());
    stage
}

/// Links a file of the newest dump and removes that link, again and again,
/// as dumps that are made and removed do.
fn touching(stage: &Stage) -> impl Fn(Event<'_>) + Send + Sync + use<> {
    let (file, link) = (stage.newest().join("large"), stage.dump.join("link"));
    let seen = AtomicUsize::new(0);
    move |event| {
        if matches!(event, Event::Copied(_)) {
            match seen.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => fs::hard_link(&file, &link).expect("linked"),
                _ => fs::remove_file(&link).expect("removed"),
            }
            assert!(seen.load(Ordering::Relaxed) < 1_000, "read again and again");
        }
    }
}

/// The copy has the times of what it was copied from, to the nanosecond.
#[track_caller]
fn assert_exact(report: &Report, source: &Path) {
    let unstable = |warning: &Warning| matches!(warning, Warning::Unstable { .. });
    assert!(!report.warnings.iter().any(unstable), "{report:?}");
    for name in ["large", "dir/small"] {
        let time = |path: PathBuf| {
            let meta = fs::metadata(path).expect("looked at");
            (meta.mtime(), meta.mtime_nsec())
        };
        let copy = report.dump.join(ROOT).join(name);
        assert_eq!(time(copy), time(source.join(name)), "{name}");
    }
}

#[test]
fn a_replica_is_exact_while_other_dumps_link_to_the_source() {
    let stage = shared();
    let slave = assert_fs::TempDir::new().expect("a directory");
    let watch = touching(&stage);
    let replica = Replica::of(&stage.dump).to(slave.path()).init(true);
    let replica = replica.latest(true).jobs(1).observer(Arc::new(watch));
    match replica.run() {
        Ok(Replicated::Made(report)) => assert_exact(&report, &stage.source),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_checkpoint_is_verified_while_other_dumps_link_to_the_source() {
    let stage = shared();
    let watch = touching(&stage);
    let checkpoint = Checkpoint::new(&stage.dump).verify(true).jobs(1);
    let report = checkpoint
        .observer(Arc::new(watch))
        .run()
        .expect("published");
    assert_exact(&report, &stage.source);
    assert_eq!(report.verified.expect("verified").number, 2);
}

/// What becomes of a dump on its way, by a replica and by a checkpoint.
fn both(stage: &Stage, watch: &Arc<dyn Observer>, dry_run: bool) -> [Result<(), Error>; 2] {
    let slave = assert_fs::TempDir::new().expect("a directory");
    let replica = Replica::of(&stage.dump).to(slave.path()).init(true);
    let replica = replica
        .latest(true)
        .observer(Arc::clone(watch))
        .dry_run(dry_run);
    let replica = replica.run().map(|_| ());
    let nothing = fs::read_link(slave.path().join("current")).is_err();
    assert_eq!(nothing, replica.is_err() || dry_run);
    let before = fs::read_link(stage.dump.join("current")).expect("a link");
    let checkpoint = Checkpoint::new(&stage.dump).observer(Arc::clone(watch));
    let checkpoint = checkpoint.dry_run(dry_run).run().map(|_| ());
    let after = fs::read_link(stage.dump.join("current")).expect("a link");
    assert_eq!(before == after, checkpoint.is_err() || dry_run);
    [replica, checkpoint]
}

/// A tree in which much is below one directory.
fn deep() -> Stage {
    let stage = Stage::new();
    for name in ["a/one", "a/b/two", "a/b/c/three", "four"] {
        let path = stage.source.join(name);
        fs::create_dir_all(path.parent().expect("above")).expect("made");
        fs::write(path, name).expect("written");
    }
    stage.run(stage.snapshot());
    stage
}

#[test]
fn a_dump_of_which_somebody_removed_a_part_is_not_copied() {
    for part in ["four", "a/b/c/three", "a", ""] {
        for dry_run in [false, true] {
            let (stage, silent): (_, Arc<dyn Observer>) = (deep(), Arc::new(Silent));
            assert!(both(&deep(), &silent, dry_run).iter().all(Result::is_ok));
            let part = stage.newest().join(part);
            match part.is_dir() {
                true => fs::remove_dir_all(&part).expect("removed"),
                false => fs::remove_file(&part).expect("removed"),
            }
            for outcome in both(&stage, &silent, dry_run) {
                let error = outcome.expect_err("no dump any more");
                assert!(matches!(error, Error::HalfDump { .. }), "{part:?}: {error}");
            }
        }
    }
}

#[test]
fn what_goes_as_a_whole_before_the_one_above_is_listed_is_missed() {
    for part in ["four", "a/b/c", "a"] {
        for dry_run in [false, true] {
            let stage = deep();
            let (part, away) = (stage.newest().join(part), stage.dump.join("away"));
            // Moved away, it is there again for the second of the two.
            let moved = part.clone();
            let watch: Arc<dyn Observer> = Arc::new(move |event: Event<'_>| match event {
                Event::Phase(Phase::Preparing) if away.exists() => {
                    fs::rename(&away, &moved).expect("moved");
                }
                Event::Phase(Phase::Storing) => fs::rename(&moved, &away).expect("moved"),
                _ => {}
            });
            for outcome in both(&stage, &watch, dry_run) {
                let error = outcome.expect_err("no dump any more");
                let gone = matches!(error, Error::SourceGone { .. });
                assert!(gone, "{}: {error}", part.display());
            }
        }
    }
}

/// What somebody removed of a dump looks deleted: its history says why.
#[test]
fn half_a_dump_is_told_of_by_the_history_of_what_is_missing_there() {
    let stage = Stage::new();
    for name in ["gone", "stays"] {
        fs::write(stage.source.join(name), name).expect("written");
    }
    stage.run(stage.snapshot());
    stage.run(stage.snapshot());
    let newest = stage.newest();
    let history = || {
        let navigator = dumpcore::Navigator::new(&stage.dump).main(&stage.source);
        let located = navigator.locate(stage.source.join("gone"));
        navigator.history(&located.expect("a place")).run()
    };
    assert!(history().faults.is_empty());
    fs::remove_file(newest.join("gone")).expect("removed");
    let faults = history().faults;
    let faults: Vec<String> = faults.iter().map(|fault| fault.cause.to_string()).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("only 2 of the 3 entries"), "{faults:?}");
}
