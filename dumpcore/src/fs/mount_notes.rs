//! The mark on a dump's own directory that says what was mounted below its trees.
//! It is the only place where that is remembered, with and without a catalog.

use std::os::fd::{AsFd as _, OwnedFd};

use crate::policy::layout;
use crate::policy::mounts::MountNote;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};

/// What a dump notes of mounts; nothing where it has no such mark.
pub(crate) fn read(dump: &OwnedFd) -> Vec<MountNote> {
    let name = c_name(layout::MOUNTS_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name);
    MountNote::parse(&found.ok().flatten().unwrap_or_default())
}
