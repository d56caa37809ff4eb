//! What a person should know about a run although nothing failed.
//!
//! A warning says what happened, to which path, and what to do about it. It
//! does not change the exit code. The sentences are in the files below, one for
//! each theme, so that a caller who needs other words finds all values here.

mod left_out;
mod reading;
mod runs;
mod storing;

use std::fmt;
use std::path::PathBuf;

use crate::model::cause::Cause;
use crate::model::copy_reason::CopyReason;
use crate::model::fault::Fault;
use crate::model::loss::Loss;
use crate::model::minute::Stamp;
use crate::model::unsupported::Unsupported;

/// Something a person should know although nothing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The clock is far behind the newest dump.
    ClockBehind {
        /// What the clock says.
        now: Stamp,
        /// The minute that `current` is named after.
        current: Stamp,
    },
    /// The dump root is inside the tree and was left out.
    DumpInsideMain {
        /// Its path in the tree.
        path: PathBuf,
    },
    /// Directories kept gaining entries until the end of the run: entries that
    /// were moved within the tree meanwhile may be missing from the dump.
    KeptMoving {
        /// A directory that had gained entries when it was listed for the third
        /// time.
        path: PathBuf,
    },
    /// Kernel filesystems (proc, sysfs, …) were found in a tree and left out: the
    /// dump has an empty directory for each.
    KernelFilesystems {
        /// Their paths in the tree, and their types.
        left_out: Vec<(PathBuf, &'static str)>,
    },
    /// What an unfinished restoration is making, or left behind, was left out.
    RestoringLeftOut {
        /// Its path in the tree.
        path: PathBuf,
    },
    /// The reference does not record when its trees were read, so that changes
    /// which keep size and time are not detected. Once per run for each such
    /// dump.
    ReadingUnknown {
        /// The dump.
        reference: PathBuf,
    },
    /// Nothing is mounted where the last dump had files; reported once.
    MountAway {
        /// The mount point.
        path: PathBuf,
        /// The dump that has what was mounted there, as a path in the dump root.
        last: PathBuf,
    },
    /// The dump's filesystem treats different names as one, so that only one of
    /// them can be in a directory. Once per run, whether the tree has such names
    /// or not.
    NamesFolded {
        /// The dump root.
        path: PathBuf,
        /// Are names that differ in upper and lower case one?
        case: bool,
        /// Are names that differ in how accented letters are encoded one?
        accents: bool,
    },
    /// More than a tenth of the bytes read were compared only because their files
    /// had been touched, and turned out not to have changed.
    ComparedInVain {
        /// How many bytes.
        bytes: u64,
        /// How many bytes were read in all.
        of: u64,
    },
    /// A file kept changing while it was read; the next dump copies it again.
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// The dump's filesystem cannot store some of what dumps preserve, for any
    /// user. Once per run, whether the tree has any of it or not.
    NotPreserved {
        /// The dump root.
        path: PathBuf,
        /// The filesystem's type.
        filesystem: String,
        /// What it does not keep.
        lost: Vec<Unsupported>,
    },
    /// The dump's filesystem does not keep permission bits, even where it reports
    /// success. Once per run.
    PermissionsNotKept {
        /// The dump root.
        path: PathBuf,
        /// The filesystem's type.
        filesystem: String,
        /// The bits that are not kept: `0o7777` at most.
        lost: u16,
        /// The permission bits shown for a file that only its owner should read
        /// and write.
        shown: u16,
        /// Is it NTFS through ntfs-3g, which keeps them when mounted with an
        /// option?
        by_ntfs_3g: bool,
    },
    /// Entries are in the dump without something that cannot be kept there, or
    /// not by this user. Once per run.
    NotKept {
        /// What they lack.
        what: Loss,
        /// How many entries lack it.
        number: u64,
        /// The first of them, in the tree that is read.
        first: PathBuf,
    },
    /// Unchanged entries were copied, or would be in a dry run, because links to
    /// the reference are refused. Once per run for each reason.
    LinksRefused {
        /// Why: one for which [`CopyReason::link_refused`] is true.
        why: CopyReason,
        /// How many entries.
        number: u64,
        /// The sum of their sizes in bytes.
        bytes: u64,
        /// The first of them, in the tree that is read.
        first: PathBuf,
    },
    /// An entry of the reference could not be read, so the source was copied.
    ReferenceUnreadable {
        /// The entry in the reference.
        path: PathBuf,
        /// The system's answer.
        cause: Cause,
    },
    /// The catalog is not used, or was not told of this dump; the dump is as good
    /// without.
    CatalogUnused {
        /// Its file.
        path: PathBuf,
        /// Why.
        cause: Cause,
    },
    /// A group of hard links had to be split, because its inode reached the limit
    /// of the filesystem.
    GroupSplit {
        /// The first name of the second part.
        path: PathBuf,
    },
    /// There are fewer workers than requested.
    FewerJobs {
        /// How many were requested.
        asked: usize,
        /// How many there are.
        jobs: usize,
        /// Why there are no more.
        cause: Cause,
    },
    /// What an earlier run over other trees left behind is not touched.
    ForeignLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// What an earlier run left behind is in use by another program, for example
    /// a run that lost its lock, and is not touched.
    HeldLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// What an earlier run left behind is immutable or append-only itself, and is not
    /// touched.
    FixedLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// Other users cannot reach a tree, but they can reach its copy.
    LetsIn {
        /// The tree.
        tree: PathBuf,
        /// The directory above it that keeps them out.
        parent: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// A file with a setuid or setgid bit was stored on a filesystem where such
    /// bits take effect. Only the first is reported.
    Setuid {
        /// Where it will be.
        path: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// A file of a dump can no longer be read, or is not what was stored.
    Damaged {
        /// The file.
        path: PathBuf,
        /// A good version: one with the hash that was recorded or, where none
        /// was, a readable one of the same size and time.
        good: Option<PathBuf>,
    },
    /// A file of a dump is damaged, and its copy has the contents of a good one.
    Healed {
        /// The file.
        path: PathBuf,
        /// The good one.
        good: PathBuf,
    },
    /// The reference has no tree of this name, so all of it is copied.
    NewTree {
        /// The tree.
        path: PathBuf,
        /// Where the reference would have it.
        reference: PathBuf,
    },
    /// The reference has a tree that this run does not read, so that this dump
    /// lacks it.
    MissingTree {
        /// The tree in the reference.
        reference: PathBuf,
    },
    /// An entry was gone before it could be read. Only in a report: an observer
    /// receives [`Action::Vanished`](crate::Action::Vanished).
    Vanished {
        /// Where it was, in the tree that is read.
        path: PathBuf,
    },
    /// A first replica is made on the filesystem that it is read from.
    SameFilesystem {
        /// The dump root that is read.
        from: PathBuf,
        /// The dump root that is written.
        dump: PathBuf,
    },
    /// A leftover of an earlier run had used the last inode of the disk and was
    /// removed.
    LeftoverRemoved {
        /// Its path.
        path: PathBuf,
    },
    /// A leftover of an earlier run, or an expired dump, held something that could be
    /// neither removed nor changed. The dump was made without it.
    SetAside {
        /// Where it is now, on its way out.
        path: PathBuf,
        /// What was tried, on which path in it, and the system's answer.
        fault: Fault,
    },
    /// Part of a removed dump could not be removed and still takes space.
    NotRemoved {
        /// What was tried, on which path, and the system's answer.
        fault: Fault,
    },
    /// Of an expired dump that was to be recycled, something could not be used: that
    /// is linked and copied as without it.
    NotRecycled {
        /// What was tried, on which path, and the system's answer.
        fault: Fault,
    },
    /// A leftover of an earlier run is resumed.
    Resuming {
        /// Its path.
        path: PathBuf,
        /// Is its content known to have reached the disk, so that it need not be
        /// compared byte by byte?
        trusted: bool,
    },
}

impl Warning {
    /// The error that led to it, where one did, as
    /// [`Error::source`](std::error::Error::source) tells that of an error.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The error of the standard library itself, for those who look for one.
            Self::ReferenceUnreadable { cause, .. } | Self::FewerJobs { cause, .. } => {
                Some(&**cause)
            }
            Self::SetAside { fault, .. }
            | Self::NotRemoved { fault }
            | Self::NotRecycled { fault } => Some(fault),
            _ => None,
        }
    }

    fn of_expired(&self, f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
        match self {
            Self::NotRecycled { .. } => runs::not_recycled(f, fault),
            _ => runs::not_removed(f, fault),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockBehind { now, current } => runs::clock_behind(f, *now, *current),
            Self::DumpInsideMain { path } => left_out::dump_root(f, path),
            Self::KeptMoving { path } => reading::kept_moving(f, path),
            Self::KernelFilesystems { left_out } => left_out::kernel(f, left_out),
            Self::RestoringLeftOut { path } => left_out::restoring(f, path),
            Self::ReadingUnknown { reference } => reading::unknown_since(f, reference),
            Self::MountAway { path, last } => left_out::mount_away(f, path, last),
            Self::NamesFolded {
                path,
                case,
                accents,
            } => storing::names_folded(f, path, *case, *accents),
            Self::ComparedInVain { bytes, of } => reading::compared_in_vain(f, *bytes, *of),
            Self::Unstable { path } => reading::unstable(f, path),
            Self::NotPreserved {
                path,
                filesystem,
                lost,
            } => storing::not_preserved(f, path, filesystem, lost),
            Self::PermissionsNotKept {
                path,
                filesystem,
                lost,
                shown,
                by_ntfs_3g,
            } => storing::permissions(f, path, filesystem, *lost, *shown, *by_ntfs_3g),
            Self::NotKept {
                what,
                number,
                first,
            } => storing::not_kept(f, *what, *number, first),
            Self::LinksRefused {
                why,
                number,
                bytes,
                first,
            } => storing::links_refused(f, *why, *number, *bytes, first),
            Self::ReferenceUnreadable { path, cause } => reading::reference(f, path, cause),
            Self::CatalogUnused { path: _, cause } => runs::catalog_unused(f, cause),
            Self::GroupSplit { path } => storing::group_split(f, path),
            Self::FewerJobs { asked, jobs, cause } => runs::fewer_jobs(f, *asked, *jobs, cause),
            Self::ForeignLeftover { path } => runs::foreign_leftover(f, path),
            Self::HeldLeftover { path } => runs::held_leftover(f, path),
            Self::FixedLeftover { path } => runs::fixed_leftover(f, path),
            Self::LetsIn { tree, parent, dump } => storing::lets_in(f, tree, parent, dump),
            Self::Setuid { path, dump } => storing::setuid(f, path, dump),
            Self::Damaged { path, good } => reading::damaged(f, path, good.as_deref()),
            Self::Healed { path, good } => reading::healed(f, path, good),
            Self::NewTree { path, reference } => left_out::new_tree(f, path, reference),
            Self::MissingTree { reference } => left_out::missing_tree(f, reference),
            Self::Vanished { path } => reading::vanished(f, path),
            Self::SameFilesystem { from, dump } => storing::same_filesystem(f, from, dump),
            Self::LeftoverRemoved { path } => runs::leftover_removed(f, path),
            Self::SetAside { path, fault } => runs::set_aside(f, path, fault),
            Self::NotRemoved { fault } | Self::NotRecycled { fault } => self.of_expired(f, fault),
            Self::Resuming { path, trusted } => runs::resuming(f, path, *trusted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::{Chain, about};
    use crate::model::fault::Op;
    use std::io;

    #[test]
    fn a_cause_is_printed_without_its_number_and_kept_with_it() {
        let answer = || io::Error::from_raw_os_error(13);
        let path = || PathBuf::from("/dump/f");
        for (warning, text) in [
            (
                Warning::ReferenceUnreadable {
                    path: path(),
                    cause: answer().into(),
                },
                "/dump/f in the last dump cannot be read (Permission denied); it is copied again",
            ),
            (
                Warning::FewerJobs {
                    asked: 4,
                    jobs: 1,
                    cause: about("cannot start a thread", answer()).into(),
                },
                "only 1 of 4 workers: cannot start a thread: Permission denied",
            ),
            (
                Warning::NotRemoved {
                    fault: Fault::new(Op::Remove, path(), answer()),
                },
                "part of a removed dump still takes space; the next run tries again: cannot \
                 remove /dump/f: Permission denied",
            ),
            (
                Warning::SetAside {
                    path: PathBuf::from("/dump/.dump/removing/d"),
                    fault: Fault::new(Op::Remove, path(), answer()),
                },
                "cannot remove /dump/f: Permission denied; so this dump is made without what was \
                 there, which is now in /dump/.dump/removing/d and is removed when that can be done",
            ),
            (
                Warning::NotRecycled {
                    fault: Fault::new(Op::Rename, path(), answer()),
                },
                "an expired dump cannot be recycled: cannot rename /dump/f: Permission denied",
            ),
        ] {
            assert_eq!(warning.to_string(), text);
            let source = warning.source().expect("an error led to it");
            assert!(text.contains(&Chain(source).to_string()), "{source}");
            let mut innermost = source;
            while let Some(below) = innermost.source() {
                innermost = below;
            }
            let innermost = innermost.downcast_ref::<io::Error>();
            assert_eq!(
                innermost.and_then(io::Error::raw_os_error),
                Some(13),
                "{text}"
            );
        }
        assert!(Warning::Unstable { path: path() }.source().is_none());
    }
}
