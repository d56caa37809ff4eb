//! Trees at the limits of the system: very deep, longer than any path may
//! be, with very many names of one inode, on filesystems whose inodes have
//! no link left to give.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use common::{ROOT, Stage, inodes, leftovers};
use dumpcore::{Action, CopyReason, Error, Event, Report, Snapshot, Warning};
use fixtures::diff_trees;
use fixtures::mounts::{Fs, Mount};
use fixtures::tree::{Node, Tree, bushy, deep};

/// Most names that an inode of ext4 can have.
const EXT4_LINKS: u32 = 65_000;

/// Two dumps: the second links all.
#[track_caller]
fn twice(stage: &Stage, jobs: usize) -> Report {
    stage.run(stage.snapshot().jobs(jobs));
    let before = inodes(&stage.newest());
    let report = stage.run(stage.snapshot().jobs(jobs));
    assert_eq!(inodes(&stage.newest()), before);
    assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
    report
}

#[test]
fn ten_thousand_directories_deep() {
    let stage = Stage::new();
    deep(&stage.source, 10_000);
    let report = twice(&stage, 4);
    assert_eq!(report.counts.directories, 10_001);
}

/// At each level another directory with a file, which is come back to when
/// all that is deeper is begun. What that costs is counted in
/// `dumpme/tests/calls.rs`.
#[test]
fn a_deep_tree_with_something_at_each_level() {
    const DEPTH: usize = 2_000;
    let stage = Stage::new();
    bushy(&stage.source, DEPTH);
    for _ in 0..2 {
        let report = stage.snapshot().run().expect("published");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        assert_eq!(report.counts.directories as usize, 2 * DEPTH + 1);
        assert_eq!(report.counts.files.number as usize, DEPTH);
    }
    stage.assert_same();
}

#[test]
fn paths_longer_than_any_path_may_be() {
    let stage = Stage::new();
    let mut path = Vec::new();
    let mut tree = Tree::new();
    for level in 0..40_u8 {
        path.extend(std::iter::repeat_n(b'a' + level % 26, 255));
        tree.add(&path[..], Node::dir().mtime(1_000 + i64::from(level), 3));
        let file = Node::file(vec![level; 100]).mtime(7, u32::from(level));
        tree.add(
            [&path[..], b"/file"].concat(),
            file.xattr("user.level", [level]),
        );
        tree.add(
            [&path[..], b"/link"].concat(),
            Node::symlink(*b"file").mtime(8, 8),
        );
        let first = [&path[..], b"/file"].concat();
        tree.add([&path[..], b"/again"].concat(), Node::hard_link(first));
        path.push(b'/');
    }
    assert!(path.len() > 2 * 4096);
    tree.write(&stage.source);
    let report = twice(&stage, 2);
    assert_eq!(report.counts.hard_links, 40);
}

/// Groups whose names are in many directories, met by many workers at once:
/// they stay whole, and stay apart.
#[test]
fn thousands_of_hard_links_by_any_number_of_workers() {
    for jobs in [1, 2, 8] {
        let stage = Stage::new();
        for group in 0..60 {
            let first = stage.source.join(format!("{group:02}/0"));
            fs::create_dir(first.parent().expect("above")).expect("made");
            fs::write(&first, format!("group {}", group % 7)).expect("written");
        }
        for name in 1..50 {
            for group in 0..60 {
                let directory = stage.source.join(format!("{:02}", (group + name) % 60));
                let first = stage.source.join(format!("{group:02}/0"));
                let to = directory.join(format!("{name} of {group}"));
                fs::hard_link(first, to).expect("linked");
            }
        }
        let report = twice(&stage, jobs);
        assert_eq!(report.counts.linked.number, 60, "jobs {jobs}");
        assert_eq!(report.counts.hard_links, 60 * 49, "jobs {jobs}");

        // Names leave groups, become one with others, and come again.
        for group in 0..60 {
            let directory = stage.source.join(format!("{group:02}"));
            let other = stage.source.join(format!("{:02}/0", (group + 1) % 60));
            fs::remove_file(directory.join(format!("7 of {}", (group + 53) % 60))).expect("gone");
            fs::hard_link(&other, directory.join("more")).expect("linked");
        }
        stage.run(stage.snapshot().jobs(jobs));
        let all: BTreeSet<u64> = inodes(&stage.newest()).into_values().collect();
        assert_eq!(all.len(), 60, "jobs {jobs}");
    }
}

/// Gives an inode names until this many are left.
fn exhaust(file: &Path, spare: &Path, left: u32) {
    use std::os::unix::fs::MetadataExt as _;
    fs::create_dir_all(spare).expect("made");
    let has = u32::try_from(file.metadata().expect("stat").nlink()).expect("few");
    for i in has..EXT4_LINKS - left {
        fs::hard_link(file, spare.join(i.to_string())).expect("linked");
    }
}

/// What was said about each entry.
#[derive(Default)]
struct Told {
    copied: Mutex<BTreeMap<String, CopyReason>>,
    splits: Mutex<Vec<PathBuf>>,
}

impl dumpcore::Observer for Told {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Entry {
                at,
                did: Action::Copied(why),
                ..
            } => {
                let path = at.path().to_string();
                self.copied.lock().expect("no panic").insert(path, why);
            }
            Event::Warning(Warning::GroupSplit { path }) => {
                self.splits.lock().expect("no panic").push(path.clone());
            }
            _ => {}
        }
    }
}

