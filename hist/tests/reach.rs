//! How `hist` reads: a thousand dumps, those of others, those on a network.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{Ground, a_life};

/// A thousand dumps of a file that did not change, with the marks of dumps.
fn a_thousand() -> Ground {
    let ground = Ground::new();
    ground.write("2020/0101/0000", b"the same\n", 0o644, 1);
    for n in 1..1000 {
        let (day, hour) = (n / 24, n % 24);
        let name = format!("2020/{:02}{:02}/{hour:02}00", day / 28 + 1, day % 28 + 1);
        ground.link("2020/0101/0000", &name);
        let moment = format!(
            "2020-{:02}-{:02}T{hour:02}:00:00Z",
            day / 28 + 1,
            day % 28 + 1
        );
        let dump = ground.at("dump").join(name);
        xattr::set(dump, "user.dump.moment", moment.as_bytes()).unwrap();
    }
    ground
}

#[test]
#[ignore = "needs strace, and user attributes where temporary files are"]
fn a_thousand_dumps_cost_one_stat_and_one_mark_each() {
    let ground = a_thousand();
    let trace = ground.at("trace");
    let hist = ground.hist();
    let program = hist.get_program().to_owned();
    let mut strace = std::process::Command::new("strace");
    strace
        .args(["-f", "-e", "trace=%file,read,pread64,getdents64", "-o"])
        .arg(&trace)
        .arg(program)
        .arg("a/f")
        .env_clear()
        .envs(fixtures::shield::environment(&ground.at("home")))
        .env("TZ", "UTC")
        .env("MAINROOT", ground.at("NEWAGE"))
        .env("DUMPROOT", ground.at("dump"))
        .current_dir(ground.at("NEWAGE"));
    let output = strace.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 1);

    let trace = fs::read_to_string(trace).unwrap();
    let count = |wanted: &dyn Fn(&str) -> bool| trace.lines().filter(|l| wanted(l)).count();
    let in_dump = |l: &str| l.contains(ground.at("dump/2020").to_str().unwrap());
    let stats = count(&|l| l.contains("/NEWAGE/a/f\"") && in_dump(l) && l.contains("stat"));
    assert_eq!(stats, 1000, "one stat a dump");
    let opened = count(&|l| l.contains("/a/f\"") && l.contains("open"));
    assert!(
        opened <= 1,
        "the file is read once at most, not {opened} times"
    );
    let opens = count(&|l| in_dump(l) && l.contains("open"));
    // 42 days and a year; and the one dump that has something new.
    assert_eq!(
        opens, 44,
        "only the directories of years and days are listed"
    );
    let all = count(&in_dump);
    let marks = count(&|l| in_dump(l) && l.contains("getxattr"));
    assert!(marks <= 1001, "one mark a dump, not {marks} in all");
    // The first has none: there the directory's time is asked for.
    assert!(all < 1000 + 1000 + 43 + 21, "{all} calls in the dumps");
}

#[test]
#[ignore = "needs root: mounts a dump root read-only, and becomes another user"]
fn reads_a_dump_root_that_is_not_its_own() {
    use std::os::unix::process::CommandExt;
    let ground = a_life();
    // Everyone may look, only root may write.
    for path in [ground.at(""), ground.at("NEWAGE"), ground.at("dump")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    // The test program is where another user cannot reach it.
    let program = ground.at("hist");
    fixtures::plain_user::copy_program(ground.hist().get_program(), &program);
    let as_nobody = |dump: PathBuf| {
        let mut command = std::process::Command::new(&program);
        command
            .env_clear()
            .envs(fixtures::shield::environment(&ground.at("home")))
            .env("TZ", "UTC")
            .env("MAINROOT", ground.at("NEWAGE"))
            .env("DUMPROOT", dump)
            .current_dir(ground.at("NEWAGE"))
            .uid(65534)
            .gid(65534)
            .arg("-c");
        command
    };
    let output = as_nobody(ground.at("dump")).arg("a/f").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The mode 600 of one version does not prevent telling that it changed,
    // but its contents could not be compared, and that is said.
    assert_eq!(text.lines().count(), 6, "{text}");
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaints.contains("1015_chk/NEWAGE/a/f: Permission denied"),
        "{complaints}"
    );
    assert_eq!(output.status.code(), Some(1));

    let closed = ground.at("dump/2020/0102");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let output = as_nobody(ground.at("dump")).arg("a/f").output().unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    let named = format!("cannot list {}: Permission denied", closed.display());
    assert!(complaints.contains(&named), "{complaints}");
    assert_eq!(output.status.code(), Some(1));
    fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();

    reads_a_root_that_is_mounted_read_only(&ground, &program);
}

