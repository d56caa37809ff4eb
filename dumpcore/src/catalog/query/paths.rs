//! Directories by number: their paths, their trees, and what is in them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::model::path::RelPath;

/// A chain of directories in a sound file is never as long.
const DEEPEST: usize = 1 << 16;

/// The paths of directories, each looked up once.
pub(in crate::catalog) struct Paths<'a> {
    connection: &'a Connection,
    known: HashMap<i64, RelPath>,
}

impl<'a> Paths<'a> {
    pub(in crate::catalog) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            known: HashMap::new(),
        }
    }

    /// The path of a directory; it begins with the name of its tree.
    pub(in crate::catalog) fn of(&mut self, dir: i64) -> rusqlite::Result<&RelPath> {
        if !self.known.contains_key(&dir) {
            self.look_up(dir)?;
        }
        Ok(self.known.entry(dir).or_default())
    }

    fn look_up(&mut self, dir: i64) -> rusqlite::Result<()> {
        let sql = "SELECT parent, name FROM dir WHERE id=?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (mut at, mut names) = (dir, Vec::new());
        while at != 0 && !self.known.contains_key(&at) {
            let (parent, name) = statement.query_row([at], |row| {
                let name = row.get_ref(1)?.as_blob()?.to_vec();
                Ok((row.get::<_, i64>(0)?, name))
            })?;
            if names.len() == DEEPEST {
                return Err(rusqlite::Error::QueryReturnedNoRows);
            }
            names.push((at, name));
            at = parent;
        }
        let mut path = self.known.get(&at).cloned().unwrap_or_default();
        for (id, name) in names.iter().rev() {
            path = path.join(name);
            self.known.insert(*id, path.clone());
        }
        Ok(())
    }
}

/// Where a path stands in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its own number, when it was ever a directory.
    pub(super) dir: Option<i64>,
    /// The directory above it, and its name there; `None` of a tree's top.
    pub(super) entry: Option<(i64, Vec<u8>)>,
}

/// Looks a path up, which begins with the name of a tree; `None` when no dump
/// ever had the directory above it.
pub(super) fn place(connection: &Connection, path: &RelPath) -> rusqlite::Result<Option<Place>> {
    let mut names = path.as_bytes().split(|b| *b == b'/');
    let tree = names.next().unwrap_or_default();
    let sql = "SELECT dir FROM tree WHERE name=?1";
    let mut statement = connection.prepare_cached(sql)?;
    let top: Option<i64> = statement.query_row([tree], |row| row.get(0)).optional()?;
    let mut found = Place {
        dir: top,
        entry: None,
    };
    let sql = "SELECT id FROM dir WHERE parent=?1 AND name=?2";
    let mut statement = connection.prepare_cached(sql)?;
    for name in names {
        let Some(above) = found.dir else {
            return Ok(None);
        };
        let id = statement.query_row(params![above, name], |row| row.get(0));
        found = Place {
            dir: id.optional()?,
            entry: Some((above, name.to_vec())),
        };
    }
    Ok(top.map(|_| found))
}

/// What each directory belongs to: its tree, and which of some places it is at
/// or below.
#[derive(Debug)]
pub(super) struct Belongs {
    /// By number.
    of: HashMap<i64, Belonging>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Belonging {
    /// The index of the tree.
    pub(super) tree: u32,
    /// The index of the part, if it is in one.
    pub(super) part: Option<u32>,
}

impl Belongs {
    /// `trees`: which index a tree's number has. `part`: the part that a
    /// directory begins, by the number of the one above and its name there.
    pub(super) fn read(
        connection: &Connection,
        trees: &HashMap<i64, u32>,
        mut part: impl FnMut(i64, &[u8]) -> Option<u32>,
    ) -> rusqlite::Result<Self> {
        let mut parents: Vec<(i64, i64)> = Vec::new();
        let mut of = HashMap::new();
        let sql = "SELECT id, parent, name, tree FROM dir";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, parent): (i64, i64) = (row.get(0)?, row.get(1)?);
            let Some(&tree) = trees.get(&row.get(3)?) else {
                continue;
            };
            let part = part(parent, row.get_ref(2)?.as_blob()?);
            if part.is_none() {
                parents.push((id, parent));
            }
            of.insert(id, Belonging { tree, part });
        }
        let mut belongs = Self { of };
        belongs.inherit(&parents);
        Ok(belongs)
    }

    /// What begins no part is in that of the directory above it. Most of those
    /// have smaller numbers, so that one pass does nearly all.
    fn inherit(&mut self, parents: &[(i64, i64)]) {
        loop {
            let mut changed = false;
            for (id, parent) in parents {
                let above = self.of.get(parent).and_then(|above| above.part);
                if let Some(here) = self.of.get_mut(id)
                    && here.part.is_none()
                    && above.is_some()
                {
                    here.part = above;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    pub(super) fn of(&self, dir: i64) -> Option<Belonging> {
        self.of.get(&dir).copied()
    }
}
