//! Which directories of the source were listed, and their times just before
//! that: for the second look at the end.
//!
//! An entry that is moved from a directory that was not listed yet to one that
//! was is missed by both listings. Both directories then have later times. So
//! each directory is checked once more when everything else is done, and one
//! that has changed is listed again; if that finds anything, all are checked
//! once more.
//!
//! A directory that was read to its end under one name, and is then found under
//! another, is in the dump already. It is recognised by its inode and its
//! modification time, which a new directory with the same number does not have.
//!
//! A million directories are kept in less than 40 MB: a name, the directory
//! above by its number, and two hashes.

use std::ffi::CString;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use super::node::{Doubts, Number, Tree};
use crate::fs::dir_handle::DirHandle;
use crate::fs::inspect;
use crate::model::metadata::Meta;
use crate::sys::lock::lock;
use crate::sys::name::c_name;

/// How often the directories are checked again, at most.
const ROUNDS: u8 = 2;

/// A hash of a directory's times. For a directory that was changed at that very
/// moment it equals no other: it may be changed again without getting another
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look(u32);

impl Look {
    const UNSETTLED: Self = Self(0);

    /// For a comparison.
    pub(super) fn of(meta: &Meta) -> Self {
        let mut hasher = DefaultHasher::new();
        (meta.id(), meta.mtime, meta.ctime).hash(&mut hasher);
        // Half of it is enough.
        let hash = (hasher.finish() >> 32) as u32;
        Self(hash.max(1))
    }

