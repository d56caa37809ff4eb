//! Removing a tree by many workers, or adding up what that would free.
//!
//! It removes names and never writes to what they name: an inode that another
//! dump shares only loses a link, and a file's mode is never touched. Names go
//! in the order of their inodes, which are side by side on the disk, and
//! directories side by side by several workers. A directory that its owner may
//! not write to is opened to them first: directories are never shared.
//!
//! No symlink is followed, a directory on which something is mounted is not
//! entered, and one that was swapped for another is noticed by its inode.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Budget;
use super::doomed::Doomed;
use super::measure::{Act, Gone, allocated};
use super::totals::Totals;
use crate::fs::dir_handle::{DirHandle, Entered, HandleCache};
use crate::fs::fixed::Fixed;
use crate::fs::inspect;
use crate::fs::mount::MountOf;
use crate::model::event::Event;
use crate::model::fault::{Fault, Op};
use crate::model::kind::Kind;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::queue::{Alarm, Queue};
use crate::sys::{errno, file, link};

/// How many times a directory is listed again that was not empty after all:
/// where a listing passes over names while others are removed.
const TRIES: usize = 5;

/// What an owner needs to empty a directory.
const FREE: u16 = 0o700;

/// A directory to be entered, or one to be listed.
enum Job {
    Enter(Arc<Doomed>, CString),
    List(Arc<Doomed>),
}

struct Remover<'a> {
    act: &'a Act<'a>,
    totals: &'a Totals<'a>,
    queue: Queue<Job>,
    /// Where the top is, and its path for people.
    dir: &'a OwnedFd,
    path: &'a Path,
    /// The mount that all of it is on.
    mount: MountOf,
    /// Is the top gone?
    all: AtomicBool,
    names: AtomicU64,
    freed: AtomicU64,
    inodes: AtomicU64,
}

/// Removes what has this name in a directory, with all that is below it.
/// `path` is that of the name, for people. Faults are the totals'; what cannot
/// be removed stays, with the directories above it.
pub(crate) fn remove(
    dir: &OwnedFd,
    name: &CStr,
    path: &Path,
    act: &Act<'_>,
    budget: Budget,
    totals: &Totals<'_>,
) -> Gone {
    let slots = budget.slots();
    let (top, mount) = match begin(dir, name, act, &slots) {
        Ok(Some(begun)) => begun,
        Ok(None) => return Gone::ONE,
        Err(e) if errno::is_missing(&e) => return Gone::WAS_GONE,
        Err(e) => {
            let cause = match Fixed::behind(&e, dir.as_fd(), name) {
                Some(fixed) => fixed.answer(false),
                None => e,
            };
            totals.fault(Fault::new(Op::Remove, path.to_path_buf(), cause));
            return Gone::default();
        }
    };
    let remover = Remover {
        act,
        totals,
        queue: Queue::new(Vec::new()),
        dir,
        path,
        mount,
        all: AtomicBool::new(false),
        names: AtomicU64::new(0),
        freed: AtomicU64::new(0),
        inodes: AtomicU64::new(0),
    };
    remover.free(&top);
    let top = Arc::new(Doomed::new(None, top, name.to_owned()));
    remover.queue.add([Job::List(top)]);
    remover.run(budget.jobs())
}

/// Enters the top, and tells which mount it is on; `None` when it was no
/// directory, and is gone.
fn begin(
    dir: &OwnedFd,
    name: &CStr,
    act: &Act<'_>,
    slots: &Arc<HandleCache>,
) -> io::Result<Option<(Entered, MountOf)>> {
    let Some(top) = open_top(dir, name, act)? else {
        return Ok(None);
    };
    let mount = MountOf::of(&top)?;
    Ok(Some((DirHandle::top(top, For::Filling, slots)?, mount)))
}

fn open_top(dir: &OwnedFd, name: &CStr, act: &Act<'_>) -> io::Result<Option<OwnedFd>> {
    match dir::open_dir(dir.as_fd(), name, For::Filling) {
        Err(e) if errno::is_missing(&e) => Err(e),
        Err(e) if errno::has_changed(&e) => {
            if act.removes() {
                link::remove(dir.as_fd(), name)?;
            }
            Ok(None)
        }
        Err(e) if errno::is_not_permitted(&e) && act.removes() => {
            link::set_mode_of_dir(dir.as_fd(), name, FREE)?;
            dir::open_dir(dir.as_fd(), name, For::Filling).map(Some)
        }
        opened => opened.map(Some),
    }
}

