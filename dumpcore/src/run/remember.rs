//! The catalog's part in a run: opened before the merge, brought up to what is on
//! the disk, told of the new dump before that is published, and again after.
//!
//! Nothing here fails a run. What is wrong with the catalog is reported once, and
//! the run does without it: the dump is as good, and the next run brings the
//! catalog up to it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::trees::Source;
use super::{Order, Run};
use crate::catalog::{
    Catalog, CatalogError, Head, NewDump, NewTree, Pending, Stage, TreeState, WalkOptions,
};
use crate::engine::{Catalogued, CataloguedTree, Totals};
use crate::fs::marks;
use crate::model::event::{Event, Phase, Silent, Warning};
use crate::model::metadata::Capabilities;
use crate::model::report::Counts;
use crate::policy::layout::{DumpId, DumpName, Sort};
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::{disk, stat};

/// The trees of a run, as the catalog is to have them when the dump is made.
pub(super) struct Remembering {
    trees: Vec<NewTree>,
    pub(super) merge: Catalogued,
}

/// What a merge found out.
pub(super) struct FoundOut {
    catalog: Catalog,
    trees: Vec<NewTree>,
    stage: Stage,
}

/// A dump that the catalog was told of, and that is not known to be published.
pub(super) struct Announced {
    catalog: Catalog,
    pending: Pending,
    dump: OwnedFd,
}

impl Run {
    /// Opens the catalog and brings it up to the dumps that there are; `None`
    /// where it is of no use. What is copied from a dump, or brought in, is
    /// entered by the next run.
    pub(super) fn open_catalog(&self, order: &Order<'_>, totals: &Totals<'_>) -> Option<Catalog> {
        if !self.uses_catalog(order) {
            return None;
        }
        let mut catalog = match Catalog::open(&self.dump) {
            Ok(catalog) => catalog?,
            Err(error) => {
                tell(error, totals);
                return None;
            }
        };
        match self.bring_up(&mut catalog, totals) {
            Ok(()) => Some(catalog),
            Err(error) => {
                tell(catalog.give_up(error), totals);
                None
            }
        }
    }

    fn uses_catalog(&self, order: &Order<'_>) -> bool {
        let fits = order.sort == Sort::Dump && !order.merge.source_is_dump && order.at.is_none();
        fits && self.options.catalog
    }

    /// What the catalog knows of the trees of a dry run, which forecasts by it what
    /// was moved. It is only read, as it is; what is wrong with it, and which dumps
    /// it does not know yet, is for a run to find.
    pub(super) fn recalled(&self, order: &Order<'_>, sources: &[Source]) -> Option<Catalogued> {
        if !self.uses_catalog(order) {
            return None;
        }
        let catalog = Catalog::look(&self.dump).ok()??;
        let recall = || -> Result<_, CatalogError> {
            let mut known = Vec::new();
            for source in sources {
                if let Some(state) = catalog.known_tree(source.name.to_bytes())? {
                    let head = state.head.as_ref();
                    let head = head.filter(|head| is_linked_to(source, head));
                    known.push(known_tree(source, &state, head));
                }
            }
            Ok((known, catalog.stage_aside()?, catalog.filesystems()?))
        };
        let (known, stage, filesystems) = recall().ok()?;
        Some(Catalogued::new(catalog, stage, known, filesystems).rehearsing())
    }

    /// Brings the catalog up to the dumps that there are: those that were made
    /// without it, and those that are gone.
    fn bring_up(&self, catalog: &mut Catalog, totals: &Totals<'_>) -> Result<(), CatalogError> {
        let began = Instant::now();
        let in_time = || began.elapsed() < self.options.catch_up;
        let options = WalkOptions {
            // What is entered is not what this run dumps.
            observer: &Silent,
            stop: &self.options.stop,
            in_time: Some(&in_time),
            jobs: self.options.jobs.unwrap_or(1).max(1),
        };
        totals.event(Event::Phase(Phase::Recording));
        let caught_up = catalog.catch_up(&self.dump.listing(), &options);
        totals.event(Event::Phase(Phase::Storing));
        caught_up.map(|_| ())
    }

    /// What the catalog knows of the trees of a run.
    pub(super) fn remembering(
        &self,
        mut catalog: Catalog,
        sources: &[Source],
        capabilities: &Capabilities,
        totals: &Totals<'_>,
    ) -> Option<Remembering> {
        let known = self.known_trees(&mut catalog, sources, &fingerprint(capabilities));
        let all = known.and_then(|known| Ok((known, catalog.stage()?, catalog.filesystems()?)));
        match all {
            Ok(((trees, known), stage, filesystems)) => Some(Remembering {
                trees,
                merge: Catalogued::new(catalog, stage, known, filesystems),
            }),
            Err(error) => {
                tell(catalog.give_up(error), totals);
                None
            }
        }
    }

