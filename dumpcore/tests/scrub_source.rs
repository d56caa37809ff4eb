//! Files of a tree that changed without a trace are found, and no others.
#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{ROOT, Stage, tick};
use dumpcore::{
    CatalogError, Chain, ChangedFile, Checkpoint, DumpId, Erase, Error, Event, Observer, RelPath,
    ScrubSource, SourceScrubbed,
};
use fixtures::fiemap::extents;
use fixtures::mounts::{Fs, Mount};
use fixtures::place::born_place;
use fixtures::plain_user::open_dir_in;
use fixtures::{Fingerprint, rot};

fn text(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| seed ^ (at / 7) as u8).collect()
}

/// Dumps with hashes; what is a moment old counts as settled.
fn dump(stage: &Stage) -> PathBuf {
    tick();
    let snapshot = stage.snapshot().catalog(true).hash(true);
    let dump = stage.run(snapshot.settle(Duration::ZERO)).dump;
    tick();
    dump
}

/// A stage on which every file that is not young can be compared.
fn telling() -> Stage {
    Stage::within(&open_dir_in(&born_place()).keep())
}

fn fill(stage: &Stage) {
    fs::create_dir(stage.source.join("dir")).expect("made");
    for at in 0..10_u8 {
        let file = stage.source.join(format!("dir/file{at}"));
        fs::write(file, text(at, 1_000 + usize::from(at) * 90_000)).expect("written");
    }
    let twin = stage.source.join("twin");
    fs::hard_link(stage.source.join("dir/file9"), twin).expect("linked");
}

fn order(stage: &Stage) -> ScrubSource {
    ScrubSource::new(&stage.dump).tree(RelPath::from_bytes(ROOT.as_bytes()), &stage.source)
}

fn scrub(stage: &Stage) -> SourceScrubbed {
    order(stage).run().expect("compared")
}

fn names(scrubbed: &SourceScrubbed) -> Vec<String> {
    let names = scrubbed
        .changed
        .iter()
        .map(|changed| changed.path.to_string());
    names.collect()
}

fn id(stage: &Stage, dump: &Path) -> DumpId {
    let below = dump.strip_prefix(&stage.dump).expect("below");
    DumpId::parse(below.as_os_str().as_encoded_bytes()).expect("a dump")
}

/// A tree on a filesystem of its own, in an image in which bits can be turned.
struct Disk {
    mount: Mount,
    stage: Stage,
}

impl Disk {
    fn new(fs: Fs) -> Self {
        let mount = Mount::new(fs, 300);
        let mut stage = Stage::new();
        stage.source = mount.path().join(ROOT);
        fs::create_dir(&stage.source).expect("made");
        Self { mount, stage }
    }

    /// Turns a bit of a file on the disk, while that is not mounted.
    fn turn_bit(&mut self, path: &str, at: u64) {
        let path = self.stage.source.join(path);
        let within = |extent: &fixtures::fiemap::Extent| {
            (extent.logical..extent.logical + extent.len).contains(&at)
        };
        let extent = extents(&path)
            .into_iter()
            .find(within)
            .expect("on the disk");
        let place = extent.physical + at - extent.logical;
        self.mount.unmount();
        let image = File::options()
            .read(true)
            .write(true)
            .open(self.mount.image());
        let image = image.expect("opened");
        let mut byte = [0];
        image.read_exact_at(&mut byte, place).expect("read");
        image.write_all_at(&[byte[0] ^ 4], place).expect("written");
        image.sync_all().expect("flushed");
        self.mount.mount();
    }
}

