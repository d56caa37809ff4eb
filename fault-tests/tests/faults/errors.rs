//! The disk refuses, at every call that changes something.
//!
//! Whatever is refused, a run either publishes nothing and leaves all links
//! as they were, or publishes and names what it lost: it never says that all
//! is well when it is not.

use std::fs;

use fixtures::strace::{Inject, inject, watch};

use crate::calls::{Run, points};
use crate::setup::{History, assert_done, assert_done_but_removing, assert_stands, end_well, said};

/// What became of one run.
#[derive(Debug, Default)]
struct Ends {
    refused: usize,
    partial: usize,
    unhurt: usize,
}

impl Run {
    /// Refuses every point, each time from the same beginning.
    fn refuse_everywhere(&self, errno: &str) {
        let points = points(&self.one(&self.stage()));
        let mut ends = Ends::default();
        for (name, nth) in &points {
            if name != "exit_group" {
                self.refuse(name, *nth, errno, &mut ends);
            }
        }
        println!("{errno} at {} calls: {ends:?}", points.len() - 1);
        assert!(ends.refused > 20, "{ends:?}");
    }

    /// Refuses every look at an entry, though it changes nothing: what was stored
    /// and cannot be looked at is not known to the catalog, and not gone.
    fn refuse_looks(&self, errno: &str) {
        let looks = watch(&self.one(&self.stage()), &[]).calls["statx"];
        let looks = usize::try_from(looks).expect("few");
        let mut ends = Ends::default();
        for nth in 1..=looks {
            self.refuse("statx", nth, errno, &mut ends);
        }
        println!("{errno} at {looks} looks: {ends:?}");
        assert!(ends.unhurt > 0, "{ends:?}");
    }

    fn refuse(&self, name: &str, nth: usize, errno: &str, ends: &mut Ends) {
        println!("{errno} at {name} {nth}");
        let stage = self.stage();
        let root = (self.writes)(&stage);
        let roots = [&stage.dump, &stage.slave];
        let history = roots.map(|root| History::of(root));
        let links = ["current", "current_chk"];
        let read = |link: &str| fs::read_link(root.join(link)).ok();
        let before = links.map(read);
        let fault = Inject::error(name, errno).when(nth);
        let output = inject(&self.one(&stage), &[fault]).output().expect("run");
        let (was, now) = (stage.beside("was"), &stage.source);
        match output.status.code() {
            Some(0) => {
                ends.unhurt += 1;
                // What is on its way out is for the next run, if the disk refuses.
                assert_done_but_removing(root, now);
            }
            Some(1) => {
                ends.refused += 1;
                assert_eq!(links.map(read), before, "{}", said(&output));
                assert_stands(root, self.has_current, &[&was, now]);
                assert!(said(&output).contains("failed"), "{}", said(&output));
            }
            Some(23) => {
                ends.partial += 1;
                assert_ne!(links.map(read), before, "{}", said(&output));
                assert!(said(&output).contains("cannot"), "{}", said(&output));
            }
            _ => panic!("{}: {}", output.status, said(&output)),
        }
        for (root, history) in roots.iter().zip(&history) {
            history.assert_unchanged(root);
        }
        if output.status.code() == Some(23) {
            // What was lost, the next dump brings.
            stage.dump_now();
        }
        end_well(&mut (self.start)(&stage));
        assert_done(root, now);
        for (root, history) in roots.iter().zip(&history) {
            history.assert_unchanged(root);
        }
        self.assert_catalog(&stage);
    }
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_first_dump() {
    Run::first_dump().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_dump() {
    Run::dump().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_first_dump_with_the_catalog() {
    Run::catalogued_first_dump().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_dump_with_the_catalog() {
    Run::catalogued_dump().refuse_everywhere("EIO");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_dump_made_from_an_expired_one() {
    Run::recycled_dump().refuse_everywhere("EIO");
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_dump_made_from_an_expired_one() {
    Run::recycled_dump().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_look_of_a_dump_made_from_an_expired_one() {
    Run::recycled_dump().refuse_looks("EIO");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_look_of_a_dump_with_the_catalog() {
    Run::catalogued_dump().refuse_looks("EIO");
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_checkpoint() {
    Run::checkpoint().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn no_space_at_every_call_of_a_linked_checkpoint() {
    Run::linked_checkpoint().refuse_everywhere("ENOSPC");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_linked_checkpoint() {
    Run::linked_checkpoint().refuse_everywhere("EIO");
}

#[test]
#[ignore = "needs strace"]
fn no_quota_at_every_call_of_a_replica() {
    Run::replica().refuse_everywhere("EDQUOT");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_dump_that_goes_on() {
    Run::dump_that_goes_on().refuse_everywhere("EIO");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_checkpoint() {
    Run::checkpoint().refuse_everywhere("EIO");
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_replica() {
    Run::replica().refuse_everywhere("EIO");
}
