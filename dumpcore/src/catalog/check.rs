//! Holding the catalog against the dumps on disk.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::{OptionalExtension as _, params};

use super::absorb::{Base, has, look};
use super::apply::THERE;
use super::catch_up::{in_order, missing, on_disk};
use super::dumps;
use super::error::{CatalogError, CatalogOp};
use super::file::Catalog;
use super::report::{CatalogDifference, Differs};
use super::rows::Rows;
use super::values::{DirId, Facts, Known};
use super::walk::{Directory, Visit};
use super::walk_options::WalkOptions;
use crate::model::event::Event;
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::sys::lock::lock;

/// A tree of a dump that is compared.
struct Check<'c> {
    catalog: &'c Path,
    dump: DumpId,
    base: Base,
    root: &'c Path,
    found: &'c Mutex<Vec<CatalogDifference>>,
}

/// A directory that is compared: its path in the catalog, if it has one, and
/// what it records of it.
struct At(Option<DirId>, Option<Known>);

impl Visit for Check<'_> {
    type At = At;
    type Worker = Rows;

    fn worker(&self) -> Result<Rows, CatalogError> {
        Rows::open(self.catalog)
    }

    fn visit(
        &self,
        rows: &mut Rows,
        directory: &Directory<'_>,
        at: At,
    ) -> Result<Vec<(CString, At)>, CatalogError> {
        let At(id, known) = at;
        // What stands for its attributes is of those that a run could keep.
        let there = Facts::of(&directory.entered.meta);
        let is_other = |known: Known| {
            let there = there.with_digest(known.facts.rdev);
            !known.facts.is_same_inode(&there)
        };
        if known.is_some_and(is_other) {
            self.note(directory.path_of(c""), Differs::Otherwise);
        }
        let Some(id) = id else {
            return Ok(Vec::new());
        };
        let children = self.base.children(rows, id)?;
        let mut below = Vec::new();
        for entry in directory.chunk.iter() {
            let known = children.find(entry.name.to_bytes());
            let known = known.map(|found| *children.get(found).1);
            let meta = look(directory, entry.name)?;
            directory.tell(entry.name, meta.kind, meta.size);
            let path = || directory.path_of(entry.name);
            match known {
                None => self.note(path(), Differs::NotRecorded),
                Some(known) if meta.kind == Kind::Dir && known.facts.kind == Kind::Dir => {
                    let id = rows.subdir(id, entry.name.to_bytes())?.map(|(id, _)| id);
                    below.push((entry.name.to_owned(), At(id, Some(known))));
                }
                Some(known) if !known.facts.is_same_inode(&Facts::of(&meta)) => {
                    self.note(path(), Differs::Otherwise);
                }
                Some(_) => {}
            }
        }
        for (name, _) in children.iter().filter(|(name, _)| !has(directory, name)) {
            let name = CString::new(name).unwrap_or_default();
            self.note(directory.path_of(&name), Differs::NotOnDisk);
        }
        Ok(below)
    }
}

impl Check<'_> {
    fn note(&self, path: PathBuf, how: Differs) {
        let path = path
            .strip_prefix(self.root)
            .map_or(path.clone(), Path::to_path_buf);
        let dump = self.dump;
        let path = Some(path);
        lock(self.found).push(CatalogDifference { dump, path, how });
    }
}

