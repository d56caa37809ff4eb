//! Who may do what with a copy: permission bits, ACL and capability together.
//!
//! A copy must not be more open than its original. Where the owner, the group
//! or the ACL of an entry cannot be kept, those that they kept out would be
//! let in by what is left: a program would run as another user, another group
//! could read, and a user whom the ACL keeps out would count among all others. So
//! what is left is narrowed here, and never widened.

use crate::model::metadata::{
    ACL_ACCESS, CAPABILITY, Capabilities, Kind, Meta, SETGID, SETUID, Xattrs,
};

/// Does a copy have the owner and the group of its original?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) uid: bool,
    pub(crate) gid: bool,
}

impl Capabilities {
    /// The permission bits that a fresh copy would have, of an entry without an
    /// ACL: setuid and setgid go when the owner or group they speak of cannot
    /// be kept, and another group may not read what all others cannot.
    #[must_use]
    pub fn storable_mode(&self, meta: &Meta) -> u16 {
        let owned = self.owned(meta);
        for_group(without_setid(meta.mode, meta.kind, owned), meta.kind, owned)
    }

    /// Would a fresh copy have the same owner and group?
    pub(crate) fn owned(&self, meta: &Meta) -> Owned {
        Owned {
            uid: self.storable_uid(meta.uid) == meta.uid,
            gid: self.storable_gid(meta.gid) == meta.gid,
        }
    }

    /// The permission bits and attributes that a copy gets that has, or has
    /// not, the owner and group of its original. `xattrs` holds the original's
    /// ACL also where that cannot be stored.
    pub(crate) fn storable_access(
        &self,
        meta: &Meta,
        xattrs: &Xattrs,
        owned: Owned,
    ) -> (u16, Xattrs) {
        let mode = without_setid(meta.mode, meta.kind, owned);
        if xattrs.is_empty() {
            return (for_group(mode, meta.kind, owned), Xattrs::default());
        }
        let keeps = |name: &[u8]| self.keeps_xattr(name) && (owned.uid || name != CAPABILITY);
        let kept = xattrs.filtered(keeps);
        match xattrs.get(ACL_ACCESS) {
            None => (for_group(mode, meta.kind, owned), kept),
            Some(acl) if !self.acls => {
                let mode = without_acl(mode, acl);
                (for_group(mode, meta.kind, owned), kept)
            }
            // The bits of the group are the mask of the ACL, and stay.
            Some(_) if owned.gid => (mode, kept),
            Some(acl) => (
                mode,
                kept.with(ACL_ACCESS, for_another_group(acl, meta.kind)),
            ),
        }
    }
}

fn without_setid(mode: u16, kind: Kind, owned: Owned) -> u16 {
    let lost = |kept: bool, bit: u16| if kept || kind == Kind::Dir { 0 } else { bit };
    mode & !lost(owned.uid, SETUID) & !lost(owned.gid, SETGID)
}

/// The permission bits for another group: who is in that was among all others
/// before.
fn for_group(mode: u16, kind: Kind, owned: Owned) -> u16 {
    let (group, other) = (mode >> 3 & 0o7, mode & 0o7);
    if owned.gid {
        mode
    } else {
        mode & !0o070 | may_of_group(group, other, kind) << 3
    }
}

/// What another group may do: as much as the original's, unless it could then
/// read, or search, what all others cannot.
fn may_of_group(group: u16, other: u16, kind: Kind) -> u16 {
    let reads = if kind == Kind::Dir { 0o5 } else { 0o4 };
    if group & !other & reads == 0 {
        group
    } else {
        group & other
    }
}

/// The permission bits in place of an ACL: whom it names, and gives less than
/// the group or all others have, is one of these without it.
pub(crate) fn without_acl(mode: u16, acl: &[u8]) -> u16 {
    let Some(entries) = Entry::all(acl) else {
        // What cannot be understood may shut out anybody.
        return mode & !0o077;
    };
    let of = |tag: u16| entries.iter().filter(move |entry| entry.tag == tag);
    let mask = of(Entry::MASK).fold(0o7, |mask, entry| mask & entry.may);
    let named = |tag| of(tag).fold(0o7, |may, entry| may & entry.may & mask);
    let group = of(Entry::GROUP_OBJ).fold(mask, |may, entry| may & entry.may);
    let group = group & named(Entry::USER);
    let other = of(Entry::OTHER).fold(0o7, |may, entry| may & entry.may);
    let other = other & named(Entry::USER) & named(Entry::GROUP);
    mode & (!0o077 | group << 3 | other)
}

/// The ACL of an entry that has another group.
fn for_another_group(acl: &[u8], kind: Kind) -> Vec<u8> {
    let Some(entries) = Entry::all(acl) else {
        return acl.to_vec();
    };
    let other = entries.iter().filter(|entry| entry.tag == Entry::OTHER);
    let other = other.fold(0o7, |may, entry| may & entry.may);
    let mut narrowed = acl.to_vec();
    for (entry, bytes) in entries.iter().zip(narrowed[4..].chunks_exact_mut(8)) {
        if entry.tag == Entry::GROUP_OBJ {
            let may = may_of_group(entry.may, other, kind);
            bytes[2..4].copy_from_slice(&may.to_le_bytes());
        }
    }
    narrowed
}

/// An entry of an ACL as xattr(7) has it: two bytes tag, two bytes permissions,
/// four bytes who, little-endian, behind four bytes of version.
struct Entry {
    tag: u16,
    may: u16,
}

