//! Linked checkpoints: a chain beside the dumps. Each is equal to the dump that it
//! is of, shares with the one before what is unchanged and whole, and nothing with
//! dumps.
#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use common::{History, ROOT, Stage, each, inodes, leftovers, tick};
use dumpcore::{
    CatalogTools, Checkpoint, DumpRoot, Error, Event, Op, Remove, Report, Scrub, Snapshot,
};
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{Node, OddOptions, Tree, odd_tree_with};
use fixtures::{Options, assert_rsync_same, diff_trees, fiemap, rot};

fn current(stage: &Stage) -> PathBuf {
    let dump = DumpRoot::open(&stage.dump).expect("opened");
    dump.current().expect("read").expect("there is a current")
}

fn linked(stage: &Stage) -> Checkpoint {
    Checkpoint::new(&stage.dump).linked(true)
}

/// The inodes below a directory but those of directories.
fn files(root: &Path) -> BTreeSet<u64> {
    inodes(root).into_values().collect()
}

/// All dumps, each with what it is.
fn dumps(stage: &Stage) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let all = root.list().expect("listed").into_iter();
    let (chain, others): (Vec<_>, Vec<_>) = all.partition(|name| root.is_linked(*name));
    let path = |name: dumpcore::DumpName| stage.dump.join(name.path());
    (
        chain.into_iter().map(path).collect(),
        others.into_iter().map(path).collect(),
    )
}

/// No inode is both in a linked checkpoint and in another dump.
#[track_caller]
fn assert_apart(stage: &Stage) {
    let (chain, others) = dumps(stage);
    let all = |dumps: &[PathBuf]| dumps.iter().flat_map(|dump| files(dump)).collect();
    let (chain, others): (BTreeSet<u64>, BTreeSet<u64>) = (all(&chain), all(&others));
    let both: Vec<_> = chain.intersection(&others).collect();
    assert!(both.is_empty(), "in the chain and in dumps: {both:?}");
}

/// Runs, and checks all that always holds of a linked checkpoint.
#[track_caller]
fn made(stage: &Stage, checkpoint: Checkpoint) -> Report {
    let report = made_with_faults(stage, checkpoint);
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert!(report.is_complete());
    report
}

/// The same where the checkpoint before is damaged: what is made is complete.
#[track_caller]
fn made_with_faults(stage: &Stage, checkpoint: Checkpoint) -> Report {
    let before = current(stage);
    let history = History::of(&stage.dump);
    let report = checkpoint.run().unwrap_or_else(|e| panic!("{e}"));
    history.assert_unchanged(&stage.dump);
    assert_eq!(report.counts.faults, report.faults.len() as u64);
    assert_eq!(report.counts.faults, report.counts.reference_faults);
    assert_eq!((report.counts.lacking(), report.missing), (0, 0));
    let mark = xattr::get(&report.dump, "user.dump.partial");
    assert_eq!(mark.expect("asked"), None, "it is complete");
    assert_eq!(current(stage), before, "`current` stays");
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let checkpoint = root.current_checkpoint().expect("read");
    assert_eq!(checkpoint.as_deref(), Some(&*report.dump));
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
    let wholly = Options {
        root: false,
        ..Options::of_runner()
    };
    let lines = diff_trees(&before, &report.dump, &wholly);
    assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
    assert_apart(stage);
    report
}

fn tree() -> Tree {
    Tree::new()
        .with("dir/file", Node::file(*b"some text").mode(0o640))
        .with("dir/below/link", Node::hard_link(*b"dir/file"))
        .with("other", Node::hard_link(*b"dir/file"))
        .with("symlink", Node::symlink(*b"dir/file"))
        .with("empty", Node::dir().mode(0o700))
        .with(
            "sparse",
            Node::sparse(8 << 20, vec![(4 << 20, vec![b'x'; 5000])]),
        )
        .with("large", Node::file(vec![b'l'; 3 << 20]))
        .dated()
}

