//! Values as the columns of the tables hold them, both ways.

use rusqlite::Row;

use super::values::{Facts, Hash, InodeId, Known, SourceId, recorded_nanos};
use crate::model::kind::Kind;
use crate::model::metadata::Xattrs;
use crate::model::time::Time;

/// The columns of an inode, as `known` reads them.
macro_rules! inode_columns {
    () => {
        "i.id, i.ino, i.born, i.kind, i.mode, i.uid, i.gid, i.size, i.bytes, i.mtime, i.rdev, \
         i.src_fs, i.src_ino, i.src_born, i.src_ctime"
    };
}
pub(super) use inode_columns;

/// The bytes of a name.
pub(super) fn bytes<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(row.get_ref(at)?.as_blob()?)
}

/// An inode, from the columns of [`inode_columns`] from `at` on.
pub(super) fn known(row: &Row<'_>, at: usize) -> rusqlite::Result<Known> {
    let source = match row.get::<_, Option<i64>>(at + 11)? {
        None => None,
        Some(fs) => {
            let ino = row.get::<_, i64>(at + 12)?.cast_unsigned();
            let born = time(row.get(at + 13)?);
            Some((SourceId { fs, ino, born }, time(row.get(at + 14)?)))
        }
    };
    Ok(Known {
        inode: InodeId(row.get(at)?),
        facts: facts(row, at + 1)?,
        source,
    })
}

/// The facts of an inode: the columns from `ino` to `rdev`.
pub(super) fn facts(row: &Row<'_>, at: usize) -> rusqlite::Result<Facts> {
    let kind: i64 = row.get(at + 2)?;
    let odd = || rusqlite::Error::IntegralValueOutOfRange(at + 2, kind);
    let born: i64 = row.get(at + 1)?;
    Ok(Facts {
        kind: kind_of(kind).ok_or_else(odd)?,
        ino: row.get::<_, Option<i64>>(at)?.map(i64::cast_unsigned),
        born: (born != 0).then(|| time(born)),
        mode: row.get(at + 3)?,
        uid: row.get(at + 4)?,
        gid: row.get(at + 5)?,
        size: row.get::<_, i64>(at + 6)?.cast_unsigned(),
        bytes: row.get::<_, i64>(at + 7)?.cast_unsigned(),
        mtime: time(row.get(at + 8)?),
        rdev: row.get::<_, i64>(at + 9)?.cast_unsigned(),
    })
}

/// Nanoseconds since 1970, as near as 64 bits can tell.
pub(super) fn nanos(time: Time) -> i64 {
    i64::try_from(recorded_nanos(time)).unwrap_or(i64::MAX)
}

pub(super) fn time(nanos: i64) -> Time {
    Time::from_nanos(nanos.into())
}

const KINDS: [Kind; 7] = [
    Kind::File,
    Kind::Dir,
    Kind::Symlink,
    Kind::Fifo,
    Kind::Socket,
    Kind::Char,
    Kind::Block,
];

/// The number that a type has in the tables.
pub(super) fn kind_number(kind: Kind) -> i64 {
    let at = KINDS.iter().position(|one| *one == kind);
    at.and_then(|at| i64::try_from(at).ok()).unwrap_or_default()
}

pub(super) fn kind_of(number: i64) -> Option<Kind> {
    KINDS.get(usize::try_from(number).ok()?).copied()
}

