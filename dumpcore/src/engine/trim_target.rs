//! Removes from what an earlier run left behind what its trees no longer have,
//! before anything is added: a run that resumes on a full disk first gets that
//! space.
//!
//! It removes only names that the merge would remove or replace as well. What
//! cannot be read or removed is left to the merge, which reports it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::Sender;

use super::totals::Totals;
use super::watch::Posts;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::fs::inspect;
use crate::fs::remove_tree::remove_tree;
use crate::model::kind::Kind;
use crate::model::metadata::{Meta, Time};
use crate::model::path::RelPath;
use crate::policy::filter::Filter;
use crate::sys::dir::{self, For};
use crate::sys::queue::{Alarm, Queue};
use crate::sys::{errno, stat};

/// A tree, and what was stored of it.
pub(crate) struct Pair {
    /// The tree's name in the dump.
    pub(crate) name: CString,
    /// Where it is.
    pub(crate) main: PathBuf,
    pub(crate) source: Entered,
    pub(crate) target: Entered,
}

/// What belongs in a dump.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) one_file_system: bool,
}

/// A directory on both sides.
#[derive(Clone)]
struct Both {
    tree: Arc<Top>,
    source: Arc<DirHandle>,
    target: Arc<DirHandle>,
}

struct Top {
    name: Vec<u8>,
    main: PathBuf,
    dev: u64,
}

/// The latest ctime of the files that were met, in nanoseconds since 1970.
struct Newest {
    ctime: AtomicI64,
    /// Was anything not checked?
    unknown: AtomicBool,
}

impl Newest {
    fn met(&self, meta: &Meta) {
        if meta.kind == Kind::File {
            let ctime = i64::try_from(meta.ctime.as_nanos()).unwrap_or(i64::MAX);
            self.ctime.fetch_max(ctime, Ordering::Relaxed);
        }
    }

    fn missed(&self) {
        self.unknown.store(true, Ordering::Relaxed);
    }
}

/// Trims the existing copies of these trees, with this many workers. Returns
/// the latest ctime of a file in them, unless `stat` failed for some.
pub(crate) fn trim_target(
    wanted: Wanted<'_>,
    jobs: usize,
    totals: &Totals<'_>,
    pairs: Vec<Pair>,
) -> Option<Time> {
    let newest = Newest {
        ctime: AtomicI64::new(i64::MIN),
        unknown: AtomicBool::new(false),
    };
    let first = pairs.into_iter().map(|pair| Both {
        tree: Arc::new(Top {
            name: pair.name.into_bytes(),
            main: pair.main,
            dev: pair.source.meta.dev,
        }),
        source: pair.source.place,
        target: pair.target.place,
    });
    let queue = Queue::new(first.collect());
    let posts = Posts::default();
    let work = |working: Sender<()>| {
        let _alarm = Alarm(&queue);
        let here = posts.join();
        while let Some(both) = queue.take(Vec::new) {
            here.at_path(&both.source.path().below(&both.tree.main));
            let below = both.trim_target(wanted, totals, &newest);
            here.idle();
            queue.add(below);
            queue.done();
        }
        drop(working);
    };
    std::thread::scope(|scope| {
        let working = posts.look_after(scope, totals.observer());
        for _ in 1..jobs {
            let working = working.clone();
            let spawned = std::thread::Builder::new().spawn_scoped(scope, || work(working));
            // With fewer threads it only takes longer.
            if spawned.is_err() {
                break;
            }
        }
        work(working);
    });
    let newest_ctime = Time::from_nanos(newest.ctime.into_inner().into());
    (!newest.unknown.into_inner()).then_some(newest_ctime)
}

impl Both {
    /// Trims one directory. Returns the directories below it that both sides
    /// have.
    fn trim_target(&self, wanted: Wanted<'_>, totals: &Totals<'_>, newest: &Newest) -> Vec<Both> {
        let mut below = Vec::new();
        let (Ok(source), Ok(target)) = (self.source.open(), self.target.open()) else {
            newest.missed();
            return below;
        };
        let Ok(chunk) = dir::list_all(target.as_fd(), For::Reading) else {
            newest.missed();
            return below;
        };
        for entry in chunk.iter() {
            if !totals.keep_going() {
                return Vec::new();
            }
            let Ok(there) = inspect::look_in_dump(target.as_fd(), entry.name) else {
                newest.missed();
                continue;
            };
            newest.met(&there);
            let stays = self.may_look(wanted, &source, entry.name)
                && match inspect::look(source.as_fd(), entry.name) {
                    Ok(meta) => {
                        !self.excludes(wanted, entry.name, meta.kind == Kind::Dir)
                            && may_stay(&there, &meta)
                    }
                    Err(op_error) => !errno::is_missing(&op_error.cause),
                };
            if !stays {
                let removed = remove_tree(target.as_fd(), entry.name, &|| totals.keep_going());
                if !matches!(removed, Ok(true)) {
                    newest.missed();
                }
            } else if there.kind == Kind::Dir {
                match self.enter(entry.name) {
                    Some(both) => below.push(both),
                    None => newest.missed(),
                }
            }
        }
        below
    }

    fn enter(&self, name: &CStr) -> Option<Both> {
        Some(Both {
            tree: Arc::clone(&self.tree),
            source: self.source.enter(name, For::Reading).ok()?.place,
            target: self.target.enter(name, For::Filling).ok()?.place,
        })
    }

    /// May `stat` be called for a name of the source? Not if it is excluded
    /// whatever its type, and not if another filesystem that is left out is
    /// mounted there.
    fn may_look(&self, wanted: Wanted<'_>, source: &OwnedFd, name: &CStr) -> bool {
        let elsewhere = || {
            let mount = stat::look_at_mount(source.as_fd(), name);
            // On overlayfs the devices of files differ from those of their
            // directories.
            let is_dir = || {
                let looked = inspect::look_without_waiting(source.as_fd(), name);
                looked.map_or(true, |meta| meta.kind == Kind::Dir)
            };
            mount.is_ok_and(|mount| mount.dev != self.tree.dev && (mount.is_root || is_dir()))
        };
        let left_out = [true, false].map(|is_dir| self.excludes(wanted, name, is_dir));
        left_out != [true, true] && !(wanted.one_file_system && elsewhere())
    }

    fn excludes(&self, wanted: Wanted<'_>, name: &CStr, is_dir: bool) -> bool {
        let below = self.source.path().join(name.to_bytes());
        let path = RelPath::from_bytes(&self.tree.name).join(below.as_bytes());
        wanted.filter.excludes(path.as_bytes(), is_dir)
    }
}

/// Can the existing entry be the one to be stored? Checks type and size, which
/// cost little; the merge compares the rest.
fn may_stay(there: &Meta, source: &Meta) -> bool {
    there.kind == source.kind && (there.kind != Kind::File || there.size == source.size)
}
