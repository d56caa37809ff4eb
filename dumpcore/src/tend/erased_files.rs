//! What erasing files frees that are named themselves.

use std::collections::HashMap;

use crate::model::kind::Kind;
use crate::model::metadata::{Id, Meta};
use crate::root::erasing::Spot;

/// What goes of files that are named themselves; of those in directories that go,
/// the removal tells.
#[derive(Clone, Copy, Default)]
pub(super) struct Files {
    /// How many have names that do not go.
    pub(super) other_names: u64,
    /// The blocks of the others, in bytes.
    pub(super) freed: u64,
}

impl Files {
    pub(super) fn of(spots: &[Spot]) -> Self {
        let mut met: HashMap<Id, (u32, &Meta)> = HashMap::new();
        for spot in spots.iter().filter(|spot| spot.meta.kind != Kind::Dir) {
            met.entry(spot.meta.id()).or_insert((0, &spot.meta)).0 += 1;
        }
        let mut files = Self::default();
        for (going, meta) in met.values() {
            match *going < meta.nlink {
                true => files.other_names += 1,
                false => files.freed += meta.blocks.saturating_mul(512),
            }
        }
        files
    }
}
