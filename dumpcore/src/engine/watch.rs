//! Reports the path for which a run waits when a call does not return for long:
//! a server that hangs, a disk that stopped answering.
//!
//! Nothing can end such a call, and the thread in it cannot report it. So every
//! worker records where it is at each job, and counts whenever it checks whether
//! the run continues; another thread checks whether those counts move. That costs
//! a worker no system call, and an uncontended lock for each directory.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::node::Node;
use crate::fs::dir_handle::DirHandle;
use crate::model::event::{Event, Observer};
use crate::model::fault::Side;
use crate::sys::lock::lock;

/// How often that is checked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// After which times without an answer this is reported, and after that each time
/// that the last of them has passed once more.
const TOLD_AFTER: [Duration; 4] = [
    Duration::from_millis(2_500),
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3_600),
];

/// A place where a thread can be.
#[derive(Debug)]
enum Place {
    Entry(Arc<Node>, CString),
    /// Below the top of a tree: a directory, or a name in one.
    Below(PathBuf, Arc<DirHandle>, CString),
    Path(PathBuf),
}

impl Place {
    /// The path is built only when it is reported: doing that for each
    /// directory of a deep tree would take time with the square of the depth.
    fn path(&self) -> PathBuf {
        match self {
            Place::Entry(node, name) => node.full_path(Side::Source, name),
            Place::Below(top, place, name) => {
                let below = match name.is_empty() {
                    true => place.path(),
                    false => place.path().join(name.to_bytes()),
                };
                below.below(top)
            }
            Place::Path(path) => path.clone(),
        }
    }
}

/// Where one thread is, and a count of its steps.
#[derive(Debug, Default)]
struct Post {
    counts: AtomicU64,
    place: Mutex<Option<Place>>,
}

thread_local! {
    static OWN: RefCell<Option<Arc<Post>>> = const { RefCell::new(None) };
}

/// The calling thread does not wait.
pub(super) fn count() {
    OWN.with_borrow(|own| {
        if let Some(post) = own {
            // Only this thread writes it.
            let counts = post.counts.load(Ordering::Relaxed);
            post.counts.store(counts + 1, Ordering::Relaxed);
        }
    });
}

/// The threads that are watched.
#[derive(Debug, Default)]
pub(super) struct Posts(Mutex<Vec<Arc<Post>>>);

impl Posts {
    /// Watches the calling thread, as long as it holds this.
    pub(super) fn join(&self) -> Here {
        let post = Arc::new(Post::default());
        lock(&self.0).push(Arc::clone(&post));
        OWN.set(Some(Arc::clone(&post)));
        Here(post)
    }

    /// Starts a thread that watches them until all copies of the returned value
    /// are dropped. If it cannot be started nothing is reported, and everything
    /// else works.
    pub(super) fn look_after<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        observer: &'scope dyn Observer,
    ) -> Sender<()> {
        let (working, all_done) = mpsc::channel();
        let named = std::thread::Builder::new().name("watch".into());
        let _ = named.spawn_scoped(scope, move || self.watch(observer, &all_done));
        working
    }

    fn watch(&self, observer: &dyn Observer, all_done: &Receiver<()>) {
        let mut seen: Vec<Seen> = Vec::new();
        while all_done.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let posts = lock(&self.0).clone();
            seen.resize_with(posts.len(), Seen::new);
            for (post, seen) in posts.iter().zip(&mut seen) {
                if let Some((path, waited)) = seen.look(post) {
                    let path = &path;
                    observer.event(Event::HeldUp { path, waited });
                }
            }
        }
    }
}

/// A thread that is watched.
#[derive(Debug)]
pub(super) struct Here(Arc<Post>);

impl Here {
    /// Says where it is.
    pub(super) fn at(&self, node: &Arc<Node>, name: &CStr) {
        self.set(Some(Place::Entry(Arc::clone(node), name.to_owned())));
    }

    /// Says where it is, by a directory below the top of a tree, or a name in it.
    pub(super) fn below(&self, top: &Path, place: &Arc<DirHandle>, name: &CStr) {
        let place = Arc::clone(place);
        self.set(Some(Place::Below(
            top.to_path_buf(),
            place,
            name.to_owned(),
        )));
    }

