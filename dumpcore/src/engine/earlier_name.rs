//! A name that an earlier merge of the same dump made of an inode, or left where it
//! was the same: names of that inode which this merge meets become links to it.

use std::sync::Arc;

use super::hardlinks::{FirstName, SourceState};
use crate::fs::dir_handle::DirHandle;
use crate::model::metadata::{Id, Meta};

/// Where an inode of the source has a name already.
#[derive(Debug)]
pub(crate) struct EarlierName {
    /// What the source had.
    pub(crate) of: Meta,
    /// Its inode.
    pub(crate) made: Id,
    /// The directory that it is in.
    pub(crate) place: Arc<DirHandle>,
    pub(crate) name: std::ffi::CString,
}

impl EarlierName {
    pub(super) fn first(&self) -> FirstName {
        FirstName {
            was: SourceState::of(&self.of),
            ino: self.made.ino,
            place: Some(Arc::clone(&self.place)),
            source: Arc::clone(&self.place),
            name: self.name.clone(),
        }
    }
}
