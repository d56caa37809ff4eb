//! How large the catalog is, and how quickly a tree is recorded.

#![expect(clippy::print_stdout, reason = "the figures are what is asked for")]

use std::fs;
use std::time::Instant;

use super::catch_up_tests::{OPTIONS, link_all, tree_of};
use super::test_root::{TestRoot, below, dir, entry, file};
use super::{Catalog, Finding, Stage, TreeState};

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

#[test]
#[ignore = "measures: cargo test --release -- --ignored --nocapture"]
fn a_large_tree_is_recorded_in_half_a_second() {
    let root = TestRoot::new_on_disk();
    let mut catalog = root.open();
    root.make(0);
    let tree = catalog.tree(b"T").expect("known");
    let began = Instant::now();
    let stage = catalog.stage().expect("begun");
    fill(&stage, &tree, 3000);
    println!("staged after {:?}", began.elapsed());
    let began = Instant::now();
    let new = root.new_dump(0, &[&tree]);
    let pending = catalog.apply(stage, &new).expect("applied");
    let took = began.elapsed();
    println!("applied after {took:?}");
    let began = Instant::now();
    catalog.confirm(pending, None).expect("confirmed");
    println!("confirmed after {:?}", began.elapsed());
    assert!(took.as_millis() <= 500, "{took:?}");
    let began = Instant::now();
    let mut rows = catalog.rows().expect("opened");
    let mut seen = 0;
    let top = rows.children(tree.top, 10_000).expect("read").expect("few");
    for (name, _) in top.iter() {
        let (dir, _) = rows.subdir(tree.top, name).expect("read").expect("known");
        seen += rows
            .children(dir, 10_000)
            .expect("read")
            .expect("few")
            .len();
    }
    println!("{seen} names read after {:?}", began.elapsed());
    drop(rows);
    let began = Instant::now();
    root.dump(&mut catalog, 1, |stage, tree| {
        let source = None;
        stage
            .add(tree.top, [Finding::DirSource { source }])
            .expect("noted");
        stage.add(tree.top, [entry("new", file(7))]).expect("noted");
    });
    println!("a dump with one new name after {:?}", began.elapsed());
}

#[test]
#[ignore = "measures: cargo test --release -- --ignored --nocapture"]
fn a_rebuild_takes_seconds_for_a_million_names() {
    let root = TestRoot::new_on_disk();
    let first = tree_of(&root, 0);
    for d in 0..500 {
        let dir = first.join(format!("directory {d}"));
        fs::create_dir_all(&dir).expect("made");
        for f in 0..40 {
            fs::write(dir.join(format!("file {f}")), "").expect("written");
        }
    }
    for minute in 1..50 {
        link_all(&first, &tree_of(&root, minute));
    }
    let began = Instant::now();
    let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    println!("50 dumps of 20,500 names after {:?}", began.elapsed());
    assert_eq!(rebuilt.dumps, 50);
    let began = Instant::now();
    let found = root.open().check(true, &OPTIONS).expect("compared");
    println!("compared after {:?}", began.elapsed());
    assert_eq!(found, []);
}
