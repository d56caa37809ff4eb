//! System calls of a run, counted: what a change must not make worse. Time
//! is measured in `benches/` only; calls are the same on every machine with
//! Linux 6.13 or later, where attributes are listed by handle and name.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_fs::prelude::*;
use common::Place;
use fixtures::bindfs::Bindfs;
use fixtures::strace::{Inject, count_syscalls, flushed, trace, watch};
use fixtures::tree::bushy;

fn dumpme(place: &Place, more: &[&str]) -> Command {
    let mut command = place.plain_dumpme();
    command
        .args(["-q", "--log", "stderr", "-j", "1"])
        .args(["--main", "tree", "--dump", "dump"])
        .args(more)
        .stdin(Stdio::null());
    command
}

/// Every entry is compared with the dump before.
const COMPARED: &[&str] = &["--no-catalog"];

/// A place with a dump of the tree that `fill` makes, which no catalog knows.
fn dumped(fill: impl FnOnce(&Path)) -> Place {
    let place = Place::new();
    for dir in ["tree", "dump"] {
        place.dir.child(dir).create_dir_all().expect("made");
    }
    fill(&place.dir.path().join("tree"));
    // What was written in the moment in which a dump begins is compared in full.
    fixtures::clock::tick();
    let first = dumpme(&place, &["--init", "--no-catalog"])
        .status()
        .expect("it runs");
    assert!(first.success(), "{first}");
    place
}

fn count(calls: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| calls.get(*name)).sum()
}

/// All calls, but for those by which threads wait for each other: how many these are
/// depends on what else the machine does.
fn all(calls: &BTreeMap<String, u64>) -> u64 {
    calls.values().sum::<u64>() - count(calls, &["futex", "sched_yield", "restart_syscall"])
}

const DIRS: u64 = 20;
const FILES: u64 = 50 * DIRS;

fn flat(tree: &Path) {
    files(tree, FILES);
}

fn files(tree: &Path, files: u64) {
    for dir in 0..DIRS {
        let dir = tree.join(format!("d{dir}"));
        fs::create_dir(&dir).expect("made");
        for file in 0..files / DIRS {
            fs::write(dir.join(format!("f{file}")), "text").expect("written");
        }
    }
}

const LOOKS: &[&str] = &["statx"];
const LINKS: &[&str] = &["linkat"];
const LISTS: &[&str] = &["listxattrat", "llistxattr", "flistxattr"];
const OPENS: &[&str] = &["openat", "openat2", "open"];

/// An unchanged file is looked at in the source, and linked: two calls. What it
/// was when the reference was made is in the catalog. Times of change prove
/// something when they are a minute old; one directory in 24 is compared in full.
#[test]
#[ignore = "needs strace, and ext4, xfs or btrfs for temporary files; waits a minute"]
fn with_the_catalog_another_file_costs_two_calls() {
    let [few, many] = [FILES, 2 * FILES].map(|number| {
        let place = Place::new();
        for dir in ["tree", "dump"] {
            place.dir.child(dir).create_dir_all().expect("made");
        }
        files(&place.dir.path().join("tree"), number);
        place
    });
    std::thread::sleep(Duration::from_secs(61));
    let [few, many] = [few, many].map(|place| {
        let mut first = dumpme(&place, &["--init"]);
        let first = first.status().expect("it runs");
        assert!(first.success(), "{first}");
        count_syscalls(&dumpme(&place, &[]))
    });
    let more = all(&many) - all(&few);
    // Two more for each file of two directories of twenty.
    let expected = 2 * FILES - 50..=2 * FILES + 2 * 2 * FILES / DIRS + 50;
    assert!(expected.contains(&more), "{more} calls: {few:?}, {many:?}");
    let whole = all(&few);
    let most = 2 * FILES + 2 * 2 * FILES / DIRS + 17 * DIRS + 1_500;
    assert!(whole <= most, "{whole} calls, at most {most}: {few:?}");
}

