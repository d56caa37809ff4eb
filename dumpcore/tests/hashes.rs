//! The catalog has the hash of what was copied, and of nothing else.
#![cfg(feature = "catalog")]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};

use common::{Stage, tick};
use rusqlite::{Connection, OpenFlags};

/// The hash of contents, as `policy/content_hash` defines it.
fn plain(contents: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for (number, block) in contents.chunks(65_536).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            all.extend((number as u64).to_le_bytes());
            all.extend(blake3::hash(block).as_bytes());
        }
    }
    all.extend((contents.len() as u64).to_le_bytes());
    blake3::hash(&all).as_bytes().to_vec()
}

/// The hash that the catalog has of the file of this name in the newest dump.
fn recorded(stage: &Stage, name: &str) -> Option<Vec<u8>> {
    let inode = fs::metadata(stage.newest().join(name))
        .expect("there")
        .ino();
    let path = stage.dump.join(".dump/catalog.db");
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let sql = "SELECT hash FROM inode WHERE ino = ?1";
    let row = db
        .expect("there is a catalog")
        .query_row(sql, [inode.cast_signed()], |row| row.get(0));
    let hash: Option<Vec<u8>> = row.expect("the inode is known");
    hash.map(|hash| {
        assert_eq!(hash.len(), 36, "with a checksum of its own");
        hash[..32].to_vec()
    })
}

fn dump(stage: &Stage, hashing: bool) {
    tick();
    stage.run(stage.snapshot().catalog(true).hash(hashing));
    tick();
}

fn contents(stage: &Stage, name: &str) -> Vec<u8> {
    fs::read(stage.source.join(name)).expect("read")
}

#[test]
fn what_was_copied_has_the_hash_of_its_contents() {
    let stage = Stage::new();
    let at = |name: &str| stage.source.join(name);
    fs::write(at("empty"), "").expect("written");
    fs::write(at("short"), "text").expect("written");
    let long: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    fs::write(at("long"), &long).expect("written");
    let holes = File::create(at("holes")).expect("made");
    holes.set_len(1_000_003).expect("sized");
    holes.write_all_at(b"data", 500_000).expect("written");
    fs::hard_link(at("short"), at("other")).expect("linked");
    dump(&stage, true);
    for name in ["empty", "short", "long", "holes", "other"] {
        let expected = Some(plain(&contents(&stage, name)));
        assert_eq!(recorded(&stage, name), expected, "{name}");
    }
}

#[test]
fn it_stays_with_the_inode_and_changes_with_the_contents() {
    let stage = Stage::new();
    let at = |name: &str| stage.source.join(name);
    for name in ["same", "written", "closed"] {
        fs::write(at(name), name).expect("written");
    }
    dump(&stage, true);
    let before = ["same", "written", "closed"].map(|name| recorded(&stage, name));
    assert!(before.iter().all(Option::is_some));
    fs::write(at("written"), "something else").expect("written");
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o600)).expect("closed");
    dump(&stage, true);
    assert_eq!(recorded(&stage, "same"), before[0]);
    assert_eq!(recorded(&stage, "written"), Some(plain(b"something else")));
    // Stored again for its mode: by a copy, or by blocks that were not read.
    let closed = recorded(&stage, "closed");
    assert!(closed.is_none() || closed == before[2]);
}

#[test]
fn none_is_taken_when_that_was_turned_off() {
    let stage = Stage::new();
    fs::write(stage.source.join("early"), "text").expect("written");
    dump(&stage, true);
    fs::write(stage.source.join("late"), "text").expect("written");
    dump(&stage, false);
    assert_eq!(recorded(&stage, "early"), Some(plain(b"text")));
    assert_eq!(recorded(&stage, "late"), None);
}
