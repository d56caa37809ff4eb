//! The log where it really goes: a running systemd-journald, a system log.

mod common;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assert_fs::prelude::*;
use common::Place;
use predicates::str::contains;
use serde_json::Value;

const JOURNALD: &str = "/lib/systemd/systemd-journald";
const SOCKET: &str = "/run/systemd/journal/socket";

/// A journald: the machine's own, or one started for the test and ended
/// with it. One at a time, so that no test ends another's.
struct Journal {
    child: Option<Child>,
    /// Seconds since 1970: when it was taken.
    since: f64,
    _alone: MutexGuard<'static, ()>,
}

static ONE: Mutex<()> = Mutex::new(());

impl Journal {
    fn up() -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut journal = Self {
            child: None,
            since: now.expect("a date after 1970").as_secs_f64(),
            _alone: alone,
        };
        if Path::new(SOCKET).exists() {
            return journal;
        }
        fs::create_dir_all("/run/systemd/journal").expect("root makes directories in /run");
        let child = Command::new(JOURNALD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journald starts");
        journal.child = Some(child);
        wait_for(
            || Path::new(SOCKET).exists().then_some(()),
            "the journal's socket",
        );
        journal
    }

    /// The entries of one process. Where tests have used up all process ids, an
    /// earlier run had the same one: its entries are older.
    fn entries(&self, pid: u32) -> Vec<Value> {
        let shown = Command::new("journalctl")
            .args(["-t", "dumpme", "-o", "json"])
            .arg(format!("--since=@{:.6}", self.since))
            .arg(format!("_PID={pid}"))
            .output()
            .expect("journalctl runs");
        let text = String::from_utf8(shown.stdout).expect("JSON is UTF-8");
        let parse = |line| serde_json::from_str(line).expect("a JSON object on each line");
        text.lines().map(parse).collect()
    }

    /// The entry that tells how that process ended, once it is there.
    fn end(&self, pid: u32) -> Value {
        let ended = |entry: &Value| entry.get("DUMP_STATUS").is_some();
        let look = || self.entries(pid).into_iter().find(ended);
        wait_for(look, "the last entry of the run")
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_dir_all("/run/systemd/journal");
        }
    }
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>, what: &str) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what} never came"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// A run that fails before it touches any disk.
fn failing(place: &Place) {
    place.config("hooks.pre = \"echo said by the hook; exit 3\"\n");
}

#[test]
#[ignore = "needs root and systemd-journald"]
fn the_journal_gets_fields_and_a_priority() {
    let journal = Journal::up();
    let place = Place::new();
    failing(&place);
    let child = place
        .plain_dumpme()
        .args([
            "--log", "journal", "--main", "/no/such", "--dump", "/no/such",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dumpme starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("dumpme ends");
    assert_eq!(output.status.code(), Some(1));
    let entry = journal.end(pid);
    for (field, value) in [
        ("SYSLOG_IDENTIFIER", "dumpme"),
        ("PRIORITY", "3"),
        ("DUMP_STATUS", "failed"),
        ("DUMP_EXIT", "1"),
        ("DUMP_MAIN", "/no/such"),
    ] {
        assert_eq!(entry[field], value, "{field} of {entry}");
    }
    let message = entry["MESSAGE"].as_str().expect("a message");
    assert!(
        message.starts_with("dump of /no/such failed: the pre hook"),
        "{message}"
    );
    // cron still mails what went wrong.
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
#[ignore = "needs root and systemd-journald"]
fn under_systemd_nothing_is_said_twice() {
    let journal = Journal::up();
    let place = Place::new();
    place.config("hooks.pre = \"exit 3\"\n");
    let path = place.dir.path().join("stream");
    let stream = File::create(&path).expect("made");
    let at = stream.metadata().expect("stat");
    let child = place
        .plain_dumpme()
        .env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino()))
        .stderr(stream)
        .spawn()
        .expect("dumpme starts");
    let pid = child.id();
    let output = child.wait_with_output().expect("dumpme ends");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(journal.end(pid)["DUMP_STATUS"], "failed");
    assert_eq!(fs::read_to_string(path).expect("read"), "");
}

#[test]
fn a_unit_that_is_configured_wrongly_fails_as_an_error() {
    let place = Place::new();
    place.config("exlude = []\n");
    let path = place.dir.path().join("stream");
    let stream = File::create(&path).expect("made");
    let at = stream.metadata().expect("stat");
    let status = place
        .plain_dumpme()
        .env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino()))
        .stderr(stream)
        .status()
        .expect("dumpme runs");
    assert_eq!(status.code(), Some(2));
    let said = fs::read_to_string(path).expect("read");
    assert!(
        said.starts_with("<3>") && said.contains("dump.toml:1:1: unknown key"),
        "{said}"
    );
}

