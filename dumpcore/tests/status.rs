//! The state of a dump root, and what in it needs attention.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use chrono::{DateTime, TimeDelta, Utc};
use common::{ROOT, Stage};
use dumpcore::{
    Attention, AttentionLimits, Checkpoint, DumpRoot, RootStatus, Snapshot, WatchedTree,
};
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{Node, Tree};

/// Three dumps, with a change between them.
fn stage() -> Stage {
    let stage = Stage::new();
    Tree::new()
        .with("a", Node::file(*b"text"))
        .with("d/e/f", Node::file(*b"more"))
        .write(&stage.source);
    for text in ["one", "three", "seven"] {
        fs::write(stage.source.join("a"), text).expect("written");
        stage.run(stage.snapshot());
    }
    stage
}

fn status(stage: &Stage, now: DateTime<Utc>) -> RootStatus {
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().ok();
    root.status(catalog.as_ref(), now).expect("looked")
}

fn words(status: &RootStatus, watched: &[WatchedTree], limits: &AttentionLimits) -> Vec<String> {
    let all = status.attention(watched, limits);
    all.iter().map(|one| one.as_str().to_owned()).collect()
}

fn by_default(status: &RootStatus) -> Vec<String> {
    words(status, &[], &AttentionLimits::default())
}

#[test]
fn a_tree_that_is_dumped_needs_no_attention() {
    let stage = stage();
    let status = status(&stage, Utc::now());
    let [tree] = status.trees.as_slice() else {
        panic!("{:?}", status.trees);
    };
    assert_eq!((tree.name.to_str(), tree.dumps), (Some(ROOT), 3));
    let newest = DumpRoot::open(&stage.dump).expect("opened").current_name();
    assert_eq!(tree.newest, newest.expect("read"));
    assert_eq!((tree.lacks, tree.partial_in_a_row), (None, 0));
    assert_eq!(by_default(&status), Vec::<String>::new());
}

#[test]
#[cfg(feature = "catalog")]
fn what_a_dump_takes_is_that_of_the_last_ones() {
    let status = status(&stage(), Utc::now());
    // The tree, two directories in it, and the file that changed.
    assert_eq!(status.room.dump_inodes, Some(4));
    let bytes = status.room.dump_bytes.expect("known");
    assert!((1..100_000).contains(&bytes), "{bytes}");
    let (free, more) = (status.room.free_bytes, status.room.more.expect("known"));
    let free = free.expect("known");
    assert!(more.number <= free / bytes, "{more:?} of {free}");
    let mut limits = AttentionLimits::default();
    limits.more_dumps = more.number + 1;
    assert_eq!(words(&status, &[], &limits), ["little_room"]);
    limits.more_dumps = more.number;
    assert_eq!(words(&status, &[], &limits), Vec::<String>::new());
}

#[test]
#[cfg(feature = "catalog")]
fn with_retention_it_is_known_where_it_settles() {
    use chrono::Local;
    use dumpcore::{KeepPeriod, KeepPolicy, KeepRules, RoomStatus};

    let stage = stage();
    stage.run(stage.snapshot());
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let catalog = root.catalog().expect("there");
    let by = |last: &str| {
        let policy = KeepPolicy::new().keep(KeepPeriod::Last, last.parse().expect("a number"));
        let rules = KeepRules::new().tree(ROOT, policy);
        root.status_by(Some(&catalog), &rules, &Local::now())
            .expect("looked")
    };
    let (few, many) = (by("2").room, by("9").room);
    // `current_chk` names the first dump, which stays besides.
    assert_eq!(few.settled_dumps, Some(3));
    assert_eq!(many.settled_dumps, Some(10));
    let one = few.dump_bytes.expect("known");
    // Something else may write to this disk, or free some of it, meanwhile.
    let grows = |room: &RoomStatus| {
        let used = room.total_bytes.zip(room.free_bytes);
        let used = used.map(|(total, free)| i128::from(total) - i128::from(free));
        let settled = room.settled_bytes.map(i128::from);
        settled.expect("known") - used.expect("known")
    };
    assert_eq!(grows(&many) - grows(&few), i128::from(7 * one));
    assert_eq!((few.suffices, many.suffices), (Some(true), Some(true)));
    let more = few.more.expect("known").number;
    let mut limits = AttentionLimits::default();
    limits.more_dumps = more.saturating_mul(2);
    assert_eq!(words(&by("9"), &[], &limits), Vec::<String>::new());
    // For all of these there is none.
    let endless = by(&(u64::from(u32::MAX).min(more.saturating_mul(2))).to_string());
    assert_eq!(endless.room.settled_dumps, None);
    assert_eq!(words(&endless, &[], &limits), ["little_room"]);
    let rules = KeepRules::new();
    let without = root.status_by(Some(&catalog), &rules, &Local::now());
    assert_eq!(without.expect("looked").room.settled_dumps, None);
}

