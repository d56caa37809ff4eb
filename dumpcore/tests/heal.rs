//! A heal puts back what was stored, under every name, and changes nothing else.
#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use common::{Stage, tick};
use dumpcore::{CatalogTools, Checkpoint, DamageKind, Erase, RelPath, Scrub, Scrubbed};
use fixtures::{Options, diff_trees, keep_times, rot};

/// Three dumps with a file that all have under two names, one of each, and a
/// checkpoint.
fn dumped() -> (Stage, Vec<PathBuf>) {
    let stage = Stage::new();
    dumped_in(stage)
}

fn dumped_in(stage: Stage) -> (Stage, Vec<PathBuf>) {
    let at = |name: &str| stage.source.join(name);
    for dir in ["dir/sub", "other"] {
        fs::create_dir_all(at(dir)).expect("made");
    }
    fs::write(at("dir/same"), vec![1; 200_000]).expect("written");
    fs::set_permissions(at("dir/same"), fs::Permissions::from_mode(0o640)).expect("set");
    xattr::set(at("dir/same"), "user.note", b"kept").expect("set");
    fs::hard_link(at("dir/same"), at("other/twin")).expect("linked");
    // With holes.
    let sparse = File::create(at("dir/sub/sparse")).expect("made");
    sparse.write_all_at(b"far", 900_000).expect("written");
    sparse.set_len(2_000_000).expect("set");
    let mut dumps = Vec::new();
    for turn in 0..3_u8 {
        fs::write(at("turn"), vec![turn + 7; 5_000]).expect("written");
        tick();
        dumps.push(stage.run(stage.snapshot().catalog(true)).dump);
        tick();
    }
    dumps.push(Checkpoint::new(&stage.dump).run().expect("made").dump);
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    (stage, dumps)
}

fn heal(stage: &Stage) -> Scrubbed {
    let scrub = Scrub::new(&stage.dump).heal(true);
    scrub.run().expect("scrubbed")
}

/// A copy of the dumps' trees, to compare them with; and the numbers of inodes that
/// are not to change.
struct Before {
    top: assert_fs::TempDir,
    dumps: Vec<PathBuf>,
    inodes: BTreeMap<PathBuf, u64>,
}

impl Before {
    fn of(dumps: &[PathBuf]) -> Self {
        let top = assert_fs::TempDir::new().expect("a directory");
        let mut inodes = BTreeMap::new();
        for (at, dump) in dumps.iter().enumerate() {
            let mut copy = std::process::Command::new("cp");
            copy.arg("-a")
                .arg(dump)
                .arg(top.path().join(at.to_string()));
            assert!(copy.status().expect("it runs").success());
            add_inodes(dump, &mut inodes);
        }
        let dumps = dumps.to_vec();
        Self { top, dumps, inodes }
    }

    /// All is as it was, and only these paths have another inode.
    #[track_caller]
    fn assert_as_before(&self, but: &[&str]) {
        for (at, dump) in self.dumps.iter().enumerate() {
            let before = self.top.path().join(at.to_string());
            let lines = diff_trees(&before, dump, &Options::of_runner());
            assert!(lines.is_empty(), "not as before:\n{}", lines.join("\n"));
            assert_eq!(
                fs::metadata(&before).expect("there").mtime(),
                fs::metadata(dump).expect("there").mtime()
            );
        }
        let mut now = BTreeMap::new();
        self.dumps
            .iter()
            .for_each(|dump| add_inodes(dump, &mut now));
        let is_spared = |path: &&PathBuf| but.iter().any(|one| path.ends_with(one));
        for (path, ino) in self.inodes.iter().filter(|(path, _)| !is_spared(path)) {
            assert_eq!(now.get(path), Some(ino), "{path:?}");
        }
        for path in now.keys() {
            assert!(self.inodes.contains_key(path), "{path:?} is new");
        }
    }
}

fn add_inodes(dir: &Path, inodes: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        let meta = path.symlink_metadata().expect("there");
        inodes.insert(path.clone(), meta.ino());
        if meta.is_dir() {
            add_inodes(&path, inodes);
        }
    }
}

/// The catalog fits the dumps, and a scrub finds nothing.
#[track_caller]
fn assert_sound(stage: &Stage) {
    let found = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(found.expect("checked"), Vec::new());
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound() && scrubbed.hashed == 0, "{scrubbed:#?}");
}

#[test]
fn what_rotted_is_put_back_under_every_name() {
    let (stage, dumps) = dumped();
    let before = Before::of(&dumps);
    let same = dumps[0].join("tree/dir/same");
    rot(&same, 77_777);
    rot(&dumps[3].join("tree/dir/sub/sparse"), 900_001);
    let bad = fs::read(&same).expect("read");
    let scrubbed = heal(&stage);
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (2, 0),
        "{scrubbed:#?}"
    );
    assert!(scrubbed.is_sound());
    let paths: Vec<_> = scrubbed.healed.iter().map(|one| one.paths.len()).collect();
    assert_eq!(paths.iter().sum::<usize>(), 3, "two names, and one");
    before.assert_as_before(&["dir/same", "other/twin", "sub/sparse"]);
    for dump in &dumps[..3] {
        let [a, b] = ["dir/same", "other/twin"].map(|name| dump.join("tree").join(name));
        let (a, b) = (
            fs::metadata(a).expect("there"),
            fs::metadata(b).expect("there"),
        );
        assert_eq!((a.ino(), a.nlink()), (b.ino(), 6), "hard links stay");
        assert_eq!(a.ino(), fs::metadata(&same).expect("there").ino());
    }
    let sparse = fs::metadata(dumps[3].join("tree/dir/sub/sparse")).expect("there");
    assert!(sparse.blocks() < 1_000, "its holes stay");
    // What was bad is kept, with a note.
    let kept = kept(&stage);
    assert_eq!(
        kept.iter()
            .filter(|path| path.extension().is_some_and(|e| e == "note"))
            .count(),
        2
    );
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(kept.iter().any(|path| fs::read(path).expect("read") == bad));
    assert_sound(&stage);
    // And the next dump links to it.
    fs::write(stage.source.join("turn"), "next").expect("written");
    tick();
    let next = stage.run(stage.snapshot().catalog(true)).dump;
    let newest = fs::metadata(next.join("tree/dir/same")).expect("there");
    let last = fs::metadata(dumps[2].join("tree/dir/same")).expect("there");
    assert!(newest.ino() == last.ino() || newest.nlink() >= 2);
    assert_sound(&stage);
}

