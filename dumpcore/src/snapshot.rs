//! Taking a dump of one or several trees.

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::engine;
use crate::model::error::Error;
use crate::model::event::{Observer, Silent};
use crate::model::minute::Stamp;
use crate::model::path::Printable;
use crate::model::report::Report;
use crate::model::tree::Root;
use crate::policy::filter::Filter;
use crate::policy::layout::{self, Sort};
use crate::policy::link::LinkPolicy;
use crate::policy::rate_limit::Rate;
use crate::run::{Caller, Order, Run, Source};
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// Takes a dump of one or several trees into a dump root.
///
/// What is unchanged since the dump that `current` names becomes hard links
/// to it; the rest is copied. When all is stored and flushed, it is made
/// visible and `current` points to it.
///
/// ```no_run
/// use dumpcore::{LinkPolicy, Snapshot};
///
/// let report = Snapshot::new("/dump")
///     .main("/newage/NEWAGE")
///     .policy(LinkPolicy::new().contents(true))
///     .run()?;
/// println!("{} files linked", report.counts.linked.number);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[must_use = "a snapshot does nothing until it is run"]
pub struct Snapshot<'a> {
    dump: PathBuf,
    roots: Vec<Root>,
    filter: Filter,
    policy: LinkPolicy,
    init: bool,
    at: Option<Stamp>,
    allow_empty: bool,
    dry_run: bool,
    one_file_system: bool,
    jobs: Option<usize>,
    bwlimit: Rate,
    observer: &'a dyn Observer,
    stop: Option<&'a AtomicBool>,
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("dump", &self.dump)
            .field("roots", &self.roots)
            .field("policy", &self.policy)
            .field("init", &self.init)
            .field("at", &self.at)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

impl<'a> Snapshot<'a> {
    /// A dump into this dump root, of trees that are yet to be named.
    pub fn new(dump: impl Into<PathBuf>) -> Self {
        Self {
            dump: dump.into(),
            roots: Vec::new(),
            filter: Filter::new(),
            policy: LinkPolicy::new(),
            init: false,
            at: None,
            allow_empty: false,
            dry_run: false,
            one_file_system: false,
            jobs: None,
            bwlimit: Rate::UNLIMITED,
            observer: &Silent,
            stop: None,
        }
    }

    /// Adds a tree, under its own last name.
    pub fn main(self, path: impl Into<PathBuf>) -> Self {
        self.root(Root {
            path: path.into(),
            name: None,
        })
    }

    /// Adds a tree.
    pub fn root(mut self, root: Root) -> Self {
        self.roots.push(root);
        self
    }

    /// Rules that leave entries out. None unless told.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Decides what is linked.
    pub fn policy(mut self, policy: LinkPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The first dump into a dump root that has no `current`.
    pub fn init(mut self, yes: bool) -> Self {
        self.init = yes;
        self
    }

    /// The minute it is of, when it is not now: to import an older copy. It
    /// is linked to the newest dump that is not later, and `current` moves to
    /// it unless it names a later one.
    pub fn at(mut self, stamp: Stamp) -> Self {
        self.at = Some(stamp);
        self
    }

    /// An empty tree is meant, though its reference is not empty.
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.allow_empty = yes;
        self
    }

    /// Only tell what would be done: nothing is written, no lock taken.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// Do not enter other filesystems, btrfs subvolumes included: leave an
    /// empty directory in their place. None is opened, mounted by an automount,
    /// or waited for; [`Counts::other_filesystems`](crate::Counts) tells how
    /// many there were.
    pub fn one_file_system(mut self, yes: bool) -> Self {
        self.one_file_system = yes;
        self
    }

    /// So many workers, the calling thread among them; at least one. Unset:
    /// as the disks, the network and the processors ask for. Fewer where
    /// descriptors are few, which a warning tells of.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Contents are copied no faster than this, by all workers together;
    /// looking, linking and comparing do not count. No limit unless told.
    pub fn bwlimit(mut self, rate: Rate) -> Self {
        self.bwlimit = rate;
        self
    }