/// An unchanged file that an expired dump has already in its place is looked at in
/// the source, and that is all: one call. A directory costs fourteen: six in the source,
/// one more when it is looked at once more at the end, one for the reference, and six
/// in the target, which is not changed. One directory in 24 is compared in full.
#[test]
#[ignore = "needs strace, and ext4, xfs or btrfs for temporary files; waits a minute"]
fn from_an_expired_dump_another_file_costs_one_call() {
    let [few, many] = [FILES, 2 * FILES].map(|number| {
        let place = Place::new();
        for dir in ["tree", "dump"] {
            place.dir.child(dir).create_dir_all().expect("made");
        }
        files(&place.dir.path().join("tree"), number);
        let keep = place.dir.child("keep.toml");
        keep.write_str("[keep]\nauto = true\nlast = 1\n")
            .expect("written");
        place
    });
    std::thread::sleep(Duration::from_secs(61));
    let [few, many] = [few, many].map(|place| {
        for more in [&["--init"][..], &[], &[]] {
            let mut run = dumpme(&place, more);
            let run = run.args(["--config", "keep.toml"]).status();
            assert!(run.expect("it runs").success());
        }
        let spares = fs::read_dir(place.dir.path().join("dump/.dump/removing"));
        assert_eq!(spares.expect("there is one").count(), 1);
        // Without pruning behind it, which is not the dump itself.
        fs::write(
            place.dir.path().join("keep.toml"),
            "[keep]\nauto = true\nlast = 100\n",
        )
        .expect("written");
        let run = dumpme(&place, &["--config", "keep.toml"]);
        let mut calls = count_syscalls(&run);
        // Only what is built for tests asks that before it closes a handle.
        calls.remove("fcntl");
        calls
    });
    let more = all(&many) - all(&few);
    // Of two directories of twenty each file is looked at in the reference, too.
    let compared = 3 * 2 * FILES / DIRS;
    let expected = FILES - 50..=FILES + compared + 50;
    assert!(expected.contains(&more), "{more} calls: {few:?}, {many:?}");
    let most = FILES + compared + 14 * DIRS + 1_600;
    let whole = all(&few);
    assert!(whole <= most, "{whole} calls, at most {most}: {few:?}");
    assert!(count(&few, LINKS) < 20, "nothing is linked: {few:?}");
}

/// Without the catalog an unchanged file is looked at on both sides, its
/// attributes are listed, and it is linked: four calls. Those of the reference
/// are not listed, since it remembers where nothing has any.
#[test]
#[ignore = "needs strace, and ext4, xfs, btrfs or tmpfs for temporary files"]
fn an_unchanged_tree_costs_no_more_calls_than_it_did() {
    let place = dumped(flat);
    let calls = count_syscalls(&dumpme(&place, COMPARED));
    for (names, of_file, of_dir) in [
        (LOOKS, 2, 5),
        (LINKS, 1, 0),
        (LISTS, 1, 2),
        (OPENS, 0, 4),
        (&["getdents64"], 0, 3),
        (
            &["read", "pread64", "write", "pwrite64", "preadv2"][..],
            0,
            0,
        ),
        (&["fchown", "fchmod", "utimensat", "mkdirat"], 0, 5),
    ] {
        let most = of_file * FILES + of_dir * DIRS + 150;
        let made = count(&calls, names);
        assert!(
            made <= most,
            "{names:?}: {made}, but at most {most}: {calls:?}"
        );
    }
    for names in [LINKS, LISTS] {
        assert!(
            count(&calls, names) >= FILES,
            "{names:?} of each file: {calls:?}"
        );
    }
}

/// Whatever a run needs once, and for a directory: what is left is four calls.
#[test]
#[ignore = "needs strace, and ext4, xfs, btrfs or tmpfs for temporary files"]
fn another_file_costs_four_calls() {
    let [few, many] = [FILES, 2 * FILES].map(|number| {
        let place = dumped(|tree| files(tree, number));
        count_syscalls(&dumpme(&place, COMPARED))
    });
    let more = all(&many) - all(&few);
    let expected = 4 * FILES - 50..=4 * FILES + 50;
    assert!(expected.contains(&more), "{more} calls: {few:?}, {many:?}");
}

/// Where the dump remembers nothing, its lists cost a fifth call.
#[test]
#[ignore = "needs strace"]
fn what_a_dump_cannot_answer_costs_one_call_more() {
    let place = dumped(flat);
    let dump = place.dir.path().join("dump/current");
    // A program that removes an older dump changes the inodes of the newest.
    let copy = place.dir.path().join("copy");
    let copied = Command::new("cp")
        .arg("-alL")
        .args([&dump, &copy])
        .status()
        .expect("it runs");
    assert!(copied.success(), "{copied}");
    fs::remove_dir_all(copy).expect("removed");
    let calls = count_syscalls(&dumpme(&place, COMPARED));
    let made = count(&calls, LISTS);
    let expected = 2 * FILES..=2 * FILES + 2 * DIRS + 150;
    assert!(expected.contains(&made), "{made} lists: {calls:?}");
}