fn on_ext4() -> (Mount, Stage) {
    let mount = Mount::new(Fs::Ext4, 200);
    let stage = Stage::within(&mount.path().join("stage"));
    (mount, stage)
}

#[test]
#[ignore = "needs root and a loop mount: 65,000 links on ext4"]
fn an_inode_without_a_link_left_is_copied_and_the_copy_linked() {
    let (mount, stage) = on_ext4();
    for name in ["full", "free"] {
        fs::write(stage.source.join(name), name).expect("written");
    }
    stage.run(stage.snapshot());
    let full = stage.newest().join("full");
    exhaust(&full, &mount.path().join("spare"), 0);
    let before = inodes(&stage.newest());
    let told = Arc::new(Told::default());
    stage.run(stage.snapshot().observer(told.clone()));
    assert_eq!(
        *told.copied.lock().expect("no panic"),
        [(format!("{ROOT}/full"), CopyReason::NoLink)].into()
    );
    let fresh = inodes(&stage.newest());
    assert_eq!(fresh[&b"free"[..]], before[&b"free"[..]]);
    assert_ne!(fresh[&b"full"[..]], before[&b"full"[..]]);
    stage.run(stage.snapshot());
    assert_eq!(inodes(&stage.newest()), fresh, "links go on to the copy");
}

#[test]
#[ignore = "needs root and a loop mount: 65,000 links on ext4"]
fn a_group_that_does_not_fit_is_copied_whole() {
    for jobs in [1, 8] {
        let (mount, stage) = on_ext4();
        fs::write(stage.source.join("a"), "group").expect("written");
        for name in ["b", "c", "d", "e"] {
            fs::hard_link(stage.source.join("a"), stage.source.join(name)).expect("linked");
        }
        stage.run(stage.snapshot().jobs(jobs));
        let first = stage.newest();
        exhaust(&first.join("c"), &mount.path().join("spare"), 3);
        let told = Arc::new(Told::default());
        let report = stage.run(stage.snapshot().jobs(jobs).observer(told.clone()));
        let copied = told.copied.lock().expect("no panic");
        let copied: Vec<CopyReason> = copied.values().copied().collect();
        assert_eq!(copied, [CopyReason::NoLink]);
        assert_eq!(report.counts.hard_links, 4);
        let fresh = inodes(&stage.newest());
        assert_ne!(fresh, inodes(&first));
        stage.run(stage.snapshot().jobs(jobs));
        assert_eq!(inodes(&stage.newest()), fresh, "links go on to the copy");
    }
}

#[test]
#[ignore = "needs root and mounts: 65,000 links on ext4"]
fn a_group_larger_than_any_of_the_dump_is_split() {
    const NAMES: usize = 70_000;
    let (source, dump) = (Mount::new(Fs::Tmpfs, 200), Mount::new(Fs::Ext4, 200));
    let tree = source.path().join(ROOT);
    for half in ["one", "two"] {
        fs::create_dir_all(tree.join(half)).expect("made");
    }
    let first = tree.join("one/0");
    fs::write(&first, "of many").expect("written");
    for i in 1..NAMES {
        let half = if i % 2 == 0 { "one" } else { "two" };
        fs::hard_link(&first, tree.join(half).join(i.to_string())).expect("linked");
    }
    for jobs in [1, 8] {
        let told = Arc::new(Told::default());
        let init = !fs::exists(dump.path().join("current")).expect("looked");
        let run = Snapshot::new(dump.path()).main(&tree).init(init).jobs(jobs);
        let report = run.observer(told.clone()).run().expect("published");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        let all = inodes(&report.dump);
        assert_eq!(all.len(), NAMES);
        let different: BTreeSet<u64> = all.into_values().collect();
        assert!(
            (2..=1 + jobs).contains(&different.len()),
            "{}",
            different.len()
        );
        let splits = told.splits.lock().expect("no panic").len();
        assert_eq!(splits, different.len() - 1, "each split is told of");
        let lines = diff_trees(
            &tree,
            &report.dump.join(ROOT),
            &fixtures::Options::of_runner(),
        );
        assert!(
            lines.iter().all(|line| line.contains("hard link to")),
            "{:?}",
            lines.first()
        );
    }
}

/// What a stopped run has copied, for lack of links, makes room for a link
/// that is refused again.
#[test]
#[ignore = "needs root and a loop mount: 65,000 links on ext4"]
fn a_stopped_run_goes_on_where_links_are_refused() {
    for names in [1, 3] {
        let (mount, stage) = on_ext4();
        fs::create_dir(stage.source.join("z")).expect("made");
        fs::write(stage.source.join("a"), "full").expect("written");
        for i in 1..names {
            fs::hard_link(stage.source.join("a"), stage.source.join(format!("a{i}")))
                .expect("linked");
        }
        stage.run(stage.snapshot());
        exhaust(&stage.newest().join("a"), &mount.path().join("spare"), 0);
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let watch = move |event: Event<'_>| {
            if let Event::Entry {
                kind: dumpcore::Kind::Dir,
                ..
            } = event
            {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let stopped = stage
            .snapshot()
            .jobs(1)
            .observer(Arc::new(watch))
            .stop(stop)
            .run();
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        assert!(leftovers(&stage.dump)[0].join(ROOT).join("a").exists());
        let report = stage.run(stage.snapshot());
        assert!(report.resumed);
        assert_eq!(report.counts.files.number, names);
    }
}
