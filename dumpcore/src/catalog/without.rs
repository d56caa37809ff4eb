//! The catalog of a library that was built without it: there never is one.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use super::error::{CatalogError, CatalogOp};
use super::query_values::{ScrubChoice, ScrubNote, ScrubRow, ScrubTotal, SourceRow, SourceTotal};
use super::recorded_file::RecordedFile;
use super::report::{CatalogDifference, CatalogRebuilt, CatalogStatus};
use super::values::{
    CaughtUp, Children, DirId, Facts, Finding, Known, NewDump, Pending, SourceId, TreeId, TreeState,
};
use super::walk_options::WalkOptions;
use crate::model::metadata::{Id, Meta, Xattrs};
use crate::model::path::RelPath;
use crate::model::time::Time;
use crate::policy::content_hash::ContentHash;
use crate::policy::heal_note::InodeKey;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::root::listing::Listing;
use crate::sys::xattr::Subject;

type Answer<T> = Result<T, CatalogError>;

/// Has a directory the attributes that were recorded? None were.
pub(crate) fn has_attributes(_: Subject<'_>, _: u64) -> bool {
    true
}

/// What is recorded of a directory's attributes: nothing.
pub(crate) fn attributes_digest(_: &Xattrs) -> u64 {
    0
}

#[derive(Debug)]
pub(crate) struct Catalog(Infallible);

#[derive(Debug)]
pub(crate) struct Reading(Infallible);

#[derive(Debug)]
pub(crate) struct Rows(Infallible);

#[derive(Debug)]
pub(crate) struct ScrubList(Infallible);

#[derive(Debug)]
pub(crate) struct Stage(Infallible);

#[derive(Debug)]
pub(crate) struct RecordedHashes(Infallible);

#[derive(Debug)]
pub(crate) struct CopiedFiles(Infallible);

impl RecordedHashes {
    pub(crate) fn open(_: &DumpRoot) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn of(&self, _: &Meta) -> Answer<Option<ContentHash>> {
        match self.0 {}
    }

    pub(crate) fn before_it_changed(&self, _: &Meta) -> Answer<Option<RecordedFile>> {
        match self.0 {}
    }

    pub(crate) fn file(&self, _: &Meta) -> Answer<Option<RecordedFile>> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct SourceList(Infallible);

impl SourceList {
    pub(crate) fn open(_: &DumpRoot, _: &[&[u8]]) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn trees(&self) -> &[Vec<u8>] {
        match self.0 {}
    }

    pub(crate) fn begin_at(&mut self, _: u64) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn total(&self) -> Answer<SourceTotal> {
        match self.0 {}
    }

    pub(crate) fn next(&mut self, _: usize) -> Answer<Vec<SourceRow>> {
        match self.0 {}
    }
}

impl CopiedFiles {
    pub(crate) fn add_hash(&self, _: &Facts, _: &ContentHash) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn add_xattrs(&self, _: &Facts, _: u64) -> Answer<()> {
        match self.0 {}
    }
}

impl Catalog {
    pub(crate) fn open(_: &DumpRoot) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn look(_: &DumpRoot) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn file_id(_: &DumpRoot) -> Answer<Option<Id>> {
        Ok(None)
    }

    pub(crate) fn path_in(root: &DumpRoot) -> PathBuf {
        root.path().join(layout::STATE_DIR)
    }

    pub(crate) fn read(_: &DumpRoot) -> Answer<Option<Reading>> {
        Ok(None)
    }

    pub(crate) fn give_up(self, _: CatalogError) -> CatalogError {
        match self.0 {}
    }

    pub(crate) fn remove_bad(_: &DumpRoot) {}

    pub(crate) fn erase(self, _: &[(RelPath, Vec<DumpId>)], _: &[(DumpId, u64)]) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn tree(&mut self, _: &[u8]) -> Answer<TreeState> {
        match self.0 {}
    }

    pub(crate) fn known_tree(&self, _: &[u8]) -> Answer<Option<TreeState>> {
        match self.0 {}
    }

    pub(crate) fn filesystems(&self) -> Answer<HashMap<String, i64>> {
        match self.0 {}
    }

    pub(crate) fn add_filesystems(&mut self, _: &HashMap<String, i64>) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn rows(&self) -> Answer<Rows> {
        match self.0 {}
    }

    pub(crate) fn shared_rows(&self) -> Answer<Rows> {
        match self.0 {}
    }

    pub(crate) fn stage_aside(&self) -> Answer<Stage> {
        match self.0 {}
    }

    pub(crate) fn stage(&self) -> Answer<Stage> {
        match self.0 {}
    }

    pub(crate) fn apply(&mut self, _: Stage, _: &NewDump) -> Answer<Pending> {
        match self.0 {}
    }

