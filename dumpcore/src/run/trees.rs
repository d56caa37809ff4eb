//! The trees that a run reads.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::Doubts;
use crate::fs::dir_handle::DirHandle;
use crate::model::error::Error;
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::policy::layout;
use crate::policy::mounts::MountNote;
use crate::policy::touched::Touched;
use crate::root::DumpRoot;
use crate::sys::dir::{self, For};
use crate::sys::errno;

/// A tree that is read: its name in the dump, its path, its opened top.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: CString,
    pub(crate) path: PathBuf,
    pub(crate) handle: OwnedFd,
    /// The dump that it is linked to; `None` until the run has chosen one.
    pub(crate) reference: Option<Arc<Reference>>,
    /// Which of its files may have been touched since they were stored there,
    /// or by a run that stopped.
    pub(crate) touched: Doubts,
    /// What was mounted below it.
    pub(crate) recalled: Vec<Recalled>,
}

impl Source {
    /// A tree that is linked to nothing yet.
    pub(crate) fn new(name: CString, path: PathBuf, handle: OwnedFd) -> Self {
        Self {
            name,
            path,
            handle,
            reference: None,
            touched: Doubts::NONE,
            recalled: Vec::new(),
        }
    }
}

/// A mount that a reference had, or remembers, below the tree of a source.
#[derive(Debug)]
pub(crate) struct Recalled {
    /// `last` is the dump that has it, in any case.
    pub(super) note: MountNote,
    /// Was it away already when the reference was made?
    pub(super) was_away: bool,
    /// The dump that has it, when that is not the reference, and which of its
    /// files may have been touched.
    pub(super) dump: Option<(OwnedFd, Touched)>,
}

/// A dump that is linked to.
#[derive(Debug)]
pub(crate) struct Reference {
    /// Its path in the dump root.
    pub(crate) path: RelPath,
    pub(crate) handle: OwnedFd,
}

/// The trees in a dump, to be read from there.
pub(crate) fn roots_of_dump(handle: &OwnedFd, base: &Path) -> Result<Vec<Source>, Error> {
    let unusable = |path: &Path, cause| Error::MainUnusable {
        path: path.to_path_buf(),
        cause,
    };
    let mut roots = Vec::new();
    for name in all_names(handle).map_err(|e| unusable(base, e))? {
        let path = base.join(OsStr::from_bytes(name.to_bytes()));
        match dir::open_dir(handle.as_fd(), &name, For::Reading) {
            Ok(handle) => roots.push(Source::new(name, path, handle)),
            // Only directories are trees.
            Err(e) if errno::has_changed(&e) => {}
            Err(e) => return Err(unusable(&path, e)),
        }
    }
    if roots.is_empty() {
        let cause = std::io::Error::other("it contains no tree");
        return Err(unusable(base, cause));
    }
    Ok(roots)
}

/// The trees of the dumps that these are linked to which are none of these, as
/// paths: anyone who names one tree of two would else lose the other from
/// `current` without a word. Where sets take turns this is reported once, since
/// the next time the tree's own last dump is without the other, too.
pub(super) fn missing(dump: &DumpRoot, sources: &[Source]) -> Vec<PathBuf> {
    let mut seen: Vec<&Arc<Reference>> = Vec::new();
    let mut missing = Vec::new();
    for reference in sources
        .iter()
        .filter_map(|source| source.reference.as_ref())
    {
        if seen.iter().any(|one| Arc::ptr_eq(one, reference)) {
            continue;
        }
        seen.push(reference);
        // A dump that cannot be listed is for the merge to meet.
        let mut names = all_names(&reference.handle).unwrap_or_default();
        names.retain(|name| {
            !sources.iter().any(|source| source.name == *name)
                && !layout::is_trial(name.to_bytes())
                && dir::open_dir(reference.handle.as_fd(), name, For::Passing).is_ok()
        });
        names.sort();
        let base = reference.path.below(dump.path());
        let path = |name: &CString| base.join(OsStr::from_bytes(name.to_bytes()));
        missing.extend(names.iter().map(path));
    }
    missing
}

/// The same trees, opened once more; linked to nothing.
pub(super) fn again(sources: &[Source]) -> Result<Vec<Source>, Error> {
    let open = |source: &Source| {
        let handle = dir::reopen(source.handle.as_fd(), For::Reading);
        let handle = handle.map_err(|cause| Error::MainUnusable {
            path: source.path.clone(),
            cause,
        })?;
        Ok(Source::new(
            source.name.clone(),
            source.path.clone(),
            handle,
        ))
    };
    sources.iter().map(open).collect()
}

/// All names in a directory; for those of which there are few.
pub(super) fn all_names(handle: &OwnedFd) -> std::io::Result<Vec<CString>> {
    let chunk = dir::list_all(handle.as_fd(), For::Reading)?;
    Ok(chunk.iter().map(|entry| entry.name.to_owned()).collect())
}

/// A tree that cannot be listed any more at the end disappeared on the way.
pub(super) fn still_there(tops: Vec<(PathBuf, Arc<DirHandle>)>) -> Result<(), Error> {
    for (path, top) in tops {
        let listed = top.open().and_then(|top| dir::is_empty(top.as_fd()));
        if let Err(cause) = listed {
            // One that may not be listed was a fault from the beginning.
            if !errno::is_not_permitted(&cause) {
                let fault = Fault::new(Op::List, path, cause);
                return Err(Error::SourceGone { fault });
            }
        }
    }
    Ok(())
}