impl Entry {
    const USER: u16 = 0x02;
    const GROUP_OBJ: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;

    fn all(acl: &[u8]) -> Option<Vec<Self>> {
        let (version, entries) = acl.split_first_chunk::<4>()?;
        let (entries, rest) = entries.as_chunks::<8>();
        if *version != 2u32.to_le_bytes() || !rest.is_empty() {
            return None;
        }
        let entry = |bytes: &[u8; 8]| Self {
            tag: u16::from_le_bytes([bytes[0], bytes[1]]),
            may: u16::from_le_bytes([bytes[2], bytes[3]]),
        };
        Some(entries.iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metadata::Time;

    fn meta(mode: u16) -> Meta {
        Meta {
            kind: Kind::File,
            mode,
            uid: 7,
            gid: 8,
            size: 0,
            blocks: 0,
            mtime: Time::default(),
            atime: Time::default(),
            ctime: Time::default(),
            born: None,
            ino: 1,
            dev: 1,
            nlink: 1,
            rdev: 0,
        }
    }

    fn acl(entries: &[(u16, u16)]) -> Vec<u8> {
        let mut acl = 2u32.to_le_bytes().to_vec();
        for (tag, may) in entries {
            acl.extend(tag.to_le_bytes());
            acl.extend(may.to_le_bytes());
            acl.extend(5u32.to_le_bytes());
        }
        acl
    }

    const OWNER: u16 = 0x01;

    /// Entries in words.
    fn parsed(entries: &str) -> Vec<(u16, u16)> {
        let entry = |entry: &str| {
            let (tag, may) = entry.split_once('=').expect("a tag");
            let tag = match tag {
                "owner" => OWNER,
                "user" => Entry::USER,
                "file_group" => Entry::GROUP_OBJ,
                "group" => Entry::GROUP,
                "mask" => Entry::MASK,
                "other" => Entry::OTHER,
                _ => panic!("{tag}"),
            };
            (tag, may.parse().expect("a number"))
        };
        entries.split(' ').map(entry).collect()
    }

    #[test]
    fn without_its_acl_nobody_gets_more() {
        let cases = [
            // The mask stands for the group, which has nothing.
            (0o770, "owner=7 user=7 file_group=0 mask=7 other=0", 0o700),
            // A user who is shut out is one of all others, or of the group.
            (0o755, "owner=7 user=0 file_group=5 mask=5 other=5", 0o700),
            // So is a group, which is not the file's.
            (0o755, "owner=7 file_group=5 group=4 mask=5 other=5", 0o754),
            // One that is let in does no harm.
            (0o640, "owner=6 user=4 file_group=4 mask=4 other=0", 0o640),
            // The mask holds for those who are named.
            (0o745, "owner=7 user=7 file_group=7 mask=4 other=5", 0o744),
            (0o4755, "owner=7 file_group=5 other=5", 0o4755),
        ];
        for (mode, entries, left) in cases {
            let found = without_acl(mode, &acl(&parsed(entries)));
            assert_eq!(found, left, "{mode:o} {entries}");
        }
        assert_eq!(without_acl(0o775, b"what is this"), 0o700);
    }

    #[test]
    fn another_group_may_not_read_what_all_others_cannot() {
        let all = Capabilities::everything();
        let none = Xattrs::default();
        let (both, no_gid) = (
            Owned {
                uid: true,
                gid: true,
            },
            Owned {
                uid: true,
                gid: false,
            },
        );
        let no_uid = Owned {
            uid: false,
            gid: true,
        };
        for (mode, owned, left) in [
            (0o6775, both, 0o6775),
            (0o6775, no_gid, 0o4775),
            (0o6771, no_gid, 0o4711),
            (0o2640, no_gid, 0o600),
            (0o604, no_gid, 0o604),
            (0o6775, no_uid, 0o2775),
        ] {
            let (stored, _) = all.storable_access(&meta(mode), &none, owned);
            assert_eq!(stored, left, "{mode:o} {owned:?}");
        }
        let entries = [
            (OWNER, 7),
            (Entry::USER, 7),
            (Entry::GROUP_OBJ, 6),
            (Entry::MASK, 7),
            (Entry::OTHER, 1),
        ];
        let xattrs = Xattrs::new(vec![(ACL_ACCESS.to_vec(), acl(&entries))]);
        let (mode, stored) = all.storable_access(&meta(0o2771), &xattrs, no_gid);
        assert_eq!(mode, 0o771, "the mask stays");
        let narrowed = [
            (OWNER, 7),
            (Entry::USER, 7),
            (Entry::GROUP_OBJ, 0),
            (Entry::MASK, 7),
            (Entry::OTHER, 1),
        ];
        assert_eq!(stored.get(ACL_ACCESS), Some(&acl(&narrowed)[..]));
    }

    #[test]
    fn a_capability_goes_with_its_owner() {
        let all = Capabilities::everything();
        let xattrs = Xattrs::new(vec![
            (CAPABILITY.to_vec(), b"c".to_vec()),
            (b"user.a".to_vec(), b"1".to_vec()),
        ]);
        let owned = Owned {
            uid: false,
            gid: true,
        };
        let (_, stored) = all.storable_access(&meta(0o755), &xattrs, owned);
        assert_eq!(stored.get(CAPABILITY), None);
        assert_eq!(stored.get(b"user.a"), Some(&b"1"[..]));
    }
}
