//! Looking after the dumps of a dump root.

pub(crate) mod catalog;
pub(crate) mod erase;
mod erase_plan;
mod erased_files;
pub(crate) mod erasure;
mod forget;
#[cfg(feature = "serde")]
mod json;
pub(crate) mod plan;
mod protect;
pub(crate) mod prune;
pub(crate) mod removal;
pub(crate) mod remove;
mod room;
pub(crate) mod scrub;
pub(crate) mod scrub_status;
pub(crate) mod scrubbed;
pub(crate) mod shadow_copies;
pub(crate) mod source_scrubbed;
pub(crate) mod status;
pub(crate) mod trouble;
