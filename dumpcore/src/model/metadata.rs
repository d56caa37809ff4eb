//! What is preserved of an entry, and what a runner can preserve of it.
//!
//! A [`Meta`] is an entry's metadata as read; [`Capabilities`] say what of it
//! the runner can store on the dump's filesystem, found out by trying.
//! [`Capabilities::storable`] projects the one through the other: it is what a
//! fresh copy would have. Comparing against that, too, keeps what cannot be
//! preserved from being held against an entry in every later dump.

pub(crate) use crate::model::kind::Kind;
pub(crate) use crate::model::time::{Time, time_step};

/// An entry's metadata, as read: what statx(2) says of it, and for a symlink of
/// the link itself.
///
/// Got from [`std::fs::symlink_metadata`]:
///
/// ```
/// use dumpcore::{Kind, Meta};
///
/// let meta = Meta::from(&std::fs::symlink_metadata("Cargo.toml")?);
/// assert_eq!(meta.kind, Kind::File);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meta {
    /// Its type.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u16,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Last modification of the contents.
    pub mtime: Time,
    /// Last access.
    pub atime: Time,
    /// Last change of the inode.
    pub ctime: Time,
    /// When the inode was made; `None` where the filesystem does not tell, or
    /// where that was not asked for.
    pub born: Option<Time>,
    /// Inode number.
    pub ino: u64,
    /// Number of the filesystem.
    pub dev: u64,
    /// Number of names.
    pub nlink: u32,
    /// A device's own number; 0 for others.
    pub rdev: u64,
}

impl Meta {
    /// Of an entry of this type, with everything else 0: for what is in no
    /// filesystem.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let never = Time::default();
        Self {
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            size: 0,
            blocks: 0,
            mtime: never,
            atime: never,
            ctime: never,
            born: None,
            ino: 0,
            dev: 0,
            nlink: 0,
            rdev: 0,
        }
    }

    /// Which inode this is, on which filesystem.
    #[must_use]
    pub fn id(&self) -> Id {
        Id {
            dev: self.dev,
            ino: self.ino,
        }
    }
}

/// An inode's identity on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    /// Number of the filesystem.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// Extended attributes, ACLs among them: names and values, ordered by name.
/// Names are whole (`user.note`, `system.posix_acl_access`) and without a NUL;
/// values are as the kernel gives them. See xattr(7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xattrs(Vec<(Vec<u8>, Vec<u8>)>);

impl Xattrs {
    /// Takes names and values in any order.
    #[must_use]
    pub fn new(mut list: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        list.sort();
        Self(list)
    }

    /// No attribute at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The same with another value of one that is there.
    pub(crate) fn with(mut self, name: &[u8], value: Vec<u8>) -> Self {
        for (_, old) in self.0.iter_mut().filter(|(n, _)| n == name) {
            old.clone_from(&value);
        }
        self
    }

    /// Are all those of another among them? An ACL may be another one.
    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
        let mut others = other.iter();
        others.all(|(name, value)| {
            let own = self.get(name);
            own == Some(value) || own.is_some() && name == ACL_ACCESS
        })
    }

    /// Those that `keep` wants.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&[u8]) -> bool) -> Self {
        Self(self.0.iter().filter(|(n, _)| keep(n)).cloned().collect())
    }
}

/// All permission bits, with setuid, setgid and sticky.
pub(crate) const ALL_MODES: u16 = 0o7777;
/// Permission bit: runs as its owner.
pub(crate) const SETUID: u16 = 0o4000;
/// Permission bit: runs as its group.
pub(crate) const SETGID: u16 = 0o2000;
/// The ACL that says who may do what with an entry.
pub(crate) const ACL_ACCESS: &[u8] = b"system.posix_acl_access";
/// The ACL that new entries of a directory start with.
pub(crate) const ACL_DEFAULT: &[u8] = b"system.posix_acl_default";
/// What attributes begin with that xfs shows to root, and that only mirror ACLs.
pub(crate) const ACL_MIRRORS: &[u8] = b"trusted.SGI_ACL_";
/// What a program may do that other programs may not.
pub(crate) const CAPABILITY: &[u8] = b"security.capability";

