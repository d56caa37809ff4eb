//! Telling a history leaves no trace in the dumps: not even a time of access.

mod common;

use std::fs;

use common::{ROOT, Stage};
use dumpcore::{Change, Navigator, Stamp};
use fixtures::Fingerprint;

#[test]
fn telling_a_history_leaves_no_trace_in_it() {
    let stage = Stage::new();
    let path = stage.source.join("path");
    // The same size, so that contents are compared; no symlink: taking the
    // fingerprint reads it, and moves its time.
    let states = ["one", "one", "two", "two", "dir", "dir"];
    for (minute, state) in (30..).zip(states) {
        let same = fs::read_to_string(&path).is_ok_and(|found| found == state);
        if state == "dir" && !path.is_dir() {
            fs::remove_file(&path).expect("removed");
            fs::create_dir(&path).expect("made");
            fs::write(path.join("name"), "inside").expect("written");
        } else if !same && !path.is_dir() {
            fs::write(&path, state).expect("written");
        }
        let at = Stamp::new(2026, 11, 22, 23, minute).expect("a minute");
        stage.snapshot().at(at).run().expect("published");
    }
    let before = Fingerprint::with_atime(&stage.dump);
    let navigator = Navigator::new(&stage.dump).main(&stage.source);
    let place = navigator.locate(&path);
    let place = place.expect("within the tree");
    assert_eq!(place.within.as_bytes(), format!("{ROOT}/path").as_bytes());
    let told = navigator.history(&place).run();
    let changes: Vec<Change> = told
        .events
        .iter()
        .map(|event| event.change.clone())
        .collect();
    assert_eq!(changes, [Change::Create, Change::Write, Change::Write]);
    before.assert_unchanged(&stage.dump);
}
