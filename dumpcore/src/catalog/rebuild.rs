//! Making the catalog from the dumps themselves.
//!
//! It is made in a file of its own, which takes the place of the old one when
//! it is whole and flushed. What only the old one knows, hashes and sources, is
//! taken over for inodes that are what they were.

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;

use rusqlite::Connection;

use super::apply::within;
use super::catch_up::{in_order, on_disk_at};
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::open;
use super::place::{Place, path_in};
use super::report::CatalogRebuilt;
use super::schema;
use super::walk_options::WalkOptions;
use crate::fs::size_marks;
use crate::model::event::Event;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::sys::name::c_name;
use crate::sys::{disk, file, link};

impl Catalog {
    /// Makes a new catalog of all dumps. The dump root is locked.
    ///
    /// # Errors
    /// The old catalog is as it was then. A dump that cannot be read to the end
    /// is none: it is left out, and named in what is returned.
    pub(crate) fn rebuild(
        root: &DumpRoot,
        options: &WalkOptions<'_>,
    ) -> Result<CatalogRebuilt, CatalogError> {
        let mut catalog = Self::begin_rebuild(root)?;
        let made = catalog.bring_in_all(options).and_then(|mut rebuilt| {
            rebuilt.kept_old = catalog.keep_from_old();
            catalog.take_place()?;
            Ok(rebuilt)
        });
        if let Ok(Some(place)) = Place::of(root) {
            open::remove_leftovers(&place.dir);
        }
        made
    }

    /// What a rebuild would record, if all dumps can be read.
    pub(crate) fn would_rebuild(root: &DumpRoot) -> Result<CatalogRebuilt, CatalogError> {
        let dumps = on_disk_at(&path_in(root, layout::CATALOG), root, &root.listing())?;
        Ok(CatalogRebuilt {
            dry_run: true,
            dumps: dumps.len() as u64,
            left_out: Vec::new(),
            kept_old: Self::read(root).is_ok_and(|old| old.is_some()),
        })
    }

