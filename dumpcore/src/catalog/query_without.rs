//! Questions to the catalog in a library that was built without it.

use std::collections::HashMap;
use std::convert::Infallible;

use super::error::CatalogError;
use super::query_values::{
    DumpSizes, FoundRow, Holder, NameDiffers, Pair, PathVersion, Recorded, ScrubRow, ScrubStatus,
    Sought, StoredFrom, UsageOf, UsageRow, Wanted,
};
use super::values::{DirId, InodeId};
use super::walk_options::WalkOptions;
use crate::model::path::RelPath;
use crate::policy::heal_note::InodeKey;
use crate::policy::layout::DumpId;
use crate::root::DumpRoot;

type Answer<T> = Result<T, CatalogError>;

#[derive(Debug)]
pub(crate) struct View(Infallible);

impl View {
    pub(crate) fn open(_: &DumpRoot) -> Answer<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn dumps(&self) -> Answer<Vec<DumpId>> {
        match self.0 {}
    }

    pub(crate) fn sizes(&self) -> Answer<Vec<DumpSizes>> {
        match self.0 {}
    }

    pub(crate) fn freed(&self, _: &[DumpId]) -> Answer<u64> {
        match self.0 {}
    }

    pub(crate) fn users(&self, _: &[DumpId], _: &[DumpId]) -> Answer<Vec<Option<u64>>> {
        match self.0 {}
    }

    pub(crate) fn usage(&self, _: &UsageOf) -> Answer<Option<UsageRow>> {
        match self.0 {}
    }

    pub(crate) fn find(&self, _: &Wanted<'_>) -> Answer<Vec<FoundRow>> {
        match self.0 {}
    }

    pub(crate) fn diff(&self, _: DumpId, _: DumpId) -> Answer<Option<Vec<Pair>>> {
        match self.0 {}
    }

    pub(crate) fn names(&self, _: (DumpId, &[u8]), _: &Sought) -> Answer<Option<Vec<RelPath>>> {
        match self.0 {}
    }

    pub(crate) fn versions(&self, _: &RelPath) -> Answer<Vec<PathVersion>> {
        match self.0 {}
    }

    pub(crate) fn holders(&self, _: &[InodeId]) -> Answer<HashMap<InodeId, Vec<Holder>>> {
        match self.0 {}
    }

    pub(crate) fn holders_of(&self, _: InodeKey) -> Answer<Vec<Holder>> {
        match self.0 {}
    }

    pub(crate) fn at(&self, _: DumpId, _: &[RelPath]) -> Answer<Vec<Option<Recorded>>> {
        match self.0 {}
    }

    pub(crate) fn stand(&self, _: &[ScrubRow]) -> Answer<Vec<Option<InodeId>>> {
        match self.0 {}
    }

    pub(crate) fn stored_from(&self, _: InodeKey) -> Answer<Option<StoredFrom>> {
        match self.0 {}
    }

    pub(crate) fn scrub_status(&self) -> Answer<ScrubStatus> {
        match self.0 {}
    }

    pub(crate) fn dumps_by_scrub(&self) -> Answer<Vec<(DumpId, Option<i64>)>> {
        match self.0 {}
    }

    pub(crate) fn patient(self) -> Answer<Self> {
        match self.0 {}
    }

    pub(crate) fn compare_names(
        &self,
        _: &DumpRoot,
        _: DumpId,
        _: &WalkOptions<'_>,
    ) -> Answer<Vec<NameDiffers>> {
        match self.0 {}
    }

    pub(crate) fn trees_in(&self, _: DumpId) -> Answer<Vec<(Vec<u8>, DirId, i64)>> {
        match self.0 {}
    }
}