/// By handle and name: only what a run does once goes the way from the top.
#[test]
#[ignore = "needs strace"]
fn no_entry_is_reached_by_a_path() {
    let place = dumped(flat);
    let lines = trace(&dumpme(&place, COMPARED), "%file");
    assert!(lines.len() as u64 > 3 * FILES, "{} calls", lines.len());
    let paths = |line: &&String| line.split('"').skip(1).step_by(2).any(|s| s.contains('/'));
    let paths: Vec<_> = lines.iter().filter(paths).collect();
    assert!((paths.len() as u64) < FILES / 4, "{paths:#?}");
}

/// At each level another directory with a file, which is come back to when
/// all that is deeper is begun: the way from the top must not be gone again
/// for each of them.
#[test]
#[ignore = "needs strace"]
fn depth_costs_no_more_opens_than_breadth() {
    const DEPTH: u64 = 1_500;
    let place = dumped(|tree| bushy(tree, DEPTH as usize));
    for more in [COMPARED, &[], &[]] {
        let calls = count_syscalls(&dumpme(&place, more));
        let opens = count(&calls, OPENS);
        let most = 12 * 2 * DEPTH;
        assert!(opens <= most, "{more:?}: {opens} opens, but at most {most}");
        assert!(opens >= 3 * 2 * DEPTH, "{opens} opens: not entered");
    }
}

/// A server in user space is not told of a flush of all: what a dump is made of is
/// flushed one by one, before it is visible.
#[test]
#[ignore = "needs root, bindfs and strace"]
fn in_user_space_each_file_and_directory_is_flushed() {
    let view = Bindfs::new(&[]);
    let place = Place::new();
    place.dir.child("tree").create_dir_all().expect("made");
    flat(&place.dir.path().join("tree"));
    let root = view.path().to_str().expect("a name").to_owned();
    let command = |more: &[&str]| {
        let mut command = place.plain_dumpme();
        command.args(["-q", "--log", "stderr", "--main", "tree", "--dump", &root]);
        command.args(["--no-catalog"]).args(more);
        command
    };
    // Of the directories, and of the files: how many were flushed, and how many not.
    let dump = |more: &[&str]| {
        let visible = |line: &str| line.contains("_incomplete\", ");
        // Below the directory of the run, whatever minute that has in its name: what a
        // killed run began is finished there later.
        let within = |path: PathBuf| {
            let mut names = path.components();
            let is_site = |name: Component<'_>| {
                name.as_os_str()
                    .as_encoded_bytes()
                    .ends_with(b"_incomplete")
            };
            names.any(is_site).then(|| names.as_path().to_path_buf())
        };
        let flushed = flushed(&command(more), &visible).into_iter();
        let flushed: HashSet<PathBuf> = flushed.filter_map(within).collect();
        let made = fs::canonicalize(view.path().join("current")).expect("published");
        let (mut all, mut left) = (Vec::new(), vec![(made, PathBuf::new())]);
        while let Some((made, inside)) = left.pop() {
            all.push((made.is_dir(), flushed.contains(&inside)));
            let listed = fs::read_dir(made).into_iter().flatten();
            let names = listed.map(|entry| entry.expect("listed"));
            left.extend(names.map(|entry| (entry.path(), inside.join(entry.file_name()))));
        }
        let kinds = [(true, true), (true, false), (false, true), (false, false)];
        kinds.map(|kind| all.iter().filter(|one| **one == kind).count() as u64)
    };
    // What a killed run has stored may not be flushed.
    let killed = watch(&command(&["--init"]), &[Inject::kill("renameat2")]);
    assert_eq!(killed.status.signal(), Some(9));
    // Those of the tree, its top, and that of the dump.
    let dirs = DIRS + 2;
    assert_eq!(dump(&["--init"]), [dirs, 0, FILES, 0]);
    // What is linked was flushed when it was stored.
    assert_eq!(dump(&[]), [dirs, 0, 0, FILES]);
}
