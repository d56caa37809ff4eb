//! What is asked of the catalog about all dumps: it is only read, and each
//! question is answered from one state of it.
//!
//! Dumps that were removed keep their numbers in the rows: of a run of dumps
//! only those count that are on disk, see [`series`].

mod diff;
mod find;
mod holders;
mod names;
mod paths;
mod rows;
mod series;
mod sizes;
mod usage;
mod users;
mod versions;

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

pub(super) use self::paths::Paths;
pub(super) use self::rows::{hash_in, xattrs_column, xattrs_in};
pub(super) use self::series::Series;
use super::error::{CatalogError, CatalogOp};
use super::file::{Catalog, Reading};
use super::query_values::{
    DumpSizes, FoundRow, Holder, Pair, PathVersion, Recorded, ScrubRow, ScrubStatus, Sought,
    StoredFrom, UsageOf, UsageRow, Wanted,
};
use super::schema;
use super::values::InodeId;
use crate::model::path::RelPath;
use crate::policy::heal_note::InodeKey;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

/// How much of the file is kept in memory, in KiB as a negative number: what is
/// asked about all dumps goes through most of it.
const CACHE: i64 = -32 * 1024;

/// The catalog, for questions about all dumps.
#[derive(Debug)]
pub(crate) struct View(Reading);

impl View {
    /// `None`: there is no catalog.
    ///
    /// # Errors
    /// When it may not be read, is damaged, of another dump root, or locked.
    pub(crate) fn open(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let Some(reading) = Catalog::read(root)? else {
            return Ok(None);
        };
        let set = reading
            .connection()
            .pragma_update(None, "cache_size", CACHE);
        set.map_err(|e| CatalogError::sqlite(reading.path(), CatalogOp::Read, e))?;
        Ok(Some(Self(reading)))
    }

    /// The dumps that it knows to be on disk.
    pub(crate) fn dumps(&self) -> Result<Vec<DumpId>, CatalogError> {
        self.ask(|_, series| {
            let there = series.there().into_iter();
            Ok(there.map(|at| series.dumps[at].id).collect())
        })
    }

    /// What each of them holds, the oldest first.
    pub(crate) fn sizes(&self) -> Result<Vec<DumpSizes>, CatalogError> {
        self.ask(sizes::sizes)
    }

    /// The space that removing these dumps together would free, in bytes.
    pub(crate) fn freed(&self, dumps: &[DumpId]) -> Result<u64, CatalogError> {
        self.ask(|connection, series| sizes::freed(connection, series, dumps))
    }

    /// By dump: how many others have files of it, apart from those that are
    /// going; `None` of one that is not known.
    pub(crate) fn users(
        &self,
        dumps: &[DumpId],
        going: &[DumpId],
    ) -> Result<Vec<Option<u64>>, CatalogError> {
        self.ask(|connection, series| users::users(connection, series, dumps, going))
    }

    /// Where space goes; `None`: no dump ever had that path.
    pub(crate) fn usage(&self, of: &UsageOf) -> Result<Option<UsageRow>, CatalogError> {
        self.ask(|connection, series| usage::usage(connection, series, of))
    }

    /// The paths that have a name, by path.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Result<Vec<FoundRow>, CatalogError> {
        self.ask(|connection, series| find::find(connection, series, wanted))
    }

    /// The paths that are not the same inode in two dumps, of the trees that
    /// both have, by path; `None`: one of the dumps is not known.
    pub(crate) fn diff(&self, old: DumpId, new: DumpId) -> Result<Option<Vec<Pair>>, CatalogError> {
        self.ask(|connection, series| diff::diff(connection, series, old, new))
    }

    /// Under which names a tree of a dump has something, by path; `None`: the
    /// dump is not known, or has no such tree.
    pub(crate) fn names(
        &self,
        of: (DumpId, &[u8]),
        sought: &Sought,
    ) -> Result<Option<Vec<RelPath>>, CatalogError> {
        self.ask(|connection, series| names::names(connection, series, of, sought))
    }

    /// The versions of a path, the oldest first.
    pub(crate) fn versions(&self, path: &RelPath) -> Result<Vec<PathVersion>, CatalogError> {
        self.ask(|connection, series| versions::versions(connection, series, path))
    }

    /// All names of each of these inodes in the dumps on disk.
    pub(crate) fn holders(
        &self,
        inodes: &[InodeId],
    ) -> Result<HashMap<InodeId, Vec<Holder>>, CatalogError> {
        self.ask(|connection, series| holders::holders(connection, series, inodes))
    }

    /// All names of an inode in the dumps on disk.
    pub(crate) fn holders_of(&self, key: InodeKey) -> Result<Vec<Holder>, CatalogError> {
        self.ask(|connection, series| holders::holders_of(connection, series, key))
    }

    /// What a dump has under each of these paths.
    pub(crate) fn at(
        &self,
        dump: DumpId,
        paths: &[RelPath],
    ) -> Result<Vec<Option<Recorded>>, CatalogError> {
        self.ask(|connection, series| {
            let at = |path| holders::at(connection, series, dump, path);
            paths.iter().map(at).collect()
        })
    }

    /// The number of each of these inodes whose row is what it was; `None`: it is
    /// not.
    pub(crate) fn stand(&self, rows: &[ScrubRow]) -> Result<Vec<Option<InodeId>>, CatalogError> {
        self.ask(|connection, _| {
            let stands = |row| holders::stands(connection, row);
            rows.iter().map(stands).collect()
        })
    }

    /// What an inode is a copy of; `None`: that is not known.
    pub(crate) fn stored_from(&self, key: InodeKey) -> Result<Option<StoredFrom>, CatalogError> {
        self.ask(|connection, _| holders::stored_from(connection, key))
    }

    /// When dumps were scrubbed last, and what is wrong with them.
    pub(crate) fn scrub_status(&self) -> Result<ScrubStatus, CatalogError> {
        self.ask(holders::scrub_status)
    }

    /// When the names of each dump were looked at last, the longest ago first;
    /// in nanoseconds since 1970.
    pub(crate) fn dumps_by_scrub(&self) -> Result<Vec<(DumpId, Option<i64>)>, CatalogError> {
        self.ask(holders::dumps_by_scrub)
    }

    /// Waits long for those that write: nobody waits for the answer.
    pub(crate) fn patient(self) -> Result<Self, CatalogError> {
        let set = self.0.connection().busy_timeout(schema::LONG_PATIENCE);
        set.map_err(|e| CatalogError::sqlite(self.0.path(), CatalogOp::Read, e))?;
        Ok(self)
    }

    /// The file that it is in.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Answers from one state of the file, and holds up no writer afterwards.
    pub(super) fn ask<T>(
        &self,
        work: impl FnOnce(&Connection, &Series) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let connection = self.0.connection();
        let answer = || -> rusqlite::Result<T> {
            let state = connection.unchecked_transaction()?;
            let answer = work(connection, &Series::read(connection)?)?;
            state.finish()?;
            Ok(answer)
        };
        answer().map_err(|e| CatalogError::sqlite(self.0.path(), CatalogOp::Read, e))
    }
}

#[cfg(test)]
mod tests;
