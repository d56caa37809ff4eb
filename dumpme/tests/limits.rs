//! What the program needs of memory and descriptors, as a process of its own.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use assert_fs::prelude::*;
use common::Place;
use fixtures::memory::peak_kib;
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{deep, many, remove_deep, wide};
use fixtures::{Options, assert_same_tree};

/// The most that a dump may take on a disk of its own.
const MOST_KB: u64 = 32 << 10;

/// The most that a million names in one directory may take on the disk that is
/// there. How close the numbers of its inodes lie depends on what was removed from
/// it before, and what is remembered of them takes the more the further they are
/// apart: docs/PERFORMANCE.md.
const MOST_KB_ANYWHERE: u64 = 40 << 10;

fn args(command: &mut Command) -> &mut Command {
    command.args(["-q", "--log", "stderr", "--main", "tree", "--dump", "dump"])
}

fn place() -> Place {
    let place = Place::new();
    for dir in ["tree", "dump"] {
        place.dir.child(dir).create_dir_all().expect("made");
    }
    place
}

/// The most memory resident in a dump of `tree` into `dump`, in KiB.
fn dump(place: &Place, more: &[&str]) -> u64 {
    let mut command = place.plain_dumpme();
    peak_kib(args(&mut command).args(more))
}

/// The first dump, and one of the unchanged tree.
#[test]
#[ignore = "slow: a million files, two minutes in a release build"]
fn a_million_names_in_one_directory_need_little_memory() {
    const NAMES: u64 = 1_000_000;
    let place = place();
    wide(&place.dir.path().join("tree/wide"), NAMES as usize);
    let peaks = [&["--init"][..], &[]].map(|more| {
        let peak = dump(&place, more);
        let newest = place.dir.path().join("dump/current/tree/wide");
        assert_eq!(fs::read_dir(newest).expect("listed").count() as u64, NAMES);
        peak
    });
    let few = peaks.iter().all(|peak| *peak < MOST_KB_ANYWHERE);
    assert!(few, "{peaks:?} KiB");
    remove_deep(&place.dir.path().join("dump"));
}

/// The first dump of this many files, each an inode of its own, and one of the
/// unchanged tree.
fn peaks_of(files: usize) -> [u64; 2] {
    let place = Place::new();
    // Nothing is waited for but the processor.
    let memory = Mount::new(Fs::Tmpfs, 4 << 10);
    let [tree, root] = ["tree", "dump"].map(|name| memory.path().join(name));
    many(&tree, files, files / 50);
    fs::create_dir(&root).expect("made");
    [&["--init"][..], &[]].map(|more| {
        let mut command = place.plain_dumpme();
        peak_kib(args(command.current_dir(memory.path())).args(more))
    })
}

/// A million need as much: `docs/PERFORMANCE.md`.
#[test]
#[ignore = "needs root for a tmpfs"]
fn memory_does_not_grow_with_the_number_of_files() {
    let (few, many) = (peaks_of(20_000), peaks_of(200_000));
    for (few, many) in few.into_iter().zip(many) {
        assert!(many < MOST_KB, "{many} KiB");
        assert!(many < few + (4 << 10), "{few} KiB, ten times: {many} KiB");
    }
}

/// Another tool links each file outside of the tree, or in a directory that is
/// left out: such names never come, and are not waited for.
#[test]
#[ignore = "needs root for a tmpfs"]
fn names_that_are_never_met_need_no_memory() {
    const FILES: usize = 100_000;
    let plain = peaks_of(FILES);
    // The catalog's own caches fill up when all files were moved.
    for (how, spare) in [(&["--no-catalog"][..], 4 << 10), (&[], 12 << 10)] {
        let peaks = peaks_of_linked(FILES, how);
        for peak in &peaks {
            let most = plain[0] + spare;
            assert!(*peak < most, "{how:?}: {peaks:?} KiB, else {plain:?}");
        }
    }
}

