//! What can be neither removed nor changed, in what an earlier run left behind and in
//! an expired dump: the dump is made without it, and each time it is told.

#![cfg(feature = "catalog")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{ROOT, Stage, tick};
use dumpcore::{Checkpoint, KeepPeriod, KeepPolicy, KeepRules, Prune, Report, Snapshot, Warning};
use fixtures::chattr::{Freed, chattr, free};
use fixtures::rsync::assert_rsync_same;

/// What is given an attribute, below the tree, and which one.
const CASES: [(&str, &str); 8] = [
    ("d/changed", "+i"),
    ("d/changed", "+a"),
    ("d", "+i"),
    ("d", "+a"),
    ("gone", "+i"),
    ("gone/f", "+i"),
    ("becomes", "+i"),
    ("", "+a"),
];

/// The tree, each time another one: names are changed, go, and become directories.
fn write(source: &Path, round: usize) {
    let at = |path: &str| source.join(path);
    let _ = fs::remove_dir_all(source);
    fs::create_dir_all(at("d/deep")).expect("made");
    fs::write(at("d/same"), "same").expect("written");
    fs::write(at("d/changed"), format!("round {round}")).expect("written");
    fs::write(at("d/deep/f"), format!("deep {round}")).expect("written");
    match round {
        0 | 1 => {
            fs::create_dir(at("gone")).expect("made");
            fs::write(at("gone/f"), "gone").expect("written");
            fs::write(at("becomes"), "a file").expect("written");
        }
        _ => fs::create_dir(at("becomes")).expect("made"),
    }
}

fn snapshot(stage: &Stage) -> Snapshot {
    tick();
    stage.snapshot().settle(Duration::ZERO).recycle(true)
}

/// One run that must publish the whole tree. What it set aside.
fn dump(stage: &Stage) -> (Report, Vec<PathBuf>) {
    let report = stage.run(snapshot(stage));
    assert_rsync_same(&stage.source, &stage.newest());
    let aside = report.warnings.iter().filter_map(|warning| match warning {
        Warning::SetAside { path, fault } => {
            assert!(path.is_dir() && fault.path.starts_with(path), "{fault:?}");
            Some(path.clone())
        }
        _ => None,
    });
    let aside = aside.collect();
    (report, aside)
}

/// Is something named that cannot be removed, and nothing twice?
fn told_as_not_removed(report: &Report, below: &Path) -> bool {
    let of = |warning: &Warning| match warning {
        Warning::NotRemoved { fault } | Warning::SetAside { fault, .. } => Some(fault.path.clone()),
        _ => None,
    };
    let mut named: Vec<PathBuf> = report.warnings.iter().filter_map(of).collect();
    let all = named.len();
    named.sort();
    named.dedup();
    assert_eq!(named.len(), all, "{report:?}");
    named.iter().any(|path| path.starts_with(below))
}

/// The runs after the obstacle was met: none takes it up again, each says that it is
/// there, and once it can be removed it goes.
fn assert_later_runs(stage: &Stage, first: &Report, aside: &Path) {
    assert!(told_as_not_removed(first, aside), "{first:?}");
    for round in 10..12 {
        write(&stage.source, round);
        let (report, again) = dump(stage);
        assert_eq!(again, Vec::<PathBuf>::new(), "{report:?}");
        assert!(told_as_not_removed(&report, aside), "{report:?}");
    }
    free(aside);
    let (report, _) = dump(stage);
    assert_eq!(report.warnings, []);
    assert!(!aside.exists());
}

/// Lets all dumps expire but the last. The tree of the one that is kept to be recycled.
fn expired(stage: &Stage) -> PathBuf {
    let policy = KeepPolicy::new().keep(KeepPeriod::Last, "1".parse().expect("a number"));
    let rules = KeepRules::new().tree(ROOT, policy);
    let pruned = Prune::new(&stage.dump).rules(rules).recycle(true).run();
    assert!(pruned.expect("pruned").is_complete());
    let removing = stage.dump.join(".dump/removing");
    let spare = fs::read_dir(removing).expect("listed").next();
    spare.expect("one").expect("listed").path().join(ROOT)
}

#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn an_expired_dump_that_cannot_be_changed_is_set_aside() {
    for (path, attribute) in CASES {
        let stage = Stage::new();
        let _freed = Freed(stage.dump.clone());
        for round in [0, 1, 2] {
            write(&stage.source, round);
            dump(&stage);
        }
        let spare = expired(&stage);
        chattr(attribute, &spare.join(path));
        write(&stage.source, 3);
        let (report, aside) = dump(&stage);
        assert_eq!(report.recycled_from, None, "{path} {attribute}");
        // A tree that cannot even be moved was not taken.
        let aside = match (path, &*aside) {
            ("", []) => spare.parent().expect("a dump").with_extension(""),
            (_, [aside]) => aside.clone(),
            (path, aside) => panic!("{path} {attribute}: {aside:?}"),
        };
        if attribute == "+i" {
            assert_later_runs(&stage, &report, &aside);
        }
    }
}

