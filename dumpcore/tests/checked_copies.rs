//! What is copied of a dump is what was stored at first, or a fault with its path.
#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use common::{Stage, tick};
use dumpcore::{
    CatalogTools, Checkpoint, Count, DamageKind, RelPath, Replica, Replicated, Report, Scrub,
    Warning,
};
use fixtures::{Fingerprint, Options, diff_trees, keep_times, rot};

const ROTTEN: &str = "tree/dir/rotten";

fn text(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| seed ^ (at / 7) as u8).collect()
}

/// A dump, recorded with its hashes, of a tree with a large file that has two names.
fn dumped() -> (Stage, PathBuf) {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("dir")).expect("made");
    for (name, seed) in [("rotten", 1), ("sound", 2), ("small", 3)] {
        let length = if name == "small" { 10 } else { 3_000_000 };
        fs::write(stage.source.join("dir").join(name), text(seed, length)).expect("written");
    }
    let linked = fs::hard_link(stage.source.join("dir/rotten"), stage.source.join("twin"));
    linked.expect("linked");
    tick();
    let dump = stage.run(stage.snapshot().catalog(true).hash(true)).dump;
    tick();
    (stage, dump)
}

fn second(stage: &Stage) -> PathBuf {
    let root = stage.dump.with_file_name("slave");
    fs::create_dir_all(&root).expect("made");
    root
}

/// What makes a copy of the newest dump.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Checkpoint,
    Replica,
}

const BOTH: [How; 2] = [How::Checkpoint, How::Replica];

impl How {
    /// The dump root that is written.
    fn root(self, stage: &Stage) -> PathBuf {
        match self {
            How::Checkpoint => stage.dump.clone(),
            How::Replica => second(stage),
        }
    }

