//! Dump disks that take modes, owners and attributes, and forget them: what is
//! lost is reported, and an unchanged tree is linked anyway.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

use common::Stage;
use dumpcore::{Report, Snapshot, Warning};
use fixtures::bindfs::Bindfs;
use fixtures::mounts::{Fs, Mount};

/// A tree of whose permissions and owners any loss shows.
fn tree(stage: &Stage) {
    fs::create_dir(stage.source.join("closed")).expect("made");
    for (name, mode, uid, gid) in [
        ("secret", 0o600, 0, 0),
        ("closed/shared", 0o664, 7, 8),
        ("closed/program", 0o6755, 0, 0),
        ("theirs", 0o4711, 9, 0),
    ] {
        let path = stage.source.join(name);
        fs::write(&path, name).expect("written");
        chown(&path, Some(uid), Some(gid)).expect("given");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    }
    symlink("secret", stage.source.join("link")).expect("linked");
    let closed = fs::Permissions::from_mode(0o700);
    fs::set_permissions(stage.source.join("closed"), closed).expect("set");
}

/// Dumps a tree twice onto what is mounted: what is said of it, both times, and
/// the reports.
#[track_caller]
fn twice(stage: &Stage) -> [Report; 2] {
    tree(stage);
    [true, false].map(|init| {
        let run = Snapshot::new(&stage.dump).main(&stage.source).init(init);
        let report = run.run().unwrap_or_else(|e| panic!("{e}"));
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        report
    })
}

#[track_caller]
fn assert_linked(report: &Report, case: &str) {
    let counts = &report.counts;
    assert_eq!(counts.copied().number, 0, "{case}: {counts:?}");
    assert_eq!(counts.linked.number, 5, "{case}: {counts:?}");
}

fn said(report: &Report) -> String {
    let lines = report.warnings.iter().map(|w| format!("{w}\n"));
    lines.collect()
}

#[test]
#[ignore = "needs root, FUSE and bindfs"]
fn a_disk_that_forgets_modes_or_owners_links_all_the_same() {
    let mode = "does not keep permissions";
    let bits = "does not keep the permission bits 0077";
    let owner = "owners (every file belongs to user";
    let group = "groups (every file belongs to group";
    let open = "anyone who can enter the dump root can read everything";
    for (options, told, untold) in [
        (&["--chmod-ignore"][..], &[mode][..], &[open, owner][..]),
        (&["--perms=0755"], &[mode, open], &[owner]),
        (&["--perms=a=rwX"], &[mode, open], &[owner]),
        (&["--perms=go=rX"], &[bits, open], &[mode]),
        (&["--chmod-deny"], &[mode], &[owner]),
        (&["--chown-ignore"], &[owner], &[mode]),
        (&["--chgrp-ignore"], &[group], &[owner, mode]),
        (&["--force-user=1234"], &[owner], &[group, mode]),
        (
            &["--force-user=1234", "--force-group=77"],
            &[owner, "group 77"],
            &[mode],
        ),
        (
            &["--chown-ignore", "--chmod-ignore"],
            &[owner, mode],
            &[open],
        ),
    ] {
        let mount = Bindfs::new(options);
        let mut stage = Stage::new();
        stage.dump = mount.path().join("dump");
        fs::create_dir(&stage.dump).expect("made");
        let [first, second] = twice(&stage);
        assert_linked(&second, &format!("{options:?}"));
        for report in [first, second] {
            let said = said(&report);
            for line in told {
                assert!(said.contains(line), "{options:?}, not {line:?}: {said}");
            }
            for line in untold {
                assert!(!said.contains(line), "{options:?}, {line:?}: {said}");
            }
        }
    }
}

/// What is kept still counts.
#[test]
#[ignore = "needs root, FUSE and bindfs"]
fn what_the_disk_keeps_is_compared_as_before() {
    let mount = Bindfs::new(&["--perms=go=rX"]);
    let mut stage = Stage::new();
    stage.dump = mount.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    twice(&stage);
    // Its own bits, and its group, are kept there.
    let theirs = stage.source.join("theirs");
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o4511)).expect("set");
    let secret = stage.source.join("secret");
    chown(&secret, None, Some(5)).expect("given");
    let report = stage.snapshot().run().expect("published");
    assert_eq!(
        report.counts.copied_attributes.number, 2,
        "{:?}",
        report.counts
    );
    assert_eq!(report.counts.linked.number, 3);
}

/// No program runs as somebody it did not belong to.
#[test]
#[ignore = "needs root, FUSE and bindfs"]
fn nothing_is_setuid_for_an_owner_that_was_forgotten() {
    let mount = Bindfs::new(&["--chown-ignore"]);
    let mut stage = Stage::new();
    stage.dump = mount.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    twice(&stage);
    let mode = |name: &str| {
        let looked = fs::metadata(stage.newest().join(name)).expect("there");
        (looked.uid(), looked.mode() & 0o7777)
    };
    assert_eq!(mode("theirs"), (0, 0o711));
    assert_eq!(mode("closed/program"), (0, 0o6755), "it was root's before");
}

#[test]
#[ignore = "needs root, loop mounts and ntfs-3g"]
fn ntfs_links_what_is_unchanged_and_says_what_it_loses() {
    let mount = Mount::new(Fs::Ntfs, 64);
    let mut stage = Stage::new();
    stage.dump = mount.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    let [first, second] = twice(&stage);
    assert_linked(&second, "ntfs");
    let open = |warning: &&Warning| {
        matches!(
            warning,
            Warning::PermissionsNotKept {
                by_ntfs_3g: true,
                shown: 0o777,
                ..
            }
        )
    };
    assert_eq!(first.warnings.iter().filter(open).count(), 1);
    let said = said(&first);
    assert!(said.contains("mount it with '-o permissions'"), "{said}");
    assert!(
        said.contains("owners (every file belongs to user 0)"),
        "{said}"
    );

    let keeping = Mount::with(Fs::Ntfs, 64, &[], "permissions");
    let mut stage = Stage::new();
    stage.dump = keeping.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    let [first, second] = twice(&stage);
    assert_linked(&second, "ntfs with permissions");
    assert!(
        !self::said(&first).contains("permissions"),
        "{}",
        self::said(&first)
    );
    let secret = fs::metadata(stage.newest().join("secret")).expect("there");
    assert_eq!(secret.mode() & 0o777, 0o600);
}
