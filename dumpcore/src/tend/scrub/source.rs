//! Comparing trees with what dumps have of them: finds files that changed without
//! a trace, as a disk forgets them.
//!
//! Only a file counts of which all that is recorded is still so: filesystem, inode,
//! birth, size, time of modification and of change. It is looked at again after it
//! was read, and read twice where it differs, so that nothing is taken for damage
//! that somebody writes meanwhile. Nothing is locked, and nothing is changed.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::look::{below, split};
use super::worksite::Worksite;
use crate::catalog::{Catalog, PathVersion, SourceList, SourceRow, StoredFrom, View};
use crate::fs::disk_hash::{DiskHasher, DiskRead};
use crate::model::error::Error;
use crate::model::event::{Action, Event, Phase};
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::run::{RunOptions, takes_run_options};
use crate::sys::dir::{self, For};
use crate::sys::lock::lock;
use crate::sys::name::c_name;
use crate::sys::stat::{self, Fresh};
use crate::sys::{disk, errno, file};
use crate::tend::source_scrubbed::{ChangedFile, SourceScrubbed};

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
///     println!("{} is not what {} has", changed.file.display(), changed.last);
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
            trees: self.opened()?,
            list: Mutex::new((list, VecDeque::new())),
            found: Mutex::default(),
            failed: Mutex::default(),
        };
        shared.all()?;
        let found = std::mem::take(&mut *lock(&shared.found));
        scrubbed.stopped = site.is_stopped();
        found.told(&shared, total.files, &mut scrubbed)?;
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

    fn opened(&self) -> Result<Vec<OpenTree>, Error> {
        let open = |(name, path): &(RelPath, PathBuf)| {
            let top = dir::open_root(path, For::Passing);
            let top = top.map_err(|cause| Error::MainUnusable {
                path: path.clone(),
                cause,
            })?;
            Ok(OpenTree {
                name: name.as_bytes().to_vec(),
                path: path.clone(),
                top,
            })
        };
        self.mains.iter().map(open).collect()
    }
}

/// A tree that is read.
struct OpenTree {
    name: Vec<u8>,
    path: PathBuf,
    top: OwnedFd,
}

/// What a look at a file came to.
enum Seen {
    Same,
    Changed,
    /// It was written to, replaced, moved or removed since.
    Touched,
    Unsettled,
    Unknown,
    Stopped,
}

/// What was found.
#[derive(Default)]
struct FoundOut {
    files: u64,
    bytes: u64,
    changed: Vec<SourceRow>,
    touched: u64,
    unsettled: u64,
    unknown: u64,
    /// Those of them that count among what there is to be compared.
    passed: u64,
    faults: Vec<Fault>,
    faults_total: u64,
}

