//! What an address leads to: an entry of a dump, or nothing in this one.

use dumpcore::{DumpId, EntryAt, Kind, RelPath};

use crate::address::Place;
use crate::view::error::ViewError;
use crate::view::site::Site;

/// What an address leads to.
#[derive(Clone, Debug)]
pub struct Found {
    /// The dump.
    pub dump: DumpId,
    /// The name of a tree, then the path in it.
    pub within: RelPath,
    /// The entry; `None` where this dump does not have the path.
    pub entry: Option<EntryAt>,
}

impl Found {
    /// Looks for it.
    ///
    /// # Errors
    /// No such dump; or this user may not look there.
    pub fn find(site: &Site, place: &Place) -> Result<Self, ViewError> {
        let root = site.root()?;
        let dump = site.dump(place.dump, &place.within)?;
        let entry = root.entry(dump, &place.within)?;
        if entry.is_none() && root.entry(dump, &RelPath::root())?.is_none() {
            return Err(ViewError::Missing(format!("there is no dump {dump}")));
        }
        Ok(Self {
            dump,
            within: place.within.clone(),
            entry,
        })
    }

    /// The entry.
    ///
    /// # Errors
    /// This dump does not have the path.
    pub fn needed(self) -> Result<(DumpId, EntryAt), ViewError> {
        let missing =
            || ViewError::Missing(format!("dump {} does not have {}", self.dump, self.within));
        let entry = self.entry.ok_or_else(missing)?;
        Ok((self.dump, entry))
    }

    /// Is it a directory?
    #[must_use]
    pub fn is_dir(&self) -> bool {
        let entry = self.entry.as_ref();
        entry.is_some_and(|entry| entry.meta().kind == Kind::Dir)
    }
}

/// The last name of a path, as a file that is saved is called.
#[must_use]
pub fn last_name(within: &RelPath, dump: DumpId) -> Vec<u8> {
    let name = within.as_bytes().rsplit(|b| *b == b'/').next();
    match name.filter(|name| !name.is_empty()) {
        Some(name) => name.to_vec(),
        None => dump.to_string().replace('/', "-").into_bytes(),
    }
}