fn kept(stage: &Stage) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(stage.dump.join(".dump/damaged")) else {
        return Vec::new();
    };
    entries.map(|entry| entry.expect("listed").path()).collect()
}

#[test]
fn another_size_and_another_mode_are_put_right() {
    let (stage, dumps) = dumped();
    let before = Before::of(&dumps);
    let cut = dumps[1].join("tree/dir/same");
    let meta = fs::metadata(&cut).expect("there");
    let file = File::options().write(true).open(&cut).expect("opened");
    file.set_len(3).expect("cut");
    keep_times(&file, &meta);
    let open = dumps[1].join("tree/turn");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).expect("set");
    let scrub = Scrub::new(&stage.dump).heal(true).discard(true);
    let scrubbed = scrub.run().expect("scrubbed");
    let kinds: Vec<_> = scrubbed.healed.iter().map(|one| one.kind).collect();
    assert_eq!(kinds.len(), 2, "{scrubbed:#?}");
    assert!(kinds.contains(&DamageKind::Size) && kinds.contains(&DamageKind::Metadata));
    before.assert_as_before(&["dir/same", "other/twin", "turn"]);
    assert_eq!(kept(&stage), Vec::<PathBuf>::new(), "nothing is kept");
    assert_sound(&stage);
}

#[test]
fn what_nobody_has_as_it_was_stays_and_is_told() {
    let (stage, dumps) = dumped();
    rot(&dumps[0].join("tree/dir/same"), 5);
    rot(&dumps[3].join("tree/dir/same"), 6);
    let before = Before::of(&dumps);
    let scrubbed = heal(&stage);
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (0, 2),
        "{scrubbed:#?}"
    );
    before.assert_as_before(&[]);
    assert_eq!(kept(&stage), Vec::<PathBuf>::new());
    // The tree has it.
    let tree = RelPath::from_bytes(b"tree");
    let scrub = Scrub::new(&stage.dump).heal(true).tree(tree, &stage.source);
    let scrubbed = scrub.run().expect("scrubbed");
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (2, 0),
        "{scrubbed:#?}"
    );
    assert_sound(&stage);
}

#[test]
fn without_a_recorded_hash_two_copies_have_to_agree() {
    let (stage, dumps) = dumped();
    // As if it had never been taken; then the size alone tells.
    let db = rusqlite::Connection::open(stage.dump.join(".dump/catalog.db")).expect("opened");
    db.execute("UPDATE inode SET hash=NULL", []).expect("set");
    drop(db);
    let cut = dumps[0].join("tree/dir/same");
    let meta = fs::metadata(&cut).expect("there");
    let file = File::options().write(true).open(&cut).expect("opened");
    file.set_len(3).expect("cut");
    keep_times(&file, &meta);
    // The checkpoint alone is one.
    let scrubbed = heal(&stage);
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (0, 1),
        "{scrubbed:#?}"
    );
    let tree = RelPath::from_bytes(b"tree");
    let scrub = Scrub::new(&stage.dump).heal(true).tree(tree, &stage.source);
    let scrubbed = scrub.run().expect("scrubbed");
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (1, 0),
        "{scrubbed:#?}"
    );
    assert_sound(&stage);
}

#[test]
fn what_runs_left_behind_is_healed_too() {
    let (stage, dumps) = dumped();
    let left = stage.dump.join("2031/0101/0000_incomplete/tree/dir");
    fs::create_dir_all(&left).expect("made");
    let same = dumps[0].join("tree/dir/same");
    fs::hard_link(&same, left.join("moved")).expect("linked");
    rot(&same, 9);
    let scrubbed = heal(&stage);
    assert_eq!(scrubbed.healed.len(), 1, "{scrubbed:#?}");
    let [a, b] = [&same, &left.join("moved")].map(|path| fs::metadata(path).expect("there").ino());
    assert_eq!(a, b);
}

#[test]
fn an_erasure_takes_what_was_kept_too() {
    let (stage, dumps) = dumped();
    rot(&dumps[0].join("tree/dir/same"), 5);
    rot(&dumps[0].join("tree/dir/sub/sparse"), 900_000);
    assert_eq!(heal(&stage).healed.len(), 2);
    assert_eq!(kept(&stage).len(), 4);
    let erase = Erase::new(&stage.dump).path(RelPath::from_bytes(b"tree/dir/sub"));
    erase.run().expect("erased");
    assert_eq!(kept(&stage).len(), 2);
    let contents: Vec<u64> = kept(&stage)
        .iter()
        .map(|path| fs::metadata(path).expect("there").len())
        .collect();
    assert!(!contents.contains(&2_000_000), "{contents:?}");
}
