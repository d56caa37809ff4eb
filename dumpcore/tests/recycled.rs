//! Dumps that are made from expired ones: what stands stays, what differs is
//! changed, and nothing that was published is.

#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{History, ROOT, Stage, leftovers, tick};
use dumpcore::{
    CatalogTools, Checkpoint, Erase, Error, Event, Filter, KeepPeriod, KeepPolicy, KeepRules,
    LinkPolicy, Op, Phase, Prune, Pruned, RelPath, Remove, Replica, Replicated, Report, RunOptions,
    Scrub, Snapshot, Warning,
};
use fixtures::rot;
use fixtures::rsync::Rsync;
use fixtures::strategy::{Change, changes, tree};
use fixtures::tree::{Node, Time, Tree};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A run to which a time of change proves something as soon as it is older than
/// a tick.
fn snapshot(stage: &Stage) -> Snapshot {
    tick();
    let is_empty = fs::read_dir(&stage.source).expect("listed").count() == 0;
    let snapshot = stage.snapshot().settle(Duration::ZERO).recycle(true);
    snapshot.allow_empty(is_empty)
}

/// Keeps the newest dumps of the trees, and one of the others to be recycled.
fn prune(dump: &Path, trees: &[&str], last: &str) -> Pruned {
    let last = last.parse().expect("a number");
    let policy = KeepPolicy::new().keep(KeepPeriod::Last, last);
    let rules = trees.iter().fold(KeepRules::new(), |rules, tree| {
        rules.tree(*tree, policy.clone())
    });
    let rules = rules.only(trees.iter().map(std::ffi::OsString::from));
    let pruned = Prune::new(dump).rules(rules).recycle(true).run();
    let pruned = pruned.expect("pruned");
    assert!(pruned.is_complete(), "{pruned:?}");
    pruned
}

/// What is kept to be recycled.
fn spares(dump: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(dump.join(".dump/removing"));
    let mut all: Vec<PathBuf> = listed
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("listed").path())
        .collect();
    all.sort();
    all
}

fn write(source: &Path, model: &Tree) {
    let mut dated = Tree::new();
    for (i, (path, node)) in (1..).zip(model.nodes()) {
        let mut node = node.clone();
        node.meta.mtime.get_or_insert(Time::new(1_600_000_000, i));
        dated.add(path, node);
    }
    dated.write(source);
}

/// A source with some directories, dumped three times; the second dump has expired
/// and is kept to be recycled.
fn with_spare() -> Stage {
    let stage = Stage::new();
    let mut model = Tree::new();
    for dir in 0..8 {
        for file in 0..5 {
            model.add(format!("d{dir}/e/f{file}").as_bytes(), Node::file("text"));
        }
    }
    write(&stage.source, &model);
    dumped_thrice(&stage);
    stage
}

fn dumped_thrice(stage: &Stage) {
    for _ in 0..3 {
        stage.run(snapshot(stage));
    }
    prune(&stage.dump, &[ROOT], "1");
    // The first one is what `current_chk` names.
    assert_eq!(spares(&stage.dump).len(), 1);
}

/// Inode and time of change of each directory.
fn directories(tree: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut all = BTreeMap::new();
    let mut todo = vec![tree.to_path_buf()];
    while let Some(dir) = todo.pop() {
        let meta = dir.symlink_metadata().expect("stat");
        let below = dir.strip_prefix(tree).expect("below").to_path_buf();
        all.insert(below, (meta.ino(), meta.ctime(), meta.ctime_nsec()));
        let listed = fs::read_dir(&dir).expect("listed");
        let entries = listed.map(|entry| entry.expect("listed"));
        let dirs = entries.filter(|entry| entry.file_type().expect("a type").is_dir());
        todo.extend(dirs.map(|entry| entry.path()));
    }
    all
}

