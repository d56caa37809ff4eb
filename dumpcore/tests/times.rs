//! Modification times that a dump disk cannot store: what it stores instead is
//! not held against an entry, and is reported once a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dumpcore::{Report, Snapshot, Warning};
use fixtures::mounts::{Fs, Mount};
use fixtures::sshfs_server::Sshd;

const DAY: i64 = 86_400;

struct Place {
    source: PathBuf,
    dump: PathBuf,
}

/// A tree on a filesystem that stores every time.
fn tree(place: &Place) {
    for (name, secs, nanos) in [
        ("1800", -62_091 * DAY, 0),
        ("1901", -25_202 * DAY, 5),
        ("1969", -2 * DAY, 500_000_000),
        ("1970", 0, 0),
        ("2009", 14_600 * DAY, 123_456_789),
        ("2040", 25_600 * DAY, 0),
        ("2200", 84_006 * DAY, 7),
        ("2500", 193_580 * DAY, 0),
    ] {
        let path = place.source.join(name);
        fs::write(&path, name).expect("written");
        let epoch = SystemTime::UNIX_EPOCH;
        let whole = Duration::from_secs(secs.unsigned_abs());
        let time = if secs < 0 {
            epoch - whole
        } else {
            epoch + whole
        };
        let file = File::options().write(true).open(&path).expect("opened");
        let time = time + Duration::from_nanos(nanos);
        file.set_modified(time).expect("set");
        assert_eq!(
            file.metadata().expect("stat").modified().expect("told"),
            time
        );
    }
}

#[track_caller]
fn dump(place: &Place, case: &str) -> Report {
    let init = place.dump.join("current").symlink_metadata().is_err();
    let run = Snapshot::new(&place.dump).main(&place.source).init(init);
    let report = run.run().unwrap_or_else(|e| panic!("{case}: {e}"));
    assert!(report.faults.is_empty(), "{case}: {:#?}", report.faults);
    report
}

/// How many entries are said to be without their times.
fn told(report: &Report) -> Vec<u64> {
    let number = |w: &Warning| match w {
        Warning::NotKept { what, number, .. } if what.as_str() == "times" => Some(*number),
        _ => None,
    };
    report.warnings.iter().filter_map(number).collect()
}

/// Three dumps: the first copies all, the others link all, and each tells how
/// many times are other ones.
#[track_caller]
fn assert_kept_but_for(disk: &Path, case: &str, other: u64, wraps: bool) {
    let memory = Mount::new(Fs::Tmpfs, 16);
    let place = Place {
        source: memory.path().join("tree"),
        dump: disk.join("dump"),
    };
    for dir in [&place.source, &place.dump] {
        fs::create_dir_all(dir).expect("made");
    }
    tree(&place);
    for round in 0..3 {
        let report = dump(&place, case);
        let counts = &report.counts;
        let copied = if round == 0 { 8 } else { 0 };
        assert_eq!(counts.copied().number, copied, "{case}: {counts:?}");
        let expected: &[u64] = if other == 0 { &[] } else { &[other] };
        assert_eq!(told(&report), expected, "{case}: {:?}", report.warnings);
    }
    // A change is one anyway.
    fs::write(place.source.join("2500"), "2501").expect("written");
    set_time(&place.source.join("2500"), 1_234_567_890);
    let report = dump(&place, case);
    assert_eq!(report.counts.copied_changed.number, 1, "{case}");
    if wraps {
        return;
    }
    // So is a time alone that the disk can store only in part: the dump has
    // what a copy has.
    set_time(&place.source.join("2009"), 193_580 * DAY.unsigned_abs());
    let report = dump(&place, case);
    assert_eq!(report.counts.copied().number, 1, "{case}: a time alone");
    let report = dump(&place, case);
    assert_eq!(report.counts.copied().number, 0, "{case}: and then linked");
}

fn set_time(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).expect("opened");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_modified(time).expect("set");
}

#[test]
#[ignore = "needs root, ext4, xfs, btrfs and ntfs-3g"]
fn what_the_disk_stores_instead_is_linked_and_told() {
    let cases: [(Fs, &[&str], u64); 6] = [
        // Of 32 bits, in whole seconds.
        (Fs::Ext4, &["-I", "128"], 5),
        (Fs::Xfs, &["-m", "bigtime=0"], 5),
        // From 1901 to 2446.
        (Fs::Ext4, &[], 3),
        (Fs::Xfs, &[], 3),
        (Fs::Btrfs, &[], 0),
        (Fs::Tmpfs, &[], 0),
    ];
    for (fs, mkfs, other) in cases {
        let disk = Mount::with(fs, 300, mkfs, "");
        assert_kept_but_for(disk.path(), &format!("{fs:?} {mkfs:?}"), other, false);
    }
}

/// Its protocol carries 32 bits without a sign, and the second 0 is taken for
/// now: no end of a range explains what comes back.
#[test]
#[ignore = "needs root, FUSE, sshd and sshfs"]
fn so_is_what_wraps_around() {
    let dir = assert_fs::TempDir::new().expect("a directory");
    let far = dir.path().join("far");
    fs::create_dir(&far).expect("made");
    let sshd = Sshd::up(dir.path());
    let near = dir.path().join("near");
    let _mounted = sshd.mount(&far, &near, "");
    assert_kept_but_for(&near, "sshfs", 6, true);
}
