//! What an observer receives during a run.
//!
//! The library never prints. It tells an [`Observer`] of each entry, each
//! fault and each warning, from several threads at once; the observer counts,
//! logs or draws. Paths are built only when asked for: an unchanged entry
//! costs an observer that merely counts no string.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::model::copy_reason::CopyReason;
use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::not_recycled::NotRecycled;
use crate::model::path::RelPath;
pub use crate::model::warning::Warning;

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Linked to the reference, or found in the target as such a link.
    Linked,
    /// Linked to the reference, where the same file has another path.
    Moved,
    /// Copied.
    Copied(CopyReason),
    /// Found in the target as it should be, left there by a run that stopped.
    Kept,
    /// Linked to another name of the same inode in this dump.
    HardLinked,
    /// A directory was made and filled.
    Filled,
    /// Left out by a rule, with all that is below it.
    Excluded,
    /// Left out, since another filesystem begins there; counted beside the
    /// empty directory that stands in its place.
    OtherFilesystem,
    /// Gone before it could be read.
    Vanished,
    /// Looked at, to be recorded in the catalog or compared with it.
    Recorded,
    /// Read from the disk, to be compared with what was stored.
    Scrubbed,
}

impl fmt::Display for Action {
    /// What happened to the entry: `linked`, `copied (the size differs)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Linked => "linked",
            Action::Moved => "linked to where it was before it was moved",
            Action::Copied(why) => return write!(f, "copied ({why})"),
            Action::Kept => "kept from a run that stopped",
            Action::HardLinked => "linked to another of its names",
            Action::Filled => "directory made",
            Action::Excluded => "excluded",
            Action::OtherFilesystem => "left out (another filesystem)",
            Action::Vanished => "vanished",
            Action::Recorded => "recorded",
            Action::Scrubbed => "read",
        })
    }
}

/// Where an entry is; the path is made when asked for.
pub trait Locate {
    /// The path from the transfer root: root name first.
    fn path(&self) -> RelPath;

    /// The path in the tree that is read, as that was named.
    fn source(&self) -> PathBuf {
        self.path().as_path().to_path_buf()
    }
}

impl Locate for RelPath {
    fn path(&self) -> RelPath {
        self.clone()
    }
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Checks, locking, naming.
    Preparing,
    /// Waiting for something to appear.
    Waiting,
    /// Counting what is to be copied.
    Estimating,
    /// Linking and copying.
    Storing,
    /// Flushing the dump's filesystem.
    Syncing,
    /// Reading back what was written.
    Verifying,
    /// Making it visible.
    Publishing,
    /// Making what is restored, beside its place.
    Restoring,
    /// Bringing dumps into the catalog, or comparing them with it.
    Recording,
    /// Reading dumps from the disk, to compare them with what was stored.
    Scrubbing,
    /// Removing dumps that are no longer wanted, or what a restoration replaced.
    Removing,
}

