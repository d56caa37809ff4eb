//! Where a path is, and how it was in one dump or another.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::find_error::FindError;
use super::half_dump;
use super::locate::{LocatedIn, Location, Trees};
use super::version::Version;
use crate::model::fault::Fault;
use crate::model::path::RelPath;
use crate::model::tree::Tree;
use crate::policy::layout::{DumpId, DumpName};
use crate::root::listing::Listing;

/// Finds old versions of paths in one or several trees, in one dump root.
///
/// ```no_run
/// use dumpcore::{Ago, Navigator};
///
/// let navigator = Navigator::new("/dump").main("/newage/NEWAGE");
/// let place = navigator.locate("/home/glenda/lib/profile")?;
/// let now = chrono::Local::now();
/// if let Some(at) = Ago::YESTERDAY.before(&now) {
///     let old = navigator.version_at(&place, at)?;
///     assert!(old.path.starts_with("/dump"));
/// }
/// # Ok::<(), dumpcore::FindError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Navigator {
    pub(super) trees: Trees,
    pub(super) listing: Listing,
}

impl Navigator {
    /// Searches this dump root, which is only read and may be read-only.
    #[must_use]
    pub fn new(dump: impl Into<PathBuf>) -> Self {
        let dump = dump.into();
        Self {
            listing: Listing::new(&dump),
            trees: Trees {
                roots: Vec::new(),
                dump,
            },
        }
    }

    /// Of a main tree: a path, or a [`Tree`] that has another name in the
    /// dumps. Its path should be absolute, as that of the dump root: what is
    /// found in it is named by it.
    #[must_use]
    pub fn main(mut self, tree: impl Into<Tree>) -> Self {
        self.trees.roots.push(tree.into());
        self
    }

    /// The main trees.
    pub fn trees(&self) -> impl Iterator<Item = &Tree> {
        self.trees.roots.iter()
    }

    /// The path in its main tree of a path inside a dump, which begins with the
    /// name of a tree, whether it exists or not. `None`: the tree is not among
    /// the main trees.
    #[must_use]
    pub fn main_path(&self, within: &RelPath) -> Option<PathBuf> {
        self.trees.main_path(within)
    }

    /// The dumps that are searched.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Which tree a path is in. It should be absolute; a relative path starts at
    /// `/`, whatever the working directory. It need not exist any more.
    ///
    /// # Errors
    /// [`FindError::InNeither`], [`FindError::NoDump`], or a fault in what
    /// leads to the path.
    pub fn locate(&self, path: impl AsRef<Path>) -> Result<Location, FindError> {
        self.trees.locate(path.as_ref())
    }

    /// The place by the names of a path as they are typed, when a symlink among
    /// them leads out of the main tree, or elsewhere in it: a directory that was
    /// moved away and replaced by that symlink has its past there. `None` where
    /// no such symlink is on the way.
    #[must_use]
    pub fn locate_as_typed(&self, path: impl AsRef<Path>) -> Option<Location> {
        self.trees.locate_as_typed(path.as_ref())
    }

