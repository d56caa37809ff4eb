//! The tables of the catalog, and how a connection to it is set up.
//!
//! All numbers are integers of 64 bits: inode and device numbers bit for bit,
//! times as nanoseconds since 1970 in UTC, sizes as bytes. Names are BLOBs: any
//! bytes. What each column means is documented in dump(7), since people ask it
//! with `sqlite3`.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// "dump" in ASCII: tells our file from other SQLite files.
pub(super) const APPLICATION: i64 = 0x6475_6d70;
/// The number of these tables.
pub(super) const VERSION: i64 = 3;
/// The number of those without [`XATTRS`], which are added where it is written.
const WITHOUT_XATTRS: i64 = 2;
/// The number of those without [`SCRUB`] as well.
const WITHOUT_SCRUB: i64 = 1;

/// How long what writes waits for others.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long what reads besides, without anybody who waits for it, waits for them.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(60);
/// How long what only reads waits for them.
pub(super) const SHORT_PATIENCE: Duration = Duration::from_millis(250);

/// Runs of dumps in which a name stands for an inode: from `first` to `last`,
/// both included, as numbers in the series of its tree; what is `live` lasts
/// until the last of the series.
pub(super) const TABLES: &str = "
CREATE TABLE root(id INTEGER PRIMARY KEY CHECK(id=1), fs TEXT NOT NULL, ino INTEGER NOT NULL,
  born INTEGER NOT NULL);
CREATE TABLE filesystem(id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE);
CREATE TABLE tree(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, dir INTEGER NOT NULL,
  fingerprint BLOB, turn INTEGER NOT NULL DEFAULT 0);
CREATE TABLE dump(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, moment INTEGER NOT NULL,
  ino INTEGER NOT NULL, token BLOB, sealed INTEGER, state INTEGER NOT NULL,
  partial INTEGER NOT NULL DEFAULT 0, added_bytes INTEGER NOT NULL DEFAULT 0,
  dir_bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE series(tree INTEGER NOT NULL, seq INTEGER NOT NULL, dump INTEGER NOT NULL,
  entries INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(tree,seq)) WITHOUT ROWID;
CREATE INDEX series_dump ON series(dump);
CREATE TABLE dir(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB NOT NULL,
  tree INTEGER NOT NULL, src_fs INTEGER, src_ino INTEGER, src_born INTEGER);
CREATE UNIQUE INDEX dir_name ON dir(parent,name);
CREATE INDEX dir_source ON dir(src_ino) WHERE src_ino IS NOT NULL;
CREATE TABLE inode(id INTEGER PRIMARY KEY, ino INTEGER, born INTEGER NOT NULL DEFAULT 0,
  kind INTEGER NOT NULL, mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
  size INTEGER NOT NULL, bytes INTEGER NOT NULL, mtime INTEGER NOT NULL,
  rdev INTEGER NOT NULL DEFAULT 0, hash BLOB, src_fs INTEGER, src_ino INTEGER,
  src_born INTEGER, src_ctime INTEGER, src_dir INTEGER);
CREATE UNIQUE INDEX inode_number ON inode(ino,born) WHERE ino IS NOT NULL;
CREATE INDEX inode_source ON inode(src_ino) WHERE src_ino IS NOT NULL;
CREATE TABLE live(dir INTEGER NOT NULL, name BLOB NOT NULL, inode INTEGER NOT NULL,
  first INTEGER NOT NULL, PRIMARY KEY(dir,name)) WITHOUT ROWID;
CREATE INDEX live_first ON live(first) WHERE first > 0;
CREATE TABLE past(dir INTEGER NOT NULL, name BLOB NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY(dir,name,first)) WITHOUT ROWID;
CREATE INDEX past_first ON past(first) WHERE first > 0;
CREATE INDEX past_last ON past(last);
CREATE VIEW version AS SELECT dir,name,inode,first,NULL AS last FROM live
  UNION ALL SELECT dir,name,inode,first,last FROM past;
";

/// What a scrub remembers: when an inode was looked at last, when its hash was
/// taken by a scrub (NULL: when it was stored), and what is wrong with it (0:
/// nothing); the same of the names of a dump; and which round there is.
const SCRUB: &str = "
CREATE TABLE scrubbed(inode INTEGER PRIMARY KEY, at INTEGER NOT NULL, hashed INTEGER,
  fault INTEGER NOT NULL DEFAULT 0);
CREATE INDEX scrubbed_fault ON scrubbed(fault) WHERE fault<>0;
CREATE TABLE scrubbed_dump(dump INTEGER PRIMARY KEY, at INTEGER NOT NULL,
  faults INTEGER NOT NULL DEFAULT 0);
CREATE TABLE scrub(id INTEGER PRIMARY KEY CHECK(id=1), began INTEGER NOT NULL, ended INTEGER,
  whole INTEGER, last INTEGER NOT NULL);
";

/// A digest of the extended attributes and ACLs of what is not a directory (0: it has
/// none; NULL: not known), and when that was taken by a scrub (NULL: when it was
/// stored). Columns are added in this way to new files as well, so that the text of
/// the tables is one.
const XATTRS: &str = "
ALTER TABLE inode ADD COLUMN xattrs INTEGER;
ALTER TABLE scrubbed ADD COLUMN xattrs INTEGER;
";

/// What workers found, until it is applied. Attached as `s` for that. When all of
/// a tree was moved, `same` has a row for each inode, and each of these is looked
/// up by its number in the catalog: without `same_main` by going through all.
pub(super) const STAGING: &str = "
CREATE TABLE dir(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB NOT NULL,
  tree INTEGER NOT NULL);
CREATE UNIQUE INDEX dir_name ON dir(parent,name);
CREATE TABLE dir_source(dir INTEGER PRIMARY KEY, src_fs INTEGER, src_ino INTEGER,
  src_born INTEGER);
CREATE TABLE inode(id INTEGER PRIMARY KEY, ino INTEGER, born INTEGER, kind INTEGER, mode INTEGER,
  uid INTEGER, gid INTEGER, size INTEGER, bytes INTEGER, mtime INTEGER, rdev INTEGER, hash BLOB,
  src_fs INTEGER, src_ino INTEGER, src_born INTEGER, src_ctime INTEGER, src_dir INTEGER,
  xattrs INTEGER);
CREATE UNIQUE INDEX inode_number ON inode(ino,born) WHERE ino IS NOT NULL;
CREATE TABLE entry(dir INTEGER NOT NULL, name BLOB NOT NULL, inode INTEGER,
  PRIMARY KEY(dir,name)) WITHOUT ROWID;
CREATE TABLE source(inode INTEGER PRIMARY KEY, src_fs INTEGER, src_ino INTEGER, src_born INTEGER,
  src_ctime INTEGER, src_dir INTEGER);
CREATE TABLE now(tree INTEGER PRIMARY KEY, seq INTEGER NOT NULL, base INTEGER NOT NULL,
  last INTEGER NOT NULL);
CREATE TABLE same(id INTEGER PRIMARY KEY, main INTEGER NOT NULL);
CREATE INDEX same_main ON same(main);
CREATE TABLE closed(dir INTEGER PRIMARY KEY);
CREATE TABLE full(dir INTEGER NOT NULL, name BLOB NOT NULL, inode INTEGER NOT NULL,
  PRIMARY KEY(dir,name)) WITHOUT ROWID;
";

/// Opens a connection to a file that exists; symlinks on the way are refused.
pub(super) fn connect(path: &Path, write: bool) -> rusqlite::Result<Connection> {
    let access = match write {
        true => OpenFlags::SQLITE_OPEN_READ_WRITE,
        false => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(if write { PATIENCE } else { SHORT_PATIENCE })?;
    connection.set_prepared_statement_cache_capacity(64);
    // A file made by somebody else may not run functions of its own.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

/// Another connection to a file that is being read, which has begun to read it too:
/// it sees what the first one sees.
pub(super) fn connect_again(connection: &Connection) -> rusqlite::Result<Connection> {
    // A catalog in memory belongs to one connection.
    let path = connection.path().filter(|path| !path.is_empty());
    let path = path.ok_or(rusqlite::Error::InvalidPath("".into()))?;
    let again = connect(Path::new(path), false)?;
    again.execute_batch("BEGIN")?;
    number(&again, "schema_version")?;
    Ok(again)
}

/// How a file of ours is written: flushed at every step, also the directory
/// when the journal goes.
pub(super) fn set_durable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "EXTRA")
}

/// How a file is written that takes the place of another when it is whole.
pub(super) fn set_unsynced(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")
}

/// The same, when part of what is written may be undone.
pub(super) fn set_unsynced_with_journal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
}