    pub(crate) fn confirm(&mut self, _: Pending, _: Option<Time>) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn removed(&mut self, _: &[DumpId]) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn path(&self) -> &Path {
        match self.0 {}
    }

    pub(crate) fn absorb(&mut self, _: DumpId, _: &WalkOptions<'_>) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn catch_up(&mut self, _: &Listing, _: &WalkOptions<'_>) -> Answer<CaughtUp> {
        match self.0 {}
    }

    pub(crate) fn check(&mut self, _: bool, _: &WalkOptions<'_>) -> Answer<Vec<CatalogDifference>> {
        match self.0 {}
    }

    pub(crate) fn rebuild(root: &DumpRoot, _: &WalkOptions<'_>) -> Answer<CatalogRebuilt> {
        Err(unavailable(root))
    }

    pub(crate) fn would_rebuild(root: &DumpRoot) -> Answer<CatalogRebuilt> {
        Err(unavailable(root))
    }

    pub(crate) fn existing(root: &DumpRoot) -> Answer<Self> {
        Err(unavailable(root))
    }
}

impl Catalog {
    pub(crate) fn copied_files(&self) -> Answer<CopiedFiles> {
        match self.0 {}
    }

    pub(crate) fn note_copied(&mut self, _: CopiedFiles) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn note_damaged(&mut self, _: i64, _: &[(Facts, ContentHash)]) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn begin_round(&mut self, _: i64) -> Answer<i64> {
        match self.0 {}
    }

    pub(crate) fn end_scrub(&mut self, _: i64, _: bool) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn note_scrubbed(&mut self, _: i64, _: &[ScrubNote]) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn note_healed(
        &mut self,
        _: i64,
        _: InodeKey,
        _: &Facts,
        _: (Option<ContentHash>, Option<&Xattrs>),
    ) -> Answer<()> {
        match self.0 {}
    }

    pub(crate) fn note_scrubbed_dump(&mut self, _: i64, _: DumpId, _: u64) -> Answer<()> {
        match self.0 {}
    }
}

impl ScrubList {
    pub(crate) fn open(_: &DumpRoot, _: ScrubChoice<'_>) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn total(&self) -> Answer<ScrubTotal> {
        match self.0 {}
    }

    pub(crate) fn next(&mut self, _: usize) -> Answer<Vec<ScrubRow>> {
        match self.0 {}
    }
}

fn unavailable(root: &DumpRoot) -> CatalogError {
    let path = root.path().join(layout::STATE_DIR);
    let cause = "this program was built without it";
    CatalogError::new(&path, CatalogOp::Unavailable, Some(cause.into()))
}

impl Reading {
    pub(crate) fn status(&self, _: &DumpRoot) -> Answer<CatalogStatus> {
        match self.0 {}
    }

    pub(crate) fn path(&self) -> &Path {
        match self.0 {}
    }
}

impl Rows {
    pub(crate) fn children(&mut self, _: DirId, _: usize) -> Answer<Option<Children>> {
        match self.0 {}
    }

    pub(crate) fn child(&mut self, _: DirId, _: &[u8]) -> Answer<Option<Known>> {
        match self.0 {}
    }

    pub(crate) fn names_after(&mut self, _: DirId, _: &[u8], _: usize) -> Answer<Vec<Vec<u8>>> {
        match self.0 {}
    }

    pub(crate) fn had_alike(&mut self, _: DirId, _: &[u8], _: &Meta) -> Answer<bool> {
        match self.0 {}
    }

    pub(crate) fn count(&mut self, _: DirId) -> Answer<u64> {
        match self.0 {}
    }

    pub(crate) fn subdir(
        &mut self,
        _: DirId,
        _: &[u8],
    ) -> Answer<Option<(DirId, Option<SourceId>)>> {
        match self.0 {}
    }

    pub(crate) fn of_source(
        &mut self,
        _: TreeId,
        _: SourceId,
    ) -> Answer<Vec<(DirId, Vec<u8>, Known)>> {
        match self.0 {}
    }

    pub(crate) fn dir_of_source(&mut self, _: TreeId, _: SourceId) -> Answer<Option<DirId>> {
        match self.0 {}
    }

    pub(crate) fn path(&mut self, _: DirId) -> Answer<RelPath> {
        match self.0 {}
    }
}

impl Stage {
    pub(crate) fn dir(&self, _: TreeId, _: DirId, _: &[u8], _: Option<DirId>) -> Answer<DirId> {
        match self.0 {}
    }

    pub(crate) fn add(&self, _: DirId, _: impl IntoIterator<Item = Finding>) -> Answer<()> {
        match self.0 {}
    }
}
