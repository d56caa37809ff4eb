//! What has been done so far, added up by workers.
//!
//! Counting must not slow a run that deals with 200,000 entries a second on
//! several threads: each thread adds to counters of its own cache line, and
//! only the drawing thread, ten times a second, sums them. The current path is
//! asked for by a flag, and told by the worker that sees the flag next.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use dumpcore::{Action, Event, Kind, Locate, Phase, Printable};

use super::screen::held;

const SHARDS: usize = 16;
/// A file of this size is named while it is copied.
const LARGE: u64 = 1 << 20;
/// Fewer entries than this are linked in a fraction of a second.
const QUICK: u64 = 10_000;

thread_local! {
    /// The large file that this thread copies; empty when it does not.
    static COPYING: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The counters of one or a few threads, on cache lines of their own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Shard {
    linked: AtomicU64,
    copied: AtomicU64,
    others: AtomicU64,
    written: AtomicU64,
    /// Sizes of the files that are dealt with.
    finished: AtomicU64,
    /// Written of the file that is being copied.
    pending: AtomicU64,
}

/// What has been done so far.
#[derive(Debug, Default)]
pub struct Counters {
    shards: [Shard; SHARDS],
    removed: AtomicU64,
    freed: AtomicU64,
    faults: AtomicU64,
    phase: Mutex<Option<(Phase, Instant)>>,
    expected: Mutex<Option<Expected>>,
    wants_place: AtomicBool,
    place: Mutex<String>,
}

/// What a run is likely to deal with in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Files, directories, symlinks and specials.
    pub entries: u64,
    /// The sum of the sizes of files, where that is known.
    pub bytes: Option<u64>,
}

/// The sums of all counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Linked to the reference, or found in place.
    pub linked: u64,
    /// Stored again, or for the first time.
    pub copied: u64,
    /// Directories, excluded and vanished entries.
    pub others: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Sizes of the files that are dealt with, and what is written so far of
    /// those that are not.
    pub passed: u64,
    /// Written so far of files that are being copied.
    pub pending: u64,
    /// Entries that could not be stored.
    pub faults: u64,
    /// Names removed.
    pub removed: u64,
    /// Bytes that removing has freed.
    pub freed: u64,
}

impl Sums {
    /// How many entries are dealt with.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.linked + self.copied + self.others
    }

    /// How much of what is expected to be removed is gone, from 0 to 1.
    #[must_use]
    pub fn removed_fraction(&self, of: Expected) -> f64 {
        (self.removed as f64 / of.entries.max(1) as f64).min(1.0)
    }

    /// How much of what is expected is done, from 0 to 1. Where most is
    /// linked, entries decide; where most is copied, bytes do, and also while a
    /// large file is copied and the entries that are left take no time.
    #[must_use]
    pub fn fraction(&self, of: Expected) -> f64 {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let entries = share(self.entries(), of.entries);
        let bytes = match of.bytes {
            None | Some(0) => entries,
            Some(all) => share(self.passed, all),
        };
        if self.pending >= LARGE {
            let few = of.entries.saturating_sub(self.entries()) < QUICK;
            let both = (entries + bytes) / 2.0;
            return if few { bytes } else { both }.min(1.0);
        }
        let copied = share(self.copied, self.copied + self.linked);
        (entries * (1.0 - copied) + bytes * copied).min(1.0)
    }
}

fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    OWN.with(|own| *own)
}

