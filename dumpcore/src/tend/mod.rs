//! Looking after the dumps of a dump root.

pub(crate) mod catalog;
#[cfg(feature = "serde")]
mod json;
mod protect;
pub(crate) mod removal;
pub(crate) mod remove;
