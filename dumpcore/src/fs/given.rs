//! What came of giving a new entry its attributes.

use crate::model::fault::OpError;
use crate::model::metadata::Xattrs;

#[derive(Debug)]
pub(crate) struct Given {
    /// What could not be set.
    pub(crate) losses: Vec<OpError>,
    /// Its extended attributes and ACLs, as it has them. `None`: not known, since one
    /// of them, or the permission bits, could not be set.
    pub(crate) xattrs: Option<Xattrs>,
}
