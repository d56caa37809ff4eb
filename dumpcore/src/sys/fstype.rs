//! Of which type a filesystem is, and what follows from that.
//!
//! The one place that knows the kernel's magic numbers. What a filesystem can
//! do is found out by trying, wherever that is possible; here is only what
//! cannot be tried: what its times are worth, how many names an inode may
//! have, what a symlink's attributes are set on.

use rustix::fs::fstatfs;
use std::fmt;
use std::io;
use std::os::fd::AsFd;

/// The type of a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FsType {
    Bcachefs,
    Btrfs,
    Cifs,
    Exfat,
    Ext,
    F2fs,
    Fuse,
    Nfs,
    Ntfs,
    Overlay,
    Ramfs,
    Tmpfs,
    Vfat,
    Xfs,
    Zfs,
    /// One that the kernel makes up, and nobody stores anything in: its name.
    Kernel(&'static str),
    /// Another one, by its magic number.
    Other(i64),
}

/// What has no files but such as the kernel makes up when they are read.
/// devtmpfs is none of these: it holds device nodes.
const KERNEL: &[(i64, &str)] = &[
    (0x1cd1, "devpts"),
    (0x9fa0, "proc"),
    (0x27_e0eb, "cgroup"),
    (0x0765_5821, "resctrl"),
    (0x1980_0202, "mqueue"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x4341_5d53, "smackfs"),
    (0x6165_676c, "pstore"),
    (0x6265_6570, "configfs"),
    (0x6265_6572, "sysfs"),
    (0x6367_7270, "cgroup2"),
    (0x6462_6720, "debugfs"),
    (0x6573_5543, "fusectl"),
    (0x6759_6969, "rpc_pipefs"),
    (0x6e66_7364, "nfsd"),
    (0x6e73_6673, "nsfs"),
    (0x7363_6673, "securityfs"),
    (0x7472_6163, "tracefs"),
    (0xabba_1974, "xenfs"),
    (0xcafe_4a11, "bpf"),
    (0xde5e_81e4, "efivarfs"),
    (0xf97c_ff8c, "selinuxfs"),
];

impl FsType {
    /// That of the filesystem that a handle is on.
    pub(crate) fn of(handle: impl AsFd) -> io::Result<Self> {
        Ok(Self::of_magic(magic(fstatfs(handle)?.f_type)))
    }

    fn of_magic(magic: i64) -> Self {
        match magic {
            0xca45_1a4e => Self::Bcachefs,
            0x9123_683e => Self::Btrfs,
            0xff53_4d42 | 0xfe53_4d42 => Self::Cifs,
            0x2011_bab0 => Self::Exfat,
            0xef53 => Self::Ext,
            0xf2f5_2010 => Self::F2fs,
            0x6573_5546 => Self::Fuse,
            0x6969 => Self::Nfs,
            0x5346_544e | 0x7366_746e => Self::Ntfs,
            0x794c_7630 => Self::Overlay,
            0x8584_58f6 => Self::Ramfs,
            0x0102_1994 => Self::Tmpfs,
            0x4d44 => Self::Vfat,
            0x5846_5342 => Self::Xfs,
            0x2fc1_2fc1 => Self::Zfs,
            other => match KERNEL.iter().find(|(magic, _)| *magic == other) {
                Some((_, name)) => Self::Kernel(name),
                None => Self::Other(other),
            },
        }
    }

    /// May a file take less room than its size says?
    pub(crate) fn may_compress(self) -> bool {
        matches!(
            self,
            Self::Bcachefs | Self::Btrfs | Self::F2fs | Self::Fuse | Self::Ntfs | Self::Zfs
        )
    }

    /// Does this machine's own kernel set the times of its inodes?
    pub(crate) fn is_local(self) -> bool {
        matches!(
            self,
            Self::Bcachefs | Self::Btrfs | Self::Ext | Self::F2fs | Self::Tmpfs | Self::Xfs
        )
    }

    /// Is a file's number its own, so that two names with one number are one
    /// file? Programs and some servers make numbers up, and repeat them.
    pub(crate) fn has_true_inodes(self) -> bool {
        self.has_true_sizes() && self != Self::Cifs
    }

    /// Do listings give the inode numbers that `stat` gives?
    pub(crate) fn lists_true_inodes(self) -> bool {
        self.is_local() || self == Self::Zfs
    }

    /// Does a file keep its number as long as it exists, and say when it was made?
    pub(crate) fn keeps_inodes(self) -> bool {
        self.is_local() || self == Self::Zfs
    }

    /// Is a file as long as is said of it? Files that a program or the kernel
    /// makes up as they are read are often said to be empty.
    pub(crate) fn has_true_sizes(self) -> bool {
        self.is_stamped_here() || matches!(self, Self::Cifs | Self::Nfs)
    }

