//! Restores a path of a snapshot into an empty directory.

use std::ffi::OsStr;
use std::iter;
use std::path::{Path, PathBuf};

use rustic_core::repofile::Node;
use rustic_core::{LocalDestination, LsOptions, RestoreOptions, RusticError, RusticResult};
use rustix::process::geteuid;

use super::error::message;
use super::{Repository, RepositoryError, Snapshot, remarks};

/// What was restored.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
    pub(crate) bytes: u64,
    /// What could not be restored as it was.
    pub(crate) faults: Vec<String>,
}

impl Repository {
    /// Restores a path to its last name in a directory that is empty, or is made.
    ///
    /// # Errors
    /// The snapshot does not have the path, or its contents could not be restored.
    pub(crate) fn restore(
        &mut self,
        snapshot: &Snapshot,
        path: &Path,
        to: &Path,
        dry_run: bool,
    ) -> Result<Restored, RepositoryError> {
        let target = text_of(to)?;
        let indexed = self.taken()?.to_indexed();
        let indexed = indexed.map_err(|error| self.failed(error))?;
        let failed = |error| self.failed(error);
        let node = indexed.node_from_snapshot_and_path(&snapshot.file, text_of(path)?);
        let node = node.map_err(|error| match self.control.is_stopped() {
            true => RepositoryError::Stopped,
            false => missing(snapshot, path, &error),
        })?;
        remarks::take();
        let name = path.file_name().unwrap_or(OsStr::new("root"));
        let name = PathBuf::from(name);
        let below = match node.is_dir() {
            true => Some(indexed.ls(&node, &LsOptions::default()).map_err(failed)?),
            false => None,
        };
        let nodes = || -> Box<dyn Iterator<Item = RusticResult<(PathBuf, Node)>> + '_> {
            let top = iter::once(Ok((name.clone(), node.clone())));
            let below = below.clone().into_iter().flatten();
            let below = below.map(|found| {
                let (path, node) = found?;
                Ok((name.join(path), node))
            });
            Box::new(top.chain(below))
        };
        let options = RestoreOptions::default().numeric_id(true);
        let options = options.no_ownership(is_of_others(nodes()));
        let place = LocalDestination::new(target, !dry_run, false).map_err(failed)?;
        let plan = indexed.prepare_restore(&options, nodes(), &place, dry_run);
        let plan = plan.map_err(failed)?;
        let stats = plan.stats;
        let mut restored = Restored {
            files: stats.files.restore + stats.files.modify,
            dirs: stats.dirs.restore + stats.dirs.modify,
            bytes: plan.restore_size,
            faults: Vec::new(),
        };
        if !dry_run {
            let done = indexed.restore(plan, &options, nodes(), &place);
            done.map_err(failed)?;
        }
        if self.control.is_stopped() {
            return Err(RepositoryError::Stopped);
        }
        let heard = remarks::take();
        if !dry_run {
            restored.faults = heard;
        }
        Ok(restored)
    }
}

/// Does something belong to others? Only root can give it to them: the rest would
/// be reported entry by entry.
fn is_of_others(nodes: impl Iterator<Item = RusticResult<(PathBuf, Node)>>) -> bool {
    let own = geteuid().as_raw();
    if own == 0 {
        return false;
    }
    for found in nodes {
        // What cannot be read is told by the restore itself.
        let owner = found.ok().and_then(|(_, node)| node.meta.uid);
        if owner.is_some_and(|owner| owner != own) {
            tracing::warn!("all that is restored will be yours: owners are restored by root only");
            return true;
        }
    }
    false
}

/// A path as the library takes it.
fn text_of(path: &Path) -> Result<&str, RepositoryError> {
    path.to_str().ok_or_else(|| {
        let path = path.display();
        RepositoryError::Other(format!("{path} is not UTF-8: restore what is above it"))
    })
}

fn missing(snapshot: &Snapshot, path: &Path, error: &RusticError) -> RepositoryError {
    let (id, path) = (snapshot.short_id(), path.display());
    let why = message(error);
    RepositoryError::Other(format!("the snapshot {id} does not have {path}: {why}"))
}
