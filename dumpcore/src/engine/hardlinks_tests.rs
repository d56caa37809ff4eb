//! Tests of what waits, leads and follows.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::fs::dir_handle::HandleCache;
use crate::sys::dir::{self, For};

const A: Id = Id { dev: 1, ino: 1 };
const B: Id = Id { dev: 1, ino: 2 };

fn here() -> Arc<DirHandle> {
    let here = dir::open_root(".".as_ref(), For::Passing).expect("opened");
    let entered = DirHandle::top(here, For::Passing, &HandleCache::new(1));
    entered.expect("a directory").place
}

fn first(ino: u64) -> FirstName {
    FirstName {
        was: SourceState {
            kind: Kind::File,
            size: 0,
            mtime: Time::default(),
        },
        ino,
        place: None,
        source: here(),
        name: CString::default(),
    }
}

#[test]
fn one_leads_and_the_others_follow() {
    let groups = Hardlinks::new(false);
    assert!(matches!(
        groups.meet(A, 3, 'a', || ()),
        Role::Lead('a', true)
    ));
    assert!(matches!(groups.meet(A, 3, 'b', || ()), Role::Wait));
    assert!(matches!(
        groups.meet(B, 2, 'x', || ()),
        Role::Lead('x', true)
    ));
    assert_eq!(groups.settle(A, first(7)), ['b']);
    for job in ['b', 'c'] {
        let turn = groups.meet(A, 3, job, || ());
        assert!(matches!(turn, Role::Follow(FirstName { ino: 7, .. }, _)));
    }
    assert_eq!(lock(&groups.groups).len(), 1, "all names of A were met");
}

#[test]
fn where_names_repeat_all_are_linked() {
    let groups = Hardlinks::new(true);
    assert!(matches!(
        groups.meet(A, 2, 'a', || ()),
        Role::Lead('a', true)
    ));
    assert!(groups.settle(A, first(7)).is_empty());
    for job in ['b', 'a', 'b'] {
        let turn = groups.meet(A, 2, job, || ());
        assert!(matches!(turn, Role::Follow(FirstName { ino: 7, .. }, _)));
    }
}

#[test]
fn a_leader_that_fails_is_succeeded() {
    let groups = Hardlinks::new(false);
    assert!(matches!(groups.meet(A, 2, 'a', || ()), Role::Lead('a', _)));
    assert!(matches!(groups.meet(A, 2, 'b', || ()), Role::Wait));
    assert_eq!(groups.give_up(A), ['b']);
    assert!(matches!(groups.meet(A, 2, 'b', || ()), Role::Lead('b', _)));
}

#[test]
fn each_name_is_tried_before_one_is_copied() {
    let groups = Hardlinks::new(false);
    assert!(matches!(
        groups.meet(A, 3, 'a', || ()),
        Role::Lead('a', true)
    ));
    assert!(matches!(groups.meet(A, 3, 'b', || ()), Role::Wait));
    assert_eq!(groups.seek(A, 'a'), ['b'], "b was not tried");
    assert!(matches!(
        groups.meet(A, 3, 'b', || ()),
        Role::Lead('b', true)
    ));
    assert!(groups.seek(A, 'b').is_empty());
    assert!(matches!(
        groups.meet(A, 3, 'c', || ()),
        Role::Lead('c', false)
    ));
    assert_eq!(groups.settle(A, first(7)), ['a', 'b']);
    for job in ['a', 'b'] {
        assert!(matches!(groups.meet(A, 3, job, || ()), Role::Follow(..)));
    }
    assert!(lock(&groups.groups).is_empty());
}

#[test]
fn only_names_within_the_trees_are_waited_for() {
    let groups = Hardlinks::new(false);
    let c = Id { dev: 2, ino: 1 };
    // A has another name outside, B a second one within, that of C is
    // sought, and no other is there.
    for (id, job) in [(A, 'a'), (B, 'b')] {
        assert!(matches!(groups.meet(id, 3, job, || ()), Role::Lead(..)));
        assert!(groups.settle(id, first(7)).is_empty());
    }
    assert!(matches!(
        groups.meet(c, 3, 'c', || ()),
        Role::Lead('c', true)
    ));
    assert!(groups.seek(c, 'c').is_empty());
    let names = |id| Some(if id == B { 2 } else { 1 });
    assert_eq!(groups.narrow(names), ['c']);
    assert_eq!(lock(&groups.groups).len(), 1);
    assert!(matches!(groups.meet(B, 2, 'd', || ()), Role::Follow(..)));
    assert!(lock(&groups.groups).is_empty());
}

