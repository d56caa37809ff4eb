//! Holds every file of the library to its level: the folders are the levels.
//!
//! A file imports only from folders further down the list below; within a
//! folder no two files import each other, not by a detour either, `mod.rs`
//! included. Only `sys` names a system call or an errno, also by way of the
//! standard library, only `policy/layout` spells names on disk, and nobody prints
//! or reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fixtures::house::Crate;

/// The levels from the bottom up: what stands later imports what stands before.
/// The last are the operations, each a file of its own.
const LEVELS: [&str; 16] = [
    "model",
    "policy",
    "sys",
    "fs",
    "root",
    "catalog",
    "history",
    "engine",
    "run",
    "tend",
    "snapshot",
    "checkpoint",
    "replica",
    "import",
    "restore",
    "held_dump",
];

/// Levels that know values alone: they do no I/O.
const PURE: [&str; 2] = ["model", "policy"];

/// The library's files, without their tests.
fn library() -> Crate {
    let library = Crate::read("dumpcore");
    assert!(library.sources.len() > 20, "the library was found");
    library
}

#[test]
fn imports_go_down_only() {
    assert_eq!(library().against(&LEVELS), Vec::<String>::new());
}

#[test]
fn there_are_no_circles() {
    let library = library();
    let edges: usize = library.imports().values().map(BTreeSet::len).sum();
    assert!(edges > 100, "imports are found: {edges}");
    assert_eq!(library.circles(), BTreeMap::new());
}

#[test]
fn only_sys_speaks_to_the_kernel() {
    let kernel = [
        "rustix",
        "libc",
        "Errno",
        "errno_t",
        "raw_os_error",
        "from_raw_os_error",
        // An errno by another name: what it means is for `sys/errno` to say.
        "ErrorKind",
        "unsafe",
    ];
    // Of `Path`: each is a system call.
    let paths_that_act = [
        ".exists()",
        ".try_exists(",
        ".metadata(",
        ".symlink_metadata(",
        ".read_dir(",
        ".read_link(",
        ".canonicalize(",
    ];
    let exceptions = [
        // Takes a `Metadata` that the caller has read, and calls nothing.
        Path::new("fs/candidate.rs"),
        // Makes dumps for the tests.
        Path::new("history/test_dumps.rs"),
        Path::new("catalog/test_root.rs"),
    ];
    // Hands the number of an error on when it is copied, whatever it means.
    let carrier = Path::new("model/cause.rs");
    for source in library().sources {
        let (room, path) = (source.room(), source.path.display());
        if room != "sys" {
            for name in kernel {
                let may = source.path == carrier && name.ends_with("raw_os_error");
                assert!(may || !source.code.uses(name), "{path} names {name}");
            }
            for act in paths_that_act {
                let acts = source.code.text.contains(act);
                assert!(!acts, "{path} asks the kernel by {act}");
            }
            for start in ["std::", "std::os::unix::", "std::os::linux::"] {
                let names_fs = source.named_after(start).contains("fs");
                let may = exceptions.contains(&&*source.path);
                assert!(may || !names_fs, "{path} names {start}fs");
            }
        }
        if source.code.text.contains("unsafe {") {
            assert_eq!(source.path, Path::new("sys/raw.rs"), "unsafe code");
        }
        if PURE.contains(&&*room) {
            let acts = ["fs::", "net::", "process::", "thread::"];
            let acts = acts.iter().any(|act| source.code.text.contains(act));
            assert!(!acts, "{path} does I/O");
        }
    }
}

#[test]
fn nobody_prints_or_reads_the_environment() {
    let forbidden = [
        "println", "eprintln", "print", "eprint", "dbg", "exit", "abort",
    ];
    for source in library().sources {
        let path = source.path.display();
        for name in forbidden {
            let used = source.code.text.contains(&format!("{name}!"))
                || source.code.text.contains(&format!("process::{name}("));
            assert!(!used, "{path} has {name}");
        }
        for name in ["env::", "env!"] {
            assert!(
                !source.code.text.contains(name),
                "{path} reads the environment"
            );
        }
    }
}

#[test]
fn only_layout_spells_names_on_disk() {
    let all = library();
    let (layout, others): (Vec<_>, Vec<_>) = all
        .sources
        .iter()
        .partition(|source| source.path.starts_with("policy/layout"));
    assert!(!layout.is_empty(), "the room of the names was found");
    for source in others {
        for literal in &source.code.literals {
            // The first of several is told under that key.
            let key = source.path.ends_with("json.rs") && literal == "first";
            let name = ["current", "current_chk", "first", ".rsync"].contains(&literal.as_str());
            let name = name && !key;
            let part = ["_incomplete", "_chk", ".rsync/"];
            // On what runs try things with, there may be others.
            let mark = literal.contains("user.dump.") && literal != "user.dump.trial";
            let part = mark || part.iter().any(|part| literal.contains(part));
            assert!(
                !name && !part,
                "{} spells {literal:?}",
                source.path.display()
            );
        }
    }
}
