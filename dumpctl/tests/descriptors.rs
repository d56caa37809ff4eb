//! A process without file descriptors left says so, and nothing of the disk.

mod common;

use std::process::Command;

use common::Ground;
use dumpcore::CatalogTools;

/// The same command where it may have this many files open.
fn with_few(command: &Command, files: usize) -> Command {
    let mut few = Command::new("prlimit");
    // The hard limit too: the program raises the soft one to it.
    few.arg(format!("--nofile={files}:{files}"))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (key, value) in command.get_envs() {
        few.env(key, value.expect("nothing else is left out"));
    }
    few
}

#[test]
#[ignore = "needs prlimit(1)"]
fn nothing_is_called_damaged_or_replaced_without_descriptors() {
    let ground = Ground::new();
    CatalogTools::new(ground.root()).rebuild().expect("made");
    let current = ground.root().join("current/tree/dir");
    let current = current.to_str().expect("it is UTF-8");
    let mut lacked = 0;
    for files in 6..=24 {
        for words in [
            &["scrub", "--log", "stderr"][..],
            &["restore", "--log", "stderr", "--to", "/nowhere", current],
        ] {
            let mut command = with_few(&ground.dumpctl(words), files);
            let output = command.output().expect("prlimit runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_ne!(output.status.code(), Some(3), "{files}: {said}");
            for wrong in ["damaged:", "replaced", "removing it"] {
                assert!(!said.contains(wrong), "{files}: {said}");
            }
            lacked += usize::from(said.contains("Too many open files"));
        }
    }
    assert!(lacked > 10, "{lacked}");
    // Nothing was recorded that is not so.
    let all = ground.dumpctl(&["scrub", "-q", "--log", "stderr"]);
    common::ends(all, 0);
}
