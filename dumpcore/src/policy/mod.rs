//! Rules without I/O: what is answered from values alone.

pub(crate) mod attention;
pub(crate) mod candidate;
pub(crate) mod content_hash;
pub(crate) mod date;
mod differences;
pub(crate) mod erase_note;
pub(crate) mod filter;
pub(crate) mod flushed;
pub(crate) mod heal_note;
#[cfg(feature = "serde")]
mod json;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod moment;
pub(crate) mod mounts;
pub(crate) mod name_test;
pub(crate) mod next_name;
pub(crate) mod old_copies;
pub(crate) mod rate_limit;
pub(crate) mod retention;
pub(crate) mod span;
pub(crate) mod touched;
pub(crate) mod when;
pub(crate) mod workers;
