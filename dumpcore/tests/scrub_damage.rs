//! Damage to the disk itself: every file that it hits is found, and no other.
#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Stage, tick};
use dumpcore::{CatalogTools, Checkpoint, DamageKind, Event, Phase, Scrub, Scrubbed};
use fixtures::fiemap::extents;
use fixtures::mounts::{Fs, Mount};
use fixtures::{Fingerprint, rot};
use proptest::prelude::*;

/// Bytes that are different in each block of each file.
fn text(file: usize, length: usize) -> Vec<u8> {
    let word = |at: usize| (file as u64) << 40 | (at as u64 / 8) << 8 | 0x5a;
    (0..length)
        .map(|at| word(at).to_le_bytes()[at % 8])
        .collect()
}

/// Two dumps of some files of different lengths, of which a few change, then a
/// checkpoint.
fn stage(top: &Path) -> (Stage, Vec<PathBuf>) {
    let top = top.join("top");
    fs::create_dir(&top).expect("made");
    let stage = Stage::within(&top);
    for at in 0..12 {
        let dir = stage.source.join(format!("dir{}", at % 3));
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join(format!("file{at}")), text(at, 3_000 + at * 40_000)).expect("written");
    }
    fs::hard_link(stage.source.join("dir0/file0"), stage.source.join("twin")).expect("linked");
    let mut dumps = Vec::new();
    for turn in 0..2 {
        fs::write(stage.source.join("dir0/turn"), text(50 + turn, 90_000)).expect("written");
        tick();
        dumps.push(stage.run(stage.snapshot().catalog(true)).dump);
        tick();
    }
    dumps.push(Checkpoint::new(&stage.dump).run().expect("made").dump);
    // The checkpoint's files have their hashes, too.
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound() && scrubbed.hashed == 0, "{scrubbed:#?}");
    (stage, dumps)
}

/// All names of files below a directory, in order.
fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed");
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("listed").path()).collect();
    entries.sort();
    let of = |path: PathBuf| match path.symlink_metadata().expect("there") {
        meta if meta.is_dir() => names(&path),
        meta if meta.is_file() => vec![path],
        _ => Vec::new(),
    };
    entries.into_iter().flat_map(of).collect()
}

/// Each file of the dumps once, by its first name.
fn files(dumps: &[PathBuf]) -> Vec<PathBuf> {
    let mut met = BTreeSet::new();
    let mut found: Vec<PathBuf> = dumps.iter().flat_map(|dump| names(dump)).collect();
    found.retain(|path| met.insert(inode(path)));
    found
}

