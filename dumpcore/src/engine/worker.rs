//! A worker: takes jobs until there are none, and judges what goes wrong.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::hardlinks::Hardlinks;
use super::job::Job;
use super::left_out::LeftOut;
use super::node::{Node, Tree};
use super::relisted::Relisted;
use super::reported::Reported;
use super::seen::Seen;
use super::throttle::Throttle;
use super::totals::{Counter, Totals};
use super::watch::Here;
use super::{Budget, Rules};
use crate::catalog::{DirId, Rows};
use crate::fs::dir_handle::DirHandle;
use crate::fs::disk_hash::DiskHasher;
use crate::fs::inspect;
use crate::fs::link_counts::LinkCounts;
use crate::fs::store::EntryWriter;
use crate::model::event::Action;
use crate::model::fault::{OpError, Side};
use crate::model::kind::Kind;
use crate::model::loss::Lacking;
use crate::model::metadata::Meta;
use crate::sys::queue::{Alarm, Queue};
use crate::sys::{dir, errno};
use std::collections::HashSet;

/// A tree that is read: its top, and its name in the dump.
pub(super) struct Top {
    pub(super) place: Arc<DirHandle>,
    pub(super) name: Vec<u8>,
}

/// What workers start with.
pub(super) struct Start {
    /// The first jobs; the last is taken first.
    pub(super) jobs: Vec<Job>,
    pub(super) tops: Vec<Top>,
    /// May a name be met twice, since one tree is within another?
    pub(super) names_repeat: bool,
    /// Is there a second look at the end?
    pub(super) looks_again: bool,
}

/// What all workers of a run share.
pub(super) struct Shared<'a> {
    pub(super) rules: &'a Rules<'a>,
    pub(super) totals: &'a Totals<'a>,
    pub(super) queue: Queue<Job>,
    pub(super) groups: Hardlinks<Job>,
    /// How many workers there are.
    jobs: usize,
    /// How many long listings may stay open, and how many do.
    most_listings: usize,
    listings: AtomicUsize,
    copies: AtomicUsize,
    pub(super) throttle: Throttle,
    /// Held while something is tried in the scratch directory.
    pub(super) scratch: Mutex<()>,
    /// Has every name that can be met been met?
    all_met: AtomicBool,
    /// Was it reported that setuid bits take effect in the dump?
    pub(super) told_setuid: AtomicBool,
    pub(super) left_out: LeftOut,
    pub(super) seen: Seen,
    /// The faults when the second look began.
    pub(super) faulty: Mutex<HashSet<PathBuf>>,
    pub(super) tops: Vec<Top>,
    /// How many names each inode has in the trees, once that was counted.
    pub(super) counted: OnceLock<LinkCounts>,
    /// Did two files turn out to have the same inode number?
    collided: AtomicBool,
    /// What was reported of the reference.
    pub(super) reported: Reported,
}

impl<'a> Shared<'a> {
    pub(super) fn new(
        rules: &'a Rules<'a>,
        totals: &'a Totals<'a>,
        budget: Budget,
        start: Start,
    ) -> Self {
        Self {
            rules,
            jobs: budget.jobs(),
            totals,
            queue: Queue::new(start.jobs),
            groups: Hardlinks::new(start.names_repeat),
            most_listings: budget.listings,
            listings: AtomicUsize::new(0),
            copies: AtomicUsize::new(0),
            throttle: Throttle::new(rules.options.bwlimit),
            scratch: Mutex::new(()),
            all_met: AtomicBool::new(false),
            told_setuid: AtomicBool::new(false),
            left_out: LeftOut::default(),
            seen: Seen::new(start.looks_again),
            faulty: Mutex::default(),
            tops: start.tops,
            counted: OnceLock::new(),
            collided: AtomicBool::new(false),
            reported: Reported::default(),
        }
    }

