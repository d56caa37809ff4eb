//! Replicas: a change that leaves size and time of modification as they were
//! reaches the second disk, told by when inodes of the dumps were stored.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{ROOT, Stage, tick};
use dumpcore::{Checkpoint, Replica, Replicated, Report};
use fixtures::diff_trees;
use fixtures::mounts::{Fs, Mount};

const BORN: &str = "user.dump.born";
const READ: &str = "user.dump.read";

/// Writes a file with a time that is always the same.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = File::options().write(true).open(path).expect("opened");
    file.set_modified(then).expect("set");
}

/// A tree, its dumps, and a second dump root.
struct Pair {
    stage: Stage,
    slave: PathBuf,
}

impl Pair {
    /// The tree is dumped twice, and replicated. All that was stored in the same
    /// tick of the clock as the newest inode is compared the next time: that is
    /// the one that the second dump stored.
    fn new() -> Self {
        Self::on(Stage::new())
    }

    fn on(stage: Stage) -> Self {
        for dir in ["left", "right"] {
            let at = stage.source.join(dir);
            fs::create_dir(&at).expect("made");
            for name in ["one", "two", "three"] {
                write(&at.join(name), &format!("{dir:5}{name:5}"));
            }
        }
        let slave = stage.dump.with_file_name("slave");
        fs::create_dir(&slave).expect("made");
        let pair = Self { stage, slave };
        pair.dump();
        write(&pair.at("late"), "at the edge");
        pair.dump();
        pair.replica(0);
        pair
    }

    fn at(&self, name: &str) -> PathBuf {
        self.stage.source.join(name)
    }

    fn dump(&self) -> Report {
        tick();
        let report = self.stage.run(self.stage.snapshot());
        tick();
        report
    }

    /// Replicates the newest dump, with this many comparisons.
    #[track_caller]
    fn replica(&self, compared: u64) -> Report {
        replicate(&self.stage.dump, &self.slave, compared)
    }
}

#[track_caller]
fn replicate(from: &Path, slave: &Path, compared: u64) -> Report {
    let report = replicated(from, slave);
    let counts = &report.counts;
    assert_eq!(counts.compared.number, compared, "{counts:?}");
    report
}

#[track_caller]
fn replicated(from: &Path, slave: &Path) -> Report {
    let init = slave.join("current").symlink_metadata().is_err();
    let run = Replica::of(from).to(slave).init(init).latest(true);
    let report = match run.run() {
        Ok(Replicated::Made(report)) => *report,
        other => panic!("{other:?}"),
    };
    let source = report.source.as_ref().expect("of a dump");
    let trees = [source.join(ROOT), report.dump.join(ROOT)];
    let lines = diff_trees(&trees[0], &trees[1], &fixtures::Options::of_runner());
    assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
    report
}

#[test]
fn what_did_not_change_is_not_compared() {
    let pair = Pair::new();
    for _ in 0..2 {
        pair.dump();
        let report = pair.replica(1);
        assert_eq!(report.counts.linked.number, 7);
    }
}

#[test]
fn a_file_that_was_written_over_reaches_the_replica() {
    let pair = Pair::new();
    write(&pair.at("left/one"), "other text");
    pair.dump();
    let report = pair.replica(2);
    let counts = &report.counts;
    assert_eq!((counts.copied_changed.number, counts.linked.number), (1, 6));
    pair.dump();
    pair.replica(1);
}

/// Several dumps later it does, too.
#[test]
fn so_does_one_of_a_dump_that_is_not_replicated() {
    let pair = Pair::new();
    write(&pair.at("left/one"), "other text");
    pair.dump();
    write(&pair.at("right/one"), "third text");
    pair.dump();
    pair.dump();
    pair.replica(3);
}

#[test]
fn files_and_directories_that_changed_places_reach_the_replica() {
    let pair = Pair::new();
    let swap = |one: &str, other: &str| {
        for (from, to) in [(one, "x"), (other, one), ("x", other)] {
            fs::rename(pair.at(from), pair.at(to)).expect("renamed");
        }
    };
    swap("left/one", "right/one");
    pair.dump();
    pair.replica(3);
    swap("left", "right");
    pair.dump();
    // Those that changed places before are where they were.
    pair.replica(6);
}

