//! The marks, on a dump's own directory, that say when its trees were read.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::fs::marks;
use crate::model::metadata::Meta;
use crate::policy::layout;
use crate::policy::touched::{Clock, ReadMark, TopId};
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, stat};

/// The marks that a dump bears; none where it bears none, as imports, copies
/// made by hand and dumps of other programs.
pub(crate) fn read(dump: &OwnedFd) -> Vec<ReadMark> {
    let name = c_name(layout::READ_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name);
    let found = found.ok().flatten().unwrap_or_default();
    ReadMark::parse(&found)
}

/// Puts marks on a dump that is being made. Without any it bears none, as one
/// on a filesystem that takes none: then the next dump goes by size and time.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn put(dump: &OwnedFd, read: &[ReadMark]) -> io::Result<()> {
    let text = (!read.is_empty()).then(|| ReadMark::format(read));
    marks::put(dump, layout::READ_XATTR, text.as_deref())
}

/// Which directory is at the top of a tree.
pub(crate) fn top_id(top: &OwnedFd) -> Option<TopId> {
    let Meta { ino, .. } = stat::look_at(top).ok()?;
    let filesystem = disk::filesystem_name(top.as_fd());
    Some(TopId { filesystem, ino })
}

/// The mark of a tree that is read from now on.
pub(crate) fn of(tree: &[u8], top: TopId, clock: &Clock) -> ReadMark {
    ReadMark {
        tree: tree.to_vec(),
        began: clock.now,
        ahead: clock.ahead,
        boot: clock.boot.clone(),
        top,
    }
}
