//! Names on disk ⇄ values: the only place that spells them.
//!
//! ```text
//! DUMP/current      -> 2026/1122/2331
//! DUMP/current_chk  -> 2026/1101/0500_chk
//! DUMP/first/NEWAGE
//! DUMP/2026/1122/2331/NEWAGE
//! DUMP/2026/1101/0500_chk/NEWAGE
//! DUMP/2026/1122/2331_incomplete          a dump being made
//! DUMP/2026/1101/0500_chk_incomplete      a checkpoint being made
//! DUMP/.dump/lock                         locked by the run that writes
//! DUMP/.dump/busy                         since when no run got the lock
//! DUMP/.dump/removing/2026-1122-2331      a dump on its way out
//! DUMP/.dump/removing/2026-1122-2331.spare  the same, for the next run to recycle
//! DUMP/.dump/erasing                      what an erasure is about to do
//! DUMP/.dump/damaged/123.1700000000       an inode that a scrub replaced
//! DUMP/.dump/catalog.db                   what is remembered between runs
//! ```
//!
//! Every function is total: any bytes may stand in a dump root, and what is
//! not one of these names is `None`, never an error and never a panic.

#[cfg(feature = "catalog")]
mod catalog;
mod damaged;
mod dump_name;
mod link_target;
mod marks;
mod pin_name;
mod removing;
mod restoring;
mod shadow_copy;

use std::ffi::OsStr;
use std::path::Path;

#[cfg(feature = "catalog")]
pub(crate) use catalog::{
    CATALOG, CATALOG_BAD, CATALOG_COPIED, CATALOG_COPIED_JOURNAL, CATALOG_JOURNAL, CATALOG_NEW,
    CATALOG_NEW_JOURNAL, CATALOG_REBUILD, CATALOG_REBUILD_JOURNAL, ROOT_ID,
};
pub(crate) use damaged::{DAMAGED, DamagedLeaf};
pub use dump_name::{BadDumpName, DumpId, DumpName, Found, Sort};
pub(crate) use dump_name::{Day, Year};
pub(crate) use link_target::{LinkTarget, day_around, dump_around, dump_path, is_own, pinned};
pub(crate) use marks::{
    BARE_XATTR, BYTES_XATTR, FLUSHED_XATTR, LINKED_XATTR, MOMENT_XATTR, MOUNTS_XATTR, NAMES_XATTR,
    NEWEST_BIRTH_XATTR, ORIGIN_XATTR, PARTIAL_XATTR, READ_XATTR, RECYCLED_XATTR, TOKEN_XATTR,
    partial_mark, partial_of,
};
pub use pin_name::{BadPinName, PinName};
pub(crate) use removing::{is_still_spared, removing_leaf, spare_leaf, spare_of};
pub(crate) use restoring::{is_left_beside, is_replaced, is_restoring, replaced, restoring};
pub(crate) use shadow_copy::{
    shadow_copy, shadow_copy_dump, shadow_copy_moment, shadow_copy_target,
};

/// The link to the newest complete dump.
pub(crate) const CURRENT: &str = "current";
/// The link to the newest checkpoint.
pub(crate) const CURRENT_CHECKPOINT: &str = "current_chk";
/// The directory of a first copy that somebody made by hand.
pub(crate) const FIRST: &str = "first";
/// The runner's own directory in a dump root.
pub(crate) const STATE_DIR: &str = ".dump";
/// In [`STATE_DIR`]: the file that a run locks.
pub(crate) const LOCK: &str = "lock";
/// In [`STATE_DIR`]: made by a run that found the lock held, removed by the
/// next one that takes it. Its time says since when no run got through.
pub(crate) const BUSY: &str = "busy";
/// In [`STATE_DIR`]: what an erasure is about to do, while it is at work.
pub(crate) const ERASING: &str = "erasing";
/// In [`STATE_DIR`]: dumps on their way out.
pub(crate) const REMOVING: &str = "removing";
/// Where exclude rules are, below a main tree or a dump root.
pub const EXCLUDE_FILE: &str = ".rsync/exclude";
/// The names on which a run tries what a filesystem can do. A run may be
/// killed with any of them in place, so none is ever a tree's.
pub(crate) const TRIALS: [&str; 2] = [".dump_trial", ".dump_trial_link"];
/// The name on which a run tries whether different names are one, and such
/// names: of another case, of another case also outside ASCII, of
/// another way to write the same.
pub(crate) const FOLDED_TRIAL: &str = ".dump_Trial-\u{e9}";
pub(crate) const FOLDED_VARIANTS: [&str; 3] = [
    ".dump_tRIAL-\u{e9}",
    ".dump_Trial-\u{c9}",
    ".dump_Trial-e\u{301}",
];

/// The name under which a new link is made before it is renamed over `link`.
#[must_use]
pub(crate) fn fresh_link(link: &str) -> String {
    format!(".{link}.new")
}

/// Is it what a run left behind of its trials?
#[must_use]
pub(crate) fn is_trial(name: &[u8]) -> bool {
    let trials = TRIALS.iter().chain([&FOLDED_TRIAL]);
    trials.into_iter().any(|trial| trial.as_bytes() == name)
}

/// The name that a tree gets in a dump when none is given: its last one.
/// `None` for `/` and paths that end in `..`.
#[must_use]
pub(crate) fn root_name(main: &Path) -> Option<&OsStr> {
    main.file_name()
}

/// Can these bytes be the name of a root in a dump?
#[must_use]
pub(crate) fn is_root_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name != b"."
        && name != b".."
        && name.len() <= 255
        && !name.contains(&b'/')
        && !name.contains(&0)
        && !is_trial(name)
}

/// The number that decimal digits spell; none spell 0.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |n, b| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}
