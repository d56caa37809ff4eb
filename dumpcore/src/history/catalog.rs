//! The catalog as it is asked about all dumps: whether it can be, and by what
//! name it goes outside.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::catalog::{CatalogError, ScrubStatus, View};
use crate::model::fault::Fault;
use crate::model::path::Brief;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

/// The catalog of a dump root, which is only read. It knows all dumps that were
/// on disk when it was opened.
///
/// Each question is answered from one state of it; in between no run is held
/// up.
#[derive(Debug)]
pub struct CatalogView {
    pub(super) view: View,
    pub(super) root: PathBuf,
}

impl CatalogView {
    /// When dumps were scrubbed last, and what is wrong with them.
    pub(crate) fn scrub_status(&self) -> Result<ScrubStatus, CatalogError> {
        self.view.scrub_status()
    }
}

/// Why the catalog is not asked. What it would tell is in the dumps as well,
/// except for their sizes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoCatalog {
    /// There is none.
    #[error("{} has no catalog; make one with 'dumpctl catalog rebuild'", Brief::path(.root))]
    Missing {
        /// The dump root.
        root: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unusable(#[from] CatalogError),
    /// It does not know the dumps that are there.
    #[error(
        "the catalog of {} is not up to date: it lacks {}; the next dump updates it, or \
         'dumpctl catalog rebuild'", Brief::path(.root), lacking(*.unknown, *.gone)
    )]
    Behind {
        /// The dump root.
        root: PathBuf,
        /// How many dumps it does not know.
        unknown: usize,
        /// How many dumps that it knows are gone.
        gone: usize,
    },
    /// The dump root cannot be listed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn lacking(unknown: usize, gone: usize) -> String {
    let some = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    match (unknown, gone) {
        (unknown, 0) => some(unknown, "dump"),
        (0, gone) => some(gone, "removal"),
        (unknown, gone) => {
            format!("{} and {}", some(unknown, "dump"), some(gone, "removal"))
        }
    }
}

impl DumpRoot {
    /// The catalog, if it can be read and knows all dumps.
    ///
    /// # Errors
    /// [`NoCatalog`], which says why not.
    pub fn catalog(&self) -> Result<CatalogView, NoCatalog> {
        let root = || self.path().to_path_buf();
        let view = View::open(self)?.ok_or_else(|| NoCatalog::Missing { root: root() })?;
        let known: BTreeSet<DumpId> = view.dumps()?.into_iter().collect();
        let mut there: BTreeSet<DumpId> = self
            .listing()
            .names()?
            .into_iter()
            .map(DumpId::Dump)
            .collect();
        if self.has(DumpId::First)? {
            there.insert(DumpId::First);
        }
        let unknown = there.difference(&known).count();
        let gone = known.difference(&there).count();
        match (unknown, gone) {
            (0, 0) => Ok(CatalogView { view, root: root() }),
            _ => Err(NoCatalog::Behind {
                root: root(),
                unknown,
                gone,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_catalog_lacks() {
        for (unknown, gone, expected) in [
            (1, 0, "it lacks 1 dump;"),
            (2, 0, "it lacks 2 dumps;"),
            (0, 1, "it lacks 1 removal;"),
            (3, 2, "it lacks 3 dumps and 2 removals;"),
        ] {
            let root = PathBuf::from("/dump");
            let said = NoCatalog::Behind {
                root,
                unknown,
                gone,
            }
            .to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
