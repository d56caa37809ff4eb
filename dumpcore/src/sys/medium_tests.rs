//! A sysfs of our own, laid out like the kernel's.

use super::*;
use assert_fs::TempDir;
use assert_fs::prelude::*;
use std::os::unix::fs::symlink;
use std::process::Command;

/// A folder like `/sys`, and the devices in it.
struct Fake(TempDir);

impl Fake {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    /// A device `NAME` with this number: its folder, linked to from
    /// `dev/block`; `files` are `path=text`.
    fn device(&self, name: &str, number: &str, files: &[&str]) -> PathBuf {
        let folder = format!("devices/{name}");
        for file in files {
            let (file, text) = file.split_once('=').expect("path=text");
            let file = self.0.child(format!("{folder}/{file}"));
            file.write_str(&format!("{text}\n")).expect("written");
        }
        let folder = self.0.child(folder);
        folder.create_dir_all().expect("made");
        folder.child("dev").write_str(number).expect("written");
        self.link(&format!("dev/block/{number}"), &folder);
        folder.to_path_buf()
    }

    fn link(&self, at: &str, to: &Path) {
        let at = self.0.child(at);
        let above = at.path().parent().expect("a folder");
        fs::create_dir_all(above).expect("made");
        symlink(to, at.path()).expect("linked");
    }

    fn says(&self, major: u32, minor: u32) -> Storage {
        let root = self.0.path().to_path_buf();
        Sysfs { root, depth: 8 }.device(major, minor)
    }
}

#[test]
fn disks_tell_and_partitions_are_their_disks() {
    let fake = Fake::new();
    fake.device("sda", "8:0", &["queue/rotational=1", "removable=0"]);
    fake.device("sda/sda1", "8:1", &["partition=1"]);
    fake.device("nvme0n1", "259:0", &["queue/rotational=0"]);
    fake.device("nvme0n1/nvme0n1p2", "259:2", &["partition=2"]);
    fake.device("nbd0", "43:0", &["queue/rotational=0"]);
    fake.device("odd", "7:7", &[]);
    for ((major, minor), medium) in [
        ((8, 0), Storage::Rotating),
        ((8, 1), Storage::Rotating),
        ((259, 0), Storage::Flash),
        ((259, 2), Storage::Flash),
        ((43, 0), Storage::Network),
        ((7, 7), Storage::Unknown),
        ((99, 99), Storage::Unknown),
    ] {
        assert_eq!(fake.says(major, minor), medium, "{major}:{minor}");
    }
}

#[test]
fn virtual_disks_and_sticks_are_not_believed_to_rotate() {
    let fake = Fake::new();
    let qemu = [
        "queue/rotational=1",
        "device/vendor=ATA     ",
        "device/model=QEMU HARDDISK",
    ];
    fake.device("sda", "8:0", &qemu);
    fake.device("sdb", "8:16", &["queue/rotational=1", "removable=1"]);
    let vda = fake.device("vda", "254:0", &["queue/rotational=1"]);
    let driver = fake.0.child("bus/virtio/drivers/virtio_blk");
    driver.create_dir_all().expect("made");
    fs::create_dir(vda.join("device")).expect("made");
    symlink(driver.path(), vda.join("device/driver")).expect("linked");
    fake.device("vdb", "254:16", &["queue/rotational=0"]);
    let said = [(8, 0), (8, 16), (254, 0), (254, 16)].map(|(a, b)| fake.says(a, b));
    let unknown = Storage::Unknown;
    assert_eq!(said, [unknown, unknown, unknown, Storage::Flash]);
}

#[test]
fn volumes_and_arrays_are_what_they_are_made_of() {
    let fake = Fake::new();
    let sda = fake.device("sda", "8:0", &["queue/rotational=1"]);
    let sda1 = fake.device("sda/sda1", "8:1", &["partition=1"]);
    let ssd = fake.device("sdb", "8:16", &["queue/rotational=0"]);
    let odd = fake.device("sdc", "8:32", &[]);
    // What a volume says of itself does not count.
    for (name, number, parts) in [
        ("dm-0", "252:0", &[&sda1][..]),
        ("dm-1", "252:1", &[&ssd]),
        ("md0", "9:0", &[&ssd, &sda]),
        ("md1", "9:1", &[&ssd, &odd]),
    ] {
        fake.device(name, number, &["queue/rotational=0"]);
        for part in parts {
            let base = part.file_name().expect("a name").to_string_lossy();
            fake.link(&format!("devices/{name}/slaves/{base}"), part);
        }
    }
    // A volume on an array.
    let md0 = fake.0.child("devices/md0").to_path_buf();
    fake.device("dm-2", "252:2", &["queue/rotational=0"]);
    fake.link("devices/dm-2/slaves/md0", &md0);
    // And one on itself, which cannot be.
    let dm3 = fake.device("dm-3", "252:3", &["queue/rotational=0"]);
    fake.link("devices/dm-3/slaves/dm-3", &dm3);
    for ((major, minor), medium) in [
        ((252, 0), Storage::Rotating),
        ((252, 1), Storage::Flash),
        ((9, 0), Storage::Rotating),
        ((9, 1), Storage::Unknown),
        ((252, 2), Storage::Rotating),
        ((252, 3), Storage::Unknown),
    ] {
        assert_eq!(fake.says(major, minor), medium, "{major}:{minor}");
    }
}

