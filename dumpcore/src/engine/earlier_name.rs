//! A name that an earlier merge of the same dump made of an inode, or left where it
//! was the same: names of that inode which this merge lacks become links to it.
//!
//! It is in a tree that others write to. So what was linked is looked at afterwards, in
//! the target, where nobody else changes it: if it is not what the earlier merge left,
//! the name gets a file of its own.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use super::hardlinks::{FirstName, SourceState};
use crate::fs::dir_handle::DirHandle;
use crate::model::metadata::Meta;
use crate::sys::stat::{self, Fresh};

/// Where an inode of the source has a name already.
#[derive(Clone, Debug)]
pub(crate) struct EarlierName {
    /// What the source had.
    pub(crate) of: Meta,
    /// What was left there.
    pub(crate) there: Meta,
    /// The directory that it is in.
    pub(crate) place: Arc<DirHandle>,
    pub(crate) name: CString,
}

impl EarlierName {
    pub(super) fn first(&self) -> FirstName {
        FirstName {
            was: SourceState::of(&self.of),
            ino: self.there.ino,
            place: Some(Arc::clone(&self.place)),
            source: Arc::clone(&self.place),
            name: self.name.clone(),
        }
    }

    /// Is it still what was left there, as far as can be seen without reading it?
    pub(crate) fn is_there(&self) -> bool {
        let opened = self.place.open();
        opened.is_ok_and(|dir| self.is_at(&dir, &self.name))
    }

    /// Is a name one of it?
    pub(super) fn is_at(&self, dir: &OwnedFd, name: &CStr) -> bool {
        let looked = stat::look(dir.as_fd(), name, Fresh::AsStat);
        let is = |meta: &Meta| {
            let access = (meta.mode, meta.uid, meta.gid);
            (meta.id(), meta.kind, meta.size, meta.mtime, access)
        };
        looked.is_ok_and(|there| is(&there) == is(&self.there))
    }

    /// Is it the first name of a group?
    pub(super) fn is(&self, first: &FirstName) -> bool {
        let is_it = |place: &Arc<DirHandle>| Arc::ptr_eq(place, &self.place);
        first.place.as_ref().is_some_and(is_it) && first.name == self.name
    }
}