/// What the runner can preserve on the dump's filesystem.
///
/// A run finds it out by trying, in the dump root, before it stores anything.
/// A caller of a [`LinkPolicy`](crate::LinkPolicy) alone sets it, or
/// takes [`Capabilities::everything`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Are files given to any owner, and stay theirs?
    pub chown: bool,
    /// Are files given to any group, and stay its?
    pub chgrp: bool,
    /// The runner's own user number: what a file gets otherwise.
    pub uid: u32,
    /// The runner's own group number: what a file gets otherwise.
    pub gid: u32,
    /// Further groups that the runner may give files to.
    pub groups: Vec<u32>,
    /// Can attributes `user.*` be stored?
    pub user_xattrs: bool,
    /// Can attributes `trusted.*` be stored?
    pub trusted_xattrs: bool,
    /// Can attributes `security.*` be stored, other than
    /// `security.capability`?
    pub security_xattrs: bool,
    /// Can `security.capability` be stored? That asks for another privilege.
    pub file_capabilities: bool,
    /// Can ACLs be stored?
    pub acls: bool,
    /// Can default ACLs of directories be stored?
    pub default_acls: bool,
    /// The permission bits that are kept of everything but directories:
    /// `0o7777` at most. The others are as the filesystem likes.
    pub file_modes: u16,
    /// The permission bits that are kept of directories.
    pub dir_modes: u16,
    /// Can owner and times of a symlink be stored? Where the filesystem sets
    /// those of what it points to instead (sshfs), they must not even be tried.
    pub symlinks: bool,
    /// The step in which times are stored, in nanoseconds.
    pub time_step: u32,
    /// The earliest second that can be stored.
    pub time_min: i64,
    /// The latest second that can be stored.
    pub time_max: i64,
}