/// The inodes that a scrub found damaged: looked up under the names that it says.
fn found(stage: &Stage, scrubbed: &Scrubbed, kind: DamageKind) -> BTreeSet<u64> {
    let inode = |damaged: &dumpcore::Damaged| {
        assert_eq!(damaged.kind, kind, "{damaged:?}");
        let path = &damaged.paths[0];
        let path = stage.dump.join(path.first.path()).join(path.path.as_path());
        fs::metadata(path).expect("there").ino()
    };
    scrubbed.damaged.iter().map(inode).collect()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

/// Turns one bit of a file on the disk that is not mounted meanwhile.
fn turn_bits(mount: &mut Mount, victims: &[(PathBuf, usize)]) {
    let places: Vec<u64> = victims
        .iter()
        .map(|(path, at)| {
            let size = usize::try_from(fs::metadata(path).expect("there").len()).expect("small");
            let at = (at % size) as u64;
            let within = |extent: &fixtures::fiemap::Extent| {
                (extent.logical..extent.logical + extent.len).contains(&at)
            };
            let extent = extents(path).into_iter().find(within).expect("on the disk");
            extent.physical + at - extent.logical
        })
        .collect();
    mount.unmount();
    let image = File::options()
        .read(true)
        .write(true)
        .open(mount.image())
        .expect("opened");
    for (number, place) in places.into_iter().enumerate() {
        let mut byte = [0];
        image.read_exact_at(&mut byte, place).expect("read");
        image
            .write_all_at(&[byte[0] ^ 1 << (number % 8)], place)
            .expect("written");
    }
    image.sync_all().expect("flushed");
    mount.mount();
}

fn flipped_bits_are_found(fs: Fs) {
    let mut mount = Mount::new(fs, 300);
    let (stage, dumps) = stage(mount.path());
    let files = files(&dumps);
    assert_eq!(files.len(), 27, "14 in the dumps and 13 in the checkpoint");
    let print = Fingerprint::of(&stage.dump);
    // In dumps and in the checkpoint, at different files.
    let victims: Vec<(PathBuf, usize)> = [1, 4, 9, 12, 16, 20, 25]
        .map(|at| (files[at].clone(), at * 31_337))
        .into();
    turn_bits(&mut mount, &victims);
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    let hit: BTreeSet<u64> = victims.iter().map(|(path, _)| inode(path)).collect();
    assert_eq!(found(&stage, &scrubbed, DamageKind::Contents), hit);
    // Of each there is the copy in the other generation, which is not damaged.
    for damaged in &scrubbed.damaged {
        let path = damaged.paths[0].path.to_string();
        let only_one = path.ends_with("turn") && damaged.good.is_empty();
        assert!(only_one || damaged.good.len() == 1, "{damaged:?}");
    }
    // Nothing but contents has changed, and reading changed nothing.
    let changes = print.changes(&stage.dump);
    assert_eq!(changes.len(), number_of_names(&stage, &hit), "{changes:#?}");
    assert_healed(&mut mount, &stage, hit.len());
}

/// Everything that was damaged is byte for byte as it was, also after the disk was
/// unmounted.
fn assert_healed(mount: &mut Mount, stage: &Stage, number: usize) {
    let heal = Scrub::new(&stage.dump).heal(true);
    // Of the first turn only the tree before would tell.
    let scrubbed = heal.run().expect("scrubbed");
    let left: Vec<String> = scrubbed
        .damaged
        .iter()
        .map(|one| one.paths[0].path.to_string())
        .collect();
    assert!(left.iter().all(|path| path.ends_with("turn")), "{left:?}");
    assert_eq!(scrubbed.healed.len() + left.len(), number, "{scrubbed:#?}");
    mount.remount();
    for name in names(&stage.dump)
        .iter()
        .filter(|name| !name.ends_with("turn"))
    {
        let path = name.to_str().expect("UTF-8");
        let Some((_, file)) = path.rsplit_once("/file") else {
            continue;
        };
        let at: usize = file.parse().expect("a number");
        assert!(
            fs::read(name).expect("read") == text(at, 3_000 + at * 40_000),
            "{path}"
        );
    }
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert_eq!(scrubbed.damaged.len(), left.len(), "{scrubbed:#?}");
    let found = CatalogTools::new(&stage.dump).all(true).check();
    assert_eq!(found.expect("checked"), Vec::new());
}

/// How many names the dumps have of these inodes.
fn number_of_names(stage: &Stage, inodes: &BTreeSet<u64>) -> usize {
    let all = names(&stage.dump);
    all.iter()
        .filter(|path| inodes.contains(&inode(path)))
        .count()
}

#[test]
#[ignore = "needs root: mounts ext4"]
fn flipped_bits_are_found_on_ext4() {
    flipped_bits_are_found(Fs::Ext4);
}

#[test]
#[ignore = "needs root: mounts xfs"]
fn flipped_bits_are_found_on_xfs() {
    flipped_bits_are_found(Fs::Xfs);
}

#[test]
#[ignore = "needs root: mounts btrfs"]
fn what_the_disk_does_not_give_is_found() {
    let mut mount = Mount::new(Fs::Btrfs, 300);
    let (stage, dumps) = stage(mount.path());
    let files = files(&dumps);
    let victim = files
        .iter()
        .find(|path| path.ends_with("dir1/file7"))
        .expect("there");
    let needle = fs::read(victim).expect("read")[8_192..12_288].to_vec();
    // In the dumps, in the checkpoint and in the tree.
    assert_eq!(mount.damage(&needle), 3);
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    let hit = files.iter().filter(|path| path.ends_with("dir1/file7"));
    let hit: BTreeSet<u64> = hit.map(|path| inode(path)).collect();
    assert_eq!(hit.len(), 2);
    assert_eq!(found(&stage, &scrubbed, DamageKind::ReadError), hit);
    let cause = scrubbed.damaged[0].cause.as_deref().expect("told");
    assert!(cause.contains("Input/output error"), "{cause}");
    // Only this one has it as it was.
    let good = fixtures::plain_user::open_dir();
    let tree = good.path().join("tree");
    fs::create_dir_all(tree.join("dir1")).expect("made");
    let copy = tree.join("dir1/file7");
    fs::write(&copy, text(7, 3_000 + 7 * 40_000)).expect("written");
    let modified = fs::metadata(victim)
        .expect("there")
        .modified()
        .expect("a time");
    let file = File::options().write(true).open(&copy).expect("opened");
    file.set_modified(modified).expect("set");
    let name = dumpcore::RelPath::from_bytes(b"tree");
    let scrub = Scrub::new(&stage.dump).heal(true).tree(name, &tree);
    let scrubbed = scrub.run().expect("scrubbed");
    assert_eq!(
        (scrubbed.healed.len(), scrubbed.damaged.len()),
        (2, 0),
        "{scrubbed:#?}"
    );
    mount.remount();
    for path in files.iter().filter(|path| path.ends_with("dir1/file7")) {
        assert!(fs::read(path).expect("read") == text(7, 3_000 + 7 * 40_000));
    }
}

#[test]
#[ignore = "needs root: mounts ext4"]
fn what_a_filesystem_check_takes_is_found() {
    let mut mount = Mount::new(Fs::Ext4, 100);
    let (stage, dumps) = stage(mount.path());
    let lost = dumps[0].join("tree/dir2/file5");
    let number = inode(&lost);
    mount.unmount();
    let image = mount.image().to_str().expect("UTF-8").to_owned();
    let clear = format!("clri <{number}>");
    let cleared = std::process::Command::new("debugfs")
        .args(["-w", "-R", &clear, &image])
        .output();
    assert!(cleared.expect("debugfs runs").status.success());
    let check = std::process::Command::new("e2fsck")
        .args(["-fy", &image])
        .output();
    assert!(
        check
            .expect("e2fsck runs")
            .status
            .code()
            .is_some_and(|code| code <= 1)
    );
    mount.mount();
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    let told: Vec<_> = scrubbed
        .damaged
        .iter()
        .map(|one| (one.kind, one.paths[0].path.to_string(), one.paths[0].dumps))
        .collect();
    let expected = (DamageKind::Missing, "tree/dir2/file5".to_owned(), 2);
    assert!(told.contains(&expected), "{told:?}");
    // Its directories were written when their names were taken out.
    let dirs = |(kind, path, _): &(DamageKind, String, u64)| {
        *kind == DamageKind::Metadata && path == "tree/dir2"
    };
    assert!(
        told.iter().all(|one| *one == expected || dirs(one)),
        "{told:?}"
    );
}

#[test]
#[ignore = "needs root: mounts ext4"]
fn what_only_a_filesystem_check_mends_is_said_to_be_that() {
    let mut mount = Mount::new(Fs::Ext4, 100);
    let (stage, dumps) = stage(mount.path());
    let number = inode(&dumps[0].join("tree/dir2/file5"));
    mount.unmount();
    let image = mount.image().to_str().expect("UTF-8").to_owned();
    // A checksum of the inode that does not fit.
    let spoil = format!("sif <{number}> checksum 0x1234");
    let spoiled = std::process::Command::new("debugfs")
        .args(["-w", "-n", "-R", &spoil, &image])
        .output();
    assert!(spoiled.expect("debugfs runs").status.success());
    mount.mount();
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    let bad = scrubbed.damaged.iter().filter(|one| one.needs_fsck);
    let bad: Vec<_> = bad
        .map(|one| (one.kind, one.paths[0].path.to_string()))
        .collect();
    let path = "tree/dir2/file5".to_owned();
    assert_eq!(bad, [(DamageKind::ReadError, path)], "{scrubbed:#?}");
    mount.unmount();
    let check = std::process::Command::new("e2fsck")
        .args(["-fy", &image])
        .output();
    let code = check.expect("e2fsck runs").status.code();
    assert!(code.is_some_and(|code| code <= 1), "{code:?}");
    mount.mount();
    let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
}

/// As the kernel does when a disk fails.
#[test]
#[ignore = "needs root: mounts ext4"]
fn a_disk_that_turns_read_only_loses_no_finding() {
    let mount = Mount::new(Fs::Ext4, 100);
    let (stage, dumps) = stage(mount.path());
    let file = dumps[0].join("tree/dir2/file5");
    rot(&file, 5_000);
    let point = mount.path().to_path_buf();
    let turn = move |event: Event<'_>| {
        if let Event::Phase(Phase::Scrubbing) = event {
            let mut command = std::process::Command::new("mount");
            let status = command.args(["-o", "remount,ro"]).arg(&point).status();
            assert!(status.expect("mount runs").success());
        }
    };
    let scrub = Scrub::new(&stage.dump).heal(true).observer(Arc::new(turn));
    let scrubbed = scrub.run().expect("scrubbed");
    assert!(
        scrubbed.read_only && scrubbed.healed.is_empty(),
        "{scrubbed:#?}"
    );
    let found = found(&stage, &scrubbed, DamageKind::Contents);
    assert_eq!(found, BTreeSet::from([inode(&file)]));
    mount.set_read_only(false);
    let scrubbed = Scrub::new(&stage.dump).heal(true).run().expect("scrubbed");
    assert_eq!(scrubbed.healed.len(), 1, "{scrubbed:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_rots_is_found_and_nothing_else(
        flips in prop::collection::btree_map(0..27_usize, any::<usize>(), 1..24),
    ) {
        let dir = fixtures::plain_user::open_dir();
        let (stage, dumps) = stage(dir.path());
        let files = files(&dumps);
        for (at, place) in &flips {
            let size = fs::metadata(&files[*at]).expect("there").len();
            rot(&files[*at], *place as u64 % size);
        }
        let scrubbed = Scrub::new(&stage.dump).run().expect("scrubbed");
        let hit: BTreeSet<u64> = flips.keys().map(|at| inode(&files[*at])).collect();
        prop_assert_eq!(found(&stage, &scrubbed, DamageKind::Contents), hit);
        // Those are healed of which another copy is whole, and no others.
        let has_good = scrubbed.damaged.iter().filter(|one| !one.good.is_empty()).count();
        let healed = Scrub::new(&stage.dump).heal(true).run().expect("scrubbed");
        prop_assert_eq!(healed.healed.len(), has_good);
        prop_assert_eq!(healed.damaged.len(), flips.len() - has_good);
        let again = Scrub::new(&stage.dump).run().expect("scrubbed");
        prop_assert_eq!(again.damaged.len(), flips.len() - has_good);
    }
}