/// What the column `rdev` holds of a directory: a digest of its attributes and
/// ACLs, 0 without any. Each dump has directories of its own, so that their
/// inodes do not tell when only these changed.
pub(crate) fn attributes_digest(xattrs: &Xattrs) -> u64 {
    if xattrs.is_empty() {
        return 0;
    }
    let mut hasher = blake3::Hasher::new();
    for part in xattrs.iter().flat_map(|(name, value)| [name, value]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut digest = [0; 8];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(digest).max(1)
}

/// Does a digest stand for these attributes, which a directory of a dump has? A run
/// may have kept none of those that only root sees, and kernels give some themselves:
/// a security label.
pub(super) fn is_digest_of(digest: u64, xattrs: &Xattrs) -> bool {
    const MAY_LACK: [&[&[u8]]; 4] = [
        &[],
        &[b"security."],
        &[b"trusted."],
        &[b"security.", b"trusted."],
    ];
    MAY_LACK.iter().any(|lacks| {
        let is_kept = |name: &[u8]| !lacks.iter().any(|class| name.starts_with(class));
        attributes_digest(&xattrs.filtered(is_kept)) == digest
    })
}

/// A hash with a checksum of its own, which says that it is this inode's.
pub(super) fn closed_hash(ino: i64, born: i64, hash: &Hash) -> [u8; 36] {
    let mut closed = [0; 36];
    closed[..32].copy_from_slice(&hash.0);
    closed[32..].copy_from_slice(&hash_check(ino, born, hash));
    closed
}

/// The hash in a row, if it is that inode's.
pub(super) fn open_hash(ino: i64, born: i64, closed: &[u8]) -> Option<Hash> {
    let hash = Hash(closed.get(..32)?.try_into().ok()?);
    (closed[32..] == hash_check(ino, born, &hash)).then_some(hash)
}

fn hash_check(ino: i64, born: i64, hash: &Hash) -> [u8; 4] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&ino.to_le_bytes());
    hasher.update(&born.to_le_bytes());
    hasher.update(&hash.0);
    let mut check = [0; 4];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_one_inodes() {
        let hash = Hash([7; 32]);
        let closed = closed_hash(1, 2, &hash);
        assert_eq!(open_hash(1, 2, &closed), Some(hash));
        assert_eq!(open_hash(1, 3, &closed), None);
        assert_eq!(open_hash(2, 2, &closed), None);
        for bit in 0..36 * 8 {
            let mut flipped = closed;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open_hash(1, 2, &flipped), None, "bit {bit}");
        }
        for short in [&closed[..0], &closed[..32], &closed[..35]] {
            assert_eq!(open_hash(1, 2, short), None);
        }
    }

    #[test]
    fn attributes_that_differ_have_another_digest() {
        let of = |list: &[(&str, &str)]| {
            let list = list.iter();
            let list =
                list.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            attributes_digest(&Xattrs::new(list.collect()))
        };
        assert_eq!(of(&[]), 0);
        let all = [
            of(&[("user.a", "1")]),
            of(&[("user.a", "2")]),
            of(&[("user.a1", "")]),
            of(&[("user.a", ""), ("1", "")]),
            of(&[("user.a", "1"), ("user.b", "1")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_ne!(*one, 0);
            assert!(!all[..at].contains(one), "{at}");
        }
        let (one, other) = (("user.a", "1"), ("user.b", "2"));
        assert_eq!(of(&[one, other]), of(&[other, one]));
    }

    #[test]
    fn a_digest_may_lack_what_only_root_or_a_kernel_gives() {
        let of = |names: &[&str]| {
            let list = names.iter().map(|name| (name.as_bytes().to_vec(), vec![1]));
            Xattrs::new(list.collect())
        };
        let there = of(&["security.selinux", "trusted.a", "user.a"]);
        for kept in [
            &["security.selinux", "trusted.a", "user.a"][..],
            &["trusted.a", "user.a"],
            &["security.selinux", "user.a"],
            &["user.a"],
        ] {
            assert!(
                is_digest_of(attributes_digest(&of(kept)), &there),
                "{kept:?}"
            );
        }
        for other in [&[][..], &["user.b"], &["user.a", "user.b"], &["trusted.a"]] {
            assert!(
                !is_digest_of(attributes_digest(&of(other)), &there),
                "{other:?}"
            );
        }
        assert!(is_digest_of(0, &of(&[])) && !is_digest_of(0, &of(&["user.a"])));
    }

    #[test]
    fn kinds_and_times_come_back() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let number = i64::try_from(number).expect("few");
            assert_eq!(kind_number(kind), number);
            assert_eq!(kind_of(number), Some(kind));
        }
        assert_eq!((kind_of(-1), kind_of(7)), (None, None));
        for at in [
            Time::new(0, 0),
            Time::new(-1, 999_999_999),
            Time::new(1 << 33, 5),
        ] {
            assert_eq!(time(nanos(at)), at);
        }
        for far in [
            Time::new(i64::MAX, 0),
            Time::new(i64::MIN, 0),
            Time::new(1 << 34, 0),
        ] {
            assert_ne!(time(nanos(far)), far, "not taken for equal");
        }
    }
}
