//! What a dump gives away to whom: never more than the tree, not for a moment,
//! and not where owners, groups or ACLs cannot be kept.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::Path;
use std::process::{Command, Output};

use assert_fs::TempDir;
use fixtures::plain_user::{PlainUser, open_dir};
use fixtures::strace::trace;
use fixtures::tree::{Node, Tree};
use fixtures::{Options, acl, assert_same_tree, user_namespace};
use serde_json::Value;

/// A place that anyone may enter, with a tree and a dump root.
fn place() -> TempDir {
    let dir = TempDir::new().expect("made");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(dir.path(), open).expect("opened");
    for name in ["tree", "dump"] {
        fs::create_dir(dir.path().join(name)).expect("made");
    }
    dir
}

fn dumpme(place: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dumpme"));
    fixtures::shield(&mut command, place)
        .args(["--main", "tree", "--dump", "dump", "--log", "stderr"])
        .args(["-j", "1", "--json"])
        .args(more)
        .current_dir(place);
    command
}

fn mode(path: impl AsRef<Path>) -> u32 {
    let looked = path.as_ref().symlink_metadata();
    let looked = looked.unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()));
    looked.mode() & 0o7777
}

#[track_caller]
fn code(output: &Output) -> i32 {
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.code().unwrap_or_else(|| panic!("{said}"))
}

/// The group bits of a mode are the mask of an ACL: set before it, they would
/// let a group in that the ACL shuts out.
#[test]
#[ignore = "needs strace"]
fn an_acl_is_set_before_the_mode_that_it_limits() {
    let place = place();
    let shut_out = acl::encode(&[
        acl::Entry::UserObj(7),
        acl::Entry::User(1234, 7),
        acl::Entry::GroupObj(0),
        acl::Entry::Mask(7),
        acl::Entry::Other(0),
    ]);
    let tree = place.path().join("tree");
    Tree::new()
        .with("", Node::dir().mode(0o755))
        .with("dir", Node::dir().acl(shut_out.clone()))
        .with("file", Node::file(*b"secret").acl(shut_out.clone()))
        .write(&tree);
    let calls = "fchmod,fchmodat,fsetxattr";
    let lines = trace(&dumpme(place.path(), &["--init"]), calls);
    let of = |what: &str| {
        let at = |(at, line): (usize, &String)| line.contains(what).then_some(at);
        lines.iter().enumerate().filter_map(at).collect::<Vec<_>>()
    };
    let newest = place.path().join("dump/current/tree");
    assert_same_tree(&tree, &newest, &Options::default());
    // The last two that are given this ACL and mode are the tree's; the one
    // before is the trial's.
    let (acls, modes) = (of("posix_acl_access"), of("0770)"));
    assert_eq!(modes.len(), 2, "{lines:#?}");
    let acls = &acls[acls.len() - 2..];
    for (acl, mode) in acls.iter().zip(&modes) {
        assert!(acl < mode, "{lines:#?}");
    }
    let first = acls[0];
    let opened = |line: &String| line.contains("chmod") && line.contains("0770)");
    assert!(!lines[..first].iter().any(opened), "{lines:#?}");
}

