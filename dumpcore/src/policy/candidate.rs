//! An entry, with all that decides whether it is linked.

use crate::model::metadata::{Meta, Xattrs};

/// An entry as the policy sees it: see [`Candidate::read`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its metadata.
    pub meta: Meta,
    /// Its extended attributes, ACLs among them.
    pub xattrs: Xattrs,
    /// Where it points, when it is a symlink.
    pub target: Option<Vec<u8>>,
}

impl Candidate {
    /// Of this metadata, without attributes and target.
    #[must_use]
    pub fn new(meta: Meta) -> Self {
        Self {
            meta,
            xattrs: Xattrs::default(),
            target: None,
        }
    }

    /// The same with these extended attributes.
    #[must_use]
    pub fn with_xattrs(mut self, xattrs: Xattrs) -> Self {
        self.xattrs = xattrs;
        self
    }

    /// The same as a symlink that points there.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<Vec<u8>>) -> Self {
        self.target = Some(target.into());
        self
    }
}
