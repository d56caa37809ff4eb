//! Tells faults that cost an attribute from those that cost an entry: the first
//! leave something worth having, the second must not take the place of what is
//! whole. Nor must a file that is damaged, which is worth having where there is none.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::event::{Action, Event, Observer};
use crate::model::fault::{Fault, Op};

/// Hears what an observer hears, and counts what is lacking.
pub(super) struct Judge<'a> {
    observer: &'a dyn Observer,
    lacking: AtomicU64,
    damaged: AtomicU64,
    vanished: AtomicU64,
}

/// What keeps a version from being whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Short {
    /// Entries that could not be made.
    pub(super) lacking: u64,
    /// Files that are not what was stored of them, and were made as they are.
    pub(super) damaged: u64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            lacking: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            vanished: AtomicU64::new(0),
        }
    }

    /// How much is lacking or damaged.
    pub(super) fn short(&self) -> Short {
        Short {
            lacking: self.lacking.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
        }
    }

    /// How many entries were listed in the dump and then not there.
    pub(super) fn vanished(&self) -> u64 {
        self.vanished.load(Ordering::Relaxed)
    }
}

/// Does an entry stand without something, and not fail to stand?
pub(super) fn is_loss(fault: &Fault) -> bool {
    matches!(
        fault.op,
        Op::SetOwner | Op::SetMode | Op::SetXattr | Op::SetTimes | Op::VerifyMetadata
    )
}

impl Observer for Judge<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Fault(fault) if fault.op == Op::Verify => {
                self.damaged.fetch_add(1, Ordering::Relaxed);
            }
            Event::Fault(fault) if !is_loss(fault) => {
                self.lacking.fetch_add(1, Ordering::Relaxed);
            }
            Event::Entry {
                did: Action::Vanished,
                ..
            } => {
                self.vanished.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        self.observer.event(event);
    }
}
