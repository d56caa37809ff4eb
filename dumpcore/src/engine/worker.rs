//! A worker: takes jobs until there are none, and judges what goes wrong.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::hardlinks::Groups;
use super::job::{Found, Job};
use super::node::{Node, Tree};
use super::queue::{Alarm, Pool};
use super::throttle::Throttle;
use super::totals::{Counter, Tally};
use super::{Budget, Rules};
use crate::fs::inspect;
use crate::fs::store::Placer;
use crate::model::error::Error;
use crate::model::event::Did;
use crate::model::fault::{Fault, Op, Side, Snag};
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::sys::{dir, disk, errno};

/// What all workers of a run share.
pub(super) struct Run<'a> {
    pub(super) rules: &'a Rules<'a>,
    pub(super) tally: &'a Tally<'a>,
    pub(super) pool: Pool<Job>,
    pub(super) groups: Groups<Job>,
    /// How many workers there are.
    jobs: usize,
    /// How many long listings may stay open, and how many do.
    most_listings: usize,
    listings: AtomicUsize,
    copies: AtomicUsize,
    pub(super) throttle: Throttle,
    /// Has every name that can be met been met?
    all_met: AtomicBool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        rules: &'a Rules<'a>,
        tally: &'a Tally<'a>,
        first: Vec<Job>,
        budget: Budget,
        names_repeat: bool,
    ) -> Self {
        Self {
            rules,
            jobs: budget.jobs(),
            tally,
            pool: Pool::new(first),
            groups: Groups::new(names_repeat),
            most_listings: budget.listings,
            listings: AtomicUsize::new(0),
            copies: AtomicUsize::new(0),
            throttle: Throttle::new(rules.bwlimit),
            all_met: AtomicBool::new(false),
        }
    }

    /// Takes one of `most` places, if one is free.
    fn take(places: &AtomicUsize, most: usize) -> bool {
        let one_more = |taken: usize| (taken < most).then_some(taken + 1);
        places
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// May a long listing stay open while others work? Its descriptor is
    /// one of few; without it, the rest is read into memory at once.
    pub(super) fn hold_listing(&self) -> bool {
        Self::take(&self.listings, self.most_listings)
    }

    pub(super) fn let_listing_go(&self) {
        self.listings.fetch_sub(1, Ordering::Relaxed);
    }

    /// May a large file wait for another worker? Only few, so that what
    /// waits stays little; and where nobody else is, it is no use.
    pub(super) fn may_copy_beside(&self) -> bool {
        self.jobs > 1 && Self::take(&self.copies, 4 * self.jobs)
    }

    pub(super) fn copy_beside_ended(&self) {
        self.copies.fetch_sub(1, Ordering::Relaxed);
    }

    /// What was put off until all names of the trees were met.
    fn put_off(&self) -> Vec<Job> {
        self.all_met.store(true, Ordering::Relaxed);
        self.groups.stop_seeking()
    }

    /// May another name of this inode be in the reference, so that storing it
    /// can wait for that?
    pub(super) fn can_wait(&self, tree: &Tree, others: bool) -> bool {
        others && tree.has_reference && !self.all_met.load(Ordering::Relaxed)
    }

    /// How many names an inode has in what is read, at most.
    pub(super) fn names_of(&self, source: &Meta) -> u32 {
        let counted = self.rules.names.map(|names| names.of(source.ino));
        counted.map_or(source.nlink, |names| names.min(source.nlink))
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
    pub(super) run: &'a Run<'a>,
    pub(super) placer: Placer<'a>,
    pub(super) counter: Counter<'a>,
    pub(super) chunk: dir::Chunk,
    /// The path of the directory in hand with a slash, for the filter.
    filter_path: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self {
            run,
            placer: Placer::new(run.rules.abilities, run.rules.pages).by(run.throttle.step),
            counter: Counter::new(run.tally),
            chunk: dir::Chunk::default(),
            filter_path: Vec::new(),
        }
    }

    /// Works until there is nothing left to do, or the run ends.
    pub(super) fn work(mut self) {
        let _alarm = Alarm(&self.run.pool);
        while let Some(job) = self.run.pool.take(|| self.run.put_off()) {
            if self.run.tally.goes_on() {
                self.one(job);
            } else {
                self.run.pool.close();
            }
            self.run.pool.done();
        }
    }

    fn one(&mut self, job: Job) {
        match job {
            Job::Root(root) => self.open_root(*root),
            Job::Enter { above, name, tries } => self.enter(&above, &name, tries),
            Job::Rest(rest) => self.go_on(*rest),
            Job::Copy(copying) => self.copy_beside(*copying),
            Job::Store { node, name } => {
                self.store_again(&node, &name, 0);
                self.release(node);
            }
        }
    }

    /// Remembers the directory whose entries the filter is asked about next.
    pub(super) fn set_filter_path(&mut self, node: &Node) {
        self.filter_path.clear();
        if self.run.rules.filter.needs_path() {
            let path = node.path_of(c"");
            self.filter_path.extend_from_slice(path.as_bytes());
            self.filter_path.push(b'/');
        }
    }

    /// Something in this directory has attributes.
    pub(super) fn mark(&self, node: &Node) {
        if let (Some(marks), Some(dir)) = (self.run.rules.marks, &node.target) {
            marks.mark(dir.id().ino);
        }
    }

    pub(super) fn is_excluded(&mut self, name: &CStr, is_dir: bool) -> bool {
        let filter = self.run.rules.filter;
        if filter.is_empty() {
            return false;
        }
        let length = self.filter_path.len();
        self.filter_path.extend_from_slice(name.to_bytes());
        let excluded = filter.excludes(&self.filter_path, is_dir);
        self.filter_path.truncate(length);
        excluded
    }

    /// An entry of a directory could not be dealt with: decides what that
    /// means for the run. An empty name is the directory itself.
    pub(super) fn fault(&mut self, node: &Node, name: &CStr, snag: Snag) {
        if !self.run.tally.goes_on() {
            return;
        }
        let source = snag.side == Side::Source;
        if source && (errno::is_missing(&snag.cause) || self.has_gone(node, name, &snag)) {
            return self.count(node, name, Kind::File, 0, Did::Vanished);
        }
        if self.ends_the_run(node, &snag) {
            return self.halt(node, name, snag);
        }
        if self.was_listed_twice(node, name, &snag) {
            return;
        }
        self.tell(node, name, snag);
    }

    /// Is an entry no longer there that a server says to be stale? That it says
    /// of what was removed there as well as of an export that is gone. The name
    /// is looked up, and if its directory is stale too, that one's.
    fn has_gone(&self, node: &Node, name: &CStr, snag: &Snag) -> bool {
        if !errno::is_stale(&snag.cause) {
            return false;
        }
        let (mut place, mut name, mut was) = (&node.source, name, None);
        loop {
            if !name.is_empty() {
                let looked = place.open().map(|dir| inspect::look(dir.as_fd(), name));
                match looked {
                    Ok(Ok(meta)) => return was.is_some_and(|was| was != meta.id()),
                    Ok(Err(snag)) if errno::is_missing(&snag.cause) => return true,
                    Ok(Err(snag)) if !errno::is_stale(&snag.cause) => return false,
                    _ => {}
                }
            }
            let Some((above, last)) = place.above() else {
                return false;
            };
            (place, name, was) = (above, last, Some(place.id()));
        }
    }

    /// Was this name stored already? A listing may tell a name twice that was
    /// made anew meanwhile. It is looked for byte by byte, since two names may
    /// be one for the dump's filesystem, and must be what it is in the source:
    /// else what was to be stored is missing, and that is a fault.
    fn was_listed_twice(&self, node: &Node, name: &CStr, snag: &Snag) -> bool {
        let makes = matches!(snag.op, Op::Create | Op::Link);
        if snag.side != Side::Target || !makes || !errno::exists(&snag.cause) {
            return false;
        }
        let Some(target) = &node.target else {
            return false;
        };
        let stored = target.open().and_then(|handle| {
            let listed = Found::list(&handle)?.take(name).is_some();
            let there = inspect::look_in_dump(handle.as_fd(), name)?;
            Ok(listed.then_some(there.kind))
        });
        let source = Self::look(node, name).map(|meta| meta.kind);
        stored.is_ok_and(|stored| stored.is_some() && stored == source)
    }

    /// An attribute could not be stored, while its entry is: a fault, whatever
    /// the system answered. Who stored it has judged that.
    pub(super) fn lost(&self, node: &Node, name: &CStr, loss: Snag) {
        if self.run.tally.goes_on() {
            self.tell(node, name, loss);
        }
    }

    fn tell(&self, node: &Node, name: &CStr, snag: Snag) {
        let path = node.path_later(snag.side, name);
        self.run.tally.fault(snag.at(path));
    }

    /// The same of a directory that could not be entered: when it is a mount
    /// whose server has gone, while the directory that it is mounted on is
    /// well, it is that entry's fault alone.
    pub(super) fn fault_at_directory(&mut self, node: &Node, name: &CStr, snag: Snag) {
        let gone = errno::is_mount_gone(&snag.cause) && !self.has_gone(node, name, &snag);
        if gone && self.can_list(node) {
            self.tell(node, name, snag);
        } else {
            self.fault(node, name, snag);
        }
    }

    fn can_list(&self, node: &Node) -> bool {
        [&node.source, &node.source.top_of()]
            .into_iter()
            .all(|place| place.open().and_then(|h| dir::is_empty(h.as_fd())).is_ok())
    }

    /// Would other entries meet with the same?
    fn ends_the_run(&self, node: &Node, snag: &Snag) -> bool {
        let cause = &snag.cause;
        if errno::is_shortage(cause) {
            return true;
        }
        match snag.side {
            Side::Source if errno::is_mount_gone(cause) => true,
            Side::Source if errno::is_io(cause) || errno::is_unreachable(cause) => {
                let top = node.source.top_of();
                top.open().and_then(|h| dir::is_empty(h.as_fd())).is_err()
            }
            Side::Source => false,
            Side::Reference => false,
            // Nobody else removes anything from where a dump is built.
            Side::Target => errno::is_disk_refusal(cause) || errno::is_missing(cause),
        }
    }

    /// Ends the run for this reason.
    pub(super) fn halt(&self, node: &Node, name: &CStr, snag: Snag) {
        let side = snag.side;
        let shortage = errno::is_shortage(&snag.cause);
        let full = errno::is_full(&snag.cause);
        let fault = snag.at(node.full_path(side, name));
        let error = if shortage {
            Error::Shortage { fault }
        } else if side == Side::Source {
            Error::SourceGone { fault }
        } else {
            let needed = self.needed(node, name, &fault);
            Error::DumpDisk {
                free: self.free(node).filter(|_| full),
                needed: needed.filter(|_| full),
                fault,
            }
        };
        self.run.tally.halt(error);
        self.run.pool.close();
    }

    /// Bytes and inodes that are free where the dump is made.
    fn free(&self, node: &Node) -> Option<(u64, u64)> {
        let target = node.target.as_ref()?.open().ok()?;
        let free = disk::free(&*target).ok()?;
        Some((free.bytes, free.inodes.unwrap_or(u64::MAX)))
    }

    /// Bytes of the file that was being written.
    fn needed(&self, node: &Node, name: &CStr, fault: &Fault) -> Option<u64> {
        if fault.op != Op::Write {
            return None;
        }
        let source = node.source.open().ok()?;
        let meta = inspect::look(source.as_fd(), name).ok()?;
        Some(meta.size)
    }
}
