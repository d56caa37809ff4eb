//! What an observer is told while a run goes on.
//!
//! The library never prints. It tells an [`Observer`] of each entry, each
//! fault and each warning, from several threads at once; the observer counts,
//! logs or draws. Paths are built only when asked for: an unchanged entry
//! costs an observer that merely counts no string.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::error::Error;
use crate::model::fault::Fault;
use crate::model::kind::Kind;
use crate::model::minute::Stamp;
use crate::model::path::{Printable, RelPath};

/// Why an entry was stored anew instead of being linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyReason {
    /// The reference has no such entry.
    New,
    /// It was of another type.
    Kind,
    /// The sizes differ.
    Size,
    /// The modification times differ.
    Mtime,
    /// A symlink points elsewhere.
    Target,
    /// A device has another number.
    Device,
    /// The contents differ (seen only when contents are compared).
    Contents,
    /// Only permission bits differ.
    Mode,
    /// Only owner or group differ.
    Owner,
    /// Only extended attributes or ACLs differ.
    Xattrs,
    /// The same, but the filesystem would not link it: no link left to give,
    /// or not allowed.
    NoLink,
}

impl CopyReason {
    /// Is the data the same, and only attributes differ?
    #[must_use]
    pub fn attributes_only(self) -> bool {
        matches!(
            self,
            CopyReason::Mode | CopyReason::Owner | CopyReason::Xattrs
        )
    }

    /// One word in snake_case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CopyReason::New => "new",
            CopyReason::Kind => "type",
            CopyReason::Size => "size",
            CopyReason::Mtime => "mtime",
            CopyReason::Target => "target",
            CopyReason::Device => "device",
            CopyReason::Contents => "contents",
            CopyReason::Mode => "mode",
            CopyReason::Owner => "owner",
            CopyReason::Xattrs => "xattrs",
            CopyReason::NoLink => "no_link",
        }
    }
}

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Linked to the reference, or found in the target as such a link.
    Linked,
    /// Stored anew.
    Copied(CopyReason),
    /// Found in the target as it should be, left there by a run that stopped.
    Kept,
    /// Linked to another name of the same inode in this dump.
    HardLinked,
    /// A directory was made and filled.
    Filled,
    /// Left out by a rule, with all that is below it.
    Excluded,
    /// Gone before it could be read.
    Vanished,
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
        }
    }
}

