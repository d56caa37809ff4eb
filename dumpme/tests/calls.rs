//! System calls of a run, counted: what a change must not make worse. Time
//! is measured in `benches/` only; calls are the same on every machine.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_fs::prelude::*;
use common::Place;
use fixtures::strace::count_syscalls;
use fixtures::tree::bushy;

fn dumpme(place: &Place, more: &[&str]) -> Command {
    let mut command = place.plain_dumpme();
    command
        .args(["-q", "--log", "stderr", "-j", "1"])
        .args(["--main", "tree", "--dump", "dump"])
        .args(more)
        .stdin(Stdio::null());
    command
}

/// A place with a dump of the tree that `fill` makes.
fn dumped(fill: impl FnOnce(&Path)) -> Place {
    let place = Place::new();
    for dir in ["tree", "dump"] {
        place.dir.child(dir).create_dir_all().expect("made");
    }
    fill(&place.dir.path().join("tree"));
    let first = dumpme(&place, &["--init"]).status().expect("it runs");
    assert!(first.success(), "{first}");
    place
}

fn count(calls: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| calls.get(*name)).sum()
}

/// An unchanged file is looked at on both sides and linked, no more; a
/// directory is opened on three sides. What a run needs once is allowed for
/// with air, a call more for each file is not. The strace of Debian 12 does
/// not count `listxattrat`.
#[test]
#[ignore = "needs strace"]
fn an_unchanged_tree_costs_no_more_calls_than_it_did() {
    const DIRS: u64 = 20;
    const FILES: u64 = 50 * DIRS;
    let place = dumped(|tree| {
        for dir in 0..DIRS {
            let dir = tree.join(format!("d{dir}"));
            fs::create_dir(&dir).expect("made");
            for file in 0..FILES / DIRS {
                fs::write(dir.join(format!("f{file}")), "text").expect("written");
            }
        }
    });
    let calls = count_syscalls(&dumpme(&place, &[]));
    for (names, of_file, of_dir) in [
        (&["statx"][..], 2, 4),
        (&["linkat"], 1, 0),
        (&["openat", "openat2", "open"], 0, 4),
        (&["getdents64"], 0, 3),
        (&["llistxattr", "flistxattr"], 0, 2),
        (&["read", "pread64", "write", "pwrite64", "preadv2"], 0, 0),
        (&["fchown", "fchmod", "utimensat", "mkdirat"], 0, 5),
    ] {
        let most = of_file * FILES + of_dir * DIRS + 150;
        let made = count(&calls, names);
        assert!(
            made <= most,
            "{names:?}: {made}, but at most {most}: {calls:?}"
        );
    }
    assert!(
        count(&calls, &["linkat"]) >= FILES,
        "nothing was linked: {calls:?}"
    );
}

/// At each level another directory with a file, which is come back to when
/// all that is deeper is begun: the way from the top must not be gone anew
/// for each of them.
#[test]
#[ignore = "needs strace"]
fn depth_costs_no_more_opens_than_breadth() {
    const DEPTH: u64 = 1_500;
    let place = dumped(|tree| bushy(tree, DEPTH as usize));
    let calls = count_syscalls(&dumpme(&place, &[]));
    let opens = count(&calls, &["openat", "openat2", "open"]);
    let most = 12 * 2 * DEPTH;
    assert!(opens <= most, "{opens} opens, but at most {most}");
    assert!(opens >= 3 * 2 * DEPTH, "{opens} opens: not entered");
}
