//! Rows as the queries read them.

use rusqlite::{Connection, Row, Statement};

use crate::catalog::columns::{bytes, facts, open_hash};
use crate::catalog::query_values::{HashState, Recorded};
use crate::catalog::schema;
use crate::catalog::values::InodeId;

/// A name that stands for one inode in a run of dumps.
pub(super) struct Run<'a> {
    pub(super) dir: i64,
    pub(super) name: &'a [u8],
    pub(super) inode: i64,
    pub(super) first: i64,
    /// `None`: until the last of its series.
    pub(super) last: Option<i64>,
}

/// Calls for each run that there is.
pub(super) fn each_run(
    connection: &Connection,
    mut each: impl FnMut(&Run<'_>),
) -> rusqlite::Result<()> {
    for sql in [
        "SELECT dir, name, inode, first, NULL FROM live",
        "SELECT dir, name, inode, first, last FROM past",
    ] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(&run(row)?);
        }
    }
    Ok(())
}

/// The columns `dir, name, inode, first, last`.
pub(super) fn run<'a>(row: &'a Row<'_>) -> rusqlite::Result<Run<'a>> {
    Ok(Run {
        dir: row.get(0)?,
        name: bytes(row, 1)?,
        inode: row.get(2)?,
        first: row.get(3)?,
        last: row.get(4)?,
    })
}

/// Reads what is known of an inode by its number.
pub(super) const RECORDED: &str =
    "SELECT ino, born, kind, mode, uid, gid, size, bytes, mtime, rdev, hash FROM inode WHERE id=?1";

/// Of an inode, by the statement [`RECORDED`].
pub(super) fn recorded(statement: &mut Statement<'_>, inode: i64) -> rusqlite::Result<Recorded> {
    statement.query_row([inode], |row| {
        let (ino, born) = (row.get::<_, Option<i64>>(0)?, row.get(1)?);
        let hash = row.get_ref(10)?.as_blob_or_null()?;
        Ok(Recorded {
            id: InodeId(inode),
            facts: facts(row, 0)?,
            hash: ino
                .zip(hash)
                .and_then(|(ino, hash)| open_hash(ino, born, hash)),
        })
    })
}

/// The column of what stands for the attributes of an inode.
pub(in crate::catalog) fn xattrs_column(db: &Connection) -> rusqlite::Result<&'static str> {
    Ok(match schema::has_xattrs(db)? {
        true => "xattrs",
        false => "NULL",
    })
}

/// What that column has.
pub(in crate::catalog) fn xattrs_in(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(i64::cast_unsigned))
}

/// The hash in a row: `inode` is the column of the inode's number, which that of
/// its birth follows, `hash` its own.
pub(in crate::catalog) fn hash_in(
    row: &Row<'_>,
    inode: usize,
    hash: usize,
) -> rusqlite::Result<HashState> {
    let ino = row.get::<_, Option<i64>>(inode)?;
    let born = row.get(inode + 1)?;
    let closed = row.get_ref(hash)?.as_blob_or_null()?;
    Ok(match ino.zip(closed) {
        None => HashState::Missing,
        Some((ino, closed)) => match open_hash(ino, born, closed) {
            Some(hash) => HashState::Recorded(hash),
            None => HashState::Broken,
        },
    })
}
