//! The hashes of what a dump holds, for a run that copies it.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::columns::{facts, nanos};
use super::error::{CatalogError, CatalogOp};
use super::file::{Catalog, Reading};
use super::query::hash_in;
use super::query_values::HashState;
use super::schema;
use super::values::{Facts, Hash};
use crate::model::metadata::Meta;
use crate::root::DumpRoot;

/// Answers of each file of a dump which hash was recorded.
#[derive(Debug)]
pub(crate) struct RecordedHashes(Reading);

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
        set.map_err(|e| CatalogError::sqlite(reading.path(), CatalogOp::Read, e))?;
        Ok(Some(Self(reading)))
    }

    /// The hash of an inode as it was stored. `None`: none was taken, or it does
    /// not fit its own checksum, or something else has the number now.
    pub(crate) fn of(&self, meta: &Meta) -> Result<Option<Hash>, CatalogError> {
        Ok(match self.find(meta)? {
            Some((was, HashState::Recorded(hash))) if is_it(&was, meta) => Some(hash),
            _ => None,
        })
    }

    /// What was recorded of an inode that has another size or modification time by now,
    /// and its hash.
    pub(crate) fn before_it_changed(
        &self,
        meta: &Meta,
    ) -> Result<Option<(Facts, Option<Hash>)>, CatalogError> {
        let found = self.find(meta)?.filter(|(was, _)| !is_it(was, meta));
        Ok(found.map(|(was, hash)| match hash {
            HashState::Recorded(hash) => (was, Some(hash)),
            _ => (was, None),
        }))
    }

    /// What was recorded of the inode with this number and birth.
    fn find(&self, meta: &Meta) -> Result<Option<(Facts, HashState)>, CatalogError> {
        let Some(born) = meta.born else {
            return Ok(None);
        };
        let sql = "SELECT ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev, hash
                   FROM inode WHERE ino=?1 AND born=?2";
        let found = || {
            let mut find = self.0.connection().prepare_cached(sql)?;
            let key = params![meta.ino.cast_signed(), nanos(born)];
            let row = find.query_row(key, |row| Ok((facts(row, 0)?, hash_in(row, 0, 10)?)));
            row.optional()
        };
        found().map_err(|e| CatalogError::sqlite(self.0.path(), CatalogOp::Read, e))
    }
}

/// Is it the file that was recorded? Its mode and owner do not matter for what it
/// holds.
fn is_it(was: &Facts, meta: &Meta) -> bool {
    let now = Facts::of(meta);
    let contents = Facts {
        mode: was.mode,
        uid: was.uid,
        gid: was.gid,
        ..now
    };
    contents.is_same_inode(was)
}
