//! Sequences of changes and dumps, interrupted ones among them, against a
//! plain comparison with the source and a memory of all that was published.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::{History, Stage, each, inodes, leftovers};
use dumpcore::{CatalogTools, Error, Event, Scrub, Snapshot};
use fixtures::is_root;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::{Time, Tree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What comes before a dump.
#[derive(Clone, Debug)]
struct Round {
    changes: Vec<Change>,
    jobs: usize,
    /// With the catalog?
    catalog: bool,
    /// Is there time to enter the dumps that it does not know?
    in_time: bool,
    stopped: Option<Stopped>,
}

/// A run that is stopped, and what happens until the next.
#[derive(Clone, Debug)]
struct Stopped {
    /// How many entries are dealt with before.
    after: usize,
    /// The machine was started again, and what was copied has not reached
    /// the disk: zeros are where bytes should be.
    power_lost: bool,
    changes: Vec<Change>,
}

fn rounds(as_root: bool) -> impl Strategy<Value = Vec<Round>> {
    let stopped = (0..25_usize, any::<bool>(), changes(as_root, 5));
    let stopped = stopped.prop_map(|(after, power_lost, changes)| Stopped {
        after,
        power_lost,
        changes,
    });
    let round = (
        changes(as_root, 5),
        select(&[1, 2, 8][..]),
        proptest::bool::weighted(0.8),
        proptest::bool::weighted(0.7),
        proptest::option::weighted(0.4, stopped),
    );
    let round = round.prop_map(|(changes, jobs, catalog, in_time, stopped)| Round {
        changes,
        jobs,
        catalog,
        in_time,
        stopped,
    });
    vec(round, 3..=6)
}

/// Each change gets a moment of its own: two files of one size that have the
/// same time are the same to everybody who goes by time and size.
fn apply(stage: &Stage, changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| {
        fixtures::clock::later();
        change.apply(&stage.source)
    };
    changes.iter().map(one).collect()
}

fn write(stage: &Stage, model: &Tree) {
    let mut dated = Tree::new();
    for (i, (path, node)) in (1..).zip(model.nodes()) {
        let mut node = node.clone();
        node.meta.mtime.get_or_insert(Time::new(1_600_000_000, i));
        dated.add(path, node);
    }
    dated.write(&stage.source);
}

/// Inode and time of change of all that is not a directory in the source.
type State = BTreeMap<Vec<u8>, (u64, i64, u64)>;

fn source_state(stage: &Stage) -> State {
    let mut all = BTreeMap::new();
    each(&stage.source, |path, stat| {
        if stat.st_mode & 0o170_000 != 0o040_000 {
            let state = (stat.st_ino, stat.st_ctime, stat.st_ctime_nsec);
            all.insert(path.to_vec(), state);
        }
    });
    all
}

/// The names that were there before under the same inode, as it was then:
/// with all other names of that inode, for an inode that has a new name may
/// be met under that one, of which the last dump knows nothing.
fn untouched<'a>(before: &State, now: &'a State) -> impl Iterator<Item = &'a [u8]> {
    let same = |path: &[u8]| before.get(path) == now.get(path);
    let moved = now.iter().filter(|(path, _)| !same(path));
    let moved: BTreeSet<u64> = moved.map(|(_, (ino, ..))| *ino).collect();
    let stayed = now
        .iter()
        .filter(move |(_, (ino, ..))| !moved.contains(ino));
    stayed.map(|(path, _)| path.as_slice())
}

fn is_empty(stage: &Stage) -> bool {
    fs::read_dir(&stage.source).expect("listed").count() == 0
}

/// A run to which a time of change proves something as soon as it is older than
/// a tick: else the catalog would be of no use to a tree that was just made.
fn snapshot(stage: &Stage) -> Snapshot {
    fixtures::clock::later();
    let snapshot = stage.snapshot().catalog(true).settle(Duration::ZERO);
    snapshot.allow_empty(is_empty(stage))
}

