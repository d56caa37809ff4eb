//! Going through the dumps on disk with several workers.
//!
//! Every directory is opened and listed once, by its handle: no symlink is
//! followed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::error::{CatalogError, CatalogOp};
use super::walk_options::WalkOptions;
use crate::fs::dir_handle::{DirHandle, Entered, HandleCache};
use crate::model::event::{Action, Event, Locate, Observer};
use crate::model::kind::Kind;
use crate::model::path::RelPath;
use crate::sys::dir::{Chunk, For, Lister};
use crate::sys::lock::lock;
use crate::sys::queue::{Alarm, Queue};

/// Directories that are kept open on the way, by all workers.
const OPEN: usize = 128;

/// What is done with each directory.
pub(super) trait Visit: Sync {
    /// What is known of a directory from the one above it.
    type At: Send;
    /// What each worker has of its own.
    type Worker;

    fn worker(&self) -> Result<Self::Worker, CatalogError>;

    /// Deals with a directory that cannot be opened or listed: an error ends it all.
    fn unreadable(&self, path: PathBuf, cause: io::Error) -> Result<(), CatalogError> {
        Err(CatalogError::io(&path, CatalogOp::List, cause))
    }

    /// Deals with a directory. Returns those below it.
    fn visit(
        &self,
        worker: &mut Self::Worker,
        directory: &Directory<'_>,
        at: Self::At,
    ) -> Result<Vec<(CString, Self::At)>, CatalogError>;
}

/// An opened directory of a dump, with all its names in order.
pub(super) struct Directory<'d> {
    pub(super) entered: &'d Entered,
    pub(super) chunk: &'d Chunk,
    tree: &'d Tree<'d>,
}

/// A tree of a dump that is gone through.
pub(super) struct Tree<'t> {
    /// The path of its dump.
    pub(super) dump: PathBuf,
    /// Its name in there.
    pub(super) name: &'t CStr,
    pub(super) observer: &'t dyn Observer,
}

/// Where an entry is, for observers.
struct Here<'h> {
    directory: &'h Directory<'h>,
    name: &'h CStr,
}

impl Locate for Here<'_> {
    fn path(&self) -> RelPath {
        let tree = RelPath::from_bytes(self.directory.tree.name.to_bytes());
        let place = self.directory.entered.place.path();
        tree.join(place.as_bytes()).join(self.name.to_bytes())
    }

    fn source(&self) -> PathBuf {
        self.path().below(&self.directory.tree.dump)
    }
}

impl Directory<'_> {
    /// The path of a name in it; of itself for an empty one.
    pub(super) fn path_of(&self, name: &CStr) -> PathBuf {
        let directory = self;
        Here { directory, name }.source()
    }

    /// Tells the observer of an entry.
    pub(super) fn tell(&self, name: &CStr, kind: Kind, bytes: u64) {
        let directory = self;
        self.tree.observer.event(Event::Entry {
            at: &Here { directory, name },
            kind,
            bytes,
            did: Action::Recorded,
        });
    }

    /// What keeps this directory, or a name in it, from being looked at.
    pub(super) fn failed(&self, name: &CStr, cause: io::Error) -> CatalogError {
        CatalogError::io(&self.path_of(name), CatalogOp::List, cause)
    }
}

type Job<V> = (Option<Arc<DirHandle>>, CString, <V as Visit>::At);

/// What all workers share.
struct Shared<'s, V: Visit> {
    visit: &'s V,
    tree: &'s Tree<'s>,
    options: &'s WalkOptions<'s>,
    top: Mutex<Option<Entered>>,
    queue: Queue<Job<V>>,
    failed: Mutex<Option<CatalogError>>,
}

/// Goes through a tree of a dump.
pub(super) fn walk<V: Visit>(
    top: OwnedFd,
    tree: &Tree<'_>,
    at: V::At,
    visit: &V,
    options: &WalkOptions<'_>,
) -> Result<(), CatalogError> {
    let path = RelPath::from_bytes(tree.name.to_bytes()).below(&tree.dump);
    let slots = HandleCache::new(OPEN);
    let top = DirHandle::top(top, For::Reading, &slots);
    let top = top.map_err(|e| CatalogError::io(&path, CatalogOp::List, e))?;
    let shared = Shared {
        visit,
        tree,
        options,
        top: Mutex::new(Some(top)),
        queue: Queue::new(vec![(None, CString::default(), at)]),
        failed: Mutex::new(None),
    };
    std::thread::scope(|scope| {
        for _ in 1..options.jobs {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    if let Some(error) = lock(&shared.failed).take() {
        return Err(error);
    }
    match options.keep_going() {
        true => Ok(()),
        false => Err(CatalogError::new(&path, CatalogOp::Stopped, None)),
    }
}

impl<V: Visit> Shared<'_, V> {
    /// One worker, until there is nothing left to do.
    fn work(&self) {
        let _alarm = Alarm(&self.queue);
        let mut worker = match self.visit.worker() {
            Ok(worker) => worker,
            Err(error) => return self.fail(error),
        };
        while let Some(job) = self.queue.take(Vec::new) {
            if !self.options.keep_going() {
                self.queue.close();
            } else if let Err(error) = self.one(&mut worker, job) {
                self.fail(error);
            }
            self.queue.done();
        }
    }

    fn fail(&self, error: CatalogError) {
        lock(&self.failed).get_or_insert(error);
        self.queue.close();
    }

    fn one(&self, worker: &mut V::Worker, (above, name, at): Job<V>) -> Result<(), CatalogError> {
        let entered = match &above {
            Some(above) => match above.enter(&name, For::Reading) {
                Ok(entered) => entered,
                Err(cause) => {
                    let above = above.path().join(name.to_bytes());
                    let tree = RelPath::from_bytes(self.tree.name.to_bytes());
                    let path = tree.join(above.as_bytes()).below(&self.tree.dump);
                    return self.visit.unreadable(path, cause);
                }
            },
            None => match lock(&self.top).take() {
                Some(top) => top,
                None => return Ok(()),
            },
        };
        let mut chunk = Chunk::default();
        let listed = Lister::new(Arc::clone(&entered.handle)).rest(&mut chunk);
        chunk.sort_by_name();
        let directory = Directory {
            entered: &entered,
            chunk: &chunk,
            tree: self.tree,
        };
        if let Err(cause) = listed {
            return self.visit.unreadable(directory.path_of(c""), cause);
        }
        let below = self.visit.visit(worker, &directory, at)?;
        let place = &entered.place;
        if let (true, Some(above)) = (below.is_empty(), &above)
            && let Ok(handle) = above.open()
        {
            // What is next on the way back from the deep is one level up.
            above.open_above(handle.as_fd());
        }
        let jobs = below
            .into_iter()
            .map(|(name, at)| (Some(Arc::clone(place)), name, at));
        self.queue.add(jobs);
        Ok(())
    }
}
