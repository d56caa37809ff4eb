//! Why a run ended without publishing anything.
//!
//! An error says what failed, at which path and what can be done. It does not
//! repeat its cause: the system's answer is only in `source()`.

use std::io;
use std::path::PathBuf;

use crate::model::fault::Fault;
use crate::model::path::Printable;
use crate::model::storage::FreeSpace;

use crate::model::size::Size;
pub use reasons::{BadLink, Wanted};
use words::{bad_root_name, lockless, mount_point, pointing, room};

mod reasons;
mod words;

/// Why nothing was published. What was published before is unchanged.
///
/// Displayed as one sentence with the path, which says what can be done. The
/// system's answer is not in it but the last of its `source()`s, as an
/// [`io::Error`]: [`Chain`](crate::Chain) prints both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No tree was given.
    #[error("no tree to dump was given")]
    NoRoots,
    /// One tree was given twice.
    #[error("{} and {} are the same tree; name it only once",
        Printable::path(.first), Printable::path(.second))]
    SameTree {
        /// The path given first.
        first: PathBuf,
        /// The other path to the same tree.
        second: PathBuf,
    },
    /// Two trees would get the same name in the dump.
    #[error("{} and {} would both be named '{name}' in the dump; give one of them another name",
        Printable::path(.first), Printable::path(.second))]
    SameName {
        /// The name in the dump.
        name: String,
        /// The tree that has it.
        first: PathBuf,
        /// The tree that would have it as well.
        second: PathBuf,
    },
    /// Two trees have names that the filesystem of the dump root takes for one.
    #[error("the filesystem of {} does not distinguish '{}' and '{}', the names of {} and {}; give one of \
        them another name",
        Printable::path(.dump), Printable::path(&.names[0]), Printable::path(&.names[1]),
        Printable::path(&.trees[0]), Printable::path(&.trees[1]))]
    FoldedTrees {
        /// The dump root.
        dump: PathBuf,
        /// The names in the dump.
        names: Box<[PathBuf; 2]>,
        /// The trees.
        trees: Box<[PathBuf; 2]>,
    },
    /// A tree has no last name that the dump could use (`/`, `..`), or the
    /// name given for it is not one.
    #[error("{}{}", Printable::path(.path), bad_root_name(.name))]
    BadRootName {
        /// The tree.
        path: PathBuf,
        /// The name that cannot be used.
        name: String,
    },
    /// The tree to dump cannot be opened.
    #[error("cannot open tree {}", Printable::path(.path))]
    MainUnusable {
        /// The tree.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The tree is empty while its reference is not: most likely its disk is
    /// not mounted.
    #[error("{} is empty, but its last dump {} is not; most likely its disk is not mounted",
        Printable::path(.path), Printable::path(.reference))]
    MainEmpty {
        /// The tree.
        path: PathBuf,
        /// Its copy in the reference.
        reference: PathBuf,
    },
    /// The rules exclude a whole tree.
    #[error("the exclude rules leave out the whole tree {}", Printable::path(.path))]
    MainExcluded {
        /// The tree.
        path: PathBuf,
    },
    /// The dump root cannot be opened.
    #[error("cannot open dump root {}", Printable::path(.path))]
    DumpUnusable {
        /// The dump root.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The dump root cannot be locked, although no other run holds it.
    #[error("cannot lock dump root {}{}", Printable::path(.path), lockless(*.unsupported))]
    Unlockable {
        /// The dump root.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
        /// Does the filesystem not support locks?
        unsupported: bool,
    },
    /// A checkpoint was to link to the checkpoint before, and the dump root cannot
    /// store the mark that keeps dumps from linking to it.
    #[error("the filesystem of {} stores no attributes, which distinguish a linked checkpoint from \
        others; make one without --linked", Printable::path(.dump))]
    NoMarks {
        /// The dump root.
        dump: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The dump root has no `current`.
    #[error("{} has no link 'current'; either its disk is not mounted, or it has no dump yet",
        Printable::path(.dump))]
    NoCurrent {
        /// The dump root.
        dump: PathBuf,
    },
    /// `current` does not lead to a dump.
    #[error("{}{}", Printable::path(.link), pointing(.target.as_deref(), *.reason))]
    BadCurrent {
        /// The link.
        link: PathBuf,
        /// What it holds; `None` when it is not a symlink.
        target: Option<PathBuf>,
        /// What is wrong with it.
        reason: BadLink,
    },
    /// A first dump was asked for where there are dumps.
    #[error("{} already has dumps; 'current' points to {}",
        Printable::path(.dump), Printable::path(.target))]
    AlreadyInitialised {
        /// The dump root.
        dump: PathBuf,
        /// What `current` holds.
        target: PathBuf,
    },
    /// Another run holds the dump root.
    #[error("another run holds the dump root {}; try again when it has finished",
        Printable::path(.dump))]
    Busy {
        /// The dump root.
        dump: PathBuf,
    },
    /// Runs have found the dump root held for hours: most likely one of them
    /// hangs.
    #[error("another run holds the dump root {}, and all runs of the last {hours} hours were \
             turned away; check whether it hangs ('fuser -v {}')",
        Printable::path(.dump), Printable::path(.lock))]
    Stuck {
        /// The dump root.
        dump: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// How long ago the first of these runs was turned away, in hours.
        hours: i64,
    },
    /// The lock that a run held was removed or replaced.
    #[error("{} was removed or replaced during the run, so another run may be active; nothing was \
             published, run it again", Printable::path(.lock))]
    LockLost {
        /// The file that was locked.
        lock: PathBuf,
    },
    /// The library's own directory in the dump root, or the lock in it, is not
    /// what it should be.
    #[error("cannot use {}", Printable::path(.path))]
    StateUnusable {
        /// The directory, or the file.
        path: PathBuf,
        /// The system's answer, or what is wrong with it.
        #[source]
        cause: io::Error,
    },
    /// A replica would be made in the dump root that it is read from.
    #[error("{} and {} are the same directory; write to another dump root, on another disk",
        Printable::path(.from), Printable::path(.dump))]
    SameRoot {
        /// The dump root that is read.
        from: PathBuf,
        /// The dump root that would be written.
        dump: PathBuf,
    },
    /// The dump root is inside a dump, which would be written.
    #[error("{} is inside {}, a dump of {}, and published dumps are never changed; use {} itself, \
             or a directory outside it",
        Printable::path(.path), Printable::path(.dump), Printable::path(.root),
        Printable::path(.root))]
    InsideDump {
        /// The dump root that was given.
        path: PathBuf,
        /// The dump that it is in.
        dump: PathBuf,
        /// The dump root of that dump.
        root: PathBuf,
    },
    /// A first dump was asked for on a mount point with nothing mounted on it.
    #[error("{}{} ({}), but nothing is mounted there; mount it first, or the dumps would be \
             written to the disk below",
        Printable::path(.dump), mount_point(.dump, .point), Printable::path(.by))]
    NotMounted {
        /// The dump root.
        dump: PathBuf,
        /// The mount point: the dump root itself, or a directory above it.
        point: PathBuf,
        /// The file that names it: `/etc/fstab`, or a mount unit.
        by: PathBuf,
    },
    /// A first dump was asked for among the dumps of another dump root.
    #[error("{} is among the dumps of {}; use {} itself, or a directory outside it",
        Printable::path(.path), Printable::path(.root), Printable::path(.root))]
    AmongDumps {
        /// The dump root that was given.
        path: PathBuf,
        /// The dump root that it is in.
        root: PathBuf,
    },
    /// The dump's filesystem has no hard links.
    #[error("the dump root {} is on a filesystem without hard links ({fs}); use ext4, xfs or btrfs",
        Printable::path(.dump))]
    NoHardLinks {
        /// The dump root.
        dump: PathBuf,
        /// The filesystem's type.
        fs: String,
    },
    /// The dump's filesystem cannot rename over a name, so `current` would be
    /// missing for a moment whenever it is updated.
    #[error("the dump root {} is on a filesystem that cannot replace a name ({fs}), which updating \
             'current' needs; sshfs can when the server runs OpenSSH",
        Printable::path(.dump))]
    NoReplacing {
        /// The dump root.
        dump: PathBuf,
        /// The filesystem's type.
        fs: String,
    },
    /// The name that the dump should get is taken.
    #[error("{} already exists", Printable::path(.path))]
    NameTaken {
        /// The name.
        path: PathBuf,
    },
    /// There is no dump of the kind that was asked for.
    #[error("{} has no dump {wanted}", Printable::path(.dump))]
    NoSuchDump {
        /// The dump root.
        dump: PathBuf,
        /// Which dump was asked for.
        wanted: Wanted,
    },
    /// No dump of a tree is recorded in the catalog.
    #[error("the catalog of {} has no dump of {}", Printable::path(.dump), Printable::path(.main))]
    NotDumped {
        /// The tree.
        main: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// The dump's disk refuses a call.
    #[error("{}", room(.free.as_ref(), *.needed))]
    DumpDisk {
        /// What it refused.
        #[source]
        fault: Fault,
        /// What is free for this user, when the disk is full.
        free: Option<FreeSpace>,
        /// How many bytes were to be written, when known.
        needed: Option<u64>,
    },
    /// This process or the machine is out of file descriptors or memory.
    #[error("out of file descriptors or memory; raise the limit (ulimit -n) or use fewer jobs")]
    Shortage {
        /// What failed because of it.
        #[source]
        fault: Fault,
    },
    /// The copy will not fit.
    #[error("{} does not have enough space: {} needed, {} free, {} missing",
        Printable::path(.dump), Size(*.needed), Size(*.free), Size(.needed.saturating_sub(*.free)))]
    NoSpace {
        /// The dump root.
        dump: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free for this user.
        free: u64,
    },
    /// The tree disappeared while it was read: what was copied of it is not a
    /// copy of the tree.
    #[error("the tree disappeared while it was being read; nothing was published")]
    SourceGone {
        /// How it was noticed.
        #[source]
        fault: Fault,
    },
    /// Something on the way failed, outside of a run: what `?` makes of a
    /// [`Fault`].
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Another error of this library, which `?` has put here: a
    /// [`FindError`](crate::FindError), [`NotADump`](crate::NotADump),
    /// [`RestoreError`](crate::RestoreError) or
    /// [`FilterError`](crate::FilterError), to be had again by `downcast_ref`.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// The dump to be copied has lost some of what it was published with.
    #[error("{} has only {entries} of the {published} entries that it was published with, because \
             somebody removed the others; it is no longer a complete dump",
        Printable::path(.path))]
    HalfDump {
        /// The dump.
        path: PathBuf,
        /// How many entries it has.
        entries: u64,
        /// How many it had.
        published: u64,
    },
    /// What was read back differs from what was written.
    #[error("{} differs from what was written; the disk cannot be trusted, and nothing was published",
        Printable::path(.path))]
    VerifyFailed {
        /// The first file that differs.
        path: PathBuf,
    },
    /// The run was asked to stop.
    #[error("stopped; nothing was published, and the next run resumes")]
    #[doc(alias = "cancel")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::Chain;
    use crate::model::fault::Op;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart() {
        let full = |errno, by_quota| Error::DumpDisk {
            fault: Fault::new(
                Op::Write,
                PathBuf::from("/dump/f"),
                io::Error::from_raw_os_error(errno),
            ),
            free: Some(FreeSpace {
                bytes: 2048,
                inodes: Some(7),
                quota_is_used_up: by_quota,
            }),
            needed: Some(4096),
        };
        assert_eq!(
            Chain(&full(28, false)).to_string(),
            "the dump disk is full (4.00 KiB to write, 2.00 KiB and 7 inodes free); make room and \
             run again to resume: cannot write /dump/f: No space left on device"
        );
        assert_eq!(
            Chain(&full(122, true)).to_string(),
            "the quota on the dump disk is used up (4.00 KiB to write, 2.00 KiB and 7 inodes free on \
             the disk); make room and run again to resume: cannot write /dump/f: Disk quota \
             exceeded"
        );
    }

    #[test]
    fn a_bad_current_says_what_it_is() {
        let bad = |target: Option<&str>, reason| {
            Error::BadCurrent {
                link: PathBuf::from("/dump/current"),
                target: target.map(PathBuf::from),
                reason,
            }
            .to_string()
        };
        assert_eq!(
            bad(Some("2026/1122/2331"), BadLink::Missing),
            "/dump/current points to 2026/1122/2331, which does not exist; \
             point it to a complete dump"
        );
        assert_eq!(
            bad(Some("2026/1122/2331"), BadLink::NotADirectory),
            "/dump/current points to 2026/1122/2331, which cannot be reached; a year, a day and a \
             dump must each be a directory, not a symlink to one"
        );
        assert_eq!(
            bad(Some("/etc"), BadLink::NotADump),
            "/dump/current points to /etc, which is not a dump of this dump root; \
             point it to a complete dump"
        );
        assert_eq!(
            bad(None, BadLink::NotASymlink),
            "/dump/current is not a symlink; replace it with a symlink to a complete dump"
        );
    }
}
