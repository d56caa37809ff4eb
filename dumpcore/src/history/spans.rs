//! Dumps condensed: runs of the same state, and of these what each span of
//! the calendar leaves.

use std::path::PathBuf;

use chrono::{DateTime, Local, Utc};

use super::version::Version;
use crate::model::metadata::Id;
use crate::model::minute::Stamp;
use crate::root::listing::Dated;

/// A span of the calendar of which only the last version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// A calendar year.
    Year,
    /// A month of one year.
    Month,
    /// A day of one year.
    Day,
    /// An hour of one day.
    Hour,
}

impl Keep {
    /// What two moments of the same span have in common, in local time.
    fn span(self, at: DateTime<Utc>) -> (i32, u32, u32, u32) {
        let at = Stamp::of(&at.with_timezone(&Local));
        let all = (at.year(), at.month(), at.day(), at.hour());
        match self {
            Keep::Year => (all.0, 0, 0, 0),
            Keep::Month => (all.0, all.1, 0, 0),
            Keep::Day => (all.0, all.1, all.2, 0),
            Keep::Hour => all,
        }
    }
}

/// Consecutive dumps in which the path was the same.
#[derive(Clone, Debug)]
pub(super) struct Span {
    /// The version in the first of them; `None` for its absence.
    pub(super) version: Option<Version>,
    /// The inode in the last of them.
    pub(super) id: Option<Id>,
    pub(super) first: Dated,
    pub(super) last: Dated,
    /// The name in the dump before, when it was another.
    pub(super) renamed_from: Option<PathBuf>,
}

impl Span {
    pub(super) fn new(dump: Dated, version: Option<Version>) -> Self {
        Self {
            id: version.as_ref().map(|v| v.meta.id()),
            version,
            first: dump,
            last: dump,
            renamed_from: None,
        }
    }
}

/// Of each span the last version, and the absence with which it ends.
pub(super) fn thinned(runs: Vec<Span>, every: Keep) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::new();
    for mut run in runs {
        let span = every.span(run.first.moment);
        // What was renamed and then changed is a rename as well; but
        // what is before an absence was another file.
        let mut same_file = true;
        // An absence does not take the place of the version before it; a
        // version takes the place of all that its span had.
        while let Some(last) = kept.pop_if(|last| {
            every.span(last.first.moment) == span
                && (run.version.is_some() || last.version.is_none())
        }) {
            same_file &= last.version.is_some();
            if same_file && last.renamed_from.is_some() {
                run.renamed_from = last.renamed_from;
            }
        }
        kept.push(run);
    }
    kept
}
