//! Half a dump, which somebody's interrupted `rm -rf` left.

mod common;

use std::fs;

use common::Place;
use predicates::prelude::*;
use predicates::str::contains;
use rustix::fs::{XattrFlags, setxattr};

const PLACES: [&str; 6] = ["--from", "dump", "--dump", "slave", "--log", "stderr"];

#[test]
fn is_not_replicated_and_the_way_out_is_told() {
    let place = Place::with(&["2026/1120/2331", "2026/1121/2331"]);
    let dump = place.dir.path().join("dump/2026/1121/2331");
    let noted = setxattr(&dump, "user.dump.names", b"4", XattrFlags::empty());
    noted.expect("the filesystem takes attributes");
    fs::remove_dir_all(dump.join("tree/sub")).expect("removed");
    for dry_run in [&["-n"][..], &[]] {
        let told = contains("has only 2 of the 4 entries").and(contains("'dumpctl remove'"));
        let mut command = place.dumpslave();
        command.args(PLACES).args(["--init", "-q"]).args(dry_run);
        command.assert().code(1).stderr(told);
        assert!(!place.dir.path().join("slave/current").exists());
    }
    // Whole again, it is replicated.
    fs::create_dir(dump.join("tree/more")).expect("made");
    fs::write(dump.join("tree/more/file"), "more").expect("written");
    let mut command = place.dumpslave();
    command
        .args(PLACES)
        .args(["--init", "-q"])
        .assert()
        .success();
}
