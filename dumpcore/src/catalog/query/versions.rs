//! Which versions a path had, in which dumps from and to.

use rusqlite::{Connection, params};

use super::paths::{Place, place};
use super::rows::{RECORDED, recorded};
use super::series::Series;
use crate::catalog::query_values::PathVersion;
use crate::model::path::RelPath;

/// The oldest first. None of the top of a tree, of which nothing is recorded.
pub(super) fn versions(
    connection: &Connection,
    series: &Series,
    path: &RelPath,
) -> rusqlite::Result<Vec<PathVersion>> {
    let tree = path.as_bytes().split(|b| *b == b'/').next();
    let tree = tree.and_then(|name| series.tree(name));
    let Some((
        tree,
        Place {
            entry: Some((dir, name)),
            ..
        },
    )) = tree.zip(place(connection, path)?)
    else {
        return Ok(Vec::new());
    };
    let sql = "SELECT inode, first, last FROM version WHERE dir=?1 AND name=?2 ORDER BY first";
    let mut statement = connection.prepare_cached(sql)?;
    let mut look = connection.prepare_cached(RECORDED)?;
    let mut rows = statement.query(params![dir, name])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some((first, last)) = series.trees[tree].span(row.get(1)?, row.get(2)?) {
            versions.push(PathVersion {
                first: series.dump_of(tree, first),
                last: series.dump_of(tree, last),
                inode: recorded(&mut look, row.get(0)?)?,
            });
        }
    }
    Ok(versions)
}
