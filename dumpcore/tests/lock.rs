//! The lock of a dump root that somebody takes away, and leftovers that another
//! program holds.

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use common::{Stage, leftovers};
use dumpcore::{Checkpoint, Error, Event, Observer, Phase, Replica, Warning};
use rustix::fs::{FlockOperation, flock};

/// Does something once while a run stores.
fn as_it_stores(act: impl Fn() + Send + Sync + 'static) -> Arc<dyn Observer> {
    Arc::new(move |event: Event<'_>| {
        if let Event::Phase(Phase::Syncing) = event {
            act();
        }
    })
}

fn begun() -> Stage {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    stage.run(stage.snapshot());
    stage
}

#[test]
fn a_run_whose_lock_is_taken_away_publishes_nothing() {
    let stage = begun();
    let (before, slave) = (stage.newest(), stage.dump.with_file_name("slave"));
    fs::create_dir(&slave).expect("made");
    let take_away = |dump: &Path| fs::remove_dir_all(dump.join(".dump")).expect("removed");
    let dump = stage.dump.clone();
    let lost = as_it_stores(move || take_away(&dump));
    let run = stage.snapshot().observer(lost.clone()).run();
    assert!(matches!(run, Err(Error::LockLost { .. })), "{run:?}");
    let run = Checkpoint::new(&stage.dump).observer(lost).run();
    assert!(matches!(run, Err(Error::LockLost { .. })), "{run:?}");
    assert_eq!(stage.newest(), before);
    assert_eq!(leftovers(&stage.dump).len(), 2);
    let to = slave.clone();
    let lost = as_it_stores(move || take_away(&to));
    let replica = || Replica::of(&stage.dump).to(&slave).latest(true).init(true);
    let run = replica().observer(lost).run();
    assert!(matches!(run, Err(Error::LockLost { .. })), "{run:?}");
    assert!(slave.join("current").symlink_metadata().is_err());
    replica().run().expect("replicated");
    // A second run that began without the first one's lock leaves its site alone.
    let (dump, second) = (stage.dump.clone(), stage.snapshot());
    let two = as_it_stores(move || {
        take_away(&dump);
        let report = second.clone().run().expect("it has a lock of its own");
        let held = |warning: &Warning| matches!(warning, Warning::HeldLeftover { .. });
        assert!(report.warnings.iter().any(held), "{:?}", report.warnings);
    });
    let run = stage.snapshot().observer(two).run();
    assert!(matches!(run, Err(Error::LockLost { .. })), "{run:?}");
    Checkpoint::new(&stage.dump).run().expect("copied");
    stage.run(stage.snapshot());
}

#[test]
fn a_leftover_that_is_held_is_left_alone() {
    let stage = begun();
    let day = stage.newest();
    let day = day.ancestors().nth(2).expect("a day");
    let site = day.join("0000_incomplete");
    fs::create_dir_all(site.join("tree")).expect("made");
    let held = File::open(&site).expect("opened");
    flock(&held, FlockOperation::LockShared).expect("held");
    let report = stage.snapshot().run().expect("dumped");
    assert!(!report.resumed && site.is_dir());
    drop(held);
    assert!(stage.run(stage.snapshot()).resumed);
    assert!(!site.exists());
}

#[test]
fn a_dump_is_read_though_somebody_holds_it_and_is_held_meanwhile() {
    let stage = begun();
    let dump = stage.newest();
    let held = File::open(dump.parent().expect("a dump")).expect("opened");
    flock(&held, FlockOperation::LockExclusive).expect("held");
    let slave = stage.dump.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    // A removal would take the name away: what keeps it is read anyway.
    Replica::of(&stage.dump)
        .to(&slave)
        .latest(true)
        .init(true)
        .run()
        .expect("replicated");
    Checkpoint::new(&stage.dump).run().expect("copied");
    drop(held);
    // And while it is read, nobody takes it.
    let dump = stage.newest();
    let taken = as_it_stores(move || {
        let other = File::open(dump.parent().expect("a dump")).expect("opened");
        let taken = flock(&other, FlockOperation::NonBlockingLockExclusive);
        assert!(taken.is_err(), "it is not held");
    });
    Checkpoint::new(&stage.dump)
        .observer(taken)
        .run()
        .expect("copied");
}
