//! How many workers there are, and how many descriptors each part may hold.

use std::io;
use std::sync::Arc;

use crate::fs::dir_handle::HandleCache;
use crate::model::event::Warning;
use crate::sys::disk;

/// How file descriptors are divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Directories that may stay open.
    places: usize,
    /// Listings that may stay open.
    pub(super) listings: usize,
    /// Workers for which there are enough descriptors.
    jobs: usize,
    /// Workers that were requested.
    wanted: usize,
}

impl Budget {
    /// A worker holds a directory on three sides, the three above it, and two
    /// files.
    const OF_A_WORKER: usize = 9;
    /// Standard streams, logs, tops of trees, the dump root, and a reserve.
    const OF_THE_PROCESS: usize = 24;

    /// For this many workers, or fewer where file descriptors are few.
    pub(crate) fn new(wanted: usize) -> Self {
        Self::within(disk::descriptor_limit(), wanted)
    }

    fn within(limit: usize, wanted: usize) -> Self {
        let ours = limit.saturating_sub(Self::OF_THE_PROCESS);
        let jobs = wanted.clamp(1, (ours / 2 / Self::OF_A_WORKER).max(1));
        let rest = ours.saturating_sub(jobs * Self::OF_A_WORKER);
        Self {
            places: (rest / 4 * 3).clamp(3, 768),
            listings: (rest / 4).clamp(0, 256),
            jobs,
            wanted,
        }
    }

    /// How many workers there are.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// The warning that there are fewer than were requested.
    pub(crate) fn shortage(&self) -> Option<Warning> {
        (self.jobs < self.wanted).then(|| Warning::FewerJobs {
            asked: self.wanted,
            jobs: self.jobs,
            cause: io::Error::other(
                "the limit on open files allows no more (ulimit -n, RLIMIT_NOFILE)",
            )
            .into(),
        })
    }

    /// The cache of open directories for this budget.
    pub(crate) fn slots(&self) -> Arc<HandleCache> {
        HandleCache::new(self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_workers_only_where_descriptors_are_few() {
        for (limit, wanted, jobs) in [
            (1024, 1, 1),
            (1024, 32, 32),
            (1024, 55, 55),
            (1024, 56, 55),
            (256, 16, 12),
            (64, 8, 2),
            (40, 8, 1),
            (3, 1, 1),
            (usize::MAX, 65_535, 65_535),
        ] {
            let budget = Budget::within(limit, wanted);
            assert_eq!(budget.jobs(), jobs, "{wanted} within {limit}");
            assert_eq!(budget.shortage().is_some(), jobs < wanted);
            let all = budget.places + budget.listings + jobs * Budget::OF_A_WORKER;
            assert!(limit < 40 || all <= limit, "{budget:?} within {limit}");
        }
    }
}
