//! A plain user over other people's files: all that may be read is dumped
//! and linked, all that may not is named.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fixtures::plain_user::PlainUser;
use fixtures::tree::{Node, Tree};
use fixtures::{Fingerprint, Options, acl, assert_same_tree};
use serde_json::Value;

fn ran(output: &Output, code: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

fn ino(path: PathBuf) -> u64 {
    path.symlink_metadata()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .ino()
}

/// Files of several owners, all of which anyone may read.
fn of_others(tree: &Path) {
    let capability = [0x0200_0001_u32, 1 << 13, 0, 0, 0]
        .map(u32::to_le_bytes)
        .concat();
    let file = |mode| {
        Node::file(*b"of others")
            .owner(1000, 1000)
            .mode(mode)
            .mtime(1_000, 7)
    };
    Tree::new()
        .with("", Node::dir().mode(0o755))
        .with("plain", file(0o644).xattr("user.note", *b"x"))
        .with("setuid", file(0o4755))
        .with("setgid", file(0o2755).owner(0, 12345))
        .with("both", file(0o6775).owner(12345, 0))
        .with(
            "capable",
            file(0o755).xattr("security.capability", capability),
        )
        .with("trusted", file(0o644).xattr("trusted.x", *b"t"))
        .with("acl", file(0o644).acl(acl::with_user(54321, 7)))
        .with("sticky", Node::dir().owner(7, 7).mode(0o1777))
        .with("sticky/inner", file(0o444).owner(0, 0))
        .with("setgid dir", Node::dir().owner(0, 50).mode(0o2755))
        .with("setgid dir/inner", file(0o664).owner(50, 50))
        .with("default", Node::dir().default_acl(acl::with_user(54321, 7)))
        .with("default/inner", file(0o604))
        .with("link", Node::symlink(*b"plain").owner(9, 9).mtime(5, 5))
        .with("again", Node::hard_link(*b"plain"))
        .with(
            "fifo",
            Node::new(fixtures::tree::Kind::Fifo)
                .owner(9, 9)
                .mode(0o644),
        )
        .write(tree);
}

/// A plain user with a tree of others' and a dump root of its own.
fn plain_user() -> (PlainUser, Others) {
    let user = PlainUser::new();
    let others = Others::new();
    fs::create_dir(user.home().join("dump")).expect("made");
    fixtures::plain_user::give(&user.home().join("dump"));
    (user, others)
}

/// A tree of others' files, gone when dropped.
struct Others(PathBuf);

impl Others {
    fn new() -> Self {
        let top = fixtures::plain_user::open_dir().keep();
        fs::create_dir(top.join("tree")).expect("made");
        Others(top.join("tree"))
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        fixtures::tree::remove_deep(self.0.parent().expect("above"));
    }
}

fn by(user: &PlainUser, tree: &Path, args: &[&str]) -> Output {
    let mut command: Command = user.command(env!("CARGO_BIN_EXE_dumpme"));
    command.args(["--json", "--log", "stderr", "--dump", "dump", "--main"]);
    command.arg(tree).args(args).output().expect("dumpme runs")
}

#[test]
#[ignore = "needs root, for files of several owners and to become a plain user"]
fn a_plain_user_dumps_what_others_own() {
    let (user, others) = plain_user();
    of_others(&others.0);
    ran(&by(&user, &others.0, &["--init"]), 0);
    let current = user.home().join("dump/current/tree");
    let options = Options {
        // A mode's bits of set identity go with the owner they speak of.
        owner: false,
        ..Options::unprivileged()
    };
    assert_same_tree(&others.0, &current, &options);
    let mode = |name: &str| current.join(name).metadata().expect("stat").mode() & 0o7777;
    assert_eq!(mode("setuid"), 0o755);
    assert_eq!(mode("setgid"), 0o2755, "the group is the user's own");
    assert_eq!(mode("both"), 0o4775, "the owner is the user itself");
    let first: PathBuf = fs::canonicalize(&current).expect("a path");
    let history = Fingerprint::of(&user.home().join("dump"));

    let report = ran(&by(&user, &others.0, &[]), 0);
    history.assert_unchanged(&user.home().join("dump"));
    for kind in ["new", "changed", "attributes"] {
        assert_eq!(report["copied"][kind]["number"], 0, "{report:#}");
    }
    for name in [
        "plain", "setuid", "both", "capable", "trusted", "acl", "link", "fifo",
    ] {
        assert_eq!(ino(current.join(name)), ino(first.join(name)), "{name}");
    }
    // By root, what a plain user could not keep is now kept.
    let mut by_root = Command::new(env!("CARGO_BIN_EXE_dumpme"));
    fixtures::shield(&mut by_root, user.home())
        .args(["--json", "--log", "stderr", "--main"])
        .arg(&others.0);
    by_root
        .arg("--dump")
        .arg(user.home().join("dump"))
        .current_dir("/");
    ran(&by_root.output().expect("dumpme runs"), 0);
    assert_same_tree(&others.0, &current, &Options::default());
    // And that is not held against the user's next dump either.
    let report = ran(&by(&user, &others.0, &[]), 0);
    let copied = &report["copied"]["attributes"]["number"];
    assert_eq!(*copied, 0, "what root preserved is as good: {report:#}");
}

/// The paths of all faults in a tree, sorted.
fn faulty<'r>(report: &'r Value, tree: &Path) -> Vec<&'r str> {
    let faults = report["faults"].as_array().expect("faults").iter();
    let paths = faults.map(|fault| Path::new(fault["path"].as_str().expect("a path")));
    let below = paths.map(|path| path.strip_prefix(tree).expect("below"));
    let mut paths: Vec<&str> = below.map(|path| path.to_str().expect("text")).collect();
    paths.sort_unstable();
    paths
}