#[test]
fn what_is_unchanged_is_not_touched_and_counts_as_linked() {
    let stage = with_spare();
    let spare = spares(&stage.dump).remove(0);
    let before = directories(&spare.join(ROOT));
    let report = stage.run(snapshot(&stage));
    let name = spare.file_name().expect("a name").to_string_lossy();
    let name = name.trim_end_matches(".spare").replace('-', "/");
    assert_eq!(report.recycled_from, Some(stage.dump.join(name)));
    assert!(!report.resumed);
    let counts = &report.counts;
    assert_eq!((counts.linked.number, counts.copied().number), (40, 0));
    assert_eq!((counts.kept.number, counts.removed), (0, 0));
    let mut after = directories(&stage.newest());
    // The top itself was moved.
    assert_eq!(
        after.remove(Path::new("")).map(|is| is.0),
        before.get(Path::new("")).map(|is| is.0)
    );
    // Its turn to be compared in full comes for one in 24: that changes nothing.
    for (path, is) in after {
        assert_eq!(Some(&is), before.get(&path), "{path:?}");
    }
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
    let tools = CatalogTools::new(&stage.dump).all(true);
    assert_eq!(tools.check().expect("compared"), []);
}

#[test]
fn only_what_differs_is_changed() {
    let stage = with_spare();
    let before = directories(&spares(&stage.dump)[0].join(ROOT));
    let at = |path: &str| stage.source.join(path);
    fs::write(at("d0/e/f0"), "other").expect("written");
    fs::remove_file(at("d1/e/f0")).expect("removed");
    fs::write(at("d2/e/new"), "new").expect("written");
    fs::remove_dir_all(at("d3")).expect("removed");
    fs::set_permissions(at("d4/e"), fs::Permissions::from_mode(0o700)).expect("closed");
    fs::rename(at("d5/e"), at("d5/moved")).expect("renamed");
    fs::hard_link(at("d6/e/f0"), at("d6/e/again")).expect("linked");
    fs::remove_dir_all(at("d7/e")).expect("removed");
    fs::write(at("d7/e"), "a file now").expect("written");
    let report = stage.run(snapshot(&stage));
    assert!(report.recycled_from.is_some());
    let after = directories(&stage.newest());
    for path in ["d0", "d1", "d2", "d4", "d6"] {
        let path = Path::new(path);
        assert_eq!(after.get(path), before.get(path), "{path:?}");
    }
    for path in ["d0/e", "d1/e", "d2/e", "d4/e", "d5", "d6/e", "d7"] {
        let path = Path::new(path);
        let (is, was) = (after[path], before[path]);
        assert!(is.0 == was.0 && is != was, "{path:?} is changed in place");
    }
}

/// What is excluded since the expired dump is not in the new one.
#[test]
fn what_is_excluded_since_goes() {
    let stage = with_spare();
    let mut filter = Filter::new();
    filter.add_rule("- /tree/d0").expect("a rule");
    filter.add_rule("- f4").expect("a rule");
    let report = snapshot(&stage).filter(filter).run().expect("published");
    assert!(report.recycled_from.is_some());
    let newest = stage.newest();
    assert!(!newest.join("d0").exists() && !newest.join("d1/e/f4").exists());
    assert!(newest.join("d1/e/f3").exists());
    assert_eq!(report.counts.files.number, 7 * 4);
}

/// A shared lock on a directory, as programs have that read a dump.
fn read_lock(dir: &Path) -> File {
    let reader = File::open(dir).expect("opened");
    rustix::fs::flock(&reader, rustix::fs::FlockOperation::LockShared).expect("locked");
    reader
}

/// The same where the expired dump alone has a file, `d/only`.
fn with_a_file_of_its_own() -> Stage {
    let stage = Stage::new();
    let only = stage.source.join("d/only");
    fs::create_dir(stage.source.join("d")).expect("made");
    fs::write(stage.source.join("d/f"), "text").expect("written");
    stage.run(snapshot(&stage));
    fs::write(&only, "nowhere else").expect("written");
    stage.run(snapshot(&stage));
    fs::remove_file(&only).expect("removed");
    stage.run(snapshot(&stage));
    prune(&stage.dump, &[ROOT], "1");
    stage
}

