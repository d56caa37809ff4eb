//! What the chapter "In a program" promises.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use assert_fs::TempDir;
use dumpcore::chrono::{TimeDelta, Utc};
use dumpcore::{
    Action, DumpId, DumpName, DumpRoot, Error, Event, Filter, FilterError, FindError, Navigator,
    NotADump, Printable, Report, RestoreError, RunOptions, Snapshot,
};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().expect("a directory"));
        fs::create_dir(place.at("tree")).expect("made");
        fs::create_dir(place.at("dump")).expect("made");
        fs::write(place.at("tree/letter"), "a draft").expect("written");
        place
    }

    fn at(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.at("dump")).main(self.at("tree"))
    }
}

fn name(report: &Report) -> DumpName {
    report.name().expect("a report of a run names a dump")
}

#[test]
fn a_panic_of_an_observer_comes_out_and_the_next_run_publishes() {
    let place = Place::new();
    place.snapshot().init(true).run().expect("published");
    for number in 0..50 {
        fs::write(place.at(&format!("tree/{number}")), "new").expect("written");
    }
    let root = DumpRoot::open(place.at("dump")).expect("opened");
    let before = root.current().expect("read");
    for jobs in [1, 3] {
        let observer = |event: Event<'_>| {
            if let Event::Entry { did, .. } = event {
                assert!(!matches!(did, Action::Copied(_)), "meant to panic");
            }
        };
        let run = place.snapshot().jobs(jobs).observer(Arc::new(observer));
        let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
        assert!(outcome.is_err(), "{jobs} workers: {outcome:?}");
        assert_eq!(root.current().expect("read"), before);
    }
    let report = place.snapshot().run().expect("published");
    assert!(report.is_complete() && report.resumed);
}

#[test]
fn one_run_at_a_time_writes_also_within_a_process() {
    let place = Place::new();
    place.snapshot().init(true).run().expect("published");
    let root = DumpRoot::open(place.at("dump")).expect("opened");
    let lock = root.lock().expect("locked");
    let busy = place.snapshot().run();
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    // Reading takes none.
    assert_eq!(root.list().expect("listed").len(), 1);
    drop(lock);
    place.snapshot().run().expect("published");
}

#[test]
fn a_dump_root_tells_its_newest_dump_and_age_and_removes() {
    let place = Place::new();
    let first = place.snapshot().init(true).run().expect("published");
    let root = DumpRoot::open(place.at("dump")).expect("opened");
    let current = || root.current_name().expect("read");
    assert_eq!(current(), Some(DumpId::Dump(name(&first))));
    // Within the minute, so that its name runs ahead of the clock.
    let second = place.snapshot().run().expect("published");
    assert_eq!(current(), Some(DumpId::Dump(name(&second))));
    assert!(name(&second) > name(&first));
    let age = |now| root.age(now).expect("read").expect("a dump");
    let now = Utc::now();
    assert!(age(now) >= TimeDelta::zero() && age(now) < TimeDelta::minutes(5));
    assert_eq!(
        age(now + TimeDelta::hours(1)) - age(now),
        TimeDelta::hours(1)
    );
    let third = place.snapshot().run().expect("published");
    let removal = root.remove(name(&second)).expect("removed");
    assert!(removal.is_complete(), "{removal:?}");
    // `current` names one, and `current_chk` the other.
    for kept in [name(&first), name(&third)] {
        let left = root.remove(kept).expect("looked at").left;
        assert_eq!(left[0].reason.as_str(), "linked");
    }
    assert_eq!(root.list().expect("listed"), [name(&first), name(&third)]);
}

#[test]
fn all_errors_become_one_by_the_question_mark() {
    fn all(place: &Place, what: &str) -> Result<(), Error> {
        let root = DumpRoot::open(place.at("dump"))?;
        root.list()?;
        let mut filter: Filter = "*.o".parse()?;
        filter.add_rule("*.tmp")?;
        let navigator = Navigator::new(root.path()).main(place.at("tree"));
        match what {
            "dump" => drop(root.find("2020/0101/0000")?),
            "rule" => filter.add_rule("- ")?,
            "path" => drop(navigator.locate("/nowhere")?),
            "directory" => {
                let at = navigator.locate(place.at("tree"))?;
                navigator.version_at(&at, Utc::now())?.open()?;
            }
            _ => {
                let at = navigator.locate(place.at("tree/letter"))?;
                let mut file = navigator.version_at(&at, Utc::now())?.open()?;
                let text = std::io::read_to_string(&mut file).expect("read");
                assert_eq!(text, "a draft");
            }
        }
        Ok(())
    }
    let place = Place::new();
    place.snapshot().init(true).run().expect("published");
    all(&place, "file").expect("it is there");
    let other = |what: &str| match all(&place, what) {
        Err(Error::Other(error)) => error,
        other => panic!("{what}: {other:?}"),
    };
    assert!(other("dump").downcast_ref::<NotADump>().is_some());
    assert!(other("rule").downcast_ref::<FilterError>().is_some());
    assert!(other("path").downcast_ref::<FindError>().is_some());
    match all(&place, "directory") {
        Err(Error::Fault(fault)) => assert!(fault.path.ends_with("tree"), "{fault}"),
        other => panic!("{other:?}"),
    }
    let path = place.at("tree/letter");
    let exists = Error::from(RestoreError::Exists { path: path.clone() });
    assert!(
        exists
            .to_string()
            .contains(&Printable::path(&path).to_string())
    );
    let stopped = Error::from(RestoreError::Interrupted { path });
    assert!(matches!(stopped, Error::Interrupted));
}

#[test]
fn options_serve_several_operations_on_several_threads() {
    let place = Place::new();
    place.snapshot().init(true).run().expect("published");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let options = RunOptions::new().stop(stop);
    let run = place.snapshot().options(options);
    let again = run.clone();
    let running = std::thread::spawn(move || run.run());
    let outcome = running.join().expect("no panic");
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    assert!(matches!(again.run(), Err(Error::Interrupted)));
}
