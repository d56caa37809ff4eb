//! Where the log goes: the journal, syslog or stderr.
//!
//! `auto` takes the journal under systemd, and where there is one and nobody
//! looks at stderr. Whatever takes the log, stderr still gets what went
//! wrong, so that cron mails it; unless stderr is itself the journal, which
//! would then have everything twice.
//!
//! | level | journal and syslog | stderr |
//! | --- | --- | --- |
//! | error: faults, failures | err | always |
//! | warn: what a person should know | warning | unless `-q` |
//! | info: start and end | info (syslog: notice) | on a terminal, with `-v`, with `--log stderr` |
//!
//! Where a terminal gets the report as well, that says how the run ended, and
//! the log does not repeat it there.

use std::ffi::CString;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use syslog_tracing::{Facility, Options, Syslog};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::keys::LogTarget;
use crate::config::session_settings::SessionSettings;
use crate::output::screen::{Screen, stderr_is_terminal, stdout_is_terminal};
use crate::output::stream::is_journal;
use crate::program::Program;

/// The target of the entry that tells how the run ended: stderr has it also
/// with `-q` when it is not a success.
pub const END: &str = "dump::end";
/// The same of one that a report names as well.
pub const REPORTED: &str = "dump::reported";
/// The target of the entry that tells why no run was made: no report says it.
pub const NO_RUN: &str = "dump::no_run";
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";
const SYSLOG_SOCKET: &str = "/dev/log";

/// What is known of the surroundings when the log is opened.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    /// stderr is connected to the journal.
    under_systemd: bool,
    journal: bool,
    terminal: bool,
    /// stdout is a terminal too, and gets the report.
    report: bool,
}

impl Surroundings {
    fn look() -> Self {
        Self {
            under_systemd: is_journal(io::stderr()),
            journal: Path::new(JOURNAL_SOCKET).exists(),
            terminal: stderr_is_terminal(),
            report: stdout_is_terminal(),
        }
    }

    /// What `auto` stands for here.
    fn choose(self, asked: LogTarget) -> LogTarget {
        match asked {
            LogTarget::Auto if self.under_systemd => LogTarget::Journal,
            LogTarget::Auto if self.journal && !self.terminal => LogTarget::Journal,
            LogTarget::Auto => LogTarget::Stderr,
            other => other,
        }
    }

    /// Does the report say on the same terminal what the log would?
    fn report_follows(self, asked: LogTarget, settings: &SessionSettings) -> bool {
        let plain = !settings.json && !settings.quiet && settings.verbose == 0;
        plain && asked == LogTarget::Auto && self.terminal && self.report
    }

    fn where_errors_are(self, program: Program, settings: &SessionSettings) -> String {
        let asked = settings.log.value;
        if self.on_stderr(asked, settings) == LevelFilter::OFF {
            format!("in the log: journalctl -t {}", program.name)
        } else if self.terminal && self.report {
            "above".to_owned()
        } else {
            "on stderr".to_owned()
        }
    }

    /// What stderr gets.
    fn on_stderr(self, asked: LogTarget, settings: &SessionSettings) -> LevelFilter {
        if self.under_systemd && self.choose(asked) == LogTarget::Journal {
            LevelFilter::OFF
        } else if settings.quiet {
            LevelFilter::ERROR
        } else if settings.verbose > 0
            || asked == LogTarget::Stderr
            || (self.terminal && self.choose(asked) == LogTarget::Stderr)
        {
            LevelFilter::INFO
        } else {
            LevelFilter::WARN
        }
    }
}

/// Opens the log. What was asked for and is not there is made up for by
/// stderr, with a warning: a dump without its log is better than none.
///
/// To be called once in a process: later calls change nothing.
pub fn open(program: Program, settings: &SessionSettings, screen: &Arc<Screen>) {
    let around = Surroundings::look();
    let asked = settings.log.value;
    let mut complaint = None;
    let journal = match around.choose(asked) {
        LogTarget::Journal => journal(program)
            .map_err(|error| complaint = Some(format!("cannot reach the journal: {error}")))
            .ok(),
        _ => None,
    };
    let syslog = match around.choose(asked) {
        LogTarget::Syslog if Path::new(SYSLOG_SOCKET).exists() => syslog(program),
        LogTarget::Syslog => {
            complaint = Some(format!("no system log: {SYSLOG_SOCKET} is missing"));
            None
        }
        _ => None,
    };
    let level = around.on_stderr(asked, settings).max(match complaint {
        Some(_) if !settings.quiet => LevelFilter::INFO,
        _ => LevelFilter::OFF,
    });
    let stderr = Plain {
        writer: OnScreen {
            screen: Arc::clone(screen),
            program: program.name,
        },
        mark_severity: true,
        level,
        report_follows: around.report_follows(asked, settings),
    };
    let _ = registry()
        .with(journal)
        .with(syslog)
        .with(stderr)
        .try_init();
    if let Some(complaint) = complaint {
        tracing::warn!("{complaint}; logging to stderr");
    }
}

/// Where a person finds the errors of a run, each of which was told when it was
/// met.
pub(crate) fn where_errors_are(program: Program, settings: &SessionSettings) -> String {
    Surroundings::look().where_errors_are(program, settings)
}

fn journal(program: Program) -> io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?;
    Ok(layer
        .with_field_prefix(None)
        .with_syslog_identifier(program.name.to_owned())
        .with_priority_mappings(PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            ..PriorityMappings::new()
        }))
}

