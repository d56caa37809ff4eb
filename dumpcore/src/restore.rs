//! Restoring a version of a path, to its original place or elsewhere.
//!
//! The version is copied completely beside its place and put there by one rename:
//! a reader sees the old or the new one, and a failure leaves what was there. A
//! directory is restored exactly: anything added since is deleted. Missing
//! directories above it are restored as the dump has them, without their other
//! contents, by the same rename.
//!
//! Files are copied, never linked out of a dump, or a later write would change
//! history. Nothing in the dump is written to.
//!
//! What is copied is held against its recorded hash. What is damaged is named, with a
//! good copy if there is one; it takes the place of nothing that exists.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::history::{LocatedIn, Location, Navigator, Version};
use crate::model::fault::{Fault, Op};
use crate::model::path::RelPath;
use crate::model::restore::{Merging, RestoreError, RestorePlan, Restored};
use crate::policy::filter::Filter;
use crate::root::DumpRoot;
use crate::run::restore::{Confirm, From, LinksAmong, Request, check, restore};
use crate::run::{CheckOrder, RunOptions, takes_run_options};
use crate::sys::dir::real_path;
use crate::sys::errno;
use crate::tend::scrub::good_copies::{CopiesElsewhere, named};

/// Restores a version to its place in a main tree, or to another directory.
///
/// ```no_run
/// use dumpcore::{Navigator, Restore, Restored};
///
/// let navigator = Navigator::new("/dump").main("/newage/NEWAGE");
/// let place = navigator.locate("/newage/NEWAGE/lib/profile")?;
/// let old = navigator.version_at(&place, "2026-11-22T23:31".parse()?)?;
/// let restored = Restore::new(&navigator, &old, &place)?
///     .run_asking(|plan| plan.removes.entries == 0)?;
/// if let Restored::Done(report) = restored {
///     println!("{} files", report.counts.files.number);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is restored until it is run"]
pub struct Restore {
    request: Request,
    /// The last name that it has in the dump.
    name: CString,
    /// Where good copies may be of what is damaged.
    mains: Vec<(RelPath, PathBuf)>,
    others: Vec<PathBuf>,
    options: RunOptions,
}

impl Restore {
    /// Restores this version to its place in the main tree.
    ///
    /// # Errors
    /// [`RestoreError::InDump`] for a place in a dump,
    /// [`RestoreError::LeadsElsewhere`] where a symlink is on the way.
    pub fn new(
        navigator: &Navigator,
        version: &Version,
        place: &Location,
    ) -> Result<Self, RestoreError> {
        let path = match &place.located_in {
            LocatedIn::Main(path) => path.clone(),
            LocatedIn::Dump(dump) => {
                let path = navigator.path_in(*dump, place);
                return Err(RestoreError::InDump { path });
            }
        };
        if let Some(link) = &place.typed_through {
            // What a symlink leads to is not changed in the name of what was
            // there before the symlink.
            let link = link.clone();
            return Err(RestoreError::LeadsElsewhere { path, link });
        }
        let from = from(navigator, version)?;
        let depth = place
            .within
            .as_bytes()
            .iter()
            .filter(|b| **b == b'/')
            .count();
        let (root, below) = if depth == 0 {
            whole_tree(&path)?
        } else {
            let root = path.ancestors().nth(depth).unwrap_or(&path).to_path_buf();
            let below = names(path.strip_prefix(&root).unwrap_or(&path))?;
            (root, below)
        };
        Ok(Self {
            mains: mains(navigator),
            ..Self::of(from, (root, below, path), place)?
        })
    }

    /// Restores this version into an existing directory: [`Restore::new`] and
    /// [`Restore::to`] for what need not have a place in a main tree, such as a
    /// path in a dump.
    ///
    /// # Errors
    /// A path that no system call takes.
    pub fn into_directory(
        navigator: &Navigator,
        version: &Version,
        place: &Location,
        directory: impl Into<PathBuf>,
    ) -> Result<Self, RestoreError> {
        let from = from(navigator, version)?;
        let nowhere = (PathBuf::new(), Vec::new(), PathBuf::new());
        let restore = Self {
            mains: mains(navigator),
            ..Self::of(from, nowhere, place)?
        };
        Ok(restore.to(directory))
    }

