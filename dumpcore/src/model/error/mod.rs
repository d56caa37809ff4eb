//! Why a run ended without publishing anything.

use std::io;
use std::path::PathBuf;

use crate::model::fault::{Fault, plain};
use crate::model::path::Printable;

use words::{at_or_below, lockless, pointing, size, space, which};

mod words;

/// Why nothing was published. Whatever was published before is as it was.
///
/// Displayed as one sentence with the path, which says what can be done. The
/// system's answer is in the sentence, and as an [`io::Error`] the last of its
/// `source()`s.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No tree was named.
    #[error("no tree to dump was named")]
    NoRoots,
    /// One tree was named twice.
    #[error("{} and {} are the same tree: give it once",
        Printable::path(.first), Printable::path(.second))]
    SameTree {
        /// As it was named first.
        first: PathBuf,
        /// As it was named once more.
        second: PathBuf,
    },
    /// Two trees would get the same name in the dump.
    #[error("{} and {} would both be named '{name}' in the dump: give one another name",
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
    #[error("the filesystem of {} takes '{}' and '{}', the names of {} and {}, for the same name: \
        give one another name",
        Printable::path(.dump), Printable::path(&.names[0]), Printable::path(&.names[1]),
        Printable::path(&.trees[0]), Printable::path(&.trees[1]))]
    FoldedTrees {
        /// The dump root.
        dump: PathBuf,
        /// The names in the dump.
        names: [PathBuf; 2],
        /// The trees.
        trees: [PathBuf; 2],
    },
    /// A tree has no last name that the dump could use (`/`, `..`), or the
    /// name given for it is none.
    #[error("{}: '{name}' cannot be the name of a root in a dump: give it another name",
        Printable::path(.path))]
    BadRootName {
        /// The tree.
        path: PathBuf,
        /// The name that will not do.
        name: String,
    },
    /// The tree to dump cannot be opened.
    #[error("the tree {} cannot be opened: {}", Printable::path(.path), plain(.cause))]
    MainUnusable {
        /// The tree.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The tree is empty while its reference is not: most likely a disk that
    /// is not mounted.
    #[error("{} is empty, but its last dump {} is not: most likely its disk is not mounted",
        Printable::path(.path), Printable::path(.reference))]
    MainEmpty {
        /// The tree.
        path: PathBuf,
        /// Its copy in the reference.
        reference: PathBuf,
    },
    /// The rules exclude a whole root.
    #[error("the exclude rules leave out the whole tree {}", Printable::path(.path))]
    MainExcluded {
        /// The tree.
        path: PathBuf,
    },
    /// The dump root cannot be opened.
    #[error("the dump root {} cannot be opened: {}", Printable::path(.path), plain(.cause))]
    DumpUnusable {
        /// The dump root.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The dump root cannot be locked, and nobody holds it.
    #[error("the dump root {} cannot be locked: {}{}",
        Printable::path(.path), plain(.cause), lockless(*.unsupported))]
    Unlockable {
        /// The dump root.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
        /// Is it that the filesystem has no locks?
        unsupported: bool,
    },
    /// The dump root has no `current`.
    #[error("{} has no link 'current': either its disk is not mounted, or it never had a dump",
        Printable::path(.dump))]
    NoCurrent {
        /// The dump root.
        dump: PathBuf,
    },
    /// `current` names no dump.
    #[error("{}{} {reason}: {} at a complete dump",
        Printable::path(.link), which(.target.as_deref()), pointing(.target.as_deref()))]
    BadCurrent {
        /// The link.
        link: PathBuf,
        /// What it holds; `None` when it is no symlink.
        target: Option<PathBuf>,
        /// What is wrong with it, as a clause.
        reason: String,
    },
    /// A first dump was asked for where there is one.
    #[error("{} has dumps already: 'current' points to {}",
        Printable::path(.dump), Printable::path(.target))]
    AlreadyInitialised {
        /// The dump root.
        dump: PathBuf,
        /// What `current` holds.
        target: PathBuf,
    },
    /// Another run holds the dump root.
    #[error("another run holds the dump root {}: try again when it is done", Printable::path(.dump))]
    Busy {
        /// The dump root.
        dump: PathBuf,
    },
    /// Runs have found the dump root held for hours: most likely one of them
    /// hangs.
    #[error("another run holds the dump root {}, and no run has got through for {hours} hours: \
             see whether it hangs ('fuser -v {}')",
        Printable::path(.dump), Printable::path(.lock))]
    Stuck {
        /// The dump root.
        dump: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// How long ago the first of these runs was turned away, in hours.
        hours: i64,
    },
    /// The lock that a run held was taken away under it.
    #[error("{} was removed or replaced while the dump was made, so another run may be at work: \
             nothing is published, run it again", Printable::path(.lock))]
    LockLost {
        /// The file that was locked.
        lock: PathBuf,
    },
    /// The runner's own directory in the dump root, or the lock in it, is not
    /// what it should be.
    #[error("{} cannot be used: {}", Printable::path(.path), plain(.cause))]
    StateUnusable {
        /// The directory, or the file.
        path: PathBuf,
        /// The system's answer, or what is wrong with it.
        #[source]
        cause: io::Error,
    },
    /// A replica would be made where it is read from.
    #[error("{} and {} are the same directory: a replica of a dump belongs in another dump root, on another disk",
        Printable::path(.from), Printable::path(.dump))]
    SameRoot {
        /// The dump root that is read.
        from: PathBuf,
        /// The dump root that would be written.
        dump: PathBuf,
    },
    /// The dump root lies in a dump, which would be written.
    #[error("{} lies in {}, a dump of {}, and what is published is never written again: \
             take {} itself, or a directory outside of it",
        Printable::path(.path), Printable::path(.dump), Printable::path(.root),
        Printable::path(.root))]
    InsideDump {
        /// The dump root that was named.
        path: PathBuf,
        /// The dump that it lies in.
        dump: PathBuf,
        /// The dump root of that dump.
        root: PathBuf,
    },
    /// A first dump was asked for on a mount point with nothing mounted on it.
    #[error("{}{} a mount point of {}, and nothing is mounted there: mount it, or the dumps would \
             lie on the disk below", Printable::path(.dump), at_or_below(.dump, .point),
        Printable::path(.by))]
    NotMounted {
        /// The dump root.
        dump: PathBuf,
        /// The mount point: the dump root itself, or a directory above it.
        point: PathBuf,
        /// The file that names it: `/etc/fstab`, or a mount unit.
        by: PathBuf,
    },
    /// A first dump was asked for among the dumps of another dump root.
    #[error("{} lies among the dumps of {}: take {} itself, or a directory outside of it",
        Printable::path(.path), Printable::path(.root), Printable::path(.root))]
    AmongDumps {
        /// The dump root that was named.
        path: PathBuf,
        /// The dump root that it lies in.
        root: PathBuf,
    },
    /// The dump's filesystem has no hard links.
    #[error("the dump root {} is on a filesystem without hard links ({fs}): use ext4, xfs or btrfs",
        Printable::path(.dump))]
    NoHardLinks {
        /// The dump root.
        dump: PathBuf,
        /// The filesystem's type.
        fs: String,
    },
    /// The dump's filesystem cannot rename over a name, so `current` could
    /// not be moved without being missing for a moment.
    #[error("the dump root {} is on a filesystem that cannot replace a name ({fs}), as 'current' must be: for sshfs, the server must be OpenSSH",
        Printable::path(.dump))]
    NoReplacing {
        /// The dump root.
        dump: PathBuf,
        /// The filesystem's type.
        fs: String,
    },
    /// The name that the dump should get is taken.
    #[error("{} is there already", Printable::path(.path))]
    NameTaken {
        /// The name.
        path: PathBuf,
    },
    /// There is no dump of the kind that was asked for.
    #[error("{} has no dump {what}", Printable::path(.dump))]
    NoSuchDump {
        /// The dump root.
        dump: PathBuf,
        /// Which dump was looked for, as a clause.
        what: String,
    },
    /// The dump's disk refuses.
    #[error("{fault}{}", space(.fault, .free, .needed))]
    DumpDisk {
        /// What it refused.
        #[source]
        fault: Fault,
        /// Free bytes for the runner and free inodes, when they matter.
        free: Option<(u64, u64)>,
        /// How many bytes were to be written, when known.
        needed: Option<u64>,
    },
    /// This process or machine lacks descriptors or memory.
    #[error(
        "{fault}: this process needs more than it may have; raise its limits, or use fewer jobs"
    )]
    Shortage {
        /// What failed for want of it.
        #[source]
        fault: Fault,
    },
    /// The copy will not fit.
    #[error("{} has not enough room: {} are needed, {} are free, {} are missing",
        Printable::path(.dump), size(*.needed), size(*.free), size(.needed.saturating_sub(*.free)))]
    NoSpace {
        /// The dump root.
        dump: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free for the runner.
        free: u64,
    },
    /// The source has gone: what is left of it is no copy of it.
    #[error("{fault}: the tree has gone while it was read, so nothing is published")]
    SourceGone {
        /// How it was noticed.
        #[source]
        fault: Fault,
    },
    /// The dump that is to be copied has lost some of what it was published
    /// with.
    #[error("{} has only {entries} of the {published} entries that it was published with, \
             since somebody removed the others: it is no dump any more",
        Printable::path(.path))]
    HalfDump {
        /// The dump.
        path: PathBuf,
        /// How many entries it has.
        entries: u64,
        /// How many it had.
        published: u64,
    },
    /// What was read back is not what was written.
    #[error("{} differs from what was written: the disk is not to be trusted, so nothing is published",
        Printable::path(.path))]
    VerifyFailed {
        /// The first file that differs.
        path: PathBuf,
    },
    /// The run was asked to stop.
    #[error("stopped; nothing is published, and the next run goes on from here")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::Op;
    use std::error::Error as _;

    #[test]
    fn the_systems_answer_is_the_last_source() {
        let cause = || io::Error::from_raw_os_error(2);
        let path = PathBuf::from("/newage");
        let gone = Error::SourceGone {
            fault: Fault::new(Op::List, path.clone(), cause()),
        };
        let unusable = Error::MainUnusable {
            path,
            cause: cause(),
        };
        let code = |error: Option<&(dyn std::error::Error + 'static)>| {
            error?.downcast_ref::<io::Error>()?.raw_os_error()
        };
        assert_eq!(code(unusable.source()), Some(2));
        assert_eq!(
            code(gone.source().and_then(|fault| fault.source())),
            Some(2)
        );
    }

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_apart() {
        let full = |errno| Error::DumpDisk {
            fault: Fault::new(
                Op::Write,
                PathBuf::from("/dump/f"),
                io::Error::from_raw_os_error(errno),
            ),
            free: Some((2048, 7)),
            needed: Some(4096),
        };
        let text = "cannot write /dump/f: No space left on device; \
                    4096 bytes (4.0 KiB) were to be written; \
                    2048 bytes (2.0 KiB) and 7 inodes are free; \
                    make room and run again, it goes on from here";
        assert_eq!(full(28).to_string(), text);
        let text = text
            .replace("No space left on device", "Disk quota exceeded")
            .replace("are free", "are free, but the quota is used up");
        assert_eq!(full(122).to_string(), text);
    }

    #[test]
    fn a_bad_current_says_what_it_is() {
        let bad = |target: Option<&str>, reason: &str| {
            Error::BadCurrent {
                link: PathBuf::from("/dump/current"),
                target: target.map(PathBuf::from),
                reason: reason.to_owned(),
            }
            .to_string()
        };
        assert_eq!(
            bad(Some("2026/1122/2331"), "is not there"),
            "/dump/current points to 2026/1122/2331, which is not there: \
             point it at a complete dump"
        );
        assert_eq!(
            bad(None, "is no symlink"),
            "/dump/current is no symlink: \
             put a symlink in its place that points at a complete dump"
        );
    }
}
