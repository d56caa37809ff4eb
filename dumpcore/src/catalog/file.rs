//! The catalog of a dump root, opened for a run or for a query.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::{self, THERE, with_stage, within};
use super::columns::time;
use super::error::{CatalogError, CatalogOp};
use super::place::{Place, path_in};
use super::rows::Rows;
use super::stage::Stage;
use super::values::{DirId, Head, NewDump, Pending, TreeId, TreeState};
use super::{dumps, open, schema};
use crate::model::metadata::Id;
use crate::model::time::Time;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;

/// The catalog, for the run that holds the lock of its dump root.
#[derive(Debug)]
pub(crate) struct Catalog {
    connection: Connection,
    path: PathBuf,
    root: DumpRoot,
    place: Place,
}

/// The catalog, for a query. It waits for a writer a quarter of a second at most.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: Connection,
    path: PathBuf,
}

impl Catalog {
    /// Opens the catalog of a dump root that is locked, made if it is missing,
    /// and settles what a run left pending that was cut off. `None` on a
    /// filesystem where SQLite's locks cannot be relied on.
    ///
    /// # Errors
    /// What is damaged, or of another dump root, is renamed; then, and in all
    /// other cases, the run does without a catalog.
    pub(crate) fn open(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let Some(place) = Place::of(root)? else {
            return Ok(None);
        };
        let path = place.file(layout::CATALOG);
        open::remove_leftovers(&place.dir);
        let root = root.reopened();
        let root = root.map_err(|e| CatalogError::io(&path, CatalogOp::Open, e))?;
        let connection = open::for_writing(&root, &place)?;
        Ok(Some(Self {
            connection,
            path,
            root,
            place,
        }))
    }

    /// Opens the catalog of a dump root that is locked, which is there.
    pub(crate) fn existing(root: &DumpRoot) -> Result<Self, CatalogError> {
        let missing = |cause: &str| {
            let path = path_in(root, layout::CATALOG);
            CatalogError::new(&path, CatalogOp::Unavailable, Some(cause.into()))
        };
        // Not opened for that: what was cut off is undone only by who writes.
        let is_there = match Place::existing(root)? {
            Some(place) => open::is_there(&place)?,
            None => false,
        };
        if !is_there {
            let text = "no run has made one; run `dumpctl catalog rebuild`";
            return Err(missing(text));
        }
        let catalog = Self::open(root)?;
        catalog.ok_or_else(|| missing("its filesystem cannot hold one"))
    }

