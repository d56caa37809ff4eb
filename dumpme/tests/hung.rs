//! A server below the tree, or below the dump root, that does not answer: the
//! run says for which path it waits, one signal ends it, and leaving the mount
//! out helps.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::Place;
use rustix::process::{Pid, Signal, kill_process};

/// A mount whose server can be stopped.
struct Server {
    server: Child,
    at: PathBuf,
}

impl Server {
    fn new(of: &Path, at: &Path) -> Self {
        let above = fs::metadata(at).expect("there").dev();
        let server = Command::new("bindfs")
            .args(["-f", "-o", "attr_timeout=0,entry_timeout=0"])
            .args([of, at])
            .spawn()
            .expect("bindfs runs");
        let server = Self {
            server,
            at: at.to_path_buf(),
        };
        let begun = Instant::now();
        let device = || fs::metadata(at).expect("there").dev();
        while device() == above {
            assert!(begun.elapsed() < Duration::from_secs(60), "not mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn send(&self, signal: Signal) {
        send(&self.server, signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.send(Signal::CONT);
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        let _ = self.server.wait();
    }
}

fn send(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("a number");
    let id = Pid::from_raw(id).expect("not 0");
    kill_process(id, signal).expect("sent");
}

/// A tree that is dumped, with a mount in it.
fn place() -> (Place, Server) {
    let place = Place::new();
    let at = |name: &str| place.dir.path().join(name);
    for dir in ["tree/mount", "served", "dump"] {
        fs::create_dir_all(at(dir)).expect("made");
    }
    fs::write(at("tree/file"), "text").expect("written");
    fs::write(at("served/far"), "away").expect("written");
    let server = Server::new(&at("served"), &at("tree/mount"));
    let first = dumpme(&place, &["--init", "-q"]).status().expect("it runs");
    assert!(first.success(), "{first}");
    (place, server)
}

fn dumpme(place: &Place, more: &[&str]) -> Command {
    let mut command = place.plain_dumpme();
    command
        .args(["--main", "tree", "--dump", "dump", "--log", "stderr"])
        .args(more)
        .stdin(Stdio::null());
    command
}

/// How a run ends that is stopped when it has said that it waits: its exit code, how
/// long that took from the signal, and what it said.
fn stopped(mut run: Command, signal: Signal) -> (Option<i32>, Duration, String) {
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = run.spawn().expect("it runs");
    let mut log = BufReader::new(run.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.contains("hangs") {
        let read = log.read_line(&mut said).expect("text");
        assert!(read > 0, "it did not wait: {said}");
    }
    let begun = Instant::now();
    send(&run, signal);
    log.read_to_string(&mut said).expect("text");
    let output = run.wait_with_output().expect("ended");
    said += &String::from_utf8_lossy(&output.stdout);
    (output.status.code(), begun.elapsed(), said)
}

/// Longer than a run is given to stop, and nothing where one waits without end.
const SOON: Duration = Duration::from_secs(20);

#[test]
#[ignore = "needs root and bindfs"]
fn one_signal_ends_a_run_that_waits() {
    let (place, server) = place();
    place.config("[hooks]\npost = 'echo \"post: $DUMP_STATUS\" >&2'\n");
    server.send(Signal::STOP);
    for (jobs, signal, code) in [("1", Signal::TERM, 143), ("4", Signal::INT, 130)] {
        let run = dumpme(&place, &["--json", "-j", jobs]);
        let (ended, took, said) = stopped(run, signal);
        assert_eq!(ended, Some(code), "{said}");
        assert!(took < SOON, "{took:?}: {said}");
        let waits = "tree/mount: its filesystem or that of the dump hangs";
        assert!(said.contains(waits), "{said}");
        assert!(said.contains("tree/mount did not answer"), "{said}");
        assert!(said.contains("\"status\":\"stopped\""), "{said}");
        assert_eq!(said.matches("post: stopped").count(), 1, "{said}");
    }
    server.send(Signal::CONT);
    let after = dumpme(&place, &["-q"]).output().expect("it runs");
    assert!(after.status.success(), "{after:?}");
    let copy = place.dir.path().join("dump/current/tree/mount/far");
    assert_eq!(fs::read_to_string(copy).expect("dumped"), "away");
}

#[test]
#[ignore = "needs root and bindfs"]
fn what_is_left_out_is_not_waited_for() {
    let (place, server) = place();
    server.send(Signal::STOP);
    // Also by a run that takes over what another left: one that waited.
    for (jobs, option) in [("1", &["-x"][..]), ("2", &["--exclude", "/tree/mount"])] {
        let (ended, ..) = stopped(dumpme(&place, &["-j", jobs]), Signal::TERM);
        assert_eq!(ended, Some(143));
        let begun = Instant::now();
        let run = dumpme(&place, option).output().expect("it runs");
        let took = begun.elapsed();
        assert!(run.status.success() && took < SOON, "{took:?} {run:?}");
    }
}

#[test]
#[ignore = "needs root and bindfs"]
fn a_tree_or_a_dump_root_that_hangs_is_named() {
    for hangs in ["tree", "dump"] {
        let place = Place::new();
        let at = |name: &str| place.dir.path().join(name);
        for dir in ["tree", "dump", "served"] {
            fs::create_dir(at(dir)).expect("made");
        }
        if hangs == "dump" {
            fs::write(at("tree/file"), "text").expect("written");
        }
        let server = Server::new(&at("served"), &at(hangs));
        server.send(Signal::STOP);
        let run = dumpme(&place, &["--init", "-v"]);
        let (ended, took, said) = stopped(run, Signal::TERM);
        assert_eq!(ended, Some(143), "{said}");
        assert!(took < SOON, "{took:?}: {said}");
        assert!(
            said.contains(&format!("/{hangs}: its filesystem")),
            "{said}"
        );
    }
}
