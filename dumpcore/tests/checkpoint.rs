//! Checkpoints: equal to the dump that they are of, sharing nothing with
//! anything, and published like any dump, or not at all.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use common::{History, ROOT, Stage, each, inodes, leftovers};
use dumpcore::{
    Chain, Checkpoint, DumpRoot, Error, Event, Phase, Report, RunOptions, Snapshot, Warning,
};
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{Node, OddOptions, Tree, odd_tree_with};
use fixtures::{Options, assert_rsync_same, diff_trees, fiemap};

fn current(stage: &Stage) -> PathBuf {
    let dump = DumpRoot::open(&stage.dump).expect("opened");
    dump.current().expect("read").expect("there is a current")
}

/// All that a dump keeps, but for access times: comparing reads symlinks,
/// which moves theirs.
fn wholly() -> Options {
    Options {
        // A dump's own directory has the time of its run.
        root: false,
        ..Options::of_runner()
    }
}

/// Runs, and checks all that always holds of a checkpoint.
#[track_caller]
fn made(stage: &Stage, checkpoint: Checkpoint) -> Report {
    let before = current(stage);
    let history = History::of(&stage.dump);
    let others = all_inodes(&stage.dump);
    let report = checkpoint.run().unwrap_or_else(|e| panic!("{e}"));
    history.assert_unchanged(&stage.dump);
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_published(stage, &report);
    let lines = diff_trees(&before, &report.dump, &wholly());
    assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
    let shared: Vec<_> = all_inodes(&report.dump)
        .intersection(&others)
        .copied()
        .collect();
    assert_eq!(shared, [0u64; 0], "inodes of other dumps");
    report
}

#[track_caller]
fn assert_published(stage: &Stage, report: &Report) {
    let name = report.dump.file_name().expect("a name").to_string_lossy();
    assert!(name.ends_with("_chk"), "{name}");
    let dump = DumpRoot::open(&stage.dump).expect("opened");
    let checkpoint = dump.current_checkpoint().expect("read");
    assert_eq!(checkpoint.as_deref(), Some(&*report.dump));
    assert_eq!(current(stage), report.dump);
    for link in ["current", "current_chk"] {
        let target = fs::read_link(stage.dump.join(link)).expect("a link");
        assert!(target.is_relative(), "{target:?}");
    }
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
}

/// Every inode below a directory, those of directories among them; what is
/// only being made does not count.
fn all_inodes(root: &Path) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    each(root, |path, stat| {
        if !path.windows(11).any(|part| part == b"_incomplete") {
            all.insert(stat.st_ino);
        }
    });
    all
}

/// Hard links, holes, symlinks and times in some directories.
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
        .with("large", Node::file(vec![b'l'; 3 << 20]).atime(1_000, 1))
        .dated()
}

fn begun() -> Stage {
    let stage = Stage::new();
    tree().write(&stage.source);
    stage.run(stage.snapshot());
    stage
}

#[test]
fn a_checkpoint_is_equal_and_shares_nothing() {
    let stage = begun();
    let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
    assert_eq!(report.reference, None);
    assert_eq!(report.counts.linked.number, 0);
    assert_eq!(report.counts.hard_links, 2, "{:?}", report.counts);
    assert_eq!(report.counts.copied().number, 4, "{:?}", report.counts);
    assert_eq!(report.verified, Some(report.counts.files));
    let large = report.dump.join("tree/large").metadata().expect("stat");
    assert_eq!((large.atime(), large.atime_nsec()), (1_000, 1));
}

#[test]
fn the_next_dump_links_to_the_checkpoint() {
    let stage = begun();
    let old = inodes(&stage.newest());
    let report = made(&stage, Checkpoint::new(&stage.dump));
    assert_eq!(report.verified, None);
    let checkpoint = inodes(&stage.newest());
    assert_ne!(old, checkpoint);
    let report = stage.run(stage.snapshot());
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
    assert_eq!(inodes(&stage.newest()), checkpoint);
    // And a checkpoint of a dump of links is a copy again.
    made(&stage, Checkpoint::new(&stage.dump).verify(true));
}

#[test]
fn several_roots_stand_beside_each_other() {
    let stage = Stage::new();
    tree().write(&stage.source);
    let second = stage.dump.with_file_name("second");
    fs::create_dir(&second).expect("made");
    tree().write(&second);
    let both = || Snapshot::new(&stage.dump).main(&stage.source).main(&second);
    both().init(true).run().expect("published");
    let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
    let names = fs::read_dir(&report.dump).expect("listed");
    let names: BTreeSet<_> = names.map(|e| e.expect("listed").file_name()).collect();
    assert_eq!(names, BTreeSet::from([ROOT.into(), "second".into()]));
    let next = both().run().expect("published");
    assert_eq!(next.counts.copied().number, 0, "{:?}", next.counts);
}

