//! Changed blocks alone: large files that change, on xfs and btrfs. What is stored
//! is judged by rsync, by fingerprints of the dumps before and by a scrub; what it
//! takes, by where its bytes are on the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fixtures::Fingerprint;
use fixtures::fiemap::{extents, shared_files};
use fixtures::mounts::{Fs, Mount};
use fixtures::rsync::assert_rsync_same;
use fixtures::strace::{Inject, trace, watch};
use fixtures::tree::Dice;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A dump root on a filesystem that can share blocks, and a tree elsewhere.
struct Stage {
    disk: Mount,
    dir: TempDir,
}

impl Stage {
    fn new(fs: Fs) -> Self {
        let (disk, dir) = (Mount::new(fs, 800), tempfile::tempdir().expect("made"));
        for made in ["bin", "home", "tree"] {
            fs::create_dir(dir.path().join(made)).expect("made");
        }
        for program in ["dumpme", "chkptme", "dumpslave", "dumpctl"] {
            let name = dir.path().join("bin").join(program);
            symlink(env!("CARGO_BIN_EXE_programs"), name).expect("a name");
        }
        for root in ["dump", "second"] {
            fs::create_dir(disk.path().join(root)).expect("made");
        }
        Self { disk, dir }
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn root(&self) -> PathBuf {
        self.disk.path().join("dump")
    }

    /// The large file as the newest dump has it, flushed.
    fn stored(&self) -> PathBuf {
        self.root().join("current/tree/large")
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.dir.path().join("bin").join(program));
        fixtures::shield(&mut command, &self.dir.path().join("home"));
        let places = [("MAINROOT", self.tree()), ("DUMPROOT", self.root())];
        command.args(args).args(["--log", "stderr"]).envs(places);
        command.current_dir("/");
        command
    }

    #[track_caller]
    fn runs(&self, program: &str, args: &[&str]) -> String {
        let output = self.command(program, args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program} {args:?}: {said}");
        String::from_utf8(output.stdout).expect("UTF-8") + &said
    }

    /// A dump, compared with the tree; what was there before is as it was.
    #[track_caller]
    fn dumped(&self, args: &[&str]) {
        let before = Fingerprint::of(&self.root());
        let all: Vec<&str> = ["-q"].iter().chain(args).copied().collect();
        self.runs("dumpme", &all);
        assert_rsync_same(&self.tree(), &self.root().join("current/tree"));
        before.assert_unchanged(&self.root());
    }

    /// Gives the large file this size, and bytes that no other has.
    fn fill(&self, size: u64, seed: u64) {
        let bytes = Dice::new(seed).bytes(size as usize);
        fs::write(self.tree().join("large"), bytes).expect("written");
    }

    /// Writes other bytes into the large file.
    fn write(&self, at: u64, length: u64, seed: u64) {
        let bytes = Dice::new(seed).bytes(length as usize);
        let file = File::options().write(true).open(self.tree().join("large"));
        let file = file.expect("opened");
        file.write_all_at(&bytes, at).expect("written");
    }
}

/// Bytes of a file that no other file has.
fn own_bytes(path: &Path) -> u64 {
    let extents = extents(path);
    let own = extents.iter().filter(|extent| !extent.shared);
    own.map(|extent| extent.len).sum()
}

fn only_changed_blocks_take_space(fs: Fs) {
    let stage = Stage::new(fs);
    stage.fill(64 * MIB, 1);
    stage.dumped(&["--init"]);
    stage.write(20 * MIB + 5, MIB, 2);
    stage.dumped(&[]);
    let own = own_bytes(&stage.stored());
    assert!((MIB..=2 * MIB).contains(&own), "{own} bytes of its own");
    // Grown, shrunk, with a hole, and as another inode of the same name.
    stage.write(64 * MIB, 3 * MIB / 2, 3);
    stage.dumped(&[]);
    let own = own_bytes(&stage.stored());
    assert!((MIB..=3 * MIB).contains(&own), "{own} bytes after growth");
    let large = stage.tree().join("large");
    let file = File::options().write(true).open(&large).expect("opened");
    file.set_len(30 * MIB + 77).expect("shorter");
    stage.dumped(&[]);
    assert!(own_bytes(&stage.stored()) <= MIB, "a part of what was");
    let punch = ["--punch-hole", "--offset", "4MiB", "--length", "8MiB"];
    let punched = Command::new("fallocate").args(punch).arg(&large).status();
    assert!(punched.expect("fallocate runs").success());
    stage.dumped(&[]);
    let there: u64 = extents(&stage.stored()).iter().map(|e| e.len).sum();
    assert!(there < 23 * MIB, "{there} bytes where 8 MiB are a hole");
    fs::copy(&large, stage.tree().join("copy")).expect("copied");
    fs::rename(stage.tree().join("copy"), &large).expect("renamed");
    stage.write(0, 1, 4);
    stage.dumped(&[]);
    // The copy has zeros where there was a hole.
    assert!(own_bytes(&stage.stored()) <= 9 * MIB, "another inode");
    assert!(
        stage
            .runs("dumpctl", &["scrub", "-q", "--no-idle"])
            .is_empty()
    );
}

