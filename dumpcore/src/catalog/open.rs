//! From a file in the dump root to a catalog that may be believed.
//!
//! What is damaged, or was made for another dump root, is renamed, so that the
//! next run begins a new one. What a newer version made is left alone.
//!
//! The race it closes: SQLite takes paths. The directory that the file is in
//! is the runner's own, and a symlink anywhere on the way is refused, so the path
//! leads to no other file. The file is never opened by anything but SQLite in
//! this process: closing it would drop SQLite's locks.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::{self, within};
use super::columns::nanos;
use super::dumps;
use super::error::{CatalogError, CatalogOp};
use super::place::Place;
use super::schema;
use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file, link};

/// Makes an empty file that nobody else may read, in the place of another.
pub(super) fn make_empty(state: &OwnedFd, path: &Path, name: &str) -> Result<(), CatalogError> {
    let _ = link::remove(state.as_fd(), &c_name(name.as_bytes()));
    match file::create_file(state.as_fd(), &c_name(name.as_bytes())) {
        Ok(_) => Ok(()),
        Err(e) => Err(CatalogError::io(path, CatalogOp::Write, e)),
    }
}

/// Removes what a run that ended early left.
pub(super) fn remove_leftovers(state: &OwnedFd) {
    remove_stage(state);
    remove_copied(state);
    for name in [layout::CATALOG_REBUILD, layout::CATALOG_REBUILD_JOURNAL] {
        let _ = link::remove(state.as_fd(), &c_name(name.as_bytes()));
    }
}

/// Removes what was staged.
pub(super) fn remove_stage(state: &OwnedFd) {
    for name in [layout::CATALOG_NEW, layout::CATALOG_NEW_JOURNAL] {
        let _ = link::remove(state.as_fd(), &c_name(name.as_bytes()));
    }
}

/// Removes the hashes of copies.
pub(super) fn remove_copied(state: &OwnedFd) {
    for name in [layout::CATALOG_COPIED, layout::CATALOG_COPIED_JOURNAL] {
        let _ = link::remove(state.as_fd(), &c_name(name.as_bytes()));
    }
}

/// Moves the catalog out of the way. Its journal fits no other file, and would
/// spoil a new one.
pub(super) fn set_aside(state: &OwnedFd) -> bool {
    let name = |name: &str| c_name(name.as_bytes());
    let (from, to) = (name(layout::CATALOG), name(layout::CATALOG_BAD));
    let renamed = link::rename_over(state.as_fd(), &from, state.as_fd(), &to).is_ok();
    if renamed {
        let _ = link::remove(state.as_fd(), &name(layout::CATALOG_JOURNAL));
    }
    renamed
}

/// Opens the catalog for a run, made if it is missing.
pub(super) fn for_writing(root: &DumpRoot, place: &Place) -> Result<Connection, CatalogError> {
    let (state, path) = (&place.dir, &place.file(layout::CATALOG));
    let prepared = prepare(state, path);
    let opened = prepared.and_then(|()| connect(root, place, path, true));
    let settled = opened.and_then(|connection| {
        settle(root, &connection).map_err(|e| CatalogError::sqlite(path, CatalogOp::Write, e))?;
        Ok(connection)
    });
    settled.map_err(|error| match error.is_damaged() && set_aside(state) {
        true => error.with_file_set_aside(),
        false => error,
    })
}

/// Makes the file if it is missing, and keeps others from reading it.
fn prepare(state: &OwnedFd, path: &Path) -> Result<(), CatalogError> {
    let name = |name: &str| c_name(name.as_bytes());
    match look(state, path)? {
        None => {
            // It would be taken for the new file's.
            let _ = link::remove(state.as_fd(), &name(layout::CATALOG_JOURNAL));
            make_empty(state, path, layout::CATALOG)
        }
        Some(meta) if meta.mode & 0o077 != 0 => {
            link::set_mode(state.as_fd(), &name(layout::CATALOG), 0o600)
                .map_err(|e| CatalogError::io(path, CatalogOp::Open, e))
        }
        Some(_) => Ok(()),
    }
}

/// Opens the catalog for a query; `None` when there is none.
pub(super) fn for_reading(
    root: &DumpRoot,
    place: &Place,
) -> Result<Option<Connection>, CatalogError> {
    let path = place.file(layout::CATALOG);
    match look(&place.dir, &path)? {
        None => Ok(None),
        // A run has only just made it.
        Some(meta) if meta.size == 0 => Ok(None),
        Some(_) => match connect(root, place, &path, false) {
            // What a run was killed over is undone by who may write, whatever it is
            // that is asked; SQLite's locks keep that from a run that is at work.
            Err(error) if error.is_cut_off() && undo(&path).is_ok() => {
                connect(root, place, &path, false).map(Some)
            }
            other => other.map(Some),
        },
    }
}

