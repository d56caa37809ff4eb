//! How much a run is likely to deal with in all, for those who show how far it
//! is. Only what costs next to nothing to find out: a dump says how much was in
//! it when it was published, and an estimate of what must fit has counted.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::trees::{self, Source};
use super::{Order, Run};
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

    fn and(self, other: Self) -> Self {
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

impl Run {
    /// What a run deals with, judging by the dumps that it has to do with.
    pub(super) fn expected(&self, order: &Order<'_>, sources: &[Source]) -> Option<Expected> {
        match order.expected {
            // Rules leave out some of it, as of the last copy that was made.
            Some(_) if !order.merge.filter.is_empty() => {
                self.in_references(sources).or(order.expected)
            }
            Some(expected) => Some(expected),
            None => self.in_references(sources),
        }
    }

    /// What was in the dumps that all trees are linked to, unless they hold
    /// other trees besides: only the whole of a dump is known.
    fn in_references(&self, sources: &[Source]) -> Option<Expected> {
        let mut seen = Vec::new();
        let mut sum: Option<Expected> = None;
        for source in sources {
            let reference = source.reference.as_ref()?;
            if !reference.has(&source.name) {
                return None;
            }
            if seen.iter().any(|one| Arc::ptr_eq(one, reference)) {
                continue;
            }
            let more = Expected::of(&reference.handle)?;
            sum = Some(sum.map_or(more, |sum| sum.and(more)));
            seen.push(Arc::clone(reference));
        }
        trees::missing(&self.dump, sources)
            .is_empty()
            .then_some(sum)?
    }
}