fn where_nothing_is_shared(fs: Fs) {
    let stage = Stage::new(fs);
    stage.fill(8 * MIB, 1);
    fs::write(stage.tree().join("small"), vec![1; MIB as usize - 1]).expect("written");
    stage.dumped(&["--init"]);
    stage.write(MIB, 1, 2);
    let small = File::options().write(true).open(stage.tree().join("small"));
    small
        .expect("opened")
        .write_all_at(&[2], 9)
        .expect("written");
    stage.dumped(&["--whole-file"]);
    assert_eq!(shared_files(&stage.root()), Vec::<String>::new());
    stage.write(2 * MIB, 1, 3);
    stage.dumped(&[]);
    // The two last versions of the large one share; no other file does.
    let shared = shared_files(&stage.root());
    assert_eq!(shared.len(), 2, "{shared:?}");
    assert!(
        shared.iter().all(|path| path.ends_with("large")),
        "{shared:?}"
    );
    stage.runs("chkptme", &["-q"]);
    let checkpoint = stage.root().join("current_chk");
    assert_rsync_same(&stage.tree(), &checkpoint.join("tree"));
    let target = fs::canonicalize(&checkpoint).expect("a dump");
    assert_eq!(shared_files(&target), Vec::<String>::new());
}

fn a_replica_shares_with_its_own(fs: Fs) {
    let stage = Stage::new(fs);
    let second = stage.disk.path().join("second");
    let replicate = |args: &[&str]| {
        let (from, to) = (stage.root(), second.clone());
        let [from, to] = [&from, &to].map(|path| path.to_str().expect("a name"));
        let places = ["-q", "--latest", "--from", from, "--dump", to];
        let all: Vec<&str> = places.iter().chain(args).copied().collect();
        stage.runs("dumpslave", &all);
        assert_rsync_same(&stage.tree(), &second.join("current/tree"));
    };
    stage.fill(8 * MIB, 1);
    stage.dumped(&["--init"]);
    replicate(&["--init"]);
    stage.write(MIB, 10, 2);
    stage.dumped(&["--whole-file"]);
    let before = Fingerprint::of(&second);
    replicate(&[]);
    before.assert_unchanged(&second);
    assert!(own_bytes(&second.join("current/tree/large")) <= MIB);
    stage.write(2 * MIB, 10, 3);
    stage.dumped(&["--whole-file"]);
    replicate(&["--whole-file"]);
    assert_eq!(own_bytes(&second.join("current/tree/large")), 8 * MIB);
}

/// Small changes all over the file: it does not fall apart without end.
fn a_file_in_many_pieces_is_stored_whole(fs: Fs) {
    let stage = Stage::new(fs);
    stage.fill(8 * MIB, 1);
    stage.dumped(&["--init"]);
    let (mut random, mut most, mut whole) = (Dice::new(9), 0, 0);
    for round in 0..12 {
        for _ in 0..5 {
            let at = random.below(8 * MIB - 5000);
            stage.write(at, 1 + random.below(5000), round);
        }
        stage.dumped(&[]);
        most = most.max(extents(&stage.stored()).len());
        whole += u32::from(own_bytes(&stage.stored()) == 8 * MIB);
    }
    assert!(most <= 32 + 20, "{most} extents");
    assert!((1..6).contains(&whole), "{whole} of 12 versions are whole");
    assert!(
        stage
            .runs("dumpctl", &["scrub", "-q", "--no-idle"])
            .is_empty()
    );
}

/// A file that is written to and back while it is read: what was stored of an
/// attempt that failed is not in the next one. The hash is that of what was read, so a scrub
/// would tell.
fn what_changes_back_and_forth(fs: Fs) {
    let stage = Stage::new(fs);
    stage.fill(16 * MIB, 1);
    stage.dumped(&["--init"]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for seed in (2..4).cycle() {
                for part in 0..16 {
                    stage.write(part * MIB, 4096, seed);
                }
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let mut unstable = 0;
        for _ in 0..4 {
            let said = stage.runs("dumpme", &[]);
            unstable += u32::from(said.contains("kept changing while"));
        }
        done.store(true, Ordering::Relaxed);
        assert!(unstable > 0, "it never changed while it was read");
    });
    stage.dumped(&[]);
    stage.write(0, 4096, 9);
    stage.dumped(&[]);
    assert!(own_bytes(&stage.stored()) <= MIB);
    assert!(
        stage
            .runs("dumpctl", &["scrub", "-q", "--no-idle"])
            .is_empty()
    );
}