fn syslog(program: Program) -> Option<Plain<Syslog>> {
    let name = CString::new(program.name).ok()?;
    let writer = Syslog::new(name, Options::LOG_PID, Facility::User)?;
    Some(Plain {
        writer,
        mark_severity: false,
        level: LevelFilter::INFO,
        report_follows: false,
    })
}

/// Writes an entry's message alone, without its fields: one line for people.
struct Plain<W> {
    writer: W,
    mark_severity: bool,
    level: LevelFilter,
    report_follows: bool,
}

impl<W> Plain<W> {
    fn wants(&self, event: &Event<'_>) -> bool {
        let meta = event.metadata();
        if self.report_follows && meta.target() == REPORTED {
            return false;
        }
        let end = [END, REPORTED].contains(&meta.target());
        let unsuccessful_end = end && *meta.level() <= Level::WARN;
        *meta.level() <= self.level || (unsuccessful_end && self.level != LevelFilter::OFF)
    }
}

impl<S, W> Layer<S> for Plain<W>
where
    S: Subscriber,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.wants(event) {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        let mark = match *event.metadata().level() {
            Level::WARN if self.mark_severity => "warning: ",
            _ => "",
        };
        let mut writer = self.writer.make_writer_for(event.metadata());
        let _ = writer
            .write_all(format!("{mark}{}", message.0).as_bytes())
            .and_then(|()| writer.flush());
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// stderr, beside a progress line.
struct OnScreen {
    screen: Arc<Screen>,
    program: &'static str,
}

/// One line on its way to the screen.
struct ScreenLine<'a>(&'a OnScreen);

impl Write for ScreenLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.screen.note(&format!("{}: {text}", self.0.program));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for OnScreen {
    type Writer = ScreenLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        ScreenLine(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::origin::{Source, Value};

    fn by_default<T>(value: T) -> Value<T> {
        let source = Source::Default;
        Value { value, source }
    }

    fn settings(verbose: u8, quiet: bool) -> SessionSettings {
        SessionSettings {
            warnings: Vec::new(),
            verbose,
            quiet,
            json: false,
            log: by_default(LogTarget::Auto),
            progress: None,
            jobs: None,
            bwlimit: by_default(dumpcore::Rate::UNLIMITED),
            idle: by_default(false),
            pre: None,
            post: None,
        }
    }

    fn around(under_systemd: bool, journal: bool, terminal: bool) -> Surroundings {
        Surroundings {
            under_systemd,
            journal,
            terminal,
            report: terminal,
        }
    }

    #[test]
    fn auto_takes_the_journal_where_it_serves() {
        use LogTarget::{Auto, Journal, Stderr, Syslog};
        for (around, asked, chosen) in [
            (around(true, true, false), Auto, Journal),
            (around(false, true, false), Auto, Journal),
            (around(false, true, true), Auto, Stderr),
            (around(false, false, false), Auto, Stderr),
            (around(true, true, false), Stderr, Stderr),
            (around(false, false, true), Syslog, Syslog),
        ] {
            assert_eq!(around.choose(asked), chosen, "{around:?} {asked:?}");
        }
    }

    #[test]
    fn a_report_says_where_the_errors_are() {
        let program = Program {
            name: "dumpme",
            version: "1",
            makes: "dump",
            unlinked: "",
            advice: crate::program::Advice::COMMON,
        };
        for (around, place) in [
            (around(false, false, true), "above"),
            (around(false, true, false), "on stderr"),
            (
                around(true, true, false),
                "in the log: journalctl -t dumpme",
            ),
        ] {
            let found = around.where_errors_are(program, &settings(0, false));
            assert_eq!(found, place, "{around:?}");
        }
    }

    #[test]
    fn a_terminal_is_told_once_how_a_run_ended() {
        use LogTarget::{Auto, Stderr};
        let (terminal, pipe) = (around(false, true, true), around(false, true, false));
        let json = SessionSettings {
            json: true,
            ..settings(0, false)
        };
        for (around, asked, settings, follows) in [
            (terminal, Auto, settings(0, false), true),
            (terminal, Auto, settings(1, false), false),
            (terminal, Auto, settings(0, true), false),
            (terminal, Auto, json, false),
            (terminal, Stderr, settings(0, false), false),
            (pipe, Auto, settings(0, false), false),
        ] {
            let found = around.report_follows(asked, &settings);
            assert_eq!(found, follows, "{around:?} {asked:?} {settings:?}");
        }
    }

    #[test]
    fn stderr_gets_what_cron_should_mail() {
        use LogTarget::{Auto, Journal, Stderr};
        let (plain, verbose, quiet) = (settings(0, false), settings(1, false), settings(0, true));
        let cron = around(false, false, false);
        let cron_and_journal = around(false, true, false);
        let terminal = around(false, true, true);
        let unit = around(true, true, false);
        for (around, asked, settings, level) in [
            (cron, Auto, &plain, LevelFilter::WARN),
            (cron, Auto, &quiet, LevelFilter::ERROR),
            (cron, Auto, &verbose, LevelFilter::INFO),
            (cron, Stderr, &plain, LevelFilter::INFO),
            (cron_and_journal, Auto, &plain, LevelFilter::WARN),
            (terminal, Auto, &plain, LevelFilter::INFO),
            (terminal, Journal, &plain, LevelFilter::WARN),
            (unit, Auto, &verbose, LevelFilter::OFF),
            (unit, Stderr, &plain, LevelFilter::INFO),
        ] {
            let got = around.on_stderr(asked, settings);
            assert_eq!(got, level, "{around:?} {asked:?} {settings:?}");
        }
    }
}
