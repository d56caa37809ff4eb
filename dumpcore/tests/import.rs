//! The history of other programs becomes dumps.

mod common;

use std::fs::{self, FileTimes};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::Stage;
use dumpcore::{
    Checkpoint, DumpRoot, Import, ImportCopy, ImportFrom, ImportState, Lacking, Report, Snapshot,
};
use fixtures::{Fingerprint, Options, diff_trees};

/// Old copies, each of the one before with a change; unchanged files are links.
struct Old {
    stage: Stage,
    dir: PathBuf,
}

impl Old {
    fn new() -> Self {
        let stage = Stage::new();
        let dir = stage.source.with_file_name("old copies");
        fs::create_dir(&dir).expect("made");
        Self { stage, dir }
    }

    /// A copy under this name, with the tree at `within`.
    fn add(&self, name: &str, within: &str, before: Option<&str>) -> PathBuf {
        let copy = self.dir.join(name);
        let tree = copy.join(within);
        fs::create_dir_all(&tree).expect("made");
        if let Some(before) = before {
            for entry in fs::read_dir(self.dir.join(before).join(within)).expect("listed") {
                let entry = entry.expect("an entry");
                fs::hard_link(entry.path(), tree.join(entry.file_name())).expect("linked");
            }
        }
        fs::write(tree.join(format!("of {name}")), name).expect("written");
        copy
    }

    fn import(&self, from: ImportFrom) -> Import {
        Import::new(from, &self.dir, &self.stage.dump)
    }

    /// Imports all that is new, and returns what was planned.
    #[track_caller]
    fn run(&self, import: &Import) -> (Vec<ImportCopy>, Vec<Report>) {
        let plan = import.plan().expect("planned");
        let new = plan
            .iter()
            .filter(|copy| matches!(copy.state, ImportState::New(_)));
        let reports = new.map(|copy| {
            let report = import.copy(copy).expect("imported");
            assert!(report.faults.is_empty(), "{:?}", report.faults);
            let own = report
                .dump
                .join(copy.trees[0].name_in_dump().expect("named"));
            let lines = diff_trees(&copy.trees[0].path, &own, &Options::of_runner());
            assert_eq!(lines, Vec::<String>::new());
            report
        });
        let reports = reports.collect();
        (plan, reports)
    }

    fn names(&self) -> Vec<String> {
        let listed = DumpRoot::open(&self.stage.dump).expect("opened").list();
        listed
            .expect("listed")
            .iter()
            .map(ToString::to_string)
            .collect()
    }
}

fn states(plan: &[ImportCopy]) -> Vec<&'static str> {
    plan.iter().map(|copy| copy.state.as_str()).collect()
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = FileTimes::new().set_modified(time);
    fs::File::open(path)
        .expect("opened")
        .set_times(times)
        .expect("set");
}

#[test]
fn rsnapshot_by_the_times_of_its_directories() {
    let old = Old::new();
    let mut before = None;
    for (number, name) in ["daily.2", "daily.1", "daily.0"].into_iter().enumerate() {
        let copy = old.add(name, "localhost/home", before);
        set_time(&copy, 1_600_000_000 + 86_400 * number as u64);
        before = Some(name);
    }
    for name in ["_delete.77", ".sync"] {
        old.add(name, "localhost/home", None);
    }
    old.add("lost+found", "", None);
    let import = old
        .import(ImportFrom::Rsnapshot)
        .within("localhost/home")
        .init(true);
    let (plan, reports) = old.run(&import);
    assert_eq!(
        states(&plan),
        ["new", "new", "new", "unfinished", "removed"]
    );
    assert_eq!(
        reports[2].counts.copied().number,
        1,
        "{:?}",
        reports[2].counts
    );
    let oldest = |report: &Report| {
        let file = report.dump.join("home/of daily.2");
        file.metadata().expect("there").ino()
    };
    assert_eq!(
        oldest(&reports[0]),
        oldest(&reports[2]),
        "one inode through the history"
    );

    // Once more: all is there. And what came since comes in.
    let (again, none) = old.run(&import);
    assert_eq!(states(&again)[..3], ["there"; 3]);
    assert!(none.is_empty());
    fs::rename(old.dir.join("daily.0"), old.dir.join("weekly.0")).expect("rotated");
    let newest = old.add("daily.0", "localhost/home", Some("weekly.0"));
    set_time(&newest, 1_600_000_000 + 86_400 * 3);
    let (last, reports) = old.run(&import);
    assert_eq!(states(&last)[..4], ["there", "there", "there", "new"]);
    assert_eq!(reports.len(), 1);
}

