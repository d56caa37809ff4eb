//! What is restored is held against its recorded hash: what is damaged in the dump is
//! named, and takes the place of nothing.
#![cfg(feature = "catalog")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assert_fs::TempDir;
use dumpcore::{
    Chain, Checkpoint, LinksAmong, Merging, Navigator, Op, Restore, RestoreError, RestoreReport,
    Restored, Snapshot,
};
use fixtures::fiemap::extents;
use fixtures::mounts::{Fs, Mount};
use fixtures::rot;

/// A tree and its dump. On different filesystems no blocks are shared.
struct Ground {
    memory: TempDir,
    dump: TempDir,
}

const NAMES: [&str; 3] = ["dir/one", "dir/two", "dir/large"];

fn contents(name: &str) -> Vec<u8> {
    let length = if name.ends_with("large") {
        2 << 20
    } else {
        30_000
    };
    (0..length)
        .map(|at| (at / 7) as u8 ^ name.len() as u8)
        .collect()
}

impl Ground {
    fn new() -> Self {
        Self::within(Path::new("/dev/shm"), &std::env::temp_dir())
    }

    /// The tree, and the dumps.
    fn within(memory: &Path, dump: &Path) -> Self {
        let ground = Self {
            memory: TempDir::new_in(memory).expect("a directory"),
            dump: TempDir::new_in(dump).expect("a directory"),
        };
        fs::create_dir_all(ground.tree("dir")).expect("made");
        fs::create_dir(ground.memory.path().join("to")).expect("made");
        for name in NAMES {
            fs::write(ground.tree(name), contents(name)).expect("written");
        }
        ground.dump_into(ground.dump.path());
        ground
    }

    fn dump_into(&self, root: &Path) {
        let init = Snapshot::new(root).main(self.tree("")).init(true);
        init.run().expect("published");
    }

    fn tree(&self, name: &str) -> PathBuf {
        self.memory.path().join("tree").join(name)
    }

    fn in_dump(&self, name: &str) -> PathBuf {
        self.dump.path().join("current/tree").join(name)
    }

    fn to(&self, name: &str) -> PathBuf {
        self.memory.path().join("to").join(name)
    }

    /// Restores to its place, or to another directory.
    fn order(&self, name: &str, in_place: bool) -> Restore {
        let navigator = Navigator::new(self.dump.path()).main(self.tree(""));
        let place = navigator.locate(self.tree(name)).expect("a place");
        let version = navigator.newest_version(&place).expect("a version");
        match in_place {
            true => Restore::new(&navigator, &version, &place),
            false => Restore::into_directory(&navigator, &version, &place, self.to("")),
        }
        .expect("an order")
    }
}

#[track_caller]
fn done(restored: Result<Restored, RestoreError>) -> RestoreReport {
    match restored {
        Ok(Restored::Done(report)) => *report,
        other => panic!("{other:?}"),
    }
}

/// The one fault, as it is told.
#[track_caller]
fn fault(report: &RestoreReport, path: &Path) -> String {
    let [fault] = &report.faults[..] else {
        panic!("{report:#?}")
    };
    let differs = matches!(fault.op, Op::Verify | Op::VerifyMetadata);
    assert!(differs && &*fault.path == path, "{fault:?}");
    assert_eq!(report.counts.faults, 1);
    assert!(!report.is_complete());
    Chain(fault).to_string()
}

/// Where the dump has it.
fn version(ground: &Ground, name: &str) -> PathBuf {
    let dump = fs::canonicalize(ground.dump.path().join("current")).expect("there");
    dump.join("tree").join(name)
}

#[test]
fn sound_files_are_restored_without_a_word() {
    let ground = Ground::new();
    let report = done(ground.order("dir", false).run());
    assert!(
        report.is_complete() && report.warnings.is_empty(),
        "{report:#?}"
    );
    for name in NAMES {
        assert!(fs::read(ground.to(name)).expect("read") == contents(name));
    }
}

#[test]
fn a_damaged_file_is_restored_where_there_is_none_and_named() {
    restored_and_named(&Ground::new);
}

