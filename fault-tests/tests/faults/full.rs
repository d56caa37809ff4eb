//! No room: no blocks, no inodes, no quota, at many points of a run.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use fixtures::mounts::{Fs, Mount};
use fixtures::tree::Node;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::calls::copy_tree;
use crate::sample_trees;
use crate::setup::{History, ROOT, Stage, assert_done, assert_one_of, end_well, end_with};

/// A dump disk with one dump, and a source of 300 files that has changed.
fn changed(mount: &Mount) -> Stage {
    changed_since(Stage::with_dump_on(mount.path()))
}

/// The same on a stage.
pub(crate) fn changed_since(stage: Stage) -> Stage {
    stage.write(&sample_trees::wide(300, 3, 0));
    stage.dump_now();
    copy_tree(&stage.source, &stage.beside("was"));
    stage.write(&sample_trees::wide(300, 2, 1));
    stage
}

/// A run that must be refused for lack of room: its message, after checks.
#[track_caller]
pub(crate) fn refused(stage: &Stage) -> String {
    let history = History::of(&stage.dump);
    let current = fs::read_link(stage.dump.join("current")).expect("a link");
    let said = end_with(&mut stage.dumpme(), 1);
    let still = fs::read_link(stage.dump.join("current")).expect("a link");
    assert_eq!(current, still);
    let newest = stage.dump.join("current").join(ROOT);
    assert_one_of(&newest, &[&stage.beside("was")]);
    history.assert_unchanged(&stage.dump);
    assert!(said.contains(" free"), "{said}");
    let asks = if said.contains("Disk quota exceeded") {
        "the quota on the dump disk is used up"
    } else {
        "the dump disk is full"
    };
    assert!(said.contains(asks), "{said}");
    said
}

/// Fills the disk, and gives back this many bytes, less what rounding takes.
fn fill(mount: &Path, but: u64) {
    let ballast = File::create(mount.join("ballast")).expect("made");
    let mut step = 1_u64 << 30;
    let mut size = 0;
    while step >= 4096 {
        let none = FallocateFlags::empty();
        match fallocate(&ballast, none, size, step) {
            Ok(()) => size += step,
            Err(_) => step /= 2,
        }
    }
    // Where that leaves some blocks, small files take them.
    let filler = |n: u32| fs::write(mount.join(format!("filler{n}")), [1; 4096]);
    let mut fillers = 0;
    while fillers < 10_000 && filler(fillers).is_ok() {
        fillers += 1;
    }
    ballast
        .set_len(size.saturating_sub(but))
        .expect("shortened");
    ballast.sync_all().expect("written");
}

fn make_room(mount: &Path) {
    for entry in fs::read_dir(mount).expect("listed").flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['b', 'f']) {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
    Command::new("sync")
        .arg("-f")
        .arg(mount)
        .status()
        .expect("runs");
}

/// Continues in the room that was made, with what was stored before.
#[track_caller]
pub(crate) fn goes_on(stage: &Stage) {
    let history = History::of(&stage.dump);
    end_well(&mut stage.dumpme());
    history.assert_unchanged(&stage.dump);
    assert_done(&stage.dump, &stage.source);
}

/// With more and more room left, the end comes later and later.
fn no_blocks(fs: Fs, size_mb: u64) {
    let mount = Mount::new(fs, size_mb);
    let stage = changed(&mount);
    let mut refusals = 0;
    for (round, free) in [0, 16, 64, 160, 320].into_iter().enumerate() {
        fill(mount.path(), free << 10);
        let said = refused(&stage);
        assert!(said.contains("No space left on device"), "{said}");
        refusals += 1;
        if round % 2 == 1 {
            make_room(mount.path());
            goes_on(&stage);
            fixtures::tree::remove_deep(&stage.beside("was"));
            copy_tree(&stage.source, &stage.beside("was"));
            stage.write(&sample_trees::wide(300, 2, 2 + round as u8));
        }
        make_room(mount.path());
    }
    goes_on(&stage);
    println!("{fs:?}: {refusals} refusals");
}

