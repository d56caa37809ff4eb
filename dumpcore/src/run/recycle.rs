//! Taking an expired dump as what is to be filled: where little has changed, most
//! of it stands for what this run would make.
//!
//! Its trees are moved into the directory of this run, which is new and has no
//! mark of another dump. From then on they are what any run leaves behind that
//! does not come to its end. The trees are taken only where the catalog knows what
//! the reference holds, so that a listing says which names stand; where listings
//! tell inode numbers that can be believed; where no program reads the dump; and
//! where there is room for what changed while the old is still there.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use super::remember::Remembering;
use super::trees::Source;
use super::{Order, Run};
use crate::engine::{Budget, Totals};
use crate::fs::{inspect, marks};
use crate::model::error::Error;
use crate::model::event::{Event, Phase, Warning};
use crate::model::fault::{Fault, Op};
use crate::model::not_recycled::NotRecycled;
use crate::policy::layout::{self, Sort};
use crate::root::lock::Hold;
use crate::root::removing::{Removing, Spare};
use crate::root::staging::Staging;
use crate::sys::dir::{self, For};
use crate::sys::fstype::FsType;
use crate::sys::{errno, link, stat};

/// Why trees were not moved.
enum Unmoved {
    /// They would be of no use, or may not be moved.
    Passed(NotRecycled),
    /// Something failed.
    Failed(Fault),
}

