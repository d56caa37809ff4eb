//! What a run that was killed leaves behind is the next run's.

mod common;

use std::fs;

use common::{Stage, leftovers};

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
