//! What differs between two dumps. What counts as the same unread is told as in
//! [`history`](super::history).

use dumpcore::{DumpId, PathChange, RelPath, State};

use crate::view::error::ViewError;
use crate::view::history::compared;
use crate::view::site::Site;
use crate::view::stop::Stop;

/// Changes on one page.
pub const ON_A_PAGE: usize = 500;

/// What differs between two dumps.
#[derive(Clone, Debug)]
pub struct DumpChanges {
    /// The older dump.
    pub old: DumpId,
    /// The newer dump.
    pub new: DumpId,
    /// Only below this path; the empty one for all.
    pub below: RelPath,
    /// The changes of this page, by path.
    pub changes: Vec<PathChange>,
    /// How many there are in all.
    pub total: usize,
    /// Which page it is, from 0.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
    /// What could not be compared, and what this user may not read.
    pub unread: u64,
}

impl DumpChanges {
    /// Compares two dumps.
    ///
    /// # Errors
    /// One of them does not exist, or cannot be listed.
    pub fn find(
        site: &Site,
        (old, new): (DumpId, DumpId),
        below: &RelPath,
        page: usize,
        stop: &Stop,
    ) -> Result<Self, ViewError> {
        let root = site.root()?;
        for dump in [old, new] {
            if root.entry(dump, &RelPath::root())?.is_none() {
                return Err(ViewError::Missing(format!("there is no dump {dump}")));
            }
        }
        let (old, new) = in_order(site, old, new)?;
        // A symlink on the way would lead out of the dump.
        let is_reached =
            |dump| -> Result<bool, ViewError> { Ok(root.entry(dump, below)?.is_some()) };
        let mut comparison = site.navigator.compare(State::Dump(old), State::Dump(new));
        comparison = comparison.options(compared(stop));
        if !below.is_root() {
            if !is_reached(old)? && !is_reached(new)? {
                return Err(ViewError::Missing(format!("neither dump has {below}")));
            }
            comparison = comparison.below(below.clone());
        }
        let catalog = site.catalog()?.ok();
        let found = comparison.run(catalog.as_ref())?;
        let total = found.changes.len();
        let pages = total.div_ceil(ON_A_PAGE).max(1);
        let page = page.min(pages - 1);
        let shown = found.changes.into_iter().skip(page * ON_A_PAGE);
        Ok(Self {
            old,
            new,
            below: below.clone(),
            changes: shown.take(ON_A_PAGE).collect(),
            total,
            page,
            pages,
            unread: found.closed + found.faults.len() as u64,
        })
    }
}

/// The older one first, however they were asked for.
fn in_order(site: &Site, one: DumpId, other: DumpId) -> Result<(DumpId, DumpId), ViewError> {
    let calendar = site.calendar()?;
    let is_swapped = calendar.place(one) > calendar.place(other);
    Ok(if is_swapped {
        (other, one)
    } else {
        (one, other)
    })
}
