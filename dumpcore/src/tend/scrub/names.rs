//! The names of dumps, held against the catalog.

use std::sync::Mutex;
use std::time::Instant;

use super::book::Book;
use super::worksite::Worksite;
use crate::catalog::{NameDiffers, NameFault, View};
use crate::model::error::Error;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::sys::lock::lock;

/// Looks at the names of these dumps. Were all of them looked at?
pub(super) fn compare(
    site: &Worksite<'_>,
    dumps: &[DumpId],
    until: Option<Instant>,
    book: &Mutex<Book>,
) -> Result<bool, Error> {
    let Some(view) = View::open(site.root)? else {
        return Ok(true);
    };
    let view = view.patient()?;
    let in_time = || until.is_none_or(|until| Instant::now() < until);
    for dump in dumps {
        if !site.may_begin() || !in_time() {
            return Ok(false);
        }
        match view.compare_names(site.root, *dump, &site.walk_options(Some(&in_time))) {
            Ok(differ) => lock(book).names(site, *dump, differ),
            Err(error) if error.is_interrupted() => return Ok(false),
            Err(error) if error.is_of_a_dump() => {
                let fault = NameFault::Unread(error.to_string());
                let path = RelPath::root();
                lock(book).names(site, *dump, vec![NameDiffers { path, fault }]);
            }
            Err(error) => return Err(error.into()),
        }
        lock(book).record_if_due(site)?;
    }
    Ok(true)
}
