//! Which dump each tree is linked to.
//!
//! The dump that `current` names, if it has the tree. Several sets may take
//! turns in one dump root, so that `current` is another's: then the newest
//! dump that has the tree. It is looked for backwards through the names, one
//! look at each dump, and only where `current` lacks the tree; a tree that
//! none has is looked for once, since the next time one has it.
//!
//! Linked checkpoints are a chain of their own: each is linked to the newest of
//! them that has the tree, and to nothing else, and nothing else to them.

use std::ffi::{CStr, OsStr};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::trees::{Reference, Source};
use super::{Order, Run};
use crate::model::error::Error;
use crate::model::fault::Op;
use crate::model::path::RelPath;
use crate::policy::layout::{self, DumpName, Sort};
use crate::root::listing::Listing;
use crate::sys::dir::{self, For};

impl Reference {
    /// Has it a tree of this name?
    pub(super) fn has(&self, tree: &CStr) -> bool {
        dir::open_dir(self.handle.as_fd(), tree, For::Passing).is_ok()
    }
}

impl Run {
    /// Chooses for each tree what it is linked to; `now` is when the run
    /// began. Comes back with the dump that the run as a whole is said to be
    /// linked to.
    pub(super) fn choose_references(
        &self,
        order: &Order<'_>,
        sources: &mut [Source],
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Reference>>, Error> {
        if order.sort == Sort::Checkpoint {
            return match order.linked {
                Some(_) => self.choose_in_chain(sources),
                None => Ok(None),
            };
        }
        let Some(first) = self.first_choice(order, now)? else {
            return Ok(None);
        };
        let mut chosen = vec![first];
        for source in &mut *sources {
            let other = if chosen[0].has(&source.name) {
                None
            } else {
                self.newest_with(&source.name, order.moment, now)?
            };
            // Where none has the tree, that is reported for the first choice.
            let path = other.as_ref().unwrap_or(&chosen[0].path);
            let known = chosen.iter().find(|reference| reference.path == *path);
            source.reference = match (known, other) {
                (None, Some(path)) => {
                    let opened = Arc::new(self.open_reference(path)?);
                    chosen.push(Arc::clone(&opened));
                    Some(opened)
                }
                (known, _) => known.cloned(),
            };
        }
        let main = chosen.into_iter().find(|reference| {
            let links = |source: &Source| {
                let chosen = source.reference.as_ref();
                chosen.is_some_and(|chosen| Arc::ptr_eq(chosen, reference))
            };
            sources.iter().any(links)
        });
        Ok(main)
    }

    /// The dump to link to if it has the tree: `current`; for an import the
    /// newest that is not later; in a dump root that lost its `current`, its
    /// newest.
    fn first_choice(
        &self,
        order: &Order<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Reference>>, Error> {
        let listed = |until| self.newest(&self.dump.listing(), until, |_| true);
        let current = self.current.as_ref().map(|current| current.dir.clone());
        let path = match order.at {
            Some(_) => listed(order.moment.unwrap_or(now))?.or(current),
            None if self.init => listed(now)?,
            None => current,
        };
        let Some(path) = path else { return Ok(None) };
        Ok(Some(Arc::new(self.open_reference(path)?)))
    }

    /// The newest dump that has a tree: not later than the moment of the dump
    /// that is made, where there is one, and none of the future.
    fn newest_with(
        &self,
        tree: &CStr,
        moment: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<RelPath>, Error> {
        let listing = self.dump.listing();
        let path = Path::new(OsStr::from_bytes(tree.to_bytes()));
        let limits = moment.map(|moment| moment.min(now));
        for until in limits.into_iter().chain([now]) {
            let found = self.newest(&listing, until, |name| listing.has_tree(name, path))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        // One made by hand is older than all others.
        let first = RelPath::from_bytes(layout::FIRST.as_bytes());
        let by_hand = first.join(tree.to_bytes());
        Ok(self.dump.open_dump(&by_hand).is_ok().then_some(first))
    }

    /// The newest dump, not later than this, that will do and is not a linked
    /// checkpoint.
    fn newest(
        &self,
        listing: &Listing,
        until: DateTime<Utc>,
        will_do: impl Fn(DumpName) -> bool,
    ) -> Result<Option<RelPath>, Error> {
        for dump in listing.newest_first(..=until) {
            let name = dump.map_err(|fault| self.dump.refuses(fault, None))?.name;
            if will_do(name) && !self.dump.is_linked(name) {
                return Ok(Some(name.rel_path()));
            }
        }
        Ok(None)
    }

    /// Chooses for each tree the newest linked checkpoint that has it: none where
    /// the chain is begun.
    fn choose_in_chain(&self, sources: &mut [Source]) -> Result<Option<Arc<Reference>>, Error> {
        // What dumps are linked to, by somebody's hand, must not be shared.
        let current = self.current.as_ref().and_then(|current| current.name);
        if current.is_some_and(|current| self.dump.is_linked(current)) {
            return Ok(None);
        }
        let mut left: Vec<&mut Source> = sources.iter_mut().collect();
        let mut first = None;
        for dump in self.dump.listing().newest_first(..) {
            let name = dump.map_err(|fault| self.dump.refuses(fault, None))?.name;
            if left.is_empty() {
                break;
            }
            if !self.dump.is_linked(name) {
                continue;
            }
            let reference = Arc::new(self.open_reference(name.rel_path())?);
            left.retain_mut(|source| {
                let has = reference.has(&source.name);
                if has {
                    source.reference = Some(Arc::clone(&reference));
                    first.get_or_insert_with(|| Arc::clone(&reference));
                }
                !has
            });
        }
        Ok(first)
    }

    fn open_reference(&self, path: RelPath) -> Result<Reference, Error> {
        match self.dump.open_dump(&path) {
            Ok(handle) => Ok(Reference { path, handle }),
            Err(e) => Err(self.dump.failed(Op::Open, path.as_path(), e)),
        }
    }
}
