//! What docs/MACHINES.md tells people to configure, with a real sshd: its own
//! lines, in which only names of machines and places are replaced.

mod common;

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assert_fs::prelude::*;
use common::Place;
use fixtures::rsync::assert_rsync_same;
use fixtures::sshfs_server::Sshd;
use fixtures::{acl, page};
use predicates::prelude::*;
use predicates::str::contains;

const PAGE: &str = include_str!("../../docs/MACHINES.md");

/// A server, and the home directories of another machine.
struct Machines {
    place: Place,
    sshd: Option<Sshd>,
}

impl Machines {
    fn new() -> Self {
        let place = Place::new();
        for dir in ["home/alice", "mirror", "dump", "mnt"] {
            place.dir.child(dir).create_dir_all().expect("made");
        }
        let sshd = Sshd::up(place.dir.path());
        let machines = Self {
            place,
            sshd: Some(sshd),
        };
        let sshd = machines.sshd.as_ref().expect("up");
        let _ = sshd.client_config("laptop nas");
        // Without it `laptop:/` would be the whole of this machine.
        machines.restrict_key();
        machines
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.dir.path().join(name)
    }

    fn port(&self) -> u16 {
        self.sshd.as_ref().expect("up").port()
    }

    /// The page's configuration of one way, for these machines.
    fn configure(&self, heading: &str, port: u16, timeout: &str) {
        let text = page::block(PAGE, heading, "toml");
        let place = |path: &str, name: &str, text: String| {
            assert!(text.contains(path), "{path} in {text}");
            text.replace(path, &self.at(name).display().to_string())
        };
        let machine = if heading == "Pull" { "laptop" } else { "nas" };
        let text = place(&format!("/dump/{machine}"), "dump", text.to_owned());
        let mirrored = heading == "Pull";
        let text = if mirrored {
            place("/srv/mirror/laptop", "mirror", text)
        } else {
            place("/export", "home", place("/mnt/nas", "mnt", text))
        };
        let listens = format!("/dev/tcp/{machine}/22");
        assert!(text.contains(&listens), "{text}");
        let text = text
            .replace(&listens, &format!("/dev/tcp/127.0.0.1/{port}"))
            .replace("--timeout=120", timeout)
            .replace(
                "sshfs -o ",
                &format!("sshfs -F {} -o ", self.at("ssh_config").display()),
            );
        self.place.config(&text);
    }

    /// Lets the key do only what the page's line for it allows.
    fn restrict_key(&self) {
        let line = page::block(PAGE, "Pull", "");
        assert!(line.contains("/home") && line.contains(" ssh-ed25519 "));
        let allowed = line.split(" ssh-ed25519 ").next().expect("a line");
        let allowed = allowed.replace("/home", &self.at("home").display().to_string());
        let key = fs::read_to_string(self.at("key.pub")).expect("a key");
        fs::write(self.at("key.pub"), format!("{allowed} {key}")).expect("written");
    }

    fn allow_everything(&self) {
        let line = fs::read_to_string(self.at("key.pub")).expect("a key");
        let begin = line.find("ssh-ed25519").expect("a key");
        fs::write(self.at("key.pub"), &line[begin..]).expect("written");
    }

    fn dumpme(&self, args: &[&str]) -> assert_cmd::assert::Assert {
        let mut run = self.place.dumpme();
        let ssh = format!("ssh -F {}", self.at("ssh_config").display());
        run.env("RSYNC_RSH", ssh)
            .args(["--log", "stderr"])
            .args(args)
            .assert()
    }

    fn current(&self) -> PathBuf {
        fs::read_link(self.at("dump/current")).expect("a dump")
    }
}

/// Files with all that a tree on another machine may have.
fn fill(home: &Path) {
    let alice = home.join("alice");
    fs::write(alice.join("letter"), "text").expect("written");
    fs::hard_link(alice.join("letter"), alice.join("again")).expect("linked");
    fs::set_permissions(alice.join("letter"), fs::Permissions::from_mode(0o640)).expect("set");
    std::os::unix::fs::chown(&alice, Some(4711), Some(4712)).expect("owned");
    fs::write(alice.join("shared"), "ours").expect("written");
    let rights = acl::with_user(12345, 4);
    xattr::set(alice.join("shared"), acl::ACCESS, &rights).expect("set");
    xattr::set(alice.join("shared"), "user.origin", b"scanner").expect("set");
    File::create(alice.join("holes"))
        .and_then(|file| file.set_len(10 << 20))
        .expect("made");
}

#[test]
#[ignore = "needs root, sshd, rsync and rrsync"]
fn a_laptop_is_pulled_by_a_key_that_can_do_nothing_else() {
    let machines = Machines::new();
    fill(&machines.at("home"));
    machines.configure("Pull", machines.port(), "--timeout=120");
    machines
        .dumpme(&["--set", "laptop", "--init", "--at", "2026-01-01T00:00"])
        .code(0);
    let dumped = machines.at("dump/2026/0101/0000/mirror");
    assert_rsync_same(&machines.at("home"), &dumped);
    let holes = fs::metadata(dumped.join("alice/holes")).expect("dumped");
    assert!(holes.blocks() < 100, "{} blocks", holes.blocks());
    machines
        .place
        .dir
        .child("home/alice/new")
        .touch()
        .expect("made");
    machines.dumpme(&["--set", "laptop"]).code(0);
    assert_rsync_same(&machines.at("home"), &machines.at("dump/current/mirror"));
    // The key opens no shell, and writes nothing.
    let mut ssh = std::process::Command::new("ssh");
    ssh.arg("-F").arg(machines.at("ssh_config"));
    let done = ssh.args(["laptop", "touch", "/tmp/x"]).output();
    assert!(!done.expect("ssh runs").status.success());
    let mut rsync = std::process::Command::new("rsync");
    rsync.env(
        "RSYNC_RSH",
        format!("ssh -F {}", machines.at("ssh_config").display()),
    );
    rsync.arg(machines.at("ssh_config")).arg("laptop:/alice/");
    assert!(!rsync.output().expect("rsync runs").status.success());
}

