//! Taking what was erased out of the catalog.

use super::erasure::CatalogAfter;
use crate::catalog::{Catalog, CatalogError};
use crate::model::chain::Chain;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

/// Takes paths out of the catalog, each but for the dumps that still have it.
/// `dir_bytes`: what the directories that went took themselves, by dump. A catalog
/// that cannot be believed is of no use, and goes.
pub(super) fn forget(
    root: &DumpRoot,
    paths: &[(RelPath, Vec<DumpId>)],
    dir_bytes: &[(DumpId, u64)],
) -> CatalogAfter {
    let after = match opened(root) {
        Ok(None) => CatalogAfter::None,
        Ok(Some(catalog)) => match catalog.erase(paths, dir_bytes) {
            Ok(()) => CatalogAfter::Erased,
            Err(error) => failed(root, &error),
        },
        Err(error) => failed(root, &error),
    };
    Catalog::remove_bad(root);
    after
}

fn opened(root: &DumpRoot) -> Result<Option<Catalog>, CatalogError> {
    match Catalog::read(root) {
        Ok(None) => Ok(None),
        _ => Catalog::open(root),
    }
}

fn failed(root: &DumpRoot, error: &CatalogError) -> CatalogAfter {
    match Catalog::read(root) {
        // It was set aside.
        Ok(None) => CatalogAfter::None,
        _ => CatalogAfter::Failed(Chain(error).to_string()),
    }
}