#[test]
fn a_dry_run_writes_nothing() {
    let stage = begun();
    let history = History::of(&stage.dump);
    let before = current(&stage);
    let report = Checkpoint::new(&stage.dump).dry_run(true).run();
    let report = report.expect("done");
    assert_eq!(report.counts.copied().number, 4, "{:?}", report.counts);
    assert!(report.counts.allocated >= 3 << 20);
    assert!(report.dry_run && !report.dump.exists());
    assert_eq!(current(&stage), before);
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
    history.assert_unchanged(&stage.dump);
}

#[test]
fn without_a_dump_there_is_no_checkpoint() {
    let stage = Stage::new();
    let error = Checkpoint::new(&stage.dump).run().expect_err("nothing");
    assert!(matches!(error, Error::NoCurrent { .. }), "{error}");
    // A dump in which there is no tree is none that a program made.
    fs::create_dir_all(stage.dump.join("2026/1122/2331")).expect("made");
    std::os::unix::fs::symlink("2026/1122/2331", stage.dump.join("current")).expect("linked");
    let error = Checkpoint::new(&stage.dump).run().expect_err("nothing");
    assert!(
        Chain(&error).to_string().contains("it contains no tree"),
        "{error}"
    );
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
}

#[test]
fn one_made_by_hand_can_be_copied() {
    let stage = Stage::new();
    let first = stage.dump.join("first").join(ROOT);
    fs::create_dir_all(&first).expect("made");
    tree().write(&first);
    std::os::unix::fs::symlink("first/tree", stage.dump.join("current")).expect("linked");
    made(&stage, Checkpoint::new(&stage.dump).verify(true));
}

/// Stops after this many entries.
fn stopped_after(stage: &Stage, entries: usize) {
    let (seen, stop) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        let entry = matches!(event, Event::Entry { .. });
        if entry && seen.fetch_add(1, Ordering::Relaxed) + 1 >= entries {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let before = current(stage);
    let history = History::of(&stage.dump);
    let checkpoint = Checkpoint::new(&stage.dump).jobs(1);
    let outcome = checkpoint.observer(Arc::new(watch)).stop(stop).run();
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    assert_eq!(current(stage), before);
    history.assert_unchanged(&stage.dump);
}

#[test]
fn one_that_was_stopped_is_gone_on_with() {
    for power_lost in [false, true] {
        let stage = begun();
        stopped_after(&stage, 4);
        let left = leftovers(&stage.dump);
        assert_eq!(left.len(), 1);
        if power_lost {
            xattr::remove(&left[0], "user.dump.flushed").expect("the mark is gone");
            zero_what_is_there(&left[0]);
        }
        let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
        assert!(report.resumed);
        let kept = report.counts.kept.number;
        assert!(kept > 0 || power_lost, "{:?}", report.counts);
    }
}

/// What a power loss leaves of files that were never flushed.
fn zero_what_is_there(site: &Path) {
    let mut files = Vec::new();
    each(site, |path, stat| {
        if stat.st_mode & 0o170_000 == 0o100_000 && stat.st_size > 0 {
            files.push(site.join(String::from_utf8_lossy(path).as_ref()));
        }
    });
    assert!(!files.is_empty());
    for path in files {
        overwrite(
            &path,
            0,
            &vec![0; path.metadata().expect("stat").len() as usize],
        );
    }
}

/// Other bytes under the same time.
fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mtime = path.metadata().and_then(|m| m.modified()).expect("stat");
    let file = File::options().write(true).open(path).expect("opened");
    file.write_all_at(bytes, at).expect("written");
    file.set_times(FileTimes::new().set_modified(mtime))
        .expect("dated");
}

#[test]
fn a_dumps_leftover_is_not_a_checkpoints() {
    let stage = begun();
    fs::write(stage.source.join("new"), "new").expect("written");
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Entry { .. }) {
            flag.store(true, Ordering::Relaxed);
        }
    };
    let outcome = stage
        .snapshot()
        .jobs(1)
        .observer(Arc::new(watch))
        .stop(stop)
        .run();
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    let left = leftovers(&stage.dump);
    assert_eq!(left.len(), 1);
    let before = current(&stage);
    // It holds links to the dump, which a checkpoint must not have.
    let report = Checkpoint::new(&stage.dump)
        .verify(true)
        .run()
        .expect("made");
    assert!(!report.resumed);
    assert_eq!(
        diff_trees(&before, &report.dump, &wholly()),
        Vec::<String>::new()
    );
    assert_eq!(leftovers(&stage.dump), left);
    let next = stage.run(stage.snapshot());
    assert!(next.resumed);
}

