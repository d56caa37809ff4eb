//! The units of systemd: they push, and are closed as far as those that dump.

use std::fs;
use std::path::{Path, PathBuf};

use assert_fs::TempDir;
use fixtures::systemd;

const KINDS: [(&str, &str, &str); 3] = [
    ("user", "", "dumpoffsite push -q"),
    ("user", "@", "dumpoffsite push -q --set %i"),
    (
        "system",
        "@",
        "dumpoffsite push -q --config /etc/dump/dump.toml --set %i",
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd")
}

fn text(path: &str) -> String {
    let path = folder().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn has(unit: &str, line: &str) -> bool {
    unit.lines().any(|found| found == line)
}

/// What closes a unit stands behind its scheduling.
fn closing(unit: &str) -> Vec<&str> {
    let lines = unit
        .lines()
        .skip_while(|line| !line.starts_with("IOScheduling"));
    let lines = lines.skip(1);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn each_unit_pushes_every_day() {
    for (kind, at, command) in KINDS {
        let service = text(&format!("offsite/{kind}/dump-offsite{at}.service"));
        for line in [
            &format!("ExecStart={command}"),
            "Type=oneshot",
            "OnFailure=dump-failed@%n.service",
            // Neither a push that lacks something nor a failure is a success.
            "SuccessExitStatus=75 143",
            "CacheDirectory=dump",
        ] {
            assert!(has(&service, line), "{kind}{at}: {line}");
        }
        let timer = text(&format!("offsite/{kind}/dump-offsite{at}.timer"));
        for line in ["OnCalendar=daily", "Persistent=true"] {
            assert!(has(&timer, line), "{kind}{at}: {line}");
        }
    }
}

#[test]
fn a_unit_that_pushes_is_closed_as_one_that_dumps() {
    for (kind, at, _) in KINDS {
        let dump = text(&format!("{kind}/dump{at}.service"));
        let push = text(&format!("offsite/{kind}/dump-offsite{at}.service"));
        let (dump, push) = (closing(&dump), closing(&push));
        assert!(dump.len() > 8, "{dump:?}");
        assert_eq!(dump, push, "{kind}{at}");
    }
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_finds_nothing_wrong() {
    for (kind, at, command) in KINDS {
        // The program need not be installed where this runs.
        let dir = TempDir::new().expect("a directory for the test");
        let mut units = Vec::new();
        for end in ["service", "timer"] {
            let whole = text(&format!("offsite/{kind}/dump-offsite{at}.{end}"));
            let here = whole.replace(&format!("ExecStart={command}"), "ExecStart=/bin/true");
            fs::write(dir.path().join(format!("dump-offsite{at}.{end}")), here).expect("written");
            let instance = if at.is_empty() { "" } else { "@photos" };
            units.push(dir.path().join(format!("dump-offsite{instance}.{end}")));
        }
        let said = systemd::verify(kind, dir.path(), &units);
        assert!(!said.contains("/dump"), "{said}");
    }
}