/// What need not be changed would keep the attribute, which the tree does not have, and
/// a later dump could be neither made of it nor removed.
#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn no_directory_brings_an_attribute_from_an_expired_dump() {
    for (path, attribute) in [("d", "+i"), ("d", "+a"), ("d/deep", "+i"), ("d/deep", "+a")] {
        for changes in [false, true] {
            let stage = Stage::new();
            let _freed = Freed(stage.dump.clone());
            write(&stage.source, 0);
            for _ in 0..3 {
                dump(&stage);
            }
            let spare = expired(&stage);
            chattr(attribute, &spare.join(path));
            if changes {
                let file = stage.source.join("d/deep/f");
                fs::write(file, "deep 7").expect("written");
            }
            let (report, aside) = dump(&stage);
            assert_eq!(aside.len(), 1, "{path} {attribute}: {report:?}");
            assert_eq!(report.recycled_from, None);
            let mut listed = Command::new("lsattr");
            let listed = listed.arg("-d").arg(stage.newest().join(path)).output();
            let listed = String::from_utf8(listed.expect("it runs").stdout).expect("text");
            let flags = listed.split_whitespace().next().expect("flags");
            assert!(!flags.contains(['i', 'a']), "{path} {attribute}: {listed}");
        }
    }
}

/// What a run left behind that was stopped.
fn leftover(stage: &Stage, minute: &str, round: usize) -> PathBuf {
    let site = stage
        .dump
        .join("2020/0101")
        .join(format!("{minute}_incomplete"));
    fs::create_dir_all(&site).expect("made");
    // The day stays, for what compares the dump root with what it was.
    fs::write(site.with_file_name("notes"), "").expect("written");
    write(&site.join(ROOT), round);
    site
}

#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn so_is_what_a_run_left_behind() {
    for (path, attribute) in CASES {
        let stage = Stage::new();
        let _freed = Freed(stage.dump.clone());
        write(&stage.source, 0);
        dump(&stage);
        let site = leftover(&stage, "0000", 1);
        chattr(attribute, &site.join(ROOT).join(path));
        write(&stage.source, 3);
        let (report, aside) = dump(&stage);
        assert!(!report.resumed, "{path} {attribute}");
        assert_eq!(aside.len(), 1, "{path} {attribute}: {report:?}");
        if attribute == "+i" {
            assert_later_runs(&stage, &report, &aside[0]);
        }
    }
}

/// All that may be in the way of one run: the leftover of another tree's run beside its
/// own tree, an older leftover, and an expired dump.
#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn so_is_one_after_the_other() {
    let stage = Stage::new();
    let _freed = Freed(stage.dump.clone());
    write(&stage.source, 0);
    dump(&stage);
    let (older, newer) = (leftover(&stage, "0000", 1), leftover(&stage, "0001", 1));
    chattr("+i", &older.join(ROOT).join("d/same"));
    let foreign = newer.join("another tree");
    fs::create_dir(&foreign).expect("made");
    fs::write(foreign.join("f"), "another").expect("written");
    chattr("+a", &foreign);
    write(&stage.source, 3);
    let (report, aside) = dump(&stage);
    assert_eq!(aside.len(), 2, "{report:?}");
    assert!(
        aside
            .iter()
            .all(|aside| told_as_not_removed(&report, aside))
    );
    let (report, aside) = dump(&stage);
    assert_eq!((aside, report.is_complete()), (Vec::new(), true));
}

/// A leftover that may not even be moved is told, and in nobody's way.
#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn a_leftover_that_is_immutable_itself_stays_and_is_told() {
    for attribute in ["+i", "+a"] {
        let stage = Stage::new();
        let _freed = Freed(stage.dump.clone());
        write(&stage.source, 0);
        dump(&stage);
        let site = leftover(&stage, "0000", 1);
        chattr(attribute, &site);
        for round in [3, 4] {
            write(&stage.source, round);
            let history = snapshot(&stage).run().expect("published");
            assert!(history.is_complete() && !history.resumed, "{history:?}");
            let told = Warning::FixedLeftover { path: site.clone() };
            assert_eq!(history.warnings, [told]);
            assert_rsync_same(&stage.source, &stage.newest());
        }
        chattr("-ia", &site);
        let (report, _) = dump(&stage);
        assert!(report.resumed, "{report:?}");
    }
}

/// An immutable file that is what the source has is in nobody's way.
#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn what_need_not_be_changed_is_kept() {
    let stage = Stage::new();
    let _freed = Freed(stage.dump.clone());
    write(&stage.source, 0);
    dump(&stage);
    let site = leftover(&stage, "0000", 1);
    let kept = stage.source.join("kept");
    fs::write(&kept, "kept").expect("written");
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(&kept).arg(site.join(ROOT));
    assert!(copy.status().expect("it runs").success());
    chattr("+i", &site.join(ROOT).join("kept"));
    let (report, aside) = dump(&stage);
    assert_eq!((report.resumed, aside), (true, Vec::new()), "{report:?}");
}

/// A checkpoint's leftover, too.
#[test]
#[ignore = "needs root, and chattr on the filesystem of /tmp"]
fn a_checkpoint_begins_again_as_well() {
    let stage = Stage::new();
    let _freed = Freed(stage.dump.clone());
    write(&stage.source, 0);
    dump(&stage);
    let site = stage.dump.join("2020/0101/0000_chk_incomplete");
    write(&site.join(ROOT), 1);
    chattr("+i", &site.join(ROOT).join("d/changed"));
    let report = Checkpoint::new(&stage.dump).verify(true).run();
    let report = report.expect("published");
    assert!(report.is_complete() && !report.resumed, "{report:?}");
    let is = |warning: &Warning| matches!(warning, Warning::SetAside { .. });
    assert!(report.warnings.iter().any(is), "{report:?}");
    assert_rsync_same(&stage.source, &stage.newest());
}
