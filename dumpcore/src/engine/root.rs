//! The trees that are merged.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;

use super::held::Held;
use super::node::{Doubts, Mounts};
use super::stands::Stands;
use crate::fs::dir_handle::{DirHandle, Entered};
use crate::fs::xattr_map::Bare;

/// A tree to be merged.
#[derive(Debug)]
pub(crate) struct Root {
    /// Its name in the dump.
    pub(crate) name: CString,
    /// Where it is, for people.
    pub(crate) main: PathBuf,
    /// Its top, opened.
    pub(crate) entered: Entered,
    /// The dump that is linked to.
    pub(crate) reference: Option<Arc<DirHandle>>,
    pub(crate) reference_path: PathBuf,
    /// What that dump remembers of its attributes.
    pub(crate) bare: Option<Bare>,
    /// The dump that is made; `None` in a dry run.
    pub(crate) target: Option<Arc<DirHandle>>,
    pub(crate) target_path: PathBuf,
    /// Where it will be.
    pub(crate) published_path: PathBuf,
    /// What is in it.
    pub(crate) target_holds: Held,
    /// Which files may have been touched.
    pub(crate) touched: Doubts,
    /// What is known of mounts below it.
    pub(crate) mounts: Mounts,
    /// What the target's handle is of.
    pub(crate) stands: Stands,
}