#[test]
fn a_dump_that_somebody_reads_is_left_alone_until_then() {
    let stage = with_a_file_of_its_own();
    let spare = spares(&stage.dump).remove(0);
    let only = spare.join(ROOT).join("d/only");
    let reader = read_lock(&spare);
    let before = directories(&spare);
    let assert_left = || {
        assert_eq!(fs::read(&only).expect("read"), b"nowhere else");
        assert_eq!(directories(&spare), before);
    };
    for catalog in [true, false] {
        let (run, said) = reasons(snapshot(&stage).catalog(catalog));
        let report = stage.run(run);
        assert_eq!((report.recycled_from, report.warnings.len()), (None, 0));
        if catalog {
            let said = said.lock().expect("not poisoned");
            assert_eq!(*said, ["another program is reading it"]);
        }
        assert_left();
    }
    let pruned = Prune::new(&stage.dump).run().expect("pruned");
    assert!(pruned.is_complete(), "{pruned:?}");
    let removal = Remove::new(&stage.dump).run().expect("removed");
    assert_eq!((removal.finished_names, removal.faults_total), (0, 0));
    assert_left();
    drop(reader);
    stage.run(snapshot(&stage));
    assert!(!only.exists() && !stage.newest().join("d/only").exists());
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
}

/// It is not done as long as a program reads an expired dump that has the path.
#[test]
fn an_erasure_says_so_when_somebody_reads_it() {
    let stage = with_a_file_of_its_own();
    let spare = spares(&stage.dump).remove(0);
    let reader = read_lock(&spare);
    let path = Path::new(ROOT).join("d/only");
    let path = RelPath::from_bytes(path.as_os_str().as_encoded_bytes());
    let erased = Erase::new(&stage.dump).path(path).run().expect("erased");
    assert!(!erased.is_complete());
    assert_eq!(erased.faults.len(), 1, "{:?}", erased.faults);
    assert!(
        erased.faults[0]
            .path
            .ends_with(spare.file_name().expect("a name"))
    );
    assert!(spare.join(ROOT).join("d/only").exists());
    drop(reader);
    // It finishes what the note says.
    let again = Erase::new(&stage.dump).run().expect("erased");
    assert!(again.is_complete() && again.finished);
    assert!(!spare.exists());
}

/// Why a run says that it did not recycle.
fn reasons(run: Snapshot) -> (Snapshot, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&said);
    let watch = move |event: Event<'_>| {
        if let Event::NotRecycled { dump, why } = event {
            assert!(dump.is_absolute(), "{dump:?}");
            to.lock().expect("not poisoned").push(why.to_string());
        }
    };
    (run.observer(Arc::new(watch)), said)
}

/// How a run is told what it cannot do with an expired dump.
type Way = fn(Snapshot) -> Snapshot;

#[test]
fn it_goes_where_it_is_of_no_use_and_the_run_says_why() {
    let ways: [(Way, &[&str]); 3] = [
        (|run| run.recycle(false), &[]),
        (
            |run| run.catalog(false),
            &["the catalog does not describe the dumps that are linked to"],
        ),
        (
            |run| run.policy(LinkPolicy::new().contents(true)),
            &["the options for comparing files do not allow it"],
        ),
    ];
    for (run, why) in ways {
        let stage = with_spare();
        let (run, said) = reasons(run(snapshot(&stage)));
        let report = stage.run(run);
        assert_eq!(report.recycled_from, None, "{why:?}");
        assert_eq!(*said.lock().expect("not poisoned"), why);
        assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new(), "{why:?}");
    }
}

/// What only looks like an expired dump is told, and goes.
#[test]
fn what_cannot_be_listed_is_told() {
    let stage = with_spare();
    let file = stage.dump.join(".dump/removing/2020-0101-0000.spare");
    fs::write(&file, "not a dump").expect("written");
    let report = stage.run(snapshot(&stage));
    assert!(report.recycled_from.is_some());
    match &*report.warnings {
        [Warning::NotRecycled { fault }] => assert_eq!((fault.op, &fault.path), (Op::Open, &file)),
        other => panic!("{other:?}"),
    }
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
}

#[test]
fn pruning_and_removing_by_hand_remove_it() {
    let stage = with_spare();
    let pruned = Prune::new(&stage.dump).run().expect("pruned");
    assert!(pruned.is_complete());
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
    let stage = with_spare();
    let removal = Remove::new(&stage.dump).run().expect("removed");
    assert!(removal.finished_names > 40, "{removal:?}");
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
}

