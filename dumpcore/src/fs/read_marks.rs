//! The marks, on a dump's own directory, that say when its trees were read.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::fs::marks;
use crate::model::metadata::{Meta, Time};
use crate::policy::layout;
use crate::policy::touched::{Clock, ReadMark, TopId};
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{disk, stat};

/// The marks of a dump; none where it has none, as imports, copies
/// made by hand and dumps of other programs.
pub(crate) fn read(dump: &OwnedFd) -> Vec<ReadMark> {
    let name = c_name(layout::READ_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name);
    let found = found.ok().flatten().unwrap_or_default();
    ReadMark::parse(&found)
}

/// Puts marks on a dump that is being made. Without any it has none, as one
/// on a filesystem that takes none: then the next dump goes by size and time.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn put(dump: &OwnedFd, read: &[ReadMark]) -> io::Result<()> {
    let text = (!read.is_empty()).then(|| ReadMark::format(read));
    marks::put(dump, layout::READ_XATTR, text.as_deref())
}

/// When the newest inode was born of the dump that this one is a copy of, if
/// it says so.
pub(crate) fn newest_birth(dump: &OwnedFd) -> Option<Time> {
    let name = c_name(layout::NEWEST_BIRTH_XATTR.as_bytes());
    let found = xattr::get(Subject::Named(dump.as_fd(), c"."), &name).ok()??;
    let nanos = std::str::from_utf8(&found).ok()?.parse().ok()?;
    Some(Time::from_nanos(nanos))
}

/// Puts that on a copy that is being made.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn put_newest_birth(dump: &OwnedFd, born: Option<Time>) -> io::Result<()> {
    let text = born.map(|born| born.as_nanos().to_string());
    let text = text.as_deref().map(str::as_bytes);
    marks::put(dump, layout::NEWEST_BIRTH_XATTR, text)
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
