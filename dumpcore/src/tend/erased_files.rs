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
    /// Of these spots; those `later` go with the next erasure.
    pub(super) fn of(spots: &[Spot], later: &[Spot]) -> Self {
        let mut met: HashMap<Id, Names<'_>> = HashMap::new();
        let now = spots.iter().map(|spot| (spot, 1, 0));
        let all = now.chain(later.iter().map(|spot| (spot, 0, 1)));
        for (spot, now, later) in all.filter(|(spot, ..)| spot.meta.kind != Kind::Dir) {
            let names = met.entry(spot.meta.id()).or_insert(Names {
                now: 0,
                later: 0,
                meta: &spot.meta,
            });
            names.now += now;
            names.later += later;
        }
        let mut files = Self::default();
        for Names { now, later, meta } in met.values() {
            if now + later < meta.nlink {
                files.other_names += 1;
            } else if *later == 0 {
                files.freed += meta.blocks.saturating_mul(512);
            }
        }
        files
    }
}

/// How many names of a file go.
struct Names<'a> {
    now: u32,
    later: u32,
    meta: &'a Meta,
}
