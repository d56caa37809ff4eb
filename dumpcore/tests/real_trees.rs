//! Dumps of real system trees and of a very odd one, on every filesystem
//! that can keep all of it, judged by the real rsync and by a comparison of
//! our own; and a second dump, which must cost its directories only.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::{History, each, inodes, leftovers};
use dumpcore::{Report, Snapshot};
use fixtures::mounts::{Fs, Mount};
use fixtures::rsync::Rsync;
use fixtures::tree::{Node, OddOptions, Tree, odd_tree_with, remove_deep};
use fixtures::{Options, diff_trees};

/// Trees of the machine that hold still.
const SYSTEM: [&str; 3] = ["/usr/include", "/usr/share/perl", "/etc"];

/// The most that a directory or a further name of an inode takes in any of
/// these filesystems: leaves of trees, journals, what is allocated ahead.
const OF_A_DIRECTORY: u64 = 20 << 10;
const OF_A_NAME: u64 = 1 << 10;

/// Odd trees below a directory: one that rsync can read whole in a moment,
/// one with a file of 16 GiB.
fn odd(top: &Path) -> [PathBuf; 2] {
    let [odd, huge] = ["odd", "huge"].map(|name| top.join(name));
    for dir in [&odd, &huge] {
        fs::create_dir_all(dir).expect("made");
    }
    let options = OddOptions {
        huge: 64 << 20,
        symlink_max: 1023,
        ..OddOptions::new(true)
    };
    assert_eq!(odd_tree_with(&odd, &options), Vec::<String>::new());
    let segment = |byte: u8| vec![byte; 100_000];
    let segments = vec![(4 << 30, segment(b'a')), (11 << 30, segment(b'b'))];
    Tree::new()
        .with("file", Node::sparse(16 << 30, segments).mtime(5, 5))
        .write(&huge);
    [odd, huge]
}

/// All differences that anybody sees between a dump and its sources.
fn differences(report: &Report, roots: &[PathBuf]) -> Vec<String> {
    let mut lines = Vec::new();
    for root in roots {
        let copy = report.dump.join(root.file_name().expect("a name"));
        let as_root = true;
        let checksum = !root.ends_with("huge");
        let options = Options {
            // What reads a symlink moves its time; files and others stay.
            atime: false,
            ..Options::default()
        };
        lines.extend(diff_trees(root, &copy, &options));
        lines.extend(Rsync { as_root, checksum }.differences(root, &copy));
    }
    lines
}

/// Bytes that are taken on a filesystem, all flushed.
fn taken(on: &Path) -> u64 {
    let handle = fs::File::open(on).expect("opened");
    rustix::fs::syncfs(&handle).expect("flushed");
    let found = rustix::fs::statvfs(on).expect("statvfs");
    (found.f_blocks - found.f_bfree) * found.f_frsize
}

fn count(tree: &Path) -> (u64, u64) {
    let (mut directories, mut names) = (1, 0);
    each(tree, |_, stat| {
        if stat.st_mode & 0o170_000 == 0o040_000 {
            directories += 1;
        } else {
            names += 1;
        }
    });
    (directories, names)
}

/// Inode numbers of a tree's directories.
fn directories(tree: &Path) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    each(tree, |_, stat| {
        if stat.st_mode & 0o170_000 == 0o040_000 {
            all.insert(stat.st_ino);
        }
    });
    all
}

fn snapshot(dump: &Path, roots: &[PathBuf]) -> Snapshot {
    let init = !fs::exists(dump.join("current")).expect("looked");
    let snapshot = Snapshot::new(dump).init(init);
    roots.iter().fold(snapshot, |to, root| to.main(root))
}

