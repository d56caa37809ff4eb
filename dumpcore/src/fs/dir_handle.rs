//! Walking by directory handles: directories that can always be opened again.
//!
//! A [`DirHandle`] is a directory on the way: its name, the place above it, and
//! which inode it was when it was first opened. Its handle may be closed
//! behind its back when too many are open, so that neither depth nor breadth
//! of a tree is bounded by the descriptor limit; it is opened again by its
//! name from the nearest place that is still open, or from a place below by
//! `..`. Either way the inode must be the same as at first: a directory that
//! was swapped for another, or for a symlink, is never entered.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::model::metadata::Id;
use crate::model::path::RelPath;
use crate::sys::dir::{self, For};
use crate::sys::stat;

/// How many places may be open at once, over all trees of a run.
#[derive(Debug)]
pub(crate) struct HandleCache {
    most: usize,
    open: Mutex<VecDeque<Weak<DirHandle>>>,
}

impl HandleCache {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            open: Mutex::default(),
        })
    }

    /// Notes a newly opened place, and closes those opened longest ago.
    fn note(&self, place: &Arc<DirHandle>) {
        let mut open = lock(&self.open);
        open.push_back(Arc::downgrade(place));
        while open.len() > self.most {
            let oldest = open.pop_front().and_then(|weak| weak.upgrade());
            if let Some(oldest) = oldest {
                // Who is working with the handle has a share in it.
                *lock(&oldest.handle) = None;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that can always be opened again.
#[derive(Debug)]
pub(crate) struct DirHandle {
    above: Option<Arc<DirHandle>>,
    name: CString,
    id: Id,
    purpose: For,
    handle: Mutex<Option<Arc<OwnedFd>>>,
    slots: Arc<HandleCache>,
}

impl DirHandle {
    /// The top of a tree: its handle stays open.
    pub(crate) fn top(
        handle: OwnedFd,
        purpose: For,
        slots: &Arc<HandleCache>,
    ) -> io::Result<Entered> {
        let meta = stat::look_at(&handle)?;
        let handle = Arc::new(handle);
        let place = Arc::new(Self {
            above: None,
            name: CString::default(),
            id: meta.id(),
            purpose,
            handle: Mutex::new(Some(Arc::clone(&handle))),
            slots: Arc::clone(slots),
        });
        Ok(Entered {
            place,
            handle,
            meta,
        })
    }

    /// A directory below, opened by its name; a symlink is not followed.
    pub(crate) fn enter(self: &Arc<Self>, name: &CStr, purpose: For) -> io::Result<Entered> {
        let handle = dir::open_dir(self.open()?.as_fd(), name, purpose)?;
        let meta = stat::look_at(&handle)?;
        let handle = Arc::new(handle);
        let place = Arc::new(Self {
            above: Some(Arc::clone(self)),
            name: name.to_owned(),
            id: meta.id(),
            purpose,
            handle: Mutex::new(Some(Arc::clone(&handle))),
            slots: Arc::clone(&self.slots),
        });
        self.slots.note(&place);
        Ok(Entered {
            place,
            handle,
            meta,
        })
    }

    /// Which inode it is.
    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// The directory above, and the name in it; `None` of a top.
    pub(crate) fn above(&self) -> Option<(&Arc<Self>, &CStr)> {
        self.above.as_ref().map(|above| (above, &*self.name))
    }

    /// The top of its tree.
    pub(crate) fn top_of(self: &Arc<Self>) -> Arc<Self> {
        let mut at = self;
        while let Some(above) = &at.above {
            at = above;
        }
        Arc::clone(at)
    }

    /// Its path below the top.
    pub(crate) fn path(&self) -> RelPath {
        let climb = std::iter::successors(Some(self), |place| place.above.as_deref());
        RelPath::from_names_upwards(climb.map(|place| place.name.to_bytes()))
    }

    /// Its handle, opened again where that is needed.
    pub(crate) fn open(self: &Arc<Self>) -> io::Result<Arc<OwnedFd>> {
        if let Some(handle) = lock(&self.handle).as_ref() {
            return Ok(Arc::clone(handle));
        }
        let mut closed = vec![self];
        let mut at = self.above.as_ref();
        let mut handle = loop {
            let Some(place) = at else {
                // The top is never closed.
                return Err(replaced());
            };
            if let Some(handle) = lock(&place.handle).as_ref() {
                break Arc::clone(handle);
            }
            closed.push(place);
            at = place.above.as_ref();
        };
        // Who comes back from the deep asks next for what is above: a long
        // way is gone once for many places, not for each.
        let kept = (self.slots.most / 4).max(1);
        for (above, place) in closed.into_iter().enumerate().rev() {
            let next = dir::open_dir(handle.as_fd(), &place.name, place.purpose)?;
            handle = Arc::new(place.checked(next)?);
            if above < kept {
                place.keep(&handle);
            }
        }
        Ok(handle)
    }

    /// Opens the place above, when it was closed, through `..` of this one:
    /// one call, however deep it lies.
    ///
    /// That fails where this directory has been moved, or may not be
    /// searched; the place above can then still be opened from the top.
    pub(crate) fn open_above(&self, handle: BorrowedFd<'_>) {
        let Some(above) = &self.above else { return };
        if lock(&above.handle).is_some() {
            return;
        }
        let opened = dir::open_parent(handle, above.purpose).and_then(|h| above.checked(h));
        if let Ok(opened) = opened {
            above.keep(&Arc::new(opened));
        }
    }

    fn keep(self: &Arc<Self>, handle: &Arc<OwnedFd>) {
        *lock(&self.handle) = Some(Arc::clone(handle));
        self.slots.note(self);
    }

    fn checked(&self, handle: OwnedFd) -> io::Result<OwnedFd> {
        if stat::look_at(&handle)?.id() == self.id {
            Ok(handle)
        } else {
            Err(replaced())
        }
    }
}

fn replaced() -> io::Error {
    io::Error::other("the directory was replaced by another one in the meantime")
}

impl Drop for DirHandle {
    /// A chain of a hundred thousand places must not be dropped by recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(place) = above {
            above = Arc::into_inner(place).and_then(|mut place| place.above.take());
        }
    }
}

/// A place just entered.
#[derive(Debug)]
pub(crate) struct Entered {
    /// The place.
    pub(crate) place: Arc<DirHandle>,
    /// Its handle.
    pub(crate) handle: Arc<OwnedFd>,
    /// What it looked like when it was opened.
    pub(crate) meta: crate::model::metadata::Meta,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn chain(slots: usize, depth: usize) -> (assert_fs::TempDir, Vec<Arc<DirHandle>>) {
        let dir = assert_fs::TempDir::new().expect("a directory");
        let slots = HandleCache::new(slots);
        let top = dir::open_root(dir.path(), For::Passing).expect("opened");
        let mut places = vec![
            DirHandle::top(top, For::Passing, &slots)
                .expect("top")
                .place,
        ];
        for _ in 0..depth {
            let last = places.last().expect("not empty");
            let handle = last.open().expect("open");
            dir::make_private(handle.as_fd(), c"d").expect("made");
            let below = last.enter(c"d", For::Reading).expect("entered");
            places.push(below.place);
        }
        (dir, places)
    }

    #[test]
    fn few_handles_reach_everything() {
        let (_dir, places) = chain(3, 50);
        let open = places.iter().filter(|p| lock(&p.handle).is_some()).count();
        assert!(open <= 4, "{open} open");
        for place in &places {
            let handle = place.open().expect("opened again");
            assert_eq!(stat::look_at(&*handle).expect("stat").id(), place.id());
        }
        assert_eq!(places[3].path().as_bytes(), b"d/d/d");
    }

    #[test]
    fn upwards_by_dots() {
        let (_dir, places) = chain(2, 20);
        let handle = places[10].open().expect("opened");
        places[20].open().expect("opened");
        places[19].open().expect("opened");
        assert!(lock(&places[9].handle).is_none());
        places[10].open_above(handle.as_fd());
        assert!(lock(&places[9].handle).is_some());
    }

    #[test]
    fn a_swapped_directory_is_not_entered() {
        let (dir, places) = chain(1, 3);
        let d = dir.path().join("d");
        fs::rename(&d, dir.path().join("moved")).expect("renamed");
        fs::create_dir_all(d.join("d/d")).expect("made");
        assert!(places[2].open().is_err());
        fs::remove_dir_all(&d).expect("removed");
        std::os::unix::fs::symlink("moved", &d).expect("linked");
        assert!(places[2].open().is_err());
        fs::remove_file(&d).expect("removed");
        fs::rename(dir.path().join("moved"), &d).expect("renamed");
        assert!(places[2].open().is_ok());
    }

    #[test]
    fn a_long_chain_is_dropped_without_recursion() {
        let slots = HandleCache::new(1);
        let top = dir::open_root("/".as_ref(), For::Passing).expect("opened");
        let top = DirHandle::top(top, For::Passing, &slots)
            .expect("top")
            .place;
        let before = Arc::strong_count(&top);
        let mut last = Arc::clone(&top);
        for _ in 0..1_000_000 {
            last = Arc::new(DirHandle {
                above: Some(last),
                name: CString::default(),
                id: top.id,
                purpose: For::Passing,
                handle: Mutex::new(None),
                slots: Arc::clone(&slots),
            });
        }
        drop(last);
        assert_eq!(Arc::strong_count(&top), before);
    }
}
