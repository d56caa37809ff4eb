//! What an erasure is to do, and what is left of that for the next one.

use std::collections::BTreeMap;
use std::io;

use super::removal::{Left, Reason};
use crate::engine::Totals;
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::policy::erase_note::{DirWas, EraseNote};
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::root::erasing::Spot;
use crate::root::removing::Removing;

/// What is to be done.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) spots: Vec<Spot>,
    /// Those that an erasure which was stopped did not come to.
    pub(super) remaining: Vec<Spot>,
    pub(super) left: Vec<Left>,
    pub(super) note: EraseNote,
    /// Those that a dump has which is on its way out.
    pub(super) expired: Vec<RelPath>,
}

impl Plan {
    pub(super) fn leave(&mut self, root: &DumpRoot, spot: &Spot, reason: Reason) {
        self.left.push(Left {
            dump: spot.dump,
            path: root.path().join(spot.path()),
            reason,
        });
    }

    /// The paths, each with the dumps that still have it.
    pub(super) fn where_it_stays(&self, root: &DumpRoot) -> Vec<(RelPath, Vec<DumpId>)> {
        let stays = |path: &RelPath| {
            let at = |left: &&Left| left.path == path.below(&root.path().join(left.dump.path()));
            let left = self.left.iter().filter(at);
            left.map(|left| left.dump).collect()
        };
        let paths = self.note.paths.iter();
        paths.map(|path| (path.clone(), stays(path))).collect()
    }

    /// What the directories that went took themselves, by dump.
    pub(super) fn dir_bytes(&self) -> Vec<(DumpId, u64)> {
        let mut bytes = BTreeMap::new();
        for spot in &self.spots {
            *bytes.entry(spot.dump).or_default() += spot.size.dir_bytes;
        }
        bytes.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// The paths that a dump still has which is on its way out. That a program reads
    /// it is a fault; what cannot be removed has been reported.
    pub(super) fn still_on_their_way_out(
        &self,
        root: &DumpRoot,
        to: &Removing,
        totals: &Totals<'_>,
    ) -> Vec<RelPath> {
        let mut paths = self.expired.clone();
        paths.retain(|path| root.is_on_its_way_out(path));
        if !paths.is_empty() {
            let read = to.still_read();
            // The program that read it may have ended just now.
            if read.is_empty() && totals.counts().faults == 0 {
                for path in &paths {
                    let cause = io::Error::other("an expired dump still has it; erase it again");
                    totals.fault(Fault::new(Op::Remove, path.below(root.path()), cause));
                }
            }
            for leaf in read {
                let text = "another program is reading it; erase again when it has finished";
                let cause = io::Error::other(text);
                totals.fault(Fault::new(Op::Remove, to.path_of(&leaf), cause));
            }
        }
        paths
    }

    /// What the next erasure has to do: also what `stays` on its way out.
    pub(super) fn rest(
        &self,
        root: &DumpRoot,
        mut stays: Vec<RelPath>,
        dirs: BTreeMap<Vec<u8>, DirWas>,
    ) -> EraseNote {
        for (path, dumps) in self.where_it_stays(root) {
            if !dumps.is_empty() && !stays.contains(&path) {
                stays.push(path);
            }
        }
        EraseNote {
            paths: stays,
            dirs,
            names: BTreeMap::new(),
        }
    }
}
