//! Restoring: the question before something is replaced, progress, signals, and
//! what is said at the end.

use std::path::Path;
use std::sync::Arc;

use dumpcli::Lookup;
use dumpcli::exit::Exit;
use dumpcli::failure::Failure;
use dumpcli::notices::Notices;
use dumpcli::progress::{Counters, Ticker};
use dumpcli::question::{self, Answer};
use dumpcli::report;
use dumpcli::screen::Screen;
use dumpcli::signals::Stop;
use dumpcore::{
    Brief, Chain, Event, Location, Observer, Restore, RestoreError, RestorePlan, RestoreReport,
    Restored, Version, WouldRemove,
};

use crate::options::PROGRAM;

/// How `--copy` restores.
pub(crate) struct Copying {
    pub(crate) only_if_differs: bool,
    pub(crate) force: bool,
    stop: Stop,
}

impl Copying {
    /// From now on a signal stops what is restored, and leaves what was there.
    pub(crate) fn new(only_if_differs: bool, force: bool) -> Self {
        // Where signals cannot be caught, they end the program at once.
        let stop = Stop::on_signals(|_| {}, || {});
        Self {
            only_if_differs,
            force,
            stop: stop.unwrap_or_default(),
        }
    }

    fn stopped(&self) -> Exit {
        Exit::stopped(self.stop.signal())
    }

    /// What is said when a signal came and a filesystem does not let go.
    fn leaving(&self, notices: Notices) -> impl FnOnce() -> u8 + Send + 'static {
        let stop = self.stop.clone();
        move || {
            notices.failure(
                "stopped while a filesystem did not answer; either the old or the restored \
                 version is in place; the next restore removes what is left beside it",
            );
            Exit::stopped(stop.signal()).code()
        }
    }

    /// Restores one version to its place.
    pub(crate) fn restore(
        &self,
        ground: &Lookup,
        place: &Location,
        old: &Version,
    ) -> Result<Exit, Failure> {
        let watch = Arc::new(Watch {
            notices: ground.aside,
            counters: Arc::new(Counters::default()),
            screen: Arc::new(Screen::new(true)),
        });
        let mut ticker = Some(watch.ticker());
        let mut refused = None;
        let confirm = |plan: &RestorePlan| {
            if let Some(failure) = partial(ground, old, plan) {
                refused = Some(failure);
                return false;
            }
            if self.force || !plan.replaces {
                return true;
            }
            // The question has the terminal for itself.
            ticker = None;
            let answer = self.confirmed(plan);
            ticker = Some(watch.ticker());
            answer.unwrap_or_else(|failure| {
                refused = Some(failure);
                false
            })
        };
        let work = || {
            Restore::new(&ground.navigator, old, place)?
                .only_if_differs(self.only_if_differs)
                .observer(watch.clone())
                .stop(self.stop.flag())
                .run_asking(confirm)
        };
        let restored = self.stop.or_leave(self.leaving(ground.aside), work);
        drop(ticker);
        match (restored, refused) {
            (Ok(Restored::Done(report)), _) => Ok(self.tell(&report, ground.aside)),
            (Err(error @ RestoreError::Interrupted { .. }), _) => {
                ground.aside.failure(&Chain(&error).to_string());
                Ok(self.stopped())
            }
            (_, Some(refused)) => Err(refused),
            (Ok(done), None) => {
                if matches!(done, Restored::Same) {
                    let old = Brief::path(&old.path);
                    let text = format!("nothing to restore: it is the same as {old}");
                    ground.aside.remark(&text);
                }
                Ok(Exit::Done)
            }
            (Err(error), None) => Err(Failure::Failed(Chain(&error).to_string())),
        }
    }

    /// Says what was done, and what was not.
    fn tell(&self, report: &RestoreReport, notices: Notices) -> Exit {
        let plan = &report.plan;
        let (now, old) = (Brief::path(&plan.path), Brief::path(&plan.version));
        // The question has said so already.
        if self.force && plan.removes.entries > 0 {
            let text = format!(
                "deleted from {now}: {}",
                lost(&plan.removes, &old.to_string())
            );
            notices.warning(&text);
        }
        let what = report::restored(report);
        notices.remark(&format!("restored {now} from {old}: {what}"));
        let stopped = self.stop.is_set();
        if let Some(left) = &report.left {
            let path = Brief::path(&left.path);
            let why = if stopped {
                "the restore was stopped".to_owned()
            } else {
                Chain(left).to_string()
            };
            let text = format!(
                "{now} was restored, but what it replaced could not all be removed: {why}; \
                 the rest is in {path}, which the next restore of {now} removes \
                 and dumps leave out"
            );
            notices.failure(&text);
        }
        match (stopped && report.left.is_some(), report.is_complete()) {
            (true, _) => self.stopped(),
            (_, true) => Exit::Done,
            (_, false) => Exit::Partial,
        }
    }

    /// Asks before something is replaced; where nobody can answer, nothing is.
    fn confirmed(&self, plan: &RestorePlan) -> Result<bool, Failure> {
        let (now, old) = (Brief::path(&plan.path), Brief::path(&plan.version));
        let losing = match plan.removes.entries {
            0 => String::new(),
            _ => format!(" and delete {}", lost(&plan.removes, "this dump")),
        };
        if !question::can_ask() {
            return Err(Failure::Failed(format!(
                "{now} exists, and there is no terminal to ask on; \
                 --force would replace it with {old}{losing}"
            )));
        }
        let question = format!("replace {now} with {old}{losing}?");
        // That a signal came the library sees for itself.
        question::ask(PROGRAM, &question, &self.stop).map(|answer| answer == Answer::Yes)
    }
}

