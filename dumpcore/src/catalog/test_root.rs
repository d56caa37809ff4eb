//! A dump root with empty dumps, for the tests of the catalog: what is in a
//! dump is told, not read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use assert_fs::TempDir;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, params};

use super::values::{
    DirId, Facts, Finding, Hash, NewDump, NewTree, Pending, SourceId, StoredInode, TreeState,
};
use super::{Catalog, Stage};
use crate::model::kind::Kind;
use crate::model::minute::Stamp;
use crate::model::time::Time;
use crate::policy::layout::{DumpId, DumpName};
use crate::root::DumpRoot;

pub(super) struct TestRoot {
    pub(super) dir: TempDir,
    pub(super) root: DumpRoot,
}

impl TestRoot {
    pub(super) fn new() -> Self {
        // In memory, where a flush costs nothing, if there is such a place.
        let dir = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new_in("."));
        Self::of(dir.expect("a directory"))
    }

    pub(super) fn new_on_disk() -> Self {
        Self::of(TempDir::new_in(".").expect("a directory"))
    }

    fn of(dir: TempDir) -> Self {
        let root = DumpRoot::open(dir.path()).expect("opened");
        Self { dir, root }
    }

    /// The same, where something was mounted on it.
    pub(super) fn reopened(self) -> Self {
        Self::of(self.dir)
    }

    pub(super) fn open(&self) -> Catalog {
        let opened = Catalog::open(&self.root).expect("opened");
        opened.expect("a filesystem that can hold it")
    }

    pub(super) fn catalog_file(&self) -> std::path::PathBuf {
        self.dir.path().join(".dump/catalog.db")
    }

    /// A dump of this minute, empty.
    pub(super) fn make(&self, minute: u32) -> DumpId {
        let id = name(minute);
        fs::create_dir_all(self.dir.path().join(id.path())).expect("made");
        id
    }

    pub(super) fn remove(&self, minute: u32) {
        fs::remove_dir_all(self.dir.path().join(name(minute).path())).expect("removed");
    }

    /// What a run says of a dump that is there.
    pub(super) fn new_dump(&self, minute: u32, trees: &[&TreeState]) -> NewDump {
        let id = name(minute);
        let meta = fs::metadata(self.dir.path().join(id.path())).expect("there");
        let trees = trees.iter().map(|tree| NewTree {
            id: tree.id,
            entries: 0,
            bytes: 0,
            fingerprint: None,
            turn: 0,
            base: None,
        });
        NewDump {
            name: id,
            moment: Some(moment(minute)),
            ino: meta.ino(),
            token: None,
            trees: trees.collect(),
            partial: false,
            added_bytes: Some(0),
            dir_bytes: 0,
        }
    }

    /// Makes a dump and records it.
    pub(super) fn dump(
        &self,
        catalog: &mut Catalog,
        minute: u32,
        fill: impl FnOnce(&Stage, &TreeState),
    ) {
        let pending = self.begin(catalog, minute, fill);
        catalog.confirm(pending, None).expect("confirmed");
    }

    /// Makes a dump and records it as pending.
    pub(super) fn begin(
        &self,
        catalog: &mut Catalog,
        minute: u32,
        fill: impl FnOnce(&Stage, &TreeState),
    ) -> Pending {
        self.make(minute);
        let tree = catalog.tree(b"T").expect("known");
        let stage = catalog.stage().expect("begun");
        fill(&stage, &tree);
        let new = self.new_dump(minute, &[&tree]);
        catalog.apply(stage, &new).expect("applied")
    }
}

pub(super) fn name(minute: u32) -> DumpId {
    let stamp = Stamp::new(2026, 1, 1 + minute / 1440, minute / 60 % 24, minute % 60);
    DumpId::Dump(DumpName::dump(stamp.expect("a minute")))
}

pub(super) fn moment(minute: u32) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_767_222_000, 0).expect("a moment");
    start + TimeDelta::minutes(minute.into())
}

