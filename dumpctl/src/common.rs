//! The options that the words of `dumpctl` share, and what they come to.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};
use dumpcli::advice::{About, explain};
use dumpcli::failure::Failure;
use dumpcli::keys::LogTarget;
use dumpcli::options::{Configuration, Load, Output, Progress};
use dumpcli::origin::Origin;
use dumpcli::origin::Value;
use dumpcli::session_settings::SessionSettings;
use dumpcli::settings::Sources;
use dumpcore::Error;

use crate::PROGRAM;

/// Where the dumps are, and which configuration applies.
#[derive(Args, Debug)]
#[command(next_help_heading = "Places")]
pub(crate) struct Places {
    /// Dump root [env: DUMPROOT, the first directory of a colon-separated list
    /// that exists] [default: /dump]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dump: Option<PathBuf>,
    #[command(flatten)]
    configuration: Configuration,
}

/// What is said, and where.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Telling {
    /// Also log the start and the end to stderr
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Print errors only; suits cron mail
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Where to log: auto, journal, syslog or stderr [default: auto: to the
    /// journal when there is one and stderr is not a terminal, else to stderr]
    #[arg(long, value_name = "WHERE", value_enum, hide_possible_values = true)]
    log: Option<LogTarget>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    progress: Progress,
}

/// What is in force.
pub(crate) struct Settings {
    pub(crate) dump: Value<PathBuf>,
    pub(crate) session: SessionSettings,
}

impl Settings {
    pub(crate) fn resolve(
        places: &Places,
        telling: &Telling,
        jobs: Option<NonZeroU16>,
    ) -> Result<Self, Failure> {
        let sources = Sources::load(PROGRAM, &places.configuration)?;
        let output = Output {
            verbose: telling.verbose,
            quiet: telling.quiet,
            log: telling.log,
            json: telling.json,
        };
        let mut load = Load::default();
        load.jobs = jobs;
        Ok(Self {
            dump: sources.dump(places.dump.clone()),
            session: sources.session(output, telling.progress, load),
        })
    }

    /// An error of the library, with what can be done about it.
    pub(crate) fn explained(&self, error: Error) -> Failure {
        let about = About {
            advice: PROGRAM.advice,
            read: &[],
            dump: &self.dump.value,
            origins: &[Origin::of("--dump", &self.dump)],
        };
        explain(Failure::from(error), about)
    }
}