fn begun_with(catalog: bool) -> Stage {
    let stage = Stage::new();
    tree().write(&stage.source);
    stage.run(stage.snapshot().catalog(catalog));
    stage
}

fn begun() -> Stage {
    begun_with(true)
}

/// Another dump, with one more file.
fn dumped(stage: &Stage, name: &str) -> Report {
    fs::write(stage.source.join(name), name).expect("written");
    tick();
    let report = stage.snapshot().catalog(true).run().expect("published");
    tick();
    report
}

/// The paths of faults that say this.
fn faulty(report: &Report, operation: Op, says: &str) -> BTreeSet<PathBuf> {
    let each = report.faults.iter().map(|fault| {
        let cause = fault.cause.to_string();
        assert!(fault.op == operation && cause.contains(says), "{fault:?}");
        fault.path.clone()
    });
    each.collect()
}

#[test]
fn the_first_one_is_a_full_copy_and_the_next_is_linked_to_it() {
    let stage = begun();
    let first = made(&stage, linked(&stage).verify(true));
    assert_eq!((&first.reference, first.counts.linked.number), (&None, 0));
    let dump = dumped(&stage, "new");
    assert_eq!(dump.counts.copied().number, 1, "linked to `current`");
    assert_apart(&stage);
    let second = made(&stage, linked(&stage).verify(true));
    assert_eq!(second.reference.as_ref(), Some(&first.dump));
    assert_eq!(second.counts.copied().number, 1, "{:?}", second.counts);
    assert_eq!(second.counts.copied_damaged.number, 0);
    assert_eq!(second.verified, Some(second.counts.files));
    let shared = files(&first.dump)
        .intersection(&files(&second.dump))
        .count();
    assert_eq!(shared, files(&first.dump).len(), "all that there was");
    // One that is not of the chain shares nothing with it either.
    let ordinary = Checkpoint::new(&stage.dump).run().expect("made");
    assert_eq!(ordinary.counts.linked.number, 0);
    assert_eq!(current(&stage), ordinary.dump);
    dumped(&stage, "newer");
    let third = made(&stage, linked(&stage));
    assert_eq!(third.reference, Some(second.dump));
    assert_eq!(third.counts.copied().number, 1, "{:?}", third.counts);
}

#[test]
fn what_changed_in_any_way_is_copied() {
    let stage = begun();
    made(&stage, linked(&stage));
    let at = |name: &str| stage.source.join(name);
    fs::write(at("large"), vec![b'm'; 3 << 20]).expect("written");
    fs::remove_file(at("symlink")).expect("removed");
    std::os::unix::fs::symlink("elsewhere", at("symlink")).expect("made");
    xattr::set(at("sparse"), "user.note", b"new").expect("set");
    // A group of names that is another one now.
    fs::remove_file(at("other")).expect("removed");
    fs::hard_link(at("large"), at("other")).expect("linked");
    dumped(&stage, "new");
    let report = made(&stage, linked(&stage).verify(true));
    assert_eq!(report.counts.linked.number, 1, "{:?}", report.counts);
    assert_eq!(report.counts.copied_attributes.number, 1);
}

#[test]
fn what_rotted_in_the_checkpoint_before_is_stored_again_and_told() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    dumped(&stage, "new");
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    for name in ["tree/large", "tree/dir/file"] {
        rot(&first.dump.join(name), 3);
    }
    let report = made_with_faults(&stage, linked(&stage).jobs(1));
    let paths = faulty(&report, Op::Verify, "dumpctl scrub --heal");
    assert_eq!(report.counts.faults, 2, "an inode once: {report:#?}");
    assert!(!report.is_complete());
    assert!(paths.contains(&first.dump.join("tree/large")), "{paths:?}");
    assert_eq!(
        report.counts.copied_damaged.number, 2,
        "{:?}",
        report.counts
    );
    assert_eq!(report.counts.copied().number, 3, "{:?}", report.counts);
    // The catalog knows of it at once.
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().expect("read");
    let status = root.status(Some(&catalog), SystemTime::now());
    let scrub = status.expect("read").scrub.expect("there was one");
    assert_eq!(scrub.damaged, 2);
    drop(catalog);
    // And from here on the chain is whole.
    let next = made(&stage, linked(&stage));
    assert_eq!(next.counts.copied().number, 0);
    // What was damaged is healed from the dumps, in the first one alone.
    let healed = Scrub::new(&stage.dump).heal(true).run().expect("healed");
    assert_eq!((healed.healed.len(), healed.damaged.len()), (2, 0));
    assert_apart(&stage);
}

