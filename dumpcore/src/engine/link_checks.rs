//! What was recorded of the files of a dump root, for a merge that reads files of
//! the reference before it links to them.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Mutex;

use crate::catalog::{CatalogError, RecordedFile, RecordedHashes};
use crate::model::metadata::{Capabilities, Meta};
use crate::policy::content_hash::ContentHash;
use crate::sys::lock::lock;
use crate::sys::stat;
use crate::sys::xattr::{self, Subject};

/// What was recorded of the files of a dump root, for all workers.
#[derive(Debug)]
pub(crate) struct LinkChecks {
    hashes: Mutex<Option<RecordedHashes>>,
    failure: Mutex<Option<CatalogError>>,
}

impl LinkChecks {
    /// Without hashes contents are compared, as where none was recorded.
    pub(crate) fn new(hashes: Option<RecordedHashes>) -> Self {
        Self {
            hashes: Mutex::new(hashes),
            failure: Mutex::default(),
        }
    }

    /// Why the catalog was not used to the end, if it was not.
    pub(crate) fn take_failure(&self) -> Option<CatalogError> {
        lock(&self.failure).take()
    }

    /// What was recorded of a file that is not any more what it was; `None` of any
    /// other, and of one that was not recorded.
    pub(super) fn before_it_changed(&self, meta: &Meta) -> Option<RecordedFile> {
        self.ask(|hashes| hashes.before_it_changed(meta))
    }

    /// The hash that was recorded of an opened file.
    pub(super) fn of(&self, file: &OwnedFd) -> Option<ContentHash> {
        let meta = stat::look_born(file).ok()?;
        self.ask(|hashes| hashes.of(&meta))
    }

    /// Has an opened file the mode, owner and attributes that were recorded of it, if any
    /// were?
    pub(super) fn has_metadata(&self, file: &OwnedFd) -> bool {
        let Ok(meta) = stat::look_born(file) else {
            return true;
        };
        let all = Capabilities::everything();
        let xattrs = xattr::read(Subject::Open(file.as_fd()), |name| all.keeps_xattr(name)).ok();
        let recorded = self.ask(|hashes| hashes.file(&meta));
        recorded.is_none_or(|recorded| recorded.has_metadata(&meta, xattrs.as_ref()))
    }

    /// After its first error the catalog is not asked again.
    fn ask<T>(
        &self,
        question: impl FnOnce(&RecordedHashes) -> Result<Option<T>, CatalogError>,
    ) -> Option<T> {
        let mut hashes = lock(&self.hashes);
        match question(hashes.as_ref()?) {
            Ok(answer) => answer,
            Err(error) => {
                *hashes = None;
                lock(&self.failure).get_or_insert(error);
                None
            }
        }
    }
}
