//! What a scrub remembers in the catalog. The dump root is locked for it, each
//! time for some milliseconds: a run that makes a dump never waits for a scrub.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::apply::{THERE, within};
use super::columns::{closed_hash, nanos, open_hash};
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::inode_xattrs::is_inode_digest_of;
use super::query_values::{METADATA_DIFFERS, ScrubNote};
use super::values::{Facts, Hash};
use crate::model::metadata::Xattrs;
use crate::policy::heal_note::InodeKey;
use crate::policy::layout::DumpId;

impl Catalog {
    /// Begins a round over all dumps, or continues the one that there is. Returns
    /// when it began, in nanoseconds since 1970: what was looked at since need
    /// not be looked at again.
    pub(crate) fn begin_round(&mut self, now: i64) -> Result<i64, CatalogError> {
        self.scrub(|db| {
            let sql = "SELECT began FROM scrub WHERE ended IS NULL";
            let began = db.query_row(sql, [], |row| row.get(0)).optional()?;
            if let Some(began) = began {
                return Ok(began);
            }
            let sql = "INSERT INTO scrub VALUES(1, ?1, NULL, NULL, 0)
                       ON CONFLICT(id) DO UPDATE SET began=?1, ended=NULL";
            db.execute(sql, [now])?;
            Ok(now)
        })
    }

    /// A scrub ended; `round`: all that its round was about was looked at.
    pub(crate) fn end_scrub(&mut self, now: i64, round: bool) -> Result<(), CatalogError> {
        self.scrub(|db| {
            let sql = "INSERT INTO scrub VALUES(1, ?1, ?1, NULL, ?1)
                       ON CONFLICT(id) DO UPDATE SET last=?1";
            db.execute(sql, [now])?;
            if round {
                db.execute("UPDATE scrub SET ended=?1, whole=?1", [now])?;
            }
            Ok(())
        })
    }

    /// Notes what was found out about inodes: of each that is still what it was.
    pub(crate) fn note_scrubbed(
        &mut self,
        now: i64,
        notes: &[ScrubNote],
    ) -> Result<(), CatalogError> {
        self.scrub(|db| notes.iter().try_for_each(|what| note(db, now, what)))
    }

    /// Notes that the names of a dump were looked at, and how many are not as
    /// they were recorded.
    pub(crate) fn note_scrubbed_dump(
        &mut self,
        now: i64,
        dump: DumpId,
        faults: u64,
    ) -> Result<(), CatalogError> {
        self.scrub(|db| {
            let sql = "INSERT OR REPLACE INTO scrubbed_dump
                       SELECT id, ?2, ?3 FROM dump WHERE name=?1 AND state=?4";
            let faults = faults.cast_signed();
            db.execute(sql, params![dump.to_string(), now, faults, THERE])?;
            Ok(())
        })
    }

    /// Records that an inode has taken the place of another, under all its names.
    /// `taken`: the hash of its contents, where none was recorded, and its attributes,
    /// where they can be read; others than those recorded stay damage.
    pub(crate) fn note_healed(
        &mut self,
        now: i64,
        old: InodeKey,
        new: &Facts,
        taken: (Option<Hash>, Option<&Xattrs>),
    ) -> Result<(), CatalogError> {
        self.scrub(|db| healed(db, now, old, new, taken))
    }

    fn scrub<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        within(self.connection(), work)
            .map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Write, e))
    }
}

/// The number and the birth of an inode, as the table has them.
pub(super) fn key(facts: &Facts) -> (Option<i64>, i64) {
    let ino = facts.ino.map(u64::cast_signed);
    (ino, facts.born.map_or(0, nanos))
}

/// The number of an inode in the catalog, its hash, and what stands for its attributes.
type Found = (i64, Option<Vec<u8>>, Option<i64>);