/// The inode that stands there now is as old as the one that stood there.
#[test]
fn a_name_that_became_a_hard_link_of_another_file_reaches_the_replica() {
    let pair = Pair::new();
    fs::remove_file(pair.at("left/one")).expect("removed");
    fs::hard_link(pair.at("right/one"), pair.at("left/one")).expect("linked");
    let report = pair.dump();
    assert_eq!(report.counts.hard_links, 1);
    // Of its two names the one that is met first is compared.
    replicated(&pair.stage.dump, &pair.slave);
}

#[test]
fn after_a_checkpoint_all_is_compared_once() {
    let pair = Pair::new();
    Checkpoint::new(&pair.stage.dump).run().expect("made");
    write(&pair.at("left/one"), "other text");
    pair.dump();
    let report = pair.replica(7);
    assert_eq!(report.counts.linked.number, 6);
    // Of the dump that is in the replica now, one file is the newest.
    pair.dump();
    pair.replica(1);
}

/// A checkpoint in the second root says what the replica says that it copies.
#[test]
fn a_checkpoint_of_a_replica_inherits_its_evidence() {
    let pair = Pair::new();
    write(&pair.at("left/one"), "other text");
    pair.dump();
    tick();
    Checkpoint::new(&pair.slave).run().expect("made");
    // The first is of the minute that the checkpoint has.
    pair.dump();
    pair.replica(2);
}

#[test]
fn replicas_of_replicas_have_evidence_of_their_own() {
    let pair = Pair::new();
    let third = pair.slave.with_file_name("third");
    fs::create_dir(&third).expect("made");
    replicate(&pair.slave, &third, 0);
    write(&pair.at("left/one"), "other text");
    pair.dump();
    pair.replica(2);
    replicated(&pair.slave, &third);
}

/// Without the mark of births, as older versions left it, the beginning of the
/// dump counts: what that stored itself is compared, too.
#[test]
fn a_replica_without_births_goes_by_when_its_tree_was_read() {
    let pair = Pair::new();
    let replica = fs::canonicalize(pair.slave.join("current")).expect("there");
    xattr::remove(&replica, BORN).expect("removed");
    write(&pair.at("left/one"), "other text");
    pair.dump();
    pair.replica(2);
}

/// A clock that went back between the two dumps: births say nothing.
#[test]
fn a_clock_that_went_back_has_all_compared() {
    let pair = Pair::new();
    let replica = fs::canonicalize(pair.slave.join("current")).expect("there");
    let mark = xattr::get(&replica, READ).expect("read").expect("a mark");
    let mark = String::from_utf8(mark).expect("text");
    let (head, line) = mark.split_once('\n').expect("two lines");
    let mut words: Vec<String> = line.split(' ').map(ToOwned::to_owned).collect();
    let ahead: i128 = words[2].parse().expect("a number");
    words[2] = (ahead + 7_200_000_000_000).to_string();
    let forged = format!("{head}\n{}", words.join(" "));
    xattr::set(&replica, READ, forged.as_bytes()).expect("set");
    pair.dump();
    pair.replica(7);
}

#[test]
#[ignore = "needs root, ext4, xfs and btrfs"]
fn filesystems_that_tell_births_and_one_that_does_not() {
    for fs in [Fs::Ext4, Fs::Xfs, Fs::Btrfs] {
        let mount = Mount::new(fs, 300);
        let pair = Pair::on(Stage::within(&mount.path().join("stage")));
        write(&pair.at("left/one"), "other text");
        pair.dump();
        pair.replica(2);
    }
    // With inodes of 128 bytes: size and time decide, as for rsync.
    let mount = Mount::with(Fs::Ext4, 100, &["-I", "128"], "");
    let pair = Pair::on(Stage::within(&mount.path().join("stage")));
    pair.dump();
    pair.replica(0);
}