#[test]
fn what_no_run_tells_of() {
    let stage = stage();
    let later = |by: TimeDelta| status(&stage, Utc::now() + by);
    assert_eq!(
        by_default(&later(TimeDelta::hours(25))),
        Vec::<String>::new()
    );
    assert_eq!(by_default(&later(TimeDelta::hours(27))), ["old_dump"]);

    Checkpoint::new(&stage.dump).run().expect("copied");
    assert_eq!(by_default(&later(TimeDelta::zero())), Vec::<String>::new());
    let old = by_default(&later(TimeDelta::days(191)));
    assert_eq!(old, ["old_dump", "old_checkpoint"]);

    let left = stage.dump.join("2020/0101/0000_incomplete");
    fs::create_dir_all(left).expect("made");
    symlink("2020/0101/0000", stage.dump.join("nothing")).expect("linked");
    symlink("2020/0101", stage.dump.join("a-day")).expect("linked");
    let now = later(TimeDelta::zero());
    assert_eq!(now.leftovers.len(), 1);
    let found = by_default(&now);
    assert_eq!(found[0], "leftover", "{found:?}");
    assert!(found.contains(&"not_a_pin".to_owned()), "{found:?}");
}

/// A dump that was kept under a name is gone only by hand, and the one who kept it is told.
#[test]
fn links_without_their_dumps_are_told() {
    let stage = stage();
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let first = root.listing().oldest_first(..).next();
    let first = first.expect("a dump").expect("listed").name;
    assert!(stage.dump.join("current_chk").exists());
    for pin in ["a-keepsake", "kept"] {
        symlink(first.to_string(), stage.dump.join(pin)).expect("linked");
    }
    assert_eq!(
        by_default(&status(&stage, Utc::now())),
        Vec::<String>::new()
    );
    fs::rename(stage.dump.join(first.to_string()), stage.dump.join("away")).expect("moved");
    let found = status(&stage, Utc::now()).attention(&[], &AttentionLimits::default());
    let expected = ["a-keepsake", "current_chk", "kept"].map(|name| Attention::LostDump {
        link: stage.dump.join(name),
        dump: first.into(),
    });
    assert_eq!(found, expected);
    let said = format!("{first}, which does not exist");
    assert!(found[0].to_string().ends_with(&said), "{}", found[0]);
}

/// What is merely cut off is for the next run; where none finishes it for a day, that
/// needs attention. What may be recycled, and what is read, is as it should be.
#[test]
fn what_is_left_of_removed_dumps_for_long() {
    let stage = stage();
    let removing = stage.dump.join(".dump/removing");
    for leaf in ["2029-1231-2200.spare", "2029-1231-2300"] {
        fs::create_dir_all(removing.join(leaf).join("tree/dir")).expect("made");
    }
    let later = |by: TimeDelta| status(&stage, Utc::now() + by);
    let now = later(TimeDelta::hours(23));
    assert_eq!(now.not_removed.len(), 1, "{now:?}");
    let left = &now.not_removed[0];
    assert_eq!(
        (&left.path, &left.fixed),
        (&removing.join("2029-1231-2300"), &None)
    );
    assert_eq!(by_default(&now), Vec::<String>::new());
    let found = by_default(&later(TimeDelta::hours(25)));
    assert_eq!(found, ["not_removed"]);
}

fn point_current(stage: &Stage, target: &str) {
    let link = stage.dump.join("current");
    fs::remove_file(&link).expect("removed");
    symlink(target, link).expect("linked");
}

