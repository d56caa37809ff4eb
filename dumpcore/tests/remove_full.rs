//! Removing dumps from a disk that is full.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;

use dumpcore::{DumpId, DumpRoot, Remove};
use fixtures::mounts::{Fs, Mount};
use rustix::fs::syncfs;

fn id(name: &str) -> DumpId {
    DumpId::parse(name.as_bytes()).expect(name)
}

/// Writes until there is no block left, also none for a directory, for which the
/// filesystem may have set one aside.
fn fill(dir: &Path) {
    let mut file = File::create(dir.join("fill")).expect("made");
    while file.write(&[1; 1024]).is_ok_and(|written| written > 0) {}
    file.sync_all().expect("flushed");
    for more in 0.. {
        match fs::create_dir(dir.join(format!("more{more}"))) {
            Ok(()) => syncfs(&file).expect("flushed"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                return;
            }
        }
    }
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_full_disk_is_made_room_on() {
    let mount = Mount::new(Fs::Ext4, 24);
    let dump = mount.path().join("dump");
    for (name, size) in [("0100", 100_000), ("0200", 200_000), ("0300", 1)] {
        let tree = dump.join("2030/0101").join(name).join("tree");
        fs::create_dir_all(&tree).expect("made");
        fs::write(tree.join("file"), vec![1; size]).expect("written");
    }
    symlink("2030/0101/0300", dump.join("current")).expect("linked");
    drop(
        DumpRoot::open(&dump)
            .expect("opened")
            .lock()
            .expect("locked"),
    );
    fill(mount.path());
    // There is no block for a directory of what is on its way out.
    let removal = Remove::new(&dump)
        .dump(id("2030/0101/0100"))
        .dump(id("2030/0101/0200"))
        .run()
        .expect("run");
    assert!(removal.removed[0].whole, "{removal:?}");
    assert_eq!(removal.removed.len(), 1, "{removal:?}");
    assert!(removal.freed_bytes >= 100_000 && removal.faults.is_empty());
    let again = removal.left[0].reason.to_string();
    assert!(again.contains("run again"), "{again}");
    assert!(dump.join("2030/0101/0200/tree/file").exists());
    let removal = Remove::new(&dump).dump(id("2030/0101/0200")).run();
    assert!(removal.expect("run").is_complete());
    assert!(dump.join("2030/0101/0300/tree/file").exists());
    let listed = fs::read_dir(dump.join(".dump")).expect("listed");
    assert_eq!(listed.count(), 1, "the lock");
}