fn turned_bits_are_found(fs: Fs) {
    let mut disk = Disk::new(fs);
    fill(&disk.stage);
    let first = dump(&disk.stage);
    fs::write(disk.stage.source.join("dir/file2"), "another").expect("written");
    let second = dump(&disk.stage);
    disk.turn_bit("dir/file5", 200_000);
    disk.turn_bit("dir/file9", 3);
    let before = Fingerprint::of(&disk.stage.source);
    let dumps = Fingerprint::of(&disk.stage.dump);
    let scrubbed = scrub(&disk.stage);
    assert_eq!(names(&scrubbed).len(), 2, "{scrubbed:#?}");
    let ChangedFile { file, path, .. } = &scrubbed.changed[0];
    assert_eq!(path.to_string(), "tree/dir/file5");
    assert_eq!(*file, disk.stage.source.join("dir/file5"));
    // A name of the file is chosen, and the other one told with it.
    let twin = &scrubbed.changed[1];
    let mut both = vec![twin.file.clone()];
    both.extend(twin.links.clone());
    both.sort();
    let names_of_twin = ["dir/file9", "twin"].map(|name| disk.stage.source.join(name));
    assert_eq!(both, names_of_twin, "{twin:?}");
    assert_eq!(scrubbed.changed[0].links, Vec::<PathBuf>::new());
    for changed in &scrubbed.changed {
        assert!(changed.dump_is_good, "{changed:?}");
        let of = (changed.first, changed.last);
        assert_eq!(
            of,
            (
                Some(id(&disk.stage, &first)),
                Some(id(&disk.stage, &second))
            )
        );
    }
    assert!(!scrubbed.is_sound());
    let counts = (
        scrubbed.files,
        scrubbed.touched,
        scrubbed.unsettled,
        scrubbed.unknown,
    );
    assert_eq!(counts, (10, 0, 0, 0), "{scrubbed:#?}");
    // Nothing was changed, not even a time of access.
    assert_eq!(before.changes(&disk.stage.source), Vec::<String>::new());
    assert_eq!(dumps.changes(&disk.stage.dump), Vec::<String>::new());
    // A dump takes it for unchanged, and links to what was.
    dump_as_it_is(&disk.stage);
    assert_eq!(names(&scrub(&disk.stage)).len(), 2);
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn turned_bits_are_found_on_ext4() {
    turned_bits_are_found(Fs::Ext4);
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn turned_bits_are_found_on_xfs() {
    turned_bits_are_found(Fs::Xfs);
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn what_the_dump_has_lost_as_well_is_said_so() {
    let mut disk = Disk::new(Fs::Ext4);
    fill(&disk.stage);
    let only = dump(&disk.stage);
    disk.turn_bit("dir/file5", 0);
    rot(&only.join("tree/dir/file5"), 7);
    let scrubbed = scrub(&disk.stage);
    assert_eq!(names(&scrubbed), ["tree/dir/file5"]);
    assert!(!scrubbed.changed[0].dump_is_good, "{scrubbed:#?}");
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn a_checkpoint_hides_nothing() {
    let mut disk = Disk::new(Fs::Ext4);
    fill(&disk.stage);
    let only = dump(&disk.stage);
    let checkpoint = Checkpoint::new(&disk.stage.dump).run().expect("made").dump;
    disk.turn_bit("dir/file5", 0);
    let scrubbed = scrub(&disk.stage);
    assert_eq!(names(&scrubbed), ["tree/dir/file5"]);
    assert_eq!(scrubbed.changed[0].last, Some(id(&disk.stage, &only)));
    // Without the dump that knew the source, there is nothing to compare with.
    let root = dumpcore::DumpRoot::open(&disk.stage.dump).expect("opened");
    root.remove(id(&disk.stage, &only)).expect("removed");
    let scrubbed = scrub(&disk.stage);
    assert_eq!(
        scrubbed.changed.len() as u64 + scrubbed.unknown,
        10,
        "{scrubbed:#?}"
    );
    drop(checkpoint);
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn a_checkpoint_between_dumps_is_not_when_it_began() {
    let mut disk = Disk::new(Fs::Ext4);
    fill(&disk.stage);
    let first = dump(&disk.stage);
    let checkpoint = Checkpoint::new(&disk.stage.dump).run().expect("made").dump;
    tick();
    let last = dump(&disk.stage);
    let path = "tree/dir/file5";
    let ino = |dump: &Path| fs::metadata(dump.join(path)).expect("there").ino();
    assert_eq!(
        ino(&checkpoint),
        ino(&last),
        "it is linked to the checkpoint"
    );
    assert_ne!(ino(&first), ino(&last));
    disk.turn_bit("dir/file5", 0);
    let scrubbed = scrub(&disk.stage);
    assert_eq!(names(&scrubbed), [path]);
    let changed = &scrubbed.changed[0];
    let of = (changed.first, changed.last);
    assert_eq!(
        of,
        (Some(id(&disk.stage, &first)), Some(id(&disk.stage, &last)))
    );
}

/// What docs/SCRUB.md says that a dump cannot tell from a write.
#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn rot_of_what_was_young_or_touched_is_stored_as_a_change() {
    let mut disk = Disk::new(Fs::Ext4);
    fill(&disk.stage);
    let read = |dump: &Path| fs::read(dump.join("tree/dir/file5")).expect("read");
    let file = disk.stage.source.join("dir/file5");
    let original = fs::read(&file).expect("read");
    tick();
    let snapshot = disk.stage.snapshot().catalog(true).hash(true);
    let young = disk.stage.run(snapshot).dump;
    tick();
    disk.turn_bit("dir/file5", 0);
    let second = dump(&disk.stage);
    let rotted = fs::read(&file).expect("read");
    assert!(rotted != original && read(&second) == rotted);
    assert!(read(&young) == original, "the dump before has it");
    assert!(scrub(&disk.stage).is_sound(), "it is what was dumped last");
    disk.turn_bit("dir/file5", 100_000);
    assert_eq!(names(&scrub(&disk.stage)), ["tree/dir/file5"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    let third = dump(&disk.stage);
    let twice = fs::read(&file).expect("read");
    assert!(twice != rotted && read(&third) == twice);
    assert!(read(&second) == rotted && read(&young) == original);
    assert!(scrub(&disk.stage).is_sound());
}

/// Erases a file from all dumps when it is first read.
struct Erases(Mutex<Option<Erase>>);

impl Observer for Erases {
    fn event(&self, event: Event<'_>) {
        if let Event::Copying { at, .. } = event
            && at.path().as_bytes() == b"tree/dir/file5"
            && let Some(erase) = self.0.lock().expect("unharmed").take()
        {
            erase.run().expect("erased");
        }
    }
}

#[test]
#[ignore = "needs root, loop mounts and xfsprogs"]
fn what_no_dump_has_any_more_is_told_all_the_same() {
    let mut disk = Disk::new(Fs::Ext4);
    fill(&disk.stage);
    dump(&disk.stage);
    disk.turn_bit("dir/file5", 0);
    let erase = Erase::new(&disk.stage.dump).path(RelPath::from_bytes(b"tree/dir/file5"));
    let erases = Arc::new(Erases(Mutex::new(Some(erase))));
    let scrubbed = order(&disk.stage).observer(erases.clone()).run();
    let scrubbed = scrubbed.expect("compared");
    assert!(erases.0.lock().expect("unharmed").is_none(), "erased");
    assert_eq!(names(&scrubbed), ["tree/dir/file5"]);
    let changed = &scrubbed.changed[0];
    assert_eq!((changed.first, changed.last), (None, None), "{changed:?}");
    assert!(!changed.dump_is_good);
    assert!(!scrubbed.is_sound());
}

#[test]
fn an_unchanged_tree_is_sound() {
    let stage = telling();
    fill(&stage);
    dump(&stage);
    let would = order(&stage).dry_run(true).run().expect("looked");
    let scrubbed = scrub(&stage);
    assert_eq!(scrubbed.changed, Vec::new());
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!((scrubbed.files, scrubbed.unknown), (10, 0));
    assert_eq!((scrubbed.touched, scrubbed.unread), (0, 0));
    assert_eq!((would.files, would.bytes), (10, scrubbed.bytes));
    assert!(would.dry_run && would.changed.is_empty());
}

#[test]
fn what_was_written_to_is_counted_and_not_read() {
    let stage = telling();
    fill(&stage);
    dump(&stage);
    // In place, with the times as they were: only the time of change tells.
    rot(&stage.source.join("dir/file1"), 5);
    fs::rename(stage.source.join("dir/file2"), stage.source.join("moved")).expect("moved");
    fs::remove_file(stage.source.join("dir/file3")).expect("removed");
    let file4 = stage.source.join("dir/file4");
    fs::remove_file(&file4).expect("removed");
    fs::create_dir(&file4).expect("made");
    let file6 = stage.source.join("dir/file6");
    fs::set_permissions(file6, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(stage.source.join("dir/new"), "new").expect("written");
    let scrubbed = scrub(&stage);
    assert_eq!((scrubbed.changed.len(), scrubbed.faults_total), (0, 0));
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!((scrubbed.files, scrubbed.touched), (5, 5), "{scrubbed:#?}");
    assert_eq!(scrubbed.unknown, 0);
}

#[test]
fn what_was_young_when_it_was_dumped_proves_nothing() {
    let stage = telling();
    fill(&stage);
    tick();
    stage.run(stage.snapshot().catalog(true).hash(true));
    let scrubbed = scrub(&stage);
    assert_eq!((scrubbed.unsettled, scrubbed.unknown), (10, 0));
    assert_eq!((scrubbed.files, scrubbed.unread), (0, 0));
    assert_nothing_was_compared(&stage, &scrubbed);
}

/// Nothing was found, and that is because nothing was compared.
#[track_caller]
fn assert_nothing_was_compared(stage: &Stage, scrubbed: &SourceScrubbed) {
    assert_eq!((scrubbed.changed.len(), scrubbed.faults_total), (0, 0));
    assert_eq!(scrubbed.uncompared, std::slice::from_ref(&stage.source));
    assert!(!scrubbed.is_sound(), "{scrubbed:#?}");
}

#[test]
fn a_tree_of_which_nothing_can_be_compared_is_not_sound() {
    // A disk that is not mounted, and a copy on another one.
    let stage = Stage::new();
    fill(&stage);
    dump(&stage);
    let copy = assert_fs::TempDir::new_in("/dev/shm").expect("a directory");
    let tree = RelPath::from_bytes(ROOT.as_bytes());
    let copied = ScrubSource::new(&stage.dump).tree(tree, copy.path());
    fs::create_dir(copy.path().join("dir")).expect("made");
    for at in 0..10 {
        let name = format!("dir/file{at}");
        fs::copy(stage.source.join(&name), copy.path().join(&name)).expect("copied");
    }
    let scrubbed = copied.run().expect("compared");
    assert_eq!(scrubbed.uncompared, [copy.path()], "{scrubbed:#?}");
    fs::rename(&stage.source, stage.source.with_file_name("old")).expect("moved");
    fs::create_dir(&stage.source).expect("made");
    assert_nothing_was_compared(&stage, &scrub(&stage));
    // Without hashes.
    let stage = Stage::new();
    fill(&stage);
    tick();
    let snapshot = stage.snapshot().catalog(true).hash(false);
    stage.run(snapshot.settle(Duration::ZERO));
    let scrubbed = scrub(&stage);
    assert_eq!(scrubbed.unknown, 10, "{scrubbed:#?}");
    assert_nothing_was_compared(&stage, &scrubbed);
    // With no time nothing is known, and of an empty tree there is nothing to know.
    let scrubbed = order(&stage).time(Duration::ZERO).run().expect("compared");
    assert_eq!(scrubbed.uncompared, Vec::<PathBuf>::new());
    let stage = Stage::new();
    dump(&stage);
    assert!(scrub(&stage).is_sound());
}

#[test]
fn a_tree_in_which_all_was_written_to_is_sound() {
    let stage = telling();
    fill(&stage);
    dump(&stage);
    for at in 0..10 {
        let file = stage.source.join(format!("dir/file{at}"));
        match at % 3 {
            0 => fs::write(&file, "of today").expect("written"),
            1 => {
                let new = file.with_extension("new");
                fs::write(&new, fs::read(&file).expect("read")).expect("written");
                fs::rename(new, file).expect("renamed");
            }
            // Some go, as logs that are rotated.
            _ => fs::remove_file(file).expect("removed"),
        }
    }
    let scrubbed = scrub(&stage);
    assert_eq!((scrubbed.files, scrubbed.touched), (0, 10));
    assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    assert_eq!(scrubbed.unknown, 0);
}

#[test]
fn a_tree_that_is_written_raises_no_alarm() {
    let stage = Stage::new();
    fill(&stage);
    dump(&stage);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (stage, stop) = (&stage, &stop);
        scope.spawn(move || {
            let mut turn = 0_u8;
            while !stop.load(Ordering::Relaxed) {
                turn = turn.wrapping_add(1);
                for at in 0..10 {
                    let path = stage.source.join(format!("dir/file{at}"));
                    let file = File::options().write(true).open(&path).expect("opened");
                    file.write_all_at(&[turn; 300], 200).expect("written");
                    let mut new = File::create(stage.source.join("dir/new")).expect("made");
                    new.write_all(&text(turn, 5_000)).expect("written");
                    fs::rename(stage.source.join("dir/new"), path).expect("renamed");
                }
            }
        });
        for _ in 0..6 {
            let scrubbed = scrub(stage);
            let found = (scrubbed.changed.len(), scrubbed.faults_total);
            assert_eq!(found, (0, 0), "{scrubbed:#?}");
            dump_as_it_is(stage);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// A dump of a tree that is being written to.
fn dump_as_it_is(stage: &Stage) {
    let snapshot = stage.snapshot().catalog(true).hash(true);
    snapshot.settle(Duration::ZERO).run().expect("published");
}

#[test]
fn time_that_is_over_leaves_the_rest_for_another_run() {
    let stage = telling();
    fill(&stage);
    dump(&stage);
    let scrubbed = order(&stage).time(Duration::ZERO).run().expect("compared");
    assert_eq!(scrubbed.files, 0);
    assert_eq!(
        scrubbed.unread,
        order(&stage).dry_run(true).run().expect("looked").files
    );
    let scrubbed = order(&stage).time(Duration::from_secs(600)).run();
    let scrubbed = scrubbed.expect("compared");
    let files = (scrubbed.files, scrubbed.unknown);
    assert_eq!(files, (10, 0), "from wherever it began: {scrubbed:#?}");
}

#[test]
fn without_a_catalog_or_a_dump_of_the_tree_it_says_so() {
    let stage = Stage::new();
    fill(&stage);
    stage.run(stage.snapshot().catalog(false));
    let error = order(&stage).run().expect_err("no catalog");
    let Error::Other(other) = &error else {
        panic!("{error:?}");
    };
    assert!(other.is::<CatalogError>(), "{error:?}");
    dump(&stage);
    let elsewhere = stage.dump.with_file_name("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    let other = || RelPath::from_bytes(b"elsewhere");
    let error = ScrubSource::new(&stage.dump)
        .tree(other(), &elsewhere)
        .run();
    let error = error.expect_err("it was never dumped");
    assert!(
        matches!(error, Error::NotDumped { .. }),
        "{}",
        Chain(&error)
    );
    let scrubbed = order(&stage)
        .tree(other(), &elsewhere)
        .run()
        .expect("compared");
    assert_eq!(scrubbed.undumped, [elsewhere]);
    assert!(!scrubbed.is_sound(), "one of the trees was not compared");
    let error = ScrubSource::new(&stage.dump).run().expect_err("no tree");
    assert!(matches!(error, Error::NoRoots), "{error:?}");
    let gone = stage.source.with_file_name("gone");
    fs::rename(&stage.source, gone).expect("renamed");
    let error = order(&stage).run().expect_err("the tree is away");
    assert!(matches!(error, Error::MainUnusable { .. }), "{error:?}");
}

#[test]
#[ignore = "needs root, loop mounts and btrfs-progs"]
fn what_cannot_be_read_is_named() {
    let needle = b"a text that no other block of this filesystem holds";
    let mut disk = Disk::new(Fs::Btrfs);
    fill(&disk.stage);
    let mut bytes = text(77, 100_000);
    bytes[9_000..9_000 + needle.len()].copy_from_slice(needle);
    let bad = disk.stage.source.join("dir/bad");
    fs::write(&bad, bytes).expect("written");
    dump(&disk.stage);
    assert!(disk.mount.damage(needle) > 0);
    let scrubbed = scrub(&disk.stage);
    assert_eq!(scrubbed.changed, Vec::new());
    assert_eq!(
        (scrubbed.faults_total, scrubbed.files),
        (1, 10),
        "{scrubbed:#?}"
    );
    assert_eq!(scrubbed.faults[0].path, bad);
    assert!(!scrubbed.is_sound());
}
