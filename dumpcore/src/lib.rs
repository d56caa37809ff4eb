//! Plan 9 style dumps of a file tree on Linux.
//!
//! A dump is a complete, browsable copy of one or several trees. Files that have
//! not changed since the previous dump are hard links to it, so a dump of an
//! unchanged tree costs only its directories.
//!
//! ```
//! use dumpcore::{DumpRoot, Snapshot, Stamp};
//! use std::fs;
//! use std::os::unix::fs::MetadataExt;
//!
//! let dir = assert_fs::TempDir::new()?;
//! let (tree, root) = (dir.path().join("tree"), dir.path().join("dump"));
//! fs::create_dir(&tree)?;
//! fs::create_dir(&root)?;
//! fs::write(tree.join("same"), "stays")?;
//! fs::write(tree.join("letter"), "a draft")?;
//!
//! let at = |minute| Stamp::new(2026, 11, 22, 23, minute).expect("a minute");
//! let first = Snapshot::new(&root).main(&tree).init(true).at(at(30)).run()?;
//! assert_eq!(first.dump, root.join("2026/1122/2330"));
//!
//! fs::write(tree.join("letter"), "the final version")?;
//! let second = Snapshot::new(&root).main(&tree).at(at(31)).run()?;
//! assert_eq!(second.counts.linked.number, 1);
//! assert_eq!(second.counts.copied_changed.number, 1);
//!
//! // Both are plain trees, and what did not change is one inode.
//! let old = fs::read_to_string(first.dump.join("tree/letter"))?;
//! assert_eq!(old, "a draft");
//! let inode = |dump: &std::path::Path| fs::metadata(dump.join("tree/same")).map(|m| m.ino());
//! assert_eq!(inode(&first.dump)?, inode(&second.dump)?);
//! assert_eq!(DumpRoot::open(&root)?.current()?, Some(second.dump));
//! # dir.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What there is
//!
//! Six operations write. Each is a builder that ends in `run`. Three publish a
//! dump, and give a [`Report`] of it, or an [`Error`] when nothing was published:
//!
//! - [`Snapshot`] takes a dump of one or several trees.
//! - [`Checkpoint`] makes a physically separate copy of the newest dump, which
//!   shares no inode and no extent with anything, or, of a chain of linked
//!   checkpoints, with nothing but others of that chain.
//! - [`Replica`] brings a dump to another dump root, on another disk.
//!
//! [`Restore`] puts a version of a path back, whole, by one rename, and
//! replaces nothing without asking. [`Remove`] removes dumps, and leaves those
//! that may not be removed; [`Prune`] removes those that no [`KeepPolicy`] keeps.
//!
//! What they are given:
//!
//! - [`Filter`]: which entries to leave out, in rsync's exclude language.
//! - [`LinkPolicy`]: whether an entry is linked to the dump before or copied,
//!   and why. It can be asked by itself.
//! - [`Observer`]: receives every entry, [`Fault`] and [`Warning`] during a
//!   run. The library never prints, reads no environment and does not exit.
//! - [`RunOptions`]: the options that all operations share. An observer; a flag that
//!   stops the run, what was done being kept for the next one; a [`Rate`] that
//!   copying keeps to; the number of workers; whether it is a dry run. What a
//!   program does with its own priority is its own business: [`give_way`].
//!
//! What there is to read:
//!
//! - [`DumpRoot`]: an opened dump root, with its links and its lock, and
//!   [`Listing`], its dumps in the order in which they were made. A dump is
//!   named by a [`DumpName`], after its local time, and [`Dated`] has besides
//!   when that was.
//! - [`Navigator`]: where a path is, how it was at a moment, what has
//!   changed since, and its [`History`]. It takes no lock and writes nothing.
//! - [`EntryAt`]: an entry of a dump, reached by handles from the dump root
//!   down, for a program that shows dumps to others ([`DumpRoot::entry`]).
//!
//! # On disk
//!
//! ```text
//! DUMP/current      -> 2026/1122/2331        always a complete dump
//! DUMP/current_chk  -> 2026/1101/0500_chk    the newest checkpoint (before: the first dump)
//! DUMP/2026/1122/2331/NEWAGE/…               a dump: one directory for each root
//! DUMP/2026/1101/0500_chk/NEWAGE/…           a checkpoint
//! DUMP/2026/1122/2331_incomplete/…           being made, or left by a run that stopped
//! DUMP/.dump/                                the lock, the catalog, what is on its way out
//! ```
//!
//! # Promises
//!
//! - `current`, once made, names a complete dump at every instant.
//! - A published dump never changes: nothing in it is ever written again.
//! - No symlink below a given root is followed, for reading or for writing.
//! - No fault is silent. An entry that could not be read is in the report of a
//!   dump that was published without it ([`Report::is_complete`]); what makes
//!   the dump worthless is an [`Error`], and nothing is published.
//! - Memory grows by about a bit for each inode that is linked to (some bytes
//!   where inode numbers are strewn), and by some hundred bytes for each inode
//!   that has several names; not otherwise with the number of files.
//!
//! # In a program
//!
//! **Calls block.** An operation returns when it is done, which may be hours
//! later. It works with several threads of its own, and the thread that called
//! is one of them ([`RunOptions::jobs`]); all have ended when it returns. So it
//! belongs on a thread of its own, and in an async runtime among the blocking
//! tasks, never on an executor's thread. Builders own what they are told and
//! are [`Clone`]; moved to another thread, they run there:
//!
//! ```no_run
//! use dumpcore::{Error, Report, RunOptions, Snapshot};
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicBool, Ordering};
//! use std::thread;
//!
//! let stop = Arc::new(AtomicBool::new(false));
//! let hourly = Snapshot::new("/dump").main("/home");
//! let run = hourly.clone().stop(Arc::clone(&stop));
//! // With tokio: tokio::task::spawn_blocking(move || run.run()).await?
//! let running = thread::spawn(move || run.run());
//! // … until the program is asked to end:
//! stop.store(true, Ordering::Relaxed);
//! match running.join().expect("a run does not panic") {
//!     Ok(report) => println!("published {}", report.dump.display()),
//!     Err(Error::Interrupted) => println!("stopped; the next run resumes"),
//!     Err(error) => println!("failed: {}", dumpcore::Chain(&error)),
//! }
//! ```
//!
//! **To stop a run**, set the flag that it was given ([`RunOptions::stop`]); a
//! signal handler may do that. Dropping a future or a join handle does not
//! stop it. A run ends within about a second, with [`Error::Interrupted`], and
//! the next one resumes what was stored. One thing takes longer: a call that
//! the kernel does not give up, as into a network filesystem whose server is
//! gone. [`Event::HeldUp`] says for which path a run waits.
//!
//! **One run at a time writes to a dump root.** It holds a lock, by process and
//! across machines; another gets [`Error::Busy`], also one of the same
//! process, and should try again later. Reading takes no lock:
//! [`Navigator`] and [`Listing`] may be used while a dump is made, and see it
//! when it is published.
//!
//! **To show progress**, count [`Event::Entry`] and [`Event::Copied`] against
//! [`Event::Expected`], and [`Event::Removed`] where dumps are removed. An
//! [`Observer`] is called by all workers at once, a hundred thousand times a
//! second: it should add to atomics and let another thread draw. It must not
//! panic: a panic of an observer, or of a rule given to [`LinkPolicy::also`],
//! ends the run, and comes out of the call. What was published before is not
//! touched by that; nothing is published, and the next run resumes.
//!
//! **The process.** Nothing is changed in it for good: no signal handler, no
//! working directory, no umask, no priority (for that there are
//! [`WaitingSignals`] and [`give_way`], which a program calls itself). A run
//! holds a few hundred open files at most.
//!
//! **Errors.** [`Error`] takes all others by `?`, a [`Fault`] among them. What
//! was left out of a dump is not an error: look at [`Report::is_complete`].
//!
//! # Features
//!
//! - `catalog` (on by default): what is remembered between runs, in an SQLite
//!   file in the dump root. It compiles SQLite and BLAKE3, which takes a C
//!   compiler. Without it dumps are the same, and nothing is remembered.
//! - `serde` (off by default): [`Report`], [`Removal`], [`Fault`], counts and
//!   what a [`History`] tells can be written in the shapes that the manual page dump(7) documents for
//!   `--json`, names of dumps and minutes also be read.
//!
//! Three programs are among the examples: an application with a progress bar
//! and a history view (`app`), a daemon that dumps on a thread and stops when
//! it is asked to (`daemon`), and a comparison of two trees by [`LinkPolicy`]
//! alone (`compare`).
//!
//! Paths and names are bytes, not UTF-8: show them by [`Printable`]. Sizes are
//! in bytes, minutes of dumps in local civil time ([`Stamp`]), times of entries
//! in seconds and nanoseconds since 1970 ([`Time`]).
#![warn(missing_docs)]

