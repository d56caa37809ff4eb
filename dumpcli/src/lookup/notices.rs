//! What programs that only look say beside their answer: what failed, what a
//! person should know, and what they did where they did something.
//!
//! It goes to stderr, a line each. They keep no log of their own accord, and
//! heed none of the configuration: a look at an old letter is nobody's
//! business. With `--log` they do, by the rules of [`logging`]: `yest --copy
//! --log journal` leaves a trace of what was restored.

use std::sync::Arc;

use clap::Args;

use crate::config::keys::LogTarget;
use crate::config::options::{Load, Output, Progress};
use crate::config::settings::Sources;
use crate::output::logging;
use crate::output::screen::{self, Screen};
use crate::program::Program;

/// How much is said, and where, as options.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct NoticeOptions {
    /// Print errors only, no warnings
    #[arg(short, long)]
    pub quiet: bool,
    /// Log warnings and errors, besides stderr, to: auto, journal, syslog or
    /// stderr [default: no log]
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    pub log: Option<LogTarget>,
}

/// Says things beside the answer.
#[derive(Clone, Copy, Debug)]
pub struct Notices {
    program: Program,
    quiet: bool,
    verbose: bool,
    logged: bool,
}

impl Notices {
    /// Opens the log, if one is asked for. `verbose`: also what was done.
    pub(crate) fn open(
        program: Program,
        sources: &Sources,
        options: NoticeOptions,
        verbose: bool,
    ) -> Self {
        let NoticeOptions { quiet, log } = options;
        if log.is_some() {
            let output = Output {
                verbose: verbose.into(),
                quiet,
                json: false,
                log,
            };
            let settings = sources.session(output, Progress::default(), Load::default());
            // stdout is for the answer.
            logging::open(program, &settings, &Arc::new(Screen::new(true)));
        }
        Self {
            program,
            quiet,
            verbose,
            logged: log.is_some(),
        }
    }

    /// What went wrong.
    pub fn failure(&self, text: &str) {
        if self.logged {
            tracing::error!("{text}");
        } else {
            screen::complain(self.program.name, text);
        }
    }

    /// What a person should know; not with `-q`.
    pub fn warning(&self, text: &str) {
        if self.logged {
            tracing::warn!("{text}");
        } else if !self.quiet {
            screen::remark(self.program.name, text);
        }
    }

    /// What helps a person to read the answer, which is right anyway: on a
    /// terminal, and elsewhere with `-v`, where a program may read both streams.
    pub fn remark(&self, text: &str) {
        if self.logged {
            tracing::info!("{text}");
        } else if self.verbose || (!self.quiet && screen::stderr_is_terminal()) {
            screen::remark(self.program.name, text);
        }
    }

    /// What a program that stays says to those who look at it later, in the journal or
    /// another log; not with `-q`.
    pub fn notice(&self, text: &str) {
        if self.logged {
            tracing::info!("{text}");
        } else if !self.quiet {
            screen::remark(self.program.name, text);
        }
    }

    /// Are warnings unwanted?
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }
}
