//! Bringing the catalog up to the dumps on disk.
//!
//! Names of dumps are compared, not what is in them: a run may have published
//! without the catalog, somebody may have removed or imported dumps. The newest
//! one of each tree is held against its inode and token as well.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, params};

use super::apply::{REMOVED, THERE};
use super::dumps;
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::values::CaughtUp;
use super::walk_options::WalkOptions;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::root::listing::Listing;

impl Catalog {
    /// How many dumps a run brings in by itself; for more than that
    /// `dumpctl catalog rebuild` takes less time.
    pub(crate) const MOST: usize = 50;

    /// Records which dumps are gone, and brings in those that are not known.
    /// What was brought in before it is stopped stays.
    ///
    /// # Errors
    /// When more dumps than [`Catalog::MOST`] are not known: none is brought in.
    pub(crate) fn catch_up(
        &mut self,
        listing: &Listing,
        options: &WalkOptions<'_>,
    ) -> Result<CaughtUp, CatalogError> {
        let mut done = CaughtUp::default();
        let on_disk = on_disk(self, listing)?;
        done.gone = self.recorded()?.difference(&on_disk).copied().collect();
        if !done.gone.is_empty() {
            self.removed(&done.gone)?;
        }
        done.gone.extend(self.forget_false_heads()?);
        let recorded = self.recorded()?;
        let unknown: Vec<DumpId> = on_disk.difference(&recorded).copied().collect();
        if unknown.len() > Self::MOST {
            let op = CatalogOp::CatchUp(unknown.len());
            return Err(CatalogError::new(self.path(), op, None));
        }
        for dump in in_order(unknown, listing) {
            if !options.keep_going() {
                return Err(CatalogError::new(self.path(), CatalogOp::Stopped, None));
            }
            self.absorb(dump, options)?;
            done.absorbed.push(dump);
        }
        Ok(done)
    }

    /// The dumps that are recorded as being there.
    pub(super) fn recorded(&self) -> Result<BTreeSet<DumpId>, CatalogError> {
        recorded(self.connection())
            .map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Read, e))
    }

    /// The last dumps of trees that are on disk otherwise than they were
    /// recorded: somebody put a copy there.
    fn forget_false_heads(&mut self) -> Result<Vec<DumpId>, CatalogError> {
        let mut gone = Vec::new();
        loop {
            let heads = heads(self.connection());
            let heads = heads.map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Read, e))?;
            let is_false = |(dump, ino, token): &Head| {
                let there = dumps::look(self.root(), *dump).ok().flatten();
                !there.is_some_and(|there| there.is(*ino, token.as_deref()))
            };
            let heads: Vec<DumpId> = heads
                .into_iter()
                .filter(is_false)
                .map(|head| head.0)
                .collect();
            if heads.is_empty() {
                return Ok(gone);
            }
            self.removed(&heads)?;
            gone.extend(heads);
        }
    }
}

/// The dumps on disk.
pub(super) fn on_disk(
    catalog: &Catalog,
    listing: &Listing,
) -> Result<BTreeSet<DumpId>, CatalogError> {
    on_disk_at(catalog.path(), catalog.root(), listing)
}

pub(super) fn on_disk_at(
    path: &Path,
    root: &DumpRoot,
    listing: &Listing,
) -> Result<BTreeSet<DumpId>, CatalogError> {
    let failed = |fault| CatalogError::new(path, CatalogOp::List, Some(Box::new(fault)));
    let mut dumps: BTreeSet<_> = listing
        .names()
        .map_err(failed)?
        .into_iter()
        .map(DumpId::Dump)
        .collect();
    if root.has(DumpId::First).map_err(failed)? {
        dumps.insert(DumpId::First);
    }
    Ok(dumps)
}

/// Dumps by their moments; a first copy comes first.
pub(super) fn in_order(dumps: impl IntoIterator<Item = DumpId>, listing: &Listing) -> Vec<DumpId> {
    let mut dumps: Vec<DumpId> = dumps.into_iter().collect();
    dumps.sort_by_cached_key(|dump| dump.name().map(|name| listing.dated(name)));
    dumps
}

pub(super) fn recorded(db: &Connection) -> rusqlite::Result<BTreeSet<DumpId>> {
    let mut statement = db.prepare("SELECT name FROM dump WHERE state<>?1")?;
    let names = statement.query_map([REMOVED], |row| row.get::<_, String>(0))?;
    let mut dumps = BTreeSet::new();
    for name in names {
        dumps.extend(DumpId::parse(name?.as_bytes()));
    }
    Ok(dumps)
}

type Head = (DumpId, u64, Option<Vec<u8>>);

fn heads(db: &Connection) -> rusqlite::Result<Vec<Head>> {
    let sql = "SELECT DISTINCT d.name, d.ino, d.token FROM tree t
               JOIN series s ON s.tree=t.id AND s.seq=(SELECT max(seq) FROM series WHERE tree=t.id)
               JOIN dump d ON d.id=s.dump WHERE d.state=?1";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map(params![THERE], |row| {
        let (name, ino): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((name, ino.cast_unsigned(), row.get(2)?))
    })?;
    let mut heads = Vec::new();
    for row in rows {
        let (name, ino, token) = row?;
        heads.extend(DumpId::parse(name.as_bytes()).map(|dump| (dump, ino, token)));
    }
    Ok(heads)
}