#[test]
#[ignore = "needs root, sshd, rsync and rrsync"]
fn a_laptop_that_sleeps_is_no_failure_and_one_that_refuses_is() {
    let mut machines = Machines::new();
    fill(&machines.at("home"));
    machines.configure("Pull", machines.port(), "--timeout=120");
    machines
        .dumpme(&["--set", "laptop", "--init", "--at", "2026-01-01T00:00"])
        .code(0);
    let current = machines.current();
    // It falls asleep: there is no answer.
    let asleep = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = asleep.local_addr().expect("bound").port();
    let awake = machines.port();
    let config = fs::read_to_string(machines.at("ssh_config")).expect("written");
    let to = |port: u16| config.replace(&format!("Port {awake}"), &format!("Port {port}"));
    fs::write(machines.at("ssh_config"), to(silent)).expect("written");
    machines.configure("Pull", silent, "--timeout=1");
    machines
        .dumpme(&["--set", "laptop"])
        .code(75)
        .stderr(contains("not now"));
    fs::write(machines.at("ssh_config"), to(awake)).expect("written");
    machines.configure("Pull", awake, "--timeout=120");
    // It does not know the key any more.
    fs::write(machines.at("key.pub"), "").expect("written");
    machines
        .dumpme(&["--set", "laptop"])
        .code(1)
        .stderr(contains("pre hook").and(contains("Permission denied")));
    // It is away.
    machines.sshd = None;
    machines
        .dumpme(&["--set", "laptop"])
        .code(75)
        .stderr(contains("not now"));
    assert_eq!(machines.current(), current);
    machines
        .dumpme(&["--set", "laptop", "--check-age", "26h"])
        .code(1);
}

#[test]
#[ignore = "needs root, sshd, rsync and rrsync"]
fn a_home_that_is_not_mounted_costs_no_dump() {
    let machines = Machines::new();
    fill(&machines.at("home"));
    machines.configure("Pull", machines.port(), "--timeout=120");
    machines
        .dumpme(&["--set", "laptop", "--init", "--at", "2026-01-01T00:00"])
        .code(0);
    let current = machines.current();
    fs::rename(machines.at("home/alice"), machines.at("unmounted")).expect("moved");
    machines
        .dumpme(&["--set", "laptop"])
        .code(1)
        .stderr(contains("empty"));
    assert_eq!(machines.current(), current);
    fs::rename(machines.at("unmounted"), machines.at("home/alice")).expect("moved");
    machines.dumpme(&["--set", "laptop"]).code(0);
    assert_rsync_same(&machines.at("home"), &machines.at("dump/current/mirror"));
}

#[test]
#[ignore = "needs root, sshd, sshfs and FUSE"]
fn a_tree_by_sshfs_lacks_what_the_page_says() {
    let mut machines = Machines::new();
    fill(&machines.at("home"));
    machines.allow_everything();
    machines.configure("sshfs", machines.port(), "");
    machines
        .dumpme(&["--set", "nas", "--init", "--at", "2026-01-01T00:00"])
        .code(0);
    assert_eq!(
        fs::read_dir(machines.at("mnt")).expect("listed").count(),
        0,
        "unmounted by the post hook"
    );
    let dumped = machines.at("dump/2026/0101/0000/mnt/alice");
    let of = |name: &str| fs::metadata(dumped.join(name)).expect("dumped");
    assert_ne!(of("letter").ino(), of("again").ino());
    assert_eq!(fs::read(dumped.join("again")).expect("read"), b"text");
    assert_eq!(of("letter").mode() & 0o777, 0o640);
    assert_eq!(of("").uid(), 4711);
    assert_eq!(of("letter").mtime_nsec(), 0);
    assert_eq!(
        xattr::list(dumped.join("shared")).expect("listed").count(),
        0
    );
    assert!(of("holes").blocks() >= 20480, "no holes");
    machines
        .dumpme(&["--set", "nas"])
        .code(0)
        .stderr(contains(" 0 copied"));
    machines.sshd = None;
    machines
        .dumpme(&["--set", "nas"])
        .code(75)
        .stderr(contains("not now"));
}

/// `chkptme`, `dumpslave` and `dumpoffsite` read dumps only: they need no other machine, and
/// unmount nothing that a run of `dumpme` may just read.
#[test]
fn programs_that_read_no_tree_do_without_the_other_machine() {
    for heading in ["Pull", "sshfs"] {
        let text = page::block(PAGE, heading, "toml");
        let config: toml::Table = text.parse().expect("a configuration");
        let sets = config["set"].as_table().expect("sets");
        let hooks = sets.values().next().expect("a set")["hooks"].as_table();
        for (name, hook) in hooks.expect("hooks") {
            for program in ["chkptme", "dumpslave", "dumpoffsite"] {
                let mut run = std::process::Command::new("/bin/sh");
                run.args(["-c", hook.as_str().expect("a line")]);
                run.env("DUMP_PROGRAM", program).env("PATH", "/nonexistent");
                let done = run.output().expect("sh runs");
                assert!(done.status.success(), "{heading}, {name}: {done:?}");
                assert_eq!(done.stderr, b"", "{heading}, {name}");
            }
        }
    }
}
