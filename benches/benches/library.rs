//! Benches of the library: what an hourly dump is made of.
//!
//! They run on the filesystem of `TMPDIR`: set it to what you care about.
//! Each also holds what it measures to have been done. What is copied is
//! removed at the end of a group only: ext4 is slow to make files after many
//! were removed (`docs/PERFORMANCE.md`).

use std::fs;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_fs::TempDir;
use criterion::{BatchSize, Bencher, Criterion, SamplingMode, Throughput};
use criterion::{criterion_group, criterion_main};
use dumpcore::{
    Candidate, Capabilities, Checkpoint, Filter, Kind, LinkPolicy, Meta, Navigator, Report,
    Snapshot, Stamp, Time, Verdict, Xattrs,
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

    fn dump(&self, init: bool) -> Report {
        let report = Snapshot::new(self.root())
            .main(self.tree())
            .init(init)
            .run();
        let report = report.expect("a dump");
        assert!(report.is_complete());
        report
    }

    /// A dump that finds this many files changed, and nothing else.
    fn dump_with_changed(&self, changed: usize) {
        let counts = self.dump(false).counts;
        let found = counts.copied_changed.number;
        assert_eq!((found, counts.copied().number), (changed as u64, found));
        assert!(counts.linked.number >= (FILES - changed) as u64);
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
    group.bench_function("unchanged", |b| b.iter(|| bed.dump_with_changed(0)));
    let mut round = 0;
    group.bench_function("1% changed", |b| {
        let change = || {
            round += 1;
            bed.change(round);
            // A file so young would be waited for.
            std::thread::sleep(Duration::from_millis(25));
        };
        let dump = |()| bed.dump_with_changed(FILES / 100);
        b.iter_batched(change, dump, BatchSize::PerIteration);
    });
    group.finish();
}

fn copies(c: &mut Criterion) {
    let mut group = c.benchmark_group("copy");
    // As few as can be: each of them is kept.
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(FILES as u64));
    let bed = Bed::new();
    let mut kept = Vec::new();
    group.bench_function("full copy", |b| {
        let fresh = || TempDir::new().expect("a directory");
        let copy = |root: TempDir| {
            let first = Snapshot::new(root.path()).main(bed.tree()).init(true);
            let counts = first.run().expect("a dump").counts;
            assert!(counts.copied_new.number >= FILES as u64);
            kept.push(root);
        };
        b.iter_batched(fresh, copy, BatchSize::PerIteration);
    });
    group.bench_function("checkpoint", |b| {
        b.iter(|| {
            let report = Checkpoint::new(bed.root()).run().expect("a checkpoint");
            assert!(report.counts.copied().number >= FILES as u64);
        });
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
    group.throughput(Throughput::Elements(1));
    let plain = candidate(Xattrs::default());
    group.bench_function("metadata comparison", |b| compare(b, &plain));
    let acl = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff";
    let attributes = candidate(Xattrs::new(vec![
        (b"system.posix_acl_access".to_vec(), acl.to_vec()),
        (b"user.comment".to_vec(), vec![b'x'; 100]),
    ]));
    group.bench_function("metadata comparison, with an ACL", |b| {
        compare(b, &attributes);
    });
    group.finish();
}

fn candidate(xattrs: Xattrs) -> Candidate {
    let mut meta = Meta::new(Kind::File);
    meta.mode = 0o644;
    (meta.uid, meta.gid) = (1000, 1000);
    (meta.size, meta.blocks) = (12, 8);
    meta.mtime = Time::new(1_700_000_000, 1);
    Candidate::new(meta).with_xattrs(xattrs)
}

/// Both sides are the same, so that nothing is left uncompared.
fn compare(b: &mut Bencher<'_>, candidate: &Candidate) {
    let (policy, capabilities) = (LinkPolicy::new(), Capabilities::everything());
    let other = candidate.clone();
    b.iter(|| {
        let (old, new) = (black_box(candidate), black_box(&other));
        let decided = policy.decide(&capabilities, old, new, || Ok(true));
        assert!(matches!(decided, Ok(Verdict::Link)));
    });
}

/// A thousand dumps of one file, which was written to once in a number of dumps.
fn thousand_dumps(root: &Path, every: usize) {
    let mut last: Option<PathBuf> = None;
    let mut minute = Stamp::new(2026, 1, 1, 0, 0).expect("a minute");
    for number in 0..1_000 {
        let day = format!("{:02}{:02}", minute.month(), minute.day());
        let leaf = format!("{:02}{:02}", minute.hour(), minute.minute());
        let dir = root.join("2026").join(day).join(leaf).join("tree");
        fs::create_dir_all(&dir).expect("made");
        let file = dir.join("file");
        match &last {
            Some(last) if number % every > 0 => fs::hard_link(last, &file).expect("linked"),
            _ => fs::write(&file, format!("text {number}\n")).expect("written"),
        }
        last = Some(file);
        for _ in 0..60 {
            minute = minute.next();
        }
    }
}

fn history(c: &mut Criterion) {
    let mut group = c.benchmark_group("history in 1000 dumps");
    for (name, every) in [
        ("of a file that never changed", 1_000),
        ("of a file that changed a hundred times", 10),
    ] {
        let dir = TempDir::new().expect("a directory");
        thousand_dumps(dir.path(), every);
        fs::create_dir(dir.path().join("tree")).expect("made");
        let tree = dir.path().join("tree");
        let navigator = Navigator::new(dir.path()).main(&tree);
        let place = navigator.locate(tree.join("file"));
        let place = place.expect("located");
        group.bench_function(name, |b| {
            b.iter(|| {
                let past = navigator.history(&place).run();
                assert_eq!(past.dumps, 1_000);
                assert_eq!(past.events.len(), 1_000 / every);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, dumps, copies, rules, history);
criterion_main!(benches);
