//! What a dump leaves in the page cache: what was there before, and nothing
//! else. Judged by `fincore`, on filesystems of the test's own.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::Place;
use fixtures::mounts::{Fs, Mount};
use fixtures::strace::{Inject, inject};

const MIB: usize = 1 << 20;
/// Name and size of what is read before the dump, and of what is not.
const WARM: [(&str, usize); 2] = [("warm", 20 * MIB), ("warm small", 10_000)];
const COLD: [(&str, usize); 2] = [("cold", 40 * MIB), ("cold small", 10_000)];

/// How many bytes of a file are cached.
fn cached(file: &Path) -> u64 {
    let mut fincore = Command::new("fincore");
    fincore.args(["--bytes", "--noheadings", "--output", "RES"]);
    let told = fincore.arg(file).output().expect("fincore runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.trim().parse().expect("a number")
}

/// A mount with a tree, of which the warm files are cached and no others.
fn warmed(fs: Fs) -> Mount {
    let mut mount = Mount::new(fs, 500);
    let tree = mount.path().join("tree");
    fs::create_dir(&tree).expect("made");
    fs::create_dir(mount.path().join("dump")).expect("made");
    for (name, size) in WARM.iter().chain(&COLD) {
        let bytes: Vec<u8> = (0..*size).map(|at| (at / 3) as u8).collect();
        fs::write(tree.join(name), bytes).expect("written");
    }
    mount.remount();
    for (name, size) in WARM {
        let tree = mount.path().join("tree");
        assert_eq!(fs::read(tree.join(name)).expect("read").len(), size);
        assert!(cached(&tree.join(name)) >= size as u64, "{name} is cached");
    }
    mount
}

fn dumpme(mount: &Mount) -> Command {
    let place = Place::new();
    let mut command = place.plain_dumpme();
    command
        .args(["-q", "--log", "stderr", "--init", "--main"])
        .arg(mount.path().join("tree"))
        .arg("--dump")
        .arg(mount.path().join("dump"))
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

fn assert_source_is_as_it_was(mount: &Mount, how: &str) {
    for (name, size) in WARM {
        let left = cached(&mount.path().join("tree").join(name));
        // The kernel takes a few pages where memory is short.
        let least = size as u64 / 100 * 99;
        assert!(left >= least, "{how}: {name} has {left} of {size}");
    }
}

/// Pages that are written leave when the disk is done with them: soon.
fn soon_cached(file: &Path, most: u64) -> u64 {
    for _ in 0..200 {
        if cached(file) <= most {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    cached(file)
}

/// Linux 6.14 and later help on ext4 and xfs. Elsewhere a dump does what it
/// does here where the help is refused.
#[test]
#[ignore = "needs root for mounts, fincore, and strace"]
fn a_dump_leaves_the_cache_as_it_was() {
    for fs in [Fs::Ext4, Fs::Xfs, Fs::Btrfs] {
        for refused in [None, Some("EOPNOTSUPP"), Some("EINVAL")] {
            let how = format!("{fs:?}, refused: {refused:?}");
            let mount = warmed(fs);
            let mut command = dumpme(&mount);
            if let Some(errno) = refused {
                let uncached = Inject::error("preadv2,pwritev2", errno);
                command = inject(&command, &[uncached]);
            }
            assert!(command.status().expect("it runs").success(), "{how}");
            assert_source_is_as_it_was(&mount, &how);
            let tree = mount.path().join("tree");
            let copies = mount.path().join("dump/current/tree");
            let cold = cached(&tree.join("cold"));
            assert!(cold <= MIB as u64, "{how}: {cold} of the source stay");
            for (name, size) in [WARM[0], COLD[0]] {
                // Without the kernel's help the end of a copy stays.
                let helps = refused.is_none() && fs != Fs::Btrfs;
                let most = if helps { 0 } else { 16 * MIB as u64 };
                assert!(most < size as u64);
                let left = soon_cached(&copies.join(name), most);
                assert!(left <= most, "{how}: {left} of the copy of {name} stay");
            }
        }
    }
}
