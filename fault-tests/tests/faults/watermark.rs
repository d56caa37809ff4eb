//! The power fails around a flush: while a run that was stopped flushes what it
//! has stored, just before it notes that, and just after; then under the run
//! that continues. Also where the clock was set back in between, and on a kernel
//! that gives a mount the number of an earlier one.

use std::process::Command;

use fixtures::mounts::Fs;
use fixtures::strace::{Inject, trace_with, watch};
use fixtures::tree::{Node, Tree};
use rustix::process::Signal;

use crate::calls::{before_flush, is_marked};
use crate::in_vm::on_own_machine;
use crate::power::{Cut, Disk, stale};
use crate::setup::{assert_done, end_well, leftovers};

/// The call of a run at which it is asked to stop: about half of its files are
/// stored by then.
fn half_way() -> Inject {
    Inject::signal("utimensat", Signal::TERM).when(60)
}

/// Files whose size is set before their data is written: after a power cut their
/// sizes and times are there, and their data is not.
fn files_with_holes() -> Tree {
    let mut tree = Tree::new();
    for at in 0..90_u8 {
        let hole = Node::sparse(1 << 16, vec![(4096, vec![at + 1; 999])]);
        let mtime = 1_600_000_000 + i64::from(at);
        tree.add(format!("d{}/f{at}", at / 20), hole.mtime(mtime, 3));
    }
    tree.dated()
}

/// Around a flush: what kills the run that was asked to stop.
fn around_the_flush(disk: &Disk) -> [Option<Inject>; 3] {
    let mut command = disk.stage.dumpme();
    let (status, calls) = trace_with(
        command.arg("--jobs=1"),
        "fsetxattr,utimensat",
        &[half_way()],
    );
    assert_eq!(status.code(), Some(143));
    let site = leftovers(&disk.stage.dump)
        .pop()
        .expect("something is left behind");
    assert!(is_marked(&site), "it is not believed");
    let calls = calls
        .iter()
        .filter(|line| line.contains("fsetxattr("))
        .count();
    let notes = Inject::kill("fsetxattr").when(calls);
    [Some(before_flush()), Some(notes), None]
}

/// `step` sets the clock forward by this many seconds.
fn cuts(fs: Fs, step: impl Fn(i64)) {
    let mut disk = Disk::new(fs);
    disk.stage.write(&files_with_holes());
    disk.save();
    let around = around_the_flush(&disk);
    let mut lost = 0;
    for kill in around {
        for back in [0, 3600, 2] {
            disk.put_back();
            let mut command = disk.stage.dumpme();
            let faults: Vec<Inject> = [half_way()].into_iter().chain(kill.clone()).collect();
            let seen = watch(command.arg("--jobs=1"), &faults);
            assert_eq!(seen.status.code(), kill.is_none().then_some(143));
            step(-back);
            let mut command = disk.stage.dumpme();
            let seen = watch(command.arg("--jobs=1"), &[before_flush()]);
            assert!(!seen.status.success(), "{}", seen.status);
            disk.cut(Cut::AfterJournal);
            disk.assert_whole();
            lost += stale(&disk.stage).len();
            // Stopped again, among what is and what is not on the disk.
            let mut command = disk.stage.dumpme();
            let _ = watch(command.arg("--jobs=1"), &[half_way()]);
            disk.cut(Cut::AfterJournal);
            step(back);
            end_well(&mut disk.stage.dumpme());
            disk.cut(Cut::Bare);
            assert_done(&disk.stage.dump, &disk.stage.source);
        }
    }
    println!("{fs:?}: {lost} files had the right size and time, but not contents");
    assert!(lost > 0, "the cuts were too gentle to show anything");
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn around_a_flush_on_ext4() {
    cuts(Fs::Ext4, |_| {});
}

#[test]
#[ignore = "needs root, strace and loop mounts"]
fn around_a_flush_on_xfs() {
    cuts(Fs::Xfs, |_| {});
}

/// On a machine of its own the clock can be set.
fn step(seconds: i64) {
    if seconds != 0 {
        let mut date = Command::new("date");
        date.args(["-s", &format!("{seconds} seconds")]);
        end_well(&mut date);
    }
}

#[test]
#[ignore = "needs user-mode-linux and strace"]
fn with_the_clock_set_back_on_an_older_kernel_with_ext4() {
    let name = "watermark::with_the_clock_set_back_on_an_older_kernel_with_ext4";
    on_own_machine(name, || cuts(Fs::Ext4, step));
}

#[test]
#[ignore = "needs user-mode-linux and strace"]
fn with_the_clock_set_back_on_an_older_kernel_with_xfs() {
    let name = "watermark::with_the_clock_set_back_on_an_older_kernel_with_xfs";
    on_own_machine(name, || cuts(Fs::Xfs, step));
}
