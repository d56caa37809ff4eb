//! What a handle's filesystem is on, as the kernel's own files tell: the
//! table of mounts, and the queues of block devices in sysfs.
//!
//! Best effort, and never a failure: what cannot be found out is unknown. A
//! volume or an array is asked for what it is made of, a loop device for the
//! file that it is in; one rotating disk among them makes all of it one.

use rustix::fs::{AtFlags, StatxFlags, major, minor, statx};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dir::{For, open_root};
use super::fstype::FsType;
use crate::model::storage::Storage;

/// Devices upon devices: more is a circle.
const DEEPEST: u8 = 8;

/// What a handle's filesystem is on.
pub(crate) fn of(handle: impl AsFd) -> Storage {
    below(handle.as_fd(), DEEPEST)
}

/// For how long a server may still take a file for one that is written, after it
/// was closed and flushed. ceph-fuse keeps the right to write for five seconds; of a
/// client that dies with it, CephFS sets the time of the last write in the place of
/// the one that was stored.
pub(crate) fn lets_go_after(handle: impl AsFd) -> Duration {
    match mount_of(handle) {
        Some(mount) if mount.fs_type == "fuse.ceph-fuse" => Duration::from_secs(7),
        _ => Duration::ZERO,
    }
}

fn below(handle: impl AsFd, depth: u8) -> Storage {
    if depth == 0 {
        return Storage::Unknown;
    }
    let mount = mount_of(&handle);
    let fs_type = mount.as_ref().map_or("", |mount| &mount.fs_type);
    if is_network(fs_type) {
        return Storage::Network;
    }
    if FsType::of(&handle).is_ok_and(FsType::is_in_memory) {
        return Storage::Flash;
    }
    let Ok(found) = statx(&handle, c"", AtFlags::EMPTY_PATH, StatxFlags::empty()) else {
        return Storage::Unknown;
    };
    let sysfs = Sysfs::new(depth);
    if found.stx_dev_major != 0 {
        return sysfs.device(found.stx_dev_major, found.stx_dev_minor);
    }
    // A device number of the filesystem's own: btrfs, FUSE, overlayfs, ZFS.
    let Some(mount) = mount.filter(|mount| mount.source.is_absolute()) else {
        return Storage::Unknown;
    };
    match fs::metadata(&mount.source) {
        Ok(meta) if meta.rdev() != 0 => {
            let device = (major(meta.rdev()), minor(meta.rdev()));
            sysfs
                .btrfs_with(device)
                .unwrap_or_else(|| sysfs.device(device.0, device.1))
        }
        _ => Storage::Unknown,
    }
}

/// Is a filesystem of this type another machine's? The names are those of
/// the table of mounts; of FUSE's only those that surely are.
fn is_network(fs_type: &str) -> bool {
    let kind = fs_type.strip_prefix("fuse.").unwrap_or(fs_type);
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "virtiofs",
        "ceph",
        "afs",
        "lustre",
        "beegfs",
        "davfs",
        "sshfs",
        "glusterfs",
        "ceph-fuse",
        "rclone",
        "s3fs",
        "gcsfuse",
        "curlftpfs",
        "vmhgfs-fuse",
        "vboxsf",
        "prl_fs",
    ]
    .contains(&kind)
}

/// A line of the table of mounts.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    fs_type: String,
    source: PathBuf,
}

fn mount_of(handle: impl AsFd) -> Option<Mount> {
    let found = statx(handle, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    let table = fs::read("/proc/self/mountinfo").ok()?;
    find_mount(&table, found.stx_mnt_id)
}

/// `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw`: the
/// number in front, and behind a dash alone the type and the source.
fn find_mount(table: &[u8], id: u64) -> Option<Mount> {
    let id = id.to_string();
    let mut lines = table.split(|byte| *byte == b'\n');
    let mut words = lines.find_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        (words.next()? == id.as_bytes()).then_some(words)
    })?;
    words.find(|word| *word == b"-")?;
    Some(Mount {
        fs_type: String::from_utf8_lossy(words.next()?).into_owned(),
        source: PathBuf::from(OsStr::from_bytes(&unescaped(words.next()?))),
    })
}

