//! How much a run is likely to deal with in all, for those who show how far it
//! is. Only what costs next to nothing to find out: a dump says how much was in
//! it when it was published, and an estimate of what must fit has counted.

use std::os::fd::OwnedFd;

use crate::fs::size_marks;
use crate::model::event::Event;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::report::Counts;

/// Entries of all types, each name counted, and the bytes of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    entries: u64,
    bytes: Option<u64>,
}

impl Expected {
    /// What was in a dump when it was published.
    pub(crate) fn of(dump: &OwnedFd) -> Option<Self> {
        Some(Self {
            entries: size_marks::names(dump)?,
            bytes: size_marks::bytes(dump),
        })
    }

    /// Entries that were listed, of unknown size.
    pub(crate) fn listed(entries: u64) -> Self {
        Self {
            entries,
            bytes: None,
        }
    }

    /// An entry that is not a directory, and this many directories above it.
    pub(super) fn one(meta: &Meta, above: u64) -> Self {
        Self {
            entries: above + 1,
            bytes: Some(if meta.kind == Kind::File {
                meta.size
            } else {
                0
            }),
        }
    }

    /// What was counted.
    pub(super) fn counted(counts: &Counts) -> Self {
        let others = counts.directories + counts.symlinks + counts.specials;
        Self {
            entries: counts.files.number + others,
            bytes: Some(counts.files.bytes),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        let bytes = self.bytes.zip(other.bytes);
        Self {
            entries: self.entries.saturating_add(other.entries),
            bytes: bytes.map(|(a, b)| a.saturating_add(b)),
        }
    }

    pub(crate) fn event(self) -> Event<'static> {
        let Self { entries, bytes } = self;
        Event::Expected { entries, bytes }
    }
}
