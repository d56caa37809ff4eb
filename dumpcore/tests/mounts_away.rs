//! A mount below the tree that is away for some dumps: it is reported, and linked to
//! the newest dump that had it when it returns.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{Stage, tick};
use dumpcore::{CatalogTools, Checkpoint, Filter, Replica, Replicated, Report, Warning};
use fixtures::bind::Bind;

/// A disk beside the tree, and where it is mounted in that.
struct Disk {
    files: PathBuf,
    point: PathBuf,
}

impl Disk {
    fn of(stage: &Stage) -> Self {
        let files = stage.source.with_file_name("disk");
        let point = stage.source.join("media/a disk");
        for dir in [&files.join("below"), &point] {
            fs::create_dir_all(dir).expect("made");
        }
        for name in ["one", "two", "below/three"] {
            fs::write(files.join(name), name).expect("written");
        }
        fs::write(stage.source.join("plain"), "plain").expect("written");
        Self { files, point }
    }

    fn mount(&self) -> Bind {
        Bind::new(&self.files, &self.point)
    }
}

/// A dump, with the catalog or without: mounts are remembered the same way.
fn dump(stage: &Stage, catalog: bool) -> Report {
    tick();
    let run = stage.snapshot().catalog(catalog).settle(Duration::ZERO);
    let report = stage.run(run);
    tick();
    if catalog {
        assert_catalog(stage);
    }
    report
}

fn away(report: &Report) -> Vec<PathBuf> {
    let of = |warning: &Warning| match warning {
        Warning::MountAway { path, .. } => Some(path.clone()),
        _ => None,
    };
    report.warnings.iter().filter_map(of).collect()
}

fn ino(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).expect("stat").ino()
}

/// What went away with a mount, and came back from an older dump, is in the
/// catalog as it is on disk.
#[track_caller]
fn assert_catalog(stage: &Stage) {
    if cfg!(feature = "catalog") {
        let tools = CatalogTools::new(&stage.dump).all(true);
        assert_eq!(tools.check().expect("compared"), []);
        let missing = tools.status().expect("read").expect("there").not_recorded;
        assert_eq!(missing, []);
    }
}

#[test]
#[ignore = "needs root for a bind mount, and Linux 5.8"]
fn it_is_told_once_and_linked_when_it_returns() {
    for catalog in [false, true] {
        let stage = Stage::new();
        let disk = Disk::of(&stage);
        let mounted = disk.mount();
        dump(&stage, catalog);
        let had = ino(stage.newest().join("media/a disk/below/three"));
        drop(mounted);
        let report = dump(&stage, catalog);
        assert_eq!(away(&report), std::slice::from_ref(&disk.point));
        for _ in 0..2 {
            assert!(away(&dump(&stage, catalog)).is_empty(), "told again");
        }
        // Meanwhile a file got other contents, and another time.
        let file = disk.files.join("two");
        fs::write(&file, "TWO").expect("written");
        let file = File::options().write(true).open(file).expect("opened");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        let _mounted = disk.mount();
        let report = dump(&stage, catalog);
        assert_eq!(report.counts.linked.number, 3, "{:?}", report.counts);
        assert_eq!(ino(stage.newest().join("media/a disk/below/three")), had);
        let report = dump(&stage, catalog);
        assert_eq!(report.counts.linked.number, 4, "{:?}", report.counts);
        assert!(away(&report).is_empty());
    }
}

/// Size and time are the same: the evidence is that of the dump that had it.
#[test]
#[ignore = "needs root for a bind mount, and Linux 5.8"]
fn what_was_changed_meanwhile_is_seen() {
    for catalog in [false, true] {
        let stage = Stage::new();
        let disk = Disk::of(&stage);
        let write = |text: &str| {
            let path = disk.files.join("one");
            fs::write(&path, text).expect("written");
            let file = File::options().write(true).open(path).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        };
        write("AAAA");
        let mounted = disk.mount();
        dump(&stage, catalog);
        tick();
        write("BBBB");
        drop(mounted);
        dump(&stage, catalog);
        let _mounted = disk.mount();
        let report = dump(&stage, catalog);
        let text = fs::read_to_string(stage.newest().join("media/a disk/one"));
        assert_eq!(text.expect("read"), "BBBB");
        assert_eq!(report.counts.linked.number, 3, "{:?}", report.counts);
    }
}

#[test]
#[ignore = "needs root for a bind mount, and Linux 5.8"]
fn its_directory_may_go_with_it() {
    for catalog in [false, true] {
        let stage = Stage::new();
        let disk = Disk::of(&stage);
        let mounted = disk.mount();
        dump(&stage, catalog);
        drop(mounted);
        fs::remove_dir(&disk.point).expect("removed");
        assert_eq!(
            away(&dump(&stage, catalog)),
            std::slice::from_ref(&disk.point)
        );
        assert!(away(&dump(&stage, catalog)).is_empty());
        fs::create_dir(&disk.point).expect("made");
        let _mounted = disk.mount();
        assert_eq!(dump(&stage, catalog).counts.copied().number, 0);
    }
}

#[test]
#[ignore = "needs root for a bind mount, and Linux 5.8"]
fn what_is_left_out_is_not_missed() {
    let stage = Stage::new();
    let disk = Disk::of(&stage);
    let mounted = disk.mount();
    dump(&stage, false);
    let mut filter = Filter::new();
    filter.add_rule(b"media/").expect("a rule");
    let report = stage.snapshot().filter(filter).run().expect("published");
    assert!(away(&report).is_empty(), "{:?}", report.warnings);
    drop(mounted);
    let report = stage
        .snapshot()
        .one_file_system(true)
        .run()
        .expect("published");
    assert!(away(&report).is_empty(), "{:?}", report.warnings);
}

#[test]
#[ignore = "needs root for a bind mount, and Linux 5.8"]
fn checkpoints_and_replicas_remember() {
    for catalog in [false, true] {
        let stage = Stage::new();
        let second = Stage::new();
        let disk = Disk::of(&stage);
        let replicate = || {
            let init = fs::symlink_metadata(second.dump.join("current")).is_err();
            let made = Replica::of(&stage.dump)
                .to(&second.dump)
                .latest(true)
                .init(init)
                .run();
            match made {
                Ok(Replicated::Made(report)) => report,
                other => panic!("{other:?}"),
            }
        };
        let mounted = disk.mount();
        dump(&stage, catalog);
        let made = Checkpoint::new(&stage.dump).run().expect("made");
        replicate();
        let had = [&stage, &second].map(|stage| ino(stage.newest().join("media/a disk/one")));
        assert_eq!(made.counts.files.number, 4);
        drop(mounted);
        let report = stage.snapshot().run().expect("published");
        assert_eq!(away(&report), std::slice::from_ref(&disk.point));
        assert!(away(&replicate()).is_empty());
        let _mounted = disk.mount();
        let report = stage.snapshot().run().expect("published");
        assert_eq!(report.counts.copied().number, 0, "{:?}", report.counts);
        assert_eq!(replicate().counts.copied().number, 0);
        let has = [&stage, &second].map(|stage| ino(stage.newest().join("media/a disk/one")));
        assert_eq!(has, had);
    }
}
