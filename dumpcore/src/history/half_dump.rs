//! Dumps of which somebody has removed a part: what is missing there was in
//! them, and counts as deleted only because nothing else is known.

use std::io;
use std::path::Path;

use super::change::{Change, Event};
use crate::fs::name_count::NameCount;
use crate::fs::size_marks;
use crate::model::fault::{Fault, Op};
use crate::sys::dir::{self, For};

/// How many of the last dumps without the path are counted, to see whether they
/// are whole: each is listed for that from top to bottom.
const COUNTED: usize = 4;

/// What is wrong with a dump that has fewer entries than it was published with.
pub(super) fn lost_entries(dump: &Path) -> Option<Fault> {
    let handle = dir::open_root(dump, For::Reading).ok()?;
    let published = size_marks::names(&handle)?;
    let now = NameCount::below(&handle, &|| true);
    let lost = now.complete && now.names < published;
    lost.then(|| {
        let cause = format!(
            "only {} of the {published} entries that it was published with are left, because \
             somebody removed the others",
            now.names
        );
        Fault::new(Op::List, dump.to_path_buf(), io::Error::other(cause))
    })
}

/// The dumps that lack a path because they lost entries, by the path's history.
/// Looked for only where the path came back: what was deleted for good does not
/// show that.
pub(super) fn half_dumps(events: &[Event], is_there_now: impl FnOnce() -> bool) -> Vec<Fault> {
    let events = events.iter().enumerate();
    let last = events.len();
    let mut deletes: Vec<_> = events
        .rev()
        .filter_map(|(number, event)| match &event.change {
            Change::Delete { missing } => Some((number, missing)),
            _ => None,
        })
        .collect();
    if deletes
        .first()
        .is_some_and(|(number, _)| *number + 1 == last)
        && !is_there_now()
    {
        deletes.remove(0);
    }
    let counted = deletes.into_iter().take(COUNTED);
    counted.filter_map(|(_, dump)| lost_entries(dump)).collect()
}