#[test]
fn current_is_to_name_a_dump() {
    let stage = stage();
    let root = DumpRoot::open(&stage.dump).expect("opened");
    let newest = root.current_name().expect("read");
    let found = || status(&stage, Utc::now());
    for (target, said) in [
        ("2020/0101/0000", "2020/0101/0000"),
        ("/etc", "/etc"),
        ("2020", "2020"),
    ] {
        point_current(&stage, target);
        let all = found().attention(&[], &AttentionLimits::default());
        let [Attention::BadCurrent { why, newest: named }] = all.as_slice() else {
            panic!("{target}: {all:?}");
        };
        assert!(why.contains(said), "{why}");
        assert_eq!(*named, newest);
    }
    fs::remove_file(stage.dump.join("current")).expect("removed");
    let left = stage.dump.join("2020/0101/0000_incomplete");
    fs::create_dir_all(left).expect("made");
    assert_eq!(by_default(&found()), ["bad_current", "leftover"]);
    fs::create_dir(stage.dump.join("current")).expect("made");
    assert_eq!(by_default(&found())[0], "bad_current");
}

#[test]
fn without_dumps_current_may_be_missing() {
    let stage = Stage::new();
    fs::create_dir_all(&stage.dump).expect("made");
    assert_eq!(
        by_default(&status(&stage, Utc::now())),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_expected_of_trees() {
    let status = status(&stage(), Utc::now());
    let limits = AttentionLimits::default();
    let watched = [
        WatchedTree::new(ROOT, true),
        WatchedTree::new("other", true),
    ];
    assert_eq!(words(&status, &watched, &limits), ["no_dump"]);
    // The one that no set names is not watched, and has no policy.
    let watched = [WatchedTree::new("other", true)];
    assert_eq!(words(&status, &watched, &limits), ["no_dump", "no_policy"]);
    let watched = [WatchedTree::new(ROOT, false)];
    assert_eq!(words(&status, &watched, &limits), Vec::<String>::new());
    let mut limits = limits;
    limits.dumps_without_policy = 3;
    let found = status.attention(&watched, &limits);
    let expected = Attention::NoPolicy {
        tree: ROOT.into(),
        dumps: 3,
    };
    assert_eq!(found, [expected]);
}

#[test]
fn what_is_dated_in_the_future_is_not_the_newest() {
    let stage = stage();
    let current = stage.newest();
    let dump = current.parent().expect("a dump");
    let future = stage.dump.join("2999/0101/0000");
    fs::create_dir_all(future.parent().expect("a day")).expect("made");
    fs::rename(dump, &future).expect("renamed");
    xattr::remove(&future, "user.dump.moment").expect("no moment any more");
    point_current(&stage, "2999/0101/0000");
    let status = status(&stage, Utc::now());
    assert_eq!(status.trees[0].dumps, 2);
    assert_eq!(by_default(&status), ["future"]);
}

/// After a first dump nobody knows how much another takes; of nothing it is known.
#[test]
#[ignore = "needs root for a tmpfs"]
fn a_full_disk_needs_attention_before_a_second_dump() {
    let stage = Stage::new();
    Tree::new()
        .with("a", Node::file(*b"text"))
        .write(&stage.source);
    let disk = Mount::new(Fs::Tmpfs, 8);
    let root = disk.path().join("dump");
    fs::create_dir(&root).expect("made");
    let init = Snapshot::new(&root).main(&stage.source).init(true);
    init.run().expect("published");
    let root = DumpRoot::open(&root).expect("opened");
    let found = || {
        let catalog = root.catalog().ok();
        root.status(catalog.as_ref(), Utc::now()).expect("looked")
    };
    assert_eq!(by_default(&found()), Vec::<String>::new());
    let full = fs::write(disk.path().join("rest"), vec![1; 16 << 20]);
    full.expect_err("there is room for more");
    assert_eq!(by_default(&found()), ["little_room"]);
    assert_eq!(found().room.more.map(|more| more.number), Some(0));
}

/// What a dump of an unchanged tree takes is mostly directories.
#[test]
#[cfg(feature = "catalog")]
fn a_large_directory_counts_as_much_as_it_takes() {
    use std::os::unix::fs::MetadataExt as _;

    let stage = Stage::new();
    fs::create_dir_all(&stage.source).expect("made");
    for number in 0..3_000 {
        let name = format!("a name of some length {number}");
        fs::write(stage.source.join(name), "").expect("written");
    }
    stage.run(stage.snapshot());
    stage.run(stage.snapshot());
    let found = status(&stage, Utc::now()).room.dump_bytes.expect("known");
    // Nothing where it is in the inode, as on btrfs, or in memory.
    let taken = fs::metadata(&stage.source).expect("there").blocks() * 512;
    assert!(found >= taken, "{found} of {taken}");
}