    /// Opens the catalog of a dump root for a dry run, which neither locks nor
    /// changes anything. `None`: there is none.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    pub(crate) fn look(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let Some(place) = Place::existing(root)? else {
            return Ok(None);
        };
        let path = place.file(layout::CATALOG);
        let root = root.reopened();
        let root = root.map_err(|e| CatalogError::io(&path, CatalogOp::Open, e))?;
        let connection = open::for_reading(&root, &place)?;
        Ok(connection.map(|connection| Self {
            connection,
            path,
            root,
            place,
        }))
    }

    /// Which file the catalog of a dump root is: another one when somebody removed
    /// it, or made it again. `None`: there is none.
    pub(crate) fn file_id(root: &DumpRoot) -> Result<Option<Id>, CatalogError> {
        match Place::existing(root)? {
            Some(place) => open::file_id(&place),
            None => Ok(None),
        }
    }

    /// Where it is.
    pub(crate) fn path_in(root: &DumpRoot) -> PathBuf {
        path_in(root, layout::CATALOG)
    }

    /// An empty catalog beside the one that there is.
    pub(super) fn begin_rebuild(root: &DumpRoot) -> Result<Self, CatalogError> {
        let Some(place) = Place::of(root)? else {
            let path = path_in(root, layout::CATALOG);
            return Err(CatalogError::new(&path, CatalogOp::Unavailable, None));
        };
        let path = place.file(layout::CATALOG_REBUILD);
        open::remove_leftovers(&place.dir);
        open::make_empty(&place.dir, &path, layout::CATALOG_REBUILD)?;
        let root = root.reopened();
        let root = root.map_err(|e| CatalogError::io(&path, CatalogOp::Open, e))?;
        let connection = open::connect(&root, &place, &path, true)?;
        schema::set_unsynced(&connection)
            .map_err(|e| CatalogError::sqlite(&path, CatalogOp::Open, e))?;
        Ok(Self {
            connection,
            path,
            root,
            place,
        })
    }

    /// Closes the file. Returns where it is.
    pub(super) fn close(self) -> Result<Place, CatalogError> {
        match self.connection.close() {
            Ok(()) => Ok(self.place),
            Err((_, e)) => Err(CatalogError::sqlite(&self.path, CatalogOp::Write, e)),
        }
    }

    /// Opens the catalog of a dump root for a query. `None`: there is none.
    ///
    /// # Errors
    /// When it may not be read, is damaged, of another dump root, or locked.
    pub(crate) fn read(root: &DumpRoot) -> Result<Option<Reading>, CatalogError> {
        let Some(place) = Place::existing(root)? else {
            return Ok(None);
        };
        let path = place.file(layout::CATALOG);
        let connection = open::for_reading(root, &place)?;
        Ok(connection.map(|connection| Reading { connection, path }))
    }

    /// Gives the catalog up because of an error, for good when it is damaged.
    pub(crate) fn give_up(self, error: CatalogError) -> CatalogError {
        let Self {
            connection, place, ..
        } = self;
        // Its locks end before the file gets another name.
        drop(connection);
        match error.is_damaged() && open::set_aside(&place.dir) {
            true => error.with_file_set_aside(),
            false => error,
        }
    }

    /// A tree of this name, made known if it is not. Its head is the newest dump
    /// of it, if that is on disk as it was recorded.
    pub(crate) fn tree(&mut self, name: &[u8]) -> Result<TreeState, CatalogError> {
        if let Some(known) = self.known_tree(name)? {
            return Ok(known);
        }
        let failed = |e| CatalogError::sqlite(&self.path, CatalogOp::Write, e);
        within(&self.connection, |db| add_tree(db, name)).map_err(failed)?;
        let known = self.known_tree(name)?;
        known.ok_or_else(|| failed(rusqlite::Error::QueryReturnedNoRows))
    }

    /// The same of a tree that is known.
    pub(crate) fn known_tree(&self, name: &[u8]) -> Result<Option<TreeState>, CatalogError> {
        let sql = "SELECT id, dir, fingerprint, turn FROM tree WHERE name=?1";
        let found = self.connection.query_row(sql, [name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        let found = found.optional();
        let found = found.map_err(|e| CatalogError::sqlite(&self.path, CatalogOp::Read, e))?;
        let Some((id, top, fingerprint, turn)) = found else {
            return Ok(None);
        };
        Ok(Some(TreeState {
            id: TreeId(id),
            top: DirId(top),
            head: self.head(TreeId(id))?,
            fingerprint,
            turn,
        }))
    }

    /// The last dump of a tree, if it is on disk as it was recorded.
    fn head(&self, tree: TreeId) -> Result<Option<Head>, CatalogError> {
        let sql = "SELECT d.name, d.ino, d.token, d.sealed, s.entries, s.bytes, d.state
                   FROM series s JOIN dump d ON d.id=s.dump WHERE s.tree=?1
                   ORDER BY s.seq DESC LIMIT 1";
        let last = self.connection.query_row(sql, [tree.0], |row| {
            let name: String = row.get(0)?;
            let head = DumpId::parse(name.as_bytes()).map(|dump| -> rusqlite::Result<Head> {
                Ok(Head {
                    dump,
                    ino: row.get::<_, i64>(1)?.cast_unsigned(),
                    token: row.get(2)?,
                    sealed: row.get::<_, Option<i64>>(3)?.map(time),
                    entries: row.get::<_, i64>(4)?.cast_unsigned(),
                    bytes: row.get::<_, i64>(5)?.cast_unsigned(),
                })
            });
            Ok((head.transpose()?, row.get::<_, i64>(6)?))
        });
        let last = last.optional();
        let last = last.map_err(|e| CatalogError::sqlite(&self.path, CatalogOp::Read, e))?;
        let Some((Some(head), THERE)) = last else {
            return Ok(None);
        };
        // What cannot be looked at is not believed.
        let there = dumps::look(&self.root, head.dump).ok().flatten();
        let is_it = there.is_some_and(|there| there.is(head.ino, head.token.as_deref()));
        Ok(Some(head).filter(|_| is_it))
    }

    /// The filesystems of sources: their numbers, by the names that they keep.
    pub(crate) fn filesystems(&self) -> Result<HashMap<String, i64>, CatalogError> {
        let all = || -> rusqlite::Result<HashMap<String, i64>> {
            let sql = "SELECT uuid, id FROM filesystem";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        all().map_err(|e| CatalogError::sqlite(&self.path, CatalogOp::Read, e))
    }

    /// Adds filesystems that were met. Not while workers read: they would have to
    /// be waited for.
    pub(crate) fn add_filesystems(
        &mut self,
        all: &HashMap<String, i64>,
    ) -> Result<(), CatalogError> {
        if self.filesystems()?.len() == all.len() {
            return Ok(());
        }
        self.write(|db| {
            let mut add =
                db.prepare("INSERT OR IGNORE INTO filesystem(uuid, id) VALUES(?1, ?2)")?;
            for (name, number) in all {
                add.execute(params![name, number])?;
            }
            Ok(())
        })
    }

    /// The heads of all trees, for one worker. It is dropped before anything is
    /// applied.
    pub(crate) fn rows(&self) -> Result<Rows, CatalogError> {
        Rows::open(&self.path)
    }

    /// The same for a dry run, which keeps no writer waiting.
    pub(crate) fn shared_rows(&self) -> Result<Rows, CatalogError> {
        Rows::open_shared(&self.path)
    }

    /// A stage of a dry run, of which nothing is applied: not in the dump root.
    pub(crate) fn stage_aside(&self) -> Result<Stage, CatalogError> {
        Stage::aside(&self.path)
    }

    /// Where workers note what they find.
    pub(crate) fn stage(&self) -> Result<Stage, CatalogError> {
        let path = self.place.file(layout::CATALOG_NEW);
        open::make_empty(&self.place.dir, &path, layout::CATALOG_NEW)?;
        Stage::new(&path, &self.path)
    }

    /// Records a dump that is about to be published, in one transaction.
    pub(crate) fn apply(&mut self, stage: Stage, new: &NewDump) -> Result<Pending, CatalogError> {
        let staged = stage.finish()?;
        let recorded = with_stage(&self.connection, &staged, |db| apply::record(db, new));
        open::remove_stage(&self.place.dir);
        match recorded {
            Ok(dump) => Ok(Pending { dump }),
            Err(e) => Err(CatalogError::sqlite(&self.path, CatalogOp::Write, e)),
        }
    }

    /// Records that the dump was published. `sealed`: the time of change of its
    /// own directory since.
    pub(crate) fn confirm(
        &mut self,
        pending: Pending,
        sealed: Option<Time>,
    ) -> Result<(), CatalogError> {
        let confirm = |db: &Connection| apply::confirm(db, pending.dump, sealed);
        self.write(confirm)
    }

    /// Records that a dump is not there any longer.
    pub(crate) fn removed(&mut self, dumps: &[DumpId]) -> Result<(), CatalogError> {
        self.write(|db| {
            let mut ids = Vec::new();
            for dump in dumps {
                let sql = "SELECT id FROM dump WHERE name=?1 AND state<>?2";
                let found = db.query_row(sql, params![dump.to_string(), apply::REMOVED], |row| {
                    row.get::<_, i64>(0)
                });
                ids.extend(found.optional()?);
            }
            apply::remove(db, &ids)
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        within(&self.connection, work)
            .map_err(|e| CatalogError::sqlite(&self.path, CatalogOp::Write, e))
    }

    /// The file that it is in.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn root(&self) -> &DumpRoot {
        &self.root
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The tops of trees have numbers of their own, below zero: a stage that gives
/// numbers to directories does not meet them.
fn add_tree(db: &Connection, name: &[u8]) -> rusqlite::Result<()> {
    db.execute("INSERT INTO tree(name, dir) VALUES(?1, 0)", [name])?;
    let tree = db.last_insert_rowid();
    let sql = "INSERT INTO dir(id, parent, name, tree) VALUES(-?2, 0, ?1, ?2)";
    db.execute(sql, params![name, tree])?;
    db.execute("UPDATE tree SET dir=-id WHERE id=?1", [tree])?;
    Ok(())
}

impl Reading {
    /// For statements that end before the answer is printed.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The file that it is in.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