impl Run {
    /// Takes the newest expired dump of these trees, if that pays. Where the disk
    /// is nearly full it is removed instead, before anything is made.
    ///
    /// # Errors
    /// [`Error::DumpDisk`] when the disk fails.
    pub(super) fn recycle(
        &self,
        order: &Order<'_>,
        (staging, sources): (&mut Staging<'_>, &[Source]),
        remembering: Option<&Remembering>,
        (budget, totals): (Budget, &Totals<'_>),
    ) -> Result<(), Error> {
        let Some(removing) = self.dump.removing_if_any().filter(|_| order.recycle) else {
            return Ok(());
        };
        let tell = &mut |fault| totals.warn(Warning::NotRecycled { fault });
        let spares = removing.spares(tell).into_iter();
        let newest = spares
            .filter(|spare| !spare.trees.is_empty() && is_of(spare, sources))
            .max_by_key(|spare| spare.dump.stamp);
        let Some(newest) = newest else {
            return Ok(());
        };
        let pass = |why: &NotRecycled| {
            let dump = &self.dump.path().join(newest.dump.path());
            totals.event(Event::NotRecycled { dump, why });
        };
        if let Some(why) = self.is_of_no_use(order, &newest, staging, remembering) {
            pass(&why);
            if matches!(why, NotRecycled::LittleRoom) {
                self.finish_removing(budget, &[], &|warning| totals.warn(warning));
                totals.event(Event::Phase(Phase::Storing));
            }
            return Ok(());
        }
        match self.move_trees(&removing, &newest, (staging, sources), totals) {
            Ok(()) => staging.recycle(newest.dump),
            Err(Unmoved::Passed(why)) => pass(&why),
            Err(Unmoved::Failed(fault)) if errno::is_disk_refusal(&fault.cause) => {
                return Err(self.dump.refuses(fault, None));
            }
            Err(Unmoved::Failed(fault)) => {
                removing.spare_no_more(&newest);
                totals.warn(Warning::NotRecycled { fault });
            }
        }
        Ok(())
    }

    /// Why an expired dump would not help, known before it is looked at.
    fn is_of_no_use(
        &self,
        order: &Order<'_>,
        spare: &Spare,
        staging: &Staging<'_>,
        remembering: Option<&Remembering>,
    ) -> Option<NotRecycled> {
        let lists = || FsType::of(self.dump.handle()).is_ok_and(FsType::lists_true_inodes);
        if staging.resumed {
            Some(NotRecycled::Resumed)
        } else if !self.dump.is_roomy() {
            Some(NotRecycled::LittleRoom)
        } else if !order.merge.policy.is_plain() {
            Some(NotRecycled::Compares)
        } else if !self.dump.is_of_this_generation(spare.dump) {
            Some(NotRecycled::Checkpoint)
        } else if !remembering.is_some_and(|it| it.merge.knows_all()) {
            Some(NotRecycled::Catalog)
        } else if !lists() {
            Some(NotRecycled::Listings)
        } else {
            None
        }
    }

    /// Moves the trees of an expired dump to where this run makes its dump. What
    /// stays where it is will be removed.
    fn move_trees(
        &self,
        removing: &Removing,
        spare: &Spare,
        (staging, sources): (&Staging<'_>, &[Source]),
        totals: &Totals<'_>,
    ) -> Result<(), Unmoved> {
        let path = removing.path_of(&spare.leaf);
        let failed = |op| {
            let path = path.clone();
            move |e| Unmoved::Failed(Fault::new(op, path, e))
        };
        let from = dir::open_dir(removing.handle.as_fd(), &spare.leaf, For::Reading);
        let from = from.map_err(failed(Op::Open))?;
        if let Some(path) = self.dump.mounted_in(&path).map_err(failed(Op::Open))? {
            return Err(Unmoved::Passed(NotRecycled::Mounted { path }));
        }
        // A program that has locked it is still reading it.
        let hold = Hold::alone(from.as_fd()).map_err(|e| match errno::is_locked(&e) {
            true => Unmoved::Passed(NotRecycled::Read),
            false => failed(Op::Lock)(e),
        })?;
        if !is_believed(&from, staging.handle()).map_err(failed(Op::List))? {
            return Err(Unmoved::Passed(NotRecycled::Listings));
        }
        let ours = sources.iter().map(|source| &source.name);
        // A run that takes over what this one leaves behind is to know it.
        let marked = marks::put(staging.handle(), layout::RECYCLED_XATTR, Some(b"1"));
        marked.map_err(failed(Op::SetXattr))?;
        let to = staging.handle().as_fd();
        let mut moved = 0;
        for name in ours.filter(|name| spare.trees.contains(name)) {
            let failed = |e| {
                let tree = path.join(OsStr::from_bytes(name.to_bytes()));
                Fault::new(Op::Rename, tree, e)
            };
            match move_tree(from.as_fd(), name, to).map_err(failed) {
                Ok(()) => moved += 1,
                // Of several trees, those that were moved are used.
                Err(fault) if moved > 0 && !errno::is_disk_refusal(&fault.cause) => {
                    totals.warn(Warning::NotRecycled { fault });
                }
                Err(fault) => {
                    if moved == 0 {
                        let _ = marks::put(staging.handle(), layout::RECYCLED_XATTR, None);
                    }
                    return Err(Unmoved::Failed(fault));
                }
            }
        }
        drop(hold);
        Ok(())
    }

    /// Those of the dumps kept to be recycled that this run leaves alone: what
    /// others take.
    pub(super) fn spares_of_others(&self, order: &Order<'_>, sources: &[Source]) -> Vec<CString> {
        let removing = self.dump.removing_if_any();
        // What cannot be looked at goes, or is told when it cannot be removed.
        let spares = removing.map(|removing| removing.spares(&mut |_| {}));
        let dumps = order.sort == Sort::Dump && order.at.is_none() && !order.merge.source_is_dump;
        let others = spares.unwrap_or_default().into_iter();
        let others = others.filter(|spare| !(dumps && is_of(spare, sources)));
        others.map(|spare| spare.leaf).collect()
    }
}

/// Does an expired dump have one of these trees, or no tree at all? The latter is
/// what is left when all of its trees were moved into another dump.
fn is_of(spare: &Spare, sources: &[Source]) -> bool {
    let mut ours = sources.iter().map(|source| &source.name);
    spare.trees.is_empty() || ours.any(|name| spare.trees.contains(name))
}

/// Moves a tree. To move a directory needs write permission on it, which that of a
/// tree that is read-only lacks.
fn move_tree(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>) -> io::Result<()> {
    match link::rename_new(from, name, to, name) {
        Err(e) if errno::is_not_permitted(&e) => {
            link::set_mode_of_dir(from, name, 0o700).map_err(|_| e)?;
            link::rename_new(from, name, to, name)
        }
        moved => moved,
    }
}

/// Is it on the filesystem of what is made, and does a listing of it tell the
/// numbers that its inodes have?
fn is_believed(from: &OwnedFd, to: &OwnedFd) -> io::Result<bool> {
    if stat::look_at(from)?.dev != stat::look_at(to)?.dev {
        return Ok(false);
    }
    for entry in dir::list_all(from.as_fd(), For::Reading)?.iter() {
        if inspect::look_in_dump(from.as_fd(), entry.name)?.ino != entry.ino {
            return Ok(false);
        }
    }
    Ok(true)
}
