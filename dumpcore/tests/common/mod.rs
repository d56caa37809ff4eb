//! What the tests of whole runs share: a stage with a source and a dump
//! root, one run with all its checks, and a memory of access times.

// Each file of tests takes what it needs.
#![allow(dead_code)]

pub(crate) mod restoring;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use dumpcore::{DumpRoot, Report, Snapshot, Warning};
pub(crate) use fixtures::clock::tick;
use fixtures::tree::remove_deep;
use fixtures::walk::{Place, Side, Visit, walk};
use fixtures::{Fingerprint, Options, diff_trees};
use rustix::fs::Stat;
use rustix::io::Errno;

/// The name of the root in all dumps of these tests.
pub(crate) const ROOT: &str = "tree";

/// A dump, in ticks of the clock of its own, without the catalog.
pub(crate) fn dump_apart(stage: &Stage) -> Report {
    tick();
    let report = stage.run(stage.snapshot().catalog(false));
    tick();
    report
}

/// A source and a dump root, gone when dropped, however deep.
pub(crate) struct Stage {
    top: PathBuf,
    pub(crate) source: PathBuf,
    pub(crate) dump: PathBuf,
}

impl Stage {
    /// An empty source beside an empty dump root.
    pub(crate) fn new() -> Self {
        Self::within(&fixtures::plain_user::open_dir().keep())
    }

    /// The same below a directory that is removed with it.
    pub(crate) fn within(top: &Path) -> Self {
        let stage = Stage {
            top: top.to_path_buf(),
            source: top.join(ROOT),
            dump: top.join("dump"),
        };
        for dir in [&stage.source, &stage.dump] {
            fs::create_dir_all(dir).expect("made");
        }
        stage
    }

    /// A run with nothing special.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let init = self.dump.join("current").symlink_metadata().is_err();
        Snapshot::new(&self.dump).main(&self.source).init(init)
    }

    /// The newest dump of the tree.
    pub(crate) fn newest(&self) -> PathBuf {
        let dump = DumpRoot::open(&self.dump).expect("opened");
        let current = dump.current().expect("read").expect("there is a current");
        current.join(ROOT)
    }

    /// Runs, checks all that always holds, and returns the report.
    #[track_caller]
    pub(crate) fn run(&self, snapshot: Snapshot) -> Report {
        let history = History::of(&self.dump);
        let report = snapshot.run().unwrap_or_else(|e| panic!("{e}"));
        history.assert_unchanged(&self.dump);
        assert!(report.faults.is_empty(), "{:#?}", report.faults);
        let unused = |warning: &&Warning| matches!(warning, Warning::CatalogUnused { .. });
        assert_eq!(report.warnings.iter().find(unused), None);
        self.assert_published(&report);
        report
    }

    /// The dump of this report is the newest, equal to the source, and
    /// nothing half made stands beside it.
    #[track_caller]
    pub(crate) fn assert_published(&self, report: &Report) {
        let dump = DumpRoot::open(&self.dump).expect("opened");
        assert_eq!(
            dump.current().expect("read").as_deref(),
            Some(&*report.dump)
        );
        let newest = dump.list().expect("listed").last().map(|name| name.path());
        let newest = self.dump.join(newest.expect("a dump"));
        assert_eq!(newest, report.dump);
        let target = fs::read_link(self.dump.join("current")).expect("a link");
        assert!(target.is_relative(), "{target:?}");
        assert_eq!(leftovers(&self.dump), Vec::<PathBuf>::new());
        assert_names_noted(&report.dump);
        self.assert_same();
    }

    /// The newest dump is as the source.
    #[track_caller]
    pub(crate) fn assert_same(&self) {
        let lines = diff_trees(&self.source, &self.newest(), &Options::of_runner());
        assert!(lines.is_empty(), "not the same:\n{}", lines.join("\n"));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        remove_deep(&self.top);
    }
}

/// The dump has the number of names that are below it.
#[track_caller]
pub(crate) fn assert_names_noted(dump: &Path) {
    let Some(noted) = xattr::get(dump, "user.dump.names").expect("read") else {
        xattr::set(dump, "user.trial", b"").expect_err("no attributes here");
        return;
    };
    let mut names = 0_u64;
    each(dump, |_, _| names += 1);
    assert_eq!(noted, names.to_string().into_bytes(), "{dump:?}");
}

/// What runs left behind.
pub(crate) fn leftovers(dump: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("listed").path()).collect()
    };
    let years = list(dump).into_iter();
    let years = years.filter(|year| !year.ends_with(".dump"));
    let days = years.flat_map(|year| list(&year));
    let minutes = days.flat_map(|day| list(&day));
    minutes
        .filter(|path| path.as_os_str().as_bytes().ends_with(b"_incomplete"))
        .collect()
}

/// All that is published, access times of every entry included, also those
/// of directories and symlinks.
pub(crate) struct History {
    print: Fingerprint,
    atimes: BTreeMap<Vec<u8>, (i64, u64)>,
}

impl History {
    pub(crate) fn of(dump: &Path) -> Self {
        // Reading symlinks moves their times, so these are noted last.
        let print = Fingerprint::of(dump);
        let atimes = atimes(dump);
        History { print, atimes }
    }

    #[track_caller]
    pub(crate) fn assert_unchanged(&self, dump: &Path) {
        let now = atimes(dump);
        let moved = self.atimes.iter().filter(|(path, was)| {
            let is = now.get(*path);
            is.is_some_and(|is| is != *was)
        });
        let moved: Vec<String> = moved.map(|(path, _)| fixtures::show(path)).collect();
        assert!(moved.is_empty(), "access times of history: {moved:?}");
        self.print.assert_unchanged(dump);
    }
}

/// Calls for each entry below a directory, with its own path.
pub(crate) fn each(root: &Path, entry: impl FnMut(&[u8], &Stat)) {
    struct Each<F>(F);
    impl<F: FnMut(&[u8], &Stat)> Visit for Each<F> {
        fn enter(&mut self, path: &[u8], a: Option<Place<'_>>, _: Option<Place<'_>>) -> bool {
            let Some(place) = a else { return false };
            if !path.is_empty() {
                (self.0)(path, place.stat);
            }
            place.is_dir()
        }
        fn fault(&mut self, path: &[u8], _: Side, act: &str, error: Errno) {
            panic!("{act} {}: {error}", fixtures::show(path));
        }
    }
    walk(root, &mut Each(entry));
}

fn atimes(dump: &Path) -> BTreeMap<Vec<u8>, (i64, u64)> {
    let mut all = BTreeMap::new();
    each(dump, |path, stat| {
        // Years and days are not dumps; what is being made is none yet, and what is on
        // its way out none any more.
        let inside = path.iter().filter(|byte| **byte == b'/').count() >= 2;
        let inside = inside && !path.starts_with(b".dump/");
        let half = path.windows(11).any(|part| part == b"_incomplete");
        if inside && !half {
            all.insert(path.to_vec(), (stat.st_atime, stat.st_atime_nsec));
        }
    });
    all
}

/// The inode of every entry that is not a directory.
pub(crate) fn inodes(root: &Path) -> BTreeMap<Vec<u8>, u64> {
    let mut all = BTreeMap::new();
    each(root, |path, stat| {
        if stat.st_mode & 0o170_000 != 0o040_000 {
            all.insert(path.to_vec(), stat.st_ino);
        }
    });
    all
}