#[test]
fn without_a_hash_contents_are_compared() {
    let stage = begun_with(false);
    let first = made(&stage, linked(&stage));
    let second = made(&stage, linked(&stage));
    assert_eq!(second.counts.copied().number, 0, "{:?}", second.counts);
    assert_eq!(
        second.counts.compared.number,
        second.counts.compared_same.number
    );
    rot(&first.dump.join("tree/large"), 3);
    let third = made_with_faults(&stage, linked(&stage));
    let paths = faulty(&third, Op::Verify, "no hash tells which of them changed");
    let large = second.dump.join("tree/large");
    assert_eq!(paths, BTreeSet::from([large]), "{third:#?}");
    assert!(!third.is_complete());
    assert_eq!(third.counts.copied().number, 1, "{:?}", third.counts);
}

/// What lost its size or its time is damage, where the catalog knows what it had; and
/// what is changed in the dump is a change.
#[test]
fn what_lost_its_size_or_time_in_the_checkpoint_before_is_no_change() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    dumped(&stage, "new");
    assert!(Scrub::new(&stage.dump).run().expect("scrubbed").is_sound());
    let open = |name: &str| {
        let opened = fs::File::options().write(true).open(first.dump.join(name));
        opened.expect("opened")
    };
    open("tree/large").set_len(1 << 20).expect("cut");
    open("tree/dir/file")
        .set_modified(SystemTime::UNIX_EPOCH)
        .expect("set");
    fs::write(stage.source.join("sparse"), "changed").expect("written");
    dumped(&stage, "newer");
    let report = made_with_faults(&stage, linked(&stage));
    let paths = faulty(
        &report,
        Op::Verify,
        "its recorded size and modification time",
    );
    assert_eq!(paths.len(), 2, "{report:#?}");
    assert!(paths.contains(&first.dump.join("tree/large")), "{paths:?}");
    assert_eq!(report.counts.copied_damaged.number, 2);
    assert_eq!(report.counts.copied_changed.number, 1);
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().expect("read");
    let status = root.status(Some(&catalog), SystemTime::now());
    assert_eq!(status.expect("read").scrub.expect("one").damaged, 2);
    drop(catalog);
    let next = made(&stage, linked(&stage));
    assert_eq!(next.counts.copied().number, 0);
}

/// However many names an inode has, in the checkpoint before and in the dump, and
/// whichever worker comes to which first.
#[test]
fn a_damaged_file_is_one_fault_whatever_its_names() {
    for (hashed, jobs) in [(false, 1), (false, 4), (true, 1), (true, 4)] {
        let stage = begun_with(hashed);
        let first = made(&stage, linked(&stage));
        // In the dump it is two inodes by now, with the same contents and times.
        let (other, copy) = (stage.source.join("other"), stage.source.join("copy"));
        let mut command = std::process::Command::new("cp");
        command.arg("-a").arg(&other).arg(&copy);
        assert!(command.status().expect("it runs").success());
        fs::rename(copy, other).expect("replaced");
        let dump = stage.snapshot().catalog(hashed).run().expect("published");
        assert_eq!(dump.counts.copied().number, 1, "{:?}", dump.counts);
        if hashed {
            assert!(Scrub::new(&stage.dump).run().expect("scrubbed").is_sound());
        }
        rot(&first.dump.join("tree/dir/file"), 3);
        let report = made_with_faults(&stage, linked(&stage).jobs(jobs));
        assert_eq!(report.counts.faults, 1, "{hashed} {jobs}: {report:#?}");
        let next = made(&stage, linked(&stage));
        assert_eq!(next.counts.copied().number, 0, "{:?}", next.counts);
    }
}

