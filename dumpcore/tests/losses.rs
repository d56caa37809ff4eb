//! What the dump's filesystem cannot keep of an entry: the entry is kept, and
//! what was lost is reported.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Stage, leftovers};
use dumpcore::{Loss, Op, Report, Warning};
use fixtures::acl;
use fixtures::mounts::{Fs, Mount};

const LARGE: [u8; 10_000] = [b'v'; 10_000];

/// Attributes that tmpfs keeps and ext4 does not: it answers that there is no
/// space, on an empty disk.
#[test]
#[ignore = "needs root and mounts"]
fn attributes_too_large_for_the_dump_cost_only_themselves() {
    let (from, to) = (Mount::new(Fs::Tmpfs, 64), Mount::new(Fs::Ext4, 64));
    let mut stage = Stage::within(&from.path().join("stage"));
    stage.dump = to.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    fs::create_dir_all(stage.source.join("dir")).expect("made");
    for name in ["dir/large", "dir/plain", "dir"] {
        let path = stage.source.join(name);
        if !path.exists() {
            fs::write(&path, name).expect("written");
        }
        if name != "dir/plain" {
            xattr::set(&path, "user.large", &LARGE).expect("set");
        }
        xattr::set(&path, "user.small", b"1").expect("set");
    }
    for linked in [0, 2] {
        let report = stage.snapshot().run().unwrap_or_else(|e| panic!("{e}"));
        let newest = stage.newest();
        // A fault once; later it is held against nothing, and told.
        let faults = ["dir", "dir/large"].map(|name| newest.join(name));
        assert_eq!(lost(&report), &faults[..if linked == 0 { 2 } else { 0 }]);
        assert_eq!(report.counts.linked.number, linked, "{:?}", report.counts);
        let told: Vec<_> = report.warnings.iter().filter_map(refused).collect();
        assert_eq!(told, if linked == 0 { vec![] } else { vec![2] });
        for name in ["dir/large", "dir/plain"] {
            let kept = fs::read_to_string(newest.join(name)).expect("read");
            assert_eq!(kept, name);
        }
        for name in ["dir/large", "dir/plain", "dir"] {
            let small = xattr::get(newest.join(name), "user.small").expect("read");
            assert_eq!(small.as_deref(), Some(&b"1"[..]), "{name}");
        }
        assert_eq!(leftovers(&stage.dump), Vec::<PathBuf>::new());
    }
}

/// How many entries lack attributes that were refused.
fn refused(warning: &Warning) -> Option<u64> {
    match warning {
        Warning::NotKept {
            what: Loss::RefusedAttributes,
            number,
            ..
        } => Some(*number),
        _ => None,
    }
}

/// Where the faults were, all of which must be of attributes.
#[track_caller]
fn lost(report: &Report) -> Vec<PathBuf> {
    let mut paths: Vec<_> = report
        .faults
        .iter()
        .inspect(|fault| assert_eq!(fault.op, Op::SetXattr, "{fault}"))
        .map(|fault| fault.path.clone())
        .collect();
    paths.sort();
    paths
}

/// A directory whose ACL is refused has another mode than its source. The catalog
/// has the one that it has, or a scrub would take it for damaged.
#[cfg(feature = "catalog")]
#[test]
#[ignore = "needs root and mounts"]
fn a_directory_that_lost_its_acl_is_recorded_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let (from, to) = (Mount::new(Fs::Tmpfs, 64), Mount::new(Fs::Ext4, 64));
    let mut stage = Stage::within(&from.path().join("stage"));
    stage.dump = to.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    let dir = stage.source.join("dir");
    fs::create_dir(&dir).expect("made");
    let mut entries = vec![acl::Entry::UserObj(7)];
    entries.extend((1..1_500).map(|id| acl::Entry::User(id, 7)));
    entries.extend([
        acl::Entry::GroupObj(0),
        acl::Entry::Mask(7),
        acl::Entry::Other(0),
    ]);
    xattr::set(&dir, acl::ACCESS, &acl::encode(&entries)).expect("set");
    let mode = |dir: &std::path::Path| fs::metadata(dir).expect("there").permissions().mode();
    assert_eq!(mode(&dir) & 0o777, 0o770);
    for turn in 0..2 {
        fs::write(stage.source.join("turn"), [turn]).expect("written");
        let report = stage.snapshot().run().unwrap_or_else(|e| panic!("{e}"));
        let made = stage.newest().join("dir");
        if turn == 0 {
            assert_eq!(lost(&report), std::slice::from_ref(&made));
        }
        assert_eq!(mode(&made) & 0o777, 0o700);
        let found = dumpcore::CatalogTools::new(&stage.dump).all(true).check();
        assert_eq!(found.expect("checked"), []);
        let scrubbed = dumpcore::Scrub::new(&stage.dump).run().expect("scrubbed");
        assert!(scrubbed.is_sound(), "{scrubbed:#?}");
    }
}

/// More names than Linux lists, on a filesystem that takes them.
#[test]
#[ignore = "needs root and mounts"]
fn attributes_that_cannot_be_listed_cost_only_themselves() {
    let (from, to) = (Mount::new(Fs::Xfs, 300), Mount::new(Fs::Ext4, 64));
    let mut stage = Stage::within(&from.path().join("stage"));
    stage.dump = to.path().join("dump");
    fs::create_dir(&stage.dump).expect("made");
    fs::create_dir(stage.source.join("dir")).expect("made");
    for name in ["dir/many", "dir/plain"] {
        fs::write(stage.source.join(name), name).expect("written");
    }
    for name in ["dir/many", "dir"] {
        for number in 0..300 {
            let attribute = format!("user.{number:0>240}");
            xattr::set(stage.source.join(name), attribute, b"x").expect("set");
        }
    }
    let acl = acl::with_user(54321, 5);
    xattr::set(stage.source.join("dir/many"), acl::ACCESS, &acl).expect("set");
    let run = || stage.snapshot().run().unwrap_or_else(|e| panic!("{e}"));
    let first = run();
    let mut unread: Vec<_> = first.faults.iter().map(|fault| &fault.path).collect();
    unread.sort();
    let expected = ["dir", "dir/many"].map(|name| stage.source.join(name));
    assert_eq!(unread, expected.iter().collect::<Vec<_>>());
    assert!(first.faults.iter().all(|fault| fault.op == Op::ReadXattr));
    let many = stage.newest().join("dir/many");
    assert_eq!(fs::read_to_string(&many).expect("read"), "dir/many");
    let kept = xattr::get(&many, acl::ACCESS).expect("read");
    assert_eq!(kept, Some(acl), "who may read it is asked for by name");
    let second = run();
    assert!(second.faults.is_empty(), "{:#?}", second.faults);
    assert_eq!(second.counts.linked.number, 2, "{:?}", second.counts);
    let told = second.warnings.iter().any(|warning| {
        matches!(
            warning,
            Warning::NotKept {
                what: Loss::UnreadAttributes,
                number: 2,
                ..
            }
        )
    });
    assert!(told, "{:#?}", second.warnings);
}
