//! A run from its start to its exit code.

pub mod advice;
pub mod hooks;
pub mod observer;
pub mod session;
pub mod signals;
