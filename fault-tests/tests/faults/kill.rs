//! kill -9 at every call that changes something, and at any instant.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::strace::{Inject, watch};
use rustix::process::{Pid, Signal, kill_process};

use crate::calls::{Run, copy_tree, points};
use crate::sample_trees;
use crate::setup::{History, ROOT, Stage, assert_done, assert_one_of, assert_stands, end_well};

impl Run {
    /// Kills it at every point, each time from the same beginning.
    fn kill_everywhere(&self) {
        let points = points(&self.one(&self.stage()));
        assert!(points.len() > 25, "too few calls seen: {points:?}");
        let began = Instant::now();
        let mut killed = 0;
        for (name, nth) in &points {
            killed += usize::from(self.kill_at(name, *nth));
        }
        println!(
            "{killed} kills at {} calls in {:?}",
            points.len(),
            began.elapsed()
        );
        assert_eq!(killed, points.len());
    }

    /// Did the kill meet it?
    fn kill_at(&self, name: &str, nth: usize) -> bool {
        println!("at {name} {nth}");
        let stage = self.stage();
        let roots = [&stage.dump, &stage.slave];
        let history = roots.map(|root| History::of(root));
        let seen = watch(&self.one(&stage), &[Inject::kill(name).when(nth)]);
        let killed = seen.status.signal() == Some(9);
        assert!(
            killed || seen.status.success(),
            "{name} {nth}: {}",
            seen.status
        );
        let (was, now) = (stage.beside("was"), &stage.source);
        let root = (self.writes)(&stage);
        assert_stands(root, self.has_current, &[&was, now]);
        for (root, history) in roots.iter().zip(&history) {
            history.assert_unchanged(root);
        }
        end_well(&mut (self.start)(&stage));
        assert_done(root, now);
        for (root, history) in roots.iter().zip(&history) {
            history.assert_unchanged(root);
        }
        self.assert_catalog(&stage);
        killed
    }
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_first_dump() {
    Run::first_dump().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_dump() {
    Run::dump().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_first_dump_with_the_catalog() {
    Run::catalogued_first_dump().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_dump_with_the_catalog() {
    Run::catalogued_dump().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_dump_made_from_an_expired_one() {
    Run::recycled_dump().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_dump_that_goes_on() {
    Run::dump_that_goes_on().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_checkpoint() {
    Run::checkpoint().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_verified_checkpoint() {
    Run::verified_checkpoint().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_linked_checkpoint() {
    Run::linked_checkpoint().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_linked_checkpoint_with_the_catalog() {
    Run::catalogued_linked_checkpoint().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_first_replica() {
    Run::first_replica().kill_everywhere();
}

#[test]
#[ignore = "needs strace"]
fn at_every_call_of_a_replica() {
    Run::replica().kill_everywhere();
}

/// How many kills at random instants.
const RANDOM_KILLS: usize = 240;

/// Numbers that differ from run to run; the seed is told.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Starts, and kills after so long; true when it was still running.
fn kill_after(mut command: Command, pause: Duration) -> bool {
    let mut child = command.stderr(Stdio::null()).spawn().expect("it runs");
    std::thread::sleep(pause);
    let running = child.try_wait().expect("asked").is_none();
    let pid = Pid::from_child(&child);
    if running {
        kill_process(pid, Signal::KILL).expect("killed");
    }
    let status = child.wait().expect("it ends");
    assert!(status.success() || status.signal() == Some(9), "{status}");
    status.signal() == Some(9)
}

#[test]
#[ignore = "needs time: half a minute"]
fn at_random_instants() {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut dice = Dice(seed.expect("after 1970").as_nanos() as u64);
    println!("seed {}", dice.0);
    let (mut kills, mut starts) = (0, 0);
    while kills < RANDOM_KILLS {
        kills += some_random_kills(&mut dice);
        starts += 1;
        assert!(starts < 10 * RANDOM_KILLS, "only {kills} kills met a run");
    }
    println!("{kills} kills at random instants");
}

/// Kills some runs of one dump root, which is fresh so that history stays
/// short and is soon read.
fn some_random_kills(dice: &mut Dice) -> usize {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(150, 7, 0));
    stage.dump_now();
    let began = Instant::now();
    stage.dump_now();
    let usual = began.elapsed().as_micros() as u64 * 2;
    copy_tree(&stage.source, &stage.beside("was"));
    stage.write(&sample_trees::wide(150, 3, 1));
    let history = History::of(&stage.dump);
    let mut kills = 0;
    for _ in 0..8 {
        let mut command = stage.dumpme();
        command.arg(format!("--jobs={}", [1, 2, 4][dice.roll(3) as usize]));
        let pause = Duration::from_micros(dice.roll(usual));
        kills += usize::from(kill_after(command, pause));
        assert_newest(&stage, &[&stage.beside("was"), &stage.source]);
    }
    history.assert_unchanged(&stage.dump);
    end_well(&mut stage.dumpme());
    history.assert_unchanged(&stage.dump);
    assert_done(&stage.dump, &stage.source);
    kills
}

/// `current` names one of these trees, whole.
#[track_caller]
fn assert_newest(stage: &Stage, may_be: &[&PathBuf]) {
    let current = stage.dump.join("current").join(ROOT);
    let may_be: Vec<&Path> = may_be.iter().map(|path| path.as_path()).collect();
    assert_one_of(&current, &may_be);
}