    fn known_trees(
        &self,
        catalog: &mut Catalog,
        sources: &[Source],
        fingerprint: &[u8],
    ) -> Result<(Vec<NewTree>, Vec<CataloguedTree>), CatalogError> {
        let (mut trees, mut known) = (Vec::new(), Vec::new());
        for source in sources {
            let name = source.name.to_bytes();
            let state = catalog.tree(name)?;
            let same = state.fingerprint.as_deref() == Some(fingerprint);
            let head = state.head.as_ref();
            let head = head.filter(|head| same && is_linked_to(source, head));
            trees.push(NewTree {
                id: state.id,
                entries: 0,
                bytes: 0,
                fingerprint: Some(fingerprint.to_vec()),
                turn: state.turn.wrapping_add(1),
                base: None,
            });
            known.push(known_tree(source, &state, head));
        }
        Ok((trees, known))
    }
}

/// A tree, and the dump of it that the catalog describes, if it is linked to that.
fn known_tree(source: &Source, state: &TreeState, head: Option<&Head>) -> CataloguedTree {
    CataloguedTree {
        name: source.name.to_bytes().to_vec(),
        id: state.id,
        top: state.top,
        sealed: head.and_then(|head| head.sealed),
        turn: state.turn.into(),
        entries: 0.into(),
        bytes: 0.into(),
    }
}

/// Is a tree linked to the dump that the catalog describes?
fn is_linked_to(source: &Source, head: &Head) -> bool {
    source.reference.as_ref().is_some_and(|reference| {
        reference.path.as_path() == head.dump.path()
            && stat::look_at(&reference.handle).is_ok_and(|meta| meta.ino == head.ino)
    })
}

impl Remembering {
    /// What the merge found out, unless the catalog failed meanwhile.
    pub(super) fn finish(self, totals: &Totals<'_>) -> Option<FoundOut> {
        let mut trees = self.trees;
        for (tree, (entries, bytes)) in trees.iter_mut().zip(self.merge.counted()) {
            (tree.entries, tree.bytes) = (entries, bytes);
        }
        match self.merge.finish() {
            (catalog, Ok(stage)) => Some(FoundOut {
                catalog,
                trees,
                stage,
            }),
            (catalog, Err(error)) => {
                tell(catalog.give_up(error), totals);
                None
            }
        }
    }
}

impl FoundOut {
    /// Tells the catalog of a dump that is about to be published.
    pub(super) fn announce(
        self,
        (name, moment): (DumpName, DateTime<Utc>),
        staging: &Staging<'_>,
        counts: &Counts,
        totals: &Totals<'_>,
    ) -> Option<Announced> {
        let Self {
            mut catalog,
            trees,
            stage,
        } = self;
        // What cannot be looked at now will be entered by the next run.
        let dump = dir::reopen(staging.handle().as_fd(), For::Passing).ok()?;
        let new = NewDump {
            name: DumpId::Dump(name),
            moment: Some(moment),
            ino: stat::look_at(&dump).ok()?.ino,
            token: marks::token(&dump),
            trees,
            partial: counts.lacking() > 0,
            added_bytes: Some(counts.allocated),
            dir_bytes: (counts.directories)
                .saturating_mul(disk::block_size(&dump))
                .saturating_add(counts.large_directories),
        };
        match catalog.apply(stage, &new) {
            Ok(pending) => Some(Announced {
                catalog,
                pending,
                dump,
            }),
            Err(error) => {
                tell(catalog.give_up(error), totals);
                None
            }
        }
    }
}

impl Announced {
    /// Says that the dump is published.
    pub(super) fn confirm(mut self, totals: &Totals<'_>) {
        let sealed = stat::look_at(&self.dump).map(|meta| meta.ctime).ok();
        if let Err(error) = self.catalog.confirm(self.pending, sealed) {
            tell(self.catalog.give_up(error), totals);
        }
    }
}

pub(super) fn tell(error: CatalogError, totals: &Totals<'_>) {
    totals.warn(Warning::CatalogUnused {
        path: error.path().to_path_buf(),
        cause: std::io::Error::other(error).into(),
    });
}

/// What could be preserved when a dump was made: where that is other now, what
/// the catalog says of an entry does not prove that a copy would be the same.
fn fingerprint(capabilities: &Capabilities) -> Vec<u8> {
    format!("1 {capabilities:?}").into_bytes()
}
