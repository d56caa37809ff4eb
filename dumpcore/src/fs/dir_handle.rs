//! Walking by directory handles: directories that can always be opened again.
//!
//! A [`DirHandle`] is a directory on the way: its name, the place above it, and
//! which inode it was when it was first opened. Its handle may be closed
//! behind its back when too many are open, so that neither depth nor breadth
//! of a tree is bounded by the descriptor limit; it is opened again by its
//! name from the nearest place that is still open, or from a place below by
//! `..`. Either way the inode must be the same as at first: a directory that
//! was swapped for another, or for a symlink, is never entered.
//!
//! The race it closes: a directory may be renamed while it is read. The
//! handles that were used longest ago are closed first, so that the one of a
//! directory whose entries are being dealt with stays open; and where the
//! name does not lead to the inode any more, the directory above is searched
//! for the name that does.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::model::path::RelPath;
use crate::sys::dir::{self, Chunk, For, Lister};
use crate::sys::lock::lock;
use crate::sys::stat::Fresh;
use crate::sys::{errno, stat};

/// How many places may be open at once, over all trees of a run.
#[derive(Debug)]
pub(crate) struct HandleCache {
    most: usize,
    /// Counts the uses of all places.
    uses: AtomicU64,
    open: Mutex<Vec<Weak<DirHandle>>>,
}

impl HandleCache {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            uses: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a newly opened place, and closes those used longest ago: a
    /// quarter at once, so that they are seldom looked through.
    fn note(&self, place: &Arc<DirHandle>) {
        let mut open = lock(&self.open);
        open.push(Arc::downgrade(place));
        if open.len() <= self.most {
            return;
        }
        let mut places: Vec<Arc<DirHandle>> = open.drain(..).filter_map(|w| w.upgrade()).collect();
        // Read once: others keep using them, and an order may not change.
        places.sort_by_cached_key(|place| place.used.load(Ordering::Relaxed));
        let keep = (self.most - self.most / 4).min(places.len());
        let newest = places.split_off(places.len() - keep);
        open.extend(newest.iter().map(Arc::downgrade));
        // What drops the last share of a place may not hold the lock.
        drop(open);
        for oldest in places {
            // Who is working with the handle has a share in it.
            *lock(&oldest.handle) = None;
        }
    }
}

/// A directory that can always be opened again.
#[derive(Debug)]
pub(crate) struct DirHandle {
    above: Option<Arc<DirHandle>>,
    name: CString,
    id: Id,
    purpose: For,
    handle: Mutex<Option<Arc<OwnedFd>>>,
    /// Which of all uses was the last one of this place.
    used: AtomicU64,
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
            used: AtomicU64::new(0),
            slots: Arc::clone(slots),
        });
        Ok(Entered {
            place,
            handle,
            meta,
            is_mount: false,
            is_fixed: false,
        })
    }

    /// A directory below, opened by its name; a symlink is not followed.
    pub(crate) fn enter(self: &Arc<Self>, name: &CStr, purpose: For) -> io::Result<Entered> {
        let handle = dir::open_dir(self.open()?.as_fd(), name, purpose)?;
        let stat::Top {
            meta,
            is_mount,
            is_fixed,
        } = stat::look_at_top(&handle)?;
        let handle = Arc::new(handle);
        let place = Arc::new(Self {
            above: Some(Arc::clone(self)),
            name: name.to_owned(),
            id: meta.id(),
            purpose,
            handle: Mutex::new(Some(Arc::clone(&handle))),
            used: AtomicU64::new(self.slots.next_use()),
            slots: Arc::clone(&self.slots),
        });
        self.slots.note(&place);
        Ok(Entered {
            place,
            handle,
            meta,
            is_mount,
            is_fixed,
        })
    }

    /// The same of a directory in a dump, opened when it is needed. `None`: it is not
    /// a directory.
    pub(crate) fn look(
        self: &Arc<Self>,
        name: &CStr,
        purpose: For,
    ) -> io::Result<Option<(Arc<Self>, Meta)>> {
        let meta = stat::look(self.open()?.as_fd(), name, Fresh::Cached)?;
        if meta.kind != Kind::Dir {
            return Ok(None);
        }
        let place = Arc::new(Self {
            above: Some(Arc::clone(self)),
            name: name.to_owned(),
            id: meta.id(),
            purpose,
            handle: Mutex::default(),
            used: AtomicU64::new(0),
            slots: Arc::clone(&self.slots),
        });
        Ok(Some((place, meta)))
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
        if let Some(handle) = self.opened() {
            return Ok(handle);
        }
        let mut closed = vec![self];
        let mut at = self.above.as_ref();
        let mut handle = loop {
            let Some(place) = at else {
                // The top is never closed.
                return Err(replaced());
            };
            if let Some(handle) = place.opened() {
                break handle;
            }
            closed.push(place);
            at = place.above.as_ref();
        };
        // Who comes back from the deep asks next for what is above: a long
        // way is gone once for many places, not for each.
        let kept = (self.slots.most / 4).max(1);
        for (above, place) in closed.into_iter().enumerate().rev() {
            handle = Arc::new(place.find(handle.as_fd())?);
            if above < kept {
                place.keep(&handle);
            }
        }
        Ok(handle)
    }

    /// Its handle, if it is open; that is a use of it.
    fn opened(&self) -> Option<Arc<OwnedFd>> {
        let handle = lock(&self.handle).clone()?;
        self.used.store(self.slots.next_use(), Ordering::Relaxed);
        Some(handle)
    }

    /// Opens it by its name in the directory above; where that is another's
    /// by now, or nobody's, by the name that its inode has there.
    fn find(&self, above: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let opened = dir::open_dir(above, &self.name, self.purpose);
        match opened.and_then(|handle| self.checked(handle)) {
            Err(e) if errno::has_changed(&e) || is_replaced(&e) => {
                self.renamed(above).ok().flatten().ok_or(e)
            }
            other => other,
        }
    }

    /// Its handle by another name in the directory above, if it has one.
    fn renamed(&self, above: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
        let mut lister = Lister::new(dir::reopen(above, For::Reading)?);
        let mut chunk = Chunk::default();
        while !lister.is_done() {
            lister.next(&mut chunk)?;
            for entry in chunk.iter().filter(|entry| entry.ino == self.id.ino) {
                let opened = dir::open_dir(above, entry.name, self.purpose);
                if let Ok(handle) = opened.and_then(|handle| self.checked(handle)) {
                    return Ok(Some(handle));
                }
            }
        }
        Ok(None)
    }

    /// Opens the place above, when it was closed, through `..` of this one:
    /// one call, however deep it is.
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
        self.used.store(self.slots.next_use(), Ordering::Relaxed);
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

