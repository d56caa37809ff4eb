//! What went wrong with one entry: {operation, path, cause}.
//!
//! Inside the library a failed operation is an [`OpError`]: the operation, the
//! side and the cause, without a path, since operations work by handle and name.
//! The caller that knows the path turns it into a [`Fault`], which observers,
//! reports and people see.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::cause::Cause;
use crate::model::path::Brief;

/// An operation on one entry, named as a person would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Looking at an entry's type, size, times and owner.
    Stat,
    /// Opening a file or directory.
    Open,
    /// Reading a file's contents.
    Read,
    /// Listing a directory.
    List,
    /// Reading where a symlink points.
    ReadLink,
    /// Reading extended attributes or ACLs.
    ReadXattr,
    /// Making a hard link.
    Link,
    /// Making a file, directory, symlink or special file.
    Create,
    /// Writing a file's contents.
    Write,
    /// Setting owner or group.
    SetOwner,
    /// Setting permission bits.
    SetMode,
    /// Setting an extended attribute or ACL.
    SetXattr,
    /// Setting access and modification time.
    SetTimes,
    /// Removing an entry.
    Remove,
    /// Renaming an entry.
    Rename,
    /// Flushing to the disk.
    Sync,
    /// Locking a dump root.
    Lock,
    /// Comparing what was written with what was read, or a file with what was stored.
    Verify,
    /// The same of its mode, owner, extended attributes and ACLs alone.
    VerifyMetadata,
}

impl Op {
    /// The operation as one word in snake_case, for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Stat => "stat",
            Op::Open => "open",
            Op::Read => "read",
            Op::List => "list",
            Op::ReadLink => "read_link",
            Op::ReadXattr => "read_xattr",
            Op::Link => "link",
            Op::Create => "create",
            Op::Write => "write",
            Op::SetOwner => "set_owner",
            Op::SetMode => "set_mode",
            Op::SetXattr => "set_xattr",
            Op::SetTimes => "set_times",
            Op::Remove => "remove",
            Op::Rename => "rename",
            Op::Sync => "sync",
            Op::Lock => "lock",
            Op::Verify => "verify",
            Op::VerifyMetadata => "verify_metadata",
        }
    }
}

impl fmt::Display for Op {
    /// The operation as it reads after "cannot".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Op::Stat => "look at",
            Op::Open => "open",
            Op::Read => "read",
            Op::List => "list",
            Op::ReadLink => "read the symlink",
            Op::ReadXattr => "read the extended attributes of",
            Op::Link => "link",
            Op::Create => "create",
            Op::Write => "write",
            Op::SetOwner => "set the owner of",
            Op::SetMode => "set the permissions of",
            Op::SetXattr => "set the extended attributes of",
            Op::SetTimes => "set the times of",
            Op::Remove => "remove",
            Op::Rename => "rename",
            Op::Sync => "flush",
            Op::Lock => "lock",
            Op::Verify => "verify",
            Op::VerifyMetadata => "verify",
        })
    }
}

/// Which tree an act failed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// The tree that is read.
    Source,
    /// The dump that unchanged entries are linked to.
    Reference,
    /// The dump that is being made.
    Target,
}

/// A failed act, before its path is known.
#[derive(Debug)]
pub(crate) struct OpError {
    /// The tree it failed on.
    pub side: Side,
    /// The operation that failed.
    pub op: Op,
    /// The system's answer.
    pub cause: io::Error,
}

impl OpError {
    /// On the source side.
    pub(crate) fn source(op: Op, cause: impl Into<io::Error>) -> Self {
        Self {
            side: Side::Source,
            op,
            cause: cause.into(),
        }
    }

    /// On the side of the dump being made.
    pub(crate) fn target(op: Op, cause: impl Into<io::Error>) -> Self {
        Self {
            side: Side::Target,
            op,
            cause: cause.into(),
        }
    }

    /// The fault that this is at `path`.
    #[must_use]
    pub(crate) fn at(self, path: PathBuf) -> Fault {
        Fault {
            op: self.op,
            path,
            cause: self.cause.into(),
        }
    }
}

/// A failure that concerns one entry: what was tried, on which path, and the
/// system's answer.
///
/// Displayed as what was tried and the path; the answer is its `source()`.
/// [`Chain`](crate::Chain) prints both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The operation that failed.
    pub op: Op,
    /// The entry, as a path that a person can use.
    pub path: PathBuf,
    /// The system's answer.
    pub cause: Cause,
}

impl Fault {
    /// A fault of these parts.
    #[must_use]
    pub fn new(op: Op, path: impl Into<PathBuf>, cause: impl Into<Cause>) -> Self {
        Self {
            op,
            path: path.into(),
            cause: cause.into(),
        }
    }

    /// What the system's answer to an act on this path makes of it.
    pub(crate) fn at(op: Op, path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::new(op, path.to_path_buf(), cause)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Brief::path(&self.path);
        write!(f, "cannot {} {path}", self.op)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error of the standard library itself, for who looks for one.
        Some(&*self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::Chain;

    #[test]
    fn a_fault_reads_as_a_sentence() {
        let cause = io::Error::from_raw_os_error(13);
        let fault = OpError::source(Op::Open, cause).at(PathBuf::from("/home/a\nb"));
        assert_eq!(fault.to_string(), "cannot open /home/a\\012b");
        assert_eq!(
            Chain(&fault).to_string(),
            "cannot open /home/a\\012b: Permission denied"
        );
    }
}
