//! Many runs at once on one dump root.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::sample_trees;
use crate::setup::{Stage, assert_done, end_well, end_with, leftovers};

/// Dump root and a second one with a dump to be replicated into the first.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(400, 1, 0));
    stage.dump_now();
    end_well(&mut stage.dumpslave());
    stage
}

/// A replica into the dump root that the others dump into.
fn replicate_back(stage: &Stage) -> Command {
    let mut command = stage.program("dumpslave");
    command.args(["--log", "stderr", "-q", "--latest", "--from"]);
    command.arg(&stage.slave).arg("--dump").arg(&stage.dump);
    command
}

/// Eight runs that all want the same dump root.
fn crowd(stage: &Stage) -> Vec<Command> {
    let kinds: [fn(&Stage) -> Command; 3] = [Stage::dumpme, Stage::chkptme, replicate_back];
    (0..8).map(|n| kinds[n % 3](stage)).collect()
}

#[test]
fn all_at_once_one_works_and_the_others_end_at_once() {
    let stage = stage();
    let mut worked = 0;
    for round in 1..=5 {
        stage.write(&sample_trees::wide(400, 1, round));
        let start = |mut command: Command| command.stderr(Stdio::null()).spawn().expect("runs");
        let children: Vec<Child> = crowd(&stage).into_iter().map(start).collect();
        let mut codes = Vec::new();
        for mut child in children {
            codes.push(child.wait().expect("it ends").code());
        }
        let busy = codes.iter().filter(|code| **code == Some(75)).count();
        let done = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(busy + done, 8, "{codes:?}");
        assert!(done >= 1, "{codes:?}");
        worked += done;
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
    println!("{worked} of 40 runs worked");
}

/// Starts a dump and stops it (as SIGSTOP does) while it holds the lock.
fn held(stage: &Stage) -> Child {
    for round in 1..=50 {
        stage.write(&sample_trees::wide(400, 1, round));
        let mut child = stage.dumpme().spawn().expect("it runs");
        let pid = Pid::from_child(&child);
        while leftovers(&stage.dump).is_empty() && child.try_wait().expect("asked").is_none() {
            std::hint::spin_loop();
        }
        if child.try_wait().expect("asked").is_none() {
            kill_process(pid, Signal::STOP).expect("stopped");
            std::thread::sleep(Duration::from_millis(20));
            if !leftovers(&stage.dump).is_empty() {
                return child;
            }
            kill_process(pid, Signal::CONT).expect("goes on");
        }
        child.wait().expect("it ends");
    }
    panic!("no dump could be met at work");
}

#[test]
fn nobody_waits_for_a_run_and_its_lock_dies_with_it() {
    let stage = stage();
    let mut holder = held(&stage);
    let named = fs::read_link(stage.dump.join("current")).expect("a link");
    let began = Instant::now();
    for mut command in crowd(&stage) {
        let said = end_with(&mut command, 75);
        assert!(said.contains("another run holds"), "{said}");
    }
    let file = stage.source.join("d001/f00025");
    for (name, args) in [("yest", &["-h=0"][..]), ("hist", &[])] {
        let mut command = stage.program(name);
        command
            .env("MAINROOT", &stage.source)
            .env("DUMPROOT", &stage.dump);
        end_well(command.args(args).arg(&file));
    }
    assert!(began.elapsed() < Duration::from_secs(30), "somebody waited");
    let still = fs::read_link(stage.dump.join("current")).expect("a link");
    assert_eq!(named, still);
    holder.kill().expect("killed");
    holder.wait().expect("it ends");
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}
