//! The engine: merges a source, a reference and a target, by many workers.
//!
//! For each entry of the source it makes the target's entry equal to it: by
//! a link to the reference where the policy allows that, by keeping what the
//! target has where that is the same, by a copy otherwise; and it removes
//! what the target has beyond that. A new dump is the case of an empty
//! target, a checkpoint the case without a reference, a resumed run the case
//! of a target that is partly done, a recycled dump that of one which is nearly
//! right: modes of one engine, not engines.
//!
//! It never writes to an inode that it did not make itself, and never follows a
//! symlink. It uses memory for the directories being merged and for hard-linked
//! inodes of which not all names have been met (all of them where one tree is
//! within another); descriptors are bounded however wide or deep the tree is.
//!
//! # The life of a job
//!
//! Workers ([`worker`]) take [`job::Job`]s from one [`queue`](crate::sys::queue), the newest
//! first, until none is left and none is in hand.
//!
//! ```text
//!  merge ──► Root                    one for each tree                      top.rs
//!              │ opens the three sides, makes the top
//!  Enter ──►   │ the same of a directory below: one job for each       directory.rs
//!    ▲         ▼
//!    │       Node, with one job left: its listing                           node.rs
//!    │         │
//!    │         ▼
//!    │       list ──► next stretch of the listing ◄────────────── Rest   directory.rs
//!    │                  │ for each name: entry                             entry.rs
//!    ├── directory ◄────┤                                                     ▲
//!    │                  ├─► store ─┬─► link as the catalog knows it    recall │
//!    │                  │          ├─► link to the reference   entry, compare │
//!    │                  │          ├─► keep what is there          kept_entry │
//!    │                  │          ├─► copy ──► large: Copy        copy_entry │
//!    │                  │          └─► one of several names     hardlink_entry│
//!    │                  │                └─► waits in Hardlinks ──► Store     │
//!    │                  └─► the listing has more ─────────────────────────────┘
//!    │                  ▼ it has not
//!    │                  │   (what became of it is noted for the catalog: record)
//!    │       what is left over in the target is removed      target_dir.rs
//!    │                  ▼
//!    │       release: one job of the node is done; with the last one       directory.rs
//!    │                  ├─► its attributes are set, and it is counted
//!    │                  └─► release of the node above, up to the top
//!    │
//!    └─ queue empty ──► Store: what waited for a name that did not come   hardlinks.rs
//!                  ──► LookAgain ──► Recheck, Moved: what came meanwhile  second_look.rs
//! ```
//!
//! Every job but `Root` and those of the second look belongs to a node and is
//! counted in `Node::left` before others can see it: by `Node::expect`. Who
//! does the job releases the node afterwards, whatever came of it. A fault costs
//! its entry; what would meet all entries ends the run: [`Totals`] holds the
//! reason, the queue is closed, and whatever waits in it is dropped.
//!
//! # Who owns what
//!
//! ```text
//!  caller       Rules, Totals        borrowed by all for the whole merge; with
//!    │          and Catalogued        what is remembered, and the stage of what is
//!    │                                found out
//!  merge        Shared               the queue, Hardlinks, Seen, LeftOut, Throttle:
//!    │                               what workers share; gone when they are
//!    ├─ Worker × n                   one thread each: EntryWriter with its buffers,
//!    │                               Counter (added to Totals when dropped), Chunk
//!    └─ Queue ─► Job ─► Arc<Node>    a job holds its node, and no open file
//!                         │          (Rest holds its Lister: their number is limited)
//!                         ├─ above   Arc<Node>: a node keeps the way up to its top,
//!                         │          and lives as long as a job or a node below
//!                         ├─ known   KnownDir: the catalog's rows of the directory,
//!                         │          and what is not put aside yet
//!                         ├─ tree    Arc<Tree>: what the nodes of a tree share
//!                         └─ source, reference, target
//!                                    Arc<DirHandle>: names and inodes of directories.
//!                                    The descriptors are the HandleCache's, which
//!                                    closes and opens them as needed; OpenDirs
//!                                    holds those of one node while it is dealt with
//! ```