/// Runs with `--verify`, and does something to what is made before it is
/// read back.
fn tampered(stage: &Stage, act: impl Fn(&Path) + Send + Sync + 'static) -> Result<Report, Error> {
    let dump = stage.dump.clone();
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Phase(Phase::Verifying)) {
            act(&leftovers(&dump)[0].join(ROOT));
        }
    };
    let checkpoint = Checkpoint::new(&stage.dump)
        .verify(true)
        .observer(Arc::new(watch));
    checkpoint.run()
}

#[test]
fn a_copy_that_differs_is_not_published() {
    type Act = fn(&Path);
    let acts: [(&str, Act); 6] = [
        ("large", |copy| {
            overwrite(&copy.join("large"), 2 << 20, b"?");
        }),
        ("sparse", |copy| {
            overwrite(&copy.join("sparse"), 1 << 20, b"?");
        }),
        ("other", |copy| {
            fs::remove_file(copy.join("other")).expect("removed");
        }),
        ("symlink", |copy| {
            fs::remove_file(copy.join("symlink")).expect("removed");
        }),
        ("empty", |copy| {
            fs::remove_dir(copy.join("empty")).expect("removed");
        }),
        ("link", |copy| {
            // A copy in the place of a hard link.
            let (link, file) = (copy.join("dir/below/link"), copy.join("dir/file"));
            fs::remove_file(&link).expect("removed");
            fs::copy(&file, &link).expect("copied");
        }),
    ];
    for (name, act) in acts {
        let stage = begun();
        let before = current(&stage);
        let history = History::of(&stage.dump);
        match tampered(&stage, act) {
            Err(Error::VerifyFailed { path }) => {
                let names = path.display().to_string();
                // Which name of a group is looked at first is anybody's guess.
                let group = ["other", "link"].contains(&name);
                assert!(names.contains(name) || group, "{names}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(current(&stage), before);
        history.assert_unchanged(&stage.dump);
        // The next run does not believe what is there.
        let report = made(&stage, Checkpoint::new(&stage.dump));
        assert!(report.resumed);
    }
}

#[test]
fn a_copy_that_is_the_same_is_published() {
    let stage = begun();
    let report = tampered(&stage, |copy| {
        assert!(copy.join("large").exists());
    });
    assert_published(&stage, &report.expect("published"));
}

#[test]
fn a_dump_that_somebody_removes_meanwhile_is_none() {
    let stage = begun();
    let before = current(&stage);
    let away = stage.dump.join("away");
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Phase(Phase::Syncing)) {
            fs::rename(&before, &away).expect("renamed");
        }
    };
    let outcome = Checkpoint::new(&stage.dump).observer(Arc::new(watch)).run();
    assert!(
        matches!(outcome, Err(Error::SourceGone { .. })),
        "{outcome:?}"
    );
}

/// A stage on a filesystem of its own.
fn on(mount: &Mount) -> Stage {
    let top = mount.path().join("top");
    fs::create_dir(&top).expect("made");
    Stage::within(&top)
}

#[test]
#[ignore = "needs root, loop mounts, xfsprogs, btrfs-progs and rsync"]
fn on_real_filesystems_no_extent_is_shared() {
    for fs in [Fs::Ext4, Fs::Xfs, Fs::Btrfs] {
        let mount = Mount::new(fs, 512);
        let stage = on(&mount);
        let options = OddOptions {
            huge: 64 << 20,
            symlink_max: 1023,
            ..OddOptions::new(true)
        };
        odd_tree_with(&stage.source, &options);
        stage.run(stage.snapshot());
        // On xfs and btrfs this one lends its blocks to the next dump.
        let file = stage.source.join("lender");
        fs::write(&file, vec![b'l'; 200_000]).expect("written");
        stage.run(stage.snapshot());
        xattr::set(&file, "user.lent", b"yes").expect("set");
        stage.run(stage.snapshot());
        let before = current(&stage);
        let lent = !fiemap::shared_files(&before).is_empty();
        assert_eq!(lent, fs != Fs::Ext4, "{fs:?}");
        let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
        assert_rsync_same(&before.join(ROOT), &report.dump.join(ROOT));
        let shared = fiemap::shared_files(&report.dump);
        assert_eq!(shared, Vec::<String>::new(), "{fs:?}");
        let next = stage.run(stage.snapshot());
        assert_eq!(next.counts.copied().number, 0, "{fs:?}: {:?}", next.counts);
    }
}

/// A tree of about 24 MB, for a small disk.
fn bulky(stage: &Stage) {
    for i in 0..24 {
        let name = stage.source.join(format!("file{i:02}"));
        fs::write(&name, vec![i; 1 << 20]).expect("written");
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        let file = File::options().write(true).open(&name).expect("opened");
        file.set_times(FileTimes::new().set_modified(old))
            .expect("dated");
    }
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_cannot_fit_is_not_begun() {
    let mount = Mount::new(Fs::Ext4, 64);
    let stage = on(&mount);
    bulky(&stage);
    stage.run(stage.snapshot());
    let before = current(&stage);
    let error = Checkpoint::new(&stage.dump).run().expect_err("full");
    match &error {
        Error::NoSpace { needed, free, .. } => {
            assert!((24 << 20..26 << 20).contains(needed), "{needed}");
            assert!(free < needed);
        }
        other => panic!("{other}"),
    }
    let text = error.to_string();
    assert!(text.contains("MiB missing"), "{text}");
    assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
    assert_eq!(current(&stage), before);
}

/// A dump that has expired and is kept to be recycled makes room.
#[test]
#[ignore = "needs root and loop mounts"]
fn what_fits_without_an_expired_dump_is_made_without_it() {
    let mount = Mount::new(Fs::Ext4, 100);
    let stage = on(&mount);
    bulky(&stage);
    stage.run(stage.snapshot());
    let spare = stage.dump.join(".dump/removing/2025-0101-0000.spare");
    fs::create_dir_all(spare.join("old")).expect("made");
    fs::write(spare.join("old/large"), vec![1; 20 << 20]).expect("written");
    let free = || {
        let found = rustix::fs::statvfs(mount.path()).expect("asked");
        found.f_bavail * found.f_frsize
    };
    assert!(free() < 24 << 20);
    let dry = RunOptions::new().dry_run(true);
    let dry = Checkpoint::new(&stage.dump).options(dry).run();
    assert!(dry.expect("looked at").dry_run);
    assert!(spare.exists(), "a dry run removes nothing");
    let report = Checkpoint::new(&stage.dump).run().expect("published");
    assert_rsync_same(&stage.source, &report.dump.join(ROOT));
    assert!(!spare.exists());
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_full_disk_stops_it_and_room_lets_it_go_on() {
    let mount = Mount::new(Fs::Ext4, 100);
    let stage = on(&mount);
    bulky(&stage);
    stage.run(stage.snapshot());
    let ballast = mount.path().join("ballast");
    fs::write(&ballast, vec![1; 20 << 20]).expect("written");
    let before = current(&stage);
    let history = History::of(&stage.dump);
    let checkpoint = Checkpoint::new(&stage.dump).space_check(false);
    let error = checkpoint.run().expect_err("full");
    assert!(matches!(error, Error::DumpDisk { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(current(&stage), before);
    history.assert_unchanged(&stage.dump);
    assert_eq!(leftovers(&stage.dump).len(), 1);
    // What is there need not fit again: less than all of it is made room for.
    fs::remove_file(&ballast).expect("removed");
    let free = rustix::fs::statvfs(mount.path()).expect("asked");
    let free = free.f_bavail * free.f_frsize;
    assert!(free < 24 << 20, "{free}: the test is of a smaller disk");
    let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
    assert!(report.resumed && report.counts.kept.number > 0);
}

/// Three dumps: the first and the last hold files of the same size and time
/// in different inodes and blocks, with these bytes in the last alone.
fn with_a_damaged_file(mount: &mut Mount, needle: &[u8]) -> Stage {
    let stage = on(mount);
    let file = stage.source.join("dir/bad");
    fs::create_dir(stage.source.join("dir")).expect("made");
    fs::write(stage.source.join("dir/good"), vec![b'g'; 50_000]).expect("written");
    let write = |needle: &[u8], mtime: u64| {
        let mut bytes = vec![b'b'; 100_000];
        bytes[50_000..50_000 + needle.len()].copy_from_slice(needle);
        fs::write(&file, bytes).expect("written");
        let mtime = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime);
        let open = File::options().write(true).open(&file).expect("opened");
        open.set_times(FileTimes::new().set_modified(mtime))
            .expect("dated");
    };
    let older: Vec<u8> = needle.iter().map(|b| b ^ 1).collect();
    for (bytes, mtime) in [(&older[..], 1_000), (b"other", 2_000), (needle, 1_000)] {
        write(bytes, mtime);
        stage.run(stage.snapshot());
    }
    // The main tree is not to be damaged with it.
    write(&older, 1_000);
    // What is free now may hold the bytes still.
    assert!(mount.damage(needle) >= 1);
    fs::read(current(&stage).join("tree/dir/bad")).expect_err("damaged");
    stage
}

fn dumps(stage: &Stage) -> Vec<PathBuf> {
    let dump = DumpRoot::open(&stage.dump).expect("opened");
    let names = dump.list().expect("listed").into_iter();
    names.map(|name| stage.dump.join(name.path())).collect()
}

#[test]
#[ignore = "needs root, loop mounts and btrfs-progs"]
fn a_damaged_file_is_named_with_its_good_version() {
    let needle = b"bytes that are nowhere else in this filesystem";
    for with_main in [false, true] {
        let mut mount = Mount::new(Fs::Btrfs, 256);
        let stage = with_a_damaged_file(&mut mount, needle);
        let all = dumps(&stage);
        let (oldest, newest) = (&all[0], &all[2]);
        let mut checkpoint = Checkpoint::new(&stage.dump).verify(true);
        let mut good = oldest.join("tree/dir/bad");
        if with_main {
            checkpoint = checkpoint.main(&stage.source);
            good = stage.source.join("dir/bad");
        }
        let report = checkpoint.run().expect("published");
        let bad = newest.join("tree/dir/bad");
        let faults: Vec<_> = report.faults.iter().map(|fault| &fault.path).collect();
        assert_eq!(faults, [&bad]);
        assert!(!report.is_complete());
        let good = Some(good);
        assert_eq!(report.warnings, [Warning::Damaged { path: bad, good }]);
        assert_published(&stage, &report);
        let read = |name: &str| fs::read(report.dump.join("tree/dir").join(name));
        assert_eq!(read("good").expect("read"), vec![b'g'; 50_000]);
        assert!(read("bad").is_err(), "what is half copied must not stand");
        // The next dump has it from the main tree.
        let next = stage.snapshot().run().expect("published");
        stage.assert_same();
        assert_eq!(next.counts.copied_new.number, 1, "{:?}", next.counts);
    }
}

#[test]
#[ignore = "needs root, loop mounts and btrfs-progs"]
fn a_good_version_is_not_looked_for_through_symlinks() {
    let needle = b"bytes that are nowhere else in this filesystem";
    let mut mount = Mount::new(Fs::Btrfs, 256);
    let stage = with_a_damaged_file(&mut mount, needle);
    let oldest = dumps(&stage)[0].join("tree/dir");
    let away = mount.path().join("away");
    fs::rename(&oldest, &away).expect("renamed");
    std::os::unix::fs::symlink(&away, &oldest).expect("linked");
    assert_eq!(
        fs::metadata(oldest.join("bad")).expect("stat").mtime(),
        1_000
    );
    let report = Checkpoint::new(&stage.dump).run().expect("published");
    let good: Vec<_> = report.warnings.iter().collect();
    assert!(
        matches!(good[..], [Warning::Damaged { good: None, .. }]),
        "{good:?}"
    );
}

#[test]
#[ignore = "needs root and a loop mount that gives inodes no more than 65,000 names"]
fn an_inode_with_all_names_that_it_can_have_is_copied_and_verified() {
    let mount = Mount::with(Fs::Ext4, 64, &["-N", "70000"], "");
    let stage = on(&mount);
    fs::write(stage.source.join("file"), "text").expect("written");
    fs::hard_link(stage.source.join("file"), stage.source.join("twin")).expect("linked");
    stage.run(stage.snapshot());
    let file = stage.newest().join("file");
    let many = stage.dump.join("many");
    fs::create_dir(&many).expect("made");
    for i in 2..65_000 {
        fs::hard_link(&file, many.join(i.to_string())).expect("linked");
    }
    assert_eq!(file.metadata().expect("stat").nlink(), 65_000);
    let report = made(&stage, Checkpoint::new(&stage.dump).verify(true));
    assert_eq!(report.counts.hard_links, 1, "{:?}", report.counts);
    let copy = report.dump.join("tree/file").metadata().expect("stat");
    assert_eq!(copy.nlink(), 2);
}