/// In a mount namespace of its own.
fn reads_a_root_that_is_mounted_read_only(ground: &Ground, program: &Path) {
    let script = "mount --bind \"$DUMPROOT\" \"$DUMPROOT\" && \
        mount -o remount,ro,bind \"$DUMPROOT\" && \
        ! touch \"$DUMPROOT/x\" 2>/dev/null && \"$0\" -c a/f";
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(program)
        .env("TZ", "UTC")
        .env("MAINROOT", ground.at("NEWAGE"))
        .env("DUMPROOT", ground.at("dump"))
        .current_dir(ground.at("NEWAGE"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 6);
}

/// A directory seen over sshfs, whose server is a child of its own.
struct Mounted(PathBuf);

impl Mounted {
    fn new(ground: &Ground, dir: &str) -> Self {
        let ssh = ground.at("no-ssh");
        fs::write(&ssh, "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n").unwrap();
        fs::set_permissions(&ssh, Permissions::from_mode(0o755)).unwrap();
        let at = ground.at("mounted");
        fs::create_dir(&at).unwrap();
        let status = std::process::Command::new("sshfs")
            .arg(format!("there:{}", ground.at(dir).display()))
            .arg(&at)
            .arg("-o")
            .arg(format!("ro,ssh_command={}", ssh.display()))
            .status()
            .unwrap();
        assert!(status.success());
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let done = std::process::Command::new("fusermount3")
            .arg("-u")
            .arg(&self.0)
            .status();
        assert!(std::thread::panicking() || done.unwrap().success());
    }
}

#[test]
#[ignore = "needs sshfs and sftp-server"]
fn tells_the_same_over_a_network_filesystem() {
    let ground = a_life();
    let mounted = Mounted::new(&ground, "dump");
    let here = ground.hist().args(["-c", "a/f"]).output().unwrap();
    let there = ground
        .hist()
        .env("DUMPROOT", &mounted.0)
        .args(["-c", "a/f"])
        .output()
        .unwrap();
    assert!(there.status.success(), "{there:?}");
    let path = |text: Vec<u8>, root: &PathBuf| {
        let text = String::from_utf8(text).unwrap();
        text.replace(root.to_str().unwrap(), "DUMP")
    };
    let (here, there) = (
        path(here.stdout, &ground.at("dump")),
        path(there.stdout, &mounted.0),
    );
    assert_eq!(here, there);
}

#[test]
#[ignore = "needs sshfs, sftp-server and strace"]
fn reads_no_file_again_over_a_network_filesystem() {
    let ground = a_thousand();
    let mounted = Mounted::new(&ground, "dump");
    let trace = ground.at("trace");
    let output = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=open,openat", "-o"])
        .arg(&trace)
        .arg(ground.hist().get_program())
        .arg("a/f")
        .env("MAINROOT", ground.at("NEWAGE"))
        .env("DUMPROOT", &mounted.0)
        .current_dir(ground.at("NEWAGE"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 1);
    let trace = fs::read_to_string(trace).unwrap();
    let read = trace
        .lines()
        .filter(|l| l.contains("\"f\"") && l.contains("O_RDONLY"));
    assert_eq!(read.count(), 0, "no inode number says that it is the same");
}

/// Was this told: `one` was created, and then `two` written?
fn assert_created_and_written(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told = String::from_utf8_lossy(&output.stdout);
    let starts: Vec<&str> = told
        .lines()
        .map(|line| &line[..line.len().min(7)])
        .collect();
    assert_eq!(starts[..2], ["#create", "#write\t"], "{starts:?}");
    assert_eq!(&starts[5..], ["-one", "+two"], "{starts:?}");
}

#[test]
fn a_path_longer_than_the_system_takes_has_a_history() {
    const DEPTH: usize = 2100;
    let ground = Ground::new();
    let mut tops = Vec::new();
    let mut deep = |path: PathBuf, text: &str| {
        let handle = fixtures::tree::deep(&path, DEPTH);
        fs::write(fixtures::tree::short_path(&handle).join("bottom"), text).unwrap();
        tops.push(path);
        handle
    };
    let main = deep(ground.at("NEWAGE/x"), "now\n");
    let first = deep(ground.old("2020/0101/1000", "x"), "one\n");
    deep(ground.old("2020/0102/1000", "x"), "two\n");
    let whole = ground.at("NEWAGE/x").join("d/".repeat(DEPTH));

    for (from, path) in [
        // The shell has come down there step by step.
        (fixtures::tree::short_path(&main), PathBuf::from("bottom")),
        (fixtures::tree::short_path(&main), "../d/./bottom".into()),
        (ground.at("NEWAGE"), whole.join("bottom")),
        (
            ground.at("NEWAGE/x"),
            PathBuf::from("d/".repeat(DEPTH)).join("bottom"),
        ),
    ] {
        let output = ground.hist().current_dir(from).arg(&path).output().unwrap();
        assert_created_and_written(&output);
    }
    // In a dump it ends with that dump.
    let from = fixtures::tree::short_path(&first);
    let output = ground
        .hist()
        .current_dir(from)
        .args(["-c", "bottom"])
        .output()
        .unwrap();
    assert!(output.stdout.starts_with(b"#create\t"), "{output:?}");
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 1);

    // Nobody reads four thousand bytes to learn that there is nothing.
    let from = fixtures::tree::short_path(&main);
    let output = ground
        .hist()
        .current_dir(from)
        .arg("none")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("/none (2 looked at)") && said.len() < 1000,
        "{said}"
    );
    for top in tops {
        fixtures::tree::remove_deep(&top);
    }
}

