//! Links to unchanged entries that the system refuses: they are copied, counted
//! apart, and the reason is reported, in a dry run as well.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::Stage;
use dumpcore::{CopyReason, Report, Warning};
use fixtures::mounts::{Fs, Mount};

/// Three files of twelve bytes in all.
fn files(stage: &Stage) {
    for name in ["one", "two", "six"] {
        fs::write(stage.source.join(name), format!("{name}\n")).expect("written");
    }
}

fn run(program: &str, args: &[&str], path: &Path) {
    let mut command = Command::new(program);
    let output = command.args(args).arg(path).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}

/// A dry run foresees what the run then finds.
#[track_caller]
fn assert_refused(stage: &Stage, expected: CopyReason) {
    for dry in [true, false] {
        let report = stage.snapshot().dry_run(dry).run().expect("done");
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        let refused = report.counts.copied_refused;
        assert_eq!((refused.number, refused.bytes), (3, 12), "dry: {dry}");
        assert_eq!(report.counts.copied(), refused, "dry: {dry}");
        assert_eq!(told(&report), [(expected, 3, 12)], "dry: {dry}");
    }
    stage.assert_same();
}

fn told(report: &Report) -> Vec<(CopyReason, u64, u64)> {
    let refused = |warning: &Warning| match warning {
        Warning::LinksRefused {
            why, number, bytes, ..
        } => Some((*why, *number, *bytes)),
        _ => None,
    };
    report.warnings.iter().filter_map(refused).collect()
}

/// Somebody protects finished dumps.
#[test]
#[ignore = "needs root, a loop mount and chattr"]
fn immutable_dumps_are_not_linked_to() {
    for flag in ["i", "a"] {
        let mount = Mount::new(Fs::Ext4, 64);
        let stage = Stage::within(&mount.path().join("stage"));
        files(&stage);
        stage.run(stage.snapshot());
        let first = stage.newest();
        run("chattr", &["-R", &format!("+{flag}")], &first);
        assert_refused(&stage, CopyReason::Immutable);
        run("chattr", &["-R", &format!("-{flag}")], &first);
        let report = stage.run(stage.snapshot());
        assert_eq!(report.counts.linked.number, 3, "the copies are linked to");
        assert_eq!(told(&report), []);
    }
}

/// Each dump a subvolume of its own, as for snapshots.
#[test]
#[ignore = "needs root, loop mounts and btrfs"]
fn a_dump_in_another_subvolume_is_not_linked_to() {
    let mount = Mount::new(Fs::Btrfs, 200);
    let stage = Stage::within(&mount.path().join("stage"));
    files(&stage);
    stage.run(stage.snapshot());
    let first = stage.newest().parent().expect("the dump").to_path_buf();
    let aside = stage.dump.join("aside");
    fs::rename(&first, &aside).expect("moved");
    run("btrfs", &["subvolume", "create"], &first);
    let from = aside.join(".");
    run("cp", &["-a", from.to_str().expect("text")], &first);
    fs::remove_dir_all(&aside).expect("removed");
    assert_refused(&stage, CopyReason::OtherFilesystem);
    let report = stage.run(stage.snapshot());
    assert_eq!(report.counts.linked.number, 3, "the copies are linked to");
}

/// Two files that were one inode are not a refusal.
#[test]
fn a_hard_link_that_was_parted_is_a_change() {
    let stage = Stage::new();
    files(&stage);
    let (one, other) = (stage.source.join("one"), stage.source.join("other"));
    fs::hard_link(&one, &other).expect("linked");
    stage.run(stage.snapshot());
    let time = fs::metadata(&one)
        .expect("there")
        .modified()
        .expect("a time");
    fs::remove_file(&other).expect("removed");
    fs::copy(&one, &other).expect("copied");
    let file = fs::File::options()
        .write(true)
        .open(&other)
        .expect("opened");
    file.set_modified(time).expect("set");
    let report = stage.run(stage.snapshot());
    assert_eq!(
        report.counts.copied_changed.number, 1,
        "{:?}",
        report.counts
    );
    assert_eq!(report.counts.copied_refused.number, 0);
    assert_eq!(told(&report), []);
}
