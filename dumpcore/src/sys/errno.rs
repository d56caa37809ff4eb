//! What the system's answers mean: the questions that callers ask of them.
//!
//! Each question lists exactly the errnos it says yes to, and why.

use rustix::io::Errno;
use std::io;

fn is(error: &io::Error, any: &[Errno]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|raw| any.iter().any(|e| e.raw_os_error() == raw))
}

/// There is nothing of that name; not the system's answer, but ours.
pub(crate) fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// A file ends before what was written to it; our answer.
pub(crate) fn cut_short() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// The name is taken; our answer.
pub(crate) fn taken() -> io::Error {
    io::ErrorKind::AlreadyExists.into()
}

/// What the system would say of a change to what is immutable or append-only; our
/// answer.
pub(crate) fn not_permitted() -> io::Error {
    Errno::PERM.into()
}

/// Something on the way is not a directory; our answer.
pub(crate) fn no_directory() -> io::Error {
    io::ErrorKind::NotADirectory.into()
}

/// A path that cannot be meant; our answer.
pub(crate) fn invalid() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

/// Somebody asked to stop; our answer.
pub(crate) fn interrupted() -> io::Error {
    io::ErrorKind::Interrupted.into()
}

/// The name is gone, or has become something else since it was looked at:
/// another type (ENOTDIR), a symlink (ELOOP), a socket or a device without
/// a driver (ENXIO on open).
pub(crate) fn has_changed(error: &io::Error) -> bool {
    is(
        error,
        &[Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NXIO],
    )
}

/// There is no such name.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    is(error, &[Errno::NOENT])
}

/// There is nothing of that path: no such name, or something else than a
/// directory on the way to it.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    is(error, &[Errno::NOENT, Errno::NOTDIR])
}

/// The call does not suit the file: EINVAL.
pub(crate) fn is_invalid(error: &io::Error) -> bool {
    is(error, &[Errno::INVAL])
}

/// It is not a directory (ENOTDIR), or a symlink, which was not to be followed
/// (ELOOP; with O_DIRECTORY the kernel says ENOTDIR of that, too).
pub(crate) fn is_no_directory(error: &io::Error) -> bool {
    is(error, &[Errno::NOTDIR, Errno::LOOP])
}

/// A name or a path is longer than the kernel takes.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    is(error, &[Errno::NAMETOOLONG])
}

/// There is such a name already.
pub(crate) fn is_taken(error: &io::Error) -> bool {
    is(error, &[Errno::EXIST, Errno::NOTEMPTY])
}

/// The very name exists.
pub(crate) fn exists(error: &io::Error) -> bool {
    is(error, &[Errno::EXIST])
}

/// It is a directory, where something else was expected: Linux says EISDIR
/// to `unlink`, POSIX would say EPERM.
pub(crate) fn is_directory(error: &io::Error) -> bool {
    is(error, &[Errno::ISDIR])
}

/// `readlink` on what is not a symlink.
pub(crate) fn is_no_symlink(error: &io::Error) -> bool {
    is(error, &[Errno::INVAL])
}

/// Only the owner (or root) may.
pub(crate) fn is_not_permitted(error: &io::Error) -> bool {
    is(error, &[Errno::PERM, Errno::ACCESS])
}

/// The mount itself is gone: a network peer (ENOTCONN, ESHUTDOWN, ESTALE) or
/// the device (ENODEV). Nothing more can be read of this tree.
pub(crate) fn is_mount_gone(error: &io::Error) -> bool {
    is(
        error,
        &[Errno::NOTCONN, Errno::STALE, Errno::NODEV, Errno::SHUTDOWN],
    )
}

/// The file that a handle holds is gone from its server. So may the whole
/// export be.
pub(crate) fn is_stale(error: &io::Error) -> bool {
    is(error, &[Errno::STALE])
}

/// The server does not answer, or the way to it is closed: NFS and CIFS say so
/// of every request meanwhile, where their mounts are not to wait for ever.
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
    is(
        error,
        &[
            Errno::TIMEDOUT,
            Errno::HOSTDOWN,
            Errno::HOSTUNREACH,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::CONNABORTED,
            Errno::CONNRESET,
        ],
    )
}