    /// The newest dump of this moment or earlier that has the tree of a place;
    /// where none has it, the newest. Several sets may take turns in one dump
    /// root.
    ///
    /// # Errors
    /// [`FindError::NoneThen`], or a fault in listing the dumps.
    pub fn dump_at(&self, place: &Location, at: DateTime<Utc>) -> Result<DumpName, FindError> {
        let found = self.listing.newest_with(tree_of(&place.within), ..=at)?;
        let found = match found {
            None => self.listing.newest_not_later(at)?,
            found => found,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        Err(FindError::NoneThen {
            dump: self.trees.dump.clone(),
            at,
            oldest: self.listing.oldest_first(..).next().transpose()?,
        })
    }

    /// The path of a place in a dump, whether it exists or not.
    #[must_use]
    pub fn path_in(&self, dump: DumpName, place: &Location) -> PathBuf {
        place.within.below(&self.listing.path(dump))
    }

    /// The same place in the main tree, whether it exists or not. `None`
    /// for a path in a dump of a tree that is not among the main trees.
    #[must_use]
    pub fn path_now(&self, place: &Location) -> Option<PathBuf> {
        match &place.located_in {
            LocatedIn::Main(path) => Some(path.clone()),
            LocatedIn::Dump(_) => self.trees.main_path(&place.within),
        }
    }

    /// The place as it was in the newest dump of this moment or earlier that
    /// has its tree.
    ///
    /// # Errors
    /// [`FindError::NotThere`] with the nearest older dump that has it,
    /// [`FindError::NoneThen`], or a fault.
    pub fn version_at(&self, place: &Location, at: DateTime<Utc>) -> Result<Version, FindError> {
        self.version_in(place, self.dump_at(place, at)?)
    }

    /// The place as it is in this dump.
    ///
    /// # Errors
    /// [`FindError::NotThere`] with the nearest older dump that has it, or a
    /// fault.
    pub fn version_in(&self, place: &Location, dump: DumpName) -> Result<Version, FindError> {
        if let Some(version) = Version::look(&self.listing, dump, &place.within)? {
            return Ok(version);
        }
        Err(FindError::NotThere {
            within: place.within.clone(),
            dump: self.listing.path(dump),
            older: self.newest_with(place, dump)?,
        })
    }

    /// What is wrong with a dump of which somebody has removed a part: it has fewer
    /// entries than it was published with. Counts them all.
    #[must_use]
    pub fn lost_entries(&self, dump: DumpName) -> Option<Fault> {
        half_dump::lost_entries(&self.listing.path(dump))
    }

    /// The place as it is in the first copy, which somebody made by hand.
    ///
    /// # Errors
    /// [`FindError::NotThere`] when it does not have it, or a fault.
    pub fn version_in_first(&self, place: &Location) -> Result<Version, FindError> {
        let first = self.listing.root().join(DumpId::First.path());
        if let Some(version) = Version::at(place.within.below(&first))? {
            return Ok(version);
        }
        Err(FindError::NotThere {
            within: place.within.clone(),
            dump: first,
            older: None,
        })
    }

    /// The newest version that any dump has; also of what was
    /// deleted since. For a path in a dump, later dumps count as well.
    ///
    /// # Errors
    /// [`FindError::Never`], or a fault.
    pub fn newest_version(&self, place: &Location) -> Result<Version, FindError> {
        self.newest_of(&place.within)
    }

    /// The same of a path inside a dump, which begins with the name of its tree.
    ///
    /// # Errors
    /// [`FindError::Never`], or a fault.
    pub fn newest_of(&self, within: &RelPath) -> Result<Version, FindError> {
        let mut dumps = 0;
        for dump in self.listing.newest_first(..) {
            let dump = dump?.name;
            if let Some(version) = Version::look(&self.listing, dump, within)? {
                return Ok(version);
            }
            dumps += 1;
        }
        Err(FindError::Never {
            within: within.clone(),
            dump: self.trees.dump.clone(),
            dumps,
        })
    }

    /// What exists at a place now, in the tree that it is in. What is reached
    /// through [`Location::typed_through`] counts.
    ///
    /// # Errors
    /// A name that cannot be looked at for another reason than that it does not
    /// exist.
    pub fn version_now(&self, place: &Location) -> Result<Option<Version>, FindError> {
        Ok(match &place.located_in {
            LocatedIn::Main(path) => Version::at(path)?,
            LocatedIn::Dump(dump) => Version::look(&self.listing, *dump, &place.within)?,
        })
    }

    /// The path in the newest dump before this one that has it.
    fn newest_with(&self, place: &Location, before: DumpName) -> Result<Option<PathBuf>, Fault> {
        let before = self.listing.dated(before);
        for dump in self.listing.newest_first(..=before.moment) {
            let dump = dump?;
            if dump < before
                && let Some(found) = Version::look(&self.listing, dump.name, &place.within)?
            {
                return Ok(Some(found.path));
            }
        }
        Ok(None)
    }
}

/// The name of the tree that a path inside a dump is in.
pub(super) fn tree_of(within: &RelPath) -> &Path {
    let names = within.as_bytes().split(|b| *b == b'/');
    Path::new(OsStr::from_bytes(
        names.into_iter().next().unwrap_or_default(),
    ))
}