/// Programs that make something else of dumps leave it to the next run.
#[test]
fn checkpoints_and_replicas_pass_it_by() {
    let stage = with_spare();
    let spare = spares(&stage.dump);
    let slave = stage.source.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    let replica = Replica::of(&stage.dump).to(&slave).latest(true).init(true);
    let replica = match replica.run().expect("published") {
        Replicated::Made(report) => report,
        other => panic!("{other:?}"),
    };
    assert_same(&stage, &replica);
    assert_eq!(spares(&stage.dump), spare);
    let report = stage.run(snapshot(&stage));
    assert!(report.recycled_from.is_some());
    prune(&stage.dump, &[ROOT], "1");
    let spare = spares(&stage.dump);
    assert_eq!(spare.len(), 1);
    let checkpoint = Checkpoint::new(&stage.dump).run().expect("published");
    assert_same(&stage, &checkpoint);
    assert_eq!(spares(&stage.dump), spare);
    // What comes after the checkpoint has nothing of it.
    let report = stage.run(snapshot(&stage).catalog(true));
    assert_eq!(report.recycled_from, None);
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
    stage.run(snapshot(&stage));
    prune(&stage.dump, &[ROOT], "1");
    assert_eq!(spares(&stage.dump).len(), 1);
    assert!(stage.run(snapshot(&stage)).recycled_from.is_some());
}

/// It would have to be removed and made again file by file.
#[test]
fn none_is_kept_from_before_the_newest_checkpoint() {
    let stage = Stage::new();
    fs::write(stage.source.join("f"), "text").expect("written");
    for _ in 0..3 {
        stage.run(snapshot(&stage));
    }
    Checkpoint::new(&stage.dump).run().expect("published");
    stage.run(snapshot(&stage));
    let pruned = prune(&stage.dump, &[ROOT], "1");
    assert_eq!(pruned.removal.expect("removed").removed.len(), 3);
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
}

#[track_caller]
fn assert_same(stage: &Stage, report: &Report) {
    let made = report.dump.join(ROOT);
    let lines = fixtures::diff_trees(&stage.source, &made, &fixtures::Options::of_runner());
    assert_eq!(lines, Vec::<String>::new());
}

/// What is erased goes from it as well, also what no dump has any more.
#[test]
fn an_erasure_takes_it_too() {
    for still_in_a_dump in [false, true] {
        let stage = Stage::new();
        let secret = stage.source.join("d/secret");
        fs::create_dir(stage.source.join("d")).expect("made");
        fs::write(stage.source.join("d/f"), "text").expect("written");
        stage.run(snapshot(&stage));
        fs::write(&secret, "a key").expect("written");
        stage.run(snapshot(&stage));
        if !still_in_a_dump {
            fs::remove_file(&secret).expect("removed");
        }
        stage.run(snapshot(&stage));
        prune(&stage.dump, &[ROOT], "1");
        let within = Path::new(ROOT).join("d/secret");
        assert!(spares(&stage.dump)[0].join(&within).exists());
        let path = RelPath::from_bytes(within.as_os_str().as_encoded_bytes());
        let erase = || Erase::new(&stage.dump).path(path.clone());
        let dry = RunOptions::new().dry_run(true);
        let plan = erase().options(dry).run().expect("planned");
        let erased = erase().run().expect("erased");
        for erasure in [&plan, &erased] {
            let path = &erasure.paths[0];
            assert_eq!(
                (path.expired, path.dumps.len()),
                (true, usize::from(still_in_a_dump))
            );
        }
        assert!(erased.is_complete() && !stage.newest().join("d/secret").exists());
        assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
        let again = erase().run().expect("looked for");
        assert!(!again.paths[0].expired && again.paths[0].dumps.is_empty());
    }
}

