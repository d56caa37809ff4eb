//! A dump root on another machine, seen through a real sshd and sshfs.

mod common;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use assert_fs::prelude::*;
use common::Place;
use predicates::str::contains;

/// An sshd of the test's own, for root, on a port that was free.
struct Sshd {
    child: Child,
    port: u16,
    key: PathBuf,
}

impl Sshd {
    fn up(place: &Place) -> Self {
        let at = |name: &str| place.dir.path().join(name);
        for name in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at(name));
            assert!(keygen.status().expect("ssh-keygen runs").success());
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             Subsystem sftp internal-sftp\n",
            at("host").display(),
            at("key.pub").display()
        );
        fs::write(at("sshd_config"), config).expect("written");
        fs::create_dir_all("/run/sshd").expect("root makes directories in /run");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd starts");
        let key = at("key");
        Self { child, port, key }
    }

    /// Mounts a directory on another; sshd may need a moment at first.
    fn mount(&self, place: &Place, dir: &str, on: &str, more: &str) -> Mounted {
        let at = place.dir.path().join(on);
        fs::create_dir_all(&at).expect("made");
        let options = format!(
            "IdentityFile={},port={},StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null{more}",
            self.key.display(),
            self.port
        );
        for _ in 0..50 {
            let mut sshfs = Command::new("sshfs");
            sshfs.args(["-o", &options]);
            sshfs.arg(format!(
                "root@127.0.0.1:{}",
                place.dir.path().join(dir).display()
            ));
            let ran = sshfs.arg(&at).stderr(Stdio::null()).status();
            if ran.expect("sshfs runs").success() {
                return Mounted(at);
            }
            thread::sleep(Duration::from_millis(200));
        }
        panic!("sshfs never mounted {dir}");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3").arg("-u").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn dumps_are_made_over_sshfs_and_a_read_only_one_is_refused() {
    let place = Place::new();
    let tree = place.dir.child("tree");
    tree.child("file").write_str("text\n").expect("written");
    let file = tree.path().join("file");
    fs::set_permissions(&file, Permissions::from_mode(0o4755)).expect("set");
    place.dir.child("dump").create_dir_all().expect("made");
    let sshd = Sshd::up(&place);
    let run = |args: &[&str]| {
        let mut run = place.dumpme();
        run.args(["--main", "tree", "--dump", "far", "--log", "stderr"])
            .args(args);
        run.assert()
    };
    {
        let _far = sshd.mount(&place, "dump", "far", "");
        run(&["--init", "-q", "--at", "2026-01-01T00:00"]).code(0);
        let second = run(&[]).code(0);
        second.stdout(contains("16 workers, chosen for a network mount\n"));
    }
    // Seen from the other machine: linked, with its mode.
    let old = place.dir.path().join("dump/2026/0101/0000/tree/file");
    let new = place.dir.path().join("dump/current/tree/file");
    let [old, new] = [old, new].map(|path| fs::metadata(path).expect("dumped"));
    assert_eq!(old.ino(), new.ino());
    assert_eq!(new.mode() & 0o7777, 0o4755);

    let _far = sshd.mount(&place, "dump", "far", ",ro");
    let current = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    run(&[]).code(1).stderr(contains("Read-only file system"));
    run(&["--check-age", "26h"]).code(0);
    let after = fs::read_link(place.dir.path().join("dump/current")).expect("a link");
    assert_eq!(current, after);
}
