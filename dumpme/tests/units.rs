//! The units of systemd: each does what it is named for, and all are closed
//! as far as the first of their kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_fs::TempDir;
use fixtures::systemd;

/// The folder of the units for users, or for the system.
fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../systemd")
        .join(kind)
}

fn text(kind: &str, name: &str) -> String {
    let path = folder(kind).join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn names(kind: &str) -> Vec<String> {
    let entries = fs::read_dir(folder(kind)).expect("the units are there");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a name in UTF-8")
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

/// The settings with this key.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let of = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(of).collect()
}

/// Unit and program, of a user and of the system.
const UNITS: [(&str, &str, [&str; 3]); 6] = [
    (
        "dump",
        "hourly",
        [
            "dumpme",
            "dumpme --set %i",
            "dumpme --config /etc/dump/dump.toml --set %i",
        ],
    ),
    (
        "chkpt",
        "monthly",
        [
            "chkptme",
            "chkptme --set %i",
            "chkptme --config /etc/dump/dump.toml --set %i",
        ],
    ),
    (
        "dumpslave",
        "daily",
        [
            "dumpslave --wait",
            "dumpslave --wait --set %i",
            "dumpslave --wait --config /etc/dump/dump.toml --set %i",
        ],
    ),
    (
        "dump-status",
        "daily",
        [
            "dumpctl status -q",
            "dumpctl status -q --set %i",
            "dumpctl status -q --config /etc/dump/dump.toml --set %i",
        ],
    ),
    (
        "dump-prune",
        "daily",
        [
            "dumpctl prune -q",
            "dumpctl prune -q --set %i",
            "dumpctl prune -q --config /etc/dump/dump.toml --set %i",
        ],
    ),
    (
        "dump-scrub",
        "daily",
        [
            "dumpctl scrub -q --time 1h",
            "dumpctl scrub -q --time 1h --set %i",
            "dumpctl scrub -q --time 1h --config /etc/dump/dump.toml --set %i",
        ],
    ),
];
const KINDS: [(&str, &str); 3] = [("user", ""), ("user", "@"), ("system", "@")];

#[test]
fn each_unit_runs_the_program_it_is_named_for() {
    for (unit, calendar, commands) in UNITS {
        for ((kind, at), command) in KINDS.iter().zip(commands) {
            let service = text(kind, &format!("{unit}{at}.service"));
            assert_eq!(settings(&service, "ExecStart"), [command], "{kind} {unit}");
            assert_eq!(settings(&service, "Type"), ["oneshot"]);
            let told = settings(&service, "OnFailure");
            assert_eq!(told, ["dump-failed@%n.service"], "{kind} {unit}");
            let timer = text(kind, &format!("{unit}{at}.timer"));
            assert_eq!(settings(&timer, "OnCalendar"), [calendar]);
            assert_eq!(settings(&timer, "Persistent"), ["true"]);
            assert_eq!(settings(&timer, "RandomizedDelaySec").len(), 1);
        }
    }
}

#[test]
fn a_partial_dump_is_no_success_and_a_stopped_one_no_failure() {
    for (unit, ..) in UNITS {
        for (kind, at) in KINDS {
            let service = text(kind, &format!("{unit}{at}.service"));
            let codes = settings(&service, "SuccessExitStatus").join(" ");
            let codes: Vec<&str> = codes.split(' ').collect();
            assert!(!codes.contains(&"23"), "{kind} {unit}: {codes:?}");
            // That something needs attention is told as a failure is.
            assert!(!codes.contains(&"3"), "{kind} {unit}: {codes:?}");
            assert!(codes.contains(&"143"), "{kind} {unit}: {codes:?}");
            // Busy: no failure, or tried again.
            let again = settings(&service, "RestartSec").len() == 1;
            assert!(codes.contains(&"75") || again, "{kind} {unit}: {codes:?}");
        }
    }
}

#[test]
fn what_closes_a_unit_is_the_same_in_all_of_a_kind() {
    // Closing begins behind the scheduling.
    let closing = |unit: &str| -> Vec<String> {
        let lines = unit.lines().skip_while(|l| !l.starts_with("IOScheduling"));
        let lines = lines
            .skip(1)
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let opener = fs::read_to_string(folder("examples").join("hooks-with-privileges.conf"));
    let opener = opener.expect("the example is there");
    for (kind, at) in KINDS {
        let first = closing(&text(kind, &format!("dump{at}.service")));
        assert!(first.len() > 8, "{first:?}");
        for (unit, ..) in UNITS {
            let other = closing(&text(kind, &format!("{unit}{at}.service")));
            assert_eq!(first, other, "{kind} {unit}");
        }
        // And the example for hooks opens all that stands in their way.
        let harmless = [
            "CapabilityBoundingSet",
            "KeyringMode",
            "SystemCallErrorNumber",
        ];
        for line in &first {
            let (key, _) = line.split_once('=').expect("a setting");
            let opened = settings(&opener, key).len() == 1;
            assert!(opened || harmless.contains(&key), "{kind}: {key}");
        }
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_finds_nothing_wrong() {
    for (kind, count) in [("user", 25), ("system", 13)] {
        // The programs need not be installed where this runs.
        let dir = TempDir::new().expect("a directory for the test");
        let mut units = Vec::new();
        for name in names(kind) {
            let whole = text(kind, &name);
            let here = UNITS.iter().fold(whole, |text, (_, _, [program, ..])| {
                let program = program.split(' ').next().unwrap_or(program);
                text.replace(&format!("ExecStart={program}"), "ExecStart=/bin/true")
            });
            fs::write(dir.path().join(&name), here).expect("written");
            let instance = match name.as_str() {
                "dump-failed@.service" => "@dump@photos.service.",
                _ => "@photos.",
            };
            units.push(dir.path().join(name.replace("@.", instance)));
        }
        assert_eq!(units.len(), count, "{units:?}");
        let said = systemd::verify(kind, dir.path(), &units);
        assert!(!said.contains("/dump") && !said.contains("chkpt"), "{said}");
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_exposure_is_what_the_manual_says() {
    let manual = fs::read_to_string(folder("README.md")).expect("the manual is there");
    for (kind, at) in KINDS {
        let units = UNITS.map(|(unit, ..)| (format!("{unit}{at}"), ""));
        let failed = ("dump-failed@".to_owned(), "dump-failed@");
        for (unit, row) in units.into_iter().chain([failed]) {
            let mut security = Command::new("systemd-analyze");
            if kind == "user" {
                security.arg("--user");
            }
            let dir = TempDir::new().expect("a directory for the test");
            let ran = security
                .args(["security", "--offline=yes", "--no-pager"])
                .arg(folder(kind).join(format!("{unit}.service")))
                .env("XDG_RUNTIME_DIR", dir.path())
                .output()
                .expect("systemd-analyze runs");
            let said = String::from_utf8_lossy(&ran.stdout);
            let last = said.lines().last().expect("a last line");
            let figure = last.split(": ").nth(1).and_then(|t| t.split(' ').next());
            let figure = figure.expect("a figure");
            let row = format!("| `{kind}/{row}` | {figure} |");
            assert!(manual.contains(&row), "{row} is not in the manual");
        }
    }
}
