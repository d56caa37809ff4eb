//! Reading a published dump to store it elsewhere.
//!
//! A published dump never changes, so the dump root is not locked; only the dump
//! is held, so that it is not removed meanwhile.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use crate::fs::dump_walk::{Depth, FileAt, Walk, Walked};
use crate::fs::name_count::NameCount;
use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::lacking::Lacking;
use crate::model::metadata::{Id, Meta, Xattrs};
use crate::policy::layout::DumpName;
use crate::root::DumpRoot;
use crate::root::lock::Hold;
use crate::run::{Published, roots_of_dump};
use crate::sys::file::File;

/// A published dump that is being read: nobody removes it until this is dropped.
///
/// ```no_run
/// use dumpcore::{DumpRoot, HeldDump};
///
/// let root = DumpRoot::open("/dump")?;
/// if let Some(name) = root.listing().newest()? {
///     let dump = HeldDump::open(&root, name)?;
///     for tree in dump.trees()? {
///         for entry in tree.entries() {
///             println!("{}", entry?.path.display());
///         }
///     }
///     dump.check_whole()?;
/// }
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Debug)]
pub struct HeldDump {
    name: DumpName,
    path: PathBuf,
    moment: DateTime<Utc>,
    lacks: Option<Lacking>,
    handle: OwnedFd,
    before: NameCount,
    stop: Option<Arc<AtomicBool>>,
    _hold: Hold,
}

impl HeldDump {
    /// Opens a dump and holds it.
    ///
    /// # Errors
    /// [`Error::MainUnusable`] when it cannot be opened, [`Error::HalfDump`] when
    /// entries are missing that it was published with.
    pub fn open(root: &DumpRoot, name: DumpName) -> Result<Self, Error> {
        Self::open_until(root, name, None)
    }