/// A user whose number does not exist where the runner runs: its file becomes
/// the runner's, and must not run as the runner.
#[test]
#[ignore = "needs root, user namespaces, unshare and nsenter"]
fn no_program_is_setuid_for_an_owner_that_does_not_exist() {
    let place = place();
    let (mapped, unmapped) = (user_namespace::FIRST, 5_000);
    let tree = place.path().join("tree");
    for (name, owner, group, mode) in [
        ("evil", unmapped, unmapped, 0o6755),
        ("group", mapped, unmapped, 0o6755),
        ("mine", mapped, mapped, 0o6755),
    ] {
        let path = tree.join(name);
        fs::write(&path, name).expect("written");
        chown(&path, Some(owner), Some(group)).expect("given");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    }
    for path in [place.path().to_path_buf(), place.path().join("dump")] {
        chown(&path, Some(mapped), Some(mapped)).expect("given");
    }
    let output = user_namespace::output(&dumpme(place.path(), &["--init"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(&output), 23, "{said}");
    assert!(said.contains("stored without setuid and setgid"), "{said}");
    let newest = place.path().join("dump/current/tree");
    let found = |name: &str| {
        let looked = fs::metadata(newest.join(name)).expect("there");
        (looked.uid(), looked.gid(), looked.mode() & 0o7777)
    };
    assert_eq!(found("evil"), (mapped, mapped, 0o755));
    assert_eq!(found("group"), (mapped, mapped, 0o4755));
    assert_eq!(found("mine"), (mapped, mapped, 0o6755));
}

/// What belongs to a group that a plain user is not in becomes the user's own
/// group's, whose members could not read it.
#[test]
#[ignore = "needs root"]
fn a_group_that_cannot_be_kept_lets_no_other_group_in() {
    let user = PlainUser::new();
    let top = open_dir();
    let tree = top.path().join("tree");
    fs::create_dir(&tree).expect("made");
    Tree::new()
        .with("", Node::dir().mode(0o755))
        .with("shared", Node::file(*b"x").owner(12345, 50).mode(0o660))
        .with("public", Node::file(*b"x").owner(12345, 50).mode(0o664))
        .with("room", Node::dir().owner(12345, 50).mode(0o770))
        .with("own", Node::file(*b"x").owner(12345, 12345).mode(0o660))
        .write(&tree);
    let dump = user.home().join("dump");
    fs::create_dir(&dump).expect("made");
    fixtures::plain_user::give(&dump);
    for (more, linked) in [(&["--init"][..], 0), (&[], 3)] {
        let mut command = user.command(env!("CARGO_BIN_EXE_dumpme"));
        command.arg("--main").arg(&tree).arg("--dump").arg(&dump);
        command.args(["--log", "stderr", "--json"]).args(more);
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 0, "{said}");
        let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(object["linked"]["number"], linked, "{object}");
    }
    let newest = dump.join("current/tree");
    for (name, left) in [
        ("shared", 0o600),
        ("public", 0o664),
        ("room", 0o700),
        ("own", 0o660),
    ] {
        assert_eq!(mode(newest.join(name)), left, "{name}");
    }
}

/// What is in the report of a run that must end in this code.
#[track_caller]
fn object(output: &Output, expected: i32) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code(output), expected, "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// What a dump lacks, and of how many entries.
fn not_kept(object: &Value) -> Vec<(String, u64)> {
    let all = object["not_kept"].as_array().expect("a list");
    let one = |lost: &Value| {
        let what = lost["what"].as_str().expect("text").to_owned();
        (what, lost["number"].as_u64().expect("a number"))
    };
    all.iter().map(one).collect()
}

/// The owner is lost, which is reported: a fault once, and then no copy each time.
#[test]
#[ignore = "needs root, user namespaces, unshare and nsenter"]
fn an_owner_that_does_not_exist_costs_no_copy_each_time() {
    let place = place();
    let mapped = user_namespace::FIRST;
    let tree = place.path().join("tree");
    fs::create_dir(tree.join("theirs")).expect("made");
    for name in ["mine", "host", "theirs/host"] {
        fs::write(tree.join(name), name).expect("written");
    }
    symlink("mine", tree.join("link")).expect("made");
    for name in ["host", "theirs/host", "theirs", "link"] {
        lchown(tree.join(name), Some(5_000), Some(5_000)).expect("given");
    }
    let setuid = fs::Permissions::from_mode(0o4755);
    fs::set_permissions(tree.join("host"), setuid).expect("set");
    for path in [
        place.path(),
        &place.path().join("dump"),
        &tree,
        &tree.join("mine"),
    ] {
        chown(path, Some(mapped), Some(mapped)).expect("given");
    }
    let first = user_namespace::output(&dumpme(place.path(), &["--init"]));
    let first = object(&first, 23);
    let faults = first["faults"].as_array().expect("a list").iter();
    let owners = faults.filter(|fault| fault["operation"] == "set_owner");
    assert_eq!(owners.count(), 4, "{first}");
    let second = object(&user_namespace::output(&dumpme(place.path(), &[])), 0);
    assert_eq!(second["linked"]["number"], 4, "{second}");
    let lost = [("owner".to_owned(), 4), ("permissions".to_owned(), 1)];
    assert_eq!(not_kept(&second), lost, "{second}");
    // Written to since: copied, and no fault again.
    fs::write(tree.join("host"), "more").expect("written");
    let third = object(&user_namespace::output(&dumpme(place.path(), &[])), 0);
    assert_eq!(third["linked"]["number"], 3, "{third}");
    assert_eq!(not_kept(&third)[0], lost[0], "{third}");
}

/// Root of a container has no CAP_SYS_ADMIN: it may set capabilities, and no
/// other attribute of `security`; without CAP_SETFCAP not even these.
#[test]
#[ignore = "needs root, setpriv and an ext4, xfs or btrfs for temporary files"]
fn root_of_a_container_keeps_capabilities_or_tells_their_loss() {
    for (drop, kept, lost) in [
        ("-sys_admin", true, &["security_attributes"][..]),
        (
            "-sys_admin,-setfcap",
            false,
            &["file_capability", "security_attributes"],
        ),
    ] {
        let place = place();
        let tree = place.path().join("tree");
        let capability = [0x0200_0001_u32, 1 << 13, 0, 0, 0]
            .map(u32::to_le_bytes)
            .concat();
        Tree::new()
            .with("", Node::dir().mode(0o755))
            .with(
                "ping",
                Node::file(*b"x")
                    .mode(0o755)
                    .xattr("security.capability", capability),
            )
            .with("seen", Node::file(*b"x").xattr("security.seen", *b"s"))
            .write(&tree);
        let command = dumpme(place.path(), &["--init"]);
        let mut setpriv = Command::new("setpriv");
        setpriv.args([
            format!("--inh-caps={drop}"),
            format!("--bounding-set={drop}"),
            "--".into(),
        ]);
        setpriv.arg(command.get_program()).args(command.get_args());
        setpriv.current_dir(place.path());
        for (name, value) in command.get_envs() {
            setpriv.env(name, value.expect("set"));
        }
        let report = object(&setpriv.output().expect("it runs"), 0);
        // Attributes `trusted` are not even shown to such a runner.
        let lost: Vec<_> = lost.iter().map(|what| (what.to_string(), 1)).collect();
        assert_eq!(not_kept(&report), lost, "{report}");
        let mut listed = Command::new("getfattr");
        listed.args(["-n", "security.capability"]);
        let listed = listed.arg(place.path().join("dump/current/tree/ping"));
        assert_eq!(
            listed.output().expect("it runs").status.success(),
            kept,
            "{drop}"
        );
    }
}
