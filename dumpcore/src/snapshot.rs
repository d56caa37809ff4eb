//! Taking a dump: the order of its acts, and what each failure means.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::error::Error;
use crate::event::{Observer, Silent};
use crate::link::LinkPolicy;
use crate::report::Report;
use crate::stamp::Stamp;

/// A tree to dump, and its name in the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The tree.
    pub path: PathBuf,
    /// Its name in the dump; `None` for the last name of `path`.
    pub name: Option<OsString>,
}

/// Takes a dump of one or several trees into a dump root.
#[must_use = "a snapshot does nothing until it is run"]
pub struct Snapshot<'a> {
    dump: PathBuf,
    roots: Vec<Root>,
    policy: LinkPolicy,
    init: bool,
    at: Option<Stamp>,
    allow_empty: bool,
    dry_run: bool,
    one_file_system: bool,
    jobs: Option<usize>,
    observer: &'a dyn Observer,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Snapshot<'a> {
    /// A dump into this dump root, of trees that are yet to be named.
    pub fn new(dump: impl Into<PathBuf>) -> Self {
        Self {
            dump: dump.into(),
            roots: Vec::new(),
            policy: LinkPolicy::new(),
            init: false,
            at: None,
            allow_empty: false,
            dry_run: false,
            one_file_system: false,
            jobs: None,
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

    /// The minute it is of, when it is not now: to import an older copy.
    pub fn at(mut self, stamp: Stamp) -> Self {
        self.at = Some(stamp);
        self
    }

    /// An empty tree is meant.
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.allow_empty = yes;
        self
    }

    /// Only tell what would be done.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// Do not enter other filesystems: leave an empty directory in their place.
    pub fn one_file_system(mut self, yes: bool) -> Self {
        self.one_file_system = yes;
        self
    }

    /// So many workers. Unset: chosen from the machine.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Is told of everything.
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// When this becomes true, the run stops and keeps what it did for the next.
    pub fn stop(mut self, flag: &'a AtomicBool) -> Self {
        self.stop = Some(flag);
        self
    }

    /// Takes the dump.
    ///
    /// # Errors
    /// See [`Error`]: nothing was published then.
    pub fn run(self) -> Result<Report, Error> {
        Err(Error::NoRoots)
    }
}