/// Runs until this many entries were dealt with. Whether it was stopped.
fn stopped_run(stage: &Stage, jobs: usize, after: usize) -> bool {
    let (seen, stop) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(after == 0)));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) && seen.fetch_add(1, Ordering::Relaxed) + 1 >= after
        {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let history = History::of(&stage.dump);
    let current = fs::read_link(stage.dump.join("current"));
    let snapshot = snapshot(stage).jobs(jobs);
    let snapshot = snapshot.observer(Arc::new(watch)).stop(stop);
    match snapshot.run() {
        Ok(report) => {
            stage.assert_published(&report);
            false
        }
        Err(Error::Interrupted) => {
            history.assert_unchanged(&stage.dump);
            let now = fs::read_link(stage.dump.join("current"));
            assert_eq!(current.ok(), now.ok());
            assert_eq!(leftovers(&stage.dump).len(), 1);
            true
        }
        Err(error) => panic!("{error}"),
    }
}

/// What a power loss leaves of files that were never flushed.
fn lose_power(stage: &Stage) {
    for site in leftovers(&stage.dump) {
        // One that was stopped before anything was flushed has none.
        if xattr::get(&site, "user.dump.flushed")
            .expect("attributes")
            .is_some()
        {
            xattr::remove(&site, "user.dump.flushed").expect("the mark is gone");
        }
        let mut files = Vec::new();
        each(&site, |path, stat| {
            let file = stat.st_mode & 0o170_000 == 0o100_000;
            if file && stat.st_nlink == 1 && stat.st_size > 0 && path.len() < 3000 {
                use std::os::unix::ffi::OsStrExt as _;
                files.push(site.join(std::ffi::OsStr::from_bytes(path)));
            }
        });
        for path in files {
            let meta = path.metadata().expect("stat");
            let Ok(file) = File::options().write(true).open(&path) else {
                continue;
            };
            file.set_len(0).expect("cut");
            file.set_len(meta.size()).expect("all zeros");
            let times = FileTimes::new().set_modified(meta.modified().expect("mtime"));
            file.set_times(times).expect("dated");
        }
    }
}

fn check(model: &Tree, rounds: &[Round]) {
    let stage = Stage::new();
    write(&stage, model);
    let mut log = Vec::new();
    let mut before = BTreeMap::new();
    for round in rounds {
        log.push(apply(&stage, &round.changes));
        let mut previous = fs::exists(stage.dump.join("current"))
            .expect("looked")
            .then(|| inodes(&stage.newest()));
        if let Some(stopped) = &round.stopped {
            let state = source_state(&stage);
            if stopped_run(&stage, round.jobs, stopped.after) {
                if stopped.power_lost {
                    lose_power(&stage);
                }
            } else {
                before = state;
                previous = Some(inodes(&stage.newest()));
            }
            log.push(apply(&stage, &stopped.changes));
        }
        let state = source_state(&stage);
        let time = Duration::from_secs(if round.in_time { 60 } else { 0 });
        let run = snapshot(&stage).jobs(round.jobs).catch_up(time);
        stage.run(run.catalog(round.catalog));
        if round.catalog && round.in_time {
            assert_catalog(&stage, false, &log);
        }
        let now = inodes(&stage.newest());
        if let Some(previous) = &previous {
            for path in untouched(&before, &state) {
                let (old, new) = (previous.get(path), now.get(path));
                let path = fixtures::show(path);
                assert_eq!(old, new, "{path} was not linked; {log:#?}");
            }
        }
        before = state;
    }
    // Once more with nothing changed: all is linked.
    let old = inodes(&stage.newest());
    let report = stage.run(snapshot(&stage));
    assert_eq!(inodes(&stage.newest()), old);
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
    let counts = &report.counts;
    let linked = counts.linked.number + counts.hard_links;
    assert_eq!(linked, old.len() as u64, "{counts:?}");
    assert_catalog(&stage, true, &log);
    assert_nothing_damaged(&stage, &log);
}

