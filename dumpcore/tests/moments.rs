//! When a dump was made, and what it lacks: what it tells of itself.

mod common;

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use common::Stage;
use dumpcore::{Checkpoint, DumpName, DumpRoot, Lacking, Replica, Replicated, Report, Stamp};

const MOMENT: &str = "user.dump.moment";
const PARTIAL: &str = "user.dump.partial";

fn mark(dump: &Path, name: &str) -> Option<String> {
    let mark = xattr::get(dump, name).expect("a filesystem with attributes");
    mark.map(|mark| String::from_utf8(mark).expect("text"))
}

fn modified(path: &Path) -> DateTime<Utc> {
    let time: SystemTime = fs::metadata(path)
        .expect("there")
        .modified()
        .expect("a time");
    time.into()
}

fn name_of(dump: &Path) -> DumpName {
    let names: Vec<_> = dump.iter().rev().take(3).collect();
    let path: PathBuf = names.into_iter().rev().collect();
    DumpName::parse(path.as_os_str().as_encoded_bytes()).expect("a name")
}

fn replica(stage: &Stage, to: &Path) -> Box<Report> {
    let init = fs::symlink_metadata(to.join("current")).is_err();
    fs::create_dir_all(to).expect("made");
    let replica = Replica::of(&stage.dump).to(to).latest(true).init(init);
    match replica.run().expect("published") {
        Replicated::Made(report) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dump_bears_its_moment_and_copies_bear_that_of_what_they_copy() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    let before = Utc::now();
    let report = stage.run(stage.snapshot());
    let text = mark(&report.dump, MOMENT).expect("a mark");
    assert!(text.ends_with('Z') && text.len() == 30, "{text}");
    let moment = DateTime::parse_from_rfc3339(&text)
        .expect("RFC 3339")
        .to_utc();
    assert!(
        before <= moment && moment <= report.end.to_utc(),
        "{moment}"
    );
    assert_eq!(modified(&report.dump), moment);
    let listing = DumpRoot::open(&stage.dump).expect("opened").listing();
    assert_eq!(listing.moment(name_of(&report.dump)), moment);

    let checkpoint = Checkpoint::new(&stage.dump).run().expect("published");
    let brought = replica(&stage, &stage.dump.with_file_name("second"));
    for copy in [&checkpoint.dump, &brought.dump] {
        assert_eq!(mark(copy, MOMENT).as_ref(), Some(&text));
        assert_eq!(modified(copy), moment);
    }

    let at: Stamp = "2020-02-29T12:34".parse().expect("a minute");
    let import = stage.snapshot().at(at).run().expect("published");
    let listing = DumpRoot::open(&stage.dump).expect("opened").listing();
    assert_eq!(listing.moment(name_of(&import.dump)), at.first_moment());
    assert_eq!(modified(&import.dump), at.first_moment());
    let current = fs::read_link(stage.dump.join("current")).expect("a link");
    assert!(checkpoint.dump.ends_with(current), "an import is older");
}

/// Where nothing was marked, as by the original or on a disk without
/// attributes, the directory's time says it, and the copies are reported.
#[test]
fn a_dump_without_a_mark_is_of_its_directorys_time() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    let report = stage.run(stage.snapshot());
    let listing = DumpRoot::open(&stage.dump).expect("opened").listing();
    let moment = listing.moment(name_of(&report.dump));
    xattr::remove(&report.dump, MOMENT).expect("removed");
    assert_eq!(listing.moment(name_of(&report.dump)), moment);
    let touch = |time: DateTime<Utc>| {
        let times = FileTimes::new().set_modified(time.into());
        let dir = File::open(&report.dump).expect("opened");
        dir.set_times(times).expect("set");
    };
    // Of another zone.
    let elsewhere = moment - TimeDelta::hours(16) - TimeDelta::minutes(30);
    touch(elsewhere);
    assert_eq!(listing.moment(name_of(&report.dump)), elsewhere);
    let brought = replica(&stage, &stage.dump.with_file_name("second"));
    let text = mark(&brought.dump, MOMENT).expect("a mark");
    assert_eq!(
        DateTime::parse_from_rfc3339(&text).expect("RFC 3339"),
        elsewhere
    );
    // Somebody touched it.
    touch(moment - TimeDelta::days(400));
    let named = name_of(&report.dump).stamp.first_moment();
    assert_eq!(listing.moment(name_of(&report.dump)), named);
}

#[test]
fn a_complete_dump_is_not_partial() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    let report = stage.run(stage.snapshot());
    assert_eq!(mark(&report.dump, PARTIAL), None);
    let listing = DumpRoot::open(&stage.dump).expect("opened").listing();
    assert_eq!(listing.lacks(name_of(&report.dump)), None);
    // Another program's mark, or a damaged one, means that it lacks something;
    // so does one that is too long to be read.
    let (three, unknown) = (Some(Lacking::Entries(3)), Some(Lacking::Unknown));
    let long = "1".repeat(300);
    for (text, lacks) in [
        ("0", None),
        ("3", three),
        ("yes", unknown),
        ("", unknown),
        (long.as_str(), unknown),
    ] {
        xattr::set(&report.dump, PARTIAL, text.as_bytes()).expect("set");
        assert_eq!(listing.lacks(name_of(&report.dump)), lacks, "{text:?}");
    }
    let gone: DumpName = "2001/0101/0000".parse().expect("a name");
    assert_eq!(listing.lacks(gone), None);
}

#[test]
fn a_copy_of_a_partial_dump_is_partial() {
    let stage = Stage::new();
    fs::write(stage.source.join("file"), "text").expect("written");
    let report = stage.run(stage.snapshot());
    xattr::set(&report.dump, PARTIAL, b"2").expect("set");
    let brought = replica(&stage, &stage.dump.with_file_name("second"));
    let checkpoint = Checkpoint::new(&stage.dump).run().expect("published");
    for copy in [&brought, &checkpoint] {
        assert_eq!(mark(&copy.dump, PARTIAL).as_deref(), Some("2"));
        assert_eq!((copy.missing, copy.is_complete()), (2, true));
    }
    // Nobody knows how many those are.
    xattr::set(&checkpoint.dump, PARTIAL, b"?").expect("set");
    let unknown = Checkpoint::new(&stage.dump).run().expect("published");
    assert_eq!(mark(&unknown.dump, PARTIAL).as_deref(), Some("unknown"));
    assert_eq!((unknown.missing, unknown.is_complete()), (1, true));
    // What is made of the tree itself has all again.
    let next = stage.run(stage.snapshot());
    assert_eq!((mark(&next.dump, PARTIAL), next.missing), (None, 0));
}
