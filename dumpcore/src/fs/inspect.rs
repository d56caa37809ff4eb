//! Reading one entry: what it is, and whether it may be read yet.
//!
//! The race it closes: a file that was written a moment ago may be written
//! again within the same step of the clock, and then have the same time with
//! other contents. Such a file is read only once that step has passed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::chain::about;
use crate::model::fault::{Op, OpError, Side};
use crate::model::loss::{Loss, Losses};
use crate::model::metadata::{ACL_ACCESS, Capabilities, Meta, Time, Xattrs};
use crate::sys::fstype::may_be_in_user_space;
use crate::sys::link;
use crate::sys::stat::{self, Fresh};
use crate::sys::xattr::{self, Subject};

/// Looks at a name on the source side.
pub(crate) fn look(dir: BorrowedFd<'_>, name: &CStr) -> Result<Meta, OpError> {
    stat::look(dir, name, Fresh::AsStat).map_err(|e| OpError::source(Op::Stat, e))
}

/// Looks at a name in a published dump that is the source, with when it was
/// stored.
pub(crate) fn look_in_source_dump(dir: BorrowedFd<'_>, name: &CStr) -> Result<Meta, OpError> {
    stat::look(dir, name, Fresh::WithBirth).map_err(|e| OpError::source(Op::Stat, e))
}

/// Looks at a name on the source side by what is known already, where a server would have to be asked.
pub(crate) fn look_without_waiting(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Meta> {
    stat::look(dir, name, Fresh::Cached)
}

/// Looks at a name in a dump; only we write there.
pub(crate) fn look_in_dump(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Meta> {
    stat::look(dir, name, Fresh::Cached)
}

/// Where a symlink of the source points. That moves its access time, and no
/// flag of the kernel's prevents it.
pub(crate) fn symlink(dir: BorrowedFd<'_>, name: &CStr) -> Result<CString, OpError> {
    link::read_symlink(dir, name).map_err(|e| OpError::source(Op::ReadLink, e))
}

/// Where a symlink of a published dump points. Reading it moves its access
/// time, which is all history's: it is set back to what it was. On a
/// read-only disk it never moved, and only an owner may set it back. Where a
/// symlink's own times cannot be set, `settable` says no: a server behind sshfs
/// would change those of what it points to.
pub(crate) fn symlink_in_dump(
    dir: BorrowedFd<'_>,
    name: &CStr,
    looked: &Meta,
    settable: bool,
) -> io::Result<CString> {
    let target = link::read_symlink(dir, name)?;
    if settable {
        let _ = link::set_access_time(dir, name, looked.atime);
    }
    Ok(target)
}

/// The same where nothing was tried: in user space times are left alone.
pub(crate) fn symlink_in_some_dump(
    dir: BorrowedFd<'_>,
    name: &CStr,
    looked: &Meta,
) -> io::Result<CString> {
    symlink_in_dump(dir, name, looked, !may_be_in_user_space(dir))
}

/// What was read of an entry's attributes.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// Those that count, and the ACL also where it cannot be kept: it tells
    /// whom a copy must shut out.
    pub(crate) xattrs: Xattrs,
    /// What there is besides that this runner cannot keep.
    pub(crate) left_out: Losses,
    /// What could not be read.
    pub(crate) unread: Vec<OpError>,
}

/// The attributes of an entry of the source.
pub(crate) fn attributes(
    subject: Subject<'_>,
    capabilities: &Capabilities,
) -> Result<Attributes, OpError> {
    let mut left_out = Losses::default();
    let mut unread = Vec::new();
    let keep = |name: &[u8]| {
        let kept = capabilities.keeps_xattr(name);
        if !kept && let Some(loss) = Loss::of_attribute(name) {
            left_out.add(loss);
        }
        kept || name == ACL_ACCESS
    };
    let withheld = |name: Option<&CStr>, cause: io::Error| {
        let what = match name {
            Some(name) => name.to_string_lossy(),
            None => "they cannot be listed".into(),
        };
        unread.push(OpError::source(Op::ReadXattr, about(what, cause)));
    };
    let xattrs = xattr::read_most(subject, keep, withheld);
    let xattrs = xattrs.map_err(|cause| OpError::source(Op::ReadXattr, cause))?;
    Ok(Attributes {
        xattrs,
        left_out,
        unread,
    })
}

/// The attributes that count, of a name or of what a handle holds; of the
/// source also the ACL that cannot be kept.
pub(crate) fn xattrs(
    subject: Subject<'_>,
    side: Side,
    capabilities: &Capabilities,
) -> Result<Xattrs, OpError> {
    let keep =
        |name: &[u8]| capabilities.keeps_xattr(name) || side == Side::Source && name == ACL_ACCESS;
    xattr::read(subject, keep).map_err(|cause| OpError {
        side,
        op: Op::ReadXattr,
        cause,
    })
}

/// The kernel stamps files with the time of its last tick, at most 10 ms ago
/// on the slowest of them; twice that is on the safe side.
const TICK: Duration = Duration::from_millis(20);

/// Filesystems that store whole seconds, or pairs of them, show no
/// nanoseconds.
const WHOLE_SECONDS: Duration = Duration::from_secs(2);

/// How long until no later write can carry this time any more, or one that is
/// the same where the dump stores steps of `stored` nanoseconds; `None` when
/// that is so already, or is in the future, which no write of now carries.
pub(crate) fn racy_for(mtime: Time, stored: u32, now: SystemTime) -> Option<Duration> {
    let step = if mtime.nanos == 0 {
        WHOLE_SECONDS
    } else {
        TICK
    };
    let step = step.max(Duration::from_nanos(stored.into()));
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
    let age = now - mtime.as_nanos();
    let step = i128::try_from(step.as_nanos()).unwrap_or(0);
    // A tick that the clock of a server is ahead still counts.
    if age >= step || age < -step {
        return None;
    }
    u64::try_from(step - age).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_step_of_the_clock_is_young() {
        let now = UNIX_EPOCH + Duration::new(1_000, 500_000_000);
        let cases = [
            (Time::new(1_000, 500_000_000), true),
            (Time::new(1_000, 490_000_000), true),
            (Time::new(1_000, 470_000_000), false),
            (Time::new(999, 1), false),
            (Time::new(1_000, 0), true),
            (Time::new(999, 0), true),
            (Time::new(998, 0), false),
            (Time::new(2_000, 0), false),
            (Time::new(-5, 7), false),
            (Time::new(i64::MAX, 0), false),
        ];
        for (mtime, young) in cases {
            assert_eq!(racy_for(mtime, 1, now).is_some(), young, "{mtime:?}");
        }
        let whole_seconds = 1_000_000_000;
        for (mtime, young) in [
            (Time::new(1_000, 470_000_000), true),
            (Time::new(999, 600_000_000), true),
            (Time::new(999, 500_000_000), false),
        ] {
            let found = racy_for(mtime, whole_seconds, now);
            assert_eq!(found.is_some(), young, "{mtime:?}");
        }
    }
}