    /// Does this machine's kernel set the time of change, also where that is
    /// coarse? Not where a server or a program does.
    pub(crate) fn is_stamped_here(self) -> bool {
        self.is_local()
            || matches!(
                self,
                Self::Exfat | Self::Ntfs | Self::Overlay | Self::Ramfs | Self::Vfat | Self::Zfs
            )
    }

    /// Does a directory that this process makes surely belong to it, with the
    /// permissions that it asked for?
    pub(crate) fn keeps_owners(self) -> bool {
        let kept = matches!(self, Self::Overlay | Self::Ramfs | Self::Zfs);
        kept || self.is_local()
    }

    /// Does a call do what some program makes of it?
    pub(crate) fn is_in_user_space(self) -> bool {
        self == Self::Fuse
    }

    /// Is there no disk below it?
    pub(crate) fn is_in_memory(self) -> bool {
        matches!(self, Self::Ramfs | Self::Tmpfs)
    }

    /// Are all names made under locks of one tree?
    pub(crate) fn is_contended(self) -> bool {
        self == Self::Btrfs
    }

    /// How many names an inode can have, where that is few.
    pub(crate) fn most_links(self) -> Option<u32> {
        match self {
            Self::Btrfs => Some(65_535),
            Self::Ext => Some(65_000),
            _ => None,
        }
    }
}

/// The 32 bits of a magic number, whose type is another one on 32 bits, with
/// musl, and on some processors.
fn magic(f_type: impl TryInto<i64>) -> i64 {
    f_type.try_into().map_or(0, |magic| magic & 0xffff_ffff)
}

/// May a call do what some program makes of it? What cannot be asked counts
/// as such.
pub(crate) fn may_be_in_user_space(handle: impl AsFd) -> bool {
    FsType::of(handle).map_or(true, FsType::is_in_user_space)
}

/// Its usual name, where it has one.
impl fmt::Display for FsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcachefs => "bcachefs",
            Self::Btrfs => "btrfs",
            Self::Cifs => "cifs",
            Self::Exfat => "exfat",
            Self::Ext => "ext2/ext3/ext4",
            Self::F2fs => "f2fs",
            Self::Fuse => "fuse",
            Self::Nfs => "nfs",
            Self::Ntfs => "ntfs",
            Self::Overlay => "overlayfs",
            Self::Ramfs => "ramfs",
            Self::Tmpfs => "tmpfs",
            Self::Vfat => "vfat",
            Self::Xfs => "xfs",
            Self::Zfs => "zfs",
            Self::Kernel(name) => name,
            Self::Other(magic) => return write!(f, "type 0x{magic:x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_type() {
        for (magic, name, local, user, memory, links) in [
            (0xef53, "ext2/ext3/ext4", true, false, false, Some(65_000)),
            (0x9123_683e, "btrfs", true, false, false, Some(65_535)),
            (0x5846_5342, "xfs", true, false, false, None),
            (0x0102_1994, "tmpfs", true, false, true, None),
            (0x8584_58f6, "ramfs", false, false, true, None),
            (0x6573_5546, "fuse", false, true, false, None),
            (0x6969, "nfs", false, false, false, None),
            (0x6367_7270, "cgroup2", false, false, false, None),
            (0x1234, "type 0x1234", false, false, false, None),
        ] {
            let found = FsType::of_magic(magic);
            assert_eq!(found.to_string(), name);
            assert_eq!(found.is_local(), local, "{name}");
            assert_eq!(found.is_in_user_space(), user, "{name}");
            assert_eq!(found.is_in_memory(), memory, "{name}");
            assert_eq!(found.most_links(), links, "{name}");
        }
    }

    #[test]
    fn what_is_said_of_files_is_true_on_some_types_only() {
        for (found, stamped, sizes, inodes, listed) in [
            (FsType::Ext, true, true, true, true),
            (FsType::Zfs, true, true, true, true),
            (FsType::Overlay, true, true, true, false),
            (FsType::Nfs, false, true, true, false),
            (FsType::Cifs, false, true, false, false),
            (FsType::Fuse, false, false, false, false),
            (FsType::Other(0x9fa0), false, false, false, false),
        ] {
            assert_eq!(found.is_stamped_here(), stamped, "{found}");
            assert_eq!(found.has_true_sizes(), sizes, "{found}");
            assert_eq!(found.has_true_inodes(), inodes, "{found}");
            assert_eq!(found.lists_true_inodes(), listed, "{found}");
        }
    }

    #[test]
    fn a_magic_number_is_the_same_in_every_type() {
        // As 64 bits, as 32 with a sign, and without.
        let btrfs = 0x9123_683e_u32;
        for found in [
            magic(i64::from(btrfs)),
            magic(btrfs.cast_signed()),
            magic(btrfs),
        ] {
            assert_eq!(FsType::of_magic(found), FsType::Btrfs);
        }
    }

    #[test]
    fn the_kernel_tells() {
        let proc = std::fs::File::open("/proc").expect("mounted");
        assert_eq!(FsType::of(&proc).expect("told").to_string(), "proc");
    }
}
