//! Bringing the catalog up to the dumps on disk.
//!
//! The dumps that there are are compared, not what is in them: a run may have
//! published without the catalog, somebody may have removed or imported some.
//! They are told by their names and inodes, as listings tell both; the newest
//! one of each tree by its token as well.

use std::collections::BTreeMap;
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
use crate::sys::fstype::FsType;

impl Catalog {
    /// How many dumps a run brings in by itself; for more than that
    /// `dumpctl catalog rebuild` takes less time.
    pub(crate) const MOST: usize = 50;

    /// Records which dumps are gone, and brings in those that are not known, the
    /// oldest first. What was brought in before it is stopped stays; what there
    /// is no time for is left, and in the way of nothing.
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
        done.gone = missing(&self.recorded()?, &on_disk);
        if !done.gone.is_empty() {
            self.removed(&done.gone)?;
        }
        done.gone.extend(self.forget_false_heads()?);
        let unknown = missing(&on_disk, &self.recorded()?);
        if unknown.len() > Self::MOST {
            let op = CatalogOp::CatchUp(unknown.len());
            return Err(CatalogError::new(self.path(), op, None));
        }
        let mut unknown = in_order(unknown, listing).into_iter();
        while let Some(dump) = unknown.next() {
            if options.is_stopped() {
                return Err(CatalogError::new(self.path(), CatalogOp::Stopped, None));
            }
            let brought_in = match options.is_in_time() {
                true => self.absorb(dump, options),
                false => Err(CatalogError::new(self.path(), CatalogOp::Stopped, None)),
            };
            match brought_in {
                Ok(()) => done.absorbed.push(dump),
                Err(error) if error.is_interrupted() && !options.is_stopped() => {
                    done.left = std::iter::once(dump).chain(unknown).collect();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// The dumps that are recorded as being there.
    pub(super) fn recorded(&self) -> Result<Dumps, CatalogError> {
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

/// Dumps, and the inodes of their directories; `None` where a listing does not
/// tell them.
pub(super) type Dumps = BTreeMap<DumpId, Option<u64>>;

/// Those of the dumps `these` that are not among `those`.
pub(super) fn missing(these: &Dumps, those: &Dumps) -> Vec<DumpId> {
    let is_missing = |dump: &DumpId, ino: Option<u64>| match (those.get(dump), ino) {
        (None, _) => true,
        (Some(Some(other)), Some(ino)) => *other != ino,
        (Some(_), _) => false,
    };
    let missing = these.iter().filter(|(dump, ino)| is_missing(dump, **ino));
    missing.map(|(dump, _)| *dump).collect()
}

/// The dumps on disk.
pub(super) fn on_disk(catalog: &Catalog, listing: &Listing) -> Result<Dumps, CatalogError> {
    on_disk_at(catalog.path(), catalog.root(), listing)
}

pub(super) fn on_disk_at(
    path: &Path,
    root: &DumpRoot,
    listing: &Listing,
) -> Result<Dumps, CatalogError> {
    let failed = |fault| CatalogError::new(path, CatalogOp::List, Some(Box::new(fault)));
    let tells = FsType::of(root.handle()).is_ok_and(FsType::lists_true_inodes);
    let dumps = listing.numbered().map_err(failed)?;
    let mut dumps: Dumps = dumps
        .into_iter()
        .map(|(name, ino)| (DumpId::Dump(name), tells.then_some(ino)))
        .collect();
    if root.has(DumpId::First).map_err(failed)? {
        let first = dumps::look(root, DumpId::First).ok().flatten();
        dumps.insert(DumpId::First, first.map(|first| first.ino));
    }
    Ok(dumps)
}

/// Dumps by their moments; a first copy comes first.
pub(super) fn in_order(dumps: impl IntoIterator<Item = DumpId>, listing: &Listing) -> Vec<DumpId> {
    let mut dumps: Vec<DumpId> = dumps.into_iter().collect();
    dumps.sort_by_cached_key(|dump| dump.name().map(|name| listing.dated(name)));
    dumps
}

pub(super) fn recorded(db: &Connection) -> rusqlite::Result<Dumps> {
    let mut statement = db.prepare("SELECT name, ino FROM dump WHERE state<>?1")?;
    let rows = statement.query_map([REMOVED], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut dumps = Dumps::new();
    for row in rows {
        let (name, ino) = row?;
        let dump = DumpId::parse(name.as_bytes());
        dumps.extend(dump.map(|dump| (dump, Some(ino.cast_unsigned()))));
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
