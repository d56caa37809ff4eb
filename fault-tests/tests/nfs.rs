//! A dump root on NFS, as a client sees it: the kernel's own server and client
//! on one machine, in versions 4.2 and 3. What NFS cannot keep, and what it
//! does not lock, stands in dump(7).
//!
//! Each test runs itself once more on a machine that has NFS: see `fixtures::uml`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fixtures::{Options, assert_same_tree, run_lock, uml};

/// Tells the test that it is on the other machine.
const THERE: &str = "DUMP_TRIALS_NFS";

/// Brings up the server. The pseudo root of version 4 is the disk itself,
/// since the machine's root cannot be exported; nobody is left from before the
/// machine started whose locks would have to be waited for.
const SERVE: &str = r"
modprobe nfsd && modprobe nfsv4 && modprobe nfsv3
mount -t tmpfs tmpfs /var/lib/nfs
mkdir /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
mount -t nfsd nfsd /proc/fs/nfsd
mkdir disk/export disk/squashed far
mount --bind disk/squashed disk/squashed
rpcbind -w
exportfs -o rw,no_root_squash,no_subtree_check,fsid=0 '*:/run/disk'
exportfs -o rw,root_squash,no_subtree_check,fsid=2 '*:/run/disk/squashed'
rpc.mountd
rpc.nfsd -G 10 -L 10 2
echo Y >/proc/fs/nfsd/v4_end_grace
";

/// What is mounted how.
const VERSIONS: [&str; 2] = ["4.2", "3"];

/// The programs on a machine with NFS.
struct Nfs {
    bin: PathBuf,
}

impl Nfs {
    /// Runs what is to be seen on a machine that has NFS: this test itself,
    /// which finds there that it is on it.
    fn with(test: &str, see: impl FnOnce(&Nfs)) {
        if std::env::var_os(THERE).is_some() {
            see(&Nfs::up());
            return;
        }
        let me = std::env::current_exe().expect("the test knows itself");
        let me = me.to_str().expect("a name in UTF-8");
        let line = format!("{THERE}=1 '{me}' --exact {test} --ignored --nocapture");
        let (status, console) = uml::run(&line);
        assert!(status == 0 && console.contains("1 passed"), "{console}");
    }

    fn up() -> Self {
        sh(SERVE);
        let bin = PathBuf::from("/run/bin");
        fs::create_dir(&bin).expect("made");
        for program in ["dumpme", "chkptme", "dumpslave", "yest", "hist", "dumpctl"] {
            symlink(env!("CARGO_BIN_EXE_programs"), bin.join(program)).expect("a name");
        }
        Self { bin }
    }

    /// Runs a program; its exit status and all that it said.
    fn run(&self, program: &str, args: &[&str]) -> (i32, String) {
        let output = self.command(program, args).output().expect("it runs");
        (output.status.code().expect("an exit"), said(&output))
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join(program));
        fixtures::shield(&mut command, Path::new("/run/home")).args(args);
        command.env("MAINROOT", MAIN).env("DUMPROOT", FAR);
        command.current_dir(MAIN);
        if !matches!(program, "yest" | "hist") {
            command.args(["--log", "stderr"]);
        }
        command
    }

    fn dump(&self, args: &[&str], code: i32) -> String {
        let (got, said) = self.run("dumpme", args);
        assert_eq!(got, code, "{args:?}: {said}");
        said
    }
}

/// The tree and the export, on the server's disk.
const MAIN: &str = "/run/disk/tree";
const EXPORT: &str = "/run/disk/export";
/// The export as the client sees it.
const FAR: &str = "/run/far";

fn mount(version: &str, what: &str, more: &str) {
    let (path, lock) = match version {
        // No daemon for locks: they are of files, and none is locked.
        "3" => (format!("/run/disk/{what}"), ",nolock"),
        _ => (format!("/{what}"), ""),
    };
    let options = format!("vers={version},soft{lock}{more}");
    sh(&format!("mount -t nfs -o {options} 127.0.0.1:{path} {FAR}"));
}

fn unmount() {
    sh(&format!("umount {FAR}"));
}

