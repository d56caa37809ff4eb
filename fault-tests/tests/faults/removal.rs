//! A removal that is killed, or that the disk refuses, and what is left then.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use dumpcore::DumpRoot;
use fixtures::Fingerprint;
use fixtures::strace::{Inject, watch};

use crate::calls::{Point, copy_tree, points};
use crate::sample_trees;
use crate::setup::{ROOT, Stage, assert_done, assert_one_of, end_well, leftovers};

/// Four dumps of two states; the two in the middle are to go.
struct Removal {
    base: Stage,
    goes: Vec<String>,
    /// By which word they go.
    by: By,
}

#[derive(Clone, Copy)]
enum By {
    Remove,
    Prune,
    /// By the run that makes a dump, which keeps one of them to be recycled.
    Run,
}

/// What the minutes of the dumps are.
const MINUTES: [&str; 4] = [
    "2020-01-01T01:00",
    "2020-01-01T02:00",
    "2020-01-02T03:00",
    "2020-01-03T04:00",
];

impl Removal {
    fn new(by: By) -> Self {
        let base = Stage::new();
        for (number, minute) in MINUTES.iter().enumerate() {
            match number {
                0 | 1 => base.write(&sample_trees::before()),
                _ => base.write(&sample_trees::after()),
            }
            end_well(base.dumpme().args(["--at", minute]));
            if number == 1 {
                copy_tree(&base.source, &base.beside("was"));
            }
        }
        let goes = ["2020/0101/0200", "2020/0102/0300"].map(str::to_owned);
        Self {
            base,
            goes: goes.into(),
            by,
        }
    }

    /// A copy of it; to be pruned, with a catalog of its own.
    fn copy(&self) -> Stage {
        let stage = self.base.copy();
        if !matches!(self.by, By::Remove) {
            end_well(&mut stage.catalog("rebuild"));
        }
        stage
    }

    fn command(&self, stage: &Stage) -> Command {
        let goes: Vec<&str> = self.goes.iter().map(String::as_str).collect();
        let mut command = match self.by {
            By::Remove => stage.remove(&goes),
            // The first dump stays, since `current_chk` names it.
            By::Prune => stage.prune(&["--keep-last=1"]),
            By::Run => stage.recycling(2),
        };
        command.arg("--jobs=1");
        command
    }

    /// Strikes it there, and looks at what is left; was it struck?
    fn strike(&self, (name, nth): &Point, how: fn(&str) -> Inject) -> bool {
        println!("at {name} {nth}");
        let stage = self.copy();
        let stay = ["2020/0101/0100", "2020/0103/0400"].map(|dump| stage.dump.join(dump));
        let stay = stay.map(|dump| (Fingerprint::of(&dump), dump));
        let seen = watch(&self.command(&stage), &[how(name).when(*nth)]);
        let may_be = [stage.beside("was"), stage.source.clone()];
        let may_be: Vec<&Path> = may_be.iter().map(|path| path.as_path()).collect();
        let root = DumpRoot::open(&stage.dump).expect("opened");
        let current = root.current().expect("read").expect("there is a current");
        assert_one_of(&current.join(ROOT), &[&stage.source]);
        // Whatever looks like a dump is whole.
        for dump in root.list().expect("listed") {
            assert_one_of(&stage.dump.join(dump.path()).join(ROOT), &may_be);
        }
        for (print, dump) in &stay {
            print.assert_unchanged(dump);
        }
        // The next run finishes, whichever program it is of.
        if nth % 2 == 0 {
            stage.dump_now();
            assert_done(&stage.dump, &stage.source);
        } else {
            let left = |name: &&String| stage.dump.join(name).exists();
            let left: Vec<&str> = self.goes.iter().filter(left).map(String::as_str).collect();
            match left.as_slice() {
                [] => stage.dump_now(),
                left => end_well(&mut match self.by {
                    By::Remove => stage.remove(left),
                    By::Prune => stage.prune(&["--keep-last=1"]),
                    By::Run => stage.prune(&["--keep-last=2"]),
                }),
            }
            if matches!(self.by, By::Run) {
                // Whatever is kept to be recycled goes when it is not asked for.
                stage.dump_now();
            }
            assert!(leftovers(&stage.dump).is_empty());
        }
        for (print, dump) in &stay {
            print.assert_unchanged(dump);
        }
        // The catalog is brought up to date by the next run with it.
        if !matches!(self.by, By::Remove) && nth % 2 == 0 {
            end_well(stage.dumpme().arg("--catalog"));
            let told = stage.catalog("check").status().expect("run");
            assert_ne!(told.code(), Some(3), "it differs");
        }
        seen.status.signal() == Some(9) || seen.status.code() != Some(0)
    }
}

impl By {
    fn killed_at_every_call(self) {
        let removal = Removal::new(self);
        let points = points(&removal.command(&removal.copy()));
        assert!(points.len() > 25, "too few calls seen: {points:?}");
        let killed = points.iter().filter(|at| removal.strike(at, Inject::kill));
        let killed = killed.count();
        println!("{killed} kills at {} calls", points.len());
        assert_eq!(killed, points.len());
    }

    fn refused_at_every_call(self) {
        let removal = Removal::new(self);
        let mut points = points(&removal.command(&removal.copy()));
        points.retain(|(name, _)| name != "exit_group");
        let refused = |at: &&Point| removal.strike(at, |name| Inject::error(name, "EIO"));
        let refused = points.iter().filter(refused).count();
        println!("{refused} refusals at {} calls", points.len());
        assert!(refused > 25, "only {refused} of {} were told", points.len());
    }
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_a_removal() {
    By::Remove.killed_at_every_call();
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_removal() {
    By::Remove.refused_at_every_call();
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_a_prune() {
    By::Prune.killed_at_every_call();
}

#[test]
#[ignore = "needs strace"]
fn killed_at_every_call_of_a_run_that_prunes() {
    By::Run.killed_at_every_call();
}

#[test]
#[ignore = "needs strace"]
fn an_io_error_at_every_call_of_a_prune() {
    By::Prune.refused_at_every_call();
}
