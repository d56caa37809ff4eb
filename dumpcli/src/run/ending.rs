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
use crate::run::shadowing::ShadowAfter;

/// How work ended that did not fail.
#[derive(Debug)]
pub enum Ended {
    /// It published, or in a dry run would have.
    Made(Box<Report>),
    /// It published, and the dump root was looked after.
    Tended(Box<Report>, Box<Tended>),
    /// What was to be made is there already.
    There(PathBuf),
    /// What was to be made cannot be due yet, and that is as it should be; the
    /// newest dump that is there.
    NotYet(PathBuf),
}

/// What was done to a dump root behind a run that published.
#[derive(Debug, Default)]
pub struct Tended {
    /// What became of the dumps that are not to be kept.
    pub pruned: Option<AfterRun>,
    /// What became of the links for Samba.
    pub shadow: Option<ShadowAfter>,
}

impl Tended {
    /// Was all done that was to be?
    fn is_complete(&self) -> bool {
        let shadow = self.shadow.as_ref();
        self.pruned.as_ref().is_none_or(AfterRun::is_complete)
            && shadow.is_none_or(|shadow| shadow.problem().is_none())
    }

    fn log(&self) {
        self.pruned.iter().for_each(AfterRun::log);
        self.shadow.iter().for_each(ShadowAfter::log);
    }

    /// For machines, beside the report.
    fn put(&self, object: &mut serde_json::Value) {
        if let Some(pruned) = &self.pruned {
            object["pruned"] = pruned.object();
        }
        if let Some(shadow) = &self.shadow {
            object["shadow_copies"] = shadow.object();
        }
    }
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
            Ended::Made(report) | Ended::Tended(report, _) => Some(report),
            Ended::There(_) | Ended::NotYet(_) => None,
        }
    }

    /// What was done behind it.
    fn tended(&self) -> Option<&Tended> {
        match self {
            Ended::Tended(_, tended) => Some(tended),
            _ => None,
        }
    }

    /// Was everything done that was to be done behind it?
    pub(crate) fn is_tended(&self) -> bool {
        self.tended().is_none_or(Tended::is_complete)
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
            Ok(ended @ (Ended::Made(report) | Ended::Tended(report, _))) => {
                log_report::log_report(noun, self.what, report, self.hook, exit);
                ended.tended().into_iter().for_each(Tended::log);
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
                    Ok(Ended::Tended(report, tended)) => {
                        let mut object = json::of_report(program, report, hook, exit);
                        tended.put(&mut object);
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
            Ok(ended @ (Ended::Made(report) | Ended::Tended(report, _))) => {
                // Scripts, mails and log files read the figures.
                let figures = self.settings.verbose > 0 || !screen::stdout_is_terminal();
                let errors = logging::where_errors_are(program, self.settings);
                let mut text = report::text(program, report, hook.is_some(), figures, &errors);
                let pruned = ended.tended().and_then(|tended| tended.pruned.as_ref());
                if let Some(line) = pruned.and_then(AfterRun::line) {
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