#[track_caller]
fn sh(script: &str) -> String {
    let output = Command::new("/bin/bash").args(["-euc", script]).output();
    let output = output.expect("bash runs");
    assert!(output.status.success(), "{script}: {}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// One of each kind, with what a dump is to keep of it.
fn grow() {
    sh(&format!(
        "mkdir -p {MAIN}/dir; cd {MAIN}
        echo text >file; ln file dir/hard; ln -s nowhere link; mkfifo fifo; mknod null c 1 3
        cp /bin/true setuid; chmod 4755 setuid; truncate -s 4M hole; echo end >>hole
        chown 1234:2345 dir; touch -h -d 2001-02-03T04:05:06.123456789 file link fifo dir
        echo far >$'not\\xffutf8'"
    ));
}

fn inode(path: &str) -> u64 {
    let path = Path::new(FAR).join(path);
    fs::symlink_metadata(path).expect("dumped").ino()
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn dumps_are_made_and_linked_over_nfs() {
    Nfs::with("dumps_are_made_and_linked_over_nfs", |nfs| {
        for version in VERSIONS {
            sh(&format!("rm -rf {EXPORT}/* {MAIN}"));
            grow();
            mount(version, "export", "");
            nfs.dump(&["--init", "-q", "--at", "2026-01-01T00:00"], 0);
            let report = nfs.dump(&["--at", "2026-01-01T01:00"], 0);
            assert!(report.contains("7 linked, 0 copied"), "{version}: {report}");
            let [old, new] =
                ["2026/0101/0000", "current"].map(|d| inode(&format!("{d}/tree/file")));
            assert_eq!(old, new);
            sh(&format!("echo more >>{MAIN}/file"));
            let report = nfs.dump(&["--at", "2026-01-01T02:00"], 0);
            assert!(report.contains("6 linked, 1 copied"), "{version}: {report}");
            // As the server has it on its disk.
            let dump = format!("{EXPORT}/current/tree");
            assert_same_tree(Path::new(MAIN), Path::new(&dump), &Options::default());
            let (code, said) = nfs.run("chkptme", &["-q"]);
            assert_eq!(code, 0, "{said}");
            unmount();
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn what_nfs_cannot_keep_does_not_cost_the_links() {
    Nfs::with("what_nfs_cannot_keep_does_not_cost_the_links", |nfs| {
        for (version, kept, lost) in [
            (
                "4.2",
                "user.note",
                "ACLs, attributes trusted.*, attributes security.*",
            ),
            (
                "3",
                "system.posix_acl_access",
                "attributes user.*, attributes trusted.*, attributes security.*",
            ),
        ] {
            let warned = format!("warning: /run/far does not keep {lost} (its filesystem is nfs)");
            sh(&format!("rm -rf {EXPORT}/* {MAIN}"));
            grow();
            sh(&format!(
                "cd {MAIN}; setfattr -n user.note -v x file; setfattr -n trusted.note -v x file
                setfacl -m u:1234:r file; setcap cap_net_raw+ep setuid"
            ));
            mount(version, "export", "");
            let report = nfs.dump(&["--init", "--at", "2026-01-01T00:00"], 0);
            assert!(report.contains(&warned), "{version}: {report}");
            let report = nfs.dump(&["--at", "2026-01-01T01:00"], 0);
            assert!(report.contains("7 linked, 0 copied"), "{version}: {report}");
            let kept_on = |name: &str| {
                let file = format!("{EXPORT}/current/tree/{name}");
                sh(&format!("getfattr -h -d -m - --absolute-names '{file}'"))
            };
            let file = kept_on("file");
            let lines: Vec<&str> = file.lines().filter(|l| l.contains('=')).collect();
            assert!(
                lines.len() == 1 && lines[0].starts_with(kept),
                "{version}: {file}"
            );
            assert_eq!(kept_on("setuid"), "", "{version}");
            unmount();
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn a_read_only_import_is_read_and_refused() {
    Nfs::with("a_read_only_import_is_read_and_refused", |nfs| {
        grow();
        for version in VERSIONS {
            sh(&format!("rm -rf {EXPORT}/*"));
            mount(version, "export", "");
            for hour in ["00", "01", "02"] {
                sh(&format!("echo {version} {hour} >{MAIN}/letter"));
                let init: &[&str] = if hour == "00" { &["--init"] } else { &[] };
                nfs.dump(
                    &[&["-q", "--at", &format!("2026-01-01T{hour}:00")], init].concat(),
                    0,
                );
            }
            unmount();
            mount(version, "export", ",ro");
            let current = fs::read_link(format!("{FAR}/current")).expect("a link");
            let refused = nfs.dump(&[], 1);
            assert!(refused.contains("Read-only file system"), "{refused}");
            assert_eq!(
                current,
                fs::read_link(format!("{FAR}/current")).expect("a link")
            );
            nfs.dump(&["-q", "--check-age", "1000000days"], 0);
            let (code, said) = nfs.run("yest", &["--date=2026-01-01T01:30", "letter"]);
            assert_eq!(
                (code, said.trim()),
                (0, "/run/far/2026/0101/0100/tree/letter")
            );
            let (code, said) = nfs.run("hist", &["letter"]);
            assert_eq!(code, 0, "{said}");
            for dump in ["0000", "0100", "0200"] {
                assert!(
                    said.contains(&format!("/{dump}/tree/letter")),
                    "{version}: {said}"
                );
            }
            let (code, said) = nfs.run("hist", &["file"]);
            // Never changed: one version, told by inode numbers.
            assert_eq!((code, said.lines().count()), (0, 1), "{said}");
            unmount();
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn a_server_that_takes_root_for_nobody_keeps_no_owners() {
    Nfs::with(
        "a_server_that_takes_root_for_nobody_keeps_no_owners",
        |nfs| {
            grow();
            lchown("/run/disk/squashed", Some(65534), Some(65534)).expect("root gives it away");
            for version in VERSIONS {
                sh("rm -rf /run/disk/squashed/*");
                mount(version, "squashed", "");
                // As a plain user's: all but the device, and no owner.
                let report = nfs.dump(&["--init", "--at", "2026-01-01T00:00"], 23);
                let warned = "warning: /run/far does not keep";
                assert!(report.contains(warned), "{version}: {report}");
                assert!(
                    report.contains("owners (user 0 is user 65534 there)"),
                    "{version}: {report}"
                );
                assert!(
                    report.contains("/tree/null: Operation not permitted"),
                    "{version}: {report}"
                );
                assert!(report.contains("but for 1 fault:"), "{version}: {report}");
                let report = nfs.dump(&["--at", "2026-01-01T01:00"], 23);
                assert!(report.contains("6 linked, 0 copied"), "{version}: {report}");
                assert!(report.contains("but for 1 fault:"), "{version}: {report}");
                let stored = |name: &str| {
                    let path = format!("/run/disk/squashed/current/tree/{name}");
                    fs::metadata(path).expect("dumped")
                };
                assert_eq!((stored("dir").uid(), stored("dir").gid()), (65534, 65534));
                // No setuid program of somebody else's.
                assert_eq!(stored("setuid").mode() & 0o7777, 0o755);
                unmount();
            }
        },
    );
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn a_lost_export_publishes_nothing() {
    Nfs::with("a_lost_export_publishes_nothing", |nfs| {
        grow();
        for version in VERSIONS {
            sh(&format!("rm -rf {EXPORT}/*"));
            mount(version, "export", "");
            nfs.dump(&["--init", "-q", "--at", "2026-01-01T00:00"], 0);
            sh("exportfs -u '*:/run/disk'; exportfs -f");
            let (code, said) = nfs.run("dumpme", &[]);
            assert_eq!(code, 1, "{version}: {said}");
            assert!(said.contains("Stale file handle"), "{version}: {said}");
            sh("exportfs -o rw,no_root_squash,no_subtree_check,fsid=0 '*:/run/disk'");
            let current = fs::read_link(format!("{EXPORT}/current")).expect("a link");
            assert_eq!(current, Path::new("2026/0101/0000"));
            nfs.dump(&["-q"], 0);
            unmount();
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux and nfs-kernel-server"]
fn the_lock_holds_among_the_runs_of_one_machine() {
    Nfs::with("the_lock_holds_among_the_runs_of_one_machine", |nfs| {
        grow();
        for version in VERSIONS {
            sh(&format!("rm -rf {EXPORT}/*"));
            mount(version, "export", "");
            nfs.dump(&["--init", "-q", "--at", "2026-01-01T00:00"], 0);
            let held = run_lock::hold(Path::new(FAR));
            nfs.dump(&[], 75);
            drop(held);
            // NFS carries it as a lock of another kind, which all its clients see
            // and the server's own programs do not.
            let held = run_lock::hold(Path::new(EXPORT));
            nfs.dump(&["-q"], 0);
            drop(held);
            unmount();
        }
    });
}
