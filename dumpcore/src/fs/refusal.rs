//! Why an unchanged entry cannot be a link to what a dump has of it: as the
//! system said, or, where nothing may be written, as it would say.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use crate::model::event::CopyReason;
use crate::model::metadata::{Capabilities, Kind, Meta, SETGID, SETUID};
use crate::sys::{errno, link, stat};

/// Why a link to a name was refused; `None` for what is not a refusal but a
/// failure.
pub(crate) fn of_error(error: &io::Error, dir: BorrowedFd<'_>, name: &CStr) -> Option<CopyReason> {
    if !errno::is_link_refused(error) {
        return None;
    }
    Some(if errno::is_out_of_links(error) {
        CopyReason::NoLink
    } else if errno::is_other_filesystem(error) {
        CopyReason::OtherFilesystem
    } else if errno::is_missing(error) {
        CopyReason::ReferenceGone
    } else if stat::is_immutable(dir, name).unwrap_or(false) {
        CopyReason::Immutable
    } else {
        CopyReason::LinkNotPermitted
    })
}

/// Where a link would be made, as far as that is known without making it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination<'a> {
    /// The filesystem that the dump is made on.
    pub(crate) dev: u64,
    /// How many names an inode can have there.
    pub(crate) most_links: Option<u32>,
    pub(crate) runner: &'a Capabilities,
}

/// Why a link to a name would be refused, if it would.
pub(crate) fn foreseen(
    to: Destination<'_>,
    dir: BorrowedFd<'_>,
    name: &CStr,
    reference: &Meta,
) -> Option<CopyReason> {
    if reference.dev != to.dev {
        return Some(CopyReason::OtherFilesystem);
    }
    if to.most_links.is_some_and(|most| reference.nlink >= most) {
        return Some(CopyReason::NoLink);
    }
    if stat::is_immutable(dir, name).unwrap_or(false) {
        return Some(CopyReason::Immutable);
    }
    // Root may link to everything, and so may an owner.
    let theirs = to.runner.uid != 0 && reference.uid != to.runner.uid;
    let refused = || link::are_protected() && !is_harmless(dir, name, reference);
    (theirs && refused()).then_some(CopyReason::LinkNotPermitted)
}

/// May anyone link to it that may read and write it, by the rules of
/// `fs.protected_hardlinks`?
fn is_harmless(dir: BorrowedFd<'_>, name: &CStr, meta: &Meta) -> bool {
    const GROUP_RUNS: u16 = 0o010;
    meta.kind == Kind::File
        && meta.mode & SETUID == 0
        && meta.mode & (SETGID | GROUP_RUNS) != SETGID | GROUP_RUNS
        && link::may_read_and_write(dir, name)
}
