//! The power fails: on ext4 and xfs, at calls of a run, at any instant, and
//! right after a dump was reported done.
//!
//! The filesystem is shut down without flushing (the GOINGDOWN call with
//! NOLOGFLUSH), unmounted and mounted again: what is there then is what the
//! disk held. A run that is killed just before a call and then loses its
//! power leaves the same disk as one that lost it there and then.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use fixtures::mounts::{Fs, Mount};
use fixtures::strace::{Inject, watch};
use fixtures::tree::remove_deep;

use crate::calls::{Point, before_flush, copy_tree, dump, points, slave};
use crate::sample_trees;
use crate::setup::{
    History, ROOT, Stage, assert_done, assert_done_but_removing, assert_one_of, assert_stands,
    end_well, leftovers,
};

/// How a machine loses its power.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Nothing in memory reaches the disk.
    Bare,
    /// The journal does: names, sizes and times without their data.
    AfterJournal,
}

/// A stage whose dump roots are on a disk that can be put back to what it
/// was.
pub(crate) struct Disk {
    mount: Mount,
    pub(crate) stage: Stage,
    saved: PathBuf,
}

impl Disk {
    /// A source that was dumped, and has changed since.
    pub(crate) fn new(fs: Fs) -> Self {
        let mount = Mount::new(fs, 64);
        let mut stage = Stage::with_dump_on(mount.path());
        stage.slave = mount.path().join("slave");
        std::fs::create_dir(&stage.slave).expect("made");
        stage.write(&sample_trees::before());
        stage.dump_now();
        end_well(&mut stage.dumpslave());
        copy_tree(&stage.source, &stage.beside("was"));
        stage.write(&sample_trees::after());
        let saved = stage.beside("image");
        let mut disk = Disk {
            mount,
            stage,
            saved,
        };
        disk.save();
        disk
    }

    /// This is what it is put back to.
    pub(crate) fn save(&mut self) {
        self.mount.unmount();
        sparse_copy(self.mount.image(), &self.saved);
        self.mount.mount();
    }

    pub(crate) fn put_back(&mut self) {
        self.mount.unmount();
        sparse_copy(&self.saved, self.mount.image());
        self.mount.mount();
    }

    pub(crate) fn cut(&mut self, how: Cut) {
        match how {
            Cut::Bare => self.mount.goingdown(),
            Cut::AfterJournal => self.mount.goingdown_with_journal(),
        }
        self.mount.remount();
    }

    /// Cuts the power at each of these points, each time from the same
    /// beginning; the next run continues.
    fn cut_at(&mut self, points: &[Point], how: Cut, run: &Cutting) {
        let roots = [self.stage.dump.clone(), self.stage.slave.clone()];
        let history = roots.clone().map(|root| History::of(&root));
        let unchanged = || {
            for (history, root) in history.iter().zip(&roots) {
                history.assert_unchanged(root);
            }
        };
        let root = (run.writes)(&self.stage).to_path_buf();
        for (name, nth) in points {
            println!("{how:?} at {name} {nth}");
            let mut command = (run.start)(&self.stage);
            command.arg("--jobs=1");
            let seen = watch(&command, &[Inject::kill(name).when(nth)]);
            assert!(!seen.status.success(), "{name} {nth}: {}", seen.status);
            self.cut(how);
            let may_be = [&*self.stage.beside("was"), &*self.stage.source];
            assert_stands(&root, run.has_current, &may_be);
            unchanged();
            end_well(&mut (run.start)(&self.stage));
            self.cut(Cut::Bare);
            // What goes when all is done need not have reached the disk.
            if !assert_done_but_removing(&root, &self.stage.source) {
                end_well(&mut (run.start)(&self.stage));
                assert_done(&root, &self.stage.source);
            }
            unchanged();
            if run.catalog {
                self.assert_catalog();
            }
            self.put_back();
        }
        println!("{} cuts, and one more after each next run", points.len());
    }

    /// The catalog says what is on disk, of all dumps.
    fn assert_catalog(&self) {
        let mut check = self.stage.program("dumpctl");
        check.args(["catalog", "check", "--all", "-q", "--dump"]);
        end_well(check.arg(&self.stage.dump));
    }

    /// What stands after a cut is whole.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let was = self.stage.beside("was");
        assert_stands(&self.stage.dump, true, &[&was, &self.stage.source]);
    }
}

fn sparse_copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("--sparse=always").arg(from).arg(to);
    assert!(command.status().expect("cp runs").success());
}

/// The `last` calls, which make it visible, and one of `step` before.
fn chosen(all: Vec<Point>, step: usize, last: usize) -> Vec<Point> {
    let publishing = all.len().saturating_sub(last);
    let keep = |(at, point): (usize, Point)| (at >= publishing || at % step == 0).then_some(point);
    all.into_iter()
        .enumerate()
        .filter(|(_, point)| point.0 != "exit_group")
        .filter_map(keep)
        .collect()
}