    fn of(
        from: From,
        to: (PathBuf, Vec<CString>, PathBuf),
        place: &Location,
    ) -> Result<Self, RestoreError> {
        let (root, below, path) = to;
        let name = last_name(place)?;
        Ok(Self {
            request: Request {
                from,
                root,
                below,
                path,
                only_if_differs: false,
                merging: None,
                spared: Filter::new(),
                within: place.within.as_path().to_path_buf(),
                may_replace: false,
                resumes: false,
                verifies: false,
                among: None,
            },
            name,
            mains: Vec::new(),
            others: Vec::new(),
            options: RunOptions::new(),
        })
    }

    /// Restores into this existing directory instead of the original place, under
    /// the last name of the path; a whole tree under its name in the dump.
    pub fn to(mut self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        let name = OsStr::from_bytes(self.name.to_bytes());
        self.request.path = directory.join(name);
        self.request.root = directory;
        self.request.below = vec![self.name.clone()];
        self
    }

    /// Restores only if something differs, by the rules by which dumps link: what
    /// the dump's filesystem could not keep does not count.
    pub fn only_if_differs(mut self, yes: bool) -> Self {
        self.request.only_if_differs = yes;
        self
    }

    /// Brings what exists to the version entry by entry, instead of putting the
    /// version in its place as a whole. What does not exist is still put there as
    /// a whole.
    pub fn merging(mut self, how: Merging) -> Self {
        self.request.merging = Some(how);
        self
    }

    /// Leaves alone what these rules exclude from dumps, where [`Restore::merging`]
    /// deletes what the version does not have. Without rules all of that goes.
    pub fn spare(mut self, excluded: Filter) -> Self {
        self.request.spared = excluded;
        self
    }

    /// Leaves what was copied when it is stopped, beside the place under a name
    /// that dumps leave out, and takes over what an earlier restoration left.
    pub fn resume(mut self, yes: bool) -> Self {
        self.request.resumes = yes;
        self
    }

    /// Compares everything with the dump again when it is done: see
    /// [`RestoreReport::verified`](crate::RestoreReport::verified).
    pub fn verify(mut self, yes: bool) -> Self {
        self.request.verifies = yes;
        self
    }

    /// It is one of several restorations, one after the other: what is a hard link in
    /// the dump to something of an earlier one becomes a hard link to that again, if it
    /// is on the same filesystem and still as it was restored. Call it on each, with
    /// clones of one value.
    pub fn among(mut self, all: &LinksAmong) -> Self {
        self.request.among = Some(all.clone());
        self
    }

    /// Another dump root that may have what is damaged in this one: where it has, the
    /// fault says so. Call it for each.
    pub fn copies_in(mut self, root: impl Into<PathBuf>) -> Self {
        self.others.push(root.into());
        self
    }

    takes_run_options!();

    /// Refuses what [`Restore::merging`] would refuse because a dump root would be
    /// deleted. Names are looked at, nothing else, and nothing is done.
    ///
    /// # Errors
    /// [`RestoreError::HoldsDumps`], or that the place or the version cannot be
    /// looked at.
    pub fn check(&self) -> Result<(), RestoreError> {
        check(&self.request, &self.options)
    }

    /// Restores what is missing; nothing that exists is replaced.
    ///
    /// When it is stopped before the version is in place, what was copied is
    /// removed and nothing has changed. When it is stopped later, what was
    /// replaced may be left behind. A dry run ends in [`Restored::Planned`].
    ///
    /// # Errors
    /// See [`RestoreError`]: nothing was changed.
    /// [`RestoreError::Exists`] where something would be replaced.
    pub fn run(self) -> Result<Restored, RestoreError> {
        self.restored(None)
    }

