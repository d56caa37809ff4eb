//! What is looked at before the first dump into a directory.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use assert_fs::prelude::*;
use common::Place;
use fixtures::mounts::{Fs, Mount};
use predicates::prelude::*;
use predicates::str::contains;

const INIT: [&str; 7] = [
    "--init", "--main", "tree", "--log", "stderr", "-q", "--dump",
];

const LOUD: [&str; 5] = ["--main", "tree", "--log", "stderr", "--dump"];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
}

#[test]
fn nothing_begins_among_the_dumps_of_another_root() {
    let place = Place::with_tree();
    place.dumpme().args(INIT).arg("dump").assert().code(0);
    let dump = fs::canonicalize(place.dir.path().join("dump/current")).expect("a dump");
    for above in dump.ancestors().take(3) {
        for new in [above.to_owned(), above.join("new")] {
            fs::create_dir_all(&new).expect("made");
            let refused = place.dumpme().args(INIT).arg(&new).assert().code(1);
            refused.stderr(contains("itself, or a directory outside"));
            if new.ends_with("new") {
                assert_eq!(fs::read_dir(&new).expect("listed").count(), 0);
            }
        }
    }
    let state = place.dir.path().join("dump/.dump");
    place.dumpme().args(INIT).arg(&state).assert().code(1);
    // Beside the dumps is somebody's own affair.
    place
        .dir
        .child("dump/other")
        .create_dir_all()
        .expect("made");
    place.dumpme().args(INIT).arg("dump/other").assert().code(0);
}

/// The program on a machine with this table of mount points, and these units.
fn with_table(place: &Place, files: &[(&str, &str)]) -> assert_cmd::assert::Assert {
    let run = place.plain_dumpme();
    let mut script = "set -e; mount -t tmpfs tmpfs /run/systemd 2>/dev/null || \
        { mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd; }; mkdir /run/systemd/system; "
        .to_owned();
    for (at, (target, text)) in files.iter().enumerate() {
        let file = place.dir.path().join(format!("config/{at}"));
        place
            .dir
            .child(format!("config/{at}"))
            .write_str(text)
            .expect("written");
        script += &match target.starts_with("/etc") {
            true => format!("mount --bind '{}' {target}; ", file.display()),
            false => format!("cp '{}' {target}; ", file.display()),
        };
    }
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--propagation", "private", "sh", "-c"]);
    apart
        .arg(script + "exec \"$@\"")
        .arg("sh")
        .arg(run.get_program());
    apart
        .args(INIT)
        .arg("dump/sub")
        .current_dir(place.dir.path());
    for (name, value) in run.get_envs() {
        apart.env(name, value.expect("only set"));
    }
    apart.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    assert_cmd::Command::from_std(apart).assert()
}

