//! What a run is likely to deal with, by the dumps that it has to do with.

use std::sync::Arc;

use super::expected::Expected;
use super::trees::{self, Source};
use super::{Order, Run};

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
