//! The table of mounts, as this process sees it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::medium::unescaped;

/// What is mounted at or below a path without symlinks; nothing where the
/// kernel does not tell.
pub(crate) fn at_or_below(path: &Path) -> Vec<PathBuf> {
    let mut points = all();
    points.retain(|point| point.starts_with(path));
    points
}

/// All that is mounted; nothing where the kernel does not tell.
pub(crate) fn all() -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    points(&table).collect()
}

/// Types of filesystems that are on a disk, or in memory, of this machine: they
/// always answer.
const ON_DISKS: [&[u8]; 9] = [
    b"bcachefs",
    b"btrfs",
    b"exfat",
    b"ext2",
    b"ext3",
    b"ext4",
    b"f2fs",
    b"xfs",
    b"zfs",
];

/// What is mounted below a path without symlinks, and is on a disk.
pub(crate) fn on_disks_below(path: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let lines = table.split(|byte| *byte == b'\n');
    let on_disk = lines.filter(|line| {
        let mut words = line
            .split(|byte| *byte == b' ')
            .skip_while(|word| *word != b"-");
        words.nth(1).is_some_and(|kind| ON_DISKS.contains(&kind))
    });
    on_disk
        .flat_map(points)
        .filter(|point| point.starts_with(path) && point != path)
        .collect()
}

/// `36 35 98:0 /root /mnt rw,noatime …`: the fifth word of each line.
fn points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let point = line.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsStr::from_bytes(&unescaped(point))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_with_their_blanks() {
        let table = b"22 27 0:20 / /sys rw - sysfs sysfs rw\n\
            36 35 0:45 /sub /mnt\\040it rw - btrfs /dev/sda rw\n";
        let found: Vec<_> = points(table).collect();
        assert_eq!(found, [Path::new("/sys"), Path::new("/mnt it")]);
    }

    #[test]
    fn whole_names_count() {
        assert!(at_or_below(Path::new("/")).contains(&PathBuf::from("/")));
        assert!(at_or_below(Path::new("/pro")).is_empty());
    }
}