/// What workers share.
struct Shared<'s> {
    site: &'s Worksite<'s>,
    trees: Vec<OpenTree>,
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
        let mut found = lock(&self.found);
        let is_listed = row.hash.is_some() && row.source.as_ref().is_some_and(StoredFrom::proves);
        match seen {
            Ok(Seen::Stopped) => return Ok(false),
            Ok(Seen::Unsettled) => found.unsettled += 1,
            Ok(Seen::Unknown) => found.unknown += 1,
            Ok(Seen::Touched) => found.touched += 1,
            Ok(Seen::Same | Seen::Changed) => {
                found.files += 1;
                found.bytes += row.facts.bytes;
            }
            Err(cause) if errno::is_mount_gone(&cause) => {
                let path = self
                    .place(&row)
                    .map_or_else(PathBuf::new, |(path, ..)| path);
                return Err(Fault::new(Op::Read, path, cause).into());
            }
            Err(cause) => {
                found.faults_total += 1;
                if found.faults.len() < FAULTS
                    && let Some((path, ..)) = self.place(&row)
                {
                    found.faults.push(Fault::new(Op::Read, path, cause));
                }
            }
        }
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

    /// The path of a file, its tree, and its path in there.
    fn place(&self, row: &SourceRow) -> Option<(PathBuf, &OpenTree, RelPath)> {
        let bytes = row.path.as_bytes();
        let end = bytes.iter().position(|byte| *byte == b'/')?;
        let tree = self.trees.iter().find(|tree| tree.name == bytes[..end])?;
        let within = RelPath::from_bytes(&bytes[end + 1..]);
        Some((within.below(&tree.path), tree, within))
    }

    fn look(&self, row: &SourceRow, hasher: &mut DiskHasher) -> io::Result<Seen> {
        let (Some(hash), Some(source)) = (row.hash, &row.source) else {
            return Ok(Seen::Unknown);
        };
        if !source.proves() {
            return Ok(Seen::Unsettled);
        }
        let Some((_, tree, within)) = self.place(row) else {
            return Ok(Seen::Touched);
        };
        let opened = match open(tree, &within, row, source) {
            Err(e) if errno::is_missing(&e) || errno::has_changed(&e) => None,
            opened => opened?,
        };
        let Some(opened) = opened else {
            return Ok(Seen::Touched);
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
                return Ok(Seen::Touched);
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

/// Opens a file of a tree, if it is the one that is recorded.
fn open(
    tree: &OpenTree,
    within: &RelPath,
    row: &SourceRow,
    source: &StoredFrom,
) -> io::Result<Option<OwnedFd>> {
    let (above, name) = split(within);
    let above = below(&tree.top, above)?;
    let name = c_name(name);
    let looked = stat::look(above.as_fd(), &name, Fresh::WithBirth)?;
    if !is_as_recorded(&looked, row, source) {
        return Ok(None);
    }
    let opened = file::open_file(above.as_fd(), &name)?;
    let is_it = is_as_recorded(&stat::look_born(&opened)?, row, source);
    let space = disk::inode_space(opened.as_fd());
    Ok(Some(opened).filter(|_| is_it && space.as_deref() == Some(&*source.space)))
}

/// Does all that is recorded of a file still hold, but for its contents?
fn is_as_recorded(meta: &Meta, row: &SourceRow, source: &StoredFrom) -> bool {
    let id = (meta.ino, meta.born, meta.ctime);
    meta.kind == Kind::File
        && id == (source.ino, Some(source.born), source.ctime)
        && (meta.size, meta.mtime) == (row.facts.size, row.facts.mtime)
}

impl FoundOut {
    /// Finds out which dumps have what was stored of each file that changed.
    fn told(
        self,
        shared: &Shared<'_>,
        listed: u64,
        scrubbed: &mut SourceScrubbed,
    ) -> Result<(), Error> {
        (scrubbed.files, scrubbed.bytes) = (self.files, self.bytes);
        scrubbed.touched = self.touched;
        scrubbed.unsettled = self.unsettled;
        scrubbed.unknown = self.unknown;
        scrubbed.unread = listed.saturating_sub(self.passed);
        scrubbed.faults = self.faults;
        scrubbed.faults_total = self.faults_total;
        if self.changed.is_empty() {
            return Ok(());
        }
        let root = shared.site.root;
        let view = View::open(root)?.ok_or_else(|| no_catalog(root))?;
        for row in self.changed {
            let versions = view.versions(&row.path)?;
            let same_inode = |v: &&PathVersion| v.inode.id == row.inode;
            let same_hash = |v: &&PathVersion| v.inode.hash.is_some() && v.inode.hash == row.hash;
            // A checkpoint has an inode of its own; and of what was removed meanwhile
            // nothing is left to be compared with.
            let having = versions.iter().rev().find(same_inode);
            let having = having.or_else(|| versions.iter().rev().find(same_hash));
            if let (Some(version), Some((file, ..))) = (having, shared.place(&row)) {
                scrubbed.changed.push(ChangedFile {
                    file,
                    first: version.first,
                    last: version.last,
                    dump_is_good: is_good(shared.site, version.last, &row),
                    path: row.path,
                });
            }
        }
        scrubbed.changed.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }
}

/// Does a dump hold what was stored of a file?
fn is_good(site: &Worksite<'_>, dump: DumpId, row: &SourceRow) -> bool {
    let read = || -> io::Result<bool> {
        let (above, name, meta) = site.root.look_in(dump, &row.path)?;
        let opened = file::open_file(above.as_fd(), &name)?;
        let mut keep_going = |bytes| site.was_read(bytes);
        let read = DiskHasher::new().hash(&opened, meta.size, &mut keep_going)?;
        Ok(matches!(read, DiskRead::Whole(found) if Some(found) == row.hash))
    };
    read().unwrap_or(false)
}

fn no_catalog(root: &DumpRoot) -> Error {
    match Catalog::existing(root) {
        Err(error) => error.into(),
        Ok(_) => Error::Interrupted,
    }
}
