//! What leads to a version.

use std::ffi::CString;
use std::path::PathBuf;

use crate::model::metadata::Meta;
use crate::policy::layout::DumpName;

/// A version: what leads to it.
#[derive(Clone, Debug)]
pub(crate) struct From {
    /// The dump root; or, where no dump is named, any directory.
    pub(crate) root: PathBuf,
    pub(crate) dump: Option<DumpName>,
    /// The names below that.
    pub(crate) below: Vec<CString>,
    /// The whole path, for people.
    pub(crate) path: PathBuf,
    pub(crate) meta: Meta,
}
