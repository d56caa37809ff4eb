//! Replicas: which dump is taken, and what becomes of it on the other disk.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use common::{History, ROOT, inodes, leftovers};
use dumpcore::{Checkpoint, DumpRoot, Error, Event, Filter, Phase, Replica, Replicated, Report};
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{Node, OddOptions, Tree, odd_tree_with};
use fixtures::{assert_rsync_same, diff_trees};

/// Two dump roots.
struct Pair {
    _dir: Option<assert_fs::TempDir>,
    from: PathBuf,
    slave: PathBuf,
}

impl Pair {
    fn new() -> Self {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let (from, slave) = (dir.path().join("dump"), dir.path().join("slave"));
        Self::of(Some(dir), from, slave)
    }

    fn of(dir: Option<assert_fs::TempDir>, from: PathBuf, slave: PathBuf) -> Self {
        for root in [&from, &slave] {
            fs::create_dir(root).expect("made");
        }
        Self {
            _dir: dir,
            from,
            slave,
        }
    }

    /// Dumps made by hand, of which the last is `current`; each differs from
    /// the others in one file.
    fn with(dumps: &[&str]) -> Self {
        let pair = Self::new();
        for dump in dumps {
            pair.add(dump);
        }
        if let Some(last) = dumps.last() {
            symlink(last, pair.from.join("current")).expect("linked");
        }
        pair
    }

    fn add(&self, dump: &str) {
        let root = self.from.join(dump).join(ROOT);
        fs::create_dir_all(&root).expect("made");
        // Another time for each, since its length is the same.
        let digits: String = dump.chars().filter(char::is_ascii_digit).collect();
        let time = digits[2..].parse().expect("a number");
        Tree::new()
            .with("same", Node::file(*b"the same").mtime(1_000, 1))
            .with("dir/link", Node::hard_link(*b"same"))
            .with("name", Node::file(dump.as_bytes()).mtime(time, 2))
            .dated()
            .write(&root);
    }

    fn replica(&self) -> Replica {
        let init = self.slave.join("current").symlink_metadata().is_err();
        Replica::of(&self.from).to(&self.slave).init(init)
    }

    /// The same on a day.
    fn on(&self, day: &str) -> Replica {
        self.replica()
            .today(day.parse::<NaiveDate>().expect("a day"))
    }

    /// Runs, and checks all that always holds.
    #[track_caller]
    fn made(&self, replica: Replica, of: &str) -> Report {
        let history = History::of(&self.slave);
        let source = History::of(&self.from);
        let report = match replica.run() {
            Ok(Replicated::Made(report)) => *report,
            other => panic!("{other:?}"),
        };
        history.assert_unchanged(&self.slave);
        source.assert_unchanged(&self.from);
        assert!(report.is_complete(), "{:#?}", report.faults);
        let name = of.trim_end_matches("_chk");
        assert_eq!(report.dump, self.slave.join(name));
        self.assert_current(name);
        assert_eq!(leftovers(&self.slave), Vec::<PathBuf>::new());
        report
    }

    /// The replica holds what the dump holds.
    #[track_caller]
    fn assert_same(&self, of: &str) {
        let name = of.trim_end_matches("_chk");
        let trees = [self.from.join(of), self.slave.join(name)].map(|dump| dump.join(ROOT));
        let lines = diff_trees(&trees[0], &trees[1], &fixtures::Options::of_runner());
        assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
    }

    #[track_caller]
    fn assert_current(&self, name: &str) {
        let current = fs::read_link(self.slave.join("current")).expect("a link");
        assert_eq!(current, Path::new(name));
    }
}

