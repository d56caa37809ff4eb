//! What surrounds the work of a word that changes something: the log, the
//! progress line, signals, a question, the report.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::observer::Watch;
use dumpcli::progress::{Counters, Ticker};
use dumpcli::screen::{self, Screen};
use dumpcli::session::prepare;
use dumpcli::session_settings::SessionSettings;
use dumpcli::signals::Stop;
use dumpcli::{What, json, logging};
use dumpcore::RunOptions;
use serde_json::{Map, Value};

use crate::program::PROGRAM;

/// The version of the shape of all objects that are printed.
const SCHEMA: u8 = 1;

/// How often somebody who waits for an answer looks for a signal.
const LOOK: Duration = Duration::from_millis(100);

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

    /// Asks, and takes only a yes for one; a signal is a no.
    pub(crate) fn agrees(&self, question: &str) -> Result<bool, Failure> {
        let (answers, answered) = mpsc::channel();
        let question = question.to_owned();
        thread::spawn(move || {
            // Nobody waits for it any more when a signal came.
            let _ = answers.send(agrees(&question));
        });
        loop {
            match answered.recv_timeout(LOOK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if !self.stop.is_set() => {}
                Err(_) => return Ok(false),
            }
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

/// Can somebody be asked?
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks, and takes only a yes for one.
pub(crate) fn agrees(question: &str) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::Failed(error.to_string());
    let (mut input, mut output) = (io::stdin().lock(), io::stderr().lock());
    let text = format!("{}: {question} [y/N] ", PROGRAM.name);
    output.write_all(text.as_bytes()).map_err(failed)?;
    output.flush().map_err(failed)?;
    let mut answer = String::new();
    input.read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What every object begins with.
pub(crate) fn head(word: &str, exit: Exit) -> Map<String, Value> {
    let mut object = json::head(PROGRAM, exit);
    object.insert("schema".into(), SCHEMA.into());
    object.insert("command".into(), word.into());
    object
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