fn restored_and_named(new: &dyn Fn() -> Ground) {
    for damaged in NAMES {
        let ground = new();
        rot(&ground.in_dump(damaged), 20_000);
        let report = done(ground.order("dir", false).run());
        let told = fault(&report, &version(&ground, damaged));
        let good = ground.tree(damaged);
        assert!(
            told.contains(&format!("a good copy is {}", good.display())),
            "{told}"
        );
        for name in NAMES {
            let restored = fs::read(ground.to(name)).expect("read");
            assert_eq!(restored == contents(name), name != damaged, "{name}");
            assert_eq!(restored.len(), contents(name).len(), "{name}");
        }
        // A file by itself, of which the tree has another one by now.
        fs::write(good, "new").expect("written");
        fs::remove_dir_all(ground.to("dir")).expect("removed");
        let report = done(ground.order(damaged, false).run());
        let told = fault(&report, &version(&ground, damaged));
        assert!(told.contains("no good copy was found"), "{told}");
    }
}

#[test]
fn good_copies_elsewhere_are_told() {
    let ground = Ground::new();
    let other = TempDir::new().expect("a directory");
    ground.dump_into(other.path());
    rot(&ground.in_dump("dir/one"), 5);
    fs::remove_file(ground.tree("dir/one")).expect("removed");
    let order = ground.order("dir/one", true).copies_in(other.path());
    let told = fault(&done(order.run()), &version(&ground, "dir/one"));
    let root = fs::canonicalize(other.path()).expect("there");
    assert!(
        told.contains(&format!("a good copy is {}", root.display())),
        "{told}"
    );
    // It was restored as it is, so that something is there.
    let Err(RestoreError::Exists { .. }) = ground.order("dir/one", true).run() else {
        panic!("nothing is replaced without a question")
    };
    // A checkpoint of what is damaged has no good copy.
    let _ = Checkpoint::new(ground.dump.path()).run().expect("made");
    fs::remove_file(ground.tree("dir/one")).expect("removed");
    let told = fault(&done(ground.order("dir/one", true).run()), &{
        let dump = fs::canonicalize(ground.dump.path().join("current_chk")).expect("there");
        dump.join("tree/dir/one")
    });
    assert!(told.contains("no good copy was found"), "{told}");
}

#[test]
fn what_is_damaged_replaces_nothing() {
    replaces_nothing(&Ground::new);
}

/// What has another mode than was stored is named, and keeps nothing from coming back.
#[test]
fn what_has_another_mode_is_restored_and_named() {
    let ground = Ground::new();
    let mode = fs::Permissions::from_mode(0o4755);
    fs::set_permissions(ground.in_dump("dir/one"), mode).expect("set");
    let path = version(&ground, "dir/one");
    let mine = || fs::write(ground.tree("dir/one"), "mine").expect("written");
    let merging = |in_place| ground.order("dir", in_place).merging(Merging::new());
    let whole = |path| ground.order(path, true);
    for (turn, order) in [
        merging(false),
        merging(true),
        // In the place of what is there, as a whole: a directory, and the file itself.
        whole("dir"),
        whole("dir/one"),
    ]
    .into_iter()
    .enumerate()
    {
        mine();
        let report = done(order.run_replacing());
        let told = fault(&report, &path);
        assert!(told.contains("dumpctl scrub --heal"), "{turn}: {told}");
        let restored = match turn {
            0 => ground.to("dir/one"),
            _ => ground.tree("dir/one"),
        };
        assert_eq!(
            fs::read(restored).expect("read"),
            contents("dir/one"),
            "{turn}"
        );
    }
}

/// Where the kernel could share the blocks of what is restored with the dump.
#[test]
#[ignore = "needs root, loop devices, xfsprogs and btrfs-progs"]
fn where_blocks_are_shared_too() {
    for fs in [Fs::Xfs, Fs::Btrfs] {
        let mount = Mount::new(fs, 400);
        let new = || Ground::within(mount.path(), mount.path());
        restored_and_named(&new);
        replaces_nothing(&new);
        let ground = new();
        assert!(done(ground.order("dir", false).run()).is_complete());
        for name in NAMES {
            let shared = extents(&ground.to(name)).iter().all(|extent| extent.shared);
            assert!(shared, "{name}");
        }
    }
}