#[test]
#[ignore = "needs root"]
fn nothing_begins_where_a_disk_is_missing() {
    let place = Place::with_tree();
    place.dir.child("dump/sub").create_dir_all().expect("made");
    let dump = place.dir.path().join("dump");
    let dump = dump.to_str().expect("plain");
    for entry in [
        format!("LABEL=x {dump} ext4 noauto,x-systemd.automount 0 2\n"),
        format!("LABEL=x {dump}/sub/ ext4 defaults 0 2\n"),
        format!(
            "LABEL=x {}\\040x ext4 ro 0 2\nLABEL=y {dump} xfs ro 0 0\n",
            dump
        ),
    ] {
        with_table(&place, &[("/etc/fstab", &entry)])
            .code(1)
            .stderr(contains("(/etc/fstab), but nothing is mounted"));
        place
            .dir
            .child("dump/sub/.dump")
            .assert(predicate::path::missing());
    }
    let unit = format!("[Mount]\nWhat=/dev/disk/by-label/x\nWhere={dump}\n");
    with_table(&place, &[("/run/systemd/system/x.mount", &unit)])
        .code(1)
        .stderr(contains("(/run/systemd/system/x.mount)"));
    let elsewhere = format!("LABEL=x {dump}/other ext4 noauto\ntmpfs {dump} tmpfs rw\n");
    with_table(&place, &[("/etc/fstab", &elsewhere)]).code(0);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_mount_point_with_its_disk_is_fine() {
    let place = Place::with_tree();
    let mount = Mount::new(Fs::Ext4, 64);
    let sub = place.dir.path().join("dump/sub");
    fs::create_dir_all(mount.path().join("sub")).expect("made");
    std::os::unix::fs::symlink(mount.path().join("sub"), &sub).expect("linked");
    let table = format!("LABEL=x {} ext4 noauto 0 2\n", mount.path().display());
    with_table(&place, &[("/etc/fstab", &table)]).code(0);
}

#[test]
#[ignore = "needs root and loop mounts"]
fn a_first_copy_that_cannot_fit_is_not_begun() {
    let place = Place::with_tree();
    let mount = Mount::new(Fs::Ext4, 40);
    let write = |name: &str, mib: usize| {
        let text: Vec<u8> = (0..mib << 18)
            .flat_map(|n| (n as u32).to_le_bytes())
            .collect();
        fs::write(place.dir.path().join("tree").join(name), text).expect("written");
    };
    write("large", 60);
    let dump = |rest: &[&str]| {
        let mut run = place.dumpme();
        run.args(INIT).arg(mount.path()).args(rest).assert()
    };
    dump(&[]).code(1).stderr(
        contains("does not have enough space")
            .and(contains("needed"))
            .and(contains("free")),
    );
    let left = fs::read_dir(mount.path()).expect("listed");
    let left = left.map(|entry| entry.expect("listed").file_name());
    assert!(
        left.into_iter()
            .all(|name| name == "lost+found" || name == ".dump")
    );
    // What the rules leave out takes no room, and neither does a hole.
    dump(&["--exclude", "large"]).code(0);
    fs::remove_file(mount.path().join("current")).expect("removed");
    fs::remove_file(place.dir.path().join("tree/large")).expect("removed");
    let hole = fs::File::create(place.dir.path().join("tree/hole")).expect("made");
    hole.set_len(1 << 30).expect("sized");
    dump(&[]).code(0);
}

#[test]
fn closed_parents_are_told_of_where_the_copy_is_open() {
    let place = Place::with_tree();
    let top = place.dir.path();
    mode(top, 0o755);
    let closed = top.join("closed");
    fs::create_dir_all(closed.join("docs")).expect("made");
    fs::create_dir_all(closed.join("own")).expect("made");
    mode(&closed, 0o700);
    mode(&closed.join("own"), 0o700);
    let first = |tree: &str, dump: &str| {
        let mut run = place.dumpme();
        fs::create_dir_all(top.join(dump)).expect("made");
        run.args(["--init", "--log", "stderr", "--main", tree, "--dump", dump]);
        run.assert().code(0)
    };
    let told =
        || contains("closed keeps other users out of closed/docs").and(contains("chmod 700 a"));
    first("closed/docs", "a").stderr(told());
    let mut again = place.dumpme();
    again.args([
        "--log",
        "stderr",
        "-q",
        "--main",
        "closed/docs",
        "--dump",
        "a",
    ]);
    again.assert().code(0).stderr(told().not());
    // Nobody gets in there either way.
    first("closed/own", "b").stderr(contains("keeps other users out").not());
    first("tree", "c").stderr(contains("keeps other users out").not());
    fs::create_dir(top.join("d")).expect("made");
    mode(&top.join("d"), 0o700);
    first("closed/docs", "d").stderr(contains("keeps other users out").not());
}

#[test]
#[ignore = "needs root and loop mounts"]
fn setuid_files_are_told_of_once_unless_they_do_not_count() {
    let place = Place::with_tree();
    for name in ["a", "b"] {
        let file = place.dir.path().join("tree").join(name);
        fs::write(&file, "text").expect("written");
        mode(&file, 0o4755);
    }
    let mount = Mount::new(Fs::Ext4, 64);
    let told = contains("nosuid").count(1);
    let first = place
        .dumpme()
        .args(LOUD)
        .arg(mount.path())
        .arg("--init")
        .assert()
        .code(0);
    first.stderr(told);
    // What is only linked was told of when it was stored.
    let mut again = place.dumpme();
    again.args(LOUD).arg(mount.path());
    again.assert().code(0).stderr(contains("nosuid").not());
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,nosuid"]).arg(mount.path());
    assert!(remount.status().expect("runs").success());
    let changed = place.dir.path().join("tree/a");
    fs::write(&changed, "other text").expect("written");
    mode(&changed, 0o4755);
    let mut again = place.dumpme();
    again.args(LOUD).arg(mount.path());
    again.assert().code(0).stderr(contains("nosuid").not());
}
