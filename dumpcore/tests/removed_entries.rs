//! A report says how much of the reference is gone from the tree.

mod common;

use std::fs;

use common::Stage;
use dumpcore::{Checkpoint, Filter};

fn stage() -> Stage {
    let stage = Stage::new();
    let source = &stage.source;
    fs::create_dir_all(source.join("dir/below/deep")).expect("made");
    fs::create_dir_all(source.join("same")).expect("made");
    for name in ["one", "two", "dir/a", "dir/below/b", "same/c"] {
        fs::write(source.join(name), name).expect("written");
    }
    stage
}

#[test]
fn what_is_gone_is_counted_with_all_that_was_below_it() {
    let stage = stage();
    let first = stage.run(stage.snapshot().catalog(true));
    assert_eq!(first.counts.removed, 0, "there was nothing before");
    assert_eq!(stage.run(stage.snapshot().catalog(true)).counts.removed, 0);

    let source = &stage.source;
    fs::remove_file(source.join("one")).expect("removed");
    fs::rename(source.join("two"), source.join("same/two")).expect("renamed");
    fs::remove_dir_all(source.join("dir")).expect("removed");
    // dir, dir/a, dir/below, dir/below/b, dir/below/deep
    let gone = 1 + 5;
    // Without the catalog it cannot be told what was moved.
    let planned = stage.snapshot().catalog(false).dry_run(true).run();
    assert_eq!(planned.expect("planned").counts.removed, gone + 1);
    let report = stage.run(stage.snapshot().catalog(true));
    assert_eq!(report.counts.removed, gone);
    assert_eq!(report.counts.moved.number, 1);
    assert_eq!(report.counts.copied().number, 0);
    assert_eq!(stage.run(stage.snapshot().catalog(true)).counts.removed, 0);
}

#[test]
fn what_is_left_out_is_not_gone() {
    let stage = stage();
    stage.run(stage.snapshot());
    fs::remove_file(stage.source.join("one")).expect("removed");
    let mut filter = Filter::new();
    filter.add_rule(b"two").expect("a rule");
    let report = stage.snapshot().filter(filter).run().expect("published");
    assert_eq!((report.counts.removed, report.counts.excluded), (1, 1));
    // A checkpoint is linked to nothing, so nothing can be gone.
    let copied = Checkpoint::new(&stage.dump).run().expect("published");
    assert_eq!(copied.counts.removed, 0);
}