/// A scrub invents nothing, neither what was recorded when it was stored nor what the
/// scrub before has taken.
fn assert_nothing_damaged(stage: &Stage, log: &[Vec<String>]) {
    for _ in ["what was stored", "what was taken"] {
        if !cfg!(feature = "catalog") {
            return;
        }
        let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
        assert_eq!(scrubbed.damaged, [], "{log:#?}");
    }
}

/// The catalog says what is on disk: of the newest dump, or of all.
fn assert_catalog(stage: &Stage, all: bool, log: &[Vec<String>]) {
    if cfg!(feature = "catalog") {
        let tools = CatalogTools::new(&stage.dump).all(all);
        let differences = tools.check().expect("compared");
        assert_eq!(differences, [], "{log:#?}");
    }
}

/// This many cases, or as many as `PROPTEST_CASES` says.
fn cases(usual: u32) -> ProptestConfig {
    let given = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: if given { config.cases } else { usual },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..config
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_dump_equals_its_source_and_history_stands(
        model in tree(false),
        rounds in rounds(false),
    ) {
        check(&model, &rounds);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    #[ignore = "needs root: other owners, devices, trusted attributes"]
    fn the_same_of_all_that_root_can_make(
        model in tree(true),
        rounds in rounds(true),
    ) {
        assert!(is_root());
        check(&model, &rounds);
    }
}

/// Renaming a directory changes no inode below it: what was parted in the
/// source must be parted in the dump, though the reference has it as one.
#[test]
fn a_renamed_directory_does_not_join_what_was_parted() {
    let stage = Stage::new();
    let at = |path: &str| stage.source.join(path);
    let node = || fixtures::tree::Node::file(*b"same").mtime(1_000, 7);
    let model = Tree::new()
        .with("one/f", node())
        .with("two/f", fixtures::tree::Node::hard_link(*b"one/f"))
        .with("three/f", node());
    model.write(&stage.source);
    // What changed long before a dump began is not what it begins with.
    std::thread::sleep(Duration::from_secs(6));
    let later = "2038-01-01T00:00".parse().expect("a minute");
    stage.run(stage.snapshot().jobs(1).at(later));
    fs::remove_dir_all(at("two")).expect("removed");
    fs::rename(at("three"), at("two")).expect("renamed");
    let report = stage.snapshot().jobs(1).run().expect("published");
    let lines = fixtures::diff_trees(
        &stage.source,
        &report.dump.join(common::ROOT),
        &fixtures::Options::of_runner(),
    );
    assert_eq!(lines, Vec::<String>::new());
}

/// A directory of a run that stopped has no attribute that its source has
/// lost since.
#[test]
#[ignore = "needs root for attributes of all namespaces"]
fn a_directory_taken_over_keeps_nothing_of_its_own() {
    use fixtures::tree::Node;
    let stage = Stage::new();
    let full = Node::dir()
        .mode(0o500)
        .xattr("user.a", *b"1")
        .xattr("trusted.a", *b"1")
        .xattr("security.a", *b"1")
        .acl(fixtures::acl::with_user(12345, 7))
        .default_acl(fixtures::acl::with_user(54321, 5));
    Tree::new()
        .with("d", full)
        .with("f", Node::file(*b"f"))
        .write(&stage.source);
    assert!(stopped_run(&stage, 1, 3) && !leftovers(&stage.dump).is_empty());
    let site = &leftovers(&stage.dump)[0];
    let stored = site.join(common::ROOT).join("d");
    assert_eq!(
        xattr::list(&stored).expect("listed").count(),
        5,
        "it was done"
    );
    fs::remove_dir(stage.source.join("d")).expect("removed");
    fs::create_dir(stage.source.join("d")).expect("made");
    stage.run(stage.snapshot());
}