/// What rotted is in the expired dump still: the next one has the good copy.
#[test]
fn what_was_healed_in_the_dumps_is_not_taken_from_it() {
    let stage = with_spare();
    let file = Path::new("d0/e/f0");
    rot(&stage.newest().join(file), 1);
    let tree = (RelPath::from_bytes(ROOT.as_bytes()), &stage.source);
    let heal = Scrub::new(&stage.dump).tree(tree.0, tree.1).heal(true);
    let scrubbed = heal.run().expect("scrubbed");
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (1, 0),
        "{scrubbed:#?}"
    );
    let report = stage.run(snapshot(&stage));
    assert!(report.recycled_from.is_some());
    assert_eq!(fs::read(stage.newest().join(file)).expect("read"), b"text");
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    let tools = CatalogTools::new(&stage.dump).all(true);
    assert_eq!(tools.check().expect("compared"), []);
}

#[test]
fn of_several_the_newest_is_kept_but_not_as_a_dump() {
    let stage = Stage::new();
    Tree::new()
        .with("f", Node::file("text"))
        .write(&stage.source);
    let made: Vec<Report> = (0..5).map(|_| stage.run(snapshot(&stage))).collect();
    let pruned = prune(&stage.dump, &[ROOT], "1");
    let removal = pruned.removal.as_ref().expect("removed");
    let kept: Vec<_> = removal
        .removed
        .iter()
        .filter(|one| one.recyclable)
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].path, made[3].dump);
    assert_eq!((kept[0].names, kept[0].whole), (0, false));
    assert_eq!(removal.removed.len(), 3);
    let root = dumpcore::DumpRoot::open(&stage.dump).expect("opened");
    assert_eq!(root.list().expect("listed").len(), 2);
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
    let catalog = root.catalog().expect("up to date");
    assert_eq!(root.dumps(Some(&catalog)).expect("listed").len(), 2);
}

/// A file that is again what the expired dump has of it is stored once more: a
/// replica goes by when inodes were born, and has another of that size and time.
/// So it is when a run that was stopped had taken the expired dump.
#[test]
fn what_only_an_expired_dump_had_is_stored_again() {
    for is_stopped in [false, true] {
        let stage = Stage::new();
        let slave = stage.source.with_file_name("slave");
        fs::create_dir(&slave).expect("made");
        let file = stage.source.join("f");
        let write = |text: &str| {
            tick();
            fs::write(&file, text).expect("written");
            let time = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            let opened = File::options().write(true).open(&file).expect("opened");
            opened.set_modified(time).expect("dated");
        };
        let replicate = |init| {
            let replica = Replica::of(&stage.dump).to(&slave).latest(true).init(init);
            let report = match replica.run() {
                Ok(Replicated::Made(report)) => report,
                other => panic!("{other:?}"),
            };
            fs::read_to_string(report.dump.join(ROOT).join("f")).expect("read")
        };
        write("zero");
        stage.run(snapshot(&stage));
        write("once");
        stage.run(snapshot(&stage));
        let born = |file: &Path| {
            let stored = file.metadata().expect("stat");
            stored.created().expect("the time of birth")
        };
        let old = born(&stage.newest().join("f"));
        write("then");
        stage.run(snapshot(&stage));
        assert_eq!(replicate(true), "then");
        prune(&stage.dump, &[ROOT], "1");
        if is_stopped {
            let storing = |event: &Event<'_>| matches!(event, Event::Phase(Phase::Storing));
            stopped_at(&stage, snapshot(&stage), storing).expect_err("stopped");
            let left = leftovers(&stage.dump).remove(0);
            assert_eq!(born(&left.join(ROOT).join("f")), old, "it was taken");
        }
        write("once");
        let report = stage.run(snapshot(&stage));
        assert_eq!(report.resumed, is_stopped);
        assert_eq!(report.recycled_from.is_some(), !is_stopped);
        assert_ne!(born(&stage.newest().join("f")), old);
        assert_eq!(replicate(false), "once");
        let marks = xattr::list(&report.dump).expect("listed");
        let marks: Vec<_> = marks.collect();
        assert!(!marks.contains(&"user.dump.recycled".into()), "{marks:?}");
    }
}

