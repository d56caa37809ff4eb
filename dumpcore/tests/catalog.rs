//! The catalog of real dumps: what a rebuild makes is what is on disk, and
//! nothing of a dump is touched for it.

#![cfg(feature = "catalog")]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{History, Stage, each, tick};
use dumpcore::{
    Action, CatalogDifference, CatalogTools, Checkpoint, Differs, DumpRoot, Error, Event, Replica,
};
use fixtures::tree::odd_tree;
use rusqlite::{Connection, OpenFlags};

/// What the tables say of all dumps: inodes by dump and path.
fn recorded(root: &Path) -> BTreeMap<Vec<u8>, Option<u64>> {
    let file = root.join(".dump/catalog.db");
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opened");
    let mut dirs = db
        .prepare("SELECT id, parent, name FROM dir")
        .expect("prepared");
    let dirs: BTreeMap<i64, (i64, Vec<u8>)> = dirs
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .and_then(Iterator::collect)
        .expect("read");
    let sql = "SELECT d.name, v.dir, v.name, i.ino FROM version v JOIN dir x ON x.id=v.dir
               JOIN series s ON s.tree=x.tree AND s.seq>=v.first
                 AND (v.last IS NULL OR s.seq<=v.last)
               JOIN dump d ON d.id=s.dump JOIN inode i ON i.id=v.inode WHERE d.state=1";
    let mut names = db.prepare(sql).expect("prepared");
    let names = names.query_map([], |row| {
        let dump: String = row.get(0)?;
        let (mut at, name): (i64, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let mut path = name;
        while at != 0 {
            let (above, name) = &dirs[&at];
            path = [name, &b"/"[..], &path].concat();
            at = *above;
        }
        let path = [dump.as_bytes(), b"/", &path].concat();
        Ok((path, row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned)))
    });
    let names: Vec<_> = names
        .expect("asked")
        .collect::<Result<_, _>>()
        .expect("read");
    let number = names.len();
    let found: BTreeMap<_, _> = names.into_iter().collect();
    assert_eq!(found.len(), number, "no name twice in one dump");
    found
}

/// The same of the disk.
fn on_disk(root: &Path) -> BTreeMap<Vec<u8>, Option<u64>> {
    let mut found = BTreeMap::new();
    for name in DumpRoot::open(root)
        .expect("opened")
        .list()
        .expect("listed")
    {
        let dump = root.join(name.path());
        each(&dump, |path, stat| {
            // The tree itself is not an entry of it.
            if path.contains(&b'/') {
                let path = [name.to_string().as_bytes(), b"/", path].concat();
                let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
                found.insert(path, (!is_dir).then_some(stat.st_ino));
            }
        });
    }
    found
}

/// Rebuilds, and checks all that always holds.
fn rebuild(root: &Path) {
    let dumps = DumpRoot::open(root).expect("opened").list();
    let newest = dumps.expect("listed").pop().expect("a dump");
    let year = root.join(newest.year());
    let history = History::of(&year);
    let tools = CatalogTools::new(root);
    let rebuilt = tools.rebuild().expect("rebuilt");
    assert!(rebuilt.left_out.is_empty(), "{rebuilt:?}");
    assert_eq!(recorded(root), on_disk(root));
    assert_eq!(tools.clone().all(true).check().expect("compared"), []);
    let status = tools.status().expect("read").expect("there is one");
    assert!(status.is_whole(), "{status:?}");
    history.assert_unchanged(&year);
}

/// A dump, in ticks of the clock of its own, as programs make it.
fn dump(stage: &Stage) {
    tick();
    stage.run(stage.snapshot().catalog(true));
    tick();
}

/// A root with dumps of an odd tree, and of another beside it; the changes
/// between them are of all kinds.
fn dumps() -> Stage {
    let stage = Stage::new();
    odd_tree(&stage.source, fixtures::is_root());
    dump(&stage);
    let at = |path: &str| stage.source.join(path);
    fs::create_dir_all(at("moved/deep")).expect("made");
    fs::write(at("moved/deep/file"), "text").expect("written");
    fs::hard_link(at("moved/deep/file"), at("other name")).expect("linked");
    dump(&stage);
    fs::rename(at("moved"), at("to here")).expect("moved");
    fs::write(at("other name"), "other text").expect("written");
    fs::write(at("moved"), "a file by now").expect("written");
    dump(&stage);
    Checkpoint::new(&stage.dump).run().expect("made");
    fs::remove_file(at("moved")).expect("removed");
    dump(&stage);
    stage
}

#[test]
fn what_runs_record_is_what_is_on_disk() {
    let stage = dumps();
    let tools = CatalogTools::new(&stage.dump).all(true);
    let status = tools.status().expect("read").expect("there is one");
    assert_eq!(status.not_recorded, [], "{status:?}");
    assert_eq!(tools.check().expect("compared"), []);
    assert_eq!(recorded(&stage.dump), on_disk(&stage.dump));
}

