//! Where the space of the dumps goes. Only the catalog knows: it would take a
//! look at every name of every dump.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::catalog::CatalogView;
use crate::catalog::{PathVersion, UsageOf};
use crate::model::error::Error;
use crate::model::metadata::Meta;
use crate::model::path::RelPath;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;
use crate::sys::path;

/// Where space goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// What removing the dumps together would free, or what a path takes in all
    /// of them, each inode counted once, in bytes. Of whole dumps it includes
    /// their directories.
    pub unique_bytes: u64,
    /// The same of each tree, or of each name in a directory, the largest first.
    /// What has names in several counts in each.
    pub paths: Vec<(RelPath, u64)>,
    /// The full copies that there are.
    pub generations: Vec<Generation>,
}

/// A full copy of a tree, and the dumps that link to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generation {
    /// The tree.
    pub tree: PathBuf,
    /// The dump with which it began, which may be gone: the first one, or a
    /// checkpoint.
    pub since: DumpId,
    /// When that was made; `None` of a first copy.
    pub moment: Option<DateTime<Utc>>,
    /// Is it a chain of [linked checkpoints](crate::Checkpoint::linked), which share
    /// nothing with dumps?
    pub is_linked: bool,
    /// How many dumps of it there are.
    pub dumps: u64,
    /// How much of the space asked for was stored in it, in bytes.
    pub bytes: u64,
}

/// Consecutive dumps in which a path was one inode.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedVersion {
    /// The first of them.
    pub first: DumpId,
    /// The last of them.
    pub last: DumpId,
    /// Its metadata, as far as they are recorded: neither number nor times of
    /// change and access.
    pub meta: Meta,
}

/// The space that a dump's own directory takes, in bytes; 0 of one that is gone.
pub(super) fn own_bytes(root: &Path, dump: DumpId) -> u64 {
    let looked = path::look(&root.join(dump.path()));
    looked.map_or(0, |meta| meta.blocks.saturating_mul(512))
}

impl CatalogView {
    /// The versions of a path, which begins with the name of a tree, the oldest
    /// first. Of the top of a tree none are recorded.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn versions(&self, path: &RelPath) -> Result<Vec<RecordedVersion>, Error> {
        let versions = self.view.versions(path);
        let versions = versions.map_err(|e| Error::Other(Box::new(e)))?;
        let version = |row: PathVersion| RecordedVersion {
            first: row.first,
            last: row.last,
            meta: row.inode.facts.meta(),
        };
        Ok(versions.into_iter().map(version).collect())
    }

    /// What some dumps hold alone, or without any what all hold; of everything,
    /// or of what is at or below a path, which begins with the name of a tree.
    /// `None`: no dump ever had that path.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn usage(
        &self,
        dumps: Option<Vec<DumpId>>,
        below: Option<RelPath>,
    ) -> Result<Option<Usage>, Error> {
        let failed = |e| Error::Other(Box::new(e));
        let own = match (&below, &dumps) {
            (Some(_), _) => 0,
            (None, Some(dumps)) => self.own_of(dumps),
            (None, None) => self.own_of(&self.view.dumps().map_err(failed)?),
        };
        let root = DumpRoot::open(&self.root)?;
        let mut linked = self.view.dumps().map_err(failed)?;
        linked.retain(|dump| root.is_linked(*dump));
        let usage = self.view.usage(&UsageOf {
            dumps,
            below,
            linked,
        });
        let usage = usage.map_err(failed)?;
        Ok(usage.map(|usage| Usage {
            unique_bytes: usage.bytes + own,
            paths: usage.paths,
            generations: usage
                .generations
                .into_iter()
                .map(|row| Generation {
                    tree: RelPath::from_bytes(&row.tree).into(),
                    since: row.name,
                    moment: (row.name != DumpId::First)
                        .then(|| DateTime::from_timestamp_nanos(row.moment)),
                    is_linked: row.is_linked,
                    dumps: row.dumps,
                    bytes: row.bytes,
                })
                .collect(),
        }))
    }

    /// By dump: how many others have files of it, so that removing it frees no
    /// more than what none of them has. Dumps that are `going` too are not
    /// counted. `None` of a dump that is not published.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn users_of(&self, dumps: &[DumpId], going: &[DumpId]) -> Result<Vec<Option<u64>>, Error> {
        let users = self.view.users(dumps, going);
        users.map_err(|e| Error::Other(Box::new(e)))
    }

    /// The space that removing these dumps together would free, in bytes: what
    /// no other dump has, and their directories.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub fn freed_bytes(&self, dumps: &[DumpId]) -> Result<u64, Error> {
        let freed = self.view.freed(dumps);
        let freed = freed.map_err(|e| Error::Other(Box::new(e)))?;
        Ok(freed + self.own_of(dumps))
    }

    /// The catalog knows the trees of dumps, and not the directories above them.
    fn own_of(&self, dumps: &[DumpId]) -> u64 {
        let own = dumps.iter().map(|dump| own_bytes(&self.root, *dump));
        own.sum()
    }
}