/// A run that is to lose its power.
struct Cutting {
    /// Makes the disk ready, from a source that was dumped and replicated and
    /// has changed since.
    before: fn(&Stage),
    start: fn(&Stage) -> Command,
    writes: fn(&Stage) -> &Path,
    has_current: bool,
    /// One call of this many is chosen before publishing.
    step: usize,
    /// How many calls publishing takes, with what is recorded for it.
    last: usize,
    /// Is the catalog to say what is on disk after the next run?
    catalog: bool,
}

fn linked(stage: &Stage) -> Command {
    let mut command = stage.chkptme();
    command.arg("--linked");
    command
}

impl Cutting {
    const DUMP: Self = Cutting {
        before: |_| {},
        start: Stage::dumpme,
        writes: dump,
        has_current: true,
        step: 9,
        last: 16,
        catalog: false,
    };
    /// The catalog knows the dump before.
    const CATALOGUED: Self = Cutting {
        before: |stage| {
            let mut rebuild = stage.program("dumpctl");
            rebuild.args(["catalog", "rebuild", "-q", "--dump"]);
            end_well(rebuild.arg(&stage.dump));
        },
        start: Stage::catalogued,
        step: 13,
        last: 80,
        catalog: true,
        ..Self::DUMP
    };
    /// The first dump of all makes the catalog, too.
    const CATALOGUED_FIRST: Self = Cutting {
        start: Stage::catalogued,
        last: 80,
        catalog: true,
        ..Self::FIRST_DUMP
    };
    /// An expired dump is what it is made from.
    const RECYCLED: Self = Cutting {
        before: |stage| {
            let was = stage.beside("was");
            remove_deep(&was);
            copy_tree(&stage.source, &was);
            stage.spare();
            stage.write(&sample_trees::before());
        },
        start: |stage| stage.recycling(100),
        ..Self::CATALOGUED
    };
    const FIRST_DUMP: Self = Cutting {
        before: |stage| {
            remove_deep(&stage.dump);
            std::fs::create_dir(&stage.dump).expect("made");
        },
        has_current: false,
        step: 13,
        ..Self::DUMP
    };
    const CHECKPOINT: Self = Cutting {
        before: Stage::dump_now,
        start: Stage::chkptme,
        step: 13,
        ..Self::DUMP
    };
    /// It links to the linked checkpoint before, which has what the dump had then.
    const LINKED_CHECKPOINT: Self = Cutting {
        before: |stage| {
            end_well(&mut linked(stage));
            stage.dump_now();
        },
        start: linked,
        step: 13,
        ..Self::DUMP
    };
    const REPLICA: Self = Cutting {
        before: Stage::dump_now,
        start: Stage::dumpslave,
        writes: slave,
        step: 13,
        ..Self::DUMP
    };