    /// Just before the directory is listed.
    fn before_listing(meta: &Meta) -> Self {
        match inspect::racy_for(meta.mtime, 1, SystemTime::now()) {
            Some(_) => Self::UNSETTLED,
            None => Self::of(meta),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Directory {
    above: Number,
    /// Where its name begins; it ends where the next one begins.
    name: u32,
    look: Look,
    identity: Identity,
}

/// Inode and time of modification, which a directory keeps when it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity([u32; 2]);

impl Identity {
    fn of(meta: &Meta) -> Self {
        let mut hasher = DefaultHasher::new();
        (meta.id(), meta.mtime).hash(&mut hasher);
        let hash = hasher.finish();
        Self([(hash >> 32) as u32, (hash & u64::from(u32::MAX)) as u32])
    }
}

/// What the second look needs of a tree.
#[derive(Debug)]
pub(super) struct SeenTree {
    pub(super) number: Number,
    pub(super) name: CString,
    pub(super) tree: Arc<Tree>,
    pub(super) source: Arc<DirHandle>,
    pub(super) reference: Option<Arc<DirHandle>>,
    /// Which files may have been touched.
    pub(super) touched: Doubts,
    /// The dump that is made: the directory that holds the tree's copy.
    pub(super) dump: Arc<DirHandle>,
}

#[derive(Debug, Default)]
struct State {
    directories: Vec<Directory>,
    names: Vec<u8>,
    trees: Vec<Arc<SeenTree>>,
    rounds: u8,
    round: Option<Arc<Round>>,
    /// Where the last round found an entry.
    found: Option<PathBuf>,
}

/// All directories of a run.
#[derive(Debug)]
pub(super) struct Seen {
    is_kept: bool,
    /// Did this round find that names were added or removed?
    stirred: AtomicBool,
    /// Has anything vanished, so that a directory may not have been read to its
    /// end?
    has_gaps: AtomicBool,
    state: Mutex<State>,
}

/// One round: the directories known when it began, ordered by the directory
/// above them.
#[derive(Debug)]
pub(super) struct Round {
    order: Vec<Number>,
    by_identity: OnceLock<Vec<Number>>,
}

impl Seen {
    /// `is_kept`: will there be a second look?
    pub(super) fn new(is_kept: bool) -> Self {
        Self {
            is_kept,
            stirred: AtomicBool::new(false),
            has_gaps: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Notes a directory that is about to be listed.
    pub(super) fn note(&self, above: Number, name: &[u8], meta: &Meta) -> Number {
        if !self.is_kept {
            return Number::NONE;
        }
        let look = Look::before_listing(meta);
        let mut state = self.state();
        let number = u32::try_from(state.directories.len());
        let (Ok(number), Ok(at)) = (number, u32::try_from(state.names.len())) else {
            return Number::NONE;
        };
        state.names.extend_from_slice(name);
        state.directories.push(Directory {
            above,
            name: at,
            look,
            identity: Identity::of(meta),
        });
        Number(number)
    }

    /// The same of one that is about to be listed again.
    pub(super) fn note_again(&self, number: Number, meta: &Meta) {
        let look = Look::before_listing(meta);
        if let Some(directory) = self.state().directories.get_mut(number.0 as usize) {
            directory.look = look;
            directory.identity = Identity::of(meta);
        }
    }

    /// Notes a tree.
    pub(super) fn note_tree(&self, tree: SeenTree) {
        if self.is_kept && tree.number != Number::NONE {
            self.state().trees.push(Arc::new(tree));
        }
    }

    pub(super) fn trees(&self) -> Vec<Arc<SeenTree>> {
        self.state().trees.clone()
    }

    /// Begins another round, if one is needed.
    pub(super) fn begins_round(&self) -> bool {
        let stirred = self.stirred.swap(false, Ordering::Relaxed);
        let mut state = self.state();
        let begins = self.is_kept && state.rounds < ROUNDS && (state.rounds == 0 || stirred);
        if begins {
            state.rounds += 1;
            state.found = None;
        }
        begins
    }

    /// The directories of a round that begins.
    pub(super) fn round(&self) -> Arc<Round> {
        let mut state = self.state();
        let mut order = state.numbers();
        order.sort_by_key(|number| state.at(*number).above);
        let round = Arc::new(Round {
            order,
            by_identity: OnceLock::new(),
        });
        state.round = Some(Arc::clone(&round));
        round
    }

    /// Something that was listed was not read.
    pub(super) fn leave_gap(&self) {
        self.has_gaps.store(true, Ordering::Relaxed);
    }

    /// The directory of this round that this one is, found under another name;
    /// only one that was read to its end.
    pub(super) fn known(&self, meta: &Meta) -> Option<(Arc<Round>, Number)> {
        if self.has_gaps.load(Ordering::Relaxed) {
            return None;
        }
        let state = self.state();
        let round = Arc::clone(state.round.as_ref()?);
        let by_identity = round.by_identity.get_or_init(|| {
            let mut numbers = round.order.clone();
            numbers.sort_by_key(|number| state.at(*number).identity);
            numbers
        });
        let wanted = Identity::of(meta);
        let found = by_identity.binary_search_by_key(&wanted, |n| state.at(*n).identity);
        let number = by_identity[found.ok()?];
        Some((round, number))
    }

    /// The tree that a directory is in.
    pub(super) fn tree_of(&self, number: Number) -> Option<Arc<SeenTree>> {
        let state = self.state();
        let mut top = number;
        while state.at(top).above != Number::NONE {
            top = state.at(top).above;
        }
        let mut trees = state.trees.iter();
        trees.find(|tree| tree.number == top).cloned()
    }

    /// The places that the directories within this one have in a round's order.
    pub(super) fn below(&self, round: &Round, above: Number) -> Range<usize> {
        let state = self.state();
        let above_of = |number: &Number| state.at(*number).above;
        let start = round
            .order
            .partition_point(|number| above_of(number) < above);
        let count = round.order[start..].partition_point(|number| above_of(number) == above);
        start..start + count
    }

    /// A directory by its place in a round's order: its number, its name, and
    /// the hash of its times.
    pub(super) fn at(&self, round: &Round, place: usize) -> (Number, CString, Look) {
        let number = round.order[place];
        let state = self.state();
        let name = c_name(state.name(number));
        (number, name, state.at(number).look)
    }

    /// The hash of a directory's times.
    pub(super) fn look(&self, number: Number) -> Look {
        self.state().at(number).look
    }

    /// The names that lead to a directory from the top of its tree.
    pub(super) fn names_to(&self, number: Number) -> Vec<CString> {
        let state = self.state();
        let mut names = Vec::new();
        let mut at = number;
        while let Some(directory) = state.directories.get(at.0 as usize) {
            if directory.above == Number::NONE {
                break;
            }
            names.push(c_name(state.name(at)));
            at = directory.above;
        }
        names.reverse();
        names
    }

    /// Notes that names were added to a directory, or removed.
    pub(super) fn stir(&self) {
        self.stirred.store(true, Ordering::Relaxed);
    }

    /// Notes that an entry was added to this directory.
    pub(super) fn found_in(&self, path: PathBuf) {
        self.state().found.get_or_insert(path);
    }

    /// A directory to which an entry was added as late as in the last round.
    pub(super) fn still_coming(&self) -> Option<PathBuf> {
        let mut state = self.state();
        let last = state.rounds == ROUNDS;
        state.found.take().filter(|_| last)
    }
}

impl State {
    fn numbers(&self) -> Vec<Number> {
        let all = 0..u32::try_from(self.directories.len()).unwrap_or(u32::MAX);
        all.map(Number).collect()
    }

    fn at(&self, number: Number) -> &Directory {
        &self.directories[number.0 as usize]
    }

    fn name(&self, number: Number) -> &[u8] {
        let at = number.0 as usize;
        let end = self.directories.get(at + 1);
        let end = end.map_or(self.names.len(), |next| next.name as usize);
        &self.names[self.directories[at].name as usize..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metadata::{Kind, Time};

    fn meta(ino: u64, secs: i64) -> Meta {
        let time = Time::new(secs, 5);
        Meta {
            kind: Kind::Dir,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            blocks: 0,
            mtime: time,
            atime: time,
            ctime: time,
            born: None,
            ino,
            dev: 1,
            nlink: 2,
            rdev: 0,
        }
    }

    #[test]
    fn directories_are_found_by_what_is_above_them() {
        let seen = Seen::new(true);
        let top = seen.note(Number::NONE, b"tree", &meta(1, 7));
        let a = seen.note(top, b"a", &meta(2, 7));
        let deep = seen.note(a, b"deep", &meta(3, 7));
        let b = seen.note(top, b"b", &meta(4, 7));
        let round = seen.round();
        let names = |above| -> Vec<CString> {
            let below = seen.below(&round, above);
            below.map(|place| seen.at(&round, place).1).collect()
        };
        assert_eq!(names(top), [c"a".to_owned(), c"b".to_owned()]);
        assert_eq!(names(a), [c"deep".to_owned()]);
        assert_eq!(names(b), Vec::<CString>::new());
        assert_eq!(seen.names_to(deep), [c"a".to_owned(), c"deep".to_owned()]);
        assert_eq!(seen.names_to(top), Vec::<CString>::new());
        assert_eq!(seen.look(b), Look::of(&meta(4, 7)));
        assert_ne!(seen.look(b), Look::of(&meta(4, 8)));
        assert_ne!(seen.look(b), Look::of(&meta(5, 7)));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.expect("later").as_secs()).expect("fits") + 1;
        seen.note_again(
            b,
            &Meta {
                mtime: Time::new(now, 0),
                ..meta(4, now)
            },
        );
        assert_eq!(seen.look(b), Look::UNSETTLED);
    }

    #[test]
    fn there_are_two_rounds_at_most() {
        let calm = Seen::new(true);
        assert_eq!([(); 2].map(|()| calm.begins_round()), [true, false]);
        let seen = Seen::new(true);
        let rounds = [(); 4].map(|()| {
            seen.stir();
            let begins = seen.begins_round();
            seen.found_in("/a".into());
            begins
        });
        assert_eq!(rounds, [true, true, false, false]);
        assert_eq!(seen.still_coming(), Some("/a".into()));
        let none = Seen::new(false);
        assert!(!none.begins_round());
        assert_eq!(none.note(Number::NONE, b"a", &meta(1, 1)), Number::NONE);
    }
}
