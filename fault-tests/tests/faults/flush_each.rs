//! A server in user space is not told of a flush of all: what is renamed out of
//! published dumps is flushed directory by directory, after the last rename in each.
//! bindfs(1) is such a server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use fixtures::bindfs::Bindfs;
use fixtures::strace::flushed_behind_renames;
use fixtures::tree::Node;

use crate::sample_trees;
use crate::setup::{ROOT, Stage, end_well};

/// Two dumps on what bindfs shows, which the catalog knows.
fn dumped(view: &Bindfs) -> Stage {
    let stage = Stage::with_dump_on(view.path());
    let mut tree = sample_trees::before();
    tree.add(b"other/deep/file", Node::file("alone"));
    stage.write(&tree);
    for _ in 0..2 {
        end_well(&mut stage.catalogued());
    }
    stage
}

fn dumpctl(stage: &Stage, what: &[&str]) -> Command {
    let mut command = stage.program("dumpctl");
    command
        .args(what)
        .args(["-q", "--log", "stderr", "-j1", "--main"]);
    command.arg(&stage.source).arg("--dump").arg(&stage.dump);
    command
}

/// All of these directories of each dump (the empty one is the dump's own), and this
/// one in `.dump`.
#[track_caller]
fn assert_flushed(stage: &Stage, flushed: &BTreeSet<PathBuf>, dirs: &[&str], state: &str) {
    let mut wanted = vec![stage.dump.join(".dump").join(state)];
    for tree in stage.trees() {
        assert_eq!(tree.file_name(), Some(ROOT.as_ref()));
        wanted.extend(dirs.iter().map(|dir| match *dir {
            "" => tree.parent().expect("a dump").to_path_buf(),
            dir => tree.join(dir),
        }));
    }
    assert!(wanted.len() > 2 * dirs.len());
    let missing: Vec<_> = wanted
        .iter()
        .filter(|dir| !flushed.contains(*dir))
        .collect();
    assert!(
        missing.is_empty(),
        "not flushed: {missing:?}, but {flushed:?}"
    );
}

/// Has a dump this path?
fn has(stage: &Stage, path: &Path) -> bool {
    stage.trees().iter().any(|tree| tree.join(path).exists())
}

#[test]
#[ignore = "needs root, bindfs and strace"]
fn what_an_erasure_takes_out_is_flushed() {
    let view = Bindfs::new(&[]);
    let stage = dumped(&view);
    let mut erase = dumpctl(&stage, &["erase", "--force"]);
    let paths = ["dir/twin a", "other/deep"];
    erase.args(paths.map(|path| stage.source.join(path)));
    let flushed = flushed_behind_renames(&erase);
    // The dump has another number of names now.
    assert_flushed(&stage, &flushed, &["dir", "other", ""], "removing");
    assert!(!paths.iter().any(|path| has(&stage, Path::new(path))));
}
