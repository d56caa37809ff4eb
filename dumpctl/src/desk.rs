//! What surrounds the work of a word that changes something: the log, the
//! progress line, signals, a question, the report.

use std::path::Path;
use std::sync::Arc;

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::observer::Watch;
use dumpcli::progress::{Counters, Ticker};
use dumpcli::question::{self, Answer};
use dumpcli::screen::{self, Screen};
use dumpcli::session::prepare;
use dumpcli::session_settings::SessionSettings;
use dumpcli::signals::Stop;
use dumpcli::{What, json, logging};
use dumpcore::RunOptions;
use serde_json::{Map, Value};

use crate::program::PROGRAM;

/// What is said when a signal came before anything was done.
pub(crate) const UNCHANGED: &str = "stopped; nothing was changed";

/// The status of what was answered with no.
const DECLINED: &str = "declined";

/// A word at work.
pub(crate) struct Desk {
    screen: Arc<Screen>,
    stop: Stop,
    settings: SessionSettings,
}

impl Desk {
    /// Opens the log and begins to listen for signals.
    pub(crate) fn open(settings: &SessionSettings) -> Self {
        let screen = Arc::new(Screen::new(settings.json));
        logging::open(PROGRAM, settings, &screen);
        let stop = prepare(PROGRAM, settings, &screen);
        Self {
            screen,
            stop,
            settings: settings.clone(),
        }
    }

    /// Does the work, with a progress line where one is wanted. What the library
    /// is to be told is handed to it.
    pub(crate) fn work<T>(&self, dump: &Path, work: impl FnOnce(RunOptions) -> T) -> T {
        let counters = Arc::new(Counters::default());
        let watch = Watch::new(
            PROGRAM,
            What::new(&[dump.to_path_buf()]),
            Arc::clone(&counters),
            Arc::clone(&self.screen),
            0,
            self.stop.clone(),
        );
        let options = self.settings.run_options();
        let options = options.observer(Arc::new(watch)).stop(self.stop.flag());
        let wanted = self.settings.progress.as_ref().map(|wanted| wanted.value);
        let wanted = wanted.or(self.settings.quiet.then_some(false));
        let _ticker = Ticker::start(counters, Arc::clone(&self.screen), wanted);
        self.stop.or_leave(self.leaving(), || work(options))
    }

    /// Asks whether to continue. `None`: yes; else the exit code, when all is
    /// printed: a no is an end like another, and a signal stops it.
    pub(crate) fn unless_agreed(
        &self,
        word: &str,
        question: &str,
    ) -> Result<Option<Exit>, Failure> {
        match question::ask(PROGRAM, question, &self.stop)? {
            Answer::Yes => Ok(None),
            Answer::No => {
                if self.settings.json {
                    let mut object = head(word, Exit::Done);
                    object.insert("status".into(), DECLINED.into());
                    screen::print(&format!("{}\n", Value::Object(object)))?;
                }
                Ok(Some(Exit::Done))
            }
            Answer::Stopped => self.fail(word, &Failure::Stopped, UNCHANGED).map(Some),
        }
    }

    /// What is left to be done when the work is asked to stop and does not,
    /// since the disk does not answer.
    fn leaving(&self) -> impl FnOnce() -> u8 + Send + 'static {
        let (screen, stop) = (Arc::clone(&self.screen), self.stop.clone());
        move || {
            screen.clear();
            let text = "stopped while the disk did not answer; the next run does the rest";
            screen::complain(PROGRAM.name, text);
            stopped_by(&stop).code()
        }
    }

    /// Reports what ended the work; `stopped`, when that was a signal.
    pub(crate) fn fail(
        &self,
        word: &str,
        failure: &Failure,
        stopped: &str,
    ) -> Result<Exit, Failure> {
        let exit = Exit::of_failure(failure, self.stop.signal());
        let text = match exit {
            Exit::Stopped(_) => stopped.to_owned(),
            _ => failure.to_string(),
        };
        report(word, &text, exit, self.settings.json)
    }

    /// The same with more in the object: `object` begins with its head.
    pub(crate) fn fail_with(
        &self,
        mut object: Map<String, Value>,
        failure: &Failure,
        stopped: &str,
    ) -> Result<Exit, Failure> {
        let exit = Exit::of_failure(failure, self.stop.signal());
        let text = match exit {
            Exit::Stopped(_) => stopped.to_owned(),
            _ => failure.to_string(),
        };
        if self.settings.json {
            object.extend(json::head(PROGRAM, exit));
            object.insert("error".into(), text.as_str().into());
            screen::print(&format!("{}\n", Value::Object(object)))?;
        }
        screen::complain(PROGRAM.name, &text);
        Ok(exit)
    }

    /// The signal that asked it to stop.
    pub(crate) fn stopped_by(&self) -> Exit {
        stopped_by(&self.stop)
    }

    /// Was it asked to stop?
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }
}

fn stopped_by(stop: &Stop) -> Exit {
    Exit::stopped(stop.signal())
}

/// What every object begins with.
pub(crate) fn head(word: &str, exit: Exit) -> Map<String, Value> {
    json::head_of(PROGRAM, word, exit)
}

/// Reports a failure before any work, as an object too where that is asked for.
pub(crate) fn fail(word: &str, failure: &Failure, as_json: bool) -> Result<Exit, Failure> {
    let exit = Exit::of_failure(failure, None);
    report(word, &failure.to_string(), exit, as_json)
}

fn report(word: &str, text: &str, exit: Exit, as_json: bool) -> Result<Exit, Failure> {
    if as_json {
        let mut object = head(word, exit);
        object.insert("error".into(), text.into());
        screen::print(&format!("{}\n", Value::Object(object)))?;
    }
    screen::complain(PROGRAM.name, text);
    Ok(exit)
}
