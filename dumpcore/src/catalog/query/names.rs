//! Under which names one dump has an inode, or what is like an entry.

use rusqlite::{Connection, Params, params};

use super::paths::Paths;
use super::series::Series;
use crate::catalog::columns::{bytes, kind_number, nanos};
use crate::catalog::query_values::Sought;
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::model::time::Time;
use crate::policy::layout::DumpId;

/// The names of one dump, by directory: of a tree, at a number of its series.
macro_rules! names_where {
    ($condition:literal) => {
        concat!(
            "SELECT l.dir, l.name FROM (SELECT dir, name, inode FROM live WHERE first<=?2",
            " UNION ALL SELECT dir, name, inode FROM past WHERE first<=?2 AND last>=?2) l",
            " CROSS JOIN dir d ON d.id=l.dir AND d.tree=?1",
            $condition
        )
    };
}

/// By path; `None` when the dump is not known, or has no such tree.
pub(super) fn names(
    connection: &Connection,
    series: &Series,
    (dump, tree): (DumpId, &[u8]),
    sought: &Sought,
) -> rusqlite::Result<Option<Vec<RelPath>>> {
    let Some((dump, tree)) = series.find(dump).zip(series.tree(tree)) else {
        return Ok(None);
    };
    let tree = &series.trees[tree];
    let Some(number) = tree.number(dump) else {
        return Ok(None);
    };
    let tree = tree.id.0;
    let mut found = match sought {
        Sought::Inode(ino) => {
            let sql = names_where!(" WHERE l.inode IN (SELECT id FROM inode WHERE ino=?3)");
            look(connection, sql, params![tree, number, ino.cast_signed()])?
        }
        Sought::Alike { kind, size, mtime } => {
            let sql = names_where!(
                " CROSS JOIN inode i ON i.id=l.inode
                 WHERE i.kind=?3 AND i.size=?4 AND i.mtime BETWEEN ?5 AND ?6"
            );
            // Directories have no size in there.
            let size = if *kind == Kind::Dir { 0 } else { *size };
            let (from, to) = second(*mtime);
            let (kind, size) = (kind_number(*kind), size.cast_signed());
            look(connection, sql, params![tree, number, kind, size, from, to])?
        }
    };
    found.sort();
    Ok(Some(found))
}

/// The first and the last nanosecond of the second that a time is in.
fn second(time: Time) -> (i64, i64) {
    let of = |nanos| Time { nanos, ..time };
    (nanos(of(0)), nanos(of(999_999_999)))
}

fn look(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<RelPath>> {
    let mut paths = Paths::new(connection);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(paths.of(row.get(0)?)?.join(bytes(row, 1)?));
    }
    Ok(found)
}
