//! The second look: what was added to a directory after it was listed.
//!
//! When everything else is done, every directory that was listed is checked
//! once more: one call for each, and two more for a directory with others below
//! it. One that has changed is listed again, and entries that the dump does not
//! have are processed like any others. Its own attributes are then set again,
//! since its copy was already finished. Entries that were stored are not
//! compared again: they are as they were when they were read.

use std::ffi::{CStr, CString};
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::held::Held;
use super::job::{Found, Job, Moved, Recheck, Rest};
use super::name_hashes::NameHashes;
use super::node::{Node, Number, Sides};
use super::seen::{Look, Round, SeenTree};
use super::worker::Worker;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::fs::inspect;
use crate::fs::source_fs::SourceFs;
use crate::model::kind::Kind;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::layout;
use crate::sys::dir::{self, Chunk, For, Listed, Lister};
use crate::sys::lock::lock;
use crate::sys::xattr::Subject;
use crate::sys::{errno, stat};

/// How many directories are one job.
const SHARE: usize = 64;

impl Worker<'_> {
    /// Begins a round with the tops of all trees.
    pub(super) fn look_again(&mut self) {
        let round = self.run.seen.round();
        let paths = self.run.totals.with_faults(|faults| {
            let paths = faults.iter().map(|fault| fault.path.clone());
            paths.collect()
        });
        *lock(&self.run.faulty) = paths;
        for tree in self.run.seen.trees() {
            let Ok(handle) = tree.source.open() else {
                continue;
            };
            let looked = stat::look_at(&*handle);
            if looked.is_ok_and(|meta| Look::of(&meta) != self.run.seen.look(tree.number)) {
                let again = dir::reopen(handle.as_fd(), For::Reading);
                let entered = again.and_then(|handle| {
                    Ok(Entered {
                        place: Arc::clone(&tree.source),
                        meta: stat::look_at(&handle)?,
                        handle: Arc::new(handle),
                        is_mount: false,
                        is_fixed: false,
                    })
                });
                if let Ok(entered) = entered {
                    self.list_again(&tree, tree.number, entered);
                }
            }
            let below = self.run.seen.below(&round, tree.number);
            self.share(&round, &tree, &tree.source, below);
        }
    }

    /// Makes jobs for all workers of these directories.
    fn share(
        &self,
        round: &Arc<Round>,
        tree: &Arc<SeenTree>,
        place: &Arc<DirHandle>,
        below: Range<usize>,
    ) {
        let starts = below.clone().step_by(SHARE);
        self.run.queue.add(starts.map(|start| {
            Job::Recheck(Box::new(Recheck {
                round: Arc::clone(round),
                tree: Arc::clone(tree),
                place: Arc::clone(place),
                children: start..below.end.min(start + SHARE),
            }))
        }));
    }

    /// Checks some directories within one. A directory that is missing was
    /// moved or removed; one on which `stat` fails was read before.
    pub(super) fn recheck(&mut self, job: &Recheck) {
        let Ok(handle) = job.place.open() else { return };
        for place in job.children.clone() {
            if !self.run.totals.keep_going() {
                return;
            }
            let (number, name, before) = self.run.seen.at(&job.round, place);
            let below = self.run.seen.below(&job.round, number);
            let meta = if below.is_empty() {
                inspect::look(handle.as_fd(), &name).ok()
            } else {
                let entered = job.place.enter(&name, For::Passing);
                entered.ok().map(|entered| {
                    self.share(&job.round, &job.tree, &entered.place, below);
                    entered.meta
                })
            };
            let elsewhere =
                |dev| self.run.rules.options.one_file_system && dev != job.tree.tree.dev;
            let Some(meta) = meta.filter(|meta| !elsewhere(meta.dev)) else {
                continue;
            };
            if meta.kind != Kind::Dir || Look::of(&meta) == before {
                continue;
            }
            if let Ok(entered) = job.place.enter(&name, For::Reading) {
                self.list_again(&job.tree, number, entered);
            }
        }
    }

    /// Does the same for a directory that was found under another name, as if
    /// it still had the name of its copy.
    pub(super) fn recheck_moved(&mut self, job: &Moved) {
        let Moved {
            round,
            tree,
            number,
            above,
            name,
        } = job;
        if let Ok(entered) = above.enter(name, For::Reading) {
            let below = self.run.seen.below(round, *number);
            self.share(round, tree, &entered.place, below);
            self.list_again(tree, *number, entered);
        }
    }

    /// Is a new directory in the dump already, under the name that it had when
    /// it was listed? Then it is only checked again.
    fn is_moved(&self, entered: &Entered, name: &CStr, meta: &Meta) -> bool {
        let Some((round, number)) = self.run.seen.known(meta) else {
            return false;
        };
        let Some(tree) = self.run.seen.tree_of(number) else {
            return false;
        };
        self.run.queue.add([Job::Moved(Box::new(Moved {
            round,
            tree,
            number,
            above: Arc::clone(&entered.place),
            name: name.to_owned(),
        }))]);
        true
    }

    /// Lists a directory that has changed since, and processes what its copy
    /// does not have.
    fn list_again(&mut self, tree: &Arc<SeenTree>, number: Number, entered: Entered) {
        self.run.seen.note_again(number, &entered.meta);
        let names = self.run.seen.names_to(number);
        // A directory without a copy was a fault.
        let Some((above, name)) = target_of(tree, &names) else {
            return;
        };
        match self.what_came(tree, &entered, &above, &name) {
            Ok(false) => return,
            Ok(true) => {}
            // A plain user may not list a copy whose mode forbids it.
            Err(e) if errno::is_not_permitted(&e) => {}
            Err(_) => return,
        }
        if let Some(node) = self.node_again(tree, &names, number, entered, &above, &name) {
            self.list_what_came(&node);
        }
    }

    /// Does a directory have names that its copy does not have? Notes also
    /// whether any name was added or removed.
    fn what_came(
        &mut self,
        tree: &SeenTree,
        entered: &Entered,
        above: &Arc<DirHandle>,
        name: &CStr,
    ) -> std::io::Result<bool> {
        let copy = dir::open_dir(above.open()?.as_fd(), name, For::Reading)?;
        let mut stored = NameHashes::list(Lister::new(dir::reopen(copy.as_fd(), For::Reading)?))?;
        self.set_filter_place(&tree.tree.name, &entered.place);
        let mut lister = Lister::new(dir::reopen(entered.handle.as_fd(), For::Reading)?);
        let (mut chunk, mut came) = (Chunk::default(), false);
        while !lister.is_done() {
            lister.next(&mut chunk)?;
            for entry in chunk.iter() {
                let comes = !stored.meet(entry.name);
                let meta = comes.then(|| self.coming(tree, entered, &copy, entry));
                if let Some(meta) = meta.flatten() {
                    let moved = meta.kind == Kind::Dir;
                    came |= !(moved && self.is_moved(entered, entry.name, &meta));
                }
            }
        }
        if came {
            let path = entered.place.path().below(&tree.tree.source);
            self.run.seen.found_in(path);
        }
        if came || !stored.all_met() {
            self.run.seen.stir();
        }
        Ok(came)
    }

    /// Does a name that the copy does not have belong in the dump? Not if it
    /// was left out, or was a fault.
    fn coming(
        &mut self,
        tree: &SeenTree,
        entered: &Entered,
        copy: &OwnedFd,
        entry: Listed<'_>,
    ) -> Option<Meta> {
        let name = entry.name;
        let source = entered.handle.as_fd();
        if layout::is_restoring(name.to_bytes())
            || self.is_excluded(name, true) && self.is_excluded(name, false)
        {
            return None;
        }
        let meta = inspect::look_without_waiting(source, name).ok()?;
        let is_dir = meta.kind == Kind::Dir;
        let mounted = || stat::look_at_mount(source, name).is_ok_and(|mount| mount.is_root);
        let rules = self.run.rules;
        let left_out =
            rules.options.one_file_system && !is_dir && meta.dev != tree.tree.dev && mounted();
        if left_out || rules.leave_out.contains(&meta.id()) || self.is_excluded(name, is_dir) {
            return None;
        }
        let below = entered.place.path().join(name.to_bytes());
        if self.is_faulty(tree, &below) {
            return None;
        }
        // The dump's filesystem may list a name in another form.
        let stored = inspect::look_in_dump(copy.as_fd(), name);
        let is_stored = stored.is_ok_and(|stored| {
            let same = (stored.size, stored.mtime) == (meta.size, meta.mtime);
            stored.kind == meta.kind && (is_dir || same)
        });
        (!is_stored).then_some(meta)
    }

    /// Was an entry a fault before? It is reported once.
    fn is_faulty(&self, tree: &SeenTree, below: &RelPath) -> bool {
        let faulty = lock(&self.run.faulty);
        let copy = || RelPath::from_bytes(&tree.tree.name).join(below.as_bytes());
        !faulty.is_empty()
            && (faulty.contains(&below.below(&tree.tree.source))
                || faulty.contains(&copy().below(&tree.tree.published)))
    }

    /// The node of a directory that is processed again, its copy open to be
    /// filled.
    fn node_again(
        &mut self,
        tree: &SeenTree,
        names: &[CString],
        number: Number,
        entered: Entered,
        above: &Arc<DirHandle>,
        name: &CStr,
    ) -> Option<Arc<Node>> {
        let subject = Subject::Open(entered.handle.as_fd());
        let read = inspect::attributes(subject, self.run.rules.capabilities).ok()?;
        let made = self.make_target(Some(above), Held::Leftover, name, None);
        let reference = tree.reference.clone().and_then(|top| {
            let enter = |at: Arc<DirHandle>, name: &CString| {
                let entered = at.enter(name, For::Passing).ok()?;
                Some(entered.place)
            };
            names.iter().try_fold(top, enter)
        });
        let (target, unmade) = match made {
            Ok(made) => (made.place, None),
            Err(op_error) => (None, Some(op_error)),
        };
        let sides = Sides {
            touched: tree.touched.of_what_came(),
            fs: SourceFs::of(&entered.handle, &entered.meta),
            source: Arc::clone(&entered.place),
            reference,
            target,
            fresh: false,
            intact: None,
            swapped: false,
            renamed: true,
            number,
            known: self.known_again(&tree.tree.name, number, &entered),
            again: true,
        };
        let entered = (entered.meta, read.xattrs);
        let node = Node::new(None, Arc::clone(&tree.tree), sides, entered);
        match unmade {
            Some(op_error) => {
                self.fault(&node, c"", op_error);
                None
            }
            None => Some(node),
        }
    }

    fn list_what_came(&mut self, node: &Arc<Node>) {
        match self.open_listing(node) {
            Ok((lister, found)) => self.go_on(Rest {
                node: Arc::clone(node),
                lister,
                found,
                held: false,
            }),
            Err(op_error) => {
                self.fault(node, c"", op_error);
                self.release(Arc::clone(node));
            }
        }
    }

    /// In a directory that is listed again: is an entry in the copy already, or
    /// left out of it?
    pub(super) fn is_done(&mut self, node: &Node, entry: Listed<'_>, found: &mut Found) -> bool {
        if found.take(entry.name).is_some() {
            return true;
        }
        let sides = node.source.open().and_then(|source| {
            let target = node.target.as_ref().map(DirHandle::open).transpose()?;
            Ok(target.map(|target| (source, target)))
        });
        let Ok(Some((handle, target))) = sides else {
            return false;
        };
        let Some(tree) = self
            .run
            .seen
            .trees()
            .into_iter()
            .find(|t| Arc::ptr_eq(&t.tree, &node.tree))
        else {
            return false;
        };
        let entered = Entered {
            place: Arc::clone(&node.source),
            handle,
            meta: node.meta,
            is_mount: false,
            is_fixed: false,
        };
        let Some(meta) = self.coming(&tree, &entered, &target, entry) else {
            return true;
        };
        meta.kind == Kind::Dir && self.run.seen.known(&meta).is_some()
    }
}

/// Where the copy of a directory is: the directory above it, and its name
/// there.
fn target_of(tree: &SeenTree, names: &[CString]) -> Option<(Arc<DirHandle>, CString)> {
    let Some((last, above)) = names.split_last() else {
        return Some((Arc::clone(&tree.dump), tree.name.clone()));
    };
    let mut at = tree.dump.enter(&tree.name, For::Passing).ok()?.place;
    for name in above {
        at = at.enter(name, For::Passing).ok()?.place;
    }
    Some((at, last.clone()))
}
