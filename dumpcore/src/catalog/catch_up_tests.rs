//! Dumps that were made, imported and removed without the catalog are brought
//! in as they are on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::test_root::{TestRoot, name, recorded, seq_of};
use super::{Catalog, CatalogDifference, Differs, WalkOptions};
use crate::model::event::Silent;
use crate::policy::layout::DumpId;

static NEVER: AtomicBool = AtomicBool::new(false);

pub(super) static OPTIONS: WalkOptions<'_> = WalkOptions {
    observer: &Silent,
    stop: &NEVER,
    in_time: None,
    jobs: 3,
};

#[derive(Clone, Debug)]
enum Change {
    Write(&'static str),
    Link(&'static str, &'static str),
    Move(&'static str, &'static str),
    Remove(&'static str),
    Mode(&'static str, u32),
}

#[derive(Clone, Debug)]
enum Op {
    /// A dump of this minute: another one with changes, its files linked.
    Make(u32, usize, Vec<Change>),
    Remove(usize),
    CatchUp,
}

const PATHS: [&str; 9] = [
    "a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f/e/a", "f/e/b",
];

fn op() -> impl Strategy<Value = Op> {
    let path = || prop::sample::select(&PATHS[..]);
    let change = prop_oneof![
        3 => path().prop_map(Change::Write),
        1 => (path(), path()).prop_map(|(from, to)| Change::Link(from, to)),
        2 => (path(), path()).prop_map(|(from, to)| Change::Move(from, to)),
        2 => path().prop_map(Change::Remove),
        1 => (path(), 0..8_u32).prop_map(|(path, mode)| Change::Mode(path, 0o700 + mode)),
    ];
    let changes = prop::collection::vec(change, 0..6);
    prop_oneof![
        5 => (0..40_u32, 0..4_usize, changes).prop_map(|(m, of, changes)| Op::Make(m, of, changes)),
        1 => (0..6_usize).prop_map(Op::Remove),
        3 => Just(Op::CatchUp),
    ]
}

/// Copies directories and links everything else, as a run does.
pub(super) fn link_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    let Ok(names) = fs::read_dir(from) else {
        return;
    };
    for entry in names {
        let entry = entry.expect("listed");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("told").is_dir() {
            link_all(&entry.path(), &to);
            let mode = entry.metadata().expect("there").permissions();
            fs::set_permissions(&to, mode).expect("set");
        } else {
            fs::hard_link(entry.path(), to).expect("linked");
        }
    }
}

fn clear(path: &Path) {
    let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
}

fn make_room(tree: &Path, path: &str) -> PathBuf {
    let path = tree.join(path);
    clear(&path);
    let above = path.parent().expect("below the tree");
    if fs::create_dir_all(above).is_err() {
        // A file is on the way.
        above
            .ancestors()
            .take_while(|at| *at != tree)
            .filter(|at| at.is_file())
            .for_each(clear);
        fs::create_dir_all(above).expect("made");
    }
    path
}

fn change(tree: &Path, change: &Change) {
    match change {
        Change::Write(path) => fs::write(make_room(tree, path), path).expect("written"),
        Change::Link(from, to) => {
            let kept = tree.join("kept");
            if fs::hard_link(tree.join(from), &kept).is_ok() {
                fs::rename(&kept, make_room(tree, to)).expect("moved");
                clear(&kept);
            }
        }
        Change::Move(from, to) => {
            let kept = tree.join("kept");
            if fs::rename(tree.join(from), &kept).is_ok() {
                fs::rename(&kept, make_room(tree, to)).expect("moved");
            }
        }
        Change::Remove(path) => clear(&tree.join(path)),
        Change::Mode(path, mode) => {
            let path = tree.join(path);
            // What other dumps have as well is not touched.
            if path.is_dir() {
                fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("set");
            }
        }
    }
}

type Listed = BTreeMap<String, (u32, Option<u64>, i64)>;

/// What is below a directory: permission bits, inode, time of modification.
fn listed(dir: &Path) -> Listed {
    let mut found = Listed::new();
    for entry in walkdir_of(dir) {
        let meta = fs::symlink_metadata(&entry).expect("there");
        let path = entry
            .strip_prefix(dir)
            .expect("below")
            .display()
            .to_string();
        let ino = (!meta.is_dir()).then(|| meta.ino());
        let mtime = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
        found.insert(path, (meta.mode() & 0o7777, ino, mtime));
    }
    found
}

fn walkdir_of(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if fs::symlink_metadata(&path).expect("there").is_dir() {
            found.extend(walkdir_of(&path));
        }
        found.push(path);
    }
    found
}

pub(super) fn tree_of(root: &TestRoot, minute: u32) -> PathBuf {
    root.dir.path().join(name(minute).path()).join("T")
}

/// Everything that is recorded is what is on disk, in all dumps.
pub(super) fn compare(root: &TestRoot, minutes: &BTreeSet<u32>) {
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    let db = reading.connection();
    for minute in minutes {
        let seq = seq_of(db, "T", *minute);
        let on_disk = listed(&tree_of(root, *minute));
        let found: Listed = recorded(db, "T", seq)
            .into_iter()
            .map(|(path, one)| (path, (one.mode, one.ino, one.mtime)))
            .collect();
        assert_eq!(found, on_disk, "of minute {minute}");
        let sql = "SELECT s.entries FROM series s JOIN dump d ON d.id=s.dump WHERE d.name=?1";
        let entries = db.query_row(sql, [name(*minute).to_string()], |row| row.get::<_, i64>(0));
        assert_eq!(
            entries.expect("read"),
            i64::try_from(on_disk.len()).expect("few")
        );
    }
    let status = reading.status(&root.root).expect("read");
    assert!(status.is_whole(), "{status:?}");
    assert_eq!(status.dumps, minutes.len() as u64);
}

fn carry_out(root: &TestRoot, minutes: &mut BTreeSet<u32>, op: &Op) {
    match op {
        Op::Make(minute, _, _) if minutes.contains(minute) => {}
        Op::Make(minute, of, changes) => {
            let of = minutes.iter().rev().nth(*of).map(|of| tree_of(root, *of));
            let tree = tree_of(root, *minute);
            match of {
                Some(of) => link_all(&of, &tree),
                None => fs::create_dir_all(&tree).expect("made"),
            }
            changes.iter().for_each(|one| change(&tree, one));
            minutes.insert(*minute);
        }
        Op::Remove(which) => {
            if let Some(minute) = minutes.iter().copied().nth(*which) {
                root.remove(minute);
                minutes.remove(&minute);
            }
        }
        Op::CatchUp => {
            let mut catalog = root.open();
            catalog
                .catch_up(&root.root.listing(), &OPTIONS)
                .expect("caught up");
            drop(catalog);
            compare(root, minutes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn dumps_are_brought_in_as_they_are(ops in prop::collection::vec(op(), 1..12)) {
        let root = TestRoot::new();
        let mut minutes = BTreeSet::new();
        for op in &ops {
            carry_out(&root, &mut minutes, op);
        }
        carry_out(&root, &mut minutes, &Op::CatchUp);
        let mut catalog = root.open();
        assert_eq!(catalog.check(true, &OPTIONS).expect("compared"), []);
        drop(catalog);
        let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
        assert_eq!(rebuilt.dumps, minutes.len() as u64);
        compare(&root, &minutes);
    }
}

/// Two dumps, the second with changes.
pub(super) fn two_dumps() -> TestRoot {
    let root = TestRoot::new();
    let first = tree_of(&root, 0);
    fs::create_dir_all(first.join("d/e")).expect("made");
    for path in ["a", "b", "d/a", "d/e/a"] {
        fs::write(first.join(path), path).expect("written");
    }
    symlink("a", first.join("link")).expect("linked");
    link_all(&first, &tree_of(&root, 1));
    fs::write(tree_of(&root, 1).join("new"), "new").expect("written");
    root
}

#[test]
fn what_was_changed_by_hand_is_found() {
    let root = two_dumps();
    Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    let check = |all| root.open().check(all, &OPTIONS).expect("compared");
    assert_eq!(check(true), []);
    let tree = tree_of(&root, 1);
    fs::write(tree.join("d/put"), "put").expect("written");
    fs::remove_file(tree.join("b")).expect("removed");
    fs::remove_file(tree.join("d/a")).expect("removed");
    fs::write(tree.join("d/a"), "another").expect("written");
    fs::remove_dir_all(tree.join("d/e")).expect("removed");
    fs::write(tree_of(&root, 0).join("old"), "in the older dump").expect("written");
    let differs = |minute, path: &str, how| CatalogDifference {
        dump: name(minute),
        path: Some(Path::new("T").join(path)),
        how,
    };
    let sorted = |mut found: Vec<CatalogDifference>| {
        found.sort_by_key(|one| (one.dump, one.path.clone()));
        found
    };
    let of_last = vec![
        differs(1, "b", Differs::NotOnDisk),
        // Its time of modification.
        differs(1, "d", Differs::Otherwise),
        differs(1, "d/a", Differs::Otherwise),
        differs(1, "d/e", Differs::NotOnDisk),
        differs(1, "d/put", Differs::NotRecorded),
    ];
    let found: Vec<_> = sorted(check(false));
    assert_eq!(found, of_last);
    let all = [vec![differs(0, "old", Differs::NotRecorded)], of_last].concat();
    assert_eq!(sorted(check(true)), all);
    root.remove(0);
    link_all(&tree, &tree_of(&root, 2));
    let dumps: Vec<_> = check(false)
        .into_iter()
        .filter(|one| one.path.is_none())
        .collect();
    let of = |minute, how| CatalogDifference {
        dump: name(minute),
        path: None,
        how,
    };
    assert_eq!(
        dumps,
        [of(2, Differs::NotRecorded), of(0, Differs::NotOnDisk)]
    );
}

#[test]
fn too_many_dumps_are_left_to_a_rebuild() {
    let root = two_dumps();
    for minute in 2..60 {
        fs::create_dir_all(tree_of(&root, minute)).expect("made");
    }
    let mut catalog = root.open();
    let listing = root.root.listing();
    let error = catalog.catch_up(&listing, &OPTIONS).expect_err("too many");
    assert!(error.to_string().contains("lacks 60 dumps"), "{error}");
    drop(catalog);
    let rebuilt = Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    assert_eq!((rebuilt.dumps, rebuilt.kept_old), (60, true));
    let done = root
        .open()
        .catch_up(&listing, &OPTIONS)
        .expect("nothing to do");
    assert_eq!(done, super::values::CaughtUp::default());
}

#[test]
fn a_copy_of_the_newest_dump_in_its_place_is_brought_in_again() {
    let root = two_dumps();
    Catalog::rebuild(&root.root, &OPTIONS).expect("made");
    let dump = root.dir.path().join(name(1).path());
    let copy = dump.with_file_name("copy");
    fs::create_dir(&copy).expect("made");
    fs::create_dir(copy.join("T")).expect("made");
    fs::write(copy.join("T/only"), "of the copy").expect("written");
    fs::rename(&dump, dump.with_file_name("original")).expect("moved");
    fs::rename(copy, &dump).expect("moved");
    let done = root
        .open()
        .catch_up(&root.root.listing(), &OPTIONS)
        .expect("caught up");
    assert_eq!((done.gone, done.absorbed), (vec![name(1)], vec![name(1)]));
    compare(&root, &BTreeSet::from([0, 1]));
}

#[test]
fn a_first_copy_comes_before_all_others() {
    let root = two_dumps();
    let first = root.dir.path().join("first/T");
    fs::create_dir_all(&first).expect("made");
    fs::write(first.join("a"), "of the first").expect("written");
    let done = root
        .open()
        .catch_up(&root.root.listing(), &OPTIONS)
        .expect("caught up");
    assert_eq!(done.absorbed, [DumpId::First, name(0), name(1)]);
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    let found = recorded(reading.connection(), "T", 0);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a"]);
    compare_with_first(&root);
}

fn compare_with_first(root: &TestRoot) {
    assert_eq!(root.open().check(true, &OPTIONS).expect("compared"), []);
}

#[test]
fn a_stop_keeps_what_was_brought_in_and_the_old_catalog() {
    let root = two_dumps();
    root.open().absorb(name(0), &OPTIONS).expect("brought in");
    let stop = AtomicBool::new(true);
    let stopped = WalkOptions {
        stop: &stop,
        ..OPTIONS
    };
    let error = root
        .open()
        .catch_up(&root.root.listing(), &stopped)
        .expect_err("stopped");
    assert!(error.is_interrupted(), "{error}");
    let error = Catalog::rebuild(&root.root, &stopped).expect_err("stopped");
    assert!(error.is_interrupted(), "{error}");
    let reading = Catalog::read(&root.root).expect("read").expect("there");
    assert_eq!(
        reading.status(&root.root).expect("read").not_recorded,
        [name(1)]
    );
    let left = root.dir.path().join(".dump/catalog.rebuild");
    assert!(!left.exists());
}

/// Each time there is time for some directories only; the dumps that did not fit
/// are brought in later, also between others that were recorded meanwhile.
#[test]
fn what_there_is_no_time_for_is_left_for_the_next_time() {
    let root = two_dumps();
    for minute in 2..6 {
        let tree = tree_of(&root, minute);
        link_all(&tree_of(&root, minute - 1), &tree);
        fs::write(tree.join(format!("new {minute}")), "new").expect("written");
    }
    let asked = AtomicUsize::new(0);
    let catch_up = |most: usize| {
        asked.store(0, Ordering::Relaxed);
        let in_time = || asked.fetch_add(1, Ordering::Relaxed) < most;
        let options = WalkOptions {
            in_time: Some(&in_time),
            jobs: 1,
            ..OPTIONS
        };
        let listing = root.root.listing();
        root.open().catch_up(&listing, &options).expect("no error")
    };
    let all: Vec<DumpId> = (0..6).map(name).collect();
    let done = catch_up(0);
    assert_eq!((done.absorbed, done.left), (vec![], all.clone()));
    let done = catch_up(1);
    assert_eq!((done.absorbed, done.left), (vec![], all.clone()));
    let done = catch_up(12);
    assert!(
        !done.absorbed.is_empty() && !done.left.is_empty(),
        "{done:?}"
    );
    assert_eq!([done.absorbed, done.left.clone()].concat(), all);
    // A run records its own dump before the others are.
    root.open().absorb(name(5), &OPTIONS).expect("brought in");
    let mut left = done.left;
    left.pop();
    while !left.is_empty() {
        let done = catch_up(12);
        assert!(!done.absorbed.is_empty());
        assert_eq!([done.absorbed, done.left.clone()].concat(), left);
        left = done.left;
    }
    compare(&root, &(0..6).collect());
    assert_eq!(root.open().check(true, &OPTIONS).expect("compared"), []);
}