fn replaces_nothing(new: &dyn Fn() -> Ground) {
    for damaged in NAMES {
        let ground = new();
        rot(&ground.in_dump(damaged), 20_000);
        let mine = |name: &str| {
            fs::write(ground.tree(name), "mine").expect("written");
        };
        // As a whole, a directory and the file itself.
        mine(damaged);
        for path in ["dir", damaged] {
            let refused = ground.order(path, true).run_replacing();
            let Err(error @ RestoreError::Lacking { .. }) = refused else {
                panic!("{refused:?}")
            };
            let told = Chain(&error).to_string();
            assert!(told.contains("it is not what was stored"), "{told}");
            assert_eq!(fs::read(ground.tree(damaged)).expect("read"), b"mine");
        }
        // Entry by entry: all others are brought back.
        NAMES.iter().for_each(|name| mine(name));
        let order = ground.order("dir", true).merging(Merging::new());
        let report = done(order.run_replacing());
        let told = fault(&report, &version(&ground, damaged));
        assert!(told.contains(", and replaces nothing; "), "{told}");
        for name in NAMES {
            let expected = match name == damaged {
                true => b"mine".to_vec(),
                false => contents(name),
            };
            assert!(
                fs::read(ground.tree(name)).expect("read") == expected,
                "{name}"
            );
        }
        let order = ground.order(damaged, true).merging(Merging::new());
        let refused = order.run_replacing();
        assert!(
            matches!(refused, Err(RestoreError::Lacking { .. })),
            "{refused:?}"
        );
        assert_eq!(fs::read(ground.tree(damaged)).expect("read"), b"mine");
    }
}

/// A file that was cut off in the dump is not what was stored either.
#[test]
fn another_size_is_damage_as_well() {
    let ground = Ground::new();
    let cut = |path: PathBuf| {
        let file = fs::File::options().write(true).open(path).expect("opened");
        file.set_len(10).expect("cut");
    };
    cut(ground.in_dump("dir/one"));
    let report = done(ground.order("dir", false).run());
    let told = fault(&report, &version(&ground, "dir/one"));
    assert!(told.contains("a good copy is "), "{told}");
    assert_eq!(fs::metadata(ground.to("dir/one")).expect("there").len(), 10);
    fs::write(ground.tree("dir/one"), "mine").expect("written");
    let order = ground.order("dir", true).merging(Merging::new());
    let told = fault(&done(order.run_replacing()), &version(&ground, "dir/one"));
    assert!(told.contains(", and replaces nothing; "), "{told}");
    assert_eq!(fs::read(ground.tree("dir/one")).expect("read"), b"mine");
}

#[test]
fn without_a_catalog_nothing_is_compared() {
    let ground = Ground::new();
    rot(&ground.in_dump("dir/one"), 5);
    fs::remove_file(ground.dump.path().join(".dump/catalog.db")).expect("removed");
    let report = done(ground.order("dir", false).run());
    assert!(report.is_complete(), "{report:#?}");
    assert!(fs::read(ground.to("dir/one")).expect("read") != contents("dir/one"));
}

/// A hard link in the dump to what is damaged, whose name at the place is whole.
#[test]
fn what_is_damaged_takes_the_place_of_nothing_by_a_link() {
    let ground = Ground {
        memory: TempDir::new_in("/dev/shm").expect("a directory"),
        dump: TempDir::new().expect("a directory"),
    };
    for name in ["dir", "other"] {
        fs::create_dir_all(ground.tree(name)).expect("made");
    }
    fs::write(ground.tree("dir/one"), contents("dir/one")).expect("written");
    fs::hard_link(ground.tree("dir/one"), ground.tree("other/second")).expect("linked");
    ground.dump_into(ground.dump.path());
    fs::remove_dir_all(ground.tree("dir")).expect("removed");
    let damaged = fs::File::options()
        .write(true)
        .open(ground.in_dump("dir/one"));
    damaged.expect("opened").set_len(10).expect("cut");
    let navigator = Navigator::new(ground.dump.path()).main(ground.tree(""));
    let versions = ["dir", "other"].map(|name| {
        let place = navigator.locate(ground.tree(name)).expect("a place");
        navigator.newest_version(&place).expect("a version")
    });
    let versions = versions.iter().map(|version| (&navigator, version));
    let all = LinksAmong::of(versions).expect("names");
    for name in ["dir", "other"] {
        let order = ground.order(name, true).merging(Merging::new());
        let report = done(order.among(&all).run_replacing());
        assert_eq!(report.counts.faults, 1, "{report:?}");
    }
    assert_eq!(
        fs::metadata(ground.tree("dir/one")).expect("there").len(),
        10
    );
    let second = fs::read(ground.tree("other/second")).expect("read");
    assert!(second == contents("dir/one"));
}
