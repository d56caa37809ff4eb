//! What a run asks of the machine: how fast it copies, how many work, and
//! whether it gives way. Sleeps are counted, not waited for.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assert_fs::prelude::*;
use common::Place;
use fixtures::strace::{Inject, count_syscalls, trace_with};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;

const SLEEPS: &str = "nanosleep,clock_nanosleep";

/// A place with files of these sizes in the tree, old enough to be settled.
fn place(sizes: &[usize]) -> Place {
    let place = Place::new();
    place.dir.child("dump").create_dir_all().expect("made");
    for (number, size) in sizes.iter().enumerate() {
        let file = place.dir.child(format!("tree/f{number}"));
        file.write_binary(&vec![b'x'; *size]).expect("written");
        let old = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        let file = fs::File::options().write(true).open(file.path());
        file.and_then(|file| file.set_modified(old)).expect("dated");
    }
    place
}

fn dumpme(place: &Place, more: &[&str]) -> Command {
    let mut command = place.plain_dumpme();
    command
        .args(["-q", "--log", "stderr", "--main", "tree", "--dump", "dump"])
        .args(more)
        .stdin(Stdio::null());
    command
}

/// The seconds that all sleeps asked for together.
fn asked_for(lines: &[String]) -> f64 {
    let field = |line: &str, name: &str| -> f64 {
        let after = line.split_once(name).expect("a time").1;
        let end = after.find(|c: char| !c.is_ascii_digit());
        after[..end.expect("an end")].parse().expect("a number")
    };
    let sleeps = lines.iter().filter(|line| line.contains("nanosleep("));
    sleeps
        .map(|line| field(line, "tv_sec=") + field(line, "tv_nsec=") / 1e9)
        .sum()
}

/// 64 KiB at 1 KiB a second in steps of 4 KiB: when no sleep takes any time,
/// the n-th step is asked to wait for all of the n before it, whichever worker
/// makes it; 4 s and 8 s and so on to 64 s, less what the run really takes.
#[test]
#[ignore = "needs strace"]
fn copying_keeps_to_the_rate_whoever_copies() {
    for (sizes, jobs) in [
        (&[65536][..], "1"),
        (&[16384, 16384, 16384, 16384], "1"),
        (&[16384, 16384, 16384, 16384], "4"),
    ] {
        let place = place(sizes);
        let command = dumpme(&place, &["--init", "-j", jobs, "--bwlimit", "1"]);
        let (status, lines) = trace_with(&command, SLEEPS, &[Inject::skip(SLEEPS)]);
        assert!(status.success(), "{status}");
        let (asked, whole) = (asked_for(&lines), 544.0);
        assert!(
            asked <= whole && asked > whole / 2.0,
            "{asked} s of {whole} for {sizes:?} by {jobs}"
        );
    }
}

#[test]
#[ignore = "needs strace"]
fn what_is_not_copied_is_not_held_up() {
    let place = place(&[1 << 20, 70_000, 10]);
    let init = dumpme(&place, &["--init"]).status().expect("it runs");
    assert!(init.success(), "{init}");
    // Looked at, compared byte by byte, and linked.
    for more in [&["--bwlimit", "1"][..], &["--bwlimit", "1", "--checksum"]] {
        let calls = count_syscalls(&dumpme(&place, more));
        let sleeps = SLEEPS.split(',').filter_map(|name| calls.get(name));
        assert_eq!(sleeps.sum::<u64>(), 0, "{more:?}: {calls:?}");
        assert!(calls["linkat"] >= 3, "{calls:?}");
    }
}

/// A MiB at 1 KiB a second would take a quarter of an hour.
#[test]
#[ignore = "needs strace"]
fn a_stop_does_not_wait_for_the_rate() {
    let place = place(&[1 << 20]);
    let command = dumpme(&place, &["--init", "-j", "2", "--bwlimit", "1k"]);
    let stop = Inject::signal(SLEEPS, Signal::TERM).when(3);
    let (status, lines) = trace_with(&command, SLEEPS, &[stop]);
    assert_eq!(status.code(), Some(143), "{lines:?}");
    let sleeps = lines.iter().filter(|line| line.contains("nanosleep("));
    assert!(sleeps.count() < 30, "{lines:?}");
}

/// A run that is killed when it is no longer looked at.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn tasks(&self) -> Vec<PathBuf> {
        let tasks = format!("/proc/{}/task", self.0.id());
        let listed = fs::read_dir(tasks).expect("it runs");
        listed.filter_map(|task| Some(task.ok()?.path())).collect()
    }

    fn names(&self) -> Vec<String> {
        let name = |task: PathBuf| fs::read_to_string(task.join("comm")).ok();
        let names = self.tasks().into_iter().filter_map(name);
        names.map(|name| name.trim().to_owned()).collect()
    }
}

