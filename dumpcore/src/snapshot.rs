//! Taking a dump of one or several trees.

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::engine::{self, MergeOptions};
use crate::model::error::Error;
use crate::model::event::Observer;
use crate::model::lacking::Lacking;
use crate::model::minute::Stamp;
use crate::model::path::Printable;
use crate::model::report::Report;
use crate::model::tree::Tree;
use crate::policy::filter::Filter;
use crate::policy::layout::{self, PinName, Sort};
use crate::policy::link::LinkPolicy;
use crate::run::{Order, Run, RunOptions, Source, takes_run_options};
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// Takes a dump of one or several trees into a dump root.
///
/// Entries that have not changed since the dump that `current` names become hard
/// links to it; the rest is copied. When everything is stored and flushed, the
/// dump is made visible and `current` points to it.
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
#[derive(Clone, Debug)]
#[doc(alias = "backup")]
#[doc(alias = "incremental")]
#[must_use = "a snapshot does nothing until it is run"]
pub struct Snapshot {
    dump: PathBuf,
    trees: Vec<Tree>,
    filter: Filter,
    policy: LinkPolicy,
    init: bool,
    at: Option<Stamp>,
    moment: Option<DateTime<Utc>>,
    origin: Option<Vec<u8>>,
    lacks: Option<Lacking>,
    allow_empty: bool,
    one_file_system: bool,
    hash: bool,
    recycle: bool,
    pin: Option<PinName>,
    options: RunOptions,
}

impl Snapshot {
    /// A dump in this dump root; trees are added with [`Snapshot::main`].
    pub fn new(dump: impl Into<PathBuf>) -> Self {
        Self {
            dump: dump.into(),
            trees: Vec::new(),
            filter: Filter::new(),
            policy: LinkPolicy::new(),
            init: false,
            at: None,
            moment: None,
            origin: None,
            lacks: None,
            allow_empty: false,
            one_file_system: false,
            hash: true,
            recycle: false,
            pin: None,
            options: RunOptions::new(),
        }
    }

    /// Adds a tree: a path, or a [`Tree`] that has another name in the dump.
    pub fn main(mut self, tree: impl Into<Tree>) -> Self {
        self.trees.push(tree.into());
        self
    }

    /// Rules that leave entries out. None by default.
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

    /// The minute of the dump, if not now: to import an older copy. It is
    /// linked to the newest dump that is not later, and `current` moves to it
    /// unless that names a later one.
    pub fn at(mut self, stamp: Stamp) -> Self {
        self.at = Some(stamp);
        self
    }

    /// When what is dumped was made, with [`at`](Self::at): the dump's moment. If
    /// it is not given, the first one of that minute.
    pub fn moment(mut self, moment: DateTime<Utc>) -> Self {
        self.moment = Some(moment);
        self
    }

    /// Says of which copy it is an import, and how many entries that one lacks.
    pub(crate) fn import_of(mut self, origin: Vec<u8>, lacks: Option<Lacking>) -> Self {
        (self.origin, self.lacks) = (Some(origin), lacks);
        self
    }

