//! The packs of data that a push relies on: those that the index names, whose
//! contents are not sent again, and those that it sends itself. The library does
//! not use restic's lock files, so another program may remove either meanwhile.

use std::collections::BTreeSet;

use rustic_core::repofile::{IndexFile, RepoFile};
use rustic_core::{FileType, Id, Open};

use super::{Repository, RepositoryError};

/// What the index names.
#[derive(Debug, Default)]
pub(super) struct Named {
    indexes: BTreeSet<Id>,
    packs: BTreeSet<Id>,
}

impl Named {
    /// Adds what index files name that were not read yet.
    pub(super) fn add<S: Open>(
        &mut self,
        repository: &Repository,
        opened: &rustic_core::Repository<S>,
    ) -> Result<(), RepositoryError> {
        let failed = |error| repository.failed(error);
        let listed = repository.backends.repository().list(FileType::Index);
        let listed = listed.map_err(failed)?.into_iter();
        let new: Vec<Id> = listed.filter(|id| self.indexes.insert(*id)).collect();
        let new = new.into_iter().map(<IndexFile as RepoFile>::Id::from);
        let files = opened.stream_files_list::<IndexFile>(new.collect());
        for file in files.map_err(failed)? {
            let (_, file) = file.map_err(failed)?;
            self.packs.extend(file.packs.iter().map(|pack| *pack.id));
        }
        Ok(())
    }
}

impl Repository {
    /// Nothing is counted on that is missing already.
    pub(super) fn has_named(&self, named: &Named) -> Result<(), RepositoryError> {
        match self.missing(&named.packs)? {
            0 => Ok(()),
            missing => Err(RepositoryError::Other(format!(
                "the repository {} lacks {missing} of the packs of data that its index names, and \
                 no snapshot was stored; push again if it was pruned just now, else run 'restic \
                 repair index' ('restic rebuild-index' before restic 0.16) and push again",
                self.shown
            ))),
        }
    }

    /// Everything is still there that a snapshot of this push needs.
    pub(super) fn is_not_pruned(&self, named: &Named) -> Result<(), RepositoryError> {
        let sent = self.control.packs();
        let needed = named.packs.union(&sent).copied().collect();
        match self.missing(&needed)? {
            0 => Ok(()),
            _ => Err(self.pruned()),
        }
    }

    pub(super) fn pruned(&self) -> RepositoryError {
        RepositoryError::Other(format!(
            "another program removed data that this push needs from the repository {}, and no \
             snapshot was stored; push again, which sends what is missing",
            self.shown
        ))
    }

    fn missing(&self, packs: &BTreeSet<Id>) -> Result<usize, RepositoryError> {
        let there = self.backends.repository().list(FileType::Pack);
        let there: BTreeSet<Id> = there
            .map_err(|error| self.failed(error))?
            .into_iter()
            .collect();
        Ok(packs.difference(&there).count())
    }
}
