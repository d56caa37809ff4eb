//! What holds for a run around its work: output, log, load and hooks.

use std::num::NonZeroU16;

use dumpcore::{Rate, RunOptions};

use crate::config::keys::{LogTarget, OneOrMany};
use crate::config::local_state::local_state;
use crate::config::options::{Load, Output, Progress};
use crate::config::origin::Value;
use crate::config::settings::Sources;

/// What a [`Session`](crate::session::Session) needs to know.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// How often `-v` was given.
    pub verbose: u8,
    /// `-q`
    pub quiet: bool,
    /// `--json`
    pub json: bool,
    /// What is wrong in the configuration where it does no harm here.
    pub warnings: Vec<String>,
    /// Where the log goes.
    pub log: Value<LogTarget>,
    /// Show progress; unset: when stderr is a terminal.
    pub progress: Option<Value<bool>>,
    /// How many workers; unset: chosen by the library.
    pub jobs: Option<Value<NonZeroU16>>,
    /// How fast contents may be copied.
    pub bwlimit: Value<Rate>,
    /// Give way to everybody else on the machine.
    pub idle: Value<bool>,
    /// The command to run before.
    pub pre: Option<Value<OneOrMany>>,
    /// The command to run after.
    pub post: Option<Value<OneOrMany>>,
}

impl SessionSettings {
    /// What an operation of the library gets of these: how much of the
    /// machine it may use. Who observes and who stops it is added to that.
    pub fn run_options(&self) -> RunOptions {
        let jobs = self.jobs.as_ref().map(|jobs| jobs.value.get().into());
        let options = RunOptions::new().jobs(jobs).bwlimit(self.bwlimit.value);
        options.local_state(local_state())
    }
}

impl Sources {
    /// What a session needs to know.
    #[must_use]
    pub fn session(&self, output: Output, progress: Progress, load: Load) -> SessionSettings {
        let hook = |command: &OneOrMany| command.clone();
        SessionSettings {
            verbose: output.verbose,
            quiet: output.quiet,
            json: output.json,
            warnings: self.warnings().to_vec(),
            log: self.pick(
                output.log,
                None,
                |s| s.log.as_ref(),
                |v| *v,
                LogTarget::Auto,
            ),
            progress: self.find(progress.wanted(), None, |s| s.progress.as_ref(), |v| *v),
            jobs: self.find(load.jobs, None, |s| s.jobs.as_ref(), |v| *v),
            bwlimit: self.pick(
                load.bwlimit,
                None,
                |s| s.bwlimit.as_ref(),
                |limit| limit.0,
                Rate::UNLIMITED,
            ),
            idle: self.pick(load.idle(), None, |s| s.idle.as_ref(), |v| *v, false),
            pre: self.find(None, None, |s| s.hooks.as_ref()?.pre.as_ref(), hook),
            post: self.find(None, None, |s| s.hooks.as_ref()?.post.as_ref(), hook),
        }
    }
}