/// Two dumps of roots that nobody changes.
fn twice(dump: &Path, roots: &[PathBuf]) {
    let first = snapshot(dump, roots).run().expect("published");
    assert!(first.faults.is_empty(), "{:#?}", first.faults);
    assert_eq!(differences(&first, roots), Vec::<String>::new());

    let (history, before) = (History::of(dump), taken(dump));
    let second = snapshot(dump, roots).run().expect("published");
    let after = taken(dump);
    history.assert_unchanged(dump);
    assert!(second.faults.is_empty(), "{:#?}", second.faults);
    assert_eq!(leftovers(dump), Vec::<PathBuf>::new());
    assert_eq!(second.counts.copied().number, 0, "{:?}", second.counts);

    let (old, new): (BTreeMap<_, _>, _) = (inodes(&first.dump), inodes(&second.dump));
    assert_eq!(old, new, "every name has the inode it had");
    let shared = &directories(&first.dump) & &directories(&second.dump);
    assert_eq!(
        shared,
        BTreeSet::new(),
        "each dump has directories of its own"
    );
    let (directories, names) = count(&second.dump);
    let most = directories * OF_A_DIRECTORY + names * OF_A_NAME + (1 << 20);
    let grown = after.saturating_sub(before);
    assert!(
        grown <= most,
        "{grown} bytes for {directories} directories, {names} names"
    );
    assert_eq!(differences(&second, roots), Vec::<String>::new());
}

fn system() -> Vec<PathBuf> {
    SYSTEM.iter().map(PathBuf::from).collect()
}

/// On a filesystem of its own, from the machine's and from its own.
fn all_of_it_on(fs: Fs) {
    let mount = Mount::new(fs, 2000);
    let mut roots = system();
    roots.extend(odd(&mount.path().join("sources")));
    let dump = mount.path().join("dump");
    fs::create_dir(&dump).expect("made");
    twice(&dump, &roots);
    remove_deep(&mount.path().join("sources"));
}

#[test]
#[ignore = "needs root, loop mounts and rsync"]
fn on_ext4() {
    all_of_it_on(Fs::Ext4);
}

#[test]
#[ignore = "needs root, loop mounts and rsync"]
fn on_xfs() {
    all_of_it_on(Fs::Xfs);
}

#[test]
#[ignore = "needs root, loop mounts and rsync"]
fn on_btrfs() {
    all_of_it_on(Fs::Btrfs);
}

#[test]
#[ignore = "needs root, mounts and rsync"]
fn on_tmpfs() {
    all_of_it_on(Fs::Tmpfs);
}

/// From one type of filesystem to another.
#[test]
#[ignore = "needs root, loop mounts and rsync"]
fn from_one_filesystem_to_another() {
    for (from, to) in [
        (Fs::Xfs, Fs::Ext4),
        (Fs::Ext4, Fs::Btrfs),
        (Fs::Btrfs, Fs::Tmpfs),
        (Fs::Tmpfs, Fs::Xfs),
    ] {
        let (source, dump) = (Mount::new(from, 600), Mount::new(to, 600));
        let roots = odd(source.path());
        twice(dump.path(), &roots);
        for root in roots {
            remove_deep(&root);
        }
    }
}

/// Where the source keeps more than the dump can, each loss is named, and
/// the second dump copies nothing again.
#[test]
#[ignore = "needs root and loop mounts"]
fn times_that_the_dump_cannot_store_are_not_copied_again() {
    // Small inodes: no nanoseconds, and no years after 2038.
    let small = ["-I", "128"];
    let (source, dump) = (
        Mount::new(Fs::Xfs, 300),
        Mount::with(Fs::Ext4, 64, &small, ""),
    );
    let tree = source.path().join("tree");
    fs::create_dir(&tree).expect("made");
    let mut model = Tree::new();
    for (i, (sec, nsec)) in [
        (-5, 5),
        (1_000, 999_999_999),
        (1 << 31, 1),
        (10_000_000_000, 7),
    ]
    .into_iter()
    .enumerate()
    {
        model.add(format!("f{i}"), Node::file(*b"t").mtime(sec, nsec));
        model.add(format!("l{i}"), Node::symlink(*b"t").mtime(sec, nsec));
        model.add(format!("d{i}"), Node::dir().mtime(sec, nsec));
    }
    model.write(&tree);
    let first = snapshot(dump.path(), std::slice::from_ref(&tree)).run();
    let first = first.expect("published");
    assert!(first.faults.is_empty(), "{:#?}", first.faults);
    let second = snapshot(dump.path(), std::slice::from_ref(&tree)).run();
    let second = second.expect("published");
    assert_eq!(second.counts.copied().number, 0, "{:?}", second.counts);
    assert_eq!(inodes(&first.dump), inodes(&second.dump));
}