    /// Restores, and replaces what exists without asking. With
    /// [`Restore::merging`] a directory is not compared before it is done, so the
    /// plan in the report is empty. Anything else stays untouched when it is
    /// the same: [`Restored::Same`].
    ///
    /// # Errors
    /// See [`RestoreError`]: nothing was changed.
    pub fn run_replacing(mut self) -> Result<Restored, RestoreError> {
        self.request.may_replace = true;
        self.restored(Some(&mut |_| true))
    }

    /// Restores, and replaces what exists if `confirm` returns `true` for the
    /// plan. It is called once, before anything is changed, and not in a dry
    /// run. The directories that were looked at are used, even if their names
    /// change meanwhile.
    ///
    /// # Errors
    /// See [`RestoreError`]: nothing was changed.
    pub fn run_asking(
        self,
        mut ask: impl FnMut(&RestorePlan) -> bool,
    ) -> Result<Restored, RestoreError> {
        self.restored(Some(&mut ask))
    }

    /// Restores, and holds what is read against the catalog.
    fn restored(&self, confirm: Option<&mut Confirm<'_>>) -> Result<Restored, RestoreError> {
        let from = &self.request.from;
        let root = from.dump.and_then(|_| DumpRoot::open(&from.root).ok());
        let root = root.map(|root| root.with_local_state(self.options.local_state.clone()));
        let copies = root.as_ref().map(|root| {
            let (mains, others) = (self.mains.clone(), self.others.clone());
            CopiesElsewhere::new(root, &self.options, mains, others)
        });
        let check = root.as_ref().zip(copies.as_ref());
        let check = check.map(|(root, copies)| CheckOrder {
            root,
            copies,
            heal: false,
        });
        restore(&self.request, &self.options, check, confirm)
    }
}

impl LinksAmong {
    /// Of these versions, which are to be restored one after the other.
    ///
    /// # Errors
    /// A path that no system call takes.
    pub fn of<'v>(
        versions: impl IntoIterator<Item = (&'v Navigator, &'v Version)>,
    ) -> Result<Self, RestoreError> {
        let versions = versions.into_iter();
        let versions = versions.map(|(navigator, version)| from(navigator, version));
        Ok(Self::new(versions.collect::<Result<_, _>>()?))
    }
}

/// The trees, by their names in dumps.
fn mains(navigator: &Navigator) -> Vec<(RelPath, PathBuf)> {
    named(&navigator.trees().cloned().collect::<Vec<_>>())
}

/// The last name that a place has in a dump.
fn last_name(place: &Location) -> Result<CString, Fault> {
    Ok(names(place.within.as_path())?.pop().unwrap_or_default())
}

/// What leads to a version.
fn from(navigator: &Navigator, version: &Version) -> Result<From, RestoreError> {
    let top = version.dump.map(|dump| navigator.listing().path(dump));
    let below = match &top {
        Some(top) => version.path.strip_prefix(top).ok(),
        None => version.path.file_name().map(Path::new),
    };
    let below = names(below.unwrap_or(&version.path))?;
    let root = match version.dump {
        Some(_) => navigator.listing().root().to_path_buf(),
        None => version.path.parent().unwrap_or(&version.path).to_path_buf(),
    };
    Ok(From {
        root,
        dump: version.dump,
        below,
        path: version.path.clone(),
        meta: version.meta,
    })
}

/// A main root itself: it is a name in what is above it, and may be reached
/// by a symlink, which stays.
fn whole_tree(path: &Path) -> Result<(PathBuf, Vec<CString>), RestoreError> {
    let real = real_path(path).unwrap_or_else(|| path.to_path_buf());
    let (Some(above), Some(name)) = (real.parent(), real.file_name()) else {
        let cause = errno::invalid();
        return Err(Fault::new(Op::Rename, path.to_path_buf(), cause).into());
    };
    Ok((above.to_path_buf(), names(Path::new(name))?))
}

fn names(path: &Path) -> Result<Vec<CString>, Fault> {
    let name = |name: &OsStr| CString::new(name.as_bytes());
    let names: Result<Vec<_>, _> = path.iter().map(name).collect();
    names.map_err(|error| Fault::new(Op::Open, path, io::Error::from(error)))
}
