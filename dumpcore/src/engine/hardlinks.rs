//! Hard links among the dumped files: which source inode is which inode of
//! the dump.
//!
//! A source inode with several names is stored once, by the worker that meets
//! it first; jobs for the other names are put aside, and become links to what
//! was stored. Memory is needed only for inodes whose names have not all been
//! met.
//!
//! Two different source inodes must not become one inode of the dump. That
//! could happen where two names are one inode in the reference and two in the
//! source by now. So each inode of the reference is given to the first source
//! inode that asks for it. A ctime cannot show that an inode need not ask: its
//! name may have belonged to another inode, in a directory that was renamed. So
//! all ask, which costs a bit for each inode of the reference that is linked
//! to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::fs::dir_handle::DirHandle;
use crate::model::metadata::{Id, Kind, Meta, Time};
use crate::sys::lock::lock;

/// From this many groups on, a megabyte or two of them, it is worth listing the
/// trees to know which names are to be waited for.
const MANY: usize = 4096;

/// Where the dump has an inode's first name.
#[derive(Clone, Debug)]
pub(super) struct FirstName {
    /// What it was when that name was met.
    pub(super) was: SourceState,
    /// Its inode in the dump.
    pub(super) ino: u64,
    /// The directory; `None` in a dry run.
    pub(super) place: Option<Arc<DirHandle>>,
    /// The directory that it was read from.
    pub(super) source: Arc<DirHandle>,
    pub(super) name: CString,
}

/// Identifies a source inode: its number alone may be used again for another
/// file during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceState {
    kind: Kind,
    size: u64,
    mtime: Time,
}

impl SourceState {
    pub(super) fn of(meta: &Meta) -> Self {
        Self {
            kind: meta.kind,
            size: meta.size,
            mtime: meta.mtime,
        }
    }
}

/// What a worker that met a name of a group is to do.
#[derive(Debug)]
pub(super) enum Role<J> {
    /// Store it, and say how that went. Whether there may be names that were
    /// not tried yet.
    Lead(J, bool),
    /// Nothing now: the job is returned when the first name is stored.
    Wait,
    /// Link it to this.
    Follow(FirstName, J),
}

#[derive(Debug)]
enum State<J> {
    /// A worker tries to store one of its names.
    Led {
        waiting: Vec<J>,
        tried: Vec<J>,
    },
    /// No name that was tried is in the reference, but others may be.
    Sought {
        tried: Vec<J>,
    },
    Settled(FirstName),
}

impl<J> State<J> {
    fn led(tried: Vec<J>) -> Self {
        let waiting = Vec::new();
        State::Led { waiting, tried }
    }

    /// The jobs that wait.
    fn jobs(self) -> Vec<J> {
        match self {
            State::Led { waiting, tried } => waiting.into_iter().chain(tried).collect(),
            State::Sought { tried } => tried,
            State::Settled(_) => Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Group<J> {
    state: State<J>,
    /// Names that are stored.
    met: u32,
    /// Names that can be met, as far as is known.
    names: u32,
}

impl<J> Group<J> {
    fn all_met(&self) -> bool {
        self.met >= self.names
    }
}

#[derive(Debug)]
pub(super) struct Hardlinks<J> {
    groups: Mutex<HashMap<Id, Group<J>>>,
    /// How many groups there are.
    number: AtomicUsize,
    claims: Mutex<HashMap<Id, Id>>,
    taken: Taken,
    /// May a name be met more than once, so that the link count does not tell
    /// when all have been?
    names_repeat: bool,
}

/// Which inodes of the dump's filesystem are given to a source inode: a bit for
/// each, 64 neighbours in a word, in parts with locks of their own.
#[derive(Debug, Default)]
struct Taken([Mutex<HashMap<u64, u64>>; 16]);

impl Taken {
    /// Takes an inode. Returns whether it was free.
    fn take(&self, ino: u64) -> bool {
        let (word, bit) = (ino / 64, 1 << (ino % 64));
        let part = usize::try_from(word % 16).unwrap_or(0);
        let mut part = lock(&self.0[part]);
        let bits = part.entry(word).or_insert(0);
        let free = *bits & bit == 0;
        *bits |= bit;
        free
    }
}

impl<J> Hardlinks<J> {
    /// `names_repeat`: trees overlap, so that groups are kept to the end.
    pub(super) fn new(names_repeat: bool) -> Self {
        Self {
            groups: Mutex::new(HashMap::new()),
            number: AtomicUsize::new(0),
            claims: Mutex::new(HashMap::new()),
            taken: Taken::default(),
            names_repeat,
        }
    }

    /// An inode has a name already, which an earlier merge made: this inode of the
    /// target is given to it, unless it is another's.
    pub(super) fn begin(&self, id: Id, made: Id, first: FirstName) {
        if !self.claim(made, id) {
            return;
        }
        let group = Group {
            state: State::Settled(first),
            met: 0,
            names: u32::MAX,
        };
        lock(&self.groups).insert(id, group);
    }

    /// A name was met of the source inode `id`, which has `names` names.
    ///
    /// `make_way` removes what the target has under that name, and is called where the
    /// job is to wait, before anybody else can have the job: who has it links the name,
    /// and what was removed after that would be the link.
    pub(super) fn meet(&self, id: Id, names: u32, job: J, make_way: impl FnOnce()) -> Role<J> {
        let mut groups = lock(&self.groups);
        self.number.store(groups.len(), Ordering::Relaxed);
        match groups.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Group {
                    state: State::led(Vec::new()),
                    met: 1,
                    names,
                });
                Role::Lead(job, names > 1)
            }
            Entry::Occupied(mut group) => match &mut group.get_mut().state {
                State::Led { waiting, .. } => {
                    make_way();
                    waiting.push(job);
                    Role::Wait
                }
                State::Sought { tried } => {
                    let tried = std::mem::take(tried);
                    let others = tried.len() as u64 + 1 < u64::from(names);
                    group.get_mut().state = State::led(tried);
                    Role::Lead(job, others)
                }
                State::Settled(first) => {
                    let first = first.clone();
                    group.get_mut().met += 1;
                    if group.get().all_met() && !self.names_repeat {
                        group.remove();
                    }
                    Role::Follow(first, job)
                }
            },
        }
    }