fn healed(
    db: &Connection,
    now: i64,
    old: InodeKey,
    new: &Facts,
    (hash, has): (Option<Hash>, Option<&Xattrs>),
) -> rusqlite::Result<()> {
    let (old_ino, old_born) = (old.0.cast_signed(), old.1.map_or(0, nanos));
    let find = |ino: i64, born: i64| -> rusqlite::Result<Option<Found>> {
        let sql = "SELECT id, hash, xattrs FROM inode WHERE ino=?1 AND born=?2";
        let found = db.query_row(sql, [ino, born], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        found.optional()
    };
    let (Some(ino), born) = key(new) else {
        return Ok(());
    };
    let Some((id, recorded, xattrs)) = find(old_ino, old_born)? else {
        // It was recorded before, or nobody knew of it.
        return Ok(());
    };
    let recorded = recorded.and_then(|closed| open_hash(old_ino, old_born, &closed));
    let hash = recorded.or(hash).filter(|_| born != 0);
    let closed = hash.map(|hash| closed_hash(ino, born, &hash).to_vec());
    let id = match find(ino, born)? {
        // A dump was made in between, and has recorded it.
        Some((known, ..)) => {
            db.execute("UPDATE live SET inode=?2 WHERE inode=?1", [id, known])?;
            db.execute("UPDATE past SET inode=?2 WHERE inode=?1", [id, known])?;
            db.execute("UPDATE inode SET ino=NULL WHERE id=?1", [id])?;
            known
        }
        None => id,
    };
    let sql = "UPDATE inode SET ino=?2, born=?3, bytes=?4, mode=?5, uid=?6, gid=?7,
                 hash=coalesce(?8, hash), xattrs=coalesce(xattrs, ?9) WHERE id=?1";
    let bytes = new.bytes.cast_signed();
    db.execute(
        sql,
        params![
            id, ino, born, bytes, new.mode, new.uid, new.gid, closed, xattrs
        ],
    )?;
    let recorded = xattrs.map(i64::cast_unsigned);
    let is_whole =
        recorded.is_none_or(|digest| has.is_some_and(|has| is_inode_digest_of(digest, has)));
    let fault = if is_whole { 0 } else { METADATA_DIFFERS };
    let sql = "INSERT INTO scrubbed(inode, at, hashed, fault) VALUES(?1, ?2, NULL, ?3)
               ON CONFLICT(inode) DO UPDATE SET at=?2, fault=?3";
    db.execute(sql, [id, now, fault])?;
    Ok(())
}

fn note(db: &Connection, now: i64, what: &ScrubNote) -> rusqlite::Result<()> {
    let (ino, born) = (what.ino.map(u64::cast_signed), what.born);
    let sql = "SELECT id FROM inode WHERE ino=?1 AND born=?2 AND size=?3 AND mtime=?4";
    let known = params![ino, born, what.size.cast_signed(), what.mtime];
    let id: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(known, |row| row.get(0))
        .optional()?;
    let Some((id, ino)) = id.zip(ino) else {
        return Ok(());
    };
    // A number alone may be used again for something else.
    let taken = what.taken.as_deref().filter(|_| born != 0);
    let hash = taken.and_then(|taken| taken.hash);
    let xattrs = taken.and_then(|taken| taken.xattrs);
    let sql = "INSERT INTO scrubbed(inode, at, hashed, fault, xattrs) VALUES(?1, ?2, ?3, ?4, ?5)
               ON CONFLICT(inode) DO UPDATE SET at=?2, hashed=coalesce(?3, hashed), fault=?4,
                 xattrs=coalesce(?5, xattrs)";
    let (hashed, seen) = (hash.map(|_| now), xattrs.map(|_| now));
    db.prepare_cached(sql)?
        .execute(params![id, now, hashed, what.fault, seen])?;
    if taken.is_some() {
        let closed = hash.map(|hash| closed_hash(ino, born, &hash).to_vec());
        let sql = "UPDATE inode SET hash=coalesce(?2, hash), xattrs=coalesce(?3, xattrs)
                   WHERE id=?1";
        db.prepare_cached(sql)?
            .execute(params![id, closed, xattrs.map(u64::cast_signed)])?;
    }
    Ok(())
}