    fn at_calls(&self, fs: Fs) {
        let mut disk = Disk::new(fs);
        (self.before)(&disk.stage);
        disk.save();
        let mut command = (self.start)(&disk.stage);
        let all = points(command.arg("--jobs=1"));
        disk.put_back();
        let points = chosen(all, self.step, self.last);
        disk.cut_at(&points, Cut::Bare, self);
        if self.catalog {
            // The journal of the filesystem has names and sizes, the file not yet
            // its bytes.
            let recording = points.len().saturating_sub(self.last);
            disk.cut_at(&points[recording..], Cut::AfterJournal, self);
        }
    }
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_on_ext4() {
    Cutting::DUMP.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_on_xfs() {
    Cutting::DUMP.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_with_the_catalog_on_ext4() {
    Cutting::CATALOGUED.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_with_the_catalog_on_xfs() {
    Cutting::CATALOGUED.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_made_from_an_expired_one_on_ext4() {
    Cutting::RECYCLED.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_dump_made_from_an_expired_one_on_xfs() {
    Cutting::RECYCLED.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_first_dump_with_the_catalog_on_ext4() {
    Cutting::CATALOGUED_FIRST.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_first_dump_with_the_catalog_on_xfs() {
    Cutting::CATALOGUED_FIRST.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_first_dump_on_ext4() {
    Cutting::FIRST_DUMP.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_first_dump_on_xfs() {
    Cutting::FIRST_DUMP.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_checkpoint_on_ext4() {
    Cutting::CHECKPOINT.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_checkpoint_on_xfs() {
    Cutting::CHECKPOINT.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_linked_checkpoint_on_ext4() {
    Cutting::LINKED_CHECKPOINT.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_linked_checkpoint_on_xfs() {
    Cutting::LINKED_CHECKPOINT.at_calls(Fs::Xfs);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_replica_on_ext4() {
    Cutting::REPLICA.at_calls(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn at_calls_of_a_replica_on_xfs() {
    Cutting::REPLICA.at_calls(Fs::Xfs);
}

/// A run is killed when all is stored and nothing flushed, and the journal
/// gets to the disk, but not the data: files of the right size and time with
/// nothing in them. The next run must not take them for what they seem.
fn never_trusts_what_was_not_flushed(fs: Fs) {
    let mut disk = Disk::new(fs);
    let mut command = disk.stage.dumpme();
    let seen = watch(command.arg("--jobs=1"), &[before_flush()]);
    assert!(!seen.status.success());
    assert!(!leftovers(&disk.stage.dump).is_empty());
    disk.cut(Cut::AfterJournal);
    disk.assert_whole();
    let stale = stale(&disk.stage);
    println!("{fs:?}: of the right size and time, but not contents: {stale:?}");
    assert!(!stale.is_empty(), "the cut was too gentle to show anything");
    end_well(&mut disk.stage.dumpme());
    disk.cut(Cut::Bare);
    assert_done(&disk.stage.dump, &disk.stage.source);
}

/// Files of the leftover that look like their source, and are not.
pub(crate) fn stale(stage: &Stage) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = Vec::new();
    for site in leftovers(&stage.dump) {
        let tree = site.join(ROOT);
        for entry in walk(&tree) {
            let below = entry.strip_prefix(&tree).expect("below it");
            let source = stage.source.join(below);
            let (Ok(a), Ok(b)) = (entry.symlink_metadata(), source.symlink_metadata()) else {
                continue;
            };
            let alike = a.is_file()
                && b.is_file()
                && (a.len(), a.mtime(), a.mtime_nsec()) == (b.len(), b.mtime(), b.mtime_nsec());
            if alike && std::fs::read(&entry).ok() != std::fs::read(&source).ok() {
                found.push(below.to_path_buf());
            }
        }
    }
    found
}

/// All entries below a directory that are not directories.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(walk(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn never_trusts_what_was_not_flushed_on_ext4() {
    never_trusts_what_was_not_flushed(Fs::Ext4);
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn never_trusts_what_was_not_flushed_on_xfs() {
    never_trusts_what_was_not_flushed(Fs::Xfs);
}

/// Whatever was reported done is there: dumps, checkpoints and replicas in
/// turn, the power cut after each.
fn right_after_it_was_reported(fs: Fs) {
    let mut disk = Disk::new(fs);
    let mut cuts = 0;
    for round in 1..=6 {
        disk.stage.write(&sample_trees::wide(60, 4, round));
        for start in [Stage::dumpme, Stage::chkptme, Stage::dumpslave] {
            end_well(&mut start(&disk.stage));
            disk.cut(Cut::Bare);
            cuts += 1;
            assert_done(&disk.stage.dump, &disk.stage.source);
        }
        assert_done(&disk.stage.slave, &disk.stage.source);
    }
    println!("{fs:?}: {cuts} cuts");
}

#[test]
#[ignore = "needs root and loop mounts"]
fn right_after_it_was_reported_on_ext4() {
    right_after_it_was_reported(Fs::Ext4);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn right_after_it_was_reported_on_xfs() {
    right_after_it_was_reported(Fs::Xfs);
}

/// The power fails under a run that continues, and meets a dead disk.
fn at_random_instants(fs: Fs) {
    let mut disk = Disk::new(fs);
    let (mut refused, mut done) = (0, 0);
    disk.stage.write(&sample_trees::wide(300, 5, 0));
    let began = Instant::now();
    disk.stage.dump_now();
    let usual = began.elapsed();
    for round in 1..=24_u8 {
        let was = disk.stage.beside("was");
        remove_deep(&was);
        copy_tree(&disk.stage.source, &was);
        disk.stage.write(&sample_trees::wide(300, 5, round));
        let current = disk.stage.dump.join("current");
        let named = std::fs::read_link(&current).expect("a link");
        let mut child = disk.stage.dumpme();
        let mut child = child.stderr(Stdio::null()).spawn().expect("it runs");
        std::thread::sleep(usual.mul_f64(f64::from(round) / 20.0));
        disk.mount.goingdown();
        let status = child.wait().expect("it ends");
        disk.mount.remount();
        match status.code() {
            Some(0) => done += 1,
            Some(1) => refused += 1,
            _ => panic!("{status}"),
        }
        let moved = std::fs::read_link(&current).expect("a link") != named;
        assert!(moved || !status.success(), "reported, and not there");
        let newest = current.join(ROOT);
        assert_one_of(&newest, &[&was, &disk.stage.source]);
        end_well(&mut disk.stage.dumpme());
        assert_done(&disk.stage.dump, &disk.stage.source);
    }
    println!("{fs:?}: {refused} cuts in the middle, {done} after the end");
    assert!(refused > 0, "no cut met a run");
}

#[test]
#[ignore = "needs root and loop mounts"]
fn at_random_instants_on_ext4() {
    at_random_instants(Fs::Ext4);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn at_random_instants_on_xfs() {
    at_random_instants(Fs::Xfs);
}
