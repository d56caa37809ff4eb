//! What was recorded of what a dump holds, for a run that copies it or links to it.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::columns::{facts, nanos};
use super::error::{CatalogError, CatalogOp};
use super::file::{Catalog, Reading};
use super::query::{hash_in, xattrs_column, xattrs_in};
use super::query_values::HashState;
use super::recorded_file::RecordedFile;
use super::schema;
use super::values::Hash;
use crate::model::metadata::Meta;
use crate::root::DumpRoot;

/// Answers what was recorded of each file of a dump.
#[derive(Debug)]
pub(crate) struct RecordedHashes {
    reading: Reading,
    sql: String,
}

/// A run that makes a dump may write meanwhile, and nobody waits for a copy.
const PATIENCE: Duration = schema::LONG_PATIENCE;

impl RecordedHashes {
    /// `None`: there is no catalog.
    ///
    /// # Errors
    /// When it may not be read, is damaged, of another dump root, or locked.
    pub(crate) fn open(root: &DumpRoot) -> Result<Option<Self>, CatalogError> {
        let Some(reading) = Catalog::read(root)? else {
            return Ok(None);
        };
        let set = reading.connection().busy_timeout(PATIENCE);
        let xattrs = set.and_then(|()| xattrs_column(reading.connection()));
        let xattrs =
            xattrs.map_err(|e| CatalogError::sqlite(reading.path(), CatalogOp::Read, e))?;
        let sql = format!(
            "SELECT ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev, hash, {xattrs}
             FROM inode WHERE ino=?1 AND born=?2"
        );
        Ok(Some(Self { reading, sql }))
    }

    /// What was recorded of the inode with this number and birth.
    pub(crate) fn file(&self, meta: &Meta) -> Result<Option<RecordedFile>, CatalogError> {
        let Some(born) = meta.born else {
            return Ok(None);
        };
        let found = || {
            let mut find = self.reading.connection().prepare_cached(&self.sql)?;
            let key = params![meta.ino.cast_signed(), nanos(born)];
            let row = find.query_row(key, |row| {
                Ok(RecordedFile {
                    facts: facts(row, 0)?,
                    hash: match hash_in(row, 0, 10)? {
                        HashState::Recorded(hash) => Some(hash),
                        HashState::Missing | HashState::Broken => None,
                    },
                    xattrs: xattrs_in(row, 11)?,
                })
            });
            row.optional()
        };
        found().map_err(|e| CatalogError::sqlite(self.reading.path(), CatalogOp::Read, e))
    }

    /// The hash of an inode as it was stored. `None`: none was taken, or it does
    /// not fit its own checksum, or something else has the number now.
    pub(crate) fn of(&self, meta: &Meta) -> Result<Option<Hash>, CatalogError> {
        let found = self.file(meta)?.filter(|file| file.is_it(meta));
        Ok(found.and_then(|file| file.hash))
    }

    /// What was recorded of an inode that has another size or modification time by now.
    pub(crate) fn before_it_changed(
        &self,
        meta: &Meta,
    ) -> Result<Option<RecordedFile>, CatalogError> {
        Ok(self.file(meta)?.filter(|file| !file.is_it(meta)))
    }
}