#[test]
fn two_of_one_minute_both_come_in_and_stay_known() {
    let old = Old::new();
    let names = [
        "2020-02-02-101005",
        "2020-02-02-101059",
        "2020-02-02-101130",
    ];
    let mut before = None;
    for name in names {
        old.add(name, "", before);
        before = Some(name);
    }
    symlink(names[2], old.dir.join("latest")).expect("linked");
    let import = old
        .import(ImportFrom::RsyncTimeBackup)
        .root_name("home")
        .init(true);
    let (plan, reports) = old.run(&import);
    assert_eq!(states(&plan), ["new"; 3]);
    let minutes = ["2020/0202/1010", "2020/0202/1011", "2020/0202/1012"];
    assert_eq!(old.names(), minutes);
    assert!(reports[2].dump.join("home").is_dir());
    let root = DumpRoot::open(&old.stage.dump).expect("opened");
    let dumps = root.dumps(None).expect("listed");
    let moments: Vec<_> = dumps.iter().map(|dump| dump.moment).collect();
    let planned: Vec<_> = plan.iter().map(|copy| copy.moment).collect();
    assert_eq!(moments, planned, "to the second");
    assert_eq!(states(&old.run(&import).0), ["there"; 3]);
}

#[test]
fn what_is_not_finished_is_left_out() {
    let old = Old::new();
    for name in ["2020-02-02-101005", "2020-02-03-101005"] {
        old.add(name, "", None);
    }
    fs::write(old.dir.join("backup.inprogress"), "").expect("written");
    let import = old.import(ImportFrom::RsyncTimeBackup).init(true);
    let (plan, _) = old.run(&import);
    assert_eq!(states(&plan), ["new", "unfinished"]);
    assert!(plan[1].path.ends_with("2020-02-03-101005"));
    fs::remove_file(old.dir.join("backup.inprogress")).expect("removed");
    assert_eq!(states(&old.run(&import).0), ["there", "new"]);
}

#[test]
fn back_in_time_and_linux_timemachine() {
    let old = Old::new();
    for name in ["20200202-101005-123", "20200203-101005-123", "new_snapshot"] {
        old.add(name, "backup/home/anna", None);
    }
    symlink("20200203-101005-123", old.dir.join("last_snapshot")).expect("linked");
    let import = old
        .import(ImportFrom::BackInTime)
        .within("home/anna")
        .init(true);
    let (plan, reports) = old.run(&import);
    assert_eq!(states(&plan), ["new", "new", "unfinished"]);
    assert!(reports[1].dump.join("anna").is_dir());

    let old = Old::new();
    for name in [
        "2020-02-02__10-10-05",
        "2020-02-03__10-10-05",
        ".inprogress",
    ] {
        old.add(name, "docs", None);
    }
    old.add("2020-02-04__10-10-05", "other", None);
    let import = old
        .import(ImportFrom::LinuxTimemachine)
        .within("docs")
        .init(true);
    let (plan, _) = old.run(&import);
    assert_eq!(states(&plan), ["new", "new", "no_tree", "unfinished"]);
}