/// A file with this inode number.
pub(super) fn file(ino: u64) -> StoredInode {
    let facts = Facts {
        kind: Kind::File,
        ino: Some(ino),
        born: Some(Time::new(1_700_000_000, 5)),
        mode: 0o644,
        uid: 1000,
        gid: 100,
        size: 10 * ino,
        bytes: 4096,
        mtime: Time::new(1_600_000_000, 7),
        rdev: 0,
    };
    StoredInode {
        facts,
        hash: Some(Hash([u8::try_from(ino % 251).expect("less"); 32])),
        xattrs: Some(0),
        source: Some((source(ino), Time::new(1_650_000_000, 9))),
    }
}

/// A directory; `turn` is what differs from others.
pub(super) fn dir(turn: i64) -> StoredInode {
    let facts = Facts {
        kind: Kind::Dir,
        ino: None,
        born: None,
        mode: 0o755,
        size: 0,
        bytes: 0,
        mtime: Time::new(turn, 0),
        ..file(1).facts
    };
    facts.into()
}

pub(super) fn source(ino: u64) -> SourceId {
    SourceId {
        fs: 1,
        ino: ino + 1000,
        born: Time::new(1_500_000_000, 0),
    }
}

pub(super) fn entry(name: &str, stored: StoredInode) -> Finding {
    Finding::Entry {
        name: name.as_bytes().to_vec(),
        stored,
    }
}

pub(super) fn gone(name: &str) -> Finding {
    Finding::Gone {
        name: name.as_bytes().to_vec(),
    }
}

/// A directory below another, with these findings.
pub(super) fn below(
    stage: &Stage,
    tree: &TreeState,
    parent: DirId,
    name: &str,
    findings: Vec<Finding>,
) -> DirId {
    let dir = stage.dir(tree.id, parent, name.as_bytes(), None);
    let dir = dir.expect("a directory");
    stage.add(dir, findings).expect("noted");
    dir
}

/// The number, in the series of a tree, of the dump with this minute as its name.
pub(super) fn seq_of(db: &Connection, tree: &str, minute: u32) -> i64 {
    let sql = "SELECT s.seq FROM series s JOIN dump d ON d.id=s.dump JOIN tree t ON t.id=s.tree
               WHERE d.name=?1 AND d.state=1 AND CAST(t.name AS TEXT)=?2";
    let found = db.query_row(sql, [name(minute).to_string(), tree.to_owned()], |row| {
        row.get(0)
    });
    found.unwrap_or_else(|e| panic!("{tree} of {minute}: {e}"))
}

/// What the tables say of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) kind: i64,
    pub(super) ino: Option<u64>,
    pub(super) mode: u32,
    pub(super) mtime: i64,
}

/// What the tables say of the names of a dump.
pub(super) fn recorded(db: &Connection, tree: &str, seq: i64) -> BTreeMap<String, Recorded> {
    let sql = "WITH RECURSIVE path(id, path) AS (
                 SELECT dir, '' FROM tree WHERE CAST(name AS TEXT)=?1
                 UNION ALL SELECT d.id, p.path||CAST(d.name AS TEXT)||'/' FROM path p
                   JOIN dir d ON d.parent=p.id)
               SELECT p.path||CAST(v.name AS TEXT), i.kind, i.ino, i.mode, i.mtime FROM path p
                 JOIN version v ON v.dir=p.id JOIN inode i ON i.id=v.inode
                 WHERE v.first<=?2 AND (v.last IS NULL OR v.last>=?2)";
    let mut statement = db.prepare(sql).expect("prepared");
    let rows = statement.query_map(params![tree, seq], |row| {
        let recorded = Recorded {
            kind: row.get(1)?,
            ino: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
            mode: row.get(3)?,
            mtime: row.get(4)?,
        };
        Ok((row.get(0)?, recorded))
    });
    let rows: Vec<_> = rows
        .expect("asked")
        .collect::<Result<_, _>>()
        .expect("read");
    let number = rows.len();
    let found: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(found.len(), number, "no path has two versions in one dump");
    found
}
