//! Shadow copies: a directory of links to one tree in each dump, named as Samba's
//! `vfs_shadow_copy2` reads them, so that Windows shows dumps as previous versions.
//!
//! Only links of that directory are made, moved and removed: those that have the
//! name of a shadow copy and lead to a dump's tree of that name. Nothing else in
//! it is touched, and nothing in the dump root. No lock is taken: what a run
//! publishes or removes meanwhile is for the next time.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::path::Printable;
use crate::policy::layout::{self, DumpName, Sort};
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::name::c_name;
use crate::sys::{disk, errno, link, path};

/// How many seconds a shadow copy may be dated later than its dump, since another
/// dump of that second has the name.
const LATER: i64 = 60;

/// Keeps a directory of links for Samba.
///
/// ```no_run
/// use dumpcore::ShadowCopies;
///
/// let links = ShadowCopies::new("/dump", "home", "/srv/shadow/home").run()?;
/// println!("{} previous versions", links.made + links.kept);
/// # Ok::<(), dumpcore::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is linked until it is run"]
pub struct ShadowCopies {
    root: PathBuf,
    tree: OsString,
    dir: PathBuf,
    through: Option<PathBuf>,
    dry_run: bool,
}

/// What became of the links, or in a dry run would.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShadowLinks {
    /// The directory that they are in.
    pub dir: PathBuf,
    /// The path to the dump root that they lead through.
    pub through: PathBuf,
    /// Links made, or pointed to another path of the same dump.
    pub made: u64,
    /// Links removed, since their dumps are gone.
    pub removed: u64,
    /// Links that were right already.
    pub kept: u64,
    /// Can something be written through them? Then somebody who may write to a
    /// file can change what a dump has of it.
    pub is_writable: bool,
    /// Was nothing changed?
    pub dry_run: bool,
}

/// Why there are no shadow copies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShadowCopiesError {
    /// The directory is in a dump root.
    #[error("{} is inside the dump root {}; shadow copies must be outside of any, or a program \
             that lists dumps would find them",
             Printable::path(.dir), Printable::path(.root))]
    Inside {
        /// The directory.
        dir: PathBuf,
        /// The dump root.
        root: PathBuf,
    },
    /// No dump has the tree.
    #[error("no dump in {} holds a tree {}",
             Printable::path(.root), Printable::path(.tree.as_ref()))]
    NoTree {
        /// The dump root.
        root: PathBuf,
        /// The name of the tree.
        tree: OsString,
    },
    /// The path that the links are to lead through is not one to the dump root.
    #[error("{} does not lead to the dump root {}; is that mounted there?",
             Printable::path(.through), Printable::path(.root))]
    Elsewhere {
        /// The path.
        through: PathBuf,
        /// The dump root.
        root: PathBuf,
    },
}

impl From<ShadowCopiesError> for Error {
    fn from(error: ShadowCopiesError) -> Self {
        Error::Other(Box::new(error))
    }
}