    fn bring_in_all(&mut self, options: &WalkOptions<'_>) -> Result<CatalogRebuilt, CatalogError> {
        let listing = self.root().listing();
        let dumps = on_disk_at(self.path(), self.root(), &listing)?;
        let dumps = in_order(dumps.into_keys(), &listing);
        if let Some(entries) = self.names_in(&dumps) {
            options.observer.event(Event::Expected {
                entries,
                bytes: None,
            });
        }
        let mut rebuilt = CatalogRebuilt::default();
        for dump in dumps {
            match self.absorb(dump, options) {
                Ok(()) => rebuilt.dumps += 1,
                Err(error) if error.is_of_a_dump() => rebuilt.left_out.push((dump, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(rebuilt)
    }

    /// How many names the dumps have, as they were published with.
    fn names_in(&self, dumps: &[DumpId]) -> Option<u64> {
        let names = |dump: &DumpId| {
            let handle = self.root().open_dump(&dump.rel_path()).ok()?;
            size_marks::names(&handle)
        };
        dumps.iter().map(names).sum()
    }

    /// Takes over what the old catalog knows of inodes that are what they were.
    /// Was there one that could be read?
    fn keep_from_old(&self) -> bool {
        let old = self.place().file(layout::CATALOG);
        // Opened for writing, so that what was cut off is undone.
        if open::connect(self.root(), self.place(), &old, true).is_err() {
            return false;
        }
        let db = self.connection();
        if db
            .execute("ATTACH ?1 AS o", [old.as_os_str().as_bytes()])
            .is_err()
        {
            return false;
        }
        let kept = schema::set_unsynced_with_journal(db).and_then(|()| within(db, keep));
        db.flush_prepared_statement_cache();
        let _ = db.execute_batch("DETACH o");
        kept.is_ok()
    }

    /// Puts the file in the place of the old one.
    fn take_place(self) -> Result<(), CatalogError> {
        let path = self.path().to_path_buf();
        let state = self.close()?.dir;
        let name = |name: &str| c_name(name.as_bytes());
        let place = || {
            let (new, old) = (name(layout::CATALOG_REBUILD), name(layout::CATALOG));
            let made = file::open_file(state.as_fd(), &new)?;
            disk::sync(&made)?;
            // One that was cut off has been undone, or belongs to a file that is
            // of no use.
            let _ = link::remove(state.as_fd(), &name(layout::CATALOG_JOURNAL));
            link::rename_over(state.as_fd(), &new, state.as_fd(), &old)?;
            disk::sync(&state)
        };
        place().map_err(|e| CatalogError::io(&path, CatalogOp::Write, e))
    }
}

/// Takes over hashes and sources from the catalog `o`, of inodes of equal
/// number, birth and facts; of directories and trees, where the last dump is the
/// same.
fn keep(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "INSERT OR IGNORE INTO filesystem SELECT id, uuid FROM o.filesystem;
         UPDATE inode AS m SET hash=x.hash, xattrs=x.xattrs, src_fs=x.src_fs, src_ino=x.src_ino,
             src_born=x.src_born, src_ctime=x.src_ctime
           FROM o.inode x WHERE x.ino=m.ino AND x.born=m.born AND m.ino IS NOT NULL AND m.born<>0
           AND x.kind=m.kind AND x.mode=m.mode AND x.uid=m.uid AND x.gid=m.gid
           AND x.size=m.size AND x.mtime=m.mtime AND x.rdev=m.rdev;
         INSERT INTO scrubbed SELECT m.id, s.at, s.hashed, s.fault, s.xattrs FROM o.scrubbed s
           CROSS JOIN o.inode x ON x.id=s.inode CROSS JOIN inode m ON m.ino=x.ino AND m.born=x.born
           WHERE m.born<>0 AND x.kind=m.kind AND x.size=m.size AND x.mtime=m.mtime;
         INSERT INTO scrubbed_dump SELECT d.id, s.at, s.faults FROM o.scrubbed_dump s
           CROSS JOIN o.dump e ON e.id=s.dump CROSS JOIN dump d ON d.name=e.name AND d.ino=e.ino;
         INSERT INTO scrub SELECT * FROM o.scrub;
         UPDATE inode AS m SET src_dir=l.dir FROM live l
           WHERE m.id=l.inode AND m.src_ino IS NOT NULL;
         CREATE TEMP TABLE kept(id INTEGER PRIMARY KEY);
         INSERT INTO kept SELECT t.id FROM tree t CROSS JOIN o.tree u ON u.name=t.name
           CROSS JOIN dump d ON d.id=(SELECT dump FROM series WHERE tree=t.id ORDER BY seq DESC LIMIT 1)
           CROSS JOIN o.dump e ON e.id=(SELECT dump FROM o.series WHERE tree=u.id ORDER BY seq DESC LIMIT 1)
           WHERE d.name=e.name AND d.ino=e.ino AND d.token IS e.token AND e.state=1;
         UPDATE tree AS t SET fingerprint=u.fingerprint, turn=u.turn FROM o.tree u
           WHERE u.name=t.name AND t.id IN (SELECT id FROM kept);
         WITH RECURSIVE pair(new, old) AS (
             SELECT t.dir, u.dir FROM tree t JOIN o.tree u ON u.name=t.name
               WHERE t.id IN (SELECT id FROM kept)
             UNION ALL SELECT n.id, v.id FROM pair p CROSS JOIN dir n ON n.parent=p.new
               CROSS JOIN o.dir v ON v.parent=p.old AND v.name=n.name)
           UPDATE dir SET (src_fs, src_ino, src_born) =
             (SELECT v.src_fs, v.src_ino, v.src_born FROM pair p JOIN o.dir v ON v.id=p.old
              WHERE p.new=dir.id)
           WHERE id IN (SELECT new FROM pair);
         DROP TABLE kept;",
    )
}
