//! Quota of a plain user and of a project, for blocks and for inodes, on ext4
//! and xfs, in a kernel that knows it.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, chown};
use std::process::Command;

use fixtures::mounts::{Fs, Mount};
use fixtures::plain_user::PLAIN;

use crate::full::{changed_since, goes_on, refused};
use crate::in_vm::on_own_machine;
use crate::setup::{ROOT, Stage, assert_done, end_well};

/// The project of the dump root.
const PROJECT: u32 = 77;

/// Whose quota it is.
#[derive(Clone, Copy, Debug)]
enum Of {
    User,
    Project,
}

/// What it limits.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// This many KiB beyond what is used.
    Blocks(u64),
    /// This many inodes beyond what is used.
    Inodes(u64),
}

fn disk(fs: Fs, of: Of) -> Mount {
    let kinds = "quotatype=usrquota:prjquota";
    let mkfs: &[&str] = match fs {
        Fs::Ext4 => &["-O", "quota,project", "-I", "256", "-E", kinds],
        _ => &[],
    };
    let options = match of {
        Of::User => "usrquota",
        Of::Project => "prjquota",
    };
    Mount::with(fs, 64, mkfs, options)
}

/// Sets hard limits, the number of KiB and of inodes; 0 is none.
fn set(mount: &Mount, of: Of, blocks: u64, inodes: u64) {
    let (kind, whose) = match of {
        Of::User => ("-u", PLAIN),
        Of::Project => ("-P", PROJECT),
    };
    let mut command = Command::new("setquota");
    command.args([kind, &whose.to_string(), "0"]);
    command.args([&blocks.to_string(), "0", &inodes.to_string()]);
    end_well(command.arg(mount.path()));
}

/// KiB and inodes in use.
fn used(mount: &Mount, of: Of) -> (u64, u64) {
    end_well(Command::new("sync").arg("-f").arg(mount.path()));
    let kind = match of {
        Of::User => "-nu",
        Of::Project => "-nP",
    };
    let output = Command::new("repquota")
        .arg(kind)
        .arg(mount.path())
        .output();
    let text = String::from_utf8(output.expect("it runs").stdout).expect("plain");
    let whose = match of {
        Of::User => format!("#{PLAIN} "),
        Of::Project => format!("#{PROJECT} "),
    };
    let line = text.lines().find(|line| line.starts_with(&whose));
    let line = line.unwrap_or_else(|| panic!("{whose} uses nothing: {text}"));
    let numbers: Vec<u64> = line
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    // used, soft, hard, used, soft, hard: no grace while limits are kept.
    assert_eq!(numbers.len(), 6, "{line}");
    (numbers[0], numbers[3])
}

fn no_quota(fs: Fs, of: Of) {
    let mount = disk(fs, of);
    let stage = Stage::with_dump_on(mount.path());
    if let Of::Project = of {
        let mut command = Command::new("chattr");
        command.args(["-p", &PROJECT.to_string(), "+P"]);
        end_well(command.arg(&stage.dump));
    }
    let stage = changed_since(stage.of_plain_user());
    let limits = [
        Limit::Blocks(8),
        Limit::Blocks(64),
        Limit::Blocks(200),
        Limit::Inodes(1),
        Limit::Inodes(10),
        Limit::Inodes(20),
    ];
    for limit in limits {
        let (blocks, inodes) = used(&mount, of);
        match limit {
            Limit::Blocks(left) => set(&mount, of, blocks + left, 0),
            Limit::Inodes(left) => set(&mount, of, 0, inodes + left),
        }
        let said = refused(&stage);
        // xfs takes a project for a disk of its own, which is full.
        let answer = match (fs, of) {
            (Fs::Xfs, Of::Project) => "No space left on device",
            _ => "Disk quota exceeded",
        };
        assert!(said.contains(answer), "{limit:?}: {said}");
        println!("{fs:?}, {of:?}, {limit:?}: {said}");
        set(&mount, of, 0, 0);
    }
    goes_on(&stage);
}

#[test]
#[ignore = "needs root, user-mode-linux, kmod and quota"]
fn of_a_user_on_ext4() {
    on_own_machine("quota::of_a_user_on_ext4", || no_quota(Fs::Ext4, Of::User));
}

#[test]
#[ignore = "needs root, user-mode-linux, kmod and quota"]
fn of_a_user_on_xfs() {
    on_own_machine("quota::of_a_user_on_xfs", || no_quota(Fs::Xfs, Of::User));
}

#[test]
#[ignore = "needs root, user-mode-linux, kmod and quota"]
fn of_a_project_on_ext4() {
    let name = "quota::of_a_project_on_ext4";
    on_own_machine(name, || no_quota(Fs::Ext4, Of::Project));
}

#[test]
#[ignore = "needs root, user-mode-linux, kmod and quota"]
fn of_a_project_on_xfs() {
    let name = "quota::of_a_project_on_xfs";
    on_own_machine(name, || no_quota(Fs::Xfs, Of::Project));
}

/// A large file of which the quota lets a part be cloned: nothing of its older version
/// is in the new one, which has data in one place and is small enough to be stored.
fn half_a_clone() {
    const STEP: u64 = 512 << 10;
    let mount = disk(Fs::Xfs, Of::Project);
    let stage = Stage::with_dump_on(mount.path());
    let mut command = Command::new("chattr");
    command.args(["-p", &PROJECT.to_string(), "+P"]);
    end_well(command.arg(&stage.dump));
    let large = stage.source.join("large");
    let write = |places: Range<u64>, length: usize| {
        let file = File::create(&large).expect("made");
        file.set_len(16 * STEP).expect("sized");
        for place in places {
            let bytes = vec![1 + place as u8; length];
            file.write_all_at(&bytes, place * STEP).expect("written");
        }
        chown(&large, Some(PLAIN), Some(PLAIN)).expect("given");
    };
    write(0..16, 128 << 10);
    let stage = stage.of_plain_user();
    stage.dump_now();
    write(15..16, 64 << 10);
    let (blocks, _) = used(&mount, Of::Project);
    set(&mount, Of::Project, blocks + 1024, 0);
    // All of it cannot be cloned.
    let old = stage.dump.join("current").join(ROOT).join("large");
    let (clone, whole) = (stage.dump.join("clone"), 16 * STEP);
    let mut cp = Command::new("cp");
    cp.arg("--reflink=always").args([&old, &clone]);
    let cloned = cp.status().expect("cp runs").success();
    let size = clone.metadata().map_or(0, |meta| meta.len());
    assert!(!cloned || size < whole, "{size} bytes were cloned");
    let _ = fs::remove_file(&clone);
    end_well(&mut stage.dumpme());
    assert_done(&stage.dump, &stage.source);
}

#[test]
#[ignore = "needs root, user-mode-linux, kmod and quota"]
fn ends_within_a_clone() {
    on_own_machine("quota::ends_within_a_clone", half_a_clone);
}
