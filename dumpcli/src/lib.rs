//! What the dump programs share, so that each of them stays thin.
//!
//! A program parses its [`options`], resolves them against the environment
//! and the configuration [`mod@file`] into values that know where they came from
//! ([`settings`]), starts a [`session`] and gives it the work to do. The
//! session owns everything around that work: the log, the progress line,
//! signals, hooks, the report and the exit code.
//!
//! The library below ([`dumpcore`]) never prints, reads no environment and
//! does not exit: all of that is here.
//!
//! Its folders are its levels: a file imports only from its own folder and from
//! what stands further down this list.
//!
//! | where | what lives there |
//! | --- | --- |
//! | `lookup/` | looking at old versions: [`Lookups`], [`Lookup`], [`notices`], [`diff`], [`paging`] |
//! | `run/` | a run from its start to its exit code: [`command_line`], [`session`], [`signals`], [`hooks`], [`observer`], [`ending`], [`advice`], [`question`]; what follows it: [`pruning`], [`shadowing`] |
//! | `output/` | what is shown meanwhile ([`progress`], [`logging`], [`screen`]) and at the end ([`report`], [`json`], [`metrics`]); numbers for people: [`figures`]; text that fits a terminal: [`fit`], [`mod@help`] |
//! | `config/` | flag, environment, file or default: [`options`], [`mod@environment`], [`mod@file`], [`settings`], shown by [`print_config`]; exclude rules, in the order of their weight: [`excludes`]; which dumps stay: [`keep`], [`policies`]; what Samba is shown: [`shadow`] |
//! | `exit.rs` `failure.rs` `program.rs` `paths.rs` | how a program ends ([`exit`]) and why ([`failure`]), which program it is ([`Program`]), paths as people and machines are told them |
//!
//! A program is then little more than its options and its order to the
//! library:
//!
//! ```no_run
//! use dumpcli::options::{Configuration, Load, Output, Progress};
//! use dumpcli::session::{Session, Task};
//! use dumpcli::settings::Sources;
//! use dumpcli::{Advice, Program};
//! use dumpcore::Snapshot;
//!
//! let program = Program {
//!     name: "dumphome",
//!     version: "0.1.0",
//!     makes: "dump",
//!     unlinked: "the first dump: linked to nothing",
//!     advice: Advice::COMMON,
//! };
//! let sources = Sources::load(program, &Configuration::default())?;
//! let dump = sources.dump(None).value;
//! let settings = sources.session(Output::default(), Progress::default(), Load::default());
//! let task = Task {
//!     what: vec!["/home".into()],
//!     dump: dump.clone(),
//!     dry_run: false,
//!     lists_dry_run: true,
//!     origins: Vec::new(),
//! };
//! let exit = Session::start(program, settings, task).run(|_, options| {
//!     let snapshot = Snapshot::new(&dump).main("/home");
//!     Ok(snapshot.options(options).run()?)
//! });
//! println!("{}", exit.code());
//! # Ok::<(), dumpcli::failure::Failure>(())
//! ```

#![forbid(unsafe_code)]

mod config;
pub mod exit;
pub mod failure;
mod lookup;
mod output;
mod paths;
mod program;
mod run;

pub use config::{
    environment, excludes, file, keep, keys, local_state, options, origin, policies, print_config,
    session_settings, settings, shadow, trees,
};
pub use lookup::{AgoOptions, Hints, Lookup, Lookups, diff, excluded, no_moment, notices, paging};
pub use output::{figures, fit, help, json, logging, metrics, progress, report, screen};
pub use paths::{What, absolute, quoted};
pub use program::{Advice, Program, Root};
pub use run::{
    advice, command_line, ending, hooks, observer, pruning, question, session, shadowing, signals,
};
