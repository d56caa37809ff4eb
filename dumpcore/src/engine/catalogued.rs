//! What the catalog knows of the trees that are merged, and what the merge
//! finds out for it: shared by all workers.
//!
//! It promises that the catalog never costs an entry. The first error of it
//! ends its use: nothing more is looked up, what was found out is not applied,
//! and the merge continues as without a catalog. In a dry run it is only read, while
//! others may write to it.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::catalog::{Catalog, CatalogError, DirId, Finding, Rows, Stage, TreeId};
use crate::model::metadata::{Meta, Time};
use crate::sys::disk;
use crate::sys::lock::lock;

/// How many runs it takes until every directory of the reference was compared in
/// full.
const TURNS: u64 = 24;

/// A tree that is merged, as the catalog has it.
#[derive(Debug)]
pub(crate) struct CataloguedTree {
    /// Its name in the dump.
    pub(crate) name: Vec<u8>,
    pub(crate) id: TreeId,
    /// The directory at its top.
    pub(crate) top: DirId,
    /// The time of the dump's filesystem until which directories of the
    /// reference may have changed: one that changed later was touched. `None`:
    /// what the catalog has is not of the reference, or not to be relied on.
    pub(crate) sealed: Option<Time>,
    /// Counts the runs; says which directories are compared in full.
    pub(crate) turn: u64,
    /// How many entries of it are in the dump, each name counted, and how many
    /// bytes its files have together.
    pub(crate) entries: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// The catalog's part in a merge.
pub(crate) struct Catalogued {
    catalog: Mutex<Catalog>,
    stage: Stage,
    trees: Vec<CataloguedTree>,
    /// The catalog's numbers of source filesystems, those of this run among them.
    filesystems: Mutex<HashMap<String, i64>>,
    by_device: Mutex<HashMap<u64, Option<i64>>>,
    /// The directories that may be looked at again, by their number.
    again: Mutex<Vec<i64>>,
    has_failed: AtomicBool,
    failure: Mutex<Option<CatalogError>>,
    /// Is nothing to be made of what is found out?
    is_rehearsal: bool,
    /// When the merge began: what changed before that had changed when it was
    /// read.
    began: SystemTime,
}

impl fmt::Debug for Catalogued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Catalogued");
        shown.field("trees", &self.trees).finish_non_exhaustive()
    }
}

impl Catalogued {
    pub(crate) fn new(
        catalog: Catalog,
        stage: Stage,
        trees: Vec<CataloguedTree>,
        filesystems: HashMap<String, i64>,
    ) -> Self {
        Self {
            catalog: Mutex::new(catalog),
            stage,
            trees,
            filesystems: Mutex::new(filesystems),
            by_device: Mutex::default(),
            again: Mutex::default(),
            has_failed: AtomicBool::new(false),
            failure: Mutex::default(),
            is_rehearsal: false,
            began: SystemTime::now(),
        }
    }

    /// For a dry run.
    pub(crate) fn rehearsing(self) -> Self {
        Self {
            is_rehearsal: true,
            ..self
        }
    }

    /// Entries and bytes of each tree.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (u64, u64)> {
        self.trees.iter().map(|tree| {
            let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
            (of(&tree.entries), of(&tree.bytes))
        })
    }

    /// The catalog, and what was found out for it, or why nothing is to be made
    /// of that.
    pub(crate) fn finish(self) -> (Catalog, Result<Stage, CatalogError>) {
        let catalog = self.catalog.into_inner();
        let mut catalog = catalog.unwrap_or_else(PoisonError::into_inner);
        let filesystems = std::mem::take(&mut *lock(&self.filesystems));
        let failure = lock(&self.failure).take();
        let added = || catalog.add_filesystems(&filesystems).map(|()| self.stage);
        let found = failure.map_or_else(added, Err);
        (catalog, found)
    }

    /// A time of change before this one proves that nothing changed later: it is
    /// this much older than the first look of the merge.
    pub(super) fn settled(&self, settle: Duration) -> Time {
        let settled = self.began.checked_sub(settle);
        settled.map_or(Time::default(), Time::from)
    }

    /// Does the catalog describe the dump that each tree is linked to?
    pub(crate) fn knows_all(&self) -> bool {
        self.trees.iter().all(|tree| tree.sealed.is_some())
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(super) fn tree(&self, name: &[u8]) -> Option<&CataloguedTree> {
        self.trees.iter().find(|tree| tree.name == name)
    }

    /// Ends the use of the catalog; the first reason counts.
    pub(super) fn fail(&self, error: CatalogError) {
        lock(&self.failure).get_or_insert(error);
        self.has_failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    pub(super) fn rows(&self) -> Result<Rows, CatalogError> {
        let catalog = lock(&self.catalog);
        match self.is_rehearsal {
            true => catalog.shared_rows(),
            false => catalog.rows(),
        }
    }

    /// The catalog's number of a source filesystem: `None` of one that does not
    /// keep its inode numbers, or has no lasting name.
    pub(super) fn filesystem(&self, directory: impl AsFd, meta: &Meta) -> Option<i64> {
        if let Some(known) = lock(&self.by_device).get(&meta.dev) {
            return *known;
        }
        let name = disk::inode_space(directory.as_fd());
        let number = name.map(|name| {
            let mut all = lock(&self.filesystems);
            let next = all.values().max().map_or(1, |last| last + 1);
            *all.entry(name).or_insert(next)
        });
        lock(&self.by_device).insert(meta.dev, number);
        number
    }

    /// Remembers a directory for when it is looked at again.
    pub(super) fn note(&self, number: usize, dir: DirId) {
        let mut again = lock(&self.again);
        if again.len() <= number {
            again.resize(number + 1, 0);
        }
        again[number] = dir.0;
    }

    pub(super) fn noted(&self, number: usize) -> Option<DirId> {
        let dir = lock(&self.again).get(number).copied();
        dir.filter(|dir| *dir != 0).map(DirId)
    }

    pub(super) fn add(&self, dir: DirId, found: Vec<Finding>) {
        if found.is_empty() || self.is_rehearsal || self.has_failed() {
            return;
        }
        if let Err(error) = self.stage.add(dir, found) {
            self.fail(error);
        }
    }
}

impl CataloguedTree {
    /// May the names of a directory of the reference be linked by what the
    /// catalog has of them? Not when it was touched since it was published, nor
    /// when it is its turn to be compared: a file's owner can write into a dump
    /// in place, which no directory shows.
    pub(super) fn believes(&self, dir: DirId, reference: &Meta) -> bool {
        let turn = dir.0.unsigned_abs() % TURNS != self.turn % TURNS;
        turn && self.sealed.is_some_and(|sealed| reference.ctime <= sealed)
    }
}
