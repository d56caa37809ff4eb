//! A published dump that is read to be stored elsewhere.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use assert_fs::TempDir;
use dumpcore::{
    DumpEntry, DumpId, DumpName, DumpRoot, Error, HeldDump, Kind, Op, Remove, Snapshot,
};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new_in(fixtures::plain_place()).expect("a directory"));
        fs::create_dir_all(place.at("tree/b/c")).expect("made");
        fs::create_dir(place.at("dump")).expect("made");
        fs::write(place.at("tree/b/c/file"), "contents").expect("written");
        fs::hard_link(place.at("tree/b/c/file"), place.at("tree/a")).expect("linked");
        fs::write(place.at("tree/b.txt"), "alone").expect("written");
        symlink("b/c", place.at("tree/link")).expect("linked");
        place
    }

    fn at(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn dump(&self) -> DumpName {
        let is_first = !self.at("dump/current").exists();
        let snapshot = Snapshot::new(self.at("dump")).main(self.at("tree"));
        let report = snapshot.init(is_first).run().expect("a dump");
        report.name().expect("a name")
    }

    fn root(&self) -> DumpRoot {
        DumpRoot::open(self.at("dump")).expect("opened")
    }
}

fn entries(dump: &HeldDump) -> Vec<DumpEntry> {
    let trees = dump.trees().expect("trees");
    let [tree] = &trees[..] else {
        panic!("one tree")
    };
    assert_eq!(tree.name(), "tree");
    assert_eq!((tree.entries_total(), tree.bytes()), (7, 21));
    tree.entries().map(|entry| entry.expect("read")).collect()
}

#[test]
fn entries_come_in_order_with_what_can_be_stored_of_them() {
    let place = Place::new();
    place.dump();
    // Both dumps share the inodes.
    let name = place.dump();
    let dump = HeldDump::open(&place.root(), name).expect("opened");
    let found = entries(&dump);
    let paths: Vec<&str> = found
        .iter()
        .map(|one| one.path.to_str().expect("UTF-8"))
        .collect();
    assert_eq!(paths, ["", "a", "b", "b/c", "b/c/file", "b.txt", "link"]);
    for entry in &found {
        let path = place.at("dump/current/tree").join(&entry.path);
        let meta = fs::symlink_metadata(&path).expect("there");
        assert_eq!(
            (entry.meta.ino, entry.meta.mtime.secs),
            (meta.ino(), meta.mtime())
        );
        let together = ["a", "b/c/file"]
            .iter()
            .any(|path| entry.path == Path::new(path));
        assert_eq!(entry.names, if together { 2 } else { 1 }, "{path:?}");
        assert_eq!(entry.file.is_some(), entry.meta.kind == Kind::File);
        if let Some(file) = &entry.file {
            let mut contents = Vec::new();
            file.open()
                .expect("opened")
                .read_to_end(&mut contents)
                .expect("read");
            assert_eq!(contents, fs::read(&path).expect("read"));
        }
    }
    assert_eq!(found[6].target.as_deref(), Some(&b"b/c"[..]));
    assert_eq!(dump.lacks(), None);
    dump.check_whole().expect("whole");
}

#[test]
fn nobody_removes_it_meanwhile() {
    let place = Place::new();
    // The first one is the checkpoint, and the last one is current.
    place.dump();
    let name = place.dump();
    place.dump();
    let remove = || {
        Remove::new(place.at("dump"))
            .dump(DumpId::Dump(name))
            .run()
            .expect("ran")
    };
    let dump = HeldDump::open(&place.root(), name).expect("opened");
    let left = remove();
    assert_eq!(
        (left.removed.len(), left.left[0].reason.as_str()),
        (0, "read")
    );
    drop(dump);
    assert_eq!(remove().removed.len(), 1);
    let error = HeldDump::open(&place.root(), name).expect_err("gone");
    assert!(matches!(error, Error::MainUnusable { .. }), "{error}");
}

#[test]
fn what_is_taken_out_of_it_is_noticed() {
    let place = Place::new();
    let name = place.dump();
    let dump = HeldDump::open(&place.root(), name).expect("opened");
    fs::remove_file(place.at("dump/current/tree/a")).expect("removed");
    let error = dump.check_whole().expect_err("half of it");
    assert!(matches!(error, Error::SourceGone { .. }), "{error}");
    drop(dump);
    let error = HeldDump::open(&place.root(), name).expect_err("half of it");
    assert!(matches!(error, Error::HalfDump { .. }), "{error}");
}

/// The owner of a directory in a dump may rename what is in it.
#[test]
fn a_file_that_is_swapped_for_another_is_not_read() {
    let place = Place::new();
    let name = place.dump();
    let dump = HeldDump::open(&place.root(), name).expect("opened");
    let found = entries(&dump);
    let file = found[5].file.as_ref().expect("a file");
    let path = place.at("dump/current/tree/b.txt");
    fs::remove_file(&path).expect("removed");
    symlink("/etc/passwd", &path).expect("linked");
    file.open().expect_err("a symlink");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "another").expect("written");
    file.open().expect_err("another file");
    // And a directory that is none any more is a fault.
    let trees = dump.trees().expect("trees");
    let mut read = trees[0].entries();
    assert!(
        read.by_ref()
            .any(|one| one.is_ok_and(|one| one.path == Path::new("a")))
    );
    fs::rename(place.at("dump/current/tree/b"), place.at("away")).expect("renamed");
    let fault = read.find_map(Result::err).expect("a fault");
    assert_eq!(
        (fault.op, fault.path),
        (Op::Stat, place.at("dump").join(name.path()).join("tree/b"))
    );
}

#[test]
fn it_can_be_stopped() {
    let place = Place::new();
    let name = place.dump();
    let stop = Arc::new(AtomicBool::new(true));
    let error = HeldDump::open_until(&place.root(), name, Some(stop)).expect_err("stopped");
    assert!(matches!(error, Error::Interrupted), "{error}");
}
