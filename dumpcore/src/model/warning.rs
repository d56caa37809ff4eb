//! What a person should know of a run, and which is no fault.
//!
//! A warning says what happened, to which path, and what can be done about it.
//! It changes no exit code.

use std::fmt;
use std::path::PathBuf;

use crate::model::copy_reason::CopyReason;
use crate::model::loss::Loss;
use crate::model::minute::Stamp;
use crate::model::path::Printable;

/// Something a person should know, which is no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The clock stands far before the newest dump.
    ClockBehind {
        /// What the clock says.
        now: Stamp,
        /// What `current` is named after.
        current: Stamp,
    },
    /// The dump root lies inside the tree and was left out.
    DumpInsideMain {
        /// Its path in the tree.
        path: PathBuf,
    },
    /// Entries came to directories until the end of a run: what was moved within
    /// the tree meanwhile may be missing from the dump.
    KeptMoving {
        /// A directory that something came to when it was looked at for the
        /// third time.
        path: PathBuf,
    },
    /// What the kernel makes up (proc, sysfs, …) was found in a tree, and left
    /// out: an empty directory stands there.
    KernelFilesystems {
        /// Their paths in the tree, and their types.
        left_out: Vec<(PathBuf, &'static str)>,
    },
    /// What a restoration is making, or left behind when it was stopped, was
    /// left out.
    RestoringLeftOut {
        /// Its path in the tree.
        path: PathBuf,
    },
    /// The dump that is linked to does not tell when its trees were read, so
    /// that changes which leave size and time as they were are not seen: once a
    /// run for each such dump.
    ReadingUnknown {
        /// The dump.
        reference: PathBuf,
    },
    /// Nothing is mounted where the last dump had something; told once.
    MountAway {
        /// The mount point.
        path: PathBuf,
        /// The dump that has what was mounted there, in the dump root.
        last: PathBuf,
    },
    /// The dump's filesystem takes different names for one: of those only one can
    /// be in a directory. Told once a run, whether the tree has such or not.
    NamesFolded {
        /// The dump root.
        path: PathBuf,
        /// What it does not tell apart, for people.
        what: &'static str,
    },
    /// More than a tenth of what was read was compared only since its files had
    /// been touched, and had not changed.
    ComparedInVain {
        /// How many bytes.
        bytes: u64,
        /// Of how many.
        of: u64,
    },
    /// A file kept changing while it was read; the next dump copies it anew.
    Unstable {
        /// The file.
        path: PathBuf,
    },
    /// The dump's filesystem cannot store some of what dumps preserve, whoever
    /// the runner is: told once a run, whether the tree has any of it or not.
    NotPreserved {
        /// The dump root.
        path: PathBuf,
        /// What is lost, and why, for people.
        what: String,
    },
    /// The dump's filesystem does not keep permission bits, whatever it answers:
    /// told once a run.
    PermissionsNotKept {
        /// The dump root.
        path: PathBuf,
        /// The filesystem's type.
        filesystem: String,
        /// The bits that are not kept: `0o7777` at most.
        lost: u16,
        /// What a file shows that only its owner should read and write.
        shown: u16,
        /// Is it NTFS by way of ntfs-3g, which keeps them when it is mounted
        /// with an option?
        by_ntfs_3g: bool,
    },
    /// Entries are in the dump without something that cannot be kept there, or
    /// not by this runner: told once a run.
    NotKept {
        /// What they lack.
        what: Loss,
        /// How many entries lack it.
        number: u64,
        /// The first of them, in the tree that is read.
        first: PathBuf,
    },
    /// Unchanged entries were copied, or would be, since links to what the last
    /// dump has of them are refused: told once a run for each reason.
    LinksRefused {
        /// Why: [`CopyReason::link_refused`] says yes to it.
        why: CopyReason,
        /// How many entries.
        number: u64,
        /// The sum of their sizes in bytes.
        bytes: u64,
        /// The first of them, in the tree that is read.
        first: PathBuf,
    },
    /// An entry of the reference could not be read, so it was copied anew.
    ReferenceUnreadable {
        /// The entry in the reference.
        path: PathBuf,
        /// The system's answer.
        cause: String,
    },
    /// A group of hard links had to be split: its inode can take no more.
    GroupSplit {
        /// The first name of the second part.
        path: PathBuf,
    },
    /// There are fewer workers than were asked for.
    FewerJobs {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        jobs: usize,
        /// What there was too little of.
        cause: String,
    },
    /// What an earlier run left behind is not of the same roots, and stays.
    ForeignLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// What an earlier run left behind is held by another program: a run that
    /// lost its lock, say.
    HeldLeftover {
        /// Its path.
        path: PathBuf,
    },
    /// Others cannot reach a tree, but they can reach its copy.
    LetsIn {
        /// The tree.
        tree: PathBuf,
        /// The directory above it that shuts them out.
        parent: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// A file with a setuid or setgid bit was stored where such bits count: told
    /// of the first.
    Setuid {
        /// Where it will be.
        path: PathBuf,
        /// The dump root.
        dump: PathBuf,
    },
    /// A file of a dump cannot be read any more.
    Damaged {
        /// The file.
        path: PathBuf,
        /// A version of the same size and time that can be read, in an older
        /// dump or in the main tree.
        good: Option<PathBuf>,
    },
    /// The dump that is linked to has no tree of this name, so all of it is
    /// copied.
    NewTree {
        /// The tree.
        path: PathBuf,
        /// Where the dump that is linked to would have it.
        reference: PathBuf,
    },
    /// The dump that is linked to has a tree that this run does not read, so
    /// that this dump is without it.
    MissingTree {
        /// The tree in the dump that is linked to.
        reference: PathBuf,
    },
    /// An entry was gone before it could be read. Only in a report: an observer
    /// is told by [`Action::Vanished`](crate::Action::Vanished).
    Vanished {
        /// Where it was, in the tree that is read.
        path: PathBuf,
    },
    /// A first replica is made on the very filesystem that it is read from.
    SameFilesystem {
        /// The dump root that is read.
        from: PathBuf,
        /// The dump root that is written.
        dump: PathBuf,
    },
    /// A leftover of an earlier run had taken the last inode of the disk, and
    /// was removed.
    LeftoverRemoved {
        /// Its path.
        path: PathBuf,
    },
    /// Something of a removed dump could not be removed, and still takes room.
    NotRemoved {
        /// Its path.
        path: PathBuf,
        /// What was tried, and the system's answer.
        cause: String,
    },
    /// A leftover of an earlier run is taken over.
    Resuming {
        /// Its path.
        path: PathBuf,
        /// Has its content surely reached the disk, so that it need not be
        /// compared byte for byte?
        trusted: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::ClockBehind { now, current } => write!(
                f,
                "the clock says {now}, but the newest dump is of {current}: \
                 check the clock; this dump is named after it all the same"
            ),
            Warning::DumpInsideMain { path } => write!(
                f,
                "{} is the dump root itself: left out of the dump",
                Printable::path(path)
            ),
            Warning::RestoringLeftOut { path } => write!(
                f,
                "{} is left out of the dump: it belongs to a restoration that is not \
                 finished, and the next one in its place removes it",
                Printable::path(path)
            ),
            Warning::ReadingUnknown { reference } => write!(
                f,
                "{} does not tell when its trees were read (it was imported, copied by \
                 hand, or made by another program): changes that leave size and \
                 modification time as they were are not seen in this dump",
                Printable::path(reference)
            ),
            Warning::MountAway { path, last } => write!(
                f,
                "nothing is mounted on {}, where the last dump had files: they are not in \
                 this dump, and when they return they are linked to {}",
                Printable::path(path),
                Printable::path(last)
            ),
            Warning::NamesFolded { path, what } => write!(
                f,
                "{} does not tell {what} in names: of such names in one directory a dump \
                 holds only one",
                Printable::path(path)
            ),
            Warning::ComparedInVain { bytes, of } => write!(
                f,
                "{} MiB of {} MiB had to be compared, since their files had been touched, \
                 and had not changed: if another program hard-links them, --ignore-ctime \
                 spares the comparison",
                bytes.div_ceil(1 << 20),
                of.div_ceil(1 << 20)
            ),
            Warning::Unstable { path } => write!(
                f,
                "{} kept changing while it was read: this dump has a mixture, \
                 the next one copies it again",
                Printable::path(path)
            ),
            Warning::NotPreserved { path, what } => {
                write!(f, "{} does not keep {what}", Printable::path(path))
            }
            Warning::PermissionsNotKept {
                path,
                filesystem,
                lost,
                shown,
                by_ntfs_3g,
            } => {
                let path = Printable::path(path);
                match lost & 0o777 {
                    0o777 => write!(f, "{path} does not keep permissions")?,
                    _ => write!(f, "{path} does not keep the permission bits {lost:04o}")?,
                }
                write!(f, " (its filesystem, {filesystem}, shows its own)")?;
                if lost & shown & 0o044 != 0 {
                    f.write_str(": anyone who may enter the dump root reads everything in it")?;
                }
                if *by_ntfs_3g {
                    f.write_str("; to keep them, mount it with '-o permissions'")?;
                }
                Ok(())
            }
            Warning::NotKept {
                what,
                number,
                first,
            } => {
                let first = Printable::path(first);
                write!(
                    f,
                    "{first} is stored without {what}, which cannot be kept here"
                )?;
                match number.saturating_sub(1) {
                    0 => Ok(()),
                    1 => f.write_str("; so is 1 other entry"),
                    more => write!(f, "; so are {more} other entries"),
                }
            }
            Warning::LinksRefused {
                why,
                number,
                bytes,
                first,
            } => {
                let entries = if *number == 1 { "entry" } else { "entries" };
                write!(
                    f,
                    "{number} unchanged {entries} ({bytes} bytes) copied, {} first, since links \
                     to the last dump are refused: {}",
                    Printable::path(first),
                    refused(*why)
                )
            }
            Warning::ReferenceUnreadable { path, cause } => write!(
                f,
                "{} of the last dump cannot be read ({cause}): copied anew",
                Printable::path(path)
            ),
            Warning::GroupSplit { path } => write!(
                f,
                "{}: its hard links are more than one inode of the dump's filesystem \
                 can have: from here on they are linked to a second copy",
                Printable::path(path)
            ),
            Warning::FewerJobs { asked, jobs, cause } => {
                write!(f, "only {jobs} of {asked} workers: {cause}")
            }
            Warning::ForeignLeftover { path } => write!(
                f,
                "{} was left by a run over other roots: not touched; \
                 remove it, with 'dumpctl remove', when that run is not to be resumed",
                Printable::path(path)
            ),
            Warning::HeldLeftover { path } => write!(
                f,
                "{} is held by another program: not touched",
                Printable::path(path)
            ),
            Warning::LetsIn { tree, parent, dump } => write!(
                f,
                "{} shuts others out of {}, but nothing shuts them out of its copy: \
                 'chmod 700 {}' does",
                Printable::path(parent),
                Printable::path(tree),
                Printable::path(dump)
            ),
            Warning::Setuid { path, dump } => write!(
                f,
                "{} has a setuid or setgid bit, which counts in the dump as well: \
                 mount the filesystem of {} with nosuid",
                Printable::path(path),
                Printable::path(dump)
            ),
            Warning::Damaged { path, good } => match good {
                Some(good) => write!(
                    f,
                    "{} cannot be read any more: a good version is {}",
                    Printable::path(path),
                    Printable::path(good)
                ),
                None => write!(
                    f,
                    "{} cannot be read any more, and no older dump or main tree \
                     has a good version",
                    Printable::path(path)
                ),
            },
            Warning::NewTree { path, reference } => write!(
                f,
                "{} is copied whole, since there is no {}, nor has any older \
                 dump here a tree of that name",
                Printable::path(path),
                Printable::path(reference)
            ),
            Warning::MissingTree { reference } => write!(
                f,
                "{} is not in this dump, since this run does not read its tree: \
                 sets may take turns in one dump root, and this is told once; \
                 to have all trees in each dump, dump them in one run",
                Printable::path(reference)
            ),
            Warning::KeptMoving { path } => write!(
                f,
                "entries kept coming to {} and perhaps to other directories until the end: \
                 what was moved there last may be missing, and is in the next dump",
                Printable::path(path)
            ),
            Warning::KernelFilesystems { left_out } => kernel(left_out, f),
            Warning::Vanished { path } => {
                let path = Printable::path(path);
                write!(f, "{path} vanished before it could be read")
            }
            Warning::SameFilesystem { from, dump } => write!(
                f,
                "{} is on the same filesystem as {}: what that disk loses, both lose",
                Printable::path(dump),
                Printable::path(from)
            ),
            Warning::LeftoverRemoved { path } => write!(
                f,
                "{} had taken the last inode of its disk, and is emptied: \
                 this run begins anew",
                Printable::path(path)
            ),
            Warning::NotRemoved { path: _, cause } => write!(
                f,
                "{cause}: it is left of a removed dump and takes room; \
                 the next run tries again"
            ),
            Warning::Resuming { path, trusted } => write!(
                f,
                "going on with {}, left by a run that stopped{}",
                Printable::path(path),
                if *trusted {
                    ""
                } else {
                    "; its contents are compared, for they may not have reached the disk"
                }
            ),
        }
    }
}

/// Names as many as a line can bear.
fn kernel(left_out: &[(PathBuf, &'static str)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const NAMED: usize = 8;
    f.write_str("what the kernel itself makes up is left out of the dump:")?;
    for (at, (path, kind)) in left_out.iter().take(NAMED).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma} {} ({kind})", Printable::path(path))?;
    }
    match left_out.len().saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

/// Why a link is refused, and what to do about it.
fn refused(why: CopyReason) -> &'static str {
    match why {
        CopyReason::Immutable => {
            "what it has is immutable; take that off finished dumps with 'chattr -R -i -a'"
        }
        CopyReason::LinkNotPermitted => {
            "what it has belongs to another user, and fs.protected_hardlinks is on; \
             let one user make all dumps of a dump root"
        }
        CopyReason::OtherFilesystem => {
            "it lies on another filesystem or subvolume; keep a dump root within one"
        }
        CopyReason::ReferenceGone => "it lacks them by now; remove no dump while another is made",
        _ => "their inodes can take no more names; later dumps are linked to the copies",
    }
}
