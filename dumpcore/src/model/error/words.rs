//! Parts of the sentences of [`Error`](super::Error) that depend on its values.

use std::path::Path;

use super::reasons::BadLink;
use crate::model::path::Printable;
use crate::model::size::Size;
use crate::model::storage::FreeSpace;

/// What is wrong with a link to a dump, and what to do about it.
pub(super) fn pointing(target: Option<&Path>, reason: BadLink) -> String {
    let which = target.map_or_else(String::new, |target| {
        format!(" points to {}, which", Printable::path(target))
    });
    let what = match reason {
        BadLink::NotASymlink => {
            return " is not a symlink; replace it with a symlink to a complete dump".to_owned();
        }
        BadLink::NotADump => "is not a dump of this dump root",
        BadLink::Missing => "does not exist",
        BadLink::NotADirectory => {
            return format!(
                "{which} cannot be reached; a year, a day and a dump must each be a directory, \
                 not a symlink to one"
            );
        }
    };
    format!("{which} {what}; point it to a complete dump")
}

/// Is the dump root the mount point itself?
pub(super) fn mount_point(dump: &Path, point: &Path) -> String {
    match dump == point {
        true => " is a mount point".to_owned(),
        false => format!(" is at or below the mount point {}", Printable::path(point)),
    }
}

/// What can be done about a filesystem that does not support locks.
pub(super) fn lockless(unsupported: bool) -> &'static str {
    if unsupported {
        ", whose filesystem does not support locks; over NFS, run the lock service on both \
         machines, or mount with 'nolock' if only this machine writes there"
    } else {
        ""
    }
}

/// Why a tree cannot stand under a name in a dump.
pub(super) fn bad_root_name(name: &str) -> String {
    match name {
        "" => " has no last name that the dump could use; give it a name".to_owned(),
        name => format!(": '{name}' cannot be the name of a tree in a dump; give it another name"),
    }
}

/// What the dump's disk has against a call: it is full, or something else.
pub(super) fn room(free: Option<&FreeSpace>, needed: Option<u64>) -> String {
    let Some(free) = free else {
        return "an operation on the dump root failed".to_owned();
    };
    let (full, whose) = match free.quota_is_used_up {
        // What is free is the disk's: the system does not tell what is left of
        // a quota.
        true => ("the quota on the dump disk is used up", " on the disk"),
        false => ("the dump disk is full", ""),
    };
    let needed = needed.map_or_else(String::new, |bytes| format!("{} to write, ", Size(bytes)));
    let inodes = free
        .inodes
        .map_or_else(String::new, |inodes| format!(" and {inodes} inodes"));
    let bytes = Size(free.bytes);
    format!("{full} ({needed}{bytes}{inodes} free{whose}); make room and run again to resume")
}