#[test]
fn the_last_name_within_the_trees_is_stored_at_once() {
    let groups = Hardlinks::new(false);
    for (job, waits) in [('a', true), ('b', true)] {
        assert!(
            matches!(groups.meet(A, 3, job, || ()), Role::Lead(..)),
            "{waits}"
        );
        assert!(groups.seek(A, job).is_empty());
    }
    assert_eq!(groups.narrow(|_| Some(2)), ['b']);
    assert!(matches!(
        groups.meet(A, 2, 'b', || ()),
        Role::Lead('b', false)
    ));
    assert_eq!(groups.settle(A, first(7)), ['a']);
    assert!(matches!(groups.meet(A, 2, 'a', || ()), Role::Follow(..)));
    assert!(lock(&groups.groups).is_empty());
}

#[test]
fn names_that_never_come_are_not_waited_for() {
    let groups = Hardlinks::new(false);
    assert!(matches!(
        groups.meet(A, 3, 'a', || ()),
        Role::Lead('a', true)
    ));
    assert!(groups.seek(A, 'a').is_empty());
    assert!(matches!(
        groups.meet(B, 2, 'x', || ()),
        Role::Lead('x', true)
    ));
    assert_eq!(groups.stop_seeking(), ['a']);
    assert!(groups.stop_seeking().is_empty());
    assert!(matches!(groups.meet(A, 3, 'a', || ()), Role::Lead('a', _)));
    assert!(matches!(groups.meet(B, 2, 'y', || ()), Role::Wait));
}

#[test]
fn an_inode_of_the_dump_stands_for_one_source_inode() {
    let groups = Hardlinks::<()>::new(false);
    assert!(groups.claim(A, B));
    assert!(groups.claim(A, B));
    assert!(!groups.claim(A, A));
    assert!(!groups.claim_alone(A));
    assert!(groups.claim_alone(B));
    assert!(!groups.claim_alone(B));
    assert!(!groups.claim(B, A));
}

#[test]
fn neighbours_are_told_apart() {
    let taken = Taken::default();
    let all = [0, 1, 63, 64, 65, 1 << 40, u64::MAX];
    for free in [true, false] {
        for ino in all {
            assert_eq!(taken.take(ino), free, "{ino}");
        }
    }
}

/// Who has the job of a name that waits makes that name: what was there is gone by then.
#[test]
fn way_is_made_for_a_name_before_its_job_is_given_away() {
    let groups = Hardlinks::new(false);
    assert!(matches!(
        groups.meet(A, 3, 'a', || ()),
        Role::Lead('a', true)
    ));
    let (way_is_made, begun) = (AtomicBool::new(false), Barrier::new(2));
    std::thread::scope(|scope| {
        let settler = scope.spawn(|| {
            begun.wait();
            let next = groups.settle(A, first(7));
            (next, way_is_made.load(Ordering::SeqCst))
        });
        let role = groups.meet(A, 3, 'b', || {
            begun.wait();
            std::thread::sleep(Duration::from_millis(50));
            way_is_made.store(true, Ordering::SeqCst);
        });
        assert!(matches!(role, Role::Wait));
        assert_eq!(settler.join().expect("it ends"), (vec!['b'], true));
    });
    // Who does not wait sees what is there for itself.
    let seen = AtomicBool::new(false);
    let role = groups.meet(A, 3, 'c', || seen.store(true, Ordering::SeqCst));
    assert!(matches!(role, Role::Follow(..)) && !seen.load(Ordering::SeqCst));
}

/// One inode of the target is not given to two of the source, whatever was there before.
#[test]
fn what_an_earlier_merge_left_belongs_to_one_inode() {
    let groups = Hardlinks::new(false);
    let made = Id { dev: 1, ino: 7 };
    groups.begin(A, made, first(7));
    groups.begin(B, made, first(7));
    assert!(matches!(groups.meet(A, 2, 'a', || ()), Role::Follow(..)));
    assert!(matches!(groups.meet(B, 2, 'b', || ()), Role::Lead('b', _)));
    assert!(!groups.claim(made, B));
}