impl Phase {
    /// One word, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Preparing => "preparing",
            Phase::Waiting => "waiting",
            Phase::Estimating => "estimating",
            Phase::Storing => "dumping",
            Phase::Syncing => "syncing",
            Phase::Verifying => "verifying",
            Phase::Publishing => "publishing",
            Phase::Restoring => "restoring",
            Phase::Recording => "recording",
            Phase::Scrubbing => "scrubbing",
            Phase::Removing => "removing",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an [`Observer`] receives.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A new phase begins.
    Phase(Phase),
    /// The run waits, because of this; said again when it becomes another.
    Waiting(&'a Error),
    /// One call has not been answered for a while, and cannot be ended: reported
    /// after 2.5 s, after a minute, after ten, and then every hour. It is the
    /// filesystem of this path that does not answer, or that of the dump.
    HeldUp {
        /// Where the run is, in the tree that is read, or what it opens.
        path: &'a Path,
        /// How long that has lasted.
        waited: Duration,
    },
    /// The run has its name and its reference (`None` for a first dump).
    Started {
        /// The directory that the dump will be, published.
        dump: &'a Path,
        /// The dump that unchanged entries are linked to.
        reference: Option<&'a Path>,
    },
    /// An expired dump is kept to be recycled, and this run does not do that. Once
    /// before the first [`Event::Entry`].
    NotRecycled {
        /// The path that the dump had.
        dump: &'a Path,
        /// Why.
        why: &'a NotRecycled,
    },
    /// How much there is likely to be in all, for a percentage and the time
    /// left. At most once before the first [`Event::Entry`], for what is stored or
    /// restored, and once after [`Phase::Removing`] begins, for what is removed.
    ///
    /// It is what the dump that is linked to, copied or removed was published
    /// with, or what was counted: a guess, which the run may exceed or fall short
    /// of. When nothing is known, as of most first dumps, after a first copy that
    /// was made by hand, and where sets take turns with trees of which only whole
    /// dumps are known, a dump is not told this. Nor is a restoration for the
    /// removal of what it replaced.
    #[doc(alias = "progress")]
    #[doc(alias = "total")]
    Expected {
        /// Entries of all types, each name counted: how often
        /// [`Event::Entry`] is to come, apart from what is left out; of a
        /// removal the sum of `names` in [`Event::Removed`].
        entries: u64,
        /// The sizes of files together, each name counted, in bytes; `None` where
        /// only names are known, as of a removal.
        bytes: Option<u64>,
    },
    /// Contents of a file begin to be copied. What is [`Event::Copied`] on the
    /// same thread until the file's [`Event::Entry`] or fault is of this file;
    /// one that changes while it is read is copied again from its beginning.
    Copying {
        /// Where it is.
        at: &'a dyn Locate,
        /// Its size in bytes, as its metadata says.
        bytes: u64,
    },
    /// An entry is dealt with.
    Entry {
        /// Where it is.
        at: &'a dyn Locate,
        /// Its type.
        kind: Kind,
        /// Its size in bytes, for files; 0 for others.
        bytes: u64,
        /// What became of it.
        did: Action,
    },
    /// This many more bytes have been copied: told several times of a large
    /// file. Holes are not copied.
    Copied(u64),
    /// This many more names of a dump that is removed are gone.
    Removed {
        /// Names, directories included.
        names: u64,
        /// Bytes that this freed.
        freed: u64,
    },
    /// An entry could not be stored.
    Fault(&'a Fault),
    /// Something a person should know.
    Warning(&'a Warning),
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Phase(phase) => f.debug_tuple("Phase").field(phase).finish(),
            Event::Waiting(error) => f.debug_tuple("Waiting").field(error).finish(),
            Event::HeldUp { path, waited } => f
                .debug_struct("HeldUp")
                .field("path", path)
                .field("waited", waited)
                .finish(),
            Event::Started { dump, reference } => f
                .debug_struct("Started")
                .field("dump", dump)
                .field("reference", reference)
                .finish(),
            Event::NotRecycled { dump, why } => f
                .debug_struct("NotRecycled")
                .field("dump", dump)
                .field("why", why)
                .finish(),
            Event::Expected { entries, bytes } => f
                .debug_struct("Expected")
                .field("entries", entries)
                .field("bytes", bytes)
                .finish(),
            Event::Copying { at, bytes } => f
                .debug_struct("Copying")
                .field("at", &at.path())
                .field("bytes", bytes)
                .finish(),
            Event::Entry {
                at,
                kind,
                bytes,
                did,
            } => f
                .debug_struct("Entry")
                .field("at", &at.path())
                .field("kind", kind)
                .field("bytes", bytes)
                .field("did", did)
                .finish(),
            Event::Copied(bytes) => f.debug_tuple("Copied").field(bytes).finish(),
            Event::Removed { names, freed } => f
                .debug_struct("Removed")
                .field("names", names)
                .field("freed", freed)
                .finish(),
            Event::Fault(fault) => f.debug_tuple("Fault").field(fault).finish(),
            Event::Warning(warning) => f.debug_tuple("Warning").field(warning).finish(),
        }
    }
}

/// Receives every event of a run, from several threads at once.
///
/// A call holds up the worker that makes it, so it should be quick. A closure
/// will do:
///
/// ```no_run
/// use dumpcore::{Event, Snapshot};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let bytes = Arc::new(AtomicU64::new(0));
/// let counter = Arc::clone(&bytes);
/// let count = move |event: Event<'_>| {
///     if let Event::Copied(more) = event {
///         counter.fetch_add(more, Ordering::Relaxed);
///     }
/// };
/// let report = Snapshot::new("/dump").main("/home").observer(Arc::new(count)).run()?;
/// println!("{} bytes copied", bytes.load(Ordering::Relaxed));
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[doc(alias = "progress")]
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Hears everything, says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

impl<F: Fn(Event<'_>) + Send + Sync> Observer for F {
    fn event(&self, event: Event<'_>) {
        self(event);
    }
}
