//! Comparing trees with what dumps have of them: finds files that changed without
//! a trace, as a disk forgets them.
//!
//! Only a file counts of which all that is recorded is still so: filesystem, inode,
//! birth, size, time of modification and of change. It is looked at again after it
//! was read, and read twice where it differs, so that nothing is taken for damage
//! that somebody writes meanwhile. Nothing is locked, and nothing is changed.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::source_told::{CameTo, FoundOut, no_catalog};
use super::source_trees::{Standing, Trees, is_as_recorded};
use super::worksite::Worksite;
use crate::catalog::{SourceList, SourceRow, StoredFrom};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::error::Error;
use crate::model::event::{Action, Event, Phase};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::root::DumpRoot;
use crate::run::{RunOptions, takes_run_options};
use crate::sys::errno;
use crate::sys::lock::lock;
use crate::sys::stat;
use crate::tend::source_scrubbed::SourceScrubbed;

/// How many files are taken from the list at once.
const BATCH: usize = 256;
/// How many faults are kept.
const FAULTS: usize = 100;

/// Reads trees from the disk, and compares them with what was dumped of them.
///
/// ```no_run
/// use dumpcore::{RelPath, ScrubSource};
///
/// let home = RelPath::from_bytes(b"home");
/// let scrubbed = ScrubSource::new("/dump").tree(home, "/home").run()?;
/// for changed in &scrubbed.changed {
///     println!("{} is not what was dumped", changed.file.display());
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read until it is run"]
pub struct ScrubSource {
    root: PathBuf,
    mains: Vec<(RelPath, PathBuf)>,
    time: Option<Duration>,
    options: RunOptions,
}

impl ScrubSource {
    /// Compares trees with the dumps in this dump root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            mains: Vec::new(),
            time: None,
            options: RunOptions::new(),
        }
    }

    /// A tree, by its name in the dumps. Call it for each.
    pub fn tree(mut self, name: RelPath, path: impl Into<PathBuf>) -> Self {
        self.mains.push((name, path.into()));
        self
    }

    /// Begins to read nothing more when this time is over, and begins anywhere in
    /// the trees, so that each file has its turn in some run. Without it all is read.
    pub fn time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.time = time.into();
        self
    }

    takes_run_options!();

    /// Compares.
    ///
    /// An observer is told [`Event::Expected`] and [`Event::Entry`] of each file;
    /// sizes are what files take on the disk, in bytes.
    ///
    /// # Errors
    /// [`Error::DumpUnusable`]; [`Error::MainUnusable`] of a tree that is not there;
    /// [`Error::NotDumped`] when no dump is recorded of any of the trees; a
    /// [`CatalogError`](crate::CatalogError) in [`Error::Other`] when there is no
    /// catalog or it cannot be read. What differs is not an error, but in what is
    /// returned.
    pub fn run(self) -> Result<SourceScrubbed, Error> {
        let root = DumpRoot::open(&self.root)?;
        let root = root.with_local_state(self.options.local_state.clone());
        let deadline = self.time.and_then(|time| Instant::now().checked_add(time));
        let site = Worksite::new(&root, &self.options, deadline);
        let names: Vec<&[u8]> = self.mains.iter().map(|(name, _)| name.as_bytes()).collect();
        let list = SourceList::open(&root, &names)?;
        let mut list = list.map_or_else(|| Err(no_catalog(&root)), Ok)?;
        let mut scrubbed = SourceScrubbed {
            undumped: self.undumped(&list)?,
            dry_run: self.options.dry_run,
            ..SourceScrubbed::default()
        };
        let total = list.total()?;
        if self.options.dry_run {
            (scrubbed.files, scrubbed.bytes) = (total.files, total.bytes);
            return Ok(scrubbed);
        }
        if self.time.is_some() {
            list.begin_at(site.now().unsigned_abs() / 1000)?;
        }
        site.event(Event::Phase(Phase::Scrubbing));
        site.event(Event::Expected {
            entries: total.files,
            bytes: Some(total.bytes),
        });
        let shared = Shared {
            site: &site,
            trees: Trees::open(&self.mains)?,
            list: Mutex::new((list, VecDeque::new())),
            found: Mutex::default(),
            failed: Mutex::default(),
        };
        shared.all()?;
        let found = std::mem::take(&mut *lock(&shared.found));
        scrubbed.stopped = site.is_stopped();
        found.told((&site, &shared.trees), total.files, &mut scrubbed)?;
        Ok(scrubbed)
    }
}

impl ScrubSource {
    /// The trees of which no dump is recorded: not all of them.
    fn undumped(&self, list: &SourceList) -> Result<Vec<PathBuf>, Error> {
        let is_known = |name: &RelPath| list.trees().iter().any(|tree| tree == name.as_bytes());
        let undumped = self.mains.iter().filter(|(name, _)| !is_known(name));
        let undumped: Vec<PathBuf> = undumped.map(|(_, path)| path.clone()).collect();
        match undumped.first() {
            Some(first) if undumped.len() == self.mains.len() => Err(Error::NotDumped {
                main: first.clone(),
                dump: self.root.clone(),
            }),
            None if self.mains.is_empty() => Err(Error::NoRoots),
            _ => Ok(undumped),
        }
    }
}