    /// Accept a tree that is empty although its reference is not.
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.allow_empty = yes;
        self
    }

    /// Do not enter other filesystems, btrfs subvolumes included: leave an
    /// empty directory in their place. None is opened, mounted by an automount,
    /// or waited for; [`Counts::other_filesystems`](crate::Counts) says how
    /// many there were.
    pub fn one_file_system(mut self, yes: bool) -> Self {
        self.one_file_system = yes;
        self
    }

    /// Take the hash of the contents that are copied, and keep it in the
    /// catalog, so that damage can be found. It costs about a tenth of the
    /// time of a full copy, and a fifth where few large files are in memory
    /// already. The default, where there is a catalog.
    pub fn hash(mut self, yes: bool) -> Self {
        self.hash = yes;
        self
    }

    /// Make the dump from one that has expired, where [`Prune::recycle`] has kept one
    /// of these trees and the catalog knows their last dump: what both have the same
    /// stays in place, and only what differs is changed. It is removed when it could
    /// not be used. Off by default.
    ///
    /// [`Prune::recycle`]: crate::Prune::recycle
    pub fn recycle(mut self, yes: bool) -> Self {
        self.recycle = yes;
        self
    }

    /// Keep the dump under this name, from the moment at which it is published.
    pub fn pin(mut self, name: PinName) -> Self {
        self.pin = Some(name);
        self
    }

    takes_run_options!();

    /// Uses and updates the catalog; see
    /// [`RunOptions::catalog`](crate::RunOptions::catalog).
    pub fn catalog(mut self, yes: bool) -> Self {
        self.options = self.options.catalog(yes);
        self
    }

    /// Links what was moved; see [`RunOptions::moves`](crate::RunOptions::moves).
    pub fn moves(mut self, yes: bool) -> Self {
        self.options = self.options.moves(yes);
        self
    }

    /// How old a time of change must be to prove something; see
    /// [`RunOptions::settle`](crate::RunOptions::settle).
    pub fn settle(mut self, time: std::time::Duration) -> Self {
        self.options = self.options.settle(time);
        self
    }

    /// How long dumps may be entered in the catalog before; see
    /// [`RunOptions::catch_up`](crate::RunOptions::catch_up).
    pub fn catch_up(mut self, time: std::time::Duration) -> Self {
        self.options = self.options.catch_up(time);
        self
    }

    /// Takes the dump.
    ///
    /// When [`Report::is_complete`] is false, the dump was published without the
    /// entries that the faults in the report name.
    ///
    /// # Errors
    /// See [`Error`]: nothing was published, and what was published before is
    /// unchanged. [`PinError`](crate::PinError) in [`Error::Other`] when its pin
    /// cannot be made.
    pub fn run(self) -> Result<Report, Error> {
        let observer = &*self.options.observer;
        let sources = open_trees(&self.trees, observer)?;
        engine::watched(observer, &self.dump, || apart(&sources, &self.dump))?;
        let merge = MergeOptions {
            one_file_system: self.one_file_system,
            hash: self.hash,
            ..self.options.merge(&self.policy, &self.filter)
        };
        let order = Order {
            at: self.at,
            moment: self.at.map(|at| self.moment.unwrap_or(at.first_moment())),
            allow_empty: self.allow_empty,
            origin: self.origin,
            lacks: self.lacks,
            pin: self.pin,
            recycle: self.recycle && self.at.is_none() && !self.init,
            ..Order::new(Sort::Dump, merge)
        };
        let run = Run::open(self.dump, self.init, self.options)?;
        run.make(&order, sources, &mut |_| Ok(()))
    }
}

/// Opens the trees, each under a name of its own.
fn open_trees(trees: &[Tree], observer: &dyn Observer) -> Result<Vec<Source>, Error> {
    if trees.is_empty() {
        return Err(Error::NoRoots);
    }
    let mut sources: Vec<Source> = Vec::new();
    for tree in trees {
        let path = tree.path.clone();
        let opened = engine::watched(observer, &path, || dir::open_root(&path, For::Reading));
        let handle = match opened {
            Ok(handle) => handle,
            Err(cause) => return Err(Error::MainUnusable { path, cause }),
        };
        let name = name_of(tree)?;
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

/// No tree is the dump root itself. One that cannot be opened is reported by the
/// run.
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

/// The name a tree gets in the dump: the one given, the last of its path, or
/// (for `.` and the like) the last of its real path.
fn name_of(tree: &Tree) -> Result<CString, Error> {
    let own = |path: &Path| layout::root_name(path).map(OsString::from);
    let name = tree
        .name
        .clone()
        .or_else(|| own(&tree.path))
        .or_else(|| own(&dir::real_path(&tree.path)?))
        .unwrap_or_default();
    let bad = || Error::BadRootName {
        path: tree.path.clone(),
        name: Printable(name.as_bytes()).to_string(),
    };
    if !layout::is_root_name(name.as_bytes()) {
        return Err(bad());
    }
    CString::new(name.as_bytes()).map_err(|_| bad())
}
