//! Warnings about what the dump's filesystem makes of a tree: what it cannot
//! keep, which links it refuses, and whom it lets in.

use std::fmt;
use std::path::Path;

use crate::model::copy_reason::CopyReason;
use crate::model::loss::Loss;
use crate::model::path::Printable;
use crate::model::size::Size;
use crate::model::unsupported::Unsupported;

pub(super) fn names_folded(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    case: bool,
    accents: bool,
) -> fmt::Result {
    let what = match (case, accents) {
        (true, true) => "upper and lower case, and encodings of accented letters,",
        (true, false) => "upper and lower case",
        (false, _) => "encodings of accented letters",
    };
    write!(
        f,
        "{} does not distinguish {what} in names; of names in one directory that differ only in \
         that, a dump holds one",
        Printable::path(path)
    )
}

pub(super) fn not_preserved(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    filesystem: &str,
    lost: &[Unsupported],
) -> fmt::Result {
    let lost: Vec<_> = lost.iter().map(Unsupported::to_string).collect();
    write!(
        f,
        "{} does not keep {} (its filesystem is {filesystem})",
        Printable::path(path),
        lost.join(", ")
    )
}

pub(super) fn permissions(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    filesystem: &str,
    lost: u16,
    shown: u16,
    by_ntfs_3g: bool,
) -> fmt::Result {
    let path = Printable::path(path);
    match lost & 0o777 {
        0o777 => write!(f, "{path} does not keep permissions")?,
        _ => write!(f, "{path} does not keep the permission bits {lost:04o}")?,
    }
    write!(f, " (its filesystem, {filesystem}, shows its own)")?;
    if lost & shown & 0o044 != 0 {
        f.write_str("; anyone who can enter the dump root can read everything in it")?;
    }
    if by_ntfs_3g {
        f.write_str("; mount it with '-o permissions' to keep them")?;
    }
    Ok(())
}

pub(super) fn not_kept(
    f: &mut fmt::Formatter<'_>,
    what: Loss,
    number: u64,
    first: &Path,
) -> fmt::Result {
    let first = Printable::path(first);
    write!(
        f,
        "{first} is stored without {what}, which cannot be kept here"
    )?;
    match number.saturating_sub(1) {
        0 => Ok(()),
        1 => f.write_str("; the same is true of 1 other entry"),
        more => write!(f, "; the same is true of {more} other entries"),
    }
}

pub(super) fn links_refused(
    f: &mut fmt::Formatter<'_>,
    why: CopyReason,
    number: u64,
    bytes: u64,
    first: &Path,
) -> fmt::Result {
    let were = if number == 1 {
        "entry was"
    } else {
        "entries were"
    };
    let size = Size(bytes);
    write!(
        f,
        "{number} unchanged {were} copied ({size}), {} first, because links to the last \
         dump are refused: {}",
        Printable::path(first),
        refused(why)
    )
}

/// Why a link is refused, and what to do about it.
fn refused(why: CopyReason) -> &'static str {
    match why {
        CopyReason::Immutable => "its files are immutable; run 'chattr -R -i -a' on finished dumps",
        CopyReason::LinkNotPermitted => {
            "its files belong to another user, and fs.protected_hardlinks is on; let one user \
             make all dumps in a dump root"
        }
        CopyReason::OtherFilesystem => {
            "it is on another filesystem or subvolume; keep a dump root within one"
        }
        CopyReason::ReferenceGone => {
            "its files have disappeared; do not remove dumps while another one is made"
        }
        _ => {
            "its files have as many names as the filesystem allows; later dumps link to the copies"
        }
    }
}

pub(super) fn group_split(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(
        f,
        "{} has more hard links than the dump's filesystem allows for one inode; from this name \
         on they are linked to a second copy",
        Printable::path(path)
    )
}

pub(super) fn lets_in(
    f: &mut fmt::Formatter<'_>,
    tree: &Path,
    parent: &Path,
    dump: &Path,
) -> fmt::Result {
    write!(
        f,
        "{} keeps other users out of {}, but nothing keeps them out of its copy; run 'chmod 700 {}'",
        Printable::path(parent),
        Printable::path(tree),
        Printable::path(dump)
    )
}

pub(super) fn setuid(f: &mut fmt::Formatter<'_>, path: &Path, dump: &Path) -> fmt::Result {
    write!(
        f,
        "{} has a setuid or setgid bit, which takes effect in the dump as well; mount the \
         filesystem of {} with nosuid",
        Printable::path(path),
        Printable::path(dump)
    )
}

pub(super) fn same_filesystem(f: &mut fmt::Formatter<'_>, from: &Path, dump: &Path) -> fmt::Result {
    write!(
        f,
        "{} is on the same filesystem as {}; if that disk fails, both are lost",
        Printable::path(dump),
        Printable::path(from)
    )
}