/// What no further entry on this disk will survive: it is full (ENOSPC,
/// EDQUOT), read-only (EROFS), failing (EIO, EUCLEAN: damaged structure),
/// unreachable or gone.
pub(crate) fn is_disk_refusal(error: &io::Error) -> bool {
    is(
        error,
        &[
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::IO,
            Errno::UCLEAN,
        ],
    ) || is_mount_gone(error)
        || is_unreachable(error)
}

/// What the filesystem says of itself does not fit (EUCLEAN, which is EFSCORRUPTED,
/// and EBADMSG, a wrong checksum of its own): a check of it has to mend that.
pub(crate) fn is_filesystem_damage(error: &io::Error) -> bool {
    is(error, &[Errno::UCLEAN, Errno::BADMSG])
}

/// The disk has no room, for this user.
pub(crate) fn is_full(error: &io::Error) -> bool {
    is(error, &[Errno::NOSPC, Errno::DQUOT])
}

/// A quota is used up.
pub(crate) fn is_quota(error: &io::Error) -> bool {
    is(error, &[Errno::DQUOT])
}

/// This process or machine lacks descriptors or memory: no fault of any entry.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    is(error, &[Errno::MFILE, Errno::NFILE, Errno::NOMEM])
}

/// A link to this inode is refused, while a copy of it is welcome: it has no
/// link left to give (EMLINK), it belongs to somebody else and the system
/// protects hard links (EPERM), it may not be searched (EACCES), or it has
/// gone from the reference (ENOENT) or is on another filesystem (EXDEV).
pub(crate) fn is_link_refused(error: &io::Error) -> bool {
    is(
        error,
        &[
            Errno::MLINK,
            Errno::PERM,
            Errno::ACCESS,
            Errno::NOENT,
            Errno::XDEV,
        ],
    )
}

/// An inode has no link left to give.
pub(crate) fn is_out_of_links(error: &io::Error) -> bool {
    is(error, &[Errno::MLINK])
}

/// Two names are on different filesystems, or subvolumes.
pub(crate) fn is_other_filesystem(error: &io::Error) -> bool {
    is(error, &[Errno::XDEV])
}

/// The filesystem or the kernel does not know this operation: ENOSYS of old
/// kernels, EOPNOTSUPP and ENOTTY of filesystems, EINVAL of flags unknown.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    is(
        error,
        &[Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTTY, Errno::INVAL],
    )
}

/// There is no room, be it on the disk or, as ext4 says, in the one block that
/// an inode's extended attributes may take.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    is(error, &[Errno::NOSPC])
}

/// An attribute is larger than its filesystem takes: more than the block that
/// it has for them (ENOSPC of ext4), or more than it allows (E2BIG, ERANGE).
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    is(error, &[Errno::NOSPC, Errno::TOOBIG, Errno::RANGE])
}

/// Attributes may not be read, or cannot be, of an entry that is well itself:
/// a security module keeps them (EACCES, EPERM), or the list of their names, or
/// a value, is larger than Linux hands out (E2BIG, ERANGE).
pub(crate) fn is_attribute_withheld(error: &io::Error) -> bool {
    is(
        error,
        &[Errno::TOOBIG, Errno::RANGE, Errno::ACCESS, Errno::PERM],
    )
}

/// Is the filesystem read-only?
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    is(error, &[Errno::ROFS])
}

/// The lock is held by somebody else.
pub(crate) fn is_locked(error: &io::Error) -> bool {
    is(error, &[Errno::WOULDBLOCK])
}

/// The filesystem gives no locks: it has none (ENOSYS, EOPNOTSUPP, EINVAL), or
/// its server's lock service does not answer (ENOLCK, of NFS).
pub(crate) fn is_lockless(error: &io::Error) -> bool {
    is(error, &[Errno::NOLCK]) || is_unsupported(error)
}

/// The answer for a disk that has not appeared yet: nothing (ENOENT), an
/// automount point that found no device (ENODEV) or was let go meanwhile
/// (EHOSTDOWN), or a mount whose device or peer has gone, and which comes back
/// by being mounted again.
pub(crate) fn is_yet_to_appear(error: &io::Error) -> bool {
    is(error, &[Errno::NOENT, Errno::HOSTDOWN]) || is_mount_gone(error)
}

/// An I/O error that the disk reports for this place.
pub(crate) fn is_io(error: &io::Error) -> bool {
    is(error, &[Errno::IO])
}