/// What is left of a run that took no expired dump is its own, however old its files
/// are.
#[test]
fn what_any_other_run_left_is_kept_also_when_it_is_older_than_its_directory() {
    let stage = with_spare();
    for dir in 0..8 {
        fs::write(stage.source.join(format!("d{dir}/new")), "new").expect("written");
    }
    let seen = AtomicUsize::new(0);
    let most = move |event: &Event<'_>| {
        matches!(event, Event::Entry { .. }) && seen.fetch_add(1, Ordering::Relaxed) == 40
    };
    let run = snapshot(&stage).recycle(false).jobs(1);
    stopped_at(&stage, run, most).expect_err("stopped");
    let left = leftovers(&stage.dump).remove(0);
    let aside = stage.source.with_file_name("aside");
    fs::rename(&left, &aside).expect("renamed");
    tick();
    fs::create_dir(&left).expect("made");
    fs::rename(aside.join(ROOT), left.join(ROOT)).expect("renamed");
    let report = stage.run(snapshot(&stage));
    assert!(report.resumed);
    assert!(report.counts.kept.number > 0, "{:?}", report.counts);
}

/// Sets that share a dump root: each takes its own, and leaves the other's.
#[test]
fn trees_that_take_turns_recycle_their_own() {
    let stage = Stage::new();
    let other = stage.source.with_file_name("mail");
    for tree in [&stage.source, &other] {
        fs::create_dir_all(tree.join("d")).expect("made");
        fs::write(tree.join("d/f"), tree.as_os_str().as_encoded_bytes()).expect("written");
    }
    let both: [(&Path, &str); 2] = [(&stage.source, ROOT), (&other, "mail")];
    let mut recycled = 0;
    for round in 0..6 {
        for (tree, name) in both {
            fs::write(tree.join(format!("d/{round}")), "text").expect("written");
            tick();
            let init = !stage.dump.join("current").is_symlink();
            let run = Snapshot::new(&stage.dump).main(tree).init(init);
            let run = run.settle(Duration::ZERO).recycle(true);
            let report = run.run().expect("published");
            let lines = fixtures::diff_trees(
                tree,
                &report.dump.join(name),
                &fixtures::Options::of_runner(),
            );
            assert_eq!(lines, Vec::<String>::new());
            recycled += usize::from(report.recycled_from.is_some());
            prune(&stage.dump, &[name], "1");
        }
    }
    // From when there is one more than `current_chk` and the newest one keep.
    assert_eq!(recycled, 4 + 3, "each takes the one that it left");
    assert_eq!(spares(&stage.dump).len(), 2);
}

#[test]
fn two_trees_of_one_dump_are_recycled_together_and_a_third_is_new() {
    let stage = Stage::new();
    let trees: Vec<PathBuf> = ["a", "b", "c"]
        .iter()
        .map(|name| stage.source.with_file_name(name))
        .collect();
    for tree in &trees {
        fs::create_dir_all(tree.join("d")).expect("made");
        fs::write(tree.join("d/f"), "text").expect("written");
    }
    let run = |trees: &[PathBuf]| {
        tick();
        let init = !stage.dump.join("current").is_symlink();
        let run = Snapshot::new(&stage.dump).init(init).settle(Duration::ZERO);
        let run = trees.iter().fold(run, |run, tree| run.main(tree));
        run.recycle(true).run().expect("published")
    };
    for _ in 0..3 {
        run(&trees[..2]);
    }
    prune(&stage.dump, &["a", "b"], "1");
    let report = run(&trees[..2]);
    assert!(report.recycled_from.is_some());
    assert_eq!(report.counts.linked.number, 2);
    prune(&stage.dump, &["a", "b"], "1");
    assert_eq!(spares(&stage.dump).len(), 1);
    // Of a tree without a reference the catalog knows nothing.
    let report = run(&trees);
    assert_eq!(
        (report.recycled_from, report.counts.linked.number),
        (None, 2)
    );
}

