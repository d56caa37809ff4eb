//! Replicas: what is said of the two dump roots, and what is waited for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{NaiveDate, TimeDelta};
use dumpcore::{Chain, Error, Event, Replica, Replicated, Report, Snapshot, Stamp, Warning};

/// A dump root with dumps made by hand, of which the last is `current`, and
/// an empty one.
struct Roots {
    dir: assert_fs::TempDir,
}

impl Roots {
    fn new(dumps: &[&str]) -> Self {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let roots = Self { dir };
        for root in [roots.from(), roots.to()] {
            fs::create_dir(root).expect("made");
        }
        for dump in dumps {
            let tree = roots.from().join(dump).join("tree");
            fs::create_dir_all(&tree).expect("made");
            fs::write(tree.join("name"), dump).expect("written");
            roots.point(dump);
        }
        roots
    }

    fn from(&self) -> PathBuf {
        self.dir.path().join("from")
    }

    fn to(&self) -> PathBuf {
        self.dir.path().join("to")
    }

    fn point(&self, at: &str) {
        let current = self.from().join("current");
        let _ = fs::remove_file(&current);
        symlink(at, current).expect("linked");
    }

    fn replica(&self) -> Replica {
        Replica::of(self.from()).to(self.to())
    }

    #[track_caller]
    fn made(&self, replica: Replica, of: &str) -> Report {
        match replica.run() {
            Ok(Replicated::Made(report)) => {
                assert_eq!(report.dump, self.to().join(of));
                *report
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Ends a run that begins to wait.
fn stopped() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

fn refused(replica: Replica) -> Error {
    match replica.run() {
        Err(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dump_root_is_no_second_disk_of_itself() {
    let roots = Roots::new(&["2025/1230/1200", "2025/1231/1200"]);
    let link = roots.dir.path().join("link");
    symlink("from", &link).expect("linked");
    for to in [roots.from(), link, roots.from().join("../from")] {
        for latest in [false, true] {
            for init in [false, true] {
                let replica = Replica::of(roots.from()).to(&to).latest(latest).init(init);
                let error = refused(replica.wait(true).stop(stopped()));
                assert!(matches!(error, Error::SameRoot { .. }), "{error}");
            }
        }
    }
    // Nor is one waited for that would be refused once it is there.
    fs::remove_file(roots.from().join("current")).expect("removed");
    let error = refused(
        Replica::of(roots.from())
            .to(roots.from())
            .wait(true)
            .stop(stopped()),
    );
    assert!(matches!(error, Error::SameRoot { .. }), "{error}");
}

#[test]
fn one_filesystem_for_both_is_told_when_the_second_root_is_set_up() {
    let roots = Roots::new(&["2025/1230/1200", "2025/1231/1200"]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let warnings = Arc::clone(&told);
    let listen = Arc::new(move |event: Event<'_>| {
        if let Event::Warning(warning) = event {
            warnings.lock().expect("not poisoned").push(warning.clone());
        }
    });
    let warning = Warning::SameFilesystem {
        from: roots.from(),
        dump: roots.to(),
    };
    roots.point("2025/1230/1200");
    let first = roots
        .replica()
        .init(true)
        .latest(true)
        .observer(listen.clone());
    let report = roots.made(first, "2025/1230/1200");
    assert_eq!(report.warnings, std::slice::from_ref(&warning));
    assert_eq!(report.warnings_total, 1);
    let report = roots.made(roots.replica().observer(listen), "2025/1231/1200");
    assert_eq!(report.warnings, []);
    assert_eq!(*told.lock().expect("not poisoned"), [warning]);
}

#[test]
fn a_report_names_the_dump_that_was_copied() {
    let roots = Roots::new(&["2025/1231/1200"]);
    let report = roots.made(roots.replica().init(true), "2025/1231/1200");
    assert_eq!(report.source, Some(roots.from().join("2025/1231/1200")));
    let report = dumpcore::Checkpoint::new(roots.to()).run().expect("made");
    assert_eq!(report.source, Some(roots.to().join("2025/1231/1200")));
    let tree = roots.dir.path().join("tree");
    fs::create_dir(&tree).expect("made");
    let snapshot = Snapshot::new(roots.to())
        .main(&tree)
        .allow_empty(true)
        .run()
        .expect("made");
    assert_eq!(snapshot.source, None);
}

#[test]
fn the_latest_is_what_current_names() {
    // One of the future, as a clock that was wrong leaves behind.
    let roots = Roots::new(&["9999/1231/2359", "2025/1230/1200"]);
    let latest = || roots.replica().latest(true);
    roots.made(latest().init(true), "2025/1230/1200");
    let next = roots.from().join("2025/1231/1200/tree");
    fs::create_dir_all(&next).expect("made");
    roots.point("2025/1231/1200");
    roots.made(latest(), "2025/1231/1200");
    let again = latest().run();
    assert!(matches!(again, Ok(Replicated::There(_))), "{again:?}");
}

/// A machine that was carried to the west has dumps of yesterday whose names
/// are of today or tomorrow, and younger ones whose names are older.
#[test]
fn the_last_dump_of_yesterday_is_so_by_its_moment() {
    let dumps = [
        ("2026/0610/1500", 30),
        ("2026/0611/0700", 14),
        ("2026/0610/2330", 13),
        ("2026/0611/0130", -2),
    ];
    let names: Vec<_> = dumps.iter().map(|(name, _)| *name).collect();
    let roots = Roots::new(&names);
    let today: NaiveDate = "2026-06-11".parse().expect("a day");
    let midnight = Stamp::from_civil(today.and_hms_opt(0, 0, 0).expect("a time"));
    for (name, hours_before) in dumps {
        let moment = midnight.first_moment() - TimeDelta::hours(hours_before);
        let dump = roots.from().join(name);
        xattr::set(dump, "user.dump.moment", moment.to_rfc3339().as_bytes()).expect("set");
    }
    roots.made(roots.replica().today(today).init(true), "2026/0610/2330");
    let tomorrow = today.succ_opt().expect("a day");
    roots.made(roots.replica().today(tomorrow), "2026/0611/0130");
    // An earlier day does not move `current` back, whatever its name says.
    let yesterday = today.pred_opt().expect("a day");
    roots.made(roots.replica().today(yesterday), "2026/0610/1500");
    let current = fs::read_link(roots.to().join("current")).expect("a link");
    assert_eq!(current, Path::new("2026/0611/0130"));
}

#[test]
fn on_the_first_day_a_day_is_not_over_yet() {
    let roots = Roots::new(&["2025/1231/1200", "2025/1231/1300"]);
    let on = |text: &str| roots.replica().today(text.parse().expect("a day"));
    // A second root that has nothing is not helped by waiting.
    for first in [on("2025-12-31"), on("2025-12-31").init(true)] {
        let error = refused(first);
        assert!(matches!(error, Error::NoSuchDump { .. }), "{error}");
    }
    roots.point("2025/1231/1200");
    let first = roots.replica().latest(true).init(true);
    roots.made(first, "2025/1231/1200");
    for dry in [false, true] {
        match on("2025-12-31").dry_run(dry).run() {
            Ok(Replicated::NotYet(newest)) => {
                assert_eq!(newest, roots.to().join("2025/1231/1200"));
            }
            other => panic!("{other:?}"),
        }
    }
    // Nothing of today either: that is not a first day, but a clock that is wrong.
    let error = refused(on("2025-12-30"));
    assert!(matches!(error, Error::NoSuchDump { .. }), "{error}");
    roots.made(on("2026-01-01"), "2025/1231/1300");
}

#[test]
fn beside_a_first_copy_the_latest_is_the_last_until_now() {
    let roots = Roots::new(&["9999/1231/2359", "2025/1230/1200"]);
    fs::create_dir_all(roots.from().join("first/tree")).expect("made");
    roots.point("first/tree");
    let latest = roots.replica().latest(true).init(true);
    roots.made(latest, "2025/1230/1200");
    let roots = Roots::new(&[]);
    fs::create_dir_all(roots.from().join("first/tree")).expect("made");
    roots.point("first/tree");
    let error = refused(roots.replica().latest(true).init(true));
    assert!(matches!(error, Error::NoSuchDump { .. }), "{error}");
}

#[test]
fn a_replica_of_the_future_keeps_no_other_from_being_current() {
    let roots = Roots::new(&["2025/1230/1200", "9999/1231/2359"]);
    let latest = || roots.replica().latest(true);
    let current = || fs::read_link(roots.to().join("current")).expect("a link");
    // As long as that is what the first root has, so has the second.
    roots.made(latest().init(true), "9999/1231/2359");
    roots.made(roots.replica(), "2025/1230/1200");
    assert_eq!(current(), Path::new("9999/1231/2359"));
    roots.point("2025/1230/1200");
    let there = latest().run();
    assert!(matches!(there, Ok(Replicated::There(_))), "{there:?}");
    assert_eq!(current(), Path::new("2025/1230/1200"));
}

/// What is said while a replica waits, until so much has been said.
fn waiting(roots: &Roots, meanwhile: Vec<Box<dyn Fn() + Send + Sync>>) -> Vec<String> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let (heard, flag) = (Arc::clone(&told), Arc::clone(&stop));
    let listen = move |event: Event<'_>| {
        if let Event::Waiting(error) = event {
            let mut heard = heard.lock().expect("not poisoned");
            match meanwhile.get(heard.len()) {
                Some(act) => act(),
                None => flag.store(true, Ordering::Relaxed),
            }
            heard.push(Chain(error).to_string());
        }
    };
    let replica = roots
        .replica()
        .wait(true)
        .observer(Arc::new(listen))
        .stop(stop);
    let error = refused(replica);
    assert!(matches!(error, Error::Interrupted), "{error}");
    std::mem::take(&mut *told.lock().expect("not poisoned"))
}

#[test]
fn what_is_waited_for_is_told_truly() {
    let roots = Roots::new(&[]);
    fs::remove_dir(roots.from()).expect("removed");
    let from = roots.from();
    let make: Box<dyn Fn() + Send + Sync> = Box::new(move || fs::create_dir(&from).expect("made"));
    let told = waiting(&roots, vec![make]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("No such file or directory"), "{told:?}");
    assert!(told[1].contains("has no link 'current'"), "{told:?}");
}

#[test]
fn what_will_not_change_by_waiting_is_told_at_once() {
    let roots = Roots::new(&["2025/1231/1200"]);
    let wait = || roots.replica().init(true).wait(true).stop(stopped());
    for bad in ["/etc", "2025/1231/1300", "notes"] {
        roots.point(bad);
        let error = refused(wait());
        assert!(matches!(error, Error::BadCurrent { .. }), "{bad}: {error}");
    }
    fs::remove_file(roots.from().join("current")).expect("removed");
    fs::create_dir(roots.from().join("current")).expect("made");
    let error = refused(wait());
    assert!(matches!(error, Error::BadCurrent { .. }), "{error}");
    // No directory, and a path through none.
    fs::rename(roots.from(), roots.dir.path().join("away")).expect("renamed");
    fs::write(roots.from(), "a file").expect("written");
    for from in [roots.from(), roots.from().join("dump")] {
        let error = refused(Replica::of(&from).to(roots.to()).wait(true).stop(stopped()));
        assert!(matches!(error, Error::DumpUnusable { .. }), "{error}");
    }
}