#[test]
fn a_loop_device_is_what_its_file_lies_on() {
    let fake = Fake::new();
    let here = open_root("/dev/shm".as_ref(), For::Passing).expect("opened");
    assert_eq!(of(&here), Storage::Flash, "a tmpfs is memory");
    let image = tempfile_in_memory();
    let file = format!("loop/backing_file={}", image.path().join("image").display());
    fake.device("loop0", "7:0", &["queue/rotational=1", &file]);
    assert_eq!(fake.says(7, 0), Storage::Flash);
    // A file that is not to be seen from here.
    fake.device(
        "loop1",
        "7:1",
        &["queue/rotational=1", "loop/backing_file=/gone (deleted)"],
    );
    assert_eq!(fake.says(7, 1), Storage::Rotating);
}

/// Loop devices upon a tmpfs, for real: memory, whatever is between.
#[test]
#[ignore = "needs root for mounts"]
fn filesystems_in_files_in_memory_are_memory() {
    let memory = TempDir::new_in("/dev/shm").expect("a directory");
    for kind in ["ext4", "btrfs"] {
        let (image, point) = (memory.path().join(kind), memory.path().join("mnt"));
        let file = fs::File::create(&image).expect("made");
        file.set_len(150 << 20).expect("sized");
        fs::create_dir_all(&point).expect("made");
        let ran = |program: &str, args: &[&OsStr]| {
            let ran = Command::new(program).args(args).output().expect("it runs");
            assert!(ran.status.success(), "{program}: {ran:?}");
        };
        ran(&format!("mkfs.{kind}"), &["-q".as_ref(), image.as_ref()]);
        let options = [
            "-o".as_ref(),
            "loop".as_ref(),
            image.as_ref(),
            point.as_ref(),
        ];
        ran("mount", &options);
        let medium = open_root(&point, For::Passing).map(of);
        ran("umount", &[point.as_ref()]);
        assert_eq!(medium.expect("opened"), Storage::Flash, "{kind}");
    }
}

fn tempfile_in_memory() -> TempDir {
    let dir = TempDir::new_in("/dev/shm").expect("a directory");
    dir.child("image").touch().expect("made");
    dir
}

#[test]
fn a_btrfs_is_all_of_its_devices() {
    let fake = Fake::new();
    let ssd = fake.device("sda", "8:0", &["queue/rotational=0"]);
    let disk = fake.device("sdb", "8:16", &["queue/rotational=1"]);
    let other = fake.device("sdc", "8:32", &["queue/rotational=0"]);
    fake.link("fs/btrfs/1234/devices/sda", &ssd);
    fake.link("fs/btrfs/1234/devices/sdb", &disk);
    fake.link("fs/btrfs/5678/devices/sdc", &other);
    fs::create_dir(fake.0.path().join("fs/btrfs/features")).expect("made");
    let root = fake.0.path().to_path_buf();
    let sysfs = Sysfs { root, depth: 8 };
    assert_eq!(sysfs.btrfs_with((8, 0)), Some(Storage::Rotating));
    assert_eq!(sysfs.btrfs_with((8, 32)), Some(Storage::Flash));
    assert_eq!(sysfs.btrfs_with((8, 48)), None);
}

#[test]
fn the_table_of_mounts_is_read() {
    let table = b"22 27 0:20 / /sys rw shared:7 - sysfs sysfs rw\n\
        36 35 0:45 /sub /mnt\\040it rw,noatime - btrfs /dev/my\\040disk rw\n\
        361 35 0:46 / /net rw shared:1 master:2 - fuse.sshfs me@there:/ rw\n";
    let found = |id| find_mount(table, id).map(|mount| (mount.fs_type, mount.source));
    let is = |fs_type: &str, source: &str| Some((fs_type.to_owned(), PathBuf::from(source)));
    assert_eq!(found(36), is("btrfs", "/dev/my disk"));
    assert_eq!(found(361), is("fuse.sshfs", "me@there:/"));
    assert_eq!(found(3), None);
    assert_eq!(unescaped(b"\\134x\\9\\"), b"\\x\\9\\");
}

#[test]
fn other_machines_are_told_by_type() {
    for (fs_type, network) in [
        ("nfs4", true),
        ("cifs", true),
        ("fuse.sshfs", true),
        ("9p", true),
        ("ext4", false),
        ("btrfs", false),
        ("fuse.mergerfs", false),
        ("fuse", false),
        ("fuseblk", false),
    ] {
        assert_eq!(is_network(fs_type), network, "{fs_type}");
    }
}

#[test]
fn this_machine_is_found_out_without_trouble() {
    let here = open_root(".".as_ref(), For::Passing).expect("opened");
    let mount = mount_of(&here).expect("everything is mounted");
    assert!(!mount.fs_type.is_empty());
    // No test runs from a mount of another machine's that is not known so.
    assert_eq!(of(&here) == Storage::Network, is_network(&mount.fs_type));
}