/// How the staging file is written: it need not outlive a crash.
pub(super) fn set_fleeting(connection: &Connection) -> rusqlite::Result<()> {
    set_unsynced(connection)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
}

/// Makes the tables in an empty file, and fills them: all of it is there after a
/// crash, or nothing.
pub(super) fn make(
    connection: &Connection,
    fill: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", 8192)?;
    let new = connection.unchecked_transaction()?;
    new.execute_batch(&format!(
        "{TABLES} {SCRUB} {XATTRS} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};"
    ))?;
    fill(&new)?;
    new.commit()
}

/// Does the file have exactly the tables of this version?
pub(super) fn is_ours(connection: &Connection, version: i64) -> rusqlite::Result<bool> {
    let model = Connection::open_in_memory()?;
    model.execute_batch(TABLES)?;
    match version {
        VERSION => model.execute_batch(&format!("{SCRUB} {XATTRS}"))?,
        WITHOUT_XATTRS => model.execute_batch(SCRUB)?,
        WITHOUT_SCRUB => {}
        _ => return Ok(false),
    }
    Ok(tables(connection)? == tables(&model)?)
}

/// Adds the tables and columns that an older version did not have.
pub(super) fn bring_up(connection: &Connection, version: i64) -> rusqlite::Result<()> {
    let scrub = match version {
        WITHOUT_SCRUB => SCRUB,
        WITHOUT_XATTRS => "",
        _ => return Ok(()),
    };
    let up = connection.unchecked_transaction()?;
    up.execute_batch(&format!("{scrub} {XATTRS} PRAGMA user_version={VERSION};"))?;
    up.commit()
}

/// Are the tables of a scrub there? Not where an older version wrote the file
/// last.
pub(super) fn has_scrub(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(number(connection, "user_version")? > WITHOUT_SCRUB)
}

/// Is there a column for the attributes of inodes? Not where an older version wrote
/// the file last.
pub(super) fn has_xattrs(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(number(connection, "user_version")? > WITHOUT_XATTRS)
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let sql =
        "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// One number of the file's head.
pub(super) fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// SQLite's answer to those who would write what can only be read.
pub(super) fn read_only() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
    rusqlite::Error::SqliteFailure(code, None)
}