/// A run of one of two trees takes that one, and leaves the other to the run of it.
#[test]
fn of_two_trees_a_run_of_one_takes_only_that() {
    let stage = Stage::new();
    let trees = ["a", "b"].map(|name| stage.source.with_file_name(name));
    for tree in &trees {
        fs::create_dir_all(tree.join("d")).expect("made");
        fs::write(tree.join("d/f"), tree.as_os_str().as_encoded_bytes()).expect("written");
    }
    let run = |trees: &[PathBuf]| {
        tick();
        let init = !stage.dump.join("current").is_symlink();
        let run = Snapshot::new(&stage.dump).init(init).settle(Duration::ZERO);
        let run = trees.iter().fold(run, |run, tree| run.main(tree));
        let report = run.recycle(true).run().expect("published");
        for tree in trees {
            let made = report.dump.join(tree.file_name().expect("a name"));
            let lines = fixtures::diff_trees(tree, &made, &fixtures::Options::of_runner());
            assert_eq!(lines, Vec::<String>::new());
        }
        let made = fs::read_dir(&report.dump).expect("listed").count();
        assert_eq!(made, trees.len(), "nothing else is in it");
        report
    };
    for _ in 0..3 {
        run(&trees);
    }
    prune(&stage.dump, &["a", "b"], "1");
    let spare = spares(&stage.dump).remove(0);
    let first = run(&trees[..1]);
    assert_eq!((first.counts.linked.number, first.counts.removed), (1, 0));
    assert!(!spare.join("a").exists() && spare.join("b/d/f").exists());
    let second = run(&trees[1..]);
    assert_eq!(second.counts.linked.number, 1);
    assert!(first.recycled_from.is_some());
    assert_eq!(second.recycled_from, first.recycled_from);
    assert_eq!(spares(&stage.dump), Vec::<PathBuf>::new());
    let tools = CatalogTools::new(&stage.dump).all(true);
    assert_eq!(tools.check().expect("compared"), []);
}

/// Killed between the rename of an expired dump and the catalog: the run that takes
/// the dump finds it gone before.
#[test]
fn a_catalog_that_was_not_told_learns_before_it_is_recycled() {
    let stage = Stage::new();
    fs::create_dir(stage.source.join("d")).expect("made");
    for name in ["d/f", "d/g"] {
        fs::write(stage.source.join(name), "text").expect("written");
    }
    for _ in 0..3 {
        stage.run(snapshot(&stage));
    }
    let catalog = stage.dump.join(".dump/catalog.db");
    let before = fs::read(&catalog).expect("read");
    prune(&stage.dump, &[ROOT], "1");
    fs::write(&catalog, before).expect("written");
    fs::write(stage.source.join("d/g"), "other").expect("written");
    assert!(stage.run(snapshot(&stage)).recycled_from.is_some());
    let tools = CatalogTools::new(&stage.dump).all(true);
    assert_eq!(tools.check().expect("compared"), []);
}

/// What is mounted until it goes out of scope.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// The expired dump has what is mounted in the source: a run that keeps to one
/// filesystem has not.
#[test]
#[ignore = "needs root and a mount"]
fn what_is_on_another_filesystem_goes_with_one_file_system() {
    let stage = Stage::new();
    let point = stage.source.join("d/mount");
    fs::create_dir_all(&point).expect("made");
    fs::write(stage.source.join("d/f"), "text").expect("written");
    let mut mount = std::process::Command::new("mount");
    let mount = mount.args(["-t", "tmpfs", "none"]).arg(&point);
    assert!(mount.status().expect("run").success());
    let mounted = Mounted(&point);
    fs::write(point.join("other"), "text").expect("written");
    dumped_thrice(&stage);
    let expired = spares(&stage.dump)[0].join(ROOT);
    assert!(expired.join("d/mount/other").exists());
    let report = snapshot(&stage).one_file_system(true).run();
    let report = report.expect("published");
    assert!(report.recycled_from.is_some());
    let made = report.dump.join(ROOT).join("d");
    assert_eq!(fs::read_dir(made.join("mount")).expect("listed").count(), 0);
    assert_eq!(fs::read(made.join("f")).expect("read"), b"text");
    assert_eq!(report.counts.other_filesystems, 1);
    drop(mounted);
}

/// What comes before a dump.
#[derive(Clone, Debug)]
struct Round {
    changes: Vec<Change>,
    jobs: usize,
    /// A run that is stopped after this many entries, and what changes then.
    stopped: Option<(usize, Vec<Change>)>,
    catalog: bool,
}

fn round(as_root: bool) -> impl Strategy<Value = Round> {
    let stopped = (0..25_usize, changes(as_root, 4));
    let round = (
        changes(as_root, 4),
        select(&[1, 2, 8][..]),
        proptest::option::weighted(0.2, stopped),
        proptest::bool::weighted(0.9),
    );
    round.prop_map(|(changes, jobs, stopped, catalog)| Round {
        changes,
        jobs,
        stopped,
        catalog,
    })
}

