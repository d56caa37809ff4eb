//! What is looked at: one dump root with its trees, and what is remembered
//! between two requests.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dumpcore::chrono::{DateTime, Local, Utc};
use dumpcore::{CatalogView, DumpId, DumpRoot, KeepRules, Kind, Navigator, NoCatalog, RelPath};

use crate::address::DumpRef;
use crate::view::calendar::Calendar;
use crate::view::error::ViewError;
use crate::view::stamps::Stamps;
use crate::view::version::Versions;

/// For how long a list of all dumps is taken for the truth.
const FRESH: Duration = Duration::from_secs(5);

/// How many histories are remembered.
const REMEMBERED: usize = 64;

/// What is looked at.
#[derive(Debug)]
pub struct Site {
    /// Finds old versions.
    pub navigator: Navigator,
    /// Where this machine keeps what is remembered of dump roots elsewhere.
    local_state: Option<PathBuf>,
    /// Which dumps stay, by the configuration.
    pub rules: KeepRules,
    calendar: Mutex<Option<Listed>>,
    histories: Mutex<VecDeque<Remembered>>,
}

/// All dumps, when that was found out, and what the dump root was then.
#[derive(Clone, Debug)]
struct Listed {
    at: Instant,
    stamps: Option<Stamps>,
    calendar: Arc<Calendar>,
}

/// A history, and what it is of: the path, the newest dump and how many there are.
#[derive(Debug)]
struct Remembered {
    within: RelPath,
    newest: Option<DumpId>,
    dumps: usize,
    versions: Arc<Versions>,
}

impl Site {
    /// Of these trees and their dump root.
    #[must_use]
    pub fn new(navigator: Navigator, local_state: Option<PathBuf>, rules: KeepRules) -> Self {
        Self {
            navigator,
            local_state,
            rules,
            calendar: Mutex::new(None),
            histories: Mutex::new(VecDeque::new()),
        }
    }

    /// The path of the dump root.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.navigator.listing().root()
    }

    /// The dump root, opened again: its disk may have been mounted since.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn root(&self) -> Result<DumpRoot, ViewError> {
        let root = DumpRoot::open(self.path())?;
        Ok(root.with_local_state(self.local_state.clone()))
    }

    /// The catalog, or why it cannot be asked.
    ///
    /// # Errors
    /// The dump root cannot be opened.
    pub fn catalog(&self) -> Result<Result<CatalogView, NoCatalog>, ViewError> {
        Ok(self.root()?.catalog())
    }

    /// All dumps, as they were some seconds ago at most.
    ///
    /// # Errors
    /// The dump root cannot be listed.
    pub fn calendar(&self) -> Result<Arc<Calendar>, ViewError> {
        let before = locked(&self.calendar).clone();
        if let Some(listed) = before.as_ref().filter(|one| one.at.elapsed() < FRESH) {
            return Ok(Arc::clone(&listed.calendar));
        }
        // Looked at first: what changes while it is read is read again.
        let (at, stamps) = (Instant::now(), Stamps::look(self.path()));
        let calendar = match before {
            Some(listed) if stamps.is_some() && listed.stamps == stamps => listed.calendar,
            _ => Arc::new(Calendar::read(&self.root()?)?),
        };
        *locked(&self.calendar) = Some(Listed {
            at,
            stamps,
            calendar: Arc::clone(&calendar),
        });
        Ok(calendar)
    }

    /// The dump that an address names.
    ///
    /// # Errors
    /// There is none.
    pub fn dump(&self, dump: DumpRef, within: &RelPath) -> Result<DumpId, ViewError> {
        match dump {
            DumpRef::Id(id) => Ok(id),
            DumpRef::Newest => {
                let newest = self.newest(within)?;
                newest.ok_or_else(|| ViewError::missing("no dump has this tree"))
            }
        }
    }

    /// The newest dump that has the tree of a path.
    ///
    /// # Errors
    /// The dump root cannot be listed; or a newer dump cannot be looked into, which
    /// may have the tree.
    pub fn newest(&self, within: &RelPath) -> Result<Option<DumpId>, ViewError> {
        let calendar = self.calendar()?;
        if within.is_root() {
            return Ok(calendar.newest());
        }
        let (root, tree) = (self.root()?, tree_of(within));
        for dump in calendar.newest_first() {
            if has_tree(&root, dump, &tree)? {
                return Ok(Some(dump));
            }
        }
        Ok(None)
    }

    /// When a dump was made; `None` of a first copy.
    #[must_use]
    pub fn moment(&self, dump: DumpId) -> Option<DateTime<Local>> {
        let moment: DateTime<Utc> = self.navigator.listing().moment(dump.name()?);
        Some(moment.with_timezone(&Local))
    }

    /// The versions of a path, as they were found before for the same dumps.
    pub(super) fn remembered(&self, within: &RelPath, all: &Calendar) -> Option<Arc<Versions>> {
        let histories = locked(&self.histories);
        let mut found = histories.iter().filter(|one| one.within == *within);
        let found = found.find(|one| one.newest == all.newest() && one.dumps == all.len());
        found.map(|one| Arc::clone(&one.versions))
    }

    /// Remembers the versions of a path, unless something could not be read: it may
    /// be read the next time.
    pub(super) fn remember(&self, within: &RelPath, all: &Calendar, versions: &Arc<Versions>) {
        if versions.unread > 0 {
            return;
        }
        let mut histories = locked(&self.histories);
        histories.retain(|one| one.within != *within);
        if histories.len() == REMEMBERED {
            histories.pop_front();
        }
        histories.push_back(Remembered {
            within: within.clone(),
            newest: all.newest(),
            dumps: all.len(),
            versions: Arc::clone(versions),
        });
    }
}

/// Does a dump have a tree?
///
/// # Errors
/// It cannot be looked into.
pub(super) fn has_tree(root: &DumpRoot, dump: DumpId, tree: &RelPath) -> Result<bool, ViewError> {
    let entry = root.entry(dump, tree)?;
    Ok(entry.is_some_and(|entry| entry.meta().kind == Kind::Dir))
}

/// The name of the tree that a path inside a dump is in.
#[must_use]
pub fn tree_of(within: &RelPath) -> RelPath {
    let mut names = within.as_bytes().splitn(2, |b| *b == b'/');
    RelPath::from_bytes(names.next().unwrap_or_default())
}

/// What a thread that panicked left is still whole: it is replaced as one.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
