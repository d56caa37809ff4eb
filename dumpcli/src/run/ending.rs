//! How a run ended, told once in the log and once on the screen.

use std::path::PathBuf;

use dumpcore::{Chain, Printable, Report};
use tracing::Level;

use crate::config::session_settings::SessionSettings;
use crate::exit::Exit;
use crate::failure::{Failure, HookFault};
use crate::output::{json, log_report, logging, report, screen, stream};
use crate::paths::{What, absolute};
use crate::program::Program;
use crate::run::pruning::AfterRun;

/// How work ended that did not fail.
#[derive(Debug)]
pub enum Ended {
    /// It published, or in a dry run would have.
    Made(Box<Report>),
    /// It published, and pruned.
    Pruned(Box<Report>, Box<AfterRun>),
    /// What was to be made is there already.
    There(PathBuf),
    /// What was to be made cannot be due yet, and that is as it should be; the
    /// newest dump that is there.
    NotYet(PathBuf),
}

impl From<Report> for Ended {
    fn from(report: Report) -> Self {
        Ended::Made(Box::new(report))
    }
}

impl Ended {
    /// The report of a run that published, or in a dry run would have.
    pub(crate) fn report(&self) -> Option<&Report> {
        match self {
            Ended::Made(report) | Ended::Pruned(report, _) => Some(report),
            Ended::There(_) | Ended::NotYet(_) => None,
        }
    }

    /// What became of the dumps that are not to be kept.
    pub(crate) fn pruned(&self) -> Option<&AfterRun> {
        match self {
            Ended::Pruned(_, pruned) => Some(pruned),
            _ => None,
        }
    }
}

/// How the work ended.
pub(crate) type Outcome = Result<Ended, Failure>;

/// The end of a run, and what is said about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) program: Program,
    pub(crate) settings: &'a SessionSettings,
    /// What was read.
    pub(crate) what: &'a What,
    /// How long it took.
    pub(crate) seconds: f64,
    pub(crate) outcome: &'a Outcome,
    /// The hook that failed after it.
    pub(crate) hook: Option<&'a HookFault>,
    pub(crate) exit: Exit,
}

impl Ending<'_> {
    /// In the log: one entry.
    pub(crate) fn log(&self) {
        let (noun, exit) = (self.program.makes, self.exit);
        match self.outcome {
            Ok(ended @ (Ended::Made(report) | Ended::Pruned(report, _))) => {
                log_report::log_report(noun, self.what, report, self.hook, exit);
                ended.pruned().into_iter().for_each(AfterRun::log);
            }
            Ok(Ended::There(dump)) => {
                let (whole, dump) = (absolute(dump), Printable::path(dump));
                let whole = Printable::path(&whole);
                tracing::info!(
                    target: logging::REPORTED,
                    DUMP_PATH = %whole,
                    DUMP_MAIN = self.what.absolute(),
                    DUMP_STATUS = json::PRESENT,
                    DUMP_EXIT = exit.code(),
                    "nothing to do for the {noun} of {}: {dump} exists already",
                    self.what
                );
            }
            Ok(Ended::NotYet(newest)) => tracing::info!(
                target: logging::REPORTED,
                DUMP_MAIN = self.what.absolute(),
                DUMP_STATUS = json::NOT_YET,
                DUMP_EXIT = exit.code(),
                "nothing to do for the {noun} of {}: {}",
                self.what,
                report::not_yet(newest)
            ),
            Err(failure) => self.log_failure(failure),
        }
    }

    fn log_failure(&self, failure: &Failure) {
        let (noun, exit) = (self.program.makes, self.exit);
        macro_rules! log {
            ($target:expr, $level:expr, $sentence:literal) => {
                tracing::event!(
                    target: $target,
                    $level,
                    DUMP_STATUS = exit.status(),
                    DUMP_EXIT = exit.code(),
                    DUMP_MAIN = self.what.absolute(),
                    DUMP_SECONDS = self.seconds,
                    DUMP_ERROR = %failure,
                    $sentence, self.what
                )
            };
        }
        match exit {
            Exit::Stopped(_) => log!(logging::END, Level::WARN, "{noun} of {}: {failure}"),
            Exit::Busy => log!(logging::END, Level::WARN, "no {noun} of {}: {failure}"),
            Exit::NotNow => log!(logging::NO_RUN, Level::INFO, "no {noun} of {}: {failure}"),
            _ => log!(logging::END, Level::ERROR, "{noun} of {} failed: {failure}"),
        }
    }

    /// On the screen: the report, or the object that stands for it.
    pub(crate) fn tell(&self) {
        let (program, hook, exit) = (self.program, self.hook, self.exit);
        let text = match self.outcome {
            _ if self.settings.json => {
                let object = match self.outcome {
                    Ok(Ended::Made(report)) => json::of_report(program, report, hook, exit),
                    Ok(Ended::Pruned(report, pruned)) => {
                        let mut object = json::of_report(program, report, hook, exit);
                        object["pruned"] = pruned.object();
                        object
                    }
                    Ok(Ended::There(dump)) => json::of_present(program, dump, exit),
                    Ok(Ended::NotYet(_)) => json::of_not_yet(program, exit),
                    Err(failure) => json::of_failure(program, failure, exit),
                };
                format!("{object}\n")
            }
            Ok(_) if self.settings.quiet => return,
            // The journal has it already, in fields.
            Ok(_) if stream::is_journal(std::io::stdout()) && self.settings.verbose == 0 => return,
            Ok(ended @ (Ended::Made(report) | Ended::Pruned(report, _))) => {
                // Scripts, mails and log files read the figures.
                let figures = self.settings.verbose > 0 || !screen::stdout_is_terminal();
                let errors = logging::where_errors_are(program, self.settings);
                let mut text = report::text(program, report, hook.is_some(), figures, &errors);
                if let Some(line) = ended.pruned().and_then(AfterRun::line) {
                    text.push_str(&line);
                    text.push('\n');
                }
                text
            }
            Ok(Ended::There(dump)) => report::present(dump),
            Ok(Ended::NotYet(newest)) => format!("nothing to do: {}\n", report::not_yet(newest)),
            Err(_) => return,
        };
        if let Err(error) = screen::try_print(&text) {
            tracing::warn!("cannot print the report: {}", Chain(&error));
        }
    }
}