#[test]
#[ignore = "needs root and loop mounts"]
fn no_blocks_on_ext4() {
    no_blocks(Fs::Ext4, 24);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn no_blocks_on_xfs() {
    no_blocks(Fs::Xfs, 300);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn no_blocks_on_btrfs() {
    no_blocks(Fs::Btrfs, 128);
}

#[test]
#[ignore = "needs root and mounts"]
fn no_blocks_on_tmpfs() {
    no_blocks(Fs::Tmpfs, 8);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn the_size_of_what_did_not_fit_is_told() {
    let mount = Mount::new(Fs::Ext4, 24);
    let stage = changed(&mount);
    fs::write(stage.source.join("huge"), vec![7; 40 << 20]).expect("written");
    let said = refused(&stage);
    assert!(said.contains("40.0 MiB to write, "), "{said}");
    fs::remove_file(stage.source.join("huge")).expect("removed");
    goes_on(&stage);
}

/// `left` inodes are free when the run begins.
fn no_inodes(mount: &Mount, left: &[u64]) {
    let stage = changed(mount);
    let spare = mount.path().join("spare");
    for left in left {
        fs::create_dir(&spare).expect("made");
        let mut taken = 0;
        while statvfs(mount.path()).expect("asked").f_ffree > *left {
            File::create(spare.join(format!("{taken}"))).expect("made");
            taken += 1;
        }
        let said = refused(&stage);
        assert!(said.contains("No space left on device"), "{said}");
        fs::remove_dir_all(&spare).expect("removed");
    }
    goes_on(&stage);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn no_inodes_on_ext4() {
    no_inodes(
        &Mount::with(Fs::Ext4, 24, &["-N", "1024"], ""),
        &[0, 2, 20, 90],
    );
}

/// What the stopped run left has the last inode, and most of it is of what the
/// tree has no longer.
#[test]
#[ignore = "needs root and loop mounts"]
fn a_tree_that_has_shrunk_needs_no_other_room() {
    let mount = Mount::with(Fs::Ext4, 24, &["-N", "1024"], "");
    let stage = changed(&mount);
    let many = stage.source.join("many");
    fs::create_dir(&many).expect("made");
    for n in 0..1_500 {
        File::create(many.join(n.to_string())).expect("made");
    }
    let said = refused(&stage);
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(statvfs(mount.path()).expect("asked").f_ffree, 0);
    fs::remove_dir_all(&many).expect("removed");
    goes_on(&stage);
}

/// What filled the disk is no longer wanted: what the stopped run stored of it
/// makes room for the rest, nobody else has to.
fn what_is_not_wanted_makes_room(fs: Fs, size_mb: u64) {
    let mount = Mount::new(fs, size_mb);
    let stage = changed(&mount);
    let heavy = stage.source.join("wanted/heavy");
    fs::create_dir_all(&heavy).expect("made");
    for n in 0..size_mb {
        fs::write(heavy.join(n.to_string()), vec![n as u8; 1 << 20]).expect("written");
    }
    let said = refused(&stage);
    assert!(said.contains("No space left on device"), "{said}");
    fs::remove_dir_all(&heavy).expect("removed");
    // More than one file that was half written leaves room for.
    for n in 0..6 {
        let new = stage.source.join(format!("new {n}"));
        fs::write(new, vec![1; 512 << 10]).expect("written");
    }
    goes_on(&stage);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_is_not_wanted_makes_room_on_ext4() {
    what_is_not_wanted_makes_room(Fs::Ext4, 24);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_is_not_wanted_makes_room_on_xfs() {
    what_is_not_wanted_makes_room(Fs::Xfs, 300);
}

#[test]
#[ignore = "needs root and mounts"]
fn what_is_not_wanted_makes_room_on_tmpfs() {
    what_is_not_wanted_makes_room(Fs::Tmpfs, 8);
}

#[test]
#[ignore = "needs root and mounts"]
fn no_inodes_on_tmpfs() {
    let mount = Mount::with(Fs::Tmpfs, 64, &[], "nr_inodes=2000");
    no_inodes(&mount, &[0, 2, 20, 90]);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn no_quota_on_btrfs() {
    let mount = Mount::new(Fs::Btrfs, 200);
    let btrfs = |args: &[&str]| {
        let mut command = Command::new("btrfs");
        command.args(args).arg(mount.path().join("dump"));
        assert!(
            command
                .stdout(Stdio::null())
                .status()
                .expect("runs")
                .success()
        );
    };
    btrfs(&["subvolume", "create"]);
    btrfs(&["quota", "enable"]);
    let stage = changed(&mount);
    fs::write(stage.source.join("large"), vec![7; 8 << 20]).expect("written");
    btrfs(&["qgroup", "limit", "4M"]);
    let said = refused(&stage);
    assert!(said.contains("Disk quota exceeded"), "{said}");
    btrfs(&["qgroup", "limit", "none"]);
    goes_on(&stage);
}

/// On a disk that is nearly full, a dump that is kept to be recycled goes before
/// anything is made: it has alone what the next dump needs.
#[test]
#[ignore = "needs root and loop mounts"]
fn what_has_expired_makes_room() {
    let mount = Mount::new(Fs::Ext4, 64);
    let stage = Stage::with_dump_on(mount.path());
    let with = |name: &str, megabytes: usize| {
        let large = Node::file(vec![7; megabytes << 20]);
        stage.write(&sample_trees::before().with(name, large));
    };
    with("small", 1);
    stage.dump_now();
    with("large", 12);
    end_well(&mut stage.catalog("rebuild"));
    end_well(&mut stage.recycling(1));
    with("small", 1);
    end_well(&mut stage.recycling(1));
    let removing = stage.dump.join(".dump/removing");
    assert_eq!(fs::read_dir(&removing).expect("listed").count(), 1);
    fill(mount.path(), 1 << 20);
    with("other", 8);
    end_well(&mut stage.recycling(100));
    assert_done(&stage.dump, &stage.source);
}
