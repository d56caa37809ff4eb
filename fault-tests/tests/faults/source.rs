//! Read errors of the source, and a source that goes away in mid-run.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::diff_trees;
use fixtures::strace::{Inject, inject};

use crate::sample_trees;
use crate::setup::{ROOT, Stage, assert_done, end_well, meanwhile, said};

/// Six directories of ten files, all dumped, all changed since.
fn changed() -> Stage {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(120, 1, 0));
    stage.dump_now();
    stage.write(&sample_trees::wide(120, 1, 1));
    stage
}

/// Runs with a fault of one place; the exit code, and what was said.
fn run_with(stage: &Stage, calls: &str, errno: &str, on: &Path) -> (Option<i32>, String) {
    let fault = [Inject::error(calls, errno).on(on)];
    let output = inject(&stage.dumpme(), &fault).output().expect("run");
    (output.status.code(), said(&output))
}

#[test]
#[ignore = "needs strace"]
fn an_error_of_one_place_is_named_and_the_rest_is_dumped() {
    for (calls, below) in [
        ("read,pread64,copy_file_range", "d001/f00025"),
        ("getdents64", "d001"),
        ("statx,newfstatat", "d001"),
        ("openat,openat2", "d001"),
    ] {
        let stage = changed();
        let (code, said) = run_with(&stage, calls, "EIO", &stage.source.join(below));
        assert_eq!(code, Some(23), "{calls}: {said}");
        let place = format!("{ROOT}/{below}");
        assert!(said.contains(&place), "{calls}: {said}");
        let newest = stage.dump.join("current").join(ROOT);
        let differences = diff_trees(&stage.source, &newest, &fixtures::Options::of_runner());
        assert!(!differences.is_empty(), "{calls}");
        for line in differences {
            assert!(line.starts_with(below), "{calls}: {line}");
        }
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
}

/// A name that its directory lists has not vanished, whatever else the system
/// answers.
#[test]
#[ignore = "needs strace"]
fn what_is_listed_and_not_found_is_a_fault() {
    for (calls, below) in [
        ("statx,newfstatat", "d001/f00025"),
        ("openat,openat2", "d001"),
        ("getdents64", "d001"),
    ] {
        let stage = changed();
        let (code, said) = run_with(&stage, calls, "ENOENT", &stage.source.join(below));
        assert_eq!(code, Some(23), "{calls} of {below}: {said}");
        let place = format!("{ROOT}/{below}");
        assert!(said.contains(&place), "{calls} of {below}: {said}");
        assert!(!said.contains("vanished before"), "{calls}: {said}");
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
}

/// What `stat` calls a directory and cannot be entered as one is tried again a few
/// times, given up, and told once; the system's answer is behind the reason.
#[test]
#[ignore = "needs strace"]
fn a_directory_that_never_opens_as_one_is_told_once() {
    for errno in ["ENOTDIR", "ELOOP"] {
        let stage = changed();
        // The name that is opened, not what is in it.
        let (code, said) = run_with(&stage, "openat,openat2", errno, Path::new("d001"));
        assert_eq!(code, Some(23), "{errno}: {said}");
        let replaced = "d001: it kept being replaced while it was read: ";
        assert_eq!(said.matches(replaced).count(), 1, "{errno}: {said}");
        let copy = stage.dump.join("current").join(ROOT).join("d001");
        assert_eq!(fs::read_dir(copy).expect("listed").count(), 0, "{errno}");
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
}

/// What a directory told before it could be read no further is dumped, with
/// all that is below.
#[test]
#[ignore = "needs strace"]
fn what_was_listed_before_an_error_is_dumped() {
    let stage = Stage::new();
    let wide = stage.source.join("wide");
    // More than one call takes.
    for n in 0..2_000 {
        fs::create_dir_all(wide.join(format!("a directory of a long name, {n}"))).expect("made");
    }
    let fault = [Inject::error("getdents64", "EIO").when(2).on(&wide)];
    let mut command = stage.dumpme();
    let output = inject(command.arg("-j1"), &fault).output().expect("run");
    assert_eq!(output.status.code(), Some(23), "{}", said(&output));
    let copy = stage.dump.join("current").join(ROOT).join("wide");
    let there = fs::read_dir(copy).expect("listed").count();
    assert!((100..2_000).contains(&there), "{there}");
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}

#[test]
#[ignore = "needs strace"]
fn a_tree_that_can_no_longer_be_listed_ends_the_run() {
    for (calls, errno, below) in [
        ("getdents64", "EIO", ""),
        ("read,pread64,copy_file_range", "ENOTCONN", "d002/f00045"),
        ("read,pread64,copy_file_range", "ESTALE", "d002/f00045"),
        ("read,pread64,copy_file_range", "ENODEV", "d002/f00045"),
        ("statx,newfstatat", "ESHUTDOWN", ""),
        ("getdents64", "ETIMEDOUT", ""),
    ] {
        let stage = changed();
        let named = fs::read_link(stage.dump.join("current")).expect("a link");
        let (code, said) = run_with(&stage, calls, errno, &stage.source.join(below));
        assert_eq!(code, Some(1), "{calls} {errno}: {said}");
        let still = fs::read_link(stage.dump.join("current")).expect("a link");
        assert_eq!(named, still, "{calls} {errno}: {said}");
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
}

/// Has a program this file open?
fn is_open(file: &Path) -> bool {
    let list = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let mut handles = list(Path::new("/proc")).flat_map(|one| list(&one.path().join("fd")));
    handles.any(|handle| fs::read_link(handle.path()).is_ok_and(|to| to == file))
}

/// A server says so of a file that was removed there while it is read, also by
/// a new one that takes its name: neither means that the tree is gone.
#[test]
#[ignore = "needs strace"]
fn a_stale_file_is_looked_for_by_its_name() {
    for replaced in [false, true] {
        let stage = changed();
        let file = stage.source.join("d002/f00045");
        let other = stage.beside("other");
        fs::write(&other, "what has its name now").expect("written");
        // Each call is counted apart; this is the first that reads.
        let fault = [Inject::error("preadv2", "ESTALE")
            .late(4_000_000)
            .when(1)
            .on(&file)];
        let mut run = inject(stage.dumpme().arg("-j1"), &fault);
        let mut run = run.stderr(Stdio::piped()).spawn().expect("runs");
        while !is_open(&file) {
            assert!(run.try_wait().expect("asked").is_none(), "it was not read");
            std::thread::sleep(Duration::from_millis(1));
        }
        if replaced {
            fs::rename(&other, &file).expect("renamed");
        } else {
            fs::remove_file(&file).expect("removed");
        }
        let output = run.wait_with_output().expect("ended");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(0), "{replaced}: {said}");
        let copy = stage.dump.join("current").join(ROOT).join("d002/f00045");
        assert_eq!(fs::read(copy).ok(), fs::read(&file).ok(), "{replaced}");
        stage.dump_now();
        assert_done(&stage.dump, &stage.source);
    }
}

#[test]
#[ignore = "needs strace"]
fn a_reference_that_cannot_be_read_is_copied_anew() {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(60, 1, 0));
    stage.dump_now();
    let current = fs::read_link(stage.dump.join("current")).expect("a link");
    let reference = stage.dump.join(current).join(ROOT).join("d001");
    let (code, said) = run_with(&stage, "statx,newfstatat", "EIO", &reference);
    assert_eq!(code, Some(0), "{said}");
    assert_done(&stage.dump, &stage.source);
    let inode = |dir: &Path, name: &str| fs::metadata(dir.join(name)).expect("there").ino();
    let newest = stage.dump.join("current").join(ROOT);
    assert_ne!(inode(&newest, "d001/f00025"), inode(&reference, "f00025"));
    let well = reference.with_file_name("d000");
    assert_eq!(inode(&newest, "d000/f00005"), inode(&well, "f00005"));
}

/// A mount of a directory by sshfs, its server a child of ours.
struct Sshfs {
    server: Child,
    client: Child,
    at: std::path::PathBuf,
}

impl Sshfs {
    fn new(of: &Path, at: &Path) -> Self {
        fs::create_dir_all(at).expect("made");
        let mut server = Command::new("/usr/lib/openssh/sftp-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sftp-server runs");
        let client = Command::new("sshfs")
            .args(["-f", "-o", "passive,dir_cache=no"])
            .arg(format!(":{}", of.display()))
            .arg(at)
            .stdin(server.stdout.take().expect("piped"))
            .stdout(server.stdin.take().expect("piped"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshfs runs");
        let mount = Sshfs {
            server,
            client,
            at: at.to_path_buf(),
        };
        let until = Instant::now() + Duration::from_secs(60);
        while fs::read_dir(at).map_or(0, Iterator::count) == 0 {
            assert!(Instant::now() < until, "sshfs does not mount");
            std::thread::sleep(Duration::from_millis(10));
        }
        mount
    }
}

impl Drop for Sshfs {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
        let mut command = Command::new("umount");
        let _ = command
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
    }
}

/// What is killed in the middle of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Mount,
    Server,
}

#[test]
#[ignore = "needs root, FUSE, sshfs and sftp-server"]
fn a_mount_that_goes_in_mid_run_never_publishes_half_a_dump() {
    let (mut refused, mut done) = (0, 0);
    // How long a run takes is not the same each time: some more may be needed.
    for round in (1..=12_u8).cycle().take(60) {
        if round == 1 && refused > 3 {
            break;
        }
        let stage = Stage::new();
        stage.write(&sample_trees::wide(150, 1, 0));
        let at = stage.beside("far").join(ROOT);
        let run = || {
            let mut command = stage.program("dumpme");
            command.args(["--log", "stderr", "-q", "--main"]).arg(&at);
            command.arg("--dump").arg(&stage.dump);
            command
        };
        let mut mount = Sshfs::new(&stage.source, &at);
        let began = Instant::now();
        end_well(run().arg("--init"));
        let usual = began.elapsed();
        let before = stage.dump.join("current").canonicalize().expect("there");
        let mut child = run()
            .arg("--checksum")
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        std::thread::sleep(usual.mul_f64(f64::from(round) / 16.0));
        let victim = [Victim::Mount, Victim::Server][usize::from(round % 2)];
        let killed = match victim {
            Victim::Mount => mount.client.kill(),
            Victim::Server => mount.server.kill(),
        };
        killed.expect("killed");
        let _ = child.wait().expect("it ends");
        let output = child.wait_with_output().expect("read");
        match output.status.code() {
            Some(0) => done += 1,
            Some(1) => {
                refused += 1;
                let still = stage.dump.join("current").canonicalize().expect("there");
                assert_eq!(before, still);
            }
            _ => panic!("{victim:?}: {}: {}", output.status, said(&output)),
        }
        let newest = stage.dump.join("current").join(ROOT);
        assert_same_names(&stage.source, &newest);
    }
    println!("{refused} mounts gone in the middle, {done} after the end");
    assert!(refused > 3, "the mount went too late: {refused}");
}

/// All that the source has, with its contents. (sshfs shows times in whole
/// seconds, and not all attributes.)
#[track_caller]
fn assert_same_names(source: &Path, dump: &Path) {
    let output = Command::new("diff")
        .arg("-r")
        .arg(source)
        .arg(dump)
        .output();
    let output = output.expect("diff runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// Files that always have all their names, but move between directories, and
/// are replaced, while they are dumped.
#[test]
#[ignore = "needs time: runs against a race"]
fn what_moves_between_directories_is_whole_where_it_is_found() {
    let stage = Stage::new();
    stage.write(&sample_trees::wide(400, 1, 0));
    stage.dump_now();
    let dumps = 25;
    let dump = || {
        for _ in 0..dumps {
            let output = stage.dumpme().output().expect("it runs");
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            assert_whole_files(&stage.dump.join("current").join(ROOT));
        }
    };
    let ((), moves) = meanwhile(|turn| move_about(&stage.source, turn), dump);
    println!("{dumps} dumps, {moves} moves");
    stage.dump_now();
    assert_done(&stage.dump, &stage.source);
}

/// Moves one file to another directory and back, and one of these ways to
/// replace its contents.
fn move_about(source: &Path, turn: usize) {
    let nth = turn * 7 % 400;
    let here = source.join(format!("d{:03}/f{nth:05}", nth / 20));
    let there = source.join(format!("d{:03}/moved", (nth / 20 + 7) % 20));
    fs::rename(&here, &there).expect("moved");
    if turn.is_multiple_of(3) {
        let fresh = source.join(format!("d{:03}/fresh", nth / 20));
        let text = format!("{turn}\n").repeat(200);
        fs::write(&fresh, text).expect("written");
        fs::rename(&fresh, &there).expect("replaced");
    }
    if turn.is_multiple_of(5) {
        // Linked and unlinked instead: for a moment it has both names.
        fs::hard_link(&there, &here).expect("linked");
        fs::remove_file(&there).expect("removed");
    } else {
        fs::rename(&there, &here).expect("moved back");
    }
}

/// No file is torn: those of the beginning are of their length, the others
/// say one thing all through.
#[track_caller]
fn assert_whole_files(tree: &Path) {
    let mut files = 0;
    for dir in fs::read_dir(tree).expect("listed") {
        for file in fs::read_dir(dir.expect("listed").path()).expect("listed") {
            let path = file.expect("listed").path();
            let bytes = fs::read(&path).expect("read");
            let text = String::from_utf8_lossy(&bytes);
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            let ours = first.parse::<usize>().is_ok();
            // What is written at this moment is named `fresh`.
            let being_written = path.ends_with("fresh");
            let torn = ours && !(lines.all(|line| line == first) && text.lines().count() == 200);
            assert!(being_written || !torn, "{}", path.display());
            assert!(being_written || bytes.len() >= 400, "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 300, "only {files}");
}