/// A run that takes over what another had begun says of what is damaged as much as one
/// that begins.
#[test]
fn a_damaged_file_is_one_fault_of_a_resumed_run() {
    for hashed in [false, true] {
        for after in 0..9 {
            let stage = begun_with(hashed);
            let first = made(&stage, linked(&stage));
            dumped(&stage, "new");
            if hashed {
                assert!(Scrub::new(&stage.dump).run().expect("scrubbed").is_sound());
            }
            for name in ["tree/dir/file", "tree/large"] {
                rot(&first.dump.join(name), 3);
            }
            stopped(linked(&stage), after);
            let report = made_with_faults(&stage, linked(&stage).jobs(1 + after % 2));
            assert!(report.resumed, "after {after}");
            assert_eq!(report.counts.faults, 2, "{hashed} {after}: {report:#?}");
            let next = made(&stage, linked(&stage));
            assert_eq!(next.counts.copied().number, 0, "{:?}", next.counts);
        }
    }
}

#[test]
fn a_dump_that_rotted_takes_nothing_from_the_chain() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    let good = fs::read(first.dump.join("tree/large")).expect("read");
    rot(&current(&stage).join("tree/large"), 3);
    // Its hash is what was stored, and the chain has it.
    let report = linked(&stage).verify(true).run().expect("made");
    assert_eq!((report.counts.copied().number, report.faults.len()), (0, 0));
    assert_eq!(
        fs::read(report.dump.join("tree/large")).expect("read"),
        good
    );
    let healed = Scrub::new(&stage.dump).heal(true).run().expect("healed");
    assert_eq!((healed.healed.len(), healed.damaged.len()), (1, 0));
    assert_eq!(
        fs::read(current(&stage).join("tree/large")).expect("read"),
        good
    );
    assert_apart(&stage);
}

/// Runs until this many entries were dealt with.
fn stopped(checkpoint: Checkpoint, after: usize) {
    let (seen, stop) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) && seen.fetch_add(1, Ordering::Relaxed) >= after {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let stopped = checkpoint
        .jobs(1)
        .observer(Arc::new(watch))
        .stop(stop)
        .run();
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
}

#[test]
fn a_leftover_is_resumed_by_a_linked_one_alone() {
    for after in 0..9 {
        let stage = begun();
        made(&stage, linked(&stage));
        dumped(&stage, "new");
        let history = History::of(&stage.dump);
        stopped(linked(&stage), after);
        history.assert_unchanged(&stage.dump);
        assert_eq!(leftovers(&stage.dump).len(), 1);
        let report = made(&stage, linked(&stage).verify(true));
        assert!(report.resumed, "after {after}");
        let whole = report.counts.linked.number + report.counts.kept.number;
        assert!(
            whole + report.counts.copied().number >= 5,
            "{:?}",
            report.counts
        );
        dumped(&stage, "newer");
        stopped(linked(&stage), after);
        // Its links must not come into what dumps will be linked to.
        let ordinary = Checkpoint::new(&stage.dump).verify(true).run();
        let ordinary = ordinary.expect("made");
        assert!(!ordinary.resumed && ordinary.counts.linked.number == 0);
        assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
        assert!(
            !DumpRoot::open(&stage.dump).expect("opened").is_linked(
                DumpRoot::open(&stage.dump)
                    .expect("opened")
                    .current_name()
                    .expect("read")
                    .expect("one")
            )
        );
        dumped(&stage, "newest");
        assert_apart(&stage);
    }
}

