//! Benches of the library: what an hourly dump is made of.
//!
//! They run on the filesystem of `TMPDIR`: set it to what you care about.

use std::fs;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_fs::TempDir;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dumpcore::{
    Abilities, Candidate, Checkpoint, Filter, Kind, LinkPolicy, Meta, Navigator, Snapshot, Stamp,
    Time, Xattrs,
};

const FILES: usize = 4_000;
const DIRS: usize = 100;

/// A tree, and a dump root that has a dump of it.
struct Bed {
    dir: TempDir,
}

impl Bed {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let bed = Self { dir };
        fixtures::tree::real_tree(&bed.tree(), FILES, DIRS, 1);
        fs::create_dir(bed.root()).expect("a dump root");
        bed.dump(true);
        bed
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("dump")
    }

    fn dump(&self, init: bool) {
        let report = Snapshot::new(self.root())
            .main(self.tree())
            .init(init)
            .run();
        assert!(report.expect("a dump").is_complete());
    }

    /// Changes the contents of every hundredth file.
    fn change(&self, round: u64) {
        let mut count = 0;
        let mut visit = vec![self.tree()];
        while let Some(dir) = visit.pop() {
            for entry in fs::read_dir(dir).expect("listed").map(|e| e.expect("read")) {
                let kind = entry.file_type().expect("a type");
                if kind.is_dir() {
                    visit.push(entry.path());
                } else if kind.is_file() {
                    count += 1;
                    if count % 100 == 0 {
                        let file = fs::File::options().write(true).open(entry.path());
                        let file = file.expect("opened");
                        file.write_all_at(&round.to_le_bytes(), 0).expect("written");
                    }
                }
            }
        }
    }
}

fn dumps(c: &mut Criterion) {
    let mut group = c.benchmark_group("dump");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(FILES as u64));
    let bed = Bed::new();
    group.bench_function("unchanged", |b| b.iter(|| bed.dump(false)));
    let mut round = 0;
    group.bench_function("1% changed", |b| {
        let change = || {
            round += 1;
            bed.change(round);
            // A file so young would be waited for.
            std::thread::sleep(Duration::from_millis(25));
        };
        b.iter_batched(change, |()| bed.dump(false), BatchSize::PerIteration);
    });
    group.bench_function("full copy", |b| {
        let fresh = || TempDir::new().expect("a directory");
        let copy = |root: TempDir| {
            let first = Snapshot::new(root.path()).main(bed.tree()).init(true);
            assert!(first.run().expect("a dump").is_complete());
            root
        };
        b.iter_batched(fresh, copy, BatchSize::PerIteration);
    });
    group.bench_function("checkpoint", |b| {
        b.iter(|| Checkpoint::new(bed.root()).run().expect("a checkpoint"));
    });
    group.finish();
}

fn rules(c: &mut Criterion) {
    let mut filter = Filter::new();
    for rule in [
        "*.o",
        "*~",
        ".cache/",
        "/home/tmp/**",
        "target/",
        "+ keep.o",
        "*.sw?",
        "a/**/b",
    ] {
        filter.add_rule(rule.as_bytes()).expect("a rule");
    }
    let paths: Vec<String> = (0..1_000)
        .map(|i| format!("home/user{}/src/project{}/file{i}.rs", i % 7, i % 31))
        .collect();
    let mut group = c.benchmark_group("rules");
    group.throughput(Throughput::Elements(paths.len() as u64));
    group.bench_function("filter", |b| {
        b.iter(|| {
            let excluded = |path: &&String| filter.excludes(path.as_bytes(), false);
            paths.iter().filter(excluded).count()
        });
    });
    let meta = Meta {
        kind: Kind::File,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        size: 12,
        blocks: 8,
        mtime: Time::new(1_700_000_000, 1),
        atime: Time::default(),
        ctime: Time::default(),
        ino: 7,
        dev: 1,
        nlink: 1,
        rdev: 0,
    };
    let candidate = Candidate {
        meta,
        xattrs: Xattrs::default(),
        target: None,
    };
    let (policy, abilities) = (LinkPolicy::new(), Abilities::everything());
    group.throughput(Throughput::Elements(1));
    group.bench_function("metadata comparison", |b| {
        b.iter(|| {
            let (old, new) = (black_box(&candidate), black_box(&candidate));
            policy
                .decide(&abilities, old, new, || Ok(true))
                .expect("no I/O")
        });
    });
    group.finish();
}

/// A thousand dumps of one unchanged file.
fn thousand_dumps(root: &Path) {
    let mut last: Option<PathBuf> = None;
    let mut minute = Stamp::new(2026, 1, 1, 0, 0).expect("a minute");
    for _ in 0..1_000 {
        let day = format!("{:02}{:02}", minute.month(), minute.day());
        let leaf = format!("{:02}{:02}", minute.hour(), minute.minute());
        let dir = root.join("2026").join(day).join(leaf).join("tree");
        fs::create_dir_all(&dir).expect("made");
        let file = dir.join("file");
        match &last {
            Some(last) => fs::hard_link(last, &file).expect("linked"),
            None => fs::write(&file, "text\n").expect("written"),
        }
        last = Some(file);
        for _ in 0..60 {
            minute = minute.next();
        }
    }
}

fn history(c: &mut Criterion) {
    let dir = TempDir::new().expect("a directory");
    thousand_dumps(dir.path());
    fs::create_dir(dir.path().join("tree")).expect("made");
    let tree = dir.path().join("tree");
    let navigator = Navigator::new(dir.path()).main(&tree);
    let place = navigator.locate(dir.path(), &tree.join("file"));
    let place = place.expect("located");
    c.bench_function("history of a file in 1000 dumps", |b| {
        b.iter(|| {
            let past = navigator.history(&place).run();
            assert_eq!(past.dumps, 1_000);
        });
    });
}

criterion_group!(benches, dumps, rules, history);
criterion_main!(benches);
