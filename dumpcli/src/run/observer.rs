//! The observer of a run: counts, lists and logs what the library tells.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dumpcore::{
    Action, Chain, CopyReason, Event, Kind, Locate, Observer, Phase, Printable, Warning,
};

use tracing::Level;

use crate::output::json::answer;
use crate::output::progress::Counters;
use crate::output::screen::{Screen, held};
use crate::paths::{What, absolute};
use crate::program::Program;
use crate::run::signals::Stop;

/// A disk may need some seconds to spin up: longer than this is worth a warning.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a run said of itself when it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The directory that the dump will be.
    pub dump: PathBuf,
    /// What unchanged entries are linked to.
    pub reference: Option<PathBuf>,
}

/// Hears every event of a run, from several threads.
#[derive(Debug)]
pub struct Watch {
    program: Program,
    what: What,
    counters: Arc<Counters>,
    screen: Arc<Screen>,
    /// 0: nothing; 1: what is not merely linked; 2: everything.
    listing: u8,
    stop: Stop,
    begun: Mutex<Option<Begun>>,
    held_up: Mutex<Option<PathBuf>>,
}

impl Watch {
    /// An observer that counts here, writes there, lists so much, and says
    /// when it is too late to stop.
    #[must_use]
    pub fn new(
        program: Program,
        what: What,
        counters: Arc<Counters>,
        screen: Arc<Screen>,
        listing: u8,
        stop: Stop,
    ) -> Self {
        Self {
            program,
            what,
            counters,
            screen,
            listing,
            stop,
            begun: Mutex::default(),
            held_up: Mutex::default(),
        }
    }

    /// What the run said when it began; `None` when it never got so far.
    #[must_use]
    pub fn begun(&self) -> Option<Begun> {
        held(&self.begun).clone()
    }

    /// For which path the run waited last, when that lasted long.
    #[must_use]
    pub fn held_up(&self) -> Option<PathBuf> {
        held(&self.held_up).clone()
    }

    /// Says what a person should know.
    pub fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }

    fn waits(&self, path: &Path, waited: Duration) {
        *held(&self.held_up) = Some(path.to_owned());
        let seconds = waited.as_secs();
        let file = Printable::path(&absolute(path)).to_string();
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    DUMP_FILE = file,
                    "no answer for {seconds} s at {file}: its filesystem or that of the dump hangs; \
                     waiting until it answers or the run is stopped"
                )
            };
        }
        if waited < PATIENCE {
            log!(Level::INFO);
        } else {
            log!(Level::WARN);
        }
    }

    fn started(&self, dump: &Path, reference: Option<&Path>) {
        *held(&self.begun) = Some(Begun {
            dump: dump.to_owned(),
            reference: reference.map(Path::to_owned),
        });
        let path = |path| Printable::path(&absolute(path)).to_string();
        let shown = reference.map(path);
        let (whole, dump) = (path(dump), Printable::path(dump));
        tracing::info!(
            DUMP_PATH = whole.as_str(),
            DUMP_REFERENCE = shown.as_deref(),
            DUMP_MAIN = self.what.absolute(),
            "starting {} of {} to {dump}",
            self.program.makes,
            self.what
        );
    }

    fn entry(&self, at: &dyn Locate, kind: Kind, did: Action) {
        if did == Action::Vanished {
            let path = at.source();
            let file = Printable::path(&absolute(&path)).to_string();
            let warning = Warning::Vanished { path };
            tracing::warn!(DUMP_FILE = file, "{warning}");
        } else if self.listing > 0
            && let Some((act, why)) = words(did, self.listing)
        {
            let slash = if kind == Kind::Dir { "/" } else { "" };
            let line = format!("{act:<8} {why:<8} {}{slash}", at.path());
            self.screen.line(&line);
        }
    }
}

/// How an entry is listed: what is done with it, and why. `None` when it is
/// not listed at this level.
fn words(did: Action, listing: u8) -> Option<(&'static str, &'static str)> {
    let words = match did {
        Action::Copied(why) => return Some(("copy", short(why))),
        Action::Excluded => return Some(("exclude", "")),
        Action::OtherFilesystem => return Some(("exclude", "mount")),
        Action::Linked => ("link", ""),
        Action::Moved => ("link", "moved"),
        Action::Kept => ("keep", ""),
        Action::HardLinked => ("hardlink", ""),
        Action::Filled => ("enter", ""),
        _ => return None,
    };
    (listing > 1).then_some(words)
}

/// A reason in a word that fits the column.
fn short(why: CopyReason) -> &'static str {
    match why {
        CopyReason::NoLink => "no link",
        CopyReason::Immutable => "fixed",
        CopyReason::LinkNotPermitted => "refused",
        CopyReason::OtherFilesystem => "mount",
        CopyReason::ReferenceGone => "gone",
        other => other.as_str(),
    }
}

impl Observer for Watch {
    fn event(&self, event: Event<'_>) {
        self.counters.event(&event);
        match event {
            Event::Entry { at, kind, did, .. } => self.entry(at, kind, did),
            Event::Phase(phase) => {
                self.stop.flushes(phase == Phase::Syncing);
                match phase {
                    Phase::Verifying => {
                        tracing::info!("reading the copy back from the disk to compare it");
                    }
                    Phase::Publishing => {
                        self.stop.close();
                    }
                    Phase::Removing => self.stop.besides(),
                    _ => {}
                }
            }
            Event::HeldUp { path, waited } => self.waits(path, waited),
            Event::Waiting(error) => tracing::info!("waiting for {}: {}", self.what, Chain(error)),
            Event::Started { dump, reference } => self.started(dump, reference),
            Event::NotRecycled { dump, why } if self.listing > 0 => {
                tracing::info!("{} is not recycled: {why}", Printable::path(dump));
            }
            Event::Fault(fault) => {
                tracing::error!(
                    DUMP_FILE = %Printable::path(&absolute(&fault.path)),
                    DUMP_OPERATION = fault.op.as_str(),
                    DUMP_ERROR = answer(&fault.cause),
                    "{}", Chain(fault)
                );
            }
            Event::Warning(warning) => tracing::warn!("{warning}"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_much_as_was_asked_for() {
        let copied = Action::Copied(CopyReason::Mtime);
        assert_eq!(words(copied, 1), Some(("copy", "mtime")));
        let refused = Action::Copied(CopyReason::LinkNotPermitted);
        assert_eq!(words(refused, 1), Some(("copy", "refused")));
        assert_eq!(words(Action::Excluded, 1), Some(("exclude", "")));
        for did in [
            Action::Linked,
            Action::Kept,
            Action::HardLinked,
            Action::Filled,
        ] {
            assert_eq!(words(did, 1), None, "{did:?}");
            assert!(words(did, 2).is_some(), "{did:?}");
        }
        // Logged as a warning instead.
        assert_eq!(words(Action::Vanished, 2), None);
    }
}
