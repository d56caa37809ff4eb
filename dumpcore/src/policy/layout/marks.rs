//! The attributes on a dump's own directory in which it tells about itself.

use crate::model::lacking::Lacking;

/// The extended attribute, on what is being made, that tells what of it has
/// surely reached the disk.
pub(crate) const FLUSHED_XATTR: &str = "user.dump.flushed";
/// The extended attribute, on a dump, that tells when its run began: RFC 3339
/// in UTC, with nanoseconds.
pub(crate) const MOMENT_XATTR: &str = "user.dump.moment";
/// The extended attribute, on a published dump that lacks entries, that tells
/// how many: a decimal number, or a word where nobody knows.
pub(crate) const PARTIAL_XATTR: &str = "user.dump.partial";
/// The extended attribute, on a dump, that says for each tree when reading of
/// it began: [`ReadMark`](crate::policy::touched::ReadMark).
pub(crate) const READ_XATTR: &str = "user.dump.read";
/// The extended attribute, on a dump, that tells it from every other that was or
/// will be under its name: random bytes.
pub(crate) const TOKEN_XATTR: &str = "user.dump.token";
/// The extended attribute, on a checkpoint that shares nothing with dumps, but
/// files with the checkpoints of its chain: no dump is linked to it.
pub(crate) const LINKED_XATTR: &str = "user.dump.linked";
/// The extended attribute, on a dump that is being made, that says that trees of an
/// expired dump were moved into it: what is in it may have been stored before.
pub(crate) const RECYCLED_XATTR: &str = "user.dump.recycled";
/// The extended attribute, on an imported dump, that says of which copy: the
/// program that made it, the directory with its copies, and the tree in them,
/// separated by NUL.
pub(crate) const ORIGIN_XATTR: &str = "user.dump.origin";
/// The extended attribute, on a replica, that says when the newest inode of
/// the dump that it is a copy of was born: nanoseconds since 1970.
pub(crate) const NEWEST_BIRTH_XATTR: &str = "user.dump.born";
/// The extended attribute, on a dump, in which it remembers what was mounted
/// below its trees: [`MountNote`](crate::policy::mounts::MountNote).
pub(crate) const MOUNTS_XATTR: &str = "user.dump.mounts";
/// The extended attribute, on a dump, in which it remembers where nothing has
/// attributes.
pub(crate) const BARE_XATTR: &str = "user.dump.bare";
/// The extended attribute, on a dump, that says how many names were below it
/// when it was published.
pub(crate) const NAMES_XATTR: &str = "user.dump.names";
/// The extended attribute, on a dump, that says how large its files were
/// together when it was published, each name counted, in bytes.
pub(crate) const BYTES_XATTR: &str = "user.dump.bytes";

/// The mark of a dump of which nobody knows how much it lacks.
const UNKNOWN: &str = "unknown";

/// How many entries a dump lacks, by its mark; one without a number means that
/// it lacks some.
#[must_use]
pub(crate) fn partial_of(mark: &[u8]) -> Option<Lacking> {
    let text = std::str::from_utf8(mark).unwrap_or_default();
    match text.trim().parse() {
        Ok(0) => None,
        Ok(number) => Some(Lacking::Entries(number)),
        Err(_) => Some(Lacking::Unknown),
    }
}

/// The mark of a dump that lacks this.
#[must_use]
pub(crate) fn partial_mark(lacking: Lacking) -> String {
    let number = lacking.number();
    number.map_or_else(|| UNKNOWN.to_owned(), |number| number.to_string())
}
