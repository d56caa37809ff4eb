//! A directory that is being merged: its three sides, and the number of jobs
//! that are left.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::Stands;
use super::held::{Held, Intact};
use super::known_dir::KnownDir;
use crate::fs::dir_handle::DirHandle;
use crate::fs::source_fs::SourceFs;
use crate::fs::xattr_map::Bare;
use crate::model::event::Locate;
use crate::model::fault::Side;
use crate::model::metadata::{Meta, Xattrs};
use crate::model::path::RelPath;
use crate::policy::mounts::MountNote;
use crate::policy::touched::{Sure, Touched};
use crate::sys::dir::Chunk;

/// A tree that is dumped, and how its paths are shown to people.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its name in the dump.
    pub(super) name: Vec<u8>,
    /// The main tree.
    pub(super) source: PathBuf,
    /// The dump that is linked to; without the tree's name.
    pub(super) reference: PathBuf,
    /// What that dump remembers of its attributes.
    pub(super) bare: Option<Bare>,
    /// The dump that is made, where it is made; without the tree's name.
    pub(super) target: PathBuf,
    /// The same, where it will be.
    pub(super) published: PathBuf,
    /// The filesystem of the main tree.
    pub(super) dev: u64,
    /// What is known of mounts below it.
    pub(super) mounts: Mounts,
    /// How its top stands in the target.
    pub(super) stands: Stands,
    /// Its top in the dump that is linked to; `None` where that has not this tree.
    pub(super) reference_top: Option<Arc<DirHandle>>,
}

/// A mount that the reference had, or remembers.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The reference's note; `last` is always the dump that has it.
    pub(crate) note: MountNote,
    /// Below the tree.
    pub(crate) path: RelPath,
    /// Was it away already when the reference was made?
    pub(crate) was_away: bool,
    /// The dump that has it, when that is not the reference.
    pub(crate) dump: Option<(Arc<DirHandle>, Touched)>,
}

/// The mounts of a tree.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    pub(crate) remembered: Vec<Remembered>,
    /// Of a published dump that is read: what was mounted when it was made.
    pub(crate) of_source: Vec<MountNote>,
}

/// The number of a directory among all that were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u32);

impl Number {
    /// Of a directory that is not looked at again, and of what is above a top.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// The names of a directory, where several may be one.
#[derive(Debug, Default)]
pub(super) struct FoldedNames {
    /// The names that were met, by what the target treats as the same.
    pub(super) met: Mutex<HashMap<Vec<u8>, CString>>,
    /// Those in the reference, ordered, once they are asked for.
    pub(super) reference: OnceLock<Option<Chunk>>,
}

/// A directory whose entries are being processed.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) above: Option<Arc<Node>>,
    pub(super) tree: Arc<Tree>,
    pub(super) source: Arc<DirHandle>,
    pub(super) reference: Option<Arc<DirHandle>>,
    /// `None` in a dry run.
    pub(super) target: Option<Arc<DirHandle>>,
    /// Is the target new, so that nothing can be in it?
    pub(super) fresh: bool,
    /// Of a target that is a directory of an expired dump.
    pub(super) intact: Option<Intact>,
    /// What can be relied on in the source's filesystem.
    pub(super) fs: SourceFs,
    /// Which of its files may have been touched.
    pub(super) touched: Doubts,
    /// Is its reference in another dump than the tree's?
    pub(super) swapped: bool,
    /// May its names be of other inodes than those in the reference, where the
    /// source is a published dump?
    pub(super) renamed: bool,
    pub(super) meta: Meta,
    pub(super) xattrs: Xattrs,
    /// Only where the target takes several names for one.
    pub(super) folded: OnceLock<Box<FoldedNames>>,
    /// Its number among all directories of the run.
    pub(super) number: Number,
    /// What the catalog knows of it.
    pub(super) known: Option<KnownDir>,
    /// Is it listed again, for entries that were added since?
    pub(super) again: bool,
    /// Jobs that must be done before its attributes can be set: its own
    /// listing, and the jobs that come from it.
    left: AtomicUsize,
}

/// The parts of a [`Node`] that its opener knows.
pub(super) struct Sides {
    pub(super) source: Arc<DirHandle>,
    pub(super) reference: Option<Arc<DirHandle>>,
    pub(super) target: Option<Arc<DirHandle>>,
    pub(super) fresh: bool,
    pub(super) intact: Option<Intact>,
    pub(super) fs: SourceFs,
    pub(super) touched: Doubts,
    pub(super) swapped: bool,
    pub(super) renamed: bool,
    pub(super) number: Number,
    pub(super) known: Option<KnownDir>,
    pub(super) again: bool,
}

/// Which files may have been touched since they were stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubts {
    /// In the dump that is linked to.
    pub(crate) reference: Touched,
    /// In the target, by an earlier run.
    pub(crate) target: Touched,
}