#[test]
#[ignore = "needs root and systemd-journald"]
fn a_dump_is_in_the_journal_with_its_figures() {
    let journal = Journal::up();
    let place = Place::new();
    place
        .dir
        .child("tree/file")
        .write_str("four")
        .expect("written");
    place.dir.child("dump").create_dir_all().expect("made");
    let run = |more: &[&str]| {
        let child = place
            .plain_dumpme()
            .args(["--main", "tree", "--dump", "dump", "-q"])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dumpme starts");
        let pid = child.id();
        let output = child.wait_with_output().expect("dumpme ends");
        assert!(output.status.success(), "{output:?}");
        // stderr is not a terminal, so `auto` is the journal.
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        pid
    };
    let first = journal.end(run(&["--init"]));
    let pid = run(&[]);
    let second = journal.end(pid);
    for (field, value) in [
        ("PRIORITY", "6"),
        ("DUMP_STATUS", "complete"),
        ("DUMP_EXIT", "0"),
        (
            "DUMP_MAIN",
            place.dir.path().join("tree").to_str().expect("text"),
        ),
        ("DUMP_LINKED", "1"),
        ("DUMP_COPIED", "0"),
        ("DUMP_BYTES", "0"),
        ("DUMP_FAULTS", "0"),
    ] {
        assert_eq!(second[field], value, "{field} of {second}");
    }
    assert_eq!(first["DUMP_BYTES"], "4", "{first}");
    assert_eq!(first.get("DUMP_REFERENCE"), None, "{first}");
    assert_eq!(second["DUMP_REFERENCE"], first["DUMP_PATH"]);
    let dump = Path::new(second["DUMP_PATH"].as_str().expect("a path"));
    assert!(dump.is_absolute() && dump.join("tree/file").exists());
    let seconds = second["DUMP_SECONDS"].as_str().expect("a figure");
    assert!(seconds.parse::<f64>().is_ok_and(|s| s >= 0.0), "{seconds}");
    let began = journal.entries(pid).into_iter().find(|entry| {
        let message = entry["MESSAGE"].as_str();
        message.is_some_and(|text| text.starts_with("starting dump of tree to dump/"))
    });
    assert_eq!(began.expect("a first entry")["PRIORITY"], "6");
}

#[test]
#[ignore = "needs root, for a /dev of its own"]
fn syslog_gets_a_line_with_name_and_severity() {
    let place = Place::new();
    failing(&place);
    let dev = place.dir.child("dev");
    dev.create_dir_all().expect("made");
    File::create(dev.path().join("null")).expect("made");
    let socket = UnixDatagram::bind(dev.path().join("log")).expect("bound");
    socket.set_nonblocking(true).expect("set");
    let run = place.plain_dumpme();
    let inside = format!(
        "mount --bind '{}' /dev && exec \"$@\"",
        dev.path().display()
    );
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", &inside, "sh"]);
    outer
        .arg(run.get_program())
        .args(["--log", "syslog", "--main", "/a", "--dump", "/b"]);
    outer.env_clear();
    for (name, value) in run.get_envs() {
        outer.env(name, value.expect("only set"));
    }
    let output = outer.output().expect("unshare runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let mut lines = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.recv(&mut buffer) {
            Ok(size) => lines.push(String::from_utf8_lossy(&buffer[..size]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    // Facility user (1), severity err (3): 1 * 8 + 3.
    let [line] = lines.as_slice() else {
        panic!("one line, not {lines:?}");
    };
    assert!(line.starts_with("<11>"), "{line}");
    assert!(line.contains(" dumpme["), "{line}");
    assert!(line.contains("dump of /a failed: the pre hook"), "{line}");
}

#[test]
fn what_is_not_there_is_made_up_for_by_stderr() {
    if Path::new("/dev/log").exists() {
        // Then the system log takes it, and stderr has the failure anyway.
        return failing_run_is_on_stderr("dump of /a failed: the pre hook");
    }
    failing_run_is_on_stderr("warning: no system log: /dev/log is missing");
}

fn failing_run_is_on_stderr(what: &'static str) {
    let place = Place::new();
    failing(&place);
    place
        .dumpme()
        .args(["--log", "syslog", "--main", "/a", "--dump", "/b"])
        .assert()
        .code(1)
        .stderr(contains(what));
}
