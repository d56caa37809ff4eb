//! How many workers a run has.

use std::num::NonZero;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::engine::{Budget, Totals};
use crate::model::storage::Jobs;
use crate::policy::workers::default_jobs;
use crate::sys::fstype::FsType;
use crate::sys::medium;

/// How many workers, with what they need: as many as the caller says, else as
/// the disks and processors ask for. That they are fewer than the caller said is
/// told.
pub(super) fn budget<'h>(
    jobs: Option<usize>,
    read: impl Iterator<Item = BorrowedFd<'h>>,
    written: &OwnedFd,
    totals: &Totals<'_>,
) -> (Budget, Jobs) {
    let wanted = match jobs {
        Some(number) => Jobs {
            number: number.max(1),
            chosen_for: None,
        },
        None => {
            let media = read.map(medium::of).chain([medium::of(written)]);
            let processors = std::thread::available_parallelism();
            let contended = FsType::of(written).is_ok_and(FsType::is_contended);
            default_jobs(media, processors.map_or(2, NonZero::get), contended)
        }
    };
    let budget = Budget::new(wanted.number);
    if let Some(shortage) = budget.shortage()
        && wanted.chosen_for.is_none()
    {
        totals.warn(shortage);
    }
    let number = budget.jobs();
    (budget, Jobs { number, ..wanted })
}