impl Capabilities {
    /// All is preserved: what two listings of trees are compared with.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            chown: true,
            chgrp: true,
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            user_xattrs: true,
            trusted_xattrs: true,
            security_xattrs: true,
            file_capabilities: true,
            acls: true,
            default_acls: true,
            file_modes: ALL_MODES,
            dir_modes: ALL_MODES,
            symlinks: true,
            time_step: 1,
            time_min: i64::MIN,
            time_max: i64::MAX,
        }
    }

    /// The owner that a fresh copy would have.
    #[must_use]
    pub fn storable_uid(&self, uid: u32) -> u32 {
        if self.chown { uid } else { self.uid }
    }

    /// The group that a fresh copy would have.
    #[must_use]
    pub fn storable_gid(&self, gid: u32) -> u32 {
        if self.chgrp || self.groups.contains(&gid) {
            gid
        } else {
            self.gid
        }
    }

    /// The permission bits that are kept of entries of this type.
    #[must_use]
    pub fn kept_modes(&self, kind: Kind) -> u16 {
        match kind {
            Kind::Dir => self.dir_modes,
            _ => self.file_modes,
        }
    }

    /// The time as the dump's filesystem would store it.
    #[must_use]
    pub fn storable_time(&self, time: Time) -> Time {
        // The kernel drops the nanoseconds at both ends of the range.
        if time.secs >= self.time_max {
            return Time::new(self.time_max, 0);
        }
        if time.secs <= self.time_min {
            return Time::new(self.time_min, 0);
        }
        let step = i128::from(self.time_step.max(1));
        Time::from_nanos(time.as_nanos().div_euclid(step) * step)
    }

    /// Does this attribute count, and can it be stored?
    ///
    /// `trusted.SGI_ACL_*`, which xfs shows to root, only mirror the ACLs.
    #[must_use]
    pub fn keeps_xattr(&self, name: &[u8]) -> bool {
        if name.starts_with(ACL_MIRRORS) {
            return false;
        }
        match name {
            ACL_ACCESS => return self.acls,
            ACL_DEFAULT => return self.default_acls,
            CAPABILITY => return self.file_capabilities,
            _ => {}
        }
        match name.split(|b| *b == b'.').next() {
            Some(b"user") => self.user_xattrs,
            Some(b"trusted") => self.trusted_xattrs,
            Some(b"security") => self.security_xattrs,
            _ => false,
        }
    }

    /// Owner, group and times that a fresh copy of this entry would have.
    #[must_use]
    pub(crate) fn storable(&self, meta: &Meta) -> Meta {
        Meta {
            uid: self.storable_uid(meta.uid),
            gid: self.storable_gid(meta.gid),
            mtime: self.storable_time(meta.mtime),
            atime: self.storable_time(meta.atime),
            ..*meta
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn meta() -> Meta {
        Meta {
            kind: Kind::File,
            mode: 0o6755,
            uid: 0,
            gid: 5,
            size: 7,
            blocks: 8,
            mtime: Time::new(1_000, 123_456_789),
            atime: Time::new(2_000, 1),
            ctime: Time::new(3_000, 1),
            born: None,
            ino: 12,
            dev: 1,
            nlink: 1,
            rdev: 0,
        }
    }

    fn plain_user() -> Capabilities {
        Capabilities {
            chown: false,
            chgrp: false,
            uid: 1000,
            gid: 1000,
            groups: vec![5],
            trusted_xattrs: false,
            security_xattrs: false,
            file_capabilities: false,
            ..Capabilities::everything()
        }
    }

    #[test]
    fn a_plain_user_keeps_what_a_plain_user_can() {
        let stored = plain_user().storable(&meta());
        assert_eq!((stored.uid, stored.gid), (1000, 5));
        let mode = |meta: &Meta| plain_user().storable_mode(meta);
        assert_eq!(mode(&meta()), 0o2755, "setuid goes with its owner");
        let other_group = Meta { gid: 6, ..meta() };
        assert_eq!(mode(&other_group), 0o755);
        assert_eq!(plain_user().storable(&other_group).gid, 1000);
        assert_eq!(Capabilities::everything().storable(&meta()), meta());
    }

    /// Root of a container may set capabilities, and no other `security.*`.
    #[test]
    fn capabilities_are_kept_apart_from_other_security_attributes() {
        let container = Capabilities {
            security_xattrs: false,
            ..Capabilities::everything()
        };
        assert!(container.keeps_xattr(CAPABILITY));
        assert!(!container.keeps_xattr(b"security.ima"));
    }

    #[test]
    fn the_step_of_times_is_seen() {
        let cases: [(&[(i64, u32)], u32); 6] = [
            (&[], 1),
            (&[(1, 1)], 1),
            (&[(1, 500_000_000), (2, 123_456_700)], 100),
            (&[(1, 0), (4, 0)], 1_000_000_000),
            (&[(1, 0), (4, 0), (5, 1)], 1),
            (&[(-1, 0)], 1_000_000_000),
        ];
        for (seen, step) in cases {
            let times = seen.iter().map(|(secs, nanos)| Time::new(*secs, *nanos));
            assert_eq!(time_step(times), step, "{seen:?}");
        }
    }

    #[test]
    fn times_are_cut_and_clamped() {
        let coarse = Capabilities {
            time_step: 1_000_000_000,
            time_min: -10,
            time_max: 10,
            ..Capabilities::everything()
        };
        let cases = [
            ((5, 999), (5, 0)),
            ((-3, 500_000_000), (-3, 0)),
            ((11, 1), (10, 0)),
            ((10, 1), (10, 0)),
            ((-11, 1), (-10, 0)),
        ];
        for (given, stored) in cases {
            let given = Time::new(given.0, given.1);
            assert_eq!(coarse.storable_time(given), Time::new(stored.0, stored.1));
        }
    }

    #[test]
    fn which_xattrs_count() {
        let (root, user) = (Capabilities::everything(), plain_user());
        let cases: [(&[u8], bool, bool); 8] = [
            (b"user.note", true, true),
            (b"trusted.x", true, false),
            (b"trusted.SGI_ACL_FILE", false, false),
            (b"security.capability", true, false),
            (b"security.selinux", true, false),
            (ACL_ACCESS, true, true),
            (ACL_DEFAULT, true, true),
            (b"system.nfs4_acl", false, false),
        ];
        for (name, by_root, by_user) in cases {
            assert_eq!(root.keeps_xattr(name), by_root);
            assert_eq!(user.keeps_xattr(name), by_user);
        }
    }
}
