//! Comparing a dump with what was recorded of it, while it is copied.
//!
//! The hashes are those of the catalog of the dump root that is read. What is
//! copied is recorded in the catalog of the one that is written, if it has one: a
//! scrub of the copy then knows what was stored at first, also where the copy was
//! made of something damaged. For that alone a catalog is made where there is none.
//! Nothing here fails a run.

use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use super::remember::tell;
use super::{Order, Run};
use crate::catalog::{Catalog, CatalogError, CopiedFiles, Facts, RecordedHashes, WalkOptions};
use crate::engine::{Checked, CopyDamage, Totals};
use crate::model::event::{Event, Phase, Silent};
use crate::policy::content_hash::ContentHash;
use crate::policy::layout::Sort;
use crate::root::DumpRoot;

/// The hashes of what a dump root has, if they can be read.
pub(super) fn hashes_of(root: &DumpRoot, totals: &Totals<'_>) -> Option<RecordedHashes> {
    match RecordedHashes::open(root) {
        Ok(hashes) => hashes,
        // It knows all names of all users: others copy what they may read.
        Err(error) if error.is_closed() => None,
        Err(error) => {
            tell(error, totals);
            None
        }
    }
}

/// A comparison, and the catalog in which it is recorded.
pub(super) struct Checking<'a> {
    catalog: Option<Catalog>,
    pub(super) merge: Checked<'a>,
}

impl Run {
    /// Opens what a dump is compared with while it is copied; `None` where nothing
    /// is recorded of it.
    pub(super) fn checking<'a>(
        &self,
        order: &Order<'a>,
        totals: &Totals<'_>,
    ) -> Option<Checking<'a>> {
        let check = order.check.filter(|_| self.options.catalog)?;
        let hashes = hashes_of(check.root, totals)?;
        let (catalog, copied) = match self.catalog_of_copies() {
            Ok(Some((catalog, copied))) => (Some(catalog), Some(copied)),
            Ok(None) => (None, None),
            Err(error) => {
                tell(error, totals);
                (None, None)
            }
        };
        Some(Checking {
            catalog,
            merge: Checked::new(hashes, copied, check.copies, check.heal),
        })
    }

    /// The catalog of the dump root that is written, if it has one.
    fn catalog_of_copies(&self) -> Result<Option<(Catalog, CopiedFiles)>, CatalogError> {
        if RecordedHashes::open(&self.dump)?.is_none() {
            return Ok(None);
        }
        let Some(catalog) = Catalog::open(&self.dump)? else {
            return Ok(None);
        };
        match catalog.copied_files() {
            Ok(copied) => Ok(Some((catalog, copied))),
            Err(error) => Err(catalog.give_up(error)),
        }
    }

    /// Records what was copied, once it is published.
    pub(super) fn record_copied(&self, sort: Sort, checking: Checking<'_>, totals: &Totals<'_>) {
        let Checking { catalog, merge } = checking;
        let (copied, damaged, failure) = merge.finish();
        if let Some(error) = failure {
            tell(error, totals);
        }
        let damaged = noted(sort, &damaged);
        // What is damaged has to be recorded: the copy is published.
        let never = AtomicBool::new(false);
        let walk = WalkOptions {
            observer: &Silent,
            stop: match damaged.is_empty() {
                true => &self.options.stop,
                false => &never,
            },
            in_time: None,
            jobs: self.options.jobs.unwrap_or(1).max(1),
        };
        if catalog.is_none() && damaged.is_empty() {
            return;
        }
        totals.event(Event::Phase(Phase::Recording));
        let recorded = match catalog {
            Some(catalog) => self.record_in(catalog, copied, &damaged, &walk),
            None => self.record_in_a_new_one(&damaged, &walk),
        };
        // What was asked to stop is done but for that.
        if let Err(error) = recorded
            && !error.is_interrupted()
        {
            tell(error, totals);
        }
    }

    fn record_in(
        &self,
        mut catalog: Catalog,
        copied: Option<CopiedFiles>,
        damaged: &[(Facts, ContentHash)],
        walk: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        let record = || {
            catalog.catch_up(&self.dump.listing(), walk)?;
            if let Some(copied) = copied {
                catalog.note_copied(copied)?;
            }
            note_damaged(&mut catalog, damaged)
        };
        match record() {
            Ok(()) => Ok(()),
            Err(error) => Err(catalog.give_up(error)),
        }
    }

    fn record_in_a_new_one(
        &self,
        damaged: &[(Facts, ContentHash)],
        walk: &WalkOptions<'_>,
    ) -> Result<(), CatalogError> {
        Catalog::rebuild(&self.dump, walk)?;
        note_damaged(&mut Catalog::existing(&self.dump)?, damaged)
    }
}

fn note_damaged(
    catalog: &mut Catalog,
    damaged: &[(Facts, ContentHash)],
) -> Result<(), CatalogError> {
    if damaged.is_empty() {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
    catalog.note_damaged(now, damaged)
}

/// Which inodes of the dump root that is written are damaged: the copies, and of a
/// checkpoint what they are copies of.
fn noted(sort: Sort, damaged: &[CopyDamage]) -> Vec<(Facts, ContentHash)> {
    let is_here = sort == Sort::Checkpoint;
    let each = damaged.iter().flat_map(|damage| {
        let source = is_here.then_some(damage.source);
        let both = damage.made.into_iter().chain(source);
        both.map(|facts| (facts, damage.recorded))
    });
    each.collect()
}