impl Counters {
    /// Counts what an event says; what it does not count it passes over.
    pub fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Entry {
                at,
                kind,
                bytes,
                did,
            } => self.entry(at, kind, bytes, did),
            Event::Expected { entries, bytes } => self.expect(Expected { entries, bytes }),
            Event::Copying { at, bytes } => self.copying(at, bytes),
            Event::Copied(bytes) => self.bytes(bytes),
            Event::Removed { names, freed } => self.removed(names, freed),
            Event::Phase(phase) => self.phase(phase),
            Event::Fault(_) => self.fault(),
            _ => {}
        }
    }

    /// An entry of this size in bytes is dealt with.
    pub fn entry(&self, at: &dyn Locate, kind: Kind, bytes: u64, did: Action) {
        let shard = &self.shards[own_shard()];
        let counter = match did {
            Action::Linked | Action::Moved | Action::Kept | Action::HardLinked => &shard.linked,
            Action::Copied(_) | Action::Scrubbed => {
                shard.pending.store(0, Relaxed);
                &shard.copied
            }
            _ => &shard.others,
        };
        counter.fetch_add(1, Relaxed);
        if kind == Kind::File {
            shard.finished.fetch_add(bytes, Relaxed);
        }
        if self.wants_place.load(Relaxed) && self.wants_place.swap(false, Relaxed) {
            self.at(at);
        }
    }

    fn at(&self, at: &dyn Locate) {
        *held(&self.place) = Printable::path(at.path().as_path()).to_string();
    }

    /// A file of this size begins to be copied, by this thread.
    pub fn copying(&self, at: &dyn Locate, bytes: u64) {
        // What a copy that failed has written of its file is none of this one.
        self.shards[own_shard()].pending.store(0, Relaxed);
        COPYING.with_borrow_mut(|copying| {
            copying.clear();
            if bytes >= LARGE {
                let _ = write!(copying, "{}", at.path());
            }
        });
    }

    /// This many more bytes were written.
    pub fn bytes(&self, bytes: u64) {
        if self.wants_place.load(Relaxed) {
            COPYING.with_borrow(|copying| {
                if !copying.is_empty() && self.wants_place.swap(false, Relaxed) {
                    held(&self.place).clone_from(copying);
                }
            });
        }
        let shard = &self.shards[own_shard()];
        shard.written.fetch_add(bytes, Relaxed);
        shard.pending.fetch_add(bytes, Relaxed);
    }

    /// This many more names were removed, which freed this many bytes.
    pub fn removed(&self, names: u64, freed: u64) {
        self.removed.fetch_add(names, Relaxed);
        self.freed.fetch_add(freed, Relaxed);
    }

    /// An entry could not be stored.
    pub fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    /// Another phase begins. What was expected until then says nothing of what
    /// is removed.
    pub fn phase(&self, phase: Phase) {
        let before = held(&self.phase).replace((phase, Instant::now()));
        if phase == Phase::Removing && before.is_none_or(|(before, _)| before != phase) {
            *held(&self.expected) = None;
        }
    }

    /// The phase, and since when it lasts.
    pub(super) fn current(&self) -> Option<(Phase, Instant)> {
        *held(&self.phase)
    }

    /// What the run is likely to deal with in all.
    pub fn expect(&self, expected: Expected) {
        *held(&self.expected) = Some(expected);
    }

    pub(super) fn expected(&self) -> Option<Expected> {
        *held(&self.expected)
    }

    /// Asks the next worker where it is.
    pub(super) fn ask_for_place(&self) {
        self.wants_place.store(true, Relaxed);
    }

    pub(super) fn place(&self) -> String {
        held(&self.place).clone()
    }

    /// Adds it all up.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            faults: self.faults.load(Relaxed),
            removed: self.removed.load(Relaxed),
            freed: self.freed.load(Relaxed),
            ..Sums::default()
        };
        for shard in &self.shards {
            sums.linked += shard.linked.load(Relaxed);
            sums.copied += shard.copied.load(Relaxed);
            sums.others += shard.others.load(Relaxed);
            sums.bytes += shard.written.load(Relaxed);
            sums.pending += shard.pending.load(Relaxed);
            sums.passed += shard.finished.load(Relaxed);
        }
        sums.passed += sums.pending;
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumpcore::{CopyReason, RelPath};
    use std::thread;

    #[test]
    fn sums_what_several_threads_count() {
        let counters = Counters::default();
        let at = RelPath::from_bytes(b"root/dir/file");
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counters.entry(&at, Kind::File, 5, Action::Linked);
                        counters.bytes(3);
                        counters.entry(&at, Kind::File, 4, Action::Copied(CopyReason::New));
                    }
                    counters.entry(&at, Kind::Dir, 0, Action::Filled);
                });
            }
        });
        counters.fault();
        let sums = Sums {
            linked: 4000,
            copied: 4000,
            others: 40,
            bytes: 12_000,
            passed: 36_000,
            faults: 1,
            ..Sums::default()
        };
        assert_eq!(counters.sums(), sums);
    }

    #[test]
    fn a_file_that_is_being_copied_counts_as_far_as_it_is() {
        let counters = Counters::default();
        let at = RelPath::from_bytes(b"root/file");
        counters.bytes(300);
        assert_eq!(counters.sums().passed, 300);
        // With holes more than that was passed.
        counters.entry(&at, Kind::File, 1000, Action::Copied(CopyReason::New));
        assert_eq!(counters.sums().passed, 1000);
    }

    #[test]
    fn a_large_file_is_named_while_it_is_copied() {
        let counters = Counters::default();
        let at = |path: &str| RelPath::from_bytes(path.as_bytes());
        counters.copying(&at("root/small"), 10);
        counters.ask_for_place();
        counters.bytes(10);
        assert_eq!(counters.place(), "");
        counters.copying(&at("root/large"), 10 << 20);
        counters.bytes(10);
        assert_eq!(counters.place(), "root/large");
        // Another thread deals with something else; the copy continues.
        counters.ask_for_place();
        counters.entry(&at("root/other"), Kind::File, 1, Action::Linked);
        assert_eq!(counters.place(), "root/other");
        counters.ask_for_place();
        counters.bytes(10);
        assert_eq!(counters.place(), "root/large");
    }

    #[test]
    fn what_is_linked_goes_by_entries_and_what_is_copied_by_bytes() {
        let of = Expected {
            entries: 100,
            bytes: Some(1000),
        };
        for (linked, copied, passed, expected) in [
            (50, 0, 900, 0.5),
            (0, 50, 900, 0.9),
            (25, 25, 1000, 0.75),
            (0, 0, 0, 0.0),
            (200, 0, 0, 1.0),
        ] {
            let sums = Sums {
                linked,
                copied,
                passed,
                ..Sums::default()
            };
            let found = sums.fraction(of);
            assert!((found - expected).abs() < 1e-9, "{found} for {sums:?}");
        }
        let large = Sums {
            linked: 99,
            passed: 600,
            pending: LARGE,
            ..Sums::default()
        };
        assert!((large.fraction(of) - 0.6).abs() < 1e-9);
        let empty = Expected {
            entries: 0,
            bytes: None,
        };
        assert!(Sums::default().fraction(empty) < 1e-9);
    }

    #[test]
    fn a_removal_has_a_total_of_its_own() {
        let counters = Counters::default();
        let expected = |entries, bytes| Expected { entries, bytes };
        counters.expect(expected(100, Some(1000)));
        counters.phase(Phase::Storing);
        assert_eq!(counters.expected(), Some(expected(100, Some(1000))));
        counters.phase(Phase::Removing);
        assert_eq!(counters.expected(), None);
        counters.expect(expected(8, None));
        counters.removed(2, 4096);
        // Said again of what an earlier run has left: the total has that in it.
        counters.phase(Phase::Removing);
        let of = counters.expected().expect("it was told");
        assert!((counters.sums().removed_fraction(of) - 0.25).abs() < 1e-9);
        counters.removed(20, 0);
        assert!((counters.sums().removed_fraction(of) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn tells_a_path_when_asked() {
        let counters = Counters::default();
        let at = |path: &str| RelPath::from_bytes(path.as_bytes());
        counters.entry(&at("root/one"), Kind::File, 0, Action::Linked);
        assert_eq!(counters.place(), "");
        counters.ask_for_place();
        let hostile = at("root/\x1b[2J/file");
        counters.entry(&hostile, Kind::File, 0, Action::Linked);
        counters.entry(&at("root/other"), Kind::File, 0, Action::Linked);
        assert_eq!(counters.place(), "root/\\033[2J/file");
    }
}