#[test]
fn a_directory_that_gave_way_to_a_symlink_has_a_history() {
    let ground = Ground::new();
    ground.write("2020/0101/1000", b"one\n", 0o644, 1);
    // Since then the directory is on another disk.
    fs::create_dir_all(ground.old("2020/0102/1000", "")).unwrap();
    std::os::unix::fs::symlink("../disk/a", ground.old("2020/0102/1000", "a")).unwrap();
    fs::create_dir(ground.at("disk")).unwrap();
    fs::rename(ground.at("NEWAGE/a"), ground.at("disk/a")).unwrap();
    fs::write(ground.at("disk/a/f"), "now\n").unwrap();
    std::os::unix::fs::symlink("../disk/a", ground.at("NEWAGE/a")).unwrap();
    let changes = |from: &str, words: &[&str]| {
        let mut hist = ground.hist();
        hist.current_dir(ground.at(from))
            .env("PWD", ground.at(from))
            .args(words);
        let output = hist.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let all: Vec<_> = told
            .lines()
            .map(|l| l.split('\t').next().unwrap().to_owned())
            .collect();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        all
    };
    let gone = ["#create", "#delete"];
    assert_eq!(changes("NEWAGE", &["a/f"]), gone);
    // The tree has a symlink there, and nothing behind it.
    assert_eq!(changes("NEWAGE", &["--with-main", "a/f"]), gone);
    // The shell knows by which way it came.
    assert_eq!(changes("NEWAGE/a", &["-c", "f"]), gone);
    assert_eq!(changes("NEWAGE", &["-c", "a/"]), ["#create", "#write"]);
}
