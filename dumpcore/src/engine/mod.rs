//! The engine: merges a source, a reference and a target, by many workers.
//!
//! For each entry of the source it makes the target's entry equal to it: by
//! a link to the reference where the policy allows that, by keeping what the
//! target has where that is the same, by a copy otherwise; and it removes
//! what the target has beyond that. A new dump is the case of an empty
//! target, a checkpoint the case without a reference, a resumed run the case
//! of a target that is partly done: modes of one engine, not engines.
//!
//! It never writes to an inode that it did not make itself, and never follows a
//! symlink. It uses memory for the directories being merged and for hard-linked
//! inodes of which not all names have been met (all of them where one tree is
//! within another); descriptors are bounded however wide or deep the tree is.

mod compare;
mod copy_entry;
mod count_names;
mod directory;
mod entry;
mod filtering;
mod folded_names;
mod hardlink_entry;
mod hardlinks;
mod job;
mod kept_entry;
mod left_out;
mod losses;
mod measure;
mod missing;
mod mount_memory;
mod mounts;
mod node;
mod queue;
mod relisted;
mod remove;
mod second_look;
mod seen;
mod target_dir;
mod throttle;
mod totals;
mod trim_target;
mod watch;
mod worker;

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use measure::{Act, Gone, Measured};
pub(crate) use mount_memory::MountsMet;
pub(crate) use node::{Doubts, Mounts, Remembered};
pub(crate) use remove::remove;
pub(crate) use totals::{Sum, Totals};
pub(crate) use trim_target::{Pair, Wanted, trim_target};
pub use watch::watched;

use self::job::Job;
use self::worker::{Shared, Top, Worker};
use crate::fs::dir_handle::{DirHandle, Entered, HandleCache};
use crate::fs::folding::Folding;
use crate::fs::link_counts::LinkCounts;
use crate::fs::xattr_map::{Bare, Marks};
use crate::model::chain::Chain;
use crate::model::event::Warning;
use crate::model::metadata::{Capabilities, Id};
use crate::policy::filter::Filter;
use crate::policy::link::LinkPolicy;
use crate::policy::rate_limit::Rate;
use crate::root::watermark::Watermark;
use crate::sys::dir::{self, For};
use crate::sys::pages::Pages;
use crate::sys::{disk, stat};

/// What holds for a whole run.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) policy: &'a LinkPolicy,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) filter: &'a Filter,
    /// Leave what is mounted below empty.
    pub(crate) one_file_system: bool,
    /// May copies share blocks with the reference?
    pub(crate) may_share: bool,
    /// Is the source a published dump, whose access times are to be kept?
    pub(crate) source_is_dump: bool,
    /// How many names each inode has in what is read, where its link count
    /// does not tell: in a published dump.
    pub(crate) names: Option<&'a LinkCounts>,
    /// How fast contents may be copied, by all workers together.
    pub(crate) bwlimit: Rate,
    /// Of the first directories only these names, one of each level: the way
    /// from the top to what is wanted. Below them all of it.
    pub(crate) only: &'a [CString],
    /// May copies share blocks with the source?
    pub(crate) share_source: bool,
    /// What becomes of the pages of what is copied.
    pub(crate) pages: Pages,
    /// Compare contents with what is on the disk, not with what is cached.
    pub(crate) from_disk: bool,
    /// What is to be remembered of those that are stored.
    pub(crate) marks: Option<&'a Marks>,
    /// The dump root, when setuid bits count there.
    pub(crate) honours_setuid: Option<&'a Path>,
    /// What in the target has surely reached the disk.
    pub(crate) watermark: Option<&'a Watermark>,
    /// Where attributes may be tried out; nowhere in a dry run.
    pub(crate) scratch: Option<&'a OwnedFd>,
    /// Directories that are left out wherever they are met: the dump root,
    /// and what is being made in it.
    pub(crate) leave_out: Vec<Id>,
    /// The filesystem that links would be made on, for a dry run to foresee which
    /// are refused.
    pub(crate) link_dev: Option<u64>,
    /// What is met of mounts.
    pub(crate) mounts: Option<&'a MountsMet>,
    /// Which names are one in the target.
    pub(crate) folding: Folding,
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
    pub(crate) reference: Option<Arc<DirHandle>>,
    pub(crate) reference_path: PathBuf,
    /// What that dump remembers of its attributes.
    pub(crate) bare: Option<Bare>,
    /// The dump that is made; `None` in a dry run.
    pub(crate) target: Option<Arc<DirHandle>>,
    pub(crate) target_path: PathBuf,
    /// Where it will be.
    pub(crate) published_path: PathBuf,
    /// Can nothing be in it?
    pub(crate) target_is_new: bool,
    /// Which files may have been touched.
    pub(crate) touched: Doubts,
    /// What is known of mounts below it.
    pub(crate) mounts: Mounts,
    /// What the target's handle is of.
    pub(crate) stands: Stands,
}

