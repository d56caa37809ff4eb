//! What is known of the contents of a dump that is copied, and what was found out
//! of them: shared by all workers.
//!
//! It promises that what is copied is what was stored at first, or is told by its
//! path. The catalog may be away or wrong as ever: its first error ends the
//! comparison, and is told.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::catalog::{CatalogError, CopiedFiles, Facts, RecordedFile, RecordedHashes};
use crate::model::metadata::Meta;
use crate::policy::content_hash::ContentHash;
use crate::sys::lock::lock;

/// How many damaged files are remembered: more are told, but not recorded.
const MOST: usize = 100_000;

/// A file that does not hold what was stored of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt<'a> {
    /// The file, as it was looked at.
    pub(crate) meta: &'a Meta,
    pub(crate) recorded: ContentHash,
    /// What it holds; `None`: it cannot be read.
    pub(crate) read: Option<ContentHash>,
}

/// What other copies say of such a file.
#[derive(Debug)]
pub(crate) enum Opinion {
    /// There is none that holds what was stored.
    None,
    /// This one does.
    Good(GoodCopy),
    /// The file does, and the catalog is wrong.
    CatalogIsWrong,
}

/// A file that holds what was stored.
#[derive(Debug)]
pub(crate) struct GoodCopy {
    pub(crate) path: PathBuf,
    pub(crate) file: OwnedFd,
}

/// Finds other copies of damaged files.
pub(crate) trait GoodCopies: Sync {
    fn of(&self, doubt: &Doubt<'_>) -> Opinion;
}

/// A file that was copied although it is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyDamage {
    /// In the dump that was read.
    pub(crate) source: Facts,
    /// The copy; `None` of one that is not damaged itself.
    pub(crate) made: Option<Facts>,
    /// Of what was stored at first.
    pub(crate) recorded: ContentHash,
}

/// What a copy of a dump is held against.
pub(crate) struct Checked<'a> {
    hashes: Mutex<Option<RecordedHashes>>,
    copied: Mutex<Option<CopiedFiles>>,
    copies: &'a dyn GoodCopies,
    /// Is a good copy stored in the place of what is damaged?
    pub(super) heals: bool,
    failure: Mutex<Option<CatalogError>>,
    damaged: Mutex<Vec<CopyDamage>>,
    /// Inodes of which was said that they are damaged.
    told: Mutex<BTreeSet<u64>>,
    /// Files of which the copy holds something else, and what that is.
    healed: Mutex<Vec<(PathBuf, ContentHash)>>,
}

impl fmt::Debug for Checked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Checked");
        shown.field("heals", &self.heals).finish_non_exhaustive()
    }
}

impl<'a> Checked<'a> {
    /// `copied`: where it is kept what was copied, if anywhere.
    pub(crate) fn new(
        hashes: RecordedHashes,
        copied: Option<CopiedFiles>,
        copies: &'a dyn GoodCopies,
        heals: bool,
    ) -> Self {
        Self {
            hashes: Mutex::new(Some(hashes)),
            copied: Mutex::new(copied),
            copies,
            heals,
            failure: Mutex::default(),
            damaged: Mutex::default(),
            told: Mutex::default(),
            healed: Mutex::default(),
        }
    }

    /// The hash of a file as it was stored at first.
    pub(super) fn recorded(&self, meta: &Meta) -> Option<ContentHash> {
        self.ask(|hashes| hashes.of(meta))
    }

    /// What was recorded of a file.
    pub(super) fn file(&self, meta: &Meta) -> Option<RecordedFile> {
        self.ask(|hashes| hashes.file(meta))
    }

    /// After its first error the catalog is not asked again.
    fn ask<T>(
        &self,
        question: impl FnOnce(&RecordedHashes) -> Result<Option<T>, CatalogError>,
    ) -> Option<T> {
        let mut hashes = lock(&self.hashes);
        let answer = question(hashes.as_ref()?);
        answer.unwrap_or_else(|error| {
            *hashes = None;
            lock(&self.failure).get_or_insert(error);
            None
        })
    }

    /// What other copies say of a file.
    pub(super) fn opinion(&self, doubt: &Doubt<'_>) -> Opinion {
        self.copies.of(doubt)
    }

    /// A copy holds what has this hash.
    pub(super) fn made(&self, made: &Meta, hash: &ContentHash) {
        self.note(|copied| copied.add_hash(&Facts::of(made), hash));
    }

    /// What stands for the attributes that a copy is to have.
    pub(super) fn has_attributes(&self, made: &Meta, xattrs: u64) {
        self.note(|copied| copied.add_xattrs(&Facts::of(made), xattrs));
    }

    /// After the first error nothing is noted any more.
    fn note(&self, add: impl FnOnce(&CopiedFiles) -> Result<(), CatalogError>) {
        let mut copied = lock(&self.copied);
        if let Some(Err(error)) = copied.as_ref().map(add) {
            *copied = None;
            lock(&self.failure).get_or_insert(error);
        }
    }

    /// Remembers a damaged file.
    pub(super) fn damaged(&self, damage: CopyDamage) {
        let mut damaged = lock(&self.damaged);
        if damaged.len() < MOST {
            damaged.push(damage);
        }
    }

    /// It was said of an inode that it is damaged.
    pub(super) fn told(&self, ino: u64) {
        let mut told = lock(&self.told);
        if told.len() < MOST {
            told.insert(ino);
        }
    }

    /// Was it said of an inode that it is damaged, or healed in the copy?
    pub(crate) fn has_told(&self, ino: u64) -> bool {
        lock(&self.told).contains(&ino)
    }

    /// The copy of a file holds what has this hash, and the file does not.
    pub(super) fn healed(&self, path: PathBuf, hash: ContentHash) {
        let mut healed = lock(&self.healed);
        if healed.len() < MOST {
            healed.push((path, hash));
        }
    }

    /// Calls this with the files of which the copy holds something else, and what
    /// that is.
    pub(crate) fn with_healed<T>(&self, look: impl FnOnce(&[(PathBuf, ContentHash)]) -> T) -> T {
        look(&lock(&self.healed))
    }

    /// What was copied, what is damaged, and why the comparison ended early,
    /// if it did.
    pub(crate) fn finish(self) -> (Option<CopiedFiles>, Vec<CopyDamage>, Option<CatalogError>) {
        fn taken<T>(mutex: Mutex<T>) -> T {
            mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
        }
        (taken(self.copied), taken(self.damaged), taken(self.failure))
    }
}
