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
//!
//! | what | where |
//! | --- | --- |
//! | options that programs share | [`options`] |
//! | flag, environment, file or default | [`settings`], [`config`], shown by [`print_config`] |
//! | exclude rules, in the order of their weight | [`excludes`] |
//! | a run from its start to its exit code | [`session`], [`exit`], [`signals`], [`hooks`] |
//! | what is told meanwhile | [`observer`], [`progress`], [`logging`], [`screen`] |
//! | what is told at the end | [`report`], [`json`], [`advice`] |
//! | looking at old versions | [`lookups`], [`lookup`], [`notices`], [`diff`], [`paging`] |
//!
//! A program is then little more than its options and its order to the
//! library:
//!
//! ```no_run
//! use dumpcli::options::{Load, Output, Places, Progress};
//! use dumpcli::session::{Session, Task};
//! use dumpcli::settings::Sources;
//! use dumpcli::Program;
//! use dumpcore::Snapshot;
//!
//! let program = Program {
//!     name: "dumphome",
//!     version: "0.1.0",
//!     doing: "dumping",
//!     unlinked: "the first dump: linked to nothing",
//! };
//! let sources = Sources::load(program, &Places::default())?;
//! let dump = sources.dump(&Places::default()).value;
//! let settings = sources.session(Output::default(), Progress::default(), Load::default());
//! let task = Task {
//!     what: vec!["/home".into()],
//!     dump: dump.clone(),
//!     dry_run: false,
//!     lists_dry_run: true,
//!     origins: Vec::new(),
//! };
//! let exit = Session::start(program, settings, task).run(|watch, stop| {
//!     let snapshot = Snapshot::new(&dump).main("/home");
//!     Ok(snapshot.observer(watch).stop(stop).run()?)
//! });
//! println!("{}", exit.code());
//! # Ok::<(), dumpcli::exit::Failure>(())
//! ```

#![forbid(unsafe_code)]

pub mod advice;
pub mod config;
pub mod diff;
pub mod excludes;
pub mod exit;
pub mod hooks;
pub mod json;
mod log_report;
pub mod logging;
pub mod lookup;
pub mod lookups;
pub mod notices;
pub mod observer;
pub mod options;
pub mod paging;
mod paths;
pub mod print_config;
pub mod progress;
pub mod report;
pub mod screen;
pub mod session;
pub mod settings;
pub mod signals;
mod stream;
mod terminal;

pub use paths::{What, absolute};

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
