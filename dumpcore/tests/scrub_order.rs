//! A scrub reads files in the order in which the disk has them, each once.
#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage, tick};
use dumpcore::{Event, Scrub};
use fixtures::fiemap::extents;
use fixtures::mounts::{Fs, Mount};
use fixtures::{keep_times, rot};

/// How many are on the disk in another order.
const FILES: usize = 60;

/// A dump whose files are on the disk in another order than their inodes: each is
/// written again, the last inode first.
fn shuffled(top: &Path) -> (Stage, PathBuf) {
    let stage = Stage::within(top);
    for at in 0..FILES {
        let dir = stage.source.join(format!("dir{}", at % 3));
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join(format!("file{at}")), vec![at as u8; 40_000]).expect("written");
    }
    fs::write(stage.source.join("empty"), "").expect("written");
    tick();
    let dump = stage.run(stage.snapshot().catalog(true)).dump;
    let mut files = names(&dump.join(ROOT));
    files.sort_by_key(|path| std::cmp::Reverse(inode(path)));
    for path in files.iter().filter(|path| !path.ends_with("empty")) {
        let text = fs::read(path).expect("read");
        let had = fs::metadata(path).expect("there");
        let again = OpenOptions::new().write(true).truncate(true).open(path);
        let mut file = again.expect("opened");
        file.write_all(&text).expect("written");
        keep_times(&file, &had);
        file.sync_all().expect("flushed");
    }
    (stage, dump.join(ROOT))
}

/// The files below a directory.
fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed");
    let entries = entries.map(|entry| entry.expect("listed").path());
    let below = |path: PathBuf| match path.is_dir() {
        true => names(&path),
        false => vec![path],
    };
    entries.flat_map(below).collect()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

/// The files that a scrub reads, in its order.
fn read_by(scrub: Scrub, dump: &Path) -> Vec<PathBuf> {
    let read: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let tell = Arc::clone(&read);
    let top = dump.parent().expect("a dump").to_owned();
    let scrub = scrub.jobs(1).observer(Arc::new(move |event: Event<'_>| {
        if let Event::Copying { at, .. } = event {
            let path = top.join(at.path().as_path());
            tell.lock().expect("not poisoned").push(path);
        }
    }));
    let scrubbed = scrub.run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    let mut read = read.lock().expect("not poisoned");
    std::mem::take(&mut *read)
}

/// Where each begins on the disk; nothing of an empty one.
fn places(files: &[PathBuf]) -> Vec<u64> {
    let first = |path: &PathBuf| extents(path).first().map(|extent| extent.physical);
    files.iter().filter_map(first).collect()
}

fn is_read_in_one_sweep(fs: Fs) {
    let mount = Mount::new(fs, 512);
    let (stage, dump) = shuffled(&mount.path().join("stage"));
    let swept = read_by(Scrub::new(&stage.dump).disk_order(true), &dump);
    let by_number = read_by(Scrub::new(&stage.dump).disk_order(false), &dump);
    let inodes: Vec<u64> = by_number.iter().map(|path| inode(path)).collect();
    assert!(inodes.is_sorted(), "{inodes:?}");
    assert!(!places(&by_number).is_sorted(), "they are not shuffled");
    let places = places(&swept);
    assert!(places.is_sorted(), "{places:?}");
    // Each is read, and once.
    let [swept, by_number, all] = [swept, by_number, names(&dump)].map(|mut paths| {
        paths.sort();
        paths
    });
    assert_eq!(swept.len(), FILES + 1);
    assert_eq!((&swept, &by_number), (&all, &all));
}

#[test]
#[ignore = "needs root and a loop mount"]
fn a_disk_is_read_in_one_sweep_on_ext4() {
    is_read_in_one_sweep(Fs::Ext4);
}

#[test]
#[ignore = "needs root and a loop mount"]
fn a_disk_is_read_in_one_sweep_on_xfs() {
    is_read_in_one_sweep(Fs::Xfs);
}

#[test]
#[ignore = "needs root and a loop mount"]
fn a_disk_is_read_in_one_sweep_on_btrfs() {
    is_read_in_one_sweep(Fs::Btrfs);
}

/// More inodes than one sweep takes, on whatever filesystem is here; also where it
/// does not tell where files are.
#[test]
fn nothing_is_left_out_between_two_sweeps() {
    for memory in [false, true] {
        let dir = match memory {
            true => assert_fs::TempDir::new_in("/dev/shm").expect("a directory"),
            false => assert_fs::TempDir::new().expect("a directory"),
        };
        let stage = Stage::within(&dir.path().join("stage"));
        for at in 0..4_500 {
            let path = stage.source.join(format!("{at}"));
            fs::write(path, at.to_string()).expect("written");
        }
        tick();
        let dump = stage.run(stage.snapshot().catalog(true)).dump.join(ROOT);
        let mut read = read_by(Scrub::new(&stage.dump).disk_order(true), &dump);
        read.sort();
        let mut all = names(&dump);
        all.sort();
        assert_eq!((read.len(), read), (4_500, all));
        rot(&dump.join("4321"), 2);
        let scrubbed = Scrub::new(&stage.dump).disk_order(true).run();
        assert_eq!(scrubbed.expect("scrubbed").damaged.len(), 1);
    }
}
