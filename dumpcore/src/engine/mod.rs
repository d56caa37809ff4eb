//! The engine: merges a source, a reference and a target, by many workers.
//!
//! For each entry of the source it makes the target's entry equal to it: by
//! a link to the reference where the policy allows that, by keeping what the
//! target has where that is the same, by a copy otherwise; and it removes
//! what the target has beyond that. A new dump is the case of an empty
//! target, a checkpoint the case without a reference, a run that goes on
//! where another stopped the case of a target that is partly done: modes of
//! one engine, not engines.
//!
//! It never writes to an inode that it did not make itself, and never
//! follows a symlink. It uses memory for the directories in hand and for
//! hard-linked inodes of which not all names have been met (all of them where
//! one tree is within another); descriptors are bounded however wide or deep the tree is.

mod directory;
mod entry;
mod evidence;
mod groups;
mod job;
mod node;
mod pool;
mod tally;
mod worker;

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use tally::Tally;

use self::job::Job;
use self::worker::{Run, Worker};
use crate::filter::Filter;
use crate::link::LinkPolicy;
use crate::meta::{Abilities, Id};
use crate::names::Names;
use crate::sys::dir::{self, For};
use crate::sys::file::Pages;
use crate::sys::{disk, stat};
use crate::walk::{Entered, Place, Slots};

/// What holds for a whole run.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a LinkPolicy,
    pub(crate) abilities: &'a Abilities,
    pub(crate) filter: &'a Filter,
    /// How many workers.
    pub(crate) jobs: usize,
    /// Leave what is mounted below empty.
    pub(crate) one_file_system: bool,
    /// May copies share blocks with the reference?
    pub(crate) may_share: bool,
    /// Is the source a published dump, whose access times are to be kept?
    pub(crate) source_is_dump: bool,
    /// How many names each inode has in what is read, where its link count
    /// does not tell: in a published dump.
    pub(crate) names: Option<&'a Names>,
    /// What becomes of the pages of what is copied.
    pub(crate) pages: Pages,
    /// Compare contents with what is on the disk, not with what is cached.
    pub(crate) from_disk: bool,
    /// Has what is in the target surely reached the disk?
    pub(crate) trusted: bool,
    /// Directories that are left out wherever they are met: the dump root,
    /// and what is being made in it.
    pub(crate) leave_out: Vec<Id>,
    /// How many names an inode of the dump can have.
    pub(crate) most_links: Option<u32>,
}

/// A tree to be merged.
#[derive(Debug)]
pub(crate) struct Root {
    /// Its name in the dump.
    pub(crate) name: CString,
    /// Where it is, for people.
    pub(crate) main: PathBuf,
    /// Its top, opened.
    pub(crate) entered: Entered,
    /// The dump that is linked to.
    pub(crate) reference: Option<Arc<Place>>,
    pub(crate) reference_path: PathBuf,
    /// The dump that is made; `None` in a dry run.
    pub(crate) target: Option<Arc<Place>>,
    pub(crate) target_path: PathBuf,
    /// Can nothing be in it?
    pub(crate) target_is_new: bool,
}

/// How descriptors are shared out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Directories that may stay open.
    pub(crate) places: usize,
    /// Listings that may stay open.
    listings: usize,
    /// Workers that have enough for what they need at once.
    pub(crate) jobs: usize,
}

impl Budget {
    /// A worker has in hand three sides of a directory, as many above it,
    /// and two files.
    const OF_A_WORKER: usize = 9;
    /// Standard streams, logs, tops of trees, the dump root, and some air.
    const OF_THE_PROCESS: usize = 24;

    /// For so many workers, or fewer where descriptors are few.
    pub(crate) fn new(jobs: usize) -> Self {
        let limit = disk::descriptor_limit();
        let ours = limit.saturating_sub(Self::OF_THE_PROCESS);
        let jobs = jobs.clamp(1, (ours / 2 / Self::OF_A_WORKER).max(1));
        let rest = ours.saturating_sub(jobs * Self::OF_A_WORKER);
        Self {
            places: (rest * 3 / 4).clamp(3, 768),
            listings: (rest / 4).clamp(0, 256),
            jobs,
        }
    }

    /// The slots for this budget.
    pub(crate) fn slots(&self) -> Arc<Slots> {
        Slots::new(self.places)
    }
}

/// Merges trees. What happened is in the tally, also why it ended early.
pub(crate) fn merge(rules: &Rules<'_>, budget: Budget, tally: &Tally<'_>, roots: Vec<Root>) {
    let names_repeat = overlap(&roots);
    let first = roots.into_iter().rev();
    let first = first.map(|root| Job::Root(Box::new(root))).collect();
    let run = Run::new(rules, tally, first, budget.listings, names_repeat);
    std::thread::scope(|scope| {
        for _ in 1..rules.jobs {
            scope.spawn(|| Worker::new(&run).work());
        }
        Worker::new(&run).work();
    });
}

/// Is one tree within another, or the same?
fn overlap(roots: &[Root]) -> bool {
    let ids: Vec<Id> = roots.iter().map(|root| root.entered.meta.id()).collect();
    let twice = |(at, id): (usize, &Id)| ids[..at].contains(id);
    let within = |root: &Root| is_within(root, &ids).unwrap_or(true);
    roots.len() > 1 && (ids.iter().enumerate().any(twice) || roots.iter().any(within))
}

/// Is a directory above this tree one of those?
fn is_within(root: &Root, ids: &[Id]) -> std::io::Result<bool> {
    let mut below = root.entered.meta.id();
    let mut handle = dir::open_parent(root.entered.handle.as_fd(), For::Passing)?;
    loop {
        let id = stat::look_at(&handle)?.id();
        if id == below {
            return Ok(false);
        }
        if ids.contains(&id) {
            return Ok(true);
        }
        below = id;
        handle = dir::open_parent(handle.as_fd(), For::Passing)?;
    }
}