impl Catalog {
    /// Compares the catalog with the dumps on disk: with the last one of each
    /// tree, or with `all`.
    ///
    /// # Errors
    /// When the file is damaged, or a dump cannot be read.
    pub(crate) fn check(
        &mut self,
        all: bool,
        options: &WalkOptions<'_>,
    ) -> Result<Vec<CatalogDifference>, CatalogError> {
        self.check_file()?;
        let listing = self.root().listing();
        let (there, recorded) = (on_disk(self, &listing)?, self.recorded()?);
        let differs = |how| {
            move |dump: DumpId| CatalogDifference {
                dump,
                path: None,
                how,
            }
        };
        let of_dumps = |these, those, how| missing(these, those).into_iter().map(differs(how));
        let mut found: Vec<_> = of_dumps(&there, &recorded, Differs::NotRecorded).collect();
        found.extend(of_dumps(&recorded, &there, Differs::NotOnDisk));
        let is_odd = |dump: &DumpId| found.iter().any(|one| one.dump == *dump);
        let both: Vec<_> = recorded.into_keys().filter(|dump| !is_odd(dump)).collect();
        let found = Mutex::new(found);
        let both = in_order(both, &listing);
        self.expect(&both, all, options)?;
        for dump in both {
            self.check_dump(dump, all, &found, options)?;
        }
        Ok(found
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Is the file itself whole?
    fn check_file(&self) -> Result<(), CatalogError> {
        let sql = "PRAGMA integrity_check(1)";
        let answer = self
            .connection()
            .query_row(sql, [], |row| row.get::<_, String>(0));
        match answer {
            Ok(answer) if answer == "ok" => Ok(()),
            Ok(answer) => Err(CatalogError::damaged(
                self.path(),
                CatalogOp::Read,
                Some(answer.into()),
            )),
            Err(e) => Err(CatalogError::sqlite(self.path(), CatalogOp::Read, e)),
        }
    }

    /// Tells the observer how many entries there are to compare.
    fn expect(
        &self,
        dumps: &[DumpId],
        all: bool,
        options: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let mut entries = 0;
        for dump in dumps {
            let trees = self.trees_of(*dump, all)?;
            entries += trees.iter().map(|tree| tree.entries).sum::<u64>();
        }
        options.observer.event(Event::Expected {
            entries,
            bytes: None,
        });
        Ok(())
    }

    fn check_dump(
        &self,
        dump: DumpId,
        all: bool,
        found: &Mutex<Vec<CatalogDifference>>,
        options: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let recorded = self.trees_of(dump, all)?;
        if recorded.is_empty() && !all {
            return Ok(());
        }
        let mut opened = self.open_dump(dump)?;
        let note = |how, path| lock(found).push(CatalogDifference { dump, path, how });
        if !self.is_recorded_as(dump, &opened.on_disk)? {
            note(Differs::Otherwise, None);
        }
        for tree in &recorded {
            let Some((name, top)) = opened.take(&tree.name) else {
                let path = RelPath::from_bytes(&tree.name);
                note(Differs::NotOnDisk, Some(path.into()));
                continue;
            };
            let check = Check {
                catalog: self.path(),
                dump,
                base: Base::At(tree.seq),
                root: &opened.path,
                found,
            };
            let at = At(Some(tree.top), None);
            opened.walk((&name, top), at, &check, options)?;
        }
        // Where only last dumps are compared, others may be another's last.
        if all {
            for (name, _) in &opened.trees {
                let path = RelPath::from_bytes(name.to_bytes());
                note(Differs::NotRecorded, Some(path.into()));
            }
        }
        Ok(())
    }

    fn is_recorded_as(&self, dump: DumpId, there: &dumps::OnDisk) -> Result<bool, CatalogError> {
        let sql = "SELECT ino, token FROM dump WHERE name=?1";
        let found = self.connection().query_row(sql, [dump.to_string()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?))
        });
        let found = found.optional();
        let found = found.map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Read, e))?;
        Ok(found.is_some_and(|(ino, token)| there.is(ino.cast_unsigned(), token.as_deref())))
    }

    /// The trees that are recorded of a dump: those of which it is the last, or
    /// `all`.
    fn trees_of(&self, dump: DumpId, all: bool) -> Result<Vec<TreeOf>, CatalogError> {
        let sql = "SELECT t.name, t.dir, s.seq, s.entries FROM dump d JOIN series s ON s.dump=d.id
                   JOIN tree t ON t.id=s.tree WHERE d.name=?1 AND d.state=?2
                   AND (?3 OR s.seq=(SELECT max(seq) FROM series WHERE tree=t.id))";
        let find = || -> rusqlite::Result<Vec<TreeOf>> {
            let mut statement = self.connection().prepare_cached(sql)?;
            let found = statement.query_map(params![dump.to_string(), THERE, all], |row| {
                Ok(TreeOf {
                    name: row.get(0)?,
                    top: DirId(row.get(1)?),
                    seq: row.get(2)?,
                    entries: row.get::<_, i64>(3)?.cast_unsigned(),
                })
            })?;
            found.collect()
        };
        find().map_err(|e| CatalogError::sqlite(self.path(), CatalogOp::Read, e))
    }
}

/// A tree that is recorded of a dump.
struct TreeOf {
    name: Vec<u8>,
    top: DirId,
    seq: i64,
    entries: u64,
}