    /// Takes one of `most` permits, if one is free.
    fn take(places: &AtomicUsize, most: usize) -> bool {
        let one_more = |taken: usize| (taken < most).then_some(taken + 1);
        places
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// May a long listing stay open while others work? Descriptors are few;
    /// without one, the rest is read into memory at once.
    pub(super) fn hold_listing(&self) -> bool {
        Self::take(&self.listings, self.most_listings)
    }

    pub(super) fn let_listing_go(&self) {
        self.listings.fetch_sub(1, Ordering::Relaxed);
    }

    /// May a large file wait for another worker? Only a few may, to limit what
    /// waits; with one worker none do.
    pub(super) fn may_defer_copy(&self) -> bool {
        self.jobs > 1 && Self::take(&self.copies, 4 * self.jobs)
    }

    pub(super) fn deferred_copy_ended(&self) {
        self.copies.fetch_sub(1, Ordering::Relaxed);
    }

    /// The jobs that were put off until all names of the trees were met.
    fn put_off(&self) -> Vec<Job> {
        self.all_met.store(true, Ordering::Relaxed);
        self.groups.stop_seeking()
    }

    /// The jobs for when everything else is done.
    fn more(&self) -> Vec<Job> {
        let put_off = self.put_off();
        let looks = put_off.is_empty() && self.totals.keep_going() && self.seen.begins_round();
        if looks { vec![Job::LookAgain] } else { put_off }
    }

    /// May another name of this inode be in the reference, so that storing it
    /// can wait for that?
    pub(super) fn can_wait(&self, tree: &Tree, others: bool) -> bool {
        others && tree.reference_top.is_some() && !self.all_met.load(Ordering::Relaxed)
    }

    /// How many names an inode has in what is read, at most.
    pub(super) fn names_of(&self, source: &Meta) -> u32 {
        if source.nlink < 2 {
            return source.nlink;
        }
        let earlier = self.rules.earlier;
        if earlier.is_some_and(|earlier| earlier.contains_key(&source.id())) {
            return source.nlink;
        }
        let counts = self.rules.names.or_else(|| self.counted.get());
        let counted = counts.and_then(|counts| counts.of(source.id()));
        counted.map_or(source.nlink, |names| names.min(source.nlink))
    }

    /// Two files were seen with one inode number, at once or one after the
    /// other: from now on no number is trusted without a comparison.
    pub(super) fn inodes_collide(&self) {
        self.collided.store(true, Ordering::Relaxed);
    }

    pub(super) fn do_inodes_collide(&self) -> bool {
        self.collided.load(Ordering::Relaxed)
    }

    /// Can the reference take all names of this inode?
    pub(super) fn has_room_for_links(&self, reference: &Meta, source: &Meta) -> bool {
        let all = u64::from(reference.nlink) + u64::from(self.names_of(source));
        let most = self.rules.most_links;
        most.is_none_or(|most| all <= u64::from(most))
    }
}

/// One thread's work.
pub(super) struct Worker<'a> {
    pub(super) run: &'a Shared<'a>,
    pub(super) writer: EntryWriter<'a>,
    pub(super) counter: Counter<'a>,
    pub(super) lacking: Lacking,
    /// An owner and group that were found to be settable.
    pub(super) settable_owner: Option<(u32, u32)>,
    pub(super) chunk: dir::Chunk,
    here: Here,
    /// Reads files from the disk, once one was to be read.
    pub(super) disk: Option<DiskHasher>,
    /// Was the file of the reference, which was looked at last, damaged?
    pub(super) is_damaged: bool,
    /// What is asked of the catalog, once something was.
    pub(super) rows: Option<Rows>,
    /// The directory of the reference that had the last moved file.
    pub(super) moved_from: Option<(DirId, Arc<DirHandle>)>,
    /// The names of the last directory in which one was missing.
    pub(super) relisted: Option<Relisted>,
    /// The path of the current directory with a slash, for the filter.
    pub(super) filter_path: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Shared<'a>, here: Here) -> Self {
        Self {
            run,
            writer: EntryWriter::new(run.rules.capabilities, run.rules.options.purpose.pages())
                .by(run.throttle.step)
                .reading_a_dump(run.rules.options.source_is_dump)
                .flushing(run.rules.flush_each)
                .hashing(run.rules.options.hash),
            counter: Counter::new(run.totals),
            lacking: Lacking::default(),
            settable_owner: None,
            chunk: dir::Chunk::default(),
            here,
            disk: None,
            is_damaged: false,
            rows: None,
            moved_from: None,
            relisted: None,
            filter_path: Vec::new(),
        }
    }

    /// Works until there is nothing left to do, or the run ends.
    pub(super) fn work(mut self) {
        let _alarm = Alarm(&self.run.queue);
        while let Some(job) = self.run.queue.take(|| self.run.more()) {
            if self.run.totals.keep_going() {
                self.one(job);
            } else {
                self.run.queue.close();
            }
            self.here.idle();
            self.run.queue.done();
        }
    }

    fn one(&mut self, job: Job) {
        self.say_where(&job);
        match job {
            Job::Root(root) => self.open_root(*root),
            Job::Enter { above, name, tries } => self.enter(&above, &name, tries),
            Job::Rest(rest) => self.go_on(*rest),
            Job::Copy(copying) => self.deferred_copy(*copying),
            Job::LookAgain => self.look_again(),
            Job::Recheck(job) => self.recheck(&job),
            Job::Moved(moved) => self.recheck_moved(&moved),
            Job::Store { node, name } => {
                self.store_again(&node, &name, 0);
                self.release(node);
            }
        }
    }

    fn say_where(&self, job: &Job) {
        match job {
            Job::Root(root) => self.here.at_path(&root.main),
            Job::Enter { above, name, .. } => self.here.at(above, name),
            Job::Rest(rest) => self.here.at(&rest.node, c""),
            Job::Copy(copying) => self.here.at(&copying.node, &copying.name),
            Job::Store { node, name } => self.here.at(node, name),
            Job::LookAgain => self.here.idle(),
            Job::Moved(job) => self
                .here
                .below(&job.tree.tree.source, &job.above, &job.name),
            Job::Recheck(job) => self.here.below(&job.tree.tree.source, &job.place, c""),
        }
    }

    /// Something in this directory has attributes.
    pub(super) fn mark(&self, node: &Node) {
        if let (Some(marks), Some(dir)) = (self.run.rules.marks, &node.target) {
            marks.mark(dir.id().ino);
        }
    }

    /// An entry of a directory could not be processed: decides what that means
    /// for the run. An empty name is the directory itself.
    pub(super) fn fault(&mut self, node: &Node, name: &CStr, op_error: OpError) {
        if !self.run.totals.keep_going() {
            return;
        }
        let source = op_error.side == Side::Source;
        let missing = source && errno::is_missing(&op_error.cause);
        if missing && self.has_vanished(node, name)
            || source && self.has_gone(node, name, &op_error)
        {
            return self.vanished(node, name);
        }
        if self.ends_the_run(node, &op_error) || self.is_fixed(node, name, &op_error) {
            return self.halt(node, name, op_error);
        }
        if self.was_listed_twice(node, name, &op_error) {
            return;
        }
        let op_error = match errno::exists(&op_error.cause) {
            true => self.named(node, name, op_error),
            false => op_error,
        };
        self.tell(node, name, op_error);
    }

    pub(super) fn vanished(&mut self, node: &Node, name: &CStr) {
        self.run.seen.leave_gap();
        self.count(node, name, Kind::File, 0, Action::Vanished);
    }

    /// Has an entry been removed when a server says that it is stale? It says
    /// so both of a file that was removed there and of an export that is gone.
    /// The name is looked up again, and if its directory is stale too, that
    /// one's.
    fn has_gone(&self, node: &Node, name: &CStr, op_error: &OpError) -> bool {
        if !errno::is_stale(&op_error.cause) {
            return false;
        }
        let (mut place, mut name, mut was) = (&node.source, name, None);
        loop {
            if !name.is_empty() {
                let looked = place.open().map(|dir| inspect::look(dir.as_fd(), name));
                match looked {
                    Ok(Ok(meta)) => return was.is_some_and(|was| was != meta.id()),
                    Ok(Err(op_error)) if errno::is_missing(&op_error.cause) => return true,
                    Ok(Err(op_error)) if !errno::is_stale(&op_error.cause) => return false,
                    _ => {}
                }
            }
            let Some((above, last)) = place.above() else {
                return false;
            };
            (place, name, was) = (above, last, Some(place.id()));
        }
    }

    /// An entry was stored without an attribute: a fault, whatever the system's
    /// answer. The caller has decided that.
    pub(super) fn lost(&self, node: &Node, name: &CStr, loss: OpError) {
        if self.run.totals.keep_going() {
            self.tell(node, name, loss);
        }
    }

    pub(super) fn tell(&self, node: &Node, name: &CStr, op_error: OpError) {
        let path = node.path_later(op_error.side, name);
        self.run.totals.fault(op_error.at(path));
    }

    /// The same for a directory that could not be entered: when it is a mount
    /// whose server is gone, while the directory that it is mounted on works,
    /// only that entry is a fault.
    pub(super) fn fault_at_directory(&mut self, node: &Node, name: &CStr, op_error: OpError) {
        let gone = errno::is_mount_gone(&op_error.cause) && !self.has_gone(node, name, &op_error);
        if gone && self.can_list(node) {
            self.tell(node, name, op_error);
        } else {
            self.fault(node, name, op_error);
        }
    }

    fn can_list(&self, node: &Node) -> bool {
        [&node.source, &node.source.top_of()]
            .into_iter()
            .all(|place| place.open().and_then(|h| dir::is_empty(h.as_fd())).is_ok())
    }
}