fn undo(path: &Path) -> rusqlite::Result<()> {
    let connection = schema::connect(path, true)?;
    schema::number(&connection, "schema_version").map(drop)
}

/// Is there a file that something was written to?
pub(super) fn is_there(place: &Place) -> Result<bool, CatalogError> {
    let found = look(&place.dir, &place.file(layout::CATALOG))?;
    Ok(found.is_some_and(|meta| meta.size > 0))
}

/// Which file it is; `None`: there is none.
pub(super) fn file_id(place: &Place) -> Result<Option<Id>, CatalogError> {
    let found = look(&place.dir, &place.file(layout::CATALOG))?;
    Ok(found.map(|meta| meta.id()))
}

fn look(state: &OwnedFd, path: &Path) -> Result<Option<Meta>, CatalogError> {
    let name = c_name(layout::CATALOG.as_bytes());
    match stat::look(state.as_fd(), &name, Fresh::AsStat) {
        Ok(meta) if meta.kind == Kind::File => Ok(Some(meta)),
        Ok(_) => Err(CatalogError::damaged(path, CatalogOp::Open, None)),
        Err(e) if errno::is_missing(&e) => Ok(None),
        Err(e) => Err(CatalogError::io(path, CatalogOp::Open, e)),
    }
}

/// Opens a file and checks that it is a catalog of this dump root.
pub(super) fn connect(
    root: &DumpRoot,
    place: &Place,
    path: &Path,
    write: bool,
) -> Result<Connection, CatalogError> {
    let failed = |e| CatalogError::sqlite(path, CatalogOp::Open, e);
    let connection = schema::connect(path, write).map_err(failed)?;
    let application = schema::number(&connection, "application_id").map_err(failed)?;
    let version = schema::number(&connection, "user_version").map_err(failed)?;
    if write {
        // SQLite opens what it may not write for reading alone.
        if connection.is_readonly("main").map_err(failed)? {
            return Err(failed(schema::read_only()));
        }
        schema::set_durable(&connection).map_err(failed)?;
        if (application, version) == (0, 0) && is_empty(&connection).map_err(failed)? {
            let made = schema::make(&connection, |db| remember_root(&root_id(root, place), db));
            made.map_err(failed)?;
            return Ok(connection);
        }
    }
    if application == schema::APPLICATION && version > schema::VERSION {
        return Err(CatalogError::new(
            path,
            CatalogOp::Understand(version),
            None,
        ));
    }
    let is_ours = application == schema::APPLICATION;
    if !is_ours || !schema::is_ours(&connection, version).map_err(failed)? {
        return Err(CatalogError::damaged(path, CatalogOp::Open, None));
    }
    if !is_of(&root_id(root, place), &connection).map_err(failed)? {
        return Err(CatalogError::damaged(path, CatalogOp::Recognise, None));
    }
    if write {
        schema::bring_up(&connection, version).map_err(failed)?;
    }
    Ok(connection)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    schema::number(connection, "page_count").map(|pages| pages == 0)
}

type RootId = (String, i64, i64);

/// What tells a dump root from its copies: filesystem, inode, birth. Where the
/// catalog is found by the dump root's id, that is all: a network or a program may
/// make the others up.
fn root_id(root: &DumpRoot, place: &Place) -> RootId {
    if let Some(id) = &place.id {
        return (format!("id:{id}"), 0, 0);
    }
    let handle = root.handle().as_fd();
    let ino = stat::look_at(handle).map_or(0, |meta| meta.ino.cast_signed());
    let born = stat::born(handle, c".").map_or(0, nanos);
    (disk::filesystem_name(handle), ino, born)
}

fn remember_root((fs, ino, born): &RootId, connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO root VALUES(1, ?1, ?2, ?3)";
    connection.execute(sql, params![fs, ino, born])?;
    Ok(())
}

fn is_of(root: &RootId, connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT fs, ino, born FROM root";
    let found = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    Ok(found.optional()?.as_ref() == Some(root))
}

/// Settles what is pending, by looking at the disk: a run ended after it had
/// recorded a dump, and before it said whether that was published.
fn settle(root: &DumpRoot, connection: &Connection) -> rusqlite::Result<()> {
    for (id, name, ino, token) in pending(connection)? {
        let there = DumpId::parse(name.as_bytes()).map(|dump| dumps::look(root, dump));
        let there = there.and_then(Result::ok).flatten();
        let there = there.filter(|there| there.is(ino.cast_unsigned(), token.as_deref()));
        within(connection, |db| match there {
            Some(there) => apply::confirm(db, id, Some(there.ctime)),
            None => apply::remove(db, &[id]),
        })?;
    }
    Ok(())
}

type PendingRow = (i64, String, i64, Option<Vec<u8>>);

fn pending(connection: &Connection) -> rusqlite::Result<Vec<PendingRow>> {
    let sql = "SELECT id, name, ino, token FROM dump WHERE state=?1";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([apply::PENDING], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    rows.collect()
}