// Where there is no cargo to run build.rs.
#[cfg(not(target_os = "linux"))]
compile_error!("dumpcore is for Linux: it rests on system calls that other systems do not have");

#[cfg_attr(
    not(feature = "catalog"),
    allow(dead_code, reason = "without it nothing is recorded or asked")
)]
mod catalog;
mod checkpoint;
mod engine;
mod fs;
mod held_dump;
mod history;
mod import;
mod model;
mod policy;
mod replica;
mod restore;
mod root;
mod run;
mod snapshot;
mod sys;
mod tend;

/// The calendar that moments and dates are of, so that a program can name its
/// types in the version that is used here.
pub use chrono;

pub use catalog::{
    CatalogDifference, CatalogError, CatalogRebuilt, CatalogStatus, CatalogTree, Differs,
};
pub use checkpoint::Checkpoint;
pub use engine::watched;
pub use held_dump::{DumpEntries, DumpEntry, DumpFile, DumpTree, HeldDump};
pub use history::{
    Aspect, AttributeChanges, CatalogView, Change, ChangeKind, Changed, Changes, CompareOptions,
    Comparison, Difference, Differences, DirEntry, DumpInfo, EntryAt, EntryDir,
    Event as HistoryEvent, Find, FindError, FindReport, FoundPath, Generation, History, Keep,
    LocatedIn, Location, NameChanges, Navigator, NoCatalog, NotAWhen, PathChange, RecordedVersion,
    State, Usage, Version, XattrAction, difference,
};
pub use import::{Import, ImportCopy, ImportState};
pub use model::cause::Cause;
pub use model::chain::Chain;
pub use model::error::{BadLink, Error, Wanted};
pub use model::event::{Action, CopyReason, Event, Locate, Observer, Phase, Silent, Warning};
pub use model::fault::{Fault, Op};
pub use model::kind::Kind;
pub use model::lacking::Lacking;
pub use model::loss::Loss;
pub use model::metadata::{Capabilities, Id, Meta, Xattrs};
pub use model::minute::{BadStamp, Stamp};
pub use model::not_recycled::NotRecycled;
pub use model::path::{Brief, Printable, RelPath};
pub use model::report::{Count, Counts, Report};
pub use model::restore::{
    Merged, Merging, Overwrite, RestoreError, RestorePlan, RestoreReport, Restored, WouldRemove,
};
pub use model::size::Size;
pub use model::storage::{FreeSpace, Jobs, Storage};
pub use model::time::{OutOfRange, Time};
pub use model::tree::Tree;
pub use model::unsupported::Unsupported;
pub use policy::attention::{Attention, AttentionLimits, MoreDumps, RoomEnd};
pub use policy::candidate::Candidate;
pub use policy::date::{Ago, BadDate, Date};
pub use policy::filter::{Filter, FilterError, FilterRefusal, FilterRule, RuleOrigin};
pub use policy::layout::{
    BadDumpName, BadPinName, DumpId, DumpName, EXCLUDE_FILE, Found, PinName, Sort,
};
pub use policy::link::{LinkPolicy, Verdict};
pub use policy::name_test::NameTest;
pub use policy::old_copies::{ImportFrom, UnknownImport};
pub use policy::rate_limit::{BadRate, Rate};
pub use policy::retention::{
    BadKeep, BrakeReason, FreeGoal, KeepAmount, KeepBrake, KeepCandidate, KeepPeriod, KeepPolicy,
    KeepReason, KeepRules, KeepVerdict,
};
pub use policy::span::BadSpan;
pub use policy::when::{BadWhen, When};
pub use replica::{Replica, ReplicaOf, Replicated};
pub use restore::Restore;
pub use root::DumpRoot;
pub use root::exclude_file::read_exclude_file;
pub use root::find::{NotADump, Period};
pub use root::listing::{Dated, Dumps, Listing};
pub use root::lock::DumpLock;
pub use root::lost::LostDump;
pub use root::pins::{NotAPin, Pin, PinError};
pub use root::stuck::NotRemoved;
pub use run::RunOptions;
pub use run::restore::LinksAmong;
pub use snapshot::Snapshot;
pub use sys::path::working_directory;
pub use sys::priority::give_way;
pub use sys::signals::WaitingSignals;
pub use tend::catalog::CatalogTools;
pub use tend::erase::Erase;
pub use tend::erasure::{CatalogAfter, ErasedPath, Erasure};
pub use tend::plan::{Goes, GoesFor, Kept, PrunePlan, Pruned, Shortage};
pub use tend::prune::Prune;
pub use tend::removal::{Left, Reason, Removal, Removed};
pub use tend::remove::Remove;
pub use tend::scrub::Scrub;
pub use tend::scrub::source::ScrubSource;
pub use tend::scrub_status::ScrubStatus;
pub use tend::scrubbed::{DamageKind, Damaged, DamagedLink, DamagedPath, Scrubbed};
pub use tend::shadow_copies::{ShadowCopies, ShadowCopiesError, ShadowLinks};
pub use tend::source_scrubbed::{ChangedFile, SourceScrubbed};
pub use tend::status::{
    CheckpointStatus, LeftoverStatus, RoomStatus, RootStatus, TreeStatus, WatchedTree,
};
pub use tend::trouble::is_disk_failure;
