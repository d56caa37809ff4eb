//! What comes of linked checkpoints later: histories, replicas and retention take them
//! for checkpoints like any other.
#![cfg(feature = "catalog")]

mod common;

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;

use common::{ROOT, Stage, tick};
use dumpcore::{
    Change, Checkpoint, DumpName, DumpRoot, KeepAmount, KeepPeriod, KeepPolicy, KeepRules,
    Navigator, Prune, Replica, Replicated, Scrub,
};
use fixtures::{Options, diff_trees, rot};

/// Four dumps with a linked checkpoint behind each; the checkpoints.
fn chain() -> (Stage, Vec<PathBuf>) {
    let stage = Stage::new();
    fs::write(stage.source.join("same"), vec![b's'; 100_000]).expect("written");
    let mut checkpoints = Vec::new();
    for turn in 0..4_u8 {
        fs::write(stage.source.join("turn"), vec![turn; 1000]).expect("written");
        tick();
        stage.snapshot().catalog(true).run().expect("published");
        tick();
        let made = Checkpoint::new(&stage.dump).linked(true).run();
        checkpoints.push(made.expect("published").dump);
    }
    (stage, checkpoints)
}

fn changes(stage: &Stage, name: &str) -> Vec<Change> {
    let navigator = Navigator::new(&stage.dump).main(&stage.source);
    let place = navigator.locate(stage.source.join(name)).expect("within");
    let told = navigator.history(&place).run();
    told.events.into_iter().map(|event| event.change).collect()
}

#[test]
fn a_history_does_not_go_back_and_forth() {
    let (stage, _) = chain();
    assert_eq!(changes(&stage, "same"), [Change::Create]);
    let write = || Change::Write;
    assert_eq!(
        changes(&stage, "turn"),
        [Change::Create, write(), write(), write()]
    );
}

#[test]
fn a_replica_of_one_has_the_same() {
    let (stage, checkpoints) = chain();
    let slave = stage.dump.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    let replica = Replica::of(&stage.dump)
        .to(&slave)
        .init(true)
        .latest(true)
        .run();
    replica.expect("made");
    let newest = DumpRoot::open(&slave)
        .expect("opened")
        .current()
        .expect("read");
    let options = Options {
        root: false,
        ..Options::of_runner()
    };
    let lines = diff_trees(&checkpoints[3], &newest.expect("one"), &options);
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// Of its own, made in the minute of the dump that is to come.
#[test]
fn a_checkpoint_of_the_second_disk_is_no_replica() {
    for linked in [true, false] {
        let stage = Stage::new();
        fs::write(stage.source.join("file"), "old").expect("written");
        let slave = stage.dump.with_file_name("slave");
        fs::create_dir(&slave).expect("made");
        let replica = || Replica::of(&stage.dump).to(&slave).latest(true);
        let old = stage
            .snapshot()
            .at("2026-01-01T00:00".parse().expect("a minute"));
        old.run().expect("published");
        replica().init(true).run().expect("made");
        let made = Checkpoint::new(&slave).linked(linked).run();
        let checkpoint = made.expect("published").name().expect("named");
        fs::write(stage.source.join("file"), "new").expect("written");
        let new = stage.snapshot().at(checkpoint.stamp);
        new.run().expect("published");

        let Replicated::Made(report) = replica().run().expect("made") else {
            panic!("it is not there yet");
        };
        let name = DumpName::dump(checkpoint.stamp);
        assert_eq!(report.name(), Some(name), "{linked}");
        let root = DumpRoot::open(&slave).expect("opened");
        assert_eq!(root.current_name().expect("read"), Some(name.into()));
        let link = fs::read_link(slave.join("current_chk")).expect("a link");
        assert_eq!(link.to_str(), Some(&*checkpoint.to_string()));
        let text = fs::read_to_string(report.dump.join(ROOT).join("file"));
        assert_eq!(text.expect("replicated"), "new");
        assert!(matches!(replica().run(), Ok(Replicated::There(_))));
    }
}

#[test]
fn the_newest_checkpoints_stay_and_the_others_go_by_the_rules() {
    let (stage, checkpoints) = chain();
    let policy = KeepPolicy::new()
        .keep(KeepPeriod::Last, KeepAmount::Number(NonZeroU32::MIN))
        .checkpoints(NonZeroU32::new(2).expect("not 0"));
    let pruned = Prune::new(&stage.dump)
        .rules(KeepRules::new().tree(ROOT, policy))
        .run();
    pruned.expect("pruned");
    let left: Vec<bool> = checkpoints.iter().map(|one| one.exists()).collect();
    assert_eq!(left, [false, false, true, true]);
    // What they had is in those that stay, and is healed from them.
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let current = root.current().expect("read").expect("one");
    rot(&current.join("tree/same"), 77);
    let healed = Scrub::new(&stage.dump).heal(true).run().expect("healed");
    assert_eq!((healed.healed.len(), healed.damaged.len()), (1, 0));
    assert_eq!(
        fs::read(current.join("tree/same")).expect("read"),
        vec![b's'; 100_000]
    );
    // The next one is linked to the newest of them.
    let next = Checkpoint::new(&stage.dump)
        .linked(true)
        .run()
        .expect("made");
    assert_eq!(next.reference.as_ref(), checkpoints.last());
    assert_eq!(next.counts.copied().number, 0, "{:?}", next.counts);
}