mod budget;
mod catalogued;
mod check_attributes;
mod check_copy;
mod checked;
mod checked_link;
mod compare;
mod copy_entry;
mod count_names;
mod directory;
mod doomed;
mod earlier_name;
mod entry;
mod filtering;
mod folded_names;
mod halt;
mod hardlink_entry;
mod hardlinks;
mod held;
mod job;
mod judged;
mod kept_entry;
mod known_dir;
mod left_out;
mod link_checks;
mod losses;
mod measure;
mod missing;
mod mount_memory;
mod mounts;
mod mounts_met;
mod name_hashes;
mod node;
mod recall;
mod record;
mod reference_faults;
mod relisted;
mod remove;
mod removed;
mod reported;
mod root;
mod rules;
mod second_look;
mod seen;
mod stands;
mod target_dir;
mod throttle;
mod top;
mod totals;
mod trim_target;
mod watch;
mod worker;

use std::os::fd::AsFd as _;
use std::sync::Arc;

pub(crate) use budget::Budget;
pub(crate) use catalogued::{Catalogued, CataloguedTree};
pub(crate) use checked::{Checked, CopyDamage, Doubt, GoodCopies, GoodCopy, Opinion};
pub(crate) use earlier_name::EarlierName;
pub(crate) use held::Held;
pub(crate) use link_checks::LinkChecks;
pub(crate) use measure::{Act, Gone, Measured};
pub(crate) use mounts_met::MountsMet;
pub(crate) use node::{Doubts, Mounts, Remembered};
pub(crate) use remove::remove;
pub(crate) use root::Root;
pub(crate) use rules::{MergeOptions, Purpose, Rules, Sharing};
pub(crate) use stands::Stands;
pub(crate) use throttle::Throttle;
pub(crate) use totals::{Sum, Totals};
pub(crate) use trim_target::{Pair, Wanted, trim_target};
pub use watch::watched;

use self::job::Job;
use self::worker::{Shared, Start, Top, Worker};
use crate::model::chain::about;
use crate::model::event::Warning;
use crate::model::metadata::Id;
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// Merges trees. The totals say what happened, also why it ended early.
pub(crate) fn merge(rules: &Rules<'_>, budget: Budget, totals: &Totals<'_>, roots: Vec<Root>) {
    let names_repeat = overlap(&roots);
    // A dump does not change, and where nothing is made nothing can come to it.
    let may_change = !rules.options.source_is_dump && !rules.verifies();
    let is_made = |root: &Root| root.target.is_some() && root.stands == Stands::Made;
    let looks_again = may_change && roots.iter().all(is_made);
    let tops = roots.iter().map(|root| Top {
        place: Arc::clone(&root.entered.place),
        name: root.name.to_bytes().to_vec(),
    });
    let tops = tops.collect();
    let first = roots.into_iter().rev();
    let start = Start {
        jobs: first.map(|root| Job::Root(Box::new(root))).collect(),
        tops,
        names_repeat,
        looks_again,
    };
    let run = Shared::new(rules, totals, budget, start);
    for (id, earlier) in rules.earlier.into_iter().flatten() {
        run.groups.begin(*id, earlier.there.id(), earlier.first());
    }
    let posts = watch::Posts::default();
    std::thread::scope(|scope| {
        let working = posts.look_after(scope, totals.observer());
        // The thread that called is the first of them.
        for started in 1..budget.jobs() {
            let named = std::thread::Builder::new().name(format!("worker {started}"));
            let (run, posts, working) = (&run, &posts, working.clone());
            let spawned = named.spawn_scoped(scope, move || {
                Worker::new(run, posts.join()).work();
                drop(working);
            });
            if let Err(cause) = spawned {
                totals.warn(Warning::FewerJobs {
                    asked: budget.jobs(),
                    jobs: started,
                    cause: about("cannot start a thread", cause).into(),
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