/// Something a person should know, which is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The clock stands far before the newest dump.
    ClockBehind {
        /// What the clock says.
        now: Stamp,
        /// What `current` is named after.
        current: Stamp,
    },
    /// The dump root lies inside the tree and was left out.
    DumpInsideMain {
        /// Its path in the tree.
        path: PathBuf,
    },
    /// A file kept changing while it was read; the next dump copies it anew.
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// The dump's filesystem cannot store some of what dumps preserve, whoever
    /// the runner is: told once a run, whether the tree has any of it or not.
    NotPreserved {
        /// The dump root.
        path: PathBuf,
        /// What is lost, and why, for people.
        what: String,
    },
    /// An entry of the reference could not be read, so it was copied anew.
    ReferenceUnreadable {
        /// The entry in the reference.
        path: PathBuf,
        /// The system's answer.
        cause: String,
    },
    /// A group of hard links had to be split: its inode can take no more.
    GroupSplit {
        /// The first name of the second part.
        path: PathBuf,
    },
    /// There are fewer workers than were asked for.
    FewerJobs {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        jobs: usize,
        /// What there was too little of.
        cause: String,
    },
    /// What an earlier run left behind is not of the same roots, and stays.
    ForeignLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// A file of a dump cannot be read any more.
    Damaged {
        /// The file.
        path: PathBuf,
        /// A version of the same size and time that can be read, in an older
        /// dump or in the main tree.
        good: Option<PathBuf>,
    },
    /// The dump that is linked to has no tree of this name, so all of it is
    /// copied.
    NewTree {
        /// The tree.
        path: PathBuf,
        /// Where the dump that is linked to would have it.
        reference: PathBuf,
    },
    /// The dump that is linked to has a tree that this run does not read, so
    /// that this dump is without it.
    MissingTree {
        /// The tree in the dump that is linked to.
        reference: PathBuf,
    },
    /// An entry was gone before it could be read. Only in a report: an observer
    /// is told by [`Action::Vanished`].
    Vanished {
        /// Where it was, in the tree that is read.
        path: PathBuf,
    },
    /// A first replica is made on the very filesystem that it is read from.
    SameFilesystem {
        /// The dump root that is read.
        from: PathBuf,
        /// The dump root that is written.
        dump: PathBuf,
    },
    /// A leftover of an earlier run had taken the last inode of the disk, and
    /// was removed.
    LeftoverRemoved {
        /// Its path.
        path: PathBuf,
    },
    /// A leftover of an earlier run is taken over.
    Resuming {
        /// Its path.
        path: PathBuf,
        /// Has its content surely reached the disk, so that it need not be
        /// compared byte for byte?
        trusted: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::ClockBehind { now, current } => write!(
                f,
                "the clock says {now}, but the newest dump is of {current}: \
                 check the clock; this dump is named after it all the same"
            ),
            Warning::DumpInsideMain { path } => write!(
                f,
                "{} is the dump root itself: left out of the dump",
                Printable::path(path)
            ),
            Warning::Unstable { path } => write!(
                f,
                "{} kept changing while it was read: this dump has a mixture, \
                 the next one copies it again",
                Printable::path(path)
            ),
            Warning::NotPreserved { path, what } => {
                write!(f, "{} does not keep {what}", Printable::path(path))
            }
            Warning::ReferenceUnreadable { path, cause } => write!(
                f,
                "{} of the last dump cannot be read ({cause}): copied anew",
                Printable::path(path)
            ),
            Warning::GroupSplit { path } => write!(
                f,
                "{}: its hard links are more than one inode of the dump's filesystem \
                 can have: from here on they are linked to a second copy",
                Printable::path(path)
            ),
            Warning::FewerJobs { asked, jobs, cause } => {
                write!(f, "only {jobs} of {asked} workers: {cause}")
            }
            Warning::ForeignLeftover { path } => write!(
                f,
                "{} was left by a run over other roots: not touched; \
                 remove it when that run is not to be resumed",
                Printable::path(path)
            ),
            Warning::Damaged { path, good } => match good {
                Some(good) => write!(
                    f,
                    "{} cannot be read any more: a good version is {}",
                    Printable::path(path),
                    Printable::path(good)
                ),
                None => write!(
                    f,
                    "{} cannot be read any more, and no older dump or main tree \
                     has a good version",
                    Printable::path(path)
                ),
            },
            Warning::NewTree { path, reference } => write!(
                f,
                "{} is copied whole, since there is no {}: to keep several trees \
                 in one dump root, dump them in one run",
                Printable::path(path),
                Printable::path(reference)
            ),
            Warning::MissingTree { reference } => write!(
                f,
                "{} is not in this dump, since this run does not read its tree: \
                 to have it in the next one again, dump all trees in one run",
                Printable::path(reference)
            ),
            Warning::Vanished { path } => {
                let path = Printable::path(path);
                write!(f, "{path} vanished before it could be read")
            }
            Warning::SameFilesystem { from, dump } => write!(
                f,
                "{} is on the same filesystem as {}: what that disk loses, both lose",
                Printable::path(dump),
                Printable::path(from)
            ),
            Warning::LeftoverRemoved { path } => write!(
                f,
                "{} had taken the last inode of its disk, and is emptied: \
                 this run begins anew",
                Printable::path(path)
            ),
            Warning::Resuming { path, trusted } => write!(
                f,
                "going on with {}, left by a run that stopped{}",
                Printable::path(path),
                if *trusted {
                    ""
                } else {
                    "; its contents are compared, for they may not have reached the disk"
                }
            ),
        }
    }
}

/// What an [`Observer`] is told.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// A new phase begins.
    Phase(Phase),
    /// The run waits, because of this; said again when it becomes another.
    Waiting(&'a Error),
    /// The run has its name and its reference (`None` for a first dump).
    Started {
        /// The directory that the dump will be, published.
        dump: &'a Path,
        /// The dump that unchanged entries are linked to.
        reference: Option<&'a Path>,
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
    /// So many bytes more have been copied.
    Copied(u64),
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
            Event::Started { dump, reference } => f
                .debug_struct("Started")
                .field("dump", dump)
                .field("reference", reference)
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
            Event::Fault(fault) => f.debug_tuple("Fault").field(fault).finish(),
            Event::Warning(warning) => f.debug_tuple("Warning").field(warning).finish(),
        }
    }
}

/// Is told of every event of a run, from several threads at once.
///
/// A call holds up the worker that makes it, so it should be quick. A closure
/// will do:
///
/// ```no_run
/// use dumpcore::{Event, Snapshot};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let bytes = AtomicU64::new(0);
/// let count = |event: Event<'_>| {
///     if let Event::Copied(more) = event {
///         bytes.fetch_add(more, Ordering::Relaxed);
///     }
/// };
/// let report = Snapshot::new("/dump").main("/home").observer(&count).run()?;
/// # Ok::<(), dumpcore::Error>(())
/// ```
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Hears everything, says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: Event<'_>) {}
}

impl<F: Fn(Event<'_>) + Sync> Observer for F {
    fn event(&self, event: Event<'_>) {
        self(event);
    }
}