#[test]
fn the_dumps_of_another_root() {
    let old = Old::new();
    let other = old.stage.source.with_file_name("other dumps");
    fs::create_dir(&other).expect("made");
    for (number, minute) in ["2019-01-01T10:00", "2019-01-02T10:00"]
        .into_iter()
        .enumerate()
    {
        fs::write(old.stage.source.join(format!("f{number}")), "text").expect("written");
        let snapshot = Snapshot::new(&other).main(&old.stage.source);
        let snapshot = snapshot.at(minute.parse().expect("a minute"));
        snapshot.init(number == 0).run().expect("dumped");
    }
    Checkpoint::new(&other).run().expect("copied");
    let before = Fingerprint::of(&other);
    let import = Import::new(ImportFrom::Dump, &other, &old.stage.dump).init(true);
    let (plan, _) = old.run(&import);
    assert_eq!(
        states(&plan),
        ["new", "new"],
        "the checkpoint is the second again"
    );
    assert_eq!(old.names(), ["2019/0101/1000", "2019/0102/1000"]);
    assert_eq!(states(&old.run(&import).0), ["there", "there"]);
    assert_eq!(Fingerprint::of(&other), before);
}

#[test]
fn current_does_not_move_back() {
    let old = Old::new();
    fs::write(old.stage.source.join("now"), "text").expect("written");
    let report = old.stage.run(old.stage.snapshot());
    old.add("2020-02-02-101005", "", None);
    old.run(&old.import(ImportFrom::RsyncTimeBackup));
    let current = DumpRoot::open(&old.stage.dump).expect("opened").current();
    assert_eq!(current.expect("read"), Some(report.dump));
    // The newest dump is linked to, and the catalog knows the old one.
    old.stage.run(old.stage.snapshot());
}

#[test]
fn two_trees_of_the_same_copies_are_two_histories() {
    let old = Old::new();
    let name = "2020-02-02-101005";
    // Size and time decide for imports.
    for host in ["h1", "h22"] {
        old.add(name, &format!("{host}/home"), None);
        fs::write(old.dir.join(name).join(host).join("home/own"), host).expect("written");
    }
    for host in ["h1", "h22"] {
        let within = format!("{host}/home");
        let import = old
            .import(ImportFrom::RsyncTimeBackup)
            .within(within)
            .init(true);
        let (plan, reports) = old.run(&import);
        assert_eq!(states(&plan), ["new"], "{host}");
        let own = fs::read_to_string(reports[0].dump.join("home/own"));
        assert_eq!(own.expect("read"), host);
        assert_eq!(states(&old.run(&import).0), ["there"]);
    }
    assert_eq!(old.names(), ["2020/0202/1010", "2020/0202/1011"]);
}

#[test]
fn what_another_root_lacks_is_lacking_here() {
    let old = Old::new();
    let other = old.stage.source.with_file_name("other dumps");
    fs::create_dir(&other).expect("made");
    let snapshot = Snapshot::new(&other)
        .main(&old.stage.source)
        .allow_empty(true);
    let report = snapshot.init(true).run().expect("dumped");
    xattr::set(&report.dump, "user.dump.partial", b"3").expect("marked");
    let import = Import::new(ImportFrom::Dump, &other, &old.stage.dump).init(true);
    let plan = import.plan().expect("planned");
    assert_eq!(plan[0].lacks, Some(Lacking::Entries(3)));
    let report = import.copy(&plan[0]).expect("imported");
    assert_eq!(report.missing, 3);
    let root = DumpRoot::open(&old.stage.dump).expect("opened");
    assert_eq!(
        root.dumps(None).expect("listed")[0].lacks,
        Some(Lacking::Entries(3))
    );
    let again = import.plan().expect("planned");
    assert_eq!(
        (states(&again), again[0].lacks),
        (vec!["there"], Some(Lacking::Entries(3)))
    );
}

#[test]
fn nothing_outside_of_a_copy_and_nothing_of_the_future() {
    let old = Old::new();
    let copy = old.add("2020-02-02-101005", "home", None);
    symlink("/etc", copy.join("link")).expect("linked");
    old.add("2999-02-02-101005", "home", None);
    let planned = |within: &str| {
        let import = old.import(ImportFrom::RsyncTimeBackup).within(within);
        states(&import.plan().expect("planned")).join(" ")
    };
    assert_eq!(planned("home"), "new future");
    assert_eq!(planned("link"), "no_tree no_tree");
    assert_eq!(planned("../2020-02-02-101005/home"), "no_tree no_tree");
    assert_eq!(planned("/etc"), "no_tree no_tree");
}