/// Refuses to delete by a dump that lacks entries: what it could not read is not
/// what the tree did not have.
fn partial(ground: &Lookup, old: &Version, plan: &RestorePlan) -> Option<Failure> {
    let dump = old.dump.filter(|_| plan.removes.entries > 0)?;
    let listing = ground.navigator.listing();
    let lacks = listing.lacks(dump)?;
    let whole = Brief::path(&listing.path(dump)).to_string();
    let lost = lost(&plan.removes, "it");
    let now = Brief::path(&plan.path);
    Some(Failure::Failed(format!(
        "the dump {whole} is partial: it lacks {lacks} that could not be read, and restoring {now} \
         would delete {lost}; 'dumpctl restore --at {dump} --in-place {now}' deletes nothing"
    )))
}

/// What goes for good, in words.
fn lost(goes: &WouldRemove, dump: &str) -> String {
    let named = |path: &std::path::PathBuf| Brief::path(Path::new(path)).to_string();
    let named: Vec<String> = goes.first.iter().map(named).collect();
    let entries = if goes.entries == 1 {
        "entry"
    } else {
        "entries"
    };
    let more = match goes.entries.saturating_sub(named.len() as u64) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(
        "{} {entries} that {dump} does not have ({}{more})",
        goes.entries,
        named.join(", ")
    )
}

/// Hears what the library tells: counts for the progress line, and passes on
/// what a person should know.
struct Watch {
    notices: Notices,
    counters: Arc<Counters>,
    screen: Arc<Screen>,
}

impl Watch {
    fn ticker(&self) -> Ticker {
        let wanted = self.notices.is_quiet().then_some(false);
        Ticker::start(Arc::clone(&self.counters), Arc::clone(&self.screen), wanted)
    }
}

impl Observer for Watch {
    fn event(&self, event: Event<'_>) {
        self.counters.event(&event);
        match event {
            Event::HeldUp { path, waited } => {
                let (path, seconds) = (Brief::path(path), waited.as_secs());
                let text = format!(
                    "no answer for {seconds} s at {path}: its filesystem or the dump's hangs; \
                     waiting until it answers or yest is stopped"
                );
                self.screen.aside(|| self.notices.warning(&text));
            }
            Event::Fault(fault) => {
                self.screen
                    .aside(|| self.notices.failure(&Chain(fault).to_string()));
            }
            Event::Warning(warning) => {
                self.screen
                    .aside(|| self.notices.warning(&warning.to_string()));
            }
            _ => {}
        }
    }
}