/// A first dump of files of which each has another name that is left out, one of
/// the unchanged tree, and one after all were moved.
fn peaks_of_linked(files: usize, how: &[&str]) -> [u64; 3] {
    let place = Place::new();
    let memory = Mount::new(Fs::Tmpfs, 4 << 10);
    let [tree, other, root] = ["tree", "tree/left out", "dump"].map(|n| memory.path().join(n));
    let run = |more: &[&str]| {
        let mut command = place.plain_dumpme();
        let command =
            args(command.current_dir(memory.path())).args(["--exclude", "/tree/left out"]);
        peak_kib(command.args(how).args(more))
    };
    many(&tree.join("a"), files, files / 50);
    link_all(&tree.join("a"), &other);
    fs::create_dir(&root).expect("made");
    let (first, unchanged) = (run(&["--init"]), run(&[]));
    // Under other names all of them are new, and each waits for another.
    fs::rename(tree.join("a"), tree.join("b")).expect("renamed");
    [first, unchanged, run(&[])]
}

/// Gives every file below one directory a second name in another.
fn link_all(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("told").is_dir() {
            link_all(&entry.path(), &to);
        } else {
            fs::hard_link(entry.path(), to).expect("linked");
        }
    }
}

/// Wide at each of many levels, and deep: more directories are begun at once
/// than can be open.
fn wide_and_deep(tree: &Path) {
    deep(&tree.join("deep"), 1_000);
    let mut at = tree.to_path_buf();
    for level in 0..40 {
        for i in 0..30 {
            let dir = at.join(format!("dir {i}"));
            fs::create_dir_all(&dir).expect("made");
            fs::write(dir.join("file"), format!("{level} {i}")).expect("written");
            if i > 0 {
                fs::hard_link(at.join("dir 0/file"), dir.join("link")).expect("linked");
            }
        }
        at.push(format!("dir {}", level % 30));
    }
    // Listings that take several calls, at several levels.
    for dir in ["many", "dir 0/many", "dir 0/dir 1/many"] {
        wide(&tree.join(dir), 10_000);
    }
}

#[test]
#[ignore = "needs prlimit(1)"]
fn few_descriptors_are_enough() {
    let place = place();
    wide_and_deep(&place.dir.path().join("tree"));
    let tree = place.dir.path().join("tree");
    for (limit, jobs) in [("64", "8"), ("40", "1"), ("64", "64"), ("256", "16")] {
        let init = !fs::exists(place.dir.path().join("dump/current")).expect("looked");
        let program = place.plain_dumpme();
        let mut command = Command::new("prlimit");
        // The hard limit too: the program raises the soft one to it.
        command
            .arg(format!("--nofile={limit}:{limit}"))
            .arg(program.get_program());
        let command = args(&mut command)
            .args(["--jobs", jobs])
            .args(init.then_some("--init"));
        command
            .current_dir(place.dir.path())
            .env("XDG_CONFIG_HOME", place.dir.path());
        let ran = command.output().expect("prlimit runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(
            ran.status.success(),
            "{limit} descriptors, {jobs} jobs: {said}"
        );
        let newest = place.dir.path().join("dump/current/tree");
        assert_same_tree(&tree, &newest, &Options::default());
    }
    for dir in ["tree", "dump"] {
        remove_deep(&place.dir.path().join(dir));
    }
}

/// SIGXFSZ would end the run without a word, each time at the same file.
#[test]
#[ignore = "needs prlimit(1)"]
fn a_file_above_the_limit_on_sizes_is_a_fault_of_that_file() {
    let place = place();
    let tree = place.dir.path().join("tree");
    for (name, bytes) in [("a", 10), ("large", 1_000_000), ("z", 10)] {
        fs::write(tree.join(name), vec![1; bytes]).expect("written");
    }
    let program = place.plain_dumpme();
    let mut command = Command::new("prlimit");
    command.arg("--fsize=500000").arg(program.get_program());
    args(&mut command)
        .arg("--init")
        .current_dir(place.dir.path())
        .env("XDG_CONFIG_HOME", place.dir.path());
    let ran = command.output().expect("prlimit runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(23), "{said}");
    assert!(said.contains("tree/large: File too large"), "{said}");
    let newest = place.dir.path().join("dump/current/tree");
    let names = fs::read_dir(newest).expect("listed").count();
    assert_eq!(names, 2, "{said}");
}