impl Remover<'_> {
    /// Works by several threads, the calling one among them.
    fn run(self, jobs: usize) -> Gone {
        std::thread::scope(|scope| {
            for _ in 1..jobs {
                // With fewer threads it only takes longer.
                let spawned = std::thread::Builder::new().spawn_scoped(scope, || self.work());
                if spawned.is_err() {
                    break;
                }
            }
            self.work();
        });
        Gone {
            names: self.names.into_inner(),
            freed: self.freed.into_inner(),
            inodes: self.inodes.into_inner(),
            all: self.all.into_inner(),
        }
    }

    fn work(&self) {
        let _alarm = Alarm(&self.queue);
        let mut chunk = Chunk::default();
        while let Some(job) = self.queue.take(Vec::new) {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                if self.totals.keep_going() {
                    next = self.one(job, &mut chunk);
                } else {
                    self.queue.close();
                }
            }
            self.queue.done();
        }
    }

    /// Does one job; returns the one that this worker continues with, if any.
    fn one(&self, job: Job, chunk: &mut Chunk) -> Option<Job> {
        let (above, name) = match job {
            Job::List(doomed) => return self.list(&doomed, chunk),
            Job::Enter(above, name) => (above, name),
        };
        match self.enter(&above, &name) {
            Ok(below) => return self.list(&below, chunk),
            Err(e) if errno::is_missing(&e) => {}
            Err(e) => self.fault(&above, &name, Op::Remove, e),
        }
        self.release(above);
        None
    }

    /// Enters a directory; what its permissions forbid its owner is allowed
    /// first.
    fn enter(&self, above: &Arc<Doomed>, name: &CStr) -> io::Result<Arc<Doomed>> {
        let entered = match above.place.enter(name, For::Filling) {
            Err(e) if errno::is_not_permitted(&e) && self.act.removes() => {
                let handle = above.place.open()?;
                link::set_mode_of_dir(handle.as_fd(), name, FREE)?;
                above.place.enter(name, For::Filling)?
            }
            entered => entered?,
        };
        if !self.mount.has(&*entered.handle, &entered.meta)? {
            return Err(io::Error::other(
                "something is mounted on it; unmount it first",
            ));
        }
        self.free(&entered);
        let above = Some(Arc::clone(above));
        Ok(Arc::new(Doomed::new(above, entered, name.to_owned())))
    }

    /// Lets its owner empty a directory.
    fn free(&self, entered: &Entered) {
        if self.act.removes() && entered.meta.mode & 0o300 != 0o300 {
            // Root needs no permission, and a disk without modes has none.
            let _ = file::set_mode(&*entered.handle, FREE);
        }
    }

    /// Removes everything but directories from one, and hands out the directories
    /// except for one, with which this worker continues.
    fn list(&self, doomed: &Arc<Doomed>, chunk: &mut Chunk) -> Option<Job> {
        let mut below = Vec::new();
        let listed = self.each(doomed, chunk, &mut below);
        if let Err(e) = listed {
            self.fault(doomed, c"", Op::List, e);
        }
        doomed.left.fetch_add(below.len(), Ordering::Relaxed);
        let job = |name| Job::Enter(Arc::clone(doomed), name);
        let mut jobs = below.into_iter().map(job);
        let next = jobs.next();
        self.queue.add(jobs.rev());
        self.release(Arc::clone(doomed));
        next
    }

    fn each(
        &self,
        doomed: &Arc<Doomed>,
        chunk: &mut Chunk,
        below: &mut Vec<CString>,
    ) -> io::Result<()> {
        let handle = doomed.place.open()?;
        let mut lister = match doomed.tries.load(Ordering::Relaxed) {
            0 => Lister::new(Arc::clone(&handle)),
            _ => Lister::new(dir::reopen(handle.as_fd(), For::Reading)?),
        };
        while !lister.is_done() && self.totals.keep_going() {
            lister.next(chunk)?;
            chunk.sort_by_inode();
            let mut gone = Gone::default();
            for entry in chunk.iter() {
                if !self.totals.keep_going() {
                    break;
                }
                if entry.kind == Some(Kind::Dir) {
                    below.push(entry.name.to_owned());
                    continue;
                }
                if entry.kind.is_some() && doomed.fixed.load(Ordering::Relaxed) {
                    continue;
                }
                match self.name(&handle, entry.name) {
                    Ok(Some(freed)) => {
                        gone.names += 1;
                        gone.freed += freed.unwrap_or(0);
                        gone.inodes += u64::from(freed.is_some());
                    }
                    Ok(None) => below.push(entry.name.to_owned()),
                    Err(e) if errno::is_missing(&e) => {}
                    Err(e) => self.fault(doomed, entry.name, Op::Remove, e),
                }
            }
            self.count(&gone);
        }
        Ok(())
    }

    /// Removes one name, and says what that freed, if it was the last one of its
    /// inode; `None` of a directory.
    fn name(&self, dir: &OwnedFd, name: &CStr) -> io::Result<Option<Option<u64>>> {
        let meta = inspect::look_in_dump(dir.as_fd(), name)?;
        if meta.kind == Kind::Dir {
            return Ok(None);
        }
        let last = match self.act {
            Act::Remove => {
                link::remove(dir.as_fd(), name)?;
                meta.nlink <= 1
            }
            Act::Measure(measured) => meta.nlink <= 1 || measured.meet(&meta),
        };
        Ok(Some(last.then(|| allocated(&meta))))
    }

    fn count(&self, gone: &Gone) {
        let Gone { names, freed, .. } = *gone;
        self.names.fetch_add(names, Ordering::Relaxed);
        self.freed.fetch_add(freed, Ordering::Relaxed);
        self.inodes.fetch_add(gone.inodes, Ordering::Relaxed);
        if names > 0 && self.act.removes() {
            self.totals.event(Event::Removed { names, freed });
        }
    }

    /// One thing of a directory is done; with the last it goes itself, and one
    /// thing of the directory above is done.
    fn release(&self, doomed: Arc<Doomed>) {
        let mut at = Some(doomed);
        while let Some(doomed) = at.take() {
            if doomed.left.fetch_sub(1, Ordering::AcqRel) != 1 || !self.totals.keep_going() {
                return;
            }
            let stays = doomed.stays.load(Ordering::Relaxed);
            if stays && let Some(above) = &doomed.above {
                above.stays.store(true, Ordering::Relaxed);
            } else if !stays && !self.leave(&doomed) {
                return;
            }
            at = doomed.above.clone();
        }
    }

    /// Removes a directory that was emptied. Not done with it when it is to be
    /// listed again.
    fn leave(&self, doomed: &Arc<Doomed>) -> bool {
        let removed = match self.act {
            Act::Remove => self.remove_empty(doomed),
            Act::Measure(_) => Ok(()),
        };
        match removed {
            Ok(()) => {
                self.all.store(doomed.above.is_none(), Ordering::Relaxed);
                self.count(&Gone {
                    names: 1,
                    freed: doomed.bytes,
                    inodes: 1,
                    all: false,
                });
            }
            Err(e) if errno::is_missing(&e) => {
                self.all.store(doomed.above.is_none(), Ordering::Relaxed);
            }
            Err(e)
                if errno::is_taken(&e) && doomed.tries.fetch_add(1, Ordering::Relaxed) < TRIES =>
            {
                doomed.left.fetch_add(1, Ordering::Relaxed);
                self.queue.add([Job::List(Arc::clone(doomed))]);
                return false;
            }
            Err(e) => {
                self.fault(doomed, c"", Op::Remove, e);
                if let Some(above) = &doomed.above {
                    above.stays.store(true, Ordering::Relaxed);
                }
            }
        }
        true
    }

    fn remove_empty(&self, doomed: &Arc<Doomed>) -> io::Result<()> {
        let Some(above) = &doomed.above else {
            return dir::remove_empty(self.dir.as_fd(), &doomed.name);
        };
        if let Ok(handle) = doomed.place.open() {
            // The shortest way up, as long as it is there.
            doomed.place.open_above(handle.as_fd());
        }
        dir::remove_empty(above.place.open()?.as_fd(), &doomed.name)
    }

    /// Something below a directory stays. What the disk refuses it will refuse
    /// of all that is left.
    fn fault(&self, doomed: &Arc<Doomed>, name: &CStr, op: Op, cause: io::Error) {
        let refused = errno::is_disk_refusal(&cause);
        doomed.stays.store(true, Ordering::Relaxed);
        let (mut doomed, mut name, mut cause) = (doomed, name, cause);
        if op == Op::Remove && self.act.removes() && errno::is_not_permitted(&cause) {
            if name.is_empty()
                && !doomed.is_fixed()
                && let Some(above) = &doomed.above
            {
                (doomed, name) = (above, &doomed.name);
                doomed.stays.store(true, Ordering::Relaxed);
            }
            if doomed.is_fixed() {
                // Once for all of its names.
                if doomed.fixed.swap(true, Ordering::Relaxed) {
                    return;
                }
                (name, cause) = (c"", Fixed::Above.answer(true));
            } else if let Ok(dir) = doomed.place.open()
                && let Some(fixed) = Fixed::behind(&cause, dir.as_fd(), name)
            {
                cause = fixed.answer(false);
            }
        }
        let below = doomed.place.path().join(name.to_bytes());
        let path = below.below(self.path);
        self.totals.fault(Fault::new(op, path, cause));
        if refused {
            self.queue.close();
        }
    }
}