/// The directory was replaced by another one in the meantime.
#[derive(Debug, thiserror::Error)]
#[error("the directory was replaced by another in the meantime")]
struct Replaced;

fn replaced() -> io::Error {
    io::Error::other(Replaced)
}

/// Does the name of a directory in hand lead to another one by now?
fn is_replaced(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Replaced>())
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
    pub(crate) meta: Meta,
    /// Is something mounted there? Of a top that is not asked.
    pub(crate) is_mount: bool,
    /// Is it immutable or append-only? Of a top that is not asked.
    pub(crate) is_fixed: bool,
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

    /// It was opened first, and is used all the time.
    #[test]
    fn the_handle_in_use_stays_open() {
        let (_dir, places) = chain(8, 1);
        let used = &places[1];
        for i in 0..100 {
            let name = CString::new(format!("{i}")).expect("no NUL");
            let handle = used.open().expect("open");
            dir::make_private(handle.as_fd(), &name).expect("made");
            used.enter(&name, For::Reading).expect("entered");
            assert!(lock(&used.handle).is_some(), "closed after {i}");
        }
    }

    #[test]
    fn a_renamed_directory_is_found_by_its_inode() {
        let (dir, places) = chain(1, 3);
        let d = dir.path().join("d");
        fs::create_dir(d.join("beside")).expect("made");
        fs::rename(d.join("d"), d.join("other")).expect("renamed");
        assert!(lock(&places[2].handle).is_none());
        let handle = places[2].open().expect("found");
        assert_eq!(stat::look_at(&*handle).expect("stat").id(), places[2].id());
        fs::rename(d.join("other"), dir.path().join("away")).expect("renamed");
        *lock(&places[2].handle) = None;
        let error = places[2].open().expect_err("not there");
        assert!(errno::is_missing(&error), "{error}");
    }

    #[test]
    fn a_swapped_directory_is_not_entered() {
        let (dir, places) = chain(1, 3);
        let elsewhere = assert_fs::TempDir::new().expect("a directory");
        let moved = elsewhere.path().join("moved");
        let d = dir.path().join("d");
        fs::rename(&d, &moved).expect("renamed");
        fs::create_dir_all(d.join("d/d")).expect("made");
        assert!(places[2].open().is_err());
        fs::remove_dir_all(&d).expect("removed");
        std::os::unix::fs::symlink(&moved, &d).expect("linked");
        assert!(places[2].open().is_err());
        fs::remove_file(&d).expect("removed");
        fs::rename(moved, &d).expect("renamed");
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
                used: AtomicU64::new(0),
                slots: Arc::clone(&slots),
            });
        }
        drop(last);
        assert_eq!(Arc::strong_count(&top), before);
    }
}
