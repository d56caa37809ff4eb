//! Taking an expired dump as what is to be filled: where little has changed, most
//! of it stands for what this run would make.
//!
//! Its trees are moved into the directory of this run, which is new and has no
//! mark of another dump. From then on they are what any run leaves behind that
//! does not come to its end. The trees are taken only where the catalog knows what
//! the reference holds, so that a listing says which names stand; where listings
//! tell inode numbers that can be believed; where no program reads the dump; and
//! where there is room for what changed while the old is still there.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::remember::Remembering;
use super::trees::Source;
use super::{Order, Run};
use crate::engine::{Budget, Totals};
use crate::fs::inspect;
use crate::model::event::{Event, Phase};
use crate::policy::layout::Sort;
use crate::root::lock::Hold;
use crate::root::removing::{Removing, Spare};
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::{link, stat};

impl Run {
    /// Takes the newest expired dump of these trees, if that pays. Where the disk
    /// is nearly full it is removed instead, before anything is made.
    pub(super) fn recycle(
        &self,
        order: &Order<'_>,
        (staging, sources): (&mut Staging<'_>, &[Source]),
        remembering: Option<&Remembering>,
        (budget, totals): (Budget, &Totals<'_>),
    ) {
        let Some(removing) = self.dump.removing_if_any() else {
            return;
        };
        let spares = removing.spares().into_iter();
        let newest = spares
            .filter(|spare| is_of(spare, sources))
            .max_by_key(|spare| spare.dump.stamp);
        let Some(newest) = newest.filter(|_| order.recycle && !staging.resumed) else {
            return;
        };
        if !self.dump.is_roomy() {
            self.finish_removing(budget, &[], &|warning| totals.warn(warning));
            totals.event(Event::Phase(Phase::Storing));
            return;
        }
        let is_plain = order.merge.policy.is_plain();
        let pays = is_plain
            && self.dump.is_of_this_generation(newest.dump)
            && remembering.is_some_and(|it| it.merge.knows_all());
        let lists = FsType::of(self.dump.handle()).is_ok_and(FsType::lists_true_inodes);
        if pays && lists && self.move_trees(&removing, &newest, staging, sources) {
            staging.recycle(newest.dump);
        }
    }

    /// Moves the trees of an expired dump to where this run makes its dump. Was any
    /// moved? What stays where it is will be removed.
    fn move_trees(
        &self,
        removing: &Removing,
        spare: &Spare,
        staging: &Staging<'_>,
        sources: &[Source],
    ) -> bool {
        let opened = dir::open_dir(removing.handle.as_fd(), &spare.leaf, For::Reading);
        let Ok(from) = opened else { return false };
        if !self
            .dump
            .mounted_in(&removing.path_of(&spare.leaf))
            .is_empty()
        {
            return false;
        }
        // A program that has locked it is still reading it.
        let Ok(hold) = Hold::alone(from.as_fd()) else {
            return false;
        };
        if !is_believed(&from, staging.handle()).unwrap_or(false) {
            return false;
        }
        let ours = sources.iter().map(|source| &source.name);
        let ours = ours.filter(|name| spare.trees.contains(name));
        let to = staging.handle().as_fd();
        let moved = ours.filter(|name| link::rename_new(from.as_fd(), name, to, name).is_ok());
        let moved = moved.count();
        drop(hold);
        moved > 0
    }

    /// Those of the dumps kept to be recycled that this run leaves alone: what
    /// others take.
    pub(super) fn spares_of_others(&self, order: &Order<'_>, sources: &[Source]) -> Vec<CString> {
        let removing = self.dump.removing_if_any();
        let spares = removing.map(|removing| removing.spares());
        let dumps = order.sort == Sort::Dump && order.at.is_none() && !order.merge.source_is_dump;
        let others = spares.unwrap_or_default().into_iter();
        let others = others.filter(|spare| !(dumps && is_of(spare, sources)));
        others.map(|spare| spare.leaf).collect()
    }
}

/// Has an expired dump one of these trees, or none at all?
fn is_of(spare: &Spare, sources: &[Source]) -> bool {
    let mut ours = sources.iter().map(|source| &source.name);
    spare.trees.is_empty() || ours.any(|name| spare.trees.contains(name))
}

/// Is it on the filesystem of what is made, and does a listing of it tell the
/// numbers that its inodes have?
fn is_believed(from: &OwnedFd, to: &OwnedFd) -> io::Result<bool> {
    let same = stat::look_at(from)?.dev == stat::look_at(to)?.dev;
    let listed = dir::list_all(from.as_fd(), For::Reading)?;
    let is_own = |entry: dir::Listed<'_>| {
        inspect::look_in_dump(from.as_fd(), entry.name).is_ok_and(|meta| meta.ino == entry.ino)
    };
    Ok(same && listed.iter().all(is_own))
}