/// One that copies so slowly that all its workers can be looked at.
fn running(place: &Place, more: &[&str]) -> Running {
    let mut command = dumpme(place, &["--init", "-j", "3", "--bwlimit", "1"]);
    let mut running = Running(command.args(more).spawn().expect("it runs"));
    while !running.names().contains(&"worker 2".to_owned()) {
        let ended = running.0.try_wait().expect("waited for");
        assert!(ended.is_none(), "{ended:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    running
}

/// Scheduling policy and class of disk access of each thread.
fn priorities(running: &Running) -> Vec<(String, String)> {
    let of = |task: PathBuf| {
        let stat = fs::read_to_string(task.join("stat")).ok()?;
        // Behind the name, which may hold anything, the 39th is the policy.
        let policy = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(38)?
            .to_owned();
        let id = task.file_name()?.to_owned();
        let told = Command::new("ionice").arg("-p").arg(id).output();
        let class = told.expect("ionice runs").stdout;
        Some((policy, String::from_utf8_lossy(&class).trim().to_owned()))
    };
    running.tasks().into_iter().filter_map(of).collect()
}

#[test]
#[ignore = "needs ionice (util-linux)"]
fn an_idle_run_gives_way_with_all_its_threads() {
    const SCHED_IDLE: &str = "5";
    let place = place(&[1 << 20; 3]);
    let idle = running(&place, &["--idle"]);
    let all = priorities(&idle);
    assert!(all.len() >= 3, "{all:?}");
    for (policy, class) in all {
        assert_eq!((policy.as_str(), class.as_str()), (SCHED_IDLE, "idle"));
    }
    drop(idle);
    // As the configuration says, and against it.
    place.config("idle = true\n");
    let all = priorities(&running(&place, &[]));
    assert!(
        all.iter().all(|(policy, _)| policy == SCHED_IDLE),
        "{all:?}"
    );
    let all = priorities(&running(&place, &["--no-idle"]));
    let idle = |(policy, class): &(String, String)| policy == SCHED_IDLE || class == "idle";
    assert!(!all.iter().any(idle), "{all:?}");
}

/// The run continues as it is, and says so.
#[test]
#[ignore = "needs strace"]
fn that_a_run_may_not_idle_is_told() {
    let place = place(&[10]);
    let mut command = dumpme(&place, &["--init", "--idle"]);
    let inject = Inject::error("ioprio_set", "EPERM");
    let ran = fixtures::strace::inject(&command, &[inject]).output();
    let ran = ran.expect("strace runs");
    assert!(ran.status.success(), "{ran:?}");
    // With -q warnings are not told.
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    command = place.plain_dumpme();
    command.args([
        "--log", "stderr", "--main", "tree", "--dump", "dump", "--idle",
    ]);
    let inject = Inject::error("sched_setscheduler", "EPERM");
    let ran = fixtures::strace::inject(&command, &[inject]).output();
    let said = String::from_utf8_lossy(&ran.expect("strace runs").stderr).into_owned();
    assert!(
        said.contains("cannot run at idle priority: Operation not permitted"),
        "{said}"
    );
}

#[test]
#[ignore = "needs prlimit(1)"]
fn fewer_workers_than_asked_for_are_told_of() {
    let place = place(&[10]);
    let run = |jobs: &[&str]| {
        let program = place.plain_dumpme();
        let mut command = Command::new("prlimit");
        command
            .arg("--nofile=64:64")
            .arg(program.get_program())
            .args(["-v", "--log", "stderr", "--main", "tree", "--dump", "dump"])
            .args(jobs)
            .current_dir(place.dir.path())
            .env("XDG_CONFIG_HOME", place.dir.path().join("config"));
        let ran = command.output().expect("prlimit runs");
        assert!(ran.status.success(), "{ran:?}");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&ran.stdout), text(&ran.stderr))
    };
    let (report, log) = run(&["--init", "-j", "8"]);
    let told = contains("only 2 of 8 workers").and(contains("RLIMIT_NOFILE"));
    assert!(told.eval(&log), "{log}");
    assert!(report.contains("2 workers, as asked\n"), "{report}");
    // Two are not fewer than two; and nobody asked for more.
    for jobs in [&["-j", "2"][..], &[]] {
        let (report, log) = run(jobs);
        assert!(report.contains("\n2 workers, "), "{report}");
        assert!(!log.contains("asked for"), "{log}");
    }
}

/// No thread can be started: the one that is there does all the work.
#[test]
#[ignore = "needs strace"]
fn a_run_without_threads_works_alone() {
    let place = place(&[10, 20]);
    let mut command = place.plain_dumpme();
    command
        .args([
            "--log", "stderr", "--main", "tree", "--dump", "dump", "--init",
        ])
        .args(["-j", "3", "--no-progress"]);
    // The first is the one that listens for signals.
    let refused = Inject::error("clone3", "EAGAIN").when("2+");
    let ran = fixtures::strace::inject(&command, &[refused]).output();
    let ran = ran.expect("strace runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains("only 1 of 3 workers"), "{said}");
    let newest = place.dir.child("dump/current/tree/f1");
    newest.assert(predicate::path::is_file());
}