    /// Says where it is, by a path.
    pub(super) fn at_path(&self, path: &Path) {
        self.set(Some(Place::Path(path.to_path_buf())));
    }

    /// Says that it waits for nothing.
    pub(super) fn idle(&self) {
        self.set(None);
    }

    fn set(&self, place: Option<Place>) {
        count();
        // The last share of a node is dropped without the lock.
        let _before = std::mem::replace(&mut *lock(&self.0.place), place);
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.idle();
        OWN.set(None);
    }
}

/// What was seen of a thread.
struct Seen {
    counts: u64,
    since: Instant,
    told: usize,
}

impl Seen {
    fn new() -> Self {
        Self {
            counts: u64::MAX,
            since: Instant::now(),
            told: 0,
        }
    }

    /// Where a thread waits, and for how long, when that is to be reported.
    fn look(&mut self, post: &Post) -> Option<(PathBuf, Duration)> {
        let counts = post.counts.load(Ordering::Relaxed);
        let place = lock(&post.place);
        if counts != self.counts || place.is_none() {
            *self = Self {
                counts,
                ..Self::new()
            };
            return None;
        }
        let waited = self.since.elapsed();
        if waited < told_after(self.told) {
            return None;
        }
        self.told += 1;
        Some((place.as_ref()?.path(), waited))
    }
}

fn told_after(told: usize) -> Duration {
    let last = TOLD_AFTER.len() - 1;
    let more = u32::try_from(told.saturating_sub(last)).unwrap_or(u32::MAX - 1);
    TOLD_AFTER[told.min(last)].saturating_mul(more.saturating_add(1))
}

/// Calls a function that may have to wait for a path, and reports that with
/// [`Event::HeldUp`] when it takes long.
///
/// Operations do that by themselves; this is for a program's own calls before
/// and after them.
pub fn watched<T>(observer: &dyn Observer, path: &Path, act: impl FnOnce() -> T) -> T {
    let posts = Posts::default();
    let here = posts.join();
    here.at_path(path);
    std::thread::scope(|scope| {
        let working = posts.look_after(scope, observer);
        let done = act();
        drop(working);
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::dir_handle::HandleCache;
    use crate::sys::dir::{self, For};

    #[test]
    fn what_waits_is_told_with_its_path_and_what_moves_is_not() {
        let told = Mutex::new(Vec::new());
        let observer = |event: Event<'_>| {
            if let Event::HeldUp { path, waited } = event {
                lock(&told).push((path.to_path_buf(), waited));
            }
        };
        let past = TOLD_AFTER[0] + 4 * LOOK_EVERY;
        watched(&observer, Path::new("/moves"), || {
            let begun = Instant::now();
            while begun.elapsed() < past {
                count();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert_eq!(lock(&told).len(), 0);
        let begun = Instant::now();
        watched(&observer, Path::new("/waits"), || {
            while lock(&told).is_empty() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let told = lock(&told);
        let [(path, waited)] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(path, Path::new("/waits"));
        assert!(
            *waited >= TOLD_AFTER[0] && *waited <= begun.elapsed(),
            "{waited:?}"
        );
    }

    #[test]
    fn a_place_below_a_tree_has_its_whole_path() {
        let dir = assert_fs::TempDir::new_in(".").expect("a directory");
        std::fs::create_dir_all(dir.path().join("a/b")).expect("made");
        let slots = HandleCache::new(4);
        let top = dir::open_root(dir.path(), For::Passing).expect("opened");
        let top = DirHandle::top(top, For::Passing, &slots)
            .expect("a top")
            .place;
        let enter = |at: &Arc<DirHandle>, name| at.enter(name, For::Passing).expect("entered");
        let inner = enter(&enter(&top, c"a").place, c"b").place;
        for (place, name, path) in [
            (&top, c"", "/tree"),
            (&top, c"x", "/tree/x"),
            (&inner, c"", "/tree/a/b"),
            (&inner, c"x", "/tree/a/b/x"),
        ] {
            let place = Place::Below("/tree".into(), Arc::clone(place), name.to_owned());
            assert_eq!(place.path(), Path::new(path));
        }
    }

    #[test]
    fn it_is_told_less_and_less_often() {
        let minutes = |told| told_after(told).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 5].map(minutes), [1, 10, 60, 120, 180]);
    }
}
