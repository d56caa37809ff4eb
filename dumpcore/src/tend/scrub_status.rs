//! What scrubs have found, as the catalog keeps it.

use chrono::{DateTime, Utc};

use crate::history::CatalogView;
use crate::model::error::Error;

/// What scrubs have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScrubStatus {
    /// When one ended last.
    pub last: Option<DateTime<Utc>>,
    /// When all that dumps hold had been read last.
    pub whole: Option<DateTime<Utc>>,
    /// Files and other entries that are damaged, each counted once however many
    /// dumps have it.
    pub damaged: u64,
    /// Names that are not as they were stored, those of each dump counted.
    pub names: u64,
}

/// What scrubs have found.
pub(super) fn scrubbed(catalog: &CatalogView) -> Result<Option<ScrubStatus>, Error> {
    let found = catalog.scrub_status()?;
    let moment = |nanos: i64| DateTime::from_timestamp_nanos(nanos);
    let any = found.last.is_some() || found.damaged > 0;
    Ok(any.then(|| ScrubStatus {
        last: found.last.map(moment),
        whole: found.whole.map(moment),
        damaged: found.damaged,
        names: found.names,
    }))
}