#[test]
fn a_rebuild_records_what_is_on_disk_and_touches_nothing() {
    let stage = dumps();
    rebuild(&stage.dump);
    // Again, over the one that there is.
    rebuild(&stage.dump);
    let status = CatalogTools::new(&stage.dump)
        .status()
        .expect("read")
        .expect("one");
    assert_eq!((status.dumps, status.trees.len()), (5, 1));
    let newest = DumpRoot::open(&stage.dump)
        .expect("opened")
        .current_name()
        .expect("read");
    assert_eq!(status.trees[0].head, newest);
    assert_eq!(status.trees[0].name, Path::new(common::ROOT));
}

#[test]
fn a_replica_has_a_catalog_of_its_own() {
    let stage = dumps();
    let slave = stage.dump.with_file_name("slave");
    fs::create_dir(&slave).expect("made");
    Replica::of(&stage.dump)
        .to(&slave)
        .init(true)
        .latest(true)
        .run()
        .expect("made");
    rebuild(&slave);
    // That of the other root is not taken for it.
    rebuild(&stage.dump);
    fs::copy(
        stage.dump.join(".dump/catalog.db"),
        slave.join(".dump/catalog.db"),
    )
    .expect("copied");
    let error = CatalogTools::new(&slave)
        .check()
        .expect_err("of another root");
    assert!(error.to_string().contains("another dump root"), "{error}");
    rebuild(&slave);
}

#[test]
fn trees_of_several_sets_and_paths_that_are_no_text() {
    let stage = dumps();
    let odd = OsStr::from_bytes(b"dump \xff root");
    let root = stage.dump.with_file_name(odd);
    fs::create_dir(&root).expect("made");
    let other = stage.source.with_file_name("other");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("file"), "text").expect("written");
    let run = |mains: &[&PathBuf], init| {
        let snapshot = dumpcore::Snapshot::new(&root).init(init);
        let snapshot = mains
            .iter()
            .fold(snapshot, |snapshot, main| snapshot.main(*main));
        snapshot.run().expect("made");
    };
    run(&[&stage.source], true);
    run(&[&other], false);
    run(&[&stage.source, &other], false);
    rebuild(&root);
    let status = CatalogTools::new(&root)
        .status()
        .expect("read")
        .expect("there is one");
    let trees: Vec<_> = status
        .trees
        .iter()
        .map(|tree| (&*tree.name, tree.dumps))
        .collect();
    assert_eq!(
        trees,
        [(Path::new("other"), 2), (Path::new(common::ROOT), 2)]
    );
}

#[test]
fn progress_is_told_and_a_stop_is_obeyed() {
    let stage = dumps();
    let (expected, entries) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let observer = {
        let (expected, seen) = (Arc::clone(&expected), Arc::clone(&entries));
        move |event: Event<'_>| match event {
            Event::Expected { entries, .. } => expected.store(entries, Ordering::Relaxed),
            Event::Entry {
                did: Action::Recorded,
                ..
            } => {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    };
    let tools = CatalogTools::new(&stage.dump)
        .observer(Arc::new(observer))
        .stop(Arc::clone(&stop));
    tools.rebuild().expect("rebuilt");
    let told = expected.load(Ordering::Relaxed);
    // Names of trees are names in dumps, and five dumps have one each.
    assert_eq!(told, entries.swap(0, Ordering::Relaxed) + 5);
    tools.check().expect("compared");
    assert_eq!(
        expected.load(Ordering::Relaxed),
        entries.load(Ordering::Relaxed)
    );
    let before = fs::read(stage.dump.join(".dump/catalog.db")).expect("read");
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(tools.rebuild(), Err(Error::Interrupted)));
    assert!(matches!(tools.check(), Err(Error::Interrupted)));
    assert_eq!(
        fs::read(stage.dump.join(".dump/catalog.db")).expect("read"),
        before
    );
}

#[test]
fn what_was_changed_by_hand_is_told_with_its_path() {
    let stage = dumps();
    rebuild(&stage.dump);
    let newest = stage.newest();
    fs::write(newest.join("put here"), "by hand").expect("written");
    fs::remove_file(newest.join("other name")).expect("removed");
    let told = Mutex::new(Vec::new());
    for CatalogDifference { path, how, .. } in
        CatalogTools::new(&stage.dump).check().expect("compared")
    {
        let path = path.expect("of an entry");
        let path = path
            .strip_prefix(common::ROOT)
            .expect("in the tree")
            .to_path_buf();
        told.lock().expect("whole").push((path, how));
    }
    let mut told = told.into_inner().expect("whole");
    told.sort();
    let expected = [
        ("other name", Differs::NotOnDisk),
        ("put here", Differs::NotRecorded),
    ];
    assert_eq!(told, expected.map(|(path, how)| (PathBuf::from(path), how)));
}

#[test]
fn without_a_catalog_there_is_nothing_to_compare() {
    let stage = dumps();
    let tools = CatalogTools::new(&stage.dump);
    let _ = fs::remove_file(stage.dump.join(".dump/catalog.db"));
    assert_eq!(tools.status().expect("read"), None);
    let error = tools.check().expect_err("none");
    assert!(error.to_string().contains("there is no catalog"), "{error}");
    let lock = DumpRoot::open(&stage.dump)
        .expect("opened")
        .lock()
        .expect("free");
    assert!(matches!(tools.rebuild(), Err(Error::Busy { .. })));
    drop(lock);
}
