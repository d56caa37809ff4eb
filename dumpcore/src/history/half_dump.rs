//! Dumps of which somebody has removed a part: what is missing there was in
//! them, and counts as deleted only because nothing else is known.

use std::io;
use std::path::Path;

use crate::fs::name_count::NameCount;
use crate::fs::size_marks;
use crate::model::fault::{Fault, Op};
use crate::sys::dir::{self, For};

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
