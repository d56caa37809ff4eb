//! Everything around a run: log, progress, signals, hooks, report, exit code.
//!
//! A program hands the work in as a closure; the session starts what watches
//! it, and tells how it ended: once in the log, once on the screen, and by
//! the exit code. "Done" is never said of anything but a published dump.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use dumpcore::{Chain, DumpRoot, Printable, RunOptions, give_way};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::keys::OneOrMany;
use crate::config::origin::Origin;
use crate::config::session_settings::SessionSettings;
use crate::exit::Exit;
use crate::failure::{Failure, HookFault};
use crate::output::progress::{Counters, Ticker};
use crate::output::screen::{self, Screen};
use crate::output::{json, logging};
use crate::paths::{What, absolute};
use crate::program::Program;
use crate::run::advice::{About, explain};
use crate::run::ending::{Ended, Ending, Outcome};
use crate::run::hooks;
use crate::run::observer::{Begun, Watch};
use crate::run::signals::{Came, Stop};

/// What a session is about.
#[derive(Clone, Debug)]
pub struct Task {
    /// The trees, or the dump, that are read.
    pub what: Vec<PathBuf>,
    /// The dump root.
    pub dump: PathBuf,
    /// Nothing is to be changed.
    pub dry_run: bool,
    /// Does a dry run list what it would do, without being asked to?
    pub lists_dry_run: bool,
    /// Who named these places: said of one that cannot be opened.
    pub origins: Vec<Origin>,
}

/// A program at work.
#[derive(Debug)]
pub struct Session {
    program: Program,
    settings: SessionSettings,
    task: Task,
    what: What,
    screen: Arc<Screen>,
    stop: Stop,
    began: Instant,
}

/// Makes the process ready for long work, once the log is open: as many
/// descriptors as it may have, idle where that is asked for, and signals.
#[must_use]
pub fn prepare(program: Program, settings: &SessionSettings, screen: &Arc<Screen>) -> Stop {
    raise_descriptor_limit();
    // Before there are threads, and hooks: they inherit it.
    if settings.idle.value
        && let Err(error) = give_way()
    {
        tracing::warn!("cannot run at idle priority: {}", Chain(&error));
    }
    listen(program, settings.quiet, screen)
}

impl Session {
    /// Opens the log and begins to listen for signals.
    #[must_use]
    pub fn start(program: Program, settings: SessionSettings, task: Task) -> Self {
        let screen = Arc::new(Screen::new(settings.json));
        logging::open(program, &settings, &screen);
        for text in &settings.warnings {
            tracing::warn!("{text}");
        }
        let stop = prepare(program, &settings, &screen);
        Self {
            program,
            settings,
            what: What::new(&task.what),
            task,
            screen,
            stop,
            began: Instant::now(),
        }
    }

    /// Does the work between the hooks, and tells how it ended. What the
    /// library is to be told is handed to it.
    pub fn run<W: Into<Ended>>(
        self,
        work: impl FnOnce(&Watch, RunOptions) -> Result<W, Failure>,
    ) -> Exit {
        let counters = Arc::new(Counters::default());
        let listing = if self.settings.quiet {
            0
        } else {
            // A dry run is there to be read.
            let listed = self.task.dry_run && self.task.lists_dry_run;
            self.settings
                .verbose
                .max(u8::from(listed && !self.settings.json))
        };
        let watch = Arc::new(Watch::new(
            self.program,
            self.what.clone(),
            Arc::clone(&counters),
            Arc::clone(&self.screen),
            listing,
            self.stop.clone(),
        ));
        let this = Arc::new(self);
        this.run_with(&watch, counters, listing, work)
    }

