//! What surrounds the work of a word: the log, signals, hooks, a question, the
//! report.

use std::sync::{Arc, Mutex, PoisonError};

use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::hooks;
use dumpcli::question::{self, Answer};
use dumpcli::screen::{self, Screen};
use dumpcli::session::prepare;
use dumpcli::session_settings::SessionSettings;
use dumpcli::signals::Stop;
use dumpcli::{absolute, json, logging};
use serde_json::{Map, Value};

use crate::broken;
use crate::common::Settings;
use crate::place::{Place, own_variables};
use crate::program::PROGRAM;
use crate::repository::{Address, Control, Repository, RepositoryError};

/// The status of what was answered with no.
const DECLINED: &str = "declined";

/// A word at work.
pub(crate) struct Desk {
    word: &'static str,
    screen: Arc<Screen>,
    stop: Stop,
    session: SessionSettings,
    control: Arc<Control>,
    done: Mutex<Option<SoFar>>,
}

/// What was done before the work failed or was stopped.
pub(crate) struct SoFar {
    /// What the object has besides its head and the error.
    pub(crate) object: Map<String, Value>,
    pub(crate) text: String,
    /// What is told when it was stopped.
    pub(crate) stopped: String,
}

/// How a word ends, and what is printed of it.
pub(crate) type Done = Result<Exit, Failure>;

/// Runs a word from its start to its exit code: whatever fails is reported, as an
/// object too where that is asked for.
pub(crate) fn at(
    word: &'static str,
    settings: &Settings,
    work: impl FnOnce(&Desk) -> Done,
) -> Done {
    let session = &settings.session;
    let screen = Arc::new(Screen::new(session.json));
    logging::open(PROGRAM, session, &screen);
    for text in &session.warnings {
        tracing::warn!("{text}");
    }
    let stop = prepare(PROGRAM, session, &screen);
    let desk = Desk {
        word,
        control: Control::new(stop.flag(), session.bwlimit.value),
        screen,
        stop,
        session: session.clone(),
        done: Mutex::default(),
    };
    let ended = desk.stop.or_leave(desk.leaving(), || {
        broken::caught(&desk.control, || work(&desk))
    });
    desk.screen.clear();
    match ended {
        Ok(exit) => Ok(exit),
        Err(failure) => desk.fail(&failure),
    }
}

impl Desk {
    /// What it has in hand is worth storing, when it is to stop.
    pub(crate) fn stores(&self) {
        self.stop.flushes(true);
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// The repository of these settings.
    pub(crate) fn open(&self, settings: &Settings) -> Result<(Repository, Address), Failure> {
        let address = Place::of(&settings.sources).address()?;
        let screen = self.shows_progress().then_some(&self.screen);
        let opened = Repository::open(&address, &self.control, screen);
        let opened = opened.map_err(|error| self.failure(settings, error))?;
        Ok((opened, address))
    }

    fn shows_progress(&self) -> bool {
        let wanted = self.session.progress.as_ref().map(|wanted| wanted.value);
        wanted.unwrap_or_else(|| !self.session.quiet && screen::stderr_is_terminal())
    }

    /// What an error of the repository is to a program.
    pub(crate) fn failure(&self, settings: &Settings, error: RepositoryError) -> Failure {
        match error {
            RepositoryError::Stopped => Failure::Stopped,
            RepositoryError::Dump(error) => settings.explained(error),
            other => Failure::Failed(other.to_string()),
        }
    }

    /// Does the work between the hooks. What `post` learns is how it ended.
    pub(crate) fn between_hooks(&self, settings: &Settings, work: impl FnOnce() -> Done) -> Done {
        let variables = |name: &'static str| -> hooks::Variables {
            vec![
                ("DUMP_PROGRAM", PROGRAM.name.into()),
                ("DUMP_HOOK", name.into()),
                ("DUMP_ROOT", absolute(&settings.dump.value).into()),
            ]
        };
        let (pre, post) = (self.session.pre.as_ref(), self.session.post.as_ref());
        // As for the other programs, `post` also hears of what `pre` stopped.
        // A hook is for others, who need not know what opens the repository.
        let mut without = settings.variables.clone();
        without.extend(own_variables());
        let work = || broken::caught(&self.control, work);
        let ended =
            hooks::before(pre, (variables("pre"), &without), &self.stop).and_then(|()| work());
        let exit = match &ended {
            Ok(exit) => *exit,
            Err(failure) => Exit::of_failure(failure, self.stop.signal()),
        };
        let mut variables = variables("post");
        variables.push(("DUMP_STATUS", exit.status().into()));
        variables.push(("DUMP_EXIT", exit.code().to_string().into()));
        if let Err(failure) = &ended {
            variables.push(("DUMP_ERROR", failure.to_string().into()));
        }
        match (hooks::after(post, (variables, &without)), ended) {
            // No fault is silent.
            (Some(_), Ok(Exit::Done)) => Ok(Exit::Partial),
            (_, ended) => ended,
        }
    }

    /// Asks whether to continue. `None`: yes; else the exit code, when all is
    /// printed.
    pub(crate) fn unless_agreed(&self, question: &str) -> Result<Option<Exit>, Failure> {
        self.screen.clear();
        match question::ask(PROGRAM, question, &self.stop)? {
            Answer::Yes => Ok(None),
            Answer::No => {
                let mut object = self.head(Exit::Done);
                object.insert("status".into(), DECLINED.into());
                self.tell(object, "")?;
                Ok(Some(Exit::Done))
            }
            Answer::Stopped => Err(Failure::Stopped),
        }
    }

    /// What every object begins with.
    pub(crate) fn head(&self, exit: Exit) -> Map<String, Value> {
        json::head_of(PROGRAM, self.word, exit)
    }

    /// Prints the object or the text, as was asked for.
    pub(crate) fn tell(&self, object: Map<String, Value>, text: &str) -> Result<(), Failure> {
        self.screen.clear();
        if self.session.json {
            return screen::print(&format!("{}\n", Value::Object(object)));
        }
        match self.session.quiet {
            true => Ok(()),
            false => screen::print(text),
        }
    }

    /// Notes what is to be told as well when the work fails after this.
    pub(crate) fn so_far(&self, done: SoFar) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
    }

    /// Reports what ended the work.
    fn fail(&self, failure: &Failure) -> Done {
        let exit = Exit::of_failure(failure, self.stop.signal());
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let done = done.take();
        let text = match (exit, &done) {
            (Exit::Stopped(_), Some(done)) => done.stopped.clone(),
            (Exit::Stopped(_), None) => "stopped".to_owned(),
            _ => failure.to_string(),
        };
        let mut object = self.head(exit);
        object.insert("error".into(), text.as_str().into());
        let shown = match done {
            Some(done) => {
                object.extend(done.object);
                done.text
            }
            None => String::new(),
        };
        if self.session.json || !shown.is_empty() {
            self.tell(object, &shown)?;
        }
        screen::complain(PROGRAM.name, &text);
        Ok(exit)
    }

    /// What is left to be done when the work is asked to stop and does not, since
    /// a server does not answer.
    fn leaving(&self) -> impl FnOnce() -> u8 + Send + 'static {
        let (screen, stop) = (Arc::clone(&self.screen), self.stop.clone());
        move || {
            screen.clear();
            let text = "stopped while the repository did not answer; the next run continues";
            screen::complain(PROGRAM.name, text);
            Exit::stopped(stop.signal()).code()
        }
    }
}
