//! Forgets snapshots, and reclaims what no other snapshot needs.

use rustic_core::PruneOptions;

use super::{Repository, RepositoryError, Snapshot};

/// What a prune reclaims.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reclaimed {
    /// Bytes that nothing needs any more, and that are removed.
    pub(crate) bytes: u64,
    /// Bytes that stay unused, since it would cost more to write again what is
    /// beside them.
    pub(crate) unused_bytes: u64,
}

impl Repository {
    /// What would be reclaimed without these snapshots.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub(crate) fn would_reclaim(&self, gone: &[Snapshot]) -> Result<Reclaimed, RepositoryError> {
        let ids = gone.iter().map(|snapshot| snapshot.file.id);
        let options = PruneOptions::default().ignore_snaps(ids.collect::<Vec<_>>());
        let plan = self.opened()?.prune_plan(&options);
        let plan = plan.map_err(|error| self.failed(error))?;
        Ok(reclaimed(&plan.stats))
    }

    /// Forgets snapshots.
    ///
    /// # Errors
    /// Some of them may be gone.
    pub(crate) fn forget(&self, gone: &[Snapshot]) -> Result<(), RepositoryError> {
        let ids: Vec<_> = gone.iter().map(|snapshot| snapshot.file.id).collect();
        let done = self.opened()?.delete_snapshots(&ids);
        done.map_err(|error| self.failed(error))
    }

    /// Reclaims what no snapshot needs. What another program may be using just now
    /// is only marked, and removed by a prune that comes 23 hours later or more.
    ///
    /// # Errors
    /// What was not done, the next prune does.
    pub(crate) fn reclaim(&self) -> Result<Reclaimed, RepositoryError> {
        let options = PruneOptions::default();
        let opened = self.opened()?;
        let failed = |error| self.failed(error);
        let plan = opened.prune_plan(&options).map_err(failed)?;
        let stats = reclaimed(&plan.stats);
        opened.prune(&options, plan).map_err(failed)?;
        Ok(stats)
    }
}

fn reclaimed(stats: &rustic_core::PruneStats) -> Reclaimed {
    let sizes = stats.size_sum();
    let bytes = sizes.remove + sizes.repackrm;
    Reclaimed {
        bytes,
        unused_bytes: sizes.unused.saturating_sub(bytes),
    }
}
