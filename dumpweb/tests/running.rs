//! Several that run for one user: a second start opens the first one, and none hides
//! another.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use common::{Ground, Served, serving};
use fixtures::plain_user::{PlainUser, give};
use rustix::process::{Pid, Signal, kill_process};

/// A user of a desktop whose browser notes what it is given to open.
struct Desktop {
    user: PlainUser,
}

impl Desktop {
    fn new() -> Self {
        let user = PlainUser::new();
        let bin = user.home().join("bin");
        fs::create_dir(&bin).expect("made");
        let note = user.home().join("opened");
        let text = format!("#!/bin/sh\ncat \"$1\" >> {}\n", note.display());
        fs::write(bin.join("xdg-open"), text).expect("written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(bin.join("xdg-open"), mode).expect("set");
        fs::write(&note, "").expect("written");
        give(&note);
        Self { user }
    }

    fn dumpweb(&self, ground: &Ground) -> Command {
        let mut command = self.user.command(env!("CARGO_BIN_EXE_dumpweb"));
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.user.home().join("bin");
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("DUMPROOT", ground.root())
            .env("MAINROOT", ground.at("home"))
            .env("XDG_RUNTIME_DIR", self.user.home());
        command
    }

    /// What the browser was given, once it has this in it.
    fn opened(&self, part: &str) -> String {
        let note: PathBuf = self.user.home().join("opened");
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&note).expect("read");
            if text.contains(part) {
                return text;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{part}: {text}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn url(served: &Served) -> String {
    format!("http://{}/?token={}", served.address(), served.token)
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

const PRINTED: [&str; 2] = ["--no-open", "--print-url"];

#[test]
#[ignore = "needs root"]
fn a_second_start_opens_the_page_that_runs() {
    let (desktop, ground) = (Desktop::new(), Ground::for_everybody());
    let first = serving(desktop.dumpweb(&ground), &PRINTED);
    let output = desktop.dumpweb(&ground).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let expected = format!("opened http://{}/, which shows", first.address());
    assert!(said.contains(&expected), "{said}");
    assert!(!said.contains(&first.token), "{said}");
    desktop.opened(&url(&first));
    let output = desktop.dumpweb(&ground).arg("--url").output();
    assert_eq!(lines(&output.expect("it runs")), [url(&first)]);
}

#[test]
#[ignore = "needs root"]
fn none_hides_another_that_runs() {
    let (desktop, ground, other) = (
        Desktop::new(),
        Ground::for_everybody(),
        Ground::for_everybody(),
    );
    let first = serving(desktop.dumpweb(&ground), &PRINTED);
    let mut second = serving(desktop.dumpweb(&other), &PRINTED);
    let urls = |root: Option<&Ground>| {
        let mut command = desktop.dumpweb(&ground);
        command.arg("--url");
        if let Some(root) = root {
            command.arg("--dump").arg(root.root());
        }
        command.output().expect("it runs")
    };
    let mut all = lines(&urls(None));
    all.sort();
    let mut expected = [url(&first), url(&second)];
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(lines(&urls(Some(&ground))), [url(&first)]);
    assert_eq!(lines(&urls(Some(&other))), [url(&second)]);
    let process = i32::try_from(second.id()).ok().and_then(Pid::from_raw);
    kill_process(process.expect("a process"), Signal::TERM).expect("sent");
    assert_eq!(second.wait(), Some(143));
    assert_eq!(lines(&urls(None)), [url(&first)]);
    assert_eq!(urls(Some(&other)).status.code(), Some(1));
    // One that was killed leaves its file behind, and does not run.
    drop(first);
    assert_eq!(urls(None).status.code(), Some(1));
}

#[test]
#[ignore = "needs root"]
fn a_start_without_a_terminal_says_what_it_does() {
    let (desktop, ground) = (Desktop::new(), Ground::for_everybody());
    let mut command = desktop.dumpweb(&ground);
    command.args(["--no-open", "--end-after", "1s"]);
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shows = format!("showing {} on http://127.0.0.1:", ground.root().display());
    for part in [&shows, "'dumpweb --url' prints", "nobody has looked for 1s"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("token="), "{said}");
    let output = command.arg("-q").output().expect("it runs");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// From a menu nobody sees what is printed.
#[test]
#[ignore = "needs root"]
fn a_start_from_the_menu_that_fails_says_so_in_the_browser() {
    let (desktop, ground) = (Desktop::new(), Ground::for_everybody());
    let mut command = desktop.dumpweb(&ground);
    command.env("DUMPROOT", ground.at("no<where>"));
    command.stdin(std::process::Stdio::null());
    let failed = command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    assert_eq!(failed.output().expect("it runs").status.code(), Some(1));
    let failed = command.env("DISPLAY", ":0").output().expect("it runs");
    assert_eq!(failed.status.code(), Some(1));
    let page = desktop.opened("</html>");
    assert!(page.contains("The dumps cannot be shown"), "{page}");
    assert!(page.contains("no&lt;where&gt;"), "{page}");
    assert_eq!(page.matches("</html>").count(), 1, "{page}");
}
