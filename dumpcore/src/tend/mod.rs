//! Looking after the dumps of a dump root.

mod protect;
pub(crate) mod removal;
pub(crate) mod remove;
