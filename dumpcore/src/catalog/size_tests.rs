//! How large the catalog is, and how quickly a tree is recorded.

#![expect(clippy::print_stdout, reason = "the figures are what is asked for")]

use std::fs;

use super::Stage;
use super::test_root::{TestRoot, below, dir, entry, file};
use super::values::TreeState;

/// A tree of `dirs` directories of 40 files each, in the order in which workers
/// take them.
fn fill(stage: &Stage, tree: &TreeState, dirs: u64) {
    let mut top = Vec::new();
    for d in 0..dirs {
        // Not in the order of names, nor of inodes.
        let d = d * 7919 % dirs;
        let name = format!("directory {d}");
        let findings = (0..40).map(|f| {
            let ino = 1_000_000 + (d * 40 + f);
            entry(&format!("file name {f:04}.txt"), file(ino))
        });
        below(stage, tree, tree.top, &name, findings.collect());
        top.push(entry(&name, dir(1)));
    }
    stage.add(tree.top, top).expect("noted");
}

#[test]
fn a_file_takes_220_bytes_and_an_unchanged_dump_next_to_nothing() {
    let root = TestRoot::new();
    let mut catalog = root.open();
    let empty = fs::metadata(root.catalog_file()).expect("there").len();
    root.dump(&mut catalog, 0, |stage, tree| fill(stage, tree, 500));
    let first = fs::metadata(root.catalog_file()).expect("there").len();
    let each = (first - empty) as f64 / 20_500.0;
    println!("{each} bytes a name");
    assert!(each <= 220.0, "{each}");
    for minute in 1..100 {
        root.dump(&mut catalog, minute, |_, _| {});
    }
    let then = fs::metadata(root.catalog_file()).expect("there").len();
    assert!(then - first <= 99 * 200 + 8192, "{} more", then - first);
    let staged = root.dir.path().join(".dump/catalog.new");
    assert!(!staged.exists(), "nothing is left behind");
}