fn refused(replica: Replica) -> Error {
    match replica.run() {
        Err(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_dump_of_the_newest_earlier_day_is_taken() {
    // Of each root: its dumps, the day, the dump that is taken.
    let cases: [(&[&str], &str, &str); 6] = [
        (
            &["2026/1121/0100", "2026/1121/2331", "2026/1122/0031"],
            "2026-11-22",
            "2026/1121/2331",
        ),
        // Over New Year.
        (
            &["2025/1231/1200", "2025/1231/2355", "2026/0101/0005"],
            "2026-01-01",
            "2025/1231/2355",
        ),
        // Days and years without dumps.
        (
            &["2023/0228/0900", "2026/0310/0900"],
            "2026-03-10",
            "2023/0228/0900",
        ),
        // A checkpoint is a dump, and the later of the same minute.
        (
            &["2026/1031/2300", "2026/1031/2330", "2026/1031/2330_chk"],
            "2026-11-01",
            "2026/1031/2330_chk",
        ),
        // One of the future, as a clock that was wrong may leave behind.
        (
            &["2026/0501/1000", "2026/0502/1000", "2031/0101/0000"],
            "2026-05-02",
            "2026/0501/1000",
        ),
        (
            &["2026/0501/0000", "2026/0502/0000"],
            "2026-05-03",
            "2026/0502/0000",
        ),
    ];
    for (dumps, day, taken) in cases {
        let pair = Pair::with(dumps);
        pair.made(pair.on(day), taken);
        pair.assert_same(taken);
    }
}

#[test]
fn what_is_no_published_dump_is_passed_over() {
    let pair = Pair::with(&["2025/1230/1200", "2026/0101/0005"]);
    for name in [
        "2025/1231/2359_incomplete/tree",
        "2025/1231/2358_chk_incomplete/tree",
        "2025/1231/notes",
        "2025/1231/2360/tree",
        "2025/1231/235/tree",
        "2025/notes/2300/tree",
        "2025/1232/2300/tree",
        "2025/0230/2300/tree",
        ".rsync",
        "lost+found",
        "notes/1231/2300/tree",
    ] {
        fs::create_dir_all(pair.from.join(name)).expect("made");
    }
    fs::write(pair.from.join("2025/1231/2357"), "a file").expect("written");
    symlink("1230", pair.from.join("2025/1229")).expect("linked");
    symlink("../1230/1200", pair.from.join("2025/1231/2356")).expect("linked");
    pair.made(pair.on("2026-01-01"), "2025/1230/1200");
    pair.assert_same("2025/1230/1200");
}

#[test]
fn current_may_be_absolute_and_name_the_tree() {
    let pair = Pair::with(&["2026/1121/2331", "2026/1122/0031"]);
    let current = pair.from.join("current");
    fs::remove_file(&current).expect("removed");
    symlink("/dump/2026/1122/0031/tree", &current).expect("linked");
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
}

#[test]
fn without_an_earlier_day_the_error_says_so() {
    let pair = Pair::with(&["2026/1122/0031", "2026/1122/0131"]);
    let error = refused(pair.on("2026-11-22"));
    assert!(matches!(error, Error::NoSuchDump { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("before today"), "{text}");
    assert_eq!(fs::read_dir(&pair.slave).expect("listed").count(), 0);
    pair.made(pair.on("2026-11-22").latest(true), "2026/1122/0131");
}

#[test]
fn each_replica_is_linked_to_the_one_before() {
    let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331", "2026/1122/0031"]);
    pair.made(pair.on("2026-11-21"), "2026/1120/2331");
    let checkpoint = fs::read_link(pair.slave.join("current_chk")).expect("a link");
    assert_eq!(checkpoint, Path::new("2026/1120/2331"));
    let report = pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    assert_eq!(report.reference, Some(pair.slave.join("2026/1120/2331")));
    assert_eq!(report.counts.linked.number, 1, "{:?}", report.counts);
    assert_eq!(report.counts.hard_links, 1, "{:?}", report.counts);
    let ino = |dump: &str, name: &str| {
        let path = pair.slave.join(dump).join(ROOT).join(name);
        path.metadata().expect("stat").ino()
    };
    let (old, new) = ("2026/1120/2331", "2026/1121/2331");
    assert_eq!(ino(old, "same"), ino(new, "dir/link"));
    assert_ne!(ino(old, "name"), ino(new, "name"));
    pair.assert_same(new);
}

#[test]
fn links_between_dumps_are_of_no_interest() {
    let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331"]);
    // One inode in two files of two dumps: in the last it has one name.
    let old = pair.from.join("2026/1120/2331/tree/same");
    fs::hard_link(old, pair.from.join("2026/1121/2331/tree/old")).expect("linked");
    pair.made(pair.on("2026-11-21"), "2026/1120/2331");
    let report = pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    assert_eq!(report.counts.hard_links, 1, "{:?}", report.counts);
    pair.assert_same("2026/1121/2331");
}

#[test]
fn one_that_is_there_is_not_made_again() {
    let pair = Pair::with(&["2026/1121/2331", "2026/1122/0031"]);
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    let history = History::of(&pair.slave);
    let before = inodes(&pair.slave);
    for dry_run in [false, true] {
        match pair.on("2026-11-22").dry_run(dry_run).run() {
            Ok(Replicated::There(path)) => assert_eq!(path, pair.slave.join("2026/1121/2331")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(inodes(&pair.slave), before);
    history.assert_unchanged(&pair.slave);
}

#[test]
fn what_stands_in_the_way_is_no_replica() {
    let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331"]);
    pair.made(pair.on("2026-11-21"), "2026/1120/2331");
    let day = pair.slave.join("2026/1121");
    fs::create_dir(&day).expect("made");
    fs::write(day.join("2331"), "a file").expect("written");
    let error = refused(pair.on("2026-11-22"));
    assert!(matches!(error, Error::NameTaken { .. }), "{error}");
    pair.assert_current("2026/1120/2331");
}

/// Two sets that are dumped in the same minute, with one second disk.
#[test]
fn a_dump_of_other_trees_in_that_minute_is_no_replica() {
    let pair = Pair::with(&["2026/1121/2331", "2026/1122/0031"]);
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    let there = pair.slave.join("2026/1121/2331");
    fs::rename(there.join(ROOT), there.join("photos")).expect("renamed");
    let error = refused(pair.on("2026-11-22"));
    assert!(matches!(error, Error::NameTaken { .. }), "{error}");
    pair.assert_current("2026/1121/2331");
}

#[test]
fn a_first_run_that_was_cut_off_before_the_links_is_mended() {
    let pair = Pair::with(&["2026/1121/2331", "2026/1122/0031"]);
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    for link in ["current", "current_chk"] {
        fs::remove_file(pair.slave.join(link)).expect("removed");
    }
    let outcome = pair.on("2026-11-22").run();
    assert!(matches!(outcome, Ok(Replicated::There(_))), "{outcome:?}");
    pair.assert_current("2026/1121/2331");
    let checkpoint = fs::read_link(pair.slave.join("current_chk")).expect("a link");
    assert_eq!(checkpoint, Path::new("2026/1121/2331"));
}

#[test]
fn an_older_dump_does_not_move_current_back() {
    let pair = Pair::with(&["2026/1119/2331", "2026/1121/2331"]);
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    match pair.on("2026-11-21").run() {
        Ok(Replicated::Made(report)) => {
            assert_eq!(report.dump, pair.slave.join("2026/1119/2331"));
        }
        other => panic!("{other:?}"),
    }
    pair.assert_same("2026/1119/2331");
    pair.assert_current("2026/1121/2331");
}

#[test]
fn the_slave_must_be_there_and_say_so() {
    let pair = Pair::with(&["2026/1121/2331"]);
    let error = refused(pair.on("2026-11-22").init(false));
    assert!(matches!(error, Error::NoCurrent { ref dump } if *dump == pair.slave));
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    let error = refused(pair.on("2026-11-22").init(true));
    assert!(matches!(error, Error::AlreadyInitialised { .. }), "{error}");
    fs::remove_file(pair.from.join("current")).expect("removed");
    let error = refused(pair.on("2026-11-22"));
    assert!(matches!(error, Error::NoCurrent { ref dump } if *dump == pair.from));
}

fn filter(rules: &[&str]) -> Filter {
    let mut filter = Filter::new();
    for rule in rules {
        filter.add_rule(rule.as_bytes()).expect("a good rule");
    }
    filter
}

#[test]
fn excludes_leave_out_entries_and_whole_trees() {
    let pair = Pair::with(&["2026/1121/2331"]);
    let second = pair.from.join("2026/1121/2331/second");
    fs::create_dir(&second).expect("made");
    fs::write(second.join("file"), "text").expect("written");
    let replica = pair
        .on("2026-11-22")
        .filter(filter(&["/second", "/tree/dir", "*.o"]));
    let report = pair.made(replica, "2026/1121/2331");
    assert_eq!(report.counts.excluded, 1, "{:?}", report.counts);
    assert!(report.dump.join("tree/same").exists());
    assert!(!report.dump.join("tree/dir").exists());
    assert!(!report.dump.join("second").exists());
    let pair = Pair::with(&["2026/1121/2331"]);
    let error = refused(pair.on("2026-11-22").filter(filter(&["/tree"])));
    assert!(matches!(error, Error::MainExcluded { .. }), "{error}");
}

#[test]
fn an_empty_tree_of_a_dump_was_meant() {
    let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331"]);
    let tree = pair.from.join("2026/1121/2331/tree");
    fs::remove_dir_all(&tree).expect("removed");
    fs::create_dir(&tree).expect("made");
    pair.made(pair.on("2026-11-21"), "2026/1120/2331");
    pair.made(pair.on("2026-11-22"), "2026/1121/2331");
    pair.assert_same("2026/1121/2331");
}

#[test]
fn a_dump_root_that_appears_late_is_waited_for() {
    let pair = Pair::with(&["2026/1121/2331"]);
    let away = pair.from.with_file_name("away");
    fs::rename(&pair.from, &away).expect("renamed");
    let told = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&told);
    let watch = move |event: Event<'_>| {
        if matches!(event, Event::Phase(Phase::Waiting)) {
            times.fetch_add(1, Ordering::Relaxed);
        }
    };
    let replica = pair.on("2026-11-22").wait(true).observer(Arc::new(watch));
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| replica.run());
        while told.load(Ordering::Relaxed) == 0 {
            assert!(!run.is_finished(), "it did not wait");
            std::thread::sleep(Duration::from_millis(5));
        }
        // It does not say so again, and does not give up.
        std::thread::sleep(Duration::from_secs(1));
        assert!(!run.is_finished());
        fs::rename(&away, &pair.from).expect("renamed");
        run.join().expect("no panic")
    });
    assert!(matches!(outcome, Ok(Replicated::Made(_))), "{outcome:?}");
    assert_eq!(told.load(Ordering::Relaxed), 1);
    pair.assert_same("2026/1121/2331");
}

#[test]
fn waiting_can_be_ended() {
    let pair = Pair::new();
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let replica = pair.replica().wait(true).stop(Arc::clone(&stop));
        let run = scope.spawn(|| replica.run());
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        run.join().expect("no panic")
    });
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn one_that_was_stopped_is_gone_on_with_also_on_another_day() {
    for (day, of) in [
        ("2026-11-22", "2026/1121/2331"),
        ("2026-11-23", "2026/1122/2331"),
    ] {
        let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331", "2026/1122/2331"]);
        pair.made(pair.on("2026-11-21"), "2026/1120/2331");
        let (seen, stop) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&stop);
        let watch = move |event: Event<'_>| {
            let entry = matches!(event, Event::Entry { .. });
            if entry && seen.fetch_add(1, Ordering::Relaxed) == 1 {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let replica = pair
            .on("2026-11-22")
            .jobs(1)
            .observer(Arc::new(watch))
            .stop(stop);
        assert!(matches!(replica.run(), Err(Error::Interrupted)));
        assert_eq!(leftovers(&pair.slave).len(), 1);
        pair.assert_current("2026/1120/2331");
        // The day of the leftover goes with it.
        let first = History::of(&pair.slave.join("2026/1120"));
        match pair.on(day).run() {
            Ok(Replicated::Made(report)) => assert!(report.resumed),
            other => panic!("{other:?}"),
        }
        first.assert_unchanged(&pair.slave.join("2026/1120"));
        assert_eq!(leftovers(&pair.slave), Vec::<PathBuf>::new());
        pair.assert_current(of);
        pair.assert_same(of);
    }
}

#[test]
fn a_dump_that_is_removed_meanwhile_makes_no_replica() {
    let pair = Pair::with(&["2026/1120/2331", "2026/1121/2331"]);
    pair.made(pair.on("2026-11-21"), "2026/1120/2331");
    let dump = pair.from.join("2026/1121/2331");
    let done = Mutex::new(false);
    let watch = move |event: Event<'_>| {
        let mut done = done.lock().expect("lock");
        if matches!(event, Event::Phase(Phase::Storing)) && !*done {
            *done = true;
            fs::remove_dir_all(&dump).expect("removed");
        }
    };
    let error = refused(pair.on("2026-11-22").observer(Arc::new(watch)));
    assert!(matches!(error, Error::SourceGone { .. }), "{error}");
    pair.assert_current("2026/1120/2331");
}

#[test]
fn a_dry_run_writes_nothing() {
    let pair = Pair::with(&["2026/1121/2331"]);
    match pair.on("2026-11-22").dry_run(true).run() {
        Ok(Replicated::Made(report)) => {
            assert!(report.dry_run);
            assert_eq!(report.counts.copied().number, 2, "{:?}", report.counts);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(&pair.slave).expect("listed").count(), 0);
}

#[test]
#[ignore = "needs root, loop mounts, xfsprogs, btrfs-progs and rsync"]
fn from_each_filesystem_to_another_everything_is_kept() {
    let kinds = [Fs::Ext4, Fs::Xfs, Fs::Btrfs];
    for (from, to) in kinds.into_iter().zip(kinds.into_iter().cycle().skip(1)) {
        let mounts = [from, to].map(|fs| Mount::new(fs, 300));
        let roots = mounts.each_ref().map(|mount| mount.path().join("root"));
        let [from, slave] = roots;
        let pair = Pair::of(None, from, slave);
        let source = mounts[0].path().join(ROOT);
        fs::create_dir(&source).expect("made");
        // What both take: xfs knows no longer symlinks.
        let options = OddOptions {
            huge: 64 << 20,
            symlink_max: 1023,
            ..OddOptions::new(true)
        };
        odd_tree_with(&source, &options);
        let dump = dumpcore::Snapshot::new(&pair.from).main(&source);
        let first = dump.init(true).run().expect("dumped");
        let name = |dump: &Path| {
            let below = dump.strip_prefix(&pair.from).expect("a dump of this root");
            below.display().to_string()
        };
        pair.made(pair.replica().latest(true), &name(&first.dump));
        assert_rsync_same(
            &first.dump.join(ROOT),
            &pair.slave.join("current").join(ROOT),
        );
        let checkpoint = Checkpoint::new(&pair.from).run().expect("made").dump;
        let report = pair.made(pair.replica().latest(true), &name(&checkpoint));
        assert_eq!(
            report.counts.copied().number,
            0,
            "{to:?}: {:?}",
            report.counts
        );
        assert_rsync_same(&checkpoint.join(ROOT), &report.dump.join(ROOT));
        let found = DumpRoot::open(&pair.slave)
            .expect("opened")
            .list()
            .expect("listed");
        assert_eq!(found.len(), 2);
    }
}
