//! Looking after the catalog: its state, making it again from the dumps,
//! comparing it with them.

use std::path::PathBuf;

use crate::catalog::WalkOptions;
use crate::catalog::{Catalog, CatalogDifference, CatalogError, CatalogRebuilt, CatalogStatus};
use crate::engine::Budget;
use crate::model::error::Error;
use crate::model::event::{Event, Phase};
use crate::root::DumpRoot;
use crate::run::{RunOptions, removing, takes_run_options};

/// Looks after the catalog of a dump root, which is what is remembered between
/// runs. It may be made again at any time from the dumps themselves.
///
/// ```no_run
/// use dumpcore::CatalogTools;
///
/// let tools = CatalogTools::new("/dump");
/// if !tools.status()?.is_some_and(|status| status.is_whole()) {
///     tools.rebuild()?;
/// }
/// for difference in tools.check()? {
///     println!("{}: {}", difference.dump, difference.how);
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is done until it is asked for"]
pub struct CatalogTools {
    root: PathBuf,
    all: bool,
    options: RunOptions,
}

impl CatalogTools {
    /// Of this dump root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            all: false,
            options: RunOptions::new(),
        }
    }

    /// Does [`CatalogTools::check`] compare all dumps, not only the newest one of
    /// each tree?
    pub fn all(mut self, yes: bool) -> Self {
        self.all = yes;
        self
    }

    takes_run_options!();

    /// What the catalog knows and lacks; `None` when there is none. Takes no
    /// lock.
    ///
    /// # Errors
    /// [`Error::DumpUnusable`], or a [`CatalogError`] in [`Error::Other`] when it
    /// may not be read, is damaged or of another dump root, or locked for long.
    pub fn status(&self) -> Result<Option<CatalogStatus>, Error> {
        let root = self.opened()?;
        match Catalog::read(&root)? {
            None => Ok(None),
            Some(reading) => Ok(Some(reading.status(&root)?)),
        }
    }

    /// Makes the catalog from the dumps, and replaces the old one by it; hashes
    /// are kept where an inode is what it was. The old one stays when this fails
    /// or is stopped.
    ///
    /// An observer is told [`Event::Expected`] where all dumps say how many
    /// names they have, and [`Event::Entry`] of each.
    ///
    /// # Errors
    /// [`Error::Busy`] when a run holds the dump root, [`Error::Interrupted`]
    /// when it was stopped, or a [`CatalogError`] in [`Error::Other`]. A dump that
    /// cannot be read is none, but in what is returned.
    pub fn rebuild(&self) -> Result<CatalogRebuilt, Error> {
        let root = self.opened()?;
        root.outside_of_dumps()?;
        if self.options.dry_run {
            return Ok(Catalog::would_rebuild(&root)?);
        }
        let lock = root.lock()?;
        self.options.observer.event(Event::Phase(Phase::Recording));
        let rebuilt = Catalog::rebuild(&root, &self.walk_options(&root));
        drop(lock);
        rebuilt.map_err(|error| self.failed(error))
    }

    /// Compares the catalog with the dumps on disk: which there are, and all
    /// entries of the newest one of each tree.
    ///
    /// # Errors
    /// As for [`CatalogTools::rebuild`]; also when there is no catalog.
    pub fn check(&self) -> Result<Vec<CatalogDifference>, Error> {
        let root = self.opened()?;
        root.outside_of_dumps()?;
        let lock = root.lock()?;
        self.options.observer.event(Event::Phase(Phase::Recording));
        let options = self.walk_options(&root);
        let checked =
            Catalog::existing(&root).and_then(|mut catalog| catalog.check(self.all, &options));
        drop(lock);
        checked.map_err(|error| self.failed(error))
    }

    fn opened(&self) -> Result<DumpRoot, Error> {
        let root = DumpRoot::open(&self.root)?;
        Ok(root.with_local_state(self.options.local_state.clone()))
    }

    fn walk_options(&self, root: &DumpRoot) -> WalkOptions<'_> {
        let jobs = self.options.jobs;
        let jobs = jobs.unwrap_or_else(|| removing::removing_jobs(root));
        WalkOptions {
            observer: &*self.options.observer,
            stop: &self.options.stop,
            in_time: None,
            jobs: Budget::new(jobs).jobs(),
        }
    }

    fn failed(&self, error: CatalogError) -> Error {
        match error.is_interrupted() {
            true => Error::Interrupted,
            false => error.into(),
        }
    }
}