#[test]
fn an_ordinary_leftover_may_become_a_linked_one() {
    let stage = begun();
    made(&stage, linked(&stage));
    dumped(&stage, "new");
    stopped(Checkpoint::new(&stage.dump), 4);
    let report = made(&stage, linked(&stage).verify(true));
    assert!(report.resumed);
    let next = made(&stage, linked(&stage));
    assert_eq!(next.counts.copied().number, 0, "{:?}", next.counts);
}

#[test]
fn dumps_are_not_linked_to_the_chain_when_sets_take_turns() {
    let stage = begun();
    let second = stage.dump.with_file_name("second");
    fs::create_dir(&second).expect("made");
    tree().write(&second);
    made(&stage, linked(&stage));
    // Of the other tree, so that `current` lacks the first.
    Snapshot::new(&stage.dump)
        .main(&second)
        .run()
        .expect("made");
    tick();
    let again = Snapshot::new(&stage.dump)
        .main(&stage.source)
        .run()
        .expect("made");
    assert_eq!(again.counts.copied().number, 0, "{:?}", again.counts);
    assert_apart(&stage);
    let chain = made(&stage, linked(&stage));
    assert_eq!(chain.counts.copied().number, 0, "{:?}", chain.counts);
    // Nor when `current` was lost.
    fs::remove_file(stage.dump.join("current")).expect("removed");
    let again = Snapshot::new(&stage.dump)
        .main(&stage.source)
        .init(true)
        .run();
    assert_eq!(again.expect("made").counts.copied().number, 0);
    assert_apart(&stage);
}

#[test]
fn a_chain_that_dumps_are_linked_to_by_hand_is_begun_again() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    let target = first.dump.strip_prefix(&stage.dump).expect("in it");
    fs::remove_file(stage.dump.join("current")).expect("removed");
    std::os::unix::fs::symlink(target, stage.dump.join("current")).expect("linked");
    let report = linked(&stage).run().expect("made");
    assert_eq!((report.reference, report.counts.linked.number), (None, 0));
}

#[test]
fn several_trees_are_linked_to_the_newest_checkpoints_that_have_them() {
    let stage = Stage::new();
    tree().write(&stage.source);
    let second = stage.dump.with_file_name("second");
    fs::create_dir(&second).expect("made");
    tree().write(&second);
    let one = |source: &Path, init| Snapshot::new(&stage.dump).main(source).init(init);
    one(&stage.source, true).run().expect("made");
    let of_first = linked(&stage).run().expect("made");
    one(&second, false).run().expect("made");
    let of_second = linked(&stage).run().expect("made");
    assert_eq!(of_second.counts.linked.number, 0);
    one(&stage.source, false).main(&second).run().expect("made");
    let both = made(&stage, linked(&stage).verify(true));
    assert_eq!(both.counts.copied().number, 0, "{:?}", both.counts);
    let shared = files(&both.dump);
    assert!(files(&of_first.dump).is_subset(&shared));
    assert!(files(&of_second.dump).is_subset(&shared));
}

#[test]
fn a_dry_run_counts_by_size_and_time_and_writes_nothing() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    dumped(&stage, "new");
    rot(&first.dump.join("tree/large"), 3);
    let history = History::of(&stage.dump);
    let report = linked(&stage).dry_run(true).run().expect("done");
    assert_eq!(report.counts.copied().number, 1, "{:?}", report.counts);
    assert_eq!(report.counts.compared.number, 0, "nothing is read");
    assert_eq!(report.reference, Some(first.dump));
    assert!(!report.dump.exists());
    history.assert_unchanged(&stage.dump);
}