impl Doubts {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self {
        reference: Touched::Unknown,
        target: Touched::Unknown,
    };

    pub(super) fn on(self, side: Side) -> Touched {
        match side {
            Side::Target => self.target,
            Side::Source | Side::Reference => self.reference,
        }
    }

    /// Those below a directory that was entered. Renaming a directory changes
    /// none of its files, and not when names in it were made or removed; so
    /// one that may have been renamed, and in a directory of which names were
    /// made or removed, may be another than it was, and so may all below it.
    pub(super) fn below(self, above: &Meta, entered: &Meta) -> Self {
        self.each(|touched| {
            let is = |time| touched.is(time) != Sure::No;
            if is(entered.ctime) && !is(entered.mtime) && is(above.mtime) {
                touched.below_another()
            } else {
                touched
            }
        })
    }

    /// Those in a directory to which something was moved.
    pub(super) fn of_what_came(self) -> Self {
        self.each(Touched::below_another)
    }

    fn each(self, one: impl Fn(Touched) -> Touched) -> Self {
        Self {
            reference: one(self.reference),
            target: one(self.target),
        }
    }
}

impl Node {
    /// A directory with one thing left to do: its listing.
    pub(super) fn new(
        above: Option<Arc<Node>>,
        tree: Arc<Tree>,
        sides: Sides,
        entered: (Meta, Xattrs),
    ) -> Arc<Self> {
        let (meta, xattrs) = entered;
        Arc::new(Self {
            above,
            tree,
            source: sides.source,
            reference: sides.reference,
            target: sides.target,
            fresh: sides.fresh,
            intact: sides.intact,
            fs: sides.fs,
            touched: sides.touched,
            swapped: sides.swapped,
            renamed: sides.renamed,
            number: sides.number,
            known: sides.known,
            again: sides.again,
            meta,
            xattrs,
            folded: OnceLock::new(),
            left: AtomicUsize::new(1),
        })
    }

    /// What its target holds, and so those of the directories below.
    pub(super) fn held(&self) -> Held {
        match self.intact {
            _ if self.fresh => Held::Nothing,
            Some(_) => Held::Expired,
            None => Held::Leftover,
        }
    }

    /// Is its target only used in its place?
    pub(super) fn is_room(&self) -> bool {
        self.above.is_none() && self.tree.stands == Stands::Room
    }

    /// The only name in it that is processed, when it just leads to what is
    /// needed.
    pub(super) fn only<'n>(&self, only: &'n [CString]) -> Option<&'n CStr> {
        if only.is_empty() {
            return None;
        }
        let above = std::iter::successors(self.above.as_ref(), |node| node.above.as_ref());
        only.get(above.take(only.len()).count()).map(|name| &**name)
    }

    /// This many more jobs belong to it.
    pub(super) fn expect(&self, jobs: usize) {
        self.left.fetch_add(jobs, Ordering::Relaxed);
    }

    /// One job is done; was it the last?
    pub(super) fn tick_off(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The path of an entry from the transfer root: the tree's name first.
    pub(super) fn path_of(&self, name: &CStr) -> RelPath {
        let below = self.source.path().join(name.to_bytes());
        RelPath::from_bytes(&self.tree.name).join(below.as_bytes())
    }

    /// The path of an entry for people.
    pub(super) fn full_path(&self, side: Side, name: &CStr) -> PathBuf {
        match side {
            Side::Source => {
                let below = self.source.path().join(name.to_bytes());
                below.below(&self.tree.source)
            }
            Side::Reference => self.path_of(name).below(&self.tree.reference),
            Side::Target => self.path_of(name).below(&self.tree.target),
        }
    }

    /// The path of an entry in the published dump.
    pub(super) fn path_later(&self, side: Side, name: &CStr) -> PathBuf {
        match side {
            Side::Target => self.path_of(name).below(&self.tree.published),
            Side::Source | Side::Reference => self.full_path(side, name),
        }
    }
}

impl Drop for Node {
    /// A chain of a hundred thousand nodes must not be dropped by recursion.
    fn drop(&mut self) {
        let mut above = self.above.take();
        while let Some(node) = above {
            above = Arc::into_inner(node).and_then(|mut node| node.above.take());
        }
    }
}

/// An entry's place; its path is built only on request.
pub(super) struct At<'a>(pub(super) &'a Node, pub(super) &'a CStr);

impl Locate for At<'_> {
    fn path(&self) -> RelPath {
        self.0.path_of(self.1)
    }

    fn source(&self) -> PathBuf {
        self.0.full_path(Side::Source, self.1)
    }
}

/// The open handles of a node, for as long as a worker is at it.
#[derive(Debug)]
pub(super) struct OpenDirs {
    pub(super) source: Arc<OwnedFd>,
    /// Opened when it is asked for.
    pub(super) reference: OnceCell<Option<Arc<OwnedFd>>>,
    pub(super) target: Option<Arc<OwnedFd>>,
}
