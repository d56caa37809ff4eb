//! Writes that fail behind our back: the kernel takes what is written, and
//! finds out later that the disk refuses it.
//!
//! It tells of that once, to the program that flushes next, and keeps in its cache
//! what the disk does not have. The disk here is thin: an xfs that promises
//! more room than there is behind it. xfs rides out what it cannot write of
//! its own, so that it lives on when room was made.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use fixtures::mounts::{Fs, Mount};
use fixtures::strace::watch;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::process::{Pid, Signal, kill_process};

use crate::calls::{before_flush, is_marked};
use crate::setup::{ROOT, Stage, assert_done, end_well, end_with, leftovers};

const IMAGE_MB: u64 = 300;

/// A dump root on a disk that takes no more than a little.
struct Thin {
    // Dropped in this order.
    stage: Stage,
    mount: Mount,
    behind: Mount,
}

impl Thin {
    fn new() -> Self {
        let behind = Mount::new(Fs::Tmpfs, IMAGE_MB + 100);
        let mut mount = Mount::within(behind.path(), Fs::Xfs, IMAGE_MB);
        let stage = Stage::with_dump_on(mount.path());
        fs::write(stage.source.join("small"), "as it was").expect("written");
        stage.dump_now();
        // All that the filesystem needs for itself is there; its free space
        // is not, and nobody else leaves room for it.
        mount.unmount();
        let image = File::options()
            .write(true)
            .open(mount.image())
            .expect("opened");
        fallocate(&image, FallocateFlags::empty(), 0, IMAGE_MB << 20).expect("allocated");
        mount.mount();
        run("fstrim", mount.path());
        // What is trimmed is given back when the loop device is at rest.
        mount.remount();
        let free = statvfs(behind.path()).expect("asked");
        let ballast = File::create(behind.path().join("ballast")).expect("made");
        let all_but = (free.f_bavail * free.f_frsize).saturating_sub(2 << 20);
        fallocate(&ballast, FallocateFlags::empty(), 0, all_but).expect("allocated");
        let large: Vec<u8> = (0..40_u32 << 18).flat_map(u32::to_le_bytes).collect();
        fs::write(stage.source.join("large"), large).expect("written");
        Thin {
            stage,
            mount,
            behind,
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.behind.path().join("ballast")).expect("removed");
    }

    /// A reader who asks the disk, and not the cache, finds what was dumped.
    fn assert_on_disk(mut self) {
        self.mount.remount();
        assert_done(&self.stage.dump, &self.stage.source);
    }
}

fn run(program: &str, on: &std::path::Path) {
    let status = Command::new(program).arg(on).status();
    assert!(status.expect("it runs").success(), "{program}");
}

#[test]
#[ignore = "needs root and loop mounts"]
fn what_a_failed_flush_left_behind_is_compared_on_the_disk() {
    let thin = Thin::new();
    let said = end_with(&mut thin.stage.dumpme(), 1);
    assert!(said.contains("cannot flush"), "{said}");
    thin.make_room();
    end_well(&mut thin.stage.dumpme());
    thin.assert_on_disk();
}

/// The run is killed; somebody else flushes, and hears what failed.
#[test]
#[ignore = "needs root, strace and loop mounts"]
fn what_another_program_was_told_of_is_not_believed() {
    let thin = Thin::new();
    let mut command = thin.stage.dumpme();
    let seen = watch(command.arg("--jobs=1"), &[before_flush()]);
    assert!(!seen.status.success(), "{}", seen.status);
    let [site] = &leftovers(&thin.stage.dump)[..] else {
        panic!("nothing was left behind");
    };
    assert!(!is_marked(site), "it is believed");
    let mut sync = Command::new("sync");
    let told = sync
        .arg("-f")
        .arg(thin.mount.path())
        .output()
        .expect("runs");
    assert!(!told.status.success(), "the disk took it all");
    thin.make_room();
    end_well(&mut thin.stage.dumpme());
    thin.assert_on_disk();
}

/// A run that is stopped flushes what it has stored; when that fails, nothing of
/// it is believed.
#[test]
#[ignore = "needs root and loop mounts"]
fn what_a_stopped_run_could_not_flush_is_not_believed() {
    let thin = Thin::new();
    for at in 0..20_u8 {
        let text: Vec<u8> = (0..1_u32 << 18)
            .flat_map(|n| (n ^ u32::from(at)).to_le_bytes())
            .collect();
        fs::write(thin.stage.source.join(format!("a{at}")), text).expect("written");
    }
    let mut command = thin.stage.dumpme();
    let mut child = command
        .args(["--jobs=1", "--bwlimit=8m"])
        .spawn()
        .expect("it runs");
    // More is stored than there is room for, and not all.
    let names = |site: &PathBuf| fs::read_dir(site.join(ROOT)).map_or(0, Iterator::count);
    while !leftovers(&thin.stage.dump)
        .iter()
        .any(|site| names(site) > 6)
    {
        assert!(child.try_wait().expect("asked").is_none(), "too soon");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("asked to stop");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(143));
    let [site] = &leftovers(&thin.stage.dump)[..] else {
        panic!("nothing was left behind");
    };
    assert!(!is_marked(site), "it is believed");
    thin.make_room();
    end_well(&mut thin.stage.dumpme());
    thin.assert_on_disk();
}
