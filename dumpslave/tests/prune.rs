//! Pruning in the second dump root, by a policy of its own.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::Place;
use dumpcore::DumpRoot;
use predicates::prelude::*;
use predicates::str::contains;

const DUMPS: [&str; 4] = [
    "2020/0101/0100",
    "2020/0102/0100",
    "2020/0103/0100",
    "2020/0104/0100",
];

fn names(root: &Path) -> BTreeSet<String> {
    let root = DumpRoot::open(root).expect("opened");
    let names = root.list().expect("listed").into_iter();
    names.map(|name| name.to_string()).collect()
}

/// With older replicas, made by hand, and this configuration.
fn with(config: &str) -> Place {
    let place = Place::with(&DUMPS);
    for dump in &DUMPS[..3] {
        let tree = place.dir.path().join("slave").join(dump).join("tree");
        fs::create_dir_all(&tree).expect("made");
        fs::write(tree.join("file"), dump).expect("written");
    }
    let current = place.dir.path().join("slave/current");
    std::os::unix::fs::symlink(DUMPS[2], current).expect("linked");
    let places = "dump = \"../../dump\"\nlog = \"stderr\"\n";
    place.config(&format!("{places}{config}\n"));
    place
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_replica_prunes_by_the_policy_of_its_own_disk() {
    let config = "[keep]\nlast = 1\n[slave]\ndump = \"../../slave\"\n[slave.keep]\nlast = 2";
    let place = with(config);
    let ran = place.dumpslave().assert().success();
    ran.stdout(contains("pruned 2 dumps, ").and(contains("; 2 stay")));
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS[2..]));
    // What is replicated is not touched.
    assert_eq!(names(&place.dir.path().join("dump")), set(&DUMPS));
    let again = place.dumpslave().assert().success();
    again.stdout(contains("nothing to do").and(contains("pruned").not()));
}

#[test]
fn without_a_policy_of_its_own_nothing_is_pruned_there() {
    let place = with("[keep]\nauto = true\nlast = 1\n[slave]\ndump = \"../../slave\"");
    let ran = place.dumpslave().assert().success();
    ran.stdout(contains("pruned").not());
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS));
}

#[test]
fn trees_that_the_configuration_does_not_name_are_those_of_the_policy() {
    let named = "main = \"/srv/other\"\n[slave]\ndump = \"../../slave\"\n[slave.keep]\nlast = 1";
    let place = with(named);
    place.dumpslave().assert().success();
    // It is a policy for `other`, and the dumps hold `tree`.
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS));
    let place = with(&named.replace("/srv/other", "/srv/tree"));
    place.dumpslave().assert().success();
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS[3..]));
}

#[test]
fn a_policy_that_cannot_be_read_stops_no_replica() {
    let place = with("[slave]\ndump = \"../../slave\"\n[slave.keep]\nlast = 0");
    let ran = place.dumpslave().assert().code(23);
    ran.stderr(contains("cannot prune: ").and(contains("'0' would keep nothing")));
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS));
}

#[test]
fn another_disk_than_the_one_of_the_policy_is_not_pruned() {
    let place = with("[slave]\ndump = \"../../other\"\n[slave.keep]\nlast = 1");
    let slave = place.dir.path().join("slave");
    let ran = place.dumpslave().arg("--dump").arg(&slave).assert();
    let told = "not pruned: [slave.keep] is for the dump root ";
    ran.success()
        .stdout(contains(told).and(contains("/other\n")));
    assert_eq!(names(&slave), set(&DUMPS));
}

#[test]
fn different_trees_of_one_name_are_not_pruned() {
    let config = "[slave]\ndump = \"../../slave\"\n[slave.keep]\nlast = 1\n\
                  [set.a]\nmain = \"/srv/a/tree\"\n[set.b]\nmain = \"/srv/b/tree\"";
    let place = with(config);
    let ran = place.dumpslave().assert().code(23);
    ran.stderr(contains("different trees are dumped under the name tree"));
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS));
}

#[test]
fn it_does_not_prune_by_itself_where_auto_is_false() {
    let config = "[slave]\ndump = \"../../slave\"\n[slave.keep]\nauto = false\nlast = 1";
    let place = with(config);
    let ran = place.dumpslave().assert().success();
    ran.stdout(contains("pruned").not());
    assert_eq!(names(&place.dir.path().join("slave")), set(&DUMPS));
}
