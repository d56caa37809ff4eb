//! What is to be restored, and where to.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use super::among::LinksAmong;
use super::from::From;
use crate::fs::store::NameAt;
use crate::model::restore::Merging;
use crate::policy::filter::Filter;

/// What is to be restored, and where to.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) from: From,
    /// The main root, or another directory; symlinks lead there.
    pub(crate) root: PathBuf,
    /// The names below it; the last is the place's own.
    pub(crate) below: Vec<CString>,
    /// The whole path, for people.
    pub(crate) path: PathBuf,
    /// Do nothing where nothing differs.
    pub(crate) only_if_differs: bool,
    /// How what exists becomes the version, entry by entry; `None`: the version
    /// takes its place as a whole.
    pub(crate) merging: Option<Merging>,
    /// What these rules leave out of dumps is not deleted then.
    pub(crate) spared: Filter,
    /// The path in a dump, by which the rules go.
    pub(crate) within: PathBuf,
    /// Replace what exists without asking.
    pub(crate) may_replace: bool,
    /// Leave what was made when it is stopped, and take over what an earlier one
    /// left.
    pub(crate) resumes: bool,
    /// Compare all of it again afterwards.
    pub(crate) verifies: bool,
    /// What is restored with it, of which some names may be hard links to its own.
    pub(crate) among: Option<LinksAmong>,
}

/// A name, and its path for people.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) at: NameAt<'a>,
    pub(super) path: &'a Path,
}