#[test]
fn a_checkpoint_can_be_removed_whose_files_the_next_has() {
    let stage = begun();
    let first = made(&stage, linked(&stage));
    dumped(&stage, "new");
    let second = made(&stage, linked(&stage));
    dumped(&stage, "newer");
    let found = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(found.expect("checked"), Vec::new());
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let name = root.find(&first.dump).expect("found");
    let size = fs::metadata(first.dump.join("tree/large"))
        .expect("stat")
        .len();
    let catalog = root.catalog().expect("read");
    let all = root.dumps(Some(&catalog)).expect("read");
    let own: u64 = all
        .iter()
        .filter(|dump| dump.is_linked)
        .map(|dump| dump.unique_bytes.expect("known"))
        .sum();
    assert!(own < size, "{all:#?}");
    let usage = catalog.usage(None, None).expect("read").expect("some");
    let copies: Vec<_> = usage
        .generations
        .iter()
        .map(|one| (one.is_linked, one.dumps))
        .collect();
    assert_eq!(copies, [(false, 3), (true, 2)]);
    let chain = usage
        .generations
        .iter()
        .find(|one| one.is_linked)
        .expect("one");
    assert!((size..2 * size).contains(&chain.bytes), "{usage:#?}");
    drop(catalog);
    let removal = Remove::new(&stage.dump).dump(name).count_users(true).run();
    let removal = removal.expect("removed");
    let removed = &removal.removed[0];
    assert_eq!((removed.used_by, removed.is_linked), (Some(1), true));
    assert!(removed.freed_bytes < size);
    assert!(second.dump.join("tree/large").exists());
    // Its number stays in the catalog, and begins no copy.
    dumped(&stage, "newest");
    let catalog = root.catalog().expect("read");
    let usage = catalog.usage(None, None).expect("read").expect("some");
    let copies: Vec<_> = usage
        .generations
        .iter()
        .map(|one| (one.is_linked, one.dumps))
        .collect();
    assert_eq!(copies, [(false, 4), (true, 1)]);
}

#[test]
#[ignore = "needs root for loop mounts, rsync, xfsprogs and btrfs-progs"]
fn nothing_is_shared_with_dumps_on_real_filesystems() {
    for fs in [Fs::Ext4, Fs::Xfs, Fs::Btrfs] {
        let mount = Mount::new(fs, 400);
        let stage = Stage::within(&mount.path().join("stage"));
        let options = OddOptions {
            huge: 16 << 20,
            symlink_max: 1023,
            ..OddOptions::new(true)
        };
        odd_tree_with(&stage.source, &options);
        stage.run(stage.snapshot().catalog(true));
        let lender = stage.source.join("lender");
        fs::write(&lender, vec![b'l'; 200_000]).expect("written");
        for turn in 0..3 {
            // On xfs and btrfs the dump before lends its blocks to this one.
            xattr::set(&lender, "user.lent", &[turn]).expect("set");
            tick();
            stage.run(stage.snapshot().catalog(true));
            let lent = !fiemap::shared_files(&current(&stage)).is_empty();
            assert_eq!(lent, fs != Fs::Ext4 && turn > 0, "{fs:?}");
            let report = made(&stage, linked(&stage).verify(true));
            assert_rsync_same(&current(&stage).join(ROOT), &report.dump.join(ROOT));
            let shared = fiemap::shared_files(&report.dump);
            assert_eq!(shared, Vec::<String>::new(), "{fs:?}");
            let copied = report.counts.copied().number;
            assert!(turn == 0 || copied == 1, "{fs:?}: {:?}", report.counts);
        }
    }
}

#[test]
#[ignore = "needs root and loop mounts"]
fn room_is_needed_for_what_changed_alone() {
    let mount = Mount::new(Fs::Ext4, 64);
    let stage = Stage::within(&mount.path().join("stage"));
    let mut names = 0;
    for at in 0..16_u8 {
        fs::write(stage.source.join(at.to_string()), vec![at; 1 << 20]).expect("written");
    }
    stage.run(stage.snapshot());
    // Two copies of 16 MiB beside the source fill it nearly.
    linked(&stage).run().expect("there is room");
    each(&stage.dump, |_, _| names += 1);
    let full = Checkpoint::new(&stage.dump).run();
    assert!(matches!(full, Err(Error::NoSpace { .. })), "{full:?}");
    dumped(&stage, "new");
    let report = made(&stage, linked(&stage));
    assert_eq!(report.counts.copied().number, 1, "{:?}", report.counts);
}