    fn run_with<W: Into<Ended>>(
        self: &Arc<Self>,
        watch: &Arc<Watch>,
        counters: Arc<Counters>,
        listing: u8,
        work: impl FnOnce(&Watch, RunOptions) -> Result<W, Failure>,
    ) -> Exit {
        let leave = self.leaving(watch, false);
        if let Err(busy) = self.stop.or_leave(leave, || self.look_for_another()) {
            return self.end(&Err(busy), None);
        }
        let outcome = self.before().and_then(|()| {
            let wanted = match &self.settings.progress {
                Some(progress) => Some(progress.value),
                // Those who read the list from a pipe may share the terminal.
                None if listing > 0 && !screen::stdout_is_terminal() => Some(false),
                None => self.settings.quiet.then_some(false),
            };
            let _ticker = Ticker::start(counters, Arc::clone(&self.screen), wanted);
            self.stop.or_leave(self.leaving(watch, true), || {
                let options = self.settings.run_options();
                let options = options
                    .observer(watch.clone())
                    .stop(self.stop.flag())
                    .dry_run(self.task.dry_run);
                if self.task.dry_run {
                    warn_if_closed(&self.task.dump);
                }
                work(watch, options).map_or_else(
                    |failure| Err(explain(failure, self.about())),
                    |done| Ok(self.finished(done.into())),
                )
            })
        });
        let fault = self.after(&outcome, watch.begun());
        self.end(&outcome, fault.as_ref())
    }

    /// What is left to be done for work that does not stop when it is asked to,
    /// since it waits for an answer that does not come. `began`: behind the hook
    /// `pre`, so that `post` is due.
    fn leaving(
        self: &Arc<Self>,
        watch: &Arc<Watch>,
        began: bool,
    ) -> impl FnOnce() -> u8 + Send + 'static {
        let (session, watch) = (Arc::clone(self), Arc::clone(watch));
        move || {
            session.screen.clear();
            let failure = watch.held_up().map_or(Failure::Stopped, Failure::StoppedAt);
            let outcome = Err(failure);
            let fault = began.then(|| session.after(&outcome, watch.begun()));
            session.end(&outcome, fault.flatten().as_ref()).code()
        }
    }

    fn about(&self) -> About<'_> {
        About {
            advice: self.program.advice,
            read: &self.task.what,
            dump: &self.task.dump,
            origins: &self.task.origins,
        }
    }

    /// Whatever comes now stops nothing; and what came just before it was all
    /// done did not either.
    fn finished(&self, ended: Ended) -> Ended {
        if self.stop.close() == Came::InTime && !self.settings.quiet {
            let too_late = answer(Came::TooLate);
            self.screen
                .note(&format!("{}: {too_late}", self.program.name));
        }
        ended
    }

    fn end(&self, outcome: &Outcome, hook: Option<&HookFault>) -> Exit {
        let exit = match self.exit(outcome) {
            // No fault is silent, also where there was nothing else to do.
            Exit::Done if hook.is_some() => Exit::Partial,
            exit => exit,
        };
        let ending = Ending {
            program: self.program,
            settings: &self.settings,
            what: &self.what,
            seconds: self.began.elapsed().as_secs_f64(),
            outcome,
            hook,
            exit,
        };
        ending.log();
        ending.tell();
        exit
    }

    fn exit(&self, outcome: &Outcome) -> Exit {
        match outcome {
            Ok(ended) => match ended.report().map(Exit::of_report) {
                // No fault is silent.
                Some(Exit::Done) if !ended.is_tended() => Exit::Partial,
                exit => exit.unwrap_or(Exit::Done),
            },
            Err(failure) => Exit::of_failure(failure, self.stop.signal()),
        }
    }

    /// Hooks are of the run that holds the dump root: a second one must not
    /// thaw what the first has frozen. The run locks the root only behind
    /// `pre`, which may have to mount it; so here it is merely looked at, and
    /// two that start at the same instant may still both run their `pre`.
    fn look_for_another(&self) -> Result<(), Failure> {
        let SessionSettings { pre, post, .. } = &self.settings;
        let hooks = [pre, post].into_iter().flatten();
        if self.task.dry_run || hooks.map(|hook| &hook.value).all(OneOrMany::is_empty) {
            return Ok(());
        }
        // That it cannot be opened is for the run to say, which may mount it.
        let Ok(dump) = DumpRoot::open(&self.task.dump) else {
            return Ok(());
        };
        Ok(dump.is_free()?)
    }

    fn before(&self) -> Result<(), Failure> {
        let hook = self.settings.pre.as_ref();
        hooks::before(hook, (self.variables("pre"), &[]), &self.stop)
    }

    /// Runs the hook, also after a failure. Its own failure is a fault of a
    /// run that published, and changes nothing for one that did not.
    fn after(&self, outcome: &Outcome, begun: Option<Begun>) -> Option<HookFault> {
        let mut variables = self.variables("post");
        self.add_outcome(outcome, begun, &mut variables);
        hooks::after(self.settings.post.as_ref(), (variables, &[]))
    }

    fn variables(&self, hook: &'static str) -> hooks::Variables {
        let mut variables: hooks::Variables = vec![
            ("DUMP_PROGRAM", self.program.name.into()),
            ("DUMP_HOOK", hook.into()),
            ("DUMP_ROOT", absolute(&self.task.dump).into()),
        ];
        if self.task.dry_run {
            variables.push(("DUMP_DRY_RUN", "1".into()));
        }
        variables
    }

    fn add_outcome(
        &self,
        outcome: &Outcome,
        begun: Option<Begun>,
        variables: &mut hooks::Variables,
    ) {
        let exit = self.exit(outcome);
        let status = match outcome {
            Ok(Ended::There(_)) => json::PRESENT,
            Ok(Ended::NotYet(_)) => json::NOT_YET,
            _ => exit.status(),
        };
        variables.push(("DUMP_STATUS", status.into()));
        variables.push(("DUMP_EXIT", exit.code().to_string().into()));
        match outcome {
            Ok(Ended::There(dump)) => variables.push(("DUMP_PATH", absolute(dump).into())),
            Ok(Ended::NotYet(_)) => {}
            Ok(Ended::Made(report) | Ended::Tended(report, _)) => {
                variables.extend(hooks::of_report(report));
            }
            Err(failure) => {
                variables.push(("DUMP_ERROR", failure.to_string().into()));
                // Never published, so its path is not told: only what it
                // would have been linked to.
                if let Some(reference) = begun.and_then(|begun| begun.reference) {
                    variables.push(("DUMP_REFERENCE", absolute(&reference).into()));
                }
                let seconds = format!("{:.3}", self.began.elapsed().as_secs_f64());
                variables.push(("DUMP_SECONDS", seconds.into()));
            }
        }
    }
}

