//! Warnings about what is not in a dump, and trees that are new in one.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::path::Printable;

/// How many kernel filesystems are named: as many as fit a line.
const NAMED: usize = 8;

pub(super) fn dump_root(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    let path = Printable::path(path);
    write!(
        f,
        "{path} is the dump root itself; it is left out of the dump"
    )
}

pub(super) fn kernel(
    f: &mut fmt::Formatter<'_>,
    left_out: &[(PathBuf, &'static str)],
) -> fmt::Result {
    f.write_str("kernel filesystems are left out of the dump:")?;
    for (at, (path, kind)) in left_out.iter().take(NAMED).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma} {} ({kind})", Printable::path(path))?;
    }
    match left_out.len().saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

pub(super) fn restoring(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} belongs to an unfinished restore and is left out of the dump; the next restore of \
         the same path removes it",
        Printable::path(path)
    )
}

pub(super) fn mount_away(f: &mut fmt::Formatter<'_>, path: &Path, last: &Path) -> fmt::Result {
    write!(
        f,
        "nothing is mounted on {}, where the last dump had files; they are not in this dump, and \
         are linked to {} when they return",
        Printable::path(path),
        Printable::path(last)
    )
}

pub(super) fn new_tree(f: &mut fmt::Formatter<'_>, path: &Path, reference: &Path) -> fmt::Result {
    write!(
        f,
        "{} is copied in full: {} does not exist, and no older dump has a tree of that name",
        Printable::path(path),
        Printable::path(reference)
    )
}

pub(super) fn missing_tree(f: &mut fmt::Formatter<'_>, reference: &Path) -> fmt::Result {
    write!(
        f,
        "{} is not in this dump, because this run does not read its tree; sets may take turns in \
         one dump root (this is reported once), or dump all trees in one run to have them in each \
         dump",
        Printable::path(reference)
    )
}
