//! Hard links among the dumped files: which source inode is which inode of
//! the dump.
//!
//! A source inode with several names is stored once, by whichever worker
//! meets it first; the others wait without holding anybody up, and become
//! links to what was stored. Memory is needed only for inodes whose names
//! have not all been met.
//!
//! Two different source inodes must not become one inode of the dump. That
//! could happen where the reference still has as one what the source has
//! parted since: [`Groups::claim`] gives each inode of the dump to the first
//! source inode that asks for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::meta::Id;
use crate::walk::Place;

/// Where the dump has an inode's first name.
#[derive(Clone, Debug)]
pub(super) struct First {
    /// Its inode in the dump.
    pub(super) ino: u64,
    /// The directory; `None` in a dry run.
    pub(super) place: Option<Arc<Place>>,
    pub(super) name: CString,
}

/// What a worker that met a name of a group is to do.
#[derive(Debug)]
pub(super) enum Turn<J> {
    /// Store it, and say how that went.
    Lead(J),
    /// Nothing now: the job is given back when the group is settled.
    Wait,
    /// Link it to this.
    Follow(First, J),
}

#[derive(Debug)]
enum State<J> {
    Led { waiting: Vec<J> },
    Settled(First),
}

#[derive(Debug)]
struct Group<J> {
    state: State<J>,
    /// Names that have not been met.
    left: u64,
}

#[derive(Debug)]
pub(super) struct Groups<J> {
    groups: Mutex<HashMap<Id, Group<J>>>,
    claims: Mutex<HashMap<Id, Id>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<J> Groups<J> {
    pub(super) fn new() -> Self {
        Self {
            groups: Mutex::new(HashMap::new()),
            claims: Mutex::new(HashMap::new()),
        }
    }

    /// A name of the source inode `id`, which has `names` of them, is met.
    pub(super) fn meet(&self, id: Id, names: u32, job: J) -> Turn<J> {
        let mut groups = lock(&self.groups);
        match groups.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Group {
                    state: State::Led {
                        waiting: Vec::new(),
                    },
                    left: u64::from(names.max(1)) - 1,
                });
                Turn::Lead(job)
            }
            Entry::Occupied(mut group) => match &mut group.get_mut().state {
                State::Led { waiting } => {
                    waiting.push(job);
                    Turn::Wait
                }
                State::Settled(first) => {
                    let first = first.clone();
                    group.get_mut().left = group.get().left.saturating_sub(1);
                    if group.get().left == 0 {
                        group.remove();
                    }
                    Turn::Follow(first, job)
                }
            },
        }
    }

    /// The leader has stored its name: the jobs that waited for it.
    #[must_use]
    pub(super) fn settle(&self, id: Id, first: First) -> Vec<J> {
        let mut groups = lock(&self.groups);
        let Some(group) = groups.get_mut(&id) else {
            return Vec::new();
        };
        let state = std::mem::replace(&mut group.state, State::Settled(first));
        if group.left == 0 {
            groups.remove(&id);
        }
        match state {
            State::Led { waiting } => waiting,
            State::Settled(_) => Vec::new(),
        }
    }

    /// The leader could not store its name: the jobs that waited, of which
    /// one will lead.
    #[must_use]
    pub(super) fn give_up(&self, id: Id) -> Vec<J> {
        match lock(&self.groups).remove(&id).map(|group| group.state) {
            Some(State::Led { waiting }) => waiting,
            _ => Vec::new(),
        }
    }

    /// From now on names of this inode are linked to another first one.
    pub(super) fn replace(&self, id: Id, first: First) {
        if let Some(group) = lock(&self.groups).get_mut(&id) {
            group.state = State::Settled(first);
        }
    }

    /// May this inode of the dump stand for that source inode? Not when it
    /// stands for another one already.
    pub(super) fn claim(&self, of_dump: Id, of_source: Id) -> bool {
        *lock(&self.claims).entry(of_dump).or_insert(of_source) == of_source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Id = Id { dev: 1, ino: 1 };
    const B: Id = Id { dev: 1, ino: 2 };

    fn first(ino: u64) -> First {
        First {
            ino,
            place: None,
            name: CString::default(),
        }
    }

    #[test]
    fn one_leads_and_the_others_follow() {
        let groups = Groups::new();
        assert!(matches!(groups.meet(A, 3, 'a'), Turn::Lead('a')));
        assert!(matches!(groups.meet(A, 3, 'b'), Turn::Wait));
        assert!(matches!(groups.meet(B, 2, 'x'), Turn::Lead('x')));
        assert_eq!(groups.settle(A, first(7)), ['b']);
        for job in ['b', 'c'] {
            let turn = groups.meet(A, 3, job);
            assert!(matches!(turn, Turn::Follow(First { ino: 7, .. }, _)));
        }
        assert_eq!(lock(&groups.groups).len(), 1, "all names of A were met");
    }

    #[test]
    fn a_leader_that_fails_is_succeeded() {
        let groups = Groups::new();
        assert!(matches!(groups.meet(A, 2, 'a'), Turn::Lead('a')));
        assert!(matches!(groups.meet(A, 2, 'b'), Turn::Wait));
        assert_eq!(groups.give_up(A), ['b']);
        assert!(matches!(groups.meet(A, 2, 'b'), Turn::Lead('b')));
    }

    #[test]
    fn an_inode_of_the_dump_stands_for_one_source_inode() {
        let groups = Groups::<()>::new();
        assert!(groups.claim(A, B));
        assert!(groups.claim(A, B));
        assert!(!groups.claim(A, A));
    }
}
