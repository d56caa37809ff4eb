//! What the dump programs share, so that each of them stays thin.
//!
//! A program parses its [`options`], resolves them against the environment
//! and the [`config`] file into values that know where they came from
//! ([`settings`]), starts a [`session`] and gives it the work to do. The
//! session owns everything around that work: the log, the progress line,
//! signals, hooks, the report and the exit code.
//!
//! The library below ([`dumpcore`]) never prints, reads no environment and
//! does not exit: all of that is here.

#![forbid(unsafe_code)]

pub mod config;
pub mod diff;
pub mod excludes;
pub mod exit;
pub mod hooks;
pub mod json;
pub mod logging;
pub mod navigation;
pub mod options;
pub mod paging;
pub mod progress;
pub mod report;
pub mod screen;
pub mod session;
pub mod settings;
pub mod show;
pub mod signals;
mod stream;
mod terminal;
pub mod watch;

/// Which program this is: what it calls itself in logs and messages.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// `dumpme`
    pub name: &'static str,
    /// `0.1.0`
    pub version: &'static str,
    /// What it does to a tree, as in "Start dumping": `dumping`.
    pub doing: &'static str,
    /// What its report says of a dump that is linked to nothing.
    pub unlinked: &'static str,
}