/// Blanks and backslashes stand in the table as `\040`.
pub(super) fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    plain
}

/// Sysfs, where block devices are described.
struct Sysfs {
    root: PathBuf,
    depth: u8,
}

impl Sysfs {
    fn new(depth: u8) -> Self {
        let root = PathBuf::from("/sys");
        Self { root, depth }
    }

    fn device(&self, major: u32, minor: u32) -> Storage {
        let link = self.root.join(format!("dev/block/{major}:{minor}"));
        self.block(&link, self.depth)
    }

    /// The devices of the btrfs that this one belongs to.
    fn btrfs_with(&self, (major, minor): (u32, u32)) -> Option<Storage> {
        let name = format!("{major}:{minor}");
        let devices = |fs: PathBuf| entries(&fs.join("devices"));
        let has = |all: &Vec<PathBuf>| all.iter().any(|one| text(one, "dev") == name);
        let all = entries(&self.root.join("fs/btrfs"));
        let all = all.into_iter().map(devices).find(has)?;
        Some(self.any_of(&all, self.depth))
    }

    /// One rotating disk makes all of it one.
    fn any_of(&self, devices: &[PathBuf], depth: u8) -> Storage {
        let media: Vec<Storage> = devices.iter().map(|one| self.block(one, depth)).collect();
        let unknown = media.contains(&Storage::Unknown);
        match media.into_iter().max() {
            Some(Storage::Flash) if unknown => Storage::Unknown,
            other => other.unwrap_or(Storage::Unknown),
        }
    }

    /// A device by its folder, which may be given through links.
    fn block(&self, folder: &Path, depth: u8) -> Storage {
        let Ok(mut folder) = fs::canonicalize(folder) else {
            return Storage::Unknown;
        };
        if depth == 0 {
            return Storage::Unknown;
        }
        if folder.join("partition").exists() {
            folder.pop();
        }
        let parts = entries(&folder.join("slaves"));
        if !parts.is_empty() {
            return self.any_of(&parts, depth - 1);
        }
        let file = PathBuf::from(text(&folder, "loop/backing_file"));
        if let Some(above) = file.parent()
            && file.exists()
            && let Ok(above) = open_root(above, For::Passing)
        {
            return below(above, depth - 1);
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if ["nbd", "rbd", "etherd"]
            .iter()
            .any(|net| name.starts_with(net))
        {
            return Storage::Network;
        }
        match text(&folder, "queue/rotational").as_str() {
            "0" => Storage::Flash,
            "1" if !is_doubtful(&folder) => Storage::Rotating,
            _ => Storage::Unknown,
        }
    }
}

/// May a device be called rotating only because nobody said otherwise? That
/// is the case for virtual disks on any storage, and for memory sticks.
fn is_doubtful(folder: &Path) -> bool {
    let driver = fs::canonicalize(folder.join("device/driver")).unwrap_or_default();
    let driver = driver.file_name().unwrap_or_default();
    let paravirtual = ["virtio_blk", "vbd", "xen-blkfront"]
        .iter()
        .any(|d| driver == *d);
    let vendor = text(folder, "device/vendor") + " " + &text(folder, "device/model");
    let emulated = ["QEMU", "VMware", "VBOX", "Msft", "Virtual Disk", "Google"];
    paravirtual
        || emulated.iter().any(|name| vendor.contains(name))
        || text(folder, "removable") == "1"
}

/// What a file of one line says; nothing when there is none.
fn text(folder: &Path, file: &str) -> String {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.trim_end().to_owned()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten();
    listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

#[cfg(test)]
#[path = "medium_tests.rs"]
mod tests;