/// Each change gets a moment of its own: two files of one size that have the
/// same time are the same to everybody who goes by time and size.
fn apply(stage: &Stage, changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| {
        tick();
        change.apply(&stage.source)
    };
    changes.iter().map(one).collect()
}

/// Runs until an event of which `is_last` is true.
fn stopped_at(
    stage: &Stage,
    run: Snapshot,
    is_last: impl Fn(&Event<'_>) -> bool + Send + Sync + 'static,
) -> Result<Report, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if is_last(&event) {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let history = History::of(&stage.dump);
    let ran = run.observer(Arc::new(watch)).stop(stop).run();
    history.assert_unchanged(&stage.dump);
    ran
}

/// Runs until this many entries were dealt with.
fn stopped_run(stage: &Stage, jobs: usize, after: usize) {
    let seen = AtomicUsize::new(0);
    let is_last = move |event: &Event<'_>| match event {
        Event::Started { .. } => after == 0,
        Event::Entry { .. } => seen.fetch_add(1, Ordering::Relaxed) + 1 >= after,
        _ => false,
    };
    match stopped_at(stage, snapshot(stage).jobs(jobs), is_last) {
        Ok(report) => stage.assert_published(&report),
        Err(Error::Interrupted) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Goes through rounds, each with its dump and what expires then. How many dumps
/// were made from expired ones.
fn go_through(stage: &Stage, rounds: impl Iterator<Item = Round>, rsync: bool) -> usize {
    let (mut recycled, mut log) = (0, Vec::new());
    for round in rounds {
        log.push(apply(stage, &round.changes));
        if let Some((after, changes)) = &round.stopped {
            stopped_run(stage, round.jobs, *after);
            log.push(apply(stage, changes));
        }
        let run = snapshot(stage).jobs(round.jobs).catalog(round.catalog);
        // Holds the dump against its source, and all others against what they were.
        let report = stage.run(run);
        recycled += usize::from(report.recycled_from.is_some());
        if rsync {
            let differences = Rsync::default().differences(&stage.source, &stage.newest());
            assert_eq!(differences, Vec::<String>::new(), "{log:#?}");
        }
        let history = History::of(&stage.newest());
        prune(&stage.dump, &[ROOT], "3");
        history.assert_unchanged(&stage.newest());
        if round.catalog {
            let differences = CatalogTools::new(&stage.dump).check().expect("compared");
            assert_eq!(differences, [], "{log:#?}");
        }
    }
    let tools = CatalogTools::new(&stage.dump).all(true);
    stage.run(snapshot(stage));
    assert_eq!(tools.check().expect("compared"), [], "{log:#?}");
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert_eq!(scrubbed.damaged, [], "{log:#?}");
    recycled
}

/// A hundred and more dumps of one tree, made from each other again and again.
fn long_history(as_root: bool, dumps: usize) {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = seed.expect("after 1970").as_nanos().to_le_bytes();
    let seed = [seed, seed].concat();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let stage = Stage::new();
    let model = tree(as_root).new_tree(&mut runner).expect("a tree");
    write(&stage.source, &model.current());
    let rounds = std::iter::repeat_with(|| {
        let round = round(as_root).new_tree(&mut runner).expect("a round");
        round.current()
    });
    let recycled = go_through(&stage, rounds.take(dumps), true);
    assert!(recycled > dumps / 3, "{recycled} of {dumps}");
}

#[test]
fn a_long_history_is_recycled_again_and_again() {
    long_history(false, 100);
}

#[test]
#[ignore = "needs root: other owners, devices, trusted attributes"]
fn the_same_of_all_that_root_can_make() {
    assert!(fixtures::is_root());
    long_history(true, 110);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_dump_that_is_made_from_another_equals_its_source(
        model in tree(false),
        rounds in vec(round(false), 5..=9),
    ) {
        let stage = Stage::new();
        write(&stage.source, &model);
        go_through(&stage, rounds.into_iter(), false);
    }
}
