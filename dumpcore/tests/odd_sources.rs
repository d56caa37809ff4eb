//! Sources of which not all is true that is said: sizes that are not the
//! files' own, one inode number for several files, links to names outside.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use common::{ROOT, Stage};
use dumpcore::{Replica, Replicated, Report, Snapshot};
use fixtures::bind::Bind;
use fixtures::odd_fuse::{Odd, OddFuse};

fn dump(stage: &Stage, source: &Path) -> Report {
    let init = stage.dump.join("current").symlink_metadata().is_err();
    let run = Snapshot::new(&stage.dump)
        .main(dumpcore::Tree::new(source).named(ROOT))
        .init(init);
    let report = run.run().expect("published");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    report
}

#[track_caller]
fn assert_holds(dumped: &Path, files: &[Odd<'_>]) {
    for Odd { name, text, .. } in files {
        let there = fs::read_to_string(dumped.join(name)).expect("read");
        assert_eq!(there, *text, "{name}");
    }
}

fn ino(path: PathBuf) -> u64 {
    fs::metadata(path).expect("stat").ino()
}

const fn odd(name: &'static str, text: &'static str, says: Option<u64>) -> Odd<'static> {
    Odd {
        name,
        text,
        ino: 0,
        links: 1,
        says,
    }
}

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn a_file_is_read_to_its_end_whatever_is_said_of_its_size() {
    let mut files = [
        odd("says nothing", "but has something", Some(0)),
        odd("says less", "than it has, by far", Some(4)),
        odd("says more", "than it has", Some(4096)),
        odd("is empty", "", Some(0)),
        odd("is true", "as it is said", None),
    ];
    for (number, file) in files.iter_mut().enumerate() {
        file.ino = 10 + number as u64;
    }
    let stage = Stage::new();
    let first = {
        let source = OddFuse::new(&files);
        let first = dump(&stage, source.path());
        assert_holds(&stage.newest(), &files);
        assert_eq!(first.counts.copied_new.bytes, 60, "{:?}", first.counts);
        // Unchanged, all are linked.
        let second = dump(&stage, source.path());
        assert_eq!(second.counts.linked.number, 5, "{:?}", second.counts);
        assert_holds(&stage.newest(), &files);
        first
    };
    // Other contents, of which the same is said.
    files[0].text = "and has other things";
    files[1].text = "Than it has, by far";
    let source = OddFuse::new(&files);
    dump(&stage, source.path());
    assert_eq!(
        fs::read_to_string(stage.newest().join(files[0].name)).expect("read"),
        files[0].text
    );
    assert_eq!(
        fs::read_to_string(stage.newest().join(files[1].name)).expect("read"),
        files[1].text
    );
    assert_eq!(
        fs::read_to_string(first.dump.join(ROOT).join(files[0].name)).expect("read"),
        "but has something"
    );
}

#[test]
#[ignore = "needs root for a bind mount"]
fn a_file_of_the_kernels_is_stored_with_its_contents() {
    let stage = Stage::new();
    let file = stage.source.join("version");
    fs::write(&file, "").expect("written");
    let _bound = Bind::new(Path::new("/proc/version"), &file);
    for _ in 0..3 {
        dump(&stage, &stage.source);
        let text = fs::read("/proc/version").expect("read");
        assert!(!text.is_empty());
        assert_eq!(
            fs::read(stage.newest().join("version")).expect("read"),
            text
        );
    }
}

/// Of one size and time, and of others; two are one file indeed.
const COLLIDING: [Odd<'static>; 5] = {
    const fn of(name: &'static str, text: &'static str) -> Odd<'static> {
        Odd {
            name,
            text,
            ino: 77,
            links: 5,
            says: None,
        }
    }
    [
        of("a", "first file"),
        of("b", "other file"),
        of("c", "a longer third file"),
        of("d", "first file"),
        of("e", "x"),
    ]
};

#[test]
#[ignore = "needs FUSE, and python3 with fusepy"]
fn files_with_one_inode_number_keep_their_contents() {
    let source = OddFuse::new(&COLLIDING);
    let stage = Stage::new();
    for round in 0..3 {
        let report = dump(&stage, source.path());
        let newest = stage.newest();
        assert_holds(&newest, &COLLIDING);
        let copied = report.counts.copied().number;
        assert!(
            copied == if round == 0 { 4 } else { 0 },
            "{round}: {:?}",
            report.counts
        );
        assert_eq!(ino(newest.join("a")), ino(newest.join("d")));
        assert_ne!(ino(newest.join("a")), ino(newest.join("b")));
    }
    // A dry run says the same.
    let init = false;
    let dry = Snapshot::new(&stage.dump)
        .main(dumpcore::Tree::new(source.path()).named(ROOT))
        .init(init)
        .dry_run(true);
    let dry = dry.run().expect("dry").counts;
    assert_eq!(
        (dry.copied().number, dry.linked.number, dry.hard_links),
        (0, 4, 1)
    );
}

/// A dump root behind a filesystem that makes up what it lists.
#[test]
#[ignore = "needs root and bindfs"]
fn hard_links_come_over_from_a_dump_root_in_user_space() {
    let view = fixtures::bindfs::Bindfs::new(&[]);
    let stage = Stage::within(&view.path().join("stage"));
    for name in ["a", "c"] {
        fs::write(stage.source.join(name), name).expect("written");
    }
    fs::hard_link(stage.source.join("a"), stage.source.join("b")).expect("linked");
    for _ in 0..2 {
        dump(&stage, &stage.source);
    }
    let second = Stage::new();
    let made = Replica::of(&stage.dump)
        .to(&second.dump)
        .latest(true)
        .init(true)
        .run();
    assert!(matches!(made, Ok(Replicated::Made(_))), "{made:?}");
    let newest = second.newest();
    assert_eq!(ino(newest.join("a")), ino(newest.join("b")));
    assert_ne!(ino(newest.join("a")), ino(newest.join("c")));
}