    /// Is told of every event, from several threads.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// When this becomes true, the run stops with [`Error::Interrupted`] and
    /// keeps what it did for the next run.
    pub fn stop(mut self, flag: &'a AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Takes the dump.
    ///
    /// A report whose [`Report::is_complete`] says no is of a dump that was
    /// published without the entries that its faults name.
    ///
    /// # Errors
    /// See [`Error`]: nothing was published then, and what was published
    /// before is as it was.
    pub fn run(self) -> Result<Report, Error> {
        let sources = open_roots(&self.roots, self.observer)?;
        engine::watched(self.observer, &self.dump, || apart(&sources, &self.dump))?;
        let caller = Caller {
            observer: self.observer,
            stop: self.stop,
            dry_run: self.dry_run,
            jobs: self.jobs,
            bwlimit: self.bwlimit,
        };
        let order = Order {
            sources,
            sort: Sort::Dump,
            policy: &self.policy,
            filter: &self.filter,
            at: self.at,
            moment: self.at.map(|at| at.first_moment()),
            lacks: 0,
            read: Vec::new(),
            newest_birth: None,
            mounted: Vec::new(),
            allow_empty: self.allow_empty,
            one_file_system: self.one_file_system,
            source_is_dump: false,
            space_check: false,
        };
        Run::open(self.dump, self.init, caller)?.make(order, &mut |_| Ok(()))
    }
}

/// Opens the trees, each under a name of its own.
fn open_roots(roots: &[Root], observer: &dyn Observer) -> Result<Vec<Source>, Error> {
    if roots.is_empty() {
        return Err(Error::NoRoots);
    }
    let mut sources: Vec<Source> = Vec::new();
    for root in roots {
        let path = root.path.clone();
        let opened = engine::watched(observer, &path, || dir::open_root(&path, For::Reading));
        let handle = match opened {
            Ok(handle) => handle,
            Err(cause) => return Err(Error::MainUnusable { path, cause }),
        };
        let name = name_of(root)?;
        if let Some(first) = sources.iter().find(|source| source.name == name) {
            if is_same(&first.handle, &handle) {
                return Err(Error::SameTree {
                    first: first.path.clone(),
                    second: path,
                });
            }
            return Err(Error::SameName {
                name: Printable(name.to_bytes()).to_string(),
                first: first.path.clone(),
                second: path,
            });
        }
        sources.push(Source::new(name, path, handle));
    }
    Ok(sources)
}

/// No tree is the dump root itself. One that cannot be opened is for the run to
/// tell of.
fn apart(sources: &[Source], dump: &Path) -> Result<(), Error> {
    let Ok(dump) = dir::open_root(dump, For::Passing) else {
        return Ok(());
    };
    match sources.iter().find(|source| is_same(&source.handle, &dump)) {
        Some(source) => Err(Error::MainUnusable {
            path: source.path.clone(),
            cause: std::io::Error::other("it is the dump root itself"),
        }),
        None => Ok(()),
    }
}

fn is_same(a: &OwnedFd, b: &OwnedFd) -> bool {
    match (stat::look_at(a), stat::look_at(b)) {
        (Ok(a), Ok(b)) => a.id() == b.id(),
        _ => false,
    }
}

/// The name a root gets in the dump: the one given, the last of its path, or
/// (for `.` and the like) the last of its real path.
fn name_of(root: &Root) -> Result<CString, Error> {
    let own = |path: &Path| layout::root_name(path).map(OsString::from);
    let name = root
        .name
        .clone()
        .or_else(|| own(&root.path))
        .or_else(|| own(&dir::real_path(&root.path)?))
        .unwrap_or_default();
    let bad = || Error::BadRootName {
        path: root.path.clone(),
        name: Printable(name.as_bytes()).to_string(),
    };
    if !layout::is_root_name(name.as_bytes()) {
        return Err(bad());
    }
    CString::new(name.as_bytes()).map_err(|_| bad())
}
