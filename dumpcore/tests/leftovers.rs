//! What a run that was killed leaves behind is the next run's.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{Stage, leftovers};
use dumpcore::{DumpRoot, Replica, Replicated};

#[test]
fn a_site_with_nothing_in_it_but_what_was_tried_is_taken_over() {
    // Killed between any two acts of the trial, one of them may be alone.
    for left in [&[".dump_trial"][..], &[".dump_trial_link"], &[]] {
        let stage = Stage::new();
        fs::write(stage.source.join("file"), "text").expect("written");
        stage.run(stage.snapshot());
        let day = stage.newest();
        let day = day.ancestors().nth(2).expect("a day");
        let site = day.join("0000_incomplete");
        fs::create_dir(&site).expect("made");
        for name in left {
            fs::write(site.join(name), "").expect("written");
        }
        let report = stage.run(stage.snapshot());
        assert!(report.resumed, "{left:?}");
        assert!(leftovers(&stage.dump).is_empty());
    }
}

#[test]
fn a_replica_that_is_there_is_pointed_to() {
    let stage = Stage::new();
    let slave = stage.dump.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    fs::write(stage.source.join("file"), "text").expect("written");
    let replicate = || {
        let replica = Replica::of(&stage.dump).to(&slave).latest(true);
        let init = fs::symlink_metadata(slave.join("current")).is_err();
        replica.init(init).run().expect("replicated")
    };
    stage.run(stage.snapshot());
    replicate();
    let first = fs::read_link(slave.join("current")).expect("a link");
    stage.run(stage.snapshot());
    let Replicated::Made(report) = replicate() else {
        panic!("it was not there before");
    };
    // Killed just before it moved the link; and a first one just before it
    // made any.
    for before in [Some(&first), None] {
        for link in ["current", "current_chk"] {
            fs::remove_file(slave.join(link)).expect("removed");
            if let Some(first) = before {
                symlink(first, slave.join(link)).expect("made");
            }
        }
        let Replicated::There(path) = replicate() else {
            panic!("it was there before");
        };
        assert_eq!(path, report.dump);
        let dump = DumpRoot::open(&slave).expect("opened");
        assert_eq!(dump.current().expect("a link"), Some(path.clone()));
        let checkpoint = dump.current_checkpoint().expect("a link");
        assert_eq!(checkpoint == Some(path), before.is_none());
    }
}