/// Writes into the large file in four places, and takes a fifth from it.
fn change(stage: &Stage, seed: u64) {
    for part in 0..4 {
        stage.write((3 * part + 1) * MIB, 5000, seed);
    }
    let punch = ["--punch-hole", "--length", "64KiB", "--offset"];
    let mut punched = Command::new("fallocate");
    let at = seed * MIB / 8 + MIB / 16;
    punched.args(punch).arg(at.to_string());
    let status = punched.arg(stage.tree().join("large")).status();
    assert!(status.expect("fallocate runs").success());
}

/// The calls by which a clone is made and rewritten: their names, and which of all
/// calls of that name they are.
fn strikes(calls: &[String]) -> Vec<(String, usize)> {
    let (mut seen, mut strikes) = (BTreeMap::new(), Vec::new());
    let mut clone = None;
    for call in calls {
        // A thread's number stands before its call.
        let call = call.split_once(' ').map_or(call.as_str(), |(_, call)| call);
        let Some((name, arguments)) = call.trim_start().split_once('(') else {
            continue;
        };
        let nth: &mut usize = seen.entry(name).or_default();
        *nth += 1;
        let file = arguments.split([',', ')']).next();
        if name == "ioctl" && arguments.contains("FICLONE") {
            clone = file;
        }
        match (clone == file, name) {
            (true, "close") => clone = None,
            (true, _) => strikes.push((name.to_owned(), *nth)),
            _ => {}
        }
    }
    strikes
}

/// Each call that makes the large file is struck, and a run after it is whole.
fn struck(fs: Fs, fault: fn(&str) -> Inject, codes: &[Option<i32>]) {
    let stage = Stage::new(fs);
    stage.fill(16 * MIB, 100);
    stage.dumped(&["--init"]);
    change(&stage, 1);
    let one = |stage: &Stage| stage.command("dumpme", &["-q", "--jobs=1"]);
    let calls = "ioctl,ftruncate,fallocate,pwritev2,pwrite64,close";
    let calls = trace(&one(&stage), calls);
    let strikes = strikes(&calls);
    assert!(strikes.len() > 5, "{calls:?}");
    let mut ended_early = 0;
    for (seed, (name, nth)) in (2..).zip(strikes) {
        change(&stage, seed);
        let before = Fingerprint::of(&stage.root());
        let seen = watch(&one(&stage), &[fault(&name).when(nth)]);
        let code = seen.status.code();
        assert!(codes.contains(&code), "{name} {nth}: {code:?}");
        ended_early += usize::from(code != Some(0));
        before.assert_unchanged(&stage.root());
        if code == Some(0) {
            assert_rsync_same(&stage.tree(), &stage.root().join("current/tree"));
        }
        stage.dumped(&[]);
    }
    // A clone that is refused is a copy; all other calls are met.
    assert!(ended_early > 4, "{ended_early} were met");
    assert!(
        stage
            .runs("dumpctl", &["scrub", "-q", "--no-idle"])
            .is_empty()
    );
}

#[test]
#[ignore = "needs root, loop devices, xfsprogs and strace"]
fn killed_while_blocks_are_written() {
    struck(Fs::Xfs, Inject::kill, &[None]);
}

#[test]
#[ignore = "needs root, loop devices, btrfs-progs and strace"]
fn no_space_while_blocks_are_written() {
    let no_space = |name: &str| Inject::error(name, "ENOSPC");
    struck(Fs::Btrfs, no_space, &[Some(0), Some(1), Some(23)]);
}

#[test]
#[ignore = "needs root, loop devices, xfsprogs and strace"]
fn an_io_error_while_blocks_are_written() {
    let io_error = |name: &str| Inject::error(name, "EIO");
    struck(Fs::Xfs, io_error, &[Some(0), Some(1), Some(23)]);
}

macro_rules! on {
    ($($what:ident: $xfs:ident, $btrfs:ident);+ $(;)?) => {
        $(
            #[test]
            #[ignore = "needs root, loop devices, xfsprogs and btrfs-progs"]
            fn $xfs() {
                $what(Fs::Xfs);
            }

            #[test]
            #[ignore = "needs root, loop devices, xfsprogs and btrfs-progs"]
            fn $btrfs() {
                $what(Fs::Btrfs);
            }
        )+
    };
}

on!(
    only_changed_blocks_take_space: xfs_stores_changed_blocks, btrfs_stores_changed_blocks;
    where_nothing_is_shared: xfs_shares_nothing_else, btrfs_shares_nothing_else;
    a_replica_shares_with_its_own: a_replica_on_xfs_shares, a_replica_on_btrfs_shares;
    a_file_in_many_pieces_is_stored_whole: xfs_keeps_files_whole, btrfs_keeps_files_whole;
    what_changes_back_and_forth: back_and_forth_on_xfs, back_and_forth_on_btrfs;
);
