//! Several restorations of one dump: hard links among them, also where they go to
//! different filesystems, are stopped, or something of them is damaged.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assert_fs::TempDir;
use common::restoring::{Ground, put};
use dumpcore::{
    Event, LinksAmong, Merging, Observer, Restore, RestoreError, RestoreReport, Restored,
};
use fixtures::compare::{Options, assert_same_tree};
use fixtures::tree::{Node, Tree};

/// Three directories with names of the same two files.
fn ground() -> Ground {
    let ground = Ground::new();
    let dirs = ["one", "two", "three"];
    let mut tree = Tree::new();
    for dir in dirs {
        tree = tree.with(dir, Node::dir().mtime(1_000_000_000, 1));
    }
    tree = tree.with("one/file", Node::file("text\n").mtime(1_100_000_000, 2));
    tree = tree.with("one/more", Node::file("more\n").mtime(1_100_000_000, 2));
    for dir in ["two", "three"] {
        for name in ["file", "more"] {
            let first = format!("one/{name}");
            tree = tree.with(format!("{dir}/{name}"), Node::hard_link(first));
        }
    }
    put(tree, &ground.dump("dirs"));
    ground
}

fn among(ground: &Ground) -> LinksAmong {
    let found = ["one", "two", "three"].map(|name| ground.find(&format!("dirs/{name}")));
    let versions = found
        .iter()
        .map(|(navigator, _, version)| (navigator, version));
    LinksAmong::of(versions).expect("names")
}

fn restore(ground: &Ground, name: &str, to: &Path, all: &LinksAmong) -> Restore {
    let (navigator, place, version) = ground.find(&format!("dirs/{name}"));
    let restore = Restore::into_directory(&navigator, &version, &place, to).expect("a place");
    restore.among(all).merging(Merging::new()).resume(true)
}

#[track_caller]
fn done(restore: Restore) -> RestoreReport {
    match restore.run_replacing() {
        Ok(Restored::Done(report)) => *report,
        other => panic!("{other:?}"),
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

#[test]
fn on_another_filesystem_they_are_files_of_their_own_quietly() {
    let ground = ground();
    let here = ground.beside("here");
    fs::create_dir(&here).expect("made");
    let there = TempDir::new_in("/dev/shm").expect("a directory");
    let all = among(&ground);
    let mut linked = Vec::new();
    for (name, to) in [
        ("one", &*here),
        ("two", there.path()),
        ("three", there.path()),
    ] {
        let report = done(restore(&ground, name, to, &all));
        assert!(
            report.is_complete() && report.warnings.is_empty(),
            "{report:?}"
        );
        linked.push((report.counts.copied().number, report.counts.hard_links));
    }
    assert_eq!(linked, [(2, 0), (2, 0), (0, 2)]);
    for name in ["file", "more"] {
        let [two, three] = ["two", "three"].map(|dir| inode(&there.path().join(dir).join(name)));
        assert_eq!(two, three);
    }
}

/// Stops a run at its first entry.
struct Stops(Arc<AtomicBool>);

impl Observer for Stops {
    fn event(&self, event: Event<'_>) {
        if let Event::Entry { .. } = event {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn what_was_stopped_is_resumed_with_its_links() {
    let ground = ground();
    let out = ground.beside("out");
    fs::create_dir(&out).expect("made");
    let all = among(&ground);
    done(restore(&ground, "one", &out, &all));
    let flag = Arc::new(AtomicBool::new(false));
    let stopped = restore(&ground, "two", &out, &all).jobs(1);
    let stopped = stopped
        .stop(Arc::clone(&flag))
        .observer(Arc::new(Stops(flag)));
    let ended = stopped.run_replacing();
    assert!(
        matches!(ended, Err(RestoreError::Interrupted { .. })),
        "{ended:?}"
    );
    let left = fs::read_dir(&out).expect("listed").count();
    assert_eq!(left, 2, "one, and what is left of two");
    // Somebody replaces these meanwhile: other inodes than what is left links to.
    for name in ["one/file", "one/more"] {
        fs::remove_file(out.join(name)).expect("removed");
        fs::write(out.join(name), "since").expect("written");
    }
    let all = among(&ground);
    for name in ["one", "two", "three"] {
        done(restore(&ground, name, &out, &all));
    }
    let options = Options {
        root: false,
        ..Options::of_runner()
    };
    assert_same_tree(&ground.dump("dirs"), &out, &options);
}

/// What takes a name that is remembered is not linked to.
#[test]
fn what_has_changed_between_two_of_them_is_not_linked_to() {
    let ground = ground();
    let out = ground.beside("out");
    fs::create_dir(&out).expect("made");
    let all = among(&ground);
    done(restore(&ground, "one", &out, &all));
    fs::write(out.join("one/file"), "written since").expect("written");
    fs::rename(out.join("one"), out.join("moved")).expect("moved");
    let report = done(restore(&ground, "two", &out, &all));
    assert!(report.is_complete(), "{report:?}");
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("read");
    assert_eq!([read("two/file"), read("two/more")], ["text\n", "more\n"]);
    assert_eq!(read("moved/file"), "written since");
}

/// A name may become something else in the middle of a restoration: what would be
/// linked to it is a file of its own, with what the dump has.
#[test]
fn what_changes_while_it_is_linked_to_is_not_linked_to() {
    let ground = ground();
    let out = ground.beside("out");
    fs::create_dir(&out).expect("made");
    let all = among(&ground);
    done(restore(&ground, "one", &out, &all));
    let (one, replaced) = (out.join("one"), AtomicBool::new(false));
    let replace = move |event: Event<'_>| {
        // The first is linked; the names to link to were looked at before.
        if matches!(event, Event::Entry { .. }) && !replaced.swap(true, Ordering::Relaxed) {
            for name in ["file", "more"] {
                let (new, path) = (one.join("new"), one.join(name));
                fs::write(&new, "mine").expect("written");
                fs::rename(&new, &path).expect("renamed");
            }
        }
    };
    let restored = restore(&ground, "two", &out, &all).jobs(1);
    let report = done(restored.observer(Arc::new(replace)));
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("read");
    assert_eq!([read("two/file"), read("two/more")], ["text\n", "more\n"]);
    assert_eq!([read("one/file"), read("one/more")], ["mine", "mine"]);
    assert!(!report.warnings.is_empty(), "that they are split is told");
}