/// What a look at a file came to.
enum Seen {
    Same,
    Changed,
    /// It was written to or replaced since: it need not be compared.
    Newer,
    /// It was moved or removed since, or its tree is not there.
    Gone,
    /// What is there is on another filesystem.
    Elsewhere,
    Unsettled,
    Unknown,
    Stopped,
}

/// What workers share.
struct Shared<'s> {
    site: &'s Worksite<'s>,
    trees: Trees,
    list: Mutex<(SourceList, VecDeque<SourceRow>)>,
    found: Mutex<FoundOut>,
    failed: Mutex<Option<Error>>,
}

impl Shared<'_> {
    /// Looks at all files of the list, with several workers.
    fn all(&self) -> Result<(), Error> {
        std::thread::scope(|scope| {
            for _ in 1..self.site.jobs {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        match lock(&self.failed).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn work(&self) {
        let mut hasher = DiskHasher::new();
        while lock(&self.failed).is_none() && self.site.may_begin() {
            match self.one(&mut hasher) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    lock(&self.failed).get_or_insert(error);
                }
            }
        }
    }

    /// Looks at one file; `false`: there is none left.
    fn one(&self, hasher: &mut DiskHasher) -> Result<bool, Error> {
        let Some(row) = self.next()? else {
            return Ok(false);
        };
        let seen = self.look(&row, hasher);
        let has_changed = matches!(seen, Ok(Seen::Changed));
        let came_to = match seen {
            Ok(Seen::Same | Seen::Changed) | Err(_) => CameTo::Read,
            Ok(Seen::Newer) => CameTo::Newer,
            Ok(Seen::Gone | Seen::Stopped) => CameTo::Gone,
            Ok(Seen::Elsewhere | Seen::Unsettled | Seen::Unknown) => CameTo::Barred,
        };
        let tree = self.trees.place(&row.path).map(|(_, tree, _)| tree.number);
        let mut found = lock(&self.found);
        let is_listed = row.hash.is_some() && row.source.as_ref().is_some_and(StoredFrom::proves);
        match seen {
            Ok(Seen::Stopped) => return Ok(false),
            Ok(Seen::Unsettled) => found.unsettled += 1,
            Ok(Seen::Unknown) => found.unknown += 1,
            Ok(Seen::Newer | Seen::Gone | Seen::Elsewhere) => found.touched += 1,
            Ok(Seen::Same | Seen::Changed) => {
                found.files += 1;
                found.bytes += row.facts.bytes;
            }
            Err(cause) if errno::is_mount_gone(&cause) => {
                let path = self
                    .trees
                    .place(&row.path)
                    .map_or_else(PathBuf::new, |(path, ..)| path);
                return Err(Fault::new(Op::Read, path, cause).into());
            }
            Err(cause) => {
                found.faults_total += 1;
                if found.faults.len() < FAULTS
                    && let Some((path, ..)) = self.trees.place(&row.path)
                {
                    found.faults.push(Fault::new(Op::Read, path, cause));
                }
            }
        }
        found.looked_at(tree, came_to);
        if is_listed {
            found.passed += 1;
            self.site.event(Event::Entry {
                at: &row.path,
                kind: Kind::File,
                bytes: row.facts.bytes,
                did: Action::Scrubbed,
            });
        }
        if has_changed {
            found.changed.push(row);
        }
        Ok(true)
    }

    fn next(&self) -> Result<Option<SourceRow>, Error> {
        let mut list = lock(&self.list);
        let (list, batch) = &mut *list;
        if batch.is_empty() {
            batch.extend(list.next(BATCH)?);
        }
        Ok(batch.pop_front())
    }

    fn look(&self, row: &SourceRow, hasher: &mut DiskHasher) -> io::Result<Seen> {
        let (Some(hash), Some(source)) = (row.hash, &row.source) else {
            return Ok(Seen::Unknown);
        };
        if !source.proves() {
            return Ok(Seen::Unsettled);
        }
        let Some((_, tree, within)) = self.trees.place(&row.path) else {
            return Ok(Seen::Gone);
        };
        let opened = match tree.open(&within, row, source)? {
            Standing::Itself(opened) => opened,
            Standing::Newer => return Ok(Seen::Newer),
            Standing::Elsewhere => return Ok(Seen::Elsewhere),
            Standing::Gone => return Ok(Seen::Gone),
        };
        self.site.event(Event::Copying {
            at: &row.path,
            bytes: row.facts.bytes,
        });
        // What differs is read twice: what comes from a disk can be wrong once.
        for _ in 0..2 {
            let mut keep_going = |bytes| self.site.was_read(bytes);
            let read = hasher.hash(&opened, row.facts.size, &mut keep_going)?;
            if !is_as_recorded(&stat::look_born(&opened)?, row, source) {
                return Ok(Seen::Newer);
            }
            match read {
                DiskRead::Stopped => return Ok(Seen::Stopped),
                DiskRead::Whole(found) if found == hash => return Ok(Seen::Same),
                DiskRead::Whole(_) | DiskRead::Short => {}
            }
        }
        Ok(Seen::Changed)
    }
}