    fn run(self, stage: &Stage, heal: bool) -> Report {
        match self {
            How::Checkpoint => {
                let made = Checkpoint::new(&stage.dump).main(&stage.source).heal(heal);
                made.verify(true).run().expect("published")
            }
            How::Replica => {
                let root = second(stage);
                let init = root.join("current").symlink_metadata().is_err();
                let replica = Replica::of(&stage.dump).to(root).latest(true).init(init);
                let replica = replica.tree(&stage.source);
                match replica.heal(heal).run().expect("published") {
                    Replicated::Made(report) => *report,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// Are there no warnings, but that both dump roots are on one disk?
fn is_quiet(report: &Report) -> bool {
    let is_near = |warning: &Warning| matches!(warning, Warning::SameFilesystem { .. });
    report.is_complete() && report.warnings.iter().all(is_near)
}

/// Takes the tree away, which is a good copy of what did not change since.
fn without_the_tree(stage: &Stage) {
    fs::remove_dir_all(&stage.source).expect("removed");
}

/// The fault of a file whose copy is damaged as it is.
#[track_caller]
fn assert_named(report: &Report, dump: &Path, good: Option<&Path>) {
    let [fault] = &report.faults[..] else {
        panic!("{report:#?}");
    };
    let names = [dump.join(ROTTEN), dump.join("tree/twin")];
    assert!(names.contains(&fault.path), "{fault:?}");
    let said = fault.cause.to_string();
    assert!(said.contains("dumpctl scrub --heal"), "{said}");
    assert!(!report.is_complete() && report.missing == 1);
    let damaged = report.warnings.iter().filter_map(|warning| match warning {
        Warning::Damaged { path, good } => Some((path.clone(), good.as_deref())),
        _ => None,
    });
    let damaged: Vec<_> = damaged.collect();
    assert_eq!(damaged, [(fault.path.clone(), good)]);
}

#[test]
fn what_is_copied_is_compared_with_what_was_recorded() {
    for how in BOTH {
        let (stage, _) = dumped();
        let report = how.run(&stage, false);
        assert_eq!(report.counts.checked, Count::new(3, 6_000_010), "{how:?}");
        assert_eq!(report.counts.healed, Count::default());
        assert!(is_quiet(&report), "{report:#?}");
        let slave = second(&stage);
        assert!(!slave.join(".dump/catalog.db").exists(), "none is made");
    }
}

#[test]
fn a_damaged_file_is_named_and_its_copy_is_known_as_damaged() {
    for how in BOTH {
        let (stage, dump) = dumped();
        without_the_tree(&stage);
        rot(&dump.join(ROTTEN), 2_000_000);
        let before = Fingerprint::of(&dump);
        let report = how.run(&stage, how == How::Replica);
        assert_named(&report, &dump, None);
        assert_eq!(before.changes(&dump), Vec::<String>::new(), "{how:?}");
        // Nothing is lost: it is copied as it is.
        let lines = diff_trees(
            &dump.join("tree"),
            &report.dump.join("tree"),
            &Options::of_runner(),
        );
        assert!(lines.is_empty(), "{}", lines.join("\n"));
        assert_eq!(report.counts.checked.number, 2);
        // A scrub of the copy knows what was stored.
        let root = how.root(&stage);
        let status = dumpcore::DumpRoot::open(&root).expect("opened");
        assert!(status.path().join(".dump/catalog.db").exists());
        let copy = report.dump.join(ROTTEN).metadata().expect("there").ino();
        let scrubbed = Scrub::new(&root).run().expect("scrubbed");
        let found = scrubbed.damaged.iter().map(|damaged| {
            assert_eq!(damaged.kind, DamageKind::Contents);
            let path = &damaged.paths[0];
            assert_eq!(path.path, RelPath::from_bytes(ROTTEN.as_bytes()));
            let path = root.join(path.first.path()).join(path.path.as_path());
            fs::metadata(path).expect("there").ino()
        });
        let found: Vec<u64> = found.collect();
        assert!(found.contains(&copy), "{how:?}: {scrubbed:#?}");
        let known = if how == How::Checkpoint { 2 } else { 1 };
        assert_eq!(found.len(), known, "{how:?}: {scrubbed:#?}");
    }
}

#[test]
fn a_checkpoint_has_the_hashes_of_the_dump() {
    let (stage, _) = dumped();
    let report = How::Checkpoint.run(&stage, false);
    // Before any scrub has read it.
    rot(&report.dump.join(ROTTEN), 7);
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert_eq!(scrubbed.hashed, 0, "{scrubbed:#?}");
    let paths = scrubbed.damaged.iter().map(|damaged| &damaged.paths[0]);
    let paths: Vec<_> = paths.map(|path| path.path.to_string()).collect();
    assert_eq!(paths, [ROTTEN]);
    let differs = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(differs.expect("checked"), Vec::new());
}

#[test]
fn a_replica_has_them_where_it_has_a_catalog() {
    let (stage, _) = dumped();
    How::Replica.run(&stage, false);
    let slave = second(&stage);
    CatalogTools::new(&slave).rebuild().expect("made");
    fs::write(stage.source.join("new"), text(9, 5_000)).expect("written");
    tick();
    stage.run(stage.snapshot().catalog(true));
    let report = How::Replica.run(&stage, false);
    assert_eq!(report.counts.checked, Count::new(1, 5_000));
    let scrubbed = Scrub::new(&slave).run().expect("scrubbed");
    assert!(scrubbed.is_sound() && scrubbed.hashed == 3, "{scrubbed:#?}");
}

#[test]
fn a_good_copy_is_stored_instead() {
    for how in BOTH {
        for heal in [false, true] {
            let (stage, dump) = dumped();
            rot(&dump.join(ROTTEN), 2_000_000);
            rot(&dump.join("tree/dir/small"), 3);
            // Not every copy is a good one.
            fs::write(stage.source.join("dir/small"), b"0123456789").expect("written");
            let before = Fingerprint::of(&dump);
            let report = how.run(&stage, heal);
            assert_eq!(before.changes(&dump), Vec::<String>::new());
            let good = stage.source.join("dir/rotten");
            let copy = fs::read(report.dump.join(ROTTEN)).expect("read");
            let twin = report.dump.join("tree/twin").metadata().expect("there");
            let one = report.dump.join(ROTTEN).metadata().expect("there");
            assert_eq!(one.ino(), twin.ino());
            let was = dump.join(ROTTEN).metadata().expect("there");
            assert_eq!(
                (one.mtime_nsec(), one.mode()),
                (was.mtime_nsec(), was.mode())
            );
            let small = report.faults.iter().filter(|f| f.path.ends_with("small"));
            assert_eq!(small.count(), 1, "{report:#?}");
            if !heal {
                assert_eq!(report.faults.len(), 2);
                assert_ne!(copy, text(1, 3_000_000));
                continue;
            }
            assert_eq!(report.faults.len(), 1);
            assert_eq!(copy, text(1, 3_000_000), "{how:?}");
            assert_eq!(report.counts.healed, Count::new(1, 3_000_000));
            let healed = report.warnings.iter().filter_map(|warning| match warning {
                Warning::Healed { good, .. } => Some(good.clone()),
                _ => None,
            });
            let healed: Vec<_> = healed.collect();
            let names = [good, stage.source.join("twin")];
            assert!(
                healed.len() == 1 && names.contains(&healed[0]),
                "{report:#?}"
            );
        }
    }
}

#[test]
fn an_older_checkpoint_is_a_good_copy() {
    let (stage, _) = dumped();
    let first = How::Checkpoint.run(&stage, false);
    without_the_tree(&stage);
    rot(&first.dump.join(ROTTEN), 0);
    tick();
    let second = How::Checkpoint.run(&stage, true);
    assert!(second.is_complete(), "{second:#?}");
    assert_eq!(second.counts.healed.number, 1);
    assert_eq!(
        fs::read(second.dump.join(ROTTEN)).expect("read"),
        text(1, 3_000_000)
    );
}

#[test]
fn a_wrong_hash_is_the_catalogs_fault() {
    for how in BOTH {
        let (stage, _) = dumped();
        let path = stage.dump.join(".dump/catalog.db");
        let db = rusqlite::Connection::open(path).expect("opened");
        // Each row but for its last byte, which its checksum covers.
        let sql =
            "UPDATE inode SET hash=CAST(substr(hash,1,35)||iif(substr(hash,36)=x'00',x'01',x'00')
                   AS BLOB) WHERE hash IS NOT NULL";
        assert!(db.execute(sql, []).expect("written") > 1);
        drop(db);
        let report = how.run(&stage, true);
        assert!(is_quiet(&report), "{report:#?}");
        assert_eq!(report.counts.checked, Count::default());
    }
}

/// Nobody changes a published file: one that was cut off, or written to, is not what
/// was stored.
#[test]
fn another_size_or_time_is_the_same_fault() {
    let cut: fn(&File) = |file| file.set_len(1_000_000).expect("cut");
    let grown: fn(&File) = |file| file.set_len(3_000_001).expect("grown");
    let touched: fn(&File) = |file| file.set_modified(SystemTime::UNIX_EPOCH).expect("set");
    // Does it keep its time, is its hash recorded, and is the copy known as damaged?
    let cases = [
        (cut, true, true, true),
        (cut, false, true, true),
        (grown, true, true, true),
        (grown, true, false, false),
        (touched, false, true, false),
    ];
    for (how, (spoil, keeps_time, hashed, known)) in BOTH
        .into_iter()
        .flat_map(|how| cases.map(|case| (how, case)))
    {
        let (stage, dump) = dumped();
        if !hashed {
            let db = rusqlite::Connection::open(stage.dump.join(".dump/catalog.db"));
            let forgot = db
                .expect("opened")
                .execute("UPDATE inode SET hash=NULL", []);
            assert!(forgot.expect("written") > 1);
        }
        let file = File::options().write(true).open(dump.join(ROTTEN));
        let file = file.expect("opened");
        let had = file.metadata().expect("there");
        spoil(&file);
        if keeps_time {
            keep_times(&file, &had);
        }
        let before = Fingerprint::of(&dump);
        let report = how.run(&stage, how == How::Replica);
        let [Warning::Damaged { good, .. }] = &damages(&report)[..] else {
            panic!("{report:#?}");
        };
        let names = ["dir/rotten", "twin"].map(|name| stage.source.join(name));
        let is_good = |good: &PathBuf| names.contains(good);
        assert_eq!(good.as_ref().is_some_and(is_good), known, "{good:?}");
        assert_named(&report, &dump, good.as_deref());
        assert_eq!(before.changes(&dump), Vec::<String>::new(), "{how:?}");
        let trees = [&dump, &report.dump].map(|dump| dump.join("tree"));
        let lines = diff_trees(&trees[0], &trees[1], &Options::of_runner());
        assert!(lines.is_empty(), "{}", lines.join("\n"));
        assert_known(&stage, how, &report, known);
    }
}

fn damages(report: &Report) -> Vec<Warning> {
    let all = report.warnings.iter();
    let damages = all.filter(|warning| matches!(warning, Warning::Damaged { .. }));
    damages.cloned().collect()
}

/// A scrub of the copy knows what was stored, if that was recorded and is not what it
/// has; of the dump it is known to be damaged.
#[track_caller]
fn assert_known(stage: &Stage, how: How, report: &Report, is_known: bool) {
    let root = how.root(stage);
    let copy = report.dump.join(ROTTEN).metadata().expect("there").ino();
    if !root.join(".dump/catalog.db").exists() {
        assert!(!is_known);
        return;
    }
    let scrubbed = Scrub::new(&root).run().expect("scrubbed");
    let inos = scrubbed.damaged.iter().map(|damaged| {
        let path = &damaged.paths[0];
        let path = root.join(path.first.path()).join(path.path.as_path());
        fs::metadata(path).expect("there").ino()
    });
    let inos: Vec<u64> = inos.collect();
    assert_eq!(inos.contains(&copy), is_known, "{scrubbed:#?}");
    let of_dump = usize::from(how == How::Checkpoint);
    assert_eq!(inos.len(), of_dump + usize::from(is_known), "{scrubbed:#?}");
}

#[test]
fn what_a_stopped_run_has_copied_is_compared_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Stops(Arc<AtomicBool>);
    impl dumpcore::Observer for Stops {
        fn event(&self, event: dumpcore::Event<'_>) {
            if let dumpcore::Event::Phase(dumpcore::Phase::Syncing) = event {
                self.0.store(true, Ordering::Relaxed);
            }
        }
    }
    let (stage, dump) = dumped();
    without_the_tree(&stage);
    rot(&dump.join(ROTTEN), 2_000_000);
    // What has another size is copied again as well.
    let small = File::options()
        .write(true)
        .open(dump.join("tree/dir/small"));
    small.expect("opened").set_len(5).expect("cut");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Checkpoint::new(&stage.dump)
        .observer(Arc::new(Stops(Arc::clone(&stop))))
        .stop(stop)
        .run();
    stopped.expect_err("it was stopped");
    let report = How::Checkpoint.run(&stage, false);
    assert!(
        report.resumed && report.counts.kept.number > 0,
        "{report:#?}"
    );
    let faults = report.faults.iter().map(|fault| fault.path.clone());
    let faults: BTreeSet<_> = faults.collect();
    assert_eq!((report.missing, faults.len()), (2, 2), "{report:#?}");
    assert!(faults.contains(&dump.join("tree/dir/small")), "{faults:?}");
    assert_eq!(damages(&report).len(), 2);
    assert_eq!(report.counts.checked.number, 1);
}
