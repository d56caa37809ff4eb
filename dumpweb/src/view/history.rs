//! Looks for the versions of one path that differ.
//!
//! Files of equal size and modification time count as the same: two checkpoints of a
//! large file would be read as a whole otherwise. A file that is really large is never
//! read for it.

use std::sync::Arc;

use dumpcore::{Change, CompareOptions, DumpId, DumpName, HistoryEvent, Location, RelPath};

use crate::view::calendar::Calendar;
use crate::view::error::ViewError;
use crate::view::site::Site;
use crate::view::stop::Stop;
use crate::view::version::{VersionChange, VersionRow, Versions};

/// The number of names that are listed at most for the history of a directory: its
/// own in all dumps together.
const NAMES_LISTED: usize = 4_000_000;

/// Files of more bytes than these are not read to see whether they differ: another
/// modification time counts as a change.
pub(super) const COMPARED: u64 = 16 << 20;

/// How far versions are compared: somebody waits for it.
pub(super) fn compared(stop: &Stop) -> CompareOptions {
    let options = CompareOptions::new().trust_times();
    options.read_at_most(COMPARED).stop(stop.flag())
}

impl VersionRow {
    fn of(event: &HistoryEvent, site: &Site) -> Option<Self> {
        let (change, dump) = match &event.change {
            Change::Create => (VersionChange::Created, event.version.dump),
            Change::Write => (VersionChange::Changed, event.version.dump),
            Change::Wstat => (VersionChange::Attributes, event.version.dump),
            Change::Delete { missing } => {
                let name = missing.strip_prefix(site.path()).ok()?;
                let name = DumpName::parse(name.as_os_str().as_encoded_bytes())?;
                (VersionChange::Deleted, Some(name))
            }
            _ => return None,
        };
        let meta = &event.version.meta;
        Some(Self {
            dump: DumpId::Dump(dump?),
            change,
            kind: meta.kind,
            size: meta.size,
            size_before: event.before.as_ref().map(|before| before.meta.size),
            mtime: meta.mtime,
        })
    }
}

impl Versions {
    /// Of a path in all dumps. `names`: how many names a directory has.
    ///
    /// # Errors
    /// The dump root cannot be listed.
    pub fn find(
        site: &Site,
        within: &RelPath,
        names: usize,
        stop: &Stop,
    ) -> Result<Arc<Self>, ViewError> {
        let calendar = site.calendar()?;
        if let Some(found) = site.remembered(within, &calendar) {
            return Ok(found);
        }
        let too_many = names.saturating_mul(calendar.len()) > NAMES_LISTED;
        let found = Arc::new(if too_many {
            Self {
                left_out: true,
                ..Self::default()
            }
        } else {
            Self::read(site, within, &calendar, stop)
        });
        if !stop.is_set() {
            site.remember(within, &calendar, &found);
        }
        Ok(found)
    }

    fn read(site: &Site, within: &RelPath, calendar: &Calendar, stop: &Stop) -> Self {
        let newest = calendar.newest().and_then(|dump| dump.name());
        let Some(newest) = newest.filter(|_| !within.is_root()) else {
            return Self::default();
        };
        let place = Location::in_dump(newest, within.clone());
        let history = site
            .navigator
            .history(&place)
            .count_entries(false)
            .options(compared(stop));
        let past = history.run();
        let rows = past.events.iter();
        Self {
            rows: rows
                .filter_map(|event| VersionRow::of(event, site))
                .collect(),
            unread: past.faults.len(),
            left_out: false,
        }
    }
}