impl ShadowCopies {
    /// Links to the tree `tree` of each dump of the dump root `root`, in `dir`,
    /// which is made when only itself is missing.
    pub fn new(
        root: impl Into<PathBuf>,
        tree: impl Into<OsString>,
        dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            root: root.into(),
            tree: tree.into(),
            dir: dir.into(),
            through: None,
            dry_run: false,
        }
    }

    /// Another path to the dump root for the links to lead through: a mount of it
    /// that is read-only, so that no client of Samba can write into a dump.
    pub fn through(mut self, path: impl Into<Option<PathBuf>>) -> Self {
        self.through = path.into();
        self
    }

    /// Only reports what would be done.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.dry_run = yes;
        self
    }

    /// Makes links for the dumps that have none, and removes those whose dumps are
    /// gone.
    ///
    /// # Errors
    /// [`ShadowCopiesError`] in [`Error::Other`] when the directory is in a dump
    /// root, or the other path leads elsewhere; a [`Fault`] when something cannot
    /// be listed or made.
    pub fn run(self) -> Result<ShadowLinks, Error> {
        let root = DumpRoot::open(&self.root)?;
        // Without it the dump disk may not be mounted, and all links would go.
        if root.current_name()?.is_none() {
            let dump = self.root;
            return Err(Error::NoCurrent { dump });
        }
        self.outside()?;
        let (through, is_writable) = self.way(&root)?;
        let wanted = self.wanted(&root)?;
        let mut links = ShadowLinks {
            dir: self.dir.clone(),
            through,
            made: 0,
            removed: 0,
            kept: 0,
            is_writable,
            dry_run: self.dry_run,
        };
        if wanted.is_empty() && !path::exists(&self.dir) {
            return Err(self.no_tree());
        }
        let Some(handle) = self.open()? else {
            links.made = self.named(&root, &wanted, BTreeMap::new()).len() as u64;
            return Ok(links);
        };
        self.update(&root, &handle, &wanted, &mut links)?;
        match wanted.is_empty() && links.removed == 0 {
            true => Err(self.no_tree()),
            false => Ok(links),
        }
    }

    fn no_tree(&self) -> Error {
        let (root, tree) = (self.root.clone(), self.tree.clone());
        ShadowCopiesError::NoTree { root, tree }.into()
    }

    /// Fails when the directory is in a dump root.
    fn outside(&self) -> Result<(), Error> {
        let real = match dir::real_path(&self.dir) {
            Some(real) => real,
            // Its parent is there, or it cannot be made.
            None => {
                let name = self.dir.file_name().unwrap_or_default();
                let above = match self.dir.parent() {
                    Some(above) if !above.as_os_str().is_empty() => above,
                    _ => Path::new("."),
                };
                match dir::real_path(above) {
                    Some(above) => above.join(name),
                    None => return Ok(()),
                }
            }
        };
        let own = dir::real_path(&self.root);
        let is_root = |path: &&Path| own.as_deref() == Some(*path) || DumpRoot::has_links(path);
        match real.ancestors().find(is_root) {
            None => Ok(()),
            Some(root) => Err(ShadowCopiesError::Inside {
                dir: self.dir.clone(),
                root: root.to_path_buf(),
            }
            .into()),
        }
    }

    /// The absolute path that the links lead through, and whether it can be
    /// written through.
    fn way(&self, root: &DumpRoot) -> Result<(PathBuf, bool), Error> {
        let asked = self.through.as_ref().unwrap_or(&self.root);
        let failed = |e| Fault::new(Op::Open, asked.clone(), e);
        let there = path::root_id(asked);
        if there.is_none() || there != path::root_id(root.path()) {
            return Err(ShadowCopiesError::Elsewhere {
                through: asked.clone(),
                root: self.root.clone(),
            }
            .into());
        }
        let handle = dir::open_root(asked, For::Passing).map_err(failed)?;
        let is_writable = !disk::is_read_only(&handle).map_err(failed)?;
        // A link is read from its own directory, so its target is absolute.
        let through = dir::real_path(asked).unwrap_or_else(|| asked.clone());
        Ok((through, is_writable))
    }

    /// The dumps that have the tree.
    fn wanted(&self, root: &DumpRoot) -> Result<BTreeSet<DumpName>, Fault> {
        let listing = root.listing();
        let names = listing.names()?.into_iter();
        Ok(names
            .filter(|name| listing.has_tree(*name, &self.tree))
            .collect())
    }

    /// The directory of the links; `None` when a dry run finds none.
    fn open(&self) -> Result<Option<OwnedFd>, Fault> {
        let failed = |op| move |e| Fault::new(op, self.dir.clone(), e);
        match dir::open_root(&self.dir, For::Reading) {
            Ok(handle) => return Ok(Some(handle)),
            Err(e) if !errno::is_missing(&e) => return Err(failed(Op::Open)(e)),
            Err(_) if self.dry_run => return Ok(None),
            Err(_) => {}
        }
        dir::make_public_path(&self.dir).map_err(failed(Op::Create))?;
        let made = dir::open_root(&self.dir, For::Reading);
        made.map(Some).map_err(failed(Op::Open))
    }

    fn update(
        &self,
        root: &DumpRoot,
        handle: &OwnedFd,
        wanted: &BTreeSet<DumpName>,
        links: &mut ShadowLinks,
    ) -> Result<(), Fault> {
        let mut have = BTreeMap::new();
        for (name, target) in self.listed(handle)? {
            let Some(moment) = layout::shadow_copy_moment(name.to_bytes()) else {
                continue;
            };
            let ours = target.and_then(|target| {
                let dump = layout::shadow_copy_dump(target.to_bytes(), &self.tree)?;
                Some((dump, target))
            });
            match ours {
                Some((dump, _)) if !wanted.contains(&dump) => {
                    links.removed += 1;
                    self.remove(handle, &name)?;
                }
                // What is somebody else's is in the way of ours.
                ours => {
                    have.insert(moment, ours);
                }
            }
        }
        let right = |dump: DumpName| {
            let target = layout::shadow_copy_target(&links.through, dump, &self.tree);
            c_name(target.as_os_str().as_bytes())
        };
        let mut placed = BTreeMap::new();
        for (moment, link) in have {
            let Some((dump, target)) = link else {
                placed.insert(moment, None);
                continue;
            };
            let right = right(dump);
            if target == right {
                links.kept += 1;
            } else {
                links.made += 1;
                self.put(handle, moment, &right)?;
            }
            placed.insert(moment, Some(dump));
        }
        for (moment, dump) in self.named(root, wanted, placed) {
            links.made += 1;
            self.put(handle, moment, &right(dump))?;
        }
        Ok(())
    }

    /// The names in the directory; of links with their targets.
    fn listed(&self, handle: &OwnedFd) -> Result<Vec<(CString, Option<CString>)>, Fault> {
        let failed = |e| Fault::new(Op::List, self.dir.clone(), e);
        let chunk = dir::list_all(handle.as_fd(), For::Reading).map_err(failed)?;
        let mut names = Vec::new();
        for entry in chunk.iter() {
            match link::read_symlink(handle.as_fd(), entry.name) {
                Ok(target) => names.push((entry.name.to_owned(), Some(target))),
                Err(e) if errno::is_no_symlink(&e) => names.push((entry.name.to_owned(), None)),
                Err(e) if errno::is_missing(&e) => {}
                Err(e) => {
                    let path = self.dir.join(OsStr::from_bytes(entry.name.to_bytes()));
                    return Err(Fault::new(Op::ReadLink, path, e));
                }
            }
        }
        Ok(names)
    }

    /// Names for the dumps that have no link. A dump whose second is taken gets the
    /// next that is free; a checkpoint of the same moment, which would show the
    /// same, gets none until the other is gone.
    fn named(
        &self,
        root: &DumpRoot,
        wanted: &BTreeSet<DumpName>,
        mut taken: BTreeMap<DateTime<Utc>, Option<DumpName>>,
    ) -> Vec<(DateTime<Utc>, DumpName)> {
        let listing = root.listing();
        let linked: BTreeSet<DumpName> = taken.values().copied().flatten().collect();
        let mut new = Vec::new();
        // Dumps first: of a dump and its checkpoint the dump has the name.
        for sort in [Sort::Dump, Sort::Checkpoint] {
            let rest = wanted.iter().filter(|dump| dump.sort == sort);
            for dump in rest.filter(|dump| !linked.contains(dump)) {
                let moment = listing.moment(*dump);
                let tries = match sort {
                    Sort::Dump => LATER,
                    Sort::Checkpoint => 1,
                };
                let free = (0..tries)
                    .filter_map(|later| second(moment, later))
                    .find(|second| !taken.contains_key(second));
                if let Some(free) = free {
                    taken.insert(free, Some(*dump));
                    new.push((free, *dump));
                }
            }
        }
        new
    }

    /// Makes a link, or puts it over the one of that name.
    fn put(&self, handle: &OwnedFd, moment: DateTime<Utc>, target: &CString) -> Result<(), Fault> {
        let Some(name) = layout::shadow_copy(moment).filter(|_| !self.dry_run) else {
            return Ok(());
        };
        let failed = |e| Fault::new(Op::Create, self.dir.join(&name), e);
        let fresh = c_name(layout::fresh_link(&name).as_bytes());
        let link = c_name(name.as_bytes());
        match link::remove(handle.as_fd(), &fresh) {
            Err(e) if !errno::is_missing(&e) => return Err(failed(e)),
            _ => {}
        }
        link::symlink(target, handle.as_fd(), &fresh).map_err(failed)?;
        link::rename_over(handle.as_fd(), &fresh, handle.as_fd(), &link).map_err(failed)
    }

    fn remove(&self, handle: &OwnedFd, name: &CString) -> Result<(), Fault> {
        if self.dry_run {
            return Ok(());
        }
        link::remove(handle.as_fd(), name).map_err(|e| {
            let path = self.dir.join(OsStr::from_bytes(name.to_bytes()));
            Fault::new(Op::Remove, path, e)
        })
    }
}

/// A moment to the second, or some seconds later; `None` where that has no name.
fn second(moment: DateTime<Utc>, later: i64) -> Option<DateTime<Utc>> {
    let moment = moment.checked_add_signed(TimeDelta::seconds(later))?;
    layout::shadow_copy_moment(layout::shadow_copy(moment)?.as_bytes())
}