    /// The same; what takes long ends early when `stop` is set.
    ///
    /// # Errors
    /// As for [`HeldDump::open`]; [`Error::Interrupted`].
    pub fn open_until(
        root: &DumpRoot,
        name: DumpName,
        stop: Option<Arc<AtomicBool>>,
    ) -> Result<Self, Error> {
        let rel = name.rel_path();
        let path = rel.below(root.path());
        let held = root.hold_dump(&rel);
        let (handle, hold) = held.map_err(|cause| Error::MainUnusable {
            path: path.clone(),
            cause,
        })?;
        let keep_going = || !is_set(stop.as_deref());
        let before = Published::look(&handle, &path, &keep_going)?.names();
        if !keep_going() {
            return Err(Error::Interrupted);
        }
        let listing = root.listing();
        Ok(Self {
            name,
            moment: listing.moment(name),
            lacks: listing.lacks(name),
            path,
            handle,
            before,
            stop,
            _hold: hold,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> DumpName {
        self.name
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When it was made.
    #[must_use]
    pub fn moment(&self) -> DateTime<Utc> {
        self.moment
    }

    /// What it lacks because it could not be read when the dump was made; `None`
    /// of a complete dump.
    #[must_use]
    pub fn lacks(&self) -> Option<&Lacking> {
        self.lacks.as_ref()
    }

    /// Its trees. Looks at every entry once, to know which of them are hard links
    /// to each other.
    ///
    /// # Errors
    /// [`Error::MainUnusable`] when it has none, or they cannot be opened;
    /// [`Error::Interrupted`].
    pub fn trees(&self) -> Result<Vec<DumpTree>, Error> {
        let trees = roots_of_dump(&self.handle, &self.path)?;
        let trees = trees.into_iter();
        trees
            .map(|tree| DumpTree::look(tree.name, tree.path, tree.handle, self.stop.as_deref()))
            .collect()
    }

    /// Is everything still there that was there when it was opened?
    ///
    /// # Errors
    /// [`Error::SourceGone`] when not: what was read of it is not the dump.
    pub fn check_whole(&self) -> Result<(), Error> {
        let keep_going = || !is_set(self.stop.as_deref());
        Published::counted(&self.handle, &self.path, self.before).is_still_whole(0, &keep_going)
    }
}

fn is_set(stop: Option<&AtomicBool>) -> bool {
    stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
}

/// A tree in a [`HeldDump`].
#[derive(Clone, Debug)]
pub struct DumpTree {
    name: OsString,
    path: PathBuf,
    handle: Arc<OwnedFd>,
    names: Arc<HashMap<Id, u64>>,
    entries: u64,
    bytes: u64,
}

impl DumpTree {
    fn look(
        name: CString,
        path: PathBuf,
        handle: OwnedFd,
        stop: Option<&AtomicBool>,
    ) -> Result<Self, Error> {
        let (mut entries, mut bytes, mut inodes) = (0, 0, Vec::new());
        // What cannot be looked at is a fault for the one who reads the entries.
        for walked in Walk::new(&handle, path.clone(), Depth::Looks).flatten() {
            if is_set(stop) {
                return Err(Error::Interrupted);
            }
            let meta = walked.meta;
            entries += 1;
            if meta.kind == Kind::File {
                bytes += meta.size;
            }
            if meta.kind != Kind::Dir && meta.nlink > 1 {
                inodes.push(meta.id());
            }
        }
        Ok(Self {
            name: OsString::from_vec(name.into_bytes()),
            path,
            handle: Arc::new(handle),
            names: Arc::new(repeated(inodes)),
            entries,
            bytes,
        })
    }

    /// Its name in the dump.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries_total(&self) -> u64 {
        self.entries
    }

    /// The sum of the sizes of its files, in bytes; a file with several names
    /// counts once for each.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its entries: a directory before what is in it, names in the order of their
    /// bytes. What cannot be read is a [`Fault`] in its place.
    #[must_use]
    pub fn entries(&self) -> DumpEntries {
        DumpEntries {
            walk: Walk::new(&self.handle, self.path.clone(), Depth::All),
            names: Arc::clone(&self.names),
        }
    }
}

/// The inodes that occur several times, and how often.
fn repeated(mut inodes: Vec<Id>) -> HashMap<Id, u64> {
    inodes.sort_unstable_by_key(|id| (id.dev, id.ino));
    let same = inodes.chunk_by(|one, other| one == other);
    let several = same.filter(|same| same.len() > 1);
    several.map(|same| (same[0], same.len() as u64)).collect()
}

/// See [`DumpTree::entries`].
pub struct DumpEntries {
    walk: Walk,
    names: Arc<HashMap<Id, u64>>,
}

impl fmt::Debug for DumpEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpEntries").finish_non_exhaustive()
    }
}

impl Iterator for DumpEntries {
    type Item = Result<DumpEntry, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let walked = self.walk.next()?;
        Some(walked.map(|walked| DumpEntry::new(walked, &self.names)))
    }
}

/// An entry of a dump.
#[derive(Debug)]
#[non_exhaustive]
pub struct DumpEntry {
    /// Its path below its tree; empty for the tree itself.
    pub path: PathBuf,
    /// What it looks like. Its link count and its ctime say nothing, since other
    /// dumps link to the same inode.
    pub meta: Meta,
    /// How many names its inode has in this tree.
    pub names: u64,
    /// Its extended attributes.
    pub xattrs: Xattrs,
    /// Where a symlink points.
    pub target: Option<Vec<u8>>,
    /// Opens a regular file.
    pub file: Option<DumpFile>,
}

impl DumpEntry {
    fn new(walked: Walked, names: &HashMap<Id, u64>) -> Self {
        Self {
            path: walked.path.as_path().to_path_buf(),
            names: names.get(&walked.meta.id()).copied().unwrap_or(1),
            meta: walked.meta,
            xattrs: walked.xattrs,
            target: walked.target.map(CString::into_bytes),
            file: walked.file.map(DumpFile),
        }
    }
}

/// A regular file of a dump that can be opened.
#[derive(Clone, Debug)]
pub struct DumpFile(FileAt);

impl DumpFile {
    /// Opens it for reading; its access time stays where that is allowed.
    ///
    /// # Errors
    /// What the system answers; also when another file has taken its place.
    pub fn open(&self) -> io::Result<File> {
        self.0.open()
    }
}