/// How the top of a tree comes to stand in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It is made in the target, under the tree's name.
    Made,
    /// The target is the top itself, made by the caller.
    Itself,
    /// The target is the top itself and keeps its own attributes.
    Room,
}

/// How descriptors are shared out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Directories that may stay open.
    pub(crate) places: usize,
    /// Listings that may stay open.
    listings: usize,
    /// Workers that have enough for what they need at once.
    jobs: usize,
    /// Workers that were wanted.
    wanted: usize,
}

impl Budget {
    /// A worker has in hand three sides of a directory, as many above it,
    /// and two files.
    const OF_A_WORKER: usize = 9;
    /// Standard streams, logs, tops of trees, the dump root, and some air.
    const OF_THE_PROCESS: usize = 24;

    /// For this many workers, or fewer where file descriptors are few.
    pub(crate) fn new(wanted: usize) -> Self {
        Self::within(disk::descriptor_limit(), wanted)
    }

    fn within(limit: usize, wanted: usize) -> Self {
        let ours = limit.saturating_sub(Self::OF_THE_PROCESS);
        let jobs = wanted.clamp(1, (ours / 2 / Self::OF_A_WORKER).max(1));
        let rest = ours.saturating_sub(jobs * Self::OF_A_WORKER);
        Self {
            places: (rest / 4 * 3).clamp(3, 768),
            listings: (rest / 4).clamp(0, 256),
            jobs,
            wanted,
        }
    }

    /// How many workers there are.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// That there are fewer than were wanted.
    pub(crate) fn shortage(&self) -> Option<Warning> {
        (self.jobs < self.wanted).then(|| Warning::FewerJobs {
            asked: self.wanted,
            jobs: self.jobs,
            cause: "the limit on open files allows no more (ulimit -n, RLIMIT_NOFILE)".into(),
        })
    }

    /// The slots for this budget.
    pub(crate) fn slots(&self) -> Arc<HandleCache> {
        HandleCache::new(self.places)
    }
}

/// Merges trees. The totals say what happened, also why it ended early.
pub(crate) fn merge(rules: &Rules<'_>, budget: Budget, totals: &Totals<'_>, roots: Vec<Root>) {
    let names_repeat = overlap(&roots);
    // A dump does not change, and where nothing is made nothing can come to it.
    let may_change = !rules.source_is_dump && !rules.from_disk;
    let is_made = |root: &Root| root.target.is_some() && root.stands == Stands::Made;
    let looks_again = may_change && roots.iter().all(is_made);
    let tops = roots.iter().map(|root| Top {
        place: Arc::clone(&root.entered.place),
        name: root.name.to_bytes().to_vec(),
    });
    let tops = tops.collect();
    let first = roots.into_iter().rev();
    let first = first.map(|root| Job::Root(Box::new(root))).collect();
    let run = Shared::new(
        rules,
        totals,
        (first, tops),
        budget,
        (names_repeat, looks_again),
    );
    let posts = watch::Posts::default();
    std::thread::scope(|scope| {
        let working = posts.look_after(scope, totals.observer());
        // The thread that called is the first of them.
        for started in 1..budget.jobs {
            let named = std::thread::Builder::new().name(format!("worker {started}"));
            let (run, posts, working) = (&run, &posts, working.clone());
            let spawned = named.spawn_scoped(scope, move || {
                Worker::new(run, posts.join()).work();
                drop(working);
            });
            if let Err(cause) = spawned {
                totals.warn(Warning::FewerJobs {
                    asked: budget.jobs,
                    jobs: started,
                    cause: format!("cannot start a thread: {}", Chain(&cause)),
                });
                break;
            }
        }
        Worker::new(&run, posts.join()).work();
        drop(working);
    });
    run.left_out.tell(totals);
    if let Some(path) = run.seen.still_coming() {
        totals.warn(Warning::KeptMoving { path });
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_workers_only_where_descriptors_are_few() {
        for (limit, wanted, jobs) in [
            (1024, 1, 1),
            (1024, 32, 32),
            (1024, 55, 55),
            (1024, 56, 55),
            (256, 16, 12),
            (64, 8, 2),
            (40, 8, 1),
            (3, 1, 1),
            (usize::MAX, 65_535, 65_535),
        ] {
            let budget = Budget::within(limit, wanted);
            assert_eq!(budget.jobs(), jobs, "{wanted} within {limit}");
            assert_eq!(budget.shortage().is_some(), jobs < wanted);
            let all = budget.places + budget.listings + jobs * Budget::OF_A_WORKER;
            assert!(limit < 40 || all <= limit, "{budget:?} within {limit}");
        }
    }
}