    /// The leader has stored its name. Returns the jobs that waited for it.
    #[must_use]
    pub(super) fn settle(&self, id: Id, first: FirstName) -> Vec<J> {
        let mut groups = lock(&self.groups);
        let Some(group) = groups.get_mut(&id) else {
            return Vec::new();
        };
        let state = std::mem::replace(&mut group.state, State::Settled(first));
        if group.all_met() && !self.names_repeat {
            groups.remove(&id);
        }
        state.jobs()
    }

    /// The leader's name is not in the reference, while another one of the
    /// inode may be: its job waits for that. Returns the jobs to try next.
    #[must_use]
    pub(super) fn seek(&self, id: Id, job: J) -> Vec<J> {
        let mut groups = lock(&self.groups);
        let Some(group) = groups.get_mut(&id) else {
            return vec![job];
        };
        let state = State::Sought { tried: Vec::new() };
        match std::mem::replace(&mut group.state, state) {
            State::Led { waiting, mut tried } => {
                tried.push(job);
                group.state = State::Sought { tried };
                waiting
            }
            other => {
                group.state = other;
                vec![job]
            }
        }
    }

    /// All names have been met. Returns the jobs that still wait for a name
    /// that is in the reference.
    #[must_use]
    pub(super) fn stop_seeking(&self) -> Vec<J> {
        let mut groups = lock(&self.groups);
        let sought = |group: &Group<J>| matches!(group.state, State::Sought { .. });
        let given_up = groups.extract_if(|_, group| sought(group));
        given_up.flat_map(|(_, group)| group.state.jobs()).collect()
    }

    /// The leader could not store its name. Returns the jobs that waited, one
    /// of which becomes the leader.
    #[must_use]
    pub(super) fn give_up(&self, id: Id) -> Vec<J> {
        let group = lock(&self.groups).remove(&id);
        group.map_or_else(Vec::new, |group| group.state.jobs())
    }

    /// Do enough groups wait for names that some of these, most likely, are
    /// outside the trees?
    pub(super) fn are_many(&self) -> bool {
        !self.names_repeat && self.number.load(Ordering::Relaxed) >= MANY
    }

    /// The number of names that each inode has within the trees is known now,
    /// so that nothing waits for others. Returns the jobs to try next, because
    /// all names of their inodes have been met.
    #[must_use]
    pub(super) fn narrow(&self, names: impl Fn(Id) -> Option<u32>) -> Vec<J> {
        let mut groups = lock(&self.groups);
        let mut next = Vec::new();
        groups.retain(|id, group| {
            let Some(names) = names(*id) else { return true };
            group.names = group.names.min(names);
            match &mut group.state {
                State::Led { .. } => true,
                State::Sought { tried } => {
                    if tried.len() as u64 >= u64::from(names) {
                        next.extend(tried.pop());
                    }
                    // An inode with one name within the trees is stored like
                    // any other.
                    names > 1 || !tried.is_empty()
                }
                State::Settled(_) => !group.all_met(),
            }
        });
        groups.shrink_to_fit();
        self.number.store(groups.len(), Ordering::Relaxed);
        next
    }

    /// From now on names of this inode are linked to another first one.
    pub(super) fn replace(&self, id: Id, first: FirstName) {
        if let Some(group) = lock(&self.groups).get_mut(&id) {
            group.state = State::Settled(first);
        }
    }

    /// May this inode of the dump be linked for that source inode, which has
    /// several names? Not when it is used for another one already.
    pub(super) fn claim(&self, of_dump: Id, of_source: Id) -> bool {
        match lock(&self.claims).entry(of_dump) {
            Entry::Occupied(claimed) => *claimed.get() == of_source,
            Entry::Vacant(vacant) => {
                let free = self.taken.take(of_dump.ino);
                if free {
                    vacant.insert(of_source);
                }
                free
            }
        }
    }

    /// The same for a source inode with one name, which asks once.
    pub(super) fn claim_alone(&self, of_dump: Id) -> bool {
        self.taken.take(of_dump.ino)
    }
}

#[cfg(test)]
#[path = "hardlinks_tests.rs"]
mod tests;
