//! A run from its command line to its exit code.

pub mod advice;
pub mod command_line;
pub mod ending;
pub mod hooks;
pub mod observer;
pub mod pruning;
pub mod question;
pub mod session;
pub mod shadowing;
pub mod signals;
