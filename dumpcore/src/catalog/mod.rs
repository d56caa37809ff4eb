//! What is remembered between runs: one SQLite file in the dump root.
//!
//! It is a cache and a witness, never the truth. Dumps stay plain directories,
//! and nearly all of it can be gathered from them again; so an error of it means
//! that a run does without, and reports once. It may be deleted, of yesterday,
//! damaged or of another dump root at any time: that costs time, never a dump.
//!
//! The pieces:
//!
//! - [`values`]: what goes in and comes out.
//! - `schema`: the tables.
//! - `file`: opening it for a run or for a query, setting it aside.
//! - `rows`: what a worker asks of the head of a tree.
//! - `query`: what is asked about all dumps.
//! - `stage`: what workers found, until it is applied.
//! - `apply`: makes one transaction of that, before a dump is published;
//!   another one confirms it afterwards. `between` does so for a dump that is
//!   older than others which are known.
//!
//! What is not in it:
//!
//! - What was mounted below the trees. Each dump notes that itself
//!   (`fs::mount_notes`), with the newest dump that had what is missing: a run
//!   without a catalog needs it as well, and it goes with a dump that is copied.
//!   No question over all dumps is about mounts, so that a copy of the notes would
//!   only be a second thing that can be wrong.
//! - Where nothing has attributes (`fs::xattr_map`). That note spares the
//!   comparison a call for each entry, the catalog spares the comparison itself;
//!   what is compared anyway, with and without a catalog, needs the note.
//!
//! Without the feature `catalog` the same types exist, and there is never a
//! catalog: callers need no conditions of their own.

#[cfg(feature = "catalog")]
mod absorb;
#[cfg(feature = "catalog")]
mod apply;
#[cfg(feature = "catalog")]
mod between;
#[cfg(feature = "catalog")]
mod catch_up;
#[cfg(all(test, feature = "catalog"))]
mod catch_up_tests;
#[cfg(feature = "catalog")]
mod check;
#[cfg(feature = "catalog")]
mod columns;
#[cfg(feature = "catalog")]
mod copied;
#[cfg(feature = "catalog")]
mod dumps;
#[cfg(feature = "catalog")]
mod erase;
mod error;
#[cfg(feature = "catalog")]
mod file;
#[cfg(feature = "catalog")]
mod inode_xattrs;
#[cfg(not(feature = "catalog"))]
mod inode_xattrs_without;
#[cfg(feature = "serde")]
mod json;
#[cfg(all(test, feature = "catalog"))]
mod model_tests;
#[cfg(feature = "catalog")]
mod open;
#[cfg(feature = "catalog")]
mod opened;
#[cfg(feature = "catalog")]
mod place;
#[cfg(feature = "catalog")]
mod query;
mod query_values;
#[cfg(not(feature = "catalog"))]
mod query_without;
#[cfg(feature = "catalog")]
mod rebuild;
#[cfg(all(test, feature = "catalog"))]
mod rebuild_tests;
#[cfg(feature = "catalog")]
mod recorded;
mod recorded_file;
mod report;
#[cfg(feature = "catalog")]
mod rows;
#[cfg(feature = "catalog")]
mod schema;
#[cfg(feature = "catalog")]
mod scrub_list;
#[cfg(feature = "catalog")]
mod scrub_names;
#[cfg(feature = "catalog")]
mod scrub_record;
#[cfg(all(test, feature = "catalog"))]
mod size_tests;
#[cfg(feature = "catalog")]
mod source_list;
#[cfg(feature = "catalog")]
mod stage;
#[cfg(feature = "catalog")]
mod status;
#[cfg(all(test, feature = "catalog"))]
mod test_root;
#[cfg(all(test, feature = "catalog"))]
mod tests;
#[cfg(all(test, feature = "catalog"))]
mod trust_tests;
mod values;
#[cfg(feature = "catalog")]
mod walk;
mod walk_options;
#[cfg(not(feature = "catalog"))]
mod without;

#[cfg(feature = "catalog")]
pub(crate) use self::columns::attributes_digest;
#[cfg(feature = "catalog")]
pub(crate) use self::copied::CopiedFiles;
pub use self::error::CatalogError;
#[cfg(feature = "catalog")]
pub(crate) use self::file::Catalog;
#[cfg(feature = "catalog")]
pub(crate) use self::inode_xattrs::{composed, inode_digest, is_inode_digest_of, is_whole};
#[cfg(not(feature = "catalog"))]
pub(crate) use self::inode_xattrs_without::{composed, inode_digest, is_inode_digest_of, is_whole};
#[cfg(feature = "catalog")]
pub(crate) use self::query::View;
pub(crate) use self::query_values::{
    CONTENTS_DIFFER, DumpSizes, HashState, Holder, METADATA_DIFFERS, NameDiffers, NameFault, Pair,
    PathVersion, Recorded, ScrubChoice, ScrubNote, ScrubRow, ScrubStatus, Sought, SourceRow,
    StoredFrom, Taken, UsageOf, Wanted,
};
#[cfg(not(feature = "catalog"))]
pub(crate) use self::query_without::View;
#[cfg(feature = "catalog")]
pub(crate) use self::recorded::RecordedHashes;
pub(crate) use self::recorded_file::RecordedFile;
pub use self::report::{CatalogDifference, CatalogRebuilt, CatalogStatus, CatalogTree, Differs};
#[cfg(feature = "catalog")]
pub(crate) use self::rows::Rows;
#[cfg(feature = "catalog")]
pub(crate) use self::scrub_list::ScrubList;
#[cfg(feature = "catalog")]
pub(crate) use self::scrub_names::has_attributes;
#[cfg(feature = "catalog")]
pub(crate) use self::source_list::SourceList;
#[cfg(feature = "catalog")]
pub(crate) use self::stage::Stage;
pub(crate) use self::values::{
    Children, DirId, Facts, Finding, Head, InodeId, Known, NewDump, NewTree, Pending, SourceId,
    StoredInode, TreeId, TreeState, UNSETTLED,
};
pub(crate) use self::walk_options::WalkOptions;
#[cfg(not(feature = "catalog"))]
pub(crate) use self::without::{
    Catalog, CopiedFiles, RecordedHashes, Rows, ScrubList, SourceList, Stage, attributes_digest,
    has_attributes,
};