/// Listens for signals from now on, and answers them on the screen unless it is
/// to be quiet.
#[must_use]
fn listen(program: Program, quiet: bool, screen: &Arc<Screen>) -> Stop {
    let (first, last) = (Arc::clone(screen), Arc::clone(screen));
    let caught = Stop::on_signals(
        move |came| {
            if !quiet {
                first.note(&format!("{}: {}", program.name, answer(came)));
            }
        },
        move || last.clear(),
    );
    caught.unwrap_or_else(|error| {
        tracing::warn!("cannot catch signals ({error}); a signal ends the run immediately");
        Stop::default()
    })
}

/// Warns of a dump root that this user may not write to: a dry run only reads,
/// and would not notice.
pub fn warn_if_closed(dump: &Path) {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    let Err(error) = accessat(CWD, dump, access, AtFlags::EACCESS).map_err(io::Error::from) else {
        return;
    };
    // Whatever else is wrong with it, the run says itself.
    let closed = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    if closed.contains(&error.kind()) {
        let dump = Printable::path(dump);
        tracing::warn!(
            "this user cannot write to the dump root {dump}, so the run itself would fail: {}",
            Chain(&error)
        );
    }
}

/// What is said to the person who sends a first signal.
fn answer(came: Came) -> &'static str {
    match came {
        Came::InTime => "stopping …",
        Came::TooLate => "too late to stop: the run is finishing",
    }
}

/// A wide or deep tree takes many directory handles: take all that we may.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || (limit.current.is_some() && limit.maximum.is_none()) {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // The library lives within whatever it is.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}
