//! Values, without any I/O.

pub(crate) mod access;
pub(crate) mod cause;
pub(crate) mod chain;
pub(crate) mod copy_reason;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod fault;
#[cfg(feature = "serde")]
pub(crate) mod json;
pub(crate) mod kind;
pub(crate) mod lacking;
pub(crate) mod loss;
pub(crate) mod metadata;
pub(crate) mod minute;
pub(crate) mod not_recycled;
pub(crate) mod path;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod size;
pub(crate) mod storage;
pub(crate) mod time;
pub(crate) mod tree;
pub(crate) mod unsupported;
pub(crate) mod warning;
