//! What a scrub needs of memory, as a process of its own: it does not grow with the
//! number of inodes.

mod common;

use std::fs;

use common::Ground;
use fixtures::memory::peak_kib;
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::many;

/// Workers: as many as a machine with four processors has, whatever this one has.
const JOBS: &str = "8";

/// The most that a scrub of a million inodes may have resident: 40 MB.
const MOST_KIB: u64 = 40_000_000 / 1024;

/// The most memory resident in a scrub of this many files, each an inode of its own,
/// in KiB.
fn peak_of(files: usize) -> u64 {
    let ground = Ground::empty();
    // Nothing is waited for but the processor.
    let memory = Mount::new(Fs::Tmpfs, 4 << 10);
    let [tree, root] = ["tree", "dump"].map(|name| memory.path().join(name));
    many(&tree, files, files / 50);
    // Each worker's buffer is filled once.
    for at in 0..32 {
        fs::write(tree.join(format!("large{at}")), vec![at; 1 << 20]).expect("written");
    }
    fs::create_dir(&root).expect("made");
    let init = dumpcore::Snapshot::new(&root).main(&tree).init(true);
    init.run().expect("published");
    let words = [
        "scrub",
        "-q",
        "--no-idle",
        "--log",
        "stderr",
        "--jobs",
        JOBS,
    ];
    peak_kib(ground.dumpctl(&words).env("DUMPROOT", &root))
}

/// A million need as much, which the test below shows where there is time for it.
#[test]
#[ignore = "needs root for a tmpfs"]
fn memory_does_not_grow_with_the_number_of_inodes() {
    let (few, many) = (peak_of(20_000), peak_of(100_000));
    // What is found is kept for a while before it is recorded: 60 bytes an inode,
    // and no more than 32,768 of them.
    assert!(many < few + (8 << 10), "{few} and {many} KiB");
}

#[test]
#[ignore = "slow: a million files, two minutes in a release build; needs root"]
fn a_scrub_of_a_million_inodes_needs_40_mb() {
    let peak = peak_of(1_000_000);
    assert!(peak < MOST_KIB, "{peak} KiB");
}
