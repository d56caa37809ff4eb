//! Dumps on disk, held against what is recorded of them.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use crate::model::time::Time;
use crate::policy::layout::{self, DumpId};
use crate::root::DumpRoot;
use crate::sys::name::c_name;
use crate::sys::xattr::{self, Subject};
use crate::sys::{dir, errno, stat};

/// A dump as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnDisk {
    /// The number of its own directory's inode.
    pub(super) ino: u64,
    /// Its directory's time of change.
    pub(super) ctime: Time,
    pub(super) token: Option<Vec<u8>>,
}

impl OnDisk {
    /// Is it the one that was recorded with these? A dump of an older version
    /// has no token.
    pub(super) fn is(&self, ino: u64, token: Option<&[u8]>) -> bool {
        self.ino == ino && token.is_none_or(|token| self.token.as_deref() == Some(token))
    }
}

/// Looks at a dump; `None` when there is no directory of its name.
pub(super) fn look(root: &DumpRoot, dump: DumpId) -> io::Result<Option<OnDisk>> {
    let handle = match root.open_dump(&dump.rel_path()) {
        Ok(handle) => dir::reopen(handle.as_fd(), dir::For::Reading)?,
        Err(e) if errno::has_changed(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    of(&handle).map(Some)
}

/// What an opened dump is.
pub(super) fn of(handle: &OwnedFd) -> io::Result<OnDisk> {
    let meta = stat::look_at(handle)?;
    let name = c_name(layout::TOKEN_XATTR.as_bytes());
    let token = xattr::get(Subject::Open(handle.as_fd()), &name);
    Ok(OnDisk {
        ino: meta.ino,
        ctime: meta.ctime,
        token: token.ok().flatten(),
    })
}