#[test]
#[ignore = "needs root, for files of several owners and to become a plain user"]
fn what_a_plain_user_may_not_read_is_named_and_the_rest_dumped() {
    let (user, others) = plain_user();
    let tree = Tree::new()
        .with("", Node::dir().mode(0o755))
        .with("secret file", Node::file(*b"s").mode(0o600))
        .with("secret dir", Node::dir().mode(0o700).mtime(44, 4))
        .with("secret dir/inner", Node::file(*b"i"))
        .with("unlistable", Node::dir().mode(0o711))
        .with("unlistable/inner", Node::file(*b"i"))
        .with("unsearchable", Node::dir().mode(0o744))
        .with("unsearchable/one", Node::file(*b"1"))
        .with("unsearchable/two", Node::dir())
        .with("open/file", Node::file(*b"readable").mtime(7, 7))
        .with("z", Node::file(*b"readable").mtime(8, 8));
    tree.write(&others.0);
    let named = [
        "secret dir",
        "secret file",
        "unlistable",
        "unsearchable/one",
        "unsearchable/two",
    ];
    // A dry run finds the same.
    for args in [&["-n", "--init"][..], &["--init"], &["-n"], &[]] {
        let output = by(&user, &others.0, args);
        let report = ran(&output, 23);
        assert_eq!(faulty(&report, &others.0), named, "{report:#}");
        assert_eq!(report["faults_total"], named.len(), "{report:#}");
        assert_eq!(report["status"], "partial");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for name in named {
            let path = others.0.join(name).display().to_string();
            let about = said.lines().filter(|line| line.contains(&path));
            assert!(
                about.clone().any(|line| line.contains("ermission denied")),
                "{name}: {said}"
            );
        }
        assert!(
            !said.contains("finished dump of tree to") || said.contains("fault"),
            "{said}"
        );
    }
    let current = user.home().join("dump/current/tree");
    assert_eq!(
        fs::read(current.join("open/file")).expect("read"),
        b"readable"
    );
    let closed = current.join("secret dir").symlink_metadata().expect("stat");
    assert_eq!((closed.mode() & 0o7777, closed.mtime()), (0o700, 44));
    assert!(!current.join("secret file").exists() && current.join("z").exists());
}

/// What is closed is reported as such: not as rules that cannot be looked at, nor as
/// a configuration that cannot be read.
#[test]
#[ignore = "needs root, to become a plain user"]
fn what_is_closed_to_a_plain_user_is_told_as_such() {
    use std::os::unix::fs::PermissionsExt as _;

    let (user, others) = plain_user();
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    };
    let closed = others.0.with_file_name("closed");
    fs::create_dir(&closed).expect("made");
    for mode in [0o700, 0o744] {
        set(&closed, mode);
        let path = closed.to_str().expect("text");
        for (main, more, what) in [
            (&closed, &[][..], "tree "),
            (&others.0, &["--dump", path], "dump root "),
        ] {
            let mut command: Command = user.command(env!("CARGO_BIN_EXE_dumpme"));
            command
                .args(["--log", "stderr", "--init", "--main"])
                .arg(main);
            let dump = ["--dump", "dump"];
            command.args(if more.is_empty() { &dump[..] } else { more });
            let output = command.output().expect("dumpme runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            let option = if more.is_empty() { "--main" } else { "--dump" };
            let sentence = format!("cannot open {what}{path} (from {option}): Permission denied");
            assert!(said.contains(&sentence), "{said}");
            assert!(!said.contains("exclude"), "{said}");
        }
    }
    set(&closed, 0o700);
    let mut command: Command = user.command(env!("CARGO_BIN_EXE_dumpme"));
    command.env("HOME", &closed).env_remove("XDG_CONFIG_HOME");
    let output = command.output().expect("dumpme runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("does HOME belong to another user?"), "{said}");
}

/// A dump that lacks what could not be read says so itself, and the next one,
/// which has it, does not.
#[test]
#[ignore = "needs root"]
fn a_dump_that_lacks_entries_is_marked_as_partial() {
    let (user, others) = plain_user();
    fs::write(others.0.join("open"), "text").expect("written");
    let secret = others.0.join("secret");
    fs::write(&secret, "text").expect("written");
    let closed = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&secret, closed).expect("set");
    let run = |code| {
        let mut command = user.command(env!("CARGO_BIN_EXE_dumpme"));
        command
            .arg("--main")
            .arg(&others.0)
            .args(["--dump", "dump", "--json", "-q"]);
        if !user.home().join("dump/current").exists() {
            command.arg("--init");
        }
        let object = ran(&command.output().expect("runs"), code);
        let dump = PathBuf::from(object["dump"].as_str().expect("a path"));
        let mark = xattr::get(&dump, "user.dump.partial").expect("attributes");
        (object, mark)
    };
    let (object, mark) = run(23);
    assert_eq!(
        (&object["partial"], &object["missing"]),
        (&true.into(), &1.into())
    );
    assert_eq!(mark.as_deref(), Some(&b"1"[..]));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("set");
    let (object, mark) = run(0);
    assert_eq!(
        (&object["partial"], &object["missing"]),
        (&false.into(), &0.into())
    );
    assert_eq!(mark, None);
}
